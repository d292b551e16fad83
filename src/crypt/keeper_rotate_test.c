/* A new root while the keeper serves: what the older one wrapped opens still, and MACs stay what they were. */
#include "crypt/keeper_int.h"
#include "test/vault_seal_rig.h"

static void opens(struct seal_rig *r, const struct seal_ring *ring, rf_str version,
                  const char *wanted)
{
    rf_str value;
    enum rf_kind kind = seal_open(r->keeper, r->token, ring, version, &r->arena, &value, &r->err);
    cr_assert(kind == RF_OK, "%s", r->err.text);
    cr_assert(rf_str_is(value, wanted));
}

static rf_str put(struct seal_rig *r, struct seal_ring *ring, const char *value)
{
    struct sealed sealed;
    struct seal_head head = seal_rig_head(SEAL_VALUE, 0, 1);
    enum rf_kind kind =
        seal_put(r->keeper, r->token, ring, &head, rf_str_of(value), &r->arena, &sealed, &r->err);
    cr_assert(kind == RF_OK, "%s", r->err.text);
    ring->item_key = sealed.item_key;
    return sealed.version;
}

Test(keeper_rotate, both_generations_open_before_and_after_a_restart)
{
    struct seal_rig r;
    uint8_t mac[32], again[32], store[32], store_again[32];
    char reply[ROOT_REPLY_BYTES];
    seal_rig_init(&r);
    struct seal_ring old = seal_rig_ring(&r, 1, 10, SEAL_SECRET);
    rf_str first = put(&r, &old, "of the first root");
    cr_assert(keeper_mac(r.keeper, KEEPER_MAC_SECRET, RF_S("x"), mac, &r.err) == RF_OK);
    cr_assert(keeper_store_key(r.keeper, store, &r.err) == RF_OK);

    struct root_talk talk = keeper_core_talk(r.core);
    root_talk(&talk, RF_S("rotate"), reply);
    cr_assert_str_eq(reply, "ok open 0 0 key file (generation 2)");
    opens(&r, &old, first, "of the first root");
    struct seal_ring new = seal_rig_ring(&r, 2, 20, SEAL_SECRET);
    new.vault_key = seal_rig_vault(&r, 2);
    /* Each names its generation (vault_seal.h). */
    cr_assert_eq(rf_get_u32le(old.vault_key.ptr + 4), 1);
    cr_assert_eq(rf_get_u32le(new.vault_key.ptr + 4), 2);
    rf_str second = put(&r, &new, "of the second");
    seal_rig_restart(&r);
    opens(&r, &old, first, "of the first root");
    opens(&r, &new, second, "of the second");
    cr_assert(keeper_mac(r.keeper, KEEPER_MAC_SECRET, RF_S("x"), again, &r.err) == RF_OK);
    cr_assert(memcmp(mac, again, sizeof mac) == 0);
    cr_assert(keeper_store_key(r.keeper, store_again, &r.err) == RF_OK);
    cr_assert(memcmp(store, store_again, sizeof store) == 0);
    /* A generation that there is not yet. */
    uint8_t forged[WRAPPED_KEY_BYTES];
    rf_str value;
    memcpy(forged, new.vault_key.ptr, sizeof forged);
    rf_put_u32le(forged + 4, 3);
    new.vault_key = rf_str_make(forged, sizeof forged);
    cr_assert(seal_open(r.keeper, r.token, &new, second, &r.arena, &value, &r.err) == RF_DENIED);
    cr_assert_str_eq(r.err.code, "SealBroken");
    seal_rig_done(&r);
}
