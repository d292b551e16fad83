/* A flood of refusals neither fills the keeper's log nor hides in it. */
#include "test/vault_seal_rig.h"

static uint32_t lines(struct seal_rig *r, const char *word) { return seal_rig_lines(r, word); }

static void refuse_tls(struct seal_rig *r, int times)
{
    uint8_t out[128];
    size_t len;
    for (int i = 0; i < times; i++)
        cr_assert(keeper_tls_sign(r->keeper, NULL, RF_S("short"), out, sizeof out, &len, &r->err) ==
                  RF_INVALID);
}

/* Any request, a second later. */
static void ask(struct seal_rig *r)
{
    uint8_t mac[32];
    seal_rig_pass(r);
    cr_assert(keeper_mac(r->keeper, "client secret", RF_S("x"), mac, &r->err) == RF_OK);
}

Test(keeper_refuse, the_rest_of_a_second_is_one_line)
{
    struct seal_rig r;
    seal_rig_init(&r);
    ask(&r);
    refuse_tls(&r, 100);
    cr_expect_eq(lines(&r, "\"request.refused\""), 10);
    cr_expect_eq(lines(&r, "refused_more"), 0, "its second is not over");
    ask(&r);
    cr_expect_eq(lines(&r, "\"90 more of tls_sign BadDigest oid - app -\""), 1);
    /* What came later has lines of its own again; nothing is told twice. */
    refuse_tls(&r, 3);
    ask(&r);
    ask(&r);
    cr_expect_eq(lines(&r, "\"request.refused\""), 13);
    cr_expect_eq(lines(&r, "refused_more"), 1);
    seal_rig_done(&r);
}

Test(keeper_refuse, callers_and_kinds_are_told_apart)
{
    struct seal_rig r;
    struct sealed sealed;
    rf_str value, proof;
    seal_rig_init(&r);
    struct seal_ring ring = seal_rig_ring(&r, 1, 10, SEAL_SECRET);
    struct seal_head head = seal_rig_head(SEAL_VALUE, 0, 1);
    seal_must(&r, seal_put(r.keeper, r.token, &ring, &head, RF_S("v"), &r.arena, &sealed, &r.err));
    ring.item_key = sealed.item_key;
    seal_must(&r, seal_destroy(r.keeper, &ring, &r.arena, &proof, &r.err));
    ask(&r);
    for (int i = 0; i < 30; i++) {
        rf_str token = i % 3 == 0 ? RF_S("none") : r.token;
        cr_assert(seal_open(r.keeper, token, &ring, sealed.version, &r.arena, &value, &r.err) ==
                  RF_DENIED);
    }
    ask(&r);
    /* Ten have lines of their own, four of them without a token. */
    cr_expect_eq(lines(&r, "\"request.refused\""), 10);
    cr_expect_eq(lines(&r, "\"6 more of seal_open SealToken oid - app -\""), 1);
    cr_expect_eq(
        lines(&r, "\"14 more of seal_open SealDestroyed oid " RIG_OID " app " RIG_APP "\""), 1);
    cr_expect_eq(lines(&r, "seal_open SealDestroyed oid " RIG_OID " app " RIG_APP " vault"), 6,
                 "a line of its own says who, too");
    seal_rig_done(&r);
}

Test(keeper_refuse, a_rate_that_was_exceeded_is_told)
{
    struct seal_rig r;
    uint8_t key[32];
    int refused = 0;
    seal_rig_init(&r);
    ask(&r);
    for (int i = 0; i < 500; i++) refused += keeper_store_key(r.keeper, key, &r.err) == RF_LIMIT;
    cr_assert_eq(refused, 495);
    ask(&r);
    cr_expect_eq(lines(&r, "\"request.refused\""), 0);
    cr_expect_eq(lines(&r, "\"495 more of store_key TooManyRequests oid - app -\""), 1);
    seal_rig_done(&r);
}

Test(keeper_refuse, more_kinds_than_places_are_counted_together_and_nothing_is_lost_at_the_end)
{
    enum { CALLERS = 24, PLACES = 16 };
    struct seal_rig r;
    rf_str value, tokens[CALLERS];
    char oid[40];
    seal_rig_init(&r);
    struct seal_ring ring = seal_rig_ring(&r, 1, 10, SEAL_SECRET);
    ring.item_key = r.vault_key; /* of no item */
    uint8_t version[SEAL_HEAD_BYTES + 40] = {0};
    struct seal_head head = seal_rig_head(SEAL_VALUE, 0, 1);
    seal_head_put(&head, version);
    for (int i = 0; i < CALLERS; i++) {
        (void)snprintf(oid, sizeof oid, "aaaaaaaa-0000-0000-0000-0000000001%02d", i);
        struct rig_token token = {.oid = oid};
        tokens[i] = seal_rig_token(&r, &token);
    }
    ask(&r);
    refuse_tls(&r, 10);
    for (int i = 0; i < CALLERS; i++)
        cr_assert(seal_open(r.keeper, tokens[i], &ring, rf_str_make(version, sizeof version),
                            &r.arena, &value, &r.err) == RF_DENIED);
    /* The keeper ends within the second. */
    seal_rig_restart(&r);
    cr_expect_eq(lines(&r, "\"1 more of seal_open SealBroken oid aaaaaaaa"), PLACES - 1);
    cr_expect_eq(lines(&r, "\"9 more of seal_open SealBroken oid aaaaaaaa"), 1);
    cr_expect_eq(lines(&r, ", and of other kinds\""), 1);
    seal_rig_done(&r);
}
