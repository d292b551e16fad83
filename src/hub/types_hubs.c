/* types_hubs.c - hubs, consumer groups and device authorities as ARM resources, and what Kafka's admin calls do with hubs.
 *
 *   deviceAuthorities  {certificates: PEM, eventHubs: [name] (absent: all), revokedCertificates: [SHA-256 or serial in hex]} */
#include "crypt/x509.h"
#include "hub/archive.h"
#include "hub/kafka_store_int.h"
#include "hub/types_doc.h"

enum {
    RETENTION_DAYS_DEFAULT = 7,
    RETENTION_DAYS_MAX = 36500,
    HOURS_MAX = RETENTION_DAYS_MAX * 24
};

#define USEC_PER_HOUR (3600 * (int64_t)RF_USEC_PER_SECOND)

/* ---- hubs ------------------------------------------------------------------------------------------------------------------- */

static const struct {
    const char *name;
    enum hub_status status;
} statuses[] = {{"Active", HUB_ACTIVE},
                {"Disabled", HUB_DISABLED},
                {"SendDisabled", HUB_SEND_DISABLED},
                {"ReceiveDisabled", HUB_RECEIVE_DISABLED}};

static enum rf_kind read_status(const struct json_node *properties, enum hub_status *out,
                                struct rf_err *err)
{
    rf_str name = json_text_at(properties, "status");
    *out = HUB_ACTIVE;
    if (name.len == 0) return RF_OK;
    for (size_t i = 0; i < RF_COUNT(statuses); i++)
        if (rf_str_eq_nocase(name, rf_str_of(statuses[i].name))) {
            *out = statuses[i].status;
            return RF_OK;
        }
    return BAD_ENTITY(err, "'status' must be Active, Disabled, SendDisabled or ReceiveDisabled.");
}

/* A whole number from `least` to `most`; `fallback` when it is absent. */
static enum rf_kind read_number(const struct json_node *properties, const char *path,
                                int64_t fallback, int64_t least, int64_t most, int64_t *out,
                                struct rf_err *err)
{
    const struct json_node *node = json_at(properties, path);
    *out = fallback;
    if (node == NULL || node->type == JSON_T_NULL) return RF_OK;
    if (json_i64_at(properties, path, out) && *out >= least && *out <= most) return RF_OK;
    return BAD_ENTITY(err, "'%s' must be a number from %lld to %lld.", path, (long long)least,
                      (long long)most);
}

static enum rf_kind read_retention(const struct json_node *properties, struct hub_settings *out,
                                   struct rf_err *err)
{
    int64_t days, hours, tombstones, bytes;
    rf_str policy = json_text_at(properties, "retentionDescription.cleanupPolicy");
    bool compacts = rf_str_eq_nocase(policy, RF_S("Compact")) ||
                    rf_str_eq_nocase(policy, RF_S("DeleteOrCompact"));
    if (policy.len > 0 && !compacts && !rf_str_eq_nocase(policy, RF_S("Delete")))
        return BAD_ENTITY(err, "'retentionDescription.cleanupPolicy' must be Delete, Compact or "
                               "DeleteOrCompact.");
    RF_TRY(read_number(properties, "messageRetentionInDays", RETENTION_DAYS_DEFAULT, 1,
                       RETENTION_DAYS_MAX, &days, err));
    RF_TRY(read_number(properties, "retentionDescription.retentionTimeInHours", days * 24, -1,
                       HOURS_MAX, &hours, err));
    RF_TRY(read_number(properties, "retentionDescription.tombstoneRetentionTimeInHours", 24, 1,
                       HOURS_MAX, &tombstones, err));
    RF_TRY(read_number(properties, "retentionDescription.retentionBytes", 0, 0, INT64_MAX, &bytes,
                       err));
    if (hours == 0)
        return BAD_ENTITY(err, "'retentionDescription.retentionTimeInHours' must be at least 1, or "
                               "-1 for ever.");
    bool only_compacts = rf_str_eq_nocase(policy, RF_S("Compact"));
    out->retention_usec = hours < 0 || only_compacts ? 0 : hours * USEC_PER_HOUR;
    out->tombstone_usec = tombstones * USEC_PER_HOUR;
    out->retention_bytes = (uint64_t)bytes;
    out->compacts = compacts;
    return RF_OK;
}

