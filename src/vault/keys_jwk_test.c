#include <openssl/x509.h>

#include "test/rf_prop.h"
#include "vault/keys_world.h"

static EVP_PKEY *read_back(rf_str material)
{
    const uint8_t *at = material.ptr;
    PKCS8_PRIV_KEY_INFO *info = d2i_PKCS8_PRIV_KEY_INFO(NULL, &at, (long)material.len);
    cr_assert(info != NULL && at == material.ptr + material.len);
    EVP_PKEY *key = EVP_PKCS82PKEY(info);
    PKCS8_PRIV_KEY_INFO_free(info);
    cr_assert(key != NULL);
    return key;
}

static void reads_as(struct rf_arena *arena, const struct json_node *jwk, EVP_PKEY *key,
                     enum seal_material wanted, uint32_t bits)
{
    struct seal_head head = {0};
    rf_str material;
    struct rf_err err;
    cr_assert(vault_jwk_read(jwk, arena, &head, &material, &err) == RF_OK, "%s", err.text);
    cr_assert(head.material == wanted && head.bits == bits);
    EVP_PKEY *back = read_back(material);
    cr_assert(EVP_PKEY_eq(key, back) == 1);
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(back, NULL);
    cr_assert(EVP_PKEY_check(ctx) == 1, "all numbers fit, those that were found too");
    EVP_PKEY_CTX_free(ctx);
    EVP_PKEY_free(back);
}

static void refuses(struct rf_arena *arena, const struct json_node *jwk, const char *names)
{
    struct seal_head head;
    rf_str material;
    struct rf_err err = {0};
    cr_assert(vault_jwk_read(jwk, arena, &head, &material, &err) == RF_INVALID, "%s", names);
    cr_assert(strstr(err.text, names) != NULL, "'%s' does not name %s", err.text, names);
}

static const struct {
    const char *curve, *group;
    enum seal_material material;
    int bytes;
} curves[] = {{"P-256", "P-256", SEAL_P256, 32},
              {"P-384", "P-384", SEAL_P384, 48},
              {"P-521", "P-521", SEAL_P521, 66},
              {"P-256K", "secp256k1", SEAL_P256K, 32},
              {"SECP256K1", "secp256k1", SEAL_P256K, 32}};

/* With short coordinates too, which some writers do not fill up: every 128th key has one. */
RF_PROP(jwk_of_a_curve_comes_back, 200)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 1u << 20);
    size_t i = rf_test_below(prng, RF_COUNT(curves));
    EVP_PKEY *key = EVP_EC_gen(curves[i].group);
    cr_assert(key != NULL);
    int bytes = rf_test_bool(prng) ? curves[i].bytes : 0;
    reads_as(&arena, k_jwk_ec(&arena, key, curves[i].curve, bytes), key, curves[i].material, 0);
    EVP_PKEY_free(key);
}

RF_PROP(jwk_bytes_are_read_in_each_alphabet, 500)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 1u << 20);
    uint8_t raw[200];
    rf_str got, bytes = rf_str_make(raw, rf_test_below(prng, sizeof raw));
    struct rf_err err;
    for (size_t i = 0; i < bytes.len; i++) raw[i] = (uint8_t)rf_test_u64(prng);
    rf_str text = base64url_encode(&arena, bytes);
    cr_assert(vault_key_bytes(&arena, text, &got, &err) == RF_OK && rf_str_eq(got, bytes));
    char standard[300];
    size_t len = 0;
    for (; len < text.len; len++)
        standard[len] = text.ptr[len] == '-' ? '+' : text.ptr[len] == '_' ? '/' : text.ptr[len];
    while (len % 4 != 0) standard[len++] = '=';
    text = rf_str_make((const uint8_t *)standard, len);
    cr_assert(vault_key_bytes(&arena, text, &got, &err) == RF_OK && rf_str_eq(got, bytes));
}

Test(vault_keys_jwk, refuses_bytes_that_are_none)
{
    static const char *const cases[] = {"A", "AA=", "AA===", "AAA==", "A A", "AAAA=", "!!", "AA=A"};
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 1u << 20);
    for (size_t i = 0; i < RF_COUNT(cases); i++) {
        rf_str got;
        struct rf_err err;
        cr_assert(vault_key_bytes(&arena, rf_str_of(cases[i]), &got, &err) == RF_INVALID, "%s",
                  cases[i]);
    }
}

