#include <stdio.h>

#include "crypt/jwt.h"
#include "crypt/keeper_vault.h"

enum { LEEWAY_SECONDS = 60 };

static enum rf_kind refuse(const char *why, struct rf_err *err)
{
    return RF_FAIL(err, RF_DENIED, "SealToken", "the access token %s", why);
}

/* ---- what a token says ------------------------------------------------------------------------------------------- */

/* The installation's: the second of the names that are always there (keeper_keys.c), in lower case. */
static rf_str domain_of(const struct keeper_keys *keys)
{
    size_t from = rf_str_find(keys->wanted_names, RF_S("\n"), 0) + 1;
    return rf_slice(keys->wanted_names, from, rf_str_find(keys->wanted_names, RF_S("\n"), from));
}

/* "vault.DOMAIN", or a name below that. */
static bool is_vault_host(rf_str host, rf_str domain)
{
    rf_str word = RF_S("vault.");
    if (host.len < word.len + domain.len) return false;
    size_t at = host.len - domain.len - word.len;
    return (at == 0 || (at > 1 && host.ptr[at - 1] == '.')) &&
           rf_str_eq_nocase(rf_slice(host, at, at + word.len), word) &&
           rf_str_eq_nocase(rf_slice(host, at + word.len, host.len), domain);
}

/* Azure's names of the service, or "https://" and a host of ours with or without a port; a slash may end it. The server's own list is
 * authz/audience.c. */
bool keeper_is_for_vaults(const struct keeper_keys *keys, rf_str audience)
{
    rf_str scheme = RF_S("https://");
    if (rf_str_ends(audience, RF_S("/"))) audience.len--;
    if (rf_str_eq_nocase(audience, RF_S("https://vault.azure.net")) ||
        rf_str_eq_nocase(audience, RF_S("cfa8b339-82a2-471a-a3c9-0fc0be7a4093")))
        return true;
    if (!rf_str_starts(audience, scheme)) return false;
    rf_str host = rf_slice(audience, scheme.len, audience.len);
    size_t end = host.len;
    while (end > 0 && rf_is_digit(host.ptr[end - 1])) end--;
    if (end > 0 && end < host.len && host.ptr[end - 1] == ':') host = rf_slice(host, 0, end - 1);
    return is_vault_host(host, domain_of(keys));
}

/* A key of ours that verifies now; NULL: none has this id. keys->lock is held. */
static const struct keeper_jwt_own *own_key(const struct keeper_keys *keys, rf_str kid)
{
    for (uint32_t i = 0; i < keys->jwt_count; i++)
        if (rf_str_eq(keys->jwt[i].kid, kid)) return &keys->jwt[i];
    return NULL;
}

static enum rf_kind check_signature(struct keeper_keys *keys, const struct jwt *jwt,
                                    struct rf_err *err)
{
    struct public_key *key = NULL;
    pthread_rwlock_rdlock(&keys->lock);
    const struct keeper_jwt_own *own = own_key(keys, jwt->kid);
    enum rf_kind kind = own == NULL ? refuse("is signed by nobody that is known here", err)
                                    : public_key_of_cert(own->cert, &key, err);
    pthread_rwlock_unlock(&keys->lock);
    RF_TRY(kind);
    kind = jwt_check(jwt, key, JWT_RS256, NULL);
    public_key_free(key);
    return kind == RF_OK ? RF_OK : refuse("does not bear its signer's signature", err);
}

/* Letters, digits, dashes; others are not told. */
void keeper_who_word(rf_str from, char out[KEEPER_WHO_BYTES])
{
    bool plain = from.len > 0 && from.len < KEEPER_WHO_BYTES;
    for (size_t i = 0; plain && i < from.len; i++)
        plain = rf_is_alnum(from.ptr[i]) || from.ptr[i] == '-';
    (void)snprintf(out, KEEPER_WHO_BYTES, "%.*s", plain ? (int)from.len : 1,
                   plain ? (const char *)from.ptr : "-");
}

static enum rf_kind read_token(struct keeper_keys *keys, rf_str token, struct rf_arena *arena,
                               struct keeper_token *out, struct rf_err *err)
{
    struct jwt jwt;
    rf_str host;
    enum rf_kind kind = jwt_parse(token, arena, &jwt, NULL);
    if (kind == RF_LIMIT) return rf_fail_memory(err, arena);
    if (kind != RF_OK || jwt.alg != JWT_RS256) return refuse("cannot be read", err);
    RF_TRY(check_signature(keys, &jwt, err));
    if (!keeper_url_host(json_text_at(jwt.claims, "iss"), &host) ||
        !keeper_keys_name_host(keys, host))
        return refuse("has another issuer", err);
    if (!keeper_is_for_vaults(keys, json_text_at(jwt.claims, "aud")))
        return refuse("was made for something else than vaults", err);
    out->from = INT64_MIN;
    (void)json_i64_at(jwt.claims, "nbf", &out->from);
    if (!json_i64_at(jwt.claims, "exp", &out->until) || out->until <= 0)
        return refuse("has no end", err);
    digest_sha256(jwt.kid, out->kid);
    keeper_who_word(json_text_at(jwt.claims, "oid"), out->who.oid);
    rf_str app = json_text_at(jwt.claims, "appid");
    keeper_who_word(app.len > 0 ? app : json_text_at(jwt.claims, "azp"), out->who.app);
    return RF_OK;
}

/* ---- those that were good -------------------------------------------------------------------------------------------- */

static bool still_verifies(struct keeper_keys *keys, const uint8_t kid[SHA256_BYTES])
{
    bool found = false;
    pthread_rwlock_rdlock(&keys->lock);
    for (uint32_t i = 0; i < keys->jwt_count && !found; i++) {
        uint8_t digest[SHA256_BYTES];
        digest_sha256(keys->jwt[i].kid, digest);
        found = memcmp(digest, kid, sizeof digest) == 0;
    }
    pthread_rwlock_unlock(&keys->lock);
    return found;
}

static enum rf_kind check_times(const struct keeper_token *token, struct rf_clock *clock,
                                struct rf_err *err)
{
    int64_t now = rf_clock_now(clock) / RF_USEC_PER_SECOND;
    if (now >= token->until + LEEWAY_SECONDS) return refuse("has expired", err);
    if (token->from != INT64_MIN && now + LEEWAY_SECONDS < token->from)
        return refuse("does not count yet", err);
    return RF_OK;
}

enum rf_kind keeper_token_check(struct keeper_tokens *tokens, struct keeper_keys *keys,
                                rf_str token, struct rf_arena *arena, struct keeper_who *who,
                                struct rf_err *err)
{
    struct keeper_token found = {.until = 0};
    uint8_t digest[SHA256_BYTES];
    if (token.len == 0) return refuse("is missing", err);
    digest_sha256(token, digest);
    struct keeper_token *place = &tokens->kept[rf_get_u32le(digest) % KEEPER_TOKENS_KEPT];
    pthread_mutex_lock(&tokens->lock);
    if (place->until != 0 && memcmp(place->digest, digest, sizeof digest) == 0) found = *place;
    pthread_mutex_unlock(&tokens->lock);
    if (found.until == 0 || !still_verifies(keys, found.kid)) {
        RF_TRY(read_token(keys, token, arena, &found, err));
        memcpy(found.digest, digest, sizeof digest);
    }
    RF_TRY(check_times(&found, keys->clock, err));
    pthread_mutex_lock(&tokens->lock);
    *place = found;
    pthread_mutex_unlock(&tokens->lock);
    *who = found.who;
    return RF_OK;
}
