/* seal_key_jws.c - what keys of accounts at outside authorities sign: messages of ACME (RFC 8555, 6.2), and the proof of an external account (7.3.4).
 *
 * The program signs these by itself, without anybody's token. So nothing else may be signed this way: the header is read, and must be that of such a
 * message. A token of Ringfort's own is none, as its header has no "url". */
#include "base/encode.h"
#include "base/json_tree.h"
#include "crypt/digest.h"
#include "crypt/seal_key_int.h"

static enum rf_kind bad(const char *what, struct rf_err *err)
{
    return RF_FAIL(err, RF_INVALID, "SealArgument", "what is to be signed %s", what);
}

static enum rf_kind read_object(rf_str text, struct rf_arena *arena, struct json_node **out,
                                struct rf_err *err)
{
    rf_str bytes;
    enum rf_kind kind = base64url_decode(arena, text, &bytes, err);
    if (kind == RF_OK) kind = json_parse(bytes, arena, out, err);
    if (kind == RF_OK && (*out)->type != JSON_T_OBJECT) kind = RF_INVALID;
    return kind == RF_OK || kind == RF_LIMIT ? kind : bad("is no message of ACME", err);
}

/* The header has these members and no others. */
static bool has_only(const struct json_node *header, const char *const names[], uint32_t count)
{
    if (header->count != count) return false;
    for (uint32_t i = 0; i < count; i++)
        if (json_get(header, names[i]) == NULL) return false;
    return true;
}

static enum rf_kind check_header(const struct json_node *header, bool is_account,
                                 struct rf_err *err)
{
    static const char *const by_kid[] = {"alg", "kid", "nonce", "url"},
                             *const by_jwk[] = {"alg", "jwk", "nonce", "url"},
                             *const outside[] = {"alg", "kid", "url"};
    if (!rf_str_is(json_text_at(header, "alg"), is_account ? "ES256" : "HS256"))
        return bad("names another algorithm than the key's", err);
    bool fits = is_account ? has_only(header, by_kid, RF_COUNT(by_kid)) ||
                                 has_only(header, by_jwk, RF_COUNT(by_jwk))
                           : has_only(header, outside, RF_COUNT(outside));
    if (!fits || (is_account && json_text_at(header, "nonce").len == 0))
        return bad("has not the header of a message of ACME", err);
    if (!rf_str_starts(json_text_at(header, "url"), RF_S("https://")))
        return bad("is for no URL that begins with https://", err);
    return RF_OK;
}

enum rf_kind seal_key_jws(struct seal_key *key, rf_str input, struct rf_arena *arena, rf_str *out,
                          struct rf_err *err)
{
    struct json_node *header, *payload;
    struct seal_used used;
    uint8_t digest[SHA256_BYTES];
    bool is_account = key->material == SEAL_P256;
    if (!is_account && key->material != SEAL_OCT)
        return bad("is signed by keys of P-256, or HMAC keys, only", err);
    size_t dot = rf_str_find(input, RF_S("."), 0);
    if (dot == SIZE_MAX) return bad("is no message of ACME", err);
    RF_TRY(read_object(rf_slice(input, 0, dot), arena, &header, err));
    RF_TRY(check_header(header, is_account, err));
    rf_str rest = rf_slice(input, dot + 1, input.len);
    if (!is_account || rest.len > 0) RF_TRY(read_object(rest, arena, &payload, err));
    if (!is_account && json_text_at(payload, "kty").len == 0)
        return bad("proves no account: its payload is no key", err);
    if (!is_account) {
        uint8_t *mac = rf_arena_alloc(arena, SHA256_BYTES);
        if (mac == NULL) return rf_fail_memory(err, arena);
        digest_hmac_sha256(rf_str_make(key->oct, key->bytes), input, mac);
        *out = rf_str_make(mac, SHA256_BYTES);
        return RF_OK;
    }
    digest_sha256(input, digest);
    struct seal_use use = {.op = SEAL_OP_SIGN,
                           .algorithm = RF_S("ES256"),
                           .value = rf_str_make(digest, sizeof digest)};
    RF_TRY(seal_key_apply(key, &use, arena, &used, err));
    *out = used.value;
    return RF_OK;
}
