#include "logs/logs_world.h"
#include "test/rf_prop.h"

#define TABLE(name) W_WS "/tables/" name W_V
#define COLUMNS "\"columns\":[{\"name\":\"TimeGenerated\",\"type\":\"datetime\"},"

/* ---- workspaces --------------------------------------------------------------------------------------------------------- */

Test(workspace, the_first_workspace_has_the_id_of_the_installation)
{
    struct world w;
    w_init(&w);
    w_expect(&w, "GET", W_WS W_V, NULL, 200);
    w_expect_text(&w, "properties.customerId", W_GUID);
    w_expect_text(&w, "properties.provisioningState", "Succeeded");
    w_expect_text(&w, "properties.sku.name", "PerGB2018");
    w_expect_i64(&w, "properties.retentionInDays", 30);
    w_done(&w);
}

Test(workspace, a_workspace_keeps_its_id)
{
    struct world w;
    w_init(&w);
    const char *target = W_GROUP "/providers/Microsoft.OperationalInsights/workspaces/second" W_V;
    w_expect(&w, "PUT", target,
             "{\"location\":\"local\",\"properties\":{\"customerId\":\"" W_GUID "\"}}", 201);
    const char *id = w_text(&w, "properties.customerId");
    cr_assert(strlen(id) == 36 && strcmp(id, W_GUID) != 0);
    w_expect(&w, "PUT", target,
             "{\"location\":\"local\",\"properties\":{\"retentionInDays\":90,\"sku\":{\"name\":"
             "\"pergb2018\"}}}",
             200);
    w_expect_text(&w, "properties.customerId", id);
    w_expect_i64(&w, "properties.retentionInDays", 90);
    w_expect(&w, "PATCH", target, "{\"tags\":{\"a\":\"b\"}}", 200);
    w_expect_i64(&w, "properties.retentionInDays", 90);
    struct workspace found;
    const char *const names[] = {
        id, "SECOND", "rg/second",
        "/subscriptions/99999999-0000-0000-0000-000000000001/resourcegroups/RG/"
        "providers/microsoft.operationalinsights/workspaces/second"};
    for (size_t i = 0; i < RF_COUNT(names); i++) {
        cr_assert(workspace_find(w.logs, rf_str_of(names[i]), &w.site.arena, &found, &w.err) ==
                      RF_OK,
                  "%s", names[i]);
        cr_assert(rf_str_is(found.guid, id));
    }
    char folder[120];
    (void)snprintf(folder, sizeof folder, "%s/%s", w.folder, id);
    cr_assert(tables_append_json(w.tables, rf_str_of(id), RF_S("Syslog"), RF_S("{}"), 0, NULL,
                                 &w.err) == RF_OK);
    cr_assert(rf_fs_exists(rf_fs_real(), folder));
    w_expect(&w, "DELETE", target, NULL, 200);
    cr_assert(workspace_find(w.logs, RF_S("second"), &w.site.arena, &found, &w.err) ==
              RF_NOT_FOUND);
    cr_assert(!rf_fs_exists(rf_fs_real(), folder), "its rows are gone");
    w_done(&w);
}

Test(workspace, bad_workspaces_are_refused)
{
    struct world w;
    w_init(&w);
    static const struct {
        const char *name, *properties, *code;
    } cases[] = {
        {"abc", "{}", "InvalidWorkspaceName"},
        {"-abcd", "{}", "InvalidWorkspaceName"},
        {"good-name", "{\"retentionInDays\":29}", "InvalidParameter"},
        {"good-name", "{\"retentionInDays\":731}", "InvalidParameter"},
        {"good-name", "{\"retentionInDays\":\"long\"}", "InvalidParameter"},
        {"good-name", "{\"sku\":{\"name\":\"Golden\"}}", "InvalidParameter"},
        {"good-name", "{\"features\":7}", "InvalidParameter"},
    };
    for (size_t i = 0; i < RF_COUNT(cases); i++) {
        char target[300], body[300];
        (void)snprintf(target, sizeof target,
                       W_GROUP "/providers/Microsoft.OperationalInsights/workspaces/%s" W_V,
                       cases[i].name);
        (void)snprintf(body, sizeof body, "{\"location\":\"local\",\"properties\":%s}",
                       cases[i].properties);
        w_expect_code(&w, "PUT", target, body, 400, cases[i].code);
    }
    w_done(&w);
}

