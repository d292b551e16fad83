#include <pthread.h>
#include <stdlib.h>

#include "identity/identity_int.h"

enum { MEMO_BUCKETS = 1024, MEMO_ENTRIES_MAX = 8192, MEMO_ENTRY_BYTES_MAX = 16 << 20 };

struct memo {
    pthread_mutex_t lock;
    struct memo_entry *buckets[MEMO_BUCKETS];
    uint32_t count;
};

enum rf_kind memo_new(struct memo **out, struct rf_err *err)
{
    struct memo *memo = calloc(1, sizeof *memo);
    if (memo == NULL) return RF_FAIL(err, RF_LIMIT, "OutOfMemory", "no memory for a cache");
    pthread_mutex_init(&memo->lock, NULL);
    *out = memo;
    return RF_OK;
}

void memo_release(struct memo_entry **entry)
{
    struct memo_entry *e = *entry;
    *entry = NULL;
    if (e == NULL || atomic_fetch_sub(&e->refs, 1) != 1) return;
    rf_arena_done(&e->arena);
    free(e);
}

static void clear(struct memo *memo)
{
    for (uint32_t i = 0; i < MEMO_BUCKETS; i++) {
        while (memo->buckets[i] != NULL) {
            struct memo_entry *entry = memo->buckets[i];
            memo->buckets[i] = entry->next;
            memo_release(&entry);
        }
    }
    memo->count = 0;
}

void memo_free(struct memo *memo)
{
    if (memo == NULL) return;
    clear(memo);
    pthread_mutex_destroy(&memo->lock);
    free(memo);
}

static struct memo_entry **place_of(struct memo *memo, rf_str key)
{
    struct memo_entry **at = &memo->buckets[rf_hash(key.ptr, key.len, 0) % MEMO_BUCKETS];
    while (*at != NULL && !rf_str_eq((*at)->key, key)) at = &(*at)->next;
    return at;
}

struct memo_entry *memo_find(struct memo *memo, rf_str key, uint64_t stamp)
{
    pthread_mutex_lock(&memo->lock);
    struct memo_entry *entry = *place_of(memo, key);
    if (entry != NULL && entry->stamp != stamp) entry = NULL;
    if (entry != NULL) atomic_fetch_add(&entry->refs, 1);
    pthread_mutex_unlock(&memo->lock);
    return entry;
}

struct memo_entry *memo_entry_new(rf_str key, uint64_t stamp)
{
    struct memo_entry *entry = calloc(1, sizeof *entry);
    if (entry == NULL) return NULL;
    rf_arena_init(&entry->arena, MEMO_ENTRY_BYTES_MAX);
    entry->stamp = stamp;
    atomic_init(&entry->refs, 1);
    if (!rf_arena_str(&entry->arena, key, &entry->key)) memo_release(&entry);
    return entry;
}

void memo_add(struct memo *memo, struct memo_entry *entry)
{
    pthread_mutex_lock(&memo->lock);
    /* Names come from outside, so their number is bounded; what is in use is made again. */
    if (memo->count >= MEMO_ENTRIES_MAX) clear(memo);
    struct memo_entry **at = place_of(memo, entry->key), *old = *at;
    if (old != NULL) {
        *at = old->next;
        memo->count--;
    }
    struct memo_entry **head =
        &memo->buckets[rf_hash(entry->key.ptr, entry->key.len, 0) % MEMO_BUCKETS];
    atomic_fetch_add(&entry->refs, 1);
    entry->next = *head;
    *head = entry;
    memo->count++;
    pthread_mutex_unlock(&memo->lock);
    memo_release(&old);
}

/* A sum suffices: each of them only grows. */
uint64_t directory_stamp(struct identity *identity)
{
    static const char *const spaces[] = {
        "application", "servicePrincipal", "appRoleAssignment", "user", "group", "member"};
    uint64_t sum = 0;
    for (size_t i = 0; i < RF_COUNT(spaces); i++)
        sum += state_version(identity->options.state, spaces[i]);
    return sum;
}
