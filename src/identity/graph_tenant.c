#include "identity/graph_policy_int.h"

/* ---- the organisation and its domain ------------------------------------------------------------------------------------------------------------------------------- */

static struct json_node *parsed(struct graph_call *call, rf_str text)
{
    struct json_node *node;
    struct rf_err bad;
    return text.ptr != NULL && json_parse(text, call->arena, &node, &bad) == RF_OK ? node : NULL;
}

static enum rf_kind list_of(struct graph_call *call, const char *context, struct json_node **docs,
                            uint32_t count, struct rf_err *err)
{
    for (uint32_t i = 0; i < count; i++)
        if (docs[i] == NULL) return graph_memory(call, err);
    struct graph_items items = {.docs = docs, .count = count, .context = context};
    return graph_list_items(call, &items, err);
}

/* Names go into JSON texts below: they are our own site's, a GUID and a domain, so nothing in them needs escaping. */
static struct json_node *organization_json(struct graph_call *call)
{
    const struct identity *identity = call->identity;
    return parsed(
        call,
        rf_arena_printf(
            call->arena,
            "{\"id\":\"%.*s\",\"displayName\":\"%.*s\",\"tenantType\":\"AAD\","
            "\"countryLetterCode\":null,\"createdDateTime\":null,\"technicalNotificationMails\":[],"
            "\"securityComplianceNotificationMails\":[],\"businessPhones\":[],\"assignedPlans\":[],"
            "\"provisionedPlans\":[],\"onPremisesSyncEnabled\":null,\"verifiedDomains\":[{"
            "\"capabilities\":\"\",\"isDefault\":true,\"isInitial\":true,\"name\":\"%.*s\","
            "\"type\":\"Managed\"}]}",
            RF_FMT(identity->tenant), RF_FMT(identity->domain), RF_FMT(identity->domain)));
}

static enum rf_kind organizations(struct graph_call *call, struct rf_err *err)
{
    struct json_node *docs[] = {organization_json(call)};
    return list_of(call, "organization", docs, 1, err);
}

static enum rf_kind answer_one(struct graph_call *call, const char *context, struct json_node *doc,
                               struct rf_err *err)
{
    struct json_node *root = json_new(call->arena, JSON_T_OBJECT);
    if (doc == NULL ||
        json_set_text(call->arena, root, "@odata.context", graph_context(call, context)) == NULL)
        return graph_memory(call, err);
    graph_select(call, doc);
    root->last->next = doc->first;
    if (doc->last != NULL) root->last = doc->last;
    root->count += doc->count;
    call->answer = root;
    return RF_OK;
}

static enum rf_kind organization(struct graph_call *call, struct rf_err *err)
{
    if (!rf_str_eq_nocase(call->ids[0], call->identity->tenant))
        return graph_not_found(call->ids[0], err);
    return answer_one(call, "organization/$entity", organization_json(call), err);
}

static struct json_node *domain_json(struct graph_call *call)
{
    return parsed(
        call,
        rf_arena_printf(call->arena,
                        "{\"id\":\"%.*s\",\"authenticationType\":\"Managed\","
                        "\"availabilityStatus\":null,\"isAdminManaged\":true,\"isDefault\":true,"
                        "\"isInitial\":true,\"isRoot\":true,\"isVerified\":true,"
                        "\"supportedServices\":[],\"passwordValidityPeriodInDays\":2147483647,"
                        "\"passwordNotificationWindowInDays\":14,\"state\":null}",
                        RF_FMT(call->identity->domain)));
}

static enum rf_kind domains(struct graph_call *call, struct rf_err *err)
{
    struct json_node *docs[] = {domain_json(call)};
    return list_of(call, "domains", docs, 1, err);
}

static enum rf_kind domain(struct graph_call *call, struct rf_err *err)
{
    if (!rf_str_eq_nocase(call->ids[0], call->identity->domain))
        return graph_not_found(call->ids[0], err);
    return answer_one(call, "domains/$entity", domain_json(call), err);
}

/* ---- directory roles; who has them: graph_role.c -------------------------------------------------------------------------------------------------- */

struct role_template {
    const char *id, *name, *description;
};
static const struct role_template templates[] = {
    {"62e90394-69f5-4237-9190-012177145e10", "Global Administrator",
     "Can manage all aspects of the directory and of the services that use it."},
    {"194ae4cb-b126-40b2-bd5b-6091b380977d", "Security Administrator",
     "Can read security information and reports, and manage the configuration of security."},
    {"5d6b6bb7-de71-4623-b4af-96380a352509", "Security Reader",
     "Can read security information and reports."},
    {"fe930be7-5e62-47db-91af-98c3a49a38b1", "User Administrator",
     "Can manage users and groups, and reset passwords of those without administrative roles."},
    {"9b895d92-2cd3-44c7-9d02-a6ac2d5ea5c3", "Application Administrator",
     "Can create and manage applications and their service principals."},
    {"c4e39bd9-1100-46d3-8c65-fb160da0071f", "Authentication Administrator",
     "Can see, set and reset methods of authentication of users without administrative roles."},
    {"e8611ab8-c189-46e8-94e1-60213ab1f814", "Privileged Role Administrator",
     "Can manage the assignment of roles."},
    {"b1be1c3e-b65d-4f19-8427-f6fa0d97feb9", "Conditional Access Administrator",
     "Can manage conditional access."},
    {"f2ef992c-3afb-46b9-b7cf-a126ee74c451", "Global Reader",
     "Can read what a Global Administrator can, and change nothing."},
    {"4a5d8f65-41da-4de4-8968-e035b65339cf", "Reports Reader", "Can read sign-in and audit logs."},
};

