/* providers.c - what the installation is and offers: subscriptions, tenants, locations, resource providers, and the endpoints
 * that clients read before they sign in. */
#include "arm/arm_int.h"

#define READ_SUBSCRIPTION "Microsoft.Resources/subscriptions/read"

static struct json_node *list_of(struct rf_arena *arena, struct json_node **value)
{
    struct json_node *body = json_new(arena, JSON_T_OBJECT);
    *value = json_set(arena, body, RF_S("value"), json_new(arena, JSON_T_ARRAY));
    return body;
}

static enum rf_kind answer(struct request *request, const struct json_node *body, bool done,
                           struct rf_err *err)
{
    return done && body != NULL ? request_answer(request, 200, body)
                                : rf_fail_memory(err, request->arena);
}

static enum rf_kind check_version(struct request *request, struct rf_err *err)
{
    rf_str version;
    RF_TRY(arm_require_version(request, &version, err));
    return arm_types_check_version(&arm_type_subscription, version, err);
}

/* ---- subscriptions, tenants, locations ----------------------------------------------------------------------------------------- */

struct json_node *arm_subscription_document(const struct arm *arm, struct rf_arena *arena)
{
    const struct site *site = arm->options.site;
    struct json_node *body = json_new(arena, JSON_T_OBJECT);
    rf_str id = rf_arena_printf(arena, "/subscriptions/%.*s", RF_FMT(site->subscription_id));
    json_set_text(arena, body, "id", id);
    json_set_text(arena, body, "name", site->subscription_id);
    json_set_text(arena, body, "type", rf_str_of(arm_type_subscription.name));
    struct json_node *policies = NULL;
    if (body != NULL) policies = json_object_in(arena, body, "properties");
    return id.ptr == NULL || policies == NULL ? NULL : body;
}

/* The subscription in the shape that clients know, with the tags that it has been given. */
static enum rf_kind make_subscription(struct request *request, struct json_node **out,
                                      struct rf_err *err)
{
    struct arm *arm = request->service;
    const struct site *site = arm->options.site;
    struct rf_arena *arena = request->arena;
    rf_str id = rf_arena_printf(arena, "/subscriptions/%.*s", RF_FMT(site->subscription_id));
    struct arm_target target;
    struct arm_resource stored;
    struct arm_call call;
    if (id.ptr == NULL) return rf_fail_memory(err, arena);
    RF_TRY(arm_target_of(arm, id, arena, &target, err));
    RF_TRY(arm_call_begin(arm, request, false, &call, err));
    enum rf_kind kind = arm_resource_load(&call, &target, &stored, err);
    arm_end(&call);
    RF_TRY(kind);
    struct json_node *body = json_new(arena, JSON_T_OBJECT);
    json_set_text(arena, body, "id", id);
    json_set_text(arena, body, "authorizationSource", RF_S("RoleBased"));
    json_set(arena, body, RF_S("managedByTenants"), json_new(arena, JSON_T_ARRAY));
    json_set_text(arena, body, "subscriptionId", site->subscription_id);
    json_set_text(arena, body, "tenantId", site->tenant_id);
    json_set_text(arena, body, "displayName", RF_S("Ringfort"));
    if (json_set_text(arena, body, "state", RF_S("Enabled")) == NULL)
        return rf_fail_memory(err, arena);
    struct json_node *policies = json_object_in(arena, body, "subscriptionPolicies");
    json_set_text(arena, policies, "locationPlacementId", RF_S("Internal_2014-09-01"));
    json_set_text(arena, policies, "quotaId", RF_S("Internal_2014-09-01"));
    bool done = json_set_text(arena, policies, "spendingLimit", RF_S("Off")) != NULL;
    const struct json_node *tags = json_get(stored.body, "tags");
    if (tags != NULL) done = done && json_set(arena, body, RF_S("tags"), json_clone(arena, tags));
    *out = body;
    return done ? RF_OK : rf_fail_memory(err, arena);
}

