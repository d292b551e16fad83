/* func_operator.c - the operators of expressions as functions: arithmetic, comparison, logic, choice, `in`,
 * and access to members of dynamics. Names that begin with '_' are the binder's own. */
#include <math.h>

#include "base/term.h"
#include "kql/func_families.h"
#include "value/decimal.h"
#include "value/dyn.h"
#include "value/text.h"

#define KERNEL(name)                                                                               \
    static enum rf_kind name(struct func_call *call, const struct vec *args, uint32_t count,       \
                             struct vec *out, struct rf_err *err)
#define UNUSED_CALL ((void)call, (void)err)

/* ---- arithmetic ------------------------------------------------------------------------------ */

/* Whole numbers wrap on overflow, as Kusto's do. int results are cut to 32 bits. */
static inline int64_t add64(int64_t a, int64_t b) { return (int64_t)((uint64_t)a + (uint64_t)b); }
static inline int64_t sub64(int64_t a, int64_t b) { return (int64_t)((uint64_t)a - (uint64_t)b); }
static inline int64_t mul64(int64_t a, int64_t b) { return (int64_t)((uint64_t)a * (uint64_t)b); }

/* A loop over two arguments that are flat or constant: the constant is read once. */
#define LOOP2(type, out_type, expression)                                                          \
    do {                                                                                           \
        const type *pa = args[0].data, *pb = args[1].data;                                         \
        out_type *po = (out_type *)(uintptr_t)out->data;                                           \
        if (args[0].shape == VEC_FLAT && args[1].shape == VEC_FLAT) {                              \
            for (uint32_t i = 0; i < count; i++) {                                                 \
                type a = pa[i], b = pb[i];                                                         \
                po[i] = (out_type)(expression);                                                    \
            }                                                                                      \
        } else if (args[0].shape == VEC_FLAT) {                                                    \
            type b = pb[0];                                                                        \
            for (uint32_t i = 0; i < count; i++) {                                                 \
                type a = pa[i];                                                                    \
                po[i] = (out_type)(expression);                                                    \
            }                                                                                      \
        } else {                                                                                   \
            type a = pa[0];                                                                        \
            uint32_t step = args[1].shape == VEC_FLAT;                                             \
            for (uint32_t i = 0; i < count; i++) {                                                 \
                type b = pb[step * i];                                                             \
                po[i] = (out_type)(expression);                                                    \
            }                                                                                      \
        }                                                                                          \
    } while (0)

#define KERNEL2(name, type, out_type, expression)                                                  \
    RF_CLONES KERNEL(name)                                                                         \
    {                                                                                              \
        UNUSED_CALL;                                                                               \
        LOOP2(type, out_type, expression);                                                         \
        return RF_OK;                                                                              \
    }

KERNEL2(add_i64, int64_t, int64_t, add64(a, b))
KERNEL2(sub_i64, int64_t, int64_t, sub64(a, b))
KERNEL2(mul_i64, int64_t, int64_t, mul64(a, b))
KERNEL2(add_real, double, double, a + b)
KERNEL2(sub_real, double, double, a - b)
KERNEL2(mul_real, double, double, a *b)
KERNEL2(div_real, double, double, a / b)

/* datetime results must stay in the calendar. */
static void bound_datetime(uint32_t count, struct vec *out)
{
    int64_t *o = OUT_I64(out);
    for (uint32_t i = 0; i < count; i++)
        if (o[i] < 0 || o[i] > DATETIME_MAX) OUT_NULL(out)[i] = 1;
}
KERNEL(add_datetime)
{
    RF_TRY(add_i64(call, args, count, out, err));
    bound_datetime(count, out);
    return RF_OK;
}
KERNEL(sub_datetime)
{
    RF_TRY(sub_i64(call, args, count, out, err));
    bound_datetime(count, out);
    return RF_OK;
}

KERNEL(div_i64)
{
    UNUSED_CALL;
    for (uint32_t i = 0; i < count; i++) {
        int64_t a = ARG_I64(&args[0], i), b = ARG_I64(&args[1], i);
        if (b == 0)
            OUT_NULL(out)[i] = 1;
        else
            OUT_I64(out)[i] = b == -1 ? (int64_t)(0 - (uint64_t)a) : a / b;
    }
    return RF_OK;
}

/* Never negative: 0 <= a % b < |b|. */
KERNEL(mod_i64)
{
    UNUSED_CALL;
    for (uint32_t i = 0; i < count; i++) {
        int64_t a = ARG_I64(&args[0], i), b = ARG_I64(&args[1], i);
        if (b == 0) {
            OUT_NULL(out)[i] = 1;
            continue;
        }
        int64_t rest = b == -1 ? 0 : a % b;
        OUT_I64(out)[i] = rest >= 0 ? rest : b < 0 ? rest - b : rest + b;
    }
    return RF_OK;
}
KERNEL(mod_real)
{
    UNUSED_CALL;
    for (uint32_t i = 0; i < count; i++) {
        double b = ARG_REAL(&args[1], i), rest = fmod(ARG_REAL(&args[0], i), b);
        OUT_REAL(out)[i] = rest < 0 ? rest + fabs(b) : rest;
    }
    return RF_OK;
}
KERNEL(div_timespan) /* timespan / timespan = real */
{
    UNUSED_CALL;
    for (uint32_t i = 0; i < count; i++)
        OUT_REAL(out)[i] = (double)ARG_I64(&args[0], i) / (double)ARG_I64(&args[1], i);
    return RF_OK;
}

