/* logs_int.h - what the files of logs/ share. */
#ifndef RF_LOGS_INT_H
#define RF_LOGS_INT_H

#include "logs/logs.h"

struct logs {
    struct logs_options options;
    struct workspaces *workspaces; /* workspace.c: workspaces and functions by name */
    struct rules *rules;           /* rules.c: data collection rules by immutable id, compiled */
    struct jobs *jobs;             /* jobs.c: purges, search jobs, restores */
    struct exports *exports;       /* export.c: data export rules to folders */
    struct captures *captures;     /* capture.c: events of hubs into tables; NULL: none */
    struct queries *queries;       /* query_gate.c: who asks how much, and what runs now */
    struct kusto_log *kusto_log;   /* kusto_log.c: the last queries and commands */
    struct service collector;
    const struct service *services[4];
    uint32_t service_count;
};

/* ---- workspace.c: Microsoft.OperationalInsights ------------------------------------------------------------------- */

RF_MUST_USE enum rf_kind workspace_register(struct logs *logs, struct rf_err *err);
void workspaces_free(struct workspaces *workspaces);
/* The primary (0) or secondary (1) key of a workspace for the old Data Collector API. RF_INVALID KeysNotAvailable. */
RF_MUST_USE enum rf_kind workspace_shared_key(struct logs *logs, struct state_txn *txn, rf_str guid,
                                              int which, uint8_t out[64], struct rf_err *err);
struct workspace {
    rf_str id; /* ARM id */
    rf_str name;
    rf_str guid; /* customerId, lower case */
    /* Who reads a resource's rows needs rights here: features.enableLogAccessUsingOnlyResourcePermissions is false. */
    bool own_rights;
};
/* Views of the document. */
struct workspace workspace_of(const struct arm_resource *resource);
/* By GUID, name, "group/name" or ARM id, case ignored. RF_NOT_FOUND WorkspaceNotFound. */
RF_MUST_USE enum rf_kind workspace_find(struct logs *logs, rf_str reference, struct rf_arena *arena,
                                        struct workspace *out, struct rf_err *err);
/* Saved searches with an alias, as functions of a catalog: name and "(params) { body }". */
RF_MUST_USE enum rf_kind workspace_functions(struct logs *logs, const struct workspace *workspace,
                                             struct rf_arena *arena, struct stored_function **out,
                                             uint32_t *count, struct rf_err *err);

/* The same for tables_add_functions; `ctx` is logs. */
RF_MUST_USE enum rf_kind workspace_list_functions(void *ctx, rf_str guid, struct rf_arena *arena,
                                                  struct stored_function **out, uint32_t *count,
                                                  struct rf_err *err);

/* ---- rules.c, ingest.c: Microsoft.Insights/dataCollection*, POST /dataCollectionRules/... -------------------------- */

RF_MUST_USE enum rf_kind rules_register(struct logs *logs, struct rf_err *err);
void rules_free(struct rules *rules);
/* A rule, a workspace or a table has changed: compiled rules are made anew when they are next used. */
void rules_changed(struct logs *logs);
const struct service *ingest_service(struct logs *logs);

/* collector.c: POST /api/logs, the old Data Collector API. */
const struct service *collector_service(struct logs *logs);

/* ---- query.c (/v1/...), kusto.c (/v1/rest, /v2/rest) ------------------------------------------------------------------ */

/* logs_new calls queries_new before it takes the two services; logs_free calls queries_free when nobody asks any more. */
RF_MUST_USE enum rf_kind queries_new(struct logs *logs, struct rf_err *err);
void queries_free(struct queries *queries); /* NULL is fine */
const struct service *query_service(struct logs *logs);
const struct service *kusto_service(struct logs *logs);
void kusto_log_free(struct kusto_log *log); /* NULL is fine */

#endif
