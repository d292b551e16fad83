/* kusto_int.h - what the files of the Kusto endpoints share. */
#ifndef RF_KUSTO_INT_H
#define RF_KUSTO_INT_H

#include "logs/query_int.h"

/* ---- kusto_ask.c: what a request asks for ------------------------------------------------------------------------ */

enum { KUSTO_OPTIONS_MAX = 200, KUSTO_PARAMETERS_MAX = 1000 };
#define KUSTO_WAIT_DEFAULT (240 * RF_USEC_PER_SECOND)
#define KUSTO_WAIT_MAX (3600 * RF_USEC_PER_SECOND)
#define KUSTO_BYTES_MAX ((size_t)64 << 20) /* of a result unless the request says otherwise */
#define KUSTO_BYTES_UNLIMITED ((size_t)160 << 20) /* `notruncation`: what the server can bear */

struct kusto_ask {
    rf_str db, csl;
    struct set_option *options;
    uint32_t option_count;
    struct query_parameter *parameters;
    uint32_t parameter_count;
    int64_t wait_usec;
    int64_t now_ticks; /* 0: the present */
    struct query_span scope;
    bool progressive, fragments, newlines, errors_in_data, read_only;
    bool no_partial_errors; /* a cut result is shown as if it were whole */
};
/* From a body, or from a URL's parameters. RF_INVALID BadRequest, BadTimespan. */
RF_MUST_USE enum rf_kind kusto_ask_read(struct request *request, struct kusto_ask *out,
                                        struct rf_err *err);

/* ---- kusto_answer.c: results as frames (v2) or tables (v1) ------------------------------------------------------- */

enum kusto_version {
    KUSTO_V1,
    KUSTO_V2,
    KUSTO_MGMT /* v1 without tables of contents and status */
};
struct kusto_answer;
/* A sink for kql_run whose answer grows in `buf`. NULL: no memory. */
struct kql_sink *kusto_answer_new(const struct request *request, const struct kusto_ask *ask,
                                  enum kusto_version version, struct rf_arena *arena,
                                  struct rf_buf *buf);
/* Ends the answer: 200, or the status of an error that came before any row, whose body is written instead. */
uint16_t kusto_answer_end(struct kql_sink *sink, struct query_result *result, rf_str text);
/* A OneApi error as a body. */
uint16_t kusto_fault_put(const struct request *request, const struct rf_err *err, rf_str text,
                         struct rf_buf *buf);
void kusto_service_error(struct request *request, uint16_t status, const struct rf_err *err);
void kusto_set_headers(struct request *request);

/* ---- kusto_command.c: text of a control command ------------------------------------------------------------------ */

enum kusto_verb {
    KUSTO_SHOW_VERSION,
    KUSTO_SHOW_CLUSTER,
    KUSTO_SHOW_DATABASES,
    KUSTO_SHOW_DATABASE, /* name: may be empty */
    KUSTO_SHOW_SCHEMA,   /* rows; names: databases, none: all */
    KUSTO_SHOW_SCHEMA_JSON,
    KUSTO_SHOW_TABLES, /* names: only these */
    KUSTO_SHOW_TABLES_DETAILS,
    KUSTO_SHOW_TABLE,
    KUSTO_SHOW_TABLE_CSL,
    KUSTO_SHOW_TABLE_JSON,
    KUSTO_SHOW_FUNCTIONS,
    KUSTO_SHOW_FUNCTION,
    KUSTO_SHOW_QUERIES,
    KUSTO_SHOW_ACCESS,
    KUSTO_SHOW_MAPPINGS, /* name: of a table, may be empty; mapping: may be empty */
    KUSTO_CREATE_TABLE,
    KUSTO_CREATE_MERGE_TABLE,
    KUSTO_ALTER_TABLE,
    KUSTO_ALTER_MERGE_TABLE,
    KUSTO_DROP_TABLE,
    KUSTO_CREATE_FUNCTION,
    KUSTO_ALTER_FUNCTION,
    KUSTO_DROP_FUNCTION,
    KUSTO_INGEST_INLINE,
    KUSTO_APPEND, /* .append, .set-or-append */
    KUSTO_SET,    /* .set: the table must not be there */
    KUSTO_CREATE_MAPPING,
    KUSTO_ALTER_MAPPING,
    KUSTO_DROP_MAPPING,
    KUSTO_REFUSED, /* known, and not offered: `body` says why */
};
struct kusto_property {
    rf_str name, value;
};
struct kusto_command {
    enum kusto_verb verb;
    rf_str name; /* table, function, database */
    rf_str *names;
    uint32_t name_count;
    struct ast_column *columns; /* name and type */
    uint32_t column_count;
    rf_str parameters; /* of a function: what stands between the brackets */
    rf_str
        body; /* function: between the braces; ingest inline: the data; append: the query; mapping: JSON */
    rf_str mapping_kind;               /* json, csv */
    rf_str mapping;                    /* its name */
    struct kusto_property *properties; /* with (...) */
    uint32_t property_count;
    bool if_exists;     /* drop ... ifexists */
    bool if_not_exists; /* create function ifnotexists */
    bool or_alter;      /* .create-or-alter */
    rf_str pipe;        /* "| where ..." behind a command that shows something */
};
/* Texts are views of `text` or in `arena`. RF_INVALID SyntaxError with line and column. */
RF_MUST_USE enum rf_kind kusto_command_parse(rf_str text, struct rf_arena *arena,
                                             struct kusto_command *out, struct rf_err *err);
