/* op_sort.c - sort, order, top: all rows by keys, or the first of them. */
#define _GNU_SOURCE /* qsort_r */
#include <stdlib.h>

#include "kql/bind_int.h"
#include "kql/op.h"

struct sort_node {
    struct node node;
    struct sort_key *keys;
    uint32_t key_count;
    uint64_t limit;
};

/* Keys of one kept row lie in a run of values; `row` breaks ties, so that the order is stable. */
struct sort_order {
    const struct sort_key *keys;
    uint32_t key_count;
    const struct value *values;
};

static int order_cmp(const struct sort_order *o, uint64_t a, uint64_t b)
{
    for (uint32_t k = 0; k < o->key_count; k++) {
        const struct value *x = &o->values[a * o->key_count + k], *y = &o->values[b * o->key_count + k];
        if (x->null || y->null) {
            if (x->null && y->null) continue;
            return x->null == o->keys[k].nulls_first ? -1 : 1;
        }
        int c = value_cmp(x, y);
        if (c != 0) return o->keys[k].descending ? -c : c;
    }
    return a < b ? -1 : a > b;
}

static int order_cmp_r(const void *a, const void *b, void *order)
{
    return order_cmp(order, *(const uint64_t *)a, *(const uint64_t *)b);
}

struct sort_flow {
    struct flow flow;
    struct exec *exec;
    const struct sort_node *sort;
    struct eval *eval;
    struct rf_arena arena; /* kept rows, keys */
    struct rows *rows;
    struct value *values;
    uint64_t count, cap;
};

static enum rf_kind sort_push(struct flow *flow, uint32_t lane, const struct batch *in, struct rf_err *err)
{
    struct sort_flow *f = (struct sort_flow *)flow;
    (void)lane;
    uint32_t keys = f->sort->key_count;
    if (f->count + in->row_count > f->cap) {
        uint64_t cap = RF_MAX(f->cap * 2, f->count + in->row_count + BATCH_ROWS);
        size_t old_bytes = f->cap * keys * sizeof *f->values, bytes = cap * keys * sizeof *f->values;
        struct value *grown = rf_arena_grow(&f->arena, f->values, old_bytes, bytes);
        if (grown == NULL) return rf_fail_memory(err, &f->arena);
        f->values = grown;
        f->cap = cap;
    }
    struct vec *results = rf_arena_raw(in->arena, struct vec, keys);
    if (results == NULL) return rf_fail_memory(err, in->arena);
    RF_TRY(eval_run(f->eval, in, results, err));
    for (uint32_t k = 0; k < keys; k++)
        for (uint32_t i = 0; i < in->row_count; i++) {
            struct value v = vec_value(&results[k], i);
            if (!value_copy(&v, &f->arena, &f->values[(f->count + i) * keys + k])) return rf_fail_memory(err, &f->arena);
        }
    f->count += in->row_count;
    return rows_append(f->rows, in) ? RF_OK : rf_fail_memory(err, &f->arena);
}

static enum rf_kind sort_emit(struct sort_flow *f, struct flow *out, struct rf_err *err)
{
    uint64_t *order = rf_arena_raw(&f->arena, uint64_t, f->count);
    if (order == NULL) return rf_fail_memory(err, &f->arena);
    for (uint64_t i = 0; i < f->count; i++) order[i] = i;
    struct sort_order by = {.keys = f->sort->keys, .key_count = f->sort->key_count, .values = f->values};
    if (f->count > 1) qsort_r(order, f->count, sizeof *order, order_cmp_r, &by);
    return rows_push_order(f->rows, order, RF_MIN(f->count, f->sort->limit), f->exec, out, err);
}

static enum rf_kind sort_run(struct node *node, struct exec *exec, struct flow *out, struct rf_err *err)
{
    struct sort_node *s = (struct sort_node *)node;
    struct sort_flow f = {.flow = {.push = sort_push}, .exec = exec, .sort = s};
    struct node *input = node->inputs[0];
    rf_arena_init_shared(&f.arena, exec->budget);
    uint32_t lanes = exec->lane_count;
    exec->lane_count = 1;
    enum rf_kind kind = RF_OK;
    struct expr **exprs = rf_arena_new(&f.arena, struct expr *, s->key_count);
    uint8_t *types = rf_arena_new(&f.arena, uint8_t, input->schema.count);
    if (exprs == NULL || types == NULL) kind = rf_fail_memory(err, &f.arena);
    for (uint32_t i = 0; kind == RF_OK && i < s->key_count; i++) exprs[i] = s->keys[i].expr;
    for (uint32_t i = 0; kind == RF_OK && i < input->schema.count; i++) types[i] = input->schema.columns[i].type;
    if (kind == RF_OK && (f.rows = rows_new(&f.arena, types, input->schema.count)) == NULL) kind = rf_fail_memory(err, &f.arena);
    if (kind == RF_OK) kind = eval_new(exec, &f.arena, exprs, s->key_count, &input->schema, &f.eval, err);
    if (kind == RF_OK) kind = node_run(input, exec, &f.flow, err);
    exec->lane_count = lanes;
    if (kind == RF_OK) kind = sort_emit(&f, out, err);
    eval_done(f.eval);
    rf_arena_done(&f.arena);
    return kind;
}

