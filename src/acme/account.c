/* account.c - accounts (RFC 8555, 7.3). */
#include "acme/acme_int.h"
#include "base/encode.h"
#include "base/log.h"

enum { CONTACTS_MAX = 10, CONTACT_CHARS_MAX = 320, ORDERS_PER_PAGE = 100 };

/* ---- showing -------------------------------------------------------------------------------------------------------------------- */

static struct json_node *shown(struct acme_call *call, const struct acme_account *account)
{
    struct rf_arena *arena = call->arena;
    struct json_node *out = json_new(arena, JSON_T_OBJECT);
    const struct json_node *contact = json_get(account->node, "contact");
    rf_str id = rf_arena_printf(arena, "%.*s/orders", RF_FMT(account->id));
    rf_str orders = acme_url(call, "acct", id);
    bool good = id.ptr != NULL && orders.ptr != NULL &&
                json_set_text(arena, out, "status", account->status) != NULL;
    if (contact != NULL)
        good = json_set(arena, out, RF_S("contact"), json_clone(arena, contact)) != NULL && good;
    good = json_set_text(arena, out, "orders", orders) != NULL && good;
    return good ? out : NULL;
}

static enum rf_kind answer(struct acme_call *call, uint16_t status,
                           const struct acme_account *account, struct rf_err *err)
{
    rf_str url = acme_url(call, "acct", account->id);
    return acme_answer(call, status, url, url.ptr == NULL ? NULL : shown(call, account), err);
}

/* ---- reading -------------------------------------------------------------------------------------------------------------------- */

static enum rf_kind check_contact(struct acme_call *call, const struct json_node *contact,
                                  struct rf_err *err)
{
    rf_str mail = RF_S("mailto:");
    if (contact == NULL) return RF_OK;
    if (contact->type != JSON_T_ARRAY || contact->count > CONTACTS_MAX)
        return acme_fail(call, err, 400, "malformed", "\"contact\" is a list of at most %d URLs.",
                         CONTACTS_MAX);
    for (const struct json_node *one = contact->first; one != NULL; one = one->next) {
        if (one->type != JSON_T_STRING || !rf_str_starts(one->text, mail))
            return acme_fail(call, err, 400, "unsupportedContact",
                             "A contact is a mailto: URL with one address.");
        rf_str address = rf_slice(one->text, mail.len, one->text.len);
        if (address.len > CONTACT_CHARS_MAX || rf_str_find(address, RF_S("@"), 1) == SIZE_MAX ||
            rf_str_find(address, RF_S("?"), 0) != SIZE_MAX ||
            rf_str_find(address, RF_S(","), 0) != SIZE_MAX)
            return acme_fail(call, err, 400, "invalidContact",
                             "A contact is a mailto: URL with one address and nothing else.");
    }
    return RF_OK;
}

/* ---- external accounts (7.3.4) -------------------------------------------------------------------------------------------------- */

static enum rf_kind check_binding(struct acme_call *call, const struct acme_jws *jws,
                                  struct rf_err *err)
{
    const struct acme_authority *authority = &call->acme->options.authority;
    struct json_node *inner;
    rf_str thumbprint, key;
    if (!rf_str_eq(jws->url, call->jws.url))
        return acme_fail(call, err, 400, "malformed",
                         "\"url\" of the external account binding is not that of the request.");
    if (json_parse(jws->payload, call->arena, &inner, NULL) != RF_OK ||
        acme_thumbprint(inner, call->arena, &thumbprint, NULL, NULL) != RF_OK ||
        !rf_str_eq(thumbprint, call->thumbprint))
        return acme_fail(call, err, 400, "malformed",
                         "The external account binding holds another key than the request.");
    enum rf_kind kind = authority->account_key(authority->ctx, call->vault, call->issuer, jws->kid,
                                               call->arena, &key, err);
    if (kind == RF_OK) {
        bool good = acme_jws_check_mac(jws, key);
        explicit_bzero((uint8_t *)(uintptr_t)key.ptr, key.len);
        if (good) return RF_OK;
        kind = RF_NOT_FOUND;
    }
    if (kind != RF_NOT_FOUND) return kind;
    return acme_fail(call, err, 401, "unauthorized",
                     "The external account is not known, or its key is another one.");
}

