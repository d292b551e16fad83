#include "acme/acme_int.h"
#include "base/encode.h"
#include "crypt/digest.h"
#include "crypt/x509.h"
#include "test/rf_prop.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>

struct world {
    struct rf_arena arena;
    EVP_PKEY *key;
    struct json_node *jwk;
    struct rf_err err;
};

static rf_str number(struct world *w, const char *name, int bytes)
{
    BIGNUM *n = NULL;
    uint8_t *out = rf_arena_alloc(&w->arena, 512);
    cr_assert(EVP_PKEY_get_bn_param(w->key, name, &n) == 1);
    int len = bytes > 0 ? BN_bn2binpad(n, out, bytes) : BN_bn2bin(n, out);
    BN_free(n);
    return base64url_encode(&w->arena, rf_str_make(out, (size_t)len));
}

static void open_world(struct world *w, enum key_kind kind)
{
    *w = (struct world){0};
    rf_arena_init(&w->arena, 4 << 20);
    cr_assert(key_make(kind, &w->key, &w->err) == RF_OK);
    w->jwk = json_new(&w->arena, JSON_T_OBJECT);
    if (kind == KEY_P256) {
        json_set_text(&w->arena, w->jwk, "kty", RF_S("EC"));
        json_set_text(&w->arena, w->jwk, "crv", RF_S("P-256"));
        json_set_text(&w->arena, w->jwk, "x", number(w, OSSL_PKEY_PARAM_EC_PUB_X, 32));
        json_set_text(&w->arena, w->jwk, "y", number(w, OSSL_PKEY_PARAM_EC_PUB_Y, 32));
    } else {
        json_set_text(&w->arena, w->jwk, "kty", RF_S("RSA"));
        json_set_text(&w->arena, w->jwk, "n", number(w, OSSL_PKEY_PARAM_RSA_N, 0));
        json_set_text(&w->arena, w->jwk, "e", number(w, OSSL_PKEY_PARAM_RSA_E, 0));
    }
}

static void close_world(struct world *w)
{
    EVP_PKEY_free(w->key);
    rf_arena_done(&w->arena);
}

static rf_str sign(struct world *w, rf_str input)
{
    uint8_t der[512], raw[64];
    size_t len = sizeof der;
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    cr_assert(EVP_DigestSignInit(ctx, NULL, EVP_sha256(), NULL, w->key) == 1);
    cr_assert(EVP_DigestSign(ctx, der, &len, input.ptr, input.len) == 1);
    EVP_MD_CTX_free(ctx);
    if (!EVP_PKEY_is_a(w->key, "EC")) return base64url_encode(&w->arena, rf_str_make(der, len));
    const uint8_t *at = der;
    ECDSA_SIG *pair = d2i_ECDSA_SIG(NULL, &at, (long)len);
    BN_bn2binpad(ECDSA_SIG_get0_r(pair), raw, 32);
    BN_bn2binpad(ECDSA_SIG_get0_s(pair), raw + 32, 32);
    ECDSA_SIG_free(pair);
    return base64url_encode(&w->arena, rf_str_make(raw, sizeof raw));
}

/* The header is a text of JSON in which JWK stands for the key. */
static struct json_node *request(struct world *w, const char *header, const char *payload)
{
    struct rf_arena *arena = &w->arena;
    struct json_node *out = json_new(arena, JSON_T_OBJECT);
    rf_str text = rf_str_of(header);
    size_t at = rf_str_find(text, RF_S("JWK"), 0);
    if (at != SIZE_MAX)
        text = rf_arena_printf(arena, "%.*s%.*s%.*s", (int)at, header,
                               RF_FMT(json_to_text(arena, w->jwk)),
                               RF_FMT(rf_slice(text, at + 3, text.len)));
    rf_str protected = base64url_encode(arena, text);
    rf_str body = base64url_encode(arena, rf_str_of(payload));
    rf_str input = rf_arena_printf(arena, "%.*s.%.*s", RF_FMT(protected), RF_FMT(body));
    json_set_text(arena, out, "protected", protected);
    json_set_text(arena, out, "payload", body);
    json_set_text(arena, out, "signature", sign(w, input));
    return out;
}

#define EC_HEADER "{\"alg\":\"ES256\",\"jwk\":JWK,\"nonce\":\"n\",\"url\":\"u\"}"

