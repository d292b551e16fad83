/* authority_ocsp.c - answers to OCSP requests (RFC 6960), signed by a responder's certificate of the authority that they speak of.
 *
 * All certificates of a request must be of one authority, as a delegated responder answers for its own alone; else, and for other people's, the answer is
 * "unauthorized". A serial number that is not in the register is "unknown". */
#include <openssl/err.h>
#include <openssl/ocsp.h>
#include <openssl/x509v3.h>
#include <time.h>

#include "base/encode.h"
#include "vault/authority_cache.h"
#include "vault/authority_int.h"

enum {
    GOOD_FOR_SECONDS = 3600, /* nextUpdate */
    REASON_NONE = 0
};

static enum rf_kind crypto_failed(struct rf_err *err)
{
    ERR_clear_error();
    return RF_FAIL(err, RF_IO, "CryptoFailed", "OpenSSL could not build an OCSP answer");
}

/* ---- one request, answered --------------------------------------------------------------------------------------------------- */

struct answering {
    rf_str issuer, request;
    struct ocsp_asked asked;
    rf_str out;
    int64_t max_age;
};

static enum rf_kind give(OCSP_RESPONSE *response, struct rf_arena *arena, rf_str *out,
                         struct rf_err *err)
{
    uint8_t *der = NULL;
    int len = response == NULL ? 0 : i2d_OCSP_RESPONSE(response, &der);
    enum rf_kind kind = len <= 0 ? crypto_failed(err)
                        : rf_arena_str(arena, rf_str_make(der, (size_t)len), out)
                            ? RF_OK
                            : rf_fail_memory(err, arena);
    OPENSSL_free(der);
    OCSP_RESPONSE_free(response);
    return kind;
}

/* Without a signature: why there is no answer (2.3). */
static enum rf_kind give_error(struct vault_call *call, struct answering *a, int status,
                               struct rf_err *err)
{
    a->max_age = 0;
    return give(OCSP_response_create(status, NULL), call->arena, &a->out, err);
}

/* ---- whose certificates ------------------------------------------------------------------------------------------------------- */

static bool hashes(X509 *cert, bool is_sha256, uint8_t name[32], uint8_t key[32], unsigned *len)
{
    const EVP_MD *md = is_sha256 ? EVP_sha256() : EVP_sha1();
    const ASN1_BIT_STRING *bits = X509_get0_pubkey_bitstr(cert);
    unsigned key_len = 0;
    return X509_NAME_digest(X509_get_subject_name(cert), md, name, len) == 1 &&
           EVP_Digest(bits->data, (size_t)bits->length, key, &key_len, md, NULL) == 1 &&
           key_len == *len;
}

static bool is_signer(const struct authority_signer *signer, const struct ocsp_asked *asked)
{
    uint8_t name[EVP_MAX_MD_SIZE], key[EVP_MAX_MD_SIZE];
    unsigned len = 0;
    X509 *cert = vault_cert_parse(signer->der);
    bool good = cert != NULL;
    for (uint32_t i = 0; good && i < asked->count; i++)
        good = hashes(cert, asked->items[i].is_sha256, name, key, &len) &&
               rf_str_eq(asked->items[i].name_hash, rf_str_make(name, len)) &&
               rf_str_eq(asked->items[i].key_hash, rf_str_make(key, len));
    X509_free(cert);
    return good;
}

/* False: none of this issuer. The newest first, as it is asked for most. */
static enum rf_kind find_signer(struct vault_call *call, const struct authority *authority,
                                const struct ocsp_asked *asked, struct authority_signer *out,
                                bool *found, struct rf_err *err)
{
    *found = false;
    for (uint32_t number = authority_last(authority) + 1; number > 0 && !*found; number--) {
        enum rf_kind kind = authority_signer(call, authority, number - 1, out, err);
        if (kind == RF_NOT_FOUND) continue; /* it has ended */
        RF_TRY(kind);
        *found = is_signer(out, asked);
    }
    return RF_OK;
}

/* ---- what the register says ------------------------------------------------------------------------------------------------------ */

struct standing {
    int status, reason;
    int64_t revoked;
};