static bool is_of_caller(const struct request *request, rf_str principal_id)
{
    const struct principal *who = request->principal;
    if (rf_str_eq_nocase(principal_id, who->object_id)) return true;
    for (uint32_t i = 0; i < who->group_count; i++)
        if (rf_str_eq_nocase(principal_id, who->groups[i])) return true;
    return false;
}

/* Whether the caller, or a group that it is in, has a role somewhere in the subscription. */
static enum rf_kind has_role_below(struct request *request, rf_str scope, bool *out,
                                   struct rf_err *err)
{
    struct arm_call call;
    struct state_list list = {0};
    rf_str key = resource_key(request->arena, scope);
    rf_str prefix = rf_arena_printf(request->arena, "%.*s/", RF_FMT(key));
    const struct state_scan scan = {.space = "roleAssignment", .prefix = prefix};
    *out = false;
    if (key.ptr == NULL || prefix.ptr == NULL) return rf_fail_memory(err, request->arena);
    RF_TRY(arm_call_begin(request->service, request, false, &call, err));
    enum rf_kind kind = state_list(call.txn, &scan, request->arena, &list, err);
    for (uint32_t i = 0; kind == RF_OK && i < list.count && !*out; i++) {
        struct json_node *body;
        kind = json_parse(list.items[i].body, request->arena, &body, err);
        if (kind == RF_OK)
            *out = is_of_caller(request, json_text_at(body, "properties.principalId"));
    }
    arm_end(&call);
    return kind;
}

/* Whoever has a right on it or on anything in it sees the subscription. */
static enum rf_kind sees_subscription(struct request *request, rf_str scope, bool *out,
                                      struct rf_err *err)
{
    *out = request_may(request, RF_S(READ_SUBSCRIPTION), scope, false);
    return *out ? RF_OK : has_role_below(request, scope, out, err);
}

enum rf_kind arm_run_subscriptions(struct request *request, struct rf_err *err)
{
    struct json_node *list, *body = list_of(request->arena, &list), *subscription;
    RF_TRY(check_version(request, err));
    RF_TRY(make_subscription(request, &subscription, err));
    bool done = list != NULL, sees;
    RF_TRY(sees_subscription(request, json_text_at(subscription, "id"), &sees, err));
    if (done && sees) done = json_append(list, subscription) != NULL;
    struct json_node *count = body == NULL ? NULL : json_object_in(request->arena, body, "count");
    json_set_text(request->arena, count, "type", RF_S("Total"));
    done =
        done && count != NULL && json_set_i64(request->arena, count, "value", list->count) != NULL;
    return answer(request, body, done, err);
}

enum rf_kind arm_run_subscription(struct request *request, struct rf_err *err)
{
    struct json_node *subscription;
    bool sees;
    RF_TRY(check_version(request, err));
    RF_TRY(
        arm_require_subscription(request->service, request_variable(request, "subscription"), err));
    RF_TRY(make_subscription(request, &subscription, err));
    rf_str id = json_text_at(subscription, "id");
    RF_TRY(sees_subscription(request, id, &sees, err));
    if (!sees) return authz_denied(request->principal, RF_S(READ_SUBSCRIPTION), id, err);
    return answer(request, subscription, true, err);
}

enum rf_kind arm_run_locations(struct request *request, struct rf_err *err)
{
    const struct site *site = request->site;
    struct rf_arena *arena = request->arena;
    struct json_node *value, *body = list_of(arena, &value), *place;
    RF_TRY(check_version(request, err));
    rf_str id = rf_arena_printf(arena, "/subscriptions/%.*s/locations/%.*s",
                                RF_FMT(site->subscription_id), RF_FMT(site->location));
    place = json_append(value, json_new(arena, JSON_T_OBJECT));
    json_set_text(arena, place, "id", id);
    json_set_text(arena, place, "name", site->location);
    json_set_text(arena, place, "type", RF_S("Region"));
    json_set_text(arena, place, "displayName", site->location);
    json_set_text(arena, place, "regionalDisplayName", site->location);
    struct json_node *metadata = place == NULL ? NULL : json_object_in(arena, place, "metadata");
    json_set_text(arena, metadata, "regionType", RF_S("Physical"));
    bool done = json_set_text(arena, metadata, "regionCategory", RF_S("Recommended")) != NULL;
    return answer(request, body, done && id.ptr != NULL, err);
}

