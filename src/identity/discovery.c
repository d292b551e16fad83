#include "identity/identity_int.h"

/* ---- metadata (section 1.1) ---------------------------------------------------------------------------------------- */

static void put_texts(struct json_out *out, const char *name, const char *const *texts)
{
    json_begin_array(out, name);
    for (; *texts != NULL; texts++) json_put_text(out, NULL, rf_str_of(*texts));
    json_end_array(out);
}

static void put_url(struct json_out *out, const struct request *request, const char *name,
                    rf_str tenant, const char *path)
{
    json_put_text(out, name,
                  rf_arena_printf(request->arena, "%.*s/%.*s%s", RF_FMT(request->origin),
                                  RF_FMT(tenant), path));
}

static void put_lists(struct json_out *out)
{
    static const char *const auth[] = {"client_secret_post", "client_secret_basic",
                                       "private_key_jwt", NULL};
    static const char *const modes[] = {"query", "fragment", "form_post", NULL};
    static const char *const types[] = {"code", NULL};
    static const char *const subjects[] = {"pairwise", NULL};
    static const char *const algs[] = {"RS256", NULL};
    static const char *const assertion_algs[] = {"RS256", "PS256", NULL};
    static const char *const scopes[] = {"openid", "profile", "email", "offline_access", NULL};
    static const char *const challenges[] = {"S256", NULL};
    static const char *const grants[] = {"authorization_code",
                                         "refresh_token",
                                         "client_credentials",
                                         "urn:ietf:params:oauth:grant-type:device_code",
                                         "urn:ietf:params:oauth:grant-type:jwt-bearer",
                                         NULL};
    static const char *const claims[] = {
        "sub",       "iss", "aud", "exp",   "iat",  "nbf",
        "auth_time", "acr", "amr", "nonce", "name", "preferred_username",
        "email",     "tid", "oid", "ver",   "sid",  "cloud_instance_name",
        NULL};
    put_texts(out, "token_endpoint_auth_methods_supported", auth);
    put_texts(out, "token_endpoint_auth_signing_alg_values_supported", assertion_algs);
    put_texts(out, "response_modes_supported", modes);
    put_texts(out, "response_types_supported", types);
    put_texts(out, "subject_types_supported", subjects);
    put_texts(out, "id_token_signing_alg_values_supported", algs);
    put_texts(out, "scopes_supported", scopes);
    put_texts(out, "claims_supported", claims);
    put_texts(out, "code_challenge_methods_supported", challenges);
    put_texts(out, "grant_types_supported", grants);
}

static void put_flags(struct json_out *out, const struct request *request)
{
    rf_str scheme = RF_S("https://");
    rf_str host = rf_slice(request->origin, scheme.len, request->origin.len);
    json_put_bool(out, "http_logout_supported", true);
    json_put_bool(out, "frontchannel_logout_supported", true);
    json_put_bool(out, "authorization_response_iss_parameter_supported", true);
    json_put_bool(out, "request_uri_parameter_supported", false);
    json_put_null(out, "tenant_region_scope");
    json_put_text(out, "cloud_instance_name", host);
    json_put_text(out, "cloud_graph_host_name", host);
    json_put_text(out, "msgraph_host", host);
    json_put_text(out, "rbac_url", request->origin);
}

/* The metadata names its own error for an unknown tenant (the token endpoint says invalid_request). */
static enum rf_kind unknown_tenant(struct request *request, const struct rf_err *err)
{
    oauth_answer_error(request, correlation_of(request), err);
    struct json_node *body;
    struct rf_err bad;
    rf_str text = rf_buf_view(&request->response->body);
    if (!rf_arena_str(request->arena, text, &text) ||
        json_parse(text, request->arena, &body, &bad) != RF_OK) {
        request->response->failed = true;
        return RF_OK;
    }
    json_set_text(request->arena, body, "error", RF_S("invalid_tenant"));
    request->response->body.len = 0;
    json_print(&request->response->body, body);
    return RF_OK;
}

