/* op_graph_expr.c - where and project of graph-match: each thing that an expression says about the
 * pattern becomes a column of the matches, so that the rest binds like any expression. Conditions on one
 * node or edge alone go into the search. */
#include "kql/bind_int.h"
#include "kql/op.h"
#include "kql/op_graph_match.h"
#include "value/dyn.h"

enum { GRAPH_EXPR_DEPTH_MAX = 400 };

struct rewrite {
    struct binder *b;
    struct match_node *m;
    struct schema_builder columns; /* of m */
    /* How names are read: over matches; of one variable ("a.p" and degrees) as a local; or the plain
     * names of all(), any(), map(). */
    enum { READ_MATCH, READ_VAR, READ_PLAIN } mode;
    bool on_nodes; /* READ_PLAIN: the names are those of inner nodes, not of edges */
    uint32_t depth;
};

/* ---- syntax ---------------------------------------------------------------------------------- */

static struct ast *copy_node(struct rewrite *r, const struct ast *ast)
{
    struct ast *copy = rf_arena_new(r->b->arena, struct ast, 1);
    if (copy == NULL) return NULL;
    *copy = *ast;
    copy->kids = rf_arena_new(r->b->arena, struct ast *, ast->kid_count);
    return copy->kids == NULL ? NULL : copy;
}

static enum rf_kind make_name(struct rewrite *r, rf_str name, uint32_t pos, struct ast **out)
{
    *out = rf_arena_new(r->b->arena, struct ast, 1);
    if (*out == NULL || name.ptr == NULL) return BIND_NOMEM(r->b);
    **out = (struct ast){.kind = AST_NAME, .text = name, .pos = pos, .end = pos};
    return RF_OK;
}

static const struct schema *properties(const struct match_node *m, uint32_t var)
{
    return m->pattern.vars[var].kind == PATTERN_NODE ? &m->graph->nodes : &m->graph->edges;
}

/* The variable that an expression names, or -1. */
static int named_var(const struct rewrite *r, const struct ast *ast)
{
    return ast->kind == AST_NAME ? pattern_find(&r->m->pattern, ast->text) : -1;
}

/* inner_nodes(e): the path's variable, or -1. */
static int inner_var(const struct rewrite *r, const struct ast *ast)
{
    if (ast->kind != AST_CALL || !rf_str_is(ast->text, "inner_nodes") || ast->kid_count != 1)
        return -1;
    return named_var(r, ast->kids[0]);
}

/* ---- columns of matches ---------------------------------------------------------------------- */

static enum type column_type(const struct match_node *m, const struct graph_column *c)
{
    switch (c->kind) {
    case SHOW_PROPERTY:
        if (m->pattern.vars[c->var].kind == PATTERN_PATH) return TYPE_DYNAMIC;
        return (enum type)properties(m, c->var)->columns[c->property].type;
    case SHOW_ALL:
    case SHOW_ANY:
        return TYPE_BOOL;
    default:
        return TYPE_DYNAMIC;
    }
}

/* The name by which expressions read this column, added when it is new. */
static enum rf_kind show(struct rewrite *r, struct graph_column column, uint32_t pos,
                         struct ast **out)
{
    struct match_node *m = r->m;
    uint32_t at = 0;
    while (at < m->column_count &&
           (m->columns[at].kind != column.kind || m->columns[at].var != column.var ||
            m->columns[at].property != column.property || m->columns[at].local != column.local))
        at++;
    if (at == m->column_count) {
        if (m->column_count == m->column_cap) {
            uint32_t cap = m->column_cap + 16;
            m->columns = rf_arena_grow(r->b->arena, m->columns, m->column_cap * sizeof *m->columns,
                                       cap * sizeof *m->columns);
            if (m->columns == NULL) return BIND_NOMEM(r->b);
            m->column_cap = cap;
        }
        m->columns[m->column_count++] = column;
        rf_str name = rf_arena_printf(r->b->arena, "$%u", at);
        if (name.ptr == NULL ||
            !schema_add_exact(&r->columns, name, column_type(m, &column), bind_new_id(r->b)))
            return BIND_NOMEM(r->b);
    }
    RF_ASSERT(at < r->columns.schema.count);
    return make_name(r, r->columns.schema.columns[at].name, pos, out);
}

