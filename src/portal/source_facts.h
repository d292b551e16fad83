/* source_facts.h - which tables get rows, how many and how lately, and which have fallen silent; kept for some seconds, as all pages ask for it. Any thread. */
#ifndef RF_PORTAL_SOURCE_FACTS_H
#define RF_PORTAL_SOURCE_FACTS_H

#include "tables/activity.h"

enum { SOURCE_DAYS = 7 }; /* a table without a row for longer is no source any more */
struct source_fact {
    rf_str table;
    uint64_t rows, rows_day; /* stored; in the last 24 hours */
    bool is_estimate;        /* rows_day is: see tables/activity.h */
    bool
        is_own; /* the platform writes it when it has something to say: it is never called silent */
    rf_usec
        last; /* the last row, by its arrival, or when there was none since the start by its TimeGenerated */
    int64_t usual_usec; /* the usual pause between rows; 0: not known */
    bool is_silent;
};
struct source_facts {
    struct source_fact *items; /* by table */
    uint32_t count, silent_count;
    uint64_t rows, disk_bytes; /* of all tables */
    rf_usec newest;            /* 0: there is no row */
    uint64_t committed;        /* what tables_rows_committed said then */
};

struct source_watch;
RF_MUST_USE enum rf_kind source_facts_new(struct tables *tables, rf_str workspace_id,
                                          struct rf_clock *clock, struct source_watch **out,
                                          struct rf_err *err);
void source_facts_free(struct source_watch *sources); /* NULL is fine */
/* As of a few seconds ago; in `arena`. */
RF_MUST_USE enum rf_kind source_facts_read(struct source_watch *sources, struct rf_arena *arena,
                                           struct source_facts *out, struct rf_err *err);
/* Silence: nothing for longer than three usual pauses, and for five minutes at least. The usual pause is the longest of the pauses between commits
 * lately; when none was seen since the start, a day divided by the rows of the last 24 hours. */
bool source_facts_is_silent(rf_usec now, rf_usec last, int64_t usual_usec);

#endif
