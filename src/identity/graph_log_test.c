/* auditLogs of Graph over real tables: filters, order, pages, shapes; and filters as KQL. */
#include "test/rf_prop.h"

#include "base/fs.h"
#include "identity/browser_int.h"
#include "tables/tables.h"

/* ---- filters -------------------------------------------------------------------------------------------------------------- */

Test(graph_log, filters_become_predicates)
{
    static const struct filter_column columns[] = {
        {"at", "TimeGenerated", FILTER_TIME},
        {"name", "Name", FILTER_TEXT},
        {"status/code", "toint(Code)", FILTER_INTEGER},
        {"good", "Good", FILTER_TRUTH},
        {"kinds", "Kind", FILTER_TEXT},
        {"targets/id", "tostring(T[#].id)", FILTER_TEXT},
    };
    static const struct {
        const char *filter, *kql; /* NULL: refused */
    } rows[] = {
        {"name eq 'a'", "(Name =~ \"a\")"},
        {"name ne 'it''s \"x\\y'", "(Name !~ \"it's \\\"x\\\\y\")"},
        {"name eq 'a'') or (1==1'", "(Name =~ \"a') or (1==1\")"},
        {"startswith(name,'a') and not good eq true",
         "((Name startswith \"a\") and not((Good == true)))"},
        {"at ge 2026-01-31T12:00:00Z", "(TimeGenerated >= datetime(2026-01-31T12:00:00.0000000Z))"},
        {"status/code eq 0 or status/code gt 50000",
         "((toint(Code) == 0) or (toint(Code) > 50000))"},
        {"name in ('a','b')", "(Name in~ (\"a\",\"b\"))"},
        {"name eq null", "(isempty(Name))"},
        {"kinds/any(k: k eq 'x' or k eq 'y')", "(((Kind =~ \"x\") or (Kind =~ \"y\")))"},
        {"targets/any(t: t/id eq 'x')",
         "((tostring(T[0].id) =~ \"x\") or (tostring(T[1].id) =~ \"x\") or (tostring(T[2].id) =~ "
         "\"x\"))"},
        {"NAME eq 'a'", "(Name =~ \"a\")"},
        {"other eq 'a'", NULL},
        {"status eq 0", NULL},
        {"name gt 'a'", NULL},
        {"at eq 'x'", NULL},
        {"at eq 5", NULL},
        {"status/code eq '0'", NULL},
        {"status/code eq 1.5", NULL},
        {"good eq 'true'", NULL},
        {"good gt true", NULL},
        {"startswith(at,'2')", NULL},
        {"kinds/all(k: k eq 'x')", NULL},
        {"kinds/any()", NULL},
        {"targets/any(t: t/name eq 'x')", NULL},
        {"targets/any(t: kinds/any(k: k eq 'x'))", NULL},
    };
    struct rf_arena arena;
    rf_arena_init(&arena, 16 << 20);
    for (size_t i = 0; i < RF_COUNT(rows); i++) {
        struct filter *filter;
        struct rf_err err;
        struct rf_buf out = rf_buf_in(&arena);
        cr_assert(filter_parse(rf_str_of(rows[i].filter), &arena, &filter, &err) == RF_OK,
                  "%zu: %s", i, err.text);
        enum rf_kind kind = filter_kql(filter, columns, RF_COUNT(columns), &out, &err);
        if (rows[i].kql == NULL)
            cr_assert(kind == RF_INVALID && strcmp(err.code, "Request_BadRequest") == 0, "%s",
                      rows[i].filter);
        else
            cr_assert(kind == RF_OK && rf_str_is(rf_buf_view(&out), rows[i].kql), "%s\n%.*s",
                      rows[i].filter, RF_FMT(rf_buf_view(&out)));
    }
    rf_arena_done(&arena);
}

/* ---- tables ---------------------------------------------------------------------------------------------------------------- */

#define WORKSPACE "6f1a2b3c-0000-4000-8000-0000000000aa"

struct logs {
    struct bench b;
    struct tables *tables;
    char folder[64];
    struct extent_key key;
};

