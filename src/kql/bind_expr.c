#include "kql/bind_int.h"
#include "value/dyn.h"

enum { BIND_DEPTH_MAX = 500 };

/* ---- names ----------------------------------------------------------------------------------- */

static rf_str nth_column(const void *state, size_t index)
{
    return ((const struct schema *)state)->columns[index].name;
}

enum rf_kind bind_column(struct binder *b, const struct schema *schema, rf_str name, uint32_t pos,
                         struct column **out)
{
    int at = schema_find(schema, name);
    if (at >= 0) {
        *out = &schema->columns[at];
        return RF_OK;
    }
    if (schema->open)
        return bind_fail(b, pos, "OpenSchema",
                         "the column '%.*s' may exist, but only rows can tell, and there are none",
                         RF_FMT(name));
    rf_str near;
    if (rf_nearest(name, schema->count, nth_column, schema, &near) != NULL)
        return bind_fail(b, pos, "UnknownColumn",
                         "there is no column '%.*s' here; did you mean '%.*s'?", RF_FMT(name),
                         RF_FMT(near));
    return bind_fail(b, pos, "UnknownColumn", "there is no column '%.*s' here", RF_FMT(name));
}

static enum rf_kind bind_name(struct binder *b, const struct ast *ast, struct expr **out)
{
    static const struct schema none = {0};
    const struct schema *schema = b->rows.schema;
    int at = schema == NULL ? -1 : schema_find(schema, ast->text);
    if (at >= 0) {
        *out = expr_column(b, &schema->columns[at], ast->pos);
        return *out == NULL ? BIND_NOMEM(b) : RF_OK;
    }
    struct scope *s = scope_find(b, ast->text);
    if (s == NULL && schema != NULL && bind_may_lack(b, schema)) {
        struct value unknown = value_null(TYPE_DYNAMIC);
        *out = expr_const(b, &unknown, ast->pos);
        return *out == NULL ? BIND_NOMEM(b) : RF_OK;
    }
    if (s != NULL && s->kind == BINDING_SCALAR) {
        *out = s->expr;
        return bind_below(b, s->expr->depth, ast->pos);
    }
    if (s != NULL && s->kind == BINDING_LAMBDA) return bind_lambda_scalar(b, s, ast, out);
    if (s != NULL)
        return bind_fail(
            b, ast->pos, "NotScalar",
            "'%.*s' is a table; a scalar is needed here (toscalar() takes its first cell)",
            RF_FMT(ast->text));
    struct column *column;
    return bind_column(b, schema == NULL ? &none : schema, ast->text, ast->pos, &column);
}

static enum rf_kind bind_str(struct binder *b, rf_str text, uint32_t pos, struct expr **out)
{
    struct value v = value_str(text);
    *out = expr_const(b, &v, pos);
    return *out == NULL ? BIND_NOMEM(b) : RF_OK;
}

/* base.name: a column of $left or $right, of a graph element (a column called "a.b"), or a path of a dynamic. */
static enum rf_kind bind_member(struct binder *b, const struct ast *ast, struct expr **out)
{
    const struct ast *base = ast->kids[0];
    if (base->kind == AST_NAME &&
        (rf_str_is(base->text, "$left") || rf_str_is(base->text, "$right"))) {
        const struct schema *side = rf_str_is(base->text, "$left") ? b->rows.left : b->rows.right;
        struct column *column;
        if (side != NULL && side->open && schema_find(side, ast->text) < 0) {
            struct value unknown = value_null(TYPE_DYNAMIC);
            *out = expr_const(b, &unknown, ast->pos);
            return *out == NULL ? BIND_NOMEM(b) : RF_OK;
        }
        if (side == NULL)
            return bind_fail(b, base->pos, "BadSide",
                             "%.*s has a meaning only in a join's condition", RF_FMT(base->text));
        RF_TRY(bind_column(b, side, ast->text, ast->pos, &column));
        *out = expr_column(b, column, ast->pos);
        return *out == NULL ? BIND_NOMEM(b) : RF_OK;
    }
    if (base->kind == AST_NAME && b->rows.schema != NULL &&
        schema_find(b->rows.schema, base->text) < 0) {
        rf_str dotted =
            rf_arena_printf(b->arena, "%.*s.%.*s", RF_FMT(base->text), RF_FMT(ast->text));
        int at = schema_find(b->rows.schema, dotted);
        if (at >= 0) {
            *out = expr_column(b, &b->rows.schema->columns[at], ast->pos);
            return *out == NULL ? BIND_NOMEM(b) : RF_OK;
        }
    }
    struct expr *args[2];
    RF_TRY(bind_expr(b, base, &args[0]));
    if (args[0]->type != TYPE_DYNAMIC && args[0]->type != TYPE_STRING)
        return bind_fail(b, ast->pos, "NotDynamic", "'.%.*s' needs a dynamic value, this is a %s",
                         RF_FMT(ast->text), type_name(args[0]->type));
    RF_TRY(bind_cast(b, args[0], TYPE_DYNAMIC, &args[0]));
    RF_TRY(bind_str(b, ast->text, ast->pos, &args[1]));
    return bind_call(b, ast->pos, RF_S("_member"), args, 2, out);
}

