/* workspace_parts.c - what stands beside a workspace's tables: saved searches, which may be functions, data exports, and query
 * packs. */
#include "base/encode.h"
#include "logs/export.h"

/* ---- saved searches ---------------------------------------------------------------------------------------------------- */

static enum rf_kind require_text(const struct json_node *properties, const char *name,
                                 struct rf_err *err)
{
    if (json_text_at(properties, name).len > 0) return RF_OK;
    return BAD_PARAMETER(err, "A saved search needs '%s'.", name);
}

static bool is_identifier(rf_str text)
{
    for (size_t i = 0; i < text.len; i++)
        if (!rf_is_alnum(text.ptr[i]) && text.ptr[i] != '_') return false;
    return text.len > 0 && text.len <= 200 && !rf_is_digit(text.ptr[0]);
}

static enum rf_kind check_tags(const struct json_node *tags, struct rf_err *err)
{
    if (tags == NULL || tags->type == JSON_T_NULL) return RF_OK;
    if (tags->type != JSON_T_ARRAY) return BAD_PARAMETER(err, "'tags' must be a list.");
    for (const struct json_node *t = tags->first; t != NULL; t = t->next)
        if (json_text_at(t, "name").len == 0)
            return BAD_PARAMETER(err, "A tag of a saved search needs 'name' and 'value'.");
    return RF_OK;
}

static enum rf_kind put_search(struct arm_call *call, struct arm_resource *resource,
                               const struct arm_resource *before, struct rf_err *err)
{
    static const char *const needed[] = {"category", "displayName", "query"};
    (void)before;
    struct json_node *properties = json_get(resource->body, "properties");
    for (size_t i = 0; i < RF_COUNT(needed); i++) RF_TRY(require_text(properties, needed[i], err));
    rf_str alias = json_text_at(properties, "functionAlias");
    if (alias.len > 0 && !is_identifier(alias))
        return BAD_PARAMETER(err,
                             "The alias '%.*s' of a function must be a name of letters, digits "
                             "and '_'.",
                             (int)RF_MIN(alias.len, (size_t)200), (const char *)alias.ptr);
    if (alias.len == 0 && json_text_at(properties, "functionParameters").len > 0)
        return BAD_PARAMETER(err, "'functionParameters' needs a 'functionAlias'.");
    RF_TRY(check_tags(json_get(properties, "tags"), err));
    if (json_get(properties, "version") == NULL &&
        json_set_i64(call->arena, properties, "version", 2) == NULL)
        return rf_fail_memory(err, call->arena);
    return RF_OK;
}

static void changed_search(struct arm_call *call, struct arm_resource *resource)
{
    (void)resource;
    workspaces_changed(call->ctx);
}

static const char search_members[] =
    "displayName category query functionAlias functionParameters version tags name "
    "value";

struct arm_type saved_search_type(struct logs *logs)
{
    return (struct arm_type){.name = "Microsoft.OperationalInsights/workspaces/savedSearches",
                             .versions = workspace_versions,
                             .members = search_members,
                             .flags = ARM_PUT_200_ALWAYS | ARM_BODY_ETAG | ARM_NO_STATE,
                             .put = put_search,
                             .changed = changed_search,
                             .ctx = logs};
}

/* ---- data exports --------------------------------------------------------------------------------------------------------- */

enum { EXPORTS_ENABLED_MAX = 10 };

static enum rf_kind check_export_tables(struct arm_call *call, const struct json_node *names,
                                        rf_str guid, struct rf_err *err)
{
    struct logs *logs = call->ctx;
    struct table_def def;
    if (!json_is(names, JSON_T_ARRAY) || names->count == 0)
        return BAD_PARAMETER(err, "A data export needs 'tableNames'.");
    for (const struct json_node *n = names->first; n != NULL; n = n->next) {
        if (n->type == JSON_T_STRING &&
            tables_find(logs->options.tables, guid, n->text, call->arena, &def, NULL) == RF_OK)
            continue;
        return BAD_PARAMETER(err, "Table %.*s does not exist in the workspace",
                             (int)RF_MIN(n->text.len, (size_t)200), (const char *)n->text.ptr);
    }
    return RF_OK;
}

/* "StorageAccount" or "EventHub", by the resource's type; NULL: neither. */
static const char *destination_type(struct arm_call *call, rf_str id)
{
    struct resource_id parsed;
    if (resource_id_parse(id, call->arena, &parsed, NULL) != RF_OK || parsed.is_type) return NULL;
    if (rf_str_eq_nocase(parsed.type, RF_S("Microsoft.Storage/storageAccounts")))
        return "StorageAccount";
    if (rf_str_eq_nocase(parsed.type, RF_S("Microsoft.EventHub/namespaces")) ||
        rf_str_eq_nocase(parsed.type, RF_S("Microsoft.EventHub/namespaces/eventhubs")))
        return "EventHub";
    return NULL;
}

/* The other exports of the workspace: how many are enabled, and that none has this destination. */
static enum rf_kind check_others(struct arm_call *call, const struct arm_resource *resource,
                                 rf_str destination, rf_str hub, bool enable, struct rf_err *err)
{
    struct arm_resource *all;
    uint32_t count, enabled = 0;
    rf_str home = rf_slice(resource->key, 0, resource->key.len - resource->name.len);
    RF_TRY(arm_list(call->arm, call->txn, "Microsoft.OperationalInsights/workspaces/dataExports",
                    call->arena, &all, &count, err));
    for (uint32_t i = 0; i < count; i++) {
        const struct json_node *body = all[i].body;
        if (!rf_str_starts(all[i].key, home) || rf_str_eq(all[i].key, resource->key)) continue;
        enabled += json_bool_at(body, "properties.enable", true);
        rf_str other = json_text_at(body, "properties.destination.resourceId");
        rf_str other_hub = json_text_at(body, "properties.destination.metaData.eventHubName");
        if (rf_str_eq_nocase(other, destination) && rf_str_eq_nocase(other_hub, hub))
            return RF_FAIL(err, RF_INVALID, "DestinationInUse",
                           "The data export '%.*s' has this destination already.",
                           RF_FMT(all[i].name));
    }
    if (!enable || enabled < EXPORTS_ENABLED_MAX) return RF_OK;
    return RF_FAIL(err, RF_INVALID, "ExportRuleLimitExceeded",
                   "A workspace has at most %d enabled data exports.", EXPORTS_ENABLED_MAX);
}

