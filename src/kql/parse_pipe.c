#include "kql/lex.h"
#include "kql/parse_int.h"

/* The operator whose name stands here: names such as project-away are several tokens without blanks. Sets
 * *tokens to its length. */
static const struct operator* at_operator(const struct parser *p, uint32_t *tokens)
{
    const struct operator* found = NULL;
    const struct token *first = parse_peek(p);
    if (first->kind != TOKEN_NAME) return NULL;
    for (uint32_t n = 1;; n += 2) {
        const struct token *last = parse_peek_after(p, n - 1);
        const struct operator* op = operator_find(rf_slice(p->text, first->pos, last->end));
        if (op != NULL) {
            found = op;
            *tokens = n;
        }
        const struct token *dash = parse_peek_after(p, n), *next = parse_peek_after(p, n + 1);
        if (!parse_is(p, n, "-") || dash->pos != last->end || next->kind != TOKEN_NAME ||
            next->pos != dash->end)
            return found;
    }
}

static rf_str nth_operator(const void *state, size_t index)
{
    (void)state;
    return rf_str_of(operator_at(index)->name);
}

static enum rf_kind parse_operator(struct parser *p, struct ast **out)
{
    uint32_t tokens = 0;
    const struct operator* op = at_operator(p, &tokens);
    if (op == NULL) {
        const struct token *t = parse_peek(p);
        rf_str near;
        if (t->kind == TOKEN_NAME &&
            rf_nearest(t->text, operator_count(), nth_operator, NULL, &near) != NULL)
            return parse_fail_at(p->text, t->pos, p->err, RF_INVALID, "UnknownOperator",
                                 "there is no operator '%.*s'; did you mean '%.*s'?",
                                 RF_FMT(t->text), RF_FMT(near));
        return parse_expected(p, "an operator (where, extend, project, summarize ...)");
    }
    struct ast *node = ast_new(p, AST_OPERATOR);
    if (node == NULL) return PARSE_NOMEM(p);
    node->op = op;
    node->text = rf_str_of(op->name);
    p->at += tokens;
    if (op->parse != NULL) RF_TRY(op->parse(p, node));
    node->end = p->tokens[p->at - 1].end;
    *out = node;
    return RF_OK;
}

/* Operators behind a source, as long as '|' follows. */
static enum rf_kind parse_operators(struct parser *p, struct ast *pipe)
{
    while (parse_accept(p, "|")) {
        struct ast *op;
        if (parse_is(p, 0, "|")) continue;
        RF_TRY(parse_operator(p, &op));
        if (!ast_list_add(p, &pipe->kids, &pipe->kid_count, op)) return PARSE_NOMEM(p);
    }
    pipe->end = p->tokens[p->at - 1].end;
    return RF_OK;
}

/* print, range, union ... without anything before: but range(1, 2) is the function, union a table name only when quoted. */
static bool at_source_operator(const struct parser *p)
{
    uint32_t tokens = 0;
    const struct operator* op = at_operator(p, &tokens);
    if (op == NULL || !op->source) return false;
    if (parse_is(p, tokens, "(")) return strcmp(op->name, "range") != 0;
    return !parse_is(p, tokens, "|") && !parse_is(p, tokens, ")") && !parse_is(p, tokens, ",") &&
           !parse_is(p, tokens, "=") && !parse_is(p, tokens, ";") &&
           parse_peek_after(p, tokens)->kind != TOKEN_END;
}

static enum rf_kind parse_source_pipe(struct parser *p, struct ast **out)
{
    struct ast *pipe = ast_new(p, AST_PIPE), *op;
    if (pipe == NULL) return PARSE_NOMEM(p);
    RF_TRY(parse_operator(p, &op));
    if (!ast_list_add(p, &pipe->kids, &pipe->kid_count, NULL) ||
        !ast_list_add(p, &pipe->kids, &pipe->kid_count, op))
        return PARSE_NOMEM(p);
    RF_TRY(parse_operators(p, pipe));
    *out = pipe;
    return RF_OK;
}

enum rf_kind parse_pipe_or_expr(struct parser *p, struct ast **out)
{
    if (++p->depth > PARSE_DEPTH_MAX) return parse_too_deep(p);
    bool search = p->search;
    p->search = false;
    if (at_source_operator(p)) {
        RF_TRY(parse_source_pipe(p, out));
    } else {
        p->search = search;
        struct ast *source, *pipe;
        RF_TRY(parse_expr(p, &source));
        if (parse_is(p, 0, "|")) {
            pipe = ast_new(p, AST_PIPE);
            if (pipe == NULL || !ast_list_add(p, &pipe->kids, &pipe->kid_count, source))
                return PARSE_NOMEM(p);
            pipe->pos = source->pos;
            p->search = false;
            RF_TRY(parse_operators(p, pipe));
            source = pipe;
        }
        *out = source;
    }
    p->search = search;
    p->depth--;
    return RF_OK;
}

