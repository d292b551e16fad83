/* database_api.c - the API of leases: credentials given out, renewed, revoked, listed. Whoever was given a lease may look at it and give it back. */
#include "vault/database_int.h"

#include "base/log.h"
#include "vault/audit_int.h"

enum { END_SECONDS = 20, END_WAIT = 30, CREATING_WAIT = 2, WAKE_SECONDS = 600 };

/* ---- who may ------------------------------------------------------------------------------------------------------------------ */

static const struct vault_operation may_read = {
    .action = "databases/read", .policy = "databases get", .scope = "databases"};
static const struct vault_operation may_revoke = {
    .action = "databases/revoke/action", .policy = "databases revoke", .scope = "databases"};
static const struct vault_operation may_have = {.action = "databases/credentials/action",
                                                .policy = "databases credentials",
                                                .scope = "databases/{name}/roles"};

static enum rf_kind check(struct vault_call *call, const struct vault_operation *right, rf_str role,
                          struct rf_err *err)
{
    struct vault_call other = *call;
    struct route_need need = {.is_data = true};
    other.operation = right;
    other.sub = role;
    enum rf_kind kind = vault_check_access(&other, &need, err);
    call->verdict = other.verdict;
    return kind;
}

static bool is_holder(const struct vault_call *call, const struct lease *lease)
{
    return rf_str_eq_nocase(lease->by_id, call->request->principal->object_id);
}

/* The lease of the path, for its holder or whoever has `right` (NULL: nobody else). */
static enum rf_kind need_lease(struct vault_call *call, const struct vault_operation *right,
                               struct lease *out, struct rf_err *err)
{
    call->audit_id = rf_arena_printf(call->arena, "%.*s/databases/%.*s/leases/%.*s",
                                     RF_FMT(call->base), RF_FMT(call->name), RF_FMT(call->sub));
    enum rf_kind kind = vault_lease_get(call->vaults, NULL, call->place.guid, call->name, call->sub,
                                        call->arena, out, err);
    if (kind == RF_NOT_FOUND)
        return vault_fail(call, err, 404, "LeaseNotFound", NULL,
                          "The database %.*s has no lease %.*s: it never had, or it has ended.",
                          RF_FMT(call->name), RF_FMT(call->sub));
    if (kind != RF_OK || is_holder(call, out)) return kind;
    return check(call, right, out->role, err);
}

/* ---- showing ------------------------------------------------------------------------------------------------------------------ */

static int64_t number_at(const struct json_node *node, const char *name)
{
    int64_t number = 0;
    return json_i64_at(node, name, &number) ? number : 0;
}

static rf_str id_of(struct vault_call *call, rf_str lease)
{
    return rf_arena_printf(call->arena, "%.*s/databases/%.*s/leases/%.*s", RF_FMT(call->base),
                           RF_FMT(call->name), RF_FMT(lease));
}

static bool passes(const struct vault_call *call, const struct json_node *node)
{
    rf_str role = request_parameter(call->request, "role", NULL),
           state = request_parameter(call->request, "state", NULL);
    return (role.len == 0 || rf_str_eq_nocase(role, json_text_at(node, "role"))) &&
           (state.len == 0 || rf_str_eq_nocase(state, json_text_at(node, "state")));
}

