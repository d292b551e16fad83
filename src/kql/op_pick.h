/* op_pick.h - a source over some of the rows that an operator keeps: what partition and top-nested
 * run their parts over. */
#ifndef RF_OP_PICK_H
#define RF_OP_PICK_H

#include "kql/bind.h"

struct pick_node {
    struct node node;
    struct rows *rows;      /* laid out as node.schema */
    const uint64_t *picked; /* set before each run */
    uint64_t count;
};
/* Its schema is `like`'s and must be set anew when that one is pruned. NULL: no memory. */
struct pick_node *pick_node_new(struct binder *b, const struct node *like);

#endif
