/* bind_int.h - what the binder's files share. */
#ifndef RF_BIND_INT_H
#define RF_BIND_INT_H

#include "kql/bind.h"

/* ---- scope: a list, newest first; a let's environment is the list as it stood then -------------------- */

enum binding_kind {
    BINDING_SCALAR,      /* expr */
    BINDING_TABLE,       /* ast in env: bound anew at each use */
    BINDING_SHARED,      /* shared: a tabular argument, an `as` name: bound once */
    BINDING_LAMBDA,      /* ast (AST_LAMBDA) in env */
    BINDING_PATTERN,     /* ast->body is a struct ast_pattern; its bodies in env */
    BINDING_RESTRICTION, /* no name; ast->kids: what may be named behind it */
    BINDING_GROUP,       /* ast->kids are entities */
    BINDING_ENTITY,      /* ast: what a name of macro-expand stands for */
};

struct scope {
    struct scope *next;
    rf_str name;
    enum binding_kind kind;
    struct expr *expr;
    const struct ast *ast;
    struct scope *env;
    rf_str text; /* the text that ast's positions belong to */
    struct shared *shared;
    bool view;
    bool is_table; /* BINDING_LAMBDA: it gives a table */
    bool busy;     /* BINDING_LAMBDA: its body is being bound */
    bool stored;   /* of the catalog */
};

/* Bounds on what one request may grow to. Functions of let multiply: a few lines can stand for any number of
 * tables and calls, so that the text's length says nothing. */
enum {
    PLAN_DEPTH_MAX = 2000,    /* operators behind one another, calls inside one another */
    EXPR_CALLS_MAX = 100000,  /* calls in one expression */
    BIND_STEPS_MAX = 4000000, /* beyond a step per byte of text */
    STEPS_LITERAL = 1,
    STEPS_EXPR = 8,
    STEPS_TABLE = 64,
    RESULTS_MAX = 1000,
    TABLE_COLUMNS_MAX = 10000, /* of one table */
    TABLE_DEPTH_MAX = 500, /* tables inside one another, two for a function that calls the next */
    SET_OPTIONS_MAX = 1000,
};
/* Counts work; RF_LIMIT QueryTooLarge when it is too much. */
RF_MUST_USE enum rf_kind bind_steps(struct binder *b, uint32_t steps, uint32_t pos);
/* Notes that `depth` levels lie below what is being bound; RF_LIMIT TooDeep when they are too many. */
RF_MUST_USE enum rf_kind bind_below(struct binder *b, uint32_t depth, uint32_t pos);

struct scope *scope_find(struct binder *b, rf_str name);
struct scope *scope_add(struct binder *b, rf_str name,
                        enum binding_kind kind); /* NULL: no memory */

/* A table bound once and read by several: run once and kept when there is more than one reader. */
struct shared {
    struct node *input;
    struct rows *rows; /* kept rows, once it ran */
    uint32_t reader_count;
    bool ran;
};
RF_MUST_USE enum rf_kind bind_shared_use(struct binder *b, struct shared *shared,
                                         struct node **out);
struct shared *shared_new(struct binder *b, struct node *input);

/* True when `ast` stands for a table in the present scope. */
bool ast_is_table(struct binder *b, const struct ast *ast);

/* An expression in the present b->rows. */
RF_MUST_USE enum rf_kind bind_expr(struct binder *b, const struct ast *ast, struct expr **out);
RF_MUST_USE enum rf_kind bind_let(struct binder *b, const struct statement *s);
/* Binds the body of a function whose arguments are in scope. */
RF_MUST_USE enum rf_kind bind_lambda_scalar(struct binder *b, struct scope *f,
                                            const struct ast *call, struct expr **out);
RF_MUST_USE enum rf_kind bind_lambda_table(struct binder *b, struct scope *f,
                                           const struct ast *call, struct node *first,
                                           struct node **out);
/* Finds a function of let or of the catalog; NULL when there is none (or an error, then *kind is set). */
struct scope *function_find(struct binder *b, rf_str name, enum rf_kind *kind);
/* bind_statement.c */
RF_MUST_USE enum rf_kind bind_restrict(struct binder *b, const struct statement *s);
RF_MUST_USE enum rf_kind bind_pattern(struct binder *b, const struct statement *s);
/* P("x").y: the table of the case that fits. */
RF_MUST_USE enum rf_kind bind_pattern_use(struct binder *b, struct scope *s, const struct ast *call,
                                          rf_str path, struct node **out);
/* Whether a table or a stored function of this name may be named here, and whether anything restricts that. */
bool bind_allows(const struct binder *b, rf_str name);
bool bind_is_restricted(const struct binder *b);
RF_MUST_USE enum rf_kind fail_restricted(struct binder *b, rf_str name, uint32_t pos);
RF_MUST_USE enum rf_kind bind_special_call(struct binder *b, const struct ast *ast, bool *done,
                                           struct expr **out);
RF_MUST_USE enum rf_kind bind_aggregate(struct binder *b, const struct ast *ast,
                                        const struct aggr *aggr, struct expr **out);
RF_MUST_USE enum rf_kind bind_window_call(struct binder *b, const struct ast *ast, bool *done,
                                          struct expr **out);
RF_MUST_USE enum rf_kind bind_scan(struct binder *b, struct source *source, struct node **out);
RF_MUST_USE enum rf_kind bind_datatable(struct binder *b, const struct ast *ast, struct node **out);
RF_MUST_USE enum rf_kind bind_externaldata(struct binder *b, const struct ast *ast,
                                           struct node **out);

/* ---- signatures ---------------------------------------------------------------------------------------- */

enum { SIG_PARAMS_MAX = 24, SIG_ANY = 100, SIG_T = 101, SIG_SCALAR = 102 };
struct signature {
    uint8_t params[SIG_PARAMS_MAX]; /* enum type or one of the above */
    uint32_t param_count, required_count;
    bool repeats;   /* the last one may repeat */
    uint8_t result; /* enum type, SIG_T or SIG_ANY */
};
/* Reads a signature text; the registry's own texts are right, so a bad one is an assertion. */
void signature_parse(const char *text, struct signature *out);
/* The cost of calling with these types, or -1 when they do not fit; *common is T. */
int signature_match(const struct signature *sig, struct expr *const *args, uint32_t arg_count,
                    enum type *common);
/* Converts args in place to what the signature asks for. */
RF_MUST_USE enum rf_kind signature_convert(struct binder *b, const struct signature *sig,
                                           enum type common, struct expr **args,
                                           uint32_t arg_count);
/* The type that two operands are compared or mixed in; false when there is none. */
bool type_common(enum type a, enum type b, enum type *out);

#endif
