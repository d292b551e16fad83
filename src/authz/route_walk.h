/* route_walk.h - for tests: a maker of access tokens, exchanges without a socket, and a walk that shows that no route runs
 * for a caller who may not have it.
 *
 * route_walk takes the services as they are served and puts traps in the place of their handlers, so that it can be run on
 * the whole list of a program: what it proves is that the declarations suffice. */
#ifndef RF_ROUTE_WALK_H
#define RF_ROUTE_WALK_H

#include <criterion/criterion.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "authz/route.h"
#include "base/encode.h"
#include "crypt/jwt.h"
#include "crypt/x509.h"

#define WALK_HELPER __attribute__((unused)) static
#define WALK_TENANT "11111111-2222-3333-4444-555555555555"
#define WALK_OID "aaaaaaaa-0000-0000-0000-000000000001"
#define WALK_NOW INT64_C(1769860800) /* seconds: 2026-01-31 12:00 */

/* ---- a site with its keys -------------------------------------------------------------------------------- */

struct walk_site {
    char folder[64];
    struct rf_arena arena;
    struct site site;
    struct state *state;
    struct authz *authz;
    struct rf_clock_fixed clock;
    EVP_PKEY *key, *foreign;
    rf_str kid, cert;
    struct directory directory;
    bool disabled;      /* the principal is, from now on */
    rf_usec valid_from; /* tokens issued before are revoked */
    rf_str groups[4];
    uint32_t group_count;
    struct audit audit;
    uint32_t peers;  /* addresses that route_walk has used */
    uint32_t rows;   /* that were written */
    rf_str last_row; /* in `arena` */
    const char *last_table;
};

WALK_HELPER enum rf_kind walk_find(void *ctx, rf_str oid, struct rf_arena *arena,
                                   struct principal *out, rf_usec *valid_from, struct rf_err *err)
{
    struct walk_site *walk = ctx;
    (void)arena;
    if (walk->disabled) return RF_FAIL(err, RF_DENIED, "PrincipalDisabled", "disabled");
    if (!rf_str_starts(oid, RF_S("aaaaaaaa-")))
        return RF_FAIL(err, RF_NOT_FOUND, "PrincipalNotFound", "not found");
    /* Object ids whose last digit is even are users. */
    bool is_user = (oid.ptr[oid.len - 1] & 1) == 0;
    *out = (struct principal){.type = is_user ? PRINCIPAL_USER : PRINCIPAL_SERVICE,
                              .object_id = oid,
                              .display_name = RF_S("walker"),
                              .user_name = is_user ? RF_S("walker@ringfort.localhost") : RF_S(""),
                              .groups = walk->groups,
                              .group_count = walk->group_count};
    *valid_from = walk->valid_from;
    return RF_OK;
}

WALK_HELPER void walk_row(void *ctx, const char *table, rf_str row)
{
    struct walk_site *walk = ctx;
    walk->rows++;
    walk->last_table = table;
    cr_assert(rf_arena_str(&walk->arena, row, &walk->last_row));
}

