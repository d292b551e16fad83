/* command_fill.c - commands that put rows into tables: data of the command itself, or what a query gives. */
#include "base/encode.h"
#include "kql/ast.h"
#include "kql/command_int.h"
#include "value/text.h"

#define APPEND_BYTES_MAX ((size_t)512 << 20)

static enum rf_kind add_ingested(struct command_host *h, uint64_t count, struct command_rows *out,
                                 struct rf_err *err)
{
    rf_str id = guid_random(h->arena), operation = guid_random(h->arena);
    if (id.ptr == NULL || operation.ptr == NULL) return rf_fail_memory(err, h->arena);
    command_rows_init(out, h->arena,
                      "ExtentId:guid, ItemLoaded:string, Duration:timespan, HasErrors:bool, "
                      "OperationId:guid");
    /* No rows: the empty identifier. */
    if (count == 0) id = RF_S("00000000-0000-0000-0000-000000000000");
    command_rows_add(out, (struct value[]){command_guid(id),
                                           value_str(rf_arena_printf(h->arena, "inproc:%llu rows",
                                                                     (unsigned long long)count)),
                                           value_i64(TYPE_TIMESPAN, 0), value_bool(false),
                                           command_guid(operation)});
    return RF_OK;
}

static enum rf_kind ingest_inline(struct command_host *h, const struct command *c,
                                  struct command_rows *out, struct rf_err *err)
{
    uint64_t count;
    if (h->ops->ingest == NULL) return command_not_here(c, err);
    RF_TRY(h->ops->may_ingest(h, c->name, err));
    RF_TRY(h->ops->ingest(h, c, &count, err));
    return add_ingested(h, count, out, err);
}

/* ---- a query's rows ---------------------------------------------------------------------------------------------- */

/* Keeps the rows of a query's first result. */
struct keeper {
    struct kql_sink sink;
    struct rf_arena *arena;
    struct schema schema;
    struct rows *rows;
    uint32_t table_count;
};

static enum rf_kind keep_begin(struct kql_sink *sink, rf_str name, const struct schema *schema,
                               const struct render *render, struct rf_err *err)
{
    struct keeper *k = (struct keeper *)sink;
    (void)name, (void)render;
    if (k->table_count++ > 0)
        return RF_FAIL(err, RF_INVALID, "BadRequest", "the command's query has several results");
    struct column *columns = rf_arena_new(k->arena, struct column, schema->count);
    uint8_t *types = rf_arena_new(k->arena, uint8_t, schema->count);
    if (columns == NULL || types == NULL) return rf_fail_memory(err, k->arena);
    for (uint32_t i = 0; i < schema->count; i++) {
        columns[i] = schema->columns[i];
        types[i] = schema->columns[i].type;
        if (!rf_arena_str(k->arena, columns[i].name, &columns[i].name))
            return rf_fail_memory(err, k->arena);
    }
    k->schema = (struct schema){.columns = columns, .count = schema->count};
    k->rows = rows_new(k->arena, types, schema->count);
    return k->rows == NULL ? rf_fail_memory(err, k->arena) : RF_OK;
}

static enum rf_kind keep_push(struct kql_sink *sink, const struct batch *batch, struct rf_err *err)
{
    struct keeper *k = (struct keeper *)sink;
    return rows_append(k->rows, batch) ? RF_OK : rf_fail_memory(err, k->arena);
}

static enum rf_kind keep_end(struct kql_sink *sink, struct rf_err *err)
{
    (void)sink, (void)err;
    return RF_OK;
}

/* A command that shows something gives its rows as well. */
static enum rf_kind run_source(struct command_host *h, const struct command *outer,
                               struct keeper *k, struct rf_err *err)
{
    rf_str text = outer->body;
    struct command c;
    struct command_rows rows;
    struct kql_stats stats = {0};
    struct kql_request request = {.memory_bytes = APPEND_BYTES_MAX};
    if (!command_is(text, NULL)) {
        enum rf_kind kind = h->ops->query(h, text, &k->sink, err);
        if (kind != RF_OK) command_shift_error(outer, text, 0, err);
        return kind;
    }
    RF_TRY(command_parse(text, h->arena, &c, err));
    if (command_changes(&c) || c.verb == COMMAND_REFUSED)
        return RF_FAIL(err, RF_INVALID, "BadRequest",
                       "rows come from a query or a .show command, and from no other");
    RF_TRY(command_run(h, &c, &rows, err));
    return command_pipe(&request, &c, &rows, &k->sink, &stats, err);
}

static int find_column(const struct command_def *def, rf_str name)
{
    for (uint32_t i = 0; i < def->column_count; i++)
        if (rf_str_eq(def->columns[i].name, name)) return (int)i;
    return -1;
}

/* Whether each column of the query is one of the table's, of that type. */
static bool fits_by_name(const struct command_def *def, const struct schema *schema)
{
    for (uint32_t i = 0; i < schema->count; i++) {
        int at = find_column(def, schema->columns[i].name);
        if (at < 0 || def->columns[at].type != schema->columns[i].type) return false;
    }
    return true;
}

static bool fits_by_place(const struct command_def *def, const struct schema *schema)
{
    if (schema->count != def->column_count) return false;
    for (uint32_t i = 0; i < schema->count; i++)
        if (def->columns[i].type != schema->columns[i].type) return false;
    return true;
}

