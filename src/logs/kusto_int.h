/* kusto_int.h - what the files of the Kusto endpoints share. */
#ifndef RF_KUSTO_INT_H
#define RF_KUSTO_INT_H

#include "kql/command.h"
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

/* ---- commands: kusto_host.c (tables, functions, rows), kusto_show.c (what the server alone knows) ------------------- */

struct kusto_host {
    struct command_host base;
    struct logs *logs;
    struct request *request;
    struct rf_arena *arena;
    const struct kusto_ask *ask;
    struct workspace workspace;
    struct query_view view;
    struct catalog none;      /* of who may not read */
    struct kusto_note *notes; /* folders and docstrings of tables, read when first asked for */
    uint32_t note_count;
    bool has_notes;
};
static inline struct kusto_host *kusto_host_of(struct command_host *h)
{
    return (struct kusto_host *)h;
}
/* kusto_functions.c: as struct command_ops says. */
enum rf_kind kusto_functions(struct command_host *base, struct command_function **out,
                             uint32_t *count, struct rf_err *err);
enum rf_kind kusto_put_function(struct command_host *base, const struct command_function *f,
                                struct rf_err *err);
enum rf_kind kusto_drop_function(struct command_host *base, rf_str name, struct rf_err *err);
/* What a command of this request acts on. RF_NOT_FOUND BadRequest_DatabaseNotExist. Ends with kusto_host_done, also after an error. */
RF_MUST_USE enum rf_kind kusto_host_init(struct kusto_host *h, struct request *request,
                                         const struct kusto_ask *ask, const struct command *command,
                                         struct rf_err *err);
void kusto_host_done(struct kusto_host *h);
RF_MUST_USE enum rf_kind kusto_require(struct kusto_host *h, const char *action, rf_str scope,
                                       struct rf_err *err);
RF_MUST_USE enum rf_kind kusto_show(struct kusto_host *h, const struct command *c,
                                    struct command_rows *out, bool *known, struct rf_err *err);
/* ---- kusto_log.c: the last queries and commands, in memory since the server began --------------------------------- */

struct kusto_log;
enum { KUSTO_LOG_MAX = 1000, KUSTO_LOG_TEXT_BYTES = 4096 };
struct kusto_event {
    rf_str text, database, type, client_id, id, principal_id, user, app, state, reason;
    rf_usec begun, ended;
    bool command, changes;
};
struct kusto_log *kusto_log_new(void); /* NULL: no memory */
/* Copies; texts are cut. Any thread. A log of NULL takes and gives nothing. */
void kusto_log_add(struct kusto_log *log, const struct kusto_event *event);
/* Copies into `arena`, the newest first. */
RF_MUST_USE enum rf_kind kusto_log_list(struct kusto_log *log, struct rf_arena *arena,
                                        struct kusto_event **out, uint32_t *count,
                                        struct rf_err *err);

/* ---- kusto_ingest.c ---------------------------------------------------------------------------------------------- */

struct kusto_ingest {
    const struct workspace *workspace;
    rf_str table, format, mapping; /* mapping: its name, may be empty */
    rf_str mapping_text;           /* or its JSON */
    bool ignore_first;
    rf_str data;
    int64_t now_ticks;
};
/* *count: rows taken. RF_INVALID: what the data or the request has wrong; RF_NOT_FOUND TableNotFound, MappingNotFound. */
RF_MUST_USE enum rf_kind kusto_ingest(struct logs *logs, struct rf_arena *arena,
                                      const struct kusto_ingest *ingest, uint64_t *count,
                                      struct rf_err *err);
/* Rows with columns of the table's names and types; durable on return. */
RF_MUST_USE enum rf_kind kusto_append(struct logs *logs, const struct workspace *workspace,
                                      rf_str table, const struct schema *schema,
                                      const struct rows *rows, int64_t now_ticks,
                                      struct rf_arena *arena, struct rf_err *err);
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
