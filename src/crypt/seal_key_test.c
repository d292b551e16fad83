/* seal_key_test.c - forms of keys, known answers, which algorithm fits which key, many threads. */
#include "crypt/seal_key.h"

#include <pthread.h>

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#include "test/seal_key_rig.h"

/* ---- known answers -------------------------------------------------------------------------------------------------- */

static struct seal_use use_of(struct rig *rig, const struct seal_vector *vector)
{
    return (struct seal_use){.op = vector->op,
                             .algorithm = rf_str_of(vector->algorithm),
                             .value = rig_hex(rig, vector->value),
                             .signature = rig_hex(rig, vector->signature),
                             .iv = rig_hex(rig, vector->iv),
                             .aad = rig_hex(rig, vector->aad),
                             .tag = rig_hex(rig, vector->tag)};
}

Test(seal_key, gives_the_known_answers)
{
    struct rig rig;
    rig_init(&rig);
    for (size_t i = 0; i < RF_COUNT(seal_vectors); i++) {
        const struct seal_vector *vector = &seal_vectors[i];
        struct seal_key *key = rig_known(&rig, vector->material, vector->bits, vector->key);
        struct seal_use use = use_of(&rig, vector);
        for (int again = 0; again < 2; again++) { /* the second time with a tool that was used */
            struct seal_used used = rig_apply(&rig, key, &use);
            cr_assert(used.verified == (vector->op == SEAL_OP_VERIFY), "%s %s", vector->source,
                      vector->algorithm);
            cr_assert(rf_str_eq(used.value, rig_hex(&rig, vector->out)), "%s %s", vector->source,
                      vector->algorithm);
        }
        seal_key_free(key);
    }
    rig_done(&rig);
}

/* Whatever is turned around in any field of a vector that is to be checked shows. */
Test(seal_key, sees_each_changed_bit_of_the_known_answers)
{
    struct rig rig;
    rig_init(&rig);
    for (size_t i = 0; i < RF_COUNT(seal_vectors); i++) {
        const struct seal_vector *vector = &seal_vectors[i];
        bool is_mac = rf_str_find(rf_str_of(vector->algorithm), RF_S("CBC"), 0) == SIZE_MAX;
        if ((vector->op & (SEAL_OP_VERIFY | SEAL_OP_DECRYPT | SEAL_OP_UNWRAP)) == 0 || !is_mac)
            continue;
        struct seal_key *key = rig_known(&rig, vector->material, vector->bits, vector->key);
        struct seal_use use = use_of(&rig, vector);
        rf_str *const fields[] = {&use.value, &use.signature, &use.iv, &use.aad, &use.tag};
        for (size_t f = 0; f < RF_COUNT(fields); f++) {
            rf_str whole = *fields[f];
            uint8_t *copy = rig_copy(&rig, whole);
            *fields[f] = rf_str_make(copy, whole.len);
            /* The first and last bytes, and some between. */
            for (size_t at = 0; at < whole.len; at += RF_MAX(1, whole.len / 9)) {
                copy[at] ^= (uint8_t)(1 << at % 8);
                if (vector->op == SEAL_OP_VERIFY)
                    cr_assert(!rig_apply(&rig, key, &use).verified, "%s %zu", vector->algorithm,
                              at);
                else
                    rig_refused(&rig, key, &use, "SealInput");
                copy[at] ^= (uint8_t)(1 << at % 8);
            }
            *fields[f] = whole;
        }
        cr_assert(vector->op != SEAL_OP_VERIFY || rig_apply(&rig, key, &use).verified);
        seal_key_free(key);
    }
    rig_done(&rig);
}

/* ---- which algorithm fits which key --------------------------------------------------------------------------------- */

static const struct kind {
    enum seal_material material;
    uint32_t bits;
    const char *key;
} kinds[] = {{SEAL_RSA, 2048, KEY_BILBO},    {SEAL_P256, 0, KEY_P256},
             {SEAL_P384, 0, KEY_P384},       {SEAL_P521, 0, KEY_P521},
             {SEAL_P256K, 0, KEY_P256K},     {SEAL_OCT, 128, KEY_COUNT_128},
             {SEAL_OCT, 192, KEY_COUNT_192}, {SEAL_OCT, 256, KEY_COUNT_256}};

