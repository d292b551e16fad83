/* op_graph_match.h - patterns over a graph: the parsed pattern, how expressions read what a match binds,
 * and how matches become rows. */
#ifndef RF_OP_GRAPH_MATCH_H
#define RF_OP_GRAPH_MATCH_H

#include "kql/op_graph.h"

enum { PATTERN_STEPS_MAX = 64, GRAPH_UNBOUND = UINT32_MAX };

enum pattern_kind { PATTERN_NODE, PATTERN_EDGE, PATTERN_PATH };
enum pattern_direction { DIRECTION_RIGHT, DIRECTION_LEFT, DIRECTION_ANY };

/* An expression over one node's or one edge's properties, computed for all of them when the graph is
 * loaded. */
struct graph_local {
    struct graph_local *next;
    bool on_nodes;
    struct expr *expr;
    struct value *values; /* while the operator runs */
};
struct local_list { /* conditions that must all hold */
    struct graph_local *items[16];
    uint32_t count;
};

struct pattern_var {
    rf_str name; /* empty: cannot be mentioned */
    enum pattern_kind kind;
    struct local_list each;  /* the node, the edge, or every edge of the path */
    struct local_list inner; /* every inner node of the path */
};
/* A start binds var `to`; a hop goes from the node before to `to` along edge var `edge`. */
struct pattern_step {
    bool start;
    uint32_t edge, to;
    enum pattern_direction direction;
    uint32_t min, max; /* 1, 1 unless the edge is a path */
};
struct pattern {
    struct pattern_var vars[2 * PATTERN_STEPS_MAX];
    uint32_t var_count;
    struct pattern_step steps[PATTERN_STEPS_MAX];
    uint32_t step_count;
};
static inline int pattern_find(const struct pattern *pattern, rf_str name)
{
    for (uint32_t i = 0; i < pattern->var_count; i++)
        if (name.len > 0 && rf_str_eq(pattern->vars[i].name, name)) return (int)i;
    return -1;
}

/* ---- what a match shows ------------------------------------------------------------------------- */

enum graph_column_kind {
    SHOW_PROPERTY, /* of a node or an edge; of a path: an array */
    SHOW_BAG,      /* all properties; of a path: an array of bags */
    SHOW_INNER,    /* the inner nodes of a path as an array of bags */
    SHOW_LABELS,   /* graphs of make-graph have none */
    SHOW_ALL,      /* all(path, condition) and so on, by `local` */
    SHOW_ANY,
    SHOW_MAP,
};
struct graph_column {
    enum graph_column_kind kind;
    uint32_t var;
    uint32_t property;
    struct graph_local *local;
};

struct match_node {
    struct node node; /* inputs[0]: the graph; schema: what is shown */
    struct graph_node *graph;
    struct pattern pattern;
    struct graph_column *columns;
    uint32_t column_count, column_cap;
    struct graph_local *locals;
    enum match_cycles { CYCLES_UNIQUE_EDGES, CYCLES_NONE, CYCLES_ALL } cycles;
    bool shortest, all_shortest;
};

/* where and project of a graph operator, over the node's matches. */
struct match_body {
    struct pattern pattern;
    struct ast *predicate;
    struct ast **items;
    uint32_t item_count;
};
/* Reads `[params] pattern [where ..] project ..` into node->body. */
RF_MUST_USE enum rf_kind match_parse_body(struct parser *p, const char *const *params,
                                          struct ast *node);
/* The node with its graph and its pattern; match_bind_output adds where and project. */
RF_MUST_USE enum rf_kind match_bind_input(struct binder *b, const struct ast *node,
                                          struct node *input, const struct node_ops *ops,
                                          struct match_node **out);
RF_MUST_USE enum rf_kind match_bind_output(struct binder *b, const struct ast *node,
                                           struct match_node *m, struct node **out);

/* ---- matches to rows ------------------------------------------------------------------------------ */

/* Matches that wait to be pushed. */
struct matches {
    struct exec *exec;
    struct flow *out;
    const struct match_node *node;
    const struct graph *graph;
    struct rf_arena arena; /* of the batch */
    uint32_t count;
    uint32_t *values;                  /* [var][row]: node, edge, or where the path begins */
    uint32_t *lengths;                 /* [var][row] of paths */
    uint32_t *path_edges, *path_nodes; /* a path's edges and the nodes they lead to */
    uint32_t path_count, path_cap;
    struct rf_arena paths;
};
static inline void matches_set(struct matches *m, uint32_t var, uint32_t value, uint32_t length)
{
    m->values[var * BATCH_ROWS + m->count] = value;
    m->lengths[var * BATCH_ROWS + m->count] = length;
}
/* Keeps a path for the match being made. */
RF_MUST_USE enum rf_kind matches_set_path(struct matches *m, uint32_t var, const uint32_t *edges,
                                          const uint32_t *nodes, uint32_t length,
                                          struct rf_err *err);
/* The match is complete; pushes when there are enough. */
RF_MUST_USE enum rf_kind matches_add(struct matches *m, struct rf_err *err);
/* Loads the graph of the node, which is a match_node, and runs `search`, which gives each match to
 * `matches` and allocates in `arena`. */
typedef enum rf_kind match_search(struct matches *matches, struct rf_arena *arena,
                                  struct rf_err *err);
RF_MUST_USE enum rf_kind matches_run(struct node *node, struct exec *exec, struct flow *out,
                                     match_search *search, struct rf_err *err);

/* Whether all conditions hold for this node or edge. */
static inline bool locals_hold(const struct local_list *list, uint32_t index)
{
    for (uint32_t i = 0; i < list->count; i++) {
        const struct value *v = &list->items[i]->values[index];
        if (v->null || v->b == 0) return false;
    }
    return true;
}

#endif
