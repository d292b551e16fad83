#include "siem/incident_int.h"
#include "siem/siem_world_test_util.h"
#include "test/rf_prop.h"

#include "value/value.h"

static const struct rule plain = {.id = {(const uint8_t *)"r1", 2},
                                  .create_incident = true,
                                  .lookback_ticks = 5 * TICKS_PER_HOUR};

/* An alert with entities that are told by their keys: "ip:a,host:b". */
static struct alert make_alert(struct siem_world *w, const char *id, const char *entities)
{
    struct rf_arena *arena = &w->site.arena;
    struct rf_buf row = rf_buf_in(arena), json = rf_buf_in(arena);
    struct alert alert = {.id = rf_str_of(id),
                          .name = RF_S("Brute force"),
                          .description = RF_S("what it is"),
                          .severity = RF_S("Medium")};
    alert.entities = rf_arena_new(arena, struct alert_entity, 20);
    rf_buf_byte(&json, '[');
    for (const char *at = entities; *at != '\0';) {
        size_t len = strcspn(at, ",");
        bool is_ip = strncmp(at, "ip:", 3) == 0;
        const char *value = strchr(at, ':') + 1;
        rf_str text = rf_str_make(value, len - (size_t)(value - at));
        rf_buf_printf(&json,
                      "%s{\\\"$id\\\":\\\"%u\\\",\\\"%s\\\":\\\"%.*s\\\",\\\"Type\\\":\\\"%s\\\"}",
                      alert.entity_count == 0 ? "" : ",", alert.entity_count + 1,
                      is_ip ? "Address" : "HostName", RF_FMT(text), is_ip ? "ip" : "host");
        alert.entities[alert.entity_count++] = (struct alert_entity){
            .type = is_ip ? RF_S("ip") : RF_S("host"), .key = rf_str_make(at, len)};
        at += len;
        if (*at == ',') at++;
    }
    rf_buf_byte(&json, ']');
    rf_buf_printf(&row,
                  "{\"TimeGenerated\":\"2026-01-31T12:00:00.0000000Z\",\"SystemAlertId\":\"%s\","
                  "\"DisplayName\":\"Brute force\",\"AlertSeverity\":\"Medium\",\"Tactics\":"
                  "\"CredentialAccess, Impact\",\"Techniques\":\"[\\\"T1110\\\"]\",\"ProductName\":"
                  "\"Azure Sentinel\",\"StartTime\":\"2026-01-31T11:00:00.0000000Z\",\"EndTime\":"
                  "\"2026-01-31T11:30:00.0000000Z\",\"Status\":\"New\",\"Entities\":\"%.*s\","
                  "\"ExtendedProperties\":\"{\\\"Query Period\\\":\\\"01:00:00\\\"}\"}",
                  id, RF_FMT(rf_buf_view(&json)));
    alert.row = rf_buf_view(&row);
    return alert;
}

static rf_str take_of(struct siem_world *w, const struct rule *rule, rf_str rule_id,
                      const struct alert *alert, bool *created)
{
    struct state_txn *txn;
    rf_str incident = {NULL, 0};
    cr_assert(state_begin_write(w->site.state, &txn, &w->err) == RF_OK);
    cr_assert(incident_take_alert(txn, &w->place, rule, rule_id, alert,
                                  rf_clock_now(&w->site.clock.clock), &w->site.arena, &incident,
                                  created, &w->err) == RF_OK,
              "%s", w->err.text);
    cr_assert(state_commit(txn, &w->err) == RF_OK, "%s", w->err.text);
    return incident;
}

static rf_str take(struct siem_world *w, const struct rule *rule, const struct alert *alert,
                   bool *created)
{
    return take_of(w, rule, RF_S(S_RULE), alert, created);
}

static const char *target(struct siem_world *w, rf_str incident, const char *more)
{
    rf_str text = rf_arena_printf(&w->site.arena, S_P "/incidents/%.*s%s" S_V "%c",
                                  RF_FMT(incident), more, '\0');
    return (const char *)text.ptr;
}

/* ---- from alerts to incidents ------------------------------------------------------------------------------------------ */

