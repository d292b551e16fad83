#include "acme/acme.h"

#include <stdlib.h>

#include "acme/acme_int.h"

/* ---- what needs no signature --------------------------------------------------------------------------------------------------- */

enum rf_kind acme_directory(struct acme_call *call, struct rf_err *err)
{
    static const struct {
        const char *name, *path;
    } members[] = {{"newNonce", "new-nonce"},
                   {"newAccount", "new-account"},
                   {"newOrder", "new-order"},
                   {"revokeCert", "revoke-cert"},
                   {"keyChange", "key-change"}};
    struct rf_arena *arena = call->arena;
    struct json_node *body = json_new(arena, JSON_T_OBJECT);
    bool good = true;
    for (size_t i = 0; i < RF_COUNT(members); i++) {
        rf_str url = rf_arena_printf(arena, "%.*s/%s", RF_FMT(call->base), members[i].path);
        good = url.ptr != NULL && json_set_text(arena, body, members[i].name, url) != NULL && good;
    }
    struct json_node *meta = json_object_in(arena, body, "meta");
    good = json_set_bool(arena, meta, "externalAccountRequired",
                         json_bool_at(call->settings, "externalAccountRequired", true)) != NULL &&
           good;
    return acme_answer(call, 200, (rf_str){0}, good ? body : NULL, err);
}

enum rf_kind acme_new_nonce(struct acme_call *call, struct rf_err *err)
{
    char nonce[ACME_NONCE_CHARS + 1];
    (void)err;
    acme_nonce_make(call->acme->nonces, nonce);
    http_set(call->request->response, "Replay-Nonce", rf_str_of(nonce));
    http_set_literal(call->request->response, "Cache-Control", "no-store");
    return request_answer_empty(call->request,
                                call->request->http->method == HTTP_HEAD ? 200 : 204);
}

/* ---- routes ------------------------------------------------------------------------------------------------------------------------ */

#define OPEN_ROUTE(name)                                                                           \
    static enum rf_kind run_##name(struct request *request, struct rf_err *err)                    \
    {                                                                                              \
        return acme_run_open(request, acme_##name, err);                                           \
    }
#define SIGNED_ROUTE(name, signer)                                                                 \
    static enum rf_kind run_##name(struct request *request, struct rf_err *err)                    \
    {                                                                                              \
        return acme_run_signed(request, signer, acme_##name, err);                                 \
    }
OPEN_ROUTE(directory)
OPEN_ROUTE(new_nonce)
SIGNED_ROUTE(new_account, ACME_KEY)
SIGNED_ROUTE(account, ACME_ACCOUNT)
SIGNED_ROUTE(account_orders, ACME_ACCOUNT)
SIGNED_ROUTE(key_change, ACME_ACCOUNT)
SIGNED_ROUTE(new_order, ACME_ACCOUNT)
SIGNED_ROUTE(order, ACME_ACCOUNT)
SIGNED_ROUTE(finalize, ACME_ACCOUNT)
SIGNED_ROUTE(certificate, ACME_ACCOUNT)
SIGNED_ROUTE(authorization, ACME_ACCOUNT)
SIGNED_ROUTE(challenge, ACME_ACCOUNT)
SIGNED_ROUTE(revoke, ACME_EITHER)

#define AT "/acme/{vault}/{issuer}/"
#define POST_OF(where, name)                                                                       \
    {                                                                                              \
        .method = HTTP_POST, .path = AT where, .access = ROUTE_OPEN,                               \
        .why_open = "signed by a key of the ACME account (RFC 8555, 6.2)", .run = run_##name,      \
        .body_bytes_max = ACME_BODY_BYTES_MAX                                                      \
    }
static const struct route routes[] = {
    {.method = HTTP_GET,
     .path = AT "directory",
     .access = ROUTE_OPEN,
     .why_open = "where a client begins (RFC 8555, 7.1.1)",
     .run = run_directory},
    {.method = HTTP_GET,
     .path = AT "new-nonce",
     .access = ROUTE_OPEN,
     .why_open = "a client has nothing to sign with before (RFC 8555, 7.2)",
     .run = run_new_nonce},
    POST_OF("new-account", new_account),
    POST_OF("acct/{account}", account),
    POST_OF("acct/{account}/orders", account_orders),
    POST_OF("key-change", key_change),
    POST_OF("new-order", new_order),
    POST_OF("order/{order}", order),
    POST_OF("order/{order}/finalize", finalize),
    POST_OF("cert/{order}", certificate),
    POST_OF("authz/{order}/{n}", authorization),
    POST_OF("chall/{order}/{n}/{type}", challenge),
    POST_OF("revoke-cert", revoke),
};

const struct service *acme_service(struct acme *acme) { return &acme->service; }

/* ---- life -------------------------------------------------------------------------------------------------------------------------- */

enum rf_kind acme_new(const struct acme_options *options, struct acme **out, struct rf_err *err)
{
    struct acme *acme = calloc(1, sizeof *acme);
    if (acme == NULL) return RF_FAIL(err, RF_LIMIT, "MemoryBudgetExceeded", "the ACME server");
    acme->options = *options;
    acme->service = (struct service){.name = "acme",
                                     .ctx = acme,
                                     .routes = routes,
                                     .route_count = RF_COUNT(routes),
                                     .error = acme_error};
    enum rf_kind kind = acme_nonces_new(&acme->nonces, err);
    if (kind == RF_OK) kind = acme_limits_new(&acme->limits, err);
    if (kind == RF_OK)
        *out = acme;
    else
        acme_free(acme);
    return kind;
}

enum rf_kind acme_start(struct acme *acme, struct rf_err *err)
{
    return acme_checks_start(acme, err);
}

void acme_stop(struct acme *acme)
{
    if (acme != NULL) acme_checks_stop(acme);
}

void acme_free(struct acme *acme)
{
    if (acme == NULL) return;
    acme_checks_stop(acme);
    acme_nonces_free(acme->nonces);
    acme_limits_free(acme->limits);
    free(acme);
}