static enum rf_kind show_property(struct rewrite *r, uint32_t var, rf_str name, uint32_t pos,
                                  struct ast **out)
{
    struct column *column;
    const struct schema *schema = properties(r->m, var);
    RF_TRY(bind_column(r->b, schema, name, pos, &column));
    uint32_t property = (uint32_t)(column - schema->columns);
    return show(r, (struct graph_column){SHOW_PROPERTY, var, property, NULL}, pos, out);
}

/* ---- locals ---------------------------------------------------------------------------------- */

static enum rf_kind rewrite(struct rewrite *r, const struct ast *ast, struct ast **out);

/* Binds over the properties, called as `prefix` says: "a.p", or "p". */
static enum rf_kind bind_local(struct rewrite *r, const struct ast *ast, bool on_nodes,
                               rf_str prefix, struct graph_local **out)
{
    struct graph_local *local = rf_arena_new(r->b->arena, struct graph_local, 1);
    const struct schema *plain = on_nodes ? &r->m->graph->nodes : &r->m->graph->edges;
    struct schema schema = *plain;
    struct ast *rewritten;
    int mode = r->mode;
    if (local == NULL) return BIND_NOMEM(r->b);
    schema.columns = rf_arena_new(r->b->arena, struct column, plain->count);
    if (schema.columns == NULL) return BIND_NOMEM(r->b);
    for (uint32_t c = 0; c < plain->count; c++) {
        schema.columns[c] = plain->columns[c];
        if (prefix.len == 0 || plain->columns[c].name.ptr[0] == '$') continue;
        schema.columns[c].name = rf_arena_printf(r->b->arena, "%.*s.%.*s", RF_FMT(prefix),
                                                 RF_FMT(plain->columns[c].name));
        if (schema.columns[c].name.ptr == NULL) return BIND_NOMEM(r->b);
    }
    r->mode = prefix.len > 0 ? READ_VAR : READ_PLAIN;
    r->on_nodes = on_nodes;
    enum rf_kind kind = rewrite(r, ast, &rewritten);
    r->mode = mode;
    RF_TRY(kind);
    RF_TRY(bind_scalar(r->b, rewritten, &schema, &local->expr));
    local->on_nodes = on_nodes;
    local->next = r->m->locals;
    r->m->locals = local;
    *out = local;
    return RF_OK;
}

/* all(e, condition), any(..), map(..) over a path's edges, or its inner nodes. */
static enum rf_kind rewrite_fold(struct rewrite *r, const struct ast *ast,
                                 enum graph_column_kind kind, struct ast **out)
{
    struct graph_local *local;
    int inner = inner_var(r, ast->kids[0]);
    int var = inner >= 0 ? inner : named_var(r, ast->kids[0]);
    if (var < 0 || r->m->pattern.vars[var].kind != PATTERN_PATH || r->mode != READ_MATCH)
        return bind_fail(
            r->b, ast->pos, "BadPattern",
            "%.*s takes a variable-length edge of the pattern, or inner_nodes() of one",
            RF_FMT(ast->text));
    RF_TRY(bind_local(r, ast->kids[1], inner >= 0, RF_S(""), &local));
    if (kind != SHOW_MAP) RF_TRY(bind_cast(r->b, local->expr, TYPE_BOOL, &local->expr));
    return show(r, (struct graph_column){kind, (uint32_t)var, 0, local}, ast->pos, out);
}

/* ---- calls ----------------------------------------------------------------------------------- */

/* Functions of a node, by what they read behind the properties in graph_node.nodes. Without an argument, in
 * all(), any() and map(), they mean the inner node that is looked at. */
static const struct {
    const char *name, *column;
} node_functions[] = {{"node_degree_in", "$in"}, {"node_degree_out", "$out"}, {"node_id", "$id"}};

/* The function's place in node_functions, or -1. */
static int node_function(const struct ast *ast)
{
    for (size_t i = 0; i < RF_COUNT(node_functions) && ast->kind == AST_CALL; i++)
        if (rf_str_is(ast->text, node_functions[i].name)) return (int)i;
    return -1;
}

