#include "siem/rule.h"

#include <criterion/criterion.h>
#include <stdio.h>

#include "base/fs.h"
#include "base/yaml_tree.h"
#include "value/value.h"

#define P(more)                                                                                    \
    "\"displayName\":\"Brute force\",\"enabled\":true,\"severity\":\"medium\",\"query\":\"T\","    \
    "\"queryFrequency\":\"PT5M\",\"queryPeriod\":\"PT1H\",\"triggerOperator\":\"GreaterThan\","    \
    "\"triggerThreshold\":0,\"suppressionEnabled\":false,\"suppressionDuration\":\"PT1H\"" more
#define RULE(more) "{\"kind\":\"Scheduled\",\"properties\":{" P(more) "}}"
#define MAPPED                                                                                     \
    ",\"entityMappings\":[{\"entityType\":\"Account\",\"fieldMappings\":[{\"identifier\":"         \
    "\"FullName\",\"columnName\":\"A\"}]},{\"entityType\":\"ip\",\"fieldMappings\":[{"             \
    "\"identifier\":\"address\",\"columnName\":\"I\"}]}],\"customDetails\":{\"D\":\"C\"}"
#define GROUPED(method, more)                                                                      \
    ",\"incidentConfiguration\":{\"createIncident\":true,\"groupingConfiguration\":{\"enabled\":"  \
    "true,\"reopenClosedIncident\":false,\"lookbackDuration\":\"PT5H\",\"matchingMethod\":"        \
    "\"" method "\"" more "}}"

struct world {
    struct rf_arena arena;
    struct rule rule;
    struct rf_err err;
};

static enum rf_kind parse(struct world *w, const char *text)
{
    struct json_node *document;
    rf_arena_init(&w->arena, 8 << 20);
    w->err = (struct rf_err){.code = ""};
    cr_assert(json_parse(rf_str_of(text), &w->arena, &document, &w->err) == RF_OK, "%s: %s",
              w->err.text, text);
    return rule_parse(document, RF_S("r1"), &w->arena, &w->rule, &w->err);
}

Test(rule, reads_what_the_api_says)
{
    struct world w;
    cr_assert(
        parse(&w, RULE(MAPPED GROUPED(
                      "Selected",
                      ",\"groupByEntities\":[\"ip\"],"
                      "\"groupByAlertDetails\":[\"severity\"],"
                      "\"groupByCustomDetails\":[\"D\"]") ",\"tactics\":[\"Command and "
                                                          "Control\"],\"techniques\":[\"T1110\"],"
                                                          "\"subTechniques\":[\"T1110.001\"],"
                                                          "\"alertDetailsOverride\":{"
                                                          "\"alertDisplayNameFormat\":\"{{A}} and "
                                                          "{{ B }} and {{A}}\"},"
                                                          "\"eventGroupingSettings\":{"
                                                          "\"aggregationKind\":"
                                                          "\"AlertPerResult\"},\"startTimeUtc\":"
                                                          "\"2024-01-01T00:00:00Z\"")) == RF_OK,
        "%s", w.err.text);
    const struct rule *r = &w.rule;
    cr_assert(rf_str_is(r->severity, "Medium") && rf_str_is(r->tactics[0], "CommandAndControl"));
    cr_assert(r->frequency_ticks == 5 * TICKS_PER_MINUTE && r->period_ticks == TICKS_PER_HOUR);
    cr_assert(r->entity_count == 2 && rf_str_is(r->entities[1].type, "IP"));
    cr_assert(rf_str_is(r->entities[1].fields[0].identifier, "Address"));
    cr_assert(r->match == RULE_MATCH_SELECTED && rf_str_is(r->match_entities[0], "IP"));
    cr_assert(rf_str_is(r->match_alert_details[0], "Severity") &&
              r->match_custom_detail_count == 1);
    cr_assert(r->group && !r->reopen_closed && r->lookback_ticks == 5 * TICKS_PER_HOUR);
    cr_assert(r->alert_per_result && r->create_incident && r->start_usec > 0);
    static const char *const columns[] = {"A", "I", "C", "A", "B", "A"};
    rf_str column;
    uint32_t n = 0;
    for (; rule_column(r, n, &column, NULL); n++)
        cr_assert(rf_str_is(column, columns[n]), "%u: %.*s", n, RF_FMT(column));
    cr_assert_eq(n, RF_COUNT(columns));
    rf_arena_done(&w.arena);
}

