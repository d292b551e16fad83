#include "authz/activity.h"
#include "authz/condition_int.h"
#include "authz/rbac_int.h"
#include "base/encode.h"

#define TYPE "Microsoft.Authorization/roleAssignments"

/* ---- whether the caller may ------------------------------------------------------------------------------- */

/* Roles may be limited by a condition on what is assigned to whom, so the check needs more than action and scope. */
static void judge(struct request *request, const struct json_node *document, const char *action,
                  rf_str scope, struct route_need *need)
{
    struct rbac *rbac = request->service;
    const struct json_node *properties = json_get(document, "properties");
    struct condition_subject subject = {
        .principal = request->principal,
        .action = rf_str_of(action),
        .scope = scope,
        .role_id = last_segment(json_text_at(properties, "roleDefinitionId")),
        .principal_id = json_text_at(properties, "principalId"),
        .principal_type = json_text_at(properties, "principalType")};
    need->action = subject.action;
    need->scope = scope;
    need->is_open_to_members = authz_check_subject(rbac->authz, &subject);
}

/* The type that an assignment gets which names none. */
static const char *type_of(enum principal_type type)
{
    return type == PRINCIPAL_USER ? "User" : "ServicePrincipal";
}

/* Conditions on the type of a principal must judge the true one. */
static enum rf_kind fill_type(struct request *request, struct json_node *document)
{
    struct rbac *rbac = request->service;
    struct json_node *properties = json_get(document, "properties");
    struct principal found;
    rf_usec valid_from;
    if (!json_is(properties, JSON_T_OBJECT) || rbac->directory == NULL) return RF_OK;
    rf_str id = json_text_at(properties, "principalId");
    if (!guid_is(id) || rbac->directory->find(rbac->directory->ctx, id, request->arena, &found,
                                              &valid_from, NULL) != RF_OK)
        return RF_OK;
    json_set_text(request->arena, properties, "principalType", rf_str_of(type_of(found.type)));
    return RF_OK;
}

enum rf_kind rbac_assignment_may_put(struct request *request, struct route_need *need,
                                     struct rf_err *err)
{
    struct json_node *body = NULL;
    rf_str scope = rbac_scope(request);
    if (scope.ptr == NULL) return rf_fail_memory(err, request->arena);
    /* A body that cannot be read is told to those only who may write. */
    if (request_json(request, true, &body, NULL) != RF_OK) body = NULL;
    RF_TRY(fill_type(request, body));
    judge(request, body, RBAC_ASSIGNMENT_WRITE, scope, need);
    return RF_OK;
}

static enum rf_kind stored(struct request *request, struct state_txn *txn, rf_str id,
                           struct json_node **out, struct rf_err *err)
{
    struct state_object object;
    rf_str key = lower_copy(request->arena, id);
    if (key.ptr == NULL) return rf_fail_memory(err, request->arena);
    RF_TRY(state_get(txn, ROLE_ASSIGNMENT_SPACE, key, request->arena, &object, err));
    return json_parse(object.body, request->arena, out, err);
}

/* The assignment that the path names; *out NULL when there is none. */
static enum rf_kind named(struct request *request, struct json_node **out, struct rf_err *err)
{
    struct rbac *rbac = request->service;
    struct state_txn *txn = NULL;
    rf_str id =
        assignment_id(request->arena, rbac_scope(request), request_variable(request, "name"));
    if (id.ptr == NULL) return rf_fail_memory(err, request->arena);
    *out = NULL;
    RF_TRY(state_begin_read(authz_state(rbac->authz), &txn, err));
    enum rf_kind kind = stored(request, txn, id, out, err);
    state_end(txn);
    return kind == RF_NOT_FOUND ? RF_OK : kind;
}

enum rf_kind rbac_assignment_may_delete(struct request *request, struct route_need *need,
                                        struct rf_err *err)
{
    struct json_node *document;
    rf_str scope = rbac_scope(request);
    if (scope.ptr == NULL) return rf_fail_memory(err, request->arena);
    RF_TRY(named(request, &document, err));
    judge(request, document, RBAC_ASSIGNMENT_DELETE, scope, need);
    return RF_OK;
}

/* ---- reading ----------------------------------------------------------------------------------------------- */

