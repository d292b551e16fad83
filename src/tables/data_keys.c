#include "tables/data_keys.h"

#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#include "base/log.h"

enum { ID_BYTES = 16, BUCKETS = 256, TRIES = 40, PAUSE_MS = 50 };

struct known {
    struct known *next;
    uint8_t wrapped[KEEPER_DATA_KEY_BYTES], key[32];
};
struct data_keys {
    struct keeper *keeper;
    const char *label;
    struct store_keyring ring;
    pthread_mutex_t lock;
    struct known *buckets[BUCKETS]; /* by id */
};

_Static_assert((int)KEEPER_DATA_KEY_BYTES <= (int)STORE_WRAPPED_BYTES_MAX, "a wrapped key fits");

/* The keeper is started again within a moment: rows need not be refused for that. */
static bool wait_for_keeper(enum rf_kind kind, int *tries)
{
    struct timespec pause = {.tv_nsec = PAUSE_MS * 1000000};
    if (kind != RF_AGAIN || ++*tries >= TRIES) return false;
    (void)nanosleep(&pause, NULL);
    return true;
}

static struct known **find(struct data_keys *keys, const uint8_t *wrapped)
{
    struct known **at = &keys->buckets[wrapped[0] % BUCKETS];
    while (*at != NULL && memcmp((*at)->wrapped, wrapped, KEEPER_DATA_KEY_BYTES) != 0)
        at = &(*at)->next;
    return at;
}

/* Without memory it is asked for again. */
static void remember(struct data_keys *keys, const uint8_t *wrapped, const uint8_t key[32])
{
    struct known *known = calloc(1, sizeof *known);
    if (known == NULL) return;
    memcpy(known->wrapped, wrapped, sizeof known->wrapped);
    memcpy(known->key, key, sizeof known->key);
    pthread_mutex_lock(&keys->lock);
    struct known **at = find(keys, wrapped);
    if (*at == NULL) {
        *at = known;
        known = NULL;
    }
    pthread_mutex_unlock(&keys->lock);
    if (known == NULL) return;
    explicit_bzero(known, sizeof *known);
    free(known);
}

static enum rf_kind make(void *ctx, uint8_t wrapped[STORE_WRAPPED_BYTES_MAX], size_t *len,
                         struct extent_key *key, struct rf_err *err)
{
    struct data_keys *keys = ctx;
    enum rf_kind kind;
    int tries = 0;
    do kind = keeper_data_key_new(keys->keeper, keys->label, wrapped, key->bytes, err);
    while (wait_for_keeper(kind, &tries));
    RF_TRY(kind);
    *len = KEEPER_DATA_KEY_BYTES;
    key->present = true;
    remember(keys, wrapped, key->bytes);
    return RF_OK;
}

static bool recall(struct data_keys *keys, rf_str wrapped, struct extent_key *key)
{
    pthread_mutex_lock(&keys->lock);
    const struct known *known = *find(keys, wrapped.ptr);
    if (known != NULL) memcpy(key->bytes, known->key, sizeof key->bytes);
    pthread_mutex_unlock(&keys->lock);
    return known != NULL;
}

static enum rf_kind open_key(void *ctx, rf_str wrapped, struct extent_key *key, struct rf_err *err)
{
    struct data_keys *keys = ctx;
    enum rf_kind kind = RF_OK;
    int tries = 0;
    if (wrapped.len != KEEPER_DATA_KEY_BYTES)
        return RF_FAIL(err, RF_CORRUPT, "KeyDamaged", "a wrapped key has %zu bytes, not %d",
                       wrapped.len, KEEPER_DATA_KEY_BYTES);
    if (!recall(keys, wrapped, key)) {
        do kind = keeper_data_key_open(keys->keeper, wrapped, key->bytes, err);
        while (wait_for_keeper(kind, &tries));
        if (kind == RF_OK) remember(keys, wrapped.ptr, key->bytes);
    }
    key->present = kind == RF_OK;
    return kind;
}

/* By its id: it may be known in several forms, wrapped under one root and the next. */
static void forget(struct data_keys *keys, rf_str wrapped)
{
    struct known *gone = NULL;
    pthread_mutex_lock(&keys->lock);
    for (struct known **at = &keys->buckets[wrapped.ptr[0] % BUCKETS]; *at != NULL;) {
        struct known *known = *at;
        if (memcmp(known->wrapped, wrapped.ptr, ID_BYTES) != 0) {
            at = &known->next;
            continue;
        }
        *at = known->next;
        known->next = gone;
        gone = known;
    }
    pthread_mutex_unlock(&keys->lock);
    for (struct known *next; gone != NULL; gone = next) {
        next = gone->next;
        explicit_bzero(gone, sizeof *gone);
        free(gone);
    }
}

static enum rf_kind destroy(void *ctx, rf_str wrapped, rf_str what, struct rf_err *err)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    struct data_keys *keys = ctx;
    rf_str proof;
    rf_arena_init(&arena, 64 << 10);
    if (wrapped.len != KEEPER_DATA_KEY_BYTES) return RF_OK; /* nothing that could be opened */
    RF_TRY(keeper_data_key_destroy(keys->keeper, wrapped, keys->label, &arena, &proof, err));
    forget(keys, wrapped);
    rf_log(RF_INFO, "data.key_destroyed", RF_KV_STR("of", rf_str_of(keys->label)),
           RF_KV_STR("name", what), RF_KV_STR("proof", proof));
    return RF_OK;
}

enum rf_kind data_keys_new(struct keeper *keeper, const char *label, struct data_keys **out,
                           struct rf_err *err)
{
    struct data_keys *keys = calloc(1, sizeof *keys);
    if (keys == NULL) return RF_FAIL(err, RF_LIMIT, "MemoryBudgetExceeded", "keys of data");
    keys->keeper = keeper;
    keys->label = label;
    keys->ring =
        (struct store_keyring){.ctx = keys, .make = make, .open = open_key, .destroy = destroy};
    pthread_mutex_init(&keys->lock, NULL);
    *out = keys;
    return RF_OK;
}

void data_keys_free(struct data_keys *keys)
{
    if (keys == NULL) return;
    for (size_t i = 0; i < BUCKETS; i++) {
        for (struct known *known = keys->buckets[i], *next; known != NULL; known = next) {
            next = known->next;
            explicit_bzero(known, sizeof *known);
            free(known);
        }
    }
    pthread_mutex_destroy(&keys->lock);
    free(keys);
}

const struct store_keyring *data_keys_ring(const struct data_keys *keys) { return &keys->ring; }