static enum rf_kind look_up(struct vault_call *call, const struct authority *authority,
                            uint32_t signer, const struct ocsp_asked *asked,
                            struct standing out[OCSP_ASKED_MAX], struct rf_err *err)
{
    RF_CLEANUP(state_end_cleanup) struct state_txn *txn = NULL;
    RF_TRY(state_begin_read(call->vaults->options.state, &txn, err));
    for (uint32_t i = 0; i < asked->count; i++) {
        struct authority_entry entry;
        out[i] = (struct standing){.status = V_OCSP_CERTSTATUS_UNKNOWN};
        enum rf_kind kind =
            authority_entry_find(call, txn, authority->id, asked->items[i].serial, &entry, err);
        if (kind == RF_NOT_FOUND || (kind == RF_OK && entry.signer != signer)) continue;
        RF_TRY(kind);
        out[i].status =
            entry.record.revoked == 0 ? V_OCSP_CERTSTATUS_GOOD : V_OCSP_CERTSTATUS_REVOKED;
        out[i].reason = entry.record.reason;
        out[i].revoked = entry.record.revoked;
    }
    return RF_OK;
}

/* ---- the answer --------------------------------------------------------------------------------------------------------------------- */

static bool add_status(OCSP_BASICRESP *basic, rf_str id, const struct standing *standing,
                       int64_t now)
{
    const uint8_t *at = id.ptr;
    OCSP_CERTID *cert_id = d2i_OCSP_CERTID(NULL, &at, (long)id.len);
    ASN1_GENERALIZEDTIME *from = ASN1_GENERALIZEDTIME_set(NULL, (time_t)now),
                         *next = ASN1_GENERALIZEDTIME_set(NULL, (time_t)(now + GOOD_FOR_SECONDS)),
                         *revoked = ASN1_GENERALIZEDTIME_set(NULL, (time_t)standing->revoked);
    bool is_revoked = standing->status == V_OCSP_CERTSTATUS_REVOKED;
    int reason = standing->reason == REASON_NONE ? OCSP_REVOKED_STATUS_NOSTATUS : standing->reason;
    bool good = cert_id != NULL && from != NULL && next != NULL && revoked != NULL &&
                OCSP_basic_add1_status(basic, cert_id, standing->status, reason,
                                       is_revoked ? revoked : NULL, from, next) != NULL;
    OCSP_CERTID_free(cert_id);
    ASN1_GENERALIZEDTIME_free(from);
    ASN1_GENERALIZEDTIME_free(next);
    ASN1_GENERALIZEDTIME_free(revoked);
    return good;
}

/* Names the responder and the time, under a signature by a key that is thrown away: OpenSSL writes them only so. The keeper signs it anew. */
static bool sign_for_form(OCSP_BASICRESP *basic, X509 *responder)
{
    X509 *posing = X509_dup(responder);
    EVP_PKEY *key = EVP_EC_gen("P-256");
    bool good = posing != NULL && key != NULL && X509_set_pubkey(posing, key) == 1 &&
                OCSP_basic_sign(basic, posing, key, EVP_sha256(), NULL, OCSP_NOCERTS) == 1 &&
                OCSP_basic_add1_cert(basic, responder) == 1;
    X509_free(posing);
    EVP_PKEY_free(key);
    return good;
}

static enum rf_kind build(struct vault_call *call, const struct ocsp_asked *asked,
                          const struct standing *standings, rf_str responder_der, rf_str *out,
                          struct rf_err *err)
{
    OCSP_BASICRESP *basic = OCSP_BASICRESP_new();
    X509 *responder = vault_cert_parse(responder_der);
    uint8_t *der = NULL;
    bool good = basic != NULL && responder != NULL;
    for (uint32_t i = 0; good && i < asked->count; i++)
        good = add_status(basic, asked->items[i].id, &standings[i], call->now);
    if (good && asked->nonce.len > 0)
        good = OCSP_basic_add1_nonce(basic, (unsigned char *)(uintptr_t)asked->nonce.ptr,
                                     (int)asked->nonce.len) == 1;
    good = good && sign_for_form(basic, responder);
    int len = good ? i2d_OCSP_BASICRESP(basic, &der) : 0;
    enum rf_kind kind = len <= 0 ? crypto_failed(err)
                        : rf_arena_str(call->arena, rf_str_make(der, (size_t)len), out)
                            ? RF_OK
                            : rf_fail_memory(err, call->arena);
    OPENSSL_free(der);
    X509_free(responder);
    OCSP_BASICRESP_free(basic);
    return kind;
}

