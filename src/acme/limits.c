/* limits.c - how many accounts an address has made of late: a table of fixed size, in which an address that is not there takes the place of the one that
 * began longest ago. */
#include <pthread.h>
#include <stdlib.h>

#include "acme/acme_int.h"

enum { PLACES = 1024, SPAN_SECONDS = 3 * 3600, ACCOUNTS_MAX = 20, NEAR = 8 };

struct acme_limits {
    pthread_mutex_t mutex;
    uint64_t seed;
    struct {
        uint64_t hash;
        int64_t since;
        uint32_t count;
    } places[PLACES];
};

enum rf_kind acme_limits_new(struct acme_limits **out, struct rf_err *err)
{
    struct acme_limits *limits = calloc(1, sizeof *limits);
    if (limits == NULL) return RF_FAIL(err, RF_LIMIT, "MemoryBudgetExceeded", "limits");
    (void)pthread_mutex_init(&limits->mutex, NULL);
    limits->seed = (uint64_t)(uintptr_t)limits;
    *out = limits;
    return RF_OK;
}

void acme_limits_free(struct acme_limits *limits)
{
    if (limits == NULL) return;
    (void)pthread_mutex_destroy(&limits->mutex);
    free(limits);
}

bool acme_limits_account(struct acme_limits *limits, rf_str address, int64_t now)
{
    uint64_t hash = rf_hash(address.ptr, address.len, limits->seed);
    (void)pthread_mutex_lock(&limits->mutex);
    size_t at = hash % PLACES, found = at;
    for (size_t i = 0; i < NEAR; i++) {
        size_t place = (at + i) % PLACES;
        if (limits->places[place].hash == hash && limits->places[place].count > 0) {
            found = place;
            break;
        }
        if (limits->places[place].since < limits->places[found].since) found = place;
    }
    bool stale =
        limits->places[found].hash != hash || now - limits->places[found].since >= SPAN_SECONDS;
    if (stale) {
        limits->places[found].hash = hash;
        limits->places[found].since = now;
        limits->places[found].count = 0;
    }
    bool fine = limits->places[found].count < ACCOUNTS_MAX;
    if (fine) limits->places[found].count++;
    (void)pthread_mutex_unlock(&limits->mutex);
    return fine;
}
