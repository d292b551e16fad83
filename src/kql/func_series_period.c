/* Periods of a series and its seasonal part.
 *
 * A period is looked for in the autocorrelation: the series must look like itself when it is moved by
 * one period, and as much when it is moved by two. The score is the lower of the two correlations; that
 * is also why a period must occur more than twice to be found. On the example of the documentation
 * (two samples a day, weekly pattern) this gives period 14 with score 0.84, and 0 for 10. */
#include "kql/func_series_int.h"

#include <math.h>

#define PERIOD_MIN 4
enum { PERIODS_MAX = 1024 };

/* ---- autocorrelation ----------------------------------------------------------------------------------- */

/* Removes the mean, and the trend where a line explains most of the series: a steep trend hides every
 * period, while a weak one must not change the score. */
static void level_out(double *x, uint32_t count)
{
    struct series_line line;
    series_fit(x, count, &line);
    bool steep = line.rsquare > 0.5;
    double mean = line.interception + line.slope * (count - 1) / 2.0;
    for (uint32_t i = 0; i < count; i++) x[i] -= steep ? line.interception + line.slope * i : mean;
}

/* Correlation of the series with itself moved by 0..count-1, each lag by its own number of pairs. NULL on
 * lack of memory; all 0 for a constant series. */
static double *autocorrelation(const double *x, uint32_t count, struct rf_arena *arena)
{
    uint32_t size = 1;
    while (size < 2 * (uint64_t)count) size *= 2;
    double *re = rf_arena_new(arena, double, size), *im = rf_arena_new(arena, double, size);
    if (re == NULL || im == NULL) return NULL;
    memcpy(re, x, count * sizeof *re);
    level_out(re, count);
    double power = 0, raw = 0;
    for (uint32_t i = 0; i < count; i++) {
        power += re[i] * re[i];
        raw += x[i] * x[i];
    }
    if (!(power > raw * 1e-20)) {
        memset(re, 0, count * sizeof *re);
        return re;
    }
    if (!series_fft(re, im, size, false, arena)) return NULL;
    for (uint32_t i = 0; i < size; i++) {
        re[i] = re[i] * re[i] + im[i] * im[i];
        im[i] = 0;
    }
    if (!series_fft(re, im, size, true, arena)) return NULL;
    for (uint32_t lag = 0; lag < count; lag++) re[lag] *= count / (power * (count - lag));
    return re;
}

static double period_score(const double *correlation, uint32_t count, uint32_t period)
{
    if (period < PERIOD_MIN || 2 * (uint64_t)period >= count) return 0;
    double score = RF_MIN(correlation[period], correlation[2 * period]);
    return RF_MAX(0.0, RF_MIN(score, 1.0));
}

/* ---- candidates ----------------------------------------------------------------------------------------- */

struct period {
    uint32_t period;
    double score;
};

/* Peaks of the autocorrelation within the bounds, whose score chance does not explain. */
static uint32_t find_peaks(const double *correlation, uint32_t count, double low, double high,
                           struct period *peaks, uint32_t peaks_max)
{
    double noise = 2 / sqrt(count);
    uint32_t found = 0;
    for (uint32_t p = PERIOD_MIN; p <= high && 2 * (uint64_t)p < count && found < peaks_max; p++) {
        if (p < low || correlation[p] < correlation[p - 1] || correlation[p] < correlation[p + 1])
            continue;
        double score = period_score(correlation, count, p);
        if (score > noise) peaks[found++] = (struct period){p, score};
    }
    return found;
}

/* True when `other` says no more than `better`: a multiple of it, or a side peak of such a multiple. */
static bool is_echo(uint32_t better, uint32_t other)
{
    double times = (double)other / better;
    double off = fabs(times - nearbyint(times)) * better;
    return times > 0.5 && nearbyint(times) >= 1 && off <= RF_MAX(better / 4.0, 1.0);
}

/* The best remaining peak; among nearly equals the shortest, since multiples of a period score alike. */
static struct period take_best(struct period *peaks, uint32_t *count)
{
    struct period best = {0};
    for (uint32_t i = 0; i < *count; i++)
        if (peaks[i].score > best.score * 1.1 || (best.period == 0 && peaks[i].score > 0))
            best = peaks[i];
    uint32_t kept = 0;
    for (uint32_t i = 0; i < *count && best.period != 0; i++)
        if (!is_echo(best.period, peaks[i].period)) peaks[kept++] = peaks[i];
    *count = kept;
    return best;
}

/* Fills found[0..wanted-1], best first, zeros where there are no more. */
static bool detect(const double *x, uint32_t count, double low, double high, uint32_t wanted,
                   struct rf_arena *arena, struct period *found)
{
    memset(found, 0, wanted * sizeof *found);
    if (count < 2 * PERIOD_MIN) return true;
    double *correlation = autocorrelation(x, count, arena);
    struct period *peaks = rf_arena_new(arena, struct period, count / 2 + 1);
    if (correlation == NULL || peaks == NULL) return false;
    uint32_t peak_count = find_peaks(correlation, count, low, high, peaks, count / 2 + 1);
    for (uint32_t i = 0; i < wanted && peak_count > 0; i++)
        found[i] = take_best(peaks, &peak_count);
    return true;
}

