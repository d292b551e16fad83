/* seal_key_form.c - the forms of keys: material in, checked; material of new keys; the public half. */
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#include "crypt/digest.h"
#include "crypt/seal_key_int.h"

/* PKCS #8 of RSA 4096 has some 2400 bytes; attributes may stand behind. */
enum { PKCS8_BYTES_MAX = 8 << 10, RSA_EXPONENT = 65537 };

static enum rf_kind bad(const char *what, struct rf_err *err)
{
    if (seal_lacks_memory()) return seal_crypto_failed("read a key", err);
    return RF_FAIL(err, RF_INVALID, "SealArgument", "the key %s", what);
}

/* OpenSSL's names of curves; NULL for what is none. */
static const struct curve {
    const char *name;
    int nid;
    size_t bytes;
} curves[] = {
    [SEAL_P256] = {"prime256v1", NID_X9_62_prime256v1, 32},
    [SEAL_P384] = {"secp384r1", NID_secp384r1, 48},
    [SEAL_P521] = {"secp521r1", NID_secp521r1, 66},
    [SEAL_P256K] = {"secp256k1", NID_secp256k1, 32},
};

static const struct curve *curve_of(enum seal_material material)
{
    return (size_t)material < RF_COUNT(curves) && curves[material].name != NULL ? &curves[material]
                                                                                : NULL;
}

static enum rf_kind check_head(const struct seal_head *head, struct rf_err *err)
{
    if (head->material == SEAL_RSA)
        return head->bits == 2048 || head->bits == 3072 || head->bits == 4096
                   ? RF_OK
                   : bad("of type RSA has 2048, 3072 or 4096 bits", err);
    if (head->material == SEAL_OCT)
        return head->bits == 128 || head->bits == 192 || head->bits == 256 ||
                       (head->bits == 512 && head->managed) /* HMAC keys of accounts elsewhere */
                   ? RF_OK
                   : bad("of type oct has 128, 192 or 256 bits", err);
    if (curve_of(head->material) == NULL) return bad("has a type that is not known", err);
    return head->bits == 0 ? RF_OK : bad("on a curve has no size of its own", err);
}

/* ---- RSA -------------------------------------------------------------------------------------------------------------- */

enum { PART_N, PART_E, PART_D, PART_P, PART_Q, PART_DP, PART_DQ, PART_QI, PART_COUNT };
static const char *const part_names[PART_COUNT] = {
    [PART_N] = OSSL_PKEY_PARAM_RSA_N,          [PART_E] = OSSL_PKEY_PARAM_RSA_E,
    [PART_D] = OSSL_PKEY_PARAM_RSA_D,          [PART_P] = OSSL_PKEY_PARAM_RSA_FACTOR1,
    [PART_Q] = OSSL_PKEY_PARAM_RSA_FACTOR2,    [PART_DP] = OSSL_PKEY_PARAM_RSA_EXPONENT1,
    [PART_DQ] = OSSL_PKEY_PARAM_RSA_EXPONENT2, [PART_QI] = OSSL_PKEY_PARAM_RSA_COEFFICIENT1};

/* One prime: the exponent of its half is d's, and e undoes it. */
static bool half_fits(BIGNUM *const part[PART_COUNT], const BIGNUM *prime, const BIGNUM *exponent,
                      BN_CTX *ctx)
{
    BN_CTX_start(ctx);
    BIGNUM *less = BN_CTX_get(ctx), *got = BN_CTX_get(ctx);
    bool good = got != NULL && BN_sub(less, prime, BN_value_one()) == 1;
    if (good) {
        BN_set_flags(less, BN_FLG_CONSTTIME);
        good = BN_div(NULL, got, part[PART_D], less, ctx) == 1 && BN_cmp(got, exponent) == 0 &&
               BN_mod_mul(got, part[PART_E], exponent, less, ctx) == 1 && BN_is_one(got);
    }
    BN_CTX_end(ctx);
    return good;
}

static bool parts_fit(BIGNUM *const part[PART_COUNT], uint32_t bits, BN_CTX *ctx)
{
    const BIGNUM *p = part[PART_P], *q = part[PART_Q];
    BN_CTX_start(ctx);
    BIGNUM *got = BN_CTX_get(ctx);
    bool good = got != NULL && BN_num_bits(part[PART_N]) == (int)bits &&
                BN_is_word(part[PART_E], RSA_EXPONENT) && BN_num_bits(p) == (int)bits / 2 &&
                BN_num_bits(q) == (int)bits / 2 && BN_is_odd(p) && BN_is_odd(q) &&
                BN_cmp(p, q) != 0 && BN_cmp(part[PART_D], part[PART_N]) < 0 &&
                BN_cmp(part[PART_QI], p) < 0 && BN_mul(got, p, q, ctx) == 1 &&
                BN_cmp(got, part[PART_N]) == 0 && BN_mod_mul(got, part[PART_QI], q, p, ctx) == 1 &&
                BN_is_one(got) && half_fits(part, p, part[PART_DP], ctx) &&
                half_fits(part, q, part[PART_DQ], ctx);
    BN_CTX_end(ctx);
    return good;
}

