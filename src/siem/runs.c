/* runs.c - one run of a rule: the question, the alerts, the commit.
 *
 * A scheduled rule looks at windows of event time. Rows that came after the run of their window are not lost: each run asks
 * which rows have arrived since the run before and belong to windows that are over, and runs those once more. What such a run
 * showed already, it does not show again: rows are known by the columns that make their entities. */
#include "base/encode.h"
#include "base/log.h"
#include "crypt/digest.h"
#include "siem/engine_int.h"
#include "value/text.h"

enum { RUN_BYTES = 1 << 30, LATE_WINDOWS_MAX = 300 };

/* ---- asking ------------------------------------------------------------------------------------------------------------ */

enum rf_kind run_ask(struct run *run, struct answer *out, struct rf_err *err)
{
    struct engine *engine = run->engine;
    const struct place *place = &run->rule->place;
    struct ask_view *view = run->view;
    if (view == NULL)
        RF_TRY(ask_open(engine->options.tables, place->guid, place->name, NULL, 0, &view, err));
    run->ask.memory_bytes = RULE_MEMORY_BYTES;
    run->ask.row_max = RULE_ROWS_MAX;
    run->ask.cancelled = &run->rule->cancelled;
    enum rf_kind kind = ask_run(view, &run->ask, run->arena, out, err);
    if (view != run->view) ask_close(view);
    return kind;
}

/* ---- committing -------------------------------------------------------------------------------------------------------- */

static struct incident_place incident_place_of(const struct run *run)
{
    const struct site *site = run->engine->options.site;
    return (struct incident_place){.workspace_id = run->rule->place.guid,
                                   .workspace = run->rule->place.id,
                                   .tenant_id = site->tenant_id,
                                   .origin = site->origin};
}

static enum rf_kind take_alerts(struct run *run, struct state_txn *txn, const struct alert *alerts,
                                uint32_t count, rf_usec now, struct rf_err *err)
{
    struct incident_place place = incident_place_of(run);
    for (uint32_t i = 0; i < count; i++) {
        bool created;
        RF_TRY(incident_take_alert(txn, &place, &run->rule->rule, run->rule->id, &alerts[i], now,
                                   run->arena, NULL, &created, err));
    }
    return RF_OK;
}

enum rf_kind run_commit(struct run *run, const struct answer *answer, bool triggers,
                        uint32_t *alert_count, struct rf_err *err)
{
    struct engine *engine = run->engine;
    const struct place *place = &run->rule->place;
    struct alert *alerts = NULL;
    rf_usec now = rf_clock_now(engine->options.clock);
    struct alert_run about = {.workspace_id = place->guid,
                              .subscription_id = place->subscription,
                              .group = place->group,
                              .rule_resource_id = run->rule->id,
                              .run_id = run->run_id,
                              .from_ticks = run->from_ticks,
                              .to_ticks = run->to_ticks,
                              .now = now};
    *alert_count = 0;
    if (triggers) {
        RF_TRY(alerts_make(&run->rule->rule, &about, &answer->schema, answer->rows, run->arena,
                           &alerts, alert_count, err));
    }
    RF_CLEANUP(state_end_cleanup) struct state_txn *txn = NULL;
    RF_TRY(state_begin_write(engine->options.state, &txn, err));
    RF_TRY(take_alerts(run, txn, alerts, *alert_count, now, err));
    RF_TRY(position_put(txn, run->rule->key, &run->position, run->arena, err));
    RF_TRY(state_finish(&txn, err));
    if (*alert_count > 0) engine_outbox_filled(engine);
    return RF_OK;
}

/* ---- by what rows are known ------------------------------------------------------------------------------------------ */

/* Marks the columns that make entities; all columns when the rule maps none. */
static bool *key_columns(const struct rule *rule, const struct schema *schema,
                         struct rf_arena *arena)
{
    bool *is_key = rf_arena_new(arena, bool, schema->count), any = false;
    if (is_key == NULL) return NULL;
    for (uint32_t e = 0; e < rule->entity_count; e++)
        for (uint32_t f = 0; f < rule->entities[e].field_count; f++) {
            int at = schema_find(schema, rule->entities[e].fields[f].column);
            if (at < 0) continue;
            is_key[at] = any = true;
        }
    for (uint32_t c = 0; c < schema->count && !any; c++) is_key[c] = true;
    return is_key;
}

/* Goes to the disk. */
static uint64_t key_of_text(rf_str text)
{
    uint8_t digest[SHA256_BYTES];
    uint64_t key;
    digest_sha256(text, digest);
    memcpy(&key, digest, sizeof key);
    return key;
}

