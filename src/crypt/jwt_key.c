/* jwt_key.c - public keys, and checking signatures with them.
 *
 * OpenSSL 3 takes longer to set a verification up than to do it, and its set-up takes locks that all threads share. So a key
 * keeps contexts that are ready; a thread borrows one and gives it back. */
#include "crypt/jwt.h"

#include <stdlib.h>

#include <openssl/core_names.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#include "base/encode.h"
#include "crypt/digest.h"

enum {
    RSA_BITS_MIN = 2048,
    RSA_BITS_MAX = 8192,
    RSA_E_BITS_MAX = 64, /* a longer one makes each check as slow as a signature */
    P256_BYTES = 32,
    READY_MAX =
        16 /* contexts kept for each way of checking; more threads at a time make their own */
};

struct public_key {
    EVP_PKEY *pkey;
    bool is_rsa;
    _Atomic(EVP_PKEY_CTX *) ready[2][READY_MAX]; /* [1]: PS256 */
};

static enum rf_kind bad(const char *what, struct rf_err *err)
{
    ERR_clear_error();
    return RF_FAIL(err, RF_INVALID, "BadKey", "the public key %s", what);
}

/* ---- making -------------------------------------------------------------------------------------------------------- */

static enum rf_kind check_rsa(EVP_PKEY *pkey, struct rf_err *err)
{
    BIGNUM *e = NULL;
    int bits = EVP_PKEY_get_bits(pkey);
    if (bits < RSA_BITS_MIN || bits > RSA_BITS_MAX) return bad("has not 2048 to 8192 bits", err);
    bool good = EVP_PKEY_get_bn_param(pkey, OSSL_PKEY_PARAM_RSA_E, &e) == 1 && BN_is_odd(e) &&
                !BN_is_one(e) && BN_num_bits(e) <= RSA_E_BITS_MAX;
    BN_free(e);
    return good ? RF_OK : bad("has an exponent that is not accepted", err);
}

static enum rf_kind check_p256(EVP_PKEY *pkey, struct rf_err *err)
{
    char group[32];
    size_t len = 0;
    if (EVP_PKEY_get_group_name(pkey, group, sizeof group, &len) != 1 ||
        strcmp(group, SN_X9_62_prime256v1) != 0)
        return bad("is on another curve than P-256", err);
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(pkey, NULL);
    bool good = ctx != NULL && EVP_PKEY_public_check(ctx) == 1;
    EVP_PKEY_CTX_free(ctx);
    return good ? RF_OK : bad("is no point of its curve", err);
}

/* Takes `pkey`, also when it fails. */
static enum rf_kind key_of(EVP_PKEY *pkey, struct public_key **out, struct rf_err *err)
{
    enum rf_kind kind;
    bool is_rsa = EVP_PKEY_is_a(pkey, "RSA");
    if (is_rsa)
        kind = check_rsa(pkey, err);
    else if (EVP_PKEY_is_a(pkey, "EC"))
        kind = check_p256(pkey, err);
    else
        kind = bad("is neither RSA nor of the curve P-256", err);
    struct public_key *key = kind == RF_OK ? calloc(1, sizeof *key) : NULL;
    if (key == NULL) {
        EVP_PKEY_free(pkey);
        return kind != RF_OK ? kind
                             : RF_FAIL(err, RF_LIMIT, "MemoryBudgetExceeded", "a public key");
    }
    key->pkey = pkey;
    key->is_rsa = is_rsa;
    *out = key;
    return RF_OK;
}

enum rf_kind public_key_of_cert(rf_str der, struct public_key **out, struct rf_err *err)
{
    const uint8_t *at = der.ptr;
    X509 *cert = der.len > INT32_MAX ? NULL : d2i_X509(NULL, &at, (long)der.len);
    EVP_PKEY *pkey = cert == NULL ? NULL : X509_get_pubkey(cert);
    X509_free(cert);
    if (pkey == NULL) return bad("of the certificate cannot be read", err);
    if (at != der.ptr + der.len) {
        EVP_PKEY_free(pkey);
        return bad("stands in a certificate that is followed by further bytes", err);
    }
    return key_of(pkey, out, err);
}

