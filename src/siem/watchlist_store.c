/* watchlist_store.c - the items of watchlists as state keeps them. */
#include "base/encode.h"
#include "base/json_out.h"
#include "siem/watchlist_int.h"

enum rf_kind watchlist_load(struct state_txn *txn, rf_str key, struct rf_arena *arena,
                            struct json_node **out, struct rf_err *err)
{
    struct state_object object;
    enum rf_kind kind = state_get(txn, SPACE_WATCHLIST, key, arena, &object, err);
    if (kind == RF_NOT_FOUND)
        return RF_FAIL(err, RF_NOT_FOUND, "NotFound", "There is no such watchlist.");
    RF_TRY(kind);
    return json_parse(object.body, arena, out, err);
}

static rf_str alias_word(rf_str workspace_id, rf_str alias, struct rf_arena *arena)
{
    return resource_key(arena,
                        rf_arena_printf(arena, "%.*s|%.*s", RF_FMT(workspace_id), RF_FMT(alias)));
}

enum rf_kind watchlist_find(struct state_txn *txn, rf_str workspace_id, rf_str alias,
                            struct rf_arena *arena, struct json_node **out, struct rf_err *err)
{
    struct state_list found;
    rf_str word = alias_word(workspace_id, alias, arena);
    const struct state_scan scan = {
        .space = SPACE_WATCHLIST, .index = "alias", .value = word, .limit = 1};
    *out = NULL;
    if (word.ptr == NULL) return rf_fail_memory(err, arena);
    RF_TRY(state_list(txn, &scan, arena, &found, err));
    return found.count == 0 ? RF_OK : json_parse(found.items[0].body, arena, out, err);
}

enum rf_kind watchlist_save(struct state_txn *txn, rf_str key, rf_str workspace_id,
                            const struct json_node *body, struct rf_arena *arena,
                            struct rf_err *err)
{
    rf_str text = json_to_text(arena, body);
    const struct state_index indexes[] = {
        {"alias", alias_word(workspace_id, json_text_at(body, "alias"), arena)},
        {"workspace", workspace_id}};
    if (text.ptr == NULL || indexes[0].value.ptr == NULL) return rf_fail_memory(err, arena);
    if (text.len > WATCHLIST_BODY_BYTES_MAX)
        return RF_FAIL(err, RF_INVALID, "BadRequest", "The watchlist is larger than %d MB.",
                       WATCHLIST_BODY_BYTES_MAX >> 20);
    const struct state_put put = {.space = SPACE_WATCHLIST,
                                  .key = key,
                                  .body = text,
                                  .indexes = indexes,
                                  .index_count = RF_COUNT(indexes)};
    return state_put(txn, &put, NULL, NULL, err);
}

struct json_node *watchlist_by(const struct principal *who, struct rf_arena *arena)
{
    struct json_node *by = json_new(arena, JSON_T_OBJECT);
    rf_str name = who == NULL                 ? RF_S("Ringfort")
                  : who->display_name.len > 0 ? who->display_name
                                              : principal_caller(who);
    json_set_text(arena, by, "objectId", who == NULL ? RF_S("") : who->object_id);
    if (who != NULL && who->type == PRINCIPAL_USER)
        json_set_text(arena, by, "email", who->user_name);
    return json_set_text(arena, by, "name", name) == NULL ? NULL : by;
}

struct json_node *watchlist_add(struct json_node *list, rf_str id, rf_str now,
                                const struct json_node *by, struct rf_arena *arena)
{
    struct json_node *item = json_new(arena, JSON_T_OBJECT);
    json_set_text(arena, item, "id", id);
    json_set(arena, item, RF_S("values"), json_new(arena, JSON_T_ARRAY));
    json_set_text(arena, item, "created", now);
    json_set_text(arena, item, "updated", now);
    json_set(arena, item, RF_S("createdBy"), json_clone(arena, by));
    if (json_set(arena, item, RF_S("updatedBy"), json_clone(arena, by)) == NULL) return NULL;
    return json_append(json_get(list, "items"), item);
}

int watchlist_column(const struct json_node *list, rf_str name)
{
    const struct json_node *columns = json_get(list, "columns");
    int at = 0;
    for (const struct json_node *c = columns == NULL ? NULL : columns->first; c != NULL;
         c = c->next, at++)
        if (rf_str_eq(c->text, name)) return at;
    return -1;
}

rf_str watchlist_value(const struct json_node *item, int column)
{
    const struct json_node *values = json_get(item, "values");
    const struct json_node *v = values == NULL ? NULL : values->first;
    for (; v != NULL && column > 0; column--) v = v->next;
    return v == NULL || column < 0 ? RF_S("") : v->text;
}

/* ---- the table Watchlist ---------------------------------------------------------------------------------------------- */

static void put_item(struct json_out *out, const struct json_node *list,
                     const struct json_node *item, struct rf_arena *arena)
{
    const struct json_node *column = json_get(list, "columns")->first;
    const struct json_node *value = json_get(item, "values")->first;
    int key = watchlist_column(list, json_text_at(list, "searchKey"));
    json_put_text(out, "SearchKey", watchlist_value(item, key));
    json_put_text(out, "WatchlistItemId", json_text_at(item, "id"));
    json_begin_object(out, "WatchlistItem");
    for (; column != NULL; column = column->next) {
        const char *name = rf_arena_cstr(arena, column->text);
        if (name != NULL) json_put_text(out, name, value == NULL ? RF_S("") : value->text);
        if (value != NULL) value = value->next;
    }
    json_end_object(out);
    json_put_node(out, "CreatedBy", json_get(item, "createdBy"));
    json_put_node(out, "UpdatedBy", json_get(item, "updatedBy"));
    json_put_text(out, "CreatedTimeUTC", json_text_at(item, "created"));
}

void watchlist_row(const struct audit *audit, rf_str tenant_id, const struct json_node *list,
                   const struct json_node *item, const char *status, rf_str now)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 16 << 20);
    struct rf_buf row = rf_buf_in(&arena);
    struct json_out out = json_out_to(&row);
    rf_str id = json_text_at(item == NULL ? list : item, "id");
    json_begin_object(&out, NULL);
    json_put_text(&out, "TimeGenerated", now);
    json_put_text(&out, "AzureTenantId", tenant_id);
    json_put_text(&out, "WatchlistAlias", json_text_at(list, "alias"));
    json_put_text(&out, "WatchlistName", json_text_at(list, "name"));
    json_put_text(&out, "WatchlistId", json_text_at(list, "id"));
    json_put_text(&out, "Provider", json_text_at(list, "provider"));
    json_put_text(&out, "Source", json_text_at(list, "source"));
    json_put_text(&out, "LastUpdatedTimeUTC", now);
    json_put_text(&out, "_DTItemId", id);
    json_put_text(&out, "_DTItemType", item == NULL ? RF_S("watchlist") : RF_S("watchlist-item"));
    json_put_text(&out, "_DTItemStatus", rf_str_of(status));
    json_put_text(&out, "_DTTimestamp", now);
    json_put_text(&out, "SourceSystem", RF_S("Watchlist"));
    if (item != NULL) put_item(&out, list, item, &arena);
    json_end_object(&out);
    if (!row.failed) audit_row(audit, "Watchlist", rf_buf_view(&row));
}
