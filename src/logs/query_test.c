#include <sched.h>

#include "logs/query_test_util.h"

static void three_rows(struct stage *s)
{
    put_rows(s, s->guid, "App_CL",
             "[{\"TimeGenerated\":\"2026-01-31T11:00:00Z\",\"N\":1,\"S\":\"a\",\"D\":{\"k\":[1]}},"
             "{\"TimeGenerated\":\"2026-01-31T07:00:00Z\",\"N\":5,\"S\":\"b\"},"
             "{\"TimeGenerated\":\"2026-01-30T06:00:00Z\",\"N\":30,\"S\":\"c\"}]");
}

/* ---- answers ----------------------------------------------------------------------------------------------------- */

Test(query, every_type_has_its_wire_form)
{
    struct stage s;
    stage_init(&s);
    cr_assert(ask(&s,
                  "print b = true, i = int(7), l = 9007199254740993, r = 1.25, m = decimal(1.10), "
                  "s = 'x\"\\\\y', d = datetime(2024-02-29T12:34:56.7890123Z), "
                  "t = 1d + 2h + 3m + 4s + 5ms, g = guid(12345678-1234-1234-1234-123456789ABC), "
                  "j = dynamic({\"a\":[1,\"two\",null]}), nb = bool(null), nd = datetime(null), "
                  "nj = dynamic(null), inf = real(+inf), nan = real(nan)",
                  NULL) == 200);
    rf_str text = rf_buf_view(&s.last.body);
    cr_assert(
        rf_str_is(text,
                  "{\"tables\":[{\"name\":\"PrimaryResult\",\"columns\":[{\"name\":\"b\",\"type\":"
                  "\"bool\"},{\"name\":\"i\",\"type\":\"int\"},{\"name\":\"l\",\"type\":\"long\"},"
                  "{\"name\":\"r\",\"type\":\"real\"},{\"name\":\"m\",\"type\":\"decimal\"},"
                  "{\"name\":\"s\",\"type\":\"string\"},{\"name\":\"d\",\"type\":\"datetime\"},"
                  "{\"name\":\"t\",\"type\":\"timespan\"},{\"name\":\"g\",\"type\":\"guid\"},"
                  "{\"name\":\"j\",\"type\":\"dynamic\"},{\"name\":\"nb\",\"type\":\"bool\"},"
                  "{\"name\":\"nd\",\"type\":\"datetime\"},{\"name\":\"nj\",\"type\":\"dynamic\"},"
                  "{\"name\":\"inf\",\"type\":\"real\"},{\"name\":\"nan\",\"type\":\"real\"}],"
                  "\"rows\":[[true,7,9007199254740993,1.25,\"1.10\",\"x\\\"\\\\y\","
                  "\"2024-02-29T12:34:56.7890123Z\",\"1.02:03:04.0050000\","
                  "\"12345678-1234-1234-1234-123456789abc\","
                  "\"{\\\"a\\\":[1,\\\"two\\\",null]}\",null,null,null,\"Infinity\",\"NaN\"]]}]}"),
        "%.*s", RF_FMT(text));
    cr_assert(rf_str_starts(walk_header(&s.last, "Content-Type"), RF_S("application/json")));
    stage_done(&s);
}

Test(query, several_statements_give_several_tables)
{
    struct stage s;
    stage_init(&s);
    cr_assert(ask(&s, "print a = 1; print b = 2; print c = 3", NULL) == 200);
    const struct json_node *table = json_get(s.answer, "tables")->first;
    cr_assert(json_get(s.answer, "tables")->count == 3);
    cr_assert(rf_str_is(json_text_at(table, "name"), "PrimaryResult"));
    cr_assert(rf_str_is(json_text_at(table->next, "name"), "PrimaryResult_1"));
    cr_assert(rf_str_is(json_text_at(table->next->next, "name"), "PrimaryResult_2"));
    stage_done(&s);
}

Test(query, every_path_that_clients_use_works)
{
    struct stage s;
    stage_init(&s);
    static const struct {
        const char *front, *behind; /* of the workspace's GUID */
    } targets[] = {{"/v1/workspaces/", "/query"},
                   {"/workspaces/", "/query"},
                   {"/v1" WS_ARM "/query?x=", ""},
                   {WS_ARM "/query?x=", ""},
                   {WS_ARM "/api/query?api-version=2017-01-01-preview&x=", ""}};
    for (size_t i = 0; i < RF_COUNT(targets); i++) {
        char target[400];
        snprintf(target, sizeof target, "%s%s%s", targets[i].front, s.guid, targets[i].behind);
        expect(&s, "POST", target, "{\"query\":\"print x = 42\",\"timespan\":\"P1D\"}", 200);
        cr_assert(rf_str_is(rows_text(&s), "[[42]]"), "%s", target);
    }
    char target[400];
    snprintf(target, sizeof target, "/v1/workspaces/%s/query?query=print%%20x%%3D7&timespan=PT1H",
             s.guid);
    expect(&s, "GET", target, NULL, 200);
    cr_assert(rf_str_is(rows_text(&s), "[[7]]"));
    stage_done(&s);
}

