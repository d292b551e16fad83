/* export_type.c - what the resource type dataExports does for exports: where each table of a rule begins and how far it has come is
 * changed with the rule, in one transaction. */
#include "base/json_out.h"
#include "logs/export.h"
#include "tables/feed.h"

/* ---- places ------------------------------------------------------------------------------------------------------------------ */

enum rf_kind export_place_get(struct state_txn *txn, rf_str key, struct rf_arena *arena,
                              struct export_place *out, struct rf_err *err)
{
    struct state_object object;
    struct json_node *body;
    struct export_place place = {.slot = -1};
    int64_t bytes = 0;
    RF_TRY(state_get(txn, EXPORT_SPACE, key, arena, &object, err));
    RF_TRY(json_parse(object.body, arena, &body, err));
    if (!json_i64_at(body, "ticks", &place.ticks) || !json_i64_at(body, "slot", &place.slot) ||
        !json_i64_at(body, "bytes", &bytes) || bytes < 0)
        return RF_FAIL(err, RF_CORRUPT, "StateCorrupt", "the place of a data export is damaged");
    place.bytes = (uint64_t)bytes;
    place.on = json_bool_at(body, "on", false);
    *out = place;
    return RF_OK;
}

enum rf_kind export_place_put(struct state_txn *txn, rf_str key, const struct export_place *place,
                              struct rf_arena *arena, struct rf_err *err)
{
    struct rf_buf text = rf_buf_in(arena);
    struct json_out out = json_out_to(&text);
    json_begin_object(&out, NULL);
    json_put_i64(&out, "ticks", place->ticks);
    json_put_i64(&out, "slot", place->slot);
    json_put_i64(&out, "bytes", (int64_t)place->bytes);
    json_put_bool(&out, "on", place->on);
    json_end_object(&out);
    if (text.failed) return rf_fail_memory(err, arena);
    struct state_put put = {.space = EXPORT_SPACE, .key = key, .body = rf_buf_view(&text)};
    return state_put(txn, &put, NULL, NULL, err);
}

rf_str export_place_key(struct rf_arena *arena, rf_str export_id, rf_str table)
{
    rf_str key = rf_arena_printf(arena, "%.*s|%.*s", RF_FMT(export_id), RF_FMT(table));
    return key.ptr == NULL ? key : resource_key(arena, key);
}

/* ---- the resource type's hooks ------------------------------------------------------------------------------------------------ */

static enum rf_kind put_place(struct arm_call *call, rf_str key, int64_t settled, bool on,
                              struct rf_err *err)
{
    struct export_place place = {.slot = -1};
    enum rf_kind kind = export_place_get(call->txn, key, call->arena, &place, err);
    if (kind != RF_OK && kind != RF_NOT_FOUND) return kind;
    if (kind == RF_OK && place.on == on) return RF_OK;
    /* What arrived while it was off is not exported. */
    if (on) place.ticks = RF_MAX(place.ticks, settled);
    place.on = on;
    return export_place_put(call->txn, key, &place, call->arena, err);
}

static enum rf_kind forget_places(struct arm_call *call, rf_str prefix,
                                  const struct json_node *names, rf_str id, struct rf_err *err)
{
    struct state_scan scan = {.space = EXPORT_SPACE, .prefix = prefix};
    struct state_list list;
    RF_TRY(state_list(call->txn, &scan, call->arena, &list, err));
    for (uint32_t i = 0; i < list.count; i++) {
        bool named = false;
        for (const struct json_node *n = names->first; n != NULL && !named; n = n->next)
            named = rf_str_eq(list.items[i].key, export_place_key(call->arena, id, n->text));
        if (!named) RF_TRY(state_delete(call->txn, EXPORT_SPACE, list.items[i].key, err));
    }
    return RF_OK;
}

enum rf_kind export_put(struct arm_call *call, rf_str guid, const struct json_node *properties,
                        struct rf_err *err)
{
    struct logs *logs = call->ctx;
    int64_t settled;
    rf_str id = json_text_at(properties, "dataExportId"),
           prefix = export_place_key(call->arena, id, RF_S(""));
    const struct json_node *names = json_get(properties, "tableNames");
    bool on = json_bool_at(properties, "enable", true);
    if (prefix.ptr == NULL) return rf_fail_memory(err, call->arena);
    /* The server sends in the place of who made the rule. */
    if (rf_str_is(json_text_at(properties, "destination.type"), "EventHub") &&
        call->principal != NULL)
        RF_TRY(authz_require(logs->options.authz, call->principal,
                             RF_S("Microsoft.EventHub/namespaces/eventhubs/write"),
                             json_text_at(properties, "destination.resourceId"), false, err));
    RF_TRY(tables_settled(logs->options.tables, guid, &settled, err));
    RF_TRY(forget_places(call, prefix, names, id, err));
    for (const struct json_node *n = names->first; n != NULL; n = n->next) {
        rf_str key = export_place_key(call->arena, id, n->text);
        if (key.ptr == NULL) return rf_fail_memory(err, call->arena);
        RF_TRY(put_place(call, key, settled, on, err));
    }
    return RF_OK;
}

enum rf_kind export_remove(struct arm_call *call, struct arm_resource *resource, struct rf_err *err)
{
    rf_str id = json_text_at(resource->body, "properties.dataExportId");
    rf_str prefix = export_place_key(call->arena, id, RF_S(""));
    if (prefix.ptr == NULL) return rf_fail_memory(err, call->arena);
    return state_delete_prefix(call->txn, EXPORT_SPACE, prefix, NULL, err);
}

void export_changed(struct arm_call *call, struct arm_resource *resource)
{
    struct exports *exports = ((struct logs *)call->ctx)->exports;
    (void)resource;
    if (exports != NULL) exports_changed(exports);
}

const char *export_folder_of(const struct logs *logs, rf_str account)
{
    size_t slash = account.len;
    while (slash > 0 && account.ptr[slash - 1] != '/') slash--;
    rf_str name = rf_slice(account, slash, account.len);
    for (uint32_t i = 0; i < logs->options.export_folder_count; i++) {
        const struct export_folder *f = &logs->options.export_folders[i];
        bool whole = rf_str_find(f->account, RF_S("/"), 0) != SIZE_MAX;
        if (rf_str_eq_nocase(f->account, whole ? account : name)) return f->folder;
    }
    return NULL;
}

enum rf_kind export_show(struct arm_call *call, struct arm_resource *resource, struct rf_err *err)
{
    const struct logs *logs = call->ctx;
    struct json_node *properties = json_get(resource->body, "properties");
    rf_str account = json_text_at(properties, "destination.resourceId");
    rf_str why = exports_failure(logs->exports, resource->id, call->arena);
    const char *state = why.len > 0 ? "Failing" : "Exporting";
    if (!json_bool_at(properties, "enable", true)) {
        state = "Disabled";
        why = RF_S("");
    } else if (rf_str_is(json_text_at(properties, "destination.type"), "StorageAccount") &&
               export_folder_of(logs, account) == NULL) {
        state = "DestinationNotAllowed";
        why =
            RF_S("The server's configuration has no folder for this storage account: its operator "
                 "names one in export.folders.");
    }
    struct json_node *status = json_new(call->arena, JSON_T_OBJECT);
    if (status == NULL || json_set_text(call->arena, status, "state", rf_str_of(state)) == NULL ||
        (why.len > 0 && json_set_text(call->arena, status, "error", why) == NULL) ||
        json_set(call->arena, properties, RF_S("status"), status) == NULL)
        return rf_fail_memory(err, call->arena);
    return RF_OK;
}
