/* firing.h - from evaluations to alerts: what fires, what is resolved, who is told, and what a rule remembers for that.
 *
 * State, space "alerts.rule": key = the rule's key, body = {"next": ticks, "failures": n, "series": [{"key", "alert", "since",
 * "muted"}]}. A series is remembered while its alert is fired or its actions are muted. */
#ifndef RF_ALERTS_FIRING_H
#define RF_ALERTS_FIRING_H

#include "alerts/evaluate.h"
#include "state/state.h"

struct series {
    rf_str key;         /* of the combination */
    rf_str alert;       /* id of the alert that is fired; empty: none */
    rf_usec ok_since;   /* the condition has not been met since; 0: it is met */
    rf_usec mute_until; /* 0: no mute */
};
struct rule_state {
    int64_t next_ticks; /* end of the window that is due next; 0: never ran */
    int64_t failures;   /* runs in a row that failed for good */
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
