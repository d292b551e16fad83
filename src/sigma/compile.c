/* Rules without correlations: the log source, the fields, the condition. */
#include "base/json.h"
#include "sigma/compile_int.h"

#include "kql/func_ip.h"
#include "sigma/pattern.h"

enum { CHAIN_MAX = 200 };

#define no_memory(c) rf_fail_memory((c)->err, (c)->arena)

/* ---- tests of one field -------------------------------------------------------------------------------------------- */

static const char *const operators[2][4] = {{[SIGMA_WHOLE] = "=~",
                                             [SIGMA_CONTAINS] = "contains",
                                             [SIGMA_STARTS] = "startswith",
                                             [SIGMA_ENDS] = "endswith"},
                                            {[SIGMA_WHOLE] = "==",
                                             [SIGMA_CONTAINS] = "contains_cs",
                                             [SIGMA_STARTS] = "startswith_cs",
                                             [SIGMA_ENDS] = "endswith_cs"}};

static void put_regex(struct rf_buf *buf, const struct sigma_pattern *pattern, bool keyword)
{
    struct rf_buf text = rf_buf_in(buf->arena);
    rf_buf_str(&text, pattern->cased ? RF_S("(?s)") : RF_S("(?is)"));
    bool front = pattern->pieces[0].kind == SIGMA_MANY,
         behind = pattern->pieces[pattern->count - 1].kind == SIGMA_MANY;
    struct sigma_pattern middle = {.pieces = pattern->pieces + front,
                                   .count = pattern->count - front - behind};
    if (!front && !keyword) rf_buf_byte(&text, '^');
    pattern_put_regex(&text, &middle);
    if (!behind && !keyword) rf_buf_byte(&text, '$');
    rf_buf_str(buf, RF_S(" matches regex "));
    compile_literal(buf, rf_buf_view(&text));
    buf->failed = buf->failed || text.failed;
}

/* A pattern with one dash of windash between texts is five texts. */
static bool put_dashes(struct compiler *c, struct rf_buf *buf, rf_str column,
                       const struct sigma_pattern *pattern)
{
    static const char *const dashes[] = {"-", "/", "\xe2\x80\x93", "\xe2\x80\x94", "\xe2\x80\x95"};
    uint32_t count = 0;
    for (uint32_t i = 0; i < pattern->count; i++) {
        count += pattern->pieces[i].kind == SIGMA_DASH;
        if (pattern->pieces[i].kind == SIGMA_ONE) return false;
        bool inner = i > 0 && i + 1 < pattern->count;
        if (pattern->pieces[i].kind == SIGMA_MANY && inner) return false;
    }
    if (count != 1) return false;
    bool front = pattern->pieces[0].kind == SIGMA_MANY,
         behind = pattern->pieces[pattern->count - 1].kind == SIGMA_MANY;
    enum sigma_anchor anchor = front && behind ? SIGMA_CONTAINS
                               : front         ? SIGMA_ENDS
                               : behind        ? SIGMA_STARTS
                                               : SIGMA_WHOLE;
    for (size_t d = 0; d < RF_COUNT(dashes); d++) {
        struct rf_buf text = rf_buf_in(c->arena);
        for (uint32_t i = front; i < pattern->count - behind; i++)
            rf_buf_str(&text, pattern->pieces[i].kind == SIGMA_DASH ? rf_str_of(dashes[d])
                                                                    : pattern->pieces[i].text);
        rf_buf_printf(buf, "%s%.*s %s ", d == 0 ? "(" : " or ", RF_FMT(column),
                      operators[pattern->cased][anchor]);
        compile_literal(buf, rf_buf_view(&text));
        buf->failed = buf->failed || text.failed;
    }
    rf_buf_byte(buf, ')');
    return true;
}

static void put_pattern(struct compiler *c, struct rf_buf *buf, rf_str column,
                        const struct sigma_pattern *pattern)
{
    rf_str text;
    enum sigma_anchor anchor;
    if (pattern_is_simple(pattern, &text, &anchor)) {
        if (text.len == 0) {
            rf_buf_printf(buf, "%s(%.*s)", anchor == SIGMA_WHOLE ? "isempty" : "isnotempty",
                          RF_FMT(column));
            return;
        }
        rf_buf_printf(buf, "%.*s %s ", RF_FMT(column), operators[pattern->cased][anchor]);
        compile_literal(buf, text);
    } else if (!put_dashes(c, buf, column, pattern)) {
        rf_buf_str(buf, column);
        put_regex(buf, pattern, false);
    }
}

