/* template_eval.c - evaluates the tree of an expression; what functions share. */
#include "arm/template.h"
#include "base/json.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/* ---- the table of functions --------------------------------------------------------------------------------------------- */

static const struct template_family *const families[] = {
    &template_func_array, &template_func_object, &template_func_text, &template_func_logic,
    &template_func_time,  &template_func_scope,  &template_func_net,  &template_func_lambda,
};

const struct template_function *template_function_at(uint32_t index)
{
    for (uint32_t f = 0; f < RF_COUNT(families); f++) {
        if (index < families[f]->count) return &families[f]->functions[index];
        index -= families[f]->count;
    }
    return NULL;
}

const struct template_function *template_function_find(rf_str name)
{
    const struct template_function *list = NULL;
    for (uint32_t f = 0; f < RF_COUNT(families); f++) {
        for (uint32_t i = 0; i < families[f]->count; i++) {
            const struct template_function *function = &families[f]->functions[i];
            if (rf_str_eq_nocase(name, rf_str_of(function->name))) return function;
            if (strcmp(function->name, "list*") == 0) list = function;
        }
    }
    bool is_list = name.len > 4 && rf_str_eq_nocase(rf_slice(name, 0, 4), RF_S("list"));
    return is_list ? list : NULL;
}

/* ---- errors, steps --------------------------------------------------------------------------------------------------------- */

void template_say(const struct template_call *call, struct rf_err *err, const char *fmt, ...)
{
    char what[600];
    va_list args;
    va_start(args, fmt);
    vsnprintf(what, sizeof what, fmt, args);
    va_end(args);
    (void)rf_fail(err, RF_INVALID, "InvalidTemplate",
                  "Unable to evaluate the template language function '%.*s' at position '%u': %s",
                  (int)RF_MIN(call->expr->name.len, 100), (const char *)call->expr->name.ptr,
                  call->expr->column, what);
}

enum rf_kind template_step(struct template_run *run, uint64_t steps, struct rf_err *err)
{
    run->steps += steps;
    if (run->steps <= TEMPLATE_STEPS_MAX) return RF_OK;
    return RF_FAIL(err, RF_INVALID, "InvalidTemplate",
                   "The template is too costly: its evaluation takes more than %d steps.",
                   TEMPLATE_STEPS_MAX);
}

/* ---- values ------------------------------------------------------------------------------------------------------------------ */

struct json_node *template_share(struct rf_arena *arena, const struct json_node *node)
{
    struct json_node *copy = node == NULL ? NULL : rf_arena_raw(arena, struct json_node, 1);
    if (copy == NULL) return NULL;
    *copy = *node;
    copy->name = (rf_str){0};
    copy->next = NULL;
    return copy;
}

bool template_whole(rf_str text, int64_t *out)
{
    size_t from = text.len > 0 && text.ptr[0] == '-' ? 1 : 0, zeros = from;
    if (text.len == from) return false;
    for (size_t i = from; i < text.len; i++)
        if (!rf_is_digit(text.ptr[i])) return false;
    while (zeros + 1 < text.len && text.ptr[zeros] == '0') zeros++;
    if (zeros == from) return json_number_i64(text, out);
    bool fits = json_number_i64(rf_slice(text, zeros, text.len), out);
    if (fits && from == 1) *out = -*out;
    return fits;
}

const char *template_type_name(const struct json_node *node)
{
    static const char *const names[] = {
        [JSON_T_NULL] = "Null",      [JSON_T_FALSE] = "Boolean", [JSON_T_TRUE] = "Boolean",
        [JSON_T_NUMBER] = "Integer", [JSON_T_STRING] = "String", [JSON_T_ARRAY] = "Array",
        [JSON_T_OBJECT] = "Object",
    };
    int64_t whole;
    if (node->type == JSON_T_NUMBER && !template_whole(node->text, &whole)) return "Float";
    return names[node->type];
}

static double real_of(rf_str text)
{
    char copy[64];
    size_t len = RF_MIN(text.len, sizeof copy - 1);
    memcpy(copy, text.ptr, len);
    copy[len] = 0;
    return strtod(copy, NULL);
}

