/* route.h - what the services answer: a table of routes each, and the one place that finds the route, learns who asks,
 * checks whether they may, runs the handler and shapes errors.
 *
 * A handler runs on a worker thread, may block, allocates in request->arena and either fills request->response or returns an
 * error, which the service's `error` turns into its JSON. Nothing is answered without a check: a route declares what it
 * needs, tests/routes walk all of them. */
#ifndef RF_ROUTE_H
#define RF_ROUTE_H

#include "authz/audit.h"
#include "authz/authz.h"
#include "authz/principal.h"
#include "authz/site.h"
#include "net/server.h"
#include "net/websocket.h"

enum { ROUTE_VARIABLES_MAX = 16 };
struct route_variable {
    rf_str name, value; /* value: percent-decoded */
};

/* What of an access token was looked at when it was refused. */
enum token_step {
    TOKEN_MISSING,   /* no header, or another scheme than Bearer */
    TOKEN_TEXT,      /* no JWS */
    TOKEN_SIGNATURE, /* algorithm, key, signature */
    TOKEN_ISSUER,    /* another issuer or tenant */
    TOKEN_CLAIMS,    /* no access token, or without what one must say */
    TOKEN_TIMES,
    TOKEN_AUDIENCE,
    TOKEN_OWNER /* disabled, deleted, revoked */
};

struct request {
    const struct http_request *http;
    struct http_response *response;
    struct rf_arena *arena;
    const struct site *site;
    const struct principal *principal; /* NULL on open routes without a token */
    rf_str token; /* the access token that says so, for who shows it on (the keeper); a secret */
    const struct route *route;
    struct route_variable variables[ROUTE_VARIABLES_MAX];
    uint32_t variable_count;
    struct route_variable *parameters; /* of the query, names and values decoded, in order */
    uint32_t parameter_count;
    rf_usec now;
    rf_str request_id;        /* ours, a GUID: x-ms-request-id */
    rf_str client_request_id; /* theirs, else ours */
    rf_str origin;            /* absolute URLs in the answer begin with it */
    const atomic_bool *gone;
    void *service;              /* of the route's service: its ctx */
    const struct service *from; /* the route's service */
    struct authz *authz;
    const struct audit *audit; /* where the platform's rows go; may be NULL */
    uint16_t fail_status;      /* set by request_fail */
    const struct json_node *
        error_details; /* what the service's `error` adds: error.details of the control plane; NULL: none */
    enum token_step token_step;    /* behind a 401 for the token */
    void *prepared;                /* what `resolve` of the route leaves for its `run` */
    bool is_claimed;               /* see dispatcher_add_claiming */
    struct dispatcher *dispatcher; /* that runs it; NULL: none does */
};

enum route_access {
    ROUTE_OPEN = 1, /* anybody; `why_open` says why */
    ROUTE_ACTION,   /* `action` at the scope that `scope` gives; control plane */
    ROUTE_DATA,     /* the same as a data action */
    ROUTE_RESOLVE,  /* `resolve` gives action and scope of this very request */
    ROUTE_ROLE,     /* one of the app roles in `action` (blanks between them): Graph */
    ROUTE_MEMBER /* any principal of the tenant: the answer shows only what that principal may see */
};
enum { /* sets of audiences that a token may have been made for */
       AUDIENCE_ARM =
           1, /* https://management.azure.com, https://management.core.windows.net, our origin */
       AUDIENCE_INGEST = 2, /* https://monitor.azure.com */
       AUDIENCE_LOGS = 4,   /* https://api.loganalytics.io and the like */
       AUDIENCE_KUSTO = 8,  /* https://kusto.kusto.windows.net and the like, our origin */
       AUDIENCE_GRAPH = 16, /* https://graph.microsoft.com and its id */
       AUDIENCE_VAULT = 32,
       AUDIENCE_EVENTS = 64,
       AUDIENCE_METRICS = 128
};

struct route_need { /* what ROUTE_RESOLVE finds */
    rf_str action;  /* "Microsoft.OperationalInsights/workspaces/read" */
    rf_str scope;   /* "/subscriptions/..." or "/" */
    bool is_data;
    bool
        is_open_to_members; /* no check beyond being a principal of the tenant; the handler shows only what may be seen */
};

