/* op_makeseries.c - make-series: arrays of aggregates over a regular axis.
 *
 * Rows outside the axis are filtered out, summarize groups the others by the keys and by the axis cut
 * into bins, and the node here turns the groups of one series into arrays. */
#include <math.h>

#include "kql/key_map.h"
#include "kql/op.h"
#include "value/dyn.h"
#include "value/text.h"

enum { SERIES_ELEMENTS_MAX = 1048576, BATCH_ELEMENTS_MAX = 1 << 20 };

struct series_item {
    struct ast *expr, *fallback;
};
struct series_body {
    struct series_item *items;
    uint32_t item_count;
    struct ast *axis, *from, *to, *step, **keys;
    uint32_t key_count;
    bool
        in_range; /* on x in range(from, to, step): bins are multiples of step, `to` belongs to them */
};

/* ---- parsing --------------------------------------------------------------------------------- */

static enum rf_kind parse_items(struct parser *p, struct series_body *body)
{
    uint32_t cap = 0;
    do {
        if (body->item_count == cap) {
            uint32_t more = cap * 2 + 4;
            struct series_item *grown =
                rf_arena_grow(p->arena, body->items, cap * sizeof *grown, more * sizeof *grown);
            if (grown == NULL) return PARSE_NOMEM(p);
            body->items = grown;
            cap = more;
        }
        struct series_item *item = &body->items[body->item_count++];
        *item = (struct series_item){0};
        RF_TRY(parse_named_expr(p, &item->expr));
        if (!parse_accept(p, "default")) continue;
        RF_TRY(parse_expect(p, "="));
        RF_TRY(parse_expr(p, &item->fallback));
    } while (parse_accept(p, ","));
    return RF_OK;
}

/* `x in range(a, b, c)` reads as a comparison; it is taken apart here. */
static void split_range(struct series_body *body)
{
    struct ast **axis = body->axis->kind == AST_NAMED ? &body->axis->kids[0] : &body->axis;
    if ((*axis)->kind != AST_IN || (*axis)->kid_count != 2) return;
    struct ast *range = (*axis)->kids[1];
    if (range->kind != AST_CALL || !rf_str_is(range->text, "range") || range->kid_count != 3)
        return;
    body->from = range->kids[0];
    body->to = range->kids[1];
    body->step = range->kids[2];
    body->in_range = true;
    *axis = (*axis)->kids[0];
}

static enum rf_kind series_parse(struct parser *p, struct ast *node)
{
    static const char *const known[] = {"kind", "hint.*", NULL};
    struct series_body *body = rf_arena_new(p->arena, struct series_body, 1);
    if (body == NULL) return PARSE_NOMEM(p);
    node->body = body;
    RF_TRY(parse_params(p, known, node));
    RF_TRY(parse_items(p, body));
    RF_TRY(parse_expect(p, "on"));
    RF_TRY(parse_named_expr(p, &body->axis));
    split_range(body);
    if (!body->in_range) {
        if (parse_accept(p, "from")) RF_TRY(parse_expr(p, &body->from));
        if (parse_accept(p, "to")) RF_TRY(parse_expr(p, &body->to));
        RF_TRY(parse_expect(p, "step"));
        RF_TRY(parse_expr(p, &body->step));
    }
    if (!parse_accept(p, "by")) return RF_OK;
    return parse_named_list(p, &body->keys, &body->key_count);
}

/* ---- the node -------------------------------------------------------------------------------- */

struct series_node {
    struct node node; /* keys, arrays of the items, array of the axis */
    uint32_t key_count, item_count;
    struct value *fallbacks; /* of each item, in the item's type where that is a number */
    enum type axis_type;
    struct value from, to, step; /* from and to are null where they were not given */
    bool in_range, nonempty;
};

/* Bins are counted in steps from `base`, so that whole numbers and reals go the same way. */
struct axis {
    const struct series_node *node;
    struct value base;
};

/* Beyond any length that is allowed, and safe to add one to. */
#define BINS_TOO_MANY (INT64_MAX / 2)

static int64_t bins_of_real(double bins)
{
    return fabs(bins) < 1e15 ? llround(bins) : BINS_TOO_MANY;
}

static int64_t bin_number(const struct axis *a, const struct value *v)
{
    if (a->node->axis_type == TYPE_REAL) return bins_of_real((v->r - a->base.r) / a->node->step.r);
    int64_t distance;
    if (__builtin_sub_overflow(v->i, a->base.i, &distance)) return BINS_TOO_MANY;
    return RF_MIN(distance / a->node->step.i, BINS_TOO_MANY);
}

