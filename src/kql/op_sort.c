/* op_sort.c - sort, order, top: all rows by keys, or the first of them. */
#define _GNU_SOURCE /* qsort_r */
#include <stddef.h>
#include <stdlib.h>

#include "kql/bind_int.h"
#include "kql/op.h"

struct sort_node {
    struct node node;
    struct sort_key *keys;
    uint32_t key_count;
    uint64_t limit;
    struct node *scan; /* from which the rows come one by one, or NULL */
};

/* Keys of one kept row lie in a run of values; `row` breaks ties, so that the order is stable. */
struct sort_order {
    const struct sort_key *keys;
    uint32_t key_count;
    const struct value *values;
};

static int keys_cmp(const struct sort_key *keys, uint32_t count, const struct value *a,
                    const struct value *b)
{
    for (uint32_t k = 0; k < count; k++) {
        const struct value *x = &a[k], *y = &b[k];
        if (x->null || y->null) {
            if (x->null && y->null) continue;
            return x->null == keys[k].nulls_first ? -1 : 1;
        }
        int c = value_cmp(x, y);
        if (c != 0) return keys[k].descending ? -c : c;
    }
    return 0;
}

static int order_cmp(const struct sort_order *o, uint64_t a, uint64_t b)
{
    int c =
        keys_cmp(o->keys, o->key_count, &o->values[a * o->key_count], &o->values[b * o->key_count]);
    return c != 0 ? c : a < b ? -1 : a > b;
}

static int order_cmp_r(const void *a, const void *b, void *order)
{
    return order_cmp(order, *(const uint64_t *)a, *(const uint64_t *)b);
}

/* Kept rows and the keys of each. With a limit there are two of them, used in turn: when one is full, the best rows move to
 * the other and the worst of those is the bar for rows to come. */
struct sort_run {
    struct rf_arena arena;
    struct rows *rows;
    struct value *values;
    uint64_t count, cap;
};
/* What one lane keeps. */
struct sort_lane {
    struct eval *eval;
    struct rf_arena arena;
    struct sort_run runs[2];
    uint32_t now; /* which run is being filled */
    bool has_bar; /* row limit - 1 of the present run is the worst one wanted */
};
struct sort_flow {
    struct flow flow;
    struct row_sieve sieve;
    struct exec *exec;
    const struct sort_node *sort;
    struct rf_arena arena;
    uint8_t *types;
    struct sort_lane *lanes;
};

enum {
    SORT_SLACK_ROWS = 1024,     /* rows beyond the limit that are kept before the best are chosen */
    SORT_LIMIT_SMALL = 1 << 20, /* up to this limit the best are chosen while rows come */
};

static bool run_reserve(struct sort_run *run, uint32_t keys, uint32_t more)
{
    if (run->count + more <= run->cap) return true;
    uint64_t cap = RF_MAX(run->cap * 2, run->count + more + BATCH_ROWS);
    struct value *grown = rf_arena_grow(&run->arena, run->values, run->cap * keys * sizeof *grown,
                                        cap * keys * sizeof *grown);
    if (grown == NULL) return false;
    run->values = grown;
    run->cap = cap;
    return true;
}

static bool run_start(struct sort_flow *f, struct sort_run *run)
{
    rf_arena_reset(&run->arena);
    run->values = NULL;
    run->count = run->cap = 0;
    run->rows = rows_new(&run->arena, f->types, f->sort->node.inputs[0]->schema.count);
    return run->rows != NULL;
}

/* Row numbers of a run in order. */
static uint64_t *run_order(const struct sort_flow *f, struct sort_run *run)
{
    uint64_t *order = rf_arena_raw(&run->arena, uint64_t, run->count);
    if (order == NULL) return NULL;
    for (uint64_t i = 0; i < run->count; i++) order[i] = i;
    struct sort_order by = {
        .keys = f->sort->keys, .key_count = f->sort->key_count, .values = run->values};
    if (run->count > 1) qsort_r(order, run->count, sizeof *order, order_cmp_r, &by);
    return order;
}

