/* cli_key_jwk.c - keys as PEM and as JWK (RFC 7517, 7518). */
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/pem.h>

#include "base/encode.h"
#include "cli/cli_key.h"

enum { PEM_BYTES_MAX = 64 << 10, NUMBER_BYTES_MAX = 2048, GROUP_BYTES_MAX = 64 };

static const struct curve {
    const char *jwk, *group;
    size_t bytes;
} curves[] = {{"P-256", "prime256v1", 32},
              {"P-384", "secp384r1", 48},
              {"P-521", "secp521r1", 66},
              {"P-256K", "secp256k1", 32}};

static enum rf_kind bad_key(const char *why, struct rf_err *err)
{
    ERR_clear_error();
    return RF_FAIL(err, RF_INVALID, "BadKey", "%s", why);
}

/* ---- PEM to JWK ------------------------------------------------------------------------------------------------------- */

static int give_passphrase(char *out, int cap, int writing, void *ctx)
{
    const rf_str *text = ctx;
    (void)writing;
    if (text->len == 0 || cap < 0 || text->len > (size_t)cap) return -1;
    memcpy(out, text->ptr, text->len);
    return (int)text->len;
}

/* A number of the key as base64url of `bytes` bytes (0: as many as it has). */
static bool put_number(EVP_PKEY *key, const char *parameter, const char *member, size_t bytes,
                       struct rf_arena *arena, struct json_node *jwk)
{
    uint8_t raw[NUMBER_BYTES_MAX];
    BIGNUM *number = NULL;
    bool good = EVP_PKEY_get_bn_param(key, parameter, &number) == 1;
    size_t len = !good ? 0 : bytes > 0 ? bytes : (size_t)BN_num_bytes(number);
    good = good && len <= sizeof raw && BN_bn2binpad(number, raw, (int)len) >= 0;
    rf_str text = good ? base64url_encode(arena, rf_str_make(raw, len)) : (rf_str){NULL, 0};
    OPENSSL_cleanse(raw, sizeof raw);
    BN_clear_free(number);
    return text.ptr != NULL && json_set_text(arena, jwk, member, text) != NULL;
}

static bool put_rsa(EVP_PKEY *key, struct rf_arena *arena, struct json_node *jwk)
{
    static const struct {
        const char *parameter, *member;
    } numbers[] = {{OSSL_PKEY_PARAM_RSA_N, "n"},          {OSSL_PKEY_PARAM_RSA_E, "e"},
                   {OSSL_PKEY_PARAM_RSA_D, "d"},          {OSSL_PKEY_PARAM_RSA_FACTOR1, "p"},
                   {OSSL_PKEY_PARAM_RSA_FACTOR2, "q"},    {OSSL_PKEY_PARAM_RSA_EXPONENT1, "dp"},
                   {OSSL_PKEY_PARAM_RSA_EXPONENT2, "dq"}, {OSSL_PKEY_PARAM_RSA_COEFFICIENT1, "qi"}};
    json_set_text(arena, jwk, "kty", RF_S("RSA"));
    for (size_t i = 0; i < RF_COUNT(numbers); i++)
        if (!put_number(key, numbers[i].parameter, numbers[i].member, 0, arena, jwk)) return false;
    return true;
}

static bool put_ec(EVP_PKEY *key, struct rf_arena *arena, struct json_node *jwk)
{
    char group[GROUP_BYTES_MAX];
    size_t len;
    const struct curve *curve = NULL;
    if (EVP_PKEY_get_group_name(key, group, sizeof group, &len) != 1) return false;
    for (size_t i = 0; i < RF_COUNT(curves); i++)
        if (strcmp(curves[i].group, group) == 0) curve = &curves[i];
    if (curve == NULL) return false;
    json_set_text(arena, jwk, "kty", RF_S("EC"));
    json_set_text(arena, jwk, "crv", rf_str_of(curve->jwk));
    return put_number(key, OSSL_PKEY_PARAM_EC_PUB_X, "x", curve->bytes, arena, jwk) &&
           put_number(key, OSSL_PKEY_PARAM_EC_PUB_Y, "y", curve->bytes, arena, jwk) &&
           put_number(key, OSSL_PKEY_PARAM_PRIV_KEY, "d", curve->bytes, arena, jwk);
}

