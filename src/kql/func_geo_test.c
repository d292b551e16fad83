#include "kql/geo_lookup.h"
#include "test/rf_print.h"

#define PARK                                                                                       \
    "dynamic({'type':'Polygon','coordinates':[[[-73.9495,40.7969],[-73.95807266235352,"            \
    "40.80068603561921],[-73.98201942443848,40.76825672305777],[-73.97317886352539,"               \
    "40.76455136505513],[-73.9495,40.7969]]]})"
#define SQUARE(w, s, e, n)                                                                         \
    "dynamic({'type':'Polygon','coordinates':[[[" #w "," #s "],[" #e "," #s "],[" #e "," #n        \
    "],[" #w "," #n "],[" #w "," #s "]]]})"
#define LINE(a, b) "dynamic({'type':'LineString','coordinates':[[" a "],[" b "]]})"

Test(func_geo, points)
{
    static const struct rf_print_case cases[] = {
        {"round(geo_angle(0, 10, 0, 5, 3, -10), 9)", "2.944938434"},
        {"geo_angle(0, 10, 0, 10, 3, -10)", "real:null"},
        {"round(geo_azimuth(5, 10, 10, -40), 9)", "3.054599398"},
        {"geo_azimuth(1, 1, 1, 1)", "null"},
        {"geo_azimuth(0, 0, 180, 0)", "null"},
        {"round(geo_distance_2points(-122.407628, 47.578557, -118.275287, 34.019056), 3)",
         "1546754.352"},
        {"round(geo_distance_2points(0, 0, 1, 0, true), 3)", "111319.491"},
        {"geo_distance_2points(300, 1, 1, 1)", "null"},
        {"geo_point_in_circle(-122.143564, 47.535677, -122.100896, 47.527351, 3500)", "bool:true"},
        {"geo_point_in_circle(1, 1, 1, 1, -1)", "null"},
        {"geo_point_in_polygon(-73.9654, 40.7829, " PARK ")", "true"},
        {"geo_point_in_polygon(-73.9, 40.7829, " PARK ")", "false"},
        {"geo_point_in_polygon(1, 1, dynamic(null))", "null"},
        {"geo_point_in_polygon(180, 1, " SQUARE(170, 0, -170, 10) ")", "true"},
        {"geo_point_in_polygon(0, 1, " SQUARE(170, 0, -170, 10) ")", "false"},
        {"tostring(geo_from_wkt('POINT (1.0 2.5)'))",
         "{\"type\":\"Point\",\"coordinates\":[1,2.5]}"},
        {"tostring(geo_from_wkt('geometrycollection(point z(40 10 7), linestring(1 2,3 4))'))",
         "{\"type\":\"GeometryCollection\",\"geometries\":[{\"type\":\"Point\",\"coordinates\":[40,"
         "10]},"
         "{\"type\":\"LineString\",\"coordinates\":[[1,2],[3,4]]}]}"},
        {"geo_from_wkt('POINT (1)')", "null"},
        {"geo_from_wkt('POINT (1 2) x')", "null"},
        {"geo_info_from_ip_address('20.53.203.50')", "dynamic:null"},
    };
    RF_PRINT_CHECK(cases);
}