Test(incident, an_alert_makes_one)
{
    struct siem_world w;
    bool created;
    s_init(&w);
    struct alert alert = make_alert(&w, "a1", "ip:10.0.0.1,host:srv");
    rf_str name = take(&w, &plain, &alert, &created);
    cr_assert(created && guid_is(name));
    s_expect(&w, "GET", target(&w, name, ""), "", 200);
    cr_assert_str_eq(s_text(&w, "properties.title"), "Brute force");
    cr_assert_str_eq(s_text(&w, "properties.status"), "New");
    cr_assert_str_eq(s_text(&w, "properties.providerName"), "Azure Sentinel");
    cr_assert_str_eq(s_text(&w, "properties.firstActivityTimeUtc"), "2026-01-31T11:00:00.0000000Z");
    cr_assert_eq(s_number(&w, "properties.incidentNumber"), 1);
    cr_assert_eq(s_number(&w, "properties.additionalData.alertsCount"), 1);
    rf_str more = json_to_text(&w.site.arena, json_at(w.answer, "properties.additionalData"));
    cr_assert(rf_str_find(more, RF_S("\"tactics\":[\"CredentialAccess\",\"Impact\"]"), 0) !=
              SIZE_MAX);
    cr_assert(rf_str_find(more, RF_S("\"alertProductNames\":[\"Azure Sentinel\"]"), 0) != SIZE_MAX);
    rf_str rules =
        json_to_text(&w.site.arena, json_at(w.answer, "properties.relatedAnalyticRuleIds"));
    cr_assert(rf_str_is(rules, "[\"" S_RULE "\"]"));
    cr_assert(json_get(w.answer, "_") == NULL);

    s_expect(&w, "POST", target(&w, name, "/alerts"), "", 200);
    const struct json_node *first = json_get(w.answer, "value")->first;
    cr_assert(rf_str_is(json_text_at(first, "kind"), "SecurityAlert"));
    cr_assert(rf_str_is(json_text_at(first, "properties.severity"), "Medium"));
    cr_assert(rf_str_is(json_get(json_at(first, "properties.additionalData"), "Query Period")->text,
                        "01:00:00"));
    s_expect(&w, "POST", target(&w, name, "/entities"), "", 200);
    rf_str meta = json_to_text(&w.site.arena, json_get(w.answer, "metaData"));
    cr_assert(
        rf_str_is(meta,
                  "[{\"entityKind\":\"Ip\",\"count\":1},{\"entityKind\":\"Host\",\"count\":1}]"),
        "%.*s", RF_FMT(meta));

    /* The same alert again, as after a crash, changes nothing. */
    rf_str again = take(&w, &plain, &alert, &created);
    cr_assert(rf_str_eq(again, name) && !created);
    cr_assert_eq(s_rows(&w, "SecurityAlert")->count, 1);
    struct json_node *rows = s_rows(&w, "SecurityIncident");
    cr_assert_eq(rows->count, 1);
    cr_assert(rf_str_eq(json_text_at(rows->first, "IncidentName"), name));
    cr_assert(
        rf_str_is(json_to_text(&w.site.arena, json_get(rows->first, "AlertIds")), "[\"a1\"]"));
    cr_assert(rf_str_is(json_text_at(rows->first, "ModifiedBy"), "Incident created from alert"));
    s_done(&w);
}

Test(incident, a_rule_may_make_none)
{
    struct siem_world w;
    bool created;
    struct rule rule = plain;
    rule.create_incident = false;
    s_init(&w);
    struct alert alert = make_alert(&w, "a1", "ip:10.0.0.1");
    cr_assert_eq(take(&w, &rule, &alert, &created).len, 0);
    cr_assert(!created && s_rows(&w, "SecurityAlert")->count == 1);
    cr_assert_eq(s_rows(&w, "SecurityIncident")->count, 0);
    s_expect(&w, "GET", S_P "/incidents" S_V, "", 200);
    cr_assert_eq(s_count(&w), 0);
    s_done(&w);
}

