#include <criterion/criterion.h>
#include <math.h>

#include "kql/func.h"
#include "test/rf_value.h"

static rf_str evaluate(const char *func, const char *const *args, uint32_t count,
                       struct rf_arena *arena)
{
    struct value values[8], out;
    struct rf_err err;
    for (uint32_t i = 0; i < count; i++) values[i] = rf_value_read(arena, args[i]);
    enum rf_kind kind = func_eval(rf_str_of(func), values, count, arena, &out, &err);
    cr_assert(kind == RF_OK, "%s: %s", func, err.text);
    if (out.null) return RF_S("null");
    cr_assert(out.type != TYPE_DYNAMIC || dyn_valid(out.s), "%s", func);
    struct rf_buf buf = rf_buf_in(arena);
    text_put_value(&buf, &out);
    return rf_buf_view(&buf);
}

/* An expectation that ends in "..." is only the beginning. */
static bool meets(rf_str got, rf_str expected)
{
    if (!rf_str_ends(expected, RF_S("..."))) return rf_str_eq(got, expected);
    return rf_str_starts(got, rf_slice(expected, 0, expected.len - 3));
}

static void expect(const char *func, const char *const *args, uint32_t count, const char *expected)
{
    struct rf_arena arena;
    rf_arena_init(&arena, 64 << 20);
    rf_str got = evaluate(func, args, count, &arena);
    cr_expect(meets(got, rf_str_of(expected)), "%s: got %.*s, expected %s", func, RF_FMT(got),
              expected);
    rf_arena_done(&arena);
}
#define EXPECT(func, expected, ...)                                                                \
    do {                                                                                           \
        static const char *const values[] = {__VA_ARGS__};                                         \
        expect(func, values, RF_COUNT(values), expected);                                          \
    } while (0)

Test(series, arithmetic)
{
    EXPECT("series_add", "[5,4,5]", "j[1,2,4]", "j[4,2,1]");
    EXPECT("series_subtract", "[-3,0,3]", "j[1,2,4]", "j[4,2,1]");
    EXPECT("series_multiply", "[4,4,4]", "j[1,2,4]", "j[4,2,1]");
    EXPECT("series_multiply", "[10,-10,null]", "l10", "j[1,-1,\"x\"]");
    EXPECT("series_divide", "[0.25,1.0,4.0]", "j[1,2,4]", "j[4,2,1]");
    EXPECT("series_divide", "[\"Infinity\",\"-Infinity\",\"NaN\"]", "j[1,-1,0]", "j[0,0,0]");
    EXPECT("series_pow", "[1.0,4.0,27.0,2.0]", "j[1,2,3,4]", "j[1,2,3,0.5]");
    EXPECT("series_add", "[2,null,null]", "j[1,null,3]", "j[1,1]");
    EXPECT("series_add", "[9.223372036854776E+18]", "j[9223372036854775807]", "j[1]");
    EXPECT("series_add", "null", "l7", "l8");
    EXPECT("series_abs", "[6.5,0,8.2]", "j[-6.5,0,8.2]");
    EXPECT("series_sign", "[-1,0,1]", "j[-6,0,8]");
    EXPECT("series_floor", "[-2.0,1.0,2.0]", "j[-1.5,1,2.5]");
    EXPECT("series_ceiling", "[-1.0,1.0,3.0]", "j[-1.5,1,2.5]");
    EXPECT("series_exp", "[2.718281828459045,7.38905609893065,20.085536923187668]", "j[1,2,3]");
    EXPECT("series_log", "[0.0,0.6931471805599453,1.0986122886681098]", "j[1,2,3]");
    EXPECT("series_atan", "[-0.7853981633974483,0.0,0.7853981633974483]", "j[-1,0,1]");
    EXPECT("series_abs", "null", "j{\"a\":1}");
}

Test(series, comparison)
{
    EXPECT("series_greater", "[false,false,true]", "j[1,2,4]", "j[4,2,1]");
    EXPECT("series_greater_equals", "[false,true,true]", "j[1,2,4]", "j[4,2,1]");
    EXPECT("series_less", "[true,false,false]", "j[1,2,4]", "j[4,2,1]");
    EXPECT("series_less_equals", "[true,true,false]", "j[1,2,4]", "j[4,2,1]");
    EXPECT("series_equals", "[false,true,null]", "j[1,2]", "j[4,2.0,1]");
    EXPECT("series_not_equals", "[true,false,null]", "j[1,2,3]", "j[4,2,null]");
    EXPECT("series_greater_equals", "[true,false]", "j[2.5,1]", "r1.5");
}

