/* op_group.c - the node behind summarize, distinct, count and make-series: rows to groups by keys, aggregates
 * per group. Each lane groups on its own; at the end the lanes are merged into the first. */
#include <stddef.h>

#include "kql/bind_int.h"
#include "kql/keys.h"
#include "kql/op.h"

enum { GROUP_KEYS_MAX = KEYS_COLUMNS_MAX };

struct group_node {
    struct node node;    /* schema: keys, then the aggregates' columns */
    struct expr **exprs; /* keys, then all aggregates' arguments */
    uint32_t key_count, expr_count;
    struct aggr_use *aggrs;
    uint32_t aggr_count;
    struct node *scan; /* from which the rows come one by one, or NULL */
};

struct group_lane {
    struct rf_arena arena; /* keys, states, evaluator */
    struct eval *eval;
    struct vec *results;
    struct aggr_call *calls;
    struct keys *keys;
    uint8_t **states;    /* per aggregate: one state per group */
    uint32_t count, cap; /* groups; groups that states have room for */
    uint32_t zeroed;     /* groups whose states are valid */
    uint32_t *row_group;
    uint64_t sieve_rows, sieve_kept; /* what the sieve was given and let pass */
    bool used;                       /* rows came since it was started */
};

struct group_flow {
    struct flow flow;
    struct row_sieve sieve;
    aggr_useful *useful;
    struct exec *exec;
    const struct group_node *group;
    struct group_lane *lanes;
    uint32_t lane_count;
};

/* States for `count` groups, the new ones zeroed. What is only reserved is not touched, so that growing in large steps costs
 * address space, not memory. */
static bool lane_grow(const struct group_node *g, struct group_lane *l, uint32_t count)
{
    enum { STEP_LARGE_MAX = 1 << 20 };
    if (count > l->cap) {
        uint32_t cap = RF_MAX(count, l->cap < STEP_LARGE_MAX ? l->cap * 4 : l->cap * 2);
        for (uint32_t a = 0; a < g->aggr_count; a++) {
            size_t bytes = g->aggrs[a].aggr->state_bytes;
            uint8_t *states =
                rf_arena_grow(&l->arena, l->states[a], l->zeroed * bytes, cap * bytes);
            if (states == NULL) return false;
            l->states[a] = states;
        }
        l->cap = cap;
    }
    for (uint32_t a = 0; a < g->aggr_count && count > l->zeroed; a++) {
        size_t bytes = g->aggrs[a].aggr->state_bytes;
        memset(l->states[a] + l->zeroed * bytes, 0, (count - l->zeroed) * bytes);
    }
    l->zeroed = RF_MAX(l->zeroed, count);
    return true;
}

static enum rf_kind group_push(struct flow *flow, uint32_t lane, const struct batch *in,
                               struct rf_err *err)
{
    struct group_flow *f = (struct group_flow *)flow;
    const struct group_node *g = f->group;
    struct group_lane *l = &f->lanes[lane];
    l->used = true;
    RF_TRY(eval_run(l->eval, in, l->results, err));
    if (g->key_count > 0) {
        if (!keys_add(l->keys, l->results, in->row_count, l->row_group))
            return rf_fail_memory(err, &l->arena);
        l->count = keys_count(l->keys);
        if (!lane_grow(g, l, l->count)) return rf_fail_memory(err, &l->arena);
    }
    const struct vec *args = l->results + g->key_count;
    for (uint32_t a = 0; a < g->aggr_count; a++) {
        const struct aggr_use *use = &g->aggrs[a];
        l->calls[a].backwards = f->sieve.backwards;
        RF_TRY(use->aggr->update(&l->calls[a], args, in->row_count,
                                 g->key_count > 0 ? l->row_group : NULL, l->states[a], err));
        args += use->arg_count;
    }
    return RF_OK;
}

/* ---- the sieve: rows that cannot change their group ------------------------------------------------------- */

enum { SIEVE_TRIAL_ROWS = 16 * BATCH_ROWS };

