/* export.h - data export rules (Microsoft.OperationalInsights/workspaces/dataExports) whose destination is a folder, or an event hub:
 * rows as they arrive, as JSON lines in files or as events.
 *
 * A rule names a storage account, as templates for Azure do; the server's configuration says for which accounts there is a
 * folder (export.folders). Below that folder lies what Azure would put into the account, containers as folders:
 *   am-<table>/WorkspaceResourceId=/subscriptions/.../y=2026/m=01/d=31/h=09/m=05/PT05M.json
 * The time is that of arrival, in slots of five minutes. A file only grows, and is not touched again once a later one was begun.
 *
 * State, space "logs.export": key = properties.dataExportId, "|", the table's name in lower case; body
 *   {"ticks": arrivals up to here are in files, "slot": number of the last file's five minutes, "bytes": its length, "on"}
 * Rows are written behind "bytes", synced, and only then the position is stored; a file that is longer was written to by a process that
 * died before that, and is cut back. So each row is in the files once, whatever happens in between, as long as nobody else writes there.
 * A rule begins with what arrives after it was made, enabled, or given the table.
 *
 * A rule to an event hub puts {"records":[...]} into the hub that it names, or into one for each table (am-<table>), which is made. Its
 * place is stored when the events are durable, so what a crash comes between is there twice: at least once. */
#ifndef RF_EXPORT_H
#define RF_EXPORT_H

#include "hub/hub.h"
#include "logs/workspace_int.h"

#define EXPORT_SPACE "logs.export"
#define EXPORT_SLOT_TICKS (5 * 60 * TICKS_PER_SECOND)

/* Starts the thread. */
RF_MUST_USE enum rf_kind exports_new(struct logs *logs, struct rf_err *err);
/* Ends the thread; before arm goes. NULL is fine. */
void exports_stop(struct exports *exports);
void exports_free(struct exports *exports); /* stops too; NULL is fine */
/* Writes what has arrived, in this thread; waits for a round of the other. True: commits under way keep rows for the next round. */
bool exports_run(struct exports *exports);

/* A rule has changed: rules are read anew, soon. */
void exports_changed(struct exports *exports);
/* What goes wrong with the rule of this id; empty: nothing. In `arena`; NULL for exports is fine. */
rf_str exports_failure(struct exports *exports, rf_str id, struct rf_arena *arena);
/* The folder that the configuration gives an account, by its id or its name; NULL: none. */
const char *export_folder_of(const struct logs *logs, rf_str account);

/* Hooks of the resource type. Places are set for tables that are new, forgotten for those that are not named any more. */
RF_MUST_USE enum rf_kind export_put(struct arm_call *call, rf_str guid,
                                    const struct json_node *properties, struct rf_err *err);
RF_MUST_USE enum rf_kind export_remove(struct arm_call *call, struct arm_resource *resource,
                                       struct rf_err *err);
void export_changed(struct arm_call *call, struct arm_resource *resource);
/* properties.status: {"state","error"}. */
RF_MUST_USE enum rf_kind export_show(struct arm_call *call, struct arm_resource *resource,
                                     struct rf_err *err);

/* ---- places ------------------------------------------------------------------------------------------------------------------ */

struct export_place {
    int64_t ticks;
    int64_t slot; /* -1: no file yet */
    uint64_t bytes;
    bool on;
};
/* The key of a rule's table, or without a table what the keys of all begin with; ptr NULL: no memory. */
rf_str export_place_key(struct rf_arena *arena, rf_str export_id, rf_str table);
/* RF_NOT_FOUND ObjectNotFound. */
RF_MUST_USE enum rf_kind export_place_get(struct state_txn *txn, rf_str key, struct rf_arena *arena,
                                          struct export_place *out, struct rf_err *err);
RF_MUST_USE enum rf_kind export_place_put(struct state_txn *txn, rf_str key,
                                          const struct export_place *place, struct rf_arena *arena,
                                          struct rf_err *err);

/* ---- export_rows.c: rows as lines --------------------------------------------------------------------------------------------- */

/* Rows of a table that arrived in (after, until], of one slot. */
struct export_rows {
    int64_t until; /* all that arrived up to here is in `lines`, or nothing did */
    int64_t slot;
    rf_str lines;
    uint64_t count; /* 0: nothing arrived up to `until` */
};
/* About `row_max` rows, but at least all that arrived at once. Errors as ask_run. */
RF_MUST_USE enum rf_kind export_rows_read(struct tables *tables, rf_str guid, rf_str table,
                                          int64_t after, int64_t settled, uint64_t row_max,
                                          const atomic_bool *cancelled, struct rf_arena *arena,
                                          struct export_rows *out, struct rf_err *err);

/* ---- export_hub.c: events ------------------------------------------------------------------------------------------------------ */

/* Puts lines (JSON objects) into a hub; durable when it returns. `resource_id`: the namespace, then `name` is the hub's or empty, or the
 * hub. *left_out: rows that no event can hold. RF_NOT_FOUND NamespaceNotFound, HubNotFound; as hub_append_wait. */
RF_MUST_USE enum rf_kind export_to_hub(struct logs *logs, rf_str resource_id, rf_str name,
                                       rf_str table, rf_str lines, struct rf_arena *arena,
                                       uint64_t *left_out, struct rf_err *err);

/* ---- export_file.c: one file ---------------------------------------------------------------------------------------------------- */

/* "am-syslog/WorkspaceResourceId=/subscriptions/.../PT05M.json" of a slot; ptr NULL: no memory. */
rf_str export_path(rf_str workspace_id, rf_str table, int64_t slot, struct rf_arena *arena);
/* Opens it below `folder`, which must be there, making folders (0750) and the file (0640) as needed; they are durable then. Nothing on
 * the way may be a symbolic link, and the file only has this name: RF_DENIED ExportPathRefused. */
RF_MUST_USE enum rf_kind export_open(const char *folder, rf_str path, struct rf_arena *arena,
                                     struct rf_file **out, struct rf_err *err);
/* The length of what whole lines there are; what follows the last one is cut off. */
RF_MUST_USE enum rf_kind export_whole_lines(struct rf_file *file, uint64_t *bytes,
                                            struct rf_err *err);
/* Puts `lines` behind the first `bytes` bytes and syncs; what lay there is cut off. After a failure the file may have any of them. */
RF_MUST_USE enum rf_kind export_append(struct rf_file *file, uint64_t bytes, rf_str lines,
                                       struct rf_err *err);

#endif
