#include "arm/arm_int.h"
#include "test/rf_prop.h"

static const char document[] =
    "{\"id\":\"/subscriptions/s/resourceGroups/Rg/providers/Microsoft.X/things/Name\","
    "\"name\":\"Name\",\"type\":\"Microsoft.X/things\",\"location\":\"local\","
    "\"tags\":{\"Env\":\"test\",\"owner\":\"it's me\"}}";

static bool passes(const char *text)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 1u << 20);
    struct filter *filter;
    struct json_node *node;
    struct rf_err err;
    cr_assert(json_parse(rf_str_of(document), &arena, &node, &err) == RF_OK);
    cr_assert(arm_filter_parse(rf_str_of(text), &arena, &filter, &err) == RF_OK, "%s: %s", text,
              err.text);
    return arm_filter_passes(filter, node);
}

Test(list_filter, decides)
{
    static const struct {
        const char *text;
        bool passes;
    } cases[] = {
        {"", true},
        {"   ", true},
        {"name eq 'name'", true},
        {"NAME EQ 'nAME'", true},
        {"name ne 'name'", false},
        {"name eq 'other' or location eq 'local'", true},
        {"name eq 'other' and location eq 'local'", false},
        {"name eq 'other' or name eq 'x' or name eq 'name'", true},
        /* "and" binds tighter than "or". */
        {"name eq 'name' or name eq 'x' and name eq 'y'", true},
        {"(name eq 'name' or name eq 'x') and name eq 'y'", false},
        {"resourceType eq 'microsoft.x/THINGS'", true},
        {"resourceGroup eq 'rg' and subscriptionId eq 's'", true},
        {"tagName eq 'ENV'", true},
        {"tagName eq 'env' and tagValue eq 'test'", true},
        {"tagName eq 'env' and tagValue eq 'Test'", false},
        {"tagName eq 'owner' and tagValue eq 'test'", false},
        {"tagName eq 'owner' and tagValue eq 'it''s me'", true},
        {"tagName eq ''", false},
        {"tagName ne 'absent'", true},
        {"substringof('AM',name)", true},
        {"substringof( 'am' , Name )", true},
        {"substringof('',name)", true},
        {"startswith(name,'na')", true},
        {"startswith(name,'name and more')", false},
        {"kind eq ''", true},
    };
    for (size_t i = 0; i < RF_COUNT(cases); i++)
        cr_assert(passes(cases[i].text) == cases[i].passes, "%s", cases[i].text);
}

Test(list_filter, refuses_what_it_does_not_understand)
{
    static const char *const bad[] = {
        "name",
        "name eq",
        "name eq 'x",
        "name eq x",
        "name gt 'x'",
        "color eq 'red'",
        "name eq 'x' and",
        "name eq 'x' name eq 'y'",
        "(name eq 'x'",
        "name eq 'x')",
        "substringof('x' name)",
        "substringof(name,'x')",
        "startswith('x',name)",
        "((((((((((((((((((name eq 'x'))))))))))))))))))",
    };
    for (size_t i = 0; i < RF_COUNT(bad); i++) {
        RF_CLEANUP(rf_arena_done) struct rf_arena arena;
        rf_arena_init(&arena, 1u << 20);
        struct filter *filter;
        struct rf_err err = {.code = "none"};
        cr_assert(arm_filter_parse(rf_str_of(bad[i]), &arena, &filter, &err) == RF_INVALID, "%s",
                  bad[i]);
        cr_assert(strcmp(err.code, "InvalidFilterInQueryString") == 0);
    }
}

Test(list_filter, finds_the_one_type_that_can_pass)
{
    static const struct {
        const char *text, *type;
    } cases[] = {
        {"resourceType eq 'A/b'", "A/b"},
        {"name eq 'x' and resourceType eq 'A/b'", "A/b"},
        {"resourceType eq 'A/b' or name eq 'x'", ""},
        {"resourceType ne 'A/b'", ""},
        {"(resourceType eq 'A/b')", ""},
        {"", ""},
    };
    for (size_t i = 0; i < RF_COUNT(cases); i++) {
        RF_CLEANUP(rf_arena_done) struct rf_arena arena;
        rf_arena_init(&arena, 1u << 20);
        struct filter *filter;
        struct rf_err err;
        cr_assert(arm_filter_parse(rf_str_of(cases[i].text), &arena, &filter, &err) == RF_OK);
        cr_assert(rf_str_is(arm_filter_type(filter), cases[i].type), "%s", cases[i].text);
    }
}
