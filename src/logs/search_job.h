/* search_job.h - tables that are filled once: results of a search job (T_SRCH) and rows restored from a table (T_RST).
 *
 * A PUT names what is wanted in properties.searchResults {query, startSearchTime, endSearchTime, limit, description} or
 * properties.restoredLogs {sourceTable, startRestoreTime, endRestoreTime}; a job with the rights of the caller fills the table.
 * Who does not see all rows of what is asked for is refused. Search results keep the columns of the query; TimeGenerated,
 * Type and _ItemId of the source are called _OriginalTimeGenerated, _OriginalType and _OriginalItemId there, as Azure has it.
 * Restored rows keep theirs but for Type. All rows of a table can be queried here for as long as they are kept, so that a restore is
 * a copy which is kept until it is deleted. */
#ifndef RF_SEARCH_JOB_H
#define RF_SEARCH_JOB_H

#include "logs/workspace_int.h"

bool search_job_owns(rf_str table); /* by its name */
/* Of the hooks of workspaces/tables: checks the wish, fills in the schema, stores the job. */
RF_MUST_USE enum rf_kind search_job_put(struct arm_call *call, struct arm_resource *resource,
                                        const struct arm_resource *before, struct rf_err *err);
RF_MUST_USE enum rf_kind search_job_remove(struct arm_call *call,
                                           const struct arm_resource *resource, struct rf_err *err);
/* provisioningState, resultStatistics and what kind of table it is. */
RF_MUST_USE enum rf_kind search_job_show(struct arm_call *call, struct arm_resource *resource,
                                         struct rf_err *err);
/* POST .../tables/{T}/cancelSearch. */
enum rf_kind search_job_cancel(struct arm_call *call, struct arm_resource *resource,
                               struct rf_err *err);

#endif
