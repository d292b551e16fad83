/* query.c - the routes of the query API: by workspace, by resource, as part of the control plane; with /v1 and, as clients forget
 * it, without. */
#include "base/encode.h"
#include "logs/query_int.h"

enum { BODY_BYTES_MAX = 8 << 20 };

static struct logs *logs_of(const struct request *request) { return request->service; }

/* ---- what is asked ----------------------------------------------------------------------------------------------- */

static enum rf_kind fail_body(struct rf_err *err, const char *why)
{
    return RF_FAIL(err, RF_INVALID, "BadRequest", "%s", why);
}

enum rf_kind query_ask_of_body(const struct json_node *body, struct query_ask *ask,
                               struct rf_err *err)
{
    const struct json_node *query = json_get(body, "query"), *span = json_get(body, "timespan");
    if (!json_is(body, JSON_T_OBJECT)) return fail_body(err, "the body must be a JSON object");
    if (!json_is(query, JSON_T_STRING)) return fail_body(err, "the body needs a query, a text");
    if (span != NULL && span->type != JSON_T_STRING && span->type != JSON_T_NULL)
        return fail_body(err, "timespan must be a text");
    ask->query = query->text;
    if (json_is(span, JSON_T_STRING)) ask->timespan = span->text;
    ask->workspaces = json_get(body, "workspaces");
    if (ask->workspaces != NULL && ask->workspaces->type != JSON_T_ARRAY &&
        ask->workspaces->type != JSON_T_NULL)
        return fail_body(err, "workspaces must be a list");
    return RF_OK;
}

static enum rf_kind read_ask(struct request *request, struct query_ask *ask, struct rf_err *err)
{
    ask->prefer = http_header(request->http, "prefer", NULL);
    ask->target = request->http->path;
    if (request->http->method == HTTP_GET) {
        bool found;
        ask->query = request_parameter(request, "query", &found);
        ask->timespan = request_parameter(request, "timespan", NULL);
        ask->workspace_names = request_parameter(request, "workspaces", NULL);
        return found ? RF_OK : fail_body(err, "the parameter 'query' is missing");
    }
    struct json_node *body;
    RF_TRY(request_json(request, false, &body, err));
    return query_ask_of_body(body, ask, err);
}

static enum rf_kind answer(struct request *request, struct query_ask *ask, struct rf_err *err)
{
    struct logs *logs = logs_of(request);
    uint32_t retry_seconds;
    RF_TRY(read_ask(request, ask, err));
    enum rf_kind admitted = queries_admit(logs->queries, request->principal, &retry_seconds, err);
    if (admitted != RF_OK) http_setf(request->response, "Retry-After", "%u", retry_seconds);
    RF_TRY(admitted);
    http_set_literal(request->response, "Content-Type", "application/json; charset=utf-8");
    request->response->status =
        query_answer(logs, request, request->arena, ask, QUERY_BYTES_MAX, &request->response->body);
    if (request->response->status == 429) http_set_literal(request->response, "Retry-After", "1");
    if (request->response->body.failed) return rf_fail_memory(err, request->arena);
    return RF_OK;
}

/* ---- by workspace ------------------------------------------------------------------------------------------------ */

enum rf_kind query_workspace_by_guid(struct logs *logs, rf_str guid, struct rf_arena *arena,
                                     struct workspace *out, struct rf_err *err)
{
    enum rf_kind kind = RF_NOT_FOUND;
    if (guid_is(guid)) kind = workspace_find(logs, guid, arena, out, err);
    if (kind != RF_NOT_FOUND) return kind;
    return RF_FAIL(err, RF_NOT_FOUND, "PathNotFoundError",
                   "The workspace '%.*s' could not be found.",
                   RF_FMT(rf_slice(guid, 0, RF_MIN(guid.len, 100))));
}

/* The query's own view decides what may be seen, table by table. */
static enum rf_kind resolve(struct request *request, struct route_need *need, struct rf_err *err)
{
    (void)request, (void)err;
    *need = (struct route_need){.is_open_to_members = true};
    return RF_OK;
}

static enum rf_kind of_path(struct request *request, struct workspace *out, struct rf_err *err)
{
    return query_workspace_by_guid(logs_of(request), request_variable(request, "workspaceId"),
                                   request->arena, out, err);
}

static enum rf_kind workspace_query(struct request *request, struct rf_err *err)
{
    struct workspace workspace;
    RF_TRY(of_path(request, &workspace, err));
    struct query_ask ask = {.workspace = &workspace};
    return answer(request, &ask, err);
}

static enum rf_kind workspace_metadata(struct request *request, struct rf_err *err)
{
    struct workspace workspace;
    RF_TRY(of_path(request, &workspace, err));
    return metadata_answer(request, &workspace, err);
}

/* ---- as part of the control plane -------------------------------------------------------------------------------- */

static enum rf_kind of_names(struct request *request, struct workspace *out, struct rf_err *err)
{
    rf_str id = rf_arena_printf(
        request->arena,
        "/subscriptions/%.*s/resourceGroups/%.*s/providers/Microsoft.OperationalInsights/"
        "workspaces/%.*s",
        RF_FMT(request_variable(request, "subscriptionId")),
        RF_FMT(request_variable(request, "group")), RF_FMT(request_variable(request, "name")));
    if (id.ptr == NULL) return rf_fail_memory(err, request->arena);
    enum rf_kind kind = workspace_find(logs_of(request), id, request->arena, out, err);
    if (kind != RF_NOT_FOUND) return kind;
    return RF_FAIL(err, RF_NOT_FOUND, "ResourceNotFound", "The Resource '%.*s' was not found.",
                   RF_FMT(id));
}

