#include "authz/condition_int.h"
#include "authz/rbac_int.h"
#include "test/rf_prop.h"

#define ROLE_A "11111111-0000-0000-0000-00000000000A"
#define ROLE_B "11111111-0000-0000-0000-00000000000B"
#define WRITE "Microsoft.Authorization/roleAssignments/write"
#define RA "Microsoft.Authorization/roleAssignments:"
#define TABLE_NAME "@Resource[Microsoft.OperationalInsights/workspaces/tables:name]"

static const struct condition_subject subject = {
    .action = {(const uint8_t *)WRITE, sizeof WRITE - 1},
    .scope = {(const uint8_t *)"/subscriptions/s/providers/x/workspaces/w/tables/Syslog", 55},
    .role_id = {(const uint8_t *)"11111111-0000-0000-0000-00000000000a", 36},
    .principal_type = {(const uint8_t *)"User", 4}};

Test(condition, holds_when_it_is_true)
{
    static const struct {
        const char *text;
        bool holds;
    } table[] = {
        {"ActionMatches{'" WRITE "'}", true},
        {"ActionMatches{'microsoft.authorization/*'}", true},
        {"ActionMatches{'Microsoft.Other/*', '*/write'}", true},
        {"ActionMatches{'Microsoft.Authorization/roleAssignments/delete'}", false},
        {"!(ActionMatches{'a/b'})", true},
        {"NOT NOT ActionMatches{'a/b'}", false},
        {"!!ActionMatches{'*'}", true},
        {"SubOperationMatches{'x'}", false},
        {"@Request[" RA "RoleDefinitionId] GuidEquals " ROLE_A, true},
        {"@Request[" RA "RoleDefinitionId] ForAnyOfAnyValues:GuidEquals{" ROLE_B ", " ROLE_A "}",
         true},
        {"@Request[" RA "RoleDefinitionId] ForAnyOfAnyValues:GuidEquals {" ROLE_B "}", false},
        {"@Request[" RA "RoleDefinitionId] ForAnyOfAllValues:GuidNotEquals {" ROLE_A ", " ROLE_B
         "}",
         false},
        {"@Request[" RA "RoleDefinitionId] ForAnyOfAnyValues:GuidNotEquals {" ROLE_A ", " ROLE_B
         "}",
         true},
        {"@Request[" RA "PrincipalType] StringEquals 'User'", true},
        {"@Request[" RA "PrincipalType] StringEquals 'user'", false},
        {"@Request[" RA "PrincipalType] StringEqualsIgnoreCase 'user'", true},
        {"@Request[" RA "PrincipalType] StringLike 'U*r'", true},
        {"@Request[" RA "PrincipalType] StringLike 'U?r'", false},
        {"@Request[" RA "PrincipalType] StringNotStartsWith 'Us'", false},
        {"'b' StringEquals 'b' && 3 NumericLessThan 4 and -1 NumericGreaterThan -2", true},
        {"3 NumericEquals 03", true},
        {"3 NumericEquals x", false},
        {TABLE_NAME " StringEquals 'Syslog'", true},
        {TABLE_NAME " StringEquals 'Perf'", false},
        {"ActionMatches{'a/b'} OR " TABLE_NAME " StringEquals 'Syslog'", true},
        {"@Resource[Microsoft.Storage/accounts:name] StringEquals 'Syslog'", false},
        {"Exists @Request[" RA "RoleDefinitionId]", true},
        {"NotExists @Request[" RA "PrincipalId]", true},
        /* Unknown attributes are neither true nor false. */
        {"@Principal[x:y] StringEquals 'z'", false},
        {"!(@Principal[x:y] StringEquals 'z')", false},
        {"@Principal[x:y] StringEquals 'z' OR 'a' StringEquals 'a'", true},
        {"@Principal[x:y] StringNotEquals 'z' AND 'a' StringEquals 'a'", false},
        {"@Request[" RA "PrincipalId] StringNotEquals 'z'", false},
        {"'a' StringEquals 'b' AND 'a' StringEquals 'b' OR 'a' StringEquals 'a'", true},
        {"'a' StringEquals 'a' OR 'a' StringEquals 'b' AND 'a' StringEquals 'b'", true},
        {"('a' StringEquals 'a' OR 'a' StringEquals 'b') AND 'a' StringEquals 'b'", false},
        {"'a' StringEquals 'a' AND !('a' StringEquals 'b') AND 'c' StringEquals 'c'", true},
        {"{1, 2} ForAllOfAnyValues:NumericEquals {2, 1, 3}", true},
        {"{1, 4} ForAllOfAnyValues:NumericEquals {2, 1, 3}", false},
        {"{1, 1} ForAllOfAllValues:NumericEquals {1, 1}", true},
        {"{1, 2} ForAllOfAllValues:NumericEquals {1, 1}", false},
    };
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 1 << 20);
    for (size_t i = 0; i < RF_COUNT(table); i++) {
        struct condition *condition;
        struct rf_err err;
        cr_assert(condition_parse(rf_str_of(table[i].text), &arena, &condition, &err) == RF_OK,
                  "%s: %s", table[i].text, err.text);
        cr_assert(condition_holds(condition, &subject) == table[i].holds, "%s", table[i].text);
    }
    cr_assert(!condition_holds(NULL, &subject));
}

