/* op_graph_rows.c - matches of a pattern become rows. */
#include "kql/op_graph_match.h"
#include "value/dyn.h"

/* ---- locals ---------------------------------------------------------------------------------- */

static bool property_batch(const struct graph *g, bool on_nodes, uint32_t from, uint32_t count,
                           struct rf_arena *arena, struct batch *out)
{
    const struct schema *schema = on_nodes ? &g->plan->nodes : &g->plan->edges;
    *out = (struct batch){.row_count = count,
                          .column_count = schema->count,
                          .arena = arena,
                          .columns = rf_arena_new(arena, struct vec, schema->count)};
    if (out->columns == NULL) return false;
    for (uint32_t c = 0; c < schema->count; c++) {
        struct vec *v = &out->columns[c];
        if (!vec_flat(arena, (enum type)schema->columns[c].type, count, v)) return false;
        if (vec_need_nulls(arena, v, count) == NULL) return false;
        for (uint32_t i = 0; i < count; i++) {
            struct value x =
                on_nodes ? graph_node_value(g, from + i, c) : graph_edge_value(g, from + i, c);
            vec_set(v, i, &x);
        }
    }
    return true;
}

static enum rf_kind compute_local(struct graph_local *local, struct eval *eval,
                                  const struct graph *g, struct exec *exec, struct rf_arena *arena,
                                  struct rf_err *err)
{
    uint32_t count = local->on_nodes ? g->node_count : g->edge_count;
    RF_CLEANUP(rf_arena_done) struct rf_arena scratch;
    rf_arena_init_shared(&scratch, exec->budget);
    for (uint32_t from = 0; from < count; from += BATCH_ROWS) {
        struct batch batch;
        struct vec result;
        uint32_t n = RF_MIN(count - from, (uint32_t)BATCH_ROWS);
        rf_arena_reset(&scratch);
        if (!property_batch(g, local->on_nodes, from, n, &scratch, &batch))
            return rf_fail_memory(err, &scratch);
        RF_TRY(eval_run(eval, &batch, &result, err));
        for (uint32_t i = 0; i < n; i++) {
            struct value v = vec_value(&result, i);
            if (!value_copy(&v, arena, &local->values[from + i])) return rf_fail_memory(err, arena);
        }
    }
    return RF_OK;
}

/* Computes all locals; the values live as long as `arena`. */
static enum rf_kind locals_compute(const struct match_node *m, const struct graph *g,
                                   struct exec *exec, struct rf_arena *arena, struct rf_err *err)
{
    for (struct graph_local *local = m->locals; local != NULL; local = local->next) {
        const struct schema *schema = local->on_nodes ? &g->plan->nodes : &g->plan->edges;
        struct eval *eval = NULL;
        local->values =
            rf_arena_new(arena, struct value, local->on_nodes ? g->node_count : g->edge_count);
        if (local->values == NULL) return rf_fail_memory(err, arena);
        enum rf_kind kind = eval_new(exec, arena, &local->expr, 1, schema, &eval, err);
        if (kind == RF_OK) kind = compute_local(local, eval, g, exec, arena, err);
        eval_done(eval);
        RF_TRY(kind);
    }
    return RF_OK;
}

/* ---- cells ----------------------------------------------------------------------------------- */

/* What one match bound to a variable. */
struct bound {
    enum pattern_kind kind;
    uint32_t index; /* node or edge */
    const uint32_t *edges, *nodes;
    uint32_t length;
};

static struct bound bound_at(const struct matches *m, uint32_t var, uint32_t row)
{
    uint32_t value = m->values[var * BATCH_ROWS + row];
    struct bound b = {.kind = m->node->pattern.vars[var].kind, .index = value};
    if (b.kind != PATTERN_PATH) return b;
    b.length = m->lengths[var * BATCH_ROWS + row];
    if (b.length == 0) return b; /* no path may have any edge yet */
    b.edges = m->path_edges + value;
    b.nodes = m->path_nodes + value;
    return b;
}

static uint32_t element_count(const struct bound *b, bool inner)
{
    return inner ? (b->length > 1 ? b->length - 1 : 0) : b->length;
}

static struct value fold(const struct matches *m, const struct graph_column *c,
                         const struct bound *b, struct rf_buf *buf)
{
    bool inner = c->local->on_nodes;
    const uint32_t *elements = inner ? b->nodes : b->edges;
    uint32_t count = element_count(b, inner);
    (void)m;
    RF_ASSERT(elements != NULL || count == 0); /* a local that is folded belongs to a path */
    if (c->kind == SHOW_MAP) {
        struct dyn_builder array;
        dyn_begin(&array, buf, DYN_ARRAY);
        for (uint32_t i = 0; i < count; i++) {
            dyn_next(&array);
            dyn_put_value(buf, &c->local->values[elements[i]]);
        }
        dyn_end(&array);
        return value_dyn(dyn_done(buf));
    }
    bool all = c->kind == SHOW_ALL, result = all;
    for (uint32_t i = 0; i < count; i++) {
        const struct value *v = &c->local->values[elements[i]];
        bool yes = !v->null && v->b != 0;
        if (yes != all) result = !all;
    }
    return value_bool(result);
}

/* Arrays over a path: a property of its edges, whole edges, or whole inner nodes. */
static struct value path_array(const struct matches *m, const struct graph_column *c,
                               const struct bound *b, struct rf_buf *buf)
{
    struct dyn_builder array;
    bool inner = c->kind == SHOW_INNER;
    dyn_begin(&array, buf, DYN_ARRAY);
    for (uint32_t i = 0; i < element_count(b, inner); i++) {
        dyn_next(&array);
        if (c->kind == SHOW_PROPERTY) {
            struct value v = graph_edge_value(m->graph, b->edges[i], c->property);
            dyn_put_value(buf, &v);
        } else {
            graph_put_bag(m->graph, inner, inner ? b->nodes[i] : b->edges[i], buf);
        }
    }
    dyn_end(&array);
    return value_dyn(dyn_done(buf));
}

