#include "vault/call_int.h"

#include <arpa/inet.h>
#include <stdio.h>

#include "base/json_out.h"
#include "crypt/jwt.h"

#define SERVICE_VERSION "1.0.0"
enum { SHOWN_BYTES_MAX = 200 };

/* ---- failing ---------------------------------------------------------------------------------------------------- */

static enum rf_kind kind_of(uint16_t status)
{
    switch (status) {
    case 401:
    case 403:
        return RF_DENIED;
    case 404:
        return RF_NOT_FOUND;
    case 409:
        return RF_CONFLICT;
    case 413:
        return RF_LIMIT;
    case 429:
    case 503:
        return RF_AGAIN;
    default:
        return status >= 500 ? RF_IO : RF_INVALID;
    }
}

/* What vault_error adds to the code and the text. */
static void set_details(struct vault_call *call, const char *inner, rf_str text)
{
    if (call->request == NULL || (inner == NULL && text.len == 0)) return;
    struct json_node *details = json_new(call->arena, JSON_T_OBJECT);
    if (inner != NULL) json_set_text(call->arena, details, "code", rf_str_of(inner));
    if (text.len > 0) json_set_text(call->arena, details, "message", text);
    call->request->error_details = details;
}

enum rf_kind vault_fail(struct vault_call *call, struct rf_err *err, uint16_t status,
                        const char *code, const char *inner, const char *fmt, ...)
{
    char text[sizeof err->text];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    if (call->request != NULL) call->request->fail_status = status;
    set_details(call, inner, (rf_str){0});
    return rf_fail(err, kind_of(status), code, "%s", text);
}

enum rf_kind vault_bad(struct vault_call *call, struct rf_err *err, const char *fmt, ...)
{
    char text[sizeof err->text];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    return vault_fail(call, err, 400, "BadParameter", NULL, "%s", text);
}

enum rf_kind vault_refuse(struct vault_call *call, struct rf_err *err, const char *inner,
                          rf_str text)
{
    enum rf_kind kind =
        vault_fail(call, err, 403, "Forbidden", inner, "%.*s",
                   (int)RF_MIN(text.len, sizeof err->text - 1), (const char *)text.ptr);
    set_details(call, inner, text);
    return kind;
}

static const char *noun_of(enum seal_kind kind)
{
    return kind == SEAL_SECRET ? "secret" : kind == SEAL_KEY ? "key" : "certificate";
}

enum rf_kind vault_not_found(struct vault_call *call, enum seal_kind kind, rf_str name,
                             struct rf_err *err)
{
    const char *code = kind == SEAL_SECRET ? "SecretNotFound"
                       : kind == SEAL_KEY  ? "KeyNotFound"
                                           : "CertificateNotFound";
    const char *noun = noun_of(kind);
    return vault_fail(call, err, 404, code, NULL,
                      "A %s with (name/id) %.*s was not found in this key vault. If you recently "
                      "deleted this %s you may be able to recover it using the correct recovery "
                      "command.",
                      noun, (int)RF_MIN(name.len, SHOWN_BYTES_MAX), (const char *)name.ptr, noun);
}

enum rf_kind vault_is_deleted(struct vault_call *call, enum seal_kind kind, rf_str name,
                              struct rf_err *err)
{
    const char *noun = kind == SEAL_SECRET ? "Secret" : kind == SEAL_KEY ? "Key" : "Certificate";
    return vault_fail(call, err, 409, "Conflict", "ObjectIsDeletedButRecoverable",
                      "%s %.*s is currently in a deleted but recoverable state, and its name "
                      "cannot be reused; in this state, the %s can only be recovered or purged.",
                      noun, (int)RF_MIN(name.len, SHOWN_BYTES_MAX), (const char *)name.ptr,
                      noun_of(kind));
}

/* ---- what the keeper says --------------------------------------------------------------------------------------- */

/* "sign" of "keys sign". */
static rf_str verb_of(const struct vault_call *call)
{
    rf_str policy = rf_str_of(call->operation == NULL ? "" : call->operation->policy);
    size_t from = rf_str_find(policy, RF_S(" "), 0);
    if (from == SIZE_MAX) return RF_S("this");
    size_t to = rf_str_find(policy, RF_S(" "), from + 1);
    return rf_slice(policy, from + 1, RF_MIN(to, policy.len));
}

static const char *noun_of_call(const struct vault_call *call)
{
    bool is_secret = call->operation != NULL && strncmp(call->operation->path, "secrets", 7) == 0;
    return is_secret ? "secret" : "key";
}

