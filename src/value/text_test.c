#include "test/rf_prop.h"
#include "value/text.h"

#include <float.h>
#include <math.h>

static rf_str text_of(struct rf_arena *arena, const struct value *v)
{
    struct rf_buf buf = rf_buf_in(arena);
    text_put_value(&buf, v);
    return rf_buf_view(&buf);
}

#define CHECK_TEXT(arena, v, expected)                                                             \
    do {                                                                                           \
        struct value check_value = (v);                                                            \
        rf_str check_text = text_of((arena), &check_value);                                        \
        cr_expect(rf_str_is(check_text, (expected)), "%.*s, not %s", RF_FMT(check_text),           \
                  expected);                                                                       \
    } while (0)

Test(text, prints_reals)
{
    static const struct {
        double r;
        const char *text, *with_point;
    } cases[] = {
        {0, "0", "0.0"},
        {-0.0, "-0", "-0.0"},
        {1, "1", "1.0"},
        {0.1, "0.1", "0.1"},
        {-2.5, "-2.5", "-2.5"},
        {0.3, "0.3", "0.3"},
        {0.1 + 0.2, "0.30000000000000004", "0.30000000000000004"},
        {1e14, "100000000000000", "100000000000000.0"},
        {1e15, "1E+15", "1E+15"},
        {1e20, "1E+20", "1E+20"},
        {1.5e300, "1.5E+300", "1.5E+300"},
        {0.0001, "0.0001", "0.0001"},
        {0.00001, "1E-05", "1E-05"},
        {123456789.125, "123456789.125", "123456789.125"},
        {5e-324, "5E-324", "5E-324"},
        {DBL_MAX, "1.7976931348623157E+308", "1.7976931348623157E+308"},
        {DBL_MIN, "2.2250738585072014E-308", "2.2250738585072014E-308"},
        {9007199254740993.0, "9.007199254740992E+15", "9.007199254740992E+15"},
        {NAN, "NaN", "NaN"},
        {INFINITY, "Infinity", "Infinity"},
        {-INFINITY, "-Infinity", "-Infinity"},
    };
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 1u << 20);
    for (size_t i = 0; i < RF_COUNT(cases); i++) {
        CHECK_TEXT(&arena, value_real(cases[i].r), cases[i].text);
        struct rf_buf buf = rf_buf_in(&arena);
        text_put_real(&buf, cases[i].r, true);
        cr_expect(rf_str_is(rf_buf_view(&buf), cases[i].with_point), "%s", cases[i].with_point);
    }
}

Test(text, reads_reals)
{
    static const struct {
        const char *text;
        double r;
    } cases[] = {
        {"1", 1},
        {" -1.5e3 ", -1500},
        {"+.5", 0.5},
        {"1.", 1},
        {"1e23", 1e23},
        {"1E+400", INFINITY},
        {"1e-400", 0},
        {"2.4703282292062327e-324", 0},
        {"2.4703282292062328e-324", 5e-324},
        {"1.7976931348623158e308", DBL_MAX},
        {"1.7976931348623159e308", INFINITY},
        {"9007199254740992.99999999999999999999999999", 9007199254740992},
        {"9007199254740993", 9007199254740992},
        {"9007199254740993.0000000000000000000000001", 9007199254740994},
        {"0.000000000000000000000000000000000000000000001", 1e-45},
        {"inf", INFINITY},
        {"-Infinity", -INFINITY},
    };
    for (size_t i = 0; i < RF_COUNT(cases); i++) {
        double r = 777;
        cr_expect(text_to_real(rf_str_of(cases[i].text), &r), "%s", cases[i].text);
        cr_expect(r == cases[i].r, "%s gives %.17g", cases[i].text, r);
    }
    double r;
    cr_expect(text_to_real(RF_S("NaN"), &r) && isnan(r));
    static const char *const bad[] = {"",      " ",    "+",     ".",   "e5",      "1e", "1e+",
                                      "1.2.3", "0x10", "1_000", "1,5", "infinit", "--1"};
    for (size_t i = 0; i < RF_COUNT(bad); i++)
        cr_expect(!text_to_real(rf_str_of(bad[i]), &r), "%s", bad[i]);
}

