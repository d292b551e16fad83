/* keys_jwk.c - JSON Web Keys (RFC 7517, 7518): a private key as it is imported, put into PKCS #8. The keeper checks that it is whole. */
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/x509.h>

#include "base/encode.h"
#include "vault/keys_int.h"

enum { NUMBER_BYTES_MAX = 1024, NUMBERS_MAX = 16, TRIES = 100 };

static enum rf_kind bad(struct rf_err *err, const char *what)
{
    return RF_FAIL(err, RF_INVALID, "BadKey", "%s", what);
}

enum rf_kind vault_key_bytes(struct rf_arena *arena, rf_str text, rf_str *out, struct rf_err *err)
{
    uint8_t *copy = rf_arena_alloc(arena, text.len + 1);
    if (copy == NULL) return rf_fail_memory(err, arena);
    size_t len = text.len, pads = 0;
    while (len > 0 && pads < 2 && text.ptr[len - 1] == '=') {
        len--;
        pads++;
    }
    for (size_t i = 0; i < len; i++)
        copy[i] = text.ptr[i] == '+' ? '-' : text.ptr[i] == '/' ? '_' : text.ptr[i];
    if ((pads > 0 && (len + pads) % 4 != 0) ||
        base64url_decode(arena, rf_str_make(copy, len), out, NULL) != RF_OK) {
        OPENSSL_cleanse(copy, text.len + 1);
        return RF_FAIL(err, RF_INVALID, "BadEncoding", "it is no base64url");
    }
    OPENSSL_cleanse(copy, text.len + 1);
    return RF_OK;
}

/* ---- numbers -------------------------------------------------------------------------------------------------------- */

struct numbers {
    BIGNUM *items[NUMBERS_MAX];
    uint32_t count;
    OSSL_PARAM_BLD *builder;
    BN_CTX *ctx;
};

static void numbers_done(struct numbers *numbers)
{
    for (uint32_t i = 0; i < numbers->count; i++) BN_clear_free(numbers->items[i]);
    OSSL_PARAM_BLD_free(numbers->builder);
    BN_CTX_free(numbers->ctx);
}

static BIGNUM *keep(struct numbers *numbers, BIGNUM *number)
{
    if (number == NULL) return NULL;
    RF_ASSERT(numbers->count < NUMBERS_MAX); /* one that is not kept would not be wiped */
    numbers->items[numbers->count++] = number;
    return number;
}

/* *out NULL: the member is absent. */
static enum rf_kind read_number(const struct json_node *jwk, const char *name,
                                struct rf_arena *arena, struct numbers *numbers, BIGNUM **out,
                                struct rf_err *err)
{
    const struct json_node *node = json_get(jwk, name);
    rf_str bytes;
    *out = NULL;
    if (node == NULL || json_is(node, JSON_T_NULL)) return RF_OK;
    if (!json_is(node, JSON_T_STRING) ||
        vault_key_bytes(arena, node->text, &bytes, NULL) != RF_OK || bytes.len == 0 ||
        bytes.len > NUMBER_BYTES_MAX)
        return RF_FAIL(err, RF_INVALID, "BadKey", "its member '%s' is no number in base64url",
                       name);
    *out = keep(numbers, BN_secure_new());
    bool good = *out != NULL && BN_bin2bn(bytes.ptr, (int)bytes.len, *out) != NULL;
    vault_wipe(bytes);
    return good ? RF_OK : RF_FAIL(err, RF_LIMIT, "MemoryBudgetExceeded", "the numbers of a key");
}

/* ---- what is built goes to PKCS #8 ---------------------------------------------------------------------------------- */

static enum rf_kind pkcs8_of(EVP_PKEY *key, struct rf_arena *arena, rf_str *out, struct rf_err *err)
{
    PKCS8_PRIV_KEY_INFO *info = EVP_PKEY2PKCS8(key);
    uint8_t *der = NULL;
    int len = info == NULL ? -1 : i2d_PKCS8_PRIV_KEY_INFO(info, &der);
    bool copied = len > 0 && rf_arena_str(arena, rf_str_make(der, (size_t)len), out);
    if (der != NULL) OPENSSL_clear_free(der, len > 0 ? (size_t)len : 0);
    PKCS8_PRIV_KEY_INFO_free(info);
    ERR_clear_error();
    if (copied) return RF_OK;
    return len > 0 ? rf_fail_memory(err, arena)
                   : RF_FAIL(err, RF_IO, "CryptoFailed", "OpenSSL could not write a key");
}

