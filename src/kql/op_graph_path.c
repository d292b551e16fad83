/* op_graph_path.c - graph-shortest-paths: breadth first from every node that may be the beginning. */
#include "kql/bind_int.h"
#include "kql/op.h"
#include "kql/op_graph_match.h"

struct walk {
    const struct match_node *node;
    const struct graph *graph;
    struct matches *matches;
    uint32_t source, path, target; /* variables */
    const struct pattern_step *step;
    uint32_t *distance; /* per node; GRAPH_UNBOUND: not reached */
    uint32_t *queue;
    uint32_t *parent_edge; /* the first edge by which a node was reached */
    /* The path being put out, from its end; for all paths also where each choice stands. */
    uint32_t *edges, *nodes, *cursors;
};

/* ---- neighbours ------------------------------------------------------------------------------ */

/* The `index`-th edge at `node`, forwards or backwards along the pattern; false at the end. */
static bool edge_at(const struct walk *w, uint32_t node, bool forwards, uint32_t index,
                    uint32_t *edge, uint32_t *other)
{
    const struct graph *g = w->graph;
    enum pattern_direction direction = w->step->direction;
    bool any = direction == DIRECTION_ANY;
    bool use_out = any || (direction == DIRECTION_RIGHT) == forwards;
    bool use_in = any || !use_out;
    uint32_t outs = use_out ? graph_degree_out(g, node) : 0;
    uint32_t ins = use_in ? graph_degree_in(g, node) : 0;
    if (index >= outs + ins) return false;
    if (index < outs) {
        *edge = g->out_edges[g->out_start[node] + index];
        *other = g->to[*edge];
    } else {
        *edge = g->in_edges[g->in_start[node] + index - outs];
        *other = g->from[*edge];
    }
    return true;
}

static bool may_pass(const struct walk *w, uint32_t edge)
{
    return locals_hold(&w->node->pattern.vars[w->path].each, edge);
}

/* ---- output ---------------------------------------------------------------------------------- */

static enum rf_kind emit(struct walk *w, uint32_t from, uint32_t to, uint32_t length,
                         struct rf_err *err)
{
    matches_set(w->matches, w->source, from, 0);
    matches_set(w->matches, w->target, to, 0);
    RF_TRY(matches_set_path(w->matches, w->path, w->edges, w->nodes, length, err));
    return matches_add(w->matches, err);
}

/* Follows the edges by which nodes were first reached. */
static enum rf_kind emit_one(struct walk *w, uint32_t from, uint32_t to, struct rf_err *err)
{
    uint32_t node = to;
    for (uint32_t i = w->distance[to]; i-- > 0;) {
        uint32_t edge = w->parent_edge[node];
        w->edges[i] = edge;
        w->nodes[i] = node;
        node = w->graph->from[edge] == node ? w->graph->to[edge] : w->graph->from[edge];
    }
    return emit(w, from, to, w->distance[to], err);
}

/* Every path whose nodes are one step nearer to the beginning each time. */
static enum rf_kind emit_all(struct walk *w, uint32_t from, uint32_t to, struct rf_err *err)
{
    uint32_t length = w->distance[to], at = length;
    w->nodes[length - 1] = to;
    w->cursors[length - 1] = 0;
    while (at <= length) { /* at: how many edges are still to be chosen, counted from the front */
        uint32_t i = at - 1, edge, other;
        bool found = false;
        while (!found && edge_at(w, w->nodes[i], false, w->cursors[i]++, &edge, &other))
            found = w->distance[other] == i && may_pass(w, edge) &&
                    (i == 0 || locals_hold(&w->node->pattern.vars[w->path].inner, other));
        if (!found) {
            at++;
            continue;
        }
        w->edges[i] = edge;
        if (i == 0) {
            RF_TRY(emit(w, from, to, length, err));
            if (flow_done(w->matches->out)) return RF_OK;
            continue;
        }
        w->nodes[i - 1] = other;
        w->cursors[i - 1] = 0;
        at--;
    }
    return RF_OK;
}

/* ---- walking --------------------------------------------------------------------------------- */

static void reset(struct walk *w, uint32_t reached)
{
    for (uint32_t i = 0; i < reached; i++) w->distance[w->queue[i]] = GRAPH_UNBOUND;
}

