#include "collect/sink.h"

#include "tables/tables.h"

#define OWN_TABLES RF_S("RingfortCollect")

static enum rf_kind append_to_table(const struct sink *sink, const struct sink_route *route,
                                    rf_str table, rf_str lines, rf_usec now, uint64_t *count,
                                    struct rf_err *err)
{
    return tables_append_json(sink->tables, route->workspace, table, lines,
                              DATETIME_UNIX_EPOCH + now * TICKS_PER_MICROSECOND, count, err);
}

enum rf_kind sink_append(const struct sink *sink, const struct sink_route *route, rf_str table,
                         rf_str lines, rf_usec now, uint64_t *count, struct rf_err *err)
{
    bool taken = false;
    if (route->rule.len > 0 && sink->rules.append != NULL && !rf_str_starts(table, OWN_TABLES))
        RF_TRY(sink->rules.append(sink->rules.ctx, route->rule, route->stream, table, lines, now,
                                  &taken, count, err));
    return taken ? RF_OK : append_to_table(sink, route, table, lines, now, count, err);
}

size_t sink_part(const struct sink_route *route, rf_str lines)
{
    if (route->rule.len == 0 || lines.len <= SINK_RULE_BYTES_MAX) return lines.len;
    size_t end = SINK_RULE_BYTES_MAX;
    while (end > 0 && lines.ptr[end - 1] != '\n') end--;
    if (end > 0) return end;
    return RF_MIN(rf_str_find(lines, RF_S("\n"), 0), lines.len - 1) + 1;
}

enum rf_kind sink_append_set(const struct sink *sink, const struct sink_route *route,
                             const struct rowset *rows, rf_usec now, struct rf_err *err)
{
    for (uint32_t i = 0; i < rows->table_count; i++) {
        rf_str rest = rf_buf_view(&rows->tables[i].lines);
        while (rest.len > 0) {
            size_t part = sink_part(route, rest);
            RF_TRY(sink_append(sink, route, rows->tables[i].table, rf_slice(rest, 0, part), now,
                               NULL, err));
            rest = rf_slice(rest, part, rest.len);
        }
    }
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
