/* alerts_int.h - what the files of alerts/ share.
 *
 * State: "alerts.rule" (firing.h); "alerts.alert": key = subscription "/" alert id, lower case, index "rule" = the rule's key,
 * body = the alert as the API shows it and "history"; "alerts.outbox": key = when it is due (microseconds, twenty digits) "|"
 * GUID, body = what is to be sent or appended (notice.c); "alerts.group": key = an action group's, body = {"salt"}, of which
 * its secret is made; "alerts.test": key = GUID, body = a test notification as the API shows it, and "left". */
#ifndef RF_ALERTS_INT_H
#define RF_ALERTS_INT_H

#include <pthread.h>

#include "alerts/alerts.h"
#include "alerts/firing.h"
#include "base/json_tree.h"
#include "net/egress.h"
#include "tables/ask.h"

#define ALERT_SPACE "alerts.alert"
#define OUTBOX_SPACE "alerts.outbox"
#define GROUP_SPACE "alerts.group"
#define TEST_SPACE "alerts.test"
#define ALERT_TYPE "Microsoft.AlertsManagement/alerts"
#define GROUP_TYPE "Microsoft.Insights/actionGroups"
#define RULE_TYPE "Microsoft.Insights/scheduledQueryRules"

#define ALERT_KEEP_USEC (30 * 24 * 3600 * RF_USEC_PER_SECOND)
#define RULE_LATE_USEC (24 * 3600 * RF_USEC_PER_SECOND)
#define NOTICE_LIFE_USEC (24 * 3600 * RF_USEC_PER_SECOND)

enum {
    ALERTS_RUNNERS_MAX = 8,
    ALERTS_SENDERS_MAX = 16,
    RULE_FAILURES_MAX =
        10 /* runs in a row that failed for good: the rule is said to be Unavailable, and goes on trying */
};

struct place { /* a workspace */
    rf_str id, guid, name, subscription, group;
};

struct rule_item; /* engine.c */
struct claim {    /* an item of the outbox that a sender has */
    char key[64];
    char host[128];
};
struct alerts {
    struct alerts_options options;
    struct egress egress, mail_egress;
    rf_str *inside; /* of `egress` */
    rf_str mail_authority;
    char mail_text[300];
    char mail_host[256];
    uint16_t mail_port;
    struct arm_type types[2];
    struct arm_action group_actions[2];
    struct service service;
    const struct service *services[1];
    pthread_mutex_t lock;
    pthread_cond_t due;   /* rules or their times have changed */
    pthread_cond_t hurry; /* the outbox has something */
    struct rule_item *rules;
    bool stopping, dirty, reloading, filled;
    atomic_bool
        rows_checked; /* rows that the process before left were looked for in their tables */
    rf_usec swept;    /* elapsed: old alerts were deleted */
    struct claim claims[ALERTS_SENDERS_MAX];
    pthread_t runners[ALERTS_RUNNERS_MAX], senders[ALERTS_SENDERS_MAX];
    uint32_t runner_count, sender_count;
};

static inline int64_t ticks_of(rf_usec usec)
{
    return DATETIME_UNIX_EPOCH + usec * TICKS_PER_MICROSECOND;
}
static inline rf_usec usec_of(int64_t ticks)
{
    return (ticks - DATETIME_UNIX_EPOCH) / TICKS_PER_MICROSECOND;
}

/* ---- rule_type.c ---------------------------------------------------------------------------------------------------- */

struct arm_type rule_type(struct alerts *alerts);
/* The workspace that a rule asks. RF_NOT_FOUND. */
RF_MUST_USE enum rf_kind place_of(struct arm *arm, struct state_txn *txn, rf_str workspace,
                                  struct rf_arena *arena, struct place *out, struct rf_err *err);

/* ---- engine.c, run.c -------------------------------------------------------------------------------------------------- */

void runners_changed(struct alerts *alerts);
void senders_filled(struct alerts *alerts); /* the outbox */
RF_MUST_USE enum rf_kind runners_start(struct alerts *alerts, struct rf_err *err);
void runners_stop(struct alerts *alerts);

struct rule_run {
    struct alerts *alerts;
    const struct log_rule *rule;
    rf_str rule_id, rule_key;
    struct place place;
    struct rf_arena *arena;
    int64_t to_ticks;
    rf_usec now;
    const atomic_bool *cancelled;
};
/* Runs the rule for the window that ends at run->to_ticks, and commits what it led to. *next_ticks: end of the window that
 * comes then. Errors other than RF_AGAIN and the like are noted in the state of the rule, which goes on. */
RF_MUST_USE enum rf_kind rule_run(struct rule_run *run, int64_t *next_ticks, struct rf_err *err);

/* ---- rule_health.c ---------------------------------------------------------------------------------------------------- */

