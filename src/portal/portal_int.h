/* portal_int.h - what the files of portal/ share. */
#ifndef RF_PORTAL_INT_H
#define RF_PORTAL_INT_H

#include "base/json_out.h"
#include "portal/assets.h"
#include "portal/portal.h"
#include "portal/watch.h"

struct portal {
    struct portal_options options;
    struct rf_arena arena; /* as long as the portal */
    struct assets assets;
    struct source_watch *sources;
    struct watch *watch;
    struct live_list *live;  /* live.c: streams that are open */
    struct reports *reports; /* health.c: of the hardening */
    rf_usec started;
    struct service service;
};
static inline struct portal *portal_of(const struct request *request) { return request->service; }

#define PORTAL_WORKSPACE_READ "Microsoft.OperationalInsights/workspaces/read"
#define PORTAL_ROWS_READ "Microsoft.OperationalInsights/workspaces/query/read"
#define PORTAL_INCIDENTS_READ "Microsoft.SecurityInsights/incidents/read"
#define PORTAL_HUB_READ "Microsoft.EventHub/namespaces/eventhubs/read"
#define PORTAL_SUBSCRIPTION_READ "Microsoft.Resources/subscriptions/read"

/* In `arena`, ptr NULL: no memory. */
rf_str portal_subscription(const struct site *site, struct rf_arena *arena);
rf_str portal_workspace(const struct site *site, struct rf_arena *arena);
/* The answer is JSON of this moment, of this person: no store keeps it. Fails when memory ran out while `out` was written. */
enum rf_kind portal_answer(struct request *request, const struct json_out *out, struct rf_err *err);

/* ---- hub_find.c ------------------------------------------------------------------------------------------------------ */

struct portal_hub {
    struct hub_namespace *space;
    struct hub *hub; /* counted: the caller gives it back */
    rf_str id;       /* of the resource */
};
/* RF_NOT_FOUND HubNotFound. */
RF_MUST_USE enum rf_kind portal_hub_find(struct request *request, rf_str space, rf_str hub,
                                         struct portal_hub *out, struct rf_err *err);
/* "in", "out" (events a second), "inBytes", "outBytes". */
void portal_put_rate(struct json_out *out, struct rf_arena *arena, const struct watch_rate *rate);

/* ---- hub_lag.c --------------------------------------------------------------------------------------------------------- */

struct hub_lag {
    rf_str group;
    int64_t lag; /* events that are retained and not yet read, of all its partitions */
    uint32_t partitions;
    rf_usec at; /* of its last commit */
};
/* In the request's arena. */
RF_MUST_USE enum rf_kind hub_lag_list(struct request *request, const struct portal_hub *found,
                                      struct hub_lag **out, uint32_t *count, struct rf_err *err);
/* Of them the one that is furthest behind; group empty: none is known. */
RF_MUST_USE enum rf_kind hub_lag_slowest(struct request *request, const struct portal_hub *found,
                                         struct hub_lag *out, struct rf_err *err);

/* ---- hubs.c ------------------------------------------------------------------------------------------------------------ */

enum rf_kind hubs_need_read(struct request *request, struct route_need *out, struct rf_err *err);
enum rf_kind hubs_need_listen(struct request *request, struct route_need *out, struct rf_err *err);
enum rf_kind hubs_need_send(struct request *request, struct route_need *out, struct rf_err *err);
enum rf_kind hubs_get(struct request *request, struct rf_err *err);
enum rf_kind hubs_get_events(struct request *request, struct rf_err *err);
enum rf_kind hubs_post_event(struct request *request, struct rf_err *err);

/* ---- overview.c -------------------------------------------------------------------------------------------------------- */

enum rf_kind overview_get(struct request *request, struct rf_err *err);
/* 0: null. */
void portal_put_time(struct json_out *out, struct rf_arena *arena, const char *name, rf_usec time);

/* ---- health.c ---------------------------------------------------------------------------------------------------------- */

RF_MUST_USE enum rf_kind portal_health_new(struct portal *portal, struct rf_err *err);
void portal_health_free(struct portal *portal);
enum rf_kind portal_health_scope(struct request *request, rf_str *scope, struct rf_err *err);
enum rf_kind portal_health_get(struct request *request, struct rf_err *err);

/* ---- live.c ------------------------------------------------------------------------------------------------------------ */

RF_MUST_USE enum rf_kind live_new(struct portal *portal, struct rf_err *err);
void live_free(struct portal *portal);
enum rf_kind live_open(struct request *request, struct rf_err *err);

/* ---- pages.c ------------------------------------------------------------------------------------------------------- */

enum rf_kind pages_root(struct request *request, struct rf_err *err);
enum rf_kind pages_page(struct request *request, struct rf_err *err);
enum rf_kind pages_asset(struct request *request, struct rf_err *err);

/* ---- session.c ------------------------------------------------------------------------------------------------------- */

enum rf_kind session_get(struct request *request, struct rf_err *err);
enum rf_kind session_put_preferences(struct request *request, struct rf_err *err);

#endif