Test(acme_jws, what_is_signed_by_the_key_is_taken)
{
    static const struct {
        enum key_kind kind;
        const char *header;
    } cases[] = {{KEY_P256, EC_HEADER},
                 {KEY_RSA_2048, "{\"alg\":\"RS256\",\"jwk\":JWK,\"nonce\":\"n\",\"url\":\"u\"}"}};
    for (size_t i = 0; i < RF_COUNT(cases); i++) {
        struct world w;
        struct acme_jws jws;
        rf_str thumbprint, again;
        struct json_node *needed;
        open_world(&w, cases[i].kind);
        struct json_node *object = request(&w, cases[i].header, "{\"a\":1}");
        cr_assert(acme_jws_read(object, ACME_JWS_REQUEST, &w.arena, &jws, &w.err) == RF_OK, "%s",
                  w.err.text);
        cr_assert(rf_str_is(jws.payload, "{\"a\":1}") && rf_str_is(jws.nonce, "n") &&
                  rf_str_is(jws.url, "u") && jws.kid.len == 0);
        cr_assert(acme_jws_check(&jws, jws.jwk, &w.err) == RF_OK, "%s", w.err.text);
        cr_assert(acme_thumbprint(jws.jwk, &w.arena, &thumbprint, &needed, &w.err) == RF_OK);
        json_set_text(&w.arena, needed, "use", RF_S("sig")); /* does not count */
        cr_assert(acme_thumbprint(needed, &w.arena, &again, NULL, &w.err) == RF_OK);
        cr_assert(rf_str_eq(thumbprint, again) && thumbprint.len == 43);
        /* Another payload under the same signature, another key, another algorithm. */
        json_set_text(&w.arena, object, "payload", base64url_encode(&w.arena, RF_S("{}")));
        cr_assert(acme_jws_read(object, ACME_JWS_REQUEST, &w.arena, &jws, &w.err) == RF_OK);
        cr_assert(acme_jws_check(&jws, jws.jwk, &w.err) == RF_INVALID &&
                  strcmp(w.err.code, "malformed") == 0);
        close_world(&w);
    }
}

Test(acme_jws, a_signature_is_of_the_key_that_is_asked_for)
{
    struct world one, other;
    struct acme_jws jws;
    open_world(&one, KEY_P256);
    open_world(&other, KEY_P256);
    cr_assert(acme_jws_read(request(&one, EC_HEADER, "{}"), ACME_JWS_REQUEST, &one.arena, &jws,
                            &one.err) == RF_OK);
    cr_assert(acme_jws_check(&jws, other.jwk, &one.err) == RF_INVALID);
    cr_assert(acme_jws_check(&jws, one.jwk, &one.err) == RF_OK);
    close_world(&one);
    close_world(&other);
}

/* RFC 7638, 3.1. */
Test(acme_jws, the_thumbprint_of_the_rfc)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    struct json_node *jwk;
    rf_str out;
    rf_arena_init(&arena, 1 << 20);
    cr_assert(
        json_parse(
            RF_S("{\"kty\":\"RSA\",\"n\":"
                 "\"0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAA"
                 "tVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBX"
                 "Arwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu"
                 "6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_x"
                 "BniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw\",\"e\":\"AQAB\",\"alg\":\"RS256\","
                 "\"kid\":\"2011-04-29\"}"),
            &arena, &jwk, NULL) == RF_OK);
    cr_assert(acme_thumbprint(jwk, &arena, &out, NULL, NULL) == RF_OK);
    cr_assert(rf_str_is(out, "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"), "%.*s", RF_FMT(out));
}

