#include "authz/authz.h"

#include <pthread.h>
#include <stdlib.h>

#include "authz/authz_int.h"
#include "authz/condition_int.h"
#include "authz/rbac_int.h"
#include "base/encode.h"
#include "base/log.h"

enum { BUILTIN_BYTES_MAX = 8 << 20, SNAPSHOT_BYTES_MAX = 1 << 30 };
#define EVERYBODY "00000000-0000-0000-0000-000000000000"

struct authz {
    struct state *state;
    struct rf_arena arena; /* the built-in roles */
    rf_str tenant_id;
    struct role *builtins; /* in the order of their ids */
    uint32_t builtin_count;
    pthread_rwlock_t lock; /* of `newest` */
    struct snapshot *newest;
    pthread_mutex_t loading;
    struct rbac rbac;
};

static const char *const spaces[3] = {ROLE_ASSIGNMENT_SPACE, ROLE_DEFINITION_SPACE,
                                      DENY_ASSIGNMENT_SPACE};

/* ---- texts ----------------------------------------------------------------------------------------------- */

rf_str lower_copy(struct rf_arena *arena, rf_str text)
{
    uint8_t *copy = rf_arena_raw(arena, uint8_t, text.len + 1);
    if (copy == NULL) return (rf_str){0};
    for (size_t i = 0; i < text.len; i++) copy[i] = rf_lower(text.ptr[i]);
    return rf_str_make(copy, text.len);
}

rf_str last_segment(rf_str id)
{
    size_t from = id.len;
    while (from > 0 && id.ptr[from - 1] != '/') from--;
    return rf_slice(id, from, id.len);
}

rf_str scope_key(struct rf_arena *arena, rf_str scope)
{
    size_t from = 0, to = scope.len;
    while (from < to && scope.ptr[from] == '/') from++;
    while (to > from && scope.ptr[to - 1] == '/') to--;
    uint8_t *key = rf_arena_raw(arena, uint8_t, to - from + 1);
    if (key == NULL) return (rf_str){0};
    key[0] = '/';
    for (size_t i = from; i < to; i++) key[1 + i - from] = rf_lower(scope.ptr[i]);
    return rf_str_make(key, to - from + 1);
}

bool scope_covers(rf_str above, rf_str scope)
{
    if (above.len == 1) return true;
    if (!rf_str_starts(scope, above)) return false;
    return scope.len == above.len || scope.ptr[above.len] == '/';
}

bool action_matches(rf_str pattern, rf_str action)
{
    size_t p = 0, a = 0, star = SIZE_MAX, resume = 0;
    while (a < action.len) {
        if (p < pattern.len && pattern.ptr[p] == '*') {
            star = p++;
            resume = a;
        } else if (p < pattern.len && rf_lower(pattern.ptr[p]) == rf_lower(action.ptr[a])) {
            p++, a++;
        } else if (star != SIZE_MAX) {
            p = star + 1; /* let the last star take one byte more */
            a = ++resume;
        } else {
            return false;
        }
    }
    while (p < pattern.len && pattern.ptr[p] == '*') p++;
    return p == pattern.len;
}

static bool any_matches(const struct words *patterns, rf_str action)
{
    for (uint32_t i = 0; i < patterns->count; i++)
        if (action_matches(patterns->items[i], action)) return true;
    return false;
}

bool permission_grants(const struct permission *permission, rf_str action, bool is_data)
{
    const struct words *yes = is_data ? &permission->data_actions : &permission->actions;
    const struct words *no = is_data ? &permission->not_data_actions : &permission->not_actions;
    return any_matches(yes, action) && !any_matches(no, action);
}

/* ---- built-in roles -------------------------------------------------------------------------------------- */

