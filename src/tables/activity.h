/* activity.h - how much comes into the tables of a workspace, and when: for people who watch it. Counted at each commit, and read from what the
 * store keeps of its extents; no row is looked at. Any thread. */
#ifndef RF_TABLES_ACTIVITY_H
#define RF_TABLES_ACTIVITY_H

#include "tables/tables.h"

/* Rows that were committed since the program started; costs one atomic read. RF_NOT_FOUND WorkspaceNotFound. */
RF_MUST_USE enum rf_kind tables_rows_committed(struct tables *tables, rf_str workspace_id,
                                               uint64_t *rows, struct rf_err *err);

struct table_activity {
    rf_str name;
    /* Since the program started. */
    uint64_t commits;
    rf_usec last; /* when it was committed to last; 0: not yet */
    /* The longest of the pauses between commits lately (each further pause takes an eighth off what is remembered); 0: there was none of a
     * second or more. */
    int64_t pause_usec;
    /* What is stored, by TimeGenerated. */
    uint64_t row_count, disk_bytes;
    int64_t time_min, time_max; /* ticks; 0, -1: no row has a time */
    /* Rows from `since` on: those of extents that lie behind it, and of one that lies across it the share that falls behind it when its rows are
     * spread evenly over its time; then is_estimate. */
    uint64_t rows_since;
    bool is_estimate;
};
/* The tables that have rows, by name; in `arena`. The first call after rows came opens their tables for reading, as a query would. */
RF_MUST_USE enum rf_kind tables_activity(struct tables *tables, rf_str workspace_id,
                                         int64_t since_ticks, struct rf_arena *arena,
                                         struct table_activity **out, uint32_t *count,
                                         struct rf_err *err);

#endif
