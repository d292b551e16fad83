#include <stdlib.h>

#include "identity/graph_credential_int.h"

/* ---- the built-in resources ------------------------------------------------------------------------------------- */

struct app_role {
    const char *id, *value;
};
/* Application permissions of Microsoft Graph with their real ids: names and ids go into grants that tools write. */
static const struct app_role graph_roles[] = {
    {"741f803b-c850-494e-b5df-cde7c675a1ca", "User.ReadWrite.All"},
    {"df021288-bdef-4463-88db-98f22de89214", "User.Read.All"},
    {"1bfefb4e-e0b5-418b-a88f-73c46d2cc8e9", "Application.ReadWrite.All"},
    {"9a5d68dd-52b0-4cc2-bd40-abcf44ac3a30", "Application.Read.All"},
    {"18a4783c-866b-4cc7-a460-3d5e5662c884", "Application.ReadWrite.OwnedBy"},
    {"62a82d76-70ea-41e2-9197-370581804d09", "Group.ReadWrite.All"},
    {"5b567255-7703-4780-807c-7be8301ae99b", "Group.Read.All"},
    {"dbaae8cf-10b5-4b86-a4a1-f871c94c6695", "GroupMember.ReadWrite.All"},
    {"98830695-27a2-44f7-8c18-0c3ebc9698f6", "GroupMember.Read.All"},
    {"19dbc75e-c2e2-444c-a770-ec69d8559fc7", "Directory.ReadWrite.All"},
    {"7ab1d382-f21e-4acd-a863-ba3e13f7da61", "Directory.Read.All"},
    {"b0afded3-3588-46d8-8b3d-9842eff778da", "AuditLog.Read.All"},
    {"01c0a623-fc9b-48e9-b794-0756f8e8f067", "Policy.ReadWrite.ConditionalAccess"},
    {"246dd0d5-5bd0-4def-940b-0421030a5b68", "Policy.Read.All"},
    {"50483e42-d915-4231-9639-7fdb7fd190e5", "UserAuthenticationMethod.ReadWrite.All"},
    {"38d9df27-64da-44fd-b7c5-a6fbac20248f", "UserAuthenticationMethod.Read.All"},
    {"06b708a9-e830-4db3-a914-8e69da51d44f", "AppRoleAssignment.ReadWrite.All"},
    {"8e8e4742-1d95-4f68-9d56-6ee75648c72a", "DelegatedPermissionGrant.ReadWrite.All"},
    {"498476ce-e0fe-48b0-b801-37ba7e2685c6", "Organization.Read.All"},
    {"dbb9058a-0e50-45d7-ae91-66909b5d4664", "Domain.Read.All"},
    {"9e3f62cf-ca93-4989-b6ce-bf83c28f9fe8", "RoleManagement.ReadWrite.Directory"},
    {"483bed4a-2ad3-4361-a73b-c83ccdbdc53c", "RoleManagement.Read.Directory"},
    {"dc5007c0-2d7d-4c42-879c-2dab87571379", "IdentityRiskyUser.Read.All"},
    {"656f6061-f9fe-4807-9708-6a2e0934df76", "IdentityRiskyUser.ReadWrite.All"},
    {"6e472fd1-ad78-48da-a0f0-97ab2c6b769e", "IdentityRiskEvent.Read.All"},
    {"29c18626-4985-4dcd-85c0-193eef327366", "Policy.ReadWrite.AuthenticationMethod"},
    {"77f3a031-c388-4f99-b373-dc68676a979e", "User.RevokeSessions.All"},
};

struct builtin {
    const char *app_id, *display_name;
    const char *names[4]; /* with https:// in front; the first is the principal's */
    const char *domain;   /* names below it too; NULL */
};
static const struct builtin builtins[] = {
    {"797f4846-ba00-4fd7-ba43-dac1f8f63013",
     "Windows Azure Service Management API",
     {"https://management.azure.com", "https://management.core.windows.net"},
     NULL},
    {"cfa8b339-82a2-471a-a3c9-0fc0be7a4093", "Azure Key Vault", {"https://vault.azure.net"}, NULL},
    {"80369ed6-5f11-4dd9-bef3-692475845e77",
     "Microsoft.EventHubs",
     {"https://eventhubs.azure.net", "https://servicebus.azure.net"},
     "servicebus.windows.net"},
    {"be14bf7e-8ab4-49b0-9dc6-a0eddd6fa73e", "Azure Monitor", {"https://monitor.azure.com"}, NULL},
    {"ca7f3f0b-7d91-482c-8e09-c5d840d0eac5",
     "Log Analytics API",
     {"https://api.loganalytics.io", "https://api.loganalytics.azure.com"},
     "api.loganalytics.io"},
    {"2746ea77-4702-4b45-80ca-3c97e680e8b7",
     "Azure Data Explorer",
     {"https://api.kusto.windows.net", "https://kusto.kusto.windows.net"},
     "kusto.windows.net"},
    {GRAPH_APP_ID, "Microsoft Graph", {"https://graph.microsoft.com"}, NULL},
    /* Metrics queries are their own audience (contracts/monitor-logs); Office 365 management, documents. */
    {"72f988bf-0000-4000-8000-6d6574726963",
     "Azure Monitor Metrics",
     {"https://metrics.monitor.azure.com", "https://prometheus.monitor.azure.com"},
     NULL},
    {"c5393580-f805-4401-95e8-94b7a6ef2fc2",
     "Office 365 Management APIs",
     {"https://manage.office.com"},
     NULL},
    {"a232010e-820c-4083-83bb-3ace5fc29d0b",
     "Azure Cosmos DB",
     {"https://cosmos.azure.com"},
     "documents.azure.com"},
};

