/* types_deleted.c - vaults that were deleted and can be recovered still: their lists, their purge, and what ends them on time. */
#include "base/encode.h"
#include "base/log.h"
#include "vault/types_int.h"

enum { DUE_BYTES_MAX = 64 << 20 };

/* ---- as documents -------------------------------------------------------------------------------------------------------- */

static struct json_node *document_of(const struct vaults *vaults, const struct vault_kept *gone,
                                     struct rf_arena *arena)
{
    const struct json_node *tags = json_get(gone->document, "tags");
    rf_str name = json_text_at(gone->document, "name");
    rf_str location = json_text_at(gone->document, "location");
    struct json_node *body = json_new(arena, JSON_T_OBJECT);
    rf_str id = rf_arena_printf(
        arena, "/subscriptions/%.*s/providers/Microsoft.KeyVault/locations/%.*s/deletedVaults/%.*s",
        RF_FMT(vaults->options.site->subscription_id), RF_FMT(location), RF_FMT(name));
    json_set_text(arena, body, "id", id);
    json_set_text(arena, body, "name", name);
    json_set_text(arena, body, "type", RF_S("Microsoft.KeyVault/deletedVaults"));
    struct json_node *properties = body == NULL ? NULL : json_object_in(arena, body, "properties");
    json_set_text(arena, properties, "vaultId", gone->id);
    json_set_text(arena, properties, "location", location);
    if (tags != NULL) json_set(arena, properties, RF_S("tags"), json_clone(arena, tags));
    json_set_text(arena, properties, "deletionDate", time_iso(arena, gone->deleted));
    json_set_text(arena, properties, "scheduledPurgeDate", time_iso(arena, gone->purge));
    bool kept = json_bool_at(gone->document, "properties.enablePurgeProtection", false);
    bool done = json_set_bool(arena, properties, "purgeProtectionEnabled", kept) != NULL;
    return id.ptr != NULL && done ? body : NULL;
}

static enum rf_kind list_deleted(struct arm_call *call, rf_str parent_id, struct json_node *out,
                                 struct rf_err *err)
{
    struct vault_kept *items;
    uint32_t count;
    (void)parent_id;
    RF_TRY(vault_gone_list(call->txn, call->arena, &items, &count, err));
    for (uint32_t i = 0; i < count; i++) {
        struct json_node *body = document_of(call->ctx, &items[i], call->arena);
        if (body == NULL || json_append(out, body) == NULL) return rf_fail_memory(err, call->arena);
    }
    return RF_OK;
}

static enum rf_kind fail_unknown(rf_str name, struct rf_err *err)
{
    return RF_FAIL(err, RF_NOT_FOUND, "DeletedVaultNotFound",
                   "The specified deleted vault '%.*s' does not exist.",
                   (int)RF_MIN(name.len, (size_t)100), (const char *)name.ptr);
}

/* The vault that an id ".../locations/{location}/deletedVaults/{name}" names. */
static enum rf_kind find_gone(const struct arm_call *call, struct state_txn *txn, rf_str id,
                              struct vault_kept *out, struct rf_err *err)
{
    struct resource_id parsed, place;
    struct vault_kept gone;
    bool found;
    RF_TRY(resource_id_parse(id, call->arena, &parsed, err));
    RF_TRY(resource_id_parse(parsed.parent, call->arena, &place, err));
    RF_TRY(vault_gone_get(txn, parsed.name, call->arena, &gone, &found, err));
    if (!found || !rf_str_eq_nocase(place.name, json_text_at(gone.document, "location")))
        return fail_unknown(parsed.name, err);
    *out = gone;
    return RF_OK;
}

static enum rf_kind get_deleted(struct arm_call *call, rf_str id, struct json_node **body,
                                struct rf_err *err)
{
    struct vault_kept gone;
    RF_TRY(find_gone(call, call->txn, id, &gone, err));
    *body = document_of(call->ctx, &gone, call->arena);
    return *body == NULL ? rf_fail_memory(err, call->arena) : RF_OK;
}

/* ---- purge ----------------------------------------------------------------------------------------------------------------- */

/* From here on nothing brings it back, so that a purge that breaks off can be finished. */
static enum rf_kind mark_purging(struct vaults *vaults, struct vault_kept *gone,
                                 struct rf_arena *arena, struct rf_err *err)
{
    RF_CLEANUP(state_end_cleanup) struct state_txn *txn = NULL;
    struct vault_kept now;
    bool found;
    RF_TRY(state_begin_write(vaults->options.state, &txn, err));
    RF_TRY(vault_gone_get(txn, gone->name, arena, &now, &found, err));
    if (!found || !rf_str_eq(now.guid, gone->guid)) return fail_unknown(gone->name, err);
    now.purging = true;
    RF_TRY(vault_gone_put(txn, &now, arena, err));
    *gone = now;
    return state_finish(&txn, err);
}

