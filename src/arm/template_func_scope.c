/* template_func_scope.c - names of the template, the place it is deployed to, ids of resources, and what resources tell. */
#include "arm/template.h"

#include "base/encode.h"

static struct rf_arena *arena_of(const struct template_call *call)
{
    return call->frame->run->arena;
}

static const struct template_scope *scope_of(const struct template_call *call)
{
    return &call->frame->env->scope;
}

static enum rf_kind give_printed(const struct template_call *call, rf_str text,
                                 struct json_node **out, struct rf_err *err)
{
    if (text.ptr == NULL) return rf_fail_memory(err, arena_of(call));
    return template_give_text(call, text, out, err);
}

/* ---- names ----------------------------------------------------------------------------------------------------------------- */

static enum rf_kind run_parameters(const struct template_call *call, struct json_node **out,
                                   struct rf_err *err)
{
    rf_str name;
    RF_TRY(template_arg_text(call, 0, &name, err));
    return template_parameter(call->frame, name, out, err);
}

static enum rf_kind run_variables(const struct template_call *call, struct json_node **out,
                                  struct rf_err *err)
{
    rf_str name;
    RF_TRY(template_arg_text(call, 0, &name, err));
    return template_variable(call->frame, name, out, err);
}

/* copyIndex([name][, offset]): without a name the loop over resources or outputs, else the innermost. */
static enum rf_kind run_copy_index(const struct template_call *call, struct json_node **out,
                                   struct rf_err *err)
{
    bool named = call->count > 0 && json_is(call->args[0], JSON_T_STRING);
    rf_str name = named ? call->args[0]->text : RF_S("");
    int64_t offset = 0, index;
    if (call->count > (named ? 1u : 0u))
        RF_TRY(template_arg_int(call, named ? 1 : 0, &offset, err));
    const struct template_loop *found = NULL;
    for (const struct template_loop *l = call->frame->loops; l != NULL; l = l->outer) {
        if (named ? rf_str_eq_nocase(l->name, name) : !l->is_inner) {
            found = l;
            break;
        }
    }
    if (found == NULL && !named) found = call->frame->loops;
    if (found == NULL)
        return template_fail(call, err,
                             "the function is not expected at this location: there is "
                             "no copy%s%.*s%s here.",
                             named ? " '" : "", (int)RF_MIN(name.len, 100), (const char *)name.ptr,
                             named ? "'" : "");
    if (__builtin_add_overflow(found->index, offset, &index))
        return template_fail(call, err, "the result does not fit in 64 bits.");
    return template_give_int(call, index, out, err);
}

/* ---- where ------------------------------------------------------------------------------------------------------------------ */

static enum rf_kind run_deployment(const struct template_call *call, struct json_node **out,
                                   struct rf_err *err)
{
    (void)err;
    *out = call->frame->env->deployment;
    return RF_OK;
}

static enum rf_kind run_deployer(const struct template_call *call, struct json_node **out,
                                 struct rf_err *err)
{
    if (call->frame->run->deployer == NULL)
        return template_fail(call, err, "it is not known who deploys.");
    *out = call->frame->run->deployer;
    return RF_OK;
}

static enum rf_kind of_scope(const struct template_call *call, rf_str id, struct json_node **out,
                             struct rf_err *err)
{
    const struct template_world *world = &call->frame->run->world;
    if (world->scope == NULL)
        return template_fail(call, err, "the function is not expected at this location.");
    return world->scope(world->ctx, id, out, err);
}

static enum rf_kind run_resource_group(const struct template_call *call, struct json_node **out,
                                       struct rf_err *err)
{
    if (scope_of(call)->place != TEMPLATE_AT_GROUP)
        return template_fail(call, err,
                             "the function is only expected in deployments to a "
                             "resource group.");
    return of_scope(call, scope_of(call)->id, out, err);
}

static rf_str tenant_of(const struct template_call *call)
{
    return call->frame->run->site->tenant_id;
}

