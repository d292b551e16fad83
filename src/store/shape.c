#include "store/shape.h"

#include "store/block_int.h"

enum { KEY_HEAD_BYTES = 4, LIST_HEAD_BYTES = 9 };

/* ---- reading a set ----------------------------------------------------------------------------------- */

struct open_bag {
    uint32_t op, left; /* entries to come */
};

static bool tag_known(uint8_t tag)
{
    switch (tag) {
    case DYN_FALSE:
    case DYN_INT:
    case DYN_LONG:
    case DYN_REAL:
    case DYN_DATETIME:
    case DYN_TIMESPAN:
    case DYN_STRING:
    case SHAPE_ANY:
        return true;
    default:
        return false;
    }
}

static bool take_op(struct block_reader *r, bool inside, struct shape_op *out)
{
    uint8_t kind = block_take_u8(r);
    *out = (struct shape_op){.bag = kind == 1, .number = block_take_u16(r)};
    if (r->failed || kind > 1) return false;
    if (!inside) return true;
    size_t at = r->at;
    uint32_t bytes = block_take_u32(r);
    if (bytes > SHAPE_KEY_BYTES_MAX) return false;
    rf_str key = block_take_str(r, bytes);
    out->key = rf_slice(r->bytes, at, r->at);
    return !r->failed && rf_utf8_valid(key);
}

/* Ends the bags whose last entry has been read. */
static uint32_t close_bags(struct shape *shape, struct open_bag *open, uint32_t depth, uint32_t end)
{
    while (depth > 0 && open[depth - 1].left == 0) shape->ops[open[--depth].op].end = (uint16_t)end;
    return depth;
}

static bool take_shape(struct block_reader *r, const struct shape_set *set, struct shape *shape)
{
    struct open_bag open[SHAPE_DEPTH_MAX];
    bool seen[SHAPE_LEAVES_MAX] = {false};
    uint32_t depth = 0;
    for (uint32_t i = 0; i < shape->op_count; i++) {
        struct shape_op *op = &shape->ops[i];
        if ((i > 0 && depth == 0) || !take_op(r, depth > 0, op)) return false;
        if (depth > 0) open[depth - 1].left--;
        op->end = (uint16_t)(i + 1);
        if (op->bag) {
            if (depth == SHAPE_DEPTH_MAX || op->number > SHAPE_OPS_MAX) return false;
            open[depth++] = (struct open_bag){i, op->number};
        } else {
            if (op->number >= set->leaf_count || seen[op->number]) return false;
            seen[op->number] = true;
        }
        depth = close_bags(shape, open, depth, i + 1);
    }
    return depth == 0;
}

enum rf_kind shape_set_parse(rf_str bytes, struct rf_arena *arena, struct shape_set *out,
                             struct rf_err *err)
{
    struct block_reader r = {bytes, 0, false};
    struct shape_set set = {.count = block_take_u16(&r), .leaf_count = block_take_u16(&r)};
    if (r.failed || set.count == 0 || set.count > SHAPE_COUNT_MAX ||
        set.leaf_count > SHAPE_LEAVES_MAX)
        return block_corrupt(err, "a set of shapes has a bad head");
    for (uint32_t i = 0; i < set.leaf_count; i++) {
        set.leaf_tags[i] = block_take_u8(&r);
        if (!tag_known(set.leaf_tags[i])) return block_corrupt(err, "a leaf has an unknown tag");
    }
    set.shapes = rf_arena_new(arena, struct shape, set.count);
    if (set.shapes == NULL) return rf_fail_memory(err, arena);
    for (uint32_t i = 0; i < set.count; i++) {
        struct shape *shape = &set.shapes[i];
        shape->op_count = block_take_u16(&r);
        if (shape->op_count > SHAPE_OPS_MAX) return block_corrupt(err, "a shape is too long");
        shape->ops = rf_arena_new(arena, struct shape_op, shape->op_count);
        if (shape->ops == NULL) return rf_fail_memory(err, arena);
        if (!take_shape(&r, &set, shape)) return block_corrupt(err, "a shape is malformed");
    }
    if (r.failed || r.at != bytes.len)
        return block_corrupt(err, "a set of shapes has a wrong length");
    *out = set;
    return RF_OK;
}

