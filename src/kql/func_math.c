/* func_math.c - arithmetic functions: elementary functions of reals, rounding, bits, largest and
 * smallest. bin() of datetimes is in func_datetime.c, its numbers here. */
#include "kql/func_families.h"
#include "value/decimal.h"
#include "value/text.h"

#include <math.h>

/* ---- functions of one or two reals ----------------------------------------------------------- */

/* `expr` of a real x. Written out per function so that the compiler can vectorise or inline
 * each. */
#define REAL_KERNEL(name, expr)                                                                    \
    FUNC_KERNEL(name)                                                                              \
    {                                                                                              \
        double *result = OUT_REAL(out);                                                            \
        for (uint32_t i = 0; i < count; i++) {                                                     \
            double x = ARG_REAL(&args[0], i);                                                      \
            result[i] = (expr);                                                                    \
        }                                                                                          \
        return RF_OK;                                                                              \
    }

/* The same, with null where `outside` holds. */
#define REAL_KERNEL_WITHIN(name, expr, outside)                                                    \
    FUNC_KERNEL(name)                                                                              \
    {                                                                                              \
        double *result = OUT_REAL(out);                                                            \
        for (uint32_t i = 0; i < count; i++) {                                                     \
            double x = ARG_REAL(&args[0], i);                                                      \
            if (outside)                                                                           \
                OUT_NULL(out)[i] = 1;                                                              \
            else                                                                                   \
                result[i] = (expr);                                                                \
        }                                                                                          \
        return RF_OK;                                                                              \
    }

#define REAL_KERNEL_2(name, expr)                                                                  \
    FUNC_KERNEL(name)                                                                              \
    {                                                                                              \
        double *result = OUT_REAL(out);                                                            \
        for (uint32_t i = 0; i < count; i++) {                                                     \
            double x = ARG_REAL(&args[0], i), y = ARG_REAL(&args[1], i);                           \
            result[i] = (expr);                                                                    \
        }                                                                                          \
        return RF_OK;                                                                              \
    }

REAL_KERNEL_WITHIN(math_acos, acos(x), x<-1 || x> 1)
REAL_KERNEL_WITHIN(math_asin, asin(x), x<-1 || x> 1)
REAL_KERNEL(math_atan, atan(x))
REAL_KERNEL_2(math_atan2, atan2(x, y))
REAL_KERNEL(math_cos, cos(x))
REAL_KERNEL(math_cot, 1 / tan(x))
REAL_KERNEL(math_sin, sin(x))
REAL_KERNEL(math_tan, tan(x))
REAL_KERNEL(math_exp, exp(x))
REAL_KERNEL(math_exp2, exp2(x))
REAL_KERNEL(math_exp10, pow(10, x))
REAL_KERNEL_WITHIN(math_log, log(x), x < 0)
REAL_KERNEL_WITHIN(math_log2, log2(x), x < 0)
REAL_KERNEL_WITHIN(math_log10, log10(x), x < 0)
REAL_KERNEL_2(math_pow, pow(x, y))
REAL_KERNEL_WITHIN(math_sqrt, sqrt(x), x < 0)
REAL_KERNEL(math_degrees, x *(180 / M_PI))
REAL_KERNEL(math_radians, x *(M_PI / 180))

FUNC_KERNEL(math_pi)
{
    for (uint32_t i = 0; i < count; i++) OUT_REAL(out)[i] = M_PI;
    return RF_OK;
}

#define ASK_KERNEL(name, expr)                                                                     \
    FUNC_KERNEL(name)                                                                              \
    {                                                                                              \
        for (uint32_t i = 0; i < count; i++) {                                                     \
            double x = ARG_REAL(&args[0], i);                                                      \
            OUT_BOOL(out)[i] = (expr);                                                             \
            OUT_NULL(out)[i] = 0;                                                                  \
        }                                                                                          \
        return RF_OK;                                                                              \
    }