WALK_HELPER void walk_site_init(struct walk_site *walk)
{
    struct rf_err err;
    *walk = (struct walk_site){.folder = "/tmp/rf-walk-XXXXXX"};
    rf_arena_init(&walk->arena, (size_t)2 << 30); /* nothing is freed before the end */
    walk->site = (struct site){.tenant_id = RF_S(WALK_TENANT),
                               .domain = RF_S("ringfort.localhost"),
                               .location = RF_S("local"),
                               .origin = RF_S("https://localhost:8443"),
                               .port = 8443,
                               .subscription_id = RF_S("99999999-0000-0000-0000-000000000001"),
                               .resource_group = RF_S("rg"),
                               .workspace_name = RF_S("ws"),
                               .workspace_id = RF_S("99999999-0000-0000-0000-000000000002")};
    rf_clock_fixed_init(&walk->clock, WALK_NOW * RF_USEC_PER_SECOND, 0);
    walk->directory = (struct directory){.ctx = walk, .find = walk_find};
    walk->audit = (struct audit){.ctx = walk, .row = walk_row};
    cr_assert(mkdtemp(walk->folder) != NULL);
    rf_str path = rf_arena_printf(&walk->arena, "%s/state%c", walk->folder, '\0');
    struct state_options options = {.path = (const char *)path.ptr};
    cr_assert(state_open(&options, &walk->state, &err) == RF_OK, "%s", err.text);
    cr_assert(authz_new(walk->state, walk->site.tenant_id, &walk->authz, &err) == RF_OK);
    cr_assert(key_make(KEY_RSA_2048, &walk->key, &err) == RF_OK);
    cr_assert(key_make(KEY_RSA_2048, &walk->foreign, &err) == RF_OK);
    struct cert_request request = {.subject_cn = RF_S("tokens"),
                                   .not_before = (WALK_NOW - 3600) * RF_USEC_PER_SECOND,
                                   .not_after = (WALK_NOW + 3600) * RF_USEC_PER_SECOND};
    cr_assert(cert_make(&request, walk->key, walk->key, (rf_str){0}, &walk->arena, &walk->cert,
                        &err) == RF_OK);
    walk->kid = RF_S("walk-key-1");
}

WALK_HELPER void walk_site_done(struct walk_site *walk)
{
    authz_free(walk->authz);
    state_close(walk->state);
    EVP_PKEY_free(walk->key);
    EVP_PKEY_free(walk->foreign);
    static const char *const ends[] = {"", "-wal", "-shm"};
    for (size_t i = 0; i < RF_COUNT(ends); i++) {
        char path[96];
        snprintf(path, sizeof path, "%s/state%s", walk->folder, ends[i]);
        unlink(path);
    }
    rmdir(walk->folder);
    rf_arena_done(&walk->arena);
}

WALK_HELPER struct dispatcher *walk_dispatcher(struct walk_site *walk)
{
    struct dispatcher *dispatcher;
    struct rf_err err;
    struct dispatcher_options options = {.site = &walk->site,
                                         .authz = walk->authz,
                                         .directory = &walk->directory,
                                         .audit = &walk->audit,
                                         .clock = &walk->clock.clock};
    struct token_key key = {.kid = walk->kid, .cert = walk->cert};
    cr_assert(dispatcher_new(&options, &dispatcher, &err) == RF_OK);
    cr_assert(dispatcher_set_keys(dispatcher, &key, 1, &err) == RF_OK, "%s", err.text);
    return dispatcher;
}

/* ---- tokens ---------------------------------------------------------------------------------------------- */

/* What a token says; absent members have good values. Times are seconds relative to now. */
struct walk_token {
    const char *audience, *issuer, *tenant, *oid, *kid, *type, *alg, *roles;
    int64_t from, to; /* to 0: an hour */
    EVP_PKEY *key;    /* NULL: the site's */
    bool is_id, is_user;
    const char *extra_header; /* name of a member that is set to "x" */
};

WALK_HELPER rf_str walk_sign(struct rf_arena *arena, EVP_PKEY *key, rf_str input)
{
    size_t len = 512;
    uint8_t *signature = rf_arena_alloc(arena, len);
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    cr_assert(EVP_DigestSignInit(ctx, NULL, EVP_sha256(), NULL, key) == 1);
    cr_assert(EVP_DigestSign(ctx, signature, &len, input.ptr, input.len) == 1);
    EVP_MD_CTX_free(ctx);
    return rf_str_make(signature, len);
}

WALK_HELPER const char *walk_or(const char *given, const char *otherwise)
{
    return given != NULL ? given : otherwise;
}

