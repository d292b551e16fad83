/* func_series_int.h - reading and writing numeric arrays, and the kernels of the series_* family, which
 * are spread over several files by theme. */
#ifndef RF_FUNC_SERIES_INT_H
#define RF_FUNC_SERIES_INT_H

#include "kql/func.h"
#include "value/dyn.h"

/* A series is at most so long; longer ones give null rather than hours of work. */
enum { SERIES_COUNT_MAX = 1 << 24 };

enum series_kind {
    SERIES_NONE,  /* null, or no number */
    SERIES_WHOLE, /* int or long: whole[i] holds it, x[i] its real */
    SERIES_REAL
};

struct series {
    double *x;     /* nan where there is no number; NULL: the argument was no series at all */
    uint8_t *kind; /* enum series_kind per element */
    int64_t *whole;
    uint32_t count;
    bool scalar; /* a plain number: one element that stands for any number of elements */
};

/* Reads the argument's row. Dynamic arrays are series, numbers scalars; times inside count as their
 * ticks. On RF_OK out->x is NULL when it is neither. */
RF_MUST_USE enum rf_kind series_read(const struct vec *v, uint32_t row, struct rf_arena *arena,
                                     struct series *out, struct rf_err *err);
/* An empty series with room for `count` elements, all SERIES_REAL and 0. */
RF_MUST_USE enum rf_kind series_new(uint32_t count, struct rf_arena *arena, struct series *out,
                                    struct rf_err *err);
/* True when it is an array whose elements are all finite numbers. */
bool series_is_finite(const struct series *s);
/* Encodes as a dynamic array; SERIES_NONE gives null. */
RF_MUST_USE bool series_encode(const struct series *s, struct rf_arena *arena, rf_str *out);
/* The same from plain reals. */
RF_MUST_USE bool series_encode_reals(const double *x, uint32_t count, struct rf_arena *arena,
                                     rf_str *out);

/* ---- kernels row by row ------------------------------------------------------------------------------- */

/* What a row function works with. */
struct series_call {
    struct func_call *call;
    const struct vec *args;
    struct vec *out;
    struct rf_arena *scratch; /* emptied after each row */
    struct rf_err *err;
};
typedef enum rf_kind series_row(struct series_call *sc, uint32_t row);
/* Calls `fn` for each row. */
enum rf_kind series_rows(struct func_call *call, const struct vec *args, uint32_t count,
                         struct vec *out, series_row *fn, struct rf_err *err);
#define SERIES_KERNEL(name, row_function)                                                          \
    enum rf_kind name(struct func_call *call, const struct vec *args, uint32_t count,              \
                      struct vec *out, struct rf_err *err)                                         \
    {                                                                                              \
        return series_rows(call, args, count, out, row_function, err);                             \
    }

/* Reads argument `arg` of this row. */
static inline enum rf_kind series_arg(struct series_call *sc, uint32_t arg, uint32_t row,
                                      struct series *out)
{
    return series_read(&sc->args[arg], row, sc->scratch, out, sc->err);
}
/* Optional scalar arguments, with what they are when absent or null. */
double series_arg_real(const struct series_call *sc, uint32_t arg, uint32_t row, double otherwise);
int64_t series_arg_long(const struct series_call *sc, uint32_t arg, uint32_t row,
                        int64_t otherwise);
bool series_arg_bool(const struct series_call *sc, uint32_t arg, uint32_t row, bool otherwise);
rf_str series_arg_str(const struct series_call *sc, uint32_t arg, uint32_t row, rf_str otherwise);

/* Results. */
enum rf_kind series_give_null(struct series_call *sc, uint32_t row);
enum rf_kind series_give_real(struct series_call *sc, uint32_t row, double r);
enum rf_kind series_give(struct series_call *sc, uint32_t row, const struct series *s);
enum rf_kind series_give_reals(struct series_call *sc, uint32_t row, const double *x,
                               uint32_t count);
/* A tuple (array) or a bag, written by the caller into *buf, which is in sc->call->arena. */
enum rf_kind series_give_buf(struct series_call *sc, uint32_t row, const struct rf_buf *buf);
/* Appends an array of reals to a buffer. */
void series_put_reals(struct rf_buf *buf, const double *x, uint32_t count);

/* ---- shared computations -------------------------------------------------------------------------------- */

/* Least-squares line through (0, x[0]), (1, x[1]) ... */
struct series_line {
    double rsquare, slope, variance, rvariance, interception;
};
void series_fit(const double *x, uint32_t count, struct series_line *line);
/* In place, of any length; false on lack of memory. `inverse` also divides by the length. */
RF_MUST_USE bool series_fft(double *re, double *im, uint32_t count, bool inverse,
                            struct rf_arena *arena);
/* Median of x[0..count-1], which is reordered; count > 0. */
double series_median(double *x, uint32_t count);

/* ---- kernels ------------------------------------------------------------------------------------------------ */

/* func_series_math.c */
func_kernel series_abs, series_acos, series_asin, series_atan, series_ceiling, series_cos,
    series_exp, series_floor, series_log, series_sign, series_sin, series_tan;
func_kernel series_add, series_subtract, series_multiply, series_divide, series_pow;
func_kernel series_equals, series_not_equals, series_less, series_less_equals, series_greater,
    series_greater_equals;
func_kernel series_sum, series_product, series_magnitude, series_dot_product,
    series_cosine_similarity, series_pearson_correlation;
func_kernel series_stats, series_stats_dynamic;
/* func_series_fill.c */
func_kernel series_fill_forward, series_fill_backward, series_fill_const, series_fill_linear;
/* func_series_filter.c */
func_kernel series_fir, series_iir, series_fft_kernel, series_ifft_kernel;
/* func_series_fit.c */
func_kernel series_fit_line, series_fit_line_dynamic, series_fit_2lines, series_fit_2lines_dynamic,
    series_fit_poly;
/* func_series_period.c */
func_kernel series_periods_detect, series_periods_validate, series_seasonal;
/* func_series_decompose.c */
func_kernel series_decompose, series_decompose_anomalies, series_decompose_forecast,
    series_outliers;

/* func_series_period.c: the strongest period of x with its score, 0 when there is none. */
RF_MUST_USE bool series_best_period(const double *x, uint32_t count, struct rf_arena *arena,
                                    double *period, double *score);
/* Fills seasonal[0..count-1]: per phase the median of the first `learn` points; false: no memory. */
RF_MUST_USE bool series_seasonal_of(const double *x, uint32_t count, uint32_t learn,
                                    uint32_t period, struct rf_arena *arena, double *seasonal);

#endif
