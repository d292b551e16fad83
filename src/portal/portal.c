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
static const struct route routes[] = {
    PAGE("/", pages_root),
    PAGE("/portal", pages_page),
    PAGE("/portal/{path*}", pages_page),
    PAGE("/portal/assets/{name}", pages_asset),
    API(HTTP_GET, "session", session_get),
    API(HTTP_PUT, "preferences", session_put_preferences, .body_bytes_max = 64 << 10),
};

static enum rf_kind set_up(struct portal *portal, struct rf_err *err)
{
    RF_TRY(assets_open(portal->options.archive, &portal->arena, &portal->assets, err));
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
    (void)portal, (void)err;
    return RF_OK;
}

void portal_stop(struct portal *portal) { (void)portal; }

void portal_free(struct portal *portal)
{
    if (portal == NULL) return;
    portal_stop(portal);
    rf_arena_done(&portal->arena);
    free(portal);
}

const struct service *portal_service(struct portal *portal) { return &portal->service; }