Test(workspace, shared_keys_are_made_and_made_anew)
{
    struct world w;
    w_init(&w);
    w_expect(&w, "POST", W_WS "/sharedKeys" W_V, NULL, 200);
    const char *first = w_text(&w, "primarySharedKey"), *second = w_text(&w, "secondarySharedKey");
    cr_assert(strlen(first) == 88 && strlen(second) == 88 && strcmp(first, second) != 0);
    w_expect(&w, "POST", W_WS "/sharedKeys" W_V, NULL, 200);
    w_expect_text(&w, "primarySharedKey", first);
    w_expect(&w, "POST", W_WS "/regenerateSharedKey" W_V, NULL, 200);
    cr_assert(strcmp(w_text(&w, "primarySharedKey"), first) != 0);
    w_done(&w);
}

Test(workspace, its_small_lists_answer)
{
    struct world w;
    w_init(&w);
    w_expect(&w, "GET", W_WS "/intelligencePacks" W_V, NULL, 200);
    cr_assert(json_is(w.answer, JSON_T_ARRAY) && w.answer->count > 0);
    w_expect(&w, "GET", W_WS "/usages" W_V, NULL, 200);
    w_expect_json(&w, "value", "[]");
    w_expect(&w, "GET", W_WS "/linkedServices" W_V, NULL, 200);
    w_expect(&w, "POST", W_WS "/schema" W_V, NULL, 200);
    cr_assert(json_get(w.answer, "value")->count > 10000);
    w_done(&w);
}

/* ---- tables ------------------------------------------------------------------------------------------------------------------ */

Test(workspace, a_custom_table_from_birth_to_death)
{
    struct world w;
    w_init(&w);
    w_expect(&w, "PUT", TABLE("Acc_CL"),
             "{\"properties\":{\"plan\":\"Analytics\",\"retentionInDays\":30,"
             "\"totalRetentionInDays\":90,"
             "\"schema\":{\"name\":\"Acc_CL\"," COLUMNS "{\"name\":\"A\",\"type\":\"string\"},"
             "{\"name\":\"Ok\",\"type\":\"bool\"},{\"name\":\"G\",\"type\":\"guid\"}]}}}",
             201);
    w_expect_text(&w, "name", "Acc_CL");
    w_expect_text(&w, "properties.schema.tableType", "CustomLog");
    w_expect_text(&w, "properties.schema.tableSubType", "DataCollectionRuleBased");
    w_expect_i64(&w, "properties.archiveRetentionInDays", 60);
    w_expect_json(
        &w, "properties.schema.columns",
        "[{\"name\":\"TimeGenerated\",\"type\":\"dateTime\"},{\"name\":\"A\",\"type\":"
        "\"string\"},{\"name\":\"Ok\",\"type\":\"boolean\"},{\"name\":\"G\",\"type\":\"guid\"}]");
    w_expect_rows(&w, "Acc_CL | count", "0;");
    w_expect(&w, "PATCH", TABLE("acc_cl"), "{\"properties\":{\"retentionInDays\":-1}}", 200);
    w_expect_json(&w, "properties.retentionInDaysAsDefault", "true");
    w_expect_i64(&w, "properties.retentionInDays", 30);
    w_expect_i64(&w, "properties.totalRetentionInDays", 90);
    cr_assert(json_at(w.answer, "properties.schema.columns")->count == 4);
    w_expect(&w, "PUT", TABLE("Acc_CL"),
             "{\"properties\":{\"schema\":{\"name\":\"Acc_CL\"," COLUMNS
             "{\"name\":\"A\",\"type\":\"string\"},{\"name\":\"New\",\"type\":\"long\"}]}}}",
             200);
    w_expect_rows(&w, "Acc_CL | project A, New", "");
    w_expect_code(&w, "PUT", TABLE("Acc_CL"),
                  "{\"properties\":{\"schema\":{\"name\":\"Acc_CL\"," COLUMNS
                  "{\"name\":\"A\",\"type\":\"long\"}]}}}",
                  400, "InvalidParameter");
    w_expect(&w, "DELETE", TABLE("Acc_CL"), NULL, 200);
    w_expect_code(&w, "GET", TABLE("Acc_CL"), NULL, 404, "ResourceNotFound");
    struct table_def def;
    cr_assert(tables_find(w.tables, RF_S(W_GUID), RF_S("Acc_CL"), &w.site.arena, &def, &w.err) ==
              RF_NOT_FOUND);
    w_done(&w);
}

