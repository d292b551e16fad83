/* content_default_test.c - the rules that a workspace has by itself: that they come once, and what the one about silence sees. */
#include "authz/route_walk.h"
#include "siem/content_int.h"
#include "test/rf_prop.h"

#define D_SUB "/subscriptions/99999999-0000-0000-0000-000000000001"
#define D_WS D_SUB "/resourceGroups/rg/providers/Microsoft.OperationalInsights/workspaces/ws"
#define D_GUID "99999999-0000-0000-0000-000000000002"
#define D_P D_WS "/providers/Microsoft.SecurityInsights"
#define D_EMERGENCY D_P "/alertRules/d8895242-62a8-55e7-84e0-953217098ef9"
#define D_RULE D_P "/alertRules/6a1f6c0e-52d1-5b0e-9a53-0f5b7d1f9c11"
#define MINUTE (60 * RF_USEC_PER_SECOND)

struct stage {
    struct walk_site site;
    struct arm *arm;
    struct tables *tables;
    struct siem *siem;
    char folder[64];
    struct rf_err err;
};

static enum rf_kind put(struct stage *s, const char *id, const char *text)
{
    struct arm_resource made;
    struct json_node *body;
    bool created;
    cr_assert(json_parse(rf_str_of(text), &s->site.arena, &body, &s->err) == RF_OK);
    return arm_put(s->arm, rf_str_of(id), body, NULL, &s->site.arena, &made, &created, &s->err);
}

static void open_parts(struct stage *s)
{
    struct arm_options arm = {.state = s->site.state,
                              .authz = s->site.authz,
                              .site = &s->site.site,
                              .audit = &s->site.audit,
                              .clock = &s->site.clock.clock};
    struct tables_options tables = {
        .fs = rf_fs_real(), .folder = s->folder, .clock = &s->site.clock.clock};
    cr_assert(arm_new(&arm, &s->arm, &s->err) == RF_OK, "%s", s->err.text);
    cr_assert(tables_new(&tables, &s->tables, &s->err) == RF_OK, "%s", s->err.text);
    struct siem_options siem = {.state = s->site.state,
                                .arm = s->arm,
                                .authz = s->site.authz,
                                .tables = s->tables,
                                .site = &s->site.site,
                                .audit = &s->site.audit,
                                .clock = &s->site.clock.clock,
                                .rule_delay = RF_USEC_PER_SECOND};
    cr_assert(siem_new(&siem, &s->siem, &s->err) == RF_OK, "%s", s->err.text);
}

static void close_parts(struct stage *s)
{
    siem_stop(s->siem);
    arm_free(s->arm);
    siem_free(s->siem);
    tables_free(s->tables);
}

static void open_stage(struct stage *s)
{
    memset(s, 0, sizeof *s);
    walk_site_init(&s->site);
    (void)snprintf(s->folder, sizeof s->folder, "/tmp/ringfort-siem-XXXXXX");
    cr_assert(mkdtemp(s->folder) != NULL);
    open_parts(s);
    cr_assert(put(s, D_SUB "/resourceGroups/rg", "{\"location\":\"local\"}") == RF_OK);
    cr_assert(
        put(s, D_WS, "{\"location\":\"local\",\"properties\":{\"customerId\":\"" D_GUID "\"}}") ==
            RF_OK,
        "%s", s->err.text);
}

static void close_stage(struct stage *s)
{
    char command[100];
    close_parts(s);
    (void)snprintf(command, sizeof command, "rm -rf %s", s->folder);
    cr_assert(system(command) == 0);
    walk_site_done(&s->site);
}

static bool is_there(struct stage *s, const char *id, struct arm_resource *out)
{
    struct state_txn *txn;
    cr_assert(state_begin_read(s->site.state, &txn, &s->err) == RF_OK);
    enum rf_kind kind = arm_get(s->arm, txn, rf_str_of(id), &s->site.arena, out, &s->err);
    state_end(txn);
    return kind == RF_OK;
}

static rf_usec now(struct stage *s) { return rf_clock_now(&s->site.clock.clock); }

