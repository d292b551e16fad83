/* keys_world.h - for tests of keys: JSON Web Keys out of OpenSSL's, and what is said of them. */
#ifndef RF_VAULT_KEYS_WORLD_H
#define RF_VAULT_KEYS_WORLD_H

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>

#include "vault/keys_int.h"
#include "vault/vault_world.h"

#define K "/keys/"

/* Text of any length, in the arena. */
WALK_HELPER const char *k_text(struct rf_arena *arena, const char *fmt, ...) RF_PRINTF(2, 3);
WALK_HELPER const char *k_text(struct rf_arena *arena, const char *fmt, ...)
{
    char text[8192];
    va_list args;
    va_start(args, fmt);
    int len = vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    cr_assert(len >= 0 && (size_t)len < sizeof text);
    return rf_arena_cstr(arena, rf_str_of(text));
}

/* A number of the key in base64url; `bytes` 0: as short as it can be. */
WALK_HELPER rf_str k_number(struct rf_arena *arena, EVP_PKEY *key, const char *param, int bytes)
{
    uint8_t raw[600];
    BIGNUM *number = NULL;
    cr_assert(EVP_PKEY_get_bn_param(key, param, &number) == 1, "%s", param);
    int len = BN_bn2binpad(number, raw, bytes == 0 ? BN_num_bytes(number) : bytes);
    BN_clear_free(number);
    cr_assert(len > 0);
    return base64url_encode(arena, rf_str_make(raw, (size_t)len));
}

WALK_HELPER struct json_node *k_jwk_rsa(struct rf_arena *arena, EVP_PKEY *key, bool whole)
{
    static const struct {
        const char *name, *param;
    } members[] = {{"n", OSSL_PKEY_PARAM_RSA_N},          {"e", OSSL_PKEY_PARAM_RSA_E},
                   {"d", OSSL_PKEY_PARAM_RSA_D},          {"p", OSSL_PKEY_PARAM_RSA_FACTOR1},
                   {"q", OSSL_PKEY_PARAM_RSA_FACTOR2},    {"dp", OSSL_PKEY_PARAM_RSA_EXPONENT1},
                   {"dq", OSSL_PKEY_PARAM_RSA_EXPONENT2}, {"qi", OSSL_PKEY_PARAM_RSA_COEFFICIENT1}};
    struct json_node *out = json_new(arena, JSON_T_OBJECT);
    json_set_text(arena, out, "kty", RF_S("RSA"));
    for (size_t i = 0; i < (whole ? RF_COUNT(members) : 3); i++)
        json_set_text(arena, out, members[i].name, k_number(arena, key, members[i].param, 0));
    return out;
}

WALK_HELPER struct json_node *k_jwk_ec(struct rf_arena *arena, EVP_PKEY *key, const char *curve,
                                       int bytes)
{
    struct json_node *out = json_new(arena, JSON_T_OBJECT);
    json_set_text(arena, out, "kty", RF_S("EC"));
    json_set_text(arena, out, "crv", rf_str_of(curve));
    json_set_text(arena, out, "x", k_number(arena, key, OSSL_PKEY_PARAM_EC_PUB_X, bytes));
    json_set_text(arena, out, "y", k_number(arena, key, OSSL_PKEY_PARAM_EC_PUB_Y, bytes));
    json_set_text(arena, out, "d", k_number(arena, key, OSSL_PKEY_PARAM_PRIV_KEY, bytes));
    return out;
}

/* PUT of a JWK, with `more` behind it: ",\"tags\":{}". */
WALK_HELPER const char *k_import(struct rf_arena *arena, const struct json_node *jwk,
                                 const char *more)
{
    rf_str text = json_to_text(arena, jwk);
    return k_text(arena, "{\"key\":%.*s%s}", RF_FMT(text), more);
}

/* Version of the bundle that was answered. */
WALK_HELPER const char *k_version(struct vault_world *w)
{
    rf_str kid = json_text_at(w->answer, "key.kid");
    cr_assert(kid.len > 32);
    return rf_arena_cstr(&w->site.arena, rf_slice(kid, kid.len - 32, kid.len));
}

WALK_HELPER int64_t k_i64(struct vault_world *w, const char *at)
{
    int64_t out;
    cr_assert(json_i64_at(w->answer, at, &out), "no %s", at);
    return out;
}

/* A text of the answer, from base64url. */
WALK_HELPER rf_str k_bytes(struct vault_world *w, const char *at)
{
    rf_str out;
    cr_assert(base64url_decode(&w->site.arena, json_text_at(w->answer, at), &out, &w->err) == RF_OK,
              "%s", at);
    return out;
}

#endif
