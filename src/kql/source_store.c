#include "kql/source_store.h"

#include "base/pool.h"

#include "kql/ast.h"

struct source_store {
    struct source source;
    struct store *store;
    struct rf_arena *arena;
    struct table *table; /* NULL before the first use */
};

static enum rf_kind open_table(struct source *source, struct rf_err *err)
{
    struct source_store *s = (struct source_store *)source;
    if (s->table != NULL) return RF_OK;
    struct table *table;
    RF_TRY(table_open(s->store, source->name, &table, err));
    uint32_t count;
    const struct extent_column *columns = table_columns(table, &count);
    struct ast_column *out = rf_arena_new(s->arena, struct ast_column, count);
    if (out == NULL) {
        table_close(table);
        return rf_fail_memory(err, s->arena);
    }
    for (uint32_t i = 0; i < count; i++)
        out[i] = (struct ast_column){.name = columns[i].name, .type = columns[i].type};
    source->columns = out;
    source->column_count = count;
    s->table = table;
    return RF_OK;
}

/* ---- scanning ------------------------------------------------------------------------------------------------ */

struct store_scan {
    struct table *table;
    const struct scan *scan;
    struct exec *exec;
    struct flow *out;
    struct extent_test *tests;
    uint32_t test_count;
    int64_t time_min, time_max; /* rows outside are not wanted */
    uint64_t left;              /* of scan->limit */
    uint32_t lane;
};

/* The times that the tests leave. */
static void find_times(struct store_scan *s)
{
    uint32_t count;
    const struct extent_column *columns = table_columns(s->table, &count);
    s->time_min = INT64_MIN;
    s->time_max = INT64_MAX;
    for (uint32_t i = 0; i < s->test_count; i++) {
        const struct extent_test *test = &s->tests[i];
        if (test->kind != EXTENT_RANGE || columns[test->column].type != TYPE_DATETIME ||
            !rf_str_is(columns[test->column].name, "TimeGenerated"))
            continue;
        if (!test->low.null) s->time_min = RF_MAX(s->time_min, test->low.i);
        if (!test->high.null) s->time_max = RF_MIN(s->time_max, test->high.i);
    }
}

static bool part_wanted(const struct store_scan *s, uint32_t part)
{
    int64_t min, max;
    if (!table_part_times(s->table, part, &min, &max)) return true;
    return max >= s->time_min && min <= s->time_max;
}

/* About: cells as they lie in vectors; texts' bytes are left aside, as counting them would cost a walk over all rows. */
static uint64_t batch_bytes(const struct batch *batch)
{
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < batch->column_count; i++) {
        const struct vec *v = &batch->columns[i];
        if (v->shape == VEC_DICT) bytes += batch->row_count * sizeof *v->codes;
        if (v->shape == VEC_FLAT) bytes += (uint64_t)batch->row_count * type_cell_bytes[v->type];
    }
    return bytes;
}

static enum rf_kind push_rows(struct store_scan *s, const struct batch *batch, struct rf_err *err)
{
    struct exec *exec = s->exec;
    atomic_fetch_add_explicit(&exec->rows_scanned, batch->row_count, memory_order_relaxed);
    atomic_fetch_add_explicit(&exec->bytes_scanned, batch_bytes(batch), memory_order_relaxed);
    s->left -= RF_MIN(s->left, (uint64_t)batch->row_count);
    if (exec->batch_rows == 0 || batch->row_count <= exec->batch_rows)
        return flow_push(exec, s->out, s->lane, batch, err);
    /* Tests run with small batches. */
    for (uint32_t from = 0; from < batch->row_count && !flow_done(s->out);
         from += exec->batch_rows) {
        uint32_t count = RF_MIN(exec->batch_rows, batch->row_count - from);
        uint32_t *rows = rf_arena_raw(batch->arena, uint32_t, count);
        struct batch some;
        if (rows == NULL) return rf_fail_memory(err, batch->arena);
        for (uint32_t i = 0; i < count; i++) rows[i] = from + i;
        if (!batch_select(batch, rows, count, &some)) return rf_fail_memory(err, batch->arena);
        RF_TRY(flow_push(exec, s->out, s->lane, &some, err));
    }
    return RF_OK;
}

