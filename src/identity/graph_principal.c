#include "identity/graph_credential_int.h"

/* ---- service principals ---------------------------------------------------------------------------------------------------------------- */

static const struct graph_property properties[] = {
    {"id", P_TEXT, P_READ_ONLY},
    {"appId", P_TEXT, P_REQUIRED | P_FIXED},
    {"createdDateTime", P_TEXT, P_READ_ONLY},
    {"deletedDateTime", P_TEXT, P_READ_ONLY},
    {"appDisplayName", P_TEXT, P_READ_ONLY},
    {"appDescription", P_TEXT, P_READ_ONLY},
    {"appOwnerOrganizationId", P_TEXT, P_READ_ONLY},
    {"servicePrincipalType", P_TEXT, P_READ_ONLY},
    {"signInAudience", P_TEXT, P_READ_ONLY},
    {"appRoles", P_OBJECTS, P_READ_ONLY},
    {"oauth2PermissionScopes", P_OBJECTS, P_READ_ONLY},
    {"servicePrincipalNames", P_TEXTS, P_READ_ONLY},
    {"replyUrls", P_TEXTS, P_READ_ONLY},
    {"verifiedPublisher", P_OBJECT, P_READ_ONLY},
    {"disabledByMicrosoftStatus", P_TEXT, P_READ_ONLY},
    {"displayName", P_TEXT, 0},
    {"accountEnabled", P_TRUTH, 0},
    {"alternativeNames", P_TEXTS, 0},
    {"appRoleAssignmentRequired", P_TRUTH, 0},
    {"description", P_TEXT, 0},
    {"homepage", P_TEXT, 0},
    {"loginUrl", P_TEXT, 0},
    {"logoutUrl", P_TEXT, 0},
    {"notes", P_TEXT, 0},
    {"notificationEmailAddresses", P_TEXTS, 0},
    {"preferredSingleSignOnMode", P_TEXT, 0},
    {"samlSingleSignOnSettings", P_OBJECT, 0},
    {"tags", P_TEXTS, 0},
    {"addIns", P_OBJECTS, 0},
    {"info", P_OBJECT, 0},
    {"customSecurityAttributes", P_OBJECT, 0},
    {"keyCredentials", P_OBJECTS, 0},
    {"passwordCredentials", P_OBJECTS, 0},
};

static struct json_node *text_list(struct graph_call *call, rf_str first,
                                   const struct json_node *more)
{
    struct json_node *list = json_new(call->arena, JSON_T_ARRAY);
    if (list == NULL) return NULL;
    json_append(list, json_new_text(call->arena, first));
    for (const struct json_node *t = json_is(more, JSON_T_ARRAY) ? more->first : NULL; t != NULL;
         t = t->next)
        json_append(list, json_new_text(call->arena, t->text));
    return list;
}

enum rf_kind principal_follow(struct graph_call *call, struct json_node *principal,
                              const struct json_node *application, struct rf_err *err)
{
    rf_str name = json_text_at(application, "displayName");
    struct json_node *names = text_list(call, json_text_at(application, "appId"),
                                        json_get(application, "identifierUris"));
    json_set(call->arena, principal, RF_S("servicePrincipalNames"), names);
    json_set_text(call->arena, principal, "displayName", name);
    return json_set_text(call->arena, principal, "appDisplayName", name) == NULL
               ? graph_memory(call, err)
               : RF_OK;
}

