#include "siem/incident_filter.h"

#include <criterion/criterion.h>

static const char incident_text[] =
    "{\"name\":\"n-1\",\"properties\":{\"title\":\"It's Brute force\",\"severity\":\"Low\","
    "\"status\":\"Active\",\"incidentNumber\":7,\"createdTimeUtc\":\"2024-01-02T00:00:00."
    "0000000Z\","
    "\"labels\":[{\"labelName\":\"one\"},{\"labelName\":\"two\"}],\"owner\":{\"email\":\"a@b.c\","
    "\"objectId\":null},\"additionalData\":{\"alertsCount\":3,\"tactics\":[\"Impact\"]}}}";

Test(incident_filter, passes)
{
    static const struct {
        const char *filter;
        bool passes;
    } cases[] = {
        {"", true},
        {"properties/status eq 'Active'", true},
        {"Properties/Status eq 'active'", true},
        {"properties/status ne 'Active'", false},
        {"properties/status eq 'Closed' or properties/severity eq 'Low'", true},
        {"properties/status eq 'Closed' or properties/severity eq 'Low' and properties/title eq "
         "'x'",
         false},
        {"(properties/status eq 'Active' or properties/title eq 'x') and not "
         "(properties/severity eq 'High')",
         true},
        {"not not properties/status eq 'Active'", true},
        {"contains(properties/title, 'brute')", true},
        {"contains(properties/title, 'it''s')", true},
        {"contains(properties/title, 'x') eq false", true},
        {"startswith(properties/title,'It')and endswith(properties/title,'FORCE')", true},
        {"properties/incidentNumber eq 7", true},
        {"properties/incidentNumber gt 7", false},
        {"properties/incidentNumber ge 7 and properties/incidentNumber lt 8", true},
        {"properties/incidentNumber eq '7'", true},
        {"properties/createdTimeUtc ge 2024-01-02T00:00:00Z", true},
        {"properties/createdTimeUtc gt 2024-01-02T00:00:00Z", false},
        {"properties/createdTimeUtc lt 2024-01-02T01:00:00+00:00", true},
        {"properties/createdTimeUtc gt '2024-01-01'", true},
        {"properties/createdTimeUtc gt datetime'2024-01-01T00:00:00Z'", true},
        {"properties/labels eq 'two'", true},
        {"properties/labels/labelName eq 'three'", false},
        {"properties/labels ne 'two'", false},
        {"properties/labels ne 'three'", true},
        {"contains(properties/additionalData/tactics, 'imp')", true},
        {"properties/additionalData/alertsCount ge 3", true},
        {"properties/owner/email eq 'A@B.C'", true},
        {"properties/owner/objectId eq null", true},
        {"properties/owner/email ne null", true},
        {"properties/owner/assignedTo eq ''", true},
        {"name eq 'n-1'", true},
    };
    struct rf_arena arena;
    struct rf_err err;
    struct json_node *incident;
    rf_arena_init(&arena, 4 << 20);
    cr_assert(json_parse(rf_str_of(incident_text), &arena, &incident, &err) == RF_OK);
    for (size_t i = 0; i < RF_COUNT(cases); i++) {
        struct incident_filter *filter;
        cr_assert(incident_filter_parse(rf_str_of(cases[i].filter), &arena, &filter, &err) == RF_OK,
                  "%s", err.text);
        cr_expect_eq(incident_filter_passes(filter, incident), cases[i].passes, "%s",
                     cases[i].filter);
    }
    rf_arena_done(&arena);
}

Test(incident_filter, says_where_it_is_wrong)
{
    static const struct {
        const char *filter, *said;
    } cases[] = {
        {"properties/status", "eq, ne, gt, ge, lt or le is expected at position 17"},
        {"properties/status eq", "a value is expected at position 20"},
        {"properties/status eq 'Active", "a text does not end at position 28"},
        {"properties/nope eq 'x'", "incidents have no such property at position 0"},
        {"(properties/status eq 'x'", "')' is expected at position 25"},
        {"properties/status eq 'x' and", "the name of a property is expected at position 28"},
        {"properties/status eq 'x' properties/title eq 'y'", "something follows"},
        {"properties/status eq x", "a text in quotes"},
        {"contains(properties/title 'x')", "',' is expected at position 26"},
        {"contains(properties/title, 7)", "a text in single quotes is expected"},
        {"((((((((((((((((((name eq 'x'))))))))))))))))))", "it nests too deep"},
    };
    for (size_t i = 0; i < RF_COUNT(cases); i++) {
        struct rf_arena arena;
        struct rf_err err = {.code = ""};
        struct incident_filter *filter;
        rf_arena_init(&arena, 1 << 20);
        cr_expect(incident_filter_parse(rf_str_of(cases[i].filter), &arena, &filter, &err) ==
                      RF_INVALID,
                  "%s", cases[i].filter);
        cr_expect_str_eq(err.code, "InvalidFilter");
        cr_expect(strstr(err.text, cases[i].said) != NULL, "%s", err.text);
        rf_arena_done(&arena);
    }
}

Test(incident_filter, bounds)
{
    static const struct {
        const char *filter;
        unsigned statuses;
        int64_t least, most;
    } cases[] = {
        {"", 7, 0, INT64_MAX},
        {"properties/status eq 'Closed'", 4, 0, INT64_MAX},
        {"properties/status ne 'closed'", 3, 0, INT64_MAX},
        {"properties/status eq 'New' or properties/status eq 'Active'", 3, 0, INT64_MAX},
        {"properties/status eq 'New' or properties/title eq 'Active'", 7, 0, INT64_MAX},
        {"not (properties/status eq 'New')", 7, 0, INT64_MAX},
        {"properties/status eq 'New' and properties/incidentNumber eq 7", 1, 7, 7},
        {"properties/incidentNumber gt 3 and properties/incidentNumber le 9", 7, 3, 10},
    };
    for (size_t i = 0; i < RF_COUNT(cases); i++) {
        struct rf_arena arena;
        struct rf_err err;
        struct incident_filter *filter;
        rf_arena_init(&arena, 1 << 20);
        cr_assert(incident_filter_parse(rf_str_of(cases[i].filter), &arena, &filter, &err) ==
                  RF_OK);
        struct incident_bounds b = incident_filter_bounds(filter);
        cr_expect(b.statuses == cases[i].statuses && b.number_least == cases[i].least &&
                      b.number_most == cases[i].most,
                  "%s: %u %lld %lld", cases[i].filter, b.statuses, (long long)b.number_least,
                  (long long)b.number_most);
        rf_arena_done(&arena);
    }
}
