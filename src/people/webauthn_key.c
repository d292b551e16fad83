/* webauthn_key.c - public keys of passkeys: COSE_Key (RFC 9052 section 7, RFC 9053) to OpenSSL. */
#include <openssl/core_names.h>
#include <openssl/param_build.h>

#include "people/cbor.h"
#include "people/webauthn_int.h"

enum { KTY = 1, ALG = 3, CRV = -1, X = -2, Y = -3, RSA_N = -1, RSA_E = -2 };
enum { KTY_OKP = 1, KTY_EC2 = 2, KTY_RSA = 3, CRV_P256 = 1, CRV_P384 = 2, CRV_ED25519 = 6 };

static bool number_at(rf_str text, size_t at, int64_t key, int64_t *out)
{
    struct cbor_item item;
    size_t value;
    if (!cbor_find_int(text, at, key, &value) || !cbor_next(text, &value, &item) ||
        item.type != CBOR_INT)
        return false;
    *out = item.number;
    return true;
}

static bool bytes_at(rf_str text, size_t at, int64_t key, rf_str *out)
{
    struct cbor_item item;
    size_t value;
    if (!cbor_find_int(text, at, key, &value) || !cbor_next(text, &value, &item) ||
        item.type != CBOR_BYTES)
        return false;
    *out = item.bytes;
    return true;
}

static EVP_PKEY *from_params(const char *type, OSSL_PARAM_BLD *builder)
{
    EVP_PKEY *key = NULL;
    OSSL_PARAM *params = OSSL_PARAM_BLD_to_param(builder);
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
    if (params == NULL || ctx == NULL || EVP_PKEY_fromdata_init(ctx) != 1 ||
        EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_PUBLIC_KEY, params) != 1)
        key = NULL;
    EVP_PKEY_CTX_free(ctx);
    OSSL_PARAM_free(params);
    return key;
}

/* OpenSSL refuses a point that is not on the curve. */
static EVP_PKEY *ec_key(const char *curve, size_t size, rf_str x, rf_str y)
{
    uint8_t point[1 + 2 * 48] = {4};
    if (x.len != size || y.len != size) return NULL;
    memcpy(point + 1, x.ptr, size);
    memcpy(point + 1 + size, y.ptr, size);
    OSSL_PARAM_BLD *builder = OSSL_PARAM_BLD_new();
    EVP_PKEY *key = NULL;
    if (builder != NULL &&
        OSSL_PARAM_BLD_push_utf8_string(builder, OSSL_PKEY_PARAM_GROUP_NAME, curve, 0) == 1 &&
        OSSL_PARAM_BLD_push_octet_string(builder, OSSL_PKEY_PARAM_PUB_KEY, point, 1 + 2 * size) ==
            1)
        key = from_params("EC", builder);
    OSSL_PARAM_BLD_free(builder);
    return key;
}

static EVP_PKEY *rsa_key(rf_str n, rf_str e)
{
    EVP_PKEY *key = NULL;
    if (n.len < 256 || n.len > 512 || e.len == 0 || e.len > 4 || n.ptr[0] == 0) return NULL;
    OSSL_PARAM_BLD *builder = OSSL_PARAM_BLD_new();
    BIGNUM *bn = BN_bin2bn(n.ptr, (int)n.len, NULL), *be = BN_bin2bn(e.ptr, (int)e.len, NULL);
    if (builder != NULL && bn != NULL && be != NULL && BN_is_odd(be) && BN_get_word(be) > 2 &&
        OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_RSA_N, bn) == 1 &&
        OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_RSA_E, be) == 1)
        key = from_params("RSA", builder);
    BN_free(bn);
    BN_free(be);
    OSSL_PARAM_BLD_free(builder);
    return key;
}

EVP_PKEY *cose_key_read(rf_str text, size_t at, size_t *end, int32_t *algorithm)
{
    int64_t type, alg, curve = 0;
    rf_str x, y;
    *end = at;
    if (!cbor_skip(text, end) || !number_at(text, at, KTY, &type) ||
        !number_at(text, at, ALG, &alg))
        return NULL;
    *algorithm = (int32_t)alg;
    if (alg == COSE_RS256)
        return type == KTY_RSA && bytes_at(text, at, RSA_N, &x) && bytes_at(text, at, RSA_E, &y)
                   ? rsa_key(x, y)
                   : NULL;
    if (!number_at(text, at, CRV, &curve) || !bytes_at(text, at, X, &x)) return NULL;
    if (alg == COSE_EDDSA)
        return type == KTY_OKP && curve == CRV_ED25519 && x.len == 32
                   ? EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, x.ptr, x.len)
                   : NULL;
    if (type != KTY_EC2 || !bytes_at(text, at, Y, &y)) return NULL;
    if (alg == COSE_ES256 && curve == CRV_P256) return ec_key("P-256", 32, x, y);
    if (alg == COSE_ES384 && curve == CRV_P384) return ec_key("P-384", 48, x, y);
    return NULL;
}

bool cose_key_verify(EVP_PKEY *key, int32_t algorithm, rf_str bytes, rf_str signature)
{
    const EVP_MD *digest = algorithm == COSE_EDDSA   ? NULL
                           : algorithm == COSE_ES384 ? EVP_sha384()
                                                     : EVP_sha256();
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    bool good = ctx != NULL && EVP_DigestVerifyInit(ctx, NULL, digest, NULL, key) == 1 &&
                EVP_DigestVerify(ctx, signature.ptr, signature.len, bytes.ptr, bytes.len) == 1;
    EVP_MD_CTX_free(ctx);
    return good;
}
