#include "vault/call_int.h"

#include "base/encode.h"

/* State space "vault.place", key: the vault's name in lower case; written by its type (types.c). */
static const char space[] = "vault.place";

enum { RETENTION_DAYS_DEFAULT = 90 };

static enum rf_kind no_vault(rf_str name, struct rf_err *err)
{
    return RF_FAIL(err, RF_NOT_FOUND, "VaultNotFound", "The vault '%.*s' was not found.",
                   (int)RF_MIN(name.len, 64), (const char *)name.ptr);
}

static enum rf_kind corrupt(rf_str key, struct rf_err *err)
{
    return RF_FAIL(err, RF_CORRUPT, "StateCorrupt", "the place of the vault '%.*s' cannot be read",
                   (int)RF_MIN(key.len, 64), (const char *)key.ptr);
}

/* 32 hex digits among dashes. */
static bool read_guid(rf_str guid, struct rf_arena *arena, uint8_t out[SEAL_ID_BYTES])
{
    char digits[2 * SEAL_ID_BYTES];
    size_t count = 0;
    rf_str bytes;
    if (!guid_is(guid)) return false;
    for (size_t i = 0; i < guid.len; i++)
        if (guid.ptr[i] != '-') digits[count++] = (char)rf_lower(guid.ptr[i]);
    if (hex_decode(arena, rf_str_make(digits, count), &bytes, NULL) != RF_OK ||
        bytes.len != SEAL_ID_BYTES)
        return false;
    memcpy(out, bytes.ptr, SEAL_ID_BYTES);
    return true;
}

/* Fills in what the resource says. */
static void read_resource(const struct arm_resource *resource, struct vault_place *out)
{
    const struct json_node *properties = json_get(resource->body, "properties");
    int64_t days = RETENTION_DAYS_DEFAULT;
    (void)json_i64_at(properties, "softDeleteRetentionInDays", &days);
    out->id = resource->id;
    out->name = resource->name;
    out->location = json_text_at(resource->body, "location");
    out->tenant_id = json_text_at(properties, "tenantId");
    out->properties = properties;
    out->retention_days = (int)days;
    out->purge_protection = json_bool_at(properties, "enablePurgeProtection", false);
    out->rbac = json_bool_at(properties, "enableRbacAuthorization", true);
}

static enum rf_kind read_place(struct vaults *vaults, struct state_txn *txn,
                               const struct state_object *object, struct rf_arena *arena,
                               struct vault_place *out, struct rf_err *err)
{
    struct json_node *node;
    struct arm_resource resource;
    struct vault_place place = {.id = {0}};
    if (json_parse(object->body, arena, &node, NULL) != RF_OK) return corrupt(object->key, err);
    place.guid = resource_key(arena, json_text_at(node, "guid"));
    if (!read_guid(place.guid, arena, place.guid_bytes)) return corrupt(object->key, err);
    if (base64_decode(arena, json_text_at(node, "key"), &place.key, NULL) != RF_OK ||
        place.key.len == 0)
        return corrupt(object->key, err);
    enum rf_kind kind =
        arm_get(vaults->options.arm, txn, json_text_at(node, "id"), arena, &resource, err);
    if (kind == RF_NOT_FOUND) return no_vault(object->key, err); /* deleted, and kept for a while */
    RF_TRY(kind);
    read_resource(&resource, &place);
    *out = place;
    return RF_OK;
}

enum rf_kind vault_place_find(struct vaults *vaults, struct state_txn *txn, rf_str name,
                              struct rf_arena *arena, struct vault_place *out, struct rf_err *err)
{
    struct state_object object;
    if (name.len == 0) name = vaults->options.site->vault_name;
    if (name.len == 0) return no_vault(name, err);
    rf_str key = resource_key(arena, name);
    if (key.ptr == NULL) return rf_fail_memory(err, arena);
    enum rf_kind kind = txn == NULL
                            ? state_peek(vaults->options.state, space, key, arena, &object, err)
                            : state_get(txn, space, key, arena, &object, err);
    if (kind == RF_NOT_FOUND) return no_vault(name, err);
    RF_TRY(kind);
    return read_place(vaults, txn, &object, arena, out, err);
}

enum rf_kind vault_places(struct vaults *vaults, struct state_txn *txn, struct rf_arena *arena,
                          vault_each *each, void *ctx, struct rf_err *err)
{
    struct state_scan scan = {.space = space};
    struct state_list list;
    RF_TRY(state_list(txn, &scan, arena, &list, err));
    for (uint32_t i = 0; i < list.count; i++) {
        struct vault_place place;
        enum rf_kind kind = read_place(vaults, txn, &list.items[i], arena, &place, err);
        if (kind == RF_NOT_FOUND) continue;
        RF_TRY(kind);
        RF_TRY(each(ctx, &place, err));
    }
    return RF_OK;
}

static enum rf_kind is_in(struct state_txn *txn, const char *of, rf_str key, struct rf_arena *arena,
                          bool *there, struct rf_err *err)
{
    struct state_object object;
    enum rf_kind kind = state_get(txn, of, key, arena, &object, err);
    *there = kind == RF_OK;
    return kind == RF_NOT_FOUND ? RF_OK : kind;
}

enum rf_kind vaults_know(struct vaults *vaults, rf_str name, struct rf_arena *arena, bool *known,
                         struct rf_err *err)
{
    RF_CLEANUP(state_end_cleanup) struct state_txn *txn = NULL;
    rf_str key = resource_key(arena, name);
    bool live = false, deleted = false;
    if (key.ptr == NULL) return rf_fail_memory(err, arena);
    RF_TRY(state_begin_read(vaults->options.state, &txn, err));
    RF_TRY(is_in(txn, space, key, arena, &live, err));
    RF_TRY(is_in(txn, "vault.deleted", key, arena, &deleted, err));
    *known = live || deleted;
    return RF_OK;
}
