/* graph_role.c - directory roles that users, groups and service principals are given. */
#include "identity/graph_policy_int.h"

static const struct graph_property properties[] = {
    {"id", P_TEXT, P_READ_ONLY},
    {"createdDateTime", P_TEXT, P_READ_ONLY},
    {"deletedDateTime", P_TEXT, P_READ_ONLY},
    {"principalId", P_TEXT, P_REQUIRED | P_FIXED},
    {"roleDefinitionId", P_TEXT, P_REQUIRED | P_FIXED},
    {"directoryScopeId", P_TEXT, P_FIXED},
    {"appScopeId", P_TEXT, P_READ_ONLY},
};

/* As rules read it: Role.DisplayName among the target's modifiedProperties. */
static enum rf_kind note(struct graph_call *call, const struct json_node *principal,
                         const struct graph_entity *kind, const struct json_node *role, bool added,
                         struct rf_err *err)
{
    static const char *const names[] = {"Role.ObjectID", "Role.DisplayName", "Role.TemplateId"};
    static const char *const members[] = {"id", "displayName", "id"};
    struct rf_arena *arena = call->arena;
    struct json_node *given = json_new(arena, JSON_T_OBJECT),
                     *none = json_new(arena, JSON_T_OBJECT);
    for (size_t i = 0; i < RF_COUNT(names); i++) {
        json_set_text(arena, given, names[i], json_text_at(role, members[i]));
        if (json_set(arena, none, rf_str_of(names[i]), json_new(arena, JSON_T_NULL)) == NULL)
            return graph_memory(call, err);
    }
    graph_change(call, &(struct trail_change){.operation = added ? "Add member to role"
                                                                 : "Remove member from role",
                                              .verb = added ? "Assign" : "Unassign",
                                              .service = "Core Directory",
                                              .category = "RoleManagement",
                                              .type = kind == NULL ? "User" : kind->trail_type,
                                              .target = principal,
                                              .before = added ? NULL : given,
                                              .after = added ? given : none,
                                              .other = role,
                                              .other_type = "Role"});
    return RF_OK;
}

/* ---- assignments --------------------------------------------------------------------------------------------------------------------- */

static enum rf_kind find_assignment(struct graph_call *call, rf_str principal, rf_str role,
                                    struct json_node **out, struct rf_err *err)
{
    struct object_list list;
    RF_TRY(object_list(call->txn, "directoryRoleAssignment", "principalId", principal, call->arena,
                       &list, err));
    *out = NULL;
    for (uint32_t i = 0; i < list.count; i++)
        if (rf_str_eq_nocase(json_text_at(list.items[i], "roleDefinitionId"), role))
            *out = list.items[i];
    return RF_OK;
}

static enum rf_kind put(struct graph_call *call, struct json_node *doc,
                        const struct json_node *before, struct rf_err *err)
{
    const struct graph_entity *kind;
    struct json_node *principal, *role, *there;
    rf_str scope = json_text_at(doc, "directoryScopeId");
    (void)before; /* it has no PATCH */
    if (scope.len > 0 && !rf_str_is(scope, "/"))
        return graph_bad(err, "directoryScopeId can be '/' only: there are no administrative "
                              "units.");
    RF_TRY(graph_role_definition(call, json_text_at(doc, "roleDefinitionId"), &role, err));
    RF_TRY(graph_object(call, json_text_at(doc, "principalId"), &kind, &principal, err));
    if (kind == &graph_application)
        return graph_bad(err, "principalId is a user, a group or a service principal.");
    rf_str role_id = json_text_at(role, "id"), principal_id = json_text_at(principal, "id");
    RF_TRY(find_assignment(call, principal_id, role_id, &there, err));
    if (there != NULL)
        return graph_bad(err, "A conflicting object with one or more of the specified property "
                              "values is present in the directory.");
    json_set_text(call->arena, doc, "principalId", principal_id);
    json_set_text(call->arena, doc, "roleDefinitionId", role_id);
    json_remove(doc, RF_S("deletedDateTime"));
    if (json_set_text(call->arena, doc, "directoryScopeId", RF_S("/")) == NULL)
        return graph_memory(call, err);
    return note(call, principal, kind, role, true, err);
}

static enum rf_kind note_removal(struct graph_call *call, const struct json_node *assignment,
                                 struct rf_err *err)
{
    const struct graph_entity *kind = NULL;
    struct json_node *principal, *role;
    rf_str id = json_text_at(assignment, "principalId");
    RF_TRY(graph_role_definition(call, json_text_at(assignment, "roleDefinitionId"), &role, err));
    enum rf_kind found = graph_object(call, id, &kind, &principal, err);
    if (found == RF_NOT_FOUND) {
        principal = json_new(call->arena, JSON_T_OBJECT);
        if (json_set_text(call->arena, principal, "id", id) == NULL) return graph_memory(call, err);
    } else {
        RF_TRY(found);
    }
    return note(call, principal, kind, role, false, err);
}

