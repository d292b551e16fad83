/* key_map.h - numbers for tuples of values: the first tuple is 0, a new one gets the next number.
 * Equality is that of grouping: nulls equal each other. */
#ifndef RF_KEY_MAP_H
#define RF_KEY_MAP_H

#include "value/value.h"

enum { KEY_MAP_NONE = UINT32_MAX };

struct key_map {
    struct rf_arena *arena; /* keeps the map; values are views and must live as long */
    uint32_t width;
    struct value *keys; /* tuple n is keys[n * width ..] */
    uint64_t *hashes;
    uint32_t *slots; /* number + 1, 0 is free; twice as many as `cap` */
    uint32_t count, cap;
};
static inline struct key_map key_map_in(struct rf_arena *arena, uint32_t width)
{
    return (struct key_map){.arena = arena, .width = width};
}
/* The tuple's number, or KEY_MAP_NONE. */
uint32_t key_map_find(const struct key_map *map, const struct value *keys);
/* The same, but an unknown tuple is added; KEY_MAP_NONE on lack of memory. */
uint32_t key_map_add(struct key_map *map, const struct value *keys);

#endif