/* A random number, raised to d and then to e, comes back: holds for a p or q that is no prime with no probability worth a name. */
static bool undoes_itself(EVP_PKEY *pkey, size_t bytes)
{
    uint8_t sent[SEAL_RSA_BYTES_MAX], secret[SEAL_RSA_BYTES_MAX], back[SEAL_RSA_BYTES_MAX];
    size_t len = bytes, back_len = bytes;
    random_bytes(sent, bytes);
    sent[0] = 0; /* below the modulus */
    EVP_PKEY_CTX *sign = EVP_PKEY_CTX_new(pkey, NULL), *encrypt = EVP_PKEY_CTX_new(pkey, NULL);
    bool good = sign != NULL && encrypt != NULL && EVP_PKEY_sign_init(sign) == 1 &&
                EVP_PKEY_CTX_set_rsa_padding(sign, RSA_NO_PADDING) == 1 &&
                EVP_PKEY_sign(sign, secret, &len, sent, bytes) == 1 && len == bytes &&
                EVP_PKEY_encrypt_init(encrypt) == 1 &&
                EVP_PKEY_CTX_set_rsa_padding(encrypt, RSA_NO_PADDING) == 1 &&
                EVP_PKEY_encrypt(encrypt, back, &back_len, secret, bytes) == 1 &&
                back_len == bytes && CRYPTO_memcmp(back, sent, bytes) == 0;
    EVP_PKEY_CTX_free(sign);
    EVP_PKEY_CTX_free(encrypt);
    return good;
}

static enum rf_kind check_rsa(EVP_PKEY *pkey, uint32_t bits, struct rf_err *err)
{
    BIGNUM *part[PART_COUNT] = {0}, *third = NULL;
    BN_CTX *ctx = BN_CTX_secure_new();
    bool whole = ctx != NULL, good = false;
    for (size_t i = 0; whole && i < PART_COUNT; i++)
        whole = EVP_PKEY_get_bn_param(pkey, part_names[i], &part[i]) == 1;
    if (whole) whole = EVP_PKEY_get_bn_param(pkey, OSSL_PKEY_PARAM_RSA_FACTOR3, &third) != 1;
    if (whole) good = parts_fit(part, bits, ctx) && undoes_itself(pkey, bits / 8);
    for (size_t i = 0; i < PART_COUNT; i++) BN_clear_free(part[i]);
    BN_clear_free(third);
    BN_CTX_free(ctx);
    if (!whole) return bad("is not whole: n, e, d, p, q, dp, dq and qi are needed", err);
    if (!good)
        return bad("does not fit together: its size must be as said, e 65537, and n, d, p, q, dp, "
                   "dq, qi one key's",
                   err);
    return RF_OK;
}

/* ---- EC ----------------------------------------------------------------------------------------------------------------- */

static enum rf_kind check_ec(EVP_PKEY *pkey, struct rf_err *err)
{
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(pkey, NULL);
    /* The quick check leaves out the point's order, which on these curves is that of every point. Uncompressed, so that a key has one public form. */
    bool good = ctx != NULL && EVP_PKEY_public_check_quick(ctx) == 1 &&
                EVP_PKEY_private_check(ctx) == 1 && EVP_PKEY_pairwise_check(ctx) == 1 &&
                EVP_PKEY_set_utf8_string_param(pkey, OSSL_PKEY_PARAM_EC_POINT_CONVERSION_FORMAT,
                                               "uncompressed") == 1;
    EVP_PKEY_CTX_free(ctx);
    return good ? RF_OK
                : bad("does not fit together: its point must lie on the curve, and belong to its "
                      "private half",
                      err);
}

/* ---- loading -------------------------------------------------------------------------------------------------------------- */

/* Keys of other kinds, and curves that are spelt out, do not even get parsed. */
static bool is_of_kind(const PKCS8_PRIV_KEY_INFO *info, enum seal_material material)
{
    const ASN1_OBJECT *type = NULL;
    const X509_ALGOR *algorithm = NULL;
    const void *value = NULL;
    int form = V_ASN1_UNDEF;
    const struct curve *curve = curve_of(material);
    if (PKCS8_pkey_get0(NULL, NULL, NULL, &algorithm, info) != 1) return false;
    X509_ALGOR_get0(&type, &form, &value, algorithm);
    if (curve == NULL)
        return OBJ_obj2nid(type) == NID_rsaEncryption &&
               (form == V_ASN1_NULL || form == V_ASN1_UNDEF);
    return OBJ_obj2nid(type) == NID_X9_62_id_ecPublicKey && form == V_ASN1_OBJECT &&
           OBJ_obj2nid(value) == curve->nid;
}