Test(acme_jws, headers_that_are_refused)
{
    static const struct {
        const char *header, *code;
    } cases[] = {
        {"{\"alg\":\"none\",\"jwk\":JWK,\"nonce\":\"n\",\"url\":\"u\"}", "badSignatureAlgorithm"},
        {"{\"alg\":\"HS256\",\"jwk\":JWK,\"nonce\":\"n\",\"url\":\"u\"}", "badSignatureAlgorithm"},
        {"{\"alg\":\"ES256\",\"nonce\":\"n\",\"url\":\"u\"}", "malformed"},
        {"{\"alg\":\"ES256\",\"jwk\":JWK,\"kid\":\"k\",\"nonce\":\"n\",\"url\":\"u\"}",
         "malformed"},
        {"{\"alg\":\"ES256\",\"jwk\":7,\"nonce\":\"n\",\"url\":\"u\"}", "malformed"},
        {"{\"alg\":\"ES256\",\"kid\":7,\"nonce\":\"n\",\"url\":\"u\"}", "malformed"},
        {"{\"alg\":\"ES256\",\"jwk\":JWK,\"url\":\"u\"}", "malformed"},
        {"{\"alg\":\"ES256\",\"jwk\":JWK,\"nonce\":\"n\"}", "malformed"},
        {"{\"alg\":\"ES256\",\"jwk\":JWK,\"nonce\":\"n\",\"url\":\"u\",\"crit\":[\"x\"]}",
         "malformed"},
        {"{\"alg\":\"ES256\",\"jwk\":JWK,\"nonce\":\"n\",\"url\":\"u\",\"b64\":false}",
         "malformed"},
        {"[]", "malformed"},
        {"{\"alg\":\"ES256\",\"alg\":\"ES256\"}", "malformed"}};
    struct world w;
    struct acme_jws jws;
    open_world(&w, KEY_P256);
    for (size_t i = 0; i < RF_COUNT(cases); i++) {
        cr_assert(acme_jws_read(request(&w, cases[i].header, "{}"), ACME_JWS_REQUEST, &w.arena,
                                &jws, &w.err) == RF_INVALID,
                  "%s", cases[i].header);
        cr_assert(strcmp(w.err.code, cases[i].code) == 0, "%s: %s", cases[i].header, w.err.code);
    }
    struct json_node *object = request(&w, EC_HEADER, "{}");
    json_set_text(&w.arena, object, "signature", RF_S("AA=="));
    cr_assert(acme_jws_read(object, ACME_JWS_REQUEST, &w.arena, &jws, &w.err) == RF_INVALID);
    object = request(&w, EC_HEADER, "{}");
    json_set(&w.arena, object, RF_S("header"), json_new(&w.arena, JSON_T_OBJECT));
    cr_assert(acme_jws_read(object, ACME_JWS_REQUEST, &w.arena, &jws, &w.err) == RF_INVALID);
    close_world(&w);
}

Test(acme_jws, a_binding_is_checked_by_its_mac)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    struct json_node *object = NULL;
    struct acme_jws jws;
    struct rf_err err;
    uint8_t mac[SHA256_BYTES];
    rf_arena_init(&arena, 1 << 20);
    object = json_new(&arena, JSON_T_OBJECT);
    rf_str header =
        base64url_encode(&arena, RF_S("{\"alg\":\"HS256\",\"kid\":\"k\",\"url\":\"u\"}"));
    rf_str payload = base64url_encode(&arena, RF_S("{}"));
    digest_hmac_sha256(RF_S("secret"),
                       rf_arena_printf(&arena, "%.*s.%.*s", RF_FMT(header), RF_FMT(payload)), mac);
    json_set_text(&arena, object, "protected", header);
    json_set_text(&arena, object, "payload", payload);
    json_set_text(&arena, object, "signature",
                  base64url_encode(&arena, rf_str_make(mac, sizeof mac)));
    cr_assert(acme_jws_read(object, ACME_JWS_MAC, &arena, &jws, &err) == RF_OK, "%s", err.text);
    cr_assert(acme_jws_check_mac(&jws, RF_S("secret")) && !acme_jws_check_mac(&jws, RF_S("other")));
    cr_assert(acme_jws_read(object, ACME_JWS_REQUEST, &arena, &jws, &err) == RF_INVALID);
}

Test(acme_jws, a_signature_is_held_against_a_certificate_s_key)
{
    static const enum key_kind kinds[] = {KEY_P256, KEY_RSA_2048};
    for (size_t i = 0; i < RF_COUNT(kinds); i++) {
        struct world one, other;
        struct acme_jws jws;
        rf_str cert;
        struct cert_request wanted = {.subject_cn = RF_S("leaf"), .not_after = RF_USEC_PER_SECOND};
        const char *header =
            i == 0 ? EC_HEADER : "{\"alg\":\"RS256\",\"jwk\":JWK,\"nonce\":\"n\",\"url\":\"u\"}";
        open_world(&one, kinds[i]);
        open_world(&other, kinds[i]);
        cr_assert(cert_make(&wanted, one.key, one.key, (rf_str){0}, &one.arena, &cert, &one.err) ==
                  RF_OK);
        cr_assert(acme_jws_read(request(&one, header, "{}"), ACME_JWS_REQUEST, &one.arena, &jws,
                                &one.err) == RF_OK);
        cr_assert(acme_jws_is_by(&jws, cert));
        cr_assert(!acme_jws_is_by(&jws, rf_slice(cert, 0, cert.len - 1)));
        cr_assert(acme_jws_read(request(&other, header, "{}"), ACME_JWS_REQUEST, &other.arena, &jws,
                                &other.err) == RF_OK);
        cr_assert(!acme_jws_is_by(&jws, cert), "signed by another key");
        close_world(&one);
        close_world(&other);
    }
}
