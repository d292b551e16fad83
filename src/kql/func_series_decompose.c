/* Splitting a series into season, trend and rest, and what rests on it: anomalies, forecast. */
#include "kql/func_series_int.h"

#include <math.h>
#include <stdlib.h>

/* ---- decomposition -------------------------------------------------------------------------------------- */

enum trend { TREND_AVG, TREND_LINE, TREND_NONE };

struct decompose_args {
    int64_t seasonality; /* -1: detect, 0: none, else the period */
    double score_min;
    uint32_t learn; /* points that are learnt from; the others are only predicted */
    enum trend trend;
};

struct parts {
    double *baseline, *seasonal, *trend, *residual;
};

static bool parse_trend(rf_str text, enum trend *out)
{
    if (rf_str_is(text, "avg"))
        *out = TREND_AVG;
    else if (rf_str_is(text, "linefit"))
        *out = TREND_LINE;
    else if (rf_str_is(text, "none"))
        *out = TREND_NONE;
    else
        return false;
    return true;
}

static bool find_season(const struct series *s, const struct decompose_args *a,
                        struct rf_arena *arena, double *seasonal)
{
    double period = (double)a->seasonality, score = 1;
    if (a->seasonality < 0) {
        if (!series_best_period(s->x, a->learn, arena, &period, &score)) return false;
        if (score < a->score_min) period = 0;
    }
    if (period < 1 || period > a->learn) return true; /* seasonal stays 0 */
    return series_seasonal_of(s->x, s->count, a->learn, (uint32_t)period, arena, seasonal);
}

static void find_trend(const struct series *s, const struct decompose_args *a, struct parts *parts)
{
    if (a->trend == TREND_NONE || a->learn == 0) return;
    struct series_line line;
    /* The residual serves as room for the series without its season. */
    for (uint32_t i = 0; i < a->learn; i++) parts->residual[i] = s->x[i] - parts->seasonal[i];
    series_fit(parts->residual, a->learn, &line);
    double mean = line.interception + line.slope * (a->learn - 1) / 2.0;
    for (uint32_t i = 0; i < s->count; i++)
        parts->trend[i] = a->trend == TREND_LINE ? line.interception + line.slope * i : mean;
}

static enum rf_kind decompose(struct series_call *sc, const struct series *s,
                              const struct decompose_args *a, struct parts *parts)
{
    double *room = rf_arena_array(sc->scratch, s->count, 4 * sizeof *room);
    if (room == NULL) return rf_fail_memory(sc->err, sc->scratch);
    *parts = (struct parts){room, room + s->count, room + 2 * (size_t)s->count,
                            room + 3 * (size_t)s->count};
    if (!find_season(s, a, sc->scratch, parts->seasonal))
        return rf_fail_memory(sc->err, sc->scratch);
    find_trend(s, a, parts);
    for (uint32_t i = 0; i < s->count; i++) {
        parts->baseline[i] = parts->seasonal[i] + parts->trend[i];
        parts->residual[i] = s->x[i] - parts->baseline[i];
    }
    return RF_OK;
}

/* Positions of the arguments that the three functions share; 0 is not there. */
struct decompose_at {
    uint32_t seasonality, trend, test_points, score;
    const char *trend_default;
};

/* False when the series or an argument does not serve; the result is null then. */
static bool read_args(const struct series_call *sc, uint32_t row, const struct series *s,
                      const struct decompose_at *at, struct decompose_args *a)
{
    if (!series_is_finite(s)) return false;
    a->seasonality = series_arg_long(sc, at->seasonality, row, -1);
    a->score_min = series_arg_real(sc, at->score, row, 0.6);
    int64_t points = RF_MAX(series_arg_long(sc, at->test_points, row, 0), (int64_t)0);
    if (points > s->count) return false;
    a->learn = s->count - (uint32_t)points;
    rf_str trend = series_arg_str(sc, at->trend, row, rf_str_of(at->trend_default));
    return parse_trend(trend, &a->trend);
}