static struct value bin_value(const struct axis *a, int64_t number)
{
    struct value v = a->base;
    if (a->node->axis_type == TYPE_REAL)
        v.r += (double)number * a->node->step.r;
    else
        v.i = (int64_t)((uint64_t)v.i + (uint64_t)number * (uint64_t)a->node->step.i);
    return v;
}

/* The multiple of step at or below v. */
static struct value floor_to_step(const struct series_node *n, struct value v)
{
    if (n->axis_type == TYPE_REAL) {
        v.r = floor(v.r / n->step.r) * n->step.r;
    } else {
        int64_t rest = v.i % n->step.i;
        v.i -= rest < 0 ? rest + n->step.i : rest;
    }
    return v;
}

/* How many bins lie before `to`, counted from the base; with `in range` also the one that holds it. */
static int64_t bins_before_end(const struct axis *a)
{
    const struct series_node *n = a->node;
    if (n->in_range) {
        struct value last = floor_to_step(n, n->to);
        return bin_number(a, &last) + 1;
    }
    if (n->axis_type == TYPE_REAL) return bins_of_real(ceil((n->to.r - a->base.r) / n->step.r));
    int64_t distance;
    if (__builtin_sub_overflow(n->to.i, a->base.i, &distance)) return BINS_TOO_MANY;
    return RF_MIN(distance / n->step.i, BINS_TOO_MANY) + (distance % n->step.i > 0);
}

struct series_run {
    struct exec *exec;
    const struct series_node *node;
    struct rf_arena arena;
    struct rows *rows;   /* of summarize: keys, bin, items */
    struct key_map map;  /* keys to series */
    uint32_t *series_of; /* of each row; KEY_MAP_NONE for a row without a place on the axis */
    uint64_t *order;     /* rows by series */
    uint64_t *starts;    /* series s has order[starts[s] .. starts[s + 1] - 1] */
};

static enum rf_kind sort_by_series(struct series_run *r, struct rf_err *err)
{
    const struct series_node *n = r->node;
    uint64_t count = rows_count(r->rows);
    struct value *keys = rf_arena_new(&r->arena, struct value, n->key_count);
    r->series_of = rf_arena_raw(&r->arena, uint32_t, count);
    r->order = rf_arena_raw(&r->arena, uint64_t, count);
    if (keys == NULL || r->series_of == NULL || r->order == NULL)
        return rf_fail_memory(err, &r->arena);
    r->map = key_map_in(&r->arena, n->key_count);
    for (uint64_t row = 0; row < count; row++) {
        r->series_of[row] = KEY_MAP_NONE;
        if (rows_value(r->rows, row, n->key_count).null) continue;
        for (uint32_t k = 0; k < n->key_count; k++) keys[k] = rows_value(r->rows, row, k);
        r->series_of[row] = key_map_add(&r->map, keys);
        if (r->series_of[row] == KEY_MAP_NONE) return rf_fail_memory(err, &r->arena);
    }
    r->starts = rf_arena_new(&r->arena, uint64_t, (size_t)r->map.count + 2);
    if (r->starts == NULL) return rf_fail_memory(err, &r->arena);
    for (uint64_t row = 0; row < count; row++)
        if (r->series_of[row] != KEY_MAP_NONE) r->starts[r->series_of[row] + 2]++;
    for (uint32_t s = 2; s < r->map.count + 2; s++) r->starts[s] += r->starts[s - 1];
    for (uint64_t row = 0; row < count; row++)
        if (r->series_of[row] != KEY_MAP_NONE) r->order[r->starts[r->series_of[row] + 1]++] = row;
    return RF_OK;
}

/* Where the axis of one series begins and how long it is. */
static enum rf_kind series_axis(const struct series_run *r, uint32_t series, struct axis *axis,
                                uint32_t *length, struct rf_err *err)
{
    const struct series_node *n = r->node;
    struct value first = value_null(n->axis_type), last = first;
    for (uint64_t i = r->starts[series]; i < r->starts[series + 1]; i++) {
        struct value v = rows_value(r->rows, r->order[i], n->key_count);
        if (first.null || value_cmp(&v, &first) < 0) first = v;
        if (last.null || value_cmp(&v, &last) > 0) last = v;
    }
    *axis = (struct axis){.node = n, .base = n->from.null ? first : n->from};
    if (n->in_range) axis->base = floor_to_step(n, n->from);
    *length = 0;
    if (axis->base.null) return RF_OK;
    int64_t bins = 0;
    if (!n->to.null)
        bins = bins_before_end(axis);
    else if (!last.null)
        bins = bin_number(axis, &last) + 1;
    if (bins > SERIES_ELEMENTS_MAX)
        return RF_FAIL(err, RF_LIMIT, "SeriesTooLong",
                       "make-series would make arrays of %lld elements; at most %d are possible",
                       (long long)bins, SERIES_ELEMENTS_MAX);
    *length = bins < 0 ? 0 : (uint32_t)bins;
    return RF_OK;
}