rf_str kusto_property(const struct kusto_command *command, const char *name);

/* ---- kusto_show.c, kusto_change.c -------------------------------------------------------------------------------- */

/* What a command gives: one table. */
struct kusto_rows {
    struct rf_arena *arena;
    struct ast_column *columns;
    uint32_t column_count;
    struct rows *rows;
    bool failed; /* memory was used up */
};
/* "Name:string, Count:long" */
void kusto_rows_init(struct kusto_rows *rows, struct rf_arena *arena, const char *columns);
/* As many values as there are columns. */
void kusto_rows_add(struct kusto_rows *rows, const struct value *values);

struct kusto_call {
    struct logs *logs;
    struct request *request;
    struct rf_arena *arena;
    const struct kusto_ask *ask;
    const struct kusto_command *command;
    struct workspace workspace;
};
RF_MUST_USE enum rf_kind kusto_show(struct kusto_call *call, struct kusto_rows *out,
                                    struct rf_err *err);
RF_MUST_USE enum rf_kind kusto_change(struct kusto_call *call, struct kusto_rows *out,
                                      struct rf_err *err);
/* The results of commands about functions and about mappings. */
void kusto_functions_init(struct kusto_rows *out, struct rf_arena *arena);
void kusto_functions_add(struct kusto_rows *out, rf_str name, rf_str parameters, rf_str body);
struct kusto_mapping;
void kusto_mappings_init(struct kusto_rows *out, struct rf_arena *arena);
void kusto_mappings_add(struct kusto_rows *out, const struct kusto_mapping *mapping,
                        rf_str database);

/* ---- kusto_ingest.c ---------------------------------------------------------------------------------------------- */

struct kusto_ingest {
    const struct workspace *workspace;
    rf_str table, format, mapping; /* mapping: its name, may be empty */
    bool ignore_first;
    rf_str data;
    int64_t now_ticks;
};
/* *count: rows taken. RF_INVALID: what the data or the request has wrong; RF_NOT_FOUND TableNotFound, MappingNotFound. */
RF_MUST_USE enum rf_kind kusto_ingest(struct logs *logs, const struct request *request,
                                      struct rf_arena *arena, const struct kusto_ingest *ingest,
                                      uint64_t *count, struct rf_err *err);
/* The value at a mapping's path: $.a.b, $['a b'][0]; NULL: there is nothing, or the text is no path. */
const struct json_node *kusto_path_find(const struct json_node *node, rf_str path);
/* Whether the caller may add rows to the table. */
RF_MUST_USE enum rf_kind kusto_may_ingest(struct logs *logs, const struct request *request,
                                          struct rf_arena *arena, const struct workspace *workspace,
                                          rf_str table, struct rf_err *err);

/* kusto_mapping.c: state space "ingestionMapping", key: workspace GUID/table/kind/name in lower case. */
struct kusto_mapping {
    rf_str name, kind, table, text; /* text: the JSON list */
    rf_usec changed;
};
RF_MUST_USE enum rf_kind kusto_mapping_put(struct logs *logs, struct rf_arena *arena,
                                           const struct workspace *workspace,
                                           const struct kusto_mapping *mapping, bool must_be_new,
                                           bool must_be_there, struct rf_err *err);
RF_MUST_USE enum rf_kind kusto_mapping_drop(struct logs *logs, struct rf_arena *arena,
                                            const struct workspace *workspace, rf_str table,
                                            rf_str kind, rf_str name, struct rf_err *err);
/* Those of a table, or of all when it is empty. */
RF_MUST_USE enum rf_kind kusto_mapping_list(struct logs *logs, struct rf_arena *arena,
                                            const struct workspace *workspace, rf_str table,
                                            struct kusto_mapping **out, uint32_t *count,
                                            struct rf_err *err);

/* ---- kusto.c ----------------------------------------------------------------------------------------------------- */

/* The workspace that a database name stands for. RF_NOT_FOUND BadRequest_DatabaseNotExist. */
RF_MUST_USE enum rf_kind kusto_database(struct logs *logs, const struct request *request,
                                        struct rf_arena *arena, rf_str name, struct workspace *out,
                                        struct rf_err *err);

#endif
