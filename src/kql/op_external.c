/* op_external.c - externaldata and inline_external_table: rows from outside. Only what the operator named is read (external.h);
 * of other places the table is empty and the request carries a warning. */
#include "kql/bind_int.h"
#include "kql/external.h"
#include "kql/op.h"
#include "kql/parse_int.h"

/* How the files of an inline_external_table are laid out: columns that come from their paths. */
struct layout {
    struct ast_column *columns;
    struct ast **exprs; /* beside them: what the column is made of, or NULL */
    uint32_t count;
    struct ast **path; /* pathformat: texts, partition columns, datetime_pattern(text, column) */
    uint32_t path_count;
    uint32_t pos;
};

/* ---- parsing --------------------------------------------------------------------------------- */

static enum rf_kind parse_uris(struct parser *p, const char *close, struct ast *node)
{
    struct ast *uri;
    while (!parse_is(p, 0, close)) {
        RF_TRY(parse_expr(p, &uri));
        if (!ast_list_add(p, &node->kids, &node->kid_count, uri)) return PARSE_NOMEM(p);
        if (!parse_accept(p, ",")) break;
    }
    return parse_expect(p, close);
}

/* with (name=value, ...): how the files are to be read. */
static enum rf_kind parse_properties(struct parser *p, struct ast *node)
{
    static const char *const any[] = {"*", NULL};
    if (!parse_accept(p, "with")) return RF_OK;
    RF_TRY(parse_expect(p, "("));
    RF_TRY(parse_params(p, any, node));
    return parse_expect(p, ")");
}

static enum rf_kind parse_schema(struct parser *p, struct ast *node)
{
    RF_TRY(parse_expect(p, "("));
    RF_TRY(parse_columns(p, &node->columns, &node->column_count));
    return parse_expect(p, ")");
}

enum rf_kind parse_externaldata(struct parser *p, struct ast **out)
{
    struct ast *node = ast_new(p, AST_EXTERNALDATA);
    if (node == NULL) return PARSE_NOMEM(p);
    node->text = RF_S("externaldata");
    p->at++;
    RF_TRY(parse_schema(p, node));
    RF_TRY(parse_expect(p, "["));
    RF_TRY(parse_uris(p, "]", node));
    RF_TRY(parse_properties(p, node));
    node->end = p->tokens[p->at - 1].end;
    *out = node;
    return RF_OK;
}

static enum rf_kind add_partition(struct parser *p, struct layout *l)
{
    struct ast_column column = {.pos = parse_peek(p)->pos};
    struct ast *made_of = NULL;
    enum type type;
    RF_TRY(parse_name(p, &column.name));
    RF_TRY(parse_expect(p, ":"));
    RF_TRY(parse_type(p, &type));
    column.type = (uint8_t)type;
    if (parse_accept(p, "=")) RF_TRY(parse_expr(p, &made_of));
    size_t old = l->count * sizeof column;
    l->columns = rf_arena_grow(p->arena, l->columns, old, old + sizeof column);
    if (l->columns == NULL || !ast_list_add(p, &l->exprs, &l->count, made_of))
        return PARSE_NOMEM(p);
    l->columns[l->count - 1] = column;
    return RF_OK;
}

/* partition by (Name:type [= expression], ...) pathformat = (element ...) */
static enum rf_kind parse_layout(struct parser *p, struct layout *l)
{
    l->pos = parse_peek(p)->pos;
    if (parse_accept(p, "partition")) {
        RF_TRY(parse_expect(p, "by"));
        RF_TRY(parse_expect(p, "("));
        do RF_TRY(add_partition(p, l));
        while (parse_accept(p, ","));
        RF_TRY(parse_expect(p, ")"));
    }
    if (!parse_accept(p, "pathformat")) return RF_OK;
    RF_TRY(parse_expect(p, "="));
    RF_TRY(parse_expect(p, "("));
    do {
        struct ast *element;
        RF_TRY(parse_postfix(p, &element));
        if (!ast_list_add(p, &l->path, &l->path_count, element)) return PARSE_NOMEM(p);
    } while (!parse_is(p, 0, ")"));
    return parse_expect(p, ")");
}

