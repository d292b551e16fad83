/* op_pick.h - a source over some of the rows that an operator keeps: what partition and top-nested
 * run their parts over. */
#ifndef RF_OP_PICK_H
#define RF_OP_PICK_H

#include "kql/bind.h"

struct pick_node {
    struct node node;
    struct node *
        of; /* NULL, or what gives the rows: pruned when the pick is, as those above the pick copy its schema */
    uint32_t key_id;        /* a column that `of` must give */
    struct rows *rows;      /* laid out as node.schema */
    const uint64_t *picked; /* set before each run */
    uint64_t count;
};
/* Its schema is `like`'s and must be set anew when that one is pruned, unless `of` is set. NULL: no memory. */
struct pick_node *pick_node_new(struct binder *b, const struct node *like);

#endif
