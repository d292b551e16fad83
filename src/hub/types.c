/* types.c - the resources of Microsoft.EventHub: namespaces, and what all of its types have in common. */
#include <stdlib.h>

#include "base/log.h"
#include "hub/types_doc.h"

enum { STORED_BYTES_MAX = 512 << 20 };

const char *const hub_versions[] = {"2015-08-01",
                                    "2017-04-01",
                                    "2018-01-01-preview",
                                    "2021-01-01-preview",
                                    "2021-06-01-preview",
                                    "2021-11-01",
                                    "2022-01-01-preview",
                                    "2022-10-01-preview",
                                    "2023-01-01-preview",
                                    "2024-01-01",
                                    "2024-05-01-preview",
                                    "2025-05-01-preview",
                                    NULL};

/* ---- ids and names ---------------------------------------------------------------------------------------------------- */

static rf_str word_after(rf_str key, rf_str id, rf_str mark)
{
    size_t at = rf_str_find(key, mark, 0);
    if (at == SIZE_MAX) return (rf_str){0};
    at += mark.len;
    size_t end = rf_str_find(key, RF_S("/"), at);
    return rf_slice(id, at, end == SIZE_MAX ? id.len : end);
}

struct entity entity_of(const struct arm_resource *resource)
{
    rf_str mark = RF_S("/microsoft.eventhub/namespaces/");
    size_t at = rf_str_find(resource->key, mark, 0);
    RF_ASSERT(resource->key.len == resource->id.len);
    if (at == SIZE_MAX) return (struct entity){.leaf = resource->name};
    rf_str key = rf_slice(resource->key, at, resource->key.len);
    rf_str id = rf_slice(resource->id, at, resource->id.len);
    return (struct entity){.space = word_after(key, id, mark),
                           .hub = word_after(key, id, RF_S("/eventhubs/")),
                           .leaf = resource->name};
}

enum rf_kind entity_name_check(rf_str name, size_t bytes_max, struct rf_err *err)
{
    bool good = name.len > 0 && name.len <= bytes_max;
    for (size_t i = 0; good && i < name.len; i++)
        good = rf_is_alnum(name.ptr[i]) || strchr(".-_", name.ptr[i]) != NULL;
    good = good && (rf_is_alnum(name.ptr[0]) || name.ptr[0] == '_') &&
           (rf_is_alnum(name.ptr[name.len - 1]) || name.ptr[name.len - 1] == '_');
    if (good) return RF_OK;
    return BAD_ENTITY(
        err,
        "The name '%.*s' is not valid: it may have 1 to %zu letters, digits, periods, "
        "hyphens and underscores, and must begin and end with a letter, a digit or "
        "an underscore.",
        (int)RF_MIN(name.len, (size_t)100), (const char *)name.ptr, bytes_max);
}

enum rf_kind entity_count(struct arm_call *call, const struct arm_resource *resource, uint32_t *out,
                          struct rf_err *err)
{
    size_t end = resource->key.len - resource->name.len;
    struct state_scan scan = {
        .space = "resource", .index = "collection", .value = rf_slice(resource->key, 0, end - 1)};
    struct state_list list;
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 64 << 20);
    RF_TRY(state_list(call->txn, &scan, &arena, &list, err));
    *out = list.count;
    return RF_OK;
}

bool entity_is_listed(const struct json_node *list, rf_str name)
{
    for (const struct json_node *item = list->first; item != NULL; item = item->next)
        if (rf_str_eq_nocase(json_text_at(item, "name"), name)) return true;
    return false;
}

void entity_log(enum rf_kind kind, const struct arm_resource *resource, const struct rf_err *err)
{
    if (kind != RF_OK)
        rf_log(RF_ERROR, "hub.change_failed", RF_KV_STR("resource", resource->id),
               RF_KV_STR("code", rf_str_of(err->code == NULL ? "" : err->code)),
               RF_KV_STR("text", rf_str_of(err->text)));
}