static struct json_node *show_node(struct vault_call *call, const struct json_node *node)
{
    struct rf_arena *arena = call->arena;
    struct json_node *out = json_new(arena, JSON_T_OBJECT), *by;
    rf_str lease = json_text_at(node, "id"), id = id_of(call, lease),
           why = json_text_at(node, "why");
    bool live = rf_str_is(json_text_at(node, "state"), "live");
    bool good = out != NULL && id.ptr != NULL && json_set_text(arena, out, "id", id) != NULL &&
                json_set_text(arena, out, "leaseId", lease) != NULL &&
                json_set_text(arena, out, "role", json_text_at(node, "role")) != NULL &&
                json_set_text(arena, out, "username", json_text_at(node, "username")) != NULL &&
                json_set_text(arena, out, "state", json_text_at(node, "state")) != NULL &&
                json_set_i64(arena, out, "created", number_at(node, "created")) != NULL &&
                json_set_i64(arena, out, "expires", number_at(node, "expires")) != NULL &&
                json_set_i64(arena, out, "maxExpires", number_at(node, "ends")) != NULL &&
                json_set_bool(arena, out, "renewable",
                              live && number_at(node, "ends") > number_at(node, "expires")) != NULL;
    by = good ? json_object_in(arena, out, "holder") : NULL;
    good = by != NULL && json_set_text(arena, by, "id", json_text_at(node, "byId")) != NULL &&
           json_set_text(arena, by, "name", json_text_at(node, "byName")) != NULL;
    if (good && !live)
        good = json_set_i64(arena, out, "tries", number_at(node, "tries")) != NULL &&
               json_set_i64(arena, out, "nextTry", number_at(node, "due")) != NULL &&
               (why.len == 0 || json_set_text(arena, out, "why", why) != NULL);
    return good ? out : NULL;
}

static struct json_node *show_listed(struct vault_call *call, const struct json_node *node)
{
    return passes(call, node) ? show_node(call, node) : json_new(call->arena, JSON_T_OBJECT);
}

enum rf_kind vault_lease_list(struct vault_call *call, struct rf_err *err)
{
    struct database db;
    RF_TRY(vault_database_need(call, NULL, &db, err));
    rf_str below =
        rf_arena_printf(call->arena, "%.*s/%.*s/", RF_FMT(call->place.guid), RF_FMT(db.name));
    return vault_database_list(call, vault_lease_space, below, show_listed, err);
}

/* As it is stored now. */
static enum rf_kind answer(struct vault_call *call, const struct lease *lease, uint16_t status,
                           struct rf_err *err)
{
    struct state_object object;
    struct json_node *node;
    rf_str key = rf_arena_printf(call->arena, "%.*s/%.*s/%.*s", RF_FMT(lease->guid),
                                 RF_FMT(lease->database), RF_FMT(lease->id));
    if (key.ptr == NULL) return rf_fail_memory(err, call->arena);
    RF_TRY(
        state_peek(call->vaults->options.state, vault_lease_space, key, call->arena, &object, err));
    RF_TRY(json_parse(object.body, call->arena, &node, err));
    struct json_node *out = show_node(call, node);
    return out == NULL ? rf_fail_memory(err, call->arena)
                       : request_answer(call->request, status, out);
}

enum rf_kind vault_lease_show(struct vault_call *call, struct rf_err *err)
{
    struct lease lease;
    RF_TRY(need_lease(call, &may_read, &lease, err));
    return answer(call, &lease, 200, err);
}

/* ---- giving ------------------------------------------------------------------------------------------------------------------- */

struct giving {
    struct database db;
    struct database_role role;
    struct lease lease;
    rf_str password, sql;
};

static enum rf_kind make_lease(struct vault_call *call, struct giving *g, int64_t ttl,
                               struct rf_err *err)
{
    const struct principal *who = call->request->principal;
    int64_t most = number_at(g->role.node, "maxTtl");
    g->lease = (struct lease){.guid = call->place.guid,
                              .database = g->db.name,
                              .id = vault_version_new(call->arena),
                              .vault_id = call->place.id,
                              .vault = call->place.name,
                              .role = g->role.name,
                              .user = vault_sql_user(call->place.name, g->role.name, call->arena),
                              .by_id = who->object_id,
                              .by_name = principal_caller(who),
                              .state = LEASE_CREATING,
                              .created = call->now,
                              .expires = call->now + ttl,
                              .ends = call->now + most,
                              .due = call->now + CREATING_WAIT,
                              .boot = vault_databases_boot(call->vaults->databases)};
    return g->lease.id.ptr == NULL || g->lease.user.ptr == NULL ? rf_fail_memory(err, call->arena)
                                                                : RF_OK;
}