static void sort_prune(struct node *node, struct id_set *need)
{
    struct sort_node *s = (struct sort_node *)node;
    for (uint32_t i = 0; i < s->key_count; i++) id_set_add_expr(need, s->keys[i].expr);
    node_prune(node->inputs[0], need);
    node->schema = node->inputs[0]->schema;
}

static void sort_explain(const struct node *node, struct rf_buf *buf)
{
    const struct sort_node *s = (const struct sort_node *)node;
    for (uint32_t i = 0; i < s->key_count; i++) {
        if (i > 0) rf_buf_printf(buf, ", ");
        expr_explain(s->keys[i].expr, buf);
        rf_buf_printf(buf, s->keys[i].descending ? " desc" : " asc");
    }
    if (s->limit != UINT64_MAX) rf_buf_printf(buf, " limit %llu", (unsigned long long)s->limit);
}

static const struct node_ops sort_ops = {.name = "sort", .run = sort_run, .prune = sort_prune, .explain = sort_explain};

enum rf_kind sort_node_new(struct binder *b, struct sort_key *keys, uint32_t key_count, uint64_t limit, struct node *input, struct node **out)
{
    struct sort_node *s = node_new(b, sizeof *s, &sort_ops, input);
    if (s == NULL) return BIND_NOMEM(b);
    s->keys = keys;
    s->key_count = key_count;
    s->limit = limit;
    s->node.serialized = true;
    *out = &s->node;
    return RF_OK;
}

/* ---- text to node ---------------------------------------------------------------------------------- */

struct sort_item {
    struct ast *expr;
    bool ascending, nulls_given, nulls_first;
};
struct sort_body {
    struct ast *limit;
    struct sort_item *items;
    uint32_t count;
};

static enum rf_kind parse_items(struct parser *p, struct sort_body *body)
{
    uint32_t cap = 0;
    do {
        if (body->count == cap) {
            struct sort_item *grown = rf_arena_grow(p->arena, body->items, cap * sizeof *grown, (cap + 8) * sizeof *grown);
            if (grown == NULL) return PARSE_NOMEM(p);
            body->items = grown;
            cap += 8;
        }
        struct sort_item *item = &body->items[body->count];
        *item = (struct sort_item){0};
        RF_TRY(parse_named_expr(p, &item->expr));
        if (parse_accept(p, "asc")) item->ascending = true;
        else (void)parse_accept(p, "desc");
        if (parse_accept(p, "nulls")) {
            item->nulls_given = true;
            item->nulls_first = parse_accept(p, "first");
            if (!item->nulls_first) RF_TRY(parse_expect(p, "last"));
        }
        body->count++;
    } while (parse_accept(p, ","));
    return RF_OK;
}

static const char *const sort_params[] = {"hint.*", NULL};

static enum rf_kind sort_parse(struct parser *p, struct ast *node)
{
    struct sort_body *body = rf_arena_new(p->arena, struct sort_body, 1);
    if (body == NULL) return PARSE_NOMEM(p);
    node->body = body;
    RF_TRY(parse_params(p, sort_params, node));
    RF_TRY(parse_expect(p, "by"));
    return parse_items(p, body);
}

static enum rf_kind top_parse(struct parser *p, struct ast *node)
{
    struct sort_body *body = rf_arena_new(p->arena, struct sort_body, 1);
    if (body == NULL) return PARSE_NOMEM(p);
    node->body = body;
    RF_TRY(parse_params(p, sort_params, node));
    RF_TRY(parse_expr(p, &body->limit));
    RF_TRY(parse_expect(p, "by"));
    return parse_items(p, body);
}

static enum rf_kind sort_bind(struct binder *b, const struct ast *node, struct node *input, struct node **out)
{
    const struct sort_body *body = node->body;
    uint64_t limit = UINT64_MAX;
    if (body->limit != NULL) {
        struct value v;
        RF_TRY(bind_constant(b, body->limit, TYPE_LONG, &v));
        if (!v.null && v.i < 0) return bind_fail(b, body->limit->pos, "BadLimit", "top needs a number of rows, 0 or more");
        limit = v.null ? 0 : (uint64_t)v.i;
    }
    struct sort_key *keys = rf_arena_new(b->arena, struct sort_key, body->count);
    if (keys == NULL) return BIND_NOMEM(b);
    for (uint32_t i = 0; i < body->count; i++) {
        const struct sort_item *item = &body->items[i];
        const struct ast *ast = item->expr->kind == AST_NAMED ? item->expr->kids[0] : item->expr;
        RF_TRY(bind_scalar(b, ast, &input->schema, &keys[i].expr));
        keys[i].descending = !item->ascending;
        keys[i].nulls_first = item->nulls_given ? item->nulls_first : item->ascending;
    }
    return sort_node_new(b, keys, body->count, limit, input, out);
}

const struct operator op_sort = {.name = "sort", .doc = "Orders the rows; descending unless asc is said; nulls last in descending order.", .syntax = "T | sort by Expression [asc|desc] [nulls first|last], ...", .parse = sort_parse, .bind = sort_bind};
const struct operator op_order = {.name = "order", .doc = "sort", .syntax = "T | order by ...", .hidden = true, .parse = sort_parse, .bind = sort_bind};
const struct operator op_top = {.name = "top", .doc = "The first N rows by an order; descending unless asc is said.", .syntax = "T | top N by Expression [asc|desc] [nulls first|last], ...", .parse = top_parse, .bind = sort_bind};
