/* database.c - the API of databases: set (which tries a login first), shown, listed, deleted; and what becomes of those of a vault that is purged. */
#include "vault/database_int.h"

enum { LOOKS_MAX = 1000, GONE_MAX = 50, SWEEP_BYTES_MAX = 32 << 20 };

/* ---- showing ------------------------------------------------------------------------------------------------------------------ */

static struct json_node *show(struct vault_call *call, const struct json_node *node)
{
    static const char *const hidden[] = {"login", "next"};
    struct json_node *out = json_clone(call->arena, node);
    rf_str id = rf_arena_printf(call->arena, "%.*s/databases/%.*s", RF_FMT(call->base),
                                RF_FMT(json_text_at(node, "name")));
    for (size_t i = 0; i < RF_COUNT(hidden); i++) json_remove(out, rf_str_of(hidden[i]));
    return id.ptr == NULL || json_set_text(call->arena, out, "id", id) == NULL ? NULL : out;
}

static enum rf_kind answer(struct vault_call *call, const struct database *db, struct rf_err *err)
{
    struct json_node *out = show(call, db->node);
    return out == NULL ? rf_fail_memory(err, call->arena) : request_answer(call->request, 200, out);
}

static enum rf_kind run_get(struct vault_call *call, struct rf_err *err)
{
    struct database db;
    RF_TRY(vault_database_need(call, NULL, &db, err));
    return answer(call, &db, err);
}

enum rf_kind vault_database_list(struct vault_call *call, const char *space, rf_str below,
                                 struct json_node *(*show_one)(struct vault_call *call,
                                                               const struct json_node *node),
                                 struct rf_err *err)
{
    RF_CLEANUP(state_end_cleanup) struct state_txn *txn = NULL;
    struct rf_arena *arena = call->arena;
    struct json_node *out = json_new(arena, JSON_T_OBJECT), *value = json_new(arena, JSON_T_ARRAY);
    struct json_node *link = json_new(arena, JSON_T_NULL);
    rf_str window = rf_arena_printf(arena, "%s %.*s", space, RF_FMT(below)), after = {0},
           last = {0};
    struct state_list list;
    uint32_t most;
    if (window.ptr == NULL || below.ptr == NULL) return rf_fail_memory(err, arena);
    RF_TRY(vault_window_read(call, window, &after, &most, err));
    struct state_scan scan = {.space = space, .prefix = below, .limit = LOOKS_MAX};
    if (after.len > 0)
        scan.after = rf_arena_printf(arena, "%.*s%.*s", RF_FMT(below), RF_FMT(after));
    RF_TRY(state_begin_read(call->vaults->options.state, &txn, err));
    RF_TRY(state_list(txn, &scan, arena, &list, err));
    uint32_t i = 0;
    for (; i < list.count && value->count < most; i++) {
        struct json_node *node, *shown;
        RF_TRY(json_parse(list.items[i].body, arena, &node, err));
        last = rf_slice(list.items[i].key, below.len, list.items[i].key.len);
        shown = show_one(call, node);
        if (shown == NULL) return rf_fail_memory(err, arena);
        if (shown->count > 0 && json_append(value, shown) == NULL)
            return rf_fail_memory(err, arena);
    }
    if (i < list.count || list.more) {
        rf_str next = vault_window_next(call, window, last, most);
        link = next.ptr == NULL ? NULL : json_new_text(arena, next);
    }
    bool good = json_set(arena, out, RF_S("value"), value) != NULL &&
                json_set(arena, out, RF_S("nextLink"), link) != NULL;
    return good ? request_answer(call->request, 200, out) : rf_fail_memory(err, arena);
}

static enum rf_kind run_list(struct vault_call *call, struct rf_err *err)
{
    rf_str below = rf_arena_printf(call->arena, "%.*s/", RF_FMT(call->place.guid));
    return vault_database_list(call, vault_database_space, below, show, err);
}

/* ---- setting ------------------------------------------------------------------------------------------------------------------ */

/* What is there, or a new one (etag 0). */
static enum rf_kind open_node(struct vault_call *call, struct database *db, struct rf_err *err)
{
    enum rf_kind kind =
        vault_database_get(call->vaults, NULL, call->place.guid, call->name, call->arena, db, err);
    if (kind != RF_NOT_FOUND) return kind;
    *db = (struct database){.guid = call->place.guid,
                            .name = vault_database_lower(call->arena, call->name),
                            .node = json_new(call->arena, JSON_T_OBJECT)};
    bool good = db->name.ptr != NULL && json_set_text(call->arena, db->node, "name", call->name) &&
                json_set_i64(call->arena, db->node, "created", call->now) != NULL;
    return good ? RF_OK : rf_fail_memory(err, call->arena);
}

