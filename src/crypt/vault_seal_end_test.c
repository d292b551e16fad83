/* Backups, purge, and what the keeper remembers. */
#include "test/vault_seal_rig.h"

static enum rf_kind open_it(struct seal_rig *r, const struct seal_ring *ring, rf_str sealed,
                            rf_str *value)
{
    return seal_open(r->keeper, r->token, ring, sealed, &r->arena, value, &r->err);
}

/* ---- purge ------------------------------------------------------------------------------------------------------------------ */

Test(vault_seal_end, what_is_destroyed_opens_no_more)
{
    struct seal_rig r;
    struct sealed out;
    struct seal_used used;
    rf_str value, proof;
    seal_rig_init(&r);
    struct seal_ring ring = seal_rig_ring(&r, 1, 10, SEAL_SECRET),
                     key = seal_rig_ring(&r, 1, 11, SEAL_KEY),
                     other = seal_rig_ring(&r, 1, 12, SEAL_SECRET);
    struct seal_head head = seal_rig_head(SEAL_OCT, 256, 1);
    struct sealed sealed = seal_rig_put(&r, &ring, "gone"),
                  stays = seal_rig_put(&r, &other, "stays"), made = seal_rig_key(&r, &key, &head);
    struct seal_use use = {.op = SEAL_OP_ENCRYPT, .algorithm = RF_S("A256GCM"), .value = RF_S("x")};
    seal_must(&r,
              seal_key_use(r.keeper, r.token, &key, made.version, &use, &r.arena, &used, &r.err));
    seal_must(&r, seal_destroy(r.keeper, &ring, &r.arena, &proof, &r.err));
    seal_must(&r, seal_destroy(r.keeper, &key, &r.arena, &proof, &r.err));
    for (int times = 0; times < 2; times++) {
        seal_refused(&r, "SealDestroyed", open_it(&r, &ring, sealed.version, &value));
        seal_refused(
            &r, "SealDestroyed",
            seal_key_use(r.keeper, r.token, &key, made.version, &use, &r.arena, &used, &r.err));
        /* Nor does it come to life again. */
        struct seal_ring again = ring;
        again.item_key = (rf_str){0};
        head = seal_rig_head(SEAL_VALUE, 0, 2);
        seal_refused(
            &r, "SealDestroyed",
            seal_put(r.keeper, r.token, &again, &head, RF_S("new"), &r.arena, &out, &r.err));
        seal_must(&r, open_it(&r, &other, stays.version, &value));
        seal_rig_restart(&r);
    }
    /* Twice is as good as once. */
    seal_must(&r, seal_destroy(r.keeper, &ring, &r.arena, &proof, &r.err));
    seal_rig_done(&r);
}

Test(vault_seal_end, a_proof_names_its_line)
{
    struct seal_rig r;
    rf_str proof;
    seal_rig_init(&r);
    struct seal_ring ring = seal_rig_ring(&r, 1, 10, SEAL_SECRET);
    seal_rig_put(&r, &ring, "gone");
    seal_must(&r, seal_destroy(r.keeper, &ring, &r.arena, &proof, &r.err));
    rf_str log = seal_rig_file(&r, "audit.log");
    size_t at = rf_str_find(log, RF_S("vault.destroy"), 0);
    cr_assert(at != SIZE_MAX);
    while (at > 0 && log.ptr[at - 1] != '\n') at--;
    rf_str line = rf_slice(log, at, rf_str_find(log, RF_S("\n"), at));
    size_t mac = rf_str_find(line, RF_S("\"mac\":\""), 0) + 7, seq = 7;
    cr_expect(rf_str_find(proof, rf_slice(line, mac, mac + 64), 0) != SIZE_MAX, "%.*s",
              RF_FMT(proof));
    rf_str number = rf_slice(line, seq, rf_str_find(line, RF_S(","), 0));
    cr_expect(rf_str_find(proof, number, 0) != SIZE_MAX, "%.*s: %.*s", RF_FMT(proof), RF_FMT(line));
    seal_rig_done(&r);
}

Test(vault_seal_end, a_whole_vault_is_destroyed)
{
    struct seal_rig r;
    struct sealed out;
    rf_str value, proof;
    seal_rig_init(&r);
    struct seal_ring ring = seal_rig_ring(&r, 1, 10, SEAL_SECRET),
                     far = seal_rig_ring(&r, 2, 10, SEAL_SECRET);
    far.vault_key = seal_rig_vault(&r, 2);
    struct sealed sealed = seal_rig_put(&r, &ring, "gone"), stays = seal_rig_put(&r, &far, "stays");
    struct seal_ring whole = {.vault_key = r.vault_key};
    memset(whole.vault_id, 1, SEAL_ID_BYTES);
    whole.kind = SEAL_SECRET;
    seal_must(&r, seal_destroy(r.keeper, &whole, &r.arena, &proof, &r.err));
    seal_refused(&r, "SealDestroyed", open_it(&r, &ring, sealed.version, &value));
    struct seal_ring fresh = seal_rig_ring(&r, 1, 30, SEAL_SECRET);
    struct seal_head head = seal_rig_head(SEAL_VALUE, 0, 2);
    seal_refused(&r, "SealDestroyed",
                 seal_put(r.keeper, r.token, &fresh, &head, RF_S("new"), &r.arena, &out, &r.err));
    seal_must(&r, open_it(&r, &far, stays.version, &value));
    seal_rig_done(&r);
}

