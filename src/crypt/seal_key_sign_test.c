/* seal_key_sign_test.c - signatures that must not be taken, values that must not be signed, and agreement with OpenSSL's one-shot calls. */
#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#include "crypt/digest.h"
#include "test/seal_key_rig.h"

static EVP_PKEY *public_half(struct rig *rig, const struct seal_key *key)
{
    rf_str der;
    cr_assert(seal_key_public(key, &rig->arena, &der, &rig->err) == RF_OK);
    const uint8_t *at = der.ptr;
    EVP_PKEY *pkey = d2i_PUBKEY(NULL, &at, (long)der.len);
    cr_assert(pkey != NULL);
    return pkey;
}

/* The private half, which only tests take out of the bytes. */
static EVP_PKEY *private_half(struct rig *rig, const char *hex)
{
    rf_str der = rig_hex(rig, hex);
    const uint8_t *at = der.ptr;
    EVP_PKEY *pkey = d2i_AutoPrivateKey(NULL, &at, (long)der.len);
    cr_assert(pkey != NULL);
    return pkey;
}

static const char message[] = "what is signed";

/* The digest of the message. */
static rf_str digest_of(struct rig *rig, const char *name)
{
    uint8_t bytes[EVP_MAX_MD_SIZE];
    unsigned len = 0;
    rf_str out;
    cr_assert(EVP_Digest(message, sizeof message, bytes, &len, EVP_get_digestbyname(name), NULL) ==
              1);
    cr_assert(rf_arena_str(&rig->arena, rf_str_make(bytes, len), &out));
    return out;
}

static const struct rsa_case {
    const char *algorithm, *digest;
    bool pss;
} rsa_cases[] = {{"RS256", "SHA256", false}, {"RS384", "SHA384", false}, {"RS512", "SHA512", false},
                 {"PS256", "SHA256", true},  {"PS384", "SHA384", true},  {"PS512", "SHA512", true}};

/* ---- agreement ------------------------------------------------------------------------------------------------------ */

/* OpenSSL's one-shot verification of the message. `salt_bytes` -1: no PSS. */
static bool one_shot_verifies(EVP_PKEY *pkey, const char *digest, int salt_bytes, rf_str signature)
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    EVP_PKEY_CTX *of_key = NULL;
    cr_assert(EVP_DigestVerifyInit(ctx, &of_key, EVP_get_digestbyname(digest), NULL, pkey) == 1);
    if (salt_bytes >= 0)
        cr_assert(EVP_PKEY_CTX_set_rsa_padding(of_key, RSA_PKCS1_PSS_PADDING) == 1 &&
                  EVP_PKEY_CTX_set_rsa_pss_saltlen(of_key, salt_bytes) == 1);
    bool good = EVP_DigestVerify(ctx, signature.ptr, signature.len, (const uint8_t *)message,
                                 sizeof message) == 1;
    EVP_MD_CTX_free(ctx);
    return good;
}

Test(seal_key_sign, rsa_agrees_with_openssl_for_all_sizes)
{
    struct rig rig;
    rig_init(&rig);
    for (uint32_t bits = 2048; bits <= 4096; bits += 1024) {
        struct seal_key *key = rig_new(&rig, SEAL_RSA, bits);
        EVP_PKEY *pkey = public_half(&rig, key);
        for (size_t i = 0; i < RF_COUNT(rsa_cases); i++) {
            rf_str digest = digest_of(&rig, rsa_cases[i].digest);
            struct seal_use use = rig_use(rsa_cases[i].algorithm, SEAL_OP_SIGN, digest);
            rf_str signature = rig_apply(&rig, key, &use).value;
            cr_assert(signature.len == bits / 8);
            cr_assert(one_shot_verifies(pkey, rsa_cases[i].digest,
                                        rsa_cases[i].pss ? (int)digest.len : -1, signature));
        }
        EVP_PKEY_free(pkey);
        seal_key_free(key);
    }
    rig_done(&rig);
}