/* A row of SentinelHealth: `failures` in a row, 0: it is well again; `why` NULL then. */
void rule_health_row(const struct rule_run *run, int64_t failures, const struct rf_err *why);
/* arm_type.show: properties.ringfortHealth of a rule that fails. */
RF_MUST_USE enum rf_kind rule_health_show(struct arm_call *call, struct arm_resource *resource,
                                          struct rf_err *err);

/* ---- record.c: alerts as objects ---------------------------------------------------------------------------------------- */

/* Writes an alert that fires or ends, its row and its notifications. */
RF_MUST_USE enum rf_kind record_firing(struct state_txn *txn, const struct rule_run *run,
                                       const struct firing *firing, struct rf_err *err);
/* Ends an alert whose rule is gone; nobody is told. */
RF_MUST_USE enum rf_kind record_end(struct alerts *alerts, struct state_txn *txn,
                                    rf_str subscription, rf_str alert, rf_usec now,
                                    struct rf_arena *arena, struct rf_err *err);
/* "{subscription}/{id}", lower case. */
rf_str record_key(struct rf_arena *arena, rf_str subscription, rf_str alert);
RF_MUST_USE enum rf_kind record_get(struct state_txn *txn, rf_str key, struct rf_arena *arena,
                                    struct json_node **out, struct rf_err *err);
RF_MUST_USE enum rf_kind record_put(struct state_txn *txn, rf_str key, struct json_node *document,
                                    struct rf_arena *arena, struct rf_err *err);
RF_MUST_USE enum rf_kind record_note(struct json_node *document, const char *event,
                                     const char *from, const char *to, rf_str who, rf_str comment,
                                     rf_usec now, struct rf_arena *arena, struct rf_err *err);
/* A row of the table Alert about an alert as it is now, into the outbox. */
RF_MUST_USE enum rf_kind record_row(struct state_txn *txn, const struct json_node *document,
                                    rf_usec now, struct rf_arena *arena, struct rf_err *err);
/* The common alert schema. */
rf_str record_payload(const struct json_node *document, const struct json_node *custom_properties,
                      struct rf_arena *arena);
/* Deletes alerts that are older than ALERT_KEEP_USEC. */
RF_MUST_USE enum rf_kind record_sweep(struct state *state, rf_usec now, struct rf_err *err);

/* ---- api.c ------------------------------------------------------------------------------------------------------------------ */

extern const struct route alerts_routes[];
extern const uint32_t alerts_route_count;

/* ---- group.c: action groups --------------------------------------------------------------------------------------------- */

struct arm_type group_type(struct alerts *alerts);
enum receiver_way { RECEIVER_HTTP, RECEIVER_MAIL, RECEIVER_NONE };
struct receiver_kind {
    const char *list; /* "webhookReceivers" */
    const char *name; /* "Webhook", as test notifications name it */
    enum receiver_way way;
    const char *url; /* member with the address */
    const char *const *required;
};
extern const struct receiver_kind receiver_kinds[];
extern const uint32_t receiver_kind_count;
/* RF_INVALID BadRequest. */
RF_MUST_USE enum rf_kind receivers_check(const struct json_node *properties, struct rf_err *err);
/* 32 bytes of which webhooks of the group are signed; *found false: the group has none. */
RF_MUST_USE enum rf_kind group_secret(struct alerts *alerts, struct state_txn *txn,
                                      rf_str group_key, struct rf_arena *arena, uint8_t out[32],
                                      bool *found, struct rf_err *err);

/* ---- notice.c: what waits to be sent ------------------------------------------------------------------------------------- */

RF_MUST_USE enum rf_kind notice_put(struct state_txn *txn, struct json_node *body, rf_usec due,
                                    struct rf_arena *arena, struct rf_err *err);
/* A notification for each receiver of the rule's groups. */
RF_MUST_USE enum rf_kind notices_for(struct state_txn *txn, const struct rule_run *run,
                                     const struct json_node *document, struct rf_err *err);
/* One for each receiver in `properties`, for a test; *count of them. */
RF_MUST_USE enum rf_kind notices_for_test(struct alerts *alerts, struct state_txn *txn,
                                          rf_str group, rf_str test,
                                          const struct json_node *properties, rf_str payload,
                                          rf_str subject, rf_usec now, struct rf_arena *arena,
                                          uint32_t *count, struct rf_err *err);
/* The pause behind the attempt of this number, from 1. */
rf_usec notice_pause(int64_t attempts);
/* A row of RingfortNotifications. */
void notice_row(struct alerts *alerts, const struct json_node *notice, const char *status,
                const char *error, rf_usec now);

/* ---- deliver.c ------------------------------------------------------------------------------------------------------------------ */

/* Sends what is due next, as sender `index`. False: nothing is due; *at: when something will be (INT64_MAX: nothing waits). */
bool deliver_next(struct alerts *alerts, uint32_t index, rf_usec *at);

#endif
