/* The condition of a rule: `selection and not 1 of filter_*`, and what version 1 wrote behind a pipe. */
#include "sigma/sigma_int.h"
#include "value/text.h"

enum token_kind {
    TOKEN_END,
    TOKEN_WORD,
    TOKEN_OPEN,
    TOKEN_CLOSE,
    TOKEN_PIPE,
    TOKEN_COMMA,
    TOKEN_COMPARE
};
struct token {
    enum token_kind kind;
    rf_str text;
};

struct parser {
    struct sigma_reader *reader;
    const struct sigma_search *searches;
    rf_str text;
    size_t at;
    uint32_t line, depth;
    struct token token; /* the present one */
    struct rf_err *err;
};

#define parse_fail(p, code, ...) SIGMA_FAIL((p)->err, (p)->line, RF_INVALID, code, __VA_ARGS__)
#define no_memory(p) rf_fail_memory((p)->err, (p)->reader->arena)

/* ---- tokens ----------------------------------------------------------------------------------------------------- */

static bool is_sign(uint8_t c) { return strchr("()|,<>=!", c) != NULL; }

static void advance(struct parser *p)
{
    static const enum token_kind kinds[] = {
        ['('] = TOKEN_OPEN, [')'] = TOKEN_CLOSE, ['|'] = TOKEN_PIPE, [','] = TOKEN_COMMA};
    rf_str s = p->text;
    while (p->at < s.len && rf_is_space(s.ptr[p->at])) p->at++;
    size_t from = p->at;
    if (from == s.len) {
        p->token = (struct token){TOKEN_END, rf_slice(s, from, from)};
        return;
    }
    uint8_t c = s.ptr[p->at++];
    enum token_kind kind = TOKEN_WORD;
    if (c == '<' || c == '>' || c == '=' || c == '!') {
        kind = TOKEN_COMPARE;
        if (p->at < s.len && s.ptr[p->at] == '=') p->at++;
    } else if (is_sign(c)) {
        kind = kinds[c];
    } else {
        while (p->at < s.len && !rf_is_space(s.ptr[p->at]) && !is_sign(s.ptr[p->at])) p->at++;
    }
    p->token = (struct token){kind, rf_slice(s, from, p->at)};
}

static bool at_word(const struct parser *p, const char *word)
{
    return p->token.kind == TOKEN_WORD && rf_str_eq_nocase(p->token.text, rf_str_of(word));
}
static bool take_word(struct parser *p, const char *word)
{
    if (!at_word(p, word)) return false;
    advance(p);
    return true;
}
static rf_str token_text(const struct parser *p)
{
    return p->token.kind == TOKEN_END ? RF_S("its end") : p->token.text;
}

/* ---- searches ------------------------------------------------------------------------------------------------------ */

/* A search that is used several times is one tree under several nodes. */
static enum rf_kind use_search(struct parser *p, const struct sigma_search *search,
                               struct sigma_node **out)
{
    struct sigma_node *node = sigma_node_new(p->reader, SIGMA_AND);
    if (node == NULL) return no_memory(p);
    *node = *search->node;
    node->next = NULL;
    if (search->size > SIGMA_NODES_MAX - RF_MIN(p->reader->node_count, (uint32_t)SIGMA_NODES_MAX))
        return parse_fail(p, "RuleTooLarge",
                          "the condition makes more than %d tests; split the rule",
                          SIGMA_NODES_MAX);
    p->reader->node_count += search->size;
    *out = node;
    return RF_OK;
}

static rf_str nth_search(const void *state, size_t index)
{
    const struct sigma_search *s = state;
    for (size_t i = 0; i < index && s->next != NULL; i++) s = s->next;
    return s->name;
}

static enum rf_kind unknown_search(struct parser *p, rf_str name)
{
    size_t count = 0;
    rf_str near;
    for (const struct sigma_search *s = p->searches; s != NULL; s = s->next) count++;
    if (rf_nearest(name, count, nth_search, p->searches, &near) != NULL)
        return parse_fail(
            p, "UnknownSearch",
            "the condition names '%.*s', which the detection does not have; did you mean '%.*s'?",
            RF_FMT(name), RF_FMT(near));
    return parse_fail(
        p, "UnknownSearch",
        "the condition names '%.*s', which the detection does not have; add it or correct the name",
        RF_FMT(name));
}

static enum rf_kind parse_search(struct parser *p, struct sigma_node **out)
{
    rf_str name = p->token.text;
    for (const struct sigma_search *s = p->searches; s != NULL; s = s->next)
        if (rf_str_eq(s->name, name)) {
            advance(p);
            return use_search(p, s, out);
        }
    return unknown_search(p, name);
}