/* ---- backups ------------------------------------------------------------------------------------------------------------------- */

#define ABOUT RF_S("secret of tenant 1")

static struct seal_backup backup_of(struct seal_rig *r, const struct seal_ring *ring)
{
    struct seal_backup backup;
    seal_must(r, seal_backup_make(r->keeper, r->token, ring, ABOUT, &r->arena, &backup, &r->err));
    return backup;
}

static struct seal_backup_from from_of(const struct seal_backup *backup,
                                       const struct seal_ring *ring)
{
    struct seal_backup_from from = {.item_key = backup->item_key, .about = ABOUT};
    memcpy(from.item_id, ring->item_id, sizeof from.item_id);
    return from;
}

Test(vault_seal_end, a_backup_outlives_its_item)
{
    struct seal_rig r;
    struct sealed out, changed;
    uint8_t key[32];
    rf_str value, proof;
    seal_rig_init(&r);
    struct seal_ring ring = seal_rig_ring(&r, 1, 10, SEAL_SECRET);
    struct sealed sealed = seal_rig_put(&r, &ring, "kept in the blob");
    struct seal_backup backup = backup_of(&r, &ring);
    struct seal_backup_from from = from_of(&backup, &ring);
    /* Changed after, then destroyed: the blob's is good all the same. */
    struct seal_head head = seal_rig_head(SEAL_VALUE, 0, 1);
    head.generation = 2;
    seal_must(&r, seal_change(r.keeper, r.token, &ring, sealed.version, &head, &r.arena, &changed,
                              &r.err));
    seal_must(&r, open_it(&r, &ring, changed.version, &value));
    seal_must(&r, seal_destroy(r.keeper, &ring, &r.arena, &proof, &r.err));
    seal_rig_restart(&r);
    seal_must(&r, seal_backup_open(r.keeper, r.token, backup.content_key, ABOUT, key, &r.err));
    cr_expect(memcmp(key, backup.key, sizeof key) == 0);
    for (uint8_t i = 0; i < 2; i++) { /* as often as one likes */
        struct seal_ring to = seal_rig_ring(&r, 1, (uint8_t)(40 + i), SEAL_SECRET);
        to.name = RF_S("another-name");
        seal_must(&r, seal_backup_put(r.keeper, r.token, &from, sealed.version, &to, &r.arena, &out,
                                      &r.err));
        to.item_key = out.item_key;
        cr_expect(memcmp(out.version.ptr, sealed.version.ptr, SEAL_HEAD_BYTES) == 0);
        seal_must(&r, open_it(&r, &to, out.version, &value));
        cr_expect(rf_str_is(value, "kept in the blob"));
        /* The old item's version is none of the new one's. */
        seal_refused(&r, "SealBroken", open_it(&r, &to, sealed.version, &value));
    }
    seal_refused(&r, "SealDestroyed", open_it(&r, &ring, sealed.version, &value));
    seal_rig_done(&r);
}

Test(vault_seal_end, a_key_comes_back_with_its_public_half)
{
    struct seal_rig r;
    struct sealed out;
    seal_rig_init(&r);
    struct seal_ring ring = seal_rig_ring(&r, 1, 10, SEAL_KEY),
                     to = seal_rig_ring(&r, 1, 11, SEAL_KEY);
    struct seal_head head = seal_rig_head(SEAL_P256, 0, 1);
    struct sealed key = seal_rig_key(&r, &ring, &head);
    struct seal_backup backup = backup_of(&r, &ring);
    struct seal_backup_from from = from_of(&backup, &ring);
    seal_must(&r,
              seal_backup_put(r.keeper, r.token, &from, key.version, &to, &r.arena, &out, &r.err));
    cr_expect(rf_str_eq(out.public_key, key.public_key));
    seal_rig_done(&r);
}