static enum rf_kind check_moved(struct vault_call *call, struct state_txn *txn, bool moved,
                                struct rf_err *err)
{
    uint32_t count;
    rf_str name = vault_database_lower(call->arena, call->name);
    if (!moved) return RF_OK;
    RF_TRY(
        vault_lease_count(txn, call->arena, call->place.guid, name, (rf_str){0}, 1, &count, err));
    if (count == 0) return RF_OK;
    return vault_fail(call, err, 409, "Conflict", "LeasesLive",
                      "Host, port and database cannot be changed while leases live: their logins "
                      "are at the old place. Revoke them first.");
}

/* With a password that was given the login is tried and the password kept; else that which is kept is tried. */
static enum rf_kind try_login(struct vault_call *call, struct database *db, rf_str password,
                              struct rf_err *err)
{
    struct postgres *pg = NULL;
    struct json_node *sealed;
    RF_TRY(vault_databases_enter(call, err));
    enum rf_kind kind = password.len > 0
                            ? vault_database_try(call->vaults, db, password, call->arena, &pg, err)
                            : vault_database_open(call->vaults, db, call->arena, &pg, err);
    postgres_close(pg);
    vault_databases_leave(call->vaults);
    if (kind != RF_OK) return vault_database_error(call, err);
    if (password.len == 0) return RF_OK;
    if (vault_database_seal(call->vaults, db, password, call->arena, &sealed, err) != RF_OK)
        return vault_seal_error(call, err);
    json_remove(db->node, RF_S("next"));
    return json_set(call->arena, db->node, RF_S("login"), sealed) == NULL
               ? rf_fail_memory(err, call->arena)
               : RF_OK;
}

static enum rf_kind store(struct vault_call *call, struct database *db, bool moved,
                          struct rf_err *err)
{
    RF_CLEANUP(state_end_cleanup) struct state_txn *txn = NULL;
    if (json_set_i64(call->arena, db->node, "updated", call->now) == NULL)
        return rf_fail_memory(err, call->arena);
    RF_TRY(state_begin_write(call->vaults->options.state, &txn, err));
    RF_TRY(check_moved(call, txn, moved, err));
    enum rf_kind kind = vault_database_put(call->vaults, txn, call->arena, db, err);
    if (kind == RF_CONFLICT || kind == RF_NOT_FOUND)
        return vault_fail(call, err, 409, "Conflict", NULL,
                          "The database was changed by somebody else at the same time: try again.");
    RF_TRY(kind);
    return state_finish(&txn, err);
}

/* Before anybody is asked; in `store` it is looked at for good. */
static enum rf_kind check_early(struct vault_call *call, bool moved, struct rf_err *err)
{
    RF_CLEANUP(state_end_cleanup) struct state_txn *txn = NULL;
    RF_TRY(state_begin_read(call->vaults->options.state, &txn, err));
    return check_moved(call, txn, moved, err);
}

static enum rf_kind run_put(struct vault_call *call, struct rf_err *err)
{
    struct database db;
    rf_str password;
    bool moved;
    RF_TRY(open_node(call, &db, err));
    struct json_node *before = json_clone(call->arena, db.node);
    RF_TRY(vault_database_read(call, db.node, &password, &moved, err));
    RF_TRY(check_early(call, moved, err));
    RF_TRY(try_login(call, &db, password, err));
    RF_TRY(store(call, &db, moved, err));
    if (password.len > 0) { /* nothing opens them any more; what fails here harms nobody */
        struct rf_err ignored;
        (void)!vault_database_destroy(call->vaults, json_get(before, "login"), call->arena,
                                      &ignored);
        (void)!vault_database_destroy(call->vaults, json_get(before, "next"), call->arena,
                                      &ignored);
    }
    return answer(call, &db, err);
}

/* ---- deleting ----------------------------------------------------------------------------------------------------------------- */

static bool flag(struct vault_call *call, const char *name)
{
    return rf_str_is(request_parameter(call->request, name, NULL), "true");
}

static enum rf_kind refuse_live(struct vault_call *call, uint32_t left, struct rf_err *err)
{
    return vault_fail(call, err, 409, "Conflict", "LeasesLive", "%s leases of this database live%s",
                      left > 0 ? "Some" : "New",
                      left > 0 ? ". They can be revoked first (force=true), or be given up with "
                                 "logins that stay in the database (abandon=true)."
                               : " meanwhile: try again.");
}