static enum rf_kind scan_cursor(struct store_scan *s, struct table_cursor *cursor,
                                struct rf_err *err)
{
    while (s->left > 0 && !flow_done(s->out)) {
        struct batch batch;
        if (exec_cancelled(s->exec))
            return RF_FAIL(err, RF_CANCELLED, "QueryCancelled", "the query was cancelled");
        RF_TRY(table_cursor_next(cursor, &batch, err));
        if (batch.row_count == 0) break;
        RF_TRY(push_rows(s, &batch, err));
    }
    return RF_OK;
}

/* One part; parts do not depend on each other, so that workers may share them out. */
static enum rf_kind scan_part(struct store_scan *s, uint32_t part, struct rf_err *err)
{
    if (!part_wanted(s, part)) return RF_OK;
    struct table_cursor *cursor;
    RF_TRY(table_cursor_new(s->table, part, s->scan->columns, s->scan->column_count, s->tests,
                            s->test_count, s->exec->budget, &cursor, err));
    enum rf_kind kind = scan_cursor(s, cursor, err);
    table_cursor_free(cursor);
    return kind;
}

/* Lanes take runs of parts with about the same number of rows: lane i's rows stand before lane i + 1's. */
struct store_lanes {
    const struct store_scan *scan;
    uint32_t *first; /* first part of each lane, and the end of the last */
};

static enum rf_kind scan_lane(void *ctx, size_t job, unsigned worker, struct rf_err *err)
{
    const struct store_lanes *lanes = ctx;
    struct store_scan s = *lanes->scan;
    (void)worker;
    s.lane = (uint32_t)job;
    for (uint32_t part = lanes->first[job];
         part < lanes->first[job + 1] && s.left > 0 && !flow_done(s.out); part++)
        RF_TRY(scan_part(&s, part, err));
    return RF_OK;
}

static bool share_out(const struct store_scan *s, uint32_t lane_count, struct rf_arena *arena,
                      struct store_lanes *out)
{
    uint32_t parts = table_part_count(s->table), lane = 1;
    uint64_t total = 0, seen = 0;
    out->scan = s;
    out->first = rf_arena_new(arena, uint32_t, (size_t)lane_count + 1);
    if (out->first == NULL) return false;
    for (uint32_t p = 0; p < parts; p++)
        total += part_wanted(s, p) ? table_part_rows(s->table, p) : 0;
    for (uint32_t p = 0; p < parts; p++) {
        while (lane < lane_count && seen * lane_count >= total * lane && seen > 0)
            out->first[lane++] = p;
        seen += part_wanted(s, p) ? table_part_rows(s->table, p) : 0;
    }
    while (lane <= lane_count) out->first[lane++] = parts;
    return true;
}

static enum rf_kind scan_table(struct source *source, const struct scan *scan, struct exec *exec,
                               struct flow *out, struct rf_err *err)
{
    RF_TRY(open_table(source, err));
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init_shared(&arena, exec->budget);
    struct store_scan s = {.table = ((struct source_store *)source)->table,
                           .scan = scan,
                           .exec = exec,
                           .out = out,
                           .left = scan->limit};
    struct store_lanes lanes;
    struct pool *pool;
    RF_TRY(source_store_tests(source, scan, &arena, &s.tests, &s.test_count, err));
    find_times(&s);
    uint32_t wanted = 0, parts = table_part_count(s.table), count = exec->lane_count;
    for (uint32_t p = 0; p < parts; p++) wanted += part_wanted(&s, p);
    if (wanted < 2 || s.left != UINT64_MAX) count = 1;
    if (!share_out(&s, count, &arena, &lanes)) return rf_fail_memory(err, &arena);
    if (count == 1) return scan_lane(&lanes, 0, 0, err);
    RF_TRY(exec_pool(exec, &pool, err));
    return pool_run(pool, count, scan_lane, &lanes, err);
}

static const struct source_ops store_ops = {.open = open_table, .scan = scan_table};

struct source *source_store_new(struct store *store, rf_str name, struct rf_arena *arena)
{
    struct source_store *s = rf_arena_new(arena, struct source_store, 1);
    if (s == NULL) return NULL;
    s->source = (struct source){.ops = &store_ops, .name = name};
    s->store = store;
    s->arena = arena;
    return &s->source;
}

void source_store_close(struct source *source)
{
    if (source->ops != &store_ops) return;
    struct source_store *s = (struct source_store *)source;
    table_close(s->table);
    s->table = NULL;
}