WALK_HELPER struct json_node *walk_claims(struct walk_site *walk, const struct walk_token *want)
{
    struct rf_arena *arena = &walk->arena;
    struct json_node *claims = json_new(arena, JSON_T_OBJECT);
    const char *oid =
        walk_or(want->oid, want->is_user ? "aaaaaaaa-0000-0000-0000-000000000002" : WALK_OID);
    const char *audience = walk_or(want->audience, "https://management.azure.com/");
    int64_t now = rf_clock_now(&walk->clock.clock) / RF_USEC_PER_SECOND;
    json_set_text(arena, claims, "aud", rf_str_of(audience));
    json_set_text(arena, claims, "iss",
                  rf_str_of(walk_or(want->issuer, "https://localhost:8443/" WALK_TENANT "/")));
    json_set_text(arena, claims, "tid", rf_str_of(walk_or(want->tenant, WALK_TENANT)));
    json_set_text(arena, claims, "oid", rf_str_of(oid));
    json_set_text(arena, claims, "uti", RF_S("uti-1"));
    json_set_i64(arena, claims, "iat", now + want->from);
    json_set_i64(arena, claims, "nbf", now + want->from);
    json_set_i64(arena, claims, "exp", now + (want->to == 0 ? 3600 : want->to));
    if (want->is_id) json_set_text(arena, claims, "nonce", RF_S("n"));
    json_set_text(arena, claims, "appid", RF_S("bbbbbbbb-0000-0000-0000-000000000001"));
    json_set_text(arena, claims, "idtyp", want->is_user ? RF_S("user") : RF_S("app"));
    if (want->is_user) json_set_text(arena, claims, "scp", RF_S("user_impersonation"));
    if (want->roles != NULL) {
        struct json_node *roles = json_new(arena, JSON_T_ARRAY);
        json_append(roles, json_new_text(arena, rf_str_of(want->roles)));
        json_set(arena, claims, RF_S("roles"), roles);
    }
    return claims;
}

WALK_HELPER rf_str walk_token(struct walk_site *walk, const struct walk_token *want)
{
    struct rf_arena *arena = &walk->arena;
    struct json_node *header = json_new(arena, JSON_T_OBJECT);
    json_set_text(arena, header, "typ", rf_str_of(walk_or(want->type, "JWT")));
    json_set_text(arena, header, "alg", rf_str_of(walk_or(want->alg, "RS256")));
    json_set_text(arena, header, "kid", want->kid != NULL ? rf_str_of(want->kid) : walk->kid);
    if (want->extra_header != NULL) json_set_text(arena, header, want->extra_header, RF_S("x"));
    rf_str input = jwt_signing_input(arena, header, walk_claims(walk, want));
    EVP_PKEY *key = want->key != NULL ? want->key : walk->key;
    return jwt_assemble(arena, input, walk_sign(arena, key, input));
}

/* HS256 with the bytes of the public key as the secret. */
WALK_HELPER rf_str walk_token_hmac(struct walk_site *walk)
{
    struct rf_arena *arena = &walk->arena;
    struct json_node *header = json_new(arena, JSON_T_OBJECT);
    json_set_text(arena, header, "alg", RF_S("HS256"));
    json_set_text(arena, header, "kid", walk->kid);
    rf_str input = jwt_signing_input(arena, header, walk_claims(walk, &(struct walk_token){0}));
    uint8_t *der = NULL, mac[32];
    int len = i2d_PUBKEY(walk->key, &der);
    unsigned mac_len = sizeof mac;
    cr_assert(len > 0 && HMAC(EVP_sha256(), der, len, input.ptr, input.len, mac, &mac_len) != NULL);
    OPENSSL_free(der);
    return jwt_assemble(arena, input, rf_str_make(mac, sizeof mac));
}

/* A good token with one byte changed: `behind` bytes behind its at_dot-th dot. */
WALK_HELPER rf_str walk_token_changed(struct walk_site *walk, size_t at_dot, size_t behind)
{
    rf_str good = walk_token(walk, &(struct walk_token){0}), copy;
    cr_assert(rf_arena_str(&walk->arena, good, &copy));
    size_t at = 0;
    for (size_t dots = 0; dots < at_dot; at++) dots += copy.ptr[at] == '.';
    uint8_t *byte = (uint8_t *)(uintptr_t)&copy.ptr[at + behind];
    *byte = *byte == 'A' ? 'B' : 'A';
    return copy;
}

WALK_HELPER rf_str walk_bearer(struct walk_site *walk, rf_str token)
{
    return rf_arena_printf(&walk->arena, "Bearer %.*s", RF_FMT(token));
}

