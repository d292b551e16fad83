/* watch.h - what goes on, looked at once a second by a thread of its own: rows that come in, events of hubs, incidents that change. Keeps the last minutes
 * in memory, so that every page that asks gets the same numbers at no cost. Any thread. */
#ifndef RF_PORTAL_WATCH_H
#define RF_PORTAL_WATCH_H

#include "hub/hub_watch.h"
#include "portal/source_facts.h"
#include "state/state.h"

enum {
    WATCH_SECONDS = 64,      /* kept one by one */
    WATCH_MINUTES = 24 * 60, /* of rows */
    WATCH_HUBS_MAX =
        256, /* more are not watched; neither are hubs in a Kafka cluster that nobody has looked at */
    WATCH_INCIDENTS = 128, /* changes that are kept for streams that lag */
};

struct watch;
struct watch_options {
    struct tables *tables;
    struct hubs *hubs; /* NULL: none */
    struct state *state;
    struct source_watch *sources;
    struct rf_clock *clock;
    rf_str workspace_id;  /* GUID */
    rf_str workspace_key; /* its ARM id in lower case */
};
RF_MUST_USE enum rf_kind watch_new(const struct watch_options *options, struct watch **out,
                                   struct rf_err *err);
RF_MUST_USE enum rf_kind watch_start(struct watch *watch, struct rf_err *err);
void watch_stop(struct watch *watch);
void watch_free(struct watch *watch); /* stops it; NULL is fine */
/* One look, as the thread does it each second; for tests. */
void watch_tick(struct watch *watch);

/* Some incident was written: it is looked at with the next tick; for tests, as the thread hears it from the state. */
void watch_note_change(struct watch *watch);

/* Somebody follows: incidents and the pulse are looked at only then. */
void watch_follow(struct watch *watch, int change);

/* The newest pulse as JSON, and its number, which grows; ptr NULL: there is none newer than `seen`. In `arena`. */
rf_str watch_pulse(struct watch *watch, uint64_t seen, struct rf_arena *arena, uint64_t *number);
/* The next change of an incident behind number *seen as JSON, and moves *seen on; ptr NULL: there is none. *missed: some before it are not kept any more. */
rf_str watch_incident(struct watch *watch, uint64_t *seen, struct rf_arena *arena, bool *missed);
uint64_t watch_incident_number(struct watch *watch);

/* Rows of each minute, the oldest first; -1: the program did not run then. Returns the first minute's time. */
rf_usec watch_minutes(struct watch *watch, int64_t out[WATCH_MINUTES]);

struct watch_rate {
    double in_events, in_bytes, out_events, out_bytes; /* a second */
};
/* Of a hub's partition (UINT32_MAX: of all) over the last `seconds` (at most WATCH_SECONDS - 1). False: not known yet. Names without case. */
bool watch_hub_rate(struct watch *watch, rf_str space, rf_str hub, uint32_t partition,
                    uint32_t seconds, struct watch_rate *out);

#endif
