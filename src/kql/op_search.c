/* op_search.c - search: rows of any table in which a term or a condition holds. Each table is filtered
 * on its own, then they are united. */
#include "kql/op_search.h"

#include "kql/bind_int.h"
#include "kql/op.h"
#include "value/text.h"

enum { SEARCH_DEPTH_MAX = 300 };

/* ---- parsing --------------------------------------------------------------------------------- */

static bool at_pattern(const struct parser *p)
{
    if (parse_is(p, 0, "*")) return true;
    return parse_peek(p)->kind == TOKEN_NAME && parse_is(p, 1, "*") &&
           parse_peek_after(p, 1)->pos == parse_peek(p)->end;
}

enum rf_kind search_parse_tables(struct parser *p, struct ast ***tables, uint32_t *count)
{
    RF_TRY(parse_expect(p, "("));
    do {
        struct ast *table;
        if (at_pattern(p))
            RF_TRY(parse_name_pattern(p, &table));
        else
            RF_TRY(parse_table(p, &table));
        if (!ast_list_add(p, tables, count, table)) return PARSE_NOMEM(p);
    } while (parse_accept(p, ","));
    return parse_expect(p, ")");
}

enum rf_kind search_parse_predicate(struct parser *p, struct ast **out)
{
    bool outer = p->search;
    p->search = true;
    enum rf_kind kind = parse_expr(p, out);
    p->search = outer;
    return kind;
}

struct search_body {
    struct ast **tables;
    uint32_t table_count;
    struct ast *predicate;
};

static enum rf_kind search_parse(struct parser *p, struct ast *node)
{
    static const char *const known[] = {"kind", "hint.*", NULL};
    struct search_body *body = rf_arena_new(p->arena, struct search_body, 1);
    if (body == NULL) return PARSE_NOMEM(p);
    node->body = body;
    RF_TRY(parse_params(p, known, node));
    if (parse_accept(p, "in")) RF_TRY(search_parse_tables(p, &body->tables, &body->table_count));
    RF_TRY(parse_params(p, known, node));
    return search_parse_predicate(p, &body->predicate);
}

/* ---- terms ----------------------------------------------------------------------------------- */

struct search {
    struct binder *b;
    const struct schema *schema;
    uint32_t searched; /* terms are looked for in so many columns from the first one on */
    bool case_sensitive;
    uint32_t depth;
};

static enum rf_kind constant(struct search *s, struct value v, uint32_t pos, struct expr **out)
{
    *out = expr_const(s->b, &v, pos);
    return *out == NULL ? BIND_NOMEM(s->b) : RF_OK;
}

/* a*b as a regular expression; an end without a star must be a term's end. */
static rf_str pattern_regex(struct search *s, rf_str pattern)
{
    struct rf_buf buf = rf_buf_in(s->b->arena);
    rf_buf_str(&buf, s->case_sensitive ? RF_S("(?s)") : RF_S("(?is)"));
    if (pattern.ptr[0] != '*') rf_buf_str(&buf, RF_S("\\b"));
    for (size_t i = 0; i < pattern.len; i++) {
        uint8_t c = pattern.ptr[i];
        if (c == '*') {
            rf_buf_str(&buf, RF_S(".*"));
            continue;
        }
        if (strchr("\\.+?()|[]{}^$", c) != NULL && c != 0) rf_buf_byte(&buf, '\\');
        rf_buf_byte(&buf, c);
    }
    if (pattern.ptr[pattern.len - 1] != '*') rf_buf_str(&buf, RF_S("\\b"));
    return buf.failed ? (rf_str){NULL, 0} : rf_buf_view(&buf);
}

/* The operator that a term with stars stands for, and its right side. */
struct term {
    rf_str op, text;
};

static enum rf_kind read_term(struct search *s, rf_str pattern, struct term *out)
{
    bool cs = s->case_sensitive;
    bool head = pattern.len > 0 && pattern.ptr[0] == '*';
    bool tail = pattern.len > 1 && pattern.ptr[pattern.len - 1] == '*';
    rf_str text = rf_slice(pattern, head, pattern.len - tail);
    if (text.len > 0 && memchr(text.ptr, '*', text.len) != NULL) {
        *out = (struct term){RF_S("matches regex"), pattern_regex(s, pattern)};
        return out->text.ptr == NULL ? BIND_NOMEM(s->b) : RF_OK;
    }
    out->text = text;
    if (head && tail)
        out->op = cs ? RF_S("contains_cs") : RF_S("contains");
    else if (head)
        out->op = cs ? RF_S("hassuffix_cs") : RF_S("hassuffix");
    else if (tail)
        out->op = cs ? RF_S("hasprefix_cs") : RF_S("hasprefix");
    else
        out->op = cs ? RF_S("has_cs") : RF_S("has");
    return RF_OK;
}

