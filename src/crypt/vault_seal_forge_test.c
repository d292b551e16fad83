/* What somebody who holds the server's end may try: other people's tokens, other places, older states, spoilt bytes. */
#include "test/vault_seal_rig.h"

#include <openssl/evp.h>

static enum rf_kind open_it(struct seal_rig *r, rf_str token, const struct seal_ring *ring,
                            rf_str sealed)
{
    rf_str value;
    return seal_open(r->keeper, token, ring, sealed, &r->arena, &value, &r->err);
}

/* ---- tokens --------------------------------------------------------------------------------------------------------------- */

Test(vault_seal_forge, tokens_for_vaults_are_taken)
{
    static const char *const audiences[] = {"https://vault.azure.net",
                                            "https://vault.azure.net/",
                                            "https://vault.ringfort.localhost",
                                            "https://vault.ringfort.localhost/",
                                            "https://vault.ringfort.localhost:8443",
                                            "https://Vault.Ringfort.localhost:8443/",
                                            "https://kv-1.vault.ringfort.localhost",
                                            "https://kv-1.vault.ringfort.localhost:8443/",
                                            "cfa8b339-82a2-471a-a3c9-0fc0be7a4093"};
    struct seal_rig r;
    seal_rig_init(&r);
    struct seal_ring ring = seal_rig_ring(&r, 1, 10, SEAL_SECRET);
    struct sealed sealed = seal_rig_put(&r, &ring, "value");
    for (size_t i = 0; i < RF_COUNT(audiences); i++) {
        rf_str token = seal_rig_token(&r, &(struct rig_token){.audience = audiences[i]});
        cr_expect(open_it(&r, token, &ring, sealed.version) == RF_OK, "%s", audiences[i]);
        seal_rig_pass(&r);
    }
    /* A minute off is no matter. */
    rf_str token = seal_rig_token(&r, &(struct rig_token){.from = -100, .to = -59});
    cr_expect(open_it(&r, token, &ring, sealed.version) == RF_OK, "just over");
    token = seal_rig_token(&r, &(struct rig_token){.from = 59});
    cr_expect(open_it(&r, token, &ring, sealed.version) == RF_OK, "not quite");
    seal_rig_done(&r);
}

Test(vault_seal_forge, other_tokens_are_refused)
{
    static const struct rig_token others[] = {
        {.audience = "https://management.azure.com"},
        {.audience = "https://localhost:8443"},
        {.audience = "https://ringfort.localhost"},
        {.audience = "https://vault.azure.net.evil.example"},
        {.audience = "https://evil.example/https://vault.azure.net"},
        {.audience = "https://vault.evil.example"},
        {.audience = "https://kv.vault.evil.example"},
        {.audience = "https://a.vault.azure.net.ringfort.localhost"},
        {.audience = "https://vaults.ringfort.localhost"},
        {.audience = "http://vault.azure.net"},
        {.audience = "vault.azure.net"},
        {.audience = "https://"},
        {.audience = ""},
        {.to = -61},
        {.from = 120},
    };
    struct seal_rig r;
    seal_rig_init(&r);
    struct seal_ring ring = seal_rig_ring(&r, 1, 10, SEAL_SECRET);
    struct sealed sealed = seal_rig_put(&r, &ring, "value");
    for (size_t i = 0; i < RF_COUNT(others); i++) {
        rf_str token = seal_rig_token(&r, &others[i]);
        seal_refused(&r, "SealToken", open_it(&r, token, &ring, sealed.version));
    }
    /* None, not a token, no signature, one that does not fit. */
    rf_str parts = seal_rig_input(&r, &(struct rig_token){.from = 0});
    size_t dot = rf_str_find(r.token, RF_S("."), 0);
    uint8_t *spoilt = seal_rig_copy(&r, r.token), *claims = seal_rig_copy(&r, r.token);
    spoilt[r.token.len - 9] = spoilt[r.token.len - 9] == 'A' ? 'B' : 'A';
    claims[dot + 20] = claims[dot + 20] == 'x' ? 'y' : 'x';
    rf_str body = rf_slice(r.token, dot, r.token.len),
           none = base64url_encode(&r.arena, RF_S("{\"alg\":\"none\"}")),
           hs256 = base64url_encode(&r.arena, RF_S("{\"alg\":\"HS256\"}"));
    const rf_str forged[] = {
        {0},
        RF_S("x"),
        rf_arena_printf(&r.arena, "%.*s.", RF_FMT(parts)),
        rf_str_make(spoilt, r.token.len),
        rf_str_make(claims, r.token.len),
        rf_arena_printf(&r.arena, "%.*s%.*s", RF_FMT(none), RF_FMT(body)),
        rf_arena_printf(&r.arena, "%.*s%.*s", RF_FMT(hs256), RF_FMT(body)),
        rf_slice(r.token, 0, r.token.len - 1),
        rf_arena_printf(&r.arena, "Bearer %.*s", RF_FMT(r.token)),
    };
    for (size_t i = 0; i < RF_COUNT(forged); i++)
        seal_refused(&r, "SealToken", open_it(&r, forged[i], &ring, sealed.version));
    cr_expect(open_it(&r, r.token, &ring, sealed.version) == RF_OK);
    seal_rig_done(&r);
}

