#include <pthread.h>
#include <stdlib.h>

#include "identity/identity_int.h"

/* Failures of the last minute by a hash of who: two that share a place would only wait together. */
enum { GUARD_PLACES = 4096, WINDOW_SECONDS = 60 };

struct place {
    uint32_t next;                  /* slot of `at` that is written next */
    rf_usec at[GUARD_FAILURES_MAX]; /* 0: never */
};
struct guard {
    pthread_mutex_t lock;
    struct place places[GUARD_PLACES];
};

enum rf_kind guard_new(struct guard **out, struct rf_err *err)
{
    struct guard *guard = calloc(1, sizeof *guard);
    if (guard == NULL) return RF_FAIL(err, RF_LIMIT, "OutOfMemory", "no memory for counters");
    pthread_mutex_init(&guard->lock, NULL);
    *out = guard;
    return RF_OK;
}

void guard_free(struct guard *guard)
{
    if (guard == NULL) return;
    pthread_mutex_destroy(&guard->lock);
    free(guard);
}

static struct place *place_of(struct guard *guard, rf_str who)
{
    return &guard->places[rf_hash(who.ptr, who.len, 1) % GUARD_PLACES];
}

uint32_t guard_wait(struct guard *guard, rf_str who, rf_usec elapsed)
{
    pthread_mutex_lock(&guard->lock);
    struct place *place = place_of(guard, who);
    rf_usec oldest = place->at[place->next]; /* the ring is full: ten failures since then */
    pthread_mutex_unlock(&guard->lock);
    rf_usec until = oldest + WINDOW_SECONDS * RF_USEC_PER_SECOND;
    if (oldest == 0 || elapsed >= until) return 0;
    return (uint32_t)((until - elapsed + RF_USEC_PER_SECOND - 1) / RF_USEC_PER_SECOND);
}

void guard_failed(struct guard *guard, rf_str who, rf_usec elapsed)
{
    pthread_mutex_lock(&guard->lock);
    struct place *place = place_of(guard, who);
    place->at[place->next] = RF_MAX(elapsed, (rf_usec)1);
    place->next = (place->next + 1) % GUARD_FAILURES_MAX;
    pthread_mutex_unlock(&guard->lock);
}