static enum rf_kind create(struct graph_call *call, struct json_node *doc, struct rf_err *err)
{
    struct json_node *application;
    rf_str app_id = json_text_at(doc, "appId");
    enum rf_kind kind =
        object_find(call->txn, "application", "appId", app_id, call->arena, &application, err);
    RF_TRY(graph_unique(call, "servicePrincipal", "appId", app_id, json_text_at(doc, "id"), err));
    if (kind == RF_NOT_FOUND)
        return graph_bad(err,
                         "The appId '%.*s' of the service principal does not reference a valid "
                         "application object.",
                         (int)RF_MIN(app_id.len, 64), (const char *)app_id.ptr);
    RF_TRY(kind);
    rf_str wanted = json_text_at(doc, "displayName");
    json_set_text(call->arena, doc, "appId", json_text_at(application, "appId"));
    json_set_text(call->arena, doc, "servicePrincipalType", RF_S("Application"));
    json_set_text(call->arena, doc, "appOwnerOrganizationId", call->identity->tenant);
    json_set_text(call->arena, doc, "signInAudience", json_text_at(application, "signInAudience"));
    if (json_get(doc, "accountEnabled") == NULL)
        json_set_bool(call->arena, doc, "accountEnabled", true);
    if (json_get(doc, "appRoleAssignmentRequired") == NULL)
        json_set_bool(call->arena, doc, "appRoleAssignmentRequired", false);
    if (json_get(doc, "tags") == NULL)
        json_set(call->arena, doc, RF_S("tags"), json_new(call->arena, JSON_T_ARRAY));
    if (json_get(doc, "alternativeNames") == NULL)
        json_set(call->arena, doc, RF_S("alternativeNames"), json_new(call->arena, JSON_T_ARRAY));
    RF_TRY(principal_follow(call, doc, application, err));
    if (wanted.len > 0 && json_set_text(call->arena, doc, "displayName", wanted) == NULL)
        return graph_memory(call, err);
    return RF_OK;
}

static enum rf_kind put(struct graph_call *call, struct json_node *doc,
                        const struct json_node *before, struct rf_err *err)
{
    if (before == NULL) RF_TRY(create(call, doc, err));
    if (json_bool_at(doc, "~builtin", false) &&
        (json_get(doc, "keyCredentials") != NULL || json_get(doc, "passwordCredentials") != NULL))
        return graph_bad(err, "A built-in service principal has no credentials.");
    bool enabled = json_bool_at(doc, "accountEnabled", true);
    RF_TRY(credentials_put(call, &graph_service_principal, doc, before, err));
    if (before != NULL && json_bool_at(before, "accountEnabled", true) != enabled)
        graph_change(call, &(struct trail_change){.operation = enabled ? "Enable account"
                                                                       : "Disable account",
                                                  .verb = "Update",
                                                  .service = "Core Directory",
                                                  .category = "ApplicationManagement",
                                                  .type = "ServicePrincipal",
                                                  .target = doc,
                                                  .before = before,
                                                  .after = doc});
    return RF_OK;
}

static enum rf_kind refuse_builtin(struct graph_call *call, const struct json_node *doc,
                                   struct rf_err *err)
{
    (void)call;
    if (!json_bool_at(doc, "~builtin", false)) return RF_OK;
    return graph_bad(err, "A built-in service principal cannot be deleted.");
}

/* What its application says is shown on the principal too. */
static enum rf_kind show(struct graph_call *call, struct json_node *shown, struct rf_err *err)
{
    struct json_node *application;
    struct rf_arena *arena = call->arena;
    static const char *const lists[] = {"appRoles", "oauth2PermissionScopes", "replyUrls",
                                        "keyCredentials", "passwordCredentials"};
    enum rf_kind kind = object_find(call->txn, "application", "appId", json_text_at(shown, "appId"),
                                    arena, &application, err);
    if (kind != RF_OK && kind != RF_NOT_FOUND) return kind;
    if (kind == RF_OK) {
        json_set(arena, shown, RF_S("appRoles"),
                 json_clone(arena, json_get(application, "appRoles")));
        json_set(arena, shown, RF_S("oauth2PermissionScopes"),
                 json_clone(arena, json_at(application, "api.oauth2PermissionScopes")));
        json_set(arena, shown, RF_S("replyUrls"),
                 json_clone(arena, json_at(application, "web.redirectUris")));
    }
    for (size_t i = 0; i < RF_COUNT(lists); i++)
        if (json_get(shown, lists[i]) == NULL &&
            json_set(arena, shown, rf_str_of(lists[i]), json_new(arena, JSON_T_ARRAY)) == NULL)
            return graph_memory(call, err);
    return RF_OK;
}

static enum rf_kind assignments_by(struct graph_call *call, const char *member, rf_str id,
                                   struct graph_items *out, struct rf_err *err)
{
    struct object_list list;
    RF_TRY(object_list(call->txn, "appRoleAssignment", member, id, call->arena, &list, err));
    *out = (struct graph_items){
        .docs = list.items, .count = list.count, .context = "appRoleAssignments"};
    return RF_OK;
}

