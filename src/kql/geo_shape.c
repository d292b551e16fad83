#include "kql/geo_shape.h"

#include <math.h>
#include <stdlib.h>

/* ---- reading -------------------------------------------------------------------------------------- */

static bool read_position(rf_str item, struct geo_point *out)
{
    if (dyn_tag(item) != DYN_ARRAY || dyn_count(item) < 2) return false;
    rf_str lon = dyn_item(item, 0), lat = dyn_item(item, 1);
    if (!dyn_is_number(lon) || !dyn_is_number(lat)) return false;
    double x = dyn_real(lon), y = dyn_real(lat);
    if (!geo_degrees_valid(x, y)) return false;
    *out = geo_point_of(x, y);
    return true;
}

static bool opposite(struct geo_vec a, struct geo_vec b) { return geo_norm(geo_add(a, b)) < 1e-15; }

static enum geo_result read_positions(rf_str array, struct rf_arena *arena,
                                      struct geo_point **points, uint32_t *count)
{
    if (dyn_tag(array) != DYN_ARRAY) return GEO_BAD;
    uint32_t room = dyn_count(array);
    *points = rf_arena_raw(arena, struct geo_point, room);
    if (*points == NULL) return GEO_NO_MEMORY;
    for (uint32_t i = 0; i < room; i++)
        if (!read_position(dyn_item(array, i), &(*points)[i])) return GEO_BAD;
    *count = room;
    return GEO_OK;
}

static enum geo_result read_path(rf_str array, struct rf_arena *arena, struct geo_path *out)
{
    uint32_t read = 0, kept = 0;
    enum geo_result result = read_positions(array, arena, &out->points, &read);
    if (result != GEO_OK) return result;
    for (uint32_t i = 0; i < read; i++) {
        struct geo_point point = out->points[i];
        if (kept > 0 && geo_same(out->points[kept - 1].at, point.at)) continue;
        if (kept > 0 && opposite(out->points[kept - 1].at, point.at)) return GEO_BAD;
        out->points[kept++] = point;
    }
    out->count = kept;
    return kept >= 2 ? GEO_OK : GEO_BAD;
}

static enum geo_result read_ring(rf_str array, struct rf_arena *arena, struct geo_ring *out)
{
    enum geo_result result = read_positions(array, arena, &out->points, &out->count);
    if (result != GEO_OK) return result;
    if (out->count < 4) return GEO_BAD;
    if (!geo_same(out->points[0].at, out->points[out->count - 1].at)) return GEO_BAD;
    out->count--;
    return geo_ring_init(out, arena);
}

struct cross_check {
    const struct geo_edge *edges;
};

static bool no_crossing(void *state, uint32_t first, uint32_t second)
{
    const struct geo_edge *edges = ((const struct cross_check *)state)->edges;
    const struct geo_edge *e = &edges[first], *f = &edges[second];
    return !geo_edges_cross(e->a, e->b, f->a, f->b);
}

static enum geo_result check_crossings(const struct geo_polygon *polygon, struct rf_arena *arena)
{
    struct geo_polygon copy = *polygon;
    struct geo_area area = {.polygons = &copy, .count = 1};
    uint32_t count;
    struct cross_check check = {.edges = geo_area_edges(&area, arena, &count)};
    bool crossing;
    if (check.edges == NULL ||
        !geo_edge_pairs(check.edges, count, 0, arena, no_crossing, &check, &crossing))
        return GEO_NO_MEMORY;
    return crossing ? GEO_BAD : GEO_OK;
}

static enum geo_result read_polygon(rf_str array, struct rf_arena *arena, struct geo_polygon *out)
{
    if (dyn_tag(array) != DYN_ARRAY || dyn_count(array) == 0) return GEO_BAD;
    out->ring_count = dyn_count(array);
    out->rings = rf_arena_new(arena, struct geo_ring, out->ring_count);
    if (out->rings == NULL) return GEO_NO_MEMORY;
    for (uint32_t i = 0; i < out->ring_count; i++) {
        enum geo_result result = read_ring(dyn_item(array, i), arena, &out->rings[i]);
        if (result != GEO_OK) return result;
    }
    geo_polygon_bound(out);
    return check_crossings(out, arena);
}