static struct group_flow *of_sieve(struct row_sieve *sieve)
{
    return (struct group_flow *)((char *)sieve - offsetof(struct group_flow, sieve));
}

/* Looking at each row twice pays only when most of them are left out. */
static bool sieve_ready(struct row_sieve *sieve, uint32_t lane)
{
    const struct group_lane *l = &of_sieve(sieve)->lanes[lane];
    return l->count > 0 && (l->sieve_rows < SIEVE_TRIAL_ROWS || l->sieve_kept < l->sieve_rows / 2);
}

static enum rf_kind sieve_keep(struct row_sieve *sieve, uint32_t lane, const struct vec *columns,
                               uint32_t row_count, uint32_t *rows, uint32_t *kept,
                               struct rf_err *err)
{
    struct group_flow *f = of_sieve(sieve);
    const struct group_node *g = f->group;
    struct group_lane *l = &f->lanes[lane];
    if (g->key_count == 0)
        memset(l->row_group, 0, row_count * sizeof *l->row_group);
    else if (!keys_find(l->keys, columns, row_count, l->row_group))
        return rf_fail_memory(err, &l->arena);
    *kept = f->useful(&columns[g->key_count], row_count, l->row_group, l->states[0], rows);
    l->sieve_rows += row_count;
    l->sieve_kept += *kept;
    return RF_OK;
}

/* One aggregate whose first argument and keys are columns of the scan below can tell early. */
static bool sieve_make(struct group_flow *f, struct rf_arena *arena)
{
    const struct group_node *g = f->group;
    bool newest_first;
    if (g->scan == NULL || g->aggr_count != 1) return true;
    f->useful = aggr_useful_of(g->aggrs[0].aggr, &newest_first);
    if (f->useful == NULL) return true;
    for (uint32_t i = 0; i <= g->key_count; i++)
        if (g->exprs[i]->kind != EXPR_COLUMN) return true;
    uint32_t *ids = rf_arena_new(arena, uint32_t, (size_t)g->key_count + 1);
    if (ids == NULL) return false;
    for (uint32_t i = 0; i <= g->key_count; i++) ids[i] = g->exprs[i]->column_id;
    f->sieve = (struct row_sieve){.column_ids = ids,
                                  .column_count = g->key_count + 1,
                                  .newest_first = newest_first,
                                  .ready = sieve_ready,
                                  .keep = sieve_keep};
    return true;
}

static enum rf_kind run_input(struct group_flow *f, struct rf_arena *arena, struct rf_err *err)
{
    struct exec *exec = f->exec;
    struct row_sieve *outer = exec->sieve;
    const struct node *outer_scan = exec->sieved;
    if (!sieve_make(f, arena)) return rf_fail_memory(err, arena);
    if (f->sieve.keep != NULL) {
        exec->sieve = &f->sieve;
        exec->sieved = f->group->scan;
    }
    enum rf_kind kind = node_run(f->group->node.inputs[0], exec, &f->flow, err);
    exec->sieve = outer;
    exec->sieved = outer_scan;
    return kind;
}

/* Makes the lane hold no rows. What it held before stays in its arena, as lane 0 may have taken parts of it over. */
static enum rf_kind lane_start(const struct group_node *g, struct group_lane *l, struct rf_err *err)
{
    uint8_t types[GROUP_KEYS_MAX];
    for (uint32_t k = 0; k < g->key_count; k++) types[k] = g->exprs[k]->type;
    if (g->key_count > 0 && (l->keys = keys_new(&l->arena, types, g->key_count)) == NULL)
        return rf_fail_memory(err, &l->arena);
    l->states = rf_arena_new(&l->arena, uint8_t *, g->aggr_count);
    l->count = l->cap = l->zeroed = 0;
    l->used = false;
    if (l->states == NULL || !lane_grow(g, l, 1)) return rf_fail_memory(err, &l->arena);
    if (g->key_count == 0) l->count = 1;
    return RF_OK;
}

