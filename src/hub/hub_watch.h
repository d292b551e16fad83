/* hub_watch.h - event hubs for who watches them: which there are, and what went in and out since the program started. Counting costs an atomic
 * addition a batch; nothing here opens a log or reads an event. Any thread. */
#ifndef RF_HUB_WATCH_H
#define RF_HUB_WATCH_H

#include "hub/hub.h"

/* All namespaces that are there, by name; in `arena`. */
RF_MUST_USE enum rf_kind hubs_namespaces(struct hubs *hubs, struct rf_arena *arena,
                                         struct hub_namespace ***out, uint32_t *count,
                                         struct rf_err *err);
/* The resource's id, casing kept; lives as long as `hubs`. */
rf_str hub_namespace_id(const struct hub_namespace *space);
/* Names of consumer groups as they are stored, sorted, "$Default" among them; in `arena`. */
RF_MUST_USE enum rf_kind hub_groups(const struct hub *hub, struct rf_arena *arena, rf_str **names,
                                    uint32_t *count, struct rf_err *err);

struct hub_traffic {
    bool is_known; /* the three below are: somebody has looked at the partition since the start */
    int64_t begin, end; /* retained numbers: [begin, end) */
    rf_usec last_enqueued;
    uint64_t in_events,
        in_bytes; /* stored by this program; bytes as they lie there, compressed perhaps */
    uint64_t out_events, out_bytes; /* read by anybody; what was read twice counts twice */
};
/* False: there is no such partition, or the hub was deleted. */
bool hub_partition_traffic(struct hub *hub, uint32_t partition, struct hub_traffic *out);
/* Sends that were refused because the hub is disabled for them, or too much waits to be written. */
uint64_t hub_refused(const struct hub *hub);

#endif
