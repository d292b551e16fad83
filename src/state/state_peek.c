/* state_peek.c - single objects without a transaction, out of memory while their space is as it was when they were read. A transaction of SQLite takes some
 * twenty microseconds to begin and end, which is most of what a small read costs. */
#include <pthread.h>
#include <stdlib.h>

#include "state/state_int.h"

enum { SHARDS = 16, SETS = 64, WAYS = 4, BODY_BYTES_KEPT = 16 << 10 };

struct peeked {
    uint64_t version; /* of the space, looked at before the read */
    int64_t created_usec, changed_usec;
    uint64_t etag;
    size_t space_bytes, key_bytes, body_bytes;
    uint8_t bytes[]; /* space, key, body */
};

struct shard {
    pthread_mutex_t lock;
    uint32_t turn; /* of eviction */
    struct peeked *slots[SETS][WAYS];
};

struct state_peeks {
    struct shard shards[SHARDS];
};

struct state_peeks *state_peeks_new(void)
{
    struct state_peeks *peeks = calloc(1, sizeof *peeks);
    for (uint32_t i = 0; peeks != NULL && i < SHARDS; i++)
        pthread_mutex_init(&peeks->shards[i].lock, NULL);
    return peeks;
}

void state_peeks_free(struct state_peeks *peeks)
{
    if (peeks == NULL) return;
    for (uint32_t i = 0; i < SHARDS; i++) {
        for (uint32_t j = 0; j < SETS * WAYS; j++) free(peeks->shards[i].slots[j / WAYS][j % WAYS]);
        pthread_mutex_destroy(&peeks->shards[i].lock);
    }
    free(peeks);
}

static bool is_of(const struct peeked *peeked, rf_str space, rf_str key)
{
    return peeked != NULL && rf_str_eq(rf_str_make(peeked->bytes, peeked->space_bytes), space) &&
           rf_str_eq(rf_str_make(peeked->bytes + peeked->space_bytes, peeked->key_bytes), key);
}

static struct peeked **set_of(struct state_peeks *peeks, rf_str space, rf_str key,
                              struct shard **shard)
{
    uint64_t hash = rf_hash(key.ptr, key.len, rf_hash(space.ptr, space.len, 0));
    *shard = &peeks->shards[hash % SHARDS];
    return (*shard)->slots[hash / SHARDS % SETS];
}

/* False: it is not there, or no longer good, or (`failed`) the arena is full. */
static bool find(struct state_peeks *peeks, rf_str space, rf_str key, uint64_t version,
                 struct rf_arena *arena, struct state_object *out, bool *failed)
{
    struct shard *shard;
    struct peeked **set = set_of(peeks, space, key, &shard);
    bool found = false;
    *failed = false;
    pthread_mutex_lock(&shard->lock);
    for (uint32_t i = 0; i < WAYS && !found; i++) {
        const struct peeked *peeked = set[i];
        if (!is_of(peeked, space, key) || peeked->version != version) continue;
        rf_str whole, inside = rf_str_make(peeked->bytes + peeked->space_bytes,
                                           peeked->key_bytes + peeked->body_bytes);
        found = rf_arena_str(arena, inside, &whole);
        *failed = !found;
        if (!found) break;
        *out = (struct state_object){.key = rf_slice(whole, 0, peeked->key_bytes),
                                     .body = rf_slice(whole, peeked->key_bytes, whole.len),
                                     .etag = peeked->etag,
                                     .created_usec = peeked->created_usec,
                                     .changed_usec = peeked->changed_usec};
    }
    pthread_mutex_unlock(&shard->lock);
    return found;
}

/* In the place of what it was before, or of one whose space has changed, or of any. Without memory it is not kept. */
static void keep(struct state_peeks *peeks, rf_str space, rf_str key, uint64_t version,
                 const struct state_object *object)
{
    if (object->body.len > BODY_BYTES_KEPT) return;
    struct peeked *peeked = malloc(sizeof *peeked + space.len + key.len + object->body.len);
    if (peeked == NULL) return;
    *peeked = (struct peeked){.version = version,
                              .created_usec = object->created_usec,
                              .changed_usec = object->changed_usec,
                              .etag = object->etag,
                              .space_bytes = space.len,
                              .key_bytes = key.len,
                              .body_bytes = object->body.len};
    memcpy(peeked->bytes, space.ptr, space.len);
    memcpy(peeked->bytes + space.len, key.ptr, key.len);
    memcpy(peeked->bytes + space.len + key.len, object->body.ptr, object->body.len);
    struct shard *shard;
    struct peeked **set = set_of(peeks, space, key, &shard);
    pthread_mutex_lock(&shard->lock);
    uint32_t at = shard->turn++ % WAYS;
    for (uint32_t i = 0; i < WAYS; i++)
        if (set[i] == NULL) at = i;
    for (uint32_t i = 0; i < WAYS; i++)
        if (is_of(set[i], space, key)) at = i;
    struct peeked *before = set[at];
    set[at] = peeked;
    pthread_mutex_unlock(&shard->lock);
    free(before);
}

enum rf_kind state_peek(struct state *state, const char *space, rf_str key, struct rf_arena *arena,
                        struct state_object *out, struct rf_err *err)
{
    RF_CLEANUP(state_end_cleanup) struct state_txn *txn = NULL;
    struct state_peeks *peeks = state_peeks_of(state);
    rf_str name = rf_str_of(space);
    uint64_t version = state_version(state, space);
    bool failed;
    if (key.len == 0) peeks = NULL;
    if (peeks != NULL && find(peeks, name, key, version, arena, out, &failed)) return RF_OK;
    if (peeks != NULL && failed) return rf_fail_memory(err, arena);
    RF_TRY(state_begin_read(state, &txn, err));
    RF_TRY(state_get(txn, space, key, arena, out, err));
    if (peeks != NULL) keep(peeks, name, key, version, out);
    return RF_OK;
}