static enum rf_kind bind_term_in(struct search *s, const struct term *term, struct expr *column,
                                 struct expr **out)
{
    struct expr *args[2];
    RF_TRY(bind_cast(s->b, column, TYPE_STRING, &args[0]));
    RF_TRY(constant(s, value_str(term->text), column->pos, &args[1]));
    return bind_call(s->b, column->pos, term->op, args, 2, out);
}

/* Any of columns from..to-1: halves keep the tree low for tables of many columns. */
static enum rf_kind bind_term_any(struct search *s, const struct term *term, uint32_t from,
                                  uint32_t to, uint32_t pos, struct expr **out)
{
    if (to - from == 1) {
        struct expr *column = expr_column(s->b, &s->schema->columns[from], pos);
        if (column == NULL) return BIND_NOMEM(s->b);
        return bind_term_in(s, term, column, out);
    }
    struct expr *halves[2];
    uint32_t middle = from + (to - from) / 2;
    RF_TRY(bind_term_any(s, term, from, middle, pos, &halves[0]));
    RF_TRY(bind_term_any(s, term, middle, to, pos, &halves[1]));
    return bind_call(s->b, pos, RF_S("or"), halves, 2, out);
}

/* `column` NULL: some column has it. */
static enum rf_kind bind_term(struct search *s, rf_str pattern, struct expr *column, uint32_t pos,
                              struct expr **out)
{
    struct term term;
    RF_TRY(read_term(s, pattern, &term));
    if (term.text.len == 0) return constant(s, value_bool(true), pos, out);
    if (column != NULL) return bind_term_in(s, &term, column, out);
    if (s->searched == 0) return constant(s, value_bool(false), pos, out);
    return bind_term_any(s, &term, 0, s->searched, pos, out);
}

static enum rf_kind bind_predicate(struct search *s, const struct ast *ast, struct expr **out);

/* column:"pattern" and *:"pattern" */
static enum rf_kind bind_colon(struct search *s, const struct ast *ast, struct expr **out)
{
    struct expr *column = NULL;
    struct value pattern;
    if (ast->kids[0]->kind != AST_STAR) RF_TRY(bind_scalar(s->b, ast->kids[0], s->schema, &column));
    RF_TRY(bind_constant(s->b, ast->kids[1], TYPE_STRING, &pattern));
    return bind_term(s, pattern.s, column, ast->pos, out);
}

/* A condition, or a constant that is a term: "x", 42, a let name. */
static enum rf_kind bind_leaf(struct search *s, const struct ast *ast, struct expr **out)
{
    struct expr *e;
    RF_TRY(bind_scalar(s->b, ast, s->schema, &e));
    if (e->type == TYPE_BOOL) {
        *out = e;
        return RF_OK;
    }
    if (e->kind != EXPR_CONST) return bind_cast(s->b, e, TYPE_BOOL, out);
    struct rf_buf text = rf_buf_in(s->b->arena);
    text_put_value(&text, &e->value);
    if (text.failed) return BIND_NOMEM(s->b);
    return bind_term(s, rf_buf_view(&text), NULL, ast->pos, out);
}

static enum rf_kind bind_combined(struct search *s, const struct ast *ast, uint32_t count,
                                  struct expr **out)
{
    struct expr *args[2];
    for (uint32_t i = 0; i < count; i++) RF_TRY(bind_predicate(s, ast->kids[i], &args[i]));
    return bind_call(s->b, ast->pos, ast->text, args, count, out);
}

static enum rf_kind bind_predicate(struct search *s, const struct ast *ast, struct expr **out)
{
    bool binary = ast->kind == AST_BINARY;
    if (++s->depth > SEARCH_DEPTH_MAX)
        return parse_fail_at(s->b->text, ast->pos, s->b->err, RF_LIMIT, "TooDeep",
                             "the condition nests deeper than %d levels", SEARCH_DEPTH_MAX);
    enum rf_kind kind;
    if (ast->kind == AST_STAR)
        kind = constant(s, value_bool(true), ast->pos, out);
    else if (binary && rf_str_is(ast->text, ":"))
        kind = bind_colon(s, ast, out);
    else if (binary && (rf_str_is(ast->text, "and") || rf_str_is(ast->text, "or")))
        kind = bind_combined(s, ast, 2, out);
    else if (ast->kind == AST_CALL && ast->kid_count == 1 && rf_str_is(ast->text, "not"))
        kind = bind_combined(s, ast, 1, out);
    else
        kind = bind_leaf(s, ast, out);
    s->depth--;
    return kind;
}