struct wanted {
    const struct rbac_filter *filter;
    rf_str scope;         /* key */
    rf_str principal;     /* empty: any */
    const rf_str *groups; /* of the principal */
    uint32_t group_count;
};

static bool is_of(const struct wanted *wanted, rf_str principal)
{
    if (rf_str_eq_nocase(wanted->principal, principal)) return true;
    for (uint32_t i = 0; i < wanted->group_count; i++)
        if (rf_str_eq_nocase(wanted->groups[i], principal)) return true;
    return false;
}

static bool is_wanted(const struct wanted *wanted, const struct assignment *assignment)
{
    bool is_above = scope_covers(assignment->scope, wanted->scope);
    bool is_below = scope_covers(wanted->scope, assignment->scope);
    if (rbac_filter_term(wanted->filter, "atScope") != NULL ? !is_above : !is_above && !is_below)
        return false;
    const struct rbac_term *role = rbac_filter_term(wanted->filter, "roleDefinitionId");
    if (role != NULL && !rf_str_eq_nocase(last_segment(role->value), assignment->role_id))
        return false;
    return wanted->principal.len == 0 || is_of(wanted, assignment->principal);
}

/* Whose assignments are asked for, with the groups through which they come. */
static void find_principal(struct request *request, struct wanted *wanted)
{
    struct rbac *rbac = request->service;
    const struct rbac_term *term = rbac_filter_term(wanted->filter, "principalId");
    if (term == NULL) term = rbac_filter_term(wanted->filter, "assignedTo");
    if (rbac_filter_term(wanted->filter, "asTarget") != NULL) {
        wanted->principal = request->principal->object_id;
        wanted->groups = request->principal->groups;
        wanted->group_count = request->principal->group_count;
        return;
    }
    if (term == NULL) return;
    wanted->principal = term->value.len > 0 ? term->value : RF_S("-");
    struct principal found;
    rf_usec valid_from;
    if (rbac->directory == NULL ||
        rbac->directory->find(rbac->directory->ctx, term->value, request->arena, &found,
                              &valid_from, NULL) != RF_OK)
        return;
    wanted->groups = found.groups;
    wanted->group_count = found.group_count;
}

enum rf_kind rbac_assignment_list(struct request *request, struct rf_err *err)
{
    static const char *const names[] = {"atScope()",   "assignedTo()",     "asTarget()",
                                        "principalId", "roleDefinitionId", NULL};
    struct rbac *rbac = request->service;
    struct rbac_filter filter;
    struct rbac_page page;
    struct wanted wanted = {.filter = &filter};
    RF_CLEANUP(snapshot_unref_at) struct snapshot *snapshot = NULL;
    RF_TRY(rbac_version(request, err));
    RF_TRY(rbac_filter_parse(request_parameter(request, "$filter", NULL), names, request->arena,
                             &filter, err));
    RF_TRY(rbac_page_begin(request, &page, err));
    RF_TRY(authz_snapshot(rbac->authz, &snapshot, err));
    wanted.scope = scope_key(request->arena, rbac_scope(request));
    if (wanted.scope.ptr == NULL) return rf_fail_memory(err, request->arena);
    find_principal(request, &wanted);
    for (uint32_t i = 0; i < snapshot->assignment_count && !page.more; i++) {
        const struct assignment *assignment = &snapshot->assignments[i];
        struct json_node *body;
        if (!is_wanted(&wanted, assignment) || !rbac_page_wants(&page, assignment->key)) continue;
        RF_TRY(json_parse(assignment->body, request->arena, &body, err));
        /* The document is a view of the snapshot, which ends with this function. */
        RF_TRY(rbac_page_add(request, &page, assignment->key, body, err));
    }
    return rbac_page_end(request, &page, err);
}

static enum rf_kind not_found(struct request *request, struct rf_err *err)
{
    rf_str name = request_variable(request, "name");
    return RF_FAIL(err, RF_NOT_FOUND, "RoleAssignmentNotFound",
                   "The role assignment '%.*s' is not found.", (int)RF_MIN(name.len, 64),
                   (const char *)name.ptr);
}

