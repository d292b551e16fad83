#include "kql/geo_sphere.h"

#include <float.h>
#include <math.h>

double geo_norm(struct geo_vec a) { return sqrt(geo_dot(a, a)); }

struct geo_vec geo_unit(struct geo_vec a)
{
    double norm = geo_norm(a);
    return norm > 0 ? geo_scale(a, 1 / norm) : a;
}

struct geo_vec geo_normal(struct geo_vec a, struct geo_vec b)
{
    /* (a + b) x (b - a) = 2 (a x b), but the difference of near points loses no digits. */
    return geo_cross(geo_add(a, b), geo_sub(b, a));
}

struct geo_vec geo_ortho(struct geo_vec a)
{
    /* Crossed with an axis far from `a`, made slightly skew so that the answer does not lie on the
     * meridians and parallels that people draw borders on. It decides which of the polygons around a
     * point holds that point, so these are the axes of S2, which Kusto uses. */
    struct geo_vec skew = {0.012, 0.0053, 0.00457};
    double x = fabs(a.x), y = fabs(a.y), z = fabs(a.z);
    if (x > y && x > z)
        skew.z = 1;
    else if (y > z)
        skew.x = 1;
    else
        skew.y = 1;
    return geo_unit(geo_cross(a, skew));
}

bool geo_degrees_valid(double lon, double lat)
{
    return fabs(lon) <= 180 && fabs(lat) <= 90; /* nan fails both */
}

/* Keeps coordinates far from where products underflow, which the exact signs below rely on. */
static double without_dust(double x) { return fabs(x) < 1e-60 ? 0 : x; }

struct geo_vec geo_from_degrees(double lon, double lat)
{
    double phi = lat * GEO_RADIANS, theta = lon * GEO_RADIANS, cos_phi = cos(phi);
    /* 180 and -180 are the same meridian and must give the same point. */
    double sin_theta = fabs(lon) == 180 ? 0 : sin(theta);
    if (fabs(lat) == 90) return (struct geo_vec){0, 0, lat > 0 ? 1 : -1};
    return (struct geo_vec){without_dust(cos(theta) * cos_phi), without_dust(sin_theta * cos_phi),
                            without_dust(sin(phi))};
}

struct geo_point geo_point_of(double lon, double lat)
{
    return (struct geo_point){.at = geo_from_degrees(lon, lat), .lon = lon, .lat = lat};
}

struct geo_point geo_point_at(struct geo_vec at)
{
    double x = at.x + 0.0, y = at.y + 0.0,
           z = at.z + 0.0; /* a negative zero would turn longitudes round */
    return (struct geo_point){.at = at,
                              .lon = atan2(y, x) / GEO_RADIANS,
                              .lat = atan2(z, sqrt(x * x + y * y)) / GEO_RADIANS};
}

double geo_angle_between(struct geo_vec a, struct geo_vec b)
{
    return atan2(geo_norm(geo_normal(a, b)) / 2, geo_dot(a, b));
}

struct geo_vec geo_interpolate(struct geo_vec a, struct geo_vec b, double t)
{
    if (t == 0) return a;
    if (t == 1) return b;
    double whole = geo_angle_between(a, b);
    struct geo_vec side = geo_cross(geo_unit(geo_normal(a, b)), a);
    return geo_unit(geo_add(geo_scale(a, cos(t * whole)), geo_scale(side, sin(t * whole))));
}

/* Unit vectors to the north and to the east at `at`; at the poles any pair will do. */
static void compass(struct geo_vec at, struct geo_vec *north, struct geo_vec *east)
{
    struct geo_vec pole = {0, 0, 1};
    *east = geo_cross(pole, at);
    if (geo_norm(*east) < 1e-15) *east = (struct geo_vec){0, 1, 0};
    *east = geo_unit(*east);
    *north = geo_cross(at, *east);
}

struct geo_vec geo_travel(struct geo_vec from, double azimuth, double distance)
{
    struct geo_vec north, east;
    compass(from, &north, &east);
    struct geo_vec ahead = geo_add(geo_scale(north, cos(azimuth)), geo_scale(east, sin(azimuth)));
    return geo_unit(geo_add(geo_scale(from, cos(distance)), geo_scale(ahead, sin(distance))));
}