static enum rf_kind bind_index(struct binder *b, const struct ast *ast, struct expr **out)
{
    struct expr *args[2];
    RF_TRY(bind_expr(b, ast->kids[0], &args[0]));
    RF_TRY(bind_expr(b, ast->kids[1], &args[1]));
    if (args[0]->type != TYPE_DYNAMIC && args[0]->type != TYPE_STRING)
        return bind_fail(b, ast->pos, "NotDynamic", "[..] needs a dynamic value, this is a %s",
                         type_name(args[0]->type));
    RF_TRY(bind_cast(b, args[0], TYPE_DYNAMIC, &args[0]));
    return bind_call(b, ast->pos, args[1]->type == TYPE_STRING ? RF_S("_member") : RF_S("_index"),
                     args, 2, out);
}

/* ---- operators --------------------------------------------------------------------------------- */

static enum rf_kind negate(struct binder *b, uint32_t pos, struct expr **e)
{
    return bind_call(b, pos, RF_S("not"), e, 1, e);
}

static rf_str modern_operator(rf_str op)
{
    if (rf_str_is(op, ":")) return RF_S("has");
    if (rf_str_is(op, "notcontains")) return RF_S("!contains");
    if (rf_str_is(op, "containscs")) return RF_S("contains_cs");
    return op;
}

/* * has "x": any column. */
static enum rf_kind bind_star_operation(struct binder *b, const struct ast *ast, struct expr **out)
{
    struct expr *any = NULL, *args[2], *one;
    const struct schema *schema = b->rows.schema;
    RF_TRY(bind_expr(b, ast->kids[1], &args[1]));
    for (uint32_t i = 0; schema != NULL && i < schema->count; i++) {
        args[0] = expr_column(b, &schema->columns[i], ast->pos);
        if (args[0] == NULL) return BIND_NOMEM(b);
        struct expr *pair[2] = {args[0], args[1]};
        RF_TRY(bind_cast(b, pair[0], TYPE_STRING, &pair[0]));
        RF_TRY(bind_cast(b, pair[1], TYPE_STRING, &pair[1]));
        RF_TRY(bind_call(b, ast->pos, modern_operator(ast->text), pair, 2, &one));
        struct expr *both[2] = {any, one};
        if (any == NULL)
            any = one;
        else
            RF_TRY(bind_call(b, ast->pos, RF_S("or"), both, 2, &any));
    }
    if (any == NULL)
        return bind_fail(b, ast->pos, "NoColumns",
                         "'*' stands for all columns, and there is none here");
    *out = any;
    return RF_OK;
}

static bool is_ordering(rf_str op)
{
    return rf_str_is(op, "<") || rf_str_is(op, "<=") || rf_str_is(op, ">") || rf_str_is(op, ">=");
}

/* Numbers, points in time and spans have an order among their like; what is inside a dynamic shows when it runs. */
static bool orderable(enum type a, enum type b)
{
    if (a == TYPE_DYNAMIC || b == TYPE_DYNAMIC) return a != TYPE_GUID && b != TYPE_GUID;
    if (a == TYPE_DATETIME || a == TYPE_TIMESPAN) return a == b;
    return (type_is_number(a) || a == TYPE_BOOL) && (type_is_number(b) || b == TYPE_BOOL);
}