Test(vault_seal_forge, another_keepers_token_is_refused)
{
    struct seal_rig r, other;
    seal_rig_init(&r);
    seal_rig_init(&other);
    struct seal_ring ring = seal_rig_ring(&r, 1, 10, SEAL_SECRET);
    struct sealed sealed = seal_rig_put(&r, &ring, "value");
    seal_refused(&r, "SealToken", open_it(&r, other.token, &ring, sealed.version));
    /* Nor does it open anything of another's. */
    seal_refused(&other, "SealBroken", open_it(&other, other.token, &ring, sealed.version));
    seal_rig_done(&other);
    seal_rig_done(&r);
}

Test(vault_seal_forge, tokens_end)
{
    struct seal_rig r;
    seal_rig_init(&r);
    struct seal_ring ring = seal_rig_ring(&r, 1, 10, SEAL_SECRET);
    struct sealed sealed = seal_rig_put(&r, &ring, "value");
    cr_expect(open_it(&r, r.token, &ring, sealed.version) == RF_OK);
    /* The next key signs; what the old one signed counts on. */
    cr_assert(keeper_jwt_rotate(r.keeper, false, &r.err) == RF_OK);
    cr_expect(open_it(&r, r.token, &ring, sealed.version) == RF_OK);
    cr_assert(keeper_jwt_rotate(r.keeper, true, &r.err) == RF_OK);
    seal_refused(&r, "SealToken", open_it(&r, r.token, &ring, sealed.version));
    r.token = seal_rig_token(&r, &(struct rig_token){.to = 600});
    cr_expect(open_it(&r, r.token, &ring, sealed.version) == RF_OK);
    rf_clock_fixed_pass(&r.clock, 660 * RF_USEC_PER_SECOND);
    seal_refused(&r, "SealToken", open_it(&r, r.token, &ring, sealed.version));
    seal_rig_done(&r);
}

