#include "authz/condition_int.h"

#include "base/encode.h"

enum compare {
    COMPARE_TEXT,
    COMPARE_TEXT_NOCASE,
    COMPARE_LIKE,
    COMPARE_LIKE_NOCASE,
    COMPARE_STARTS,
    COMPARE_STARTS_NOCASE,
    COMPARE_NUMBER,
    COMPARE_LESS,
    COMPARE_LESS_EQUAL,
    COMPARE_GREATER,
    COMPARE_GREATER_EQUAL
};
enum quantifier { ANY_OF_ANY, ALL_OF_ANY, ANY_OF_ALL, ALL_OF_ALL };
enum source { FROM_LITERAL, FROM_REQUEST, FROM_RESOURCE, FROM_PRINCIPAL, FROM_ENVIRONMENT };

struct operand {
    enum source source;
    rf_str attribute; /* behind @Source, without its brackets */
    struct words values;
};
enum node_kind {
    NODE_OR,
    NODE_AND,
    NODE_NOT,
    NODE_ACTION,
    NODE_SUB_OPERATION,
    NODE_EXISTS,
    NODE_COMPARE
};
struct condition { /* a node; the first one is the whole */
    enum node_kind kind;
    struct condition *left, *right; /* OR, AND; NOT: left */
    struct words patterns;          /* ACTION */
    struct operand a, b;            /* COMPARE; EXISTS: a */
    enum compare compare;
    enum quantifier quantifier;
    bool negated; /* the operator's name has a Not */
};

/* ---- reading --------------------------------------------------------------------------------------------- */

struct reader {
    rf_str text;
    size_t at;
    uint32_t nodes, depth;
    struct rf_arena *arena;
    struct rf_err *err;
};

static enum rf_kind bad(struct reader *reader, const char *what)
{
    return RF_FAIL(reader->err, RF_INVALID, "InvalidCondition",
                   "The condition cannot be read at character %zu: %s.", reader->at + 1, what);
}

static void skip_blanks(struct reader *reader)
{
    while (reader->at < reader->text.len && rf_is_space(reader->text.ptr[reader->at])) reader->at++;
}

/* Takes a sign when it comes next. */
static bool take(struct reader *reader, const char *sign)
{
    skip_blanks(reader);
    size_t len = strlen(sign);
    if (reader->text.len - reader->at < len) return false;
    if (memcmp(reader->text.ptr + reader->at, sign, len) != 0) return false;
    reader->at += len;
    return true;
}

static rf_str peek_word(struct reader *reader)
{
    skip_blanks(reader);
    size_t end = reader->at;
    while (end < reader->text.len && rf_is_alnum(reader->text.ptr[end])) end++;
    return rf_slice(reader->text, reader->at, end);
}

/* Takes a word, case ignored, when it comes next as a whole. */
static bool take_word(struct reader *reader, const char *word)
{
    rf_str next = peek_word(reader);
    if (!rf_str_eq_nocase(next, rf_str_of(word))) return false;
    reader->at += next.len;
    return true;
}

static enum rf_kind new_node(struct reader *reader, enum node_kind kind, struct condition **out)
{
    if (reader->nodes++ == CONDITION_NODES_MAX) return bad(reader, "it is too long");
    *out = rf_arena_new(reader->arena, struct condition, 1);
    if (*out == NULL) return rf_fail_memory(reader->err, reader->arena);
    (*out)->kind = kind;
    return RF_OK;
}

/* 'text' with '' for a quote, or a bare number, GUID or truth value. */
static enum rf_kind read_value(struct reader *reader, rf_str *out)
{
    bool quoted = take(reader, "'");
    size_t from = reader->at;
    while (reader->at < reader->text.len) {
        uint8_t c = reader->text.ptr[reader->at];
        if (quoted ? c == '\'' : !rf_is_alnum(c) && c != '-' && c != '.') break;
        reader->at++;
    }
    *out = rf_slice(reader->text, from, reader->at);
    if (quoted ? !take(reader, "'") : out->len == 0) return bad(reader, "a value is expected");
    return RF_OK;
}

