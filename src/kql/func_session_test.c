#include "test/rf_print.h"

Test(func_session, facts)
{
    static const struct rf_print_case cases[] = {
        {"now()", "datetime:2020-01-01T00:00:00.0000000Z"},
        {"now(-1d)", "2019-12-31T00:00:00.0000000Z"},
        {"now(1d) - now()", "1.00:00:00"},
        {"ingestion_time()", "2020-01-01T00:00:00.0000000Z"},
        {"current_database()", "string:db"},
        {"current_cluster_endpoint()", "here"},
        {"current_principal()", "me@here"},
        {"current_principal_details().FQN", "me@here"},
        {"current_principal_is_member_of('a', dynamic(['ME@here']))", "true"},
        {"current_principal_is_member_of('a', dynamic(['b']))", "false"},
        {"cursor_after('')", "true"},
        {"cursor_after(cursor_current())", "false"},
        {"cursor_before_or_at(cursor_current())", "true"},
        {"isnull(extent_id())", "true"},
        {"isnull(extent_tags())", "true"},
        {"assert(1 == 1, 'never')", "true"},
        {"assert(1 == 2, 'always')", "error:"},
        {"assert(bool(null), 'always')", "error:"},
    };
    RF_PRINT_CHECK(cases);
}

Test(func_session, chance)
{
    static const struct rf_print_case cases[] = {
        {"x = rand() | project x >= 0 and x < 1", "true"},
        {"x = rand(1) | project x", "0"},
        {"x = rand(1000) | project x == floor(x, 1) and x < 1000", "true"},
        {"a = new_guid(), b = new_guid() | project a != b and strlen(tostring(a)) == 36", "true"},
        {"x = substring(tostring(new_guid()), 14, 1)", "4"},
    };
    RF_PRINT_CHECK(cases);
}