static EVP_PKEY *key_from(const char *type, OSSL_PARAM_BLD *build)
{
    EVP_PKEY *pkey = NULL;
    OSSL_PARAM *params = OSSL_PARAM_BLD_to_param(build);
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
    if (params == NULL || ctx == NULL || EVP_PKEY_fromdata_init(ctx) != 1 ||
        EVP_PKEY_fromdata(ctx, &pkey, EVP_PKEY_PUBLIC_KEY, params) != 1)
        pkey = NULL;
    EVP_PKEY_CTX_free(ctx);
    OSSL_PARAM_free(params);
    return pkey;
}

static EVP_PKEY *rsa_from(rf_str n, rf_str e)
{
    OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
    BIGNUM *bn = BN_bin2bn(n.ptr, (int)n.len, NULL), *be = BN_bin2bn(e.ptr, (int)e.len, NULL);
    EVP_PKEY *pkey = NULL;
    if (build != NULL && bn != NULL && be != NULL &&
        OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_N, bn) == 1 &&
        OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_E, be) == 1)
        pkey = key_from("RSA", build);
    OSSL_PARAM_BLD_free(build);
    BN_free(bn);
    BN_free(be);
    return pkey;
}

static EVP_PKEY *p256_from(rf_str x, rf_str y)
{
    uint8_t point[1 + 2 * P256_BYTES] = {4 /* uncompressed */};
    OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
    EVP_PKEY *pkey = NULL;
    memcpy(point + 1, x.ptr, P256_BYTES);
    memcpy(point + 1 + P256_BYTES, y.ptr, P256_BYTES);
    if (build != NULL &&
        OSSL_PARAM_BLD_push_utf8_string(build, OSSL_PKEY_PARAM_GROUP_NAME, SN_X9_62_prime256v1,
                                        0) == 1 &&
        OSSL_PARAM_BLD_push_octet_string(build, OSSL_PKEY_PARAM_PUB_KEY, point, sizeof point) == 1)
        pkey = key_from("EC", build);
    OSSL_PARAM_BLD_free(build);
    return pkey;
}

enum rf_kind public_key_of_jwk(const struct json_node *jwk, struct public_key **out,
                               struct rf_err *err)
{
    enum { MEMORY_BYTES = 64 << 10 };
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, MEMORY_BYTES);
    rf_str kty = json_text_at(jwk, "kty"), a, b;
    EVP_PKEY *pkey = NULL;
    bool is_rsa = rf_str_is(kty, "RSA");
    if (!is_rsa && !(rf_str_is(kty, "EC") && rf_str_is(json_text_at(jwk, "crv"), "P-256")))
        return bad("is neither RSA nor of the curve P-256", err);
    if (base64url_decode(&arena, json_text_at(jwk, is_rsa ? "n" : "x"), &a, NULL) != RF_OK ||
        base64url_decode(&arena, json_text_at(jwk, is_rsa ? "e" : "y"), &b, NULL) != RF_OK ||
        a.len == 0 || b.len == 0)
        return bad("has a number that is not base64url", err);
    if (is_rsa && a.len <= RSA_BITS_MAX / 8 + 1 && b.len <= RSA_E_BITS_MAX / 8 + 1)
        pkey = rsa_from(a, b);
    if (!is_rsa && a.len == P256_BYTES && b.len == P256_BYTES) pkey = p256_from(a, b);
    return pkey == NULL ? bad("is not well-formed", err) : key_of(pkey, out, err);
}

void public_key_free(struct public_key *key)
{
    if (key == NULL) return;
    for (size_t way = 0; way < RF_COUNT(key->ready); way++)
        for (size_t i = 0; i < READY_MAX; i++) EVP_PKEY_CTX_free(key->ready[way][i]);
    EVP_PKEY_free(key->pkey);
    free(key);
}

static bool number_of(const EVP_PKEY *pkey, const char *name, struct rf_arena *arena, rf_str *out)
{
    BIGNUM *number = NULL;
    if (EVP_PKEY_get_bn_param(pkey, name, &number) != 1) return false;
    int len = BN_num_bytes(number);
    uint8_t *bytes = rf_arena_alloc(arena, (size_t)len);
    bool good = bytes != NULL && BN_bn2bin(number, bytes) == len;
    BN_free(number);
    if (good) *out = rf_str_make(bytes, (size_t)len);
    return good;
}

bool public_key_rsa(const struct public_key *key, struct rf_arena *arena, rf_str *n, rf_str *e)
{
    return key->is_rsa && number_of(key->pkey, OSSL_PKEY_PARAM_RSA_N, arena, n) &&
           number_of(key->pkey, OSSL_PKEY_PARAM_RSA_E, arena, e);
}