static enum rf_kind forget(struct vaults *vaults, const struct vault_kept *gone,
                           struct rf_arena *arena, struct rf_err *err)
{
    RF_CLEANUP(state_end_cleanup) struct state_txn *txn = NULL;
    struct vault_kept now;
    bool found;
    RF_TRY(state_begin_write(vaults->options.state, &txn, err));
    RF_TRY(vault_store_forget(txn, gone->guid, arena, err));
    RF_TRY(vault_gone_get(txn, gone->name, arena, &now, &found, err));
    if (found && rf_str_eq(now.guid, gone->guid))
        RF_TRY(vault_gone_delete(txn, gone->name, arena, err));
    return state_finish(&txn, err);
}

/* The key first: what it sealed is lost then, whoever has copies. */
static enum rf_kind purge(struct vaults *vaults, struct vault_kept *gone, struct request *request,
                          struct rf_arena *arena, struct rf_err *err)
{
    struct seal_ring ring = {.kind = SEAL_SECRET, .vault_key = gone->key};
    rf_str proof;
    RF_TRY(mark_purging(vaults, gone, arena, err));
    if (!vault_guid_bytes(gone->guid, arena, ring.vault_id)) return rf_fail_memory(err, arena);
    RF_TRY(seal_destroy(vaults->options.keeper, &ring, arena, &proof, err));
    RF_TRY(forget(vaults, gone, arena, err));
    vault_row_of(vaults, request, arena, gone->id, "VaultPurge", gone->document, (rf_str){0});
    return RF_OK;
}

static enum rf_kind run_purge(struct arm_call *call, struct arm_resource *resource,
                              struct rf_err *err)
{
    struct vault_kept gone;
    RF_TRY(find_gone(call, call->txn, resource->id, &gone, err));
    if (json_bool_at(gone.document, "properties.enablePurgeProtection", false))
        return RF_FAIL(err, RF_INVALID, "MethodNotAllowed",
                       "Operation 'DeletedVaultPurge' is not allowed: the vault has purge "
                       "protection, and is purged on %.*s.",
                       RF_FMT(time_iso(call->arena, gone.purge)));
    RF_TRY(purge(call->ctx, &gone, call->request, call->arena, err));
    return request_answer_empty(call->request, 200);
}

enum rf_kind vault_deleted_due(struct vaults *vaults, rf_usec now, rf_usec *next,
                               struct rf_err *err)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    RF_CLEANUP(state_end_cleanup) struct state_txn *txn = NULL;
    struct vault_kept *items;
    uint32_t count;
    rf_arena_init(&arena, DUE_BYTES_MAX);
    *next = 0;
    RF_TRY(vault_places_complete(vaults, err));
    RF_TRY(state_begin_read(vaults->options.state, &txn, err));
    RF_TRY(vault_gone_list(txn, &arena, &items, &count, err));
    state_end(txn);
    txn = NULL;
    for (uint32_t i = 0; i < count; i++) {
        if (items[i].purging || items[i].purge <= now) {
            enum rf_kind kind = purge(vaults, &items[i], NULL, &arena, err);
            if (kind != RF_OK && kind != RF_NOT_FOUND) return kind;
        } else if (*next == 0 || items[i].purge < *next) {
            *next = items[i].purge;
        }
    }
    return RF_OK;
}

/* ---- types ------------------------------------------------------------------------------------------------------------------- */

struct arm_type vault_deleted_list_type(struct vaults *vaults)
{
    return (struct arm_type){.name = "Microsoft.KeyVault/deletedVaults",
                             .versions = vault_versions,
                             .flags = ARM_NO_STATE,
                             .list = list_deleted,
                             .ctx = vaults};
}

struct arm_type vault_deleted_type(struct vaults *vaults)
{
    static const struct arm_action actions[] = {
        {.name = "purge", .method = HTTP_POST, .run = run_purge}};
    return (struct arm_type){.name = "Microsoft.KeyVault/locations/deletedVaults",
                             .versions = vault_versions,
                             .shown_type = "Microsoft.KeyVault/deletedVaults",
                             .flags = ARM_NO_STATE | ARM_PARENT_FREE,
                             .virtual_get = get_deleted,
                             .actions = actions,
                             .action_count = RF_COUNT(actions),
                             .ctx = vaults};
}
