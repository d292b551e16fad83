/* Who sees which rows, and what is tried to see others. */
#include "logs/query_test_util.h"
#include "tables/tables.h"

#define TABLE_NAME "@Resource[Microsoft.OperationalInsights/workspaces/tables:name]"
#define RECORD(column)                                                                             \
    "@Resource[Microsoft.OperationalInsights/workspaces/tables/record:" column "]"
#define ONLY_READING                                                                               \
    "(!(ActionMatches{'Microsoft.OperationalInsights/workspaces/tables/data/read'})) OR "
#define DATA_READER "3b03c2da-16b3-4a49-8834-0f8130efdd3b"
#define NOT_SECRET                                                                                 \
    ONLY_READING "(" TABLE_NAME                                                                    \
                 " StringEquals 'App_CL' AND " RECORD("S") " StringNotEquals 'secret')"

/* A role with a condition, under a number of its own. */
static void assign_if(struct stage *s, const char *oid, const char *scope, const char *condition)
{
    static int number;
    struct state_txn *txn;
    struct rf_err err;
    struct rf_buf buf = rf_buf_in(&s->walk.arena);
    struct json_out out = json_out_to(&buf);
    rf_str id = rf_arena_printf(&s->walk.arena,
                                "%s/providers/microsoft.authorization/roleassignments/"
                                "dddddddd-0000-0000-0000-%012d",
                                scope, ++number);
    json_begin_object(&out, NULL);
    json_begin_object(&out, "properties");
    json_put_text(&out, "roleDefinitionId",
                  RF_S("/providers/Microsoft.Authorization/roleDefinitions/" DATA_READER));
    json_put_text(&out, "principalId", rf_str_of(oid));
    json_put_text(&out, "scope", rf_str_of(scope));
    if (condition != NULL) json_put_text(&out, "condition", rf_str_of(condition));
    json_end_object(&out);
    json_end_object(&out);
    uint8_t *key = rf_arena_raw(&s->walk.arena, uint8_t, id.len);
    for (size_t i = 0; i < id.len; i++) key[i] = rf_lower(id.ptr[i]);
    struct state_put put = {
        .space = "roleAssignment", .key = rf_str_make(key, id.len), .body = rf_buf_view(&buf)};
    cr_assert(state_begin_write(s->walk.state, &txn, &err) == RF_OK);
    cr_assert(state_put(txn, &put, NULL, NULL, &err) == RF_OK, "%s", err.text);
    cr_assert(state_commit(txn, &err) == RF_OK);
}

static void secret_rows(struct stage *s)
{
    stage_init(s);
    put_rows(s, s->guid, "App_CL",
             "[{\"N\":1,\"S\":\"a\",\"D\":{\"k\":\"x\"}},{\"N\":2,\"S\":\"b\"},"
             "{\"N\":100,\"S\":\"secret\",\"D\":{\"k\":\"hidden\",\"more\":1}},"
             "{\"N\":200,\"S\":\"secret\"}]");
    put_table(s, WS_ARM, "Other_CL", "{\"name\":\"S\",\"type\":\"string\"}");
    put_rows(s, s->guid, "Other_CL", "[{\"S\":\"secret\"},{\"S\":\"a\"}]");
    expect(s, "PUT", WS_ARM "/savedSearches/all?api-version=2020-08-01",
           "{\"properties\":{\"category\":\"f\",\"displayName\":\"d\",\"query\":\"App_CL | where S "
           "startswith part\",\"functionAlias\":\"All\",\"functionParameters\":\"part:string = "
           "''\"}}",
           200);
}

