/* graph_filter_kql.c - an OData $filter as a predicate of KQL. Literals go through json_put_string, or are written anew: nothing of the caller's text
 * reaches the query as it came. */
#include "base/encode.h"
#include "base/json.h"
#include "identity/graph_filter_tree_int.h"

enum { PLACES = 3 };

struct writer {
    const struct filter_column *columns;
    uint32_t count;
    const struct filter *lambda; /* the any() around; NULL: none */
    unsigned place;              /* that stands for '#' */
    struct rf_buf *out;
    struct rf_err *err;
};

static enum rf_kind bad(struct writer *w, const struct filter *f, const char *why)
{
    rf_str name = f->path.steps[0];
    return RF_FAIL(w->err, RF_INVALID, "Request_BadRequest", "Invalid filter clause: '%.*s' %s.",
                   (int)RF_MIN(name.len, (size_t)64), (const char *)name.ptr, why);
}

/* One step of the path of a column; *text moves behind it. */
static bool takes_step(rf_str *text, rf_str step)
{
    if (text->len < step.len || !rf_str_eq_nocase(rf_slice(*text, 0, step.len), step)) return false;
    *text = rf_slice(*text, step.len, text->len);
    if (text->len == 0) return true;
    if (text->ptr[0] != '/') return false;
    *text = rf_slice(*text, 1, text->len);
    return true;
}

static bool is_path(const struct writer *w, const struct filter *f, rf_str path)
{
    uint32_t i = 0;
    bool bound = w->lambda != NULL && rf_str_eq(f->path.steps[0], w->lambda->variable);
    if (bound) {
        i = 1;
        for (uint32_t k = 0; k < w->lambda->path.count; k++)
            if (path.len == 0 || !takes_step(&path, w->lambda->path.steps[k])) return false;
    }
    for (; i < f->path.count; i++)
        if (path.len == 0 || !takes_step(&path, f->path.steps[i])) return false;
    return path.len == 0;
}

static const struct filter_column *column_of(const struct writer *w, const struct filter *f)
{
    for (uint32_t i = 0; i < w->count; i++)
        if (is_path(w, f, rf_str_of(w->columns[i].path))) return &w->columns[i];
    return NULL;
}

static void put_expression(struct writer *w, const struct filter_column *column)
{
    for (const char *c = column->expression; *c != 0; c++)
        rf_buf_byte(w->out, *c == '#' ? (uint8_t)('0' + w->place) : (uint8_t)*c);
}

static enum rf_kind put_literal(struct writer *w, const struct filter *f,
                                const struct filter_column *column, const struct literal *literal)
{
    rf_usec time;
    switch (column->type) {
    case FILTER_TEXT:
        if (literal->type != LITERAL_TEXT && literal->type != LITERAL_NUMBER)
            return bad(w, f, "is a text");
        json_put_string(w->out, literal->text);
        return RF_OK;
    case FILTER_TIME:
        if (literal->type != LITERAL_TEXT || !time_parse_iso(literal->text, &time))
            return bad(w, f, "is a time, as 2026-01-31T12:00:00Z");
        rf_buf_printf(w->out, "datetime(%.*s)", RF_FMT(time_iso(w->out->arena, time)));
        return RF_OK;
    case FILTER_INTEGER:
        if (literal->type != LITERAL_NUMBER || rf_str_find(literal->text, RF_S("."), 0) != SIZE_MAX)
            return bad(w, f, "is a whole number");
        rf_buf_str(w->out, literal->text);
        return RF_OK;
    case FILTER_TRUTH:
        if (literal->type != LITERAL_TRUTH) return bad(w, f, "is true or false");
        rf_buf_str(w->out,
                   rf_str_eq_nocase(literal->text, RF_S("true")) ? RF_S("true") : RF_S("false"));
        return RF_OK;
    }
    return RF_OK;
}

