#include "lab/watchlists.h"

#include "base/fs.h"
#include "siem/alert.h"
#include "siem/watchlist_csv.h"
#include "siem/watchlist_source.h"

/* When the items were changed, as queries see it: always the same, so that answers are. */
static const char updated[] = "2000-01-01T00:00:00Z";

static const struct json_node *find(const struct lab_watchlists *lists, rf_str alias)
{
    for (uint32_t i = 0; i < lists->count; i++)
        if (rf_str_eq_nocase(json_text_at(lists->lists[i], "alias"), alias)) return lists->lists[i];
    return NULL;
}

/* ---- making a list ----------------------------------------------------------------------------------------------------- */

static enum rf_kind put(struct lab_watchlists *lists, struct json_node *list, struct rf_err *err)
{
    rf_str alias = json_text_at(list, "alias");
    if (find(lists, alias) != NULL)
        return RF_FAIL(err, RF_CONFLICT, "WatchlistExists", "two watchlists are called '%.*s'",
                       RF_FMT(alias));
    if (lists->count == lists->cap) {
        uint32_t cap = RF_MAX(lists->cap * 2, 8u);
        size_t each = sizeof(struct json_node *);
        void *grown =
            rf_arena_grow(lists->arena, (void *)lists->lists, lists->cap * each, cap * each);
        if (grown == NULL) return rf_fail_memory(err, lists->arena);
        lists->lists = grown;
        lists->cap = cap;
    }
    lists->lists[lists->count++] = list;
    return RF_OK;
}

static struct json_node *new_list(struct rf_arena *arena, rf_str alias, rf_str key)
{
    struct json_node *list = json_new(arena, JSON_T_OBJECT);
    json_set_text(arena, list, "alias", alias);
    json_set_text(arena, list, "searchKey", key);
    json_set(arena, list, RF_S("columns"), json_new(arena, JSON_T_ARRAY));
    return json_set(arena, list, RF_S("items"), json_new(arena, JSON_T_ARRAY)) == NULL ? NULL
                                                                                       : list;
}

/* The array of the new item's values; NULL: no memory. */
static struct json_node *new_item(struct rf_arena *arena, struct json_node *list)
{
    struct json_node *items = json_get(list, "items"), *item = json_new(arena, JSON_T_OBJECT);
    rf_str number = rf_arena_printf(arena, "%u", items->count);
    if (number.ptr == NULL) return NULL;
    json_set_text(arena, item, "id", siem_guid(arena, json_text_at(list, "alias"), number));
    json_set_text(arena, item, "updated", rf_str_of(updated));
    struct json_node *values = json_set(arena, item, RF_S("values"), json_new(arena, JSON_T_ARRAY));
    return json_append(items, item) == NULL ? NULL : values;
}

static bool has_column(const struct json_node *list, rf_str name)
{
    for (const struct json_node *c = json_get(list, "columns")->first; c != NULL; c = c->next)
        if (rf_str_eq(c->text, name)) return true;
    return false;
}

/* The key that is not given: SearchKey, or the first column. */
static enum rf_kind check_key(struct rf_arena *arena, struct json_node *list, struct rf_err *err)
{
    rf_str key = json_text_at(list, "searchKey");
    const struct json_node *first = json_get(list, "columns")->first;
    if (first == NULL) return RF_FAIL(err, RF_INVALID, "BadWatchlist", "it has no columns");
    if (key.len == 0) {
        key = has_column(list, RF_S("SearchKey")) ? RF_S("SearchKey") : first->text;
        if (json_set_text(arena, list, "searchKey", key) == NULL) return rf_fail_memory(err, arena);
    }
    if (has_column(list, key)) return RF_OK;
    return RF_FAIL(err, RF_INVALID, "BadWatchlist", "its key '%.*s' is no column", RF_FMT(key));
}

static enum rf_kind fill(struct rf_arena *arena, struct json_node *list,
                         const struct watchlist_csv *csv, struct rf_err *err)
{
    struct json_node *columns = json_get(list, "columns");
    for (uint32_t c = 0; c < csv->column_count; c++)
        if (json_append(columns, json_new_text(arena, csv->header[c])) == NULL)
            return rf_fail_memory(err, arena);
    for (uint32_t r = 0; r < csv->row_count; r++) {
        struct json_node *values = new_item(arena, list), *last = values;
        for (uint32_t c = 0; c < csv->column_count && last != NULL; c++)
            last = json_append(values,
                               json_new_text(arena, csv->cells[(size_t)r * csv->column_count + c]));
        if (last == NULL) return rf_fail_memory(err, arena);
    }
    return check_key(arena, list, err);
}

static rf_str stem_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    rf_str name = rf_str_of(slash == NULL ? path : slash + 1);
    size_t dot = rf_str_find(name, RF_S("."), 0);
    return rf_slice(name, 0, RF_MIN(dot, name.len));
}

