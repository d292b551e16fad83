#include "identity/access_policy_int.h"

static enum rf_kind missing(struct rf_err *err, const char *name)
{
    return RF_FAIL(err, RF_INVALID, "900144",
                   "The request body must contain the following parameter: '%s'.", name);
}

/* ---- scopes (section 3.3) ------------------------------------------------------------------------------------------ */

static bool is_openid_scope(rf_str scope)
{
    static const char *const names[] = {"openid", "profile", "email", "offline_access"};
    for (size_t i = 0; i < RF_COUNT(names); i++)
        if (rf_str_is(scope, names[i])) return true;
    return false;
}

/* RFC 6749 section 3.3: printable ASCII but quote and backslash. */
static bool is_scope_text(rf_str scope)
{
    for (size_t i = 0; i < scope.len; i++) {
        uint8_t c = scope.ptr[i];
        if (c < 0x21 || c > 0x7e || c == '"' || c == '\\') return false;
    }
    return true;
}

static enum rf_kind bad_scope(struct rf_err *err, rf_str scope)
{
    return RF_FAIL(err, RF_INVALID, "1002012",
                   "The provided value for scope %.*s is not valid. Client credential flows must "
                   "have a scope value with /.default suffixed to the resource identifier "
                   "(application ID URI).",
                   (int)RF_MIN(scope.len, 256), (const char *)scope.ptr);
}

/* The name of the one resource among the scopes. */
static enum rf_kind scope_resource(rf_str scopes, rf_str *name, struct rf_err *err)
{
    rf_str suffix = RF_S("/.default");
    *name = (rf_str){0};
    for (size_t at = 0; at < scopes.len;) {
        size_t end = rf_str_find(scopes, RF_S(" "), at);
        if (end == SIZE_MAX) end = scopes.len;
        rf_str scope = rf_slice(scopes, at, end);
        at = end + 1;
        if (scope.len == 0 || is_openid_scope(scope)) continue;
        if (!is_scope_text(scope) || rf_str_eq(scope, suffix))
            return RF_FAIL(err, RF_INVALID, "70011",
                           "The provided request must include a 'scope' input parameter. The "
                           "provided value for the input parameter 'scope' is not valid.");
        if (!rf_str_ends(scope, suffix)) return bad_scope(err, scope);
        rf_str resource = rf_slice(scope, 0, scope.len - suffix.len);
        if (name->len > 0 && !rf_str_eq(*name, resource))
            return RF_FAIL(err, RF_INVALID, "28000",
                           "Provided value for the input parameter scope is not valid because it "
                           "contains more than one resource.");
        if (name->len > 0) return bad_scope(err, scopes);
        *name = resource;
    }
    return name->len > 0 ? RF_OK : bad_scope(err, scopes);
}

enum rf_kind token_resource(struct token_call *call, struct rf_err *err)
{
    rf_str name;
    if (call->v1)
        name = form_get(&call->form, "resource", NULL);
    else
        RF_TRY(scope_resource(form_get(&call->form, "scope", NULL), &name, err));
    RF_TRY(resource_find(call->identity, name, call->request->origin, &call->resource_entry, err));
    call->resource = call->resource_entry->value;
    return rf_arena_str(call->request->arena, name, &call->audience)
               ? RF_OK
               : rf_fail_memory(err, call->request->arena);
}

static enum rf_kind need_resource(const struct token_call *call, struct rf_err *err)
{
    bool has_resource, has_scope;
    (void)form_get(&call->form, "resource", &has_resource);
    rf_str scope = form_get(&call->form, "scope", &has_scope);
    if (call->v1) return has_resource ? RF_OK : missing(err, "resource");
    if (!has_scope && has_resource)
        return RF_FAIL(err, RF_INVALID, "901002",
                       "The 'resource' request parameter is not supported.");
    if (!has_scope || scope.len == 0) return missing(err, "scope");
    return RF_OK;
}

/* ---- the answer ------------------------------------------------------------------------------------------------------ */

/* Clients that can take a claims challenge say so in a request for the claim xms_cc. */
static bool wants_cae(const struct token_call *call)
{
    rf_str text = form_get(&call->form, "claims", NULL);
    struct json_node *claims, *values;
    struct rf_err ignored;
    if (text.len == 0 || json_parse(text, call->request->arena, &claims, &ignored) != RF_OK)
        return false;
    values = json_at(claims, "access_token.xms_cc.values");
    if (!json_is(values, JSON_T_ARRAY)) return false;
    for (const struct json_node *v = values->first; v != NULL; v = v->next)
        if (v->type == JSON_T_STRING && rf_str_eq_nocase(v->text, RF_S("cp1"))) return true;
    return false;
}

static void put_seconds(struct json_out *out, const struct token_call *call, const char *name,
                        int64_t seconds)
{
    if (call->v1)
        json_put_text(out, name, rf_arena_printf(call->request->arena, "%lld", (long long)seconds));
    else
        json_put_i64(out, name, seconds);
}

