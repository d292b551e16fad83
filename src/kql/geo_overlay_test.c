#include <math.h>

#include "kql/geo_measure.h"
#include "kql/geo_overlay.h"
#include "test/rf_prop.h"

/* A star around a place near the origin; every few points lie on a grid that other stars share. */
static struct geo_area some_star(struct rf_prng *prng, struct rf_arena *arena)
{
    uint32_t count = 3 + (uint32_t)rf_test_below(prng, 3 + prng->size / 4);
    struct geo_polygon *polygon = rf_arena_new(arena, struct geo_polygon, 1);
    struct geo_ring *ring = rf_arena_new(arena, struct geo_ring, 1);
    struct geo_point *points = rf_arena_new(arena, struct geo_point, count);
    double lon = (double)rf_test_below(prng, 10), lat = (double)rf_test_below(prng, 10);
    for (uint32_t i = 0; i < count; i++) {
        double reach = 1 + (double)rf_test_below(prng, 5), angle = 2 * GEO_PI * i / count;
        double x = lon + reach * cos(angle), y = lat + reach * sin(angle);
        bool snap = rf_test_bool(prng);
        points[i] = geo_point_of(snap ? round(x) : x, snap ? round(y) : y);
    }
    *ring = (struct geo_ring){.points = points, .count = count};
    *polygon = (struct geo_polygon){.rings = ring, .ring_count = 1};
    if (geo_ring_init(ring, arena) != GEO_OK) return (struct geo_area){.count = 0};
    geo_polygon_bound(polygon);
    return (struct geo_area){.polygons = polygon, .count = 1};
}

static bool crosses_itself(const struct geo_area *area)
{
    const struct geo_ring *ring = &area->polygons[0].rings[0];
    for (uint32_t i = 0; i < ring->count; i++)
        for (uint32_t k = i + 1; k < ring->count; k++)
            if (geo_edges_cross(ring->points[i].at, ring->points[(i + 1) % ring->count].at,
                                ring->points[k].at, ring->points[(k + 1) % ring->count].at))
                return true;
    return false;
}

/* Intersection and union have the areas of the two shapes in all, and points agree. */
RF_PROP(geo_overlay_keeps_area, 3000)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 1u << 24);
    struct geo_area a = some_star(prng, &arena), b = some_star(prng, &arena), united;
    struct geo_mix common;
    if (a.count == 0 || b.count == 0 || crosses_itself(&a) || crosses_itself(&b)) return;
    struct geo_polygon pair[2] = {a.polygons[0], b.polygons[0]};
    struct geo_area both = {.polygons = pair, .count = 2};
    cr_assert(geo_unite_area(&both, &arena, &united) == GEO_OK);
    cr_assert(geo_intersect_areas(&a, &b, &arena, &common) == GEO_OK);
    double lost = geo_area_size(&both) - geo_area_size(&united) - geo_area_size(&common.area);
    cr_assert(fabs(lost) < 1e-12, "%g", lost);
    for (int i = 0; i < 20; i++) {
        struct geo_vec p = geo_from_degrees((double)rf_test_below(prng, 1600) / 100 - 3.003,
                                            (double)rf_test_below(prng, 1600) / 100 - 3.007);
        bool in_a = geo_area_contains(&a, p), in_b = geo_area_contains(&b, p);
        cr_assert(geo_area_contains(&united, p) == (in_a || in_b));
        cr_assert(geo_area_contains(&common.area, p) == (in_a && in_b));
    }
    bool meet;
    cr_assert(geo_areas_meet(&a, &b, &arena, &meet) == GEO_OK);
    cr_assert(meet == (common.area.count + common.lines.count + common.point_count > 0));
}

/* Without memory every step says so, and none reads what it did not get. */
RF_PROP(geo_overlay_without_memory, 200)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena, little;
    rf_arena_init(&arena, 1u << 24);
    rf_arena_init(&little, rf_test_below(prng, 20000));
    struct geo_area a = some_star(prng, &arena), b = some_star(prng, &arena);
    struct geo_mix common;
    if (a.count == 0 || b.count == 0) return;
    enum geo_result result = geo_intersect_areas(&a, &b, &little, &common);
    cr_assert(result == GEO_OK || result == GEO_NO_MEMORY);
}
