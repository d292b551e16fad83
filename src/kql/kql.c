#include "kql/kql.h"

#include <time.h>

#include "base/pool.h"
#include "value/text.h"

struct result_flow {
    struct flow flow;
    struct kql_sink *sink;
};

static enum rf_kind result_push(struct flow *flow, uint32_t lane, const struct batch *batch,
                                struct rf_err *err)
{
    struct kql_sink *sink = ((struct result_flow *)flow)->sink;
    (void)lane;
    RF_TRY(sink->push(sink, batch, err));
    if (sink->enough) atomic_store(&flow->done, true);
    return RF_OK;
}

static int64_t now_ticks(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_REALTIME, &ts);
    return DATETIME_UNIX_EPOCH + ts.tv_sec * TICKS_PER_SECOND + ts.tv_nsec / 100;
}

struct request {
    struct rf_budget budget;
    struct rf_arena arena;
    struct exec exec;
    struct bound_query query;
};

static void request_init(struct request *r, const struct kql_request *in)
{
    *r = (struct request){0};
    rf_budget_init(&r->budget, in->memory_bytes == 0 ? KQL_MEMORY_DEFAULT : in->memory_bytes);
    rf_arena_init_shared(&r->arena, &r->budget);
    r->exec = (struct exec){
        .budget = &r->budget,
        .arena = &r->arena,
        .lane_count = 1,
        .worker_count = in->lane_count == 0 ? 1 : in->lane_count,
        .now_ticks = in->now_ticks == 0 ? now_ticks() : in->now_ticks,
        .env = in->env,
        .catalog = in->catalog,
        .batch_rows =
            in->batch_rows == 0 ? BATCH_ROWS : RF_MIN(in->batch_rows, (uint32_t)BATCH_ROWS),
        .shortcuts_off = in->shortcuts_off,
        .cancelled = in->cancelled,
        .has_timespan = in->has_timespan,
        .from_ticks = in->from_ticks,
        .to_ticks = in->to_ticks,
        .has_ingested = in->has_ingested,
        .after_ticks = in->after_ticks,
        .until_ticks = in->until_ticks,
    };
}
static void request_done(struct request *r)
{
    pool_free(r->exec.pool);
    rf_arena_done(&r->arena);
}

static enum rf_kind request_bind(struct request *r, const struct kql_request *in, bool may_run,
                                 struct rf_err *err)
{
    struct query_ast ast;
    RF_TRY(parse_query(in->text, &r->arena, &ast, err));
    return bind_query(&ast, &r->exec, &r->arena, may_run, &r->query, err);
}

static enum rf_kind run_results(struct request *r, struct kql_sink *sink, struct rf_err *err)
{
    if (sink->options != NULL) sink->options(sink, r->exec.env.options, r->exec.env.option_count);
    for (uint32_t i = 0; i < r->query.result_count; i++) {
        struct node *node = r->query.results[i];
        struct result_flow flow = {.flow = {.push = result_push}, .sink = sink};
        sink->enough = false;
        RF_TRY(sink->begin(sink, r->query.names[i], &node->schema, i == 0 ? r->query.render : NULL,
                           err));
        RF_TRY(node_run_ordered(node, &r->exec, &flow.flow, err));
        RF_TRY(sink->end(sink, err));
    }
    return RF_OK;
}

enum rf_kind kql_run(const struct kql_request *request, struct kql_sink *sink,
                     struct kql_stats *stats, struct rf_err *err)
{
    struct request r;
    request_init(&r, request);
    if (stats != NULL) {
        *stats = (struct kql_stats){0};
        r.exec.warning = &stats->warning;
    }
    enum rf_kind kind = request_bind(&r, request, true, err);
    if (kind == RF_OK) kind = run_results(&r, sink, err);
    if (stats != NULL) {
        stats->rows_scanned = r.exec.rows_scanned;
        stats->bytes_scanned = r.exec.bytes_scanned;
        stats->memory_peak_bytes = r.budget.peak_bytes;
    }
    request_done(&r);
    return kind;
}

static enum rf_kind copy_schema(const struct schema *from, struct rf_arena *arena,
                                struct schema *out, struct rf_err *err)
{
    struct column *columns = rf_arena_new(arena, struct column, from->count);
    if (columns == NULL) return rf_fail_memory(err, arena);
    for (uint32_t i = 0; i < from->count; i++) {
        columns[i] = from->columns[i];
        if (!rf_arena_str(arena, from->columns[i].name, &columns[i].name))
            return rf_fail_memory(err, arena);
    }
    *out = (struct schema){.columns = columns, .count = from->count};
    return RF_OK;
}

enum rf_kind kql_lint(const struct kql_request *request, struct rf_arena *arena,
                      struct kql_shape *out, struct rf_err *err)
{
    struct request r;
    request_init(&r, request);
    *out = (struct kql_shape){0};
    enum rf_kind kind = request_bind(&r, request, false, err);
    if (kind == RF_OK) {
        const struct node *first = r.query.results[0];
        kind = copy_schema(&first->schema, arena, &out->schema, err);
        out->open = r.query.open_schema || first->schema.open;
        out->by_rows = r.query.result_count == 1 && node_by_rows(first);
        bool tells = kind == RF_OK && out->by_rows && !r.query.calls_stored;
        if (tells && !node_row_literals(first, arena, &out->literals))
            kind = rf_fail_memory(err, arena);
    }
    request_done(&r);
    return kind;
}

enum rf_kind kql_explain(const struct kql_request *request, struct rf_arena *arena, rf_str *out,
                         struct rf_err *err)
{
    struct request r;
    request_init(&r, request);
    struct rf_buf buf = rf_buf_in(arena);
    enum rf_kind kind = request_bind(&r, request, true, err);
    for (uint32_t i = 0; kind == RF_OK && i < r.query.result_count; i++)
        node_explain(r.query.results[i], 0, &buf);
    request_done(&r);
    if (kind == RF_OK && buf.failed) kind = rf_fail_memory(err, arena);
    if (kind == RF_OK) *out = rf_buf_view(&buf);
    return kind;
}
