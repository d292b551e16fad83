/* world_test.c - worlds: recordings that arrive, rules that run at the times of a clock, and always with the same outcome. */
#include "lab/world.h"

#include <stdlib.h>

#include "base/fs.h"
#include "base/yaml_tree.h"
#include "lab/recording.h"
#include "siem/rule.h"
#include "test/rf_prop.h"

#define MINUTE (60 * RF_USEC_PER_SECOND)
#define START (INT64_C(1717416000) * RF_USEC_PER_SECOND) /* 2024-06-03T12:00:00Z */

struct stage {
    struct rf_arena arena;
    struct lab_world *world;
    struct lab_recording recording;
    struct lab_tape tape;
    struct rf_err err;
};

static const char *rows_file(struct stage *s, const char *text)
{
    rf_str path = rf_arena_printf(&s->arena, "%s/rows.jsonl", lab_world_folder(s->world));
    cr_assert(rf_fs_replace(rf_fs_real(), (const char *)path.ptr, rf_str_of(text), &s->err) ==
              RF_OK);
    return (const char *)path.ptr;
}

static void open_stage(struct stage *s, bool no_suppression)
{
    memset(s, 0, sizeof *s);
    rf_arena_init(&s->arena, 256 << 20);
    const struct lab_world_options options = {.start = START, .no_suppression = no_suppression};
    cr_assert(lab_world_new(&options, &s->world, &s->err) == RF_OK, "%s", s->err.text);
    s->tape.arena = &s->arena;
}

static void read_rows(struct stage *s, const char *text, struct lab_arrival arrival)
{
    const struct lab_source from = {.table = RF_S("T_CL"), .path = rows_file(s, text)};
    cr_assert(lab_recording_read(s->world, &from, &s->arena, &s->recording, &s->err) == RF_OK, "%s",
              s->err.text);
    cr_assert(lab_tape_add(&s->tape, &s->recording, &arrival, START, RF_USEC_PER_SECOND, &s->err) ==
              RF_OK);
    lab_tape_sort(&s->tape);
}

static void close_stage(struct stage *s)
{
    char folder[300];
    (void)snprintf(folder, sizeof folder, "%s", lab_world_folder(s->world));
    lab_world_free(s->world);
    cr_expect(!rf_fs_exists(rf_fs_real(), folder), "the folder is gone");
    rf_arena_done(&s->arena);
}

static enum rf_kind add_rule(struct stage *s, const char *query, const char *more)
{
    struct json_node *yaml, *document;
    rf_str id;
    rf_str text = rf_arena_printf(
        &s->arena,
        "id: r1\nname: rule\nseverity: Low\nqueryFrequency: 5m\nqueryPeriod: 5m\ntriggerOperator: "
        "gt\ntriggerThreshold: 0\nquery: '%s'\n%s",
        query, more);
    cr_assert(yaml_parse_texts(text, &s->arena, &yaml, &s->err) == RF_OK, "%s", s->err.text);
    cr_assert(rule_from_yaml(yaml, &s->arena, &document, &id, &s->err) == RF_OK, "%s", s->err.text);
    return lab_world_add_rule(s->world, document, id, &s->err);
}

static struct json_node *outcome(struct stage *s)
{
    struct json_node *out;
    cr_assert(lab_world_outcome(s->world, &s->arena, &out, &s->err) == RF_OK, "%s", s->err.text);
    return out;
}

static uint32_t alerts(struct stage *s) { return json_get(outcome(s), "alerts")->count; }

#define ROWS                                                                                       \
    "{\"TimeGenerated\":\"2024-06-03T12:01:00Z\",\"User\":\"ann\",\"n\":1}\n"                      \
    "{\"TimeGenerated\":\"2024-06-03T12:07:00Z\",\"User\":\"bob\",\"n\":2}\n"

Test(lab_world, rows_arrive_and_rules_run)
{
    struct stage s;
    open_stage(&s, false);
    read_rows(&s, ROWS, (struct lab_arrival){.column = -1});
    cr_assert(add_rule(&s, "T_CL | where n > 0", "") == RF_OK, "%s", s.err.text);
    cr_assert(lab_tape_play(&s.tape, s.world, START + 5 * MINUTE, &s.err) == RF_OK);
    cr_expect_eq(alerts(&s), 0, "the run waits for the delay");
    cr_assert(lab_tape_play(&s.tape, s.world, START + 6 * MINUTE, &s.err) == RF_OK);
    cr_expect_eq(alerts(&s), 1);
    cr_assert(lab_tape_play(&s.tape, s.world, START + 30 * MINUTE, &s.err) == RF_OK);
    cr_expect_eq(alerts(&s), 2);
    cr_expect_eq(json_get(outcome(&s), "incidents")->count, 2);
    cr_expect_eq(lab_world_now(s.world), START + 30 * MINUTE);
    close_stage(&s);
}

