#include "authz/route.h"

#include <stdlib.h>

#include "authz/denial_int.h"
#include "authz/route_tree_int.h"
#include "authz/token_int.h"
#include "base/encode.h"
#include "base/json_out.h"
#include "base/log.h"
#include "crypt/digest.h"

enum {
    BODY_BYTES_DEFAULT = 4 << 20,
    CLIENT_ID_BYTES_MAX = 128,
    KNOWN_CALLERS = 8192, /* a power of two */
    PLAN_BYTES_MAX = 256 << 10
};

struct dispatcher {
    struct dispatcher_options options;
    struct route_tree *tree;
    struct token_verifier *tokens;
    struct denials *denials;
    uint64_t seed;
    /* Hashes of Authorization headers that were good lately: only those get turns of their own, or a stranger could take as
     * many turns as there are made-up tokens. */
    atomic_uint_fast64_t known[KNOWN_CALLERS];
};

/* ---- life ------------------------------------------------------------------------------------------------ */

enum rf_kind dispatcher_new(const struct dispatcher_options *options, struct dispatcher **out,
                            struct rf_err *err)
{
    struct dispatcher *dispatcher = calloc(1, sizeof *dispatcher);
    if (dispatcher == NULL) return RF_FAIL(err, RF_LIMIT, "MemoryBudgetExceeded", "a dispatcher");
    dispatcher->options = *options;
    random_bytes(&dispatcher->seed, sizeof dispatcher->seed);
    dispatcher->tree = route_tree_new();
    dispatcher->denials = denials_new();
    enum rf_kind kind = token_verifier_new(options->site, &dispatcher->tokens, err);
    if (kind == RF_OK && (dispatcher->tree == NULL || dispatcher->denials == NULL))
        kind = RF_FAIL(err, RF_LIMIT, "MemoryBudgetExceeded", "a dispatcher");
    if (kind != RF_OK) {
        dispatcher_free(dispatcher);
        return kind;
    }
    *out = dispatcher;
    return RF_OK;
}

void dispatcher_free(struct dispatcher *dispatcher)
{
    if (dispatcher == NULL) return;
    route_tree_free(dispatcher->tree);
    token_verifier_free(dispatcher->tokens);
    denials_free(dispatcher->denials);
    free(dispatcher);
}

enum rf_kind dispatcher_set_keys(struct dispatcher *dispatcher, const struct token_key *keys,
                                 uint32_t count, struct rf_err *err)
{
    return token_set_keys(dispatcher->tokens, keys, count, err);
}

/* What a route lacks to be checked; NULL: nothing. */
static const char *missing_check(const struct route *route)
{
    if (route->run == NULL) return "has nothing to run";
    if (route->access != ROUTE_OPEN && route->audiences == 0) return "names no audience";
    switch (route->access) {
    case ROUTE_OPEN:
        return route->why_open == NULL ? "is open and does not say why" : NULL;
    case ROUTE_ACTION:
    case ROUTE_DATA:
        return route->action == NULL || route->scope == NULL ? "names no action or scope" : NULL;
    case ROUTE_RESOLVE:
        return route->resolve == NULL ? "resolves nothing" : NULL;
    case ROUTE_ROLE:
        return route->action == NULL ? "names no role" : NULL;
    case ROUTE_MEMBER:
        return NULL;
    }
    return "declares no access";
}

enum rf_kind dispatcher_add(struct dispatcher *dispatcher, const struct service *service,
                            struct rf_err *err)
{
    for (uint32_t i = 0; i < service->route_count; i++) {
        const struct route *route = &service->routes[i];
        const char *missing = missing_check(route);
        if (missing != NULL)
            return RF_FAIL(err, RF_INVALID, "BadRoute", "%s %s %s of %s", route->path, missing,
                           http_method_name(route->method), service->name);
        RF_TRY(route_tree_add(dispatcher->tree, route, service, err));
    }
    return RF_OK;
}

const struct route *dispatcher_route(const struct dispatcher *dispatcher, uint32_t index,
                                     const struct service **service)
{
    return route_tree_at(dispatcher->tree, index, service);
}

/* ---- planning -------------------------------------------------------------------------------------------- */

static uint64_t header_hash(const struct dispatcher *dispatcher, rf_str header)
{
    uint64_t hash = rf_hash(header.ptr, header.len, dispatcher->seed);
    return hash == 0 ? 1 : hash; /* 0 is an empty place */
}