static enum rf_kind bind_external(struct acme_call *call, struct json_node *account,
                                  struct rf_err *err)
{
    const struct json_node *binding = json_get(call->payload, "externalAccountBinding");
    struct acme_jws jws;
    if (binding == NULL) {
        if (!json_bool_at(call->settings, "externalAccountRequired", true)) return RF_OK;
        return acme_fail(call, err, 403, "externalAccountRequired",
                         "New accounts need an external account (EAB): ask for one by POST "
                         "certificates/issuers/%.*s/acme-keys of the vault.",
                         RF_FMT(call->issuer));
    }
    RF_TRY(acme_jws_read(binding, ACME_JWS_MAC, call->arena, &jws, err));
    RF_TRY(check_binding(call, &jws, err));
    if (json_set_text(call->arena, account, "eab", jws.kid) == NULL)
        return rf_fail_memory(err, call->arena);
    return RF_OK;
}

/* ---- new ones -------------------------------------------------------------------------------------------------------------------- */

static enum rf_kind make(struct acme_call *call, struct acme_account *out, struct rf_err *err)
{
    struct rf_arena *arena = call->arena;
    const struct json_node *contact = json_get(call->payload, "contact");
    struct json_node *node = json_new(arena, JSON_T_OBJECT);
    RF_TRY(check_contact(call, contact, err));
    RF_TRY(bind_external(call, node, err));
    bool good = json_set_text(arena, node, "status", RF_S("valid")) != NULL &&
                json_set(arena, node, RF_S("jwk"), json_clone(arena, call->jwk)) != NULL &&
                json_set_i64(arena, node, "created", call->now) != NULL;
    if (contact != NULL)
        good = json_set(arena, node, RF_S("contact"), json_clone(arena, contact)) != NULL && good;
    *out = (struct acme_account){.id = acme_random_id(arena),
                                 .status = RF_S("valid"),
                                 .thumbprint = call->thumbprint,
                                 .node = node};
    return good && out->id.ptr != NULL ? RF_OK : rf_fail_memory(err, arena);
}

enum rf_kind acme_new_account(struct acme_call *call, struct rf_err *err)
{
    struct acme_account account;
    enum rf_kind kind = acme_account_of_key(call->acme, call->authority, call->thumbprint,
                                            call->arena, &account, err);
    if (kind == RF_OK) {
        if (!rf_str_is(account.status, "valid"))
            return acme_fail(call, err, 401, "unauthorized",
                             "The account of this key is deactivated.");
        return answer(call, 200, &account, err);
    }
    if (kind != RF_NOT_FOUND) return kind;
    if (json_bool_at(call->payload, "onlyReturnExisting", false))
        return acme_fail(call, err, 400, "accountDoesNotExist", "This key has no account.");
    if (!acme_limits_account(call->acme->limits, call->request->http->peer_address, call->now)) {
        http_set_literal(call->request->response, "Retry-After", "3600");
        return acme_fail(call, err, 429, "rateLimited",
                         "Too many accounts were made from this address within three hours.");
    }
    RF_TRY(make(call, &account, err));
    kind = acme_account_add(call->acme, call->authority, &account, call->arena, err);
    if (kind == RF_CONFLICT) /* made by another request meanwhile */
        return acme_fail(call, err, 409, "malformed", "This key has an account: try again.");
    if (kind != RF_OK) return kind;
    rf_log(RF_INFO, "acme.account_made", RF_KV_STR("vault", call->vault),
           RF_KV_STR("issuer", call->issuer), RF_KV_STR("account", account.id),
           RF_KV_STR("external", json_text_at(account.node, "eab")),
           RF_KV_STR("address", call->request->http->peer_address));
    return answer(call, 201, &account, err);
}

/* ---- changes ---------------------------------------------------------------------------------------------------------------------- */

static enum rf_kind is_own(struct acme_call *call, struct rf_err *err)
{
    if (rf_str_eq(request_variable(call->request, "account"), call->account.id)) return RF_OK;
    return acme_fail(call, err, 403, "unauthorized",
                     "This is another account than the one that signed.");
}

