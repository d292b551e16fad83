/* watchlist.c - watchlists as resources: what is checked and read at PUT. */
#include "base/encode.h"
#include "siem/watchlist_csv.h"
#include "siem/watchlist_int.h"

static const char *const versions[] = {
    "2019-01-01-preview", "2021-03-01-preview", "2021-04-01", "2022-09-01-preview",
    "2023-02-01",         "2024-03-01",         "2025-09-01", NULL};

#define BAD_LIST(err, ...) RF_FAIL(err, RF_INVALID, "BadRequest", __VA_ARGS__)

/* ---- checking -------------------------------------------------------------------------------------------------------------- */

static enum rf_kind check_alias(rf_str alias, struct rf_err *err)
{
    bool good = alias.len >= 3 && alias.len <= 64 && rf_is_alnum(alias.ptr[0]) &&
                rf_is_alnum(alias.ptr[alias.len - 1]);
    for (size_t i = 0; i < alias.len && good; i++)
        good = rf_is_alnum(alias.ptr[i]) || memchr("-_ ", alias.ptr[i], 3) != NULL;
    if (good) return RF_OK;
    return BAD_LIST(err,
                    "The alias '%.*s' of a watchlist has 3 to 64 letters, digits, '-', '_' and "
                    "blanks, and begins and ends with a letter or digit.",
                    (int)RF_MIN(alias.len, (size_t)100), (const char *)alias.ptr);
}

static enum rf_kind check_properties(const struct json_node *p, struct rf_err *err)
{
    static const char *const needed[] = {"displayName", "provider", "itemsSearchKey"};
    for (size_t i = 0; i < RF_COUNT(needed); i++)
        if (json_text_at(p, needed[i]).len == 0)
            return BAD_LIST(err, "A watchlist needs '%s'.", needed[i]);
    rf_str type = json_text_at(p, "sourceType");
    if (type.len > 0 && !rf_str_eq_nocase(type, RF_S("Local file")) &&
        !rf_str_eq_nocase(type, RF_S("Remote storage")) &&
        !rf_str_eq_nocase(type, RF_S("AzureStorage")))
        return BAD_LIST(err, "'sourceType' is 'Local file' or 'Remote storage'.");
    return RF_OK;
}

static enum rf_kind read_text(const struct json_node *p, struct rf_arena *arena,
                              struct watchlist_csv *out, struct rf_err *err)
{
    rf_str text = json_text_at(p, "rawContent"), type = json_text_at(p, "contentType");
    int64_t skip = 0;
    (void)json_i64_at(p, "numberOfLinesToSkip", &skip);
    bool tabs = rf_str_eq_nocase(type, RF_S("text/tsv")) ||
                rf_str_eq_nocase(type, RF_S("text/tab-separated-values"));
    if (type.len > 0 && !tabs && !rf_str_eq_nocase(type, RF_S("text/csv")))
        return BAD_LIST(err, "'contentType' is text/csv or text/tsv.");
    if (skip < 0 || skip > INT32_MAX)
        return BAD_LIST(err, "'numberOfLinesToSkip' is a number from 0 on.");
    if (text.len > WATCHLIST_BYTES_MAX) return BAD_LIST(err, "'rawContent' is larger than 3.8 MB.");
    return watchlist_csv_read(text, tabs ? '\t' : ',', (uint32_t)skip, arena, out, err);
}

/* ---- items ------------------------------------------------------------------------------------------------------------------ */