enum rf_kind arm_run_tenants(struct request *request, struct rf_err *err)
{
    const struct site *site = request->site;
    struct rf_arena *arena = request->arena;
    struct json_node *value, *body = list_of(arena, &value), *tenant;
    RF_TRY(check_version(request, err));
    tenant = json_append(value, json_new(arena, JSON_T_OBJECT));
    rf_str id = rf_arena_printf(arena, "/tenants/%.*s", RF_FMT(site->tenant_id));
    json_set_text(arena, tenant, "id", id);
    json_set_text(arena, tenant, "tenantId", site->tenant_id);
    json_set_text(arena, tenant, "displayName", RF_S("Ringfort"));
    json_set_text(arena, tenant, "defaultDomain", site->domain);
    json_set_text(arena, tenant, "tenantType", RF_S("AAD"));
    json_set_text(arena, tenant, "tenantCategory", RF_S("Home"));
    struct json_node *domains =
        json_set(arena, tenant, RF_S("domains"), json_new(arena, JSON_T_ARRAY));
    bool done = json_append(domains, json_new_text(arena, site->domain)) != NULL;
    return answer(request, body, done && id.ptr != NULL, err);
}

/* ---- management groups: the root, which is named as the tenant, is there from the start ------------------------------------ */

#define MANAGEMENT_GROUPS "/providers/Microsoft.Management/managementGroups"

static struct json_node *root_group(const struct arm_call *call)
{
    struct rf_arena *arena = call->arena;
    rf_str tenant = call->arm->options.site->tenant_id;
    struct json_node *body = json_new(arena, JSON_T_OBJECT);
    rf_str id = rf_arena_printf(arena, MANAGEMENT_GROUPS "/%.*s", RF_FMT(tenant));
    json_set_text(arena, body, "id", id);
    json_set_text(arena, body, "name", tenant);
    if (json_set_text(arena, body, "type", RF_S("Microsoft.Management/managementGroups")) == NULL)
        return NULL;
    struct json_node *properties = json_object_in(arena, body, "properties");
    json_set_text(arena, properties, "tenantId", tenant);
    bool done = json_set_text(arena, properties, "displayName", RF_S("Tenant Root Group")) != NULL;
    return done && id.ptr != NULL ? body : NULL;
}

static enum rf_kind get_root_group(struct arm_call *call, rf_str id, struct json_node **body,
                                   struct rf_err *err)
{
    struct json_node *root = root_group(call);
    if (root == NULL) return rf_fail_memory(err, call->arena);
    if (!rf_str_eq_nocase(id, json_text_at(root, "id")))
        return RF_FAIL(err, RF_NOT_FOUND, "ResourceNotFound",
                       "The management group '%.*s' was not found.", RF_FMT(id));
    *body = root;
    return RF_OK;
}

static enum rf_kind list_root_group(struct arm_call *call, rf_str parent_id, struct json_node *out,
                                    struct rf_err *err)
{
    (void)parent_id;
    struct json_node *root = root_group(call);
    if (root == NULL) return rf_fail_memory(err, call->arena);
    for (const struct json_node *group = out->first; group != NULL; group = group->next)
        if (rf_str_eq_nocase(json_text_at(group, "id"), json_text_at(root, "id"))) return RF_OK;
    return json_append(out, root) == NULL ? rf_fail_memory(err, call->arena) : RF_OK;
}

