/* database_roles.c - roles of a database: what the logins of one kind may, and for how long. */
#include "vault/database_int.h"

enum {
    GRANTS_MAX = 32,
    GRANT_BYTES_MAX = 500,
    NAME_BYTES_MAX = 63,
    TTL_DEFAULT = 3600,
    TTL_MOST_DEFAULT = 86400,
    TTL_MAX = 90 * 86400,
    LEASES_DEFAULT = 100,
    LEASES_MAX = 1000
};

/* ---- in the state ------------------------------------------------------------------------------------------------------------- */

static rf_str key_of(struct rf_arena *arena, rf_str guid, rf_str database, rf_str role)
{
    rf_str low = vault_database_lower(arena, database), name = vault_database_lower(arena, role);
    if (low.ptr == NULL || name.ptr == NULL) return (rf_str){0};
    return rf_arena_printf(arena, "%.*s/%.*s/%.*s", RF_FMT(guid), RF_FMT(low), RF_FMT(name));
}

enum rf_kind vault_role_get(struct vaults *vaults, struct state_txn *txn, rf_str guid,
                            rf_str database, rf_str role, struct rf_arena *arena,
                            struct database_role *out, struct rf_err *err)
{
    struct state_object object;
    rf_str key = key_of(arena, guid, database, role);
    if (key.ptr == NULL) return rf_fail_memory(err, arena);
    RF_TRY(txn == NULL
               ? state_peek(vaults->options.state, vault_role_space, key, arena, &object, err)
               : state_get(txn, vault_role_space, key, arena, &object, err));
    *out = (struct database_role){.name = vault_database_lower(arena, role), .etag = object.etag};
    if (out->name.ptr == NULL) return rf_fail_memory(err, arena);
    return json_parse(object.body, arena, &out->node, err);
}

enum rf_kind vault_role_need(struct vault_call *call, struct state_txn *txn, rf_str role,
                             struct database_role *out, struct rf_err *err)
{
    enum rf_kind kind = vault_role_get(call->vaults, txn, call->place.guid, call->name, role,
                                       call->arena, out, err);
    if (kind != RF_NOT_FOUND) return kind;
    return vault_fail(call, err, 404, "DatabaseRoleNotFound", NULL,
                      "The database %.*s has no role with the name %.*s.", RF_FMT(call->name),
                      RF_FMT(role));
}

/* ---- reading ------------------------------------------------------------------------------------------------------------------ */

static enum rf_kind read_statements(struct vault_call *call, const char *name, enum sql_use use,
                                    struct json_node *node, struct rf_err *err)
{
    struct json_node *list;
    uint32_t index = 0;
    RF_TRY(
        vault_database_texts(call, name, SQL_STATEMENTS_MAX, SQL_STATEMENT_BYTES_MAX, &list, err));
    for (const struct json_node *s = list == NULL ? NULL : list->first; s != NULL;
         s = s->next, index++) {
        struct rf_err why;
        if (vault_sql_check(s->text, use, &why) != RF_OK)
            return vault_bad(call, err, "Property '%s[%u]' has invalid value: %s.", name, index,
                             why.text);
    }
    if (list == NULL || list->count == 0) return RF_OK;
    return json_set(call->arena, node, rf_str_of(name), list) == NULL
               ? rf_fail_memory(err, call->arena)
               : RF_OK;
}

/* A login must come of them, which only we know how to name and to check. */
static enum rf_kind check_creation(struct vault_call *call, const struct json_node *node,
                                   struct rf_err *err)
{
    const struct json_node *list = json_get(node, "creationStatements");
    bool name = false, verifier = false;
    if (list == NULL) return RF_OK;
    for (const struct json_node *s = list->first; s != NULL; s = s->next) {
        for (size_t at = rf_str_find(s->text, RF_S("{{"), 0); at != SIZE_MAX;
             at = rf_str_find(s->text, RF_S("{{"), at + 2)) {
            rf_str word =
                rf_str_trim(rf_slice(s->text, at + 2, rf_str_find(s->text, RF_S("}}"), at + 2)));
            name |= rf_str_is(word, "name");
            verifier |= rf_str_is(word, "verifier");
        }
    }
    if (name && verifier) return RF_OK;
    return vault_bad(call, err,
                     "Property 'creationStatements' has invalid value: {{%s}} is missing, as in "
                     "CREATE ROLE {{name}} LOGIN PASSWORD {{verifier}} VALID UNTIL {{expiration}}.",
                     name ? "verifier" : "name");
}

