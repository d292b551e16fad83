#include "kql/geo_refine.h"

#include <math.h>

enum { SPLIT_DEPTH_MAX = 48 };

/* A list of points that grows at the end of an arena. */
struct point_list {
    struct rf_arena *arena;
    struct geo_point *items;
    uint32_t count, room;
};

static bool list_add(struct point_list *list, struct geo_point point)
{
    if (list->count == list->room) {
        if (list->room > UINT32_MAX / 2) return false;
        uint32_t room = list->room < 16 ? 16 : list->room * 2;
        void *grown =
            rf_arena_grow(list->arena, list->items, list->room * sizeof point, room * sizeof point);
        if (grown == NULL) return false;
        list->items = grown;
        list->room = room;
    }
    list->items[list->count++] = point;
    return true;
}

/* ---- densify -------------------------------------------------------------------------------------- */

/* An edge on the map; its longitudes may pass 180 so that it is straight there. */
struct map_edge {
    double lon_a, lat_a, lon_b, lat_b;
};

static struct geo_point map_point(const struct map_edge *edge, double t)
{
    double lon = edge->lon_a + t * (edge->lon_b - edge->lon_a);
    return geo_point_of(fabs(lon) > 180 ? remainder(lon, 360) : lon,
                        edge->lat_a + t * (edge->lat_b - edge->lat_a));
}

/* How far the great circle is from the drawing, at points where either is likely to be farthest. */
static double map_error(const struct map_edge *edge, double from, double to)
{
    struct geo_vec a = map_point(edge, from).at, b = map_point(edge, to).at;
    double worst = 0;
    if (geo_dot(a, b) < 0) return INFINITY;
    for (int i = 1; i <= 3; i++) {
        double t = i == 2 ? 0.5 : i == 1 ? 0.3122 : 0.6878;
        struct geo_vec drawn = map_point(edge, from + t * (to - from)).at;
        worst = fmax(worst, geo_angle_between(drawn, geo_interpolate(a, b, t)));
    }
    return worst;
}

/* Adds the points after the edge's start up to and with its end. */
static bool densify_edge(struct point_list *list, const struct geo_point *a,
                         const struct geo_point *b, double tolerance, bool keep_crossing)
{
    struct map_edge edge = {a->lon, a->lat, b->lon, b->lat};
    if (keep_crossing && edge.lon_b - edge.lon_a > 180) edge.lon_b -= 360;
    if (keep_crossing && edge.lon_b - edge.lon_a < -180) edge.lon_b += 360;
    double ends[SPLIT_DEPTH_MAX + 1] = {1}, from = 0;
    int depth = 0; /* ends[0..depth] are the ends still to reach, the nearest last */
    while (depth >= 0) {
        if (depth < SPLIT_DEPTH_MAX && map_error(&edge, from, ends[depth]) > tolerance) {
            ends[depth + 1] = (from + ends[depth]) / 2;
            depth++;
            continue;
        }
        from = ends[depth--];
        if (!list_add(list, from == 1 ? *b : map_point(&edge, from))) return false;
    }
    return true;
}

enum geo_result geo_densify_lines(const struct geo_lines *lines, double tolerance,
                                  bool keep_crossing, struct rf_arena *arena, struct geo_lines *out)
{
    struct geo_path *paths = rf_arena_new(arena, struct geo_path, lines->count);
    if (paths == NULL) return GEO_NO_MEMORY;
    for (uint32_t i = 0; i < lines->count; i++) {
        const struct geo_path *path = &lines->paths[i];
        struct point_list list = {.arena = arena};
        if (!list_add(&list, path->points[0])) return GEO_NO_MEMORY;
        for (uint32_t k = 1; k < path->count; k++)
            if (!densify_edge(&list, &path->points[k - 1], &path->points[k], tolerance,
                              keep_crossing))
                return GEO_NO_MEMORY;
        paths[i] = (struct geo_path){.points = list.items, .count = list.count};
    }
    *out = (struct geo_lines){.paths = paths, .count = lines->count};
    return GEO_OK;
}

