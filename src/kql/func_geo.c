#include "kql/func_families.h"
#include "kql/func_geo_int.h"

/* ---- arguments ------------------------------------------------------------------------------------ */

bool geo_arg_point(const struct geo_row *row, uint32_t arg, struct geo_point *out)
{
    double lon = geo_arg_real(row, arg), lat = geo_arg_real(row, arg + 1);
    if (!geo_degrees_valid(lon, lat)) return false;
    *out = geo_point_of(lon, lat);
    return true;
}

/* Where to parse argument `arg`: the shape kept for all rows when it is a constant, else `own`. */
static struct geo_kept_shape *shape_of(struct geo_row *row, uint32_t arg,
                                       struct geo_kept_shape *own, struct rf_arena **arena)
{
    bool constant = arg < GEO_ARGS_MAX && row->args[arg].shape == VEC_CONST;
    *arena = constant ? row->batch : row->scratch;
    *own = (struct geo_kept_shape){.ready = false};
    return constant ? &row->kept[arg] : own;
}

enum geo_result geo_arg_lines(struct geo_row *row, uint32_t arg, const struct geo_lines **out)
{
    struct rf_arena *arena;
    struct geo_kept_shape *own = rf_arena_new(row->scratch, struct geo_kept_shape, 1);
    if (own == NULL) return GEO_NO_MEMORY;
    struct geo_kept_shape *shape = shape_of(row, arg, own, &arena);
    if (!shape->ready) shape->result = geo_lines_read(geo_arg_str(row, arg), arena, &shape->lines);
    shape->ready = true;
    *out = &shape->lines;
    return shape->result;
}

enum geo_result geo_arg_area(struct geo_row *row, uint32_t arg, const struct geo_area **out)
{
    struct rf_arena *arena;
    struct geo_kept_shape *own = rf_arena_new(row->scratch, struct geo_kept_shape, 1);
    if (own == NULL) return GEO_NO_MEMORY;
    struct geo_kept_shape *shape = shape_of(row, arg, own, &arena);
    if (!shape->ready) shape->result = geo_area_read(geo_arg_str(row, arg), arena, &shape->area);
    shape->ready = true;
    *out = &shape->area;
    return shape->result;
}

enum geo_result geo_arg_lines_united(struct geo_row *row, uint32_t arg, struct geo_lines *out)
{
    const struct geo_lines *lines;
    enum geo_result result = geo_arg_lines(row, arg, &lines);
    if (result != GEO_OK) return result;
    if (lines->count > 1) return geo_unite_lines(lines, row->scratch, out);
    *out = *lines;
    return GEO_OK;
}

enum geo_result geo_arg_area_united(struct geo_row *row, uint32_t arg, struct geo_area *out)
{
    const struct geo_area *area;
    enum geo_result result = geo_arg_area(row, arg, &area);
    if (result != GEO_OK) return result;
    if (area->count > 1) return geo_unite_area(area, row->scratch, out);
    *out = *area;
    return GEO_OK;
}

bool geo_arg_tolerance(const struct geo_row *row, uint32_t arg, double fallback, double low,
                       double high, double *radians)
{
    double metres = geo_arg_real_or(row, arg, fallback);
    if (!(metres >= low && metres <= high)) return false;
    *radians = metres / GEO_EARTH_RADIUS;
    return true;
}

bool geo_arg_buffer(const struct geo_row *row, uint32_t arg, double *radius, double *tolerance)
{
    double metres = geo_arg_real(row, arg), allowed = geo_arg_real_or(row, arg + 1, 10);
    double metres_max = GEO_EARTH_RADIUS * GEO_PI / 2 * 0.99;
    if (!(metres >= 1e-3 && metres <= metres_max)) return false;
    if (!(allowed > 0 && allowed >= metres * 1e-6)) return false;
    *radius = metres / GEO_EARTH_RADIUS;
    *tolerance = RF_MIN(allowed / GEO_EARTH_RADIUS, *radius / 2);
    return true;
}

/* ---- results --------------------------------------------------------------------------------------- */

void geo_row_put_point(struct geo_row *row, struct geo_vec at)
{
    struct geo_point point = geo_point_at(at);
    geo_put_point(&row->text, &point);
}

void geo_row_put_mix(struct geo_row *row, const struct geo_mix *mix)
{
    geo_put_mixed(&row->text, mix->points, mix->point_count, &mix->lines, &mix->area);
}

