/* op_graph_match.c - graph-match: finds every way to lay a pattern over a graph, depth first, with a
 * stack of its own: patterns may be deep. */
#include "kql/op_graph_match.h"
#include "kql/bind_int.h"
#include "kql/op.h"

enum phase {
    NODE_NEXT,  /* try the next node */
    NODE_BOUND, /* the steps behind have been tried with it */
    HOP_ZERO,   /* try the path without edges */
    HOP_ZEROED, /* tried */
    HOP_NEXT,   /* try the next edge */
    HOP_FINISH, /* an edge is taken: end the path here */
    HOP_EXTEND, /* tried: go on with a further edge */
    HOP_UNDO,   /* tried: give the edge back */
};

/* One decision: a node to begin at, or an edge to go along. */
struct frame {
    uint32_t step, hop; /* hop counts from 1 within the step */
    uint32_t node;      /* where the edge begins */
    uint32_t cursor;
    uint32_t edge, reached;
    enum phase phase;
    bool bound_here; /* this frame bound the step's variable */
};

struct search {
    const struct match_node *node;
    const struct graph *graph;
    struct matches *matches;
    struct rf_arena *arena;
    struct frame *frames;
    uint32_t depth, cap;
    uint32_t *bound;                   /* per variable: node, or GRAPH_UNBOUND */
    uint32_t *trail_edge, *trail_node; /* edges taken and where they led, in order */
    uint32_t trail_count, trail_cap;
    uint32_t trail_from[PATTERN_STEPS_MAX], trail_to[PATTERN_STEPS_MAX]; /* per step */
    uint8_t *edge_used;
    uint32_t *node_used;
};

/* ---- stacks ---------------------------------------------------------------------------------- */

static bool push_frame(struct search *s, struct frame frame)
{
    if (s->depth == s->cap) {
        uint32_t cap = s->cap * 2 + 64;
        s->frames =
            rf_arena_grow(s->arena, s->frames, s->cap * sizeof *s->frames, cap * sizeof *s->frames);
        if (s->frames == NULL) return false;
        s->cap = cap;
    }
    s->frames[s->depth++] = frame;
    return true;
}

static bool push_trail(struct search *s, uint32_t edge, uint32_t node)
{
    if (s->trail_count == s->trail_cap) {
        uint32_t cap = s->trail_cap * 2 + 64;
        size_t old = s->trail_cap * sizeof *s->trail_edge, bytes = cap * sizeof *s->trail_edge;
        s->trail_edge = rf_arena_grow(s->arena, s->trail_edge, old, bytes);
        s->trail_node = rf_arena_grow(s->arena, s->trail_node, old, bytes);
        if (s->trail_edge == NULL || s->trail_node == NULL) return false;
        s->trail_cap = cap;
    }
    s->trail_edge[s->trail_count] = edge;
    s->trail_node[s->trail_count++] = node;
    return true;
}

/* ---- one match ------------------------------------------------------------------------------- */

/* The trail is not allocated before its first hop. */
static enum rf_kind set_path(struct search *s, uint32_t edge, uint32_t from, uint32_t count,
                             struct rf_err *err)
{
    const uint32_t *edges = count == 0 ? NULL : s->trail_edge + from;
    const uint32_t *nodes = count == 0 ? NULL : s->trail_node + from;
    return matches_set_path(s->matches, edge, edges, nodes, count, err);
}

static enum rf_kind emit(struct search *s, struct rf_err *err)
{
    const struct pattern *pattern = &s->node->pattern;
    for (uint32_t i = 0; i < pattern->step_count; i++) {
        const struct pattern_step *step = &pattern->steps[i];
        uint32_t from = s->trail_from[i];
        matches_set(s->matches, step->to, s->bound[step->to], 0);
        if (step->start) continue;
        if (pattern->vars[step->edge].kind == PATTERN_EDGE)
            matches_set(s->matches, step->edge, s->trail_edge[from], 0);
        else
            RF_TRY(set_path(s, step->edge, from, s->trail_to[i] - from, err));
    }
    return matches_add(s->matches, err);
}

/* Begins the step, or gives the match out when all steps are done. */
static enum rf_kind enter(struct search *s, uint32_t step, uint32_t node, struct rf_err *err)
{
    const struct pattern *pattern = &s->node->pattern;
    if (step == pattern->step_count) return emit(s, err);
    const struct pattern_step *p = &pattern->steps[step];
    struct frame frame = {.step = step, .hop = 1, .node = node};
    frame.phase = p->start ? NODE_NEXT : p->min == 0 ? HOP_ZERO : HOP_NEXT;
    s->trail_from[step] = s->trail_count;
    return push_frame(s, frame) ? RF_OK : rf_fail_memory(err, s->arena);
}