static enum rf_kind expand(struct graph_call *call, struct json_node *shown, rf_str name,
                           struct rf_err *err)
{
    struct graph_items items;
    rf_str id = json_text_at(shown, "id");
    if (rf_str_is(name, "appRoleAssignments")) {
        RF_TRY(assignments_by(call, "principalId", id, &items, err));
        return graph_expand_items(call, shown, "appRoleAssignments", &items, err);
    }
    if (rf_str_is(name, "appRoleAssignedTo")) {
        RF_TRY(assignments_by(call, "resourceId", id, &items, err));
        return graph_expand_items(call, shown, "appRoleAssignedTo", &items, err);
    }
    if (rf_str_is(name, "owners")) {
        RF_TRY(graph_link_items(call, "owner", id, (rf_str){0}, &items, err));
        return graph_expand_items(call, shown, "owners", &items, err);
    }
    if (!rf_str_is(name, "memberOf")) return RF_NOT_FOUND;
    RF_TRY(graph_link_items(call, "member", (rf_str){0}, id, &items, err));
    return graph_expand_items(call, shown, "memberOf", &items, err);
}

const struct graph_entity graph_service_principal = {
    .space = "servicePrincipal",
    .set = "servicePrincipals",
    .type = "servicePrincipal",
    .properties = properties,
    .property_count = RF_COUNT(properties),
    .alternate = "appId",
    .trail_type = "ServicePrincipal",
    .trail_category = "ApplicationManagement",
    .trail_service = "Core Directory",
    .added = "Add service principal",
    .updated = "Update service principal",
    .deleted = "Remove service principal",
    .put = put,
    .remove = refuse_builtin,
    .show = show,
    .expand = expand,
};

/* ---- app role assignments ------------------------------------------------------------------------------------------------------------------ */

/* What an assignment stands on: the principal whose route it is, or the resource (appRoleAssignedTo). */
static bool is_by_resource(const struct graph_call *call)
{
    return strstr(call->route->path, "appRoleAssignedTo") != NULL;
}

static enum rf_kind owner_of_route(struct graph_call *call, struct json_node **out,
                                   struct rf_err *err)
{
    return graph_entity_find(call, call->route->entity, 0, out, err);
}

enum rf_kind graph_assignments_list(struct graph_call *call, struct rf_err *err)
{
    struct json_node *owner;
    struct graph_items items;
    RF_TRY(owner_of_route(call, &owner, err));
    RF_TRY(assignments_by(call, is_by_resource(call) ? "resourceId" : "principalId",
                          json_text_at(owner, "id"), &items, err));
    return graph_list_items(call, &items, err);
}

/* Public rules read what was granted to whom out of these properties. */
static struct json_node *assignment_trail(struct graph_call *call, const struct json_node *doc,
                                          const struct json_node *role,
                                          const struct json_node *principal)
{
    struct json_node *trail = json_new(call->arena, JSON_T_OBJECT);
    json_set_text(call->arena, trail, "AppRole.Id", json_text_at(doc, "appRoleId"));
    json_set_text(call->arena, trail, "AppRole.Value", json_text_at(role, "value"));
    json_set_text(call->arena, trail, "AppRole.DisplayName", json_text_at(role, "displayName"));
    json_set_text(call->arena, trail, "AppRoleAssignment.CreatedDateTime",
                  json_text_at(doc, "createdDateTime"));
    json_set_text(call->arena, trail, "ServicePrincipal.ObjectID", json_text_at(principal, "id"));
    json_set_text(call->arena, trail, "ServicePrincipal.DisplayName",
                  json_text_at(principal, "displayName"));
    json_set_text(call->arena, trail, "ServicePrincipal.AppId", json_text_at(principal, "appId"));
    return trail;
}

static void note_assignment(struct graph_call *call, const struct graph_entity *kind, bool added,
                            const struct json_node *resource, const struct json_node *principal,
                            const struct json_node *trail)
{
    const char *operation = added ? "Add app role assignment to service principal"
                                  : "Remove app role assignment from service principal";
    if (kind == &graph_user)
        operation = added ? "Add app role assignment grant to user"
                          : "Remove app role assignment from user";
    if (kind == &graph_group)
        operation =
            added ? "Add app role assignment to group" : "Remove app role assignment from group";
    graph_change(call, &(struct trail_change){.operation = operation,
                                              .verb = added ? "Assign" : "Unassign",
                                              .service = "Core Directory",
                                              .category = kind == &graph_user ? "UserManagement"
                                                          : kind == &graph_group
                                                              ? "GroupManagement"
                                                              : "ApplicationManagement",
                                              .type = "ServicePrincipal",
                                              .target = resource,
                                              .before = added ? NULL : trail,
                                              .after = added ? trail : NULL,
                                              .other = principal,
                                              .other_type = kind->trail_type});
}

