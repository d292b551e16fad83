#include "kql/parse.h"

#include <stdarg.h>
#include <stdio.h>

#include "kql/lex.h"
#include "kql/parse_int.h"
#include "value/dyn.h"

/* ---- places and errors ----------------------------------------------------------------------- */

void parse_place(rf_str text, uint32_t pos, uint32_t *line, uint32_t *column)
{
    uint32_t start = 0;
    *line = 1;
    for (uint32_t i = 0; i < pos && i < text.len; i++) {
        if (text.ptr[i] != '\n') continue;
        ++*line;
        start = i + 1;
    }
    size_t end = RF_MIN((size_t)pos, text.len);
    *column = 1 + (uint32_t)rf_utf8_count(rf_slice(text, RF_MIN((size_t)start, end), end));
}

void parse_err_at(rf_str text, uint32_t pos, struct rf_err *err, enum rf_kind kind,
                  const char *code, const char *fmt, ...)
{
    char what[900];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(what, sizeof what, fmt, ap);
    va_end(ap);
    (void)rf_fail(err, kind, code, "%s", what);
    if (err != NULL) parse_place(text, pos, &err->line, &err->column);
}

void parse_note_expected(struct parser *p, const char *what)
{
    const struct token *t = parse_peek(p);
    rf_str found = rf_slice(p->text, t->pos, RF_MIN(t->end, t->pos + 40));
    if (t->kind == TOKEN_END)
        (void)parse_fail_at(p->text, t->pos, p->err, RF_INVALID, "SyntaxError",
                            "expected %s, found the end of the query", what);
    else
        (void)parse_fail_at(p->text, t->pos, p->err, RF_INVALID, "SyntaxError",
                            "expected %s, found '%.*s'", what, RF_FMT(found));
}

/* ---- tokens ---------------------------------------------------------------------------------- */

bool parse_is(const struct parser *p, uint32_t n, const char *text)
{
    const struct token *t = parse_peek_after(p, n);
    return (t->kind == TOKEN_NAME || t->kind == TOKEN_PUNCT) && rf_str_is(t->text, text);
}

bool parse_accept(struct parser *p, const char *text)
{
    if (!parse_is(p, 0, text)) return false;
    p->at++;
    return true;
}

enum rf_kind parse_expect(struct parser *p, const char *text)
{
    if (parse_accept(p, text)) return RF_OK;
    char what[64];
    (void)snprintf(what, sizeof what, "'%s'", text);
    return parse_expected(p, what);
}

struct ast *ast_new(struct parser *p, enum ast_kind kind)
{
    struct ast *node = rf_arena_zalloc(p->arena, sizeof *node);
    if (node == NULL) return NULL;
    node->kind = kind;
    node->pos = parse_peek(p)->pos;
    node->end = parse_peek(p)->end;
    return node;
}

bool ast_list_add(struct parser *p, struct ast ***list, uint32_t *count, struct ast *item)
{
    if ((*count & (*count - 1)) == 0) { /* full at 0, 1, 2, 4, 8 ... */
        uint32_t cap = *count == 0 ? 1 : *count * 2;
        struct ast **grown =
            rf_arena_grow(p->arena, *list, *count * sizeof *grown, cap * sizeof *grown);
        if (grown == NULL) return false;
        *list = grown;
    }
    (*list)[(*count)++] = item;
    return true;
}

static bool add_kid(struct parser *p, struct ast *node, struct ast *kid)
{
    node->end = p->at > 0 ? p->tokens[p->at - 1].end : node->end;
    return ast_list_add(p, &node->kids, &node->kid_count, kid);
}

/* ['name'] as a name, at the next token. */
static bool at_quoted_name(const struct parser *p)
{
    return parse_is(p, 0, "[") && parse_peek_after(p, 1)->kind == TOKEN_STRING &&
           parse_is(p, 2, "]");
}

enum rf_kind parse_name(struct parser *p, rf_str *out)
{
    if (at_quoted_name(p)) {
        *out = parse_peek_after(p, 1)->text;
        p->at += 3;
        return RF_OK;
    }
    if (parse_peek(p)->kind != TOKEN_NAME) return parse_expected(p, "a name");
    *out = parse_peek(p)->text;
    p->at++;
    return RF_OK;
}