bool geo_azimuth(struct geo_vec a, struct geo_vec b, double *out)
{
    if (geo_norm(geo_normal(a, b)) < 1e-15) return false;
    struct geo_vec north, east, step = geo_sub(b, a);
    compass(a, &north, &east);
    double angle = atan2(geo_dot(step, east), geo_dot(step, north));
    if (angle < 0) angle += 2 * GEO_PI;
    *out = angle >= 2 * GEO_PI ? 0 : angle;
    return true;
}

/* ---- exact signs -------------------------------------------------------------------------------- */

/* A sum of doubles kept without rounding: components grow in size and do not overlap, so the last one
 * that is not zero carries the sign. */
struct exact {
    double parts[24];
    int count;
};

static void exact_add(struct exact *sum, double value)
{
    for (int i = 0; i < sum->count; i++) {
        double part = sum->parts[i], total = value + part, shift = total - value;
        sum->parts[i] = (value - (total - shift)) + (part - shift);
        value = total;
    }
    sum->parts[sum->count++] = value;
}

/* Adds sign * a * b * c, as four exact terms. */
static void exact_add_product(struct exact *sum, double sign, double a, double b, double c)
{
    double high = sign * a * b, low = fma(sign * a, b, -high);
    double high_c = high * c, low_c = low * c;
    exact_add(sum, fma(low, c, -low_c));
    exact_add(sum, low_c);
    exact_add(sum, fma(high, c, -high_c));
    exact_add(sum, high_c);
}

static int exact_sign(const struct exact *sum)
{
    for (int i = sum->count; i-- > 0;)
        if (sum->parts[i] != 0) return sum->parts[i] > 0 ? 1 : -1;
    return 0;
}

static int sign_of(double x) { return (x > 0) - (x < 0); }

static int sign_of_det3(struct geo_vec a, struct geo_vec b, struct geo_vec c)
{
    struct exact sum = {.count = 0};
    exact_add_product(&sum, 1, a.x, b.y, c.z);
    exact_add_product(&sum, -1, a.x, b.z, c.y);
    exact_add_product(&sum, 1, a.y, b.z, c.x);
    exact_add_product(&sum, -1, a.y, b.x, c.z);
    exact_add_product(&sum, 1, a.z, b.x, c.y);
    exact_add_product(&sum, -1, a.z, b.y, c.x);
    return exact_sign(&sum);
}

/* Sign of p q - r s. */
static int sign_of_det2(double p, double q, double r, double s)
{
    struct exact sum = {.count = 0};
    exact_add_product(&sum, 1, p, q, 1);
    exact_add_product(&sum, -1, r, s, 1);
    return exact_sign(&sum);
}

static int vec_order(struct geo_vec a, struct geo_vec b)
{
    if (a.x != b.x) return a.x < b.x ? -1 : 1;
    if (a.y != b.y) return a.y < b.y ? -1 : 1;
    return a.z == b.z ? 0 : a.z < b.z ? -1 : 1;
}

static void vec_swap(struct geo_vec *a, struct geo_vec *b)
{
    struct geo_vec keep = *a;
    *a = *b;
    *b = keep;
}

/* The sign for three points on one great circle, by simulation of simplicity: each coordinate is
 * thought to be moved by an amount of its own, infinitely larger for a.z than for a.y, for a.x, for
 * b.z and so on (a < b < c), and the first term of the determinant that does not vanish decides. */
static int sign_of_moved(struct geo_vec a, struct geo_vec b, struct geo_vec c)
{
    const int terms[] = {
        sign_of_det2(b.x, c.y, b.y, c.x),
        sign_of_det2(b.z, c.x, b.x, c.z),
        sign_of_det2(b.y, c.z, b.z, c.y),
        sign_of_det2(c.x, a.y, c.y, a.x),
        sign_of(c.x),
        -sign_of(c.y),
        sign_of_det2(c.z, a.x, c.x, a.z),
        sign_of(c.z),
        sign_of_det2(a.x, b.y, a.y, b.x),
        -sign_of(b.x),
        sign_of(b.y),
        sign_of(a.x),
    };
    for (size_t i = 0; i < RF_COUNT(terms); i++)
        if (terms[i] != 0) return terms[i];
    return 1;
}

