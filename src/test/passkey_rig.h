/* passkey_rig.h - an authenticator and a browser in software, which can be told to do each thing wrong. Tests include test/rf_prop.h before it. */
#ifndef RF_PASSKEY_RIG_H
#define RF_PASSKEY_RIG_H

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/rsa.h>

#include "base/encode.h"
#include "crypt/digest.h"
#include "people/webauthn_int.h"

#define TOKEN_ORIGIN "https://localhost:8443"
enum { TOKEN_UP = 1, TOKEN_UV = 4, TOKEN_BE = 8, TOKEN_BS = 16, TOKEN_AT = 64, TOKEN_ED = 128 };

struct token {
    EVP_PKEY *key;
    int32_t algorithm;
    uint8_t id[1200];
    size_t id_bytes;
};
/* One answer of it; token_create and token_get give the right values. */
struct token_answer {
    const char *type, *origin, *rp_id, *more; /* more: further members of clientDataJSON */
    uint8_t challenge[WEBAUTHN_CHALLENGE_BYTES];
    uint8_t flags;
    uint32_t counter;
    rf_str tail, key, handle; /* behind the authenticator data; in place of the COSE_Key */
    const char *format;       /* NULL: "none" */
    bool statement;           /* "none" that says something */
    int32_t signed_as;        /* alg of the statement; 0: the key's */
    bool spoilt;              /* a bit of the signature */
    rf_str authenticator_data, client_data, signature; /* set by token_text */
};

RF_TEST_HELPER void cbor_head(struct rf_buf *buf, unsigned major, uint64_t number)
{
    uint8_t bytes[9] = {0};
    unsigned info = number < 24 ? (unsigned)number : number < 256 ? 24 : number < 65536 ? 25 : 26;
    size_t count = info < 24 ? 0 : (size_t)1 << (info - 24);
    bytes[0] = (uint8_t)(major << 5 | info);
    for (size_t i = 0; i < count; i++) bytes[1 + i] = (uint8_t)(number >> 8 * (count - 1 - i));
    rf_buf_put(buf, bytes, 1 + count);
}

RF_TEST_HELPER void cbor_number(struct rf_buf *buf, int64_t number)
{
    if (number < 0) cbor_head(buf, 1, (uint64_t)(-1 - number));
    if (number >= 0) cbor_head(buf, 0, (uint64_t)number);
}

RF_TEST_HELPER void cbor_bytes(struct rf_buf *buf, rf_str bytes)
{
    cbor_head(buf, 2, bytes.len);
    rf_buf_str(buf, bytes);
}

RF_TEST_HELPER void cbor_text(struct rf_buf *buf, const char *text)
{
    cbor_head(buf, 3, strlen(text));
    rf_buf_str(buf, rf_str_of(text));
}

RF_TEST_HELPER void token_make(struct token *token, int32_t algorithm)
{
    memset(token, 0, sizeof *token);
    token->algorithm = algorithm;
    token->key = algorithm == COSE_ES256   ? EVP_EC_gen("P-256")
                 : algorithm == COSE_ES384 ? EVP_EC_gen("P-384")
                 : algorithm == COSE_RS256 ? EVP_RSA_gen(2048)
                                           : EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    cr_assert(token->key != NULL);
    token->id_bytes = 32;
    for (size_t i = 0; i < sizeof token->id; i++) token->id[i] = (uint8_t)(i * 7 + 1);
}

RF_TEST_HELPER rf_str token_number(struct token *token, const char *name, size_t bytes,
                                   struct rf_arena *arena)
{
    BIGNUM *number = NULL;
    cr_assert(EVP_PKEY_get_bn_param(token->key, name, &number) == 1);
    if (bytes == 0) bytes = (size_t)BN_num_bytes(number);
    uint8_t *raw = rf_arena_new(arena, uint8_t, bytes);
    cr_assert(BN_bn2binpad(number, raw, (int)bytes) == (int)bytes);
    BN_free(number);
    return rf_str_make(raw, bytes);
}

