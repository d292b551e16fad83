#include "authz/activity.h"
#include "authz/rbac_int.h"
#include "base/encode.h"

/* Space "roleDefinition", key = GUID in lower case, body = {"id","name","type","properties"} with properties as they are
 * answered; index: "name" = lower-case role name. Built-in roles are not in the state. */

enum {
    ROLE_NAME_BYTES_MAX = 512,
    DESCRIPTION_BYTES_MAX = 4096,
    ROLE_PERMISSIONS_MAX = 16,
    ROLE_ACTIONS_MAX = 2048,
    ROLE_SCOPES_MAX = 2000,
    ROLES_MAX = 5000
};

/* ---- showing ----------------------------------------------------------------------------------------------- */

static struct json_node *builtin_json(struct rf_arena *arena, const struct role *role, rf_str scope)
{
    struct json_node *document = json_new(arena, JSON_T_OBJECT);
    struct json_node *properties = json_object_in(arena, document, "properties");
    struct json_node *scopes = json_new(arena, JSON_T_ARRAY);
    struct json_node *permissions = json_new(arena, JSON_T_ARRAY);
    json_append(scopes, json_new_text(arena, RF_S("/")));
    for (uint32_t i = 0; permissions != NULL && i < role->permission_count; i++)
        if (json_append(permissions, permission_json(arena, &role->permissions[i])) == NULL)
            return NULL;
    json_set_text(arena, properties, "roleName", role->name);
    json_set_text(arena, properties, "type", RF_S("BuiltInRole"));
    json_set_text(arena, properties, "description", role->description);
    json_set(arena, properties, RF_S("assignableScopes"), scopes);
    json_set(arena, properties, RF_S("permissions"), permissions);
    /* The day on which the set was written down. */
    json_set_text(arena, properties, "createdOn", RF_S("2026-01-31T00:00:00.0000000Z"));
    json_set_text(arena, properties, "updatedOn", RF_S("2026-01-31T00:00:00.0000000Z"));
    json_set(arena, properties, RF_S("createdBy"), json_new(arena, JSON_T_NULL));
    json_set(arena, properties, RF_S("updatedBy"), json_new(arena, JSON_T_NULL));
    json_set_text(arena, document, "id", definition_id(arena, scope, role->id));
    json_set_text(arena, document, "type", RF_S("Microsoft.Authorization/roleDefinitions"));
    return json_set_text(arena, document, "name", role->id) == NULL ? NULL : document;
}

enum rf_kind authz_builtin_roles(const struct authz *authz, struct rf_arena *arena,
                                 struct json_node *out, struct rf_err *err)
{
    uint32_t count;
    const struct role *roles = authz_builtins(authz, &count);
    for (uint32_t i = 0; i < count; i++)
        if (json_append(out, builtin_json(arena, &roles[i], RF_S("/"))) == NULL)
            return rf_fail_memory(err, arena);
    return RF_OK;
}

/* The id names the scope through which it is looked at. */
static enum rf_kind role_json(struct request *request, const struct role *role, rf_str scope,
                              struct json_node **out, struct rf_err *err)
{
    struct rf_arena *arena = request->arena;
    if (role->is_builtin) {
        *out = builtin_json(arena, role, scope);
        return *out == NULL ? rf_fail_memory(err, arena) : RF_OK;
    }
    RF_TRY(json_parse(role->body, arena, out, err));
    if (json_set_text(arena, *out, "id", definition_id(arena, scope, role->id)) == NULL)
        return rf_fail_memory(err, arena);
    return RF_OK;
}

/* ---- reading ----------------------------------------------------------------------------------------------- */

/* Whether a custom role can be assigned at the place, or below it when that is asked for. */
static bool is_for_scope(const struct role *role, rf_str place, bool below, struct rf_arena *arena)
{
    if (role->assignable == NULL) return true;
    for (uint32_t i = 0; i < role->assignable->count; i++) {
        rf_str given = scope_key(arena, role->assignable->items[i]);
        if (given.ptr == NULL) continue;
        if (scope_covers(given, place) || (below && scope_covers(place, given))) return true;
    }
    return false;
}