static enum rf_kind lane_init(struct group_flow *f, struct group_lane *l, struct rf_err *err)
{
    const struct group_node *g = f->group;
    l->results = rf_arena_new(&l->arena, struct vec, g->expr_count);
    l->calls = rf_arena_new(&l->arena, struct aggr_call, g->aggr_count);
    l->row_group = rf_arena_raw(&l->arena, uint32_t, BATCH_ROWS);
    if (l->results == NULL || l->calls == NULL || l->row_group == NULL)
        return rf_fail_memory(err, &l->arena);
    for (uint32_t a = 0; a < g->aggr_count; a++) {
        const struct aggr_use *use = &g->aggrs[a];
        l->calls[a] = (struct aggr_call){.aggr = use->aggr,
                                         .arg_count = use->arg_count,
                                         .arg_types = use->arg_types,
                                         .consts = use->consts,
                                         .type = (enum type)use->types[0],
                                         .arena = &l->arena};
        if (use->aggr->prepare != NULL) RF_TRY(use->aggr->prepare(&l->calls[a], err));
    }
    RF_TRY(lane_start(g, l, err));
    return eval_new(f->exec, &l->arena, g->exprs, g->expr_count, &g->node.inputs[0]->schema,
                    &l->eval, err);
}

static enum rf_kind merge_lane(struct group_flow *f, struct group_lane *from, struct rf_err *err)
{
    const struct group_node *g = f->group;
    struct group_lane *into = &f->lanes[0];
    uint32_t *ids = rf_arena_new(&into->arena, uint32_t, (size_t)from->count + 1);
    if (ids == NULL) return rf_fail_memory(err, &into->arena);
    if (g->key_count > 0) {
        if (!keys_merge(into->keys, from->keys, ids)) return rf_fail_memory(err, &into->arena);
        into->count = keys_count(into->keys);
        if (!lane_grow(g, into, into->count)) return rf_fail_memory(err, &into->arena);
    }
    for (uint32_t i = 0; i < from->count; i++) {
        uint32_t group = ids[i];
        for (uint32_t a = 0; a < g->aggr_count; a++) {
            const struct aggr *aggr = g->aggrs[a].aggr;
            RF_TRY(aggr->merge(&into->calls[a], into->states[a] + (size_t)group * aggr->state_bytes,
                               from->states[a] + (size_t)i * aggr->state_bytes, err));
        }
    }
    return RF_OK;
}

/* Merges the other lanes into lane 0, whose rows stand before theirs, in lane order. */
static enum rf_kind merge_lanes(struct group_flow *f, struct rf_err *err)
{
    for (uint32_t i = 1; i < f->lane_count; i++)
        if (f->lanes[i].used) RF_TRY(merge_lane(f, &f->lanes[i], err));
    return RF_OK;
}

static enum rf_kind group_round_end(struct flow *flow, struct rf_err *err)
{
    struct group_flow *f = (struct group_flow *)flow;
    RF_TRY(merge_lanes(f, err));
    for (uint32_t i = 1; i < f->lane_count; i++)
        if (f->lanes[i].used) RF_TRY(lane_start(f->group, &f->lanes[i], err));
    return RF_OK;
}

/* One column of the results of an aggregate for groups from..from+count-1. */
static enum rf_kind emit_column(const struct aggr_use *use, struct aggr_call *call, uint32_t part,
                                const uint8_t *states, uint32_t count, struct rf_arena *arena,
                                struct vec *out, struct rf_err *err)
{
    call->type = (enum type)use->types[part];
    if (!vec_flat(arena, call->type, count, out)) return rf_fail_memory(err, arena);
    if (aggr_emit_cells(call, states, count, (void *)(uintptr_t)out->data)) return RF_OK;
    if (vec_need_nulls(arena, out, count) == NULL) return rf_fail_memory(err, arena);
    for (uint32_t i = 0; i < count; i++) {
        struct value v = value_null(call->type);
        RF_TRY(use->aggr->emit(call, states + (size_t)i * use->aggr->state_bytes, part, arena, &v,
                               err));
        vec_set(out, i, &v);
    }
    return RF_OK;
}

