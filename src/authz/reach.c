/* reach.c - what roles say about places rather than about one request: for reports and lists. What a check would say is asked of the check itself. */
#include "authz/reach.h"

#include "authz/authz_int.h"

static bool is_of(const struct principal *principal, rf_str id)
{
    if (rf_str_eq_nocase(id, principal->object_id)) return true;
    for (uint32_t i = 0; i < principal->group_count; i++)
        if (rf_str_eq_nocase(id, principal->groups[i])) return true;
    return false;
}

static bool role_has_condition(const struct role *role)
{
    for (uint32_t i = 0; role != NULL && i < role->permission_count; i++)
        if (role->permissions[i].condition_text.len > 0) return true;
    return false;
}

static bool lies_below(rf_str scope, rf_str above)
{
    return scope.len > above.len && scope_covers(above, scope);
}

static bool varies(const struct snapshot *snapshot, const struct principal *principal, rf_str key)
{
    for (uint32_t i = 0; i < snapshot->deny_count; i++)
        if (lies_below(snapshot->denies[i].scope, key) ||
            (snapshot->denies[i].only_here && rf_str_eq(snapshot->denies[i].scope, key)))
            return true;
    for (uint32_t i = 0; i < snapshot->assignment_count; i++) {
        const struct assignment *a = &snapshot->assignments[i];
        bool is_below = lies_below(a->scope, key);
        bool may_vary = a->has_condition || role_has_condition(a->role);
        if (!is_below && !(may_vary && scope_covers(a->scope, key))) continue;
        if (is_of(principal, a->principal)) return true;
    }
    return false;
}

bool authz_varies_below(struct authz *authz, const struct principal *principal, rf_str scope)
{
    RF_CLEANUP(snapshot_unref_at) struct snapshot *snapshot = NULL;
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    struct rf_err err;
    rf_arena_init(&arena, 64 << 10);
    rf_str key = scope_key(&arena, scope);
    if (key.ptr == NULL || authz_snapshot(authz, &snapshot, &err) != RF_OK) return true;
    return varies(snapshot, principal, key);
}

/* ---- who is given an action -------------------------------------------------------------------------------------------------------- */

/* 0: it does not; 1: it does; 2: where a condition holds. */
static int grants(const struct role *role, rf_str action, bool is_data)
{
    int best = 0;
    for (uint32_t i = 0; role != NULL && i < role->permission_count && best != 1; i++)
        if (permission_grants(&role->permissions[i], action, is_data))
            best = role->permissions[i].condition_text.len > 0 ? 2 : 1;
    return best;
}

enum rf_kind authz_grants(struct authz *authz, rf_str action, rf_str scope, bool is_data,
                          struct rf_arena *arena, struct authz_grant **out, uint32_t *count,
                          struct rf_err *err)
{
    RF_CLEANUP(snapshot_unref_at) struct snapshot *snapshot = NULL;
    RF_TRY(authz_snapshot(authz, &snapshot, err));
    rf_str key = scope_key(arena, scope);
    uint32_t found = 0;
    struct authz_grant *all =
        rf_arena_new(arena, struct authz_grant, (size_t)snapshot->assignment_count + 1);
    if (key.ptr == NULL || all == NULL) return rf_fail_memory(err, arena);
    for (uint32_t i = 0; i < snapshot->assignment_count; i++) {
        const struct assignment *a = &snapshot->assignments[i];
        int given = scope_covers(a->scope, key) ? grants(a->role, action, is_data) : 0;
        if (given == 0) continue;
        struct authz_grant *grant = &all[found++];
        *grant = (struct authz_grant){.is_conditional = given == 2 || a->has_condition};
        if (!rf_arena_str(arena, a->principal, &grant->principal) ||
            !rf_arena_str(arena, a->key, &grant->assignment) ||
            !rf_arena_str(arena, a->scope, &grant->scope) ||
            !rf_arena_str(arena, a->role_id, &grant->role) ||
            !rf_arena_str(arena, a->role->name, &grant->role_name))
            return rf_fail_memory(err, arena);
    }
    *out = all;
    *count = found;
    return RF_OK;
}

static bool is_among(const rf_str *names, uint32_t count, rf_str name)
{
    for (uint32_t i = 0; i < count; i++)
        if (rf_str_eq(names[i], name)) return true;
    return false;
}

enum rf_kind authz_roles_at(struct authz *authz, const struct principal *principal, rf_str scope,
                            struct rf_arena *arena, rf_str **names, uint32_t *count,
                            struct rf_err *err)
{
    RF_CLEANUP(snapshot_unref_at) struct snapshot *snapshot = NULL;
    RF_TRY(authz_snapshot(authz, &snapshot, err));
    rf_str key = scope_key(arena, scope);
    rf_str *all = rf_arena_new(arena, rf_str, (size_t)snapshot->assignment_count + 1);
    uint32_t found = 0;
    if (key.ptr == NULL || all == NULL) return rf_fail_memory(err, arena);
    for (uint32_t i = 0; i < snapshot->assignment_count; i++) {
        const struct assignment *a = &snapshot->assignments[i];
        if (a->role == NULL || !scope_covers(a->scope, key) || !is_of(principal, a->principal) ||
            is_among(all, found, a->role->name))
            continue;
        if (!rf_arena_str(arena, a->role->name, &all[found++])) return rf_fail_memory(err, arena);
    }
    *names = all;
    *count = found;
    return RF_OK;
}

/* ---- what is denied ------------------------------------------------------------------------------------------------------------------ */

bool authz_denies(struct authz *authz, const struct principal *principal, rf_str action,
                  rf_str scope, bool is_data)
{
    struct condition_subject subject = {
        .principal = principal, .action = action, .is_data = is_data, .scope = scope};
    RF_CLEANUP(snapshot_unref_at) struct snapshot *snapshot = NULL;
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    struct rf_err err;
    rf_arena_init(&arena, 64 << 10);
    rf_str key = scope_key(&arena, scope);
    if (key.ptr == NULL || authz_snapshot(authz, &snapshot, &err) != RF_OK) return true;
    for (uint32_t i = 0; i < snapshot->deny_count; i++)
        if (deny_forbids(&snapshot->denies[i], &subject, key)) return true;
    return false;
}
