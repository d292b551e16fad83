#include "logs/logs_world.h"
#include "logs/rules_int.h"
#include "test/rf_prop.h"

#define TABLE_COLUMNS                                                                              \
    "{\"properties\":{\"schema\":{\"name\":\"App_CL\",\"columns\":[{\"name\":\"TimeGenerated\","   \
    "\"type\":\"datetime\"},{\"name\":\"A\",\"type\":\"string\"},{\"name\":\"N\",\"type\":"        \
    "\"long\"},{\"name\":\"G\",\"type\":\"guid\"}]}}}"
#define STREAM                                                                                     \
    "\"streamDeclarations\":{\"Custom-App\":{\"columns\":[{\"name\":\"TimeGenerated\",\"type\":"   \
    "\"datetime\"},{\"name\":\"A\",\"type\":\"string\"},{\"name\":\"N\",\"type\":\"int\"}]}}"
#define DESTINATIONS                                                                               \
    "\"destinations\":{\"logAnalytics\":[{\"workspaceResourceId\":\"" W_WS "\",\"name\":\"ws\"}]}"
#define FLOW(more)                                                                                 \
    "\"dataFlows\":[{\"streams\":[\"Custom-App\"],\"destinations\":[\"ws\"],\"outputStream\":"     \
    "\"Custom-App_CL\"" more "}]"
#define RULE(streams, destinations, flows)                                                         \
    "{\"location\":\"local\",\"properties\":{" streams "," destinations "," flows "}}"
#define GOOD RULE(STREAM, DESTINATIONS, FLOW(""))

static void init(struct world *w)
{
    w_init(w);
    w_expect(w, "PUT", W_WS "/tables/App_CL" W_V, TABLE_COLUMNS, 201);
}

Test(rules, a_rule_keeps_its_immutable_id)
{
    struct world w;
    init(&w);
    w_expect(&w, "PUT", W_RULES "one" W_RULE_V, GOOD, 201);
    const char *id = w_text(&w, "properties.immutableId");
    cr_assert(strlen(id) == 36 && strncmp(id, "dcr-", 4) == 0, "%s", id);
    w_expect_text(&w, "properties.provisioningState", "Succeeded");
    cr_assert(json_at(w.answer, "properties.endpoints") == NULL);
    w_expect(&w, "PUT", W_RULES "one" W_RULE_V, GOOD, 200);
    w_expect_text(&w, "properties.immutableId", id);
    w_expect(&w, "PATCH", W_RULES "one" W_RULE_V, "{\"tags\":{\"a\":\"b\"}}", 200);
    w_expect_text(&w, "properties.immutableId", id);
    w_expect(&w, "GET", W_RULES "one" W_RULE_V, NULL, 200);
    const struct json_node *d = json_at(w.answer, "properties.destinations.logAnalytics");
    cr_assert(rf_str_is(json_text_at(d->first, "workspaceId"), W_GUID));
    struct rule *rule;
    cr_assert(rules_find(w.logs, rf_str_of(id), &rule, &w.err) == RF_OK, "%s", w.err.text);
    cr_assert(rule->flow_count == 1 && rf_str_is(rule->flows[0].table, "App_CL"));
    rule_unref(rule);
    w_expect(&w, "DELETE", W_RULES "one" W_RULE_V, NULL, 200);
    cr_assert(rules_find(w.logs, rf_str_of(id), &rule, &w.err) == RF_NOT_FOUND);
    w_done(&w);
}

Test(rules, a_rule_is_found_after_a_restart)
{
    struct world w;
    struct rule *rule;
    init(&w);
    w_expect(&w, "PUT", W_RULES "one" W_RULE_V, GOOD, 201);
    const char *id = w_text(&w, "properties.immutableId");
    w_close(&w);
    w_open(&w);
    cr_assert(rules_find(w.logs, rf_str_of(id), &rule, &w.err) == RF_OK);
    rule_unref(rule);
    w_done(&w);
}

