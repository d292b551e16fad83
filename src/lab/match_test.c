/* match_test.c - expectations against outcomes, what --update writes, what differs between two outcomes. */
#include "base/yaml_tree.h"
#include "lab/coverage.h"
#include "lab/report.h"
#include "test/rf_prop.h"

#define OUTCOME                                                                                    \
    "{\"incidents\":["                                                                             \
    "{\"title\":\"A\",\"severity\":\"High\",\"rule\":\"r\",\"created\":\"2024-01-01T00:00:00Z\","  \
    "\"alerts\":2,\"tactics\":[\"Impact\"],\"entities\":[{\"type\":\"Account\",\"Name\":\"ivo\","  \
    "\"UPNSuffix\":\"c.example\"},{\"type\":\"IP\",\"Address\":\"10.0.0.5\"}],"                    \
    "\"details\":{\"N\":[\"1\",\"2\"]}},"                                                          \
    "{\"title\":\"A\",\"severity\":\"High\",\"rule\":\"r\",\"created\":\"2024-01-02T00:00:00Z\","  \
    "\"alerts\":1,\"tactics\":[],\"entities\":[],\"details\":{}}],"                                \
    "\"alerts\":[{\"title\":\"A\",\"incident\":1},{\"title\":\"A\",\"incident\":1},"               \
    "{\"title\":\"A\",\"incident\":2}]}"

struct stage {
    struct rf_arena arena;
    struct lab_result result;
    struct rf_err err;
};

static void open_stage(struct stage *s, const char *outcome)
{
    memset(s, 0, sizeof *s);
    rf_arena_init(&s->arena, 16 << 20);
    cr_assert(json_parse(rf_str_of(outcome), &s->arena, &s->result.outcome, &s->err) == RF_OK);
}

/* The messages, one behind the other. */
static const char *match(struct stage *s, const char *expect)
{
    struct json_node *node;
    struct rf_buf all = rf_buf_in(&s->arena);
    s->result.message_count = 0;
    cr_assert(yaml_parse(rf_str_of(expect), &s->arena, &node, &s->err) == RF_OK, "%s", expect);
    lab_match(node, node->line, NULL, &s->result, &s->arena);
    for (uint32_t i = 0; i < s->result.message_count; i++)
        rf_buf_printf(&all, "%u:%.*s\n", s->result.messages[i].line,
                      RF_FMT(s->result.messages[i].text));
    return rf_arena_cstr(&s->arena, rf_buf_view(&all));
}

Test(lab_match, what_holds)
{
    static const char *const cases[] = {
        "incidents: 2",
        "incidents: 2\nalerts: 3",
        "incidents: [{title: A}, {title: A}]",
        /* whichever fits */
        "incidents: [{alerts: 1}, {alerts: 2}]",
        "incidents: [{title: A}, {entities: [{IP: 10.0.0.5}]}]",
        "others: true\nincidents: [{entities: [{Account: ivo@c.example}]}]",
        "others: true\nincidents: [{entities: [{Account: {Name: IVO}}], details: {N: [2, 1]}}]",
        "others: true\nincidents: [{tactics: [Impact], created: '2024-01-01 00:00:00'}]",
        "incidents: [{exact: true, entities: []}, {exact: true, entities: [{IP: 10.0.0.5}, "
        "{Account: "
        "ivo}]}]",
    };
    for (size_t i = 0; i < RF_COUNT(cases); i++) {
        struct stage s;
        open_stage(&s, OUTCOME);
        cr_expect_str_eq(match(&s, cases[i]), "", "%s", cases[i]);
        rf_arena_done(&s.arena);
    }
}

