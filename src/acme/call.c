/* call.c - one request: which issuer it is for, whose signature it has, and how its answer looks (RFC 8555, 6). */
#include <stdarg.h>
#include <stdio.h>

#include "acme/acme_int.h"
#include "base/encode.h"

#define URN "urn:ietf:params:acme:error:"

/* ---- answering -------------------------------------------------------------------------------------------------------------------- */

enum rf_kind acme_fail(struct acme_call *call, struct rf_err *err, uint16_t status,
                       const char *type, const char *fmt, ...)
{
    char text[1024];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    return request_fail(call->request, err, status, type, "%s", text);
}

/* Errors of ours have ACME's words as codes; others are the dispatcher's and the state's. */
static const char *type_of(uint16_t status, const char *code)
{
    if (code[0] >= 'a' && code[0] <= 'z') return code;
    if (status == 429) return "rateLimited";
    if (status == 401 || status == 403) return "unauthorized";
    return status >= 500 ? "serverInternal" : "malformed";
}

static void put_nonce(struct request *request)
{
    struct acme *acme = request->service;
    char nonce[ACME_NONCE_CHARS + 1];
    acme_nonce_make(acme->nonces, nonce);
    http_set(request->response, "Replay-Nonce", rf_str_of(nonce));
    http_set_literal(request->response, "Cache-Control", "no-store");
}

void acme_error(struct request *request, uint16_t status, const struct rf_err *err)
{
    struct rf_arena *arena = request->arena;
    struct json_node *body = json_new(arena, JSON_T_OBJECT);
    rf_str type = rf_arena_printf(arena, URN "%s", type_of(status, err->code));
    (void)json_set_text(arena, body, "type", type);
    (void)json_set_text(arena, body, "detail", rf_str_of(err->text));
    (void)json_set_i64(arena, body, "status", status);
    put_nonce(request);
    (void)request_answer(request, status, body);
    http_set_literal(request->response, "Content-Type", "application/problem+json");
}

enum rf_kind acme_answer(struct acme_call *call, uint16_t status, rf_str location,
                         const struct json_node *body, struct rf_err *err)
{
    if (body == NULL || (location.ptr == NULL && location.len > 0))
        return rf_fail_memory(err, call->arena);
    if (location.len > 0) http_set(call->request->response, "Location", location);
    return request_answer(call->request, status, body);
}

rf_str acme_url(struct acme_call *call, const char *kind, rf_str id)
{
    return rf_arena_printf(call->arena, "%.*s/%s/%.*s", RF_FMT(call->base), kind, RF_FMT(id));
}

rf_str acme_time(struct rf_arena *arena, int64_t seconds)
{
    rf_str text = time_iso(arena, seconds * RF_USEC_PER_SECOND); /* ....1234560Z */
    enum { SECONDS_CHARS = 19 };
    if (text.ptr == NULL || text.len < SECONDS_CHARS) return (rf_str){0};
    return rf_arena_printf(arena, "%.*sZ", SECONDS_CHARS, (const char *)text.ptr);
}

/* ---- taking apart ------------------------------------------------------------------------------------------------------------------- */

static enum rf_kind open_call(struct request *request, struct acme_call *out, struct rf_err *err)
{
    struct acme *acme = request->service;
    const struct acme_authority *authority = &acme->options.authority;
    *out = (struct acme_call){.acme = acme,
                              .request = request,
                              .arena = request->arena,
                              .vault = request_variable(request, "vault"),
                              .issuer = request_variable(request, "issuer"),
                              .now = request->now / RF_USEC_PER_SECOND};
    enum rf_kind kind = authority->settings(authority->ctx, out->vault, out->issuer, out->arena,
                                            &out->authority, &out->settings, err);
    bool off = kind == RF_OK && !json_bool_at(out->settings, "enabled", false);
    if (kind == RF_NOT_FOUND || off)
        return acme_fail(
            out, err, 404, "malformed",
            "There is no ACME directory here: the address is "
            "/acme/VAULT/ISSUER/directory, and \"acme\" of the issuer must be enabled.");
    if (kind != RF_OK) return kind;
    out->base = rf_arena_printf(out->arena, "%.*s/acme/%.*s/%.*s", RF_FMT(request->origin),
                                RF_FMT(out->vault), RF_FMT(out->issuer));
    if (out->base.ptr == NULL) return rf_fail_memory(err, out->arena);
    http_setf(request->response, "Link", "<%.*s/directory>;rel=\"index\"", RF_FMT(out->base));
    return RF_OK;
}

static enum rf_kind no_account(struct acme_call *call, struct rf_err *err)
{
    return acme_fail(call, err, 400, "accountDoesNotExist",
                     "No account of this server has this \"kid\".");
}

