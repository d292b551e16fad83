/* func_datetime_bin.c - bin(), floor(), bin_at() and bin_auto() for all types that can be cut into
 * steps. A size that is null, zero or negative gives null. */
#include "kql/exec.h"
#include "kql/func_datetime_int.h"
#include "value/decimal.h"

#include <math.h>

/* Sorted times fall into the bin of their neighbour, so the last bin is tried before dividing. */
FUNC_KERNEL_SHARED(bin_i64)
{
    int64_t *result = OUT_I64(out), low = 0, low_size = 0;
    for (uint32_t i = 0; i < count; i++) {
        int64_t x = ARG_I64(&args[0], i), size = ARG_I64(&args[1], i);
        if (size == low_size && x >= low && (uint64_t)x - (uint64_t)low < (uint64_t)size) {
            result[i] = low;
        } else if (size > 0 && floor_to(x, size, &low)) {
            low_size = size;
            result[i] = low;
        } else {
            low_size = 0;
            OUT_NULL(out)[i] = 1;
        }
    }
    return RF_OK;
}

FUNC_KERNEL_SHARED(bin_real)
{
    for (uint32_t i = 0; i < count; i++) {
        double x = ARG_REAL(&args[0], i), size = ARG_REAL(&args[1], i);
        if (size > 0)
            OUT_REAL(out)[i] = floor(x / size) * size;
        else
            OUT_NULL(out)[i] = 1;
    }
    return RF_OK;
}

FUNC_KERNEL_SHARED(bin_decimal)
{
    for (uint32_t i = 0; i < count; i++) {
        struct decimal x = ARG_DEC(&args[0], i), size = ARG_DEC(&args[1], i);
        if (!decimal_floor_to(&x, &size, &OUT_DEC(out)[i])) OUT_NULL(out)[i] = 1;
    }
    return RF_OK;
}

/* The bin edge at or below x of the grid through `at`; false when it does not fit. */
static bool edge_below(int64_t x, int64_t size, int64_t at, int64_t *out)
{
    int64_t offset, floor;
    if (size <= 0 || __builtin_sub_overflow(x, at, &offset)) return false;
    return floor_to(offset, size, &floor) && !__builtin_add_overflow(at, floor, out);
}

FUNC_KERNEL_SHARED(bin_at_i64)
{
    for (uint32_t i = 0; i < count; i++) {
        int64_t edge;
        bool fits =
            edge_below(ARG_I64(&args[0], i), ARG_I64(&args[1], i), ARG_I64(&args[2], i), &edge);
        if (fits && (call->type != TYPE_DATETIME || datetime_in_range(edge)))
            OUT_I64(out)[i] = edge;
        else
            OUT_NULL(out)[i] = 1;
    }
    return RF_OK;
}

FUNC_KERNEL_SHARED(bin_at_real)
{
    for (uint32_t i = 0; i < count; i++) {
        double x = ARG_REAL(&args[0], i), size = ARG_REAL(&args[1], i), at = ARG_REAL(&args[2], i);
        if (size > 0)
            OUT_REAL(out)[i] = at + floor((x - at) / size) * size;
        else
            OUT_NULL(out)[i] = 1;
    }
    return RF_OK;
}

FUNC_KERNEL_SHARED(bin_at_decimal)
{
    for (uint32_t i = 0; i < count; i++) {
        struct decimal x = ARG_DEC(&args[0], i), size = ARG_DEC(&args[1], i),
                       at = ARG_DEC(&args[2], i);
        struct decimal offset, floor;
        if (!decimal_sub(&x, &at, &offset) || !decimal_floor_to(&offset, &size, &floor) ||
            !decimal_add(&at, &floor, &OUT_DEC(out)[i]))
            OUT_NULL(out)[i] = 1;
    }
    return RF_OK;
}

/* ---- bin_auto -------------------------------------------------------------------------------- */

/* The value of a `set` statement as the type asked for; null when there is none. */
static struct value option(const struct func_call *call, rf_str name, enum type type)
{
    const struct func_env *env = call->env;
    for (uint32_t i = 0; env != NULL && i < env->option_count; i++) {
        const struct value *v = &env->options[i].value;
        if (!rf_str_eq(env->options[i].name, name)) continue;
        if (v->type == type) return *v;
        if (type == TYPE_REAL && v->type == TYPE_LONG && !v->null) return value_real((double)v->i);
        if (type == TYPE_LONG && v->type == TYPE_INT && !v->null) return value_long(v->i);
    }
    return value_null(type);
}

FUNC_KERNEL_SHARED(bin_auto)
{
    enum type type = (enum type)args[0].type;
    struct value size =
        option(call, RF_S("query_bin_auto_size"), type == TYPE_DATETIME ? TYPE_TIMESPAN : type);
    struct value at = option(call, RF_S("query_bin_auto_at"), type);
    if (size.null) {
        memset(OUT_NULL(out), 1, count);
        return RF_OK;
    }
    if (at.null) {
        at = value_null(type);
        at.null = false;
    }
    struct vec steps[3] = {args[0],
                           {.type = size.type, .shape = VEC_CONST},
                           {.type = (uint8_t)type, .shape = VEC_CONST}};
    steps[1].data = type == TYPE_REAL ? (const void *)&size.r : (const void *)&size.i;
    steps[2].data = type == TYPE_REAL ? (const void *)&at.r : (const void *)&at.i;
    if (type == TYPE_REAL) return bin_at_real(call, steps, count, out, err);
    return bin_at_i64(call, steps, count, out, err);
}
