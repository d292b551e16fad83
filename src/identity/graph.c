#include "identity/graph_policy_int.h"

/* ---- errors ------------------------------------------------------------------------------------------------------------------- */

struct json_node *graph_error_json(struct rf_arena *arena, const struct request *request,
                                   const char *code, const char *text)
{
    struct json_node *root = json_new(arena, JSON_T_OBJECT);
    if (root == NULL) return NULL;
    struct json_node *error = json_object_in(arena, root, "error");
    json_set_text(arena, error, "code", rf_str_of(code));
    json_set_text(arena, error, "message", rf_str_of(text));
    struct json_node *inner = error == NULL ? NULL : json_object_in(arena, error, "innerError");
    rf_str at = time_iso(arena, request->now);
    json_set_text(arena, inner, "date", rf_slice(at, 0, RF_MIN(at.len, (size_t)19)));
    json_set_text(arena, inner, "request-id", request->request_id);
    return json_set_text(arena, inner, "client-request-id", request->client_request_id) == NULL
               ? NULL
               : root;
}

/* The codes of Graph for what the dispatcher found out. */
static const char *code_of(uint16_t status, const struct rf_err *err)
{
    if (status == 401) return "InvalidAuthenticationToken";
    if (status == 403 && strcmp(err->code, "FreshSignInRequired") != 0)
        return "Authorization_RequestDenied";
    if (status == 413) return "Request_EntityTooLarge";
    if (status == 429) return "TooManyRequests";
    if (status == 503) return "ServiceNotAvailable";
    if (status >= 500 && status != 501) return "InternalServerError";
    if (strcmp(err->code, "InvalidRequestContent") == 0) return "Request_BadRequest";
    return err->code;
}

static void graph_error(struct request *request, uint16_t status, const struct rf_err *err)
{
    struct json_node *body =
        graph_error_json(request->arena, request, code_of(status, err), err->text);
    http_set(request->response, "request-id", request->request_id);
    (void)request_answer(request, status, body);
}

/* ---- matching ----------------------------------------------------------------------------------------------------------------- */

static const struct graph_route batch_routes[] = {
    {HTTP_POST, GRAPH_READS, "$batch", NULL, graph_batch, NULL},
    {.path = NULL},
};
static const struct graph_route *const tables[] = {
    batch_routes,          graph_factor_routes,  graph_application_routes, graph_principal_routes,
    graph_user_routes,     graph_group_routes,   graph_tenant_routes,      graph_policy_routes,
    graph_strength_routes, graph_role_routes,    graph_setting_routes,     graph_admin_routes,
    graph_log_routes,      graph_session_routes, graph_risk_routes,        graph_elevate_routes,
};

static enum rf_kind add_segment(struct graph_call *call, rf_str raw, struct rf_err *err)
{
    rf_str text;
    if (call->segment_count == GRAPH_SEGMENTS_MAX) return graph_bad(err, "The path is too long.");
    struct rf_err bad;
    if (percent_decode(call->arena, raw, false, &text, &bad) != RF_OK)
        return graph_bad(err, "The path is not well encoded.");
    call->segments[call->segment_count++] = text;
    return RF_OK;
}

enum rf_kind graph_split(struct graph_call *call, rf_str path, struct rf_err *err)
{
    for (size_t at = 0; at < path.len;) {
        size_t end = rf_str_find(path, RF_S("/"), at);
        if (end == SIZE_MAX) end = path.len;
        rf_str raw = rf_slice(path, at, end);
        at = end + 1;
        if (raw.len == 0) continue;
        /* Actions may bear the name of the schema: microsoft.graph.revokeSignInSessions. */
        rf_str schema = RF_S("microsoft.graph.");
        if (rf_str_starts(raw, schema)) raw = rf_slice(raw, schema.len, raw.len);
        size_t open = rf_str_find(raw, RF_S("("), 0);
        if (open == SIZE_MAX || open == 0 || !rf_str_ends(raw, RF_S(")"))) {
            RF_TRY(add_segment(call, raw, err));
            continue;
        }
        RF_TRY(add_segment(call, rf_slice(raw, 0, open), err));
        if (open + 2 < raw.len)
            RF_TRY(add_segment(call, rf_slice(raw, open + 1, raw.len - 1), err));
    }
    return RF_OK;
}

static bool fits(struct graph_call *call, const char *path)
{
    uint32_t at = 0;
    call->id_count = 0;
    for (rf_str rest = rf_str_of(path); rest.len > 0; at++) {
        size_t end = rf_str_find(rest, RF_S("/"), 0);
        rf_str word = end == SIZE_MAX ? rest : rf_slice(rest, 0, end);
        rest = end == SIZE_MAX ? RF_S("") : rf_slice(rest, end + 1, rest.len);
        if (at == call->segment_count) return false;
        if (rf_str_is(word, "{}"))
            call->ids[call->id_count++] = call->segments[at];
        else if (!rf_str_eq_nocase(word, call->segments[at]))
            return false;
    }
    return at == call->segment_count;
}