/* Null is none of nan, infinite and finite. */
ASK_KERNEL(ask_isnan, !ARG_NULL(&args[0], i) && isnan(x))
ASK_KERNEL(ask_isinf, !ARG_NULL(&args[0], i) && isinf(x))
ASK_KERNEL(ask_isfinite, !ARG_NULL(&args[0], i) && isfinite(x))

/* ---- sign, abs, ceiling ---------------------------------------------------------------------- */

FUNC_KERNEL(abs_i64)
{
    for (uint32_t i = 0; i < count; i++) {
        int64_t x = ARG_I64(&args[0], i);
        /* The one value without a positive twin, as long and timespan; int's own is -2^31. */
        if (x == INT64_MIN || (call->type == TYPE_INT && x == INT32_MIN))
            OUT_NULL(out)[i] = 1;
        else
            OUT_I64(out)[i] = x < 0 ? -x : x;
    }
    return RF_OK;
}

REAL_KERNEL(abs_real, fabs(x))

FUNC_KERNEL(abs_decimal)
{
    for (uint32_t i = 0; i < count; i++) {
        struct decimal d = ARG_DEC(&args[0], i);
        OUT_DEC(out)[i] = decimal_sign(&d) < 0 ? decimal_neg(d) : d;
    }
    return RF_OK;
}

FUNC_KERNEL(same_i64)
{
    for (uint32_t i = 0; i < count; i++) OUT_I64(out)[i] = ARG_I64(&args[0], i);
    return RF_OK;
}

REAL_KERNEL(ceiling_real, ceil(x))
REAL_KERNEL(sign_real, isnan(x) ? NAN : (double)((x > 0) - (x < 0)))

FUNC_KERNEL(ceiling_decimal)
{
    struct decimal one = decimal_from_i64(1);
    for (uint32_t i = 0; i < count; i++) {
        struct decimal minus = decimal_neg(ARG_DEC(&args[0], i)), floor;
        if (OUT_NULL(out)[i]) continue;
        if (decimal_floor_to(&minus, &one, &floor))
            OUT_DEC(out)[i] = decimal_neg(floor);
        else
            OUT_NULL(out)[i] = 1;
    }
    return RF_OK;
}

FUNC_KERNEL(sign_i64)
{
    for (uint32_t i = 0; i < count; i++) {
        int64_t x = ARG_I64(&args[0], i);
        OUT_REAL(out)[i] = (double)((x > 0) - (x < 0));
    }
    return RF_OK;
}

FUNC_KERNEL(sign_decimal)
{
    for (uint32_t i = 0; i < count; i++) {
        struct decimal d = ARG_DEC(&args[0], i);
        OUT_REAL(out)[i] = decimal_sign(&d);
    }
    return RF_OK;
}

/* ---- round ----------------------------------------------------------------------------------- */

/* The decimal text decides, not the binary value: round(2.15, 1) is 2.2 although the double lies
 * below 2.15. So the number that is to be rounded is the shortest decimal that reads back. */
static double round_real(double x, int64_t digits)
{
    if (!isfinite(x) || x == 0 || digits > 30) return x;
    if (digits < -308) return 0;
    double magnitude = fabs(x);
    if (digits == 0) return round(x); /* halves are exact in binary */
    if (magnitude < 1e9 && digits > 0 && digits <= 5) {
        double shift = digits == 1   ? 10
                       : digits == 2 ? 100
                       : digits == 3 ? 1e3
                       : digits == 4 ? 1e4
                                     : 1e5;
        double scaled = magnitude * shift, whole = floor(scaled), rest = scaled - whole;
        /* Far from a half the product's rounding error cannot matter. */
        if (rest < 0.499 || rest > 0.501)
            return copysign((rest > 0.5 ? whole + 1 : whole) / shift, x);
    }
    struct decimal d, rounded;
    if (decimal_from_real(x, &d)) {
        if (!decimal_round(&d, (int)digits, &rounded)) return x;
        return decimal_to_real(&rounded);
    }
    /* Beyond decimal's 34 digits only negative `digits` change anything. */
    if (digits > 0) return x;
    double unit = pow(10, (double)-digits);
    return round(x / unit) * unit;
}