static void open_logs(struct logs *l)
{
    struct rf_err err;
    memset(l, 0, sizeof *l);
    snprintf(l->folder, sizeof l->folder, "/tmp/rf-graph-log-XXXXXX");
    cr_assert(mkdtemp(l->folder) != NULL);
    struct tables_options tables = {
        .fs = rf_fs_real(), .folder = l->folder, .key = &l->key, .by_hand = true};
    tables.clock = rf_clock_real();
    cr_assert(tables_new(&tables, &l->tables, &err) == RF_OK, "%s", err.text);
    bench_open(&l->b, &(struct identity_options){.tables = l->tables});
    l->b.site.workspace_id = RF_S(WORKSPACE);
    l->b.app = bench_app(&l->b, "auditor", "AuditLog.Read.All");
    l->b.token = bench_graph_token(&l->b, &l->b.app);
}

static void close_logs(struct logs *l)
{
    char command[128];
    bench_close(&l->b);
    tables_free(l->tables);
    snprintf(command, sizeof command, "rm -rf %s", l->folder);
    cr_assert(system(command) == 0);
}

static void append(struct logs *l, const char *table, rf_str rows)
{
    struct rf_err err;
    cr_assert(tables_append_json(l->tables, RF_S(WORKSPACE), rf_str_of(table), rows, 0, NULL,
                                 &err) == RF_OK,
              "%s", err.text);
}

/* Every row that the bench has seen goes where it belongs. */
static void flush(struct logs *l)
{
    rf_str rows = rf_buf_view(&l->b.rows);
    for (size_t at = 0; at < rows.len;) {
        size_t end = rf_str_find(rows, RF_S("\n"), at);
        rf_str row = rf_slice(rows, at, end);
        size_t blank = rf_str_find(row, RF_S(" "), 0);
        append(l, rf_arena_cstr(&l->b.arena, rf_slice(row, 0, blank)),
               rf_slice(row, blank + 1, row.len));
        at = end + 1;
    }
    l->b.rows = rf_buf_in(&l->b.rows_arena);
}

static struct bench_answer ask(struct logs *l, const char *path)
{
    return bench_graph(&l->b, HTTP_GET, path, NULL);
}

/* The ids of a page with blanks between. */
static const char *ids(struct logs *l, const struct bench_answer *a)
{
    struct rf_buf out = rf_buf_in(&l->b.arena);
    const struct json_node *list = json_get(a->json, "value");
    cr_assert(a->status == 200 && list != NULL, "%.*s", RF_FMT(a->text));
    for (const struct json_node *doc = list->first; doc != NULL; doc = doc->next)
        rf_buf_printf(&out, "%s%.*s", doc == list->first ? "" : " ",
                      RF_FMT(json_text_at(doc, "id")));
    rf_buf_byte(&out, 0);
    return (const char *)out.ptr;
}

static void fill(struct logs *l)
{
    append(
        l, "SigninLogs",
        RF_S("[{\"TimeGenerated\":\"2026-01-31T10:00:00Z\",\"Id\":\"a\",\"UserPrincipalName\":"
             "\"Maeve@x\",\"UserId\":\"u1\",\"AppId\":\"app1\",\"IPAddress\":\"10.0.0.1\","
             "\"ResultType\":\"0\",\"Status\":{\"errorCode\":0},\"IsInteractive\":true,"
             "\"DeviceDetail\":{\"browser\":\"Firefox\"}},"
             "{\"TimeGenerated\":\"2026-01-31T11:00:00Z\",\"Id\":\"b\",\"UserPrincipalName\":"
             "\"orla@x\",\"UserId\":\"u2\",\"AppId\":\"app1\",\"IPAddress\":\"10.0.0.2\","
             "\"ResultType\":\"50126\",\"Status\":{\"errorCode\":50126,\"failureReason\":\"no\"},"
             "\"IsInteractive\":true},"
             "{\"TimeGenerated\":\"2026-01-31T11:00:00Z\",\"Id\":\"c\",\"UserPrincipalName\":"
             "\"maeve@x\",\"UserId\":\"u1\",\"AppId\":\"app2\",\"IPAddress\":\"10.0.0.1\","
             "\"ResultType\":\"0\",\"IsInteractive\":true,\"RiskEventTypes_V2\":"
             "\"[\\\"unfamiliarFeatures\\\"]\"}]"));
    append(l, "AADNonInteractiveUserSignInLogs",
           RF_S("[{\"TimeGenerated\":\"2026-01-31T11:30:00Z\",\"Id\":\"d\",\"UserPrincipalName\":"
                "\"maeve@x\",\"UserId\":\"u1\",\"AppId\":\"app1\",\"ResultType\":\"0\"}]"));
    append(l, "AADServicePrincipalSignInLogs",
           RF_S("[{\"TimeGenerated\":\"2026-01-31T11:40:00Z\",\"Id\":\"e\",\"AppId\":\"app3\","
                "\"ServicePrincipalName\":\"feeder\",\"ResultType\":\"7000215\","
                "\"ResultDescription\":\"bad secret\"}]"));
}