/* One row of a table, with columns as JSON members. */
static void row(struct stage *s, const char *table, const char *members)
{
    rf_str time = time_iso(&s->site.arena, now(s));
    rf_str text =
        rf_arena_printf(&s->site.arena, "[{\"TimeGenerated\":\"%.*s\",\"LastSeen\":\"%.*s\",%s}]",
                        RF_FMT(time), RF_FMT(time), members);
    cr_assert(tables_append_json(s->tables, RF_S(D_GUID), rf_str_of(table), text, ticks_of(now(s)),
                                 NULL, &s->err) == RF_OK,
              "%s", s->err.text);
}

enum { SENDS = 1, ODD = 2, BEATS = 4, DOWN = 8, NO_PULSE = 16 };

/* Minutes go by; what of the sources sends says `what`. */
static void live(struct stage *s, int minutes, unsigned what)
{
    for (int i = 0; i < minutes; i++) {
        rf_clock_fixed_pass(&s->site.clock, MINUTE);
        if (what & DOWN) continue;
        if (!(what & NO_PULSE))
            row(s, "RingfortCollect",
                "\"Listener\":\"(collector)\",\"Source\":\"here\",\"Rows\":0");
        if (what & SENDS)
            row(s, "RingfortCollect", "\"Listener\":\"lan\",\"Source\":\"fw1\",\"Rows\":7");
        if ((what & ODD) && i % 12 == 0)
            row(s, "RingfortCollect", "\"Listener\":\"lan\",\"Source\":\"printer\",\"Rows\":1");
        if (what & BEATS) row(s, "Heartbeat", "\"Computer\":\"dc1\"");
        while (engine_step(s->siem->engine)) continue;
    }
    while (engine_step(s->siem->engine)) continue;
}

/* How many alerts have this name; NULL: any. */
static uint32_t alerts(struct stage *s, const char *name)
{
    struct state_txn *txn;
    struct state_list list;
    struct state_scan scan = {.space = "siem.alert"};
    uint32_t count = 0;
    cr_assert(state_begin_read(s->site.state, &txn, &s->err) == RF_OK);
    cr_assert(state_list(txn, &scan, &s->site.arena, &list, &s->err) == RF_OK);
    state_end(txn);
    for (uint32_t i = 0; i < list.count; i++) {
        struct json_node *body;
        cr_assert(json_parse(list.items[i].body, &s->site.arena, &body, &s->err) == RF_OK);
        count += name == NULL || rf_str_is(json_text_at(body, "row.DisplayName"), name);
    }
    return count;
}

static uint32_t incidents(struct stage *s)
{
    struct state_txn *txn;
    struct state_list list;
    struct state_scan scan = {.space = "siem.incident"};
    cr_assert(state_begin_read(s->site.state, &txn, &s->err) == RF_OK);
    cr_assert(state_list(txn, &scan, &s->site.arena, &list, &s->err) == RF_OK);
    state_end(txn);
    return list.count;
}

