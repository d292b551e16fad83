/* logs.h - Azure Monitor Logs: data collection rules and the ingestion API, workspaces and their tables, the query API and
 * the Kusto endpoints. */
#ifndef RF_LOGS_H
#define RF_LOGS_H

#include "arm/arm.h"
#include "tables/tables.h"

struct hubs;
struct logs;
/* Where rows of data export rules go that name this storage account. */
struct export_folder {
    rf_str account;     /* its name, or its whole id */
    const char *folder; /* absolute; must be there */
};
struct logs_options {
    struct state *state;
    struct arm *arm;
    struct authz *authz;
    struct tables *tables;
    const struct site *site;
    const struct audit *audit; /* LAQueryLogs */
    struct rf_clock *clock;
    uint32_t query_lanes; /* workers of one query; 0: by the number of processors */
    /* Queries of one principal: more in 30 seconds are answered with 429 ThrottledError; 0: no limit. Azure's own is 200. */
    uint32_t query_rate_max;
    size_t query_memory_bytes; /* of one query; 0: a quarter of the machine's, 4 GiB at most */
    const struct export_folder *export_folders;
    uint32_t export_folder_count; /* 0: nothing is exported to files */
    struct hubs *hubs;     /* that rules capture and exports write to; NULL: there are none */
    bool captures_by_hand; /* for tests: captures_run does their work */
};
/* Registers its types with `arm`, which must be freed first; defines the tables of stored workspaces. */
RF_MUST_USE enum rf_kind logs_new(const struct logs_options *options, struct logs **out,
                                  struct rf_err *err);
/* Captures and exports no more: before arm is freed. NULL is fine. */
void logs_stop(struct logs *logs);
void logs_free(struct logs *logs);
const struct service *const *logs_services(struct logs *logs, uint32_t *count);

/* Rows that came another way than the Logs Ingestion API, as lines of JSON, as a stream of a rule: through its transformations into its
 * tables, durable when it returns. `stream` empty: that of the table's name ("Microsoft-Syslog", "Custom-App_CL"). *taken false, and
 * nothing is done: no flow of it has the stream. `ctx` is logs. Errors: RF_NOT_FOUND NotFound: the rule has gone; RF_INVALID InvalidPayload,
 * InvalidTransformOutput; RF_LIMIT MemoryBudgetExceeded; as tables_append. Any thread. */
RF_MUST_USE enum rf_kind logs_append_by_rule(void *ctx, rf_str rule, rf_str stream, rf_str table,
                                             rf_str lines, rf_usec now, bool *taken,
                                             uint64_t *count, struct rf_err *err);

/* What the platform writes about itself goes to the tables of the first workspace, from a thread of its own. */
struct self_log;
RF_MUST_USE enum rf_kind self_log_new(struct tables *tables, rf_str workspace_id,
                                      struct rf_clock *clock, struct self_log **out,
                                      struct rf_err *err);
struct audit self_log_audit(struct self_log *log);
/* How many bytes of rows wait to be written, and how many may. */
void self_log_waits(struct self_log *log, uint64_t *waits, uint64_t *room);
/* Writes what is queued. */
void self_log_free(struct self_log *log);

#endif
