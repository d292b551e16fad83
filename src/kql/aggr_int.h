/* aggr_int.h - what the families of aggregates share: filtered forms (sumif ...), flat views of
 * numeric arguments, values kept between batches. */
#ifndef RF_AGGR_INT_H
#define RF_AGGR_INT_H

#include "kql/aggr.h"

typedef enum rf_kind aggr_update(struct aggr_call *call, const struct vec *args, uint32_t count,
                                 const uint32_t *groups, uint8_t *states, struct rf_err *err);
typedef enum rf_kind aggr_merge(struct aggr_call *call, uint8_t *into, const uint8_t *from,
                                struct rf_err *err);
typedef enum rf_kind aggr_emit(struct aggr_call *call, const uint8_t *state, uint32_t column,
                               struct rf_arena *arena, struct value *out, struct rf_err *err);

/* The state of one group, as a struct that is exactly the aggregate's state_bytes long. */
#define AGGR_STATE(type, states, group)                                                            \
    ((type *)(void *)((states) + (size_t)(group) * sizeof(type)))
#define AGGR_STATE_OF(type, state) ((const type *)(const void *)(state))
#define AGGR_GROUP(groups, i) ((groups) != NULL ? (groups)[i] : 0)

/* The -if form of `update`: passes on only the rows where args[predicate] is true. The value
 * arguments are those before the predicate, AGGR_FILTERED_MAX at most; what follows it are constants,
 * which reach `update` through call->state. */
enum { AGGR_FILTERED_MAX = 2 };
enum rf_kind aggr_update_where(struct aggr_call *call, const struct vec *args, uint32_t predicate,
                               uint32_t count, const uint32_t *groups, uint8_t *states,
                               aggr_update *update, struct rf_err *err);
/* Defines the filtered form of an update function. */
#define AGGR_WHERE(name, predicate, update)                                                        \
    static enum rf_kind name(struct aggr_call *call, const struct vec *args, uint32_t count,       \
                             const uint32_t *groups, uint8_t *states, struct rf_err *err)          \
    {                                                                                              \
        return aggr_update_where(call, args, predicate, count, groups, states, update, err);       \
    }

/* Before an array of a batch's size on the stack: where the build clears all automatic variables, that
 * alone would cost as much as summing the batch. What is read of it is written before. */
#define AGGR_SCRATCH __attribute__((uninitialized))

/* One batch of 8-byte cells, with room on the caller's stack. */
struct aggr_cells {
    const int64_t *i64;   /* int, long, datetime, timespan */
    const double *real;   /* real, decimal and dynamic */
    const uint8_t *nulls; /* one byte per row, or NULL when none is null */
    union {
        int64_t i64[BATCH_ROWS];
        double real[BATCH_ROWS];
    } room;
    uint8_t null_room[BATCH_ROWS];
};
/* Makes rows 0..count-1 of a numeric vector flat: whole numbers and times in cells->i64 (real NULL),
 * the others in cells->real (i64 NULL). What is no number inside a dynamic is null. */
void aggr_cells(const struct vec *v, uint32_t count, struct aggr_cells *cells);
/* The same, but always as reals. */
void aggr_cells_real(const struct vec *v, uint32_t count, struct aggr_cells *cells);
/* Null bytes of rows 0..count-1, NULL when none is null. */
const uint8_t *aggr_nulls(const struct vec *v, uint32_t count, uint8_t *room);

/* A value that outlives its batch. Bytes of texts are reused by the next value when they fit, so that
 * garbage in the arena is bounded by twice the longest text. */
struct aggr_kept {
    struct value value;
    uint32_t room_bytes;
    bool any;
};
RF_MUST_USE bool aggr_keep(struct aggr_kept *kept, const struct value *value,
                           struct rf_arena *arena);

/* A constant argument as a number; false when it is absent, null or no number. */
bool aggr_const_real(const struct aggr_call *call, uint32_t arg, double *out);
bool aggr_const_long(const struct aggr_call *call, uint32_t arg, int64_t *out);

/* stdev, variance and covariance live in aggr_moment.c. */
enum { MOMENT_STATE_BYTES = 24, COMOMENT_STATE_BYTES = 32 };
aggr_update aggr_moment_update, aggr_moment_update_if, aggr_comoment_update,
    aggr_comoment_update_if;
aggr_merge aggr_moment_merge, aggr_comoment_merge;
aggr_emit aggr_variance_emit, aggr_variancep_emit, aggr_stdev_emit, aggr_stdevp_emit;
aggr_emit aggr_covariance_emit, aggr_covariancep_emit;

#endif
