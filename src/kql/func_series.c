/* The table of the series_* family. Kernels are in the other func_series_*.c files. */
#include "kql/func_families.h"
#include "kql/func_series_int.h"

/* ---- functions that yield several columns --------------------------------------------------------------- */

#define NAME(text)                                                                                 \
    {                                                                                              \
        (const uint8_t *)(text), sizeof(text) - 1                                                  \
    }

static const rf_str stats_names[] = {NAME("min"), NAME("min_idx"), NAME("max"),     NAME("max_idx"),
                                     NAME("avg"), NAME("stdev"),   NAME("variance")};
static const uint8_t stats_types[] = {TYPE_REAL, TYPE_LONG, TYPE_REAL, TYPE_LONG,
                                      TYPE_REAL, TYPE_REAL, TYPE_REAL};
static const rf_str line_names[] = {NAME("rsquare"),   NAME("slope"),        NAME("variance"),
                                    NAME("rvariance"), NAME("interception"), NAME("line_fit")};
static const uint8_t line_types[] = {TYPE_REAL, TYPE_REAL, TYPE_REAL,
                                     TYPE_REAL, TYPE_REAL, TYPE_DYNAMIC};
static const rf_str two_lines_names[] = {
    NAME("rsquare"),           NAME("split_idx"),          NAME("variance"),
    NAME("rvariance"),         NAME("line_fit"),           NAME("right_rsquare"),
    NAME("right_slope"),       NAME("right_interception"), NAME("right_variance"),
    NAME("right_rvariance"),   NAME("left_rsquare"),       NAME("left_slope"),
    NAME("left_interception"), NAME("left_variance"),      NAME("left_rvariance")};
static const uint8_t two_lines_types[] = {TYPE_REAL, TYPE_LONG, TYPE_REAL, TYPE_REAL, TYPE_DYNAMIC,
                                          TYPE_REAL, TYPE_REAL, TYPE_REAL, TYPE_REAL, TYPE_REAL,
                                          TYPE_REAL, TYPE_REAL, TYPE_REAL, TYPE_REAL, TYPE_REAL};
static const rf_str poly_names[] = {NAME("rsquare"), NAME("coefficients"), NAME("variance"),
                                    NAME("rvariance"), NAME("poly_fit")};
static const uint8_t poly_types[] = {TYPE_REAL, TYPE_DYNAMIC, TYPE_REAL, TYPE_REAL, TYPE_DYNAMIC};
static const rf_str complex_names[] = {NAME("real"), NAME("imag")};
static const rf_str periods_names[] = {NAME("periods"), NAME("scores")};
static const rf_str decompose_names[] = {NAME("baseline"), NAME("seasonal"), NAME("trend"),
                                         NAME("residual")};
static const rf_str anomalies_names[] = {NAME("ad_flag"), NAME("ad_score"), NAME("baseline")};
static const uint8_t dynamic_types[] = {TYPE_DYNAMIC, TYPE_DYNAMIC, TYPE_DYNAMIC, TYPE_DYNAMIC};

static const struct tuple {
    const char *func;
    uint32_t count;
    const rf_str *names;
    const uint8_t *types;
} tuples[] = {
    {"series_stats", RF_COUNT(stats_names), stats_names, stats_types},
    {"series_fit_line", RF_COUNT(line_names), line_names, line_types},
    {"series_fit_2lines", RF_COUNT(two_lines_names), two_lines_names, two_lines_types},
    {"series_fit_poly", RF_COUNT(poly_names), poly_names, poly_types},
    {"series_fft", RF_COUNT(complex_names), complex_names, dynamic_types},
    {"series_ifft", RF_COUNT(complex_names), complex_names, dynamic_types},
    {"series_periods_detect", RF_COUNT(periods_names), periods_names, dynamic_types},
    {"series_periods_validate", RF_COUNT(periods_names), periods_names, dynamic_types},
    {"series_decompose", RF_COUNT(decompose_names), decompose_names, dynamic_types},
    {"series_decompose_forecast", RF_COUNT(decompose_names), decompose_names, dynamic_types},
    {"series_decompose_anomalies", RF_COUNT(anomalies_names), anomalies_names, dynamic_types},
};
_Static_assert(RF_COUNT(stats_names) == RF_COUNT(stats_types), "a type for each name");
_Static_assert(RF_COUNT(line_names) == RF_COUNT(line_types), "a type for each name");
_Static_assert(RF_COUNT(two_lines_names) == RF_COUNT(two_lines_types), "a type for each name");
_Static_assert(RF_COUNT(poly_names) == RF_COUNT(poly_types), "a type for each name");