Test(func_geo, cells)
{
    static const struct rf_print_case cases[] = {
        {"geo_point_to_geohash(-80.195829, 25.802215, 8)", "string:dhwfz15h"},
        {"geo_point_to_geohash(200, 1, 8)", ""},
        {"geo_point_to_geohash(1, 1, 19)", ""},
        {"tostring(geo_geohash_neighbors('sunny'))",
         "[\"sunnt\",\"sunpj\",\"sunnx\",\"sunpn\",\"sunnv\",\"sunpp\",\"sunnz\",\"sunnw\"]"},
        {"tostring(geo_geohash_to_polygon('dr5ru').coordinates[0][2])",
         "[-73.9599609375,40.78125]"},
        {"geo_geohash_to_polygon('a')", "null"},
        {"tostring(geo_geohash_to_central_point('s').coordinates)", "[22.5,22.5]"},
        {"geo_point_to_s2cell(-80.195829, 25.802215, 8)", "88d9b"},
        {"geo_point_to_s2cell(1, 1, 35)", ""},
        {"geo_point_to_s2cell(1, 1, int(null))", ""},
        {"tostring(geo_s2cell_neighbors('89c259'))",
         "[\"89c25d\",\"89c2f9\",\"89c251\",\"89c257\",\"89c25f\",\"89c25b\",\"89c2f7\","
         "\"89c2f5\"]"},
        {"geo_s2cell_neighbors('a')", "null"},
        {"round(todouble(geo_s2cell_to_polygon('89c259').coordinates[0][0][1]), 9)",
         "40.801268434"},
        {"geo_point_to_h3cell(-74.016, 40.704)", "862a1072fffffff"},
        {"tostring(geo_h3cell_neighbors('862a1072fffffff'))",
         "[\"862a10727ffffff\",\"862a10707ffffff\",\"862a1070fffffff\",\"862a10777ffffff\","
         "\"862a100dfffffff\",\"862a100d7ffffff\"]"},
        {"geo_h3cell_parent('862a1072fffffff', 1)", "812a3ffffffffff"},
        {"geo_h3cell_parent('862a1072fffffff', 15)", ""},
        {"geo_h3cell_level('862a1072fffffff')", "int:6"},
        {"array_length(geo_h3cell_children('862a1072fffffff', 9))", "343"},
        {"geo_h3cell_children(geo_point_to_h3cell(1, 1, 9), 15)", "null"},
        {"array_length(geo_h3cell_rings('862a1072fffffff', 5)[5])", "30"},
        {"geo_h3cell_rings('862a1072fffffff', 143)", "null"},
        {"array_length(geo_polygon_to_s2cells(" SQUARE(0, 0, 1, 1) ", 8))", "23"},
        {"geo_polygon_to_s2cells(" SQUARE(0, 0, 1, 1) ", 30)", "null"},
        {"array_length(geo_line_to_s2cells(" LINE("0,0", "0.001,0") ", 0))", "1"},
        {"array_length(geo_polygon_to_h3cells(geo_h3cell_to_polygon('862a1072fffffff'), 7)) > 7",
         "true"},
    };
    RF_PRINT_CHECK(cases);
}

Test(func_geo, lines)
{
    static const struct rf_print_case cases[] = {
        {"round(geo_line_length(dynamic({'type':'LineString','coordinates':[[-73.95807266235352,"
         "40.800426144169315],[-73.94966125488281,40.79691751000055],[-73.97317886352539,"
         "40.764486356930334]]})), 6)",
         "4922.48017"},
        {"geo_line_length(" LINE("1,1", "1,1") ")", "real:null"},
        {"tostring(geo_line_densify(" LINE("50,50", "51,51") "))",
         "{\"type\":\"LineString\",\"coordinates\":[[50,50],[50.125,50.125],[50.25,50.25],[50.375,"
         "50.375],"
         "[50.5,50.5],[50.625,50.625],[50.75,50.75],[50.875,50.875],[51,51]]}"},
        {"geo_line_densify(" LINE("1,1", "2,2") ", 0)", "null"},
        {"array_length(geo_line_densify(" LINE("170,0", "-170,0") ", 10, true).coordinates)", "2"},
        {"geo_line_simplify(" LINE("1.1,1.1", "1.2,1.2") ", 100000)", "null"},
        {"round(geo_line_locate_point(" LINE("0,0", "10,0") ", 2.5, 3), 9)", "0.25"},
        {"round(todouble(geo_line_interpolate_point(" LINE("0,0",
                                                           "10,0") ", 0.25).coordinates[0]), 9)",
         "2.5"},
        {"geo_line_interpolate_point(" LINE("0,0", "10,0") ", 1.5)", "null"},
        {"round(geo_distance_point_to_line(0, 1, " LINE("-5,0", "5,0") "), 1)", "111195.1"},
        {"tostring(geo_intersection_2lines(" LINE("0,-1", "0,1") ", " LINE("-1,0", "1,0") "))",
         "{\"type\":\"Point\",\"coordinates\":[0,0]}"},
        {"tostring(geo_intersection_2lines(" LINE("1,1", "2,2") ", " LINE("3,3", "4,4") "))",
         "{\"type\":\"GeometryCollection\",\"geometries\":[]}"},
        {"geo_intersects_2lines(" LINE("0,0", "1,1") ", " LINE("1,1", "2,0") ")", "true"},
        {"tostring(geo_union_lines_array(pack_array(" LINE("0,0", "1,0") ", " LINE("0.5,0",
                                                                                   "2,0") ")))",
         "{\"type\":\"LineString\",\"coordinates\":[[0,0],[0.5,0],[1,0],[2,0]]}"},
        {"geo_union_lines_array(pack_array(" LINE("0,0", "1,0") ", 1))", "null"},
        {"geo_line_buffer(" LINE("0,0", "1,0") ", 1000).type", "Polygon"},
        {"round(geo_polygon_area(geo_line_buffer(" LINE("0,0", "1,0") ", 1000, 1)) / 1e6, 0)",
         "226"},
    };
    RF_PRINT_CHECK(cases);
}

