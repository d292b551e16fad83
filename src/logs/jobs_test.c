/* Purges, search jobs, restores: over the control plane, run to their end, cut short and run again. */
#include <dirent.h>
#include <stdio.h>

#include "logs/jobs.h"
#include "logs/query_test_util.h"
#include "tables/tables.h"

#define PURGE WS_ARM "/purge?api-version=2020-08-01"
#define T(name) WS_ARM "/tables/" name "?api-version=2022-10-01"
#define SEARCH(query)                                                                              \
    "{\"properties\":{\"searchResults\":{\"query\":\"" query "\",\"limit\":1000,"                  \
    "\"startSearchTime\":\"2026-01-30T00:00:00Z\",\"endSearchTime\":\"2026-01-31T08:00:00Z\"}}}"

static void three_rows(struct stage *s)
{
    stage_init(s);
    put_rows(
        s, s->guid, "App_CL",
        "[{\"TimeGenerated\":\"2026-01-31T11:00:00Z\",\"N\":1,\"S\":\"alice\",\"D\":{\"k\":"
        "\"x\"}},"
        "{\"TimeGenerated\":\"2026-01-31T07:00:00Z\",\"N\":5,\"S\":\"bob-marked-for-removal\"},"
        "{\"TimeGenerated\":\"2026-01-30T06:00:00Z\",\"N\":30,\"S\":\"Carol\",\"D\":{\"k\":"
        "\"y\"}}]");
}

/* True when some file below the folder holds the text. */
static bool on_disk(const char *folder, const char *text)
{
    char command[300];
    snprintf(command, sizeof command, "grep -rqaF '%s' %s", text, folder);
    return system(command) == 0;
}

static const char *start_purge(struct stage *s, const char *filters)
{
    rf_str body =
        rf_arena_printf(&s->walk.arena, "{\"table\":\"App_CL\",\"filters\":[%s]}", filters);
    expect(s, "POST", PURGE, rf_arena_cstr(&s->walk.arena, body), 202);
    const char *id = text_at(s, "operationId");
    cr_assert(strncmp(id, "purge-", 6) == 0);
    return id;
}

static const char *purge_status(struct stage *s, const char *id)
{
    rf_str target =
        rf_arena_printf(&s->walk.arena, WS_ARM "/operations/%s?api-version=2020-08-01", id);
    expect(s, "GET", rf_arena_cstr(&s->walk.arena, target), NULL, 200);
    return text_at(s, "status");
}

Test(jobs, a_purge_takes_rows_off_the_disk)
{
    struct stage s;
    three_rows(&s);
    cr_assert(on_disk(s.folder, "marked-for-removal"), "the test would show nothing");
    expect_rows(&s, "App_CL | count", NULL, "[[3]]");
    const char *id = start_purge(
        &s, "{\"column\":\"S\",\"operator\":\"==\",\"value\":\"bob-marked-for-removal\"}");
    rf_str link = walk_header(&s.last, "x-ms-status-location");
    cr_assert(rf_str_find(link, rf_str_of(id), 0) != SIZE_MAX, "%.*s", RF_FMT(link));
    jobs_run_pending(s.logs->jobs);
    cr_assert(rf_str_find(s.walk.last_row, RF_S("\\\"removedRows\\\":1"), 0) != SIZE_MAX, "%.*s",
              RF_FMT(s.walk.last_row));
    cr_assert_str_eq(purge_status(&s, id), "completed");
    expect_rows(&s, "App_CL | project S | sort by S asc", NULL, "[[\"Carol\"],[\"alice\"]]");
    cr_assert(!on_disk(s.folder, "marked-for-removal"));
    stage_done(&s);
}

Test(jobs, what_filters_meet)
{
    static const struct {
        const char *filters, *left; /* N of rows that stay */
    } cases[] = {
        {"{\"column\":\"S\",\"operator\":\"==\",\"value\":\"carol\"}", "[1,5,30]"},
        {"{\"column\":\"S\",\"operator\":\"=~\",\"value\":\"carol\"}", "[1,5]"},
        {"{\"column\":\"S\",\"operator\":\"in\",\"value\":[\"alice\",\"Carol\"]}", "[5]"},
        {"{\"column\":\"S\",\"operator\":\"in~\",\"value\":[\"ALICE\"]}", "[5,30]"},
        {"{\"column\":\"N\",\"operator\":\">\",\"value\":5}", "[1,5]"},
        {"{\"column\":\"N\",\"operator\":\">=\",\"value\":\"5\"}", "[1]"},
        {"{\"column\":\"N\",\"operator\":\"<\",\"value\":5}", "[5,30]"},
        {"{\"column\":\"N\",\"operator\":\"<=\",\"value\":5}", "[30]"},
        {"{\"column\":\"N\",\"operator\":\"between\",\"value\":[2,30]}", "[1]"},
        {"{\"column\":\"TimeGenerated\",\"operator\":\"<\",\"value\":\"2026-01-31T00:00:00\"}",
         "[1,5]"},
        {"{\"column\":\"TimeGenerated\",\"operator\":\">\",\"value\":\"datetime(2026-01-31)\"}",
         "[30]"},
        {"{\"column\":\"N\",\"operator\":\">\",\"value\":1},"
         "{\"column\":\"S\",\"operator\":\"==\",\"value\":\"Carol\"}",
         "[1,5]"},
        {"{\"column\":\"D\",\"operator\":\"==\",\"value\":\"x\",\"key\":\"k\"}", "[5,30]"},
        {"{\"column\":\"D\",\"operator\":\"==\",\"value\":\"x\",\"key\":\"none\"}", "[1,5,30]"},
    };
    for (size_t i = 0; i < RF_COUNT(cases); i++) {
        struct stage s;
        three_rows(&s);
        const char *id = start_purge(&s, cases[i].filters);
        jobs_run_pending(s.logs->jobs);
        cr_assert_str_eq(purge_status(&s, id), "completed");
        rf_str wanted = rf_arena_printf(&s.walk.arena, "[[\"%s\"]]", cases[i].left);
        cr_assert(ask(&s, "App_CL | sort by N asc | summarize make_list(N)", NULL) == 200);
        cr_assert(rf_str_eq(rows_text(&s), wanted), "%s: %.*s", cases[i].filters,
                  RF_FMT(rows_text(&s)));
        stage_done(&s);
    }
}