bool series_best_period(const double *x, uint32_t count, struct rf_arena *arena, double *period,
                        double *score)
{
    struct period best;
    if (!detect(x, count, PERIOD_MIN, count / 2.0, 1, arena, &best)) return false;
    *period = best.period;
    *score = best.score;
    return true;
}

/* ---- series_periods_detect, series_periods_validate ------------------------------------------------------- */

static enum rf_kind give_pair(struct series_call *sc, uint32_t row, const double *a,
                              const double *b, uint32_t count)
{
    struct rf_buf buf = rf_buf_in(sc->call->arena);
    struct dyn_builder tuple;
    dyn_begin(&tuple, &buf, DYN_ARRAY);
    dyn_next(&tuple);
    series_put_reals(&buf, a, count);
    dyn_next(&tuple);
    series_put_reals(&buf, b, count);
    dyn_end(&tuple);
    return series_give_buf(sc, row, &buf);
}

static enum rf_kind detect_row(struct series_call *sc, uint32_t row)
{
    struct series s;
    RF_TRY(series_arg(sc, 0, row, &s));
    int64_t wanted = series_arg_long(sc, 3, row, 1);
    if (!series_is_finite(&s) || wanted < 0 || wanted > PERIODS_MAX)
        return series_give_null(sc, row);
    uint32_t count = (uint32_t)wanted;
    struct period *found = rf_arena_new(sc->scratch, struct period, count);
    double *periods = rf_arena_new(sc->scratch, double, count);
    double *scores = rf_arena_new(sc->scratch, double, count);
    if (found == NULL || periods == NULL || scores == NULL ||
        !detect(s.x, s.count, series_arg_real(sc, 1, row, 0), series_arg_real(sc, 2, row, s.count),
                count, sc->scratch, found))
        return rf_fail_memory(sc->err, sc->scratch);
    for (uint32_t i = 0; i < count; i++) {
        periods[i] = found[i].period;
        scores[i] = found[i].score;
    }
    return give_pair(sc, row, periods, scores, count);
}
SERIES_KERNEL(series_periods_detect, detect_row)

static enum rf_kind validate_row(struct series_call *sc, uint32_t row)
{
    struct series s;
    RF_TRY(series_arg(sc, 0, row, &s));
    if (!series_is_finite(&s)) return series_give_null(sc, row);
    uint32_t count = sc->call->arg_count - 1;
    double *periods = rf_arena_new(sc->scratch, double, count);
    double *scores = rf_arena_new(sc->scratch, double, count);
    double *correlation = s.count == 0 ? s.x : autocorrelation(s.x, s.count, sc->scratch);
    if (periods == NULL || scores == NULL || correlation == NULL)
        return rf_fail_memory(sc->err, sc->scratch);
    for (uint32_t i = 0; i < count; i++) {
        periods[i] = series_arg_real(sc, i + 1, row, 0);
        if (periods[i] >= PERIOD_MIN && periods[i] < s.count)
            scores[i] = period_score(correlation, s.count, (uint32_t)nearbyint(periods[i]));
    }
    return give_pair(sc, row, periods, scores, count);
}
SERIES_KERNEL(series_periods_validate, validate_row)

/* ---- series_seasonal ---------------------------------------------------------------------------------------- */

bool series_seasonal_of(const double *x, uint32_t count, uint32_t learn, uint32_t period,
                        struct rf_arena *arena, double *seasonal)
{
    double *phase = rf_arena_raw(arena, double, learn / period + 1);
    if (phase == NULL) return false;
    for (uint32_t start = 0; start < period && start < count; start++) {
        uint32_t n = 0;
        for (uint64_t i = start; i < learn; i += period) phase[n++] = x[i];
        double median = n > 0 ? series_median(phase, n) : 0;
        for (uint64_t i = start; i < count; i += period) seasonal[i] = median;
    }
    return true;
}

#define SEASONAL_SCORE_MIN 0.7

static enum rf_kind seasonal_row(struct series_call *sc, uint32_t row)
{
    struct series s;
    RF_TRY(series_arg(sc, 0, row, &s));
    if (!series_is_finite(&s)) return series_give_null(sc, row);
    double *seasonal = rf_arena_new(sc->scratch, double, s.count);
    if (seasonal == NULL) return rf_fail_memory(sc->err, sc->scratch);
    int64_t test_points = RF_MAX(series_arg_long(sc, 2, row, 0), (int64_t)0);
    uint32_t learn = s.count - (uint32_t)RF_MIN(test_points, (int64_t)s.count);
    double period = (double)series_arg_long(sc, 1, row, -1), score = 1;
    if (period == -1) {
        if (!series_best_period(s.x, learn, sc->scratch, &period, &score))
            return rf_fail_memory(sc->err, sc->scratch);
    }
    bool use = period >= 1 && period <= s.count && score >= SEASONAL_SCORE_MIN;
    if (use && !series_seasonal_of(s.x, s.count, learn, (uint32_t)period, sc->scratch, seasonal))
        return rf_fail_memory(sc->err, sc->scratch);
    return series_give_reals(sc, row, seasonal, s.count);
}
SERIES_KERNEL(series_seasonal, seasonal_row)