/* A text beside a value of another type is read as that type (Id == "74be27de-..."), and true counts as 1. */
static enum rf_kind bind_alike(struct binder *b, struct expr **x, struct expr **y)
{
    if ((*x)->type == TYPE_DYNAMIC || (*y)->type == TYPE_DYNAMIC) return RF_OK;
    if ((*x)->type == TYPE_STRING && (*y)->type != TYPE_STRING)
        return bind_cast(b, *x, (enum type)(*y)->type, x);
    if ((*y)->type == TYPE_STRING && (*x)->type != TYPE_STRING)
        return bind_cast(b, *y, (enum type)(*x)->type, y);
    if ((*x)->type == TYPE_BOOL && type_is_number((enum type)(*y)->type))
        return bind_cast(b, *x, TYPE_LONG, x);
    if ((*y)->type == TYPE_BOOL && type_is_number((enum type)(*x)->type))
        return bind_cast(b, *y, TYPE_LONG, y);
    return RF_OK;
}

/* An operator between two values. */
static enum rf_kind bind_operator(struct binder *b, uint32_t pos, rf_str op, struct expr *args[2],
                                  struct expr **out)
{
    enum type x = (enum type)args[0]->type, y = (enum type)args[1]->type;
    if (is_ordering(op) && !orderable(x, y))
        return bind_fail(b, pos, "BadArguments", "%.*s cannot compare %s with %s; %s", RF_FMT(op),
                         type_name(x), type_name(y),
                         x == TYPE_STRING && y == TYPE_STRING
                             ? "strcmp(a, b) tells the order of two texts"
                             : "convert one of them, as in todatetime(..) or tolong(..)");
    bool equality = rf_str_is(op, "==") || rf_str_is(op, "!=");
    if (is_ordering(op) || equality) RF_TRY(bind_alike(b, &args[0], &args[1]));
    enum type common;
    if (equality && !type_common((enum type)args[0]->type, (enum type)args[1]->type, &common))
        for (int i = 0; i < 2; i++) RF_TRY(bind_cast(b, args[i], TYPE_DYNAMIC, &args[i]));
    return bind_call(b, pos, op, args, 2, out);
}

/* a or b or c ... leans to the left and may have many parts, so its spine is walked from the leftmost part up. */
static enum rf_kind bind_binary(struct binder *b, const struct ast *ast, struct expr **out)
{
    uint32_t count = 1;
    const struct ast *low = ast;
    for (; low->kids[0]->kind == AST_BINARY; low = low->kids[0]) count++;
    const struct ast **spine = rf_arena_new(b->arena, const struct ast *, count);
    if (spine == NULL) return BIND_NOMEM(b);
    low = ast;
    for (uint32_t i = count; i > 0; low = low->kids[0]) spine[--i] = low;
    struct expr *args[2] = {NULL, NULL};
    uint32_t first = 0;
    if (low->kind == AST_STAR)
        RF_TRY(bind_star_operation(b, spine[first++], &args[0]));
    else
        RF_TRY(bind_expr(b, low, &args[0]));
    for (uint32_t i = first; i < count; i++) {
        RF_TRY(bind_steps(b, STEPS_EXPR, spine[i]->pos));
        RF_TRY(bind_expr(b, spine[i]->kids[1], &args[1]));
        RF_TRY(bind_operator(b, spine[i]->pos, modern_operator(spine[i]->text), args, &args[0]));
    }
    *out = args[0];
    return RF_OK;
}

static enum rf_kind bind_unary(struct binder *b, const struct ast *ast, struct expr **out)
{
    RF_TRY(bind_expr(b, ast->kids[0], out));
    if (rf_str_is(ast->text, "+")) return RF_OK;
    return bind_call(b, ast->pos, RF_S("_negate"), out, 1, out);
}

/* x between (low .. high), where high may be a timespan from low on. */
static enum rf_kind bind_between(struct binder *b, const struct ast *ast, struct expr **out)
{
    struct expr *x, *low, *high, *args[2], *both[2];
    RF_TRY(bind_expr(b, ast->kids[0], &x));
    RF_TRY(bind_expr(b, ast->kids[1], &low));
    RF_TRY(bind_expr(b, ast->kids[2], &high));
    if (low->type == TYPE_DATETIME && high->type == TYPE_TIMESPAN) {
        args[0] = low, args[1] = high;
        RF_TRY(bind_call(b, ast->pos, RF_S("+"), args, 2, &high));
    }
    args[0] = x, args[1] = low;
    RF_TRY(bind_operator(b, ast->pos, RF_S(">="), args, &both[0]));
    args[0] = x, args[1] = high;
    RF_TRY(bind_operator(b, ast->pos, RF_S("<="), args, &both[1]));
    RF_TRY(bind_call(b, ast->pos, RF_S("and"), both, 2, out));
    if (ast->text.ptr[0] != '!') return RF_OK;
    return negate(b, ast->pos, out);
}

