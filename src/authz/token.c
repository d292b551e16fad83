#include "authz/token_int.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/encode.h"
#include "crypt/digest.h"
#include "crypt/jwt.h"

enum {
    SKEW_SEC = 60,
    FACTS_BYTES_MAX = 256 << 10, /* a token of 16 KiB with its tree */
    CACHE_SHARDS = 16,
    CACHE_SETS = 64, /* in each shard */
    CACHE_WAYS = 4
};

/* ---- keys ------------------------------------------------------------------------------------------------ */

struct key_set { /* immutable; replaced as a whole */
    atomic_uint refs;
    uint64_t generation;
    uint32_t count;
    struct key {
        rf_str kid;
        struct public_key *key;
    } items[];
};

struct shard {
    pthread_mutex_t lock;
    uint32_t turn; /* of eviction */
    struct token_facts *slots[CACHE_SETS][CACHE_WAYS];
};

struct token_verifier {
    const struct site *site;
    pthread_rwlock_t keys_lock;
    struct key_set *keys;
    atomic_uint_fast64_t generation;
    struct shard shards[CACHE_SHARDS];
};

static void key_set_unref(struct key_set *keys)
{
    if (keys == NULL || atomic_fetch_sub(&keys->refs, 1) != 1) return;
    for (uint32_t i = 0; i < keys->count; i++) {
        public_key_free(keys->items[i].key);
        free((void *)(uintptr_t)keys->items[i].kid.ptr);
    }
    free(keys);
}

static struct key_set *key_set_ref(struct token_verifier *verifier)
{
    pthread_rwlock_rdlock(&verifier->keys_lock);
    struct key_set *keys = verifier->keys;
    if (keys != NULL) atomic_fetch_add(&keys->refs, 1);
    pthread_rwlock_unlock(&verifier->keys_lock);
    return keys;
}

static enum rf_kind add_key(struct key_set *keys, const struct token_key *from, struct rf_err *err)
{
    struct key *key = &keys->items[keys->count];
    uint8_t *kid = malloc(from->kid.len + 1);
    if (kid == NULL) return RF_FAIL(err, RF_LIMIT, "MemoryBudgetExceeded", "the id of a key");
    memcpy(kid, from->kid.ptr, from->kid.len);
    *key = (struct key){.kid = rf_str_make(kid, from->kid.len)};
    keys->count++; /* from here on key_set_unref frees it */
    return public_key_of_cert(from->cert, &key->key, err);
}

enum rf_kind token_set_keys(struct token_verifier *verifier, const struct token_key *keys,
                            uint32_t count, struct rf_err *err)
{
    struct key_set *set = calloc(1, sizeof *set + count * sizeof *set->items);
    if (set == NULL) return RF_FAIL(err, RF_LIMIT, "MemoryBudgetExceeded", "%u keys", count);
    atomic_init(&set->refs, 1);
    for (uint32_t i = 0; i < count; i++) {
        enum rf_kind kind = add_key(set, &keys[i], err);
        if (kind == RF_OK) continue;
        key_set_unref(set);
        return kind;
    }
    pthread_rwlock_wrlock(&verifier->keys_lock);
    struct key_set *before = verifier->keys;
    /* Facts of another generation are not believed any more: a key that was taken away takes its tokens along. */
    set->generation = atomic_fetch_add(&verifier->generation, 1) + 1;
    verifier->keys = set;
    pthread_rwlock_unlock(&verifier->keys_lock);
    key_set_unref(before);
    return RF_OK;
}

static const struct public_key *key_find(const struct key_set *keys, rf_str kid)
{
    for (uint32_t i = 0; keys != NULL && i < keys->count; i++)
        if (rf_str_eq(keys->items[i].kid, kid)) return keys->items[i].key;
    return NULL;
}

/* ---- the cache ------------------------------------------------------------------------------------------- */

void token_release(struct token_facts *facts)
{
    if (facts == NULL || atomic_fetch_sub(&facts->refs, 1) != 1) return;
    rf_arena_done(&facts->arena);
    free(facts);
}

static struct token_facts **cache_set(struct token_verifier *verifier, const uint8_t digest[32],
                                      struct shard **shard)
{
    *shard = &verifier->shards[digest[0] % CACHE_SHARDS];
    return (*shard)->slots[digest[1] % CACHE_SETS];
}