static enum rf_kind read_node(struct rewrite *r, const struct ast *ast, int function,
                              struct ast **out)
{
    rf_str column = rf_str_of(node_functions[function].column);
    if (ast->kid_count == 0 && r->mode == READ_PLAIN && r->on_nodes)
        return make_name(r, column, ast->pos, out);
    int var = ast->kid_count == 1 ? named_var(r, ast->kids[0]) : -1;
    if (var < 0 || r->m->pattern.vars[var].kind != PATTERN_NODE)
        return bind_fail(r->b, ast->pos, "BadPattern", "%.*s takes a node of the pattern",
                         RF_FMT(ast->text));
    if (r->mode == READ_VAR) return make_name(r, column, ast->pos, out);
    uint32_t property = r->m->graph->node_columns + (uint32_t)function;
    return show(r, (struct graph_column){SHOW_PROPERTY, (uint32_t)var, property, NULL}, ast->pos,
                out);
}

/* An identifier is shown as text, whatever type the key has. */
static enum rf_kind rewrite_node_function(struct rewrite *r, const struct ast *ast, int function,
                                          struct ast **out)
{
    struct ast *read;
    RF_TRY(read_node(r, ast, function, &read));
    *out = read;
    if (!rf_str_is(ast->text, "node_id")) return RF_OK;
    struct ast *text = copy_node(r, ast);
    struct ast **kids = rf_arena_new(r->b->arena, struct ast *, 1);
    if (text == NULL || kids == NULL) return BIND_NOMEM(r->b);
    kids[0] = read;
    text->text = RF_S("tostring");
    text->kids = kids;
    text->kid_count = 1;
    *out = text;
    return RF_OK;
}

static enum rf_kind rewrite_labels(struct rewrite *r, const struct ast *ast, struct ast **out)
{
    bool inner = ast->kid_count == 0 && r->mode == READ_PLAIN;
    if (!inner && (ast->kid_count != 1 || named_var(r, ast->kids[0]) < 0))
        return bind_fail(r->b, ast->pos, "BadPattern",
                         "labels takes a node or an edge of the pattern");
    struct rf_buf buf = rf_buf_in(r->b->arena);
    struct dyn_builder labels;
    dyn_begin(&labels, &buf, DYN_ARRAY);
    dyn_end(&labels);
    if (buf.failed) return BIND_NOMEM(r->b);
    RF_TRY(make_name(r, RF_S(""), ast->pos, out));
    (*out)->kind = AST_LITERAL;
    (*out)->value = value_dyn(dyn_done(&buf));
    return RF_OK;
}

static enum rf_kind rewrite_call(struct rewrite *r, const struct ast *ast, bool *done,
                                 struct ast **out)
{
    static const struct {
        const char *name;
        enum graph_column_kind kind;
    } folds[] = {{"all", SHOW_ALL}, {"any", SHOW_ANY}, {"map", SHOW_MAP}};
    *done = true;
    for (size_t i = 0; i < RF_COUNT(folds); i++)
        if (ast->kid_count == 2 && rf_str_is(ast->text, folds[i].name))
            return rewrite_fold(r, ast, folds[i].kind, out);
    int function = node_function(ast);
    if (function >= 0) return rewrite_node_function(r, ast, function, out);
    if (rf_str_is(ast->text, "labels")) return rewrite_labels(r, ast, out);
    int inner = inner_var(r, ast);
    if (inner >= 0 && r->m->pattern.vars[inner].kind == PATTERN_PATH && r->mode == READ_MATCH)
        return show(r, (struct graph_column){SHOW_INNER, (uint32_t)inner, 0, NULL}, ast->pos, out);
    *done = false;
    return RF_OK;
}

static enum rf_kind rewrite_kids(struct rewrite *r, const struct ast *ast, struct ast **out)
{
    struct ast *copy = copy_node(r, ast);
    if (copy == NULL) return BIND_NOMEM(r->b);
    for (uint32_t i = 0; i < ast->kid_count; i++) {
        if (ast->kids[i] == NULL || ast->kids[i]->kind == AST_PIPE)
            copy->kids[i] = ast->kids[i];
        else
            RF_TRY(rewrite(r, ast->kids[i], &copy->kids[i]));
    }
    *out = copy;
    return RF_OK;
}

