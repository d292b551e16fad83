/* query_int.h - what the query API and the Kusto endpoints share: one query from its authorisation to its row in LAQueryLogs. */
#ifndef RF_QUERY_INT_H
#define RF_QUERY_INT_H

#include "base/json_out.h"
#include "logs/logs_int.h"
#include "logs/wire.h"

enum {
    QUERY_ROWS_MAX = 500000,
    QUERY_BYTES_MAX = 104857600,
    QUERY_WORKSPACES_MAX = 100,
    QUERY_RUNNING_MAX =
        64, /* of one principal, side by side: more than clients and batches come to by themselves */
};
#define QUERY_WAIT_DEFAULT (180 * RF_USEC_PER_SECOND)
#define QUERY_WAIT_MAX (600 * RF_USEC_PER_SECOND)
#define QUERY_AUDIENCES (AUDIENCE_LOGS | AUDIENCE_ARM | AUDIENCE_KUSTO)

/* ---- query_gate.c: how much one principal may ask at once, and when a query ends --------------------------------- */

/* A query that runs. `cancelled` is what the engine looks at: set when the client has gone or the time is over. */
struct running {
    struct running *next, **link;
    const atomic_bool *gone;
    rf_usec deadline; /* of rf_clock_elapsed */
    atomic_bool cancelled, timed_out;
    uint64_t who;
    rf_str text, principal_id; /* borrowed until running_end */
    rf_str id;                 /* by which it may be cancelled: the request's; may be empty */
    rf_usec begun;             /* date */
    struct queries *queries;
};
/* RF_AGAIN ThrottledError when the principal asks too much; *retry_seconds says when to come again. */
RF_MUST_USE enum rf_kind queries_admit(struct queries *queries, const struct principal *principal,
                                       uint32_t *retry_seconds, struct rf_err *err);
/* Until running_end, `running` must stay where it is. RF_AGAIN ThrottledError: too many of the principal's run. */
RF_MUST_USE enum rf_kind running_begin(struct queries *queries, const struct principal *principal,
                                       const atomic_bool *gone, int64_t wait_usec,
                                       struct running *running, rf_str text, struct rf_err *err);
void running_end(struct running *running);
/* What it is called by; borrowed until running_end. */
void running_name(struct running *running, rf_str id);
/* Ends what runs under this name: of this principal, or of anybody when it is empty. False: nothing does. *begun: since when. */
bool running_cancel(struct queries *queries, rf_str principal_id, rf_str id, rf_usec *begun);
/* Copies what runs now: `next` joins the copies. NULL: nothing runs. */
RF_MUST_USE enum rf_kind running_list(struct queries *queries, struct rf_arena *arena,
                                      struct running **out, struct rf_err *err);
/* The services' own memory. */
struct service *queries_service(struct queries *queries, bool kusto);

/* ---- query_span.c ------------------------------------------------------------------------------------------------ */

struct query_span {
    bool given;
    int64_t from_ticks, to_ticks; /* [from, to) */
};
/* "" gives none. RF_INVALID BadTimespan. */
RF_MUST_USE enum rf_kind query_span_parse(rf_str text, int64_t now_ticks, struct query_span *out,
                                          struct rf_err *err);
/* "hh:mm:ss[.fff]", "d.hh:mm:ss", "50m", "PT1M": a duration of an option. */
bool query_duration_parse(rf_str text, int64_t *usec);

/* ---- query_view.c: what a principal may see ---------------------------------------------------------------------- */

struct query_view {
    struct catalog catalog;       /* what the engine gets */
    struct workspace *workspaces; /* the first one is the one asked */
    uint32_t workspace_count;
    struct one_view *views;  /* by workspace */
    struct one_view *others; /* opened by workspace("...") in the text */
    struct logs *logs;
    const struct request *request;
    struct rf_arena *arena;
    rf_str resource; /* empty: by workspace */
    bool narrowed;   /* set when a query named a table of which the principal sees not all rows */
};
/* The tables and functions of these workspaces that request->principal may read; of `resource` only when it is not empty. Ends
 * with query_view_close, also after an error. RF_DENIED InsufficientAccessError when there is nothing that it may read. */
RF_MUST_USE enum rf_kind query_view_open(struct logs *logs, const struct request *request,
                                         struct rf_arena *arena, const struct workspace *workspaces,
                                         uint32_t workspace_count, rf_str resource,
                                         struct query_view *out, struct rf_err *err);
void query_view_close(struct query_view *view);
/* True when the principal sees not all rows of a source of the first workspace: what counts or measures the table must not be
 * shown. */
bool query_view_narrows(const struct query_view *view, const struct source *source);

/* ---- query_run.c ------------------------------------------------------------------------------------------------- */