/* Which of two alerts of a rule join. */
Test(incident, grouping)
{
    static rf_str hosts[] = {{(const uint8_t *)"Host", 4}};
    static rf_str names[] = {{(const uint8_t *)"DisplayName", 11}};
    static const struct {
        const char *first, *second;
        enum rule_match match;
        bool by_host, joins;
    } cases[] = {
        {"ip:1,host:a", "host:a,ip:1", RULE_MATCH_ALL_ENTITIES, false, true},
        {"ip:1,host:a", "ip:2,host:a", RULE_MATCH_ALL_ENTITIES, false, false},
        {"ip:1,host:a", "ip:1", RULE_MATCH_ALL_ENTITIES, false, false},
        {"", "", RULE_MATCH_ALL_ENTITIES, false, true},
        {"ip:1,host:a", "ip:2", RULE_MATCH_ANY_ALERT, false, true},
        {"ip:1,host:a", "ip:2,host:a", RULE_MATCH_SELECTED, true, true},
        {"ip:1,host:a", "ip:1,host:b", RULE_MATCH_SELECTED, true, false},
        {"ip:1,host:a", "ip:1,host:b", RULE_MATCH_SELECTED, false, true}, /* by name */
    };
    struct siem_world w;
    s_init(&w);
    for (size_t i = 0; i < RF_COUNT(cases); i++) {
        struct rule rule = plain;
        bool created;
        char ids[3][200];
        (void)snprintf(ids[0], sizeof ids[0], "%s%zu", S_RULE, i);
        (void)snprintf(ids[1], sizeof ids[1], "a%zu", i);
        (void)snprintf(ids[2], sizeof ids[2], "b%zu", i);
        rule.group = true;
        rule.match = cases[i].match;
        if (cases[i].by_host) rule.match_entities = hosts, rule.match_entity_count = 1;
        if (!cases[i].by_host && rule.match == RULE_MATCH_SELECTED)
            rule.match_alert_details = names, rule.match_alert_detail_count = 1;
        struct alert a = make_alert(&w, ids[1], cases[i].first);
        struct alert b = make_alert(&w, ids[2], cases[i].second);
        rf_str first = take_of(&w, &rule, rf_str_of(ids[0]), &a, &created);
        rf_str second = take_of(&w, &rule, rf_str_of(ids[0]), &b, &created);
        cr_expect_eq(rf_str_eq(first, second), cases[i].joins, "case %zu", i);
        cr_expect_eq(created, !cases[i].joins);
        s_expect(&w, "GET", target(&w, first, ""), "", 200);
        cr_expect_eq(s_number(&w, "properties.additionalData.alertsCount"), 1 + cases[i].joins);
    }
    s_done(&w);
}

Test(incident, grouping_heeds_time_and_status)
{
    struct siem_world w;
    struct rule rule = plain;
    bool created;
    rule.group = true;
    rule.match = RULE_MATCH_ANY_ALERT;
    s_init(&w);
    struct alert a = make_alert(&w, "a1", ""), b = make_alert(&w, "a2", ""),
                 c = make_alert(&w, "a3", ""), d = make_alert(&w, "a4", "");
    rf_str first = take(&w, &rule, &a, &created);
    const char *close =
        "{\"properties\":{\"title\":\"t\",\"severity\":\"Low\",\"status\":\"Closed\"}}";
    s_expect(&w, "PUT", target(&w, first, ""), close, 200);
    rf_str second = take(&w, &rule, &b, &created);
    cr_assert(created && !rf_str_eq(first, second), "a closed one is not joined");
    s_expect(&w, "PUT", target(&w, second, ""), close, 200);
    rule.reopen_closed = true;
    rf_str third = take(&w, &rule, &c, &created);
    cr_assert(!created && rf_str_eq(third, second), "the newest closed one is opened again");
    s_expect(&w, "GET", target(&w, third, ""), "", 200);
    cr_assert_str_eq(s_text(&w, "properties.status"), "Active");
    cr_assert_str_eq(s_text(&w, "properties.classification"), "");
    rf_clock_fixed_pass(&w.site.clock, 5 * 3600 * RF_USEC_PER_SECOND + 1);
    (void)take(&w, &rule, &d, &created);
    cr_assert(created, "its time is over");
    s_done(&w);
}

Test(incident, an_incident_holds_150_alerts)
{
    struct siem_world w;
    struct rule rule = plain;
    bool created;
    rf_str first = {NULL, 0};
    rule.group = true;
    rule.match = RULE_MATCH_ANY_ALERT;
    s_init(&w);
    for (int i = 0; i < INCIDENT_ALERTS_MAX + 1; i++) {
        rf_str id = rf_arena_printf(&w.site.arena, "a%d%c", i, '\0');
        struct alert alert = make_alert(&w, (const char *)id.ptr, "");
        rf_str name = take(&w, &rule, &alert, &created);
        if (i == 0) first = name;
        cr_assert_eq(created, i == 0 || i == INCIDENT_ALERTS_MAX, "%d", i);
    }
    s_expect(&w, "GET", target(&w, first, ""), "", 200);
    cr_assert_eq(s_number(&w, "properties.additionalData.alertsCount"), INCIDENT_ALERTS_MAX);
    s_done(&w);
}

