/* bind.h - syntax tree to typed plan: names, types, implicit conversions, default column names.
 *
 * What an operator's bind() uses. All memory is in b->arena and lives as long as the query. */
#ifndef RF_BIND_H
#define RF_BIND_H

#include "kql/ast.h"
#include "kql/exec.h"
#include "kql/parse.h"

struct scope; /* let names, parameters, `as` names */

/* Columns that a scalar expression sees. */
struct row_scope {
    const struct schema *schema;       /* NULL: none (constants only) */
    const struct schema *left, *right; /* $left and $right in join conditions */
};

/* Collects aggregate calls found while summarize binds its expressions. */
struct aggr_use {
    const struct aggr *aggr;
    struct expr **args;
    uint32_t arg_count;
    uint8_t *arg_types;
    const struct value **consts;
    uint32_t first_id; /* ids of its output columns: first_id .. first_id + column_count - 1 */
    uint32_t column_count;
    uint8_t *types; /* of its output columns */
    rf_str *names;  /* default names of its output columns */
    struct ast *ast;
};
struct aggr_list {
    struct aggr_use *items;
    uint32_t count, cap;
    const uint32_t *key_ids; /* input columns that are keys: arg_max(x, *) leaves them out */
    uint32_t key_count;
};

struct binder {
    rf_str text;
    struct rf_arena *arena;
    struct exec *exec; /* for constants and for sub-queries that must run while binding */
    struct rf_err *err;
    struct scope *scope;
    struct row_scope rows;       /* of the expression being bound */
    struct aggr_list *aggrs;     /* not NULL while aggregates are allowed */
    struct window_list *windows; /* not NULL while window functions are allowed */
    uint32_t next_id;
    uint32_t depth;
    uint32_t below; /* the deepest plan or expression that was bound since the operator began */
    uint64_t step_count; /* work done; ends functions that multiply */
    bool schema_full;    /* a table has more columns than it may have */
    bool wants_arrival; /* ingestion_time() is somewhere in the texts: tables give ARRIVAL_COLUMN */
    bool has_arrival;   /* a table had that column */
    bool may_run;       /* false for lint: sub-queries are not run while binding */
    bool open_schema;   /* set when a result's columns cannot be known without running */
    struct render *render; /* out: what `render` said */
    bool
        keep_names; /* the next bind_table leaves the names that `as` gave in scope: graph-to-table as a statement */
    struct materialized *materialized; /* what materialize() made so far */
    struct scope *stored;              /* functions of the catalog that were called so far */
    struct extra_result *extras; /* results that fork and facet give beside the statement's own */
    bool naming_aggregates;      /* a name is asked for where aggregates are calls */
    const struct schema
        *naming_rows; /* the columns of the rows that names are given to; NULL: not known */
    bool fuzzy;       /* inside a member of a union with isfuzzy=true */
    bool in_stored;   /* inside the body of a function of the catalog */
    struct unnamed_column *unnamed; /* names that bind_unnamed gave, and how many */
    uint32_t unnamed_count;
};

/* What to return when something could not be added: memory is used up, or a schema is full. */
#define BIND_NOMEM(b) ((void)bind_no_room(b), RF_LIMIT)
enum rf_kind bind_no_room(struct binder *b);
/* Error at a position in the query text: RF_INVALID. */
#define bind_fail(b, pos, code, ...) (bind_err((b), (pos), (code), __VA_ARGS__), RF_INVALID)
void bind_err(struct binder *b, uint32_t pos, const char *code, const char *fmt, ...)
    RF_PRINTF(4, 5);

/* A scalar expression over `schema` (may be NULL: constants only). */
RF_MUST_USE enum rf_kind bind_scalar(struct binder *b, const struct ast *ast,
                                     const struct schema *schema, struct expr **out);
/* The same with window functions (prev, next, row_number ...) allowed: *input may be replaced by a node that computes
 * them (input rows with the functions' results as further columns). Bind all expressions of an operator between
 * bind_windows_begin and bind_windows_end. */
struct window_list *bind_windows_begin(struct binder *b);
RF_MUST_USE enum rf_kind bind_windows_end(struct binder *b, struct window_list *list,
                                          struct node **input);
/* An expression that must be a constant of this type (converted if need be), evaluated now. toscalar() is
 * run when b->may_run, else gives a null. */
RF_MUST_USE enum rf_kind bind_constant(struct binder *b, const struct ast *ast, enum type type,
                                       struct value *out);
/* Table expression: a name, a call, a pipe, brackets. */
RF_MUST_USE enum rf_kind bind_table(struct binder *b, const struct ast *ast, struct node **out);
/* A pipe without source (mv-apply, partition) over `input`. */
RF_MUST_USE enum rf_kind bind_sub_pipe(struct binder *b, const struct ast *pipe, struct node *input,
                                       struct node **out);