static int turn_exact(struct geo_vec a, struct geo_vec b, struct geo_vec c)
{
    if (geo_same(a, b) || geo_same(b, c) || geo_same(c, a)) return 0;
    int flip = 1;
    if (vec_order(a, b) > 0) vec_swap(&a, &b), flip = -flip;
    if (vec_order(b, c) > 0) vec_swap(&b, &c), flip = -flip;
    if (vec_order(a, b) > 0) vec_swap(&a, &b), flip = -flip;
    int sign = sign_of_det3(a, b, c);
    return flip * (sign != 0 ? sign : sign_of_moved(a, b, c));
}

int geo_turn(struct geo_vec a, struct geo_vec b, struct geo_vec c)
{
    double det = geo_dot(geo_cross(a, b), c);
    if (fabs(det) > 8 * DBL_EPSILON) return det > 0 ? 1 : -1;
    return turn_exact(a, b, c);
}

/* ---- edges --------------------------------------------------------------------------------------- */

bool geo_ordered_ccw(struct geo_vec a, struct geo_vec b, struct geo_vec c, struct geo_vec o)
{
    int lefts = (geo_turn(b, o, a) >= 0) + (geo_turn(c, o, b) >= 0) + (geo_turn(a, o, c) > 0);
    return lefts >= 2;
}

bool geo_edges_cross(struct geo_vec a, struct geo_vec b, struct geo_vec c, struct geo_vec d)
{
    int abc = geo_turn(a, b, c);
    if (abc == 0 || geo_turn(a, b, d) != -abc) return false;
    /* c and d lie on different sides of ab, so it remains that a and b do so of cd, the same way. */
    return geo_turn(c, d, a) == -abc && geo_turn(c, d, b) == abc;
}

bool geo_edges_cross_parity(struct geo_vec a, struct geo_vec b, struct geo_vec c, struct geo_vec d)
{
    if (geo_same(a, b) || geo_same(c, d)) return false;
    if (geo_same(a, c)) return geo_same(b, d) || geo_ordered_ccw(geo_ortho(a), d, b, a);
    if (geo_same(b, d)) return geo_ordered_ccw(geo_ortho(b), c, a, b);
    if (geo_same(a, d)) return geo_same(b, c) || geo_ordered_ccw(geo_ortho(a), c, b, a);
    if (geo_same(b, c)) return geo_ordered_ccw(geo_ortho(b), d, a, b);
    return geo_edges_cross(a, b, c, d);
}

struct geo_vec geo_edges_meet(struct geo_vec a, struct geo_vec b, struct geo_vec c,
                              struct geo_vec d)
{
    struct geo_vec ab = geo_unit(geo_normal(a, b)), cd = geo_unit(geo_normal(c, d));
    struct geo_vec meet = geo_normal(ab, cd);
    struct geo_vec middle = geo_add(geo_add(a, b), geo_add(c, d));
    if (geo_norm(meet) < 1e-12) {
        /* Nearly the same line: any end that lies within the other edge is as good as the crossing. */
        const struct geo_vec ends[4] = {a, b, c, d};
        struct geo_vec best = a;
        double nearest = DBL_MAX;
        for (int i = 0; i < 4; i++) {
            double off =
                i < 2 ? geo_distance_to_edge(ends[i], c, d) : geo_distance_to_edge(ends[i], a, b);
            if (off < nearest) nearest = off, best = ends[i];
        }
        return best;
    }
    if (geo_dot(meet, middle) < 0) meet = geo_scale(meet, -1);
    return geo_unit(meet);
}

struct geo_vec geo_nearest_on_edge(struct geo_vec p, struct geo_vec a, struct geo_vec b)
{
    struct geo_vec normal = geo_normal(a, b);
    if (geo_norm(normal) < DBL_MIN) return a;
    normal = geo_unit(normal);
    struct geo_vec foot = geo_sub(p, geo_scale(normal, geo_dot(p, normal)));
    if (geo_norm(foot) > 1e-15) {
        foot = geo_unit(foot);
        if (geo_dot(geo_cross(normal, a), foot) > 0 && geo_dot(geo_cross(b, normal), foot) > 0)
            return foot;
    }
    return geo_norm(geo_sub(p, a)) <= geo_norm(geo_sub(p, b)) ? a : b;
}