RF_TEST_HELPER rf_str token_cose(struct token *token, struct rf_arena *arena)
{
    struct rf_buf buf = rf_buf_in(arena);
    int32_t alg = token->algorithm;
    bool curve = alg == COSE_ES256 || alg == COSE_ES384;
    cbor_head(&buf, 5, curve ? 5 : 4);
    cbor_number(&buf, 1);
    cbor_number(&buf, curve ? 2 : alg == COSE_RS256 ? 3 : 1);
    cbor_number(&buf, 3);
    cbor_number(&buf, alg);
    cbor_number(&buf, -1);
    if (curve) {
        size_t bytes = alg == COSE_ES256 ? 32 : 48;
        cbor_number(&buf, alg == COSE_ES256 ? 1 : 2);
        cbor_number(&buf, -2);
        cbor_bytes(&buf, token_number(token, OSSL_PKEY_PARAM_EC_PUB_X, bytes, arena));
        cbor_number(&buf, -3);
        cbor_bytes(&buf, token_number(token, OSSL_PKEY_PARAM_EC_PUB_Y, bytes, arena));
    } else if (alg == COSE_RS256) {
        cbor_bytes(&buf, token_number(token, OSSL_PKEY_PARAM_RSA_N, 0, arena));
        cbor_number(&buf, -2);
        cbor_bytes(&buf, token_number(token, OSSL_PKEY_PARAM_RSA_E, 0, arena));
    } else {
        uint8_t raw[32];
        size_t len = sizeof raw;
        cr_assert(EVP_PKEY_get_raw_public_key(token->key, raw, &len) == 1);
        cbor_number(&buf, 6);
        cbor_number(&buf, -2);
        cbor_bytes(&buf, rf_str_make(raw, len));
    }
    cr_assert(!buf.failed);
    return rf_buf_view(&buf);
}

RF_TEST_HELPER rf_str token_sign(struct token *token, rf_str bytes, struct rf_arena *arena)
{
    const EVP_MD *digest = token->algorithm == COSE_EDDSA   ? NULL
                           : token->algorithm == COSE_ES384 ? EVP_sha384()
                                                            : EVP_sha256();
    size_t len = 1024;
    uint8_t *out = rf_arena_new(arena, uint8_t, len);
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    cr_assert(EVP_DigestSignInit(ctx, NULL, digest, NULL, token->key) == 1);
    cr_assert(EVP_DigestSign(ctx, out, &len, bytes.ptr, bytes.len) == 1);
    EVP_MD_CTX_free(ctx);
    return rf_str_make(out, len);
}

RF_TEST_HELPER struct token_answer token_create(void)
{
    struct token_answer a = {.type = "webauthn.create",
                             .origin = TOKEN_ORIGIN,
                             .rp_id = "localhost",
                             .more = "",
                             .flags = TOKEN_UP | TOKEN_UV | TOKEN_AT};
    memset(a.challenge, 0x5a, sizeof a.challenge);
    return a;
}

RF_TEST_HELPER struct token_answer token_get(void)
{
    struct token_answer a = token_create();
    a.type = "webauthn.get";
    a.flags = TOKEN_UP | TOKEN_UV;
    return a;
}

RF_TEST_HELPER void token_data(struct token *token, struct token_answer *a, struct rf_arena *arena)
{
    uint8_t hash[SHA256_BYTES], head[5] = {a->flags}, length[2];
    struct rf_buf buf = rf_buf_in(arena);
    digest_sha256(rf_str_of(a->rp_id), hash);
    rf_buf_put(&buf, hash, sizeof hash);
    for (int i = 0; i < 4; i++) head[1 + i] = (uint8_t)(a->counter >> (24 - 8 * i));
    rf_buf_put(&buf, head, sizeof head);
    if (a->flags & TOKEN_AT) {
        rf_buf_put(&buf, "sixteen-octets!!", 16);
        length[0] = (uint8_t)(token->id_bytes >> 8);
        length[1] = (uint8_t)token->id_bytes;
        rf_buf_put(&buf, length, 2);
        rf_buf_put(&buf, token->id, token->id_bytes);
        rf_buf_str(&buf, a->key.len > 0 ? a->key : token_cose(token, arena));
    }
    rf_buf_str(&buf, a->tail);
    a->authenticator_data = rf_buf_view(&buf);
    a->client_data = rf_arena_printf(
        arena, "{\"type\":\"%s\",\"challenge\":\"%.*s\",\"origin\":\"%s\"%s}", a->type,
        RF_FMT(base64url_encode(arena, rf_str_make(a->challenge, sizeof a->challenge))), a->origin,
        a->more);
}