static enum rf_kind read_hub(const struct arm_resource *resource, struct hub_settings *out,
                             struct rf_err *err)
{
    const struct json_node *properties = json_get(resource->body, "properties");
    struct hub_settings made = {.name = resource->name,
                                .id = json_text_at(properties, "storageId")};
    int64_t partitions;
    RF_TRY(read_number(properties, "partitionCount", HUB_PARTITIONS_DEFAULT, 1, HUB_PARTITIONS_MAX,
                       &partitions, err));
    RF_TRY(read_status(properties, &made.status, err));
    RF_TRY(read_retention(properties, &made, err));
    rf_str durability = json_text_at(properties, "durability");
    made.durable = !rf_str_eq_nocase(durability, RF_S("os"));
    if (durability.len > 0 && made.durable && !rf_str_eq_nocase(durability, RF_S("disk")))
        return BAD_ENTITY(err, "'durability' must be disk or os.");
    (void)time_parse_iso(json_text_at(properties, "createdAt"), &made.created);
    made.partition_count = (uint32_t)partitions;
    *out = made;
    return RF_OK;
}

static enum rf_kind check_count(struct arm_call *call, const struct arm_resource *resource,
                                uint32_t most, const char *what, struct rf_err *err)
{
    uint32_t count;
    RF_TRY(entity_count(call, resource, &count, err));
    if (count < most) return RF_OK;
    return RF_FAIL(err, RF_DENIED, "Forbidden", "There are %u %s already, which is the most.",
                   count, what);
}

static enum rf_kind put_hub(struct arm_call *call, struct arm_resource *resource,
                            const struct arm_resource *before, struct rf_err *err)
{
    struct rf_arena *arena = call->arena;
    struct json_node *properties = json_object_in(arena, resource->body, "properties");
    const struct json_node *old = before == NULL ? NULL : json_get(before->body, "properties");
    struct hub_settings settings;
    char id[HUB_ID_CHARS + 1];
    int64_t had = 0;
    RF_TRY(entity_name_check(resource->name, HUB_NAME_BYTES_MAX, err));
    if (before == NULL)
        RF_TRY(check_count(call, resource, HUBS_PER_NAMESPACE_MAX, "event hubs", err));
    /* A PUT that says nothing of the partitions leaves them. */
    if (json_i64_at(old, "partitionCount", &had) && json_get(properties, "partitionCount") == NULL)
        json_set_i64(arena, properties, "partitionCount", had);
    RF_TRY(read_hub(resource, &settings, err));
    if (settings.partition_count < had)
        return BAD_ENTITY(err,
                          "The partition count of an event hub can grow but not shrink: it has "
                          "%lld, and %u were asked for.",
                          (long long)had, settings.partition_count);
    RF_TRY(archive_put(call, resource, before, (uint32_t)had, err));
    struct hubs *hubs = call->ctx;
    if (hubs->kafka != NULL)
        RF_TRY(kafka_store_prepare(hubs->kafka, entity_of(resource).space, &settings, err));
    rf_str storage = json_text_at(old, "storageId"), created = json_text_at(old, "createdAt");
    hub_make_id(id);
    if (storage.len == 0 && !rf_arena_str(arena, rf_str_of(id), &storage))
        return rf_fail_memory(err, arena);
    rf_str now = time_iso(arena, call->now);
    static const int64_t usec_per_day = 24 * USEC_PER_HOUR;
    if (settings.retention_usec > 0)
        json_set_i64(arena, properties, "messageRetentionInDays",
                     (settings.retention_usec + usec_per_day - 1) / usec_per_day);
    json_set_i64(arena, properties, "partitionCount", settings.partition_count);
    json_set_text(arena, properties, "status", rf_str_of(statuses[settings.status].name));
    json_remove(properties, RF_S("partitionIds"));
    json_set_text(arena, properties, "storageId", storage);
    json_set_text(arena, properties, "createdAt", created.len > 0 ? created : now);
    return json_set_text(arena, properties, "updatedAt", now) == NULL ? rf_fail_memory(err, arena)
                                                                      : RF_OK;
}

static void changed_hub(struct arm_call *call, struct arm_resource *resource)
{
    struct entity e = entity_of(resource);
    struct hub_namespace *space;
    struct hub_settings settings;
    struct rf_err err = {.code = ""};
    enum rf_kind kind = hubs_namespace_named(call->ctx, e.space, &space, &err);
    if (resource->body == NULL) {
        if (kind == RF_OK) hubs_drop_hub(space, resource->name);
        return;
    }
    if (kind == RF_OK) kind = read_hub(resource, &settings, &err);
    if (kind == RF_OK) kind = hubs_set_hub(space, &settings, &err);
    entity_log(kind, resource, &err);
}

