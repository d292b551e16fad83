/* geo_refine.h - more points on a shape's edges, or fewer.
 *
 * Densify takes edges as they are drawn on a map of longitude and latitude and adds points until the
 * great circles between them stay within a tolerance of that drawing. Simplify leaves out points as
 * long as the line stays within a tolerance (Douglas and Peucker) and no two points are nearer to each
 * other along the line. Tolerances are radians. Results are allocated in the arena. */
#ifndef RF_GEO_REFINE_H
#define RF_GEO_REFINE_H

#include "kql/geo_shape.h"

/* `keep_crossing`: an edge over more than 180 degrees of longitude is taken the short way round, across
 * the antimeridian; otherwise as drawn. */
RF_MUST_USE enum geo_result geo_densify_lines(const struct geo_lines *lines, double tolerance,
                                              bool keep_crossing, struct rf_arena *arena,
                                              struct geo_lines *out);
RF_MUST_USE enum geo_result geo_densify_area(const struct geo_area *area, double tolerance,
                                             bool keep_crossing, struct rf_arena *arena,
                                             struct geo_area *out);

/* Parts that shrink to nothing are left out; GEO_BAD when all do. */
RF_MUST_USE enum geo_result geo_simplify_lines(const struct geo_lines *lines, double tolerance,
                                               struct rf_arena *arena, struct geo_lines *out);
RF_MUST_USE enum geo_result geo_simplify_area(const struct geo_area *area, double tolerance,
                                              struct rf_arena *arena, struct geo_area *out);

#endif
