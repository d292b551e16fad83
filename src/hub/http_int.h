/* http_int.h - HTTPS requests to event hubs: what http.c asks of http_event.c. */
#ifndef RF_HUB_HTTP_INT_H
#define RF_HUB_HTTP_INT_H

#include "hub/event.h"
#include "net/http.h"

#define HUB_BATCH_TYPE "application/vnd.microsoft.servicebus.json"
enum { HUB_HTTP_EVENTS_MAX = 10000 };

/* What a request says: at least one event. */
struct http_events {
    struct event_parts *items;
    uint32_t count;
};
/* Reads a body and headers: one event, or the list of HUB_BATCH_TYPE. Members are views of the request or in `arena`. RF_INVALID
 * BadRequest: a malformed list or BrokerProperties; RF_LIMIT MemoryBudgetExceeded. */
RF_MUST_USE enum rf_kind http_events_read(const struct http_request *request,
                                          struct rf_arena *arena, struct http_events *out,
                                          struct rf_err *err);

/* A header's text as the property that it means: a number, a truth value or the text. NULL: no memory. */
struct json_node *http_property(struct rf_arena *arena, rf_str text);
/* Whether a header is one of HTTP's own, of the platform or of the browser, and so no property. */
bool http_is_own_header(rf_str name);

/* The namespace that the request's host means. */
struct request;
struct route;
struct hub_namespace;
RF_MUST_USE enum rf_kind hub_request_space(struct request *request, struct hub_namespace **out,
                                           struct rf_err *err);

/* http_est.c */
#define EST_PATH "/.well-known/est"
enum rf_kind est_run_authority(struct request *request, struct rf_err *err);
enum rf_kind est_run_enrol(struct request *request, struct rf_err *err);
enum rf_kind est_run_renew(struct request *request, struct rf_err *err);
bool est_is_route(const struct route *route);
void est_error(struct request *request, const struct rf_err *err);

#endif