Test(jobs, purges_that_make_no_sense_are_refused)
{
    static const char *const bodies[] = {
        "{}",
        "{\"table\":\"Nosuch_CL\",\"filters\":[{\"column\":\"S\",\"operator\":\"==\",\"value\":"
        "\"a\"}]}",
        "{\"table\":\"App_CL\",\"filters\":[]}",
        "{\"table\":\"App_CL\",\"filters\":[{\"column\":\"X\",\"operator\":\"==\",\"value\":\"a\"}]"
        "}",
        "{\"table\":\"App_CL\",\"filters\":[{\"column\":\"S\",\"operator\":\"has\",\"value\":\"a\"}"
        "]}",
        "{\"table\":\"App_CL\",\"filters\":[{\"column\":\"S\",\"operator\":\"in\",\"value\":\"a\"}]"
        "}",
        "{\"table\":\"App_CL\",\"filters\":[{\"column\":\"S\",\"operator\":\"in\",\"value\":[]}]}",
        "{\"table\":\"App_CL\",\"filters\":[{\"column\":\"S\",\"operator\":\"==\"}]}",
        "{\"table\":\"App_CL\",\"filters\":[{\"column\":\"N\",\"operator\":\"==\",\"value\":\"a\"}]"
        "}",
        "{\"table\":\"App_CL\",\"filters\":[{\"column\":\"N\",\"operator\":\"=~\",\"value\":1}]}",
        "{\"table\":\"App_CL\",\"filters\":[{\"column\":\"N\",\"operator\":\"between\",\"value\":["
        "1]}]}",
        "{\"table\":\"App_CL\",\"filters\":[{\"column\":\"D\",\"operator\":\"==\",\"value\":1}]}",
        "{\"table\":\"App_CL\",\"filters\":[{\"column\":\"S\",\"operator\":\"==\",\"value\":\"a\","
        "\"key\":\"k\"}]}"};
    struct stage s;
    three_rows(&s);
    for (size_t i = 0; i < RF_COUNT(bodies); i++) expect(&s, "POST", PURGE, bodies[i], 400);
    expect(&s, "GET", WS_ARM "/operations/purge-0?api-version=2020-08-01", NULL, 404);
    be(&s, OTHER);
    expect(&s, "POST", PURGE, bodies[0], 403);
    be(&s, OWNER);
    expect_rows(&s, "App_CL | count", NULL, "[[3]]");
    stage_done(&s);
}

/* As after a crash: the job is still pending, some of its rows are gone already. */
Test(jobs, what_was_cut_short_runs_again)
{
    struct stage s;
    struct state_txn *txn;
    struct rf_err err;
    three_rows(&s);
    const char *filter = "{\"column\":\"S\",\"operator\":\"=~\",\"value\":\"carol\"}";
    const char *id = start_purge(&s, filter);
    jobs_run_pending(s.logs->jobs);
    put_rows(&s, s.guid, "App_CL", "[{\"N\":31,\"S\":\"Carol\"}]");
    rf_str body = rf_arena_printf(
        &s.walk.arena,
        "{\"kind\":\"purge\",\"status\":\"pending\",\"workspaceId\":\"%s\",\"workspace\":\"%s\","
        "\"table\":\"App_CL\",\"filters\":[%s]}",
        WS_ARM, s.guid, filter);
    struct state_put put = {.space = "logsJob", .key = rf_str_of(id), .body = body};
    cr_assert(state_begin_write(s.walk.state, &txn, &err) == RF_OK);
    cr_assert(state_put(txn, &put, NULL, NULL, &err) == RF_OK);
    cr_assert(state_commit(txn, &err) == RF_OK);
    cr_assert_str_eq(purge_status(&s, id), "pending");
    jobs_free(s.logs->jobs);
    s.logs->jobs = NULL;
    cr_assert(jobs_new(s.logs, &err) == RF_OK);
    jobs_run_pending(s.logs->jobs);
    cr_assert_str_eq(purge_status(&s, id), "completed");
    expect_rows(&s, "App_CL | summarize sum(N)", NULL, "[[6]]");
    stage_done(&s);
}