Test(workspace, bad_tables_are_refused)
{
    struct world w;
    w_init(&w);
    static const struct {
        const char *name, *properties, *code;
    } cases[] = {
        {"NoSuffix",
         "{\"schema\":{\"name\":\"NoSuffix\"," COLUMNS "{\"name\":\"A\",\"type\":\"int\"}]}}",
         "InvalidTableName"},
        {"1T_CL", "{\"schema\":{" COLUMNS "{\"name\":\"A\",\"type\":\"int\"}]}}",
         "InvalidTableName"},
        {"a-b_CL", "{\"schema\":{" COLUMNS "{\"name\":\"A\",\"type\":\"int\"}]}}",
         "InvalidTableName"},
        {"T_CL", "{\"schema\":{\"columns\":[{\"name\":\"A\",\"type\":\"int\"}]}}",
         "InvalidParameter"},
        {"T_CL", "{}", "InvalidParameter"},
        {"T_CL", "{\"schema\":{\"columns\":[{\"name\":\"TimeGenerated\",\"type\":\"string\"}]}}",
         "InvalidParameter"},
        {"T_CL", "{\"schema\":{" COLUMNS "{\"name\":\"Type\",\"type\":\"string\"}]}}",
         "InvalidParameter"},
        {"T_CL", "{\"schema\":{" COLUMNS "{\"name\":\"TENANTID\",\"type\":\"string\"}]}}",
         "InvalidParameter"},
        {"T_CL", "{\"schema\":{" COLUMNS "{\"name\":\"_A\",\"type\":\"string\"}]}}",
         "InvalidParameter"},
        {"T_CL", "{\"schema\":{" COLUMNS "{\"name\":\"A B\",\"type\":\"string\"}]}}",
         "InvalidParameter"},
        {"T_CL", "{\"schema\":{" COLUMNS "{\"name\":\"A\",\"type\":\"decimal\"}]}}",
         "InvalidParameter"},
        {"T_CL",
         "{\"schema\":{" COLUMNS
         "{\"name\":\"A\",\"type\":\"int\"},{\"name\":\"A\",\"type\":\"int\"}]}}",
         "InvalidParameter"},
        {"T_CL",
         "{\"schema\":{" COLUMNS
         "{\"name\":\"A23456789012345678901234567890123456789012345x\",\"type\":\"int\"}]}}",
         "InvalidParameter"},
        {"Syslog", "{\"retentionInDays\":3}", "InvalidParameter"},
        {"Syslog", "{\"retentionInDays\":731}", "InvalidParameter"},
        {"Syslog", "{\"totalRetentionInDays\":4384}", "InvalidParameter"},
        {"Syslog", "{\"retentionInDays\":90,\"totalRetentionInDays\":60}", "InvalidParameter"},
        {"Syslog", "{\"plan\":\"Gold\"}", "InvalidParameter"},
        {"Syslog", "{\"schema\":{\"name\":\"Other\"}}", "InvalidParameter"},
        {"Syslog", "{\"schema\":{\"columns\":[{\"name\":\"Mine\",\"type\":\"int\"}]}}",
         "InvalidParameter"},
    };
    for (size_t i = 0; i < RF_COUNT(cases); i++) {
        char target[300], body[500];
        (void)snprintf(target, sizeof target, W_WS "/tables/%s" W_V, cases[i].name);
        (void)snprintf(body, sizeof body, "{\"properties\":%s}", cases[i].properties);
        w_expect_code(&w, "PUT", target, body, 400, cases[i].code);
    }
    w_done(&w);
}

