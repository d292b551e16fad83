#include "identity/identity_int.h"

/* ---- errors: clients of the two styles read different members, so both are there -------------------------------------------- */

static enum rf_kind refuse(struct request *request, uint16_t status, const char *error,
                           const char *text)
{
    struct http_response *response = request->response;
    response->status = status;
    response->body.len = 0;
    http_set_literal(response, "Content-Type", "application/json; charset=utf-8");
    http_set_literal(response, "Cache-Control", "no-store");
    struct json_out out = json_out_to(&response->body);
    json_begin_object(&out, NULL);
    json_put_text(&out, "error", rf_str_of(error));
    json_put_text(&out, "error_description", rf_str_of(text));
    json_put_i64(&out, "statusCode", status);
    json_put_text(&out, "message", rf_str_of(text));
    json_put_text(&out, "correlationId", request->request_id);
    json_end_object(&out);
    return RF_OK;
}

void managed_error(struct request *request, uint16_t status, const struct rf_err *err)
{
    (void)refuse(request, status, status >= 500 ? "server_error" : "invalid_request",
                 status >= 500 ? "The identity endpoint failed. Try again." : err->text);
}

/* ---- the identity of this host ------------------------------------------------------------------------------------------------ */

static enum rf_kind find_identity(struct identity *identity, struct memo_entry **out,
                                  struct rf_err *err)
{
    IDENTITY_TXN txn = NULL;
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 1 << 20);
    struct json_node *principal;
    RF_TRY(state_begin_read(identity->options.state, &txn, err));
    RF_TRY(object_find(txn, "servicePrincipal", "servicePrincipalType", RF_S("ManagedIdentity"),
                       &arena, &principal, err));
    state_end(txn);
    txn = NULL;
    return client_find(identity, json_text_at(principal, "appId"), out, err);
}

/* Any of the three names that a client may give for the identity that it wants; empty ones are none. */
static bool is_named(const struct request *request, const struct client *client)
{
    const struct {
        const char *parameter;
        rf_str value;
    } names[] = {
        {"client_id", client->app_id},
        {"clientid", client->app_id},
        {"object_id", client->id},
        {"principal_id", client->id},
        {"mi_res_id", json_text_at(client->principal, "~resourceId")},
        {"msi_res_id", json_text_at(client->principal, "~resourceId")},
    };
    for (size_t i = 0; i < RF_COUNT(names); i++) {
        rf_str given = request_parameter(request, names[i].parameter, NULL);
        if (given.len > 0 && !rf_str_eq_nocase(given, names[i].value)) return false;
    }
    return true;
}

static bool header_fits(struct identity *identity, const struct client *client, rf_str header,
                        struct rf_arena *arena)
{
    /* The same verifier as a secret's, under another member, so that the header is no client secret. */
    struct json_node *credential = json_new(arena, JSON_T_OBJECT);
    struct json_node *list = json_new(arena, JSON_T_ARRAY), *owner = json_new(arena, JSON_T_OBJECT);
    json_set_text(arena, credential, "~mac", json_text_at(client->principal, "~header"));
    json_set_text(arena, credential, "endDateTime", RF_S("9999-12-31T00:00:00Z"));
    json_append(list, credential);
    if (owner == NULL || credential == NULL ||
        json_set(arena, owner, RF_S("passwordCredentials"), list) == NULL)
        return false;
    struct client as_client = *client;
    as_client.application = owner;
    as_client.principal = NULL;
    rf_str key_id;
    struct rf_err err;
    return json_text_at(client->principal, "~header").len > 0 &&
           client_check_secret(identity, &as_client, header, rf_clock_now(identity->options.clock),
                               arena, &key_id, &err) == RF_OK;
}

/* ---- the answer ------------------------------------------------------------------------------------------------------------------ */

static void answer(struct request *request, const struct client *client, rf_str resource,
                   const struct access_token *token)
{
    struct http_response *response = request->response;
    struct rf_arena *arena = request->arena;
    oauth_headers(request);
    struct json_out out = json_out_to(&response->body);
    json_begin_object(&out, NULL);
    json_put_text(&out, "access_token", token->text);
    json_put_text(&out, "client_id", client->app_id);
    json_put_text(
        &out, "expires_in",
        rf_arena_printf(arena, "%lld", (long long)(token->expires - token->not_before - 1)));
    json_put_text(&out, "expires_on", rf_arena_printf(arena, "%lld", (long long)token->expires));
    json_put_text(&out, "not_before", rf_arena_printf(arena, "%lld", (long long)token->not_before));
    json_put_text(&out, "resource", resource);
    json_put_text(&out, "token_type", RF_S("Bearer"));
    json_end_object(&out);
}