/* A table as a constant: its first column as an array, or its first cell. */
static enum rf_kind bind_subquery(struct binder *b, const struct ast *table, bool as_array,
                                  struct expr **out)
{
    struct row_scope rows = b->rows;
    struct aggr_list *aggrs = b->aggrs;
    struct window_list *windows = b->windows;
    b->rows = (struct row_scope){0};
    b->aggrs = NULL;
    b->windows = NULL;
    struct expr *e = rf_arena_zalloc(b->arena, sizeof *e);
    if (e == NULL) return BIND_NOMEM(b);
    enum rf_kind kind = bind_table(b, table, &e->subquery);
    b->rows = rows;
    b->aggrs = aggrs;
    b->windows = windows;
    RF_TRY(kind);
    if (e->subquery->schema.count == 0)
        return bind_fail(b, table->pos, "NoColumns", "this table has no columns");
    e->kind = EXPR_SUBQUERY;
    e->pos = table->pos;
    e->as_array = as_array;
    e->type = as_array ? TYPE_DYNAMIC : e->subquery->schema.columns[0].type;
    struct id_set need;
    if (!id_set_new(b->exec, b->arena, &b->next_id, &need)) return BIND_NOMEM(b);
    need.binding = true;
    e->depth = e->subquery->depth + 1;
    RF_TRY(bind_below(b, e->depth, table->pos));
    id_set_add(&need, e->subquery->schema.columns[0].id);
    node_prune(e->subquery, &need);
    *out = e;
    return RF_OK;
}

/* A value of a list in the type of what it is compared with, as == reads it; what is of no like type stays what it is, and is
 * equal to nothing. */
static enum rf_kind bind_listed(struct binder *b, enum type type, struct expr **item)
{
    enum type have = (enum type)(*item)->type, common;
    if (have == type || have == TYPE_DYNAMIC || type == TYPE_DYNAMIC) return RF_OK;
    if (have == TYPE_STRING || type == TYPE_STRING) return bind_cast(b, *item, type, item);
    if (type_common(type, have, &common)) return bind_cast(b, *item, common, item);
    if (have == TYPE_BOOL || type == TYPE_BOOL) return bind_cast(b, *item, type, item);
    return RF_OK;
}

/* x in (list): `x` may be '*'? No: Kusto has none. The list: scalars, dynamic arrays, or one table. */
static enum rf_kind bind_in(struct binder *b, const struct ast *ast, struct expr **out)
{
    uint32_t count = ast->kid_count;
    struct expr **args = rf_arena_new(b->arena, struct expr *, count);
    if (args == NULL) return BIND_NOMEM(b);
    bool terms = rf_str_starts(ast->text, RF_S("has_")) || rf_str_starts(ast->text, RF_S("!has_"));
    RF_TRY(bind_expr(b, ast->kids[0], &args[0]));
    if (terms) RF_TRY(bind_cast(b, args[0], TYPE_STRING, &args[0]));
    for (uint32_t i = 1; i < count; i++) {
        if (ast_is_table(b, ast->kids[i]))
            RF_TRY(bind_subquery(b, ast->kids[i], true, &args[i]));
        else
            RF_TRY(bind_expr(b, ast->kids[i], &args[i]));
    }
    if (terms && !(count == 2 && args[1]->type == TYPE_DYNAMIC)) {
        struct expr *list;
        RF_TRY(bind_call(b, ast->pos, RF_S("pack_array"), args + 1, count - 1, &list));
        args[1] = list;
        count = 2;
    }
    bool negated = ast->text.ptr[0] == '!';
    if (terms) {
        rf_str name = negated ? rf_slice(ast->text, 1, ast->text.len) : ast->text;
        RF_TRY(bind_call(b, ast->pos, name, args, count, out));
        return negated ? negate(b, ast->pos, out) : RF_OK;
    }
    if (ast->text.ptr[ast->text.len - 1] == '~' && args[0]->type != TYPE_DYNAMIC)
        RF_TRY(bind_cast(b, args[0], TYPE_STRING, &args[0]));
    for (uint32_t i = 1; i < count; i++) RF_TRY(bind_listed(b, (enum type)args[0]->type, &args[i]));
    return bind_call(b, ast->pos, ast->text, args, count, out);
}

