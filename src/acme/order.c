/* order.c - orders: what an account wants a certificate for, and the certificate (RFC 8555, 7.1.3, 7.4). */
#include <openssl/pem.h>

#include "acme/acme_int.h"
#include "base/encode.h"
#include "base/log.h"
#include "crypt/digest.h"
#include "crypt/x509.h"

enum { RANDOM_BYTES = 12, TOKEN_BYTES = 32, DAY = 86400, DAYS_DEFAULT = 90, CN_CHARS_MAX = 64 };

/* ---- states --------------------------------------------------------------------------------------------------------------------- */

struct json_node *acme_order_authorization(const struct json_node *order, uint32_t n)
{
    const struct json_node *list = json_get(order, "authorizations");
    struct json_node *item = list == NULL ? NULL : list->first;
    while (item != NULL && n-- > 0) item = item->next;
    return item;
}

static bool is_over(const struct json_node *order, int64_t now)
{
    int64_t expires;
    return !json_i64_at(order, "expires", &expires) || expires <= now;
}

const char *acme_authorization_status(const struct json_node *order,
                                      const struct json_node *authorization, int64_t now)
{
    rf_str status = json_text_at(authorization, "status");
    if (rf_str_is(status, "invalid")) return "invalid";
    if (rf_str_is(status, "deactivated")) return "deactivated";
    if (is_over(order, now)) return "expired";
    return rf_str_is(status, "valid") ? "valid" : "pending";
}

const char *acme_order_status(const struct json_node *order, int64_t now)
{
    const struct json_node *list = json_get(order, "authorizations");
    bool ready = true;
    if (json_get(order, "chain") != NULL) return "valid";
    if (json_get(order, "error") != NULL || is_over(order, now)) return "invalid";
    for (const struct json_node *a = list == NULL ? NULL : list->first; a != NULL; a = a->next) {
        rf_str status = json_text_at(a, "status");
        if (!rf_str_is(status, "valid") && !rf_str_is(status, "pending")) return "invalid";
        ready = ready && rf_str_is(status, "valid");
    }
    return ready ? "ready" : "pending";
}

/* ---- showing -------------------------------------------------------------------------------------------------------------------- */

static rf_str whole_name(struct rf_arena *arena, const struct json_node *authorization)
{
    return rf_arena_printf(arena, "%s%.*s",
                           json_bool_at(authorization, "wildcard", false) ? "*." : "",
                           RF_FMT(json_text_at(authorization, "name")));
}

static bool show_names(struct acme_call *call, rf_str id, const struct json_node *order,
                       struct json_node *out)
{
    struct rf_arena *arena = call->arena;
    struct json_node *names =
        json_set(arena, out, RF_S("identifiers"), json_new(arena, JSON_T_ARRAY));
    struct json_node *urls =
        json_set(arena, out, RF_S("authorizations"), json_new(arena, JSON_T_ARRAY));
    bool good = names != NULL && urls != NULL;
    const struct json_node *a;
    for (uint32_t n = 0; good && (a = acme_order_authorization(order, n)) != NULL; n++) {
        struct json_node *name = json_new(arena, JSON_T_OBJECT);
        rf_str url =
            rf_arena_printf(arena, "%.*s/authz/%.*s/%u", RF_FMT(call->base), RF_FMT(id), n);
        rf_str text = whole_name(arena, a);
        good = url.ptr != NULL && text.ptr != NULL &&
               json_set_text(arena, name, "type", RF_S("dns")) != NULL &&
               json_set_text(arena, name, "value", text) != NULL &&
               json_append(names, name) != NULL &&
               json_append(urls, json_new_text(arena, url)) != NULL;
    }
    return good;
}