static bool split_words(struct rf_arena *arena, const char *text, struct words *out)
{
    rf_str all = rf_str_of(text == NULL ? "" : text);
    uint32_t count = 0;
    for (size_t i = 0; i < all.len; i++) count += all.ptr[i] == ' ';
    out->items = rf_arena_new(arena, rf_str, count + 1);
    if (out->items == NULL) return false;
    for (size_t at = 0; at < all.len;) {
        size_t blank = rf_str_find(all, RF_S(" "), at);
        size_t end = blank == SIZE_MAX ? all.len : blank;
        if (end > at) out->items[out->count++] = rf_slice(all, at, end);
        at = end + 1;
    }
    return true;
}

static bool builtin_make(struct rf_arena *arena, const struct role_data *data, struct role *out)
{
    struct permission *permission = rf_arena_new(arena, struct permission, 1);
    *out = (struct role){.id = rf_str_of(data->id),
                         .name = rf_str_of(data->name),
                         .description = rf_str_of(data->description),
                         .permissions = permission,
                         .permission_count = 1,
                         .is_builtin = true};
    if (permission == NULL) return false;
    if (data->condition != NULL) {
        permission->condition_text = rf_str_of(data->condition);
        RF_ASSERT(condition_parse(permission->condition_text, arena, &permission->condition,
                                  NULL) == RF_OK);
    }
    return split_words(arena, data->actions, &permission->actions) &&
           split_words(arena, data->not_actions, &permission->not_actions) &&
           split_words(arena, data->data_actions, &permission->data_actions) &&
           split_words(arena, data->not_data_actions, &permission->not_data_actions);
}

static int compare_roles(const void *a, const void *b)
{
    return rf_str_cmp(((const struct role *)a)->id, ((const struct role *)b)->id);
}

static bool load_builtins(struct authz *authz)
{
    authz->builtin_count = (uint32_t)role_builtin_count;
    authz->builtins = rf_arena_new(&authz->arena, struct role, role_builtin_count);
    if (authz->builtins == NULL) return false;
    for (size_t i = 0; i < role_builtin_count; i++)
        if (!builtin_make(&authz->arena, &role_builtins[i], &authz->builtins[i])) return false;
    qsort(authz->builtins, authz->builtin_count, sizeof *authz->builtins, compare_roles);
    return true;
}

const struct role *authz_builtins(const struct authz *authz, uint32_t *count)
{
    *count = authz->builtin_count;
    return authz->builtins;
}

struct state *authz_state(struct authz *authz) { return authz->state; }
rf_str authz_tenant(const struct authz *authz) { return authz->tenant_id; }
struct rbac *authz_rbac(struct authz *authz) { return &authz->rbac; }

static const struct role *role_find(const struct role *roles, uint32_t count, rf_str id)
{
    const struct role wanted = {.id = id};
    return count == 0 ? NULL : bsearch(&wanted, roles, count, sizeof *roles, compare_roles);
}

const struct role *snapshot_role(const struct snapshot *snapshot, rf_str id)
{
    const struct authz *authz = snapshot->authz;
    const struct role *role = role_find(authz->builtins, authz->builtin_count, id);
    return role != NULL ? role : role_find(snapshot->customs, snapshot->custom_count, id);
}

/* ---- loading --------------------------------------------------------------------------------------------- */

static bool read_words(struct rf_arena *arena, const struct json_node *array, bool lower,
                       struct words *out)
{
    *out = (struct words){0};
    if (!json_is(array, JSON_T_ARRAY)) return true;
    out->items = rf_arena_new(arena, rf_str, array->count);
    if (out->items == NULL) return false;
    for (const struct json_node *n = array->first; n != NULL; n = n->next) {
        if (n->type != JSON_T_STRING) continue;
        rf_str text = lower ? lower_copy(arena, n->text) : n->text;
        if (text.ptr == NULL && n->text.len > 0) return false;
        out->items[out->count++] = text;
    }
    return true;
}