Test(vault_seal_end, a_backup_is_bound_to_what_it_is_of)
{
    struct seal_rig r, other;
    struct sealed out;
    uint8_t key[32], long_about[64];
    seal_rig_init(&r);
    struct seal_ring ring = seal_rig_ring(&r, 1, 10, SEAL_SECRET),
                     to = seal_rig_ring(&r, 1, 11, SEAL_SECRET),
                     as_key = seal_rig_ring(&r, 1, 12, SEAL_KEY);
    struct sealed sealed = seal_rig_put(&r, &ring, "value");
    struct seal_backup backup = backup_of(&r, &ring);
    struct seal_backup_from from = from_of(&backup, &ring), odd[4] = {from, from, from, from};
    odd[0].about = RF_S("secret of tenant 2");
    odd[1].item_id[0] ^= 1;
    odd[2].item_key = backup.content_key;
    odd[3].item_key = ring.item_key;
    for (size_t i = 0; i < RF_COUNT(odd); i++)
        seal_refused(&r, "SealBroken",
                     seal_backup_put(r.keeper, r.token, &odd[i], sealed.version, &to, &r.arena,
                                     &out, &r.err));
    seal_rig_pass(&r);
    cr_expect(seal_backup_put(r.keeper, r.token, &from, sealed.version, &as_key, &r.arena, &out,
                              &r.err) != RF_OK,
              "a secret becomes a key");
    seal_refused(&r, "SealBroken",
                 seal_backup_open(r.keeper, r.token, backup.content_key, RF_S("secret of tenant 2"),
                                  key, &r.err));
    /* The item's key must not come out as if it were the content's, however `about` is cut. */
    rf_str about = ABOUT;
    memcpy(long_about, about.ptr, about.len);
    memcpy(long_about + about.len, ring.item_id, SEAL_ID_BYTES);
    memcpy(long_about + 40, about.ptr, about.len);
    memcpy(long_about + 24, ring.item_id, SEAL_ID_BYTES);
    const rf_str tries[] = {about, rf_str_make(long_about, about.len + SEAL_ID_BYTES),
                            rf_str_make(long_about + 24, about.len + SEAL_ID_BYTES)};
    for (size_t i = 0; i < RF_COUNT(tries); i++)
        seal_refused(&r, "SealBroken",
                     seal_backup_open(r.keeper, r.token, backup.item_key, tries[i], key, &r.err));
    /* Another installation opens none of it. */
    seal_rig_init(&other);
    seal_refused(
        &other, "SealBroken",
        seal_backup_open(other.keeper, other.token, backup.content_key, ABOUT, key, &other.err));
    seal_rig_done(&other);
    seal_rig_done(&r);
}

/* ---- leaks ----------------------------------------------------------------------------------------------------------------------- */

static void expect_absent(rf_str where, rf_str what, const char *name)
{
    cr_expect(rf_str_find(where, what, 0) == SIZE_MAX, "%s", name);
}

Test(vault_seal_end, nothing_leaks_into_files_or_answers)
{
    static const char *const files[] = {"vault", "keys", "audit.log", "heads"};
    struct seal_rig r;
    struct sealed out;
    struct seal_used used;
    rf_str value, proof;
    static uint8_t bytes[32];
    seal_rig_init(&r);
    for (size_t i = 0; i < sizeof bytes; i++) bytes[i] = (uint8_t)(0x61 + i % 26);
    struct seal_ring secret = seal_rig_ring(&r, 1, 10, SEAL_SECRET),
                     key = seal_rig_ring(&r, 1, 11, SEAL_KEY);
    const char *planted = "planted-secret-value-83c1";
    rf_str material = rf_str_make(bytes, sizeof bytes);
    struct sealed first = seal_rig_put(&r, &secret, planted);
    struct seal_head head = seal_rig_head(SEAL_OCT, 256, 1);
    seal_must(&r, seal_put(r.keeper, r.token, &key, &head, material, &r.arena, &out, &r.err));
    key.item_key = out.item_key;
    seal_must(&r, open_it(&r, &secret, first.version, &value));
    struct seal_use use = {.op = SEAL_OP_WRAP, .algorithm = RF_S("A256KW"), .value = material};
    seal_must(&r,
              seal_key_use(r.keeper, r.token, &key, out.version, &use, &r.arena, &used, &r.err));
    struct seal_backup backup = backup_of(&r, &secret);
    seal_must(&r, seal_destroy(r.keeper, &secret, &r.arena, &proof, &r.err));
    expect_absent(first.version, rf_str_of(planted), "a sealed value");
    expect_absent(out.version, rf_slice(material, 0, 16), "a sealed key");
    expect_absent(used.value, rf_slice(material, 0, 16), "what a key made");
    expect_absent(backup.item_key, rf_slice(material, 0, 16), "a backup");
    for (size_t i = 0; i < RF_COUNT(files); i++) {
        rf_str text = seal_rig_file(&r, files[i]);
        expect_absent(text, rf_str_of(planted), files[i]);
        expect_absent(text, rf_slice(material, 0, 16), files[i]);
        expect_absent(text, rf_str_make(backup.key, sizeof backup.key), files[i]);
        expect_absent(text, rf_slice(r.token, r.token.len - 60, r.token.len), files[i]);
    }
    seal_rig_done(&r);
}
