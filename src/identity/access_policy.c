#include "identity/access_policy_int.h"

#include "identity/risk_int.h"

bool access_text_in(const struct json_node *list, rf_str text)
{
    if (!json_is(list, JSON_T_ARRAY) || text.len == 0) return false;
    for (const struct json_node *item = list->first; item != NULL; item = item->next)
        if (item->type == JSON_T_STRING && rf_str_eq_nocase(item->text, text)) return true;
    return false;
}

/* ---- loading ------------------------------------------------------------------------------------------------------------------- */

static enum rf_kind load_setting(struct state_txn *txn, const char *key, struct rf_arena *arena,
                                 struct json_node **out, struct rf_err *err)
{
    *out = NULL;
    enum rf_kind kind = object_get(txn, "accessSetting", rf_str_of(key), arena, out, err);
    return kind == RF_NOT_FOUND ? RF_OK : kind;
}

/* A policy names a strength by its id; what the strength allows may have changed since. */
static enum rf_kind resolve_strength(struct state_txn *txn, struct json_node *policy,
                                     struct rf_arena *arena, struct rf_err *err)
{
    struct json_node *named = json_at(policy, "grantControls.authenticationStrength"), *strength;
    if (!json_is(named, JSON_T_OBJECT)) return RF_OK;
    json_remove(named, RF_S("allowedCombinations"));
    enum rf_kind kind = object_get(txn, "authenticationStrengthPolicy", json_text_at(named, "id"),
                                   arena, &strength, err);
    if (kind == RF_NOT_FOUND) return RF_OK;
    RF_TRY(kind);
    const struct json_node *allowed = json_get(strength, "allowedCombinations");
    if (allowed == NULL) return RF_OK;
    return json_set(arena, named, RF_S("allowedCombinations"), json_clone(arena, allowed)) == NULL
               ? rf_fail_memory(err, arena)
               : RF_OK;
}

static const struct json_node *security_defaults(struct rf_arena *arena)
{
    struct json_node *policy;
    struct rf_err err;
    rf_str text =
        RF_S("{\"id\":\"" SECURITY_DEFAULTS_ID "\",\"displayName\":\"Security defaults\","
             "\"state\":\"enabled\",\"conditions\":{\"users\":{\"includeUsers\":[\"All\"]},"
             "\"applications\":{\"includeApplications\":[\"All\"]},\"clientAppTypes\":[\"all\"]},"
             "\"grantControls\":{\"operator\":\"OR\",\"builtInControls\":[\"mfa\"]}}");
    return json_parse(text, arena, &policy, &err) == RF_OK ? policy : NULL;
}

static enum rf_kind load_policies(struct state_txn *txn, struct rf_arena *arena,
                                  struct access_policies *out, struct rf_err *err)
{
    struct object_list list;
    RF_TRY(object_list(txn, "conditionalAccessPolicy", NULL, (rf_str){0}, arena, &list, err));
    out->policies = rf_arena_new(arena, const struct json_node *, (size_t)list.count + 1);
    if (out->policies == NULL) return rf_fail_memory(err, arena);
    for (uint32_t i = 0; i < list.count; i++) {
        RF_TRY(resolve_strength(txn, list.items[i], arena, err));
        out->policies[out->policy_count++] = list.items[i];
    }
    if (!out->security_defaults) return RF_OK;
    out->policies[out->policy_count] = security_defaults(arena);
    return out->policies[out->policy_count++] == NULL ? rf_fail_memory(err, arena) : RF_OK;
}

enum rf_kind access_load(struct state_txn *txn, struct rf_arena *arena, struct access_policies *out,
                         struct rf_err *err)
{
    struct access_policies set = {.policy_count = 0};
    struct json_node *defaults, *emergency, *methods;
    struct object_list list;
    RF_TRY(load_setting(txn, "securityDefaults", arena, &defaults, err));
    RF_TRY(load_setting(txn, "emergencyAccess", arena, &emergency, err));
    RF_TRY(load_setting(txn, "authenticationMethods", arena, &methods, err));
    set.security_defaults = json_bool_at(defaults, "isEnabled", false);
    set.emergency = json_get(emergency, "userIds");
    set.methods = methods;
    RF_TRY(load_policies(txn, arena, &set, err));
    RF_TRY(object_list(txn, "namedLocation", NULL, (rf_str){0}, arena, &list, err));
    set.locations = rf_arena_new(arena, const struct json_node *, (size_t)list.count + 1);
    if (set.locations == NULL) return rf_fail_memory(err, arena);
    for (uint32_t i = 0; i < list.count; i++) set.locations[set.location_count++] = list.items[i];
    *out = set;
    return RF_OK;
}