static struct value cell(const struct matches *m, const struct graph_column *c, uint32_t row,
                         struct rf_buf *buf)
{
    struct bound b = bound_at(m, c->var, row);
    if (c->local != NULL) return fold(m, c, &b, buf);
    if (b.kind == PATTERN_PATH) return path_array(m, c, &b, buf);
    if (c->kind == SHOW_PROPERTY)
        return b.kind == PATTERN_NODE ? graph_node_value(m->graph, b.index, c->property)
                                      : graph_edge_value(m->graph, b.index, c->property);
    graph_put_bag(m->graph, b.kind == PATTERN_NODE, b.index, buf);
    return value_dyn(dyn_done(buf));
}

/* ---- batches --------------------------------------------------------------------------------- */

static enum rf_kind matches_init(struct matches *m, struct rf_err *err)
{
    uint32_t vars = m->node->pattern.var_count;
    rf_arena_init_shared(&m->arena, m->exec->budget);
    rf_arena_init_shared(&m->paths, m->exec->budget);
    m->values = rf_arena_new(&m->paths, uint32_t, (size_t)vars * BATCH_ROWS);
    m->lengths = rf_arena_new(&m->paths, uint32_t, (size_t)vars * BATCH_ROWS);
    return m->values == NULL || m->lengths == NULL ? rf_fail_memory(err, &m->paths) : RF_OK;
}

static void matches_done(struct matches *m)
{
    rf_arena_done(&m->arena);
    rf_arena_done(&m->paths);
}

enum rf_kind matches_set_path(struct matches *m, uint32_t var, const uint32_t *edges,
                              const uint32_t *nodes, uint32_t length, struct rf_err *err)
{
    if (length > m->path_cap - m->path_count) {
        uint32_t cap = m->path_cap * 2 + length + 4096;
        if (cap < m->path_cap || cap > GRAPH_SIZE_MAX)
            return RF_FAIL(err, RF_LIMIT, "GraphTooLarge", "the matched paths are too long");
        m->path_edges = rf_arena_grow(&m->paths, m->path_edges, m->path_cap * sizeof *m->path_edges,
                                      cap * sizeof *m->path_edges);
        m->path_nodes = rf_arena_grow(&m->paths, m->path_nodes, m->path_cap * sizeof *m->path_nodes,
                                      cap * sizeof *m->path_nodes);
        if (m->path_edges == NULL || m->path_nodes == NULL) return rf_fail_memory(err, &m->paths);
        m->path_cap = cap;
    }
    if (length > 0) {
        memcpy(m->path_edges + m->path_count, edges, length * sizeof *edges);
        memcpy(m->path_nodes + m->path_count, nodes, length * sizeof *nodes);
    }
    matches_set(m, var, m->path_count, length);
    m->path_count += length;
    return RF_OK;
}

static enum rf_kind matches_flush(struct matches *m, struct rf_err *err)
{
    const struct schema *schema = &m->node->node.schema;
    struct batch batch = {.row_count = m->count, .column_count = schema->count, .arena = &m->arena};
    if (m->count == 0) return RF_OK;
    rf_arena_reset(&m->arena);
    batch.columns = rf_arena_new(&m->arena, struct vec, schema->count);
    if (batch.columns == NULL) return rf_fail_memory(err, &m->arena);
    for (uint32_t c = 0; c < schema->count; c++) {
        struct vec *v = &batch.columns[c];
        if (!vec_flat(&m->arena, (enum type)schema->columns[c].type, m->count, v) ||
            vec_need_nulls(&m->arena, v, m->count) == NULL)
            return rf_fail_memory(err, &m->arena);
        for (uint32_t i = 0; i < m->count; i++) {
            struct rf_buf buf = rf_buf_in(&m->arena);
            struct value x = cell(m, &m->node->columns[c], i, &buf);
            if (buf.failed) return rf_fail_memory(err, &m->arena);
            vec_set(v, i, &x);
        }
    }
    m->count = 0;
    m->path_count = 0;
    return flow_push(m->exec, m->out, 0, &batch, err);
}

enum rf_kind matches_add(struct matches *m, struct rf_err *err)
{
    enum { PATH_ELEMENTS_MAX = 1 << 20 }; /* few matches of very long paths are pushed early */
    m->count++;
    return m->count == BATCH_ROWS || m->path_count > PATH_ELEMENTS_MAX ? matches_flush(m, err)
                                                                       : RF_OK;
}

/* ---- running --------------------------------------------------------------------------------- */

static enum rf_kind search_loaded(struct matches *matches, match_search *search, struct rf_err *err)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init_shared(&arena, matches->exec->budget);
    RF_TRY(locals_compute(matches->node, matches->graph, matches->exec, &arena, err));
    enum rf_kind kind = matches_init(matches, err);
    if (kind == RF_OK) kind = search(matches, &arena, err);
    if (kind == RF_OK) kind = matches_flush(matches, err);
    matches_done(matches);
    return kind;
}

enum rf_kind matches_run(struct node *node, struct exec *exec, struct flow *out,
                         match_search *search, struct rf_err *err)
{
    const struct match_node *m = (const struct match_node *)node;
    struct graph g;
    struct matches matches = {.exec = exec, .out = out, .node = m, .graph = &g};
    enum rf_kind kind = graph_load(m->graph, exec, &g, err);
    if (kind == RF_OK) kind = search_loaded(&matches, search, err);
    graph_done(&g);
    return kind;
}
