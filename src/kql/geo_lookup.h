/* geo_lookup.h - which lines or polygons of a table lie near a point: what the plugins geo_line_lookup
 * and geo_polygon_lookup join by.
 *
 * An operator for `T | evaluate geo_polygon_lookup(L, key, lon, lat, radius, ...)`
 *   - makes a lookup with geo_lookup_new, and for each row of L calls geo_lookup_add with the value of
 *     its key column and the row's number;
 *   - for each row of T calls geo_lookup_find with the row's longitude and latitude (nan for null) and
 *     puts out one joined row per match; when none was found and return_unmatched is set, the row of T
 *     with nulls for L's columns;
 *   - drops the key column from the result unless return_lookup_key is set.
 * lookup_area_radius only guides Kusto's own index and changes no result.
 *
 * After the last add, a lookup may be read by any number of threads. */
#ifndef RF_GEO_LOOKUP_H
#define RF_GEO_LOOKUP_H

#include "kql/geo_shape.h"

enum geo_lookup_kind { GEO_LOOKUP_LINES, GEO_LOOKUP_POLYGONS };

struct geo_lookup;

/* A lookup that matches points at most `radius_metres` from a shape; 0 asks polygons to hold the point.
 * Allocates in `arena`, which must outlive it. NULL on lack of memory or when the radius is negative or
 * not finite. */
struct geo_lookup *geo_lookup_new(enum geo_lookup_kind kind, double radius_metres,
                                  struct rf_arena *arena);
/* Adds the shape of row `row`. A value that is no such shape is taken and never matches. False on lack
 * of memory. `dynamic` is borrowed for the call. */
RF_MUST_USE bool geo_lookup_add(struct geo_lookup *lookup, rf_str dynamic, uint64_t row);
/* Calls `match` for the row of each shape near the point, in the order they were added, until it gives
 * false; that is what is returned. Degrees that are not valid match nothing. Cost: a few operations per
 * shape, and per edge of those whose surroundings hold the point. */
bool geo_lookup_find(const struct geo_lookup *lookup, double lon, double lat,
                     bool (*match)(void *state, uint64_t row), void *state);

#endif