static enum rf_kind read_pkcs8(const struct seal_head *head, rf_str material, EVP_PKEY **out,
                               struct rf_err *err)
{
    const uint8_t *at = material.ptr;
    EVP_PKEY *pkey = NULL;
    if (material.len == 0 || material.len > PKCS8_BYTES_MAX)
        return bad("is no PKCS #8 of at most 8 KiB", err);
    PKCS8_PRIV_KEY_INFO *info = d2i_PKCS8_PRIV_KEY_INFO(NULL, &at, (long)material.len);
    bool whole = info != NULL && at == material.ptr + material.len;
    bool fits = whole && is_of_kind(info, head->material);
    at = material.ptr;
    /* EVP_PKCS82PKEY tries each of its readers, which takes thrice the time. */
    if (fits)
        pkey = d2i_PrivateKey(curve_of(head->material) == NULL ? EVP_PKEY_RSA : EVP_PKEY_EC, NULL,
                              &at, (long)material.len);
    PKCS8_PRIV_KEY_INFO_free(info); /* wipes */
    if (!whole)
        return bad("is not well-formed PKCS #8 in DER, or is followed by further bytes", err);
    if (!fits) return bad("is of another type or curve than said", err);
    if (pkey == NULL) return bad("cannot be read: its PKCS #8 holds no key of the type said", err);
    *out = pkey;
    return RF_OK;
}

static enum rf_kind keep_public(struct seal_key *key, struct rf_err *err)
{
    uint8_t *at = key->public_key;
    int len = i2d_PUBKEY(key->pkey, NULL);
    if (len <= 0 || len > SEAL_PUBLIC_BYTES_MAX || i2d_PUBKEY(key->pkey, &at) != len)
        return seal_crypto_failed("write a public key", err);
    key->public_bytes = (size_t)len;
    return RF_OK;
}

static enum rf_kind fill(struct seal_key *key, const struct seal_head *head, rf_str material,
                         struct rf_err *err)
{
    const struct curve *curve = curve_of(head->material);
    key->material = head->material;
    key->bits = head->bits;
    key->bytes = curve != NULL ? curve->bytes : head->bits / 8;
    if (head->material == SEAL_OCT) {
        if (material.len != key->bytes) return bad("is not as long as said", err);
        key->oct = OPENSSL_memdup(material.ptr, material.len);
        return key->oct == NULL ? seal_crypto_failed("keep a key", err) : RF_OK;
    }
    RF_TRY(read_pkcs8(head, material, &key->pkey, err));
    RF_TRY(curve != NULL ? check_ec(key->pkey, err) : check_rsa(key->pkey, head->bits, err));
    return keep_public(key, err);
}

enum rf_kind seal_key_load(const struct seal_head *head, rf_str material, struct seal_key **out,
                           struct rf_err *err)
{
    RF_TRY(check_head(head, err));
    struct seal_key *key = OPENSSL_zalloc(sizeof *key);
    if (key == NULL) return seal_crypto_failed("keep a key", err);
    pthread_mutex_init(&key->lock, NULL);
    seal_begin();
    enum rf_kind kind = fill(key, head, material, err);
    ERR_clear_error();
    if (kind == RF_OK)
        *out = key;
    else
        seal_key_free(key);
    return kind;
}

/* ---- making ------------------------------------------------------------------------------------------------------------------ */

static enum rf_kind to_pkcs8(const EVP_PKEY *pkey, struct rf_arena *arena, rf_str *out,
                             struct rf_err *err)
{
    uint8_t *der = NULL;
    PKCS8_PRIV_KEY_INFO *info = EVP_PKEY2PKCS8(pkey);
    int len = info == NULL ? -1 : i2d_PKCS8_PRIV_KEY_INFO(info, &der);
    PKCS8_PRIV_KEY_INFO_free(info);
    if (len <= 0) return seal_crypto_failed("write a key", err);
    bool fits = rf_arena_str(arena, rf_str_make(der, (size_t)len), out);
    OPENSSL_clear_free(der, (size_t)len);
    return fits ? RF_OK : rf_fail_memory(err, arena);
}

enum rf_kind seal_key_make(const struct seal_head *head, struct rf_arena *arena, rf_str *material,
                           struct rf_err *err)
{
    RF_TRY(check_head(head, err));
    if (head->material == SEAL_OCT) {
        uint8_t *bytes = rf_arena_alloc(arena, head->bits / 8);
        if (bytes == NULL) return rf_fail_memory(err, arena);
        random_bytes(bytes, head->bits / 8);
        *material = rf_str_make(bytes, head->bits / 8);
        return RF_OK;
    }
    const struct curve *curve = curve_of(head->material);
    EVP_PKEY *pkey = curve != NULL ? EVP_EC_gen(curve->name) : EVP_RSA_gen(head->bits);
    if (pkey == NULL) return seal_crypto_failed("make a key", err);
    enum rf_kind kind = to_pkcs8(pkey, arena, material, err);
    EVP_PKEY_free(pkey);
    ERR_clear_error();
    return kind;
}

/* ---- the public half ------------------------------------------------------------------------------------------------------------ */

enum rf_kind seal_key_public(const struct seal_key *key, struct rf_arena *arena, rf_str *der,
                             struct rf_err *err)
{
    return rf_arena_str(arena, rf_str_make(key->public_key, key->public_bytes), der)
               ? RF_OK
               : rf_fail_memory(err, arena);
}

bool seal_key_owns(const struct seal_key *key, rf_str der)
{
    return key->public_bytes > 0 && rf_str_eq(der, rf_str_make(key->public_key, key->public_bytes));
}