Test(lab_match, what_does_not)
{
    static const struct {
        const char *expect, *has;
    } cases[] = {
        {"incidents: 3", "1:expected 3 incidents, got 2"},
        {"none: true",
         "incident 'A' (High, at 2024-01-01T00:00:00Z) is not expected: Account {Name: ivo"},
        {"incidents: [{title: A}]", "is not expected"},
        {"incidents: [{title: A}, {title: A}, {title: A}]", "1:incident 'A' is missing"},
        {"incidents: [{title: A}, {title: A, severity: Low}]",
         "1:  severity: expected Low, got High"},
        {"incidents: [{title: A}, {title: A, entities: [{IP: 10.0.0.6}]}]", "is missing"},
        {"exact: true\nincidents: [{alerts: 1}, {alerts: 2, entities: [{IP: 10.0.0.5}]}]",
         "entities: Account {Name: ivo, UPNSuffix: c.example} is not expected"},
        {"incidents: [{alerts: 1}, {alerts: 2, details: {N: [1]}}]", "N: 2 is not expected"},
        {"incidents: [{alerts: 1}, {alerts: 2, titel: A}]", "'titel' is nothing that incident has"},
        {"incident: 2", "'incident' is nothing that 'expect' has"},
        {"{}", "'expect' has incidents, alerts, queries, or none: true"},
    };
    for (size_t i = 0; i < RF_COUNT(cases); i++) {
        struct stage s;
        open_stage(&s, OUTCOME);
        const char *got = match(&s, cases[i].expect);
        cr_expect(strstr(got, cases[i].has) != NULL, "%s: %s", cases[i].expect, got);
        rf_arena_done(&s.arena);
    }
}

/* ---- --update ----------------------------------------------------------------------------------------------------------- */

static const char *update(struct stage *s, const char *text)
{
    struct json_node *file;
    rf_str out;
    struct lab_test tests[4];
    const struct lab_test *list[4];
    const struct json_node *expected[4];
    uint32_t count = 0;
    cr_assert(yaml_parse(rf_str_of(text), &s->arena, &file, &s->err) == RF_OK, "%s", s->err.text);
    const struct json_node *cases = json_get(file, "cases");
    for (const struct json_node *n = cases == NULL ? file : cases->first; n != NULL && count < 4;
         n = n->next) {
        tests[count] =
            (struct lab_test){.path = "t", .file = file, .node = n, .line = n->first->line};
        list[count] = &tests[count];
        expected[count] =
            lab_expectation(json_get(n, "expect"), NULL, s->result.outcome, &s->arena);
        count++;
    }
    enum rf_kind kind =
        lab_update_text(rf_str_of(text), list, expected, count, &s->arena, &out, &s->err);
    cr_assert(kind == RF_OK, "%s", s->err.text);
    return rf_arena_cstr(&s->arena, out);
}

#define NONE "{\"incidents\":[],\"alerts\":[]}"

Test(lab_update, keeps_the_rest)
{
    static const struct {
        const char *text, *want;
    } cases[] = {
        {"# a\nrules: x # b\nexpect:\n  incidents: 4 # c\n# d\ndata: []\n",
         "# a\nrules: x # b\nexpect:\n  none: true\n# d\ndata: []\n"},
        {"rules: x\n", "rules: x\nexpect:\n  none: true\n"},
        {"rules: x", "rules: x\nexpect:\n  none: true\n"},
        {"expect: {incidents: 1}\nrules: x\n\n", "expect:\n  none: true\nrules: x\n\n"},
        {"cases:\n  - name: a\n    expect:\n      incidents:\n        - title: x\n\n  # next\n  - "
         "expect: "
         "{incidents: 1}\n    name: b\n  - name: c\n\n    rules: y\n\ntags: [z]\n",
         "cases:\n  - name: a\n    expect:\n      none: true\n\n  # next\n  - expect:\n      none: "
         "true\n    name: b\n  - name: c\n\n    rules: y\n    expect:\n      none: true\n\ntags: "
         "[z]\n"},
    };
    for (size_t i = 0; i < RF_COUNT(cases); i++) {
        struct stage s;
        open_stage(&s, NONE);
        cr_expect_str_eq(update(&s, cases[i].text), cases[i].want);
        rf_arena_done(&s.arena);
    }
}

