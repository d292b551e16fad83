/* command.h - management commands (".show tables | where TableName has 'Log'"): their text, what is known of each, and what they do.
 *
 * A command is one entry of a table: its syntax, which the parser follows and the manual prints, what right it needs, and where it
 * works. Most commands act through `struct command_host`, which the embedded store and the server's workspaces fill in: the rules of
 * the language (what merges, what may be appended to what) are written once, above it.
 *
 * Source: the public manual of Kusto, "management commands"; names of columns and their order follow it. */
#ifndef RF_COMMAND_H
#define RF_COMMAND_H

#include "base/clock.h"
#include "base/json_out.h"
#include "base/json_tree.h"
#include "kql/kql.h"
#include "store/table.h"

enum {
    COMMAND_NAMES_MAX = 1000,
    COMMAND_COLUMNS_MAX = 1000,
    COMMAND_PROPERTIES_MAX = 100,
    COMMAND_PREDICATE_BYTES_MAX = 63 << 10, /* of a purge */
    COMMAND_SCRIPT_MAX = 1000,              /* commands of a script */
};

enum command_verb {
    COMMAND_SHOW_VERSION,
    COMMAND_SHOW_CLUSTER,
    COMMAND_SHOW_CAPACITY,
    COMMAND_SHOW_DATABASES,
    COMMAND_SHOW_DATABASE,
    COMMAND_SHOW_SCHEMA, /* rows */
    COMMAND_SHOW_SCHEMA_JSON,
    COMMAND_SHOW_SCHEMA_SCRIPT, /* commands that make it */
    COMMAND_SHOW_TABLES,
    COMMAND_SHOW_TABLES_DETAILS,
    COMMAND_SHOW_TABLE,
    COMMAND_SHOW_TABLE_CSL,
    COMMAND_SHOW_TABLE_JSON,
    COMMAND_SHOW_EXTENTS,
    COMMAND_SHOW_RETENTION,
    COMMAND_SHOW_FUNCTIONS,
    COMMAND_SHOW_FUNCTION,
    COMMAND_SHOW_RUNNING,
    COMMAND_SHOW_QUERIES,
    COMMAND_SHOW_COMMANDS,
    COMMAND_SHOW_COMMANDS_QUERIES,
    COMMAND_SHOW_OPERATIONS,
    COMMAND_SHOW_JOURNAL,
    COMMAND_SHOW_ROLES,
    COMMAND_SHOW_MAPPINGS,
    COMMAND_SHOW_PURGES,
    COMMAND_SHOW_NONE, /* what there is none of here: external tables, materialized views */

    COMMAND_CREATE_TABLE, /* the first that changes something */
    COMMAND_CREATE_MERGE_TABLE,
    COMMAND_ALTER_TABLE,
    COMMAND_ALTER_MERGE_TABLE,
    COMMAND_DESCRIBE_TABLE, /* docstring or folder */
    COMMAND_RENAME_TABLES,
    COMMAND_DROP_TABLES,
    COMMAND_CLEAR_TABLE,
    COMMAND_DROP_COLUMNS,
    COMMAND_RENAME_COLUMN,
    COMMAND_ALTER_COLUMN,
    COMMAND_ALTER_RETENTION,
    COMMAND_DELETE_RETENTION,
    COMMAND_CREATE_FUNCTION,
    COMMAND_ALTER_FUNCTION,
    COMMAND_DESCRIBE_FUNCTION,
    COMMAND_DROP_FUNCTIONS,
    COMMAND_CREATE_MAPPING,
    COMMAND_ALTER_MAPPING,
    COMMAND_DROP_MAPPING,
    COMMAND_INGEST_INLINE,
    COMMAND_SET,        /* the table must not be there */
    COMMAND_APPEND,     /* it must be there */
    COMMAND_SET_APPEND, /* either */
    COMMAND_SET_REPLACE,
    COMMAND_PURGE,
    COMMAND_PURGE_ALL,
    COMMAND_CANCEL_QUERY,
    COMMAND_SCRIPT,
    COMMAND_REFUSED, /* known, and not offered: the entry's doc says why */
};