Test(access, nothing_shows_a_row_that_a_condition_hides)
{
    static const struct {
        const char *query, *rows;
    } tries[] = {
        {"App_CL | count", "[[2]]"},
        {"App_CL | where S == 'secret' | count", "[[0]]"},
        {"App_CL | where S has 'secret' or N > 50 or true | count", "[[2]]"},
        {"App_CL | where 1 == 1 or N == 100 | summarize max(N)", "[[2]]"},
        {"App_CL | summarize count() by S | sort by S asc", "[[\"a\",1],[\"b\",1]]"},
        {"App_CL | summarize arg_max(N, *) | project S", "[[\"b\"]]"},
        {"App_CL | summarize dcount(S), make_set(S)", "[[2,\"[\\\"a\\\",\\\"b\\\"]\"]]"},
        {"App_CL | top 1 by N desc | project N", "[[2]]"},
        {"App_CL | sort by N desc | take 1 | project N", "[[2]]"},
        {"App_CL | take 100 | count", "[[2]]"},
        {"App_CL | distinct S | count", "[[2]]"},
        {"App_CL | sample 100 | count", "[[2]]"},
        {"App_CL | sample-distinct 100 of S | count", "[[2]]"},
        {"App_CL | extend x = S | project-away S | where x == 'secret' | count", "[[0]]"},
        {"App_CL | project-rename T = S | where T == 'secret' | count", "[[0]]"},
        {"App_CL | project N | summarize sum(N)", "[[3]]"},
        {"App_CL | where D.k == 'hidden' | count", "[[0]]"},
        {"App_CL | extend k = tostring(D.k) | where k == 'hidden' | count", "[[0]]"},
        {"App_CL | mv-expand D | where tostring(D) has 'hidden' | count", "[[0]]"},
        {"App_CL | evaluate bag_unpack(D) | getschema | where ColumnName == 'more' | count",
         "[[0]]"},
        {"App_CL | as T | union T | count", "[[4]]"},
        {"App_CL | join kind=inner (App_CL | where S == 'secret') on S | count", "[[0]]"},
        {"datatable(S:string)['secret'] | join kind=inner App_CL on S | count", "[[0]]"},
        {"datatable(S:string)['secret'] | lookup kind=inner App_CL on S | count", "[[0]]"},
        {"datatable(S:string)['secret'] | where S in (App_CL | project S) | count", "[[0]]"},
        {"print toscalar(App_CL | summarize max(N))", "[[2]]"},
        {"let T = materialize(App_CL); T | join kind=inner T on N | count", "[[2]]"},
        {"let f = (t:(S:string)) { t | where S == 'secret' }; f(App_CL) | count", "[[0]]"},
        {"let v = view () { App_CL }; union v* | count", "[[2]]"},
        {"All | count", "[[2]]"},
        {"All('secret') | count", "[[0]]"},
        {"table('App_CL') | count", "[[2]]"},
        {"workspace('ws-one').App_CL | count", "[[2]]"},
        {"app('ws-one').App_CL | count", "[[2]]"},
        {"resource('" WS_ARM "').App_CL | count", "[[2]]"},
        {"database('ws-one').App_CL | count", "[[2]]"},
        {"cluster('x').database('y').App_CL | count", "[[2]]"},
        {"union App_CL, workspace('ws-one').App_CL | count", "[[4]]"},
        {"union App* | count", "[[2]]"},
        {"union * | where S == 'secret' | count", "[[0]]"},
        {"union withsource=T * | summarize by T", "[[\"App_CL\"]]"},
        {"union isfuzzy=true Other_CL, App_CL | count", "[[2]]"},
        {"search 'secret' | count", "[[0]]"},
        {"search in (App_CL) N > 50 | count", "[[0]]"},
        {"search * | summarize by $table", "[[\"App_CL\"]]"},
        {"find where S == 'secret' | count", "[[0]]"},
        {"find in (App*) where N > 0 project N | summarize sum(N)", "[[3]]"},
        {"range i from 1 to 1 step 1 | extend n = toscalar(App_CL | count)", "[[1,2]]"},
        {"App_CL | facet by S with (where S == 'secret' | count)", NULL},
        {"App_CL | fork (count) (where S == 'secret' | count)", "[[2]]"},
        {"App_CL | partition by S (summarize n = count()) | summarize sum(n)", "[[2]]"},
        {"App_CL | reduce by S | count", NULL},
        {"App_CL | serialize | extend p = prev(N, 1), n = next(N, 1) | summarize max(n)", "[[2]]"},
        {"App_CL | summarize percentile(N, 100)", "[[2]]"},
        {"App_CL | invoke All() | count", NULL},
        /* What fails for a hidden row would tell that it is there. */
        {"App_CL | where assert(S != 'secret', 'it is there') | count", "[[2]]"},
        {"App_CL | extend x = assert(S != 'secret', 'it is there') | count", "[[2]]"},
        {"App_CL | extend x = assert(N < 50, 'it is there') | summarize sum(N), countif(x)",
         "[[3,2]]"},
        {"App_CL | where strlen(strrep(S, iff(S == 'secret', 1000000000, 1))) > 0 | count",
         "[[2]]"},
        {"App_CL | extend x = strlen(strrep(S, iff(S == 'secret', 1000000000, 1))) | summarize "
         "max(x)",
         "[[1]]"},
    };
    struct stage s;
    secret_rows(&s);
    assign_if(&s, OTHER, WS_ARM, NOT_SECRET);
    be(&s, OTHER);
    for (size_t i = 0; i < RF_COUNT(tries); i++) {
        int status = ask(&s, tries[i].query, NULL);
        rf_str body = rf_buf_view(&s.last.body);
        cr_assert(!walk_body_has(&s.last, "\"secret\"") && !walk_body_has(&s.last, "hidden"),
                  "%s: %.*s", tries[i].query, RF_FMT(body));
        if (tries[i].rows == NULL) continue;
        cr_assert(status == 200, "%s: %d %.*s", tries[i].query, status, RF_FMT(body));
        cr_assert(rf_str_is(rows_text(&s), tries[i].rows), "%s: %.*s", tries[i].query,
                  RF_FMT(rows_text(&s)));
    }
    cr_assert(ask(&s, "Other_CL | count", NULL) == 400, "a table without rows to see is not there");
    cr_assert(ask(&s, "workspace('ws-one').Other_CL | count", NULL) == 400);
    be(&s, OWNER);
    expect_rows(&s, "App_CL | count", NULL, "[[4]]");
    stage_done(&s);
}