static enum rf_kind read_grants(struct vault_call *call, struct json_node *node, struct rf_err *err)
{
    struct json_node *grants, *groups;
    uint32_t index = 0;
    RF_TRY(vault_database_texts(call, "grants", GRANTS_MAX, GRANT_BYTES_MAX, &grants, err));
    RF_TRY(vault_database_texts(call, "memberOf", GRANTS_MAX, NAME_BYTES_MAX, &groups, err));
    for (const struct json_node *g = grants == NULL ? NULL : grants->first; g != NULL;
         g = g->next, index++)
        if (!vault_sql_is_grant(g->text))
            return vault_bad(call, err,
                             "Property 'grants[%u]' has invalid value: it is what stands between "
                             "GRANT and TO, as SELECT ON ALL TABLES IN SCHEMA public.",
                             index);
    for (const struct json_node *g = groups == NULL ? NULL : groups->first; g != NULL; g = g->next)
        if (memchr(g->text.ptr, 0, g->text.len) != NULL)
            return vault_bad(call, err, "Property 'memberOf' has invalid value: a zero byte.");
    bool good = (grants == NULL || json_set(call->arena, node, RF_S("grants"), grants) != NULL) &&
                (groups == NULL || json_set(call->arena, node, RF_S("memberOf"), groups) != NULL);
    return good ? RF_OK : rf_fail_memory(err, call->arena);
}

static enum rf_kind read_times(struct vault_call *call, struct json_node *node, struct rf_err *err)
{
    int64_t ttl, most, leases;
    RF_TRY(vault_database_number(call, "maxTtl", 1, TTL_MAX, TTL_MOST_DEFAULT, &most, err));
    RF_TRY(vault_database_number(call, "defaultTtl", 1, TTL_MAX, RF_MIN(most, (int64_t)TTL_DEFAULT),
                                 &ttl, err));
    RF_TRY(vault_database_number(call, "maxLeases", 1, LEASES_MAX, LEASES_DEFAULT, &leases, err));
    if (ttl > most)
        return vault_bad(call, err,
                         "Property 'defaultTtl' has invalid value: it is longer than maxTtl.");
    bool good = json_set_i64(call->arena, node, "defaultTtl", ttl) != NULL &&
                json_set_i64(call->arena, node, "maxTtl", most) != NULL &&
                json_set_i64(call->arena, node, "maxLeases", leases) != NULL;
    return good ? RF_OK : rf_fail_memory(err, call->arena);
}

enum rf_kind vault_role_read(struct vault_call *call, struct json_node *node, struct rf_err *err)
{
    RF_TRY(read_statements(call, "creationStatements", SQL_CREATE, node, err));
    RF_TRY(read_statements(call, "renewStatements", SQL_RENEW, node, err));
    RF_TRY(read_statements(call, "revocationStatements", SQL_REVOKE, node, err));
    RF_TRY(check_creation(call, node, err));
    RF_TRY(read_grants(call, node, err));
    return read_times(call, node, err);
}

/* ---- the API ------------------------------------------------------------------------------------------------------------------- */

static rf_str id_of(struct vault_call *call, rf_str role)
{
    return rf_arena_printf(call->arena, "%.*s/databases/%.*s/roles/%.*s", RF_FMT(call->base),
                           RF_FMT(call->name), RF_FMT(role));
}

static struct json_node *show(struct vault_call *call, const struct json_node *node)
{
    struct json_node *out = json_clone(call->arena, node);
    rf_str id = id_of(call, json_text_at(node, "name"));
    return id.ptr == NULL || json_set_text(call->arena, out, "id", id) == NULL ? NULL : out;
}

static enum rf_kind answer(struct vault_call *call, const struct json_node *node,
                           struct rf_err *err)
{
    struct json_node *out = show(call, node);
    return out == NULL ? rf_fail_memory(err, call->arena) : request_answer(call->request, 200, out);
}

enum rf_kind vault_role_show(struct vault_call *call, struct rf_err *err)
{
    struct database db;
    struct database_role role;
    call->audit_id = id_of(call, call->sub);
    RF_TRY(vault_database_need(call, NULL, &db, err));
    RF_TRY(vault_role_need(call, NULL, call->sub, &role, err));
    return answer(call, role.node, err);
}