Test(query, a_timespan_limits_rows_in_every_form)
{
    static const struct {
        const char *more, *rows;
    } cases[] = {{"\"timespan\":\"PT2H\"", "[[1]]"},
                 {"\"timespan\":\"P1D\"", "[[1],[5]]"},
                 {"\"timespan\":\"2026-01-30T00:00:00Z/2026-01-30T12:00:00Z\"", "[[30]]"},
                 {"\"timespan\":\"2026-01-31T06:00:00.000Z/PT2H\"", "[[5]]"},
                 {"\"timespan\":\"PT3H/2026-01-31T08:00:00.000Z\"", "[[5]]"},
                 {"\"timespan\":\"\"", "[[1],[5],[30]]"},
                 {"\"timespan\":null", "[[1],[5],[30]]"},
                 {NULL, "[[1],[5],[30]]"}};
    struct stage s;
    stage_init(&s);
    three_rows(&s);
    for (size_t i = 0; i < RF_COUNT(cases); i++)
        expect_rows(&s, "App_CL | project N | sort by N asc", cases[i].more, cases[i].rows);
    expect_rows(&s, "App_CL | where TimeGenerated > ago(3h) | count", "\"timespan\":\"P7D\"",
                "[[1]]");
    cr_assert(ask(&s, "print 1", "\"timespan\":\"1 hour\"") == 400);
    cr_assert(strcmp(text_at(&s, "error.innererror.code"), "QueryValidationError") == 0);
    stage_done(&s);
}

Test(query, preferences_add_members)
{
    struct stage s;
    stage_init(&s);
    const char *query = "print x = 1, y = 2, z = 3 | render barchart with (title='T', xcolumn=x, "
                        "ycolumns=y, z, ymax=10)";
    cr_assert(ask(&s, query, NULL) == 200);
    cr_assert(json_get(s.answer, "statistics") == NULL && json_get(s.answer, "render") == NULL);
    with_header(&s, "prefer",
                "wait=60, include-statistics=true, include-render=true, include-dataSources=true, "
                "ai.response-thinning=true");
    cr_assert(ask(&s, query, NULL) == 200);
    cr_assert(strcmp(text_at(&s, "render.visualization"), "barchart") == 0);
    cr_assert(strcmp(text_at(&s, "render.title"), "T") == 0);
    cr_assert(strcmp(text_at(&s, "render.xColumn"), "x") == 0);
    cr_assert(rf_str_is(json_to_text(&s.walk.arena, json_at(s.answer, "render.yColumns")),
                        "[\"y\",\"z\"]"));
    cr_assert(json_is(json_at(s.answer, "render.yMax"), JSON_T_NUMBER));
    cr_assert(json_is(json_at(s.answer, "render.legend"), JSON_T_NULL));
    cr_assert(json_is(json_at(s.answer, "statistics.query.executionTime"), JSON_T_NUMBER));
    cr_assert(json_at(s.answer, "statistics.query.datasetStatistics")->count == 1);
    cr_assert(json_at(s.answer, "dataSources")->count == 1);
    with_header(&s, "Prefer", "include-render=true");
    cr_assert(ask(&s, "print 1", NULL) == 200);
    cr_assert(json_is(json_at(s.answer, "render.visualization"), JSON_T_NULL));
    stage_done(&s);
}

Test(query, a_result_over_the_row_limit_is_a_partial_success)
{
    struct stage s;
    stage_init(&s);
    cr_assert(ask(&s, "range i from 1 to 500000 step 1", NULL) == 200);
    cr_assert(json_get(s.answer, "error") == NULL);
    cr_assert(ask(&s, "range i from 1 to 500001 step 1", NULL) == 200);
    cr_assert(json_get(json_get(s.answer, "tables")->first, "rows")->count == 500000);
    cr_assert(strcmp(text_at(&s, "error.code"), "PartialError") == 0);
    const struct json_node *detail = json_at(s.answer, "error.details")->first;
    cr_assert(rf_str_is(json_text_at(detail, "code"), "EngineError"));
    cr_assert(rf_str_is(json_text_at(detail, "innererror.code"), "-2133196797"));
    cr_assert(rf_str_find(json_text_at(detail, "innererror.message"),
                          RF_S("E_QUERY_RESULT_SET_TOO_LARGE"), 0) != SIZE_MAX);
    stage_done(&s);
}

/* ---- errors ------------------------------------------------------------------------------------------------------ */

