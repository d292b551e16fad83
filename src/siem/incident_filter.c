/* incident_filter.c - see the header for the language. */
#include "siem/incident_filter.h"

#include "base/encode.h"
#include "value/text.h"

enum { TERMS_MAX = 200, STATUS_ALL = 7 };

enum op {
    OP_ANY,
    OP_ALL,
    OP_NOT,
    OP_EQ,
    OP_NE,
    OP_GT,
    OP_GE,
    OP_LT,
    OP_LE,
    OP_CONTAINS,
    OP_STARTS,
    OP_ENDS
};
enum literal_type { LITERAL_TEXT, LITERAL_NUMBER, LITERAL_BOOL, LITERAL_NULL };

struct node {
    enum op op;
    rf_str path, text;
    enum literal_type type;
    bool is_time, truth;
    rf_usec time;
    double number;
    struct node *first, *next; /* operands */
};
struct incident_filter {
    struct node *root; /* NULL: everything passes */
};

/* ---- parsing ------------------------------------------------------------------------------------------------------------ */

struct parser {
    rf_str text;
    size_t at;
    struct rf_arena *arena;
    uint32_t depth, terms;
    struct rf_err *err;
};

static enum rf_kind fail(struct parser *p, const char *what)
{
    return RF_FAIL(p->err, RF_INVALID, "InvalidFilter",
                   "The $filter '%.*s' is not valid: %s at position %zu.",
                   (int)RF_MIN(p->text.len, (size_t)400), (const char *)p->text.ptr, what, p->at);
}

static void skip_blanks(struct parser *p)
{
    while (p->at < p->text.len && rf_is_space(p->text.ptr[p->at])) p->at++;
}

static bool take_byte(struct parser *p, uint8_t c)
{
    skip_blanks(p);
    if (p->at == p->text.len || p->text.ptr[p->at] != c) return false;
    p->at++;
    return true;
}

/* Of a name, a path, a number, a time without quotes. */
static bool is_word_byte(uint8_t c)
{
    return rf_is_alnum(c) || c == '_' || c == '/' || c == '.' || c == '-' || c == ':' || c == '+';
}

static rf_str peek_word(struct parser *p)
{
    skip_blanks(p);
    size_t to = p->at;
    while (to < p->text.len) {
        if (!is_word_byte(p->text.ptr[to])) break;
        to++;
    }
    return rf_slice(p->text, p->at, to);
}

static bool take_word(struct parser *p, const char *word)
{
    rf_str there = peek_word(p);
    if (!rf_str_eq_nocase(there, rf_str_of(word))) return false;
    p->at += there.len;
    return true;
}

static enum rf_kind read_text(struct parser *p, rf_str *out)
{
    struct rf_buf buf = rf_buf_in(p->arena);
    if (!take_byte(p, '\'')) return fail(p, "a text in single quotes is expected");
    while (p->at < p->text.len) {
        uint8_t c = p->text.ptr[p->at++];
        if (c == '\'') {
            if (p->at == p->text.len || p->text.ptr[p->at] != '\'') {
                if (buf.failed) return rf_fail_memory(p->err, p->arena);
                *out = rf_buf_view(&buf);
                return RF_OK;
            }
            p->at++;
        }
        rf_buf_byte(&buf, c);
    }
    return fail(p, "a text does not end");
}

static enum rf_kind read_path(struct parser *p, rf_str *out)
{
    bool known;
    *out = peek_word(p);
    if (out->len == 0) return fail(p, "the name of a property is expected");
    (void)incident_path(NULL, *out, &known);
    if (!known) return fail(p, "incidents have no such property");
    p->at += out->len;
    return RF_OK;
}

