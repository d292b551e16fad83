#include <stdio.h>

#include <openssl/crypto.h>

#include "crypt/keeper_vault_work.h"

enum { RANDOM_BYTES_MAX = 128 };

/* ---- verbs: secrets and sealing -------------------------------------------------------------------------------------------------------- */

enum rf_kind work_vault_new(struct work *w, struct rf_err *err)
{
    uint8_t root[SEAL_KEY_BYTES], key[SEAL_KEY_BYTES],
        *bytes = rf_arena_alloc(w->arena, WRAPPED_KEY_BYTES);
    rf_str id = work_next(w);
    static const uint8_t nothing[SEAL_ID_BYTES];
    if (bytes == NULL) return rf_fail_memory(err, w->arena);
    if (id.len != SEAL_ID_BYTES) return work_bad("id of a vault", err);
    (void)snprintf(w->who.oid, sizeof w->who.oid, "ringfort");
    (void)snprintf(w->who.app, sizeof w->who.app, "ringfort");
    w->ring = (struct ring){.vault_id = id.ptr, .item_id = nothing};
    RF_TRY(work_not_destroyed(w, &w->ring, err));
    uint32_t generation = keeper_root_generation(w->vault->keys);
    if (!keeper_root_wrap(w->vault, SEAL_STEP_VAULT, generation, root)) return work_broken(err);
    random_bytes(key, sizeof key);
    struct seal_wrap wrap = {
        .step = SEAL_STEP_VAULT, .generation = generation, .key = root, .about = id};
    bool good = seal_wrap_key(&wrap, key, bytes);
    OPENSSL_cleanse(root, sizeof root);
    OPENSSL_cleanse(key, sizeof key);
    if (!good) return work_crypto_failed(err);
    RF_TRY(keeper_rewrap_note(w->vault, "vault", id.ptr, generation, err));
    w->answer->fields[0] = rf_str_make(bytes, WRAPPED_KEY_BYTES);
    return work_tell(w, (rf_str){0}, err);
}

enum rf_kind work_put(struct work *w, struct rf_err *err)
{
    struct seal_head head;
    const rf_str *head_bytes = &w->request->fields[1 + KEEPER_RING_FIELDS];
    RF_TRY(work_who_asks(w, true, err));
    RF_TRY(work_next_ring(w, &w->ring, err));
    RF_TRY(work_next_head(w, &head, err));
    RF_TRY(work_check_kind(&w->ring, &head, err));
    rf_str material = work_next(w);
    bool system = w->request->fields[0].len == 0;
    if (system && head.material != SEAL_VALUE)
        return work_denied("SealToken", "keys are not taken without a token", err);
    if (material.len == 0 || material.len > SEAL_MATERIAL_BYTES_MAX || head.generation != 1)
        return work_bad("material", err);
    if (head.material != SEAL_VALUE) {
        struct seal_key *key;
        RF_TRY(seal_key_load(&head, material, &key, err));
        enum rf_kind kind = seal_key_public(key, w->arena, &w->answer->fields[2], err);
        seal_key_free(key);
        RF_TRY(kind);
    }
    RF_TRY(work_answer_sealed(w, &w->ring, &head, material, err));
    return work_tell(w, *head_bytes, err);
}

enum rf_kind work_open(struct work *w, struct rf_err *err)
{
    struct seal_head head;
    rf_str material;
    RF_TRY(work_who_asks(w, false, err));
    RF_TRY(work_next_ring(w, &w->ring, err));
    RF_TRY(work_within_rate(w, err));
    rf_str sealed = work_next(w);
    RF_TRY(work_open_version(w, sealed, &head, &material, err));
    enum rf_kind kind = head.material != SEAL_VALUE
                            ? work_denied("SealOperation", "a key is never given out", err)
                        : !head.enabled ? work_denied("SealDisabled", "the secret is disabled", err)
                                        : RF_OK;
    if (kind == RF_OK) kind = work_tell(w, sealed, err);
    if (kind != RF_OK)
        work_wipe(material);
    else
        w->answer->fields[0] = material;
    return kind;
}