static const struct ec_case {
    const char *algorithm, *digest, *key;
    enum seal_material material;
    size_t half;
} ec_cases[] = {{"ES256", "SHA256", KEY_P256, SEAL_P256, 32},
                {"ES384", "SHA384", KEY_P384, SEAL_P384, 48},
                {"ES512", "SHA512", KEY_P521, SEAL_P521, 66},
                {"ES256K", "SHA256", KEY_P256K, SEAL_P256K, 32}};

static rf_str to_der(struct rig *rig, rf_str raw)
{
    size_t half = raw.len / 2;
    ECDSA_SIG *pair = ECDSA_SIG_new();
    ECDSA_SIG_set0(pair, BN_bin2bn(raw.ptr, (int)half, NULL),
                   BN_bin2bn(raw.ptr + half, (int)half, NULL));
    uint8_t *der = NULL;
    int len = i2d_ECDSA_SIG(pair, &der);
    rf_str out;
    cr_assert(len > 0 && rf_arena_str(&rig->arena, rf_str_make(der, (size_t)len), &out));
    OPENSSL_free(der);
    ECDSA_SIG_free(pair);
    return out;
}

/* Often enough that r and s begin with zeros, which must be kept. */
Test(seal_key_sign, ec_gives_raw_pairs_that_openssl_verifies)
{
    enum { ROUNDS = 600 };
    struct rig rig;
    rig_init(&rig);
    for (size_t i = 0; i < RF_COUNT(ec_cases); i++) {
        struct seal_key *key = rig_known(&rig, ec_cases[i].material, 0, ec_cases[i].key);
        EVP_PKEY *pkey = public_half(&rig, key);
        rf_str digest = digest_of(&rig, ec_cases[i].digest);
        bool short_seen = false;
        for (int n = 0; n < ROUNDS && !(short_seen && n > 4); n++) {
            struct seal_use use = rig_use(ec_cases[i].algorithm, SEAL_OP_SIGN, digest);
            rf_str raw = rig_apply(&rig, key, &use).value;
            cr_assert(raw.len == 2 * ec_cases[i].half);
            bool is_short = raw.ptr[0] == 0 || raw.ptr[ec_cases[i].half] == 0;
            short_seen |= is_short;
            if (n > 4 && !is_short) continue;
            cr_assert(one_shot_verifies(pkey, ec_cases[i].digest, -1, to_der(&rig, raw)));
            cr_assert(rig_verifies(&rig, key, ec_cases[i].algorithm, digest, raw));
        }
        EVP_PKEY_free(pkey);
        seal_key_free(key);
    }
    rig_done(&rig);
}

Test(seal_key_sign, hmac_agrees_with_openssl_for_all_lengths)
{
    static const char *const keys[] = {KEY_COUNT_128, KEY_COUNT_192, KEY_COUNT_256};
    static const struct {
        const char *algorithm, *digest;
    } cases[] = {{"HS256", "SHA256"}, {"HS384", "SHA384"}, {"HS512", "SHA512"}};
    static uint8_t bytes[5000];
    struct rig rig;
    uint8_t want[EVP_MAX_MD_SIZE];
    unsigned len = 0;
    rig_init(&rig);
    for (size_t k = 0; k < RF_COUNT(keys); k++) {
        rf_str secret = rig_hex(&rig, keys[k]);
        struct seal_key *key = rig_load(&rig, SEAL_OCT, (uint32_t)secret.len * 8, secret);
        for (size_t i = 0; i < RF_COUNT(cases); i++)
            for (size_t n = 0; n < sizeof bytes; n = n * 3 + 1) {
                struct seal_use use =
                    rig_use(cases[i].algorithm, SEAL_OP_SIGN, rf_str_make(bytes, n));
                rf_str mac = rig_apply(&rig, key, &use).value;
                cr_assert(HMAC(EVP_get_digestbyname(cases[i].digest), secret.ptr, (int)secret.len,
                               bytes, n, want, &len) != NULL);
                cr_assert(rf_str_eq(mac, rf_str_make(want, len)));
            }
        seal_key_free(key);
    }
    rig_done(&rig);
}

/* ---- what may be signed --------------------------------------------------------------------------------------------------- */