/* A point in time divided by or taken modulo something counts as its ticks since year 1. */
KERNEL(div_datetime)
{
    RF_TRY(div_i64(call, args, count, out, err));
    bound_datetime(count, out);
    return RF_OK;
}
KERNEL(mul_datetime)
{
    UNUSED_CALL;
    for (uint32_t i = 0; i < count; i++)
        if (__builtin_mul_overflow(ARG_I64(&args[0], i), ARG_I64(&args[1], i), &OUT_I64(out)[i]))
            OUT_NULL(out)[i] = 1;
    bound_datetime(count, out);
    return RF_OK;
}
KERNEL(mul_timespans)
{
    UNUSED_CALL;
    for (uint32_t i = 0; i < count; i++)
        if (__builtin_mul_overflow(ARG_I64(&args[0], i), ARG_I64(&args[1], i), &OUT_I64(out)[i]))
            OUT_NULL(out)[i] = 1;
    return RF_OK;
}

static bool to_ticks(double x, int64_t *out)
{
    if (!(fabs(x) < 9.2e18)) return false;
    *out = (int64_t)nearbyint(x);
    return true;
}
KERNEL(scale_timespan) /* timespan * real */
{
    UNUSED_CALL;
    for (uint32_t i = 0; i < count; i++)
        if (!to_ticks((double)ARG_I64(&args[0], i) * ARG_REAL(&args[1], i), &OUT_I64(out)[i]))
            OUT_NULL(out)[i] = 1;
    return RF_OK;
}
KERNEL(scale_timespan_left) /* real * timespan */
{
    UNUSED_CALL;
    for (uint32_t i = 0; i < count; i++)
        if (!to_ticks(ARG_REAL(&args[0], i) * (double)ARG_I64(&args[1], i), &OUT_I64(out)[i]))
            OUT_NULL(out)[i] = 1;
    return RF_OK;
}
KERNEL(shrink_timespan) /* timespan / real */
{
    UNUSED_CALL;
    for (uint32_t i = 0; i < count; i++)
        if (!to_ticks((double)ARG_I64(&args[0], i) / ARG_REAL(&args[1], i), &OUT_I64(out)[i]))
            OUT_NULL(out)[i] = 1;
    return RF_OK;
}

KERNEL(shrink_datetime) /* datetime / real */
{
    RF_TRY(shrink_timespan(call, args, count, out, err));
    bound_datetime(count, out);
    return RF_OK;
}
KERNEL(scale_datetime) /* datetime * real */
{
    RF_TRY(scale_timespan(call, args, count, out, err));
    bound_datetime(count, out);
    return RF_OK;
}
KERNEL(scale_datetime_left) /* real * datetime */
{
    RF_TRY(scale_timespan_left(call, args, count, out, err));
    bound_datetime(count, out);
    return RF_OK;
}
KERNEL(mod_ticks) /* ticks % real */
{
    UNUSED_CALL;
    for (uint32_t i = 0; i < count; i++) {
        double b = ARG_REAL(&args[1], i), rest = fmod((double)ARG_I64(&args[0], i), b);
        if (!to_ticks(rest < 0 ? rest + fabs(b) : rest, &OUT_I64(out)[i])) OUT_NULL(out)[i] = 1;
    }
    return RF_OK;
}

#define DECIMAL_KERNEL(name, function)                                                             \
    KERNEL(name)                                                                                   \
    {                                                                                              \
        UNUSED_CALL;                                                                               \
        for (uint32_t i = 0; i < count; i++) {                                                     \
            struct decimal a = ARG_DEC(&args[0], i), b = ARG_DEC(&args[1], i);                     \
            if (OUT_NULL(out)[i] == 0 && !function(&a, &b, &OUT_DEC(out)[i]))                      \
                OUT_NULL(out)[i] = 1;                                                              \
        }                                                                                          \
        return RF_OK;                                                                              \
    }
DECIMAL_KERNEL(add_decimal, decimal_add)
DECIMAL_KERNEL(sub_decimal, decimal_sub)
DECIMAL_KERNEL(mul_decimal, decimal_mul)
DECIMAL_KERNEL(div_decimal, decimal_div)
DECIMAL_KERNEL(mod_decimal, decimal_mod)

KERNEL(negate_i64)
{
    UNUSED_CALL;
    for (uint32_t i = 0; i < count; i++)
        OUT_I64(out)[i] = (int64_t)(0 - (uint64_t)ARG_I64(&args[0], i));
    return RF_OK;
}
KERNEL(negate_real)
{
    UNUSED_CALL;
    for (uint32_t i = 0; i < count; i++) OUT_REAL(out)[i] = -ARG_REAL(&args[0], i);
    return RF_OK;
}
KERNEL(negate_decimal)
{
    UNUSED_CALL;
    for (uint32_t i = 0; i < count; i++) OUT_DEC(out)[i] = decimal_neg(ARG_DEC(&args[0], i));
    return RF_OK;
}

