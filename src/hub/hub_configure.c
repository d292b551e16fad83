/* Settings of a hub changed from a protocol of its own (Kafka's AlterConfigs): its ARM document, as a PUT would. */
#include "hub/hub_int.h"

static const int64_t usec_per_hour = 3600 * RF_USEC_PER_SECOND;

static enum rf_kind write_change(const struct hub_change *change, struct rf_arena *arena,
                                 struct json_node *body, struct rf_err *err)
{
    struct json_node *properties = json_object_in(arena, body, "properties");
    struct json_node *retention =
        properties == NULL ? NULL : json_object_in(arena, properties, "retentionDescription");
    if (retention == NULL) return rf_fail_memory(err, arena);
    if (change->has_policy) {
        rf_str policy = !change->compacts ? RF_S("Delete")
                        : change->deletes ? RF_S("DeleteOrCompact")
                                          : RF_S("Compact");
        json_set_text(arena, retention, "cleanupPolicy", policy);
    }
    if (change->has_retention) {
        int64_t usec = change->retention_usec; /* events stay rather longer than shorter */
        int64_t hours = usec <= 0 ? -1 : usec / usec_per_hour + (usec % usec_per_hour != 0);
        json_set_i64(arena, retention, "retentionTimeInHours", hours);
    }
    if (change->has_retention_bytes)
        json_set_i64(arena, retention, "retentionBytes",
                     (int64_t)RF_MIN(change->retention_bytes, (uint64_t)INT64_MAX));
    return RF_OK;
}

static enum rf_kind change_in(struct arm_call *call, rf_str id, const struct hub_change *change,
                              struct rf_err *err)
{
    struct arm_resource resource, made;
    RF_TRY(arm_get(call->arm, call->txn, id, call->arena, &resource, err));
    RF_TRY(write_change(change, call->arena, resource.body, err));
    RF_TRY(arm_put_in(call, id, resource.body, &made, NULL, err));
    return arm_commit(call, err);
}

enum rf_kind hub_configure(struct hub_namespace *space, rf_str name,
                           const struct hub_change *change, const struct principal *by,
                           struct rf_err *err)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 16 << 20);
    struct hub_namespace_settings settings;
    struct arm_call call;
    hub_namespace_settings(space, &settings);
    rf_str id = rf_arena_printf(&arena, "%.*s/eventhubs/%.*s", RF_FMT(settings.id), RF_FMT(name));
    if (id.ptr == NULL) return rf_fail_memory(err, &arena);
    RF_TRY(arm_begin(hub_namespace_hubs(space)->options.arm, by, &arena, &call, err));
    enum rf_kind kind = change_in(&call, id, change, err);
    arm_end(&call);
    if (kind != RF_NOT_FOUND) return kind;
    return RF_FAIL(err, RF_NOT_FOUND, "HubNotFound", "there is no event hub %.*s", RF_FMT(name));
}
