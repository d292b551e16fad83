#include "kql/func_geo_int.h"
#include "kql/geo_cover.h"
#include "kql/geo_h3.h"
#include "kql/geo_hash.h"
#include "kql/geo_s2.h"

/* A number of cells that an array of tokens may hold. */
enum { CELLS_MAX = 65536, RINGS_MAX = 142 };

/* A polygon from corners as they are; it need not be valid as an input. */
static void put_border(struct geo_row *row, const struct geo_vec *corners, size_t count)
{
    struct geo_point points[H3_BORDER_MAX];
    RF_ASSERT(count <= RF_COUNT(points));
    for (size_t i = 0; i < count; i++) points[i] = geo_point_at(corners[i]);
    struct geo_ring ring = {.points = points, .count = (uint32_t)count};
    struct geo_polygon polygon = {.rings = &ring, .ring_count = 1};
    geo_put_area(&row->text, &(struct geo_area){.polygons = &polygon, .count = 1});
}

/* ---- geohash -------------------------------------------------------------------------------------- */

static rf_str geohash_text(struct geohash cell, char text[GEOHASH_LENGTH_MAX])
{
    geohash_print(cell, text);
    return rf_str_make(text, (size_t)cell.length);
}

enum geo_result geo_row_point_to_geohash(struct geo_row *row)
{
    struct geo_point p;
    char text[GEOHASH_LENGTH_MAX];
    int64_t length = geo_arg_long_or(row, 2, 5);
    if (!geo_arg_point(row, 0, &p) || length < 1 || length > GEOHASH_LENGTH_MAX) return GEO_BAD;
    rf_buf_str(&row->text, geohash_text(geohash_from_degrees(p.lon, p.lat, (int)length), text));
    return GEO_OK;
}

enum geo_result geo_row_geohash_to_central_point(struct geo_row *row)
{
    struct geohash cell;
    double west, south, east, north;
    if (!geohash_parse(geo_arg_str(row, 0), &cell)) return GEO_BAD;
    geohash_bounds(cell, &west, &south, &east, &north);
    struct geo_point point = {.lon = (west + east) / 2, .lat = (south + north) / 2};
    geo_put_point(&row->text, &point);
    return GEO_OK;
}

enum geo_result geo_row_geohash_to_polygon(struct geo_row *row)
{
    struct geohash cell;
    double west, south, east, north;
    if (!geohash_parse(geo_arg_str(row, 0), &cell)) return GEO_BAD;
    geohash_bounds(cell, &west, &south, &east, &north);
    struct geo_point corners[4] = {{.lon = west, .lat = south},
                                   {.lon = east, .lat = south},
                                   {.lon = east, .lat = north},
                                   {.lon = west, .lat = north}};
    struct geo_ring ring = {.points = corners, .count = 4};
    struct geo_polygon polygon = {.rings = &ring, .ring_count = 1};
    geo_put_area(&row->text, &(struct geo_area){.polygons = &polygon, .count = 1});
    return GEO_OK;
}

enum geo_result geo_row_geohash_neighbors(struct geo_row *row)
{
    struct geohash cell, around[GEOHASH_NEIGHBORS_MAX];
    char text[GEOHASH_LENGTH_MAX];
    struct dyn_builder list;
    if (!geohash_parse(geo_arg_str(row, 0), &cell)) return GEO_BAD;
    size_t count = geohash_neighbors(cell, around);
    dyn_begin(&list, &row->text, DYN_ARRAY);
    for (size_t i = 0; i < count; i++) {
        dyn_next(&list);
        dyn_put_string(&row->text, geohash_text(around[i], text));
    }
    dyn_end(&list);
    return GEO_OK;
}

/* ---- S2 ------------------------------------------------------------------------------------------- */

static void put_s2_cells(struct geo_row *row, const uint64_t *cells, size_t count)
{
    struct dyn_builder list;
    char text[S2_TOKEN_MAX];
    dyn_begin(&list, &row->text, DYN_ARRAY);
    for (size_t i = 0; i < count; i++) {
        dyn_next(&list);
        dyn_put_string(&row->text, rf_str_make(text, s2_print(cells[i], text)));
    }
    dyn_end(&list);
}

enum geo_result geo_row_point_to_s2cell(struct geo_row *row)
{
    struct geo_point p;
    char text[S2_TOKEN_MAX];
    int64_t level = geo_arg_long_or(row, 2, 11);
    if (!geo_arg_point(row, 0, &p) || level < 0 || level > S2_LEVEL_MAX) return GEO_BAD;
    rf_buf_put(&row->text, text, s2_print(s2_from_point(p.at, (int)level), text));
    return GEO_OK;
}

enum geo_result geo_row_s2cell_to_central_point(struct geo_row *row)
{
    uint64_t cell;
    if (!s2_parse(geo_arg_str(row, 0), &cell)) return GEO_BAD;
    geo_row_put_point(row, s2_center(cell));
    return GEO_OK;
}