static enum rf_kind put_export(struct arm_call *call, struct arm_resource *resource,
                               const struct arm_resource *before, struct rf_err *err)
{
    struct json_node *properties = json_get(resource->body, "properties");
    rf_str guid;
    RF_TRY(workspace_of_child(call, resource->id, &guid, NULL, err));
    RF_TRY(check_export_tables(call, json_get(properties, "tableNames"), guid, err));
    rf_str destination = json_text_at(properties, "destination.resourceId");
    rf_str hub = json_text_at(properties, "destination.metaData.eventHubName");
    const char *type = destination_type(call, destination);
    if (type == NULL)
        return BAD_PARAMETER(err,
                             "'destination.resourceId' must be a storage account, an event hub "
                             "namespace or an event hub.");
    struct json_node *enable = json_get(properties, "enable");
    if (enable != NULL && enable->type != JSON_T_TRUE && enable->type != JSON_T_FALSE)
        return BAD_PARAMETER(err, "'enable' must be true or false.");
    bool on = json_bool_at(properties, "enable", true);
    RF_TRY(check_others(call, resource, destination, hub, on, err));
    rf_str now = time_iso(call->arena, call->now), created = now, id = {0};
    if (before != NULL) {
        created = json_text_at(before->body, "properties.createdDate");
        id = json_text_at(before->body, "properties.dataExportId");
    }
    if (id.len == 0) id = guid_random(call->arena);
    struct json_node *to = json_get(properties, "destination");
    if (json_set_text(call->arena, to, "type", rf_str_of(type)) == NULL ||
        json_set_text(call->arena, properties, "dataExportId", id) == NULL ||
        json_set_bool(call->arena, properties, "enable", on) == NULL ||
        json_set_text(call->arena, properties, "createdDate", created) == NULL ||
        json_set_text(call->arena, properties, "lastModifiedDate", now) == NULL)
        return rf_fail_memory(err, call->arena);
    json_remove(properties, RF_S("status")); /* as it was shown, by who reads and writes back */
    return export_put(call, guid, properties, err);
}

struct arm_type data_export_type(struct logs *logs)
{
    return (struct arm_type){.name = "Microsoft.OperationalInsights/workspaces/dataExports",
                             .versions = workspace_versions,
                             .flags = ARM_NO_STATE,
                             .put = put_export,
                             .remove = export_remove,
                             .changed = export_changed,
                             .show = export_show,
                             .ctx = logs};
}

/* ---- query packs ------------------------------------------------------------------------------------------------------------ */

/* A GUID under `name` that stays, and when it was made and changed. */
static enum rf_kind set_identity(struct arm_call *call, struct json_node *properties,
                                 const struct arm_resource *before, const char *name,
                                 struct rf_err *err)
{
    rf_str now = time_iso(call->arena, call->now), created = now, id = {0};
    if (before != NULL) {
        const struct json_node *old = json_get(before->body, "properties");
        created = json_text_at(old, "timeCreated");
        id = json_text_at(old, name);
    }
    if (id.len == 0) id = guid_random(call->arena);
    if (json_set_text(call->arena, properties, name, id) == NULL ||
        json_set_text(call->arena, properties, "timeCreated", created) == NULL ||
        json_set_text(call->arena, properties, "timeModified", now) == NULL)
        return rf_fail_memory(err, call->arena);
    return RF_OK;
}

static enum rf_kind put_pack(struct arm_call *call, struct arm_resource *resource,
                             const struct arm_resource *before, struct rf_err *err)
{
    struct json_node *properties = json_object_in(call->arena, resource->body, "properties");
    if (properties == NULL) return rf_fail_memory(err, call->arena);
    return set_identity(call, properties, before, "queryPackId", err);
}

static enum rf_kind put_pack_query(struct arm_call *call, struct arm_resource *resource,
                                   const struct arm_resource *before, struct rf_err *err)
{
    static const char *const needed[] = {"displayName", "body"};
    struct json_node *properties = json_get(resource->body, "properties");
    for (size_t i = 0; i < RF_COUNT(needed); i++)
        if (json_text_at(properties, needed[i]).len == 0)
            return BAD_PARAMETER(err, "A query of a query pack needs '%s'.", needed[i]);
    rf_str author = call->principal == NULL ? RF_S("Ringfort") : call->principal->object_id;
    if (json_set_text(call->arena, properties, "author", author) == NULL)
        return rf_fail_memory(err, call->arena);
    return set_identity(call, properties, before, "id", err);
}

struct arm_type query_pack_type(struct logs *logs)
{
    return (struct arm_type){.name = "Microsoft.OperationalInsights/queryPacks",
                             .versions = workspace_versions,
                             .flags = ARM_TRACKED,
                             .put = put_pack,
                             .ctx = logs};
}

struct arm_type query_pack_query_type(struct logs *logs)
{
    return (struct arm_type){.name = "Microsoft.OperationalInsights/queryPacks/queries",
                             .versions = workspace_versions,
                             .flags = ARM_PUT_200_ALWAYS | ARM_NO_STATE,
                             .put = put_pack_query,
                             .ctx = logs};
}