enum rf_kind parse_pipe(struct parser *p, struct ast **out) { return parse_pipe_or_expr(p, out); }

enum rf_kind parse_table(struct parser *p, struct ast **out)
{
    if (parse_is(p, 0, "(")) {
        p->at++;
        RF_TRY(parse_pipe_or_expr(p, out));
        return parse_expect(p, ")");
    }
    return parse_postfix(p, out);
}

enum rf_kind parse_sub_pipe(struct parser *p, struct ast **out)
{
    struct ast *pipe = ast_new(p, AST_PIPE), *op;
    if (pipe == NULL || !ast_list_add(p, &pipe->kids, &pipe->kid_count, NULL))
        return PARSE_NOMEM(p);
    if (++p->depth > PARSE_DEPTH_MAX) return parse_too_deep(p);
    (void)parse_accept(p, "|");
    if (!parse_is(p, 0, ")") && !parse_is(p, 0, "}")) {
        RF_TRY(parse_operator(p, &op));
        if (!ast_list_add(p, &pipe->kids, &pipe->kid_count, op)) return PARSE_NOMEM(p);
        RF_TRY(parse_operators(p, pipe));
    }
    p->depth--;
    *out = pipe;
    return RF_OK;
}

enum rf_kind parse_datatable(struct parser *p, struct ast **out)
{
    struct ast *node = ast_new(p, AST_DATATABLE), *cell;
    if (node == NULL) return PARSE_NOMEM(p);
    p->at++;
    RF_TRY(parse_expect(p, "("));
    RF_TRY(parse_columns(p, &node->columns, &node->column_count));
    RF_TRY(parse_expect(p, ")"));
    RF_TRY(parse_expect(p, "["));
    while (!parse_is(p, 0, "]")) {
        RF_TRY(parse_expr(p, &cell));
        if (!ast_list_add(p, &node->kids, &node->kid_count, cell)) return PARSE_NOMEM(p);
        if (!parse_accept(p, ",")) break;
    }
    RF_TRY(parse_expect(p, "]"));
    node->end = p->tokens[p->at - 1].end;
    *out = node;
    return RF_OK;
}

/* ---- statements ------------------------------------------------------------------------------------ */

enum rf_kind parse_argument_list(struct parser *p, struct ast_argument **out, uint32_t *count)
{
    struct ast_argument *list = NULL;
    uint32_t n = 0, cap = 0;
    while (!parse_is(p, 0, ")")) {
        if (n == cap) {
            struct ast_argument *grown =
                rf_arena_grow(p->arena, list, cap * sizeof *list, (cap + 8) * sizeof *list);
            if (grown == NULL) return PARSE_NOMEM(p);
            list = grown;
            cap += 8;
        }
        struct ast_argument *arg = &list[n++];
        *arg = (struct ast_argument){0};
        RF_TRY(parse_name(p, &arg->name));
        RF_TRY(parse_expect(p, ":"));
        if (parse_accept(p, "(")) {
            arg->tabular = true;
            arg->any_columns = parse_accept(p, "*");
            if (!arg->any_columns) RF_TRY(parse_columns(p, &arg->columns, &arg->column_count));
            RF_TRY(parse_expect(p, ")"));
        } else {
            enum type type;
            RF_TRY(parse_type(p, &type));
            arg->type = (uint8_t)type;
        }
        if (parse_accept(p, "=")) RF_TRY(parse_expr(p, &arg->fallback));
        if (!parse_accept(p, ",")) break;
    }
    *out = list;
    *count = n;
    return RF_OK;
}

/* True at "(..) {" or "view (..) {": a function's head. */
static bool at_lambda(const struct parser *p)
{
    uint32_t n = parse_is(p, 0, "view") ? 1 : 0, depth = 0;
    if (!parse_is(p, n, "(")) return false;
    for (;; n++) {
        const struct token *t = parse_peek_after(p, n);
        if (t->kind == TOKEN_END) return false;
        if (parse_is(p, n, "(")) depth++;
        if (parse_is(p, n, ")") && --depth == 0) return parse_is(p, n + 1, "{");
    }
}