/* `*` stands for any characters; both are short names. */
static bool name_matches(rf_str pattern, rf_str name)
{
    size_t p = 0, n = 0, star = SIZE_MAX, back = 0;
    while (n < name.len) {
        if (p < pattern.len && pattern.ptr[p] == '*') {
            star = p++;
            back = n;
        } else if (p < pattern.len && pattern.ptr[p] == name.ptr[n]) {
            p++;
            n++;
        } else if (star != SIZE_MAX) {
            p = star + 1;
            n = ++back;
        } else {
            return false;
        }
    }
    while (p < pattern.len && pattern.ptr[p] == '*') p++;
    return p == pattern.len;
}

/* `1 of x*`, `all of them`: the count was read. */
static enum rf_kind parse_of(struct parser *p, bool all, struct sigma_node **out)
{
    if (p->token.kind != TOKEN_WORD)
        return parse_fail(p, "BadCondition",
                          "'of' needs 'them' or a name such as selection_*, not %.*s",
                          RF_FMT(token_text(p)));
    rf_str pattern = at_word(p, "them") ? RF_S("*") : p->token.text;
    struct sigma_node *node = sigma_node_new(p->reader, all ? SIGMA_AND : SIGMA_OR), *last = NULL;
    if (node == NULL) return no_memory(p);
    for (const struct sigma_search *s = p->searches; s != NULL; s = s->next) {
        struct sigma_node *child;
        bool hidden = s->name.len > 0 && s->name.ptr[0] == '_' && pattern.ptr[0] != '_';
        if (hidden || !name_matches(pattern, s->name)) continue;
        RF_TRY(use_search(p, s, &child));
        sigma_node_add(node, &last, child);
    }
    if (node->first == NULL)
        return parse_fail(p, "UnknownSearch",
                          "no search of the detection matches '%.*s' of the condition; add one or "
                          "correct the name",
                          RF_FMT(p->token.text));
    advance(p);
    *out = node;
    return RF_OK;
}

static bool is_number(rf_str text)
{
    for (size_t i = 0; i < text.len; i++)
        if (!rf_is_digit(text.ptr[i])) return false;
    return text.len > 0;
}

/* ---- the grammar: or binds least, then and, then not ------------------------------------------------------------------ */

static enum rf_kind parse_or(struct parser *p, struct sigma_node **out);

static enum rf_kind parse_primary(struct parser *p, struct sigma_node **out)
{
    if (p->token.kind == TOKEN_OPEN) {
        advance(p);
        RF_TRY(parse_or(p, out));
        if (p->token.kind != TOKEN_CLOSE)
            return parse_fail(p, "BadCondition", "a bracket is open at '%.*s'; close it",
                              RF_FMT(token_text(p)));
        advance(p);
        return RF_OK;
    }
    if (p->token.kind != TOKEN_WORD || at_word(p, "and") || at_word(p, "or"))
        return parse_fail(p, "BadCondition",
                          "the condition has '%.*s' where the name of a search is needed",
                          RF_FMT(token_text(p)));
    rf_str word = p->token.text;
    size_t after_word = p->at;
    struct token present = p->token;
    bool all = at_word(p, "all"), one = at_word(p, "any") || rf_str_is(word, "1");
    if (all || one || is_number(word)) {
        advance(p);
        if (take_word(p, "of")) {
            if (all || one) return parse_of(p, all, out);
            return parse_fail(p, "BadCondition", "'%.*s of' is not defined; use 1 of or all of",
                              RF_FMT(word));
        }
        p->at = after_word; /* a search may be called all */
        p->token = present;
    }
    return parse_search(p, out);
}

/* The depth of brackets and nots is bounded, so the recursion is. */
static enum rf_kind parse_not(struct parser *p, struct sigma_node **out)
{
    if (++p->depth > SIGMA_DEPTH_MAX / 2)
        return parse_fail(p, "ConditionTooDeep", "the condition is nested more than %d deep",
                          SIGMA_DEPTH_MAX / 2);
    enum rf_kind kind;
    if (take_word(p, "not")) {
        kind = parse_not(p, out);
        if (kind == RF_OK) *out = sigma_node_not(p->reader, *out);
        if (kind == RF_OK && *out == NULL) return no_memory(p);
    } else {
        kind = parse_primary(p, out);
    }
    p->depth--;
    return kind;
}

static enum rf_kind parse_chain(struct parser *p, const char *word, enum sigma_op op,
                                enum rf_kind (*part)(struct parser *p, struct sigma_node **out),
                                struct sigma_node **out)
{
    struct sigma_node *first, *last = NULL;
    RF_TRY(part(p, &first));
    *out = first;
    if (!at_word(p, word)) return RF_OK;
    struct sigma_node *node = sigma_node_new(p->reader, op);
    if (node == NULL) return no_memory(p);
    sigma_node_add(node, &last, first);
    while (take_word(p, word)) {
        struct sigma_node *child;
        RF_TRY(part(p, &child));
        sigma_node_add(node, &last, child);
    }
    *out = node;
    return RF_OK;
}
static enum rf_kind parse_and(struct parser *p, struct sigma_node **out)
{
    return parse_chain(p, "and", SIGMA_AND, parse_not, out);
}
static enum rf_kind parse_or(struct parser *p, struct sigma_node **out)
{
    return parse_chain(p, "or", SIGMA_OR, parse_and, out);
}

