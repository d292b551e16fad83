/* func_stat.c - the beta distribution, gamma and error functions, Welch's test. */
#include "kql/func_families.h"

#include <float.h>
#include <math.h>

/* lgamma() writes a global sign, which threads must not share. */
static double log_gamma(double x)
{
    int sign;
    return lgamma_r(x, &sign);
}

/* ---- the incomplete beta function ------------------------------------------------------------ */

/* Its continued fraction (DLMF 8.17.22) by Lentz's method; converges fast for x < (a+1)/(a+b+2). */
static double beta_fraction(double x, double a, double b)
{
    enum { STEPS_MAX = 10000 };
    const double tiny = 1e-300;
    double c = 1, d = 1 - (a + b) * x / (a + 1);
    if (fabs(d) < tiny) d = tiny;
    d = 1 / d;
    double result = d;
    for (int m = 1; m <= STEPS_MAX; m++) {
        double even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m));
        double odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1)), factor = 1;
        for (int half = 0; half < 2; half++) {
            double term = half == 0 ? even : odd;
            d = 1 + term * d;
            c = 1 + term / c;
            if (fabs(d) < tiny) d = tiny;
            if (fabs(c) < tiny) c = tiny;
            d = 1 / d;
            factor = c * d;
            result *= factor;
        }
        if (fabs(factor - 1) < DBL_EPSILON) break;
    }
    return result;
}

static bool beta_parameters_ok(double a, double b)
{
    return a > 0 && b > 0 && isfinite(a) && isfinite(b);
}

static double log_beta(double a, double b)
{
    return log_gamma(a) + log_gamma(b) - log_gamma(a + b);
}

static double beta_cdf(double x, double a, double b)
{
    if (!beta_parameters_ok(a, b) || !(x >= 0 && x <= 1)) return NAN;
    if (x == 0 || x == 1) return x;
    double front = exp(a * log(x) + b * log1p(-x) - log_beta(a, b));
    if (x < (a + 1) / (a + b + 2)) return front * beta_fraction(x, a, b) / a;
    return 1 - front * beta_fraction(1 - x, b, a) / b;
}

static double beta_pdf(double x, double a, double b)
{
    if (!beta_parameters_ok(a, b) || !(x >= 0 && x <= 1)) return NAN;
    if ((x == 0 && a == 1) || (x == 1 && b == 1)) return x == 0 ? b : a;
    return exp((a - 1) * log(x) + (b - 1) * log1p(-x) - log_beta(a, b));
}

/* Bisection with a Newton step wherever that stays between the bounds. */
static double beta_inv(double p, double a, double b)
{
    if (!beta_parameters_ok(a, b)) return NAN;
    if (p == 0 || p == 1) return p;
    double low = 0, high = 1, x = a / (a + b);
    for (int i = 0; i < 200; i++) {
        double miss = beta_cdf(x, a, b) - p;
        if (miss == 0) break;
        if (miss > 0)
            high = x;
        else
            low = x;
        double next = x - miss / beta_pdf(x, a, b);
        if (!(next > low && next < high)) next = low + (high - low) / 2;
        if (fabs(next - x) <= DBL_EPSILON * x || next <= low || next >= high) {
            x = next;
            break;
        }
        x = next;
    }
    return x;
}

/* ---- Welch's t-test -------------------------------------------------------------------------- */

/* Two-sided: how likely means at least so far apart are when both samples have the same mean. */
static double welch_test(double mean1, double variance1, double count1, double mean2,
                         double variance2, double count2)
{
    double error1 = variance1 / count1, error2 = variance2 / count2, error = error1 + error2;
    double t = (mean1 - mean2) / sqrt(error);
    double freedom =
        error * error / (error1 * error1 / (count1 - 1) + error2 * error2 / (count2 - 1));
    if (!isfinite(t) || !(freedom > 0)) return NAN;
    return beta_cdf(freedom / (freedom + t * t), freedom / 2, 0.5);
}

/* ---- kernels --------------------------------------------------------------------------------- */

#define X(arg) ARG_REAL(&args[arg], i)
#define STAT_KERNEL(name, expr)                                                                    \
    FUNC_KERNEL(name)                                                                              \
    {                                                                                              \
        for (uint32_t i = 0; i < count; i++)                                                       \
            if (!OUT_NULL(out)[i]) OUT_REAL(out)[i] = (expr);                                      \
        return RF_OK;                                                                              \
    }
STAT_KERNEL(beta_cdf_rows, beta_cdf(X(0), X(1), X(2)))
STAT_KERNEL(beta_pdf_rows, beta_pdf(X(0), X(1), X(2)))
STAT_KERNEL(erf_rows, erf(X(0)))
STAT_KERNEL(erfc_rows, erfc(X(0)))
STAT_KERNEL(gamma_rows, tgamma(X(0)))
STAT_KERNEL(loggamma_rows, log_gamma(X(0)))
STAT_KERNEL(welch_rows, welch_test(X(0), X(1), X(2), X(3), X(4), X(5)))

FUNC_KERNEL(beta_inv_rows)
{
    for (uint32_t i = 0; i < count; i++) {
        if (OUT_NULL(out)[i]) continue;
        if (X(0) >= 0 && X(0) <= 1)
            OUT_REAL(out)[i] = beta_inv(X(0), X(1), X(2));
        else
            OUT_NULL(out)[i] = 1;
    }
    return RF_OK;
}

/* ---- the table ------------------------------------------------------------------------------- */

#define SIGS(sig, kernel)                                                                          \
    (const struct func_overload[])                                                                 \
    {                                                                                              \
        {sig, kernel}, { NULL, NULL }                                                              \
    }

const struct func func_stat[] = {
    {.name = "beta_cdf",
     .sigs = SIGS("(x:real, alpha:real, beta:real) real", beta_cdf_rows),
     .doc = "Share of the beta distribution up to x; nan for parameters that are not positive."},
    {.name = "beta_inv",
     .sigs = SIGS("(probability:real, alpha:real, beta:real) real", beta_inv_rows),
     .doc = "The x at which beta_cdf reaches the probability; null when that is outside 0..1."},
    {.name = "beta_pdf",
     .sigs = SIGS("(x:real, alpha:real, beta:real) real", beta_pdf_rows),
     .doc = "Density of the beta distribution at x; nan for parameters that are not positive."},
    {.name = "erf",
     .column = "%",
     .sigs = SIGS("(number:real) real", erf_rows),
     .doc = "Error function."},
    {.name = "erfc",
     .column = "%",
     .sigs = SIGS("(number:real) real", erfc_rows),
     .doc = "1 less the error function, exact where that is tiny."},
    {.name = "gamma",
     .column = "%",
     .sigs = SIGS("(number:real) real", gamma_rows),
     .doc = "Gamma function; gamma(n) is the factorial of n-1."},
    {.name = "loggamma",
     .column = "%",
     .sigs = SIGS("(number:real) real", loggamma_rows),
     .doc = "Natural logarithm of the gamma function's absolute value."},
    {.name = "welch_test",
     .sigs = SIGS(
         "(mean1:real, variance1:real, count1:real, mean2:real, variance2:real, count2:real) real",
         welch_rows),
     .doc =
         "p-value of Welch's two-sided t-test for two samples known by mean, variance and count."},
};
const size_t func_stat_count = RF_COUNT(func_stat);