bool permissions_read(struct rf_arena *arena, const struct json_node *array,
                      struct permission **out, uint32_t *count)
{
    *count = 0;
    if (!json_is(array, JSON_T_ARRAY)) return true;
    struct permission *all = rf_arena_new(arena, struct permission, array->count);
    if (all == NULL) return false;
    for (const struct json_node *n = array->first; n != NULL; n = n->next) {
        struct permission *one = &all[(*count)++];
        if (!read_words(arena, json_get(n, "actions"), false, &one->actions) ||
            !read_words(arena, json_get(n, "notActions"), false, &one->not_actions) ||
            !read_words(arena, json_get(n, "dataActions"), false, &one->data_actions) ||
            !read_words(arena, json_get(n, "notDataActions"), false, &one->not_data_actions))
            return false;
    }
    *out = all;
    return true;
}

static enum rf_kind load_role(struct rf_arena *arena, const struct state_object *object,
                              struct role *out, struct rf_err *err)
{
    struct json_node *body;
    RF_TRY(json_parse(object->body, arena, &body, err));
    struct words *assignable = rf_arena_new(arena, struct words, 1);
    *out = (struct role){.id = object->key,
                         .name = json_text_at(body, "properties.roleName"),
                         .description = json_text_at(body, "properties.description"),
                         .assignable = assignable,
                         .body = object->body};
    if (assignable == NULL ||
        !permissions_read(arena, json_at(body, "properties.permissions"), &out->permissions,
                          &out->permission_count) ||
        !read_words(arena, json_at(body, "properties.assignableScopes"), false, assignable))
        return rf_fail_memory(err, arena);
    return RF_OK;
}

static enum rf_kind load_roles(struct snapshot *snapshot, struct state_txn *txn, struct rf_err *err)
{
    struct state_list list;
    struct state_scan scan = {.space = ROLE_DEFINITION_SPACE};
    RF_TRY(state_list(txn, &scan, &snapshot->arena, &list, err));
    snapshot->customs = rf_arena_new(&snapshot->arena, struct role, list.count);
    if (snapshot->customs == NULL) return rf_fail_memory(err, &snapshot->arena);
    for (uint32_t i = 0; i < list.count; i++)
        RF_TRY(load_role(&snapshot->arena, &list.items[i], &snapshot->customs[i], err));
    snapshot->custom_count = list.count;
    return RF_OK;
}

static enum rf_kind load_assignment(struct snapshot *snapshot, const struct state_object *object,
                                    struct assignment *out, struct rf_err *err)
{
    struct rf_arena *arena = &snapshot->arena;
    struct json_node *body;
    RF_TRY(json_parse(object->body, arena, &body, err));
    rf_str definition = json_text_at(body, "properties.roleDefinitionId");
    rf_str condition = json_text_at(body, "properties.condition");
    *out = (struct assignment){.key = object->key,
                               .body = object->body,
                               .principal =
                                   lower_copy(arena, json_text_at(body, "properties.principalId")),
                               .scope = scope_key(arena, json_text_at(body, "properties.scope")),
                               .role_id = lower_copy(arena, last_segment(definition)),
                               .has_condition = condition.len > 0};
    if (out->principal.ptr == NULL || out->scope.ptr == NULL || out->role_id.ptr == NULL)
        return rf_fail_memory(err, arena);
    out->role = snapshot_role(snapshot, out->role_id);
    if (out->has_condition && condition_parse(condition, arena, &out->condition, NULL) != RF_OK)
        out->condition = NULL;
    return RF_OK;
}

static int compare_principals(const void *a, const void *b)
{
    const struct assignment *x = *(const struct assignment *const *)a;
    const struct assignment *y = *(const struct assignment *const *)b;
    return rf_str_cmp(x->principal, y->principal);
}

static enum rf_kind load_assignments(struct snapshot *snapshot, struct state_txn *txn,
                                     struct rf_err *err)
{
    struct state_list list;
    struct state_scan scan = {.space = ROLE_ASSIGNMENT_SPACE};
    struct rf_arena *arena = &snapshot->arena;
    RF_TRY(state_list(txn, &scan, arena, &list, err));
    snapshot->assignments = rf_arena_new(arena, struct assignment, list.count);
    snapshot->by_principal = rf_arena_new(arena, const struct assignment *, list.count);
    if (snapshot->assignments == NULL || snapshot->by_principal == NULL)
        return rf_fail_memory(err, arena);
    for (uint32_t i = 0; i < list.count; i++) {
        RF_TRY(load_assignment(snapshot, &list.items[i], &snapshot->assignments[i], err));
        snapshot->by_principal[i] = &snapshot->assignments[i];
    }
    snapshot->assignment_count = list.count;
    if (list.count > 0)
        qsort(snapshot->by_principal, list.count, sizeof(*snapshot->by_principal),
              compare_principals);
    return RF_OK;
}