static bool is_wanted(const struct role *role, const struct rbac_filter *filter, rf_str scope,
                      struct rf_arena *arena)
{
    const struct rbac_term *name = rbac_filter_term(filter, "roleName");
    const struct rbac_term *type = rbac_filter_term(filter, "type");
    const char *own = role->is_builtin ? "BuiltInRole" : "CustomRole";
    /* At the top everything lies below. */
    bool below = scope.len == 1 || rbac_filter_term(filter, "atScopeAndBelow") != NULL;
    if (name != NULL && !rf_str_eq_nocase(name->value, role->name)) return false;
    if (type != NULL && !rf_str_eq_nocase(type->value, rf_str_of(own))) return false;
    return is_for_scope(role, scope, below, arena);
}

static enum rf_kind add_roles(struct request *request, const struct role *roles, uint32_t count,
                              const struct rbac_filter *filter, struct rbac_page *page,
                              struct rf_err *err)
{
    rf_str scope = rbac_scope(request), key = scope_key(request->arena, scope);
    if (key.ptr == NULL) return rf_fail_memory(err, request->arena);
    for (uint32_t i = 0; i < count && !page->more; i++) {
        /* Built-in roles come first: the page's key has a sign in front that sorts so. */
        rf_str place = rf_arena_printf(request->arena, "%c%.*s", roles[i].is_builtin ? 'b' : 'c',
                                       RF_FMT(roles[i].id));
        struct json_node *document;
        if (place.ptr == NULL) return rf_fail_memory(err, request->arena);
        if (!is_wanted(&roles[i], filter, key, request->arena) || !rbac_page_wants(page, place))
            continue;
        RF_TRY(role_json(request, &roles[i], scope, &document, err));
        RF_TRY(rbac_page_add(request, page, place, document, err));
    }
    return RF_OK;
}

enum rf_kind rbac_definition_list(struct request *request, struct rf_err *err)
{
    static const char *const names[] = {"atScopeAndBelow()", "atScope()", "roleName", "type", NULL};
    struct rbac *rbac = request->service;
    struct rbac_filter filter;
    struct rbac_page page;
    RF_CLEANUP(snapshot_unref_at) struct snapshot *snapshot = NULL;
    uint32_t count;
    RF_TRY(rbac_version(request, err));
    RF_TRY(rbac_filter_parse(request_parameter(request, "$filter", NULL), names, request->arena,
                             &filter, err));
    RF_TRY(rbac_page_begin(request, &page, err));
    RF_TRY(authz_snapshot(rbac->authz, &snapshot, err));
    const struct role *builtins = authz_builtins(rbac->authz, &count);
    RF_TRY(add_roles(request, builtins, count, &filter, &page, err));
    RF_TRY(add_roles(request, snapshot->customs, snapshot->custom_count, &filter, &page, err));
    return rbac_page_end(request, &page, err);
}

enum rf_kind rbac_definition_get(struct request *request, struct rf_err *err)
{
    struct rbac *rbac = request->service;
    struct json_node *document;
    RF_CLEANUP(snapshot_unref_at) struct snapshot *snapshot = NULL;
    rf_str name = lower_copy(request->arena, request_variable(request, "name"));
    if (name.ptr == NULL) return rf_fail_memory(err, request->arena);
    RF_TRY(rbac_version(request, err));
    RF_TRY(authz_snapshot(rbac->authz, &snapshot, err));
    const struct role *role = snapshot_role(snapshot, name);
    if (role == NULL)
        return RF_FAIL(err, RF_NOT_FOUND, "RoleDefinitionDoesNotExist",
                       "The specified role definition with ID '%.*s' does not exist.",
                       (int)RF_MIN(name.len, 64), (const char *)name.ptr);
    RF_TRY(role_json(request, role, rbac_scope(request), &document, err));
    return request_answer(request, 200, document);
}

/* ---- checking a definition --------------------------------------------------------------------------------- */