static enum rf_kind show_hub(struct arm_call *call, struct arm_resource *resource,
                             struct rf_err *err)
{
    struct rf_arena *arena = call->arena;
    struct json_node *properties = json_object_in(arena, resource->body, "properties");
    struct json_node *ids = json_new(arena, JSON_T_ARRAY);
    int64_t count = 0;
    (void)json_i64_at(properties, "partitionCount", &count);
    for (int64_t i = 0; i < count; i++) {
        rf_str id = rf_arena_printf(arena, "%lld", (long long)i);
        if (id.ptr == NULL || json_append(ids, json_new_text(arena, id)) == NULL)
            return rf_fail_memory(err, arena);
    }
    json_remove(properties, RF_S("storageId"));
    return json_set(arena, properties, RF_S("partitionIds"), ids) == NULL
               ? rf_fail_memory(err, arena)
               : RF_OK;
}

struct arm_type hub_hub_type(struct hubs *hubs)
{
    return (struct arm_type){
        .name = "Microsoft.EventHub/namespaces/eventhubs",
        .versions = hub_versions,
        .members = "partitionCount messageRetentionInDays status durability captureDescription "
                   "retentionDescription cleanupPolicy retentionTimeInHours retentionBytes "
                   "tombstoneRetentionTimeInHours userMetadata enabled encoding intervalInSeconds "
                   "sizeLimitInBytes skipEmptyArchives destination name storageAccountResourceId "
                   "blobContainer archiveNameFormat",
        .flags = ARM_PUT_200_ALWAYS | ARM_NO_STATE,
        .put = put_hub,
        .changed = changed_hub,
        .show = show_hub,
        .ctx = hubs};
}

/* ---- consumer groups ---------------------------------------------------------------------------------------------------------- */

static enum rf_kind put_group(struct arm_call *call, struct arm_resource *resource,
                              const struct arm_resource *before, struct rf_err *err)
{
    struct rf_arena *arena = call->arena;
    bool is_default = rf_str_eq_nocase(resource->name, RF_S("$Default"));
    if (!is_default) RF_TRY(entity_name_check(resource->name, 50, err));
    if (before == NULL) RF_TRY(check_count(call, resource, HUB_GROUPS_MAX, "consumer groups", err));
    rf_str created =
        before == NULL ? (rf_str){0} : json_text_at(before->body, "properties.createdAt");
    rf_str now = time_iso(arena, call->now);
    struct json_node *properties = json_object_in(arena, resource->body, "properties");
    json_set_text(arena, properties, "createdAt", created.len > 0 ? created : now);
    return json_set_text(arena, properties, "updatedAt", now) == NULL ? rf_fail_memory(err, arena)
                                                                      : RF_OK;
}

static void changed_group(struct arm_call *call, struct arm_resource *resource)
{
    struct entity e = entity_of(resource);
    struct hub_namespace *space;
    struct rf_err err = {.code = ""};
    enum rf_kind kind = hubs_namespace_named(call->ctx, e.space, &space, &err);
    if (resource->body == NULL) {
        if (kind == RF_OK) hubs_drop_group(space, e.hub, resource->name);
        return;
    }
    if (kind == RF_OK) kind = hubs_set_group(space, e.hub, resource->name, &err);
    entity_log(kind, resource, &err);
}

static enum rf_kind default_document(struct arm_call *call, const struct arm_resource *hub,
                                     struct json_node **out, struct rf_err *err)
{
    struct rf_arena *arena = call->arena;
    struct json_node *body = json_new(arena, JSON_T_OBJECT);
    rf_str created = json_text_at(hub->body, "properties.createdAt");
    json_set_text(arena, body, "id",
                  rf_arena_printf(arena, "%.*s/consumergroups/$Default", RF_FMT(hub->id)));
    json_set_text(arena, body, "name", RF_S("$Default"));
    json_set_text(arena, body, "type",
                  RF_S("Microsoft.EventHub/namespaces/eventhubs/consumergroups"));
    struct json_node *properties = json_object_in(arena, body, "properties");
    json_set_text(arena, properties, "createdAt", created);
    if (json_set_text(arena, properties, "updatedAt", created) == NULL)
        return rf_fail_memory(err, arena);
    *out = body;
    return RF_OK;
}

static enum rf_kind get_default(struct arm_call *call, rf_str id, struct json_node **body,
                                struct rf_err *err)
{
    struct resource_id parsed;
    struct arm_resource hub;
    RF_TRY(resource_id_parse(id, call->arena, &parsed, err));
    if (!rf_str_eq_nocase(parsed.name, RF_S("$Default")))
        return RF_FAIL(err, RF_NOT_FOUND, "ResourceNotFound", "no such consumer group");
    RF_TRY(arm_get(call->arm, call->txn, parsed.parent, call->arena, &hub, err));
    return default_document(call, &hub, body, err);
}

