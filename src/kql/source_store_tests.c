/* source_store_tests.c - from the predicates of a query to tests by which the store leaves out extents, blocks and
 * granules. A predicate that gives no test is skipped: the scan looks at each row that is left anyway. */
#include "base/term.h"
#include "kql/ast.h"
#include "kql/source_store.h"
#include "value/dyn.h"

enum { TERMS_MAX = 1024, VALUES_MAX = 10000 };

struct maker {
    const struct source *source;
    const struct scan *scan;
    struct rf_arena *arena;
    struct extent_test *tests;
    uint32_t count, cap;
    bool no_memory;
};

static struct extent_test *add(struct maker *m, uint32_t column, enum extent_test_kind kind)
{
    if (m->count == m->cap) {
        uint32_t cap = RF_MAX(m->cap * 2, 16u);
        struct extent_test *grown = rf_arena_new(m->arena, struct extent_test, cap);
        if (grown == NULL) {
            m->no_memory = true;
            return NULL;
        }
        if (m->count > 0) memcpy(grown, m->tests, m->count * sizeof *grown);
        m->tests = grown;
        m->cap = cap;
    }
    struct extent_test *test = &m->tests[m->count++];
    *test = (struct extent_test){.column = column, .kind = kind};
    test->low.null = test->high.null = true;
    return test;
}

/* The source's column that `e` is, without any conversion; UINT32_MAX: none. */
static uint32_t column_of(const struct maker *m, const struct expr *e)
{
    for (uint32_t i = 0; e->kind == EXPR_COLUMN && i < m->source->column_count; i++)
        if (m->scan->column_ids[i] == e->column_id) return i;
    return UINT32_MAX;
}

static bool is_ascii(rf_str text)
{
    for (size_t i = 0; i < text.len; i++)
        if (text.ptr[i] >= 0x80) return false;
    return true;
}

static const struct value *one_value(struct maker *m, const struct value *value)
{
    struct value *copy = rf_arena_raw(m->arena, struct value, 1);
    if (copy == NULL)
        m->no_memory = true;
    else
        *copy = *value;
    return copy;
}

/* ---- comparisons ------------------------------------------------------------------------------------------- */

static bool orders(enum type type)
{
    return type == TYPE_DATETIME || type == TYPE_TIMESPAN || type == TYPE_INT ||
           type == TYPE_LONG || type == TYPE_REAL;
}

/* A constant as a value of the column's type; false when it has no equal there. */
static bool fits_column(enum type column, const struct value *constant, struct value *out)
{
    *out = *constant;
    if (constant->null) return false;
    if (constant->type == column) return column != TYPE_REAL || constant->r == constant->r;
    bool whole = column == TYPE_INT || column == TYPE_LONG;
    if (!whole || (constant->type != TYPE_INT && constant->type != TYPE_LONG)) return false;
    out->type = (uint8_t)column;
    return true;
}

static void add_range(struct maker *m, uint32_t column, char side, const struct value *constant)
{
    enum type type = (enum type)m->source->columns[column].type;
    struct value value;
    if (!orders(type) || !fits_column(type, constant, &value)) return;
    struct extent_test *test = add(m, column, EXTENT_RANGE);
    if (test == NULL) return;
    test->low.type = test->high.type = (uint8_t)type;
    if (side == '>')
        test->low = value; /* the bound itself may be taken for a hit: nothing is lost */
    else
        test->high = value;
}

static void add_equals(struct maker *m, uint32_t column, const struct value *values, uint32_t count,
                       bool fold)
{
    struct extent_test *test = add(m, column, EXTENT_EQUALS);
    if (test == NULL) return;
    test->values = values;
    test->value_count = count;
    test->fold = fold;
}

static void add_equal(struct maker *m, uint32_t column, const struct value *constant, bool fold)
{
    enum type type = (enum type)m->source->columns[column].type;
    struct value value;
    if (type == TYPE_DYNAMIC || !fits_column(type, constant, &value)) return;
    /* Folding beyond ASCII is not the store's. */
    if (fold && (type != TYPE_STRING || !is_ascii(value.s))) return;
    if (type == TYPE_REAL || type == TYPE_DECIMAL) return; /* equal in value, not in form */
    const struct value *kept = one_value(m, &value);
    if (kept != NULL) add_equals(m, column, kept, 1, fold);
}

/* ---- lists ---------------------------------------------------------------------------------------------------- */