static uint64_t who_asks(struct dispatcher *dispatcher, const struct http_request *head)
{
    bool there;
    rf_str header = http_header(head, "Authorization", &there);
    if (there) {
        uint64_t hash = header_hash(dispatcher, header);
        if (atomic_load_explicit(&dispatcher->known[hash % KNOWN_CALLERS], memory_order_relaxed) ==
            hash)
            return hash;
    }
    return rf_hash(head->peer_address.ptr, head->peer_address.len, dispatcher->seed);
}

static void remember_caller(struct dispatcher *dispatcher, rf_str header)
{
    uint64_t hash = header_hash(dispatcher, header);
    atomic_uint_fast64_t *place = &dispatcher->known[hash % KNOWN_CALLERS];
    if (atomic_load_explicit(place, memory_order_relaxed) != hash)
        atomic_store_explicit(place, hash, memory_order_relaxed);
}

static struct http_plan plan(void *ctx, const struct http_request *head)
{
    struct dispatcher *dispatcher = ctx;
    struct http_plan plan = {.body_bytes_max = BODY_BYTES_DEFAULT,
                             .lane = HTTP_QUICK,
                             .who = who_asks(dispatcher, head)};
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, PLAN_BYTES_MAX);
    struct path path;
    struct route_found found;
    if (path_parse(head->path, &arena, &path, NULL) != RF_OK) return plan;
    route_tree_find(dispatcher->tree, &path, head->query, head->method, &found);
    if (found.route == NULL) return plan;
    if (found.route->body_bytes_max != 0) plan.body_bytes_max = found.route->body_bytes_max;
    plan.lane = found.route->lane;
    return plan;
}

/* ---- errors ---------------------------------------------------------------------------------------------- */

static void write_error(struct http_response *response, rf_str code, rf_str text)
{
    http_set_literal(response, "Content-Type", "application/json; charset=utf-8");
    response->body.len = 0;
    struct json_out out = json_out_to(&response->body);
    json_begin_object(&out, NULL);
    json_begin_object(&out, "error");
    json_put_text(&out, "code", code);
    json_put_text(&out, "message", text);
    json_end_object(&out);
    json_end_object(&out);
    if (response->body.failed) response->failed = true;
}

uint16_t request_status_of(enum rf_kind kind)
{
    switch (kind) {
    case RF_OK:
        return 200;
    case RF_INVALID:
        return 400;
    case RF_DENIED:
        return 403;
    case RF_NOT_FOUND:
        return 404;
    case RF_CONFLICT:
        return 409;
    case RF_LIMIT:
        return 413;
    case RF_AGAIN:
        return 503;
    case RF_CANCELLED:
        return 499;
    case RF_IO:
    case RF_CORRUPT:
        return 500;
    }
    return 500;
}

/* The text of a quoted string of a header: the quote and the backslash would end or escape it. */
static rf_str quotable(struct rf_arena *arena, const char *text)
{
    char *copy = rf_arena_cstr(arena, rf_str_of(text));
    if (copy == NULL) return (rf_str){0};
    for (char *c = copy; *c != '\0'; c++)
        if (*c == '"' || *c == '\\' || (uint8_t)*c < 0x20 || (uint8_t)*c >= 0x7f) *c = '\'';
    return rf_str_of(copy);
}

static void set_challenge(struct request *request, const struct rf_err *err)
{
    rf_str why = quotable(request->arena, err->text);
    http_setf(request->response, "WWW-Authenticate",
              "Bearer authorization_uri=\"%.*s/%.*s\", error=\"invalid_token\", "
              "error_description=\"%.*s\"",
              RF_FMT(request->origin), RF_FMT(request->site->tenant_id), RF_FMT(why));
}

static bool has_header(const struct http_response *response, rf_str name)
{
    for (uint32_t i = 0; i < response->header_count; i++)
        if (rf_str_eq_nocase(response->headers[i].name, name)) return true;
    return false;
}

/* What went wrong in the house is for its log; the caller gets a number to ask about it. */
static void hide_cause(struct request *request, struct rf_err *err)
{
    rf_str route = rf_str_of(request->route == NULL ? "" : request->route->path);
    rf_log(RF_ERROR, "request.failed", RF_KV_STR("route", route),
           RF_KV_STR("code", rf_str_of(err->code == NULL ? "" : err->code)),
           RF_KV_STR("text", rf_str_of(err->text)), RF_KV_STR("request_id", request->request_id));
    (void)rf_fail(err, err->kind, "InternalServerError",
                  "The server encountered an internal error. Request id: %.*s.",
                  RF_FMT(request->request_id));
}

