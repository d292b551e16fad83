/* template_expr.h - the expression language of deployment templates: "[concat(parameters('p'), '-', copyIndex())]".
 *
 * A text that begins with '[' and ends with ']' is an expression; "[[" at its start stands for one '[' of a plain text. An
 * expression is calls, texts in single quotes (doubled inside), whole numbers, and what hangs on them: .name, ['name'], [0].
 * Names are compared without case. Source: Microsoft's "ARM template syntax and expressions" and its function reference.
 *
 * Values are JSON nodes that nobody changes once they are made: a node that goes into an array or object is copied
 * (template_share), its children are shared. A run has limits on steps, depth and, by its arena, on memory; what an
 * expression gives is never looked at again as an expression.
 *
 * Errors are RF_INVALID InvalidTemplate and RF_LIMIT MemoryBudgetExceeded; what runtime functions do adds the errors of the
 * resources that they ask. One thread per run. */
#ifndef RF_TEMPLATE_EXPR_H
#define RF_TEMPLATE_EXPR_H

#include "authz/site.h"
#include "base/clock.h"
#include "base/json_tree.h"

enum {
    TEMPLATE_EXPR_BYTES_MAX = 24576,
    TEMPLATE_EXPR_DEPTH_MAX = 64,  /* of brackets in one expression */
    TEMPLATE_EVAL_DEPTH_MAX = 512, /* of calls and containers, variables and parameters included */
    TEMPLATE_STEPS_MAX = 4000000,
    TEMPLATE_TEXT_BYTES_MAX = 4 << 20, /* of a text that a function makes */
    TEMPLATE_ITEMS_MAX = 10000,        /* of range and the like */
    TEMPLATE_ARGS_MAX = 800
};

/* ---- syntax --------------------------------------------------------------------------------------------------------- */

enum template_kind { TEMPLATE_LITERAL, TEMPLATE_CALL, TEMPLATE_MEMBER };
struct template_expr {
    enum template_kind kind;
    bool is_safe;                             /* MEMBER: absent gives null (".?x") */
    uint32_t column;                          /* in the text with its brackets, 1-based */
    rf_str ns, name;                          /* CALL: namespace of a user function; name */
    const struct template_function *function; /* CALL: NULL for user functions */
    struct json_node *value;                  /* LITERAL */
    struct template_expr *first, *next;       /* CALL: arguments; MEMBER: what it is of, key */
    uint32_t count;
};
/* Whether `text` is to be evaluated. */
static inline bool template_is_expr(rf_str text)
{
    return text.len >= 2 && text.ptr[0] == '[' && text.ptr[1] != '[' &&
           text.ptr[text.len - 1] == ']';
}
/* `text` is one. Built-in functions are checked for their names and the number of their arguments. */
RF_MUST_USE enum rf_kind template_expr_parse(rf_str text, struct rf_arena *arena,
                                             struct template_expr **out, struct rf_err *err);

/* ---- evaluation ------------------------------------------------------------------------------------------------------- */

enum template_place {
    TEMPLATE_AT_TENANT,
    TEMPLATE_AT_MG,
    TEMPLATE_AT_SUBSCRIPTION,
    TEMPLATE_AT_GROUP
};
struct template_scope { /* where a deployment stands */
    enum template_place place;
    rf_str id; /* "/subscriptions/..", "/" at the tenant; casing as asked */
    rf_str subscription, group, management_group;
};

struct template_loop { /* copyIndex() */
    rf_str name;
    int64_t index;
    bool is_inner; /* of a property or variable: asked for by its name */
    const struct template_loop *outer;
};
struct template_local { /* lambdaVariables(), parameters of user functions */
    rf_str name;
    struct json_node *value;
    const struct template_local *outer;
};

/* What asks the world; NULL members: not possible there. */
struct template_world {
    void *ctx;
    /* The document of a resource as it is now; `version` may be empty. */
    enum rf_kind (*get)(void *ctx, rf_str id, rf_str version, struct json_node **out,
                        struct rf_err *err);
    /* POST id/action. */
    enum rf_kind (*post)(void *ctx, rf_str id, rf_str action, rf_str version,
                         const struct json_node *body, struct json_node **out, struct rf_err *err);
    /* The document of a resource group, subscription or management group; asks for no right. */
    enum rf_kind (*scope)(void *ctx, rf_str id, struct json_node **out, struct rf_err *err);
    /* {"resourceTypes":[..]} of a namespace. */
    enum rf_kind (*provider)(void *ctx, rf_str ns, struct json_node **out, struct rf_err *err);
};

/* One deployment's evaluation, nested templates included. */
struct template_run {
    struct rf_arena *arena;
    const struct site *site;
    struct json_node *deployer; /* {"objectId","tenantId"} */
    struct template_world world;
    rf_usec now;
    uint64_t steps;
    uint32_t depth;
    bool is_runtime; /* reference() and list*() ask the world; else they are refused */
    bool in_default; /* newGuid() and utcNow() are allowed */
};