struct query_want {
    rf_str text;
    struct query_span span;
    const struct workspace *workspaces;
    uint32_t workspace_count;
    rf_str resource;
    int64_t wait_usec;
    int64_t now_ticks;
    struct func_env env; /* options and parameters */
    rf_str target;       /* path that was asked: RequestTarget */
    rf_str correlation_id;
};
struct query_result {
    enum rf_kind kind;
    struct rf_err err;
    bool timed_out;
    bool narrowed;          /* as in query_view */
    struct kql_stats stats; /* without what tells of rows that the principal does not see */
    rf_usec begun;          /* date */
    int64_t duration_usec, cpu_usec;
    uint64_t row_count;
    size_t byte_count;
};
/* Opens the view, runs, closes. The sink is the caller's. `arena` is the caller's thread's. */
void query_run(struct logs *logs, const struct request *request, struct rf_arena *arena,
               const struct query_want *want, struct kql_sink *sink, struct query_result *out);
/* The text without what h"..." hides. */
void query_put_shown_text(struct rf_buf *buf, rf_str text);
/* The row in LAQueryLogs; `status` is what was answered. */
void query_audit(struct logs *logs, const struct request *request, struct rf_arena *arena,
                 const struct query_want *want, const struct query_result *result, uint16_t status);

/* ---- query_error.c ----------------------------------------------------------------------------------------------- */

struct query_fault {
    uint16_t status;
    const char *code;    /* BadArgumentError */
    const char *message; /* of the outer error; NULL: the error's own text */
    const char *inner;   /* SyntaxError, SemanticError, QueryValidationError; NULL: none */
    const char *number;  /* SYN0002, SEM0100; NULL: none */
    rf_str token;        /* of the text at the place of the error */
};
struct query_fault query_fault_of(const struct rf_err *err, rf_str text);
/* {"error":{...}} */
void query_fault_put(struct json_out *out, const char *name, const struct query_fault *fault,
                     const struct rf_err *err, rf_str correlation_id);
/* The members of a partial error, behind tables: "error":{...}. */
void query_partial_put(struct json_out *out, const struct rf_err *err);
/* True for errors at which the rows that came so far are shown. */
bool query_is_partial(const struct rf_err *err);
/* For struct service. */
void query_service_error(struct request *request, uint16_t status, const struct rf_err *err);

/* ---- query_answer.c: the answer of the query API ----------------------------------------------------------------- */

struct query_ask { /* one query of a body, a URL or a batch's item */
    rf_str query, timespan;
    const struct json_node *workspaces; /* array or NULL */
    rf_str workspace_names;             /* with commas between them: of a URL */
    rf_str prefer;
    const struct workspace *workspace; /* NULL: by resource */
    rf_str resource;
    rf_str target;
};
/* Runs it and writes the answer's body, an error's as well, into `buf`; gives the status. */
uint16_t query_answer(struct logs *logs, const struct request *request, struct rf_arena *arena,
                      const struct query_ask *ask, size_t byte_limit, struct rf_buf *buf);

/* What `render` said as JSON; NULL: a query without it. `capital`: "Visualization" for "visualization", and so on. */
void query_render_put(struct rf_buf *buf, const struct render *render, bool capital);
/* Up to `max` workspaces in the order of their ids. */
RF_MUST_USE enum rf_kind query_all_workspaces(struct logs *logs, struct rf_arena *arena,
                                              struct workspace *out, uint32_t max, uint32_t *count,
                                              struct rf_err *err);

/* ---- query.c ----------------------------------------------------------------------------------------------------- */

/* {"query","timespan","workspaces"}. RF_INVALID BadRequest. */
RF_MUST_USE enum rf_kind query_ask_of_body(const struct json_node *body, struct query_ask *ask,
                                           struct rf_err *err);
/* RF_NOT_FOUND PathNotFoundError. */
RF_MUST_USE enum rf_kind query_workspace_by_guid(struct logs *logs, rf_str guid,
                                                 struct rf_arena *arena, struct workspace *out,
                                                 struct rf_err *err);
/* Fills in ask->workspace (points to `workspace`) for a workspace's id, else ask->resource. RF_NOT_FOUND PathNotFoundError. */
RF_MUST_USE enum rf_kind query_by_resource(struct logs *logs, rf_str id, struct rf_arena *arena,
                                           struct workspace *workspace, struct query_ask *ask,
                                           struct rf_err *err);

/* ---- handlers of other files ------------------------------------------------------------------------------------- */

enum rf_kind batch_run(struct request *request, struct rf_err *err);
/* "(a:string) { body }" in its two parts. */
void metadata_split_function(rf_str text, rf_str *parameters, rf_str *body);
enum rf_kind metadata_answer(struct request *request, const struct workspace *workspace,
                             struct rf_err *err);

#endif