enum {
    C = SEAL_OP_ENCRYPT | SEAL_OP_DECRYPT,
    W = SEAL_OP_WRAP | SEAL_OP_UNWRAP,
    S = SEAL_OP_SIGN | SEAL_OP_VERIFY
};
/* As the table of the contract has it. */
static const struct fit {
    const char *algorithm;
    const char *kinds; /* of `kinds`, by place */
    unsigned ops;
    size_t value_bytes; /* that can be signed, encrypted or wrapped */
} fits[] = {{"RSA1_5", "0", C | W, 20},
            {"RSA-OAEP", "0", C | W, 20},
            {"RSA-OAEP-256", "0", C | W, 20},
            {"RS256", "0", S, 32},
            {"RS384", "0", S, 48},
            {"RS512", "0", S, 64},
            {"PS256", "0", S, 32},
            {"PS384", "0", S, 48},
            {"PS512", "0", S, 64},
            {"RSNULL", "0", S, 51},
            {"ES256", "1", S, 32},
            {"ES384", "2", S, 48},
            {"ES512", "3", S, 64},
            {"ES256K", "4", S, 32},
            {"A128GCM", "5", C, 20},
            {"A192GCM", "6", C, 20},
            {"A256GCM", "7", C, 20},
            {"A128CBC", "5", C, 32},
            {"A192CBC", "6", C, 32},
            {"A256CBC", "7", C, 32},
            {"A128CBCPAD", "5", C, 20},
            {"A192CBCPAD", "6", C, 20},
            {"A256CBCPAD", "7", C, 20},
            {"A128KW", "5", C | W, 24},
            {"A192KW", "6", C | W, 24},
            {"A256KW", "7", C | W, 24},
            {"CKM_AES_KEY_WRAP", "567", W, 24},
            {"CKM_AES_KEY_WRAP_PAD", "567", W, 20},
            {"HS256", "567", S, 20},
            {"HS384", "567", S, 20},
            {"HS512", "567", S, 20}};

static void round_trip(struct rig *rig, struct seal_key *key, const char *algorithm,
                       enum seal_op op, rf_str value)
{
    struct seal_use use = rig_use(algorithm, op, value);
    struct seal_used made = rig_apply(rig, key, &use);
    cr_assert(made.value.len > 0 && !rf_str_eq(made.value, value));
    if (op == SEAL_OP_SIGN) {
        cr_assert(rig_verifies(rig, key, algorithm, value, made.value), "%s", algorithm);
        return;
    }
    struct seal_use back = {.op = (enum seal_op)(op << 1),
                            .algorithm = use.algorithm,
                            .value = made.value,
                            .iv = made.iv,
                            .tag = made.tag};
    cr_assert(rf_str_eq(rig_apply(rig, key, &back).value, value), "%s", algorithm);
}

Test(seal_key, takes_each_algorithm_with_its_keys_and_operations_only)
{
    static const enum seal_op ops[] = {SEAL_OP_ENCRYPT, SEAL_OP_DECRYPT, SEAL_OP_SIGN,
                                       SEAL_OP_VERIFY,  SEAL_OP_WRAP,    SEAL_OP_UNWRAP};
    struct rig rig;
    uint8_t bytes[64];
    rig_init(&rig);
    memset(bytes, 7, sizeof bytes);
    for (size_t k = 0; k < RF_COUNT(kinds); k++) {
        struct seal_key *key = rig_known(&rig, kinds[k].material, kinds[k].bits, kinds[k].key);
        for (size_t i = 0; i < RF_COUNT(fits); i++) {
            bool fits_key = strchr(fits[i].kinds, (char)('0' + k)) != NULL;
            rf_str value = rf_str_make(bytes, fits[i].value_bytes);
            for (size_t o = 0; o < RF_COUNT(ops); o++) {
                struct seal_use use = rig_use(fits[i].algorithm, ops[o], value);
                if (!fits_key || (fits[i].ops & ops[o]) == 0)
                    rig_refused(&rig, key, &use, "SealAlgorithm");
                else if ((ops[o] & (SEAL_OP_ENCRYPT | SEAL_OP_WRAP | SEAL_OP_SIGN)) != 0)
                    round_trip(&rig, key, fits[i].algorithm, ops[o], value);
            }
        }
        seal_key_free(key);
    }
    rig_done(&rig);
}