/* The ids of an array of {"id","type"}. */
static bool read_ids(struct rf_arena *arena, const struct json_node *array, struct words *out)
{
    *out = (struct words){0};
    if (!json_is(array, JSON_T_ARRAY)) return true;
    out->items = rf_arena_new(arena, rf_str, array->count);
    if (out->items == NULL) return false;
    for (const struct json_node *n = array->first; n != NULL; n = n->next) {
        out->items[out->count] = lower_copy(arena, json_text_at(n, "id"));
        if (out->items[out->count++].ptr == NULL) return false;
    }
    return true;
}

static enum rf_kind load_deny(struct rf_arena *arena, const struct state_object *object,
                              struct deny *out, struct rf_err *err)
{
    struct json_node *body;
    RF_TRY(json_parse(object->body, arena, &body, err));
    const struct json_node *properties = json_get(body, "properties");
    *out = (struct deny){.key = object->key,
                         .body = object->body,
                         .scope = scope_key(arena, json_text_at(properties, "scope")),
                         .only_here = json_bool_at(properties, "doNotApplyToChildScopes", false)};
    if (out->scope.ptr == NULL ||
        !permissions_read(arena, json_get(properties, "permissions"), &out->permissions,
                          &out->permission_count) ||
        !read_ids(arena, json_get(properties, "principals"), &out->principals) ||
        !read_ids(arena, json_get(properties, "excludePrincipals"), &out->excluded))
        return rf_fail_memory(err, arena);
    return RF_OK;
}

static enum rf_kind load_denies(struct snapshot *snapshot, struct state_txn *txn,
                                struct rf_err *err)
{
    struct state_list list;
    struct state_scan scan = {.space = DENY_ASSIGNMENT_SPACE};
    RF_TRY(state_list(txn, &scan, &snapshot->arena, &list, err));
    snapshot->denies = rf_arena_new(&snapshot->arena, struct deny, list.count);
    if (snapshot->denies == NULL) return rf_fail_memory(err, &snapshot->arena);
    for (uint32_t i = 0; i < list.count; i++)
        RF_TRY(load_deny(&snapshot->arena, &list.items[i], &snapshot->denies[i], err));
    snapshot->deny_count = list.count;
    return RF_OK;
}

void snapshot_unref(struct snapshot *snapshot)
{
    if (snapshot == NULL || atomic_fetch_sub(&snapshot->refs, 1) != 1) return;
    rf_arena_done(&snapshot->arena);
    free(snapshot);
}

static enum rf_kind load_all(struct snapshot *snapshot, struct state_txn *txn, struct rf_err *err)
{
    RF_TRY(load_roles(snapshot, txn, err));
    RF_TRY(load_assignments(snapshot, txn, err));
    return load_denies(snapshot, txn, err);
}

static enum rf_kind load(struct authz *authz, struct snapshot **out, struct rf_err *err)
{
    struct snapshot *snapshot = calloc(1, sizeof *snapshot);
    if (snapshot == NULL) return RF_FAIL(err, RF_LIMIT, "MemoryBudgetExceeded", "role assignments");
    atomic_init(&snapshot->refs, 1);
    rf_arena_init(&snapshot->arena, SNAPSHOT_BYTES_MAX);
    snapshot->authz = authz;
    /* Before the reading begins: what is committed meanwhile makes the snapshot look old, never new. */
    for (size_t i = 0; i < RF_COUNT(spaces); i++)
        snapshot->versions[i] = state_version(authz->state, spaces[i]);
    struct state_txn *txn = NULL;
    enum rf_kind kind = state_begin_read(authz->state, &txn, err);
    if (kind == RF_OK) kind = load_all(snapshot, txn, err);
    state_end(txn);
    if (kind != RF_OK) {
        snapshot_unref(snapshot);
        return kind;
    }
    *out = snapshot;
    return RF_OK;
}