/* {'a', 'b'}, or one value. */
static enum rf_kind read_values(struct reader *reader, struct words *out)
{
    enum { VALUES_MAX = 256 };
    rf_str values[VALUES_MAX];
    uint32_t count = 0;
    bool is_set = take(reader, "{");
    do {
        if (count == VALUES_MAX) return bad(reader, "a set has too many values");
        RF_TRY(read_value(reader, &values[count++]));
    } while (is_set && take(reader, ","));
    if (is_set && !take(reader, "}")) return bad(reader, "'}' is expected");
    out->items = rf_arena_new(reader->arena, rf_str, count);
    if (out->items == NULL) return rf_fail_memory(reader->err, reader->arena);
    memcpy(out->items, values, count * sizeof *values);
    out->count = count;
    return RF_OK;
}

static enum rf_kind read_operand(struct reader *reader, struct operand *out)
{
    static const char *const sources[] = {NULL, "Request", "Resource", "Principal", "Environment"};
    *out = (struct operand){.source = FROM_LITERAL};
    if (!take(reader, "@")) return read_values(reader, &out->values);
    for (size_t i = 1; i < RF_COUNT(sources) && out->source == FROM_LITERAL; i++)
        if (take_word(reader, sources[i])) out->source = (enum source)i;
    if (out->source == FROM_LITERAL) return bad(reader, "an attribute source is expected");
    if (!take(reader, "[")) return bad(reader, "'[' is expected");
    size_t end = rf_str_find(reader->text, RF_S("]"), reader->at);
    if (end == SIZE_MAX) return bad(reader, "']' is missing");
    out->attribute = rf_str_trim(rf_slice(reader->text, reader->at, end));
    reader->at = end + 1;
    return RF_OK;
}

static bool read_quantifier(struct reader *reader, enum quantifier *out)
{
    static const char *const names[] = {"ForAnyOfAnyValues", "ForAllOfAnyValues",
                                        "ForAnyOfAllValues", "ForAllOfAllValues"};
    *out = ANY_OF_ANY;
    for (size_t i = 0; i < RF_COUNT(names); i++) {
        if (!take_word(reader, names[i])) continue;
        *out = (enum quantifier)i;
        return take(reader, ":");
    }
    return true;
}

static enum rf_kind read_operator(struct reader *reader, struct condition *node)
{
    static const struct {
        const char *name;
        enum compare compare;
        bool negated;
    } operators[] = {{"StringEquals", COMPARE_TEXT, false},
                     {"StringNotEquals", COMPARE_TEXT, true},
                     {"StringEqualsIgnoreCase", COMPARE_TEXT_NOCASE, false},
                     {"StringNotEqualsIgnoreCase", COMPARE_TEXT_NOCASE, true},
                     {"StringLike", COMPARE_LIKE, false},
                     {"StringNotLike", COMPARE_LIKE, true},
                     {"StringLikeIgnoreCase", COMPARE_LIKE_NOCASE, false},
                     {"StringNotLikeIgnoreCase", COMPARE_LIKE_NOCASE, true},
                     {"StringStartsWith", COMPARE_STARTS, false},
                     {"StringNotStartsWith", COMPARE_STARTS, true},
                     {"StringStartsWithIgnoreCase", COMPARE_STARTS_NOCASE, false},
                     {"StringNotStartsWithIgnoreCase", COMPARE_STARTS_NOCASE, true},
                     {"GuidEquals", COMPARE_TEXT_NOCASE, false},
                     {"GuidNotEquals", COMPARE_TEXT_NOCASE, true},
                     {"BoolEquals", COMPARE_TEXT_NOCASE, false},
                     {"BoolNotEquals", COMPARE_TEXT_NOCASE, true},
                     {"NumericEquals", COMPARE_NUMBER, false},
                     {"NumericNotEquals", COMPARE_NUMBER, true},
                     {"NumericLessThan", COMPARE_LESS, false},
                     {"NumericLessThanEquals", COMPARE_LESS_EQUAL, false},
                     {"NumericGreaterThan", COMPARE_GREATER, false},
                     {"NumericGreaterThanEquals", COMPARE_GREATER_EQUAL, false}};
    if (!read_quantifier(reader, &node->quantifier)) return bad(reader, "':' is expected");
    for (size_t i = 0; i < RF_COUNT(operators); i++) {
        if (!take_word(reader, operators[i].name)) continue;
        node->compare = operators[i].compare;
        node->negated = operators[i].negated;
        return RF_OK;
    }
    return bad(reader, "an operator is expected");
}