static enum rf_kind build(struct numbers *numbers, const char *type, struct rf_arena *arena,
                          rf_str *out, struct rf_err *err)
{
    OSSL_PARAM *params = OSSL_PARAM_BLD_to_param(numbers->builder);
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
    EVP_PKEY *key = NULL;
    bool good = params != NULL && ctx != NULL && EVP_PKEY_fromdata_init(ctx) == 1 &&
                EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_KEYPAIR, params) == 1;
    enum rf_kind kind = good ? pkcs8_of(key, arena, out, err) : bad(err, "its numbers make no key");
    ERR_clear_error();
    EVP_PKEY_free(key);
    EVP_PKEY_CTX_free(ctx);
    OSSL_PARAM_free(params);
    return kind;
}

/* ---- RSA ---------------------------------------------------------------------------------------------------------------- */

struct rsa {
    BIGNUM *n, *e, *d, *p, *q, *dp, *dq, *qi;
};

static enum rf_kind new_number(struct numbers *numbers, BIGNUM **out, struct rf_err *err)
{
    *out = keep(numbers, BN_secure_new());
    if (*out != NULL) return RF_OK;
    return RF_FAIL(err, RF_LIMIT, "MemoryBudgetExceeded", "the numbers of a key");
}

/* One try with a random base: x = g^(odd part of e*d - 1), squared until a root of 1 is found that is not -1 (NIST SP 800-56B, appendix C). */
static bool try_split(const struct rsa *rsa, const BIGNUM *odd, int twos, BIGNUM *x, BIGNUM *y,
                      BIGNUM *p, BN_CTX *ctx)
{
    if (BN_priv_rand_range(x, rsa->n) != 1 || BN_is_zero(x) || BN_is_one(x)) return false;
    if (BN_mod_exp(x, x, odd, rsa->n, ctx) != 1) return false;
    for (int i = 0; i < twos; i++) {
        if (BN_mod_sqr(y, x, rsa->n, ctx) != 1) return false;
        if (BN_is_one(y)) {
            if (BN_is_one(x) || BN_add_word(x, 1) != 1 || BN_cmp(x, rsa->n) == 0) return false;
            return BN_sub_word(x, 2) == 1 && BN_gcd(p, x, rsa->n, ctx) == 1 && !BN_is_one(p);
        }
        if (BN_copy(x, y) == NULL) return false;
    }
    return false;
}

/* p and q of n, e and d. */
static enum rf_kind find_primes(struct numbers *numbers, struct rsa *rsa, struct rf_err *err)
{
    BIGNUM *odd, *x, *y, *rest;
    RF_TRY(new_number(numbers, &odd, err));
    RF_TRY(new_number(numbers, &x, err));
    RF_TRY(new_number(numbers, &y, err));
    RF_TRY(new_number(numbers, &rsa->p, err));
    RF_TRY(new_number(numbers, &rsa->q, err));
    rest = y;
    int twos = 0;
    if (BN_mul(odd, rsa->e, rsa->d, numbers->ctx) != 1 || BN_sub_word(odd, 1) != 1 ||
        BN_is_zero(odd) || BN_is_odd(odd))
        return bad(err, "its 'd' does not belong to its 'n' and 'e'");
    /* A wrong d shows at once, before many tries in vain: 2^(e*d - 1) is 1. */
    if (BN_set_word(x, 2) != 1 || BN_mod_exp(y, x, odd, rsa->n, numbers->ctx) != 1 || !BN_is_one(y))
        return bad(err, "its 'd' does not belong to its 'n' and 'e'");
    while (!BN_is_odd(odd) && BN_rshift1(odd, odd) == 1) twos++;
    bool found = false;
    for (int i = 0; i < TRIES && !found; i++)
        found = try_split(rsa, odd, twos, x, y, rsa->p, numbers->ctx);
    if (!found || BN_div(rsa->q, rest, rsa->n, rsa->p, numbers->ctx) != 1 || !BN_is_zero(rest))
        return bad(err, "its 'd' does not belong to its 'n' and 'e'");
    return RF_OK;
}