Test(vault_keys_jwk, finds_primes_of_d_alone)
{
    static const unsigned sizes[] = {2048, 3072, 4096};
    for (size_t i = 0; i < RF_COUNT(sizes); i++) {
        RF_CLEANUP(rf_arena_done) struct rf_arena arena;
        rf_arena_init(&arena, 1u << 20);
        EVP_PKEY *key = EVP_RSA_gen(sizes[i]);
        cr_assert(key != NULL);
        reads_as(&arena, k_jwk_rsa(&arena, key, true), key, SEAL_RSA, sizes[i]);
        reads_as(&arena, k_jwk_rsa(&arena, key, false), key, SEAL_RSA, sizes[i]);
        EVP_PKEY_free(key);
    }
}

static void set(struct rf_arena *arena, struct json_node *jwk, const char *name, rf_str value)
{
    cr_assert(json_set_text(arena, jwk, name, value) != NULL);
}

Test(vault_keys_jwk, refuses_rsa_keys_that_do_not_hold)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 4u << 20);
    EVP_PKEY *key = EVP_RSA_gen(2048), *other = EVP_RSA_gen(2048), *weak = EVP_RSA_gen(1024);
    struct json_node *jwk = k_jwk_rsa(&arena, key, false);
    set(&arena, jwk, "d", k_number(&arena, other, OSSL_PKEY_PARAM_RSA_D, 0));
    refuses(&arena, jwk, "'d'");
    set(&arena, jwk, "d", RF_S("AQ")); /* e*d - 1 is even and not 0, but no power of it is 1 */
    refuses(&arena, jwk, "'d'");
    jwk = k_jwk_rsa(&arena, key, false);
    json_remove(jwk, RF_S("d"));
    refuses(&arena, jwk, "'d'");
    jwk = k_jwk_rsa(&arena, key, true);
    json_remove(jwk, RF_S("dq"));
    refuses(&arena, jwk, "all or not at all");
    jwk = k_jwk_rsa(&arena, key, true);
    set(&arena, jwk, "e", RF_S("Aw"));
    refuses(&arena, jwk, "65537");
    set(&arena, jwk, "e", RF_S("A*"));
    refuses(&arena, jwk, "'e'");
    json_set_i64(&arena, jwk, "e", 65537);
    refuses(&arena, jwk, "'e'");
    refuses(&arena, k_jwk_rsa(&arena, weak, true), "2048, 3072 or 4096");
    EVP_PKEY_free(key);
    EVP_PKEY_free(other);
    EVP_PKEY_free(weak);
}

Test(vault_keys_jwk, refuses_other_keys_that_do_not_hold)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 1u << 20);
    EVP_PKEY *key = EVP_EC_gen("P-256"), *other = EVP_EC_gen("P-256");
    struct json_node *jwk = k_jwk_ec(&arena, key, "P-256", 32);
    set(&arena, jwk, "y", k_number(&arena, other, OSSL_PKEY_PARAM_EC_PUB_Y, 32));
    refuses(&arena, jwk, "make no key"); /* not on the curve */
    jwk = k_jwk_ec(&arena, key, "P-256", 32);
    json_remove(jwk, RF_S("d"));
    refuses(&arena, jwk, "'d'");
    jwk = k_jwk_ec(&arena, key, "P-192", 32);
    refuses(&arena, jwk, "curve");
    jwk = k_jwk_ec(&arena, key, "P-256", 33); /* longer than the field */
    refuses(&arena, jwk, "'x'");
    struct json_node *oct = json_new(&arena, JSON_T_OBJECT);
    set(&arena, oct, "kty", RF_S("oct"));
    refuses(&arena, oct, "'k'");
    set(&arena, oct, "k", RF_S("AAAA"));
    refuses(&arena, oct, "128, 192 or 256");
    set(&arena, oct, "kty", RF_S("OKP"));
    refuses(&arena, oct, "'kty'");
    EVP_PKEY_free(key);
    EVP_PKEY_free(other);
}
