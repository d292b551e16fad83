/* op_found.h - operators that find texts in a text and show them as new columns: parse, parse-where and parse-kv. Their
 * nodes begin with struct found_node, their lanes with struct found_lane. */
#ifndef RF_OP_FOUND_H
#define RF_OP_FOUND_H

#include "base/regex.h"
#include "kql/bind_int.h"
#include "kql/op.h"

struct found_node {
    struct node node;
    struct expr *expr; /* the text */
    int *
        column; /* beside node.schema.columns: which of the new ones, or -1 for one of the input's */
};
struct found_lane {
    struct rf_arena arena;
    struct eval *eval; /* of expr */
    struct regex_scratch scratch;
};
struct found_flow {
    struct flow flow;
    struct exec *exec;
    const struct found_node *node;
    const int *slots; /* of the input's columns in its batches */
    uint8_t *lanes;
    size_t lane_bytes;
};

/* What an operator does: fills its part of a lane, whose arena and eval are there; and takes a batch. */
struct found_ops {
    size_t lane_bytes;
    enum rf_kind (*lane_init)(const struct found_node *n, struct found_lane *lane,
                              struct rf_err *err);
    enum rf_kind (*push)(struct flow *flow, uint32_t lane, const struct batch *in,
                         struct rf_err *err);
};
RF_MUST_USE enum rf_kind found_run(struct node *node, struct exec *exec, struct flow *out,
                                   const struct found_ops *ops, struct rf_err *err);
static inline struct found_lane *found_lane(const struct found_flow *f, uint32_t lane)
{
    return (struct found_lane *)(f->lanes + lane * f->lane_bytes);
}
/* Binds the text's expression and begins the schema with the input's columns, with room for `count` new ones. */
RF_MUST_USE enum rf_kind found_bind(struct binder *b, struct found_node *n, const struct ast *text,
                                    uint32_t count, struct schema_builder *sb);
/* The new column number `index`: it stands where one of its name stood, or at the end. */
RF_MUST_USE enum rf_kind found_bind_column(struct binder *b, struct found_node *n,
                                           struct schema_builder *sb, rf_str name, enum type type,
                                           uint32_t pos, uint32_t index);
/* The columns of the output: those in `found`, and the input's. NULL: no memory. */
struct vec *found_columns(const struct found_flow *f, const struct batch *in,
                          const struct vec *found);
/* New columns are found all at once, so only the list of what is passed on shrinks. */
void found_prune(struct node *node, struct id_set *need);

#endif
