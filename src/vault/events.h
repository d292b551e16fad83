/* events.h - subscriptions to the events of a vault (Microsoft.EventGrid/eventSubscriptions on a vault), and what waits for their event hubs. */
#ifndef RF_VAULT_EVENTS_H
#define RF_VAULT_EVENTS_H

#include "vault/vault_int.h"

/* The resource type; its context is the vaults. */
struct arm_type vault_subscription_type(struct vaults *vaults);

/* Whether a subscription's document (but for where it sends) is one that is kept to; sets its schema. RF_INVALID InvalidRequest. */
RF_MUST_USE enum rf_kind vault_subscription_read(struct rf_arena *arena, rf_str name,
                                                 struct json_node *properties, struct rf_err *err);
/* Whether a subscription wants an event (Event Grid schema). */
bool vault_subscription_wants(const struct json_node *properties, const struct json_node *event);

/* What waits lies in the space "vault.event", key: "{subscription's key}/{20 digits: microseconds}-{event's id}", body:
 *   {"hub","name","id","type","text","content","created","ends","next" (seconds since 1970),"tries","attempts"}
 * so that the events of a subscription are sent one behind the other. */
extern const char *const vault_event_space;
/* Keeps an event (Event Grid schema) for each subscription of its vault that wants it, in the write transaction of what it tells of. Whoever sends is told
 * by that space's commit. */
RF_MUST_USE enum rf_kind vault_event_keep(struct state_txn *txn, struct rf_arena *arena,
                                          rf_str vault_id, const struct json_node *event,
                                          rf_usec now, struct rf_err *err);
/* Sends what is due, in this thread, and waits for the hubs' disks. *next: when more is due, seconds since 1970; 0: nothing waits. An event that cannot
 * be sent is tried again, later each time, until its time is over; whatever comes behind it waits. */
RF_MUST_USE enum rf_kind vault_events_send(struct vaults *vaults, int64_t now, int64_t *next,
                                           struct rf_err *err);

#endif
