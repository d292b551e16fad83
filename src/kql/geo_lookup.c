#include "kql/geo_lookup.h"

#include <math.h>

#include "kql/geo_measure.h"

struct entry {
    struct geo_cap cap; /* holds all points that match */
    uint64_t row;
    struct geo_lines lines;
    struct geo_area area;
};

struct geo_lookup {
    struct rf_arena *arena;
    enum geo_lookup_kind kind;
    double radius; /* radians */
    struct entry *entries;
    uint32_t count, room;
};

struct geo_lookup *geo_lookup_new(enum geo_lookup_kind kind, double radius_metres,
                                  struct rf_arena *arena)
{
    if (!(radius_metres >= 0) || isinf(radius_metres)) return NULL;
    struct geo_lookup *lookup = rf_arena_new(arena, struct geo_lookup, 1);
    if (lookup == NULL) return NULL;
    *lookup = (struct geo_lookup){
        .arena = arena, .kind = kind, .radius = radius_metres / GEO_EARTH_RADIUS};
    return lookup;
}

static bool make_room(struct geo_lookup *lookup)
{
    if (lookup->count < lookup->room) return true;
    if (lookup->room > UINT32_MAX / 4) return false;
    uint32_t room = lookup->room < 16 ? 16 : lookup->room * 2;
    void *grown =
        rf_arena_grow(lookup->arena, lookup->entries, lookup->room * sizeof *lookup->entries,
                      room * sizeof *lookup->entries);
    if (grown == NULL) return false;
    lookup->entries = grown;
    lookup->room = room;
    return true;
}

/* A cap around the ends of all edges, widened by the radius. */
static struct geo_cap cap_around(const struct geo_edge *edges, uint32_t count, double radius)
{
    struct geo_vec sum = {0, 0, 0};
    for (uint32_t i = 0; i < count; i++) sum = geo_add(sum, geo_add(edges[i].a, edges[i].b));
    struct geo_cap cap = {.center = geo_unit(sum), .chord2 = 5};
    double reach = 0;
    for (uint32_t i = 0; i < count; i++) {
        reach = fmax(reach, geo_angle_between(cap.center, edges[i].a));
        reach = fmax(reach, geo_angle_between(cap.center, edges[i].b));
    }
    /* Below a hemisphere caps are convex and hold edges and insides; above, look at every point. */
    if (geo_norm(sum) < 1e-9 || reach > 1.5 || reach + radius > 3) return cap;
    double chord = 2 * sin((reach + radius) / 2);
    cap.chord2 = chord * chord * (1 + 1e-12) + 1e-28;
    return cap;
}

bool geo_lookup_add(struct geo_lookup *lookup, rf_str dynamic, uint64_t row)
{
    struct entry entry = {.row = row};
    uint32_t count = 0;
    bool lines = lookup->kind == GEO_LOOKUP_LINES;
    enum geo_result result = lines ? geo_lines_read(dynamic, lookup->arena, &entry.lines)
                                   : geo_area_read(dynamic, lookup->arena, &entry.area);
    if (result == GEO_NO_MEMORY) return false;
    if (result == GEO_BAD) return true;
    const struct geo_edge *edges = lines ? geo_lines_edges(&entry.lines, lookup->arena, &count)
                                         : geo_area_edges(&entry.area, lookup->arena, &count);
    if (edges == NULL || !make_room(lookup)) return false;
    entry.cap = cap_around(edges, count, lookup->radius);
    lookup->entries[lookup->count++] = entry;
    return true;
}

static bool matches(const struct geo_lookup *lookup, const struct entry *entry, struct geo_vec p)
{
    double distance;
    if (!geo_cap_contains(&entry->cap, p)) return false;
    if (lookup->kind == GEO_LOOKUP_POLYGONS)
        return lookup->radius == 0 ? geo_area_contains(&entry->area, p)
                                   : geo_area_within(&entry->area, p, lookup->radius);
    (void)geo_lines_nearest(&entry->lines, p, &distance);
    return distance <= lookup->radius;
}

bool geo_lookup_find(const struct geo_lookup *lookup, double lon, double lat,
                     bool (*match)(void *state, uint64_t row), void *state)
{
    if (!geo_degrees_valid(lon, lat)) return true;
    struct geo_vec p = geo_from_degrees(lon, lat);
    for (uint32_t i = 0; i < lookup->count; i++)
        if (matches(lookup, &lookup->entries[i], p) && !match(state, lookup->entries[i].row))
            return false;
    return true;
}