static uint64_t stamp_of(struct identity *identity)
{
    static const char *const spaces[] = {"conditionalAccessPolicy", "namedLocation",
                                         "authenticationStrengthPolicy", "accessSetting"};
    uint64_t sum = 0;
    for (size_t i = 0; i < RF_COUNT(spaces); i++)
        sum += state_version(identity->options.state, spaces[i]);
    return sum;
}

enum rf_kind identity_policies(struct identity *identity, struct memo_entry **out,
                               struct rf_err *err)
{
    rf_str key = RF_S("accessPolicies");
    uint64_t stamp = stamp_of(identity); /* before what is read */
    *out = memo_find(identity->memo, key, stamp);
    if (*out != NULL) return RF_OK;
    RF_CLEANUP(memo_release) struct memo_entry *entry = memo_entry_new(key, stamp);
    if (entry == NULL) return RF_FAIL(err, RF_LIMIT, "OutOfMemory", "no memory for policies");
    struct access_policies *set = rf_arena_new(&entry->arena, struct access_policies, 1);
    if (set == NULL) return rf_fail_memory(err, &entry->arena);
    IDENTITY_TXN txn = NULL;
    RF_TRY(state_begin_read(identity->options.state, &txn, err));
    RF_TRY(access_load(txn, &entry->arena, set, err));
    entry->value = set;
    memo_add(identity->memo, entry);
    *out = entry;
    entry = NULL;
    return RF_OK;
}

/* ---- who it is ------------------------------------------------------------------------------------------------------------------- */

struct role_set {
    rf_str *items;
    uint32_t count, cap;
};

static enum rf_kind add_role(struct role_set *set, rf_str role, struct rf_arena *arena,
                             struct rf_err *err)
{
    if (set->count == set->cap) {
        uint32_t cap = set->cap == 0 ? 8 : set->cap * 2;
        set->items = rf_arena_grow(arena, set->items, set->cap * sizeof *set->items,
                                   cap * sizeof *set->items);
        if (set->items == NULL) return rf_fail_memory(err, arena);
        set->cap = cap;
    }
    set->items[set->count++] = role;
    return RF_OK;
}

/* Those that were given for good, and those that were activated for a while (graph_elevate.c). */
static enum rf_kind add_roles(struct state_txn *txn, rf_str principal, rf_usec now,
                              struct rf_arena *arena, struct role_set *set, struct rf_err *err)
{
    struct object_list list;
    int64_t from, until;
    RF_TRY(
        object_list(txn, "directoryRoleAssignment", "principalId", principal, arena, &list, err));
    for (uint32_t i = 0; i < list.count; i++)
        RF_TRY(add_role(set, json_text_at(list.items[i], "roleDefinitionId"), arena, err));
    RF_TRY(object_list(txn, "roleActivation", "principalId", principal, arena, &list, err));
    for (uint32_t i = 0; i < list.count; i++)
        if (json_i64_at(list.items[i], "~from", &from) && from <= now &&
            json_i64_at(list.items[i], "~until", &until) && now < until)
            RF_TRY(add_role(set, json_text_at(list.items[i], "roleDefinitionId"), arena, err));
    return RF_OK;
}

enum rf_kind access_roles_of(struct state_txn *txn, rf_str principal, const rf_str *groups,
                             uint32_t group_count, rf_usec now, struct rf_arena *arena,
                             rf_str **out, uint32_t *count, struct rf_err *err)
{
    struct role_set set = {.count = 0};
    RF_TRY(add_roles(txn, principal, now, arena, &set, err));
    for (uint32_t i = 0; i < group_count; i++)
        RF_TRY(add_roles(txn, groups[i], now, arena, &set, err));
    *out = set.items;
    *count = set.count;
    return RF_OK;
}