static enum rf_kind read_literal(struct parser *p, struct node *node)
{
    skip_blanks(p);
    rf_str word = peek_word(p);
    bool is_quoted = p->at < p->text.len && p->text.ptr[p->at] == '\'';
    bool is_prefixed = rf_str_eq_nocase(word, RF_S("datetime")) && !is_quoted;
    if (is_prefixed) p->at += word.len; /* datetime'2024-01-01' of OData 3 */
    if (is_quoted || is_prefixed) {
        RF_TRY(read_text(p, &node->text));
        node->is_time = time_parse_iso(node->text, &node->time);
        return RF_OK;
    }
    if (word.len == 0) return fail(p, "a value is expected");
    node->text = word;
    node->truth = rf_str_eq_nocase(word, RF_S("true"));
    if (node->truth || rf_str_eq_nocase(word, RF_S("false")))
        node->type = LITERAL_BOOL;
    else if (rf_str_eq_nocase(word, RF_S("null")))
        node->type = LITERAL_NULL;
    else if (time_parse_iso(word, &node->time))
        node->is_time = true;
    else if (text_to_real(word, &node->number) && (rf_is_digit(word.ptr[0]) || word.ptr[0] == '-'))
        node->type = LITERAL_NUMBER;
    else if (!guid_is(word))
        return fail(p, "a text in quotes, a number, a time, true, false or null is expected");
    p->at += word.len;
    return RF_OK;
}

static enum rf_kind new_node(struct parser *p, enum op op, struct node **out)
{
    if (++p->terms > TERMS_MAX) return fail(p, "it has too many terms");
    *out = rf_arena_new(p->arena, struct node, 1);
    if (*out == NULL) return rf_fail_memory(p->err, p->arena);
    (*out)->op = op;
    return RF_OK;
}

/* "not" in front of a node. */
static enum rf_kind negate(struct parser *p, struct node **node)
{
    struct node *outer;
    RF_TRY(new_node(p, OP_NOT, &outer));
    outer->first = *node;
    *node = outer;
    return RF_OK;
}

static enum rf_kind parse_call(struct parser *p, struct node **out)
{
    struct node *node = *out;
    if (!take_byte(p, '(')) return fail(p, "'(' is expected");
    RF_TRY(read_path(p, &node->path));
    if (!take_byte(p, ',')) return fail(p, "',' is expected");
    RF_TRY(read_text(p, &node->text));
    if (!take_byte(p, ')')) return fail(p, "')' is expected");
    if (!take_word(p, "eq")) return RF_OK;
    if (take_word(p, "true")) return RF_OK;
    if (take_word(p, "false")) return negate(p, out);
    return fail(p, "true or false is expected");
}

static enum rf_kind parse_compare(struct parser *p, struct node *node)
{
    static const struct {
        const char *word;
        enum op op;
    } ops[] = {{"eq", OP_EQ}, {"ne", OP_NE}, {"gt", OP_GT},
               {"ge", OP_GE}, {"lt", OP_LT}, {"le", OP_LE}};
    RF_TRY(read_path(p, &node->path));
    for (size_t i = 0; i < RF_COUNT(ops); i++) {
        if (!take_word(p, ops[i].word)) continue;
        node->op = ops[i].op;
        return read_literal(p, node);
    }
    return fail(p, "eq, ne, gt, ge, lt or le is expected");
}

static enum rf_kind parse_any(struct parser *p, struct node **out);

/* Depth is bounded by INCIDENT_FILTER_DEPTH_MAX. */
static enum rf_kind parse_term(struct parser *p, struct node **out)
{
    static const struct {
        const char *word;
        enum op op;
    } calls[] = {{"contains", OP_CONTAINS}, {"startswith", OP_STARTS}, {"endswith", OP_ENDS}};
    bool is_negated = false;
    while (take_word(p, "not")) is_negated = !is_negated;
    if (take_byte(p, '(')) {
        if (++p->depth > INCIDENT_FILTER_DEPTH_MAX) return fail(p, "it nests too deep");
        RF_TRY(parse_any(p, out));
        p->depth--;
        if (!take_byte(p, ')')) return fail(p, "')' is expected");
        return is_negated ? negate(p, out) : RF_OK;
    }
    enum op op = OP_EQ;
    for (size_t i = 0; i < RF_COUNT(calls); i++)
        if (take_word(p, calls[i].word)) op = calls[i].op;
    RF_TRY(new_node(p, op, out));
    if (op != OP_EQ)
        RF_TRY(parse_call(p, out));
    else
        RF_TRY(parse_compare(p, *out));
    return is_negated ? negate(p, out) : RF_OK;
}

