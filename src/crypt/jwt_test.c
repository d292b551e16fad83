#include "crypt/jwt.h"

#include <stdlib.h>

#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rsa.h>

#include "base/encode.h"
#include "crypt/digest.h"
#include "crypt/x509.h"
#include "test/rf_prop.h"

/* 2026-01-31 */
#define START_USEC (INT64_C(1769817600) * RF_USEC_PER_SECOND)

struct bench {
    struct rf_arena arena;
    EVP_PKEY *pkey;
    rf_str cert;
    struct public_key *key;
    struct rf_err err;
};

static void bench_init(struct bench *b, enum key_kind kind)
{
    *b = (struct bench){0};
    rf_arena_init(&b->arena, 64 << 20);
    struct cert_request request = {.subject_cn = RF_S("test"),
                                   .not_before = START_USEC,
                                   .not_after = START_USEC + 86400 * RF_USEC_PER_SECOND};
    cr_assert(key_make(kind, &b->pkey, &b->err) == RF_OK);
    cr_assert(cert_make(&request, b->pkey, b->pkey, (rf_str){0}, &b->arena, &b->cert, &b->err) ==
              RF_OK);
    cr_assert(public_key_of_cert(b->cert, &b->key, &b->err) == RF_OK, "%s", b->err.text);
}

static void bench_done(struct bench *b)
{
    public_key_free(b->key);
    EVP_PKEY_free(b->pkey);
    rf_arena_done(&b->arena);
}

static rf_str encode(struct bench *b, const char *text)
{
    return base64url_encode(&b->arena, rf_str_of(text));
}

/* OpenSSL's own signature over `input`: its high-level interface, which the code under test does not use. */
static rf_str openssl_sign(struct bench *b, enum jwt_alg alg, rf_str input)
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    EVP_PKEY_CTX *inner;
    size_t len = 1024;
    uint8_t *out = rf_arena_alloc(&b->arena, len);
    cr_assert(EVP_DigestSignInit(ctx, &inner, EVP_sha256(), NULL, b->pkey) == 1);
    if (alg == JWT_PS256) {
        cr_assert(EVP_PKEY_CTX_set_rsa_padding(inner, RSA_PKCS1_PSS_PADDING) == 1);
        cr_assert(EVP_PKEY_CTX_set_rsa_pss_saltlen(inner, 32) == 1);
    }
    cr_assert(EVP_DigestSign(ctx, out, &len, input.ptr, input.len) == 1);
    EVP_MD_CTX_free(ctx);
    if (alg != JWT_ES256) return rf_str_make(out, len);
    const uint8_t *at = out;
    ECDSA_SIG *sig = d2i_ECDSA_SIG(NULL, &at, (long)len);
    uint8_t *raw = rf_arena_alloc(&b->arena, 64);
    cr_assert(BN_bn2binpad(ECDSA_SIG_get0_r(sig), raw, 32) == 32);
    cr_assert(BN_bn2binpad(ECDSA_SIG_get0_s(sig), raw + 32, 32) == 32);
    ECDSA_SIG_free(sig);
    return rf_str_make(raw, 64);
}

static rf_str token_of(struct bench *b, const char *header, const char *claims, enum jwt_alg alg)
{
    rf_str input = rf_arena_printf(&b->arena, "%.*s.%.*s", RF_FMT(encode(b, header)),
                                   RF_FMT(encode(b, claims)));
    return jwt_assemble(&b->arena, input, openssl_sign(b, alg, input));
}

static enum rf_kind check(struct bench *b, rf_str token, unsigned allowed)
{
    struct jwt jwt;
    RF_TRY(jwt_parse(token, &b->arena, &jwt, &b->err));
    return jwt_check(&jwt, b->key, allowed, &b->err);
}

enum { ALL = JWT_RS256 | JWT_PS256 | JWT_ES256 };
static const char claims[] = "{\"iss\":\"https://localhost/t/\",\"sub\":\"caf\xc3\xa9\",\"exp\":1}";

/* ---- what is accepted -------------------------------------------------------------------------------------------------- */

static const struct {
    const char *header;
    enum jwt_alg alg;
    enum key_kind kind;
} good[] = {
    {"{\"typ\":\"JWT\",\"alg\":\"RS256\",\"kid\":\"k\",\"x5t\":\"t\"}", JWT_RS256, KEY_RSA_2048},
    {"{\"alg\":\"RS256\"}", JWT_RS256, KEY_RSA_3072},
    {"{\"alg\":\"PS256\",\"x5t#S256\":\"s\",\"x5c\":[\"x\"]}", JWT_PS256, KEY_RSA_2048},
    {"{\"alg\":\"ES256\",\"kid\":\"k\"}", JWT_ES256, KEY_P256},
};