Test(seal_key_sign, refuses_values_that_are_no_digest_of_the_algorithm)
{
    static const uint8_t bytes[600];
    static const struct {
        const char *algorithm, *key;
        enum seal_material material;
        uint32_t bits;
        size_t want;
    } cases[] = {
        {"RS256", KEY_BILBO, SEAL_RSA, 2048, 32}, {"RS384", KEY_BILBO, SEAL_RSA, 2048, 48},
        {"RS512", KEY_BILBO, SEAL_RSA, 2048, 64}, {"PS256", KEY_BILBO, SEAL_RSA, 2048, 32},
        {"PS384", KEY_BILBO, SEAL_RSA, 2048, 48}, {"PS512", KEY_BILBO, SEAL_RSA, 2048, 64},
        {"ES256", KEY_P256, SEAL_P256, 0, 32},    {"ES384", KEY_P384, SEAL_P384, 0, 48},
        {"ES512", KEY_P521, SEAL_P521, 0, 64},    {"ES256K", KEY_P256K, SEAL_P256K, 0, 32}};
    static const size_t lens[] = {0, 1, 20, 28, 31, 32, 33, 47, 48, 49, 63, 64, 65, 66, 256, 600};
    struct rig rig;
    rig_init(&rig);
    for (size_t i = 0; i < RF_COUNT(cases); i++) {
        struct seal_key *key = rig_known(&rig, cases[i].material, cases[i].bits, cases[i].key);
        for (size_t n = 0; n < RF_COUNT(lens); n++) {
            if (lens[n] == cases[i].want) continue;
            struct seal_use use =
                rig_use(cases[i].algorithm, SEAL_OP_SIGN, rf_str_make(bytes, lens[n]));
            rf_str text = rig_refused(&rig, key, &use, "SealInput");
            cr_assert(rf_str_find(text, RF_S("digest"), 0) != SIZE_MAX);
            use.op = SEAL_OP_VERIFY;
            use.signature = rf_str_make(bytes, 256);
            rig_refused(&rig, key, &use, "SealInput");
        }
        seal_key_free(key);
    }
    struct seal_key *key = rig_known(&rig, SEAL_RSA, 2048, KEY_BILBO);
    static const size_t bad[] = {0, 246, 256, 600}, good[] = {1, 32, 245};
    for (size_t n = 0; n < RF_COUNT(bad); n++) {
        struct seal_use use = rig_use("RSNULL", SEAL_OP_SIGN, rf_str_make(bytes, bad[n]));
        rig_refused(&rig, key, &use, "SealInput");
    }
    for (size_t n = 0; n < RF_COUNT(good); n++) {
        struct seal_use use = rig_use("RSNULL", SEAL_OP_SIGN, rf_str_make(bytes, good[n]));
        cr_assert(rig_verifies(&rig, key, "RSNULL", use.value, rig_apply(&rig, key, &use).value));
        /* What is signed is all of it. */
        rf_str more = rf_str_make(bytes, good[n] == 245 ? 244 : good[n] + 1);
        cr_assert(!rig_verifies(&rig, key, "RSNULL", more, rig_apply(&rig, key, &use).value));
    }
    seal_key_free(key);
    rig_done(&rig);
}

/* ---- RSA: forged forms ------------------------------------------------------------------------------------------------------ */

/* The padded bytes, raised to d as they are. */
static rf_str raise(struct rig *rig, EVP_PKEY *pkey, const uint8_t padded[256])
{
    size_t len = 256;
    uint8_t *out = rf_arena_alloc(&rig->arena, len);
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(pkey, NULL);
    cr_assert(EVP_PKEY_sign_init(ctx) == 1 &&
              EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_NO_PADDING) == 1 &&
              EVP_PKEY_sign(ctx, out, &len, padded, 256) == 1);
    EVP_PKEY_CTX_free(ctx);
    return rf_str_make(out, len);
}

/* 00 01 FF.. 00 and what is behind; `bytes` of FF. */
static void pad(uint8_t out[256], const uint8_t *info, size_t info_bytes, rf_str digest,
                size_t trailing)
{
    size_t end = 256 - trailing, from = end - digest.len - info_bytes;
    memset(out, 0xff, 256);
    out[0] = 0;
    out[1] = 1;
    out[from - 1] = 0;
    memcpy(out + from, info, info_bytes);
    memcpy(out + from + info_bytes, digest.ptr, digest.len);
    memset(out + end, 0x5a, trailing);
}