static int64_t digits_of(const struct func_call *call, const struct vec *args, uint32_t row)
{
    return call->arg_count > 1 ? ARG_I64(&args[1], row) : 0;
}

FUNC_KERNEL(round_reals)
{
    for (uint32_t i = 0; i < count; i++)
        OUT_REAL(out)[i] = round_real(ARG_REAL(&args[0], i), digits_of(call, args, i));
    return RF_OK;
}

FUNC_KERNEL(round_decimals)
{
    for (uint32_t i = 0; i < count; i++) {
        if (OUT_NULL(out)[i]) continue;
        struct decimal d = ARG_DEC(&args[0], i);
        int64_t digits = RF_MAX(RF_MIN(digits_of(call, args, i), 100), -100);
        if (!decimal_round(&d, (int)digits, &OUT_DEC(out)[i])) OUT_NULL(out)[i] = 1;
    }
    return RF_OK;
}

/* Whole numbers change only by negative digits: half away from zero. */
static bool round_whole(int64_t x, int64_t digits, int64_t *out)
{
    if (digits >= 0) {
        *out = x;
        return true;
    }
    int64_t unit = 1;
    for (int64_t n = digits; n < 0 && unit <= INT64_MAX / 10; n++) unit *= 10;
    if (digits < -18) {
        *out = 0;
        return true;
    }
    int64_t rest = x % unit, half = unit / 2;
    int64_t down = x - rest;
    if (rest >= half) return !__builtin_add_overflow(down, unit, out);
    if (rest <= -half) return !__builtin_sub_overflow(down, unit, out);
    *out = down;
    return true;
}

FUNC_KERNEL(round_i64)
{
    for (uint32_t i = 0; i < count; i++)
        if (!round_whole(ARG_I64(&args[0], i), digits_of(call, args, i), &OUT_I64(out)[i]))
            OUT_NULL(out)[i] = 1;
    return RF_OK;
}

/* ---- bits ------------------------------------------------------------------------------------ */

#define WHOLE_KERNEL_2(name, expr)                                                                 \
    FUNC_KERNEL(name)                                                                              \
    {                                                                                              \
        int64_t *result = OUT_I64(out);                                                            \
        for (uint32_t i = 0; i < count; i++) {                                                     \
            uint64_t x = (uint64_t)ARG_I64(&args[0], i), y = (uint64_t)ARG_I64(&args[1], i);       \
            result[i] = (int64_t)(expr);                                                           \
        }                                                                                          \
        return RF_OK;                                                                              \
    }

WHOLE_KERNEL_2(bits_and, x &y)
WHOLE_KERNEL_2(bits_or, x | y)
WHOLE_KERNEL_2(bits_xor, x ^ y)

FUNC_KERNEL(bits_not)
{
    for (uint32_t i = 0; i < count; i++) OUT_I64(out)[i] = ~ARG_I64(&args[0], i);
    return RF_OK;
}

FUNC_KERNEL(shift_left)
{
    for (uint32_t i = 0; i < count; i++) {
        int64_t by = ARG_I64(&args[1], i);
        if (by < 0)
            OUT_NULL(out)[i] = 1;
        else
            OUT_I64(out)[i] = (int64_t)((uint64_t)ARG_I64(&args[0], i) << (by & 63));
    }
    return RF_OK;
}

FUNC_KERNEL(shift_right)
{
    for (uint32_t i = 0; i < count; i++) {
        int64_t by = ARG_I64(&args[1], i);
        if (by < 0)
            OUT_NULL(out)[i] = 1;
        else
            OUT_I64(out)[i] = ARG_I64(&args[0], i) >> (by & 63);
    }
    return RF_OK;
}

FUNC_KERNEL(count_ones)
{
    for (uint32_t i = 0; i < count; i++)
        OUT_I64(out)[i] = __builtin_popcountll((uint64_t)ARG_I64(&args[0], i));
    return RF_OK;
}

/* ---- max_of, min_of -------------------------------------------------------------------------- */

