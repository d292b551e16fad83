/* plan.h - the typed plan: schemas, scalar expressions, and nodes (one per tabular operator). Made by the
 * binder, changed by the optimiser, run by exec. Immutable while it runs, so that workers share it. */
#ifndef RF_PLAN_H
#define RF_PLAN_H

#include "kql/aggr.h"
#include "kql/func.h"

/* A column of a node's output. `id` is unique in the query, so that expressions keep their meaning when
 * columns are dropped or moved; only exec turns ids into positions in a batch. */
struct column {
    rf_str name;
    uint32_t id;
    uint8_t type;
};
struct schema {
    struct column *columns;
    uint32_t count;
    /* There may be more columns, which only data can tell (bag_unpack without rows, a watchlist). A name that is not found
     * is then no error but a null dynamic. */
    bool open;
};

enum expr_kind {
    EXPR_CONST,  /* value */
    EXPR_COLUMN, /* column_id */
    EXPR_CALL,   /* func, kernel, args, type, tuple_* */
    EXPR_SUBQUERY, /* a table made a constant, run once before its first use: the first cell of its first row
                      (toscalar), or its first column as a dynamic array (as_array: in (T), has_any (T)) */
};

struct expr {
    enum expr_kind kind;
    uint8_t type;
    uint32_t pos;               /* in the query text */
    uint32_t depth, call_count; /* of the tree below; a part that is used twice counts twice */
    struct value value;
    uint32_t column_id;
    const struct func *func;
    func_kernel *kernel;
    struct expr **args;
    uint32_t arg_count;
    uint32_t tuple_count;
    const rf_str *tuple_names;
    const uint8_t *tuple_types;
    struct node *subquery;
    struct subquery_result *result; /* EXPR_SUBQUERY: kept here once it ran; see eval.c */
    bool as_array;
    bool of_now; /* EXPR_CONST: made of the time at which the query was bound */
};

struct exec;
struct flow;
struct id_set;
struct path_maker;

struct node_ops {
    const char *name; /* as --explain prints it */
    /* Runs the node: pushes all its rows into `out` (see exec.h). */
    enum rf_kind (*run)(struct node *node, struct exec *exec, struct flow *out, struct rf_err *err);
    /* Optional: drops output columns that are not in `need`, and passes on what the inputs must give
     * through node_prune. Without it every column of every input is needed. */
    void (*prune)(struct node *node, struct id_set *need);
    /* Optional: appends details after the name for --explain. */
    void (*explain)(const struct node *node, struct rf_buf *buf);

    /* By these an expression's path of a dynamic column (D.a.b) becomes a column that a scan gives (plan_paths.c). */
    bool reads_paths;  /* its expressions find their columns in the input's schema when it runs */
    bool same_columns; /* its columns are its input's, made equal by prune */
    bool by_rows;      /* what it makes of a row does not depend on the other rows */
    /* Other nodes that leave rows as they are: the expression over the input that a column is, NULL when there is no such
     * column; and a further column that is passed on. False: no memory. */
    const struct expr *(*column_expr)(const struct node *node, uint32_t id);
    bool (*pass_column)(struct node *node, const struct column *column, struct rf_arena *arena);
    /* A scan: the column of a path, made when it is new. False: there is none. */
    bool (*path_column)(struct node *node, uint32_t id, const rf_str *keys, uint32_t key_count,
                        struct path_maker *maker, struct column *out);
};

/* Embedded as the first member of an operator's own struct. */
struct node {
    const struct node_ops *ops;
    struct schema schema;
    struct node *inputs[2];
    uint32_t input_count;
    uint32_t depth;  /* of the plan below, sub-queries included: what running it recurses */
    bool serialized; /* row order is meaningful (after sort, top, serialize) */
    bool pruned;     /* guards nodes that several parents share */
};

/* True when each row of a table below leads to its own rows of `node`, whatever the others are. */
bool node_by_rows(const struct node *node);

/* A set of column ids. */
struct id_set {
    uint64_t *words;
    uint32_t word_count;
    bool
        binding; /* a sub-query is pruned while the query is still being bound: shared tables may get more readers */
    struct path_maker *paths; /* NULL: paths stay expressions */
};
static inline bool id_set_has(const struct id_set *set, uint32_t id)
{
    return id / 64 < set->word_count && (set->words[id / 64] >> (id % 64) & 1) != 0;
}
static inline void id_set_add(struct id_set *set, uint32_t id)
{
    set->words[id / 64] |= UINT64_C(1) << (id % 64);
}
/* Adds every column id that `expr` reads. Where the node that is being pruned may read paths, those in it are made columns
 * first. */
void id_set_add_expr(struct id_set *set, struct expr *expr);

/* ---- paths of dynamic columns (plan_paths.c) -------------------------------------------------------------- */

enum {
    PATH_COLUMNS_MAX = 256,
    PATH_KEYS_MAX = 16
}; /* of a query, while it is pruned once; of a path */
struct path_maker {
    struct rf_arena *arena;
    uint32_t *next_id, end_id; /* ids below it fit the set */
    struct node *reader;       /* the node being pruned, when it reads paths */
    /* Nothing above shows all columns of its input, up to a node that gives its own: further ones do no harm. */
    bool hidden;
};
/* Makes an expression that is a path of a column of a scan below the reader a column: the scan then reads only what lies
 * there. False, and nothing is done, when it is none. */
bool path_make_column(struct path_maker *maker, struct expr *expr);
/* A set for the columns of a query, and its maker of paths, in `arena`; all columns when `exec` takes none away. False: no
 * memory. */
RF_MUST_USE bool id_set_new(const struct exec *exec, struct rf_arena *arena, uint32_t *next_id,
                            struct id_set *out);
/* Makes columns of all paths in `expr`, which a scan itself is to read. */
void path_make_own(struct path_maker *maker, struct node *scan, struct expr *expr);

void node_prune(struct node *node, struct id_set *need);
/* prune for a node without a hook of its own: every column of the inputs is needed. */
void node_prune_all(struct node *node, struct id_set *need);
/* Prints the plan tree. */
void node_explain(const struct node *node, uint32_t depth, struct rf_buf *buf);
void expr_explain(const struct expr *expr, struct rf_buf *buf);

static inline int schema_find_id(const struct schema *schema, uint32_t id)
{
    for (uint32_t i = 0; i < schema->count; i++)
        if (schema->columns[i].id == id) return (int)i;
    return -1;
}
int schema_find(const struct schema *schema, rf_str name); /* index or -1 */

#endif