static void cacheable(struct request *request)
{
    http_set_literal(request->response, "Content-Type", "application/json; charset=utf-8");
    http_set_literal(request->response, "Cache-Control", "max-age=86400, public");
    http_set_literal(request->response, "Access-Control-Allow-Origin", "*");
    http_set_literal(request->response, "X-Content-Type-Options", "nosniff");
}

static enum rf_kind metadata(struct request *request, bool v2)
{
    const struct identity *identity = identity_of(request);
    rf_str name = request_variable(request, "tenant");
    struct rf_err unknown;
    bool shared;
    if (tenant_find(identity, name, &shared, &unknown) != RF_OK)
        return unknown_tenant(request, &unknown);
    /* Names that several tenants share stay in the URLs; the issuer has a place to fill in, as Entra's has. */
    rf_str tenant = shared ? text_lower(request->arena, name) : identity->tenant;
    rf_str issuer = shared ? RF_S("{tenantid}") : identity->tenant;
    cacheable(request);
    struct json_out out = json_out_to(&request->response->body);
    json_begin_object(&out, NULL);
    put_url(&out, request, "issuer", issuer, v2 ? "/v2.0" : "/");
    put_url(&out, request, "authorization_endpoint", tenant,
            v2 ? "/oauth2/v2.0/authorize" : "/oauth2/authorize");
    put_url(&out, request, "token_endpoint", tenant, v2 ? "/oauth2/v2.0/token" : "/oauth2/token");
    put_url(&out, request, "device_authorization_endpoint", tenant,
            v2 ? "/oauth2/v2.0/devicecode" : "/oauth2/devicecode");
    put_url(&out, request, "jwks_uri", tenant, v2 ? "/discovery/v2.0/keys" : "/discovery/keys");
    put_url(&out, request, "userinfo_endpoint", RF_S("oidc"), "/userinfo");
    put_url(&out, request, "end_session_endpoint", tenant,
            v2 ? "/oauth2/v2.0/logout" : "/oauth2/logout");
    put_lists(&out);
    put_flags(&out, request);
    json_end_object(&out);
    return RF_OK;
}

enum rf_kind discovery_v2(struct request *request, struct rf_err *err)
{
    (void)err;
    return metadata(request, true);
}

enum rf_kind discovery_v1(struct request *request, struct rf_err *err)
{
    (void)err;
    return metadata(request, false);
}

/* ---- key set (section 1.2) ------------------------------------------------------------------------------------------ */

enum rf_kind discovery_keys(struct request *request, struct rf_err *err)
{
    struct identity *identity = identity_of(request);
    struct rf_err unknown;
    bool shared;
    if (tenant_find(identity, request_variable(request, "tenant"), &shared, &unknown) != RF_OK)
        return unknown_tenant(request, &unknown);
    RF_CLEANUP(memo_release) struct memo_entry *entry = NULL;
    RF_TRY(signing_keys(identity, &entry, err));
    const struct signing_keys *keys = entry->value;
    rf_str issuer = rf_arena_printf(request->arena, "%.*s/%.*s/v2.0", RF_FMT(request->origin),
                                    RF_FMT(identity->tenant));
    cacheable(request);
    struct json_out out = json_out_to(&request->response->body);
    json_begin_object(&out, NULL);
    json_begin_array(&out, "keys");
    for (uint32_t i = 0; i < keys->count; i++) {
        const struct signing_key *key = &keys->items[i];
        json_begin_object(&out, NULL);
        json_put_text(&out, "kty", RF_S("RSA"));
        json_put_text(&out, "use", RF_S("sig"));
        json_put_text(&out, "alg", RF_S("RS256"));
        json_put_text(&out, "kid", key->kid);
        json_put_text(&out, "x5t", key->kid);
        json_put_text(&out, "n", key->n);
        json_put_text(&out, "e", key->e);
        json_begin_array(&out, "x5c");
        json_put_text(&out, NULL, key->x5c);
        json_end_array(&out);
        json_put_text(&out, "issuer", issuer);
        json_end_object(&out);
    }
    json_end_array(&out);
    json_end_object(&out);
    return RF_OK;
}

