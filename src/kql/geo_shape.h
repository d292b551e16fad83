/* geo_shape.h - lines and areas on the sphere: GeoJSON in, GeoJSON out, and whether a point is inside.
 *
 * A line string is two or more points. A polygon is a shell and holes; of the two sides of a ring the
 * smaller one counts as its inside, whichever way its points go round. An area is one or more polygons,
 * which may overlap (a GeoJSON MultiPolygon is taken as their union). Everything read here is allocated
 * in the arena given, and shapes are only views of it. */
#ifndef RF_GEO_SHAPE_H
#define RF_GEO_SHAPE_H

#include "kql/geo_edges.h"
#include "value/dyn.h"

/* A cap that holds a shape; radius in chord length squared, 4 for the whole sphere. */
struct geo_cap {
    struct geo_vec center;
    double chord2;
};

struct geo_path {
    struct geo_point *points;
    uint32_t count; /* at least 2; neighbours differ and are not opposite */
};
struct geo_lines {
    struct geo_path *paths;
    uint32_t count; /* 0 is no line at all */
};

struct geo_ring {
    struct geo_point
        *points;        /* counter-clockwise around the smaller side; the first is not repeated */
    uint32_t count;     /* at least 3 */
    bool origin_inside; /* is the fixed point that parity is counted from inside? */
};
struct geo_polygon {
    struct geo_ring *rings; /* the shell, then holes */
    uint32_t ring_count;
    struct geo_cap cap;
};
struct geo_area {
    struct geo_polygon *polygons;
    uint32_t count; /* 0 is the empty area */
};

/* GEO_BAD: no LineString or MultiLineString, or a bad coordinate, or fewer than two distinct points. */
RF_MUST_USE enum geo_result geo_lines_read(rf_str dynamic, struct rf_arena *arena,
                                           struct geo_lines *out);
/* GEO_BAD: no Polygon or MultiPolygon, a ring that is not closed, has fewer than three points, visits
 * a point twice, crosses itself or another ring of its polygon. */
RF_MUST_USE enum geo_result geo_area_read(rf_str dynamic, struct rf_arena *arena,
                                          struct geo_area *out);
/* Reads a GeoJSON array of such shapes into one. A null array or element is GEO_BAD. */
RF_MUST_USE enum geo_result geo_lines_array_read(rf_str array, struct rf_arena *arena,
                                                 struct geo_lines *out);
RF_MUST_USE enum geo_result geo_area_array_read(rf_str array, struct rf_arena *arena,
                                                struct geo_area *out);

/* Turns the ring so that its smaller side is on the left and finds out where the origin lies. GEO_BAD
 * when fewer than three points are left, two are equal or opposite neighbours. */
RF_MUST_USE enum geo_result geo_ring_init(struct geo_ring *ring, struct rf_arena *arena);
/* Signed area in steradians of the side to the left, between -2 pi and 2 pi. */
double geo_ring_area(const struct geo_ring *ring);
/* Fills the cap of a polygon whose rings are set. */
void geo_polygon_bound(struct geo_polygon *polygon);

/* Half-open: of two areas that share a border, only one holds a point on it. */
bool geo_ring_contains(const struct geo_ring *ring, struct geo_vec p);
bool geo_polygon_contains(const struct geo_polygon *polygon, struct geo_vec p);
bool geo_area_contains(const struct geo_area *area, struct geo_vec p);
static inline bool geo_cap_contains(const struct geo_cap *cap, struct geo_vec p)
{
    struct geo_vec off = geo_sub(p, cap->center);
    return geo_dot(off, off) <= cap->chord2;
}

/* ---- walking the edges ---------------------------------------------------------------------------- */

/* All edges of a shape as an array; NULL on lack of memory. The polygon's inside is on the left of its
 * edges, also along holes. */
struct geo_edge *geo_lines_edges(const struct geo_lines *lines, struct rf_arena *arena,
                                 uint32_t *count);
struct geo_edge *geo_area_edges(const struct geo_area *area, struct rf_arena *arena,
                                uint32_t *count);

/* ---- GeoJSON -------------------------------------------------------------------------------------- */

/* [longitude, latitude]; whole degrees are written as whole numbers. */
void geo_put_position(struct rf_buf *buf, double lon, double lat);
void geo_put_point(struct rf_buf *buf, const struct geo_point *point);
/* LineString or, for several, MultiLineString. */
void geo_put_lines(struct rf_buf *buf, const struct geo_lines *lines);
/* Polygon or, for several, MultiPolygon. */
void geo_put_area(struct rf_buf *buf, const struct geo_area *area);
/* What there is of points, lines and polygons: one geometry, or a GeometryCollection of several kinds,
 * or an empty one. */
void geo_put_mixed(struct rf_buf *buf, const struct geo_point *points, uint32_t point_count,
                   const struct geo_lines *lines, const struct geo_area *area);

#endif