RF_PROP(text_reals_read_back, 3000)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 1u << 16);
    uint64_t bits = rf_test_u64(prng);
    if (rf_test_bool(prng)) bits &= ~((UINT64_C(1) << rf_test_below(prng, 53)) - 1);
    double r, back;
    memcpy(&r, &bits, sizeof r);
    if (!isfinite(r)) return;
    struct rf_buf buf = rf_buf_in(&arena);
    text_put_real(&buf, r, rf_test_bool(prng));
    cr_assert(text_to_real(rf_buf_view(&buf), &back));
    cr_assert(memcmp(&r, &back, sizeof r) == 0, "%.17g", r);
    char *plain = rf_arena_cstr(&arena, rf_buf_view(&buf));
    cr_assert(strtod(plain, NULL) == r, "%s", plain);
    /* No text with fewer digits reads back. */
    size_t digits = 0;
    for (const char *p = plain; *p != '\0' && *p != 'E'; p++) digits += rf_is_digit((uint8_t)*p);
    if (digits > 2 && digits <= 17 && fabs(r) >= 1e15) {
        char shorter[64];
        snprintf(shorter, sizeof shorter, "%.*e", (int)digits - 2, r);
        cr_assert(strtod(shorter, NULL) != r, "%s and %s", plain, shorter);
    }
}

RF_PROP(text_reals_read_as_strtod_reads, 3000)
{
    char text[128];
    size_t len = 0, digits = 1 + rf_test_below(prng, 40), point = rf_test_below(prng, 60);
    for (size_t i = 0; i < digits; i++) {
        if (i == point) text[len++] = '.';
        text[len++] = (char)('0' + rf_test_below(prng, 10));
    }
    len += (size_t)snprintf(text + len, sizeof text - len, "e%d",
                            (int)rf_test_between(prng, -360, 330));
    double r;
    cr_assert(text_to_real(rf_str_make(text, len), &r));
    cr_assert(r == strtod(text, NULL), "%s gives %.17g", text, r);
}

Test(text, reads_whole_numbers)
{
    static const struct {
        const char *text;
        bool ok;
        int64_t i;
    } cases[] = {
        {"0", true, 0},
        {" 42 ", true, 42},
        {"-9223372036854775808", true, INT64_MIN},
        {"9223372036854775807", true, INT64_MAX},
        {"9223372036854775808", false, 0},
        {"99999999999999999999999", false, 0},
        {"0x1F", true, 31},
        {"-0x10", true, -16},
        {"0xffffffffffffffff", true, -1},
        {"0x1ffffffffffffffff", false, 0},
        {"0x", false, 0},
        {"", false, 0},
        {"-", false, 0},
        {"1.5", false, 0},
        {"12a", false, 0},
    };
    for (size_t i = 0; i < RF_COUNT(cases); i++) {
        int64_t got = 0;
        cr_expect(text_to_long(rf_str_of(cases[i].text), &got) == cases[i].ok, "%s", cases[i].text);
        cr_expect(got == cases[i].i, "%s", cases[i].text);
    }
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 1u << 16);
    CHECK_TEXT(&arena, value_long(INT64_MIN), "-9223372036854775808");
    CHECK_TEXT(&arena, value_long(-7), "-7");
    CHECK_TEXT(&arena, value_long(100), "100");
}

Test(text, reads_bools_and_guids)
{
    bool b = false;
    cr_expect(text_to_bool(RF_S("TRUE"), &b) && b);
    cr_expect(text_to_bool(RF_S("false"), &b) && !b);
    cr_expect(text_to_bool(RF_S("2"), &b) && b);
    cr_expect(!text_to_bool(RF_S("yes"), &b));
    static const char *const guids[] = {
        "01234567-89ab-cdef-0123-456789abcdef",
        "0123456789abcdef0123456789ABCDEF",
        "0123456789ab-cdef-0123-456789abcdef",
        "{01234567-89ab-cdef-0123-456789abcdef}",
    };
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 1u << 16);
    for (size_t i = 0; i < RF_COUNT(guids); i++) {
        struct guid g;
        cr_assert(text_to_guid(rf_str_of(guids[i]), &g), "%s", guids[i]);
        CHECK_TEXT(&arena, value_guid(g), guids[0]);
    }
    static const char *const bad[] = {"",
                                      "x",
                                      "0123456789abcdef0123456789abcde",
                                      "0123456789abcdef0123456789abcdef0",
                                      "-0123456789abcdef0123456789abcdef",
                                      "0123456789abcdef0123456789abcdeg"};
    struct guid g;
    for (size_t i = 0; i < RF_COUNT(bad); i++)
        cr_expect(!text_to_guid(rf_str_of(bad[i]), &g), "%s", bad[i]);
}