Test(seal_key, refuses_names_of_algorithms_that_are_none)
{
    static const char *const names[] = {"",         "rs256",     "RS256 ",  "none",
                                        "HS1",      "A256GCMKW", "ECDH-ES", "%s%n",
                                        "RSA1_5\n", "A512GCM",   "ES256k"};
    struct rig rig;
    rig_init(&rig);
    struct seal_key *key = rig_known(&rig, SEAL_RSA, 2048, KEY_BILBO);
    for (size_t i = 0; i < RF_COUNT(names); i++) {
        struct seal_use use = rig_use(names[i], SEAL_OP_SIGN, RF_S("x"));
        rf_str text = rig_refused(&rig, key, &use, "SealAlgorithm");
        cr_assert(rf_str_find(text, RF_S("%"), 0) == SIZE_MAX);
        cr_assert(rf_str_find(text, RF_S("\n"), 0) == SIZE_MAX);
    }
    struct seal_use use = rig_use("RS256", 0, RF_S("x"));
    rig_refused(&rig, key, &use, "SealAlgorithm");
    use.op = (enum seal_op)(SEAL_OP_SIGN | SEAL_OP_ENCRYPT);
    rig_refused(&rig, key, &use, "SealAlgorithm");
    seal_key_free(key);
    rig_done(&rig);
}

/* ---- making and loading --------------------------------------------------------------------------------------------- */

Test(seal_key, makes_keys_that_load_and_work)
{
    static const struct {
        enum seal_material material;
        uint32_t bits;
        size_t public_bytes;
        const char *algorithm;
    } cases[] = {{SEAL_RSA, 2048, 294, "RS256"}, {SEAL_RSA, 3072, 422, "RS256"},
                 {SEAL_RSA, 4096, 550, "RS256"}, {SEAL_P256, 0, 91, "ES256"},
                 {SEAL_P384, 0, 120, "ES384"},   {SEAL_P521, 0, 158, "ES512"},
                 {SEAL_P256K, 0, 88, "ES256K"},  {SEAL_OCT, 128, 0, "HS256"},
                 {SEAL_OCT, 192, 0, "HS256"},    {SEAL_OCT, 256, 0, "HS256"}};
    struct rig rig;
    uint8_t bytes[64] = {1};
    rf_str public_key;
    rig_init(&rig);
    for (size_t i = 0; i < RF_COUNT(cases); i++) {
        struct seal_key *key = rig_new(&rig, cases[i].material, cases[i].bits);
        cr_assert(seal_key_public(key, &rig.arena, &public_key, &rig.err) == RF_OK);
        cr_assert(public_key.len == cases[i].public_bytes, "%zu: %zu", i, public_key.len);
        size_t digest = rf_str_is(RF_S("ES384"), cases[i].algorithm)   ? 48
                        : rf_str_is(RF_S("ES512"), cases[i].algorithm) ? 64
                                                                       : 32;
        round_trip(&rig, key, cases[i].algorithm, SEAL_OP_SIGN, rf_str_make(bytes, digest));
        seal_key_free(key);
    }
    rig_done(&rig);
}

static void not_loaded(struct rig *rig, const struct seal_head *head, rf_str material)
{
    struct seal_key *key = NULL;
    enum rf_kind kind = seal_key_load(head, material, &key, &rig->err);
    cr_assert(kind == RF_INVALID && key == NULL && strcmp(rig->err.code, "SealArgument") == 0,
              "%d: %s", (int)head->material, rig->err.text);
}

