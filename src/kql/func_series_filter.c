/* Filters and the Fourier transform. */
#include "kql/func_series_int.h"

#include <math.h>

/* ---- finite and infinite impulse response ------------------------------------------------------------ */

/* Longer filters than this times the series would run for minutes on one row. */
#define FILTER_STEPS_MAX (UINT64_C(1) << 32)

static bool fir_weights(struct series_call *sc, uint32_t row, struct series *filter)
{
    double sum = 0;
    bool negative = false;
    for (uint32_t i = 0; i < filter->count; i++) {
        sum += filter->x[i];
        negative = negative || filter->x[i] < 0;
    }
    if (!series_arg_bool(sc, 2, row, !negative)) return true;
    if (negative || sum == 0) return false;
    for (uint32_t i = 0; i < filter->count; i++) filter->x[i] /= sum;
    return true;
}

static enum rf_kind fir_row(struct series_call *sc, uint32_t row)
{
    struct series s, filter;
    RF_TRY(series_arg(sc, 0, row, &s));
    RF_TRY(series_arg(sc, 1, row, &filter));
    if (!series_is_finite(&s) || !series_is_finite(&filter) || filter.count == 0 ||
        (uint64_t)s.count * filter.count > FILTER_STEPS_MAX || !fir_weights(sc, row, &filter))
        return series_give_null(sc, row);
    double *y = rf_arena_new(sc->scratch, double, s.count);
    if (y == NULL) return rf_fail_memory(sc->err, sc->scratch);
    /* Centred, half of the window lies ahead. Outside of the series there is 0. */
    uint32_t ahead = series_arg_bool(sc, 3, row, false) ? (filter.count - 1) / 2 : 0;
    for (uint64_t i = 0; i < s.count; i++) {
        RF_TRY(func_go_on(sc->call, sc->err));
        for (uint64_t k = 0; k < filter.count; k++) {
            uint64_t at = i + ahead - k; /* wraps far beyond count when it lies before the start */
            if (at < s.count) y[i] += filter.x[k] * s.x[at];
        }
    }
    return series_give_reals(sc, row, y, s.count);
}
SERIES_KERNEL(series_fir, fir_row)

static enum rf_kind iir_row(struct series_call *sc, uint32_t row)
{
    struct series s, b, a;
    RF_TRY(series_arg(sc, 0, row, &s));
    RF_TRY(series_arg(sc, 1, row, &b));
    RF_TRY(series_arg(sc, 2, row, &a));
    if (!series_is_finite(&s) || !series_is_finite(&b) || !series_is_finite(&a) || a.count == 0 ||
        a.x[0] == 0 || (uint64_t)s.count * ((uint64_t)a.count + b.count) > FILTER_STEPS_MAX)
        return series_give_null(sc, row);
    double *y = rf_arena_new(sc->scratch, double, s.count);
    if (y == NULL) return rf_fail_memory(sc->err, sc->scratch);
    for (uint32_t i = 0; i < s.count; i++) {
        double sum = 0;
        RF_TRY(func_go_on(sc->call, sc->err));
        for (uint32_t k = 0; k < b.count && k <= i; k++) sum += b.x[k] * s.x[i - k];
        for (uint32_t k = 1; k < a.count && k <= i; k++) sum -= a.x[k] * y[i - k];
        y[i] = sum / a.x[0];
    }
    return series_give_reals(sc, row, y, s.count);
}
SERIES_KERNEL(series_iir, iir_row)

/* ---- fft ------------------------------------------------------------------------------------------------- */

/* Iterative, radix 2; `cosine` and `sine` hold the roots of unity for `count`. */
static void fft_power_of_two(double *re, double *im, uint32_t count, const double *cosine,
                             const double *sine)
{
    for (uint32_t i = 1, j = 0; i < count; i++) {
        uint32_t bit = count >> 1;
        for (; j & bit; bit >>= 1) j ^= bit;
        j ^= bit;
        if (i >= j) continue;
        double r = re[i], m = im[i];
        re[i] = re[j];
        im[i] = im[j];
        re[j] = r;
        im[j] = m;
    }
    for (uint32_t size = 2; size <= count; size *= 2) {
        uint32_t half = size / 2, stride = count / size;
        for (uint32_t start = 0; start < count; start += size)
            for (uint32_t k = 0; k < half; k++) {
                double c = cosine[k * stride], s = sine[k * stride];
                uint32_t a = start + k, b = a + half;
                double r = re[b] * c - im[b] * s, m = re[b] * s + im[b] * c;
                re[b] = re[a] - r;
                im[b] = im[a] - m;
                re[a] += r;
                im[a] += m;
            }
    }
}

