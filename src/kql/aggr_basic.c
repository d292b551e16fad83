/* Counts, sums, means, extremes, bitwise folds; the table also lists what aggr_moment.c computes. */
#include "kql/aggr_int.h"
#include "kql/func_families.h"

#include "value/decimal.h"
#include "value/dyn.h"

#include <math.h>

/* Rows in the order of time often fall into one group, for which there are faster loops. */
static bool is_one_group(const uint32_t *groups, uint32_t count)
{
    enum { STEP = 16 };
    if (count == 0 || groups[count - 1] != groups[0]) return false;
    uint32_t i = 0, other = 0;
    for (; i + STEP <= count && other == 0; i += STEP)
        for (uint32_t k = 0; k < STEP; k++) other |= groups[i + k] ^ groups[0];
    for (; i < count; i++) other |= groups[i] ^ groups[0];
    return other == 0;
}

/* ---- count --------------------------------------------------------------------------------------- */

static uint32_t count_true(const struct vec *predicate, uint32_t count)
{
    const uint8_t *cells = predicate->data, *nulls = predicate->nulls;
    uint32_t sum = 0;
    if (predicate->shape == VEC_FLAT && nulls == NULL) {
        for (uint32_t i = 0; i < count; i++) sum += cells[i] != 0;
        return sum;
    }
    for (uint32_t i = 0; i < count; i++) {
        uint32_t at = vec_at(predicate, i);
        sum += cells[at] != 0 && (nulls == NULL || nulls[at] == 0);
    }
    return sum;
}

static enum rf_kind countif_update(struct aggr_call *call, const struct vec *args, uint32_t count,
                                   const uint32_t *groups, uint8_t *states, struct rf_err *err)
{
    (void)call, (void)err;
    uint64_t *counts = AGGR_STATE(uint64_t, states, 0);
    if (groups == NULL) {
        counts[0] += count_true(&args[0], count);
        return RF_OK;
    }
    const struct vec *predicate = &args[0];
    const uint8_t *cells = predicate->data, *nulls = predicate->nulls;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t at = vec_at(predicate, i);
        counts[groups[i]] += cells[at] != 0 && (nulls == NULL || nulls[at] == 0);
    }
    return RF_OK;
}

static enum rf_kind count_update(struct aggr_call *call, const struct vec *args, uint32_t count,
                                 const uint32_t *groups, uint8_t *states, struct rf_err *err)
{
    /* count(predicate) is an old way to write countif(predicate). */
    if (call->arg_count > 0 && args[0].type == TYPE_BOOL)
        return countif_update(call, args, count, groups, states, err);
    uint64_t *counts = AGGR_STATE(uint64_t, states, 0);
    if (groups == NULL)
        counts[0] += count;
    else if (is_one_group(groups, count))
        counts[groups[0]] += count;
    else
        for (uint32_t i = 0; i < count; i++) counts[groups[i]]++;
    return RF_OK;
}

static enum rf_kind count_merge(struct aggr_call *call, uint8_t *into, const uint8_t *from,
                                struct rf_err *err)
{
    (void)call, (void)err;
    *AGGR_STATE(uint64_t, into, 0) += *AGGR_STATE_OF(uint64_t, from);
    return RF_OK;
}

static enum rf_kind count_emit(struct aggr_call *call, const uint8_t *state, uint32_t column,
                               struct rf_arena *arena, struct value *out, struct rf_err *err)
{
    (void)call, (void)column, (void)arena, (void)err;
    *out = value_long(*AGGR_STATE_OF(int64_t, state));
    return RF_OK;
}

/* ---- sum -------------------------------------------------------------------------------------------- */

struct sum {
    union {
        int64_t i64; /* wraps around, as Kusto's does */
        double real;
        struct decimal decimal; /* valid when any is set */
    };
    bool any;
    bool overflow; /* a decimal sum that did not fit; it is null */
};

/* Four accumulators of four lanes: without them each addition waits for the one before, and the
 * compiler may not reorder additions of reals by itself. */
typedef double real4 __attribute__((vector_size(32), aligned(8), may_alias));
typedef uint64_t word4 __attribute__((vector_size(32), aligned(8), may_alias));