static struct json_node *shown(struct acme_call *call, rf_str id, const struct json_node *order)
{
    static const char *const times[] = {"expires", "notBefore", "notAfter"};
    struct rf_arena *arena = call->arena;
    struct json_node *out = json_new(arena, JSON_T_OBJECT);
    const char *status = acme_order_status(order, call->now);
    rf_str final =
        rf_arena_printf(arena, "%.*s/order/%.*s/finalize", RF_FMT(call->base), RF_FMT(id));
    bool good = final.ptr != NULL && json_set_text(arena, out, "status", rf_str_of(status)) != NULL;
    for (size_t i = 0; i < RF_COUNT(times); i++) {
        int64_t seconds;
        if (!json_i64_at(order, times[i], &seconds) || seconds == 0) continue;
        rf_str text = acme_time(arena, seconds);
        good = text.ptr != NULL && json_set_text(arena, out, times[i], text) != NULL && good;
    }
    good = show_names(call, id, order, out) && good;
    const struct json_node *error = json_get(order, "error");
    if (error != NULL)
        good = json_set(arena, out, RF_S("error"), json_clone(arena, error)) != NULL && good;
    good = json_set_text(arena, out, "finalize", final) != NULL && good;
    if (json_get(order, "chain") != NULL)
        good = json_set_text(arena, out, "certificate", acme_url(call, "cert", id)) != NULL && good;
    return good ? out : NULL;
}

static enum rf_kind answer(struct acme_call *call, uint16_t status, rf_str id,
                           const struct json_node *order, struct rf_err *err)
{
    rf_str url = acme_url(call, "order", id);
    return acme_answer(call, status, url, url.ptr == NULL ? NULL : shown(call, id, order), err);
}

/* ---- new ones -------------------------------------------------------------------------------------------------------------------- */

static enum rf_kind add_name(struct acme_call *call, const struct json_node *given,
                             struct json_node *list, struct rf_err *err)
{
    struct rf_arena *arena = call->arena;
    rf_str name, value = json_text_at(given, "value");
    bool wildcard;
    const char *why;
    uint8_t bytes[TOKEN_BYTES];
    if (!rf_str_is(json_text_at(given, "type"), "dns"))
        return acme_fail(call, err, 400, "unsupportedIdentifier",
                         "Identifiers are of the type dns.");
    if (!acme_name_read(value, arena, &name, &wildcard, &why))
        return acme_fail(call, err, 400, "rejectedIdentifier", "'%.*s': %s.",
                         (int)RF_MIN(value.len, ACME_NAME_BYTES_MAX), (const char *)value.ptr, why);
    if (!acme_name_allowed(json_get(call->settings, "allowedNames"), name, wildcard))
        return acme_fail(call, err, 403, "rejectedIdentifier",
                         "'%.*s' is not among the names that the issuer's acme.allowedNames lists.",
                         RF_FMT(value));
    for (const struct json_node *a = list->first; a != NULL; a = a->next)
        if (rf_str_eq(json_text_at(a, "name"), name) &&
            json_bool_at(a, "wildcard", false) == wildcard)
            return RF_OK;
    random_bytes(bytes, sizeof bytes);
    rf_str token = base64url_encode(arena, rf_str_make(bytes, sizeof bytes));
    struct json_node *authorization = json_new(arena, JSON_T_OBJECT);
    bool good = token.ptr != NULL && json_set_text(arena, authorization, "name", name) != NULL &&
                json_set_bool(arena, authorization, "wildcard", wildcard) != NULL &&
                json_set_text(arena, authorization, "status", RF_S("pending")) != NULL &&
                json_set_text(arena, authorization, "token", token) != NULL;
    return good && json_append(list, authorization) != NULL ? RF_OK : rf_fail_memory(err, arena);
}

static enum rf_kind read_time(struct acme_call *call, const char *name, struct json_node *order,
                              struct rf_err *err)
{
    const struct json_node *given = json_get(call->payload, name);
    rf_usec time;
    if (given == NULL) return RF_OK;
    if (given->type != JSON_T_STRING || !time_parse_iso(given->text, &time))
        return acme_fail(call, err, 400, "malformed", "\"%s\" is no time as of RFC 3339.", name);
    if (json_set_i64(call->arena, order, name, time / RF_USEC_PER_SECOND) == NULL)
        return rf_fail_memory(err, call->arena);
    return RF_OK;
}

