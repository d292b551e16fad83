/* op_mvapply.c - mv-apply: expands each row's arrays and runs a pipe over the rows that come of it.
 *
 * The pipe is bound once, over a source that gives the expansion of the present row, and run once per
 * row. Rows whose arrays are all empty give nothing. What the pipe leaves out of the input's columns is
 * repeated beside its result. */
#include "kql/op.h"
#include "kql/op_mvexpand.h"

/* ---- the pipe's source ----------------------------------------------------------------------- */

struct source_node {
    struct node node;
    struct expand_plan plan;
    struct expand_cursor cursor; /* set before each run of the pipe */
    struct rf_arena *arena;
};

static enum rf_kind source_run(struct node *node, struct exec *exec, struct flow *out,
                               struct rf_err *err)
{
    struct source_node *s = (struct source_node *)node;
    struct expand_cursor cursor = s->cursor;
    uint32_t max = RF_MIN(cursor.item_count, (uint32_t)BATCH_ROWS);
    struct batch batch;
    cursor.item_count = 0;
    while (!flow_done(out)) {
        rf_arena_reset(s->arena);
        RF_TRY(expand_next(&cursor, max, s->arena, &batch, err));
        if (batch.row_count == 0) break;
        RF_TRY(flow_push(exec, out, 0, &batch, err));
    }
    return RF_OK;
}

static void source_prune(struct node *node, struct id_set *need)
{
    struct source_node *s = (struct source_node *)node;
    expand_prune(&s->plan, need);
    node->schema = s->plan.schema;
}

static const struct node_ops source_ops = {
    .name = "mv-apply row", .run = source_run, .prune = source_prune};

/* ---- running --------------------------------------------------------------------------------- */

struct apply_node {
    struct node node;
    struct node *sub;
    struct source_node *source;
    bool *from_sub; /* beside schema.columns: of the pipe's result, not of the input */
};

struct apply_flow {
    struct flow flow;
    struct exec *exec;
    struct apply_node *apply;
    struct eval *eval;
    struct vec *arrays;
    int *slots,
        *source_slots; /* of output columns in the input or the pipe's result; of the source's */
    uint8_t *types;    /* of the pipe's columns */
    struct rf_arena arena; /* what the rows of one input batch gave */
    struct rf_arena source_arena;
};

struct gather_flow { /* takes what the pipe gives for one row after the other */
    struct flow flow;
    struct rf_arena *arena;
    struct rows *rows;
    uint32_t *row_of; /* input row of each */
    uint64_t count, cap;
    uint32_t row;
};

static enum rf_kind gather_push(struct flow *flow, uint32_t lane, const struct batch *batch,
                                struct rf_err *err)
{
    struct gather_flow *g = (struct gather_flow *)flow;
    (void)lane;
    if (g->count + batch->row_count > g->cap) {
        uint64_t cap = RF_MAX(g->cap * 2, g->count + batch->row_count + BATCH_ROWS);
        uint32_t *grown =
            rf_arena_grow(g->arena, g->row_of, g->cap * sizeof *grown, cap * sizeof *grown);
        if (grown == NULL) return rf_fail_memory(err, g->arena);
        g->row_of = grown;
        g->cap = cap;
    }
    for (uint32_t i = 0; i < batch->row_count; i++) g->row_of[g->count + i] = g->row;
    g->count += batch->row_count;
    return rows_append(g->rows, batch) ? RF_OK : rf_fail_memory(err, g->arena);
}

/* The pipe's rows beside the repeated columns of the input. */
static enum rf_kind apply_emit(struct apply_flow *f, const struct batch *in,
                               const struct gather_flow *g, struct rf_err *err)
{
    const struct apply_node *n = f->apply;
    uint32_t width = n->node.schema.count;
    for (uint64_t from = 0; from < g->count; from += BATCH_ROWS) {
        struct batch sub;
        if (!rows_batch(g->rows, from, &f->arena, &sub)) return rf_fail_memory(err, &f->arena);
        struct batch out = {.row_count = sub.row_count, .column_count = width, .arena = &f->arena};
        out.columns = rf_arena_new(&f->arena, struct vec, width);
        if (out.columns == NULL) return rf_fail_memory(err, &f->arena);
        for (uint32_t c = 0; c < width; c++) {
            if (n->from_sub[c])
                out.columns[c] = sub.columns[f->slots[c]];
            else if (!vec_select(&f->arena, &in->columns[f->slots[c]], g->row_of + from,
                                 sub.row_count, &out.columns[c]))
                return rf_fail_memory(err, &f->arena);
        }
        RF_TRY(flow_push(f->exec, f->flow.next, 0, &out, err));
    }
    return RF_OK;
}