/* The same after rows lie in extents with dictionaries, many to a block, read on several lanes. */
Test(access, rows_at_rest_are_hidden_too)
{
    struct stage s;
    secret_rows(&s);
    struct rf_buf rows = rf_buf_in(&s.walk.arena);
    for (int i = 0; i < 6000; i++)
        rf_buf_printf(&rows, "%s{\"N\":%d,\"S\":\"%s\"}", i == 0 ? "[" : ",", i,
                      i % 3 == 0   ? "secret"
                      : i % 3 == 1 ? "a"
                                   : "b");
    rf_buf_printf(&rows, "]%c", 0);
    put_rows(&s, s.guid, "App_CL", (const char *)rows.ptr);
    rf_clock_fixed_pass(&s.walk.clock, 2 * TABLES_IDLE_USEC);
    tables_maintain(s.tables); /* the journal becomes an extent */
    assign_if(&s, OTHER, WS_ARM, NOT_SECRET);
    be(&s, OTHER);
    expect_rows(&s, "App_CL | count", NULL, "[[4002]]");
    expect_rows(&s, "App_CL | where S != 'a' | summarize count() by S", NULL, "[[\"b\",2001]]");
    expect_rows(&s, "App_CL | extend x = assert(S != 'secret', '!') | count", NULL, "[[4002]]");
    expect_rows(&s, "App_CL | where assert(S != 'secret', '!') | count", NULL, "[[4002]]");
    expect_rows(&s, "App_CL | where N % 3 == 0 | summarize max(N)", NULL, "[[null]]");
    expect_rows(&s, "App_CL | where S startswith 's' or S endswith 'b' | summarize count() by S",
                NULL, "[[\"b\",2001]]");
    stage_done(&s);
}