/* ---- aggregations of version 1 -------------------------------------------------------------------------------------------- */

static enum rf_kind parse_function(struct parser *p, struct sigma_aggregation *a)
{
    static const struct {
        const char *name;
        enum sigma_correlation_type type;
    } functions[] = {
        {"count", SIGMA_EVENT_COUNT}, {"sum", SIGMA_VALUE_SUM}, {"avg", SIGMA_VALUE_AVG}};
    rf_str name = p->token.text;
    size_t f = 0;
    while (f < RF_COUNT(functions) && !at_word(p, functions[f].name)) f++;
    if (at_word(p, "near"))
        return parse_fail(
            p, "OldAggregation",
            "'near' was dropped from Sigma; write a correlation of the type temporal");
    if (f == RF_COUNT(functions))
        return parse_fail(p, "OldAggregation",
                          "'%.*s' behind the pipe is not supported; write a correlation rule "
                          "instead (count, sum and "
                          "avg are read)",
                          RF_FMT(name));
    a->type = functions[f].type;
    advance(p);
    if (p->token.kind != TOKEN_OPEN)
        return parse_fail(p, "BadCondition", "'%.*s' needs brackets", RF_FMT(name));
    advance(p);
    if (p->token.kind == TOKEN_WORD) {
        a->field = p->token.text;
        advance(p);
    }
    if (p->token.kind != TOKEN_CLOSE)
        return parse_fail(p, "BadCondition", "'%.*s(' is not closed", RF_FMT(name));
    advance(p);
    if (a->type == SIGMA_EVENT_COUNT && a->field.len > 0) a->type = SIGMA_VALUE_COUNT;
    if (a->type != SIGMA_EVENT_COUNT && a->field.len == 0)
        return parse_fail(p, "BadCondition", "'%.*s()' needs a field", RF_FMT(name));
    return RF_OK;
}

static enum rf_kind parse_groups(struct parser *p, struct sigma_aggregation *a)
{
    if (!take_word(p, "by")) return RF_OK;
    do {
        if (p->token.kind == TOKEN_COMMA) advance(p);
        if (p->token.kind != TOKEN_WORD) return parse_fail(p, "BadCondition", "'by' needs a field");
        if (a->group_count == SIGMA_GROUP_FIELDS_MAX)
            return parse_fail(p, "BadCondition", "more than %d fields behind 'by'",
                              SIGMA_GROUP_FIELDS_MAX);
        a->groups[a->group_count++] = p->token.text;
        advance(p);
    } while (p->token.kind == TOKEN_COMMA);
    return RF_OK;
}

static enum rf_kind parse_aggregation(struct parser *p, struct sigma_aggregation *a)
{
    static const struct {
        const char *sign;
        enum sigma_compare compare;
    } signs[] = {{"<", SIGMA_LT}, {"<=", SIGMA_LTE}, {">", SIGMA_GT},  {">=", SIGMA_GTE},
                 {"=", SIGMA_EQ}, {"==", SIGMA_EQ},  {"!=", SIGMA_NEQ}};
    advance(p);
    a->present = true;
    RF_TRY(parse_function(p, a));
    RF_TRY(parse_groups(p, a));
    size_t s = 0;
    while (s < RF_COUNT(signs) && !rf_str_is(p->token.text, signs[s].sign)) s++;
    if (p->token.kind != TOKEN_COMPARE || s == RF_COUNT(signs))
        return parse_fail(p, "BadCondition", "a comparison such as > 5 is needed at '%.*s'",
                          RF_FMT(token_text(p)));
    a->limit.compare = signs[s].compare;
    advance(p);
    if (p->token.kind != TOKEN_WORD || !text_to_real(p->token.text, &a->limit.number))
        return parse_fail(p, "BadCondition", "a number is needed at '%.*s'", RF_FMT(token_text(p)));
    advance(p);
    return RF_OK;
}

enum rf_kind sigma_read_condition(struct sigma_reader *r, rf_str text, uint32_t line,
                                  const struct sigma_search *searches, struct sigma_node **out,
                                  struct sigma_aggregation *aggregation, struct rf_err *err)
{
    struct parser p = {.reader = r, .searches = searches, .text = text, .line = line, .err = err};
    advance(&p);
    if (p.token.kind == TOKEN_END)
        return parse_fail(&p, "BadCondition",
                          "the condition is empty; name a search, such as selection");
    RF_TRY(parse_or(&p, out));
    if (p.token.kind == TOKEN_PIPE) RF_TRY(parse_aggregation(&p, aggregation));
    if (p.token.kind == TOKEN_END) return RF_OK;
    return parse_fail(&p, "BadCondition",
                      "the condition goes on with '%.*s' where and, or or its end is needed",
                      RF_FMT(token_text(&p)));
}