enum type shape_leaf_type(uint8_t tag)
{
    switch (tag) {
    case DYN_FALSE:
        return TYPE_BOOL;
    case DYN_INT:
        return TYPE_INT;
    case DYN_LONG:
        return TYPE_LONG;
    case DYN_REAL:
        return TYPE_REAL;
    case DYN_DATETIME:
        return TYPE_DATETIME;
    case DYN_TIMESPAN:
        return TYPE_TIMESPAN;
    case DYN_STRING:
        return TYPE_STRING;
    default:
        return TYPE_DYNAMIC;
    }
}

/* ---- values of a shape ------------------------------------------------------------------------------- */

bool shape_leaf_fits(rf_str value)
{
    struct {
        rf_str list;
        uint32_t next;
    } stack[DYN_DEPTH_MAX];
    unsigned depth = 0;
    for (;;) {
        if (dyn_tag(value) >= DYN_ARRAY) {
            if (depth == DYN_DEPTH_MAX - SHAPE_DEPTH_MAX) return false;
            stack[depth].list = value;
            stack[depth++].next = 0;
        }
        while (depth > 0 && stack[depth - 1].next == dyn_count(stack[depth - 1].list)) depth--;
        if (depth == 0) return true;
        rf_str list = stack[depth - 1].list, key;
        uint32_t index = stack[depth - 1].next++;
        if (dyn_tag(list) == DYN_BAG)
            dyn_entry(list, index, &key, &value);
        else
            value = dyn_item(list, index);
    }
}

static bool leaf_has_tag(uint8_t tag, rf_str value)
{
    enum dyn_tag own = dyn_tag(value);
    int64_t i = dyn_i64(value);
    if (tag == SHAPE_ANY) return own < DYN_ARRAY || shape_leaf_fits(value);
    if (own == DYN_NULL) return tag != DYN_STRING; /* a column of texts has no nulls */
    if (tag == DYN_FALSE) return own == DYN_FALSE || own == DYN_TRUE;
    if (own != (enum dyn_tag)tag) return false;
    if (own == DYN_DATETIME) return i >= 0 && i <= DATETIME_MAX;
    return own != DYN_INT || (i >= INT32_MIN && i <= INT32_MAX);
}

/* Entries of a bag, one after the other. */
struct bag_walk {
    const uint8_t *ends, *at;
    const uint8_t *items;
};

static struct bag_walk bag_walk_of(rf_str bag)
{
    const uint8_t *ends = bag.ptr + LIST_HEAD_BYTES;
    const uint8_t *items = ends + (size_t)rf_get_u32le(bag.ptr + 1) * 4;
    return (struct bag_walk){ends, items, items};
}

/* The next entry's value, when it has this key. */
static bool walk_entry(struct bag_walk *walk, rf_str key, rf_str *value)
{
    const uint8_t *end = walk->items + rf_get_u32le(walk->ends);
    const uint8_t *entry = walk->at;
    walk->ends += 4;
    walk->at = end;
    if ((size_t)(end - entry) <= key.len || memcmp(entry, key.ptr, key.len) != 0) return false;
    *value = rf_str_make(entry + key.len, (size_t)(end - entry) - key.len);
    return true;
}

bool shape_match(const struct shape_set *set, const struct shape *shape, rf_str value, bool any,
                 rf_str *leaves)
{
    struct bag_walk walks[SHAPE_DEPTH_MAX];
    uint32_t ends[SHAPE_DEPTH_MAX], depth = 0;
    if (shape->op_count == 0 || value.len == 0) return shape->op_count == 0 && value.len == 0;
    /* A null that is written out does not come back as the column's null. */
    if (dyn_tag(value) == DYN_NULL) return false;
    for (uint32_t i = 0; i < shape->op_count; i++) {
        const struct shape_op *op = &shape->ops[i];
        while (depth > 0 && ends[depth - 1] == i) depth--;
        if (depth > 0 && !walk_entry(&walks[depth - 1], op->key, &value)) return false;
        if (op->bag) {
            if (dyn_tag(value) != DYN_BAG || dyn_count(value) != op->number) return false;
            if (op->number == 0) continue;
            walks[depth] = bag_walk_of(value);
            ends[depth++] = op->end;
        } else {
            if (!any && !leaf_has_tag(set->leaf_tags[op->number], value)) return false;
            leaves[op->number] = value;
        }
    }
    return true;
}

static rf_str key_of(const struct shape_op *op)
{
    return rf_slice(op->key, KEY_HEAD_BYTES, op->key.len);
}