enum rf_kind vault_seal_error(struct vault_call *call, struct rf_err *err)
{
    const char *code = err->code == NULL ? "" : err->code, *noun = noun_of_call(call);
    rf_str verb = verb_of(call);
    if (strcmp(code, "SealDisabled") == 0)
        return vault_fail(call, err, 403, "Forbidden",
                          noun[0] == 's' ? "SecretDisabled" : "KeyDisabled",
                          "Operation %.*s is not allowed on a disabled %s.", RF_FMT(verb), noun);
    if (strcmp(code, "SealNotYet") == 0)
        return vault_fail(call, err, 403, "Forbidden", "KeyNotYetValid",
                          "Operation %.*s is not allowed on a key that is not yet valid.",
                          RF_FMT(verb));
    if (strcmp(code, "SealExpired") == 0)
        return vault_fail(call, err, 403, "Forbidden", "KeyExpired",
                          "Operation %.*s is not allowed on an expired key.", RF_FMT(verb));
    if (strcmp(code, "SealOperation") == 0)
        return vault_fail(call, err, 403, "Forbidden", "KeyOperationForbidden",
                          "Operation %.*s is not permitted on this key.", RF_FMT(verb));
    /* One text for whatever cannot be decrypted: what went wrong inside would be an oracle. */
    if (strcmp(code, "SealInput") == 0)
        return vault_bad(call, err,
                         "The parameter is incorrect: it cannot be processed with this "
                         "key and algorithm.");
    if (strcmp(code, "SealAlgorithm") == 0 || strcmp(code, "SealArgument") == 0) {
        char text[sizeof err->text];
        memcpy(text, err->text, sizeof text);
        return vault_bad(call, err, "%s", text);
    }
    if (strcmp(code, "SealToken") == 0) {
        if (call->request != NULL) call->request->token_step = TOKEN_OWNER;
        return vault_fail(call, err, 401, "Unauthorized", NULL, "the token was refused");
    }
    if (strcmp(code, "SealRate") == 0 || strcmp(code, "TooManyRequests") == 0)
        return vault_fail(call, err, 429, "Throttled", NULL,
                          "Too many requests: try again after the time in Retry-After.");
    /* The dispatcher logs the text of a 500 and shows a number only. */
    if (strcmp(code, "SealBroken") == 0 || strcmp(code, "SealRolledBack") == 0 ||
        strcmp(code, "SealDestroyed") == 0)
        return vault_fail(call, err, 500, code, NULL, "vault %.*s, %s, %.*s %.*s",
                          RF_FMT(call->place.name),
                          call->operation == NULL ? "a job" : call->operation->audit,
                          RF_FMT(call->name), RF_FMT(call->version));
    if (strcmp(code, "SealGeneration") == 0) {
        struct rf_err why = *err; /* names the generation */
        return vault_fail(call, err, 500, code, NULL, "vault %.*s: %s", RF_FMT(call->place.name),
                          why.text);
    }
    return err->kind;
}

/* ---- the challenge ---------------------------------------------------------------------------------------------- */

/* Clients ask at the path of `authorization` for a token, and check that their host ends in that of `resource`. A vault's host answers for vaults
 * only, so from there they are sent to the origin. */
static void set_challenge(struct request *request)
{
    rf_str vault, domain, origin = request->origin;
    bool is_named = site_vault_host(request->http->host, &vault, &domain);
    if (is_named) origin = request->site->origin;
    if (!is_named) domain = RF_S("azure.net");
    http_setf(request->response, "WWW-Authenticate",
              "Bearer authorization=\"%.*s/%.*s\", resource=\"https://vault.%.*s\"", RF_FMT(origin),
              RF_FMT(request->site->tenant_id), RF_FMT(domain));
}

/* A claim of the token for the text of an error, without what could steer a terminal. Only its owner is told. */
static rf_str shown_claim(struct request *request, const char *name)
{
    struct jwt jwt;
    rf_str header = http_header(request->http, "Authorization", NULL), scheme = RF_S("Bearer ");
    if (header.len <= scheme.len) return (rf_str){0};
    rf_str token = rf_str_trim(rf_slice(header, scheme.len, header.len));
    if (jwt_parse(token, request->arena, &jwt, NULL) != RF_OK) return (rf_str){0};
    rf_str text = json_text_at(jwt.claims, name);
    for (size_t i = 0; i < text.len; i++)
        if (text.ptr[i] <= 0x20 || text.ptr[i] >= 0x7f) return (rf_str){0};
    return text.len > SHOWN_BYTES_MAX ? (rf_str){0} : text;
}

