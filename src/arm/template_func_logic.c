/* template_func_logic.c - comparison, logic and whole numbers. */
#include "arm/template_expr.h"
#include "base/json.h"

#include <stdlib.h>

/* ---- comparison ----------------------------------------------------------------------------------------------------- */

static enum rf_kind run_equals(const struct template_call *call, struct json_node **out,
                               struct rf_err *err)
{
    return template_give_bool(call, template_equal(call->args[0], call->args[1]), out, err);
}

/* <0, 0, >0; texts in the order of their bytes. */
static enum rf_kind compare(const struct template_call *call, int *order, struct rf_err *err)
{
    if (json_is(call->args[0], JSON_T_STRING)) {
        rf_str a, b;
        RF_TRY(template_arg_text(call, 0, &a, err));
        RF_TRY(template_arg_text(call, 1, &b, err));
        *order = rf_str_cmp(a, b);
        return RF_OK;
    }
    int64_t a, b;
    RF_TRY(template_arg_int(call, 0, &a, err));
    RF_TRY(template_arg_int(call, 1, &b, err));
    *order = a < b ? -1 : a > b;
    return RF_OK;
}

static enum rf_kind run_less(const struct template_call *call, struct json_node **out,
                             struct rf_err *err)
{
    int order;
    RF_TRY(compare(call, &order, err));
    return template_give_bool(call, order < 0, out, err);
}

static enum rf_kind run_less_or_equals(const struct template_call *call, struct json_node **out,
                                       struct rf_err *err)
{
    int order;
    RF_TRY(compare(call, &order, err));
    return template_give_bool(call, order <= 0, out, err);
}

static enum rf_kind run_greater(const struct template_call *call, struct json_node **out,
                                struct rf_err *err)
{
    int order;
    RF_TRY(compare(call, &order, err));
    return template_give_bool(call, order > 0, out, err);
}

static enum rf_kind run_greater_or_equals(const struct template_call *call, struct json_node **out,
                                          struct rf_err *err)
{
    int order;
    RF_TRY(compare(call, &order, err));
    return template_give_bool(call, order >= 0, out, err);
}

static enum rf_kind run_coalesce(const struct template_call *call, struct json_node **out,
                                 struct rf_err *err)
{
    for (uint32_t i = 0; i < call->count; i++) {
        RF_TRY(template_lazy_arg(call, i, out, err));
        if ((*out)->type != JSON_T_NULL) return RF_OK;
    }
    return RF_OK;
}

/* ---- logic ------------------------------------------------------------------------------------------------------------ */

static enum rf_kind lazy_bool(const struct template_call *call, uint32_t index, bool *out,
                              struct rf_err *err)
{
    struct json_node *value;
    RF_TRY(template_lazy_arg(call, index, &value, err));
    if (value->type != JSON_T_TRUE && value->type != JSON_T_FALSE)
        return template_fail(call, err,
                             "parameter %u is expected to be of type 'Boolean', but is '%s'.",
                             index + 1, template_type_name(value));
    *out = value->type == JSON_T_TRUE;
    return RF_OK;
}

static enum rf_kind run_if(const struct template_call *call, struct json_node **out,
                           struct rf_err *err)
{
    bool truth;
    RF_TRY(lazy_bool(call, 0, &truth, err));
    return template_lazy_arg(call, truth ? 1 : 2, out, err);
}

static enum rf_kind run_and(const struct template_call *call, struct json_node **out,
                            struct rf_err *err)
{
    bool truth = true;
    for (uint32_t i = 0; i < call->count && truth; i++) RF_TRY(lazy_bool(call, i, &truth, err));
    return template_give_bool(call, truth, out, err);
}

static enum rf_kind run_or(const struct template_call *call, struct json_node **out,
                           struct rf_err *err)
{
    bool truth = false;
    for (uint32_t i = 0; i < call->count && !truth; i++) RF_TRY(lazy_bool(call, i, &truth, err));
    return template_give_bool(call, truth, out, err);
}

static enum rf_kind run_not(const struct template_call *call, struct json_node **out,
                            struct rf_err *err)
{
    bool truth;
    RF_TRY(template_arg_bool(call, 0, &truth, err));
    return template_give_bool(call, !truth, out, err);
}

