/* table_remove.h - takes rows out of a table for good: extents that have such rows are written anew without them. */
#ifndef RF_TABLE_REMOVE_H
#define RF_TABLE_REMOVE_H

#include "store/table.h"

/* Which rows stay. */
struct table_keep {
    const rf_str
        *columns; /* what `rows` looks at; one that a part lacks comes as constant empty texts */
    uint32_t column_count;
    /* Puts the numbers of the batch's rows that stay into rows[], in order, and how many they are into *kept. Must say the same of
     * a row each time it is asked. */
    enum rf_kind (*rows)(void *ctx, const struct batch *batch, uint32_t *rows, uint32_t *kept,
                         struct rf_err *err);
    void *ctx;
};
struct table_removal { /* starts as {.more = true} */
    uint64_t next;     /* extents below this number are done */
    uint64_t row_count;
    bool more;
};
/* One step: the journal is made an extent, or one extent is looked through (reading only the columns of `keep`) and, when it
 * has such rows, written anew. Each step is durable on return; files go as merged ones do (table.h). Rows that are appended between
 * two steps may stay or go. No merge may be under way, and nothing appended and not committed (RF_CONFLICT UncommittedRows). */
RF_MUST_USE enum rf_kind table_remove_step(struct table_writer *w, const struct table_keep *keep,
                                           struct table_removal *removal, struct rf_err *err);

#endif