static const uint8_t sha256_info[] = {0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01,
                                      0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00, 0x04, 0x20};
/* Without NULL; with a long length; with SHA-512's number; SHA-224's; as an OCTET STRING alone. */
static const uint8_t no_null[] = {0x30, 0x2f, 0x30, 0x0b, 0x06, 0x09, 0x60, 0x86, 0x48,
                                  0x01, 0x65, 0x03, 0x04, 0x02, 0x01, 0x04, 0x20};
static const uint8_t long_length[] = {0x30, 0x81, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48,
                                      0x01, 0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00, 0x04, 0x20};
static const uint8_t other_hash[] = {0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01,
                                     0x65, 0x03, 0x04, 0x02, 0x03, 0x05, 0x00, 0x04, 0x20};
static const uint8_t truncated_hash[] = {0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01,
                                         0x65, 0x03, 0x04, 0x02, 0x04, 0x05, 0x00, 0x04, 0x20};
static const uint8_t octets[] = {0x04, 0x20};

Test(seal_key_sign, refuses_forged_pkcs1_signatures)
{
    static const struct {
        const char *what;
        const uint8_t *info;
        size_t info_bytes, trailing;
        int at; /* of the padded bytes, set to `byte`; -1: none */
        uint8_t byte;
    } forged[] = {{"no NULL", no_null, sizeof no_null, 0, -1, 0},
                  {"long length", long_length, sizeof long_length, 0, -1, 0},
                  {"another hash's number", other_hash, sizeof other_hash, 0, -1, 0},
                  {"SHA-224's number", truncated_hash, sizeof truncated_hash, 0, -1, 0},
                  {"octets alone", octets, sizeof octets, 0, -1, 0},
                  {"no DigestInfo", octets, 0, 0, -1, 0},
                  {"trailing bytes", sha256_info, sizeof sha256_info, 20, -1, 0},
                  {"short padding", sha256_info, sizeof sha256_info, 190, -1, 0},
                  {"block type 2", sha256_info, sizeof sha256_info, 0, 1, 2},
                  {"block type 0", sha256_info, sizeof sha256_info, 0, 1, 0},
                  {"first byte", sha256_info, sizeof sha256_info, 0, 0, 1},
                  {"padding", sha256_info, sizeof sha256_info, 0, 5, 0xfe},
                  {"early end", sha256_info, sizeof sha256_info, 0, 12, 0},
                  {"no end", sha256_info, sizeof sha256_info, 0, 204, 0xff}};
    struct rig rig;
    uint8_t padded[256];
    rig_init(&rig);
    struct seal_key *key = rig_known(&rig, SEAL_RSA, 2048, KEY_BILBO);
    EVP_PKEY *pkey = private_half(&rig, KEY_BILBO);
    rf_str digest = digest_of(&rig, "SHA256");
    pad(padded, sha256_info, sizeof sha256_info, digest, 0);
    cr_assert(rig_verifies(&rig, key, "RS256", digest, raise(&rig, pkey, padded)),
              "the test's own padding");
    for (size_t i = 0; i < RF_COUNT(forged); i++) {
        pad(padded, forged[i].info, forged[i].info_bytes, digest, forged[i].trailing);
        if (forged[i].at >= 0) padded[forged[i].at] = forged[i].byte;
        rf_str signature = raise(&rig, pkey, padded);
        cr_assert(!rig_verifies(&rig, key, "RS256", digest, signature), "%s", forged[i].what);
        cr_assert(!rig_verifies(&rig, key, "PS256", digest, signature), "%s", forged[i].what);
    }
    EVP_PKEY_free(pkey);
    seal_key_free(key);
    rig_done(&rig);
}