/* ---- exchanges ------------------------------------------------------------------------------------------- */

struct walk_call {
    enum http_method method;
    const char *target;
    rf_str authorization; /* empty: none */
    const char *host;     /* NULL: localhost:8443 */
    const char *body;
    size_t body_bytes;             /* 0: it is a text */
    const char *peer;              /* NULL: 192.0.2.1 */
    struct http_header headers[4]; /* further ones */
    rf_str certificate;            /* of the TLS client, DER; empty: none */
};

WALK_HELPER struct http_response
walk_exchange(struct walk_site *walk, struct dispatcher *dispatcher, const struct walk_call *call)
{
    struct rf_arena *arena = &walk->arena;
    struct http_handler handler = dispatcher_handler(dispatcher);
    rf_str target = rf_str_of(call->target);
    size_t mark = rf_str_find(target, RF_S("?"), 0);
    rf_str host = rf_str_of(walk_or(call->host, "localhost:8443"));
    struct http_header *headers = rf_arena_new(arena, struct http_header, 8);
    struct http_request http = {
        .method = call->method,
        .target = target,
        .path = mark == SIZE_MAX ? target : rf_slice(target, 0, mark),
        .query = mark == SIZE_MAX ? (rf_str){0} : rf_slice(target, mark + 1, target.len),
        .client_certificate = call->certificate,
        .host = host,
        .headers = headers,
        .body = call->body_bytes > 0 ? rf_str_make(call->body, call->body_bytes)
                                     : rf_str_of(walk_or(call->body, "")),
        .peer_address = rf_str_of(walk_or(call->peer, "192.0.2.1")),
        .is_tls = true};
    headers[http.header_count++] = (struct http_header){RF_S("Host"), host};
    if (call->authorization.len > 0)
        headers[http.header_count++] =
            (struct http_header){RF_S("Authorization"), call->authorization};
    for (size_t i = 0; i < RF_COUNT(call->headers) && call->headers[i].name.len > 0; i++)
        headers[http.header_count++] = call->headers[i];
    struct http_response response = {.arena = arena, .status = 200, .body = rf_buf_in(arena)};
    atomic_bool gone = false;
    (void)handler.plan(handler.ctx, &http);
    handler.run(handler.ctx, &http, &response, &gone);
    cr_assert(!response.failed);
    return response;
}

WALK_HELPER rf_str walk_header(const struct http_response *response, const char *name)
{
    for (uint32_t i = 0; i < response->header_count; i++)
        if (rf_str_eq_nocase(response->headers[i].name, rf_str_of(name)))
            return response->headers[i].value;
    return (rf_str){0};
}

WALK_HELPER bool walk_body_has(const struct http_response *response, const char *text)
{
    return rf_str_find(rf_buf_view(&response->body), rf_str_of(text), 0) != SIZE_MAX;
}

/* ---- the walk -------------------------------------------------------------------------------------------- */

struct walk_traps {
    uint32_t sprung;  /* handlers that ran */
    const char *host; /* that is asked; NULL: the site's */
};

WALK_HELPER enum rf_kind walk_trap_run(struct request *request, struct rf_err *err)
{
    (void)err;
    struct walk_traps *traps = request->service;
    traps->sprung++;
    return request_answer_empty(request, 204);
}
WALK_HELPER enum rf_kind walk_trap_scope(struct request *request, rf_str *scope, struct rf_err *err)
{
    (void)err;
    cr_assert(request->principal != NULL, "the scope is asked for before the caller is known");
    *scope = RF_S("/subscriptions/99999999-0000-0000-0000-000000000001");
    return RF_OK;
}
WALK_HELPER enum rf_kind walk_trap_resolve(struct request *request, struct route_need *need,
                                           struct rf_err *err)
{
    need->action = RF_S("Test/things/read");
    return walk_trap_scope(request, &need->scope, err);
}

