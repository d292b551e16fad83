/* geo_h3.h - H3 cells: hexagons (and twelve pentagons) on the faces of an icosahedron, each level seven
 * times finer and turned by 19.1 degrees against the one before.
 *
 * A cell id has a mode, 4 bits of resolution (0..15), 7 bits of base cell, then 3 bits per level that
 * tell the direction from the parent's centre. It prints as 15 hexadecimal digits. No function
 * allocates. */
#ifndef RF_GEO_H3_H
#define RF_GEO_H3_H

#include "kql/geo_sphere.h"

enum { H3_RESOLUTION_MAX = 15, H3_TEXT_MAX = 16, H3_NEIGHBORS_MAX = 6, H3_BORDER_MAX = 12 };

bool h3_valid(uint64_t cell);
int h3_resolution(uint64_t cell);
bool h3_is_pentagon(uint64_t cell);
bool h3_parse(rf_str text, uint64_t *out); /* false when the text is no valid cell */
size_t h3_print(uint64_t cell, char out[H3_TEXT_MAX]);

uint64_t h3_from_point(struct geo_vec p, int resolution);
struct geo_vec h3_center(uint64_t cell);
/* The corners, counter-clockwise, with extra points where an edge bends over the icosahedron. */
size_t h3_border(uint64_t cell, struct geo_vec out[H3_BORDER_MAX]);

uint64_t h3_parent(uint64_t cell, int resolution); /* resolution not finer than the cell's */
/* The first child at a finer resolution, and the one after `child` within the same ancestor at
 * `top_resolution`; 0 after the last. In ascending order. */
uint64_t h3_first_child(uint64_t cell, int resolution);
uint64_t h3_next_child(uint64_t child, int top_resolution);
uint64_t h3_child_count(uint64_t cell, int resolution);
/* The cells around, counter-clockwise: six, or five around a pentagon. */
size_t h3_neighbors(uint64_t cell, uint64_t out[H3_NEIGHBORS_MAX]);

#endif
