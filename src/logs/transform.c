/* transform.c - transformations of data collection rules: KQL that sees one record at a time. */
#include "kql/kql.h"
#include "kql/lex.h"
#include "logs/rules_int.h"
#include "value/text.h"

enum { LINT_BYTES_MAX = 64 << 20, RUN_BYTES_MAX = 512 << 20 };

/* ---- what a transform may say -------------------------------------------------------------------------------------------- */

static const char *const allowed_operators[] = {
    "where",        "filter",         "extend",          "project", "project-away",
    "project-keep", "project-rename", "project-reorder", "parse",   "parse-where",
    "parse-kv",     "print",          "project-by-names"};
/* Functions that see more than the record. */
static const char *const refused_calls[] = {
    "toscalar", "materialize", "externaldata",      "external_table", "inline_external_table",
    "table",    "database",    "cluster",           "workspace",      "app",
    "resource", "row_number",  "row_cumsum",        "row_rank_dense", "row_rank_min",
    "prev",     "next",        "row_window_session"};

static bool is_listed(rf_str name, const char *const *list, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (rf_str_is(name, list[i])) return true;
    return false;
}

static enum rf_kind refuse(const struct parser *p, const struct token *token, rf_str what,
                           struct rf_err *err)
{
    return parse_fail_at(p->text, token->pos, err, RF_INVALID, "InvalidTransformQuery",
                         "'%.*s' is not allowed in a transformation, which sees one record at a "
                         "time",
                         RF_FMT(what));
}

/* The operator whose name begins at token `at`: some are several tokens without blanks. */
static const struct operator* operator_at_token(const struct parser *p, uint32_t at, uint32_t *end)
{
    const struct operator* found = NULL;
    for (uint32_t n = at; n < p->token_count && p->tokens[n].kind == TOKEN_NAME; n += 2) {
        rf_str name = rf_slice(p->text, p->tokens[at].pos, p->tokens[n].end);
        const struct operator* op = operator_find(name);
        if (op != NULL) {
            found = op;
            *end = n + 1;
        }
        bool goes_on = n + 2 < p->token_count && p->tokens[n + 1].pos == p->tokens[n].end &&
                       rf_str_is(p->tokens[n + 1].text, "-") &&
                       p->tokens[n + 2].pos == p->tokens[n + 1].end;
        if (!goes_on) break;
    }
    return found;
}

static bool is_punct(const struct token *t, const char *text)
{
    return t->kind == TOKEN_PUNCT && rf_str_is(t->text, text);
}

/* A pipe may begin here. */
static bool may_begin(const struct parser *p, uint32_t at)
{
    static const char *const before[] = {";", "(", "=", "{", ",", "["};
    if (at == 0) return true;
    const struct token *t = &p->tokens[at - 1];
    return t->kind == TOKEN_PUNCT && is_listed(t->text, before, RF_COUNT(before));
}

static enum rf_kind check_token(const struct parser *p, uint32_t at, struct rf_err *err)
{
    const struct token *t = &p->tokens[at];
    uint32_t end = at + 1;
    if (t->kind != TOKEN_NAME) return RF_OK;
    const struct operator* op = operator_at_token(p, at, &end);
    rf_str name = op == NULL ? t->text : rf_str_of(op->name);
    bool is_allowed = is_listed(name, allowed_operators, RF_COUNT(allowed_operators));
    const struct token *after = &p->tokens[RF_MIN(end, p->token_count - 1)];
    if (op != NULL && !is_allowed && at > 0 && is_punct(&p->tokens[at - 1], "|"))
        return refuse(p, t, name, err);
    bool continues = after->kind == TOKEN_NAME || after->kind == TOKEN_STRING ||
                     (is_punct(after, "(") && !rf_str_is(name, "range"));
    if (op != NULL && !is_allowed && op->source && may_begin(p, at) && continues)
        return refuse(p, t, name, err);
    if (is_punct(after, "(") && is_listed(t->text, refused_calls, RF_COUNT(refused_calls)))
        return refuse(p, t, t->text, err);
    return RF_OK;
}

enum rf_kind transform_check(rf_str kql, struct rf_err *err)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, LINT_BYTES_MAX);
    struct parser p = {.text = kql, .arena = &arena, .err = err};
    if (kql.len > TRANSFORM_BYTES_MAX)
        return RF_FAIL(err, RF_INVALID, "InvalidTransformQuery",
                       "a transformation has at most %d characters", TRANSFORM_BYTES_MAX);
    enum rf_kind kind = lex_query(&p);
    for (uint32_t i = 0; kind == RF_OK && i < p.token_count; i++) kind = check_token(&p, i, err);
    if (kind != RF_OK && kind != RF_LIMIT && err != NULL) err->code = "InvalidTransformQuery";
    return kind;
}