RF_CLONES static double sum_reals(const double *x, uint32_t count)
{
    real4 a = {0}, b = {0}, c = {0}, d = {0};
    uint32_t i = 0;
    for (; i + 16 <= count; i += 16) {
        const real4 *at = (const real4 *)(const void *)(x + i);
        a += at[0];
        b += at[1];
        c += at[2];
        d += at[3];
    }
    a += b;
    c += d;
    a += c;
    double sum = (a[0] + a[1]) + (a[2] + a[3]);
    for (; i < count; i++) sum += x[i];
    return sum;
}

RF_CLONES static uint64_t sum_words(const int64_t *x, uint32_t count)
{
    word4 a = {0}, b = {0};
    uint32_t i = 0;
    for (; i + 8 <= count; i += 8) {
        const word4 *at = (const word4 *)(const void *)(x + i);
        a += at[0];
        b += at[1];
    }
    a += b;
    uint64_t sum = a[0] + a[1] + a[2] + a[3];
    for (; i < count; i++) sum += (uint64_t)x[i];
    return sum;
}

static void sum_decimal_add(struct sum *sum, const struct decimal *d)
{
    if (!sum->any)
        sum->decimal = *d;
    else if (!decimal_add(&sum->decimal, d, &sum->decimal))
        sum->overflow = true;
    sum->any = true;
}

static void sum_decimals(const struct vec *v, uint32_t count, const uint32_t *groups,
                         uint8_t *states)
{
    for (uint32_t i = 0; i < count; i++) {
        if (vec_null(v, i)) continue;
        struct decimal d = vec_decimal(v, i);
        sum_decimal_add(AGGR_STATE(struct sum, states, AGGR_GROUP(groups, i)), &d);
    }
}

static int64_t wrapping_add(int64_t a, int64_t b) { return (int64_t)((uint64_t)a + (uint64_t)b); }

static enum rf_kind sum_update(struct aggr_call *call, const struct vec *args, uint32_t count,
                               const uint32_t *groups, uint8_t *states, struct rf_err *err)
{
    (void)call, (void)err;
    if (args[0].type == TYPE_DECIMAL) {
        sum_decimals(&args[0], count, groups, states);
        return RF_OK;
    }
    AGGR_SCRATCH struct aggr_cells cells;
    aggr_cells(&args[0], count, &cells);
    struct sum *sums = AGGR_STATE(struct sum, states, 0);
    if (groups == NULL && cells.nulls == NULL) {
        if (cells.i64 != NULL)
            sums->i64 = wrapping_add(sums->i64, (int64_t)sum_words(cells.i64, count));
        else
            sums->real += sum_reals(cells.real, count);
        return RF_OK;
    }
    if (groups != NULL && cells.nulls == NULL && cells.i64 != NULL) {
        if (is_one_group(groups, count)) {
            struct sum *sum = &sums[groups[0]];
            sum->i64 = wrapping_add(sum->i64, (int64_t)sum_words(cells.i64, count));
            return RF_OK;
        }
        for (uint32_t i = 0; i < count; i++)
            sums[groups[i]].i64 = wrapping_add(sums[groups[i]].i64, cells.i64[i]);
        return RF_OK;
    }
    for (uint32_t i = 0; i < count; i++) {
        if (cells.nulls != NULL && cells.nulls[i]) continue;
        struct sum *sum = &sums[AGGR_GROUP(groups, i)];
        if (cells.i64 != NULL)
            sum->i64 = wrapping_add(sum->i64, cells.i64[i]);
        else
            sum->real += cells.real[i];
    }
    return RF_OK;
}
AGGR_WHERE(sumif_update, 1, sum_update)

static enum rf_kind sum_merge(struct aggr_call *call, uint8_t *into_state,
                              const uint8_t *from_state, struct rf_err *err)
{
    (void)err;
    struct sum *into = AGGR_STATE(struct sum, into_state, 0);
    const struct sum *from = AGGR_STATE_OF(struct sum, from_state);
    if (call->type == TYPE_DECIMAL) {
        if (from->any) sum_decimal_add(into, &from->decimal);
        into->overflow |= from->overflow;
    } else if (call->type == TYPE_REAL) {
        into->real += from->real;
    } else {
        into->i64 = wrapping_add(into->i64, from->i64);
    }
    return RF_OK;
}

static enum rf_kind sum_emit(struct aggr_call *call, const uint8_t *state, uint32_t column,
                             struct rf_arena *arena, struct value *out, struct rf_err *err)
{
    (void)column, (void)arena, (void)err;
    const struct sum *sum = AGGR_STATE_OF(struct sum, state);
    if (call->type == TYPE_REAL)
        *out = value_real(sum->real);
    else if (call->type != TYPE_DECIMAL)
        *out = value_i64(call->type, sum->i64);
    else if (sum->overflow)
        *out = value_null(TYPE_DECIMAL);
    else
        *out = value_decimal(sum->any ? sum->decimal : decimal_from_i64(0));
    return RF_OK;
}