Test(jobs, a_search_job_fills_its_table)
{
    struct stage s;
    three_rows(&s);
    expect(&s, "PUT", T("Found_SRCH"),
           SEARCH("App_CL | where N > 2 | extend Twice = N * 2 | project-away D"), 201);
    jobs_run_pending(s.logs->jobs);
    expect(&s, "GET", T("Found_SRCH"), NULL, 200);
    cr_assert_str_eq(text_at(&s, "properties.provisioningState"), "Succeeded");
    cr_assert_str_eq(text_at(&s, "properties.schema.tableType"), "SearchResults");
    int64_t records = 0;
    cr_assert(json_i64_at(s.answer, "properties.resultStatistics.ingestedRecords", &records));
    cr_assert(records == 2, "%lld", (long long)records);
    expect_rows(&s,
                "Found_SRCH | sort by N asc | project N, S, Twice, _OriginalType, "
                "_OriginalTimeGenerated, Type",
                NULL,
                "[[5,\"bob-marked-for-removal\",10,\"App_CL\",\"2026-01-31T07:00:00Z\","
                "\"Found_SRCH\"],[30,\"Carol\",60,\"App_CL\",\"2026-01-30T06:00:00Z\","
                "\"Found_SRCH\"]]");
    expect(&s, "PUT", T("Found_SRCH"), "{\"properties\":{\"retentionInDays\":60}}", 200);
    expect(&s, "PUT", T("Found_SRCH"), SEARCH("App_CL"), 400);
    expect(&s, "POST", WS_ARM "/tables/Found_SRCH/cancelSearch?api-version=2022-10-01", NULL, 200);
    expect_rows(&s, "Found_SRCH | count", NULL, "[[2]]");
    expect(&s, "DELETE", T("Found_SRCH"), NULL, 200);
    cr_assert(ask(&s, "Found_SRCH", NULL) == 400);
    expect(&s, "PUT", T("Found_SRCH"), SEARCH("App_CL | where N == 30"), 201);
    jobs_run_pending(s.logs->jobs);
    expect_rows(&s, "Found_SRCH | count", NULL, "[[1]]");
    stage_done(&s);
}

Test(jobs, a_restore_brings_rows_as_they_were)
{
    struct stage s;
    three_rows(&s);
    expect(&s, "PUT", T("Back_RST"),
           "{\"properties\":{\"restoredLogs\":{\"sourceTable\":\"App_CL\",\"startRestoreTime\":"
           "\"2026-01-30T00:00:00Z\",\"endRestoreTime\":\"2026-01-31T08:00:00Z\"}}}",
           201);
    jobs_run_pending(s.logs->jobs);
    expect(&s, "GET", T("Back_RST"), NULL, 200);
    cr_assert_str_eq(text_at(&s, "properties.schema.tableType"), "RestoredLogs");
    expect_rows(&s, "Back_RST | sort by N asc | project TimeGenerated, N, S, D, Type", NULL,
                "[[\"2026-01-31T07:00:00Z\",5,\"bob-marked-for-removal\",null,\"Back_RST\"],"
                "[\"2026-01-30T06:00:00Z\",30,\"Carol\",\"{\\\"k\\\":\\\"y\\\"}\",\"Back_RST\"]]");
    stage_done(&s);
}

Test(jobs, wishes_that_make_no_sense_are_refused)
{
    static const struct {
        const char *target, *body;
    } cases[] = {
        {T("X_SRCH"), "{\"properties\":{}}"},
        {T("X_SRCH"), SEARCH("")},
        {T("X_SRCH"), SEARCH("Nosuch_CL")},
        {T("X_SRCH"), SEARCH("App_CL |")},
        {T("X_SRCH"), SEARCH("App_CL; App_CL")},
        {T("X_SRCH"), SEARCH("App_CL | extend t = 1d")},
        {T("X_SRCH"), "{\"properties\":{\"searchResults\":{\"query\":\"App_CL\"}}}"},
        {T("X_SRCH"), "{\"properties\":{\"searchResults\":{\"query\":\"App_CL\",\"limit\":0,"
                      "\"startSearchTime\":\"2026-01-30\",\"endSearchTime\":\"2026-01-31\"}}}"},
        {T("X_RST"), "{\"properties\":{}}"},
        {T("X_RST"),
         "{\"properties\":{\"restoredLogs\":{\"sourceTable\":\"Nosuch_CL\",\"startRestoreTime\":"
         "\"2026-01-30T00:00:00Z\",\"endRestoreTime\":\"2026-01-31T08:00:00Z\"}}}"},
        {T("X-Y_SRCH"), SEARCH("App_CL")},
    };
    struct stage s;
    three_rows(&s);
    for (size_t i = 0; i < RF_COUNT(cases); i++) {
        int status = call(&s, "PUT", cases[i].target, cases[i].body);
        cr_assert(status == 400, "%zu: %d %.*s", i, status, RF_FMT(rf_buf_view(&s.last.body)));
    }
    stage_done(&s);
}