static enum rf_kind list_default(struct arm_call *call, rf_str parent_id, struct json_node *out,
                                 struct rf_err *err)
{
    struct json_node *body;
    struct arm_resource hub;
    if (entity_is_listed(out, RF_S("$Default"))) return RF_OK;
    RF_TRY(arm_get(call->arm, call->txn, parent_id, call->arena, &hub, err));
    RF_TRY(default_document(call, &hub, &body, err));
    json_append(out, body);
    return RF_OK;
}

struct arm_type hub_group_type(struct hubs *hubs)
{
    return (struct arm_type){.name = "Microsoft.EventHub/namespaces/eventhubs/consumergroups",
                             .versions = hub_versions,
                             .members = "userMetadata",
                             .flags = ARM_PUT_200_ALWAYS | ARM_NO_STATE,
                             .put = put_group,
                             .changed = changed_group,
                             .virtual_get = get_default,
                             .virtual_list = list_default,
                             .ctx = hubs};
}

/* ---- device authorities --------------------------------------------------------------------------------------------------------- */

enum rf_kind entity_word_list(const struct json_node *body, const char *path,
                              struct rf_arena *arena, rf_str *out, struct rf_err *err)
{
    const struct json_node *list = json_at(body, path);
    struct rf_buf buf = rf_buf_in(arena);
    *out = RF_S("");
    if (list == NULL || list->type == JSON_T_NULL) return RF_OK;
    bool good = list->type == JSON_T_ARRAY && list->count <= 10000;
    const struct json_node *item = good ? list->first : NULL;
    for (; good && item != NULL; item = item->next) {
        good = item->type == JSON_T_STRING && item->text.len > 0 && item->text.len <= 256;
        for (size_t i = 0; good && i < item->text.len; i++) good = item->text.ptr[i] > ' ';
        if (good) rf_buf_printf(&buf, " %.*s", RF_FMT(item->text));
    }
    if (!good) return BAD_ENTITY(err, "'%s' must be a list of at most 10000 names.", path);
    if (list->count == 0) return RF_OK;
    rf_buf_byte(&buf, ' ');
    if (buf.failed) return rf_fail_memory(err, arena);
    *out = rf_buf_view(&buf);
    return RF_OK;
}

struct authority {
    rf_str pem, hubs, revoked;
};

static enum rf_kind read_authority(const struct json_node *body, struct rf_arena *arena,
                                   struct authority *out, struct rf_err *err)
{
    struct cert_info info;
    out->pem = json_text_at(body, "properties.certificates");
    if (out->pem.len == 0 || out->pem.len > HUB_AUTHORITY_BYTES_MAX ||
        cert_read(out->pem, arena, &info, NULL) != RF_OK)
        return BAD_ENTITY(err, "'certificates' must be certificates in PEM of at most %d bytes.",
                          HUB_AUTHORITY_BYTES_MAX);
    RF_TRY(entity_word_list(body, "properties.eventHubs", arena, &out->hubs, err));
    return entity_word_list(body, "properties.revokedCertificates", arena, &out->revoked, err);
}

static enum rf_kind put_authority(struct arm_call *call, struct arm_resource *resource,
                                  const struct arm_resource *before, struct rf_err *err)
{
    struct authority authority;
    (void)before;
    RF_TRY(entity_name_check(resource->name, 60, err));
    return read_authority(resource->body, call->arena, &authority, err);
}

static void changed_authority(struct arm_call *call, struct arm_resource *resource)
{
    struct entity e = entity_of(resource);
    struct authority authority = {.pem = {0}};
    struct hub_namespace *space;
    struct rf_err err = {.code = ""};
    enum rf_kind kind = hubs_namespace_named(call->ctx, e.space, &space, &err);
    if (kind != RF_OK && resource->body == NULL) return;
    if (kind == RF_OK && resource->body != NULL)
        kind = read_authority(resource->body, call->arena, &authority, &err);
    if (kind == RF_OK &&
        !hub_device_set(space, resource->name, authority.pem, authority.hubs, authority.revoked))
        kind = RF_FAIL(&err, RF_LIMIT, "MemoryBudgetExceeded", "no memory for an authority");
    entity_log(kind, resource, &err);
}

