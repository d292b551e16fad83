#include "siem/alert.h"

#include "base/encode.h"
#include "kql/kql.h"
#include "siem/entity_int.h"
#include "test/rf_prop.h"
#include "value/text.h"

/* ---- rows by a query, rules by JSON ------------------------------------------------------------------------------------ */

struct world {
    struct rf_arena arena;
    struct rf_err err;
    struct rule rule;
    struct schema schema;
    struct rows *rows;
    struct alert *alerts;
    uint32_t count;
};

struct keep {
    struct kql_sink base;
    struct world *w;
};

static enum rf_kind keep_begin(struct kql_sink *base, rf_str name, const struct schema *schema,
                               const struct render *render, struct rf_err *err)
{
    (void)name, (void)render, (void)err;
    struct world *w = ((struct keep *)base)->w;
    uint8_t types[64];
    struct column *columns = rf_arena_new(&w->arena, struct column, schema->count);
    for (uint32_t i = 0; i < schema->count; i++) {
        columns[i] = schema->columns[i];
        types[i] = schema->columns[i].type;
        cr_assert(rf_arena_str(&w->arena, columns[i].name, &columns[i].name));
    }
    w->schema = (struct schema){.columns = columns, .count = schema->count};
    w->rows = rows_new(&w->arena, types, schema->count);
    return RF_OK;
}
static enum rf_kind keep_push(struct kql_sink *base, const struct batch *batch, struct rf_err *err)
{
    (void)err;
    cr_assert(rows_append(((struct keep *)base)->w->rows, batch));
    return RF_OK;
}
static enum rf_kind keep_end(struct kql_sink *base, struct rf_err *err)
{
    (void)base, (void)err;
    return RF_OK;
}

static const struct alert_run run = {
    .workspace_id = {(const uint8_t *)"99999999-0000-0000-0000-000000000002", 36},
    .subscription_id = {(const uint8_t *)"sub", 3},
    .group = {(const uint8_t *)"rg", 2},
    .rule_resource_id = {(const uint8_t *)"/subscriptions/s/resourceGroups/rg/providers/"
                                          "Microsoft.OperationalInsights/workspaces/ws/providers/"
                                          "Microsoft.SecurityInsights/alertRules/r1",
                         137},
    .run_id = {(const uint8_t *)"run 7", 5},
    .from_ticks = DATETIME_UNIX_EPOCH,
    .to_ticks = DATETIME_UNIX_EPOCH + TICKS_PER_HOUR,
    .now = 3900 * RF_USEC_PER_SECOND};

/* `more`: further members of the rule, beginning with a comma. */
static void make(struct world *w, const char *query, const char *more)
{
    struct json_node *document;
    rf_arena_init(&w->arena, 256 << 20);
    w->err = (struct rf_err){.code = ""};
    rf_str text = rf_arena_printf(
        &w->arena,
        "{\"kind\":\"Scheduled\",\"properties\":{\"displayName\":\"Rule one\",\"enabled\":true,"
        "\"description\":\"what it is\",\"severity\":\"Medium\",\"query\":\"T | where 1 == 1\","
        "\"queryFrequency\":\"PT5M\",\"queryPeriod\":\"PT1H\",\"triggerOperator\":\"GreaterThan\","
        "\"triggerThreshold\":0,\"suppressionEnabled\":false,\"suppressionDuration\":\"PT1H\","
        "\"tactics\":[\"CredentialAccess\",\"Impact\"],\"techniques\":[\"T1110\"]%s}}",
        more);
    cr_assert(json_parse(text, &w->arena, &document, &w->err) == RF_OK, "%s", w->err.text);
    cr_assert(rule_parse(document, RF_S("r1"), &w->arena, &w->rule, &w->err) == RF_OK, "%s",
              w->err.text);
    struct keep keep = {.base = {.begin = keep_begin, .push = keep_push, .end = keep_end}, .w = w};
    struct catalog catalog = {0};
    struct kql_request request = {.text = rf_str_of(query), .catalog = &catalog};
    cr_assert(kql_run(&request, &keep.base, NULL, &w->err) == RF_OK, "%s: %s", query, w->err.text);
    cr_assert(alerts_make(&w->rule, &run, &w->schema, w->rows, &w->arena, &w->alerts, &w->count,
                          &w->err) == RF_OK,
              "%s", w->err.text);
}