Test(condition, refuses_what_it_cannot_read)
{
    static const char *const table[] = {"",
                                        "(",
                                        ")",
                                        "ActionMatches",
                                        "ActionMatches{",
                                        "ActionMatches{'a'",
                                        "ActionMatches{'a}",
                                        "'a'",
                                        "'a' StringEquals",
                                        "'a' Equals 'b'",
                                        "@",
                                        "@Request",
                                        "@Request[",
                                        "@Foo[x] StringEquals 'a'",
                                        "'a' StringEquals 'a' AND",
                                        "'a' StringEquals 'a' 'b'",
                                        "!",
                                        "Exists 'a'",
                                        "'a' ForAnyOfAnyValues StringEquals 'a'",
                                        "'a' StringEqualsX 'a'",
                                        "ANDx"};
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 1 << 20);
    for (size_t i = 0; i < RF_COUNT(table); i++) {
        struct condition *condition;
        struct rf_err err;
        cr_assert(condition_parse(rf_str_of(table[i]), &arena, &condition, &err) == RF_INVALID,
                  "%s", table[i]);
        cr_assert(strcmp(err.code, "InvalidCondition") == 0);
    }
}

Test(condition, bounds_depth_and_length)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 8 << 20);
    struct condition *condition;
    struct rf_buf deep = rf_buf_in(&arena), wide = rf_buf_in(&arena);
    for (int i = 0; i < 3000; i++) rf_buf_byte(&deep, '(');
    cr_assert(condition_parse(rf_buf_view(&deep), &arena, &condition, NULL) == RF_INVALID);
    for (int i = 0; i < 300; i++) rf_buf_str(&wide, RF_S("1 NumericEquals 1 AND "));
    rf_buf_str(&wide, RF_S("1 NumericEquals 1"));
    cr_assert(condition_parse(rf_buf_view(&wide), &arena, &condition, NULL) == RF_OK);
    cr_assert(condition_holds(condition, &subject));
    for (int i = 0; i < 900; i++) rf_buf_byte(&wide, ' ');
    for (int i = 0; i < 900; i++) rf_buf_byte(&wide, ' ');
    cr_assert(condition_parse(rf_buf_view(&wide), &arena, &condition, NULL) == RF_INVALID,
              "longer than Azure takes");
}

Test(filter, reads_terms)
{
    static const char *const names[] = {"atScope()", "assignedTo()", "principalId", NULL};
    struct rbac_filter filter;
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 1 << 20);
    cr_assert(
        rbac_filter_parse(RF_S(" atscope() AND principalId  eq 'a''b' and assignedTo( 'c' ) "),
                          names, &arena, &filter, NULL) == RF_OK);
    cr_assert(filter.count == 3);
    cr_assert(rf_str_is(rbac_filter_term(&filter, "principalId")->value, "a'b"));
    cr_assert(rf_str_is(rbac_filter_term(&filter, "assignedTo")->value, "c"));
    cr_assert(rbac_filter_parse(RF_S(""), names, &arena, &filter, NULL) == RF_OK &&
              filter.count == 0);
    cr_assert(rbac_filter_term(&filter, "principalId") == NULL);
}