static void put_series(struct dyn_builder *tuple, struct rf_buf *buf, const double *x,
                       uint32_t count)
{
    dyn_next(tuple);
    series_put_reals(buf, x, count);
}

/* Baseline, season, trend and residual, a column each. */
static enum rf_kind give_parts(struct series_call *sc, uint32_t row, const struct parts *parts,
                               uint32_t count)
{
    struct rf_buf buf = rf_buf_in(sc->call->arena);
    struct dyn_builder tuple;
    dyn_begin(&tuple, &buf, DYN_ARRAY);
    put_series(&tuple, &buf, parts->baseline, count);
    put_series(&tuple, &buf, parts->seasonal, count);
    put_series(&tuple, &buf, parts->trend, count);
    put_series(&tuple, &buf, parts->residual, count);
    dyn_end(&tuple);
    return series_give_buf(sc, row, &buf);
}

static enum rf_kind decompose_row(struct series_call *sc, uint32_t row)
{
    static const struct decompose_at at = {1, 2, 3, 4, "avg"};
    struct series s;
    struct decompose_args a;
    struct parts parts;
    RF_TRY(series_arg(sc, 0, row, &s));
    if (!read_args(sc, row, &s, &at, &a)) return series_give_null(sc, row);
    RF_TRY(decompose(sc, &s, &a, &parts));
    return give_parts(sc, row, &parts, s.count);
}
SERIES_KERNEL(series_decompose, decompose_row)

/* A forecast without a trend would end at the mean of the past, so the line is the default here. */
static enum rf_kind forecast_row(struct series_call *sc, uint32_t row)
{
    static const struct decompose_at at = {2, 3, 1, 4, "linefit"};
    struct series s;
    struct decompose_args a;
    struct parts parts;
    RF_TRY(series_arg(sc, 0, row, &s));
    /* The points to be forecast may well be missing. */
    int64_t points = series_arg_long(sc, 1, row, 0);
    if (s.x != NULL && points > 0)
        for (int64_t i = RF_MAX((int64_t)s.count - points, (int64_t)0); i < s.count; i++)
            if (!isfinite(s.x[i])) s.x[i] = 0;
    if (!read_args(sc, row, &s, &at, &a)) return series_give_null(sc, row);
    RF_TRY(decompose(sc, &s, &a, &parts));
    return give_parts(sc, row, &parts, s.count);
}
SERIES_KERNEL(series_decompose_forecast, forecast_row)

/* ---- outliers -------------------------------------------------------------------------------------------- */