/* ---- records as a table ---------------------------------------------------------------------------------------------------- */

struct record_source {
    struct source source;
    const struct kept_rows *rows;
};

static enum rf_kind push_batch(const struct batch *in, const struct scan *scan, struct exec *exec,
                               struct rf_arena *arena, struct flow *out, struct rf_err *err)
{
    struct batch batch = {.row_count = in->row_count,
                          .column_count = scan->column_count,
                          .columns = rf_arena_raw(arena, struct vec, scan->column_count),
                          .arena = arena};
    if (batch.columns == NULL) return rf_fail_memory(err, arena);
    for (uint32_t i = 0; i < scan->column_count; i++)
        batch.columns[i] = in->columns[scan->columns[i]];
    return flow_push(exec, out, 0, &batch, err);
}

static enum rf_kind scan_records(struct source *source, const struct scan *scan, struct exec *exec,
                                 struct flow *out, struct rf_err *err)
{
    const struct kept_rows *rows = ((struct record_source *)source)->rows;
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init_shared(&arena, exec->budget);
    for (uint32_t i = 0; rows != NULL && i < rows->count && !flow_done(out); i++) {
        rf_arena_reset(&arena);
        RF_TRY(push_batch(&rows->batches[i], scan, exec, &arena, out, err));
    }
    return RF_OK;
}

static const struct source_ops record_ops = {.scan = scan_records};

struct record_catalog {
    struct catalog catalog;
    struct source *list[1];
    struct record_source source;
};

static enum rf_kind make_catalog(const struct rule_stream *stream, const struct kept_rows *rows,
                                 struct rf_arena *arena, struct record_catalog *out,
                                 struct rf_err *err)
{
    struct ast_column *columns = rf_arena_new(arena, struct ast_column, stream->column_count);
    if (columns == NULL) return rf_fail_memory(err, arena);
    for (uint32_t i = 0; i < stream->column_count; i++)
        columns[i] =
            (struct ast_column){.name = stream->columns[i].name, .type = stream->columns[i].type};
    *out = (struct record_catalog){.source = {.source = {.ops = &record_ops,
                                                         .name = RF_S("source"),
                                                         .columns = columns,
                                                         .column_count = stream->column_count},
                                              .rows = rows}};
    out->list[0] = &out->source.source;
    out->catalog = (struct catalog){.sources = out->list, .source_count = 1};
    return RF_OK;
}

enum rf_kind transform_schema(rf_str kql, const struct rule_stream *stream, struct rf_arena *arena,
                              struct schema *out, struct rf_err *err)
{
    struct record_catalog catalog;
    struct kql_shape shape;
    RF_TRY(transform_check(kql, err));
    RF_TRY(make_catalog(stream, NULL, arena, &catalog, err));
    struct kql_request request = {
        .text = kql, .catalog = &catalog.catalog, .memory_bytes = LINT_BYTES_MAX};
    struct rf_err inner = {0};
    enum rf_kind kind = kql_lint(&request, arena, &shape, &inner);
    *out = shape.schema;
    if (kind == RF_OK && !shape.open) return RF_OK;
    if (kind == RF_OK)
        return RF_FAIL(err, RF_INVALID, "InvalidTransformQuery",
                       "the columns of the result depend on data");
    enum rf_kind failed = rf_fail(err, RF_INVALID, "InvalidTransformQuery", "%s", inner.text);
    if (err != NULL) {
        err->line = inner.line;
        err->column = inner.column;
    }
    return failed;
}

/* ---- running ------------------------------------------------------------------------------------------------------------------ */

struct collector {
    struct kql_sink sink;
    struct rf_arena *arena;
    struct schema schema;
    struct rows *rows;
    uint32_t results;
};

static enum rf_kind collect_begin(struct kql_sink *sink, rf_str name, const struct schema *schema,
                                  const struct render *render, struct rf_err *err)
{
    (void)name, (void)render;
    struct collector *c = (struct collector *)sink;
    if (c->results++ > 0) return RF_OK; /* only the first counts */
    struct column *columns = rf_arena_new(c->arena, struct column, schema->count);
    uint8_t *types = rf_arena_raw(c->arena, uint8_t, schema->count);
    if (columns == NULL || types == NULL) return rf_fail_memory(err, c->arena);
    for (uint32_t i = 0; i < schema->count; i++) {
        columns[i] = schema->columns[i];
        types[i] = schema->columns[i].type;
        if (!rf_arena_str(c->arena, columns[i].name, &columns[i].name))
            return rf_fail_memory(err, c->arena);
    }
    c->schema = (struct schema){.columns = columns, .count = schema->count};
    c->rows = rows_new(c->arena, types, schema->count);
    return c->rows == NULL ? rf_fail_memory(err, c->arena) : RF_OK;
}