struct arm_type hub_authority_type(struct hubs *hubs)
{
    return (struct arm_type){.name = "Microsoft.EventHub/namespaces/deviceAuthorities",
                             .versions = hub_versions,
                             .members = "certificates eventHubs revokedCertificates",
                             .flags = ARM_PUT_200_ALWAYS | ARM_NO_STATE,
                             .put = put_authority,
                             .changed = changed_authority,
                             .ctx = hubs};
}

/* ---- for Kafka's admin calls ------------------------------------------------------------------------------------------------------ */

static rf_str id_of(const struct hub_namespace *space, rf_str name, struct rf_arena *arena)
{
    struct hub_namespace_settings settings;
    hub_namespace_settings(space, &settings);
    return rf_arena_printf(arena, "%.*s/eventhubs/%.*s", RF_FMT(settings.id), RF_FMT(name));
}

static enum rf_kind check_partitions(uint32_t count, struct rf_err *err)
{
    if (count >= 1 && count <= HUB_PARTITIONS_MAX) return RF_OK;
    return RF_FAIL(err, RF_INVALID, "BadPartitionCount", "a hub has 1 to %d partitions",
                   HUB_PARTITIONS_MAX);
}

enum rf_kind hub_create(struct hub_namespace *space, rf_str name, uint32_t partition_count,
                        const struct principal *by, struct rf_err *err)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 16 << 20);
    struct rf_err inner;
    struct hub *hub;
    if (entity_name_check(name, HUB_NAME_BYTES_MAX, &inner) != RF_OK)
        return RF_FAIL(err, RF_INVALID, "BadName", "%s", inner.text);
    RF_TRY(check_partitions(partition_count, err));
    if (hub_find(space, name, &hub, &inner) == RF_OK) {
        hub_unref(hub);
        return RF_FAIL(err, RF_CONFLICT, "HubExists", "there is an event hub %.*s already",
                       RF_FMT(name));
    }
    struct json_node *body = json_new(&arena, JSON_T_OBJECT);
    struct json_node *properties = json_object_in(&arena, body, "properties");
    rf_str id = id_of(space, name, &arena);
    struct arm_resource made;
    if (id.ptr == NULL ||
        json_set_i64(&arena, properties, "partitionCount", partition_count) == NULL)
        return rf_fail_memory(err, &arena);
    return arm_put(space->hubs->options.arm, id, body, by, &arena, &made, NULL, err);
}

enum rf_kind hub_delete(struct hub_namespace *space, rf_str name, const struct principal *by,
                        struct rf_err *err)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 64 << 20);
    rf_str id = id_of(space, name, &arena);
    bool existed = false;
    if (id.ptr == NULL) return rf_fail_memory(err, &arena);
    RF_TRY(arm_delete(space->hubs->options.arm, id, by, &arena, &existed, err));
    if (existed) return RF_OK;
    return RF_FAIL(err, RF_NOT_FOUND, "HubNotFound", "there is no event hub %.*s", RF_FMT(name));
}

enum rf_kind hub_grow(struct hub_namespace *space, rf_str name, uint32_t partition_count,
                      const struct principal *by, struct rf_err *err)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 16 << 20);
    struct arm_resource resource, made;
    struct arm_call call;
    int64_t had = 0;
    RF_TRY(check_partitions(partition_count, err));
    rf_str id = id_of(space, name, &arena);
    if (id.ptr == NULL) return rf_fail_memory(err, &arena);
    RF_TRY(arm_begin(space->hubs->options.arm, by, &arena, &call, err));
    enum rf_kind kind = arm_get(call.arm, call.txn, id, &arena, &resource, err);
    if (kind == RF_NOT_FOUND)
        kind =
            RF_FAIL(err, RF_NOT_FOUND, "HubNotFound", "there is no event hub %.*s", RF_FMT(name));
    if (kind == RF_OK) {
        (void)json_i64_at(resource.body, "properties.partitionCount", &had);
        if (partition_count <= had)
            kind = RF_FAIL(err, RF_INVALID, "BadPartitionCount",
                           "%.*s has %lld partitions already; partitions are only added",
                           RF_FMT(name), (long long)had);
    }
    if (kind == RF_OK && json_set_i64(&arena, json_get(resource.body, "properties"),
                                      "partitionCount", partition_count) == NULL)
        kind = rf_fail_memory(err, &arena);
    if (kind == RF_OK) kind = arm_put_in(&call, id, resource.body, &made, NULL, err);
    if (kind == RF_OK) kind = arm_commit(&call, err);
    arm_end(&call);
    return kind;
}
