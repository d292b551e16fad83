#include "identity/graph_filter_tree_int.h"

#include <stdlib.h>

#include "base/encode.h"

/* ---- words -------------------------------------------------------------------------------------------------------------- */

struct parser {
    rf_str text;
    size_t at;
    struct rf_arena *arena;
    uint32_t nodes, depth;
    struct rf_err *err;
};

static enum rf_kind bad(struct parser *p, const char *expected)
{
    return RF_FAIL(p->err, RF_INVALID, "Request_BadRequest",
                   "Invalid filter clause: expected %s at position %zu.", expected, p->at);
}

static void skip_blanks(struct parser *p)
{
    while (p->at < p->text.len && p->text.ptr[p->at] == ' ') p->at++;
}

static bool take_byte(struct parser *p, uint8_t c)
{
    skip_blanks(p);
    if (p->at >= p->text.len || p->text.ptr[p->at] != c) return false;
    p->at++;
    return true;
}

static bool is_name_byte(uint8_t c) { return rf_is_alnum(c) || c == '_' || c == '@' || c == '.'; }

/* The name at `p`, which is not moved. */
static rf_str peek_name(struct parser *p)
{
    skip_blanks(p);
    size_t end = p->at;
    if (end < p->text.len && rf_is_digit(p->text.ptr[end])) return (rf_str){0};
    while (end < p->text.len && is_name_byte(p->text.ptr[end])) end++;
    return rf_slice(p->text, p->at, end);
}

static bool take_word(struct parser *p, const char *word)
{
    rf_str name = peek_name(p);
    if (!rf_str_eq_nocase(name, rf_str_of(word))) return false;
    p->at += name.len;
    return true;
}

/* "word(" with blanks between; nothing is taken otherwise. */
static bool take_call(struct parser *p, const char *word)
{
    size_t from = p->at;
    if (take_word(p, word) && take_byte(p, '(')) return true;
    p->at = from;
    return false;
}

static enum rf_kind new_node(struct parser *p, enum filter_kind kind, struct filter **out)
{
    if (++p->nodes > FILTER_NODES_MAX)
        return RF_FAIL(p->err, RF_INVALID, "Request_BadRequest",
                       "The filter clause has more than %d parts.", FILTER_NODES_MAX);
    *out = rf_arena_new(p->arena, struct filter, 1);
    if (*out == NULL) return rf_fail_memory(p->err, p->arena);
    (*out)->kind = kind;
    return RF_OK;
}

/* ---- literals ------------------------------------------------------------------------------------------------------------ */

/* 'it''s': a quote is doubled. */
static enum rf_kind take_quoted(struct parser *p, rf_str *out)
{
    struct rf_buf buf = rf_buf_in(p->arena);
    for (p->at++;; p->at++) {
        if (p->at >= p->text.len) return bad(p, "a closing quote");
        uint8_t c = p->text.ptr[p->at];
        if (c == '\'') {
            if (p->at + 1 >= p->text.len || p->text.ptr[p->at + 1] != '\'') break;
            p->at++;
        }
        rf_buf_byte(&buf, c);
    }
    p->at++;
    if (buf.failed) return rf_fail_memory(p->err, p->arena);
    *out = rf_buf_view(&buf);
    return RF_OK;
}

static bool is_number(rf_str text)
{
    size_t at = text.len > 0 && text.ptr[0] == '-' ? 1 : 0, digits = 0, dots = 0;
    for (; at < text.len; at++) {
        if (text.ptr[at] == '.')
            dots++;
        else if (rf_is_digit(text.ptr[at]))
            digits++;
        else
            return false;
    }
    return digits > 0 && digits < 18 && dots <= 1;
}