enum rf_kind rbac_assignment_get(struct request *request, struct rf_err *err)
{
    struct json_node *document;
    RF_TRY(rbac_version(request, err));
    RF_TRY(named(request, &document, err));
    return document == NULL ? not_found(request, err) : request_answer(request, 200, document);
}

/* ---- writing ----------------------------------------------------------------------------------------------- */

/* A PUT: what was asked for, checked. */
struct wish {
    rf_str id, name, scope, key_scope;
    rf_str role, role_id; /* id of the definition as given, and its GUID in lower case */
    rf_str principal;     /* lower case */
    rf_str type, condition, condition_version, description, delegated;
};

static enum rf_kind read_condition(struct request *request, struct wish *wish, struct rf_err *err)
{
    struct condition *condition;
    if (wish->condition.len == 0) return RF_OK;
    if (wish->condition_version.len == 0) wish->condition_version = RF_S("2.0");
    if (!rf_str_is(wish->condition_version, "2.0") && !rf_str_is(wish->condition_version, "1.0"))
        return RF_FAIL(err, RF_INVALID, "InvalidConditionVersion",
                       "The condition version '%.*s' is not supported; use 2.0.",
                       (int)RF_MIN(wish->condition_version.len, 32),
                       (const char *)wish->condition_version.ptr);
    return condition_parse(wish->condition, request->arena, &condition, err);
}

static enum rf_kind read_wish(struct request *request, const struct json_node *body,
                              struct wish *out, struct rf_err *err)
{
    struct rf_arena *arena = request->arena;
    const struct json_node *properties = json_get(body, "properties");
    rf_str scope = rbac_scope(request), name = request_variable(request, "name");
    rf_str principal = json_text_at(properties, "principalId");
    rf_str role = json_text_at(properties, "roleDefinitionId");
    if (!guid_is(name))
        return RF_FAIL(err, RF_INVALID, "InvalidRoleAssignmentId",
                       "The role assignment ID '%.*s' is not valid. The role assignment ID must be "
                       "a GUID.",
                       (int)RF_MIN(name.len, 64), (const char *)name.ptr);
    if (!json_is(properties, JSON_T_OBJECT))
        return RF_FAIL(err, RF_INVALID, "InvalidCreateRoleAssignmentRequest",
                       "The request to create role assignment is not valid: 'properties' is "
                       "required.");
    if (!guid_is(last_segment(role)))
        return RF_FAIL(err, RF_INVALID, "InvalidRoleDefinitionId",
                       "The role definition ID is not valid. It must end in a GUID.");
    if (!guid_is(principal))
        return RF_FAIL(err, RF_INVALID, "InvalidPrincipalId",
                       "The Principal ID is not valid. Principal ID must be a GUID.");
    *out =
        (struct wish){.id = assignment_id(arena, scope, name),
                      .name = name,
                      .scope = scope,
                      .key_scope = scope_key(arena, scope),
                      .role = role,
                      .role_id = lower_copy(arena, last_segment(role)),
                      .principal = lower_copy(arena, principal),
                      .type = json_text_at(properties, "principalType"),
                      .condition = json_text_at(properties, "condition"),
                      .condition_version = json_text_at(properties, "conditionVersion"),
                      .description = json_text_at(properties, "description"),
                      .delegated = json_text_at(properties, "delegatedManagedIdentityResourceId")};
    if (out->id.ptr == NULL || out->key_scope.ptr == NULL || out->role_id.ptr == NULL ||
        out->principal.ptr == NULL)
        return rf_fail_memory(err, arena);
    return read_condition(request, out, err);
}

static bool is_type(rf_str type)
{
    static const char *const types[] = {"User", "Group", "ServicePrincipal", "ForeignGroup",
                                        "Device"};
    for (size_t i = 0; i < RF_COUNT(types); i++)
        if (rf_str_is(type, types[i])) return true;
    return false;
}

