/* feed.h - rows as they are committed, for who looks at each of them once: near-real-time rules.
 *
 * A row's place is its arrival (ingestion_time()): within a table each commit has a later one than the commit before. A feed
 * keeps what was committed to the tables of a workspace since it was last asked, in memory as far as its budget goes; the rest is read from the
 * store by its arrival. Nothing is durable: who follows keeps its positions and begins at the store after a restart. */
#ifndef RF_TABLES_FEED_H
#define RF_TABLES_FEED_H

#include "kql/exec.h"
#include "tables/tables.h"

struct tables_feed;
/* From now on what is committed to tables of this workspace is noted. `memory_bytes` 0: 32 MiB. Feeds are closed before
 * tables_free. */
RF_MUST_USE enum rf_kind tables_feed_new(struct tables *tables, rf_str workspace_id,
                                         size_t memory_bytes, struct tables_feed **out,
                                         struct rf_err *err);
void tables_feed_free(struct tables_feed *feed); /* NULL is fine; nobody waits in it */
/* Only these tables are wanted from now on; names are copied. At first: none. */
RF_MUST_USE enum rf_kind tables_feed_want(struct tables_feed *feed, const rf_str *names,
                                          uint32_t count, struct rf_err *err);

struct feed_part { /* what was committed to one table */
    rf_str table;
    int64_t after_ticks, until_ticks; /* arrivals: (after, until] */
    int64_t first_ticks;              /* of the first rows */
    struct source *source; /* its rows; NULL: they did not fit, and are to be read from the store */
    uint64_t row_count;    /* of `source` */
};
struct feed_parts {
    struct feed_part *items;
    uint32_t count;
    void *held;
};
/* Waits until there is something, at most `wait`, and takes it; count 0: nothing, or the feed was woken. One thread. */
RF_MUST_USE enum rf_kind tables_feed_take(struct tables_feed *feed, rf_usec wait,
                                          struct feed_parts *out, struct rf_err *err);
void tables_feed_release(struct feed_parts *parts);
/* Ends a wait, from any thread. */
void tables_feed_wake(struct tables_feed *feed);

/* The present on the clock of arrivals: later than what any call was told before. What is committed now has arrived by then. */
int64_t tables_now(struct tables *tables);

/* Every row with an arrival of at most this is committed and visible, and none will come: the present but for commits that
 * are under way. Any thread. */
RF_MUST_USE enum rf_kind tables_settled(struct tables *tables, rf_str workspace_id, int64_t *ticks,
                                        struct rf_err *err);

#endif