Test(access, what_conditions_give)
{
    static const struct {
        const char *conditions[3]; /* of assignments to one principal */
        const char *rows;          /* N of App_CL; NULL: the table is not there */
    } cases[] = {
        {{NULL}, NULL},
        {{RECORD("S") " StringEquals 'a'"}, "[1]"},
        {{RECORD("S") " StringEquals 'A'"}, "[]"},
        {{RECORD("S") " StringEqualsIgnoreCase 'A'"}, "[1]"},
        {{RECORD("S") " StringEquals 'a'", RECORD("S") " StringEquals 'b'"}, "[1,2]"},
        {{RECORD("S") " StringEquals 'a' AND " RECORD("S") " StringEquals 'b'"}, "[]"},
        {{RECORD("S") " ForAnyOfAnyValues:StringEquals {'a', 'secret'}"}, "[1,100,200]"},
        {{RECORD("S") " ForAllOfAllValues:StringNotEquals {'a', 'secret'}"}, "[2]"},
        {{RECORD("S") " StringStartsWith 'sec' AND " RECORD("N") " StringEquals '100'"}, "[100]"},
        {{RECORD("S") " StringLike 'secret'"}, "[100,200]"},
        {{RECORD("S") " StringLike 'secre'"}, "[]"},
        {{RECORD("D") " StringLike 'hidden'"}, "[100]"},
        {{"!(" RECORD("S") " StringLikeIgnoreCase 'SECRET')"}, "[1,2]"},
        {{"Exists " RECORD("D")}, "[1,100]"},
        /* A column that is not there: no rows by this assignment, and no harm to another. */
        {{RECORD("Missing") " StringEquals 'a'"}, "[]"},
        {{RECORD("Missing") " StringNotEquals 'a'"}, "[]"},
        {{"!(" RECORD("Missing") " StringEquals 'a')"}, "[]"},
        {{"NotExists " RECORD("Missing")}, "[]"},
        {{RECORD("s") " StringEquals 'a'"}, "[]"},
        {{RECORD("Missing") " StringEquals 'a'", RECORD("N") " StringEquals '2'"}, "[2]"},
        {{TABLE_NAME " StringNotEquals 'App_CL' OR " RECORD("S") " StringEquals 'b'"}, "[2]"},
        {{TABLE_NAME " StringEquals 'Other_CL'"}, NULL},
        {{TABLE_NAME " StringEquals 'app_cl'"}, NULL},
        {{"@Principal[x:y] StringEquals 'z'"}, NULL},
        {{"this is no condition"}, NULL},
        {{"this is no condition", RECORD("S") " StringEquals 'b'"}, "[2]"},
        {{RECORD("S") " StringEquals 'a', 'b'"}, NULL},
        {{RECORD("S") " StringEquals '\" or true or \"'"}, "[]"},
        {{RECORD("S") " StringEquals 'a'", TABLE_NAME " StringEquals 'App_CL'"}, "[1,2,100,200]"},
    };
    struct stage s;
    secret_rows(&s);
    for (size_t i = 0; i < RF_COUNT(cases); i++) {
        rf_str oid =
            rf_arena_printf(&s.walk.arena, "aaaaaaaa-0000-0000-0001-%012d", 2 * (int)i + 1);
        const char *who = rf_arena_cstr(&s.walk.arena, oid);
        for (size_t c = 0; c < 3 && cases[i].conditions[c] != NULL; c++)
            assign_if(&s, who, WS_ARM, cases[i].conditions[c]);
        be(&s, who);
        int status = ask(&s, "App_CL | sort by N asc | summarize make_list(N)", NULL);
        rf_str body = rf_buf_view(&s.last.body);
        if (cases[i].rows == NULL) {
            cr_assert(status == 400 || status == 403, "%zu: %.*s", i, RF_FMT(body));
            continue;
        }
        cr_assert(status == 200, "%zu: %.*s", i, RF_FMT(body));
        rf_str wanted = rf_arena_printf(&s.walk.arena, "[[\"%s\"]]", cases[i].rows);
        cr_assert(rf_str_eq(rows_text(&s), wanted), "%zu: %.*s, not %s", i, RF_FMT(rows_text(&s)),
                  cases[i].rows);
    }
    stage_done(&s);
}

Test(access, a_right_without_condition_wins_and_a_narrow_scope_stays_narrow)
{
    struct stage s;
    secret_rows(&s);
    assign_if(&s, OTHER, WS_ARM "/tables/App_CL", RECORD("S") " StringEquals 'a'");
    be(&s, OTHER);
    expect_rows(&s, "union * | summarize count()", NULL, "[[1]]");
    cr_assert(ask(&s, "Other_CL", NULL) == 400);
    assign_if(&s, OTHER, WS_ARM "/tables/Other_CL", NULL);
    expect_rows(&s, "Other_CL | count", NULL, "[[2]]");
    expect_rows(&s, "App_CL | count", NULL, "[[1]]");
    assign(&s, OTHER, ROLE_READER, WS_ARM);
    expect_rows(&s, "App_CL | count", NULL, "[[4]]");
    stage_done(&s);
}

Test(access, rights_of_groups_count)
{
    struct stage s;
    secret_rows(&s);
    s.walk.groups[0] = RF_S("bbbbbbbb-0000-0000-0000-000000000001");
    s.walk.groups[1] = RF_S("bbbbbbbb-0000-0000-0000-000000000002");
    s.walk.group_count = 2;
    be(&s, OTHER);
    assign_if(&s, "bbbbbbbb-0000-0000-0000-000000000002", GROUP, RECORD("S") " StringEquals 'a'");
    expect_rows(&s, "App_CL | count", NULL, "[[1]]");
    assign_if(&s, "bbbbbbbb-0000-0000-0000-000000000001", WS_ARM, NOT_SECRET);
    expect_rows(&s, "App_CL | count", NULL, "[[2]]");
    expect_rows(&s, "Other_CL | count", NULL, "[[1]]");
    stage_done(&s);
}