/* Signed are the authenticator's data and the hash of the client's. */
RF_TEST_HELPER void token_prove(struct token *token, struct token_answer *a, struct rf_arena *arena)
{
    uint8_t hash[SHA256_BYTES];
    struct rf_buf buf = rf_buf_in(arena);
    digest_sha256(a->client_data, hash);
    rf_buf_str(&buf, a->authenticator_data);
    rf_buf_put(&buf, hash, sizeof hash);
    a->signature = token_sign(token, rf_buf_view(&buf), arena);
    if (!a->spoilt) return;
    uint8_t *bytes = rf_arena_new(arena, uint8_t, a->signature.len);
    memcpy(bytes, a->signature.ptr, a->signature.len);
    bytes[a->signature.len - 1] ^= 1;
    a->signature = rf_str_make(bytes, a->signature.len);
}

RF_TEST_HELPER rf_str token_object(struct token *token, struct token_answer *a,
                                   struct rf_arena *arena)
{
    struct rf_buf buf = rf_buf_in(arena);
    bool packed = a->format != NULL && strcmp(a->format, "packed") == 0;
    cbor_head(&buf, 5, 3);
    cbor_text(&buf, "fmt");
    cbor_text(&buf, a->format != NULL ? a->format : "none");
    cbor_text(&buf, "attStmt");
    cbor_head(&buf, 5, packed ? 2 : a->statement);
    if (packed) {
        cbor_text(&buf, "alg");
        cbor_number(&buf, a->signed_as != 0 ? a->signed_as : token->algorithm);
        cbor_text(&buf, "sig");
        cbor_bytes(&buf, a->signature);
    } else if (a->statement) {
        cbor_text(&buf, "ver");
        cbor_text(&buf, "2.0");
    }
    cbor_text(&buf, "authData");
    cbor_bytes(&buf, a->authenticator_data);
    return rf_buf_view(&buf);
}

/* What the page sends, as JSON. */
RF_TEST_HELPER rf_str token_text(struct token *token, struct token_answer *a,
                                 struct rf_arena *arena)
{
    rf_str id = base64url_encode(arena, rf_str_make(token->id, token->id_bytes));
    token_data(token, a, arena);
    token_prove(token, a, arena);
    struct rf_buf buf = rf_buf_in(arena);
    rf_buf_printf(&buf,
                  "{\"id\":\"%.*s\",\"rawId\":\"%.*s\",\"type\":\"public-key\",\"response\":{"
                  "\"clientDataJSON\":\"%.*s\",",
                  RF_FMT(id), RF_FMT(id), RF_FMT(base64url_encode(arena, a->client_data)));
    if (strcmp(a->type, "webauthn.create") == 0)
        rf_buf_printf(&buf, "\"attestationObject\":\"%.*s\"}}",
                      RF_FMT(base64url_encode(arena, token_object(token, a, arena))));
    else
        rf_buf_printf(&buf,
                      "\"authenticatorData\":\"%.*s\",\"signature\":\"%.*s\",\"userHandle\":"
                      "\"%.*s\"}}",
                      RF_FMT(base64url_encode(arena, a->authenticator_data)),
                      RF_FMT(base64url_encode(arena, a->signature)),
                      RF_FMT(base64url_encode(arena, a->handle)));
    cr_assert(!buf.failed);
    return rf_buf_view(&buf);
}

RF_TEST_HELPER struct json_node *token_answer(struct token *token, struct token_answer *a,
                                              struct rf_arena *arena)
{
    struct json_node *doc;
    struct rf_err err;
    cr_assert(json_parse(token_text(token, a, arena), arena, &doc, &err) == RF_OK, "%s", err.text);
    return doc;
}

#endif