/* A key for each row; NULL: no memory. */
static uint64_t *row_keys(const struct rule *rule, const struct answer *answer,
                          struct rf_arena *arena)
{
    uint64_t count = rows_count(answer->rows);
    bool *is_key = key_columns(rule, &answer->schema, arena);
    uint64_t *keys = rf_arena_new(arena, uint64_t, count);
    if (keys == NULL || is_key == NULL) return NULL;
    for (uint64_t row = 0; row < count; row++) {
        struct rf_buf text = rf_buf_in(arena);
        for (uint32_t c = 0; c < answer->schema.count; c++) {
            if (!is_key[c]) continue;
            struct value v = rows_value(answer->rows, row, c);
            text_put_value(&text, &v);
            rf_buf_byte(&text, 0);
        }
        if (text.failed) return NULL;
        keys[row] = key_of_text(rf_buf_view(&text));
    }
    return keys;
}

static int64_t shown_as(const struct run *run)
{
    return run->stands_for != 0 ? run->stands_for : run->to_ticks;
}

/* The rows that a run with this end did not show before, as an answer of their own. */
static enum rf_kind new_rows(struct run *run, const struct answer *in, const uint64_t *keys,
                             struct answer *out, uint64_t *kept_keys, struct rf_err *err)
{
    uint64_t count = rows_count(in->rows), kept = 0;
    uint64_t *numbers = rf_arena_new(run->arena, uint64_t, count);
    uint8_t *types = rf_arena_new(run->arena, uint8_t, in->schema.count);
    if (numbers == NULL || types == NULL) return rf_fail_memory(err, run->arena);
    for (uint64_t row = 0; row < count; row++) {
        if (position_shown(&run->position, shown_as(run), keys[row])) continue;
        kept_keys[kept] = keys[row];
        numbers[kept++] = row;
    }
    *out = *in;
    for (uint32_t c = 0; c < in->schema.count; c++) types[c] = in->schema.columns[c].type;
    out->rows = rows_new(run->arena, types, in->schema.count);
    if (out->rows == NULL) return rf_fail_memory(err, run->arena);
    for (uint64_t from = 0; from < kept; from += BATCH_ROWS) {
        struct batch batch;
        uint32_t n = (uint32_t)RF_MIN(kept - from, (uint64_t)BATCH_ROWS);
        if (!rows_gather(in->rows, numbers + from, n, run->arena, &batch) ||
            !rows_append(out->rows, &batch))
            return rf_fail_memory(err, run->arena);
    }
    return RF_OK;
}

/* ---- windows ------------------------------------------------------------------------------------------------------------ */

static void set_window(struct run *run, int64_t from_ticks, int64_t to_ticks)
{
    run->from_ticks = run->ask.from_ticks = from_ticks;
    run->to_ticks = run->ask.to_ticks = to_ticks;
    run->ask.has_timespan = true;
    run->ask.now_ticks = to_ticks;
    run->ask.text = run->rule->rule.query;
}

/* A window that is run again, with rows that came meanwhile, raises alerts of other ids than before. */
static enum rf_kind name_again(struct run *run, struct rf_err *err)
{
    uint32_t shown = position_shown_count(&run->position, shown_as(run));
    if (shown == 0) return RF_OK;
    run->run_id = rf_arena_printf(run->arena, "%.*s/%u", RF_FMT(run->run_id), shown);
    return run->run_id.ptr == NULL ? rf_fail_memory(err, run->arena) : RF_OK;
}

/* Makes alerts of the window's answer: for rows that no run of this window showed. */
static enum rf_kind show_window(struct run *run, const struct answer *answer, struct run_end *end,
                                struct rf_err *err)
{
    const struct rule *rule = &run->rule->rule;
    uint64_t count = rows_count(answer->rows);
    bool triggers = rule_triggers(rule, count);
    struct answer fresh = *answer;
    end->row_count += count;
    if (triggers && count > 0) {
        uint64_t *keys = row_keys(rule, answer, run->arena);
        uint64_t *kept = rf_arena_new(run->arena, uint64_t, count);
        if (keys == NULL || kept == NULL) return rf_fail_memory(err, run->arena);
        RF_TRY(new_rows(run, answer, keys, &fresh, kept, err));
        triggers = rows_count(fresh.rows) > 0;
        RF_TRY(name_again(run, err));
        if (!position_note(&run->position, shown_as(run), kept, (uint32_t)rows_count(fresh.rows),
                           run->to_ticks - RULE_LATE_TICKS - rule->period_ticks, run->arena))
            return rf_fail_memory(err, run->arena);
    }
    if (triggers && rule->suppression)
        run->position.quiet_until = rf_clock_now(run->engine->options.clock) +
                                    rule->suppression_ticks / TICKS_PER_MICROSECOND;
    uint32_t alerts;
    RF_TRY(run_commit(run, &fresh, triggers, &alerts, err));
    end->alert_count += alerts;
    return RF_OK;
}

