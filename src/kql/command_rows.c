/* command_rows.c - the table that a command gives, and the pipe behind it. */
#include "kql/ast.h"
#include "kql/command_int.h"
#include "kql/source_file.h"
#include "value/text.h"

enum { ROWS_COLUMNS_MAX = 40 };

void command_rows_init(struct command_rows *rows, struct rf_arena *arena, const char *columns)
{
    uint8_t types[ROWS_COLUMNS_MAX];
    rf_str text = rf_str_of(columns);
    *rows = (struct command_rows){
        .arena = arena, .columns = rf_arena_new(arena, struct ast_column, ROWS_COLUMNS_MAX)};
    if (rows->columns == NULL) {
        rows->failed = true;
        return;
    }
    for (size_t at = 0; at < text.len;) {
        size_t end = RF_MIN(rf_str_find(text, RF_S(","), at), text.len);
        rf_str pair = rf_str_trim(rf_slice(text, at, end));
        size_t colon = rf_str_find(pair, RF_S(":"), 0);
        enum type type = TYPE_STRING;
        RF_ASSERT(colon != SIZE_MAX);
        RF_ASSERT(rows->column_count < ROWS_COLUMNS_MAX);
        RF_ASSERT(type_parse(rf_slice(pair, colon + 1, pair.len), &type));
        types[rows->column_count] = (uint8_t)type;
        rows->columns[rows->column_count++] =
            (struct ast_column){.name = rf_slice(pair, 0, colon), .type = (uint8_t)type};
        at = end + 1;
    }
    rows->rows = rows_new(arena, types, rows->column_count);
    rows->failed = rows->rows == NULL;
}

void command_rows_add(struct command_rows *rows, const struct value *values)
{
    struct vec columns[ROWS_COLUMNS_MAX];
    if (rows->failed) return;
    for (uint32_t i = 0; i < rows->column_count; i++) {
        RF_ASSERT(values[i].type == rows->columns[i].type);
        rows->failed |= !vec_const(rows->arena, &values[i], &columns[i]);
    }
    struct batch batch = {.row_count = 1,
                          .column_count = rows->column_count,
                          .columns = columns,
                          .arena = rows->arena};
    if (!rows->failed) rows->failed = !rows_append(rows->rows, &batch);
}

struct value command_literal(const char *s) { return value_str(rf_str_of(s)); }
struct value command_number(uint64_t n) { return value_i64(TYPE_LONG, (int64_t)n); }

struct value command_time(rf_usec time)
{
    if (time == 0) return value_null(TYPE_DATETIME);
    return value_i64(TYPE_DATETIME, DATETIME_UNIX_EPOCH + time * TICKS_PER_MICROSECOND);
}

struct value command_guid(rf_str text)
{
    struct guid guid;
    return text_to_guid(text, &guid) ? value_guid(guid) : value_null(TYPE_GUID);
}

void command_shift_error(const struct command *c, rf_str part, uint32_t before, struct rf_err *err)
{
    uint32_t line, column;
    const uint8_t *end = c->text.ptr + c->text.len;
    if (err == NULL || err->line == 0 || part.ptr < c->text.ptr || part.ptr > end) return;
    parse_place(c->text, (uint32_t)(part.ptr - c->text.ptr), &line, &column);
    if (err->line == 1) err->column = RF_MAX(err->column, before + 1) - before + column - 1;
    err->line += line - 1;
}

/* What a command shows is a table like any other: the pipe behind it is a query over it. */
enum rf_kind command_pipe(const struct kql_request *request, const struct command *c,
                          const struct command_rows *rows, struct kql_sink *sink,
                          struct kql_stats *stats, struct rf_err *err)
{
    static const char name[] = "ControlCommandResult";
    struct rf_arena *arena = rows->arena;
    if (rows->failed) return rf_fail_memory(err, arena);
    struct source *source =
        source_rows_new(rf_str_of(name), rows->columns, rows->column_count, rows->rows, arena);
    rf_str text = rf_arena_printf(arena, "%s %.*s", name, RF_FMT(c->pipe));
    if (source == NULL || text.ptr == NULL) return rf_fail_memory(err, arena);
    struct catalog catalog = {.sources = &source, .source_count = 1};
    struct kql_request query = *request;
    query.text = text;
    query.catalog = &catalog;
    query.lane_count = 1;
    query.has_timespan = false;
    enum rf_kind kind = kql_run(&query, sink, stats, err);
    if (kind != RF_OK) command_shift_error(c, c->pipe, sizeof name, err);
    return kind;
}
