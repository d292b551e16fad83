/* watchlist_source.h - the tables that _GetWatchlist and _GetWatchlistAlias stand for, made of lists in memory. */
#ifndef RF_SIEM_WATCHLIST_SOURCE_H
#define RF_SIEM_WATCHLIST_SOURCE_H

#include "base/json_tree.h"
#include "kql/exec.h"

/* What _GetWatchlist(alias[, keys]) gives of `list`, a document as watchlist_int.h describes it: {"searchKey", "columns":[name...],
 * "items":[{"id", "values":[text...], "updated"}]}; NULL: there is no such list, so no rows. `only`: empty, one key or a JSON list
 * of keys. The source is in `arena` and borrows the document. */
RF_MUST_USE enum rf_kind watchlist_source(const struct json_node *list, rf_str only,
                                          struct rf_arena *arena, struct source **out,
                                          struct rf_err *err);
/* What _GetWatchlistAlias gives. */
RF_MUST_USE enum rf_kind watchlist_alias_source(const rf_str *aliases, uint32_t count,
                                                struct rf_arena *arena, struct source **out,
                                                struct rf_err *err);

#endif
