/* exec_ordered.c - several lanes below, one behind: rows in order for whoever reads them one by one. */
#include <pthread.h>

#include "kql/exec.h"
#include "kql/op.h"

enum { AHEAD_BYTES_MAX = 16 << 20 }; /* that a lane keeps before its turn; then it waits */

struct ordered_lane {
    struct rf_arena arena;
    struct rows *rows; /* that came before their turn */
    uint64_t bytes;    /* of them, about */
    bool ended;
};

struct ordered {
    struct flow flow;
    struct exec *exec;
    uint8_t *types;
    uint32_t column_count, lane_count;
    struct ordered_lane *lanes;
    pthread_mutex_t lock;
    pthread_cond_t moved;
    uint32_t turn;     /* the lane whose rows are passed on at once */
    enum rf_kind kind; /* of what went wrong when kept rows were passed on */
    struct rf_err err;
};

static uint64_t batch_bytes(const struct batch *batch)
{
    uint64_t bytes = 0;
    for (uint32_t c = 0; c < batch->column_count; c++) {
        const struct vec *v = &batch->columns[c];
        bytes += (uint64_t)batch->row_count * type_cell_bytes[v->type];
        if (!type_is_bytes((enum type)v->type)) continue;
        for (uint32_t i = 0; i < batch->row_count; i++)
            bytes += ((const rf_str *)v->data)[vec_at(v, i)].len;
    }
    return bytes;
}

static enum rf_kind keep(struct ordered *o, struct ordered_lane *lane, const struct batch *batch,
                         struct rf_err *err)
{
    if (lane->rows == NULL) lane->rows = rows_new(&lane->arena, o->types, o->column_count);
    if (lane->rows == NULL || !rows_append(lane->rows, batch))
        return rf_fail_memory(err, &lane->arena);
    lane->bytes += batch_bytes(batch);
    return RF_OK;
}

static enum rf_kind ordered_push(struct flow *flow, uint32_t number, const struct batch *batch,
                                 struct rf_err *err)
{
    struct ordered *o = (struct ordered *)flow;
    struct ordered_lane *lane = &o->lanes[number];
    pthread_mutex_lock(&o->lock);
    while (o->turn != number && lane->bytes > AHEAD_BYTES_MAX && !flow_done(flow))
        pthread_cond_wait(&o->moved, &o->lock);
    bool now = o->turn == number;
    enum rf_kind kind = now ? RF_OK : keep(o, lane, batch, err);
    pthread_mutex_unlock(&o->lock);
    return now ? flow_push(o->exec, flow->next, 0, batch, err) : kind;
}

/* Passes on what the lane kept; nobody else pushes meanwhile, as the turn is nobody's. */
static void release(struct ordered *o, struct ordered_lane *lane)
{
    if (lane->rows != NULL && o->kind == RF_OK)
        o->kind = rows_push(lane->rows, o->exec, o->flow.next, &o->err);
    lane->rows = NULL;
    rf_arena_reset(&lane->arena);
}

static void ordered_lane_end(struct flow *flow, uint32_t number)
{
    struct ordered *o = (struct ordered *)flow;
    pthread_mutex_lock(&o->lock);
    o->lanes[number].ended = true;
    while (o->turn < o->lane_count && o->lanes[o->turn].ended) {
        if (o->turn + 1 < o->lane_count) release(o, &o->lanes[o->turn + 1]);
        o->turn++;
    }
    pthread_cond_broadcast(&o->moved);
    pthread_mutex_unlock(&o->lock);
}

static enum rf_kind run_lanes(struct ordered *o, ordered_run *run, void *ctx, struct rf_err *err)
{
    uint32_t outer = o->exec->lane_count;
    o->exec->lane_count = o->lane_count;
    enum rf_kind kind = run(ctx, &o->flow, err);
    o->exec->lane_count = outer;
    RF_TRY(kind);
    for (uint32_t l = o->turn + 1; l < o->lane_count; l++) release(o, &o->lanes[l]);
    if (o->kind != RF_OK && err != NULL) *err = o->err;
    return o->kind;
}

enum rf_kind exec_run_ordered(struct exec *exec, const struct schema *schema, ordered_run *run,
                              void *ctx, struct flow *out, struct rf_err *err)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init_shared(&arena, exec->budget);
    struct ordered o = {.flow = {.push = ordered_push, .next = out, .lane_end = ordered_lane_end},
                        .exec = exec,
                        .column_count = schema->count,
                        .lane_count = exec->worker_count,
                        .lock = PTHREAD_MUTEX_INITIALIZER,
                        .moved = PTHREAD_COND_INITIALIZER};
    o.types = rf_arena_new(&arena, uint8_t, o.column_count);
    o.lanes = rf_arena_new(&arena, struct ordered_lane, o.lane_count);
    if (o.types == NULL || o.lanes == NULL) return rf_fail_memory(err, &arena);
    for (uint32_t i = 0; i < o.column_count; i++) o.types[i] = schema->columns[i].type;
    for (uint32_t l = 0; l < o.lane_count; l++)
        rf_arena_init_shared(&o.lanes[l].arena, exec->budget);
    enum rf_kind kind = run_lanes(&o, run, ctx, err);
    for (uint32_t l = 0; l < o.lane_count; l++) rf_arena_done(&o.lanes[l].arena);
    pthread_mutex_destroy(&o.lock);
    pthread_cond_destroy(&o.moved);
    return kind;
}

/* Rows of a join come as its probe side's do. */
bool node_on_lanes(struct node *node, const struct exec *exec)
{
    if (exec->worker_count < 2 || exec->pool_busy) return false;
    while (scan_below(node) == NULL) {
        while (strcmp(node->ops->name, "where") == 0 || strcmp(node->ops->name, "project") == 0)
            node = node->inputs[0];
        if (strcmp(node->ops->name, "join") != 0 && strcmp(node->ops->name, "guard") != 0)
            return false;
        node = node->inputs[0];
    }
    return true;
}

struct node_to_run {
    struct node *node;
    struct exec *exec;
};

static enum rf_kind run_node(void *ctx, struct flow *out, struct rf_err *err)
{
    const struct node_to_run *n = ctx;
    return node_run(n->node, n->exec, out, err);
}

enum rf_kind node_run_ordered(struct node *node, struct exec *exec, struct flow *out,
                              struct rf_err *err)
{
    struct node_to_run n = {node, exec};
    if (node_on_lanes(node, exec))
        return exec_run_ordered(exec, &node->schema, run_node, &n, out, err);
    uint32_t outer = exec->lane_count;
    exec->lane_count = 1;
    enum rf_kind kind = node_run(node, exec, out, err);
    exec->lane_count = outer;
    return kind;
}
