/* list_filter.c - the $filter of resource lists (OData, the subset of contracts/arm section 6).
 *
 *   any   = all { "or" all }          all  = term { "and" term }
 *   term  = "(" any ")" | word ("eq" | "ne") text | "substringof(" text "," word ")" | "startswith(" word "," text ")"
 *   text  = "'" ... "'", a quote in it doubled
 *
 * tagName and tagValue in one `all` speak of the same tag. */
#include "arm/arm_int.h"

enum { FILTER_BYTES_MAX = 4096, FILTER_DEPTH_MAX = 16, SEGMENT_NONE = 1000000 };

enum op { OP_ANY, OP_ALL, OP_EQUAL, OP_UNEQUAL, OP_CONTAINS, OP_STARTS };

struct node {
    enum op op;
    rf_str word, text;         /* of a comparison */
    struct node *first, *next; /* operands */
};
struct filter {
    struct node *root; /* NULL: everything passes */
};

/* ---- parsing ------------------------------------------------------------------------------------------------------------- */

struct parser {
    rf_str text;
    size_t at;
    struct rf_arena *arena;
    uint32_t depth;
    struct rf_err *err;
};

static enum rf_kind fail(struct parser *parser, const char *what)
{
    return RF_FAIL(parser->err, RF_INVALID, "InvalidFilterInQueryString",
                   "Invalid $filter '%.*s' specified in the query string: %s at byte %zu.",
                   (int)RF_MIN(parser->text.len, 400), (const char *)parser->text.ptr, what,
                   parser->at);
}

static void skip_blanks(struct parser *parser)
{
    while (parser->at < parser->text.len && rf_is_space(parser->text.ptr[parser->at])) parser->at++;
}

static bool take_byte(struct parser *parser, uint8_t c)
{
    skip_blanks(parser);
    if (parser->at == parser->text.len || parser->text.ptr[parser->at] != c) return false;
    parser->at++;
    return true;
}

static rf_str peek_word(struct parser *parser)
{
    skip_blanks(parser);
    size_t to = parser->at;
    while (to < parser->text.len) {
        uint8_t c = parser->text.ptr[to];
        if (!rf_is_alnum(c) && c != '_' && c != '/' && c != '.' && c != '-') break;
        to++;
    }
    return rf_slice(parser->text, parser->at, to);
}

static bool take_word(struct parser *parser, const char *word)
{
    rf_str there = peek_word(parser);
    if (!rf_str_eq_nocase(there, rf_str_of(word))) return false;
    parser->at += there.len;
    return true;
}

static enum rf_kind read_text(struct parser *parser, rf_str *out)
{
    if (!take_byte(parser, '\'')) return fail(parser, "a text in single quotes is expected");
    struct rf_buf buf = rf_buf_in(parser->arena);
    while (parser->at < parser->text.len) {
        uint8_t c = parser->text.ptr[parser->at++];
        if (c == '\'') {
            bool doubled = parser->at < parser->text.len && parser->text.ptr[parser->at] == '\'';
            if (!doubled) {
                if (buf.failed) return rf_fail_memory(parser->err, parser->arena);
                *out = rf_buf_view(&buf);
                return RF_OK;
            }
            parser->at++;
        }
        rf_buf_byte(&buf, c);
    }
    return fail(parser, "a text does not end");
}

static enum rf_kind read_word(struct parser *parser, rf_str *out)
{
    *out = peek_word(parser);
    if (out->len == 0) return fail(parser, "a name is expected");
    parser->at += out->len;
    return RF_OK;
}

static enum rf_kind parse_call(struct parser *parser, struct node *node)
{
    bool contains = node->op == OP_CONTAINS;
    if (!take_byte(parser, '(')) return fail(parser, "'(' is expected");
    if (contains)
        RF_TRY(read_text(parser, &node->text));
    else
        RF_TRY(read_word(parser, &node->word));
    if (!take_byte(parser, ',')) return fail(parser, "',' is expected");
    if (contains)
        RF_TRY(read_word(parser, &node->word));
    else
        RF_TRY(read_text(parser, &node->text));
    return take_byte(parser, ')') ? RF_OK : fail(parser, "')' is expected");
}