bool aggr_emit_cells(const struct aggr_call *call, const uint8_t *states, uint32_t count,
                     void *cells)
{
    if (call->aggr->emit == count_emit) {
        memcpy(cells, states, (size_t)count * sizeof(int64_t));
        return true;
    }
    if (call->aggr->emit != sum_emit || call->type == TYPE_DECIMAL) return false;
    const struct sum *sums = AGGR_STATE_OF(struct sum, states);
    int64_t *words = cells; /* of reals, too */
    for (uint32_t i = 0; i < count; i++) words[i] = sums[i].i64;
    return true;
}

/* ---- avg --------------------------------------------------------------------------------------------- */

/* Whole numbers and times are summed in 128 bits: a few datetimes already pass 64. */
struct mean {
    union {
        struct {
            uint64_t lo, hi;
        };
        double real;
        struct decimal decimal;
    };
    uint64_t count;
    bool overflow;
};

static void mean_add_i128(struct mean *mean, __int128 add)
{
    unsigned __int128 sum = (unsigned __int128)mean->hi << 64 | mean->lo;
    sum += (unsigned __int128)add;
    mean->lo = (uint64_t)sum;
    mean->hi = (uint64_t)(sum >> 64);
}

static __int128 mean_i128(const struct mean *mean)
{
    return (__int128)((unsigned __int128)mean->hi << 64 | mean->lo);
}

static void mean_add_decimal(struct mean *mean, const struct decimal *d, uint64_t count)
{
    if (mean->count == 0)
        mean->decimal = *d;
    else if (!decimal_add(&mean->decimal, d, &mean->decimal))
        mean->overflow = true;
    mean->count += count;
}

static void mean_whole_batch(struct mean *mean, const struct aggr_cells *cells, uint32_t count)
{
    mean->count += count;
    if (cells->i64 == NULL) {
        mean->real += sum_reals(cells->real, count);
        return;
    }
    __int128 sum = 0;
    for (uint32_t i = 0; i < count; i++) sum += cells->i64[i];
    mean_add_i128(mean, sum);
}

static enum rf_kind avg_update(struct aggr_call *call, const struct vec *args, uint32_t count,
                               const uint32_t *groups, uint8_t *states, struct rf_err *err)
{
    (void)call, (void)err;
    struct mean *means = AGGR_STATE(struct mean, states, 0);
    if (args[0].type == TYPE_DECIMAL) {
        for (uint32_t i = 0; i < count; i++) {
            if (vec_null(&args[0], i)) continue;
            struct decimal d = vec_decimal(&args[0], i);
            mean_add_decimal(&means[AGGR_GROUP(groups, i)], &d, 1);
        }
        return RF_OK;
    }
    AGGR_SCRATCH struct aggr_cells cells;
    aggr_cells(&args[0], count, &cells);
    if (groups == NULL && cells.nulls == NULL) {
        mean_whole_batch(means, &cells, count);
        return RF_OK;
    }
    for (uint32_t i = 0; i < count; i++) {
        if (cells.nulls != NULL && cells.nulls[i]) continue;
        struct mean *mean = &means[AGGR_GROUP(groups, i)];
        mean->count++;
        if (cells.i64 != NULL)
            mean_add_i128(mean, cells.i64[i]);
        else
            mean->real += cells.real[i];
    }
    return RF_OK;
}
AGGR_WHERE(avgif_update, 1, avg_update)

static bool mean_is_i128(const struct aggr_call *call)
{
    return type_is_i64((enum type)call->arg_types[0]);
}

static enum rf_kind avg_merge(struct aggr_call *call, uint8_t *into_state,
                              const uint8_t *from_state, struct rf_err *err)
{
    (void)err;
    struct mean *into = AGGR_STATE(struct mean, into_state, 0);
    const struct mean *from = AGGR_STATE_OF(struct mean, from_state);
    if (from->count == 0) return RF_OK;
    into->overflow |= from->overflow;
    if (call->type == TYPE_DECIMAL) {
        mean_add_decimal(into, &from->decimal, from->count);
        return RF_OK;
    }
    if (mean_is_i128(call))
        mean_add_i128(into, mean_i128(from));
    else
        into->real += from->real;
    into->count += from->count;
    return RF_OK;
}