enum rf_kind work_change(struct work *w, struct rf_err *err)
{
    struct seal_head before, after;
    rf_str material;
    RF_TRY(work_who_asks(w, false, err));
    RF_TRY(work_next_ring(w, &w->ring, err));
    rf_str sealed = work_next(w);
    RF_TRY(work_next_head(w, &after, err));
    if (w->ring.item_key.len == 0) return work_bad("key of the item", err);
    RF_TRY(work_open_version(w, sealed, &before, &material, err));
    bool fits = before.material == after.material && before.bits == after.bits &&
                before.exportable == after.exportable && before.managed == after.managed &&
                memcmp(before.version, after.version, SEAL_ID_BYTES) == 0 &&
                after.generation == before.generation + 1;
    bool good = fits && seal_version(w->key, w->ring.item_id, &after, material, w->arena,
                                     &w->answer->fields[0]);
    work_wipe(material);
    if (!fits) return work_bad("new head", err);
    return good ? work_tell(w, sealed, err) : work_crypto_failed(err);
}

enum rf_kind work_key_new(struct work *w, struct rf_err *err)
{
    struct seal_head head;
    struct seal_key *key = NULL;
    rf_str material = {0};
    const rf_str *head_bytes = &w->request->fields[1 + KEEPER_RING_FIELDS];
    RF_TRY(work_who_asks(w, true, err));
    RF_TRY(work_next_ring(w, &w->ring, err));
    RF_TRY(work_next_head(w, &head, err));
    if (head.material == SEAL_VALUE || head.generation != 1) return work_bad("head of a key", err);
    RF_TRY(work_check_kind(&w->ring, &head, err));
    enum rf_kind kind = work_make_key(w, &head, &material, err);
    if (kind == RF_OK) kind = seal_key_load(&head, material, &key, err);
    if (kind == RF_OK) kind = seal_key_public(key, w->arena, &w->answer->fields[2], err);
    if (kind == RF_OK) kind = work_answer_sealed(w, &w->ring, &head, material, err);
    seal_key_free(key);
    work_wipe(material);
    return kind == RF_OK ? work_tell(w, *head_bytes, err) : kind;
}

/* ---- verbs: keys ---------------------------------------------------------------------------------------------------------------------------- */

static enum rf_kind answer_used(struct work *w, const struct seal_used *used, struct rf_err *err)
{
    uint8_t *verified = rf_arena_alloc(w->arena, 1);
    if (verified == NULL) return rf_fail_memory(err, w->arena);
    *verified = used->verified ? 1 : 0;
    rf_str *fields = w->answer->fields;
    fields[0] = used->value;
    fields[1] = used->iv;
    fields[2] = used->tag;
    fields[3] = rf_str_make(verified, 1);
    return RF_OK;
}

static enum rf_kind use_key(struct work *w, struct borrowed *with, const struct seal_use *use,
                            struct rf_err *err)
{
    struct seal_used used = {.value = {0}};
    RF_TRY(work_check_use(w, &with->head, use->op, err));
    enum rf_kind kind = seal_key_apply(with->key, use, w->arena, &used, err);
    /* Whoever tries ciphertexts learns little in a second. */
    if (kind == RF_INVALID && (use->op & (SEAL_OP_DECRYPT | SEAL_OP_UNWRAP)) != 0)
        atomic_fetch_add(&work_rate(w)->failures, 1);
    RF_TRY(kind);
    return answer_used(w, &used, err);
}

enum rf_kind work_key_use(struct work *w, struct rf_err *err)
{
    struct borrowed with;
    unsigned op;
    RF_TRY(work_who_asks(w, false, err));
    RF_TRY(work_next_ring(w, &w->ring, err));
    RF_TRY(work_within_rate(w, err));
    rf_str sealed = work_next(w);
    if (!work_next_byte(w, SEAL_OP_ENCRYPT, SEAL_OP_UNWRAP, &op) || (op & (op - 1)) != 0)
        return work_bad("operation", err);
    struct seal_use use = {.op = (enum seal_op)op};
    use.algorithm = work_next(w);
    use.value = work_next(w);
    use.signature = work_next(w);
    use.iv = work_next(w);
    use.aad = work_next(w);
    use.tag = work_next(w);
    RF_TRY(work_borrow_key(w, sealed, &with, err));
    enum rf_kind kind = use_key(w, &with, &use, err);
    work_give_back(w, &with);
    return kind == RF_OK ? work_tell(w, sealed, err) : kind;
}