static enum rf_kind parse_lambda(struct parser *p, struct ast **out)
{
    struct ast *node = ast_new(p, AST_LAMBDA);
    struct ast_lambda *lambda = rf_arena_new(p->arena, struct ast_lambda, 1);
    if (node == NULL || lambda == NULL) return PARSE_NOMEM(p);
    if (++p->depth > PARSE_DEPTH_MAX) return parse_too_deep(p);
    lambda->view = parse_accept(p, "view");
    RF_TRY(parse_expect(p, "("));
    RF_TRY(parse_argument_list(p, &lambda->arguments, &lambda->argument_count));
    RF_TRY(parse_expect(p, ")"));
    RF_TRY(parse_expect(p, "{"));
    RF_TRY(parse_statements(p, "}", &lambda->statements, &lambda->statement_count));
    RF_TRY(parse_expect(p, "}"));
    p->depth--;
    node->body = lambda;
    node->end = p->tokens[p->at - 1].end;
    *out = node;
    return RF_OK;
}

static enum rf_kind parse_let(struct parser *p, struct statement *s)
{
    s->kind = STATEMENT_LET;
    p->at++;
    RF_TRY(parse_name(p, &s->name));
    RF_TRY(parse_expect(p, "="));
    if (!at_lambda(p)) return parse_pipe_or_expr(p, &s->value);
    RF_TRY(parse_lambda(p, &s->value));
    s->view = ((struct ast_lambda *)s->value->body)->view;
    return RF_OK;
}

static enum rf_kind parse_set(struct parser *p, struct statement *s)
{
    s->kind = STATEMENT_SET;
    p->at++;
    RF_TRY(parse_name(p, &s->name));
    if (parse_accept(p, "=")) return parse_expr(p, &s->value);
    return RF_OK;
}

static enum rf_kind parse_declare(struct parser *p, struct statement *s)
{
    s->kind = STATEMENT_PARAMETERS;
    p->at++;
    RF_TRY(parse_expect(p, "query_parameters"));
    RF_TRY(parse_expect(p, "("));
    RF_TRY(parse_argument_list(p, &s->arguments, &s->argument_count));
    return parse_expect(p, ")");
}

static enum rf_kind parse_statement(struct parser *p, struct statement *s)
{
    s->pos = parse_peek(p)->pos;
    bool named = parse_peek_after(p, 1)->kind == TOKEN_NAME || parse_is(p, 1, "[");
    if (parse_is(p, 0, "let") && named) return parse_let(p, s);
    if (parse_is(p, 0, "set") && named) return parse_set(p, s);
    if (parse_is(p, 0, "declare") && parse_is(p, 1, "query_parameters")) return parse_declare(p, s);
    if (parse_is(p, 0, "declare") && parse_is(p, 1, "pattern")) return parse_pattern(p, s);
    if (parse_is(p, 0, "restrict") && parse_is(p, 1, "access")) return parse_restrict(p, s);
    if (parse_is(p, 0, "alias") && parse_is(p, 1, "database")) return parse_alias(p, s);
    s->kind = STATEMENT_QUERY;
    return parse_pipe_or_expr(p, &s->value);
}

enum rf_kind parse_statements(struct parser *p, const char *end, struct statement **out,
                              uint32_t *count)
{
    struct statement *list = NULL;
    uint32_t n = 0, cap = 0;
    for (;;) {
        while (parse_accept(p, ";")) continue;
        if (end != NULL ? parse_is(p, 0, end) : parse_peek(p)->kind == TOKEN_END) break;
        if (n == cap) {
            struct statement *grown =
                rf_arena_grow(p->arena, list, cap * sizeof *list, (cap * 2 + 8) * sizeof *list);
            if (grown == NULL) return PARSE_NOMEM(p);
            list = grown;
            cap = cap * 2 + 8;
        }
        list[n] = (struct statement){0};
        RF_TRY(parse_statement(p, &list[n++]));
        if (parse_is(p, 0, ";")) continue;
        if (end != NULL ? parse_is(p, 0, end) : parse_peek(p)->kind == TOKEN_END) break;
        return parse_expected(p,
                              end != NULL ? "'|', ';' or '}'" : "'|', ';' or the end of the query");
    }
    *out = list;
    *count = n;
    return RF_OK;
}

enum rf_kind parse_query(rf_str text, struct rf_arena *arena, struct query_ast *out,
                         struct rf_err *err)
{
    struct parser p = {.text = text, .arena = arena, .err = err};
    RF_TRY(lex_query(&p));
    struct query_ast query = {.text = text};
    RF_TRY(parse_statements(&p, NULL, &query.statements, &query.statement_count));
    *out = query;
    return RF_OK;
}