/* Without a token nothing is used or given out, but for what the program does by itself. */
Test(vault_seal_forge, who_has_no_token_gets_nothing)
{
    struct seal_rig r;
    struct sealed out;
    struct seal_used used;
    struct seal_backup backup;
    uint8_t bytes[32];
    rf_str none = {0}, value;
    seal_rig_init(&r);
    struct seal_ring secret = seal_rig_ring(&r, 1, 10, SEAL_SECRET),
                     ring = seal_rig_ring(&r, 1, 11, SEAL_KEY);
    struct sealed sealed = seal_rig_put(&r, &secret, "value");
    struct seal_head head = seal_rig_head(SEAL_OCT, 256, 1);
    seal_must(&r, seal_key_new(r.keeper, none, &ring, &head, &r.arena, &out, &r.err));
    ring.item_key = out.item_key;
    struct seal_use use = {.op = SEAL_OP_ENCRYPT, .algorithm = RF_S("A256GCM"), .value = RF_S("x")};
    seal_refused(&r, "SealToken",
                 seal_open(r.keeper, none, &secret, sealed.version, &r.arena, &value, &r.err));
    seal_refused(&r, "SealToken",
                 seal_key_use(r.keeper, none, &ring, out.version, &use, &r.arena, &used, &r.err));
    head.generation = 2;
    seal_refused(&r, "SealToken",
                 seal_change(r.keeper, none, &ring, out.version, &head, &r.arena, &out, &r.err));
    seal_refused(&r, "SealToken",
                 seal_backup_make(r.keeper, none, &ring, RF_S("about"), &r.arena, &backup, &r.err));
    seal_must(&r,
              seal_backup_make(r.keeper, r.token, &ring, RF_S("about"), &r.arena, &backup, &r.err));
    seal_refused(
        &r, "SealToken",
        seal_backup_open(r.keeper, none, backup.content_key, RF_S("about"), bytes, &r.err));
    struct seal_backup_from from = {.item_key = backup.item_key, .about = RF_S("about")};
    memcpy(from.item_id, ring.item_id, sizeof from.item_id);
    struct seal_ring next = seal_rig_ring(&r, 1, 12, SEAL_KEY);
    seal_refused(
        &r, "SealToken",
        seal_backup_put(r.keeper, none, &from, out.version, &next, &r.arena, &out, &r.err));
    seal_rig_done(&r);
}

/* ---- places ------------------------------------------------------------------------------------------------------------------- */

Test(vault_seal_forge, nothing_opens_in_another_place)
{
    struct seal_rig r;
    seal_rig_init(&r);
    struct seal_ring a = seal_rig_ring(&r, 1, 10, SEAL_SECRET),
                     b = seal_rig_ring(&r, 1, 11, SEAL_SECRET),
                     far = seal_rig_ring(&r, 2, 12, SEAL_SECRET);
    far.vault_key = seal_rig_vault(&r, 2);
    struct sealed in_a = seal_rig_put(&r, &a, "of a"), in_b = seal_rig_put(&r, &b, "of b"),
                  in_far = seal_rig_put(&r, &far, "of far");
    struct seal_ring odd[9];
    for (size_t i = 0; i < RF_COUNT(odd); i++) odd[i] = a;
    odd[0].vault_key = far.vault_key;
    odd[1].item_key = b.item_key;
    odd[2].item_key = far.item_key;
    odd[3].kind = SEAL_KEY;
    odd[4].name = RF_S("thing-2");
    memcpy(odd[5].item_id, b.item_id, SEAL_ID_BYTES);
    memcpy(odd[6].vault_id, far.vault_id, SEAL_ID_BYTES);
    odd[7].item_key = a.vault_key;
    odd[8].vault_key = a.item_key;
    for (size_t i = 0; i < RF_COUNT(odd); i++)
        seal_refused(&r, "SealBroken", open_it(&r, r.token, &odd[i], in_a.version));
    seal_refused(&r, "SealBroken", open_it(&r, r.token, &a, in_b.version));
    seal_refused(&r, "SealBroken", open_it(&r, r.token, &a, in_far.version));
    seal_refused(&r, "SealBroken", open_it(&r, r.token, &far, in_a.version));
    /* The same key and material under another vault, after it was used: what is ready for use is not found by the version alone. */
    cr_expect(open_it(&r, r.token, &a, in_a.version) == RF_OK);
    seal_rig_done(&r);
}

