/* template.h - template documents: from a template and its parameters to the resources that are to be put (contracts/arm
 * section 8; Microsoft's "template structure and syntax").
 *
 *   template_open    checks the document and the parameters
 *   template_expand  names, conditions, loops, dependencies and all values that need no other resource; what is wrong with the
 *                    template shows here, before anything is written
 *   template_fill    the values that reference() and list*() give, when a resource's turn has come
 *   template_outputs the same for outputs, at the end
 *
 * Every text is evaluated once; results are never looked at again. A nested template of scope "outer" is expanded with the
 * names of the template around it, one of scope "inner" as a deployment of its own.
 *
 * Errors: RF_INVALID InvalidTemplate, "Deployment template validation failed: '...'". All memory is the run's arena. */
#ifndef RF_TEMPLATE_H
#define RF_TEMPLATE_H

#include "arm/template_expr.h"

enum {
    TEMPLATE_RESOURCES_MAX = 800,
    TEMPLATE_COPIES_MAX = 800,
    TEMPLATE_NESTED_MAX = 8,
    TEMPLATE_PARAMETERS_MAX = 1024
};

enum template_type {
    TEMPLATE_STRING,
    TEMPLATE_SECURE_STRING,
    TEMPLATE_INT,
    TEMPLATE_BOOL,
    TEMPLATE_OBJECT,
    TEMPLATE_SECURE_OBJECT,
    TEMPLATE_ARRAY
};
/* False for a word that is none; any casing. */
bool template_type_of(rf_str word, enum template_type *out);
const char *template_type_word(enum template_type type); /* "SecureString" */
static inline bool template_is_secure(enum template_type type)
{
    return type == TEMPLATE_SECURE_STRING || type == TEMPLATE_SECURE_OBJECT;
}

enum template_state { TEMPLATE_NEW, TEMPLATE_BUSY, TEMPLATE_DONE };
struct template_entry { /* a parameter or variable: evaluated when it is first asked for */
    rf_str name;
    const struct json_node *source; /* definition of a parameter, value of a variable */
    const struct json_node *given;  /* value of a parameter; NULL: its default */
    bool is_loop;                   /* source is {name,count,input} */
    enum template_state state;
    enum template_type type;
    struct json_node *value;
};

struct template_plan;
struct template_env {
    struct template_scope scope;  /* what resourceGroup() and resourceId() mean */
    struct template_scope target; /* where resources are put */
    const struct json_node *document;
    struct template_entry *parameters, *variables;
    uint32_t parameter_count, variable_count;
    struct json_node *deployment;      /* deployment() */
    const struct template_plan *plan;  /* whose resources reference() finds by name */
    const struct template_env *around; /* of a nested template of scope "outer" */
    const struct template_loop *loops; /* around a nested template */
    uint32_t depth;                    /* of nesting */
    bool is_symbolic;                  /* resources are an object */
};

struct template_pending { /* a value that must wait */
    struct json_node *place;
    const struct template_expr *expr;
    rf_str text; /* as it stands in the template */
    const struct template_loop *loops;
    struct template_pending *next;
};

struct template_resource {
    rf_str symbol;     /* languageVersion 2.0; empty: none */
    rf_str path;       /* "resources[0]", for errors */
    rf_str type, name; /* whole, as templates have them */
    rf_str id, key;    /* casing as written; lower case */
    rf_str version;
    rf_str loop; /* of its copy; empty: none */
    int64_t loop_index;
    int64_t batch; /* 0: parallel */
    const struct json_node *source;
    const struct template_loop *loops;
    struct json_node *body; /* what is put */
    struct template_pending *pending;
    struct json_node *needs; /* evaluated dependsOn: array of texts; NULL: none */
    bool is_skipped;         /* its condition is false */
    bool is_existing;        /* only looked at */
    bool is_deployment;
    /* of a nested deployment */
    struct template_scope target;
    bool is_inner;
    struct template_plan *nested; /* NULL until its parameters are known */
};

struct template_plan {
    struct template_env *env;
    struct template_resource *resources;
    uint32_t count, cap;
    uint32_t *order; /* of the resources: what is needed comes first */
    uint64_t *edges; /* bit r * words + n: r needs n */
    uint32_t edge_words;
    struct json_node *empty_loops; /* names of copies of no resource */
};
static inline bool template_needs(const struct template_plan *plan, uint32_t r, uint32_t n)
{
    return (plan->edges[r * plan->edge_words + n / 64] >> (n % 64) & 1) != 0;
}

