/* op_where.c - where, filter: keeps rows; conjuncts are tried one after another on what is left. */
#include "kql/bind_int.h"
#include "kql/op.h"

enum { CONJUNCTS_MAX = 64 };

struct where_node {
    struct node node;
    struct expr *conjuncts[CONJUNCTS_MAX];
    uint32_t count;
};

struct where_lane {
    struct eval *evals[CONJUNCTS_MAX];
    struct rf_arena arena;
};
struct where_flow {
    struct flow flow;
    struct exec *exec;
    const struct where_node *where;
    struct where_lane *lanes;
};

static enum rf_kind where_push(struct flow *flow, uint32_t lane, const struct batch *in,
                               struct rf_err *err)
{
    struct where_flow *f = (struct where_flow *)flow;
    struct batch batch = *in;
    for (uint32_t i = 0; i < f->where->count && batch.row_count > 0; i++) {
        struct vec keep;
        RF_TRY(eval_run(f->lanes[lane].evals[i], &batch, &keep, err));
        uint32_t *rows = rf_arena_raw(batch.arena, uint32_t, batch.row_count);
        if (rows == NULL) return rf_fail_memory(err, batch.arena);
        uint32_t kept = vec_true_rows(&keep, batch.row_count, rows);
        if (kept == batch.row_count) continue;
        if (!batch_select(&batch, rows, kept, &batch)) return rf_fail_memory(err, batch.arena);
    }
    return flow_push(f->exec, flow->next, lane, &batch, err);
}

static enum rf_kind where_lanes(struct where_flow *f, struct node *node, struct rf_err *err)
{
    for (uint32_t l = 0; l < f->exec->lane_count; l++)
        for (uint32_t i = 0; i < f->where->count; i++) {
            struct expr *e = f->where->conjuncts[i];
            RF_TRY(eval_new(f->exec, &f->lanes[l].arena, &e, 1, &node->inputs[0]->schema,
                            &f->lanes[l].evals[i], err));
        }
    return RF_OK;
}

static enum rf_kind where_run(struct node *node, struct exec *exec, struct flow *out,
                              struct rf_err *err)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init_shared(&arena, exec->budget);
    struct where_flow f = {.flow = {.push = where_push, .next = out},
                           .exec = exec,
                           .where = (struct where_node *)node};
    f.lanes = rf_arena_new(&arena, struct where_lane, exec->lane_count);
    if (f.lanes == NULL) return rf_fail_memory(err, &arena);
    for (uint32_t l = 0; l < exec->lane_count; l++)
        rf_arena_init_shared(&f.lanes[l].arena, exec->budget);
    enum rf_kind kind = where_lanes(&f, node, err);
    if (kind == RF_OK) kind = node_run(node->inputs[0], exec, &f.flow, err);
    for (uint32_t l = 0; l < exec->lane_count; l++) {
        for (uint32_t i = 0; i < f.where->count; i++) eval_done(f.lanes[l].evals[i]);
        rf_arena_done(&f.lanes[l].arena);
    }
    return kind;
}

static void where_prune(struct node *node, struct id_set *need)
{
    struct where_node *w = (struct where_node *)node;
    for (uint32_t i = 0; i < w->count; i++) id_set_add_expr(need, w->conjuncts[i]);
    node_prune(node->inputs[0], need);
    node->schema = node->inputs[0]->schema;
}

static void where_explain(const struct node *node, struct rf_buf *buf)
{
    const struct where_node *w = (const struct where_node *)node;
    for (uint32_t i = 0; i < w->count; i++) {
        if (i > 0) rf_buf_printf(buf, " and ");
        expr_explain(w->conjuncts[i], buf);
    }
}

static const struct node_ops where_ops = {.name = "where",
                                          .run = where_run,
                                          .prune = where_prune,
                                          .explain = where_explain,
                                          .reads_paths = true,
                                          .same_columns = true,
                                          .by_rows = true};

struct expr *const *where_conjuncts(const struct node *node, uint32_t *count)
{
    const struct where_node *w = (const struct where_node *)node;
    *count = node->ops == &where_ops ? w->count : 0;
    return node->ops == &where_ops ? w->conjuncts : NULL;
}

/* Cuts a and b and c into at most `room` parts, one of which stays whole when there are more. A part stays in
 * hand for the right side, so that a long chain, which leans to the left, never runs out. */
static void split(struct where_node *w, struct expr *e, uint32_t room)
{
    if (e->kind == EXPR_CALL && strcmp(e->func->name, "and") == 0 && room > 1) {
        uint32_t before = w->count;
        split(w, e->args[0], room - 1);
        split(w, e->args[1], room - (w->count - before));
    } else {
        w->conjuncts[w->count++] = e;
    }
}

enum rf_kind where_node_new(struct binder *b, struct expr *predicate, struct node *input,
                            struct node **out)
{
    struct where_node *w = node_new(b, sizeof *w, &where_ops, input);
    if (w == NULL) return BIND_NOMEM(b);
    if (predicate->type != TYPE_BOOL) RF_TRY(bind_cast(b, predicate, TYPE_BOOL, &predicate));
    split(w, predicate, CONJUNCTS_MAX);
    uint32_t left = 0;
    for (uint32_t i = 0; i < w->count; i++)
        if (!exec_takes(b->exec, SHORTCUT_PUSHDOWN) ||
            !scan_takes_predicate(input, w->conjuncts[i]))
            w->conjuncts[left++] = w->conjuncts[i];
    w->count = left;
    *out = left == 0 ? input : &w->node;
    return RF_OK;
}

static enum rf_kind where_parse(struct parser *p, struct ast *node)
{
    static const char *const known[] = {"hint.*", NULL};
    struct ast *predicate;
    RF_TRY(parse_params(p, known, node));
    RF_TRY(parse_expr(p, &predicate));
    node->body = predicate;
    return RF_OK;
}

static enum rf_kind where_bind(struct binder *b, const struct ast *node, struct node *input,
                               struct node **out)
{
    struct expr *predicate = NULL;
    const struct ast *ast = node->body;
    struct window_list *windows = bind_windows_begin(b);
    struct schema before = input->schema;
    RF_TRY(bind_scalar(b, ast, &before, &predicate));
    RF_TRY(bind_windows_end(b, windows, &input));
    if (predicate->type != TYPE_BOOL && predicate->type != TYPE_DYNAMIC &&
        !type_is_number(predicate->type))
        return bind_fail(b, ast->pos, "NotBool", "where needs a condition (bool); this is a %s",
                         type_name(predicate->type));
    return where_node_new(b, predicate, input, out);
}

const struct operator op_where = {.name = "where",
                                  .doc = "Keeps the rows for which the condition is true.",
                                  .syntax = "T | where Condition",
                                  .parse = where_parse,
                                  .bind = where_bind};
const struct operator op_filter = {.name = "filter",
                                   .doc = "where",
                                   .syntax = "T | filter Condition",
                                   .hidden = true,
                                   .parse = where_parse,
                                   .bind = where_bind};