/* What one must be allowed to. What else a command touches is checked by whoever does it. */
enum command_right {
    COMMAND_READS,    /* any reader of the database; tables and rows as far as he sees them */
    COMMAND_DEFINES,  /* tables and functions */
    COMMAND_INGESTS,  /* rows into a table */
    COMMAND_PURGES,   /* takes rows away */
    COMMAND_CONTROLS, /* ends what runs: what is one's own, or as an administrator */
};
enum { COMMAND_EMBEDDED = 1, COMMAND_SERVER = 2, COMMAND_ANYWHERE = 3 };

/* Words stand for themselves, a|b for one of them, [..] for what may be left out, <..> for what is filled in. */
struct command_entry {
    enum command_verb verb;
    enum command_right right;
    uint8_t where;
    const char *syntax;
    const char *doc;
};
size_t command_count(void);
const struct command_entry *command_at(size_t index);
const char *command_right_name(enum command_right right);

struct command_property {
    rf_str name, value;
};
struct command_table {
    rf_str name;
    struct ast_column *columns;
    uint32_t column_count;
};
struct command_pair {
    rf_str to, from;
    bool if_exists;
};
struct command {
    enum command_verb verb;
    const struct command_entry *entry;
    rf_str text;   /* all of it */
    rf_str name;   /* table, function, database, operation */
    rf_str column; /* behind the table's */
    rf_str to;     /* a new name */
    rf_str *names; /* of a list */
    uint32_t name_count;
    struct command_table *tables; /* what to create: one or several */
    uint32_t table_count;
    struct command_pair *pairs; /* of names */
    uint32_t pair_count;
    enum type type;
    rf_str parameters; /* of a function: what stands between the brackets */
    rf_str
        body; /* function: between the braces; data, query, predicate, policy, mapping, docstring or folder */
    rf_str mapping_kind, mapping; /* json, csv; its name */
    rf_str database;              /* that the command names */
    rf_str from, until;           /* times, as texts */
    struct command_property *properties;
    uint32_t property_count;
    bool if_exists, if_not_exists, or_alter, async, details,
        everywhere; /* everywhere: all databases */
    bool folder;    /* of DESCRIBE: the folder, not the docstring */
    rf_str pipe;    /* "| where ..." behind a command that shows something */
};

/* Texts are views of `text` or in `arena`. Limits: the text's length as a query's, and those above. Safe from any thread.
 * Errors: RF_INVALID SyntaxError with line and column and the names that would fit there; RF_LIMIT. */
RF_MUST_USE enum rf_kind command_parse(rf_str text, struct rf_arena *arena, struct command *out,
                                       struct rf_err *err);
/* Whether the text is a command: the first thing in it that is no comment is a dot. *start: where. */
bool command_is(rf_str text, size_t *start);
bool command_changes(const struct command *c);
/* with (name = value); empty: it is not there. */
rf_str command_property(const struct command *c, const char *name);
bool command_flag(const struct command *c, const char *name);

/* ---- what a command gives: one table ----------------------------------------------------------------------------- */

struct command_rows {
    struct rf_arena *arena;
    struct ast_column *columns;
    uint32_t column_count;
    struct rows *rows;
    bool failed; /* memory was used up */
};
/* "Name:string, Count:long" */
void command_rows_init(struct command_rows *rows, struct rf_arena *arena, const char *columns);
/* As many values as there are columns. */
void command_rows_add(struct command_rows *rows, const struct value *values);
static inline struct value command_text(rf_str s) { return value_str(s); }
struct value command_literal(const char *s);
struct value command_number(uint64_t n);
struct value command_time(rf_usec time); /* 0: null */
struct value command_guid(rf_str text);

/* ---- what a command acts on -------------------------------------------------------------------------------------- */