static bool densify_ring(const struct geo_ring *ring, double tolerance, bool keep_crossing,
                         struct rf_arena *arena, struct geo_ring *out)
{
    struct point_list list = {.arena = arena};
    if (!list_add(&list, ring->points[0])) return false;
    for (uint32_t k = 0; k < ring->count; k++) {
        const struct geo_point *next = &ring->points[k + 1 < ring->count ? k + 1 : 0];
        if (!densify_edge(&list, &ring->points[k], next, tolerance, keep_crossing)) return false;
    }
    *out = (struct geo_ring){.points = list.items, .count = list.count - 1};
    return true;
}

enum geo_result geo_densify_area(const struct geo_area *area, double tolerance, bool keep_crossing,
                                 struct rf_arena *arena, struct geo_area *out)
{
    struct geo_polygon *polygons = rf_arena_new(arena, struct geo_polygon, area->count);
    if (polygons == NULL) return GEO_NO_MEMORY;
    for (uint32_t i = 0; i < area->count; i++) {
        const struct geo_polygon *polygon = &area->polygons[i];
        polygons[i].ring_count = polygon->ring_count;
        polygons[i].rings = rf_arena_new(arena, struct geo_ring, polygon->ring_count);
        if (polygons[i].rings == NULL) return GEO_NO_MEMORY;
        for (uint32_t r = 0; r < polygon->ring_count; r++)
            if (!densify_ring(&polygon->rings[r], tolerance, keep_crossing, arena,
                              &polygons[i].rings[r]))
                return GEO_NO_MEMORY;
    }
    *out = (struct geo_area){.polygons = polygons, .count = area->count};
    return GEO_OK;
}

/* ---- simplify ------------------------------------------------------------------------------------- */

struct span {
    uint32_t from, to;
};

/* Marks in keep[] the points of points[from..to] that a line within `tolerance` needs; the ends are
 * marked by the caller. `todo` has room for one span per point. */
static void mark_needed(const struct geo_point *points, struct span whole, double tolerance,
                        uint8_t *keep, struct span *todo)
{
    uint32_t waiting = 0;
    todo[waiting++] = whole;
    while (waiting > 0) {
        struct span span = todo[--waiting];
        uint32_t farthest = span.from;
        double distance = tolerance;
        for (uint32_t i = span.from + 1; i < span.to; i++) {
            double off =
                geo_distance_to_edge(points[i].at, points[span.from].at, points[span.to].at);
            if (off > distance) distance = off, farthest = i;
        }
        if (farthest == span.from) continue;
        keep[farthest] = 1;
        todo[waiting++] = (struct span){span.from, farthest};
        todo[waiting++] = (struct span){farthest, span.to};
    }
}

/* Drops points nearer than `tolerance` to the one kept before; the last point wins over those before
 * it. Returns the new count. */
static uint32_t thin_out(struct geo_point *points, uint32_t count, double tolerance)
{
    uint32_t kept = 1;
    for (uint32_t i = 1; i < count; i++) {
        bool last = i + 1 == count;
        if (geo_angle_between(points[kept - 1].at, points[i].at) >= tolerance)
            points[kept++] = points[i];
        else if (last && kept > 1)
            points[kept - 1] = points[i];
    }
    return kept;
}

static struct geo_point *copy_points(const struct geo_point *points, uint32_t count,
                                     struct rf_arena *arena)
{
    struct geo_point *copy = rf_arena_raw(arena, struct geo_point, count);
    if (copy != NULL) memcpy(copy, points, count * sizeof *copy);
    return copy;
}

