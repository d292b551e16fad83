#include "identity/signin_int.h"

#define ASSERTION_TYPE "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

static enum rf_kind missing(struct rf_err *err, const char *name)
{
    return RF_FAIL(err, RF_INVALID, "900144",
                   "The request body must contain the following parameter: '%s'.", name);
}

/* ---- reading the request --------------------------------------------------------------------------------------- */

static bool is_form_type(const struct http_request *http)
{
    rf_str type = http_header(http, "content-type", NULL);
    size_t end = rf_str_find(type, RF_S(";"), 0);
    type = rf_str_trim(end == SIZE_MAX ? type : rf_slice(type, 0, end));
    return rf_str_eq_nocase(type, RF_S("application/x-www-form-urlencoded"));
}

/* The client's own name for this exchange: header, query or body, whichever is there. */
static void read_correlation(struct token_call *call)
{
    struct request *request = call->request;
    rf_str ids[] = {http_header(request->http, "client-request-id", NULL),
                    request_parameter(request, "client-request-id", NULL),
                    form_get(&call->form, "client-request-id", NULL)};
    for (size_t i = 0; i < RF_COUNT(ids); i++) {
        if (!guid_is(ids[i])) continue;
        call->correlation_id = ids[i];
        return;
    }
}

/* RFC 6749 section 2.3.1: both halves were form-encoded before they were joined. */
static enum rf_kind read_basic(struct token_call *call, rf_str *id, rf_str *secret, bool *found,
                               struct rf_err *err)
{
    struct rf_arena *arena = call->request->arena;
    rf_str header = http_header(call->request->http, "authorization", NULL), both;
    *found = header.len > 6 && rf_str_eq_nocase(rf_slice(header, 0, 6), RF_S("Basic "));
    if (!*found) return RF_OK;
    struct rf_err bad;
    rf_str text = rf_str_trim(rf_slice(header, 6, header.len));
    if (base64_decode(arena, text, &both, &bad) != RF_OK) goto malformed;
    size_t colon = rf_str_find(both, RF_S(":"), 0);
    if (colon == SIZE_MAX) goto malformed;
    if (percent_decode(arena, rf_slice(both, 0, colon), true, id, &bad) == RF_OK &&
        percent_decode(arena, rf_slice(both, colon + 1, both.len), true, secret, &bad) == RF_OK)
        return RF_OK;
malformed:
    return RF_FAIL(err, RF_INVALID, "9002313",
                   "Invalid request. The Authorization header is malformed.");
}

static enum rf_kind read_client(struct token_call *call, struct rf_err *err)
{
    rf_str basic_id = {0}, basic_secret = {0};
    bool has_basic, has_body, has_id;
    RF_TRY(read_basic(call, &basic_id, &basic_secret, &has_basic, err));
    call->secret = form_get(&call->form, "client_secret", &has_body);
    call->client_id = form_get(&call->form, "client_id", &has_id);
    bool has_assertion;
    (void)form_get(&call->form, "client_assertion", &has_assertion);
    if (has_basic + has_body + has_assertion > 1)
        return RF_FAIL(err, RF_INVALID, "9002313",
                       "Invalid request. More than one way of client authentication was used.");
    if (has_basic) {
        if (has_id && !rf_str_eq_nocase(call->client_id, basic_id))
            return RF_FAIL(err, RF_INVALID, "9002313",
                           "Invalid request. The client identifiers in body and header differ.");
        call->client_id = basic_id;
        call->secret = basic_secret;
    }
    call->has_secret = (has_basic || has_body) && call->secret.len > 0;
    return call->client_id.len > 0 ? RF_OK : missing(err, "client_id");
}

static enum rf_kind read_request(struct token_call *call, struct rf_err *err)
{
    struct request *request = call->request;
    bool shared;
    if (!is_form_type(request->http))
        return RF_FAIL(err, RF_INVALID, "9002313",
                       "Invalid request. The body must be application/x-www-form-urlencoded.");
    RF_TRY(form_parse(request->http->body, request->arena, &call->form, err));
    read_correlation(call);
    RF_TRY(tenant_find(call->identity, call->tenant, &shared, err));
    call->grant_type = form_get(&call->form, "grant_type", NULL);
    return call->grant_type.len > 0 ? RF_OK : missing(err, "grant_type");
}

/* ---- who the client is ------------------------------------------------------------------------------------------- */

/* An application's id is no secret: who guesses from elsewhere must not lock out the owner. Empty on lack of memory. */
static rf_str who_guesses(const struct token_call *call)
{
    struct rf_buf who = rf_buf_in(call->request->arena);
    rf_buf_str(&who, call->client->app_id);
    rf_buf_byte(&who, ' ');
    rf_buf_str(&who, call->request->http->peer_address);
    return who.failed ? (rf_str){0} : rf_buf_view(&who);
}

