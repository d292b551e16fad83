/* geo_buffer.h - everything within a distance of a shape, as polygons.
 *
 * Rounded corners become straight edges that stay within `tolerance` of the true border. Radius and
 * tolerance are radians, 0 < radius < a quarter of the sphere's circumference, tolerance > 0. Results are
 * allocated in the arena. */
#ifndef RF_GEO_BUFFER_H
#define RF_GEO_BUFFER_H

#include "kql/geo_shape.h"

RF_MUST_USE enum geo_result geo_buffer_point(struct geo_vec center, double radius, double tolerance,
                                             struct rf_arena *arena, struct geo_area *out);
RF_MUST_USE enum geo_result geo_buffer_lines(const struct geo_lines *lines, double radius,
                                             double tolerance, struct rf_arena *arena,
                                             struct geo_area *out);
RF_MUST_USE enum geo_result geo_buffer_area(const struct geo_area *area, double radius,
                                            double tolerance, struct rf_arena *arena,
                                            struct geo_area *out);

#endif
