#include "kql/row_literals.h"

#include <stdio.h>

#include "base/regex.h"
#include "kql/ast.h"
#include "kql/bind_int.h"
#include "kql/op.h"
#include "value/dyn.h"

enum { NUMBER_SCORE = 3, EQUAL_SCORE_MAX = 6, PART_SCORE_MAX = 12, DEPTH_MAX = 200 };

/* One of `items` is in the row; count 0: nothing is known. `score` is higher for what tells more. */
struct one_of {
    struct item {
        struct row_literal literal;
        uint32_t column; /* of the source */
    } * items;
    uint32_t count, score;
};

struct finder {
    const struct node *top, *scan;
    struct rf_arena *arena;
    bool no_memory;
};

rf_str row_literal_number(int64_t number, uint8_t out[ROW_NUMBER_BYTES])
{
    char text[ROW_NUMBER_BYTES];
    int len = snprintf(text, sizeof text, "\1%lld\2", (long long)number);
    RF_ASSERT(len > 0);
    RF_ASSERT(len < ROW_NUMBER_BYTES);
    memcpy(out, text, (size_t)len);
    return rf_str_make(out, (size_t)len);
}

/* ---- columns ------------------------------------------------------------------------------------------ */

/* The source's column that an expression is, under whatever name; UINT32_MAX: none. */
static uint32_t column_of(const struct finder *f, const struct expr *e)
{
    for (uint32_t steps = 0; e != NULL && e->kind == EXPR_COLUMN && steps < DEPTH_MAX; steps++) {
        uint32_t column = scan_column(f->scan, e->column_id);
        if (column != UINT32_MAX) return column;
        const struct expr *made = NULL;
        for (const struct node *n = f->top; n != f->scan && made == NULL; n = n->inputs[0]) {
            if (n->ops->column_expr == NULL) continue;
            made = n->ops->column_expr(n, e->column_id);
            if (made == e ||
                (made != NULL && made->kind == EXPR_COLUMN && made->column_id == e->column_id))
                made = NULL; /* passed on */
        }
        e = made;
    }
    return UINT32_MAX;
}

static enum type column_type(const struct finder *f, uint32_t column)
{
    return (enum type)scan_source(f->scan)->columns[column].type;
}

static bool is_whole(enum type type) { return type == TYPE_INT || type == TYPE_LONG; }

/* A column of whole numbers, also when it was widened for a comparison. */
static uint32_t number_column(const struct finder *f, const struct expr *e)
{
    while (e->kind == EXPR_CALL && e->arg_count == 1 && is_whole((enum type)e->type) &&
           (strcmp(e->func->name, "tolong") == 0 || strcmp(e->func->name, "toint") == 0))
        e = e->args[0];
    uint32_t column = column_of(f, e);
    return column != UINT32_MAX && is_whole(column_type(f, column)) ? column : UINT32_MAX;
}

static uint32_t text_column(const struct finder *f, const struct expr *e)
{
    uint32_t column = column_of(f, e);
    return column != UINT32_MAX && column_type(f, column) == TYPE_STRING ? column : UINT32_MAX;
}

/* ---- sets ----------------------------------------------------------------------------------------------- */

static const struct one_of nothing = {0};

static struct one_of with_room(struct finder *f, uint32_t count)
{
    struct one_of out = {.score = UINT32_MAX};
    if (count == 0 || count > ROW_LITERALS_MAX) return nothing;
    out.items = rf_arena_new(f->arena, struct item, count);
    f->no_memory |= out.items == NULL;
    return out.items == NULL ? nothing : out;
}

/* False: the text is too short to tell anything, so the whole set does not. */
static bool add_text(struct one_of *set, uint32_t column, rf_str text, bool nocase, uint32_t most)
{
    if (text.len < ROW_LITERAL_BYTES_MIN) return false;
    set->items[set->count++] = (struct item){{text, nocase}, column};
    set->score = RF_MIN(set->score, (uint32_t)RF_MIN(text.len, (size_t)most));
    return true;
}

static bool add_number(struct finder *f, struct one_of *set, uint32_t column, int64_t number)
{
    uint8_t raw[ROW_NUMBER_BYTES];
    struct item *item = &set->items[set->count++];
    *item = (struct item){.column = column};
    f->no_memory |= !rf_arena_str(f->arena, row_literal_number(number, raw), &item->literal.text);
    set->score = RF_MIN(set->score, (uint32_t)NUMBER_SCORE);
    return !f->no_memory;
}

static struct one_of either(struct finder *f, struct one_of a, struct one_of b)
{
    if (a.count == 0 || b.count == 0) return nothing;
    struct one_of out = with_room(f, a.count + b.count);
    if (out.items == NULL) return nothing;
    memcpy(out.items, a.items, a.count * sizeof *a.items);
    memcpy(out.items + a.count, b.items, b.count * sizeof *b.items);
    out.count = a.count + b.count;
    out.score = RF_MIN(a.score, b.score);
    return out;
}