static const char *const group_versions[] = {"2018-03-01-preview", "2020-05-01", "2021-04-01",
                                             "2023-04-01", NULL};
const struct arm_type arm_type_management_group = {.name = "Microsoft.Management/managementGroups",
                                                   .versions = group_versions,
                                                   .virtual_get = get_root_group,
                                                   .virtual_list = list_root_group};

/* ---- providers --------------------------------------------------------------------------------------------------------------------- */

static bool is_of(const struct arm_type *type, rf_str ns)
{
    rf_str name = rf_str_of(type->name);
    return name.len > ns.len && name.ptr[ns.len] == '/' &&
           rf_str_eq_nocase(rf_slice(name, 0, ns.len), ns);
}

/* Newest first, as Azure lists them. */
static bool put_versions(struct rf_arena *arena, const struct arm_type *type,
                         struct json_node *shown)
{
    struct json_node *versions =
        json_set(arena, shown, RF_S("apiVersions"), json_new(arena, JSON_T_ARRAY));
    uint32_t count = 0;
    while (type->versions != NULL && type->versions[count] != NULL) count++;
    for (uint32_t i = count; i > 0; i--)
        if (json_append(versions, json_new_text(arena, rf_str_of(type->versions[i - 1]))) == NULL)
            return false;
    return versions != NULL;
}

static bool put_type(struct request *request, const struct arm_type *type, struct json_node *types)
{
    struct rf_arena *arena = request->arena;
    struct json_node *shown = json_append(types, json_new(arena, JSON_T_OBJECT));
    bool tracked = (type->flags & ARM_TRACKED) != 0;
    json_set_text(arena, shown, "resourceType", rf_str_of(strchr(type->name, '/') + 1));
    struct json_node *places =
        json_set(arena, shown, RF_S("locations"), json_new(arena, JSON_T_ARRAY));
    if (tracked) json_append(places, json_new_text(arena, request->site->location));
    bool done = shown != NULL && put_versions(arena, type, shown);
    if (rf_str_find(request_parameter(request, "$expand", NULL), RF_S("aliases"), 0) != SIZE_MAX)
        json_set(arena, shown, RF_S("aliases"), json_new(arena, JSON_T_ARRAY));
    rf_str capabilities = tracked ? RF_S("CrossResourceGroupResourceMove, "
                                         "SupportsTags, SupportsLocation")
                          : (type->flags & ARM_EXTENSION) != 0 ? RF_S("SupportsExtension")
                                                               : RF_S("None");
    return done && json_set_text(arena, shown, "capabilities", capabilities) != NULL;
}

static bool put_types(struct request *request, rf_str ns, struct json_node *types)
{
    const struct arm *arm = request->service;
    for (uint32_t i = 0; i < arm->type_count; i++)
        if (is_of(arm->types[i], ns) && !put_type(request, arm->types[i], types)) return false;
    return types != NULL;
}

static struct json_node *make_provider(struct request *request, rf_str ns)
{
    struct rf_arena *arena = request->arena;
    struct json_node *body = json_new(arena, JSON_T_OBJECT);
    rf_str subscription = request_variable(request, "subscription");
    rf_str id = subscription.len == 0 ? rf_arena_printf(arena, "/providers/%.*s", RF_FMT(ns))
                                      : rf_arena_printf(arena, "/subscriptions/%.*s/providers/%.*s",
                                                        RF_FMT(subscription), RF_FMT(ns));
    json_set_text(arena, body, "id", id);
    json_set_text(arena, body, "namespace", ns);
    json_set_text(arena, body, "registrationPolicy", RF_S("RegistrationRequired"));
    json_set_text(arena, body, "registrationState", RF_S("Registered"));
    struct json_node *types =
        json_set(arena, body, RF_S("resourceTypes"), json_new(arena, JSON_T_ARRAY));
    return id.ptr != NULL && put_types(request, ns, types) ? body : NULL;
}

