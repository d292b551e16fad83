/* aggr_array.h - growing lists and sets of encoded dynamic values, laid out so that they become an array
 * or a bag by one copy: the elements behind each other and the end offset of each (see dyn.h). Zeroed
 * memory is empty. Memory comes from an arena; false is lack of it, or 4 GiB reached. */
#ifndef RF_AGGR_ARRAY_H
#define RF_AGGR_ARRAY_H

#include "value/dyn.h"

struct aggr_array {
    uint8_t *bytes;
    uint32_t *ends;
    uint32_t used_bytes, cap_bytes;
    uint32_t count, cap;
};
/* Appends any value; a null becomes a JSON null. */
RF_MUST_USE bool aggr_array_add(struct aggr_array *list, const struct value *v,
                                struct rf_arena *arena);
/* Appends what is encoded already. */
RF_MUST_USE bool aggr_array_add_encoded(struct aggr_array *list, rf_str d, struct rf_arena *arena);
static inline rf_str aggr_array_item(const struct aggr_array *list, uint32_t index)
{
    uint32_t from = index == 0 ? 0 : list->ends[index - 1];
    return rf_str_make(list->bytes + from, list->ends[index] - from);
}
/* The first `limit` elements of `from` that fit under `limit` in `into`. */
RF_MUST_USE bool aggr_array_append(struct aggr_array *into, const struct aggr_array *from,
                                   uint64_t limit, struct rf_arena *arena);
/* The whole as a dynamic array (DYN_ARRAY) or, when the elements are bag entries, as a bag (DYN_BAG). */
RF_MUST_USE bool aggr_array_to_dyn(const struct aggr_array *list, enum dyn_tag tag,
                                   struct rf_arena *arena, rf_str *out);

/* A list without repeats, found by hash; order of arrival is kept. */
struct aggr_set {
    struct aggr_array list;
    uint32_t *hashes;
    uint32_t *slots; /* open addressing: index + 1 of an element, 0 is free */
    uint32_t hashes_cap;
    uint8_t slots_log2;
};
/* Adds `v`, whose hash is value_hash's, unless it is there. All values of a set have the same type. */
RF_MUST_USE bool aggr_set_add(struct aggr_set *set, const struct value *v, uint64_t hash,
                              struct rf_arena *arena);
/* The same for encoded values, of mixed types, whose hash is dyn_hash's. */
RF_MUST_USE bool aggr_set_add_dyn(struct aggr_set *set, rf_str d, uint64_t hash,
                                  struct rf_arena *arena);
/* Adds a bag entry unless its key is there; the hash is that of the key. */
RF_MUST_USE bool aggr_set_add_entry(struct aggr_set *set, rf_str key, rf_str value, uint64_t hash,
                                    struct rf_arena *arena);
/* Adds elements of `from` that are not in `into`; stops at `limit`. `kind` says how
 * both were filled: by aggr_set_add, aggr_set_add_dyn or aggr_set_add_entry. */
enum aggr_set_kind { AGGR_SET_TYPED, AGGR_SET_MIXED, AGGR_SET_ENTRIES };
RF_MUST_USE bool aggr_set_merge(struct aggr_set *into, const struct aggr_set *from,
                                enum aggr_set_kind kind, uint64_t limit, struct rf_arena *arena);

#endif