/* Shapes the answer of an error; `status` 0 is taken from the kind. */
static void answer_error(struct request *request, uint16_t status, struct rf_err *err)
{
    if (status == 0) status = request_status_of(err->kind);
    if (status == 500) hide_cause(request, err);
    if (err->code == NULL || err->code[0] == '\0') err->code = "BadRequest";
    struct http_response *response = request->response;
    response->status = status;
    bool is_open = request->route != NULL && request->route->access == ROUTE_OPEN;
    if (status == 401 && !is_open && !has_header(response, RF_S("WWW-Authenticate")))
        set_challenge(request, err);
    if ((status == 429 || status == 503) && !has_header(response, RF_S("Retry-After")))
        http_set_literal(response, "Retry-After", "1");
    const struct service *service = request->from;
    response->body.len = 0;
    if (service != NULL && service->error != NULL)
        service->error(request, status, err);
    else
        write_error(response, rf_str_of(err->code), rf_str_of(err->text));
}

static void refuse(void *ctx, const struct http_request *head, const char *why,
                   struct http_response *response)
{
    (void)ctx;
    (void)head;
    const char *code = response->status == 413   ? "RequestEntityTooLarge"
                       : response->status == 408 ? "RequestTimeout"
                       : response->status == 431 ? "RequestHeaderFieldsTooLarge"
                       : response->status == 501 ? "NotImplemented"
                       : response->status >= 500 ? "ServiceUnavailable"
                                                 : "BadRequest";
    http_set_literal(response, "Cache-Control", "no-cache");
    write_error(response, rf_str_of(code), rf_str_of(why));
}

/* ---- headers --------------------------------------------------------------------------------------------- */

static bool is_echoable(rf_str id)
{
    for (size_t i = 0; i < id.len; i++)
        if (id.ptr[i] <= 0x20 || id.ptr[i] >= 0x7f) return false;
    return id.len > 0 && id.len <= CLIENT_ID_BYTES_MAX;
}

static void set_ids(struct request *request)
{
    const struct http_request *http = request->http;
    struct http_response *response = request->response;
    rf_str client = http_header(http, "client-request-id", NULL);
    rf_str ms_client = http_header(http, "x-ms-client-request-id", NULL);
    rf_str correlation = http_header(http, "x-ms-correlation-request-id", NULL);
    request->request_id = guid_random(request->arena);
    request->client_request_id = is_echoable(ms_client) ? ms_client
                                 : is_echoable(client)  ? client
                                                        : request->request_id;
    if (!guid_is(correlation)) correlation = request->request_id;
    http_set(response, "x-ms-request-id", request->request_id);
    http_set(response, "x-ms-correlation-request-id", correlation);
    if (is_echoable(client)) http_set(response, "client-request-id", client);
    rf_str wants = http_header(http, "x-ms-return-client-request-id", NULL);
    if (is_echoable(ms_client) && rf_str_eq_nocase(wants, RF_S("true")))
        http_set(response, "x-ms-client-request-id", ms_client);
}

static void set_defaults(struct request *request)
{
    struct http_response *response = request->response;
    if (!has_header(response, RF_S("Cache-Control")))
        http_set_literal(response, "Cache-Control", "no-cache");
    http_set_literal(response, "Strict-Transport-Security", "max-age=31536000; includeSubDomains");
    http_set_literal(response, "X-Content-Type-Options", "nosniff");
    if (request->route == NULL || !(request->route->audiences & AUDIENCE_ARM)) return;
    rf_str now = time_iso(request->arena, request->now);
    if (now.len < 19) return;
    http_setf(response, "x-ms-routing-request-id", "%.*s:%.19sZ:%.*s",
              RF_FMT(request->site->location), (const char *)now.ptr, RF_FMT(request->request_id));
}

/* ---- who asks -------------------------------------------------------------------------------------------- */

/* The token of the only Authorization header. */
static enum rf_kind find_bearer(const struct http_request *http, rf_str *header, rf_str *token,
                                struct rf_err *err)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < http->header_count; i++)
        if (rf_str_eq_nocase(http->headers[i].name, RF_S("Authorization"))) count++;
    if (count == 0)
        return RF_FAIL(err, RF_DENIED, "AuthenticationFailed",
                       "Authentication failed. The 'Authorization' header is missing.");
    *header = http_header(http, "Authorization", NULL);
    rf_str scheme = RF_S("Bearer ");
    if (count > 1 || header->len <= scheme.len ||
        !rf_str_eq_nocase(rf_slice(*header, 0, scheme.len), scheme))
        return RF_FAIL(err, RF_DENIED, "AuthenticationFailed",
                       "Authentication failed. The 'Authorization' header is provided in an "
                       "invalid format.");
    *token = rf_str_trim(rf_slice(*header, scheme.len, header->len));
    return RF_OK;
}