static struct token_facts *cache_find(struct token_verifier *verifier, const uint8_t digest[32])
{
    struct shard *shard;
    struct token_facts **set = cache_set(verifier, digest, &shard), *found = NULL;
    uint64_t generation = atomic_load(&verifier->generation);
    pthread_mutex_lock(&shard->lock);
    for (int i = 0; i < CACHE_WAYS && found == NULL; i++)
        if (set[i] != NULL && memcmp(set[i]->digest, digest, SHA256_BYTES) == 0 &&
            set[i]->generation == generation)
            found = set[i];
    if (found != NULL) atomic_fetch_add(&found->refs, 1);
    pthread_mutex_unlock(&shard->lock);
    return found;
}

/* Takes a free place, else that of an expired or outdated token, else one after the other. */
static void cache_add(struct token_verifier *verifier, struct token_facts *facts, int64_t now_sec)
{
    struct shard *shard;
    struct token_facts **set = cache_set(verifier, facts->digest, &shard), *evicted;
    pthread_mutex_lock(&shard->lock);
    uint32_t at = shard->turn++ % CACHE_WAYS;
    for (uint32_t i = 0; i < CACHE_WAYS; i++)
        if (set[i] == NULL || set[i]->expires_sec + SKEW_SEC <= now_sec ||
            set[i]->generation != facts->generation ||
            memcmp(set[i]->digest, facts->digest, SHA256_BYTES) == 0)
            at = i;
    evicted = set[at];
    atomic_fetch_add(&facts->refs, 1);
    set[at] = facts;
    pthread_mutex_unlock(&shard->lock);
    token_release(evicted);
}

/* ---- life ------------------------------------------------------------------------------------------------ */

enum rf_kind token_verifier_new(const struct site *site, struct token_verifier **out,
                                struct rf_err *err)
{
    struct token_verifier *verifier = calloc(1, sizeof *verifier);
    if (verifier == NULL) return RF_FAIL(err, RF_LIMIT, "MemoryBudgetExceeded", "a token cache");
    verifier->site = site;
    pthread_rwlock_init(&verifier->keys_lock, NULL);
    for (int i = 0; i < CACHE_SHARDS; i++) pthread_mutex_init(&verifier->shards[i].lock, NULL);
    *out = verifier;
    return RF_OK;
}

void token_verifier_free(struct token_verifier *verifier)
{
    if (verifier == NULL) return;
    for (int i = 0; i < CACHE_SHARDS; i++) {
        for (int set = 0; set < CACHE_SETS; set++)
            for (int way = 0; way < CACHE_WAYS; way++)
                token_release(verifier->shards[i].slots[set][way]);
        pthread_mutex_destroy(&verifier->shards[i].lock);
    }
    pthread_rwlock_destroy(&verifier->keys_lock);
    key_set_unref(verifier->keys);
    free(verifier);
}

/* ---- reading --------------------------------------------------------------------------------------------- */

#define INVALID_TOKEN "InvalidAuthenticationToken"
static enum rf_kind bad_token(struct rf_err *err, const char *why)
{
    return RF_FAIL(err, RF_DENIED, INVALID_TOKEN, "The access token is invalid: %s.", why);
}

static enum rf_kind wrong_tenant(const struct token_verifier *verifier, struct rf_err *err)
{
    return RF_FAIL(err, RF_DENIED, "InvalidAuthenticationTokenTenant",
                   "The access token is from the wrong issuer. It must match the tenant '%.*s' "
                   "associated with this subscription.",
                   RF_FMT(verifier->site->tenant_id));
}

/* Issuers are ORIGIN/TENANT/ (version 1) and ORIGIN/TENANT/v2.0, the origin being any under which we are known. */
static bool is_our_issuer(const struct site *site, rf_str issuer)
{
    rf_str scheme = RF_S("https://");
    if (!rf_str_starts(issuer, scheme)) return false;
    size_t slash = rf_str_find(issuer, RF_S("/"), scheme.len);
    if (slash == SIZE_MAX || !site_knows_host(site, rf_slice(issuer, scheme.len, slash)))
        return false;
    rf_str rest = rf_slice(issuer, slash + 1, issuer.len);
    if (!rf_str_starts(rest, site->tenant_id)) return false;
    rest = rf_slice(rest, site->tenant_id.len, rest.len);
    return rf_str_is(rest, "/") || rf_str_is(rest, "/v2.0");
}

static bool is_access_type(const struct json_node *header)
{
    const struct json_node *type = json_get(header, "typ");
    if (type == NULL) return true;
    return type->type == JSON_T_STRING && (rf_str_eq_nocase(type->text, RF_S("JWT")) ||
                                           rf_str_eq_nocase(type->text, RF_S("at+jwt")));
}