/* ---- numbers inside dynamics ------------------------------------------------------------------------- */

/* The numbers of a column of dynamics, as both kinds of cells. */
struct dyn_numbers {
    struct vec whole, real;
    bool *is_whole;
};

static bool read_numbers(const struct vec *v, uint32_t count, struct rf_arena *arena,
                         struct dyn_numbers *out)
{
    int64_t *whole = rf_arena_new(arena, int64_t, count);
    double *real = rf_arena_new(arena, double, count);
    out->is_whole = rf_arena_new(arena, bool, count);
    if (whole == NULL || real == NULL || out->is_whole == NULL) return false;
    for (uint32_t i = 0; i < count; i++) {
        rf_str d = ARG_NULL(v, i) ? (rf_str){0} : ARG_STR(v, i); /* a null's cell is anything */
        real[i] = dyn_real(d);
        out->is_whole[i] = dyn_tag(d) == DYN_INT || dyn_tag(d) == DYN_LONG;
        if (out->is_whole[i]) whole[i] = dyn_to_value(d).i;
    }
    out->whole = (struct vec){.type = TYPE_LONG, .data = whole};
    out->real = (struct vec){.type = TYPE_REAL, .data = real};
    return true;
}

/* Whole numbers go through one kernel, a pair with a real through the other; what is no number gives null. */
static enum rf_kind dyn_arithmetic(struct func_call *call, const struct vec *args, uint32_t count,
                                   struct vec *out, func_kernel *whole, func_kernel *real,
                                   struct rf_err *err)
{
    struct rf_arena *arena = call->arena;
    struct dyn_numbers numbers[2] = {0}, result = {0};
    RF_ASSERT(call->arg_count == 1 || call->arg_count == 2);
    uint8_t *nulls = rf_arena_new(arena, uint8_t, count);
    for (uint32_t a = 0; a < call->arg_count; a++)
        if (!read_numbers(&args[a], count, arena, &numbers[a])) return rf_fail_memory(err, arena);
    if (nulls == NULL || !read_numbers(&args[0], count, arena, &result))
        return rf_fail_memory(err, arena);
    result.whole.nulls = nulls;
    result.real.nulls = OUT_NULL(out);
    const struct vec wholes[2] = {numbers[0].whole, numbers[1].whole};
    const struct vec reals[2] = {numbers[0].real, numbers[1].real};
    RF_TRY(whole(call, wholes, count, &result.whole, err));
    RF_TRY(real(call, reals, count, &result.real, err));
    struct rf_buf buf = rf_buf_in(arena);
    for (uint32_t i = 0; i < count; i++) {
        bool is_whole = numbers[0].is_whole[i] && (call->arg_count == 1 || numbers[1].is_whole[i]);
        double sum = OUT_REAL(&result.real)[i];
        bool absent = isnan(ARG_REAL(&reals[0], i)) ||
                      (call->arg_count == 2 && isnan(ARG_REAL(&reals[1], i)));
        if (absent || (is_whole && nulls[i] != 0)) OUT_NULL(out)[i] = 1;
        if (OUT_NULL(out)[i] != 0) continue;
        size_t from = buf.len;
        if (is_whole)
            dyn_put_long(&buf, OUT_I64(&result.whole)[i]);
        else
            dyn_put_real(&buf, sum);
        if (buf.failed) return rf_fail_memory(err, arena);
        OUT_STR(out)[i] = (rf_str){NULL, buf.len - from};
    }
    const uint8_t *at = buf.ptr;
    for (uint32_t i = 0; i < count; i++) {
        if (OUT_NULL(out)[i] != 0) continue;
        OUT_STR(out)[i].ptr = at;
        at += OUT_STR(out)[i].len;
    }
    return RF_OK;
}

#define DYN_ARITHMETIC(name, whole, real)                                                          \
    KERNEL(name) { return dyn_arithmetic(call, args, count, out, whole, real, err); }
DYN_ARITHMETIC(add_dyn, add_i64, add_real)
DYN_ARITHMETIC(sub_dyn, sub_i64, sub_real)
DYN_ARITHMETIC(mul_dyn, mul_i64, mul_real)
DYN_ARITHMETIC(div_dyn, div_i64, div_real)
DYN_ARITHMETIC(mod_dyn, mod_i64, mod_real)
DYN_ARITHMETIC(negate_dyn, negate_i64, negate_real)

/* ---- comparison -------------------------------------------------------------------------------- */