static void answer(struct token_call *call, const struct access_token *token)
{
    struct http_response *response = call->request->response;
    response->status = 200;
    oauth_headers(call->request);
    http_set(response, "client-request-id", call->correlation_id);
    struct json_out out = json_out_to(&response->body);
    json_begin_object(&out, NULL);
    json_put_text(&out, "token_type", RF_S("Bearer"));
    put_seconds(&out, call, "expires_in", token->expires - token->not_before - 1);
    put_seconds(&out, call, "ext_expires_in", token->expires - token->not_before - 1);
    if (call->v1) {
        put_seconds(&out, call, "expires_on", token->expires);
        put_seconds(&out, call, "not_before", token->not_before);
        json_put_text(&out, "resource", call->audience);
    }
    json_put_text(&out, "access_token", token->text);
    json_end_object(&out);
}

/* Policies for applications that act for themselves (section 10, rule 7). */
static enum rf_kind ask_policies(const struct token_call *call, struct rf_err *err)
{
    struct policy_input input = {.service_principal = call->client->id,
                                 .client_app = call->client->app_id,
                                 .resource_app = call->resource->app_id,
                                 .client = POLICY_OTHER,
                                 .address = call->request->http->peer_address,
                                 .now = call->request->now};
    struct policy_verdict verdict;
    RF_TRY(access_evaluate(call->identity, &input, call->request->arena, &verdict, err));
    if (!verdict.blocked) return RF_OK;
    return RF_FAIL(err, RF_DENIED, "53003",
                   "Access has been blocked by Conditional Access policies. The access policy does "
                   "not allow token issuance.");
}

/* Whether this client may have a token for that resource, and what is to be in it. */
static enum rf_kind plan_token(struct token_call *call, struct memo_entry **roles_entry,
                               struct access_token_request *wanted, struct rf_err *err)
{
    if (!call->client->enabled)
        return RF_FAIL(err, RF_DENIED, "7000112", "Application '%.*s'(%.*s) is disabled.",
                       RF_FMT(call->client->app_id), RF_FMT(call->client->display_name));
    RF_TRY(token_resource(call, err));
    RF_TRY(client_roles(call->identity, call->client->id, call->resource, roles_entry, err));
    const struct role_list *roles = (*roles_entry)->value;
    if (call->resource->assignment_required && roles->count == 0)
        return RF_FAIL(err, RF_DENIED, "501051",
                       "Application '%.*s'(%.*s) is not assigned to a role for the application "
                       "'%.*s'.",
                       RF_FMT(call->client->app_id), RF_FMT(call->client->display_name),
                       RF_FMT(call->resource->app_id));
    *wanted = (struct access_token_request){.client = call->client,
                                            .resource = call->resource,
                                            .roles = roles,
                                            .audience = call->audience,
                                            .origin = call->request->origin,
                                            .client_strength = call->proof.strength,
                                            .cae = wants_cae(call),
                                            .now = call->request->now};
    return ask_policies(call, err);
}

/* The token, and with it the proof of the client's secret, in one message to the keeper. What that does not settle (a wrong secret, or
 * one of very many) is settled by a comparison of its own, which knows the right error. */
static enum rf_kind make_token(struct token_call *call, const struct access_token_request *wanted,
                               struct access_token *token, struct rf_err *err)
{
    struct rf_arena *arena = call->request->arena;
    RF_CLEANUP(secret_proof_done) struct secret_proof proof = {0};
    if (call->unproven &&
        client_secret_proof(call->client, call->secret, wanted->now, arena, &proof)) {
        struct access_token_request with_proof = *wanted;
        with_proof.proof = &proof.keeper;
        RF_TRY(access_token_make(call->identity, &with_proof, arena, token, err));
        if (token->match != KEEPER_NO_MATCH) {
            call->unproven = false;
            call->proof.key_id = proof.key_ids[token->match];
            return RF_OK;
        }
    }
    if (call->unproven) RF_TRY(client_prove_secret(call, err));
    return access_token_make(call->identity, wanted, arena, token, err);
}

enum rf_kind grant_client_credentials(struct token_call *call, struct rf_err *err)
{
    RF_TRY(need_resource(call, err));
    RF_TRY(client_authenticate(call, err));
    RF_CLEANUP(memo_release) struct memo_entry *roles = NULL;
    struct access_token_request wanted;
    struct access_token token;
    struct rf_err later = {.kind = RF_OK};
    enum rf_kind kind = plan_token(call, &roles, &wanted, &later);
    if (kind != RF_OK) {
        /* Who cannot prove to be that client hears nothing of what it may. */
        if (call->unproven) RF_TRY(client_prove_secret(call, err));
        *err = later;
        return kind;
    }
    RF_TRY(make_token(call, &wanted, &token, err));
    call->uti = token.uti;
    answer(call, &token);
    return RF_OK;
}
