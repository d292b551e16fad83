/* watchlist_int.h - watchlists with their items.
 *
 * The watchlist is a resource (Microsoft.SecurityInsights/watchlists); its items are one object of state, as queries read them
 * all at once: space "siem.watchlist", key = lower-case id of the watchlist, body =
 *   {"alias","name","id","provider","source","searchKey","columns":[name...],
 *    "items":[{"id","values":[text...],"created","updated","createdBy":{...},"updatedBy":{...}}]}
 * with values in the order of columns; index "alias" = workspace GUID "|" alias in lower case, "workspace" = GUID. */
#ifndef RF_SIEM_WATCHLIST_INT_H
#define RF_SIEM_WATCHLIST_INT_H

#include "siem/siem_int.h"

#define SPACE_WATCHLIST "siem.watchlist"
enum { WATCHLIST_BODY_BYTES_MAX = 32 << 20 };

/* RF_NOT_FOUND NotFound. */
RF_MUST_USE enum rf_kind watchlist_load(struct state_txn *txn, rf_str key, struct rf_arena *arena,
                                        struct json_node **out, struct rf_err *err);
/* By its alias; *out NULL: there is none. */
RF_MUST_USE enum rf_kind watchlist_find(struct state_txn *txn, rf_str workspace_id, rf_str alias,
                                        struct rf_arena *arena, struct json_node **out,
                                        struct rf_err *err);
RF_MUST_USE enum rf_kind watchlist_save(struct state_txn *txn, rf_str key, rf_str workspace_id,
                                        const struct json_node *body, struct rf_arena *arena,
                                        struct rf_err *err);
/* {"objectId","name","email"} of who asks; of the program itself when NULL. */
struct json_node *watchlist_by(const struct principal *who, struct rf_arena *arena);
/* Appends an item without values; NULL: no memory. */
struct json_node *watchlist_add(struct json_node *list, rf_str id, rf_str now,
                                const struct json_node *by, struct rf_arena *arena);
/* The place of a column; -1: there is none of the name. */
int watchlist_column(const struct json_node *list, rf_str name);
/* The value at a place; empty when there is none. */
rf_str watchlist_value(const struct json_node *item, int column);
/* A row of the table Watchlist about an item, or about the list itself (`item` NULL). `status`: Create, Update, Delete. */
void watchlist_row(const struct audit *audit, rf_str tenant_id, const struct json_node *list,
                   const struct json_node *item, const char *status, rf_str now);

#endif