static rf_str axis_array(const struct axis *axis, uint32_t length, struct rf_buf *buf)
{
    struct dyn_builder array;
    dyn_begin_counted(&array, buf, DYN_ARRAY, length);
    for (uint32_t i = 0; i < length; i++) {
        struct value v = bin_value(axis, i);
        dyn_next(&array);
        dyn_put_value(buf, &v);
    }
    dyn_end(&array);
    return dyn_done(buf);
}

static rf_str item_array(const struct series_run *r, uint32_t item, const uint64_t *row_at,
                         uint32_t length, struct rf_buf *buf)
{
    struct dyn_builder array;
    dyn_begin_counted(&array, buf, DYN_ARRAY, length);
    for (uint32_t i = 0; i < length; i++) {
        struct value v = r->node->fallbacks[item];
        if (row_at[i] != UINT64_MAX)
            v = rows_value(r->rows, row_at[i], r->node->key_count + 1 + item);
        dyn_next(&array);
        dyn_put_value(buf, &v);
    }
    dyn_end(&array);
    return dyn_done(buf);
}

static void set_dynamic(struct vec *column, uint32_t row, const struct rf_buf *buf)
{
    struct value v = value_dyn(dyn_done(buf));
    vec_set(column, row, &v);
}

/* One output row. `row_at` has room for every length. */
static enum rf_kind series_row(struct series_run *r, uint32_t series, uint32_t row,
                               uint64_t *row_at, struct batch *out, uint32_t *length,
                               struct rf_err *err)
{
    const struct series_node *n = r->node;
    struct axis axis;
    RF_TRY(series_axis(r, series, &axis, length, err));
    memset(row_at, 0xff, *length * sizeof *row_at);
    for (uint64_t i = r->starts[series]; i < r->starts[series + 1]; i++) {
        struct value v = rows_value(r->rows, r->order[i], n->key_count);
        int64_t bin = bin_number(&axis, &v);
        if (bin >= 0 && bin < *length) row_at[bin] = r->order[i];
    }
    for (uint32_t k = 0; k < n->key_count; k++) {
        struct value key = value_null(out->columns[k].type);
        if (series < r->map.count) key = r->map.keys[(size_t)series * n->key_count + k];
        vec_set(&out->columns[k], row, &key);
    }
    for (uint32_t i = 0; i <= n->item_count; i++) {
        struct rf_buf buf = rf_buf_in(out->arena);
        if (i < n->item_count)
            (void)item_array(r, i, row_at, *length, &buf);
        else
            (void)axis_array(&axis, *length, &buf);
        if (buf.failed) return rf_fail_memory(err, out->arena);
        set_dynamic(&out->columns[n->key_count + i], row, &buf);
    }
    return RF_OK;
}

static enum rf_kind new_batch(const struct schema *schema, struct rf_arena *arena,
                              struct batch *out, struct rf_err *err)
{
    *out = (struct batch){.column_count = schema->count, .arena = arena};
    out->columns = rf_arena_new(arena, struct vec, schema->count);
    if (out->columns == NULL) return rf_fail_memory(err, arena);
    for (uint32_t i = 0; i < schema->count; i++)
        if (!vec_flat(arena, (enum type)schema->columns[i].type, BATCH_ROWS, &out->columns[i]) ||
            vec_need_nulls(arena, &out->columns[i], BATCH_ROWS) == NULL)
            return rf_fail_memory(err, arena);
    return RF_OK;
}

static enum rf_kind series_emit(struct series_run *r, struct flow *out, struct rf_err *err)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init_shared(&arena, r->exec->budget);
    uint64_t *row_at = rf_arena_raw(&r->arena, uint64_t, SERIES_ELEMENTS_MAX);
    if (row_at == NULL) return rf_fail_memory(err, &r->arena);
    uint32_t count = r->map.count;
    if (count == 0 && r->node->nonempty) count = 1; /* its range in `order` is empty */
    for (uint32_t series = 0; series < count && !flow_done(out);) {
        struct batch batch;
        uint64_t elements = 0;
        rf_arena_reset(&arena);
        RF_TRY(new_batch(&r->node->node.schema, &arena, &batch, err));
        while (series < count && batch.row_count < BATCH_ROWS && elements < BATCH_ELEMENTS_MAX) {
            uint32_t length;
            RF_TRY(series_row(r, series++, batch.row_count++, row_at, &batch, &length, err));
            elements += length;
        }
        RF_TRY(flow_push(r->exec, out, 0, &batch, err));
    }
    return RF_OK;
}