Test(query, errors_carry_codes_and_places)
{
    static const struct {
        const char *query, *inner, *number, *token;
        int64_t line, pos;
    } cases[] = {
        {"print 1 +", "SyntaxError", "SYN0002", "", 1, 9},
        {"nosuchtable | take 1", "SemanticError", "SEM0100", "nosuchtable", 1, 0},
        {"print a = 1\n| where bb == 2", "SemanticError", "SEM0100", "bb", 2, 8},
        {"print nosuch(1)", "SemanticError", "SEM0260", "nosuch", 1, 6},
        {"print 1 | frobnicate", "SyntaxError", "SYN0002", "frobnicate", 1, 10},
    };
    struct stage s;
    stage_init(&s);
    for (size_t i = 0; i < RF_COUNT(cases); i++) {
        int64_t line = 0, pos = 0;
        cr_assert(ask(&s, cases[i].query, NULL) == 400, "%s", cases[i].query);
        cr_assert(strcmp(text_at(&s, "error.code"), "BadArgumentError") == 0);
        cr_assert(text_at(&s, "error.message")[0] != '\0');
        cr_assert(strlen(text_at(&s, "error.correlationId")) == 36);
        cr_assert(strcmp(text_at(&s, "error.innererror.code"), cases[i].inner) == 0, "%s",
                  cases[i].query);
        cr_assert(strcmp(text_at(&s, "error.innererror.innererror.code"), cases[i].number) == 0,
                  "%s: %s", cases[i].query, text_at(&s, "error.innererror.innererror.code"));
        cr_assert(json_i64_at(s.answer, "error.innererror.innererror.line", &line) &&
                  line == cases[i].line);
        cr_assert(json_i64_at(s.answer, "error.innererror.innererror.pos", &pos) &&
                      pos == cases[i].pos,
                  "%s: %d", cases[i].query, (int)pos);
        cr_assert(strcmp(text_at(&s, "error.innererror.innererror.token"), cases[i].token) == 0,
                  "%s: %s", cases[i].query, text_at(&s, "error.innererror.innererror.token"));
    }
    stage_done(&s);
}

Test(query, bad_requests_are_told)
{
    static const char *const bodies[] = {"",
                                         "{",
                                         "[]",
                                         "{}",
                                         "{\"query\":5}",
                                         "{\"query\":\"\"}",
                                         "{\"query\":\"print 1\",\"timespan\":5}",
                                         "{\"query\":\"print 1\",\"workspaces\":\"x\"}",
                                         "{\"query\":\"print 1\",\"workspaces\":[\"nosuch\"]}"};
    struct stage s;
    stage_init(&s);
    char target[100];
    snprintf(target, sizeof target, "/v1/workspaces/%s/query", s.guid);
    for (size_t i = 0; i < RF_COUNT(bodies); i++) {
        expect(&s, "POST", target, bodies[i], 400);
        cr_assert(strcmp(text_at(&s, "error.code"), "BadArgumentError") == 0, "%s", bodies[i]);
    }
    expect(&s, "POST", "/v1/workspaces/00000000-0000-0000-0000-00000000dead/query",
           "{\"query\":\"print 1\"}", 404);
    cr_assert(strcmp(text_at(&s, "error.code"), "PathNotFoundError") == 0);
    expect(&s, "POST", "/v1/workspaces/ws-one/query", "{\"query\":\"print 1\"}", 404);
    s.token = (rf_str){NULL, 0};
    expect(&s, "POST", target, "{\"query\":\"print 1\"}", 401);
    cr_assert(strcmp(text_at(&s, "error.code"), "AuthorizationRequiredError") == 0);
    s.token = RF_S("Bearer junk");
    expect(&s, "POST", target, "{\"query\":\"print 1\"}", 401);
    stage_done(&s);
}

/* Time passes with each look at the clock, so that the query's end has come before it began. */
Test(query, a_query_past_its_time_is_a_gateway_timeout)
{
    struct stage s;
    stage_init(&s);
    rf_clock_fixed_init(&s.walk.clock, WALK_NOW * RF_USEC_PER_SECOND, 2 * RF_USEC_PER_SECOND);
    with_header(&s, "Prefer", "wait=1");
    cr_assert(
        ask(&s,
            "range a from 1 to 100000 step 1 | extend k = 1 | join kind=inner (range b from 1 to "
            "100000 step 1 | extend k = 1) on k | summarize count() by a % 7, b % 1000",
            NULL) == 504);
    cr_assert(strcmp(text_at(&s, "error.code"), "GatewayTimeout") == 0);
    stage_done(&s);
}

/* The walk's exchanges have clients that stay; here one is gone already. */
Test(query, a_client_that_has_gone_ends_its_query)
{
    struct stage s;
    struct running running;
    struct rf_err err;
    atomic_bool gone = true;
    stage_init(&s);
    cr_assert(running_begin(s.logs->queries, NULL, &gone, QUERY_WAIT_MAX, &running, RF_S("x"),
                            &err) == RF_OK);
    while (!atomic_load(&running.cancelled)) sched_yield();
    cr_assert(!atomic_load(&running.timed_out));
    running_end(&running);
    stage_done(&s);
}