static enum rf_kind resolve_tuple(struct func_bind *bind, struct rf_err *err)
{
    (void)err;
    for (size_t i = 0; i < RF_COUNT(tuples); i++) {
        if (strcmp(tuples[i].func, bind->func->name) != 0) continue;
        bind->tuple_count = tuples[i].count;
        bind->tuple_names = tuples[i].names;
        bind->tuple_types = tuples[i].types;
        return RF_OK;
    }
    RF_ASSERT(false); /* a function of the table below without its columns above */
    return RF_OK;
}

/* ---- table ------------------------------------------------------------------------------------------------ */

#define SIG(text, kernel) ((const struct func_overload[]){{text, kernel}, {NULL, NULL}})
#define FUNC(name_, sig, kernel, doc_)                                                             \
    {                                                                                              \
        .name = name_, .doc = doc_, .sigs = SIG(sig, kernel), .nulls = FUNC_CUSTOM                 \
    }
#define FILTER(name_, sig, kernel, doc_) /* a column named like the series that it changes */      \
    {                                                                                              \
        .name = name_, .column = "%", .doc = doc_, .sigs = SIG(sig, kernel), .nulls = FUNC_CUSTOM  \
    }
#define TUPLE(name_, sig, kernel, doc_)                                                            \
    {                                                                                              \
        .name = name_, .doc = doc_, .sigs = SIG(sig, kernel), .nulls = FUNC_CUSTOM,                \
        .resolve = resolve_tuple                                                                   \
    }
#define ONE "(series:dynamic) dynamic"
#define TWO "(series1:any, series2:any) dynamic"
#define ONE_REAL "(series:dynamic) real"