static enum rf_kind check_principal(struct request *request, struct wish *wish, struct rf_err *err)
{
    struct rbac *rbac = request->service;
    struct principal found = {.object_id = {0}};
    rf_usec valid_from;
    enum rf_kind kind = RF_NOT_FOUND;
    if (wish->type.len > 0 && !is_type(wish->type))
        return RF_FAIL(err, RF_INVALID, "InvalidPrincipalType",
                       "The principal type '%.*s' is not valid.", (int)RF_MIN(wish->type.len, 64),
                       (const char *)wish->type.ptr);
    if (rbac->directory != NULL)
        kind = rbac->directory->find(rbac->directory->ctx, wish->principal, request->arena, &found,
                                     &valid_from, NULL);
    if (kind == RF_OK && wish->type.len > 0 && !rf_str_is(wish->type, type_of(found.type)))
        return RF_FAIL(err, RF_INVALID, "UnmatchedPrincipalType",
                       "The PrincipalId '%.*s' has type '%s', which is different from specified "
                       "PrincipalType '%.*s'.",
                       RF_FMT(wish->principal), type_of(found.type), RF_FMT(wish->type));
    if (kind != RF_OK && wish->type.len == 0)
        return RF_FAIL(err, RF_INVALID, "PrincipalNotFound",
                       "Principal %.*s does not exist in the directory %.*s.",
                       RF_FMT(wish->principal), RF_FMT(request->site->tenant_id));
    if (wish->type.len == 0) wish->type = rf_str_of(type_of(found.type));
    return RF_OK;
}

static bool is_assignable(const struct role *role, rf_str scope, struct rf_arena *arena)
{
    if (role->assignable == NULL) return true;
    for (uint32_t i = 0; i < role->assignable->count; i++) {
        rf_str above = scope_key(arena, role->assignable->items[i]);
        if (above.ptr != NULL && scope_covers(above, scope)) return true;
    }
    return false;
}

static enum rf_kind check_role(struct request *request, const struct wish *wish, struct rf_err *err)
{
    struct rbac *rbac = request->service;
    RF_CLEANUP(snapshot_unref_at) struct snapshot *snapshot = NULL;
    RF_TRY(authz_snapshot(rbac->authz, &snapshot, err));
    const struct role *role = snapshot_role(snapshot, wish->role_id);
    if (role == NULL)
        return RF_FAIL(err, RF_NOT_FOUND, "RoleDefinitionDoesNotExist",
                       "The specified role definition with ID '%.*s' does not exist.",
                       RF_FMT(wish->role_id));
    if (!is_assignable(role, wish->key_scope, request->arena))
        return RF_FAIL(err, RF_INVALID, "RoleAssignmentScopeNotAssignableToRoleDefinition",
                       "The scope '%.*s' is none of the assignable scopes of the role definition "
                       "'%.*s'.",
                       (int)RF_MIN(wish->scope.len, 400), (const char *)wish->scope.ptr,
                       RF_FMT(wish->role_id));
    return RF_OK;
}

/* One principal has one role at one scope once. */
static enum rf_kind check_unique(struct request *request, struct state_txn *txn,
                                 const struct wish *wish, struct rf_err *err)
{
    struct state_list list;
    struct state_scan scan = {
        .space = ROLE_ASSIGNMENT_SPACE, .index = "principal", .value = wish->principal};
    RF_TRY(state_list(txn, &scan, request->arena, &list, err));
    for (uint32_t i = 0; i < list.count; i++) {
        struct json_node *body;
        RF_TRY(json_parse(list.items[i].body, request->arena, &body, err));
        rf_str role = last_segment(json_text_at(body, "properties.roleDefinitionId"));
        rf_str scope = scope_key(request->arena, json_text_at(body, "properties.scope"));
        if (!rf_str_eq_nocase(role, wish->role_id) || !rf_str_eq(scope, wish->key_scope)) continue;
        if (rf_str_eq_nocase(json_text_at(body, "id"), wish->id)) continue;
        rf_str name = json_text_at(body, "name");
        return RF_FAIL(err, RF_CONFLICT, "RoleAssignmentExists",
                       "The role assignment already exists. The ID of the existing role assignment "
                       "is %.*s.",
                       RF_FMT(name));
    }
    return RF_OK;
}