static bool is_newest(const struct authz *authz, const struct snapshot *snapshot)
{
    if (snapshot == NULL) return false;
    for (size_t i = 0; i < RF_COUNT(spaces); i++)
        if (snapshot->versions[i] != state_version(authz->state, spaces[i])) return false;
    return true;
}

/* The snapshot at hand, referenced, when nothing was written since; else NULL. */
static struct snapshot *at_hand(struct authz *authz)
{
    struct snapshot *found = NULL;
    pthread_rwlock_rdlock(&authz->lock);
    if (is_newest(authz, authz->newest)) {
        found = authz->newest;
        atomic_fetch_add(&found->refs, 1);
    }
    pthread_rwlock_unlock(&authz->lock);
    return found;
}

enum rf_kind authz_snapshot(struct authz *authz, struct snapshot **out, struct rf_err *err)
{
    *out = at_hand(authz);
    if (*out != NULL) return RF_OK;
    pthread_mutex_lock(&authz->loading); /* one loads, the others wait for it */
    *out = at_hand(authz);
    enum rf_kind kind = *out != NULL ? RF_OK : load(authz, out, err);
    if (kind == RF_OK && *out != authz->newest) {
        pthread_rwlock_wrlock(&authz->lock);
        struct snapshot *before = authz->newest;
        authz->newest = *out;
        atomic_fetch_add(&(*out)->refs, 1);
        pthread_rwlock_unlock(&authz->lock);
        snapshot_unref(before);
    }
    pthread_mutex_unlock(&authz->loading);
    return kind;
}

/* ---- life ------------------------------------------------------------------------------------------------ */

enum rf_kind authz_new(struct state *state, rf_str tenant_id, struct authz **out,
                       struct rf_err *err)
{
    struct authz *authz = calloc(1, sizeof *authz);
    if (authz == NULL) return RF_FAIL(err, RF_LIMIT, "MemoryBudgetExceeded", "roles");
    authz->state = state;
    rf_arena_init(&authz->arena, BUILTIN_BYTES_MAX);
    pthread_rwlock_init(&authz->lock, NULL);
    pthread_mutex_init(&authz->loading, NULL);
    if (!rf_arena_str(&authz->arena, tenant_id, &authz->tenant_id) || !load_builtins(authz)) {
        rf_err_memory(err, &authz->arena);
        authz_free(authz);
        return RF_LIMIT;
    }
    *out = authz;
    return RF_OK;
}

void authz_free(struct authz *authz)
{
    if (authz == NULL) return;
    snapshot_unref(authz->newest);
    pthread_rwlock_destroy(&authz->lock);
    pthread_mutex_destroy(&authz->loading);
    rf_arena_done(&authz->arena);
    free(authz);
}

/* ---- checking -------------------------------------------------------------------------------------------- */

static bool role_grants(const struct role *role, const struct condition_subject *subject)
{
    for (uint32_t i = 0; i < role->permission_count; i++) {
        const struct permission *permission = &role->permissions[i];
        if (!permission_grants(permission, subject->action, subject->is_data)) continue;
        if (permission->condition_text.len == 0 || condition_holds(permission->condition, subject))
            return true;
    }
    return false;
}

static bool assignment_grants(const struct assignment *assignment,
                              const struct condition_subject *subject, rf_str scope)
{
    if (assignment->role == NULL || !scope_covers(assignment->scope, scope)) return false;
    if (!role_grants(assignment->role, subject)) return false;
    return !assignment->has_condition || condition_holds(assignment->condition, subject);
}