static struct json_node *row_of(struct world *w, uint32_t index)
{
    struct json_node *row;
    cr_assert(json_parse(w->alerts[index].row, &w->arena, &row, &w->err) == RF_OK, "%s",
              w->err.text);
    return row;
}

static void expect_entities(struct world *w, uint32_t index, const char *wanted)
{
    rf_str got = json_text_at(row_of(w, index), "Entities");
    cr_expect(rf_str_is(got, wanted), "%.*s\nnot %s", RF_FMT(got), wanted);
}

#define MAP(type, ...) "{\"entityType\":\"" type "\",\"fieldMappings\":[" __VA_ARGS__ "]}"
#define FIELD(identifier, column)                                                                  \
    "{\"identifier\":\"" identifier "\",\"columnName\":\"" column "\"}"
#define MAPPINGS(...) ",\"entityMappings\":[" __VA_ARGS__ "]"

/* ---- one alert ----------------------------------------------------------------------------------------------------------- */

Test(alert, a_row_of_security_alert)
{
    struct world w;
    make(
        &w,
        "datatable(TimeGenerated:datetime, Account:string, Ip:string, N:long)["
        "datetime(2024-05-01T10:00:00Z), 'CORP\\\\anna', '203.0.113.9', 5,"
        "datetime(2024-05-01T09:00:00Z), 'CORP\\\\bert', '203.0.113.9', 5]",
        MAPPINGS(MAP("Account", FIELD("FullName", "Account")) "," MAP(
            "IP",
            FIELD(
                "Address",
                "Ip"))) ",\"customDetails\":{\"Attempts\":\"N\",\"Who\":\"Account\"},"
                        "\"alertDetailsOverride\":{"
                        "\"alertDisplayNameFormat\":\"Brute force on {{Account}}\","
                        "\"alertDescriptionFormat\":\"{{N}} failures from {{ Ip }}{{Nothing}}.\"}");
    cr_assert_eq(w.count, 1);
    const struct alert *a = &w.alerts[0];
    cr_assert(rf_str_is(a->name, "Brute force on CORP\\anna"), "%.*s", RF_FMT(a->name));
    cr_assert(rf_str_is(a->description, "5 failures from 203.0.113.9."));
    const struct json_node *row = row_of(&w, 0);
    static const struct {
        const char *column, *value;
    } wanted[] = {{"TimeGenerated", "1970-01-01T01:05:00.0000000Z"},
                  {"DisplayName", "Brute force on CORP\\anna"},
                  {"AlertName", "Brute force on CORP\\anna"},
                  {"AlertSeverity", "Medium"},
                  {"ProviderName", "ASI Scheduled Alerts"},
                  {"VendorName", "Microsoft"},
                  {"ProductName", "Azure Sentinel"},
                  {"ProductComponentName", "Scheduled Alerts"},
                  {"AlertType", "99999999-0000-0000-0000-000000000002_r1"},
                  {"Status", "New"},
                  {"StartTime", "2024-05-01T09:00:00.0000000Z"},
                  {"EndTime", "2024-05-01T10:00:00.0000000Z"},
                  {"ProcessingEndTime", "1970-01-01T01:05:00.0000000Z"},
                  {"Tactics", "CredentialAccess, Impact"},
                  {"Techniques", "[\"T1110\"]"},
                  {"SubTechniques", ""},
                  {"SourceSystem", "Detection"},
                  {"WorkspaceSubscriptionId", "sub"},
                  {"WorkspaceResourceGroup", "rg"}};
    for (size_t i = 0; i < RF_COUNT(wanted); i++) {
        rf_str got = json_text_at(row, wanted[i].column);
        cr_expect(rf_str_is(got, wanted[i].value), "%s: %.*s", wanted[i].column, RF_FMT(got));
    }
    cr_assert(rf_str_eq(json_text_at(row, "SystemAlertId"), a->id) && a->id.len == 36);
    expect_entities(
        &w, 0,
        "[{\"$id\":\"1\",\"NTDomain\":\"CORP\",\"Name\":\"anna\",\"Type\":\"account\"},"
        "{\"$id\":\"2\",\"Address\":\"203.0.113.9\",\"Type\":\"ip\"},"
        "{\"$id\":\"3\",\"NTDomain\":\"CORP\",\"Name\":\"bert\",\"Type\":\"account\"}]");
    rf_arena_done(&w.arena);
}