static enum rf_kind avg_emit(struct aggr_call *call, const uint8_t *state, uint32_t column,
                             struct rf_arena *arena, struct value *out, struct rf_err *err)
{
    (void)column, (void)arena, (void)err;
    const struct mean *mean = AGGR_STATE_OF(struct mean, state);
    *out = value_null(call->type);
    if (call->type == TYPE_REAL) {
        double sum = mean_is_i128(call) ? (double)mean_i128(mean) : mean->real;
        *out = value_real(mean->count > 0 ? sum / (double)mean->count : (double)NAN);
    } else if (mean->count == 0 || mean->overflow) {
        return RF_OK;
    } else if (call->type == TYPE_DECIMAL) {
        struct decimal count = decimal_from_i64((int64_t)mean->count), d;
        if (decimal_div(&mean->decimal, &count, &d)) *out = value_decimal(d);
    } else {
        *out = value_i64(call->type, (int64_t)(mean_i128(mean) / (__int128)mean->count));
    }
    return RF_OK;
}

/* ---- min, max --------------------------------------------------------------------------------------- */

struct extreme {
    union {
        int64_t i64;
        double real;
        struct aggr_kept kept; /* the other types; its own `any` is not used */
    };
    bool any;
};

/* Comparisons of vectors give all ones or none. */
typedef int64_t int4 __attribute__((vector_size(32), aligned(8), may_alias));
#define CHOOSE4(type, mask, a, b) ((type)(((int4)(a) & (mask)) | ((int4)(b) & ~(mask))))

RF_CLONES static int64_t min_i64(const int64_t *x, uint32_t count, int64_t best)
{
    int4 a = {best, best, best, best}, b = a;
    uint32_t i = 0;
    for (; i + 8 <= count; i += 8) {
        const int4 *at = (const int4 *)(const void *)(x + i);
        int4 better_a = at[0] < a, better_b = at[1] < b;
        a = CHOOSE4(int4, better_a, at[0], a);
        b = CHOOSE4(int4, better_b, at[1], b);
    }
    for (; i < count; i++) best = RF_MIN(x[i], best);
    for (uint32_t k = 0; k < 4; k++) best = RF_MIN(RF_MIN(b[k], a[k]), best);
    return best;
}
RF_CLONES static int64_t max_i64(const int64_t *x, uint32_t count, int64_t best)
{
    int4 a = {best, best, best, best}, b = a;
    uint32_t i = 0;
    for (; i + 8 <= count; i += 8) {
        const int4 *at = (const int4 *)(const void *)(x + i);
        int4 better_a = at[0] > a, better_b = at[1] > b;
        a = CHOOSE4(int4, better_a, at[0], a);
        b = CHOOSE4(int4, better_b, at[1], b);
    }
    for (; i < count; i++) best = RF_MAX(x[i], best);
    for (uint32_t k = 0; k < 4; k++) best = RF_MAX(RF_MAX(b[k], a[k]), best);
    return best;
}

static void extreme_i64(const struct aggr_cells *cells, uint32_t count, const uint32_t *groups,
                        struct extreme *extremes, bool largest)
{
    if (groups == NULL && cells->nulls == NULL && count > 0) {
        int64_t best = extremes->any ? extremes->i64 : cells->i64[0];
        extremes->i64 =
            largest ? max_i64(cells->i64, count, best) : min_i64(cells->i64, count, best);
        extremes->any = true;
        return;
    }
    for (uint32_t i = 0; i < count; i++) {
        if (cells->nulls != NULL && cells->nulls[i]) continue;
        struct extreme *e = &extremes[AGGR_GROUP(groups, i)];
        int64_t x = cells->i64[i];
        if (!e->any || (largest ? x > e->i64 : x < e->i64)) e->i64 = x;
        e->any = true;
    }
}

/* nan sorts below all other reals: it is never the largest unless alone, and always the smallest. */
static bool real_beats(double x, double best, bool largest)
{
    if (isnan(x)) return !largest;
    if (isnan(best)) return largest;
    return largest ? x > best : x < best;
}