struct route {
    enum http_method method;
    enum route_access access;
    /* Segments: a literal (compared without case); "{name}" one segment; "users('{name}')" one segment with a literal in
     * front of or behind the variable; "{name*}" all that follow (last only; at least one). Of several that match, the one
     * with more literals in front wins.
     * "{scope*}" in front, followed by a literal, stands for any number of segments, none included: the extension resources
     * of ARM ("/{scope*}/providers/Microsoft.Authorization/roleAssignments/{name}"). Such a route is found at the last place
     * in the path where it fits, and wins over one without it when it names more of the segments behind the scope.
     * Empty segments in the middle of a path are left out for such routes; for others such a path is not found.
     * The values of "{x*}" have neither a slash in front nor one at their end. */
    const char *path;
    const char *action;
    const char *why_open;
    unsigned audiences;
    enum http_lane lane;
    enum rf_kind (*scope)(struct request *request, rf_str *scope, struct rf_err *err);
    enum rf_kind (*resolve)(struct request *request, struct route_need *need, struct rf_err *err);
    enum rf_kind (*run)(struct request *request, struct rf_err *err);
    size_t body_bytes_max; /* 0: 4 MiB */
    /* A query parameter with which the route is passed over; NULL: none. "api-version" keeps a route with "{scope*}" from
     * taking a resource that happens to have its name from the control plane, which has the same origin. */
    const char *unless;
};

struct service {
    const char *name; /* for logs */
    void *ctx;
    const struct route *routes;
    uint32_t route_count;
    /* Writes the body of an error in the service's shape. status, code and text are set; `kind` may be RF_DENIED with
     * status 401 or 403. Headers such as WWW-Authenticate are there already. NULL: {"error":{"code","message"}}. */
    void (*error)(struct request *request, uint16_t status, const struct rf_err *err);
};

/* A browser's session as another way to say who asks: the portal's pages hold no token, and send a cookie that scripts cannot read. It counts for
 * requests without an Authorization header that carry the header PORTAL_HEADER, which no page of another origin can add, and only for those that the
 * browser does not call foreign (Sec-Fetch-Site). */
#define PORTAL_COOKIE "__Host-rf_portal"
#define PORTAL_HEADER "X-Ringfort-Portal"
struct browser_sessions {
    void *ctx;
    /* The access token, of one of the request's route's audiences, that the session of this cookie stands for; it is then verified like any other.
     * In request->arena. RF_DENIED: there is no such session, it is over, or policies ask for a new sign-in. */
    enum rf_kind (*token)(void *ctx, struct request *request, rf_str cookie, rf_str *token,
                          struct rf_err *err);
    /* For what outlives a request: whether that session is still there, and a number that changes whenever one of anybody begins or ends, so
     * that nobody has to ask for nothing. Any thread; `stands` asks the keeper and the state. */
    bool (*stands)(void *ctx, rf_str cookie);
    uint64_t (*version)(void *ctx);
};

struct dispatcher;
struct dispatcher_options {
    const struct site *site;
    struct authz *authz;
    const struct directory *directory;
    const struct browser_sessions *sessions; /* NULL: tokens only */
    const struct audit *audit;
    struct rf_clock *clock;
};
RF_MUST_USE enum rf_kind dispatcher_new(const struct dispatcher_options *options,
                                        struct dispatcher **out, struct rf_err *err);
/* Adds the routes of a service; `service` must outlive the dispatcher. RF_CONFLICT when two routes are the same, RF_INVALID
 * when one declares no access. */
RF_MUST_USE enum rf_kind dispatcher_add(struct dispatcher *dispatcher,
                                        const struct service *service, struct rf_err *err);
/* Adds a service that knows by itself which requests are its own: those for which `claim` (ctx: the service's; must not block)
 * gives the index of one of its routes, not CLAIM_NONE, go there, whatever their method and path, before any route is looked for.
 * The path is left as it was sent, slashes and all; query parameters are read behind the check of the token, which comes before
 * all else. Hosts of vaults (site_vault_host) are let through. A request without a token that no route knows goes to the first
 * route of the first such service, so that it answers with its challenge. The same errors as dispatcher_add. */
enum { CLAIM_NONE = -1 };
typedef int service_claim(void *ctx, const struct http_request *head);
RF_MUST_USE enum rf_kind dispatcher_add_claiming(struct dispatcher *dispatcher,
                                                 const struct service *service,
                                                 service_claim *claim, struct rf_err *err);
