/* workspace_int.h - the types of Microsoft.OperationalInsights, one file each, and what they share. */
#ifndef RF_WORKSPACE_INT_H
#define RF_WORKSPACE_INT_H

#include "logs/logs_int.h"

enum { RETENTION_DAYS_DEFAULT = 30, RETENTION_DAYS_MAX = 730, TOTAL_DAYS_MAX = 4383 };
extern const char *const workspace_versions[];

/* workspace.c: what changes with every write to a workspace or a saved search, kept in memory. */
struct workspaces;
void workspaces_changed(struct logs *logs);
/* The GUID of the workspace above a child's id: ".../workspaces/{w}/tables/{T}". RF_NOT_FOUND ResourceNotFound. */
RF_MUST_USE enum rf_kind workspace_of_child(struct arm_call *call, rf_str id, rf_str *guid,
                                            struct json_node **body, struct rf_err *err);

/* The types, to be registered; the arrays are constant but for ctx, which is `logs`. */
struct arm_type workspace_type(struct logs *logs);
struct arm_type workspace_table_type(struct logs *logs);
struct arm_type saved_search_type(struct logs *logs);
struct arm_type data_export_type(struct logs *logs);
struct arm_type query_pack_type(struct logs *logs);
struct arm_type query_pack_query_type(struct logs *logs);
/* Tells the tables of what a table's document says. */
RF_MUST_USE enum rf_kind workspace_table_define(struct logs *logs, rf_str guid,
                                                const struct json_node *body, struct rf_err *err);

#define RETENTION_TICKS(days) ((days)*TICKS_PER_DAY)
/* 400 InvalidParameter. */
#define BAD_PARAMETER(err, ...) RF_FAIL(err, RF_INVALID, "InvalidParameter", __VA_ARGS__)

#endif
