#include "crypt/keeper_vault.h"

static struct keeper_ready *ways_of(struct keeper_cache *cache, const uint8_t id[SHA256_BYTES])
{
    uint32_t sets = KEEPER_KEYS_READY / KEEPER_KEYS_WAYS;
    return &cache->ready[rf_get_u32le(id) % sets * KEEPER_KEYS_WAYS];
}

struct keeper_ready *keeper_cache_find(struct keeper_cache *cache, const uint8_t id[SHA256_BYTES])
{
    struct keeper_ready *ways = ways_of(cache, id), *found = NULL;
    pthread_mutex_lock(&cache->lock);
    for (uint32_t i = 0; i < KEEPER_KEYS_WAYS && found == NULL; i++)
        if (ways[i].key != NULL && memcmp(ways[i].id, id, SHA256_BYTES) == 0) found = &ways[i];
    if (found != NULL) {
        found->refs++;
        found->used = ++cache->clock;
    }
    pthread_mutex_unlock(&cache->lock);
    return found;
}

struct keeper_ready *keeper_cache_put(struct keeper_cache *cache, const uint8_t id[SHA256_BYTES],
                                      struct seal_key *key, const struct seal_head *head)
{
    struct keeper_ready *ways = ways_of(cache, id), *place = NULL;
    pthread_mutex_lock(&cache->lock);
    for (uint32_t i = 0; i < KEEPER_KEYS_WAYS; i++)
        if (ways[i].refs == 0 && (place == NULL || ways[i].used < place->used)) place = &ways[i];
    if (place != NULL) {
        seal_key_free(place->key);
        *place =
            (struct keeper_ready){.key = key, .head = *head, .refs = 1, .used = ++cache->clock};
        memcpy(place->id, id, SHA256_BYTES);
    }
    pthread_mutex_unlock(&cache->lock);
    return place;
}

void keeper_cache_give_back(struct keeper_cache *cache, struct keeper_ready *ready)
{
    pthread_mutex_lock(&cache->lock);
    ready->refs--;
    pthread_mutex_unlock(&cache->lock);
}

void keeper_cache_shrink(struct keeper_cache *cache)
{
    pthread_mutex_lock(&cache->lock);
    for (uint32_t i = 0; i < KEEPER_KEYS_READY; i++) {
        struct keeper_ready *ready = &cache->ready[i];
        if (ready->refs > 0 || ready->key == NULL) continue;
        seal_key_free(ready->key);
        *ready = (struct keeper_ready){.key = NULL};
    }
    pthread_mutex_unlock(&cache->lock);
}
