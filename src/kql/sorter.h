/* sorter.h - kept rows put into order by keys that are among their columns.
 *
 * Runs of rows go in, one behind another; rows with equal keys stay in that order. Per row an item of 16 bytes and room for
 * another is made; the rows themselves are neither moved nor copied before sorter_gather. Sorting takes about one pass
 * over the items per eleven bits in which their words differ, then goes on among those with equal words. */
#ifndef RF_SORTER_H
#define RF_SORTER_H

#include "kql/op.h"

/* What the rows of all runs look like. */
struct sort_layout {
    struct exec *exec;
    const struct sort_key *keys;
    uint32_t key_count, column_count;
    uint8_t *types;        /* of the columns */
    uint32_t *key_columns; /* where each key is among the columns */
};

struct sort_item {
    uint64_t word;
    uint32_t row; /* chunk * BATCH_ROWS + place; grows in the order of rows */
};

enum { SORT_BUCKETS_MAX = 256 };

/* The rows of several runs, one behind another, as chunks of at most BATCH_ROWS rows. */
struct sorter {
    const struct sort_layout *layout;
    const void **cells;    /* by column and chunk */
    const uint8_t **nulls; /* the same; NULL where none is null */
    bool *has_nulls;       /* by column */
    uint32_t chunk_count;
    struct sort_item *items, *scratch;
    uint64_t *run_starts; /* by run: its first item; then how many items there are */
    uint32_t run_count;
    uint64_t splitters[SORT_BUCKETS_MAX]; /* ascending, then UINT64_MAX */
    uint32_t bucket_step;                 /* the highest power of two below the number of buckets */
    uint64_t *bucket_at; /* by run and bucket, while items are dealt out: where the next one goes */
    uint64_t *bucket_starts;
    uint32_t bucket_count;
};

/* Makes the table of chunks and an item for each row of the runs. Layout and rows are borrowed for the sorter's life; what it
 * has itself is in `arena`. */
RF_MUST_USE enum rf_kind sorter_init(struct sorter *s, const struct sort_layout *layout,
                                     const struct rows *const *runs, uint32_t run_count,
                                     struct rf_arena *arena, struct rf_err *err);
uint64_t sorter_count(const struct sorter *s);
/* Puts s->items in order: on all workers when there are many and nobody else has them, unless `alone`. */
RF_MUST_USE enum rf_kind sorter_sort(struct sorter *s, bool alone, struct rf_arena *arena,
                                     struct rf_err *err);
/* The first `columns` columns of sorted rows from..from+count-1, copied to `arena`; texts are borrowed of the runs. */
bool sorter_gather(const struct sorter *s, uint64_t from, uint32_t count, uint32_t columns,
                   struct rf_arena *arena, struct batch *out);

#endif