/* Simplifies points[0..*count-1] in place between and with its ends. */
static bool simplify_chain(struct geo_point *points, uint32_t *count, uint32_t pivot,
                           double tolerance, struct rf_arena *arena)
{
    uint8_t *keep = rf_arena_new(arena, uint8_t, *count);
    struct span *todo = rf_arena_raw(arena, struct span, (size_t)*count + 1);
    if (keep == NULL || todo == NULL) return false;
    keep[0] = keep[pivot] = keep[*count - 1] = 1;
    mark_needed(points, (struct span){0, pivot}, tolerance, keep, todo);
    mark_needed(points, (struct span){pivot, *count - 1}, tolerance, keep, todo);
    uint32_t kept = 0;
    for (uint32_t i = 0; i < *count; i++)
        if (keep[i]) points[kept++] = points[i];
    *count = kept;
    return true;
}

enum geo_result geo_simplify_lines(const struct geo_lines *lines, double tolerance,
                                   struct rf_arena *arena, struct geo_lines *out)
{
    struct geo_path *paths = rf_arena_new(arena, struct geo_path, lines->count);
    if (paths == NULL) return GEO_NO_MEMORY;
    uint32_t kept = 0;
    for (uint32_t i = 0; i < lines->count; i++) {
        uint32_t count = lines->paths[i].count;
        struct geo_point *points = copy_points(lines->paths[i].points, count, arena);
        if (points == NULL) return GEO_NO_MEMORY;
        count = thin_out(points, count, tolerance);
        if (count < 2) continue;
        if (!simplify_chain(points, &count, count - 1, tolerance, arena)) return GEO_NO_MEMORY;
        paths[kept++] = (struct geo_path){.points = points, .count = count};
    }
    *out = (struct geo_lines){.paths = paths, .count = kept};
    return kept > 0 ? GEO_OK : GEO_BAD;
}

static enum geo_result simplify_ring(const struct geo_ring *ring, double tolerance,
                                     struct rf_arena *arena, struct geo_ring *out)
{
    /* The ring as a chain from point 0 around to itself, held at the point farthest from there. */
    uint32_t count = ring->count + 1, pivot = 0;
    struct geo_point *points = rf_arena_raw(arena, struct geo_point, count);
    if (points == NULL) return GEO_NO_MEMORY;
    memcpy(points, ring->points, ring->count * sizeof *points);
    points[count - 1] = ring->points[0];
    count = thin_out(points, count, tolerance);
    if (count < 4) return GEO_BAD;
    double distance = 0;
    for (uint32_t i = 1; i + 1 < count; i++) {
        double off = geo_angle_between(points[0].at, points[i].at);
        if (off > distance) distance = off, pivot = i;
    }
    if (!simplify_chain(points, &count, pivot, tolerance, arena)) return GEO_NO_MEMORY;
    *out = (struct geo_ring){.points = points, .count = count - 1};
    return geo_ring_init(out, arena);
}

enum geo_result geo_simplify_area(const struct geo_area *area, double tolerance,
                                  struct rf_arena *arena, struct geo_area *out)
{
    struct geo_polygon *polygons = rf_arena_new(arena, struct geo_polygon, area->count);
    if (polygons == NULL) return GEO_NO_MEMORY;
    uint32_t kept = 0;
    for (uint32_t i = 0; i < area->count; i++) {
        const struct geo_polygon *from = &area->polygons[i];
        struct geo_polygon *to = &polygons[kept];
        to->rings = rf_arena_new(arena, struct geo_ring, from->ring_count);
        to->ring_count = 0;
        if (to->rings == NULL) return GEO_NO_MEMORY;
        for (uint32_t r = 0; r < from->ring_count; r++) {
            enum geo_result result =
                simplify_ring(&from->rings[r], tolerance, arena, &to->rings[to->ring_count]);
            if (result == GEO_NO_MEMORY) return result;
            if (result == GEO_OK)
                to->ring_count++;
            else if (r == 0)
                break; /* a polygon without its shell is gone, holes and all */
        }
        if (to->ring_count == 0) continue;
        geo_polygon_bound(to);
        kept++;
    }
    *out = (struct geo_area){.polygons = polygons, .count = kept};
    return kept > 0 ? GEO_OK : GEO_BAD;
}