static enum rf_kind parse_list(struct parser *p, enum op op, const char *word,
                               enum rf_kind (*parse)(struct parser *, struct node **),
                               struct node **out)
{
    struct node *list, **end;
    RF_TRY(new_node(p, op, &list));
    end = &list->first;
    do {
        RF_TRY(parse(p, end));
        end = &(*end)->next;
    } while (take_word(p, word));
    *out = list;
    return RF_OK;
}

static enum rf_kind parse_all(struct parser *p, struct node **out)
{
    return parse_list(p, OP_ALL, "and", parse_term, out);
}

static enum rf_kind parse_any(struct parser *p, struct node **out)
{
    return parse_list(p, OP_ANY, "or", parse_all, out);
}

enum rf_kind incident_filter_parse(rf_str text, struct rf_arena *arena,
                                   struct incident_filter **out, struct rf_err *err)
{
    struct parser p = {.text = rf_str_trim(text), .arena = arena, .err = err};
    struct incident_filter *filter = rf_arena_new(arena, struct incident_filter, 1);
    if (filter == NULL) return rf_fail_memory(err, arena);
    if (p.text.len > INCIDENT_FILTER_BYTES_MAX) return fail(&p, "it is too long");
    if (p.text.len > 0) RF_TRY(parse_any(&p, &filter->root));
    skip_blanks(&p);
    if (p.at < p.text.len) return fail(&p, "something follows that is not understood");
    *out = filter;
    return RF_OK;
}

/* ---- paths ----------------------------------------------------------------------------------------------------------------- */

static const char *const paths[] = {"name",
                                    "id",
                                    "etag",
                                    "properties/title",
                                    "properties/description",
                                    "properties/severity",
                                    "properties/status",
                                    "properties/classification",
                                    "properties/classificationReason",
                                    "properties/classificationComment",
                                    "properties/createdTimeUtc",
                                    "properties/lastModifiedTimeUtc",
                                    "properties/firstActivityTimeUtc",
                                    "properties/lastActivityTimeUtc",
                                    "properties/incidentNumber",
                                    "properties/incidentUrl",
                                    "properties/providerName",
                                    "properties/providerIncidentId",
                                    "properties/labels",
                                    "properties/labels/labelName",
                                    "properties/owner/email",
                                    "properties/owner/assignedTo",
                                    "properties/owner/objectId",
                                    "properties/owner/userPrincipalName",
                                    "properties/owner/ownerType",
                                    "properties/relatedAnalyticRuleIds",
                                    "properties/additionalData/alertsCount",
                                    "properties/additionalData/bookmarksCount",
                                    "properties/additionalData/commentsCount",
                                    "properties/additionalData/alertProductNames",
                                    "properties/additionalData/tactics",
                                    "properties/additionalData/techniques"};

const struct json_node *incident_path(const struct json_node *incident, rf_str path, bool *known)
{
    const char *found = NULL;
    for (size_t i = 0; i < RF_COUNT(paths) && found == NULL; i++)
        if (rf_str_eq_nocase(path, rf_str_of(paths[i]))) found = paths[i];
    *known = found != NULL;
    const struct json_node *node = incident;
    for (rf_str rest = found == NULL ? RF_S("") : rf_str_of(found); rest.len > 0 && node != NULL;) {
        size_t slash = rf_str_find(rest, RF_S("/"), 0), end = RF_MIN(slash, rest.len);
        if (node->type == JSON_T_ARRAY) break; /* the items of a list have names of their own */
        node = json_get_str(node, rf_slice(rest, 0, end));
        rest = rf_slice(rest, RF_MIN(end + 1, rest.len), rest.len);
    }
    return found == NULL || json_is(node, JSON_T_NULL) ? NULL : node;
}