static enum rf_kind find_rest(struct numbers *numbers, struct rsa *rsa, struct rf_err *err)
{
    BIGNUM *less;
    RF_TRY(new_number(numbers, &less, err));
    RF_TRY(new_number(numbers, &rsa->dp, err));
    RF_TRY(new_number(numbers, &rsa->dq, err));
    BN_CTX *ctx = numbers->ctx;
    bool good =
        BN_sub(less, rsa->p, BN_value_one()) == 1 && BN_mod(rsa->dp, rsa->d, less, ctx) == 1 &&
        BN_sub(less, rsa->q, BN_value_one()) == 1 && BN_mod(rsa->dq, rsa->d, less, ctx) == 1;
    rsa->qi = keep(numbers, BN_mod_inverse(NULL, rsa->q, rsa->p, ctx));
    ERR_clear_error();
    return good && rsa->qi != NULL ? RF_OK : bad(err, "its 'd' does not belong to its 'n' and 'e'");
}

static enum rf_kind read_rsa_numbers(const struct json_node *jwk, struct rf_arena *arena,
                                     struct numbers *numbers, struct rsa *rsa, struct rf_err *err)
{
    const struct {
        const char *name;
        BIGNUM **out;
    } members[] = {{"n", &rsa->n}, {"e", &rsa->e},   {"d", &rsa->d},   {"p", &rsa->p},
                   {"q", &rsa->q}, {"dp", &rsa->dp}, {"dq", &rsa->dq}, {"qi", &rsa->qi}};
    for (size_t i = 0; i < RF_COUNT(members); i++)
        RF_TRY(read_number(jwk, members[i].name, arena, numbers, members[i].out, err));
    if (rsa->n == NULL || rsa->e == NULL || rsa->d == NULL)
        return bad(
            err, "an RSA key needs 'n', 'e' and 'd', and better all of 'p', 'q', 'dp', 'dq', 'qi'");
    int bits = BN_num_bits(rsa->n);
    if (bits != 2048 && bits != 3072 && bits != 4096)
        return bad(err, "RSA keys have 2048, 3072 or 4096 bits");
    if (!BN_is_word(rsa->e, 65537)) return bad(err, "only the public exponent 65537 is possible");
    if (BN_cmp(rsa->d, rsa->n) >= 0) return bad(err, "its 'd' does not belong to its 'n' and 'e'");
    bool some =
        rsa->p != NULL || rsa->q != NULL || rsa->dp != NULL || rsa->dq != NULL || rsa->qi != NULL;
    bool all =
        rsa->p != NULL && rsa->q != NULL && rsa->dp != NULL && rsa->dq != NULL && rsa->qi != NULL;
    if (some && !all) return bad(err, "'p', 'q', 'dp', 'dq' and 'qi' come all or not at all");
    return RF_OK;
}

static bool push_rsa(struct numbers *numbers, const struct rsa *rsa)
{
    const struct {
        const char *name;
        const BIGNUM *number;
    } params[] = {
        {OSSL_PKEY_PARAM_RSA_N, rsa->n},          {OSSL_PKEY_PARAM_RSA_E, rsa->e},
        {OSSL_PKEY_PARAM_RSA_D, rsa->d},          {OSSL_PKEY_PARAM_RSA_FACTOR1, rsa->p},
        {OSSL_PKEY_PARAM_RSA_FACTOR2, rsa->q},    {OSSL_PKEY_PARAM_RSA_EXPONENT1, rsa->dp},
        {OSSL_PKEY_PARAM_RSA_EXPONENT2, rsa->dq}, {OSSL_PKEY_PARAM_RSA_COEFFICIENT1, rsa->qi}};
    bool good = true;
    for (size_t i = 0; i < RF_COUNT(params) && good; i++)
        good = OSSL_PARAM_BLD_push_BN(numbers->builder, params[i].name, params[i].number) == 1;
    return good;
}

static enum rf_kind read_rsa(const struct json_node *jwk, struct rf_arena *arena,
                             struct numbers *numbers, struct seal_head *head, rf_str *material,
                             struct rf_err *err)
{
    struct rsa rsa = {NULL};
    RF_TRY(read_rsa_numbers(jwk, arena, numbers, &rsa, err));
    if (rsa.p == NULL) {
        RF_TRY(find_primes(numbers, &rsa, err));
        RF_TRY(find_rest(numbers, &rsa, err));
    }
    head->material = SEAL_RSA;
    head->bits = (uint32_t)BN_num_bits(rsa.n);
    if (!push_rsa(numbers, &rsa)) return bad(err, "its numbers make no key");
    return build(numbers, "RSA", arena, material, err);
}

/* ---- elliptic curves ---------------------------------------------------------------------------------------------------- */