static enum rf_kind add_text(struct lab_watchlists *lists, rf_str text, bool tabs, rf_str alias,
                             rf_str key, struct rf_err *err)
{
    struct watchlist_csv csv;
    struct json_node *list = new_list(lists->arena, alias, key);
    if (list == NULL) return rf_fail_memory(err, lists->arena);
    RF_TRY(watchlist_csv_read(text, tabs ? '\t' : ',', 0, lists->arena, &csv, err));
    RF_TRY(fill(lists->arena, list, &csv, err));
    return put(lists, list, err);
}

enum rf_kind lab_watchlists_add_file(struct lab_watchlists *lists, const char *path, rf_str alias,
                                     rf_str key, struct rf_err *err)
{
    struct rf_err why = {0};
    rf_str text, name = alias.len > 0 ? alias : stem_of(path);
    RF_TRY(rf_fs_read_all(rf_fs_real(), path, WATCHLIST_BYTES_MAX, lists->arena, &text, err));
    enum rf_kind kind =
        add_text(lists, text, rf_str_ends(rf_str_of(path), RF_S(".tsv")), name, key, &why);
    if (kind == RF_OK) return RF_OK;
    return RF_FAIL(err, kind, kind == RF_INVALID ? "BadWatchlist" : why.code, "%s: %.900s", path,
                   why.text);
}

enum rf_kind lab_watchlists_add_items(struct lab_watchlists *lists, rf_str alias, rf_str key,
                                      const struct json_node *items, struct rf_err *err)
{
    struct rf_arena *arena = lists->arena;
    struct json_node *list = new_list(arena, alias, key);
    const struct json_node *first = items == NULL ? NULL : items->first;
    if (list == NULL) return rf_fail_memory(err, arena);
    struct json_node *columns = json_get(list, "columns");
    for (const struct json_node *m = first == NULL ? NULL : first->first; m != NULL; m = m->next)
        if (json_append(columns, json_new_text(arena, m->name)) == NULL)
            return rf_fail_memory(err, arena);
    for (const struct json_node *item = first; item != NULL; item = item->next) {
        struct json_node *values = new_item(arena, list), *last = values;
        for (const struct json_node *c = columns->first; c != NULL && last != NULL; c = c->next) {
            const struct json_node *v = json_get_str(item, c->text);
            last = json_append(values, json_new_text(arena, v == NULL ? RF_S("") : v->text));
        }
        if (last == NULL) return rf_fail_memory(err, arena);
    }
    RF_TRY(check_key(arena, list, err));
    return put(lists, list, err);
}

enum rf_kind lab_watchlists_add(struct lab_watchlists *lists, const char *path, struct rf_err *err)
{
    struct rf_fs_stat stat;
    rf_str *names, none = {NULL, 0};
    size_t count;
    RF_TRY(rf_fs_stat(rf_fs_real(), path, &stat, err));
    if (!stat.is_dir) return lab_watchlists_add_file(lists, path, none, none, err);
    RF_TRY(rf_fs_list(rf_fs_real(), path, lists->arena, &names, &count, err));
    for (size_t i = 0; i < count; i++) {
        if (!rf_str_ends(names[i], RF_S(".csv")) && !rf_str_ends(names[i], RF_S(".tsv"))) continue;
        rf_str full = rf_arena_printf(lists->arena, "%s/%.*s", path, RF_FMT(names[i]));
        if (full.ptr == NULL) return rf_fail_memory(err, lists->arena);
        RF_TRY(lab_watchlists_add_file(lists, (const char *)full.ptr, none, none, err));
    }
    return RF_OK;
}

/* ---- for queries --------------------------------------------------------------------------------------------------------- */

static enum rf_kind aliases(const struct lab_watchlists *lists, struct rf_arena *arena,
                            struct source **out, struct rf_err *err)
{
    rf_str *names = rf_arena_new(arena, rf_str, lists->count);
    if (names == NULL) return rf_fail_memory(err, arena);
    for (uint32_t i = 0; i < lists->count; i++) names[i] = json_text_at(lists->lists[i], "alias");
    return watchlist_alias_source(names, lists->count, arena, out, err);
}

enum rf_kind lab_watchlists_call(const struct lab_watchlists *lists, rf_str name,
                                 const struct value *args, uint32_t arg_count,
                                 struct rf_arena *arena, struct source **out, struct rf_err *err)
{
    bool one = rf_str_is(name, "_GetWatchlist");
    if (!one && !rf_str_is(name, "_GetWatchlistAlias"))
        return RF_FAIL(err, RF_NOT_FOUND, "UnknownFunction", "there is no function '%.*s'",
                       RF_FMT(name));
    if (out == NULL) return RF_OK;
    if (!one) return aliases(lists, arena, out, err);
    if (arg_count == 0 || arg_count > 2)
        return RF_FAIL(err, RF_INVALID, "BadArguments",
                       "_GetWatchlist takes the alias of a watchlist: _GetWatchlist('alias')");
    rf_str only = arg_count > 1 ? args[1].s : RF_S("");
    return watchlist_source(find(lists, args[0].s), only, arena, out, err);
}