static enum rf_kind make_words(struct vault_call *call, struct giving *g, struct rf_err *err)
{
    struct sql_words words = {.name = g->lease.user, .expires = g->lease.expires};
    g->password = vault_sql_password(call->arena);
    if (g->password.ptr == NULL) return rf_fail_memory(err, call->arena);
    RF_TRY(vault_sql_verifier(g->password, call->arena, &words.verifier, err));
    return vault_sql_of_role(g->role.node, SQL_CREATE, &words, call->arena, &g->sql, err);
}

/* Before anything is made. The role is looked at again, as it could have been deleted meanwhile. */
static enum rf_kind begin(struct vault_call *call, struct giving *g, struct rf_err *err)
{
    RF_CLEANUP(state_end_cleanup) struct state_txn *txn = NULL;
    uint32_t count, most = (uint32_t)number_at(g->role.node, "maxLeases");
    struct database_role again;
    RF_TRY(state_begin_write(call->vaults->options.state, &txn, err));
    RF_TRY(vault_database_need(call, txn, &g->db,
                               err)); /* as long as the lease is there it stays where it is */
    RF_TRY(vault_role_need(call, txn, g->role.name, &again, err));
    RF_TRY(vault_lease_count(txn, call->arena, g->lease.guid, g->db.name, g->role.name, most,
                             &count, err));
    if (count >= most)
        return vault_fail(
            call, err, 429, "Throttled", "LeaseLimit",
            "The role %.*s has %u leases, as many as its 'maxLeases': revoke some, or "
            "wait until they end.",
            RF_FMT(g->role.name), count);
    RF_TRY(vault_lease_put(txn, call->arena, &g->lease, err));
    return state_finish(&txn, err);
}

static enum rf_kind store(struct vault_call *call, struct lease *lease, struct rf_err *err)
{
    RF_CLEANUP(state_end_cleanup) struct state_txn *txn = NULL;
    RF_TRY(state_begin_write(call->vaults->options.state, &txn, err));
    RF_TRY(vault_lease_put(txn, call->arena, lease, err));
    return state_finish(&txn, err);
}

static void forget(struct vault_call *call, const struct lease *lease)
{
    struct rf_err ignored;
    struct state_txn *txn = NULL;
    /* What is not forgotten here is looked at, and forgotten, by the job. */
    if (state_begin_write(call->vaults->options.state, &txn, &ignored) != RF_OK) return;
    if (vault_lease_delete(txn, call->arena, lease, &ignored) == RF_OK)
        (void)!state_commit(txn, &ignored);
    else
        state_end(txn);
}

/* The login may be there, or come yet: whoever ends leases finds out. */
static void give_up(struct vault_call *call, struct lease *lease, bool unsure)
{
    struct rf_err ignored;
    bool done;
    lease->state = LEASE_REVOKING;
    lease->unsure = unsure;
    lease->due = call->now + (unsure ? 1 : END_WAIT);
    if (store(call, lease, &ignored) != RF_OK) return;
    if (!unsure) (void)!vault_lease_end(call, lease, true, &done, &ignored);
    vault_jobs_wake(call->vaults);
}

static enum rf_kind make_login(struct vault_call *call, struct giving *g, struct rf_err *err)
{
    struct postgres *pg;
    enum rf_kind kind = vault_database_open(call->vaults, &g->db, call->arena, &pg, err);
    if (kind != RF_OK) {
        forget(call, &g->lease);
        return vault_database_error(call, err);
    }
    kind = postgres_run(pg, g->sql, true, err);
    postgres_close(pg);
    if (kind != RF_OK) {
        enum rf_kind said = vault_database_error(call, err);
        give_up(call, &g->lease, kind != RF_INVALID);
        return said;
    }
    g->lease.state = LEASE_LIVE;
    g->lease.due = g->lease.expires;
    g->lease.boot = (rf_str){0};
    kind = store(call, &g->lease, err);
    if (kind != RF_CONFLICT && kind != RF_NOT_FOUND) return kind;
    return vault_fail(call, err, 409, "Conflict", "LeaseEnded",
                      "The lease was revoked while it was made.");
}