static enum rf_kind run_subscription(const struct template_call *call, struct json_node **out,
                                     struct rf_err *err)
{
    struct rf_arena *arena = arena_of(call);
    rf_str subscription = scope_of(call)->subscription;
    struct json_node *known = NULL, *object = json_new(arena, JSON_T_OBJECT);
    if (subscription.len == 0)
        return template_fail(call, err,
                             "the function is only expected in deployments to a "
                             "subscription or resource group.");
    rf_str id = rf_arena_printf(arena, "/subscriptions/%.*s", RF_FMT(subscription));
    if (id.ptr == NULL) return rf_fail_memory(err, arena);
    RF_TRY(of_scope(call, id, &known, err));
    json_set_text(arena, object, "id", id);
    json_set_text(arena, object, "subscriptionId", subscription);
    json_set_text(arena, object, "tenantId", tenant_of(call));
    if (json_set_text(arena, object, "displayName", json_text_at(known, "displayName")) == NULL)
        return rf_fail_memory(err, arena);
    *out = object;
    return RF_OK;
}

static enum rf_kind run_management_group(const struct template_call *call, struct json_node **out,
                                         struct rf_err *err)
{
    if (scope_of(call)->place != TEMPLATE_AT_MG)
        return template_fail(call, err,
                             "the function is only expected in deployments to a "
                             "management group.");
    return of_scope(call, scope_of(call)->id, out, err);
}

static enum rf_kind run_tenant(const struct template_call *call, struct json_node **out,
                               struct rf_err *err)
{
    struct rf_arena *arena = arena_of(call);
    struct json_node *object = json_new(arena, JSON_T_OBJECT);
    rf_str id = rf_arena_printf(arena, "/tenants/%.*s", RF_FMT(tenant_of(call)));
    if (id.ptr == NULL) return rf_fail_memory(err, arena);
    json_set_text(arena, object, "id", id);
    json_set_text(arena, object, "tenantId", tenant_of(call));
    json_set_text(arena, object, "countryCode", RF_S(""));
    if (json_set_text(arena, object, "displayName", call->frame->run->site->domain) == NULL)
        return rf_fail_memory(err, arena);
    *out = object;
    return RF_OK;
}

/* What clients of this installation use in the place of the addresses of the public cloud. */
static enum rf_kind run_environment(const struct template_call *call, struct json_node **out,
                                    struct rf_err *err)
{
    struct rf_arena *arena = arena_of(call);
    const struct site *site = call->frame->run->site;
    struct json_node *object = json_new(arena, JSON_T_OBJECT);
    rf_str slashed = rf_arena_printf(arena, "%.*s/", RF_FMT(site->origin));
    static const char *const origins[] = {"resourceManager", "gallery", "portal", "graph"};
    if (slashed.ptr == NULL) return rf_fail_memory(err, arena);
    json_set_text(arena, object, "name", RF_S("Ringfort"));
    for (uint32_t i = 0; i < RF_COUNT(origins); i++)
        json_set_text(arena, object, origins[i], slashed);
    json_set_text(arena, object, "graphAudience", slashed);
    struct json_node *authentication = json_object_in(arena, object, "authentication");
    json_set_text(arena, authentication, "loginEndpoint", slashed);
    json_set_text(arena, authentication, "tenant", tenant_of(call));
    json_set_text(arena, authentication, "identityProvider", RF_S("AAD"));
    struct json_node *audiences =
        json_set(arena, authentication, RF_S("audiences"), json_new(arena, JSON_T_ARRAY));
    json_append(audiences, json_new_text(arena, slashed));
    json_append(audiences, json_new_text(arena, RF_S("https://management.azure.com/")));
    struct json_node *suffixes = json_object_in(arena, object, "suffixes");
    json_set_text(arena, suffixes, "storage", RF_S("core.windows.net"));
    json_set_text(arena, suffixes, "keyvaultDns", RF_S(".vault.azure.net"));
    json_set_text(arena, suffixes, "sqlServerHostname", RF_S(".database.windows.net"));
    if (json_set_text(arena, suffixes, "azureFrontDoorEndpointSuffix", RF_S("azurefd.net")) == NULL)
        return rf_fail_memory(err, arena);
    *out = object;
    return RF_OK;
}

/* ---- ids -------------------------------------------------------------------------------------------------------------------- */

