#include "authz/route.h"

#include <stdlib.h>

#include "authz/answer_int.h"
#include "authz/denial_int.h"
#include "authz/route_tree_int.h"
#include "authz/token_int.h"
#include "base/encode.h"
#include "crypt/digest.h"

enum {
    BODY_BYTES_DEFAULT = 4 << 20,
    KNOWN_CALLERS = 8192, /* a power of two */
    PLAN_BYTES_MAX = 256 << 10,
    CLAIMING_MAX = 4
};

struct dispatcher {
    struct dispatcher_options options;
    struct route_tree *tree;
    struct token_verifier *tokens;
    struct denials *denials;
    struct claiming {
        const struct service *service;
        service_claim *claim;
    } claiming[CLAIMING_MAX];
    uint32_t claiming_count;
    uint64_t seed;
    /* Hashes of Authorization headers and portal cookies that were good lately: only those get turns of their own, or a stranger could take as
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

static enum rf_kind check_route(const struct route *route, const struct service *service,
                                struct rf_err *err)
{
    const char *missing = missing_check(route);
    if (missing == NULL) return RF_OK;
    return RF_FAIL(err, RF_INVALID, "BadRoute", "%s %s %s of %s", route->path, missing,
                   http_method_name(route->method), service->name);
}

enum rf_kind dispatcher_add(struct dispatcher *dispatcher, const struct service *service,
                            struct rf_err *err)
{
    for (uint32_t i = 0; i < service->route_count; i++) {
        RF_TRY(check_route(&service->routes[i], service, err));
        RF_TRY(route_tree_add(dispatcher->tree, &service->routes[i], service, err));
    }
    return RF_OK;
}

enum rf_kind dispatcher_add_claiming(struct dispatcher *dispatcher, const struct service *service,
                                     service_claim *claim, struct rf_err *err)
{
    if (service->route_count == 0)
        return RF_FAIL(err, RF_INVALID, "BadRoute", "%s has no route for what it claims",
                       service->name);
    for (uint32_t i = 0; i < service->route_count; i++)
        RF_TRY(check_route(&service->routes[i], service, err));
    RF_ASSERT(dispatcher->claiming_count < CLAIMING_MAX);
    dispatcher->claiming[dispatcher->claiming_count++] = (struct claiming){service, claim};
    return RF_OK;
}

/* The route of who claims a request; NULL: nobody does. */
static const struct route *claimed_route(const struct dispatcher *dispatcher,
                                         const struct http_request *head,
                                         const struct service **service)
{
    for (uint32_t i = 0; i < dispatcher->claiming_count; i++) {
        const struct claiming *claiming = &dispatcher->claiming[i];
        int index = claiming->claim(claiming->service->ctx, head);
        if (index == CLAIM_NONE) continue;
        RF_ASSERT(index >= 0 && (uint32_t)index < claiming->service->route_count);
        *service = claiming->service;
        return &claiming->service->routes[index];
    }
    return NULL;
}

const struct route *dispatcher_route(const struct dispatcher *dispatcher, uint32_t index,
                                     const struct service **service)
{
    uint32_t count = route_tree_count(dispatcher->tree);
    if (index < count) return route_tree_at(dispatcher->tree, index, service);
    index -= count;
    for (uint32_t i = 0; i < dispatcher->claiming_count; i++) {
        const struct service *claiming = dispatcher->claiming[i].service;
        if (service != NULL) *service = claiming;
        if (index < claiming->route_count) return &claiming->routes[index];
        index -= claiming->route_count;
    }
    return NULL;
}

/* ---- what is sent to say who asks ---------------------------------------------------------------------- */

static bool has_header(const struct http_request *http, const char *name)
{
    bool there;
    (void)http_header(http, name, &there);
    return there;
}

/* The cookie of the portal's session, when the request is one of the portal's own scripts (see struct browser_sessions). */
static rf_str portal_cookie(const struct http_request *http)
{
    bool told;
    rf_str site = http_header(http, "Sec-Fetch-Site", &told);
    if (!has_header(http, PORTAL_HEADER) || has_header(http, "Authorization")) return (rf_str){0};
    if (told && !rf_str_is(site, "same-origin")) return (rf_str){0};
    return http_cookie(http, PORTAL_COOKIE);
}

/* What says who asks, as it was sent: the header or the portal's cookie; empty: neither. */
static rf_str credential_of(const struct http_request *http)
{
    bool there;
    rf_str header = http_header(http, "Authorization", &there);
    return there ? header : portal_cookie(http);
}

/* ---- planning -------------------------------------------------------------------------------------------- */

static uint64_t credential_hash(const struct dispatcher *dispatcher, rf_str text)
{
    uint64_t hash = rf_hash(text.ptr, text.len, dispatcher->seed);
    return hash == 0 ? 1 : hash; /* 0 is an empty place */
}

static uint64_t who_asks(struct dispatcher *dispatcher, const struct http_request *head)
{
    rf_str credential = credential_of(head);
    if (credential.len > 0) {
        uint64_t hash = credential_hash(dispatcher, credential);
        if (atomic_load_explicit(&dispatcher->known[hash % KNOWN_CALLERS], memory_order_relaxed) ==
            hash)
            return hash;
    }
    return rf_hash(head->peer_address.ptr, head->peer_address.len, dispatcher->seed);
}

static void remember_caller(struct dispatcher *dispatcher, rf_str credential)
{
    uint64_t hash = credential_hash(dispatcher, credential);
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
    const struct service *claiming;
    struct route_found found = {.route = claimed_route(dispatcher, head, &claiming)};
    if (found.route == NULL && path_parse(head->path, &arena, &path, NULL) == RF_OK)
        route_tree_find(dispatcher->tree, &path, head->query, head->method, &found);
    if (found.route == NULL) return plan;
    if (found.route->body_bytes_max != 0) plan.body_bytes_max = found.route->body_bytes_max;
    plan.lane = found.route->lane;
    return plan;
}

/* ---- who asks -------------------------------------------------------------------------------------------- */

/* The token of the only Authorization header. */
static enum rf_kind find_bearer(const struct http_request *http, rf_str *token, struct rf_err *err)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < http->header_count; i++)
        if (rf_str_eq_nocase(http->headers[i].name, RF_S("Authorization"))) count++;
    if (count == 0)
        return RF_FAIL(err, RF_DENIED, "AuthenticationFailed",
                       "Authentication failed. The 'Authorization' header is missing.");
    rf_str header = http_header(http, "Authorization", NULL), scheme = RF_S("Bearer ");
    if (count > 1 || header.len <= scheme.len ||
        !rf_str_eq_nocase(rf_slice(header, 0, scheme.len), scheme))
        return RF_FAIL(err, RF_DENIED, "AuthenticationFailed",
                       "Authentication failed. The 'Authorization' header is provided in an "
                       "invalid format.");
    *token = rf_str_trim(rf_slice(header, scheme.len, header.len));
    return RF_OK;
}

