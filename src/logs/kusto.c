/* kusto.c - the routes of the Kusto endpoints: who asks where, queries, control commands, streaming ingestion. */
#include "logs/kusto_int.h"

enum {
    BODY_BYTES_MAX = 16 << 20,
    INGEST_BYTES_MAX = 10 << 20, /* the clients send 4 MB at most */
};
/* The application that Kusto's own tools sign people in with. */
#define KUSTO_CLIENT_ID "db662dc1-0cfe-4e1c-a843-19a68e65be58"

static struct logs *logs_of(const struct request *request) { return request->service; }

enum rf_kind kusto_database(struct logs *logs, const struct request *request,
                            struct rf_arena *arena, rf_str name, struct workspace *out,
                            struct rf_err *err)
{
    rf_str wanted = name;
    if (name.len == 0 || rf_str_eq_nocase(name, RF_S("NetDefaultDB")))
        wanted = request->site->workspace_id;
    enum rf_kind kind = workspace_find(logs, wanted, arena, out, err);
    if (kind != RF_NOT_FOUND) return kind;
    return RF_FAIL(err, RF_NOT_FOUND, "BadRequest_DatabaseNotExist",
                   "Database '%.*s' could not be found.",
                   RF_FMT(rf_slice(name, 0, RF_MIN(name.len, 100))));
}

/* Views, and the checks of each command, decide what may be seen and done. */
static enum rf_kind resolve(struct request *request, struct route_need *need, struct rf_err *err)
{
    (void)request, (void)err;
    *need = (struct route_need){.is_open_to_members = true};
    return RF_OK;
}

/* ---- /v1/rest/auth/metadata -------------------------------------------------------------------------------------- */

static enum rf_kind auth_metadata(struct request *request, struct rf_err *err)
{
    const struct site *site = request->site;
    struct json_out out = json_out_to(&request->response->body);
    http_set_literal(request->response, "Content-Type", "application/json; charset=utf-8");
    json_begin_object(&out, NULL);
    json_begin_object(&out, "AzureAD");
    json_put_text(&out, "LoginEndpoint", request->origin);
    json_put_bool(&out, "LoginMfaRequired", false);
    json_put_text(&out, "KustoClientAppId", RF_S(KUSTO_CLIENT_ID));
    json_put_text(&out, "KustoClientRedirectUri",
                  rf_arena_printf(request->arena, "%.*s/", RF_FMT(request->origin)));
    json_put_text(&out, "KustoServiceResourceId", request->origin);
    json_put_text(&out, "FirstPartyAuthorityUrl",
                  rf_arena_printf(request->arena, "%.*s/%.*s", RF_FMT(request->origin),
                                  RF_FMT(site->tenant_id)));
    json_end_object(&out);
    json_end_object(&out);
    return request->response->body.failed ? rf_fail_memory(err, request->arena) : RF_OK;
}

/* ---- what was asked ---------------------------------------------------------------------------------------------- */

/* ".create table T" of ".create table <table> <columns>": what .show operations calls it. */
static rf_str type_of(const struct command *c)
{
    rf_str type = rf_str_of(c->entry->syntax + 1);
    size_t end = RF_MIN(rf_str_find(type, RF_S("<"), 0), rf_str_find(type, RF_S("["), 0));
    return rf_str_trim(rf_slice(type, 0, RF_MIN(end, type.len)));
}

static void log_event(struct request *request, rf_str database, rf_str text,
                      const struct command *command, rf_usec begun, enum rf_kind kind,
                      const struct rf_err *err)
{
    struct logs *logs = logs_of(request);
    const struct principal *p = request->principal;
    /* What follows <| may be rows: they are in the table, and in no list. */
    size_t shown = command == NULL || command->verb != COMMAND_INGEST_INLINE
                       ? RF_MIN(text.len, (size_t)KUSTO_LOG_TEXT_BYTES)
                       : RF_MIN((size_t)(command->body.ptr - text.ptr), text.len);
    struct rf_buf buf = rf_buf_in(request->arena);
    query_put_shown_text(&buf, rf_slice(text, 0, shown));
    struct kusto_event event = {
        .text = buf.failed ? (rf_str){NULL, 0} : rf_buf_view(&buf),
        .database = database,
        .type = command == NULL ? RF_S("Query") : type_of(command),
        .client_id = request->client_request_id,
        .id = request->request_id,
        .app = http_header(request->http, "x-ms-app", NULL),
        .state = kind == RF_OK ? RF_S("Completed")
                               : (kind == RF_CANCELLED ? RF_S("Canceled") : RF_S("Failed")),
        .reason = kind == RF_OK || err == NULL ? RF_S("") : rf_str_of(err->text),
        .begun = begun,
        .ended = rf_clock_now(logs->options.clock),
        .command = command != NULL,
        .changes = command != NULL && command_changes(command)};
    if (p != NULL) {
        event.principal_id = p->object_id;
        event.user = principal_caller(p);
    }
    kusto_log_add(logs->kusto_log, &event);
}

/* ---- queries ----------------------------------------------------------------------------------------------------- */