enum rf_kind parse_name_pattern(struct parser *p, struct ast **out)
{
    struct ast *node = ast_new(p, AST_NAME);
    if (node == NULL) return PARSE_NOMEM(p);
    if (!parse_is(p, 0, "*") && !(parse_peek(p)->kind == TOKEN_NAME && parse_is(p, 1, "*") &&
                                  parse_peek_after(p, 1)->pos == parse_peek(p)->end)) {
        RF_TRY(parse_name(p, &node->text));
    } else {
        uint32_t first = p->at;
        do p->at++;
        while ((parse_peek(p)->kind == TOKEN_NAME || parse_peek(p)->kind == TOKEN_LITERAL ||
                parse_is(p, 0, "*")) &&
               parse_peek(p)->pos == p->tokens[p->at - 1].end);
        node->text = rf_slice(p->text, p->tokens[first].pos, p->tokens[p->at - 1].end);
        node->kind = node->text.len == 1 ? AST_STAR : AST_WILDCARD;
    }
    node->end = p->tokens[p->at - 1].end;
    *out = node;
    return RF_OK;
}

static enum rf_kind parse_unary(struct parser *p, struct ast **out);

/* ---- types, columns, parameters ---------------------------------------------------------------- */

enum rf_kind parse_type(struct parser *p, enum type *out)
{
    const struct token *t = parse_peek(p);
    if (t->kind != TOKEN_NAME || !type_parse(t->text, out))
        return parse_expected(
            p,
            "a type (bool, int, long, real, decimal, datetime, timespan, guid, string, dynamic)");
    p->at++;
    return RF_OK;
}

enum rf_kind parse_columns(struct parser *p, struct ast_column **out, uint32_t *count)
{
    struct ast_column *list = NULL;
    uint32_t n = 0, cap = 0;
    while (!parse_is(p, 0, ")")) {
        if (n == cap) {
            struct ast_column *grown =
                rf_arena_grow(p->arena, list, cap * sizeof *list, (cap * 2 + 8) * sizeof *list);
            if (grown == NULL) return PARSE_NOMEM(p);
            list = grown;
            cap = cap * 2 + 8;
        }
        enum type type;
        list[n].pos = parse_peek(p)->pos;
        RF_TRY(parse_name(p, &list[n].name));
        RF_TRY(parse_expect(p, ":"));
        RF_TRY(parse_type(p, &type));
        list[n++].type = (uint8_t)type;
        if (!parse_accept(p, ",")) break;
    }
    *out = list;
    *count = n;
    return RF_OK;
}

/* The dotted or dashed name of a parameter (hint.strategy) when a parameter stands here: fills *tokens
 * with its length. */
static bool at_param(const struct parser *p, const char *const *known, rf_str *name,
                     uint32_t *tokens)
{
    uint32_t n = 1;
    if (parse_peek(p)->kind != TOKEN_NAME) return false;
    while ((parse_is(p, n, ".") || parse_is(p, n, "-")) &&
           parse_peek_after(p, n + 1)->kind == TOKEN_NAME)
        n += 2;
    if (!parse_is(p, n, "=")) return false;
    *tokens = n;
    *name = rf_slice(p->text, parse_peek(p)->pos, parse_peek_after(p, n - 1)->end);
    for (size_t i = 0; known[i] != NULL; i++) {
        rf_str k = rf_str_of(known[i]);
        if (rf_str_eq(k, *name)) return true;
        if (k.ptr[k.len - 1] == '*' && rf_str_starts(*name, rf_slice(k, 0, k.len - 1))) return true;
    }
    return false;
}

/* A name (kind=inner), a literal, or an expression such as -1; a name is never a call's: kind=inner (T). */
static enum rf_kind parse_param_value(struct parser *p, struct ast **out)
{
    if (parse_peek(p)->kind != TOKEN_NAME || parse_is(p, 0, "dynamic")) return parse_unary(p, out);
    struct ast *node = ast_new(p, AST_NAME);
    if (node == NULL) return PARSE_NOMEM(p);
    *out = node;
    if (parse_is(p, 0, "true") || parse_is(p, 0, "false")) {
        node->kind = AST_LITERAL;
        node->value = value_bool(parse_accept(p, "true"));
        p->at += !node->value.b;
        return RF_OK;
    }
    return parse_name(p, &node->text);
}