enum role_shape { ROLE_TEMPLATE, ROLE_ACTIVE, ROLE_DEFINITION };

static struct json_node *role_json(struct graph_call *call, const struct role_template *role,
                                   enum role_shape shape)
{
    struct rf_arena *arena = call->arena;
    struct json_node *doc = json_new(arena, JSON_T_OBJECT);
    rf_str id = rf_str_of(role->id);
    json_set_text(arena, doc, "id",
                  shape == ROLE_ACTIVE ? guid_named(arena, call->identity->tenant, id) : id);
    json_set_text(arena, doc, "description", rf_str_of(role->description));
    json_set_text(arena, doc, "displayName", rf_str_of(role->name));
    if (shape == ROLE_ACTIVE) json_set_text(arena, doc, "roleTemplateId", id);
    if (shape == ROLE_DEFINITION) {
        json_set_text(arena, doc, "templateId", id);
        json_set_bool(arena, doc, "isBuiltIn", true);
        json_set_bool(arena, doc, "isEnabled", true);
        struct json_node *scopes = json_new(arena, JSON_T_ARRAY);
        json_append(scopes, json_new_text(arena, RF_S("/")));
        json_set(arena, doc, RF_S("resourceScopes"), scopes);
        return json_set(arena, doc, RF_S("rolePermissions"), json_new(arena, JSON_T_ARRAY)) == NULL
                   ? NULL
                   : doc;
    }
    return json_set(arena, doc, RF_S("deletedDateTime"), json_new(arena, JSON_T_NULL)) == NULL
               ? NULL
               : doc;
}

static enum role_shape shape_of(const struct graph_call *call)
{
    if (strncmp(call->route->path, "directoryRoleTemplates", 22) == 0) return ROLE_TEMPLATE;
    return strncmp(call->route->path, "directoryRoles", 14) == 0 ? ROLE_ACTIVE : ROLE_DEFINITION;
}

static enum rf_kind roles(struct graph_call *call, struct rf_err *err)
{
    static const char *const contexts[] = {"directoryRoleTemplates", "directoryRoles",
                                           "roleManagement/directory/roleDefinitions"};
    struct json_node *docs[RF_COUNT(templates)];
    for (size_t i = 0; i < RF_COUNT(templates); i++)
        docs[i] = role_json(call, &templates[i], shape_of(call));
    return list_of(call, contexts[shape_of(call)], docs, RF_COUNT(templates), err);
}

static enum rf_kind find_role(struct graph_call *call, rf_str asked, enum role_shape shape,
                              struct json_node **out, struct rf_err *err)
{
    rf_str key = asked, by_template = RF_S("roleTemplateId='");
    bool keyed = rf_str_starts(key, by_template) && rf_str_ends(key, RF_S("'"));
    if (keyed) key = rf_slice(key, by_template.len, key.len - 1);
    for (size_t i = 0; i < RF_COUNT(templates); i++) {
        struct json_node *doc = role_json(call, &templates[i], shape);
        if (doc == NULL) return graph_memory(call, err);
        *out = doc;
        rf_str id = keyed ? rf_str_of(templates[i].id) : json_text_at(doc, "id");
        if (rf_str_eq_nocase(key, id)) return RF_OK;
    }
    return graph_not_found(asked, err);
}

enum rf_kind graph_role_definition(struct graph_call *call, rf_str id, struct json_node **out,
                                   struct rf_err *err)
{
    return find_role(call, id, ROLE_DEFINITION, out, err);
}

enum rf_kind graph_role_active(struct graph_call *call, rf_str id, struct json_node **out,
                               struct rf_err *err)
{
    return find_role(call, id, ROLE_ACTIVE, out, err);
}

static enum rf_kind role(struct graph_call *call, struct rf_err *err)
{
    static const char *const contexts[] = {"directoryRoleTemplates/$entity",
                                           "directoryRoles/$entity",
                                           "roleManagement/directory/roleDefinitions/$entity"};
    struct json_node *doc;
    RF_TRY(find_role(call, call->ids[0], shape_of(call), &doc, err));
    return answer_one(call, contexts[shape_of(call)], doc, err);
}

/* ---- routes ---------------------------------------------------------------------------------------------------------------------------------------------------------------- */

#define ORGANIZATION_READ "Organization.Read.All " USER_READ " " APPLICATION_READ
#define DOMAIN_READ "Domain.Read.All " DIRECTORY_READ
#define ROLE_READ "RoleManagement.Read.Directory RoleManagement.ReadWrite.Directory " DIRECTORY_READ
const struct graph_route graph_tenant_routes[] = {
    {HTTP_GET, 0, "organization", ORGANIZATION_READ, organizations, NULL},
    {HTTP_GET, 0, "organization/{}", ORGANIZATION_READ, organization, NULL},
    {HTTP_GET, 0, "domains", DOMAIN_READ, domains, NULL},
    {HTTP_GET, 0, "domains/{}", DOMAIN_READ, domain, NULL},
    {HTTP_GET, 0, "directoryRoleTemplates", ROLE_READ, roles, NULL},
    {HTTP_GET, 0, "directoryRoleTemplates/{}", ROLE_READ, role, NULL},
    {HTTP_GET, 0, "directoryRoles", ROLE_READ, roles, NULL},
    {HTTP_GET, 0, "directoryRoles/{}", ROLE_READ, role, NULL},
    {HTTP_GET, 0, "roleManagement/directory/roleDefinitions", ROLE_READ, roles, NULL},
    {HTTP_GET, 0, "roleManagement/directory/roleDefinitions/{}", ROLE_READ, role, NULL},
    {.path = NULL},
};
