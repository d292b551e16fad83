/* geo_overlay.h - what shapes have in common, and what they cover together.
 *
 * All edges are cut where they meet, so that what is left are pieces that touch at their ends only; each
 * piece is kept or dropped by what lies to its left and right, and the kept ones are joined to rings and
 * lines again. Points nearer than GEO_SNAP become one. Areas above a hemisphere are not supported.
 * Shapes are closed here: what only touches has the touching points and lines in common. Results are
 * allocated in the arena.
 *
 * Cost: O(n log n) for edges that meet few others, plus for each piece a look at the areas near it. */
#ifndef RF_GEO_OVERLAY_H
#define RF_GEO_OVERLAY_H

#include "kql/geo_shape.h"

#define GEO_SNAP 1e-14 /* radians; 64 nanometres on the earth */

/* A mixture of points, lines and polygons; any of them may be missing (count 0). */
struct geo_mix {
    struct geo_point *points;
    uint32_t point_count;
    struct geo_lines lines;
    struct geo_area area;
};

RF_MUST_USE enum geo_result geo_intersect_areas(const struct geo_area *a, const struct geo_area *b,
                                                struct rf_arena *arena, struct geo_mix *out);
RF_MUST_USE enum geo_result geo_intersect_lines_area(const struct geo_lines *lines,
                                                     const struct geo_area *area,
                                                     struct rf_arena *arena, struct geo_mix *out);
RF_MUST_USE enum geo_result geo_intersect_lines(const struct geo_lines *a,
                                                const struct geo_lines *b, struct rf_arena *arena,
                                                struct geo_mix *out);
/* The union of all polygons of an area, which may overlap. */
RF_MUST_USE enum geo_result geo_unite_area(const struct geo_area *area, struct rf_arena *arena,
                                           struct geo_area *out);
/* All lines, each stretch once, joined where just two meet. */
RF_MUST_USE enum geo_result geo_unite_lines(const struct geo_lines *lines, struct rf_arena *arena,
                                            struct geo_lines *out);

/* Do they have a point in common? Cheaper than the intersection. */
RF_MUST_USE enum geo_result geo_areas_meet(const struct geo_area *a, const struct geo_area *b,
                                           struct rf_arena *arena, bool *out);
RF_MUST_USE enum geo_result geo_lines_meet_area(const struct geo_lines *lines,
                                                const struct geo_area *area, struct rf_arena *arena,
                                                bool *out);
RF_MUST_USE enum geo_result geo_lines_meet(const struct geo_lines *a, const struct geo_lines *b,
                                           struct rf_arena *arena, bool *out);

#endif