static enum rf_kind drop_leases(struct vault_call *call, struct state_txn *txn, rf_str name,
                                struct rf_err *err)
{
    rf_str below =
        rf_arena_printf(call->arena, "%.*s/%.*s/", RF_FMT(call->place.guid), RF_FMT(name));
    struct state_list list;
    if (below.ptr == NULL) return rf_fail_memory(err, call->arena);
    struct state_scan scan = {.space = vault_lease_space, .prefix = below};
    RF_TRY(state_list(txn, &scan, call->arena, &list, err));
    for (uint32_t i = 0; i < list.count; i++) {
        struct lease lease;
        RF_TRY(vault_lease_of(&list.items[i], call->arena, &lease, err));
        if (vault_lease_is_made(call, &lease)) return refuse_live(call, 0, err);
        RF_TRY(vault_lease_delete(txn, call->arena, &lease, err));
    }
    return RF_OK;
}

static enum rf_kind forget(struct vault_call *call, struct database *db, bool abandon,
                           struct rf_err *err)
{
    RF_CLEANUP(state_end_cleanup) struct state_txn *txn = NULL;
    uint32_t left;
    RF_TRY(state_begin_write(call->vaults->options.state, &txn, err));
    RF_TRY(vault_database_need(call, txn, db, err));
    if (abandon) RF_TRY(drop_leases(call, txn, db->name, err));
    RF_TRY(vault_lease_count(txn, call->arena, db->guid, db->name, (rf_str){0}, 1, &left, err));
    if (left > 0) return refuse_live(call, left, err);
    rf_str key = rf_arena_printf(call->arena, "%.*s/%.*s", RF_FMT(db->guid), RF_FMT(db->name));
    rf_str below = rf_arena_printf(call->arena, "%.*s/", RF_FMT(key));
    if (key.ptr == NULL || below.ptr == NULL) return rf_fail_memory(err, call->arena);
    RF_TRY(state_delete_prefix(txn, vault_role_space, below, NULL, err));
    RF_TRY(state_delete(txn, vault_database_space, key, err));
    return state_finish(&txn, err);
}

static enum rf_kind run_delete(struct vault_call *call, struct rf_err *err)
{
    struct database db;
    struct rf_err ignored;
    uint32_t ended, left = 0;
    bool abandon = flag(call, "abandon");
    RF_TRY(vault_database_need(call, NULL, &db, err));
    if (flag(call, "force")) RF_TRY(vault_leases_end(call, (rf_str){0}, &ended, &left, err));
    RF_TRY(forget(call, &db, abandon, err));
    (void)!vault_database_destroy(call->vaults, json_get(db.node, "login"), call->arena, &ignored);
    (void)!vault_database_destroy(call->vaults, json_get(db.node, "next"), call->arena, &ignored);
    return answer(call, &db, err);
}

/* ---- vaults that are purged --------------------------------------------------------------------------------------------------- */

static const char gone_space[] = "vault.database_gone";

enum rf_kind vault_databases_forget(struct state_txn *txn, rf_str guid, struct rf_arena *arena,
                                    struct rf_err *err)
{
    rf_str below = rf_arena_printf(arena, "%.*s/", RF_FMT(guid));
    struct state_list list;
    if (below.ptr == NULL) return rf_fail_memory(err, arena);
    struct state_scan scan = {.space = vault_lease_space, .prefix = below};
    RF_TRY(state_list(txn, &scan, arena, &list, err));
    for (uint32_t i = 0; i < list.count; i++) {
        struct lease lease;
        RF_TRY(vault_lease_of(&list.items[i], arena, &lease, err));
        if (lease.state != LEASE_CREATING) lease.state = LEASE_REVOKING;
        lease.expires = RF_MIN(lease.expires, lease.created);
        lease.due = 1;
        RF_TRY(vault_lease_put(txn, arena, &lease, err));
    }
    scan.space = vault_database_space;
    RF_TRY(state_list(txn, &scan, arena, &list, err));
    for (uint32_t i = 0; i < list.count; i++) {
        struct state_put put = {.space = gone_space, .key = list.items[i].key, .body = RF_S("{}")};
        RF_TRY(state_put(txn, &put, NULL, NULL, err));
    }
    return RF_OK;
}