/* Nulls are passed over; `wanted` is the sign of cmp(new, best) that replaces. */
static enum rf_kind pick_rows(struct func_call *call, const struct vec *args, uint32_t count,
                              struct vec *out, int wanted)
{
    for (uint32_t i = 0; i < count; i++) {
        struct value best = value_null(call->type);
        bool found = false;
        for (uint32_t a = 0; a < call->arg_count; a++) {
            struct value v = vec_value(&args[a], i);
            if (v.null) continue;
            int order = found ? value_cmp(&v, &best) : wanted;
            if (order * wanted > 0) best = v;
            found = true;
        }
        vec_set(out, i, &best);
    }
    return RF_OK;
}

/* The same without values, for types whose cell is an int64_t. */
static enum rf_kind pick_i64(struct func_call *call, const struct vec *args, uint32_t count,
                             struct vec *out, bool largest)
{
    int64_t *best = OUT_I64(out);
    uint8_t *nulls = OUT_NULL(out);
    memset(nulls, 1, count);
    for (uint32_t a = 0; a < call->arg_count; a++) {
        for (uint32_t i = 0; i < count; i++) {
            if (ARG_NULL(&args[a], i)) continue;
            int64_t x = ARG_I64(&args[a], i);
            if (nulls[i] || (largest ? x > best[i] : x < best[i])) best[i] = x;
            nulls[i] = 0;
        }
    }
    return RF_OK;
}

FUNC_KERNEL(max_of)
{
    if (type_is_i64(call->type)) return pick_i64(call, args, count, out, true);
    return pick_rows(call, args, count, out, 1);
}

FUNC_KERNEL(min_of)
{
    if (type_is_i64(call->type)) return pick_i64(call, args, count, out, false);
    return pick_rows(call, args, count, out, -1);
}

/* ---- the table ------------------------------------------------------------------------------- */

#define SIGS(...)                                                                                  \
    (const struct func_overload[])                                                                 \
    {                                                                                              \
        __VA_ARGS__, { NULL, NULL }                                                                \
    }
#define REAL(kernel) SIGS({"(number:real) real", kernel})
#define WHOLE_2(kernel) SIGS({"(a:long, b:long) long", kernel})