enum rf_kind parse_params(struct parser *p, const char *const *known, struct ast *into)
{
    rf_str name;
    uint32_t tokens, cap = 0;
    while (at_param(p, known, &name, &tokens)) {
        if (into->param_count == cap) {
            struct ast_param *grown = rf_arena_grow(p->arena, into->params, cap * sizeof *grown,
                                                    (cap + 8) * sizeof *grown);
            if (grown == NULL) return PARSE_NOMEM(p);
            into->params = grown;
            cap += 8;
        }
        struct ast_param *param = &into->params[into->param_count];
        *param = (struct ast_param){.name = name, .pos = parse_peek(p)->pos};
        p->at += tokens + 1;
        RF_TRY(parse_param_value(p, &param->value));
        into->param_count++;
        (void)parse_accept(p, ",");
    }
    return RF_OK;
}

const struct ast_param *ast_param(const struct ast *node, const char *name)
{
    for (uint32_t i = 0; i < node->param_count; i++)
        if (rf_str_is(node->params[i].name, name)) return &node->params[i];
    return NULL;
}

rf_str ast_param_text(const struct ast *node, const char *name)
{
    const struct ast_param *param = ast_param(node, name);
    if (param == NULL) return (rf_str){NULL, 0};
    if (param->value->kind == AST_LITERAL && param->value->value.type == TYPE_STRING)
        return param->value->value.s;
    if (param->value->kind == AST_LITERAL && param->value->value.type == TYPE_BOOL)
        return param->value->value.b ? RF_S("true") : RF_S("false");
    return param->value->text;
}

/* ---- dynamic(..) literals ---------------------------------------------------------------------- */

static enum rf_kind parse_dynamic_value(struct parser *p, struct rf_buf *buf);
static enum rf_kind parse_string(struct parser *p, struct ast *node);

static enum rf_kind parse_dynamic_array(struct parser *p, struct rf_buf *buf)
{
    struct dyn_builder b;
    dyn_begin(&b, buf, DYN_ARRAY);
    while (!parse_is(p, 0, "]")) {
        dyn_next(&b);
        RF_TRY(parse_dynamic_value(p, buf));
        if (!parse_accept(p, ",")) break;
    }
    RF_TRY(parse_expect(p, "]"));
    dyn_end(&b);
    return RF_OK;
}

static enum rf_kind parse_dynamic_bag(struct parser *p, struct rf_buf *buf)
{
    struct dyn_builder b;
    dyn_begin(&b, buf, DYN_BAG);
    while (!parse_is(p, 0, "}")) {
        const struct token *t = parse_peek(p);
        if (t->kind != TOKEN_STRING && t->kind != TOKEN_NAME)
            return parse_expected(p, "a key in quotes");
        dyn_key(&b, t->text);
        p->at++;
        RF_TRY(parse_expect(p, ":"));
        RF_TRY(parse_dynamic_value(p, buf));
        if (!parse_accept(p, ",")) break;
    }
    RF_TRY(parse_expect(p, "}"));
    dyn_end(&b);
    return RF_OK;
}

static enum rf_kind parse_dynamic_value(struct parser *p, struct rf_buf *buf)
{
    enum rf_kind kind = RF_OK;
    const struct token *t = parse_peek(p);
    if (++p->depth > DYN_DEPTH_MAX)
        return parse_fail_at(p->text, t->pos, p->err, RF_LIMIT, "TooDeep",
                             "this dynamic literal nests deeper than %d", DYN_DEPTH_MAX);
    if (parse_accept(p, "[")) {
        kind = parse_dynamic_array(p, buf);
    } else if (parse_accept(p, "{")) {
        kind = parse_dynamic_bag(p, buf);
    } else if (t->kind == TOKEN_STRING) {
        struct ast text = {0};
        kind = parse_string(p, &text);
        dyn_put_string(buf, text.value.s);
    } else if (parse_is(p, 0, "-") && parse_peek_after(p, 1)->kind == TOKEN_LITERAL) {
        struct value v = parse_peek_after(p, 1)->value;
        p->at += 2;
        if (type_is_i64(v.type)) v.i = (int64_t)(0 - (uint64_t)v.i);
        v.r = v.type == TYPE_REAL ? -v.r : v.r;
        dyn_put_value(buf, &v);
    } else if (t->kind == TOKEN_LITERAL) {
        p->at++;
        dyn_put_value(buf, &t->value);
    } else if (parse_accept(p, "true")) {
        dyn_put_bool(buf, true);
    } else if (parse_accept(p, "false")) {
        dyn_put_bool(buf, false);
    } else if (parse_accept(p, "null")) {
        dyn_put_null(buf);
    } else if (parse_accept(p, "dynamic")) {
        RF_TRY(parse_expect(p, "("));
        RF_TRY(parse_dynamic_value(p, buf));
        kind = parse_expect(p, ")");
    } else if (t->kind == TOKEN_NAME) { /* unquoted words are read as texts */
        p->at++;
        dyn_put_string(buf, t->text);
    } else {
        kind = parse_expected(p, "a JSON value");
    }
    p->depth--;
    return kind;
}