static enum rf_kind find_role(struct graph_call *call, const struct json_node *resource,
                              rf_str role_id, const struct graph_entity *kind,
                              const struct json_node **role, struct rf_err *err)
{
    struct json_node *application = NULL;
    enum rf_kind found =
        object_find(call->txn, "application", "appId", json_text_at(resource, "appId"), call->arena,
                    &application, err);
    if (found != RF_OK && found != RF_NOT_FOUND) return found;
    *role = NULL;
    const struct json_node *roles = app_roles_of(resource, application);
    /* The role of all zeros is access without a role, for resources that define none. */
    if (rf_str_is(role_id, "00000000-0000-0000-0000-000000000000")) {
        if (!json_is(roles, JSON_T_ARRAY) || roles->count == 0) return RF_OK;
    }
    *role = app_role_by_id(roles, role_id);
    const char *member = kind == &graph_service_principal ? "Application" : "User";
    const struct json_node *types = json_get(*role, "allowedMemberTypes");
    bool allowed = false;
    for (const struct json_node *t = types == NULL ? NULL : types->first; t != NULL; t = t->next)
        allowed |= rf_str_is(t->text, member);
    if (*role == NULL)
        return graph_bad(err, "Permission being assigned was not found on application '%.*s'",
                         RF_FMT(json_text_at(resource, "appId")));
    if (!allowed || !json_bool_at(*role, "isEnabled", true))
        return graph_bad(err, "The app role cannot be assigned to a principal of this type.");
    return RF_OK;
}

static enum rf_kind refuse_twice(struct graph_call *call, const struct json_node *doc,
                                 struct rf_err *err)
{
    struct graph_items there;
    RF_TRY(assignments_by(call, "principalId", json_text_at(doc, "principalId"), &there, err));
    for (uint32_t i = 0; i < there.count; i++)
        if (rf_str_eq(json_text_at(there.docs[i], "resourceId"), json_text_at(doc, "resourceId")) &&
            rf_str_eq_nocase(json_text_at(there.docs[i], "appRoleId"),
                             json_text_at(doc, "appRoleId")))
            return graph_bad(err, "Permission being assigned already exists on the object");
    return RF_OK;
}

/* Only somebody who may write the directory may hand out rights to Graph itself: else the right to write applications would
 * be the right to everything. */
static enum rf_kind check_grantor(struct graph_call *call, const struct json_node *resource,
                                  struct rf_err *err)
{
    const struct principal *who = call->request->principal;
    if (!rf_str_is(json_text_at(resource, "appId"), GRAPH_APP_ID) ||
        principal_has_role(who, "AppRoleAssignment.ReadWrite.All") ||
        principal_has_role(who, "Directory.ReadWrite.All"))
        return RF_OK;
    return request_fail(call->request, err, 403, "Authorization_RequestDenied",
                        "Insufficient privileges to complete the operation.");
}

