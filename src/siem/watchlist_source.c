/* watchlist_source.c - _GetWatchlist('alias'[, keys]) and _GetWatchlistAlias in queries. */
#include "siem/watchlist_source.h"

#include "base/encode.h"
#include "kql/source_file.h"
#include "siem/watchlist_int.h"

enum { FIXED_COLUMNS = 3 }; /* _DTItemId, LastUpdatedTimeUTC, SearchKey */
static const char get_list[] = "_GetWatchlist", get_aliases[] = "_GetWatchlistAlias";

static enum rf_kind rows_source(struct ast_column *columns, uint32_t count, struct rows *rows,
                                struct rf_arena *arena, struct source **out, struct rf_err *err)
{
    *out = source_rows_new(RF_S("Watchlist"), columns, count, rows, arena);
    return *out == NULL ? rf_fail_memory(err, arena) : RF_OK;
}

static struct rows *rows_of_columns(const struct ast_column *columns, uint32_t count,
                                    struct rf_arena *arena)
{
    uint8_t *types = rf_arena_new(arena, uint8_t, count);
    for (uint32_t i = 0; i < count && types != NULL; i++) types[i] = columns[i].type;
    return types == NULL ? NULL : rows_new(arena, types, count);
}

static bool add_row(struct rows *rows, const struct value *values, uint32_t count,
                    struct rf_arena *arena)
{
    struct vec *columns = rf_arena_new(arena, struct vec, count);
    if (columns == NULL) return false;
    for (uint32_t i = 0; i < count; i++)
        if (!vec_const(arena, &values[i], &columns[i])) return false;
    struct batch batch = {
        .row_count = 1, .column_count = count, .columns = columns, .arena = arena};
    return rows_append(rows, &batch);
}

/* ---- _GetWatchlist -------------------------------------------------------------------------------------------------------- */

static bool is_fixed(rf_str name)
{
    return rf_str_is(name, "_DTItemId") || rf_str_is(name, "LastUpdatedTimeUTC") ||
           rf_str_is(name, "SearchKey");
}

static enum rf_kind make_columns(const struct json_node *list, struct rf_arena *arena,
                                 struct ast_column **out, uint32_t *count, struct rf_err *err)
{
    const struct json_node *own = json_get(list, "columns");
    struct ast_column *columns =
        rf_arena_new(arena, struct ast_column, FIXED_COLUMNS + (own == NULL ? 0 : own->count));
    if (columns == NULL) return rf_fail_memory(err, arena);
    columns[0] = (struct ast_column){.name = RF_S("_DTItemId"), .type = TYPE_STRING};
    columns[1] = (struct ast_column){.name = RF_S("LastUpdatedTimeUTC"), .type = TYPE_DATETIME};
    columns[2] = (struct ast_column){.name = RF_S("SearchKey"), .type = TYPE_STRING};
    *count = FIXED_COLUMNS;
    for (const struct json_node *c = own == NULL ? NULL : own->first; c != NULL; c = c->next)
        if (!is_fixed(c->text))
            columns[(*count)++] = (struct ast_column){.name = c->text, .type = TYPE_STRING};
    *out = columns;
    return RF_OK;
}

/* Whether the keys that the call names, one or a list in JSON, let it pass. */
static bool is_wanted(rf_str key, const struct json_node *keys, rf_str only)
{
    if (keys == NULL) return only.len == 0 || rf_str_eq_nocase(key, only);
    for (const struct json_node *k = keys->first; k != NULL; k = k->next)
        if (rf_str_eq_nocase(k->text, key)) return true;
    return false;
}

static bool add_item(struct rows *rows, const struct json_node *list, const struct json_node *item,
                     rf_str key, struct value *values, struct rf_arena *arena)
{
    rf_usec updated = 0;
    uint32_t n = FIXED_COLUMNS;
    const struct json_node *value = json_get(item, "values")->first;
    (void)time_parse_iso(json_text_at(item, "updated"), &updated);
    values[0] = value_str(json_text_at(item, "id"));
    values[1] = value_i64(TYPE_DATETIME, ticks_of(updated));
    values[2] = value_str(key);
    for (const struct json_node *c = json_get(list, "columns")->first; c != NULL; c = c->next) {
        if (!is_fixed(c->text)) values[n++] = value_str(value == NULL ? RF_S("") : value->text);
        if (value != NULL) value = value->next;
    }
    return add_row(rows, values, n, arena);
}

