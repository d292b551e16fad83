#include "authz/authz_int.h"
#include "authz/route_walk.h"
#include "test/rf_prop.h"

#include <pthread.h>

Test(authz, matches_actions)
{
    static const struct {
        const char *pattern, *action;
        bool is;
    } table[] = {
        {"*", "a/b/read", true},
        {"*/read", "a/b/read", true},
        {"*/read", "a/b/readMore", false},
        {"*/read", "read", false},
        {"A.b/*", "a.B/c/write", true},
        {"A.b/*", "a.bc/write", false},
        {"A/*/read", "A/b/c/read", true},
        {"A/*/read", "A/read", false},
        {"A/*/Delete", "a/x/delete", true},
        {"A/b/read", "A/b/read", true},
        {"A/b/read", "A/b/write", false},
        {"", "a", false},
        {"**", "", true},
        {"a*b*c", "aXbYbZc", true},
        {"a*b*c", "aXbYbZ", false},
    };
    for (size_t i = 0; i < RF_COUNT(table); i++)
        cr_assert(action_matches(rf_str_of(table[i].pattern), rf_str_of(table[i].action)) ==
                      table[i].is,
                  "%s %s", table[i].pattern, table[i].action);
}

/* All ways of letting a star take bytes. */
static bool slow_match(const char *pattern, const char *action)
{
    if (*pattern == '\0') return *action == '\0';
    if (*pattern == '*')
        return slow_match(pattern + 1, action) ||
               (*action != '\0' && slow_match(pattern, action + 1));
    return *action != '\0' && rf_lower((uint8_t)*pattern) == rf_lower((uint8_t)*action) &&
           slow_match(pattern + 1, action + 1);
}

RF_PROP(action_matches_as_a_slow_matcher_does, 5000)
{
    char pattern[12] = "", action[12] = "";
    rf_str p = rf_test_bytes(prng, (uint8_t *)pattern, sizeof pattern - 1, "aA/*b");
    rf_str a = rf_test_bytes(prng, (uint8_t *)action, sizeof action - 1, "aA/b");
    cr_assert(action_matches(p, a) == slow_match(pattern, action), "%s %s", pattern, action);
}

Test(authz, scopes_cover_what_lies_below)
{
    static const struct {
        const char *above, *scope;
        bool covers;
    } table[] = {{"/", "/subscriptions/s", true},
                 {"/", "/", true},
                 {"/subscriptions/S", "/subscriptions/s/resourceGroups/g", true},
                 {"/subscriptions/s/", "//subscriptions/S/", true},
                 {"/subscriptions/s", "/subscriptions/s1", false},
                 {"/subscriptions/s", "/", false},
                 {"/subscriptions/s/resourceGroups/g", "/subscriptions/s", false}};
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 1 << 16);
    for (size_t i = 0; i < RF_COUNT(table); i++) {
        rf_str above = scope_key(&arena, rf_str_of(table[i].above));
        rf_str scope = scope_key(&arena, rf_str_of(table[i].scope));
        cr_assert(scope_covers(above, scope) == table[i].covers, "%s %s", table[i].above,
                  table[i].scope);
    }
}

static void assign(struct walk_site *walk, const char *principal, const char *role,
                   const char *scope)
{
    struct state_txn *txn;
    struct rf_err err;
    cr_assert(state_begin_write(walk->state, &txn, &err) == RF_OK);
    cr_assert(authz_assign(walk->authz, txn, rf_str_of(principal), "User", role, rf_str_of(scope),
                           &err) == RF_OK);
    cr_assert(state_commit(txn, &err) == RF_OK);
}

static bool may(struct walk_site *walk, const char *action, const char *scope, bool is_data)
{
    rf_str groups[] = {RF_S("GROUP-1")};
    struct principal principal = {
        .object_id = RF_S("Person-1"), .groups = groups, .group_count = 1};
    return authz_check(walk->authz, &principal, rf_str_of(action), rf_str_of(scope), is_data);
}

Test(authz, nobody_may_anything_at_first)
{
    struct walk_site walk;
    walk_site_init(&walk);
    cr_assert(!may(&walk, "a/read", "/", false));
    walk_site_done(&walk);
}