Test(alert, extended_properties)
{
    struct world w;
    make(&w, "range n from 1 to 3 step 1 | extend Even = n % 2 == 0, T = ''",
         ",\"customDetails\":{\"E\":\"Even\",\"Empty\":\"T\",\"Gone\":\"NoSuch\"}");
    struct json_node *e;
    cr_assert(json_parse(json_text_at(row_of(&w, 0), "ExtendedProperties"), &w.arena, &e, &w.err) ==
              RF_OK);
    static const struct {
        const char *name, *value;
    } wanted[] = {{"Query Period", "01:00:00"},
                  {"Trigger Operator", "GreaterThan"},
                  {"Trigger Threshold", "0"},
                  {"Search Query Results Overall Count", "3"},
                  {"Data Sources", "[\"ws\"]"},
                  {"Query Start Time UTC", "1970-01-01 00:00:00Z"},
                  {"Query End Time UTC", "1970-01-01 01:00:00Z"},
                  {"Analytic Rule Ids", "[\"r1\"]"},
                  {"Event Grouping", "SingleAlert"},
                  {"Analytic Rule Name", "Rule one"},
                  {"ProcessedBySentinel", "True"},
                  {"Alert generation status", "Full alert created"},
                  {"OriginalQuery", "T | where 1 == 1"},
                  {"Custom Details", "{\"E\":[\"false\",\"true\"],\"Empty\":[],\"Gone\":[]}"}};
    for (size_t i = 0; i < RF_COUNT(wanted); i++) {
        rf_str got = {NULL, 0};
        for (const struct json_node *m = e->first; m != NULL; m = m->next)
            if (rf_str_is(m->name, wanted[i].name)) got = m->text;
        cr_expect(rf_str_is(got, wanted[i].value), "%s: %.*s", wanted[i].name, RF_FMT(got));
    }
    cr_expect(rf_str_ends(json_text_at(e, "Query"),
                          RF_S("set query_now = datetime(1970-01-01T01:00:00.0000000Z);\n"
                               "T | where 1 == 1")));
    cr_expect(guid_is(json_get(e, "Correlation Id")->text));
    cr_expect_eq(e->count, RF_COUNT(wanted) + 2);
    rf_arena_done(&w.arena);
}

Test(alert, overrides_that_are_not_valid_change_nothing)
{
    static const struct {
        const char *severity, *tactics, *name, *said, *severity_said, *tactics_said;
    } cases[] = {
        {"high", "Impact,Command And Control", "x", "x", "High", "Impact, CommandAndControl"},
        {"urgent", "[\"Discovery\"]", "  ", "Rule one", "Medium", "Discovery"},
        {"", "Smoke", "", "Rule one", "Medium", "CredentialAccess, Impact"},
    };
    for (size_t i = 0; i < RF_COUNT(cases); i++) {
        struct world w;
        char query[300];
        (void)snprintf(query, sizeof query,
                       "print S = '%s', T = '%s', N = '%s', P = 'Other product'", cases[i].severity,
                       cases[i].tactics, cases[i].name);
        make(&w, query,
             ",\"alertDetailsOverride\":{\"alertDisplayNameFormat\":\"{{N}}\","
             "\"alertSeverityColumnName\":\"S\",\"alertTacticsColumnName\":\"T\","
             "\"alertDynamicProperties\":[{\"alertProperty\":\"productName\",\"value\":\"P\"}]}");
        const struct json_node *row = row_of(&w, 0);
        cr_expect(rf_str_is(json_text_at(row, "AlertSeverity"), cases[i].severity_said));
        cr_expect(rf_str_is(json_text_at(row, "Tactics"), cases[i].tactics_said));
        cr_expect(rf_str_is(json_text_at(row, "DisplayName"), cases[i].said));
        cr_expect(rf_str_is(json_text_at(row, "ProductName"), "Other product"));
        rf_arena_done(&w.arena);
    }
}

