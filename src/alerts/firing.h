/* firing.h - from evaluations to alerts: what fires, what is resolved, who is told, and what a rule remembers for that.
 *
 * State, space "alerts.rule": key = the rule's key, body = {"next": ticks, "settled": ticks, "failures": n, "code", "error",
 * "runs": what windows met (tables/late.h), "series": [{"key", "alert", "since", "muted"}]}. A series is remembered while its alert
 * is fired or its actions are muted. */
#ifndef RF_ALERTS_FIRING_H
#define RF_ALERTS_FIRING_H

#include "alerts/evaluate.h"
#include "state/state.h"
#include "tables/late.h"

struct series {
    rf_str key;         /* of the combination */
    rf_str alert;       /* id of the alert that is fired; empty: none */
    rf_usec ok_since;   /* the condition has not been met since; 0: it is met */
    rf_usec mute_until; /* 0: no mute */
};
struct rule_state {
    int64_t next_ticks;    /* end of the window that is due next; 0: never ran */
    int64_t settled_ticks; /* arrivals that the last run saw; 0: none */
    int64_t failures;      /* runs in a row that failed for good */
    rf_str code, error;    /* why, when there are any */
    struct shown shown; /* combinations that met the condition, by the windows that they did in */
    struct series *series;
    uint32_t count;
};
enum firing_kind { FIRING_FIRE, FIRING_RESOLVE };
struct firing {
    enum firing_kind kind;
    bool tells;                     /* actions are due */
    rf_str alert;                   /* id: a new one, or that of the alert that ends */
    const struct combination *what; /* NULL: nothing of it is in the answer any more */
};
/* The next state (`state` is replaced; lists are in `arena`) and what is to be done. `now`: the end of the window. */
RF_MUST_USE enum rf_kind firing_decide(const struct log_rule *rule, struct rule_state *state,
                                       const struct combination *found, uint32_t found_count,
                                       rf_usec now, struct rf_arena *arena, struct firing **out,
                                       uint32_t *count, struct rf_err *err);

/* The same for a window that is over and was looked at again, as rows came late: what meets its condition now and did not then
 * fires, unless its alert is fired; nothing is resolved. Before firing_decide for the window of the run. */
RF_MUST_USE enum rf_kind firing_late(const struct log_rule *rule, struct rule_state *state,
                                     const struct combination *found, uint32_t found_count,
                                     int64_t to_ticks, struct rf_arena *arena, struct firing **out,
                                     uint32_t *count, struct rf_err *err);
/* Remembers what met the condition in a window. */
RF_MUST_USE enum rf_kind firing_note(const struct combination *found, uint32_t count,
                                     int64_t to_ticks, uint32_t window_max,
                                     struct rule_state *state, struct rf_arena *arena,
                                     struct rf_err *err);

/* The latest arrival that a run of any rule saw; 0: none. */
RF_MUST_USE enum rf_kind rule_state_last_arrival(struct state *state, int64_t *ticks,
                                                 struct rf_err *err);
/* All zero when there is none. */
RF_MUST_USE enum rf_kind rule_state_get(struct state_txn *txn, rf_str rule_key,
                                        struct rf_arena *arena, struct rule_state *out,
                                        struct rf_err *err);
RF_MUST_USE enum rf_kind rule_state_put(struct state_txn *txn, rf_str rule_key,
                                        const struct rule_state *state, struct rf_arena *arena,
                                        struct rf_err *err);
RF_MUST_USE enum rf_kind rule_state_delete(struct state_txn *txn, rf_str rule_key,
                                           struct rf_err *err);

#endif