/* "/me" is the user who asks. */
static enum rf_kind resolve_me(struct graph_call *call, struct rf_err *err)
{
    if (call->segment_count == 0 || !rf_str_is(call->segments[0], "me")) return RF_OK;
    const struct principal *who = call->request->principal;
    if (who == NULL || who->type != PRINCIPAL_USER)
        return RF_FAIL(err, RF_INVALID, "BadRequest",
                       "/me request is only valid with delegated authentication flow.");
    if (call->segment_count == GRAPH_SEGMENTS_MAX) return graph_bad(err, "The path is too long.");
    for (uint32_t i = call->segment_count; i > 1; i--) call->segments[i] = call->segments[i - 1];
    call->is_own = true;
    call->segments[0] = RF_S("users");
    call->segments[1] = who->object_id;
    call->segment_count++;
    return RF_OK;
}

static enum rf_kind find_route(struct graph_call *call, struct rf_err *err)
{
    bool path_known = false;
    RF_TRY(resolve_me(call, err));
    for (size_t i = 0; i < RF_COUNT(tables); i++) {
        for (const struct graph_route *route = tables[i]; route->path != NULL; route++) {
            if (!fits(call, route->path)) continue;
            path_known = true;
            if (route->method != call->method) continue;
            call->route = route;
            return RF_OK;
        }
    }
    if (path_known)
        return request_fail(call->request, err, 405, "Request_BadRequest",
                            "Specified HTTP method is not allowed for the request target.");
    rf_str last = call->segment_count == 0 ? RF_S("") : call->segments[call->segment_count - 1];
    return RF_FAIL(err, RF_INVALID, "BadRequest", "Resource not found for the segment '%.*s'.",
                   (int)RF_MIN(last.len, 64), (const char *)last.ptr);
}

static bool has_role(const struct principal *who, const char *roles)
{
    if (roles == NULL) return who != NULL;
    rf_str rest = rf_str_of(roles);
    for (size_t at = 0; who != NULL && at < rest.len;) {
        size_t end = rf_str_find(rest, RF_S(" "), at);
        if (end == SIZE_MAX) end = rest.len;
        for (uint32_t i = 0; i < who->role_count; i++)
            if (rf_str_eq(who->roles[i], rf_slice(rest, at, end))) return true;
        at = end + 1;
    }
    return false;
}

/* ---- running ------------------------------------------------------------------------------------------------------------------ */

static enum rf_kind read_body(struct graph_call *call, struct rf_err *err)
{
    if (call->method == HTTP_GET || call->method == HTTP_DELETE) return RF_OK;
    RF_TRY(request_json(call->request, true, &call->body, err));
    if (call->body != NULL && call->body->type != JSON_T_OBJECT)
        return graph_bad(err, "The body must be a JSON object.");
    return RF_OK;
}

static enum rf_kind run_in_txn(struct graph_call *call, struct rf_err *err)
{
    struct state *state = call->identity->options.state;
    bool writes = call->method != HTTP_GET && !(call->route->flags & GRAPH_READS);
    /* The parts of a batch have transactions of their own. */
    if (call->route->run == graph_batch) return graph_batch(call, err);
    if (writes)
        RF_TRY(state_begin_write(state, &call->txn, err));
    else
        RF_TRY(state_begin_read(state, &call->txn, err));
    enum rf_kind kind = call->route->run(call, err);
    struct state_txn *txn = call->txn;
    call->txn = NULL;
    if (kind != RF_OK || !writes) {
        state_end(txn);
        return kind;
    }
    return state_commit(txn, err);
}

enum rf_kind graph_run_call(struct graph_call *call, struct rf_err *err)
{
    RF_TRY(find_route(call, err));
    /* Everybody may see what the directory says of himself. */
    bool sees_own = call->is_own && call->method == HTTP_GET;
    bool has_right = has_role(call->request->principal, call->route->roles);
    if (!has_right && call->is_own && (call->route->flags & GRAPH_OWN))
        RF_TRY(graph_signed_in_anew(call, err));
    else if (!has_right && !sees_own)
        return request_fail(call->request, err, 403, "Authorization_RequestDenied",
                            "Insufficient privileges to complete the operation.");
    RF_TRY(read_body(call, err));
    RF_TRY(run_in_txn(call, err));
    for (uint32_t i = 0; i < call->change_count; i++)
        trail_audit(call->identity, call->request, &call->changes[i]);
    return RF_OK;
}