Test(alert, names_are_cut_at_a_whole_character)
{
    struct world w;
    make(&w, "print N = strcat('a', strrep('\xc3\xa9', 200))",
         ",\"alertDetailsOverride\":{\"alertDisplayNameFormat\":\"{{N}}\"}");
    cr_assert_eq(w.alerts[0].name.len, 255);
    cr_assert(rf_utf8_valid(w.alerts[0].name));
    rf_arena_done(&w.arena);
}

/* ---- how many ------------------------------------------------------------------------------------------------------------- */

Test(alert, one_for_each_row_and_the_last_for_all)
{
    static const struct {
        const char *query;
        uint32_t alerts;
        uint64_t last_stands_for;
    } cases[] = {{"range n from 1 to 3 step 1", 3, 1},
                 {"range n from 1 to 150 step 1", 150, 1},
                 {"range n from 1 to 151 step 1", 150, 151},
                 {"print n = 1 | where false", 1, 0}};
    for (size_t i = 0; i < RF_COUNT(cases); i++) {
        struct world w;
        make(&w, cases[i].query,
             ",\"eventGroupingSettings\":{\"aggregationKind\":\"AlertPerResult\"}");
        cr_assert_eq(w.count, cases[i].alerts, "%s", cases[i].query);
        cr_expect_eq(w.alerts[w.count - 1].row_count, cases[i].last_stands_for);
        for (uint32_t a = 1; a < w.count; a++)
            cr_expect(!rf_str_eq(w.alerts[a].id, w.alerts[a - 1].id));
        rf_arena_done(&w.arena);
    }
}

Test(alert, an_nrt_run_has_at_most_30)
{
    struct world w;
    make(&w, "range n from 1 to 31 step 1",
         ",\"eventGroupingSettings\":{\"aggregationKind\":\"AlertPerResult\"}");
    w.rule.kind = RULE_NRT;
    cr_assert(alerts_make(&w.rule, &run, &w.schema, w.rows, &w.arena, &w.alerts, &w.count,
                          &w.err) == RF_OK);
    cr_assert(w.count == 30 && w.alerts[29].row_count == 31 && w.alerts[28].row_count == 1);
    cr_assert(rf_str_is(json_text_at(row_of(&w, 0), "ProviderName"), "ASI NRT Alerts"));
    rf_arena_done(&w.arena);
}

Test(alert, details_have_limits)
{
    struct world w;
    make(&w, "range n from 1 to 100 step 1 | extend Long = strcat(strrep('x', 1000), n)",
         ",\"customDetails\":{\"Long\":\"Long\",\"N\":\"n\"}");
    cr_assert_eq(json_get(w.alerts[0].custom_details, "Long")->count, 2);
    cr_assert_lt(json_get(w.alerts[0].custom_details, "N")->count, 50);
    rf_arena_done(&w.arena);
    make(&w, "range n from 1 to 100 step 1", ",\"customDetails\":{\"N\":\"n\"}");
    cr_assert_eq(json_get(w.alerts[0].custom_details, "N")->count, ALERT_DETAIL_VALUES_MAX);
    rf_arena_done(&w.arena);
}

/* ---- entities ---------------------------------------------------------------------------------------------------------------- */