/* ---- calls ----------------------------------------------------------------------------------------- */

/* Arguments in order: '*' becomes all columns, typeof(T) its name. */
static enum rf_kind bind_arguments(struct binder *b, const struct ast *ast, struct expr ***out,
                                   uint32_t *count)
{
    uint32_t n = 0, cap = ast->kid_count;
    for (uint32_t i = 0; i < ast->kid_count; i++)
        if (ast->kids[i]->kind == AST_STAR && b->rows.schema != NULL) cap += b->rows.schema->count;
    struct expr **args = rf_arena_new(b->arena, struct expr *, cap);
    if (args == NULL) return BIND_NOMEM(b);
    for (uint32_t i = 0; i < ast->kid_count; i++) {
        const struct ast *kid = ast->kids[i];
        if (kid->kind == AST_STAR) {
            for (uint32_t c = 0; b->rows.schema != NULL && c < b->rows.schema->count; c++) {
                args[n] = expr_column(b, &b->rows.schema->columns[c], kid->pos);
                if (args[n++] == NULL) return BIND_NOMEM(b);
            }
        } else if (kid->kind == AST_TYPEOF) {
            enum type type = kid->column_count == 1 ? (enum type)kid->columns[0].type : TYPE_STRING;
            RF_TRY(bind_str(b, rf_str_of(type_name(type)), kid->pos, &args[n++]));
        } else if (kid->kind == AST_NAMED) {
            RF_TRY(bind_expr(b, kid->kids[0], &args[n++]));
        } else {
            RF_TRY(bind_expr(b, kid, &args[n++]));
        }
    }
    *out = args;
    *count = n;
    return RF_OK;
}

/* column_ifexists("c", default): of the default's type, whether the column is there or not. */
static enum rf_kind bind_column_ifexists(struct binder *b, const struct ast *ast, struct expr **out)
{
    struct value name;
    if (ast->kid_count != 2)
        return bind_fail(b, ast->pos, "BadArguments",
                         "column_ifexists takes a column's name and a default");
    if (ast->kids[0]->kind == AST_NAME && b->rows.schema != NULL &&
        schema_find(b->rows.schema, ast->kids[0]->text) >= 0)
        return bind_name(b, ast->kids[0], out);
    RF_TRY(bind_constant(b, ast->kids[0], TYPE_STRING, &name));
    int at = b->rows.schema == NULL ? -1 : schema_find(b->rows.schema, name.s);
    if (at < 0) return bind_expr(b, ast->kids[1], out);
    struct expr *fallback, *column = expr_column(b, &b->rows.schema->columns[at], ast->pos);
    if (column == NULL) return BIND_NOMEM(b);
    RF_TRY(bind_expr(b, ast->kids[1], &fallback));
    return bind_cast(b, column, (enum type)fallback->type, out);
}

/* An old form of asking: iscolumnexists("Name"). */
static enum rf_kind bind_column_exists(struct binder *b, const struct ast *ast, struct expr **out)
{
    struct value name;
    RF_TRY(bind_constant(b, ast->kids[0], TYPE_STRING, &name));
    struct value is =
        value_bool(b->rows.schema != NULL && schema_find(b->rows.schema, name.s) >= 0);
    *out = expr_const(b, &is, ast->pos);
    return *out == NULL ? BIND_NOMEM(b) : RF_OK;
}

/* make_datetime(x) of anything but a number is todatetime(x), make_timespan(x) totimespan(x). */
static enum rf_kind bind_made_of_one(struct binder *b, const struct ast *ast, struct expr **out)
{
    struct expr *part;
    RF_TRY(bind_expr(b, ast->kids[0], &part));
    if (type_is_number((enum type)part->type))
        return bind_call(b, ast->pos, ast->text, &part, 1, out);
    enum type type = rf_str_is(ast->text, "make_datetime") ? TYPE_DATETIME : TYPE_TIMESPAN;
    return bind_cast(b, part, type, out);
}

