#include <math.h>

#include "kql/geo_buffer.h"
#include "kql/geo_cover.h"
#include "kql/geo_measure.h"
#include "kql/geo_refine.h"
#include "test/rf_fuzz.h"

#include "kql/geo_overlay.h"

static struct geo_point point_from(const uint8_t *bytes)
{
    /* A coarse grid, so that points coincide and edges overlap often. */
    return geo_point_of(bytes[0] % 40 - 20, bytes[1] % 40 - 20);
}

static bool area_from(rf_str text, struct rf_arena *arena, struct geo_area *out)
{
    struct rf_buf buf = rf_buf_in(arena);
    struct dyn_builder bag, rings, ring;
    if (text.len < 6) return false;
    dyn_begin(&bag, &buf, DYN_BAG);
    dyn_key(&bag, RF_S("type"));
    dyn_put_string(&buf, RF_S("Polygon"));
    dyn_key(&bag, RF_S("coordinates"));
    dyn_begin(&rings, &buf, DYN_ARRAY);
    dyn_next(&rings);
    dyn_begin(&ring, &buf, DYN_ARRAY);
    for (size_t i = 0; i <= text.len / 2; i++) {
        struct geo_point p = point_from(text.ptr + (i == text.len / 2 ? 0 : 2 * i));
        dyn_next(&ring);
        geo_put_position(&buf, p.lon, p.lat);
    }
    dyn_end(&ring);
    dyn_end(&rings);
    dyn_end(&bag);
    return !buf.failed && geo_area_read(dyn_done(&buf), arena, out) == GEO_OK;
}

/* Two polygons of any shape: what they have in common and what they cover together have the areas of
 * the two in all. */
RF_FUZZ(geo_overlay, text)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 1u << 26);
    struct geo_area a, b, united, both, other;
    struct geo_mix common;
    struct geo_polygon pair[2];
    uint64_t *cells;
    uint32_t count = 0, edge_count;
    if (text.len > 64 || !area_from(rf_slice(text, 0, text.len / 2), &arena, &a)) return;
    if (!area_from(rf_slice(text, text.len / 2, text.len), &arena, &b)) return;
    pair[0] = a.polygons[0];
    pair[1] = b.polygons[0];
    both = (struct geo_area){.polygons = pair, .count = 2};
    if (geo_unite_area(&both, &arena, &united) != GEO_OK) return;
    if (geo_intersect_areas(&a, &b, &arena, &common) != GEO_OK) return;
    double apart = geo_area_size(&both), together = geo_area_size(&united);
    RF_ASSERT(fabs(apart - together - geo_area_size(&common.area)) < 1e-9);
    if (geo_buffer_area(&a, 0.01, 0.001, &arena, &other) == GEO_OK)
        RF_ASSERT(geo_area_size(&other) > geo_area_size(&a));
    if (geo_simplify_area(&a, 0.01, &arena, &other) == GEO_OK) RF_ASSERT(other.count == 1);
    const struct geo_edge *edges = geo_area_edges(&a, &arena, &edge_count);
    if (edges != NULL &&
        geo_cover(&a, edges, edge_count, 0, 4, NULL, &arena, &cells, &count) == GEO_OK)
        RF_ASSERT(count > 0);
}
