/* access.h - which rows of a workspace's table a principal may read, and that as a predicate of a query.
 *
 * All rows of table T when it may
 *   Microsoft.OperationalInsights/workspaces/query/T/read at the workspace, or
 *   Microsoft.OperationalInsights/workspaces/tables/query/read at the table;
 * else those that its assignments of the data action Microsoft.OperationalInsights/workspaces/tables/data/read at the table
 * give together: all when one has no condition, the rows that meet the condition of one of them otherwise ("Granular RBAC in
 * Azure Monitor Logs"). A comparison with a column that the table lacks holds for no row, negated or not. */
#ifndef RF_ACCESS_H
#define RF_ACCESS_H

#include "authz/rows.h"
#include "kql/bind.h"
#include "logs/logs_int.h"

#define ACCESS_TABLE "Microsoft.OperationalInsights/workspaces/tables/query/read"
#define ACCESS_ROWS "Microsoft.OperationalInsights/workspaces/tables/data/read"

/* ROWS_NONE also when the rights cannot be read. Allocates in `arena`. */
const struct row_access *access_rows(struct logs *logs, const struct principal *principal,
                                     const struct workspace *workspace, rf_str table,
                                     struct rf_arena *arena);
/* What the rows of `schema` must meet; `rows` is not ROWS_ALL. Errors as bind_call. */
RF_MUST_USE enum rf_kind access_predicate(struct binder *b, const struct schema *schema,
                                          const struct row_access *rows, struct expr **out);

#endif