/* pack_all([ignore]), bag_pack_columns(a, b): bag_pack with the names filled in. */
static enum rf_kind bind_pack_columns(struct binder *b, const struct ast *ast, struct expr **out)
{
    static const struct schema none = {0};
    bool all = rf_str_is(ast->text, "pack_all"), ignore = false;
    const struct schema *schema = b->rows.schema == NULL ? &none : b->rows.schema;
    uint32_t n = all ? schema->count : ast->kid_count;
    struct expr **args = rf_arena_new(b->arena, struct expr *, 2 * (size_t)n);
    if (args == NULL) return BIND_NOMEM(b);
    if (all && ast->kid_count > 0) {
        struct value v;
        RF_TRY(bind_constant(b, ast->kids[0], TYPE_BOOL, &v));
        ignore = !v.null && v.b;
    }
    for (uint32_t i = 0; i < n; i++) {
        RF_TRY(bind_str(b, all ? schema->columns[i].name : ast_default_name(b, ast->kids[i]),
                        ast->pos, &args[2 * i]));
        if (all)
            args[2 * i + 1] = expr_column(b, &schema->columns[i], ast->pos);
        else
            RF_TRY(bind_expr(b, ast->kids[i], &args[2 * i + 1]));
        if (args[2 * i + 1] == NULL) return BIND_NOMEM(b);
    }
    if (n == 0) {
        struct rf_buf buf = rf_buf_in(b->arena);
        struct dyn_builder bag;
        dyn_begin(&bag, &buf, DYN_BAG);
        dyn_end(&bag);
        struct value v = value_dyn(dyn_done(&buf));
        *out = expr_const(b, &v, ast->pos);
        return buf.failed || *out == NULL ? BIND_NOMEM(b) : RF_OK;
    }
    return bind_call(b, ast->pos, ignore ? RF_S("pack_all_ignore_nulls") : RF_S("bag_pack"), args,
                     2 * n, out);
}

static const struct ast *unnamed(const struct ast *ast)
{
    return ast->kind == AST_NAMED ? ast->kids[0] : ast;
}

/* The type of a choice among values: their common type, where dynamics go along with any other type; dynamic when
 * there is none. */
static enum type choice_type(struct expr *const *values, uint32_t count)
{
    enum type type = TYPE_DYNAMIC;
    for (uint32_t i = 0; i < count; i++) {
        if (values[i]->type == TYPE_DYNAMIC) continue;
        if (type == TYPE_DYNAMIC)
            type = (enum type)values[i]->type;
        else if (!type_common(type, (enum type)values[i]->type, &type))
            return TYPE_DYNAMIC;
    }
    return type;
}

/* iff(p, a, b) and case(p1, v1, p2, v2, ..., otherwise) = iff(p1, v1, iff(p2, v2, ...)), built from the end. */
static enum rf_kind bind_choice(struct binder *b, const struct ast *ast, struct expr **out)
{
    uint32_t pairs = ast->kid_count / 2;
    bool is_case = rf_str_is(ast->text, "case");
    if (pairs == 0 || ast->kid_count % 2 == 0 || (!is_case && pairs != 1))
        return bind_fail(
            b, ast->pos, "BadArguments",
            is_case ? "case takes pairs of predicate and value, then the value for all other rows"
                    : "iff takes a predicate, the value where it holds, and that for other rows");
    struct expr **values = rf_arena_new(b->arena, struct expr *, pairs + 1);
    struct expr **predicates = rf_arena_new(b->arena, struct expr *, pairs);
    if (values == NULL || predicates == NULL) return BIND_NOMEM(b);
    for (uint32_t i = 0; i < pairs; i++) {
        RF_TRY(bind_expr(b, unnamed(ast->kids[2 * i]), &predicates[i]));
        RF_TRY(bind_expr(b, unnamed(ast->kids[2 * i + 1]), &values[i]));
    }
    RF_TRY(bind_expr(b, unnamed(ast->kids[2 * pairs]), &values[pairs]));
    enum type type = choice_type(values, pairs + 1);
    for (uint32_t i = 0; i <= pairs; i++) RF_TRY(bind_cast(b, values[i], type, &values[i]));
    for (uint32_t i = pairs; i > 0; i--) {
        struct expr *args[3] = {predicates[i - 1], values[i - 1], values[i]};
        RF_TRY(bind_call(b, ast->kids[2 * i - 2]->pos, RF_S("iff"), args, 3, &values[i - 1]));
    }
    *out = values[0];
    return RF_OK;
}