/* The first namespace is known under the origin's name too, which everybody can resolve. */
rf_str hub_host_of(struct hubs *hubs, rf_str space, struct rf_arena *arena)
{
    const struct site *site = hubs->options.site;
    struct hub_namespace *first;
    struct rf_err err;
    bool is_local = site != NULL && rf_str_starts(site->origin, RF_S("https://localhost"));
    if (is_local && hubs_namespace(hubs, RF_S("localhost"), &first, &err) == RF_OK &&
        rf_str_eq_nocase(hub_namespace_name(first), space))
        return RF_S("localhost");
    return rf_arena_printf(arena, "%.*s.%.*s", RF_FMT(space),
                           RF_FMT(site == NULL ? RF_S("localhost") : site->domain));
}

/* ---- namespaces ----------------------------------------------------------------------------------------------------------- */

bool hub_namespace_name_is_good(rf_str name)
{
    bool good = name.len >= 6 && name.len <= 50 && rf_is_alpha(name.ptr[0]) &&
                rf_is_alnum(name.ptr[name.len - 1]);
    for (size_t i = 0; good && i < name.len; i++)
        good = rf_is_alnum(name.ptr[i]) || name.ptr[i] == '-';
    return good;
}

/* Hosts are made of their names, so they must be unique everywhere. */
static enum rf_kind check_unique(struct arm_call *call, const struct arm_resource *resource,
                                 struct rf_err *err)
{
    struct arm_resource *list;
    uint32_t count;
    RF_TRY(arm_list(call->arm, call->txn, "Microsoft.EventHub/namespaces", call->arena, &list,
                    &count, err));
    for (uint32_t i = 0; i < count; i++)
        if (rf_str_eq_nocase(list[i].name, resource->name))
            return RF_FAIL(err, RF_CONFLICT, "NamespaceUnavailable",
                           "The namespace name '%.*s' is already in use.", RF_FMT(resource->name));
    return RF_OK;
}

static enum rf_kind fill_sku(struct arm_call *call, struct json_node *body, struct rf_err *err)
{
    static const char *const names[] = {"Basic", "Standard", "Premium"};
    struct json_node *sku = json_object_in(call->arena, body, "sku");
    rf_str name = json_text_at(sku, "name");
    int64_t capacity = 1;
    size_t i = 0;
    if (name.len == 0) name = RF_S("Standard");
    while (i < RF_COUNT(names) && !rf_str_eq_nocase(name, rf_str_of(names[i]))) i++;
    if (i == RF_COUNT(names))
        return BAD_ENTITY(err, "'sku.name' must be Basic, Standard or Premium.");
    if (json_get(sku, "capacity") != NULL &&
        (!json_i64_at(sku, "capacity", &capacity) || capacity < 0 || capacity > 40))
        return BAD_ENTITY(err, "'sku.capacity' must be a number from 0 to 40.");
    json_set_text(call->arena, sku, "name", rf_str_of(names[i]));
    json_set_text(call->arena, sku, "tier", rf_str_of(names[i]));
    return json_set_i64(call->arena, sku, "capacity", capacity) == NULL
               ? rf_fail_memory(err, call->arena)
               : RF_OK;
}

static void keep_bool(struct rf_arena *arena, struct json_node *properties, const char *name,
                      bool fallback)
{
    json_set_bool(arena, properties, name, json_bool_at(properties, name, fallback));
}

static void keep_text(struct rf_arena *arena, struct json_node *properties, const char *name,
                      const char *fallback)
{
    if (json_text_at(properties, name).len == 0)
        json_set_text(arena, properties, name, rf_str_of(fallback));
}