Test(jwt, accepts_what_openssl_signed)
{
    for (size_t i = 0; i < RF_COUNT(good); i++) {
        struct bench b;
        struct jwt jwt;
        bench_init(&b, good[i].kind);
        rf_str token = token_of(&b, good[i].header, claims, good[i].alg);
        cr_assert(jwt_parse(token, &b.arena, &jwt, &b.err) == RF_OK, "%s", b.err.text);
        cr_expect(jwt.alg == good[i].alg);
        cr_expect(rf_str_is(json_text_at(jwt.claims, "sub"), "caf\xc3\xa9"));
        for (int again = 0; again < 3; again++) /* the contexts are used again */
            cr_expect(jwt_check(&jwt, b.key, ALL, &b.err) == RF_OK, "%s", good[i].header);
        cr_expect(jwt_check(&jwt, b.key, ALL & ~(unsigned)good[i].alg, &b.err) == RF_DENIED);
        cr_expect_str_eq(b.err.code, "BadSignature");
        cr_expect(jwt_check(&jwt, b.key, good[i].alg, &b.err) == RF_OK, "after a refusal too");
        bench_done(&b);
    }
}

Test(jwt, header_members_are_found)
{
    struct bench b;
    struct jwt jwt;
    bench_init(&b, KEY_P256);
    rf_str token = token_of(
        &b, "{\"alg\":\"ES256\",\"kid\":\"a\",\"x5t\":\"b\",\"x5t#S256\":\"c\"}", "{}", JWT_ES256);
    cr_assert(jwt_parse(token, &b.arena, &jwt, &b.err) == RF_OK);
    cr_expect(rf_str_is(jwt.kid, "a") && rf_str_is(jwt.x5t, "b") && rf_str_is(jwt.x5t_s256, "c"));
    bench_done(&b);
}

/* ---- what is not --------------------------------------------------------------------------------------------------------- */

Test(jwt, another_key_does_not_verify)
{
    for (size_t i = 0; i < RF_COUNT(good); i++) {
        struct bench a, b;
        bench_init(&a, good[i].kind);
        bench_init(&b, good[i].kind);
        cr_expect(check(&a, token_of(&b, good[i].header, claims, good[i].alg), ALL) == RF_DENIED);
        bench_done(&a);
        bench_done(&b);
    }
}

Test(jwt, the_kind_of_the_key_must_suit_the_algorithm)
{
    struct bench rsa, ec;
    bench_init(&rsa, KEY_RSA_2048);
    bench_init(&ec, KEY_P256);
    rf_str of_rsa = token_of(&rsa, "{\"alg\":\"RS256\"}", claims, JWT_RS256);
    rf_str of_ec = token_of(&ec, "{\"alg\":\"ES256\"}", claims, JWT_ES256);
    cr_expect(check(&ec, of_rsa, ALL) == RF_DENIED);
    cr_expect(check(&rsa, of_ec, ALL) == RF_DENIED);
    /* Signed as one, told to be the other. */
    cr_expect(check(&rsa, token_of(&rsa, "{\"alg\":\"PS256\"}", claims, JWT_RS256), ALL) ==
              RF_DENIED);
    cr_expect(check(&rsa, token_of(&rsa, "{\"alg\":\"RS256\"}", claims, JWT_PS256), ALL) ==
              RF_DENIED);
    bench_done(&rsa);
    bench_done(&ec);
}

/* The classical confusion: whoever knows the public key makes a MAC with it. */
Test(jwt, hs256_with_the_public_key_as_secret_is_refused)
{
    struct bench b;
    uint8_t mac[SHA256_BYTES];
    bench_init(&b, KEY_RSA_2048);
    rf_str pem = cert_pem(&b.arena, b.cert);
    rf_str input = rf_arena_printf(&b.arena, "%.*s.%.*s", RF_FMT(encode(&b, "{\"alg\":\"HS256\"}")),
                                   RF_FMT(encode(&b, claims)));
    digest_hmac_sha256(pem, input, mac);
    rf_str token = jwt_assemble(&b.arena, input, rf_str_make(mac, sizeof mac));
    cr_expect(check(&b, token, ALL) == RF_INVALID);
    cr_expect_str_eq(b.err.code, "BadTokenAlgorithm");
    bench_done(&b);
}