/* ---- questions of MSAL (section 2) ------------------------------------------------------------------------------------ */

/* "https://host[:port]" of a URL, or empty. */
static rf_str url_host(rf_str url)
{
    rf_str scheme = RF_S("https://");
    if (!rf_str_starts(url, scheme)) return (rf_str){0};
    size_t end = rf_str_find(url, RF_S("/"), scheme.len);
    return rf_slice(url, scheme.len, end == SIZE_MAX ? url.len : end);
}

static enum rf_kind refuse_instance(struct request *request)
{
    struct http_response *response = request->response;
    static const struct rf_err unknown = {
        .kind = RF_INVALID, .code = "90002", .text = "The authority is unknown."};
    oauth_answer_error(request, correlation_of(request), &unknown);
    response->body.len = 0;
    struct json_out out = json_out_to(&response->body);
    json_begin_object(&out, NULL);
    json_put_text(&out, "error", RF_S("invalid_instance"));
    json_put_text(&out, "error_description",
                  rf_arena_printf(request->arena,
                                  "AADSTS50049: Unknown or invalid instance.\r\nTrace ID: %.*s\r\n"
                                  "Correlation ID: %.*s",
                                  RF_FMT(request->request_id), RF_FMT(correlation_of(request))));
    json_begin_array(&out, "error_codes");
    json_put_i64(&out, NULL, 50049);
    json_end_array(&out);
    json_put_text(&out, "trace_id", request->request_id);
    json_put_text(&out, "correlation_id", correlation_of(request));
    json_end_object(&out);
    return RF_OK;
}

enum rf_kind discovery_instance(struct request *request, struct rf_err *err)
{
    (void)err;
    const struct identity *identity = identity_of(request);
    rf_str url = request_parameter(request, "authorization_endpoint", NULL), host = url_host(url);
    if (host.len == 0 || !site_knows_host(identity->options.site, host))
        return refuse_instance(request);
    cacheable(request);
    struct json_out out = json_out_to(&request->response->body);
    json_begin_object(&out, NULL);
    json_put_text(&out, "tenant_discovery_endpoint",
                  rf_arena_printf(request->arena,
                                  "https://%.*s/%.*s/v2.0/.well-known/openid-configuration",
                                  RF_FMT(host), RF_FMT(identity->tenant)));
    json_put_text(&out, "api-version", RF_S("1.1"));
    json_begin_array(&out, "metadata");
    json_begin_object(&out, NULL);
    json_put_text(&out, "preferred_network", host);
    json_put_text(&out, "preferred_cache", host);
    json_begin_array(&out, "aliases");
    json_put_text(&out, NULL, host);
    json_end_array(&out);
    json_end_object(&out);
    json_end_array(&out);
    json_end_object(&out);
    return RF_OK;
}

enum rf_kind discovery_userrealm(struct request *request, struct rf_err *err)
{
    (void)err;
    const struct identity *identity = identity_of(request);
    rf_str upn = request_variable(request, "upn"), host = url_host(request->origin);
    size_t at = rf_str_find(upn, RF_S("@"), 0);
    rf_str domain = at == SIZE_MAX ? RF_S("") : rf_slice(upn, at + 1, upn.len);
    /* The same for every name in our domain, so that it tells nobody who exists. */
    bool ours = rf_str_eq_nocase(domain, identity->domain);
    struct json_out out = json_out_to(&request->response->body);
    oauth_headers(request);
    json_begin_object(&out, NULL);
    json_put_text(&out, "ver", RF_S("1.0"));
    json_put_text(&out, "account_type", ours ? RF_S("Managed") : RF_S("Unknown"));
    json_put_text(&out, "domain_name", domain);
    json_put_text(&out, "cloud_instance_name", host);
    json_put_text(&out, "cloud_audience_urn", RF_S("urn:federation:MicrosoftOnline"));
    json_end_object(&out);
    return RF_OK;
}