/* Lists what "coordinates" holds, whether one shape or several: the item itself, or its elements. */
static enum geo_result find_parts(rf_str dynamic, const char *single, const char *multi,
                                  rf_str *coordinates, uint32_t *count, bool *several)
{
    if (dyn_tag(dynamic) != DYN_BAG) return GEO_BAD;
    rf_str type = dyn_string(dyn_get(dynamic, RF_S("type")));
    *coordinates = dyn_get(dynamic, RF_S("coordinates"));
    *several = rf_str_is(type, multi);
    if (dyn_tag(*coordinates) != DYN_ARRAY) return GEO_BAD;
    if (!*several && !rf_str_is(type, single)) return GEO_BAD;
    *count = *several ? dyn_count(*coordinates) : 1;
    return *count > 0 ? GEO_OK : GEO_BAD;
}

enum geo_result geo_lines_read(rf_str dynamic, struct rf_arena *arena, struct geo_lines *out)
{
    rf_str coordinates;
    bool several;
    uint32_t count = 0;
    enum geo_result result =
        find_parts(dynamic, "LineString", "MultiLineString", &coordinates, &count, &several);
    if (result != GEO_OK) return result;
    struct geo_path *paths = rf_arena_new(arena, struct geo_path, count);
    if (paths == NULL) return GEO_NO_MEMORY;
    for (uint32_t i = 0; i < count && result == GEO_OK; i++)
        result = read_path(several ? dyn_item(coordinates, i) : coordinates, arena, &paths[i]);
    *out = (struct geo_lines){.paths = paths, .count = count};
    return result;
}

enum geo_result geo_area_read(rf_str dynamic, struct rf_arena *arena, struct geo_area *out)
{
    rf_str coordinates;
    bool several;
    uint32_t count = 0;
    enum geo_result result =
        find_parts(dynamic, "Polygon", "MultiPolygon", &coordinates, &count, &several);
    if (result != GEO_OK) return result;
    struct geo_polygon *polygons = rf_arena_new(arena, struct geo_polygon, count);
    if (polygons == NULL) return GEO_NO_MEMORY;
    for (uint32_t i = 0; i < count && result == GEO_OK; i++)
        result =
            read_polygon(several ? dyn_item(coordinates, i) : coordinates, arena, &polygons[i]);
    *out = (struct geo_area){.polygons = polygons, .count = count};
    return result;
}

enum geo_result geo_lines_array_read(rf_str array, struct rf_arena *arena, struct geo_lines *out)
{
    if (dyn_tag(array) != DYN_ARRAY || dyn_count(array) == 0) return GEO_BAD;
    uint32_t items = dyn_count(array), count = 0;
    struct geo_lines *each = rf_arena_new(arena, struct geo_lines, items);
    if (each == NULL) return GEO_NO_MEMORY;
    for (uint32_t i = 0; i < items; i++) {
        enum geo_result result = geo_lines_read(dyn_item(array, i), arena, &each[i]);
        if (result != GEO_OK) return result;
        count += each[i].count;
    }
    *out = (struct geo_lines){.paths = rf_arena_new(arena, struct geo_path, count)};
    if (out->paths == NULL) return GEO_NO_MEMORY;
    for (uint32_t i = 0; i < items; i++)
        for (uint32_t k = 0; k < each[i].count; k++) out->paths[out->count++] = each[i].paths[k];
    return GEO_OK;
}

enum geo_result geo_area_array_read(rf_str array, struct rf_arena *arena, struct geo_area *out)
{
    if (dyn_tag(array) != DYN_ARRAY || dyn_count(array) == 0) return GEO_BAD;
    uint32_t items = dyn_count(array), count = 0;
    struct geo_area *each = rf_arena_new(arena, struct geo_area, items);
    if (each == NULL) return GEO_NO_MEMORY;
    for (uint32_t i = 0; i < items; i++) {
        enum geo_result result = geo_area_read(dyn_item(array, i), arena, &each[i]);
        if (result != GEO_OK) return result;
        count += each[i].count;
    }
    *out = (struct geo_area){.polygons = rf_arena_new(arena, struct geo_polygon, count)};
    if (out->polygons == NULL) return GEO_NO_MEMORY;
    for (uint32_t i = 0; i < items; i++)
        for (uint32_t k = 0; k < each[i].count; k++)
            out->polygons[out->count++] = each[i].polygons[k];
    return GEO_OK;
}