/* The state of the token's owner, as it is now. */
static enum rf_kind look_up(const struct dispatcher *dispatcher, struct rf_arena *arena,
                            const struct token_facts *facts, struct principal *principal,
                            struct rf_err *err)
{
    const struct directory *directory = dispatcher->options.directory;
    if (directory == NULL) return RF_OK;
    struct principal now = {.object_id = {0}};
    rf_usec valid_from = 0;
    struct rf_err inner;
    enum rf_kind kind =
        directory->find(directory->ctx, facts->object_id, arena, &now, &valid_from, &inner);
    if (kind == RF_NOT_FOUND || kind == RF_DENIED || (kind == RF_OK && now.type != facts->type))
        return RF_FAIL(err, RF_DENIED, "InvalidAuthenticationToken",
                       "The access token is invalid: its principal is disabled or was deleted.");
    if (kind != RF_OK) {
        *err = inner;
        return kind;
    }
    if (facts->issued_sec < valid_from / RF_USEC_PER_SECOND)
        return RF_FAIL(err, RF_DENIED, "InvalidAuthenticationToken",
                       "The access token is invalid: it was revoked.");
    principal->object_id = now.object_id;
    principal->display_name = now.display_name;
    principal->user_name = now.user_name;
    principal->groups = now.groups;
    principal->group_count = now.group_count;
    return RF_OK;
}

static enum rf_kind identify(struct dispatcher *dispatcher, struct request *request,
                             struct token_facts **facts, struct rf_err *err)
{
    rf_str header = {0}, token = {0};
    RF_TRY(find_bearer(request->http, &header, &token, err));
    RF_TRY(token_verify(dispatcher->tokens, token, request->route->audiences, request->now, facts,
                        err));
    struct principal *principal = rf_arena_new(request->arena, struct principal, 1);
    if (principal == NULL) return rf_fail_memory(err, request->arena);
    *principal = (struct principal){.type = (*facts)->type,
                                    .object_id = (*facts)->object_id,
                                    .app_id = (*facts)->app_id,
                                    .display_name = (*facts)->display_name,
                                    .user_name = (*facts)->user_name,
                                    .roles = (*facts)->roles,
                                    .role_count = (*facts)->role_count,
                                    .audience = (*facts)->audience,
                                    .token_id = (*facts)->token_id,
                                    .claims = (*facts)->claims};
    RF_TRY(look_up(dispatcher, request->arena, *facts, principal, err));
    request->principal = principal;
    remember_caller(dispatcher, header);
    return RF_OK;
}

/* A copy that outlives the token's facts; claims are left out. */
static bool copy_principal(const struct token_facts *facts, struct rf_arena *arena,
                           struct principal *out)
{
    *out = (struct principal){.type = facts->type};
    rf_str *roles = rf_arena_new(arena, rf_str, facts->role_count);
    bool fits = roles != NULL && rf_arena_str(arena, facts->object_id, &out->object_id) &&
                rf_arena_str(arena, facts->app_id, &out->app_id) &&
                rf_arena_str(arena, facts->display_name, &out->display_name) &&
                rf_arena_str(arena, facts->user_name, &out->user_name) &&
                rf_arena_str(arena, facts->audience, &out->audience) &&
                rf_arena_str(arena, facts->token_id, &out->token_id);
    for (uint32_t i = 0; fits && i < facts->role_count; i++)
        fits = rf_arena_str(arena, facts->roles[i], &roles[i]);
    out->roles = roles;
    out->role_count = facts->role_count;
    return fits;
}

enum rf_kind dispatcher_identify(struct dispatcher *dispatcher, rf_str token, unsigned audiences,
                                 struct rf_arena *arena, struct principal *out, rf_usec *expires,
                                 struct rf_err *err)
{
    struct token_facts *facts = NULL;
    struct principal made;
    RF_TRY(token_verify(dispatcher->tokens, token, audiences,
                        rf_clock_now(dispatcher->options.clock), &facts, err));
    rf_usec until = facts->expires_sec * RF_USEC_PER_SECOND;
    enum rf_kind kind = copy_principal(facts, arena, &made) ? RF_OK : rf_fail_memory(err, arena);
    if (kind == RF_OK) kind = look_up(dispatcher, arena, facts, &made, err);
    token_release(facts);
    if (kind != RF_OK) return kind;
    *out = made;
    *expires = until;
    return RF_OK;
}