/* Numbers, truth values, null, and what stands without quotes: GUIDs and times. */
static enum rf_kind take_bare(struct parser *p, struct literal *out)
{
    size_t from = p->at;
    while (p->at < p->text.len) {
        uint8_t c = p->text.ptr[p->at];
        if (!rf_is_alnum(c) && c != '-' && c != ':' && c != '.' && c != '+') break;
        p->at++;
    }
    rf_str text = rf_slice(p->text, from, p->at);
    rf_usec ignored;
    *out = (struct literal){.type = LITERAL_TEXT, .text = text};
    if (rf_str_eq_nocase(text, RF_S("null")))
        out->type = LITERAL_NULL;
    else if (rf_str_eq_nocase(text, RF_S("true")) || rf_str_eq_nocase(text, RF_S("false")))
        out->type = LITERAL_TRUTH;
    else if (is_number(text))
        out->type = LITERAL_NUMBER;
    else if (!guid_is(text) && !time_parse_iso(text, &ignored)) {
        p->at = from;
        return bad(p, "a value");
    }
    return RF_OK;
}

static enum rf_kind take_literal(struct parser *p, struct literal **out)
{
    skip_blanks(p);
    struct literal *literal = rf_arena_new(p->arena, struct literal, 1);
    if (literal == NULL) return rf_fail_memory(p->err, p->arena);
    if (p->at >= p->text.len) return bad(p, "a value");
    if (p->text.ptr[p->at] == '\'')
        RF_TRY(take_quoted(p, &literal->text));
    else
        RF_TRY(take_bare(p, literal));
    *out = literal;
    return RF_OK;
}

/* ---- expressions --------------------------------------------------------------------------------------------------------- */

static enum rf_kind take_or(struct parser *p, struct filter **out);

static enum rf_kind take_path(struct parser *p, struct filter_path *path)
{
    do {
        rf_str name = peek_name(p);
        if (name.len == 0) return bad(p, "a property");
        if (path->count == FILTER_PATH_MAX) return bad(p, "a shorter path");
        p->at += name.len;
        path->steps[path->count++] = name;
        if (p->at >= p->text.len || p->text.ptr[p->at] != '/') return RF_OK;
        p->at++;
        rf_str word = peek_name(p);
        if (rf_str_is(word, "any") || rf_str_is(word, "all")) return RF_OK;
    } while (true);
}

static enum rf_kind take_list(struct parser *p, struct filter *node)
{
    struct literal **tail = &node->literal;
    if (!take_byte(p, '(')) return bad(p, "'('");
    do {
        if (++p->nodes > FILTER_NODES_MAX) return bad(p, "fewer values");
        RF_TRY(take_literal(p, tail));
        tail = &(*tail)->next;
    } while (take_byte(p, ','));
    return take_byte(p, ')') ? RF_OK : bad(p, "')'");
}

static enum rf_kind take_lambda(struct parser *p, struct filter *node)
{
    if (take_byte(p, ')')) return node->kind == FILTER_ANY ? RF_OK : bad(p, "a condition");
    node->variable = peek_name(p);
    if (node->variable.len == 0) return bad(p, "a variable");
    p->at += node->variable.len;
    if (!take_byte(p, ':')) return bad(p, "':'");
    RF_TRY(take_or(p, &node->first));
    return take_byte(p, ')') ? RF_OK : bad(p, "')'");
}

static enum rf_kind take_comparison(struct parser *p, struct filter **out)
{
    static const char *const words[] = {"eq", "ne", "gt", "ge", "lt", "le"};
    struct filter *node;
    RF_TRY(new_node(p, FILTER_COMPARE, &node));
    *out = node;
    RF_TRY(take_path(p, &node->path));
    if (take_call(p, "any")) {
        node->kind = FILTER_ANY;
        return take_lambda(p, node);
    }
    if (take_call(p, "all")) {
        node->kind = FILTER_ALL;
        return take_lambda(p, node);
    }
    if (take_word(p, "in")) {
        node->kind = FILTER_IN;
        return take_list(p, node);
    }
    for (size_t i = 0; i < RF_COUNT(words); i++) {
        if (!take_word(p, words[i])) continue;
        node->op = (enum compare_op)i;
        return take_literal(p, &node->literal);
    }
    return bad(p, "an operator");
}