static enum rf_kind walk_from(struct walk *w, uint32_t from, struct rf_err *err)
{
    const struct pattern *pattern = &w->node->pattern;
    uint32_t head = 0, tail = 0;
    enum rf_kind kind = RF_OK;
    w->distance[from] = 0;
    w->queue[tail++] = from;
    while (head < tail && kind == RF_OK) {
        uint32_t at = w->queue[head++], length = w->distance[at], edge, other;
        bool fits = length >= w->step->min && (length > 0 || w->step->min == 0) &&
                    (w->source != w->target || at == from);
        if (fits && locals_hold(&pattern->vars[w->target].each, at))
            kind = w->node->all_shortest && length > 0 ? emit_all(w, from, at, err)
                                                       : emit_one(w, from, at, err);
        if (length >= w->step->max) continue;
        if (at != from && !locals_hold(&pattern->vars[w->path].inner, at)) continue;
        for (uint32_t i = 0; edge_at(w, at, true, i, &edge, &other); i++) {
            if (w->distance[other] != GRAPH_UNBOUND || !may_pass(w, edge)) continue;
            w->distance[other] = length + 1;
            w->parent_edge[other] = edge;
            w->queue[tail++] = other;
        }
    }
    reset(w, tail);
    return kind;
}

static enum rf_kind walk_all(struct walk *w, struct rf_err *err)
{
    struct exec *exec = w->matches->exec;
    for (uint32_t n = 0; n < w->graph->node_count && !flow_done(w->matches->out); n++) {
        if (!locals_hold(&w->node->pattern.vars[w->source].each, n)) continue;
        if (exec_cancelled(exec))
            return RF_FAIL(err, RF_CANCELLED, "QueryCancelled", "the query was cancelled");
        RF_TRY(walk_from(w, n, err));
    }
    return RF_OK;
}

static enum rf_kind walk_graph(struct matches *matches, struct rf_arena *arena, struct rf_err *err)
{
    const struct graph *g = matches->graph;
    const struct pattern_step *steps = matches->node->pattern.steps;
    struct walk w = {.node = matches->node, .graph = g, .matches = matches, .step = &steps[1]};
    uint32_t **lists[] = {&w.distance, &w.queue, &w.parent_edge, &w.edges, &w.nodes, &w.cursors};
    w.source = steps[0].to;
    w.path = steps[1].edge;
    w.target = steps[1].to;
    for (size_t i = 0; i < RF_COUNT(lists); i++) {
        *lists[i] = rf_arena_new(arena, uint32_t, (size_t)g->node_count + 1);
        if (*lists[i] == NULL) return rf_fail_memory(err, arena);
    }
    for (uint32_t n = 0; n < g->node_count; n++) w.distance[n] = GRAPH_UNBOUND;
    return walk_all(&w, err);
}

static enum rf_kind paths_run(struct node *node, struct exec *exec, struct flow *out,
                              struct rf_err *err)
{
    return matches_run(node, exec, out, walk_graph, err);
}

static const struct node_ops paths_ops = {.name = "graph-shortest-paths", .run = paths_run};

/* ---- text to node ---------------------------------------------------------------------------- */

static enum rf_kind paths_parse(struct parser *p, struct ast *node)
{
    static const char *const known[] = {"output", "hint.*", NULL};
    return match_parse_body(p, known, node);
}

static enum rf_kind paths_bind(struct binder *b, const struct ast *node, struct node *input,
                               struct node **out)
{
    struct match_node *m;
    RF_TRY(match_bind_input(b, node, input, &paths_ops, &m));
    m->shortest = true;
    rf_str which = ast_param_text(node, "output");
    m->all_shortest = rf_str_is(which, "all");
    if (which.len > 0 && !m->all_shortest && !rf_str_is(which, "any"))
        return bind_fail(b, ast_param(node, "output")->pos, "BadPattern", "output is any or all");
    const struct pattern *p = &m->pattern;
    if (p->step_count != 2 || p->steps[1].start || p->vars[p->steps[1].edge].kind != PATTERN_PATH)
        return bind_fail(b, node->pos, "BadPattern",
                         "graph-shortest-paths takes one variable-length edge between two nodes: "
                         "(a)-[p*1..5]->(b)");
    return match_bind_output(b, node, m, out);
}

const struct operator op_graph_shortest_paths = {
    .name = "graph-shortest-paths",
    .doc = "A shortest path, or all of them, from each beginning to each end.",
    .syntax =
        "G | graph-shortest-paths [output=any|all] (a)-[p*1..5]->(b) [where Condition] project "
        "[Name =] Expression, ...",
    .parse = paths_parse,
    .bind = paths_bind};