static enum rf_kind parse_any(struct parser *parser, struct node **out);

static enum rf_kind parse_term(struct parser *parser, struct node **out)
{
    if (take_byte(parser, '(')) {
        if (++parser->depth > FILTER_DEPTH_MAX) return fail(parser, "it nests too deep");
        RF_TRY(parse_any(parser, out));
        parser->depth--;
        return take_byte(parser, ')') ? RF_OK : fail(parser, "')' is expected");
    }
    struct node *node = rf_arena_new(parser->arena, struct node, 1);
    if (node == NULL) return rf_fail_memory(parser->err, parser->arena);
    *out = node;
    bool contains = take_word(parser, "substringof");
    if (contains || take_word(parser, "startswith")) {
        node->op = contains ? OP_CONTAINS : OP_STARTS;
        return parse_call(parser, node);
    }
    RF_TRY(read_word(parser, &node->word));
    if (take_word(parser, "ne"))
        node->op = OP_UNEQUAL;
    else if (take_word(parser, "eq"))
        node->op = OP_EQUAL;
    else
        return fail(parser, "'eq' or 'ne' is expected");
    return read_text(parser, &node->text);
}

static enum rf_kind parse_list(struct parser *parser, enum op op, const char *word,
                               enum rf_kind (*parse)(struct parser *, struct node **),
                               struct node **out)
{
    struct node *list = rf_arena_new(parser->arena, struct node, 1), **end;
    if (list == NULL) return rf_fail_memory(parser->err, parser->arena);
    list->op = op;
    end = &list->first;
    do {
        RF_TRY(parse(parser, end));
        end = &(*end)->next;
    } while (take_word(parser, word));
    *out = list;
    return RF_OK;
}

static enum rf_kind parse_all(struct parser *parser, struct node **out)
{
    return parse_list(parser, OP_ALL, "and", parse_term, out);
}

static enum rf_kind parse_any(struct parser *parser, struct node **out)
{
    return parse_list(parser, OP_ANY, "or", parse_all, out);
}

/* ---- meaning --------------------------------------------------------------------------------------------------------------- */

static const char *const words[] = {"resourceType", "name",     "location",       "resourceGroup",
                                    "tagName",      "tagValue", "subscriptionId", "kind",
                                    "id",           "managedBy"};

static bool is_word(rf_str word, const char *name)
{
    return rf_str_eq_nocase(word, rf_str_of(name));
}

/* Depth is bounded by FILTER_DEPTH_MAX. */
static enum rf_kind check_words(struct parser *parser, const struct node *node)
{
    if (node->op > OP_ALL) {
        for (uint32_t i = 0; i < RF_COUNT(words); i++)
            if (is_word(node->word, words[i])) return RF_OK;
        return fail(parser, "a name is used that resources cannot be filtered by");
    }
    for (const struct node *n = node->first; n != NULL; n = n->next) RF_TRY(check_words(parser, n));
    return RF_OK;
}

enum rf_kind arm_filter_parse(rf_str text, struct rf_arena *arena, struct filter **out,
                              struct rf_err *err)
{
    struct parser parser = {.text = rf_str_trim(text), .arena = arena, .err = err};
    struct filter *filter = rf_arena_new(arena, struct filter, 1);
    if (filter == NULL) return rf_fail_memory(err, arena);
    *out = filter;
    if (parser.text.len == 0) return RF_OK;
    if (parser.text.len > FILTER_BYTES_MAX) return fail(&parser, "it is too long");
    RF_TRY(parse_any(&parser, &filter->root));
    skip_blanks(&parser);
    if (parser.at < parser.text.len)
        return fail(&parser, "something follows that is not understood");
    return check_words(&parser, filter->root);
}

