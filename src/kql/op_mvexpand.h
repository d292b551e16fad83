/* op_mvexpand.h - rows from arrays: what mv-expand and mv-apply share.
 *
 * A row becomes as many rows as its longest array has elements; shorter arrays go on with nulls. A bag
 * counts as its entries, a null or a scalar as one element, an empty array or bag as none. */
#ifndef RF_OP_MVEXPAND_H
#define RF_OP_MVEXPAND_H

#include "kql/bind.h"

struct expand_item {
    struct ast *expr; /* [name =] expression */
    bool typed;       /* to typeof(type) */
    uint8_t type;
};
struct expand_body {
    struct expand_item *items;
    uint32_t count;
    struct ast *limit; /* NULL: the operator's default */
    struct ast *sub;   /* mv-apply: its pipe */
};
/* Items and `limit N`. */
RF_MUST_USE enum rf_kind expand_parse(struct parser *p, struct ast *node, struct expand_body **out);

enum expand_from { EXPAND_INPUT, EXPAND_ITEM, EXPAND_INDEX };
struct expand_plan {
    struct expr **arrays;
    uint32_t array_count;
    bool pairs;     /* a bag's entries become [key, value] instead of {key: value} */
    uint64_t limit; /* rows per input row */
    struct schema schema;
    struct expand_column {
        uint8_t from;   /* enum expand_from */
        uint32_t array; /* EXPAND_ITEM: which one */
    } * columns;        /* beside schema.columns; an input's column keeps its id */
};
RF_MUST_USE enum rf_kind expand_bind(struct binder *b, const struct ast *node,
                                     const struct expand_body *body, const struct schema *input,
                                     uint64_t limit, struct expand_plan *out);
/* Drops columns that are not needed, and adds to `need` what the input must give. */
void expand_prune(struct expand_plan *plan, struct id_set *need);

/* Walks rows from..to-1 of a batch. */
struct expand_cursor {
    const struct expand_plan *plan;
    const int *slots; /* where the input's columns lie in `in`, beside plan->columns */
    const struct batch *in;
    const struct vec *arrays;
    uint32_t row, to;
    uint32_t item, item_count; /* of the row; item_count is valid while item > 0 */
};
/* Positions for cursors; NULL on lack of memory. */
int *expand_slots(const struct expand_plan *plan, const struct schema *input,
                  struct rf_arena *arena);
/* How many rows the cursor's present row becomes. */
uint32_t expand_row_count(const struct expand_cursor *cursor);
/* The next rows, at most `max` (<= BATCH_ROWS), made in `arena`; row_count 0 at the end. */
RF_MUST_USE enum rf_kind expand_next(struct expand_cursor *cursor, uint32_t max,
                                     struct rf_arena *arena, struct batch *out, struct rf_err *err);

#endif
