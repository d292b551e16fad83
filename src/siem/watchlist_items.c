/* watchlist_items.c - the items of a watchlist one by one, through the API. */
#include "base/encode.h"
#include "siem/incident_api_int.h"
#include "siem/watchlist_int.h"

/* ---- showing ---------------------------------------------------------------------------------------------------------------- */

static rf_str list_id(const struct api_call *call)
{
    return rf_arena_printf(call->arena, "%.*s" PROVIDER_PATH "/watchlists/%.*s",
                           RF_FMT(call->place.workspace),
                           RF_FMT(request_variable(call->request, "watchlist")));
}

static enum rf_kind load(struct api_call *call, rf_str *key, struct json_node **list,
                         struct rf_err *err)
{
    *key = resource_key(call->arena, list_id(call));
    if (key->ptr == NULL) return rf_fail_memory(err, call->arena);
    return watchlist_load(call->txn, *key, call->arena, list, err);
}

static struct json_node *find(const struct json_node *list, rf_str id)
{
    struct json_node *item = json_get(list, "items")->first;
    while (item != NULL && !rf_str_eq_nocase(json_text_at(item, "id"), id)) item = item->next;
    return item;
}

/* Made of what it holds: it changes when the item does. */
static rf_str etag_of(const struct api_call *call, const struct json_node *item)
{
    return rf_arena_printf(call->arena, "\"%.*s\"", RF_FMT(json_text_at(item, "updated")));
}

static struct json_node *show(const struct api_call *call, const struct json_node *list,
                              const struct json_node *item)
{
    struct rf_arena *arena = call->arena;
    struct json_node *out = json_new(arena, JSON_T_OBJECT), *p, *values;
    rf_str id = json_text_at(item, "id");
    json_set_text(
        arena, out, "id",
        rf_arena_printf(arena, "%.*s/watchlistItems/%.*s", RF_FMT(list_id(call)), RF_FMT(id)));
    json_set_text(arena, out, "name", id);
    json_set_text(arena, out, "etag", etag_of(call, item));
    json_set_text(arena, out, "type", RF_S("Microsoft.SecurityInsights/watchlists/watchlistItems"));
    p = json_object_in(arena, out, "properties");
    json_set_text(arena, p, "watchlistItemType", RF_S("watchlist-item"));
    json_set_text(arena, p, "watchlistItemId", id);
    json_set_text(arena, p, "tenantId", call->place.tenant_id);
    json_set_bool(arena, p, "isDeleted", false);
    json_set_text(arena, p, "created", json_text_at(item, "created"));
    json_set_text(arena, p, "updated", json_text_at(item, "updated"));
    json_set(arena, p, RF_S("createdBy"), json_clone(arena, json_get(item, "createdBy")));
    json_set(arena, p, RF_S("updatedBy"), json_clone(arena, json_get(item, "updatedBy")));
    values = json_object_in(arena, p, "itemsKeyValue");
    const struct json_node *value = json_get(item, "values")->first;
    for (const struct json_node *c = json_get(list, "columns")->first; c != NULL; c = c->next) {
        json_set(arena, values, c->text,
                 json_new_text(arena, value == NULL ? RF_S("") : value->text));
        if (value != NULL) value = value->next;
    }
    return json_object_in(arena, p, "entityMapping") == NULL ? NULL : out;
}

static enum rf_kind not_found(const struct api_call *call, struct rf_err *err)
{
    rf_str id = request_variable(call->request, "item");
    return RF_FAIL(err, RF_NOT_FOUND, "NotFound", "The watchlist has no item '%.*s'.",
                   (int)RF_MIN(id.len, (size_t)100), (const char *)id.ptr);
}

enum rf_kind watchlist_items_list(struct api_call *call, struct rf_err *err)
{
    rf_str key;
    struct json_node *list, *out = json_new(call->arena, JSON_T_ARRAY);
    RF_TRY(load(call, &key, &list, err));
    for (const struct json_node *item = json_get(list, "items")->first; item != NULL;
         item = item->next)
        if (json_append(out, show(call, list, item)) == NULL)
            return rf_fail_memory(err, call->arena);
    return api_answer_list(call, out, err);
}

enum rf_kind watchlist_item_get(struct api_call *call, struct rf_err *err)
{
    rf_str key;
    struct json_node *list;
    RF_TRY(load(call, &key, &list, err));
    const struct json_node *item = find(list, request_variable(call->request, "item"));
    if (item == NULL) return not_found(call, err);
    return api_answer(call, 200, show(call, list, item), err);
}

/* ---- changing ---------------------------------------------------------------------------------------------------------------- */

static rf_str text_of(struct api_call *call, const struct json_node *value)
{
    if (value->type == JSON_T_STRING) return value->text;
    if (value->type == JSON_T_NULL) return RF_S("");
    return json_to_text(call->arena, value);
}