static bool roots(uint32_t count, double **cosine, double **sine, struct rf_arena *arena)
{
    *cosine = rf_arena_new(arena, double, count / 2 + 1);
    *sine = rf_arena_new(arena, double, count / 2 + 1);
    if (*cosine == NULL || *sine == NULL) return false;
    for (uint32_t i = 0; i <= count / 2; i++) {
        (*cosine)[i] = cos(-2 * M_PI * i / count);
        (*sine)[i] = sin(-2 * M_PI * i / count);
        /* Quarter turns exactly, so that short transforms of whole numbers are whole. */
        if (4 * (uint64_t)i == count) (*cosine)[i] = 0;
        if (2 * (uint64_t)i == count) (*sine)[i] = 0;
    }
    return true;
}

/* Bluestein: any length as a convolution, done by transforms of a power of two. */
static bool fft_any_length(double *re, double *im, uint32_t count, struct rf_arena *arena)
{
    uint32_t size = 1;
    while (size < 2 * (uint64_t)count) size *= 2;
    double *cosine, *sine;
    double *wr = rf_arena_new(arena, double, count), *wi = rf_arena_new(arena, double, count);
    double *ar = rf_arena_new(arena, double, size), *ai = rf_arena_new(arena, double, size);
    double *br = rf_arena_new(arena, double, size), *bi = rf_arena_new(arena, double, size);
    if (wr == NULL || wi == NULL || ar == NULL || ai == NULL || br == NULL || bi == NULL ||
        !roots(size, &cosine, &sine, arena))
        return false;
    for (uint32_t i = 0; i < count; i++) {
        /* i * i modulo 2 * count keeps the angle small and thus exact. */
        double angle = -M_PI * (double)((uint64_t)i * i % (2 * (uint64_t)count)) / count;
        wr[i] = cos(angle);
        wi[i] = sin(angle);
        ar[i] = re[i] * wr[i] - im[i] * wi[i];
        ai[i] = re[i] * wi[i] + im[i] * wr[i];
        br[i] = wr[i];
        bi[i] = -wi[i];
        if (i > 0) {
            br[size - i] = wr[i];
            bi[size - i] = -wi[i];
        }
    }
    fft_power_of_two(ar, ai, size, cosine, sine);
    fft_power_of_two(br, bi, size, cosine, sine);
    for (uint32_t i = 0; i < size; i++) {
        double r = ar[i] * br[i] - ai[i] * bi[i], m = ar[i] * bi[i] + ai[i] * br[i];
        /* Exchanging the parts before and after turns the transform into its inverse. */
        ar[i] = m;
        ai[i] = r;
    }
    fft_power_of_two(ar, ai, size, cosine, sine);
    for (uint32_t i = 0; i < count; i++) {
        double r = ai[i] / size, m = ar[i] / size;
        re[i] = r * wr[i] - m * wi[i];
        im[i] = r * wi[i] + m * wr[i];
    }
    return true;
}

static bool fft_forward(double *re, double *im, uint32_t count, struct rf_arena *arena)
{
    double *cosine, *sine;
    if ((count & (count - 1)) != 0) return fft_any_length(re, im, count, arena);
    if (!roots(count, &cosine, &sine, arena)) return false;
    fft_power_of_two(re, im, count, cosine, sine);
    return true;
}

bool series_fft(double *re, double *im, uint32_t count, bool inverse, struct rf_arena *arena)
{
    if (count == 0) return true;
    if (!inverse) return fft_forward(re, im, count, arena);
    if (!fft_forward(im, re, count, arena)) return false;
    for (uint32_t i = 0; i < count; i++) {
        re[i] /= count;
        im[i] /= count;
    }
    return true;
}

static enum rf_kind transform(struct series_call *sc, uint32_t row, bool inverse)
{
    struct series re, im = {0};
    RF_TRY(series_arg(sc, 0, row, &re));
    if (!series_is_finite(&re)) return series_give_null(sc, row);
    if (sc->call->arg_count > 1) {
        RF_TRY(series_arg(sc, 1, row, &im));
        if (!series_is_finite(&im) || im.count != re.count) return series_give_null(sc, row);
    } else {
        RF_TRY(series_new(re.count, sc->scratch, &im, sc->err));
    }
    if (!series_fft(re.x, im.x, re.count, inverse, sc->scratch))
        return rf_fail_memory(sc->err, sc->scratch);
    struct rf_buf buf = rf_buf_in(sc->call->arena);
    struct dyn_builder tuple;
    dyn_begin(&tuple, &buf, DYN_ARRAY);
    dyn_next(&tuple);
    series_put_reals(&buf, re.x, re.count);
    dyn_next(&tuple);
    series_put_reals(&buf, im.x, re.count);
    dyn_end(&tuple);
    return series_give_buf(sc, row, &buf);
}

static enum rf_kind fft_row(struct series_call *sc, uint32_t row)
{
    return transform(sc, row, false);
}
static enum rf_kind ifft_row(struct series_call *sc, uint32_t row)
{
    return transform(sc, row, true);
}
SERIES_KERNEL(series_fft_kernel, fft_row)
SERIES_KERNEL(series_ifft_kernel, ifft_row)
