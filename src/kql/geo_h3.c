#include "kql/geo_h3.h"

#include <math.h>

#include "kql/geo_h3_int.h"

#define SQRT3 1.7320508075688772
#define CLASS3_TURN                                                                                \
    0.33347317225183211534               /* of odd resolutions against even ones: atan(sqrt(3)/5) */
#define BASE_UNIT 0.38196601125010500003 /* spacing of the coarsest grid on a face's plane */
#define CORNER_WEIGHT 2.0                /* from a face's centre to its corner, in that spacing */

/* Directions from a centre, numbered as in cell ids by i, j, k as bits 4, 2, 1. */
enum { DIR_CENTER, DIR_K, DIR_J, DIR_JK, DIR_I, DIR_IK, DIR_IJ, DIR_NONE };
static const uint8_t turned_left[8] = {0, DIR_IK, DIR_JK, DIR_K, DIR_IJ, DIR_I, DIR_J, DIR_NONE};
static const uint8_t turned_right[8] = {0, DIR_JK, DIR_IJ, DIR_J, DIR_IK, DIR_K, DIR_I, DIR_NONE};

/* Hexagon coordinates along three axes 120 degrees apart; the smallest is 0 when normal. */
struct ijk {
    int64_t i, j, k;
};
/* A point on the plane of a face: x along the i axis, in spacings of the coarsest grid. */
struct flat {
    int face;
    double x, y;
};

/* ---- ids ------------------------------------------------------------------------------------------ */

int h3_resolution(uint64_t cell) { return (int)(cell >> 52 & 15); }
static int base_of(uint64_t cell) { return (int)(cell >> 45 & 127); }
static int digit_shift(int level) { return 3 * (H3_RESOLUTION_MAX - level); }
static unsigned digit_of(uint64_t cell, int level)
{
    return (unsigned)(cell >> digit_shift(level)) & 7;
}

static uint64_t with_digit(uint64_t cell, int level, unsigned digit)
{
    uint64_t mask = UINT64_C(7) << digit_shift(level);
    return (cell & ~mask) | (uint64_t)digit << digit_shift(level);
}

static uint64_t with_resolution(uint64_t cell, int resolution)
{
    return (cell & ~(UINT64_C(15) << 52)) | (uint64_t)resolution << 52;
}

static uint64_t make_id(int resolution, int base)
{
    uint64_t unused = (UINT64_C(1) << digit_shift(0)) - 1;
    return UINT64_C(1) << 59 | (uint64_t)resolution << 52 | (uint64_t)base << 45 | unused;
}

static const uint8_t *pentagon_of(int base)
{
    for (int i = 0; i < H3_PENTAGONS; i++)
        if (h3_pentagons[i][0] == base) return h3_pentagons[i];
    return NULL;
}

/* The first digit that is not the centre; DIR_CENTER when all are. */
static unsigned leading_digit(uint64_t cell)
{
    for (int level = 1; level <= h3_resolution(cell); level++)
        if (digit_of(cell, level) != DIR_CENTER) return digit_of(cell, level);
    return DIR_CENTER;
}

bool h3_is_pentagon(uint64_t cell)
{
    return pentagon_of(base_of(cell)) != NULL && leading_digit(cell) == DIR_CENTER;
}

bool h3_valid(uint64_t cell)
{
    if (cell >> 63 != 0 || (cell >> 59 & 15) != 1 || (cell >> 56 & 7) != 0) return false;
    if (base_of(cell) >= H3_BASE_CELLS) return false;
    for (int level = 1; level <= H3_RESOLUTION_MAX; level++)
        if ((digit_of(cell, level) == DIR_NONE) != (level > h3_resolution(cell))) return false;
    /* A pentagon has no sixth in direction k. */
    return pentagon_of(base_of(cell)) == NULL || leading_digit(cell) != DIR_K;
}

