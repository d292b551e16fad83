#include <math.h>

#include "kql/func_geo_int.h"
#include "kql/geo_buffer.h"
#include "kql/geo_wkt.h"

enum geo_result geo_row_angle(struct geo_row *row)
{
    struct geo_point a, b, c;
    double to_a, to_c;
    if (!geo_arg_point(row, 0, &a) || !geo_arg_point(row, 2, &b) || !geo_arg_point(row, 4, &c))
        return GEO_BAD;
    if (!geo_azimuth(b.at, a.at, &to_a) || !geo_azimuth(b.at, c.at, &to_c)) return GEO_BAD;
    double angle = to_c - to_a;
    row->real = angle < 0 ? angle + 2 * GEO_PI : angle;
    return GEO_OK;
}

enum geo_result geo_row_azimuth(struct geo_row *row)
{
    struct geo_point a, b;
    if (!geo_arg_point(row, 0, &a) || !geo_arg_point(row, 2, &b)) return GEO_BAD;
    return geo_azimuth(a.at, b.at, &row->real) ? GEO_OK : GEO_BAD;
}

enum geo_result geo_row_distance_2points(struct geo_row *row)
{
    struct geo_point a, b;
    if (!geo_arg_point(row, 0, &a) || !geo_arg_point(row, 2, &b)) return GEO_BAD;
    row->real = geo_arg_bool_or(row, 4, false) ? geo_spheroid_metres(a.lon, a.lat, b.lon, b.lat)
                                               : GEO_EARTH_RADIUS * geo_angle_between(a.at, b.at);
    return GEO_OK;
}

enum geo_result geo_row_point_in_circle(struct geo_row *row)
{
    struct geo_point p, center;
    double radius = geo_arg_real(row, 4);
    if (!geo_arg_point(row, 0, &p) || !geo_arg_point(row, 2, &center)) return GEO_BAD;
    if (!(radius >= 0) || isinf(radius)) return GEO_BAD;
    row->truth = GEO_EARTH_RADIUS * geo_angle_between(p.at, center.at) <= radius;
    return GEO_OK;
}

enum geo_result geo_row_point_in_polygon(struct geo_row *row)
{
    struct geo_point p;
    const struct geo_area *area;
    if (!geo_arg_point(row, 0, &p)) return GEO_BAD;
    enum geo_result result = geo_arg_area(row, 2, &area);
    if (result == GEO_OK) row->truth = geo_area_contains(area, p.at);
    return result;
}

enum geo_result geo_row_point_buffer(struct geo_row *row)
{
    struct geo_point p;
    struct geo_area area;
    double radius, tolerance;
    if (!geo_arg_point(row, 0, &p) || !geo_arg_buffer(row, 2, &radius, &tolerance)) return GEO_BAD;
    enum geo_result result = geo_buffer_point(p.at, radius, tolerance, row->scratch, &area);
    if (result == GEO_OK) geo_put_area(&row->text, &area);
    return result;
}

enum geo_result geo_row_from_wkt(struct geo_row *row)
{
    return geo_wkt_to_json(geo_arg_str(row, 0), &row->text) ? GEO_OK : GEO_BAD;
}

enum geo_result geo_row_info_from_ip_address(struct geo_row *row)
{
    (void)row; /* the result needs a place database, and there is none yet that could be loaded */
    return GEO_BAD;
}