Test(text, reads_datetimes)
{
    static const struct {
        const char *text, *printed;
    } cases[] = {
        {"2017-01-01", "2017-01-01T00:00:00.0000000Z"},
        {"2014-05-25T08:20:03.123456Z", "2014-05-25T08:20:03.1234560Z"},
        {"2014-05-25T08:20:03.123456789Z", "2014-05-25T08:20:03.1234567Z"},
        {"2014-05-25T08:20", "2014-05-25T08:20:00.0000000Z"},
        {" 2014-11-08 15:55:55 ", "2014-11-08T15:55:55.0000000Z"},
        {"2014-11-08 15:55:55.123456Z", "2014-11-08T15:55:55.1234560Z"},
        {"2014-11-08T15:55:55+02:00", "2014-11-08T13:55:55.0000000Z"},
        {"2014-11-08T15:55:55.5-0530", "2014-11-08T21:25:55.5000000Z"},
        {"2014-11-08 15:55 +01", "2014-11-08T14:55:00.0000000Z"},
        {"Sat, 8 Nov 14 15:05:02 GMT", "2014-11-08T15:05:02.0000000Z"},
        {"Sat, 08 Nov 2014 15:05:02 GMT", "2014-11-08T15:05:02.0000000Z"},
        {"Sat, 8 Nov 14 15:05", "2014-11-08T15:05:00.0000000Z"},
        {"8 Nov 14 15:05:02 EST", "2014-11-08T20:05:02.0000000Z"},
        {"Saturday, 08-Nov-14 15:05:02 GMT", "2014-11-08T15:05:02.0000000Z"},
        {"08-Nov-14", "2014-11-08T00:00:00.0000000Z"},
        {"Sat Nov  8 15:05:02 2014", "2014-11-08T15:05:02.0000000Z"},
        {"Nov 8, 2014 3:05:02 PM", "2014-11-08T15:05:02.0000000Z"},
        {"11/8/2014 12:05:02 AM", "2014-11-08T00:05:02.0000000Z"},
        {"2014/11/08 15:05", "2014-11-08T15:05:00.0000000Z"},
        {"2025, 6, 14", "2025-06-14T00:00:00.0000000Z"},
        {"2015", "2015-01-01T00:00:00.0000000Z"},
        {"2015-12", "2015-12-01T00:00:00.0000000Z"},
        {"20151231", "2015-12-31T00:00:00.0000000Z"},
        {"2000-02-29", "2000-02-29T00:00:00.0000000Z"},
        {"0001-01-01T00:00:00Z", "0001-01-01T00:00:00.0000000Z"},
        {"9999-12-31T23:59:59.9999999Z", "9999-12-31T23:59:59.9999999Z"},
    };
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 1u << 20);
    for (size_t i = 0; i < RF_COUNT(cases); i++) {
        int64_t ticks = -1;
        cr_expect(text_to_datetime(rf_str_of(cases[i].text), &ticks), "%s", cases[i].text);
        CHECK_TEXT(&arena, value_i64(TYPE_DATETIME, ticks), cases[i].printed);
    }
    static const char *const bad[] = {
        "",
        "x",
        "2017-02-29",
        "2017-13-01",
        "2017-00-10",
        "1900-02-29",
        "2017-01-32",
        "2017-01-01T24:00:00",
        "2017-01-01T10:60:00",
        "2017-01-01T10:00:60",
        "2017-1-1T1",
        "2017-01-01T",
        "2017-01-01 10:00 XYZ",
        "0000-01-01",
        "0001-01-01T00:00:00+01:00",
        "1/2",
        "Nov 8",
        "2017-01-01T10:00:00.",
        "2017-01-01T10:00:00ZZ",
        "12345",
        "2017-01-01T10:00:0\xb0Z",
    };
    int64_t ticks;
    for (size_t i = 0; i < RF_COUNT(bad); i++)
        cr_expect(!text_to_datetime(rf_str_of(bad[i]), &ticks), "%s", bad[i]);
}

RF_PROP(text_datetimes_read_back, 2000)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 1u << 16);
    int64_t ticks = rf_test_between(prng, 0, DATETIME_MAX), back;
    if (rf_test_bool(prng)) ticks -= ticks % TICKS_PER_DAY;
    struct value v = value_i64(TYPE_DATETIME, ticks);
    rf_str text = text_of(&arena, &v);
    cr_assert(text_to_datetime(text, &back) && back == ticks, "%.*s", RF_FMT(text));
    /* A blank behind takes the same text the long way. */
    rf_str longer = rf_arena_printf(&arena, "%.*s+00:00", RF_FMT(rf_slice(text, 0, text.len - 1)));
    cr_assert(text_to_datetime(longer, &back) && back == ticks, "%.*s", RF_FMT(longer));
    int year, month, day;
    int64_t midnight;
    date_from_ticks(ticks, &year, &month, &day);
    cr_assert(date_to_ticks(year, month, day, &midnight) &&
              midnight == ticks - ticks % TICKS_PER_DAY);
}

Test(text, calendar_has_every_day_once)
{
    int64_t ticks = 0, got;
    for (int year = 1; year <= 9999; year++) {
        for (int month = 1; month <= 12; month++) {
            for (int day = 1; date_to_ticks(year, month, day, &got);
                 day++, ticks += TICKS_PER_DAY) {
                int y, m, d;
                date_from_ticks(ticks, &y, &m, &d);
                if (got != ticks || y != year || m != month || d != day)
                    cr_assert_fail("%d-%d-%d", year, month, day);
            }
        }
    }
    cr_assert(ticks == DATETIME_MAX + 1);
}

