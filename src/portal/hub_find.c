#include "portal/portal_int.h"

static enum rf_kind not_found(rf_str space, rf_str hub, struct rf_err *err)
{
    return RF_FAIL(err, RF_NOT_FOUND, "HubNotFound", "There is no event hub '%.*s/%.*s'.",
                   (int)RF_MIN(space.len, (size_t)HUB_NAME_BYTES_MAX), (const char *)space.ptr,
                   (int)RF_MIN(hub.len, (size_t)HUB_NAME_BYTES_MAX), (const char *)hub.ptr);
}

enum rf_kind portal_hub_find(struct request *request, rf_str space, rf_str hub,
                             struct portal_hub *out, struct rf_err *err)
{
    struct hubs *hubs = portal_of(request)->options.hubs;
    struct hub_namespace **spaces;
    uint32_t count = 0;
    if (hubs != NULL) RF_TRY(hubs_namespaces(hubs, request->arena, &spaces, &count, err));
    for (uint32_t i = 0; i < count; i++) {
        if (!rf_str_eq_nocase(hub_namespace_name(spaces[i]), space)) continue;
        if (hub_find(spaces[i], hub, &out->hub, NULL) != RF_OK) break;
        struct hub_facts facts;
        hub_facts(out->hub, &facts);
        out->space = spaces[i];
        out->id = rf_arena_printf(request->arena, "%.*s/eventhubs/%.*s",
                                  RF_FMT(hub_namespace_id(spaces[i])), RF_FMT(facts.name));
        if (out->id.ptr != NULL) return RF_OK;
        hub_unref(out->hub);
        return rf_fail_memory(err, request->arena);
    }
    return not_found(space, hub, err);
}

void portal_put_rate(struct json_out *out, struct rf_arena *arena, const struct watch_rate *rate)
{
    const struct {
        const char *name;
        double value;
    } parts[] = {{"in", rate->in_events},
                 {"out", rate->out_events},
                 {"inBytes", rate->in_bytes},
                 {"outBytes", rate->out_bytes}};
    for (size_t i = 0; i < RF_COUNT(parts); i++)
        json_put_raw(
            out, parts[i].name,
            rf_arena_printf(arena, parts[i].value < 100 ? "%.1f" : "%.0f", parts[i].value));
}
