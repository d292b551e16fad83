/* watchlists.h - watchlists from files: what _GetWatchlist and _GetWatchlistAlias give outside of a server. */
#ifndef RF_LAB_WATCHLISTS_H
#define RF_LAB_WATCHLISTS_H

#include "base/json_tree.h"
#include "kql/exec.h"

struct lab_watchlists {
    struct rf_arena *arena;
    struct json_node **lists; /* as siem/watchlist_source.h wants them, and "alias" */
    uint32_t count, cap;
};

/* One list from a file of commas (.csv) or tabs (.tsv) with a header. `alias` empty: the file's name; `key` empty: the column
 * SearchKey, or the first. RF_INVALID BadWatchlist names the file; RF_CONFLICT WatchlistExists. */
RF_MUST_USE enum rf_kind lab_watchlists_add_file(struct lab_watchlists *lists, const char *path,
                                                 rf_str alias, rf_str key, struct rf_err *err);
/* A list from rows that are objects with text members: the columns are those of the first. */
RF_MUST_USE enum rf_kind lab_watchlists_add_items(struct lab_watchlists *lists, rf_str alias,
                                                  rf_str key, const struct json_node *items,
                                                  struct rf_err *err);
/* Every .csv and .tsv file of a folder, or one file. */
RF_MUST_USE enum rf_kind lab_watchlists_add(struct lab_watchlists *lists, const char *path,
                                            struct rf_err *err);
/* As catalog.call; allocates in `arena`. */
RF_MUST_USE enum rf_kind lab_watchlists_call(const struct lab_watchlists *lists, rf_str name,
                                             const struct value *args, uint32_t arg_count,
                                             struct rf_arena *arena, struct source **out,
                                             struct rf_err *err);

#endif