/* Segment `index` (0: the first) of an id. */
static rf_str segment(rf_str id, uint32_t index)
{
    size_t at = 0;
    for (uint32_t i = 0; at < id.len; i++) {
        size_t from = ++at;
        while (at < id.len && id.ptr[at] != '/') at++;
        if (i == index) return rf_slice(id, from, at);
    }
    return (rf_str){0};
}

static rf_str value_of(const struct json_node *document, rf_str word)
{
    rf_str id = json_text_at(document, "id");
    if (is_word(word, "resourceType")) return json_text_at(document, "type");
    if (is_word(word, "subscriptionId")) return segment(id, 1);
    if (is_word(word, "resourceGroup"))
        return segment(id, is_word(segment(id, 2), "resourceGroups") ? 3 : SEGMENT_NONE);
    for (uint32_t i = 0; i < RF_COUNT(words); i++)
        if (is_word(word, words[i])) return json_text_at(document, words[i]);
    return (rf_str){0};
}

static bool contains_nocase(rf_str text, rf_str part)
{
    for (size_t at = 0; at + part.len <= text.len; at++)
        if (rf_str_eq_nocase(rf_slice(text, at, at + part.len), part)) return true;
    return false;
}

/* Whether there is a tag of that name and value; either may be any (ptr NULL). */
static bool has_tag(const struct json_node *document, rf_str name, rf_str value)
{
    const struct json_node *tags = json_get(document, "tags");
    const struct json_node *first = json_is(tags, JSON_T_OBJECT) ? tags->first : NULL;
    for (const struct json_node *tag = first; tag != NULL; tag = tag->next) {
        if (name.ptr != NULL && !rf_str_eq_nocase(tag->name, name)) continue;
        if (value.ptr == NULL || rf_str_eq(tag->text, value)) return true;
    }
    return false;
}

/* The tag name that the terms beside a tagValue speak of. */
static rf_str tag_name_beside(const struct node *all)
{
    const struct node *first = all == NULL ? NULL : all->first;
    for (const struct node *n = first; n != NULL; n = n->next)
        if (n->op == OP_EQUAL && is_word(n->word, "tagName")) return n->text;
    return (rf_str){0};
}

static rf_str not_null(rf_str text) { return text.ptr == NULL ? RF_S("") : text; }

static bool compare(const struct node *node, const struct node *all,
                    const struct json_node *document)
{
    bool equal;
    if (is_word(node->word, "tagName"))
        equal = has_tag(document, not_null(node->text), (rf_str){0});
    else if (is_word(node->word, "tagValue"))
        equal = has_tag(document, tag_name_beside(all), not_null(node->text));
    else
        equal = rf_str_eq_nocase(value_of(document, node->word), node->text);
    switch (node->op) {
    case OP_CONTAINS:
        return contains_nocase(value_of(document, node->word), node->text);
    case OP_STARTS: {
        rf_str value = value_of(document, node->word);
        return value.len >= node->text.len &&
               rf_str_eq_nocase(rf_slice(value, 0, node->text.len), node->text);
    }
    case OP_UNEQUAL:
        return !equal;
    default:
        return equal;
    }
}

/* Depth is bounded by FILTER_DEPTH_MAX. */
static bool passes(const struct node *node, const struct node *all,
                   const struct json_node *document)
{
    if (node->op > OP_ALL) return compare(node, all, document);
    bool any = node->op == OP_ANY;
    for (const struct node *n = node->first; n != NULL; n = n->next)
        if (passes(n, node, document) == any) return any;
    return !any;
}

bool arm_filter_passes(const struct filter *filter, const struct json_node *document)
{
    return filter == NULL || filter->root == NULL || passes(filter->root, NULL, document);
}

rf_str arm_filter_type(const struct filter *filter)
{
    const struct node *any = filter == NULL ? NULL : filter->root;
    if (any == NULL || any->first->next != NULL) return (rf_str){0};
    for (const struct node *n = any->first->first; n != NULL; n = n->next)
        if (n->op == OP_EQUAL && is_word(n->word, "resourceType")) return n->text;
    return (rf_str){0};
}
