/* geo_h3_int.h - tables of the H3 grid, between geo_h3.c and geo_h3_data.c. */
#ifndef RF_GEO_H3_INT_H
#define RF_GEO_H3_INT_H

#include "kql/geo_sphere.h"

enum { H3_FACES = 20, H3_BASE_CELLS = 122, H3_PENTAGONS = 12 };

struct h3_face {
    struct geo_vec center, axis; /* axis: unit vector at the centre towards corner 0 */
    uint8_t corners[3];          /* numbers of the icosahedron's corners on the i, j, k axes */
    uint8_t across[3];           /* the face on the other side of the edge opposite each corner */
};

extern const struct h3_face h3_faces[H3_FACES];
extern const uint8_t h3_base_home[H3_BASE_CELLS][4];
extern const uint8_t h3_pentagons[H3_PENTAGONS][3]; /* base cell, two faces */
extern const uint8_t h3_base_cell[H3_FACES][27];
extern const uint8_t h3_base_turn[H3_FACES][27];

#endif