#define SIGN_INS "/v1.0/auditLogs/signIns"
Test(graph_log, sign_ins)
{
    struct logs l;
    open_logs(&l);
    fill(&l);
    static const struct {
        const char *query, *ids;
    } rows[] = {
        {"", "c b a"},
        {"?$orderby=createdDateTime%20asc", "a b c"},
        {"?$orderby=createdDateTime%20desc", "c b a"},
        {"?$filter=userPrincipalName%20eq%20'maeve@x'", "c a"},
        {"?$filter=userId%20eq%20'u2'", "b"},
        {"?$filter=appId%20eq%20'app2'", "c"},
        {"?$filter=ipAddress%20eq%20'10.0.0.1'", "c a"},
        {"?$filter=status/errorCode%20eq%2050126", "b"},
        {"?$filter=status/errorCode%20ne%200", "b"},
        {"?$filter=createdDateTime%20ge%202026-01-31T10:30:00Z", "c b"},
        {"?$filter=createdDateTime%20ge%202026-01-31T09:30:00Z%20and%20createdDateTime%20le%20"
         "2026-01-31T10:30:00Z",
         "a"},
        {"?$filter=signInEventTypes/any(t:%20t%20eq%20'nonInteractiveUser')", "d"},
        {"?$filter=signInEventTypes/any(t:%20t%20eq%20'servicePrincipal'%20or%20t%20eq%20"
         "'interactiveUser')",
         "e c b a"},
        {"?$filter=riskEventTypes_v2/any(t:%20t%20eq%20'unfamiliarFeatures')", "c"},
        {"?$filter=deviceDetail/browser%20eq%20'firefox'", "a"},
        {"?$top=1", "c"},
    };
    for (size_t i = 0; i < RF_COUNT(rows); i++) {
        struct bench_answer a = ask(&l, bench_text(&l.b, SIGN_INS "%s", rows[i].query));
        cr_assert(strcmp(ids(&l, &a), rows[i].ids) == 0, "%s: %s", rows[i].query, ids(&l, &a));
    }
    static const char *const wrong[] = {"?$top=0",
                                        "?$top=1001",
                                        "?$top=x",
                                        "?$top=",
                                        "?$orderby=userId",
                                        "?$orderby=createdDateTime%20up",
                                        "?$filter=color%20eq%20'x'",
                                        "?$filter=userId%20gt%20'x'",
                                        "?$filter=userId",
                                        "?$skiptoken=x",
                                        "?$skiptoken=e30"};
    for (size_t i = 0; i < RF_COUNT(wrong); i++) {
        struct bench_answer a = ask(&l, bench_text(&l.b, SIGN_INS "%s", wrong[i]));
        cr_assert(a.status == 400, "%s: %.*s", wrong[i], RF_FMT(a.text));
    }
    struct bench_answer a = ask(&l, SIGN_INS "/b");
    cr_assert(rf_str_is(json_text_at(a.json, "status.failureReason"), "no"), "%.*s",
              RF_FMT(a.text));
    cr_assert(rf_str_is(json_text_at(a.json, "createdDateTime"), "2026-01-31T11:00:00Z"));
    a = ask(&l, SIGN_INS "/e");
    cr_assert(rf_str_is(json_text_at(a.json, "status.failureReason"), "bad secret"), "%.*s",
              RF_FMT(a.text));
    a = ask(&l, SIGN_INS "/nothing");
    cr_assert(a.status == 404);
    a = ask(&l, SIGN_INS "?$select=id,userId&$top=1");
    cr_assert(json_text_at(json_get(a.json, "value")->first, "appId").len == 0);
    close_logs(&l);
}

