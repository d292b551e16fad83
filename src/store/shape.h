/* shape.h - the forms that the values of a dynamic column come in. A shape is a value without its leaves: which bags
 * lie in one another and their keys in order. What is left are leaves, one for each path, which an extent keeps as columns of
 * their own. Knows dyn.h's bytes; neither files nor columns.
 *
 *   set    0   2  shapes                     op    0   1  0 leaf, 1 bag
 *          2   2  leaves                           1   2  number of the leaf, or entries of the bag
 *          4      a byte per leaf: its tag         3      inside a bag: u32 bytes of the key, the key
 *                 shapes
 *
 *   shape  0   2  ops: the value itself, and after a bag its entries, from the outside to the inside; none: null
 *
 * A leaf's tag is that of dyn.h for the one kind of values that it has (DYN_FALSE: both bools), or DYN_ARRAY: of any kind,
 * kept as dyn.h's bytes. An array is always a leaf, as each length would be a shape of its own. */
#ifndef RF_SHAPE_H
#define RF_SHAPE_H

#include "store/block.h"
#include "value/dyn.h"

enum {
    SHAPE_COUNT_MAX = 64,
    SHAPE_LEAVES_MAX = 128,
    SHAPE_OPS_MAX = 256,
    SHAPE_DEPTH_MAX = 8, /* bags inside one another; what lies deeper is a leaf */
    SHAPE_KEY_BYTES_MAX = 1024,
    SHAPE_SET_BYTES_MAX = 1 << 20,
    SHAPE_ANY = DYN_ARRAY /* tag of a leaf of any kind */
};

struct shape_op {
    bool bag;
    uint16_t number; /* leaf, or entries */
    uint16_t end;    /* of the ops that belong to it */
    rf_str key;      /* with its length in front, as in a bag's entry; empty outside of bags */
};
struct shape {
    struct shape_op *ops;
    uint32_t op_count;
};
struct shape_set {
    struct shape *shapes;
    uint32_t count;
    uint8_t leaf_tags[SHAPE_LEAVES_MAX];
    uint32_t leaf_count;
};
/* Takes any bytes; the set, in `arena`, is a view of them. RF_CORRUPT BlockCorrupt. */
RF_MUST_USE enum rf_kind shape_set_parse(rf_str bytes, struct rf_arena *arena,
                                         struct shape_set *out, struct rf_err *err);
/* The type of the column that a leaf with this tag is kept in. Nulls stand for DYN_NULL. */
enum type shape_leaf_type(uint8_t tag);
/* Whether `value`, well formed or empty, is of the shape, so that it would come back byte for byte; leaves[number] are its
 * leaves then. `any`: whatever the leaves' tags are. */
bool shape_match(const struct shape_set *set, const struct shape *shape, rf_str value, bool any,
                 rf_str *leaves);
/* False for an array or bag that nests so deep that it could not lie inside a shape. */
bool shape_leaf_fits(rf_str value);

/* ---- parts of a value ------------------------------------------------------------------------------ */

/* Where a path leads in values of one shape: ops from..to-1, none when there is nothing; the last keys from `rest` on lie
 * inside the leaf that this is then. */
struct shape_part {
    uint16_t from, to;
    uint32_t rest;
};
struct shape_part shape_part_of(const struct shape_set *set, const struct shape *shape,
                                const rf_str *keys, uint32_t key_count);
/* The value at the end of a path, empty when there is none. */
rf_str shape_walk(rf_str value, const rf_str *keys, uint32_t key_count);

/* The values of one leaf, in the order of the rows that have it. */
struct shape_cells {
    const void *cells; /* as in a vector of the leaf's type */
    const uint8_t *nulls;
    uint32_t next;
};
/* Bytes that a part takes at most, without texts and leaves of any kind. */
size_t shape_part_bytes(const struct shape_set *set, const struct shape *shape,
                        const struct shape_part *part);
/* Writes the part with the next cell of each of its leaves; returns the end of what was written. */
uint8_t *shape_put(const struct shape_set *set, const struct shape *shape,
                   const struct shape_part *part, struct shape_cells *leaves, uint8_t *to);

/* ---- finding shapes ---------------------------------------------------------------------------------- */

/* Values by row number; empty: null. */
struct shape_source {
    rf_str (*value)(const void *state, uint32_t row);
    const void *state;
    uint32_t row_count;
};
/* Looks at a sample of the values and writes the set of shapes that are worth it: those of many rows. *found is false when
 * they are less than half of the rows. Memory and time are bounded, whatever the values are. False: lack of memory. */
RF_MUST_USE bool shape_find(const struct shape_source *source, struct rf_budget *budget,
                            struct block_buf *out, bool *found);

#endif
