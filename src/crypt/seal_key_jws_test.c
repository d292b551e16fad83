/* seal_key_jws_test.c - what keys of accounts at outside authorities sign, through the keeper and without a token. */
#include <openssl/ecdsa.h>
#include <openssl/x509.h>

#include "base/encode.h"
#include "crypt/digest.h"
#include "test/vault_seal_rig.h"

static rf_str part(struct seal_rig *r, const char *json)
{
    return base64url_encode(&r->arena, rf_str_of(json));
}

static rf_str input_of(struct seal_rig *r, const char *header, const char *payload)
{
    return rf_arena_printf(&r->arena, "%.*s.%.*s", RF_FMT(part(r, header)),
                           RF_FMT(part(r, payload)));
}

static enum rf_kind sign(struct seal_rig *r, const struct seal_ring *ring, rf_str sealed,
                         rf_str input, rf_str *out)
{
    return seal_certify(r->keeper, (rf_str){0}, ring, sealed, SEAL_SIGN_JWS, (rf_str){0}, input,
                        &r->arena, out, &r->err);
}

static bool verifies(rf_str public_key, rf_str input, rf_str signature)
{
    uint8_t digest[SHA256_BYTES], *der = NULL;
    const uint8_t *at = public_key.ptr;
    EVP_PKEY *key = d2i_PUBKEY(NULL, &at, (long)public_key.len);
    ECDSA_SIG *numbers = ECDSA_SIG_new();
    cr_assert(key != NULL && signature.len == 64);
    cr_assert(ECDSA_SIG_set0(numbers, BN_bin2bn(signature.ptr, 32, NULL),
                             BN_bin2bn(signature.ptr + 32, 32, NULL)) == 1);
    int len = i2d_ECDSA_SIG(numbers, &der);
    digest_sha256(input, digest);
    EVP_PKEY_CTX *check = EVP_PKEY_CTX_new(key, NULL);
    bool good = EVP_PKEY_verify_init(check) == 1 &&
                EVP_PKEY_verify(check, der, (size_t)len, digest, sizeof digest) == 1;
    EVP_PKEY_CTX_free(check);
    OPENSSL_free(der);
    ECDSA_SIG_free(numbers);
    EVP_PKEY_free(key);
    return good;
}

static struct seal_head account_head(enum seal_material material, uint32_t bits)
{
    struct seal_head head = seal_rig_head(material, bits, 1);
    head.managed = true;
    head.ops = 0;
    return head;
}

#define URL "\"url\":\"https://ca.example/new-order\""

Test(seal_key_jws, an_account_s_key_signs_messages_of_acme_and_nothing_else)
{
    struct seal_rig r;
    rf_str signature;
    seal_rig_init(&r);
    struct seal_ring ring = seal_rig_ring(&r, 1, 30, SEAL_CERTIFICATE);
    struct seal_head head = account_head(SEAL_P256, 0);
    struct sealed key = seal_rig_key(&r, &ring, &head);
    static const char *const good[][2] = {
        {"{\"alg\":\"ES256\",\"kid\":\"https://ca.example/a/1\",\"nonce\":\"x\"," URL "}",
         "{\"a\":1}"},
        {"{\"alg\":\"ES256\",\"kid\":\"k\",\"nonce\":\"x\"," URL "}", ""},
        {"{\"alg\":\"ES256\",\"jwk\":{\"kty\":\"EC\"},\"nonce\":\"x\"," URL "}", "{}"}};
    for (size_t i = 0; i < RF_COUNT(good); i++) {
        rf_str input = input_of(&r, good[i][0], good[i][1]);
        seal_must(&r, sign(&r, &ring, key.version, input, &signature));
        cr_expect(verifies(key.public_key, input, signature));
    }
    static const char *const bad[][2] = {
        {"{\"alg\":\"ES256\",\"kid\":\"k\",\"nonce\":\"x\"}", "{}"},
        {"{\"alg\":\"ES256\",\"kid\":\"k\"," URL "}", "{}"},
        {"{\"alg\":\"ES256\",\"kid\":\"k\",\"nonce\":\"\"," URL "}", "{}"},
        {"{\"alg\":\"HS256\",\"kid\":\"k\",\"nonce\":\"x\"," URL "}", "{}"},
        {"{\"alg\":\"ES256\",\"kid\":\"k\",\"typ\":\"JWT\"}", "{\"iss\":\"https://localhost/\"}"},
        {"{\"alg\":\"ES256\",\"kid\":\"k\",\"jwk\":{},\"nonce\":\"x\"," URL "}", "{}"},
        {"{\"alg\":\"ES256\",\"kid\":\"k\",\"nonce\":\"x\",\"url\":\"http://ca.example/\"}", "{}"},
        {"{\"alg\":\"ES256\",\"kid\":\"k\",\"nonce\":\"x\"," URL "}", "[1]"},
        {"[]", "{}"},
        {"", "{}"}};
    for (size_t i = 0; i < RF_COUNT(bad); i++)
        seal_refused(&r, "SealArgument",
                     sign(&r, &ring, key.version, input_of(&r, bad[i][0], bad[i][1]), &signature));
    seal_refused(&r, "SealArgument", sign(&r, &ring, key.version, RF_S("e30"), &signature));
    seal_refused(&r, "SealArgument", sign(&r, &ring, key.version, RF_S("!.e30"), &signature));
    /* Of such an item no certificate is signed, and nobody uses its key otherwise. */
    seal_refused(&r, "SealArgument",
                 seal_certify(r.keeper, (rf_str){0}, &ring, key.version, SEAL_SIGN_REQUEST,
                              (rf_str){0}, RF_S("x"), &r.arena, &signature, &r.err));
    struct seal_used used;
    uint8_t digest[SHA256_BYTES] = {1};
    struct seal_use use = {.op = SEAL_OP_SIGN,
                           .algorithm = RF_S("ES256"),
                           .value = rf_str_make(digest, sizeof digest)};
    seal_refused(
        &r, "SealOperation",
        seal_key_use(r.keeper, r.token, &ring, key.version, &use, &r.arena, &used, &r.err));
    seal_rig_done(&r);
}

