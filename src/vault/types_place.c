/* types_place.c - vaults by their names: which live, which were deleted, and under which key each has what it holds. */
#include "base/encode.h"
#include "base/log.h"
#include "vault/types_int.h"

const char vault_place_space[] = "vault.place", vault_gone_space[] = "vault.deleted";

enum { COMPLETE_BYTES_MAX = 64 << 20 };

bool vault_guid_bytes(rf_str guid, struct rf_arena *arena, uint8_t out[SEAL_ID_BYTES])
{
    char digits[2 * SEAL_ID_BYTES];
    size_t count = 0;
    rf_str bytes;
    if (!guid_is(guid)) return false;
    for (size_t i = 0; i < guid.len; i++)
        if (guid.ptr[i] != '-') digits[count++] = (char)rf_lower(guid.ptr[i]);
    if (hex_decode(arena, rf_str_make(digits, count), &bytes, NULL) != RF_OK) return false;
    memcpy(out, bytes.ptr, SEAL_ID_BYTES);
    return true;
}

/* ---- reading ------------------------------------------------------------------------------------------------------------ */

static enum rf_kind read_kept(const struct state_object *object, struct rf_arena *arena,
                              struct vault_kept *out, struct rf_err *err)
{
    struct json_node *node = NULL;
    struct vault_kept kept = {.name = object->key};
    int64_t deleted = 0, purge = 0;
    if (json_parse(object->body, arena, &node, NULL) == RF_OK &&
        base64_decode(arena, json_text_at(node, "key"), &kept.key, NULL) == RF_OK) {
        kept.id = json_text_at(node, "id");
        kept.guid = json_text_at(node, "guid");
        kept.document = json_get(node, "document");
        (void)json_i64_at(node, "deleted", &deleted);
        (void)json_i64_at(node, "purge", &purge);
        kept.deleted = deleted;
        kept.purge = purge;
        kept.purging = json_bool_at(node, "purging", false);
        *out = kept;
        if (kept.id.len > 0 && guid_is(kept.guid)) return RF_OK;
    }
    return RF_FAIL(err, RF_CORRUPT, "StateCorrupt", "the place of the vault '%.*s' cannot be read",
                   (int)RF_MIN(object->key.len, 64), (const char *)object->key.ptr);
}

static enum rf_kind get(struct state_txn *txn, const char *space, rf_str name,
                        struct rf_arena *arena, struct vault_kept *out, bool *found,
                        struct rf_err *err)
{
    struct state_object object;
    rf_str key = resource_key(arena, name);
    if (key.ptr == NULL) return rf_fail_memory(err, arena);
    enum rf_kind kind = state_get(txn, space, key, arena, &object, err);
    *found = kind == RF_OK;
    if (kind == RF_NOT_FOUND) return RF_OK;
    RF_TRY(kind);
    return read_kept(&object, arena, out, err);
}

enum rf_kind vault_place_get(struct state_txn *txn, rf_str name, struct rf_arena *arena,
                             struct vault_kept *out, bool *found, struct rf_err *err)
{
    return get(txn, vault_place_space, name, arena, out, found, err);
}

enum rf_kind vault_gone_get(struct state_txn *txn, rf_str name, struct rf_arena *arena,
                            struct vault_kept *out, bool *found, struct rf_err *err)
{
    return get(txn, vault_gone_space, name, arena, out, found, err);
}

enum rf_kind vault_gone_list(struct state_txn *txn, struct rf_arena *arena, struct vault_kept **out,
                             uint32_t *count, struct rf_err *err)
{
    const struct state_scan scan = {.space = vault_gone_space};
    struct state_list list;
    RF_TRY(state_list(txn, &scan, arena, &list, err));
    struct vault_kept *items = rf_arena_new(arena, struct vault_kept, list.count + 1);
    if (items == NULL) return rf_fail_memory(err, arena);
    for (uint32_t i = 0; i < list.count; i++)
        RF_TRY(read_kept(&list.items[i], arena, &items[i], err));
    *out = items;
    *count = list.count;
    return RF_OK;
}

/* ---- writing ------------------------------------------------------------------------------------------------------------ */

static enum rf_kind put(struct state_txn *txn, const char *space, const struct vault_kept *kept,
                        enum state_if condition, struct rf_arena *arena, struct rf_err *err)
{
    struct json_node *node = json_new(arena, JSON_T_OBJECT);
    rf_str sealed = base64_encode(arena, kept->key);
    json_set_text(arena, node, "id", kept->id);
    json_set_text(arena, node, "guid", kept->guid);
    bool done = sealed.ptr != NULL && json_set_text(arena, node, "key", sealed) != NULL;
    if (kept->document != NULL) {
        json_set(arena, node, RF_S("document"), json_clone(arena, kept->document));
        json_set_i64(arena, node, "deleted", kept->deleted);
        json_set_i64(arena, node, "purge", kept->purge);
        done = json_set_bool(arena, node, "purging", kept->purging) != NULL && done;
    }
    rf_str body = json_to_text(arena, node);
    if (!done || body.ptr == NULL) return rf_fail_memory(err, arena);
    const struct state_put object = {
        .space = space, .key = kept->name, .body = body, .condition = condition};
    return state_put(txn, &object, NULL, NULL, err);
}