static struct one_of better(struct one_of a, struct one_of b)
{
    if (a.count == 0 || b.count == 0) return a.count == 0 ? b : a;
    if (a.score != b.score) return a.score > b.score ? a : b;
    return a.count <= b.count ? a : b;
}

/* ---- conditions ------------------------------------------------------------------------------------------ */

/* A constant that is the same whenever the query is bound. */
static const struct value *constant(const struct expr *e)
{
    return e->kind == EXPR_CONST && !e->of_now && !e->value.null ? &e->value : NULL;
}

static struct one_of one_text(struct finder *f, const struct expr *left, const struct value *value,
                              bool nocase, uint32_t most)
{
    uint32_t column = text_column(f, left);
    if (column == UINT32_MAX || value == NULL || value->type != TYPE_STRING) return nothing;
    struct one_of out = with_room(f, 1);
    return out.items != NULL && add_text(&out, column, value->s, nocase, most) ? out : nothing;
}

static struct one_of one_number(struct finder *f, const struct expr *left,
                                const struct value *value)
{
    uint32_t column = number_column(f, left);
    if (column == UINT32_MAX || value == NULL || !is_whole((enum type)value->type)) return nothing;
    struct one_of out = with_room(f, 1);
    return out.items != NULL && add_number(f, &out, column, value->i) ? out : nothing;
}

static struct one_of equals(struct finder *f, const struct expr *e, bool nocase)
{
    const struct expr *left = e->args[0], *right = e->args[1];
    if (left->kind == EXPR_CONST) {
        left = e->args[1];
        right = e->args[0];
    }
    struct one_of text = one_text(f, left, constant(right), nocase, EQUAL_SCORE_MAX);
    return text.count > 0 ? text : one_number(f, left, constant(right));
}

/* How many values the constants of a list are; 0: not all are known. */
static uint32_t list_count(const struct expr *e)
{
    size_t count = 0;
    for (uint32_t i = 1; i < e->arg_count; i++) {
        const struct value *v = constant(e->args[i]);
        if (v == NULL) return 0;
        bool is_list = v->type == TYPE_DYNAMIC && dyn_tag(v->s) == DYN_ARRAY;
        count += is_list ? dyn_count(v->s) : 1;
    }
    return count > ROW_LITERALS_MAX ? 0 : (uint32_t)count;
}

static bool add_value(struct finder *f, struct one_of *set, const struct expr *left,
                      const struct value *v, bool nocase, uint32_t most)
{
    struct one_of one = one_text(f, left, v, nocase, most);
    if (one.count == 0 && most == EQUAL_SCORE_MAX) one = one_number(f, left, v);
    if (one.count == 0) return false;
    set->items[set->count++] = one.items[0];
    set->score = RF_MIN(set->score, one.score);
    return true;
}

static bool add_values(struct finder *f, struct one_of *set, const struct expr *left,
                       const struct value *v, bool nocase, uint32_t most)
{
    if (v->type != TYPE_DYNAMIC) return add_value(f, set, left, v, nocase, most);
    if (dyn_tag(v->s) != DYN_ARRAY) return false;
    for (uint32_t i = 0; i < dyn_count(v->s); i++) {
        struct value item = dyn_to_value(dyn_item(v->s, i));
        if (item.null || !add_value(f, set, left, &item, nocase, most)) return false;
    }
    return true;
}

/* One of the values of a list. */
static struct one_of listed(struct finder *f, const struct expr *e, bool nocase, uint32_t most)
{
    struct one_of out = with_room(f, list_count(e));
    for (uint32_t i = 1; i < e->arg_count && out.items != NULL; i++)
        if (!add_values(f, &out, e->args[0], constant(e->args[i]), nocase, most)) return nothing;
    return out;
}

/* All of a list: the one that tells most. */
static struct one_of all_listed(struct finder *f, const struct expr *e)
{
    const struct value *v = constant(e->args[1]);
    struct one_of best = nothing;
    if (v == NULL || v->type != TYPE_DYNAMIC || dyn_tag(v->s) != DYN_ARRAY) return nothing;
    for (uint32_t i = 0; i < dyn_count(v->s) && i < ROW_LITERALS_MAX; i++) {
        struct value item = dyn_to_value(dyn_item(v->s, i));
        if (!item.null) best = better(best, one_text(f, e->args[0], &item, true, PART_SCORE_MAX));
    }
    return best;
}