static enum rf_kind take_function(struct parser *p, enum compare_op op, struct filter **out)
{
    RF_TRY(new_node(p, FILTER_CALL, out));
    (*out)->op = op;
    RF_TRY(take_path(p, &(*out)->path));
    if (!take_byte(p, ',')) return bad(p, "','");
    RF_TRY(take_literal(p, &(*out)->literal));
    return take_byte(p, ')') ? RF_OK : bad(p, "')'");
}

static enum rf_kind take_part(struct parser *p, struct filter **out)
{
    if (take_byte(p, '(')) {
        RF_TRY(take_or(p, out));
        return take_byte(p, ')') ? RF_OK : bad(p, "')'");
    }
    if (take_call(p, "startswith")) return take_function(p, OP_STARTS, out);
    if (take_call(p, "endswith")) return take_function(p, OP_ENDS, out);
    if (take_call(p, "contains")) return take_function(p, OP_CONTAINS, out);
    return take_comparison(p, out);
}

/* `not` binds closest; a row of them cancels out in pairs. */
static enum rf_kind take_not(struct parser *p, struct filter **out)
{
    bool negated = false;
    while (take_word(p, "not")) negated = !negated;
    if (!negated) return take_part(p, out);
    struct filter *node;
    RF_TRY(new_node(p, FILTER_NOT, &node));
    *out = node;
    return take_part(p, &node->first);
}

static enum rf_kind take_and(struct parser *p, struct filter **out)
{
    struct filter *first, *node;
    RF_TRY(take_not(p, &first));
    *out = first;
    if (!take_word(p, "and")) return RF_OK;
    RF_TRY(new_node(p, FILTER_AND, &node));
    node->first = first;
    do {
        RF_TRY(take_not(p, &first->next));
        first = first->next;
    } while (take_word(p, "and"));
    *out = node;
    return RF_OK;
}

static enum rf_kind take_or(struct parser *p, struct filter **out)
{
    struct filter *first, *node;
    if (++p->depth > FILTER_DEPTH_MAX)
        return RF_FAIL(p->err, RF_INVALID, "Request_BadRequest",
                       "The filter clause is nested more than %d deep.", FILTER_DEPTH_MAX);
    RF_TRY(take_and(p, &first));
    *out = first;
    if (take_word(p, "or")) {
        RF_TRY(new_node(p, FILTER_OR, &node));
        node->first = first;
        do {
            RF_TRY(take_and(p, &first->next));
            first = first->next;
        } while (take_word(p, "or"));
        *out = node;
    }
    p->depth--;
    return RF_OK;
}

enum rf_kind filter_parse(rf_str text, struct rf_arena *arena, struct filter **out,
                          struct rf_err *err)
{
    struct parser p = {.text = text, .arena = arena, .err = err};
    struct filter *filter;
    if (text.len > FILTER_BYTES_MAX)
        return RF_FAIL(err, RF_INVALID, "Request_BadRequest", "The filter clause is too long.");
    RF_TRY(take_or(&p, &filter));
    skip_blanks(&p);
    if (p.at < text.len) return bad(&p, "the end");
    *out = filter;
    return RF_OK;
}

/* ---- evaluation ---------------------------------------------------------------------------------------------------------- */

/* The variables of the any() and all() around. */
struct scope {
    rf_str name;
    const struct json_node *value;
    const struct scope *outer;
};

static const struct json_node *value_at(const struct filter_path *path,
                                        const struct json_node *document, const struct scope *scope)
{
    const struct json_node *at = document;
    uint32_t i = 0;
    for (; scope != NULL; scope = scope->outer) {
        if (!rf_str_eq(scope->name, path->steps[0])) continue;
        at = scope->value;
        i = 1;
        break;
    }
    for (; i < path->count && at != NULL; i++) at = json_get_nocase(at, path->steps[i]);
    return at;
}