Test(access, numbers_about_a_table_tell_nothing_of_hidden_rows)
{
    struct stage s;
    secret_rows(&s);
    assign_if(&s, OTHER, WS_ARM, NOT_SECRET);
    be(&s, OTHER);
    with_header(&s, "prefer", "include-statistics=true");
    cr_assert(ask(&s, "App_CL | count", NULL) == 200);
    int64_t scanned = -1;
    cr_assert(
        json_i64_at(s.answer, "statistics.query.inputDatasetStatistics.rows.scanned", &scanned));
    cr_assert(scanned == 0, "%lld", (long long)scanned);
    rf_str row = s.walk.last_row;
    cr_assert(rf_str_find(row, RF_S("\"ConditionalDataAccess\":\"true\""), 0) != SIZE_MAX, "%.*s",
              RF_FMT(row));
    expect(&s, "POST", "/v1/rest/mgmt", "{\"db\":\"ws-one\",\"csl\":\".show tables details\"}",
           200);
    const struct json_node *rows = json_at(s.answer, "Tables")->first;
    rf_str text = json_to_text(&s.walk.arena, json_get(rows, "Rows"));
    cr_assert(rf_str_find(text, RF_S("App_CL"), 0) != SIZE_MAX, "%.*s", RF_FMT(text));
    cr_assert(rf_str_find(text, RF_S("Other_CL"), 0) == SIZE_MAX, "%.*s", RF_FMT(text));
    /* No extents, bytes, rows; no times at which the first and the last came. */
    cr_assert(rf_str_find(text, RF_S("\"\",0,0.0,0.0,0,0,0.0,0.0,0,"), 0) != SIZE_MAX, "%.*s",
              RF_FMT(text));
    cr_assert(rf_str_find(text, RF_S(",null,null,"), 0) != SIZE_MAX, "%.*s", RF_FMT(text));
    rf_str target = rf_arena_printf(&s.walk.arena, "/v1/workspaces/%s/metadata", s.guid);
    expect(&s, "GET", rf_arena_cstr(&s.walk.arena, target), NULL, 200);
    cr_assert(walk_body_has(&s.last, "App_CL") && !walk_body_has(&s.last, "Other_CL"));
    static const char *const paths[] = {"/v1/rest/query", "/v2/rest/query"};
    for (size_t i = 0; i < RF_COUNT(paths); i++) {
        expect(&s, "POST", paths[i],
               "{\"db\":\"ws-one\",\"csl\":\"App_CL | where S == 'secret' or N > 0\"}", 200);
        cr_assert(!walk_body_has(&s.last, "\"secret\""));
        expect(&s, "POST", paths[i], "{\"db\":\"ws-one\",\"csl\":\"Other_CL\"}", 400);
    }
    static const char *const hidden[] = {".show table Other_CL cslschema",
                                         ".show table Other_CL schema as json",
                                         ".show table Other_CL", ".show table Other_CL details"};
    for (size_t i = 0; i < RF_COUNT(hidden); i++) {
        rf_str body =
            rf_arena_printf(&s.walk.arena, "{\"db\":\"ws-one\",\"csl\":\"%s\"}", hidden[i]);
        int status = call(&s, "POST", "/v1/rest/mgmt", rf_arena_cstr(&s.walk.arena, body));
        cr_assert(status >= 400 || !walk_body_has(&s.last, "Other_CL"), "%s", hidden[i]);
    }
    static const char *const lists[] = {".show tables", ".show database schema as json",
                                        ".show databases schema as json", ".show schema as json",
                                        ".show schema"};
    for (size_t i = 0; i < RF_COUNT(lists); i++) {
        rf_str body =
            rf_arena_printf(&s.walk.arena, "{\"db\":\"ws-one\",\"csl\":\"%s\"}", lists[i]);
        expect(&s, "POST", "/v1/rest/mgmt", rf_arena_cstr(&s.walk.arena, body), 200);
        cr_assert(walk_body_has(&s.last, "App_CL") && !walk_body_has(&s.last, "Other_CL"), "%s",
                  lists[i]);
    }
    rf_str batch = rf_arena_printf(
        &s.walk.arena,
        "{\"requests\":[{\"id\":\"1\",\"method\":\"POST\",\"path\":\"/query\",\"workspace\":\"%s\","
        "\"headers\":{},\"body\":{\"query\":\"App_CL | count\"}},{\"id\":\"2\",\"method\":\"POST\","
        "\"path\":\"/query\",\"workspace\":\"%s\",\"body\":{\"query\":\"Other_CL | count\"}}]}",
        s.guid, s.guid);
    expect(&s, "POST", "/v1/$batch", rf_arena_cstr(&s.walk.arena, batch), 200);
    const struct json_node *first = json_at(s.answer, "responses")->first;
    rf_str count =
        json_to_text(&s.walk.arena, json_get(json_at(first, "body.tables")->first, "rows"));
    int64_t status = 0;
    cr_assert(rf_str_is(count, "[[2]]"), "%.*s", RF_FMT(count));
    cr_assert(json_i64_at(first->next, "status", &status) && status == 400);
    stage_done(&s);
}