static enum rf_kind apply_push(struct flow *flow, uint32_t lane, const struct batch *in,
                               struct rf_err *err)
{
    struct apply_flow *f = (struct apply_flow *)flow;
    struct apply_node *n = f->apply;
    (void)lane;
    rf_arena_reset(&f->arena);
    RF_TRY(eval_run(f->eval, in, f->arrays, err));
    struct gather_flow g = {.flow = {.push = gather_push}, .arena = &f->arena};
    g.rows = rows_new(&f->arena, f->types, n->sub->schema.count);
    if (g.rows == NULL) return rf_fail_memory(err, &f->arena);
    for (uint32_t row = 0; row < in->row_count && !flow_done(flow->next); row++) {
        n->source->cursor = (struct expand_cursor){.plan = &n->source->plan,
                                                   .slots = f->source_slots,
                                                   .in = in,
                                                   .arrays = f->arrays,
                                                   .row = row,
                                                   .to = row + 1};
        n->source->cursor.item_count = expand_row_count(&n->source->cursor);
        if (n->source->cursor.item_count == 0) continue;
        g.row = row;
        RF_TRY(node_run(n->sub, f->exec, &g.flow, err));
    }
    return apply_emit(f, in, &g, err);
}

static enum rf_kind apply_prepare(struct apply_flow *f, struct rf_arena *arena, struct rf_err *err)
{
    struct apply_node *n = f->apply;
    const struct schema *input = &n->node.inputs[0]->schema, *sub = &n->sub->schema;
    const struct expand_plan *plan = &n->source->plan;
    f->arrays = rf_arena_new(arena, struct vec, plan->array_count);
    f->slots = rf_arena_new(arena, int, n->node.schema.count);
    f->types = rf_arena_new(arena, uint8_t, sub->count);
    f->source_slots = expand_slots(plan, input, arena);
    if (f->arrays == NULL || f->slots == NULL || f->types == NULL || f->source_slots == NULL)
        return rf_fail_memory(err, arena);
    for (uint32_t i = 0; i < n->node.schema.count; i++) {
        f->slots[i] = schema_find_id(n->from_sub[i] ? sub : input, n->node.schema.columns[i].id);
        RF_ASSERT(f->slots[i] >= 0);
    }
    for (uint32_t i = 0; i < sub->count; i++) f->types[i] = sub->columns[i].type;
    return eval_new(f->exec, arena, plan->arrays, plan->array_count, input, &f->eval, err);
}

static enum rf_kind apply_run(struct node *node, struct exec *exec, struct flow *out,
                              struct rf_err *err)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init_shared(&arena, exec->budget);
    struct apply_node *n = (struct apply_node *)node;
    struct apply_flow f = {.flow = {.push = apply_push, .next = out}, .exec = exec, .apply = n};
    rf_arena_init_shared(&f.arena, exec->budget);
    rf_arena_init_shared(&f.source_arena, exec->budget);
    n->source->arena = &f.source_arena;
    uint32_t lanes = exec->lane_count;
    exec->lane_count = 1; /* the source shows one row at a time */
    enum rf_kind kind = apply_prepare(&f, &arena, err);
    if (kind == RF_OK) kind = node_run(node->inputs[0], exec, &f.flow, err);
    exec->lane_count = lanes;
    eval_done(f.eval);
    rf_arena_done(&f.arena);
    rf_arena_done(&f.source_arena);
    return kind;
}

static void apply_prune(struct node *node, struct id_set *need)
{
    struct apply_node *n = (struct apply_node *)node;
    uint32_t kept = 0;
    for (uint32_t i = 0; i < node->schema.count; i++) {
        if (!id_set_has(need, node->schema.columns[i].id)) continue;
        node->schema.columns[kept] = node->schema.columns[i];
        n->from_sub[kept++] = n->from_sub[i];
    }
    node->schema.count = kept;
    node_prune(n->sub, need);
    for (uint32_t i = 0; i < n->source->plan.schema.count; i++)
        id_set_add(need, n->source->plan.schema.columns[i].id);
    for (uint32_t i = 0; i < n->source->plan.array_count; i++)
        id_set_add_expr(need, n->source->plan.arrays[i]);
    node_prune(node->inputs[0], need);
}