/* Which namespace is the first one may change, and with it the name that everybody knows. */
static enum rf_kind show_endpoint(struct arm_call *call, struct arm_resource *resource,
                                  struct rf_err *err)
{
    struct hubs *hubs = call->ctx;
    struct json_node *properties = json_object_in(call->arena, resource->body, "properties");
    rf_str host = hub_host_of(hubs, resource->name, call->arena);
    rf_str endpoint = rf_arena_printf(call->arena, "https://%.*s:%u/", RF_FMT(host),
                                      hubs->options.site == NULL ? 443u : hubs->options.site->port);
    return json_set_text(call->arena, properties, "serviceBusEndpoint", endpoint) == NULL
               ? rf_fail_memory(err, call->arena)
               : RF_OK;
}

static enum rf_kind fill_namespace(struct arm_call *call, struct arm_resource *resource,
                                   const struct arm_resource *before, struct rf_err *err)
{
    struct rf_arena *arena = call->arena;
    struct json_node *properties = json_object_in(arena, resource->body, "properties");
    rf_str created =
        before == NULL ? (rf_str){0} : json_text_at(before->body, "properties.createdAt");
    rf_str now = time_iso(arena, call->now), subscription = {0};
    struct resource_id id;
    if (resource_id_parse(resource->id, arena, &id, NULL) == RF_OK) subscription = id.subscription;
    keep_text(arena, properties, "minimumTlsVersion", "1.2");
    keep_text(arena, properties, "publicNetworkAccess", "Enabled");
    keep_bool(arena, properties, "disableLocalAuth", false);
    keep_bool(arena, properties, "zoneRedundant", false);
    keep_bool(arena, properties, "isAutoInflateEnabled", false);
    keep_bool(arena, properties, "kafkaEnabled", true);
    if (json_get(properties, "maximumThroughputUnits") == NULL)
        json_set_i64(arena, properties, "maximumThroughputUnits", 0);
    json_set_text(arena, properties, "status", RF_S("Active"));
    json_set_text(arena, properties, "createdAt", created.len > 0 ? created : now);
    json_set_text(arena, properties, "updatedAt", now);
    json_set_text(
        arena, properties, "metricId",
        rf_arena_printf(arena, "%.*s:%.*s", RF_FMT(subscription), RF_FMT(resource->name)));
    return show_endpoint(call, resource, err);
}

static enum rf_kind put_namespace(struct arm_call *call, struct arm_resource *resource,
                                  const struct arm_resource *before, struct rf_err *err)
{
    if (!hub_namespace_name_is_good(resource->name))
        return BAD_ENTITY(err,
                          "The namespace name '%.*s' is not valid: it must have 6 to 50 letters, "
                          "digits and hyphens, begin with a letter and end with a letter or digit.",
                          (int)RF_MIN(resource->name.len, (size_t)100),
                          (const char *)resource->name.ptr);
    if (before == NULL) RF_TRY(check_unique(call, resource, err));
    RF_TRY(fill_sku(call, resource->body, err));
    RF_TRY(fill_namespace(call, resource, before, err));
    struct hub_keys keys;
    struct rf_err inner;
    rf_str place = hub_root_place(call->arena, resource->name);
    if (place.ptr == NULL) return rf_fail_memory(err, call->arena);
    /* A namespace that was stored before its rules had keys gets them now. */
    enum rf_kind kind = hub_keys_load(call->ctx, call->txn, place, call->arena, &keys, &inner);
    if (kind == RF_OK) hub_keys_wipe(&keys);
    return kind == RF_NOT_FOUND ? hub_rule_make_keys(call, place, err) : RF_OK;
}

static enum rf_kind remove_namespace(struct arm_call *call, struct arm_resource *resource,
                                     struct rf_err *err)
{
    rf_str prefix = rf_arena_printf(call->arena, "%.*s/", RF_FMT(resource->name));
    if (prefix.ptr == NULL) return rf_fail_memory(err, call->arena);
    prefix = resource_key(call->arena, prefix);
    if (prefix.ptr == NULL) return rf_fail_memory(err, call->arena);
    return state_delete_prefix(call->txn, "hub.key", prefix, NULL, err);
}