const struct func func_series[] = {
    FUNC("series_abs", ONE, series_abs, "Absolute value of each element."),
    FUNC("series_acos", ONE, series_acos, "Arc cosine of each element."),
    FUNC("series_add", TWO, series_add,
         "Sums element by element; null where a side has no number. One side may be a number."),
    FUNC("series_asin", ONE, series_asin, "Arc sine of each element."),
    FUNC("series_atan", ONE, series_atan, "Arc tangent of each element."),
    FUNC("series_ceiling", ONE, series_ceiling, "Each element rounded up."),
    FUNC("series_cos", ONE, series_cos, "Cosine of each element."),
    FUNC("series_cosine_similarity",
         "(series1:any, series2:any, [magnitude1:real], [magnitude2:real]) real",
         series_cosine_similarity,
         "Cosine of the angle between two vectors; null when one is empty."),
    TUPLE("series_decompose",
          "(series:dynamic, [seasonality:long], [trend:string], [test_points:long], "
          "[seasonality_threshold:real]) dynamic",
          series_decompose, "Baseline, seasonal part, trend and residual of a series."),
    TUPLE("series_decompose_anomalies",
          "(series:dynamic, [threshold:real], [seasonality:long], [trend:string], "
          "[test_points:long], [method:string], [seasonality_threshold:real]) dynamic",
          series_decompose_anomalies,
          "Flags 1, -1, 0 and scores of points far off the baseline, and the baseline."),
    TUPLE(
        "series_decompose_forecast",
        "(series:dynamic, points:long, [seasonality:long], [trend:string], "
        "[seasonality_threshold:real]) dynamic",
        series_decompose_forecast,
        "Baseline, seasonal part, trend and residual, learnt without the last points and drawn on "
        "over them."),
    FUNC("series_divide", TWO, series_divide, "Quotients element by element, as reals."),
    FUNC("series_dot_product", "(series1:any, series2:any) real", series_dot_product,
         "Sum of the products of elements; one side may be a number. Null when one is empty."),
    FUNC("series_equals", TWO, series_equals, "Compares element by element: equal."),
    FUNC("series_exp", ONE, series_exp, "e to the power of each element."),
    TUPLE("series_fft", "(real:dynamic, [imaginary:dynamic]) dynamic", series_fft_kernel,
          "Fourier transform, real and imaginary parts; any length."),
    FILTER("series_fill_backward", "(series:dynamic, [placeholder:any]) dynamic",
           series_fill_backward, "Missing elements take the next value."),
    FILTER("series_fill_const", "(series:dynamic, [constant:any], [placeholder:any]) dynamic",
           series_fill_const, "Missing elements take a constant."),
    FILTER("series_fill_forward", "(series:dynamic, [placeholder:any]) dynamic",
           series_fill_forward, "Missing elements take the value before."),
    FILTER("series_fill_linear",
           "(series:dynamic, [placeholder:any], [fill_edges:bool], [constant:any]) dynamic",
           series_fill_linear,
           "Missing elements lie on the line between their neighbours; whole numbers stay whole."),
    FILTER("series_fir",
           "(series:dynamic, filter:dynamic, [normalize:bool], [center:bool]) dynamic", series_fir,
           "Finite impulse response filter; 0 lies outside of the series."),
    TUPLE("series_fit_2lines", ONE, series_fit_2lines,
          "Best fit by two lines that meet anywhere: quality, place of the break, both lines."),
    FUNC("series_fit_2lines_dynamic", ONE, series_fit_2lines_dynamic,
         "series_fit_2lines as one bag."),
    TUPLE("series_fit_line", ONE, series_fit_line, "Linear regression over the index."),
    FUNC("series_fit_line_dynamic", ONE, series_fit_line_dynamic, "series_fit_line as one bag."),
    TUPLE("series_fit_poly", "(y_series:dynamic, [x_series:dynamic], [degree:long]) dynamic",
          series_fit_poly, "Polynomial regression up to degree 24; a line unless told otherwise."),
    FUNC("series_floor", ONE, series_floor, "Each element rounded down."),
    FUNC("series_greater", TWO, series_greater, "Compares element by element: greater."),
    FUNC("series_greater_equals", TWO, series_greater_equals,
         "Compares element by element: greater or equal."),
    TUPLE("series_ifft", "(real:dynamic, [imaginary:dynamic]) dynamic", series_ifft_kernel,
          "Inverse Fourier transform, real and imaginary parts."),
    FILTER("series_iir", "(series:dynamic, numerators:dynamic, denominators:dynamic) dynamic",
           series_iir, "Infinite impulse response filter; null when the first denominator is 0."),
    FUNC("series_less", TWO, series_less, "Compares element by element: less."),
    FUNC("series_less_equals", TWO, series_less_equals,
         "Compares element by element: less or equal."),
    FUNC("series_log", ONE, series_log, "Natural logarithm of each element."),
    FUNC("series_magnitude", ONE_REAL, series_magnitude,
         "Length of the vector: root of the sum of squares."),
    FUNC("series_multiply", TWO, series_multiply,
         "Products element by element; null where a side has no number. One side may be a number."),
    FUNC("series_not_equals", TWO, series_not_equals, "Compares element by element: not equal."),
    FILTER("series_outliers",
           "(series:dynamic, [kind:string], [ignore_val:any], [min_percentile:real], "
           "[max_percentile:real], [test_points:long]) dynamic",
           series_outliers, "Score of each element by Tukey's fences; beyond 1.5 lie outliers."),
    FUNC("series_pearson_correlation", "(series1:dynamic, series2:dynamic) real",
         series_pearson_correlation, "Correlation from -1 to 1; null for different lengths."),
    TUPLE("series_periods_detect",
          "(series:dynamic, min_period:real, max_period:real, num_periods:long) dynamic",
          series_periods_detect, "Strongest periods and their scores, 0 where there are no more."),
    TUPLE("series_periods_validate", "(series:dynamic, period:real...) dynamic",
          series_periods_validate, "Scores from 0 to 1 of given periods."),
    FUNC("series_pow", TWO, series_pow, "Powers element by element, as reals."),
    FUNC("series_product", ONE_REAL, series_product, "Product of the elements."),
    FUNC("series_seasonal", "(series:dynamic, [period:long], [test_points:long]) dynamic",
         series_seasonal,
         "Median of each phase of the period, which is found if not given; 0s without a period."),
    FUNC("series_sign", ONE, series_sign, "-1, 0 or 1 for each element."),
    FUNC("series_sin", ONE, series_sin, "Sine of each element."),
    TUPLE("series_stats", "(series:dynamic, [ignore_nonfinite:bool]) dynamic", series_stats,
          "Extremes and their places, mean, deviation, variance; null with gaps unless ignored."),
    FUNC("series_stats_dynamic", "(series:dynamic, [ignore_nonfinite:bool]) dynamic",
         series_stats_dynamic, "series_stats as one bag, with sum and length."),
    FUNC("series_subtract", TWO, series_subtract,
         "Differences element by element; null where a side has no number."),
    FUNC("series_sum", ONE_REAL, series_sum, "Sum of the elements."),
    FUNC("series_tan", ONE, series_tan, "Tangent of each element."),
};
const size_t func_series_count = RF_COUNT(func_series);