static enum rf_kind bad_definition(struct rf_err *err, const char *what)
{
    return RF_FAIL(err, RF_INVALID, "InvalidRoleDefinition",
                   "The role definition is not valid: %s.", what);
}

/* "Namespace/type/verb" with '*' for parts, or "*". */
static bool is_action(rf_str action)
{
    if (rf_str_is(action, "*")) return true;
    bool has_slash = false;
    for (size_t i = 0; i < action.len; i++) {
        uint8_t c = action.ptr[i];
        has_slash |= c == '/';
        if (!rf_is_alnum(c) && c != '/' && c != '.' && c != '*' && c != '-' && c != '_' && c != '$')
            return false;
    }
    return has_slash && action.ptr[0] != '/' && action.ptr[action.len - 1] != '/';
}

static enum rf_kind check_actions(const struct json_node *actions, uint32_t *count,
                                  struct rf_err *err)
{
    if (actions == NULL || actions->type == JSON_T_NULL) return RF_OK;
    if (actions->type != JSON_T_ARRAY) return bad_definition(err, "actions must be an array");
    for (const struct json_node *n = actions->first; n != NULL; n = n->next) {
        if (++*count > ROLE_ACTIONS_MAX) return bad_definition(err, "it has too many actions");
        if (n->type != JSON_T_STRING || !is_action(n->text))
            return RF_FAIL(err, RF_INVALID, "InvalidActionOrNotAction",
                           "'%.*s' does not match any of the actions supported by the providers.",
                           (int)RF_MIN(n->text.len, 200), (const char *)n->text.ptr);
    }
    return RF_OK;
}

static enum rf_kind check_permissions(const struct json_node *permissions, struct rf_err *err)
{
    uint32_t given = 0, taken = 0;
    if (!json_is(permissions, JSON_T_ARRAY) || permissions->count == 0)
        return bad_definition(err, "'permissions' must be an array of at least one permission");
    if (permissions->count > ROLE_PERMISSIONS_MAX)
        return bad_definition(err, "it has too many permissions");
    for (const struct json_node *n = permissions->first; n != NULL; n = n->next) {
        if (n->type != JSON_T_OBJECT) return bad_definition(err, "a permission must be an object");
        /* A condition that were stored and not kept to would give more than was asked for. */
        if (json_text_at(n, "condition").len > 0)
            return bad_definition(err, "custom roles cannot have conditions");
        RF_TRY(check_actions(json_get(n, "actions"), &given, err));
        RF_TRY(check_actions(json_get(n, "dataActions"), &given, err));
        RF_TRY(check_actions(json_get(n, "notActions"), &taken, err));
        RF_TRY(check_actions(json_get(n, "notDataActions"), &taken, err));
    }
    return given == 0 ? bad_definition(err, "it gives no action") : RF_OK;
}

static bool is_scope(rf_str scope)
{
    rf_str forms[] = {RF_S("/subscriptions/"), RF_S("/providers/Microsoft.Management/")};
    if (rf_str_is(scope, "/")) return true;
    for (size_t i = 0; i < RF_COUNT(forms); i++)
        if (scope.len > forms[i].len &&
            rf_str_eq_nocase(rf_slice(scope, 0, forms[i].len), forms[i]))
            return true;
    return false;
}