/* ---- rows ----------------------------------------------------------------------------------------- */

static bool store(const struct geo_row *row, struct vec *out, struct rf_arena *arena)
{
    uint32_t i = row->index;
    switch (out->type) {
    case TYPE_REAL:
        OUT_REAL(out)[i] = row->real;
        return true;
    case TYPE_BOOL:
        OUT_BOOL(out)[i] = row->truth;
        return true;
    case TYPE_INT:
    case TYPE_LONG:
        OUT_I64(out)[i] = row->whole;
        return true;
    default:
        return !row->text.failed && rf_arena_str(arena, rf_buf_view(&row->text), &OUT_STR(out)[i]);
    }
}

static enum rf_kind each_row(struct func_call *call, const struct vec *args, uint32_t count,
                             struct vec *out, struct rf_err *err, geo_row_fn *compute)
{
    struct geo_kept_shape kept[GEO_ARGS_MAX] = {{.ready = false}};
    RF_CLEANUP(rf_arena_done) struct rf_arena scratch;
    rf_arena_init_shared(&scratch, call->arena->budget);
    for (uint32_t i = 0; i < count; i++) {
        if (OUT_NULL(out)[i]) continue;
        RF_TRY(func_go_on(call, err));
        struct geo_row row = {.args = args,
                              .arg_count = call->arg_count,
                              .index = i,
                              .scratch = &scratch,
                              .batch = call->arena,
                              .stop = call->cancelled,
                              .kept = kept,
                              .text = rf_buf_in(&scratch)};
        enum geo_result result = compute(&row);
        if (result == GEO_STOPPED) RF_TRY(func_go_on(call, err));
        if (result == GEO_NO_MEMORY || (result == GEO_OK && !store(&row, out, call->arena)))
            return rf_fail_memory(err, call->arena);
        if (result == GEO_BAD && out->type == TYPE_STRING)
            OUT_STR(out)[i] = RF_S("");
        else if (result == GEO_BAD)
            OUT_NULL(out)[i] = 1;
        rf_arena_reset(&scratch);
    }
    return RF_OK;
}

