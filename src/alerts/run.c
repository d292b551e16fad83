/* run.c - one run of a rule: the questions, the evaluation, the commit. */
#include "alerts/alerts_int.h"
#include "base/log.h"

enum { ROWS_MAX = 500000, FAILURES_SAID_MAX = 5 };
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
                             struct evaluation *evaluation, struct rf_err *err)
{
    const struct log_rule *rule = run->rule;
    struct answer answer;
    int64_t to = run->to_ticks, window = rule->window * TICKS_PER_MICROSECOND;
    int64_t from = to - rule->range * TICKS_PER_MICROSECOND;
    RF_TRY(ask_window(run, view, from, to, &answer, err));
    if (rule->periods == 1 || evaluation_has_time(&answer.schema))
        return evaluation_add(evaluation, &answer.schema, answer.rows, to, -1, err);
    for (uint32_t period = 0; period < rule->periods; period++) {
        int64_t end = to - window * period;
        RF_TRY(ask_window(run, view, end - window, end, &answer, err));
        RF_TRY(evaluation_add(evaluation, &answer.schema, answer.rows, end, (int)period, err));
    }
    return RF_OK;
}

static enum rf_kind look(struct rule_run *run, struct combination **found, uint32_t *count,
                         struct rf_err *err)
{
    struct evaluation *evaluation;
    struct ask_view *view;
    uint64_t left_out;
    RF_TRY(evaluation_new(run->rule, run->arena, &evaluation, err));
    RF_TRY(ask_open(run->alerts->options.tables, run->place.guid, run->place.name, NULL, 0, &view,
                    err));
    enum rf_kind kind = evaluate(run, view, evaluation, err);
    ask_close(view);
    RF_TRY(kind);
    RF_TRY(evaluation_end(evaluation, found, count, &left_out, err));
    if (left_out > 0)
        rf_log(RF_WARN, "alerts.combinations_left_out", RF_KV_STR("rule", run->rule_id),
               RF_KV_U64("rows", left_out));
    return RF_OK;
}

/* Windows that nobody can want any more are left out: only the newest of those that were missed is run. */
static int64_t next_of(const struct rule_run *run)
{
    int64_t step = run->rule->frequency * TICKS_PER_MICROSECOND, now = ticks_of(run->now);
    int64_t next = run->to_ticks + step;
    if (next < now) next += (now - next) / step * step;
    return next;
}

static enum rf_kind commit(struct rule_run *run, const struct combination *found, uint32_t count,
                           int64_t next_ticks, bool *filled, struct rf_err *err)
{
    RF_CLEANUP(state_end_cleanup) struct state_txn *txn = NULL;
    struct rule_state state;
    struct arm_resource resource;
    struct firing *firings;
    uint32_t firing_count;
    RF_TRY(state_begin_write(run->alerts->options.state, &txn, err));
    /* A rule that was deleted while it ran fires no more. */
    RF_TRY(arm_get(run->alerts->options.arm, txn, run->rule_id, run->arena, &resource, err));
    RF_TRY(rule_state_get(txn, run->rule_key, run->arena, &state, err));
    RF_TRY(firing_decide(run->rule, &state, found, count, usec_of(run->to_ticks), run->arena,
                         &firings, &firing_count, err));
    for (uint32_t i = 0; i < firing_count; i++) RF_TRY(record_firing(txn, run, &firings[i], err));
    state.next_ticks = next_ticks;
    state.failures = 0;
    RF_TRY(rule_state_put(txn, run->rule_key, &state, run->arena, err));
    *filled = firing_count > 0;
    return state_finish(&txn, err);
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
    RF_TRY(rule_state_put(txn, run->rule_key, &state, run->arena, err));
    if (state.failures <= FAILURES_SAID_MAX)
        rf_log(RF_WARN, "alerts.rule_failed", RF_KV_STR("rule", run->rule_id),
               RF_KV_STR("error", rf_str_of(why->text)));
    return state_finish(&txn, err);
}

enum rf_kind rule_run(struct rule_run *run, int64_t *next_ticks, struct rf_err *err)
{
    struct combination *found;
    uint32_t count;
    bool filled = false;
    struct rf_err why = {0};
    int64_t next = next_of(run);
    enum rf_kind kind = look(run, &found, &count, &why);
    if (kind == RF_OK) kind = commit(run, found, count, next, &filled, &why);
    if (kind != RF_OK && is_for_good(kind)) kind = note_failure(run, next, &why, &why);
    if (kind != RF_OK) {
        if (err != NULL) *err = why;
        return kind;
    }
    *next_ticks = next;
    if (filled) senders_filled(run->alerts);
    return RF_OK;
}