static bool is_whole_number(rf_str text)
{
    for (size_t i = 0; i < text.len; i++)
        if (!rf_is_digit(text.ptr[i])) return false;
    return text.len > 0 && text.len <= 18 && (text.len == 1 || text.ptr[0] != '0');
}

static void put_compare(struct rf_buf *buf, const struct sigma_atom *a, rf_str column)
{
    static const char *const signs[] = {[SIGMA_LESS] = "<",
                                        [SIGMA_LESS_EQUAL] = "<=",
                                        [SIGMA_GREATER] = ">",
                                        [SIGMA_GREATER_EQUAL] = ">=",
                                        [SIGMA_EQUAL] = "=="};
    static const char *const parts[] = {
        [SIGMA_MINUTE] = "minute",     [SIGMA_HOUR] = "hour",   [SIGMA_DAY] = "day",
        [SIGMA_WEEK] = "week_of_year", [SIGMA_MONTH] = "month", [SIGMA_YEAR] = "year"};
    rf_buf_str(buf, RF_S("coalesce("));
    if (a->part == SIGMA_NO_PART)
        rf_buf_printf(buf, "toreal(%.*s)", RF_FMT(column));
    else if (a->part == SIGMA_WEEK)
        rf_buf_printf(buf, "week_of_year(todatetime(%.*s))", RF_FMT(column));
    else
        rf_buf_printf(buf, "datetime_part('%s', todatetime(%.*s))", parts[a->part], RF_FMT(column));
    rf_buf_printf(buf, " %s real(%.17g), false)", signs[a->test], a->number);
}

static enum rf_kind put_field(struct compiler *c, struct rf_buf *buf, const struct sigma_atom *a,
                              rf_str column)
{
    const struct compile_field *other = compile_field(c, a->text);
    if (other == NULL) return no_memory(c);
    rf_buf_printf(buf, "(isnotempty(%.*s) and %.*s %s %.*s)", RF_FMT(other->column), RF_FMT(column),
                  operators[a->cased][a->anchor], RF_FMT(other->column));
    return RF_OK;
}

static void put_re(struct compiler *c, struct rf_buf *buf, const struct sigma_atom *a,
                   rf_str column)
{
    struct regex_scratch scratch;
    regex_scratch_init(&scratch, c->arena);
    /* An expression that finds nothing in nothing would find a missing field. */
    bool empty = regex_match(a->re, &scratch, (rf_str){NULL, 0}, NULL);
    if (empty) rf_buf_printf(buf, "(isnotempty(%.*s) and ", RF_FMT(column));
    rf_buf_printf(buf, "%.*s matches regex ", RF_FMT(column));
    compile_literal(buf, a->text);
    if (empty) rf_buf_byte(buf, ')');
}

static void put_cidr(struct rf_buf *buf, const struct sigma_atom *a, rf_str column)
{
    struct ip4 ip;
    rf_buf_printf(buf, "coalesce(%s(%.*s, ",
                  ip4_parse(a->text, &ip) ? "ipv4_is_in_range" : "ipv6_is_in_range",
                  RF_FMT(column));
    compile_literal(buf, a->text);
    rf_buf_str(buf, RF_S("), false)"));
}

/* ---- keywords -------------------------------------------------------------------------------------------------------- */

/* A text within the JSON of a dynamic value stands there with JSON's escapes. */
static bool escape_pattern(struct compiler *c, const struct sigma_pattern *pattern,
                           struct sigma_pattern *out)
{
    *out = *pattern;
    out->pieces = rf_arena_new(c->arena, struct sigma_piece, pattern->count);
    if (out->pieces == NULL) return false;
    for (uint32_t i = 0; i < pattern->count; i++) {
        struct rf_buf buf = rf_buf_in(c->arena);
        out->pieces[i] = pattern->pieces[i];
        if (pattern->pieces[i].kind != SIGMA_TEXT) continue;
        json_put_string(&buf, pattern->pieces[i].text);
        if (buf.failed) return false;
        out->pieces[i].text = rf_slice(rf_buf_view(&buf), 1, buf.len - 1);
    }
    return true;
}