Test(seal_key_jws, other_keys_sign_none)
{
    struct seal_rig r;
    rf_str signature, header = RF_S("{\"alg\":\"ES256\",\"kid\":\"k\",\"nonce\":\"x\"," URL "}");
    seal_rig_init(&r);
    struct seal_ring ring = seal_rig_ring(&r, 1, 31, SEAL_KEY);
    struct seal_head head = seal_rig_head(SEAL_P256, 0, 1);
    struct sealed key = seal_rig_key(&r, &ring, &head);
    rf_str input = input_of(&r, (const char *)header.ptr, "{}");
    seal_refused(&r, "SealArgument", sign(&r, &ring, key.version, input, &signature));
    ring.kind = SEAL_CERTIFICATE; /* under a false name */
    seal_refused(&r, "SealBroken", sign(&r, &ring, key.version, input, &signature));
    struct seal_ring rsa_ring = seal_rig_ring(&r, 1, 32, SEAL_CERTIFICATE);
    struct seal_head rsa_head = account_head(SEAL_P384, 0);
    struct sealed rsa = seal_rig_key(&r, &rsa_ring, &rsa_head);
    seal_refused(&r, "SealArgument", sign(&r, &rsa_ring, rsa.version, input, &signature));
    seal_rig_done(&r);
}

Test(seal_key_jws, an_hmac_key_proves_an_external_account)
{
    struct seal_rig r;
    rf_str mac;
    uint8_t material[64] = "sixteen bytes...", wanted[SHA256_BYTES];
    seal_rig_init(&r);
    struct seal_ring ring = seal_rig_ring(&r, 1, 33, SEAL_CERTIFICATE);
    struct seal_head head = account_head(SEAL_OCT, 512);
    struct sealed key;
    seal_refused(&r, "SealToken",
                 seal_put(r.keeper, (rf_str){0}, &ring, &head,
                          rf_str_make(material, sizeof material), &r.arena, &key, &r.err));
    seal_must(&r, seal_put(r.keeper, r.token, &ring, &head, rf_str_make(material, sizeof material),
                           &r.arena, &key, &r.err));
    ring.item_key = key.item_key;
    rf_str input = input_of(&r, "{\"alg\":\"HS256\",\"kid\":\"k\"," URL "}", "{\"kty\":\"EC\"}");
    seal_must(&r, sign(&r, &ring, key.version, input, &mac));
    /* Zeros behind a key of 64 bytes or fewer change nothing (RFC 2104). */
    digest_hmac_sha256(RF_S("sixteen bytes..."), input, wanted);
    cr_expect(rf_str_eq(mac, rf_str_make(wanted, sizeof wanted)));
    static const char *const bad[][2] = {
        {"{\"alg\":\"HS256\",\"kid\":\"k\"," URL "}", "{}"},
        {"{\"alg\":\"HS256\",\"kid\":\"k\"," URL "}", ""},
        {"{\"alg\":\"HS256\",\"kid\":\"k\",\"nonce\":\"x\"," URL "}", "{\"kty\":\"EC\"}"},
        {"{\"alg\":\"ES256\",\"kid\":\"k\",\"nonce\":\"x\"," URL "}", "{\"kty\":\"EC\"}"}};
    for (size_t i = 0; i < RF_COUNT(bad); i++)
        seal_refused(&r, "SealArgument",
                     sign(&r, &ring, key.version, input_of(&r, bad[i][0], bad[i][1]), &mac));
    seal_rig_done(&r);
}