/* The smallest of the reals and `best`; comparisons with nan are false, so a nan is looked for apart. */
RF_CLONES static double min_reals(const double *x, uint32_t count, double best, bool *has_nan)
{
    real4 a = {best, best, best, best}, b = a;
    int4 nans = {0};
    uint32_t i = 0;
    for (; i + 8 <= count; i += 8) {
        const real4 *at = (const real4 *)(const void *)(x + i);
        int4 better_a = at[0] < a, better_b = at[1] < b;
        /* A nan is what differs from itself. NOLINTNEXTLINE(misc-redundant-expression) */
        nans |= (at[0] != at[0]) | (at[1] != at[1]);
        a = CHOOSE4(real4, better_a, at[0], a);
        b = CHOOSE4(real4, better_b, at[1], b);
    }
    *has_nan = (nans[0] | nans[1] | nans[2] | nans[3]) != 0;
    for (; i < count; i++) {
        *has_nan |= isnan(x[i]);
        best = RF_MIN(x[i], best);
    }
    for (uint32_t k = 0; k < 4; k++) best = RF_MIN(RF_MIN(b[k], a[k]), best);
    return best;
}

RF_CLONES static double max_reals(const double *x, uint32_t count, double best, bool *has_nan)
{
    real4 a = {best, best, best, best}, b = a;
    int4 nans = {0};
    uint32_t i = 0;
    for (; i + 8 <= count; i += 8) {
        const real4 *at = (const real4 *)(const void *)(x + i);
        int4 better_a = at[0] > a, better_b = at[1] > b;
        /* A nan is what differs from itself. NOLINTNEXTLINE(misc-redundant-expression) */
        nans |= (at[0] != at[0]) | (at[1] != at[1]);
        a = CHOOSE4(real4, better_a, at[0], a);
        b = CHOOSE4(real4, better_b, at[1], b);
    }
    *has_nan = (nans[0] | nans[1] | nans[2] | nans[3]) != 0;
    for (; i < count; i++) {
        *has_nan |= isnan(x[i]);
        best = RF_MAX(x[i], best);
    }
    for (uint32_t k = 0; k < 4; k++) best = RF_MAX(RF_MAX(b[k], a[k]), best);
    return best;
}

static double extreme_of_reals(const double *x, uint32_t count, double best, bool largest)
{
    bool has_nan = true;
    double found = best;
    if (!isnan(best)) found = (largest ? max_reals : min_reals)(x, count, best, &has_nan);
    if (!has_nan) return found;
    for (uint32_t i = 0; i < count; i++) best = real_beats(x[i], best, largest) ? x[i] : best;
    return best;
}

static void extreme_real(const struct aggr_cells *cells, uint32_t count, const uint32_t *groups,
                         struct extreme *extremes, bool largest)
{
    if (groups == NULL && cells->nulls == NULL && count > 0) {
        double best = extremes->any ? extremes->real : cells->real[0];
        extremes->real = extreme_of_reals(cells->real, count, best, largest);
        extremes->any = true;
        return;
    }
    for (uint32_t i = 0; i < count; i++) {
        if (cells->nulls != NULL && cells->nulls[i]) continue;
        struct extreme *e = &extremes[AGGR_GROUP(groups, i)];
        if (!e->any || real_beats(cells->real[i], e->real, largest)) e->real = cells->real[i];
        e->any = true;
    }
}

static bool extreme_offer(struct extreme *e, const struct value *v, bool largest,
                          struct rf_arena *arena)
{
    if (e->any) {
        int order = value_cmp(v, &e->kept.value);
        if (largest ? order <= 0 : order >= 0) return true;
    }
    e->any = true;
    return aggr_keep(&e->kept, v, arena);
}

/* Texts and the like. Entries of a small dictionary are looked at once each when all rows are one
 * group; the marks say which entries occur. */
static bool extreme_any(struct aggr_call *call, const struct vec *v, uint32_t count,
                        const uint32_t *groups, struct extreme *extremes, bool largest)
{
    AGGR_SCRATCH uint8_t seen[BATCH_ROWS];
    bool mark = groups == NULL && v->shape == VEC_DICT && v->dict_count <= BATCH_ROWS;
    if (mark) memset(seen, 0, v->dict_count);
    if (v->shape == VEC_CONST && groups == NULL) count = RF_MIN(count, 1u);
    for (uint32_t i = 0; i < count; i++) {
        if (mark) {
            if (seen[v->codes[i]]) continue;
            seen[v->codes[i]] = 1;
        }
        if (vec_null(v, i)) continue;
        struct extreme *e = &extremes[AGGR_GROUP(groups, i)];
        /* Most texts lose; for those the comparison is all there is to do. */
        if (v->type == TYPE_STRING && e->any) {
            int order = rf_str_cmp(vec_str(v, i), e->kept.value.s);
            if (largest ? order <= 0 : order >= 0) continue;
        }
        struct value x = vec_value(v, i);
        if (x.type == TYPE_DYNAMIC && dyn_is_null(x.s)) continue;
        if (!extreme_offer(e, &x, largest, call->arena)) return false;
    }
    return true;
}