static enum rf_kind put_keyword(struct compiler *c, struct rf_buf *buf, const struct sigma_atom *a)
{
    static const char *const where[] = {[LAYOUT_FLAT] = "*",
                                        [LAYOUT_NESTED] = "tostring(pack_all())",
                                        [LAYOUT_EVENT_DATA] = "tostring(EventData)",
                                        [LAYOUT_WINDOWS] = "tostring(Event)",
                                        [LAYOUT_SYSLOG] = "SyslogMessage",
                                        [LAYOUT_AUDITD] = "RawData"};
    rf_str column = rf_str_of(where[c->layout->form]);
    struct sigma_pattern pattern = a->pattern;
    if (layout_has_column(c->layout, RF_S("RawData")) && c->layout->form == LAYOUT_NESTED)
        column = RF_S("tostring(RawData)");
    bool json = c->layout->form == LAYOUT_NESTED || c->layout->form == LAYOUT_EVENT_DATA ||
                c->layout->form == LAYOUT_WINDOWS;
    if (a->test == SIGMA_REGEX) {
        rf_buf_printf(buf, "%.*s matches regex ", RF_FMT(column));
        compile_literal(buf, a->text);
        return RF_OK;
    }
    if (json && !escape_pattern(c, &a->pattern, &pattern)) return no_memory(c);
    put_pattern(c, buf, column, &pattern);
    return RF_OK;
}

static enum rf_kind put_atom(struct compiler *c, struct rf_buf *buf, const struct sigma_atom *a)
{
    if (a->field.len == 0) return put_keyword(c, buf, a);
    const struct compile_field *field = compile_field(c, a->field);
    if (field == NULL) return no_memory(c);
    rf_str column = field->column, text;
    if (field->number && a->test == SIGMA_MATCHES && pattern_is_plain(&a->pattern, &text) &&
        is_whole_number(text)) {
        rf_buf_printf(buf, "%.*s == %.*s", RF_FMT(column), RF_FMT(text));
        return RF_OK;
    }
    if (field->number) column = rf_arena_printf(c->arena, "tostring(%.*s)", RF_FMT(column));
    if (column.ptr == NULL) return no_memory(c);
    switch (a->test) {
    case SIGMA_MATCHES:
        put_pattern(c, buf, column, &a->pattern);
        return RF_OK;
    case SIGMA_REGEX:
        put_re(c, buf, a, column);
        return RF_OK;
    case SIGMA_CIDR:
        put_cidr(buf, a, column);
        return RF_OK;
    case SIGMA_IS_NULL:
        rf_buf_printf(buf, "isempty(%.*s)", RF_FMT(column));
        return RF_OK;
    case SIGMA_EXISTS:
        rf_buf_printf(buf, "isnotempty(%.*s)", RF_FMT(column));
        return RF_OK;
    case SIGMA_FIELD:
        return put_field(c, buf, a, column);
    default:
        put_compare(buf, a, column);
        return RF_OK;
    }
}

/* ---- conditions -------------------------------------------------------------------------------------------------------- */

/* An alternative that can join a list: one whole text of a field. */
static bool in_list(const struct sigma_node *node, rf_str *text)
{
    return node->op == SIGMA_ATOM && node->atom->test == SIGMA_MATCHES &&
           node->atom->field.len > 0 && pattern_is_plain(&node->atom->pattern, text) &&
           text->len > 0;
}

/* The alternatives from `node` on that make one list; fewer than two are none. */
static uint32_t list_length(const struct sigma_node *node)
{
    uint32_t count = 0;
    rf_str text;
    const struct sigma_node *first = node;
    for (; node != NULL && in_list(node, &text); node = node->next, count++)
        if (!rf_str_eq(node->atom->field, first->atom->field) ||
            node->atom->pattern.cased != first->atom->pattern.cased)
            break;
    return count;
}

static enum rf_kind put_list(struct compiler *c, struct rf_buf *buf, const struct sigma_node *node,
                             uint32_t count)
{
    const struct compile_field *field = compile_field(c, node->atom->field);
    if (field == NULL) return no_memory(c);
    bool numbers = field->number;
    rf_str text;
    const struct sigma_node *n = node;
    for (uint32_t i = 0; i < count; i++, n = n->next)
        numbers = numbers && in_list(n, &text) && is_whole_number(text);
    bool cased = node->atom->pattern.cased || numbers;
    rf_buf_printf(buf, field->number && !numbers ? "tostring(%.*s) %s (" : "%.*s %s (",
                  RF_FMT(field->column), cased ? "in" : "in~");
    for (uint32_t i = 0; i < count; i++, node = node->next) {
        if (i > 0) rf_buf_str(buf, RF_S(", "));
        (void)in_list(node, &text);
        if (numbers)
            rf_buf_str(buf, text);
        else
            compile_literal(buf, text);
    }
    rf_buf_byte(buf, ')');
    return RF_OK;
}

