/* runs.c - one run of a rule: the question, the alerts, the commit.
 *
 * A scheduled rule looks at windows of event time. Rows that came after the run of their window are not lost: each run asks
 * which rows have arrived since the run before and belong to windows that are over, and runs those once more. What such a run
 * showed already, it does not show again: rows of a query that treats each row by itself are known by all their columns, others
 * by the columns that make their entities.
 *
 * A run on demand looks at a window that the schedule does not have, which reaches into two that it has: what these
 * showed it does not show again, and what it shows they will not show. */
#include "base/encode.h"
#include "base/log.h"
#include "siem/engine_int.h"
#include "value/text.h"

enum { RUN_BYTES = 1 << 30 };

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

/* Marks the columns that make entities; all columns when the rule maps none, or when no other row changes them. */
static bool *key_columns(const struct run *run, const struct schema *schema)
{
    const struct rule *rule = &run->rule->rule;
    bool *is_key = rf_arena_new(run->arena, bool, schema->count), any = false;
    if (is_key == NULL) return NULL;
    for (uint32_t e = 0; e < rule->entity_count && !run->rule->by_rows; e++)
        for (uint32_t f = 0; f < rule->entities[e].field_count; f++) {
            int at = schema_find(schema, rule->entities[e].fields[f].column);
            if (at < 0) continue;
            is_key[at] = any = true;
        }
    for (uint32_t c = 0; c < schema->count && !any; c++) is_key[c] = true;
    return is_key;
}

/* Keys of the first `count` rows; NULL: no memory. */
static uint64_t *row_keys(const struct run *run, const struct answer *answer, uint64_t count)
{
    bool *is_key = key_columns(run, &answer->schema);
    uint64_t *keys = rf_arena_new(run->arena, uint64_t, count);
    struct rf_buf text = rf_buf_in(run->arena);
    if (keys == NULL || is_key == NULL) return NULL;
    for (uint64_t row = 0; row < count; row++) {
        text.len = 0;
        for (uint32_t c = 0; c < answer->schema.count; c++) {
            if (!is_key[c]) continue;
            struct value v = rows_value(answer->rows, row, c);
            text_put_value(&text, &v);
            rf_buf_byte(&text, 0);
        }
        if (text.failed) return NULL;
        keys[row] = shown_key(rf_buf_view(&text));
    }
    return keys;
}

static const struct shown_window *window_of(const struct run *run, uint32_t at)
{
    return at < run->window_count ? shown_find(&run->position.shown, run->windows[at]) : NULL;
}

/* The rows that the run's windows did not show before, as an answer of their own; kept_keys are theirs. */
static enum rf_kind new_rows(struct run *run, const struct answer *in, struct answer *out,
                             uint64_t *kept_keys, uint64_t *kept_count, struct rf_err *err)
{
    uint64_t count = rows_count(in->rows), kept = 0;
    struct shown_meter meter;
    uint64_t *keys = row_keys(run, in, count);
    uint64_t *numbers = rf_arena_new(run->arena, uint64_t, count);
    uint8_t *types = rf_arena_new(run->arena, uint8_t, in->schema.count);
    if (keys == NULL || numbers == NULL || types == NULL ||
        !shown_meter(window_of(run, 0), window_of(run, 1), run->arena, &meter))
        return rf_fail_memory(err, run->arena);
    for (uint64_t row = 0; row < count; row++) {
        if (shown_meet(&meter, keys[row])) continue;
        kept_keys[kept] = keys[row];
        numbers[kept++] = row;
    }
    *out = *in;
    *kept_count = kept;
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

/* As many windows as late rows can make run again, and those that are open. */
static uint32_t windows_kept(const struct run *run)
{
    const struct rule *rule = &run->rule->rule;
    int64_t span = run->engine->late_ticks + rule->period_ticks;
    return (uint32_t)RF_MIN(span / rule->frequency_ticks + 4, (int64_t)INT32_MAX);
}

/* Leaves what no window of the run showed, and remembers it. */
static enum rf_kind leave_new(struct run *run, const struct answer *answer, struct answer *fresh,
                              struct rf_err *err)
{
    uint64_t count = rows_count(answer->rows);
    bool first = window_of(run, 0) == NULL && window_of(run, 1) == NULL;
    uint64_t *keys = rf_arena_new(run->arena, uint64_t, count);
    *fresh = *answer;
    if (first) { /* more are not remembered, so nobody need know them */
        count = RF_MIN(count, (uint64_t)SHOWN_KEYS_MAX);
        keys = row_keys(run, answer, count);
    }
    if (keys == NULL) return rf_fail_memory(err, run->arena);
    if (!first) RF_TRY(new_rows(run, answer, fresh, keys, &count, err));
    for (uint32_t i = 0; i < run->window_count; i++)
        if (!shown_note(&run->position.shown, run->windows[i], keys, (uint32_t)count,
                        windows_kept(run), run->arena))
            return rf_fail_memory(err, run->arena);
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
    uint32_t shown = 0;
    for (uint32_t i = 0; i < run->window_count; i++)
        if (window_of(run, i) != NULL) shown += window_of(run, i)->count;
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
        RF_TRY(name_again(run, err));
        RF_TRY(leave_new(run, answer, &fresh, err));
        triggers = rows_count(fresh.rows) > 0;
    }
    if (triggers && rule->suppression)
        run->position.quiet_until = rf_clock_now(run->engine->options.clock) +
                                    rule->suppression_ticks / TICKS_PER_MICROSECOND;
    uint32_t alerts;
    RF_TRY(run_commit(run, &fresh, triggers, &alerts, err));
    end->alert_count += alerts;
    return RF_OK;
}

