#include "kql/geo_hash.h"

#include <math.h>

static const char letters[] = "0123456789bcdefghjkmnpqrstuvwxyz";

/* The first bit is one of longitude, so that has the odd bit where there is one. */
static int column_bits(int length) { return (5 * length + 1) / 2; }
static int row_bits(int length) { return 5 * length / 2; }

static uint64_t grid_index(double at, double span, int bits)
{
    double cells = ldexp(1, bits);
    double index = floor(at / span * cells);
    /* The east rim and the north pole belong to the last cell. */
    return (uint64_t)(index < 0 ? 0 : index >= cells ? cells - 1 : index);
}

struct geohash geohash_from_degrees(double lon, double lat, int length)
{
    return (struct geohash){.column = grid_index(lon + 180, 360, column_bits(length)),
                            .row = grid_index(lat + 90, 180, row_bits(length)),
                            .length = length};
}

bool geohash_parse(rf_str text, struct geohash *out)
{
    if (text.len == 0 || text.len > GEOHASH_LENGTH_MAX) return false;
    struct geohash cell = {.length = (int)text.len};
    bool even = true;
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = rf_lower(text.ptr[i]);
        const char *found = c == 0 ? NULL : strchr(letters, c);
        if (found == NULL) return false;
        unsigned five = (unsigned)(found - letters);
        for (int bit = 4; bit >= 0; bit--, even = !even) {
            uint64_t *side = even ? &cell.column : &cell.row;
            *side = *side << 1 | ((five >> bit) & 1);
        }
    }
    *out = cell;
    return true;
}

void geohash_print(struct geohash cell, char out[GEOHASH_LENGTH_MAX])
{
    int column_bit = column_bits(cell.length), row_bit = row_bits(cell.length);
    bool even = true;
    for (int i = 0; i < cell.length; i++) {
        unsigned five = 0;
        for (int bit = 0; bit < 5; bit++, even = !even) {
            uint64_t from = even ? cell.column >> --column_bit : cell.row >> --row_bit;
            five = five << 1 | (unsigned)(from & 1);
        }
        out[i] = letters[five];
    }
}

void geohash_bounds(struct geohash cell, double *west, double *south, double *east, double *north)
{
    double width = ldexp(360, -column_bits(cell.length));
    double height = ldexp(180, -row_bits(cell.length));
    *west = (double)cell.column * width - 180;
    *east = (double)(cell.column + 1) * width - 180;
    *south = (double)cell.row * height - 90;
    *north = (double)(cell.row + 1) * height - 90;
}

size_t geohash_neighbors(struct geohash cell, struct geohash out[GEOHASH_NEIGHBORS_MAX])
{
    static const int8_t steps[GEOHASH_NEIGHBORS_MAX][2] = {{-1, -1}, {-1, 1}, {1, -1}, {0, 1},
                                                           {-1, 0},  {1, 1},  {1, 0},  {0, -1}};
    uint64_t columns = UINT64_C(1) << column_bits(cell.length);
    uint64_t rows = UINT64_C(1) << row_bits(cell.length);
    size_t count = 0;
    for (size_t i = 0; i < GEOHASH_NEIGHBORS_MAX; i++) {
        int64_t row = (int64_t)cell.row + steps[i][1];
        if (row < 0 || row >= (int64_t)rows) continue;
        out[count++] = (struct geohash){
            .column = (cell.column + columns + (uint64_t)(int64_t)steps[i][0]) % columns,
            .row = (uint64_t)row,
            .length = cell.length};
    }
    return count;
}