Test(alert, full_names_are_taken_apart)
{
    static const struct {
        const char *type, *given, *entity;
    } cases[] = {
        {"Account", "CORP\\\\anna", "\"NTDomain\":\"CORP\",\"Name\":\"anna\""},
        {"Account", "anna@contoso.com", "\"Name\":\"anna\",\"UPNSuffix\":\"contoso.com\""},
        {"Account", "anna_x#EXT#@contoso.com",
         "\"Name\":\"anna_x#EXT#\",\"UPNSuffix\":\"contoso.com\""},
        {"Account", "AzureAD\\\\anna@contoso.com",
         "\"NTDomain\":\"AzureAD\",\"Name\":\"anna\",\"UPNSuffix\":\"contoso.com\""},
        {"Account", "anna", "\"Name\":\"anna\""},
        {"Account", "S-1-5-21-1-2-3-500", "\"Sid\":\"S-1-5-21-1-2-3-500\""},
        {"Account", "@home", "\"Name\":\"@home\""},
        {"Host", "srv-7.corp.contoso.com",
         "\"HostName\":\"srv-7\",\"DnsDomain\":\"corp.contoso.com\""},
        {"Host", "srv-7", "\"HostName\":\"srv-7\""},
        {"Host", "10.0.0.7", "\"HostName\":\"10.0.0.7\""},
        {"Host", "CORP\\\\srv-7", "\"NTDomain\":\"CORP\",\"HostName\":\"srv-7\""},
    };
    for (size_t i = 0; i < RF_COUNT(cases); i++) {
        struct world w;
        char query[200], more[300], wanted[300];
        (void)snprintf(query, sizeof query, "print A = '%s'", cases[i].given);
        (void)snprintf(more, sizeof more,
                       ",\"entityMappings\":[{\"entityType\":\"%s\",\"fieldMappings\":[" FIELD(
                           "FullName", "A") "]}]",
                       cases[i].type);
        (void)snprintf(wanted, sizeof wanted, "[{\"$id\":\"1\",%s,\"Type\":\"%s\"}]",
                       cases[i].entity, i < 7 ? "account" : "host");
        make(&w, query, more);
        expect_entities(&w, 0, wanted);
        rf_arena_done(&w.arena);
    }
}

Test(alert, accounts_that_everybody_has_are_left_out)
{
    struct world w;
    make(&w,
         "datatable(A:string)['SYSTEM','root','Administrator','NETWORK SERVICE','','anna',"
         "'CORP\\\\Administrator']",
         MAPPINGS(MAP("Account", FIELD("FullName", "A"))));
    expect_entities(&w, 0,
                    "[{\"$id\":\"1\",\"Name\":\"anna\",\"Type\":\"account\"},{\"$id\":\"2\","
                    "\"NTDomain\":\"CORP\",\"Name\":\"Administrator\",\"Type\":\"account\"}]");
    rf_arena_done(&w.arena);
}

Test(alert, local_accounts_refer_to_their_host)
{
    static const struct {
        const char *account, *entity;
    } cases[] = {
        {"anna", "\"Name\":\"anna\",\"Host\":{\"$ref\":\"1\"}"},
        {"SRV-7\\\\anna", "\"NTDomain\":\"SRV-7\",\"Name\":\"anna\",\"Host\":{\"$ref\":\"1\"}"},
        {"S-1-5-18", "\"Sid\":\"S-1-5-18\",\"Host\":{\"$ref\":\"1\"}"},
        {"S-1-5-21-1-2-3-4", "\"Sid\":\"S-1-5-21-1-2-3-4\""},
        {"CORP\\\\anna", "\"NTDomain\":\"CORP\",\"Name\":\"anna\""},
        {"anna@contoso.com", "\"Name\":\"anna\",\"UPNSuffix\":\"contoso.com\""},
    };
    for (size_t i = 0; i < RF_COUNT(cases); i++) {
        struct world w;
        char query[200], wanted[300];
        (void)snprintf(query, sizeof query, "print A = '%s', H = 'srv-7'", cases[i].account);
        (void)snprintf(
            wanted, sizeof wanted,
            "[{\"$id\":\"1\",\"HostName\":\"srv-7\",\"Type\":\"host\"},{\"$id\":\"2\",%s,"
            "\"Type\":\"account\"}]",
            cases[i].entity);
        make(&w, query,
             MAPPINGS(
                 MAP("Account", FIELD("FullName", "A")) "," MAP("Host", FIELD("HostName", "H"))));
        expect_entities(&w, 0, wanted);
        rf_arena_done(&w.arena);
    }
}