Test(rule, an_nrt_rule_has_no_schedule)
{
    struct world w;
    cr_assert(parse(&w, "{\"kind\":\"NRT\",\"properties\":{\"displayName\":\"x\",\"enabled\":false,"
                        "\"severity\":\"High\",\"query\":\"T\",\"suppressionEnabled\":true,"
                        "\"suppressionDuration\":\"PT24H\"}}") == RF_OK,
              "%s", w.err.text);
    cr_assert(w.rule.kind == RULE_NRT && w.rule.period_ticks == TICKS_PER_MINUTE);
    cr_assert(!w.rule.enabled && w.rule.suppression && w.rule.create_incident);
    cr_assert(rule_triggers(&w.rule, 1) && !rule_triggers(&w.rule, 0));
    rf_arena_done(&w.arena);
}

/* Each of these is a rule but for one member, which the error must name. */
Test(rule, names_the_member_at_fault)
{
    static const struct {
        const char *from, *to, *said;
    } cases[] = {
        {"\"PT5M\"", "\"PT4M\"", "queryFrequency: 'PT4M'"},
        {"\"PT5M\"", "\"PT2H\"", "queryFrequency: it must not be longer"},
        {"\"PT5M\"", "\"5m\"", "queryFrequency: '5m' is not an ISO"},
        {"\"PT5M\"", "null", "queryFrequency: it is required"},
        {"\"queryPeriod\":\"PT1H\"", "\"queryPeriod\":\"P15D\"", "queryPeriod: 'P15D'"},
        {"medium", "Critical", "severity: 'Critical'"},
        {"\"severity\":", "\"severity\":null,\"s\":", "severity: it is required"},
        {"Brute force", "  ", "displayName: it must not be empty"},
        {"\"enabled\":true", "\"enabled\":\"true\"", "enabled: true or false"},
        {"\"query\":\"T\"", "\"query\":\" \"", "query: a query is required"},
        {"\"triggerThreshold\":0", "\"triggerThreshold\":-1", "triggerThreshold: it is a number"},
        {"\"triggerThreshold\":0", "\"triggerThreshold\":10001",
         "triggerThreshold: it is a number"},
        {"\"triggerThreshold\":0", "\"triggerThreshold\":0.5", "triggerThreshold: a whole"},
        {"GreaterThan", "gt", "triggerOperator: 'gt' is not one of GreaterThan"},
        {"\"suppressionDuration\":\"PT1H\"", "\"suppressionDuration\":\"PT25H\"",
         "suppressionDuration: 'PT25H'"},
        {"\"suppressionEnabled\":false,", "", "suppressionEnabled: it is required"},
        {"Scheduled", "Fusion", "kind: 'Fusion'"},
        {"\"Account\"", "\"Person\"", "entityType: 'Person'"},
        {"\"FullName\"", "\"NoSuchIdentifier\"", "'NoSuchIdentifier' is no identifier of Account"},
        {"\"columnName\":\"A\"", "\"columnName\":\"\"", "needs an identifier and a columnName"},
        {"{\"D\":\"C\"}", "{\"D\":3}", "customDetails: each is a name"},
        {"Selected", "Nearly", "matchingMethod: 'Nearly'"},
        {"\"PT5H\"", "\"PT4M\"", "lookbackDuration: 'PT4M'"},
        {"\"PT5H\"", "\"P8D\"", "lookbackDuration: 'P8D'"},
        {"\"groupByEntities\":[\"IP\"]", "\"groupByEntities\":[]", "Selected needs"},
        {"\"groupByEntities\":[\"IP\"]", "\"groupByEntities\":[\"Host\"]",
         "'Host' is not a type that"},
        {"\"groupByEntities\":[\"IP\"]", "\"groupByCustomDetails\":[\"E\"]",
         "'E' is not a name in"},
        {"\"createIncident\":true,", "", "createIncident: it is required"},
        {"Impact", "Impacts", "tactics: 'Impacts'"},
        {"T1110", "T11", "techniques: 'T11'"},
        {"{{A}}", "{{A}}{{B}}{{C}}{{D}}", "alertDisplayNameFormat: it names more than 3"},
        {"SingleAlert", "Many", "aggregationKind: 'Many'"},
    };
    static const char good[] = RULE(MAPPED GROUPED(
        "Selected",
        ",\"groupByEntities\":[\"IP\"]") ",\"tactics\":[\"Impact\"],"
                                         "\"techniques\":[\"T1110\"],\"alertDetailsOverride\":{"
                                         "\"alertDisplayNameFormat\":\"{{A}}\"},"
                                         "\"eventGroupingSettings\":{\"aggregationKind\":"
                                         "\"SingleAlert\"}");
    struct world w;
    cr_assert(parse(&w, good) == RF_OK, "%s", w.err.text);
    rf_arena_done(&w.arena);
    for (size_t i = 0; i < RF_COUNT(cases); i++) {
        char text[4096];
        const char *at = strstr(good, cases[i].from);
        cr_assert(at != NULL, "%s", cases[i].from);
        (void)snprintf(text, sizeof text, "%.*s%s%s", (int)(at - good), good, cases[i].to,
                       at + strlen(cases[i].from));
        cr_expect(parse(&w, text) == RF_INVALID, "%s", cases[i].to);
        cr_expect(strstr(w.err.text, cases[i].said) != NULL, "%s: %s", cases[i].to, w.err.text);
        cr_expect_str_eq(w.err.code, "BadRequest");
        rf_arena_done(&w.arena);
    }
}

