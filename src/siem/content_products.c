/* content_products.c - the catalogue as resources: contentProductPackages. Nothing of it is stored. */
#include "base/encode.h"
#include "siem/content_int.h"

/* What is installed of the catalogue: ids and versions of the workspace's packages. */
struct installed {
    rf_str *ids, *versions;
    uint32_t count;
};

static enum rf_kind find_installed(struct arm_call *call, rf_str workspace, struct installed *out,
                                   struct rf_err *err)
{
    struct rf_arena *arena = call->arena;
    rf_str key = resource_key(arena, workspace);
    rf_str collection = rf_arena_printf(
        arena, "%.*s/providers/microsoft.securityinsights/contentpackages", RF_FMT(key));
    const struct state_scan scan = {
        .space = "resource", .index = "collection", .value = collection};
    struct state_list found;
    if (key.ptr == NULL || collection.ptr == NULL) return rf_fail_memory(err, arena);
    RF_TRY(state_list(call->txn, &scan, arena, &found, err));
    *out = (struct installed){.ids = rf_arena_new(arena, rf_str, found.count),
                              .versions = rf_arena_new(arena, rf_str, found.count),
                              .count = found.count};
    if (out->ids == NULL || out->versions == NULL) return rf_fail_memory(err, arena);
    for (uint32_t i = 0; i < found.count; i++) {
        struct json_node *package;
        RF_TRY(json_parse(found.items[i].body, arena, &package, err));
        out->ids[i] = json_text_at(package, "properties.contentId");
        out->versions[i] = json_text_at(package, "properties.version");
    }
    return RF_OK;
}

static struct json_node *show(struct arm_call *call, rf_str workspace,
                              const struct catalogue_package *package,
                              const struct installed *installed)
{
    struct rf_arena *arena = call->arena;
    struct json_node *document = json_new(arena, JSON_T_OBJECT);
    struct json_node *properties = json_clone(arena, package->properties);
    rf_str id = rf_arena_printf(arena, "%.*s/providers/" CONTENT_P "contentProductPackages/%.*s",
                                RF_FMT(workspace), RF_FMT(package->id));
    if (id.ptr == NULL) return NULL;
    json_set_text(arena, document, "id", id);
    json_set_text(arena, document, "name", package->id);
    json_set_text(arena, document, "type", RF_S(CONTENT_P "contentProductPackages"));
    for (uint32_t i = 0; i < installed->count; i++)
        if (rf_str_eq_nocase(installed->ids[i], package->id))
            json_set_text(arena, properties, "installedVersion", installed->versions[i]);
    return json_set(arena, document, RF_S("properties"), properties) == NULL ? NULL : document;
}

enum rf_kind content_products_list(struct arm_call *call, rf_str workspace, struct json_node *out,
                                   struct rf_err *err)
{
    const struct siem *siem = call->ctx;
    struct installed installed;
    uint32_t count;
    const struct catalogue_package *packages = catalogue_packages(siem->catalogue, &count);
    RF_TRY(find_installed(call, workspace, &installed, err));
    for (uint32_t i = 0; i < count; i++)
        if (json_append(out, show(call, workspace, &packages[i], &installed)) == NULL)
            return rf_fail_memory(err, call->arena);
    return RF_OK;
}

/* With its template: a client puts the whole to contentPackages. */
enum rf_kind content_products_get(struct arm_call *call, rf_str id, struct json_node **out,
                                  struct rf_err *err)
{
    const struct siem *siem = call->ctx;
    struct resource_id parts;
    struct installed installed;
    uint32_t count;
    const struct catalogue_package *packages = catalogue_packages(siem->catalogue, &count);
    RF_TRY(resource_id_parse(id, call->arena, &parts, err));
    for (uint32_t i = 0; i < count; i++) {
        struct json_node *template, *document;
        if (!rf_str_eq_nocase(packages[i].id, parts.name)) continue;
        RF_TRY(find_installed(call, parts.scope, &installed, err));
        RF_TRY(catalogue_template(&packages[i], call->arena, &template, err));
        document = show(call, parts.scope, &packages[i], &installed);
        if (document == NULL || json_set(call->arena, json_get(document, "properties"),
                                         RF_S("packagedContent"), template) == NULL)
            return rf_fail_memory(err, call->arena);
        *out = document;
        return RF_OK;
    }
    return RF_FAIL(err, RF_NOT_FOUND, "ResourceNotFound", "the catalogue has no package '%.*s'",
                   RF_FMT(parts.name));
}