/* ---- checking ------------------------------------------------------------------------------------------------------ */

static EVP_PKEY_CTX *context_new(const struct public_key *key, bool pss)
{
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(key->pkey, NULL);
    bool good = ctx != NULL && EVP_PKEY_verify_init(ctx) == 1 &&
                EVP_PKEY_CTX_set_signature_md(ctx, EVP_sha256()) == 1;
    if (good && key->is_rsa)
        good =
            EVP_PKEY_CTX_set_rsa_padding(ctx, pss ? RSA_PKCS1_PSS_PADDING : RSA_PKCS1_PADDING) == 1;
    if (good && pss) /* RFC 7518 section 3.5: the salt is as long as the digest */
        good = EVP_PKEY_CTX_set_rsa_mgf1_md(ctx, EVP_sha256()) == 1 &&
               EVP_PKEY_CTX_set_rsa_pss_saltlen(ctx, RSA_PSS_SALTLEN_DIGEST) == 1;
    if (good) return ctx;
    EVP_PKEY_CTX_free(ctx);
    return NULL;
}

static EVP_PKEY_CTX *borrow(struct public_key *key, bool pss)
{
    for (size_t i = 0; i < READY_MAX; i++) {
        if (atomic_load_explicit(&key->ready[pss][i], memory_order_relaxed) == NULL) continue;
        EVP_PKEY_CTX *ctx = atomic_exchange(&key->ready[pss][i], NULL);
        if (ctx != NULL) return ctx;
    }
    return context_new(key, pss);
}

static void give_back(struct public_key *key, bool pss, EVP_PKEY_CTX *ctx)
{
    for (size_t i = 0; i < READY_MAX; i++) {
        EVP_PKEY_CTX *none = NULL;
        if (atomic_compare_exchange_strong(&key->ready[pss][i], &none, ctx)) return;
    }
    EVP_PKEY_CTX_free(ctx);
}

/* The two numbers of RFC 7518 section 3.4 as the DER that OpenSSL reads; 0 when they do not fit. */
static size_t ecdsa_der(rf_str raw, uint8_t *out, size_t cap)
{
    if (raw.len != 2 * P256_BYTES) return 0;
    ECDSA_SIG *sig = ECDSA_SIG_new();
    BIGNUM *r = BN_bin2bn(raw.ptr, P256_BYTES, NULL),
           *s = BN_bin2bn(raw.ptr + P256_BYTES, P256_BYTES, NULL);
    if (sig == NULL || r == NULL || s == NULL || ECDSA_SIG_set0(sig, r, s) != 1) {
        ECDSA_SIG_free(sig);
        BN_free(r);
        BN_free(s);
        return 0;
    }
    int len = i2d_ECDSA_SIG(sig, NULL);
    if (len > 0 && (size_t)len <= cap) len = i2d_ECDSA_SIG(sig, &out);
    ECDSA_SIG_free(sig);
    return len > 0 && (size_t)len <= cap ? (size_t)len : 0;
}

static bool signature_holds(struct public_key *key, const struct jwt *jwt)
{
    enum { DER_BYTES_MAX = 80 };
    uint8_t digest[SHA256_BYTES], der[DER_BYTES_MAX];
    rf_str signature = jwt->signature;
    if (!key->is_rsa) signature = rf_str_make(der, ecdsa_der(jwt->signature, der, sizeof der));
    if (signature.len == 0) return false;
    bool pss = jwt->alg == JWT_PS256;
    EVP_PKEY_CTX *ctx = borrow(key, pss);
    if (ctx == NULL) return false;
    digest_sha256(jwt->signed_part, digest);
    bool holds = EVP_PKEY_verify(ctx, signature.ptr, signature.len, digest, sizeof digest) == 1;
    give_back(key, pss, ctx);
    if (!holds) ERR_clear_error();
    return holds;
}

enum rf_kind jwt_check(const struct jwt *jwt, const struct public_key *key, unsigned allowed,
                       struct rf_err *err)
{
    unsigned suits = key->is_rsa ? (unsigned)JWT_RS256 | JWT_PS256 : (unsigned)JWT_ES256;
    /* Only the contexts that are kept ready change. */
    struct public_key *own = (struct public_key *)(uintptr_t)key;
    if ((jwt->alg & allowed & suits) != 0 && signature_holds(own, jwt)) return RF_OK;
    return RF_FAIL(err, RF_DENIED, "BadSignature", "the signature of the token does not hold");
}