bool h3_parse(rf_str text, uint64_t *out)
{
    uint64_t cell = 0;
    if (text.len == 0 || text.len > H3_TEXT_MAX) return false;
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = rf_lower(text.ptr[i]);
        if (!rf_is_digit(c) && !(c >= 'a' && c <= 'f')) return false;
        cell = cell << 4 | (uint64_t)(rf_is_digit(c) ? c - '0' : c - 'a' + 10);
    }
    if (!h3_valid(cell)) return false;
    *out = cell;
    return true;
}

size_t h3_print(uint64_t cell, char out[H3_TEXT_MAX])
{
    size_t len = 0;
    for (int shift = 56; shift >= 0; shift -= 4)
        out[len++] = "0123456789abcdef"[cell >> shift & 15];
    return len;
}

uint64_t h3_parent(uint64_t cell, int resolution)
{
    for (int level = resolution + 1; level <= h3_resolution(cell); level++)
        cell = with_digit(cell, level, DIR_NONE);
    return with_resolution(cell, resolution);
}

uint64_t h3_first_child(uint64_t cell, int resolution)
{
    for (int level = h3_resolution(cell) + 1; level <= resolution; level++)
        cell = with_digit(cell, level, DIR_CENTER);
    return with_resolution(cell, resolution);
}

uint64_t h3_next_child(uint64_t child, int top_resolution)
{
    for (int level = h3_resolution(child); level > top_resolution; level--) {
        unsigned digit = digit_of(child, level);
        if (digit < DIR_IJ) {
            uint64_t next = with_digit(child, level, digit + 1);
            return h3_valid(next) ? next : h3_next_child(next, top_resolution);
        }
        child = with_digit(child, level, DIR_CENTER);
    }
    return 0;
}

uint64_t h3_child_count(uint64_t cell, int resolution)
{
    uint64_t count = 1;
    for (int level = h3_resolution(cell); level < resolution; level++) count *= 7;
    return h3_is_pentagon(cell) ? 1 + 5 * (count - 1) / 6 : count;
}

/* ---- turning whole ids ---------------------------------------------------------------------------- */

static uint64_t turn_all(uint64_t cell, const uint8_t turned[8])
{
    for (int level = 1; level <= h3_resolution(cell); level++)
        cell = with_digit(cell, level, turned[digit_of(cell, level)]);
    return cell;
}

/* A turn to the left about a pentagon steps over its missing sixth. */
static uint64_t turn_pentagon_left(uint64_t cell)
{
    cell = turn_all(cell, turned_left);
    return leading_digit(cell) == DIR_K ? turn_all(cell, turned_left) : cell;
}

/* ---- hexagon coordinates -------------------------------------------------------------------------- */

static struct ijk normal(struct ijk c)
{
    int64_t least = RF_MIN(c.i, RF_MIN(c.j, c.k));
    return (struct ijk){c.i - least, c.j - least, c.k - least};
}

static struct ijk ijk_of(double x, double y)
{
    /* In the axes of i and -k, 60 degrees apart, a point is a, b; with c = -a - b the three are rounded
     * and the one that moved most gives way, so that they add up to 0 again. */
    double b = y * 2 / SQRT3, a = x - b / 2, c = -a - b;
    double ra = round(a), rb = round(b), rc = round(c);
    double da = fabs(ra - a), db = fabs(rb - b), dc = fabs(rc - c);
    if (da > db && da > dc)
        ra = -rb - rc;
    else if (db > dc)
        rb = -ra - rc;
    return normal((struct ijk){(int64_t)(ra + rb), (int64_t)rb, 0});
}

static int64_t rounded_seventh(int64_t n) { return n >= 0 ? (n + 3) / 7 : -((-n + 3) / 7); }

/* The parent's coordinates; its grid is turned to the right of an odd level's, to the left of an even
 * one's. */
static struct ijk ijk_up(struct ijk c, bool odd)
{
    int64_t i = c.i - c.k, j = c.j - c.k;
    return odd ? normal((struct ijk){rounded_seventh(3 * i - j), rounded_seventh(i + 2 * j), 0})
               : normal((struct ijk){rounded_seventh(2 * i + j), rounded_seventh(3 * j - i), 0});
}

