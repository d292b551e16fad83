/* position.h - how far a rule has come: kept in state with the alerts of each run, so that a restart neither loses nor repeats
 * one.
 *
 * State, space "siem.position": key = lower-case id of the rule, body as position_print writes it. */
#ifndef RF_SIEM_POSITION_H
#define RF_SIEM_POSITION_H

#include "base/clock.h"
#include "state/state.h"

enum { POSITION_KEYS_MAX = 5000 }; /* of all runs that are kept */

/* A run that raised alerts: by what they are known again when late rows make it run once more. */
struct position_run {
    int64_t to_ticks; /* end of its window */
    uint64_t *keys;   /* of the rows shown */
    uint32_t count;
};
struct position_place { /* a table as far as it was looked at */
    rf_str table;
    int64_t ticks; /* arrival */
};
struct position {
    int64_t next_ticks;        /* end of the window that is due next; 0: the rule never ran */
    int64_t settled_ticks;     /* arrivals that the last run saw; 0: none */
    rf_usec quiet_until;       /* suppression, or a near-real-time rule after an alert */
    uint32_t failures;         /* runs in a row that failed for good */
    struct position_run *runs; /* oldest first */
    uint32_t run_count;
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
/* Remembers the keys of a run; those of the same run before stay. Runs whose window ended before `oldest_ticks` are forgotten,
 * and older ones when there are too many keys. False: no memory. */
bool position_note(struct position *position, int64_t to_ticks, const uint64_t *keys,
                   uint32_t count, int64_t oldest_ticks, struct rf_arena *arena);
/* Whether a run with this end showed the key. */
bool position_shown(const struct position *position, int64_t to_ticks, uint64_t key);
/* How many keys runs with this end showed. */
uint32_t position_shown_count(const struct position *position, int64_t to_ticks);
/* The place of a table; NULL: none. */
struct position_place *position_place(const struct position *position, rf_str table);
/* Sets it. False: no memory. */
bool position_set_place(struct position *position, rf_str table, int64_t ticks,
                        struct rf_arena *arena);

#endif