Test(vault_seal_forge, a_key_in_use_is_no_way_around)
{
    struct seal_rig r;
    struct seal_used used;
    seal_rig_init(&r);
    struct seal_ring ring = seal_rig_ring(&r, 1, 10, SEAL_KEY), odd[6];
    struct seal_head head = seal_rig_head(SEAL_OCT, 256, 1);
    struct sealed key = seal_rig_key(&r, &ring, &head);
    struct seal_use use = {.op = SEAL_OP_ENCRYPT, .algorithm = RF_S("A256GCM"), .value = RF_S("x")};
    seal_must(&r,
              seal_key_use(r.keeper, r.token, &ring, key.version, &use, &r.arena, &used, &r.err));
    for (size_t i = 0; i < RF_COUNT(odd); i++) odd[i] = ring;
    odd[0].vault_key = seal_rig_vault(&r, 2);
    odd[1].kind = SEAL_CERTIFICATE;
    odd[2].name = RF_S("thing-2");
    odd[3].item_id[0] ^= 1;
    odd[4].vault_id[15] ^= 1;
    odd[5].item_key = odd[0].vault_key;
    for (size_t i = 0; i < RF_COUNT(odd); i++)
        seal_refused(
            &r, "SealBroken",
            seal_key_use(r.keeper, r.token, &odd[i], key.version, &use, &r.arena, &used, &r.err));
    /* A changed head of what is in use: every bit of it. */
    for (size_t bit = 0; bit < 8 * SEAL_HEAD_BYTES; bit++) {
        uint8_t *spoilt = seal_rig_copy(&r, key.version);
        spoilt[bit / 8] ^= (uint8_t)(1u << bit % 8);
        rf_str bytes = rf_str_make(spoilt, key.version.len);
        cr_expect(seal_key_use(r.keeper, r.token, &ring, bytes, &use, &r.arena, &used, &r.err) !=
                      RF_OK,
                  "bit %zu", bit);
        cr_expect(strcmp(r.err.code, "SealBroken") == 0 || strcmp(r.err.code, "SealArgument") == 0,
                  "bit %zu: %s", bit, r.err.code);
    }
    seal_rig_done(&r);
}

Test(vault_seal_forge, spoilt_bytes_are_told)
{
    struct seal_rig r;
    seal_rig_init(&r);
    struct seal_ring ring = seal_rig_ring(&r, 1, 10, SEAL_SECRET);
    struct sealed sealed = seal_rig_put(&r, &ring, "some value");
    for (size_t at = 0; at < sealed.version.len; at++) {
        uint8_t *spoilt = seal_rig_copy(&r, sealed.version);
        spoilt[at] ^= 0x10;
        cr_expect(open_it(&r, r.token, &ring, rf_str_make(spoilt, sealed.version.len)) != RF_OK,
                  "version %zu", at);
    }
    for (size_t at = 0; at < WRAPPED_KEY_BYTES; at++) {
        struct seal_ring item = ring, vault = ring;
        uint8_t *spoilt = seal_rig_copy(&r, ring.item_key);
        spoilt[at] ^= 0x10;
        item.item_key.ptr = spoilt;
        cr_expect(open_it(&r, r.token, &item, sealed.version) == RF_DENIED, "item %zu", at);
        spoilt = seal_rig_copy(&r, ring.vault_key);
        spoilt[at] ^= 0x10;
        vault.vault_key.ptr = spoilt;
        cr_expect(open_it(&r, r.token, &vault, sealed.version) == RF_DENIED, "vault %zu", at);
    }
    for (size_t len = 0; len < sealed.version.len; len++)
        cr_expect(open_it(&r, r.token, &ring, rf_slice(sealed.version, 0, len)) != RF_OK, "%zu",
                  len);
    cr_expect(open_it(&r, r.token, &ring, sealed.version) == RF_OK);
    seal_rig_done(&r);
}