Test(rule, a_query_has_at_most_10000_characters)
{
    struct world w;
    struct rf_buf text;
    struct rf_arena arena;
    for (int more = 0; more < 2; more++) {
        rf_arena_init(&arena, 1 << 20);
        text = rf_buf_in(&arena);
        rf_buf_printf(&text,
                      "{\"kind\":\"NRT\",\"properties\":{\"displayName\":\"x\",\"enabled\":true,"
                      "\"severity\":\"High\",\"suppressionEnabled\":true,"
                      "\"suppressionDuration\":\"PT24H\",\"query\":\"");
        for (int i = 0; i < RULE_QUERY_CHARS_MAX + more; i++)
            rf_buf_str(&text, RF_S("\xc3\xa9")); /* characters, not bytes */
        rf_buf_printf(&text, "\"}}%c", 0);
        cr_expect((parse(&w, (const char *)text.ptr) == RF_OK) == (more == 0));
        rf_arena_done(&w.arena);
        rf_arena_done(&arena);
    }
}

Test(rule, fills_in_what_was_left_out)
{
    struct rf_arena arena;
    struct rf_err err;
    struct json_node *document;
    rf_arena_init(&arena, 1 << 20);
    cr_assert(json_parse(RF_S(RULE(",\"incidentConfiguration\":{\"createIncident\":false}")),
                         &arena, &document, &err) == RF_OK);
    cr_assert(rule_defaults(document, &arena, &err) == RF_OK);
    const struct json_node *p = json_get(document, "properties");
    cr_assert(rf_str_is(json_text_at(p, "eventGroupingSettings.aggregationKind"), "SingleAlert"));
    cr_assert(!json_bool_at(p, "incidentConfiguration.createIncident", true));
    cr_assert(
        rf_str_is(json_text_at(p, "incidentConfiguration.groupingConfiguration.matchingMethod"),
                  "AllEntities"));
    cr_assert(json_is(json_get(p, "tactics"), JSON_T_ARRAY));
    struct rule rule;
    cr_assert(rule_parse(document, RF_S("r"), &arena, &rule, &err) == RF_OK, "%s", err.text);
    rf_arena_done(&arena);
}

/* ---- YAML ---------------------------------------------------------------------------------------------------------- */

static const char yaml_text[] = "id: 70b12a3b-4896-42cb-910c-5ffaf8d7987d\n"
                                "name: Several failures, then a success\n"
                                "description: |\n"
                                "  'Two lines\n"
                                "  of text.'\n"
                                "severity: Medium\n"
                                "queryFrequency: 1d\n"
                                "queryPeriod: 7d\n"
                                "triggerOperator: gt\n"
                                "triggerThreshold: 3\n"
                                "tactics:\n"
                                "  - CredentialAccess\n"
                                "relevantTechniques:\n"
                                "  - T1110.001\n"
                                "  - T1110\n"
                                "query: |\n"
                                "  SigninLogs\n"
                                "  | take 1\n"
                                "entityMappings:\n"
                                "  - entityType: IP\n"
                                "    fieldMappings:\n"
                                "      - identifier: Address\n"
                                "        columnName: IPAddress\n"
                                "incidentConfiguration:\n"
                                "  createIncident: true\n"
                                "  groupingConfiguration:\n"
                                "    enabled: true\n"
                                "    reopenClosedIncident: false\n"
                                "    lookbackDuration: 10m\n"
                                "    matchingMethod: AllEntities\n"
                                "version: 1.0.3\n"
                                "kind: Scheduled\n";

