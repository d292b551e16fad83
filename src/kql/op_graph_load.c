/* op_graph_load.c - a graph in memory: nodes by key, edges by their ends, and components. */
#include "kql/op_graph.h"
#include "value/dyn.h"

/* ---- keys to nodes --------------------------------------------------------------------------- */

struct builder {
    struct graph *g;
    struct rf_err *err;
    uint32_t *slots; /* node + 1 by the key's hash */
    uint32_t node_cap, mask;
};

static enum rf_kind grow(struct builder *b)
{
    struct graph *g = b->g;
    uint32_t cap = b->node_cap == 0 ? 256 : b->node_cap * 2, old = b->node_cap;
    if (cap > GRAPH_SIZE_MAX)
        return RF_FAIL(b->err, RF_LIMIT, "GraphTooLarge", "the graph has more than %d nodes",
                       GRAPH_SIZE_MAX / 2);
    g->keys = rf_arena_grow(&g->arena, g->keys, old * sizeof *g->keys, cap * sizeof *g->keys);
    g->node_row =
        rf_arena_grow(&g->arena, g->node_row, old * sizeof *g->node_row, cap * sizeof *g->node_row);
    g->as_target = rf_arena_grow(&g->arena, g->as_target, old, cap);
    b->slots = rf_arena_new(&g->arena, uint32_t, (size_t)cap * 2);
    if (g->keys == NULL || g->node_row == NULL || g->as_target == NULL || b->slots == NULL)
        return rf_fail_memory(b->err, &g->arena);
    b->node_cap = cap;
    b->mask = cap * 2 - 1;
    for (uint32_t n = 0; n < g->node_count; n++) {
        uint32_t at = (uint32_t)value_hash(&g->keys[n]) & b->mask;
        while (b->slots[at] != 0) at = (at + 1) & b->mask;
        b->slots[at] = n + 1;
    }
    return RF_OK;
}

/* The node with this key, added when it is new. */
static enum rf_kind find_node(struct builder *b, const struct value *key, uint64_t row,
                              bool as_target, uint32_t *out)
{
    struct graph *g = b->g;
    if (g->node_count == b->node_cap) RF_TRY(grow(b));
    uint32_t at = (uint32_t)value_hash(key) & b->mask;
    for (; b->slots[at] != 0; at = (at + 1) & b->mask)
        if (value_same(&g->keys[b->slots[at] - 1], key)) {
            *out = b->slots[at] - 1;
            return RF_OK;
        }
    g->keys[g->node_count] = *key;
    g->node_row[g->node_count] = row;
    g->as_target[g->node_count] = as_target;
    *out = g->node_count++;
    b->slots[at] = g->node_count;
    return RF_OK;
}

static bool in_part(const struct graph_node *plan, const struct rows *rows, uint64_t row,
                    uint32_t column)
{
    if (plan->part == NULL || !plan->part->active) return true;
    struct value v = rows_value(rows, row, column);
    return value_same(&v, &plan->part->value);
}

static enum rf_kind add_nodes(struct builder *b)
{
    struct graph *g = b->g;
    uint32_t key = g->plan->node_key, node;
    for (uint64_t r = 0; g->node_rows != NULL && r < rows_count(g->node_rows); r++) {
        struct value v = rows_value(g->node_rows, r, key);
        if (v.null || !in_part(g->plan, g->node_rows, r, key + 1)) continue;
        RF_TRY(find_node(b, &v, r, false, &node));
    }
    return RF_OK;
}

static enum rf_kind add_edges(struct builder *b)
{
    struct graph *g = b->g;
    uint64_t rows = rows_count(g->edge_rows);
    uint32_t key = g->plan->edge_key;
    if (rows > GRAPH_SIZE_MAX)
        return RF_FAIL(b->err, RF_LIMIT, "GraphTooLarge", "the graph has more than %d edges",
                       GRAPH_SIZE_MAX);
    g->from = rf_arena_new(&g->arena, uint32_t, rows);
    g->to = rf_arena_new(&g->arena, uint32_t, rows);
    g->edge_row = rf_arena_new(&g->arena, uint64_t, rows);
    if (g->from == NULL || g->to == NULL || g->edge_row == NULL)
        return rf_fail_memory(b->err, &g->arena);
    for (uint64_t r = 0; r < rows; r++) {
        struct value from = rows_value(g->edge_rows, r, key);
        struct value to = rows_value(g->edge_rows, r, key + 1);
        if (from.null || to.null || !in_part(g->plan, g->edge_rows, r, key + 2)) continue;
        RF_TRY(find_node(b, &from, UINT64_MAX, false, &g->from[g->edge_count]));
        RF_TRY(find_node(b, &to, UINT64_MAX, true, &g->to[g->edge_count]));
        g->edge_row[g->edge_count++] = r;
    }
    return RF_OK;
}

