/* collect_int.h - what the files of collect/ share. */
#ifndef RF_COLLECT_INT_H
#define RF_COLLECT_INT_H

#include <pthread.h>

#include "collect/collect.h"
#include "collect/health.h"
#include "collect/line.h"
#include "collect/queue.h"
#include "collect/sources.h"

struct collect {
    struct collect_options options;
    struct arm_type types[2];
    struct rf_arena arena;          /* of what lives as long */
    struct winevent_columns events; /* the columns of SecurityEvent */
    struct sink sink;
    struct health *health;
    struct row_queue *queue;
    pthread_mutex_t lock; /* of `sources` */
    struct collect_sources *sources;
    pthread_mutex_t refreshing; /* one at a time, so that the newest is the last */
    bool stopped;               /* under `refreshing`: resources are looked at no more */
    _Atomic uint64_t version;   /* of the state's resources that `sources` is of */
    rf_usec health_due;         /* by the elapsed time */
    struct service services[3];
    const struct service *service_list[3];
};

/* Who may send, as of now; counted. Never waits for the disk. */
struct collect_sources *collect_sources(struct collect *collect);
/* Reads the resources anew; `txn` NULL: with a transaction of its own. */
void collect_refresh(struct collect *collect, struct state_txn *txn);

/* listen.c: gives the ports their collect, or takes it from them (NULL). */
void collect_ports_attach(struct collect_ports *ports, struct collect *collect);

/* http.c */
void collect_http_services(struct collect *collect);

#endif
