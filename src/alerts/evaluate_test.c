/* Evaluation over answers that were made by hand. */
#include "alerts/firing.h"

#include "base/encode.h"
#include "test/rf_prop.h"

#define MINUTE (60 * RF_USEC_PER_SECOND)
#define TO (DATETIME_UNIX_EPOCH + INT64_C(1000000) * TICKS_PER_MINUTE)

struct row {
    int minutes_ago;
    const char *computer;
    double value; /* NAN: null */
};
#define NONE -1e300

static const struct schema *answer_of(const struct row *list, uint32_t count, bool with_time,
                                      struct rf_arena *arena, struct rows **out)
{
    static const uint8_t types[] = {TYPE_STRING, TYPE_REAL, TYPE_DATETIME};
    struct schema *schema = rf_arena_new(arena, struct schema, 1);
    struct vec columns[3];
    uint32_t column_count = with_time ? 3 : 2;
    schema->columns = rf_arena_new(arena, struct column, 3);
    schema->count = column_count;
    schema->columns[0] = (struct column){.name = RF_S("Computer"), .type = TYPE_STRING};
    schema->columns[1] = (struct column){.name = RF_S("V"), .type = TYPE_REAL};
    schema->columns[2] = (struct column){.name = RF_S("TimeGenerated"), .type = TYPE_DATETIME};
    rf_str *names = rf_arena_new(arena, rf_str, count);
    double *values = rf_arena_new(arena, double, count);
    int64_t *times = rf_arena_new(arena, int64_t, count);
    uint8_t *nulls = rf_arena_new(arena, uint8_t, count);
    for (uint32_t i = 0; i < count; i++) {
        names[i] = rf_str_of(list[i].computer);
        values[i] = list[i].value;
        nulls[i] = list[i].value <= NONE;
        times[i] = TO - list[i].minutes_ago * TICKS_PER_MINUTE;
    }
    columns[0] = (struct vec){.type = TYPE_STRING, .shape = VEC_FLAT, .data = names};
    columns[1] = (struct vec){.type = TYPE_REAL, .shape = VEC_FLAT, .data = values, .nulls = nulls};
    columns[2] = (struct vec){.type = TYPE_DATETIME, .shape = VEC_FLAT, .data = times};
    struct batch batch = {
        .row_count = count, .column_count = column_count, .columns = columns, .arena = arena};
    *out = rows_new(arena, types, column_count);
    cr_assert(*out != NULL && (count == 0 || rows_append(*out, &batch)));
    return schema;
}

static uint32_t evaluate(const struct log_rule *rule, const struct row *list, uint32_t count,
                         bool with_time, struct rf_arena *arena, struct combination **out)
{
    struct evaluation *evaluation;
    struct rows *rows;
    struct rf_err err = {0};
    uint32_t found;
    uint64_t left_out;
    const struct schema *schema = answer_of(list, count, with_time, arena, &rows);
    cr_assert(evaluation_new(rule, arena, &evaluation, &err) == RF_OK);
    cr_assert(evaluation_add(evaluation, schema, rows, TO, -1, &err) == RF_OK, "%s", err.text);
    cr_assert(evaluation_end(evaluation, out, &found, &left_out, &err) == RF_OK);
    return found;
}

Test(evaluate, aggregates)
{
    static const struct row list[] = {{1, "a", 4}, {2, "a", 8}, {3, "b", NONE}, {4, "b", 3}};
    static const struct {
        enum log_aggregation aggregation;
        double value;
    } rows[] = {
        {LOG_COUNT, 4}, {LOG_AVERAGE, 5}, {LOG_MINIMUM, 3}, {LOG_MAXIMUM, 8}, {LOG_TOTAL, 15}};
    for (size_t i = 0; i < RF_COUNT(rows); i++) {
        RF_CLEANUP(rf_arena_done) struct rf_arena arena;
        struct combination *found;
        rf_arena_init(&arena, 64 << 20);
        struct log_rule rule = {.aggregation = rows[i].aggregation,
                                .measure = RF_S("V"),
                                .compare = LOG_EQ,
                                .threshold = rows[i].value,
                                .periods = 1,
                                .failing_min = 1,
                                .window = 5 * MINUTE};
        cr_assert(evaluate(&rule, list, RF_COUNT(list), true, &arena, &found) == 1);
        cr_expect(found[0].failing && found[0].has_value, "%s",
                  log_aggregation_name(rows[i].aggregation));
        cr_expect_float_eq(found[0].value, rows[i].value, 1e-9);
    }
}

