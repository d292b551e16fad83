/* func_geo_int.h - how a geo function looks at its arguments: one row at a time, shapes that are the same
 * for all rows parsed once. The rows of func_geo.c's table are implemented in func_geo_point.c,
 * func_geo_line.c, func_geo_polygon.c and func_geo_cell.c. */
#ifndef RF_FUNC_GEO_INT_H
#define RF_FUNC_GEO_INT_H

#include "kql/func.h"
#include "kql/geo_overlay.h"

enum { GEO_ARGS_MAX = 6 };

/* A shape argument that is the same in every row. */
struct geo_kept_shape {
    bool ready;
    enum geo_result result;
    struct geo_area area;
    struct geo_lines lines;
};

struct geo_row {
    const struct vec *args; /* none of them null in this row */
    uint32_t arg_count;
    uint32_t index;           /* of the row */
    struct rf_arena *scratch; /* emptied after each row */
    struct rf_arena *batch;   /* lives as long as the call */
    const atomic_bool *stop;  /* NULL, or set when the query is to end */
    struct geo_kept_shape *kept;
    /* The result: one of these, by the function's type. */
    double real;
    int64_t whole;
    bool truth;
    struct rf_buf text; /* string or encoded dynamic, grows in scratch */
};

/* Computes one row. GEO_BAD gives null, or the empty string. */
typedef enum geo_result geo_row_fn(struct geo_row *row);

static inline double geo_arg_real(const struct geo_row *row, uint32_t arg)
{
    return ARG_REAL(&row->args[arg], row->index);
}
static inline rf_str geo_arg_str(const struct geo_row *row, uint32_t arg)
{
    return ARG_STR(&row->args[arg], row->index);
}
/* The argument, or `fallback` when it is left out. */
static inline double geo_arg_real_or(const struct geo_row *row, uint32_t arg, double fallback)
{
    return arg < row->arg_count ? geo_arg_real(row, arg) : fallback;
}
static inline int64_t geo_arg_long_or(const struct geo_row *row, uint32_t arg, int64_t fallback)
{
    return arg < row->arg_count ? ARG_I64(&row->args[arg], row->index) : fallback;
}
static inline bool geo_arg_bool_or(const struct geo_row *row, uint32_t arg, bool fallback)
{
    return arg < row->arg_count ? ARG_BOOL(&row->args[arg], row->index) : fallback;
}

/* Longitude and latitude in args `arg` and `arg` + 1; false when they are no degrees. */
bool geo_arg_point(const struct geo_row *row, uint32_t arg, struct geo_point *out);
enum geo_result geo_arg_lines(struct geo_row *row, uint32_t arg, const struct geo_lines **out);
enum geo_result geo_arg_area(struct geo_row *row, uint32_t arg, const struct geo_area **out);
/* The same, with overlapping parts united. */
enum geo_result geo_arg_lines_united(struct geo_row *row, uint32_t arg, struct geo_lines *out);
enum geo_result geo_arg_area_united(struct geo_row *row, uint32_t arg, struct geo_area *out);
/* A tolerance in metres as radians: within low..high, or else false. */
bool geo_arg_tolerance(const struct geo_row *row, uint32_t arg, double fallback, double low,
                       double high, double *radians);

/* Radius and tolerance of a buffer, in args `arg` and `arg` + 1, as radians; false when the radius is
 * not above 0 or too large, or the tolerance below a millionth of it. */
bool geo_arg_buffer(const struct geo_row *row, uint32_t arg, double *radius, double *tolerance);

/* Makes a point, or what an intersection left, the row's result. */
void geo_row_put_point(struct geo_row *row, struct geo_vec at);
void geo_row_put_mix(struct geo_row *row, const struct geo_mix *mix);

#define GEO_ROWS(X)                                                                                \
    X(angle)                                                                                       \
    X(azimuth)                                                                                     \
    X(distance_2points)                                                                            \
    X(point_in_circle)                                                                             \
    X(point_in_polygon)                                                                            \
    X(point_buffer)                                                                                \
    X(from_wkt)                                                                                    \
    X(info_from_ip_address)                                                                        \
    X(point_to_geohash)                                                                            \
    X(geohash_to_central_point)                                                                    \
    X(geohash_to_polygon)                                                                          \
    X(geohash_neighbors)                                                                           \
    X(point_to_s2cell)                                                                             \
    X(s2cell_to_central_point)                                                                     \
    X(s2cell_to_polygon)                                                                           \
    X(s2cell_neighbors)                                                                            \
    X(line_to_s2cells)                                                                             \
    X(polygon_to_s2cells)                                                                          \
    X(point_to_h3cell)                                                                             \
    X(h3cell_to_central_point)                                                                     \
    X(h3cell_to_polygon)                                                                           \
    X(h3cell_level)                                                                                \
    X(h3cell_parent)                                                                               \
    X(h3cell_children)                                                                             \
    X(h3cell_neighbors)                                                                            \
    X(h3cell_rings)                                                                                \
    X(polygon_to_h3cells)                                                                          \
    X(closest_point_on_line)                                                                       \
    X(distance_point_to_line)                                                                      \
    X(line_length)                                                                                 \
    X(line_centroid)                                                                               \
    X(line_densify)                                                                                \
    X(line_simplify)                                                                               \
    X(line_buffer)                                                                                 \
    X(line_interpolate_point)                                                                      \
    X(line_locate_point)                                                                           \
    X(intersects_2lines)                                                                           \
    X(intersection_2lines)                                                                         \
    X(intersects_line_with_polygon)                                                                \
    X(intersection_line_with_polygon)                                                              \
    X(union_lines_array)                                                                           \
    X(closest_point_on_polygon)                                                                    \
    X(distance_point_to_polygon)                                                                   \
    X(polygon_area)                                                                                \
    X(polygon_perimeter)                                                                           \
    X(polygon_centroid)                                                                            \
    X(polygon_densify)                                                                             \
    X(polygon_simplify)                                                                            \
    X(polygon_buffer)                                                                              \
    X(intersects_2polygons)                                                                        \
    X(intersection_2polygons)                                                                      \
    X(union_polygons_array)                                                                        \
    X(simplify_polygons_array)

#define GEO_DECLARE(name) geo_row_fn geo_row_##name;
GEO_ROWS(GEO_DECLARE)
#undef GEO_DECLARE

#endif