Test(text, reads_timespans)
{
    static const struct {
        const char *text, *printed;
    } cases[] = {
        {"1d", "1.00:00:00"},
        {"1.5h", "01:30:00"},
        {"30m", "00:30:00"},
        {"10s", "00:00:10"},
        {"0.1s", "00:00:00.1000000"},
        {"100ms", "00:00:00.1000000"},
        {"10microsecond", "00:00:00.0000100"},
        {"1tick", "00:00:00.0000001"},
        {"-2 minutes", "-00:02:00"},
        {"15 seconds", "00:00:15"},
        {"2", "2.00:00:00"},
        {"0.12:34:56.7", "12:34:56.7000000"},
        {"1.12:30:55.123", "1.12:30:55.1230000"},
        {"12:30", "12:30:00"},
        {"-1.00:00:00.0000001", "-1.00:00:00.0000001"},
        {"100 nanoseconds", "00:00:00.0000001"},
        {"0.00000000000099999999999", "00:00:00"},
        {"0.000001157407407407407407", "00:00:00.0999999"},
        {"0.0000000000000000000000000000000000000000000000000000000000000000001", "00:00:00"},
    };
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 1u << 20);
    for (size_t i = 0; i < RF_COUNT(cases); i++) {
        int64_t ticks = 0;
        cr_expect(text_to_timespan(rf_str_of(cases[i].text), &ticks), "%s", cases[i].text);
        CHECK_TEXT(&arena, value_i64(TYPE_TIMESPAN, ticks), cases[i].printed);
    }
    CHECK_TEXT(&arena, value_i64(TYPE_TIMESPAN, INT64_MIN), "-10675199.02:48:05.4775808");
    static const char *const bad[] = {
        "",       "-",   "d",  "1w", "1:60", "24:00:00", "1:2:3:4", "99999999999d",
        "1.2.3d", "1.x", "1:", ":1", "1..5h"};
    int64_t ticks;
    for (size_t i = 0; i < RF_COUNT(bad); i++)
        cr_expect(!text_to_timespan(rf_str_of(bad[i]), &ticks), "%s", bad[i]);
}

RF_PROP(text_timespans_read_back, 2000)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 1u << 16);
    struct value v = value_i64(TYPE_TIMESPAN, rf_test_i64(prng));
    int64_t back;
    rf_str text = text_of(&arena, &v);
    cr_assert(text_to_timespan(text, &back) && back == v.i, "%.*s", RF_FMT(text));
}

Test(text, converts_between_types)
{
    static const struct {
        const char *text; /* the string that is converted */
        enum type type;
        const char *printed; /* NULL: null */
    } cases[] = {
        {"1", TYPE_BOOL, "true"},
        {"x", TYPE_BOOL, NULL},
        {"123", TYPE_INT, "123"},
        {"3000000000", TYPE_INT, NULL},
        {"3000000000", TYPE_LONG, "3000000000"},
        {"2.5", TYPE_LONG, NULL},
        {"2.5", TYPE_REAL, "2.5"},
        {"0x10", TYPE_REAL, "16"},
        {"1.10", TYPE_DECIMAL, "1.10"},
        {"1d", TYPE_TIMESPAN, "1.00:00:00"},
        {"nothing", TYPE_DATETIME, NULL},
        {"text", TYPE_STRING, "text"},
        {"text", TYPE_DYNAMIC, "text"},
    };
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 1u << 20);
    for (size_t i = 0; i < RF_COUNT(cases); i++) {
        struct value from = value_str(rf_str_of(cases[i].text)), to;
        cr_assert(value_convert(&from, cases[i].type, &arena, &to));
        cr_expect(to.type == cases[i].type);
        cr_expect(to.null == (cases[i].printed == NULL), "%s", cases[i].text);
        if (!to.null && cases[i].printed != NULL) CHECK_TEXT(&arena, to, cases[i].printed);
    }
    struct value real = value_real(-2.9), to;
    cr_assert(value_convert(&real, TYPE_LONG, &arena, &to) && to.i == -2);
    real.r = 9223372036854775808.0;
    cr_assert(value_convert(&real, TYPE_LONG, &arena, &to) && to.null);
    real.r = NAN;
    cr_assert(value_convert(&real, TYPE_LONG, &arena, &to) && to.null);
    struct value none = value_null(TYPE_LONG);
    cr_assert(value_convert(&none, TYPE_STRING, &arena, &to) && !to.null && to.s.len == 0);
}