static enum rf_kind extreme_update(struct aggr_call *call, const struct vec *v, uint32_t count,
                                   const uint32_t *groups, uint8_t *states, bool largest,
                                   struct rf_err *err)
{
    struct extreme *extremes = AGGR_STATE(struct extreme, states, 0);
    if (!type_is_i64((enum type)v->type) && v->type != TYPE_REAL) {
        if (!extreme_any(call, v, count, groups, extremes, largest))
            return rf_fail_memory(err, call->arena);
        return RF_OK;
    }
    AGGR_SCRATCH struct aggr_cells cells;
    aggr_cells(v, count, &cells);
    if (groups != NULL && cells.nulls == NULL && is_one_group(groups, count)) {
        extremes += groups[0];
        groups = NULL;
    }
    if (cells.i64 != NULL)
        extreme_i64(&cells, count, groups, extremes, largest);
    else
        extreme_real(&cells, count, groups, extremes, largest);
    return RF_OK;
}

static enum rf_kind min_update(struct aggr_call *call, const struct vec *args, uint32_t count,
                               const uint32_t *groups, uint8_t *states, struct rf_err *err)
{
    return extreme_update(call, &args[0], count, groups, states, false, err);
}
static enum rf_kind max_update(struct aggr_call *call, const struct vec *args, uint32_t count,
                               const uint32_t *groups, uint8_t *states, struct rf_err *err)
{
    return extreme_update(call, &args[0], count, groups, states, true, err);
}
AGGR_WHERE(minif_update, 1, min_update)
AGGR_WHERE(maxif_update, 1, max_update)

static enum rf_kind extreme_merge(struct aggr_call *call, uint8_t *into_state,
                                  const uint8_t *from_state, bool largest, struct rf_err *err)
{
    struct extreme *into = AGGR_STATE(struct extreme, into_state, 0);
    const struct extreme *from = AGGR_STATE_OF(struct extreme, from_state);
    if (!from->any) return RF_OK;
    if (type_is_i64(call->type)) {
        if (!into->any || (largest ? from->i64 > into->i64 : from->i64 < into->i64))
            into->i64 = from->i64;
        into->any = true;
    } else if (call->type == TYPE_REAL) {
        if (!into->any || real_beats(from->real, into->real, largest)) into->real = from->real;
        into->any = true;
    } else if (!extreme_offer(into, &from->kept.value, largest, call->arena)) {
        return rf_fail_memory(err, call->arena);
    }
    return RF_OK;
}
static enum rf_kind min_merge(struct aggr_call *call, uint8_t *into, const uint8_t *from,
                              struct rf_err *err)
{
    return extreme_merge(call, into, from, false, err);
}
static enum rf_kind max_merge(struct aggr_call *call, uint8_t *into, const uint8_t *from,
                              struct rf_err *err)
{
    return extreme_merge(call, into, from, true, err);
}

static enum rf_kind extreme_emit(struct aggr_call *call, const uint8_t *state, uint32_t column,
                                 struct rf_arena *arena, struct value *out, struct rf_err *err)
{
    (void)column;
    const struct extreme *e = AGGR_STATE_OF(struct extreme, state);
    if (!e->any)
        *out = value_null(call->type);
    else if (type_is_i64(call->type))
        *out = value_i64(call->type, e->i64);
    else if (call->type == TYPE_REAL)
        *out = value_real(e->real);
    else if (!value_copy(&e->kept.value, arena, out))
        return rf_fail_memory(err, arena);
    return RF_OK;
}

/* ---- bitwise folds ------------------------------------------------------------------------------------ */

struct bits {
    uint64_t bits;
    bool any;
};
enum bits_fold { BITS_AND, BITS_OR, BITS_XOR };

static void bits_add(struct bits *b, uint64_t x, enum bits_fold fold)
{
    if (!b->any)
        b->bits = x;
    else
        b->bits = fold == BITS_AND ? b->bits & x : fold == BITS_OR ? b->bits | x : b->bits ^ x;
    b->any = true;
}

