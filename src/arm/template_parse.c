/* template_parse.c - from the text of an expression to its tree. Depth is counted before the parser descends. */
#include "arm/template_expr.h"
#include "base/json.h"

struct parser {
    rf_str text;
    size_t at;
    struct rf_arena *arena;
    uint32_t depth;
    struct rf_err *err;
};

static enum rf_kind fail(const struct parser *parser, const char *what)
{
    return RF_FAIL(parser->err, RF_INVALID, "InvalidTemplate",
                   "The language expression '%.*s' is not valid: %s at position '%zu'.",
                   (int)RF_MIN(parser->text.len, 300), (const char *)parser->text.ptr, what,
                   parser->at + 1);
}

static void skip_blanks(struct parser *parser)
{
    while (parser->at < parser->text.len && rf_is_space(parser->text.ptr[parser->at])) parser->at++;
}

static bool comes(struct parser *parser, uint8_t c)
{
    skip_blanks(parser);
    return parser->at < parser->text.len && parser->text.ptr[parser->at] == c;
}

static bool take(struct parser *parser, uint8_t c)
{
    if (!comes(parser, c)) return false;
    parser->at++;
    return true;
}

static rf_str take_word(struct parser *parser)
{
    skip_blanks(parser);
    size_t from = parser->at;
    while (parser->at < parser->text.len) {
        uint8_t c = parser->text.ptr[parser->at];
        if (!rf_is_alnum(c) && c != '_' && c != '$') break;
        parser->at++;
    }
    return rf_slice(parser->text, from, parser->at);
}

static struct template_expr *new_expr(struct parser *parser, enum template_kind kind)
{
    struct template_expr *expr = rf_arena_new(parser->arena, struct template_expr, 1);
    if (expr == NULL) return NULL;
    expr->kind = kind;
    expr->column = (uint32_t)parser->at + 1;
    return expr;
}

static void add_child(struct template_expr *parent, struct template_expr *child)
{
    struct template_expr **link = &parent->first;
    while (*link != NULL) link = &(*link)->next;
    *link = child;
    parent->count++;
}

static enum rf_kind parse_any(struct parser *parser, struct template_expr **out);

static enum rf_kind give_literal(struct parser *parser, struct json_node *value,
                                 struct template_expr **out)
{
    struct template_expr *expr = new_expr(parser, TEMPLATE_LITERAL);
    if (expr == NULL || value == NULL) return rf_fail_memory(parser->err, parser->arena);
    expr->value = value;
    *out = expr;
    return RF_OK;
}

/* Behind the quote that opens it. */
static enum rf_kind parse_text(struct parser *parser, struct template_expr **out)
{
    struct rf_buf buf = rf_buf_in(parser->arena);
    for (;;) {
        if (parser->at == parser->text.len) return fail(parser, "a text is not closed");
        uint8_t c = parser->text.ptr[parser->at++];
        if (c == '\'') {
            bool doubled = parser->at < parser->text.len && parser->text.ptr[parser->at] == '\'';
            if (!doubled) break;
            parser->at++;
        }
        rf_buf_byte(&buf, c);
    }
    if (buf.failed) return rf_fail_memory(parser->err, parser->arena);
    return give_literal(parser, json_new_text(parser->arena, rf_buf_view(&buf)), out);
}

static enum rf_kind parse_number(struct parser *parser, struct template_expr **out)
{
    size_t from = parser->at;
    int64_t number;
    if (parser->text.ptr[parser->at] == '-') parser->at++;
    while (parser->at < parser->text.len && rf_is_digit(parser->text.ptr[parser->at])) parser->at++;
    if (!template_whole(rf_slice(parser->text, from, parser->at), &number)) {
        parser->at = from;
        return fail(parser, "a whole number of 64 bits is expected");
    }
    return give_literal(parser, json_new_i64(parser->arena, number), out);
}

static enum rf_kind check_call(struct parser *parser, struct template_expr *call)
{
    const struct template_function *f = call->function;
    if (call->ns.len > 0) return RF_OK;
    if (f == NULL)
        return RF_FAIL(parser->err, RF_INVALID, "InvalidTemplate",
                       "The template function '%.*s' at position '%u' is not valid.",
                       (int)RF_MIN(call->name.len, 100), (const char *)call->name.ptr,
                       call->column);
    if (call->count >= f->args_min && call->count <= f->args_max) return RF_OK;
    return RF_FAIL(parser->err, RF_INVALID, "InvalidTemplate",
                   "Unable to evaluate template language function '%s' at position '%u': function "
                   "requires %u to %u argument(s) while %u were provided.",
                   f->name, call->column, f->args_min, f->args_max, call->count);
}