/* The centre of a parent in the coordinates of its children at an odd or even level. */
static struct ijk ijk_down(struct ijk c, bool odd)
{
    return odd ? normal((struct ijk){3 * c.i + c.j, 3 * c.j + c.k, c.i + 3 * c.k})
               : normal((struct ijk){3 * c.i + c.k, c.i + 3 * c.j, c.j + 3 * c.k});
}

static unsigned direction_between(struct ijk from, struct ijk to)
{
    struct ijk step = normal((struct ijk){to.i - from.i, to.j - from.j, to.k - from.k});
    return (unsigned)((step.i & 1) << 2 | (step.j & 1) << 1 | (step.k & 1));
}

static struct ijk ijk_step(struct ijk c, unsigned direction)
{
    return normal((struct ijk){c.i + (direction >> 2 & 1), c.j + (direction >> 1 & 1),
                               c.k + (direction & 1)});
}

/* ---- planes --------------------------------------------------------------------------------------- */

static double level_scale(int resolution) { return pow(7, resolution / 2.0); }

static double level_turn(int resolution) { return resolution % 2 == 1 ? CLASS3_TURN : 0; }

static struct flat flat_step(struct flat from, double angle, double length)
{
    return (struct flat){from.face, from.x + length * cos(angle), from.y + length * sin(angle)};
}

static struct flat flat_of(struct ijk c, int face, int resolution)
{
    double x = (double)c.i - (double)(c.j + c.k) / 2, y = (double)(c.j - c.k) * SQRT3 / 2;
    double turn = level_turn(resolution), scale = level_scale(resolution);
    return (struct flat){face, (x * cos(turn) - y * sin(turn)) / scale,
                         (x * sin(turn) + y * cos(turn)) / scale};
}

static struct ijk ijk_of_flat(struct flat p, int resolution)
{
    double turn = -level_turn(resolution), scale = level_scale(resolution);
    return ijk_of((p.x * cos(turn) - p.y * sin(turn)) * scale,
                  (p.x * sin(turn) + p.y * cos(turn)) * scale);
}

static struct flat flat_from_sphere(struct geo_vec p)
{
    int face = 0;
    double best = -2;
    for (int f = 0; f < H3_FACES; f++) {
        double near = geo_dot(p, h3_faces[f].center);
        if (near > best) best = near, face = f;
    }
    const struct h3_face *of = &h3_faces[face];
    struct geo_vec side = geo_cross(of->center, of->axis);
    double scale = 1 / (best * BASE_UNIT);
    return (struct flat){face, geo_dot(p, of->axis) * scale, geo_dot(p, side) * scale};
}

static struct geo_vec sphere_from_flat(struct flat p)
{
    const struct h3_face *of = &h3_faces[p.face];
    struct geo_vec side = geo_cross(of->center, of->axis);
    struct geo_vec on_plane =
        geo_add(geo_scale(of->axis, p.x * BASE_UNIT), geo_scale(side, p.y * BASE_UNIT));
    return geo_unit(geo_add(of->center, on_plane));
}

/* A point as a weighted sum of the face's three corners; the weights add up to CORNER_WEIGHT and one is
 * negative where the point lies beyond the edge opposite that corner. */
static void weights_of(struct flat p, double weights[3])
{
    weights[0] = (2 * p.x + CORNER_WEIGHT) / 3;
    weights[1] = (-p.x + p.y * SQRT3 + CORNER_WEIGHT) / 3;
    weights[2] = (-p.x - p.y * SQRT3 + CORNER_WEIGHT) / 3;
}

/* Seen from the face across the edge opposite corner `corner`: unfolded, that face's third corner is
 * the mirror image, the sum of the two shared ones minus ours. */
