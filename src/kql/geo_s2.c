#include "kql/geo_s2.h"

#include <math.h>

/* The curve visits the four quarters of a cell in an order that depends on the cell's orientation: bit
 * 0 swaps the axes, bit 1 turns the curve around. A quarter is named by 2 i + j. */
static const uint8_t quarter_at[4][4] = {{0, 1, 3, 2}, {0, 2, 3, 1}, {3, 2, 0, 1}, {3, 1, 0, 2}};
static const uint8_t position_of[4][4] = {{0, 1, 3, 2}, {0, 3, 1, 2}, {2, 3, 1, 0}, {2, 1, 3, 0}};
/* What a step into the position-th quarter does to the orientation. */
static const uint8_t turn_at[4] = {1, 0, 0, 3};

#define SIDE_CELLS (INT64_C(1) << S2_LEVEL_MAX) /* leaf cells along the side of a face */

static uint64_t lowest_bit(uint64_t id) { return id & (~id + 1); }
static uint64_t level_bit(int level) { return UINT64_C(1) << (2 * (S2_LEVEL_MAX - level)); }

bool s2_valid(uint64_t id)
{
    return (id >> 61) < S2_FACES && (lowest_bit(id) & UINT64_C(0x1555555555555555)) != 0;
}

int s2_level(uint64_t id) { return S2_LEVEL_MAX - __builtin_ctzll(id) / 2; }

uint64_t s2_parent(uint64_t id, int level)
{
    uint64_t bit = level_bit(level);
    return (id & (~bit + 1)) | bit;
}

uint64_t s2_child(uint64_t id, int index)
{
    uint64_t bit = lowest_bit(id), quarter = bit >> 2;
    return id - bit + (uint64_t)(2 * index + 1) * quarter;
}

uint64_t s2_face(int face) { return ((uint64_t)face << 61) | level_bit(0); }

/* ---- cube faces ----------------------------------------------------------------------------------- */

/* A quadratic curve that makes the cells of a level more alike in area than the plain projection. */
static double s_to_u(double s)
{
    return s >= 0.5 ? (4 * s * s - 1) / 3 : (1 - 4 * (1 - s) * (1 - s)) / 3;
}
static double u_to_s(double u)
{
    return u >= 0 ? 0.5 * sqrt(1 + 3 * u) : 1 - 0.5 * sqrt(1 - 3 * u);
}

static struct geo_vec face_point(int face, double u, double v)
{
    switch (face) {
    case 0:
        return (struct geo_vec){1, u, v};
    case 1:
        return (struct geo_vec){-u, 1, v};
    case 2:
        return (struct geo_vec){-u, -v, 1};
    case 3:
        return (struct geo_vec){-1, -v, -u};
    case 4:
        return (struct geo_vec){v, -1, -u};
    default:
        return (struct geo_vec){v, u, -1};
    }
}

static int face_of(struct geo_vec p, double *u, double *v)
{
    double ax = fabs(p.x), ay = fabs(p.y), az = fabs(p.z);
    if (ax >= ay && ax >= az) {
        *u = p.x > 0 ? p.y / p.x : p.z / p.x;
        *v = p.x > 0 ? p.z / p.x : p.y / p.x;
        return p.x > 0 ? 0 : 3;
    }
    if (ay >= az) {
        *u = p.y > 0 ? -p.x / p.y : p.z / p.y;
        *v = p.y > 0 ? p.z / p.y : -p.x / p.y;
        return p.y > 0 ? 1 : 4;
    }
    *u = p.z > 0 ? -p.x / p.z : -p.y / p.z;
    *v = p.z > 0 ? -p.y / p.z : -p.x / p.z;
    return p.z > 0 ? 2 : 5;
}

static int64_t s_to_cell(double s)
{
    int64_t cell = (int64_t)floor(s * (double)SIDE_CELLS);
    return cell < 0 ? 0 : cell >= SIDE_CELLS ? SIDE_CELLS - 1 : cell;
}

/* ---- the curve ------------------------------------------------------------------------------------ */

static uint64_t leaf_at(int face, int64_t i, int64_t j)
{
    uint64_t id = (uint64_t)face;
    unsigned orient = face & 1;
    for (int bit = S2_LEVEL_MAX - 1; bit >= 0; bit--) {
        unsigned quarter = (unsigned)(((i >> bit) & 1) << 1 | ((j >> bit) & 1));
        unsigned position = position_of[orient][quarter];
        id = id << 2 | position;
        orient ^= turn_at[position];
    }
    return id << 1 | 1;
}