enum rf_kind work_certify(struct work *w, struct rf_err *err)
{
    struct borrowed with;
    unsigned what;
    RF_TRY(work_who_asks(w, true, err));
    RF_TRY(work_next_ring(w, &w->ring, err));
    RF_TRY(work_within_rate(w, err));
    rf_str sealed = work_next(w);
    if (!work_next_byte(w, SEAL_SIGN_SELF, SEAL_SIGN_JWS, &what) ||
        (w->ring.kind == SEAL_CERTIFICATE) != (what == SEAL_SIGN_JWS))
        return work_bad("kind of signature", err);
    rf_str issuer = work_next(w), der = work_next(w);
    RF_TRY(work_borrow_key(w, sealed, &with, err));
    rf_str *out = &w->answer->fields[0];
    enum rf_kind kind = what == SEAL_SIGN_JWS ? seal_key_jws(with.key, der, w->arena, out, err)
                                              : seal_key_certify(with.key, (enum seal_sign)what,
                                                                 issuer, der, w->arena, out, err);
    work_give_back(w, &with);
    return kind == RF_OK ? work_tell(w, sealed, err) : kind;
}

enum rf_kind work_bundle(struct work *w, struct rf_err *err)
{
    struct borrowed with;
    struct ring secret;
    struct seal_head head;
    rf_str value = {0};
    unsigned format;
    RF_TRY(work_who_asks(w, true, err));
    RF_TRY(work_next_ring(w, &w->ring, err));
    rf_str sealed = work_next(w), chain = work_next(w);
    if (!work_next_byte(w, SEAL_PFX, SEAL_PEM, &format)) return work_bad("format", err);
    RF_TRY(work_next_ring(w, &secret, err));
    RF_TRY(work_next_head(w, &head, err));
    /* The secret stays in the vault of its key. */
    if (memcmp(secret.vault_id, w->ring.vault_id, SEAL_ID_BYTES) != 0 ||
        head.material != SEAL_VALUE || head.generation != 1 || secret.kind != SEAL_SECRET)
        return work_bad("place of the secret", err);
    RF_TRY(work_borrow_key(w, sealed, &with, err));
    enum rf_kind kind = seal_key_bundle(with.key, with.head.exportable, chain,
                                        (enum seal_format)format, w->arena, &value, err);
    work_give_back(w, &with);
    if (kind == RF_OK) kind = work_answer_sealed(w, &secret, &head, value, err);
    work_wipe(value);
    return kind == RF_OK ? work_tell(w, sealed, err) : kind;
}

/* ---- verbs: the end ---------------------------------------------------------------------------------------------------------------------- */

enum rf_kind work_destroy(struct work *w, struct rf_err *err)
{
    static const uint8_t nothing[SEAL_ID_BYTES];
    uint8_t id[32], mac[SHA256_BYTES];
    char detail[KEEPER_DETAIL_BYTES], hex[2 * SHA256_BYTES + 1];
    RF_TRY(work_next_ring(w, &w->ring, err));
    if (memcmp(w->ring.item_id, nothing, SEAL_ID_BYTES) == 0)
        keeper_floor_id("vault", w->ring.vault_id, NULL, id);
    else
        keeper_floor_id("item", w->ring.vault_id, w->ring.item_id, id);
    RF_TRY(keeper_floor_raise(&w->vault->floors, id, FLOOR_GONE, err));
    (void)snprintf(w->who.oid, sizeof w->who.oid, "ringfort");
    (void)snprintf(w->who.app, sizeof w->who.app, "ringfort");
    work_describe(&w->who, &w->ring, (rf_str){0}, detail, sizeof detail);
    RF_TRY(
        keeper_audit_append(&w->vault->keys->audit, "vault.destroy", detail, &w->line, mac, err));
    keeper_hex(mac, sizeof mac, hex);
    w->answer->fields[0] = rf_arena_printf(w->arena, "line %llu of the keeper's audit log, mac %s",
                                           (unsigned long long)w->line, hex);
    return w->answer->fields[0].ptr == NULL ? rf_fail_memory(err, w->arena) : RF_OK;
}

enum rf_kind work_random(struct work *w, struct rf_err *err)
{
    unsigned n;
    RF_TRY(work_who_asks(w, false, err));
    if (!work_next_byte(w, 1, RANDOM_BYTES_MAX, &n)) return work_bad("number of bytes", err);
    uint8_t *bytes = rf_arena_alloc(w->arena, n);
    if (bytes == NULL) return rf_fail_memory(err, w->arena);
    random_bytes(bytes, n);
    w->answer->fields[0] = rf_str_make(bytes, n);
    return RF_OK;
}
