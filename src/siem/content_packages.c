/* content_packages.c - packages and their templates as they are installed: what must be there, what an upgrade leaves and
 * what a removal takes along (contracts/content.md 2.6, 2.7). */
#include "base/encode.h"
#include "siem/content_int.h"

static const char *const package_kinds[] = {"Solution", "Standalone", NULL};

static const struct member package_members[] = {
    {.path = "properties.contentId", .type = MEMBER_TEXT, .required = true, .most = 260},
    {.path = "properties.contentKind",
     .type = MEMBER_TEXT,
     .required = true,
     .values = package_kinds},
    {.path = "properties.contentProductId", .type = MEMBER_TEXT, .required = true, .most = 400},
    {.path = "properties.displayName", .type = MEMBER_TEXT, .required = true, .most = 500},
    {.path = "properties.version", .type = MEMBER_VERSION, .required = true},
    {.path = "properties.contentSchemaVersion", .type = MEMBER_VERSION},
    {.path = "properties.dependencies", .type = MEMBER_OBJECT},
    {.path = "properties.support", .type = MEMBER_OBJECT},
    {.path = "properties.source", .type = MEMBER_OBJECT},
    {.path = "properties.author", .type = MEMBER_OBJECT},
    {.path = NULL}};
static const struct member template_members[] = {
    {.path = "properties.contentId", .type = MEMBER_TEXT, .required = true, .most = 260},
    {.path = "properties.contentKind",
     .type = MEMBER_TEXT,
     .required = true,
     .values = content_kinds},
    {.path = "properties.displayName", .type = MEMBER_TEXT, .required = true, .most = 500},
    {.path = "properties.version", .type = MEMBER_VERSION, .required = true},
    {.path = "properties.packageId", .type = MEMBER_TEXT, .required = true},
    {.path = "properties.packageVersion", .type = MEMBER_VERSION},
    {.path = "properties.mainTemplate", .type = MEMBER_OBJECT},
    {.path = "properties.dependencies", .type = MEMBER_OBJECT},
    {.path = NULL}};

/* Which templates of a package go. */
struct sweep {
    rf_str package;
    rf_str version; /* those of a lower one; empty: all */
};

static bool is_swept(const struct sweep *sweep, const struct json_node *template)
{
    const struct json_node *properties = json_get(template, "properties");
    rf_str version = json_text_at(properties, "packageVersion");
    if (!rf_str_eq_nocase(json_text_at(properties, "packageId"), sweep->package)) return false;
    if (sweep->version.len == 0) return true;
    return version.len > 0 && content_version_cmp(version, sweep->version) < 0;
}

static enum rf_kind sweep_templates(struct arm_call *call, rf_str workspace,
                                    const struct sweep *sweep, struct rf_err *err)
{
    struct rf_arena *arena = call->arena;
    rf_str key = resource_key(arena, workspace);
    rf_str collection = rf_arena_printf(
        arena, "%.*s/providers/microsoft.securityinsights/contenttemplates", RF_FMT(key));
    const struct state_scan scan = {
        .space = "resource", .index = "collection", .value = collection};
    struct state_list found;
    if (key.ptr == NULL || collection.ptr == NULL) return rf_fail_memory(err, arena);
    RF_TRY(state_list(call->txn, &scan, arena, &found, err));
    for (uint32_t i = 0; i < found.count; i++) {
        struct json_node *template;
        RF_TRY(json_parse(found.items[i].body, arena, &template, err));
        if (is_swept(sweep, template)) RF_TRY(arm_delete_in(call, found.items[i].key, NULL, err));
    }
    return RF_OK;
}

enum rf_kind content_put_package(struct arm_call *call, struct arm_resource *resource,
                                 const struct arm_resource *before, struct rf_err *err)
{
    rf_str workspace;
    RF_TRY(content_workspace(call, resource->id, &workspace, err));
    RF_TRY(content_check(resource->body, package_members, err));
    rf_str content = json_text_at(resource->body, "properties.contentId");
    if (before == NULL) return RF_OK;
    rf_str old = json_text_at(before->body, "properties.version");
    if (!rf_str_eq_nocase(json_text_at(before->body, "properties.contentId"), content))
        return RF_FAIL(err, RF_CONFLICT, "Conflict", "The contentId of a package cannot change.");
    const struct sweep sweep = {.package = content,
                                .version = json_text_at(resource->body, "properties.version")};
    if (content_version_cmp(sweep.version, old) <= 0) return RF_OK;
    return sweep_templates(call, workspace, &sweep, err);
}

enum rf_kind content_remove_package(struct arm_call *call, struct arm_resource *resource,
                                    struct rf_err *err)
{
    rf_str workspace;
    const struct sweep sweep = {.package = json_text_at(resource->body, "properties.contentId")};
    if (sweep.package.len == 0) return RF_OK;
    RF_TRY(content_workspace(call, resource->id, &workspace, err));
    return sweep_templates(call, workspace, &sweep, err);
}

enum rf_kind content_put_template(struct arm_call *call, struct arm_resource *resource,
                                  const struct arm_resource *before, struct rf_err *err)
{
    rf_str workspace;
    (void)before;
    RF_TRY(content_workspace(call, resource->id, &workspace, err));
    return content_check(resource->body, template_members, err);
}
