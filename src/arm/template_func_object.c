/* template_func_object.c - objects and JSON texts. */
#include "arm/template_expr.h"
#include "base/json.h"

#include <stdlib.h>

static struct rf_arena *arena_of(const struct template_call *call)
{
    return call->frame->run->arena;
}

static enum rf_kind run_create_object(const struct template_call *call, struct json_node **out,
                                      struct rf_err *err)
{
    struct json_node *object;
    if (call->count % 2 != 0)
        return template_fail(call, err, "names and values come in pairs, and %u were given.",
                             call->count);
    RF_TRY(template_give_new(call, JSON_T_OBJECT, &object, err));
    for (uint32_t i = 0; i < call->count; i += 2) {
        rf_str name;
        RF_TRY(template_arg_text(call, i, &name, err));
        RF_TRY(template_put(call, object, name, call->args[i + 1], err));
    }
    *out = object;
    return RF_OK;
}

static enum rf_kind run_json(const struct template_call *call, struct json_node **out,
                             struct rf_err *err)
{
    rf_str text;
    struct rf_err inner;
    struct json_node *node;
    RF_TRY(template_arg_text(call, 0, &text, err));
    RF_TRY(template_step(call->frame->run, text.len / 64, err));
    text = rf_str_trim(text);
    /* string() writes them so, and the two are each other's inverse. */
    if (rf_str_is(text, "True") || rf_str_is(text, "False"))
        return template_give_bool(call, text.ptr[0] == 'T', out, err);
    enum rf_kind kind = json_parse(text, arena_of(call), &node, &inner);
    if (kind == RF_LIMIT && strcmp(inner.code, "MemoryBudgetExceeded") == 0)
        return rf_fail_memory(err, arena_of(call));
    if (kind != RF_OK) return template_fail(call, err, "the text is not JSON: %s", inner.text);
    *out = node;
    return RF_OK;
}

static enum rf_kind run_string(const struct template_call *call, struct json_node **out,
                               struct rf_err *err)
{
    rf_str text;
    RF_TRY(template_text_of(call, call->args[0], &text, err));
    return template_give_text(call, text, out, err);
}

/* ---- members, by their names in order -------------------------------------------------------------------------------- */

static int by_name(const void *a, const void *b)
{
    const struct json_node *const *x = a, *const *y = b;
    return rf_str_cmp((*x)->name, (*y)->name);
}

static enum rf_kind sorted(const struct template_call *call, const struct json_node ***out,
                           struct rf_err *err)
{
    RF_TRY(template_arg_is(call, 0, JSON_T_OBJECT, err));
    const struct json_node *object = call->args[0];
    const struct json_node **members =
        rf_arena_new(arena_of(call), const struct json_node *, object->count + 1);
    uint32_t count = 0;
    if (members == NULL) return rf_fail_memory(err, arena_of(call));
    RF_TRY(template_step(call->frame->run, object->count, err));
    for (const struct json_node *m = object->first; m != NULL; m = m->next) members[count++] = m;
    qsort(members, count, sizeof *members, by_name);
    *out = members;
    return RF_OK;
}

static enum rf_kind run_items(const struct template_call *call, struct json_node **out,
                              struct rf_err *err)
{
    const struct json_node **members;
    struct json_node *array;
    RF_TRY(sorted(call, &members, err));
    RF_TRY(template_give_new(call, JSON_T_ARRAY, &array, err));
    for (uint32_t i = 0; i < call->args[0]->count; i++) {
        struct json_node *pair, *name;
        RF_TRY(template_give_new(call, JSON_T_OBJECT, &pair, err));
        RF_TRY(template_give_text(call, members[i]->name, &name, err));
        RF_TRY(template_put(call, pair, RF_S("key"), name, err));
        RF_TRY(template_put(call, pair, RF_S("value"), members[i], err));
        RF_TRY(template_add(call, array, pair, err));
    }
    *out = array;
    return RF_OK;
}

static enum rf_kind run_object_keys(const struct template_call *call, struct json_node **out,
                                    struct rf_err *err)
{
    const struct json_node **members;
    struct json_node *array;
    RF_TRY(sorted(call, &members, err));
    RF_TRY(template_give_new(call, JSON_T_ARRAY, &array, err));
    for (uint32_t i = 0; i < call->args[0]->count; i++) {
        struct json_node *name;
        RF_TRY(template_give_text(call, members[i]->name, &name, err));
        RF_TRY(template_add(call, array, name, err));
    }
    *out = array;
    return RF_OK;
}

static const struct template_function functions[] = {
    {"createObject", 0, TEMPLATE_ARGS_MAX, run_create_object, 0},
    {"json", 1, 1, run_json, 0},
    {"string", 1, 1, run_string, 0},
    {"items", 1, 1, run_items, 0},
    {"objectKeys", 1, 1, run_object_keys, 0},
};
const struct template_family template_func_object = {functions, RF_COUNT(functions)};