static enum rf_kind check_before(const struct wish *wish, const struct json_node *before,
                                 struct rf_err *err)
{
    if (before == NULL) return RF_OK;
    rf_str role = last_segment(json_text_at(before, "properties.roleDefinitionId"));
    if (rf_str_eq_nocase(role, wish->role_id) &&
        rf_str_eq_nocase(json_text_at(before, "properties.principalId"), wish->principal))
        return RF_OK;
    return RF_FAIL(err, RF_CONFLICT, "RoleAssignmentUpdateNotPermitted",
                   "Tenant ID, application ID, principal ID, and scope are not allowed to be "
                   "updated.");
}

static void set_or_null(struct rf_arena *arena, struct json_node *object, const char *name,
                        rf_str text)
{
    if (text.len > 0)
        json_set_text(arena, object, name, text);
    else
        json_set(arena, object, rf_str_of(name), json_new(arena, JSON_T_NULL));
}

static struct json_node *make_document(struct request *request, const struct wish *wish,
                                       const struct json_node *before)
{
    struct rf_arena *arena = request->arena;
    struct json_node *document = json_new(arena, JSON_T_OBJECT);
    struct json_node *properties = json_object_in(arena, document, "properties");
    rf_str now = time_iso(arena, request->now), me = request->principal->object_id;
    rf_str created = json_text_at(before, "properties.createdOn");
    rf_str creator = json_text_at(before, "properties.createdBy");
    json_set_text(arena, properties, "roleDefinitionId",
                  definition_id(arena, wish->scope, wish->role_id));
    json_set_text(arena, properties, "principalId", wish->principal);
    json_set_text(arena, properties, "principalType", wish->type);
    json_set_text(arena, properties, "scope", wish->scope);
    set_or_null(arena, properties, "condition", wish->condition);
    set_or_null(arena, properties, "conditionVersion", wish->condition_version);
    json_set_text(arena, properties, "createdOn", created.len > 0 ? created : now);
    json_set_text(arena, properties, "updatedOn", now);
    json_set_text(arena, properties, "createdBy", before != NULL ? creator : me);
    json_set_text(arena, properties, "updatedBy", me);
    set_or_null(arena, properties, "delegatedManagedIdentityResourceId", wish->delegated);
    set_or_null(arena, properties, "description", wish->description);
    json_set_text(arena, document, "id", wish->id);
    json_set_text(arena, document, "type", RF_S(TYPE));
    return json_set_text(arena, document, "name", wish->name) == NULL ? NULL : document;
}

static enum rf_kind store(struct request *request, struct state_txn *txn, const struct wish *wish,
                          struct json_node **out, bool *created, struct rf_err *err)
{
    struct json_node *before = NULL;
    enum rf_kind kind = stored(request, txn, wish->id, &before, err);
    if (kind != RF_OK && kind != RF_NOT_FOUND) return kind;
    RF_TRY(check_before(wish, before, err));
    RF_TRY(check_unique(request, txn, wish, err));
    *out = make_document(request, wish, before);
    if (*out == NULL) return rf_fail_memory(err, request->arena);
    return assignment_put(txn, wish->id, *out, request->arena, created, err);
}

/* As Azure has it, the body is JSON text inside a string. */
static void write_row(struct request *request, const char *action, const char *name, rf_str id,
                      uint16_t status, const char *member, const struct json_node *document)
{
    struct activity activity = {.action = rf_str_of(action),
                                .operation_name = rf_str_of(name),
                                .resource_id = id,
                                .status = status};
    rf_str text = json_to_text(request->arena, document);
    rf_str quoted = json_to_text(request->arena, json_new_text(request->arena, text));
    if (text.ptr != NULL && quoted.ptr != NULL)
        activity.more_json = rf_arena_printf(request->arena, "\"%s\":%.*s", member, RF_FMT(quoted));
    activity_write(request, &activity);
}

/* Checks and stores what `body` asks for at the scope and under the name among the request's variables. */
static enum rf_kind put(struct request *request, const struct json_node *body, struct wish *wish,
                        struct json_node **out, bool *created, struct rf_err *err)
{
    struct rbac *rbac = request->service;
    struct state_txn *txn = NULL;
    RF_TRY(read_wish(request, body, wish, err));
    RF_TRY(check_role(request, wish, err));
    RF_TRY(check_principal(request, wish, err));
    RF_TRY(state_begin_write(authz_state(rbac->authz), &txn, err));
    enum rf_kind kind = store(request, txn, wish, out, created, err);
    if (kind == RF_OK) return state_commit(txn, err);
    state_end(txn);
    return kind;
}