Test(authz, roles_give_what_they_list)
{
    struct walk_site walk;
    walk_site_init(&walk);
    assign(&walk, "PERSON-1", ROLE_CONTRIBUTOR, "/subscriptions/s");
    cr_assert(may(&walk, "Microsoft.X/y/write", "/subscriptions/S/resourceGroups/g", false));
    cr_assert(!may(&walk, "Microsoft.X/y/write", "/subscriptions/t", false));
    cr_assert(!may(&walk, "Microsoft.X/y/write", "/subscriptions/s", true), "no data actions");
    cr_assert(
        !may(&walk, "Microsoft.Authorization/roleAssignments/write", "/subscriptions/s", false));
    cr_assert(
        may(&walk, "Microsoft.Authorization/roleAssignments/read", "/subscriptions/s", false));
    /* notActions are taken off one role, they do not forbid another. */
    assign(&walk, "group-1", ROLE_OWNER, "/subscriptions/s/resourceGroups/g");
    cr_assert(may(&walk, "Microsoft.Authorization/roleAssignments/write",
                  "/subscriptions/s/resourcegroups/G/x", false));
    assign(&walk, "person-1", ROLE_METRICS_PUBLISHER, "/subscriptions/s/dcr");
    cr_assert(may(&walk, "Microsoft.Insights/Telemetry/Write", "/subscriptions/s/dcr", true));
    cr_assert(!may(&walk, "Microsoft.Insights/Telemetry/Write", "/subscriptions/s/dcr2", true));
    walk_site_done(&walk);
}

Test(authz, assigning_twice_is_assigning_once)
{
    struct walk_site walk;
    struct snapshot *snapshot;
    struct rf_err err;
    walk_site_init(&walk);
    assign(&walk, "a", ROLE_READER, "/subscriptions/S");
    assign(&walk, "A", ROLE_READER, "/subscriptions/s/");
    assign(&walk, "a", ROLE_READER, "/");
    cr_assert(authz_snapshot(walk.authz, &snapshot, &err) == RF_OK);
    cr_assert(snapshot->assignment_count == 2);
    snapshot_unref(snapshot);
    walk_site_done(&walk);
}

Test(authz, built_in_roles_are_well_formed)
{
    cr_assert(role_builtin_count >= 38);
    for (size_t i = 0; i < role_builtin_count; i++) {
        const struct role_data *role = &role_builtins[i];
        cr_assert(guid_is(rf_str_of(role->id)) && role->name != NULL && role->description != NULL);
        cr_assert(role->actions != NULL || role->data_actions != NULL, "%s", role->name);
        for (size_t k = 0; k < i; k++) {
            cr_assert(strcmp(role_builtins[k].id, role->id) != 0, "%s", role->name);
            cr_assert(strcmp(role_builtins[k].name, role->name) != 0, "%s", role->name);
        }
        const char *lists[] = {role->actions, role->not_actions, role->data_actions,
                               role->not_data_actions};
        for (size_t k = 0; k < RF_COUNT(lists); k++) {
            if (lists[k] == NULL) continue;
            cr_assert(strstr(lists[k], "  ") == NULL && lists[k][strlen(lists[k]) - 1] != ' ');
            cr_assert(strstr(lists[k], "*Microsoft") == NULL &&
                      strstr(lists[k], "readMicrosoft") == NULL);
        }
    }
}

/* ---- many threads ------------------------------------------------------------------------------------------ */

struct race {
    struct walk_site *walk;
    atomic_bool stop;
    atomic_uint checks;
};

static void *keep_checking(void *ctx)
{
    struct race *race = ctx;
    while (!atomic_load(&race->stop)) {
        cr_assert(may(race->walk, "a/read", "/subscriptions/always", false));
        cr_assert(!may(race->walk, "a/read", "/subscriptions/never", false));
        atomic_fetch_add(&race->checks, 1);
    }
    return NULL;
}

Test(authz, checks_go_on_while_roles_are_given)
{
    struct walk_site walk;
    walk_site_init(&walk);
    struct race race = {.walk = &walk};
    pthread_t threads[3];
    assign(&walk, "person-1", ROLE_READER, "/subscriptions/always");
    for (size_t i = 0; i < RF_COUNT(threads); i++)
        cr_assert(pthread_create(&threads[i], NULL, keep_checking, &race) == 0);
    for (int i = 0; i < 20; i++) {
        char scope[64];
        snprintf(scope, sizeof scope, "/subscriptions/s%d", i);
        cr_assert(!may(&walk, "a/read", scope, false));
        assign(&walk, "person-1", ROLE_READER, scope);
        cr_assert(may(&walk, "a/read", scope, false), "at once");
    }
    while (atomic_load(&race.checks) < 100) sched_yield();
    atomic_store(&race.stop, true);
    for (size_t i = 0; i < RF_COUNT(threads); i++) pthread_join(threads[i], NULL);
    walk_site_done(&walk);
}
