/* join_table.h - the build side of a join: its rows, found by key.
 *
 * The table is filled once, on one lane, at about the cost of grouping the rows by key and copying them; then any number of
 * lanes read it, each through a keys_reader of its own. Everything it has is in its arena, which whoever has the table makes
 * and ends. A row takes 4 bytes beside its cells, a key 8 beside its own. */
#ifndef RF_JOIN_TABLE_H
#define RF_JOIN_TABLE_H

#include "kql/keys.h"
#include "kql/op.h"

/* Rows of the build side by their keys: each key has a chain of rows, in the order in which they came. */
struct key_table {
    struct rf_arena arena;
    struct rows *rows; /* NULL when only keys matter */
    /* The columns of few rows, each as a dictionary with an entry per row and one more that stands for a missing row: what is
     * made of an entry further up is made once. NULL when there are many rows. */
    struct vec *entries;
    struct keys *keys;
    uint32_t *first, *last; /* by key: row + 1, 0 is none */
    uint32_t key_cap;
    uint32_t *next; /* by row: row + 1, 0 ends */
    uint32_t count, cap;
};

/* What a table is made of. */
struct join_build {
    struct node *input;
    struct expr *const *keys;
    uint32_t key_count;
    bool keep_rows; /* not only their keys */
    bool unique;    /* of equal keys the first row counts */
    bool may_miss;  /* a probe row without a match is paired with a missing row */
};

/* Runs the build side into an empty table. What is needed only meanwhile is in `arena`. */
RF_MUST_USE enum rf_kind join_table_fill(struct key_table *t, const struct join_build *build,
                                         struct exec *exec, struct rf_arena *arena,
                                         struct rf_err *err);
/* Makes the entries when there are few rows; copies their cells once more. */
RF_MUST_USE enum rf_kind join_table_finish(struct key_table *t, const struct join_build *build,
                                           struct exec *exec, struct rf_err *err);

/* A key with a null in it equals none. */
static inline bool join_any_nulls(const struct vec *values, uint32_t count)
{
    for (uint32_t k = 0; k < count; k++)
        if (values[k].nulls != NULL) return true;
    return false;
}

static inline bool join_key_null(const struct vec *values, uint32_t count, uint32_t row)
{
    for (uint32_t k = 0; k < count; k++)
        if (vec_null(&values[k], row)) return true;
    return false;
}

#endif