Test(incident, alerts_without_an_incident_end_after_30_days)
{
    struct siem_world w;
    struct rule rule = plain;
    struct state_txn *txn;
    bool created, more;
    s_init(&w);
    struct alert a = make_alert(&w, "a1", "ip:1"), b = make_alert(&w, "a2", "ip:2");
    rf_str name = take(&w, &plain, &a, &created);
    rule.create_incident = false;
    (void)take(&w, &rule, &b, &created);
    for (int days = 29; days <= 32; days += 3) {
        rf_clock_fixed_pass(&w.site.clock, (days == 29 ? 29 : 3) * 86400 * RF_USEC_PER_SECOND);
        cr_assert(state_begin_write(w.site.state, &txn, &w.err) == RF_OK);
        cr_assert(incident_expire_alerts(txn, rf_clock_now(&w.site.clock.clock), &w.site.arena,
                                         &more, &w.err) == RF_OK);
        struct json_node *body;
        cr_expect(!more &&
                  alert_load(txn, &w.place, RF_S("a1"), &w.site.arena, &body, &w.err) == RF_OK);
        cr_expect_eq(alert_load(txn, &w.place, RF_S("a2"), &w.site.arena, &body, &w.err) == RF_OK,
                     days == 29);
        cr_assert(state_commit(txn, &w.err) == RF_OK);
    }
    cr_assert(name.len > 0);
    s_done(&w);
}

/* ---- changes ------------------------------------------------------------------------------------------------------------- */

struct seen {
    uint32_t calls;
    bool was_new, saves;
    enum incident_source source;
};

static enum rf_kind on_change(void *ctx, struct state_txn *txn, const struct incident_place *place,
                              const struct json_node *before, const struct json_node *after,
                              const struct incident_by *by, rf_usec now, struct rf_arena *arena,
                              struct rf_err *err)
{
    struct seen *seen = ctx;
    seen->calls++;
    seen->was_new = before == NULL;
    seen->source = by->source;
    if (!seen->saves || by->source == INCIDENT_BY_AUTOMATION) return RF_OK;
    struct incident incident;
    const struct incident_by robot = {INCIDENT_BY_AUTOMATION, RF_S("Automation rule - x")};
    RF_TRY(incident_find(txn, place, json_text_at(after, "name"), arena, &incident, err));
    struct json_node *old = json_clone(arena, incident.body);
    json_set_text(arena, json_get(incident.body, "properties"), "severity", RF_S("High"));
    return incident_save(txn, place, &incident, old, &robot, now, arena, err);
}

Test(incident, a_hook_sees_every_change_and_may_make_its_own)
{
    struct siem_world w;
    struct seen seen = {.saves = true};
    const struct incident_hook hook = {&seen, on_change};
    bool created;
    s_init(&w);
    w.place.hook = &hook;
    struct alert alert = make_alert(&w, "a1", "");
    rf_str name = take(&w, &plain, &alert, &created);
    cr_assert(seen.calls == 2 && !seen.was_new && seen.source == INCIDENT_BY_AUTOMATION);
    s_expect(&w, "GET", target(&w, name, ""), "", 200);
    cr_assert_str_eq(s_text(&w, "properties.severity"), "High");
    /* Rows are told apart by their times, though the clock stands. */
    struct json_node *rows = s_rows(&w, "SecurityIncident");
    cr_assert_eq(rows->count, 2);
    cr_assert(rf_str_cmp(json_text_at(rows->first, "LastModifiedTime"),
                         json_text_at(rows->last, "LastModifiedTime")) < 0);
    s_done(&w);
}

/* Whatever alerts come, each belongs to one incident, counts agree, and numbers are 1, 2, 3. */
RF_PROP(incidents_count_their_alerts, 5)
{
    struct siem_world w;
    struct rule rule = plain;
    uint32_t alerts = 1 + (uint32_t)rf_test_below(prng, 1 + prng->size / 4);
    s_init(&w);
    rule.group = rf_test_bool(prng);
    rule.match = (enum rule_match)rf_test_below(prng, 2);
    for (uint32_t i = 0; i < alerts; i++) {
        bool created;
        rf_str id = rf_arena_printf(&w.site.arena, "a%u%c", i, '\0');
        struct alert alert =
            make_alert(&w, (const char *)id.ptr, rf_test_bool(prng) ? "ip:1" : "ip:2,host:a");
        (void)take(&w, &rule, &alert, &created);
        if (rf_test_bool(prng)) (void)take(&w, &rule, &alert, &created);
        rf_clock_fixed_pass(&w.site.clock, rf_test_below(prng, 7200) * RF_USEC_PER_SECOND);
    }
    s_expect(&w, "GET", S_P "/incidents" S_V, "", 200);
    int64_t sum = 0, number = s_count(&w);
    for (const struct json_node *i = json_get(w.answer, "value")->first; i != NULL; i = i->next) {
        int64_t n, own;
        cr_assert(json_i64_at(i, "properties.additionalData.alertsCount", &n));
        cr_assert(json_i64_at(i, "properties.incidentNumber", &own) && own == number--);
        sum += n;
    }
    cr_assert_eq(sum, alerts);
    cr_assert_eq(s_rows(&w, "SecurityAlert")->count, alerts);
    cr_assert_eq(s_rows(&w, "SecurityIncident")->count, alerts);
    s_done(&w);
}