const char *graph_role_id(rf_str value)
{
    for (size_t i = 0; i < RF_COUNT(graph_roles); i++)
        if (rf_str_is(value, graph_roles[i].value)) return graph_roles[i].id;
    return NULL;
}

const char *graph_role_name(size_t index)
{
    return index < RF_COUNT(graph_roles) ? graph_roles[index].value : NULL;
}

static struct json_node *roles_json(struct rf_arena *arena, const struct builtin *builtin)
{
    struct json_node *list = json_new(arena, JSON_T_ARRAY);
    if (strcmp(builtin->app_id, GRAPH_APP_ID) != 0) return list;
    for (size_t i = 0; i < RF_COUNT(graph_roles); i++) {
        rf_str value = rf_str_of(graph_roles[i].value);
        struct json_node *role = json_append(list, json_new(arena, JSON_T_OBJECT));
        struct json_node *types = json_new(arena, JSON_T_ARRAY);
        json_append(types, json_new_text(arena, RF_S("Application")));
        if (role != NULL) json_set(arena, role, RF_S("allowedMemberTypes"), types);
        json_set_text(arena, role, "description", value);
        json_set_text(arena, role, "displayName", value);
        json_set_text(arena, role, "id", rf_str_of(graph_roles[i].id));
        json_set_bool(arena, role, "isEnabled", true);
        json_set_text(arena, role, "origin", RF_S("Application"));
        if (json_set_text(arena, role, "value", value) == NULL) return NULL;
    }
    return list;
}

static struct json_node *builtin_json(struct identity *identity, struct rf_arena *arena,
                                      const struct builtin *builtin)
{
    rf_str app_id = rf_str_of(builtin->app_id);
    rf_str now = time_graph(arena, rf_clock_now(identity->options.clock));
    struct json_node *doc = json_new(arena, JSON_T_OBJECT), *names = json_new(arena, JSON_T_ARRAY);
    json_append(names, json_new_text(arena, app_id));
    for (size_t i = 0; i < RF_COUNT(builtin->names) && builtin->names[i] != NULL; i++)
        json_append(names, json_new_text(arena, rf_str_of(builtin->names[i])));
    json_set_text(arena, doc, "id", guid_named(arena, identity->tenant, app_id));
    json_set_text(arena, doc, "appId", app_id);
    json_set_text(arena, doc, "displayName", rf_str_of(builtin->display_name));
    json_set_text(arena, doc, "appDisplayName", rf_str_of(builtin->display_name));
    json_set_text(arena, doc, "servicePrincipalType", RF_S("Application"));
    json_set_text(arena, doc, "appOwnerOrganizationId",
                  RF_S("f8cdef31-a31e-4b4a-93e4-5f571e91255a"));
    json_set_text(arena, doc, "createdDateTime", now);
    json_set_bool(arena, doc, "accountEnabled", true);
    json_set_bool(arena, doc, "appRoleAssignmentRequired", false);
    json_set(arena, doc, RF_S("servicePrincipalNames"), names);
    json_set(arena, doc, RF_S("appRoles"), roles_json(arena, builtin));
    return json_set_bool(arena, doc, "~builtin", true) == NULL ? NULL : doc;
}