Test(jwt, odd_tokens_are_refused)
{
    struct bench b;
    bench_init(&b, KEY_RSA_2048);
    rf_str header = encode(&b, "{\"alg\":\"RS256\"}"), body = encode(&b, "{}");
    const char *h = rf_arena_cstr(&b.arena, header), *c = rf_arena_cstr(&b.arena, body);
    static const char *const headers[] = {"{\"alg\":\"none\"}",
                                          "{\"alg\":\"None\"}",
                                          "{\"alg\":\"\"}",
                                          "{\"alg\":\"HS256\"}",
                                          "{\"alg\":\"RS512\"}",
                                          "{\"alg\":\"ES384\"}",
                                          "{\"alg\":\"rs256\"}",
                                          "{\"alg\":[\"RS256\"]}",
                                          "{\"alg\":1}",
                                          "{\"alg\":null}",
                                          "{}",
                                          "[]",
                                          "\"RS256\"",
                                          "",
                                          "{\"alg\":\"RS256\"",
                                          "{\"alg\":\"RS256\"}{}",
                                          "{\"alg\":\"RS256\"} x",
                                          "{\"alg\":\"RS256\",\"alg\":\"RS256\"}",
                                          "{\"alg\":\"none\",\"\\u0061lg\":\"RS256\"}",
                                          "{\"alg\":\"RS256\",\"jku\":\"https://x\"}",
                                          "{\"alg\":\"RS256\",\"jwk\":{}}",
                                          "{\"alg\":\"RS256\",\"x5u\":\"https://x\"}",
                                          "{\"alg\":\"RS256\",\"crit\":[\"exp\"]}",
                                          "{\"alg\":\"RS256\",\"b64\":false}",
                                          "{\"alg\":\"RS256\",\"zip\":\"DEF\"}",
                                          "{\"alg\":\"RS256\",\"kid\":1}",
                                          "{\"alg\":\"RS256\",\"x5t\":[]}",
                                          "{\"alg\":\"RS256\",\"kid\":\"\xff\"}",
                                          "{\"alg\":\"RS256\",\"jku\":null}"};
    for (size_t i = 0; i < RF_COUNT(headers); i++) {
        cr_expect(check(&b, token_of(&b, headers[i], claims, JWT_RS256), ALL) == RF_INVALID, "%s",
                  headers[i]);
        /* The first are read and ask for what is not accepted. */
        bool is_read = i < 7 || strcmp(headers[i], "{}") == 0 ||
                       strstr(headers[i], "{\"alg\":\"RS256\",\"j") != NULL ||
                       strstr(headers[i], "x5u") != NULL || strstr(headers[i], "crit") != NULL ||
                       strstr(headers[i], "b64") != NULL || strstr(headers[i], "zip") != NULL;
        cr_expect_str_eq(b.err.code, is_read ? "BadTokenAlgorithm" : "BadToken", "%s", headers[i]);
    }
    static const char *const bodies[] = {"",
                                         "[]",
                                         "1",
                                         "{",
                                         "{}x",
                                         "{\"exp\":1,\"exp\":2}",
                                         "{\"a\":{\"b\":1,\"b\":1}}",
                                         "{\"exp\":01}"};
    for (size_t i = 0; i < RF_COUNT(bodies); i++)
        cr_expect(check(&b, token_of(&b, "{\"alg\":\"RS256\"}", bodies[i], JWT_RS256), ALL) ==
                      RF_INVALID,
                  "%s", bodies[i]);
    static const char *const shapes[] = {"%s",        "%s.%s",       "%s.%s.",     ".%s.%s",
                                         "%s..%s",    "%s.%s.AA.AA", "%s.%s.AA.",  "%s.%s.A",
                                         "%s.%s.AB",  "%s.%s.AA==",  "%s.%s.AA\n", " %s.%s.AA",
                                         "%s.%s.AA ", "%s=.%s.AA",   "%s.%s.+/8",  "%s.%s\n.AA"};
    for (size_t i = 0; i < RF_COUNT(shapes); i++) {
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
        rf_str token = rf_arena_printf(&b.arena, shapes[i], h, c);
#pragma GCC diagnostic pop
        cr_expect(check(&b, token, ALL) == RF_INVALID, "%.*s", RF_FMT(token));
    }
    cr_expect(check(&b, (rf_str){0}, ALL) == RF_INVALID);
    bench_done(&b);
}