/* ---- whether they may ------------------------------------------------------------------------------------ */

static enum rf_kind check_roles(const struct request *request, struct rf_err *err)
{
    rf_str words = rf_str_of(request->route->action);
    for (size_t at = 0; at < words.len;) {
        size_t blank = rf_str_find(words, RF_S(" "), at);
        size_t end = blank == SIZE_MAX ? words.len : blank;
        rf_str word = rf_slice(words, at, end);
        for (uint32_t i = 0; i < request->principal->role_count; i++)
            if (rf_str_eq(request->principal->roles[i], word) && word.len > 0) return RF_OK;
        at = end + 1;
    }
    return RF_FAIL(err, RF_DENIED, "Authorization_RequestDenied",
                   "Insufficient privileges to complete the operation.");
}

/* `need` tells what was asked for, for the row of a denial. */
static enum rf_kind check_access(const struct dispatcher *dispatcher, struct request *request,
                                 struct route_need *need, struct rf_err *err)
{
    const struct route *route = request->route;
    switch (route->access) {
    case ROUTE_OPEN:
    case ROUTE_MEMBER:
        return RF_OK;
    case ROUTE_ROLE:
        need->action = rf_str_of(route->action);
        return check_roles(request, err);
    case ROUTE_ACTION:
    case ROUTE_DATA:
        need->action = rf_str_of(route->action);
        need->is_data = route->access == ROUTE_DATA;
        RF_TRY(route->scope(request, &need->scope, err));
        break;
    case ROUTE_RESOLVE:
        RF_TRY(route->resolve(request, need, err));
        if (need->is_open_to_members) return RF_OK;
        break;
    }
    RF_ASSERT(need->action.len > 0);
    return authz_require(dispatcher->options.authz, request->principal, need->action, need->scope,
                         need->is_data, err);
}

bool request_may(struct request *request, rf_str action, rf_str scope, bool is_data)
{
    return request->principal != NULL &&
           authz_check(request->authz, request->principal, action, scope, is_data);
}

/* ---- running --------------------------------------------------------------------------------------------- */

static void set_allow(struct request *request, unsigned methods)
{
    struct rf_buf buf = rf_buf_in(request->arena);
    if (methods & 1u << HTTP_GET) methods |= 1u << HTTP_HEAD;
    for (unsigned m = 0; m < HTTP_METHOD_COUNT; m++) {
        if (!(methods & 1u << m)) continue;
        rf_buf_printf(&buf, "%s%s", buf.len == 0 ? "" : ", ",
                      http_method_name((enum http_method)m));
    }
    http_set(request->response, "Allow", rf_buf_view(&buf));
}

/* Finds the route and reads the target. */
static enum rf_kind find_route(const struct dispatcher *dispatcher, struct request *request,
                               struct rf_err *err)
{
    const struct http_request *http = request->http;
    struct path path;
    struct route_found found;
    RF_TRY(path_parse(http->path, request->arena, &path, err));
    route_tree_find(dispatcher->tree, &path, http->query, http->method, &found);
    if (found.route == NULL && found.methods != 0) {
        set_allow(request, found.methods);
        return request_fail(request, err, 405, "MethodNotAllowed",
                            "The HTTP method %s is not supported here.",
                            http_method_name(http->method));
    }
    if (found.route == NULL)
        return RF_FAIL(err, RF_NOT_FOUND, "NotFound", "The resource was not found.");
    request->route = found.route;
    request->from = found.service;
    request->service = found.service->ctx;
    RF_TRY(route_bind(&found, &path, request->arena, request->variables, &request->variable_count,
                      err));
    return query_parse(http->query, request->arena, &request->parameters, &request->parameter_count,
                       err);
}

static enum rf_kind check_host(struct request *request, struct rf_err *err)
{
    if (site_knows_host(request->site, request->http->host)) return RF_OK;
    return request_fail(request, err, 421, "MisdirectedRequest",
                        "The host of the request is none of this server's.");
}

