/* run.c - one run of a rule: the questions, the evaluation, the commit. */
#include "alerts/alerts_int.h"
#include "base/log.h"

enum { ROWS_MAX = 500000, FAILURES_SAID_MAX = 5 };

/* A window's answer, and those of windows that rows came to late, oldest first. */
struct look {
    int64_t to_ticks;
    struct combination *found;
    uint32_t count;
};
struct findings {
    struct look now, *late;
    uint32_t late_count;
    int64_t settled; /* arrivals that were seen */
};
#define RUN_MEMORY_BYTES ((size_t)1 << 30)

static enum rf_kind ask_window(struct rule_run *run, struct ask_view *view, int64_t from_ticks,
                               int64_t to_ticks, struct answer *out, struct rf_err *err)
{
    const struct ask ask = {.text = run->rule->query,
                            .now_ticks = run->to_ticks,
                            .has_timespan = true,
                            .from_ticks = from_ticks,
                            .to_ticks = to_ticks,
                            .memory_bytes = RUN_MEMORY_BYTES,
                            .row_max = ROWS_MAX,
                            .cancelled = run->cancelled};
    return ask_run(view, &ask, run->arena, out, err);
}

/* Rows without a time belong to the period that they were asked for: then each period is asked on its own. */
static enum rf_kind evaluate(struct rule_run *run, struct ask_view *view,
                             struct evaluation *evaluation, struct answer *first,
                             struct rf_err *err)
{
    const struct log_rule *rule = run->rule;
    struct answer answer;
    int64_t to = run->to_ticks, window = rule->window * TICKS_PER_MICROSECOND;
    int64_t from = to - rule->range * TICKS_PER_MICROSECOND;
    RF_TRY(ask_window(run, view, from, to, &answer, err));
    *first = answer;
    if (rule->periods == 1 || evaluation_has_time(&answer.schema))
        return evaluation_add(evaluation, &answer.schema, answer.rows, to, -1, err);
    for (uint32_t period = 0; period < rule->periods; period++) {
        int64_t end = to - window * period;
        RF_TRY(ask_window(run, view, end - window, end, &answer, err));
        RF_TRY(evaluation_add(evaluation, &answer.schema, answer.rows, end, (int)period, err));
    }
    return RF_OK;
}

static enum rf_kind look_at(struct rule_run *run, struct ask_view *view, struct look *out,
                            struct answer *answer, struct rf_err *err)
{
    struct evaluation *evaluation;
    uint64_t left_out;
    out->to_ticks = run->to_ticks;
    RF_TRY(evaluation_new(run->rule, run->arena, &evaluation, err));
    RF_TRY(evaluate(run, view, evaluation, answer, err));
    RF_TRY(evaluation_end(evaluation, &out->found, &out->count, &left_out, err));
    if (left_out > 0)
        rf_log(RF_WARN, "alerts.combinations_left_out", RF_KV_STR("rule", run->rule_id),
               RF_KV_U64("rows", left_out));
    return RF_OK;
}

static int64_t span_of(const struct log_rule *rule)
{
    return rule->window * rule->periods * TICKS_PER_MICROSECOND;
}

/* Windows that are over and got rows since the run before. */
static enum rf_kind look_late(struct rule_run *run, struct ask_view *view,
                              const struct answer *answer, int64_t after, struct findings *out,
                              struct rf_err *err)
{
    const struct log_rule *rule = run->rule;
    int64_t *ends, from = run->to_ticks - span_of(rule);
    uint32_t count;
    const struct late_question question = {.origin_ticks = run->to_ticks,
                                           .step_ticks = rule->frequency * TICKS_PER_MICROSECOND,
                                           .period_ticks = span_of(rule),
                                           .from_ticks = from - run->alerts->options.rule_late *
                                                                    TICKS_PER_MICROSECOND,
                                           .before_ticks = from,
                                           .after_ticks = after,
                                           .until_ticks = out->settled,
                                           .now_ticks = run->to_ticks,
                                           .memory_bytes = RUN_MEMORY_BYTES,
                                           .cancelled = run->cancelled};
    RF_TRY(late_windows(view, &question, answer->tables, answer->table_count, run->arena, &ends,
                        &count, err));
    out->late = rf_arena_new(run->arena, struct look, count);
    if (out->late == NULL) return rf_fail_memory(err, run->arena);
    for (uint32_t i = 0; i < count; i++) {
        struct rule_run again = *run;
        struct answer ignored;
        again.to_ticks = ends[i];
        RF_TRY(look_at(&again, view, &out->late[out->late_count++], &ignored, err));
    }
    return RF_OK;
}

static enum rf_kind load_state(struct rule_run *run, struct rule_state *out, struct rf_err *err)
{
    RF_CLEANUP(state_end_cleanup) struct state_txn *txn = NULL;
    RF_TRY(state_begin_read(run->alerts->options.state, &txn, err));
    return rule_state_get(txn, run->rule_key, run->arena, out, err);
}

static enum rf_kind look(struct rule_run *run, struct findings *out, struct rf_err *err)
{
    struct tables *tables = run->alerts->options.tables;
    struct ask_view *view;
    struct answer answer;
    struct rule_state state;
    *out = (struct findings){0};
    RF_TRY(load_state(run, &state, err));
    RF_TRY(tables_settled(tables, run->place.guid, &out->settled, err));
    RF_TRY(ask_open(tables, run->place.guid, run->place.name, NULL, 0, &view, err));
    enum rf_kind kind = look_at(run, view, &out->now, &answer, err);
    if (kind == RF_OK && state.settled_ticks != 0 && state.settled_ticks < out->settled)
        kind = look_late(run, view, &answer, state.settled_ticks, out, err);
    ask_close(view);
    return kind;
}