double geo_distance_to_edge(struct geo_vec p, struct geo_vec a, struct geo_vec b)
{
    return geo_angle_between(p, geo_nearest_on_edge(p, a, b));
}

double geo_edge_distance(struct geo_vec a, struct geo_vec b, struct geo_vec c, struct geo_vec d)
{
    if (geo_edges_cross(a, b, c, d)) return 0;
    double ends_a = fmin(geo_distance_to_edge(a, c, d), geo_distance_to_edge(b, c, d));
    double ends_c = fmin(geo_distance_to_edge(c, a, b), geo_distance_to_edge(d, a, b));
    return fmin(ends_a, ends_c);
}

double geo_triangle_area(struct geo_vec a, struct geo_vec b, struct geo_vec c)
{
    /* Differences first: the determinant of near points would lose its digits. */
    double det = geo_dot(a, geo_cross(geo_sub(b, a), geo_sub(c, a)));
    return 2 * atan2(det, 1 + geo_dot(a, b) + geo_dot(b, c) + geo_dot(c, a));
}

/* ---- the spheroid -------------------------------------------------------------------------------- */

/* T. Vincenty, "Direct and inverse solutions of geodesics on the ellipsoid", Survey Review 1975. */
double geo_spheroid_metres(double lon1, double lat1, double lon2, double lat2)
{
    const double major = 6378137.0, flat = 1 / 298.257223563, minor = major * (1 - flat);
    double reduced1 = atan((1 - flat) * tan(lat1 * GEO_RADIANS));
    double reduced2 = atan((1 - flat) * tan(lat2 * GEO_RADIANS));
    double sin1 = sin(reduced1), cos1 = cos(reduced1), sin2 = sin(reduced2), cos2 = cos(reduced2);
    double longitude = (lon2 - lon1) * GEO_RADIANS, lambda = longitude;
    for (int round = 0; round < 200; round++) {
        double across = cos2 * sin(lambda), along = cos1 * sin2 - sin1 * cos2 * cos(lambda);
        double sin_sigma = sqrt(across * across + along * along);
        double cos_sigma = sin1 * sin2 + cos1 * cos2 * cos(lambda);
        if (sin_sigma < 1e-15 && cos_sigma > 0) return 0;
        if (sin_sigma < 1e-15) break;
        double sigma = atan2(sin_sigma, cos_sigma);
        double sin_alpha = cos1 * cos2 * sin(lambda) / sin_sigma;
        double cos2_alpha = 1 - sin_alpha * sin_alpha;
        double middle = cos2_alpha > 1e-15 ? cos_sigma - 2 * sin1 * sin2 / cos2_alpha : 0;
        double c = flat / 16 * cos2_alpha * (4 + flat * (4 - 3 * cos2_alpha));
        double before = lambda, middle2 = 2 * middle * middle - 1;
        lambda = longitude + (1 - c) * flat * sin_alpha *
                                 (sigma + c * sin_sigma * (middle + c * cos_sigma * middle2));
        if (fabs(lambda) > 2 * GEO_PI) break;
        if (fabs(lambda - before) > 1e-13) continue;

        double u2 = cos2_alpha * (major * major - minor * minor) / (minor * minor);
        double big_a = 1 + u2 / 16384 * (4096 + u2 * (-768 + u2 * (320 - 175 * u2)));
        double big_b = u2 / 1024 * (256 + u2 * (-128 + u2 * (74 - 47 * u2)));
        double third = big_b / 6 * middle * (4 * sin_sigma * sin_sigma - 3) * (2 * middle2 - 1);
        double shift = big_b * sin_sigma * (middle + big_b / 4 * (cos_sigma * middle2 - third));
        return minor * big_a * (sigma - shift);
    }
    return GEO_EARTH_RADIUS *
           geo_angle_between(geo_from_degrees(lon1, lat1), geo_from_degrees(lon2, lat2));
}