static void changed_namespace(struct arm_call *call, struct arm_resource *resource)
{
    struct hubs *hubs = call->ctx;
    struct rf_err err = {.code = ""};
    if (resource->body == NULL) {
        struct hub_namespace *gone;
        if (hubs_namespace_named(hubs, resource->name, &gone, &err) == RF_OK) {
            hub_devices_forget(gone);
            hub_authorities_forget(gone);
        }
        hubs_drop_namespace(hubs, resource->name);
        return;
    }
    const struct json_node *properties = json_get(resource->body, "properties");
    struct hub_namespace_settings settings = {
        .name = resource->name,
        .id = resource->id,
        .local_auth_disabled = json_bool_at(properties, "disableLocalAuth", false),
        .kafka_disabled = !json_bool_at(properties, "kafkaEnabled", true)};
    struct hub_namespace *space;
    struct hub_rule known;
    enum rf_kind kind = hubs_set_namespace(hubs, &settings, &space, &err);
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 64 << 10);
    /* A stored document of the rule is applied by its own hook. */
    if (kind == RF_OK && hubs_find_rule(space, (rf_str){0}, RF_S("RootManageSharedAccessKey"),
                                        &arena, &known, &err) != RF_OK)
        kind = hub_root_apply(hubs, call->txn, resource->name, &err);
    entity_log(kind, resource, &err);
}

/* ---- network rules: there is one document, which says that there are none ------------------------------------------------- */

static enum rf_kind network_document(struct arm_call *call, rf_str parent, struct json_node **out,
                                     struct rf_err *err)
{
    struct rf_arena *arena = call->arena;
    struct json_node *body = json_new(arena, JSON_T_OBJECT);
    json_set_text(arena, body, "id",
                  rf_arena_printf(arena, "%.*s/networkRuleSets/default", RF_FMT(parent)));
    json_set_text(arena, body, "name", RF_S("default"));
    json_set_text(arena, body, "type", RF_S("Microsoft.EventHub/namespaces/networkRuleSets"));
    struct json_node *properties = json_object_in(arena, body, "properties");
    json_set_text(arena, properties, "publicNetworkAccess", RF_S("Enabled"));
    json_set_text(arena, properties, "defaultAction", RF_S("Allow"));
    json_set(arena, properties, RF_S("virtualNetworkRules"), json_new(arena, JSON_T_ARRAY));
    if (json_set(arena, properties, RF_S("ipRules"), json_new(arena, JSON_T_ARRAY)) == NULL)
        return rf_fail_memory(err, arena);
    *out = body;
    return RF_OK;
}

static enum rf_kind get_network(struct arm_call *call, rf_str id, struct json_node **body,
                                struct rf_err *err)
{
    struct resource_id parsed;
    struct arm_resource space;
    RF_TRY(resource_id_parse(id, call->arena, &parsed, err));
    if (!rf_str_eq_nocase(parsed.name, RF_S("default")))
        return RF_FAIL(err, RF_NOT_FOUND, "ResourceNotFound", "no such rule set");
    RF_TRY(arm_get(call->arm, call->txn, parsed.parent, call->arena, &space, err));
    return network_document(call, space.id, body, err);
}

static enum rf_kind list_network(struct arm_call *call, rf_str parent_id, struct json_node *out,
                                 struct rf_err *err)
{
    struct json_node *body;
    if (entity_is_listed(out, RF_S("default"))) return RF_OK;
    RF_TRY(network_document(call, parent_id, &body, err));
    json_append(out, body);
    return RF_OK;
}

/* Rules that would not be kept to must not be stored as if they were. */
static enum rf_kind put_network(struct arm_call *call, struct arm_resource *resource,
                                const struct arm_resource *before, struct rf_err *err)
{
    static const char *const lists[] = {"properties.ipRules", "properties.virtualNetworkRules"};
    (void)call;
    (void)before;
    bool denies =
        rf_str_eq_nocase(json_text_at(resource->body, "properties.defaultAction"), RF_S("Deny"));
    for (size_t i = 0; i < RF_COUNT(lists); i++) {
        const struct json_node *list = json_at(resource->body, lists[i]);
        denies |= list != NULL && list->count > 0;
    }
    if (!rf_str_eq_nocase(resource->name, RF_S("default")))
        return BAD_ENTITY(err, "The only set of network rules is 'default'.");
    return denies ? BAD_ENTITY(err, "Network rules are not supported; restrict the listeners or "
                                    "the firewall of the host.")
                  : RF_OK;
}

