/* portal.h - the web portal: its pages, which the program carries, and the few APIs that only its pages need: who is signed in, preferences,
 * one stream of what happens now, counts for the Overview, rates of event hubs, health. All else the pages ask of the public APIs at the same
 * origin (docs/portal-api.md). */
#ifndef RF_PORTAL_H
#define RF_PORTAL_H

#include "arm/arm.h"
#include "hub/hub.h"
#include "tables/tables.h"

struct keeper;
struct portal;
/* What waits in memory to be written somewhere: bytes now, and the most that may. */
struct portal_queue {
    const char *name;
    void *ctx;
    void (*look)(void *ctx, uint64_t *waits, uint64_t *room);
};
enum { PORTAL_QUEUES_MAX = 8 };
struct portal_options {
    struct state *state;
    struct arm *arm;
    struct authz *authz;
    struct tables *tables;
    struct hubs *hubs;                       /* NULL: there are none */
    const struct browser_sessions *sessions; /* NULL: streams end with their tokens only */
    struct keeper *keeper;                   /* NULL: of it nothing is told */
    const struct site *site;
    const struct audit *audit;
    struct rf_clock *clock;
    struct { /* where syslog is taken; 0: not */
        uint16_t udp, tcp, tls;
    } syslog;
    struct portal_queue queues[PORTAL_QUEUES_MAX]; /* up to the first without a name */
    rf_str version;                                /* of the program */
    rf_str data; /* its data folder; empty: not told in the health page */
    rf_str
        archive; /* tools/portal.mjs draws it; borrowed. Empty: the program was built without the pages */
};
/* The archive that this program was linked with; empty: none. */
rf_str portal_archive_built(void);
/* RF_CORRUPT PortalArchiveBad. `options` is copied, what it points to is borrowed. */
RF_MUST_USE enum rf_kind portal_new(const struct portal_options *options, struct portal **out,
                                    struct rf_err *err);
/* Watches and samples from now on. */
RF_MUST_USE enum rf_kind portal_start(struct portal *portal, struct rf_err *err);
/* Ends its thread and what it watches; before tables, hubs and state go. NULL is fine. */
void portal_stop(struct portal *portal);
/* Stops too; the server, whose streams it serves, has stopped. NULL is fine. */
void portal_free(struct portal *portal);
/* A role's report of its hardening, as a row of RingfortHardening has it: shown by the health page. NULL is fine. Any thread. */
void portal_note_hardening(struct portal *portal, rf_str row);
const struct service *portal_service(struct portal *portal);

#endif
