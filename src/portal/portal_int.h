/* portal_int.h - what the files of portal/ share. */
#ifndef RF_PORTAL_INT_H
#define RF_PORTAL_INT_H

#include "base/json_out.h"
#include "portal/assets.h"
#include "portal/portal.h"

struct portal {
    struct portal_options options;
    struct rf_arena arena; /* as long as the portal */
    struct assets assets;
    struct service service;
};
static inline struct portal *portal_of(const struct request *request) { return request->service; }

#define PORTAL_WORKSPACE_READ "Microsoft.OperationalInsights/workspaces/read"
#define PORTAL_ROWS_READ "Microsoft.OperationalInsights/workspaces/query/read"
#define PORTAL_INCIDENTS_READ "Microsoft.SecurityInsights/incidents/read"
#define PORTAL_SUBSCRIPTION_READ "Microsoft.Resources/subscriptions/read"

/* In `arena`, ptr NULL: no memory. */
rf_str portal_subscription(const struct site *site, struct rf_arena *arena);
rf_str portal_workspace(const struct site *site, struct rf_arena *arena);
/* The answer is JSON of this moment, of this person: no store keeps it. Fails when memory ran out while `out` was written. */
enum rf_kind portal_answer(struct request *request, const struct json_out *out, struct rf_err *err);

/* ---- pages.c ------------------------------------------------------------------------------------------------------- */

enum rf_kind pages_root(struct request *request, struct rf_err *err);
enum rf_kind pages_page(struct request *request, struct rf_err *err);
enum rf_kind pages_asset(struct request *request, struct rf_err *err);

/* ---- session.c ------------------------------------------------------------------------------------------------------- */

enum rf_kind session_get(struct request *request, struct rf_err *err);
enum rf_kind session_put_preferences(struct request *request, struct rf_err *err);

#endif