Test(alert, the_same_account_of_two_hosts_is_two)
{
    struct world w;
    make(&w,
         "datatable(A:string, H:string, P:string)['anna','h1','1','anna','h2','1','ANNA','H1','1']",
         MAPPINGS(MAP("Account", FIELD("Name", "A")) "," MAP(
             "Host", FIELD("HostName", "H")) "," MAP("Process", FIELD("ProcessId", "P"))));
    cr_assert_eq(w.alerts[0].entity_count, 6);
    rf_arena_done(&w.arena);
}

Test(alert, entities_of_columns)
{
    struct world w;
    make(&w,
         "print E = dynamic([{\"Type\":\"ip\",\"Address\":\"192.0.2.1\",\"$id\":\"77\"},"
         "{\"Type\":\"Host\",\"HostName\":\"h\"},{\"Type\":\"ghost\",\"Name\":\"x\"},3])",
         ",\"sentinelEntitiesMappings\":[{\"columnName\":\"E\"}]");
    expect_entities(&w, 0,
                    "[{\"$id\":\"1\",\"Address\":\"192.0.2.1\",\"Type\":\"ip\"},{\"$id\":\"2\","
                    "\"HostName\":\"h\",\"Type\":\"host\"}]");
    rf_arena_done(&w.arena);
}

Test(alert, entities_are_shared_by_the_mappings)
{
    struct world w;
    make(&w, "range n from 1 to 1000 step 1 | extend I = strcat('10.0.', n / 256, '.', n % 256)",
         MAPPINGS(MAP("IP", FIELD("Address", "I")) "," MAP("DNS", FIELD("DomainName", "I"))));
    uint32_t ips = 0;
    for (uint32_t i = 0; i < w.alerts[0].entity_count; i++)
        ips += rf_str_is(w.alerts[0].entities[i].type, "ip");
    cr_assert(ips == 250 && w.alerts[0].entity_count == 500, "%u of %u", ips,
              w.alerts[0].entity_count);
    rf_arena_done(&w.arena);
}

Test(alert, entities_take_at_most_64_kb)
{
    struct world w;
    make(&w, "range n from 1 to 500 step 1 | extend U = strcat('https://x/', strrep('y', 1000), n)",
         MAPPINGS(MAP("URL", FIELD("Url", "U"))));
    rf_str text = json_text_at(row_of(&w, 0), "Entities");
    cr_assert(text.len <= ALERT_ENTITIES_BYTES_MAX + 2 && text.len > 60000, "%zu", text.len);
    rf_arena_done(&w.arena);
}

/* ---- keys and what the API shows ---------------------------------------------------------------------------------------------- */