static enum rf_kind find_token(const struct dispatcher *dispatcher, struct request *request,
                               rf_str *token, struct rf_err *err)
{
    const struct browser_sessions *sessions = dispatcher->options.sessions;
    rf_str cookie = portal_cookie(request->http);
    if (sessions != NULL && cookie.len > 0)
        return sessions->token(sessions->ctx, request, cookie, token, err);
    return find_bearer(request->http, token, err);
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
    rf_str token = {0};
    request->token_step = TOKEN_MISSING;
    RF_TRY(find_token(dispatcher, request, &token, err));
    RF_TRY(token_verify(dispatcher->tokens, token, request->route->audiences, request->now, facts,
                        &request->token_step, err));
    request->token_step = TOKEN_OWNER;
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
    const struct directory *directory = dispatcher->options.directory;
    if (directory != NULL && directory->delegated != NULL && principal->type == PRINCIPAL_USER &&
        ((*facts)->audiences & AUDIENCE_GRAPH) != 0)
        RF_TRY(directory->delegated(directory->ctx, request->arena, principal, err));
    request->principal = principal;
    request->token = token;
    remember_caller(dispatcher, credential_of(request->http));
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
    enum token_step step;
    RF_TRY(token_verify(dispatcher->tokens, token, audiences,
                        rf_clock_now(dispatcher->options.clock), &facts, &step, err));
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

static enum rf_kind read_query(struct request *request, struct rf_err *err)
{
    return query_parse(request->http->query, request->arena, &request->parameters,
                       &request->parameter_count, err);
}

static enum rf_kind take_claimed(struct request *request, const struct route *route,
                                 const struct service *service)
{
    request->route = route;
    request->from = service;
    request->service = service->ctx;
    request->is_claimed = true;
    return RF_OK;
}

/* Who asks without a token for what nobody knows may want a challenge first. */
static bool wants_challenge(const struct dispatcher *dispatcher, const struct http_request *http)
{
    bool is_known = has_header(http, "Authorization") || has_header(http, PORTAL_HEADER);
    return !is_known && dispatcher->claiming_count > 0;
}

/* Finds the route and reads the target; of a claimed request the service reads it. */
static enum rf_kind find_route(const struct dispatcher *dispatcher, struct request *request,
                               struct rf_err *err)
{
    const struct http_request *http = request->http;
    struct path path;
    struct route_found found;
    const struct service *claiming;
    const struct route *claimed = claimed_route(dispatcher, http, &claiming);
    if (claimed != NULL) return take_claimed(request, claimed, claiming);
    RF_TRY(path_parse(http->path, request->arena, &path, err));
    route_tree_find(dispatcher->tree, &path, http->query, http->method, &found);
    if (found.route == NULL && found.methods != 0) {
        set_allow(request, found.methods);
        return request_fail(request, err, 405, "MethodNotAllowed",
                            "The HTTP method %s is not supported here.",
                            http_method_name(http->method));
    }
    claiming = dispatcher->claiming[0].service;
    if (found.route == NULL && wants_challenge(dispatcher, http))
        return take_claimed(request, &claiming->routes[0], claiming);
    if (found.route == NULL)
        return RF_FAIL(err, RF_NOT_FOUND, "NotFound", "The resource was not found.");
    request->route = found.route;
    request->from = found.service;
    request->service = found.service->ctx;
    RF_TRY(route_bind(&found, &path, request->arena, request->variables, &request->variable_count,
                      err));
    return read_query(request, err);
}

static enum rf_kind check_host(struct request *request, struct rf_err *err)
{
    rf_str vault, domain;
    if (site_knows_host(request->site, request->http->host)) return RF_OK;
    if (request->is_claimed && site_vault_host(request->http->host, &vault, &domain)) return RF_OK;
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
    if (kind == RF_OK && request->is_claimed) kind = read_query(request, err);
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
    answer_ids(part);
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
    answer_ids(&request);
    enum rf_kind kind = serve(dispatcher, &request, &facts, &err);
    if (kind != RF_OK) answer_error(&request, request.fail_status, &err);
    answer_defaults(&request);
    token_release(facts);
}

struct http_handler dispatcher_handler(struct dispatcher *dispatcher)
{
    return (struct http_handler){
        .ctx = dispatcher, .plan = plan, .run = run, .refuse = answer_refuse};
}