static void put_break(struct rf_buf *buf, uint32_t indent, const char *word)
{
    rf_buf_byte(buf, '\n');
    for (uint32_t i = 0; i < indent; i++) rf_buf_str(buf, RF_S("    "));
    rf_buf_printf(buf, "%s ", word);
}

/* Whether the children are worth lines of their own. */
static bool is_long(const struct sigma_node *node)
{
    uint32_t count = 0;
    for (const struct sigma_node *child = node->first; child != NULL; child = child->next)
        count += child->op == SIGMA_ATOM ? 1 : 3;
    return count > 3;
}

static bool is_chain(const struct sigma_node *node)
{
    uint32_t count = 0;
    for (const struct sigma_node *child = node->first; child != NULL; child = child->next) count++;
    return count > CHAIN_MAX;
}

/* The depth of conditions is bounded, so the recursion is. */
enum rf_kind compile_node(struct compiler *c, struct rf_buf *buf, const struct sigma_node *node,
                          uint32_t indent)
{
    if (node->op == SIGMA_ATOM) return put_atom(c, buf, node->atom);
    if (node->op == SIGMA_NOT) {
        rf_buf_str(buf, RF_S("not("));
        RF_TRY(compile_node(c, buf, node->first, indent + 1));
        rf_buf_byte(buf, ')');
        return RF_OK;
    }
    if (node->first == NULL) {
        rf_buf_str(buf, node->op == SIGMA_AND ? RF_S("true") : RF_S("false"));
        return RF_OK;
    }
    bool broken = is_long(node), first = true;
    bool single = node->first->next == NULL;
    uint32_t in_bracket = 0;
    bool parts = !single && is_chain(node);
    if (!single) rf_buf_str(buf, parts ? RF_S("((") : RF_S("("));
    for (const struct sigma_node *child = node->first; child != NULL; first = false) {
        uint32_t count = node->op == SIGMA_OR ? list_length(child) : 0;
        const char *word = node->op == SIGMA_AND ? "and" : "or";
        /* Long chains are bracketed in parts, as parsers bound how deep a chain builds on itself. */
        if (parts && ++in_bracket > CHAIN_MAX) {
            rf_buf_byte(buf, ')');
            put_break(buf, indent, word);
            rf_buf_byte(buf, '(');
            in_bracket = 1;
            first = true;
        }
        if (!first && broken) put_break(buf, indent, word);
        if (!first && !broken) rf_buf_printf(buf, " %s ", word);
        if (count < 2) {
            RF_TRY(compile_node(c, buf, child, indent + 1));
            child = child->next;
            continue;
        }
        RF_TRY(put_list(c, buf, child, count));
        for (; count > 0 && child != NULL; count--) child = child->next;
    }
    if (!single) rf_buf_str(buf, parts ? RF_S("))") : RF_S(")"));
    return RF_OK;
}

/* ---- a whole rule ---------------------------------------------------------------------------------------------------------- */

static enum rf_kind put_bound(struct compiler *c, struct rf_buf *buf, const char *key,
                              const char *list, bool *first)
{
    bool number;
    rf_str expression = compile_field_expression(c, rf_str_of(key), &number), value;
    uint32_t count = 0;
    if (expression.ptr == NULL) return no_memory(c);
    if (number) expression = rf_str_of(key);
    rf_buf_str(buf, *first ? RF_S("\n| where ") : RF_S(" and "));
    *first = false;
    for (const char *rest = list; layout_next_value(&rest, &value);) count++;
    rf_buf_printf(buf, "%.*s %s ", RF_FMT(expression),
                  count > 1 ? (number ? "in (" : "in~ (") : (number ? "==" : "=~"));
    for (uint32_t i = 0; layout_next_value(&list, &value); i++) {
        if (i > 0) rf_buf_str(buf, RF_S(", "));
        if (number)
            rf_buf_str(buf, value);
        else
            compile_literal(buf, value);
    }
    if (count > 1) rf_buf_byte(buf, ')');
    return RF_OK;
}