/* Whoever piles up unfinished ones is stopped. */
static enum rf_kind check_pending(struct acme_call *call, struct rf_err *err)
{
    struct state_list list;
    uint32_t pending = 0;
    rf_str after = rf_arena_printf(call->arena, "%08llx",
                                   (unsigned long long)RF_MAX(call->now - ACME_ORDER_SECONDS, 0));
    if (after.ptr == NULL) return rf_fail_memory(err, call->arena);
    RF_TRY(acme_order_list(call->acme, call->authority, call->account.id, after, 0, call->arena,
                           &list, err));
    for (uint32_t i = 0; i < list.count && pending < ACME_PENDING_MAX; i++)
        pending += rf_str_find(list.items[i].body, RF_S("\"chain\":"), 0) == SIZE_MAX;
    if (pending < ACME_PENDING_MAX) return RF_OK;
    http_set_literal(call->request->response, "Retry-After", "3600");
    return acme_fail(call, err, 429, "rateLimited",
                     "The account has %d unfinished orders of one day.", ACME_PENDING_MAX);
}

static rf_str new_id(struct acme_call *call)
{
    uint8_t bytes[RANDOM_BYTES];
    random_bytes(bytes, sizeof bytes);
    rf_str text = hex_encode(call->arena, rf_str_make(bytes, sizeof bytes));
    if (text.ptr == NULL) return text;
    return rf_arena_printf(call->arena, "%08llx%.*s", (unsigned long long)RF_MAX(call->now, 0),
                           RF_FMT(text));
}

static enum rf_kind make(struct acme_call *call, struct json_node **out, struct rf_err *err)
{
    struct rf_arena *arena = call->arena;
    const struct json_node *given = json_get(call->payload, "identifiers");
    struct json_node *order = json_new(arena, JSON_T_OBJECT), *list = json_new(arena, JSON_T_ARRAY);
    if (!json_is(given, JSON_T_ARRAY) || given->count == 0 || given->count > ACME_NAMES_MAX)
        return acme_fail(call, err, 400, "malformed", "\"identifiers\" is a list of 1 to %d names.",
                         ACME_NAMES_MAX);
    bool good = json_set_text(arena, order, "id", call->authority) != NULL &&
                json_set_text(arena, order, "vault", call->vault) != NULL &&
                json_set_text(arena, order, "issuer", call->issuer) != NULL &&
                json_set_text(arena, order, "account", call->account.id) != NULL &&
                json_set_text(arena, order, "thumbprint", call->thumbprint) != NULL &&
                json_set_i64(arena, order, "created", call->now) != NULL &&
                json_set_i64(arena, order, "expires", call->now + ACME_ORDER_SECONDS) != NULL &&
                json_set(arena, order, RF_S("authorizations"), list) != NULL;
    if (!good) return rf_fail_memory(err, arena);
    for (const struct json_node *one = given->first; one != NULL; one = one->next)
        RF_TRY(add_name(call, one, list, err));
    RF_TRY(read_time(call, "notBefore", order, err));
    RF_TRY(read_time(call, "notAfter", order, err));
    *out = order;
    return RF_OK;
}

enum rf_kind acme_new_order(struct acme_call *call, struct rf_err *err)
{
    struct json_node *order;
    RF_TRY(make(call, &order, err));
    RF_TRY(check_pending(call, err));
    rf_str id = new_id(call);
    if (id.ptr == NULL) return rf_fail_memory(err, call->arena);
    RF_TRY(acme_order_add(call->acme, id, order, call->arena, err));
    return answer(call, 201, id, order, err);
}

/* ---- looking --------------------------------------------------------------------------------------------------------------------- */

