/* geo_cover.h - the S2 or H3 cells of one level that a shape touches. */
#ifndef RF_GEO_COVER_H
#define RF_GEO_COVER_H

#include <stdatomic.h>

#include "kql/geo_shape.h"

enum { GEO_COVER_MAX = 65536 }; /* cells of a covering at most */

/* Cells at `level` (0..30) that come within `radius` (radians, 0 for the shape itself) of the edges or,
 * when `area` is not NULL, of its inside. `edges` are those of the lines or the area. In the order of
 * their ids. GEO_BAD when there are more than GEO_COVER_MAX, GEO_STOPPED soon after *stop is set (it may
 * be NULL). */
RF_MUST_USE enum geo_result geo_cover(const struct geo_area *area, const struct geo_edge *edges,
                                      uint32_t edge_count, double radius, int level,
                                      const atomic_bool *stop, struct rf_arena *arena,
                                      uint64_t **cells, uint32_t *count);
/* The same for an area and H3 cells of a resolution of 0..15, nearest to the first corner first. */
RF_MUST_USE enum geo_result geo_cover_h3(const struct geo_area *area, const struct geo_edge *edges,
                                         uint32_t edge_count, double radius, int resolution,
                                         const atomic_bool *stop, struct rf_arena *arena,
                                         uint64_t **cells, uint32_t *count);
static inline bool geo_stopped(const atomic_bool *stop)
{
    return stop != NULL && atomic_load_explicit(stop, memory_order_relaxed);
}

#endif
