/* op_graph.h - graphs: made of a table of edges and tables of nodes by make-graph, read by the graph-*
 * operators. A graph is a plan node of its own kind; its rows are loaded by whoever reads it.
 *
 * An edge's properties are the columns of its row, a node's those of its row in the node tables, or only
 * the key where no table has it. Edges with a null key are left out. */
#ifndef RF_OP_GRAPH_H
#define RF_OP_GRAPH_H

#include "kql/bind.h"

enum { GRAPH_MARKS_MAX = 8, GRAPH_SIZE_MAX = 1 << 30 };

/* What make-graph partitioned-by looks at now. */
struct graph_part {
    bool active;
    struct value value;
};

struct graph_node {
    struct node node;    /* inputs: edges (properties, source, target, part), then nodes or NULL */
    struct schema edges; /* properties: the first columns of the input */
    struct schema nodes; /* properties of the input, marks, then two degrees and the key */
    uint32_t edge_columns, node_columns; /* properties only, marks included */
    uint32_t edge_key;   /* input column of the source; the target follows, then the part */
    uint32_t node_key;   /* input column of the node's key; the part follows */
    int key_property[2]; /* where a node that is in no table shows its key: as source, as target */
    uint32_t mark_count; /* graph-mark-components */
    bool mark_strong[GRAPH_MARKS_MAX];
    enum type key_type;
    struct graph_part *part; /* NULL: all rows */
};
extern const struct node_ops graph_ops;

/* The graph that an operator stands behind, or an error. */
RF_MUST_USE enum rf_kind graph_input(struct binder *b, const struct ast *node, struct node *input,
                                     struct graph_node **out);

/* ---- a graph in memory --------------------------------------------------------------------------- */

struct graph {
    struct rf_arena arena;
    const struct graph_node *plan;
    struct rows *edge_rows, *node_rows;
    uint32_t node_count, edge_count;
    struct value *keys; /* per node */
    uint64_t *node_row; /* UINT64_MAX: in no table */
    uint8_t *as_target; /* per node: first seen as a target */
    uint64_t *edge_row;
    uint32_t *from, *to;                                   /* per edge */
    uint32_t *out_start, *out_edges, *in_start, *in_edges; /* edges by their ends */
    int64_t *marks[GRAPH_MARKS_MAX];
};
/* graph_done frees it, also after an error. */
RF_MUST_USE enum rf_kind graph_load(const struct graph_node *plan, struct exec *exec,
                                    struct graph *out, struct rf_err *err);
void graph_done(struct graph *graph);
static inline uint32_t graph_degree_in(const struct graph *g, uint32_t node)
{
    return g->in_start[node + 1] - g->in_start[node];
}
static inline uint32_t graph_degree_out(const struct graph *g, uint32_t node)
{
    return g->out_start[node + 1] - g->out_start[node];
}
/* A property, by its column in plan->nodes or plan->edges; views live as long as the graph. */
struct value graph_node_value(const struct graph *g, uint32_t node, uint32_t column);
struct value graph_edge_value(const struct graph *g, uint32_t edge, uint32_t column);
/* All properties as one bag, appended. */
void graph_put_bag(const struct graph *g, bool is_node, uint32_t index, struct rf_buf *buf);

#endif