Test(rules, a_direct_rule_has_endpoints_of_our_own)
{
    struct world w;
    init(&w);
    w_expect(&w, "PUT", W_RULES "one" W_RULE_V,
             "{\"location\":\"local\",\"kind\":\"Direct\",\"properties\":{" STREAM "," DESTINATIONS
             "," FLOW("") ",\"endpoints\":{\"logsIngestion\":\"https://elsewhere\"}}}",
             201);
    w_expect_text(&w, "properties.endpoints.logsIngestion", "https://localhost:8443");
    w_expect_text(&w, "kind", "Direct");
    w_done(&w);
}

Test(rules, endpoints_and_associations)
{
    struct world w;
    init(&w);
    w_expect(&w, "PUT", W_ENDPOINTS "dce" W_RULE_V,
             "{\"location\":\"local\",\"properties\":{\"networkAcls\":{\"publicNetworkAccess\":"
             "\"Enabled\"}}}",
             201);
    const char *id = w_text(&w, "properties.immutableId");
    cr_assert(strncmp(id, "dce-", 4) == 0);
    w_expect_text(&w, "properties.logsIngestion.endpoint", "https://localhost:8443");
    w_expect_text(&w, "properties.configurationAccess.endpoint", "https://localhost:8443");
    w_expect(&w, "PUT", W_ENDPOINTS "dce" W_RULE_V, "{\"location\":\"local\"}", 200);
    w_expect_text(&w, "properties.immutableId", id);
    w_expect_code(
        &w, "PUT", W_ENDPOINTS "dce" W_RULE_V,
        "{\"location\":\"local\",\"properties\":{\"networkAcls\":{\"publicNetworkAccess\":"
        "\"Maybe\"}}}",
        400, "InvalidPayload");
    w_expect(&w, "PUT", W_RULES "one" W_RULE_V, GOOD, 201);
    const char *target =
        W_WS "/providers/Microsoft.Insights/dataCollectionRuleAssociations/a" W_RULE_V;
    w_expect_code(&w, "PUT", target, "{\"properties\":{}}", 400, "InvalidPayload");
    w_expect_code(&w, "PUT", target,
                  "{\"properties\":{\"dataCollectionRuleId\":\"" W_RULES "no\"}}", 400,
                  "InvalidPayload");
    w_expect(&w, "PUT", target, "{\"properties\":{\"dataCollectionRuleId\":\"" W_RULES "one\"}}",
             201);
    w_expect(&w, "GET", W_RULES "one/associations" W_RULE_V, NULL, 200);
    cr_assert(json_get(w.answer, "value")->count == 1);
    w_done(&w);
}