static struct one_of matched(struct finder *f, const struct expr *e)
{
    const struct value *pattern = constant(e->args[1]);
    const struct regex *re;
    struct one_of best = nothing;
    size_t count;
    if (pattern == NULL || pattern->type != TYPE_STRING ||
        regex_compile(pattern->s, 0, f->arena, &re, NULL) != RF_OK)
        return nothing;
    const struct regex_literal *literals = regex_literals(re, &count);
    for (size_t i = 0; i < count; i++) {
        struct value text = value_str(literals[i].text);
        best = better(best, one_text(f, e->args[0], &text, literals[i].nocase, PART_SCORE_MAX));
    }
    return best;
}

static struct one_of part(struct finder *f, const struct expr *e, bool nocase)
{
    return one_text(f, e->args[0], constant(e->args[1]), nocase, PART_SCORE_MAX);
}
static struct one_of in(struct finder *f, const struct expr *e, bool nocase)
{
    return listed(f, e, nocase, EQUAL_SCORE_MAX);
}
static struct one_of has_any(struct finder *f, const struct expr *e, bool nocase)
{
    return listed(f, e, nocase, PART_SCORE_MAX);
}
static struct one_of has_all(struct finder *f, const struct expr *e, bool nocase)
{
    (void)nocase;
    return all_listed(f, e);
}
static struct one_of regex(struct finder *f, const struct expr *e, bool nocase)
{
    (void)nocase;
    return matched(f, e);
}

static const struct {
    const char *name;
    bool nocase;
    struct one_of (*find)(struct finder *f, const struct expr *e, bool nocase);
} operators[] = {
    {"==", false, equals},
    {"=~", true, equals},
    {"in", false, in},
    {"in~", true, in},
    {"has", true, part},
    {"has_cs", false, part},
    {"contains", true, part},
    {"contains_cs", false, part},
    {"startswith", true, part},
    {"startswith_cs", false, part},
    {"endswith", true, part},
    {"endswith_cs", false, part},
    {"hasprefix", true, part},
    {"hasprefix_cs", false, part},
    {"hassuffix", true, part},
    {"hassuffix_cs", false, part},
    {"has_any", true, has_any},
    {"has_all", true, has_all},
    {"matches regex", false, regex},
};

static struct one_of needed(struct finder *f, const struct expr *e, uint32_t depth)
{
    if (e->kind != EXPR_CALL || e->arg_count < 2 || depth > DEPTH_MAX) return nothing;
    bool is_and = strcmp(e->func->name, "and") == 0, is_or = strcmp(e->func->name, "or") == 0;
    if (is_and || is_or) {
        struct one_of a = needed(f, e->args[0], depth + 1), b = needed(f, e->args[1], depth + 1);
        return is_and ? better(a, b) : either(f, a, b);
    }
    for (size_t i = 0; i < RF_COUNT(operators); i++)
        if (strcmp(operators[i].name, e->func->name) == 0)
            return operators[i].find(f, e, operators[i].nocase);
    return nothing;
}

/* ---- plans ------------------------------------------------------------------------------------------------- */

static bool put(struct finder *f, const struct one_of *set, struct row_literals *out)
{
    const struct source *source = scan_source(f->scan);
    struct row_literal *items = rf_arena_new(f->arena, struct row_literal, set->count);
    rf_str *columns = rf_arena_new(f->arena, rf_str, set->count);
    uint32_t count = 0;
    if (items == NULL || columns == NULL) return false;
    for (uint32_t i = 0; i < set->count; i++) {
        const struct item *item = &set->items[i];
        rf_str name = source->columns[item->column].name;
        uint32_t known = 0;
        items[i].nocase = item->literal.nocase;
        if (!rf_arena_str(f->arena, item->literal.text, &items[i].text)) return false;
        while (known < count && !rf_str_eq(columns[known], name)) known++;
        if (known < count) continue;
        if (!rf_arena_str(f->arena, name, &columns[count++])) return false;
    }
    *out = (struct row_literals){items, set->count, columns, count, source->column_count};
    return true;
}

bool node_row_literals(const struct node *node, struct rf_arena *arena, struct row_literals *out)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena own;
    struct finder f = {.top = node, .arena = &own};
    rf_arena_init_shared(&own, arena->budget);
    struct one_of best = nothing;
    *out = (struct row_literals){0};
    if (!node_by_rows(node)) return true;
    for (f.scan = node; f.scan->input_count == 1;) f.scan = f.scan->inputs[0];
    if (scan_source(f.scan) == NULL) return true;
    for (const struct node *n = node;; n = n->inputs[0]) {
        uint32_t count;
        struct expr *const *conjuncts =
            n == f.scan ? scan_predicates(n, &count) : where_conjuncts(n, &count);
        for (uint32_t i = 0; i < count; i++) best = better(best, needed(&f, conjuncts[i], 0));
        if (n == f.scan) break;
    }
    f.arena = arena;
    return !f.no_memory && (best.count == 0 || put(&f, &best, out));
}
