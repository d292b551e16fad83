/* op_sort.c - sort, order, top: all rows by keys, or the first of them.
 *
 * Rows are kept in the order in which they came, lane by lane, keys that are no columns as further columns; sorter.h puts them
 * into order. */
#include <stddef.h>

#include "kql/bind_int.h"
#include "kql/sort_keys.h"
#include "kql/sorter.h"

struct sort_node {
    struct node node;
    struct sort_key *keys;
    uint32_t key_count;
    uint64_t limit;
    struct node *scan; /* from which the rows come one by one, or NULL */
};

enum {
    SORT_SLACK_ROWS = 256,      /* rows beyond the limit that are kept before the best are chosen */
    SORT_LIMIT_SMALL = 1 << 20, /* up to this limit the best are chosen while rows come */
};

/* Kept rows: the input's columns, then the computed keys. With a limit there are two of them, used in turn: when one is full,
 * the best rows move to the other and the worst of those is the bar for rows to come. */
struct sort_run {
    struct rf_arena arena;
    struct rows *rows;
};
/* What one lane keeps. */
struct sort_lane {
    struct eval *eval; /* of computed keys */
    struct rf_arena arena;
    struct sort_run runs[2];
    uint32_t now;      /* which run is being filled */
    struct value *bar; /* keys of row limit - 1 of the present run: the worst one wanted; or NULL */
    uint64_t bar_word; /* of its first key */
};
struct sort_flow {
    struct flow flow;
    struct row_sieve sieve;
    struct exec *exec;
    const struct sort_node *sort;
    struct rf_arena arena;
    struct sort_layout layout; /* of the kept rows */
    uint32_t input_count;
    struct expr **computed;
    uint32_t computed_count;
    struct sort_lane *lanes;
    uint32_t lane_count;
};

/* ---- the best of a lane -------------------------------------------------------------------------------------- */

static bool run_start(const struct sort_flow *f, struct sort_run *run)
{
    rf_arena_reset(&run->arena);
    run->rows = rows_new(&run->arena, f->layout.types, f->layout.column_count);
    return run->rows != NULL;
}

/* Moves the best `limit` rows into the other run, in order. */
static enum rf_kind run_cut(struct sort_flow *f, struct sort_lane *lane, struct rf_err *err)
{
    struct sort_run *from = &lane->runs[lane->now], *to = &lane->runs[1 - lane->now];
    uint64_t limit = f->sort->limit;
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    RF_CLEANUP(rf_arena_done) struct rf_arena batches;
    rf_arena_init_shared(&arena, f->exec->budget);
    rf_arena_init_shared(&batches, f->exec->budget);
    const struct rows *rows = from->rows;
    struct sorter sorter;
    RF_TRY(sorter_init(&sorter, &f->layout, &rows, 1, &arena, err));
    RF_TRY(sorter_sort(&sorter, true, &arena, err));
    if (!run_start(f, to)) return rf_fail_memory(err, &to->arena);
    for (uint64_t at = 0; at < limit; at += BATCH_ROWS) {
        struct batch batch;
        rf_arena_reset(&batches);
        if (!sorter_gather(&sorter, at, (uint32_t)RF_MIN(limit - at, (uint64_t)BATCH_ROWS),
                           f->layout.column_count, &batches, &batch) ||
            !rows_append(to->rows, &batch))
            return rf_fail_memory(err, &to->arena);
    }
    lane->now = 1 - lane->now;
    if (f->sort->key_count == 0) return RF_OK;
    if (lane->bar == NULL) lane->bar = rf_arena_new(&lane->arena, struct value, f->sort->key_count);
    if (lane->bar == NULL) return rf_fail_memory(err, &lane->arena);
    for (uint32_t k = 0; k < f->sort->key_count; k++)
        lane->bar[k] = rows_value(to->rows, limit - 1, f->layout.key_columns[k]);
    struct vec first = {.type = lane->bar->type, .shape = VEC_CONST, .data = &lane->bar->d};
    uint8_t null = lane->bar->null;
    first.nulls = &null;
    lane->bar_word = sort_vec_word(f->sort->keys, &first, 0);
    return RF_OK;
}