struct command_function {
    rf_str name, parameters, body, folder, docstring;
};
struct command_info { /* of a table, beside its columns */
    rf_str folder, docstring;
    struct table_stats stats;
    bool
        has_stats; /* false: nothing lies on disk, or the caller sees not all rows and may not know */
};
struct command_purge { /* one that was asked for */
    rf_str id, table, predicate, state, details, principal, client_request_id;
    rf_usec scheduled, started, updated;
    uint64_t removed;
};
/* A table as it may be written to: all columns that a caller may name. */
struct command_def {
    rf_str name;
    struct ast_column *columns;
    uint32_t column_count;
    rf_str folder, docstring;
};

struct command_host;
/* Absent: not offered there (RF_INVALID NotSupported). Each checks what the caller may do before it looks. */
struct command_ops {
    /* RF_NOT_FOUND when there is none. */
    enum rf_kind (*find)(struct command_host *h, rf_str table, struct command_def *out,
                         struct rf_err *err);
    /* Makes it, or gives it the columns that it lacks, and folder and docstring that are not NULL. Durable on return. */
    enum rf_kind (*put)(struct command_host *h, const struct command_def *def, struct rf_err *err);
    enum rf_kind (*describe)(struct command_host *h, rf_str table, struct command_info *out,
                             struct rf_err *err);
    enum rf_kind (*drop)(struct command_host *h, rf_str table, struct rf_err *err);
    enum rf_kind (*rename)(struct command_host *h, const struct command_pair *pairs, uint32_t count,
                           struct rf_err *err);
    /* The table's rows become those of the query, which may have other columns: they are then the table's. */
    enum rf_kind (*rewrite)(struct command_host *h, rf_str table, rf_str query, struct rf_err *err);
    enum rf_kind (*clear)(struct command_host *h, rf_str table, struct rf_err *err);
    /* Ticks; 0: for ever. */
    enum rf_kind (*retention)(struct command_host *h, rf_str table, int64_t *ticks,
                              struct rf_err *err);
    enum rf_kind (*set_retention)(struct command_host *h, rf_str table, int64_t ticks,
                                  struct rf_err *err);
    enum rf_kind (*may_ingest)(struct command_host *h, rf_str table, struct rf_err *err);
    /* Rows with columns of these names and types; durable on return. `replaces`: those that were there go. */
    enum rf_kind (*append)(struct command_host *h, rf_str table, const struct schema *schema,
                           const struct rows *rows, bool replaces, struct rf_err *err);
    enum rf_kind (*ingest)(struct command_host *h, const struct command *c, uint64_t *count,
                           struct rf_err *err);
    enum rf_kind (*extents)(struct command_host *h, struct source *source, struct command_rows *out,
                            struct rf_err *err);
    enum rf_kind (*functions)(struct command_host *h, struct command_function **out,
                              uint32_t *count, struct rf_err *err);
    enum rf_kind (*put_function)(struct command_host *h, const struct command_function *f,
                                 struct rf_err *err);
    enum rf_kind (*drop_function)(struct command_host *h, rf_str name, struct rf_err *err);
    /* Runs a query as the caller. */
    enum rf_kind (*query)(struct command_host *h, rf_str text, struct kql_sink *sink,
                          struct rf_err *err);
    /* How many rows the predicate meets; then the purge itself, recorded and durable, or at least certain to happen. */
    enum rf_kind (*purge_count)(struct command_host *h, rf_str table, rf_str predicate,
                                uint64_t *count, struct rf_err *err);
    enum rf_kind (*purge)(struct command_host *h, rf_str table, rf_str predicate,
                          struct command_purge *out, struct rf_err *err);
    enum rf_kind (*purges)(struct command_host *h, struct command_purge **out, uint32_t *count,
                           struct rf_err *err);
    /* 64 hexadecimal digits that only who was told them for this text knows. */
    enum rf_kind (*token)(struct command_host *h, rf_str text, rf_str *out, struct rf_err *err);
    /* All else. *known false: there is no such thing here. */
    enum rf_kind (*other)(struct command_host *h, const struct command *c, struct command_rows *out,
                          bool *known, struct rf_err *err);
};
struct command_host {
    const struct command_ops *ops;
    struct rf_arena *arena;
    const struct catalog *catalog; /* what the caller sees; sources are opened on use */
    rf_str database;
    rf_usec now;
    uint8_t where;                 /* COMMAND_EMBEDDED or COMMAND_SERVER */
    const struct command *command; /* the one that runs, one of a script too: set by command_run */
};
/* Does what the command says. The rows are in host->arena. The caller has checked c->entry->right and runs c->pipe
 * over the rows. Errors: RF_NOT_FOUND BadRequest_EntityNotFound, RF_CONFLICT EntityAlreadyExists, RF_INVALID NotSupported,
 * SchemaMismatch; what the host says. */
