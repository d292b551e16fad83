#include "kql/geo_cover.h"

#include <math.h>

#include "kql/geo_s2.h"

/* A cell on the way down and the edges that are near enough to matter to it. */
struct frame {
    uint64_t cell;
    uint32_t *near; /* indexes of edges */
    uint32_t near_count;
    int child; /* next child to look at */
};

struct search {
    const struct geo_area *area;
    const struct geo_edge *edges;
    uint32_t edge_count;
    double radius;
    int level;
    const atomic_bool *stop;
    uint64_t *cells;
    uint32_t count;
};

static bool accept(struct search *search, uint64_t cell)
{
    if (search->count == GEO_COVER_MAX) return false;
    search->cells[search->count++] = cell;
    return true;
}

/* All cells of the level below a cell that lies wholly inside. */
static bool accept_all(struct search *search, uint64_t cell)
{
    int down = search->level - s2_level(cell);
    if (down > 8 || search->count + (UINT64_C(1) << (2 * down)) > GEO_COVER_MAX) return false;
    uint64_t step = (UINT64_C(1) << (2 * (S2_LEVEL_MAX - search->level))) << 1;
    uint64_t first = cell;
    for (int i = 0; i < down; i++) first = s2_child(first, 0);
    for (uint64_t i = 0; i < UINT64_C(1) << (2 * down); i++)
        search->cells[search->count++] = first + i * step;
    return true;
}

static double cell_radius(struct geo_vec center, const struct geo_vec corners[4])
{
    double radius = 0;
    for (int i = 0; i < 4; i++) radius = fmax(radius, geo_angle_between(center, corners[i]));
    return radius + 1e-14;
}

static bool edge_reaches(const struct geo_edge *edge, const struct geo_vec corners[4],
                         double radius)
{
    bool inside = true;
    for (int i = 0; i < 4; i++) {
        struct geo_vec from = corners[i], to = corners[(i + 1) % 4];
        if (geo_edge_distance(edge->a, edge->b, from, to) <= radius) return true;
        inside &= geo_turn(from, to, edge->a) > 0;
    }
    return inside;
}

/* Fills frame->near from the edges in `from` (all edges when NULL). */
static void find_near(const struct search *search, struct frame *frame, struct geo_vec center,
                      double reach, const uint32_t *from, uint32_t from_count)
{
    frame->near_count = 0;
    for (uint32_t i = 0; i < from_count; i++) {
        uint32_t edge = from == NULL ? i : from[i];
        if (geo_distance_to_edge(center, search->edges[edge].a, search->edges[edge].b) <= reach)
            frame->near[frame->near_count++] = edge;
    }
}

/* Looks at a cell. *deeper tells that its children must be looked at. False: too many cells, or stopped. */
static bool visit(struct search *search, struct frame *frame, const struct frame *parent,
                  bool *deeper)
{
    struct geo_vec corners[4], center = s2_center(frame->cell);
    if (geo_stopped(search->stop)) return false;
    s2_corners(frame->cell, corners);
    double reach = cell_radius(center, corners) + search->radius;
    find_near(search, frame, center, reach, parent == NULL ? NULL : parent->near,
              parent == NULL ? search->edge_count : parent->near_count);
    *deeper = frame->near_count > 0 && s2_level(frame->cell) < search->level;
    if (*deeper) return true;
    for (uint32_t i = 0; i < frame->near_count; i++)
        if (edge_reaches(&search->edges[frame->near[i]], corners, search->radius))
            return accept(search, frame->cell);
    /* No border comes near, so the whole cell is inside or outside. */
    if (search->area == NULL || !geo_area_contains(search->area, center)) return true;
    return accept_all(search, frame->cell);
}

static bool search_face(struct search *search, struct frame *frames, int face)
{
    int depth = 0;
    bool deeper;
    frames[0].cell = s2_face(face);
    frames[0].child = 0;
    if (!visit(search, &frames[0], NULL, &deeper)) return false;
    if (!deeper) return true;
    while (depth >= 0) {
        struct frame *above = &frames[depth];
        if (above->child == 4) {
            depth--;
            continue;
        }
        struct frame *below = &frames[depth + 1];
        below->cell = s2_child(above->cell, above->child++);
        below->child = 0;
        if (!visit(search, below, above, &deeper)) return false;
        if (deeper) depth++;
    }
    return true;
}

enum geo_result geo_cover(const struct geo_area *area, const struct geo_edge *edges,
                          uint32_t edge_count, double radius, int level, const atomic_bool *stop,
                          struct rf_arena *arena, uint64_t **cells, uint32_t *count)
{
    struct search search = {.area = area,
                            .edges = edges,
                            .edge_count = edge_count,
                            .radius = radius,
                            .level = level,
                            .stop = stop};
    struct frame *frames = rf_arena_new(arena, struct frame, (size_t)level + 1);
    search.cells = rf_arena_raw(arena, uint64_t, GEO_COVER_MAX);
    if (frames == NULL || search.cells == NULL) return GEO_NO_MEMORY;
    for (int i = 0; i <= level; i++) {
        frames[i].near = rf_arena_raw(arena, uint32_t, edge_count);
        if (frames[i].near == NULL) return GEO_NO_MEMORY;
    }
    for (int face = 0; face < S2_FACES; face++)
        if (!search_face(&search, frames, face)) return geo_stopped(stop) ? GEO_STOPPED : GEO_BAD;
    *cells = search.cells;
    *count = search.count;
    return GEO_OK;
}