/* ---- meaning ------------------------------------------------------------------------------------------------------------------ */

static bool find_nocase(rf_str text, rf_str part)
{
    for (size_t at = 0; at + part.len <= text.len; at++)
        if (rf_str_eq_nocase(rf_slice(text, at, at + part.len), part)) return true;
    return false;
}

static int compare_nocase(rf_str a, rf_str b)
{
    size_t len = RF_MIN(a.len, b.len);
    for (size_t i = 0; i < len; i++) {
        int x = rf_lower(a.ptr[i]), y = rf_lower(b.ptr[i]);
        if (x != y) return x - y;
    }
    return (a.len > b.len) - (a.len < b.len);
}

static bool decide(enum op op, int order)
{
    switch (op) {
    case OP_EQ:
        return order == 0;
    case OP_NE:
        return order != 0;
    case OP_GT:
        return order > 0;
    case OP_GE:
        return order >= 0;
    case OP_LT:
        return order < 0;
    case OP_LE:
        return order <= 0;
    default:
        return false;
    }
}

static bool compare(const struct node *node, const struct json_node *value)
{
    rf_usec time;
    double number;
    rf_str text = value->text;
    switch (node->op) {
    case OP_CONTAINS:
        return find_nocase(text, node->text);
    case OP_STARTS:
        return text.len >= node->text.len &&
               rf_str_eq_nocase(rf_slice(text, 0, node->text.len), node->text);
    case OP_ENDS:
        return text.len >= node->text.len &&
               rf_str_eq_nocase(rf_slice(text, text.len - node->text.len, text.len), node->text);
    default:
        break;
    }
    if (node->type == LITERAL_BOOL)
        return decide(node->op, (value->type == JSON_T_TRUE) - (int)node->truth);
    if (node->is_time && time_parse_iso(text, &time))
        return decide(node->op, (time > node->time) - (time < node->time));
    if (value->type == JSON_T_NUMBER && text_to_real(text, &number)) {
        double other = node->number;
        if (node->type != LITERAL_NUMBER && !text_to_real(node->text, &other))
            return node->op == OP_NE;
        return decide(node->op, (number > other) - (number < other));
    }
    return decide(node->op, compare_nocase(text, node->text));
}

/* The text that an item of a list is known by. */
static const struct json_node *shown(const struct json_node *item)
{
    const struct json_node *name = json_get(item, "labelName");
    return name != NULL ? name : item;
}

static bool passes_leaf(const struct node *node, const struct json_node *incident)
{
    static const struct json_node nothing = {.type = JSON_T_STRING};
    bool known;
    const struct json_node *value = incident_path(incident, node->path, &known);
    if (node->type == LITERAL_NULL)
        return node->op == OP_EQ ? value == NULL : node->op == OP_NE && value != NULL;
    if (!json_is(value, JSON_T_ARRAY)) return compare(node, value == NULL ? &nothing : value);
    /* None of the items is it, rather than one of them is another. */
    struct node positive = *node;
    bool is_negative = node->op == OP_NE;
    if (is_negative) positive.op = OP_EQ;
    for (const struct json_node *item = value->first; item != NULL; item = item->next)
        if (compare(&positive, shown(item))) return !is_negative;
    return is_negative;
}

/* Depth is bounded by INCIDENT_FILTER_DEPTH_MAX. */
static bool passes(const struct node *node, const struct json_node *incident)
{
    if (node->op == OP_NOT) return !passes(node->first, incident);
    if (node->op > OP_NOT) return passes_leaf(node, incident);
    bool any = node->op == OP_ANY;
    for (const struct node *n = node->first; n != NULL; n = n->next)
        if (passes(n, incident) == any) return any;
    return !any;
}