Test(func_geo, polygons)
{
    static const struct rf_print_case cases[] = {
        {"round(geo_polygon_area(" PARK "), 4)", "3475207.2835"},
        {"round(geo_polygon_perimeter(" PARK "), 6)", "9930.301496"},
        {"geo_polygon_perimeter(dynamic({'type':'Polygon','coordinates':[[[0,0],[10,10],[10,10],[0,"
         "0]]]}))",
         "null"},
        {"geo_polygon_area(dynamic({'type':'Polygon','coordinates':[[[0,0],[1,1],[1,0],[0,1],[0,0]]"
         "]}))",
         "null"},
        {"round(geo_distance_point_to_polygon(-73.9839, 40.7705, " PARK "), 6)", "259.940756"},
        {"geo_distance_point_to_polygon(-73.9654, 40.7829, " PARK ")", "0"},
        {"tostring(geo_intersection_2polygons(" SQUARE(0, 0, 1, 1) ", " SQUARE(1, 1, 2, 2) "))",
         "{\"type\":\"Point\",\"coordinates\":[1,1]}"},
        {"geo_intersection_2polygons(" SQUARE(0, 0, 1, 1) ", " SQUARE(1, 0, 2, 1) ").type",
         "LineString"},
        {"geo_intersects_2polygons(" SQUARE(0, 0, 4, 4) ", " SQUARE(1, 1, 2, 2) ")", "true"},
        {"geo_intersects_2polygons(" SQUARE(0, 0, 1, 1) ", " SQUARE(3, 3, 4, 4) ")", "false"},
        {"geo_union_polygons_array(pack_array(" SQUARE(0, 0, 2, 2) ", " SQUARE(1, 1, 3,
                                                                               3) ")).type",
         "Polygon"},
        {"geo_union_polygons_array(pack_array(" SQUARE(0, 0, 1, 1) ", " SQUARE(2, 2, 3,
                                                                               3) ")).type",
         "MultiPolygon"},
        {"geo_union_polygons_array(dynamic([]))", "null"},
        {"geo_polygon_buffer(" SQUARE(0, 0, 1, 1) ", 0)", "null"},
        {"geo_polygon_area(geo_polygon_buffer(" SQUARE(0, 0, 1, 1) ", 1000)) > "
                                                                   "geo_polygon_area(" SQUARE(
                                                                       0, 0, 1, 1) ")",
         "true"},
        {"abs(geo_polygon_area(geo_point_buffer(2, 50, 1000, 0.1)) / (pi() * 1e6) - 1) < 1e-3",
         "true"},
        {"geo_point_buffer(2, 50, -1)", "null"},
        {"geo_polygon_simplify(" SQUARE(0, 47, 4, 50) ", 1000000)", "null"},
        {"geo_polygon_simplify(" SQUARE(0, 47, 4, 50) ", -0.1)", "null"},
    };
    RF_PRINT_CHECK(cases);
}

static bool collect(void *state, uint64_t row)
{
    *(uint64_t *)state = *(uint64_t *)state * 10 + row;
    return true;
}

Test(func_geo, lookup)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 1u << 20);
    struct geo_lookup *lines = geo_lookup_new(GEO_LOOKUP_LINES, 1000, &arena);
    static const char *const shapes[] = {
        "{\"type\":\"LineString\",\"coordinates\":[[0,0],[1,0]]}", "5",
        "{\"type\":\"LineString\",\"coordinates\":[[0.5,-1],[0.5,1]]}"};
    for (uint64_t i = 0; i < RF_COUNT(shapes); i++) {
        struct rf_buf buf = rf_buf_in(&arena);
        cr_assert(dyn_parse_json(rf_str_of(shapes[i]), &buf, NULL) == RF_OK);
        cr_assert(geo_lookup_add(lines, dyn_done(&buf), i + 1));
    }
    static const struct {
        double lon, lat;
        uint64_t rows;
    } cases[] = {{0.5, 0.005, 13}, {0.2, 0.005, 1}, {0.5, 0.9, 3}, {0.2, 0.9, 0}, {500, 0, 0}};
    for (size_t i = 0; i < RF_COUNT(cases); i++) {
        uint64_t rows = 0;
        cr_expect(geo_lookup_find(lines, cases[i].lon, cases[i].lat, collect, &rows));
        cr_expect(rows == cases[i].rows, "%zu: %lu", i, (unsigned long)rows);
    }
    cr_expect(geo_lookup_new(GEO_LOOKUP_LINES, -1, &arena) == NULL);
}