static enum rf_kind rewrite_one(struct rewrite *r, const struct ast *ast, struct ast **out)
{
    if (ast->kind == AST_MEMBER) {
        int var = named_var(r, ast->kids[0]);
        if (var >= 0 && r->mode == READ_VAR) {
            rf_str dotted = rf_arena_printf(r->b->arena, "%.*s.%.*s", RF_FMT(ast->kids[0]->text),
                                            RF_FMT(ast->text));
            return make_name(r, dotted, ast->pos, out);
        }
        if (var >= 0 && r->mode == READ_MATCH)
            return show_property(r, (uint32_t)var, ast->text, ast->pos, out);
    }
    int var = named_var(r, ast);
    if (var >= 0 && r->mode == READ_MATCH)
        return show(r, (struct graph_column){SHOW_BAG, (uint32_t)var, 0, NULL}, ast->pos, out);
    bool done = false;
    if (ast->kind == AST_CALL) RF_TRY(rewrite_call(r, ast, &done, out));
    return done ? RF_OK : rewrite_kids(r, ast, out);
}

/* A copy of the expression in which the pattern's names are columns. */
static enum rf_kind rewrite(struct rewrite *r, const struct ast *ast, struct ast **out)
{
    if (++r->depth > GRAPH_EXPR_DEPTH_MAX)
        return parse_fail_at(r->b->text, ast->pos, r->b->err, RF_LIMIT, "TooDeep",
                             "the expression nests deeper than %d levels", GRAPH_EXPR_DEPTH_MAX);
    enum rf_kind kind = rewrite_one(r, ast, out);
    r->depth--;
    return kind;
}

/* ---- conditions that the search can use ------------------------------------------------------ */

enum { MENTIONS_NONE = -1, MENTIONS_MANY = -2 };

/* The one node or edge whose properties or degrees an expression reads and nothing else of the
 * pattern. */
static int only_var(const struct rewrite *r, const struct ast *ast, int so_far, uint32_t depth)
{
    if (ast == NULL || so_far == MENTIONS_MANY) return so_far;
    if (depth > GRAPH_EXPR_DEPTH_MAX || ast->kind == AST_PIPE) return MENTIONS_MANY;
    if (named_var(r, ast) >= 0) return MENTIONS_MANY;
    bool of_node = node_function(ast) >= 0 && ast->kid_count == 1;
    if (ast->kind == AST_MEMBER || of_node) {
        int var = named_var(r, ast->kids[0]);
        if (var >= 0) {
            bool path = r->m->pattern.vars[var].kind == PATTERN_PATH;
            return path || (so_far >= 0 && so_far != var) ? MENTIONS_MANY : var;
        }
    }
    if (ast->kind == AST_CALL && !of_node) {
        static const char *const whole[] = {"all", "any", "map", "inner_nodes", "labels"};
        for (size_t i = 0; i < RF_COUNT(whole); i++)
            if (rf_str_is(ast->text, whole[i])) return MENTIONS_MANY;
    }
    for (uint32_t i = 0; i < ast->kid_count; i++)
        so_far = only_var(r, ast->kids[i], so_far, depth + 1);
    return so_far;
}

static enum rf_kind add_condition(struct rewrite *r, struct local_list *list,
                                  struct graph_local *local)
{
    RF_TRY(bind_cast(r->b, local->expr, TYPE_BOOL, &local->expr));
    list->items[list->count++] = local;
    return RF_OK;
}

/* Tries to give one condition to the search. */
static enum rf_kind push_down(struct rewrite *r, const struct ast *ast, bool *done)
{
    struct graph_local *local;
    *done = false;
    int var = only_var(r, ast, MENTIONS_NONE, 0);
    if (var >= 0) {
        struct pattern_var *v = &r->m->pattern.vars[var];
        if (v->each.count == RF_COUNT(v->each.items)) return RF_OK;
        RF_TRY(bind_local(r, ast, v->kind == PATTERN_NODE, v->name, &local));
        *done = true;
        return add_condition(r, &v->each, local);
    }
    if (ast->kind != AST_CALL || !rf_str_is(ast->text, "all") || ast->kid_count != 2) return RF_OK;
    int inner = inner_var(r, ast->kids[0]);
    var = inner >= 0 ? inner : named_var(r, ast->kids[0]);
    if (var < 0 || r->m->pattern.vars[var].kind != PATTERN_PATH) return RF_OK;
    struct pattern_var *v = &r->m->pattern.vars[var];
    struct local_list *list = inner >= 0 ? &v->inner : &v->each;
    if (list->count == RF_COUNT(list->items)) return RF_OK;
    RF_TRY(bind_local(r, ast->kids[1], inner >= 0, RF_S(""), &local));
    *done = true;
    return add_condition(r, list, local);
}