static enum rf_kind from_yaml(struct world *w, const char *text, struct json_node **document,
                              rf_str *id)
{
    struct json_node *yaml;
    rf_arena_init(&w->arena, 8 << 20);
    w->err = (struct rf_err){.code = ""};
    cr_assert(yaml_parse_texts(rf_str_of(text), &w->arena, &yaml, &w->err) == RF_OK, "%s",
              w->err.text);
    return rule_from_yaml(yaml, &w->arena, document, id, &w->err);
}

Test(rule, yaml_becomes_the_document_of_the_api)
{
    struct world w;
    struct json_node *document;
    rf_str id;
    cr_assert(from_yaml(&w, yaml_text, &document, &id) == RF_OK, "%s", w.err.text);
    cr_assert(rf_str_is(id, "70b12a3b-4896-42cb-910c-5ffaf8d7987d"));
    rf_str text = json_to_text(&w.arena, document);
    static const char *const parts[] = {
        "\"kind\":\"Scheduled\"",
        "\"description\":\"Two lines\\nof text.\"",
        "\"queryFrequency\":\"P1D\",\"queryPeriod\":\"P7D\",\"triggerOperator\":\"GreaterThan\"",
        "\"techniques\":[\"T1110\"],\"subTechniques\":[\"T1110.001\"]",
        "\"lookbackDuration\":\"PT10M\"",
        "\"enabled\":true"};
    for (size_t i = 0; i < RF_COUNT(parts); i++)
        cr_expect(rf_str_find(text, rf_str_of(parts[i]), 0) != SIZE_MAX, "%s in %.*s", parts[i],
                  RF_FMT(text));
    cr_assert(rule_parse(document, id, &w.arena, &w.rule, &w.err) == RF_OK, "%s", w.err.text);
    cr_assert_eq(w.rule.query_line, 17);
    cr_assert(rf_str_is(w.rule.query, "SigninLogs\n| take 1\n"));
    rf_arena_done(&w.arena);
}

Test(rule, yaml_durations)
{
    static const struct {
        const char *given, *iso;
    } cases[] = {{"5m", "PT5M"},     {"1h", "PT1H"},     {"14d", "P14D"},
                 {"36h", "P1DT12H"}, {"90m", "PT1H30M"}, {"1.02:03:04", "P1DT2H3M4S"},
                 {"PT7M", "PT7M"},   {"24h", "P1D"},     {"30s", "PT30S"}};
    for (size_t i = 0; i < RF_COUNT(cases); i++) {
        char text[100];
        struct world w;
        struct json_node *document;
        (void)snprintf(text, sizeof text, "query: T\nqueryPeriod: %s\n", cases[i].given);
        cr_assert(from_yaml(&w, text, &document, NULL) == RF_OK, "%s", w.err.text);
        rf_str got = json_text_at(document, "properties.queryPeriod");
        cr_expect(rf_str_is(got, cases[i].iso), "%s: %.*s", cases[i].given, RF_FMT(got));
        rf_arena_done(&w.arena);
    }
}

Test(rule, yaml_that_is_wrong_is_named_with_its_line)
{
    static const struct {
        const char *text, *code;
        uint32_t line;
    } cases[] = {{"name: x\n", "NotARule", 0},
                 {"- a\n", "NotARule", 0},
                 {"query: ' '\n", "NotARule", 0},
                 {"query: x\nqueryPeriod: often\n", "BadRule", 2},
                 {"query: x\ntriggerOperator: about\n", "BadRule", 2},
                 {"query: x\ntriggerThreshold: many\n", "BadRule", 2},
                 {"query: x\nenabled: maybe\n", "BadRule", 2},
                 {"query: x\nkind: Fusion\n", "BadRule", 2},
                 {"query: x\nincidentConfiguration:\n  createIncident: perhaps\n", "BadRule", 3}};
    for (size_t i = 0; i < RF_COUNT(cases); i++) {
        struct world w;
        struct json_node *document;
        cr_expect(from_yaml(&w, cases[i].text, &document, NULL) == RF_INVALID, "%s", cases[i].text);
        cr_expect_str_eq(w.err.code, cases[i].code, "%s: %s", cases[i].text, w.err.text);
        cr_expect_eq(w.err.line, cases[i].line, "%s: %u", cases[i].text, w.err.line);
        rf_arena_done(&w.arena);
    }
}