static enum rf_kind read_or(struct reader *reader, struct condition **out);

static enum rf_kind read_matches(struct reader *reader, enum node_kind kind, struct condition **out)
{
    RF_TRY(new_node(reader, kind, out));
    return read_values(reader, &(*out)->patterns);
}

static enum rf_kind read_exists(struct reader *reader, bool negated, struct condition **out)
{
    RF_TRY(new_node(reader, NODE_EXISTS, out));
    (*out)->negated = negated;
    RF_TRY(read_operand(reader, &(*out)->a));
    return (*out)->a.source == FROM_LITERAL ? bad(reader, "an attribute is expected") : RF_OK;
}

static enum rf_kind read_comparison(struct reader *reader, struct condition **out)
{
    RF_TRY(new_node(reader, NODE_COMPARE, out));
    RF_TRY(read_operand(reader, &(*out)->a));
    RF_TRY(read_operator(reader, *out));
    return read_operand(reader, &(*out)->b);
}

static enum rf_kind read_primary(struct reader *reader, struct condition **out)
{
    if (take(reader, "(")) {
        RF_TRY(read_or(reader, out));
        return take(reader, ")") ? RF_OK : bad(reader, "')' is expected");
    }
    if (take_word(reader, "ActionMatches")) return read_matches(reader, NODE_ACTION, out);
    if (take_word(reader, "SubOperationMatches"))
        return read_matches(reader, NODE_SUB_OPERATION, out);
    if (take_word(reader, "Exists")) return read_exists(reader, false, out);
    if (take_word(reader, "NotExists")) return read_exists(reader, true, out);
    return read_comparison(reader, out);
}

/* The depth that parentheses and negations of a stranger may reach is bounded here, the only way back into read_or. */
static enum rf_kind read_not(struct reader *reader, struct condition **out)
{
    uint32_t negations = 0;
    while (take(reader, "!") || take_word(reader, "NOT")) negations++;
    if (++reader->depth > CONDITION_DEPTH_MAX) return bad(reader, "it is nested too deeply");
    RF_TRY(read_primary(reader, out));
    reader->depth--;
    if (negations % 2 == 0) return RF_OK;
    struct condition *inner = *out;
    RF_TRY(new_node(reader, NODE_NOT, out));
    (*out)->left = inner;
    return RF_OK;
}

static enum rf_kind join(struct reader *reader, enum node_kind kind, struct condition **left,
                         struct condition *right)
{
    struct condition *node;
    RF_TRY(new_node(reader, kind, &node));
    node->left = *left;
    node->right = right;
    *left = node;
    return RF_OK;
}

static enum rf_kind read_and(struct reader *reader, struct condition **out)
{
    RF_TRY(read_not(reader, out));
    while (take(reader, "&&") || take_word(reader, "AND")) {
        struct condition *right;
        RF_TRY(read_not(reader, &right));
        RF_TRY(join(reader, NODE_AND, out, right));
    }
    return RF_OK;
}

static enum rf_kind read_or(struct reader *reader, struct condition **out)
{
    RF_TRY(read_and(reader, out));
    while (take(reader, "||") || take_word(reader, "OR")) {
        struct condition *right;
        RF_TRY(read_and(reader, &right));
        RF_TRY(join(reader, NODE_OR, out, right));
    }
    return RF_OK;
}