struct list {
    struct value *values;
    uint32_t count;
};

/* One value of a list; false: the list cannot be used. */
static bool list_add(struct list *list, enum type type, const struct value *value, bool fold)
{
    struct value fitting;
    if (!fits_column(type, value, &fitting) || list->count == VALUES_MAX) return false;
    if (fold && !is_ascii(fitting.s)) return false;
    list->values[list->count++] = fitting;
    return true;
}

static bool list_add_all(struct list *list, enum type type, const struct value *constant, bool fold)
{
    if (constant->type != TYPE_DYNAMIC) return list_add(list, type, constant, fold);
    if (constant->null || dyn_tag(constant->s) != DYN_ARRAY || dyn_count(constant->s) > VALUES_MAX)
        return false;
    for (uint32_t i = 0; i < dyn_count(constant->s); i++) {
        struct value item = dyn_to_value(dyn_item(constant->s, i));
        if (!list_add(list, type, &item, fold)) return false;
    }
    return true;
}

static void add_in(struct maker *m, uint32_t column, const struct expr *call, bool fold)
{
    enum type type = (enum type)m->source->columns[column].type;
    bool known = type == TYPE_STRING || type == TYPE_GUID || type_is_i64(type);
    if (!known || (fold && type != TYPE_STRING)) return;
    size_t cap = 0;
    for (uint32_t i = 1; i < call->arg_count; i++) {
        const struct expr *arg = call->args[i];
        if (arg->kind != EXPR_CONST) return;
        cap += arg->value.type == TYPE_DYNAMIC && !arg->value.null ? dyn_count(arg->value.s) : 1;
    }
    struct list list = {
        .values = rf_arena_new(m->arena, struct value, RF_MIN(cap, (size_t)VALUES_MAX) + 1)};
    m->no_memory |= list.values == NULL;
    bool usable = list.values != NULL;
    for (uint32_t i = 1; i < call->arg_count && usable; i++)
        usable = list_add_all(&list, type, &call->args[i]->value, fold);
    if (usable && list.count > 0) add_equals(m, column, list.values, list.count, fold);
}

/* ---- texts ----------------------------------------------------------------------------------------------------- */

struct terms {
    rf_str *items;
    uint32_t count;
};

/* Appends the whole terms of `part`, in lower case. A term of another than ASCII letters may be spelt in another way in
 * the rows, so it is left out. */
static bool terms_of(struct maker *m, rf_str part, struct terms *out)
{
    rf_str term;
    for (size_t at = 0; term_next(part, &at, &term);) {
        if (!is_ascii(term) || out->count == TERMS_MAX) continue;
        uint8_t *lower = rf_arena_alloc(m->arena, term.len);
        m->no_memory |= lower == NULL;
        if (lower == NULL) return false;
        for (size_t i = 0; i < term.len; i++) lower[i] = rf_lower(term.ptr[i]);
        out->items[out->count++] = rf_str_make(lower, term.len);
    }
    return true;
}

static bool terms_new(struct maker *m, struct terms *out)
{
    *out = (struct terms){.items = rf_arena_new(m->arena, rf_str, TERMS_MAX)};
    m->no_memory |= out->items == NULL;
    return out->items != NULL;
}

static void add_terms(struct maker *m, uint32_t column, const struct terms *terms,
                      enum extent_test_kind kind)
{
    if (terms->count == 0) return;
    struct extent_test *test = add(m, column, kind);
    if (test == NULL) return;
    test->terms = terms->items;
    test->term_count = terms->count;
}

static void add_contains(struct maker *m, uint32_t column, rf_str part, bool fold)
{
    if (part.len == 0 || (fold && !is_ascii(part))) return;
    struct value value = value_str(part);
    const struct value *kept = one_value(m, &value);
    struct extent_test *test = kept == NULL ? NULL : add(m, column, EXTENT_CONTAINS);
    if (test == NULL) return;
    test->values = kept;
    test->value_count = 1;
    test->fold = fold;
}

/* `has` wants the part with a border at both ends, so the terms in it are whole terms of the text. */
static void add_has(struct maker *m, uint32_t column, rf_str part, bool fold)
{
    struct terms terms;
    if (terms_new(m, &terms) && terms_of(m, part, &terms))
        add_terms(m, column, &terms, EXTENT_TERMS);
    if (!fold) add_contains(m, column, part, false);
}

/* Each item must give one term: with two, a text may have one of them and not the item. That loses nothing; an item
 * without any term could be anywhere. */
