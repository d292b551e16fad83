/* tables_remove.h - takes rows out of a table for good. */
#ifndef RF_TABLES_REMOVE_H
#define RF_TABLES_REMOVE_H

#include "store/table_remove.h"
#include "tables/tables.h"

/* Removes the rows that `keep` leaves out, extent by extent; between two of them others may append. `keep` as in
 * table_remove_step. What it did up to an error stays done; done again it goes on. The files that held the rows are unlinked
 * once no query reads them. *removed grows by the number of rows. `stop` (may be NULL) ends it with RF_CANCELLED JobStopped.
 * RF_NOT_FOUND TableNotFound. Any thread; costs reading the columns of `keep`, and writing the extents that have such rows. */
RF_MUST_USE enum rf_kind tables_remove_rows(struct tables *tables, rf_str workspace_id, rf_str name,
                                            const struct table_keep *keep, const atomic_bool *stop,
                                            uint64_t *removed, struct rf_err *err);

#endif
