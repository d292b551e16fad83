#include "vault/authority_cache.h"

#include <pthread.h>
#include <stdlib.h>

#include "crypt/digest.h"

enum { SLOTS = 1024, ANSWER_BYTES_MAX = 8 << 10 };

struct slot {
    uint8_t key[SHA256_BYTES]; /* digest of all that it is for */
    int64_t until;             /* 0: empty */
    uint8_t *answer;
    size_t len;
};
struct authority_cache {
    pthread_mutex_t lock;
    int64_t second; /* in which `signed_count` were signed */
    uint32_t signed_count;
    struct slot slots[SLOTS];
};

struct authority_cache *authority_cache_new(void)
{
    struct authority_cache *cache = calloc(1, sizeof *cache);
    if (cache != NULL) (void)pthread_mutex_init(&cache->lock, NULL);
    return cache;
}

void authority_cache_free(struct authority_cache *cache)
{
    if (cache == NULL) return;
    for (size_t i = 0; i < SLOTS; i++) free(cache->slots[i].answer);
    (void)pthread_mutex_destroy(&cache->lock);
    free(cache);
}

static bool key_of(const struct cached_answer *wanted, uint8_t out[SHA256_BYTES])
{
    uint8_t text[512];
    size_t at = 0, len = wanted->authority.len + wanted->id.len;
    if (len + 12 > sizeof text) return false;
    rf_put_u32le(text, (uint32_t)wanted->status);
    rf_put_u64le(text + 4, (uint64_t)wanted->revoked);
    at = 12;
    memcpy(text + at, wanted->authority.ptr, wanted->authority.len); /* of one length always */
    memcpy(text + at + wanted->authority.len, wanted->id.ptr, wanted->id.len);
    digest_sha256(rf_str_make(text, at + len), out);
    return true;
}

static struct slot *slot_of(struct authority_cache *cache, const uint8_t key[SHA256_BYTES])
{
    return &cache->slots[rf_get_u32le(key) % SLOTS];
}

bool authority_cache_get(const struct cached_answer *wanted, struct rf_arena *arena, rf_str *out)
{
    uint8_t key[SHA256_BYTES];
    if (wanted->vaults == NULL || !key_of(wanted, key)) return false;
    (void)pthread_mutex_lock(&wanted->vaults->lock);
    const struct slot *slot = slot_of(wanted->vaults, key);
    bool found = slot->until > wanted->now && slot->until <= wanted->now + CACHED_SECONDS &&
                 memcmp(slot->key, key, sizeof key) == 0 &&
                 rf_arena_str(arena, rf_str_make(slot->answer, slot->len), out);
    (void)pthread_mutex_unlock(&wanted->vaults->lock);
    return found;
}

bool authority_cache_may_sign(struct authority_cache *cache, int64_t now)
{
    if (cache == NULL) return true;
    (void)pthread_mutex_lock(&cache->lock);
    if (cache->second != now) cache->signed_count = 0;
    cache->second = now;
    bool may = cache->signed_count < SIGNED_PER_SECOND;
    cache->signed_count += may;
    (void)pthread_mutex_unlock(&cache->lock);
    return may;
}

void authority_cache_put(const struct cached_answer *wanted, rf_str answer)
{
    uint8_t key[SHA256_BYTES], *copy;
    if (wanted->vaults == NULL || answer.len == 0 || answer.len > ANSWER_BYTES_MAX ||
        !key_of(wanted, key) || (copy = malloc(answer.len)) == NULL)
        return;
    memcpy(copy, answer.ptr, answer.len);
    (void)pthread_mutex_lock(&wanted->vaults->lock);
    struct slot *slot = slot_of(wanted->vaults, key);
    uint8_t *old = slot->answer;
    *slot = (struct slot){.until = wanted->now + CACHED_SECONDS, .answer = copy, .len = answer.len};
    memcpy(slot->key, key, sizeof key);
    (void)pthread_mutex_unlock(&wanted->vaults->lock);
    free(old);
}