/* A path that the pattern matches. */
WALK_HELPER rf_str walk_path(struct rf_arena *arena, const char *pattern)
{
    struct rf_buf buf = rf_buf_in(arena);
    bool inside = false;
    for (const char *c = pattern; *c != '\0'; c++) {
        if (*c == '{') {
            inside = true;
            rf_buf_str(&buf, RF_S("v"));
        } else if (*c == '}') {
            inside = false;
        } else if (!inside) {
            rf_buf_byte(&buf, (uint8_t)*c);
        }
    }
    rf_buf_byte(&buf, '\0');
    return rf_buf_view(&buf);
}

WALK_HELPER const char *walk_audience(unsigned set, bool inside)
{
    static const char *const names[] = {
        "https://management.azure.com", "https://monitor.azure.com",
        "https://api.loganalytics.io",  "https://kusto.kusto.windows.net",
        "https://graph.microsoft.com",  "https://vault.azure.net",
        "https://eventhubs.azure.net",  "https://metrics.monitor.azure.com"};
    for (size_t i = 0; i < RF_COUNT(names); i++)
        if (((set >> i & 1) != 0) == inside) return names[i];
    return inside ? names[0] : "https://storage.azure.com";
}

enum { WALK_CASES_MAX = 32 };
struct walk_case {
    const char *what;
    rf_str authorization;
    const char *code;
};

WALK_HELPER uint32_t walk_cases(struct walk_site *walk, unsigned set, struct walk_case *cases)
{
    const char *good = walk_audience(set, true);
    struct walk_token tokens[] = {
        {.audience = good, .from = -7200, .to = -61},
        {.audience = walk_audience(set, false)},
        {.audience = good, .tenant = "00000000-2222-3333-4444-555555555555"},
        {.audience = good, .issuer = "https://evil.example/" WALK_TENANT "/"},
        {.audience = good, .alg = "none"},
        {.audience = good, .key = walk->foreign},
        {.audience = good, .kid = "other"},
        {.audience = good, .is_id = true},
        {.audience = good, .from = 120},
        {.audience = good, .type = "JWE"},
        {.audience = good, .extra_header = "jku"},
        {.audience = good, .oid = "cccccccc-0000-0000-0000-000000000001"},
        {.audience = "bbbbbbbb-0000-0000-0000-000000000001"},
    };
    static const char *const names[] = {"expired",
                                        "wrong audience",
                                        "wrong tenant",
                                        "wrong issuer",
                                        "alg none",
                                        "foreign key",
                                        "unknown kid",
                                        "ID token",
                                        "not yet valid",
                                        "wrong typ",
                                        "jku",
                                        "unknown principal",
                                        "audience of a client"};
    static const char *const codes[] = {
        "ExpiredAuthenticationToken",        "InvalidAuthenticationTokenAudience",
        "InvalidAuthenticationTokenTenant",  "InvalidAuthenticationTokenTenant",
        "InvalidAuthenticationToken",        "InvalidAuthenticationToken",
        "InvalidAuthenticationToken",        "InvalidAuthenticationToken",
        "InvalidAuthenticationToken",        "InvalidAuthenticationToken",
        "InvalidAuthenticationToken",        "InvalidAuthenticationToken",
        "InvalidAuthenticationTokenAudience"};
    _Static_assert(RF_COUNT(names) == RF_COUNT(tokens) && RF_COUNT(codes) == RF_COUNT(tokens), "");
    uint32_t count = 0;
    for (size_t i = 0; i < RF_COUNT(tokens); i++)
        cases[count++] =
            (struct walk_case){names[i], walk_bearer(walk, walk_token(walk, &tokens[i])), codes[i]};
    const char *invalid = "InvalidAuthenticationToken", *failed = "AuthenticationFailed";
    rf_str right = walk_token(walk, &(struct walk_token){.audience = good});
    rf_str unsigned_ = rf_slice(right, 0, right.len - 342); /* 256 bytes as base64url */
    cases[count++] = (struct walk_case){"no token", {0}, failed};
    cases[count++] = (struct walk_case){"Basic", RF_S("Basic eDp5"), failed};
    cases[count++] = (struct walk_case){"garbage", RF_S("Bearer x"), invalid};
    cases[count++] = (struct walk_case){"HS256", walk_bearer(walk, walk_token_hmac(walk)), invalid};
    cases[count++] = (struct walk_case){"no signature", walk_bearer(walk, unsigned_), invalid};
    cases[count++] = (struct walk_case){
        "claims changed", walk_bearer(walk, walk_token_changed(walk, 1, 30)), invalid};
    cases[count++] = (struct walk_case){
        "signature changed", walk_bearer(walk, walk_token_changed(walk, 2, 30)), invalid};
    /* Of each other service too. */
    for (unsigned other = 1; other <= AUDIENCE_METRICS; other <<= 1) {
        struct walk_token token = {.audience = walk_audience(other, true)};
        if ((set & other) == 0)
            cases[count++] = (struct walk_case){"audience of another service",
                                                walk_bearer(walk, walk_token(walk, &token)),
                                                "InvalidAuthenticationTokenAudience"};
    }
    cases[count++] = (struct walk_case){
        "trailing bytes", rf_arena_printf(&walk->arena, "Bearer %.*s.x", RF_FMT(right)), invalid};
    return count;
}