/* The caller must be allowed to write roles at each scope that it gives or that the role had. */
static enum rf_kind check_scopes(struct request *request, const struct json_node *scopes,
                                 const char *action, struct rf_err *err)
{
    if (!json_is(scopes, JSON_T_ARRAY) || scopes->count == 0 || scopes->count > ROLE_SCOPES_MAX)
        return bad_definition(err, "'assignableScopes' must be an array of scopes");
    for (const struct json_node *n = scopes->first; n != NULL; n = n->next) {
        if (n->type != JSON_T_STRING || !is_scope(n->text))
            return RF_FAIL(err, RF_INVALID, "LinkedInvalidPropertyId",
                           "Property id '%.*s' at path 'properties.assignableScopes' is invalid. "
                           "Expect fully qualified resource Id that start with "
                           "'/subscriptions/{subscriptionId}' or '/providers/"
                           "{resourceProviderNamespace}/'.",
                           (int)RF_MIN(n->text.len, 200), (const char *)n->text.ptr);
        if (request_may(request, rf_str_of(action), n->text, false)) continue;
        rf_str caller = principal_caller(request->principal);
        return RF_FAIL(err, RF_DENIED, "LinkedAuthorizationFailed",
                       "The client '%.*s' with object id '%.*s' does not have permission to "
                       "perform action '%s' on the linked scope(s) '%.*s' or the linked scope(s) "
                       "are invalid.",
                       (int)RF_MIN(caller.len, 128), (const char *)caller.ptr,
                       RF_FMT(request->principal->object_id), action, (int)RF_MIN(n->text.len, 300),
                       (const char *)n->text.ptr);
    }
    return RF_OK;
}

static enum rf_kind check_definition(struct request *request, const struct json_node *properties,
                                     struct rf_err *err)
{
    rf_str name = rf_str_trim(json_text_at(properties, "roleName"));
    rf_str type = json_text_at(properties, "type");
    if (type.len == 0) type = json_text_at(properties, "roleType");
    if (name.len == 0 || name.len > ROLE_NAME_BYTES_MAX)
        return bad_definition(err, "'roleName' must have 1 to 512 characters");
    if (json_text_at(properties, "description").len > DESCRIPTION_BYTES_MAX)
        return bad_definition(err, "'description' is too long");
    if (type.len > 0 && !rf_str_eq_nocase(type, RF_S("CustomRole")))
        return bad_definition(err, "'type' must be CustomRole");
    RF_TRY(check_permissions(json_get(properties, "permissions"), err));
    return check_scopes(request, json_get(properties, "assignableScopes"), RBAC_DEFINITION_WRITE,
                        err);
}

/* ---- writing ----------------------------------------------------------------------------------------------- */

static void copy_actions(struct rf_arena *arena, struct json_node *to, const struct json_node *from,
                         const char *name)
{
    struct json_node *actions = json_get(from, name);
    bool is_array = json_is(actions, JSON_T_ARRAY);
    json_set(arena, to, rf_str_of(name),
             is_array ? json_clone(arena, actions) : json_new(arena, JSON_T_ARRAY));
}

static struct json_node *copy_permissions(struct rf_arena *arena, const struct json_node *from)
{
    static const char *const names[] = {"actions", "notActions", "dataActions", "notDataActions"};
    struct json_node *permissions = json_new(arena, JSON_T_ARRAY);
    for (const struct json_node *n = from->first; n != NULL; n = n->next) {
        struct json_node *one = json_new(arena, JSON_T_OBJECT);
        for (size_t i = 0; i < RF_COUNT(names); i++) copy_actions(arena, one, n, names[i]);
        if (json_append(permissions, one) == NULL) return NULL;
    }
    return permissions;
}

static struct json_node *make_document(struct request *request, rf_str role,
                                       const struct json_node *from, const struct json_node *before)
{
    struct rf_arena *arena = request->arena;
    struct json_node *document = json_new(arena, JSON_T_OBJECT);
    struct json_node *properties = json_object_in(arena, document, "properties");
    rf_str now = time_iso(arena, request->now), me = request->principal->object_id;
    rf_str created = json_text_at(before, "properties.createdOn");
    json_set_text(arena, properties, "roleName", rf_str_trim(json_text_at(from, "roleName")));
    json_set_text(arena, properties, "type", RF_S("CustomRole"));
    json_set_text(arena, properties, "description", json_text_at(from, "description"));
    json_set(arena, properties, RF_S("assignableScopes"),
             json_clone(arena, json_get(from, "assignableScopes")));
    json_set(arena, properties, RF_S("permissions"),
             copy_permissions(arena, json_get(from, "permissions")));
    json_set_text(arena, properties, "createdOn", created.len > 0 ? created : now);
    json_set_text(arena, properties, "updatedOn", now);
    json_set_text(arena, properties, "createdBy",
                  created.len > 0 ? json_text_at(before, "properties.createdBy") : me);
    json_set_text(arena, properties, "updatedBy", me);
    json_set_text(arena, document, "id", definition_id(arena, rbac_scope(request), role));
    json_set_text(arena, document, "type", RF_S("Microsoft.Authorization/roleDefinitions"));
    return json_set_text(arena, document, "name", role) == NULL ? NULL : document;
}

