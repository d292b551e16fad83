/* audit.h - rows that the platform writes about itself: AzureActivity, LAQueryLogs, SigninLogs, AuditLogs and their like.
 *
 * Rows are queued and written in batches by the tables' owner; audit_row waits when the queue is full, so that no row is
 * lost while the process lives, and a graceful stop writes what is queued. */
#ifndef RF_AUDIT_H
#define RF_AUDIT_H

#include "base/json_tree.h"

struct audit {
    void *ctx;
    /* `row` is one JSON object; TimeGenerated is set to now when it is absent. Unknown tables or columns are a bug (logged). */
    void (*row)(void *ctx, const char *table, rf_str row);
};
static inline void audit_row(const struct audit *audit, const char *table, rf_str row)
{
    if (audit != NULL && audit->row != NULL && row.ptr != NULL) audit->row(audit->ctx, table, row);
}

#endif