Test(seal_key, refuses_heads_that_say_something_else)
{
    static const struct {
        enum seal_material material;
        uint32_t bits;
    } heads[] = {{0, 0},           {SEAL_VALUE, 0},  {SEAL_RSA, 0},    {SEAL_RSA, 1024},
                 {SEAL_RSA, 2049}, {SEAL_RSA, 3072}, {SEAL_RSA, 8192}, {SEAL_P256, 256},
                 {SEAL_P384, 0},   {SEAL_P256K, 0},  {SEAL_OCT, 0},    {SEAL_OCT, 64},
                 {SEAL_OCT, 256},  {SEAL_OCT, 512},  {99, 0}};
    struct rig rig;
    rig_init(&rig);
    rf_str materials[] = {rig_hex(&rig, KEY_BILBO), rig_hex(&rig, KEY_P256),
                          rig_hex(&rig, KEY_COUNT_128), RF_S("")};
    for (size_t i = 0; i < RF_COUNT(heads); i++) {
        struct seal_head head = rig_head(heads[i].material, heads[i].bits);
        for (size_t m = 0; m < RF_COUNT(materials); m++) not_loaded(&rig, &head, materials[m]);
    }
    struct seal_head heads_of_no_key[] = {rig_head(SEAL_VALUE, 0), rig_head(SEAL_RSA, 1024),
                                          rig_head(SEAL_OCT, 512), rig_head(SEAL_P521, 521)};
    rf_str bytes;
    for (size_t i = 0; i < RF_COUNT(heads_of_no_key); i++)
        cr_assert(seal_key_make(&heads_of_no_key[i], &rig.arena, &bytes, &rig.err) == RF_INVALID);
    rig_done(&rig);
}

Test(seal_key, refuses_material_that_is_cut_longer_or_damaged)
{
    struct rig rig;
    rig_init(&rig);
    for (size_t k = 0; k < RF_COUNT(kinds); k++) {
        struct seal_head head = rig_head(kinds[k].material, kinds[k].bits);
        rf_str whole = rig_hex(&rig, kinds[k].key);
        uint8_t *longer = rf_arena_zalloc(&rig.arena, whole.len + 1);
        memcpy(longer, whole.ptr, whole.len);
        not_loaded(&rig, &head, rf_str_make(longer, whole.len + 1));
        for (size_t len = 0; len < whole.len; len += 1 + len / 16)
            not_loaded(&rig, &head, rf_slice(whole, 0, len));
    }
    static uint8_t zeros[16 << 10];
    struct seal_head head = rig_head(SEAL_RSA, 2048);
    not_loaded(&rig, &head, rf_str_make(zeros, sizeof zeros));
    rig_done(&rig);
}

/* A flipped bit anywhere either is refused or (in the few bytes that say nothing, such as versions of a form that readers ignore) changes nothing. */
Test(seal_key, refuses_a_flipped_bit_of_an_asymmetric_key)
{
    struct rig rig;
    rig_init(&rig);
    for (size_t k = 0; k < 5; k++) {
        struct seal_head head = rig_head(kinds[k].material, kinds[k].bits);
        rf_str whole = rig_hex(&rig, kinds[k].key), was, now;
        uint8_t *copy = rig_copy(&rig, whole);
        struct seal_key *key = rig_load(&rig, kinds[k].material, kinds[k].bits, whole);
        cr_assert(seal_key_public(key, &rig.arena, &was, &rig.err) == RF_OK);
        seal_key_free(key);
        size_t taken = 0;
        for (size_t at = 0; at < whole.len; at += kinds[k].material == SEAL_RSA ? 7 : 1) {
            copy[at] ^= (uint8_t)(1 << at % 8);
            if (seal_key_load(&head, rf_str_make(copy, whole.len), &key, &rig.err) == RF_OK) {
                taken++;
                cr_assert(seal_key_public(key, &rig.arena, &now, &rig.err) == RF_OK);
                cr_assert(rf_str_eq(was, now), "%zu at %zu", k, at);
                seal_key_free(key);
            }
            copy[at] ^= (uint8_t)(1 << at % 8);
        }
        cr_assert(taken <= 2, "%zu: %zu", k, taken);
    }
    rig_done(&rig);
}

