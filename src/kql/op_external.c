/* op_external.c - externaldata and inline_external_table: rows from outside. Ringfort reaches outside only where the
 * operator allows it, which this build cannot be told yet: the table is empty and the request carries a warning. */
#include "kql/bind_int.h"
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
    rf_str name, uri;
};

/* What follows '?' or ';' in a connection is a key. */
static rf_str without_key(rf_str uri)
{
    size_t at = 0;
    while (at < uri.len && uri.ptr[at] != '?' && uri.ptr[at] != ';') at++;
    return rf_slice(uri, 0, at);
}

static enum rf_kind external_run(struct node *node, struct exec *exec, struct flow *out,
                                 struct rf_err *err)
{
    const struct external_node *n = (const struct external_node *)node;
    (void)out;
    (void)err;
    exec_warn(exec, "ExternalDataOff", "%.*s is off, so '%.*s' gives no rows", RF_FMT(n->name),
              RF_FMT(without_key(n->uri)));
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
    }
    for (uint32_t i = 0; i < ast->kid_count; i++) {
        struct value v;
        RF_TRY(bind_constant(b, ast->kids[i], TYPE_STRING, &v));
        if (i == 0) n->uri = v.s;
    }
    n->node.schema = sb.schema;
    *out = &n->node;
    return RF_OK;
}
