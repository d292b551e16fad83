/* template_func_lambda.c - functions that take a function: lambda('x', body) and its users. A body is evaluated once per item
 * with its variables before it; the tree of the expression bounds how deep they nest. */
#include "arm/template_expr.h"
#include "base/json.h"

#include <stdlib.h>

enum { LAMBDA_VARIABLES_MAX = 3 };

struct lambda {
    const struct template_call *call;
    rf_str names[LAMBDA_VARIABLES_MAX];
    uint32_t count;
    const struct template_expr *body;
};

static struct rf_arena *arena_of(const struct template_call *call)
{
    return call->frame->run->arena;
}

static const struct template_expr *nth_arg(const struct template_expr *expr, uint32_t index)
{
    const struct template_expr *arg = expr->first;
    while (index-- > 0) arg = arg->next;
    return arg;
}

/* Argument `index` as a lambda of min to max variables. */
static enum rf_kind lambda_of(const struct template_call *call, uint32_t index, uint32_t min,
                              uint32_t max, struct lambda *out, struct rf_err *err)
{
    const struct template_expr *expr = nth_arg(call->expr, index);
    struct lambda lambda = {.call = call};
    bool is_lambda = expr->kind == TEMPLATE_CALL && expr->ns.len == 0 &&
                     rf_str_eq_nocase(expr->name, RF_S("lambda"));
    if (!is_lambda || expr->count < min + 1 || expr->count > max + 1)
        return template_fail(call, err, "parameter %u must be a lambda of %u to %u variables.",
                             index + 1, min, max);
    const struct template_expr *arg = expr->first;
    for (; arg->next != NULL; arg = arg->next) {
        struct json_node *name;
        RF_TRY(template_eval(call->frame, arg, &name, err));
        if (name->type != JSON_T_STRING || name->text.len == 0)
            return template_fail(call, err, "the variable of a lambda must be a text.");
        lambda.names[lambda.count++] = name->text;
    }
    lambda.body = arg;
    *out = lambda;
    return RF_OK;
}

/* The body's value for these variables; those that the lambda does not name are left out. */
static enum rf_kind apply(const struct lambda *lambda, struct json_node *const *values,
                          struct json_node **out, struct rf_err *err)
{
    struct template_frame frame = *lambda->call->frame;
    struct template_local locals[LAMBDA_VARIABLES_MAX];
    for (uint32_t i = 0; i < lambda->count; i++) {
        locals[i] = (struct template_local){lambda->names[i], values[i], frame.locals};
        frame.locals = &locals[i];
    }
    return template_eval(&frame, lambda->body, out, err);
}

static enum rf_kind apply_bool(const struct lambda *lambda, struct json_node *const *values,
                               bool *out, struct rf_err *err)
{
    struct json_node *value;
    RF_TRY(apply(lambda, values, &value, err));
    if (value->type != JSON_T_TRUE && value->type != JSON_T_FALSE)
        return template_fail(lambda->call, err, "the lambda must give a Boolean.");
    *out = value->type == JSON_T_TRUE;
    return RF_OK;
}

static enum rf_kind apply_text(const struct lambda *lambda, struct json_node *const *values,
                               rf_str *out, struct rf_err *err)
{
    struct json_node *value;
    RF_TRY(apply(lambda, values, &value, err));
    if (value->type != JSON_T_STRING)
        return template_fail(lambda->call, err, "the lambda must give a text.");
    *out = value->text;
    return RF_OK;
}

static enum rf_kind input_of(const struct template_call *call, enum json_type type,
                             struct json_node **out, struct rf_err *err)
{
    RF_TRY(template_lazy_arg(call, 0, out, err));
    if ((*out)->type == type) return RF_OK;
    return template_fail(call, err, "parameter 1 is expected to be of type '%s', but is '%s'.",
                         type == JSON_T_ARRAY ? "Array" : "Object", template_type_name(*out));
}

static enum rf_kind index_node(const struct lambda *lambda, uint32_t variable, int64_t index,
                               struct json_node **out, struct rf_err *err)
{
    *out = NULL;
    return lambda->count <= variable ? RF_OK : template_give_int(lambda->call, index, out, err);
}

/* ---- users ----------------------------------------------------------------------------------------------------------------- */

