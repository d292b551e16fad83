#include "test/rf_print.h"

Test(func_math, elementary)
{
    static const struct rf_print_case cases[] = {
        {"abs(-5)", "long:5"},
        {"abs(toint(-5))", "long:5"},
        {"abs(-1.5)", "real:1.5"},
        {"abs(-1h)", "timespan:01:00:00"},
        {"abs(decimal(-1.5))", "decimal:1.5"},
        {"abs(long(-9223372036854775808))", "null"},
        {"asin(0.95)", "1.253235897503375"},
        {"acos(2)", "null"},
        {"cot(1)", "0.6420926159343306"},
        {"atan2(1, 1) * 4 == pi()", "true"},
        {"log(5)", "1.6094379124341003"},
        {"log10(5)", "0.6989700043360189"},
        {"log2(5)", "2.321928094887362"},
        {"log(-1)", "null"},
        {"log(0)", "-Infinity"},
        {"sqrt(256)", "real:16"},
        {"sqrt(-1)", "null"},
        {"pow(2, 3)", "real:8"},
        {"exp2(10)", "1024"},
        {"exp10(3)", "1000"},
        {"degrees(pi())", "180"},
        {"radians(180) == pi()", "true"},
        {"sign(-42)", "real:-1"},
        {"sign(0.0)", "real:0"},
        {"ceiling(-1.1)", "real:-1"},
        {"ceiling(decimal(1.1))", "decimal:2.0"},
        {"ceiling(3)", "long:3"},
        {"isnan(0.0/0.0)", "true"},
        {"isnan(real(null))", "false"},
        {"isinf(1.0/0.0)", "true"},
        {"isfinite(1)", "true"},
        {"isfinite(real(null))", "false"},
        {"sin('x')", "error:"},
    };
    RF_PRINT_CHECK(cases);
}

Test(func_math, rounds)
{
    static const struct rf_print_case cases[] = {
        {"round(2.98765, 3)", "real:2.988"},
        {"round(2.15, 1)", "real:2.2"},
        {"round(-2.15, 1)", "-2.2"},
        {"round(1.005, 2)", "1.01"},
        {"round(2.15)", "2"},
        {"round(2.5)", "3"},
        {"round(-2.5)", "-3"},
        {"round(0.49999999999999994)", "0"},
        {"round(1234.5, -2)", "1200"},
        {"round(1e300, 2)", "1E+300"},
        {"round(1e300, -299)", "1E+300"},
        {"round(123456789.987654321, 4)", "123456789.9877"},
        {"round(5.0, 400)", "5"},
        {"round(5.0, -400)", "0"},
        {"round(real(nan), 1)", "NaN"},
        {"round(1250, -2)", "long:1300"},
        {"round(-1250, -2)", "-1300"},
        {"round(9223372036854775807, -1)", "null"},
        {"round(5, -19)", "0"},
        {"round(decimal(2.15), 1)", "decimal:2.2"},
        {"round(real(null), 1)", "null"},
    };
    RF_PRINT_CHECK(cases);
}

Test(func_math, bits)
{
    static const struct rf_print_case cases[] = {
        {"binary_and(12, 10)", "long:8"},
        {"binary_or(12, 10)", "14"},
        {"binary_xor(12, 10)", "6"},
        {"binary_not(100)", "-101"},
        {"binary_shift_left(1, 62)", "4611686018427387904"},
        {"binary_shift_left(1, 64)", "1"},
        {"binary_shift_left(1, -1)", "null"},
        {"binary_shift_right(-8, 1)", "-4"},
        {"binary_shift_right(1, -1)", "null"},
        {"bitset_count_ones(42)", "3"},
        {"bitset_count_ones(-1)", "64"},
    };
    RF_PRINT_CHECK(cases);
}

Test(func_math, largest_and_smallest)
{
    static const struct rf_print_case cases[] = {
        {"max_of(10, 1, -3, 17)", "long:17"},
        {"min_of(10, 1, -3, 17)", "long:-3"},
        {"max_of(1, 2.5)", "real:2.5"},
        {"max_of(long(null), 3)", "3"},
        {"min_of(long(null), long(null))", "null"},
        {"max_of('a', 'b')", "string:b"},
        {"min_of(datetime(2020-01-02), datetime(2020-01-01))", "2020-01-01T00:00:00.0000000Z"},
        {"max_of(1h, 30m)", "01:00:00"},
    };
    RF_PRINT_CHECK(cases);
}