Test(series, folds)
{
    EXPECT("series_sum", "10", "j[1,2,3,4]");
    EXPECT("series_product", "24", "j[1,2,3,4]");
    EXPECT("series_magnitude", "5.477225575051661", "j[1,2,3,4]");
    EXPECT("series_dot_product", "12", "j[1,2,4]", "j[4,2,1]");
    EXPECT("series_dot_product", "63", "j[3,6,12]", "l3");
    EXPECT("series_dot_product", "null", "j[]", "j[1]");
    EXPECT("series_cosine_similarity", "0.9237604307034012", "j[0.1,0.2,0.1,0.2]", "j[1,2,3,4]");
    EXPECT("series_pearson_correlation", "1", "j[1,2,3,4,5]", "j[2,4,6,8,10]");
    EXPECT("series_pearson_correlation", "null", "j[1,2]", "j[2,4,6]");
    EXPECT("series_stats", "[2.0,8,87.0,3,32.8,28.503633853548266,812.4571428571428]",
           "j[23,46,23,87,4,8,3,75,2,56,13,75,32,16,29]");
    EXPECT("series_stats", "null", "j[1,null]");
    EXPECT("series_stats", "[1.0,0,3.0,2,2.0,1.4142135623730951,2.0]", "j[1,null,3]", "btrue");
    EXPECT("series_stats_dynamic",
           "{\"min\":1.0,\"min_idx\":0,\"max\":2.0,\"max_idx\":1,\"avg\":1.5,\"stdev\":0."
           "7071067811865476,"
           "\"variance\":0.5,\"sum\":3.0,\"len\":2}",
           "j[1,2]");
}

Test(series, fill)
{
    EXPECT("series_fill_forward", "[null,null,36,41,41,41,16,61,33,33,33]",
           "j[null,null,36,41,null,null,16,61,33,null,null]");
    EXPECT("series_fill_backward", "[111,36,36,41,16,16,16,61,33,null,null]",
           "j[111,null,36,41,null,null,16,61,33,null,null]");
    EXPECT("series_fill_forward", "[1,1,5,5]", "j[1,-1,5,-1]", "l-1");
    EXPECT("series_fill_const", "[111,0.0,36,0.0]", "j[111,null,36,null]", "r0");
    EXPECT("series_fill_const", "[111,-1,36,-1]", "j[111,null,36,null]", "l-1");
    EXPECT("series_fill_const", "[7,0,7]", "j[-1,0,-1]", "l7", "l-1");
    EXPECT("series_fill_linear", "[111,111,73,36,41,32,24,16,61,33,33,33]",
           "j[null,111,null,36,41,null,null,16,61,33,null,null]");
    EXPECT("series_fill_linear", "[null,111.0,73.5,36.0,null]", "j[null,111.0,null,36.0,null]", "n",
           "bfalse");
    EXPECT("series_fill_linear", "[0.0,0.0]", "j[null,null]");
    EXPECT("series_fill_linear", "[3.14159,3.14159]", "j[null,null]", "n", "btrue", "r3.14159");
    EXPECT("series_fill_linear", "[null]", "j[null]", "n", "btrue", "n");
}

