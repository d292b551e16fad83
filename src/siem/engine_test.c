/* engine_test.c - runs of rules with a clock, arrivals and restarts of the test's own. */
#include "authz/route_walk.h"
#include "siem/siem_int.h"
#include "test/rf_prop.h"

#define E_SUB "/subscriptions/99999999-0000-0000-0000-000000000001"
#define E_WS E_SUB "/resourceGroups/rg/providers/Microsoft.OperationalInsights/workspaces/ws"
#define E_GUID "99999999-0000-0000-0000-000000000002"
#define E_RULE E_WS "/providers/Microsoft.SecurityInsights/alertRules/r1"
#define MINUTE (60 * RF_USEC_PER_SECOND)

struct stage {
    struct walk_site site;
    struct arm *arm;
    struct tables *tables;
    struct siem *siem;
    char folder[64];
    struct rf_err err;
};

static struct json_node *json(struct stage *s, const char *text)
{
    struct json_node *body;
    cr_assert(json_parse(rf_str_of(text), &s->site.arena, &body, &s->err) == RF_OK, "%s: %s", text,
              s->err.text);
    return body;
}

static enum rf_kind put(struct stage *s, const char *id, const char *text)
{
    struct arm_resource made;
    bool created;
    return arm_put(s->arm, rf_str_of(id), json(s, text), NULL, &s->site.arena, &made, &created,
                   &s->err);
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
                                .by_hand = true,
                                .rule_delay = 30 * RF_USEC_PER_SECOND};
    cr_assert(siem_new(&siem, &s->siem, &s->err) == RF_OK, "%s", s->err.text);
    static const struct table_column columns[] = {
        {{(const uint8_t *)"TimeGenerated", 13}, TYPE_DATETIME, false},
        {{(const uint8_t *)"Account", 7}, TYPE_STRING, false},
        {{(const uint8_t *)"TenantId", 8}, TYPE_STRING, true},
        {{(const uint8_t *)"Type", 4}, TYPE_STRING, true}};
    struct table_def def = {
        .name = RF_S("T_CL"), .columns = columns, .column_count = RF_COUNT(columns)};
    cr_assert(tables_define(s->tables, RF_S(E_GUID), &def, &s->err) == RF_OK, "%s", s->err.text);
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
    cr_assert(put(s, E_SUB "/resourceGroups/rg", "{\"location\":\"local\"}") == RF_OK, "%s",
              s->err.text);
    cr_assert(
        put(s, E_WS, "{\"location\":\"local\",\"properties\":{\"customerId\":\"" E_GUID "\"}}") ==
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

static void restart(struct stage *s)
{
    close_parts(s);
    open_parts(s);
}

static rf_usec now(struct stage *s) { return rf_clock_now(&s->site.clock.clock); }

static void event(struct stage *s, rf_usec time, const char *account)
{
    rf_str row =
        rf_arena_printf(&s->site.arena, "[{\"TimeGenerated\":\"%.*s\",\"Account\":\"%s\"}]",
                        RF_FMT(time_iso(&s->site.arena, time)), account);
    cr_assert(tables_append_json(s->tables, RF_S(E_GUID), RF_S("T_CL"), row, ticks_of(now(s)), NULL,
                                 &s->err) == RF_OK,
              "%s", s->err.text);
}

static void run_due(struct stage *s)
{
    while (engine_step(s->siem->engine)) continue;
}

/* How often each alert's account was raised: the names of alerts as they are kept. */
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

#define RULE(query, frequency, period, more)                                                       \
    "{\"kind\":\"Scheduled\",\"properties\":{\"displayName\":\"rule\",\"enabled\":true,"           \
    "\"severity\":\"Low\",\"query\":\"" query "\",\"queryFrequency\":\"" frequency                 \
    "\",\"queryPeriod\":\"" period "\",\"triggerOperator\":\"GreaterThan\","                       \
    "\"triggerThreshold\":0,\"suppressionEnabled\":false,\"suppressionDuration\":\"PT1H\"" more    \
    "}}"
#define NAMED                                                                                      \
    ",\"alertDetailsOverride\":{\"alertDisplayNameFormat\":\"{{Account}}\"},"                      \
    "\"entityMappings\":[{\"entityType\":\"Account\",\"fieldMappings\":[{\"identifier\":\"Name\"," \
    "\"columnName\":\"Account\"}]}]"
#define EACH ",\"eventGroupingSettings\":{\"aggregationKind\":\"AlertPerResult\"}" NAMED

Test(engine, a_run_sees_its_window)
{
    struct stage s;
    open_stage(&s);
    event(&s, now(&s) - MINUTE, "inside");
    event(&s, now(&s) - 6 * MINUTE, "before");
    cr_assert(put(&s, E_RULE, RULE("T_CL", "PT5M", "PT5M", EACH)) == RF_OK, "%s", s.err.text);
    run_due(&s);
    cr_expect_eq(alerts(&s, NULL), 0, "the run waits for the delay");
    rf_clock_fixed_pass(&s.site.clock, 30 * RF_USEC_PER_SECOND);
    run_due(&s);
    cr_expect_eq(alerts(&s, "inside"), 1);
    cr_expect_eq(alerts(&s, "before"), 0);
    rf_clock_fixed_pass(&s.site.clock, 5 * MINUTE);
    run_due(&s);
    cr_expect_eq(alerts(&s, NULL), 1, "the next window is behind it");
    close_stage(&s);
}

Test(engine, late_rows_make_their_window_run_again)
{
    struct stage s;
    open_stage(&s);
    event(&s, now(&s) - MINUTE, "early");
    cr_assert(put(&s, E_RULE, RULE("T_CL", "PT5M", "PT5M", EACH)) == RF_OK, "%s", s.err.text);
    rf_clock_fixed_pass(&s.site.clock, MINUTE);
    run_due(&s);
    event(&s, now(&s) - 3 * MINUTE, "late");
    rf_clock_fixed_pass(&s.site.clock, 5 * MINUTE);
    run_due(&s);
    cr_expect_eq(alerts(&s, "early"), 1);
    cr_expect_eq(alerts(&s, "late"), 1);
    rf_clock_fixed_pass(&s.site.clock, 20 * MINUTE);
    run_due(&s);
    cr_expect_eq(alerts(&s, NULL), 2);
    close_stage(&s);
}

Test(engine, a_run_on_demand_takes_the_place_of_the_one_that_waits)
{
    struct stage s;
    struct rf_err err;
    open_stage(&s);
    cr_assert(put(&s, E_RULE, RULE("T_CL", "PT5M", "PT5M", EACH)) == RF_OK, "%s", s.err.text);
    event(&s, now(&s) - MINUTE, "a");
    rf_clock_fixed_pass(&s.site.clock, RF_USEC_PER_SECOND);
    run_due(&s);
    rf_str key = resource_key(&s.site.arena, RF_S(E_RULE));
    cr_assert(engine_run_on_demand(s.siem->engine, key, now(&s), &err) == RF_OK, "%s", err.text);
    run_due(&s);
    cr_expect_eq(alerts(&s, "a"), 1);
    rf_clock_fixed_pass(&s.site.clock, 20 * MINUTE);
    run_due(&s);
    cr_expect_eq(alerts(&s, "a"), 1);
    close_stage(&s);
}

static void run_on_demand_at(struct stage *s, rf_usec at)
{
    rf_str key = resource_key(&s->site.arena, RF_S(E_RULE));
    cr_assert(engine_run_on_demand(s->siem->engine, key, at, &s->err) == RF_OK, "%s", s->err.text);
    run_due(s);
}

Test(engine, late_rows_of_an_early_run_keep_to_the_schedule)
{
    struct stage s;
    open_stage(&s);
    event(&s, now(&s) - MINUTE, "a");
    cr_assert(put(&s, E_RULE, RULE("T_CL", "PT5M", "PT5M", EACH)) == RF_OK, "%s", s.err.text);
    rf_clock_fixed_pass(&s.site.clock, MINUTE);
    run_due(&s);
    event(&s, now(&s) - 3 * MINUTE, "b");
    rf_clock_fixed_pass(&s.site.clock, 4 * MINUTE + 10 * RF_USEC_PER_SECOND);
    run_on_demand_at(&s, now(&s));
    cr_expect_eq(alerts(&s, "a"), 1, "its window is run again, and no other that has it");
    cr_expect_eq(alerts(&s, "b"), 1);
    close_stage(&s);
}

Test(engine, a_window_asked_for_again_shows_what_came_meanwhile)
{
    struct stage s;
    open_stage(&s);
    cr_assert(put(&s, E_RULE, RULE("T_CL", "PT5M", "PT5M", EACH)) == RF_OK, "%s", s.err.text);
    run_due(&s);
    rf_usec at = now(&s) - 60 * MINUTE;
    event(&s, at - MINUTE, "a");
    run_on_demand_at(&s, at);
    event(&s, at - MINUTE, "b");
    run_on_demand_at(&s, at);
    run_on_demand_at(&s, at);
    cr_expect_eq(alerts(&s, "a"), 1);
    cr_expect_eq(alerts(&s, "b"), 1);
    close_stage(&s);
}

Test(engine, a_run_on_demand_leaves_late_rows_to_the_schedule)
{
    struct stage s;
    open_stage(&s);
    cr_assert(put(&s, E_RULE, RULE("T_CL", "PT5M", "PT5M", EACH)) == RF_OK, "%s", s.err.text);
    rf_clock_fixed_pass(&s.site.clock, MINUTE);
    run_due(&s);
    event(&s, now(&s) - 3 * MINUTE, "late");
    run_on_demand_at(&s, now(&s) - 60 * MINUTE);
    rf_clock_fixed_pass(&s.site.clock, 5 * MINUTE);
    run_due(&s);
    cr_expect_eq(alerts(&s, "late"), 1);
    close_stage(&s);
}

Test(engine, runs_on_demand_and_windows_share_what_they_show)
{
    struct stage s;
    open_stage(&s);
    event(&s, now(&s) - MINUTE, "before");
    cr_assert(put(&s, E_RULE, RULE("T_CL", "PT5M", "PT5M", EACH)) == RF_OK, "%s", s.err.text);
    rf_clock_fixed_pass(&s.site.clock, MINUTE);
    run_due(&s);
    event(&s, now(&s) - MINUTE / 2, "between");
    event(&s, now(&s) - MINUTE / 2, "twice");
    run_on_demand_at(&s, now(&s));
    cr_expect_eq(alerts(&s, "before"), 1, "the window before showed it");
    cr_expect_eq(alerts(&s, "between"), 1);
    event(&s, now(&s) + MINUTE, "behind");
    event(&s, now(&s) + MINUTE, "twice");
    rf_clock_fixed_pass(&s.site.clock, 2 * MINUTE);
    run_on_demand_at(&s, now(&s));
    restart(&s);
    rf_clock_fixed_pass(&s.site.clock, 20 * MINUTE);
    run_due(&s);
    cr_expect_eq(alerts(&s, "between"), 1, "the window that comes then has it as well");
    cr_expect_eq(alerts(&s, "behind"), 1);
    cr_expect_eq(alerts(&s, "twice"), 2, "two events, whose entities are the same");
    cr_expect_eq(alerts(&s, NULL), 5);
    close_stage(&s);
}

Test(engine, a_group_that_a_run_on_demand_showed_waits_for_the_next_window)
{
    struct stage s;
    open_stage(&s);
    cr_assert(put(&s, E_RULE,
                  RULE("T_CL | summarize n = count() by Account", "PT5M", "PT5M", EACH)) == RF_OK,
              "%s", s.err.text);
    rf_clock_fixed_pass(&s.site.clock, MINUTE);
    run_due(&s);
    event(&s, now(&s) - MINUTE / 2, "a");
    run_on_demand_at(&s, now(&s));
    event(&s, now(&s) + MINUTE / 2, "a");
    rf_clock_fixed_pass(&s.site.clock, 5 * MINUTE);
    run_due(&s);
    cr_expect_eq(alerts(&s, "a"), 1, "once for each window of the schedule");
    event(&s, now(&s), "a");
    rf_clock_fixed_pass(&s.site.clock, 5 * MINUTE);
    run_due(&s);
    cr_expect_eq(alerts(&s, "a"), 2);
    close_stage(&s);
}

/* ---- the clock is set ------------------------------------------------------------------------------------------------ */

static void jump(struct stage *s, rf_usec by) { rf_clock_fixed_jump(&s->site.clock, now(s) + by); }

#define HOUR (60 * MINUTE)
#define NRT(query) NRT_OF(query, EACH)
#define NRT_OF(query, more)                                                                        \
    "{\"kind\":\"NRT\",\"properties\":{\"displayName\":\"rule\",\"enabled\":true,"                 \
    "\"severity\":\"Low\",\"query\":\"" query "\",\"suppressionEnabled\":false,"                   \
    "\"suppressionDuration\":\"PT1H\"" more "}}"

Test(engine, the_schedule_goes_with_the_clock)
{
    static const rf_usec steps[] = {26 * HOUR, -2 * HOUR, -30 * HOUR, 5 * MINUTE, -1 * HOUR};
    struct stage s;
    char name[20];
    open_stage(&s);
    cr_assert(put(&s, E_RULE, RULE("T_CL", "PT5M", "PT5M", EACH)) == RF_OK, "%s", s.err.text);
    for (uint32_t i = 0; i < 2 * RF_COUNT(steps); i++) {
        (void)snprintf(name, sizeof name, "u%u", i);
        event(&s, now(&s) - MINUTE, name);
        rf_clock_fixed_pass(&s.site.clock, 6 * MINUTE);
        run_due(&s);
        cr_expect_eq(alerts(&s, name), 1, "%s does not wait for the time that was", name);
        jump(&s, steps[i / 2]);
        if (i % 2 != 0) restart(&s);
    }
    for (int i = 0; i < 100; i++) {
        rf_clock_fixed_pass(&s.site.clock, HOUR);
        run_due(&s);
    }
    cr_expect_eq(alerts(&s, NULL), 2 * RF_COUNT(steps), "windows that come again show nothing");
    close_stage(&s);
}

Test(engine, a_rest_is_counted_in_time_that_passed)
{
    struct stage s;
    open_stage(&s);
    cr_assert(put(&s, E_RULE, NRT_OF("T_CL", NAMED)) == RF_OK, "%s", s.err.text);
    siem_step(s.siem);
    event(&s, now(&s), "a");
    siem_step(s.siem);
    cr_expect_eq(alerts(&s, "a"), 1);
    jump(&s, HOUR);
    event(&s, now(&s), "b");
    siem_step(s.siem);
    cr_expect_eq(alerts(&s, "b"), 0, "a minute has not passed");
    rf_clock_fixed_pass(&s.site.clock, MINUTE);
    siem_step(s.siem);
    cr_expect_eq(alerts(&s, "b"), 1);
    jump(&s, -3 * HOUR);
    event(&s, now(&s), "c");
    for (int i = 0; i < 5; i++) {
        rf_clock_fixed_pass(&s.site.clock, MINUTE);
        siem_step(s.siem);
    }
    cr_expect_eq(alerts(&s, "c"), 1);
    restart(&s);
    event(&s, now(&s), "d");
    for (int i = 0; i < 5; i++) {
        rf_clock_fixed_pass(&s.site.clock, MINUTE);
        siem_step(s.siem);
    }
    cr_expect_eq(alerts(&s, "d"), 1);
    cr_expect_eq(alerts(&s, NULL), 4);
    close_stage(&s);
}

Test(engine, alerts_for_each_row_rest_when_they_are_many)
{
    struct stage s;
    char name[20];
    open_stage(&s);
    cr_assert(put(&s, E_RULE, NRT("T_CL")) == RF_OK, "%s", s.err.text);
    siem_step(s.siem);
    for (uint32_t i = 0; i < ALERTS_PER_RUN_MAX; i++) {
        (void)snprintf(name, sizeof name, "u%u", i);
        event(&s, now(&s), name);
        siem_step(s.siem);
        cr_expect_eq(alerts(&s, name), 1, "%s does not wait", name);
    }
    event(&s, now(&s), "many");
    siem_step(s.siem);
    cr_expect_eq(alerts(&s, "many"), 0, "as many as a run may raise were raised in this minute");
    for (int i = 0; i < 3; i++) {
        rf_clock_fixed_pass(&s.site.clock, MINUTE);
        siem_step(s.siem);
    }
    cr_expect_eq(alerts(&s, "many"), 1);
    close_stage(&s);
}

Test(engine, minutes_go_on_when_arrivals_stand_still)
{
    struct stage s;
    char name[20];
    open_stage(&s);
    cr_assert(put(&s, E_RULE, NRT("T_CL | summarize n = count() by Account")) == RF_OK, "%s",
              s.err.text);
    siem_step(s.siem);
    for (uint32_t i = 0; i < 4; i++) {
        (void)snprintf(name, sizeof name, "u%u", i);
        event(&s, now(&s), name);
        for (int n = 0; n < 4; n++) {
            rf_clock_fixed_pass(&s.site.clock, MINUTE);
            siem_step(s.siem);
        }
        cr_expect_eq(alerts(&s, name), 1, "%s", name);
        jump(&s, -30 * MINUTE);
        if (i == 1) restart(&s);
    }
    cr_expect_eq(alerts(&s, NULL), 4);
    close_stage(&s);
}

Test(engine, restarts_do_not_put_off_the_first_run)
{
    struct stage s;
    open_stage(&s);
    event(&s, now(&s) - MINUTE, "a");
    cr_assert(put(&s, E_RULE, RULE("T_CL", "PT5M", "PT5M", EACH)) == RF_OK, "%s", s.err.text);
    for (int i = 0; i < 4; i++) {
        rf_clock_fixed_pass(&s.site.clock, 20 * RF_USEC_PER_SECOND);
        restart(&s);
        run_due(&s);
    }
    cr_expect_eq(alerts(&s, "a"), 1);
    close_stage(&s);
}

Test(engine, a_rule_that_fails_for_good_is_disabled)
{
    struct stage s;
    struct state_txn *txn;
    struct arm_resource rule;
    open_stage(&s);
    cr_assert(put(&s, E_RULE, RULE("T_CL", "PT5M", "PT5M", EACH)) == RF_OK, "%s", s.err.text);
    cr_assert(tables_drop(s.tables, RF_S(E_GUID), RF_S("T_CL"), &s.err) == RF_OK);
    for (int i = 0; i < 12; i++) {
        rf_clock_fixed_pass(&s.site.clock, 5 * MINUTE);
        run_due(&s);
    }
    cr_assert(state_begin_read(s.site.state, &txn, &s.err) == RF_OK);
    cr_assert(arm_get(s.arm, txn, RF_S(E_RULE), &s.site.arena, &rule, &s.err) == RF_OK);
    state_end(txn);
    cr_expect(!json_bool_at(rule.body, "properties.enabled", true));
    cr_expect(
        rf_str_starts(json_text_at(rule.body, "properties.displayName"), RF_S("AUTO DISABLED")));
    close_stage(&s);
}

Test(engine, nothing_is_left_of_a_workspace_that_is_deleted)
{
    static const char *const spaces[] = {"siem.incident", "siem.alert",  "siem.position",
                                         "siem.counter",  "siem.outbox", "siem.outbox.number"};
    struct stage s;
    struct state_txn *txn;
    open_stage(&s);
    cr_assert(put(&s, E_RULE, RULE("T_CL", "PT5M", "PT5M", EACH)) == RF_OK, "%s", s.err.text);
    event(&s, now(&s) - MINUTE, "a");
    rf_clock_fixed_pass(&s.site.clock, MINUTE);
    run_due(&s);
    for (int round = 0; round < 2; round++) {
        cr_assert(state_begin_read(s.site.state, &txn, &s.err) == RF_OK);
        for (size_t i = 0; i < RF_COUNT(spaces); i++) {
            struct state_list list;
            const struct state_scan scan = {.space = spaces[i]};
            cr_assert(state_list(txn, &scan, &s.site.arena, &list, &s.err) == RF_OK);
            cr_expect_eq(list.count > 0, round == 0, "%s", spaces[i]);
        }
        state_end(txn);
        if (round == 0)
            cr_assert(arm_delete(s.arm, RF_S(E_WS), NULL, &s.site.arena, NULL, &s.err) == RF_OK,
                      "%s", s.err.text);
    }
    run_due(&s);
    close_stage(&s);
}

Test(engine, suppression_keeps_quiet)
{
    struct stage s;
    open_stage(&s);
    char *rule = rf_arena_cstr(&s.site.arena, RF_S(RULE("T_CL", "PT5M", "PT1H", EACH)));
    cr_assert(put(&s, E_RULE, rule) == RF_OK, "%s", s.err.text);
    event(&s, now(&s) - MINUTE, "a");
    rf_clock_fixed_pass(&s.site.clock, MINUTE);
    run_due(&s);
    rf_clock_fixed_pass(&s.site.clock, 5 * MINUTE);
    run_due(&s);
    cr_expect_eq(alerts(&s, "a"), 2, "windows that overlap show a row again");
    struct json_node *body = json(&s, rule);
    (void)json_set_bool(&s.site.arena, json_get(body, "properties"), "suppressionEnabled", true);
    cr_assert(put(&s, E_RULE, rf_arena_cstr(&s.site.arena, json_to_text(&s.site.arena, body))) ==
              RF_OK);
    for (int i = 0; i < 6; i++) {
        rf_clock_fixed_pass(&s.site.clock, 5 * MINUTE);
        run_due(&s);
    }
    cr_expect_eq(alerts(&s, "a"), 3, "one more, then quiet");
    close_stage(&s);
}

static void something_happens(struct stage *s, struct rf_prng *prng)
{
    if (rf_test_below(prng, 6) == 0) restart(s);
    if (rf_test_below(prng, 9) == 0) jump(s, (rf_usec)rf_test_below(prng, 6 * 60) * MINUTE);
    if (rf_test_below(prng, 9) == 0) jump(s, -(rf_usec)rf_test_below(prng, 5 * 60) * MINUTE);
    if (rf_test_below(prng, 2) == 0) run_due(s);
    if (rf_test_below(prng, 5) != 0) return;
    run_due(s);
    run_on_demand_at(s, now(s) - (rf_usec)rf_test_below(prng, 20 * 60) * RF_USEC_PER_SECOND);
}

/* Each event leads to one alert, whenever it arrives within a day, whatever is restarted or asked for meanwhile, however late the
 * runs are and to whatever the clock is set. */
RF_PROP(engine_loses_and_repeats_nothing, 20)
{
    struct stage s;
    char name[20];
    uint32_t count = 0;
    open_stage(&s);
    cr_assert(put(&s, E_RULE, RULE("T_CL", "PT5M", "PT5M", EACH)) == RF_OK, "%s", s.err.text);
    rf_usec begin = now(&s) - 5 * MINUTE; /* of the first window */
    rf_usec last = begin;
    uint32_t steps = 5 + (uint32_t)rf_test_below(prng, 30);
    for (uint32_t i = 0; i < steps; i++) {
        rf_usec delay = (rf_usec)(uint32_t)rf_test_below(prng, 40 * 60) * RF_USEC_PER_SECOND;
        if ((uint32_t)rf_test_below(prng, 3) != 0 && now(&s) - delay >= begin) {
            (void)snprintf(name, sizeof name, "u%u", count++);
            event(&s, now(&s) - delay, name);
            last = RF_MAX(last, now(&s) - delay);
        }
        rf_clock_fixed_pass(&s.site.clock,
                            (rf_usec)(uint32_t)rf_test_below(prng, 400) * RF_USEC_PER_SECOND);
        something_happens(&s, prng);
    }
    /* Some may be of a time that comes again. */
    rf_clock_fixed_pass(&s.site.clock, RF_MAX(last - now(&s), 0) + 20 * MINUTE);
    run_due(&s);
    for (uint32_t i = 0; i < count; i++) {
        (void)snprintf(name, sizeof name, "u%u", i);
        uint32_t got = alerts(&s, name);
        cr_assert_eq(got, 1, "%s: %u alerts", name, got);
    }
    cr_assert_eq(alerts(&s, NULL), count);
    close_stage(&s);
}
