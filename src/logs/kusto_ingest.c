/* kusto_ingest.c - rows as the Kusto clients send them: text with separators or JSON, with or without a mapping. All rows of a
 * call are stored, or none. */
#include "kql/command.h"
#include "logs/kusto_int.h"

enum { WORK_BYTES = 256 << 20 };

#define WORKSPACES "Microsoft.OperationalInsights/workspaces"

enum rf_kind kusto_may_ingest(struct logs *logs, const struct request *request,
                              struct rf_arena *arena, const struct workspace *workspace,
                              rf_str table, struct rf_err *err)
{
    rf_str scope = rf_arena_printf(arena, "%.*s/tables/%.*s", RF_FMT(workspace->id), RF_FMT(table));
    if (scope.ptr == NULL) return rf_fail_memory(err, arena);
    if (authz_check(logs->options.authz, request->principal,
                    RF_S("Microsoft.Insights/Telemetry/Write"), scope, true))
        return RF_OK;
    return authz_require(logs->options.authz, request->principal, RF_S(WORKSPACES "/tables/write"),
                         scope, false, err);
}

/* The mapping's text; empty: none is named. */
static enum rf_kind find_mapping(struct logs *logs, struct rf_arena *arena,
                                 const struct kusto_ingest *ingest, rf_str table, const char *kind,
                                 rf_str *out, struct rf_err *err)
{
    struct kusto_mapping *list;
    uint32_t count;
    *out = ingest->mapping_text;
    if (ingest->mapping.len == 0) return RF_OK;
    RF_TRY(kusto_mapping_list(logs, arena, ingest->workspace, table, &list, &count, err));
    for (uint32_t i = 0; i < count; i++) {
        if (!rf_str_eq_nocase(list[i].name, ingest->mapping)) continue;
        if (!rf_str_eq_nocase(list[i].kind, rf_str_of(kind))) continue;
        *out = list[i].text;
        return RF_OK;
    }
    return RF_FAIL(err, RF_NOT_FOUND, "MappingNotFound", "the table has no %s mapping '%.*s'", kind,
                   RF_FMT(ingest->mapping));
}

/* All columns but those that the workspace fills in. */
static enum rf_kind own_columns(const struct table_def *def, struct rf_arena *arena,
                                struct command_data *data, struct rf_err *err)
{
    struct ast_column *columns = rf_arena_new(arena, struct ast_column, def->column_count);
    if (columns == NULL) return rf_fail_memory(err, arena);
    data->columns = columns;
    for (uint32_t i = 0; i < def->column_count; i++) {
        const struct table_column *c = &def->columns[i];
        if (rf_str_is(c->name, "TenantId") || rf_str_is(c->name, "Type")) continue;
        columns[data->column_count++] = (struct ast_column){.name = c->name, .type = c->type};
    }
    return RF_OK;
}

enum rf_kind kusto_append(struct logs *logs, const struct workspace *workspace, rf_str table,
                          const struct schema *schema, const struct rows *rows, int64_t now_ticks,
                          struct rf_arena *arena, struct rf_err *err)
{
    uint64_t count = rows_count(rows);
    if (count == 0) return RF_OK;
    uint32_t batches = (uint32_t)((count + BATCH_ROWS - 1) / BATCH_ROWS);
    struct batch *list = rf_arena_new(arena, struct batch, batches);
    if (list == NULL) return rf_fail_memory(err, arena);
    for (uint32_t i = 0; i < batches; i++)
        if (!rows_batch(rows, (uint64_t)i * BATCH_ROWS, arena, &list[i]))
            return rf_fail_memory(err, arena);
    struct rows_in in = {
        .schema = schema, .batches = list, .batch_count = batches, .now_ticks = now_ticks};
    return tables_append(logs->options.tables, workspace->guid, table, &in, err);
}

static enum rf_kind ingest_json(struct logs *logs, struct rf_arena *arena,
                                const struct kusto_ingest *ingest, const struct table_def *def,
                                uint64_t *count, struct rf_err *err)
{
    rf_str data = ingest->data, text;
    struct rf_buf mapped = rf_buf_in(arena);
    RF_TRY(find_mapping(logs, arena, ingest, def->name, "json", &text, err));
    if (text.len > 0) {
        struct json_node *mapping;
        RF_TRY(json_parse(text, arena, &mapping, err));
        RF_TRY(command_map_json(data, mapping, &mapped, err));
        data = rf_buf_view(&mapped);
    }
    *count = 0;
    if (rf_str_trim(data).len == 0) return RF_OK;
    return tables_append_json(logs->options.tables, ingest->workspace->guid, def->name, data,
                              ingest->now_ticks, count, err);
}

static enum rf_kind ingest_separated(struct logs *logs, struct rf_arena *arena,
                                     const struct kusto_ingest *ingest, const struct table_def *def,
                                     uint64_t *count, struct rf_err *err)
{
    struct command_data data = {
        .format = ingest->format, .data = ingest->data, .ignore_first = ingest->ignore_first};
    struct schema schema;
    struct rows *rows;
    RF_TRY(own_columns(def, arena, &data, err));
    RF_TRY(find_mapping(logs, arena, ingest, def->name, "csv", &data.mapping, err));
    RF_TRY(command_read_data(&data, arena, &schema, &rows, err));
    *count = rows_count(rows);
    return kusto_append(logs, ingest->workspace, def->name, &schema, rows, ingest->now_ticks, arena,
                        err);
}

enum rf_kind kusto_ingest(struct logs *logs, struct rf_arena *arena,
                          const struct kusto_ingest *ingest, uint64_t *count, struct rf_err *err)
{
    struct table_def def;
    bool known;
    bool json = command_format_is_json(ingest->format, &known);
    RF_TRY(tables_find(logs->options.tables, ingest->workspace->guid, ingest->table, arena, &def,
                       err));
    if (json) return ingest_json(logs, arena, ingest, &def, count, err);
    RF_CLEANUP(rf_arena_done) struct rf_arena work;
    rf_arena_init(&work, WORK_BYTES);
    return ingest_separated(logs, &work, ingest, &def, count, err);
}