static enum rf_kind fill_items(struct arm_call *call, struct json_node *list,
                               const struct watchlist_csv *csv, struct rf_err *err)
{
    struct rf_arena *arena = call->arena;
    struct json_node *columns =
        json_set(arena, list, RF_S("columns"), json_new(arena, JSON_T_ARRAY));
    struct json_node *by = watchlist_by(call->principal, arena);
    rf_str now = time_iso(arena, call->now);
    json_set(arena, list, RF_S("items"), json_new(arena, JSON_T_ARRAY));
    for (uint32_t i = 0; i < csv->column_count; i++)
        if (json_append(columns, json_new_text(arena, csv->header[i])) == NULL)
            return rf_fail_memory(err, arena);
    for (uint32_t r = 0; r < csv->row_count; r++) {
        struct json_node *item = watchlist_add(list, guid_random(arena), now, by, arena);
        struct json_node *values = json_get(item, "values"), *last = values;
        for (uint32_t i = 0; i < csv->column_count && last != NULL; i++)
            last = json_append(values,
                               json_new_text(arena, csv->cells[(size_t)r * csv->column_count + i]));
        if (item == NULL || last == NULL) return rf_fail_memory(err, arena);
    }
    return RF_OK;
}

/* The object of state: as it was, or empty. */
static enum rf_kind open_list(struct arm_call *call, const struct arm_resource *resource,
                              struct json_node **out, struct rf_err *err)
{
    struct rf_arena *arena = call->arena;
    struct rf_err none;
    enum rf_kind kind = watchlist_load(call->txn, resource->key, arena, out, &none);
    if (kind == RF_OK) return RF_OK;
    if (kind != RF_NOT_FOUND) {
        if (err != NULL) *err = none;
        return kind;
    }
    *out = json_new(arena, JSON_T_OBJECT);
    json_set(arena, *out, RF_S("columns"), json_new(arena, JSON_T_ARRAY));
    bool fits = json_set(arena, *out, RF_S("items"), json_new(arena, JSON_T_ARRAY)) != NULL;
    return fits ? RF_OK : rf_fail_memory(err, arena);
}

static enum rf_kind put_items(struct arm_call *call, const struct arm_resource *resource,
                              const struct json_node *p, rf_str workspace_id, struct rf_err *err)
{
    struct json_node *list;
    struct watchlist_csv csv;
    rf_str key = json_text_at(p, "itemsSearchKey");
    RF_TRY(open_list(call, resource, &list, err));
    if (json_text_at(p, "rawContent").len > 0) {
        RF_TRY(read_text(p, call->arena, &csv, err));
        RF_TRY(fill_items(call, list, &csv, err));
    }
    if (json_get(list, "columns")->count > 0 && watchlist_column(list, key) < 0)
        return BAD_LIST(err, "'itemsSearchKey' is '%.*s', which is no column of the watchlist.",
                        RF_FMT(key));
    struct rf_arena *arena = call->arena;
    json_set_text(arena, list, "alias", resource->name);
    json_set_text(arena, list, "name", json_text_at(p, "displayName"));
    json_set_text(arena, list, "id", json_text_at(p, "watchlistId"));
    json_set_text(arena, list, "provider", json_text_at(p, "provider"));
    json_set_text(arena, list, "source", json_text_at(p, "source"));
    json_set_text(arena, list, "searchKey", key);
    return watchlist_save(call->txn, resource->key, workspace_id, list, arena, err);
}

/* ---- the resource ---------------------------------------------------------------------------------------------------------- */

static enum rf_kind fill_members(struct arm_call *call, struct arm_resource *resource,
                                 const struct arm_resource *before, struct json_node *p,
                                 struct rf_err *err)
{
    struct siem *siem = call->ctx;
    struct rf_arena *arena = call->arena;
    const struct json_node *old = before == NULL ? NULL : json_get(before->body, "properties");
    rf_str id = json_text_at(old, "watchlistId"), now = time_iso(arena, call->now);
    rf_str created = json_text_at(old, "created");
    struct json_node *by = watchlist_by(call->principal, arena),
                     *first = json_get(old, "createdBy");
    json_set_text(arena, p, "watchlistId", id.len > 0 ? id : guid_random(arena));
    json_set_text(arena, p, "watchlistAlias", resource->name);
    json_set_text(arena, p, "tenantId", siem->options.site->tenant_id);
    json_set_text(arena, p, "created", created.len > 0 ? created : now);
    json_set_text(arena, p, "updated", now);
    json_set(arena, p, RF_S("createdBy"), json_clone(arena, first != NULL ? first : by));
    json_set(arena, p, RF_S("updatedBy"), json_clone(arena, by));
    json_set_bool(arena, p, "isDeleted", false);
    if (json_text_at(p, "watchlistType").len == 0)
        json_set_text(arena, p, "watchlistType", RF_S("watchlist"));
    bool fits = json_set_text(arena, p, "uploadStatus", RF_S("Complete")) != NULL;
    return fits ? RF_OK : rf_fail_memory(err, arena);
}