enum rf_kind parse_inline_external_table(struct parser *p, struct ast **out)
{
    static const char *const kind[] = {"kind", NULL}, *const format[] = {"dataformat", NULL};
    struct ast *node = ast_new(p, AST_EXTERNALDATA);
    struct layout *layout = rf_arena_new(p->arena, struct layout, 1);
    if (node == NULL || layout == NULL) return PARSE_NOMEM(p);
    node->text = RF_S("inline_external_table");
    node->body = layout;
    p->at++;
    if (parse_is(p, 0, "(")) RF_TRY(parse_schema(p, node));
    RF_TRY(parse_params(p, kind, node));
    RF_TRY(parse_layout(p, layout));
    RF_TRY(parse_params(p, format, node));
    RF_TRY(parse_expect(p, "("));
    RF_TRY(parse_uris(p, ")", node));
    RF_TRY(parse_properties(p, node));
    node->end = p->tokens[p->at - 1].end;
    *out = node;
    return RF_OK;
}

/* ---- the node -------------------------------------------------------------------------------- */

struct external_node {
    struct node node;
    rf_str name, format;
    rf_str *uris;
    uint32_t uri_count;
    bool skips_first; /* ignoreFirstRecord */
    bool is_off;      /* columns that come from paths, Delta Lake: not read */
};

/* Names by which a row of text with more fields than the table has columns is read: the others are passed over. */
enum { SPARE_FIELDS = 1000 };

/* Behind the first row, whose fields may hold line ends between quotes. */
static rf_str without_first(rf_str text)
{
    bool quoted = false;
    size_t at = 0;
    for (; at < text.len && (quoted || text.ptr[at] != '\n'); at++) quoted ^= text.ptr[at] == '"';
    return rf_slice(text, RF_MIN(at + 1, text.len), text.len);
}

static enum rf_kind push_text(const struct reader_options *options, rf_str text, struct exec *exec,
                              struct flow *out, struct rf_err *err)
{
    const struct reader_input input = {.memory = text};
    struct reader_stream *stream;
    struct batch batch;
    RF_TRY(reader_stream_open(&input, options, &stream, err));
    enum rf_kind kind = RF_OK;
    while (kind == RF_OK && !flow_done(out)) {
        if (exec_cancelled(exec))
            kind = RF_FAIL(err, RF_CANCELLED, "QueryCancelled", "the query was cancelled");
        else
            kind = reader_stream_next(stream, &batch, err);
        if (kind != RF_OK || batch.row_count == 0) break;
        kind = flow_push(exec, out, 0, &batch, err);
    }
    reader_stream_free(stream);
    return kind;
}

/* Each line (txt), or the whole text (raw), is the first column. */
static enum rf_kind push_lines(const struct external_node *n, rf_str text, struct exec *exec,
                               struct flow *out, struct rf_err *err)
{
    bool raw = rf_str_eq_nocase(n->format, RF_S("raw")), first = n->skips_first && !raw;
    while (text.len > 0 && !flow_done(out)) {
        RF_CLEANUP(rf_arena_done) struct rf_arena arena;
        rf_arena_init_shared(&arena, exec->budget);
        uint32_t width = n->node.schema.count, rows = 0;
        struct vec *columns = rf_arena_new(&arena, struct vec, width);
        if (columns == NULL || !vec_flat(&arena, TYPE_STRING, BATCH_ROWS, &columns[0]))
            return rf_fail_memory(err, &arena);
        for (uint32_t c = 1; c < width; c++) {
            struct value none = value_null((enum type)n->node.schema.columns[c].type);
            if (!vec_const(&arena, &none, &columns[c])) return rf_fail_memory(err, &arena);
        }
        while (text.len > 0 && rows < exec->batch_rows) {
            size_t end = raw ? text.len : rf_str_find(text, RF_S("\n"), 0);
            rf_str line = rf_slice(text, 0, RF_MIN(end, text.len));
            text = rf_slice(text, RF_MIN(line.len + 1, text.len), text.len);
            if (line.len > 0 && line.ptr[line.len - 1] == '\r') line.len--;
            if (!first) OUT_STR(&columns[0])[rows++] = line;
            first = false;
        }
        struct batch batch = {
            .row_count = rows, .column_count = width, .columns = columns, .arena = &arena};
        RF_TRY(flow_push(exec, out, 0, &batch, err));
    }
    return RF_OK;
}

