/* groups.c - what is asked of a resource group as a whole: its template. */
#include "arm/arm_int.h"

static const char space[] = "resource";

/* ---- exportTemplate -------------------------------------------------------------------------------------------------------- */

/* In a template a text that begins with a bracket is an expression unless the bracket is doubled. Depth is that of a parsed
 * document. */
static bool escape_texts(struct rf_arena *arena, struct json_node *node)
{
    if (node->type == JSON_T_STRING && node->text.len > 0 && node->text.ptr[0] == '[') {
        node->text = rf_arena_printf(arena, "[%.*s", RF_FMT(node->text));
        return node->text.ptr != NULL;
    }
    for (struct json_node *child = node->first; child != NULL; child = child->next)
        if (!escape_texts(arena, child)) return false;
    return true;
}

/* "account/default" for .../storageAccounts/account/blobServices/default: the names behind the scope. */
static rf_str template_name(struct rf_arena *arena, const struct resource_id *id)
{
    struct rf_buf name = rf_buf_in(arena);
    size_t at = (id->scope.len == 1 ? 0 : id->scope.len) + strlen("/providers/") + id->ns.len + 1;
    for (uint32_t word = 0; at < id->text.len; word++) {
        size_t from = at;
        while (at < id->text.len && id->text.ptr[at] != '/') at++;
        if (word % 2 == 1) {
            if (name.len > 0) rf_buf_byte(&name, '/');
            rf_buf_str(&name, rf_slice(id->text, from, at));
        }
        at++;
    }
    if (name.failed) return (rf_str){0};
    return rf_buf_view(&name);
}

static rf_str newest_version(const struct arm_type *type)
{
    rf_str version = RF_S("2021-04-01");
    for (const char *const *v = type->versions; v != NULL && *v != NULL; v++)
        version = rf_str_of(*v);
    return version;
}

static bool put_scope(struct rf_arena *arena, const struct resource_id *id, rf_str group,
                      struct json_node *shown)
{
    if (id->scope.len > group.len) {
        rf_str rest = rf_slice(id->scope, group.len, id->scope.len);
        rf_str word = RF_S("/providers/");
        if (rf_str_starts(rest, word)) rest = rf_slice(rest, word.len, rest.len);
        if (json_set_text(arena, shown, "scope", rest) == NULL) return false;
    }
    if (rf_str_eq(id->parent, group)) return true;
    struct json_node *needs =
        json_set(arena, shown, RF_S("dependsOn"), json_new(arena, JSON_T_ARRAY));
    return json_append(needs, json_new_text(arena, id->parent)) != NULL;
}

static struct json_node *template_resource(struct arm_call *call, const struct arm_target *target,
                                           const struct arm_resource *resource, rf_str group)
{
    static const char *const kept[] = {"location", "tags",  "kind",     "sku",
                                       "plan",     "zones", "identity", "properties"};
    struct rf_arena *arena = call->arena;
    struct json_node *shown = json_new(arena, JSON_T_OBJECT);
    rf_str name = template_name(arena, &target->id);
    json_set_text(arena, shown, "type", target->id.type);
    json_set_text(arena, shown, "apiVersion", newest_version(target->type));
    if (name.ptr == NULL || json_set_text(arena, shown, "name", name) == NULL) return NULL;
    if (!put_scope(arena, &target->id, group, shown)) return NULL;
    for (uint32_t i = 0; i < RF_COUNT(kept); i++) {
        const struct json_node *member = json_get(resource->body, kept[i]);
        if (member == NULL) continue;
        struct json_node *copy = json_clone(arena, member);
        if (copy == NULL || !escape_texts(arena, copy)) return NULL;
        if (json_set(arena, shown, rf_str_of(kept[i]), copy) == NULL) return NULL;
    }
    json_remove(json_get(shown, "properties"), RF_S("provisioningState"));
    return shown;
}

/* Whether the caller wants this one: "*", or its id. */
static bool is_wanted(const struct json_node *wanted, rf_str id)
{
    if (!json_is(wanted, JSON_T_ARRAY)) return true;
    for (const struct json_node *w = wanted->first; w != NULL; w = w->next)
        if (rf_str_is(w->text, "*") || rf_str_eq_nocase(w->text, id)) return true;
    return false;
}

static enum rf_kind export_group(struct arm_call *call, rf_str group,
                                 const struct json_node *wanted, struct json_node *out,
                                 struct rf_err *err)
{
    rf_str key = resource_key(call->arena, group);
    const struct state_scan scan = {.space = space, .index = "group", .value = key};
    struct state_list list;
    if (key.ptr == NULL) return rf_fail_memory(err, call->arena);
    RF_TRY(state_list(call->txn, &scan, call->arena, &list, err));
    for (uint32_t i = 0; i < list.count; i++) {
        struct arm_resource resource;
        struct arm_target target;
        RF_TRY(arm_resource_of(&list.items[i], call->arena, &resource, err));
        RF_TRY(arm_target_of(call->arm, resource.id, call->arena, &target, err));
        if (!is_wanted(wanted, resource.id)) continue;
        rf_str need = rf_arena_printf(call->arena, "%s/read", target.type->name);
        if (!request_may(call->request, need, resource.id, false)) continue;
        RF_TRY(arm_resource_show(call, &target, &resource, err));
        if (json_append(out, template_resource(call, &target, &resource, group)) == NULL)
            return rf_fail_memory(err, call->arena);
    }
    return RF_OK;
}

/* The group of the request, which must be there. */
static enum rf_kind load_group(struct arm_call *call, struct arm_resource *out, struct rf_err *err)
{
    const struct request *request = call->request;
    struct arm_target target;
    rf_str id = rf_arena_printf(call->arena, "/subscriptions/%.*s/resourceGroups/%.*s",
                                RF_FMT(request_variable(request, "subscription")),
                                RF_FMT(request_variable(request, "group")));
    if (id.ptr == NULL) return rf_fail_memory(err, call->arena);
    RF_TRY(arm_target_of(call->arm, id, call->arena, &target, err));
    return arm_resource_load(call, &target, out, err);
}

enum rf_kind arm_run_export_template(struct request *request, struct rf_err *err)
{
    struct rf_arena *arena = request->arena;
    struct json_node *sent, *resources = json_new(arena, JSON_T_ARRAY);
    struct json_node *body = json_new(arena, JSON_T_OBJECT);
    struct arm_resource group;
    struct arm_call call;
    if (resources == NULL || body == NULL) return rf_fail_memory(err, arena);
    RF_TRY(request_json(request, true, &sent, err));
    RF_TRY(arm_call_begin(request->service, request, false, &call, err));
    enum rf_kind kind = load_group(&call, &group, err);
    if (kind == RF_OK)
        kind = export_group(&call, group.id, json_get(sent, "resources"), resources, err);
    arm_end(&call);
    RF_TRY(kind);
    struct json_node *template = json_object_in(arena, body, "template");
    json_set_text(
        arena, template, "$schema",
        RF_S("https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#"));
    json_set_text(arena, template, "contentVersion", RF_S("1.0.0.0"));
    static const char *const empty[] = {"parameters", "variables"};
    for (uint32_t i = 0; i < RF_COUNT(empty); i++)
        json_set(arena, template, rf_str_of(empty[i]), json_new(arena, JSON_T_OBJECT));
    if (json_set(arena, template, RF_S("resources"), resources) == NULL)
        return rf_fail_memory(err, arena);
    arm_record(request, rf_str_of(request->route->action), group.id, 200);
    return request_answer(request, 200, body);
}
