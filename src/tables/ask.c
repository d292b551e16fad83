#include "tables/ask.h"

#include <stdlib.h>

#include "tables/tables_int.h"

#define VIEW_BYTES ((size_t)64 << 20)

struct ask_view {
    struct rf_arena arena;
    struct tables *tables;
    rf_str workspace_id, workspace_name;
    struct tables_view view;
    struct catalog catalog;
};

/* workspace("name") in the text of a rule. */
static enum rf_kind other(const struct catalog *catalog, rf_str kind, rf_str name,
                          const struct catalog **out, struct rf_err *err)
{
    const struct ask_view *view = catalog->ctx;
    if (rf_str_is(kind, "workspace") && (rf_str_eq_nocase(name, view->workspace_id) ||
                                         rf_str_eq_nocase(name, view->workspace_name))) {
        *out = &view->catalog;
        return RF_OK;
    }
    return RF_FAIL(err, RF_NOT_FOUND, "WorkspaceNotFound",
                   "this query sees its own workspace '%.*s' only, not %.*s('%.*s')",
                   RF_FMT(view->workspace_name), RF_FMT(kind), (int)RF_MIN(name.len, (size_t)200),
                   (const char *)name.ptr);
}

static void put_parts(struct catalog *catalog, const struct feed_part *parts, uint32_t count)
{
    for (uint32_t i = 0; i < catalog->source_count; i++)
        for (uint32_t p = 0; p < count; p++)
            if (parts[p].source != NULL &&
                rf_str_eq_nocase(parts[p].table, catalog->sources[i]->name))
                catalog->sources[i] = parts[p].source;
}

static enum rf_kind open_in(struct ask_view *view, rf_str workspace_id, rf_str workspace_name,
                            const struct feed_part *parts, uint32_t part_count, struct rf_err *err)
{
    if (!rf_arena_str(&view->arena, workspace_id, &view->workspace_id) ||
        !rf_arena_str(&view->arena, workspace_name, &view->workspace_name))
        return rf_fail_memory(err, &view->arena);
    RF_TRY(tables_view(view->tables, view->workspace_id, &view->arena, &view->view, err));
    view->catalog = view->view.catalog;
    view->catalog.other = other;
    view->catalog.ctx = view;
    put_parts(&view->catalog, parts, part_count);
    return RF_OK;
}

enum rf_kind ask_open(struct tables *tables, rf_str workspace_id, rf_str workspace_name,
                      const struct feed_part *parts, uint32_t part_count, struct ask_view **out,
                      struct rf_err *err)
{
    struct ask_view *view = calloc(1, sizeof *view);
    if (view == NULL) return RF_FAIL(err, RF_LIMIT, "MemoryBudgetExceeded", "no memory for a view");
    view->tables = tables;
    rf_arena_init(&view->arena, VIEW_BYTES);
    enum rf_kind kind = open_in(view, workspace_id, workspace_name, parts, part_count, err);
    if (kind != RF_OK) {
        ask_close(view);
        return kind;
    }
    *out = view;
    return RF_OK;
}

void ask_close(struct ask_view *view)
{
    if (view == NULL) return;
    tables_release(view->tables, &view->view);
    rf_arena_done(&view->arena);
    free(view);
}

/* ---- running ------------------------------------------------------------------------------------------------------------ */

static struct kql_request request_of(const struct ask_view *view, const struct ask *ask)
{
    return (struct kql_request){.text = ask->text,
                                .catalog = &view->catalog,
                                .memory_bytes = ask->memory_bytes,
                                .lane_count = ask->lane_count,
                                .now_ticks = ask->now_ticks,
                                .has_timespan = ask->has_timespan,
                                .from_ticks = ask->from_ticks,
                                .to_ticks = ask->to_ticks,
                                .has_ingested = ask->has_ingested,
                                .after_ticks = ask->after_ticks,
                                .until_ticks = ask->until_ticks,
                                .env = {.database = view->workspace_name},
                                .cancelled = ask->cancelled};
}

/* Keeps the first table of an answer. */
struct keep {
    struct kql_sink sink;
    struct rf_arena *arena;
    struct answer *out;
    uint64_t row_max;
    uint32_t table_at;
};

static enum rf_kind keep_begin(struct kql_sink *sink, rf_str name, const struct schema *schema,
                               const struct render *render, struct rf_err *err)
{
    struct keep *k = (struct keep *)sink;
    (void)name, (void)render;
    if (k->table_at > 0) return RF_OK;
    struct schema *mine = &k->out->schema;
    uint8_t *types = rf_arena_new(k->arena, uint8_t, schema->count);
    mine->columns = rf_arena_new(k->arena, struct column, schema->count);
    if (types == NULL || mine->columns == NULL) return rf_fail_memory(err, k->arena);
    for (uint32_t i = 0; i < schema->count; i++) {
        mine->columns[i] = schema->columns[i];
        types[i] = schema->columns[i].type;
        if (!rf_arena_str(k->arena, schema->columns[i].name, &mine->columns[i].name))
            return rf_fail_memory(err, k->arena);
    }
    mine->count = schema->count;
    k->out->rows = rows_new(k->arena, types, schema->count);
    return k->out->rows == NULL ? rf_fail_memory(err, k->arena) : RF_OK;
}

static enum rf_kind keep_push(struct kql_sink *sink, const struct batch *batch, struct rf_err *err)
{
    struct keep *k = (struct keep *)sink;
    if (k->table_at > 0) return RF_OK;
    struct batch fit = *batch;
    if (k->row_max > 0) {
        uint64_t left = k->row_max - rows_count(k->out->rows);
        if (fit.row_count > left) {
            fit.row_count = (uint32_t)left;
            k->out->truncated = sink->enough = true;
        }
    }
    return rows_append(k->out->rows, &fit) ? RF_OK : rf_fail_memory(err, k->arena);
}

static enum rf_kind keep_end(struct kql_sink *sink, struct rf_err *err)
{
    (void)err;
    ((struct keep *)sink)->table_at++;
    return RF_OK;
}

enum rf_kind ask_run(struct ask_view *view, const struct ask *ask, struct rf_arena *arena,
                     struct answer *out, struct rf_err *err)
{
    struct kql_request request = request_of(view, ask);
    struct keep keep = {.sink = {.begin = keep_begin, .push = keep_push, .end = keep_end},
                        .arena = arena,
                        .out = out,
                        .row_max = ask->row_max};
    *out = (struct answer){0};
    tables_view_forget_uses(&view->view);
    RF_TRY(kql_run(&request, &keep.sink, &out->stats, err));
    return tables_view_uses(&view->view, arena, &out->tables, &out->table_count, err);
}

enum rf_kind ask_check(struct ask_view *view, const struct ask *ask, struct rf_arena *arena,
                       struct answer *out, struct rf_err *err)
{
    struct kql_request request = request_of(view, ask);
    struct kql_shape shape;
    *out = (struct answer){0};
    tables_view_forget_uses(&view->view);
    RF_TRY(kql_lint(&request, arena, &shape, err));
    out->schema = shape.schema;
    out->open = shape.open;
    RF_TRY(tables_view_uses(&view->view, arena, &out->tables, &out->table_count, err));
    out->by_rows = shape.by_rows && out->table_count == 1;
    if (out->by_rows) out->literals = shape.literals;
    return RF_OK;
}
