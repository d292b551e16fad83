/* Variance and covariance: mean and sum of squared distances, a batch at a time, joined by the
 * formulas of Chan, Golub and LeVeque, which stay exact where sums of squares would cancel. */
#include "kql/aggr_int.h"

#include <math.h>

struct moment {
    double count, mean, squares;
};
struct comoment {
    double count, mean_x, mean_y, products;
};
_Static_assert(sizeof(struct moment) == MOMENT_STATE_BYTES, "the table gives this size");
_Static_assert(sizeof(struct comoment) == COMOMENT_STATE_BYTES, "the table gives this size");

static void moment_join(struct moment *into, const struct moment *from)
{
    if (from->count == 0) return;
    if (into->count == 0) {
        *into = *from;
        return;
    }
    double count = into->count + from->count;
    double apart = from->mean - into->mean;
    into->squares += from->squares + apart * apart * (into->count * (from->count / count));
    into->mean += apart * (from->count / count);
    into->count = count;
}

static void moment_add(struct moment *m, double x)
{
    m->count += 1;
    double apart = x - m->mean;
    m->mean += apart / m->count;
    m->squares += apart * (x - m->mean);
}

/* Two passes over a batch that has no nulls: both loops are free of divisions. */
static void moment_of(const double *x, uint32_t count, struct moment *out)
{
    double sum = 0, squares = 0;
    for (uint32_t i = 0; i < count; i++) sum += x[i];
    double mean = sum / count;
    for (uint32_t i = 0; i < count; i++) squares += (x[i] - mean) * (x[i] - mean);
    *out = (struct moment){.count = count, .mean = mean, .squares = squares};
}

enum rf_kind aggr_moment_update(struct aggr_call *call, const struct vec *args, uint32_t count,
                                const uint32_t *groups, uint8_t *states, struct rf_err *err)
{
    (void)call, (void)err;
    AGGR_SCRATCH struct aggr_cells cells;
    aggr_cells_real(&args[0], count, &cells);
    struct moment *moments = (struct moment *)(void *)states;
    if (groups == NULL && cells.nulls == NULL && count > 0) {
        struct moment batch;
        moment_of(cells.real, count, &batch);
        moment_join(moments, &batch);
        return RF_OK;
    }
    for (uint32_t i = 0; i < count; i++) {
        if (cells.nulls != NULL && cells.nulls[i]) continue;
        moment_add(&moments[groups != NULL ? groups[i] : 0], cells.real[i]);
    }
    return RF_OK;
}

enum rf_kind aggr_moment_update_if(struct aggr_call *call, const struct vec *args, uint32_t count,
                                   const uint32_t *groups, uint8_t *states, struct rf_err *err)
{
    return aggr_update_where(call, args, 1, count, groups, states, aggr_moment_update, err);
}

enum rf_kind aggr_moment_merge(struct aggr_call *call, uint8_t *into, const uint8_t *from,
                               struct rf_err *err)
{
    (void)call, (void)err;
    moment_join((struct moment *)(void *)into, (const struct moment *)(const void *)from);
    return RF_OK;
}

/* One value, or none, has no spread: 0. */
static double moment_variance(const uint8_t *state, double less)
{
    const struct moment *m = (const struct moment *)(const void *)state;
    return m->count > less ? m->squares / (m->count - less) : 0;
}

#define EMIT_REAL(name, expression)                                                                \
    enum rf_kind name(struct aggr_call *call, const uint8_t *state, uint32_t column,               \
                      struct rf_arena *arena, struct value *out, struct rf_err *err)               \
    {                                                                                              \
        (void)call, (void)column, (void)arena, (void)err;                                          \
        *out = value_real(expression);                                                             \
        return RF_OK;                                                                              \
    }
EMIT_REAL(aggr_variance_emit, moment_variance(state, 1))
EMIT_REAL(aggr_variancep_emit, moment_variance(state, 0))
EMIT_REAL(aggr_stdev_emit, sqrt(moment_variance(state, 1)))
EMIT_REAL(aggr_stdevp_emit, sqrt(moment_variance(state, 0)))

/* ---- covariance ----------------------------------------------------------------------------------- */

static void comoment_add(struct comoment *m, double x, double y)
{
    m->count += 1;
    double apart = x - m->mean_x;
    m->mean_x += apart / m->count;
    m->mean_y += (y - m->mean_y) / m->count;
    m->products += apart * (y - m->mean_y);
}

enum rf_kind aggr_comoment_update(struct aggr_call *call, const struct vec *args, uint32_t count,
                                  const uint32_t *groups, uint8_t *states, struct rf_err *err)
{
    (void)call, (void)err;
    AGGR_SCRATCH struct aggr_cells x, y;
    aggr_cells_real(&args[0], count, &x);
    aggr_cells_real(&args[1], count, &y);
    struct comoment *moments = (struct comoment *)(void *)states;
    for (uint32_t i = 0; i < count; i++) {
        if ((x.nulls != NULL && x.nulls[i]) || (y.nulls != NULL && y.nulls[i])) continue;
        comoment_add(&moments[groups != NULL ? groups[i] : 0], x.real[i], y.real[i]);
    }
    return RF_OK;
}

enum rf_kind aggr_comoment_update_if(struct aggr_call *call, const struct vec *args, uint32_t count,
                                     const uint32_t *groups, uint8_t *states, struct rf_err *err)
{
    return aggr_update_where(call, args, 2, count, groups, states, aggr_comoment_update, err);
}

enum rf_kind aggr_comoment_merge(struct aggr_call *call, uint8_t *into_state,
                                 const uint8_t *from_state, struct rf_err *err)
{
    (void)call, (void)err;
    struct comoment *into = (struct comoment *)(void *)into_state;
    const struct comoment *from = (const struct comoment *)(const void *)from_state;
    if (from->count == 0) return RF_OK;
    double count = into->count + from->count;
    double apart_x = from->mean_x - into->mean_x, apart_y = from->mean_y - into->mean_y;
    into->products += from->products + apart_x * apart_y * (into->count * (from->count / count));
    into->mean_x += apart_x * (from->count / count);
    into->mean_y += apart_y * (from->count / count);
    into->count = count;
    return RF_OK;
}

static double comoment_covariance(const uint8_t *state, double less)
{
    const struct comoment *m = (const struct comoment *)(const void *)state;
    return m->count > less ? m->products / (m->count - less) : 0;
}
EMIT_REAL(aggr_covariance_emit, comoment_covariance(state, 1))
EMIT_REAL(aggr_covariancep_emit, comoment_covariance(state, 0))