RF_MUST_USE enum rf_kind command_run(struct command_host *host, const struct command *c,
                                     struct command_rows *out, struct rf_err *err);
/* The pipe behind a command over its rows, or the rows as they are. `request` gives budget, options and what may end it. */
RF_MUST_USE enum rf_kind command_pipe(const struct kql_request *request, const struct command *c,
                                      const struct command_rows *rows, struct kql_sink *sink,
                                      struct kql_stats *stats, struct rf_err *err);

/* ---- parts that hosts use too ------------------------------------------------------------------------------------ */

/* The rows of .show extents for a table that is open; NULL: it has none. */
struct table;
void command_extents(rf_str database, rf_str name, const struct table *table,
                     struct command_rows *out);
/* Only `where`, over the one table, without what depends on when or where it is asked: RF_INVALID BadPredicate. `columns`: those
 * that it may look at, of `all`; in `arena`. */
RF_MUST_USE enum rf_kind command_predicate_check(rf_str predicate, const struct ast_column *all,
                                                 uint32_t all_count, struct rf_arena *arena,
                                                 rf_str **columns, uint32_t *column_count,
                                                 struct rf_err *err);
/* Which rows of a batch, laid out as `columns`, do not meet it: as struct table_keep wants it. */
RF_MUST_USE enum rf_kind command_predicate_keep(rf_str predicate, struct ast_column *columns,
                                                uint32_t column_count, const struct batch *batch,
                                                uint32_t *rows, uint32_t *kept, struct rf_err *err);
/* What is known of rows: how many, and the sum of their digests, which does not depend on their order. */
struct command_sum {
    int64_t rows, digest;
};
/* A question whose one row has both, of a table's rows or of those that meet the predicate (empty: of all). */
rf_str command_sum_query(struct rf_arena *arena, rf_str table, rf_str predicate);
/* That a purge took what it was asked to take and nothing else: all - met == after, and nothing is left. */
struct command_proof {
    rf_str id, database, table, predicate, caller, client_request_id;
    rf_usec asked, done;
    struct command_sum before, met, after, left;
    rf_str extents_before, extents_after; /* SHA-256 of the digests of the table's sealed files */
    rf_str previous;                      /* digest of the proof before; empty: it is the first */
};
bool command_proof_holds(const struct command_proof *p);
/* As a line of JSON, and the SHA-256 of it, in hex, which the next one names. RF_LIMIT MemoryBudgetExceeded. */
RF_MUST_USE enum rf_kind command_proof_put(const struct command_proof *p, struct rf_arena *arena,
                                           rf_str *json, rf_str *digest, struct rf_err *err);
/* Of an open table's sealed files, in hex. */
rf_str command_extents_digest(struct rf_arena *arena, const struct table *table);
/* The format's rows of `data`, for columns of these names and types. `mapping`: JSON, may be empty.
 * RF_INVALID BadRequest_FormatNotSupported, BadRequest_InvalidData, BadMapping. */
struct command_data {
    rf_str format, data, mapping;
    bool ignore_first;
    const struct ast_column *columns;
    uint32_t column_count;
};
RF_MUST_USE enum rf_kind command_read_data(const struct command_data *data, struct rf_arena *arena,
                                           struct schema *schema, struct rows **out,
                                           struct rf_err *err);