/* Texts that are no plain ones in YAML come back as they were. */
RF_PROP(lab_update_writes_what_it_reads, 300)
{
    struct stage s;
    uint8_t raw[40];
    struct json_node *file;
    open_stage(&s, NONE);
    rf_str title = rf_test_bytes(prng, raw, sizeof raw, "aZ9 :#-'\"\\{}[],&*!|>%@`~.\n\t");
    struct json_node *outcome = s.result.outcome, *item = json_new(&s.arena, JSON_T_OBJECT);
    json_set_text(&s.arena, item, "title", title);
    json_append(json_get(outcome, "incidents"), item);
    const char *text = update(&s, "rules: x\n");
    cr_assert(yaml_parse(rf_str_of(text), &s.arena, &file, &s.err) == RF_OK, "%s: %s", text,
              s.err.text);
    rf_str got = json_text_at(json_at(file, "expect.incidents")->first, "title");
    cr_assert(rf_str_eq(got, title), "%s", text);
    rf_arena_done(&s.arena);
}

/* ---- two outcomes --------------------------------------------------------------------------------------------------------- */

Test(lab_diff, tells_what_changed)
{
    struct stage s;
    struct json_node *new, *changes;
    open_stage(&s, OUTCOME);
    cr_assert(lab_diff(s.result.outcome, s.result.outcome, &s.arena, &changes, &s.err) == RF_OK);
    cr_expect_eq(changes->count, 0);
    new = json_clone(&s.arena, s.result.outcome);
    struct json_node *incidents = json_get(new, "incidents");
    json_set_text(&s.arena, incidents->first, "severity", RF_S("Low"));
    json_set_text(&s.arena, incidents->last, "title", RF_S("B"));
    json_set_text(&s.arena, incidents->last, "rule", RF_S("q"));
    cr_assert(lab_diff(s.result.outcome, new, &s.arena, &changes, &s.err) == RF_OK);
    cr_assert_eq(changes->count, 3);
    const struct json_node *c = changes->first;
    cr_expect(rf_str_is(json_text_at(c, "change"), "changed"));
    cr_expect_eq(json_get(c, "fields")->count, 1);
    cr_expect(rf_str_is(json_text_at(json_get(c, "fields")->first, "old"), "High"));
    cr_expect(rf_str_is(json_text_at(c->next, "change"), "removed"));
    cr_expect(rf_str_is(json_text_at(c->next->next, "change"), "added"));
    rf_arena_done(&s.arena);
}

/* ---- times -------------------------------------------------------------------------------------------------------------- */

Test(lab_times, durations)
{
    static const struct {
        const char *text;
        int64_t seconds; /* -1: none */
    } cases[] = {
        {"30s", 30},       {"5m", 300},      {"1h30m", 5400}, {"14d", 1209600},    {"PT5M", 300},
        {"P1DT2H", 93600}, {"P2W", 1209600}, {"P1M", -1},     {"5", -1},           {"", -1},
        {"m", -1},         {"5x", -1},       {"P", -1},       {"99999999999d", -1}};
    for (size_t i = 0; i < RF_COUNT(cases); i++) {
        rf_usec got = -RF_USEC_PER_SECOND;
        bool good = lab_parse_duration(rf_str_of(cases[i].text), &got);
        cr_expect_eq(good, cases[i].seconds >= 0, "%s", cases[i].text);
        cr_expect_eq(got, cases[i].seconds * RF_USEC_PER_SECOND, "%s", cases[i].text);
    }
    rf_usec at;
    cr_expect(lab_parse_time(RF_S("2024-05-31"), &at) &&
              lab_parse_time(RF_S("2024-05-31T10:00:00"), &at));
    cr_expect(!lab_parse_time(RF_S("31.5.2024"), &at) &&
              !lab_parse_time(RF_S("today at ten"), &at));
}
