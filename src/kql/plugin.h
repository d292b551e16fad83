/* plugin.h - what `evaluate` runs: plugins are operators with a call's syntax. Each is one entry in a
 * table of its file; plugin_tables lists the tables. */
#ifndef RF_PLUGIN_H
#define RF_PLUGIN_H

#include "kql/bind.h"

struct plugin_call {
    const struct ast *ast; /* AST_CALL */
    bool has_schema, star; /* evaluate f() : (*, a:long) */
    const struct ast_column *columns;
    uint32_t column_count;
};

struct plugin {
    const char *name, *doc, *syntax;
    bool no_input; /* may begin a pipe: input is NULL then */
    enum rf_kind (*bind)(struct binder *b, const struct plugin_call *call, struct node *input,
                         struct node **out);
};
extern const struct plugin plugins_bag[], plugins_pivot[], plugins_rows[], plugins_lookup[],
    plugins_geo[], plugins_pattern[], plugins_activity[], plugins_cohort[], plugins_window[],
    plugins_sequence[], plugins_funnel[], plugins_schema[],
    plugins_off[]; /* a NULL name ends each */

/* All of them, in no order. */
size_t plugin_count(void);
const struct plugin *plugin_at(size_t index);

/* ---- arguments ------------------------------------------------------------------------------- */

/* The argument called `name` (in any case), else the one at `position` if it has no name or that one;
 * NULL when there is none. */
const struct ast *plugin_arg(const struct plugin_call *call, uint32_t position, const char *name);
/* The same as a constant of a type; *out is left alone when it is not given. */
RF_MUST_USE enum rf_kind plugin_constant(struct binder *b, const struct plugin_call *call,
                                         uint32_t position, const char *name, enum type type,
                                         struct value *out);
/* A constant that must be there. */
RF_MUST_USE enum rf_kind plugin_required(struct binder *b, const struct plugin_call *call,
                                         uint32_t position, const char *name, enum type type,
                                         struct value *out);
/* An expression over `input` that must be there. */
RF_MUST_USE enum rf_kind plugin_scalar(struct binder *b, const struct plugin_call *call,
                                       uint32_t position, const char *name,
                                       const struct node *input, struct expr **out);
/* A name for it: the column's, or the argument's. */
rf_str plugin_arg_name(struct binder *b, const struct ast *arg, const char *fallback);

/* ---- a node that computes rows from all rows of its inputs -------------------------------------- */

struct plugin_run {
    struct exec *exec;
    struct rf_arena *arena; /* lives until the node has run */
    const void *options;
    const struct rows *rows, *lookup; /* of input and lookup (NULL when there is none) */
    const struct schema *schema;      /* of the output */
    struct plugin_out *out;
};
typedef enum rf_kind plugin_compute(struct plugin_run *run, struct rf_err *err);
/* Emits a row: one value per output column, whose bytes live until the node has run. */
RF_MUST_USE enum rf_kind plugin_emit(struct plugin_run *run, const struct value *cells,
                                     struct rf_err *err);
RF_MUST_USE enum rf_kind plugin_node_new(struct binder *b, const char *name,
                                         plugin_compute *compute, const void *options,
                                         const struct schema *schema, struct node *input,
                                         struct node *lookup, struct node **out);
/* A projection of the input to these expressions, in this order. */
RF_MUST_USE enum rf_kind plugin_columns(struct binder *b, struct expr **exprs, uint32_t count,
                                        struct node *input, struct node **out);

/* ---- plugins whose columns depend on rows ---------------------------------------------------------- */

/* Runs `input` now and gives its rows (in b->arena). */
RF_MUST_USE enum rf_kind plugin_collect(struct binder *b, struct node *input, struct rows **out);

#endif