Test(query, one_caller_has_few_queries_at_a_time)
{
    struct stage s;
    struct rf_err err;
    struct running running[QUERY_RUNNING_MAX + 1], *list;
    uint32_t count = 0;
    struct principal one = {.object_id = RF_S("one")}, other = {.object_id = RF_S("other")};
    stage_init(&s);
    for (int i = 0; i < QUERY_RUNNING_MAX; i++)
        cr_assert(running_begin(s.logs->queries, &one, NULL, QUERY_WAIT_MAX, &running[i],
                                RF_S("text"), &err) == RF_OK);
    cr_assert(running_begin(s.logs->queries, &one, NULL, QUERY_WAIT_MAX,
                            &running[QUERY_RUNNING_MAX], RF_S("text"), &err) == RF_AGAIN);
    cr_assert(strcmp(err.code, "ThrottledError") == 0);
    cr_assert(running_list(s.logs->queries, &s.walk.arena, &list, &err) == RF_OK);
    for (; list != NULL; list = list->next) count += rf_str_is(list->principal_id, "one");
    cr_assert(count == QUERY_RUNNING_MAX);
    cr_assert(running_begin(s.logs->queries, &other, NULL, QUERY_WAIT_MAX,
                            &running[QUERY_RUNNING_MAX], RF_S("text"), &err) == RF_OK);
    running_end(&running[QUERY_RUNNING_MAX]);
    running_end(&running[3]);
    cr_assert(running_begin(s.logs->queries, &one, NULL, QUERY_WAIT_MAX, &running[3], RF_S("text"),
                            &err) == RF_OK);
    for (int i = 0; i < QUERY_RUNNING_MAX; i++) running_end(&running[i]);
    stage_done(&s);
}

Test(query, too_many_queries_are_throttled)
{
    struct stage s;
    stage_init(&s);
    s.logs->options.query_rate_max = 5;
    for (int i = 0; i < 5; i++) cr_assert(ask(&s, "print 1", NULL) == 200, "%d", i);
    cr_assert(ask(&s, "print 1", NULL) == 429);
    cr_assert(strcmp(text_at(&s, "error.code"), "ThrottledError") == 0);
    cr_assert(rf_str_is(walk_header(&s.last, "Retry-After"), "6") ||
              rf_str_is(walk_header(&s.last, "Retry-After"), "7"));
    rf_clock_fixed_pass(&s.walk.clock, 6 * RF_USEC_PER_SECOND);
    cr_assert(ask(&s, "print 1", NULL) == 200);
    cr_assert(ask(&s, "print 1", NULL) == 429);
    stage_done(&s);
}

/* ---- who may see what -------------------------------------------------------------------------------------------- */

/* A role of its own with these actions, as JSON texts. */
static void make_role(struct stage *s, const char *guid, const char *actions)
{
    struct state_txn *txn;
    struct rf_err err;
    rf_str body = rf_arena_printf(
        &s->walk.arena,
        "{\"id\":\"/providers/Microsoft.Authorization/roleDefinitions/"
        "%s\",\"name\":\"%s\",\"type\":"
        "\"Microsoft.Authorization/"
        "roleDefinitions\",\"properties\":{\"roleName\":\"r-%s\",\"type\":"
        "\"CustomRole\",\"description\":\"\",\"assignableScopes\":[\"/\"],\"permissions\":[{"
        "\"actions\":[%s],\"notActions\":[],\"dataActions\":[],\"notDataActions\":[]}]}}",
        guid, guid, guid, actions);
    struct state_put put = {.space = "roleDefinition", .key = rf_str_of(guid), .body = body};
    cr_assert(state_begin_write(s->walk.state, &txn, &err) == RF_OK);
    cr_assert(state_put(txn, &put, NULL, NULL, &err) == RF_OK, "%s", err.text);
    cr_assert(state_commit(txn, &err) == RF_OK);
}

#define ROLE_QUERY "cccccccc-0000-0000-0000-000000000001"
#define ROLE_TABLE "cccccccc-0000-0000-0000-000000000002"
#define ROLE_AT_TABLE "cccccccc-0000-0000-0000-000000000003"

Test(query, who_may_nothing_sees_nothing)
{
    struct stage s;
    stage_init(&s);
    be(&s, OTHER);
    cr_assert(ask(&s, "print 1", NULL) == 403);
    cr_assert(strcmp(text_at(&s, "error.code"), "InsufficientAccessError") == 0);
    assign(&s, OTHER, ROLE_READER, WS_ARM);
    cr_assert(ask(&s, "App_CL | count", NULL) == 200);
    stage_done(&s);
}