Test(workspace, standard_tables_are_there_and_take_settings)
{
    struct world w;
    w_init(&w);
    w_expect(&w, "GET", TABLE("syslog"), NULL, 200);
    w_expect_text(&w, "name", "Syslog");
    w_expect_text(&w, "properties.schema.tableType", "Microsoft");
    w_expect_json(&w, "properties.schema.columns", "[]");
    cr_assert(json_at(w.answer, "properties.schema.standardColumns")->count > 10);
    w_expect_json(&w, "properties.retentionInDaysAsDefault", "true");
    w_expect(
        &w, "PATCH", TABLE("Syslog"),
        "{\"properties\":{\"retentionInDays\":60,\"schema\":{\"columns\":[{\"name\":\"Mine_CF\","
        "\"type\":\"string\"}]}}}",
        200);
    w_expect_i64(&w, "properties.retentionInDays", 60);
    w_expect_rows(&w, "Syslog | project Mine_CF, HostName", "");
    w_expect(&w, "GET", W_WS "/tables" W_V, NULL, 200);
    uint32_t syslogs = 0, all = 0;
    for (const struct json_node *t = json_get(w.answer, "value")->first; t != NULL; t = t->next) {
        syslogs += rf_str_eq_nocase(json_text_at(t, "name"), RF_S("Syslog"));
        all++;
    }
    cr_assert(syslogs == 1 && all > 300, "%u of %u", syslogs, all);
    w_expect_code(&w, "GET", TABLE("NoSuchTable"), NULL, 404, "ResourceNotFound");
    w_done(&w);
}

Test(workspace, what_is_stored_is_there_after_a_restart)
{
    struct world w;
    w_init(&w);
    w_expect(&w, "PUT", TABLE("T_CL"),
             "{\"properties\":{\"schema\":{" COLUMNS "{\"name\":\"A\",\"type\":\"int\"}]}}}", 201);
    w_expect(&w, "PATCH", TABLE("Syslog"),
             "{\"properties\":{\"schema\":{\"columns\":[{\"name\":\"B_CF\",\"type\":\"real\"}]}}}",
             200);
    w_close(&w);
    w_open(&w);
    w_expect_rows(&w, "T_CL | project A", "");
    w_expect_rows(&w, "Syslog | project B_CF", "");
    w_done(&w);
}

/* ---- saved searches, exports ---------------------------------------------------------------------------------------------------- */

Test(workspace, saved_searches_are_functions)
{
    struct world w;
    w_init(&w);
    const char *target = W_WS "/savedSearches/one?api-version=2020-08-01";
    const char *body =
        "{\"etag\":\"*\",\"properties\":{\"category\":\"Function\",\"displayName\":\"One\","
        "\"query\":\"range n from lo to lo + 2 step 1\",\"functionAlias\":\"One\","
        "\"functionParameters\":\"lo:long\"}}";
    w_expect(&w, "PUT", target, body, 200);
    w_expect(&w, "PUT", target, body, 200);
    w_expect_text(&w, "properties.functionAlias", "One");
    w_expect(&w, "GET", W_WS "/savedSearches?api-version=2020-08-01", NULL, 200);
    cr_assert(json_get(w.answer, "value")->count == 1);
    struct workspace ws;
    struct stored_function *functions;
    uint32_t count;
    cr_assert(workspace_find(w.logs, RF_S("ws"), &w.site.arena, &ws, &w.err) == RF_OK);
    cr_assert(workspace_functions(w.logs, &ws, &w.site.arena, &functions, &count, &w.err) == RF_OK);
    cr_assert(count == 1 && rf_str_is(functions[0].name, "One"));
    cr_assert(rf_str_is(functions[0].text, "(lo:long) {\nrange n from lo to lo + 2 step 1\n}"));
    w_expect(&w, "DELETE", target, NULL, 200);
    cr_assert(workspace_functions(w.logs, &ws, &w.site.arena, &functions, &count, &w.err) == RF_OK);
    cr_assert(count == 0);
    w_expect_code(&w, "PUT", target, "{\"properties\":{\"category\":\"a\",\"displayName\":\"b\"}}",
                  400, "InvalidParameter");
    w_expect_code(&w, "PUT", target,
                  "{\"properties\":{\"category\":\"a\",\"displayName\":\"b\",\"query\":\"print 1\","
                  "\"functionAlias\":\"a b\"}}",
                  400, "InvalidParameter");
    w_done(&w);
}