enum rf_kind rbac_assignment_put(struct request *request, struct rf_err *err)
{
    struct json_node *body, *document = NULL;
    struct wish wish;
    bool created = false;
    RF_TRY(rbac_version(request, err));
    RF_TRY(request_json(request, false, &body, err));
    RF_TRY(put(request, body, &wish, &document, &created, err));
    uint16_t status = created ? 201 : 200;
    write_row(request, RBAC_ASSIGNMENT_WRITE, "Create role assignment", wish.id, status,
              "requestbody", body);
    return request_answer(request, status, document);
}

/* Cuts "{scope}/providers/Microsoft.Authorization/roleAssignments/{name}" into the variables of the API's route. */
static bool cut_id(rf_str id, struct request *request)
{
    rf_str words = RF_S("/providers/" TYPE "/"), name = last_segment(id);
    while (id.len > 1 && id.ptr[0] == '/' && id.ptr[1] == '/') id = rf_slice(id, 1, id.len);
    if (id.len < words.len + name.len || id.ptr[0] != '/') return false;
    size_t at = id.len - name.len - words.len;
    if (!rf_str_eq_nocase(rf_slice(id, at, at + words.len), words)) return false;
    rf_str scope = rf_slice(id, at > 0, at > 0 ? at : 0);
    request->variables[0] = (struct route_variable){RF_S("scope"), scope};
    request->variables[1] = (struct route_variable){RF_S("name"), name};
    request->variable_count = 2;
    return true;
}

enum rf_kind authz_put_assignment(struct authz *authz, const struct request *request, rf_str id,
                                  struct json_node *body, struct json_node **out, bool *created,
                                  struct rf_err *err)
{
    struct request own = *request; /* as the API's own route would see it */
    struct route_need need;
    struct wish wish;
    own.service = authz_rbac(authz);
    if (!cut_id(id, &own))
        return RF_FAIL(err, RF_INVALID, "InvalidRoleAssignmentId",
                       "The id '%.*s' is none of a role assignment.", (int)RF_MIN(id.len, 400),
                       (const char *)id.ptr);
    rf_str scope = rbac_scope(&own);
    struct json_node *judged = json_clone(own.arena, body);
    if (scope.ptr == NULL || (judged == NULL && body != NULL))
        return rf_fail_memory(err, own.arena);
    RF_TRY(fill_type(&own, judged));
    judge(&own, judged, RBAC_ASSIGNMENT_WRITE, scope, &need);
    if (!need.is_open_to_members) return authz_denied(own.principal, need.action, scope, err);
    RF_TRY(put(&own, body, &wish, out, created, err));
    write_row(&own, RBAC_ASSIGNMENT_WRITE, "Create role assignment", wish.id, *created ? 201 : 200,
              "requestbody", body);
    return RF_OK;
}

static enum rf_kind take_away(struct request *request, struct state_txn *txn, rf_str id,
                              struct json_node **out, struct rf_err *err)
{
    RF_TRY(stored(request, txn, id, out, err));
    return state_delete(txn, ROLE_ASSIGNMENT_SPACE, lower_copy(request->arena, id), err);
}

enum rf_kind rbac_assignment_delete(struct request *request, struct rf_err *err)
{
    struct rbac *rbac = request->service;
    struct json_node *document = NULL;
    struct state_txn *txn = NULL;
    rf_str id =
        assignment_id(request->arena, rbac_scope(request), request_variable(request, "name"));
    if (id.ptr == NULL) return rf_fail_memory(err, request->arena);
    RF_TRY(rbac_version(request, err));
    RF_TRY(state_begin_write(authz_state(rbac->authz), &txn, err));
    enum rf_kind kind = take_away(request, txn, id, &document, err);
    if (kind == RF_OK)
        kind = state_commit(txn, err);
    else
        state_end(txn);
    if (kind == RF_NOT_FOUND) return request_answer_empty(request, 204);
    RF_TRY(kind);
    write_row(request, RBAC_ASSIGNMENT_DELETE, "Delete role assignment", id, 200, "responseBody",
              document);
    return request_answer(request, 200, document);
}
