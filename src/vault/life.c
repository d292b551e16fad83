/* life.c - deletion, recovery and purge, the same for all kinds. A certificate takes the key and the secret of its name along in one transaction.
 *
 * A purge has three steps, and a job does what is left of one that broke off:
 *   1  the items are marked (`purging`), behind which nothing brings them back
 *   2  the keeper destroys their keys
 *   3  they are deleted, and the name is free */
#include "vault/store_int.h"

enum { GROUP_MAX = 3, DAY_SECONDS = 86400 };

/* An item, and what goes with it. */
struct group {
    struct vault_item items[GROUP_MAX];
    uint32_t count;
};

static enum rf_kind load_group(struct vault_call *call, struct state_txn *txn,
                               const struct vault_item *item, struct group *out, struct rf_err *err)
{
    static const enum seal_kind followers[] = {SEAL_KEY, SEAL_SECRET};
    *out = (struct group){.items = {*item}, .count = 1};
    if (item->kind != SEAL_CERTIFICATE) return RF_OK;
    for (size_t i = 0; i < RF_COUNT(followers); i++) {
        struct vault_item *next = &out->items[out->count];
        enum rf_kind kind = vault_item_get(call, txn, followers[i], item->name, next, err);
        if (kind != RF_OK && kind != RF_NOT_FOUND) return kind;
        if (kind == RF_OK && next->managed) out->count++;
    }
    return RF_OK;
}

static enum rf_kind put_group(struct vault_call *call, struct state_txn *txn, struct group *group,
                              struct rf_err *err)
{
    for (uint32_t i = 0; i < group->count; i++)
        RF_TRY(vault_item_put(call, txn, &group->items[i], err));
    return RF_OK;
}

enum rf_kind vault_is_managed(struct vault_call *call, const struct vault_item *item,
                              struct rf_err *err)
{
    return vault_fail(call, err, 403, "Forbidden", NULL,
                      "'%.*s' in %s belongs to the certificate of that name and is managed by it: "
                      "change, delete or back up the certificate instead.",
                      RF_FMT(item->name), vault_collection(item->kind));
}

/* One that was deleted by itself and may still be brought back. */
static enum rf_kind need_deleted(struct vault_call *call, struct state_txn *txn,
                                 enum seal_kind kind, bool or_purging, struct vault_item *out,
                                 struct rf_err *err)
{
    struct vault_item item;
    enum rf_kind found = vault_item_get(call, txn, kind, call->name, &item, err);
    if (found != RF_OK && found != RF_NOT_FOUND) return found;
    bool fits =
        found == RF_OK && item.deleted != 0 && !item.managed && (or_purging || !item.purging);
    if (!fits) return vault_not_found(call, kind, call->name, err);
    *out = item;
    return RF_OK;
}

static enum rf_kind answer(struct vault_call *call, struct state_txn *txn,
                           const struct vault_item *item, vault_show *show, struct json_node **out,
                           struct rf_err *err)
{
    struct vault_version version;
    bool has_version = item->latest.len > 0;
    if (has_version) RF_TRY(vault_version_get(call, txn, item, (rf_str){0}, &version, err));
    *out = show(call, item, has_version ? &version : NULL);
    if (*out == NULL) return rf_fail_memory(err, call->arena);
    if (item->deleted != 0) vault_put_deleted(call, *out, item);
    call->audit_id = vault_object_id(call, vault_collection(item->kind), item->name, item->latest);
    return call->audit_id.ptr == NULL ? rf_fail_memory(err, call->arena) : RF_OK;
}

/* ---- deletion and recovery ------------------------------------------------------------------------------------------------- */

enum rf_kind vault_delete(struct vault_call *call, enum seal_kind kind, vault_show *show,
                          struct rf_err *err)
{
    struct vault_item item;
    struct group group;
    struct json_node *body;
    RF_CLEANUP(state_end_cleanup) struct state_txn *txn = NULL;
    RF_TRY(state_begin_write(call->vaults->options.state, &txn, err));
    RF_TRY(vault_item_need(call, txn, kind, call->name, &item, err));
    if (item.managed) return vault_is_managed(call, &item, err);
    RF_TRY(load_group(call, txn, &item, &group, err));
    for (uint32_t i = 0; i < group.count; i++) {
        struct vault_item *each = &group.items[i];
        each->deleted = call->now;
        each->purge_at = call->now + (int64_t)call->place.retention_days * DAY_SECONDS;
        each->due = i == 0 ? each->purge_at : 0; /* the others go when it goes */
    }
    RF_TRY(put_group(call, txn, &group, err));
    RF_TRY(answer(call, txn, &group.items[0], show, &body, err));
    RF_TRY(state_finish(&txn, err));
    return request_answer(call->request, 200, body);
}

enum rf_kind vault_deleted_get(struct vault_call *call, enum seal_kind kind, vault_show *show,
                               struct rf_err *err)
{
    struct vault_item item;
    struct json_node *body;
    RF_CLEANUP(state_end_cleanup) struct state_txn *txn = NULL;
    RF_TRY(state_begin_read(call->vaults->options.state, &txn, err));
    RF_TRY(need_deleted(call, txn, kind, false, &item, err));
    RF_TRY(answer(call, txn, &item, show, &body, err));
    return request_answer(call->request, 200, body);
}

