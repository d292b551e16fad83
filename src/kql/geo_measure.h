/* geo_measure.h - lengths, areas, centroids and nearest points of shapes. Angles are radians and areas
 * steradians; multiply by GEO_EARTH_RADIUS or its square. Parts of a shape that overlap count as often
 * as they occur: unite them first (geo_overlay.h). No function allocates. */
#ifndef RF_GEO_MEASURE_H
#define RF_GEO_MEASURE_H

#include "kql/geo_shape.h"

double geo_lines_length(const struct geo_lines *lines);
double geo_area_perimeter(const struct geo_area *area); /* borders of holes included */
double geo_area_size(const struct geo_area *area);

/* False when the parts balance out, so that there is no centroid. */
bool geo_lines_centroid(const struct geo_lines *lines, struct geo_vec *out);
bool geo_area_centroid(const struct geo_area *area, struct geo_vec *out);

/* The nearest point of the lines, and its distance. */
struct geo_vec geo_lines_nearest(const struct geo_lines *lines, struct geo_vec p, double *distance);
/* The same for an area; a point inside is its own nearest point. */
struct geo_vec geo_area_nearest(const struct geo_area *area, struct geo_vec p, double *distance);
/* True when p is no farther than `radius` from the shape; cheaper than the distance. */
bool geo_area_within(const struct geo_area *area, struct geo_vec p, double radius);

/* The point at `fraction` (0..1) of the length, paths taken one after the other. */
struct geo_vec geo_lines_interpolate(const struct geo_lines *lines, double fraction);
/* The fraction of the length at which the lines are nearest to `p`; lengths on the spheroid or the
 * sphere. */
double geo_lines_locate(const struct geo_lines *lines, struct geo_vec p, bool spheroid);

#endif