enum rf_kind condition_parse(rf_str text, struct rf_arena *arena, struct condition **out,
                             struct rf_err *err)
{
    struct reader reader = {.text = text, .arena = arena, .err = err};
    struct condition *whole = NULL;
    if (text.len > CONDITION_BYTES_MAX) return bad(&reader, "it is too long");
    RF_TRY(read_or(&reader, &whole));
    skip_blanks(&reader);
    if (reader.at != text.len) return bad(&reader, "something follows its end");
    *out = whole;
    return RF_OK;
}

/* ---- holding --------------------------------------------------------------------------------------------- */

enum truth { NO, UNKNOWN, YES };

static enum truth truth_of(bool is) { return is ? YES : NO; }

/* The name of the resource, when the scope is one of the attribute's type: the last segments of both must agree. */
static bool name_in_scope(rf_str scope, rf_str type, rf_str *out)
{
    rf_str name = last_segment(scope);
    if (name.len + 1 >= scope.len) return false;
    rf_str kind = last_segment(rf_slice(scope, 0, scope.len - name.len - 1));
    *out = name;
    return rf_str_eq_nocase(kind, last_segment(type));
}

static bool attribute_value(const struct operand *operand, const struct condition_subject *subject,
                            rf_str *out)
{
    rf_str attribute = operand->attribute, type = RF_S("Microsoft.Authorization/roleAssignments");
    size_t colon = rf_str_find(attribute, RF_S(":"), 0);
    if (colon == SIZE_MAX || operand->source > FROM_RESOURCE) return false;
    rf_str owner = rf_slice(attribute, 0, colon);
    rf_str name = rf_slice(attribute, colon + 1, attribute.len);
    if (!rf_str_eq_nocase(owner, type))
        return operand->source == FROM_RESOURCE && rf_str_eq_nocase(name, RF_S("name")) &&
               name_in_scope(subject->scope, owner, out);
    *out = rf_str_eq_nocase(name, RF_S("RoleDefinitionId")) ? subject->role_id
           : rf_str_eq_nocase(name, RF_S("PrincipalId"))    ? subject->principal_id
           : rf_str_eq_nocase(name, RF_S("PrincipalType"))  ? subject->principal_type
                                                            : (rf_str){0};
    return out->len > 0;
}

static bool values_of(const struct operand *operand, const struct condition_subject *subject,
                      rf_str *one, struct words *out)
{
    if (operand->source == FROM_LITERAL) {
        *out = operand->values;
        return true;
    }
    *out = (struct words){.items = one, .count = 1};
    return attribute_value(operand, subject, one);
}

static bool read_number(rf_str text, int64_t *out)
{
    bool is_negative = text.len > 0 && text.ptr[0] == '-';
    int64_t sum = 0;
    for (size_t i = is_negative; i < text.len; i++) {
        if (!rf_is_digit(text.ptr[i]) || __builtin_mul_overflow(sum, 10, &sum) ||
            __builtin_sub_overflow(sum, text.ptr[i] - '0', &sum))
            return false;
    }
    if (!is_negative && __builtin_sub_overflow(0, sum, &sum)) return false;
    *out = sum;
    return text.len > (size_t)is_negative;
}

static bool compare_numbers(enum compare compare, rf_str a, rf_str b)
{
    int64_t x, y;
    if (!read_number(a, &x) || !read_number(b, &y)) return false;
    switch (compare) {
    case COMPARE_NUMBER:
        return x == y;
    case COMPARE_LESS:
        return x < y;
    case COMPARE_LESS_EQUAL:
        return x <= y;
    case COMPARE_GREATER:
        return x > y;
    default:
        return x >= y;
    }
}

/* '*' is any text, '?' one character. */
static bool is_like(rf_str text, rf_str pattern, bool nocase)
{
    size_t p = 0, t = 0, star = SIZE_MAX, resume = 0;
    while (t < text.len) {
        uint8_t c = p < pattern.len ? pattern.ptr[p] : 0;
        bool same = nocase ? rf_lower(c) == rf_lower(text.ptr[t]) : c == text.ptr[t];
        if (p < pattern.len && c == '*') {
            star = p++;
            resume = t;
        } else if (p < pattern.len && (same || c == '?')) {
            p++, t++;
        } else if (star != SIZE_MAX) {
            p = star + 1;
            t = ++resume;
        } else {
            return false;
        }
    }
    while (p < pattern.len && pattern.ptr[p] == '*') p++;
    return p == pattern.len;
}