#define BITS_FUNCTIONS(name, fold)                                                                 \
    static enum rf_kind name##_update(struct aggr_call *call, const struct vec *args,              \
                                      uint32_t count, const uint32_t *groups, uint8_t *states,     \
                                      struct rf_err *err)                                          \
    {                                                                                              \
        (void)call, (void)err;                                                                     \
        for (uint32_t i = 0; i < count; i++)                                                       \
            if (!vec_null(&args[0], i))                                                            \
                bits_add(AGGR_STATE(struct bits, states, AGGR_GROUP(groups, i)),                   \
                         (uint64_t)vec_i64(&args[0], i), fold);                                    \
        return RF_OK;                                                                              \
    }                                                                                              \
    static enum rf_kind name##_merge(struct aggr_call *call, uint8_t *into, const uint8_t *from,   \
                                     struct rf_err *err)                                           \
    {                                                                                              \
        (void)call, (void)err;                                                                     \
        const struct bits *b = AGGR_STATE_OF(struct bits, from);                                   \
        if (b->any) bits_add(AGGR_STATE(struct bits, into, 0), b->bits, fold);                     \
        return RF_OK;                                                                              \
    }
BITS_FUNCTIONS(and, BITS_AND)
BITS_FUNCTIONS(or, BITS_OR)
BITS_FUNCTIONS(xor, BITS_XOR)

static enum rf_kind bits_emit(struct aggr_call *call, const uint8_t *state, uint32_t column,
                              struct rf_arena *arena, struct value *out, struct rf_err *err)
{
    (void)column, (void)arena, (void)err;
    const struct bits *b = AGGR_STATE_OF(struct bits, state);
    *out = b->any ? value_i64(call->type, (int64_t)b->bits) : value_null(call->type);
    return RF_OK;
}

/* ---- table -------------------------------------------------------------------------------------------- */

#define SIGS(...) ((const char *const[]){__VA_ARGS__, NULL})
#define SUM_SIGS                                                                                   \
    SIGS("(value:long) long", "(value:real) real", "(value:timespan) timespan",                    \
         "(value:decimal) decimal", "(value:dynamic) real")
#define SUMIF_SIGS                                                                                 \
    SIGS("(value:long, predicate:bool) long", "(value:real, predicate:bool) real",                 \
         "(value:timespan, predicate:bool) timespan", "(value:decimal, predicate:bool) decimal",   \
         "(value:dynamic, predicate:bool) real")
#define AVG_SIGS                                                                                   \
    SIGS("(value:long) real", "(value:real) real", "(value:timespan) timespan",                    \
         "(value:datetime) datetime", "(value:decimal) decimal", "(value:dynamic) real")
#define AVGIF_SIGS                                                                                 \
    SIGS("(value:long, predicate:bool) real", "(value:real, predicate:bool) real",                 \
         "(value:timespan, predicate:bool) timespan", "(value:datetime, predicate:bool) datetime", \
         "(value:decimal, predicate:bool) decimal", "(value:dynamic, predicate:bool) real")
#define SPREAD_SIGS                                                                                \
    SIGS("(value:real) real", "(value:timespan) real", "(value:datetime) real",                    \
         "(value:decimal) real", "(value:dynamic) real")
#define SPREADIF_SIGS                                                                              \
    SIGS("(value:real, predicate:bool) real", "(value:timespan, predicate:bool) real",             \
         "(value:datetime, predicate:bool) real", "(value:decimal, predicate:bool) real",          \
         "(value:dynamic, predicate:bool) real")
#define BITS_SIGS SIGS("(value:int) int", "(value:long) long")
#define AGGR(name, doc, sigs, bytes, flags, what_update, what_merge, what_emit)                    \
    {                                                                                              \
        name, doc, sigs, bytes, flags, NULL, NULL, what_update, what_merge, what_emit              \
    }
#define MOMENT(name, doc, emit)                                                                    \
    AGGR(name, doc, SPREAD_SIGS, MOMENT_STATE_BYTES, 0, aggr_moment_update, aggr_moment_merge, emit)
#define MOMENT_IF(name, doc, emit)                                                                 \
    AGGR(name, doc, SPREADIF_SIGS, MOMENT_STATE_BYTES, 0, aggr_moment_update_if,                   \
         aggr_moment_merge, emit)
#define COMOMENT(name, doc, emit)                                                                  \
    AGGR(name, doc, SIGS("(x:real, y:real) real"), COMOMENT_STATE_BYTES, 0, aggr_comoment_update,  \
         aggr_comoment_merge, emit)