#define GEO_KERNEL(name)                                                                           \
    static enum rf_kind kernel_##name(struct func_call *call, const struct vec *args,              \
                                      uint32_t count, struct vec *out, struct rf_err *err)         \
    {                                                                                              \
        return each_row(call, args, count, out, err, geo_row_##name);                              \
    }
GEO_ROWS(GEO_KERNEL)
#undef GEO_KERNEL

/* ---- the table ------------------------------------------------------------------------------------ */

#define GEO_FUNC(kernel_name, text, sig_text)                                                      \
    {                                                                                              \
        .name = "geo_" #kernel_name, .doc = text, .nulls = FUNC_STRICT,                            \
        .sigs = (const struct func_overload[]){{sig_text, kernel_##kernel_name}, {NULL, NULL}},    \
    }

const struct func func_geo[] = {
    GEO_FUNC(angle,
             "Angle in radians, clockwise, from the line p2-p1 to the line p2-p3; null when two "
             "neighbouring points are the same or opposite.",
             "(p1_longitude:real, p1_latitude:real, p2_longitude:real, p2_latitude:real, "
             "p3_longitude:real, p3_latitude:real) real"),
    GEO_FUNC(azimuth,
             "Direction of point 2 seen from point 1, in radians clockwise from north; null when "
             "they are the same or opposite.",
             "(p1_longitude:real, p1_latitude:real, p2_longitude:real, p2_latitude:real) real"),
    GEO_FUNC(distance_2points,
             "Shortest distance in metres on a sphere, or on the WGS-84 spheroid when asked.",
             "(p1_longitude:real, p1_latitude:real, p2_longitude:real, p2_latitude:real, "
             "[use_spheroid:bool]) real"),
    GEO_FUNC(point_in_circle,
             "True when the point is within the radius in metres; null when that is negative.",
             "(p_longitude:real, p_latitude:real, pc_longitude:real, pc_latitude:real, "
             "c_radius:real) bool"),
    GEO_FUNC(point_in_polygon, "True when the point is inside a polygon or multipolygon.",
             "(longitude:real, latitude:real, polygon:dynamic) bool"),
    GEO_FUNC(point_buffer,
             "Polygon of all points within a radius in metres, its border true to the tolerance "
             "(default 10 m).",
             "(longitude:real, latitude:real, radius:real, [tolerance:real]) dynamic"),
    GEO_FUNC(from_wkt, "GeoJSON geometry of a well-known text; null when it is none.",
             "(wkt:string) dynamic"),
    GEO_FUNC(info_from_ip_address,
             "Place of an IP address; needs a place database, and is null while none is loaded.",
             "(ip:string) dynamic"),

    GEO_FUNC(point_to_geohash, "Geohash of 1 to 18 letters (default 5); empty for bad input.",
             "(longitude:real, latitude:real, [accuracy:long]) string"),
    GEO_FUNC(geohash_to_central_point, "Centre of a geohash cell as a GeoJSON point.",
             "(geohash:string) dynamic"),
    GEO_FUNC(geohash_to_polygon, "Rectangle of a geohash cell as a GeoJSON polygon.",
             "(geohash:string) dynamic"),
    GEO_FUNC(geohash_neighbors, "The geohash cells around one, up to eight.",
             "(geohash:string) dynamic"),

    GEO_FUNC(point_to_s2cell,
             "Token of the S2 cell at a level of 0 to 30 (default 11); empty for bad input.",
             "(longitude:real, latitude:real, [level:long]) string"),
    GEO_FUNC(s2cell_to_central_point, "Centre of an S2 cell as a GeoJSON point.",
             "(s2cell:string) dynamic"),
    GEO_FUNC(s2cell_to_polygon, "Border of an S2 cell as a GeoJSON polygon.",
             "(s2cell:string) dynamic"),
    GEO_FUNC(s2cell_neighbors, "The S2 cells of the same level around one, up to eight.",
             "(s2cell:string) dynamic"),
    GEO_FUNC(
        line_to_s2cells,
        "S2 cells of a level (default 11) within a radius of a line; null beyond 65,536 cells.",
        "(lineString:dynamic, [level:long], [radius:real]) dynamic"),
    GEO_FUNC(
        polygon_to_s2cells,
        "S2 cells of a level (default 11) that cover a polygon, grown by a radius; null beyond "
        "65,536 cells.",
        "(polygon:dynamic, [level:long], [radius:real]) dynamic"),

    GEO_FUNC(point_to_h3cell,
             "H3 cell at a resolution of 0 to 15 (default 6); empty for bad input.",
             "(longitude:real, latitude:real, [resolution:long]) string"),
    GEO_FUNC(h3cell_to_central_point, "Centre of an H3 cell as a GeoJSON point.",
             "(h3cell:string) dynamic"),
    GEO_FUNC(h3cell_to_polygon, "Border of an H3 cell as a GeoJSON polygon.",
             "(h3cell:string) dynamic"),
    GEO_FUNC(h3cell_level, "Resolution of an H3 cell; null when it is none.",
             "(h3cell:string) int"),
    GEO_FUNC(
        h3cell_parent,
        "The H3 cell around one at a coarser resolution (default one less); empty for bad input.",
        "(h3cell:string, [resolution:long]) string"),
    GEO_FUNC(
        h3cell_children,
        "The H3 cells within one at a finer resolution (default one more); null beyond 65,536.",
        "(h3cell:string, [resolution:long]) dynamic"),
    GEO_FUNC(h3cell_neighbors, "The six H3 cells around one, five around a pentagon.",
             "(h3cell:string) dynamic"),
    GEO_FUNC(h3cell_rings,
             "Rings of H3 cells around one, from itself to a distance of at most 142.",
             "(h3cell:string, distance:long) dynamic"),
    GEO_FUNC(polygon_to_h3cells,
             "H3 cells of a resolution (default 6) that cover a polygon, grown by a radius; null "
             "beyond 65,536 cells.",
             "(polygon:dynamic, [resolution:long], [radius:real]) dynamic"),

    GEO_FUNC(closest_point_on_line, "The point of a line or multiline nearest to a point.",
             "(longitude:real, latitude:real, lineString:dynamic) dynamic"),
    GEO_FUNC(distance_point_to_line, "Distance in metres from a point to a line or multiline.",
             "(longitude:real, latitude:real, lineString:dynamic) real"),
    GEO_FUNC(line_length,
             "Length of a line or multiline in metres; stretches that coincide count once.",
             "(lineString:dynamic) real"),
    GEO_FUNC(line_centroid, "Centre of gravity of a line or multiline.",
             "(lineString:dynamic) dynamic"),
    GEO_FUNC(
        line_densify,
        "The line with points added until geodesics stay within the tolerance (0.1 to 10000 m, "
        "default 10) of its straight edges on the map.",
        "(lineString:dynamic, [tolerance:real], [preserve_crossing:bool]) dynamic"),
    GEO_FUNC(line_simplify,
             "The line with the points left out that are not needed within a tolerance in metres "
             "(default 10); null when it vanishes.",
             "(lineString:dynamic, [tolerance:real]) dynamic"),
    GEO_FUNC(line_buffer, "Polygon of all points within a radius in metres of a line.",
             "(lineString:dynamic, radius:real, [tolerance:real]) dynamic"),
    GEO_FUNC(line_interpolate_point, "The point at a fraction of 0 to 1 of a line's length.",
             "(lineString:dynamic, fraction:real) dynamic"),
    GEO_FUNC(line_locate_point,
             "The fraction of a line's length at which it is nearest to a point.",
             "(lineString:dynamic, longitude:real, latitude:real, [use_spheroid:bool]) real"),
    GEO_FUNC(intersects_2lines, "True when two lines have a point in common.",
             "(lineString1:dynamic, lineString2:dynamic) bool"),
    GEO_FUNC(intersection_2lines, "The points and lines that two lines have in common.",
             "(lineString1:dynamic, lineString2:dynamic) dynamic"),
    GEO_FUNC(intersects_line_with_polygon, "True when a line and a polygon have a point in common.",
             "(lineString:dynamic, polygon:dynamic) bool"),
    GEO_FUNC(intersection_line_with_polygon, "The part of a line that lies in a polygon.",
             "(lineString:dynamic, polygon:dynamic) dynamic"),
    GEO_FUNC(union_lines_array, "All lines of an array as one; null when one of them is bad.",
             "(lineStrings:dynamic) dynamic"),

    GEO_FUNC(closest_point_on_polygon,
             "The point of a polygon nearest to a point, itself when inside.",
             "(longitude:real, latitude:real, polygon:dynamic) dynamic"),
    GEO_FUNC(distance_point_to_polygon, "Distance in metres from a point to a polygon, 0 inside.",
             "(longitude:real, latitude:real, polygon:dynamic) real"),
    GEO_FUNC(polygon_area, "Area in square metres; parts that overlap count once.",
             "(polygon:dynamic) real"),
    GEO_FUNC(polygon_perimeter,
             "Length in metres of the border of a polygon or of a multipolygon's union.",
             "(polygon:dynamic) real"),
    GEO_FUNC(polygon_centroid, "Centre of gravity of a polygon or multipolygon.",
             "(polygon:dynamic) dynamic"),
    GEO_FUNC(
        polygon_densify,
        "The polygon with points added until geodesics stay within the tolerance (0.1 to 10000 "
        "m, default 10) of its straight edges on the map.",
        "(polygon:dynamic, [tolerance:real], [preserve_crossing:bool]) dynamic"),
    GEO_FUNC(
        polygon_simplify,
        "The polygon with the points left out that are not needed within a tolerance in metres "
        "(default 10); null when it vanishes.",
        "(polygon:dynamic, [tolerance:real]) dynamic"),
    GEO_FUNC(polygon_buffer, "Polygon of all points within a radius in metres of a polygon.",
             "(polygon:dynamic, radius:real, [tolerance:real]) dynamic"),
    GEO_FUNC(intersects_2polygons, "True when two polygons have a point in common.",
             "(polygon1:dynamic, polygon2:dynamic) bool"),
    GEO_FUNC(intersection_2polygons, "The area, lines and points that two polygons have in common.",
             "(polygon1:dynamic, polygon2:dynamic) dynamic"),
    GEO_FUNC(union_polygons_array, "The union of all polygons of an array; null when one is bad.",
             "(polygons:dynamic) dynamic"),
    GEO_FUNC(simplify_polygons_array,
             "The union of an array of polygons, simplified within a tolerance in metres (default "
             "10).",
             "(polygons:dynamic, [tolerance:real]) dynamic"),
};
const size_t func_geo_count = RF_COUNT(func_geo);