static bool read_roles(struct token_facts *facts)
{
    const struct json_node *roles = json_get(facts->claims, "roles");
    if (!json_is(roles, JSON_T_ARRAY)) return true;
    facts->roles = rf_arena_new(&facts->arena, rf_str, roles->count);
    if (facts->roles == NULL) return false;
    for (const struct json_node *role = roles->first; role != NULL; role = role->next)
        if (role->type == JSON_T_STRING) facts->roles[facts->role_count++] = role->text;
    return true;
}

static rf_str first_text(const struct json_node *claims, const char *const *names)
{
    for (; *names != NULL; names++) {
        rf_str text = json_text_at(claims, *names);
        if (text.len > 0) return text;
    }
    return (rf_str){0};
}

static void read_names(struct token_facts *facts)
{
    static const char *const user_names[] = {"upn", "unique_name", "preferred_username", NULL};
    const struct json_node *claims = facts->claims;
    facts->display_name = json_text_at(claims, "name");
    if (facts->display_name.len == 0) facts->display_name = json_text_at(claims, "app_displayname");
    if (facts->type == PRINCIPAL_USER) facts->user_name = first_text(claims, user_names);
    facts->token_id = json_text_at(claims, "uti");
}

/* Application or user: by idtyp, else by whether it was delegated. */
static bool read_type(struct token_facts *facts)
{
    rf_str type = json_text_at(facts->claims, "idtyp");
    bool is_delegated = json_get(facts->claims, "scp") != NULL;
    if (type.len == 0)
        facts->type = is_delegated ? PRINCIPAL_USER : PRINCIPAL_SERVICE;
    else if (rf_str_is(type, "app"))
        facts->type = PRINCIPAL_SERVICE;
    else if (rf_str_is(type, "user"))
        facts->type = PRINCIPAL_USER;
    else
        return false;
    return facts->type == PRINCIPAL_USER || !is_delegated;
}

static enum rf_kind read_claims(const struct token_verifier *verifier, struct token_facts *facts,
                                enum token_step *step, struct rf_err *err)
{
    static const char *const apps[] = {"appid", "azp", NULL};
    const struct json_node *claims = facts->claims;
    *step = TOKEN_ISSUER;
    if (!rf_str_eq_nocase(json_text_at(claims, "tid"), verifier->site->tenant_id))
        return wrong_tenant(verifier, err);
    if (!is_our_issuer(verifier->site, json_text_at(claims, "iss")))
        return wrong_tenant(verifier, err);
    *step = TOKEN_CLAIMS;
    facts->app_id = first_text(claims, apps);
    /* An ID token tells an application who signed in; it gives no right to call anybody. */
    if (json_get(claims, "nonce") != NULL || facts->app_id.len == 0)
        return bad_token(err, "it is no access token");
    facts->object_id = json_text_at(claims, "oid");
    if (!guid_is(facts->object_id)) return bad_token(err, "it names no principal");
    if (!read_type(facts)) return bad_token(err, "it is neither of a user nor of an application");
    if (!json_i64_at(claims, "exp", &facts->expires_sec) ||
        !json_i64_at(claims, "iat", &facts->issued_sec))
        return bad_token(err, "it has no times");
    if (!json_i64_at(claims, "nbf", &facts->valid_sec)) facts->valid_sec = facts->issued_sec;
    /* Far beyond any date, so that adding the skew cannot overflow. */
    int64_t most = INT64_C(1) << 40;
    if (facts->expires_sec > most || facts->valid_sec > most || facts->issued_sec > most ||
        facts->expires_sec < 0 || facts->valid_sec < 0 || facts->issued_sec < 0)
        return bad_token(err, "its times are out of range");
    read_names(facts);
    facts->audience = json_text_at(claims, "aud");
    facts->audiences = token_audiences(verifier->site, facts->audience);
    if (!read_roles(facts)) return rf_fail_memory(err, &facts->arena);
    return RF_OK;
}

static enum rf_kind check_signature(struct token_verifier *verifier, const struct jwt *jwt,
                                    struct token_facts *facts, enum token_step *step,
                                    struct rf_err *err)
{
    struct key_set *keys = key_set_ref(verifier);
    const struct public_key *key = key_find(keys, jwt->kid);
    facts->generation = keys == NULL ? 0 : keys->generation;
    enum rf_kind kind = key == NULL ? RF_NOT_FOUND : jwt_check(jwt, key, JWT_RS256, NULL);
    key_set_unref(keys);
    if (kind == RF_OK) return RF_OK;
    *step = TOKEN_SIGNATURE;
    /* Another tenant's token has another tenant's key; its owner should hear what is wrong. */
    if (kind == RF_NOT_FOUND && !is_our_issuer(verifier->site, json_text_at(jwt->claims, "iss"))) {
        *step = TOKEN_ISSUER;
        return wrong_tenant(verifier, err);
    }
    return bad_token(err, kind == RF_NOT_FOUND ? "it was signed with an unknown key"
                                               : "its signature is not valid");
}

