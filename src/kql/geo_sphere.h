/* geo_sphere.h - points, great circles and distances on the unit sphere, and the WGS-84 spheroid.
 *
 * A point is a unit vector; an edge is the shorter great-circle arc between two points. Lengths are
 * radians unless the name says metres; the earth is a sphere of GEO_EARTH_RADIUS metres. Knows nothing
 * of values, shapes or cells. No function allocates. */
#ifndef RF_GEO_SPHERE_H
#define RF_GEO_SPHERE_H

#include "base/rf.h"

#define GEO_EARTH_RADIUS 6371010.0
#define GEO_PI 3.14159265358979323846
#define GEO_RADIANS (GEO_PI / 180.0)

struct geo_vec {
    double x, y, z;
};

/* A point with the degrees it was read from, so that it prints as it was written. */
struct geo_point {
    struct geo_vec at;
    double lon, lat;
};

static inline struct geo_vec geo_add(struct geo_vec a, struct geo_vec b)
{
    return (struct geo_vec){a.x + b.x, a.y + b.y, a.z + b.z};
}
static inline struct geo_vec geo_sub(struct geo_vec a, struct geo_vec b)
{
    return (struct geo_vec){a.x - b.x, a.y - b.y, a.z - b.z};
}
static inline struct geo_vec geo_scale(struct geo_vec a, double by)
{
    return (struct geo_vec){a.x * by, a.y * by, a.z * by};
}
static inline double geo_dot(struct geo_vec a, struct geo_vec b)
{
    return a.x * b.x + a.y * b.y + a.z * b.z;
}
static inline struct geo_vec geo_cross(struct geo_vec a, struct geo_vec b)
{
    return (struct geo_vec){a.y * b.z - a.z * b.y, a.z * b.x - a.x * b.z, a.x * b.y - a.y * b.x};
}
static inline bool geo_same(struct geo_vec a, struct geo_vec b)
{
    return a.x == b.x && a.y == b.y && a.z == b.z;
}
double geo_norm(struct geo_vec a);
struct geo_vec geo_unit(struct geo_vec a); /* the zero vector stays zero */
/* a x b, times two, precise also when the points are near each other or nearly opposite. */
struct geo_vec geo_normal(struct geo_vec a, struct geo_vec b);
/* Some unit vector at a right angle to `a`; the same for the same `a`. */
struct geo_vec geo_ortho(struct geo_vec a);

/* Finite, longitude in -180..180, latitude in -90..90. */
bool geo_degrees_valid(double lon, double lat);
struct geo_vec geo_from_degrees(double lon, double lat);
struct geo_point geo_point_of(double lon, double lat);
struct geo_point geo_point_at(struct geo_vec at); /* computes the degrees */

double geo_angle_between(struct geo_vec a, struct geo_vec b);
/* The point a fraction `t` of the way from a to b; a and b must not be opposite. */
struct geo_vec geo_interpolate(struct geo_vec a, struct geo_vec b, double t);
/* The point `distance` from `from` in direction `azimuth` (clockwise from north). */
struct geo_vec geo_travel(struct geo_vec from, double azimuth, double distance);
/* Direction of b seen from a, clockwise from north, 0 <= result < 2 pi. False when the points are the
 * same or opposite. */
bool geo_azimuth(struct geo_vec a, struct geo_vec b, double *out);

/* +1 when a, b, c turn to the left (counter-clockwise), -1 to the right; 0 only when two of them are
 * equal. The sign is exact; points on one great circle are told apart by a fixed rule that keeps all
 * answers consistent with each other. */
int geo_turn(struct geo_vec a, struct geo_vec b, struct geo_vec c);
/* True when the turn a-o-c sweeps counter-clockwise over b: a, b, c in that order around o. */
bool geo_ordered_ccw(struct geo_vec a, struct geo_vec b, struct geo_vec c, struct geo_vec o);
/* Edges ab and cd cross at a point interior to both. */
bool geo_edges_cross(struct geo_vec a, struct geo_vec b, struct geo_vec c, struct geo_vec d);
/* For parity tests: a crossing in the interior, or at a shared end in the half-open sense that makes
 * areas that share a border cover each point once. */
bool geo_edges_cross_parity(struct geo_vec a, struct geo_vec b, struct geo_vec c, struct geo_vec d);
/* Where the edges, which cross, meet. */
struct geo_vec geo_edges_meet(struct geo_vec a, struct geo_vec b, struct geo_vec c,
                              struct geo_vec d);

struct geo_vec geo_nearest_on_edge(struct geo_vec p, struct geo_vec a, struct geo_vec b);
double geo_distance_to_edge(struct geo_vec p, struct geo_vec a, struct geo_vec b);
/* Distance of two edges, 0 when they meet. */
double geo_edge_distance(struct geo_vec a, struct geo_vec b, struct geo_vec c, struct geo_vec d);
/* Signed area (steradians) of the triangle, positive when counter-clockwise. */
double geo_triangle_area(struct geo_vec a, struct geo_vec b, struct geo_vec c);

/* Metres along the WGS-84 spheroid; for nearly opposite points, where the iteration does not settle,
 * the sphere's distance. Degrees must be valid. */
double geo_spheroid_metres(double lon1, double lat1, double lon2, double lat2);

#endif