/* The ends of windows that are over, as the rule's schedule has them, and into which rows fell that arrived in (after, until], ascending; of table `name`. */
static enum rf_kind late_windows(struct run *run, rf_str name, int64_t after, int64_t until,
                                 int64_t **ends, uint32_t *count, struct rf_err *err)
{
    const struct rule *rule = &run->rule->rule;
    int64_t frequency = rule->frequency_ticks, from = run->from_ticks;
    rf_str text = rf_arena_printf(
        run->arena,
        "table('%.*s') | where isnotnull(TimeGenerated) | summarize by late = "
        "bin_at(TimeGenerated, %lld * 1tick, datetime(0001-01-01) + %lld * 1tick) | sort by late "
        "asc | take %d",
        RF_FMT(name), (long long)frequency, (long long)shown_as(run), LATE_WINDOWS_MAX);
    if (text.ptr == NULL) return rf_fail_memory(err, run->arena);
    struct run late = *run;
    struct answer answer;
    late.ask = (struct ask){.text = text,
                            .now_ticks = run->ask.now_ticks,
                            .has_timespan = true,
                            .from_ticks = from - RULE_LATE_TICKS,
                            .to_ticks = from,
                            .has_ingested = true,
                            .after_ticks = after,
                            .until_ticks = until};
    RF_TRY(run_ask(&late, &answer, err));
    uint64_t n = rows_count(answer.rows);
    int64_t *list = rf_arena_new(run->arena, int64_t, *count + n);
    if (list == NULL) return rf_fail_memory(err, run->arena);
    if (*count > 0) memcpy(list, *ends, *count * sizeof *list);
    for (uint64_t i = 0; i < n; i++) {
        struct value v = rows_value(answer.rows, i, 0);
        if (v.null) continue;
        int64_t to = v.i + rule->period_ticks / frequency * frequency;
        uint32_t at = 0;
        while (at < *count && list[at] != to) at++;
        if (at == *count && to < shown_as(run)) list[(*count)++] = to;
    }
    *ends = list;
    return RF_OK;
}

/* Runs the windows of late rows once more. The last one settles: what stopped before looks for all of them again. */
static enum rf_kind run_late(struct run *run, const int64_t *ends, uint32_t count, int64_t until,
                             struct run_end *end, struct rf_err *err)
{
    int64_t period = run->rule->rule.period_ticks;
    for (uint32_t i = 0; i < count; i++) {
        struct run again = *run;
        struct answer answer;
        again.stands_for = 0;
        if (i + 1 == count) again.position.settled_ticks = until;
        set_window(&again, ends[i] - period, ends[i]);
        again.run_id =
            rf_arena_printf(run->arena, "%lld/late/%lld", (long long)ends[i], (long long)until);
        if (again.run_id.ptr == NULL) return rf_fail_memory(err, run->arena);
        RF_TRY(run_ask(&again, &answer, err));
        RF_TRY(show_window(&again, &answer, end, err));
        run->position = again.position;
    }
    return RF_OK;
}

/* ---- one run ------------------------------------------------------------------------------------------------------------ */

static bool is_for_good(enum rf_kind kind)
{
    return kind == RF_INVALID || kind == RF_NOT_FOUND || kind == RF_DENIED || kind == RF_CONFLICT;
}

/* The first window that has not been run; windows that nobody can want any more are left out. */
static int64_t next_of(const struct rule *rule, int64_t to_ticks, int64_t now_ticks)
{
    int64_t next = to_ticks + rule->frequency_ticks;
    if (now_ticks - next > rule->frequency_ticks * CATCH_UP_RUNS_MAX)
        next = now_ticks - rule->frequency_ticks * CATCH_UP_RUNS_MAX;
    return next;
}

static enum rf_kind load_position(struct run *run, struct rf_err *err)
{
    RF_CLEANUP(state_end_cleanup) struct state_txn *txn = NULL;
    RF_TRY(state_begin_read(run->engine->options.state, &txn, err));
    return position_get(txn, run->rule->key, run->arena, &run->position, err);
}

static enum rf_kind store_position(struct run *run, struct rf_err *err)
{
    uint32_t none;
    return run_commit(run, NULL, false, &none, err);
}