/* Moves the best `limit` rows into the other run, in order. */
static bool run_cut(struct sort_flow *f, struct sort_lane *lane)
{
    struct sort_run *from = &lane->runs[lane->now], *to = &lane->runs[1 - lane->now];
    uint32_t keys = f->sort->key_count;
    uint64_t *order = run_order(f, from), limit = f->sort->limit;
    if (order == NULL || !run_start(f, to)) return false;
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init_shared(&arena, f->exec->budget);
    for (uint64_t at = 0; at < limit; at += BATCH_ROWS) {
        uint32_t n = (uint32_t)RF_MIN(limit - at, (uint64_t)BATCH_ROWS);
        struct batch batch;
        rf_arena_reset(&arena);
        if (!rows_gather(from->rows, order + at, n, &arena, &batch) ||
            !rows_append(to->rows, &batch) || !run_reserve(to, keys, n))
            return false;
        for (uint32_t i = 0; i < n; i++)
            for (uint32_t k = 0; k < keys; k++)
                if (!value_copy(&from->values[order[at + i] * keys + k], &to->arena,
                                &to->values[(to->count + i) * keys + k]))
                    return false;
        to->count += n;
    }
    lane->now = 1 - lane->now;
    lane->has_bar = true;
    return true;
}

/* The keys of the worst row that is wanted so far. */
static const struct value *bar_of(const struct sort_flow *f, const struct sort_lane *lane)
{
    return &lane->runs[lane->now].values[(f->sort->limit - 1) * f->sort->key_count];
}

/* Rows of the batch that may still be among the first `limit`: better than the bar, ties lose as they came later. */
static uint32_t rows_below_bar(const struct sort_flow *f, const struct sort_lane *lane,
                               const struct vec *keys, uint32_t count, uint32_t *rows)
{
    const struct value *bar = bar_of(f, lane);
    uint32_t n = 0;
    for (uint32_t i = 0; i < count; i++) {
        struct value row[16];
        for (uint32_t k = 0; k < f->sort->key_count; k++) row[k] = vec_value(&keys[k], i);
        rows[n] = i;
        n += keys_cmp(f->sort->keys, f->sort->key_count, row, bar) < 0;
    }
    return n;
}

/* ---- the bar, for the scan below ---------------------------------------------------------------------- */

static struct sort_flow *of_sieve(struct row_sieve *sieve)
{
    return (struct sort_flow *)((char *)sieve - offsetof(struct sort_flow, sieve));
}

static bool sieve_ready(struct row_sieve *sieve, uint32_t lane)
{
    const struct sort_flow *f = of_sieve(sieve);
    return f->lanes[lane].has_bar && !bar_of(f, &f->lanes[lane])->null;
}

/* Rows whose first key is not beyond the bar's; of those that are equal the other keys decide later. */
static enum rf_kind sieve_keep(struct row_sieve *sieve, uint32_t lane, const struct vec *v,
                               uint32_t row_count, uint32_t *rows, uint32_t *kept,
                               struct rf_err *err)
{
    const struct sort_flow *f = of_sieve(sieve);
    const struct value *bar = bar_of(f, &f->lanes[lane]);
    bool descending = f->sort->keys[0].descending;
    uint32_t n = 0;
    (void)err;
    if (v->nulls == NULL && type_is_i64((enum type)v->type)) {
        const int64_t *cells = v->data;
        for (uint32_t i = 0; i < row_count; i++) {
            int64_t cell = cells[vec_at(v, i)];
            rows[n] = i;
            n += descending ? cell >= bar->i : cell <= bar->i;
        }
    } else {
        for (uint32_t i = 0; i < row_count; i++) {
            struct value cell = vec_value(v, i);
            rows[n] = i;
            n += keys_cmp(f->sort->keys, 1, &cell, bar) <= 0;
        }
    }
    *kept = n;
    return RF_OK;
}

/* ---- running -------------------------------------------------------------------------------------------- */

static enum rf_kind lane_add(struct sort_flow *f, struct sort_lane *lane, const struct batch *batch,
                             const struct vec *keys, struct rf_err *err)
{
    struct sort_run *run = &lane->runs[lane->now];
    uint32_t key_count = f->sort->key_count, count = batch->row_count;
    if (!run_reserve(run, key_count, count)) return rf_fail_memory(err, &run->arena);
    for (uint32_t k = 0; k < key_count; k++)
        for (uint32_t i = 0; i < count; i++) {
            struct value v = vec_value(&keys[k], i);
            if (!value_copy(&v, &run->arena, &run->values[(run->count + i) * key_count + k]))
                return rf_fail_memory(err, &run->arena);
        }
    run->count += count;
    return rows_append(run->rows, batch) ? RF_OK : rf_fail_memory(err, &run->arena);
}