/* Rows of the batch that may still be among the first `limit`: better than the bar, ties lose as they came later. */
static uint32_t rows_below_bar(const struct sort_flow *f, const struct sort_lane *lane,
                               const struct batch *batch, uint32_t *rows)
{
    const struct sort_key *keys = f->sort->keys;
    const struct vec *first = &batch->columns[f->layout.key_columns[0]];
    uint32_t n = 0;
    for (uint32_t i = 0; i < batch->row_count; i++) {
        uint64_t word = sort_vec_word(keys, first, i);
        rows[n] = i;
        if (word != lane->bar_word) {
            n += word < lane->bar_word;
            continue;
        }
        int c = 0;
        for (uint32_t k = 0; k < f->sort->key_count && c == 0; k++) {
            struct value v = vec_value(&batch->columns[f->layout.key_columns[k]], i);
            c = sort_key_cmp(&keys[k], &v, &lane->bar[k]);
        }
        n += c < 0;
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
    const struct value *bar = of_sieve(sieve)->lanes[lane].bar;
    return bar != NULL && !bar->null;
}

/* Rows whose first key is not beyond the bar's; of those that are equal the other keys decide later. */
static enum rf_kind sieve_keep(struct row_sieve *sieve, uint32_t lane, const struct vec *v,
                               uint32_t row_count, uint32_t *rows, uint32_t *kept,
                               struct rf_err *err)
{
    const struct sort_flow *f = of_sieve(sieve);
    const struct sort_key *key = &f->sort->keys[0];
    const struct value *bar = f->lanes[lane].bar;
    uint64_t bar_word = f->lanes[lane].bar_word;
    uint32_t n = 0;
    (void)err;
    if (v->nulls == NULL && type_is_i64((enum type)v->type)) {
        const int64_t *cells = v->data;
        for (uint32_t i = 0; i < row_count; i++) {
            int64_t cell = cells[vec_at(v, i)];
            rows[n] = i;
            n += key->descending ? cell >= bar->i : cell <= bar->i;
        }
    } else {
        for (uint32_t i = 0; i < row_count; i++) {
            uint64_t word = sort_vec_word(key, v, i);
            rows[n] = i;
            if (word != bar_word) {
                n += word < bar_word;
                continue;
            }
            struct value cell = vec_value(v, i);
            n += sort_key_cmp(key, &cell, bar) <= 0;
        }
    }
    *kept = n;
    return RF_OK;
}

/* ---- running -------------------------------------------------------------------------------------------- */

/* The input's columns with the computed keys behind them. */
static enum rf_kind with_keys(const struct sort_flow *f, struct sort_lane *lane,
                              const struct batch *in, struct batch *out, struct rf_err *err)
{
    *out = *in;
    if (f->computed_count == 0) return RF_OK;
    out->column_count = f->layout.column_count;
    out->columns = rf_arena_raw(in->arena, struct vec, f->layout.column_count);
    if (out->columns == NULL) return rf_fail_memory(err, in->arena);
    if (f->input_count > 0)
        memcpy(out->columns, in->columns, f->input_count * sizeof *out->columns);
    return eval_run(lane->eval, in, out->columns + f->input_count, err);
}

/* Keeps the rows of a batch that has the computed keys already. */
static enum rf_kind lane_keep(struct sort_flow *f, struct sort_lane *lane, const struct batch *in,
                              struct rf_err *err)
{
    struct batch batch = *in;
    if (lane->bar != NULL) {
        uint32_t *rows = rf_arena_raw(in->arena, uint32_t, in->row_count);
        if (rows == NULL) return rf_fail_memory(err, in->arena);
        uint32_t kept = rows_below_bar(f, lane, in, rows);
        if (kept == 0) return RF_OK;
        if (kept < in->row_count && !batch_select(in, rows, kept, &batch))
            return rf_fail_memory(err, in->arena);
    }
    struct sort_run *run = &lane->runs[lane->now];
    if (!rows_append(run->rows, &batch)) return rf_fail_memory(err, &run->arena);
    uint64_t limit = f->sort->limit;
    if (limit < SORT_LIMIT_SMALL && rows_count(run->rows) >= 2 * limit + SORT_SLACK_ROWS)
        return run_cut(f, lane, err);
    return RF_OK;
}

static enum rf_kind sort_push(struct flow *flow, uint32_t number, const struct batch *in,
                              struct rf_err *err)
{
    struct sort_flow *f = (struct sort_flow *)flow;
    struct batch batch;
    RF_TRY(with_keys(f, &f->lanes[number], in, &batch, err));
    return lane_keep(f, &f->lanes[number], &batch, err);
}

/* Moves the lanes' rows behind lane 0's. A lane's bar goes with the rows that it was made of. */
static enum rf_kind sort_round_end(struct flow *flow, struct rf_err *err)
{
    struct sort_flow *f = (struct sort_flow *)flow;
    RF_CLEANUP(rf_arena_done) struct rf_arena views;
    rf_arena_init_shared(&views, f->exec->budget);
    for (uint32_t l = 1; l < f->lane_count; l++) {
        struct sort_lane *lane = &f->lanes[l];
        struct sort_run *run = &lane->runs[lane->now];
        uint64_t count = rows_count(run->rows);
        for (uint64_t from = 0; from < count; from += BATCH_ROWS) {
            struct batch batch;
            rf_arena_reset(&views);
            if (!rows_batch(run->rows, from, &views, &batch)) return rf_fail_memory(err, &views);
            batch.arena = &views;
            RF_TRY(lane_keep(f, &f->lanes[0], &batch, err));
        }
        lane->bar = NULL;
        if (count > 0 && !run_start(f, run)) return rf_fail_memory(err, &run->arena);
    }
    return RF_OK;
}

static enum rf_kind sort_emit(struct sort_flow *f, struct flow *out, struct rf_err *err)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    RF_CLEANUP(rf_arena_done) struct rf_arena batches;
    rf_arena_init_shared(&arena, f->exec->budget);
    rf_arena_init_shared(&batches, f->exec->budget);
    const struct rows **runs = rf_arena_new(&arena, const struct rows *, f->lane_count);
    if (runs == NULL) return rf_fail_memory(err, &arena);
    for (uint32_t l = 0; l < f->lane_count; l++) runs[l] = f->lanes[l].runs[f->lanes[l].now].rows;
    struct sorter sorter;
    RF_TRY(sorter_init(&sorter, &f->layout, runs, f->lane_count, &arena, err));
    RF_TRY(sorter_sort(&sorter, false, &arena, err));
    uint64_t count = RF_MIN(sorter_count(&sorter), f->sort->limit);
    for (uint64_t at = 0; at < count && !flow_done(out); at += BATCH_ROWS) {
        struct batch batch;
        rf_arena_reset(&batches);
        if (!sorter_gather(&sorter, at, (uint32_t)RF_MIN(count - at, (uint64_t)BATCH_ROWS),
                           f->input_count, &batches, &batch))
            return rf_fail_memory(err, &batches);
        RF_TRY(flow_push(f->exec, out, 0, &batch, err));
    }
    return RF_OK;
}

