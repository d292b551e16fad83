/* op_union.c - union: the rows of several tables. Each input is projected to the common columns, so rows
 * only pass through. */
#include "kql/bind_int.h"
#include "kql/op.h"

struct union_node {
    struct node node;
    struct node **parts; /* project nodes whose columns stand as in node.schema */
    uint32_t part_count;
};


static enum rf_kind union_run(struct node *node, struct exec *exec, struct flow *out, struct rf_err *err)
{
    struct union_node *u = (struct union_node *)node;
    for (uint32_t i = 0; i < u->part_count && !flow_done(out); i++) RF_TRY(node_run(u->parts[i], exec, out, err));
    return RF_OK;
}

static void union_prune(struct node *node, struct id_set *need)
{
    struct union_node *u = (struct union_node *)node;
    struct schema *schema = &node->schema;
    for (uint32_t p = 0; p < u->part_count; p++)
        for (uint32_t c = 0; c < schema->count; c++)
            if (id_set_has(need, schema->columns[c].id)) id_set_add(need, u->parts[p]->schema.columns[c].id);
    uint32_t kept = 0;
    for (uint32_t c = 0; c < schema->count; c++)
        if (id_set_has(need, schema->columns[c].id)) schema->columns[kept++] = schema->columns[c];
    schema->count = kept;
    for (uint32_t p = 0; p < u->part_count; p++) node_prune(u->parts[p], need);
}

static void union_explain(const struct node *node, struct rf_buf *buf)
{
    const struct union_node *u = (const struct union_node *)node;
    rf_buf_printf(buf, "of %u tables", u->part_count);
    for (uint32_t p = 0; p < u->part_count; p++) {
        rf_buf_byte(buf, '\n');
        node_explain(u->parts[p], 6, buf);
    }
}

static const struct node_ops union_ops = {.name = "union", .run = union_run, .prune = union_prune, .explain = union_explain};

struct member {
    struct node *node;
    rf_str name;
};
struct members {
    struct member *items;
    uint32_t count, cap;
};

static bool add_member(struct binder *b, struct members *m, struct node *node, rf_str name)
{
    if (m->count == m->cap) {
        uint32_t cap = m->cap == 0 ? 8 : m->cap * 2;
        struct member *grown = rf_arena_grow(b->arena, m->items, m->cap * sizeof *grown, cap * sizeof *grown);
        if (grown == NULL) return false;
        m->items = grown;
        m->cap = cap;
    }
    m->items[m->count++] = (struct member){.node = node, .name = name};
    return true;
}

static bool has_type(const struct members *m, rf_str name, enum type type)
{
    for (uint32_t i = 0; i < m->count; i++) {
        int at = schema_find(&m->items[i].node->schema, name);
        if (at >= 0 && m->items[i].node->schema.columns[at].type == type) return true;
    }
    return false;
}

/* True when the column occurs with more than one type. */
static bool has_other_type(const struct members *m, rf_str name, enum type type)
{
    for (int t = 0; t < TYPE_COUNT; t++)
        if (t != (int)type && has_type(m, name, (enum type)t)) return true;
    return false;
}

static bool in_all(const struct members *m, rf_str name, enum type type)
{
    for (uint32_t i = 0; i < m->count; i++) {
        int at = schema_find(&m->items[i].node->schema, name);
        if (at < 0 || m->items[i].node->schema.columns[at].type != type) return false;
    }
    return true;
}

struct union_column {
    rf_str source; /* name in the members */
    enum type type;
};

/* The common columns: in order of first appearance; a name of several types gets the type appended. */
static enum rf_kind merge_schemas(struct binder *b, const struct members *m, bool inner, struct schema_builder *sb, struct union_column **out)
{
    uint32_t cap = 1, n = 0;
    for (uint32_t i = 0; i < m->count; i++) cap += m->items[i].node->schema.count;
    struct union_column *columns = rf_arena_new(b->arena, struct union_column, cap);
    if (columns == NULL) return BIND_NOMEM(b);
    n = sb->schema.count; /* withsource's column stands first */
    for (uint32_t i = 0; i < m->count; i++) {
        const struct schema *schema = &m->items[i].node->schema;
        for (uint32_t c = 0; c < schema->count; c++) {
            rf_str name = schema->columns[c].name;
            enum type type = (enum type)schema->columns[c].type;
            bool known = false;
            for (uint32_t k = 0; k < n && !known; k++) known = rf_str_eq(columns[k].source, name) && columns[k].type == type;
            if (known || (inner && !in_all(m, name, type))) continue;
            columns[n++] = (struct union_column){.source = name, .type = type};
            rf_str shown = has_other_type(m, name, type) ? rf_arena_printf(b->arena, "%.*s_%s", RF_FMT(name), type_name(type)) : name;
            if (!schema_add(sb, shown, type, bind_new_id(b))) return BIND_NOMEM(b);
        }
    }
    *out = columns;
    return RF_OK;
}

static enum rf_kind make_part(struct binder *b, const struct member *m, const struct schema *schema, const struct union_column *columns, bool with_source, struct node **out)
{
    struct schema_builder sb = {.b = b};
    struct expr **exprs = rf_arena_new(b->arena, struct expr *, schema->count);
    if (exprs == NULL) return BIND_NOMEM(b);
    for (uint32_t c = 0; c < schema->count; c++) {
        struct value v = value_null((enum type)schema->columns[c].type);
        int at = -1;
        if (with_source && c == 0) v = value_str(m->name);
        else at = schema_find(&m->node->schema, columns[c].source);
        if (at >= 0 && m->node->schema.columns[at].type != schema->columns[c].type) at = -1;
        exprs[c] = at >= 0 ? expr_column(b, &m->node->schema.columns[at], 0) : expr_const(b, &v, 0);
        if (exprs[c] == NULL || !schema_add_exact(&sb, schema->columns[c].name, (enum type)schema->columns[c].type, bind_new_id(b))) return BIND_NOMEM(b);
    }
    return project_node_new(b, exprs, &sb.schema, m->node, out);
}