static enum rf_kind find_late(struct run *run, const struct answer *answer, int64_t after,
                              int64_t until, int64_t **ends, uint32_t *count, struct rf_err *err)
{
    const struct rule *rule = &run->rule->rule;
    const struct late_question question = {.origin_ticks = run->windows[0],
                                           .step_ticks = rule->frequency_ticks,
                                           .period_ticks = rule->period_ticks,
                                           .from_ticks = run->from_ticks - run->engine->late_ticks,
                                           .before_ticks = run->from_ticks,
                                           .after_ticks = after,
                                           .until_ticks = until,
                                           .now_ticks = run->ask.now_ticks,
                                           .memory_bytes = RULE_MEMORY_BYTES,
                                           .cancelled = &run->rule->cancelled};
    return late_windows(run->view, &question, answer->tables, answer->table_count, run->arena, ends,
                        count, err);
}

/* Runs the windows of late rows once more. The last one settles: what stopped before looks for all of them again. */
static enum rf_kind run_late(struct run *run, const int64_t *ends, uint32_t count, int64_t until,
                             struct run_end *end, struct rf_err *err)
{
    int64_t period = run->rule->rule.period_ticks;
    for (uint32_t i = 0; i < count; i++) {
        struct run again = *run;
        struct answer answer;
        again.windows[0] = ends[i];
        again.window_count = 1;
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

/* Whether suppression lets the run out. The clock may have been set back since: nothing is quiet for longer than it says. */
static bool is_quiet(const struct run *run)
{
    const struct rule *rule = &run->rule->rule;
    rf_usec left = run->position.quiet_until - rf_clock_now(run->engine->options.clock);
    return rule->suppression && left > 0 && left <= rule->suppression_ticks / TICKS_PER_MICROSECOND;
}

static enum rf_kind run_in_view(struct run *run, int64_t to_ticks, int64_t period, int64_t after,
                                int64_t settled, struct run_end *end, struct rf_err *err)
{
    struct answer answer;
    int64_t *ends = NULL;
    uint32_t count = 0;
    if (!run->rule->looked_at) engine_look_at_query(run->engine, run->rule, run->view, run->arena);
    set_window(run, to_ticks - period, to_ticks);
    RF_TRY(run_ask(run, &answer, err));
    if (after != 0 && after < settled)
        RF_TRY(find_late(run, &answer, after, settled, &ends, &count, err));
    if (count > 0) run->position.settled_ticks = after;
    RF_TRY(show_window(run, &answer, end, err));
    return run_late(run, ends, count, settled, end, err);
}

static enum rf_kind run_due(struct run *run, int64_t to_ticks, int64_t period, bool with_late,
                            struct run_end *end, struct rf_err *err)
{
    struct engine *engine = run->engine;
    const struct place *place = &run->rule->place;
    int64_t settled, before = run->position.settled_ticks;
    RF_TRY(tables_settled(engine->options.tables, place->guid, &settled, err));
    /* Rows that came up to `settled` are seen by this run when its window, or one that it runs once more, has them. A run on
     * demand looks at its own window alone and settles nothing. */
    if (with_late) run->position.settled_ticks = settled;
    if (is_quiet(run)) return store_position(run, err);
    RF_TRY(ask_open(engine->options.tables, place->guid, place->name, NULL, 0, &run->view, err));
    enum rf_kind kind =
        run_in_view(run, to_ticks, period, with_late ? before : 0, settled, end, err);
    ask_close(run->view);
    run->view = NULL;
    return kind;
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
    struct run run = {
        .engine = engine, .rule = rule, .arena = &arena, .windows = {to_ticks}, .window_count = 1};
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
    int64_t to = ticks_of(at);
    int64_t frequency = rule->rule.frequency_ticks, period = rule->rule.period_ticks;
    int64_t due = *next_ticks;
    int64_t since = (to - due) % frequency; /* the end of a window of the schedule */
    if (since < 0) since += frequency;
    *end = (struct run_end){0};
    end->kind = load_position(&run, &end->err);
    if (end->kind != RF_OK) return;
    run.windows[run.window_count++] = to - since;
    if (since > 0) run.windows[run.window_count++] = to - since + frequency;
    /* The scheduled run that waits for its time has nothing left to do when its window is in this one. (When that time is yet to
     * come, the schedule comes back to it, and the window shows what is new by then.) */
    bool for_both = due <= to && to - due < frequency;
    if (for_both) {
        period += since;
        *next_ticks = next_of(&rule->rule, due, to);
    }
    run.position.next_ticks = *next_ticks;
    run.run_id =
        rf_arena_printf(&arena, "%lld/%s", (long long)to, for_both ? "early" : "on-demand");
    run_whole(&run, to, period, for_both, end);
    health_run(engine, rule, end, to - period, to);
}