/* The id of the type at argument `at` and the names behind it, on `scope`. */
static enum rf_kind id_from(const struct template_call *call, rf_str scope, uint32_t at,
                            struct json_node **out, struct rf_err *err)
{
    rf_str type, part, id;
    struct rf_buf name = rf_buf_in(arena_of(call));
    struct rf_err inner = {0};
    if (at >= call->count)
        return template_fail(call, err,
                             "a resource type is expected, such as "
                             "'Microsoft.Storage/storageAccounts'.");
    RF_TRY(template_arg_text(call, at, &type, err));
    for (uint32_t i = at + 1; i < call->count; i++) {
        RF_TRY(template_arg_text(call, i, &part, err));
        if (i > at + 1) rf_buf_byte(&name, '/');
        rf_buf_str(&name, part);
    }
    if (name.failed) return rf_fail_memory(err, arena_of(call));
    enum rf_kind kind = template_id(arena_of(call), scope, type, rf_buf_view(&name), &id, &inner);
    if (kind == RF_LIMIT) return rf_fail_memory(err, arena_of(call));
    if (kind != RF_OK) return template_fail(call, err, "%s", inner.text);
    return template_give_text(call, id, out, err);
}

static bool is_type(const struct json_node *node)
{
    return json_is(node, JSON_T_STRING) && rf_str_find(node->text, RF_S("/"), 0) != SIZE_MAX;
}

static enum rf_kind run_resource_id(const struct template_call *call, struct json_node **out,
                                    struct rf_err *err)
{
    uint32_t at = 0;
    const struct template_scope *scope = scope_of(call);
    rf_str subscription = scope->subscription, group = scope->group, word = {0}, on = scope->id;
    while (at < call->count && !is_type(call->args[at])) at++;
    if (at == call->count || at > 2)
        return template_fail(call, err,
                             "a fully qualified resource type is expected, such as "
                             "'Microsoft.Storage/storageAccounts', behind at most a "
                             "subscription and a resource group.");
    for (uint32_t i = 0; i < at; i++) {
        RF_TRY(template_arg_text(call, i, &word, err));
        bool is_subscription = at == 2 ? i == 0 : guid_is(word);
        if (is_subscription) {
            if (at == 1 && !rf_str_eq_nocase(word, subscription)) group = (rf_str){0};
            subscription = word;
        } else {
            group = word;
        }
    }
    if (at > 0 && group.len > 0)
        on = rf_arena_printf(arena_of(call), "/subscriptions/%.*s/resourceGroups/%.*s",
                             RF_FMT(subscription), RF_FMT(group));
    else if (at > 0)
        on = rf_arena_printf(arena_of(call), "/subscriptions/%.*s", RF_FMT(subscription));
    if (on.ptr == NULL) return rf_fail_memory(err, arena_of(call));
    return id_from(call, on, at, out, err);
}

static enum rf_kind run_subscription_resource_id(const struct template_call *call,
                                                 struct json_node **out, struct rf_err *err)
{
    rf_str subscription = scope_of(call)->subscription;
    uint32_t at = call->count > 0 && !is_type(call->args[0]) ? 1 : 0;
    if (at == 1) RF_TRY(template_arg_text(call, 0, &subscription, err));
    rf_str on = rf_arena_printf(arena_of(call), "/subscriptions/%.*s", RF_FMT(subscription));
    if (on.ptr == NULL) return rf_fail_memory(err, arena_of(call));
    return id_from(call, on, at, out, err);
}

static enum rf_kind run_tenant_resource_id(const struct template_call *call, struct json_node **out,
                                           struct rf_err *err)
{
    return id_from(call, RF_S("/"), 0, out, err);
}

static enum rf_kind run_management_group_resource_id(const struct template_call *call,
                                                     struct json_node **out, struct rf_err *err)
{
    rf_str group = scope_of(call)->management_group;
    uint32_t at = call->count > 0 && !is_type(call->args[0]) ? 1 : 0;
    if (at == 1) RF_TRY(template_arg_text(call, 0, &group, err));
    rf_str on = rf_arena_printf(
        arena_of(call), "/providers/Microsoft.Management/managementGroups/%.*s", RF_FMT(group));
    if (on.ptr == NULL) return rf_fail_memory(err, arena_of(call));
    return id_from(call, on, at, out, err);
}