Test(series, filters)
{
    EXPECT("series_fir", "[0.0,0.0,1.0,2.0,3.0,3.0]", "j[0,0,4,4,4,0]", "j[1,1,1,1]");
    EXPECT("series_fir", "[0.0,2.0,4.0,4.0]", "j[0,0,6,6]", "j[1,1,1]", "btrue", "btrue");
    EXPECT("series_fir", "[0.0,0.0,2.0,0.0,1.0]", "j[0,0,2,2,3]", "j[1,-1]");
    EXPECT("series_fir", "null", "j[0,0,2]", "j[1,-1]", "btrue");
    EXPECT("series_fir", "null", "j[1,2]", "j[]");
    EXPECT("series_iir", "[0.0,1.0,3.0,6.0,10.0]", "j[0,1,2,3,4]", "j[1]", "j[1,-1]");
    EXPECT("series_iir", "null", "j[0,1]", "j[1]", "j[0,1]");
    EXPECT("series_fft", "[[10.0,-2.0,-2.0,-2.0],[0.0,2.0,0.0,-2.0]]", "j[1,2,3,4]");
    EXPECT("series_fft", "[[],[]]", "j[]");
    EXPECT("series_ifft", "[[1.0,2.0,3.0,4.0],[0.0,0.0,0.0,0.0]]", "j[10,-2,-2,-2]", "j[0,2,0,-2]");
}

Test(series, fits)
{
    EXPECT("series_fit_line", "[1.0,2.0,4.0,0.0,1.0,[1.0,3.0,5.0]]", "j[1,3,5]");
    EXPECT("series_fit_line", "null", "j[1,null,5]");
    EXPECT("series_fit_line_dynamic",
           "{\"rsquare\":1.0,\"slope\":0.0,\"variance\":0.0,\"rvariance\":0.0,\"interception\":4.0,"
           "\"line_fit\":[4.0]}",
           "j[4]");
    EXPECT("series_fit_2lines_dynamic",
           "{\"rsquare\":1.0,\"split_idx\":3,\"variance\":15.5,\"rvariance\":0.0,"
           "\"line_fit\":[0.0,1.0,2.0,9.0,8.0,7.0],"
           "\"right\":{\"rsquare\":1.0,\"slope\":-1.0,\"interception\":9.0,\"variance\":1.0,"
           "\"rvariance\":0.0},"
           "\"left\":{\"rsquare\":1.0,\"slope\":1.0,\"interception\":0.0,\"variance\":1.0,"
           "\"rvariance\":0.0}}",
           "j[0,1,2,9,8,7]");
}

Test(series, periods)
{
#define TRAFFIC                                                                                    \
    "j[80,139,87,110,68,54,50,51,53,133,86,141,97,156,94,149,95,140,77,61,50,54,47,133,72,152,94," \
    "148,105,162,101,160,87,63,53,55,54,151,103,189,108,183,113,175,113,178,90,71,62,62,65,165,"   \
    "109,181,115,182,121,178,114,170]"
    EXPECT("series_periods_detect", "[[14.0,0.0],[0.8412007805647529,0.0]]", TRAFFIC, "r0", "r50",
           "l2");
    EXPECT("series_periods_validate", "[[14.0,10.0],[0.8412007805647529,0.0]]", TRAFFIC, "r14",
           "r10");
    EXPECT("series_seasonal",
           "[1.0,2.0,3.0,4.0,3.0,2.0,1.0,2.0,3.0,4.0,3.0,2.0,1.0,2.0,3.0,4.0,3.0,2.0,"
           "1.0,2.0,3.0,4.0,3.0,2.0,1.0]",
           "j[2,5,3,4,3,2,1,2,3,4,3,2,1,2,3,4,3,2,1,2,3,4,3,2,1]");
    EXPECT("series_seasonal", "[0.0,0.0,0.0,0.0,0.0,0.0,0.0,0.0,0.0,0.0,0.0,0.0]",
           "j[1,3,5,2,4,6,1,3,5,2,4,6]");
    EXPECT("series_seasonal", "[1.0,3.0,5.0,1.0,3.0,5.0,1.0,3.0,5.0]", "j[1,3,5,1,3,5,2,4,6]",
           "l3");
    EXPECT("series_periods_detect", "[[],[]]", "j[1,2]", "r0", "r1", "l0");
    EXPECT("series_periods_detect", "[[0.0],[0.0]]", "j[5,5,5,5,5,5,5,5,5,5,5]", "r0", "r10", "l1");
}