Test(vault_seal_forge, kinds_and_material_go_together)
{
    struct seal_rig r;
    struct sealed out;
    static const uint8_t bytes[32] = {1};
    seal_rig_init(&r);
    struct seal_ring key = seal_rig_ring(&r, 1, 10, SEAL_KEY),
                     secret = seal_rig_ring(&r, 1, 11, SEAL_SECRET);
    struct seal_head value = seal_rig_head(SEAL_VALUE, 0, 1), oct = seal_rig_head(SEAL_OCT, 256, 1);
    rf_str material = rf_str_make(bytes, sizeof bytes);
    seal_refused(&r, "SealArgument",
                 seal_put(r.keeper, r.token, &key, &value, material, &r.arena, &out, &r.err));
    seal_refused(&r, "SealArgument",
                 seal_put(r.keeper, r.token, &secret, &oct, material, &r.arena, &out, &r.err));
    seal_refused(&r, "SealArgument",
                 seal_key_new(r.keeper, r.token, &secret, &oct, &r.arena, &out, &r.err));
    seal_rig_done(&r);
}

/* ---- oracles ------------------------------------------------------------------------------------------------------------------ */

Test(vault_seal_forge, tries_are_counted)
{
    struct seal_rig r;
    struct seal_used used;
    static const uint8_t junk[256] = {1};
    seal_rig_init(&r);
    struct seal_ring ring = seal_rig_ring(&r, 1, 10, SEAL_KEY),
                     other = seal_rig_ring(&r, 1, 11, SEAL_KEY);
    struct seal_head head = seal_rig_head(SEAL_OCT, 256, 1);
    struct sealed key = seal_rig_key(&r, &ring, &head), second = seal_rig_key(&r, &other, &head);
    struct seal_use use = {.op = SEAL_OP_DECRYPT,
                           .algorithm = RF_S("A256CBCPAD"),
                           .value = rf_str_make(junk, 64),
                           .iv = rf_str_make(junk, 16)};
    uint32_t wrong = 0, limited = 0;
    seal_rig_pass(&r);
    for (uint32_t i = 0; i < 400; i++) {
        uint8_t *block = seal_rig_copy(&r, use.value);
        rf_put_u32le(block, i);
        use.value.ptr = block;
        enum rf_kind kind =
            seal_key_use(r.keeper, r.token, &ring, key.version, &use, &r.arena, &used, &r.err);
        wrong += kind == RF_INVALID;
        limited += kind == RF_LIMIT && strcmp(r.err.code, "SealRate") == 0;
    }
    cr_expect_eq(wrong, 50);
    cr_expect_gt(limited, 300);
    /* Others go on, and a second later it does as well. */
    use =
        (struct seal_use){.op = SEAL_OP_ENCRYPT, .algorithm = RF_S("A256GCM"), .value = RF_S("x")};
    seal_must(
        &r, seal_key_use(r.keeper, r.token, &other, second.version, &use, &r.arena, &used, &r.err));
    seal_rig_pass(&r);
    seal_must(&r,
              seal_key_use(r.keeper, r.token, &ring, key.version, &use, &r.arena, &used, &r.err));
    seal_rig_done(&r);
}

/* The server's word makes tokens: the log keeps for whom. */
Test(vault_seal_forge, tokens_for_vaults_are_told)
{
    struct seal_rig r;
    seal_rig_init(&r);
    cr_expect_eq(seal_rig_lines(&r, "\"token.vault\",\"detail\":\"oid " RIG_OID " app " RIG_APP),
                 1);
    for (int i = 0; i < 5; i++) seal_rig_token(&r, &(struct rig_token){.to = 600 + i});
    seal_rig_token(&r, &(struct rig_token){.audience = "https://management.azure.com"});
    cr_expect_eq(seal_rig_lines(&r, "token.vault"), 1, "once a minute");
    rf_clock_fixed_pass(&r.clock, 61 * RF_USEC_PER_SECOND);
    seal_rig_token(&r, &(struct rig_token){.audience = "https://management.azure.com"});
    cr_expect_eq(seal_rig_lines(&r, "token.vault"), 1);
    seal_rig_token(&r, &(struct rig_token){.audience = "https://kv.vault.ringfort.localhost"});
    cr_expect_eq(seal_rig_lines(&r, "token.vault"), 2);
    seal_rig_done(&r);
}