enum rf_kind graph_assignments_add(struct graph_call *call, struct rf_err *err)
{
    struct json_node *owner, *principal, *resource;
    const struct graph_entity *kind, *resource_kind;
    const struct json_node *role;
    rf_str principal_id, resource_id, role_id;
    RF_TRY(owner_of_route(call, &owner, err));
    RF_TRY(graph_text(call->body, "principalId", 64, &principal_id, err));
    RF_TRY(graph_text(call->body, "resourceId", 64, &resource_id, err));
    RF_TRY(graph_text(call->body, "appRoleId", 64, &role_id, err));
    if (!rf_str_eq_nocase(json_text_at(owner, "id"),
                          is_by_resource(call) ? resource_id : principal_id))
        return graph_bad(err, "The ids in the path and in the body are not the same.");
    RF_TRY(graph_object(call, principal_id, &kind, &principal, err));
    RF_TRY(graph_object(call, resource_id, &resource_kind, &resource, err));
    if (resource_kind != &graph_service_principal || kind == &graph_application)
        return graph_bad(err, "The resource is no service principal.");
    RF_TRY(check_grantor(call, resource, err));
    RF_TRY(find_role(call, resource, role_id, kind, &role, err));
    struct rf_arena *arena = call->arena;
    struct json_node *doc = json_new(arena, JSON_T_OBJECT);
    rf_str type = rf_str_of(kind == &graph_user    ? "User"
                            : kind == &graph_group ? "Group"
                                                   : "ServicePrincipal");
    json_set_text(arena, doc, "id", guid_random(arena));
    json_set(arena, doc, RF_S("deletedDateTime"), json_new(arena, JSON_T_NULL));
    json_set_text(arena, doc, "appRoleId", text_lower(arena, role_id));
    json_set_text(arena, doc, "createdDateTime", time_graph(arena, call->request->now));
    json_set_text(arena, doc, "principalDisplayName", json_text_at(principal, "displayName"));
    json_set_text(arena, doc, "principalId", json_text_at(principal, "id"));
    json_set_text(arena, doc, "principalType", type);
    json_set_text(arena, doc, "resourceDisplayName", json_text_at(resource, "displayName"));
    if (json_set_text(arena, doc, "resourceId", json_text_at(resource, "id")) == NULL)
        return graph_memory(call, err);
    RF_TRY(refuse_twice(call, doc, err));
    RF_TRY(object_put(call->txn, "appRoleAssignment", doc, arena, err));
    note_assignment(call, kind, true, resource, principal,
                    assignment_trail(call, doc, role, principal));
    struct json_node *shown = json_new(arena, JSON_T_OBJECT);
    json_set_text(arena, shown, "@odata.context",
                  graph_context(call, "appRoleAssignments/$entity"));
    for (const struct json_node *m = doc->first; m != NULL; m = m->next)
        if (json_set(arena, shown, m->name, json_clone(arena, m)) == NULL)
            return graph_memory(call, err);
    call->answer = shown;
    call->status = 201;
    return RF_OK;
}

static enum rf_kind find_assignment(struct graph_call *call, struct json_node **out,
                                    struct rf_err *err)
{
    struct json_node *owner;
    RF_TRY(owner_of_route(call, &owner, err));
    enum rf_kind kind =
        object_get(call->txn, "appRoleAssignment", call->ids[1], call->arena, out, err);
    if (kind == RF_NOT_FOUND) return graph_not_found(call->ids[1], err);
    RF_TRY(kind);
    const char *member = is_by_resource(call) ? "resourceId" : "principalId";
    if (rf_str_eq(json_text_at(*out, member), json_text_at(owner, "id"))) return RF_OK;
    return graph_not_found(call->ids[1], err);
}

enum rf_kind graph_assignments_get(struct graph_call *call, struct rf_err *err)
{
    struct json_node *doc;
    RF_TRY(find_assignment(call, &doc, err));
    call->answer = doc;
    return RF_OK;
}

enum rf_kind graph_assignments_remove(struct graph_call *call, struct rf_err *err)
{
    struct json_node *doc, *resource, *principal;
    const struct graph_entity *kind, *resource_kind;
    RF_TRY(find_assignment(call, &doc, err));
    RF_TRY(graph_object(call, json_text_at(doc, "principalId"), &kind, &principal, err));
    RF_TRY(graph_object(call, json_text_at(doc, "resourceId"), &resource_kind, &resource, err));
    RF_TRY(check_grantor(call, resource, err));
    RF_TRY(object_delete(call->txn, "appRoleAssignment", json_text_at(doc, "id"), err));
    note_assignment(call, kind, false, resource, principal, doc);
    return graph_answer_empty(call, 204);
}

/* ---- delegated grants ------------------------------------------------------------------------------------------------------------------------ */

static const struct graph_property grant_properties[] = {
    {"id", P_TEXT, P_READ_ONLY},
    {"clientId", P_TEXT, P_REQUIRED | P_FIXED},
    {"consentType", P_TEXT, P_REQUIRED | P_FIXED},
    {"principalId", P_TEXT, P_FIXED},
    {"resourceId", P_TEXT, P_REQUIRED | P_FIXED},
    {"scope", P_TEXT, 0},
    {"createdDateTime", P_TEXT, P_READ_ONLY},
    {"deletedDateTime", P_TEXT, P_READ_ONLY},
    {"expiryTime", P_TEXT, 0},
    {"startTime", P_TEXT, 0},
};