static void apply_explain(const struct node *node, struct rf_buf *buf)
{
    const struct apply_node *n = (const struct apply_node *)node;
    for (uint32_t i = 0; i < n->source->plan.array_count; i++) {
        if (i > 0) rf_buf_printf(buf, ", ");
        expr_explain(n->source->plan.arrays[i], buf);
    }
    rf_buf_byte(buf, '\n');
    node_explain(n->sub, 6, buf);
}

static const struct node_ops apply_ops = {
    .name = "mv-apply", .run = apply_run, .prune = apply_prune, .explain = apply_explain};

/* ---- text to node ---------------------------------------------------------------------------- */

static enum rf_kind mvapply_parse(struct parser *p, struct ast *node)
{
    struct expand_body *body;
    RF_TRY(expand_parse(p, node, &body));
    node->body = body;
    RF_TRY(parse_expect(p, "on"));
    RF_TRY(parse_expect(p, "("));
    RF_TRY(parse_sub_pipe(p, &body->sub));
    return parse_expect(p, ")");
}

/* A column that is expanded under its own name leaves the row (mv-apply x, not x = x): it comes back only if the pipe gives
 * it. */
static bool expanded(const struct expand_body *body, const struct expand_plan *plan,
                     const struct column *column)
{
    for (uint32_t i = 0; i < body->count; i++)
        if (body->items[i].expr->kind == AST_NAME && plan->arrays[i]->kind == EXPR_COLUMN &&
            plan->arrays[i]->column_id == column->id)
            return true;
    return false;
}

/* The input's columns, those that the pipe gives anew in their places, then the pipe's others. */
static enum rf_kind apply_schema(struct binder *b, const struct expand_body *body,
                                 struct apply_node *n)
{
    const struct schema *input = &n->node.inputs[0]->schema, *sub = &n->sub->schema;
    struct schema_builder sb = {.b = b};
    n->from_sub = rf_arena_new(b->arena, bool, (size_t)input->count + sub->count);
    if (n->from_sub == NULL) return BIND_NOMEM(b);
    for (uint32_t i = 0; i < input->count; i++) {
        struct column c = input->columns[i];
        if (expanded(body, &n->source->plan, &c)) continue;
        int at = schema_find(sub, c.name);
        bool anew = at >= 0 && sub->columns[at].id != c.id;
        if (anew) c = sub->columns[at];
        n->from_sub[sb.schema.count] = anew;
        if (!schema_add_exact(&sb, c.name, (enum type)c.type, c.id)) return BIND_NOMEM(b);
    }
    for (uint32_t i = 0; i < sub->count; i++) {
        const struct column *c = &sub->columns[i];
        if (schema_find(&sb.schema, c->name) >= 0) continue;
        n->from_sub[sb.schema.count] = schema_find_id(input, c->id) < 0;
        if (!schema_add_exact(&sb, c->name, (enum type)c->type, c->id)) return BIND_NOMEM(b);
    }
    sb.schema.open = input->open || sub->open;
    n->node.schema = sb.schema;
    return RF_OK;
}

static enum rf_kind mvapply_bind(struct binder *b, const struct ast *node, struct node *input,
                                 struct node **out)
{
    const struct expand_body *body = node->body;
    struct apply_node *n = node_new(b, sizeof *n, &apply_ops, input);
    struct source_node *source = node_new(b, sizeof *source, &source_ops, NULL);
    if (n == NULL || source == NULL) return BIND_NOMEM(b);
    RF_TRY(expand_bind(b, node, body, &input->schema, INT32_MAX, &source->plan));
    source->node.schema = source->plan.schema;
    source->node.serialized = true;
    n->source = source;
    RF_TRY(bind_sub_pipe(b, body->sub, &source->node, &n->sub));
    RF_TRY(apply_schema(b, body, n));
    *out = &n->node;
    return RF_OK;
}

const struct operator op_mv_apply = {
    .name = "mv-apply",
    .doc = "Expands each row's arrays, runs a pipe over those rows, and unites the results.",
    .syntax = "T | mv-apply [with_itemindex=Name] [Name =] Array [to typeof(Type)], ... [limit N] "
              "on (Pipe)",
    .parse = mvapply_parse,
    .bind = mvapply_bind};
