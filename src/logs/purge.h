/* purge.h - POST .../workspaces/{w}/purge: rows that meet all filters are taken out of a table's files for good.
 *
 * {"table","filters":[{"column","operator","value","key"}]}; operators ==, =~, in, in~, >, >=, <, <=, between (two values).
 * Comparisons are those of KQL: a null meets none of them. `key` names a member of a dynamic column; members are compared as
 * texts. Answered with 202 and {"operationId":"purge-<guid>"}; GET .../operations/purge-<guid> gives {"status":"pending"} or
 * "completed" ("failed" when it cannot be done). */
#ifndef RF_PURGE_H
#define RF_PURGE_H

#include "logs/workspace_int.h"

/* The action of the type workspaces, and the type workspaces/operations. */
enum rf_kind purge_start(struct arm_call *call, struct arm_resource *workspace, struct rf_err *err);
struct arm_type purge_operation_type(struct logs *logs);

#endif