Test(series, outliers_and_anomalies)
{
    EXPECT("series_outliers", "[-0.5,-0.1,0.0,0.0,0.1,2.8]", "j[1,2,3,4,5,11.75]", "stukey", "n");
    EXPECT("series_outliers", "null", "j[1,2]", "sother");
    EXPECT("series_decompose_anomalies", "[[0,0,0,0,0,0,1,0,0,0],[0.0,0.0,0.0,0.0,0.0,0.0,9.0...",
           "j[1,1,1,1,1,1,10,1,1,1]");
    EXPECT("series_decompose",
           "[[1.0,5.0,1.0,5.0],[1.0,5.0,1.0,5.0],[0.0,0.0,0.0,0.0],[0.0,0.0,0.0,0.0]]",
           "j[1,5,1,5]", "l2");
    EXPECT("series_decompose", "[[0.0,0.0],[0.0,0.0],[0.0,0.0],[4.0,6.0]]", "j[4,6]", "l0",
           "snone");
    EXPECT("series_decompose", "null", "j[4,6]", "l0", "sother");
    EXPECT("series_decompose_forecast",
           "[[1.0,2.0,3.0,4.0,5.0],[0.0,0.0,0.0,0.0,0.0],[1.0,2.0,3.0,4.0,5.0],[0.0,0.0,0.0,-4.0,-"
           "5.0]]",
           "j[1,2,3,0,null]", "l2", "l0");
}

/* Any length must give what the definition gives, and come back. */
Test(series, fft_agrees_with_the_definition)
{
    struct rf_arena arena;
    rf_arena_init(&arena, 64 << 20);
    for (int n = 1; n <= 40; n++) {
        struct rf_buf text = rf_buf_in(&arena);
        double x[40];
        rf_buf_printf(&text, "j[");
        for (int i = 0; i < n; i++) {
            x[i] = (i * 37 % 11) - 3.25;
            rf_buf_printf(&text, "%s%.2f", i == 0 ? "" : ",", x[i]);
        }
        rf_buf_printf(&text, "]");
        struct value arg = rf_value_read(&arena, rf_arena_cstr(&arena, rf_buf_view(&text))), out,
                     back, pair[2];
        struct rf_err err;
        cr_assert(func_eval(RF_S("series_fft"), &arg, 1, &arena, &out, &err) == RF_OK);
        for (int k = 0; k < n; k++) {
            double re = 0, im = 0;
            for (int i = 0; i < n; i++) {
                re += x[i] * cos(-2 * M_PI * i * k / n);
                im += x[i] * sin(-2 * M_PI * i * k / n);
            }
            cr_expect(fabs(dyn_real(dyn_item(dyn_item(out.s, 0), k)) - re) < 1e-9, "n %d k %d", n,
                      k);
            cr_expect(fabs(dyn_real(dyn_item(dyn_item(out.s, 1), k)) - im) < 1e-9, "n %d k %d", n,
                      k);
        }
        pair[0] = value_dyn(dyn_item(out.s, 0));
        pair[1] = value_dyn(dyn_item(out.s, 1));
        cr_assert(func_eval(RF_S("series_ifft"), pair, 2, &arena, &back, &err) == RF_OK);
        for (int i = 0; i < n; i++)
            cr_expect(fabs(dyn_real(dyn_item(dyn_item(back.s, 0), i)) - x[i]) < 1e-9);
    }
    rf_arena_done(&arena);
}

/* y = 2 x^3 - x + 5 at uneven places is found again. */
Test(series, fit_poly_finds_the_coefficients)
{
    struct rf_arena arena;
    struct rf_err err;
    rf_arena_init(&arena, 1 << 20);
    struct value args[] = {rf_value_read(&arena, "j[5,6,19,56,-1444,18506]"),
                           rf_value_read(&arena, "j[0,1,2,3,-9,21]"), value_long(3)};
    struct value out;
    cr_assert(func_eval(RF_S("series_fit_poly"), args, 3, &arena, &out, &err) == RF_OK);
    const double expected[] = {2, 0, -1, 5};
    for (int k = 0; k < 4; k++)
        cr_expect(fabs(dyn_real(dyn_item(dyn_item(out.s, 1), k)) - expected[k]) < 1e-8, "%d", k);
    cr_expect(fabs(dyn_real(dyn_item(out.s, 0)) - 1) < 1e-12);
    args[2] = value_long(25);
    cr_assert(func_eval(RF_S("series_fit_poly"), args, 3, &arena, &out, &err) == RF_OK);
    cr_expect(out.null);
    rf_arena_done(&arena);
}