static enum rf_kind sort_push(struct flow *flow, uint32_t number, const struct batch *in,
                              struct rf_err *err)
{
    struct sort_flow *f = (struct sort_flow *)flow;
    struct sort_lane *lane = &f->lanes[number];
    uint32_t keys = f->sort->key_count;
    struct batch batch = *in;
    struct vec *results = rf_arena_raw(in->arena, struct vec, keys);
    if (results == NULL) return rf_fail_memory(err, in->arena);
    RF_TRY(eval_run(lane->eval, in, results, err));
    if (lane->has_bar && keys <= 16) {
        uint32_t *rows = rf_arena_raw(in->arena, uint32_t, in->row_count);
        if (rows == NULL) return rf_fail_memory(err, in->arena);
        uint32_t kept = rows_below_bar(f, lane, results, in->row_count, rows);
        if (kept == 0) return RF_OK;
        if (kept < in->row_count) {
            if (!batch_select(in, rows, kept, &batch)) return rf_fail_memory(err, in->arena);
            for (uint32_t k = 0; k < keys; k++)
                if (!vec_select(in->arena, &results[k], rows, kept, &results[k]))
                    return rf_fail_memory(err, in->arena);
        }
    }
    RF_TRY(lane_add(f, lane, &batch, results, err));
    uint64_t limit = f->sort->limit;
    if (limit > 0 && limit < SORT_LIMIT_SMALL &&
        lane->runs[lane->now].count >= 2 * limit + SORT_SLACK_ROWS && !run_cut(f, lane))
        return rf_fail_memory(err, &lane->arena);
    return RF_OK;
}

/* Appends the rows of one lane to those of another; their keys stay where they are. */
static enum rf_kind lane_join(struct sort_flow *f, struct sort_lane *to, struct sort_lane *from,
                              struct rf_err *err)
{
    struct sort_run *a = &to->runs[to->now], *b = &from->runs[from->now];
    uint32_t keys = f->sort->key_count;
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init_shared(&arena, f->exec->budget);
    for (uint64_t at = 0; at < b->count; at += BATCH_ROWS) {
        uint32_t n = (uint32_t)RF_MIN(b->count - at, (uint64_t)BATCH_ROWS);
        struct batch batch;
        rf_arena_reset(&arena);
        if (!rows_batch(b->rows, at, &arena, &batch) || !rows_append(a->rows, &batch) ||
            !run_reserve(a, keys, n))
            return rf_fail_memory(err, &a->arena);
        memcpy(&a->values[a->count * keys], &b->values[at * keys], n * keys * sizeof *a->values);
        a->count += n;
    }
    return RF_OK;
}

static enum rf_kind sort_emit(struct sort_flow *f, uint32_t lanes, struct flow *out,
                              struct rf_err *err)
{
    for (uint32_t l = 1; l < lanes; l++) RF_TRY(lane_join(f, &f->lanes[0], &f->lanes[l], err));
    struct sort_run *run = &f->lanes[0].runs[f->lanes[0].now];
    uint64_t *order = run_order(f, run);
    if (order == NULL) return rf_fail_memory(err, &run->arena);
    return rows_push_order(run->rows, order, RF_MIN(run->count, f->sort->limit), f->exec, out, err);
}

static enum rf_kind lane_start(struct sort_flow *f, struct sort_lane *lane, struct rf_err *err)
{
    const struct sort_node *s = f->sort;
    struct expr **exprs = rf_arena_new(&lane->arena, struct expr *, s->key_count);
    if (exprs == NULL) return rf_fail_memory(err, &lane->arena);
    for (uint32_t i = 0; i < s->key_count; i++) exprs[i] = s->keys[i].expr;
    if (!run_start(f, &lane->runs[0])) return rf_fail_memory(err, &lane->runs[0].arena);
    return eval_new(f->exec, &lane->arena, exprs, s->key_count, &s->node.inputs[0]->schema,
                    &lane->eval, err);
}

/* Runs the input into the lanes, with the sieve held out to the scan below. */
static enum rf_kind sort_input(struct sort_flow *f, struct rf_err *err)
{
    struct exec *exec = f->exec;
    const struct sort_node *s = f->sort;
    struct row_sieve *outer = exec->sieve;
    const struct node *outer_scan = exec->sieved;
    const struct expr *first = s->key_count == 0 ? NULL : s->keys[0].expr;
    for (uint32_t l = 0; l < exec->lane_count; l++) RF_TRY(lane_start(f, &f->lanes[l], err));
    if (s->scan != NULL && first != NULL && first->kind == EXPR_COLUMN &&
        s->limit < SORT_LIMIT_SMALL) {
        f->sieve = (struct row_sieve){.column_ids = &first->column_id,
                                      .column_count = 1,
                                      .ready = sieve_ready,
                                      .keep = sieve_keep};
        exec->sieve = &f->sieve;
        exec->sieved = s->scan;
    }
    enum rf_kind kind = node_run(s->node.inputs[0], exec, &f->flow, err);
    exec->sieve = outer;
    exec->sieved = outer_scan;
    return kind;
}

