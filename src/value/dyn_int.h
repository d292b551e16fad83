/* dyn_int.h - what the files of dyn share: the layout of arrays and bags. */
#ifndef RF_DYN_INT_H
#define RF_DYN_INT_H

#include "value/dyn.h"

enum {
    DYN_HEAD_BYTES = 9,   /* tag, count, total bytes */
    DYN_LEVEL_BYTES = 13, /* at least, for a container with something in it: head and one end */
    DYN_KEY_HEAD_BYTES = 4
};

/* An array or bag taken apart. */
struct dyn_list {
    uint32_t count;
    const uint8_t *ends;  /* count times u32 */
    const uint8_t *items; /* what the ends count from */
};

static inline bool dyn_is_list(rf_str d)
{
    return dyn_tag(d) == DYN_ARRAY || dyn_tag(d) == DYN_BAG;
}

/* `d` must be an array or bag. */
static inline struct dyn_list dyn_list_of(rf_str d)
{
    uint32_t count = rf_get_u32le(d.ptr + 1);
    const uint8_t *ends = d.ptr + DYN_HEAD_BYTES;
    return (struct dyn_list){count, ends, ends + (size_t)count * 4};
}

/* Element or entry `index` (< count). */
static inline rf_str dyn_list_item(const struct dyn_list *list, uint32_t index)
{
    const uint8_t *end = list->ends + (size_t)index * 4;
    uint32_t from = index == 0 ? 0 : rf_get_u32le(end - 4);
    return rf_str_make(list->items + from, rf_get_u32le(end) - from);
}

static inline rf_str dyn_entry_key(rf_str entry)
{
    return rf_str_make(entry.ptr + DYN_KEY_HEAD_BYTES, rf_get_u32le(entry.ptr));
}
static inline rf_str dyn_entry_value(rf_str entry)
{
    size_t key_end = (size_t)DYN_KEY_HEAD_BYTES + rf_get_u32le(entry.ptr);
    return rf_slice(entry, key_end, entry.len);
}

/* Rewrites the entries of a bag that lie at `items`, `ends[count-1]` bytes of them, so that no key
 * is repeated, and returns the new count; `ends` is rewritten too. *failed is set, and the rest
 * left alone, on lack of memory. */
uint32_t dyn_drop_repeats(uint8_t *items, uint32_t *ends, uint32_t count, bool keep_first,
                          struct rf_arena *arena, bool *failed);

/* Appends a number by its JSON text, which follows the grammar; `whole`: it has neither point nor exponent. False on
 * lack of memory. */
bool dyn_put_number_text(struct rf_buf *buf, rf_str text, bool whole);

#endif