/* Kusto goes by place and types alone; where the names fit they say more. */
static enum rf_kind fit(const struct command_def *def, struct schema *schema, struct rf_err *err)
{
    if (fits_by_name(def, schema)) return RF_OK;
    if (fits_by_place(def, schema)) {
        for (uint32_t i = 0; i < schema->count; i++) schema->columns[i].name = def->columns[i].name;
        return RF_OK;
    }
    for (uint32_t i = 0; i < schema->count; i++) {
        int at = find_column(def, schema->columns[i].name);
        if (at < 0)
            return RF_FAIL(err, RF_INVALID, "SchemaMismatch",
                           "the query has a column '%.*s' and the table '%.*s' has not; with "
                           "(extend_schema=true) adds it",
                           RF_FMT(schema->columns[i].name), RF_FMT(def->name));
        if (def->columns[at].type != schema->columns[i].type)
            return RF_FAIL(err, RF_INVALID, "SchemaMismatch",
                           "the column '%.*s' is %s in the query and %s in the table",
                           RF_FMT(schema->columns[i].name),
                           type_name((enum type)schema->columns[i].type),
                           type_name((enum type)def->columns[at].type));
    }
    return RF_OK;
}

/* Columns of a query that a table is made with, or that it lacks. */
static enum rf_kind put_columns(struct command_host *h, const struct command *c,
                                const struct schema *schema, struct command_def *def, bool there,
                                struct rf_err *err)
{
    struct ast_column *columns =
        rf_arena_new(h->arena, struct ast_column, (size_t)def->column_count + schema->count);
    if (columns == NULL) return rf_fail_memory(err, h->arena);
    if (def->column_count > 0) memcpy(columns, def->columns, def->column_count * sizeof *columns);
    for (uint32_t i = 0; i < schema->count; i++) {
        if (rf_str_find(schema->columns[i].name, RF_S("$"), 0) != SIZE_MAX)
            return RF_FAIL(err, RF_INVALID, "BadRequest",
                           "a column cannot be called '%.*s'; project-rename it",
                           RF_FMT(schema->columns[i].name));
        if (there && find_column(def, schema->columns[i].name) >= 0) continue;
        columns[def->column_count++] =
            (struct ast_column){.name = schema->columns[i].name, .type = schema->columns[i].type};
    }
    def->columns = columns;
    def->name = c->name;
    def->folder = command_property(c, "folder");
    def->docstring = command_property(c, "docstring");
    return h->ops->put(h, def, err);
}

static enum rf_kind add_extent(struct command_host *h, uint64_t count, struct command_rows *out,
                               struct rf_err *err)
{
    rf_str id = guid_random(h->arena);
    if (id.ptr == NULL) return rf_fail_memory(err, h->arena);
    command_rows_init(out, h->arena,
                      "ExtentId:guid, OriginalSize:real, ExtentSize:real, CompressedSize:real, "
                      "IndexSize:real, RowCount:long");
    if (count == 0) return RF_OK;
    struct value unknown = value_null(TYPE_REAL);
    command_rows_add(out, (struct value[]){command_guid(id), unknown, unknown, unknown, unknown,
                                           command_number(count)});
    return RF_OK;
}

/* Whatever may fail comes before the first change, except for lack of disk. */
static enum rf_kind fill(struct command_host *h, const struct command *c, struct keeper *k,
                         struct command_rows *out, struct rf_err *err)
{
    struct command_def def = {0};
    RF_TRY(h->ops->may_ingest(h, c->name, err));
    enum rf_kind kind = h->ops->find(h, c->name, &def, err);
    bool there = kind == RF_OK;
    if (kind != RF_OK && kind != RF_NOT_FOUND) return kind;
    if (!there) def = (struct command_def){0};
    if (c->verb == COMMAND_SET && there)
        return RF_FAIL(err, RF_CONFLICT, "EntityAlreadyExists", "Table '%.*s' already exists.",
                       RF_FMT(c->name));
    if (c->verb == COMMAND_APPEND && !there) return command_no_table(c->name, err);
    bool replaces = c->verb == COMMAND_SET_REPLACE && there;
    if (replaces && command_flag(c, "recreate_schema") && h->ops->rewrite != NULL)
        return h->ops->rewrite(h, def.name, c->body, err);
    RF_TRY(run_source(h, c, k, err));
    if (k->rows == NULL)
        return RF_FAIL(err, RF_INVALID, "BadRequest", "the command's query has no result");
    bool extends = there && command_flag(c, "extend_schema") && !fits_by_name(&def, &k->schema);
    if (!there || extends) RF_TRY(put_columns(h, c, &k->schema, &def, there, err));
    RF_TRY(fit(&def, &k->schema, err));
    RF_TRY(h->ops->append(h, def.name, &k->schema, k->rows, replaces, err));
    return add_extent(h, rows_count(k->rows), out, err);
}

static enum rf_kind fill_from_query(struct command_host *h, const struct command *c,
                                    struct command_rows *out, struct rf_err *err)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    struct keeper k = {.sink = {.begin = keep_begin, .push = keep_push, .end = keep_end},
                       .arena = &arena};
    if (h->ops->append == NULL) return command_not_here(c, err);
    rf_arena_init(&arena, APPEND_BYTES_MAX);
    *out = (struct command_rows){0};
    RF_TRY(fill(h, c, &k, out, err));
    if (out->rows == NULL) RF_TRY(add_extent(h, 0, out, err)); /* made anew */
    return RF_OK;
}

enum rf_kind command_fill(struct command_host *h, const struct command *c, struct command_rows *out,
                          struct rf_err *err)
{
    if (c->verb == COMMAND_INGEST_INLINE) return ingest_inline(h, c, out, err);
    return fill_from_query(h, c, out, err);
}
