/* purge.h - POST .../workspaces/{w}/purge: rows that meet all filters are taken out of a table's files for good.
 *
 * {"table","filters":[{"column","operator","value","key"}]}; operators ==, =~, in, in~, >, >=, <, <=, between (two values).
 * Comparisons are those of KQL: a null meets none of them. `key` names a member of a dynamic column; members are compared as
 * texts. Answered with 202 and {"operationId":"purge-<guid>"}; GET .../operations/purge-<guid> gives {"status":"pending"} or
 * "completed" ("failed" when it cannot be done). */
#ifndef RF_PURGE_H
#define RF_PURGE_H

#include "kql/command.h"
#include "logs/workspace_int.h"

/* The action of the type workspaces, and the type workspaces/operations. */
enum rf_kind purge_start(struct arm_call *call, struct arm_resource *workspace, struct rf_err *err);
struct arm_type purge_operation_type(struct logs *logs);

/* The same by a predicate of KQL (command_predicate_check has seen it), as .purge asks: a job, which is stored when it returns. What it
 * did is kept with it, as its proof: rows and digests of the table before and after, how many rows met the predicate then and now,
 * and the digest of the proof before, so that none can be left out or changed unseen. */
RF_MUST_USE enum rf_kind purge_start_predicate(struct logs *logs, const struct workspace *workspace,
                                               const struct request *request, rf_str table,
                                               rf_str predicate, struct rf_arena *arena,
                                               struct command_purge *out, struct rf_err *err);
/* What the job does. */
struct job;
RF_MUST_USE enum rf_kind purge_run_predicate(struct job *job, const struct table_def *def,
                                             uint64_t *removed, struct rf_err *err);
/* Those of a workspace, the newest first. */
RF_MUST_USE enum rf_kind purge_list(struct logs *logs, const struct workspace *workspace,
                                    struct rf_arena *arena, struct command_purge **out,
                                    uint32_t *count, struct rf_err *err);

#endif