/* What the last refusal must have left: one row that tells who was refused what, and no token. */
WALK_HELPER void walk_row_left(struct walk_site *walk, const struct route *route,
                               const struct walk_case *test, uint16_t status, rf_str peer)
{
    rf_str row = walk->last_row;
    rf_str said = rf_arena_printf(&walk->arena, "\"Status\":%u", status);
    bool is_denial = strcmp(walk->last_table, "RingfortDenials") == 0;
    cr_assert(is_denial || strcmp(walk->last_table, "AzureActivity") == 0, "%s", walk->last_table);
    cr_assert(is_denial || status == 403, "%s: %.*s", route->path, RF_FMT(row));
    cr_assert(!is_denial || rf_str_find(row, said, 0) != SIZE_MAX, "%.*s", RF_FMT(row));
    cr_assert(rf_str_find(row, rf_str_of(test->code), 0) != SIZE_MAX, "%.*s", RF_FMT(row));
    cr_assert(rf_str_find(row, peer, 0) != SIZE_MAX, "%.*s", RF_FMT(row));
    cr_assert(rf_str_find(row, RF_S("eyJ"), 0) == SIZE_MAX, "a token is in %.*s", RF_FMT(row));
}

WALK_HELPER void walk_refused(struct walk_site *walk, struct dispatcher *dispatcher,
                              const struct route *route, struct walk_traps *traps,
                              const struct walk_case *test, uint16_t status)
{
    rf_str path = walk_path(&walk->arena, route->path);
    uint32_t before = traps->sprung, rows = walk->rows;
    /* Each from a peer of its own: rows are bounded by peer. */
    rf_str peer = rf_arena_printf(&walk->arena, "2001:db8::%x%c", walk->peers++, '\0');
    struct walk_call call = {.method = route->method,
                             .target = (const char *)path.ptr,
                             .authorization = test->authorization,
                             .host = traps->host,
                             .peer = (const char *)peer.ptr};
    struct http_response response = walk_exchange(walk, dispatcher, &call);
    cr_assert(traps->sprung == before, "%s %s ran: %s", http_method_name(route->method),
              route->path, test->what);
    cr_assert(response.status == status, "%s %s, %s: %u %.*s", http_method_name(route->method),
              route->path, test->what, response.status, RF_FMT(rf_buf_view(&response.body)));
    cr_assert(walk_body_has(&response, test->code), "%s %s, %s: %.*s",
              http_method_name(route->method), route->path, test->what,
              RF_FMT(rf_buf_view(&response.body)));
    cr_assert(status != 401 ||
              rf_str_starts(walk_header(&response, "WWW-Authenticate"),
                            RF_S("Bearer authorization_uri=\"https://localhost:8443/" WALK_TENANT
                                 "\", error=\"invalid_token\"")));
    cr_assert(walk->rows == rows + 1, "%s %s, %s: %u rows", http_method_name(route->method),
              route->path, test->what, walk->rows - rows);
    walk_row_left(walk, route, test, status, rf_slice(peer, 0, peer.len - 1));
}