/* Edges sorted by one of their ends: those of node n are edges[start[n]] .. edges[start[n + 1] - 1]. */
static bool index_edges(struct graph *g, const uint32_t *end, uint32_t **start, uint32_t **edges)
{
    *start = rf_arena_new(&g->arena, uint32_t, (size_t)g->node_count + 2);
    *edges = rf_arena_new(&g->arena, uint32_t, (size_t)g->edge_count + 1);
    if (*start == NULL || *edges == NULL) return false;
    for (uint32_t e = 0; e < g->edge_count; e++) (*start)[end[e] + 2]++;
    for (uint32_t n = 0; n < g->node_count; n++) (*start)[n + 2] += (*start)[n + 1];
    for (uint32_t e = 0; e < g->edge_count; e++) (*edges)[(*start)[end[e] + 1]++] = e;
    return true;
}

/* ---- components ------------------------------------------------------------------------------ */

/* Weak: edges count in both directions. Numbers go up in the order of the nodes. */
static bool mark_weak(const struct graph *g, int64_t *marks, uint32_t *queue)
{
    int64_t next = 0;
    for (uint32_t n = 0; n < g->node_count; n++) marks[n] = -1;
    for (uint32_t n = 0; n < g->node_count; n++) {
        if (marks[n] >= 0) continue;
        uint32_t head = 0, tail = 0;
        queue[tail++] = n;
        marks[n] = next;
        while (head < tail) {
            uint32_t at = queue[head++];
            for (int in = 0; in < 2; in++) {
                const uint32_t *start = in ? g->in_start : g->out_start;
                const uint32_t *edges = in ? g->in_edges : g->out_edges;
                for (uint32_t i = start[at]; i < start[at + 1]; i++) {
                    uint32_t other = in ? g->from[edges[i]] : g->to[edges[i]];
                    if (marks[other] >= 0) continue;
                    marks[other] = next;
                    queue[tail++] = other;
                }
            }
        }
        next++;
    }
    return true;
}

/* Strong: nodes in the order in which a walk along the edges leaves them, last first, collect what
 * reaches them (Kosaraju). `order` has room for all nodes. */
static bool mark_strong(struct graph *g, int64_t *marks, uint32_t *stack)
{
    uint32_t *order = rf_arena_new(&g->arena, uint32_t, g->node_count);
    uint32_t *cursor = rf_arena_new(&g->arena, uint32_t, g->node_count);
    int64_t *found = rf_arena_new(&g->arena, int64_t, g->node_count);
    uint8_t *seen = rf_arena_new(&g->arena, uint8_t, g->node_count);
    uint32_t left = 0, depth = 0;
    if (order == NULL || cursor == NULL || found == NULL || seen == NULL) return false;
    for (uint32_t n = 0; n < g->node_count; n++) {
        if (seen[n]) continue;
        stack[depth++] = n;
        seen[n] = 1;
        while (depth > 0) {
            uint32_t at = stack[depth - 1];
            if (cursor[at] < graph_degree_out(g, at)) {
                uint32_t to = g->to[g->out_edges[g->out_start[at] + cursor[at]++]];
                if (!seen[to]) stack[depth++] = to;
                seen[to] = 1;
            } else {
                order[left++] = at;
                depth--;
            }
        }
    }
    int64_t count = 0;
    for (uint32_t n = 0; n < g->node_count; n++) found[n] = -1;
    for (uint32_t i = left; i-- > 0;) {
        if (found[order[i]] >= 0) continue;
        stack[depth++] = order[i];
        found[order[i]] = count;
        while (depth > 0) {
            uint32_t at = stack[--depth];
            for (uint32_t e = g->in_start[at]; e < g->in_start[at + 1]; e++) {
                uint32_t from = g->from[g->in_edges[e]];
                if (found[from] >= 0) continue;
                found[from] = count;
                stack[depth++] = from;
            }
        }
        count++;
    }
    int64_t *numbers = rf_arena_new(&g->arena, int64_t, (size_t)count);
    int64_t next = 0;
    if (numbers == NULL) return false;
    for (int64_t c = 0; c < count; c++) numbers[c] = -1;
    for (uint32_t n = 0; n < g->node_count; n++) {
        if (numbers[found[n]] < 0) numbers[found[n]] = next++;
        marks[n] = numbers[found[n]];
    }
    return true;
}

