/* aggr.h - the registry of aggregation functions and what one is made of.
 *
 * States of all groups of one call lie in one array of `state_bytes` each, zeroed before first use.
 * A state may point to memory in call->arena, which lives until the summarize has emitted its rows. */
#ifndef RF_AGGR_H
#define RF_AGGR_H

#include "kql/func.h"

struct aggr_call {
    const struct aggr *aggr;
    uint32_t arg_count;
    const uint8_t *arg_types;
    const struct value **consts; /* value of constant arguments (percentiles, limits), else NULL */
    enum type type;              /* of the result */
    struct rf_arena *arena;      /* memory for states, one per worker */
    void *state;                 /* shared by all groups: made by `prepare` */
    bool backwards; /* batches come from the last to the first; rows within each in order */
};

struct aggr {
    const char *name;
    const char *doc;
    const char *const *sigs; /* as in func.h, e.g. "(value:T) T"; NULL ends */
    uint32_t state_bytes;
    uint8_t flags;
    /* Optional: result type from types and constants (bind->kernel unused). Multi-column aggregates
     * (percentiles, arg_max) set tuple_*; see func_bind. Their emit is called once per column. */
    enum rf_kind (*resolve)(struct func_bind *bind, struct rf_err *err);
    enum rf_kind (*prepare)(struct aggr_call *call, struct rf_err *err);
    /* Adds rows 0..count-1. groups[i] is row i's group, or NULL when all belong to group 0. Args may be
     * of any shape (use vec_*). States are at `states + group * state_bytes`. */
    enum rf_kind (*update)(struct aggr_call *call, const struct vec *args, uint32_t count,
                           const uint32_t *groups, uint8_t *states, struct rf_err *err);
    /* Adds `from` (of another worker's call) to `into`. */
    enum rf_kind (*merge)(struct aggr_call *call, uint8_t *into, const uint8_t *from,
                          struct rf_err *err);
    /* Result of one group; `column` counts the columns of a tuple, else 0. Bytes in `arena`. */
    enum rf_kind (*emit)(struct aggr_call *call, const uint8_t *state, uint32_t column,
                         struct rf_arena *arena, struct value *out, struct rf_err *err);
};

/* Results of groups 0..count-1 of `states` into `cells`, which has room for as many of call->type, where the aggregate can
 * do that without looking at each alone (counts and sums, never null); else false. */
bool aggr_emit_cells(const struct aggr_call *call, const uint8_t *states, uint32_t count,
                     void *cells);

/* The rows that may change the state of their group, by the first argument alone, into rows[]; returns how many. A row
 * whose group is KEYS_NONE (new) is among them. */
typedef uint32_t aggr_useful(const struct vec *first, uint32_t count, const uint32_t *groups,
                             const uint8_t *states, uint32_t *rows);
/* NULL: all rows may. *newest_first: few may, when the rows that come last come first. */
aggr_useful *aggr_useful_of(const struct aggr *aggr, bool *newest_first);

const struct aggr *aggr_find(rf_str name);
size_t aggr_count(void);
const struct aggr *aggr_at(size_t index);

#endif