static enum rf_kind push_place(const struct external_node *n, rf_str uri, struct rf_arena *arena,
                               struct exec *exec, struct flow *out, struct rf_err *err)
{
    const struct schema *schema = &n->node.schema;
    struct reader_options options = {.budget = exec->budget,
                                     .column_count = schema->count,
                                     .dynamic_from_text = true,
                                     .batch_rows = exec->batch_rows};
    struct reader_column *columns = rf_arena_new(arena, struct reader_column, schema->count);
    rf_str *header = rf_arena_new(arena, rf_str, (size_t)schema->count + SPARE_FIELDS), text;
    if (columns == NULL || header == NULL) return rf_fail_memory(err, arena);
    RF_TRY(exec->catalog->external->read(exec->catalog->external, external_place(uri), arena, &text,
                                         err));
    atomic_fetch_add_explicit(&exec->bytes_scanned, text.len, memory_order_relaxed);
    if (rf_str_eq_nocase(n->format, RF_S("txt")) || rf_str_eq_nocase(n->format, RF_S("raw")))
        return push_lines(n, text, exec, out, err);
    RF_TRY(external_format(n->format, uri, text, &options, err));
    for (uint32_t c = 0; c < schema->count; c++) {
        columns[c] = (struct reader_column){.name = schema->columns[c].name,
                                            .type = schema->columns[c].type};
        header[c] = schema->columns[c].name;
    }
    for (uint32_t c = 0; c < SPARE_FIELDS; c++) {
        header[schema->count + c] = rf_arena_printf(arena, "\x01%u", c);
        if (header[schema->count + c].ptr == NULL) return rf_fail_memory(err, arena);
    }
    options.columns = columns;
    if (options.format == READER_CSV) {
        options.header = header;
        options.header_count = schema->count + SPARE_FIELDS;
        if (n->skips_first) text = without_first(text);
    }
    return push_text(&options, text, exec, out, err);
}

static enum rf_kind external_run(struct node *node, struct exec *exec, struct flow *out,
                                 struct rf_err *err)
{
    const struct external_node *n = (const struct external_node *)node;
    const struct external *external = exec->catalog == NULL ? NULL : exec->catalog->external;
    for (uint32_t i = 0; i < n->uri_count; i++) {
        rf_str uri = n->uris[i];
        if (n->is_off || external == NULL || !external->allows(external, external_place(uri))) {
            exec_warn(exec, "ExternalDataOff", "'%.*s' is no place that %.*s may read: no rows",
                      RF_FMT(external_shown(uri)), RF_FMT(n->name));
            continue;
        }
        RF_CLEANUP(rf_arena_done) struct rf_arena arena;
        rf_arena_init_shared(&arena, exec->budget);
        RF_TRY(push_place(n, uri, &arena, exec, out, err));
    }
    return RF_OK;
}

static const struct node_ops external_ops = {.name = "externaldata", .run = external_run};

/* ---- text to node ---------------------------------------------------------------------------- */

static enum rf_kind check_kind(struct binder *b, const struct ast *ast)
{
    const struct layout *l = ast->body;
    rf_str kind = ast_param_text(ast, "kind");
    bool delta = rf_str_is(kind, "delta"), has_format = ast_param(ast, "dataformat") != NULL;
    if (!delta && !rf_str_is(kind, "storage"))
        return bind_fail(b, ast->pos, "BadParameter", "kind is storage or delta");
    if (!delta && (ast->column_count == 0 || !has_format))
        return bind_fail(b, ast->pos, "BadParameter",
                         "kind=storage needs columns and a dataformat");
    if (delta && (has_format || l->count > 0 || l->path_count > 0))
        return bind_fail(b, ast->pos, "BadParameter",
                         "kind=delta knows partitions, paths and format itself");
    if (ast->kid_count == 0 || (delta && ast->kid_count > 1))
        return bind_fail(b, ast->pos, "BadParameter",
                         delta ? "kind=delta takes one connection" : "a connection is needed");
    return RF_OK;
}