static enum rf_kind run_bool(const struct template_call *call, struct json_node **out,
                             struct rf_err *err)
{
    const struct json_node *value = call->args[0];
    int64_t number;
    if (value->type == JSON_T_TRUE || value->type == JSON_T_FALSE)
        return template_give_bool(call, value->type == JSON_T_TRUE, out, err);
    if (value->type == JSON_T_NUMBER && template_whole(value->text, &number))
        return template_give_bool(call, number != 0, out, err);
    rf_str text = value->type == JSON_T_STRING ? rf_str_trim(value->text) : RF_S("?");
    bool is_true = rf_str_eq_nocase(text, RF_S("true")) || rf_str_is(text, "1");
    bool is_false = rf_str_eq_nocase(text, RF_S("false")) || rf_str_is(text, "0");
    if (!is_true && !is_false)
        return template_fail(call, err, "the value cannot be converted to a Boolean.");
    return template_give_bool(call, is_true, out, err);
}

static enum rf_kind run_true(const struct template_call *call, struct json_node **out,
                             struct rf_err *err)
{
    return template_give_bool(call, true, out, err);
}

static enum rf_kind run_false(const struct template_call *call, struct json_node **out,
                              struct rf_err *err)
{
    return template_give_bool(call, false, out, err);
}

static enum rf_kind run_null(const struct template_call *call, struct json_node **out,
                             struct rf_err *err)
{
    return template_give_null(call, out, err);
}

static enum rf_kind run_fail(const struct template_call *call, struct json_node **out,
                             struct rf_err *err)
{
    rf_str text;
    (void)out;
    RF_TRY(template_arg_text(call, 0, &text, err));
    return template_fail(call, err, "%.*s", (int)RF_MIN(text.len, 500), (const char *)text.ptr);
}

/* ---- numbers ------------------------------------------------------------------------------------------------------------ */

static enum rf_kind two_ints(const struct template_call *call, int64_t *a, int64_t *b,
                             struct rf_err *err)
{
    RF_TRY(template_arg_int(call, 0, a, err));
    return template_arg_int(call, 1, b, err);
}

static enum rf_kind overflow(const struct template_call *call, struct rf_err *err)
{
    return template_fail(call, err, "the result does not fit in 64 bits.");
}

static enum rf_kind run_add(const struct template_call *call, struct json_node **out,
                            struct rf_err *err)
{
    int64_t a, b, sum;
    RF_TRY(two_ints(call, &a, &b, err));
    if (__builtin_add_overflow(a, b, &sum)) return overflow(call, err);
    return template_give_int(call, sum, out, err);
}

static enum rf_kind run_sub(const struct template_call *call, struct json_node **out,
                            struct rf_err *err)
{
    int64_t a, b, difference;
    RF_TRY(two_ints(call, &a, &b, err));
    if (__builtin_sub_overflow(a, b, &difference)) return overflow(call, err);
    return template_give_int(call, difference, out, err);
}

static enum rf_kind run_mul(const struct template_call *call, struct json_node **out,
                            struct rf_err *err)
{
    int64_t a, b, product;
    RF_TRY(two_ints(call, &a, &b, err));
    if (__builtin_mul_overflow(a, b, &product)) return overflow(call, err);
    return template_give_int(call, product, out, err);
}

static enum rf_kind divisor(const struct template_call *call, int64_t *a, int64_t *b,
                            struct rf_err *err)
{
    RF_TRY(two_ints(call, a, b, err));
    if (*b == 0) return template_fail(call, err, "division by zero.");
    return *a == INT64_MIN && *b == -1 ? overflow(call, err) : RF_OK;
}

static enum rf_kind run_div(const struct template_call *call, struct json_node **out,
                            struct rf_err *err)
{
    int64_t a, b;
    RF_TRY(divisor(call, &a, &b, err));
    return template_give_int(call, a / b, out, err);
}

static enum rf_kind run_mod(const struct template_call *call, struct json_node **out,
                            struct rf_err *err)
{
    int64_t a, b;
    RF_TRY(divisor(call, &a, &b, err));
    return template_give_int(call, a % b, out, err);
}