static enum rf_kind run_extension_resource_id(const struct template_call *call,
                                              struct json_node **out, struct rf_err *err)
{
    rf_str base;
    RF_TRY(template_arg_text(call, 0, &base, err));
    while (base.len > 0 && base.ptr[base.len - 1] == '/') base = rf_slice(base, 0, base.len - 1);
    return id_from(call, base, 1, out, err);
}

/* ---- what resources tell ------------------------------------------------------------------------------------------------------- */

/* The id and the version of what argument 0 names. */
static enum rf_kind named_resource(const struct template_call *call, rf_str *id, rf_str *version,
                                   struct rf_err *err)
{
    rf_str text;
    RF_TRY(template_arg_text(call, 0, &text, err));
    *version = (rf_str){0};
    const struct template_plan *plan = call->frame->env->plan;
    const struct template_resource *found = plan == NULL ? NULL : template_find(plan, text);
    if (call->count > 1 && call->args[1]->type != JSON_T_NULL)
        RF_TRY(template_arg_text(call, 1, version, err));
    if (version->len == 0 && found != NULL) *version = found->version;
    *id = found != NULL ? found->id : text;
    if (found != NULL || (text.len > 0 && text.ptr[0] == '/')) return RF_OK;
    return template_fail(call, err,
                         "The resource '%.*s' is neither defined in the template nor a resource "
                         "id.",
                         (int)RF_MIN(text.len, 200), (const char *)text.ptr);
}

static bool is_full(const struct template_call *call)
{
    return call->count > 2 && json_is(call->args[2], JSON_T_STRING) &&
           rf_str_eq_nocase(call->args[2]->text, RF_S("full"));
}

static enum rf_kind ask(const struct template_call *call, rf_str id, rf_str version, bool full,
                        struct json_node **out, struct rf_err *err)
{
    const struct template_world *world = &call->frame->run->world;
    struct json_node *document;
    if (world->get == NULL)
        return template_fail(call, err, "the function is not expected at this location.");
    RF_TRY(world->get(world->ctx, id, version, &document, err));
    struct json_node *properties = json_get(document, "properties");
    if (!full && properties == NULL) return template_give_new(call, JSON_T_OBJECT, out, err);
    *out = full ? document : properties;
    return RF_OK;
}

static enum rf_kind run_reference(const struct template_call *call, struct json_node **out,
                                  struct rf_err *err)
{
    rf_str id, version;
    RF_TRY(named_resource(call, &id, &version, err));
    return ask(call, id, version, is_full(call), out, err);
}

/* Every resource of a copy with a symbolic name. */
static enum rf_kind run_references(const struct template_call *call, struct json_node **out,
                                   struct rf_err *err)
{
    rf_str name;
    struct json_node *all, *one;
    const struct template_plan *plan = call->frame->env->plan;
    bool full = call->count > 1 && json_is(call->args[call->count - 1], JSON_T_STRING) &&
                rf_str_eq_nocase(call->args[call->count - 1]->text, RF_S("full"));
    RF_TRY(template_arg_text(call, 0, &name, err));
    RF_TRY(template_give_new(call, JSON_T_ARRAY, &all, err));
    for (uint32_t i = 0; plan != NULL && i < plan->count; i++) {
        const struct template_resource *r = &plan->resources[i];
        bool meant = rf_str_eq(r->symbol, name) || rf_str_eq_nocase(r->loop, name);
        if (!meant || r->is_skipped) continue;
        RF_TRY(ask(call, r->id, r->version, full, &one, err));
        RF_TRY(template_add(call, all, one, err));
    }
    *out = all;
    return RF_OK;
}

static enum rf_kind run_list(const struct template_call *call, struct json_node **out,
                             struct rf_err *err)
{
    rf_str id, version;
    const struct template_world *world = &call->frame->run->world;
    if (world->post == NULL)
        return template_fail(call, err, "the function is not expected at this location.");
    RF_TRY(named_resource(call, &id, &version, err));
    const struct json_node *body = call->count > 2 ? call->args[2] : NULL;
    return world->post(world->ctx, id, call->expr->name, version, body, out, err);
}