Test(entity, every_type_has_a_mapping_and_a_key)
{
    struct rf_arena arena;
    rf_arena_init(&arena, 1 << 20);
    for (uint32_t i = 0; i < entity_type_count; i++) {
        const struct entity_type *type = &entity_types[i];
        struct json_node *entity = json_new(&arena, JSON_T_OBJECT);
        for (const struct entity_field *f = type->fields; f->name != NULL; f++) {
            cr_expect(entity_identifier_name(rf_str_of(type->mapping), rf_str_of(f->name)) != NULL);
            cr_expect(entity_set(type, entity, rf_str_of(f->name), RF_S("1"), &arena));
        }
        for (uint32_t s = 0; type->strong[s][0] != NULL; s++)
            for (uint32_t k = 0; k < ENTITY_STRONG_FIELDS_MAX && type->strong[s][k] != NULL; k++)
                cr_expect(entity_field_of(type, rf_str_of(type->strong[s][k])) != NULL ||
                              strcmp(type->strong[s][k], "Host") == 0 ||
                              strcmp(type->strong[s][k], "Key") == 0,
                          "%s: %s", type->mapping, type->strong[s][k]);
        json_set_text(&arena, entity, "Type", rf_str_of(type->type));
        cr_expect(entity_key(entity, NULL, &arena).len > strlen(type->type), "%s", type->mapping);
        cr_expect_str_eq(entity_mapping_of(rf_str_of(type->type)), type->mapping);
    }
    cr_expect(entity_type_name(RF_S("ip")) != NULL && entity_type_name(RF_S("Nic")) == NULL);
    cr_expect(entity_identifier_name(RF_S("Host"), RF_S("fullname")) != NULL);
    cr_expect(entity_identifier_name(RF_S("IP"), RF_S("FullName")) == NULL);
    rf_arena_done(&arena);
}

Test(entity, keys_know_what_is_the_same)
{
    static const struct {
        const char *a, *b;
        bool same;
    } cases[] = {
        {"{\"Type\":\"ip\",\"Address\":\"FE80::1\"}", "{\"Type\":\"ip\",\"Address\":\"fe80::1\"}",
         true},
        {"{\"Type\":\"account\",\"Name\":\"a\",\"UPNSuffix\":\"x\",\"Sid\":\"S-1\"}",
         "{\"Type\":\"account\",\"Name\":\"A\",\"UPNSuffix\":\"X\"}", true},
        {"{\"Type\":\"account\",\"Name\":\"a\",\"NTDomain\":\"x\"}",
         "{\"Type\":\"account\",\"Name\":\"a\",\"NTDomain\":\"y\"}", false},
        {"{\"Type\":\"account\",\"Name\":\"a|ntdomain=b\"}",
         "{\"Type\":\"account\",\"Name\":\"a\",\"NTDomain\":\"b\"}", false},
        {"{\"Type\":\"file\",\"Name\":\"a\"}", "{\"Type\":\"malware\",\"Name\":\"a\"}", false},
        {"{\"Type\":\"account\",\"Name\":\"a\",\"Host\":{\"Type\":\"host\",\"HostName\":\"h\"}}",
         "{\"Type\":\"account\",\"Name\":\"a\",\"Host\":{\"Type\":\"host\",\"HostName\":\"i\"}}",
         false},
    };
    for (size_t i = 0; i < RF_COUNT(cases); i++) {
        struct rf_arena arena;
        struct rf_err err;
        struct json_node *a, *b;
        rf_arena_init(&arena, 1 << 20);
        cr_assert(json_parse(rf_str_of(cases[i].a), &arena, &a, &err) == RF_OK);
        cr_assert(json_parse(rf_str_of(cases[i].b), &arena, &b, &err) == RF_OK);
        rf_str x = entity_key(a, NULL, &arena), y = entity_key(b, NULL, &arena);
        cr_expect_eq(rf_str_eq(x, y), cases[i].same, "%.*s %.*s", RF_FMT(x), RF_FMT(y));
        rf_arena_done(&arena);
    }
}