/* ---- RSA keys that do not fit together ---------------------------------------------------------------------------------- */

static rf_str pkcs8(struct rig *rig, EVP_PKEY *pkey)
{
    uint8_t *der = NULL;
    PKCS8_PRIV_KEY_INFO *info = EVP_PKEY2PKCS8(pkey);
    cr_assert(info != NULL);
    int len = i2d_PKCS8_PRIV_KEY_INFO(info, &der);
    rf_str out;
    cr_assert(len > 0 && rf_arena_str(&rig->arena, rf_str_make(der, (size_t)len), &out));
    OPENSSL_free(der);
    PKCS8_PRIV_KEY_INFO_free(info);
    return out;
}

enum { N, E, D, P, Q, DP, DQ, QI, PARTS };
static const char *const names[PARTS] = {
    OSSL_PKEY_PARAM_RSA_N,         OSSL_PKEY_PARAM_RSA_E,           OSSL_PKEY_PARAM_RSA_D,
    OSSL_PKEY_PARAM_RSA_FACTOR1,   OSSL_PKEY_PARAM_RSA_FACTOR2,     OSSL_PKEY_PARAM_RSA_EXPONENT1,
    OSSL_PKEY_PARAM_RSA_EXPONENT2, OSSL_PKEY_PARAM_RSA_COEFFICIENT1};

static rf_str rsa_of(struct rig *rig, BIGNUM *const part[PARTS])
{
    OSSL_PARAM_BLD *builder = OSSL_PARAM_BLD_new();
    for (int i = 0; i < PARTS; i++) cr_assert(OSSL_PARAM_BLD_push_BN(builder, names[i], part[i]));
    OSSL_PARAM *params = OSSL_PARAM_BLD_to_param(builder);
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "RSA", NULL);
    EVP_PKEY *pkey = NULL;
    cr_assert(EVP_PKEY_fromdata_init(ctx) == 1 &&
              EVP_PKEY_fromdata(ctx, &pkey, EVP_PKEY_KEYPAIR, params) == 1);
    rf_str out = pkcs8(rig, pkey);
    EVP_PKEY_free(pkey);
    EVP_PKEY_CTX_free(ctx);
    OSSL_PARAM_free(params);
    OSSL_PARAM_BLD_free(builder);
    return out;
}

/* All parts but p and q, from these. */
static void complete(BIGNUM *part[PARTS])
{
    BN_CTX *ctx = BN_CTX_new();
    BIGNUM *p1 = BN_dup(part[P]), *q1 = BN_dup(part[Q]), *phi = BN_new();
    cr_assert(BN_sub_word(p1, 1) && BN_sub_word(q1, 1) && BN_mul(phi, p1, q1, ctx));
    cr_assert(BN_mul(part[N], part[P], part[Q], ctx));
    cr_assert(BN_mod_inverse(part[D], part[E], phi, ctx) != NULL);
    cr_assert(BN_mod(part[DP], part[D], p1, ctx) && BN_mod(part[DQ], part[D], q1, ctx));
    cr_assert(BN_mod_inverse(part[QI], part[Q], part[P], ctx) != NULL);
    BN_free(p1);
    BN_free(q1);
    BN_free(phi);
    BN_CTX_free(ctx);
}