static enum rf_kind update(struct acme_call *call, struct rf_err *err)
{
    struct acme_account *account = &call->account;
    const struct json_node *contact = json_get(call->payload, "contact"),
                           *status = json_get(call->payload, "status");
    RF_TRY(check_contact(call, contact, err));
    if (status != NULL) {
        if (!rf_str_is(json_text_at(call->payload, "status"), "deactivated"))
            return acme_fail(call, err, 400, "malformed",
                             "The status of an account can be changed to \"deactivated\" only.");
        account->status = RF_S("deactivated");
    }
    bool good = json_set_text(call->arena, account->node, "status", account->status) != NULL &&
                (contact == NULL || json_set(call->arena, account->node, RF_S("contact"),
                                             json_clone(call->arena, contact)) != NULL);
    if (!good) return rf_fail_memory(err, call->arena);
    return acme_account_put(call->acme, call->authority, account, call->arena, err);
}

enum rf_kind acme_account(struct acme_call *call, struct rf_err *err)
{
    RF_TRY(is_own(call, err));
    if (call->payload != NULL && call->payload->count > 0) RF_TRY(update(call, err));
    return answer(call, 200, &call->account, err);
}

enum rf_kind acme_account_orders(struct acme_call *call, struct rf_err *err)
{
    struct rf_arena *arena = call->arena;
    struct state_list list;
    RF_TRY(is_own(call, err));
    rf_str after = request_parameter(call->request, "after", NULL);
    RF_TRY(acme_order_list(call->acme, call->authority, call->account.id, after, ORDERS_PER_PAGE,
                           arena, &list, err));
    struct json_node *body = json_new(arena, JSON_T_OBJECT),
                     *orders = json_new(arena, JSON_T_ARRAY);
    bool good = json_set(arena, body, RF_S("orders"), orders) != NULL;
    for (uint32_t i = 0; i < list.count; i++)
        good =
            json_append(orders, json_new_text(arena, acme_url(call, "order", list.items[i].key))) !=
                NULL &&
            good;
    if (list.more)
        http_add(call->request->response, "Link",
                 rf_arena_printf(arena, "<%.*s/acct/%.*s/orders?after=%.*s>;rel=\"next\"",
                                 RF_FMT(call->base), RF_FMT(call->account.id),
                                 RF_FMT(list.items[list.count - 1].key)));
    return acme_answer(call, 200, (rf_str){0}, good ? body : NULL, err);
}

/* ---- another key (7.3.5) ------------------------------------------------------------------------------------------------------------ */

enum rf_kind acme_key_change(struct acme_call *call, struct rf_err *err)
{
    struct acme_jws inner;
    struct json_node *payload, *needed;
    struct acme_account other, *account = &call->account;
    rf_str thumbprint, old, url = acme_url(call, "acct", account->id);
    RF_TRY(acme_jws_read(call->payload, ACME_JWS_INNER, call->arena, &inner, err));
    if (inner.jwk == NULL || !rf_str_eq(inner.url, call->jws.url) ||
        json_parse(inner.payload, call->arena, &payload, NULL) != RF_OK)
        return acme_fail(
            call, err, 400, "malformed",
            "The JWS within has \"jwk\", the \"url\" of the request, and a JSON object.");
    RF_TRY(acme_thumbprint(inner.jwk, call->arena, &thumbprint, &needed, err));
    RF_TRY(acme_jws_check(&inner, needed, err));
    if (!rf_str_eq(json_text_at(payload, "account"), url) ||
        acme_thumbprint(json_get(payload, "oldKey"), call->arena, &old, NULL, NULL) != RF_OK ||
        !rf_str_eq(old, account->thumbprint))
        return acme_fail(call, err, 400, "malformed",
                         "The JWS within must name this account and the key that it has.");
    account->thumbprint = thumbprint;
    if (json_set(call->arena, account->node, RF_S("jwk"), needed) == NULL)
        return rf_fail_memory(err, call->arena);
    enum rf_kind kind = acme_account_put(call->acme, call->authority, account, call->arena, err);
    if (kind == RF_OK) return answer(call, 200, account, err);
    if (kind != RF_CONFLICT) return kind;
    RF_TRY(acme_account_of_key(call->acme, call->authority, thumbprint, call->arena, &other, err));
    http_set(call->request->response, "Location", acme_url(call, "acct", other.id));
    return acme_fail(call, err, 409, "malformed", "Another account has this key.");
}