static rf_str token_text(struct request *request, const struct rf_err *err)
{
    struct rf_arena *arena = request->arena;
    rf_str found;
    switch (request->token_step) {
    case TOKEN_MISSING:
        return RF_S("AKV10000: Request is missing a Bearer or PoP token.");
    case TOKEN_TEXT:
        return RF_S("AKV10001: The access token cannot be read: it is no signed JSON Web Token.");
    case TOKEN_SIGNATURE:
        return RF_S("AKV10046: Unable to resolve the key used for signature validation.");
    case TOKEN_TIMES:
        return rf_arena_printf(arena, "[TokenExpired] Error validating token: %s", err->text);
    case TOKEN_AUDIENCE:
        found = shown_claim(request, "aud");
        return rf_arena_printf(arena,
                               "AKV10022: Invalid audience. Expected https://vault.azure.net, "
                               "found: %.*s.",
                               RF_FMT(found));
    case TOKEN_ISSUER:
        found = shown_claim(request, "iss");
        return rf_arena_printf(
            arena, "AKV10032: Invalid issuer. Expected one of %.*s/%.*s/, found %.*s.",
            RF_FMT(request->site->origin), RF_FMT(request->site->tenant_id), RF_FMT(found));
    case TOKEN_CLAIMS:
    case TOKEN_OWNER:
        break;
    }
    return RF_S("[BearerReadAccessTokenFailed] Error validating token: it is no access token of "
                "this tenant, was revoked, or its principal is disabled or was deleted.");
}

/* ---- answers ---------------------------------------------------------------------------------------------------- */

void vault_set_headers(struct request *request, const struct vault_place *place)
{
    struct http_response *response = request->response;
    rf_str address = request->http->peer_address, location = request->site->location;
    bool is_six = rf_str_find(address, RF_S(":"), 0) != SIZE_MAX;
    if (place != NULL && place->location.len > 0) location = place->location;
    http_set(response, "x-ms-keyvault-region", location);
    http_set_literal(response, "x-ms-keyvault-service-version", SERVICE_VERSION);
    http_setf(response, "x-ms-keyvault-network-info", "conn_type=%s;addr=%.*s;act_addr_fam=%s;",
              is_six ? "Ipv6" : "Ipv4", RF_FMT(address),
              is_six ? "InterNetworkV6" : "InterNetwork");
    http_set_literal(response, "Pragma", "no-cache");
    /* no-store also keeps secrets from being compressed beside what a caller may choose (net/server.h). */
    http_set_literal(response, "Cache-Control", "no-cache, no-store");
}

static const char *code_of(uint16_t status, const struct rf_err *err)
{
    switch (status) {
    case 400:
        return "BadParameter";
    case 401:
        return "Unauthorized";
    case 403:
        return "Forbidden";
    case 409:
        return "Conflict";
    case 413:
        return "RequestEntityTooLarge";
    case 429:
        return "Throttled";
    case 503:
        return strcmp(err->code, "VaultSealed") == 0 ? "VaultSealed" : "ServiceUnavailable";
    default:
        return err->code;
    }
}

static void write_body(struct request *request, const char *code, rf_str text, rf_str inner)
{
    struct http_response *response = request->response;
    http_set_literal(response, "Content-Type", "application/json; charset=utf-8");
    response->body.len = 0;
    struct json_out out = json_out_to(&response->body);
    json_begin_object(&out, NULL);
    json_begin_object(&out, "error");
    json_put_text(&out, "code", rf_str_of(code));
    json_put_text(&out, "message", text);
    if (inner.len > 0) {
        json_begin_object(&out, "innererror");
        json_put_text(&out, "code", inner);
        json_end_object(&out);
    }
    json_end_object(&out);
    json_end_object(&out);
    if (response->body.failed) response->failed = true;
}

void vault_error(struct request *request, uint16_t status, const struct rf_err *err)
{
    struct vault_call *call = request->prepared;
    struct rf_err row_err = {.code = ""};
    rf_str inner = json_text_at(request->error_details, "code"),
           text = json_text_at(request->error_details, "message");
    if (text.len == 0) text = rf_str_of(err->text);
    if (status == 401) {
        set_challenge(request);
        text = token_text(request, err);
    }
    const char *code = code_of(status, err);
    struct rf_err why = {.kind = err->kind, .code = code};
    (void)snprintf(why.text, sizeof why.text, "%.*s", (int)RF_MIN(text.len, sizeof why.text - 1),
                   (const char *)text.ptr);
    if (call == NULL) {
        call = vault_call_new(request);
        if (call != NULL && vault_call_place(call, NULL) != RF_OK) call->place.id = (rf_str){0};
    }
    vault_set_headers(request, call == NULL ? NULL : &call->place);
    /* What anybody asks for without a token, and no service knows, was not meant for a vault: it leaves no row (a scanner would fill the table). */
    bool is_stray = vaults_claim(request->service, request->http) == CLAIM_NONE;
    /* A request whose row cannot be written is answered with that, whatever else was wrong with it. */
    if (call == NULL || (!is_stray && vault_audit(call, status, &why, &row_err) != RF_OK)) {
        request->response->status = 503;
        http_set_literal(request->response, "Retry-After", "1");
        write_body(request, "ServiceUnavailable",
                   RF_S("The audit log cannot be written: the request was refused."), (rf_str){0});
        return;
    }
    write_body(request, code, text, inner);
}
