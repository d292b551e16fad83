/* keeper_vault_backup.c - keys of backups, and versions that come out of them. */
#include <openssl/crypto.h>

#include "crypt/keeper_vault_work.h"

/* A key of a backup: the item's (bound to its kind and id too), or the content's. */
struct backup_key {
    rf_str about;
    enum seal_kind kind;
    const uint8_t *item_id; /* NULL: the content's */
};

static enum rf_kind backup_wrap(struct work *w, const struct backup_key *of, uint32_t generation,
                                uint8_t root[SEAL_KEY_BYTES], struct seal_wrap *out,
                                struct rf_err *err)
{
    size_t len = 1 + (of->item_id == NULL ? 0 : SEAL_ID_BYTES) + of->about.len;
    uint8_t *bytes = rf_arena_alloc(w->arena, len), *at = bytes;
    if (bytes == NULL) return rf_fail_memory(err, w->arena);
    /* The first byte is of no kind in the content's: neither passes for the other, however `about` is cut. */
    *at++ = of->item_id == NULL ? 0 : (uint8_t)of->kind;
    if (of->item_id != NULL) at = (uint8_t *)memcpy(at, of->item_id, SEAL_ID_BYTES) + SEAL_ID_BYTES;
    if (of->about.len > 0) memcpy(at, of->about.ptr, of->about.len);
    if (!keeper_root_wrap(w->vault, SEAL_STEP_BACKUP, generation, root))
        return keeper_rewrap_refuse(w->vault, generation, WORK_BROKEN_TEXT, err);
    *out = (struct seal_wrap){.step = SEAL_STEP_BACKUP,
                              .generation = generation,
                              .key = root,
                              .about = rf_str_make(bytes, len)};
    return RF_OK;
}

static enum rf_kind wrap_for_backup(struct work *w, const struct backup_key *of,
                                    const uint8_t key[SEAL_KEY_BYTES], rf_str *out,
                                    struct rf_err *err)
{
    uint8_t root[SEAL_KEY_BYTES], *bytes = rf_arena_alloc(w->arena, WRAPPED_KEY_BYTES);
    struct seal_wrap wrap;
    if (bytes == NULL) return rf_fail_memory(err, w->arena);
    RF_TRY(backup_wrap(w, of, keeper_root_generation(w->vault->keys), root, &wrap, err));
    bool good = seal_wrap_key(&wrap, key, bytes);
    OPENSSL_cleanse(root, sizeof root);
    *out = rf_str_make(bytes, WRAPPED_KEY_BYTES);
    return good ? RF_OK : work_crypto_failed(err);
}

static enum rf_kind unwrap_of_backup(struct work *w, const struct backup_key *of, rf_str wrapped,
                                     uint8_t key[SEAL_KEY_BYTES], struct rf_err *err)
{
    uint8_t root[SEAL_KEY_BYTES];
    struct seal_wrap wrap;
    RF_TRY(
        backup_wrap(w, of, seal_wrapped_generation(wrapped, SEAL_STEP_BACKUP), root, &wrap, err));
    bool good = seal_unwrap_key(&wrap, wrapped, key);
    OPENSSL_cleanse(root, sizeof root);
    return good ? RF_OK : work_broken(err);
}

enum rf_kind work_backup_make(struct work *w, struct rf_err *err)
{
    uint8_t *content = rf_arena_alloc(w->arena, SEAL_KEY_BYTES);
    rf_str wrapped, *fields = w->answer->fields;
    if (content == NULL) return rf_fail_memory(err, w->arena);
    RF_TRY(work_who_asks(w, false, err));
    RF_TRY(work_next_ring(w, &w->ring, err));
    struct backup_key item = {.about = work_next(w),
                              .kind = w->ring.kind,
                              .item_id = w->ring.item_id},
                      blob = {.about = item.about};
    if (w->ring.item_key.len == 0) return work_bad("key of the item", err);
    RF_TRY(work_item_key(w, &w->ring, w->key, &wrapped, err));
    random_bytes(content, SEAL_KEY_BYTES);
    RF_TRY(wrap_for_backup(w, &item, w->key, &fields[0], err));
    RF_TRY(wrap_for_backup(w, &blob, content, &fields[1], err));
    fields[2] = rf_str_make(content, SEAL_KEY_BYTES);
    return work_tell(w, (rf_str){0}, err);
}

enum rf_kind work_backup_open(struct work *w, struct rf_err *err)
{
    uint8_t *key = rf_arena_alloc(w->arena, SEAL_KEY_BYTES);
    if (key == NULL) return rf_fail_memory(err, w->arena);
    RF_TRY(work_who_asks(w, false, err));
    rf_str wrapped = work_next(w);
    struct backup_key blob = {.about = work_next(w)};
    RF_TRY(unwrap_of_backup(w, &blob, wrapped, key, err));
    w->answer->fields[0] = rf_str_make(key, SEAL_KEY_BYTES);
    return work_tell(w, (rf_str){0}, err);
}

/* Moves the material of a backup's version under another item. */
static enum rf_kind move_version(struct work *w, rf_str sealed, const uint8_t *item_id,
                                 const uint8_t from[SEAL_KEY_BYTES], struct rf_err *err)
{
    struct seal_head head;
    struct seal_key *key = NULL;
    rf_str material;
    RF_TRY(seal_head_get(sealed, &head, err));
    RF_TRY(work_check_kind(&w->ring, &head, err));
    if (!seal_open_version(from, item_id, sealed, w->arena, &material)) return work_broken(err);
    enum rf_kind kind = RF_OK;
    if (head.material != SEAL_VALUE) {
        kind = seal_key_load(&head, material, &key, err);
        if (kind == RF_OK) kind = seal_key_public(key, w->arena, &w->answer->fields[2], err);
        seal_key_free(key);
    }
    if (kind == RF_OK) kind = work_answer_sealed(w, &w->ring, &head, material, err);
    work_wipe(material);
    return kind;
}

enum rf_kind work_backup_put(struct work *w, struct rf_err *err)
{
    uint8_t from[SEAL_KEY_BYTES];
    RF_TRY(work_who_asks(w, false, err));
    rf_str wrapped = work_next(w), about = work_next(w), item_id = work_next(w),
           sealed = work_next(w);
    RF_TRY(work_next_ring(w, &w->ring, err));
    if (item_id.len != SEAL_ID_BYTES) return work_bad("id of the item", err);
    struct backup_key item = {.about = about, .kind = w->ring.kind, .item_id = item_id.ptr};
    RF_TRY(unwrap_of_backup(w, &item, wrapped, from, err));
    enum rf_kind kind = move_version(w, sealed, item_id.ptr, from, err);
    OPENSSL_cleanse(from, sizeof from);
    return kind == RF_OK ? work_tell(w, sealed, err) : kind;
}