static bool number_equal(rf_str a, rf_str b)
{
    int64_t x, y;
    if (template_whole(a, &x) && template_whole(b, &y)) return x == y;
    double p = real_of(a), q = real_of(b);
    return p <= q && p >= q;
}

/* Values are as deep as documents and evaluation may be. */
bool template_equal(const struct json_node *a, const struct json_node *b)
{
    if (a->type != b->type || a->count != b->count) return false;
    if (a->type == JSON_T_NUMBER) return number_equal(a->text, b->text);
    if (a->type == JSON_T_STRING) return rf_str_eq(a->text, b->text);
    const struct json_node *y = b->first;
    for (const struct json_node *x = a->first; x != NULL; x = x->next) {
        const struct json_node *twin = a->type == JSON_T_OBJECT ? json_get_str(b, x->name) : y;
        if (twin == NULL || !template_equal(x, twin)) return false;
        if (y != NULL) y = y->next;
    }
    return true;
}

static enum rf_kind wrong_type(const struct template_call *call, uint32_t index, const char *wanted,
                               struct rf_err *err)
{
    return template_fail(call, err, "parameter %u is expected to be of type '%s', but is '%s'.",
                         index + 1, wanted, template_type_name(call->args[index]));
}

enum rf_kind template_arg_text(const struct template_call *call, uint32_t index, rf_str *out,
                               struct rf_err *err)
{
    if (!json_is(call->args[index], JSON_T_STRING)) return wrong_type(call, index, "String", err);
    *out = call->args[index]->text;
    return RF_OK;
}

enum rf_kind template_arg_int(const struct template_call *call, uint32_t index, int64_t *out,
                              struct rf_err *err)
{
    bool is_number = json_is(call->args[index], JSON_T_NUMBER);
    if (is_number && template_whole(call->args[index]->text, out)) return RF_OK;
    return wrong_type(call, index, "Integer", err);
}

enum rf_kind template_arg_bool(const struct template_call *call, uint32_t index, bool *out,
                               struct rf_err *err)
{
    enum json_type type = call->args[index]->type;
    if (type != JSON_T_TRUE && type != JSON_T_FALSE) return wrong_type(call, index, "Boolean", err);
    *out = type == JSON_T_TRUE;
    return RF_OK;
}

enum rf_kind template_arg_is(const struct template_call *call, uint32_t index, enum json_type type,
                             struct rf_err *err)
{
    if (call->args[index]->type == type) return RF_OK;
    const struct json_node wanted = {.type = type, .text = RF_S("0")};
    return wrong_type(call, index, template_type_name(&wanted), err);
}

static struct rf_arena *arena_of(const struct template_call *call)
{
    return call->frame->run->arena;
}

static enum rf_kind give(const struct template_call *call, struct json_node *node,
                         struct json_node **out, struct rf_err *err)
{
    if (node == NULL) return rf_fail_memory(err, arena_of(call));
    *out = node;
    return RF_OK;
}

enum rf_kind template_give_text(const struct template_call *call, rf_str text,
                                struct json_node **out, struct rf_err *err)
{
    if (text.ptr == NULL && text.len > 0) return rf_fail_memory(err, arena_of(call));
    if (text.len > TEMPLATE_TEXT_BYTES_MAX)
        return template_fail(call, err, "its result has more than %d bytes.",
                             TEMPLATE_TEXT_BYTES_MAX);
    RF_TRY(template_step(call->frame->run, text.len / 256, err));
    return give(call, json_new_text(arena_of(call), text), out, err);
}

enum rf_kind template_give_int(const struct template_call *call, int64_t number,
                               struct json_node **out, struct rf_err *err)
{
    return give(call, json_new_i64(arena_of(call), number), out, err);
}

enum rf_kind template_give_bool(const struct template_call *call, bool truth,
                                struct json_node **out, struct rf_err *err)
{
    return give(call, json_new_bool(arena_of(call), truth), out, err);
}

enum rf_kind template_give_null(const struct template_call *call, struct json_node **out,
                                struct rf_err *err)
{
    return give(call, json_new(arena_of(call), JSON_T_NULL), out, err);
}

