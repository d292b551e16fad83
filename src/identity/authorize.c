/* authorize.c - what an application asks for when it sends a browser to us (contract identity, section 6.1; RFC 6749 section 4.1.1, RFC 7636, RFC 9207). */
#include "identity/signin_int.h"

enum { QUERY_BYTES_MAX = 16 << 10, STATE_BYTES_MAX = 8 << 10, CHALLENGE_BYTES = 43 };

/* ---- where the answer may go ---------------------------------------------------------------------------------------- */

static bool is_local_host(rf_str host)
{
    return rf_str_is(host, "localhost") || rf_str_is(host, "127.0.0.1") || rf_str_is(host, "[::1]");
}

/* "http://127.0.0.1:49152/cb" as "http://127.0.0.1" and "/cb"; false for addresses elsewhere. */
static bool split_loopback(rf_str uri, rf_str *host, rf_str *rest)
{
    rf_str scheme = RF_S("http://");
    if (!rf_str_starts(uri, scheme)) return false;
    size_t slash = rf_str_find(uri, RF_S("/"), scheme.len);
    if (slash == SIZE_MAX) slash = uri.len;
    rf_str authority = rf_slice(uri, scheme.len, slash);
    size_t colon = authority.len;
    while (colon > 0 && rf_is_digit(authority.ptr[colon - 1])) colon--;
    bool has_port = colon > 0 && colon < authority.len && authority.ptr[colon - 1] == ':';
    *host = has_port ? rf_slice(authority, 0, colon - 1) : authority;
    *rest = rf_slice(uri, slash, uri.len);
    return is_local_host(*host);
}

/* Exact; at loopback addresses any port (RFC 8252 section 7.3), for public clients. */
static bool uri_fits(rf_str registered, rf_str asked, bool any_port)
{
    rf_str host, rest, asked_host, asked_rest;
    if (rf_str_eq(registered, asked)) return true;
    return any_port && split_loopback(registered, &host, &rest) &&
           split_loopback(asked, &asked_host, &asked_rest) && rf_str_eq(host, asked_host) &&
           rf_str_eq(rest, asked_rest);
}

static bool is_among(const struct json_node *list, rf_str uri, bool any_port)
{
    if (!json_is(list, JSON_T_ARRAY)) return false;
    for (const struct json_node *item = list->first; item != NULL; item = item->next)
        if (item->type == JSON_T_STRING && uri_fits(item->text, uri, any_port)) return true;
    return false;
}

static enum redirect_kind redirect_of(const struct json_node *application, rf_str uri)
{
    if (uri.len == 0 || rf_str_find(uri, RF_S("#"), 0) != SIZE_MAX) return REDIRECT_NONE;
    if (is_among(json_at(application, "spa.redirectUris"), uri, false)) return REDIRECT_SPA;
    if (is_among(json_at(application, "publicClient.redirectUris"), uri, true))
        return REDIRECT_PUBLIC;
    if (is_among(json_at(application, "web.redirectUris"), uri, false)) return REDIRECT_WEB;
    return REDIRECT_NONE;
}

static bool has_uris(const struct json_node *application)
{
    static const char *const paths[] = {"web.redirectUris", "spa.redirectUris",
                                        "publicClient.redirectUris"};
    for (size_t i = 0; i < RF_COUNT(paths); i++) {
        const struct json_node *list = json_at(application, paths[i]);
        if (json_is(list, JSON_T_ARRAY) && list->count > 0) return true;
    }
    return false;
}

static enum rf_kind check_redirect(struct authorize *a, rf_str origin, struct rf_err *err)
{
    if (portal_redirects_to(a->client->app_id, a->redirect_uri, origin)) {
        a->redirect = REDIRECT_WEB;
        return RF_OK;
    }
    const struct json_node *application = a->client->application;
    if (!has_uris(application))
        return RF_FAIL(err, RF_INVALID, "500113",
                       "No reply address is registered for the application.");
    enum redirect_kind kind = redirect_of(application, a->redirect_uri);
    if (kind == REDIRECT_NONE)
        return RF_FAIL(
            err, RF_INVALID, "50011",
            "The redirect URI '%.*s' specified in the request does not match the redirect "
            "URIs configured for the application '%.*s'.",
            (int)RF_MIN(a->redirect_uri.len, 200), (const char *)a->redirect_uri.ptr,
            RF_FMT(a->client->app_id));
    a->redirect = kind;
    return RF_OK;
}

/* ---- the request ----------------------------------------------------------------------------------------------------- */