static enum rf_kind issue(struct request *request, const struct client *client, rf_str name,
                          struct rf_err *err)
{
    struct identity *identity = identity_of(request);
    RF_CLEANUP(memo_release) struct memo_entry *resource_entry = NULL, *roles_entry = NULL;
    enum rf_kind kind = resource_find(identity, name, request->origin, &resource_entry, err);
    if (kind == RF_NOT_FOUND) {
        trail_managed(identity, request, client, NULL, (rf_str){0}, "500011", err->text);
        return refuse(request, 400, "invalid_resource", err->text);
    }
    RF_TRY(kind);
    const struct resource *resource = resource_entry->value;
    RF_TRY(client_roles(identity, client->id, resource, &roles_entry, err));
    struct access_token_request wanted = {.client = client,
                                          .resource = resource,
                                          .roles = roles_entry->value,
                                          .audience = name,
                                          .origin = identity->options.site->origin,
                                          .client_strength = "2",
                                          .now = request->now};
    struct access_token token;
    RF_TRY(access_token_make(identity, &wanted, request->arena, &token, err));
    answer(request, client, name, &token);
    trail_managed(identity, request, client, resource, token.uti, "0", "");
    return RF_OK;
}

/* Refuses what does not come from a program on this host that may read the secret; false when it did. */
static bool may_ask(struct request *request)
{
    bool forwarded;
    (void)http_header(request->http, "x-forwarded-for", &forwarded);
    if (!forwarded) (void)http_header(request->http, "forwarded", &forwarded);
    if (request->http->is_loopback && !forwarded) return true;
    (void)refuse(request, 403, "invalid_request",
                 "The identity endpoint answers only programs on this host.");
    return false;
}

static enum rf_kind run(struct request *request, const char *header_name, struct rf_err *err)
{
    struct identity *identity = identity_of(request);
    if (!may_ask(request)) return RF_OK;
    RF_CLEANUP(memo_release) struct memo_entry *entry = NULL;
    enum rf_kind kind = find_identity(identity, &entry, err);
    if (kind == RF_NOT_FOUND) return refuse(request, 400, "invalid_request", "Identity not found");
    RF_TRY(kind);
    const struct client *client = entry->value;
    bool has_header;
    rf_str header = http_header(request->http, header_name, &has_header);
    rf_usec elapsed = rf_clock_elapsed(identity->options.clock);
    uint32_t wait = guard_wait(identity->guard, client->app_id, elapsed);
    if (wait > 0) {
        http_setf(request->response, "Retry-After", "%u", wait);
        return refuse(request, 429, "temporarily_unavailable", "Too many wrong headers.");
    }
    if (!has_header || !header_fits(identity, client, header, request->arena)) {
        if (has_header) guard_failed(identity->guard, client->app_id, elapsed);
        trail_managed(identity, request, client, NULL, (rf_str){0}, "7000215",
                      "The identity header is wrong.");
        return refuse(request, 401, "unauthorized_client",
                      "The header that proves the right to use the identity is missing or wrong.");
    }
    rf_str resource = request_parameter(request, "resource", NULL);
    if (request_parameter(request, "api-version", NULL).len == 0)
        return refuse(request, 400, "invalid_request",
                      "Required query parameter 'api-version' missing");
    if (resource.len == 0)
        return refuse(request, 400, "invalid_request",
                      "Required query parameter 'resource' missing");
    if (!is_named(request, client) || !client->enabled)
        return refuse(request, 400, "invalid_request", "Identity not found");
    return issue(request, client, resource, err);
}

/* App Service style: what we tell users to set. */
static enum rf_kind run_app_service(struct request *request, struct rf_err *err)
{
    return run(request, "x-identity-header", err);
}

/* Both styles under the path of IMDS: that header alone is no secret on a host with several users, so the other one is asked for
 * too. */
static enum rf_kind run_imds(struct request *request, struct rf_err *err)
{
    bool app_service;
    (void)http_header(request->http, "x-identity-header", &app_service);
    rf_str metadata = http_header(request->http, "metadata", NULL);
    if (!app_service && !rf_str_eq_nocase(metadata, RF_S("true")))
        return refuse(request, 400, "bad_request_102", "Required metadata header not specified");
    return run(request, "x-identity-header", err);
}

#define WHY_MANAGED "programs on this host show the header secret"
const struct route managed_routes[] = {
    {.method = HTTP_GET,
     .path = "/metadata/identity/oauth2/token",
     .access = ROUTE_OPEN,
     .why_open = WHY_MANAGED,
     .run = run_imds},
    {.method = HTTP_GET,
     .path = "/msi/token",
     .access = ROUTE_OPEN,
     .why_open = WHY_MANAGED,
     .run = run_app_service},
};
const uint32_t managed_route_count = RF_COUNT(managed_routes);