static enum rf_kind parse_dynamic(struct parser *p, struct ast **out)
{
    struct ast *node = ast_new(p, AST_LITERAL);
    if (node == NULL) return PARSE_NOMEM(p);
    p->at++;
    RF_TRY(parse_expect(p, "("));
    struct rf_buf buf = rf_buf_in(p->arena);
    RF_TRY(parse_dynamic_value(p, &buf));
    RF_TRY(parse_expect(p, ")"));
    if (buf.failed) return PARSE_NOMEM(p);
    node->end = p->tokens[p->at - 1].end;
    node->value = value_dyn(dyn_done(&buf));
    if (dyn_is_null(node->value.s)) node->value = value_null(TYPE_DYNAMIC);
    *out = node;
    return RF_OK;
}

/* ---- scalar expressions -------------------------------------------------------------------------- */

static enum rf_kind parse_typeof(struct parser *p, struct ast *node)
{
    node->kind = AST_TYPEOF;
    if (parse_accept(p, "*")) {
        node->star = true;
        if (parse_accept(p, ",")) RF_TRY(parse_columns(p, &node->columns, &node->column_count));
    } else if (parse_peek(p)->kind == TOKEN_NAME && parse_is(p, 1, ")")) {
        enum type type;
        RF_TRY(parse_type(p, &type));
        node->columns = rf_arena_new(p->arena, struct ast_column, 1);
        if (node->columns == NULL) return PARSE_NOMEM(p);
        node->columns[0].type = (uint8_t)type;
        node->column_count = 1;
    } else {
        RF_TRY(parse_columns(p, &node->columns, &node->column_count));
    }
    RF_TRY(parse_expect(p, ")"));
    node->end = p->tokens[p->at - 1].end;
    return RF_OK;
}

/* One argument: *, name = expr, an expression, or a pipeline. */
static enum rf_kind parse_argument(struct parser *p, struct ast **out)
{
    if (parse_is(p, 0, "*") && (parse_is(p, 1, ")") || parse_is(p, 1, ","))) {
        *out = ast_new(p, AST_STAR);
        if (*out == NULL) return PARSE_NOMEM(p);
        p->at++;
        return RF_OK;
    }
    if (parse_peek(p)->kind == TOKEN_NAME && parse_is(p, 1, "=")) {
        struct ast *node = ast_new(p, AST_NAMED), *kid;
        if (node == NULL) return PARSE_NOMEM(p);
        node->names = rf_arena_new(p->arena, rf_str, 1);
        if (node->names == NULL) return PARSE_NOMEM(p);
        node->names[0] = parse_peek(p)->text;
        node->name_count = 1;
        p->at += 2;
        RF_TRY(parse_pipe_or_expr(p, &kid));
        if (!add_kid(p, node, kid)) return PARSE_NOMEM(p);
        *out = node;
        return RF_OK;
    }
    return parse_pipe_or_expr(p, out);
}

/* Arguments up to and including ')'. */
static enum rf_kind parse_arguments(struct parser *p, struct ast *call)
{
    while (!parse_is(p, 0, ")")) {
        struct ast *arg;
        RF_TRY(parse_argument(p, &arg));
        if (!add_kid(p, call, arg)) return PARSE_NOMEM(p);
        if (!parse_accept(p, ",")) break;
    }
    RF_TRY(parse_expect(p, ")"));
    call->end = p->tokens[p->at - 1].end;
    return RF_OK;
}