Test(content_default, a_workspace_has_the_rule_once)
{
    struct stage s;
    struct arm_resource rule;
    bool existed;
    open_stage(&s);
    cr_assert(!is_there(&s, D_RULE, &rule));
    cr_assert(put(&s, D_P "/onboardingStates/default", "{\"properties\":{}}") == RF_OK, "%s",
              s.err.text);
    cr_assert(is_there(&s, D_RULE, &rule));
    cr_expect(json_bool_at(rule.body, "properties.enabled", false));
    cr_expect(rf_str_is(json_text_at(rule.body, "kind"), "Scheduled"));
    cr_expect(rf_str_is(json_text_at(rule.body, "properties.alertRuleTemplateName"),
                        "6a1f6c0e-52d1-5b0e-9a53-0f5b7d1f9c11"));
    struct arm_resource emergency;
    cr_assert(is_there(&s, D_EMERGENCY, &emergency));
    cr_expect(json_bool_at(emergency.body, "properties.enabled", false));
    cr_expect(rf_str_is(json_text_at(emergency.body, "kind"), "NRT"));
    cr_expect(rf_str_is(json_text_at(emergency.body, "properties.severity"), "High"));
    /* What people change stays, and what they delete stays away: after another onboarding and after a start. */
    json_set_bool(&s.site.arena, json_get(rule.body, "properties"), "enabled", false);
    cr_assert(put(&s, D_RULE,
                  rf_arena_cstr(&s.site.arena, json_to_text(&s.site.arena, rule.body))) == RF_OK,
              "%s", s.err.text);
    cr_assert(put(&s, D_P "/onboardingStates/default", "{\"properties\":{}}") == RF_OK);
    cr_assert(content_start_defaults(s.siem, &s.err) == RF_OK);
    cr_assert(is_there(&s, D_RULE, &rule));
    cr_expect(!json_bool_at(rule.body, "properties.enabled", true));
    cr_assert(arm_delete(s.arm, RF_S(D_RULE), NULL, &s.site.arena, &existed, &s.err) == RF_OK);
    cr_assert(put(&s, D_P "/onboardingStates/default", "{\"properties\":{}}") == RF_OK);
    close_parts(&s);
    open_parts(&s);
    cr_assert(content_start_defaults(s.siem, &s.err) == RF_OK);
    cr_expect(!is_there(&s, D_RULE, &rule));
    cr_assert(arm_delete(s.arm, RF_S(D_P "/onboardingStates/default"), NULL, &s.site.arena,
                         &existed, &s.err) == RF_OK);
    cr_assert(put(&s, D_P "/onboardingStates/default", "{\"properties\":{}}") == RF_OK);
    cr_expect(!is_there(&s, D_RULE, &rule));
    close_stage(&s);
}

Test(content_default, silence_after_regular_sending_is_an_incident, .timeout = 200)
{
    struct stage s;
    open_stage(&s);
    cr_assert(put(&s, D_P "/onboardingStates/default", "{\"properties\":{}}") == RF_OK, "%s",
              s.err.text);
    live(&s, 40, SENDS);
    live(&s, 40, ODD);
    cr_expect_eq(alerts(&s, NULL), 0, "it had sent for less than an hour");
    live(&s, 65, SENDS | ODD | BEATS);
    live(&s, 13, 0);
    cr_expect_eq(alerts(&s, NULL), 0, "it may be late");
    live(&s, 9, 0);
    cr_expect_eq(alerts(&s, "fw1 went silent"), 1);
    cr_expect_eq(alerts(&s, "dc1 went silent"), 1);
    cr_expect_eq(alerts(&s, NULL), 2, "what sends now and then may be silent");
    cr_expect_eq(incidents(&s), 2);
    live(&s, 70, 0);
    cr_expect_eq(alerts(&s, NULL), 2, "once for each silence");
    live(&s, 65, SENDS);
    live(&s, 25, 0);
    cr_expect_eq(alerts(&s, "fw1 went silent"), 2);
    cr_expect_eq(alerts(&s, NULL), 3);
    close_stage(&s);
}

Test(content_default, a_server_that_was_down_is_not_silence, .timeout = 200)
{
    struct stage s;
    open_stage(&s);
    cr_assert(put(&s, D_P "/onboardingStates/default", "{\"properties\":{}}") == RF_OK);
    live(&s, 65, SENDS);
    live(&s, 50, DOWN);
    live(&s, 40, SENDS);
    cr_expect_eq(alerts(&s, NULL), 0);
    live(&s, 30, SENDS);
    /* It went silent while the server was down, and does not come back with it. */
    live(&s, 50, DOWN);
    live(&s, 10, 0);
    cr_expect_eq(alerts(&s, NULL), 0);
    live(&s, 12, 0);
    cr_expect_eq(alerts(&s, "fw1 went silent"), 1);
    close_stage(&s);
}

Test(content_default, agents_alone_are_looked_at_by_the_clock, .timeout = 200)
{
    struct stage s;
    open_stage(&s);
    cr_assert(put(&s, D_P "/onboardingStates/default", "{\"properties\":{}}") == RF_OK);
    live(&s, 65, BEATS | NO_PULSE);
    live(&s, 25, NO_PULSE);
    cr_expect_eq(alerts(&s, "dc1 went silent"), 1);
    live(&s, 30, NO_PULSE);
    cr_expect_eq(alerts(&s, NULL), 1);
    close_stage(&s);
}