static enum rf_kind twin_query(struct request *request, struct rf_err *err)
{
    struct workspace workspace;
    RF_TRY(of_names(request, &workspace, err));
    struct query_ask ask = {.workspace = &workspace};
    return answer(request, &ask, err);
}

static enum rf_kind twin_metadata(struct request *request, struct rf_err *err)
{
    struct workspace workspace;
    RF_TRY(of_names(request, &workspace, err));
    return metadata_answer(request, &workspace, err);
}

/* ---- by resource ------------------------------------------------------------------------------------------------- */

static enum rf_kind fail_resource(rf_str id, struct rf_err *err)
{
    return RF_FAIL(err, RF_NOT_FOUND, "PathNotFoundError",
                   "The resource '%.*s' could not be found.",
                   RF_FMT(rf_slice(id, 0, RF_MIN(id.len, 300))));
}

enum rf_kind query_by_resource(struct logs *logs, rf_str id, struct rf_arena *arena,
                               struct workspace *workspace, struct query_ask *ask,
                               struct rf_err *err)
{
    struct resource_id parsed;
    if (resource_id_parse(id, arena, &parsed, err) != RF_OK || parsed.is_type ||
        parsed.subscription.len == 0)
        return fail_resource(id, err);
    ask->workspace = NULL;
    ask->resource = parsed.text;
    if (!rf_str_eq_nocase(parsed.type, RF_S("Microsoft.OperationalInsights/workspaces")))
        return RF_OK;
    enum rf_kind kind = workspace_find(logs, parsed.text, arena, workspace, err);
    if (kind == RF_NOT_FOUND) return fail_resource(id, err);
    RF_TRY(kind);
    ask->workspace = workspace;
    ask->resource = (rf_str){NULL, 0};
    return RF_OK;
}

static enum rf_kind resource_query(struct request *request, struct rf_err *err)
{
    rf_str scope = request_variable(request, "scope"), v1 = RF_S("v1/");
    if (rf_str_starts(scope, v1)) scope = rf_slice(scope, v1.len, scope.len);
    rf_str id = rf_arena_printf(request->arena, "/%.*s", RF_FMT(scope));
    struct workspace workspace;
    struct query_ask ask = {0};
    if (id.ptr == NULL) return rf_fail_memory(err, request->arena);
    RF_TRY(query_by_resource(logs_of(request), id, request->arena, &workspace, &ask, err));
    return answer(request, &ask, err);
}

/* ---- routes ------------------------------------------------------------------------------------------------------ */

#define TWIN                                                                                       \
    "/subscriptions/{subscriptionId}/resourceGroups/{group}/providers/"                            \
    "Microsoft.OperationalInsights/workspaces/{name}/api/"
#define ROUTE(verb, at, handler)                                                                   \
    {                                                                                              \
        .method = (verb), .path = at, .access = ROUTE_RESOLVE, .audiences = QUERY_AUDIENCES,       \
        .resolve = resolve, .run = (handler), .lane = HTTP_HEAVY, .body_bytes_max = BODY_BYTES_MAX \
    }

static const struct route routes[] = {
    ROUTE(HTTP_POST, "/v1/workspaces/{workspaceId}/query", workspace_query),
    ROUTE(HTTP_GET, "/v1/workspaces/{workspaceId}/query", workspace_query),
    ROUTE(HTTP_POST, "/workspaces/{workspaceId}/query", workspace_query),
    ROUTE(HTTP_GET, "/workspaces/{workspaceId}/query", workspace_query),
    ROUTE(HTTP_POST, "/v1/workspaces/{workspaceId}/metadata", workspace_metadata),
    ROUTE(HTTP_GET, "/v1/workspaces/{workspaceId}/metadata", workspace_metadata),
    ROUTE(HTTP_POST, "/workspaces/{workspaceId}/metadata", workspace_metadata),
    ROUTE(HTTP_GET, "/workspaces/{workspaceId}/metadata", workspace_metadata),
    ROUTE(HTTP_POST, "/v1/$batch", batch_run),
    ROUTE(HTTP_POST, "/$batch", batch_run),
    ROUTE(HTTP_POST, TWIN "query", twin_query),
    ROUTE(HTTP_GET, TWIN "query", twin_query),
    ROUTE(HTTP_POST, TWIN "metadata", twin_metadata),
    ROUTE(HTTP_GET, TWIN "metadata", twin_metadata),
    ROUTE(HTTP_POST, "/{scope*}/query", resource_query),
    ROUTE(HTTP_GET, "/{scope*}/query", resource_query),
};

const struct service *query_service(struct logs *logs)
{
    struct service *service = queries_service(logs->queries, false);
    *service = (struct service){.name = "query",
                                .ctx = logs,
                                .routes = routes,
                                .route_count = RF_COUNT(routes),
                                .error = query_service_error};
    return service;
}

enum rf_kind query_all_workspaces(struct logs *logs, struct rf_arena *arena, struct workspace *out,
                                  uint32_t max, uint32_t *count, struct rf_err *err)
{
    struct state_txn *txn;
    struct arm_resource *list;
    uint32_t n;
    RF_TRY(state_begin_read(logs->options.state, &txn, err));
    enum rf_kind kind = arm_list(logs->options.arm, txn, "Microsoft.OperationalInsights/workspaces",
                                 arena, &list, &n, err);
    state_end(txn);
    RF_TRY(kind);
    for (uint32_t i = 0; i < n && *count < max; i++) {
        struct workspace found = workspace_of(&list[i]);
        if (found.guid.len > 0) out[(*count)++] = found;
    }
    return RF_OK;
}