static void note_audit(struct vault_call *call, const struct lease *lease)
{
    struct json_node *about = json_new(call->arena, JSON_T_OBJECT);
    bool good = json_set_text(call->arena, about, "role", lease->role) != NULL &&
                json_set_text(call->arena, about, "username", lease->user) != NULL &&
                json_set_i64(call->arena, about, "expires", lease->expires) != NULL;
    call->audit_id = id_of(call, lease->id);
    if (good) call->audit_properties = about;
}

static enum rf_kind answer_credentials(struct vault_call *call, const struct giving *g,
                                       struct rf_err *err)
{
    struct rf_arena *arena = call->arena;
    const struct lease *lease = &g->lease;
    struct json_node *out = json_new(arena, JSON_T_OBJECT);
    rf_str id = id_of(call, lease->id);
    bool good = id.ptr != NULL && json_set_text(arena, out, "id", id) != NULL &&
                json_set_text(arena, out, "leaseId", lease->id) != NULL &&
                json_set_text(arena, out, "username", lease->user) != NULL &&
                json_set_text(arena, out, "password", g->password) != NULL &&
                json_set_i64(arena, out, "expires", lease->expires) != NULL &&
                json_set_i64(arena, out, "maxExpires", lease->ends) != NULL &&
                json_set_bool(arena, out, "renewable", lease->ends > lease->expires) != NULL &&
                json_set_text(arena, out, "host", json_text_at(g->db.node, "host")) != NULL &&
                json_set_i64(arena, out, "port", number_at(g->db.node, "port")) != NULL &&
                json_set_text(arena, out, "database", json_text_at(g->db.node, "database")) != NULL;
    return good ? request_answer(call->request, 200, out) : rf_fail_memory(err, arena);
}

/* Seconds of the body, at most the role's. */
static enum rf_kind read_ttl(struct vault_call *call, const struct json_node *role, int64_t *ttl,
                             struct rf_err *err)
{
    int64_t most = number_at(role, "maxTtl");
    return vault_database_number(call, "ttl", 1, most, RF_MIN(number_at(role, "defaultTtl"), most),
                                 ttl, err);
}

enum rf_kind vault_lease_new(struct vault_call *call, struct rf_err *err)
{
    struct giving g = {.password = {0}};
    int64_t ttl;
    RF_TRY(vault_database_need(call, NULL, &g.db, err));
    RF_TRY(vault_role_need(call, NULL, call->sub, &g.role, err));
    if (!vault_database_allows(&g.db, g.role.name))
        return vault_fail(call, err, 403, "Forbidden", "RoleNotAllowed",
                          "The role %.*s is not among 'allowedRoles' of the database %.*s.",
                          RF_FMT(call->sub), RF_FMT(call->name));
    RF_TRY(read_ttl(call, g.role.node, &ttl, err));
    RF_TRY(make_lease(call, &g, ttl, err));
    RF_TRY(make_words(call, &g, err));
    enum rf_kind kind = vault_databases_enter(call, err);
    if (kind == RF_OK) {
        kind = begin(call, &g, err);
        if (kind == RF_OK) note_audit(call, &g.lease);
        if (kind == RF_OK) kind = make_login(call, &g, err);
        vault_databases_leave(call->vaults);
    }
    /* The jobs look every ten minutes anyway. */
    if (kind == RF_OK && ttl <= WAKE_SECONDS) vault_jobs_wake(call->vaults);
    if (kind == RF_OK) kind = answer_credentials(call, &g, err);
    vault_wipe(g.password);
    return kind;
}