static enum rf_kind parse_string(struct parser *p, struct ast *node)
{
    node->kind = AST_LITERAL;
    rf_str text = parse_peek(p)->text;
    p->at++;
    if (parse_peek(p)->kind == TOKEN_STRING) { /* adjacent literals are one text */
        struct rf_buf buf = rf_buf_in(p->arena);
        rf_buf_str(&buf, text);
        for (; parse_peek(p)->kind == TOKEN_STRING; p->at++) rf_buf_str(&buf, parse_peek(p)->text);
        if (buf.failed) return PARSE_NOMEM(p);
        text = rf_buf_view(&buf);
    }
    node->end = p->tokens[p->at - 1].end;
    node->value = value_str(text);
    return RF_OK;
}

static enum rf_kind parse_literal(struct parser *p, struct ast *node)
{
    const struct token *t = parse_peek(p);
    p->at++;
    if (t->value.type == TYPE_DATETIME && t->value.null && t->value.i == 1) {
        node->kind = AST_CALL; /* datetime() */
        node->text = RF_S("now");
        return RF_OK;
    }
    node->kind = AST_LITERAL;
    node->value = t->value;
    return RF_OK;
}

static enum rf_kind parse_primary(struct parser *p, struct ast **out)
{
    const struct token *t = parse_peek(p);
    if (parse_is(p, 0, "dynamic") && parse_is(p, 1, "(")) return parse_dynamic(p, out);
    if (parse_is(p, 0, "datatable")) return parse_datatable(p, out);
    if (parse_is(p, 0, "externaldata") && parse_is(p, 1, "(")) return parse_externaldata(p, out);
    if (parse_is(p, 0, "inline_external_table") && (parse_is(p, 1, "(") || parse_is(p, 1, "kind")))
        return parse_inline_external_table(p, out);
    if (parse_is(p, 0, "entity_group") && parse_is(p, 1, "[")) return parse_entity_group(p, out);
    if (parse_is(p, 0, "(")) {
        p->at++;
        RF_TRY(parse_pipe_or_expr(p, out));
        return parse_expect(p, ")");
    }
    struct ast *node = ast_new(p, AST_NAME);
    if (node == NULL) return PARSE_NOMEM(p);
    *out = node;
    if (t->kind == TOKEN_STRING) return parse_string(p, node);
    if (t->kind == TOKEN_LITERAL) return parse_literal(p, node);
    if (parse_is(p, 0, "*")) {
        node->kind = AST_STAR;
        p->at++;
        return RF_OK;
    }
    if (t->kind != TOKEN_NAME && !at_quoted_name(p)) return parse_expected(p, "an expression");
    if ((rf_str_eq_nocase(t->text, RF_S("true")) || rf_str_eq_nocase(t->text, RF_S("false"))) &&
        t->kind == TOKEN_NAME && !parse_is(p, 1, "(")) {
        node->kind = AST_LITERAL;
        node->value = value_bool(t->text.len == 4);
        p->at++;
        return RF_OK;
    }
    bool plain = t->kind == TOKEN_NAME;
    RF_TRY(parse_name(p, &node->text));
    node->end = p->tokens[p->at - 1].end;
    if (plain && parse_is(p, 0, "(")) {
        p->at++;
        if (rf_str_is(node->text, "typeof")) return parse_typeof(p, node);
        node->kind = AST_CALL;
        return parse_arguments(p, node);
    }
    return RF_OK;
}