/* Binds the step's node variable, if it may be this node. */
static bool bind_to(struct search *s, struct frame *f, uint32_t node)
{
    uint32_t var = s->node->pattern.steps[f->step].to;
    f->bound_here = false;
    if (s->bound[var] != GRAPH_UNBOUND) return s->bound[var] == node;
    if (!locals_hold(&s->node->pattern.vars[var].each, node)) return false;
    s->bound[var] = node;
    f->bound_here = true;
    return true;
}

static void unbind(struct search *s, const struct frame *f)
{
    if (f->bound_here) s->bound[s->node->pattern.steps[f->step].to] = GRAPH_UNBOUND;
}

/* ---- beginning somewhere --------------------------------------------------------------------- */

static enum rf_kind next_node(struct search *s, struct frame *f, struct rf_err *err)
{
    uint32_t var = s->node->pattern.steps[f->step].to, step = f->step + 1;
    bool fixed = s->bound[var] != GRAPH_UNBOUND; /* bound by an earlier part of the pattern */
    for (;;) {
        uint32_t node = fixed ? s->bound[var] : f->cursor;
        if (fixed ? f->cursor > 0 : node >= s->graph->node_count) {
            s->depth--;
            return RF_OK;
        }
        f->cursor++;
        if (!fixed && s->node->cycles == CYCLES_NONE && s->node_used[node] > 0) continue;
        if (!bind_to(s, f, node)) continue;
        if (f->bound_here) s->node_used[node]++;
        f->phase = NODE_BOUND;
        f->reached = node;
        return enter(s, step, node, err);
    }
}

static void leave_node(struct search *s, struct frame *f)
{
    if (f->bound_here) s->node_used[f->reached]--;
    unbind(s, f);
    f->phase = NODE_NEXT;
    if (!f->bound_here) f->cursor = 1;
}

/* ---- going along an edge --------------------------------------------------------------------- */

/* The edge at the frame's cursor, and where it leads; false at the end. A loop counts once. */
static bool edge_at(const struct search *s, struct frame *f, enum pattern_direction direction)
{
    const struct graph *g = s->graph;
    uint32_t outs = direction != DIRECTION_LEFT ? graph_degree_out(g, f->node) : 0;
    uint32_t ins = direction != DIRECTION_RIGHT ? graph_degree_in(g, f->node) : 0;
    while (f->cursor < outs + ins) {
        uint32_t at = f->cursor++;
        if (at < outs) {
            f->edge = g->out_edges[g->out_start[f->node] + at];
            f->reached = g->to[f->edge];
            return true;
        }
        f->edge = g->in_edges[g->in_start[f->node] + at - outs];
        f->reached = g->from[f->edge];
        if (direction == DIRECTION_ANY && f->reached == f->node) continue;
        return true;
    }
    return false;
}

static enum rf_kind next_edge(struct search *s, struct frame *f, struct rf_err *err)
{
    const struct pattern_step *step = &s->node->pattern.steps[f->step];
    const struct local_list *each = &s->node->pattern.vars[step->edge].each;
    enum match_cycles cycles = s->node->cycles;
    while (edge_at(s, f, step->direction)) {
        if (cycles != CYCLES_ALL && s->edge_used[f->edge] != 0) continue;
        if (cycles == CYCLES_NONE && s->node_used[f->reached] > 0) continue;
        if (!locals_hold(each, f->edge)) continue;
        if (!push_trail(s, f->edge, f->reached)) return rf_fail_memory(err, s->arena);
        if (cycles != CYCLES_ALL) s->edge_used[f->edge] = 1;
        s->node_used[f->reached]++;
        f->phase = HOP_FINISH;
        return RF_OK;
    }
    s->depth--;
    return RF_OK;
}

static enum rf_kind finish_path(struct search *s, struct frame *f, struct rf_err *err)
{
    const struct pattern_step *step = &s->node->pattern.steps[f->step];
    uint32_t next = f->step + 1, reached = f->reached;
    f->phase = HOP_EXTEND;
    f->bound_here = false;
    if (f->hop < step->min || !bind_to(s, f, reached)) return RF_OK;
    s->trail_to[f->step] = s->trail_count;
    return enter(s, next, reached, err);
}

static enum rf_kind extend_path(struct search *s, struct frame *f, struct rf_err *err)
{
    const struct pattern_step *step = &s->node->pattern.steps[f->step];
    unbind(s, f);
    f->bound_here = false;
    f->phase = HOP_UNDO;
    if (f->hop >= step->max) return RF_OK;
    if (!locals_hold(&s->node->pattern.vars[step->edge].inner, f->reached)) return RF_OK;
    struct frame further = {
        .step = f->step, .hop = f->hop + 1, .node = f->reached, .phase = HOP_NEXT};
    return push_frame(s, further) ? RF_OK : rf_fail_memory(err, s->arena);
}

static void undo_edge(struct search *s, struct frame *f)
{
    s->trail_count--;
    s->edge_used[f->edge] = 0;
    s->node_used[f->reached]--;
    f->phase = HOP_NEXT;
}