enum rf_kind resource_seed(struct identity *identity, struct state_txn *txn, struct rf_arena *arena,
                           struct rf_err *err)
{
    for (size_t i = 0; i < RF_COUNT(builtins); i++) {
        struct json_node *doc = builtin_json(identity, arena, &builtins[i]), *there;
        if (doc == NULL) return rf_fail_memory(err, arena);
        enum rf_kind kind =
            object_get(txn, "servicePrincipal", json_text_at(doc, "id"), arena, &there, err);
        if (kind != RF_OK && kind != RF_NOT_FOUND) return kind;
        if (kind == RF_OK) {
            /* A newer program may know more roles and names; what the tenant has set stays. */
            struct json_node *roles = json_clone(arena, json_get(doc, "appRoles"));
            struct json_node *names = json_clone(arena, json_get(doc, "servicePrincipalNames"));
            if (json_equal(roles, json_get(there, "appRoles")) &&
                json_equal(names, json_get(there, "servicePrincipalNames")))
                continue;
            json_set(arena, there, RF_S("servicePrincipalNames"), names);
            if (json_set(arena, there, RF_S("appRoles"), roles) == NULL)
                return rf_fail_memory(err, arena);
            doc = there;
        }
        RF_TRY(object_put(txn, "servicePrincipal", doc, arena, err));
    }
    return RF_OK;
}

/* ---- names -------------------------------------------------------------------------------------------------------- */

static bool cut_scheme(rf_str name, const char *scheme, rf_str *host)
{
    rf_str prefix = rf_str_of(scheme);
    if (!rf_str_starts(name, prefix)) return false;
    *host = rf_slice(name, prefix.len, name.len);
    return host->len > 0;
}

/* One label or more, a dot, the domain. */
static bool is_below(rf_str host, rf_str domain)
{
    if (domain.len == 0 || host.len < domain.len + 2) return false;
    size_t dot = host.len - domain.len - 1;
    for (size_t i = 0; i < dot; i++)
        if (!rf_is_alnum(host.ptr[i]) && host.ptr[i] != '-' && host.ptr[i] != '.') return false;
    return host.ptr[dot] == '.' && rf_str_eq_nocase(rf_slice(host, dot + 1, host.len), domain);
}

static rf_str without_port(rf_str host)
{
    size_t colon = rf_str_find(host, RF_S(":"), 0);
    return colon == SIZE_MAX ? host : rf_slice(host, 0, colon);
}

/* "WORD.<our domain>", as the SDKs of vaults and hubs make of the host name that they were given. */
static bool is_our_service(const struct identity *identity, rf_str host, const char *word)
{
    rf_str name = without_port(host), prefix = rf_str_of(word);
    size_t len = prefix.len + 1 + identity->domain.len;
    if (identity->domain.len == 0 || name.len < len || !is_below(name, identity->domain))
        return false;
    rf_str front = rf_slice(name, 0, name.len - identity->domain.len - 1);
    return rf_str_eq_nocase(front, prefix) || is_below(front, prefix);
}

static const char *app_id_of_host(const struct identity *identity, rf_str host)
{
    for (size_t i = 0; i < RF_COUNT(builtins); i++)
        if (builtins[i].domain != NULL && is_below(host, rf_str_of(builtins[i].domain)))
            return builtins[i].app_id;
    if (is_our_service(identity, host, "vault")) return "cfa8b339-82a2-471a-a3c9-0fc0be7a4093";
    if (is_our_service(identity, host, "servicebus")) return "80369ed6-5f11-4dd9-bef3-692475845e77";
    /* Clients that were given our address as their endpoint ask for a token for it. */
    if (site_knows_host(identity->options.site, host))
        return "797f4846-ba00-4fd7-ba43-dac1f8f63013";
    return NULL;
}

/* The application that a name stands for by rule; NULL: look in the directory. */
static const char *builtin_app_id(const struct identity *identity, rf_str name)
{
    for (size_t i = 0; i < RF_COUNT(builtins); i++)
        for (size_t k = 0; k < RF_COUNT(builtins[i].names) && builtins[i].names[k] != NULL; k++)
            if (rf_str_eq_nocase(name, rf_str_of(builtins[i].names[k]))) return builtins[i].app_id;
    rf_str host;
    if (cut_scheme(name, "https://", &host)) return app_id_of_host(identity, host);
    if (!cut_scheme(name, "sb://", &host)) return NULL;
    rf_str bare = without_port(host);
    if (is_below(bare, RF_S("servicebus.windows.net")) || rf_str_is(bare, "localhost") ||
        rf_str_eq_nocase(bare, identity->domain) || is_below(bare, identity->domain))
        return "80369ed6-5f11-4dd9-bef3-692475845e77";
    return NULL;
}

/* ---- finding ------------------------------------------------------------------------------------------------------ */

const struct json_node *app_roles_of(const struct json_node *principal,
                                     const struct json_node *application)
{
    return json_get(application != NULL ? application : principal, "appRoles");
}

const struct json_node *app_role_by_id(const struct json_node *roles, rf_str id)
{
    if (!json_is(roles, JSON_T_ARRAY)) return NULL;
    for (const struct json_node *role = roles->first; role != NULL; role = role->next)
        if (rf_str_eq_nocase(json_text_at(role, "id"), id)) return role;
    return NULL;
}