static int compare_text(rf_str a, rf_str b)
{
    rf_usec x, y;
    if (time_parse_iso(a, &x) && time_parse_iso(b, &y)) return x < y ? -1 : x > y;
    size_t len = RF_MIN(a.len, b.len);
    for (size_t i = 0; i < len; i++) {
        uint8_t c = rf_lower(a.ptr[i]), d = rf_lower(b.ptr[i]);
        if (c != d) return c < d ? -1 : 1;
    }
    return a.len < b.len ? -1 : a.len > b.len;
}

static double number_of(rf_str text)
{
    char room[32];
    size_t len = RF_MIN(text.len, sizeof room - 1);
    memcpy(room, text.ptr, len);
    room[len] = '\0';
    return strtod(room, NULL);
}

/* How the value stands to the literal; false when the two cannot be compared. */
static bool compare(const struct json_node *value, const struct literal *literal, int *order)
{
    *order = 1;
    bool absent = value == NULL || value->type == JSON_T_NULL;
    if (literal->type == LITERAL_NULL || absent) {
        *order = absent && literal->type == LITERAL_NULL ? 0 : 1;
        return false;
    }
    if (value->type == JSON_T_TRUE || value->type == JSON_T_FALSE) {
        bool truth = rf_str_eq_nocase(literal->text, RF_S("true"));
        if (literal->type == LITERAL_TRUTH) *order = truth == (value->type == JSON_T_TRUE) ? 0 : 1;
        return false;
    }
    if (value->type == JSON_T_NUMBER && literal->type == LITERAL_NUMBER) {
        double x = number_of(value->text), y = number_of(literal->text);
        *order = x < y ? -1 : x > y;
        return true;
    }
    if (value->type != JSON_T_STRING || literal->type != LITERAL_TEXT) return false;
    *order = compare_text(value->text, literal->text);
    return true;
}

static bool compare_matches(enum compare_op op, const struct json_node *value,
                            const struct literal *literal)
{
    int order;
    bool ordered = compare(value, literal, &order);
    switch (op) {
    case OP_EQ:
        return order == 0;
    case OP_NE:
        return order != 0;
    case OP_GT:
        return ordered && order > 0;
    case OP_GE:
        return ordered && order >= 0;
    case OP_LT:
        return ordered && order < 0;
    case OP_LE:
        return ordered && order <= 0;
    default:
        return false;
    }
}

static bool contains_nocase(rf_str text, rf_str part)
{
    for (size_t at = 0; at + part.len <= text.len; at++)
        if (rf_str_eq_nocase(rf_slice(text, at, at + part.len), part)) return true;
    return false;
}

static bool call_matches(enum compare_op op, const struct json_node *value,
                         const struct literal *literal)
{
    if (!json_is(value, JSON_T_STRING) || literal->type != LITERAL_TEXT) return false;
    rf_str text = value->text, part = literal->text;
    if (part.len > text.len) return false;
    if (op == OP_STARTS) return rf_str_eq_nocase(rf_slice(text, 0, part.len), part);
    if (op == OP_ENDS) return rf_str_eq_nocase(rf_slice(text, text.len - part.len, text.len), part);
    return contains_nocase(text, part);
}

static bool in_matches(const struct json_node *value, const struct literal *literal)
{
    for (; literal != NULL; literal = literal->next)
        if (compare_matches(OP_EQ, value, literal)) return true;
    return false;
}

static bool matches(const struct filter *f, const struct json_node *document,
                    const struct scope *scope);

static bool lambda_matches(const struct filter *f, const struct json_node *document,
                           const struct scope *scope)
{
    const struct json_node *list = value_at(&f->path, document, scope);
    if (!json_is(list, JSON_T_ARRAY)) return f->kind == FILTER_ALL;
    if (f->first == NULL) return list->count > 0;
    for (const struct json_node *item = list->first; item != NULL; item = item->next) {
        struct scope inner = {.name = f->variable, .value = item, .outer = scope};
        if (matches(f->first, document, &inner) != (f->kind == FILTER_ALL))
            return f->kind == FILTER_ANY;
    }
    return f->kind == FILTER_ALL;
}