/* For == and != null is not absorbed: null == null is null, null == x false, null != x true. */
static void equality_nulls(const struct vec *args, uint32_t count, bool equal, struct vec *out)
{
    if (args[0].nulls == NULL && args[1].nulls == NULL) return;
    for (uint32_t i = 0; i < count; i++) {
        bool a = ARG_NULL(&args[0], i), b = ARG_NULL(&args[1], i);
        if (!a && !b) continue;
        if (a && b) OUT_NULL(out)[i] = 1;
        OUT_BOOL(out)[i] = !equal;
    }
}

#define COMPARE_KERNELS(suffix, type)                                                              \
    KERNEL2(lt_##suffix, type, uint8_t, a < b)                                                     \
    KERNEL2(le_##suffix, type, uint8_t, a <= b)                                                    \
    KERNEL2(gt_##suffix, type, uint8_t, a > b)                                                     \
    KERNEL2(ge_##suffix, type, uint8_t, a >= b)                                                    \
    KERNEL2(eq_raw_##suffix, type, uint8_t, a == b)                                                \
    KERNEL2(ne_raw_##suffix, type, uint8_t, a != b)                                                \
    KERNEL(eq_##suffix)                                                                            \
    {                                                                                              \
        RF_TRY(eq_raw_##suffix(call, args, count, out, err));                                      \
        equality_nulls(args, count, true, out);                                                    \
        return RF_OK;                                                                              \
    }                                                                                              \
    KERNEL(ne_##suffix)                                                                            \
    {                                                                                              \
        RF_TRY(ne_raw_##suffix(call, args, count, out, err));                                      \
        equality_nulls(args, count, false, out);                                                   \
        return RF_OK;                                                                              \
    }
COMPARE_KERNELS(i64, int64_t)
COMPARE_KERNELS(real, double)
COMPARE_KERNELS(bool, uint8_t)

#define BYTES_KERNELS(suffix, type, same, order)                                                   \
    KERNEL2(lt_##suffix, type, uint8_t, order < 0)                                                 \
    KERNEL2(le_##suffix, type, uint8_t, order <= 0)                                                \
    KERNEL2(gt_##suffix, type, uint8_t, order > 0)                                                 \
    KERNEL2(ge_##suffix, type, uint8_t, order >= 0)                                                \
    KERNEL2(eq_raw_##suffix, type, uint8_t, same)                                                  \
    KERNEL(eq_##suffix)                                                                            \
    {                                                                                              \
        RF_TRY(eq_raw_##suffix(call, args, count, out, err));                                      \
        equality_nulls(args, count, true, out);                                                    \
        return RF_OK;                                                                              \
    }                                                                                              \
    KERNEL(ne_##suffix)                                                                            \
    {                                                                                              \
        RF_TRY(eq_raw_##suffix(call, args, count, out, err));                                      \
        for (uint32_t i = 0; i < count; i++) OUT_BOOL(out)[i] ^= 1;                                \
        equality_nulls(args, count, false, out);                                                   \
        return RF_OK;                                                                              \
    }
BYTES_KERNELS(string, rf_str, rf_str_eq(a, b), rf_str_cmp(a, b))
BYTES_KERNELS(guid, struct guid, memcmp(&a, &b, 16) == 0, memcmp(&a, &b, 16))
BYTES_KERNELS(decimal, struct decimal, decimal_cmp(&a, &b) == 0, decimal_cmp(&a, &b))
BYTES_KERNELS(dynamic, rf_str, dyn_same(a, b), dyn_cmp(a, b))

/* A null inside a dynamic counts as null. */
#define DYNAMIC_ORDER(name, inner)                                                                 \
    KERNEL(name)                                                                                   \
    {                                                                                              \
        RF_TRY(inner(call, args, count, out, err));                                                \
        for (uint32_t i = 0; i < count; i++)                                                       \
            if (dyn_is_null(ARG_STR(&args[0], i)) || dyn_is_null(ARG_STR(&args[1], i)))            \
                OUT_NULL(out)[i] = 1;                                                              \
        return RF_OK;                                                                              \
    }
DYNAMIC_ORDER(lt_dyn, lt_dynamic)
DYNAMIC_ORDER(le_dyn, le_dynamic)
DYNAMIC_ORDER(gt_dyn, gt_dynamic)
DYNAMIC_ORDER(ge_dyn, ge_dynamic)

/* ---- logic ----------------------------------------------------------------------------------------- */

KERNEL(and_kernel) /* false wins over null */
{
    UNUSED_CALL;
    for (uint32_t i = 0; i < count; i++) {
        bool an = ARG_NULL(&args[0], i), bn = ARG_NULL(&args[1], i);
        bool a = ARG_BOOL(&args[0], i) && !an, b = ARG_BOOL(&args[1], i) && !bn;
        OUT_BOOL(out)[i] = a & b;
        OUT_NULL(out)[i] = (an & bn) | (an & b) | (bn & a);
    }
    return RF_OK;
}
KERNEL(or_kernel) /* true wins over null */
{
    UNUSED_CALL;
    for (uint32_t i = 0; i < count; i++) {
        bool an = ARG_NULL(&args[0], i), bn = ARG_NULL(&args[1], i);
        bool a = ARG_BOOL(&args[0], i) && !an, b = ARG_BOOL(&args[1], i) && !bn;
        OUT_BOOL(out)[i] = a | b;
        OUT_NULL(out)[i] = (an | bn) && !(a | b);
    }
    return RF_OK;
}
KERNEL(not_kernel)
{
    UNUSED_CALL;
    for (uint32_t i = 0; i < count; i++) OUT_BOOL(out)[i] = !ARG_BOOL(&args[0], i);
    return RF_OK;
}

/* ---- choice ------------------------------------------------------------------------------------------ */

static void copy_cell(const struct vec *from, struct vec *out, uint32_t i)
{
    uint32_t at = ARG_STRIDE(from) ? i : 0;
    if (from->nulls != NULL && from->nulls[at] != 0) {
        OUT_NULL(out)[i] = 1;
        return;
    }
    size_t bytes = type_cell_bytes[out->type];
    memcpy((uint8_t *)(uintptr_t)out->data + i * bytes, (const uint8_t *)from->data + at * bytes,
           bytes);
}

KERNEL(case_kernel) /* (p1, v1, p2, v2, ..., otherwise); iff is the case of three */
{
    UNUSED_CALL;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t a = 0;
        while (a + 1 < call->arg_count && (ARG_NULL(&args[a], i) || !ARG_BOOL(&args[a], i))) a += 2;
        copy_cell(&args[a + 1 < call->arg_count ? a + 1 : call->arg_count - 1], out, i);
    }
    return RF_OK;
}

KERNEL(coalesce_kernel)
{
    UNUSED_CALL;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t a = 0;
        for (; a + 1 < call->arg_count; a++) {
            if (out->type == TYPE_STRING
                    ? ARG_STR(&args[a], i).len > 0
                    : !ARG_NULL(&args[a], i) &&
                          !(out->type == TYPE_DYNAMIC && dyn_is_null(ARG_STR(&args[a], i))))
                break;
        }
        copy_cell(&args[a], out, i);
    }
    return RF_OK;
}

/* ---- in ----------------------------------------------------------------------------------------------- */

/* The values of a constant list, hashed. */
struct in_set {
    struct value *slots; /* open addressing */
    uint8_t *used;
    uint64_t mask;
    bool has_null;
    bool ready;
    bool lasts; /* the list is made of constants, so it is the same for every batch */
};

/* As =~ compares: simple Unicode case folding. */
static bool fold_text(struct rf_arena *arena, struct value *v)
{
    if (v->type != TYPE_STRING || v->s.len == 0) return true;
    uint8_t *lower = rf_arena_alloc(arena, v->s.len);
    if (lower == NULL) return false;
    uint8_t any = 0;
    for (size_t i = 0; i < v->s.len; i++) {
        lower[i] = rf_lower(v->s.ptr[i]);
        any |= lower[i];
    }
    if (any >= 0x80) return term_fold(v->s, arena, &v->s);
    v->s.ptr = lower;
    return true;
}

static void set_add(struct in_set *set, const struct value *v)
{
    uint64_t at = value_hash(v) & set->mask;
    while (set->used[at] != 0) {
        if (value_same(&set->slots[at], v)) return;
        at = (at + 1) & set->mask;
    }
    set->used[at] = 1;
    set->slots[at] = *v;
}

static bool set_has(const struct in_set *set, const struct value *v)
{
    for (uint64_t at = value_hash(v) & set->mask; set->used[at] != 0; at = (at + 1) & set->mask)
        if (value_same(&set->slots[at], v)) return true;
    return false;
}

static uint64_t list_count(const struct vec *v)
{
    if (v->type != TYPE_DYNAMIC || (v->nulls != NULL && v->nulls[0] != 0)) return 1;
    rf_str d = ((const rf_str *)v->data)[0];
    uint64_t n = 1;
    for (uint32_t i = 0; dyn_tag(d) == DYN_ARRAY && i < dyn_count(d); i++) {
        rf_str item = dyn_item(d, i);
        n += 1 + (dyn_tag(item) == DYN_ARRAY ? dyn_count(item) : 0);
    }
    return n;
}

/* Adds one list value in the type of the left side; arrays are flattened, once more inside. */
static bool set_add_value(struct in_set *set, const struct value *v, enum type type, bool fold,
                          struct rf_arena *arena, int depth)
{
    if (v->type == TYPE_DYNAMIC && !v->null && dyn_tag(v->s) == DYN_ARRAY && depth < 2) {
        for (uint32_t i = 0; i < dyn_count(v->s); i++) {
            struct value item = value_dyn(dyn_item(v->s, i));
            if (dyn_is_null(item.s)) item.null = true;
            if (!set_add_value(set, &item, type, fold, arena, depth + 1)) return false;
        }
        return true;
    }
    struct value typed;
    if (!value_convert(v, type, arena, &typed)) return false;
    if (typed.null) {
        set->has_null = set->has_null || v->null;
        return true;
    }
    if (fold && !fold_text(arena, &typed)) return false;
    set_add(set, &typed);
    return true;
}

static bool set_build(struct in_set *set, const struct vec *args, uint32_t arg_count, uint32_t row,
                      enum type type, bool fold, struct rf_arena *arena)
{
    uint64_t n = 8;
    for (uint32_t a = 1; a < arg_count; a++) {
        struct vec one = args[a];
        if (one.shape == VEC_FLAT) {
            one.data = (const uint8_t *)one.data + row * (size_t)type_cell_bytes[one.type];
            if (one.nulls != NULL) one.nulls += row;
        }
        n += list_count(&one);
    }
    uint64_t cap = 16;
    while (cap < 2 * n) cap *= 2;
    set->slots = rf_arena_new(arena, struct value, cap);
    set->used = rf_arena_new(arena, uint8_t, cap);
    set->mask = cap - 1;
    if (set->slots == NULL || set->used == NULL) return false;
    for (uint32_t a = 1; a < arg_count; a++) {
        struct value v = vec_value(&args[a], args[a].shape == VEC_FLAT ? row : 0);
        if (!set_add_value(set, &v, type, fold, arena, 0)) return false;
    }
    set->ready = true;
    return true;
}

static enum rf_kind in_prepare(struct func_call *call, const struct vec *args, struct rf_err *err)
{
    struct in_set *set = rf_arena_zalloc(call->query_arena, sizeof *set);
    if (set == NULL) return rf_fail_memory(err, call->query_arena);
    call->state = set;
    for (uint32_t a = 1; a < call->arg_count; a++)
        if (args[a].data == NULL) return RF_OK; /* a list that changes by row */
    set->lasts = true;
    return RF_OK;
}

static enum rf_kind in_rows(struct func_call *call, const struct vec *args, uint32_t count,
                            struct vec *out, bool fold, bool negate, struct rf_err *err)
{
    struct in_set local = {0}, *set = call->state;
    bool constant =
        true; /* for these rows: a column may come as a constant and be another one in the next batch */
    for (uint32_t a = 1; a < call->arg_count; a++)
        constant = constant && args[a].shape == VEC_CONST;
    struct rf_arena *arena = set->lasts ? call->query_arena : call->arena;
    if (!set->lasts) set = &local;
    if (constant && !(set->lasts && set->ready) &&
        !set_build(set, args, call->arg_count, 0, (enum type)args[0].type, fold, arena))
        return rf_fail_memory(err, arena);
    for (uint32_t i = 0; i < count; i++) {
        struct value v = vec_value(&args[0], ARG_STRIDE(&args[0]) ? i : 0);
        if (!constant &&
            !set_build(set, args, call->arg_count, i, (enum type)args[0].type, fold, arena))
            return rf_fail_memory(err, arena);
        if (v.null) { /* an or of ==: null == x is false */
            OUT_BOOL(out)[i] = negate;
            continue;
        }
        if (fold && !fold_text(call->arena, &v)) return rf_fail_memory(err, call->arena);
        OUT_BOOL(out)[i] = set_has(set, &v) != negate;
    }
    return RF_OK;
}
KERNEL(in_kernel) { return in_rows(call, args, count, out, false, false, err); }
KERNEL(not_in_kernel) { return in_rows(call, args, count, out, false, true, err); }
KERNEL(in_fold_kernel) { return in_rows(call, args, count, out, true, false, err); }
KERNEL(not_in_fold_kernel) { return in_rows(call, args, count, out, true, true, err); }

/* ---- members of dynamics ---------------------------------------------------------------------------- */

static void set_dynamic(struct vec *out, uint32_t i, rf_str d)
{
    if (dyn_is_null(d))
        OUT_NULL(out)[i] = 1;
    else
        OUT_STR(out)[i] = d;
}

KERNEL(member_kernel)
{
    UNUSED_CALL;
    for (uint32_t i = 0; i < count; i++)
        if (OUT_NULL(out)[i] == 0)
            set_dynamic(out, i, dyn_get(ARG_STR(&args[0], i), ARG_STR(&args[1], i)));
    return RF_OK;
}

KERNEL(index_kernel)
{
    UNUSED_CALL;
    for (uint32_t i = 0; i < count; i++)
        if (OUT_NULL(out)[i] == 0)
            set_dynamic(out, i, dyn_item(ARG_STR(&args[0], i), ARG_I64(&args[1], i)));
    return RF_OK;
}

/* a[x] with a dynamic x: a text is a key, a number an index. */
KERNEL(index_dynamic_kernel)
{
    UNUSED_CALL;
    for (uint32_t i = 0; i < count; i++) {
        if (OUT_NULL(out)[i] != 0) continue;
        rf_str base = ARG_STR(&args[0], i), key = ARG_STR(&args[1], i);
        if (dyn_tag(key) == DYN_STRING)
            set_dynamic(out, i, dyn_get(base, dyn_string(key)));
        else if (dyn_is_number(key) && fabs(dyn_real(key)) < 1e15)
            set_dynamic(out, i, dyn_item(base, (int64_t)dyn_real(key)));
        else
            OUT_NULL(out)[i] = 1;
    }
    return RF_OK;
}

KERNEL(to_dynamic_kernel) /* any scalar as a dynamic of the same value */
{
    for (uint32_t i = 0; i < count; i++) {
        struct value v = vec_value(&args[0], ARG_STRIDE(&args[0]) ? i : 0), d;
        if (!value_convert(&v, TYPE_DYNAMIC, call->arena, &d))
            return rf_fail_memory(err, call->arena);
        if (d.null)
            OUT_NULL(out)[i] = 1;
        else
            OUT_STR(out)[i] = d.s;
    }
    return RF_OK;
}

#define SIGS(...)                                                                                  \
    (const struct func_overload[])                                                                 \
    {                                                                                              \
        __VA_ARGS__, { NULL, NULL }                                                                \
    }
/* Kernels of one comparison for all types; only that of dynamics has a name of its own. */
#define COMPARE_SIGS(op, dynamic_kernel)                                                           \
    SIGS({"(a:long, b:long) bool", op##_i64}, {"(a:real, b:real) bool", op##_real},                \
         {"(a:string, b:string) bool", op##_string}, {"(a:datetime, b:datetime) bool", op##_i64},  \
         {"(a:timespan, b:timespan) bool", op##_i64},                                              \
         {"(a:decimal, b:decimal) bool", op##_decimal}, {"(a:bool, b:bool) bool", op##_bool},      \
         {"(a:guid, b:guid) bool", op##_guid}, {"(a:dynamic, b:dynamic) bool", dynamic_kernel})

const struct func func_operator[] = {
    {.name = "+",
     .doc = "Sum; datetime + timespan moves a point in time.",
     .sigs =
         SIGS({"(a:int, b:int) long", add_i64}, {"(a:long, b:long) long", add_i64},
              {"(a:real, b:real) real", add_real}, {"(a:decimal, b:decimal) decimal", add_decimal},
              {"(a:timespan, b:timespan) timespan", add_i64},
              {"(a:datetime, b:timespan) datetime", add_datetime},
              {"(a:timespan, b:datetime) datetime", add_datetime},
              {"(a:dynamic, b:dynamic) dynamic", add_dyn})},
    {.name = "-",
     .doc = "Difference; datetime - datetime is a timespan.",
     .sigs =
         SIGS({"(a:int, b:int) long", sub_i64}, {"(a:long, b:long) long", sub_i64},
              {"(a:real, b:real) real", sub_real}, {"(a:decimal, b:decimal) decimal", sub_decimal},
              {"(a:timespan, b:timespan) timespan", sub_i64},
              {"(a:datetime, b:datetime) timespan", sub_i64},
              {"(a:datetime, b:timespan) datetime", sub_datetime},
              {"(a:timespan, b:datetime) datetime", sub_datetime},
              {"(a:dynamic, b:dynamic) dynamic", sub_dyn})},
    {.name = "*",
     .doc = "Product; a timespan may be multiplied by a number.",
     .sigs = SIGS(
         {"(a:int, b:int) long", mul_i64}, {"(a:long, b:long) long", mul_i64},
         {"(a:real, b:real) real", mul_real}, {"(a:decimal, b:decimal) decimal", mul_decimal},
         {"(a:timespan, b:long) timespan", mul_i64}, {"(a:long, b:timespan) timespan", mul_i64},
         {"(a:timespan, b:real) timespan", scale_timespan},
         {"(a:real, b:timespan) timespan", scale_timespan_left},
         {"(a:timespan, b:timespan) timespan", mul_timespans},
         {"(a:datetime, b:long) datetime", mul_datetime},
         {"(a:long, b:datetime) datetime", mul_datetime},
         {"(a:datetime, b:real) datetime", scale_datetime},
         {"(a:real, b:datetime) datetime", scale_datetime_left},
         {"(a:dynamic, b:dynamic) dynamic", mul_dyn})},
    {.name = "/",
     .doc = "Quotient; of whole numbers cut toward zero, null for division by zero; timespan / "
            "timespan is real.",
     .sigs =
         SIGS({"(a:int, b:int) long", div_i64}, {"(a:long, b:long) long", div_i64},
              {"(a:real, b:real) real", div_real}, {"(a:decimal, b:decimal) decimal", div_decimal},
              {"(a:timespan, b:timespan) real", div_timespan},
              {"(a:timespan, b:real) timespan", shrink_timespan},
              {"(a:datetime, b:datetime) real", div_timespan},
              {"(a:datetime, b:timespan) real", div_timespan},
              {"(a:datetime, b:long) datetime", div_datetime},
              {"(a:datetime, b:real) datetime", shrink_datetime},
              {"(a:dynamic, b:dynamic) dynamic", div_dyn})},
    {.name = "%",
     .doc = "Remainder, never negative; null for division by zero.",
     .sigs = SIGS(
         {"(a:int, b:int) long", mod_i64}, {"(a:long, b:long) long", mod_i64},
         {"(a:real, b:real) real", mod_real}, {"(a:decimal, b:decimal) decimal", mod_decimal},
         {"(a:timespan, b:timespan) timespan", mod_i64}, {"(a:timespan, b:long) timespan", mod_i64},
         {"(a:timespan, b:real) timespan", mod_ticks},
         {"(a:datetime, b:timespan) timespan", mod_i64},
         {"(a:datetime, b:datetime) timespan", mod_i64}, {"(a:datetime, b:long) datetime", mod_i64},
         {"(a:datetime, b:real) datetime", mod_ticks},
         {"(a:dynamic, b:dynamic) dynamic", mod_dyn})},
    {.name = "_negate",
     .doc = "-x",
     .flags = FUNC_HIDDEN,
     .sigs = SIGS({"(a:long) long", negate_i64}, {"(a:real) real", negate_real},
                  {"(a:decimal) decimal", negate_decimal}, {"(a:timespan) timespan", negate_i64},
                  {"(a:dynamic) dynamic", negate_dyn})},
    {.name = "<", .doc = "Less than.", .sigs = COMPARE_SIGS(lt, lt_dyn)},
    {.name = "<=", .doc = "Less than or equal.", .sigs = COMPARE_SIGS(le, le_dyn)},
    {.name = ">", .doc = "Greater than.", .sigs = COMPARE_SIGS(gt, gt_dyn)},
    {.name = ">=", .doc = "Greater than or equal.", .sigs = COMPARE_SIGS(ge, ge_dyn)},
    {.name = "==",
     .doc = "Equal; texts with regard to case. null == null is null, null == x is false.",
     .nulls = FUNC_CUSTOM,
     .sigs = COMPARE_SIGS(eq, eq_dynamic)},
    {.name = "!=",
     .doc = "Not equal; null != x is true.",
     .nulls = FUNC_CUSTOM,
     .sigs = COMPARE_SIGS(ne, ne_dynamic)},
    {.name = "and",
     .doc = "Both hold; false and null is false.",
     .nulls = FUNC_CUSTOM,
     .sigs = SIGS({"(a:bool, b:bool) bool", and_kernel})},
    {.name = "or",
     .doc = "One holds; true or null is true.",
     .nulls = FUNC_CUSTOM,
     .sigs = SIGS({"(a:bool, b:bool) bool", or_kernel})},
    {.name = "not",
     .doc = "Turns true and false round; null stays null.",
     .sigs = SIGS({"(a:bool) bool", not_kernel})},
    {.name = "iff",
     .doc = "The second argument where the predicate is true, else the third; a null predicate "
            "counts as false.",
     .nulls = FUNC_CUSTOM,
     .sigs = SIGS({"(predicate:bool, then:T, otherwise:T) T", case_kernel})},
    {.name = "iif",
     .doc = "iff",
     .flags = FUNC_HIDDEN,
     .nulls = FUNC_CUSTOM,
     .sigs = SIGS({"(predicate:bool, then:T, otherwise:T) T", case_kernel})},
    {.name = "case",
     .doc = "The value after the first predicate that is true, else the last argument.",
     .nulls = FUNC_CUSTOM,
     .sigs = SIGS({"(predicate:bool, then:T, otherwise:T...) T",
                   case_kernel})}, /* the binder nests further pairs */
    {.name = "coalesce",
     .doc = "The first argument that is not null (for texts: not empty).",
     .nulls = FUNC_CUSTOM,
     .sigs = SIGS({"(a:T, b:T...) T", coalesce_kernel})},
    {.name = "in",
     .doc = "Equals one of the values; arrays are flattened.",
     .nulls = FUNC_CUSTOM,
     .prepare = in_prepare,
     .sigs = SIGS({"(value:any, list:any...) bool", in_kernel})},
    {.name = "!in",
     .doc = "Equals none of the values.",
     .nulls = FUNC_CUSTOM,
     .prepare = in_prepare,
     .sigs = SIGS({"(value:any, list:any...) bool", not_in_kernel})},
    {.name = "in~",
     .doc = "Equals one of the values without regard to case.",
     .nulls = FUNC_CUSTOM,
     .prepare = in_prepare,
     .sigs = SIGS({"(value:string, list:any...) bool", in_fold_kernel})},
    {.name = "!in~",
     .doc = "Equals none of the values, without regard to case.",
     .nulls = FUNC_CUSTOM,
     .prepare = in_prepare,
     .sigs = SIGS({"(value:string, list:any...) bool", not_in_fold_kernel})},
    {.name = "_member",
     .doc = "a.b",
     .flags = FUNC_HIDDEN,
     .sigs = SIGS({"(bag:dynamic, key:string) dynamic", member_kernel})},
    {.name = "_index",
     .doc = "a[i]",
     .flags = FUNC_HIDDEN,
     .sigs = SIGS({"(array:dynamic, index:long) dynamic", index_kernel},
                  {"(array:dynamic, index:dynamic) dynamic", index_dynamic_kernel})},
    {.name = "_todynamic",
     .doc = "any value as a dynamic",
     .flags = FUNC_HIDDEN,
     .sigs = SIGS({"(value:any) dynamic", to_dynamic_kernel})},
};
const size_t func_operator_count = RF_COUNT(func_operator);