/* Once no lease is left it goes: its keys first, as nothing but the node knows of them. */
static enum rf_kind drop_gone(struct vaults *vaults, rf_str key, struct rf_arena *arena,
                              struct rf_err *err)
{
    RF_CLEANUP(state_end_cleanup) struct state_txn *txn = NULL;
    struct database db;
    uint32_t left;
    size_t slash = rf_str_find(key, RF_S("/"), 0);
    if (slash == SIZE_MAX) return RF_FAIL(err, RF_CORRUPT, "StateCorrupt", "a database");
    rf_str guid = rf_slice(key, 0, slash), name = rf_slice(key, slash + 1, key.len);
    rf_str below = rf_arena_printf(arena, "%.*s/", RF_FMT(key));
    if (below.ptr == NULL) return rf_fail_memory(err, arena);
    RF_TRY(state_begin_read(vaults->options.state, &txn, err));
    RF_TRY(vault_lease_count(txn, arena, guid, name, (rf_str){0}, 1, &left, err));
    if (left > 0) return RF_OK;
    RF_TRY(vault_database_get(vaults, txn, guid, name, arena, &db, err));
    state_end(txn);
    txn = NULL;
    RF_TRY(vault_database_destroy(vaults, json_get(db.node, "login"), arena, err));
    RF_TRY(vault_database_destroy(vaults, json_get(db.node, "next"), arena, err));
    RF_TRY(state_begin_write(vaults->options.state, &txn, err));
    RF_TRY(state_delete_prefix(txn, vault_role_space, below, NULL, err));
    RF_TRY(state_delete(txn, vault_database_space, key, err));
    RF_TRY(state_delete(txn, gone_space, key, err));
    return state_finish(&txn, err);
}

enum rf_kind vault_databases_sweep(struct vaults *vaults, struct rf_err *err)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    struct state_txn *txn = NULL;
    struct state_list list;
    struct state_scan scan = {.space = gone_space, .limit = GONE_MAX};
    rf_arena_init(&arena, SWEEP_BYTES_MAX);
    RF_TRY(state_begin_read(vaults->options.state, &txn, err));
    enum rf_kind kind = state_list(txn, &scan, &arena, &list, err);
    state_end(txn);
    for (uint32_t i = 0; kind == RF_OK && i < list.count; i++)
        kind = drop_gone(vaults, list.items[i].key, &arena, err);
    return kind;
}

/* clang-format off */
const struct vault_operation vault_database_operations[] = {
    {HTTP_GET, VAULT_NO_BODY, "databases", "DatabaseList", "databases/read", NULL, "databases list", NULL, run_list},
    {HTTP_PUT, 0, "databases/{name}", "DatabaseSet", "databases/write", NULL, "databases set", "databases", run_put},
    {HTTP_GET, VAULT_NO_BODY, "databases/{name}", "DatabaseGet", "databases/read", NULL, "databases get", "databases", run_get},
    {HTTP_DELETE, VAULT_NO_BODY, "databases/{name}", "DatabaseDelete", "databases/delete", NULL, "databases delete", "databases", run_delete},
    {HTTP_POST, VAULT_NO_BODY, "databases/{name}/rotate-root", "DatabaseRotateRoot", "databases/write", NULL, "databases set", "databases", vault_database_rotate},
    {HTTP_GET, VAULT_NO_BODY, "databases/{name}/roles", "DatabaseRoleList", "databases/read", NULL, "databases list", "databases", vault_role_list},
    {HTTP_PUT, 0, "databases/{name}/roles/{sub}", "DatabaseRoleSet", "databases/write", NULL, "databases set", "databases", vault_role_put},
    {HTTP_GET, VAULT_NO_BODY, "databases/{name}/roles/{sub}", "DatabaseRoleGet", "databases/read", NULL, "databases get", "databases", vault_role_show},
    {HTTP_DELETE, VAULT_NO_BODY, "databases/{name}/roles/{sub}", "DatabaseRoleDelete", "databases/delete", NULL, "databases delete", "databases", vault_role_delete},
    {HTTP_POST, 0, "databases/{name}/roles/{sub}/credentials", "DatabaseCredentialsCreate", "databases/credentials/action", NULL, "databases credentials", "databases/{name}/roles", vault_lease_new},
    {HTTP_GET, VAULT_NO_BODY, "databases/{name}/leases", "DatabaseLeaseList", "databases/read", NULL, "databases list", "databases", vault_lease_list},
    {HTTP_GET, VAULT_NO_BODY, "databases/{name}/leases/{sub}", "DatabaseLeaseGet", NULL, NULL, "", NULL, vault_lease_show},
    {HTTP_POST, 0, "databases/{name}/leases/{sub}/renew", "DatabaseLeaseRenew", NULL, NULL, "", NULL, vault_lease_renew},
    {HTTP_POST, VAULT_NO_BODY, "databases/{name}/leases/{sub}/revoke", "DatabaseLeaseRevoke", NULL, NULL, "", NULL, vault_lease_revoke},
    {HTTP_POST, 0, "databases/{name}/revoke", "DatabaseRevoke", "databases/revoke/action", NULL, "databases revoke", "databases", vault_lease_revoke_all},
};
/* clang-format on */
const uint32_t vault_database_operation_count = RF_COUNT(vault_database_operations);