Test(query, tables_are_shown_one_by_one)
{
    struct stage s;
    stage_init(&s);
    put_table(&s, WS_ARM, "Hidden_CL", "{\"name\":\"N\",\"type\":\"long\"}");
    put_table(&s, WS_ARM, "Scoped_CL", "{\"name\":\"N\",\"type\":\"long\"}");
    make_role(&s, ROLE_QUERY, "\"Microsoft.OperationalInsights/workspaces/query/read\"");
    make_role(&s, ROLE_TABLE, "\"Microsoft.OperationalInsights/workspaces/query/App_CL/read\"");
    make_role(&s, ROLE_AT_TABLE, "\"Microsoft.OperationalInsights/workspaces/tables/query/read\"");
    be(&s, OTHER);
    assign(&s, OTHER, ROLE_QUERY, WS_ARM);
    cr_assert(ask(&s, "print 1", NULL) == 200);
    cr_assert(ask(&s, "App_CL | count", NULL) == 400, "the right to query shows no table");
    assign(&s, OTHER, ROLE_TABLE, WS_ARM);
    cr_assert(ask(&s, "App_CL | count", NULL) == 200);
    cr_assert(ask(&s, "Hidden_CL | count", NULL) == 400);
    cr_assert(strcmp(text_at(&s, "error.innererror.code"), "SemanticError") == 0);
    cr_assert(ask(&s, "Hiden_CL | count", NULL) == 400);
    cr_assert(!walk_body_has(&s.last, "Hidden_CL"), "no hint at a hidden table's name");
    cr_assert(ask(&s, "Scoped_CL | count", NULL) == 400);
    assign(&s, OTHER, ROLE_AT_TABLE, WS_ARM "/tables/Scoped_CL");
    cr_assert(ask(&s, "Scoped_CL | count", NULL) == 200);
    cr_assert(ask(&s, "union withsource=T * | getschema | count", NULL) == 200);
    expect_rows(&s, "union isfuzzy=true withsource=W Hidden_CL, App_CL | summarize by W", NULL,
                "[]");
    put_rows(&s, s.guid, "Hidden_CL", "{\"N\":1}");
    put_rows(&s, s.guid, "App_CL", "{\"N\":1}");
    expect_rows(&s, "search * | summarize by $table", NULL, "[[\"App_CL\"]]");
    stage_done(&s);
}

Test(query, a_resource_shows_its_own_rows)
{
    struct stage s;
    stage_init(&s);
    put_rows(
        &s, s.guid, "Heartbeat",
        "[{\"Computer\":\"a\",\"_ResourceId\":\"/subscriptions/99999999-0000-0000-0000-000000000001"
        "/resourcegroups/RG/providers/microsoft.compute/virtualmachines/vm1\"},"
        "{\"Computer\":\"b\",\"_ResourceId\":\"/subscriptions/99999999-0000-0000-0000-000000000001"
        "/resourcegroups/rg/providers/microsoft.compute/virtualmachines/vm12\"},"
        "{\"Computer\":\"c\"}]");
    const char *query = "{\"query\":\"Heartbeat | project Computer | sort by Computer asc\"}";
#define VM GROUP "/providers/Microsoft.Compute/virtualMachines/vm1"
    expect(&s, "POST", "/v1" VM "/query", query, 200);
    cr_assert(rf_str_is(rows_text(&s), "[[\"a\"]]"), "%.*s", RF_FMT(rows_text(&s)));
    expect(&s, "POST", "/v1" GROUP "/query", query, 200);
    cr_assert(rf_str_is(rows_text(&s), "[[\"a\"],[\"b\"]]"));
    expect(&s, "POST", "/v1" WS_ARM "/query", query, 200);
    cr_assert(rf_str_is(rows_text(&s), "[[\"a\"],[\"b\"],[\"c\"]]"));
    expect(&s, "POST", "/v1" VM "/query", "{\"query\":\"App_CL | count\"}", 200);
    cr_assert(rf_str_is(rows_text(&s), "[[0]]"), "rows without a resource belong to none");
    expect(&s, "POST", "/v1/nothing/query", query, 404);
    expect(&s, "POST", "/v1" GROUP "/providers/Microsoft.OperationalInsights/workspaces/none/query",
           query, 404);
    be(&s, OTHER);
    expect(&s, "POST", "/v1" VM "/query", query, 403);
    assign(&s, OTHER, ROLE_READER, VM);
    expect(&s, "POST", "/v1" VM "/query", query, 200);
    cr_assert(rf_str_is(rows_text(&s), "[[\"a\"]]"));
    expect(&s, "POST", "/v1" GROUP "/query", query, 403);
    be(&s, OWNER);
    expect(
        &s, "PATCH", WS_ARM "?api-version=2022-10-01",
        "{\"properties\":{\"features\":{\"enableLogAccessUsingOnlyResourcePermissions\":false}}}",
        200);
    expect(&s, "POST", "/v1" VM "/query", query, 200);
    be(&s, OTHER);
    expect(&s, "POST", "/v1" VM "/query", query, 400);
    cr_assert(strcmp(text_at(&s, "error.code"), "BadArgumentError") == 0);
    stage_done(&s);
}