/* .name, .['name'], [index], .call(..) after a primary. */
enum rf_kind parse_postfix(struct parser *p, struct ast **out)
{
    struct ast *left;
    RF_TRY(parse_primary(p, &left));
    for (;;) {
        bool dot = parse_is(p, 0, ".");
        if (!dot && !parse_is(p, 0, "[")) break;
        struct ast *node = ast_new(p, dot ? AST_MEMBER : AST_INDEX), *index;
        if (node == NULL) return PARSE_NOMEM(p);
        node->pos = left->pos;
        p->at++;
        if (dot && parse_is(p, 0, "[") && !at_quoted_name(p)) { /* a.[0] */
            dot = false;
            node->kind = AST_INDEX;
            p->at++;
        }
        if (dot) {
            if (parse_peek(p)->kind == TOKEN_LITERAL) return parse_expected(p, "a member's name");
            RF_TRY(parse_name(p, &node->text));
            if (parse_accept(
                    p, "(")) { /* database("x").f(..): the base is kept beside the arguments */
                node->kind = AST_CALL;
                node->body = left;
                RF_TRY(parse_arguments(p, node));
                left = node;
                continue;
            }
            if (!add_kid(p, node, left)) return PARSE_NOMEM(p);
        } else {
            RF_TRY(parse_expr(p, &index));
            RF_TRY(parse_expect(p, "]"));
            if (!add_kid(p, node, left) || !add_kid(p, node, index)) return PARSE_NOMEM(p);
            if (index->kind == AST_LITERAL && index->value.type == TYPE_STRING) {
                node->kind = AST_MEMBER;
                node->text = index->value.s;
                node->kid_count = 1;
            }
        }
        node->end = p->tokens[p->at - 1].end;
        left = node;
    }
    *out = left;
    return RF_OK;
}

/* Turns the sign of a literal, if it has one. */
static bool negate(const struct parser *p, struct ast *literal)
{
    struct value *v = &literal->value;
    if (v->null) return false;
    if (v->type == TYPE_REAL) {
        /* The one whole number that fits with its sign only. */
        bool lowest =
            rf_str_is(rf_slice(p->text, literal->pos, literal->end), "9223372036854775808");
        *v = lowest ? value_long(INT64_MIN) : value_real(-v->r);
        return true;
    }
    if (v->type != TYPE_INT && v->type != TYPE_LONG && v->type != TYPE_TIMESPAN) return false;
    v->i = (int64_t)(0 - (uint64_t)v->i);
    if (v->type == TYPE_INT) v->i = (int32_t)(uint32_t)v->i;
    return true;
}

static enum rf_kind parse_unary(struct parser *p, struct ast **out)
{
    if (!parse_is(p, 0, "-") && !parse_is(p, 0, "+")) return parse_postfix(p, out);
    struct ast *node = ast_new(p, AST_UNARY), *kid;
    if (node == NULL) return PARSE_NOMEM(p);
    node->text = parse_peek(p)->text;
    p->at++;
    if (++p->depth > PARSE_DEPTH_MAX) return parse_too_deep(p);
    RF_TRY(parse_unary(p, &kid));
    p->depth--;
    if (kid->kind == AST_LITERAL && rf_str_is(node->text, "-") && negate(p, kid)) {
        kid->pos = node->pos;
        *out = kid;
        return RF_OK;
    }
    if (!add_kid(p, node, kid)) return PARSE_NOMEM(p);
    *out = node;
    return RF_OK;
}

enum rf_kind parse_too_deep(struct parser *p)
{
    return parse_fail_at(p->text, parse_peek(p)->pos, p->err, RF_LIMIT, "TooDeep",
                         "the query nests deeper than %d levels here", PARSE_DEPTH_MAX);
}

static enum rf_kind make_binary(struct parser *p, rf_str op, struct ast *left, struct ast *right,
                                struct ast **out)
{
    struct ast *node = ast_new(p, AST_BINARY);
    if (node == NULL) return PARSE_NOMEM(p);
    node->pos = left->pos;
    node->text = rf_str_is(op, "<>") ? RF_S("!=") : rf_str_is(op, "=") ? RF_S("==") : op;
    if (!add_kid(p, node, left) || !add_kid(p, node, right)) return PARSE_NOMEM(p);
    *out = node;
    return RF_OK;
}

static bool is_string_operator(rf_str op)
{
    static const char *const names[] = {
        "=~",
        "!~",
        "has",
        "!has",
        "has_cs",
        "!has_cs",
        "hasprefix",
        "!hasprefix",
        "hasprefix_cs",
        "!hasprefix_cs",
        "hassuffix",
        "!hassuffix",
        "hassuffix_cs",
        "!hassuffix_cs",
        "contains",
        "!contains",
        "contains_cs",
        "!contains_cs",
        "startswith",
        "!startswith",
        "startswith_cs",
        "!startswith_cs",
        "endswith",
        "!endswith",
        "endswith_cs",
        "!endswith_cs",
        "matches",
        "like",
        "notcontains",
        "containscs",
        "notlike",
        ":",
    };
    for (size_t i = 0; i < RF_COUNT(names); i++)
        if (rf_str_is(op, names[i])) return true;
    return false;
}

