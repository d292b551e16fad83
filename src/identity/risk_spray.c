#include <pthread.h>
#include <stdlib.h>

#include "identity/risk_int.h"

enum { SPRAYS = 256, SPRAY_HOURS = 24 };
struct spray_list {
    pthread_mutex_t lock;
    uint64_t seed;
    struct {
        uint64_t address;
        rf_usec at;
    } items[SPRAYS];
    uint32_t next; /* the oldest is overwritten */
};

enum rf_kind spray_new(struct spray_list **out, struct rf_err *err)
{
    struct spray_list *list = calloc(1, sizeof *list);
    if (list == NULL) return RF_FAIL(err, RF_LIMIT, "OutOfMemory", "no memory for addresses");
    pthread_mutex_init(&list->lock, NULL);
    random_bytes(&list->seed, sizeof list->seed);
    *out = list;
    return RF_OK;
}

void spray_free(struct spray_list *list)
{
    if (list == NULL) return;
    pthread_mutex_destroy(&list->lock);
    free(list);
}

static uint64_t key_of(const struct spray_list *list, rf_str address)
{
    return rf_hash(address.ptr, address.len, list->seed) | 1; /* 0 is an empty place */
}

void spray_note(struct spray_list *list, rf_str address, rf_usec elapsed)
{
    pthread_mutex_lock(&list->lock);
    list->items[list->next].address = key_of(list, address);
    list->items[list->next].at = elapsed;
    list->next = (list->next + 1) % SPRAYS;
    pthread_mutex_unlock(&list->lock);
}

bool spray_has(struct spray_list *list, rf_str address, rf_usec elapsed)
{
    uint64_t key = key_of(list, address);
    bool found = false;
    pthread_mutex_lock(&list->lock);
    for (uint32_t i = 0; i < SPRAYS && !found; i++)
        found = list->items[i].address == key &&
                elapsed - list->items[i].at < (rf_usec)SPRAY_HOURS * 3600 * RF_USEC_PER_SECOND;
    pthread_mutex_unlock(&list->lock);
    return found;
}
