/* cli_command.h - management commands (kql/command.h) over the store of --data, and those that only show over files too.
 *
 *   DIR/functions.json  stored functions: [{"name","parameters","body","folder","docstring"}]
 *   DIR/tables.json     {"T":{"folder","docstring"}}
 *   DIR/purges.jsonl    what was purged, a proof a line, each naming the digest of the one before
 *   DIR/purge.json      a purge under way: what the table was before it
 *   DIR/catalog.lock    held by a command that changes something */
#ifndef RF_CLI_COMMAND_H
#define RF_CLI_COMMAND_H

#include "base/fs.h"
#include "base/json_tree.h"
#include "cli/cli_catalog.h"
#include "kql/command.h"

struct cli_management {
    struct cli_catalog *catalog;       /* what queries see */
    const char *data, *key_file;       /* NULL: there is no store */
    const struct kql_request *request; /* text, budget, times, workers */
    struct rf_arena *arena;
};
/* Runs request->text and pushes its table, or what the pipe behind it makes of it. */
RF_MUST_USE enum rf_kind cli_management_run(const struct cli_management *command,
                                            struct kql_sink *sink, struct kql_stats *stats,
                                            struct rf_err *err);

/* ---- between the files of this module ---------------------------------------------------------------------------- */

struct cli_host {
    struct command_host base;
    const struct cli_management *command;
    struct rf_arena *arena;
    struct rf_budget budget;
    struct store *store;  /* to write to; NULL before the first change */
    struct rf_file *lock; /* held while something changes */
};
static inline struct cli_host *cli_host_of(struct command_host *h) { return (struct cli_host *)h; }
/* Opens the store for writing, once; finishes or undoes what a command that was cut short has left. */
RF_MUST_USE enum rf_kind cli_host_writing(struct cli_host *h, struct rf_err *err);
RF_MUST_USE enum rf_kind cli_host_find(struct command_host *base, rf_str table,
                                       struct command_def *out, struct rf_err *err);

/* cli_command_functions.c, cli_command_purge.c: as struct command_ops says. */
enum rf_kind cli_host_functions(struct command_host *base, struct command_function **out,
                                uint32_t *count, struct rf_err *err);
enum rf_kind cli_host_put_function(struct command_host *base, const struct command_function *f,
                                   struct rf_err *err);
enum rf_kind cli_host_drop_function(struct command_host *base, rf_str name, struct rf_err *err);
enum rf_kind cli_host_purge_count(struct command_host *base, rf_str table, rf_str predicate,
                                  uint64_t *count, struct rf_err *err);
enum rf_kind cli_host_purge(struct command_host *base, rf_str table, rf_str predicate,
                            struct command_purge *out, struct rf_err *err);
enum rf_kind cli_host_purges(struct command_host *base, struct command_purge **out, uint32_t *count,
                             struct rf_err *err);
enum rf_kind cli_host_token(struct command_host *base, rf_str text, rf_str *out,
                            struct rf_err *err);
/* Goes on with a purge that was cut short. */
RF_MUST_USE enum rf_kind cli_host_resume_purge(struct cli_host *h, struct rf_err *err);

/* cli_command_notes.c: what DIR keeps beside its tables. A file that is not there is empty. */
RF_MUST_USE enum rf_kind cli_notes_read(const char *data, const char *name, struct rf_arena *arena,
                                        struct json_node **out, struct rf_err *err);
RF_MUST_USE enum rf_kind cli_notes_write(const char *data, const char *name, struct rf_arena *arena,
                                         const struct json_node *node, struct rf_err *err);
/* Lines of the ledger; `digest` of the last one, empty: there is none. RF_CORRUPT LedgerBroken: a line is not what the one behind it
 * says. */
RF_MUST_USE enum rf_kind cli_ledger_read(const char *data, struct rf_arena *arena,
                                         struct json_node ***lines, uint32_t *count, rf_str *digest,
                                         struct rf_err *err);
RF_MUST_USE enum rf_kind cli_ledger_add(const char *data, struct rf_arena *arena, rf_str proof,
                                        rf_str digest, struct rf_err *err);

#endif