static enum rf_kind put_compare(struct writer *w, const struct filter *f,
                                const struct filter_column *column)
{
    static const char *const text_words[] = {" =~ ", " !~ "};
    static const char *const words[] = {" == ", " != ", " > ", " >= ", " < ", " <= "};
    static const char *const calls[] = {
        [OP_STARTS] = " startswith ", [OP_ENDS] = " endswith ", [OP_CONTAINS] = " contains "};
    bool is_call = f->kind == FILTER_CALL;
    if (is_call && column->type != FILTER_TEXT) return bad(w, f, "is no text");
    if (!is_call && column->type == FILTER_TEXT && f->op > OP_NE)
        return bad(w, f, "is a text, which has no order here");
    if (!is_call && column->type == FILTER_TRUTH && f->op > OP_NE)
        return bad(w, f, "is true or false");
    if (!is_call && f->literal->type == LITERAL_NULL) {
        if (f->op > OP_NE) return bad(w, f, "cannot be ordered beside null");
        rf_buf_printf(w->out, "%s(", f->op == OP_EQ ? "isempty" : "isnotempty");
        put_expression(w, column);
        rf_buf_byte(w->out, ')');
        return RF_OK;
    }
    put_expression(w, column);
    rf_buf_str(w->out, rf_str_of(is_call                       ? calls[f->op]
                                 : column->type == FILTER_TEXT ? text_words[f->op]
                                                               : words[f->op]));
    return put_literal(w, f, column, f->literal);
}

static enum rf_kind put_in(struct writer *w, const struct filter *f,
                           const struct filter_column *column)
{
    put_expression(w, column);
    rf_buf_str(w->out, column->type == FILTER_TEXT ? RF_S(" in~ (") : RF_S(" in ("));
    for (const struct literal *l = f->literal; l != NULL; l = l->next) {
        if (l != f->literal) rf_buf_byte(w->out, ',');
        RF_TRY(put_literal(w, f, column, l));
    }
    rf_buf_byte(w->out, ')');
    return RF_OK;
}

static enum rf_kind put(struct writer *w, const struct filter *f);

static bool has_places(const struct writer *w, const struct filter *f)
{
    for (uint32_t i = 0; i < w->count; i++) {
        rf_str path = rf_str_of(w->columns[i].path);
        if (takes_step(&path, f->path.steps[0]) && strchr(w->columns[i].expression, '#') != NULL)
            return true;
    }
    return false;
}

static enum rf_kind put_any(struct writer *w, const struct filter *f)
{
    if (w->lambda != NULL || f->kind != FILTER_ANY || f->first == NULL)
        return bad(w, f, "can be asked with any(x: ...) only");
    unsigned places = has_places(w, f) ? PLACES : 1;
    w->lambda = f;
    for (w->place = 0; w->place < places; w->place++) {
        if (w->place > 0) rf_buf_str(w->out, RF_S(" or "));
        RF_TRY(put(w, f->first));
    }
    w->lambda = NULL;
    return RF_OK;
}

/* As deep as the parser nested, which is bounded. */
static enum rf_kind put(struct writer *w, const struct filter *f)
{
    const struct filter_column *column = NULL;
    bool is_leaf = f->kind == FILTER_COMPARE || f->kind == FILTER_IN || f->kind == FILTER_CALL;
    if (is_leaf) column = column_of(w, f);
    if (is_leaf && column == NULL) return bad(w, f, "is no property that can be filtered by");
    if (f->kind == FILTER_NOT) rf_buf_str(w->out, RF_S("not"));
    rf_buf_byte(w->out, '(');
    switch (f->kind) {
    case FILTER_AND:
    case FILTER_OR:
        for (const struct filter *part = f->first; part != NULL; part = part->next) {
            if (part != f->first)
                rf_buf_str(w->out, f->kind == FILTER_AND ? RF_S(" and ") : RF_S(" or "));
            RF_TRY(put(w, part));
        }
        break;
    case FILTER_NOT:
        RF_TRY(put(w, f->first));
        break;
    case FILTER_COMPARE:
    case FILTER_CALL:
        RF_TRY(put_compare(w, f, column));
        break;
    case FILTER_IN:
        RF_TRY(put_in(w, f, column));
        break;
    case FILTER_ANY:
    case FILTER_ALL:
        RF_TRY(put_any(w, f));
    }
    rf_buf_byte(w->out, ')');
    return RF_OK;
}

enum rf_kind filter_kql(const struct filter *filter, const struct filter_column *columns,
                        uint32_t count, struct rf_buf *out, struct rf_err *err)
{
    struct writer w = {.columns = columns, .count = count, .out = out, .err = err};
    return put(&w, filter);
}

bool filter_names(const struct filter *filter, const char *member)
{
    if (filter->path.count > 0 && rf_str_eq_nocase(filter->path.steps[0], rf_str_of(member)))
        return true;
    for (const struct filter *part = filter->first; part != NULL; part = part->next)
        if (filter_names(part, member)) return true;
    return false;
}
