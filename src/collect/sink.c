#include "collect/sink.h"

#include "tables/tables.h"

enum rf_kind sink_append(struct tables *tables, rf_str workspace, rf_str table, rf_str lines,
                         rf_usec now, uint64_t *count, struct rf_err *err)
{
    return tables_append_json(tables, workspace, table, lines,
                              DATETIME_UNIX_EPOCH + now * TICKS_PER_MICROSECOND, count, err);
}

enum rf_kind sink_append_set(struct tables *tables, rf_str workspace, const struct rowset *rows,
                             rf_usec now, struct rf_err *err)
{
    for (uint32_t i = 0; i < rows->table_count; i++)
        RF_TRY(sink_append(tables, workspace, rows->tables[i].table,
                           rf_buf_view(&rows->tables[i].lines), now, NULL, err));
    return RF_OK;
}

static bool find_column(const void *ctx, rf_str *name, bool *is_int)
{
    const struct table_def *def = ctx;
    for (uint32_t i = 0; i < def->column_count; i++) {
        if (!rf_str_eq_nocase(def->columns[i].name, *name)) continue;
        *name = def->columns[i].name;
        *is_int = def->columns[i].type == TYPE_INT || def->columns[i].type == TYPE_LONG;
        return *is_int || def->columns[i].type == TYPE_STRING;
    }
    return false;
}

enum rf_kind sink_event_columns(struct tables *tables, rf_str workspace, struct rf_arena *arena,
                                struct winevent_columns *out, struct rf_err *err)
{
    struct table_def *def = rf_arena_new(arena, struct table_def, 1);
    if (def == NULL) return rf_fail_memory(err, arena);
    RF_TRY(tables_find(tables, workspace, RF_S("SecurityEvent"), arena, def, err));
    *out = (struct winevent_columns){.ctx = def, .find = find_column};
    return RF_OK;
}