/* Whether suppression lets the run out. */
static bool is_quiet(const struct run *run)
{
    return run->rule->rule.suppression &&
           rf_clock_now(run->engine->options.clock) < run->position.quiet_until;
}

static enum rf_kind run_due(struct run *run, int64_t to_ticks, int64_t period, bool with_late,
                            struct run_end *end, struct rf_err *err)
{
    struct engine *engine = run->engine;
    struct answer answer;
    int64_t settled, before = run->position.settled_ticks, *ends = NULL;
    uint32_t count = 0;
    RF_TRY(tables_settled(engine->options.tables, run->rule->place.guid, &settled, err));
    /* Rows that came up to `settled` are seen by this run when its window, or one that it runs once more, has them. A run on
     * demand looks at its own window alone and settles nothing. */
    if (with_late) run->position.settled_ticks = settled;
    if (is_quiet(run)) return store_position(run, err);
    set_window(run, to_ticks - period, to_ticks);
    RF_TRY(run_ask(run, &answer, err));
    bool any_late = with_late && before != 0 && before < settled;
    for (uint32_t i = 0; i < answer.table_count && any_late; i++)
        RF_TRY(late_windows(run, answer.tables[i], before, settled, &ends, &count, err));
    if (count > 0) run->position.settled_ticks = before;
    RF_TRY(show_window(run, &answer, end, err));
    return run_late(run, ends, count, settled, end, err);
}

static void run_whole(struct run *run, int64_t to_ticks, int64_t period, bool with_late,
                      struct run_end *end)
{
    struct engine *engine = run->engine;
    rf_usec begun = rf_clock_elapsed(engine->options.clock);
    uint32_t failures = run->position.failures;
    run->position.failures = 0;
    end->kind = run_due(run, to_ticks, period, with_late, end, &end->err);
    end->duration = rf_clock_elapsed(engine->options.clock) - begun;
    if (end->kind == RF_OK) return;
    end->for_good = is_for_good(end->kind);
    if (!end->for_good) return; /* the same window is run again */
    struct rf_err ignored;
    struct run failed = *run;
    if (load_position(&failed, &ignored) != RF_OK) return;
    failed.position.next_ticks = run->position.next_ticks;
    failed.position.failures = failures + 1;
    run->position = failed.position;
    if (store_position(&failed, &ignored) != RF_OK)
        rf_log(RF_ERROR, "siem.position_lost", RF_KV_STR("rule", run->rule->id),
               RF_KV_STR("error", rf_str_of(ignored.text)));
    if (failed.position.failures >= RULE_FAILURES_MAX) health_disable(engine, run->rule, &end->err);
}

void run_scheduled(struct engine *engine, struct engine_rule *rule, int64_t to_ticks,
                   int64_t *next_ticks, struct run_end *end)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, RUN_BYTES);
    struct run run = {.engine = engine, .rule = rule, .arena = &arena};
    *end = (struct run_end){0};
    *next_ticks = next_of(&rule->rule, to_ticks, ticks_of(rf_clock_now(engine->options.clock)));
    run.run_id = rf_arena_printf(&arena, "%lld", (long long)to_ticks);
    end->kind = load_position(&run, &end->err);
    if (end->kind != RF_OK) return;
    run.position.next_ticks = *next_ticks;
    run_whole(&run, to_ticks, rule->rule.period_ticks, true, end);
    health_run(engine, rule, end, to_ticks - rule->rule.period_ticks, to_ticks);
}

void run_on_demand(struct engine *engine, struct engine_rule *rule, rf_usec at, int64_t *next_ticks,
                   struct run_end *end)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, RUN_BYTES);
    struct run run = {.engine = engine, .rule = rule, .arena = &arena};
    int64_t to = ticks_of(at), period = rule->rule.period_ticks, due = *next_ticks;
    *end = (struct run_end){0};
    end->kind = load_position(&run, &end->err);
    if (end->kind != RF_OK) return;
    /* The scheduled run that waits for its time has nothing left to do when its window is in this one. */
    bool for_both = due != 0 && due <= to && to - due < rule->rule.frequency_ticks;
    if (for_both) {
        period += to - due;
        run.stands_for = due;
        *next_ticks = next_of(&rule->rule, due, to);
    }
    run.position.next_ticks = *next_ticks;
    run.run_id =
        rf_arena_printf(&arena, "%lld/%s", (long long)to, for_both ? "early" : "on-demand");
    run_whole(&run, to, period, for_both, end);
    health_run(engine, rule, end, to - period, to);
}