static bool is_challenge(rf_str text)
{
    if (text.len != CHALLENGE_BYTES) return false;
    for (size_t i = 0; i < text.len; i++)
        if (!rf_is_alnum(text.ptr[i]) && text.ptr[i] != '-' && text.ptr[i] != '_') return false;
    return true;
}

static enum rf_kind check_challenge(struct authorize *a, struct rf_err *err)
{
    rf_str method = form_get(&a->form, "code_challenge_method", NULL);
    a->challenge = form_get(&a->form, "code_challenge", NULL);
    if (a->challenge.len == 0)
        return RF_FAIL(err, RF_INVALID, "9002325",
                       "Proof Key for Code Exchange is required: the request must hold "
                       "'code_challenge' and 'code_challenge_method=S256'.");
    if (!rf_str_is(method, "S256") || !is_challenge(a->challenge))
        return RF_FAIL(
            err, RF_INVALID, "501491",
            "Only 'code_challenge_method=S256' with the SHA-256 of the verifier is taken.");
    return RF_OK;
}

static enum rf_kind read_prompt(struct authorize *a, struct rf_err *err)
{
    rf_str prompt = form_get(&a->form, "prompt", NULL);
    a->prompt_none = scope_has(prompt, RF_S("none"));
    a->prompt_login = scope_has(prompt, RF_S("login"));
    a->prompt_select = scope_has(prompt, RF_S("select_account"));
    a->prompt_consent = scope_has(prompt, RF_S("consent"));
    a->wants_mfa = scope_has(form_get(&a->form, "amr_values", NULL), RF_S("mfa"));
    bool others = a->prompt_login || a->prompt_select || a->prompt_consent;
    if ((prompt.len > 0 && !others && !a->prompt_none) || (a->prompt_none && others))
        return RF_FAIL(err, RF_INVALID, "90023", "The value of 'prompt' is not one that is known.");
    return RF_OK;
}

static enum rf_kind read_max_age(struct authorize *a, struct rf_err *err)
{
    bool there;
    rf_str text = form_get(&a->form, "max_age", &there);
    a->max_age = -1;
    if (!there) return RF_OK;
    int64_t age = 0;
    for (size_t i = 0; i < text.len && age < INT32_MAX; i++) {
        if (!rf_is_digit(text.ptr[i])) age = INT64_MAX;
        if (age < INT32_MAX) age = 10 * age + (text.ptr[i] - '0');
    }
    if (text.len == 0 || age > INT32_MAX)
        return RF_FAIL(err, RF_INVALID, "90023", "The value of 'max_age' is no number of seconds.");
    a->max_age = age;
    return RF_OK;
}

static enum rf_kind read_mode(struct authorize *a, struct rf_err *err)
{
    static const char *const modes[] = {"query", "fragment", "form_post"};
    a->mode = form_get(&a->form, "response_mode", NULL);
    if (a->mode.len == 0) a->mode = RF_S("query");
    for (size_t i = 0; i < RF_COUNT(modes); i++)
        if (rf_str_is(a->mode, modes[i])) return RF_OK;
    a->mode = RF_S("query");
    return RF_FAIL(err, RF_INVALID, "90023",
                   "The value of 'response_mode' is not one that is known.");
}

/* What may be told to the application, as it has been found to be that one. */
static enum rf_kind read_rest(struct identity *identity, rf_str origin, struct rf_arena *arena,
                              struct authorize *a, struct rf_err *err)
{
    RF_TRY(read_mode(a, err));
    if (a->state.len > STATE_BYTES_MAX || a->nonce.len > STATE_BYTES_MAX)
        return RF_FAIL(err, RF_INVALID, "90015", "The 'state' or 'nonce' is too long.");
    if (!rf_str_is(form_get(&a->form, "response_type", NULL), "code"))
        return RF_FAIL(err, RF_INVALID, "70005",
                       "The response_type is not supported: only 'code' is.");
    if (form_get(&a->form, "request", NULL).len > 0 ||
        form_get(&a->form, "request_uri", NULL).len > 0)
        return RF_FAIL(err, RF_INVALID, "90023", "'request' and 'request_uri' are not supported.");
    RF_TRY(check_challenge(a, err));
    RF_TRY(read_prompt(a, err));
    RF_TRY(read_max_age(a, err));
    if (!a->client->enabled)
        return RF_FAIL(err, RF_DENIED, "7000112", "Application '%.*s'(%.*s) is disabled.",
                       RF_FMT(a->client->app_id), RF_FMT(a->client->display_name));
    rf_str scope = form_get(&a->form, "scope", NULL);
    if (scope.len == 0)
        return RF_FAIL(err, RF_INVALID, "900144",
                       "The request body must contain the following parameter: 'scope'.");
    return scopes_read(identity, scope, origin, arena, &a->scopes, err);
}