enum rf_kind vault_role_list(struct vault_call *call, struct rf_err *err)
{
    struct database db;
    RF_TRY(vault_database_need(call, NULL, &db, err));
    rf_str below =
        rf_arena_printf(call->arena, "%.*s/%.*s/", RF_FMT(call->place.guid), RF_FMT(db.name));
    return vault_database_list(call, vault_role_space, below, show, err);
}

static enum rf_kind store(struct vault_call *call, struct json_node *node, struct rf_err *err)
{
    RF_CLEANUP(state_end_cleanup) struct state_txn *txn = NULL;
    struct database db;
    struct database_role before;
    int64_t created = call->now;
    rf_str key = key_of(call->arena, call->place.guid, call->name, call->sub);
    if (key.ptr == NULL) return rf_fail_memory(err, call->arena);
    RF_TRY(state_begin_write(call->vaults->options.state, &txn, err));
    RF_TRY(vault_database_need(call, txn, &db, err));
    if (!vault_database_allows(&db, call->sub))
        return vault_fail(call, err, 403, "Forbidden", "RoleNotAllowed",
                          "The role %.*s is not among 'allowedRoles' of the database %.*s.",
                          RF_FMT(call->sub), RF_FMT(call->name));
    enum rf_kind kind = vault_role_get(call->vaults, txn, call->place.guid, call->name, call->sub,
                                       call->arena, &before, err);
    if (kind != RF_OK && kind != RF_NOT_FOUND) return kind;
    if (kind == RF_OK) (void)json_i64_at(before.node, "created", &created);
    bool good = json_set_i64(call->arena, node, "created", created) != NULL &&
                json_set_i64(call->arena, node, "updated", call->now) != NULL;
    rf_str body = good ? json_to_text(call->arena, node) : (rf_str){0};
    if (body.ptr == NULL) return rf_fail_memory(err, call->arena);
    struct state_put put = {.space = vault_role_space, .key = key, .body = body};
    RF_TRY(state_put(txn, &put, NULL, NULL, err));
    return state_finish(&txn, err);
}

enum rf_kind vault_role_put(struct vault_call *call, struct rf_err *err)
{
    struct json_node *node = json_new(call->arena, JSON_T_OBJECT);
    call->audit_id = id_of(call, call->sub);
    if (json_set_text(call->arena, node, "name", call->sub) == NULL)
        return rf_fail_memory(err, call->arena);
    RF_TRY(vault_role_read(call, node, err));
    RF_TRY(store(call, node, err));
    return answer(call, node, err);
}

static enum rf_kind forget(struct vault_call *call, struct database_role *role, struct rf_err *err)
{
    RF_CLEANUP(state_end_cleanup) struct state_txn *txn = NULL;
    uint32_t left;
    rf_str key = key_of(call->arena, call->place.guid, call->name, call->sub);
    rf_str database = vault_database_lower(call->arena, call->name);
    if (key.ptr == NULL || database.ptr == NULL) return rf_fail_memory(err, call->arena);
    RF_TRY(state_begin_write(call->vaults->options.state, &txn, err));
    RF_TRY(vault_role_need(call, txn, call->sub, role, err));
    RF_TRY(
        vault_lease_count(txn, call->arena, call->place.guid, database, role->name, 1, &left, err));
    if (left > 0)
        return vault_fail(call, err, 409, "Conflict", "LeasesLive",
                          "Leases of this role live: revoke them first (force=true).");
    RF_TRY(state_delete(txn, vault_role_space, key, err));
    return state_finish(&txn, err);
}

enum rf_kind vault_role_delete(struct vault_call *call, struct rf_err *err)
{
    struct database db;
    struct database_role role;
    uint32_t ended, left;
    call->audit_id = id_of(call, call->sub);
    RF_TRY(vault_database_need(call, NULL, &db, err));
    RF_TRY(vault_role_need(call, NULL, call->sub, &role, err));
    if (rf_str_is(request_parameter(call->request, "force", NULL), "true"))
        RF_TRY(vault_leases_end(call, role.name, &ended, &left, err));
    RF_TRY(forget(call, &role, err));
    return answer(call, role.node, err);
}