enum geo_result geo_row_s2cell_to_polygon(struct geo_row *row)
{
    uint64_t cell;
    struct geo_vec corners[4];
    if (!s2_parse(geo_arg_str(row, 0), &cell)) return GEO_BAD;
    s2_corners(cell, corners);
    put_border(row, corners, 4);
    return GEO_OK;
}

enum geo_result geo_row_s2cell_neighbors(struct geo_row *row)
{
    uint64_t cell, around[S2_NEIGHBORS_MAX];
    if (!s2_parse(geo_arg_str(row, 0), &cell)) return GEO_BAD;
    put_s2_cells(row, around, s2_neighbors(cell, around));
    return GEO_OK;
}

/* Level and radius (radians) of a covering, in args 1 and 2. */
static bool cover_args(const struct geo_row *row, int64_t level_default, int64_t level_max,
                       int *level, double *radius)
{
    int64_t asked = geo_arg_long_or(row, 1, level_default);
    double metres = geo_arg_real_or(row, 2, 0);
    if (asked < 0 || asked > level_max) return false;
    if (!(metres >= 0 && metres <= GEO_EARTH_RADIUS)) return false;
    *level = (int)asked;
    *radius = metres / GEO_EARTH_RADIUS;
    return true;
}

enum geo_result geo_row_line_to_s2cells(struct geo_row *row)
{
    const struct geo_lines *lines;
    uint64_t *cells;
    uint32_t edge_count = 0, count;
    int level;
    double radius;
    if (!cover_args(row, 11, S2_LEVEL_MAX, &level, &radius)) return GEO_BAD;
    enum geo_result result = geo_arg_lines(row, 0, &lines);
    if (result != GEO_OK) return result;
    const struct geo_edge *edges = geo_lines_edges(lines, row->scratch, &edge_count);
    if (edges == NULL) return GEO_NO_MEMORY;
    result =
        geo_cover(NULL, edges, edge_count, radius, level, row->stop, row->scratch, &cells, &count);
    if (result == GEO_OK) put_s2_cells(row, cells, count);
    return result;
}

enum geo_result geo_row_polygon_to_s2cells(struct geo_row *row)
{
    const struct geo_area *area;
    uint64_t *cells;
    uint32_t edge_count = 0, count;
    int level;
    double radius;
    if (!cover_args(row, 11, S2_LEVEL_MAX, &level, &radius)) return GEO_BAD;
    enum geo_result result = geo_arg_area(row, 0, &area);
    if (result != GEO_OK) return result;
    const struct geo_edge *edges = geo_area_edges(area, row->scratch, &edge_count);
    if (edges == NULL) return GEO_NO_MEMORY;
    result =
        geo_cover(area, edges, edge_count, radius, level, row->stop, row->scratch, &cells, &count);
    if (result == GEO_OK) put_s2_cells(row, cells, count);
    return result;
}

/* ---- H3 ------------------------------------------------------------------------------------------- */

static void put_h3_text(struct rf_buf *buf, uint64_t cell)
{
    char text[H3_TEXT_MAX];
    dyn_put_string(buf, rf_str_make(text, h3_print(cell, text)));
}

static void put_h3_cells(struct rf_buf *buf, const uint64_t *cells, size_t count)
{
    struct dyn_builder list;
    dyn_begin(&list, buf, DYN_ARRAY);
    for (size_t i = 0; i < count; i++) {
        dyn_next(&list);
        put_h3_text(buf, cells[i]);
    }
    dyn_end(&list);
}

enum geo_result geo_row_point_to_h3cell(struct geo_row *row)
{
    struct geo_point p;
    char text[H3_TEXT_MAX];
    int64_t resolution = geo_arg_long_or(row, 2, 6);
    if (!geo_arg_point(row, 0, &p) || resolution < 0 || resolution > H3_RESOLUTION_MAX)
        return GEO_BAD;
    rf_buf_put(&row->text, text, h3_print(h3_from_point(p.at, (int)resolution), text));
    return GEO_OK;
}

enum geo_result geo_row_h3cell_to_central_point(struct geo_row *row)
{
    uint64_t cell;
    if (!h3_parse(geo_arg_str(row, 0), &cell)) return GEO_BAD;
    geo_row_put_point(row, h3_center(cell));
    return GEO_OK;
}

enum geo_result geo_row_h3cell_to_polygon(struct geo_row *row)
{
    uint64_t cell;
    struct geo_vec border[H3_BORDER_MAX];
    if (!h3_parse(geo_arg_str(row, 0), &cell)) return GEO_BAD;
    put_border(row, border, h3_border(cell, border));
    return GEO_OK;
}

enum geo_result geo_row_h3cell_level(struct geo_row *row)
{
    uint64_t cell;
    if (!h3_parse(geo_arg_str(row, 0), &cell)) return GEO_BAD;
    row->whole = h3_resolution(cell);
    return GEO_OK;
}