/* PSS with other salts, another hash for the mask, another hash. */
Test(seal_key_sign, refuses_pss_of_other_parameters)
{
    static const struct {
        const char *digest, *mask;
        int salt_bytes;
        bool good;
    } cases[] = {{"SHA256", "SHA256", 32, true},  {"SHA256", "SHA256", 0, false},
                 {"SHA256", "SHA256", 20, false}, {"SHA256", "SHA256", 31, false},
                 {"SHA256", "SHA256", 33, false}, {"SHA256", "SHA256", 222, false},
                 {"SHA256", "SHA1", 32, false},   {"SHA256", "SHA512", 32, false}};
    struct rig rig;
    rig_init(&rig);
    struct seal_key *key = rig_known(&rig, SEAL_RSA, 2048, KEY_BILBO);
    EVP_PKEY *pkey = private_half(&rig, KEY_BILBO);
    for (size_t i = 0; i < RF_COUNT(cases); i++) {
        uint8_t signature[256];
        size_t len = sizeof signature;
        rf_str digest = digest_of(&rig, cases[i].digest);
        EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(pkey, NULL);
        cr_assert(EVP_PKEY_sign_init(ctx) == 1 &&
                  EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PSS_PADDING) == 1 &&
                  EVP_PKEY_CTX_set_signature_md(ctx, EVP_get_digestbyname(cases[i].digest)) == 1 &&
                  EVP_PKEY_CTX_set_rsa_mgf1_md(ctx, EVP_get_digestbyname(cases[i].mask)) == 1 &&
                  EVP_PKEY_CTX_set_rsa_pss_saltlen(ctx, cases[i].salt_bytes) == 1 &&
                  EVP_PKEY_sign(ctx, signature, &len, digest.ptr, digest.len) == 1);
        EVP_PKEY_CTX_free(ctx);
        cr_assert(rig_verifies(&rig, key, "PS256", digest, rf_str_make(signature, len)) ==
                      cases[i].good,
                  "%zu", i);
        cr_assert(!rig_verifies(&rig, key, "RS256", digest, rf_str_make(signature, len)));
    }
    EVP_PKEY_free(pkey);
    seal_key_free(key);
    rig_done(&rig);
}

Test(seal_key_sign, refuses_rsa_signatures_of_other_lengths_keys_and_algorithms)
{
    struct rig rig;
    rig_init(&rig);
    struct seal_key *key = rig_known(&rig, SEAL_RSA, 2048, KEY_BILBO),
                    *other = rig_known(&rig, SEAL_RSA, 2048, KEY_FRODO);
    for (size_t i = 0; i < RF_COUNT(rsa_cases); i++) {
        rf_str digest = digest_of(&rig, rsa_cases[i].digest);
        struct seal_use use = rig_use(rsa_cases[i].algorithm, SEAL_OP_SIGN, digest);
        rf_str signature = rig_apply(&rig, key, &use).value;
        uint8_t *longer = rf_arena_zalloc(&rig.arena, 258);
        memcpy(longer + 1, signature.ptr, 256);
        cr_assert(
            rig_verifies(&rig, key, rsa_cases[i].algorithm, digest, rf_str_make(longer + 1, 256)));
        cr_assert(
            !rig_verifies(&rig, key, rsa_cases[i].algorithm, digest, rf_str_make(longer, 257)));
        cr_assert(
            !rig_verifies(&rig, key, rsa_cases[i].algorithm, digest, rf_str_make(longer + 1, 257)));
        cr_assert(
            !rig_verifies(&rig, key, rsa_cases[i].algorithm, digest, rf_slice(signature, 0, 255)));
        cr_assert(!rig_verifies(&rig, key, rsa_cases[i].algorithm, digest, RF_S("")));
        cr_assert(!rig_verifies(&rig, other, rsa_cases[i].algorithm, digest, signature));
        memset(longer, 0, 256);
        cr_assert(
            !rig_verifies(&rig, key, rsa_cases[i].algorithm, digest, rf_str_make(longer, 256)));
        longer[255] = 1;
        cr_assert(
            !rig_verifies(&rig, key, rsa_cases[i].algorithm, digest, rf_str_make(longer, 256)));
        memset(longer, 0xff, 256); /* above the modulus */
        cr_assert(
            !rig_verifies(&rig, key, rsa_cases[i].algorithm, digest, rf_str_make(longer, 256)));
        for (size_t j = 0; j < RF_COUNT(rsa_cases); j++)
            if (strcmp(rsa_cases[i].digest, rsa_cases[j].digest) == 0)
                cr_assert(rig_verifies(&rig, key, rsa_cases[j].algorithm, digest, signature) ==
                          (i == j));
    }
    seal_key_free(key);
    seal_key_free(other);
    rig_done(&rig);
}

