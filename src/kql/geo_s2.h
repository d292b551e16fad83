/* geo_s2.h - S2 cells: the sphere cut into the six faces of a cube, each a quadtree of 30 levels whose
 * cells are numbered along a Hilbert curve.
 *
 * A cell id has 3 bits of face, 2 bits per level, then a 1 bit and zeros; its token is that number in
 * hexadecimal without the zeros at the end. No function allocates. */
#ifndef RF_GEO_S2_H
#define RF_GEO_S2_H

#include "kql/geo_sphere.h"

enum { S2_LEVEL_MAX = 30, S2_FACES = 6, S2_TOKEN_MAX = 16, S2_NEIGHBORS_MAX = 8 };

bool s2_valid(uint64_t id);
int s2_level(uint64_t id); /* of a valid id */
/* The ancestor at `level`, which is not above the level of `id`. */
uint64_t s2_parent(uint64_t id, int level);
uint64_t s2_child(uint64_t id, int index); /* index 0..3; `id` is no leaf */
uint64_t s2_face(int face);                /* the cell of a whole face */
uint64_t s2_from_point(struct geo_vec p, int level);

/* Reads a token; false when it names no cell. Letters of either case. */
bool s2_parse(rf_str token, uint64_t *out);
/* Writes the token of `id` without a NUL, returns its length. */
size_t s2_print(uint64_t id, char out[S2_TOKEN_MAX]);

struct geo_vec s2_center(uint64_t id);
/* The four corners, counter-clockwise; all borders are geodesics. */
void s2_corners(uint64_t id, struct geo_vec out[4]);
/* Cells of the same level that share an edge or a corner, 8 of them, or 7 and fewer where three faces
 * meet. Kusto's documentation shows their order for one cell, which is kept for all. */
size_t s2_neighbors(uint64_t id, uint64_t out[S2_NEIGHBORS_MAX]);

#endif