Test(lab_world, suppression_can_be_left_out)
{
    for (int without = 0; without < 2; without++) {
        struct stage s;
        open_stage(&s, without == 1);
        read_rows(&s, ROWS, (struct lab_arrival){.column = -1});
        cr_assert(add_rule(&s, "T_CL", "suppressionEnabled: true\nsuppressionDuration: 1h\n") ==
                      RF_OK,
                  "%s", s.err.text);
        cr_assert(lab_tape_play(&s.tape, s.world, START + 30 * MINUTE, &s.err) == RF_OK);
        cr_expect_eq(alerts(&s), without == 1 ? 2 : 1);
        close_stage(&s);
    }
}

Test(lab_world, says_what_the_api_says)
{
    struct stage s;
    open_stage(&s, false);
    read_rows(&s, ROWS, (struct lab_arrival){.column = -1});
    cr_expect(add_rule(&s, "T_CL | where Nothing > 0", "") == RF_INVALID);
    cr_expect(strstr(s.err.text, "Nothing") != NULL, "%s", s.err.text);
    cr_expect(add_rule(&s, "T_CL", "suppressionEnabled: true\nsuppressionDuration: 90d\n") ==
              RF_INVALID);
    close_stage(&s);
}

Test(lab_world, knows_what_a_query_reads)
{
    struct stage s;
    struct lab_read *reads;
    uint32_t count;
    open_stage(&s, false);
    read_rows(&s, ROWS, (struct lab_arrival){.column = -1});
    cr_assert(lab_world_reads(s.world, RF_S("T_CL | where n > 1 | summarize count() by User"),
                              &s.arena, &reads, &count, &s.err) == RF_OK);
    cr_assert_eq(count, 1);
    cr_expect(rf_str_is(reads[0].table, "T_CL"));
    cr_expect_eq(reads[0].column_count, 2);
    cr_expect(lab_world_reads(s.world, RF_S("Nowhere"), &s.arena, &reads, &count, &s.err) != RF_OK);
    close_stage(&s);
}

/* A recording that is broken or fits nothing is an error that says so. */
Test(lab_recording, errors)
{
    static const struct {
        const char *text, *table, *time, *transform, *has;
    } cases[] = {
        {ROWS, "T_CL", "Nope", NULL, "no column 'Nope'"},
        {ROWS, "T_CL", NULL, "source | where Nope == 1", "Nope"},
        {"{\"q\":1}\n", "SigninLogs", NULL, NULL, "no column of it is one of the table"},
    };
    for (size_t i = 0; i < RF_COUNT(cases); i++) {
        struct stage s;
        open_stage(&s, false);
        rf_str time = rf_str_of(cases[i].time == NULL ? "" : cases[i].time);
        const struct lab_source from = {
            .table = rf_str_of(cases[i].table),
            .path = rows_file(&s, cases[i].text),
            .times = &time,
            .time_count = time.len > 0,
            .transform = rf_str_of(cases[i].transform == NULL ? "" : cases[i].transform)};
        cr_expect(lab_recording_read(s.world, &from, &s.arena, &s.recording, &s.err) == RF_INVALID);
        cr_expect(strstr(s.err.text, cases[i].has) != NULL, "%s", s.err.text);
        close_stage(&s);
    }
}

/* Whatever the rows and their delays: two worlds tell the same, each bad row is shown, and the tape plays all. */
RF_PROP(lab_worlds_are_alike, 12)
{
    struct json_node *outcomes[2];
    struct stage s[2];
    char text[8192];
    size_t len = 0;
    uint32_t count = 1 + (uint32_t)rf_test_below(prng, 20), bad = 0;
    struct lab_arrival arrival = {.column = -1,
                                  .delay = (rf_usec)rf_test_below(prng, 20) * MINUTE,
                                  .jitter = (rf_usec)rf_test_below(prng, 20) * MINUTE,
                                  .seed = rf_test_below(prng, 1000)};
    for (uint32_t i = 0; i < count; i++) {
        bool is_bad = rf_test_below(prng, 2) == 0;
        bad += is_bad;
        len += (size_t)snprintf(
            text + len, sizeof text - len,
            "{\"TimeGenerated\":\"2024-06-03T12:%02u:00Z\",\"User\":\"u%u\",\"n\":%d}\n",
            (unsigned)rf_test_below(prng, 30), i, is_bad);
    }
    for (int w = 0; w < 2; w++) {
        open_stage(&s[w], false);
        read_rows(&s[w], text, arrival);
        cr_assert(add_rule(&s[w], "T_CL | where n > 0",
                           "eventGroupingSettings:\n  aggregationKind: AlertPerResult\n") == RF_OK,
                  "%s", s[w].err.text);
        cr_assert(lab_tape_play(&s[w].tape, s[w].world, START + 100 * MINUTE, &s[w].err) == RF_OK);
        cr_assert_eq(s[w].tape.played, count);
        outcomes[w] = outcome(&s[w]);
    }
    cr_assert(json_equal(outcomes[0], outcomes[1]));
    cr_assert_eq(json_get(outcomes[0], "alerts")->count, bad);
    for (int w = 0; w < 2; w++) close_stage(&s[w]);
}