/* A path of no edges ends where it begins. */
static enum rf_kind zero_path(struct search *s, struct frame *f, struct rf_err *err)
{
    uint32_t next = f->step + 1, node = f->node;
    f->phase = HOP_ZEROED;
    f->bound_here = false;
    if (!bind_to(s, f, node)) return RF_OK;
    s->trail_to[f->step] = s->trail_count;
    return enter(s, next, node, err);
}

static enum rf_kind advance(struct search *s, struct rf_err *err)
{
    struct frame *f = &s->frames[s->depth - 1];
    const struct pattern_step *step = &s->node->pattern.steps[f->step];
    switch (f->phase) {
    case NODE_NEXT:
        return next_node(s, f, err);
    case NODE_BOUND:
        leave_node(s, f);
        return RF_OK;
    case HOP_ZERO:
        return zero_path(s, f, err);
    case HOP_ZEROED:
        unbind(s, f);
        f->bound_here = false;
        f->phase = HOP_NEXT;
        if (step->max == 0) s->depth--;
        return RF_OK;
    case HOP_NEXT:
        return next_edge(s, f, err);
    case HOP_FINISH:
        return finish_path(s, f, err);
    case HOP_EXTEND:
        return extend_path(s, f, err);
    case HOP_UNDO:
        undo_edge(s, f);
        return RF_OK;
    }
    return RF_OK;
}

static enum rf_kind search_run(struct search *s, struct rf_err *err)
{
    enum { CHECK_EVERY = 1 << 16 };
    struct exec *exec = s->matches->exec;
    RF_TRY(enter(s, 0, 0, err));
    for (uint64_t turn = 0; s->depth > 0; turn++) {
        if (turn % CHECK_EVERY == 0) {
            if (flow_done(s->matches->out)) return RF_OK;
            if (exec_cancelled(exec))
                return RF_FAIL(err, RF_CANCELLED, "QueryCancelled", "the query was cancelled");
        }
        RF_TRY(advance(s, err));
    }
    return RF_OK;
}

/* ---- the node -------------------------------------------------------------------------------- */

static enum rf_kind search_graph(struct matches *matches, struct rf_arena *arena,
                                 struct rf_err *err)
{
    const struct match_node *m = matches->node;
    const struct graph *g = matches->graph;
    struct search s = {.node = m, .graph = g, .matches = matches, .arena = arena};
    s.bound = rf_arena_new(arena, uint32_t, m->pattern.var_count);
    s.edge_used = rf_arena_new(arena, uint8_t, (size_t)g->edge_count + 1);
    s.node_used = rf_arena_new(arena, uint32_t, (size_t)g->node_count + 1);
    if (s.bound == NULL || s.edge_used == NULL || s.node_used == NULL)
        return rf_fail_memory(err, arena);
    for (uint32_t v = 0; v < m->pattern.var_count; v++) s.bound[v] = GRAPH_UNBOUND;
    return search_run(&s, err);
}

static enum rf_kind match_run(struct node *node, struct exec *exec, struct flow *out,
                              struct rf_err *err)
{
    return matches_run(node, exec, out, search_graph, err);
}

static const struct node_ops match_ops = {.name = "graph-match", .run = match_run};

/* ---- text to node ---------------------------------------------------------------------------- */

static enum rf_kind match_parse(struct parser *p, struct ast *node)
{
    static const char *const known[] = {"cycles", "hint.*", NULL};
    return match_parse_body(p, known, node);
}

static enum rf_kind read_cycles(struct binder *b, const struct ast *node, struct match_node *m)
{
    rf_str text = ast_param_text(node, "cycles");
    if (rf_str_is(text, "all"))
        m->cycles = CYCLES_ALL;
    else if (rf_str_is(text, "none"))
        m->cycles = CYCLES_NONE;
    else if (text.len > 0 && !rf_str_is(text, "unique_edges"))
        return bind_fail(b, ast_param(node, "cycles")->pos, "BadPattern",
                         "cycles is all, none or unique_edges");
    for (uint32_t i = 0; i < m->pattern.step_count && m->cycles == CYCLES_ALL; i++)
        if (m->pattern.steps[i].max == UINT32_MAX - 1)
            return bind_fail(b, node->pos, "BadPattern",
                             "with cycles=all a path needs a greatest length, such as *1..5");
    return RF_OK;
}

static enum rf_kind match_bind(struct binder *b, const struct ast *node, struct node *input,
                               struct node **out)
{
    struct match_node *m;
    RF_TRY(match_bind_input(b, node, input, &match_ops, &m));
    RF_TRY(read_cycles(b, node, m));
    return match_bind_output(b, node, m, out);
}

const struct operator op_graph_match = {
    .name = "graph-match",
    .doc = "A row for every way in which a pattern fits into the graph.",
    .syntax = "G | graph-match [cycles=all|none|unique_edges] (a)-[e]->(b)-[p*1..3]->(c), ... "
              "[where Condition] project [Name =] Expression, ...",
    .parse = match_parse,
    .bind = match_bind};