/* As deep as the parser nested, which is bounded. */
static bool matches(const struct filter *f, const struct json_node *document,
                    const struct scope *scope)
{
    switch (f->kind) {
    case FILTER_AND:
    case FILTER_OR:
        for (const struct filter *part = f->first; part != NULL; part = part->next)
            if (matches(part, document, scope) == (f->kind == FILTER_OR))
                return f->kind == FILTER_OR;
        return f->kind == FILTER_AND;
    case FILTER_NOT:
        return !matches(f->first, document, scope);
    case FILTER_COMPARE:
        return compare_matches(f->op, value_at(&f->path, document, scope), f->literal);
    case FILTER_IN:
        return in_matches(value_at(&f->path, document, scope), f->literal);
    case FILTER_CALL:
        return call_matches(f->op, value_at(&f->path, document, scope), f->literal);
    case FILTER_ANY:
    case FILTER_ALL:
        return lambda_matches(f, document, scope);
    }
    return false;
}

bool filter_match(const struct filter *filter, const struct json_node *document)
{
    return matches(filter, document, NULL);
}

/* ---- what it is about ---------------------------------------------------------------------------------------------------- */

struct checker {
    bool (*known)(const void *ctx, rf_str member);
    const void *ctx;
    const char *type;
    struct rf_err *err;
};

static enum rf_kind check(const struct checker *checker, const struct filter *f,
                          const struct scope *scope)
{
    if (f->path.count > 0) {
        bool bound = false;
        for (const struct scope *s = scope; s != NULL; s = s->outer)
            bound |= rf_str_eq(s->name, f->path.steps[0]);
        rf_str name = f->path.steps[0];
        if (!bound && !checker->known(checker->ctx, name))
            return RF_FAIL(checker->err, RF_INVALID, "Request_BadRequest",
                           "Invalid filter clause: Could not find a property named '%.*s' on type "
                           "'microsoft.graph.%s'.",
                           (int)RF_MIN(name.len, 64), (const char *)name.ptr, checker->type);
    }
    struct scope inner = {.name = f->variable, .outer = scope};
    for (const struct filter *part = f->first; part != NULL; part = part->next)
        RF_TRY(check(checker, part, f->variable.len > 0 ? &inner : scope));
    return RF_OK;
}

enum rf_kind filter_check(const struct filter *filter,
                          bool (*known)(const void *ctx, rf_str member), const void *ctx,
                          const char *type, struct rf_err *err)
{
    struct checker checker = {.known = known, .ctx = ctx, .type = type, .err = err};
    return check(&checker, filter, NULL);
}

static bool is_text_equal(const struct filter *f)
{
    return f->kind == FILTER_COMPARE && f->op == OP_EQ && f->literal->type == LITERAL_TEXT;
}

bool filter_needs(const struct filter *f, bool (*useful)(const void *ctx, rf_str member),
                  const void *ctx, rf_str *member, rf_str *value)
{
    if (f->kind == FILTER_AND) {
        for (const struct filter *part = f->first; part != NULL; part = part->next)
            if (part->kind != FILTER_AND && filter_needs(part, useful, ctx, member, value))
                return true;
        return false;
    }
    const struct filter *equal = f;
    if (f->kind == FILTER_ANY) {
        equal = f->first;
        if (equal == NULL || !is_text_equal(equal) || equal->path.count != 1 ||
            !rf_str_eq(equal->path.steps[0], f->variable))
            return false;
    }
    if (!is_text_equal(equal) || f->path.count != 1 || !useful(ctx, f->path.steps[0])) return false;
    *member = f->path.steps[0];
    *value = equal->literal->text;
    return true;
}