static enum rf_kind collect_push(struct kql_sink *sink, const struct batch *batch,
                                 struct rf_err *err)
{
    struct collector *c = (struct collector *)sink;
    if (c->results > 1) return RF_OK;
    return rows_append(c->rows, batch) ? RF_OK : rf_fail_memory(err, c->arena);
}

static enum rf_kind collect_end(struct kql_sink *sink, struct rf_err *err)
{
    (void)sink, (void)err;
    return RF_OK;
}

enum rf_kind transform_run(rf_str kql, const struct rule_stream *stream,
                           const struct kept_rows *rows, int64_t now_ticks, struct rf_arena *arena,
                           struct transformed *out, struct rf_err *err)
{
    struct record_catalog catalog;
    RF_TRY(make_catalog(stream, rows, arena, &catalog, err));
    struct collector c = {
        .sink = {.begin = collect_begin, .push = collect_push, .end = collect_end}, .arena = arena};
    struct kql_request request = {.text = kql,
                                  .catalog = &catalog.catalog,
                                  .memory_bytes = RUN_BYTES_MAX,
                                  .now_ticks = now_ticks};
    RF_TRY(kql_run(&request, &c.sink, NULL, err));
    *out = (struct transformed){.schema = c.schema};
    uint64_t count = c.rows == NULL ? 0 : rows_count(c.rows);
    size_t batches = (size_t)((count + BATCH_ROWS - 1) / BATCH_ROWS);
    out->batches = rf_arena_new(arena, struct batch, batches);
    if (out->batches == NULL) return rf_fail_memory(err, arena);
    for (uint64_t from = 0; from < count; from += BATCH_ROWS)
        if (!rows_batch(c.rows, from, arena, &out->batches[out->batch_count++]))
            return rf_fail_memory(err, arena);
    return RF_OK;
}

/* ---- types -------------------------------------------------------------------------------------------------------------------- */

bool transform_fits(enum type from, enum type to)
{
    if (from == to) return true;
    if (to == TYPE_LONG) return from == TYPE_INT;
    if (to == TYPE_REAL) return from == TYPE_INT || from == TYPE_LONG;
    if (to == TYPE_GUID) return from == TYPE_STRING;
    return to == TYPE_DYNAMIC && from == TYPE_STRING;
}

static uint32_t entry_count(const struct vec *v, uint32_t count)
{
    return v->shape == VEC_FLAT ? count : v->shape == VEC_CONST ? 1 : v->dict_count;
}

static bool to_real(const struct vec *v, uint32_t entries, struct rf_arena *arena, struct vec *out)
{
    double *cells = rf_arena_raw(arena, double, entries);
    if (cells == NULL) return false;
    for (uint32_t i = 0; i < entries; i++) cells[i] = (double)((const int64_t *)v->data)[i];
    out->data = cells;
    return true;
}

/* Of each entry once, whatever the shape. */
static bool from_text(const struct vec *v, enum type to, uint32_t entries, struct rf_arena *arena,
                      struct vec *out)
{
    size_t cell_bytes = type_cell_bytes[to];
    uint8_t *cells = rf_arena_zalloc(arena, entries * cell_bytes);
    uint8_t *nulls = rf_arena_zalloc(arena, entries);
    if (cells == NULL || nulls == NULL) return false;
    for (uint32_t i = 0; i < entries; i++) {
        struct value value = value_str(((const rf_str *)v->data)[i]), made;
        if (!value_convert(&value, to, arena, &made)) return false;
        nulls[i] = made.null;
        if (made.null) continue;
        if (to == TYPE_GUID)
            ((struct guid *)(void *)cells)[i] = made.g;
        else
            ((rf_str *)(void *)cells)[i] = made.s;
    }
    out->data = cells;
    out->nulls = nulls;
    return true;
}

bool transform_cast(const struct vec *v, enum type to, uint32_t count, struct rf_arena *arena,
                    struct vec *out)
{
    *out = *v;
    out->type = (uint8_t)to;
    if (v->type == to || to == TYPE_LONG) return true; /* int and long have the same cells */
    uint32_t entries = entry_count(v, count);
    if (to == TYPE_REAL) return to_real(v, entries, arena, out);
    return from_text(v, to, entries, arena, out);
}