Test(entity, the_api_shows_it)
{
    struct world w;
    make(
        &w, "print A = 'anna', H = 'srv-7.corp', I = '192.0.2.1', F = 'x.exe', D = '/tmp'",
        MAPPINGS(MAP("Account", FIELD("Name", "A")) "," MAP("Host", FIELD("FullName", "H")) "," MAP(
            "IP", FIELD("Address", "I")) "," MAP("File",
                                                 FIELD("Name", "F") "," FIELD("Directory", "D"))));
    struct json_node *all, *keys = json_new(&w.arena, JSON_T_ARRAY);
    cr_assert(json_parse(json_text_at(row_of(&w, 0), "Entities"), &w.arena, &all, &w.err) == RF_OK);
    for (uint32_t i = 0; i < w.alerts[0].entity_count; i++) {
        rf_str key = w.alerts[0].entities[i].key;
        const struct json_node *item = all->first;
        for (uint32_t k = 0; k < i; k++) item = item->next;
        rf_str again = entity_key(item, all, &w.arena);
        cr_assert(rf_str_eq(again, key), "%.*s %.*s", RF_FMT(again), RF_FMT(key));
        json_append(keys, json_new_text(&w.arena, key));
    }
    struct entity_view view = {
        .entities = all, .keys = keys, .workspace_id = RF_S("w"), .scope = RF_S("/S")};
    struct json_node *account = entity_to_api(&view, 1, &w.arena);
    struct json_node *host = entity_to_api(&view, 0, &w.arena);
    cr_assert(rf_str_is(json_text_at(host, "properties.hostName"), "srv-7"));
    cr_assert(rf_str_is(json_text_at(account, "kind"), "Account"));
    cr_assert(rf_str_is(json_text_at(account, "properties.accountName"), "anna"));
    cr_assert(rf_str_is(json_text_at(account, "properties.friendlyName"), "anna"));
    cr_assert(
        rf_str_eq(json_text_at(account, "properties.hostEntityId"), json_text_at(host, "id")));
    cr_assert(rf_str_is(json_text_at(entity_to_api(&view, 2, &w.arena), "kind"), "Ip"));
    cr_assert(
        rf_str_is(json_text_at(entity_to_api(&view, 3, &w.arena), "properties.fileName"), "x.exe"));
    cr_assert(entity_to_api(&view, 4, &w.arena) == NULL);
    rf_arena_done(&w.arena);
}

/* ---- properties ---------------------------------------------------------------------------------------------------------------- */

/* The same rows give the same alerts to the byte; no two entities of an alert have one key; no alert passes a limit. */
RF_PROP(alerts_are_made_of_rows_alone, 60)
{
    char query[400];
    uint64_t rows = rf_test_below(prng, 1 + prng->size * 4), kinds = 1 + rf_test_below(prng, 9);
    (void)snprintf(
        query, sizeof query,
        "range n from 1 to %llu step 1 | extend x = hash(n * %llu) %% %llu | project A = "
        "strcat(iff(x %% 2 == 0, 'C\\\\', ''), 'u', x), H = strcat('h', x %% 3), I = "
        "strcat('10.0.0.', x), T = datetime(2024-01-01) + n * 1m",
        (unsigned long long)rows, (unsigned long long)rf_test_u64(prng) % 1000 + 1,
        (unsigned long long)kinds);
    const char *more =
        rf_test_bool(prng)
            ? MAPPINGS(MAP("Account", FIELD("FullName", "A")) "," MAP(
                  "Host", FIELD("HostName",
                                "H")) "," MAP("IP", FIELD("Address",
                                                          "I"))) ",\"customDetails\":{\"I\":\"I\"}"
            : MAPPINGS(MAP("Account", FIELD("FullName", "A")) "," MAP(
                  "Host",
                  FIELD(
                      "HostName",
                      "H"))) ",\"eventGroupingSettings\":{\"aggregationKind\":\"AlertPerResult\"}";
    struct world a, b;
    make(&a, query, more);
    make(&b, query, more);
    cr_assert(a.count == b.count && a.count >= 1 && a.count <= ALERTS_PER_RUN_MAX);
    for (uint32_t i = 0; i < a.count; i++) {
        cr_assert(rf_str_eq(a.alerts[i].row, b.alerts[i].row));
        cr_assert(a.alerts[i].entity_count <= ALERT_ENTITIES_MAX);
        for (uint32_t e = 0; e < a.alerts[i].entity_count; e++)
            for (uint32_t f = 0; f < e; f++)
                cr_assert(!rf_str_eq(a.alerts[i].entities[e].key, a.alerts[i].entities[f].key));
    }
    rf_arena_done(&a.arena);
    rf_arena_done(&b.arena);
}