/* Where rows are no longer those of a table it is null. */
static enum rf_kind bind_arrival_time(struct binder *b, uint32_t pos, struct expr **out)
{
    const struct schema *schema = b->rows.schema;
    int at = schema == NULL ? -1 : schema_find(schema, RF_S(ARRIVAL_COLUMN));
    struct value none = value_null(TYPE_DATETIME);
    *out = at < 0 ? expr_const(b, &none, pos) : expr_column(b, &schema->columns[at], pos);
    return *out == NULL ? BIND_NOMEM(b) : RF_OK;
}

enum rf_kind bind_special_call(struct binder *b, const struct ast *ast, bool *done,
                               struct expr **out)
{
    *done = true;
    if (rf_str_is(ast->text, "toscalar")) {
        if (ast->kid_count != 1)
            return bind_fail(b, ast->pos, "BadArguments", "toscalar takes one table");
        if (!ast_is_table(b, ast->kids[0])) return bind_expr(b, ast->kids[0], out);
        return bind_subquery(b, ast->kids[0], false, out);
    }
    if (rf_str_is(ast->text, "case") || rf_str_is(ast->text, "iff") || rf_str_is(ast->text, "iif"))
        return bind_choice(b, ast, out);
    if (rf_str_is(ast->text, "materialize") && ast->kid_count == 1 &&
        !ast_is_table(b, ast->kids[0]))
        return bind_expr(b, ast->kids[0], out);
    if (rf_str_is(ast->text, "column_ifexists") || rf_str_is(ast->text, "columnifexists"))
        return bind_column_ifexists(b, ast, out);
    if (rf_str_is(ast->text, "iscolumnexists") && ast->kid_count == 1)
        return bind_column_exists(b, ast, out);
    if ((rf_str_is(ast->text, "make_datetime") || rf_str_is(ast->text, "make_timespan")) &&
        ast->kid_count == 1)
        return bind_made_of_one(b, ast, out);
    if (rf_str_is(ast->text, "ingestion_time") && ast->kid_count == 0 && b->has_arrival)
        return bind_arrival_time(b, ast->pos, out);
    if (rf_str_is(ast->text, "pack_all") || rf_str_is(ast->text, "bag_pack_columns"))
        return bind_pack_columns(b, ast, out);
    if (rf_str_is(ast->text, "column_names_of") && ast->kid_count == 1) {
        struct node *table;
        struct rf_buf buf = rf_buf_in(b->arena);
        struct dyn_builder names;
        RF_TRY(bind_table(b, ast->kids[0], &table));
        dyn_begin(&names, &buf, DYN_ARRAY);
        for (uint32_t i = 0; i < table->schema.count; i++) {
            dyn_next(&names);
            dyn_put_string(&buf, table->schema.columns[i].name);
        }
        dyn_end(&names);
        struct value v = value_dyn(dyn_done(&buf));
        *out = expr_const(b, &v, ast->pos);
        return buf.failed || *out == NULL ? BIND_NOMEM(b) : RF_OK;
    }
    if ((rf_str_is(ast->text, "isnotempty") || rf_str_is(ast->text, "isempty") ||
         rf_str_is(ast->text, "isnull") || rf_str_is(ast->text, "isnotnull")) &&
        ast->kid_count == 1 && ast_is_table(b, ast->kids[0]))
        return bind_fail(b, ast->pos, "NotScalar", "%.*s needs a scalar, this is a table",
                         RF_FMT(ast->text));
    *done = false;
    return RF_OK;
}