static void make_want(const struct request *request, const struct kusto_ask *ask,
                      const struct workspace *workspace, struct query_want *want)
{
    struct logs *logs = logs_of(request);
    *want = (struct query_want){
        .text = ask->csl,
        .span = ask->scope,
        .workspaces = workspace,
        .workspace_count = 1,
        .wait_usec = ask->wait_usec,
        .now_ticks = ask->now_ticks,
        .env = {.options = ask->options,
                .option_count = ask->option_count,
                .parameters = ask->parameters,
                .parameter_count = ask->parameter_count},
        .target = request->http->path,
        .correlation_id = request->request_id,
    };
    if (want->now_ticks == 0)
        want->now_ticks =
            DATETIME_UNIX_EPOCH + rf_clock_now(logs->options.clock) * TICKS_PER_MICROSECOND;
}

static enum rf_kind run_query(struct request *request, const struct kusto_ask *ask,
                              enum kusto_version version, struct rf_err *err)
{
    struct workspace workspace;
    struct query_want want;
    struct query_result result;
    struct logs *logs = logs_of(request);
    RF_TRY(kusto_database(logs, request, request->arena, ask->db, &workspace, err));
    make_want(request, ask, &workspace, &want);
    struct kql_sink *sink =
        kusto_answer_new(request, ask, version, request->arena, &request->response->body);
    if (sink == NULL) return rf_fail_memory(err, request->arena);
    query_run(logs, request, request->arena, &want, sink, &result);
    log_event(request, workspace.name, ask->csl, NULL, result.begun, result.kind, &result.err);
    request->response->status = kusto_answer_end(sink, &result, ask->csl);
    query_audit(logs, request, request->arena, &want, &result, request->response->status);
    return request->response->body.failed ? rf_fail_memory(err, request->arena) : RF_OK;
}

/* ---- commands ---------------------------------------------------------------------------------------------------- */

static enum rf_kind answer_rows(struct request *request, const struct kusto_ask *ask,
                                const struct command *command, struct command_rows *rows,
                                enum kusto_version version, struct rf_err *err)
{
    struct logs *logs = logs_of(request);
    struct kql_sink *sink =
        kusto_answer_new(request, ask, version, request->arena, &request->response->body);
    if (sink == NULL) return rf_fail_memory(err, request->arena);
    struct query_result result = {.begun = request->now};
    struct running running;
    struct kql_request query = {.memory_bytes = logs->options.query_memory_bytes,
                                .env = {.options = ask->options, .option_count = ask->option_count},
                                .cancelled = &running.cancelled};
    RF_TRY(running_begin(logs->queries, request->principal, request->gone, ask->wait_usec, &running,
                         command->text, err));
    result.kind = command_pipe(&query, command, rows, sink, &result.stats, &result.err);
    running_end(&running);
    request->response->status = kusto_answer_end(sink, &result, command->text);
    return request->response->body.failed ? rf_fail_memory(err, request->arena) : RF_OK;
}

/* An asynchronous command is done when it is answered: its operation is found completed. */
static void operation_row(struct request *request, struct command_rows *rows)
{
    command_rows_init(rows, request->arena, "OperationId:guid");
    command_rows_add(rows, (struct value[]){command_guid(request->request_id)});
}

static enum rf_kind act(struct request *request, const struct kusto_ask *ask,
                        const struct command *command, struct command_rows *rows,
                        struct rf_err *err)
{
    struct kusto_host host;
    rf_usec begun = rf_clock_now(logs_of(request)->options.clock);
    enum rf_kind kind = kusto_host_init(&host, request, ask, command, err);
    if (kind == RF_OK) kind = command_run(&host.base, command, rows, err);
    /* Host and log live as long as the request's arena. */
    log_event(request, host.workspace.name, ask->csl, command, begun, kind, err);
    kusto_host_done(&host);
    if (kind == RF_OK && command->async) operation_row(request, rows);
    return kind;
}

static enum rf_kind run_command(struct request *request, const struct kusto_ask *ask,
                                enum kusto_version version, struct rf_err *err)
{
    struct command command;
    struct command_rows rows = {.arena = request->arena};
    RF_TRY(command_parse(ask->csl, request->arena, &command, err));
    if (command_changes(&command) && version != KUSTO_MGMT)
        return RF_FAIL(err, RF_INVALID, "NotSupported",
                       "a command that changes something goes to /v1/rest/mgmt");
    if (command_changes(&command) && ask->read_only)
        return RF_FAIL(err, RF_DENIED, "Forbidden",
                       "the request is read-only (request_readonly) and the command is not");
    RF_TRY(act(request, ask, &command, &rows, err));
    return answer_rows(request, ask, &command, &rows, version, err);
}