static enum rf_kind run_providers(const struct template_call *call, struct json_node **out,
                                  struct rf_err *err)
{
    rf_str ns, type = {0};
    struct json_node *document;
    const struct template_world *world = &call->frame->run->world;
    RF_TRY(template_arg_text(call, 0, &ns, err));
    if (call->count > 1) RF_TRY(template_arg_text(call, 1, &type, err));
    if (world->provider == NULL)
        return template_fail(call, err, "the function is not expected at this location.");
    RF_TRY(world->provider(world->ctx, ns, &document, err));
    *out = document;
    if (call->count == 1) return RF_OK;
    const struct json_node *types = json_get(document, "resourceTypes");
    for (struct json_node *t = types == NULL ? NULL : types->first; t != NULL; t = t->next)
        if (rf_str_eq_nocase(json_text_at(t, "resourceType"), type)) {
            *out = t;
            return RF_OK;
        }
    return template_fail(call, err, "the namespace '%.*s' has no type '%.*s'.",
                         (int)RF_MIN(ns.len, 80), (const char *)ns.ptr, (int)RF_MIN(type.len, 80),
                         (const char *)type.ptr);
}

/* Everything stands in one place here; the names of its zones are those of a region. */
static enum rf_kind run_pick_zones(const struct template_call *call, struct json_node **out,
                                   struct rf_err *err)
{
    static const char *const zones[] = {"1", "2", "3"};
    int64_t count = 1, offset = 0;
    struct json_node *array, *zone;
    for (uint32_t i = 0; i < 3; i++) RF_TRY(template_arg_is(call, i, JSON_T_STRING, err));
    if (call->count > 3) RF_TRY(template_arg_int(call, 3, &count, err));
    if (call->count > 4) RF_TRY(template_arg_int(call, 4, &offset, err));
    if (count < 1 || offset < 0 || offset > 2 || count > 3 - offset)
        return template_fail(call, err, "there are three zones.");
    RF_TRY(template_give_new(call, JSON_T_ARRAY, &array, err));
    for (int64_t i = offset; i < offset + count; i++) {
        RF_TRY(template_give_text(call, rf_str_of(zones[i]), &zone, err));
        RF_TRY(template_add(call, array, zone, err));
    }
    *out = array;
    return RF_OK;
}

static enum rf_kind run_zone(const struct template_call *call, struct json_node **out,
                             struct rf_err *err)
{
    rf_str zone;
    RF_TRY(template_arg_text(call, 2, &zone, err));
    return give_printed(call, zone, out, err);
}

static const struct template_function functions[] = {
    {"parameters", 1, 1, run_parameters, 0},
    {"variables", 1, 1, run_variables, 0},
    {"copyIndex", 0, 2, run_copy_index, 0},
    {"deployment", 0, 0, run_deployment, 0},
    {"deployer", 0, 0, run_deployer, 0},
    {"environment", 0, 0, run_environment, 0},
    {"subscription", 0, 0, run_subscription, 0},
    {"resourceGroup", 0, 0, run_resource_group, 0},
    {"managementGroup", 0, 0, run_management_group, 0},
    {"tenant", 0, 0, run_tenant, 0},
    {"resourceId", 2, TEMPLATE_ARGS_MAX, run_resource_id, 0},
    {"subscriptionResourceId", 2, TEMPLATE_ARGS_MAX, run_subscription_resource_id, 0},
    {"tenantResourceId", 2, TEMPLATE_ARGS_MAX, run_tenant_resource_id, 0},
    {"managementGroupResourceId", 2, TEMPLATE_ARGS_MAX, run_management_group_resource_id, 0},
    {"extensionResourceId", 3, TEMPLATE_ARGS_MAX, run_extension_resource_id, 0},
    {"reference", 1, 3, run_reference, TEMPLATE_RUNTIME},
    {"references", 1, 3, run_references, TEMPLATE_RUNTIME},
    {"list*", 1, 3, run_list, TEMPLATE_RUNTIME},
    {"providers", 1, 2, run_providers, 0},
    {"pickZones", 3, 5, run_pick_zones, 0},
    {"toLogicalZone", 3, 3, run_zone, 0},
    {"toPhysicalZone", 3, 3, run_zone, 0},
};
const struct template_family template_func_scope = {functions, RF_COUNT(functions)};
