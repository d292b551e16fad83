/* op_sample.c - sample, sample-distinct: some rows or values, each with the same chance. */
#include "kql/op.h"

struct sample_node {
    struct node node;
    uint64_t limit;
};

struct sample_flow {
    struct flow flow;
    uint64_t limit, seen, random;
    struct rf_arena arena;
    struct rows *kept; /* every row that was in the sample for a while */
    uint64_t *numbers; /* rows of `kept` that are in it now */
    uint64_t count, cap;
};

static uint64_t next_random(struct sample_flow *f) /* splitmix64 */
{
    uint64_t x = f->random += UINT64_C(0x9e3779b97f4a7c15);
    x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
    return x ^ x >> 31;
}

static bool room_for_one(struct sample_flow *f)
{
    if (f->count < f->cap) return true;
    uint64_t cap = f->cap == 0 ? 64 : f->cap * 2;
    uint64_t *grown =
        rf_arena_grow(&f->arena, f->numbers, f->cap * sizeof *grown, cap * sizeof *grown);
    if (grown == NULL) return false;
    f->numbers = grown;
    f->cap = cap;
    return true;
}

/* Row n takes the place of one in the sample with the chance limit / n, so that all are equal. */
static enum rf_kind sample_push(struct flow *flow, uint32_t lane, const struct batch *in,
                                struct rf_err *err)
{
    struct sample_flow *f = (struct sample_flow *)flow;
    (void)lane;
    uint32_t *rows = rf_arena_raw(in->arena, uint32_t, in->row_count), taken = 0;
    if (rows == NULL) return rf_fail_memory(err, in->arena);
    uint64_t first = rows_count(f->kept);
    for (uint32_t i = 0; i < in->row_count; i++) {
        uint64_t place = f->seen++;
        if (place >= f->limit) place = next_random(f) % f->seen;
        if (place >= f->limit) continue;
        if (place == f->count) {
            if (!room_for_one(f)) return rf_fail_memory(err, &f->arena);
            f->count++;
        }
        f->numbers[place] = first + taken;
        rows[taken++] = i;
    }
    struct batch batch;
    if (!batch_select(in, rows, taken, &batch) || !rows_append(f->kept, &batch))
        return rf_fail_memory(err, &f->arena);
    return RF_OK;
}

static enum rf_kind sample_run(struct node *node, struct exec *exec, struct flow *out,
                               struct rf_err *err)
{
    const struct schema *schema = &node->schema;
    struct sample_flow f = {.flow = {.push = sample_push},
                            .limit = ((struct sample_node *)node)->limit,
                            .random = (uint64_t)exec->now_ticks};
    if (f.limit == 0) return RF_OK;
    rf_arena_init_shared(&f.arena, exec->budget);
    uint8_t *types = rf_arena_new(&f.arena, uint8_t, schema->count);
    for (uint32_t i = 0; types != NULL && i < schema->count; i++)
        types[i] = schema->columns[i].type;
    f.kept = types == NULL ? NULL : rows_new(&f.arena, types, schema->count);
    enum rf_kind kind = f.kept == NULL ? rf_fail_memory(err, &f.arena) : RF_OK;
    uint32_t lanes = exec->lane_count;
    exec->lane_count = 1;
    if (kind == RF_OK) kind = node_run(node->inputs[0], exec, &f.flow, err);
    exec->lane_count = lanes;
    if (kind == RF_OK) kind = rows_push_order(f.kept, f.numbers, f.count, exec, out, err);
    rf_arena_done(&f.arena);
    return kind;
}

static void sample_prune(struct node *node, struct id_set *need)
{
    node_prune(node->inputs[0], need);
    node->schema = node->inputs[0]->schema;
}

static const struct node_ops sample_ops = {
    .name = "sample", .run = sample_run, .prune = sample_prune};

/* ---- text to node ---------------------------------------------------------------------------- */

struct sample_body {
    struct ast *limit, *of;
};

static enum rf_kind sample_parse(struct parser *p, struct ast *node)
{
    struct sample_body *body = rf_arena_new(p->arena, struct sample_body, 1);
    if (body == NULL) return PARSE_NOMEM(p);
    node->body = body;
    RF_TRY(parse_expr(p, &body->limit));
    if (!rf_str_is(node->text, "sample-distinct")) return RF_OK;
    RF_TRY(parse_expect(p, "of"));
    return parse_named_expr(p, &body->of);
}

static enum rf_kind sample_bind(struct binder *b, const struct ast *node, struct node *input,
                                struct node **out)
{
    struct sample_body body = *(const struct sample_body *)node->body;
    struct value limit;
    RF_TRY(bind_constant(b, body.limit, TYPE_LONG, &limit));
    if (!limit.null && limit.i < 0)
        return bind_fail(b, body.limit->pos, "BadLimit", "%s needs a number of rows, 0 or more",
                         node->op->name);
    if (body.of != NULL) RF_TRY(summarize_node_new(b, NULL, 0, &body.of, 1, input, &input));
    struct sample_node *n = node_new(b, sizeof *n, &sample_ops, input);
    if (n == NULL) return BIND_NOMEM(b);
    n->limit = limit.null ? 0 : (uint64_t)limit.i;
    n->node.serialized = false;
    *out = &n->node;
    return RF_OK;
}

const struct operator op_sample = {.name = "sample",
                                   .doc = "At most N rows at random.",
                                   .syntax = "T | sample N",
                                   .parse = sample_parse,
                                   .bind = sample_bind};
const struct operator op_sample_distinct = {.name = "sample-distinct",
                                            .doc = "At most N different values at random.",
                                            .syntax = "T | sample-distinct N of Expression",
                                            .parse = sample_parse,
                                            .bind = sample_bind};