Test(rules, bad_rules_are_refused)
{
    struct world w;
    init(&w);
    static const struct {
        const char *body, *code;
    } cases[] = {
        {"{\"location\":\"local\",\"kind\":\"Solaris\",\"properties\":{}}", "InvalidPayload"},
        {"{\"location\":\"local\",\"properties\":{\"dataCollectionEndpointId\":\"" W_ENDPOINTS
         "no\"}}",
         "InvalidPayload"},
        {RULE("\"streamDeclarations\":{\"App\":{\"columns\":[{\"name\":\"A\",\"type\":\"int\"}]}}",
              DESTINATIONS, FLOW("")),
         "InvalidPayload"},
        {RULE("\"streamDeclarations\":{\"Custom-App\":{\"columns\":[]}}", DESTINATIONS, FLOW("")),
         "InvalidPayload"},
        {RULE("\"streamDeclarations\":{\"Custom-App\":{\"columns\":[{\"name\":\"A\",\"type\":"
              "\"guid\"}]}}",
              DESTINATIONS, FLOW("")),
         "InvalidPayload"},
        {RULE("\"streamDeclarations\":{\"Custom-App\":{\"columns\":[{\"name\":\"A\",\"type\":"
              "\"int\"},"
              "{\"name\":\"A\",\"type\":\"int\"}]}}",
              DESTINATIONS, FLOW("")),
         "InvalidPayload"},
        {RULE("\"streamDeclarations\":{\"Custom-App\":{\"columns\":[{\"name\":\"A\",\"type\":"
              "\"string\"}]}}",
              DESTINATIONS, FLOW("")),
         "InvalidTransformOutput"}, /* no TimeGenerated */
        {RULE(STREAM, "\"destinations\":{}", FLOW("")), "InvalidPayload"},
        {RULE(STREAM,
              "\"destinations\":{\"logAnalytics\":[{\"name\":\"ws\",\"workspaceResourceId\":"
              "\"" W_GROUP "/providers/Microsoft.OperationalInsights/workspaces/none\"}]}",
              FLOW("")),
         "InvalidPayload"},
        {RULE(STREAM, DESTINATIONS,
              "\"dataFlows\":[{\"streams\":[\"Custom-Other\"],\"destinations\":[\"ws\"]}]"),
         "InvalidPayload"},
        {RULE(STREAM, DESTINATIONS,
              "\"dataFlows\":[{\"streams\":[\"Microsoft-Nothing\"],\"destinations\":[\"ws\"]}]"),
         "InvalidPayload"},
        {RULE(STREAM, DESTINATIONS,
              "\"dataFlows\":[{\"streams\":[\"Custom-App\"],\"destinations\":[\"ws\"]}]"),
         "InvalidOutputTable"},
        {RULE(STREAM, DESTINATIONS,
              "\"dataFlows\":[{\"streams\":[\"Custom-App\",\"Microsoft-Syslog\"],\"destinations\":["
              "\"ws\"],\"transformKql\":\"source | extend A = "
              "1\",\"outputStream\":\"Custom-App_CL\"}]"),
         "InvalidPayload"},
        {RULE(STREAM, DESTINATIONS, FLOW(",\"transformKql\":\"source | project A\"")),
         "InvalidTransformOutput"},
        {RULE(STREAM, DESTINATIONS, FLOW(",\"transformKql\":\"source | extend A = 1.5\"")),
         "InvalidTransformOutput"},
    };
    for (size_t i = 0; i < RF_COUNT(cases); i++)
        w_expect_code(&w, "PUT", W_RULES "bad" W_RULE_V, cases[i].body, 400, cases[i].code);
    w_done(&w);
}

Test(rules, a_bad_transformation_is_named_in_the_details)
{
    struct world w;
    init(&w);
    w_expect_code(
        &w, "PUT", W_RULES "bad" W_RULE_V,
        RULE(STREAM, DESTINATIONS, FLOW(",\"transformKql\":\"source | summarize count() by A\"")),
        400, "InvalidPayload");
    const struct json_node *details = json_at(w.answer, "error.details");
    cr_assert(json_is(details, JSON_T_ARRAY) && details->count == 1);
    cr_assert(rf_str_is(json_text_at(details->first, "code"), "InvalidTransformQuery"));
    w_done(&w);
}

/* ---- transformations ---------------------------------------------------------------------------------------------------------- */

static struct reader_column stream_columns[] = {
    {{(const uint8_t *)"TimeGenerated", 13}, TYPE_DATETIME},
    {{(const uint8_t *)"A", 1}, TYPE_STRING},
    {{(const uint8_t *)"N", 1}, TYPE_INT}};
static const struct rule_stream stream = {
    .name = {(const uint8_t *)"Custom-App", 10}, .columns = stream_columns, .column_count = 3};