Test(rule, names_that_are_not_known_are_for_who_stores_it)
{
    struct world w;
    struct json_node *document;
    cr_assert(from_yaml(&w,
                        "query: x\nname: n\nseverity: Dire\ntactics: [Impact,\n  Smoke]\n"
                        "relevantTechniques: [T1]\nentityMappings:\n  - entityType: Ghost\n"
                        "    fieldMappings: [{identifier: A, columnName: B}]\n",
                        &document, NULL) == RF_OK);
    cr_assert(rule_read_loose(document, RF_S("a"), &w.arena, &w.rule, &w.err) == RF_OK, "%s",
              w.err.text);
    cr_assert(rf_str_is(w.rule.tactics[1], "Smoke") && rf_str_is(w.rule.severity, "Dire"));
    cr_assert(rf_str_is(w.rule.entities[0].type, "Ghost"));
    cr_assert(rule_parse(document, RF_S("a"), &w.arena, &w.rule, &w.err) == RF_INVALID);
    cr_assert_eq(w.err.line, 3);
    json_set_text(&w.arena, json_get(document, "properties"), "severity", RF_S("Low"));
    cr_assert(rule_parse(document, RF_S("a"), &w.arena, &w.rule, &w.err) == RF_INVALID);
    cr_assert(w.err.line == 5 && strstr(w.err.text, "Smoke") != NULL, "%u %s", w.err.line,
              w.err.text);
    rf_arena_done(&w.arena);
}

Test(rule, a_hunting_query_is_read_without_a_schedule)
{
    struct world w;
    struct json_node *document;
    cr_assert(from_yaml(&w, "id: a\nname: b\nquery: T\n", &document, NULL) == RF_OK);
    cr_assert(rule_parse(document, RF_S("a"), &w.arena, &w.rule, &w.err) == RF_INVALID);
    cr_assert(rule_read_loose(document, RF_S("a"), &w.arena, &w.rule, &w.err) == RF_OK, "%s",
              w.err.text);
    cr_assert(w.rule.period_ticks == 0 && rule_triggers(&w.rule, 1));
    rf_arena_done(&w.arena);
}

/* ---- what others published ---------------------------------------------------------------------------------------------- */

/* Most can be stored as they are; of the others the error must name the member. */
static bool converts(rf_str line, struct rf_arena *arena, struct rf_err *err)
{
    struct json_node *entry, *document;
    struct rule rule;
    rf_str id;
    cr_assert(json_parse(line, arena, &entry, err) == RF_OK, "%s", err->text);
    enum rf_kind kind = rule_from_yaml(json_get(entry, "content"), arena, &document, &id, err);
    if (kind == RF_OK) kind = rule_parse(document, id, arena, &rule, err);
    if (kind != RF_OK) {
        cr_assert(kind == RF_INVALID, "%s", err->text);
        cr_assert(strchr(err->text, ':') != NULL, "%s", err->text);
        fprintf(stderr, "%.*s: %s\n", RF_FMT(json_text_at(entry, "source.file")), err->text);
    }
    return kind == RF_OK;
}

Test(rule, public_rules)
{
    struct rf_arena file, line;
    struct rf_err err = {.code = ""};
    rf_str all;
    uint32_t count = 0, good = 0;
    const char *source = getenv("MESON_SOURCE_ROOT"), *under = source == NULL ? "." : source;
    char path[4096];
    rf_arena_init(&file, 64 << 20);
    (void)snprintf(path, sizeof path, "%s/../shared/content/rules.jsonl", under);
    if (rf_fs_read_all(rf_fs_real(), path, 32 << 20, &file, &all, &err) != RF_OK)
        cr_skip("%s is not there", path);
    for (size_t from = 0; from < all.len;) {
        size_t to = rf_str_find(all, RF_S("\n"), from);
        if (to == SIZE_MAX) to = all.len;
        rf_arena_init(&line, 16 << 20);
        good += converts(rf_slice(all, from, to), &line, &err);
        count++;
        rf_arena_done(&line);
        from = to + 1;
    }
    fprintf(stderr, "%u of %u public rules may be stored as they are\n", good, count);
    cr_assert_geq(count, 600);
    cr_assert_geq(good * 100, count * 95);
    rf_arena_done(&file);
}