/* Adds a name to the scope of what is bound later in this statement: the `as` operator. */
RF_MUST_USE enum rf_kind bind_as(struct binder *b, rf_str name, struct node *node);
/* A further result of the statement that is being bound, shown behind its own. */
RF_MUST_USE enum rf_kind bind_extra_result(struct binder *b, rf_str name, struct node *node);
/* A function of let or the catalog, called with a table as its first argument: invoke. */
RF_MUST_USE enum rf_kind bind_invoke(struct binder *b, const struct ast *call, struct node *input,
                                     struct node **out);
/* All tables whose name matches a pattern with '*' (union T*, search in, find): sources, then views of let. */
RF_MUST_USE enum rf_kind bind_tables_like(struct binder *b, rf_str pattern, struct node ***out,
                                          rf_str **names, uint32_t *count);

/* A call of a registered function with bound arguments: chooses the overload, converts, folds constants. */
RF_MUST_USE enum rf_kind bind_call(struct binder *b, uint32_t pos, rf_str name, struct expr **args,
                                   uint32_t arg_count, struct expr **out);
/* `expr` as `type`: widening, or by the to*() function; the expression itself when it already is. */
RF_MUST_USE enum rf_kind bind_cast(struct binder *b, struct expr *expr, enum type type,
                                   struct expr **out);
struct expr *expr_const(struct binder *b, const struct value *v, uint32_t pos);
struct expr *expr_column(struct binder *b, const struct column *column, uint32_t pos);

/* The column called `name`, or an error with the nearest name. */
RF_MUST_USE enum rf_kind bind_column(struct binder *b, const struct schema *schema, rf_str name,
                                     uint32_t pos, struct column **out);
/* Whether a column that `schema` lacks is null rather than an error: there may be more columns than are known, or this is a
 * stored parser that joins the shapes of several kinds of rows by a fuzzy union, and names a column that one of them lacks.
 * Microsoft's analyser accepts both. */
static inline bool bind_may_lack(const struct binder *b, const struct schema *schema)
{
    return schema->open || (b->fuzzy && b->in_stored);
}
/* Columns that a pattern with '*' matches, marked in match[]. */
bool name_matches(rf_str pattern, rf_str name);

/* Builds an output schema: adds a column, making the name unique by appending 1, 2 ... */
struct schema_builder {
    struct binder *b;
    struct schema schema;
    uint32_t cap;
    rf_str last_name; /* the name that was last made unique, and by which number */
    uint32_t last_number;
};
bool schema_add(struct schema_builder *sb, rf_str name, enum type type,
                uint32_t id); /* unique name */
bool schema_add_exact(struct schema_builder *sb, rf_str name, enum type type, uint32_t id);
static inline uint32_t bind_new_id(struct binder *b) { return b->next_id++; }
/* The name that project/extend/by give to an unnamed expression ("" when it has none: the caller then takes
 * Column1.. or the like). */
rf_str ast_default_name(struct binder *b, const struct ast *ast);
/* Column1, Column2 ...: the name of a column of `item` that has none, the `part`-th where it makes several. The number goes on
 * from one operator to the next, over names that mean something there: lets, and columns of `rows` (may be NULL). Who asks
 * again for the same item gets the same name. ptr is NULL when memory is used up. */
rf_str bind_unnamed(struct binder *b, const struct ast *item, uint32_t part,
                    const struct schema *rows);
/* The same of an aggregate with one column, whose first argument is named `first`. */
rf_str aggr_default_name(struct binder *b, const struct aggr *aggr, rf_str first);
/* Allocates an operator's node struct (zeroed; ops and input set, schema = input's). */
void *node_new(struct binder *b, size_t bytes, const struct node_ops *ops, struct node *input);

/* What `render` said, for charts. */
struct render {
    rf_str kind;
    struct ast_param *params;
    uint32_t param_count;
};

struct extra_result {
    struct extra_result *next; /* in the order in which they were added */
    rf_str name;               /* empty: Table_1 and so on by its place */
    struct node *node;
};

/* Binding an entire request. */
struct bound_query {
    struct node **results; /* one per query statement (fork and facet: more) */
    rf_str *names;
    uint32_t result_count;
    bool calls_stored; /* functions of the catalog are part of it */
    struct render *render;
    bool open_schema;
};
RF_MUST_USE enum rf_kind bind_query(const struct query_ast *query, struct exec *exec,
                                    struct rf_arena *arena, bool may_run, struct bound_query *out,
                                    struct rf_err *err);

#endif