/* Signed, and put into the envelope. */
static enum rf_kind finish(struct vault_call *call, const struct authority_signer *signer,
                           const struct authority_signer *responder, rf_str basic_der, rf_str *out,
                           struct rf_err *err)
{
    struct rf_buf issuers = rf_buf_in(call->arena);
    rf_str der;
    rf_buf_str(&issuers, responder->der);
    rf_buf_str(&issuers, signer->der);
    if (issuers.failed) return rf_fail_memory(err, call->arena);
    if (seal_certify(call->vaults->options.keeper, (rf_str){0}, &responder->ring, responder->sealed,
                     SEAL_SIGN_OCSP, rf_buf_view(&issuers), basic_der, call->arena, &der,
                     err) != RF_OK) {
        /* Another request has renewed the responder: once more. */
        if (strcmp(err->code, "SealDestroyed") == 0)
            return RF_FAIL(err, RF_CONFLICT, "EtagMismatch", "the responder was renewed");
        return vault_seal_error(call, err);
    }
    const uint8_t *at = der.ptr;
    OCSP_BASICRESP *basic = d2i_OCSP_BASICRESP(NULL, &at, (long)der.len);
    OCSP_RESPONSE *response =
        basic == NULL ? NULL : OCSP_response_create(OCSP_RESPONSE_STATUS_SUCCESSFUL, basic);
    OCSP_BASICRESP_free(basic);
    return give(response, call->arena, out, err);
}

static enum rf_kind try_answer(struct vault_call *call, void *ctx, struct rf_err *err)
{
    struct answering *a = ctx;
    const struct ocsp_asked *asked = &a->asked;
    struct authority authority;
    struct authority_signer signer, responder;
    struct standing standings[OCSP_ASKED_MAX];
    bool found;
    rf_str basic;
    RF_TRY(authority_load(call, a->issuer, &authority, err));
    RF_TRY(find_signer(call, &authority, asked, &signer, &found, err));
    if (!found) return give_error(call, a, OCSP_RESPONSE_STATUS_UNAUTHORIZED, err);
    RF_TRY(look_up(call, &authority, signer.number, asked, standings, err));
    struct cached_answer wanted = {.vaults = call->vaults->authority,
                                   .authority = authority.id,
                                   .id = asked->items[0].id,
                                   .status = standings[0].status,
                                   .revoked = standings[0].revoked,
                                   .now = call->now};
    bool may_keep = asked->count == 1 && asked->nonce.len == 0;
    a->max_age = may_keep ? CACHED_SECONDS : 0;
    if (may_keep && authority_cache_get(&wanted, call->arena, &a->out)) return RF_OK;
    if (!authority_cache_may_sign(call->vaults->authority, call->now))
        /* Under a flood of nonces an answer without one is better than none (RFC 8954, 2). */
        return asked->count == 1 && authority_cache_get(&wanted, call->arena, &a->out)
                   ? RF_OK
                   : give_error(call, a, OCSP_RESPONSE_STATUS_TRYLATER, err);
    RF_TRY(authority_responder(call, &authority, &signer, &responder, err));
    RF_TRY(build(call, asked, standings, responder.der, &basic, err));
    RF_TRY(finish(call, &signer, &responder, basic, &a->out, err));
    if (may_keep) authority_cache_put(&wanted, a->out);
    return RF_OK;
}

enum rf_kind authority_ocsp(struct vault_call *call, rf_str issuer, rf_str request, rf_str *out,
                            int64_t *max_age, struct rf_err *err)
{
    struct answering a = {.issuer = issuer, .request = request};
    enum rf_kind kind = authority_ocsp_read(request, call->arena, &a.asked, err);
    if (kind == RF_INVALID)
        kind = give_error(call, &a,
                          strcmp(err->code, "OtherDigest") == 0
                              ? OCSP_RESPONSE_STATUS_UNAUTHORIZED
                              : OCSP_RESPONSE_STATUS_MALFORMEDREQUEST,
                          err);
    else if (kind == RF_OK)
        kind = vault_retry(call, try_answer, &a, err);
    /* The keeper's limit, or a keeper that is not there: later (2.3). */
    if (kind == RF_AGAIN) kind = give_error(call, &a, OCSP_RESPONSE_STATUS_TRYLATER, err);
    RF_TRY(kind);
    *out = a.out;
    *max_age = a.max_age;
    return RF_OK;
}