/* The first of the assignments of a principal, or their end. */
static uint32_t first_of(const struct snapshot *snapshot, rf_str principal)
{
    uint32_t low = 0, high = snapshot->assignment_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (rf_str_cmp(snapshot->by_principal[middle]->principal, principal) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* The assignment that grants it; NULL: none. */
static const struct assignment *granted_by(const struct snapshot *snapshot, rf_str principal,
                                           const struct condition_subject *subject, rf_str scope)
{
    for (uint32_t i = first_of(snapshot, principal); i < snapshot->assignment_count; i++) {
        const struct assignment *assignment = snapshot->by_principal[i];
        if (!rf_str_eq(assignment->principal, principal)) break;
        if (assignment_grants(assignment, subject, scope)) return assignment;
    }
    return NULL;
}

static bool has_word(const struct words *words, rf_str word)
{
    for (uint32_t i = 0; i < words->count; i++)
        if (rf_str_eq_nocase(words->items[i], word)) return true;
    return false;
}

static bool names_principal(const struct words *words, const struct principal *principal)
{
    if (has_word(words, RF_S(EVERYBODY)) || has_word(words, principal->object_id)) return true;
    for (uint32_t i = 0; i < principal->group_count; i++)
        if (has_word(words, principal->groups[i])) return true;
    return false;
}

bool deny_forbids(const struct deny *deny, const struct condition_subject *subject, rf_str scope)
{
    if (deny->only_here ? !rf_str_eq(deny->scope, scope) : !scope_covers(deny->scope, scope))
        return false;
    if (!names_principal(&deny->principals, subject->principal)) return false;
    if (names_principal(&deny->excluded, subject->principal)) return false;
    for (uint32_t i = 0; i < deny->permission_count; i++)
        if (permission_grants(&deny->permissions[i], subject->action, subject->is_data))
            return true;
    return false;
}

enum { SCOPE_BYTES_MAX = 64 << 10 };

/* The assignment by which it is allowed; NULL: it is not. */
static const struct assignment *allowed_by(const struct snapshot *snapshot,
                                           const struct condition_subject *subject)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, SCOPE_BYTES_MAX);
    rf_str key = scope_key(&arena, subject->scope);
    rf_str id = lower_copy(&arena, subject->principal->object_id);
    if (key.ptr == NULL || id.ptr == NULL) return NULL;
    const struct assignment *by = granted_by(snapshot, id, subject, key);
    for (uint32_t i = 0; i < subject->principal->group_count && by == NULL; i++) {
        rf_str group = lower_copy(&arena, subject->principal->groups[i]);
        if (group.ptr != NULL) by = granted_by(snapshot, group, subject, key);
    }
    for (uint32_t i = 0; i < snapshot->deny_count && by != NULL; i++)
        if (deny_forbids(&snapshot->denies[i], subject, key)) by = NULL;
    return by;
}

/* ---- rows ------------------------------------------------------------------------------------------------ */

static const struct row_access *principal_rows(const struct snapshot *snapshot, rf_str principal,
                                               const struct condition_subject *subject,
                                               rf_str scope, struct rf_arena *arena)
{
    const struct row_access *sum = rows_fixed(false);
    for (uint32_t i = first_of(snapshot, principal); i < snapshot->assignment_count; i++) {
        const struct assignment *assignment = snapshot->by_principal[i];
        if (!rf_str_eq(assignment->principal, principal)) break;
        if (assignment->role == NULL || !scope_covers(assignment->scope, scope)) continue;
        sum = rows_join(arena, ROWS_OR, sum, assignment_rows(assignment, subject, arena));
    }
    return sum;
}

static const struct row_access *snapshot_rows(const struct snapshot *snapshot,
                                              const struct condition_subject *subject,
                                              struct rf_arena *arena)
{
    rf_str key = scope_key(arena, subject->scope);
    rf_str id = lower_copy(arena, subject->principal->object_id);
    if (key.ptr == NULL || id.ptr == NULL) return NULL;
    const struct row_access *sum = principal_rows(snapshot, id, subject, key, arena);
    for (uint32_t i = 0; i < subject->principal->group_count; i++) {
        rf_str group = lower_copy(arena, subject->principal->groups[i]);
        if (group.ptr == NULL) return NULL;
        sum = rows_join(arena, ROWS_OR, sum, principal_rows(snapshot, group, subject, key, arena));
    }
    for (uint32_t i = 0; i < snapshot->deny_count; i++)
        if (deny_forbids(&snapshot->denies[i], subject, key)) return rows_fixed(false);
    return sum;
}

