/* content_packages.c - packages and their templates as they are installed: what must be there, what an upgrade leaves and
 * what a removal takes along (contracts/content.md 2.6, 2.7). */
#include "base/encode.h"
#include "base/log.h"
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
    {.path = "properties.packagedContent", .type = MEMBER_OBJECT},
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
    /* It is deployed, not kept: what it holds becomes resources of their own. */
    json_remove(json_get(resource->body, "properties"), RF_S("packagedContent"));
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

/* ---- installing ---------------------------------------------------------------------------------------------------------- */

/* A package takes the names of the workspace and of places; others have defaults. */
static bool set_parameters(struct rf_arena *arena, const struct json_node *template,
                           rf_str workspace, rf_str location, struct json_node *out)
{
    const struct json_node *declared = json_get(template, "parameters");
    bool done = true;
    for (const struct json_node *p = declared == NULL ? NULL : declared->first; p != NULL && done;
         p = p->next) {
        rf_str value = {0};
        if (rf_str_eq_nocase(p->name, RF_S("workspace"))) value = workspace;
        if (rf_str_eq_nocase(p->name, RF_S("workspace-location")) ||
            rf_str_eq_nocase(p->name, RF_S("location")))
            value = location;
        if (value.len == 0) continue;
        struct json_node *given = json_new(arena, JSON_T_OBJECT);
        done = json_set_text(arena, given, "value", value) != NULL &&
               json_set(arena, out, p->name, given) != NULL;
    }
    return done;
}

/* The name of a deployment from that of a package: 64 of letters, digits, '-', '_' and '.'. */
static rf_str deployment_name(struct rf_arena *arena, rf_str package)
{
    rf_str name = rf_arena_printf(arena, "install-%.*s", (int)RF_MIN(package.len, (size_t)56),
                                  (const char *)package.ptr);
    uint8_t *text = rf_arena_alloc(arena, name.len);
    if (name.ptr == NULL || text == NULL) return (rf_str){0};
    for (size_t i = 0; i < name.len; i++) {
        uint8_t c = name.ptr[i];
        text[i] = rf_is_alnum(c) || c == '-' || c == '_' || c == '.' ? c : '-';
    }
    if (text[name.len - 1] == '.') text[name.len - 1] = '-';
    return rf_str_make(text, name.len);
}

static enum rf_kind make_deployment(struct arm_call *call, const struct arm_resource *resource,
                                    const struct json_node *template, rf_str *path, rf_str *text,
                                    struct rf_err *err)
{
    struct rf_arena *arena = call->arena;
    struct resource_id workspace;
    struct arm_resource stored;
    rf_str id;
    RF_TRY(content_workspace(call, resource->id, &id, err));
    RF_TRY(resource_id_parse(id, arena, &workspace, err));
    RF_TRY(arm_get(call->arm, call->txn, id, arena, &stored, err));
    struct json_node *body = json_new(arena, JSON_T_OBJECT);
    struct json_node *properties = json_object_in(arena, body, "properties");
    if (properties == NULL) return rf_fail_memory(err, arena);
    struct json_node *parameters = json_object_in(arena, properties, "parameters");
    json_set_text(arena, properties, "mode", RF_S("Incremental"));
    json_set(arena, properties, RF_S("template"), json_clone(arena, template));
    bool done =
        parameters != NULL && set_parameters(arena, template, workspace.name,
                                             json_text_at(stored.body, "location"), parameters);
    rf_str name = deployment_name(arena, resource->name);
    *path = rf_arena_printf(
        arena,
        "/subscriptions/%.*s/resourceGroups/%.*s/providers/Microsoft.Resources/deployments/%.*s",
        RF_FMT(workspace.subscription), RF_FMT(percent_encode(arena, workspace.group)),
        RF_FMT(name));
    *text = json_to_text(arena, body);
    return done && name.ptr != NULL && path->ptr != NULL && text->ptr != NULL
               ? RF_OK
               : rf_fail_memory(err, arena);
}

/* As the caller's own request: what the caller may not write is not installed. */
static enum rf_kind deploy(struct arm_call *call, const struct arm_resource *resource,
                           const struct json_node *template, struct rf_err *err)
{
    const struct request *whole = call->request;
    struct rf_arena *arena = call->arena;
    rf_str path, text, query = RF_S("api-version=2024-03-01");
    RF_TRY(make_deployment(call, resource, template, &path, &text, err));
    struct http_request http = {.method = HTTP_PUT,
                                .path = path,
                                .query = query,
                                .host = whole->http->host,
                                .body = text,
                                .body_sent_bytes = text.len,
                                .peer_address = whole->http->peer_address,
                                .is_loopback = whole->http->is_loopback,
                                .is_tls = true};
    http.target = rf_arena_printf(arena, "%.*s?%.*s", RF_FMT(path), RF_FMT(query));
    if (http.target.ptr == NULL) return rf_fail_memory(err, arena);
    struct http_response response = {.arena = arena, .status = 200, .body = rf_buf_in(arena)};
    struct request part = {.http = &http,
                           .response = &response,
                           .arena = arena,
                           .site = whole->site,
                           .principal = whole->principal,
                           .now = whole->now,
                           .client_request_id = whole->client_request_id,
                           .origin = whole->origin,
                           .gone = whole->gone,
                           .authz = whole->authz,
                           .audit = whole->audit,
                           .dispatcher = whole->dispatcher};
    request_run_part(&part);
    if (!response.failed && response.status < 300) return RF_OK;
    rf_str said = rf_buf_view(&response.body);
    return RF_FAIL(err, RF_INVALID, "InstallFailed", "%.*s", (int)RF_MIN(said.len, (size_t)900),
                   (const char *)said.ptr);
}

void content_package_changed(struct arm_call *call, struct arm_resource *resource)
{
    struct json_node *body;
    struct rf_err err;
    const struct request *request = call->request;
    if (resource->body == NULL || request == NULL || request->principal == NULL ||
        request->dispatcher == NULL || request->http->method != HTTP_PUT)
        return;
    if (json_parse(request->http->body, call->arena, &body, &err) != RF_OK) return;
    const struct json_node *template = json_at(body, "properties.packagedContent");
    /* A write on the way of another request has nothing to install. */
    bool is_own = rf_str_eq_nocase(json_text_at(body, "properties.contentId"),
                                   json_text_at(resource->body, "properties.contentId"));
    if (!json_is(template, JSON_T_OBJECT) || !is_own) return;
    if (deploy(call, resource, template, &err) != RF_OK)
        rf_log(RF_WARN, "content.not_installed", RF_KV_STR("package", resource->id),
               RF_KV_STR("text", rf_str_of(err.text)));
}