/* Names are unique in the tenant, those of built-in roles included. */
static enum rf_kind check_name(struct request *request, struct state_txn *txn, rf_str role,
                               rf_str name, struct rf_err *err)
{
    struct rbac *rbac = request->service;
    uint32_t count;
    const struct role *builtins = authz_builtins(rbac->authz, &count);
    bool taken = false;
    for (uint32_t i = 0; i < count; i++) taken |= rf_str_eq_nocase(builtins[i].name, name);
    struct state_list list;
    struct state_scan scan = {
        .space = ROLE_DEFINITION_SPACE, .index = "name", .value = lower_copy(request->arena, name)};
    if (scan.value.ptr == NULL) return rf_fail_memory(err, request->arena);
    RF_TRY(state_list(txn, &scan, request->arena, &list, err));
    for (uint32_t i = 0; i < list.count; i++) taken |= !rf_str_eq(list.items[i].key, role);
    if (!taken) return RF_OK;
    return RF_FAIL(err, RF_CONFLICT, "RoleDefinitionWithSameNameExists",
                   "A custom role with the same name already exists in this directory. Use a "
                   "different name.");
}

static enum rf_kind check_count(struct request *request, struct state_txn *txn, struct rf_err *err)
{
    struct state_list list;
    struct state_scan scan = {.space = ROLE_DEFINITION_SPACE};
    RF_TRY(state_list(txn, &scan, request->arena, &list, err));
    if (list.count < ROLES_MAX) return RF_OK;
    return RF_FAIL(err, RF_INVALID, "RoleDefinitionLimitExceeded",
                   "Role definition limit exceeded. No more role definitions can be created.");
}

static enum rf_kind stored(struct request *request, struct state_txn *txn, rf_str role,
                           struct json_node **out, struct rf_err *err)
{
    struct state_object object;
    RF_TRY(state_get(txn, ROLE_DEFINITION_SPACE, role, request->arena, &object, err));
    return json_parse(object.body, request->arena, out, err);
}

static enum rf_kind store(struct request *request, struct state_txn *txn, rf_str role,
                          const struct json_node *properties, struct json_node **out,
                          struct rf_err *err)
{
    struct json_node *before = NULL;
    rf_str name = rf_str_trim(json_text_at(properties, "roleName"));
    enum rf_kind kind = stored(request, txn, role, &before, err);
    if (kind == RF_NOT_FOUND)
        kind = check_count(request, txn, err);
    else if (kind == RF_OK)
        kind = check_scopes(request, json_at(before, "properties.assignableScopes"),
                            RBAC_DEFINITION_WRITE, err);
    RF_TRY(kind);
    RF_TRY(check_name(request, txn, role, name, err));
    *out = make_document(request, role, properties, before);
    struct state_index index = {"name", lower_copy(request->arena, name)};
    struct state_put put = {.space = ROLE_DEFINITION_SPACE,
                            .key = role,
                            .body = json_to_text(request->arena, *out),
                            .indexes = &index,
                            .index_count = 1};
    if (*out == NULL || put.body.ptr == NULL || index.value.ptr == NULL)
        return rf_fail_memory(err, request->arena);
    return state_put(txn, &put, NULL, NULL, err);
}

static void write_row(struct request *request, const char *action, const char *name,
                      const struct json_node *document, uint16_t status)
{
    struct activity activity = {.action = rf_str_of(action),
                                .operation_name = rf_str_of(name),
                                .resource_id = json_text_at(document, "id"),
                                .status = status};
    rf_str text = json_to_text(request->arena, document);
    rf_str quoted = json_to_text(request->arena, json_new_text(request->arena, text));
    if (text.ptr != NULL && quoted.ptr != NULL)
        activity.more_json =
            rf_arena_printf(request->arena, "\"responseBody\":%.*s", RF_FMT(quoted));
    activity_write(request, &activity);
}