/* A template as files and requests hold it, with comments, line ends in texts and a byte order mark, as strict JSON. */
RF_MUST_USE enum rf_kind template_text_strict(rf_str text, struct rf_arena *arena, rf_str *out,
                                              struct rf_err *err);

struct template_input {
    struct template_scope scope;
    const struct json_node *document;
    const struct json_node *parameters; /* {"p":{"value":..}}; may be NULL */
    rf_str name;                        /* of the deployment */
    rf_str location;                    /* of the deployment; may be empty */
    uint32_t depth;
};
RF_MUST_USE enum rf_kind template_open(struct template_run *run, const struct template_input *input,
                                       struct template_env **out, struct rf_err *err);
RF_MUST_USE enum rf_kind template_expand(struct template_run *run, struct template_env *env,
                                         struct template_plan **out, struct rf_err *err);
/* The plan of a nested deployment; at the latest now (run->is_runtime, after template_fill). */
RF_MUST_USE enum rf_kind template_expand_nested(struct template_run *run,
                                                struct template_plan *plan,
                                                struct template_resource *resource,
                                                struct rf_err *err);
RF_MUST_USE enum rf_kind template_fill(struct template_run *run, const struct template_plan *plan,
                                       struct template_resource *resource, struct rf_err *err);
/* {"o":{"type","value"}}; secure ones have no value. `is_check`: only what needs no resource, for its errors. */
RF_MUST_USE enum rf_kind template_outputs(struct template_run *run,
                                          const struct template_plan *plan, bool is_check,
                                          struct json_node **out, struct rf_err *err);
/* {"p":{"type","value"}}, secure ones without value: as deployments show them. */
RF_MUST_USE enum rf_kind template_parameters(struct template_run *run, struct template_env *env,
                                             struct json_node **out, struct rf_err *err);
/* A number of the template's text without blanks. */
rf_str template_hash(struct rf_arena *arena, const struct json_node *document);

/* ---- what its files share --------------------------------------------------------------------------------------------- */

/* A member of the template language, case ignored; NULL: none. */
struct json_node *template_member(const struct json_node *object, const char *name);
rf_str template_member_text(const struct json_node *object, const char *name);
RF_MUST_USE enum rf_kind template_parameter(const struct template_frame *frame, rf_str name,
                                            struct json_node **out, struct rf_err *err);
RF_MUST_USE enum rf_kind template_variable(const struct template_frame *frame, rf_str name,
                                           struct json_node **out, struct rf_err *err);
RF_MUST_USE enum rf_kind template_user_call(const struct template_call *call,
                                            struct json_node **out, struct rf_err *err);
/* What came of a tree that waits for runtime values. */
struct template_tree {
    bool may_wait;                    /* else reference() and list*() are errors */
    bool has_copy;                    /* "copy" arrays in objects are loops */
    struct template_pending *pending; /* newest first */
};
/* The tree with its expressions evaluated. */
RF_MUST_USE enum rf_kind template_eval_tree(const struct template_frame *frame,
                                            const struct json_node *node,
                                            struct template_tree *tree, struct json_node **out,
                                            struct rf_err *err);
/* A text member that is evaluated; empty when it is absent or null. */
RF_MUST_USE enum rf_kind template_eval_text(const struct template_frame *frame,
                                            const struct json_node *object, const char *name,
                                            rf_str *out, struct rf_err *err);
/* The count of a loop; RF_INVALID beyond 0..TEMPLATE_COPIES_MAX. */
RF_MUST_USE enum rf_kind template_eval_count(const struct template_frame *frame,
                                             const struct json_node *copy, int64_t *out,
                                             struct rf_err *err);
/* "/scope/providers/Type/name": type and name woven; RF_INVALID when their segments do not fit. */
RF_MUST_USE enum rf_kind template_id(struct rf_arena *arena, rf_str scope, rf_str type, rf_str name,
                                     rf_str *out, struct rf_err *err);
/* The scope that an id names; RF_INVALID when it is none for deployments. */
RF_MUST_USE enum rf_kind template_scope_of(struct rf_arena *arena, rf_str id,
                                           struct template_scope *out, struct rf_err *err);
/* The resource that a text means: an id, a name, a symbolic name, "type/name"; NULL: none of the plan. */
const struct template_resource *template_find(const struct template_plan *plan, rf_str text);
/* Puts what an error of a template is about in front of it, once; gives `kind`. */
void template_wrap_text(struct rf_err *err, const char *what, rf_str name);
RF_MUST_USE static inline enum rf_kind template_wrap(struct rf_err *err, enum rf_kind kind,
                                                     const char *what, rf_str name)
{
    if (kind != RF_OK) template_wrap_text(err, what, name);
    return kind;
}

#endif
