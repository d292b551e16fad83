#include "test/rf_prop.h"
#include "value/decimal.h"
#include "value/text.h"

static struct decimal dec(const char *text)
{
    struct decimal d = {0};
    cr_assert(text_to_decimal(rf_str_of(text), &d), "%s", text);
    return d;
}

static bool prints(const struct decimal *d, const char *expected)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 1u << 16);
    struct rf_buf buf = rf_buf_in(&arena);
    text_put_decimal(&buf, d);
    bool same = rf_str_is(rf_buf_view(&buf), expected);
    if (!same) fprintf(stderr, "%.*s, not %s\n", RF_FMT(rf_buf_view(&buf)), expected);
    return same;
}

Test(decimal, reads_and_prints)
{
    static const char *const cases[][2] = {
        {"0", "0"},
        {"-0", "0"},
        {"123.45678", "123.45678"},
        {"1.10", "1.10"},
        {"-0.001", "-0.001"},
        {"1e3", "1000"},
        {"1.5e-3", "0.0015"},
        {"+7.", "7"},
        {"9999999999999999999999999999999999", "9999999999999999999999999999999999"},
        {"0.12345678901234567890123456789012345", "0.1234567890123456789012345678901234"},
        {"0.00000000000000000000000000000000015", "0.0000000000000000000000000000000002"},
        {"1e-60", "0.0000000000000000000000000000000000"},
    };
    for (size_t i = 0; i < RF_COUNT(cases); i++) {
        struct decimal d = dec(cases[i][0]);
        cr_expect(prints(&d, cases[i][1]), "%s", cases[i][0]);
    }
    static const char *const bad[] = {
        "",     ".",         "-",   "1.2.3",
        "1e",   "1ex",       "nan", "10000000000000000000000000000000000",
        "1e34", "1e99999999"};
    struct decimal d;
    for (size_t i = 0; i < RF_COUNT(bad); i++)
        cr_expect(!text_to_decimal(rf_str_of(bad[i]), &d), "%s", bad[i]);
}

typedef bool binary(const struct decimal *a, const struct decimal *b, struct decimal *out);

Test(decimal, calculates)
{
    static const struct {
        binary *op;
        const char *a, *b, *result; /* NULL: false */
    } cases[] = {
        {decimal_add, "0.1", "0.2", "0.3"},
        {decimal_add, "9999999999999999999999999999999999", "1", NULL},
        {decimal_add, "1e33", "1e-33", "1000000000000000000000000000000000"},
        {decimal_sub, "1", "1.00", "0.00"},
        {decimal_sub, "-1", "2", "-3"},
        {decimal_mul, "1.5", "1.5", "2.25"},
        {decimal_mul, "-3", "0.1", "-0.3"},
        {decimal_mul, "1e20", "1e20", NULL},
        {decimal_mul, "0.3333333333333333333333333333333333", "3",
         "0.9999999999999999999999999999999999"},
        {decimal_div, "1", "4", "0.25"},
        {decimal_div, "1", "3", "0.3333333333333333333333333333"},
        {decimal_div, "2", "3", "0.6666666666666666666666666667"},
        {decimal_div, "-1.0", "2", "-0.5"},
        {decimal_div, "1", "0", NULL},
        {decimal_div, "100", "0.001", "100000"},
        {decimal_mod, "-14", "12", "10"},
        {decimal_mod, "14", "-12", "2"},
        {decimal_mod, "5.5", "2", "1.5"},
        {decimal_mod, "1", "0.0", NULL},
        {decimal_floor_to, "-4.5", "1", "-5.0"},
        {decimal_floor_to, "17", "5", "15"},
        {decimal_floor_to, "17", "-5", NULL},
    };
    for (size_t i = 0; i < RF_COUNT(cases); i++) {
        struct decimal a = dec(cases[i].a), b = dec(cases[i].b), got;
        bool ok = cases[i].op(&a, &b, &got);
        cr_expect(ok == (cases[i].result != NULL), "case %zu", i);
        if (ok && cases[i].result != NULL) cr_expect(prints(&got, cases[i].result), "case %zu", i);
    }
}

Test(decimal, compares_and_hashes_by_value)
{
    struct decimal a = dec("1.0"), b = dec("1.00"), c = dec("-1"), zero = {0};
    cr_expect(decimal_cmp(&a, &b) == 0 && decimal_hash(&a) == decimal_hash(&b));
    cr_expect(decimal_cmp(&c, &a) < 0 && decimal_cmp(&a, &c) > 0 && decimal_cmp(&zero, &c) > 0);
    struct decimal big = dec("9999999999999999999999999999999999"),
                   tiny = dec("0.0000000000000000000000000000000001");
    cr_expect(decimal_cmp(&big, &tiny) > 0 && decimal_cmp(&tiny, &big) < 0);
    cr_expect(decimal_sign(&zero) == 0 && decimal_sign(&c) == -1 && decimal_sign(&tiny) == 1);
}

Test(decimal, rounds_half_away_from_zero)
{
    static const struct {
        const char *text;
        int digits;
        const char *result;
    } cases[] = {{"2.15", 1, "2.2"},      {"-2.15", 1, "-2.2"}, {"2.5", 0, "3"},
                 {"1250", -2, "1300"},    {"1.5", 3, "1.5"},    {"0.4", -1, "0"},
                 {"999.99", 1, "1000.0"}, {"5", -40, "0"}};
    for (size_t i = 0; i < RF_COUNT(cases); i++) {
        struct decimal d = dec(cases[i].text), got;
        cr_assert(decimal_round(&d, cases[i].digits, &got));
        cr_expect(prints(&got, cases[i].result), "%s", cases[i].text);
    }
}

Test(decimal, meets_other_numbers)
{
    struct decimal d;
    int64_t i;
    cr_expect(decimal_from_real(0.1, &d) && prints(&d, "0.1"));
    cr_expect(!decimal_from_real(1e40, &d));
    cr_expect(!decimal_from_real(0.0 / 0.0, &d));
    d = decimal_from_i64(INT64_MIN);
    cr_expect(prints(&d, "-9223372036854775808") && decimal_to_i64(&d, &i) && i == INT64_MIN);
    d = dec("-2.9");
    cr_expect(decimal_to_i64(&d, &i) && i == -2);
    d = dec("9223372036854775808");
    cr_expect(!decimal_to_i64(&d, &i));
    d = dec("123.45678");
    cr_expect(decimal_to_real(&d) == 123.45678);
}

/* Small numbers as fractions of long are the model. */
RF_PROP(decimal_agrees_with_whole_numbers, 2000)
{
    int64_t x = rf_test_between(prng, -1000000, 1000000), y = rf_test_between(prng, -1000, 1000),
            whole;
    struct decimal a = decimal_from_i64(x), b = decimal_from_i64(y), got;
    cr_assert(decimal_add(&a, &b, &got) && decimal_to_i64(&got, &whole) && whole == x + y);
    cr_assert(decimal_sub(&a, &b, &got) && decimal_to_i64(&got, &whole) && whole == x - y);
    cr_assert(decimal_mul(&a, &b, &got) && decimal_to_i64(&got, &whole) && whole == x * y);
    cr_assert(decimal_cmp(&a, &b) == (x > y) - (x < y));
    if (y == 0) return;
    cr_assert(decimal_div(&a, &b, &got) && decimal_to_i64(&got, &whole) && whole == x / y);
    int64_t rest = x % y;
    if (rest < 0) rest += y < 0 ? -y : y;
    cr_assert(decimal_mod(&a, &b, &got) && decimal_to_i64(&got, &whole) && whole == rest);
}
