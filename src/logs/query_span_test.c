#include <criterion/criterion.h>

#include "logs/query_int.h"
#include "value/text.h"

static int64_t ticks(const char *text)
{
    int64_t out;
    cr_assert(text_to_datetime(rf_str_of(text), &out), "%s", text);
    return out;
}

Test(query_span, all_forms)
{
    static const struct {
        const char *text, *from, *to;
    } cases[] = {
        {"PT1H", "2024-05-06T11:00:00Z", "2024-05-06T12:00:00Z"},
        {"P7D", "2024-04-29T12:00:00Z", "2024-05-06T12:00:00Z"},
        {"P1DT12H30M0.5S", "2024-05-04T23:29:59.5Z", "2024-05-06T12:00:00Z"},
        {"P2W", "2024-04-22T12:00:00Z", "2024-05-06T12:00:00Z"},
        {"2024-01-01T00:00:00Z/2024-01-02T03:04:05.678Z", "2024-01-01", "2024-01-02T03:04:05.678Z"},
        {"2024-01-01/2024-01-02", "2024-01-01", "2024-01-02"},
        {"2024-01-01T00:00:00.000Z/PT2H", "2024-01-01", "2024-01-01T02:00:00Z"},
        {"PT3H/2024-01-01T08:00:00.000Z", "2024-01-01T05:00:00Z", "2024-01-01T08:00:00Z"},
        {" PT1H ", "2024-05-06T11:00:00Z", "2024-05-06T12:00:00Z"},
        {"2024-01-01T00:00:00+02:00/PT1H", "2023-12-31T22:00:00Z", "2023-12-31T23:00:00Z"},
        {"P3000Y", "0001-01-01", "2024-05-06T12:00:00Z"},
    };
    int64_t now = ticks("2024-05-06T12:00:00Z");
    for (size_t i = 0; i < RF_COUNT(cases); i++) {
        struct query_span span;
        struct rf_err err = {0};
        cr_assert(query_span_parse(rf_str_of(cases[i].text), now, &span, &err) == RF_OK, "%s: %s",
                  cases[i].text, err.text);
        cr_assert(span.given);
        cr_assert(span.from_ticks == ticks(cases[i].from), "%s", cases[i].text);
        cr_assert(span.to_ticks == ticks(cases[i].to), "%s", cases[i].text);
    }
}

Test(query_span, empty_is_none)
{
    struct query_span span = {.given = true};
    struct rf_err err = {0};
    cr_assert(query_span_parse(RF_S(""), 5, &span, &err) == RF_OK && !span.given);
    span.given = true;
    cr_assert(query_span_parse((rf_str){NULL, 0}, 5, &span, &err) == RF_OK && !span.given);
}

Test(query_span, what_is_none_is_refused)
{
    static const char *const cases[] = {"P",
                                        "1H",
                                        "PT",
                                        "yesterday",
                                        "/",
                                        "PT1H/",
                                        "/PT1H",
                                        "P1D/P1D",
                                        "2024-01-02/2024-01-01",
                                        "2024-13-01/2024-12-01",
                                        "-PT1H",
                                        "PT1H/PT1H/PT1H"};
    for (size_t i = 0; i < RF_COUNT(cases); i++) {
        struct query_span span;
        struct rf_err err = {0};
        cr_assert(query_span_parse(rf_str_of(cases[i]), 5, &span, &err) == RF_INVALID, "%s",
                  cases[i]);
        cr_assert(strcmp(err.code, "BadTimespan") == 0);
    }
}

Test(query_span, durations_of_options)
{
    static const struct {
        const char *text;
        int64_t usec;
    } cases[] = {{"00:01:01.500", 61500000},
                 {"50m", 3000000000},
                 {"PT2M", 120000000},
                 {"1.00:00:00", 86400000000},
                 {"00:04:00", 240000000}};
    for (size_t i = 0; i < RF_COUNT(cases); i++) {
        int64_t usec;
        cr_assert(query_duration_parse(rf_str_of(cases[i].text), &usec), "%s", cases[i].text);
        cr_assert(usec == cases[i].usec, "%s: %lld", cases[i].text, (long long)usec);
    }
}