Test(jwt, size_has_a_limit)
{
    struct bench b;
    bench_init(&b, KEY_P256);
    char *text = malloc(JWT_BYTES_MAX + 100);
    rf_str short_token = token_of(&b, "{\"alg\":\"ES256\"}", "{}", JWT_ES256);
    for (int over = 0; over < 2; over++) {
        /* A claim that makes the token as long as may be, or one byte longer than base64 can be below. */
        size_t room = (JWT_BYTES_MAX - short_token.len) / 4 * 3 - 10 + (size_t)over * 24;
        int at = sprintf(text, "{\"a\":\"");
        memset(text + at, 'x', room);
        strcpy(text + at + room, "\"}");
        rf_str token = token_of(&b, "{\"alg\":\"ES256\"}", text, JWT_ES256);
        cr_assert((token.len > JWT_BYTES_MAX) == (over == 1), "%zu", token.len);
        cr_expect(check(&b, token, ALL) == (over ? RF_INVALID : RF_OK));
    }
    free(text);
    bench_done(&b);
}

Test(jwt, errors_tell_nothing_of_the_token)
{
    struct bench b;
    bench_init(&b, KEY_P256);
    rf_str token = token_of(&b, "{\"alg\":\"ES256\"}", "{\"hunter2\":1,\"hunter2\":1}", JWT_ES256);
    cr_expect(check(&b, token, ALL) == RF_INVALID);
    cr_expect(strstr(b.err.text, "hunter2") == NULL, "%s", b.err.text);
    bench_done(&b);
}

/* One bit of a token is turned: either it is no token any more, or its signature does not hold. */
RF_PROP(jwt_any_turned_bit_fails, 1500)
{
    /* Made once for all runs, which share a process. */
    static const size_t of_kind[] = {0, 2, 3};
    static struct bench benches[RF_COUNT(of_kind)];
    static rf_str tokens[RF_COUNT(of_kind)];
    uint8_t copy[2048];
    size_t which = rf_test_below(prng, RF_COUNT(of_kind));
    struct bench *b = &benches[which];
    if (b->pkey == NULL) {
        bench_init(b, good[of_kind[which]].kind);
        tokens[which] = token_of(b, good[of_kind[which]].header, claims, good[of_kind[which]].alg);
        cr_assert(check(b, tokens[which], ALL) == RF_OK);
    }
    rf_str token = tokens[which];
    cr_assert(token.len <= sizeof copy);
    memcpy(copy, token.ptr, token.len);
    size_t bit = rf_test_below(prng, token.len * 8);
    copy[bit / 8] ^= (uint8_t)(1u << (bit % 8));
    cr_assert(check(b, rf_str_make(copy, token.len), ALL) != RF_OK, "bit %zu", bit);
}

/* ---- keys as JSON ---------------------------------------------------------------------------------------------------------- */

static enum rf_kind jwk(struct bench *b, const char *text, struct public_key **key)
{
    struct json_node *node;
    cr_assert(json_parse(rf_str_of(text), &b->arena, &node, &b->err) == RF_OK, "%s", text);
    return public_key_of_jwk(node, key, &b->err);
}

Test(jwt, an_rsa_key_goes_through_a_jwk)
{
    struct bench b;
    struct public_key *key;
    struct jwt jwt;
    rf_str n, e;
    bench_init(&b, KEY_RSA_2048);
    cr_assert(public_key_rsa(b.key, &b.arena, &n, &e));
    cr_expect(n.len == 256 && e.len == 3);
    rf_str text = rf_arena_printf(&b.arena, "{\"kty\":\"RSA\",\"n\":\"%.*s\",\"e\":\"%.*s\"}",
                                  RF_FMT(base64url_encode(&b.arena, n)),
                                  RF_FMT(base64url_encode(&b.arena, e)));
    cr_assert(jwk(&b, rf_arena_cstr(&b.arena, text), &key) == RF_OK, "%s", b.err.text);
    cr_assert(jwt_parse(token_of(&b, "{\"alg\":\"RS256\"}", claims, JWT_RS256), &b.arena, &jwt,
                        &b.err) == RF_OK);
    cr_expect(jwt_check(&jwt, key, ALL, &b.err) == RF_OK);
    public_key_free(key);
    bench_done(&b);
}

/* RFC 7515 appendix A.3 and A.2: key and token of the standard. */
Test(jwt, the_standards_own_examples_hold)
{
    static const struct {
        const char *jwk, *token;
    } cases[] = {
        {"{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\","
         "\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\"}",
         "eyJhbGciOiJFUzI1NiJ9."
         "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0c"
         "nVlfQ."
         "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q"},
        {"{\"kty\":\"RSA\",\"n\":\"ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_"
         "wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-"
         "pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-"
         "KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_"
         "I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ\",\"e\":"
         "\"AQAB\"}",
         "eyJhbGciOiJSUzI1NiJ9."
         "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0c"
         "nVlfQ."
         "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_"
         "O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_"
         "nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-"
         "eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrB"
         "p0igcN_IoypGlUPQGe77Rw"},
    };
    struct bench b;
    bench_init(&b, KEY_P256);
    for (size_t i = 0; i < RF_COUNT(cases); i++) {
        struct public_key *key;
        struct jwt jwt;
        cr_assert(jwk(&b, cases[i].jwk, &key) == RF_OK, "%s", b.err.text);
        cr_assert(jwt_parse(rf_str_of(cases[i].token), &b.arena, &jwt, &b.err) == RF_OK, "%s",
                  b.err.text);
        cr_expect(jwt_check(&jwt, key, ALL, &b.err) == RF_OK);
        cr_expect(rf_str_is(json_text_at(jwt.claims, "iss"), "joe"));
        public_key_free(key);
    }
    bench_done(&b);
}

