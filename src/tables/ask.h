/* ask.h - queries over a workspace's tables by the program itself: rules, log alerts, what pages show.
 *
 * Nobody's rights are looked at: who lets a person's text reach this has checked them. Saved functions and watchlists are seen
 * as in the query API (tables_add_functions). workspace("x") names the own workspace only. */
#ifndef RF_TABLES_ASK_H
#define RF_TABLES_ASK_H

#include "kql/kql.h"
#include "tables/feed.h"
#include "tables/tables.h"

/* What queries see: all tables as they are when first used, for as long as it is open. For one thread at a time. */
struct ask_view;
/* The tables named in `parts` show the rows of the part alone; they live as long as the view. `workspace_name` is what
 * workspace("name") may say beside the GUID. */
RF_MUST_USE enum rf_kind ask_open(struct tables *tables, rf_str workspace_id, rf_str workspace_name,
                                  const struct feed_part *parts, uint32_t part_count,
                                  struct ask_view **out, struct rf_err *err);
void ask_close(struct ask_view *view); /* NULL is fine */

struct ask {
    rf_str text;
    int64_t now_ticks; /* what now() says */
    bool has_timespan; /* tables give rows with TimeGenerated in [from, to) */
    int64_t from_ticks, to_ticks;
    bool has_ingested; /* tables give rows with ingestion_time() in (after, until] */
    int64_t after_ticks, until_ticks;
    size_t memory_bytes;          /* 0: as kql_run */
    uint32_t lane_count;          /* 0: one */
    uint64_t row_max;             /* rows kept; 0: no limit. More: answer.truncated */
    const atomic_bool *cancelled; /* NULL: nobody */
};
struct answer {
    struct schema schema;
    struct rows *rows; /* in the arena of the call */
    bool truncated;
    bool open; /* columns depend on data (ask_check) */
    bool
        by_rows; /* each row of a table leads to its own rows, whatever the others are (ask_check) */
    struct row_literals literals; /* as kql_shape tells (ask_check) */
    rf_str *tables;               /* names of the tables that were read */
    uint32_t table_count;
    struct kql_stats stats;
};
/* Errors as kql_run. */
RF_MUST_USE enum rf_kind ask_run(struct ask_view *view, const struct ask *ask,
                                 struct rf_arena *arena, struct answer *out, struct rf_err *err);
/* Binds only: schema, tables, open and by_rows are filled in. */
RF_MUST_USE enum rf_kind ask_check(struct ask_view *view, const struct ask *ask,
                                   struct rf_arena *arena, struct answer *out, struct rf_err *err);

#endif