static enum rf_kind run_map(const struct template_call *call, struct json_node **out,
                            struct rf_err *err)
{
    struct json_node *input, *result, *values[2], *value;
    struct lambda lambda;
    int64_t index = 0;
    RF_TRY(input_of(call, JSON_T_ARRAY, &input, err));
    RF_TRY(lambda_of(call, 1, 1, 2, &lambda, err));
    RF_TRY(template_give_new(call, JSON_T_ARRAY, &result, err));
    for (values[0] = input->first; values[0] != NULL; values[0] = values[0]->next) {
        RF_TRY(index_node(&lambda, 1, index++, &values[1], err));
        RF_TRY(apply(&lambda, values, &value, err));
        RF_TRY(template_add(call, result, value, err));
    }
    *out = result;
    return RF_OK;
}

static enum rf_kind run_filter(const struct template_call *call, struct json_node **out,
                               struct rf_err *err)
{
    struct json_node *input, *result, *values[2];
    struct lambda lambda;
    int64_t index = 0;
    bool keep;
    RF_TRY(input_of(call, JSON_T_ARRAY, &input, err));
    RF_TRY(lambda_of(call, 1, 1, 2, &lambda, err));
    RF_TRY(template_give_new(call, JSON_T_ARRAY, &result, err));
    for (values[0] = input->first; values[0] != NULL; values[0] = values[0]->next) {
        RF_TRY(index_node(&lambda, 1, index++, &values[1], err));
        RF_TRY(apply_bool(&lambda, values, &keep, err));
        if (keep) RF_TRY(template_add(call, result, values[0], err));
    }
    *out = result;
    return RF_OK;
}

static enum rf_kind run_reduce(const struct template_call *call, struct json_node **out,
                               struct rf_err *err)
{
    struct json_node *input, *values[3];
    struct lambda lambda;
    int64_t index = 0;
    RF_TRY(input_of(call, JSON_T_ARRAY, &input, err));
    RF_TRY(template_lazy_arg(call, 1, &values[0], err));
    RF_TRY(lambda_of(call, 2, 2, 3, &lambda, err));
    for (values[1] = input->first; values[1] != NULL; values[1] = values[1]->next) {
        RF_TRY(index_node(&lambda, 2, index++, &values[2], err));
        RF_TRY(apply(&lambda, values, &values[0], err));
    }
    *out = values[0];
    return RF_OK;
}

/* Merges two sorted halves of items[from, to): what the lambda says of a pair may be anything, and merging ends all the same. */
static enum rf_kind merge(const struct lambda *lambda, struct json_node **items,
                          struct json_node **scratch, size_t from, size_t middle, size_t to,
                          struct rf_err *err)
{
    size_t a = from, b = middle, at = from;
    while (a < middle && b < to) {
        /* The lambda says whether the first comes before the second; equal ones keep their order. */
        struct json_node *values[2] = {items[b], items[a]};
        bool before;
        RF_TRY(apply_bool(lambda, values, &before, err));
        scratch[at++] = before ? items[b++] : items[a++];
    }
    while (a < middle) scratch[at++] = items[a++];
    while (b < to) scratch[at++] = items[b++];
    memcpy(items + from, scratch + from, (to - from) * sizeof *items);
    return RF_OK;
}

static enum rf_kind run_sort(const struct template_call *call, struct json_node **out,
                             struct rf_err *err)
{
    struct json_node *input, *result;
    struct lambda lambda;
    RF_TRY(input_of(call, JSON_T_ARRAY, &input, err));
    RF_TRY(lambda_of(call, 1, 2, 2, &lambda, err));
    RF_TRY(template_give_new(call, JSON_T_ARRAY, &result, err));
    size_t count = input->count, at = 0;
    struct json_node **items = rf_arena_new(arena_of(call), struct json_node *, count * 2 + 1);
    if (items == NULL) return rf_fail_memory(err, arena_of(call));
    for (struct json_node *item = input->first; item != NULL; item = item->next) items[at++] = item;
    for (size_t width = 1; width < count; width *= 2)
        for (size_t from = 0; from + width < count; from += 2 * width)
            RF_TRY(merge(&lambda, items, items + count, from, from + width,
                         RF_MIN(from + 2 * width, count), err));
    for (size_t i = 0; i < count; i++) RF_TRY(template_add(call, result, items[i], err));
    *out = result;
    return RF_OK;
}