Test(query, several_workspaces_are_one)
{
    struct stage s;
    stage_init(&s);
    put_workspace(&s, WS_ARM2, &s.guid2);
    put_table(&s, WS_ARM2, "App_CL",
              "{\"name\":\"N\",\"type\":\"long\"},{\"name\":\"X\",\"type\":\"int\"}");
    put_table(&s, WS_ARM2, "Only_CL", "{\"name\":\"N\",\"type\":\"long\"}");
    put_rows(&s, s.guid, "App_CL", "[{\"N\":1},{\"N\":2}]");
    put_rows(&s, s.guid2, "App_CL", "[{\"N\":10,\"X\":7}]");
    put_rows(&s, s.guid2, "Only_CL", "[{\"N\":100}]");
    expect_rows(&s, "App_CL | summarize sum(N)", NULL, "[[3]]");
    static const char *const names[] = {"\"workspaces\":[\"ws-two\"]",
                                        "\"workspaces\":[\"rg/ws-two\"]",
                                        "\"workspaces\":[\"" WS_ARM2 "\",\"ws-one\"]"};
    for (size_t i = 0; i < RF_COUNT(names); i++)
        expect_rows(&s, "App_CL | summarize sum(N), sum(X)", names[i], "[[13,7]]");
    expect_rows(&s, "Only_CL | project N", "\"workspaces\":[\"ws-two\"]", "[[100]]");
    expect_rows(&s, "union *_CL | summarize sum(N)", "\"workspaces\":[\"ws-two\"]", "[[113]]");
    expect_rows(&s, "workspace('ws-two').App_CL | summarize sum(N)", NULL, "[[10]]");
    expect_rows(&s, "union App_CL, workspace('ws-two').App_CL | summarize sum(N)", NULL, "[[13]]");
    expect_rows(&s, "let T = workspace('ws-two').Only_CL; T | project N", NULL, "[[100]]");
    cr_assert(ask(&s, "workspace('nosuch').App_CL", NULL) == 400);
    cr_assert(ask(&s, "workspace('ws-two').Nosuch_CL", NULL) == 400);
    be(&s, OTHER);
    assign(&s, OTHER, ROLE_READER, WS_ARM);
    cr_assert(ask(&s, "App_CL | count", "\"workspaces\":[\"ws-two\"]") == 403);
    cr_assert(ask(&s, "workspace('ws-two').App_CL | count", NULL) == 400);
    expect_rows(&s, "App_CL | count", NULL, "[[2]]");
    stage_done(&s);
}

Test(query, a_moved_workspace_keeps_its_rows)
{
#define GROUP2 "/subscriptions/99999999-0000-0000-0000-000000000001/resourceGroups/rg-two"
#define MOVED GROUP2 "/providers/Microsoft.OperationalInsights/workspaces/ws-one"
    struct stage s;
    stage_init(&s);
    put_rows(&s, s.guid, "App_CL", "[{\"N\":1},{\"N\":2}]");
    cr_assert(call(&s, "PUT", WS_ARM "/savedSearches/f?api-version=2020-08-01",
                   "{\"properties\":{\"category\":\"c\",\"displayName\":\"d\",\"query\":\"App_CL | "
                   "count\",\"functionAlias\":\"CountOf\"}}") < 300);
    expect(&s, "PUT", GROUP2 "?api-version=2022-09-01", "{\"location\":\"local\"}", 201);
    expect(&s, "POST", GROUP "/moveResources?api-version=2022-09-01",
           "{\"targetResourceGroup\":\"" GROUP2 "\",\"resources\":[\"" WS_ARM "\"]}", 202);
    expect(&s, "GET", WS_ARM "?api-version=2022-10-01", NULL, 404);
    expect(&s, "GET", MOVED "/tables/App_CL?api-version=2022-10-01", NULL, 200);
    expect_rows(&s, "App_CL | summarize sum(N)", NULL, "[[3]]");
    expect_rows(&s, "CountOf", NULL, "[[2]]");
    put_rows(&s, s.guid, "App_CL", "[{\"N\":4}]");
    expect_rows(&s, "App_CL | summarize sum(N)", NULL, "[[7]]");
    expect(&s, "POST", "/v1" MOVED "/query", "{\"query\":\"App_CL | summarize sum(N)\"}", 200);
    cr_assert(rf_str_is(rows_text(&s), "[[7]]"));
    stage_done(&s);
}