static void add_has_any(struct maker *m, uint32_t column, rf_str items)
{
    struct terms terms;
    if (dyn_tag(items) != DYN_ARRAY || dyn_count(items) > TERMS_MAX || !terms_new(m, &terms))
        return;
    for (uint32_t i = 0; i < dyn_count(items); i++) {
        rf_str item = dyn_item(items, i);
        uint32_t before = terms.count;
        if (dyn_tag(item) != DYN_STRING || !terms_of(m, dyn_string(item), &terms)) return;
        if (terms.count == before) return;
        terms.count = before + 1; /* the first of its terms is in every text that has the item */
    }
    add_terms(m, column, &terms, EXTENT_TERMS_ANY);
}

static void add_has_all(struct maker *m, uint32_t column, rf_str items)
{
    struct terms terms;
    if (dyn_tag(items) != DYN_ARRAY || !terms_new(m, &terms)) return;
    for (uint32_t i = 0; i < dyn_count(items); i++) {
        rf_str item = dyn_item(items, i);
        if (dyn_tag(item) == DYN_STRING && !terms_of(m, dyn_string(item), &terms)) return;
    }
    add_terms(m, column, &terms, EXTENT_TERMS);
}

static void add_text_test(struct maker *m, uint32_t column, rf_str name, const struct value *value)
{
    bool text = value->type == TYPE_STRING, list = value->type == TYPE_DYNAMIC && !value->null;
    if (m->source->columns[column].type != TYPE_STRING) return;
    if (text && rf_str_is(name, "has"))
        add_has(m, column, value->s, true);
    else if (text && rf_str_is(name, "has_cs"))
        add_has(m, column, value->s, false);
    else if (text && (rf_str_is(name, "contains") || rf_str_is(name, "startswith") ||
                      rf_str_is(name, "endswith")))
        add_contains(m, column, value->s, true);
    else if (text && (rf_str_is(name, "contains_cs") || rf_str_is(name, "startswith_cs") ||
                      rf_str_is(name, "endswith_cs")))
        add_contains(m, column, value->s, false);
    else if (list && rf_str_is(name, "has_any"))
        add_has_any(m, column, value->s);
    else if (list && rf_str_is(name, "has_all"))
        add_has_all(m, column, value->s);
}

/* ---- predicates --------------------------------------------------------------------------------------------------- */

static void compare(struct maker *m, uint32_t column, rf_str name, const struct value *constant,
                    bool turned)
{
    if (rf_str_is(name, "=="))
        add_equal(m, column, constant, false);
    else if (rf_str_is(name, "=~"))
        add_equal(m, column, constant, true);
    else if (name.ptr[0] == '<')
        add_range(m, column, turned ? '>' : '<', constant);
    else if (name.ptr[0] == '>')
        add_range(m, column, turned ? '<' : '>', constant);
    else if (!turned)
        add_text_test(m, column, name, constant);
}

static void take(struct maker *m, const struct expr *e)
{
    if (e->kind != EXPR_CALL || e->arg_count < 2) return;
    rf_str name = rf_str_of(e->func->name);
    if (rf_str_is(name, "and")) {
        take(m, e->args[0]);
        take(m, e->args[1]);
        return;
    }
    uint32_t left = column_of(m, e->args[0]), right = column_of(m, e->args[1]);
    if (rf_str_is(name, "in") || rf_str_is(name, "in~")) {
        if (left != UINT32_MAX) add_in(m, left, e, rf_str_is(name, "in~"));
    } else if (e->arg_count == 2 && left != UINT32_MAX && e->args[1]->kind == EXPR_CONST) {
        compare(m, left, name, &e->args[1]->value, false);
    } else if (e->arg_count == 2 && right != UINT32_MAX && e->args[0]->kind == EXPR_CONST) {
        compare(m, right, name, &e->args[0]->value, true);
    }
}

enum rf_kind source_store_tests(const struct source *source, const struct scan *scan,
                                struct rf_arena *arena, struct extent_test **tests, uint32_t *count,
                                struct rf_err *err)
{
    struct maker m = {.source = source, .scan = scan, .arena = arena};
    for (uint32_t i = 0; i < scan->predicate_count; i++) take(&m, scan->predicates[i]);
    if (m.no_memory) return rf_fail_memory(err, arena);
    *tests = m.tests;
    *count = m.count;
    return RF_OK;
}