static bool mark_components(struct graph *g)
{
    for (uint32_t m = 0; m < g->plan->mark_count; m++) {
        uint32_t *work = rf_arena_new(&g->arena, uint32_t, (size_t)g->node_count + 1);
        g->marks[m] = rf_arena_new(&g->arena, int64_t, g->node_count);
        if (work == NULL || g->marks[m] == NULL) return false;
        bool ok = g->plan->mark_strong[m] ? mark_strong(g, g->marks[m], work)
                                          : mark_weak(g, g->marks[m], work);
        if (!ok) return false;
    }
    return true;
}

/* ---- loading --------------------------------------------------------------------------------- */

static enum rf_kind collect(const struct graph_node *plan, struct exec *exec, struct graph *g,
                            struct rf_err *err)
{
    uint32_t lanes = exec->lane_count;
    exec->lane_count = 1; /* so that node numbers do not depend on chance */
    enum rf_kind kind = node_collect(plan->node.inputs[0], exec, &g->arena, &g->edge_rows, err);
    if (kind == RF_OK && plan->node.inputs[1] != NULL)
        kind = node_collect(plan->node.inputs[1], exec, &g->arena, &g->node_rows, err);
    exec->lane_count = lanes;
    return kind;
}

enum rf_kind graph_load(const struct graph_node *plan, struct exec *exec, struct graph *out,
                        struct rf_err *err)
{
    *out = (struct graph){.plan = plan};
    rf_arena_init_shared(&out->arena, exec->budget);
    struct builder b = {.g = out, .err = err};
    RF_TRY(collect(plan, exec, out, err));
    RF_TRY(grow(&b));
    RF_TRY(add_nodes(&b));
    RF_TRY(add_edges(&b));
    if (!index_edges(out, out->from, &out->out_start, &out->out_edges) ||
        !index_edges(out, out->to, &out->in_start, &out->in_edges) || !mark_components(out))
        return rf_fail_memory(err, &out->arena);
    return RF_OK;
}

void graph_done(struct graph *graph) { rf_arena_done(&graph->arena); }

/* ---- properties ------------------------------------------------------------------------------ */

struct value graph_node_value(const struct graph *g, uint32_t node, uint32_t column)
{
    const struct graph_node *plan = g->plan;
    uint32_t plain = plan->node_columns - plan->mark_count;
    enum type type = (enum type)plan->nodes.columns[column].type;
    if (column == plan->node_columns) return value_long(graph_degree_in(g, node));
    if (column == plan->node_columns + 1) return value_long(graph_degree_out(g, node));
    if (column == plan->node_columns + 2) return g->keys[node];
    if (column >= plain) return value_long(g->marks[column - plain][node]);
    if (g->node_row[node] != UINT64_MAX) {
        uint32_t hidden = plan->part != NULL ? 2 : 1;
        return rows_value(g->node_rows, g->node_row[node], column + hidden);
    }
    if (plan->key_property[g->as_target[node]] != (int)column) return value_null(type);
    struct value v = g->keys[node];
    return v.type == type ? v : value_null(type);
}

struct value graph_edge_value(const struct graph *g, uint32_t edge, uint32_t column)
{
    return rows_value(g->edge_rows, g->edge_row[edge], column);
}

void graph_put_bag(const struct graph *g, bool is_node, uint32_t index, struct rf_buf *buf)
{
    const struct schema *schema = is_node ? &g->plan->nodes : &g->plan->edges;
    uint32_t count = is_node ? g->plan->node_columns : g->plan->edge_columns;
    struct dyn_builder bag;
    dyn_begin(&bag, buf, DYN_BAG);
    for (uint32_t c = 0; c < count; c++) {
        struct value v = is_node ? graph_node_value(g, index, c) : graph_edge_value(g, index, c);
        dyn_key(&bag, schema->columns[c].name);
        dyn_put_value(buf, &v);
    }
    dyn_bag_unique(&bag, false);
    dyn_end(&bag);
}