static enum rf_kind bind_ast_call(struct binder *b, const struct ast *ast, struct expr **out)
{
    enum rf_kind kind = RF_OK;
    bool done = false;
    struct scope *f = function_find(b, ast->text, &kind);
    RF_TRY(kind);
    if (f != NULL && f->kind == BINDING_LAMBDA) return bind_lambda_scalar(b, f, ast, out);
    RF_TRY(bind_special_call(b, ast, &done, out));
    if (done) return RF_OK;
    const struct aggr *aggr = b->aggrs == NULL ? NULL : aggr_find(ast->text);
    if (aggr != NULL) return bind_aggregate(b, ast, aggr, out);
    RF_TRY(bind_window_call(b, ast, &done, out));
    if (done) return RF_OK;
    if (func_find(ast->text) == NULL && aggr_find(ast->text) != NULL)
        return bind_fail(
            b, ast->pos, "AggregateOutsideSummarize",
            "%.*s is an aggregation function; it works in summarize, make-series and the like",
            RF_FMT(ast->text));
    struct expr **args = NULL;
    uint32_t count = 0;
    RF_TRY(bind_arguments(b, ast, &args, &count));
    return bind_call(b, ast->pos, ast->text, args, count, out);
}

enum rf_kind bind_expr(struct binder *b, const struct ast *ast, struct expr **out)
{
    if (++b->depth > BIND_DEPTH_MAX)
        return parse_fail_at(
            b->text, ast->pos, b->err, RF_LIMIT, "TooDeep",
            "the expression nests deeper than %d levels, functions' bodies included",
            BIND_DEPTH_MAX);
    enum rf_kind kind;
    RF_TRY(bind_steps(b, ast->kind == AST_LITERAL ? STEPS_LITERAL : STEPS_EXPR, ast->pos));
    switch (ast->kind) {
    case AST_LITERAL:
        *out = expr_const(b, &ast->value, ast->pos);
        kind = *out == NULL ? BIND_NOMEM(b) : RF_OK;
        break;
    case AST_NAME:
        kind = bind_name(b, ast, out);
        break;
    case AST_MEMBER:
        kind = bind_member(b, ast, out);
        break;
    case AST_INDEX:
        kind = bind_index(b, ast, out);
        break;
    case AST_CALL:
        kind = bind_ast_call(b, ast, out);
        break;
    case AST_UNARY:
        kind = bind_unary(b, ast, out);
        break;
    case AST_BINARY:
        kind = bind_binary(b, ast, out);
        break;
    case AST_BETWEEN:
        kind = bind_between(b, ast, out);
        break;
    case AST_IN:
        kind = bind_in(b, ast, out);
        break;
    case AST_TYPEOF:
        kind = bind_str(
            b, rf_str_of(type_name(ast->column_count == 1 ? ast->columns[0].type : TYPE_STRING)),
            ast->pos, out);
        break;
    case AST_PIPE:
    case AST_DATATABLE:
    case AST_EXTERNALDATA:
        kind =
            bind_fail(b, ast->pos, "NotScalar",
                      "a scalar is needed here, this is a table (toscalar() takes its first cell)");
        break;
    default:
        kind = bind_fail(b, ast->pos, "NotScalar", "a scalar expression is needed here");
        break;
    }
    b->depth--;
    return kind;
}

enum rf_kind bind_scalar(struct binder *b, const struct ast *ast, const struct schema *schema,
                         struct expr **out)
{
    struct row_scope rows = b->rows;
    b->rows = (struct row_scope){.schema = schema, .left = rows.left, .right = rows.right};
    enum rf_kind kind = bind_expr(b, ast, out);
    b->rows = rows;
    return kind;
}

/* True when a constant can be had now: no columns, and no table that may not run. */
static bool can_evaluate(const struct binder *b, const struct expr *e)
{
    if (e->kind == EXPR_COLUMN || (e->kind == EXPR_SUBQUERY && !b->may_run)) return false;
    for (uint32_t i = 0; i < e->arg_count; i++)
        if (!can_evaluate(b, e->args[i])) return false;
    return true;
}

static bool has_columns(const struct expr *e)
{
    if (e->kind == EXPR_COLUMN) return true;
    for (uint32_t i = 0; i < e->arg_count; i++)
        if (has_columns(e->args[i])) return true;
    return false;
}

enum rf_kind bind_constant(struct binder *b, const struct ast *ast, enum type type,
                           struct value *out)
{
    struct expr *e;
    RF_TRY(bind_scalar(b, ast, NULL, &e));
    if (has_columns(e)) return bind_fail(b, ast->pos, "NotConstant", "a constant is needed here");
    RF_TRY(bind_cast(b, e, type, &e));
    if (!can_evaluate(b, e)) {
        *out = value_null(type);
        return RF_OK;
    }
    return eval_const(b->exec, e, out, b->err);
}
