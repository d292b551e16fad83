/* Element by element functions of one and two series, and those that fold series into one number. */
#include "kql/func_series_int.h"

#include <math.h>

/* ---- one series ---------------------------------------------------------------------------------------- */

static enum rf_kind map_reals(struct series_call *sc, uint32_t row, double (*fn)(double))
{
    struct series s;
    RF_TRY(series_arg(sc, 0, row, &s));
    if (s.x == NULL) return series_give_null(sc, row);
    for (uint32_t i = 0; i < s.count; i++) {
        if (s.kind[i] == SERIES_NONE) continue;
        s.x[i] = fn(s.x[i]);
        s.kind[i] = SERIES_REAL;
    }
    return series_give(sc, row, &s);
}

#define MAP_REALS(name, fn)                                                                        \
    static enum rf_kind name##_row(struct series_call *sc, uint32_t row)                           \
    {                                                                                              \
        return map_reals(sc, row, fn);                                                             \
    }                                                                                              \
    SERIES_KERNEL(name, name##_row)
MAP_REALS(series_acos, acos)
MAP_REALS(series_asin, asin)
MAP_REALS(series_atan, atan)
MAP_REALS(series_ceiling, ceil)
MAP_REALS(series_cos, cos)
MAP_REALS(series_exp, exp)
MAP_REALS(series_floor, floor)
MAP_REALS(series_log, log)
MAP_REALS(series_sin, sin)
MAP_REALS(series_tan, tan)

/* abs and sign leave whole numbers whole. */
static enum rf_kind abs_row(struct series_call *sc, uint32_t row)
{
    struct series s;
    RF_TRY(series_arg(sc, 0, row, &s));
    if (s.x == NULL) return series_give_null(sc, row);
    for (uint32_t i = 0; i < s.count; i++) {
        /* The least long has no positive twin. */
        if (s.kind[i] == SERIES_WHOLE && s.whole[i] == INT64_MIN) s.kind[i] = SERIES_REAL;
        if (s.kind[i] == SERIES_WHOLE && s.whole[i] < 0) s.whole[i] = -s.whole[i];
        s.x[i] = fabs(s.x[i]);
    }
    return series_give(sc, row, &s);
}
SERIES_KERNEL(series_abs, abs_row)

static enum rf_kind sign_row(struct series_call *sc, uint32_t row)
{
    struct series s;
    RF_TRY(series_arg(sc, 0, row, &s));
    if (s.x == NULL) return series_give_null(sc, row);
    for (uint32_t i = 0; i < s.count; i++) {
        s.whole[i] = (s.whole[i] > 0) - (s.whole[i] < 0);
        if (!isnan(s.x[i])) s.x[i] = (s.x[i] > 0) - (s.x[i] < 0);
    }
    return series_give(sc, row, &s);
}
SERIES_KERNEL(series_sign, sign_row)

/* ---- two series: arithmetic ------------------------------------------------------------------------------ */

static uint32_t at_index(const struct series *s, uint32_t i) { return s->scalar ? 0 : i; }
static bool has_number(const struct series *s, uint32_t i)
{
    return at_index(s, i) < s->count && s->kind[at_index(s, i)] != SERIES_NONE;
}

/* The longer one's length; a scalar stands for as many elements as the other has. */
static uint32_t pair_count(const struct series *a, const struct series *b)
{
    if (a->scalar) return b->count;
    if (b->scalar) return a->count;
    return RF_MAX(a->count, b->count);
}

static enum rf_kind read_pair(struct series_call *sc, uint32_t row, struct series *a,
                              struct series *b, bool *ok)
{
    RF_TRY(series_arg(sc, 0, row, a));
    RF_TRY(series_arg(sc, 1, row, b));
    *ok = a->x != NULL && b->x != NULL && !(a->scalar && b->scalar);
    return RF_OK;
}

/* One element; false when whole numbers do not fit and the real result is wanted. */
typedef bool whole_fn(int64_t a, int64_t b, int64_t *out);
typedef double real_fn(double a, double b);

static enum rf_kind zip(struct series_call *sc, uint32_t row, whole_fn *whole, real_fn *real)
{
    struct series a, b, to;
    bool ok;
    RF_TRY(read_pair(sc, row, &a, &b, &ok));
    if (!ok) return series_give_null(sc, row);
    RF_TRY(series_new(pair_count(&a, &b), sc->scratch, &to, sc->err));
    for (uint32_t i = 0; i < to.count; i++) {
        to.kind[i] = SERIES_NONE;
        if (!has_number(&a, i) || !has_number(&b, i)) continue;
        uint32_t ai = at_index(&a, i), bi = at_index(&b, i);
        bool both = a.kind[ai] == SERIES_WHOLE && b.kind[bi] == SERIES_WHOLE;
        if (both && whole != NULL && whole(a.whole[ai], b.whole[bi], &to.whole[i])) {
            to.kind[i] = SERIES_WHOLE;
            continue;
        }
        to.kind[i] = SERIES_REAL;
        to.x[i] = real(a.x[ai], b.x[bi]);
    }
    return series_give(sc, row, &to);
}

static bool add_whole(int64_t a, int64_t b, int64_t *out)
{
    return !__builtin_add_overflow(a, b, out);
}
static bool sub_whole(int64_t a, int64_t b, int64_t *out)
{
    return !__builtin_sub_overflow(a, b, out);
}
static bool mul_whole(int64_t a, int64_t b, int64_t *out)
{
    return !__builtin_mul_overflow(a, b, out);
}
static double add_real(double a, double b) { return a + b; }
static double sub_real(double a, double b) { return a - b; }
static double mul_real(double a, double b) { return a * b; }
/* Division by zero gives an infinity or nan, as for numbers outside of series. */
static double div_real(double a, double b)
{
    if (b == 0) return a == 0 || isnan(a) ? (double)NAN : copysign(INFINITY, a) * copysign(1, b);
    return a / b;
}

#define ZIP(name, whole, real)                                                                     \
    static enum rf_kind name##_row(struct series_call *sc, uint32_t row)                           \
    {                                                                                              \
        return zip(sc, row, whole, real);                                                          \
    }                                                                                              \
    SERIES_KERNEL(name, name##_row)
ZIP(series_add, add_whole, add_real)
ZIP(series_subtract, sub_whole, sub_real)
ZIP(series_multiply, mul_whole, mul_real)
ZIP(series_divide, NULL, div_real)
ZIP(series_pow, NULL, pow)

/* ---- two series: comparison -------------------------------------------------------------------------------- */

enum compare_mask { CMP_LESS = 1, CMP_EQUAL = 2, CMP_GREATER = 4, CMP_UNORDERED = 8 };

static enum compare_mask order_of(const struct series *a, uint32_t ai, const struct series *b,
                                  uint32_t bi)
{
    if (a->kind[ai] == SERIES_WHOLE && b->kind[bi] == SERIES_WHOLE)
        return a->whole[ai] < b->whole[bi]   ? CMP_LESS
               : a->whole[ai] > b->whole[bi] ? CMP_GREATER
                                             : CMP_EQUAL;
    if (isnan(a->x[ai]) || isnan(b->x[bi])) return CMP_UNORDERED;
    return a->x[ai] < b->x[bi] ? CMP_LESS : a->x[ai] > b->x[bi] ? CMP_GREATER : CMP_EQUAL;
}

static enum rf_kind compare(struct series_call *sc, uint32_t row, unsigned mask)
{
    struct series a, b;
    bool ok;
    RF_TRY(read_pair(sc, row, &a, &b, &ok));
    if (!ok) return series_give_null(sc, row);
    struct rf_buf buf = rf_buf_in(sc->call->arena);
    struct dyn_builder array;
    uint32_t count = pair_count(&a, &b);
    dyn_begin(&array, &buf, DYN_ARRAY);
    for (uint32_t i = 0; i < count; i++) {
        dyn_next(&array);
        if (!has_number(&a, i) || !has_number(&b, i))
            dyn_put_null(&buf);
        else
            dyn_put_bool(&buf, (order_of(&a, at_index(&a, i), &b, at_index(&b, i)) & mask) != 0);
    }
    dyn_end(&array);
    return series_give_buf(sc, row, &buf);
}

#define COMPARE(name, mask)                                                                        \
    static enum rf_kind name##_row(struct series_call *sc, uint32_t row)                           \
    {                                                                                              \
        return compare(sc, row, mask);                                                             \
    }                                                                                              \
    SERIES_KERNEL(name, name##_row)
COMPARE(series_equals, CMP_EQUAL)
COMPARE(series_not_equals, CMP_LESS | CMP_GREATER | CMP_UNORDERED)
COMPARE(series_less, CMP_LESS)
COMPARE(series_less_equals, CMP_LESS | CMP_EQUAL)
COMPARE(series_greater, CMP_GREATER)
COMPARE(series_greater_equals, CMP_GREATER | CMP_EQUAL)

/* ---- folds ----------------------------------------------------------------------------------------------- */

static enum rf_kind sum_row(struct series_call *sc, uint32_t row)
{
    struct series s;
    RF_TRY(series_arg(sc, 0, row, &s));
    if (s.x == NULL) return series_give_null(sc, row);
    double sum = 0;
    for (uint32_t i = 0; i < s.count; i++)
        if (s.kind[i] != SERIES_NONE) sum += s.x[i];
    return series_give_real(sc, row, sum);
}
SERIES_KERNEL(series_sum, sum_row)

static enum rf_kind product_row(struct series_call *sc, uint32_t row)
{
    struct series s;
    RF_TRY(series_arg(sc, 0, row, &s));
    if (s.x == NULL) return series_give_null(sc, row);
    double product = 1;
    for (uint32_t i = 0; i < s.count; i++)
        if (s.kind[i] != SERIES_NONE) product *= s.x[i];
    return series_give_real(sc, row, product);
}
SERIES_KERNEL(series_product, product_row)

/* Sum of products over the shorter length; what is no number is passed over. */
static double dot(const struct series *a, const struct series *b)
{
    uint32_t count = pair_count(a, b);
    double sum = 0;
    for (uint32_t i = 0; i < count; i++)
        if (has_number(a, i) && has_number(b, i))
            sum += a->x[at_index(a, i)] * b->x[at_index(b, i)];
    return sum;
}

static enum rf_kind magnitude_row(struct series_call *sc, uint32_t row)
{
    struct series s;
    RF_TRY(series_arg(sc, 0, row, &s));
    if (s.x == NULL) return series_give_null(sc, row);
    return series_give_real(sc, row, sqrt(dot(&s, &s)));
}
SERIES_KERNEL(series_magnitude, magnitude_row)

static enum rf_kind dot_row(struct series_call *sc, uint32_t row)
{
    struct series a, b;
    bool ok;
    RF_TRY(read_pair(sc, row, &a, &b, &ok));
    if (!ok || a.count == 0 || b.count == 0) return series_give_null(sc, row);
    return series_give_real(sc, row, dot(&a, &b));
}
SERIES_KERNEL(series_dot_product, dot_row)

static enum rf_kind cosine_row(struct series_call *sc, uint32_t row)
{
    struct series a, b;
    bool ok;
    RF_TRY(read_pair(sc, row, &a, &b, &ok));
    if (!ok || a.count == 0 || b.count == 0) return series_give_null(sc, row);
    uint32_t shorter = RF_MIN(a.scalar ? b.count : a.count, b.scalar ? a.count : b.count);
    if (!a.scalar) a.count = shorter;
    if (!b.scalar) b.count = shorter;
    double length_a = series_arg_real(sc, 2, row, sqrt(dot(&a, &a)));
    double length_b = series_arg_real(sc, 3, row, sqrt(dot(&b, &b)));
    return series_give_real(sc, row, dot(&a, &b) / (length_a * length_b));
}
SERIES_KERNEL(series_cosine_similarity, cosine_row)

static enum rf_kind pearson_row(struct series_call *sc, uint32_t row)
{
    struct series a, b;
    RF_TRY(series_arg(sc, 0, row, &a));
    RF_TRY(series_arg(sc, 1, row, &b));
    if (a.x == NULL || b.x == NULL || a.scalar || b.scalar || a.count != b.count || a.count == 0)
        return series_give_null(sc, row);
    double mean_a = 0, mean_b = 0, aa = 0, bb = 0, ab = 0;
    for (uint32_t i = 0; i < a.count; i++) {
        if (a.kind[i] == SERIES_NONE || b.kind[i] == SERIES_NONE) return series_give_null(sc, row);
        mean_a += a.x[i] / a.count;
        mean_b += b.x[i] / a.count;
    }
    for (uint32_t i = 0; i < a.count; i++) {
        double da = a.x[i] - mean_a, db = b.x[i] - mean_b;
        aa += da * da;
        bb += db * db;
        ab += da * db;
    }
    double r = ab / sqrt(aa * bb);
    return series_give_real(sc, row, isnan(r) ? r : RF_MAX(-1.0, RF_MIN(r, 1.0)));
}
SERIES_KERNEL(series_pearson_correlation, pearson_row)

/* ---- statistics --------------------------------------------------------------------------------------------- */

struct stats {
    double min, max, avg, stdev, variance, sum;
    int64_t min_idx, max_idx;
    uint32_t count;
};

/* False when there is nothing to say: no number, or one that is not finite and not to be ignored. */
static bool stats_of(const struct series *s, bool ignore_nonfinite, struct stats *out)
{
    *out = (struct stats){0};
    for (uint32_t i = 0; i < s->count; i++) {
        double x = s->x[i];
        if (!isfinite(x)) {
            if (ignore_nonfinite) continue;
            return false;
        }
        if (out->count == 0 || x < out->min) {
            out->min = x;
            out->min_idx = i;
        }
        if (out->count == 0 || x > out->max) {
            out->max = x;
            out->max_idx = i;
        }
        out->sum += x;
        out->count++;
    }
    if (out->count == 0) return false;
    out->avg = out->sum / out->count;
    double squares = 0;
    for (uint32_t i = 0; i < s->count; i++)
        if (isfinite(s->x[i])) squares += (s->x[i] - out->avg) * (s->x[i] - out->avg);
    out->variance = out->count > 1 ? squares / (out->count - 1) : 0;
    out->stdev = sqrt(out->variance);
    return true;
}

static enum rf_kind stats_row(struct series_call *sc, uint32_t row)
{
    struct series s;
    struct stats stats;
    RF_TRY(series_arg(sc, 0, row, &s));
    if (s.x == NULL || !stats_of(&s, series_arg_bool(sc, 1, row, false), &stats))
        return series_give_null(sc, row);
    struct rf_buf buf = rf_buf_in(sc->call->arena);
    struct dyn_builder tuple;
    dyn_begin(&tuple, &buf, DYN_ARRAY);
    dyn_next(&tuple);
    dyn_put_real(&buf, stats.min);
    dyn_next(&tuple);
    dyn_put_long(&buf, stats.min_idx);
    dyn_next(&tuple);
    dyn_put_real(&buf, stats.max);
    dyn_next(&tuple);
    dyn_put_long(&buf, stats.max_idx);
    const double rest[] = {stats.avg, stats.stdev, stats.variance};
    for (size_t i = 0; i < RF_COUNT(rest); i++) {
        dyn_next(&tuple);
        dyn_put_real(&buf, rest[i]);
    }
    dyn_end(&tuple);
    return series_give_buf(sc, row, &buf);
}
SERIES_KERNEL(series_stats, stats_row)

static void put_real_entry(struct dyn_builder *bag, struct rf_buf *buf, rf_str key, double r)
{
    dyn_key(bag, key);
    dyn_put_real(buf, r);
}
static void put_long_entry(struct dyn_builder *bag, struct rf_buf *buf, rf_str key, int64_t i)
{
    dyn_key(bag, key);
    dyn_put_long(buf, i);
}

static enum rf_kind stats_dynamic_row(struct series_call *sc, uint32_t row)
{
    struct series s;
    struct stats stats;
    RF_TRY(series_arg(sc, 0, row, &s));
    if (s.x == NULL || !stats_of(&s, series_arg_bool(sc, 1, row, false), &stats))
        return series_give_null(sc, row);
    struct rf_buf buf = rf_buf_in(sc->call->arena);
    struct dyn_builder bag;
    dyn_begin(&bag, &buf, DYN_BAG);
    put_real_entry(&bag, &buf, RF_S("min"), stats.min);
    put_long_entry(&bag, &buf, RF_S("min_idx"), stats.min_idx);
    put_real_entry(&bag, &buf, RF_S("max"), stats.max);
    put_long_entry(&bag, &buf, RF_S("max_idx"), stats.max_idx);
    put_real_entry(&bag, &buf, RF_S("avg"), stats.avg);
    put_real_entry(&bag, &buf, RF_S("stdev"), stats.stdev);
    put_real_entry(&bag, &buf, RF_S("variance"), stats.variance);
    put_real_entry(&bag, &buf, RF_S("sum"), stats.sum);
    put_long_entry(&bag, &buf, RF_S("len"), s.count);
    dyn_end(&bag);
    return series_give_buf(sc, row, &buf);
}
SERIES_KERNEL(series_stats_dynamic, stats_dynamic_row)