static enum rf_kind load_account(struct acme_call *call, struct rf_err *err)
{
    rf_str prefix = rf_arena_printf(call->arena, "%.*s/acct/", RF_FMT(call->base));
    if (prefix.ptr == NULL) return rf_fail_memory(err, call->arena);
    if (!rf_str_starts(call->jws.kid, prefix)) return no_account(call, err);
    rf_str id = rf_slice(call->jws.kid, prefix.len, call->jws.kid.len);
    if (rf_str_find(id, RF_S("/"), 0) != SIZE_MAX || id.len > 64) return no_account(call, err);
    enum rf_kind kind =
        acme_account_get(call->acme, call->authority, id, call->arena, &call->account, err);
    if (kind == RF_NOT_FOUND) return no_account(call, err);
    if (kind != RF_OK) return kind;
    call->thumbprint = call->account.thumbprint;
    return acme_jws_check(&call->jws, json_get(call->account.node, "jwk"), err);
}

static enum rf_kind load_key(struct acme_call *call, struct rf_err *err)
{
    RF_TRY(acme_thumbprint(call->jws.jwk, call->arena, &call->thumbprint, &call->jwk, err));
    return acme_jws_check(&call->jws, call->jwk, err);
}

static enum rf_kind check_signer(struct acme_call *call, enum acme_signer signer,
                                 struct rf_err *err)
{
    bool by_key = call->jws.jwk != NULL;
    if (by_key && signer == ACME_ACCOUNT)
        return acme_fail(call, err, 400, "malformed",
                         "This request is signed by an account: its header has \"kid\".");
    if (!by_key && signer == ACME_KEY)
        return acme_fail(call, err, 400, "malformed",
                         "This request is signed by a key: its header has \"jwk\".");
    RF_TRY(by_key ? load_key(call, err) : load_account(call, err));
    if (!by_key && !rf_str_is(call->account.status, "valid"))
        return acme_fail(call, err, 401, "unauthorized", "The account is deactivated.");
    return RF_OK;
}

/* Behind the signature: whoever has none cannot use up numbers. */
static enum rf_kind check_once(struct acme_call *call, struct rf_err *err)
{
    rf_str url = rf_arena_printf(call->arena, "%.*s%.*s", RF_FMT(call->request->origin),
                                 RF_FMT(call->request->http->target));
    if (url.ptr == NULL) return rf_fail_memory(err, call->arena);
    if (!rf_str_eq(url, call->jws.url))
        return acme_fail(call, err, 401, "unauthorized",
                         "\"url\" in the header is not the address of this request, %.*s.",
                         RF_FMT(url));
    if (!acme_nonce_take(call->acme->nonces, call->jws.nonce))
        return acme_fail(call, err, 400, "badNonce",
                         "The nonce was used, is too old, or is not of this server: try again "
                         "with the one in Replay-Nonce.");
    return RF_OK;
}

static enum rf_kind read_payload(struct acme_call *call, struct rf_err *err)
{
    if (call->jws.payload.len == 0) return RF_OK;
    if (json_parse(call->jws.payload, call->arena, &call->payload, NULL) != RF_OK ||
        call->payload->type != JSON_T_OBJECT)
        return acme_fail(call, err, 400, "malformed",
                         "The payload is neither empty nor a JSON object.");
    return RF_OK;
}

static enum rf_kind verify(struct acme_call *call, enum acme_signer signer, struct rf_err *err)
{
    struct json_node *object;
    const struct http_request *http = call->request->http;
    rf_str type = http_header(http, "Content-Type", NULL), wanted = RF_S("application/jose+json");
    if (!rf_str_eq_nocase(
            rf_str_trim(rf_slice(type, 0, RF_MIN(rf_str_find(type, RF_S(";"), 0), type.len))),
            wanted))
        return acme_fail(call, err, 415, "malformed",
                         "The body is a JWS: its Content-Type is application/jose+json.");
    if (json_parse(http->body, call->arena, &object, NULL) != RF_OK)
        return acme_fail(call, err, 400, "malformed", "The body is no JSON.");
    RF_TRY(acme_jws_read(object, ACME_JWS_REQUEST, call->arena, &call->jws, err));
    RF_TRY(check_signer(call, signer, err));
    RF_TRY(check_once(call, err));
    return read_payload(call, err);
}

enum rf_kind acme_run_signed(struct request *request, enum acme_signer signer,
                             acme_handler *handler, struct rf_err *err)
{
    struct acme_call call;
    RF_TRY(open_call(request, &call, err));
    RF_TRY(verify(&call, signer, err));
    RF_TRY(handler(&call, err));
    put_nonce(request);
    return RF_OK;
}

enum rf_kind acme_run_open(struct request *request, acme_handler *handler, struct rf_err *err)
{
    struct acme_call call;
    RF_TRY(open_call(request, &call, err));
    return handler(&call, err);
}