/* ---- rings ---------------------------------------------------------------------------------------- */

/* Parity is counted along the edge from here to the point asked for. Any point would do; this one is
 * in the Arctic Ocean, where borders are rare. */
static struct geo_vec parity_origin(void)
{
    return (struct geo_vec){0.0123456, -0.0345678, 0.9993260996110328};
}

double geo_ring_area(const struct geo_ring *ring)
{
    struct geo_vec apex = {0, 0, 0};
    for (uint32_t i = 0; i < ring->count; i++) apex = geo_add(apex, ring->points[i].at);
    apex = geo_norm(apex) > 1e-9 ? geo_unit(apex) : ring->points[0].at;
    double area = 0;
    for (uint32_t i = 0; i < ring->count; i++)
        area += geo_triangle_area(apex, ring->points[i].at,
                                  ring->points[i + 1 < ring->count ? i + 1 : 0].at);
    /* Triangles may wrap round the sphere, so the sum is known up to whole spheres. */
    return remainder(area, 4 * GEO_PI);
}

static int by_place(const void *a, const void *b)
{
    const struct geo_vec *p = a, *q = b;
    if (p->x != q->x) return p->x < q->x ? -1 : 1;
    if (p->y != q->y) return p->y < q->y ? -1 : 1;
    return p->z == q->z ? 0 : p->z < q->z ? -1 : 1;
}

static enum geo_result check_points(const struct geo_ring *ring, struct rf_arena *arena)
{
    if (ring->count < 3) return GEO_BAD;
    struct geo_vec *sorted = rf_arena_raw(arena, struct geo_vec, ring->count);
    if (sorted == NULL) return GEO_NO_MEMORY;
    for (uint32_t i = 0; i < ring->count; i++) {
        sorted[i] = ring->points[i].at;
        if (opposite(sorted[i], ring->points[i + 1 < ring->count ? i + 1 : 0].at)) return GEO_BAD;
    }
    qsort(sorted, ring->count, sizeof *sorted, by_place);
    for (uint32_t i = 1; i < ring->count; i++)
        if (geo_same(sorted[i - 1], sorted[i])) return GEO_BAD;
    return GEO_OK;
}

static void reverse_ring(struct geo_ring *ring)
{
    for (uint32_t i = 1, j = ring->count - 1; i < j; i++, j--) {
        struct geo_point keep = ring->points[i];
        ring->points[i] = ring->points[j];
        ring->points[j] = keep;
    }
}

/* Finds out on which side of the ring, as it goes round now, the origin lies: count with a guess, then
 * compare with what the angle at point 1 says of that point. */
static void place_origin(struct geo_ring *ring)
{
    struct geo_vec before = ring->points[0].at, at = ring->points[1].at, after = ring->points[2].at;
    bool inside = !geo_ordered_ccw(geo_ortho(at), after, before, at);
    ring->origin_inside = false;
    ring->origin_inside = geo_ring_contains(ring, at) != inside;
}

enum geo_result geo_ring_init(struct geo_ring *ring, struct rf_arena *arena)
{
    enum geo_result result = check_points(ring, arena);
    if (result != GEO_OK) return result;
    double area = geo_ring_area(ring);
    if (area < 0) reverse_ring(ring);
    place_origin(ring);
    if (fabs(area) > 1e-12) return GEO_OK;
    /* The sign of so little area is a matter of rounding; surely outside is the far side of the globe. */
    struct geo_vec sum = {0, 0, 0};
    for (uint32_t i = 0; i < ring->count; i++) sum = geo_add(sum, ring->points[i].at);
    if (geo_norm(sum) < 1e-9 || !geo_ring_contains(ring, geo_scale(geo_unit(sum), -1)))
        return GEO_OK;
    reverse_ring(ring);
    place_origin(ring);
    return GEO_OK;
}

bool geo_ring_contains(const struct geo_ring *ring, struct geo_vec p)
{
    bool inside = ring->origin_inside;
    struct geo_vec origin = parity_origin(), last = ring->points[ring->count - 1].at;
    int last_turn = geo_turn(origin, p, last);
    for (uint32_t i = 0; i < ring->count; i++) {
        struct geo_vec at = ring->points[i].at;
        int turn = geo_turn(origin, p, at);
        /* Both ends on one side of the parity edge: no crossing. */
        if (turn != last_turn || turn == 0) inside ^= geo_edges_cross_parity(origin, p, last, at);
        last = at;
        last_turn = turn;
    }
    return inside;
}