bool incident_filter_passes(const struct incident_filter *filter, const struct json_node *incident)
{
    return filter == NULL || filter->root == NULL || passes(filter->root, incident);
}

/* ---- bounds ---------------------------------------------------------------------------------------------------------------------- */

static const struct incident_bounds no_bounds = {.statuses = STATUS_ALL,
                                                 .number_least = 0,
                                                 .number_most = INT64_MAX,
                                                 .created_least = INT64_MIN};

static struct incident_bounds bounds_of_status(const struct node *node)
{
    static const char *const names[] = {"New", "Active", "Closed"};
    struct incident_bounds bounds = no_bounds;
    unsigned mask = 0;
    if ((node->op != OP_EQ && node->op != OP_NE) || node->type != LITERAL_TEXT) return bounds;
    for (unsigned i = 0; i < RF_COUNT(names); i++)
        if (rf_str_eq_nocase(node->text, rf_str_of(names[i]))) mask = 1u << i;
    bounds.statuses = node->op == OP_EQ ? mask : STATUS_ALL & ~mask;
    return bounds;
}

static struct incident_bounds bounds_of_number(const struct node *node)
{
    struct incident_bounds bounds = no_bounds;
    if (node->type != LITERAL_NUMBER || !(node->number >= 0 && node->number < 1e12)) return bounds;
    int64_t number =
        (int64_t)node->number; /* a fraction is in between, which the filter itself tells */
    if (node->op == OP_EQ || node->op == OP_GE || node->op == OP_GT) bounds.number_least = number;
    if (node->op == OP_EQ || node->op == OP_LE || node->op == OP_LT)
        bounds.number_most = number + (node->op == OP_EQ ? 0 : 1);
    return bounds;
}

static struct incident_bounds bounds_of_leaf(const struct node *node)
{
    struct incident_bounds bounds = no_bounds;
    bool is_after = node->op == OP_EQ || node->op == OP_GE || node->op == OP_GT;
    if (rf_str_eq_nocase(node->path, RF_S("properties/status"))) return bounds_of_status(node);
    if (rf_str_eq_nocase(node->path, RF_S("properties/incidentNumber")))
        return bounds_of_number(node);
    if (rf_str_eq_nocase(node->path, RF_S("properties/createdTimeUtc")) && node->is_time &&
        is_after)
        bounds.created_least = node->time;
    return bounds;
}

static struct incident_bounds both(struct incident_bounds a, struct incident_bounds b)
{
    return (struct incident_bounds){.statuses = a.statuses & b.statuses,
                                    .number_least = RF_MAX(a.number_least, b.number_least),
                                    .number_most = RF_MIN(a.number_most, b.number_most),
                                    .created_least = RF_MAX(a.created_least, b.created_least)};
}

static struct incident_bounds either(struct incident_bounds a, struct incident_bounds b)
{
    return (struct incident_bounds){.statuses = a.statuses | b.statuses,
                                    .number_least = RF_MIN(a.number_least, b.number_least),
                                    .number_most = RF_MAX(a.number_most, b.number_most),
                                    .created_least = RF_MIN(a.created_least, b.created_least)};
}

/* Depth is bounded by INCIDENT_FILTER_DEPTH_MAX. What is negated bounds nothing. */
static struct incident_bounds bounds_of(const struct node *node)
{
    if (node->op == OP_NOT) return no_bounds;
    if (node->op > OP_NOT) return bounds_of_leaf(node);
    struct incident_bounds bounds = bounds_of(node->first);
    for (const struct node *n = node->first->next; n != NULL; n = n->next)
        bounds = node->op == OP_ANY ? either(bounds, bounds_of(n)) : both(bounds, bounds_of(n));
    return bounds;
}

struct incident_bounds incident_filter_bounds(const struct incident_filter *filter)
{
    return filter == NULL || filter->root == NULL ? no_bounds : bounds_of(filter->root);
}