static enum rf_kind emit_batch(struct group_flow *f, uint32_t from, uint32_t count,
                               struct rf_arena *arena, struct batch *batch, struct rf_err *err)
{
    const struct group_node *g = f->group;
    struct group_lane *l = &f->lanes[0];
    *batch = (struct batch){.row_count = count,
                            .column_count = g->node.schema.count,
                            .columns = rf_arena_new(arena, struct vec, g->node.schema.count),
                            .arena = arena};
    if (batch->columns == NULL) return rf_fail_memory(err, arena);
    for (uint32_t k = 0; k < g->key_count; k++)
        if (!keys_column(l->keys, k, from, count, arena, &batch->columns[k]))
            return rf_fail_memory(err, arena);
    struct vec *out = batch->columns + g->key_count;
    for (uint32_t a = 0; a < g->aggr_count; a++) {
        const struct aggr_use *use = &g->aggrs[a];
        const uint8_t *states = l->states[a] + (size_t)from * use->aggr->state_bytes;
        for (uint32_t part = 0; part < use->column_count; part++)
            RF_TRY(emit_column(use, &l->calls[a], part, states, count, arena, out++, err));
    }
    return RF_OK;
}

static enum rf_kind group_emit(struct group_flow *f, struct flow *out, struct rf_err *err)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init_shared(&arena, f->exec->budget);
    for (uint32_t from = 0; from < f->lanes[0].count && !flow_done(out); from += BATCH_ROWS) {
        struct batch batch;
        rf_arena_reset(&arena);
        RF_TRY(emit_batch(f, from, RF_MIN(f->lanes[0].count - from, (uint32_t)BATCH_ROWS), &arena,
                          &batch, err));
        RF_TRY(flow_push(f->exec, out, 0, &batch, err));
    }
    return RF_OK;
}

static enum rf_kind group_run(struct node *node, struct exec *exec, struct flow *out,
                              struct rf_err *err)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init_shared(&arena, exec->budget);
    uint32_t outer = exec->lane_count, lanes = RF_MAX(exec->worker_count, 1u);
    struct group_flow f = {.flow = {.push = group_push, .round_end = group_round_end},
                           .exec = exec,
                           .group = (struct group_node *)node,
                           .lane_count = lanes};
    exec->lane_count = lanes; /* merged below, in order */
    f.lanes = rf_arena_new(&arena, struct group_lane, lanes);
    if (f.lanes == NULL) return rf_fail_memory(err, &arena);
    enum rf_kind kind = RF_OK;
    for (uint32_t i = 0; i < lanes; i++) rf_arena_init_shared(&f.lanes[i].arena, exec->budget);
    for (uint32_t i = 0; i < lanes && kind == RF_OK; i++) kind = lane_init(&f, &f.lanes[i], err);
    if (kind == RF_OK) kind = run_input(&f, &arena, err);
    exec->lane_count = outer;
    if (kind == RF_OK) kind = merge_lanes(&f, err);
    if (kind == RF_OK) kind = group_emit(&f, out, err);
    for (uint32_t i = 0; i < lanes; i++) {
        eval_done(f.lanes[i].eval);
        rf_arena_done(&f.lanes[i].arena);
    }
    return kind;
}

/* Keys decide the groups, so all stay; aggregates that nobody reads go. */
static void group_prune(struct node *node, struct id_set *need)
{
    struct group_node *g = (struct group_node *)node;
    struct schema *schema = &node->schema;
    uint32_t kept = 0, column = g->key_count, out_column = g->key_count, from = g->key_count,
             to = g->key_count;
    for (uint32_t a = 0; a < g->aggr_count; a++) {
        struct aggr_use use = g->aggrs[a];
        bool wanted = false;
        for (uint32_t c = 0; c < use.column_count; c++)
            wanted = wanted || id_set_has(need, schema->columns[column + c].id);
        if (wanted) {
            memmove(&schema->columns[out_column], &schema->columns[column],
                    use.column_count * sizeof *schema->columns);
            memmove(&g->exprs[to], &g->exprs[from], use.arg_count * sizeof *g->exprs);
            out_column += use.column_count;
            to += use.arg_count;
            g->aggrs[kept++] = use;
        }
        column += use.column_count;
        from += use.arg_count;
    }
    g->aggr_count = kept;
    g->expr_count = to;
    schema->count = out_column;
    for (uint32_t i = 0; i < g->expr_count; i++) id_set_add_expr(need, g->exprs[i]);
    node_prune(node->inputs[0], need);
}