/* A signature plus the modulus is the same number to who does not look. */
Test(seal_key_sign, refuses_an_rsa_signature_with_the_modulus_added)
{
    struct rig rig;
    uint8_t sum[256];
    rig_init(&rig);
    struct seal_key *key = rig_known(&rig, SEAL_RSA, 2048, KEY_BILBO);
    EVP_PKEY *pkey = private_half(&rig, KEY_BILBO);
    BIGNUM *n = NULL, *s = BN_new();
    cr_assert(EVP_PKEY_get_bn_param(pkey, "n", &n) == 1);
    bool seen = false;
    for (uint8_t i = 0; i < 64 && !seen; i++) {
        uint8_t digest[32] = {i};
        struct seal_use use = rig_use("RS256", SEAL_OP_SIGN, rf_str_make(digest, sizeof digest));
        rf_str signature = rig_apply(&rig, key, &use).value;
        BN_bin2bn(signature.ptr, (int)signature.len, s);
        BN_add(s, s, n);
        if (BN_num_bits(s) > 2048) continue;
        seen = true;
        cr_assert(BN_bn2binpad(s, sum, sizeof sum) == sizeof sum);
        cr_assert(!rig_verifies(&rig, key, "RS256", use.value, rf_str_make(sum, sizeof sum)));
    }
    cr_assert(seen);
    BN_free(n);
    BN_free(s);
    EVP_PKEY_free(pkey);
    seal_key_free(key);
    rig_done(&rig);
}

/* ---- EC: pairs that are none --------------------------------------------------------------------------------------------- */

static rf_str pair_of(struct rig *rig, const BIGNUM *r, const BIGNUM *s, size_t half)
{
    uint8_t *raw = rf_arena_zalloc(&rig->arena, 2 * half);
    cr_assert(BN_bn2binpad(r, raw, (int)half) > 0 && BN_bn2binpad(s, raw + half, (int)half) > 0);
    return rf_str_make(raw, 2 * half);
}

