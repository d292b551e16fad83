/* revoke.c - revocation (RFC 8555, 7.6): by the account that has ordered the certificate, or by the certificate's own key. */
#include <openssl/err.h>
#include <openssl/x509.h>

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

/* Whether a JWK is the certificate's key: its modulus, or the point, stands in the SubjectPublicKeyInfo, which has little room for anything else. */
static bool is_key_of(rf_str der, const struct json_node *jwk, struct rf_arena *arena)
{
    rf_str bytes, second = {0};
    const uint8_t *at = der.ptr;
    uint8_t *info = NULL;
    bool is_ec = rf_str_is(json_text_at(jwk, "kty"), "EC");
    if (base64url_decode(arena, json_text_at(jwk, is_ec ? "x" : "n"), &bytes, NULL) != RF_OK ||
        (is_ec && base64url_decode(arena, json_text_at(jwk, "y"), &second, NULL) != RF_OK))
        return false;
    X509 *cert = d2i_X509(NULL, &at, (long)der.len);
    EVP_PKEY *key = cert == NULL ? NULL : X509_get0_pubkey(cert);
    int len = key == NULL ? -1 : i2d_PUBKEY(key, &info);
    bool same = false;
    enum { OVERHEAD_MAX = 64 };
    if (len > 0 && bytes.len >= 32) {
        rf_str whole = rf_str_make(info, (size_t)len);
        size_t found = rf_str_find(whole, bytes, 0);
        same = found != SIZE_MAX && whole.len - bytes.len - second.len <= OVERHEAD_MAX &&
               (!is_ec || rf_str_starts(rf_slice(whole, found + bytes.len, whole.len), second));
    }
    OPENSSL_free(info);
    X509_free(cert);
    ERR_clear_error();
    return same;
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
        (call->jwk == NULL || !is_key_of(record.leaf, call->jwk, call->arena)))
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