Test(rules, what_a_transformation_may_say)
{
    static const struct {
        const char *kql;
        bool good;
    } cases[] = {
        {"source", true},
        {"source | where A != 'x' | extend B = toupper(A) | project TimeGenerated, B", true},
        {"source | project-away A | project-rename M = N", true},
        {"source | parse A with 'a' x:long 'b' * | project-keep x", true},
        {"source | parse-where A with 'a' x:long", true},
        {"let f = (t:string) { toupper(t) }; source | extend B = f(A)", true},
        {"let t = datatable(a:string)['x']; source | where A in (t)", true},
        {"source | extend range = 1, union = 2 | project range, union", true},
        {"source | extend c = columnifexists('Nope', 'd'), d = base64_encodestring(A)", true},
        {"print TimeGenerated = now()", true},
        {"source | summarize count() by A", false},
        {"source | summarize count()", false},
        {"source | join (source) on A", false},
        {"source | sort by A asc", false},
        {"source | order by A", false},
        {"source | top 3 by A", false},
        {"source | take 5", false},
        {"source | limit 5", false},
        {"source | distinct A", false},
        {"source | count", false},
        {"source | mv-expand B = split(A, ',')", false},
        {"source | union source", false},
        {"union source, source", false},
        {"union (source), (source)", false},
        {"let x = union source, source; x", false},
        {"range x from 1 to 5 step 1", false},
        {"source | extend c = toscalar(source | count)", false},
        {"source | extend c = toscalar(source)", false},
        {"source | where A in ((source | top 1 by N | project A))", false},
        {"source | invoke f()", false},
        {"source | evaluate bag_unpack(parse_json(A))", false},
        {"source | serialize | extend p = prev(A)", false},
        {"externaldata(a:string)['http://127.0.0.1/']", false},
        {"search 'x'", false},
        {"find 'x'", false},
        {"Other | where A == 1", false},
        {"source | where Nothing == 1", false},
        {"source | where", false},
        {"source | make-series count() on TimeGenerated step 1h", false},
        {"source | render piechart", false},
        {"source |/* hidden */ summarize count()", false},
    };
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 64 << 20);
    for (size_t i = 0; i < RF_COUNT(cases); i++) {
        struct schema schema;
        struct rf_err err = {0};
        enum rf_kind kind =
            transform_schema(rf_str_of(cases[i].kql), &stream, &arena, &schema, &err);
        cr_assert((kind == RF_OK) == cases[i].good, "%s: %s", cases[i].kql, err.text);
        if (!cases[i].good) cr_assert_str_eq(err.code, "InvalidTransformQuery", "%s", cases[i].kql);
    }
}

Test(rules, values_change_their_type_where_nothing_is_lost)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 1 << 20);
    cr_assert(transform_fits(TYPE_INT, TYPE_LONG) && transform_fits(TYPE_LONG, TYPE_REAL) &&
              transform_fits(TYPE_STRING, TYPE_GUID));
    cr_assert(!transform_fits(TYPE_LONG, TYPE_INT) && !transform_fits(TYPE_STRING, TYPE_LONG) &&
              !transform_fits(TYPE_REAL, TYPE_LONG));
    int64_t numbers[] = {1, 2, 3};
    uint8_t nulls[] = {0, 1, 0};
    struct vec v = {.type = TYPE_LONG, .shape = VEC_FLAT, .data = numbers, .nulls = nulls}, out;
    cr_assert(transform_cast(&v, TYPE_REAL, 3, &arena, &out));
    cr_assert(vec_real(&out, 2) == 3.0 && vec_null(&out, 1));
    rf_str texts[] = {RF_S("01234567-89ab-cdef-0123-456789abcdef"), RF_S("none")};
    uint32_t codes[] = {1, 0, 1};
    v = (struct vec){
        .type = TYPE_STRING, .shape = VEC_DICT, .dict_count = 2, .data = texts, .codes = codes};
    cr_assert(transform_cast(&v, TYPE_GUID, 3, &arena, &out));
    cr_assert(vec_null(&out, 0) && !vec_null(&out, 1));
    cr_assert(vec_guid(&out, 1).bytes[0] == 0x01);
}