/* Every row once, also among those of one moment. */
Test(graph_log, pages)
{
    struct logs l;
    open_logs(&l);
    struct rf_buf rows = rf_buf_in(&l.b.arena);
    enum { ROWS = 23 };
    for (int i = 0; i < ROWS; i++)
        rf_buf_printf(&rows,
                      "{\"TimeGenerated\":\"2026-01-31T10:00:%02d.5Z\",\"Id\":\"r%02d\","
                      "\"UserId\":\"u\",\"ResultType\":\"0\"}\n",
                      i / 4, (i * 7) % ROWS);
    append(&l, "SigninLogs", rf_buf_view(&rows));
    for (int way = 0; way < 2; way++) {
        bool seen[ROWS] = {false};
        unsigned count = 0, pages = 0;
        const char *path = way == 0 ? SIGN_INS "?$top=5&$filter=userId%20eq%20'u'"
                                    : SIGN_INS "?$orderby=createdDateTime&$top=5";
        for (; path != NULL; pages++) {
            struct bench_answer a = ask(&l, path);
            cr_assert(a.status == 200, "%.*s", RF_FMT(a.text));
            for (const struct json_node *d = json_get(a.json, "value")->first; d != NULL;
                 d = d->next) {
                rf_str id = json_text_at(d, "id");
                unsigned at = (unsigned)(id.ptr[1] - '0') * 10 + (id.ptr[2] - '0');
                cr_assert(!seen[at]);
                seen[at] = true;
                count++;
            }
            const struct json_node *next = json_get(a.json, "@odata.nextLink");
            path = next == NULL
                       ? NULL
                       : rf_arena_cstr(&l.b.arena,
                                       rf_slice(next->text, strlen(BENCH_ORIGIN), next->text.len));
        }
        cr_assert(count == ROWS && pages == 5, "%u in %u", count, pages);
    }
    close_logs(&l);
}