/* ---- renewing ----------------------------------------------------------------------------------------------------------------- */

static enum rf_kind not_live(struct vault_call *call, struct rf_err *err)
{
    return vault_fail(call, err, 409, "Conflict", "LeaseEnded",
                      "The lease has ended and cannot be renewed: ask for new credentials.");
}

static enum rf_kind renew_login(struct vault_call *call, struct database *db, rf_str sql,
                                struct rf_err *err)
{
    struct postgres *pg;
    RF_TRY(vault_databases_enter(call, err));
    enum rf_kind kind = vault_database_open(call->vaults, db, call->arena, &pg, err);
    if (kind == RF_OK) {
        kind = postgres_run(pg, sql, false, err);
        postgres_close(pg);
    }
    vault_databases_leave(call->vaults);
    return kind == RF_OK ? kind : vault_database_error(call, err);
}

/* First in the database: should the lease not be stored then, it ends when it would have ended. */
static enum rf_kind renew(struct vault_call *call, struct lease *lease, int64_t until,
                          const struct database_role *role, struct rf_err *err)
{
    struct database db;
    rf_str sql;
    const struct sql_words words = {.name = lease->user, .expires = until};
    RF_TRY(vault_database_need(call, NULL, &db, err));
    RF_TRY(vault_sql_of_role(role->node, SQL_RENEW, &words, call->arena, &sql, err));
    RF_TRY(renew_login(call, &db, sql, err));
    lease->expires = lease->due = until;
    enum rf_kind kind = store(call, lease, err);
    if (kind == RF_CONFLICT || kind == RF_NOT_FOUND) return not_live(call, err);
    return kind;
}

enum rf_kind vault_lease_renew(struct vault_call *call, struct rf_err *err)
{
    struct lease lease;
    struct database_role role;
    int64_t ttl;
    RF_TRY(need_lease(call, &may_have, &lease, err));
    /* Its holder, too, must be one who would be given a new one. */
    RF_TRY(check(call, &may_have, lease.role, err));
    note_audit(call, &lease);
    RF_TRY(vault_role_need(call, NULL, lease.role, &role, err));
    RF_TRY(read_ttl(call, role.node, &ttl, err));
    if (lease.state != LEASE_LIVE || lease.expires <= call->now) return not_live(call, err);
    int64_t most = RF_MIN(lease.ends, lease.created + number_at(role.node, "maxTtl"));
    int64_t until = RF_MIN(call->now + ttl, most);
    if (until > call->now) RF_TRY(renew(call, &lease, until, &role, err));
    note_audit(call, &lease);
    return answer(call, &lease, 200, err);
}

/* ---- revoking ----------------------------------------------------------------------------------------------------------------- */

enum rf_kind vault_lease_revoke(struct vault_call *call, struct rf_err *err)
{
    struct lease lease;
    struct rf_err why;
    struct json_node *out = json_new(call->arena, JSON_T_OBJECT);
    bool done;
    RF_TRY(need_lease(call, &may_revoke, &lease, err));
    note_audit(call, &lease);
    RF_TRY(vault_databases_enter(call, err));
    enum rf_kind kind = vault_lease_end(call, &lease, true, &done, &why);
    vault_databases_leave(call->vaults);
    vault_jobs_wake(call->vaults);
    if (kind == RF_OK && !done)
        return vault_fail(call, err, 409, "Conflict", NULL, "The lease is being made: try again.");
    if (kind == RF_OK || kind == RF_NOT_FOUND) {
        bool good = json_set_text(call->arena, out, "leaseId", lease.id) != NULL &&
                    json_set_text(call->arena, out, "state", RF_S("revoked")) != NULL;
        return good ? request_answer(call->request, 200, out) : rf_fail_memory(err, call->arena);
    }
    kind = answer(call, &lease, 202, err); /* noted, and tried again until it is done */
    if (kind == RF_NOT_FOUND) *err = why;
    return kind;
}

