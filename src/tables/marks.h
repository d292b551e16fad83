/* marks.h - how far a source of rows has come, kept with its rows.
 *
 * A mark is stored in the commit of the rows that it speaks of (the journal's position, and through merges the manifest's), so that after a
 * crash both are there or neither is: a source that goes on behind its mark gives each row once. */
#ifndef RF_TABLES_MARKS_H
#define RF_TABLES_MARKS_H

#include "tables/tables.h"

enum { TABLE_MARKS_MAX = 8192 }; /* of a table */

struct table_mark {
    uint64_t source; /* who: made of its name, table_mark_source */
    uint32_t part;   /* a partition of it */
    int64_t from;    /* as it was, -1: there was none; else the append is refused */
    int64_t next; /* the number behind the last one that is in the rows, or was looked at in vain */
};
/* The first eight bytes of SHA-256. */
uint64_t table_mark_source(rf_str name);

/* tables_append with marks, of which each source and part occurs once; there may be no rows. RF_CONFLICT MarkMoved: a mark is not `from`
 * (an append that was told to have failed stands after all, or another one was faster); nothing is stored. RF_LIMIT TooManyMarks. */
RF_MUST_USE enum rf_kind tables_append_marked(struct tables *tables, rf_str workspace_id,
                                              rf_str name, const struct rows_in *rows,
                                              const struct table_mark *marks, uint32_t mark_count,
                                              struct rf_err *err);
/* What is stored: *next, -1 when there is no mark. Waits for the table's turn. */
RF_MUST_USE enum rf_kind tables_mark(struct tables *tables, rf_str workspace_id, rf_str name,
                                     uint64_t source, uint32_t part, int64_t *next,
                                     struct rf_err *err);
/* The source is gone for good: so are its marks when this returns, after a crash too. RF_NOT_FOUND TableNotFound. */
RF_MUST_USE enum rf_kind tables_forget_marks(struct tables *tables, rf_str workspace_id,
                                             rf_str name, uint64_t source, struct rf_err *err);

#endif