static enum rf_kind parse_call(struct parser *parser, struct template_expr **out)
{
    struct template_expr *call = new_expr(parser, TEMPLATE_CALL);
    if (call == NULL) return rf_fail_memory(parser->err, parser->arena);
    call->name = take_word(parser);
    if (take(parser, '.')) {
        call->ns = call->name;
        call->name = take_word(parser);
        bool is_built_in =
            rf_str_eq_nocase(call->ns, RF_S("sys")) || rf_str_eq_nocase(call->ns, RF_S("az"));
        if (is_built_in) call->ns = (rf_str){0};
    }
    if (call->name.len == 0) return fail(parser, "a name is expected");
    if (!take(parser, '(')) return fail(parser, "behind the name of a function '(' is expected");
    while (!take(parser, ')')) {
        struct template_expr *arg = NULL;
        if (call->count > 0 && !take(parser, ',')) return fail(parser, "',' or ')' is expected");
        if (call->count == TEMPLATE_ARGS_MAX) return fail(parser, "there are too many arguments");
        RF_TRY(parse_any(parser, &arg));
        add_child(call, arg);
    }
    if (call->ns.len == 0) call->function = template_function_find(call->name);
    *out = call;
    return check_call(parser, call);
}

/* .name and [key] behind a value; '?' makes it null when it is not there. */
static enum rf_kind parse_members(struct parser *parser, struct template_expr **value)
{
    for (;;) {
        bool is_dot = take(parser, '.'), is_index = !is_dot && take(parser, '[');
        if (!is_dot && !is_index) return RF_OK;
        struct template_expr *member = new_expr(parser, TEMPLATE_MEMBER), *key = NULL;
        if (member == NULL) return rf_fail_memory(parser->err, parser->arena);
        member->is_safe = take(parser, '?');
        if (is_dot) {
            rf_str word = take_word(parser);
            if (word.len == 0) return fail(parser, "the name of a property is expected");
            RF_TRY(give_literal(parser, json_new_text(parser->arena, word), &key));
        } else {
            RF_TRY(parse_any(parser, &key));
            if (!take(parser, ']')) return fail(parser, "']' is expected");
        }
        add_child(member, *value);
        add_child(member, key);
        *value = member;
        /* A chain is a tree as deep as it is long. */
        if (++parser->depth > TEMPLATE_EXPR_DEPTH_MAX) return fail(parser, "it is too deep");
    }
}

static enum rf_kind parse_any(struct parser *parser, struct template_expr **out)
{
    uint32_t depth = parser->depth;
    if (++parser->depth > TEMPLATE_EXPR_DEPTH_MAX) return fail(parser, "it is too deep");
    skip_blanks(parser);
    if (parser->at == parser->text.len) return fail(parser, "the end is not expected");
    uint8_t c = parser->text.ptr[parser->at];
    if (c == '\'') {
        parser->at++;
        RF_TRY(parse_text(parser, out));
    } else if (rf_is_digit(c) || c == '-') {
        RF_TRY(parse_number(parser, out));
    } else {
        RF_TRY(parse_call(parser, out));
    }
    RF_TRY(parse_members(parser, out));
    parser->depth = depth;
    return RF_OK;
}

enum rf_kind template_expr_parse(rf_str text, struct rf_arena *arena, struct template_expr **out,
                                 struct rf_err *err)
{
    RF_ASSERT(template_is_expr(text));
    struct parser parser = {.text = text, .at = 1, .arena = arena, .err = err};
    struct template_expr *expr = NULL;
    if (text.len > TEMPLATE_EXPR_BYTES_MAX)
        return RF_FAIL(err, RF_INVALID, "InvalidTemplate",
                       "The language expression length limit exceeded. Limit: '%d' and actual: "
                       "'%zu'.",
                       TEMPLATE_EXPR_BYTES_MAX, text.len);
    RF_TRY(parse_any(&parser, &expr));
    if (!take(&parser, ']')) return fail(&parser, "the end of the expression is expected");
    skip_blanks(&parser);
    if (parser.at != text.len) return fail(&parser, "something stands behind its end");
    *out = expr;
    return RF_OK;
}

bool template_expr_is_runtime(const struct template_expr *expr)
{
    if (expr->kind == TEMPLATE_CALL && expr->function != NULL &&
        (expr->function->flags & TEMPLATE_RUNTIME) != 0)
        return true;
    for (const struct template_expr *child = expr->first; child != NULL; child = child->next)
        if (template_expr_is_runtime(child)) return true;
    return false;
}
