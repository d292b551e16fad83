#include "authz/authz_int.h"
#include "base/encode.h"

/* Space "roleAssignment", key = lower-case id, body = the document as it is answered. Indexes: "principal" (lower case) and
 * "role" (GUID in lower case). */

static bool is_same(const struct json_node *body, rf_str role, rf_str scope, struct rf_arena *arena)
{
    rf_str definition = json_text_at(body, "properties.roleDefinitionId");
    rf_str there = scope_key(arena, json_text_at(body, "properties.scope"));
    return rf_str_eq_nocase(last_segment(definition), role) && rf_str_eq(there, scope);
}

static enum rf_kind find_same(struct state_txn *txn, rf_str principal, rf_str role, rf_str scope,
                              struct rf_arena *arena, bool *found, struct rf_err *err)
{
    struct state_list list;
    struct state_scan scan = {
        .space = ROLE_ASSIGNMENT_SPACE, .index = "principal", .value = principal};
    RF_TRY(state_list(txn, &scan, arena, &list, err));
    *found = false;
    for (uint32_t i = 0; i < list.count && !*found; i++) {
        struct json_node *body;
        RF_TRY(json_parse(list.items[i].body, arena, &body, err));
        *found = is_same(body, role, scope, arena);
    }
    return RF_OK;
}

enum rf_kind assignment_put(struct state_txn *txn, rf_str id, const struct json_node *body,
                            struct rf_arena *arena, bool *created, struct rf_err *err)
{
    rf_str role = last_segment(json_text_at(body, "properties.roleDefinitionId"));
    struct state_index indexes[] = {
        {"principal", lower_copy(arena, json_text_at(body, "properties.principalId"))},
        {"role", lower_copy(arena, role)}};
    struct state_put put = {.space = ROLE_ASSIGNMENT_SPACE,
                            .key = lower_copy(arena, id),
                            .body = json_to_text(arena, body),
                            .indexes = indexes,
                            .index_count = RF_COUNT(indexes)};
    if (put.key.ptr == NULL || put.body.ptr == NULL || indexes[0].value.ptr == NULL ||
        indexes[1].value.ptr == NULL)
        return rf_fail_memory(err, arena);
    return state_put(txn, &put, NULL, created, err);
}

rf_str assignment_id(struct rf_arena *arena, rf_str scope, rf_str name)
{
    while (scope.len > 0 && scope.ptr[0] == '/') scope = rf_slice(scope, 1, scope.len);
    while (scope.len > 0 && scope.ptr[scope.len - 1] == '/') scope.len--;
    return rf_arena_printf(arena, "%s%.*s/providers/Microsoft.Authorization/roleAssignments/%.*s",
                           scope.len > 0 ? "/" : "", RF_FMT(scope), RF_FMT(name));
}

/* The id of a definition as Azure writes it: below the subscription of the scope, if it has one. */
rf_str definition_id(struct rf_arena *arena, rf_str scope, rf_str role)
{
    rf_str word = RF_S("/subscriptions/"), subscription = {0};
    if (scope.len > word.len && rf_str_eq_nocase(rf_slice(scope, 0, word.len), word)) {
        size_t slash = rf_str_find(scope, RF_S("/"), word.len);
        subscription = rf_slice(scope, 0, slash == SIZE_MAX ? scope.len : slash);
    }
    return rf_arena_printf(arena, "%.*s/providers/Microsoft.Authorization/roleDefinitions/%.*s",
                           RF_FMT(subscription), RF_FMT(role));
}

static struct json_node *make_body(struct rf_arena *arena, rf_str id, rf_str name, rf_str scope,
                                   rf_str role, rf_str principal, rf_str type, rf_usec now)
{
    struct json_node *body = json_new(arena, JSON_T_OBJECT);
    struct json_node *properties = json_object_in(arena, body, "properties");
    rf_str when = time_iso(arena, now);
    json_set_text(arena, properties, "roleDefinitionId", definition_id(arena, scope, role));
    json_set_text(arena, properties, "principalId", principal);
    json_set_text(arena, properties, "principalType", type);
    json_set_text(arena, properties, "scope", scope);
    json_set_text(arena, properties, "createdOn", when);
    json_set_text(arena, properties, "updatedOn", when);
    json_set_text(arena, body, "id", id);
    json_set_text(arena, body, "type", RF_S("Microsoft.Authorization/roleAssignments"));
    return json_set_text(arena, body, "name", name) == NULL ? NULL : body;
}

static enum rf_kind assign(struct state_txn *txn, rf_str principal, rf_str type, rf_str role,
                           rf_str scope, struct rf_arena *arena, struct rf_err *err)
{
    bool found;
    rf_str key = scope_key(arena, scope), id_lower = lower_copy(arena, principal);
    if (key.ptr == NULL || id_lower.ptr == NULL) return rf_fail_memory(err, arena);
    RF_TRY(find_same(txn, id_lower, role, key, arena, &found, err));
    if (found) return RF_OK;
    rf_str name = guid_random(arena), id = assignment_id(arena, scope, name);
    struct json_node *body =
        make_body(arena, id, name, scope, role, id_lower, type, rf_clock_now(rf_clock_real()));
    if (name.ptr == NULL || id.ptr == NULL || body == NULL) return rf_fail_memory(err, arena);
    return assignment_put(txn, id, body, arena, NULL, err);
}

enum rf_kind authz_assign(struct authz *authz, struct state_txn *txn, rf_str principal_id,
                          const char *principal_type, const char *role, rf_str scope,
                          struct rf_err *err)
{
    (void)authz; /* the next check sees that the space has changed */
    enum { ASSIGN_BYTES_MAX = 16 << 20 };
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, ASSIGN_BYTES_MAX);
    return assign(txn, principal_id, rf_str_of(principal_type), rf_str_of(role), scope, &arena,
                  err);
}
