/* geo_wkt.h - well-known text (OGC 06-103r4, section 7) to GeoJSON. */
#ifndef RF_GEO_WKT_H
#define RF_GEO_WKT_H

#include "value/dyn.h"

enum { GEO_WKT_DEPTH_MAX = 16 }; /* collections inside collections */

/* Appends the GeoJSON geometry as an encoded dynamic. Knows POINT, LINESTRING, POLYGON, their MULTI forms
 * and GEOMETRYCOLLECTION, in any case, with Z, M and ZM, and EMPTY; positions keep longitude and latitude
 * only. False, with `buf` in any state, when the text is no geometry. */
bool geo_wkt_to_json(rf_str text, struct rf_buf *buf);

#endif