enum rf_kind acme_order_mine(struct acme_call *call, rf_str order, struct json_node **out,
                             struct rf_err *err)
{
    enum rf_kind kind = acme_order_get(call->acme, order, call->arena, out, err);
    if (kind == RF_OK && rf_str_eq(json_text_at(*out, "id"), call->authority) &&
        rf_str_eq(json_text_at(*out, "account"), call->account.id))
        return RF_OK;
    if (kind != RF_OK && kind != RF_NOT_FOUND) return kind;
    return acme_fail(call, err, 404, "malformed", "The account has no such order.");
}

enum rf_kind acme_order(struct acme_call *call, struct rf_err *err)
{
    struct json_node *order;
    rf_str id = request_variable(call->request, "order");
    RF_TRY(acme_order_mine(call, id, &order, err));
    return answer(call, 200, id, order, err);
}

/* ---- finalizing -------------------------------------------------------------------------------------------------------------------- */

static enum rf_kind check_names(struct acme_call *call, const struct json_node *order,
                                const struct acme_csr *csr, struct rf_err *err)
{
    const struct json_node *a;
    uint32_t count = 0;
    for (; (a = acme_order_authorization(order, count)) != NULL; count++) {
        rf_str name = whole_name(call->arena, a);
        bool found = false;
        if (name.ptr == NULL) return rf_fail_memory(err, call->arena);
        for (uint32_t i = 0; i < csr->name_count && !found; i++)
            found = rf_str_eq(csr->names[i], name);
        if (!found)
            return acme_fail(
                call, err, 400, "badCSR",
                "The certification request does not ask for '%.*s', which the order has.",
                RF_FMT(name));
    }
    if (count == csr->name_count) return RF_OK;
    return acme_fail(call, err, 400, "badCSR",
                     "The certification request asks for names that the order does not have.");
}

/* The modulus of an RSA key, or a point of a curve, stands in its SubjectPublicKeyInfo as it is. */
static enum rf_kind check_other_key(struct acme_call *call, const struct acme_csr *csr,
                                    struct rf_err *err)
{
    const struct json_node *jwk = json_get(call->account.node, "jwk");
    rf_str bytes, member = json_text_at(jwk, "n");
    if (member.len == 0) member = json_text_at(jwk, "x");
    RF_TRY(base64url_decode(call->arena, member, &bytes, err));
    if (rf_str_find(csr->public_key, bytes, 0) == SIZE_MAX) return RF_OK;
    return acme_fail(call, err, 400, "badCSR", "The key of the account is not for certificates.");
}

static enum rf_kind issue(struct acme_call *call, const struct json_node *order,
                          const struct acme_csr *csr, struct authority_issued *out,
                          struct rf_err *err)
{
    const struct acme_authority *authority = &call->acme->options.authority;
    struct authority_wanted wanted = {.public_key = csr->public_key,
                                      .dns = csr->names,
                                      .dns_count = csr->name_count,
                                      .is_server = true,
                                      .is_client = true};
    int64_t days, not_before = 0, not_after = 0;
    rf_str first = csr->names[0];
    if (!json_i64_at(call->settings, "validityDays", &days) || days <= 0) days = DAYS_DEFAULT;
    (void)json_i64_at(order, "notBefore", &not_before);
    (void)json_i64_at(order, "notAfter", &not_after);
    wanted.not_before = not_before;
    wanted.not_after = RF_MAX(call->now, not_before) + days * DAY;
    if (not_after > 0 && not_after < wanted.not_after) wanted.not_after = not_after;
    if (first.len <= CN_CHARS_MAX)
        wanted.subject = rf_arena_printf(call->arena, "CN=%.*s", RF_FMT(first));
    wanted.by = rf_arena_printf(call->arena, "acme:%.*s", RF_FMT(call->account.id));
    if (wanted.by.ptr == NULL) return rf_fail_memory(err, call->arena);
    struct rf_err why;
    enum rf_kind kind = authority->issue(authority->ctx, call->vault, call->issuer, &wanted,
                                         call->arena, out, &why);
    if (kind == RF_INVALID) return acme_fail(call, err, 400, "badCSR", "%s", why.text);
    if (kind != RF_OK && err != NULL) *err = why;
    return kind;
}