/* The lowest leaf coordinates of a cell and its side in leaf cells. */
static int cell_square(uint64_t id, int64_t *i, int64_t *j, int64_t *side)
{
    int face = (int)(id >> 61), level = s2_level(id);
    unsigned orient = face & 1;
    *i = *j = 0;
    for (int at = 1; at <= level; at++) {
        unsigned position = (unsigned)(id >> (61 - 2 * at)) & 3;
        unsigned quarter = quarter_at[orient][position];
        *i = *i << 1 | quarter >> 1;
        *j = *j << 1 | (quarter & 1);
        orient ^= turn_at[position];
    }
    *side = INT64_C(1) << (S2_LEVEL_MAX - level);
    *i *= *side;
    *j *= *side;
    return face;
}

uint64_t s2_from_point(struct geo_vec p, int level)
{
    double u, v;
    int face = face_of(p, &u, &v);
    return s2_parent(leaf_at(face, s_to_cell(u_to_s(u)), s_to_cell(u_to_s(v))), level);
}

static struct geo_vec point_at(int face, double i, double j)
{
    double side = (double)SIDE_CELLS;
    return geo_unit(face_point(face, s_to_u(i / side), s_to_u(j / side)));
}

struct geo_vec s2_center(uint64_t id)
{
    int64_t i, j, side;
    int face = cell_square(id, &i, &j, &side);
    return point_at(face, (double)i + (double)side / 2, (double)j + (double)side / 2);
}

void s2_corners(uint64_t id, struct geo_vec out[4])
{
    int64_t i, j, side;
    int face = cell_square(id, &i, &j, &side);
    out[0] = point_at(face, (double)i, (double)j);
    out[1] = point_at(face, (double)(i + side), (double)j);
    out[2] = point_at(face, (double)(i + side), (double)(j + side));
    out[3] = point_at(face, (double)i, (double)(j + side));
}

/* The leaf at (i, j) of a face, where i and j may lie off the face by up to its side. */
static uint64_t leaf_around(int face, int64_t i, int64_t j)
{
    if (i >= 0 && j >= 0 && i < SIDE_CELLS && j < SIDE_CELLS) return leaf_at(face, i, j);
    /* One leaf beyond the rim is enough to land on the right face: take the cell's middle there in the
     * plain projection, which is nearly even close to the rim. */
    i = i < -1 ? -1 : i > SIDE_CELLS ? SIDE_CELLS : i;
    j = j < -1 ? -1 : j > SIDE_CELLS ? SIDE_CELLS : j;
    double side = (double)SIDE_CELLS, rim = nextafter(1, 2);
    double u = (2 * (double)i + 1) / side - 1, v = (2 * (double)j + 1) / side - 1;
    u = u < -rim ? -rim : u > rim ? rim : u;
    v = v < -rim ? -rim : v > rim ? rim : v;
    int to = face_of(face_point(face, u, v), &u, &v);
    return leaf_at(to, s_to_cell((u + 1) / 2), s_to_cell((v + 1) / 2));
}

size_t s2_neighbors(uint64_t id, uint64_t out[S2_NEIGHBORS_MAX])
{
    static const int8_t steps[S2_NEIGHBORS_MAX][2] = {{1, 1}, {-1, -1}, {1, -1}, {0, -1},
                                                      {0, 1}, {1, 0},   {-1, 0}, {-1, 1}};
    int64_t i, j, side;
    int face = cell_square(id, &i, &j, &side), level = s2_level(id);
    size_t count = 0;
    for (size_t s = 0; s < S2_NEIGHBORS_MAX; s++) {
        uint64_t leaf = leaf_around(face, i + steps[s][0] * side, j + steps[s][1] * side);
        uint64_t cell = s2_parent(leaf, level);
        bool seen = cell == id;
        for (size_t k = 0; k < count; k++) seen |= out[k] == cell;
        if (!seen) out[count++] = cell;
    }
    return count;
}

/* ---- tokens ---------------------------------------------------------------------------------------- */

static int hex_digit(uint8_t c)
{
    if (rf_is_digit(c)) return c - '0';
    c = rf_lower(c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool s2_parse(rf_str token, uint64_t *out)
{
    if (token.len == 0 || token.len > S2_TOKEN_MAX) return false;
    uint64_t id = 0;
    for (size_t i = 0; i < S2_TOKEN_MAX; i++) {
        int digit = i < token.len ? hex_digit(token.ptr[i]) : 0;
        if (digit < 0) return false;
        id = id << 4 | (uint64_t)digit;
    }
    if (!s2_valid(id)) return false;
    *out = id;
    return true;
}

size_t s2_print(uint64_t id, char out[S2_TOKEN_MAX])
{
    size_t len = 0;
    for (; id != 0; id <<= 4) out[len++] = "0123456789abcdef"[id >> 60];
    return len;
}
