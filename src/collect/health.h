/* health.h - the numbers of each sender, and what could not be stored. Bounded; any thread, no waiting but for a lock. */
#ifndef RF_COLLECT_HEALTH_H
#define RF_COLLECT_HEALTH_H

#include "base/clock.h"
#include "collect/rowset.h"

enum { HEALTH_SOURCES_MAX = 8192 }; /* more are counted together, as "(others)" */

struct health;
struct health *health_new(void); /* NULL: memory */
void health_free(struct health *health);

struct health_source {    /* names who sent; cut to some hundred bytes */
    rf_str listener;      /* name of the listener or token; empty: refused, nobody's */
    const char *protocol; /* static */
    rf_str source;        /* address, or who the certificate or the token names */
    rf_str workspace;     /* guid: where its row goes */
};
struct health_counts {
    uint64_t rows, bytes;
    uint64_t rejected; /* messages that were malformed or could not be stored as they should */
    uint64_t dropped;  /* that are lost: no room */
    uint64_t refused;  /* connections, calls, datagrams of who may not send */
};
/* `error`: static or not, copied; NULL: none. */
void health_add(struct health *health, const struct health_source *source,
                const struct health_counts *counts, const char *error, rf_usec now);

/* A row of RingfortCollect for each sender of the last hour, by workspace: `emit` gets the rows of one. Begins a new minute. */
void health_rows(struct health *health, rf_usec now, struct rf_arena *arena,
                 void (*emit)(void *ctx, rf_str workspace, const struct rowset *rows), void *ctx);
/* A row of RingfortCollect that says that the collectors of `name` run, for who looks for silence. */
void health_put_pulse(struct rowset *rows, rf_str name, rf_usec now);
/* {"rows","bytes",...,"lastSeen","lastError","sources":[...]} of a listener or token since the start. */
void health_status(struct health *health, rf_str listener, const char *protocol,
                   struct json_out *out, const char *name);
/* A row of RingfortCollectRejected. */
void health_put_rejected(struct rowset *rows, const struct health_source *source, const char *error,
                         rf_str table, rf_str raw, rf_usec now);

#endif