#define COMOMENT_IF(name, doc, emit)                                                               \
    AGGR(name, doc, SIGS("(x:real, y:real, predicate:bool) real"), COMOMENT_STATE_BYTES, 0,        \
         aggr_comoment_update_if, aggr_comoment_merge, emit)

const struct aggr aggr_basic[] = {
    AGGR("count", "Number of rows; of those where the predicate holds when one is given.",
         SIGS("() long", "(predicate:bool) long", "(value:any) long"), sizeof(uint64_t), 0,
         count_update, count_merge, count_emit),
    AGGR("cnt", "Old name of count.", SIGS("() long"), sizeof(uint64_t), FUNC_HIDDEN, count_update,
         count_merge, count_emit),
    AGGR("countif", "Number of rows where the predicate is true.", SIGS("(predicate:bool) long"),
         sizeof(uint64_t), 0, countif_update, count_merge, count_emit),
    AGGR("sum", "Sum of the values that are not null, 0 when there is none.", SUM_SIGS,
         sizeof(struct sum), 0, sum_update, sum_merge, sum_emit),
    AGGR("sumif", "sum over the rows where the predicate is true.", SUMIF_SIGS, sizeof(struct sum),
         0, sumif_update, sum_merge, sum_emit),
    AGGR("avg", "Mean of the values that are not null; nan, or null for times, when there is none.",
         AVG_SIGS, sizeof(struct mean), 0, avg_update, avg_merge, avg_emit),
    AGGR("avgif", "avg over the rows where the predicate is true.", AVGIF_SIGS, sizeof(struct mean),
         0, avgif_update, avg_merge, avg_emit),
    AGGR("min", "Smallest value, null when there is none.", SIGS("(value:T) T"),
         sizeof(struct extreme), 0, min_update, min_merge, extreme_emit),
    AGGR("minif", "min over the rows where the predicate is true.",
         SIGS("(value:T, predicate:bool) T"), sizeof(struct extreme), 0, minif_update, min_merge,
         extreme_emit),
    AGGR("max", "Largest value, null when there is none.", SIGS("(value:T) T"),
         sizeof(struct extreme), 0, max_update, max_merge, extreme_emit),
    AGGR("maxif", "max over the rows where the predicate is true.",
         SIGS("(value:T, predicate:bool) T"), sizeof(struct extreme), 0, maxif_update, max_merge,
         extreme_emit),
    AGGR("binary_all_and", "Bitwise and of all values, null when there is none.", BITS_SIGS,
         sizeof(struct bits), 0, and_update, and_merge, bits_emit),
    AGGR("binary_all_or", "Bitwise or of all values, null when there is none.", BITS_SIGS,
         sizeof(struct bits), 0, or_update, or_merge, bits_emit),
    AGGR("binary_all_xor", "Bitwise exclusive or of all values, null when there is none.",
         BITS_SIGS, sizeof(struct bits), 0, xor_update, xor_merge, bits_emit),
    MOMENT("stdev", "Standard deviation of a sample (divides by n - 1).", aggr_stdev_emit),
    MOMENT_IF("stdevif", "stdev over the rows where the predicate is true.", aggr_stdev_emit),
    MOMENT("stdevp", "Standard deviation of a population (divides by n).", aggr_stdevp_emit),
    MOMENT_IF("stdevpif", "stdevp over the rows where the predicate is true.", aggr_stdevp_emit),
    MOMENT("variance", "Variance of a sample (divides by n - 1).", aggr_variance_emit),
    MOMENT_IF("varianceif", "variance over the rows where the predicate is true.",
              aggr_variance_emit),
    MOMENT("variancep", "Variance of a population (divides by n).", aggr_variancep_emit),
    MOMENT_IF("variancepif", "variancep over the rows where the predicate is true.",
              aggr_variancep_emit),
    COMOMENT("covariance", "Covariance of a sample; rows with a null are left out.",
             aggr_covariance_emit),
    COMOMENT_IF("covarianceif", "covariance over the rows where the predicate is true.",
                aggr_covariance_emit),
    COMOMENT("covariancep", "Covariance of a population; rows with a null are left out.",
             aggr_covariancep_emit),
    COMOMENT_IF("covariancepif", "covariancep over the rows where the predicate is true.",
                aggr_covariancep_emit),
};
const size_t aggr_basic_count = RF_COUNT(aggr_basic);