static enum rf_kind put_bounds(struct compiler *c, struct rf_buf *buf,
                               const struct layout_bounds *bounds)
{
    bool first = true;
    for (uint32_t b = 0; b < bounds->count; b++)
        for (size_t k = 0; k < LAYOUT_KEYS_MAX && c->layout->keys[k] != NULL; k++) {
            const char *list = bounds->items[b]->keys[k];
            /* The table says it already. */
            bool table = list != NULL && bounds->items[b]->table != NULL &&
                         strcmp(list, bounds->items[b]->table) == 0;
            if (list != NULL && !table) RF_TRY(put_bound(c, buf, c->layout->keys[k], list, &first));
        }
    return RF_OK;
}

static void put_extends(const struct compiler *c, struct rf_buf *buf)
{
    bool first = true;
    for (const struct compile_field *f = c->fields; f != NULL; f = f->next) {
        if (f->expression.len == 0 || f->number) continue;
        rf_buf_printf(buf, "%s%.*s = %.*s", first ? "\n| extend " : ",\n    ", RF_FMT(f->column),
                      RF_FMT(f->expression));
        first = false;
    }
}

enum rf_kind compile_rule(struct compiler *c, struct rf_buf *buf, const struct sigma_rule *rule,
                          const struct layout_bounds *bounds, const char *table, rf_str *table_used)
{
    struct rf_buf condition = rf_buf_in(c->arena);
    c->service_only = rule->logsource.category.len == 0;
    RF_TRY(compile_node(c, &condition, rule->condition, 1));
    const char *name = c->layout->table;
    if (bounds->count > 0 && bounds->items[0]->table != NULL) name = bounds->items[0]->table;
    if (table != NULL) name = table;
    *table_used = rf_str_of(name);
    compile_name(buf, *table_used);
    if (c->layout->form == LAYOUT_EVENT_DATA) RF_TRY(put_bounds(c, buf, bounds));
    if (c->layout->form == LAYOUT_EVENT_DATA) {
        rf_buf_str(buf, RF_S("\n| extend EventData = todynamic(EventData)"));
    } else {
        if (c->layout->form == LAYOUT_WINDOWS)
            rf_buf_str(buf, RF_S("\n| extend Event = todynamic(Event)"));
        RF_TRY(put_bounds(c, buf, bounds));
    }
    put_extends(c, buf);
    rf_buf_str(buf, RF_S("\n| where "));
    rf_buf_str(buf, rf_buf_view(&condition));
    return buf->failed || condition.failed ? no_memory(c) : RF_OK;
}

enum rf_kind compile_choose(const struct sigma_rule *rule, const struct layout *wanted,
                            const struct layout **out, struct layout_bounds *bounds,
                            struct rf_err *err)
{
    const char *why = NULL;
    *out = wanted;
    if (wanted == NULL) {
        for (size_t i = 0; i < layout_count(); i++)
            if (layout_sees(&layouts[i], &rule->logsource, bounds, &why)) {
                *out = &layouts[i];
                return RF_OK;
            }
    } else if (layout_sees(wanted, &rule->logsource, bounds, &why)) {
        return RF_OK;
    }
    const struct sigma_logsource *s = &rule->logsource;
    rf_str value = why != NULL && strcmp(why, "category") == 0  ? s->category
                   : why != NULL && strcmp(why, "service") == 0 ? s->service
                                                                : s->product;
    return RF_FAIL(
        err, RF_NOT_FOUND, "NoSuchEvents",
        "the layout %s has no events of the %s '%.*s' that the rule's logsource names; choose "
        "another layout "
        "('ringfort sigma layouts' lists them), or records for a table of that source alone",
        wanted == NULL ? "" : wanted->name, why == NULL ? "product" : why, RF_FMT(value));
}

enum rf_kind sigma_compile(const struct sigma_rule *rule, const struct compile_options *options,
                           struct rf_arena *arena, struct compiled *out, struct rf_err *err)
{
    struct rf_buf buf = rf_buf_in(arena);
    struct compiled done = {.layout = NULL};
    if (rule->correlation != NULL) {
        RF_TRY(compile_correlation(&buf, rule, options, arena, &done, err));
    } else {
        struct compiler c = {.arena = arena, .err = err};
        struct layout_bounds bounds;
        c.fields_end = &c.fields;
        RF_TRY(compile_choose(rule, options->layout, &c.layout, &bounds, err));
        RF_TRY(compile_rule(&c, &buf, rule, &bounds, options->table, &done.table));
        done.layout = c.layout;
    }
    rf_buf_byte(&buf, '\n');
    if (buf.failed) return rf_fail_memory(err, arena);
    done.query = rf_buf_view(&buf);
    *out = done;
    return RF_OK;
}