Test(query, saved_functions_can_be_called)
{
    struct stage s;
    stage_init(&s);
    three_rows(&s);
    expect(
        &s, "PUT", WS_ARM "/savedSearches/big?api-version=2020-08-01",
        "{\"properties\":{\"category\":\"f\",\"displayName\":\"d\",\"query\":\"App_CL | where N > "
        "least\",\"functionAlias\":\"Big\",\"functionParameters\":\"least:long = 4\"}}",
        200);
    expect_rows(&s, "Big | count", NULL, "[[2]]");
    expect_rows(&s, "Big(10) | count", NULL, "[[1]]");
    stage_done(&s);
}

Test(query, each_query_leaves_a_row)
{
    struct stage s;
    stage_init(&s);
    uint32_t before = s.walk.rows;
    with_header(&s, "x-ms-app", "tester");
    cr_assert(ask(&s, "print a = h@'secret', b = h\"se\\\"cret\", c = 'shown' | where a != ''",
                  "\"timespan\":\"PT1H\"") == 200);
    cr_assert(s.walk.rows == before + 1);
    cr_assert(strcmp(s.walk.last_table, "LAQueryLogs") == 0);
    struct json_node *row;
    struct rf_err err;
    cr_assert(json_parse(s.walk.last_row, &s.walk.arena, &row, &err) == RF_OK);
    int64_t number;
    cr_assert(rf_str_is(json_text_at(row, "AADObjectId"), OWNER));
    cr_assert(rf_str_is(json_text_at(row, "RequestClientApp"), "tester"));
    cr_assert(json_i64_at(row, "ResponseCode", &number) && number == 200);
    cr_assert(json_i64_at(row, "ResponseRowCount", &number) && number == 1);
    cr_assert(rf_str_is(json_text_at(row, "QueryTimeRangeEnd"), "2026-01-31T12:00:00.0000000Z"));
    rf_str text = json_text_at(row, "QueryText");
    cr_assert(rf_str_is(text, "print a = h@'****', b = h\"****\", c = 'shown' | where a != ''"),
              "%.*s", RF_FMT(text));
    cr_assert(ask(&s, "nosuch", NULL) == 400);
    cr_assert(json_parse(s.walk.last_row, &s.walk.arena, &row, &err) == RF_OK);
    cr_assert(json_i64_at(row, "ResponseCode", &number) && number == 400);
    stage_done(&s);
}

/* ---- batches ----------------------------------------------------------------------------------------------------- */

static int ask_batch(struct stage *s, const char *items)
{
    struct rf_buf body = rf_buf_in(&s->walk.arena);
    rf_buf_str(&body, RF_S("{\"requests\":["));
    for (const char *p = items; *p != '\0'; p++) /* @ stands for the workspace */
        if (*p == '@')
            rf_buf_printf(&body, "\"workspace\":\"%s\"", s->guid);
        else
            rf_buf_byte(&body, (uint8_t)*p);
    rf_buf_str(&body, RF_S("]}"));
    rf_buf_byte(&body, 0);
    return call(s, "POST", "/v1/$batch", (const char *)body.ptr);
}

Test(query, a_batch_answers_in_order_and_keeps_failures_apart)
{
    struct stage s;
    stage_init(&s);
    three_rows(&s);
    int status = ask_batch(
        &s,
        "{\"id\":\"9\",\"method\":\"POST\",\"path\":\"/query\",@,\"body\":{\"query\":\"App_CL | "
        "count\",\"timespan\":\"P1D\"}},"
        "{\"id\":\"b\",\"method\":\"POST\",\"path\":\"/fakePath\",@,\"headers\":{},\"body\":{"
        "\"query\":\"print 1\"}},"
        "{\"id\":\"c\",\"method\":\"POST\",\"path\":\"/query\",@,\"body\":{\"query\":\"nosuch\"}},"
        "{\"id\":\"d\",\"method\":\"POST\",\"path\":\"/query\",\"workspace\":\"00000000-0000-0000-"
        "0000-00000000dead\",\"body\":{\"query\":\"print 1\"}},"
        "{\"id\":\"1\",\"method\":\"POST\",\"path\":\"/query\",@,\"headers\":{\"PREFER\":\"include-"
        "statistics=true\"},\"body\":{\"query\":\"print a='z'\"}},"
        "{\"id\":\"g\",\"path\":\"/query?query=print%20x%3D1\",@},"
        "{\"id\":\"t\",\"method\":\"POST\",\"path\":\"/query\",@,\"body\":\"{\\\"query\\\":1}\"}");
    cr_assert(status == 200, "%.*s", RF_FMT(rf_buf_view(&s.last.body)));
    static const struct {
        const char *id;
        int64_t status;
        const char *code;
    } wanted[] = {{"9", 200, ""},
                  {"b", 404, "PathNotFoundError"},
                  {"c", 400, "BadArgumentError"},
                  {"d", 400, "FailedToResolveResource"},
                  {"1", 200, ""},
                  {"g", 200, ""},
                  {"t", 400, "BadArgumentError"}};
    const struct json_node *item = json_get(s.answer, "responses")->first;
    for (size_t i = 0; i < RF_COUNT(wanted); i++, item = item->next) {
        int64_t got;
        cr_assert(rf_str_is(json_text_at(item, "id"), wanted[i].id));
        cr_assert(json_i64_at(item, "status", &got) && got == wanted[i].status, "%s: %d",
                  wanted[i].id, (int)got);
        cr_assert(rf_str_is(json_text_at(item, "body.error.code"), wanted[i].code));
        cr_assert((json_at(item, "body.tables") != NULL) == (got == 200));
        cr_assert((json_at(item, "body.statistics") != NULL) == (i == 4));
    }
    cr_assert(item == NULL);
    const struct json_node *first = json_at(json_get(s.answer, "responses")->first, "body.tables");
    cr_assert(rf_str_is(json_to_text(&s.walk.arena, json_get(first->first, "rows")), "[[2]]"));
    stage_done(&s);
}

