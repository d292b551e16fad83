#include "kql/geo_measure.h"

#include <math.h>

static const struct geo_point *ring_next(const struct geo_ring *ring, uint32_t i)
{
    return &ring->points[i + 1 < ring->count ? i + 1 : 0];
}

double geo_lines_length(const struct geo_lines *lines)
{
    double length = 0;
    for (uint32_t i = 0; i < lines->count; i++) {
        const struct geo_path *path = &lines->paths[i];
        for (uint32_t k = 1; k < path->count; k++)
            length += geo_angle_between(path->points[k - 1].at, path->points[k].at);
    }
    return length;
}

double geo_area_perimeter(const struct geo_area *area)
{
    double length = 0;
    for (uint32_t i = 0; i < area->count; i++) {
        for (uint32_t r = 0; r < area->polygons[i].ring_count; r++) {
            const struct geo_ring *ring = &area->polygons[i].rings[r];
            for (uint32_t k = 0; k < ring->count; k++)
                length += geo_angle_between(ring->points[k].at, ring_next(ring, k)->at);
        }
    }
    return length;
}

double geo_area_size(const struct geo_area *area)
{
    double size = 0;
    for (uint32_t i = 0; i < area->count; i++)
        for (uint32_t r = 0; r < area->polygons[i].ring_count; r++)
            size += (r == 0 ? 1 : -1) * fabs(geo_ring_area(&area->polygons[i].rings[r]));
    return size;
}

static bool centroid_of(struct geo_vec sum, double least, struct geo_vec *out)
{
    if (!(geo_norm(sum) > least)) return false;
    *out = geo_unit(sum);
    return true;
}

bool geo_lines_centroid(const struct geo_lines *lines, struct geo_vec *out)
{
    struct geo_vec sum = {0, 0, 0};
    for (uint32_t i = 0; i < lines->count; i++) {
        const struct geo_path *path = &lines->paths[i];
        for (uint32_t k = 1; k < path->count; k++) {
            struct geo_vec a = path->points[k - 1].at, b = path->points[k].at;
            /* The integral of position along the arc: its middle times its chord. */
            struct geo_vec middle = geo_unit(geo_add(a, b));
            sum = geo_add(sum, geo_scale(middle, geo_norm(geo_sub(a, b))));
        }
    }
    return centroid_of(sum, 1e-15, out);
}

bool geo_area_centroid(const struct geo_area *area, struct geo_vec *out)
{
    struct geo_vec sum = {0, 0, 0};
    for (uint32_t i = 0; i < area->count; i++) {
        for (uint32_t r = 0; r < area->polygons[i].ring_count; r++) {
            const struct geo_ring *ring = &area->polygons[i].rings[r];
            for (uint32_t k = 0; k < ring->count; k++) {
                struct geo_vec a = ring->points[k].at, b = ring_next(ring, k)->at;
                /* By Stokes, the integral of position over an area is half the sum of its edges'
                 * unit normals, each times the edge's length. */
                double angle = geo_angle_between(a, b);
                double weight = (r == 0 ? 1 : -1) * (angle > 1e-9 ? angle / sin(angle) : 1);
                sum = geo_add(sum, geo_scale(geo_normal(a, b), weight));
            }
        }
    }
    return centroid_of(sum, 1e-18, out);
}

/* ---- nearest points ------------------------------------------------------------------------------- */

struct nearest {
    struct geo_vec at;
    double chord2; /* squared chord length orders like the angle and costs no arc tangent */
};

static void nearer_edge(struct nearest *best, struct geo_vec p, struct geo_vec a, struct geo_vec b)
{
    struct geo_vec at = geo_nearest_on_edge(p, a, b), off = geo_sub(p, at);
    double chord2 = geo_dot(off, off);
    if (chord2 < best->chord2) *best = (struct nearest){at, chord2};
}

struct geo_vec geo_lines_nearest(const struct geo_lines *lines, struct geo_vec p, double *distance)
{
    struct nearest best = {.chord2 = INFINITY};
    for (uint32_t i = 0; i < lines->count; i++)
        for (uint32_t k = 1; k < lines->paths[i].count; k++)
            nearer_edge(&best, p, lines->paths[i].points[k - 1].at, lines->paths[i].points[k].at);
    *distance = geo_angle_between(p, best.at);
    return best.at;
}

struct geo_vec geo_area_nearest(const struct geo_area *area, struct geo_vec p, double *distance)
{
    struct nearest best = {.chord2 = INFINITY};
    *distance = 0;
    if (geo_area_contains(area, p)) return p;
    for (uint32_t i = 0; i < area->count; i++) {
        for (uint32_t r = 0; r < area->polygons[i].ring_count; r++) {
            const struct geo_ring *ring = &area->polygons[i].rings[r];
            for (uint32_t k = 0; k < ring->count; k++)
                nearer_edge(&best, p, ring->points[k].at, ring_next(ring, k)->at);
        }
    }
    *distance = geo_angle_between(p, best.at);
    return best.at;
}

bool geo_area_within(const struct geo_area *area, struct geo_vec p, double radius)
{
    for (uint32_t i = 0; i < area->count; i++) {
        const struct geo_polygon *polygon = &area->polygons[i];
        if (polygon->cap.chord2 < 4 && geo_angle_between(p, polygon->cap.center) >
                                           2 * asin(sqrt(polygon->cap.chord2) / 2) + radius + 1e-12)
            continue;
        struct geo_area one = {.polygons = &area->polygons[i], .count = 1};
        double distance;
        (void)geo_area_nearest(&one, p, &distance);
        if (distance <= radius) return true;
    }
    return false;
}

/* ---- along a line --------------------------------------------------------------------------------- */

static double piece_length(struct geo_vec a, struct geo_vec b, bool spheroid)
{
    if (!spheroid) return geo_angle_between(a, b);
    struct geo_point from = geo_point_at(a), to = geo_point_at(b);
    return geo_spheroid_metres(from.lon, from.lat, to.lon, to.lat);
}

struct geo_vec geo_lines_interpolate(const struct geo_lines *lines, double fraction)
{
    double left = fraction * geo_lines_length(lines);
    const struct geo_path *path = &lines->paths[0];
    if (fraction <= 0) return path->points[0].at;
    for (uint32_t i = 0; i < lines->count; i++) {
        path = &lines->paths[i];
        for (uint32_t k = 1; k < path->count; k++) {
            struct geo_vec a = path->points[k - 1].at, b = path->points[k].at;
            double length = geo_angle_between(a, b);
            if (left < length) return geo_interpolate(a, b, left / length);
            left -= length;
        }
    }
    return path->points[path->count - 1].at;
}

double geo_lines_locate(const struct geo_lines *lines, struct geo_vec p, bool spheroid)
{
    struct nearest best = {.chord2 = INFINITY};
    double before_best = 0, length = 0;
    for (uint32_t i = 0; i < lines->count; i++) {
        const struct geo_path *path = &lines->paths[i];
        for (uint32_t k = 1; k < path->count; k++) {
            struct geo_vec a = path->points[k - 1].at, b = path->points[k].at;
            double was = best.chord2;
            nearer_edge(&best, p, a, b);
            if (best.chord2 < was) before_best = length + piece_length(a, best.at, spheroid);
            length += piece_length(a, b, spheroid);
        }
    }
    return length > 0 ? fmin(1, before_best / length) : 0;
}
