#include "logs/capture.h"
#include "logs/export.h"
#include "logs/jobs.h"

#include <stdlib.h>

static enum rf_kind start(struct logs *logs, struct rf_err *err)
{
    RF_TRY(rules_register(logs, err));
    RF_TRY(workspace_register(logs, err));
    const struct table_functions functions = {.ctx = logs, .list = workspace_list_functions};
    tables_add_functions(logs->options.tables, &functions);
    RF_TRY(queries_new(logs, err));
    RF_TRY(jobs_new(logs, err));
    RF_TRY(exports_new(logs, err));
    RF_TRY(captures_new(logs, err));
    logs->services[logs->service_count++] = ingest_service(logs);
    logs->services[logs->service_count++] = collector_service(logs);
    logs->services[logs->service_count++] = query_service(logs);
    logs->services[logs->service_count++] = kusto_service(logs);
    return RF_OK;
}

enum rf_kind logs_new(const struct logs_options *options, struct logs **out, struct rf_err *err)
{
    struct logs *logs = calloc(1, sizeof *logs);
    if (logs == NULL) return RF_FAIL(err, RF_LIMIT, "MemoryBudgetExceeded", "no memory for logs");
    logs->options = *options;
    enum rf_kind kind = start(logs, err);
    if (kind != RF_OK) {
        logs_free(logs);
        return kind;
    }
    *out = logs;
    return RF_OK;
}

void logs_stop(struct logs *logs)
{
    if (logs == NULL) return;
    captures_stop(logs->captures);
    exports_stop(logs->exports);
}

void logs_free(struct logs *logs)
{
    if (logs == NULL) return;
    captures_free(logs->captures);
    exports_free(logs->exports);
    jobs_free(logs->jobs);
    queries_free(logs->queries);
    kusto_log_free(logs->kusto_log);
    rules_free(logs->rules);
    workspaces_free(logs->workspaces);
    free(logs);
}

const struct service *const *logs_services(struct logs *logs, uint32_t *count)
{
    *count = logs->service_count;
    return logs->services;
}