const struct func func_math[] = {
    {.name = "abs",
     .column = "%",
     .sigs = SIGS({"(number:long) long", abs_i64}, {"(number:real) real", abs_real},
                  {"(number:decimal) decimal", abs_decimal}, {"(span:timespan) timespan", abs_i64}),
     .doc = "The number or timespan without its sign."},
    {.name = "acos",
     .column = "%",
     .sigs = REAL(math_acos),
     .doc = "Arc cosine in radians; null outside -1..1."},
    {.name = "asin",
     .column = "%",
     .sigs = REAL(math_asin),
     .doc = "Arc sine in radians; null outside -1..1."},
    {.name = "atan", .column = "%", .sigs = REAL(math_atan), .doc = "Arc tangent in radians."},
    {.name = "atan2",
     .column = "%",
     .sigs = SIGS({"(y:real, x:real) real", math_atan2}),
     .doc = "Angle of the point (x, y) in radians, -pi..pi."},
    {.name = "binary_and",
     .column = "%",
     .sigs = WHOLE_2(bits_and),
     .doc = "Bits set in both numbers."},
    {.name = "binary_not",
     .column = "%",
     .sigs = SIGS({"(number:long) long", bits_not}),
     .doc = "All 64 bits turned over."},
    {.name = "binary_or",
     .column = "%",
     .sigs = WHOLE_2(bits_or),
     .doc = "Bits set in either number."},
    {.name = "binary_shift_left",
     .column = "%",
     .sigs = WHOLE_2(shift_left),
     .doc = "Bits moved up by the count modulo 64; null for a negative count."},
    {.name = "binary_shift_right",
     .column = "%",
     .sigs = WHOLE_2(shift_right),
     .doc = "Bits moved down by the count modulo 64, the sign kept; null for a negative count."},
    {.name = "binary_xor",
     .column = "%",
     .sigs = WHOLE_2(bits_xor),
     .doc = "Bits set in just one of the numbers."},
    {.name = "bitset_count_ones",
     .column = "%",
     .sigs = SIGS({"(number:long) long", count_ones}),
     .doc = "How many of the 64 bits are set."},
    {.name = "ceiling",
     .column = "%",
     .sigs =
         SIGS({"(number:int) int", same_i64}, {"(number:long) long", same_i64},
              {"(number:real) real", ceiling_real}, {"(number:decimal) decimal", ceiling_decimal}),
     .doc = "Smallest whole number that is not below."},
    {.name = "cos", .column = "%", .sigs = REAL(math_cos), .doc = "Cosine of radians."},
    {.name = "cot", .sigs = REAL(math_cot), .doc = "Cotangent of radians."},
    {.name = "degrees", .sigs = REAL(math_degrees), .doc = "Radians as degrees."},
    {.name = "exp", .column = "%", .sigs = REAL(math_exp), .doc = "e to this power."},
    {.name = "exp10", .column = "%", .sigs = REAL(math_exp10), .doc = "10 to this power."},
    {.name = "exp2", .column = "%", .sigs = REAL(math_exp2), .doc = "2 to this power."},
    {.name = "isfinite",
     .nulls = FUNC_CUSTOM,
     .sigs = SIGS({"(number:real) bool", ask_isfinite}),
     .doc = "True unless infinite, nan or null."},
    {.name = "isinf",
     .nulls = FUNC_CUSTOM,
     .sigs = SIGS({"(number:real) bool", ask_isinf}),
     .doc = "True for either infinity."},
    {.name = "isnan",
     .nulls = FUNC_CUSTOM,
     .sigs = SIGS({"(number:real) bool", ask_isnan}),
     .doc = "True for nan, which null is not."},
    {.name = "log",
     .column = "%",
     .sigs = REAL(math_log),
     .doc = "Natural logarithm; null below 0."},
    {.name = "log10",
     .column = "%",
     .sigs = REAL(math_log10),
     .doc = "Decimal logarithm; null below 0."},
    {.name = "log2",
     .column = "%",
     .sigs = REAL(math_log2),
     .doc = "Binary logarithm; null below 0."},
    {.name = "max_of",
     .nulls = FUNC_CUSTOM,
     .sigs = SIGS({"(value:T...) T", max_of}),
     .doc = "Largest of the values that are not null."},
    {.name = "min_of",
     .nulls = FUNC_CUSTOM,
     .sigs = SIGS({"(value:T...) T", min_of}),
     .doc = "Smallest of the values that are not null."},
    {.name = "pi", .sigs = SIGS({"() real", math_pi}), .doc = "3.14159265358979..."},
    {.name = "pow",
     .column = "%",
     .sigs = SIGS({"(base:real, exponent:real) real", math_pow}),
     .doc = "The base to this power."},
    {.name = "radians", .sigs = REAL(math_radians), .doc = "Degrees as radians."},
    {.name = "round",
     .column = "%",
     .sigs = SIGS({"(number:int, [digits:long]) int", round_i64},
                  {"(number:long, [digits:long]) long", round_i64},
                  {"(number:real, [digits:long]) real", round_reals},
                  {"(number:decimal, [digits:long]) decimal", round_decimals}),
     .doc = "Nearest number with so many digits after the point, or before it when negative; "
            "halves go away from zero."},
    {.name = "sign",
     .sigs = SIGS({"(number:long) real", sign_i64}, {"(number:real) real", sign_real},
                  {"(number:decimal) real", sign_decimal}),
     .doc = "-1, 0 or 1."},
    {.name = "sin", .column = "%", .sigs = REAL(math_sin), .doc = "Sine of radians."},
    {.name = "sqrt", .column = "%", .sigs = REAL(math_sqrt), .doc = "Square root; null below 0."},
    {.name = "tan", .column = "%", .sigs = REAL(math_tan), .doc = "Tangent of radians."},
};
const size_t func_math_count = RF_COUNT(func_math);