/* No rows are none when rows are counted, and nothing when something is measured. */
Test(evaluate, no_rows)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    struct combination *found;
    rf_arena_init(&arena, 64 << 20);
    struct log_rule rule = {.aggregation = LOG_COUNT,
                            .compare = LOG_LT,
                            .threshold = 1,
                            .measure = RF_S("V"),
                            .periods = 1,
                            .failing_min = 1};
    cr_assert(evaluate(&rule, NULL, 0, true, &arena, &found) == 1);
    cr_expect(found[0].failing && found[0].value == 0);
    rule.aggregation = LOG_TOTAL;
    cr_assert(evaluate(&rule, NULL, 0, true, &arena, &found) == 1);
    cr_expect(!found[0].failing && !found[0].has_value);
}

Test(evaluate, dimensions_split)
{
    static const struct row list[] = {{1, "a", 1}, {1, "b", 1}, {2, "a", 1}, {3, "c", 1}};
    static const struct {
        bool exclude, all;
        const char *value, *found; /* names with their counts */
    } rows[] = {{false, true, "*", "a2b1c1"},
                {false, false, "A", "a2"},
                {true, false, "a", "b1c1"},
                {false, false, "z", ""}};
    for (size_t i = 0; i < RF_COUNT(rows); i++) {
        RF_CLEANUP(rf_arena_done) struct rf_arena arena;
        struct combination *found;
        rf_arena_init(&arena, 64 << 20);
        rf_str value = rf_str_of(rows[i].value);
        struct log_rule rule = {.aggregation = LOG_COUNT,
                                .compare = LOG_GT,
                                .periods = 1,
                                .failing_min = 1,
                                .dimension_count = 1};
        rule.dimensions[0] = (struct log_dimension){.name = RF_S("Computer"),
                                                    .exclude = rows[i].exclude,
                                                    .all = rows[i].all,
                                                    .values = &value,
                                                    .value_count = 1};
        uint32_t count = evaluate(&rule, list, RF_COUNT(list), false, &arena, &found);
        struct rf_buf text = rf_buf_in(&arena);
        for (uint32_t k = 0; k < count; k++)
            rf_buf_printf(&text, "%.*s%d", RF_FMT(found[k].values[0]), (int)found[k].value);
        cr_expect(rf_str_is(rf_buf_view(&text), rows[i].found), "%zu: %.*s", i,
                  RF_FMT(rf_buf_view(&text)));
    }
}

Test(evaluate, periods_count_back_from_the_end)
{
    /* Windows of 5 minutes: (0,5], (5,10], (10,15] minutes ago. */
    static const struct row list[] = {
        {1, "a", 1}, {4, "a", 1}, {6, "a", 1}, {15, "a", 1}, {16, "a", 1}};
    static const struct {
        double threshold;
        uint32_t least;
        bool failing;
        double value;
    } rows[] = {{0, 3, true, 2}, {1, 1, true, 2}, {1, 2, false, 2}, {2, 1, false, 2}};
    for (size_t i = 0; i < RF_COUNT(rows); i++) {
        RF_CLEANUP(rf_arena_done) struct rf_arena arena;
        struct combination *found;
        rf_arena_init(&arena, 64 << 20);
        struct log_rule rule = {.aggregation = LOG_COUNT,
                                .compare = LOG_GT,
                                .threshold = rows[i].threshold,
                                .periods = 3,
                                .failing_min = rows[i].least,
                                .window = 5 * MINUTE};
        cr_assert(evaluate(&rule, list, RF_COUNT(list), true, &arena, &found) == 1);
        cr_expect(found[0].failing == rows[i].failing, "%zu", i);
        cr_expect(found[0].value == rows[i].value, "%zu: %f", i, found[0].value);
    }
}

Test(evaluate, breaches_of_the_old_shape)
{
    /* In the order of time: 9, 1, 9, 9. */
    static const struct row list[] = {{1, "a", 9}, {4, "a", 9}, {3, "a", 1}, {2, "a", 9}};
    for (int on_end = 0; on_end < 2; on_end++) {
        RF_CLEANUP(rf_arena_done) struct rf_arena arena;
        struct combination *found;
        rf_arena_init(&arena, 64 << 20);
        struct log_rule rule = {.counts_breaches = true,
                                .breaches_on_end = on_end == 1,
                                .measure = RF_S("V"),
                                .compare = LOG_GT,
                                .threshold = 5,
                                .breach_operator = LOG_GT,
                                .breach_threshold = 2,
                                .periods = 1,
                                .failing_min = 1};
        cr_assert(evaluate(&rule, list, RF_COUNT(list), true, &arena, &found) == 1);
        cr_expect(found[0].failing == (on_end == 0));
        cr_expect(found[0].value == (on_end == 0 ? 3 : 2), "%f", found[0].value);
    }
}