enum rf_kind vault_recover(struct vault_call *call, enum seal_kind kind, vault_show *show,
                           struct rf_err *err)
{
    struct vault_item item;
    struct group group;
    struct json_node *body;
    RF_CLEANUP(state_end_cleanup) struct state_txn *txn = NULL;
    RF_TRY(state_begin_write(call->vaults->options.state, &txn, err));
    RF_TRY(need_deleted(call, txn, kind, false, &item, err));
    RF_TRY(load_group(call, txn, &item, &group, err));
    for (uint32_t i = 0; i < group.count; i++) {
        group.items[i].deleted = group.items[i].purge_at = 0;
        group.items[i].due = VAULT_DUE_LOOK;
    }
    RF_TRY(put_group(call, txn, &group, err));
    RF_TRY(answer(call, txn, &group.items[0], show, &body, err));
    RF_TRY(state_finish(&txn, err));
    return request_answer(call->request, 200, body);
}

/* ---- purge -------------------------------------------------------------------------------------------------------------------- */

static enum rf_kind mark(struct vault_call *call, struct state_txn **txn,
                         const struct vault_item *item, struct group *group, struct rf_err *err)
{
    RF_TRY(load_group(call, *txn, item, group, err));
    for (uint32_t i = 0; i < group->count; i++) {
        group->items[i].purging = true;
        group->items[i].due = call->now;
    }
    RF_TRY(put_group(call, *txn, group, err));
    return state_finish(txn, err);
}

static enum rf_kind destroy(struct vault_call *call, const struct vault_item *item,
                            struct json_node *proofs, struct rf_err *err)
{
    struct seal_ring ring;
    rf_str proof = {0};
    if (item->key.len == 0) return RF_OK; /* nothing of it was ever sealed */
    RF_TRY(vault_ring(call, item, &ring, err));
    enum rf_kind kind = seal_destroy(call->vaults->options.keeper, &ring, call->arena, &proof, err);
    if (kind != RF_OK && strcmp(err->code, "SealDestroyed") == 0) return RF_OK;
    if (kind != RF_OK) return vault_seal_error(call, err);
    return json_set_text(call->arena, proofs, vault_collection(item->kind), proof) == NULL
               ? rf_fail_memory(err, call->arena)
               : RF_OK;
}

/* Steps 2 and 3. Somebody else may do the same at this time. */
static enum rf_kind finish(struct vault_call *call, const struct group *group, struct rf_err *err)
{
    struct json_node *properties = json_new(call->arena, JSON_T_OBJECT);
    struct json_node *proofs = json_object_in(call->arena, properties, "purgeProof");
    if (proofs == NULL) return rf_fail_memory(err, call->arena);
    for (uint32_t i = 0; i < group->count; i++)
        RF_TRY(destroy(call, &group->items[i], proofs, err));
    call->audit_properties = properties;
    RF_CLEANUP(state_end_cleanup) struct state_txn *txn = NULL;
    RF_TRY(state_begin_write(call->vaults->options.state, &txn, err));
    for (uint32_t i = 0; i < group->count; i++) {
        struct vault_item item = group->items[i];
        enum rf_kind kind = vault_item_again(call, txn, false, &item, err);
        if (kind == RF_CONFLICT) continue;
        if (kind != RF_OK) return kind;
        RF_TRY(vault_item_remove(call, txn, &item, err));
    }
    return state_finish(&txn, err);
}

enum rf_kind vault_purge(struct vault_call *call, enum seal_kind kind, struct rf_err *err)
{
    struct vault_item item;
    struct group group;
    RF_CLEANUP(state_end_cleanup) struct state_txn *txn = NULL;
    RF_TRY(state_begin_write(call->vaults->options.state, &txn, err));
    RF_TRY(need_deleted(call, txn, kind, true, &item, err));
    if (call->place.purge_protection && !item.purging)
        return vault_fail(call, err, 403, "Forbidden", NULL,
                          "Operation 'purge' is not possible: purge protection is on for this "
                          "vault, and '%.*s' is kept until its scheduled purge date.",
                          RF_FMT(item.name));
    RF_TRY(mark(call, &txn, &item, &group, err));
    RF_TRY(finish(call, &group, err));
    return request_answer_empty(call->request, 204);
}

enum rf_kind vault_purge_due(struct vault_call *call, const struct vault_item *item,
                             struct rf_err *err)
{
    struct vault_item now = *item;
    struct group group;
    RF_CLEANUP(state_end_cleanup) struct state_txn *txn = NULL;
    RF_TRY(state_begin_write(call->vaults->options.state, &txn, err));
    RF_TRY(vault_item_again(call, txn, false, &now, err));
    if (!now.purging && (now.deleted == 0 || now.managed || now.purge_at > call->now)) return RF_OK;
    RF_TRY(mark(call, &txn, &now, &group, err));
    return finish(call, &group, err);
}