static const struct {
    const char *name, *group;
    enum seal_material material;
    uint32_t bytes;
} curves[] = {{"P-256", "prime256v1", SEAL_P256, 32},
              {"P-384", "secp384r1", SEAL_P384, 48},
              {"P-521", "secp521r1", SEAL_P521, 66},
              {"P-256K", "secp256k1", SEAL_P256K, 32},
              {"SECP256K1", "secp256k1", SEAL_P256K, 32}};

/* Coordinates have the length of the field; one that is shorter was cut by a careless writer and is filled up. */
static enum rf_kind coordinate(const struct json_node *jwk, const char *name, uint32_t bytes,
                               struct rf_arena *arena, uint8_t *out, struct rf_err *err)
{
    rf_str got;
    const struct json_node *node = json_get(jwk, name);
    if (!json_is(node, JSON_T_STRING) || vault_key_bytes(arena, node->text, &got, NULL) != RF_OK ||
        got.len == 0 || got.len > bytes)
        return RF_FAIL(err, RF_INVALID, "BadKey",
                       "its member '%s' is no number of at most %u bytes in base64url", name,
                       bytes);
    memset(out, 0, bytes - got.len);
    memcpy(out + bytes - got.len, got.ptr, got.len);
    return RF_OK;
}

static enum rf_kind read_ec(const struct json_node *jwk, struct rf_arena *arena,
                            struct numbers *numbers, struct seal_head *head, rf_str *material,
                            struct rf_err *err)
{
    uint8_t point[1 + 2 * 66] = {4};
    BIGNUM *d;
    rf_str name = json_text_at(jwk, "crv");
    size_t at = 0;
    while (at < RF_COUNT(curves) && !rf_str_eq_nocase(name, rf_str_of(curves[at].name))) at++;
    if (at == RF_COUNT(curves)) return bad(err, "its curve is none of P-256, P-384, P-521, P-256K");
    uint32_t bytes = curves[at].bytes;
    RF_TRY(coordinate(jwk, "x", bytes, arena, point + 1, err));
    RF_TRY(coordinate(jwk, "y", bytes, arena, point + 1 + bytes, err));
    RF_TRY(read_number(jwk, "d", arena, numbers, &d, err));
    if (d == NULL) return bad(err, "the private part 'd' is missing");
    head->material = curves[at].material;
    head->bits = 0;
    if (OSSL_PARAM_BLD_push_utf8_string(numbers->builder, OSSL_PKEY_PARAM_GROUP_NAME,
                                        curves[at].group, 0) != 1 ||
        OSSL_PARAM_BLD_push_octet_string(numbers->builder, OSSL_PKEY_PARAM_PUB_KEY, point,
                                         1 + 2 * (size_t)bytes) != 1 ||
        OSSL_PARAM_BLD_push_BN(numbers->builder, OSSL_PKEY_PARAM_PRIV_KEY, d) != 1)
        return bad(err, "its numbers make no key");
    return build(numbers, "EC", arena, material, err);
}

static enum rf_kind read_oct(const struct json_node *jwk, struct rf_arena *arena,
                             struct seal_head *head, rf_str *material, struct rf_err *err)
{
    const struct json_node *node = json_get(jwk, "k");
    if (!json_is(node, JSON_T_STRING) ||
        vault_key_bytes(arena, node->text, material, NULL) != RF_OK ||
        (material->len != 16 && material->len != 24 && material->len != 32))
        return bad(err, "an oct key needs 'k' of 128, 192 or 256 bits in base64url");
    head->material = SEAL_OCT;
    head->bits = (uint32_t)material->len * 8;
    return RF_OK;
}

enum rf_kind vault_jwk_read(const struct json_node *jwk, struct rf_arena *arena,
                            struct seal_head *head, rf_str *material, struct rf_err *err)
{
    rf_str kty = json_text_at(jwk, "kty");
    if (rf_str_is(kty, "oct")) return read_oct(jwk, arena, head, material, err);
    struct numbers numbers = {.builder = OSSL_PARAM_BLD_new(), .ctx = BN_CTX_secure_new()};
    enum rf_kind kind = numbers.builder == NULL || numbers.ctx == NULL
                            ? RF_FAIL(err, RF_LIMIT, "MemoryBudgetExceeded", "the numbers of a key")
                        : rf_str_is(kty, "RSA")
                            ? read_rsa(jwk, arena, &numbers, head, material, err)
                        : rf_str_is(kty, "EC") ? read_ec(jwk, arena, &numbers, head, material, err)
                                               : bad(err, "its 'kty' is none of RSA, EC, oct");
    numbers_done(&numbers);
    return kind;
}