/* A detection that was settled is told once, as it is now. */
Test(graph_log, risk_detections)
{
    struct logs l;
    open_logs(&l);
    append(
        &l, "AADUserRiskEvents",
        RF_S("[{\"TimeGenerated\":\"2026-01-31T10:00:00Z\",\"Id\":\"a\",\"RiskState\":\"atRisk\","
             "\"DetectedDateTime\":\"2026-01-31T10:00:00Z\",\"LastUpdatedDateTime\":"
             "\"2026-01-31T10:00:00Z\",\"ActivityDateTime\":\"2026-01-31T10:00:00Z\","
             "\"RiskEventType\":\"unfamiliarFeatures\",\"UserId\":\"u1\",\"AdditionalInfo\":"
             "[{\"Key\":\"riskReasons\",\"Value\":[\"UnfamiliarIP\"]}]},"
             "{\"TimeGenerated\":\"2026-01-31T10:05:00Z\",\"Id\":\"a\",\"RiskState\":"
             "\"remediated\",\"DetectedDateTime\":\"2026-01-31T10:05:00Z\","
             "\"LastUpdatedDateTime\":\"2026-01-31T10:05:00Z\",\"RiskEventType\":"
             "\"unfamiliarFeatures\",\"UserId\":\"u1\"},"
             "{\"TimeGenerated\":\"2026-01-31T11:00:00Z\",\"Id\":\"b\",\"RiskState\":\"atRisk\","
             "\"DetectedDateTime\":\"2026-01-31T11:00:00Z\",\"LastUpdatedDateTime\":"
             "\"2026-01-31T11:00:00Z\",\"RiskEventType\":\"passwordSpray\",\"UserId\":\"u2\"}]"));
    l.b.app = bench_app(&l.b, "analyst", "IdentityRiskEvent.Read.All");
    l.b.token = bench_graph_token(&l.b, &l.b.app);
    static const struct {
        const char *query, *ids;
    } rows[] = {{"", "b a"},
                {"?$filter=riskState%20eq%20'atRisk'", "b"},
                {"?$filter=riskState%20eq%20'remediated'", "a"},
                {"?$filter=userId%20eq%20'u1'", "a"},
                {"?$orderby=detectedDateTime", "a b"}};
    for (size_t i = 0; i < RF_COUNT(rows); i++) {
        struct bench_answer a =
            ask(&l, bench_text(&l.b, "/v1.0/identityProtection/riskDetections%s", rows[i].query));
        cr_assert(strcmp(ids(&l, &a), rows[i].ids) == 0, "%s: %s", rows[i].query, ids(&l, &a));
    }
    struct bench_answer a = ask(&l, "/v1.0/identityProtection/riskDetections/b");
    cr_assert(rf_str_is(json_text_at(a.json, "riskEventType"), "passwordSpray"), "%.*s",
              RF_FMT(a.text));
    cr_assert(ask(&l, SIGN_INS).status == 403);
    close_logs(&l);
}

/* What the server itself writes is what it tells. */
Test(graph_log, rows_of_the_server_itself)
{
    struct logs l;
    open_logs(&l);
    l.b.app =
        bench_app(&l.b, "admin", "User.ReadWrite.All Directory.ReadWrite.All AuditLog.Read.All");
    l.b.token = bench_graph_token(&l.b, &l.b.app);
    struct bench_answer a = bench_graph(
        &l.b, HTTP_POST, "/v1.0/users",
        "{\"accountEnabled\":true,\"displayName\":\"Orla\",\"mailNickname\":\"orla\","
        "\"userPrincipalName\":\"orla@ringfort.localhost\",\"passwordProfile\":{\"password\":"
        "\"" PASSWORD "\"}}");
    cr_assert(a.status == 201);
    rf_str id = json_text_at(a.json, "id");
    flush(&l);
    a = ask(&l, bench_text(&l.b,
                           "/v1.0/auditLogs/directoryAudits?$filter=targetResources/any(t:%%20t/id"
                           "%%20eq%%20'%.*s')%%20and%%20activityDisplayName%%20eq%%20'Add%%20user'",
                           RF_FMT(id)));
    const struct json_node *row = json_get(a.json, "value");
    cr_assert(row != NULL && row->first != NULL, "%.*s", RF_FMT(a.text));
    row = row->first;
    cr_assert(rf_str_is(json_text_at(row, "initiatedBy.app.displayName"), "admin"), "%.*s",
              RF_FMT(a.text));
    cr_assert(rf_str_is(json_text_at(row, "result"), "success"));
    cr_assert(json_is(json_get(row, "targetResources"), JSON_T_ARRAY));
    rf_str audit = json_text_at(row, "id");
    a = ask(&l, bench_text(&l.b, "/v1.0/auditLogs/directoryAudits/%.*s", RF_FMT(audit)));
    cr_assert(a.status == 200 && rf_str_eq(json_text_at(a.json, "id"), audit));
    a = ask(&l, SIGN_INS "?$filter=signInEventTypes/any(t:%20t%20eq%20'servicePrincipal')");
    cr_assert(json_get(a.json, "value")->first != NULL, "%.*s", RF_FMT(a.text));
    /* Only for who may read them. */
    l.b.app = bench_app(&l.b, "reader", "User.Read.All");
    l.b.token = bench_graph_token(&l.b, &l.b.app);
    cr_assert(ask(&l, SIGN_INS).status == 403);
    close_logs(&l);
}
