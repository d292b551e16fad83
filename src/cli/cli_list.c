#include "cli/cli_list.h"

#include <stdio.h>

#include "cli/cli.h"
#include "cli/cli_server.h"

enum { TIME_BYTES = 19 }; /* 2026-01-31T12:00:00 */

static struct value cell_of(const struct json_node *item, const struct cli_list_column *column)
{
    int64_t number;
    const struct json_node *node = json_at(item, column->path);
    if (column->key.len > 0) node = json_get_str(node, column->key);
    if (column->kind == CLI_LIST_NUMBER)
        return json_i64_at(item, column->path, &number) ? value_long(number)
                                                        : value_null(TYPE_LONG);
    if (node == NULL) return value_str(RF_S(""));
    if (node->type == JSON_T_TRUE) return value_str(RF_S("true"));
    if (node->type == JSON_T_FALSE) return value_str(RF_S("false"));
    rf_str text =
        node->type == JSON_T_STRING || node->type == JSON_T_NUMBER ? node->text : RF_S("");
    if (column->kind == CLI_LIST_TIME) text = rf_slice(text, 0, RF_MIN(text.len, TIME_BYTES));
    return value_str(text);
}

static enum rf_kind push_rows(struct kql_sink *sink, const struct json_node *list, rf_str table,
                              const struct cli_list_column *shown, size_t count,
                              struct rf_arena *arena, struct rf_err *err)
{
    struct schema schema = {.columns = rf_arena_new(arena, struct column, count),
                            .count = (uint32_t)count};
    struct vec *vecs = rf_arena_new(arena, struct vec, count);
    if (schema.columns == NULL || vecs == NULL) return rf_fail_memory(err, arena);
    for (size_t i = 0; i < count; i++) {
        enum type type = shown[i].kind == CLI_LIST_NUMBER ? TYPE_LONG : TYPE_STRING;
        schema.columns[i] = (struct column){.name = shown[i].name, .type = (uint8_t)type};
        if (!vec_flat(arena, type, BATCH_ROWS, &vecs[i]) ||
            vec_need_nulls(arena, &vecs[i], BATCH_ROWS) == NULL)
            return rf_fail_memory(err, arena);
    }
    struct batch batch = {.column_count = (uint32_t)count, .columns = vecs, .arena = arena};
    RF_TRY(sink->begin(sink, table, &schema, NULL, err));
    for (const struct json_node *item = list->first; item != NULL; item = item->next) {
        for (size_t i = 0; i < count; i++) {
            struct value v = cell_of(item, &shown[i]);
            vec_set(&vecs[i], batch.row_count, &v);
        }
        if (++batch.row_count < BATCH_ROWS && item->next != NULL) continue;
        RF_TRY(sink->push(sink, &batch, err));
        batch.row_count = 0;
    }
    RF_TRY(sink->end(sink, err));
    return cli_sink_finish(sink, err);
}

enum rf_kind cli_list_print(const struct json_node *list, rf_str table,
                            const struct cli_list_column *columns, size_t count,
                            enum cli_format format, struct rf_arena *arena, struct rf_err *err)
{
    if (format == CLI_FORMAT_COUNT) format = CLI_TABLE;
    if (format == CLI_JSON) {
        cli_print_json(list, arena);
        return RF_OK;
    }
    for (const struct json_node *item = list->first; format == CLI_JSONL && item != NULL;
         item = item->next) {
        rf_str text = json_to_text(arena, item);
        if (text.ptr == NULL) return rf_fail_memory(err, arena);
        printf("%.*s\n", RF_FMT(text));
    }
    if (format == CLI_JSONL) return RF_OK;
    struct cli_output output = {.file = stdout,
                                .format = format,
                                .colour = cli_has_colour(stdout),
                                .width = cli_is_terminal(stdout) ? cli_width(stdout) : UINT32_MAX};
    struct kql_sink *sink = cli_sink_new(&output, arena);
    if (sink == NULL) return rf_fail_memory(err, arena);
    enum rf_kind kind = push_rows(sink, list, table, columns,
                                  RF_MIN(count, (size_t)CLI_LIST_COLUMNS_MAX), arena, err);
    cli_sink_done(sink);
    return kind;
}