struct shape_part shape_part_of(const struct shape_set *set, const struct shape *shape,
                                const rf_str *keys, uint32_t key_count)
{
    struct shape_part none = {0, 0, key_count};
    uint32_t at = 0;
    if (shape->op_count == 0) return none;
    for (uint32_t k = 0; k < key_count; k++) {
        const struct shape_op *op = &shape->ops[at];
        if (!op->bag) {
            bool goes_on = set->leaf_tags[op->number] == SHAPE_ANY;
            return goes_on ? (struct shape_part){(uint16_t)at, op->end, k} : none;
        }
        uint32_t entry = at + 1;
        while (entry < op->end && !rf_str_eq(key_of(&shape->ops[entry]), keys[k]))
            entry = shape->ops[entry].end;
        if (entry >= op->end) return none;
        at = entry;
    }
    return (struct shape_part){(uint16_t)at, shape->ops[at].end, key_count};
}

rf_str shape_walk(rf_str value, const rf_str *keys, uint32_t key_count)
{
    for (uint32_t i = 0; i < key_count && value.len > 0; i++) value = dyn_get(value, keys[i]);
    return value;
}

/* ---- writing values ---------------------------------------------------------------------------------- */

static size_t leaf_bytes(uint8_t tag)
{
    switch (tag) {
    case DYN_FALSE:
        return 1;
    case DYN_STRING:
        return 5;
    case SHAPE_ANY:
        return 1; /* of a null */
    default:
        return 9;
    }
}

size_t shape_part_bytes(const struct shape_set *set, const struct shape *shape,
                        const struct shape_part *part)
{
    size_t bytes = 0;
    for (uint32_t i = part->from; i < part->to; i++) {
        const struct shape_op *op = &shape->ops[i];
        bytes += 4 + op->key.len; /* its end in the list that it is in */
        bytes += op->bag ? LIST_HEAD_BYTES : leaf_bytes(set->leaf_tags[op->number]);
    }
    return bytes;
}

static inline uint8_t *put_text(uint8_t *to, rf_str text)
{
    if (text.len > 0) memcpy(to, text.ptr, text.len);
    return to + text.len;
}

static inline uint8_t *put_leaf(uint8_t tag, struct shape_cells *leaf, uint8_t *to)
{
    uint32_t at = leaf->next++;
    if (leaf->nulls != NULL && leaf->nulls[at] != 0) {
        *to = DYN_NULL;
        return to + 1;
    }
    if (tag == SHAPE_ANY) return put_text(to, ((const rf_str *)leaf->cells)[at]);
    if (tag == DYN_FALSE) {
        *to = ((const uint8_t *)leaf->cells)[at] != 0 ? DYN_TRUE : DYN_FALSE;
        return to + 1;
    }
    *to++ = tag;
    if (tag == DYN_STRING) {
        rf_str text = ((const rf_str *)leaf->cells)[at];
        rf_put_u32le(to, (uint32_t)text.len);
        return put_text(to + 4, text);
    }
    memcpy(to, (const uint8_t *)leaf->cells + (size_t)at * 8, 8);
    return to + 8;
}

struct put_bag {
    uint8_t *head, *items, *end_at;
    uint32_t left;
};

uint8_t *shape_put(const struct shape_set *set, const struct shape *shape,
                   const struct shape_part *part, struct shape_cells *leaves, uint8_t *to)
{
    struct put_bag bags[SHAPE_DEPTH_MAX];
    uint32_t depth = 0;
    for (uint32_t i = part->from; i < part->to; i++) {
        const struct shape_op *op = &shape->ops[i];
        if (depth > 0) to = put_text(to, op->key);
        if (op->bag) {
            uint8_t *ends = to + LIST_HEAD_BYTES, *items = ends + (size_t)op->number * 4;
            to[0] = DYN_BAG;
            rf_put_u32le(to + 1, op->number);
            rf_put_u32le(to + 5, 0);
            bags[depth++] = (struct put_bag){to, items, ends, op->number};
            to = items;
            if (op->number > 0) continue;
            depth--;
        } else {
            to = put_leaf(set->leaf_tags[op->number], &leaves[op->number], to);
        }
        for (; depth > 0; depth--) {
            struct put_bag *bag = &bags[depth - 1];
            rf_put_u32le(bag->end_at, (uint32_t)(to - bag->items));
            bag->end_at += 4;
            if (--bag->left > 0) break;
            rf_put_u32le(bag->head + 5, (uint32_t)(to - bag->head - LIST_HEAD_BYTES));
        }
    }
    return to;
}