struct finished {
    struct acme_call *call;
    const struct authority_issued *issued;
};
static enum rf_kind store_chain(void *ctx, struct json_node *order, struct rf_arena *arena,
                                struct rf_err *err)
{
    const struct finished *finished = ctx;
    if (strcmp(acme_order_status(order, finished->call->now), "ready") != 0)
        return acme_fail(finished->call, err, 403, "orderNotReady",
                         "The order was finished by another request.");
    rf_str chain = base64_encode(arena, finished->issued->chain);
    bool good = chain.ptr != NULL && json_set_text(arena, order, "chain", chain) != NULL &&
                json_set_text(arena, order, "serial", finished->issued->serial) != NULL;
    return good ? RF_OK : rf_fail_memory(err, arena);
}

enum rf_kind acme_finalize(struct acme_call *call, struct rf_err *err)
{
    struct json_node *order;
    struct acme_csr csr;
    struct authority_issued issued;
    rf_str der, id = request_variable(call->request, "order");
    RF_TRY(acme_order_mine(call, id, &order, err));
    const char *status = acme_order_status(order, call->now);
    if (strcmp(status, "ready") != 0)
        return acme_fail(call, err, 403, "orderNotReady", "The order is %s, not ready.", status);
    if (base64url_decode(call->arena, json_text_at(call->payload, "csr"), &der, NULL) != RF_OK)
        return acme_fail(call, err, 400, "badCSR", "\"csr\" is no base64url.");
    RF_TRY(acme_csr_read(der, call->arena, &csr, err));
    RF_TRY(check_names(call, order, &csr, err));
    RF_TRY(check_other_key(call, &csr, err));
    RF_TRY(issue(call, order, &csr, &issued, err));
    struct finished finished = {call, &issued};
    RF_TRY(acme_order_change(call->acme, id, store_chain, &finished, call->arena, &order, err));
    rf_log(RF_INFO, "acme.issued", RF_KV_STR("vault", call->vault),
           RF_KV_STR("issuer", call->issuer), RF_KV_STR("account", call->account.id),
           RF_KV_STR("serial", issued.serial), RF_KV_STR("name", csr.names[0]),
           RF_KV_U64("names", csr.name_count));
    return answer(call, 200, id, order, err);
}

/* ---- the certificate --------------------------------------------------------------------------------------------------------------- */

static enum rf_kind put_pem(struct acme_call *call, rf_str chain, struct rf_err *err)
{
    struct rf_buf *body = &call->request->response->body;
    const uint8_t *at = chain.ptr, *end = chain.ptr + chain.len;
    while (at < end) {
        const uint8_t *from = at;
        X509 *cert = d2i_X509(NULL, &at, (long)(end - at));
        X509_free(cert);
        if (cert == NULL) return RF_FAIL(err, RF_CORRUPT, "StateCorrupt", "the chain of an order");
        rf_str pem = cert_pem(call->arena, rf_str_make(from, (size_t)(at - from)));
        if (pem.ptr == NULL) return rf_fail_memory(err, call->arena);
        rf_buf_str(body, pem);
    }
    return RF_OK;
}

enum rf_kind acme_certificate(struct acme_call *call, struct rf_err *err)
{
    struct json_node *order;
    rf_str chain;
    RF_TRY(acme_order_mine(call, request_variable(call->request, "order"), &order, err));
    if (json_get(order, "chain") == NULL)
        return acme_fail(call, err, 404, "malformed", "The order has no certificate yet.");
    RF_TRY(base64_decode(call->arena, json_text_at(order, "chain"), &chain, err));
    RF_TRY(put_pem(call, chain, err));
    http_set_literal(call->request->response, "Content-Type", "application/pem-certificate-chain");
    return RF_OK;
}