/* Whether it is one of the JSON formats; *known: whether it is a format. */
bool command_format_is_json(rf_str format, bool *known);
/* Each record of `data` as an object whose members are the mapping's columns, a line each. */
RF_MUST_USE enum rf_kind command_map_json(rf_str data, const struct json_node *mapping,
                                          struct rf_buf *buf, struct rf_err *err);
/* The value at a mapping's path: $.a.b, $['a b'][0]; NULL: there is nothing, or the text is no path. */
const struct json_node *command_json_path(const struct json_node *node, rf_str path);
/* "{ let x = 1; T }" and "(a:string)" of the text of a stored function. */
void command_split_function(rf_str text, rf_str *parameters, rf_str *body);
/* "Databases" member of a JSON schema for one database. */
RF_MUST_USE enum rf_kind command_put_database(struct command_host *host, struct json_out *out,
                                              struct rf_err *err);
RF_MUST_USE enum rf_kind command_add_schema(struct command_host *host, struct command_rows *out,
                                            struct rf_err *err);
#define COMMAND_SCHEMA_COLUMNS                                                                     \
    "DatabaseName:string, TableName:string, ColumnName:string, ColumnType:string, "                \
    "IsDefaultTable:bool, IsDefaultColumn:bool, PrettyName:string, Version:string, "               \
    "Folder:string, DocString:string"
#define COMMAND_DATABASE_COLUMNS                                                                   \
    "DatabaseName:string, PersistentStorage:string, Version:string, IsCurrent:bool, "              \
    "DatabaseAccessMode:string, PrettyName:string, CurrentUserIsUnrestrictedViewer:bool, "         \
    "DatabaseId:guid, InTransitionTo:string, SuspensionState:string"
#define COMMAND_QUERY_COLUMNS                                                                      \
    "ClientActivityId:string, Text:string, Database:string, StartedOn:datetime, "                  \
    "LastUpdatedOn:datetime, Duration:timespan, State:string, RootActivityId:guid, User:string, "  \
    "FailureReason:string, TotalCpu:timespan, CacheStatistics:dynamic, Application:string, "       \
    "MemoryPeak:long, ScannedExtentsStatistics:dynamic, Principal:string, "                        \
    "ClientRequestProperties:dynamic, ResultSetStatistics:dynamic, WorkloadGroup:string"
#define COMMAND_OPERATION_COLUMNS                                                                  \
    "OperationId:string, Operation:string, NodeId:string, StartedOn:datetime, "                    \
    "LastUpdatedOn:datetime, Duration:timespan, State:string, Status:string, "                     \
    "RootActivityId:guid, ShouldRetry:bool, Database:string, Principal:string, User:string, "      \
    "AdminEpochStartTime:datetime"
#define COMMAND_EVENT_COLUMNS                                                                      \
    "ClientActivityId:string, CommandType:string, Text:string, Database:string, "                  \
    "StartedOn:datetime, LastUpdatedOn:datetime, Duration:timespan, State:string, "                \
    "FailureReason:string, RootActivityId:guid, User:string, Application:string, "                 \
    "Principal:string, ClientRequestProperties:dynamic, TotalCpu:timespan, MemoryPeak:long, "      \
    "CacheStatistics:dynamic, ScannedExtentsStatistics:dynamic, ResultSetStatistics:dynamic, "     \
    "WorkloadGroup:string"
#define COMMAND_JOURNAL_COLUMNS                                                                    \
    "Event:string, EventTimestamp:datetime, Database:string, EntityName:string, "                  \
    "UpdatedEntityName:string, EntityVersion:string, EntityContainerName:string, "                 \
    "OriginalEntityState:string, UpdatedEntityState:string, ChangeCommand:string, "                \
    "Principal:string"
#define COMMAND_VERSION "0.1.0"
#define COMMAND_MAPPING_COLUMNS                                                                    \
    "Name:string, Kind:string, Mapping:string, LastUpdatedOn:datetime, Database:string, "          \
    "Table:string"

#endif