/* ---- tables ---------------------------------------------------------------------------------- */

static bool add_table(struct binder *b, struct search_tables *t, struct node *node, rf_str name)
{
    if (t->count == t->cap) {
        uint32_t cap = t->cap * 2 + 8;
        t->nodes =
            rf_arena_grow(b->arena, t->nodes, t->cap * sizeof *t->nodes, cap * sizeof *t->nodes);
        t->names =
            rf_arena_grow(b->arena, t->names, t->cap * sizeof *t->names, cap * sizeof *t->names);
        if (t->nodes == NULL || t->names == NULL) return false;
        t->cap = cap;
    }
    t->nodes[t->count] = node;
    t->names[t->count++] = name;
    return true;
}

static enum rf_kind add_tables_like(struct binder *b, struct search_tables *t, rf_str pattern,
                                    uint32_t pos)
{
    struct node **nodes;
    rf_str *names;
    uint32_t count;
    RF_TRY(bind_tables_like(b, pattern, &nodes, &names, &count));
    for (uint32_t i = 0; i < count; i++)
        if (!add_table(b, t, nodes[i], names[i])) return BIND_NOMEM(b);
    if (count > 0) return RF_OK;
    return bind_fail(b, pos, "UnknownTable", "no table matches '%.*s'", RF_FMT(pattern));
}

enum rf_kind search_bind_tables(struct binder *b, struct ast *const *list, uint32_t list_count,
                                struct node *input, struct search_tables *out)
{
    struct search_tables t = {0};
    if (input != NULL && !add_table(b, &t, input, scan_name(input))) return BIND_NOMEM(b);
    if (input == NULL && list_count == 0) RF_TRY(add_tables_like(b, &t, RF_S("*"), 0));
    for (uint32_t i = 0; i < list_count; i++) {
        const struct ast *ast = list[i];
        if (ast->kind == AST_WILDCARD || ast->kind == AST_STAR) {
            rf_str pattern = ast->kind == AST_STAR ? RF_S("*") : ast->text;
            RF_TRY(add_tables_like(b, &t, pattern, ast->pos));
            continue;
        }
        struct node *node;
        RF_TRY(bind_table(b, ast, &node));
        rf_str name =
            ast->kind == AST_NAME || ast->kind == AST_MEMBER ? ast->text : scan_name(node);
        if (!add_table(b, &t, node, name)) return BIND_NOMEM(b);
    }
    *out = t;
    return RF_OK;
}

static bool mentions(const struct ast *ast, rf_str name, uint32_t depth)
{
    if (ast == NULL || depth > SEARCH_DEPTH_MAX) return false;
    if (ast->kind == AST_NAME && rf_str_eq(ast->text, name)) return true;
    for (uint32_t i = 0; i < ast->kid_count; i++)
        if (mentions(ast->kids[i], name, depth + 1)) return true;
    return false;
}
bool search_mentions(const struct ast *ast, rf_str name) { return mentions(ast, name, 0); }

/* The columns of all tables that the predicate reads, each name once, as the first table has it. Looked up once for all
 * tables: a search reads hundreds. */
static enum rf_kind find_mentioned(struct binder *b, const struct ast *predicate,
                                   const struct search_tables *tables, struct schema *out)
{
    struct schema_builder sb = {.b = b};
    for (uint32_t t = 0; t < tables->count; t++) {
        const struct schema *schema = &tables->nodes[t]->schema;
        for (uint32_t c = 0; c < schema->count; c++) {
            const struct column *column = &schema->columns[c];
            if (!search_mentions(predicate, column->name)) continue;
            if (schema_find(&sb.schema, column->name) >= 0) continue;
            if (!schema_add_exact(&sb, column->name, (enum type)column->type, 0))
                return BIND_NOMEM(b);
        }
    }
    *out = sb.schema;
    return RF_OK;
}