static const struct graph_entity assignment_entity = {
    .space = "directoryRoleAssignment",
    .set = "roleManagement/directory/roleAssignments",
    .type = "unifiedRoleAssignment",
    .properties = properties,
    .property_count = RF_COUNT(properties),
    .trail_type = "Role",
    .trail_category = "RoleManagement",
    .trail_service = "Core Directory",
    .put = put,
};

static enum rf_kind drop(struct graph_call *call, const struct json_node *assignment,
                         struct rf_err *err)
{
    RF_TRY(
        object_delete(call->txn, "directoryRoleAssignment", json_text_at(assignment, "id"), err));
    RF_TRY(note_removal(call, assignment, err));
    return graph_answer_empty(call, 204);
}

static enum rf_kind delete_assignment(struct graph_call *call, struct rf_err *err)
{
    struct json_node *doc;
    RF_TRY(graph_entity_find(call, &assignment_entity, 0, &doc, err));
    return drop(call, doc, err);
}

/* ---- members of a role: the same, seen from the role ------------------------------------------------------------------------------------- */

static enum rf_kind list_members(struct graph_call *call, struct rf_err *err)
{
    struct json_node *role;
    struct object_list list;
    RF_TRY(graph_role_active(call, call->ids[0], &role, err));
    RF_TRY(object_list(call->txn, "directoryRoleAssignment", "roleDefinitionId",
                       json_text_at(role, "roleTemplateId"), call->arena, &list, err));
    struct graph_items items = {.docs = rf_arena_new(call->arena, struct json_node *, list.count),
                                .entities = NULL,
                                .context = "directoryObjects"};
    const struct graph_entity **kinds =
        rf_arena_new(call->arena, const struct graph_entity *, list.count);
    if (items.docs == NULL || kinds == NULL) return graph_memory(call, err);
    for (uint32_t i = 0; i < list.count; i++) {
        enum rf_kind kind = graph_object(call, json_text_at(list.items[i], "principalId"),
                                         &kinds[items.count], &items.docs[items.count], err);
        if (kind == RF_NOT_FOUND) continue;
        RF_TRY(kind);
        items.count++;
    }
    items.entities = kinds;
    return graph_list_items(call, &items, err);
}

static enum rf_kind add_member(struct graph_call *call, struct rf_err *err)
{
    const struct graph_entity *kind;
    struct json_node *role, *principal, *doc = json_new(call->arena, JSON_T_OBJECT);
    rf_str url;
    RF_TRY(graph_role_active(call, call->ids[0], &role, err));
    const struct json_node *reference = json_get(call->body, "@odata.id");
    url = json_is(reference, JSON_T_STRING) ? reference->text : (rf_str){0};
    RF_TRY(graph_reference(call, url, &kind, &principal, err));
    json_set_text(call->arena, doc, "id", guid_random(call->arena));
    json_set_text(call->arena, doc, "principalId", json_text_at(principal, "id"));
    if (json_set_text(call->arena, doc, "roleDefinitionId", json_text_at(role, "roleTemplateId")) ==
        NULL)
        return graph_memory(call, err);
    RF_TRY(put(call, doc, NULL, err));
    RF_TRY(object_put(call->txn, "directoryRoleAssignment", doc, call->arena, err));
    return graph_answer_empty(call, 204);
}

static enum rf_kind remove_member(struct graph_call *call, struct rf_err *err)
{
    struct json_node *role, *assignment;
    RF_TRY(graph_role_active(call, call->ids[0], &role, err));
    RF_TRY(find_assignment(call, call->ids[1], json_text_at(role, "roleTemplateId"), &assignment,
                           err));
    if (assignment == NULL) return graph_not_found(call->ids[1], err);
    return drop(call, assignment, err);
}

#define ASSIGNMENT &assignment_entity
#define ASSIGNMENTS "roleManagement/directory/roleAssignments"
#define ROLE_WRITE "RoleManagement.ReadWrite.Directory"
#define ROLE_READ "RoleManagement.Read.Directory " ROLE_WRITE " " DIRECTORY_READ
const struct graph_route graph_role_routes[] = {
    {HTTP_GET, 0, ASSIGNMENTS, ROLE_READ, graph_entity_list, ASSIGNMENT},
    {HTTP_POST, 0, ASSIGNMENTS, ROLE_WRITE, graph_entity_create, ASSIGNMENT},
    {HTTP_GET, 0, ASSIGNMENTS "/{}", ROLE_READ, graph_entity_get, ASSIGNMENT},
    {HTTP_DELETE, 0, ASSIGNMENTS "/{}", ROLE_WRITE, delete_assignment, ASSIGNMENT},
    {HTTP_GET, 0, "directoryRoles/{}/members", ROLE_READ, list_members, NULL},
    {HTTP_POST, 0, "directoryRoles/{}/members/$ref", ROLE_WRITE, add_member, NULL},
    {HTTP_DELETE, 0, "directoryRoles/{}/members/{}/$ref", ROLE_WRITE, remove_member, NULL},
    {.path = NULL},
};