static enum rf_kind put_grant(struct graph_call *call, struct json_node *doc,
                              const struct json_node *before, struct rf_err *err)
{
    const struct graph_entity *kind;
    struct json_node *there;
    struct object_list list;
    rf_str type = json_text_at(doc, "consentType"), who = json_text_at(doc, "principalId");
    if (before != NULL) return RF_OK;
    json_remove(doc, RF_S("createdDateTime"));
    json_remove(doc, RF_S("deletedDateTime"));
    if (!rf_str_is(type, "AllPrincipals") && !rf_str_is(type, "Principal"))
        return graph_bad(err, "consentType is AllPrincipals or Principal.");
    if (rf_str_is(type, "Principal") != (who.len > 0))
        return graph_bad(err, "principalId is given with the consent of one principal, and only "
                              "then.");
    RF_TRY(graph_object(call, json_text_at(doc, "clientId"), &kind, &there, err));
    if (kind != &graph_service_principal) return graph_bad(err, "clientId: no service principal.");
    RF_TRY(graph_object(call, json_text_at(doc, "resourceId"), &kind, &there, err));
    if (kind != &graph_service_principal)
        return graph_bad(err, "resourceId: no service principal.");
    if (who.len > 0) RF_TRY(graph_object(call, who, &kind, &there, err));
    RF_TRY(object_list(call->txn, "oauth2PermissionGrant", "clientId",
                       json_text_at(doc, "clientId"), call->arena, &list, err));
    for (uint32_t i = 0; i < list.count; i++)
        if (rf_str_eq_nocase(json_text_at(list.items[i], "resourceId"),
                             json_text_at(doc, "resourceId")) &&
            rf_str_eq_nocase(json_text_at(list.items[i], "principalId"), who))
            return graph_bad(err, "Permission entry already exists.");
    return RF_OK;
}

static const struct graph_entity grant_entity = {
    .space = "oauth2PermissionGrant",
    .set = "oauth2PermissionGrants",
    .type = "oAuth2PermissionGrant",
    .properties = grant_properties,
    .property_count = RF_COUNT(grant_properties),
    .trail_type = "ServicePrincipal",
    .trail_category = "ApplicationManagement",
    .trail_service = "Core Directory",
    .added = "Add delegated permission grant",
    .updated = "Update delegated permission grant",
    .deleted = "Remove delegated permission grant",
    .put = put_grant,
};

enum rf_kind graph_grants_of(struct graph_call *call, struct rf_err *err)
{
    struct json_node *owner;
    struct object_list list;
    RF_TRY(owner_of_route(call, &owner, err));
    bool user = call->route->entity == &graph_user;
    RF_TRY(object_list(call->txn, "oauth2PermissionGrant", user ? NULL : "clientId",
                       json_text_at(owner, "id"), call->arena, &list, err));
    uint32_t count = 0;
    for (uint32_t i = 0; i < list.count; i++)
        if (!user ||
            rf_str_eq_nocase(json_text_at(list.items[i], "principalId"), json_text_at(owner, "id")))
            list.items[count++] = list.items[i];
    struct graph_items items = {
        .docs = list.items, .count = count, .context = "oauth2PermissionGrants"};
    return graph_list_items(call, &items, err);
}

/* ---- routes ------------------------------------------------------------------------------------------------------------------------------------- */

