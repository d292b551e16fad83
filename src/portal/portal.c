#include <stdlib.h>

#include "portal/portal_int.h"

#define WHY_PAGES                                                                                  \
    "pages and scripts are the same for all and hold no data; the browser asks for them before "   \
    "anybody has signed in"

#define PAGE(path_, run_)                                                                          \
    {                                                                                              \
        .method = HTTP_GET, .access = ROUTE_OPEN, .path = (path_), .why_open = WHY_PAGES,          \
        .run = (run_)                                                                              \
    }
#define API(method_, path_, run_, ...)                                                             \
    {                                                                                              \
        .method = (method_), .access = ROUTE_MEMBER, .path = "/portal/api/" path_,                 \
        .audiences = AUDIENCE_ARM, .run = (run_), __VA_ARGS__                                      \
    }
#define HUB(method_, path_, need_, run_)                                                           \
    {                                                                                              \
        .method = (method_), .access = ROUTE_RESOLVE,                                              \
        .path = "/portal/api/hubs/{namespace}/{hub}" path_, .audiences = AUDIENCE_ARM,             \
        .resolve = (need_), .run = (run_), .body_bytes_max = 512 << 10                             \
    }
static const struct route routes[] = {
    PAGE("/", pages_root),
    PAGE("/portal", pages_page),
    PAGE("/portal/{path*}", pages_page),
    PAGE("/portal/assets/{name}", pages_asset),
    API(HTTP_GET, "session", session_get),
    API(HTTP_GET, "live", live_open),
    API(HTTP_GET, "overview", overview_get),
    {.method = HTTP_GET,
     .access = ROUTE_ACTION,
     .path = "/portal/api/health",
     .action = PORTAL_SUBSCRIPTION_READ,
     .audiences = AUDIENCE_ARM,
     .scope = portal_health_scope,
     .run = portal_health_get},
    HUB(HTTP_GET, "", hubs_need_read, hubs_get),
    HUB(HTTP_GET, "/events", hubs_need_listen, hubs_get_events),
    HUB(HTTP_POST, "/events", hubs_need_send, hubs_post_event),
    API(HTTP_PUT, "preferences", session_put_preferences, .body_bytes_max = 64 << 10),
};

static enum rf_kind set_up(struct portal *portal, struct rf_err *err)
{
    RF_TRY(assets_open(portal->options.archive, &portal->arena, &portal->assets, err));
    const struct portal_options *o = &portal->options;
    rf_str workspace = portal_workspace(o->site, &portal->arena);
    struct watch_options watch = {.tables = o->tables,
                                  .hubs = o->hubs,
                                  .state = o->state,
                                  .clock = o->clock,
                                  .workspace_id = o->site->workspace_id,
                                  .workspace_key = resource_key(&portal->arena, workspace)};
    if (watch.workspace_key.ptr == NULL) return rf_fail_memory(err, &portal->arena);
    RF_TRY(source_facts_new(o->tables, o->site->workspace_id, o->clock, &portal->sources, err));
    watch.sources = portal->sources;
    RF_TRY(watch_new(&watch, &portal->watch, err));
    RF_TRY(live_new(portal, err));
    RF_TRY(portal_health_new(portal, err));
    portal->service = (struct service){
        .name = "portal", .ctx = portal, .routes = routes, .route_count = RF_COUNT(routes)};
    return RF_OK;
}

enum rf_kind portal_new(const struct portal_options *options, struct portal **out,
                        struct rf_err *err)
{
    struct portal *portal = calloc(1, sizeof *portal);
    if (portal == NULL) return RF_FAIL(err, RF_LIMIT, "MemoryBudgetExceeded", "no memory");
    portal->options = *options;
    rf_arena_init(&portal->arena, (size_t)16 << 20);
    enum rf_kind kind = set_up(portal, err);
    if (kind == RF_OK)
        *out = portal;
    else
        portal_free(portal);
    return kind;
}

enum rf_kind portal_start(struct portal *portal, struct rf_err *err)
{
    return watch_start(portal->watch, err);
}

void portal_stop(struct portal *portal)
{
    if (portal != NULL) watch_stop(portal->watch);
}

void portal_free(struct portal *portal)
{
    if (portal == NULL) return;
    portal_stop(portal);
    live_free(portal);
    portal_health_free(portal);
    watch_free(portal->watch);
    source_facts_free(portal->sources);
    rf_arena_done(&portal->arena);
    free(portal);
}

const struct service *portal_service(struct portal *portal) { return &portal->service; }