/* The application of ours whose name this is: an identifier URI, an id, or api://<id>. */
static enum rf_kind find_app_id(const struct identity *identity, struct state_txn *txn, rf_str name,
                                struct rf_arena *arena, rf_str *app_id, struct rf_err *err)
{
    struct json_node *doc;
    const char *builtin = builtin_app_id(identity, name);
    if (builtin != NULL) {
        *app_id = rf_str_of(builtin);
        return RF_OK;
    }
    enum rf_kind kind = object_find(txn, "application", "identifierUris", name, arena, &doc, err);
    if (kind != RF_OK && kind != RF_NOT_FOUND) return kind;
    rf_str id;
    if (kind == RF_OK)
        *app_id = json_text_at(doc, "appId");
    else if (guid_is(name))
        *app_id = name;
    else if (cut_scheme(name, "api://", &id) && guid_is(id))
        *app_id = id;
    else
        return kind;
    return RF_OK;
}

static enum rf_kind load(const struct identity *identity, rf_str name, struct rf_arena *arena,
                         struct resource *out, struct rf_err *err)
{
    IDENTITY_TXN txn = NULL;
    RF_TRY(state_begin_read(identity->options.state, &txn, err));
    rf_str app_id;
    struct json_node *principal, *application = NULL;
    RF_TRY(find_app_id(identity, txn, name, arena, &app_id, err));
    RF_TRY(object_find(txn, "servicePrincipal", "appId", app_id, arena, &principal, err));
    enum rf_kind kind = object_find(txn, "application", "appId", app_id, arena, &application, err);
    if (kind != RF_OK && kind != RF_NOT_FOUND) return kind;
    if (!json_bool_at(principal, "accountEnabled", true))
        return RF_FAIL(err, RF_NOT_FOUND, "ObjectNotFound", "the resource is disabled");
    int64_t version = 1;
    (void)json_i64_at(application, "api.requestedAccessTokenVersion", &version);
    *out = (struct resource){
        .id = json_text_at(principal, "id"),
        .app_id = json_text_at(principal, "appId"),
        .display_name = json_text_at(principal, "displayName"),
        .version2 = version == 2,
        .assignment_required = json_bool_at(principal, "appRoleAssignmentRequired", false),
        .roles = app_roles_of(principal, application),
    };
    return RF_OK;
}

static enum rf_kind unknown_resource(const struct identity *identity, rf_str name,
                                     struct rf_err *err)
{
    return RF_FAIL(err, RF_NOT_FOUND, "500011",
                   "The resource principal named %.*s was not found in the tenant named %.*s. This "
                   "can happen if the application has not been installed by the administrator of "
                   "the tenant.",
                   (int)RF_MIN(name.len, 256), (const char *)name.ptr, RF_FMT(identity->tenant));
}

enum { NAME_BYTES_MAX = 512 };
#define KEY_PREFIX "resource "

enum rf_kind resource_find(struct identity *identity, rf_str name, rf_str origin,
                           struct memo_entry **out, struct rf_err *err)
{
    /* One slash at the end is part of the audience, not of the name. */
    rf_str bare = rf_str_ends(name, RF_S("/")) ? rf_slice(name, 0, name.len - 1) : name;
    if (rf_str_eq_nocase(bare, origin)) bare = identity->options.site->origin;
    if (bare.len == 0 || bare.len > NAME_BYTES_MAX) return unknown_resource(identity, name, err);
    uint64_t stamp = directory_stamp(identity);
    uint8_t room[sizeof KEY_PREFIX - 1 + NAME_BYTES_MAX] = KEY_PREFIX;
    memcpy(room + sizeof KEY_PREFIX - 1, bare.ptr, bare.len);
    rf_str key = rf_str_make(room, sizeof KEY_PREFIX - 1 + bare.len);
    *out = memo_find(identity->memo, key, stamp);
    if (*out != NULL) return RF_OK;
    RF_CLEANUP(memo_release) struct memo_entry *entry = memo_entry_new(key, stamp);
    if (entry == NULL) return RF_FAIL(err, RF_LIMIT, "OutOfMemory", "no memory for a resource");
    struct resource *resource = rf_arena_new(&entry->arena, struct resource, 1);
    if (resource == NULL) return rf_fail_memory(err, &entry->arena);
    enum rf_kind kind = load(identity, bare, &entry->arena, resource, err);
    if (kind == RF_NOT_FOUND) return unknown_resource(identity, name, err);
    RF_TRY(kind);
    entry->value = resource;
    memo_add(identity->memo, entry);
    *out = entry;
    entry = NULL;
    return RF_OK;
}

bool resource_is_builtin(const struct identity *identity, rf_str name)
{
    return builtin_app_id(identity, name) != NULL;
}