static bool at_string_operator(const struct parser *p)
{
    const struct token *t = parse_peek(p);
    return (t->kind == TOKEN_NAME || t->kind == TOKEN_PUNCT) && is_string_operator(t->text);
}

static enum rf_kind parse_string_operation(struct parser *p, struct ast **out)
{
    struct ast *left, *right;
    RF_TRY(parse_unary(p, &left));
    while (at_string_operator(p)) {
        rf_str op = parse_peek(p)->text;
        if (rf_str_is(op, ":") && !p->search) break;
        p->at++;
        if (rf_str_is(op, "matches")) {
            RF_TRY(parse_expect(p, "regex"));
            op = RF_S("matches regex");
        }
        RF_TRY(parse_unary(p, &right));
        RF_TRY(make_binary(p, op, left, right, &left));
    }
    *out = left;
    return RF_OK;
}

static enum rf_kind parse_multiplicative(struct parser *p, struct ast **out)
{
    struct ast *left, *right;
    RF_TRY(parse_string_operation(p, &left));
    while (parse_is(p, 0, "*") || parse_is(p, 0, "/") || parse_is(p, 0, "%")) {
        rf_str op = parse_peek(p)->text;
        p->at++;
        RF_TRY(parse_string_operation(p, &right));
        RF_TRY(make_binary(p, op, left, right, &left));
    }
    *out = left;
    return RF_OK;
}

static enum rf_kind parse_additive(struct parser *p, struct ast **out)
{
    struct ast *left, *right;
    RF_TRY(parse_multiplicative(p, &left));
    while (parse_is(p, 0, "+") || parse_is(p, 0, "-")) {
        rf_str op = parse_peek(p)->text;
        p->at++;
        RF_TRY(parse_multiplicative(p, &right));
        RF_TRY(make_binary(p, op, left, right, &left));
    }
    *out = left;
    return RF_OK;
}

static enum rf_kind parse_between(struct parser *p, struct ast *left, struct ast **out)
{
    struct ast *node = ast_new(p, AST_BETWEEN), *low, *high;
    if (node == NULL) return PARSE_NOMEM(p);
    node->pos = left->pos;
    node->text = parse_peek(p)->text;
    p->at++;
    RF_TRY(parse_expect(p, "("));
    RF_TRY(parse_expr(p, &low));
    RF_TRY(parse_expect(p, ".."));
    RF_TRY(parse_expr(p, &high));
    RF_TRY(parse_expect(p, ")"));
    if (!add_kid(p, node, left) || !add_kid(p, node, low) || !add_kid(p, node, high))
        return PARSE_NOMEM(p);
    *out = node;
    return RF_OK;
}

static enum rf_kind parse_in(struct parser *p, struct ast *left, struct ast **out)
{
    struct ast *node = ast_new(p, AST_IN);
    if (node == NULL) return PARSE_NOMEM(p);
    node->pos = left->pos;
    node->text = parse_peek(p)->text;
    p->at++;
    if (!add_kid(p, node, left)) return PARSE_NOMEM(p);
    if (!parse_accept(p, "(")) { /* has_any list_name */
        struct ast *list;
        RF_TRY(parse_postfix(p, &list));
        if (!add_kid(p, node, list)) return PARSE_NOMEM(p);
        *out = node;
        return RF_OK;
    }
    RF_TRY(parse_arguments(p, node));
    *out = node;
    return RF_OK;
}

static bool at_any(const struct parser *p, const char *const *names, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (parse_is(p, 0, names[i])) return true;
    return false;
}