static bool compare_values(const struct condition *node, rf_str a, rf_str b)
{
    bool is;
    switch (node->compare) {
    case COMPARE_TEXT:
        is = rf_str_eq(a, b);
        break;
    case COMPARE_TEXT_NOCASE:
        is = rf_str_eq_nocase(a, b);
        break;
    case COMPARE_LIKE:
    case COMPARE_LIKE_NOCASE:
        is = is_like(a, b, node->compare == COMPARE_LIKE_NOCASE);
        break;
    case COMPARE_STARTS:
        is = rf_str_starts(a, b);
        break;
    case COMPARE_STARTS_NOCASE:
        is = a.len >= b.len && rf_str_eq_nocase(rf_slice(a, 0, b.len), b);
        break;
    default:
        is = compare_numbers(node->compare, a, b);
        break;
    }
    return is != node->negated;
}

static bool one_fits(const struct condition *node, rf_str a, const struct words *b, bool all)
{
    for (uint32_t i = 0; i < b->count; i++)
        if (compare_values(node, a, b->items[i]) != all) return !all;
    return all;
}

static enum truth compare(const struct condition *node, const struct condition_subject *subject)
{
    rf_str one_a, one_b;
    struct words a, b;
    if (!values_of(&node->a, subject, &one_a, &a) || !values_of(&node->b, subject, &one_b, &b))
        return UNKNOWN;
    bool all_left = node->quantifier == ALL_OF_ANY || node->quantifier == ALL_OF_ALL;
    bool all_right = node->quantifier == ANY_OF_ALL || node->quantifier == ALL_OF_ALL;
    for (uint32_t i = 0; i < a.count; i++)
        if (one_fits(node, a.items[i], &b, all_right) != all_left) return truth_of(!all_left);
    return truth_of(all_left);
}

static bool action_is_among(const struct words *patterns, rf_str action)
{
    for (uint32_t i = 0; i < patterns->count; i++)
        if (action_matches(patterns->items[i], action)) return true;
    return false;
}

/* Leaves of the tree: what does not go deeper. */
static enum truth leaf_holds(const struct condition *node, const struct condition_subject *subject)
{
    rf_str value;
    switch (node->kind) {
    case NODE_ACTION:
        return truth_of(action_is_among(&node->patterns, subject->action));
    case NODE_SUB_OPERATION: /* nothing here has sub-operations */
        return NO;
    case NODE_EXISTS:
        return truth_of(attribute_value(&node->a, subject, &value) != node->negated);
    default:
        return compare(node, subject);
    }
}

/* Depth is bounded: chains of AND and OR lean to the left and are followed by a loop. */
static enum truth holds(const struct condition *node, const struct condition_subject *subject)
{
    if (node->kind == NODE_NOT) return (enum truth)(YES - holds(node->left, subject));
    if (node->kind != NODE_AND && node->kind != NODE_OR) return leaf_holds(node, subject);
    enum node_kind kind = node->kind;
    enum truth sum = kind == NODE_AND ? YES : NO;
    for (;;) {
        enum truth right = holds(kind == node->kind ? node->right : node, subject);
        sum = kind == NODE_AND ? RF_MIN(sum, right) : RF_MAX(sum, right);
        if (kind != node->kind) return sum;
        node = node->left;
    }
}

bool condition_holds(const struct condition *condition, const struct condition_subject *subject)
{
    return condition != NULL && holds(condition, subject) == YES;
}

/* ---- rows ------------------------------------------------------------------------------------------------ */

