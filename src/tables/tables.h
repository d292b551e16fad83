/* tables.h - the tables of workspaces: what columns they have, rows in, rows out.
 *
 * A workspace's tables lie in the store under DIR/tables/<workspace GUID>/. Standard tables (content/tables) are there for every
 * workspace, without files until their first row. Custom tables come from ARM documents (.../workspaces/{w}/tables/{T}).
 * Appends of many callers are committed as a group: one sync pays for all that wait. Queries see committed rows at once, and
 * share what is open of a table until its next commit.
 *
 * A thread joins journals and small extents of tables that grew by some hundred thousand rows or have come to rest, and drops
 * rows that are too old; appends to that table go on meanwhile. Every function may be called from any thread. */
#ifndef RF_TABLES_TABLES_H
#define RF_TABLES_TABLES_H

#include "kql/exec.h"
#include "store/table.h"

struct tables;
struct tables_options {
    struct rf_fs *fs;
    const char *folder; /* DIR/tables */
    const struct extent_key *key;
    const struct store_keyring *keyring; /* see store_options; NULL: none */
    struct rf_clock *clock;
    size_t memory_bytes; /* of all writers; 0: 256 MiB */
    bool by_hand;        /* no thread: nobody calls tables_maintain but the caller */
};
RF_MUST_USE enum rf_kind tables_new(const struct tables_options *options, struct tables **out,
                                    struct rf_err *err);
/* Commits and closes everything. */
void tables_free(struct tables *tables);
/* What rows are encrypted with; other keys of the workspaces are made of it. */
const struct extent_key *tables_key(const struct tables *tables);

/* What the thread does every few seconds: merges, drops old rows, closes writers and views that nobody used for
 * TABLES_IDLE_USEC. Tests call it with a clock of their own. */
#define TABLES_IDLE_USEC (60 * RF_USEC_PER_SECOND)
void tables_maintain(struct tables *tables);
/* Shows the key of each table to a sweep (crypt/rewrap.h), and stores what comes back. */
struct rewrap_sweep;
RF_MUST_USE enum rf_kind tables_rewrap(struct tables *tables, struct rewrap_sweep *sweep,
                                       struct rf_err *err);
/* A warning in the program's log about a table. */
void tables_log_failure(const char *event, rf_str table, const struct rf_err *err);

struct table_column {
    rf_str name;
    uint8_t type;  /* enum type */
    bool standard; /* not of the user: TenantId, Type and the columns of Microsoft's tables */
};
struct table_def {
    rf_str name;                        /* casing kept */
    const struct table_column *columns; /* TenantId and Type come last */
    uint32_t column_count;
    bool standard;           /* of content/tables */
    int64_t retention_ticks; /* 0: for ever; TABLE_RETENTION_DEFAULT: that of the workspace */
};
#define TABLE_RETENTION_DEFAULT INT64_C(-1)
/* The definition as it is now; lives until `arena` goes. RF_NOT_FOUND TableNotFound. Names are compared without case. */
RF_MUST_USE enum rf_kind tables_find(struct tables *tables, rf_str workspace_id, rf_str name,
                                     struct rf_arena *arena, struct table_def *out,
                                     struct rf_err *err);
RF_MUST_USE enum rf_kind tables_list(struct tables *tables, rf_str workspace_id,
                                     struct rf_arena *arena, struct table_def **out,
                                     uint32_t *count, struct rf_err *err);
/* How long rows are kept of tables that do not say; 0, as at first: for ever. */
RF_MUST_USE enum rf_kind tables_set_default_retention(struct tables *tables, rf_str workspace_id,
                                                      int64_t ticks, struct rf_err *err);
/* Makes a table or gives it further columns and another retention; copies. RF_CONFLICT ColumnTypeConflict. */
RF_MUST_USE enum rf_kind tables_define(struct tables *tables, rf_str workspace_id,
                                       const struct table_def *def, struct rf_err *err);
/* Forgets the table and deletes its rows. */
RF_MUST_USE enum rf_kind tables_drop(struct tables *tables, rf_str workspace_id, rf_str name,
                                     struct rf_err *err);