static int compare_reals(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Percentile of sorted values, interpolated. */
static double quantile(const double *sorted, uint32_t count, double percent)
{
    double at = percent / 100 * (count - 1);
    uint32_t low = (uint32_t)at;
    if (low + 1 >= count) return sorted[count - 1];
    return sorted[low] + (sorted[low + 1] - sorted[low]) * (at - low);
}

struct fences {
    double low, high, range;
};

/* Learns the fences from x[0..count-1], whose order is lost. Where most values are one and the same the
 * range between the percentiles is 0; the standard deviation then serves as the unit. */
static struct fences find_fences(double *x, uint32_t count, double low, double high)
{
    struct fences f = {0};
    if (count == 0) return f;
    qsort(x, count, sizeof *x, compare_reals);
    f.low = quantile(x, count, low);
    f.high = quantile(x, count, high);
    f.range = f.high - f.low;
    if (f.range > 0) return f;
    double mean = 0, squares = 0;
    for (uint32_t i = 0; i < count; i++) mean += x[i] / count;
    for (uint32_t i = 0; i < count; i++) squares += (x[i] - mean) * (x[i] - mean);
    f.range = sqrt(squares / count);
    return f;
}

static double fence_score(const struct fences *f, double x)
{
    double off = x > f->high ? x - f->high : x < f->low ? x - f->low : 0;
    return off == 0 || f->range <= 0 ? 0 : off / f->range;
}

static bool parse_kind(rf_str kind, double *low, double *high)
{
    if (rf_str_is(kind, "ctukey")) return true;
    if (!rf_str_is(kind, "tukey")) return false;
    *low = 25;
    *high = 75;
    return true;
}

static enum rf_kind outliers_row(struct series_call *sc, uint32_t row)
{
    struct series s;
    RF_TRY(series_arg(sc, 0, row, &s));
    double ignore = series_arg_real(sc, 2, row, (double)NAN);
    double low = series_arg_real(sc, 3, row, 10), high = series_arg_real(sc, 4, row, 90);
    int64_t points = RF_MAX(series_arg_long(sc, 5, row, 0), (int64_t)0);
    bool ok = s.x != NULL && !s.scalar && low >= 2 && high <= 98 && low <= high &&
              parse_kind(series_arg_str(sc, 1, row, RF_S("ctukey")), &low, &high);
    if (!ok) return series_give_null(sc, row);
    double *learnt = rf_arena_new(sc->scratch, double, s.count);
    if (learnt == NULL) return rf_fail_memory(sc->err, sc->scratch);
    uint32_t count = 0;
    for (int64_t i = 0; i < (int64_t)s.count - points; i++)
        if (isfinite(s.x[i]) && s.x[i] != ignore) learnt[count++] = s.x[i];
    struct fences fences = find_fences(learnt, count, low, high);
    for (uint32_t i = 0; i < s.count; i++)
        s.x[i] = !isfinite(s.x[i]) || s.x[i] == ignore ? 0 : fence_score(&fences, s.x[i]);
    return series_give_reals(sc, row, s.x, s.count);
}
SERIES_KERNEL(series_outliers, outliers_row)

/* ---- anomalies -------------------------------------------------------------------------------------------- */

static enum rf_kind anomalies_row(struct series_call *sc, uint32_t row)
{
    static const struct decompose_at at = {2, 3, 4, 6, "avg"};
    struct series s, flags;
    struct decompose_args a;
    struct parts parts;
    double low = 10, high = 90, threshold = series_arg_real(sc, 1, row, 1.5);
    RF_TRY(series_arg(sc, 0, row, &s));
    if (!read_args(sc, row, &s, &at, &a) ||
        !parse_kind(series_arg_str(sc, 5, row, RF_S("ctukey")), &low, &high))
        return series_give_null(sc, row);
    RF_TRY(decompose(sc, &s, &a, &parts));
    RF_TRY(series_new(s.count, sc->scratch, &flags, sc->err));
    memcpy(parts.trend, parts.residual, a.learn * sizeof *parts.trend);
    struct fences fences = find_fences(parts.trend, a.learn, low, high);
    for (uint32_t i = 0; i < s.count; i++) {
        /* What is left by rounding is no anomaly. */
        double size = fabs(s.x[i]) + fabs(parts.baseline[i]);
        bool rounding = fabs(parts.residual[i]) <= size * 1e-12;
        parts.residual[i] = rounding ? 0 : fence_score(&fences, parts.residual[i]);
        flags.kind[i] = SERIES_WHOLE;
        flags.whole[i] = (parts.residual[i] > threshold) - (parts.residual[i] < -threshold);
    }
    rf_str encoded;
    if (!series_encode(&flags, sc->scratch, &encoded)) return rf_fail_memory(sc->err, sc->scratch);
    struct rf_buf buf = rf_buf_in(sc->call->arena);
    struct dyn_builder tuple;
    dyn_begin(&tuple, &buf, DYN_ARRAY);
    dyn_next(&tuple);
    dyn_put_encoded(&buf, encoded);
    put_series(&tuple, &buf, parts.residual, s.count);
    put_series(&tuple, &buf, parts.baseline, s.count);
    dyn_end(&tuple);
    return series_give_buf(sc, row, &buf);
}
SERIES_KERNEL(series_decompose_anomalies, anomalies_row)