/* Columns that the list lacks are added to it. */
static enum rf_kind add_columns(struct api_call *call, struct json_node *list,
                                const struct json_node *sent, struct rf_err *err)
{
    struct json_node *columns = json_get(list, "columns");
    for (const struct json_node *member = sent->first; member != NULL; member = member->next) {
        if (member->name.len == 0 || member->name.len > 512)
            return api_bad(err, "A name in properties.itemsKeyValue has 1 to 512 bytes.");
        if (watchlist_column(list, member->name) >= 0) continue;
        if (columns->count >= 200) return api_bad(err, "A watchlist has at most 200 columns.");
        if (json_append(columns, json_new_text(call->arena, member->name)) == NULL)
            return rf_fail_memory(err, call->arena);
    }
    return RF_OK;
}

static enum rf_kind set_values(struct api_call *call, struct json_node *list,
                               struct json_node *item, const struct json_node *sent,
                               struct rf_err *err)
{
    struct rf_arena *arena = call->arena;
    RF_TRY(add_columns(call, list, sent, err));
    struct json_node *values = json_set(arena, item, RF_S("values"), json_new(arena, JSON_T_ARRAY));
    for (const struct json_node *c = json_get(list, "columns")->first; c != NULL; c = c->next) {
        const struct json_node *value = json_get_str(sent, c->text);
        rf_str text = value == NULL ? RF_S("") : text_of(call, value);
        if (text.ptr == NULL || json_append(values, json_new_text(arena, text)) == NULL)
            return rf_fail_memory(err, arena);
    }
    return RF_OK;
}

static enum rf_kind check_key(struct api_call *call, const struct json_node *list,
                              const struct json_node *sent, struct rf_err *err)
{
    rf_str name = json_text_at(list, "searchKey");
    const struct json_node *key = json_get_str(sent, name);
    if (key != NULL && text_of(call, key).len > 0) return RF_OK;
    return api_bad(err, "properties.itemsKeyValue needs a value for the search key '%.*s'.",
                   RF_FMT(name));
}

enum rf_kind watchlist_item_put(struct api_call *call, struct rf_err *err)
{
    const struct site *site = call->incidents->options.site;
    rf_str key, id, now = time_iso(call->arena, call->now);
    struct json_node *list, *body, *p;
    RF_TRY(load(call, &key, &list, err));
    RF_TRY(api_check_name(call, "item", &id, err));
    RF_TRY(api_properties(call, &body, &p, err));
    const struct json_node *sent = json_get(p, "itemsKeyValue");
    if (!json_is(sent, JSON_T_OBJECT))
        return api_bad(err, "properties.itemsKeyValue must be an object.");
    RF_TRY(check_key(call, list, sent, err));
    struct json_node *item = find(list, id),
                     *by = watchlist_by(call->request->principal, call->arena);
    bool created = item == NULL;
    rf_str own = json_text_at(body, "etag");
    if (!created && own.len > 0 && !rf_str_is(own, "*") && !rf_str_eq(own, etag_of(call, item)))
        return RF_FAIL(err, RF_CONFLICT, "Conflict",
                       "The item was changed since it was read. Read it again.");
    if (created) item = watchlist_add(list, id, now, by, call->arena);
    if (item == NULL) return rf_fail_memory(err, call->arena);
    json_set_text(call->arena, item, "updated", now);
    json_set(call->arena, item, RF_S("updatedBy"), by);
    RF_TRY(set_values(call, list, item, sent, err));
    RF_TRY(watchlist_save(call->txn, key, call->place.workspace_id, list, call->arena, err));
    watchlist_row(call->incidents->options.audit, site->tenant_id, list, item,
                  created ? "Create" : "Update", now);
    return api_answer(call, created ? 201 : 200, show(call, list, item), err);
}

enum rf_kind watchlist_item_delete(struct api_call *call, struct rf_err *err)
{
    const struct site *site = call->incidents->options.site;
    rf_str key;
    struct json_node *list;
    RF_TRY(load(call, &key, &list, err));
    struct json_node *items = json_get(list, "items");
    struct json_node *gone = find(list, request_variable(call->request, "item"));
    if (gone == NULL) return api_answer(call, 204, NULL, err);
    struct json_node *kept = json_new(call->arena, JSON_T_ARRAY);
    for (struct json_node *item = items->first, *next; item != NULL; item = next) {
        next = item->next;
        item->next = NULL;
        if (item != gone && json_append(kept, item) == NULL)
            return rf_fail_memory(err, call->arena);
    }
    if (json_set(call->arena, list, RF_S("items"), kept) == NULL)
        return rf_fail_memory(err, call->arena);
    RF_TRY(watchlist_save(call->txn, key, call->place.workspace_id, list, call->arena, err));
    watchlist_row(call->incidents->options.audit, site->tenant_id, list, gone, "Delete",
                  time_iso(call->arena, call->now));
    return api_answer(call, 200, NULL, err);
}