enum geo_result geo_row_h3cell_parent(struct geo_row *row)
{
    uint64_t cell;
    char text[H3_TEXT_MAX];
    if (!h3_parse(geo_arg_str(row, 0), &cell)) return GEO_BAD;
    int64_t resolution = geo_arg_long_or(row, 1, h3_resolution(cell) - 1);
    if (resolution < 0 || resolution >= h3_resolution(cell)) return GEO_BAD;
    rf_buf_put(&row->text, text, h3_print(h3_parent(cell, (int)resolution), text));
    return GEO_OK;
}

enum geo_result geo_row_h3cell_children(struct geo_row *row)
{
    uint64_t cell;
    struct dyn_builder list;
    if (!h3_parse(geo_arg_str(row, 0), &cell)) return GEO_BAD;
    int64_t resolution = geo_arg_long_or(row, 1, h3_resolution(cell) + 1);
    if (resolution <= h3_resolution(cell) || resolution > H3_RESOLUTION_MAX) return GEO_BAD;
    if (h3_child_count(cell, (int)resolution) > CELLS_MAX) return GEO_BAD;
    uint64_t child = h3_first_child(cell, (int)resolution);
    dyn_begin(&list, &row->text, DYN_ARRAY);
    for (; child != 0; child = h3_next_child(child, h3_resolution(cell))) {
        dyn_next(&list);
        put_h3_text(&row->text, child);
    }
    dyn_end(&list);
    return GEO_OK;
}

enum geo_result geo_row_h3cell_neighbors(struct geo_row *row)
{
    uint64_t cell, around[H3_NEIGHBORS_MAX];
    if (!h3_parse(geo_arg_str(row, 0), &cell)) return GEO_BAD;
    put_h3_cells(&row->text, around, h3_neighbors(cell, around));
    return GEO_OK;
}

static bool among(const uint64_t *cells, uint32_t from, uint32_t to, uint64_t cell)
{
    for (uint32_t i = from; i < to; i++)
        if (cells[i] == cell) return true;
    return false;
}

/* Fills cells[] ring by ring; starts[d] is where ring d begins, starts[rings] the count. A neighbour of
 * a ring's cell lies in that ring, the one before or the next, so only these are searched. */
static uint32_t h3_rings(uint64_t cell, uint32_t rings, uint64_t *cells, uint32_t *starts)
{
    uint32_t count = 0;
    cells[count++] = cell;
    starts[0] = 0;
    for (uint32_t ring = 1; ring < rings; ring++) {
        uint32_t before = ring == 1 ? 0 : starts[ring - 2];
        starts[ring] = count;
        for (uint32_t i = starts[ring - 1]; i < starts[ring]; i++) {
            uint64_t around[H3_NEIGHBORS_MAX];
            size_t neighbors = h3_neighbors(cells[i], around);
            for (size_t k = 0; k < neighbors; k++)
                if (!among(cells, before, count, around[k])) cells[count++] = around[k];
        }
    }
    starts[rings] = count;
    return count;
}

enum geo_result geo_row_h3cell_rings(struct geo_row *row)
{
    uint64_t cell;
    struct dyn_builder list;
    int64_t distance = geo_arg_long_or(row, 1, 0);
    if (!h3_parse(geo_arg_str(row, 0), &cell) || distance < 0 || distance > RINGS_MAX)
        return GEO_BAD;
    uint32_t rings = (uint32_t)distance + 1, starts[RINGS_MAX + 2];
    uint64_t *cells = rf_arena_raw(row->scratch, uint64_t, CELLS_MAX);
    if (cells == NULL) return GEO_NO_MEMORY;
    (void)h3_rings(cell, rings, cells, starts);
    dyn_begin(&list, &row->text, DYN_ARRAY);
    for (uint32_t r = 0; r < rings; r++) {
        dyn_next(&list);
        put_h3_cells(&row->text, &cells[starts[r]], starts[r + 1] - starts[r]);
    }
    dyn_end(&list);
    return GEO_OK;
}

enum geo_result geo_row_polygon_to_h3cells(struct geo_row *row)
{
    const struct geo_area *area;
    uint64_t *cells;
    uint32_t edge_count = 0, count;
    int resolution;
    double radius;
    if (!cover_args(row, 6, H3_RESOLUTION_MAX, &resolution, &radius)) return GEO_BAD;
    enum geo_result result = geo_arg_area(row, 0, &area);
    if (result != GEO_OK) return result;
    const struct geo_edge *edges = geo_area_edges(area, row->scratch, &edge_count);
    if (edges == NULL) return GEO_NO_MEMORY;
    result = geo_cover_h3(area, edges, edge_count, radius, resolution, row->stop, row->scratch,
                          &cells, &count);
    if (result == GEO_OK) put_h3_cells(&row->text, cells, count);
    return result;
}
