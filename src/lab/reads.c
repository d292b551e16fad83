/* reads.c - what a query reads: it is run over tables without rows that write down which of their columns a scan asks for. */
#include "kql/ast.h"
#include "kql/kql.h"
#include "lab/world_int.h"

struct watched { /* a table */
    struct source source;
    bool *asked; /* by column */
    bool used;
};

static enum rf_kind watched_scan(struct source *source, const struct scan *scan, struct exec *exec,
                                 struct flow *out, struct rf_err *err)
{
    struct watched *w = (struct watched *)source;
    (void)exec, (void)out, (void)err;
    w->used = true;
    for (uint32_t i = 0; i < scan->column_count; i++) w->asked[scan->columns[i]] = true;
    return RF_OK;
}

static const struct source_ops watched_ops = {.scan = watched_scan};

static enum rf_kind drop_begin(struct kql_sink *sink, rf_str name, const struct schema *schema,
                               const struct render *render, struct rf_err *err)
{
    (void)sink, (void)name, (void)schema, (void)render, (void)err;
    return RF_OK;
}
static enum rf_kind drop_push(struct kql_sink *sink, const struct batch *batch, struct rf_err *err)
{
    (void)sink, (void)batch, (void)err;
    return RF_OK;
}
static enum rf_kind drop_end(struct kql_sink *sink, struct rf_err *err)
{
    (void)sink, (void)err;
    return RF_OK;
}

static bool watch(struct watched *w, const struct table_def *def, struct rf_arena *arena)
{
    struct ast_column *columns = rf_arena_new(arena, struct ast_column, def->column_count);
    w->asked = rf_arena_new(arena, bool, def->column_count);
    if (columns == NULL || w->asked == NULL) return false;
    for (uint32_t i = 0; i < def->column_count; i++)
        columns[i] =
            (struct ast_column){.name = def->columns[i].name, .type = def->columns[i].type};
    w->source = (struct source){.ops = &watched_ops,
                                .name = def->name,
                                .columns = columns,
                                .column_count = def->column_count};
    return true;
}

struct lists {
    const struct lab_watchlists *lists;
    struct rf_arena *arena;
};

static enum rf_kind call(void *ctx, rf_str name, const struct value *args, uint32_t arg_count,
                         struct source **out, struct rf_err *err)
{
    static const struct lab_watchlists none = {.count = 0};
    const struct lists *l = ctx;
    return lab_watchlists_call(l->lists == NULL ? &none : l->lists, name, args, arg_count, l->arena,
                               out, err);
}

static enum rf_kind note(const struct watched *tables, uint32_t count, struct rf_arena *arena,
                         struct lab_read **out, uint32_t *out_count, struct rf_err *err)
{
    struct lab_read *reads = rf_arena_new(arena, struct lab_read, count);
    uint32_t n = 0;
    if (reads == NULL) return rf_fail_memory(err, arena);
    for (uint32_t t = 0; t < count; t++) {
        if (!tables[t].used) continue;
        struct lab_read *read = &reads[n++];
        uint32_t width = tables[t].source.column_count;
        *read = (struct lab_read){.columns = rf_arena_new(arena, rf_str, width)};
        if (read->columns == NULL || !rf_arena_str(arena, tables[t].source.name, &read->table))
            return rf_fail_memory(err, arena);
        for (uint32_t c = 0; c < width; c++)
            if (tables[t].asked[c] && !rf_arena_str(arena, tables[t].source.columns[c].name,
                                                    &read->columns[read->column_count++]))
                return rf_fail_memory(err, arena);
    }
    *out = reads;
    *out_count = n;
    return RF_OK;
}

enum rf_kind lab_world_reads(struct lab_world *world, rf_str query, struct rf_arena *arena,
                             struct lab_read **out, uint32_t *count, struct rf_err *err)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena work;
    struct table_def *defs;
    uint32_t table_count;
    rf_arena_init(&work, 256 << 20);
    RF_TRY(lab_world_tables(world, &work, &defs, &table_count, err));
    struct watched *tables = rf_arena_new(&work, struct watched, table_count);
    struct source **sources = rf_arena_new(&work, struct source *, table_count);
    if (tables == NULL || sources == NULL) return rf_fail_memory(err, &work);
    for (uint32_t i = 0; i < table_count; i++) {
        if (!watch(&tables[i], &defs[i], &work)) return rf_fail_memory(err, &work);
        sources[i] = &tables[i].source;
    }
    const struct lab_functions *functions = world->options.functions;
    struct lists lists = {world->options.lists, &work};
    const struct catalog catalog = {.sources = sources,
                                    .source_count = table_count,
                                    .functions = functions == NULL ? NULL : functions->items,
                                    .function_count = functions == NULL ? 0 : functions->count,
                                    .call = call,
                                    .call_ctx = &lists};
    const struct kql_request request = {.text = query,
                                        .catalog = &catalog,
                                        .now_ticks = lab_ticks(lab_world_now(world)),
                                        .memory_bytes = (size_t)1 << 30};
    struct kql_sink sink = {.begin = drop_begin, .push = drop_push, .end = drop_end};
    struct kql_stats stats;
    RF_TRY(kql_run(&request, &sink, &stats, err));
    return note(tables, table_count, arena, out, count, err);
}