enum rf_kind authorize_read(struct identity *identity, rf_str query, rf_str tenant, rf_str origin,
                            struct rf_arena *arena, struct authorize *out, struct rf_err *err)
{
    bool shared;
    *out = (struct authorize){.query = query, .tenant = tenant, .max_age = -1};
    if (query.len > QUERY_BYTES_MAX)
        return RF_FAIL(err, RF_INVALID, "9002313", "The request is too long.");
    RF_TRY(form_parse(query, arena, &out->form, err));
    RF_TRY(tenant_find(identity, tenant, &shared, err));
    out->client_id = form_get(&out->form, "client_id", NULL);
    out->redirect_uri = form_get(&out->form, "redirect_uri", NULL);
    out->state = form_get(&out->form, "state", NULL);
    out->nonce = form_get(&out->form, "nonce", NULL);
    out->login_hint = form_get(&out->form, "login_hint", NULL);
    out->mode = RF_S("query");
    if (out->client_id.len == 0)
        return RF_FAIL(err, RF_INVALID, "900144",
                       "The request must contain the following parameter: 'client_id'.");
    RF_TRY(client_find(identity, out->client_id, &out->client_entry, err));
    out->client = out->client_entry->value;
    RF_TRY(check_redirect(out, origin, err));
    return read_rest(identity, origin, arena, out, err);
}

void authorize_done(struct authorize *authorize)
{
    memo_release(&authorize->client_entry);
    memo_release(&authorize->scopes.entry);
}

/* ---- the endpoint ------------------------------------------------------------------------------------------------------ */

static const char *redirect_error(const struct rf_err *err)
{
    static const struct {
        const char *code, *error;
    } words[] = {{"70005", "unsupported_response_type"},
                 {"70011", "invalid_scope"},
                 {"28000", "invalid_scope"},
                 {"500011", "invalid_resource"},
                 {"7000112", "unauthorized_client"},
                 {"90033", "temporarily_unavailable"}};
    for (size_t i = 0; i < RF_COUNT(words); i++)
        if (err->code != NULL && strcmp(err->code, words[i].code) == 0) return words[i].error;
    return err->kind == RF_INVALID || err->kind == RF_DENIED ? "invalid_request" : "server_error";
}

static enum rf_kind refuse(struct request *request, const struct authorize *a,
                           const struct rf_err *why, struct rf_err *err)
{
    if (a->redirect != REDIRECT_NONE)
        return authorize_answer_error(request, a, redirect_error(why), why, err);
    return signin_error_page(request, why->code, rf_str_of(why->text));
}

/* A form that another site posts carries no cookie of ours: as a request for the page it does. */
static enum rf_kind as_get(struct request *request, struct rf_err *err)
{
    rf_str body = request->http->body;
    if (body.len > QUERY_BYTES_MAX)
        return RF_FAIL(err, RF_INVALID, "9002313", "The request is too long.");
    struct form form;
    RF_TRY(form_parse(body, request->arena, &form, err)); /* a body that is no form goes nowhere */
    signin_headers(request, (rf_str){0}, NULL, 0);
    request->response->status = 303;
    http_setf(request->response, "Location", "%.*s?%.*s", RF_FMT(request->http->path),
              RF_FMT(body));
    return RF_OK;
}

enum rf_kind authorize_run(struct request *request, struct rf_err *err)
{
    struct identity *identity = identity_of(request);
    if (request->http->method == HTTP_POST) return as_get(request, err);
    struct signin signin = {.identity = identity,
                            .request = request,
                            .arena = request->arena,
                            .what = FOR_APP,
                            .step = STEP_USER,
                            .query = request->http->query,
                            .tenant = request_variable(request, "tenant"),
                            .begun = request->now,
                            .correlation_id = correlation_of(request)};
    struct rf_err why = {.kind = RF_OK};
    enum rf_kind kind = authorize_read(identity, signin.query, signin.tenant, request->origin,
                                       request->arena, &signin.authorize, &why);
    rf_str id = form_get(&signin.authorize.form, "client-request-id", NULL);
    if (guid_is(id)) signin.correlation_id = id;
    if (kind != RF_OK) {
        kind = refuse(request, &signin.authorize, &why, err);
    } else {
        signin.client = signin.authorize.client;
        kind = signin_load_session(&signin, err);
        if (kind == RF_OK) kind = signin_go_on(&signin, PAGE_NO_ERROR, (rf_str){0}, err);
    }
    signin_done(&signin);
    return kind;
}