enum rf_kind template_give_new(const struct template_call *call, enum json_type type,
                               struct json_node **out, struct rf_err *err)
{
    return give(call, json_new(arena_of(call), type), out, err);
}

enum rf_kind template_add(const struct template_call *call, struct json_node *array,
                          const struct json_node *value, struct rf_err *err)
{
    RF_TRY(template_step(call->frame->run, 1, err));
    struct json_node *copy = template_share(arena_of(call), value);
    return json_append(array, copy) == NULL ? rf_fail_memory(err, arena_of(call)) : RF_OK;
}

enum rf_kind template_put(const struct template_call *call, struct json_node *object, rf_str name,
                          const struct json_node *value, struct rf_err *err)
{
    /* Each member is compared with those before it. */
    RF_TRY(template_step(call->frame->run, 1 + object->count / 16, err));
    struct json_node *copy = template_share(arena_of(call), value);
    return json_set(arena_of(call), object, name, copy) == NULL
               ? rf_fail_memory(err, arena_of(call))
               : RF_OK;
}

enum rf_kind template_text_of(const struct template_call *call, const struct json_node *value,
                              rf_str *out, struct rf_err *err)
{
    switch (value->type) {
    case JSON_T_STRING:
    case JSON_T_NUMBER:
        *out = value->text;
        return RF_OK;
    case JSON_T_NULL:
        *out = RF_S("");
        return RF_OK;
    case JSON_T_TRUE:
        *out = RF_S("True");
        return RF_OK;
    case JSON_T_FALSE:
        *out = RF_S("False");
        return RF_OK;
    case JSON_T_ARRAY:
    case JSON_T_OBJECT:
        break;
    }
    *out = json_to_text(arena_of(call), value);
    if (out->ptr == NULL) return rf_fail_memory(err, arena_of(call));
    return template_step(call->frame->run, out->len / 256, err);
}

/* ---- members ------------------------------------------------------------------------------------------------------------------- */

static struct json_node *nth(const struct json_node *array, int64_t index)
{
    if (index < 0 || index >= (int64_t)array->count) return NULL;
    struct json_node *item = array->first;
    while (index-- > 0) item = item->next;
    return item;
}

/* The names of an object's properties, as far as they fit. */
static void list_names(const struct json_node *object, char *text, size_t cap)
{
    size_t len = 0;
    text[0] = 0;
    for (const struct json_node *m = object->first; m != NULL; m = m->next) {
        if (len + m->name.len + 3 > cap) return;
        int more = snprintf(text + len, cap - len, "%s%.*s", len == 0 ? "" : ", ", RF_FMT(m->name));
        len += (size_t)more;
    }
}

static enum rf_kind fail_member(const struct template_expr *expr, const struct json_node *of,
                                const struct json_node *key, struct rf_err *err)
{
    char names[300];
    if (of->type == JSON_T_ARRAY)
        return RF_FAIL(err, RF_INVALID, "InvalidTemplate",
                       "The language expression array index '%.*s' at position '%u' is out of "
                       "bounds: the array has %u item(s).",
                       (int)RF_MIN(key->text.len, 30), (const char *)key->text.ptr, expr->column,
                       of->count);
    if (of->type != JSON_T_OBJECT)
        return RF_FAIL(err, RF_INVALID, "InvalidTemplate",
                       "The language expression property '%.*s' at position '%u' can't be "
                       "evaluated: what stands before it is of type '%s'.",
                       (int)RF_MIN(key->text.len, 100), (const char *)key->text.ptr, expr->column,
                       template_type_name(of));
    list_names(of, names, sizeof names);
    return RF_FAIL(err, RF_INVALID, "InvalidTemplate",
                   "The language expression property '%.*s' at position '%u' doesn't exist, "
                   "available properties are '%s'.",
                   (int)RF_MIN(key->text.len, 100), (const char *)key->text.ptr, expr->column,
                   names);
}