Test(jwt, weak_and_odd_keys_are_refused)
{
    struct bench b;
    struct public_key *key;
    rf_str n, e;
    bench_init(&b, KEY_RSA_2048);
    cr_assert(public_key_rsa(b.key, &b.arena, &n, &e));
    const char *n64 = rf_arena_cstr(&b.arena, base64url_encode(&b.arena, n));
    rf_str short_n = base64url_encode(&b.arena, rf_slice(n, 0, 128));
    static uint8_t large[1200];
    memset(large, 0xff, sizeof large);
    rf_str large_n = base64url_encode(&b.arena, rf_str_make(large, sizeof large));
    const rf_str refused[] = {
        rf_arena_printf(&b.arena, "{\"kty\":\"RSA\",\"n\":\"%.*s\",\"e\":\"AQAB\"}",
                        RF_FMT(short_n)),
        rf_arena_printf(&b.arena, "{\"kty\":\"RSA\",\"n\":\"%.*s\",\"e\":\"AQAB\"}",
                        RF_FMT(large_n)),
        rf_arena_printf(&b.arena, "{\"kty\":\"RSA\",\"n\":\"%s\",\"e\":\"AQ\"}", n64),
        rf_arena_printf(&b.arena, "{\"kty\":\"RSA\",\"n\":\"%s\",\"e\":\"Ag\"}", n64),
        rf_arena_printf(&b.arena, "{\"kty\":\"RSA\",\"n\":\"%s\",\"e\":\"AQAAAAAAAAAB\"}", n64),
        rf_arena_printf(&b.arena, "{\"kty\":\"RSA\",\"n\":\"%s\"}", n64),
        rf_arena_printf(&b.arena, "{\"kty\":\"RSA\",\"n\":\"%s==\",\"e\":\"AQAB\"}", n64),
        RF_S("{\"kty\":\"oct\",\"k\":\"AAAA\"}"),
        RF_S("{}"),
        RF_S("{\"kty\":\"EC\",\"crv\":\"P-384\",\"x\":\"AA\",\"y\":\"AA\"}"),
        RF_S("{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":"
             "\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\",\"y\":"
             "\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\"}"),
        RF_S("{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvR\","
             "\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\"}"),
        RF_S("[]"),
    };
    for (size_t i = 0; i < RF_COUNT(refused); i++)
        cr_expect(jwk(&b, rf_arena_cstr(&b.arena, refused[i]), &key) == RF_INVALID, "%.*s",
                  RF_FMT(refused[i]));
    cr_expect(public_key_of_cert(RF_S("x"), &key, &b.err) == RF_INVALID);
    cr_expect(public_key_of_cert((rf_str){0}, &key, &b.err) == RF_INVALID);
    uint8_t *more = rf_arena_alloc(&b.arena, b.cert.len + 1);
    memcpy(more, b.cert.ptr, b.cert.len);
    more[b.cert.len] = 0;
    cr_expect(public_key_of_cert(rf_str_make(more, b.cert.len + 1), &key, &b.err) == RF_INVALID);
    bench_done(&b);
}

Test(jwt, writing_and_reading_agree)
{
    struct bench b;
    struct jwt jwt;
    bench_init(&b, KEY_P256);
    struct json_node *header = json_new(&b.arena, JSON_T_OBJECT),
                     *body = json_new(&b.arena, JSON_T_OBJECT);
    json_set_text(&b.arena, header, "alg", RF_S("ES256"));
    json_set_i64(&b.arena, body, "exp", 7);
    rf_str input = jwt_signing_input(&b.arena, header, body);
    rf_str token = jwt_assemble(&b.arena, input, openssl_sign(&b, JWT_ES256, input));
    cr_assert(jwt_parse(token, &b.arena, &jwt, &b.err) == RF_OK);
    cr_expect(rf_str_eq(jwt.signed_part, input) && json_equal(jwt.claims, body));
    cr_expect(jwt_check(&jwt, b.key, JWT_ES256, &b.err) == RF_OK);
    bench_done(&b);
}
