/* Bodies about databases and their roles: what is taken of a role gives statements without a placeholder left, for all three uses. */
#include "test/rf_fuzz.h"
#include "vault/acme_client.h"
#include "vault/database_int.h"

static void expand(const struct json_node *role, struct rf_arena *arena)
{
    static const struct sql_words words[] = {
        [SQL_CREATE] = {RF_S("v-kv-app-0011223344556677"), RF_S("SCRAM-SHA-256$4096:a$b:c"),
                        1769860800},
        [SQL_RENEW] = {RF_S("v-kv-app-0011223344556677"), {0}, 1769860800},
        [SQL_REVOKE] = {RF_S("v-kv-app-0011223344556677"), {0}, 0}};
    for (int use = SQL_CREATE; use <= SQL_REVOKE; use++) {
        struct rf_err err;
        rf_str out;
        enum rf_kind kind =
            vault_sql_of_role(role, (enum sql_use)use, &words[use], arena, &out, &err);
        if (kind == RF_LIMIT) return; /* memory */
        /* A group's name may be one that cannot be quoted; the database says so for all others. */
        if (kind != RF_OK) continue;
        RF_ASSERT(rf_str_find(out, RF_S("{{"), 0) == SIZE_MAX ||
                  json_get(role, "memberOf") != NULL);
        RF_ASSERT(memchr(out.ptr, 0, out.len) == NULL);
    }
}

RF_FUZZ(database, text)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 16u << 20);
    const rf_str hosts[] = {RF_S("localhost:5432"), RF_S("db.example:*")};
    struct vaults vaults = {.options = {.outbound_hosts = hosts, .outbound_host_count = 2}};
    struct rf_err err;
    struct json_node *body;
    if (vault_read_body(text, &arena, &body, &err) != RF_OK) return;
    vaults.options.clock = rf_clock_real();
    if (vault_acme_new(&vaults.options, &vaults.acme, &err) != RF_OK) return;
    struct vault_call call = {.vaults = &vaults, .arena = &arena, .body = body, .now = 1769860800};
    struct json_node *role = json_new(&arena, JSON_T_OBJECT), *db = json_new(&arena, JSON_T_OBJECT);
    rf_str password;
    bool moved;
    if (vault_role_read(&call, role, &err) == RF_OK) expand(role, &arena);
    if (vault_database_read(&call, db, &password, &moved, &err) == RF_OK) {
        RF_ASSERT(password.len > 0 && !moved);
        RF_ASSERT(json_get(db, "password") == NULL);
        /* Once more over what is kept: nothing has moved, and no password is needed. */
        json_set(&arena, db, RF_S("login"), json_new(&arena, JSON_T_OBJECT));
        json_remove(body, RF_S("password"));
        RF_ASSERT(vault_database_read(&call, db, &password, &moved, &err) == RF_OK && !moved);
    }
    vault_acme_free(vaults.acme);
}
