#include "kql/geo_buffer.h"

#include <math.h>

#include "kql/geo_overlay.h"

/* The buffer is the union of a disc around every point and a strip along every edge. */
struct builder {
    struct rf_arena *arena;
    double radius, tolerance;
    uint32_t sides; /* of a disc */
    struct geo_polygon *polygons;
    uint32_t count;
};

static bool builder_init(struct builder *build, double radius, double tolerance, size_t room,
                         struct rf_arena *arena)
{
    *build = (struct builder){.arena = arena, .radius = radius, .tolerance = tolerance};
    /* The middle of a side is nearer to the centre: tan(near) = tan(radius) cos(half its angle). */
    double half = acos(tan(fmax(0, radius - tolerance)) / tan(radius));
    build->sides = (uint32_t)fmax(8, fmin(1e5, ceil(GEO_PI / half)));
    build->polygons = rf_arena_new(arena, struct geo_polygon, room);
    return build->polygons != NULL;
}

static enum geo_result add_polygon(struct builder *build, struct geo_point *points, uint32_t count)
{
    struct geo_polygon *polygon = &build->polygons[build->count];
    polygon->rings = rf_arena_new(build->arena, struct geo_ring, 1);
    if (polygon->rings == NULL) return GEO_NO_MEMORY;
    polygon->ring_count = 1;
    polygon->rings[0] = (struct geo_ring){.points = points, .count = count};
    enum geo_result result = geo_ring_init(&polygon->rings[0], build->arena);
    if (result != GEO_OK) return result;
    geo_polygon_bound(polygon);
    build->count++;
    return GEO_OK;
}

static enum geo_result add_disc(struct builder *build, struct geo_vec center)
{
    struct geo_point *points = rf_arena_raw(build->arena, struct geo_point, build->sides);
    if (points == NULL) return GEO_NO_MEMORY;
    for (uint32_t i = 0; i < build->sides; i++) {
        double azimuth = -2 * GEO_PI * i / build->sides;
        points[i] = geo_point_at(geo_travel(center, azimuth, build->radius));
    }
    return add_polygon(build, points, build->sides);
}

static struct geo_point beside(struct geo_vec at, struct geo_vec normal, double radius)
{
    return geo_point_at(
        geo_unit(geo_add(geo_scale(at, cos(radius)), geo_scale(normal, sin(radius)))));
}

static enum geo_result add_strip(struct builder *build, struct geo_vec a, struct geo_vec b)
{
    /* Between two points beside the edge the great circle swings out: tan(far) = tan(radius) /
     * cos(half the angle between them). */
    double half = acos(tan(build->radius) / tan(build->radius + build->tolerance));
    double length = geo_angle_between(a, b);
    if (!(half > 1e-6)) half = 1e-6;
    uint32_t parts = (uint32_t)fmin(1e5, ceil(length / (2 * half)));
    if (parts == 0) parts = 1;
    uint32_t count = 2 * (parts + 1);
    struct geo_vec normal = geo_unit(geo_normal(a, b));
    struct geo_point *points = rf_arena_raw(build->arena, struct geo_point, count);
    if (points == NULL) return GEO_NO_MEMORY;
    for (uint32_t i = 0; i <= parts; i++) {
        struct geo_vec at = geo_interpolate(a, b, (double)i / parts);
        points[i] = beside(at, normal, -build->radius);
        points[count - 1 - i] = beside(at, normal, build->radius);
    }
    return add_polygon(build, points, count);
}

static enum geo_result add_edges(struct builder *build, const struct geo_edge *edges,
                                 uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        /* Edges come in chains, so the disc at an end is mostly that of the next edge's start. */
        enum geo_result result = add_disc(build, edges[i].a);
        if (result == GEO_OK) result = add_strip(build, edges[i].a, edges[i].b);
        bool chain_ends = i + 1 == count || !geo_same(edges[i].b, edges[i + 1].a);
        if (result == GEO_OK && chain_ends) result = add_disc(build, edges[i].b);
        if (result != GEO_OK) return result;
    }
    return GEO_OK;
}

static enum geo_result unite(struct builder *build, struct rf_arena *arena, struct geo_area *out)
{
    struct geo_area parts = {.polygons = build->polygons, .count = build->count};
    return geo_unite_area(&parts, arena, out);
}

enum geo_result geo_buffer_point(struct geo_vec center, double radius, double tolerance,
                                 struct rf_arena *arena, struct geo_area *out)
{
    struct builder build;
    if (!builder_init(&build, radius, tolerance, 1, arena)) return GEO_NO_MEMORY;
    enum geo_result result = add_disc(&build, center);
    *out = (struct geo_area){.polygons = build.polygons, .count = build.count};
    return result;
}

enum geo_result geo_buffer_lines(const struct geo_lines *lines, double radius, double tolerance,
                                 struct rf_arena *arena, struct geo_area *out)
{
    struct builder build;
    uint32_t count = 0;
    const struct geo_edge *edges = geo_lines_edges(lines, arena, &count);
    if (edges == NULL || !builder_init(&build, radius, tolerance, (size_t)count * 3, arena))
        return GEO_NO_MEMORY;
    enum geo_result result = add_edges(&build, edges, count);
    return result == GEO_OK ? unite(&build, arena, out) : result;
}

enum geo_result geo_buffer_area(const struct geo_area *area, double radius, double tolerance,
                                struct rf_arena *arena, struct geo_area *out)
{
    struct builder build;
    uint32_t count = 0;
    const struct geo_edge *edges = geo_area_edges(area, arena, &count);
    if (edges == NULL ||
        !builder_init(&build, radius, tolerance, (size_t)count * 3 + area->count, arena))
        return GEO_NO_MEMORY;
    memcpy(build.polygons, area->polygons, area->count * sizeof *area->polygons);
    build.count = area->count;
    enum geo_result result = add_edges(&build, edges, count);
    return result == GEO_OK ? unite(&build, arena, out) : result;
}