Test(seal_key, refuses_rsa_keys_whose_parts_are_not_one_keys)
{
    struct rig rig;
    struct seal_head head = rig_head(SEAL_RSA, 2048);
    EVP_PKEY *pkey = EVP_RSA_gen(2048);
    BIGNUM *part[PARTS] = {0};
    rig_init(&rig);
    for (int i = 0; i < PARTS; i++) cr_assert(EVP_PKEY_get_bn_param(pkey, names[i], &part[i]) == 1);
    struct seal_key *key = rig_load(&rig, SEAL_RSA, 2048, rsa_of(&rig, part));
    seal_key_free(key);
    for (int i = 0; i < PARTS; i++) {
        BN_add_word(part[i], 2);
        not_loaded(&rig, &head, rsa_of(&rig, part));
        BN_sub_word(part[i], 2);
    }
    BN_swap(part[P], part[Q]); /* dp, dq and qi are for the other order */
    not_loaded(&rig, &head, rsa_of(&rig, part));
    complete(part);
    seal_key_free(rig_load(&rig, SEAL_RSA, 2048, rsa_of(&rig, part)));

    BN_set_word(part[E], 3); /* a whole key, but for its exponent */
    cr_assert(BN_generate_prime_ex(part[P], 1024, 0, NULL, NULL, NULL));
    while (BN_mod_word(part[P], 3) != 2)
        cr_assert(BN_generate_prime_ex(part[P], 1024, 0, NULL, NULL, NULL));
    do cr_assert(BN_generate_prime_ex(part[Q], 1024, 0, NULL, NULL, NULL));
    while (BN_mod_word(part[Q], 3) != 2);
    complete(part);
    not_loaded(&rig, &head, rsa_of(&rig, part));

    BN_set_word(part[E], 65537); /* p no prime */
    do BN_add_word(part[P], 2);
    while (BN_check_prime(part[P], NULL, NULL) != 0);
    complete(part);
    not_loaded(&rig, &head, rsa_of(&rig, part));
    for (int i = 0; i < PARTS; i++) BN_free(part[i]);
    EVP_PKEY_free(pkey);
    rig_done(&rig);
}

/* ---- EC keys --------------------------------------------------------------------------------------------------------------- */

/* The private half of one key with the public half of another, and a point that is off the curve. */
Test(seal_key, refuses_ec_keys_whose_halves_do_not_fit)
{
    struct rig rig;
    rig_init(&rig);
    for (size_t k = 1; k < 5; k++) {
        struct seal_head head = rig_head(kinds[k].material, 0);
        rf_str mine = rig_hex(&rig, kinds[k].key), other;
        cr_assert(seal_key_make(&head, &rig.arena, &other, &rig.err) == RF_OK);
        size_t point = mine.len > 200 ? 133 : mine.len > 150 ? 97 : 65; /* at the end */
        cr_assert(mine.len == other.len);
        uint8_t *mixed = rig_copy(&rig, mine);
        memcpy(mixed + mine.len - point, other.ptr + mine.len - point, point);
        not_loaded(&rig, &head, rf_str_make(mixed, mine.len));
        memcpy(mixed, mine.ptr, mine.len);
        memset(mixed + mine.len - 8, 0, 8);
        not_loaded(&rig, &head, rf_str_make(mixed, mine.len));
    }
    rig_done(&rig);
}

static rf_str ec_in_form(struct rig *rig, const char *form, const char *encoding)
{
    EVP_PKEY *pkey = EVP_EC_gen("P-256");
    cr_assert(EVP_PKEY_set_utf8_string_param(pkey, OSSL_PKEY_PARAM_EC_POINT_CONVERSION_FORMAT,
                                             form) == 1);
    cr_assert(EVP_PKEY_set_utf8_string_param(pkey, OSSL_PKEY_PARAM_EC_ENCODING, encoding) == 1);
    rf_str out = pkcs8(rig, pkey);
    EVP_PKEY_free(pkey);
    return out;
}

Test(seal_key, gives_one_form_of_a_public_key_and_takes_named_curves_only)
{
    struct rig rig;
    rf_str public_key;
    rig_init(&rig);
    struct seal_head head = rig_head(SEAL_P256, 0);
    struct seal_key *key =
        rig_load(&rig, SEAL_P256, 0, ec_in_form(&rig, "compressed", "named_curve"));
    cr_assert(seal_key_public(key, &rig.arena, &public_key, &rig.err) == RF_OK);
    cr_assert(public_key.len == 91 && public_key.ptr[26] == 4);
    seal_key_free(key);
    not_loaded(&rig, &head, ec_in_form(&rig, "uncompressed", "explicit"));
    rig_done(&rig);
}