static enum rf_kind union_node_new(struct binder *b, const struct members *m, bool inner, rf_str with_source, struct node **out)
{
    struct union_node *u = node_new(b, sizeof *u, &union_ops, NULL);
    struct schema_builder sb = {.b = b};
    struct union_column *columns = NULL;
    if (u == NULL) return BIND_NOMEM(b);
    if (with_source.len > 0 && !schema_add(&sb, with_source, TYPE_STRING, bind_new_id(b))) return BIND_NOMEM(b);
    RF_TRY(merge_schemas(b, m, inner, &sb, &columns));
    u->parts = rf_arena_new(b->arena, struct node *, m->count);
    if (u->parts == NULL) return BIND_NOMEM(b);
    for (uint32_t i = 0; i < m->count; i++) RF_TRY(make_part(b, &m->items[i], &sb.schema, columns, with_source.len > 0, &u->parts[i]));
    u->part_count = m->count;
    u->node.schema = sb.schema;
    *out = &u->node;
    return RF_OK;
}

/* ---- text to node ------------------------------------------------------------------------------------ */

struct union_body {
    struct ast **tables;
    uint32_t count;
};

static const char *const union_params[] = {"kind", "withsource", "with_source", "isfuzzy", "hint.*", NULL};

static enum rf_kind union_parse(struct parser *p, struct ast *node)
{
    struct union_body *body = rf_arena_new(p->arena, struct union_body, 1);
    if (body == NULL) return PARSE_NOMEM(p);
    node->body = body;
    RF_TRY(parse_params(p, union_params, node));
    do {
        struct ast *table;
        bool pattern = parse_is(p, 0, "*") || (parse_peek(p)->kind == TOKEN_NAME && parse_is(p, 1, "*") && parse_peek_after(p, 1)->pos == parse_peek(p)->end);
        if (pattern) RF_TRY(parse_name_pattern(p, &table));
        else RF_TRY(parse_table(p, &table));
        if (!ast_list_add(p, &body->tables, &body->count, table)) return PARSE_NOMEM(p);
        RF_TRY(parse_params(p, union_params, node));
    } while (parse_accept(p, ","));
    return RF_OK;
}

/* What withsource calls a table. */
static rf_str member_name(struct binder *b, const struct ast *ast, uint32_t index)
{
    const struct ast *last = ast;
    if (ast->kind == AST_PIPE && ast->kid_count > 1) {
        const struct ast *op = ast->kids[ast->kid_count - 1];
        if (op->kind == AST_OPERATOR && rf_str_is(op->text, "as") && op->body != NULL) return *(const rf_str *)op->body;
    }
    if (last->kind == AST_NAME || last->kind == AST_MEMBER) return last->text;
    return rf_arena_printf(b->arena, "union_arg%u", index);
}

static enum rf_kind add_table(struct binder *b, struct members *m, const struct ast *ast, bool fuzzy, uint32_t index)
{
    struct node *node, **nodes;
    rf_str *names;
    uint32_t count;
    if (ast->kind == AST_WILDCARD || ast->kind == AST_STAR) {
        RF_TRY(bind_tables_like(b, ast->kind == AST_STAR ? RF_S("*") : ast->text, &nodes, &names, &count));
        for (uint32_t i = 0; i < count; i++)
            if (!add_member(b, m, nodes[i], names[i])) return BIND_NOMEM(b);
        if (count == 0 && !fuzzy) return bind_fail(b, ast->pos, "UnknownTable", "no table matches '%.*s'", RF_FMT(ast->text));
        return RF_OK;
    }
    struct rf_err local = {0}, *err = b->err;
    uint32_t depth = b->depth;
    if (fuzzy) b->err = &local;
    enum rf_kind kind = bind_table(b, ast, &node);
    b->err = err;
    if (fuzzy && kind == RF_INVALID && strcmp(local.code, "UnknownTable") == 0) {
        b->depth = depth;
        return RF_OK; /* a table that is not there is left out */
    }
    if (fuzzy && kind != RF_OK && err != NULL) *err = local;
    RF_TRY(kind);
    return add_member(b, m, node, member_name(b, ast, index)) ? RF_OK : BIND_NOMEM(b);
}

static enum rf_kind union_bind(struct binder *b, const struct ast *node, struct node *input, struct node **out)
{
    const struct union_body *body = node->body;
    struct members m = {0};
    bool fuzzy = rf_str_eq_nocase(ast_param_text(node, "isfuzzy"), RF_S("true")), inner = rf_str_eq_nocase(ast_param_text(node, "kind"), RF_S("inner"));
    rf_str with_source = ast_param_text(node, "withsource");
    if (with_source.len == 0) with_source = ast_param_text(node, "with_source");
    uint32_t index = 0;
    if (input != NULL && !add_member(b, &m, input, rf_arena_printf(b->arena, "union_arg%u", index++))) return BIND_NOMEM(b);
    for (uint32_t i = 0; i < body->count; i++) RF_TRY(add_table(b, &m, body->tables[i], fuzzy, index++));
    if (m.count == 0) return bind_fail(b, node->pos, "UnknownTable", "none of the union's tables exists");
    return union_node_new(b, &m, inner, with_source, out);
}

const struct operator op_union = {.name = "union", .doc = "The rows of several tables; columns that a table lacks are empty.", .syntax = "union [kind=inner|outer] [withsource=Column] [isfuzzy=true] T, Prefix*, (query), ...", .source = true, .parse = union_parse, .bind = union_bind};