/* Adds to table `index` the columns that the predicate reads and only others have. */
static enum rf_kind add_missing(struct binder *b, const struct ast *predicate, rf_str table_column,
                                const struct schema *mentioned, const struct search_tables *tables,
                                uint32_t index, struct node **out)
{
    struct node *node = tables->nodes[index];
    struct schema_builder sb = {.b = b};
    if (search_mentions(predicate, table_column) && schema_find(&node->schema, table_column) < 0 &&
        !schema_add_exact(&sb, table_column, TYPE_STRING, bind_new_id(b)))
        return BIND_NOMEM(b);
    for (uint32_t c = 0; c < mentioned->count; c++) {
        const struct column *column = &mentioned->columns[c];
        if (schema_find(&node->schema, column->name) >= 0) continue;
        if (schema_find(&sb.schema, column->name) >= 0) continue;
        if (!schema_add_exact(&sb, column->name, (enum type)column->type, bind_new_id(b)))
            return BIND_NOMEM(b);
    }
    *out = node;
    if (sb.schema.count == 0) return RF_OK;
    struct expr **exprs = rf_arena_new(b->arena, struct expr *, sb.schema.count);
    if (exprs == NULL) return BIND_NOMEM(b);
    for (uint32_t c = 0; c < sb.schema.count; c++) {
        struct value v = value_null((enum type)sb.schema.columns[c].type);
        if (rf_str_eq(sb.schema.columns[c].name, table_column)) v = value_str(tables->names[index]);
        exprs[c] = expr_const(b, &v, 0);
        if (exprs[c] == NULL) return BIND_NOMEM(b);
    }
    return extend_node_new(b, exprs, sb.schema.columns, sb.schema.count, node, out);
}

/* The columns of `schema` from `input`, which has them among others. */
static enum rf_kind restore_columns(struct binder *b, const struct schema *schema,
                                    struct node *input, struct node **out)
{
    struct expr **exprs = rf_arena_new(b->arena, struct expr *, schema->count);
    struct schema copy = *schema;
    copy.columns = rf_arena_new(b->arena, struct column, schema->count);
    if (exprs == NULL || copy.columns == NULL) return BIND_NOMEM(b);
    for (uint32_t c = 0; c < schema->count; c++) {
        copy.columns[c] = schema->columns[c];
        exprs[c] = expr_column(b, &schema->columns[c], 0);
        if (exprs[c] == NULL) return BIND_NOMEM(b);
    }
    return project_node_new(b, exprs, &copy, input, out);
}

enum rf_kind search_filter(struct binder *b, const struct ast *predicate, bool case_sensitive,
                           rf_str table_column, struct search_tables *tables)
{
    struct node **filtered = rf_arena_new(b->arena, struct node *, tables->count);
    struct schema mentioned;
    if (filtered == NULL) return BIND_NOMEM(b);
    RF_TRY(find_mentioned(b, predicate, tables, &mentioned));
    for (uint32_t t = 0; t < tables->count; t++) {
        struct node *node;
        struct schema before = tables->nodes[t]->schema;
        RF_TRY(add_missing(b, predicate, table_column, &mentioned, tables, t, &node));
        struct search s = {.b = b,
                           .schema = &node->schema,
                           .searched = before.count,
                           .case_sensitive = case_sensitive};
        bool widened = node != tables->nodes[t];
        struct expr *e;
        RF_TRY(bind_predicate(&s, predicate, &e));
        RF_TRY(where_node_new(b, e, node, &node));
        if (widened) RF_TRY(restore_columns(b, &before, node, &node));
        filtered[t] = node;
    }
    tables->nodes = filtered;
    return RF_OK;
}

static enum rf_kind search_bind(struct binder *b, const struct ast *node, struct node *input,
                                struct node **out)
{
    const struct search_body *body = node->body;
    struct search_tables tables = {0};
    rf_str kind = ast_param_text(node, "kind");
    bool cs = rf_str_is(kind, "case_sensitive");
    if (kind.len > 0 && !cs && !rf_str_is(kind, "case_insensitive") && !rf_str_is(kind, "default"))
        return bind_fail(b, ast_param(node, "kind")->pos, "BadSearchKind",
                         "search has the kinds case_sensitive and case_insensitive");
    RF_TRY(search_bind_tables(b, body->tables, body->table_count, input, &tables));
    RF_TRY(search_filter(b, body->predicate, cs, RF_S("$table"), &tables));
    return union_tables(b, tables.nodes, tables.names, tables.count, RF_S("$table"), out);
}

const struct operator op_search = {
    .name = "search",
    .doc = "Rows in which a term or a condition holds, of one, several or all tables; \"x*\", "
           "\"*x\" and "
           "\"*x*\" stand for the beginning, the end and a part of a word.",
    .syntax =
        "[T |] search [kind=case_sensitive] [in (T, Prefix*)] \"term\" and Column:\"text\" ...",
    .source = true,
    .parse = search_parse,
    .bind = search_bind};