/* The GUID that the path names, in lower case; built-in roles stay as they are. */
static enum rf_kind custom_id(struct request *request, rf_str *out, struct rf_err *err)
{
    struct rbac *rbac = request->service;
    rf_str name = request_variable(request, "name");
    uint32_t count;
    const struct role *builtins = authz_builtins(rbac->authz, &count);
    if (!guid_is(name))
        return RF_FAIL(err, RF_INVALID, "InvalidRoleDefinitionId",
                       "The role definition ID '%.*s' is not valid. It must be a GUID.",
                       (int)RF_MIN(name.len, 64), (const char *)name.ptr);
    for (uint32_t i = 0; i < count; i++)
        if (rf_str_eq_nocase(builtins[i].id, name))
            return RF_FAIL(err, RF_CONFLICT, "CannotModifyBuiltInRole",
                           "The role definition '%.*s' is built in and cannot be changed.",
                           RF_FMT(name));
    *out = lower_copy(request->arena, name);
    return out->ptr == NULL ? rf_fail_memory(err, request->arena) : RF_OK;
}

enum rf_kind rbac_definition_put(struct request *request, struct rf_err *err)
{
    struct rbac *rbac = request->service;
    struct json_node *body, *document = NULL;
    struct state_txn *txn = NULL;
    rf_str role;
    RF_TRY(rbac_version(request, err));
    RF_TRY(custom_id(request, &role, err));
    RF_TRY(request_json(request, false, &body, err));
    const struct json_node *properties = json_get(body, "properties");
    if (!json_is(properties, JSON_T_OBJECT)) return bad_definition(err, "'properties' is required");
    RF_TRY(check_definition(request, properties, err));
    RF_TRY(state_begin_write(authz_state(rbac->authz), &txn, err));
    enum rf_kind kind = store(request, txn, role, properties, &document, err);
    if (kind == RF_OK)
        kind = state_commit(txn, err);
    else
        state_end(txn);
    RF_TRY(kind);
    write_row(request, RBAC_DEFINITION_WRITE, "Create or update custom role definition", document,
              201);
    return request_answer(request, 201,
                          document); /* clients take no other status, even for an update */
}

static enum rf_kind take_away(struct request *request, struct state_txn *txn, rf_str role,
                              struct json_node **out, struct rf_err *err)
{
    struct state_list list;
    struct state_scan scan = {
        .space = ROLE_ASSIGNMENT_SPACE, .index = "role", .value = role, .limit = 1};
    RF_TRY(stored(request, txn, role, out, err));
    RF_TRY(check_scopes(request, json_at(*out, "properties.assignableScopes"),
                        RBAC_DEFINITION_DELETE, err));
    RF_TRY(state_list(txn, &scan, request->arena, &list, err));
    if (list.count > 0)
        return RF_FAIL(err, RF_CONFLICT, "RoleDefinitionHasAssignments",
                       "There are existing role assignments referencing role.");
    return state_delete(txn, ROLE_DEFINITION_SPACE, role, err);
}

enum rf_kind rbac_definition_delete(struct request *request, struct rf_err *err)
{
    struct rbac *rbac = request->service;
    struct json_node *document = NULL;
    struct state_txn *txn = NULL;
    rf_str role;
    RF_TRY(rbac_version(request, err));
    RF_TRY(custom_id(request, &role, err));
    RF_TRY(state_begin_write(authz_state(rbac->authz), &txn, err));
    enum rf_kind kind = take_away(request, txn, role, &document, err);
    if (kind == RF_OK)
        kind = state_commit(txn, err);
    else
        state_end(txn);
    if (kind == RF_NOT_FOUND) return request_answer_empty(request, 204);
    RF_TRY(kind);
    write_row(request, RBAC_DEFINITION_DELETE, "Delete custom role definition", document, 200);
    return request_answer(request, 200, document);
}
