/* geo_hash.h - geohash: longitude and latitude halved in turn, five bits to a letter. No function
 * allocates. */
#ifndef RF_GEO_HASH_H
#define RF_GEO_HASH_H

#include "base/rf.h"

enum { GEOHASH_LENGTH_MAX = 18, GEOHASH_NEIGHBORS_MAX = 8 };

/* A cell: its column from the west and row from the south, in the grid of `length` letters. */
struct geohash {
    uint64_t column, row;
    int length; /* 1..GEOHASH_LENGTH_MAX */
};

/* Degrees must be valid, length in range. */
struct geohash geohash_from_degrees(double lon, double lat, int length);
/* False when the text has another length or a letter that is none; case does not matter. */
bool geohash_parse(rf_str text, struct geohash *out);
void geohash_print(struct geohash cell,
                   char out[GEOHASH_LENGTH_MAX]); /* cell.length letters, no NUL */
void geohash_bounds(struct geohash cell, double *west, double *south, double *east, double *north);
/* Cells around, in the order of Kusto's documentation: south-west, north-west, south-east, north, west,
 * north-east, east, south. Columns go round the earth, rows beyond a pole are left out. Returns the
 * count. */
size_t geohash_neighbors(struct geohash cell, struct geohash out[GEOHASH_NEIGHBORS_MAX]);

#endif