static enum rf_kind answer(struct graph_call *call)
{
    struct request *request = call->request;
    struct http_response *response = request->response;
    http_set(response, "request-id", request->request_id);
    http_set_literal(response, "OData-Version", "4.0");
    if (call->plain.len > 0) {
        response->status = call->status;
        http_set_literal(response, "Content-Type", "text/plain");
        rf_buf_str(&response->body, call->plain);
        return RF_OK;
    }
    if (call->answer == NULL) return request_answer_empty(request, call->status);
    (void)request_answer(request, call->status, call->answer);
    http_set_literal(response, "Content-Type",
                     "application/json;odata.metadata=minimal;odata.streaming=true;"
                     "IEEE754Compatible=false;charset=utf-8");
    if (call->status == 201) {
        rf_str id = json_text_at(call->answer, "id");
        if (id.len > 0)
            http_setf(response, "Location", "%.*s/%.*s/directoryObjects/%.*s",
                      RF_FMT(request->origin), RF_FMT(call->version), RF_FMT(id));
    }
    return RF_OK;
}

static enum rf_kind run(struct request *request, struct rf_err *err)
{
    struct graph_call *call = rf_arena_new(request->arena, struct graph_call, 1);
    if (call == NULL) return rf_fail_memory(err, request->arena);
    rf_str path = rf_slice(request->http->path, 1, request->http->path.len);
    size_t slash = rf_str_find(path, RF_S("/"), 0);
    call->identity = identity_of(request);
    call->request = request;
    call->arena = request->arena;
    call->method = request->http->method == HTTP_HEAD ? HTTP_GET : request->http->method;
    call->version = slash == SIZE_MAX ? path : rf_slice(path, 0, slash);
    call->path = request->http->path;
    call->status = 200;
    RF_TRY(graph_split(call, rf_slice(path, RF_MIN(call->version.len, path.len), path.len), err));
    RF_TRY(graph_run_call(call, err));
    return answer(call);
}

/* ---- the route table of the dispatcher -------------------------------------------------------------------------------------- */

static const char *const versions[] = {"v1.0", "beta"};
enum { GRAPH_BODY_BYTES_MAX = 4 << 20 };

static bool add_route(struct rf_arena *arena, struct route *out, enum http_method method,
                      const char *path, const char *roles)
{
    *out = (struct route){.method = method,
                          .path = path,
                          .access = roles == NULL ? ROUTE_MEMBER : ROUTE_ROLE,
                          .action = roles,
                          .audiences = AUDIENCE_GRAPH,
                          .run = run,
                          .body_bytes_max = GRAPH_BODY_BYTES_MAX};
    (void)arena;
    return path != NULL;
}

/* "users/{}/memberOf" becomes "/v1.0/users/{id1}/memberOf". */
static const char *full_path(struct rf_arena *arena, const char *version, const char *path)
{
    struct rf_buf buf = rf_buf_in(arena);
    unsigned ids = 0;
    rf_buf_printf(&buf, "/%s/", version);
    for (const char *c = path; *c != '\0'; c++) {
        rf_buf_byte(&buf, (uint8_t)*c);
        if (c[0] == '{' && c[1] == '}') rf_buf_printf(&buf, "id%u", ++ids);
    }
    rf_buf_byte(&buf, 0);
    return buf.failed ? NULL : (const char *)buf.ptr;
}

static bool add_version(struct rf_arena *arena, const char *version, struct route *routes,
                        uint32_t *count)
{
    for (size_t i = 0; i < RF_COUNT(tables); i++) {
        for (const struct graph_route *route = tables[i]; route->path != NULL; route++) {
            const char *path = full_path(arena, version, route->path);
            if (!add_route(arena, &routes[(*count)++], route->method, path, route->roles))
                return false;
        }
    }
    /* Keys in parentheses, names of the schema, /me: one segment of theirs is none of the table's. The second matching checks
     * the roles. */
    static const enum http_method methods[] = {HTTP_GET, HTTP_POST, HTTP_PATCH, HTTP_PUT,
                                               HTTP_DELETE};
    for (size_t i = 0; i < RF_COUNT(methods); i++)
        if (!add_route(arena, &routes[(*count)++], methods[i], full_path(arena, version, "{rest*}"),
                       NULL))
            return false;
    return true;
}

enum rf_kind graph_service(struct identity *identity, struct rf_arena *arena, struct service *out,
                           struct rf_err *err)
{
    uint32_t room = 0, count = 0;
    for (size_t i = 0; i < RF_COUNT(tables); i++)
        for (const struct graph_route *route = tables[i]; route->path != NULL; route++) room++;
    room = (room + 5) * RF_COUNT(versions);
    struct route *routes = rf_arena_new(arena, struct route, room);
    if (routes == NULL) return rf_fail_memory(err, arena);
    for (size_t i = 0; i < RF_COUNT(versions); i++)
        if (!add_version(arena, versions[i], routes, &count)) return rf_fail_memory(err, arena);
    RF_ASSERT(count == room);
    *out = (struct service){.name = "identity.graph",
                            .ctx = identity,
                            .routes = routes,
                            .route_count = count,
                            .error = graph_error};
    return RF_OK;
}