/* ---- life ------------------------------------------------------------------------------------------------------------------- */

static struct arm_type namespace_type(struct hubs *hubs)
{
    return (struct arm_type){
        .name = "Microsoft.EventHub/namespaces",
        .versions = hub_versions,
        .members = "name tier capacity minimumTlsVersion publicNetworkAccess disableLocalAuth "
                   "zoneRedundant isAutoInflateEnabled maximumThroughputUnits kafkaEnabled",
        .flags = ARM_TRACKED,
        .put = put_namespace,
        .remove = remove_namespace,
        .changed = changed_namespace,
        .show = show_endpoint,
        .ctx = hubs};
}

static struct arm_type network_type(struct hubs *hubs)
{
    return (struct arm_type){.name = "Microsoft.EventHub/namespaces/networkRuleSets",
                             .versions = hub_versions,
                             .flags = ARM_PUT_200_ALWAYS | ARM_NO_STATE,
                             .put = put_network,
                             .virtual_get = get_network,
                             .virtual_list = list_network,
                             .ctx = hubs};
}

/* Parents before children. */
static enum rf_kind load_stored(struct hubs *hubs, struct rf_err *err)
{
    struct hub_types *types = hub_types_of(hubs);
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, STORED_BYTES_MAX);
    RF_CLEANUP(state_end_cleanup) struct state_txn *txn = NULL;
    RF_TRY(state_begin_read(hubs->options.state, &txn, err));
    for (uint32_t t = 0; t < HUB_TYPES_COUNT; t++) {
        struct arm_resource *list;
        uint32_t count;
        if (types->types[t].changed == NULL) continue;
        RF_TRY(arm_list(hubs->options.arm, txn, types->types[t].name, &arena, &list, &count, err));
        for (uint32_t i = 0; i < count; i++) {
            struct arm_call call = {
                .arm = hubs->options.arm, .txn = txn, .arena = &arena, .ctx = hubs};
            types->types[t].changed(&call, &list[i]);
        }
    }
    return RF_OK;
}

enum rf_kind hub_types_start(struct hubs *hubs, struct rf_err *err)
{
    struct hub_types *types = calloc(1, sizeof *types);
    if (types == NULL) return RF_FAIL(err, RF_LIMIT, "MemoryBudgetExceeded", "no memory for types");
    (void)pthread_mutex_init(&types->denials.lock, NULL);
    (void)pthread_rwlock_init(&types->devices, NULL);
    struct arm_type made[HUB_TYPES_COUNT] = {namespace_type(hubs),      hub_hub_type(hubs),
                                             hub_group_type(hubs),      hub_rule_type(hubs, false),
                                             hub_rule_type(hubs, true), hub_authority_type(hubs),
                                             hub_device_type(hubs),     network_type(hubs)};
    memcpy(types->types, made, sizeof made);
    hubs->types = types;
    enum rf_kind kind = hub_devices_start(hubs, err);
    if (kind == RF_OK) kind = arm_register(hubs->options.arm, types->types, HUB_TYPES_COUNT, err);
    if (kind == RF_OK) kind = load_stored(hubs, err);
    if (kind != RF_OK) hub_types_stop(hubs);
    return kind;
}

void hub_types_stop(struct hubs *hubs)
{
    struct hub_types *types = hubs->types;
    if (types == NULL) return;
    hub_devices_done(types);
    (void)pthread_mutex_destroy(&types->denials.lock);
    (void)pthread_rwlock_destroy(&types->devices);
    free(types);
    hubs->types = NULL;
}