Test(seal_key_sign, refuses_ec_pairs_out_of_range_and_other_forms)
{
    struct rig rig;
    rig_init(&rig);
    for (size_t i = 0; i < RF_COUNT(ec_cases); i++) {
        const struct ec_case *c = &ec_cases[i];
        struct seal_key *key = rig_known(&rig, c->material, 0, c->key);
        EVP_PKEY *pkey = public_half(&rig, key);
        rf_str digest = digest_of(&rig, c->digest);
        struct seal_use use = rig_use(c->algorithm, SEAL_OP_SIGN, digest);
        rf_str raw = rig_apply(&rig, key, &use).value;
        BIGNUM *n = NULL, *r = BN_bin2bn(raw.ptr, (int)c->half, NULL),
               *s = BN_bin2bn(raw.ptr + c->half, (int)c->half, NULL), *zero = BN_new(),
               *one = BN_new(), *less = BN_new(), *other = BN_new(), *top = BN_new();
        cr_assert(EVP_PKEY_get_bn_param(pkey, "order", &n) == 1);
        BN_one(one);
        BN_sub(less, n, one);
        BN_sub(other, n, s);
        BN_lshift(top, one, (int)c->half * 8);
        BN_sub_word(top, 1);
        /* The other root is a good signature as well: ECDSA is malleable, and JOSE does not ask for the lower. */
        cr_assert(rig_verifies(&rig, key, c->algorithm, digest, pair_of(&rig, r, other, c->half)));
        const BIGNUM *const bad[] = {zero, one, n, less, top};
        for (size_t b = 0; b < RF_COUNT(bad); b++) {
            cr_assert(
                !rig_verifies(&rig, key, c->algorithm, digest, pair_of(&rig, bad[b], s, c->half)));
            cr_assert(
                !rig_verifies(&rig, key, c->algorithm, digest, pair_of(&rig, r, bad[b], c->half)));
            for (size_t d = 0; d < RF_COUNT(bad); d++)
                cr_assert(!rig_verifies(&rig, key, c->algorithm, digest,
                                        pair_of(&rig, bad[b], bad[d], c->half)));
        }
        cr_assert(!rig_verifies(&rig, key, c->algorithm, digest, pair_of(&rig, s, r, c->half)));
        BN_add(other, r, n); /* the same number to who does not look */
        if (BN_num_bits(other) <= (int)c->half * 8)
            cr_assert(
                !rig_verifies(&rig, key, c->algorithm, digest, pair_of(&rig, other, s, c->half)));
        BN_add(other, s, n);
        if (BN_num_bits(other) <= (int)c->half * 8)
            cr_assert(
                !rig_verifies(&rig, key, c->algorithm, digest, pair_of(&rig, r, other, c->half)));
        cr_assert(!rig_verifies(&rig, key, c->algorithm, digest, to_der(&rig, raw)));
        for (size_t len = 0; len < raw.len; len += 1 + len / 3)
            cr_assert(!rig_verifies(&rig, key, c->algorithm, digest, rf_slice(raw, 0, len)));
        uint8_t *longer = rf_arena_zalloc(&rig.arena, raw.len + 2);
        memcpy(longer + 1, raw.ptr, c->half); /* each number one byte longer */
        memcpy(longer + 2 + c->half, raw.ptr + c->half, c->half);
        cr_assert(!rig_verifies(&rig, key, c->algorithm, digest, rf_str_make(longer, raw.len + 2)));
        memcpy(longer, raw.ptr, raw.len);
        cr_assert(!rig_verifies(&rig, key, c->algorithm, digest, rf_str_make(longer, raw.len + 1)));
        struct seal_key *another = rig_new(&rig, c->material, 0);
        cr_assert(!rig_verifies(&rig, another, c->algorithm, digest, raw));
        seal_key_free(another);
        uint8_t *changed = rig_copy(&rig, digest);
        changed[0] ^= 0x80;
        cr_assert(!rig_verifies(&rig, key, c->algorithm, rf_str_make(changed, digest.len), raw));
        cr_assert(rig_verifies(&rig, key, c->algorithm, digest, raw));
        BIGNUM *all[] = {n, r, s, zero, one, less, other, top};
        for (size_t b = 0; b < RF_COUNT(all); b++) BN_free(all[b]);
        EVP_PKEY_free(pkey);
        seal_key_free(key);
    }
    rig_done(&rig);
}

/* ---- HMAC ------------------------------------------------------------------------------------------------------------------- */

Test(seal_key_sign, refuses_macs_that_are_cut_longer_or_of_another_length)
{
    static const char *const algorithms[] = {"HS256", "HS384", "HS512"};
    struct rig rig;
    rig_init(&rig);
    struct seal_key *key = rig_known(&rig, SEAL_OCT, 256, KEY_COUNT_256);
    for (size_t i = 0; i < RF_COUNT(algorithms); i++) {
        struct seal_use use = rig_use(algorithms[i], SEAL_OP_SIGN, RF_S("message"));
        rf_str mac = rig_apply(&rig, key, &use).value;
        uint8_t *longer = rf_arena_zalloc(&rig.arena, mac.len + 1);
        memcpy(longer, mac.ptr, mac.len);
        for (size_t len = 0; len <= mac.len + 1; len++)
            cr_assert(rig_verifies(&rig, key, algorithms[i], use.value, rf_str_make(longer, len)) ==
                      (len == mac.len));
        for (size_t bit = 0; bit < mac.len * 8; bit++) {
            longer[bit / 8] ^= (uint8_t)(1 << bit % 8);
            cr_assert(
                !rig_verifies(&rig, key, algorithms[i], use.value, rf_str_make(longer, mac.len)));
            longer[bit / 8] ^= (uint8_t)(1 << bit % 8);
        }
        for (size_t j = 0; j < RF_COUNT(algorithms); j++)
            cr_assert(rig_verifies(&rig, key, algorithms[j], use.value, mac) == (i == j));
        cr_assert(!rig_verifies(&rig, key, algorithms[i], RF_S("messagf"), mac));
        cr_assert(!rig_verifies(&rig, key, algorithms[i], RF_S(""), mac));
    }
    seal_key_free(key);
    rig_done(&rig);
}