void geo_polygon_bound(struct geo_polygon *polygon)
{
    const struct geo_ring *shell = &polygon->rings[0];
    struct geo_vec sum = {0, 0, 0};
    for (uint32_t i = 0; i < shell->count; i++) sum = geo_add(sum, shell->points[i].at);
    struct geo_cap cap = {.center = geo_unit(sum), .chord2 = 0};
    for (uint32_t i = 0; i < shell->count; i++) {
        struct geo_vec off = geo_sub(shell->points[i].at, cap.center);
        cap.chord2 = fmax(cap.chord2, geo_dot(off, off));
    }
    /* A cap below a hemisphere is convex, so it holds the edges and the smaller side too. */
    cap.chord2 = cap.chord2 < 1.9 ? cap.chord2 * (1 + 1e-12) + 1e-28 : 5;
    polygon->cap = cap;
}

bool geo_polygon_contains(const struct geo_polygon *polygon, struct geo_vec p)
{
    if (!geo_cap_contains(&polygon->cap, p)) return false;
    bool inside = false;
    for (uint32_t i = 0; i < polygon->ring_count; i++)
        inside ^= geo_ring_contains(&polygon->rings[i], p);
    return inside;
}

bool geo_area_contains(const struct geo_area *area, struct geo_vec p)
{
    for (uint32_t i = 0; i < area->count; i++)
        if (geo_polygon_contains(&area->polygons[i], p)) return true;
    return false;
}

/* ---- edges ---------------------------------------------------------------------------------------- */

struct geo_edge *geo_lines_edges(const struct geo_lines *lines, struct rf_arena *arena,
                                 uint32_t *count)
{
    size_t total = 0;
    for (uint32_t i = 0; i < lines->count; i++) total += lines->paths[i].count - 1;
    struct geo_edge *edges =
        total > UINT32_MAX ? NULL : rf_arena_raw(arena, struct geo_edge, total);
    if (edges == NULL) return NULL;
    *count = 0;
    for (uint32_t i = 0; i < lines->count; i++) {
        const struct geo_path *path = &lines->paths[i];
        for (uint32_t k = 1; k < path->count; k++)
            edges[(*count)++] = (struct geo_edge){path->points[k - 1].at, path->points[k].at};
    }
    return edges;
}

struct geo_edge *geo_area_edges(const struct geo_area *area, struct rf_arena *arena,
                                uint32_t *count)
{
    size_t total = 0;
    for (uint32_t i = 0; i < area->count; i++)
        for (uint32_t r = 0; r < area->polygons[i].ring_count; r++)
            total += area->polygons[i].rings[r].count;
    struct geo_edge *edges =
        total > UINT32_MAX ? NULL : rf_arena_raw(arena, struct geo_edge, total);
    if (edges == NULL) return NULL;
    *count = 0;
    for (uint32_t i = 0; i < area->count; i++) {
        for (uint32_t r = 0; r < area->polygons[i].ring_count; r++) {
            const struct geo_ring *ring = &area->polygons[i].rings[r];
            for (uint32_t k = 0; k < ring->count; k++) {
                struct geo_vec from = ring->points[k].at;
                struct geo_vec to = ring->points[k + 1 < ring->count ? k + 1 : 0].at;
                edges[(*count)++] =
                    r == 0 ? (struct geo_edge){from, to} : (struct geo_edge){to, from};
            }
        }
    }
    return edges;
}

/* ---- writing -------------------------------------------------------------------------------------- */

static void put_degrees(struct rf_buf *buf, double degrees)
{
    if (degrees == floor(degrees) && fabs(degrees) < 1e15) /* exact, and within a long */
        dyn_put_long(buf, (int64_t)degrees);
    else
        dyn_put_real(buf, degrees);
}

void geo_put_position(struct rf_buf *buf, double lon, double lat)
{
    struct dyn_builder pair;
    dyn_begin(&pair, buf, DYN_ARRAY);
    dyn_next(&pair);
    put_degrees(buf, lon);
    dyn_next(&pair);
    put_degrees(buf, lat);
    dyn_end(&pair);
}