static enum rf_kind series_run(struct node *node, struct exec *exec, struct flow *out,
                               struct rf_err *err)
{
    struct series_run r = {.exec = exec, .node = (struct series_node *)node};
    rf_arena_init_shared(&r.arena, exec->budget);
    enum rf_kind kind = node_collect(node->inputs[0], exec, &r.arena, &r.rows, err);
    if (kind == RF_OK) kind = sort_by_series(&r, err);
    if (kind == RF_OK) kind = series_emit(&r, out, err);
    rf_arena_done(&r.arena);
    return kind;
}

static const struct node_ops series_ops = {.name = "make-series", .run = series_run};

/* ---- text to node ---------------------------------------------------------------------------- */

static enum rf_kind bind_axis(struct binder *b, const struct series_body *body,
                              const struct schema *input, struct series_node *n, struct expr **axis)
{
    const struct ast *ast = body->axis->kind == AST_NAMED ? body->axis->kids[0] : body->axis;
    RF_TRY(bind_scalar(b, ast, input, axis));
    enum type type = (enum type)(*axis)->type;
    if (type == TYPE_INT) type = TYPE_LONG;
    if (!type_is_i64(type) && type != TYPE_REAL)
        return bind_fail(b, ast->pos, "BadAxis", "the axis is a time or a number, this is a %s",
                         type_name(type));
    n->axis_type = type;
    n->from = n->to = value_null(type);
    if (body->from != NULL) RF_TRY(bind_constant(b, body->from, type, &n->from));
    if (body->to != NULL) RF_TRY(bind_constant(b, body->to, type, &n->to));
    enum type step = type == TYPE_DATETIME ? TYPE_TIMESPAN : type;
    RF_TRY(bind_constant(b, body->step, step, &n->step));
    if (n->step.null && !b->may_run)
        n->step = step == TYPE_REAL ? value_real(1) : value_i64(step, 1);
    if (n->step.null || (step == TYPE_REAL ? !(n->step.r > 0) : n->step.i <= 0))
        return bind_fail(b, body->step->pos, "BadStep", "the step must be greater than zero");
    return RF_OK;
}

static enum rf_kind keep_rows(struct binder *b, struct expr *axis, const char *op,
                              const struct value *end, struct node **input)
{
    struct expr *args[2] = {axis, expr_const(b, end, axis->pos)}, *keep;
    if (end->null) return RF_OK;
    if (args[1] == NULL) return BIND_NOMEM(b);
    RF_TRY(bind_call(b, axis->pos, rf_str_of(op), args, 2, &keep));
    return where_node_new(b, keep, *input, input);
}

static struct ast *ast_literal(struct binder *b, const struct value *v, uint32_t pos)
{
    struct ast *ast = rf_arena_new(b->arena, struct ast, 1);
    if (ast != NULL) *ast = (struct ast){.kind = AST_LITERAL, .pos = pos, .end = pos, .value = *v};
    return ast;
}

/* name = bin(axis, step), or bin_at(axis, step, from). */
static enum rf_kind bin_key(struct binder *b, const struct series_body *body,
                            const struct series_node *n, struct ast **out)
{
    struct ast *named = rf_arena_new(b->arena, struct ast, 2);
    struct ast **kids = rf_arena_new(b->arena, struct ast *, 4);
    rf_str *name = rf_arena_new(b->arena, rf_str, 1);
    if (named == NULL || kids == NULL || name == NULL) return BIND_NOMEM(b);
    struct ast *call = named + 1;
    uint32_t pos = body->axis->pos;
    bool at = !n->from.null && !body->in_range;
    *name = ast_default_name(b, body->axis);
    if (name->len == 0) *name = RF_S("Column1");
    kids[0] = body->axis->kind == AST_NAMED ? body->axis->kids[0] : body->axis;
    kids[1] = ast_literal(b, &n->step, pos);
    kids[2] = ast_literal(b, &n->from, pos);
    kids[3] = call;
    if (kids[1] == NULL || kids[2] == NULL) return BIND_NOMEM(b);
    *call = (struct ast){.kind = AST_CALL,
                         .pos = pos,
                         .end = pos,
                         .text = at ? RF_S("bin_at") : RF_S("bin"),
                         .kids = kids,
                         .kid_count = at ? 3 : 2};
    *named = (struct ast){.kind = AST_NAMED,
                          .pos = pos,
                          .end = pos,
                          .names = name,
                          .name_count = 1,
                          .kids = kids + 3,
                          .kid_count = 1};
    *out = named;
    return RF_OK;
}