struct template_env;
/* What an expression sees besides its document. */
struct template_frame {
    struct template_run *run;
    const struct template_env *env;
    const struct template_loop *loops;
    const struct template_local *locals;
};
RF_MUST_USE enum rf_kind template_eval(const struct template_frame *frame,
                                       const struct template_expr *expr, struct json_node **out,
                                       struct rf_err *err);
/* True when it calls reference() or list*() anywhere. */
bool template_expr_is_runtime(const struct template_expr *expr);

/* ---- functions -------------------------------------------------------------------------------------------------------- */

struct template_call {
    const struct template_frame *frame;
    const struct template_expr *expr;
    struct json_node **args; /* NULL for lazy functions */
    uint32_t count;
};
enum { TEMPLATE_LAZY = 1, TEMPLATE_RUNTIME = 2 };
struct template_function {
    const char *name;
    uint32_t args_min, args_max;
    enum rf_kind (*run)(const struct template_call *call, struct json_node **out,
                        struct rf_err *err);
    unsigned flags;
};
struct template_family {
    const struct template_function *functions;
    uint32_t count;
};
extern const struct template_family template_func_array, template_func_text, template_func_logic,
    template_func_time, template_func_scope, template_func_net, template_func_lambda,
    template_func_object;
/* NULL: none of that name. Every name that begins with "list" is one. */
const struct template_function *template_function_find(rf_str name);
/* All in turn, for docs and tests; NULL at the end. */
const struct template_function *template_function_at(uint32_t index);

/* The whole number that `text` is, sign and digits only; false when it is none or outside int64. */
bool template_whole(rf_str text, int64_t *out);

/* ---- for functions: values -------------------------------------------------------------------------------------------- */

/* "Unable to evaluate the template language function 'x' ...": RF_INVALID. The kind stands in the macro so that analyzers see
 * that it is not RF_OK. */
void template_say(const struct template_call *call, struct rf_err *err, const char *fmt, ...)
    RF_PRINTF(3, 4);
#define template_fail(call, err, ...) (template_say((call), (err), __VA_ARGS__), RF_INVALID)
RF_MUST_USE enum rf_kind template_step(struct template_run *run, uint64_t steps,
                                       struct rf_err *err);
/* A node that may go into another container: the same value. NULL on lack of memory or for NULL. */
struct json_node *template_share(struct rf_arena *arena, const struct json_node *node);
const char *template_type_name(const struct json_node *node); /* "String", "Integer" .. */
/* Arguments of a type, with the error of one that is not. */
RF_MUST_USE enum rf_kind template_arg_text(const struct template_call *call, uint32_t index,
                                           rf_str *out, struct rf_err *err);
RF_MUST_USE enum rf_kind template_arg_int(const struct template_call *call, uint32_t index,
                                          int64_t *out, struct rf_err *err);
RF_MUST_USE enum rf_kind template_arg_bool(const struct template_call *call, uint32_t index,
                                           bool *out, struct rf_err *err);
RF_MUST_USE enum rf_kind template_arg_is(const struct template_call *call, uint32_t index,
                                         enum json_type type, struct rf_err *err);
/* Results. */
RF_MUST_USE enum rf_kind template_give_text(const struct template_call *call, rf_str text,
                                            struct json_node **out, struct rf_err *err);
RF_MUST_USE enum rf_kind template_give_int(const struct template_call *call, int64_t number,
                                           struct json_node **out, struct rf_err *err);
RF_MUST_USE enum rf_kind template_give_bool(const struct template_call *call, bool truth,
                                            struct json_node **out, struct rf_err *err);
RF_MUST_USE enum rf_kind template_give_null(const struct template_call *call,
                                            struct json_node **out, struct rf_err *err);
/* A new, empty container. */
RF_MUST_USE enum rf_kind template_give_new(const struct template_call *call, enum json_type type,
                                           struct json_node **out, struct rf_err *err);
/* Appends a shared copy; counts a step. */
RF_MUST_USE enum rf_kind template_add(const struct template_call *call, struct json_node *array,
                                      const struct json_node *value, struct rf_err *err);
RF_MUST_USE enum rf_kind template_put(const struct template_call *call, struct json_node *object,
                                      rf_str name, const struct json_node *value,
                                      struct rf_err *err);
/* The text of a value as string() and concat() see it. */
RF_MUST_USE enum rf_kind template_text_of(const struct template_call *call,
                                          const struct json_node *value, rf_str *out,
                                          struct rf_err *err);
bool template_equal(const struct json_node *a, const struct json_node *b);
/* Evaluates an argument of a lazy function. */
RF_MUST_USE enum rf_kind template_lazy_arg(const struct template_call *call, uint32_t index,
                                           struct json_node **out, struct rf_err *err);
/* "2026-01-31 12:00" and the like in a pattern of .NET; RF_INVALID for one that is not known. */
RF_MUST_USE enum rf_kind template_time_format(struct rf_arena *arena, rf_usec time, rf_str pattern,
                                              rf_str *out, struct rf_err *err);
/* Texts that are the same for the same arguments: a GUID of version 5 shape, and 13 letters of base 32. */
rf_str template_guid_of(struct rf_arena *arena, rf_str text);
rf_str template_unique_of(struct rf_arena *arena, rf_str text);

#endif