enum rf_kind arm_run_providers(struct request *request, struct rf_err *err)
{
    struct json_node *value, *body = list_of(request->arena, &value);
    bool done = value != NULL;
    rf_str ns;
    RF_TRY(check_version(request, err));
    for (uint32_t at = 0; done && arm_types_next_namespace(request->service, &at, &ns);)
        done = json_append(value, make_provider(request, ns)) != NULL;
    return answer(request, body, done, err);
}

static enum rf_kind find_namespace(struct request *request, rf_str *ns, struct rf_err *err)
{
    rf_str asked = request_variable(request, "namespace");
    RF_TRY(check_version(request, err));
    if (arm_types_namespace(request->service, asked, ns)) return RF_OK;
    return RF_FAIL(err, RF_NOT_FOUND, "InvalidResourceNamespace",
                   "The resource namespace '%.*s' is invalid.", (int)RF_MIN(asked.len, 100),
                   (const char *)asked.ptr);
}

/* Also what registering answers: every provider is registered from the start and stays so. */
enum rf_kind arm_run_provider(struct request *request, struct rf_err *err)
{
    rf_str ns;
    RF_TRY(find_namespace(request, &ns, err));
    return answer(request, make_provider(request, ns), true, err);
}

enum rf_kind arm_run_resource_types(struct request *request, struct rf_err *err)
{
    struct json_node *value, *body = list_of(request->arena, &value);
    rf_str ns;
    RF_TRY(find_namespace(request, &ns, err));
    return answer(request, body, put_types(request, ns, value), err);
}

/* ---- endpoints ------------------------------------------------------------------------------------------------------------------------ */

enum rf_kind arm_run_endpoints(struct request *request, struct rf_err *err)
{
    struct rf_arena *arena = request->arena;
    rf_str origin = request->origin;
    struct json_node *body = json_new(arena, JSON_T_OBJECT);
    static const char *const at_origin[] = {
        "portal",          "portalEndpoint",  "graph",   "graphEndpoint",
        "resourceManager", "galleryEndpoint", "gallery", "microsoftGraphResourceId"};
    static const char *const audiences[] = {"https://management.core.windows.net/",
                                            "https://management.azure.com/"};
    if (body == NULL) return rf_fail_memory(err, arena);
    json_set_text(arena, body, "name", RF_S("Ringfort"));
    for (uint32_t i = 0; i < RF_COUNT(at_origin); i++)
        json_set_text(arena, body, at_origin[i], origin);
    json_set_text(arena, body, "graphAudience", RF_S("https://graph.microsoft.com/"));
    json_set_text(arena, body, "logAnalyticsResourceId", RF_S("https://api.loganalytics.io"));
    struct json_node *sign_in = json_object_in(arena, body, "authentication");
    rf_str login = rf_arena_printf(arena, "%.*s/", RF_FMT(origin));
    json_set_text(arena, sign_in, "loginEndpoint", login);
    struct json_node *list =
        json_set(arena, sign_in, RF_S("audiences"), json_new(arena, JSON_T_ARRAY));
    for (uint32_t i = 0; i < RF_COUNT(audiences); i++)
        json_append(list, json_new_text(arena, rf_str_of(audiences[i])));
    json_set_text(arena, sign_in, "tenant", RF_S("common"));
    json_set_text(arena, sign_in, "identityProvider", RF_S("AAD"));
    struct json_node *suffixes = json_object_in(arena, body, "suffixes");
    rf_str domain = request->site->domain;
    rf_str storage = rf_arena_printf(arena, "core.%.*s", RF_FMT(domain));
    rf_str vault = rf_arena_printf(arena, "vault.%.*s", RF_FMT(domain));
    json_set_text(arena, suffixes, "storage", storage);
    bool done = json_set_text(arena, suffixes, "keyVaultDns", vault) != NULL;
    done = done && login.ptr != NULL && storage.ptr != NULL && vault.ptr != NULL;
    return answer(request, body, done, err);
}