enum rf_kind authz_rows(struct authz *authz, const struct principal *principal, rf_str action,
                        rf_str scope, struct rf_arena *arena, const struct row_access **out,
                        struct rf_err *err)
{
    struct condition_subject subject = {
        .principal = principal, .action = action, .is_data = true, .scope = scope};
    RF_CLEANUP(snapshot_unref_at) struct snapshot *snapshot = NULL;
    RF_TRY(authz_snapshot(authz, &snapshot, err));
    const struct row_access *rows = snapshot_rows(snapshot, &subject, arena);
    if (rows == NULL) return rf_fail_memory(err, arena);
    *out = rows;
    return RF_OK;
}

/* ---- checks ---------------------------------------------------------------------------------------------- */

/* `assignment`: the name of the one by which it is allowed is put there, in `arena`; NULL: nobody asks. */
static bool check_subject(struct authz *authz, const struct condition_subject *subject,
                          struct rf_arena *arena, rf_str *assignment)
{
    struct snapshot *snapshot;
    struct rf_err err;
    if (authz_snapshot(authz, &snapshot, &err) != RF_OK) {
        /* Whoever cannot be checked may nothing. */
        rf_log(RF_ERROR, "authz.load_failed", RF_KV_STR("code", rf_str_of(err.code)),
               RF_KV_STR("text", rf_str_of(err.text)));
        return false;
    }
    const struct assignment *by = allowed_by(snapshot, subject);
    if (by != NULL && assignment != NULL && !rf_arena_str(arena, last_segment(by->key), assignment))
        *assignment = (rf_str){0};
    snapshot_unref(snapshot);
    return by != NULL;
}

bool authz_check_subject(struct authz *authz, const struct condition_subject *subject)
{
    return check_subject(authz, subject, NULL, NULL);
}

bool authz_check_by(struct authz *authz, const struct principal *principal, rf_str action,
                    rf_str scope, bool is_data, struct rf_arena *arena, rf_str *assignment)
{
    struct condition_subject subject = {
        .principal = principal, .action = action, .is_data = is_data, .scope = scope};
    return check_subject(authz, &subject, arena, assignment);
}

bool authz_check(struct authz *authz, const struct principal *principal, rf_str action,
                 rf_str scope, bool is_data)
{
    struct condition_subject subject = {
        .principal = principal, .action = action, .is_data = is_data, .scope = scope};
    return authz_check_subject(authz, &subject);
}

enum rf_kind authz_denied(const struct principal *principal, rf_str action, rf_str scope,
                          struct rf_err *err)
{
    rf_str name = principal->user_name.len > 0      ? principal->user_name
                  : principal->display_name.len > 0 ? principal->display_name
                                                    : principal->app_id;
    return RF_FAIL(
        err, RF_DENIED, "AuthorizationFailed",
        "The client '%.*s' with object id '%.*s' does not have authorization to perform "
        "action '%.*s' over scope '%.*s' or the scope is invalid. If access was recently "
        "granted, please refresh your credentials.",
        (int)RF_MIN(name.len, 128), (const char *)name.ptr, RF_FMT(principal->object_id),
        (int)RF_MIN(action.len, 160), (const char *)action.ptr, (int)RF_MIN(scope.len, 400),
        (const char *)scope.ptr);
}

enum rf_kind authz_require(struct authz *authz, const struct principal *principal, rf_str action,
                           rf_str scope, bool is_data, struct rf_err *err)
{
    if (authz_check(authz, principal, action, scope, is_data)) return RF_OK;
    return authz_denied(principal, action, scope, err);
}