static struct flat cross_edge(struct flat p, int corner)
{
    double weights[3], there[3] = {0, 0, 0};
    weights_of(p, weights);
    const struct h3_face *from = &h3_faces[p.face];
    int face = from->across[corner];
    const struct h3_face *to = &h3_faces[face];
    for (int t = 0; t < 3; t++) {
        there[t] = -weights[corner];
        for (int f = 0; f < 3; f++)
            if (from->corners[f] == to->corners[t]) there[t] = weights[f] + weights[corner];
    }
    return (struct flat){face, there[0] - (there[1] + there[2]) / 2,
                         (there[1] - there[2]) * SQRT3 / 2};
}

static int least_weight(const double weights[3])
{
    /* Beyond a corner two may be equal; k, then j gives way first. */
    int least = weights[1] < weights[2] - 1e-9 ? 1 : 2;
    return weights[0] < weights[least] - 1e-9 ? 0 : least;
}

/* The same point on the face where it really lies. */
static struct flat onto_its_face(struct flat p)
{
    for (int round = 0; round < 6; round++) {
        double weights[3];
        weights_of(p, weights);
        int corner = least_weight(weights);
        if (weights[corner] > -1e-9) break; /* finer than the finest grid */
        p = cross_edge(p, corner);
    }
    return p;
}

/* ---- points and cells ----------------------------------------------------------------------------- */

static unsigned base_index(struct ijk base)
{
    unsigned i = (unsigned)RF_MIN(base.i, 2), j = (unsigned)RF_MIN(base.j, 2);
    return 9 * i + 3 * j + (unsigned)RF_MIN(base.k, 2);
}

static uint64_t cell_at(struct flat p, int resolution)
{
    uint64_t cell = make_id(resolution, 0);
    struct ijk at = ijk_of_flat(p, resolution);
    for (int level = resolution; level > 0; level--) {
        struct ijk up = ijk_up(at, level % 2 == 1);
        cell = with_digit(cell, level, direction_between(ijk_down(up, level % 2 == 1), at));
        at = up;
    }
    int base = h3_base_cell[p.face][base_index(at)], turns = h3_base_turn[p.face][base_index(at)];
    const uint8_t *pentagon = pentagon_of(base);
    cell |= (uint64_t)base << 45;
    if (pentagon == NULL) {
        for (int t = 0; t < turns; t++) cell = turn_all(cell, turned_left);
        return cell;
    }
    if (leading_digit(cell) == DIR_K) {
        bool right = pentagon[1] == p.face || pentagon[2] == p.face;
        cell = turn_all(cell, right ? turned_right : turned_left);
    }
    for (int t = 0; t < turns; t++) cell = turn_pentagon_left(cell);
    return cell;
}

uint64_t h3_from_point(struct geo_vec p, int resolution)
{
    return cell_at(flat_from_sphere(p), resolution);
}

/* The centre of a cell on the face where it lies. */
static struct flat flat_center(uint64_t cell)
{
    const uint8_t *home = h3_base_home[base_of(cell)];
    bool pentagon = pentagon_of(base_of(cell)) != NULL;
    unsigned leading = leading_digit(cell);
    /* The sixth that is missing around a pentagon lies between k and ik: those beyond it move up. */
    if (pentagon && leading == DIR_IK) cell = turn_all(cell, turned_right);
    struct ijk at = {home[1], home[2], home[3]};
    for (int level = 1; level <= h3_resolution(cell); level++)
        at = ijk_step(ijk_down(at, level % 2 == 1), digit_of(cell, level));
    struct flat p = flat_of(at, home[0], h3_resolution(cell));
    double weights[3];
    weights_of(p, weights);
    if (pentagon && leading == DIR_I && least_weight(weights) == 1 && weights[1] < -1e-9) {
        double x = p.x - CORNER_WEIGHT, half = 0.5, rise = SQRT3 / 2;
        p = (struct flat){p.face, CORNER_WEIGHT + x * half + p.y * rise, p.y * half - x * rise};
        p = cross_edge(p, 1);
    }
    return onto_its_face(p);
}

struct geo_vec h3_center(uint64_t cell) { return sphere_from_flat(flat_center(cell)); }