static enum rf_kind read_token(struct token_verifier *verifier, rf_str text,
                               struct token_facts *facts, enum token_step *step, struct rf_err *err)
{
    struct jwt jwt;
    struct rf_err inner = {.kind = RF_OK};
    /* The claims are views of what was decoded, in the arena: the token itself need not stay. */
    *step = TOKEN_TEXT;
    if (jwt_parse(text, &facts->arena, &jwt, &inner) != RF_OK) {
        if (strcmp(inner.code, "BadTokenAlgorithm") == 0) *step = TOKEN_SIGNATURE;
        return RF_FAIL(err, RF_DENIED, INVALID_TOKEN, "The access token is invalid: %.200s",
                       inner.text);
    }
    *step = TOKEN_CLAIMS;
    if (!is_access_type(jwt.header)) return bad_token(err, "its type is none of an access token");
    facts->claims = jwt.claims;
    RF_TRY(check_signature(verifier, &jwt, facts, step, err));
    return read_claims(verifier, facts, step, err);
}

/* ---- checking -------------------------------------------------------------------------------------------- */

static enum rf_kind check_times(const struct token_facts *facts, rf_usec now, struct rf_err *err)
{
    int64_t now_sec = now / RF_USEC_PER_SECOND;
    if (now_sec < facts->valid_sec - SKEW_SEC) return bad_token(err, "it is not valid yet");
    if (now_sec < facts->expires_sec + SKEW_SEC) return RF_OK;
    struct rf_arena arena;
    rf_arena_init(&arena, 4096);
    rf_str then = time_iso(&arena, facts->expires_sec * RF_USEC_PER_SECOND);
    rf_str today = time_iso(&arena, now);
    (void)rf_fail(
        err, RF_DENIED, "ExpiredAuthenticationToken",
        "The access token expiry UTC time '%.*s' is earlier than current UTC time '%.*s'.",
        RF_FMT(then), RF_FMT(today));
    rf_arena_done(&arena);
    return RF_DENIED;
}

static enum rf_kind check_facts(const struct token_facts *facts, unsigned audiences, rf_usec now,
                                enum token_step *step, struct rf_err *err)
{
    *step = TOKEN_TIMES;
    RF_TRY(check_times(facts, now, err));
    *step = TOKEN_AUDIENCE;
    if ((facts->audiences & audiences) != 0) return RF_OK;
    return RF_FAIL(err, RF_DENIED, "InvalidAuthenticationTokenAudience",
                   "The access token has been obtained for wrong audience or resource '%.*s'. It "
                   "should exactly match with one of the allowed audiences of this service.",
                   (int)RF_MIN(facts->audience.len, 256), (const char *)facts->audience.ptr);
}

static enum rf_kind facts_new(const uint8_t digest[SHA256_BYTES], struct token_facts **out,
                              struct rf_err *err)
{
    struct token_facts *facts = calloc(1, sizeof *facts);
    if (facts == NULL) return RF_FAIL(err, RF_LIMIT, "MemoryBudgetExceeded", "a token");
    atomic_init(&facts->refs, 1);
    rf_arena_init(&facts->arena, FACTS_BYTES_MAX);
    memcpy(facts->digest, digest, SHA256_BYTES);
    *out = facts;
    return RF_OK;
}

enum rf_kind token_verify(struct token_verifier *verifier, rf_str token, unsigned audiences,
                          rf_usec now, struct token_facts **out, enum token_step *step,
                          struct rf_err *err)
{
    *step = TOKEN_TEXT;
    if (token.len > JWT_BYTES_MAX) return bad_token(err, "it is too long");
    uint8_t digest[SHA256_BYTES];
    digest_sha256(token, digest);
    struct token_facts *facts = cache_find(verifier, digest);
    enum rf_kind kind = RF_OK;
    bool is_new = facts == NULL;
    if (is_new) {
        RF_TRY(facts_new(digest, &facts, err));
        kind = read_token(verifier, token, facts, step, err);
    }
    if (kind == RF_OK) kind = check_facts(facts, audiences, now, step, err);
    if (kind == RF_OK && is_new) cache_add(verifier, facts, now / RF_USEC_PER_SECOND);
    if (kind != RF_OK) {
        token_release(facts);
        return kind;
    }
    *out = facts;
    return RF_OK;
}