#define SP &graph_service_principal
#define GRANT &grant_entity
#define ASSIGNMENT_WRITE "AppRoleAssignment.ReadWrite.All " APPLICATION_WRITE
#define GRANT_WRITE "DelegatedPermissionGrant.ReadWrite.All " DIRECTORY_WRITE
const struct graph_route graph_principal_routes[] = {
    {HTTP_GET, 0, "servicePrincipals", APPLICATION_READ, graph_entity_list, SP},
    {HTTP_POST, 0, "servicePrincipals", APPLICATION_WRITE, graph_entity_create, SP},
    {HTTP_GET, 0, "servicePrincipals/$count", APPLICATION_READ, graph_entity_count, SP},
    {HTTP_GET, 0, "servicePrincipals/{}", APPLICATION_READ, graph_entity_get, SP},
    {HTTP_PATCH, 0, "servicePrincipals/{}", APPLICATION_WRITE, graph_entity_update, SP},
    {HTTP_DELETE, 0, "servicePrincipals/{}", APPLICATION_WRITE, graph_entity_remove, SP},
    {HTTP_POST, 0, "servicePrincipals/{}/addPassword", APPLICATION_WRITE, credential_add_password,
     SP},
    {HTTP_POST, 0, "servicePrincipals/{}/removePassword", APPLICATION_WRITE,
     credential_remove_password, SP},
    {HTTP_POST, 0, "servicePrincipals/{}/addKey", APPLICATION_WRITE, credential_add_key, SP},
    {HTTP_POST, 0, "servicePrincipals/{}/removeKey", APPLICATION_WRITE, credential_remove_key, SP},
    {HTTP_GET, 0, "servicePrincipals/{}/appRoleAssignments", APPLICATION_READ,
     graph_assignments_list, SP},
    {HTTP_POST, 0, "servicePrincipals/{}/appRoleAssignments", ASSIGNMENT_WRITE,
     graph_assignments_add, SP},
    {HTTP_GET, 0, "servicePrincipals/{}/appRoleAssignments/{}", APPLICATION_READ,
     graph_assignments_get, SP},
    {HTTP_DELETE, 0, "servicePrincipals/{}/appRoleAssignments/{}", ASSIGNMENT_WRITE,
     graph_assignments_remove, SP},
    {HTTP_GET, 0, "servicePrincipals/{}/appRoleAssignedTo", APPLICATION_READ,
     graph_assignments_list, SP},
    {HTTP_POST, 0, "servicePrincipals/{}/appRoleAssignedTo", ASSIGNMENT_WRITE,
     graph_assignments_add, SP},
    {HTTP_GET, 0, "servicePrincipals/{}/appRoleAssignedTo/{}", APPLICATION_READ,
     graph_assignments_get, SP},
    {HTTP_DELETE, 0, "servicePrincipals/{}/appRoleAssignedTo/{}", ASSIGNMENT_WRITE,
     graph_assignments_remove, SP},
    {HTTP_GET, 0, "servicePrincipals/{}/oauth2PermissionGrants", APPLICATION_READ, graph_grants_of,
     SP},
    {HTTP_GET, 0, "servicePrincipals/{}/owners", APPLICATION_READ, graph_owners_list, SP},
    {HTTP_POST, 0, "servicePrincipals/{}/owners/$ref", APPLICATION_WRITE, graph_owners_add, SP},
    {HTTP_DELETE, 0, "servicePrincipals/{}/owners/{}/$ref", APPLICATION_WRITE, graph_owners_remove,
     SP},
    {HTTP_GET, 0, "servicePrincipals/{}/ownedObjects", APPLICATION_READ, graph_owned_list, SP},
    {HTTP_GET, 0, "servicePrincipals/{}/memberOf", APPLICATION_READ, graph_member_of, SP},
    {HTTP_GET, 0, "servicePrincipals/{}/transitiveMemberOf", APPLICATION_READ,
     graph_transitive_member_of, SP},
    {HTTP_POST, GRAPH_READS, "servicePrincipals/{}/getMemberGroups", APPLICATION_READ,
     graph_member_groups, SP},
    {HTTP_POST, GRAPH_READS, "servicePrincipals/{}/getMemberObjects", APPLICATION_READ,
     graph_member_groups, SP},
    {HTTP_POST, GRAPH_READS, "servicePrincipals/{}/checkMemberGroups", APPLICATION_READ,
     graph_check_groups, SP},
    {HTTP_GET, 0, "oauth2PermissionGrants",
     DIRECTORY_READ " DelegatedPermissionGrant.ReadWrite.All", graph_entity_list, GRANT},
    {HTTP_POST, 0, "oauth2PermissionGrants", GRANT_WRITE, graph_entity_create, GRANT},
    {HTTP_GET, 0, "oauth2PermissionGrants/{}",
     DIRECTORY_READ " DelegatedPermissionGrant.ReadWrite.All", graph_entity_get, GRANT},
    {HTTP_PATCH, 0, "oauth2PermissionGrants/{}", GRANT_WRITE, graph_entity_update, GRANT},
    {HTTP_DELETE, 0, "oauth2PermissionGrants/{}", GRANT_WRITE, graph_entity_remove, GRANT},
    {.path = NULL},
};