enum rf_kind vault_place_put(struct state_txn *txn, const struct vault_kept *kept,
                             struct rf_arena *arena, struct rf_err *err)
{
    return put(txn, vault_place_space, kept, STATE_ABSENT, arena, err);
}

enum rf_kind vault_gone_put(struct state_txn *txn, const struct vault_kept *kept,
                            struct rf_arena *arena, struct rf_err *err)
{
    RF_ASSERT(kept->document != NULL);
    return put(txn, vault_gone_space, kept, STATE_ANY, arena, err);
}

static enum rf_kind forget(struct state_txn *txn, const char *space, rf_str name,
                           struct rf_arena *arena, struct rf_err *err)
{
    rf_str key = resource_key(arena, name);
    if (key.ptr == NULL) return rf_fail_memory(err, arena);
    enum rf_kind kind = state_delete(txn, space, key, err);
    return kind == RF_NOT_FOUND ? RF_OK : kind;
}

enum rf_kind vault_place_delete(struct state_txn *txn, rf_str name, struct rf_arena *arena,
                                struct rf_err *err)
{
    return forget(txn, vault_place_space, name, arena, err);
}

enum rf_kind vault_gone_delete(struct state_txn *txn, rf_str name, struct rf_arena *arena,
                               struct rf_err *err)
{
    return forget(txn, vault_gone_space, name, arena, err);
}

/* ---- keys ---------------------------------------------------------------------------------------------------------------- */

enum rf_kind vault_kept_new(struct vaults *vaults, rf_str id, rf_str name, struct rf_arena *arena,
                            struct vault_kept *out, struct rf_err *err)
{
    uint8_t bytes[SEAL_ID_BYTES];
    struct vault_kept kept = {
        .id = id, .name = resource_key(arena, name), .guid = guid_random(arena)};
    if (kept.name.ptr == NULL || kept.guid.ptr == NULL ||
        !vault_guid_bytes(kept.guid, arena, bytes))
        return rf_fail_memory(err, arena);
    if (vaults->options.keeper == NULL)
        return RF_FAIL(err, RF_AGAIN, "KeeperGone", "there is no keeper that could make a key");
    RF_TRY(seal_vault_new(vaults->options.keeper, bytes, arena, &kept.key, err));
    *out = kept;
    return RF_OK;
}

static enum rf_kind complete_one(struct vaults *vaults, const struct arm_resource *resource,
                                 struct rf_arena *arena, struct rf_err *err)
{
    RF_CLEANUP(state_end_cleanup) struct state_txn *txn = NULL;
    struct vault_kept kept, other;
    bool found;
    RF_TRY(vault_kept_new(vaults, resource->id, resource->name, arena, &kept, err));
    RF_TRY(state_begin_write(vaults->options.state, &txn, err));
    RF_TRY(vault_place_get(txn, resource->name, arena, &other, &found, err));
    if (found) return RF_OK;
    RF_TRY(vault_place_put(txn, &kept, arena, err));
    return state_finish(&txn, err);
}

/* The stored vaults that have no place. */
static enum rf_kind list_without(struct vaults *vaults, struct rf_arena *arena,
                                 struct arm_resource **out, uint32_t *count, struct rf_err *err)
{
    RF_CLEANUP(state_end_cleanup) struct state_txn *txn = NULL;
    struct arm_resource *list;
    uint32_t all;
    RF_TRY(state_begin_read(vaults->options.state, &txn, err));
    RF_TRY(
        arm_list(vaults->options.arm, txn, "Microsoft.KeyVault/vaults", arena, &list, &all, err));
    *count = 0;
    for (uint32_t i = 0; i < all; i++) {
        struct vault_kept kept;
        bool found;
        RF_TRY(vault_place_get(txn, list[i].name, arena, &kept, &found, err));
        if (!found) list[(*count)++] = list[i];
    }
    *out = list;
    return RF_OK;
}

enum rf_kind vault_places_complete(struct vaults *vaults, struct rf_err *err)
{
    struct arm_resource *list;
    uint32_t count;
    if (vaults->types->is_complete) return RF_OK;
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, COMPLETE_BYTES_MAX);
    RF_TRY(list_without(vaults, &arena, &list, &count, err));
    for (uint32_t i = 0; i < count; i++) RF_TRY(complete_one(vaults, &list[i], &arena, err));
    vaults->types->is_complete = true;
    return RF_OK;
}