static enum rf_kind workspace_of(struct arm_call *call, rf_str id, rf_str *guid, struct rf_err *err)
{
    struct resource_id list;
    struct arm_resource workspace;
    RF_TRY(resource_id_parse(id, call->arena, &list, err));
    RF_TRY(arm_get(call->arm, call->txn, list.scope, call->arena, &workspace, err));
    *guid = json_text_at(workspace.body, "properties.customerId");
    return guid->len > 0 ? RF_OK : BAD_LIST(err, "A watchlist stands on a workspace.");
}

static enum rf_kind put_list(struct arm_call *call, struct arm_resource *resource,
                             const struct arm_resource *before, struct rf_err *err)
{
    rf_str guid;
    struct json_node *p = json_get(resource->body, "properties");
    if (!json_is(p, JSON_T_OBJECT)) return BAD_LIST(err, "A watchlist needs 'properties'.");
    RF_TRY(check_alias(resource->name, err));
    RF_TRY(check_properties(p, err));
    RF_TRY(workspace_of(call, resource->id, &guid, err));
    RF_TRY(fill_members(call, resource, before, p, err));
    RF_TRY(put_items(call, resource, p, guid, err));
    json_remove(p, RF_S("rawContent"));
    return RF_OK;
}

static enum rf_kind remove_list(struct arm_call *call, struct arm_resource *resource,
                                struct rf_err *err)
{
    struct siem *siem = call->ctx;
    struct json_node *list;
    enum rf_kind kind = watchlist_load(call->txn, resource->key, call->arena, &list, err);
    if (kind == RF_NOT_FOUND) return RF_OK;
    RF_TRY(kind);
    watchlist_row(siem->options.audit, siem->options.site->tenant_id, list, NULL, "Delete",
                  time_iso(call->arena, call->now));
    return state_delete(call->txn, SPACE_WATCHLIST, resource->key, err);
}

/* Tells the table Watchlist of the list and of items that came with this write. */
static void changed_list(struct arm_call *call, struct arm_resource *resource)
{
    struct siem *siem = call->ctx;
    struct json_node *list;
    struct rf_err err;
    if (resource->body == NULL) return;
    if (watchlist_load(call->txn, resource->key, call->arena, &list, &err) != RF_OK) return;
    rf_str now = json_text_at(resource->body, "properties.updated");
    rf_str created = json_text_at(resource->body, "properties.created");
    const char *status = rf_str_eq(now, created) ? "Create" : "Update";
    watchlist_row(siem->options.audit, siem->options.site->tenant_id, list, NULL, status, now);
    for (const struct json_node *item = json_get(list, "items")->first; item != NULL;
         item = item->next)
        if (rf_str_eq(json_text_at(item, "updated"), now))
            watchlist_row(siem->options.audit, siem->options.site->tenant_id, list, item, "Create",
                          now);
}

static const char list_members[] =
    "watchlistId watchlistAlias watchlistType displayName source sourceType provider "
    "description rawContent numberOfLinesToSkip contentType itemsSearchKey "
    "defaultDuration labels sasUri uploadStatus isDeleted";

uint32_t watchlist_types(struct siem *siem, struct arm_type *out)
{
    *out = (struct arm_type){.name = "Microsoft.SecurityInsights/watchlists",
                             .versions = versions,
                             .members = list_members,
                             .flags = ARM_EXTENSION | ARM_BODY_ETAG | ARM_NO_STATE | ARM_STAYS,
                             .put = put_list,
                             .remove = remove_list,
                             .changed = changed_list,
                             .ctx = siem};
    return 1;
}