static enum rf_kind split_conditions(struct rewrite *r, const struct ast *ast, uint32_t depth,
                                     struct ast ***rest, uint32_t *count, uint32_t *cap)
{
    if (ast->kind == AST_BINARY && rf_str_is(ast->text, "and") && depth < GRAPH_EXPR_DEPTH_MAX) {
        RF_TRY(split_conditions(r, ast->kids[0], depth + 1, rest, count, cap));
        return split_conditions(r, ast->kids[1], depth + 1, rest, count, cap);
    }
    bool done;
    RF_TRY(push_down(r, ast, &done));
    if (done) return RF_OK;
    if (*count == *cap) {
        *rest =
            rf_arena_grow(r->b->arena, *rest, *cap * sizeof **rest, (*cap + 16) * sizeof **rest);
        if (*rest == NULL) return BIND_NOMEM(r->b);
        *cap += 16;
    }
    return rewrite(r, ast, &(*rest)[(*count)++]);
}

/* ---- output ---------------------------------------------------------------------------------- */

static enum rf_kind bind_projection(struct rewrite *r, const struct match_body *body,
                                    struct expr **exprs, struct ast **rewritten,
                                    const struct schema *schema, struct schema_builder *sb)
{
    uint32_t unnamed = 0;
    for (uint32_t i = 0; i < body->item_count; i++) {
        const struct ast *item = body->items[i];
        rf_str name = ast_default_name(r->b, item);
        if (item->kind == AST_CALL && rf_str_is(item->text, "node_id") && item->kid_count == 1)
            name = rf_arena_printf(r->b->arena, "node_id_%.*s", RF_FMT(item->kids[0]->text));
        if (name.len == 0) name = rf_arena_printf(r->b->arena, "Column%u", ++unnamed);
        RF_TRY(bind_scalar(r->b, rewritten[i], schema, &exprs[i]));
        if (name.ptr == NULL || !schema_add(sb, name, (enum type)exprs[i]->type, bind_new_id(r->b)))
            return BIND_NOMEM(r->b);
    }
    return RF_OK;
}

enum rf_kind match_bind_output(struct binder *b, const struct ast *node, struct match_node *m,
                               struct node **out)
{
    const struct match_body *body = node->body;
    struct rewrite r = {.b = b, .m = m, .columns = {.b = b}};
    struct ast **rest = NULL, **items = rf_arena_new(b->arena, struct ast *, body->item_count);
    struct expr **exprs = rf_arena_new(b->arena, struct expr *, body->item_count);
    uint32_t rest_count = 0, rest_cap = 0;
    struct schema_builder sb = {.b = b};
    if (items == NULL || exprs == NULL) return BIND_NOMEM(b);
    if (body->predicate != NULL)
        RF_TRY(split_conditions(&r, body->predicate, 0, &rest, &rest_count, &rest_cap));
    for (uint32_t i = 0; i < body->item_count; i++) {
        const struct ast *item = body->items[i];
        RF_TRY(rewrite(&r, item->kind == AST_NAMED ? item->kids[0] : item, &items[i]));
    }
    m->node.schema = r.columns.schema;
    struct schema schema = m->node.schema;
    struct node *last = &m->node;
    for (uint32_t i = 0; i < rest_count; i++) {
        struct expr *condition;
        RF_TRY(bind_scalar(b, rest[i], &schema, &condition));
        RF_TRY(where_node_new(b, condition, last, &last));
    }
    RF_TRY(bind_projection(&r, body, exprs, items, &schema, &sb));
    return project_node_new(b, exprs, &sb.schema, last, out);
}