enum rf_kind watchlist_source(const struct json_node *list, rf_str only, struct rf_arena *arena,
                              struct source **out, struct rf_err *err)
{
    struct ast_column *columns;
    uint32_t count;
    struct json_node *keys = NULL;
    RF_TRY(make_columns(list, arena, &columns, &count, err));
    struct rows *rows = rows_of_columns(columns, count, arena);
    struct value *values = rf_arena_new(arena, struct value, count);
    if (rows == NULL || values == NULL) return rf_fail_memory(err, arena);
    if (only.len > 0 && only.ptr[0] == '[' && json_parse(only, arena, &keys, NULL) != RF_OK)
        keys = NULL;
    int at = watchlist_column(list, json_text_at(list, "searchKey"));
    const struct json_node *items = json_get(list, "items");
    for (const struct json_node *i = items == NULL ? NULL : items->first; i != NULL; i = i->next) {
        rf_str key = watchlist_value(i, at);
        if (!is_wanted(key, keys, only)) continue;
        if (!add_item(rows, list, i, key, values, arena)) return rf_fail_memory(err, arena);
    }
    return rows_source(columns, count, rows, arena, out, err);
}

/* ---- _GetWatchlistAlias -------------------------------------------------------------------------------------------------- */

enum rf_kind watchlist_alias_source(const rf_str *aliases, uint32_t count, struct rf_arena *arena,
                                    struct source **out, struct rf_err *err)
{
    struct ast_column *column = rf_arena_new(arena, struct ast_column, 1);
    if (column == NULL) return rf_fail_memory(err, arena);
    *column = (struct ast_column){.name = RF_S("WatchlistAlias"), .type = TYPE_STRING};
    struct rows *rows = rows_of_columns(column, 1, arena);
    if (rows == NULL) return rf_fail_memory(err, arena);
    for (uint32_t i = 0; i < count; i++) {
        struct value alias = value_str(aliases[i]);
        if (!add_row(rows, &alias, 1, arena)) return rf_fail_memory(err, arena);
    }
    return rows_source(column, 1, rows, arena, out, err);
}

static enum rf_kind source_of_aliases(const struct state_list *found, struct rf_arena *arena,
                                      struct source **out, struct rf_err *err)
{
    rf_str *aliases = rf_arena_new(arena, rf_str, found->count);
    if (aliases == NULL) return rf_fail_memory(err, arena);
    for (uint32_t i = 0; i < found->count; i++) {
        struct json_node *list;
        RF_TRY(json_parse(found->items[i].body, arena, &list, err));
        aliases[i] = json_text_at(list, "alias");
    }
    return watchlist_alias_source(aliases, found->count, arena, out, err);
}

/* ---- for queries -------------------------------------------------------------------------------------------------------------- */

static enum rf_kind call(void *ctx, rf_str workspace_id, rf_str name, const struct value *args,
                         uint32_t arg_count, struct rf_arena *arena, struct source **out,
                         struct rf_err *err)
{
    struct siem *siem = ctx;
    bool one = rf_str_is(name, get_list);
    if (!one && !rf_str_is(name, get_aliases))
        return RF_FAIL(err, RF_NOT_FOUND, "UnknownFunction", "there is no function '%.*s'",
                       RF_FMT(name));
    if (out == NULL) return RF_OK;
    if (one && (arg_count == 0 || arg_count > 2))
        return RF_FAIL(err, RF_INVALID, "BadArguments",
                       "_GetWatchlist takes the alias of a watchlist: _GetWatchlist('alias')");
    RF_CLEANUP(state_end_cleanup) struct state_txn *txn = NULL;
    RF_TRY(state_begin_read(siem->options.state, &txn, err));
    if (!one) {
        struct state_list found;
        const struct state_scan scan = {
            .space = SPACE_WATCHLIST, .index = "workspace", .value = workspace_id};
        RF_TRY(state_list(txn, &scan, arena, &found, err));
        return source_of_aliases(&found, arena, out, err);
    }
    struct json_node *list;
    RF_TRY(watchlist_find(txn, workspace_id, args[0].s, arena, &list, err));
    return watchlist_source(list, arg_count > 1 ? args[1].s : RF_S(""), arena, out, err);
}

void watchlist_functions(struct siem *siem)
{
    const struct table_functions functions = {.ctx = siem, .call = call};
    tables_add_functions(siem->options.tables, &functions);
}
