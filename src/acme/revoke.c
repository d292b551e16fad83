/* revoke.c - revocation (RFC 8555, 7.6): by the account that has ordered the certificate, or by the certificate's own key. */
#include "acme/acme_int.h"
#include "base/encode.h"
#include "base/log.h"
#include "crypt/x509.h"

static bool is_ordered_by(const struct authority_record *record, rf_str account)
{
    rf_str prefix = RF_S("acme:");
    return account.len > 0 && rf_str_starts(record->by, prefix) &&
           rf_str_eq(rf_slice(record->by, prefix.len, record->by.len), account);
}

static enum rf_kind find(struct acme_call *call, rf_str der, struct authority_record *out,
                         struct rf_err *err)
{
    const struct acme_authority *authority = &call->acme->options.authority;
    struct cert_info info;
    if (cert_read(der, call->arena, &info, NULL) != RF_OK)
        return acme_fail(call, err, 400, "malformed", "\"certificate\" is no certificate.");
    enum rf_kind kind = authority->find(authority->ctx, call->vault, call->issuer, info.serial,
                                        call->arena, out, err);
    if (kind == RF_OK && rf_str_eq(out->leaf, info.der)) return RF_OK;
    if (kind != RF_OK && kind != RF_NOT_FOUND) return kind;
    return acme_fail(call, err, 404, "malformed", "The certificate is not of this issuer.");
}

enum rf_kind acme_revoke(struct acme_call *call, struct rf_err *err)
{
    const struct acme_authority *authority = &call->acme->options.authority;
    struct authority_record record;
    rf_str der;
    int64_t reason = 0;
    const struct json_node *given = json_get(call->payload, "reason");
    if (base64url_decode(call->arena, json_text_at(call->payload, "certificate"), &der, NULL) !=
        RF_OK)
        return acme_fail(call, err, 400, "malformed", "\"certificate\" is no base64url.");
    if (given != NULL &&
        (!json_i64_at(call->payload, "reason", &reason) || reason < 0 || reason > 10))
        return acme_fail(call, err, 400, "badRevocationReason",
                         "A reason is a number from 0 to 10.");
    RF_TRY(find(call, der, &record, err));
    if (!is_ordered_by(&record, call->account.id) &&
        (call->jwk == NULL || !acme_jws_is_by(&call->jws, record.leaf)))
        return acme_fail(call, err, 403, "unauthorized",
                         "It takes the account that has ordered the certificate, or its own key.");
    struct rf_err why;
    enum rf_kind kind = authority->revoke(authority->ctx, call->vault, call->issuer, record.serial,
                                          (int)reason, call->arena, &why);
    if (kind == RF_CONFLICT)
        return acme_fail(call, err, 400, "alreadyRevoked", "The certificate is revoked already.");
    if (kind == RF_INVALID) return acme_fail(call, err, 400, "badRevocationReason", "%s", why.text);
    if (kind != RF_OK) {
        if (err != NULL) *err = why;
        return kind;
    }
    rf_log(RF_INFO, "acme.revoked", RF_KV_STR("vault", call->vault),
           RF_KV_STR("issuer", call->issuer), RF_KV_STR("serial", record.serial),
           RF_KV_I64("reason", reason),
           RF_KV_STR("by", call->account.id.len > 0 ? call->account.id : RF_S("(its key)")));
    return request_answer_empty(call->request, 200);
}