Test(query, a_refused_item_of_a_batch_leaves_a_row)
{
    struct stage s;
    stage_init(&s);
    be(&s, OTHER);
    int status =
        ask_batch(&s, "{\"id\":\"1\",\"method\":\"POST\",\"path\":\"/query\",@,\"body\":{\"query\":"
                      "\"print 1\"}}");
    int64_t got;
    const struct json_node *item = json_get(s.answer, "responses")->first;
    cr_assert(status == 200 && json_i64_at(item, "status", &got) && got == 403);
    cr_assert(rf_str_is(rf_str_of(s.walk.last_table), "RingfortDenials"), "%s", s.walk.last_table);
    stage_done(&s);
}

Test(query, a_malformed_batch_is_refused_as_a_whole)
{
    static const char *const batches[] = {
        "",
        "5",
        "{\"path\":\"/query\",@}",
        "{\"id\":\"a\",@}",
        "{\"id\":\"a\",\"path\":\"/query\"}",
        "{\"id\":5,\"path\":\"/query\",@}",
        "{\"id\":\"a\",\"path\":\"/query\",@},{\"id\":\"a\",\"path\":\"/query\",@}"};
    struct stage s;
    stage_init(&s);
    for (size_t i = 0; i < RF_COUNT(batches); i++)
        cr_assert(ask_batch(&s, batches[i]) == 400, "%s", batches[i]);
    expect(&s, "POST", "/v1/$batch", "{}", 400);
    expect(&s, "POST", "/$batch", "[]", 400);
    stage_done(&s);
}

/* ---- metadata ---------------------------------------------------------------------------------------------------- */

Test(query, metadata_lists_tables_and_functions)
{
    struct stage s;
    stage_init(&s);
    expect(
        &s, "PUT", WS_ARM "/savedSearches/f?api-version=2020-08-01",
        "{\"properties\":{\"category\":\"f\",\"displayName\":\"d\",\"query\":\"App_CL | take n\","
        "\"functionAlias\":\"Some\",\"functionParameters\":\"n:long = 1, s:string = ')'\"}}",
        200);
    char target[100];
    snprintf(target, sizeof target, "/v1/workspaces/%s/metadata", s.guid);
    static const char *const methods[] = {"GET", "POST"};
    for (size_t m = 0; m < RF_COUNT(methods); m++) {
        bool app = false, alert = false;
        expect(&s, methods[m], target, m == 0 ? NULL : "{}", 200);
        for (const struct json_node *t = json_get(s.answer, "tables")->first; t != NULL;
             t = t->next) {
            alert |= rf_str_is(json_text_at(t, "name"), "SecurityAlert");
            if (!rf_str_is(json_text_at(t, "name"), "App_CL")) continue;
            app = true;
            cr_assert(rf_str_is(json_text_at(t, "timespanColumn"), "TimeGenerated"));
            const struct json_node *column = json_get(t, "columns")->first;
            while (column != NULL && !rf_str_is(json_text_at(column, "name"), "N"))
                column = column->next;
            cr_assert(rf_str_is(json_text_at(column, "type"), "long"));
        }
        cr_assert(app && alert);
        const struct json_node *f = json_get(s.answer, "functions")->first;
        cr_assert(rf_str_is(json_text_at(f, "name"), "Some"));
        cr_assert(rf_str_is(json_text_at(f, "parameters"), "n:long = 1, s:string = ')'"));
        cr_assert(rf_str_is(json_text_at(f, "body"), "App_CL | take n"), "%.*s",
                  RF_FMT(json_text_at(f, "body")));
        cr_assert(rf_str_is(json_text_at(json_get(s.answer, "workspaces")->first, "id"), s.guid));
    }
    expect(&s, "GET", WS_ARM "/api/metadata?api-version=2017-01-01-preview", NULL, 200);
    be(&s, OTHER);
    expect(&s, "GET", target, NULL, 403);
    stage_done(&s);
}
