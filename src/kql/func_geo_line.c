#include "kql/func_geo_int.h"
#include "kql/geo_buffer.h"
#include "kql/geo_measure.h"
#include "kql/geo_overlay.h"
#include "kql/geo_refine.h"

enum geo_result geo_row_closest_point_on_line(struct geo_row *row)
{
    struct geo_point p;
    const struct geo_lines *lines;
    double distance;
    if (!geo_arg_point(row, 0, &p)) return GEO_BAD;
    enum geo_result result = geo_arg_lines(row, 2, &lines);
    if (result == GEO_OK) geo_row_put_point(row, geo_lines_nearest(lines, p.at, &distance));
    return result;
}

enum geo_result geo_row_distance_point_to_line(struct geo_row *row)
{
    struct geo_point p;
    const struct geo_lines *lines;
    double distance;
    if (!geo_arg_point(row, 0, &p)) return GEO_BAD;
    enum geo_result result = geo_arg_lines(row, 2, &lines);
    if (result != GEO_OK) return result;
    (void)geo_lines_nearest(lines, p.at, &distance);
    row->real = GEO_EARTH_RADIUS * distance;
    return GEO_OK;
}

enum geo_result geo_row_line_length(struct geo_row *row)
{
    struct geo_lines lines;
    enum geo_result result = geo_arg_lines_united(row, 0, &lines);
    if (result == GEO_OK) row->real = GEO_EARTH_RADIUS * geo_lines_length(&lines);
    return result;
}

enum geo_result geo_row_line_centroid(struct geo_row *row)
{
    struct geo_lines lines;
    struct geo_vec centroid;
    enum geo_result result = geo_arg_lines_united(row, 0, &lines);
    if (result != GEO_OK) return result;
    if (!geo_lines_centroid(&lines, &centroid)) return GEO_BAD;
    geo_row_put_point(row, centroid);
    return GEO_OK;
}

enum geo_result geo_row_line_densify(struct geo_row *row)
{
    const struct geo_lines *lines;
    struct geo_lines dense;
    double tolerance;
    if (!geo_arg_tolerance(row, 1, 10, 0.1, 10000, &tolerance)) return GEO_BAD;
    enum geo_result result = geo_arg_lines(row, 0, &lines);
    if (result == GEO_OK)
        result = geo_densify_lines(lines, tolerance, geo_arg_bool_or(row, 2, false), row->scratch,
                                   &dense);
    if (result == GEO_OK) geo_put_lines(&row->text, &dense);
    return result;
}

enum geo_result geo_row_line_simplify(struct geo_row *row)
{
    const struct geo_lines *lines;
    struct geo_lines simple;
    double tolerance;
    if (!geo_arg_tolerance(row, 1, 10, 0, 7.8e6, &tolerance)) return GEO_BAD;
    enum geo_result result = geo_arg_lines(row, 0, &lines);
    if (result == GEO_OK) result = geo_simplify_lines(lines, tolerance, row->scratch, &simple);
    if (result == GEO_OK) geo_put_lines(&row->text, &simple);
    return result;
}

enum geo_result geo_row_line_buffer(struct geo_row *row)
{
    const struct geo_lines *lines;
    struct geo_area area;
    double radius, tolerance;
    if (!geo_arg_buffer(row, 1, &radius, &tolerance)) return GEO_BAD;
    enum geo_result result = geo_arg_lines(row, 0, &lines);
    if (result == GEO_OK) result = geo_buffer_lines(lines, radius, tolerance, row->scratch, &area);
    if (result == GEO_OK) geo_put_area(&row->text, &area);
    return result;
}

enum geo_result geo_row_line_interpolate_point(struct geo_row *row)
{
    const struct geo_lines *lines;
    double fraction = geo_arg_real(row, 1);
    if (!(fraction >= 0 && fraction <= 1)) return GEO_BAD;
    enum geo_result result = geo_arg_lines(row, 0, &lines);
    if (result == GEO_OK) geo_row_put_point(row, geo_lines_interpolate(lines, fraction));
    return result;
}

enum geo_result geo_row_line_locate_point(struct geo_row *row)
{
    const struct geo_lines *lines;
    struct geo_point p;
    if (!geo_arg_point(row, 1, &p)) return GEO_BAD;
    enum geo_result result = geo_arg_lines(row, 0, &lines);
    if (result == GEO_OK) row->real = geo_lines_locate(lines, p.at, geo_arg_bool_or(row, 3, false));
    return result;
}

static enum geo_result two_lines(struct geo_row *row, const struct geo_lines **a,
                                 const struct geo_lines **b)
{
    enum geo_result result = geo_arg_lines(row, 0, a);
    return result == GEO_OK ? geo_arg_lines(row, 1, b) : result;
}

enum geo_result geo_row_intersects_2lines(struct geo_row *row)
{
    const struct geo_lines *a, *b;
    enum geo_result result = two_lines(row, &a, &b);
    return result == GEO_OK ? geo_lines_meet(a, b, row->scratch, &row->truth) : result;
}

enum geo_result geo_row_intersection_2lines(struct geo_row *row)
{
    const struct geo_lines *a, *b;
    struct geo_mix mix;
    enum geo_result result = two_lines(row, &a, &b);
    if (result == GEO_OK) result = geo_intersect_lines(a, b, row->scratch, &mix);
    if (result == GEO_OK) geo_row_put_mix(row, &mix);
    return result;
}

static enum geo_result line_and_area(struct geo_row *row, const struct geo_lines **lines,
                                     const struct geo_area **area)
{
    enum geo_result result = geo_arg_lines(row, 0, lines);
    return result == GEO_OK ? geo_arg_area(row, 1, area) : result;
}

enum geo_result geo_row_intersects_line_with_polygon(struct geo_row *row)
{
    const struct geo_lines *lines;
    const struct geo_area *area;
    enum geo_result result = line_and_area(row, &lines, &area);
    return result == GEO_OK ? geo_lines_meet_area(lines, area, row->scratch, &row->truth) : result;
}

enum geo_result geo_row_intersection_line_with_polygon(struct geo_row *row)
{
    const struct geo_lines *lines;
    const struct geo_area *area;
    struct geo_mix mix;
    enum geo_result result = line_and_area(row, &lines, &area);
    if (result == GEO_OK) result = geo_intersect_lines_area(lines, area, row->scratch, &mix);
    if (result == GEO_OK) geo_row_put_mix(row, &mix);
    return result;
}

enum geo_result geo_row_union_lines_array(struct geo_row *row)
{
    struct geo_lines lines, united;
    enum geo_result result = geo_lines_array_read(geo_arg_str(row, 0), row->scratch, &lines);
    if (result == GEO_OK) result = geo_unite_lines(&lines, row->scratch, &united);
    if (result == GEO_OK) geo_put_lines(&row->text, &united);
    return result;
}
