/* seal_key_sign.c - signatures: RSA (RFC 8017, sections 8.1 and 8.2), ECDSA as JOSE writes it (RFC 7518, section 3.4), HMAC. */
#include <stdio.h>

#include <openssl/core_names.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/rsa.h>

#include "crypt/digest.h"
#include "crypt/seal_key_int.h"

/* ---- what all share -------------------------------------------------------------------------------------------------- */

static bool prepare(const struct seal_key *key, struct seal_tool *tool)
{
    tool->pkey = EVP_PKEY_CTX_new(key->pkey, NULL);
    return tool->pkey != NULL &&
           (tool->forward ? EVP_PKEY_sign_init(tool->pkey) : EVP_PKEY_verify_init(tool->pkey)) == 1;
}

static enum rf_kind check_digest(const struct seal_job *job, struct rf_err *err)
{
    size_t want = job->algorithm->digest_bytes, have = job->use->value.len;
    if (want == have) return RF_OK;
    return RF_FAIL(err, RF_INVALID, "SealInput",
                   "%s signs a digest of %zu bytes, the value has %zu; hash the message first",
                   job->algorithm->name, want, have);
}

/* What OpenSSL says to a signature: only lack of memory is no answer. */
static enum rf_kind verified(int answer, struct seal_used *out, struct rf_err *err)
{
    if (answer != 1 && seal_lacks_memory()) return seal_crypto_failed("check a signature", err);
    out->verified = answer == 1;
    return RF_OK;
}

/* ---- RSA --------------------------------------------------------------------------------------------------------------- */

static const EVP_MD *digest_of(const char *name)
{
    return rf_str_is(RF_S("SHA256"), name)   ? EVP_sha256()
           : rf_str_is(RF_S("SHA384"), name) ? EVP_sha384()
           : rf_str_is(RF_S("SHA512"), name) ? EVP_sha512()
                                             : EVP_sha1();
}

bool seal_prepare_pkcs1_sign(const struct seal_key *key, struct seal_tool *tool)
{
    const char *digest = tool->algorithm->primitive;
    return prepare(key, tool) && EVP_PKEY_CTX_set_rsa_padding(tool->pkey, RSA_PKCS1_PADDING) == 1 &&
           (digest == NULL || EVP_PKEY_CTX_set_signature_md(tool->pkey, digest_of(digest)) == 1);
}

bool seal_prepare_pss(const struct seal_key *key, struct seal_tool *tool)
{
    const EVP_MD *digest = digest_of(tool->algorithm->primitive);
    return prepare(key, tool) &&
           EVP_PKEY_CTX_set_rsa_padding(tool->pkey, RSA_PKCS1_PSS_PADDING) == 1 &&
           EVP_PKEY_CTX_set_signature_md(tool->pkey, digest) == 1 &&
           EVP_PKEY_CTX_set_rsa_mgf1_md(tool->pkey, digest) == 1 &&
           EVP_PKEY_CTX_set_rsa_pss_saltlen(tool->pkey, RSA_PSS_SALTLEN_DIGEST) == 1;
}

enum rf_kind seal_run_rsa_sign(const struct seal_job *job, struct seal_used *out,
                               struct rf_err *err)
{
    enum { PKCS1_BYTES = 11 };
    const struct seal_use *use = job->use;
    size_t len = job->key->bytes;
    if (job->algorithm->digest_bytes != 0) RF_TRY(check_digest(job, err));
    if (use->value.len == 0 || use->value.len > len - PKCS1_BYTES)
        return RF_FAIL(err, RF_INVALID, "SealInput", "%s signs 1 to %zu bytes with this key",
                       job->algorithm->name, len - PKCS1_BYTES);
    if (!job->tool->forward) {
        if (use->signature.len != len) return RF_OK; /* verified is false */
        return verified(EVP_PKEY_verify(job->tool->pkey, use->signature.ptr, len, use->value.ptr,
                                        use->value.len),
                        out, err);
    }
    uint8_t *bytes = rf_arena_alloc(job->arena, len);
    if (bytes == NULL) return rf_fail_memory(err, job->arena);
    if (EVP_PKEY_sign(job->tool->pkey, bytes, &len, use->value.ptr, use->value.len) != 1)
        return seal_crypto_failed("sign", err);
    out->value = rf_str_make(bytes, len);
    return RF_OK;
}

/* ---- EC ------------------------------------------------------------------------------------------------------------------ */

/* Of the longest signature in DER, that of P-521. */
enum { EC_DER_BYTES_MAX = 3 + 2 * (2 + 1 + SEAL_EC_BYTES_MAX) };

bool seal_prepare_ec(const struct seal_key *key, struct seal_tool *tool)
{
    return prepare(key, tool);
}