static enum rf_kind eval_member(const struct template_frame *frame,
                                const struct template_expr *expr, struct json_node **out,
                                struct rf_err *err)
{
    struct json_node *of = NULL, *key = NULL, *found = NULL;
    int64_t index;
    RF_TRY(template_eval(frame, expr->first, &of, err));
    RF_TRY(template_eval(frame, expr->first->next, &key, err));
    if (of->type == JSON_T_ARRAY && key->type == JSON_T_NUMBER &&
        template_whole(key->text, &index)) {
        RF_TRY(template_step(frame->run, of->count / 32, err));
        found = nth(of, index);
    } else if (of->type == JSON_T_OBJECT && key->type == JSON_T_STRING) {
        RF_TRY(template_step(frame->run, of->count / 32, err));
        found = json_get_nocase(of, key->text);
    } else if (of->type == JSON_T_ARRAY) {
        return RF_FAIL(err, RF_INVALID, "InvalidTemplate",
                       "The language expression property '%.*s' at position '%u' can't be "
                       "evaluated: an array is indexed by a whole number.",
                       (int)RF_MIN(key->text.len, 100), (const char *)key->text.ptr, expr->column);
    }
    if (found == NULL && expr->is_safe) found = json_new(frame->run->arena, JSON_T_NULL);
    if (found == NULL && expr->is_safe) return rf_fail_memory(err, frame->run->arena);
    if (found == NULL) return fail_member(expr, of, key, err);
    *out = found;
    return RF_OK;
}

/* ---- calls ----------------------------------------------------------------------------------------------------------------------- */

static enum rf_kind eval_args(const struct template_frame *frame, const struct template_expr *expr,
                              struct json_node ***out, struct rf_err *err)
{
    struct json_node **args = rf_arena_new(frame->run->arena, struct json_node *, expr->count + 1);
    uint32_t at = 0;
    if (args == NULL) return rf_fail_memory(err, frame->run->arena);
    for (const struct template_expr *arg = expr->first; arg != NULL; arg = arg->next)
        RF_TRY(template_eval(frame, arg, &args[at++], err));
    *out = args;
    return RF_OK;
}

static enum rf_kind eval_call(const struct template_frame *frame, const struct template_expr *expr,
                              struct json_node **out, struct rf_err *err)
{
    struct template_call call = {.frame = frame, .expr = expr, .count = expr->count};
    const struct template_function *function = expr->function;
    bool is_lazy = function != NULL && (function->flags & TEMPLATE_LAZY) != 0;
    if (!is_lazy) RF_TRY(eval_args(frame, expr, &call.args, err));
    if (function == NULL) return template_user_call(&call, out, err);
    if ((function->flags & TEMPLATE_RUNTIME) != 0 && !frame->run->is_runtime)
        return template_fail(&call, err, "the function is not expected at this location.");
    return function->run(&call, out, err);
}

enum rf_kind template_eval(const struct template_frame *frame, const struct template_expr *expr,
                           struct json_node **out, struct rf_err *err)
{
    struct template_run *run = frame->run;
    RF_TRY(template_step(run, 1, err));
    if (run->depth >= TEMPLATE_EVAL_DEPTH_MAX)
        return RF_FAIL(err, RF_INVALID, "InvalidTemplate",
                       "The template's expressions refer to each other more than %d deep.",
                       TEMPLATE_EVAL_DEPTH_MAX);
    run->depth++;
    enum rf_kind kind = RF_OK;
    struct json_node *value = NULL;
    if (expr->kind == TEMPLATE_LITERAL)
        value = expr->value;
    else if (expr->kind == TEMPLATE_MEMBER)
        kind = eval_member(frame, expr, &value, err);
    else
        kind = eval_call(frame, expr, &value, err);
    run->depth--;
    if (kind != RF_OK) return kind;
    RF_ASSERT(value != NULL);
    *out = value;
    return RF_OK;
}

enum rf_kind template_lazy_arg(const struct template_call *call, uint32_t index,
                               struct json_node **out, struct rf_err *err)
{
    const struct template_expr *arg = call->expr->first;
    while (index-- > 0) arg = arg->next;
    return template_eval(call->frame, arg, out, err);
}