static void group_explain(const struct node *node, struct rf_buf *buf)
{
    const struct group_node *g = (const struct group_node *)node;
    for (uint32_t a = 0; a < g->aggr_count; a++)
        rf_buf_printf(buf, "%s%s", a == 0 ? "" : ", ", g->aggrs[a].aggr->name);
    for (uint32_t k = 0; k < g->key_count; k++) {
        rf_buf_printf(buf, k == 0 ? " by " : ", ");
        expr_explain(g->exprs[k], buf);
    }
}

static const struct node_ops group_ops = {.name = "group",
                                          .run = group_run,
                                          .prune = group_prune,
                                          .explain = group_explain,
                                          .reads_paths = true};

/* Aggregates whose results do not depend on the order of rows, or whose order nobody promises: sorting for them is waste. */
static bool order_matters(const struct aggr_list *aggrs)
{
    static const char *const free[] = {"count",
                                       "countif",
                                       "sum",
                                       "sumif",
                                       "avg",
                                       "avgif",
                                       "min",
                                       "minif",
                                       "max",
                                       "maxif",
                                       "dcount",
                                       "dcountif",
                                       "make_set",
                                       "make_set_if",
                                       "makeset",
                                       "count_distinct",
                                       "count_distinctif"};
    for (uint32_t a = 0; a < aggrs->count; a++) {
        size_t f = 0;
        while (f < RF_COUNT(free) && strcmp(aggrs->items[a].aggr->name, free[f]) != 0) f++;
        if (f == RF_COUNT(free)) return true;
    }
    return false;
}

enum rf_kind group_node_new(struct binder *b, struct expr **keys, const struct column *key_columns,
                            uint32_t key_count, const struct aggr_list *aggrs, struct node *input,
                            struct node **out)
{
    if (aggrs->count > 0 && !order_matters(aggrs)) input = sort_skip(input);
    struct group_node *g = node_new(b, sizeof *g, &group_ops, input);
    if (g == NULL) return BIND_NOMEM(b);
    if (key_count > GROUP_KEYS_MAX)
        return RF_FAIL(b->err, RF_LIMIT, "TooManyKeys",
                       "%u columns to group by, at most %d are possible", key_count,
                       GROUP_KEYS_MAX);
    uint32_t exprs = key_count;
    for (uint32_t a = 0; a < aggrs->count; a++) exprs += aggrs->items[a].arg_count;
    g->exprs = rf_arena_new(b->arena, struct expr *, exprs);
    g->aggrs = rf_arena_new(b->arena, struct aggr_use, aggrs->count);
    if (g->exprs == NULL || g->aggrs == NULL) return BIND_NOMEM(b);
    struct schema_builder sb = {.b = b};
    for (uint32_t k = 0; k < key_count; k++) {
        g->exprs[g->expr_count++] = keys[k];
        if (!schema_add_exact(&sb, key_columns[k].name, (enum type)key_columns[k].type,
                              key_columns[k].id))
            return BIND_NOMEM(b);
    }
    for (uint32_t a = 0; a < aggrs->count; a++) {
        const struct aggr_use *use = &aggrs->items[a];
        g->aggrs[a] = *use;
        for (uint32_t i = 0; i < use->arg_count; i++) g->exprs[g->expr_count++] = use->args[i];
        for (uint32_t c = 0; c < use->column_count; c++)
            if (!schema_add_exact(&sb, use->names[c], (enum type)use->types[c], use->first_id + c))
                return BIND_NOMEM(b);
    }
    g->key_count = key_count;
    g->scan = scan_below(input);
    g->aggr_count = aggrs->count;
    g->node.schema = sb.schema;
    g->node.serialized = false;
    *out = &g->node;
    return RF_OK;
}