enum rf_kind access_person(struct state_txn *txn, const struct access_policies *set,
                           struct rf_arena *arena, struct policy_input *input, struct rf_err *err)
{
    struct json_node *user;
    rf_str *groups, *roles;
    if (input->user.len == 0) return RF_OK;
    RF_TRY(object_get(txn, "user", input->user, arena, &user, err));
    RF_TRY(groups_of(txn, input->user, arena, &groups, &input->group_count, err));
    RF_TRY(access_roles_of(txn, input->user, groups, input->group_count, input->now, arena, &roles,
                           &input->role_count, err));
    if (input->user_risk == RISK_NONE)
        RF_TRY(risk_user_level(txn, input->user, arena, &input->user_risk, err));
    input->groups = groups;
    input->roles = roles;
    input->guest = rf_str_eq_nocase(json_text_at(user, "userType"), RF_S("Guest"));
    input->is_break_glass =
        json_bool_at(user, "~breakGlass", false) || access_text_in(set->emergency, input->user);
    return RF_OK;
}

/* ---- one sign-in -------------------------------------------------------------------------------------------------------------------- */

/* What logs and pages tell of a policy, so that the set itself may go. */
static const struct json_node *outline_of(const struct json_node *policy, struct rf_arena *arena)
{
    static const char *const names[] = {"id", "displayName", "state", "grantControls",
                                        "sessionControls"};
    struct json_node *outline = json_new(arena, JSON_T_OBJECT);
    for (size_t i = 0; i < RF_COUNT(names); i++) {
        const struct json_node *member = json_get(policy, names[i]);
        if (member == NULL) continue;
        if (json_set(arena, outline, rf_str_of(names[i]), json_clone(arena, member)) == NULL)
            return NULL;
    }
    return outline;
}

static enum rf_kind outline_rows(struct policy_verdict *verdict, struct rf_arena *arena,
                                 struct rf_err *err)
{
    for (uint32_t i = 0; i < verdict->row_count; i++) {
        struct policy_row *row = &verdict->rows[i];
        const struct json_node *outline = outline_of(row->policy, arena);
        if (outline == NULL) return rf_fail_memory(err, arena);
        if (verdict->blocked_by == row->policy) verdict->blocked_by = outline;
        if (verdict->asked_by == row->policy) verdict->asked_by = outline;
        row->policy = outline;
    }
    return RF_OK;
}

enum rf_kind access_evaluate(struct identity *identity, struct policy_input *input,
                             struct rf_arena *arena, struct policy_verdict *out, struct rf_err *err)
{
    RF_CLEANUP(memo_release) struct memo_entry *entry = NULL;
    struct policy_verdict verdict;
    RF_TRY(identity_policies(identity, &entry, err));
    const struct access_policies *set = entry->value;
    if (set->policy_count > 0 && input->user.len > 0) {
        IDENTITY_TXN txn = NULL;
        RF_TRY(state_begin_read(identity->options.state, &txn, err));
        RF_TRY(access_person(txn, set, arena, input, err));
    }
    const struct place place =
        place_of_address(set->locations, set->location_count, input->address);
    if (input->country.len == 0 && !rf_arena_str(arena, place.country, &input->country))
        return rf_fail_memory(err, arena);
    RF_TRY(policy_evaluate(set->policies, set->policy_count, set->locations, set->location_count,
                           input, arena, &verdict, err));
    RF_TRY(outline_rows(&verdict, arena, err));
    *out = verdict;
    return RF_OK;
}

enum rf_kind access_method_enabled(struct identity *identity, const char *method, bool *enabled,
                                   struct rf_err *err)
{
    RF_CLEANUP(memo_release) struct memo_entry *entry = NULL;
    RF_TRY(identity_policies(identity, &entry, err));
    const struct access_policies *set = entry->value;
    const struct json_node *list = json_get(set->methods, "authenticationMethodConfigurations");
    *enabled = true;
    for (const struct json_node *m = list == NULL ? NULL : list->first; m != NULL; m = m->next)
        if (rf_str_eq_nocase(json_text_at(m, "id"), rf_str_of(method)))
            *enabled = rf_str_is(json_text_at(m, "state"), "enabled");
    return RF_OK;
}