static bool is_partition(const struct layout *l, const struct ast *ast)
{
    for (uint32_t i = 0; i < l->count && ast->kind == AST_NAME; i++)
        if (rf_str_eq(l->columns[i].name, ast->text)) return true;
    return false;
}

static bool is_text(const struct ast *ast)
{
    return ast->kind == AST_LITERAL && ast->value.type == TYPE_STRING;
}

/* The partitions become columns behind the table's own, over which their expressions are bound. */
static enum rf_kind bind_layout(struct binder *b, const struct layout *l, struct schema_builder *sb)
{
    struct schema own = sb->schema;
    for (uint32_t i = 0; i < l->count; i++) {
        const struct ast_column *c = &l->columns[i];
        struct expr *made_of;
        if (c->type != TYPE_STRING && c->type != TYPE_DATETIME && c->type != TYPE_LONG)
            return bind_fail(b, c->pos, "BadParameter",
                             "a partition is a string, datetime or long");
        if (l->exprs[i] != NULL) {
            RF_TRY(bind_scalar(b, l->exprs[i], &own, &made_of));
            RF_TRY(bind_cast(b, made_of, (enum type)c->type, &made_of));
        }
        if (!schema_add(sb, c->name, (enum type)c->type, bind_new_id(b))) return BIND_NOMEM(b);
    }
    for (uint32_t i = 0; i < l->path_count; i++) {
        const struct ast *e = l->path[i];
        bool pattern = e->kind == AST_CALL && rf_str_is(e->text, "datetime_pattern") &&
                       e->kid_count == 2 && is_text(e->kids[0]) && is_partition(l, e->kids[1]);
        if (!is_text(e) && !is_partition(l, e) && !pattern)
            return bind_fail(b, e->pos, "BadParameter",
                             "a path is made of texts, partitions and datetime_pattern(text, "
                             "partition)");
    }
    return RF_OK;
}

/* true, "true" and True alike: published queries have them all. */
static bool is_true(const struct ast_param *param)
{
    if (param == NULL) return false;
    const struct ast *value = param->value;
    if (value->kind == AST_NAME) return rf_str_eq_nocase(value->text, RF_S("true"));
    if (value->kind != AST_LITERAL || value->value.null) return false;
    if (value->value.type == TYPE_BOOL) return value->value.b != 0;
    return is_text(value) && rf_str_eq_nocase(value->value.s, RF_S("true"));
}

enum rf_kind bind_externaldata(struct binder *b, const struct ast *ast, struct node **out)
{
    struct external_node *n = node_new(b, sizeof *n, &external_ops, NULL);
    struct schema_builder sb = {.b = b};
    if (n == NULL) return BIND_NOMEM(b);
    n->name = ast->text;
    for (uint32_t i = 0; i < ast->column_count; i++)
        if (!schema_add(&sb, ast->columns[i].name, (enum type)ast->columns[i].type, bind_new_id(b)))
            return BIND_NOMEM(b);
    if (ast->body != NULL) {
        RF_TRY(check_kind(b, ast));
        RF_TRY(bind_layout(b, ast->body, &sb));
        sb.schema.open = ast->column_count == 0; /* the files tell their columns */
        n->is_off = sb.schema.open || sb.schema.count > ast->column_count;
    }
    n->skips_first = is_true(ast_param(ast, "ignoreFirstRecord"));
    n->format = ast_param_text(ast, ast->body != NULL ? "dataformat" : "format");
    n->uris = rf_arena_new(b->arena, rf_str, ast->kid_count);
    if (n->uris == NULL) return BIND_NOMEM(b);
    for (uint32_t i = 0; i < ast->kid_count; i++) {
        struct value v;
        RF_TRY(bind_constant(b, ast->kids[i], TYPE_STRING, &v));
        n->uris[n->uri_count++] = v.s;
    }
    n->node.schema = sb.schema;
    *out = &n->node;
    return RF_OK;
}