static enum rf_kind bind_summary(struct binder *b, const struct series_body *body,
                                 const struct series_node *n, struct node *input, struct node **out)
{
    struct ast **items = rf_arena_new(b->arena, struct ast *, body->item_count);
    struct ast **keys = rf_arena_new(b->arena, struct ast *, (size_t)body->key_count + 1);
    if (items == NULL || keys == NULL) return BIND_NOMEM(b);
    for (uint32_t i = 0; i < body->item_count; i++) items[i] = body->items[i].expr;
    for (uint32_t i = 0; i < body->key_count; i++) keys[i] = body->keys[i];
    RF_TRY(bin_key(b, body, n, &keys[body->key_count]));
    RF_TRY(summarize_node_new(b, items, body->item_count, keys, body->key_count + 1, input, out));
    if ((*out)->schema.count != body->key_count + 1 + body->item_count)
        return bind_fail(b, body->axis->pos, "BadSeries", "each aggregation must give one column");
    return RF_OK;
}

/* Values for empty bins: 0 unless given, as the type of the item where both are numbers. */
static enum rf_kind bind_fallbacks(struct binder *b, const struct series_body *body,
                                   const struct schema *summary, struct series_node *n)
{
    n->fallbacks = rf_arena_new(b->arena, struct value, body->item_count);
    if (n->fallbacks == NULL) return BIND_NOMEM(b);
    for (uint32_t i = 0; i < body->item_count; i++) {
        enum type type = (enum type)summary->columns[body->key_count + 1 + i].type;
        struct value *v = &n->fallbacks[i], converted;
        *v = value_long(0);
        if (body->items[i].fallback != NULL) {
            struct expr *e;
            RF_TRY(bind_scalar(b, body->items[i].fallback, NULL, &e));
            RF_TRY(bind_constant(b, body->items[i].fallback, (enum type)e->type, v));
        }
        if (v->null || !type_is_number((enum type)v->type) || !type_is_number(type)) continue;
        if (type == TYPE_INT || type == TYPE_LONG) continue; /* default=1.5 of counts stays 1.5 */
        if (!value_convert(v, type, b->arena, &converted)) return BIND_NOMEM(b);
        *v = converted;
    }
    return RF_OK;
}

static enum rf_kind series_schema(struct binder *b, struct series_node *n,
                                  const struct schema *summary)
{
    struct schema_builder sb = {.b = b};
    for (uint32_t i = 0; i <= n->key_count + n->item_count; i++) {
        if (i == n->key_count) continue;
        const struct column *c = &summary->columns[i];
        enum type type = i < n->key_count ? (enum type)c->type : TYPE_DYNAMIC;
        if (!schema_add(&sb, c->name, type, bind_new_id(b))) return BIND_NOMEM(b);
    }
    if (!schema_add(&sb, summary->columns[n->key_count].name, TYPE_DYNAMIC, bind_new_id(b)))
        return BIND_NOMEM(b);
    n->node.schema = sb.schema;
    return RF_OK;
}

static enum rf_kind series_bind(struct binder *b, const struct ast *node, struct node *input,
                                struct node **out)
{
    const struct series_body *body = node->body;
    struct series_node *n = node_new(b, sizeof *n, &series_ops, input);
    struct expr *axis;
    if (n == NULL) return BIND_NOMEM(b);
    n->key_count = body->key_count;
    n->item_count = body->item_count;
    n->in_range = body->in_range;
    n->nonempty = rf_str_is(ast_param_text(node, "kind"), "nonempty");
    RF_TRY(bind_axis(b, body, &input->schema, n, &axis));
    RF_TRY(keep_rows(b, axis, ">=", &n->from, &input));
    RF_TRY(keep_rows(b, axis, body->in_range ? "<=" : "<", &n->to, &input));
    RF_TRY(bind_summary(b, body, n, input, &n->node.inputs[0]));
    RF_TRY(bind_fallbacks(b, body, &n->node.inputs[0]->schema, n));
    RF_TRY(series_schema(b, n, &n->node.inputs[0]->schema));
    n->node.serialized = false;
    *out = &n->node;
    return RF_OK;
}

const struct operator op_make_series = {
    .name = "make-series",
    .doc = "Arrays of aggregates over a regular axis, one row for each combination of the keys.",
    .syntax = "T | make-series [kind=nonempty] [Name =] Aggregation [default=Value], ... on Axis "
              "[from Start] [to End] step Step [by Expression, ...]",
    .parse = series_parse,
    .bind = series_bind};