static enum rf_kind sort_run(struct node *node, struct exec *exec, struct flow *out,
                             struct rf_err *err)
{
    struct sort_node *s = (struct sort_node *)node;
    struct sort_flow f = {.flow = {.push = sort_push}, .exec = exec, .sort = s};
    struct node *input = node->inputs[0];
    if (s->limit == 0) return RF_OK;
    uint32_t outer = exec->lane_count, lanes = s->limit < SORT_LIMIT_SMALL ? exec->worker_count : 1;
    rf_arena_init_shared(&f.arena, exec->budget);
    f.types = rf_arena_new(&f.arena, uint8_t, input->schema.count);
    f.lanes = rf_arena_new(&f.arena, struct sort_lane, lanes);
    if (f.types == NULL || f.lanes == NULL) {
        enum rf_kind kind = rf_fail_memory(err, &f.arena);
        rf_arena_done(&f.arena);
        return kind;
    }
    for (uint32_t i = 0; i < input->schema.count; i++) f.types[i] = input->schema.columns[i].type;
    for (uint32_t l = 0; l < lanes; l++) {
        rf_arena_init_shared(&f.lanes[l].arena, exec->budget);
        for (int i = 0; i < 2; i++) rf_arena_init_shared(&f.lanes[l].runs[i].arena, exec->budget);
    }
    exec->lane_count = lanes; /* lanes' rows stand in order: ties are settled alike each time */
    enum rf_kind kind = sort_input(&f, err);
    exec->lane_count = outer;
    if (kind == RF_OK) kind = sort_emit(&f, lanes, out, err);
    for (uint32_t l = 0; l < lanes; l++) {
        eval_done(f.lanes[l].eval);
        for (int i = 0; i < 2; i++) rf_arena_done(&f.lanes[l].runs[i].arena);
        rf_arena_done(&f.lanes[l].arena);
    }
    rf_arena_done(&f.arena);
    return kind;
}

void sort_offer_limit(struct node *node, uint64_t limit)
{
    while (strcmp(node->ops->name, "project") == 0)
        node = node->inputs[0]; /* rows pass one by one */
    if (strcmp(node->ops->name, "sort") == 0)
        ((struct sort_node *)node)->limit = RF_MIN(((struct sort_node *)node)->limit, limit);
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

static const struct node_ops sort_ops = {
    .name = "sort", .run = sort_run, .prune = sort_prune, .explain = sort_explain};

enum rf_kind sort_node_new(struct binder *b, struct sort_key *keys, uint32_t key_count,
                           uint64_t limit, struct node *input, struct node **out)
{
    struct sort_node *s = node_new(b, sizeof *s, &sort_ops, input);
    if (s == NULL) return BIND_NOMEM(b);
    s->keys = keys;
    s->key_count = key_count;
    s->limit = limit;
    s->scan = scan_below(input);
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
            struct sort_item *grown = rf_arena_grow(p->arena, body->items, cap * sizeof *grown,
                                                    (cap + 8) * sizeof *grown);
            if (grown == NULL) return PARSE_NOMEM(p);
            body->items = grown;
            cap += 8;
        }
        struct sort_item *item = &body->items[body->count];
        *item = (struct sort_item){0};
        RF_TRY(parse_named_expr(p, &item->expr));
        if (parse_accept(p, "asc"))
            item->ascending = true;
        else
            (void)parse_accept(p, "desc");
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

static enum rf_kind sort_bind(struct binder *b, const struct ast *node, struct node *input,
                              struct node **out)
{
    const struct sort_body *body = node->body;
    uint64_t limit = UINT64_MAX;
    if (body->limit != NULL) {
        struct value v;
        RF_TRY(bind_constant(b, body->limit, TYPE_LONG, &v));
        if (!v.null && v.i < 0)
            return bind_fail(b, body->limit->pos, "BadLimit",
                             "top needs a number of rows, 0 or more");
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

const struct operator op_sort = {
    .name = "sort",
    .doc = "Orders the rows; descending unless asc is said; nulls last in descending order.",
    .syntax = "T | sort by Expression [asc|desc] [nulls first|last], ...",
    .parse = sort_parse,
    .bind = sort_bind};
const struct operator op_order = {.name = "order",
                                  .doc = "sort",
                                  .syntax = "T | order by ...",
                                  .hidden = true,
                                  .parse = sort_parse,
                                  .bind = sort_bind};
const struct operator op_top = {
    .name = "top",
    .doc = "The first N rows by an order; descending unless asc is said.",
    .syntax = "T | top N by Expression [asc|desc] [nulls first|last], ...",
    .parse = top_parse,
    .bind = sort_bind};