/* Removes the files of a table that is not defined: what a deletion left that was cut short. */
RF_MUST_USE enum rf_kind tables_clear(struct tables *tables, rf_str workspace_id, rf_str name,
                                      struct rf_err *err);
/* Deletes all rows of a workspace and forgets its custom tables. */
RF_MUST_USE enum rf_kind tables_drop_workspace(struct tables *tables, rf_str workspace_id,
                                               struct rf_err *err);

/* Rows for one table: batches laid out as `columns` (names and types; a subset of the table's, in any order). What is
 * missing is null; TimeGenerated that is missing or null becomes `now`; TenantId and Type are filled in. Returns when the
 * rows are durable and visible. RF_NOT_FOUND TableNotFound, RF_INVALID UnknownColumn, RF_CONFLICT ColumnTypeConflict,
 * RF_LIMIT MemoryBudgetExceeded, DiskFull: nothing is stored; RF_IO: the rows are not stored, but when a sync failed they may
 * be there after the table was opened again. Rows of other callers do not suffer, unless their commit was the same. */
struct rows_in {
    const struct schema *schema;
    const struct batch *batches;
    uint32_t batch_count;
    int64_t now_ticks;
};
RF_MUST_USE enum rf_kind tables_append(struct tables *tables, rf_str workspace_id, rf_str name,
                                       const struct rows_in *rows, struct rf_err *err);
/* The same for a JSON array (or one object, or JSON lines) of rows: unknown members are ignored, values that do not fit become
 * null. *count (may be NULL): rows taken. RF_INVALID BadJson. */
RF_MUST_USE enum rf_kind tables_append_json(struct tables *tables, rf_str workspace_id, rf_str name,
                                            rf_str json, int64_t now_ticks, uint64_t *count,
                                            struct rf_err *err);

/* Functions that queries over a workspace see beside its tables: saved searches, watchlists. */
struct table_functions {
    void *ctx;
    /* NULL, or the functions with texts; in `arena`. */
    enum rf_kind (*list)(void *ctx, rf_str workspace_id, struct rf_arena *arena,
                         struct stored_function **out, uint32_t *count, struct rf_err *err);
    /* NULL, or the table that a call stands for, as catalog.call. */
    enum rf_kind (*call)(void *ctx, rf_str workspace_id, rf_str name, const struct value *args,
                         uint32_t arg_count, struct rf_arena *arena, struct source **out,
                         struct rf_err *err);
};
/* Before the first view is opened; copied. Of a name that two of them have the first counts. */
void tables_add_functions(struct tables *tables, const struct table_functions *functions);

/* What queries over workspaces may read outside (kql/external.h); borrowed. Before the first view is opened. */
struct external;
void tables_set_external(struct tables *tables, const struct external *external);

/* Rows that are committed from now on arrive (ingestion_time()) after `ticks`: who keeps positions calls it at start, as the
 * clock may have been set back meanwhile. */
void tables_arrive_after(struct tables *tables, int64_t ticks);

/* A catalog of all tables of a workspace for one query; sources are opened on first use. `release` it when the query has
 * ended. */
struct tables_view {
    struct catalog catalog;
    void *held;
};
RF_MUST_USE enum rf_kind tables_view(struct tables *tables, rf_str workspace_id,
                                     struct rf_arena *arena, struct tables_view *out,
                                     struct rf_err *err);
void tables_release(struct tables *tables, struct tables_view *view);
/* The names of tables that queries over the view have used since tables_view_forget_uses; in `arena`. */
void tables_view_forget_uses(struct tables_view *view);
RF_MUST_USE enum rf_kind tables_view_uses(const struct tables_view *view, struct rf_arena *arena,
                                          rf_str **names, uint32_t *count, struct rf_err *err);
/* The open table behind a source of a view, after source_open; NULL: nothing lies on disk. */
const struct table *tables_source_table(const struct source *source);
/* What lies on disk of a source of a view, after source_open; zeros when nothing does. */
struct table_stats tables_source_stats(const struct source *source);

#endif