/* For server_new. */
struct http_handler dispatcher_handler(struct dispatcher *dispatcher);
void dispatcher_free(struct dispatcher *dispatcher);
/* Every route in turn, for tests, those of claiming services last; NULL when there are no more. */
const struct route *dispatcher_route(const struct dispatcher *dispatcher, uint32_t index,
                                     const struct service **service);

/* Replaces the keys with which access tokens are verified (JWKS made of keeper_jwt_keys). Any thread. */
struct token_key {
    rf_str kid;
    rf_str cert; /* DER */
};
RF_MUST_USE enum rf_kind dispatcher_set_keys(struct dispatcher *dispatcher,
                                             const struct token_key *keys, uint32_t count,
                                             struct rf_err *err);

/* Who an access token names, for protocols that are not HTTP: verified as for a request, its owner looked up as he is now. All
 * of `out` is in `arena` and without claims. RF_DENIED with the codes of requests (InvalidAuthenticationToken,
 * ExpiredAuthenticationToken, InvalidAuthenticationTokenAudience, InvalidAuthenticationTokenTenant). Any thread. */
RF_MUST_USE enum rf_kind dispatcher_identify(struct dispatcher *dispatcher, rf_str token,
                                             unsigned audiences, struct rf_arena *arena,
                                             struct principal *out, rf_usec *expires,
                                             struct rf_err *err);

/* ---- for handlers ------------------------------------------------------------------------------------------------ */

rf_str request_variable(const struct request *request, const char *name); /* empty: none */
/* The first parameter of that name (ASCII case ignored); *found may be NULL. */
rf_str request_parameter(const struct request *request, const char *name, bool *found);
/* The body as JSON. RF_INVALID InvalidRequestContent. An empty body gives NULL when `may_be_empty`. */
RF_MUST_USE enum rf_kind request_json(struct request *request, bool may_be_empty,
                                      struct json_node **out, struct rf_err *err);
/* Answers with a JSON document; RF_OK. */
enum rf_kind request_answer(struct request *request, uint16_t status, const struct json_node *body);
/* Answers with an empty body; RF_OK. */
enum rf_kind request_answer_empty(struct request *request, uint16_t status);
/* The status by which an error of this kind is answered, unless request_fail said another. */
uint16_t request_status_of(enum rf_kind kind);
/* An error with a status of its own: the dispatcher maps kinds otherwise (INVALID 400, DENIED 403, NOT_FOUND 404, CONFLICT 409,
 * LIMIT 413, AGAIN 503, CANCELLED 499, IO and CORRUPT 500, whose texts are logged and not shown). */
enum rf_kind request_fail(struct request *request, struct rf_err *err, uint16_t status,
                          const char *code, const char *fmt, ...) RF_PRINTF(5, 6);
/* For handlers that answer several requests in one: leaves the row of a part that was refused (401, 403), as the dispatcher
 * does for the whole. `request`: the part's, or the one that holds it; `action`, `scope`: what was asked for. One thread at a time. */
void request_note_denial(struct request *request, uint16_t status, const struct rf_err *why,
                         rf_str action, rf_str scope);
/* Runs a request that is part of another: a write that a template deployment does for its caller. http, response, arena, site,
 * authz, audit, now, origin, gone, dispatcher and principal (not NULL) are set; the route is found, what it needs is checked
 * and noted as for a request from outside, and the answer, errors too, is in part->response. Routes of the control plane only.
 * Any thread; the dispatcher must outlive it. */
void request_run_part(struct request *part);
/* Whether it would be let through: route and rights only, nothing is run or noted. */
RF_MUST_USE enum rf_kind request_check_part(struct request *part, struct rf_err *err);
/* Changes to WebSocket: like websocket_upgrade (net/websocket.h), with an error's status kept for the answer. What the stream needs to
 * know of the request, its principal above all, is copied into `ctx`; it outlives the request, and the token, whose end the
 * handlers see to. */
RF_MUST_USE enum rf_kind request_upgrade(struct request *request,
                                         const struct websocket_options *options, void *ctx,
                                         rf_str *protocol, struct rf_err *err);
/* Whether the caller may do this too. */
bool request_may(struct request *request, rf_str action, rf_str scope, bool is_data);

#endif
