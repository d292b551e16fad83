#include "kql/exec.h"

#include <stdio.h>

#include "base/pool.h"

bool flow_done(struct flow *flow)
{
    for (; flow != NULL; flow = flow->next)
        if (atomic_load_explicit(&flow->done, memory_order_relaxed)) return true;
    return false;
}

void flow_lane_end(struct flow *flow, uint32_t lane)
{
    while (flow != NULL && flow->lane_end == NULL) flow = flow->next;
    if (flow != NULL) flow->lane_end(flow, lane);
}

enum rf_kind flow_round_end(struct flow *flow, struct rf_err *err)
{
    while (flow != NULL && flow->round_end == NULL) flow = flow->next;
    return flow == NULL ? RF_OK : flow->round_end(flow, err);
}

enum rf_kind node_run(struct node *node, struct exec *exec, struct flow *out, struct rf_err *err)
{
    if (flow_done(out)) return RF_OK;
    return node->ops->run(node, exec, out, err);
}

/* Rows from..from+count-1 of a batch; `columns` has room for its columns. */
static struct batch slice(const struct batch *in, uint32_t from, uint32_t count,
                          struct vec *columns)
{
    for (uint32_t c = 0; c < in->column_count; c++) {
        struct vec *v = &columns[c];
        *v = in->columns[c];
        if (v->shape == VEC_DICT) v->codes += from;
        if (v->shape != VEC_FLAT) continue;
        v->data = (const uint8_t *)v->data + (size_t)from * type_cell_bytes[v->type];
        if (v->nulls != NULL) v->nulls += from;
    }
    return (struct batch){.row_count = count,
                          .column_count = in->column_count,
                          .columns = columns,
                          .arena = in->arena};
}

static enum rf_kind push_slices(struct exec *exec, struct flow *out, uint32_t lane,
                                const struct batch *batch, struct rf_err *err)
{
    struct vec *columns = rf_arena_raw(batch->arena, struct vec, batch->column_count);
    if (columns == NULL) return rf_fail_memory(err, batch->arena);
    for (uint32_t from = 0; from < batch->row_count && !flow_done(out); from += exec->batch_rows) {
        struct batch part =
            slice(batch, from, RF_MIN(batch->row_count - from, exec->batch_rows), columns);
        RF_TRY(out->push(out, lane, &part, err));
    }
    return RF_OK;
}

enum rf_kind flow_push(struct exec *exec, struct flow *out, uint32_t lane,
                       const struct batch *batch, struct rf_err *err)
{
    if (batch->row_count == 0 || flow_done(out)) return RF_OK;
    if (exec_cancelled(exec))
        return RF_FAIL(err, RF_CANCELLED, "QueryCancelled", "the query was cancelled");
    if (RF_UNLIKELY(batch->row_count > exec->batch_rows))
        return push_slices(exec, out, lane, batch, err);
    return out->push(out, lane, batch, err);
}

enum rf_kind exec_pool(struct exec *exec, struct pool **out, struct rf_err *err)
{
    if (exec->pool == NULL) RF_TRY(pool_new(exec->worker_count, &exec->pool, err));
    *out = exec->pool;
    return RF_OK;
}

void exec_warn(struct exec *exec, const char *code, const char *fmt, ...)
{
    if (exec->warning == NULL || exec->warning->code != NULL) return;
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(exec->warning->text, sizeof exec->warning->text, fmt, ap);
    va_end(ap);
    exec->warning->code = code;
}

/* As sources' ids are made of addresses or count on from one, this one is far from both. */
uint64_t exec_dict_id(struct exec *exec)
{
    uint64_t number = atomic_fetch_add_explicit(&exec->dict_count, 1, memory_order_relaxed);
    return rf_hash_mix(UINT64_C(0x6a6f696e64696374), number) | 1;
}

struct source *catalog_find_own(const struct catalog *catalog, rf_str name)
{
    for (uint32_t i = 0; catalog != NULL && i < catalog->source_count; i++) {
        struct source *source = catalog->sources[i];
        if (rf_str_eq(source->name, name) &&
            (catalog->shows == NULL || catalog->shows(catalog, source)))
            return source;
    }
    return NULL;
}

bool catalog_calls(const struct catalog *catalog, rf_str name)
{
    return catalog != NULL && catalog->call != NULL &&
           catalog->call(catalog->call_ctx, name, NULL, 0, NULL, NULL) == RF_OK;
}

struct source *catalog_find(const struct catalog *catalog, rf_str name)
{
    struct source *source = catalog_find_own(catalog, name);
    for (uint32_t i = 0; source == NULL && catalog != NULL && i < catalog->beside_count; i++)
        source = catalog_find_own(catalog->beside[i], name);
    return source;
}

/* ---- collecting ----------------------------------------------------------------------------------- */

struct collect_flow {
    struct flow flow;
    struct rf_arena *arena;
    struct rows *rows;
};

static enum rf_kind collect_push(struct flow *flow, uint32_t lane, const struct batch *batch,
                                 struct rf_err *err)
{
    struct collect_flow *c = (struct collect_flow *)flow;
    (void)lane;
    return rows_append(c->rows, batch) ? RF_OK : rf_fail_memory(err, c->arena);
}

enum rf_kind node_collect(struct node *node, struct exec *exec, struct rf_arena *arena,
                          struct rows **out, struct rf_err *err)
{
    uint8_t *types = rf_arena_new(arena, uint8_t, node->schema.count);
    if (types == NULL) return rf_fail_memory(err, arena);
    for (uint32_t i = 0; i < node->schema.count; i++) types[i] = node->schema.columns[i].type;
    struct collect_flow c = {.flow = {.push = collect_push}, .arena = arena};
    c.rows = rows_new(arena, types, node->schema.count);
    if (c.rows == NULL) return rf_fail_memory(err, arena);
    RF_TRY(node_run_ordered(node, exec, &c.flow, err));
    *out = c.rows;
    return RF_OK;
}

enum rf_kind rows_push(const struct rows *rows, struct exec *exec, struct flow *out,
                       struct rf_err *err)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init_shared(&arena, exec->budget);
    uint64_t count = rows_count(rows);
    for (uint64_t from = 0; from < count && !flow_done(out); from += BATCH_ROWS) {
        struct batch batch;
        rf_arena_reset(&arena);
        if (!rows_batch(rows, from, &arena, &batch)) return rf_fail_memory(err, &arena);
        batch.arena = &arena;
        RF_TRY(flow_push(exec, out, 0, &batch, err));
    }
    return RF_OK;
}

enum rf_kind rows_push_order(const struct rows *rows, const uint64_t *order, uint64_t count,
                             struct exec *exec, struct flow *out, struct rf_err *err)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init_shared(&arena, exec->budget);
    for (uint64_t from = 0; from < count && !flow_done(out); from += BATCH_ROWS) {
        struct batch batch;
        rf_arena_reset(&arena);
        uint32_t n = (uint32_t)RF_MIN(count - from, (uint64_t)BATCH_ROWS);
        if (!rows_gather(rows, order + from, n, &arena, &batch)) return rf_fail_memory(err, &arena);
        batch.arena = &arena;
        RF_TRY(flow_push(exec, out, 0, &batch, err));
    }
    return RF_OK;
}