/* Runs the input into the lanes, with the sieve held out to the scan below. */
static enum rf_kind sort_input(struct sort_flow *f, struct rf_err *err)
{
    struct exec *exec = f->exec;
    const struct sort_node *s = f->sort;
    struct row_sieve *outer = exec->sieve;
    const struct node *outer_scan = exec->sieved;
    const struct expr *first = s->key_count == 0 ? NULL : s->keys[0].expr;
    for (uint32_t l = 0; l < f->lane_count; l++) {
        struct sort_lane *lane = &f->lanes[l];
        if (!run_start(f, &lane->runs[0])) return rf_fail_memory(err, &lane->runs[0].arena);
        RF_TRY(eval_new(exec, &lane->arena, f->computed, f->computed_count,
                        &s->node.inputs[0]->schema, &lane->eval, err));
    }
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

/* Where each key is among the columns that are kept. */
static enum rf_kind place_keys(struct sort_flow *f, struct rf_err *err)
{
    const struct sort_node *s = f->sort;
    const struct schema *input = &s->node.inputs[0]->schema;
    f->layout = (struct sort_layout){
        .exec = f->exec, .keys = s->keys, .key_count = s->key_count, .column_count = input->count};
    f->input_count = input->count;
    f->layout.types = rf_arena_new(&f->arena, uint8_t, (size_t)input->count + s->key_count);
    f->layout.key_columns = rf_arena_new(&f->arena, uint32_t, s->key_count);
    f->computed = rf_arena_new(&f->arena, struct expr *, s->key_count);
    if (f->layout.types == NULL || f->layout.key_columns == NULL || f->computed == NULL)
        return rf_fail_memory(err, &f->arena);
    for (uint32_t i = 0; i < input->count; i++) f->layout.types[i] = input->columns[i].type;
    for (uint32_t k = 0; k < s->key_count; k++) {
        struct expr *e = s->keys[k].expr;
        int at = e->kind == EXPR_COLUMN ? schema_find_id(input, e->column_id) : -1;
        if (at < 0) {
            at = (int)f->layout.column_count;
            f->layout.types[f->layout.column_count++] = e->type;
            f->computed[f->computed_count++] = e;
        }
        f->layout.key_columns[k] = (uint32_t)at;
    }
    return RF_OK;
}

static enum rf_kind sort_lanes(struct sort_flow *f, struct flow *out, struct rf_err *err)
{
    RF_TRY(place_keys(f, err));
    f->lanes = rf_arena_new(&f->arena, struct sort_lane, f->lane_count);
    if (f->lanes == NULL) return rf_fail_memory(err, &f->arena);
    for (uint32_t l = 0; l < f->lane_count; l++) {
        rf_arena_init_shared(&f->lanes[l].arena, f->exec->budget);
        for (int i = 0; i < 2; i++)
            rf_arena_init_shared(&f->lanes[l].runs[i].arena, f->exec->budget);
    }
    uint32_t outer = f->exec->lane_count;
    f->exec->lane_count = f->lane_count; /* lanes' rows stand in order: ties are settled alike */
    enum rf_kind kind = sort_input(f, err);
    f->exec->lane_count = outer;
    return kind == RF_OK ? sort_emit(f, out, err) : kind;
}

static enum rf_kind sort_run(struct node *node, struct exec *exec, struct flow *out,
                             struct rf_err *err)
{
    struct sort_node *s = (struct sort_node *)node;
    struct sort_flow f = {.flow = {.push = sort_push, .round_end = sort_round_end},
                          .exec = exec,
                          .sort = s,
                          .lane_count = 1};
    if (s->limit == 0) return RF_OK;
    if (s->limit < SORT_LIMIT_SMALL || node_on_lanes(node->inputs[0], exec))
        f.lane_count = exec->worker_count;
    rf_arena_init_shared(&f.arena, exec->budget);
    enum rf_kind kind = sort_lanes(&f, out, err);
    for (uint32_t l = 0; l < f.lane_count && f.lanes != NULL; l++) {
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

static const struct node_ops sort_ops = {.name = "sort",
                                         .run = sort_run,
                                         .prune = sort_prune,
                                         .explain = sort_explain,
                                         .reads_paths = true,
                                         .same_columns = true};

struct node *sort_skip(struct node *node)
{
    bool plain = node->ops == &sort_ops && ((struct sort_node *)node)->limit == UINT64_MAX;
    return plain ? node->inputs[0] : node;
}

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

struct sort_term {
    struct ast *expr;
    bool ascending, nulls_given, nulls_first;
};
struct sort_body {
    struct ast *limit;
    struct sort_term *items;
    uint32_t count;
};

static enum rf_kind parse_items(struct parser *p, struct sort_body *body)
{
    uint32_t cap = 0;
    do {
        if (body->count == cap) {
            struct sort_term *grown = rf_arena_grow(p->arena, body->items, cap * sizeof *grown,
                                                    (cap + 8) * sizeof *grown);
            if (grown == NULL) return PARSE_NOMEM(p);
            body->items = grown;
            cap += 8;
        }
        struct sort_term *item = &body->items[body->count];
        *item = (struct sort_term){0};
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
        const struct sort_term *item = &body->items[i];
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