/* Learns who asks; on an open route a token that is not good counts as none. */
static enum rf_kind authenticate(struct dispatcher *dispatcher, struct request *request,
                                 struct token_facts **facts, struct rf_err *err)
{
    bool is_open = request->route->access == ROUTE_OPEN;
    if (is_open && request->route->audiences == 0) return RF_OK;
    enum rf_kind kind = identify(dispatcher, request, facts, err);
    if (kind == RF_OK || is_open) return RF_OK;
    if (kind == RF_DENIED) request->fail_status = 401;
    return kind;
}

void request_note_denial(struct request *request, uint16_t status, const struct rf_err *why,
                         rf_str action, rf_str scope)
{
    struct dispatcher *dispatcher = request->dispatcher;
    if (dispatcher == NULL) return;
    denial_write(dispatcher->denials, rf_clock_elapsed(dispatcher->options.clock), request, status,
                 why, action, scope);
}

static void note_denial(struct request *request, const struct rf_err *why,
                        const struct route_need *need)
{
    uint16_t status = request->fail_status == 0 ? 403 : request->fail_status;
    request_note_denial(request, status, why, need->action, need->scope);
}

static enum rf_kind serve(struct dispatcher *dispatcher, struct request *request,
                          struct token_facts **facts, struct rf_err *err)
{
    RF_TRY(find_route(dispatcher, request, err));
    RF_TRY(check_host(request, err));
    struct route_need need = {.action = {0}};
    enum rf_kind kind = authenticate(dispatcher, request, facts, err);
    if (kind == RF_OK) kind = check_access(dispatcher, request, &need, err);
    if (kind == RF_DENIED) note_denial(request, err, &need);
    RF_TRY(kind);
    kind = request->route->run(request, err);
    if (request->route->access == ROUTE_OPEN) return kind; /* who says by itself whom it refused */
    /* Some checks only the handler can do, and some handlers shape their errors themselves. */
    need = (struct route_need){.action = {0}};
    const struct rf_err shaped = {.code = "Forbidden"};
    if (kind == RF_DENIED)
        note_denial(request, err, &need);
    else if (kind == RF_OK && request->response->status == 403)
        note_denial(request, &shaped, &need);
    return kind;
}

static enum rf_kind find_part(struct request *part, struct rf_err *err)
{
    RF_ASSERT(part->principal != NULL);
    RF_TRY(find_route(part->dispatcher, part, err));
    if ((part->route->audiences & AUDIENCE_ARM) != 0) return RF_OK;
    return RF_FAIL(err, RF_NOT_FOUND, "NotFound", "The resource was not found.");
}

enum rf_kind request_check_part(struct request *part, struct rf_err *err)
{
    struct route_need need = {.action = {0}};
    RF_TRY(find_part(part, err));
    return check_access(part->dispatcher, part, &need, err);
}

static enum rf_kind serve_part(struct request *part, struct rf_err *err)
{
    struct route_need need = {.action = {0}};
    RF_TRY(find_part(part, err));
    enum rf_kind kind = check_access(part->dispatcher, part, &need, err);
    if (kind == RF_OK) kind = part->route->run(part, err);
    if (kind == RF_DENIED) note_denial(part, err, &need);
    return kind;
}

void request_run_part(struct request *part)
{
    struct rf_err err = {.code = ""};
    rf_str client = part->client_request_id;
    set_ids(part);
    if (client.len > 0) part->client_request_id = client;
    if (serve_part(part, &err) != RF_OK) answer_error(part, part->fail_status, &err);
}

static void run(void *ctx, const struct http_request *http, struct http_response *response,
                const atomic_bool *gone)
{
    struct dispatcher *dispatcher = ctx;
    const struct dispatcher_options *options = &dispatcher->options;
    struct token_facts *facts = NULL;
    struct rf_err err = {.code = ""};
    struct request request = {.http = http,
                              .response = response,
                              .arena = response->arena,
                              .site = options->site,
                              .authz = options->authz,
                              .audit = options->audit,
                              .now = rf_clock_now(options->clock),
                              .gone = gone,
                              .dispatcher = dispatcher};
    request.origin = site_origin_of(options->site, http->host, response->arena);
    set_ids(&request);
    enum rf_kind kind = serve(dispatcher, &request, &facts, &err);
    if (kind != RF_OK) answer_error(&request, request.fail_status, &err);
    set_defaults(&request);
    token_release(facts);
}

struct http_handler dispatcher_handler(struct dispatcher *dispatcher)
{
    return (struct http_handler){.ctx = dispatcher, .plan = plan, .run = run, .refuse = refuse};
}