/* All of them are noted before the first is ended: what is not reached in time, or breaks off, the job does. */
static enum rf_kind mark(struct vault_call *call, rf_str role, struct state_list *list,
                         struct rf_err *err)
{
    RF_CLEANUP(state_end_cleanup) struct state_txn *txn = NULL;
    struct state_scan scan = {.space = vault_lease_space};
    rf_str name = vault_database_lower(call->arena, call->name);
    rf_str below = rf_arena_printf(call->arena, "%.*s/%.*s/%.*s", RF_FMT(call->place.guid),
                                   RF_FMT(name), RF_FMT(role));
    if (name.ptr == NULL || below.ptr == NULL) return rf_fail_memory(err, call->arena);
    if (role.len == 0) {
        scan.prefix = below;
    } else {
        scan.index = "role";
        scan.value = below;
    }
    RF_TRY(state_begin_write(call->vaults->options.state, &txn, err));
    RF_TRY(state_list(txn, &scan, call->arena, list, err));
    for (uint32_t i = 0; i < list->count; i++) {
        struct lease lease;
        RF_TRY(vault_lease_of(&list->items[i], call->arena, &lease, err));
        if (lease.state != LEASE_LIVE) continue;
        lease.state = LEASE_REVOKING;
        lease.due = call->now + END_WAIT;
        lease.tries = 0;
        RF_TRY(vault_lease_put(txn, call->arena, &lease, err));
    }
    return state_finish(&txn, err);
}

enum rf_kind vault_leases_end(struct vault_call *call, rf_str role, uint32_t *ended, uint32_t *left,
                              struct rf_err *err)
{
    struct state_list list;
    rf_usec begun = rf_clock_elapsed(rf_clock_real());
    *ended = *left = 0;
    RF_TRY(mark(call, role, &list, err));
    RF_TRY(vault_databases_enter(call, err));
    bool down = false;
    for (uint32_t i = 0; i < list.count; i++) {
        struct lease lease;
        struct rf_err why = {.code = ""};
        bool done = false;
        enum rf_kind kind = vault_lease_of(&list.items[i], call->arena, &lease, &why);
        down |= rf_clock_elapsed(rf_clock_real()) - begun > END_SECONDS * RF_USEC_PER_SECOND;
        if (kind == RF_OK && !down) kind = vault_lease_end(call, &lease, true, &done, &why);
        bool gone = kind == RF_NOT_FOUND || (kind == RF_OK && done);
        /* What is not the login's own fault would be the next one's, too. */
        down |= kind != RF_OK && !gone && strcmp(why.code, "PostgresFailed") != 0;
        *(gone ? ended : left) += 1;
    }
    vault_databases_leave(call->vaults);
    vault_jobs_wake(call->vaults);
    return RF_OK;
}

enum rf_kind vault_lease_revoke_all(struct vault_call *call, struct rf_err *err)
{
    struct database db;
    struct json_node *member, *out = json_new(call->arena, JSON_T_OBJECT);
    uint32_t ended, left;
    RF_TRY(vault_database_need(call, NULL, &db, err));
    RF_TRY(vault_member(call, call->body, "role", JSON_T_STRING, &member, err));
    rf_str role = member == NULL ? (rf_str){0} : member->text;
    if (role.len > 0 && !vault_name_is(role))
        return vault_bad(call, err,
                         "Property 'role' has invalid value: it is the name of a role of this "
                         "database; without it all leases of the database are revoked.");
    role = vault_database_lower(call->arena, role);
    if (role.ptr == NULL) return rf_fail_memory(err, call->arena);
    RF_TRY(vault_leases_end(call, role, &ended, &left, err));
    bool good = json_set_i64(call->arena, out, "revoked", ended) != NULL &&
                json_set_i64(call->arena, out, "waiting", left) != NULL;
    return good ? request_answer(call->request, left > 0 ? 202 : 200, out)
                : rf_fail_memory(err, call->arena);
}
