/* position.h - how far a rule has come: kept in state with the alerts of each run, so that a restart neither loses nor repeats
 * one.
 *
 * State, space "siem.position": key = lower-case id of the rule, body as position_print writes it. */
#ifndef RF_SIEM_POSITION_H
#define RF_SIEM_POSITION_H

#include "base/clock.h"
#include "state/state.h"
#include "tables/late.h"

struct position_place { /* a table as far as it was looked at */
    rf_str table;
    int64_t ticks; /* arrival */
};
struct position {
    int64_t next_ticks;            /* end of the window that is due next; 0: the rule never ran */
    int64_t settled_ticks;         /* arrivals that the last run saw; 0: none */
    rf_usec quiet_until;           /* suppression, or a near-real-time rule after an alert */
    uint32_t failures;             /* runs in a row that failed for good */
    struct shown shown;            /* rows that raised alerts, by the windows of the schedule */
    struct position_place *places; /* of near-real-time rules */
    uint32_t place_count;
};

/* A rule without a position has zeros. Everything in `arena`. */
RF_MUST_USE enum rf_kind position_get(struct state_txn *txn, rf_str rule_key,
                                      struct rf_arena *arena, struct position *out,
                                      struct rf_err *err);
RF_MUST_USE enum rf_kind position_put(struct state_txn *txn, rf_str rule_key,
                                      const struct position *position, struct rf_arena *arena,
                                      struct rf_err *err);
/* The latest arrival that any rule has seen; 0: none. */
RF_MUST_USE enum rf_kind position_last_arrival(struct state *state, int64_t *ticks,
                                               struct rf_err *err);
/* The place of a table; NULL: none. */
struct position_place *position_place(const struct position *position, rf_str table);
/* Sets it. False: no memory. */
bool position_set_place(struct position *position, rf_str table, int64_t ticks,
                        struct rf_arena *arena);

#endif