static enum rf_kind run_to_object(const struct template_call *call, struct json_node **out,
                                  struct rf_err *err)
{
    struct json_node *input, *result, *item, *value;
    struct lambda key, given;
    rf_str name;
    RF_TRY(input_of(call, JSON_T_ARRAY, &input, err));
    RF_TRY(lambda_of(call, 1, 1, 1, &key, err));
    if (call->count > 2) RF_TRY(lambda_of(call, 2, 1, 1, &given, err));
    RF_TRY(template_give_new(call, JSON_T_OBJECT, &result, err));
    for (item = input->first; item != NULL; item = item->next) {
        RF_TRY(apply_text(&key, &item, &name, err));
        value = item;
        if (call->count > 2) RF_TRY(apply(&given, &item, &value, err));
        RF_TRY(template_put(call, result, name, value, err));
    }
    *out = result;
    return RF_OK;
}

static enum rf_kind run_map_values(const struct template_call *call, struct json_node **out,
                                   struct rf_err *err)
{
    struct json_node *input, *result, *item, *value;
    struct lambda lambda;
    RF_TRY(input_of(call, JSON_T_OBJECT, &input, err));
    RF_TRY(lambda_of(call, 1, 1, 1, &lambda, err));
    RF_TRY(template_give_new(call, JSON_T_OBJECT, &result, err));
    for (item = input->first; item != NULL; item = item->next) {
        RF_TRY(apply(&lambda, &item, &value, err));
        RF_TRY(template_put(call, result, item->name, value, err));
    }
    *out = result;
    return RF_OK;
}

static enum rf_kind run_group_by(const struct template_call *call, struct json_node **out,
                                 struct rf_err *err)
{
    struct json_node *input, *result, *item;
    struct lambda key;
    rf_str name;
    RF_TRY(input_of(call, JSON_T_ARRAY, &input, err));
    RF_TRY(lambda_of(call, 1, 1, 1, &key, err));
    RF_TRY(template_give_new(call, JSON_T_OBJECT, &result, err));
    for (item = input->first; item != NULL; item = item->next) {
        struct json_node *empty;
        RF_TRY(apply_text(&key, &item, &name, err));
        RF_TRY(template_step(call->frame->run, 1 + result->count / 16, err));
        if (json_get_str(result, name) == NULL) {
            RF_TRY(template_give_new(call, JSON_T_ARRAY, &empty, err));
            RF_TRY(template_put(call, result, name, empty, err));
        }
        RF_TRY(template_add(call, json_get_str(result, name), item, err));
    }
    *out = result;
    return RF_OK;
}

static enum rf_kind run_lambda(const struct template_call *call, struct json_node **out,
                               struct rf_err *err)
{
    (void)out;
    return template_fail(call, err,
                         "a lambda is expected only as a parameter of functions such as "
                         "'map'.");
}

static enum rf_kind run_lambda_variables(const struct template_call *call, struct json_node **out,
                                         struct rf_err *err)
{
    rf_str name;
    RF_TRY(template_arg_text(call, 0, &name, err));
    for (const struct template_local *l = call->frame->locals; l != NULL; l = l->outer) {
        if (!rf_str_eq_nocase(l->name, name)) continue;
        *out = l->value;
        return RF_OK;
    }
    return template_fail(call, err, "there is no variable '%.*s' of a lambda here.",
                         (int)RF_MIN(name.len, 100), (const char *)name.ptr);
}

static const struct template_function functions[] = {
    {"map", 2, 2, run_map, TEMPLATE_LAZY},
    {"filter", 2, 2, run_filter, TEMPLATE_LAZY},
    {"reduce", 3, 3, run_reduce, TEMPLATE_LAZY},
    {"sort", 2, 2, run_sort, TEMPLATE_LAZY},
    {"toObject", 2, 3, run_to_object, TEMPLATE_LAZY},
    {"mapValues", 2, 2, run_map_values, TEMPLATE_LAZY},
    {"groupBy", 2, 2, run_group_by, TEMPLATE_LAZY},
    {"lambda", 1, 4, run_lambda, TEMPLATE_LAZY},
    {"lambdaVariables", 1, 1, run_lambda_variables, 0},
};
const struct template_family template_func_lambda = {functions, RF_COUNT(functions)};
