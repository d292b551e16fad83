/* outbox.h - rows that belong to a transaction of state: written with it, put into tables after it, each there once.
 *
 * outbox_add keeps the row in state (space "siem.outbox", key = workspace GUID "|" number that grows), in the caller's transaction.
 * A thread takes rows from there in order, appends them to their table and deletes them. After a crash between the two it
 * asks the table for the rows' ids before it appends again. A table that can't be written is tried again, with growing
 * pauses; nothing is given up. */
#ifndef RF_SIEM_OUTBOX_H
#define RF_SIEM_OUTBOX_H

#include "state/state.h"

/* `id_text` is KQL that gives the row's id from the table's columns ("SystemAlertId", "strcat(IncidentName, '|', LastModifiedTime)"),
 * `id` its value, which no other row has. `row`: one JSON object with the columns that it takes and TimeGenerated. */
RF_MUST_USE enum rf_kind outbox_add(struct state_txn *txn, rf_str workspace_id, const char *table,
                                    const char *id_text, rf_str id, rf_str row, struct rf_err *err);

#endif
