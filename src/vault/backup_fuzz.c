/* Blobs of backups: their head, and their content as it is once opened. The first byte says which. */
#include "test/rf_fuzz.h"
#include "vault/store_int.h"

static void check_item(const struct vault_blob_item *part)
{
    RF_ASSERT(vault_name_is(part->item.name));
    RF_ASSERT(part->item.deleted == 0 && !part->item.purging);
    RF_ASSERT(part->count <= BLOB_VERSIONS_MAX);
    for (uint32_t i = 0; i < part->count; i++) {
        RF_ASSERT(vault_version_is(part->versions[i].version));
        RF_ASSERT(part->versions[i].sealed.len == 0 || part->backup_key.len == WRAPPED_KEY_BYTES);
    }
}

RF_FUZZ(backup, text)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    struct vault_blob blob;
    struct vault_blob_item items[BLOB_ITEMS_MAX];
    uint32_t count;
    rf_arena_init(&arena, 16u << 20);
    if (text.len == 0) return;
    rf_str rest = rf_slice(text, 1, text.len);
    enum seal_kind kind = (enum seal_kind)(SEAL_SECRET + text.ptr[0] % 3);
    if (text.ptr[0] >= '3') {
        if (vault_blob_items(rest, kind, &arena, items, &count, NULL) != RF_OK) return;
        RF_ASSERT(count >= 1 && count <= BLOB_ITEMS_MAX && items[0].item.kind == kind);
        for (uint32_t i = 0; i < count; i++) check_item(&items[i]);
    } else if (vault_blob_read(rest, &blob, NULL) == RF_OK) {
        RF_ASSERT(blob.head.len + blob.sealed.len == rest.len);
        RF_ASSERT(blob.sealed.len >= BLOB_TAG_BYTES);
        RF_ASSERT(blob.content_key.len == WRAPPED_KEY_BYTES && blob.nonce.len == BLOB_NONCE_BYTES);
    }
}