/* Windows that nobody can want any more are left out: only the newest of those that were missed is run. */
static int64_t next_of(const struct rule_run *run)
{
    int64_t step = run->rule->frequency * TICKS_PER_MICROSECOND, now = ticks_of(run->now);
    int64_t next = run->to_ticks + step;
    if (next < now) next += (now - next) / step * step;
    return next;
}

/* Fires what one window shows. */
static enum rf_kind take_look(struct rule_run *run, struct state_txn *txn, const struct look *look,
                              bool is_late, struct rule_state *state, bool *filled,
                              struct rf_err *err)
{
    const struct log_rule *rule = run->rule;
    struct firing *firings;
    uint32_t count;
    struct rule_run mine = *run;
    int64_t windows =
        (span_of(rule) / TICKS_PER_MICROSECOND + run->alerts->options.rule_late) / rule->frequency +
        2;
    mine.to_ticks = look->to_ticks;
    if (is_late || shown_find(&state->shown, look->to_ticks) != NULL)
        RF_TRY(firing_late(rule, state, look->found, look->count, look->to_ticks, run->arena,
                           &firings, &count, err));
    else
        RF_TRY(firing_decide(rule, state, look->found, look->count, usec_of(look->to_ticks),
                             run->arena, &firings, &count, err));
    for (uint32_t i = 0; i < count; i++) RF_TRY(record_firing(txn, &mine, &firings[i], err));
    *filled |= count > 0;
    return firing_note(look->found, look->count, look->to_ticks, (uint32_t)windows, state,
                       run->arena, err);
}

static enum rf_kind commit(struct rule_run *run, const struct findings *findings,
                           int64_t next_ticks, bool *filled, struct rf_err *err)
{
    RF_CLEANUP(state_end_cleanup) struct state_txn *txn = NULL;
    struct rule_state state;
    struct arm_resource resource;
    RF_TRY(state_begin_write(run->alerts->options.state, &txn, err));
    /* A rule that was deleted while it ran fires no more. */
    RF_TRY(arm_get(run->alerts->options.arm, txn, run->rule_id, run->arena, &resource, err));
    RF_TRY(rule_state_get(txn, run->rule_key, run->arena, &state, err));
    for (uint32_t i = 0; i < findings->late_count; i++)
        RF_TRY(take_look(run, txn, &findings->late[i], true, &state, filled, err));
    RF_TRY(take_look(run, txn, &findings->now, false, &state, filled, err));
    state.next_ticks = next_ticks;
    state.settled_ticks = findings->settled;
    bool was_ill = state.failures > 0;
    state.failures = 0;
    RF_TRY(rule_state_put(txn, run->rule_key, &state, run->arena, err));
    RF_TRY(state_finish(&txn, err));
    if (was_ill) rule_health_row(run, 0, NULL);
    return RF_OK;
}

static bool is_for_good(enum rf_kind kind)
{
    return kind == RF_INVALID || kind == RF_NOT_FOUND || kind == RF_DENIED || kind == RF_CONFLICT ||
           kind == RF_LIMIT;
}

/* The rule goes on with its next window; it fires nothing in this one. */
static enum rf_kind note_failure(struct rule_run *run, int64_t next_ticks, const struct rf_err *why,
                                 struct rf_err *err)
{
    RF_CLEANUP(state_end_cleanup) struct state_txn *txn = NULL;
    struct rule_state state;
    struct arm_resource resource;
    RF_TRY(state_begin_write(run->alerts->options.state, &txn, err));
    enum rf_kind kind =
        arm_get(run->alerts->options.arm, txn, run->rule_id, run->arena, &resource, err);
    if (kind == RF_NOT_FOUND) return RF_OK; /* it was deleted meanwhile */
    RF_TRY(kind);
    RF_TRY(rule_state_get(txn, run->rule_key, run->arena, &state, err));
    state.next_ticks = next_ticks;
    state.failures++;
    state.code = rf_str_of(why->code == NULL ? "" : why->code);
    state.error = rf_str_of(why->text);
    RF_TRY(rule_state_put(txn, run->rule_key, &state, run->arena, err));
    if (state.failures == 1 || state.failures == RULE_FAILURES_MAX)
        rule_health_row(run, state.failures, why);
    if (state.failures <= FAILURES_SAID_MAX)
        rf_log(RF_WARN, "alerts.rule_failed", RF_KV_STR("rule", run->rule_id),
               RF_KV_STR("error", rf_str_of(why->text)));
    return state_finish(&txn, err);
}

enum rf_kind rule_run(struct rule_run *run, int64_t *next_ticks, struct rf_err *err)
{
    struct findings findings;
    bool filled = false;
    struct rf_err why = {0};
    int64_t next = next_of(run);
    enum rf_kind kind = look(run, &findings, &why);
    if (kind == RF_OK) kind = commit(run, &findings, next, &filled, &why);
    if (kind != RF_OK && is_for_good(kind)) {
        const struct rf_err cause = why;
        kind = note_failure(run, next, &cause, &why);
    }
    if (kind != RF_OK) {
        if (err != NULL) *err = why;
        return kind;
    }
    *next_ticks = next;
    if (filled) senders_filled(run->alerts);
    return RF_OK;
}
