#include "vault/vault_world.h"

#include "test/rf_prop.h"

static enum rf_kind find(struct vault_world *w, const char *name, struct vault_place *out)
{
    RF_CLEANUP(state_end_cleanup) struct state_txn *txn = NULL;
    cr_assert(state_begin_read(w->site.state, &txn, &w->err) == RF_OK);
    return vault_place_find(w->vaults, txn, rf_str_of(name), &w->site.arena, out, &w->err);
}

static void write_place(struct vault_world *w, const char *name, const char *body)
{
    struct state_txn *txn;
    struct state_put put = {
        .space = "vault.place", .key = rf_str_of(name), .body = rf_str_of(body)};
    cr_assert(state_begin_write(w->site.state, &txn, &w->err) == RF_OK);
    cr_assert(state_put(txn, &put, NULL, NULL, &w->err) == RF_OK);
    cr_assert(state_commit(txn, &w->err) == RF_OK);
}

Test(vault_place, says_what_the_resource_says)
{
    struct vault_world w;
    struct vault_place place, other;
    v_init(&w);
    cr_assert(find(&w, "", &place) == RF_OK, "%s", w.err.text);
    cr_expect(rf_str_is(place.name, V_NAME) && rf_str_is(place.id, V_ID));
    cr_expect(rf_str_is(place.location, "local") && rf_str_is(place.tenant_id, WALK_TENANT));
    cr_expect(place.rbac && !place.purge_protection && place.retention_days == 90);
    cr_expect(guid_is(place.guid) && place.key.len == WRAPPED_KEY_BYTES);
    rf_str hex = hex_encode(&w.site.arena, rf_str_make(place.guid_bytes, SEAL_ID_BYTES));
    cr_expect(rf_str_eq(rf_slice(hex, 0, 8), rf_slice(place.guid, 0, 8)));
    cr_expect(rf_str_eq(rf_slice(hex, 20, 32), rf_slice(place.guid, 24, 36)));
    v_vault(&w, "Vault-2",
            "\"enableRbacAuthorization\":false,\"enablePurgeProtection\":true,"
            "\"softDeleteRetentionInDays\":7");
    cr_assert(find(&w, "vAULT-2", &other) == RF_OK);
    cr_expect(rf_str_is(other.name, "Vault-2"));
    cr_expect(!other.rbac && other.purge_protection && other.retention_days == 7);
    cr_expect(!rf_str_eq(other.guid, place.guid) && !rf_str_eq(other.key, place.key));
    v_done(&w);
}

static enum rf_kind count(void *ctx, const struct vault_place *place, struct rf_err *err)
{
    (void)err;
    uint32_t *seen = ctx;
    *seen += rf_str_is(place->name, V_NAME) ? 1 : 100;
    return RF_OK;
}

static enum rf_kind refuse(void *ctx, const struct vault_place *place, struct rf_err *err)
{
    (void)ctx, (void)place;
    return RF_FAIL(err, RF_AGAIN, "Later", "later");
}

Test(vault_place, deleted_vaults_are_not_found_and_still_known)
{
    struct vault_world w;
    struct vault_place place;
    bool existed, known;
    uint32_t seen = 0;
    struct state_txn *txn;
    struct rf_arena *arena = &w.site.arena;
    v_init(&w);
    v_vault(&w, "gone", "");
    cr_assert(arm_delete(w.arm, RF_S(V_VAULTS "gone"), NULL, arena, &existed, &w.err) == RF_OK);
    cr_assert(find(&w, "gone", &place) == RF_NOT_FOUND);
    cr_expect_str_eq(w.err.code, "VaultNotFound");
    cr_assert(state_begin_read(w.site.state, &txn, &w.err) == RF_OK);
    cr_expect(vault_places(w.vaults, txn, arena, count, &seen, &w.err) == RF_OK && seen == 1);
    cr_expect(vault_places(w.vaults, txn, arena, refuse, NULL, &w.err) == RF_AGAIN);
    state_end(txn);
    cr_expect(vaults_know(w.vaults, RF_S("GONE"), arena, &known, &w.err) == RF_OK && known);
    cr_expect(vaults_know(w.vaults, RF_S(V_NAME), arena, &known, &w.err) == RF_OK && known);
    cr_expect(vaults_know(w.vaults, RF_S("never"), arena, &known, &w.err) == RF_OK && !known);
    v_done(&w);
}

Test(vault_place, what_cannot_be_read_is_told_as_such)
{
    struct vault_world w;
    struct vault_place place;
    v_init(&w);
    static const char guid[] = "\"guid\":\"01234567-89ab-cdef-0123-456789abcdef\"";
    static const char *const bad[] = {"",
                                      "[]",
                                      "{\"id\":\"" V_ID "\",%s}",
                                      "{\"id\":\"" V_ID "\",%s,\"key\":\"*\"}",
                                      "{\"id\":\"" V_ID "\",%s,\"key\":\"\"}",
                                      "{\"id\":\"" V_ID "\",\"guid\":\"1\",\"key\":\"AAAA\"}"};
    for (size_t i = 0; i < RF_COUNT(bad); i++) {
        char body[512];
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
        (void)snprintf(body, sizeof body, bad[i], guid);
#pragma GCC diagnostic pop
        write_place(&w, V_NAME, body);
        cr_expect(find(&w, V_NAME, &place) == RF_CORRUPT, "%s", body);
        v_expect_error(&w, "GET", "/secrets", NULL, 500, "InternalServerError", NULL);
        cr_expect(!walk_body_has(&w.last, "place"), "for the log only");
    }
    /* One whose resource is not there is none. */
    write_place(&w, "stray",
                "{\"id\":\"" V_VAULTS "stray\",\"guid\":\"01234567-89ab-cdef-0123-456789abcdef\","
                "\"key\":\"AAAA\"}");
    cr_expect(find(&w, "stray", &place) == RF_NOT_FOUND);
    v_done(&w);
}
