#include <math.h>

#include "kql/geo_cover.h"
#include "kql/geo_h3.h"

struct edge_cap {
    struct geo_vec center;
    double reach; /* chord from the edge's middle to its ends, widened by the radius */
};

/* Cells are found by spreading from one that touches the area to its neighbours: the cells that touch
 * a connected shape are connected themselves. */
struct spread {
    const struct geo_area *area;
    const struct geo_edge *edges;
    const struct edge_cap *caps; /* one per edge */
    uint32_t edge_count;
    double radius;
    uint64_t *seen; /* open hash set of all cells looked at, 0 is free */
    uint32_t seen_count;
    uint64_t *found;
    uint8_t *whole; /* per found cell: no border comes near it */
    uint32_t count;
};

/* A cell that touches has at most six neighbours that do not, so the set stays half empty. */
enum { SEEN_SLOTS = 1 << 20, SEEN_MAX = SEEN_SLOTS / 2 };

static bool first_sight(struct spread *spread, uint64_t cell)
{
    uint32_t slot = (uint32_t)(rf_hash_u64(cell) & (SEEN_SLOTS - 1));
    for (; spread->seen[slot] != 0; slot = (slot + 1) & (SEEN_SLOTS - 1))
        if (spread->seen[slot] == cell) return false;
    spread->seen[slot] = cell;
    spread->seen_count++;
    return true;
}

static bool edge_reaches(const struct spread *spread, uint32_t edge, const struct geo_vec *border,
                         size_t corners)
{
    struct geo_vec a = spread->edges[edge].a, b = spread->edges[edge].b;
    bool inside = true;
    for (size_t i = 0; i < corners; i++) {
        struct geo_vec from = border[i], to = border[i + 1 < corners ? i + 1 : 0];
        if (geo_edge_distance(a, b, from, to) <= spread->radius) return true;
        inside &= geo_turn(from, to, a) > 0;
    }
    return inside;
}

static bool border_reaches(const struct spread *spread, uint64_t cell, struct geo_vec center)
{
    struct geo_vec border[H3_BORDER_MAX];
    size_t corners = h3_border(cell, border);
    double reach = 0;
    for (size_t i = 0; i < corners; i++) reach = fmax(reach, geo_norm(geo_sub(border[i], center)));
    for (uint32_t i = 0; i < spread->edge_count; i++) {
        struct geo_vec off = geo_sub(spread->caps[i].center, center);
        double near = spread->caps[i].reach + reach;
        if (geo_dot(off, off) > near * near) continue;
        if (edge_reaches(spread, i, border, corners)) return true;
    }
    return false;
}

/* `from_inside`: the cell is next to one that lies wholly inside. */
static bool add(struct spread *spread, uint64_t cell, bool from_inside)
{
    if (!first_sight(spread, cell)) return true;
    if (spread->seen_count > SEEN_MAX) return false;
    struct geo_vec center = h3_center(cell);
    bool on_border = border_reaches(spread, cell, center);
    /* Where no border comes near, the whole cell is inside or outside, and so are those next to it. */
    if (!on_border && !from_inside && !geo_area_contains(spread->area, center)) return true;
    if (spread->count == GEO_COVER_MAX) return false;
    spread->whole[spread->count] = !on_border;
    spread->found[spread->count++] = cell;
    return true;
}

static struct edge_cap *edge_caps(const struct spread *spread, struct rf_arena *arena)
{
    struct edge_cap *caps = rf_arena_raw(arena, struct edge_cap, spread->edge_count);
    for (uint32_t i = 0; caps != NULL && i < spread->edge_count; i++) {
        struct geo_vec a = spread->edges[i].a, b = spread->edges[i].b;
        struct geo_vec middle = geo_unit(geo_add(a, b));
        /* A chord is never longer than its angle, so the sum stays on the safe side. */
        double reach = geo_norm(geo_sub(middle, a)) + spread->radius + 1e-12;
        caps[i] = (struct edge_cap){.center = middle, .reach = reach};
    }
    return caps;
}

enum geo_result geo_cover_h3(const struct geo_area *area, const struct geo_edge *edges,
                             uint32_t edge_count, double radius, int resolution,
                             const atomic_bool *stop, struct rf_arena *arena, uint64_t **cells,
                             uint32_t *count)
{
    struct spread spread = {
        .area = area, .edges = edges, .edge_count = edge_count, .radius = radius};
    spread.caps = edge_caps(&spread, arena);
    spread.seen = rf_arena_new(arena, uint64_t, SEEN_SLOTS);
    spread.found = rf_arena_raw(arena, uint64_t, GEO_COVER_MAX);
    spread.whole = rf_arena_new(arena, uint8_t, GEO_COVER_MAX);
    if (spread.caps == NULL || spread.seen == NULL) return GEO_NO_MEMORY;
    if (spread.found == NULL || spread.whole == NULL) return GEO_NO_MEMORY;
    uint32_t next = 0;
    for (uint32_t i = 0; i < area->count; i++) {
        struct geo_vec corner = area->polygons[i].rings[0].points[0].at;
        if (!add(&spread, h3_from_point(corner, resolution), false)) return GEO_BAD;
        for (; next < spread.count; next++) {
            if (geo_stopped(stop)) return GEO_STOPPED;
            uint64_t around[H3_NEIGHBORS_MAX];
            size_t neighbors = h3_neighbors(spread.found[next], around);
            for (size_t k = 0; k < neighbors; k++)
                if (!add(&spread, around[k], spread.whole[next] != 0)) return GEO_BAD;
        }
    }
    *cells = spread.found;
    *count = spread.count;
    return GEO_OK;
}
