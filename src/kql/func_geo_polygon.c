#include "kql/func_geo_int.h"
#include "kql/geo_buffer.h"
#include "kql/geo_measure.h"
#include "kql/geo_overlay.h"
#include "kql/geo_refine.h"

enum geo_result geo_row_closest_point_on_polygon(struct geo_row *row)
{
    struct geo_point p;
    const struct geo_area *area;
    double distance;
    if (!geo_arg_point(row, 0, &p)) return GEO_BAD;
    enum geo_result result = geo_arg_area(row, 2, &area);
    if (result != GEO_OK) return result;
    struct geo_vec nearest = geo_area_nearest(area, p.at, &distance);
    if (distance == 0)
        geo_put_point(&row->text, &p);
    else
        geo_row_put_point(row, nearest);
    return GEO_OK;
}

enum geo_result geo_row_distance_point_to_polygon(struct geo_row *row)
{
    struct geo_point p;
    const struct geo_area *area;
    double distance;
    if (!geo_arg_point(row, 0, &p)) return GEO_BAD;
    enum geo_result result = geo_arg_area(row, 2, &area);
    if (result != GEO_OK) return result;
    (void)geo_area_nearest(area, p.at, &distance);
    row->real = GEO_EARTH_RADIUS * distance;
    return GEO_OK;
}

enum geo_result geo_row_polygon_area(struct geo_row *row)
{
    struct geo_area area;
    enum geo_result result = geo_arg_area_united(row, 0, &area);
    if (result == GEO_OK) row->real = GEO_EARTH_RADIUS * GEO_EARTH_RADIUS * geo_area_size(&area);
    return result;
}

enum geo_result geo_row_polygon_perimeter(struct geo_row *row)
{
    struct geo_area area;
    enum geo_result result = geo_arg_area_united(row, 0, &area);
    if (result == GEO_OK) row->real = GEO_EARTH_RADIUS * geo_area_perimeter(&area);
    return result;
}

enum geo_result geo_row_polygon_centroid(struct geo_row *row)
{
    struct geo_area area;
    struct geo_vec centroid;
    enum geo_result result = geo_arg_area_united(row, 0, &area);
    if (result != GEO_OK) return result;
    if (!geo_area_centroid(&area, &centroid)) return GEO_BAD;
    geo_row_put_point(row, centroid);
    return GEO_OK;
}

enum geo_result geo_row_polygon_densify(struct geo_row *row)
{
    const struct geo_area *area;
    struct geo_area dense;
    double tolerance;
    if (!geo_arg_tolerance(row, 1, 10, 0.1, 10000, &tolerance)) return GEO_BAD;
    enum geo_result result = geo_arg_area(row, 0, &area);
    if (result == GEO_OK)
        result =
            geo_densify_area(area, tolerance, geo_arg_bool_or(row, 2, false), row->scratch, &dense);
    if (result == GEO_OK) geo_put_area(&row->text, &dense);
    return result;
}

enum geo_result geo_row_polygon_simplify(struct geo_row *row)
{
    const struct geo_area *area;
    struct geo_area simple;
    double tolerance;
    if (!geo_arg_tolerance(row, 1, 10, 0, 7.8e6, &tolerance)) return GEO_BAD;
    enum geo_result result = geo_arg_area(row, 0, &area);
    if (result == GEO_OK) result = geo_simplify_area(area, tolerance, row->scratch, &simple);
    if (result == GEO_OK) geo_put_area(&row->text, &simple);
    return result;
}

enum geo_result geo_row_polygon_buffer(struct geo_row *row)
{
    const struct geo_area *area;
    struct geo_area grown;
    double radius, tolerance;
    if (!geo_arg_buffer(row, 1, &radius, &tolerance)) return GEO_BAD;
    enum geo_result result = geo_arg_area(row, 0, &area);
    if (result == GEO_OK) result = geo_buffer_area(area, radius, tolerance, row->scratch, &grown);
    if (result == GEO_OK) geo_put_area(&row->text, &grown);
    return result;
}

static enum geo_result two_areas(struct geo_row *row, const struct geo_area **a,
                                 const struct geo_area **b)
{
    enum geo_result result = geo_arg_area(row, 0, a);
    return result == GEO_OK ? geo_arg_area(row, 1, b) : result;
}

enum geo_result geo_row_intersects_2polygons(struct geo_row *row)
{
    const struct geo_area *a, *b;
    enum geo_result result = two_areas(row, &a, &b);
    return result == GEO_OK ? geo_areas_meet(a, b, row->scratch, &row->truth) : result;
}

enum geo_result geo_row_intersection_2polygons(struct geo_row *row)
{
    const struct geo_area *a, *b;
    struct geo_mix mix;
    enum geo_result result = two_areas(row, &a, &b);
    if (result == GEO_OK) result = geo_intersect_areas(a, b, row->scratch, &mix);
    if (result == GEO_OK) geo_row_put_mix(row, &mix);
    return result;
}

enum geo_result geo_row_union_polygons_array(struct geo_row *row)
{
    struct geo_area all, united;
    enum geo_result result = geo_area_array_read(geo_arg_str(row, 0), row->scratch, &all);
    if (result == GEO_OK) result = geo_unite_area(&all, row->scratch, &united);
    if (result == GEO_OK) geo_put_area(&row->text, &united);
    return result;
}

enum geo_result geo_row_simplify_polygons_array(struct geo_row *row)
{
    struct geo_area all, united, simple;
    double tolerance;
    if (!geo_arg_tolerance(row, 1, 10, 0, 7.8e6, &tolerance)) return GEO_BAD;
    enum geo_result result = geo_area_array_read(geo_arg_str(row, 0), row->scratch, &all);
    if (result == GEO_OK) result = geo_unite_area(&all, row->scratch, &united);
    if (result == GEO_OK) result = geo_simplify_area(&united, tolerance, row->scratch, &simple);
    if (result == GEO_OK) geo_put_area(&row->text, &simple);
    return result;
}
