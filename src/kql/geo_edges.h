/* geo_edges.h - which of many edges may meet: pairs whose boxes touch, found by sorting and sweeping.
 *
 * Cost: O(n log n) plus the pairs whose ranges on the best axis overlap. */
#ifndef RF_GEO_EDGES_H
#define RF_GEO_EDGES_H

#include "kql/geo_sphere.h"

/* GEO_STOPPED: the query is to end. */
enum geo_result { GEO_OK, GEO_BAD, GEO_NO_MEMORY, GEO_STOPPED };

struct geo_edge {
    struct geo_vec a, b;
};

/* Called for edges `first` < `second`; false stops the search. */
typedef bool geo_pair_fn(void *state, uint32_t first, uint32_t second);

/* Calls `pair` once for each two edges whose boxes, widened by `slack`, touch. Scratch memory comes
 * from `arena`. *stopped tells whether `pair` ended it. False on lack of memory. */
bool geo_edge_pairs(const struct geo_edge *edges, uint32_t count, double slack,
                    struct rf_arena *arena, geo_pair_fn *pair, void *state, bool *stopped);

#endif