/* ---- borders -------------------------------------------------------------------------------------- */

/* Where the way from a to b, on the plane of one face, crosses an edge of that face. */
static bool bend_between(struct flat a, struct flat b, struct flat *out)
{
    double from[3], to[3];
    weights_of(a, from);
    weights_of(b, to);
    for (int corner = 0; corner < 3; corner++) {
        if (fabs(from[corner]) < 1e-9 || fabs(to[corner]) < 1e-9) continue;
        if ((from[corner] < 0) == (to[corner] < 0)) continue;
        double t = from[corner] / (from[corner] - to[corner]);
        *out = (struct flat){a.face, a.x + t * (b.x - a.x), a.y + t * (b.y - a.y)};
        return true;
    }
    return false;
}

/* All five edges of an odd level's pentagon bend over an edge of the icosahedron; on even levels the
 * corners lie there. */
static size_t pentagon_border(struct flat center, int resolution, struct geo_vec *out)
{
    size_t count = 0;
    double radius = 1 / (SQRT3 * level_scale(resolution)), turn = level_turn(resolution);
    for (int corner = 0; corner < 5; corner++) {
        double angle = GEO_PI / 6 + corner * GEO_PI / 3;
        out[count++] = sphere_from_flat(onto_its_face(flat_step(center, angle + turn, radius)));
        if (turn == 0) continue;
        double bend = radius * cos(GEO_PI / 6) / cos(GEO_PI / 6 - turn);
        out[count++] = sphere_from_flat(onto_its_face(flat_step(center, angle + GEO_PI / 3, bend)));
    }
    return count;
}

size_t h3_border(uint64_t cell, struct geo_vec out[H3_BORDER_MAX])
{
    struct flat center = flat_center(cell), corners[6], bend;
    int resolution = h3_resolution(cell);
    if (h3_is_pentagon(cell)) {
        const uint8_t *home = h3_base_home[base_of(cell)];
        center = (struct flat){home[0], CORNER_WEIGHT, 0};
        return pentagon_border(center, resolution, out);
    }
    double radius = 1 / (SQRT3 * level_scale(resolution));
    for (int i = 0; i < 6; i++)
        corners[i] =
            flat_step(center, GEO_PI / 6 + i * GEO_PI / 3 + level_turn(resolution), radius);
    size_t count = 0;
    for (int i = 0; i < 6; i++) {
        out[count++] = sphere_from_flat(onto_its_face(corners[i]));
        if (resolution % 2 == 1 && bend_between(corners[i], corners[(i + 1) % 6], &bend))
            out[count++] = sphere_from_flat(bend);
    }
    return count;
}

/* ---- neighbours ----------------------------------------------------------------------------------- */

/* By how many sixths the axes in the cell's id are turned against those of the face it lies on. */
static int axes_turn(struct flat center, int resolution)
{
    struct ijk at = ijk_of_flat(center, resolution);
    for (int level = resolution; level > 0; level--) at = ijk_up(at, level % 2 == 1);
    return h3_base_turn[center.face][base_index(at)];
}

size_t h3_neighbors(uint64_t cell, uint64_t out[H3_NEIGHBORS_MAX])
{
    int resolution = h3_resolution(cell);
    struct flat center = flat_center(cell);
    if (h3_is_pentagon(cell))
        center = (struct flat){h3_base_home[base_of(cell)][0], CORNER_WEIGHT, 0};
    double spacing = 1 / level_scale(resolution);
    int turns = axes_turn(center, resolution);
    size_t count = 0;
    for (int i = 0; i < 6; i++) {
        double angle = (i + 1 - turns) * GEO_PI / 3 + level_turn(resolution);
        struct geo_vec at = sphere_from_flat(onto_its_face(flat_step(center, angle, spacing)));
        uint64_t neighbor = h3_from_point(at, resolution);
        bool seen = neighbor == cell;
        for (size_t k = 0; k < count; k++) seen |= out[k] == neighbor;
        if (!seen) out[count++] = neighbor;
    }
    return count;
}