/* The same bytes under other names of the type. */
Test(seal_key, refuses_a_curve_for_another_and_rsa_pss_for_rsa)
{
    static const enum seal_material curves[] = {SEAL_P256, SEAL_P384, SEAL_P521, SEAL_P256K};
    struct rig rig;
    rig_init(&rig);
    for (size_t k = 1; k < 5; k++)
        for (size_t c = 0; c < RF_COUNT(curves); c++) {
            struct seal_head head = rig_head(curves[c], 0);
            if (curves[c] != kinds[k].material)
                not_loaded(&rig, &head, rig_hex(&rig, kinds[k].key));
        }
    EVP_PKEY *pss = EVP_PKEY_Q_keygen(NULL, NULL, "RSA-PSS"),
             *ed = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    struct seal_head head = rig_head(SEAL_RSA, 2048), curve = rig_head(SEAL_P256, 0);
    cr_assert(ed != NULL);
    if (pss != NULL) not_loaded(&rig, &head, pkcs8(&rig, pss));
    not_loaded(&rig, &curve, pkcs8(&rig, ed));
    EVP_PKEY_free(pss);
    EVP_PKEY_free(ed);
    rig_done(&rig);
}

/* ---- threads ------------------------------------------------------------------------------------------------------------------ */

struct worker {
    pthread_t thread;
    struct seal_key *rsa, *ec, *oct;
    unsigned number;
    bool good;
};

static void *work(void *ctx)
{
    enum { ROUNDS = 60 };
    struct worker *worker = ctx;
    struct rig rig;
    uint8_t bytes[32];
    static const char *const with_rsa[] = {"RS256", "PS256"}, *const with_oct[] = {"A128GCM",
                                                                                   "A128CBCPAD",
                                                                                   "A128KW"};
    rig_init(&rig);
    for (unsigned i = 0; i < ROUNDS; i++) {
        memset(bytes, (int)(worker->number * ROUNDS + i), sizeof bytes);
        rf_str value = rf_str_make(bytes, sizeof bytes);
        round_trip(&rig, worker->ec, "ES256", SEAL_OP_SIGN, value);
        round_trip(&rig, worker->oct, with_oct[(i + worker->number) % 3], SEAL_OP_ENCRYPT, value);
        round_trip(&rig, worker->oct, "HS256", SEAL_OP_SIGN, value);
        if (i % 8 == 0)
            round_trip(&rig, worker->rsa, with_rsa[worker->number % 2], SEAL_OP_SIGN, value);
        if (i % 8 == 4) round_trip(&rig, worker->rsa, "RSA1_5", SEAL_OP_ENCRYPT, value);
    }
    rig_done(&rig);
    worker->good = true;
    return NULL;
}

Test(seal_key, serves_many_threads_with_one_key)
{
    enum { THREADS = 8 };
    struct worker workers[THREADS];
    struct rig rig;
    rig_init(&rig);
    struct seal_key *rsa = rig_known(&rig, SEAL_RSA, 2048, KEY_BILBO),
                    *ec = rig_known(&rig, SEAL_P256, 0, KEY_P256),
                    *oct = rig_known(&rig, SEAL_OCT, 128, KEY_COUNT_128);
    for (unsigned i = 0; i < THREADS; i++) {
        workers[i] = (struct worker){.rsa = rsa, .ec = ec, .oct = oct, .number = i};
        cr_assert(pthread_create(&workers[i].thread, NULL, work, &workers[i]) == 0);
    }
    for (unsigned i = 0; i < THREADS; i++) {
        pthread_join(workers[i].thread, NULL);
        cr_assert(workers[i].good);
    }
    seal_key_free(rsa);
    seal_key_free(ec);
    seal_key_free(oct);
    seal_key_free(NULL);
    rig_done(&rig);
}