/* Across workspaces each one's own rights count. */
Test(access, every_workspace_narrows_for_itself)
{
    struct stage s;
    secret_rows(&s);
    put_workspace(&s, WS_ARM2, &s.guid2);
    put_table(&s, WS_ARM2, "App_CL",
              "{\"name\":\"N\",\"type\":\"long\"},{\"name\":\"S\",\"type\":\"string\"}");
    put_rows(&s, s.guid2, "App_CL", "[{\"N\":1000,\"S\":\"secret\"},{\"N\":2000,\"S\":\"a\"}]");
    assign_if(&s, OTHER, WS_ARM, NOT_SECRET);
    be(&s, OTHER);
    cr_assert(ask(&s, "App_CL | count", "\"workspaces\":[\"ws-two\"]") == 403);
    cr_assert(ask(&s, "workspace('ws-two').App_CL | count", NULL) == 400);
    assign_if(&s, OTHER, WS_ARM2, RECORD("S") " StringEquals 'secret'");
    expect_rows(&s, "App_CL | summarize sum(N)", "\"workspaces\":[\"ws-two\"]", "[[1003]]");
    expect_rows(&s, "union App_CL, workspace('ws-two').App_CL | summarize sum(N)", NULL,
                "[[1003]]");
    stage_done(&s);
}

/* Where the workspace requires rights of its own, those of a resource give nothing. */
Test(access, resources_of_a_workspace_with_rights_of_its_own)
{
#define VM GROUP "/providers/Microsoft.Compute/virtualMachines/vm1"
    struct stage s;
    const char *query = "{\"query\":\"Heartbeat | project Computer | sort by Computer asc\"}";
    stage_init(&s);
    put_rows(&s, s.guid, "Heartbeat",
             "[{\"Computer\":\"a\",\"_ResourceId\":\"" VM "\"},{\"Computer\":\"b\",\"_ResourceId\":"
             "\"" VM "\"},{\"Computer\":\"c\"}]");
    assign(&s, OTHER, ROLE_READER, VM);
    be(&s, OTHER);
    expect(&s, "POST", "/v1" VM "/query", query, 200);
    cr_assert(rf_str_is(rows_text(&s), "[[\"a\"],[\"b\"]]"));
    be(&s, OWNER);
    expect(
        &s, "PATCH", WS_ARM "?api-version=2022-10-01",
        "{\"properties\":{\"features\":{\"enableLogAccessUsingOnlyResourcePermissions\":false}}}",
        200);
    be(&s, OTHER);
    expect(&s, "POST", "/v1" VM "/query", query, 400);
    assign_if(&s, OTHER, WS_ARM, RECORD("Computer") " ForAnyOfAnyValues:StringEquals {'b', 'c'}");
    expect(&s, "POST", "/v1" VM "/query", query, 200);
    cr_assert(rf_str_is(rows_text(&s), "[[\"b\"]]"), "%.*s", RF_FMT(rows_text(&s)));
    expect_rows(&s, "Heartbeat | project Computer | sort by Computer asc", NULL,
                "[[\"b\"],[\"c\"]]");
    expect_rows(&s, "resource('" VM "').Heartbeat | project Computer", NULL, "[[\"b\"]]");
    stage_done(&s);
}