/* True for @Resource[.../tables/record:Column]; the mark that portals put behind a key says what holds anyway. */
static bool record_column(const struct operand *operand, rf_str *column)
{
    rf_str record = RF_S("Microsoft.OperationalInsights/workspaces/tables/record:");
    rf_str mark = RF_S("<$key_case_sensitive$>"), attribute = operand->attribute;
    if (operand->source != FROM_RESOURCE || attribute.len <= record.len ||
        !rf_str_eq_nocase(rf_slice(attribute, 0, record.len), record))
        return false;
    *column = rf_slice(attribute, record.len, attribute.len);
    if (rf_str_ends(*column, mark)) column->len -= mark.len;
    return column->len > 0;
}

static bool row_compare_of(enum compare compare, struct row_access *out)
{
    switch (compare) {
    case COMPARE_TEXT:
    case COMPARE_TEXT_NOCASE:
        out->compare = ROWS_EQUAL;
        break;
    case COMPARE_LIKE:
    case COMPARE_LIKE_NOCASE:
        out->compare = ROWS_HAS_TERM;
        break;
    case COMPARE_STARTS:
    case COMPARE_STARTS_NOCASE:
        out->compare = ROWS_STARTS;
        break;
    default:
        return false; /* a row's values are compared as texts only */
    }
    out->nocase = compare == COMPARE_TEXT_NOCASE || compare == COMPARE_LIKE_NOCASE ||
                  compare == COMPARE_STARTS_NOCASE;
    return true;
}

static bool copy_values(const struct words *values, struct row_access *out, struct rf_arena *arena)
{
    out->values = rf_arena_new(arena, rf_str, values->count);
    if (out->values == NULL) return false;
    for (; out->value_count < values->count; out->value_count++)
        if (!rf_arena_str(arena, values->items[out->value_count], &out->values[out->value_count]))
            return false;
    return true;
}

/* Of a comparison or Exists whose left side is a column; `wanted`: for which rows it is true, else false. */
static const struct row_access *leaf_rows(const struct condition *node, rf_str column, bool wanted,
                                          const struct condition_subject *subject,
                                          struct rf_arena *arena)
{
    rf_str one;
    struct words values;
    struct row_access *out = rf_arena_new(arena, struct row_access, 1);
    if (out == NULL || !rf_arena_str(arena, column, &out->column)) return NULL;
    out->negated = node->negated == wanted;
    out->kind = ROWS_FILLED;
    if (node->kind == NODE_EXISTS) return out;
    out->kind = ROWS_COMPARE;
    if (!row_compare_of(node->compare, out) || !values_of(&node->b, subject, &one, &values))
        return rows_fixed(false);
    bool all = node->quantifier == ANY_OF_ALL || node->quantifier == ALL_OF_ALL;
    out->all = all == wanted; /* not (a or b) is (not a) and (not b) */
    return copy_values(&values, out, arena) ? out : NULL;
}

/* The rows for which the node is true, or false when that is wanted: what is neither gives no rows in both. */
static const struct row_access *rows_of(const struct condition *node, bool wanted,
                                        const struct condition_subject *subject,
                                        struct rf_arena *arena)
{
    rf_str column;
    for (; node->kind == NODE_NOT; wanted = !wanted) node = node->left;
    if (node->kind != NODE_AND && node->kind != NODE_OR) {
        bool may_ask = node->kind == NODE_COMPARE || node->kind == NODE_EXISTS;
        if (may_ask && record_column(&node->a, &column))
            return leaf_rows(node, column, wanted, subject, arena);
        return rows_fixed(leaf_holds(node, subject) == (wanted ? YES : NO));
    }
    enum node_kind kind = node->kind;
    enum rows_kind joined = (kind == NODE_AND) == wanted ? ROWS_AND : ROWS_OR;
    const struct row_access *sum = rows_fixed(joined == ROWS_AND);
    for (; node->kind == kind; node = node->left)
        sum = rows_join(arena, joined, sum, rows_of(node->right, wanted, subject, arena));
    return rows_join(arena, joined, sum, rows_of(node, wanted, subject, arena));
}

const struct row_access *condition_rows(const struct condition *condition,
                                        const struct condition_subject *subject,
                                        struct rf_arena *arena)
{
    return rows_of(condition, true, subject, arena);
}