static enum rf_kind run_int(const struct template_call *call, struct json_node **out,
                            struct rf_err *err)
{
    const struct json_node *value = call->args[0];
    int64_t number;
    rf_str text = rf_str_trim(value->text);
    if (text.len > 0 && text.ptr[0] == '+') text = rf_slice(text, 1, text.len);
    bool is_text = value->type == JSON_T_STRING || value->type == JSON_T_NUMBER;
    if (is_text && template_whole(text, &number)) return template_give_int(call, number, out, err);
    double real = 0;
    char copy[40] = "", *end = copy;
    if (value->type == JSON_T_NUMBER && text.len < sizeof copy) {
        memcpy(copy, text.ptr, text.len);
        real = strtod(copy, &end);
    }
    if (end == copy || real < -9e18 || real > 9e18)
        return template_fail(call, err, "the value cannot be converted to an Integer.");
    return template_give_int(call, (int64_t)real, out, err);
}

static enum rf_kind run_float(const struct template_call *call, struct json_node **out,
                              struct rf_err *err)
{
    const struct json_node *value = call->args[0];
    struct json_node *number = NULL;
    struct rf_err ignored;
    rf_str text = rf_str_trim(value->text);
    bool is_text = value->type == JSON_T_STRING || value->type == JSON_T_NUMBER;
    if (!is_text || json_parse(text, call->frame->run->arena, &number, &ignored) != RF_OK ||
        number->type != JSON_T_NUMBER)
        return template_fail(call, err, "the value cannot be converted to a Float.");
    *out = number;
    return RF_OK;
}

/* The numbers of max and min: the arguments, or the items of the only one. */
static enum rf_kind extreme(const struct template_call *call, int sign, struct json_node **out,
                            struct rf_err *err)
{
    const struct json_node *array = json_is(call->args[0], JSON_T_ARRAY) ? call->args[0] : NULL;
    const struct json_node *item = array == NULL ? NULL : array->first;
    uint32_t count = array == NULL ? call->count : array->count;
    int64_t best = 0, number;
    if (count == 0) return template_fail(call, err, "the array is empty.");
    RF_TRY(template_step(call->frame->run, count, err));
    for (uint32_t i = 0; i < count; i++) {
        const struct json_node *value = array == NULL ? call->args[i] : item;
        if (!json_is(value, JSON_T_NUMBER) || !template_whole(value->text, &number))
            return template_fail(call, err, "all values must be Integers.");
        if (i == 0 || (sign > 0 ? number > best : number < best)) best = number;
        if (array != NULL) item = item->next;
    }
    return template_give_int(call, best, out, err);
}

static enum rf_kind run_max(const struct template_call *call, struct json_node **out,
                            struct rf_err *err)
{
    return extreme(call, 1, out, err);
}

static enum rf_kind run_min(const struct template_call *call, struct json_node **out,
                            struct rf_err *err)
{
    return extreme(call, -1, out, err);
}

static const struct template_function functions[] = {
    {"equals", 2, 2, run_equals, 0},
    {"less", 2, 2, run_less, 0},
    {"lessOrEquals", 2, 2, run_less_or_equals, 0},
    {"greater", 2, 2, run_greater, 0},
    {"greaterOrEquals", 2, 2, run_greater_or_equals, 0},
    {"coalesce", 1, TEMPLATE_ARGS_MAX, run_coalesce, TEMPLATE_LAZY},
    {"if", 3, 3, run_if, TEMPLATE_LAZY},
    {"and", 1, TEMPLATE_ARGS_MAX, run_and, TEMPLATE_LAZY},
    {"or", 1, TEMPLATE_ARGS_MAX, run_or, TEMPLATE_LAZY},
    {"not", 1, 1, run_not, 0},
    {"bool", 1, 1, run_bool, 0},
    {"true", 0, 0, run_true, 0},
    {"false", 0, 0, run_false, 0},
    {"null", 0, 0, run_null, 0},
    {"fail", 1, 1, run_fail, 0},
    {"add", 2, 2, run_add, 0},
    {"sub", 2, 2, run_sub, 0},
    {"mul", 2, 2, run_mul, 0},
    {"div", 2, 2, run_div, 0},
    {"mod", 2, 2, run_mod, 0},
    {"int", 1, 1, run_int, 0},
    {"float", 1, 1, run_float, 0},
    {"max", 1, TEMPLATE_ARGS_MAX, run_max, 0},
    {"min", 1, TEMPLATE_ARGS_MAX, run_min, 0},
};
const struct template_family template_func_logic = {functions, RF_COUNT(functions)};