/* Whether a secret may be tried now. */
static enum rf_kind admit_secret(struct token_call *call, struct rf_err *err)
{
    struct identity *identity = call->identity;
    rf_str who = who_guesses(call);
    if (who.ptr == NULL) return rf_fail_memory(err, call->request->arena);
    uint32_t wait = guard_wait(identity->guard, who, rf_clock_elapsed(identity->options.clock));
    if (wait > 0) {
        http_setf(call->request->response, "Retry-After", "%u", wait);
        return RF_FAIL(err, RF_AGAIN, "50196",
                       "Too many requests with a wrong client secret for application '%.*s'. Try "
                       "again later.",
                       RF_FMT(call->client->app_id));
    }
    call->proof.strength = "1";
    call->proof.type = "clientSecret";
    call->unproven = true;
    return RF_OK;
}

enum rf_kind client_prove_secret(struct token_call *call, struct rf_err *err)
{
    struct identity *identity = call->identity;
    enum rf_kind kind =
        client_check_secret(identity, call->client, call->secret, call->request->now,
                            call->request->arena, &call->proof.key_id, err);
    call->unproven = kind != RF_OK;
    if (kind != RF_DENIED) return kind;
    rf_str who = who_guesses(call);
    guard_failed(identity->guard, who, rf_clock_elapsed(identity->options.clock));
    return kind;
}

enum rf_kind client_authenticate(struct token_call *call, struct rf_err *err)
{
    RF_TRY(client_find(call->identity, call->client_id, &call->client_entry, err));
    call->client = call->client_entry->value;
    bool has_assertion;
    rf_str assertion = form_get(&call->form, "client_assertion", &has_assertion);
    if (has_assertion) {
        rf_str type = form_get(&call->form, "client_assertion_type", NULL);
        if (type.len == 0) return missing(err, "client_assertion_type");
        if (!rf_str_is(type, ASSERTION_TYPE))
            return RF_FAIL(
                err, RF_INVALID, "9002313",
                "Invalid request. The value of client_assertion_type must be " ASSERTION_TYPE ".");
        RF_TRY(assertion_check(call, assertion, err));
    } else if (call->has_secret) {
        RF_TRY(admit_secret(call, err));
    } else {
        return RF_FAIL(err, RF_DENIED, "7000218",
                       "The request body must contain the following parameter: 'client_assertion' "
                       "or 'client_secret'.");
    }
    return RF_OK;
}

/* ---- grants ------------------------------------------------------------------------------------------------------- */

static enum rf_kind run_grant(struct token_call *call, struct rf_err *err)
{
    static const struct {
        const char *type;
        enum rf_kind (*run)(struct token_call *call, struct rf_err *err);
    } grants[] = {{"client_credentials", grant_client_credentials},
                  {"authorization_code", grant_code},
                  {"refresh_token", grant_refresh},
                  {"urn:ietf:params:oauth:grant-type:device_code", grant_device},
                  {"device_code", grant_device},
                  {"urn:ietf:params:oauth:grant-type:jwt-bearer", grant_behalf}};
    RF_TRY(read_request(call, err));
    for (size_t i = 0; i < RF_COUNT(grants); i++) {
        if (!rf_str_is(call->grant_type, grants[i].type)) continue;
        RF_TRY(read_client(call, err));
        return grants[i].run(call, err);
    }
    return RF_FAIL(err, RF_INVALID, "70003", "The app requested an unsupported grant type '%.*s'.",
                   (int)RF_MIN(call->grant_type.len, 100), (const char *)call->grant_type.ptr);
}

enum rf_kind token_run(struct request *request, struct rf_err *err)
{
    (void)err; /* every outcome is an answer of this endpoint's own shape */
    struct token_call call = {.identity = identity_of(request),
                              .request = request,
                              .tenant = request_variable(request, "tenant"),
                              .correlation_id = correlation_of(request)};
    call.v1 = !rf_str_ends(request->http->path, RF_S("/v2.0/token"));
    struct rf_err failure = {.kind = RF_OK};
    enum rf_kind kind = run_grant(&call, &failure);
    if (kind != RF_OK) oauth_answer_error(request, call.correlation_id, &failure);
    if (!call.told) trail_sign_in(&call, kind == RF_OK ? NULL : &failure);
    memo_release(&call.client_entry);
    memo_release(&call.resource_entry);
    return RF_OK;
}