Test(evaluate, columns_must_be_there)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    struct rows *rows;
    struct rf_err err = {0};
    rf_arena_init(&arena, 64 << 20);
    const struct schema *schema = answer_of(NULL, 0, true, &arena, &rows);
    struct log_rule rule = {.aggregation = LOG_TOTAL, .measure = RF_S("W")};
    cr_expect(evaluation_check(&rule, schema, &err) == RF_INVALID);
    cr_expect(strstr(err.text, "metricMeasureColumn") != NULL);
    rule.measure = RF_S("Computer");
    cr_expect(evaluation_check(&rule, schema, &err) == RF_INVALID);
    rule.measure = RF_S("V");
    cr_expect(evaluation_check(&rule, schema, &err) == RF_OK);
    rule.resource_column = RF_S("R");
    cr_expect(evaluation_check(&rule, schema, &err) == RF_INVALID);
    cr_expect(strstr(err.text, "resourceIdColumn") != NULL);
}

/* ---- firing ---------------------------------------------------------------------------------------------------------- */

/* `seen`: a character for each run, five minutes apart: '1' the condition is met, '0' it is not, '-' the combination is not
 * there. `done`: F fires and tells, f fires silently, R ends, '.' nothing. */
static void play(const struct log_rule *rule, const char *seen, const char *done)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    struct rule_state state = {0};
    rf_str alert = RF_S("");
    rf_arena_init(&arena, 64 << 20);
    for (size_t i = 0; seen[i] != 0; i++) {
        struct combination what = {
            .key = RF_S("1:a"), .failing = seen[i] == '1', .has_value = true};
        struct firing *firings;
        struct rf_err err = {0};
        uint32_t count;
        rf_usec now = (rf_usec)(i + 1) * 5 * MINUTE;
        cr_assert(firing_decide(rule, &state, &what, seen[i] == '-' ? 0 : 1, now, &arena, &firings,
                                &count, &err) == RF_OK);
        char got = '.';
        cr_assert(count <= 1);
        if (count == 1)
            got = firings[0].kind == FIRING_RESOLVE ? 'R' : firings[0].tells ? 'F' : 'f';
        cr_expect(got == done[i], "%s at %zu: %c", seen, i, got);
        if (got == 'F' || got == 'f') alert = firings[0].alert;
        if (got == 'R') cr_expect(rf_str_eq(firings[0].alert, alert));
    }
}

Test(firing, plays)
{
    struct log_rule rule = {
        .frequency = 5 * MINUTE, .resolve_after = 15 * MINUTE, .stateful = true};
    play(&rule, "0110001000", ".F...RF..R");
    play(&rule, "11-0-1",
         "F...R"
         "F");
    play(&rule, "1001000", "F.....R");
    rule.stateful = false;
    play(&rule, "1101-1", "FF.F.F");
    rule.mute = 10 * MINUTE;
    play(&rule, "111101", "FfFf.F");
    rule.stateful = true;
    rule.resolve_after = 5 * MINUTE;
    rule.mute = 20 * MINUTE;
    play(&rule, "101011", "FRfRF.");
}

Test(firing, what_is_remembered_comes_back)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    char folder[] = "/tmp/rf-alerts-XXXXXX";
    struct state *state;
    struct state_txn *txn;
    struct rf_err err = {0};
    rf_arena_init(&arena, 16 << 20);
    cr_assert(mkdtemp(folder) != NULL);
    const char *path = rf_arena_cstr(&arena, rf_arena_printf(&arena, "%s/state", folder));
    cr_assert(state_open(&(struct state_options){.path = path}, &state, &err) == RF_OK);
    struct series series[] = {{RF_S("1:\"a"), RF_S("id"), 7, 0}, {RF_S(""), RF_S(""), 0, 9}};
    struct rule_state put = {.next_ticks = 5, .failures = 2, .series = series, .count = 2}, got;
    cr_assert(state_begin_write(state, &txn, &err) == RF_OK);
    cr_assert(rule_state_put(txn, RF_S("k"), &put, &arena, &err) == RF_OK);
    cr_assert(state_commit(txn, &err) == RF_OK);
    cr_assert(state_begin_read(state, &txn, &err) == RF_OK);
    cr_assert(rule_state_get(txn, RF_S("k"), &arena, &got, &err) == RF_OK);
    cr_assert(got.next_ticks == 5 && got.failures == 2 && got.count == 2);
    for (uint32_t i = 0; i < 2; i++) {
        cr_expect(rf_str_eq(got.series[i].key, series[i].key));
        cr_expect(rf_str_eq(got.series[i].alert, series[i].alert));
        cr_expect(got.series[i].ok_since == series[i].ok_since);
        cr_expect(got.series[i].mute_until == series[i].mute_until);
    }
    cr_assert(rule_state_get(txn, RF_S("other"), &arena, &got, &err) == RF_OK);
    cr_expect(got.count == 0 && got.next_ticks == 0);
    state_end(txn);
    state_close(state);
    char command[100];
    snprintf(command, sizeof command, "rm -rf %s", folder);
    cr_assert(system(command) == 0);
}