static enum rf_kind serve(struct request *request, enum kusto_version version, bool mgmt,
                          struct rf_err *err)
{
    struct kusto_ask ask;
    uint32_t retry_seconds = 0;
    kusto_set_headers(request);
    enum rf_kind kind =
        queries_admit(logs_of(request)->queries, request->principal, &retry_seconds, err);
    if (kind != RF_OK) http_setf(request->response, "Retry-After", "%u", retry_seconds);
    RF_TRY(kind);
    RF_TRY(kusto_ask_read(request, &ask, err));
    size_t start;
    bool command = command_is(ask.csl, &start);
    if (mgmt && !command)
        return RF_FAIL(err, RF_INVALID, "SyntaxError",
                       "a control command begins with '.'; queries go to /v2/rest/query");
    if (command) ask.csl = rf_slice(ask.csl, start, ask.csl.len);
    if (command) kind = run_command(request, &ask, mgmt ? KUSTO_MGMT : version, err);
    if (!command) kind = run_query(request, &ask, version, err);
    if (kind == RF_OK) return RF_OK;
    /* The text's line, column and token are told, which the dispatcher's error does not know. */
    request->response->body.len = 0;
    request->response->status = kusto_fault_put(request, err, ask.csl, &request->response->body);
    return RF_OK;
}

static enum rf_kind query_v1(struct request *request, struct rf_err *err)
{
    return serve(request, KUSTO_V1, false, err);
}
static enum rf_kind query_v2(struct request *request, struct rf_err *err)
{
    return serve(request, KUSTO_V2, false, err);
}
static enum rf_kind management(struct request *request, struct rf_err *err)
{
    return serve(request, KUSTO_MGMT, true, err);
}

/* ---- streaming ingestion ----------------------------------------------------------------------------------------- */

static enum rf_kind ingest(struct request *request, struct rf_err *err)
{
    struct logs *logs = logs_of(request);
    struct workspace workspace;
    uint64_t count;
    bool has_format;
    kusto_set_headers(request);
    RF_TRY(kusto_database(logs, request, request->arena, request_variable(request, "database"),
                          &workspace, err));
    struct kusto_ingest ingest = {
        .workspace = &workspace,
        .table = request_variable(request, "table"),
        .format = request_parameter(request, "streamFormat", &has_format),
        .mapping = request_parameter(request, "mappingName", NULL),
        .ignore_first =
            rf_str_eq_nocase(request_parameter(request, "ignoreFirstRecord", NULL), RF_S("true")),
        .data = request->http->body,
        .now_ticks =
            DATETIME_UNIX_EPOCH + rf_clock_now(logs->options.clock) * TICKS_PER_MICROSECOND};
    if (!has_format) ingest.format = RF_S("csv");
    RF_TRY(kusto_may_ingest(logs, request, request->arena, &workspace, ingest.table, err));
    /* The server would fetch what a caller names, from wherever it can reach. */
    if (rf_str_eq_nocase(request_parameter(request, "sourceKind", NULL), RF_S("uri")))
        return RF_FAIL(err, RF_INVALID, "BadRequest",
                       "sourceKind=uri is not offered: send the data itself");
    RF_TRY(kusto_ingest(logs, request->arena, &ingest, &count, err));
    rf_buf_printf(
        &request->response->body,
        "{\"Tables\":[{\"TableName\":\"Table_0\",\"Columns\":[{\"ColumnName\":\"RowCount\","
        "\"DataType\":\"Int64\",\"ColumnType\":\"long\"}],\"Rows\":[[%llu]]}]}",
        (unsigned long long)count);
    return RF_OK;
}

/* ---- routes ------------------------------------------------------------------------------------------------------ */

#define ROUTE(verb, at, handler, of_lane, bytes)                                                   \
    {                                                                                              \
        .method = (verb), .path = at, .access = ROUTE_RESOLVE, .audiences = QUERY_AUDIENCES,       \
        .resolve = resolve, .run = (handler), .lane = (of_lane), .body_bytes_max = (bytes)         \
    }

static const struct route routes[] = {
    {.method = HTTP_GET,
     .path = "/v1/rest/auth/metadata",
     .access = ROUTE_OPEN,
     .why_open = "clients learn from it where to get a token; it tells public names only",
     .run = auth_metadata},
    ROUTE(HTTP_POST, "/v1/rest/query", query_v1, HTTP_HEAVY, BODY_BYTES_MAX),
    ROUTE(HTTP_GET, "/v1/rest/query", query_v1, HTTP_HEAVY, 0),
    ROUTE(HTTP_POST, "/v2/rest/query", query_v2, HTTP_HEAVY, BODY_BYTES_MAX),
    ROUTE(HTTP_GET, "/v2/rest/query", query_v2, HTTP_HEAVY, 0),
    ROUTE(HTTP_POST, "/v1/rest/mgmt", management, HTTP_HEAVY, BODY_BYTES_MAX),
    ROUTE(HTTP_POST, "/v1/rest/ingest/{database}/{table}", ingest, HTTP_QUICK, INGEST_BYTES_MAX),
};

const struct service *kusto_service(struct logs *logs)
{
    struct service *service = queries_service(logs->queries, true);
    logs->kusto_log = kusto_log_new(); /* without it there is no list, and all else */
    *service = (struct service){.name = "kusto",
                                .ctx = logs,
                                .routes = routes,
                                .route_count = RF_COUNT(routes),
                                .error = kusto_service_error};
    return service;
}