enum rf_kind cli_key_jwk(rf_str pem, rf_str passphrase, struct rf_arena *arena,
                         struct json_node **out, struct rf_err *err)
{
    struct json_node *jwk = json_new(arena, JSON_T_OBJECT);
    BIO *bio = pem.len > PEM_BYTES_MAX ? NULL : BIO_new_mem_buf(pem.ptr, (int)pem.len);
    EVP_PKEY *key =
        bio == NULL ? NULL : PEM_read_bio_PrivateKey(bio, NULL, give_passphrase, &passphrase);
    BIO_free(bio);
    if (key == NULL)
        return bad_key("the file holds no private key in PEM that can be read; the passphrase of "
                       "an encrypted one is read with --password-stdin",
                       err);
    int type = EVP_PKEY_get_base_id(key);
    bool good = jwk != NULL && (type == EVP_PKEY_RSA  ? put_rsa(key, arena, jwk)
                                : type == EVP_PKEY_EC ? put_ec(key, arena, jwk)
                                                      : false);
    EVP_PKEY_free(key);
    if (!good)
        return bad_key("a vault takes RSA keys and EC keys of P-256, P-384, P-521, P-256K", err);
    *out = jwk;
    return RF_OK;
}

/* ---- JWK to PEM ------------------------------------------------------------------------------------------------------- */

static bool number_at(const struct json_node *jwk, const char *member, struct rf_arena *arena,
                      rf_str *out)
{
    return base64url_decode(arena, json_text_at(jwk, member), out, NULL) == RF_OK && out->len > 0 &&
           out->len <= NUMBER_BYTES_MAX;
}

static EVP_PKEY *from_parameters(const char *type, OSSL_PARAM_BLD *build)
{
    EVP_PKEY *key = NULL;
    OSSL_PARAM *parameters = OSSL_PARAM_BLD_to_param(build);
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
    if (parameters == NULL || ctx == NULL || EVP_PKEY_fromdata_init(ctx) != 1 ||
        EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_PUBLIC_KEY, parameters) != 1)
        key = NULL;
    EVP_PKEY_CTX_free(ctx);
    OSSL_PARAM_free(parameters);
    return key;
}

static EVP_PKEY *rsa_of(const struct json_node *jwk, struct rf_arena *arena)
{
    rf_str n, e;
    EVP_PKEY *key = NULL;
    if (!number_at(jwk, "n", arena, &n) || !number_at(jwk, "e", arena, &e)) return NULL;
    OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
    BIGNUM *modulus = BN_bin2bn(n.ptr, (int)n.len, NULL);
    BIGNUM *exponent = BN_bin2bn(e.ptr, (int)e.len, NULL);
    if (build != NULL && modulus != NULL && exponent != NULL &&
        OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_N, modulus) == 1 &&
        OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_E, exponent) == 1)
        key = from_parameters("RSA", build);
    OSSL_PARAM_BLD_free(build);
    BN_free(modulus);
    BN_free(exponent);
    return key;
}

static EVP_PKEY *ec_of(const struct json_node *jwk, struct rf_arena *arena)
{
    rf_str x, y;
    uint8_t point[1 + 2 * 66];
    const struct curve *curve = NULL;
    EVP_PKEY *key = NULL;
    for (size_t i = 0; i < RF_COUNT(curves); i++)
        if (rf_str_is(json_text_at(jwk, "crv"), curves[i].jwk)) curve = &curves[i];
    if (curve == NULL || !number_at(jwk, "x", arena, &x) || !number_at(jwk, "y", arena, &y) ||
        x.len != curve->bytes || y.len != curve->bytes)
        return NULL;
    point[0] = 4; /* not compressed */
    memcpy(point + 1, x.ptr, x.len);
    memcpy(point + 1 + x.len, y.ptr, y.len);
    OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
    if (build != NULL &&
        OSSL_PARAM_BLD_push_utf8_string(build, OSSL_PKEY_PARAM_GROUP_NAME, curve->group, 0) == 1 &&
        OSSL_PARAM_BLD_push_octet_string(build, OSSL_PKEY_PARAM_PUB_KEY, point,
                                         1 + x.len + y.len) == 1)
        key = from_parameters("EC", build);
    OSSL_PARAM_BLD_free(build);
    return key;
}

enum rf_kind cli_key_pem(const struct json_node *jwk, struct rf_arena *arena, rf_str *out,
                         struct rf_err *err)
{
    rf_str kty = json_text_at(jwk, "kty");
    EVP_PKEY *key = rf_str_is(kty, "RSA")  ? rsa_of(jwk, arena)
                    : rf_str_is(kty, "EC") ? ec_of(jwk, arena)
                                           : NULL;
    BIO *bio = BIO_new(BIO_s_mem());
    char *text = NULL;
    long len = 0;
    if (key != NULL && bio != NULL && PEM_write_bio_PUBKEY(bio, key) == 1)
        len = BIO_get_mem_data(bio, &text);
    bool copied = len > 0 && rf_arena_str(arena, rf_str_make(text, (size_t)len), out);
    BIO_free(bio);
    EVP_PKEY_free(key);
    if (len <= 0) return bad_key("the key has no public half that PEM can hold", err);
    return copied ? RF_OK : rf_fail_memory(err, arena);
}
