/* op_take.c - take, limit: the first rows that come; stops the sources when it has enough. */
#include "kql/bind_int.h"
#include "kql/op.h"

struct take_node {
    struct node node;
    uint64_t limit;
};
struct take_flow {
    struct flow flow;
    struct exec *exec;
    atomic_uint_fast64_t left;
};

static enum rf_kind take_push(struct flow *flow, uint32_t lane, const struct batch *in,
                              struct rf_err *err)
{
    struct take_flow *f = (struct take_flow *)flow;
    uint64_t left = atomic_load(&f->left), take;
    do take = RF_MIN(left, (uint64_t)in->row_count);
    while (!atomic_compare_exchange_weak(&f->left, &left, left - take));
    struct batch batch = *in;
    batch.row_count = (uint32_t)take; /* vectors are views: fewer rows of the same */
    RF_TRY(flow_push(f->exec, flow->next, lane, &batch, err));
    if (left == take) atomic_store(&flow->done, true);
    return RF_OK;
}

static enum rf_kind take_run(struct node *node, struct exec *exec, struct flow *out,
                             struct rf_err *err)
{
    struct take_flow f = {.flow = {.push = take_push, .next = out},
                          .exec = exec,
                          .left = ((struct take_node *)node)->limit};
    if (f.left == 0) return RF_OK;
    return node_run_ordered(node->inputs[0], exec, &f.flow, err);
}

static void take_prune(struct node *node, struct id_set *need)
{
    node_prune(node->inputs[0], need);
    node->schema = node->inputs[0]->schema;
}

static void take_explain(const struct node *node, struct rf_buf *buf)
{
    rf_buf_printf(buf, "%llu", (unsigned long long)((const struct take_node *)node)->limit);
}

static const struct node_ops take_ops = {.name = "take",
                                         .run = take_run,
                                         .prune = take_prune,
                                         .explain = take_explain,
                                         .same_columns = true};

static enum rf_kind take_parse(struct parser *p, struct ast *node)
{
    struct ast *limit;
    RF_TRY(parse_expr(p, &limit));
    node->body = limit;
    return RF_OK;
}

static enum rf_kind take_bind(struct binder *b, const struct ast *node, struct node *input,
                              struct node **out)
{
    struct value v;
    struct take_node *t = node_new(b, sizeof *t, &take_ops, input);
    if (t == NULL) return BIND_NOMEM(b);
    RF_TRY(bind_constant(b, node->body, TYPE_LONG, &v));
    if (!v.null && v.i < 0)
        return bind_fail(b, ((const struct ast *)node->body)->pos, "BadLimit",
                         "%s needs a number of rows, 0 or more", node->op->name);
    t->limit = v.null ? 0 : (uint64_t)v.i;
    if (exec_takes(b->exec, SHORTCUT_LIMIT)) {
        scan_offer_limit(input, t->limit);
        sort_offer_limit(input, t->limit);
    }
    *out = &t->node;
    return RF_OK;
}

const struct operator op_take = {
    .name = "take",
    .doc = "At most that many rows, any of them unless the input is sorted.",
    .syntax = "T | take N",
    .parse = take_parse,
    .bind = take_bind};
const struct operator op_limit = {.name = "limit",
                                  .doc = "take",
                                  .syntax = "T | limit N",
                                  .hidden = true,
                                  .parse = take_parse,
                                  .bind = take_bind};