static void begin_geometry(struct dyn_builder *bag, struct rf_buf *buf, const char *type,
                           const char *content)
{
    dyn_begin(bag, buf, DYN_BAG);
    dyn_key(bag, RF_S("type"));
    dyn_put_string(buf, rf_str_of(type));
    dyn_key(bag, rf_str_of(content));
}

void geo_put_point(struct rf_buf *buf, const struct geo_point *point)
{
    struct dyn_builder bag;
    begin_geometry(&bag, buf, "Point", "coordinates");
    geo_put_position(buf, point->lon, point->lat);
    dyn_end(&bag);
}

static void put_points(struct rf_buf *buf, const struct geo_point *points, uint32_t count)
{
    struct dyn_builder bag, list;
    if (count == 1) {
        geo_put_point(buf, points);
        return;
    }
    begin_geometry(&bag, buf, "MultiPoint", "coordinates");
    dyn_begin(&list, buf, DYN_ARRAY);
    for (uint32_t i = 0; i < count; i++) {
        dyn_next(&list);
        geo_put_position(buf, points[i].lon, points[i].lat);
    }
    dyn_end(&list);
    dyn_end(&bag);
}

static void put_positions(struct rf_buf *buf, const struct geo_point *points, uint32_t count,
                          bool close, bool backwards)
{
    struct dyn_builder list;
    dyn_begin(&list, buf, DYN_ARRAY);
    for (uint32_t i = 0; i < count + (close ? 1 : 0); i++) {
        uint32_t at = i == count ? 0 : i;
        if (backwards && at > 0) at = count - at;
        dyn_next(&list);
        geo_put_position(buf, points[at].lon, points[at].lat);
    }
    dyn_end(&list);
}

void geo_put_lines(struct rf_buf *buf, const struct geo_lines *lines)
{
    struct dyn_builder bag, list;
    begin_geometry(&bag, buf, lines->count == 1 ? "LineString" : "MultiLineString", "coordinates");
    if (lines->count == 1) {
        put_positions(buf, lines->paths[0].points, lines->paths[0].count, false, false);
    } else {
        dyn_begin(&list, buf, DYN_ARRAY);
        for (uint32_t i = 0; i < lines->count; i++) {
            dyn_next(&list);
            put_positions(buf, lines->paths[i].points, lines->paths[i].count, false, false);
        }
        dyn_end(&list);
    }
    dyn_end(&bag);
}

static void put_rings(struct rf_buf *buf, const struct geo_polygon *polygon)
{
    struct dyn_builder list;
    dyn_begin(&list, buf, DYN_ARRAY);
    for (uint32_t i = 0; i < polygon->ring_count; i++) {
        dyn_next(&list);
        put_positions(buf, polygon->rings[i].points, polygon->rings[i].count, true, i > 0);
    }
    dyn_end(&list);
}

void geo_put_area(struct rf_buf *buf, const struct geo_area *area)
{
    struct dyn_builder bag, list;
    begin_geometry(&bag, buf, area->count == 1 ? "Polygon" : "MultiPolygon", "coordinates");
    if (area->count == 1) {
        put_rings(buf, &area->polygons[0]);
    } else {
        dyn_begin(&list, buf, DYN_ARRAY);
        for (uint32_t i = 0; i < area->count; i++) {
            dyn_next(&list);
            put_rings(buf, &area->polygons[i]);
        }
        dyn_end(&list);
    }
    dyn_end(&bag);
}

void geo_put_mixed(struct rf_buf *buf, const struct geo_point *points, uint32_t point_count,
                   const struct geo_lines *lines, const struct geo_area *area)
{
    int kinds = (point_count > 0) + (lines->count > 0) + (area->count > 0);
    struct dyn_builder bag, list;
    if (kinds != 1) {
        begin_geometry(&bag, buf, "GeometryCollection", "geometries");
        dyn_begin(&list, buf, DYN_ARRAY);
    }
    if (point_count > 0) {
        if (kinds > 1) dyn_next(&list);
        put_points(buf, points, point_count);
    }
    if (lines->count > 0) {
        if (kinds > 1) dyn_next(&list);
        geo_put_lines(buf, lines);
    }
    if (area->count > 0) {
        if (kinds > 1) dyn_next(&list);
        geo_put_area(buf, area);
    }
    if (kinds != 1) {
        dyn_end(&list);
        dyn_end(&bag);
    }
}