/* < > <= >= == != in between: one level, left to right, as chains do not occur in practice. */
static enum rf_kind parse_comparison(struct parser *p, struct ast **out)
{
    static const char *const comparisons[] = {
        "<", ">", "<=", ">=", "==", "!=", "<>", "="}; /* a lone = is read as == */
    static const char *const lists[] = {"in",      "!in",      "in~",     "!in~",
                                        "has_any", "!has_any", "has_all", "!has_all"};
    struct ast *left, *right;
    RF_TRY(parse_additive(p, &left));
    for (;;) {
        if (parse_is(p, 0, "between") || parse_is(p, 0, "!between")) {
            RF_TRY(parse_between(p, left, &left));
        } else if (at_any(p, lists, RF_COUNT(lists))) {
            RF_TRY(parse_in(p, left, &left));
        } else if (at_any(p, comparisons, RF_COUNT(comparisons))) {
            rf_str op = parse_peek(p)->text;
            p->at++;
            RF_TRY(parse_additive(p, &right));
            RF_TRY(make_binary(p, op, left, right, &left));
        } else if (parse_peek(p)->kind == TOKEN_PUNCT && parse_peek(p)->text.len > 2 &&
                   parse_peek(p)->text.ptr[0] == '!') {
            return parse_expected(p, "an operator");
        } else {
            break;
        }
    }
    *out = left;
    return RF_OK;
}

static enum rf_kind parse_and(struct parser *p, struct ast **out)
{
    struct ast *left, *right;
    RF_TRY(parse_comparison(p, &left));
    while (parse_accept(p, "and")) {
        RF_TRY(parse_comparison(p, &right));
        RF_TRY(make_binary(p, RF_S("and"), left, right, &left));
    }
    *out = left;
    return RF_OK;
}

enum rf_kind parse_expr(struct parser *p, struct ast **out)
{
    struct ast *left, *right;
    if (++p->depth > PARSE_DEPTH_MAX) return parse_too_deep(p);
    RF_TRY(parse_and(p, &left));
    while (parse_accept(p, "or")) {
        RF_TRY(parse_and(p, &right));
        RF_TRY(make_binary(p, RF_S("or"), left, right, &left));
    }
    p->depth--;
    *out = left;
    return RF_OK;
}

enum rf_kind parse_named_expr(struct parser *p, struct ast **out)
{
    struct ast *node = ast_new(p, AST_NAMED), *kid;
    if (node == NULL) return PARSE_NOMEM(p);
    uint32_t start = p->at;
    if ((parse_peek(p)->kind == TOKEN_NAME && parse_is(p, 1, "=")) ||
        (at_quoted_name(p) && parse_is(p, 3, "="))) {
        node->names = rf_arena_new(p->arena, rf_str, 1);
        if (node->names == NULL) return PARSE_NOMEM(p);
        RF_TRY(parse_name(p, &node->names[0]));
        node->name_count = 1;
        p->at++;
    } else if (parse_is(p, 0, "(") && parse_tuple_names(p, node)) {
        p->at++;
    } else {
        p->at = start;
        return parse_expr(p, out);
    }
    RF_TRY(parse_expr(p, &kid));
    if (!add_kid(p, node, kid)) return PARSE_NOMEM(p);
    *out = node;
    return RF_OK;
}

/* (a, b, ...) before '=': true when it is one, with p->at on the '='. */
bool parse_tuple_names(struct parser *p, struct ast *node)
{
    uint32_t n = 1, count = 0;
    for (;;) {
        if (parse_peek_after(p, n)->kind != TOKEN_NAME) return false;
        count++;
        if (parse_is(p, n + 1, ")")) break;
        if (!parse_is(p, n + 1, ",")) return false;
        n += 2;
    }
    if (!parse_is(p, n + 2, "=")) return false;
    node->names = rf_arena_new(p->arena, rf_str, count);
    if (node->names == NULL) return false;
    for (uint32_t i = 0; i < count; i++) node->names[i] = parse_peek_after(p, 1 + 2 * i)->text;
    node->name_count = count;
    p->at += n + 2;
    return true;
}

enum rf_kind parse_named_list(struct parser *p, struct ast ***out, uint32_t *count)
{
    struct ast **list = NULL, *item;
    uint32_t n = 0;
    do {
        RF_TRY(parse_named_expr(p, &item));
        if (!ast_list_add(p, &list, &n, item)) return PARSE_NOMEM(p);
    } while (parse_accept(p, ","));
    *out = list;
    *count = n;
    return RF_OK;
}
