/* geo_pieces.h - edges of several shapes cut where they meet: the first half of geo_overlay.c. */
#ifndef RF_GEO_PIECES_H
#define RF_GEO_PIECES_H

#include "kql/geo_overlay.h"

/* Who an edge belongs to. Owners of areas are polygons, owners of lines are paths. */
struct owner {
    const struct geo_polygon *polygon; /* NULL for a path */
    uint32_t operand;                  /* 0 or 1 */
};

/* A cut edge as it was given. */
struct input_edge {
    uint32_t from, to; /* vertices */
    uint32_t owner;
};

/* A part of an input edge without anything in its middle. */
struct piece {
    uint32_t from, to; /* vertices, in the direction of the input edge */
    uint32_t input;    /* which input edge */
    uint32_t group;    /* pieces between the same two vertices have the same number */
};

struct arrangement {
    struct rf_arena *arena;
    struct geo_point *vertices;
    uint32_t vertex_count, vertex_room;
    struct owner *owners;
    uint32_t owner_count, owner_room;
    struct input_edge *inputs;
    uint32_t input_count, input_room;
    /* After geo_cut: */
    struct piece *pieces; /* in the order of input edges and along them */
    uint32_t piece_count;
    uint32_t *by_group; /* piece numbers sorted by group, within it by input */
    uint32_t group_count;
    uint32_t *group_start; /* group_count + 1 places in by_group */
    /* Buckets for finding near vertices. */
    uint32_t *buckets, *next;
    uint32_t bucket_count;
};

/* Starts an arrangement with room for the edges of so many points. False on lack of memory. */
bool geo_pieces_init(struct arrangement *plan, size_t point_count, size_t owner_count,
                     struct rf_arena *arena);
bool geo_pieces_add_area(struct arrangement *plan, const struct geo_area *area, uint32_t operand);
bool geo_pieces_add_lines(struct arrangement *plan, const struct geo_lines *lines,
                          uint32_t operand);
/* Finds all meetings and fills pieces and groups. */
bool geo_cut(struct arrangement *plan);

size_t geo_area_points(const struct geo_area *area);
size_t geo_lines_points(const struct geo_lines *lines);

#endif