Test(workspace, data_exports_are_checked)
{
    struct world w;
    w_init(&w);
#define HUB W_GROUP "/providers/Microsoft.EventHub/namespaces/hub"
    const char *target = W_WS "/dataExports/one?api-version=2020-08-01";
    w_expect_code(
        &w, "PUT", target,
        "{\"properties\":{\"tableNames\":[\"NoSuchTable_CL\"],\"destination\":{\"resourceId\":"
        "\"" HUB "\"}}}",
        400, "InvalidParameter");
    w_expect_text(&w, "error.message", "Table NoSuchTable_CL does not exist in the workspace");
    w_expect_code(
        &w, "PUT", target,
        "{\"properties\":{\"tableNames\":[\"Syslog\"],\"destination\":{\"resourceId\":\"" W_WS
        "\"}}}",
        400, "InvalidParameter");
    const char *good =
        "{\"properties\":{\"tableNames\":[\"Syslog\"],\"enable\":true,\"destination\":{"
        "\"resourceId\":\"" HUB "\",\"metaData\":{\"eventHubName\":\"h\"}}}}";
    w_expect(&w, "PUT", target, good, 201);
    w_expect_text(&w, "properties.destination.type", "EventHub");
    w_expect_json(&w, "properties.enable", "true");
    w_expect(&w, "PUT", target, good, 200);
    w_expect_code(&w, "PUT", W_WS "/dataExports/two?api-version=2020-08-01", good, 400,
                  "DestinationInUse");
    w_expect(&w, "DELETE", target, NULL, 200);
    w_expect(&w, "GET", target, NULL, 404);
    w_done(&w);
}

Test(workspace, query_packs_hold_queries)
{
    struct world w;
    w_init(&w);
#define PACK W_GROUP "/providers/Microsoft.OperationalInsights/queryPacks/pack"
    w_expect(&w, "PUT", PACK "?api-version=2019-09-01",
             "{\"location\":\"local\",\"properties\":{}}", 201);
    const char *id = w_text(&w, "properties.queryPackId");
    cr_assert(strlen(id) == 36);
    w_expect(&w, "PUT", PACK "?api-version=2019-09-01",
             "{\"location\":\"local\",\"properties\":{}}", 200);
    w_expect_text(&w, "properties.queryPackId", id);
    const char *query = PACK "/queries/0f0f0f0f-0000-0000-0000-000000000000?api-version=2019-09-01";
    w_expect(&w, "PUT", query, "{\"properties\":{\"displayName\":\"a\",\"body\":\"print 1\"}}",
             200);
    cr_assert(strlen(w_text(&w, "properties.author")) > 0);
    w_expect_code(&w, "PUT", query, "{\"properties\":{\"displayName\":\"a\"}}", 400,
                  "InvalidParameter");
    w_expect(&w, "GET", PACK "/queries?api-version=2019-09-01", NULL, 200);
    cr_assert(json_get(w.answer, "value")->count == 1);
    w_done(&w);
}

/* ---- rows of the platform itself -------------------------------------------------------------------------------------------------- */

Test(workspace, rows_of_the_platform_reach_their_tables)
{
    struct world w;
    struct self_log *log;
    w_init(&w);
    cr_assert(self_log_new(w.tables, RF_S(W_GUID), &w.site.clock.clock, &log, &w.err) == RF_OK);
    struct audit audit = self_log_audit(log);
    for (int i = 0; i < 50000; i++) {
        char row[100];
        (void)snprintf(row, sizeof row, "{\"Process\":\"p\",\"Count\":%d}", i);
        audit_row(&audit, i % 2 == 0 ? "RingfortDenials" : "RingfortHardening", rf_str_of(row));
        if (i == 7) audit_row(&audit, "RingfortDenials", RF_S("{broken"));
    }
    self_log_free(log);
    w_expect_rows(&w, "RingfortDenials | summarize count(), sum(Count)", "25000 624975000;");
    w_expect_rows(&w, "RingfortHardening | where TimeGenerated == now() | count", "25000;");
    w_done(&w);
}