/* One INTEGER of DER into `half` bytes. */
static bool take_number(rf_str der, size_t *at, uint8_t *out, size_t half)
{
    enum { ASN1_INTEGER_TAG = 2, LONG_FORM = 0x80 };
    if (der.len - *at < 2 || der.ptr[*at] != ASN1_INTEGER_TAG) return false;
    size_t len = der.ptr[*at + 1], from = *at + 2;
    if (len >= LONG_FORM || der.len - from < len) return false;
    *at = from + len;
    for (; len > 0 && der.ptr[from] == 0; len--) from++;
    if (len > half) return false;
    memset(out, 0, half - len);
    memcpy(out + half - len, der.ptr + from, len);
    return true;
}

/* What OpenSSL has just made. By hand: its own way over numbers takes a tenth of a P-256 signature's time. */
static bool to_raw(rf_str der, uint8_t *raw, size_t half)
{
    size_t at = der.len > 2 && der.ptr[1] == 0x81 ? 3 : 2; /* P-521 needs the longer length */
    return der.len > at && take_number(der, &at, raw, half) &&
           take_number(der, &at, raw + half, half) && at == der.len;
}

/* The bytes of DER; 0: no memory. Whether r and s are in range is for the check itself to say. */
static size_t to_der(const uint8_t *raw, size_t half, uint8_t der[EC_DER_BYTES_MAX])
{
    ECDSA_SIG *pair = ECDSA_SIG_new();
    BIGNUM *r = BN_bin2bn(raw, (int)half, NULL), *s = BN_bin2bn(raw + half, (int)half, NULL);
    int len = -1;
    if (pair == NULL || r == NULL || s == NULL || ECDSA_SIG_set0(pair, r, s) != 1) {
        BN_free(r);
        BN_free(s);
    } else {
        len = i2d_ECDSA_SIG(pair, &der);
    }
    ECDSA_SIG_free(pair);
    return len > 0 ? (size_t)len : 0;
}

enum rf_kind seal_run_ec(const struct seal_job *job, struct seal_used *out, struct rf_err *err)
{
    const struct seal_use *use = job->use;
    size_t half = job->key->bytes, len = EC_DER_BYTES_MAX;
    uint8_t der[EC_DER_BYTES_MAX];
    RF_TRY(check_digest(job, err));
    if (!job->tool->forward) {
        if (use->signature.len != 2 * half) return RF_OK; /* verified is false */
        len = to_der(use->signature.ptr, half, der);
        if (len == 0) return seal_crypto_failed("check a signature", err);
        return verified(EVP_PKEY_verify(job->tool->pkey, der, len, use->value.ptr, use->value.len),
                        out, err);
    }
    uint8_t *raw = rf_arena_alloc(job->arena, 2 * half);
    if (raw == NULL) return rf_fail_memory(err, job->arena);
    if (EVP_PKEY_sign(job->tool->pkey, der, &len, use->value.ptr, use->value.len) != 1 ||
        !to_raw(rf_str_make(der, len), raw, half))
        return seal_crypto_failed("sign", err);
    out->value = rf_str_make(raw, 2 * half);
    return RF_OK;
}

/* ---- HMAC ------------------------------------------------------------------------------------------------------------------ */

bool seal_prepare_hmac(const struct seal_key *key, struct seal_tool *tool)
{
    char name[16]; /* OpenSSL takes no constant */
    (void)snprintf(name, sizeof name, "%s", tool->algorithm->primitive);
    OSSL_PARAM params[] = {OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, name, 0),
                           OSSL_PARAM_construct_end()};
    EVP_MAC *mac = EVP_MAC_fetch(NULL, "HMAC", NULL);
    tool->mac = mac == NULL ? NULL : EVP_MAC_CTX_new(mac);
    EVP_MAC_free(mac); /* the context counts it */
    return tool->mac != NULL && EVP_MAC_init(tool->mac, key->oct, key->bytes, params) == 1;
}

enum rf_kind seal_run_hmac(const struct seal_job *job, struct seal_used *out, struct rf_err *err)
{
    const struct seal_use *use = job->use;
    uint8_t mac[EVP_MAX_MD_SIZE];
    size_t len = 0;
    rf_str value = use->value.len == 0 ? RF_S("") : use->value;
    /* Without a key it begins anew with the one it has. */
    if (EVP_MAC_init(job->tool->mac, NULL, 0, NULL) != 1 ||
        EVP_MAC_update(job->tool->mac, value.ptr, value.len) != 1 ||
        EVP_MAC_final(job->tool->mac, mac, &len, sizeof mac) != 1 ||
        len != job->algorithm->digest_bytes)
        return seal_crypto_failed("compute a MAC", err);
    enum rf_kind kind = RF_OK;
    if (!job->tool->forward)
        out->verified = secret_equal(use->signature, rf_str_make(mac, len));
    else if (!rf_arena_str(job->arena, rf_str_make(mac, len), &out->value))
        kind = rf_fail_memory(err, job->arena);
    OPENSSL_cleanse(mac, sizeof mac);
    return kind;
}