/* A good token of a principal without any right. */
WALK_HELPER void walk_forbidden(struct walk_site *walk, struct dispatcher *dispatcher,
                                const struct route *route, struct walk_traps *traps)
{
    rf_str token =
        walk_token(walk, &(struct walk_token){.audience = walk_audience(route->audiences, true),
                                              .oid = "aaaaaaaa-0000-0000-0000-000000000999"});
    struct walk_case test = {"no role", walk_bearer(walk, token),
                             route->access == ROUTE_ROLE ? "Authorization_RequestDenied"
                                                         : "AuthorizationFailed"};
    if (route->access == ROUTE_MEMBER) return;
    walk_refused(walk, dispatcher, route, traps, &test, 403);
}

/* The service with traps in the place of its handlers. */
WALK_HELPER struct service *walk_trapped(struct walk_site *walk, const struct service *service,
                                         struct walk_traps *traps)
{
    struct route *routes = rf_arena_new(&walk->arena, struct route, service->route_count);
    struct service *trapped = rf_arena_new(&walk->arena, struct service, 1);
    for (uint32_t k = 0; k < service->route_count; k++) {
        routes[k] = service->routes[k];
        routes[k].run = walk_trap_run;
        if (routes[k].scope != NULL) routes[k].scope = walk_trap_scope;
        if (routes[k].resolve != NULL) routes[k].resolve = walk_trap_resolve;
    }
    *trapped = (struct service){
        .name = service->name, .ctx = traps, .routes = routes, .route_count = service->route_count};
    return trapped;
}

/* Calls each route that is not open with each kind of token that is not good. Gives the number of those routes. */
WALK_HELPER uint32_t route_walk(struct walk_site *walk, const struct service *const *services,
                                uint32_t count)
{
    struct walk_traps traps = {0};
    struct rf_err err;
    struct dispatcher *dispatcher = walk_dispatcher(walk);
    uint32_t checked = 0, case_count = 0;
    struct walk_case cases[WALK_CASES_MAX];
    unsigned audiences = 0;
    for (uint32_t i = 0; i < count; i++) {
        struct service *trapped = walk_trapped(walk, services[i], &traps);
        cr_assert(dispatcher_add(dispatcher, trapped, &err) == RF_OK, "%s", err.text);
    }
    const struct route *route;
    for (uint32_t i = 0; (route = dispatcher_route(dispatcher, i, NULL)) != NULL; i++) {
        if (route->access == ROUTE_OPEN) continue;
        /* Signing takes most of the time, and routes with the same audiences stand together. */
        if (route->audiences != audiences) case_count = walk_cases(walk, route->audiences, cases);
        audiences = route->audiences;
        for (uint32_t c = 0; c < case_count; c++)
            walk_refused(walk, dispatcher, route, &traps, &cases[c], 401);
        walk_forbidden(walk, dispatcher, route, &traps);
        checked++;
    }
    dispatcher_free(dispatcher);
    return checked;
}

/* The same for a service that claims its requests: here those of `host`, which is none of the site's, and whose route is found by its pattern as a path. */
WALK_HELPER void route_walk_claiming(struct walk_site *walk, const struct service *service,
                                     service_claim *claim, const char *host)
{
    struct walk_traps traps = {.host = host};
    struct rf_err err;
    struct dispatcher *dispatcher = walk_dispatcher(walk);
    struct walk_case cases[WALK_CASES_MAX];
    struct service *trapped = walk_trapped(walk, service, &traps);
    cr_assert(dispatcher_add_claiming(dispatcher, trapped, claim, &err) == RF_OK, "%s", err.text);
    const struct route *route;
    for (uint32_t i = 0; (route = dispatcher_route(dispatcher, i, NULL)) != NULL; i++) {
        cr_assert(route->access != ROUTE_OPEN);
        uint32_t count = walk_cases(walk, route->audiences, cases);
        for (uint32_t c = 0; c < count; c++)
            walk_refused(walk, dispatcher, route, &traps, &cases[c], 401);
        walk_forbidden(walk, dispatcher, route, &traps);
    }
    dispatcher_free(dispatcher);
}

#endif
