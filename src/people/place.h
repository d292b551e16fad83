/* place.h - where an address is, as far as the tenant's named locations say: an ipNamedLocation may have "countryOrRegion" (two letters), "city" and
 * "geoCoordinates" {"latitude", "longitude"} (degrees), which are ours. Nothing else is known of addresses here. */
#ifndef RF_PLACE_H
#define RF_PLACE_H

#include "base/json_tree.h"

struct place {
    rf_str name, country, city; /* name: of the location; empty: none holds the address */
    bool has_point;
    int32_t latitude, longitude; /* millionths of a degree */
};
/* The location with the narrowest range that holds the address, of those that say where it is. Views of the location. */
struct place place_of_address(const struct json_node *const *locations, uint32_t count,
                              rf_str address);
/* RF_INVALID Request_BadRequest unless what a location says of these is well formed. */
RF_MUST_USE enum rf_kind place_check(const struct json_node *location, struct rf_err *err);
double place_km(const struct place *a,
                const struct place *b); /* over the ground; both have a point */
/* The network that an address is in as habits go: of IPv4 24 bits, of IPv6 48; empty: no address. In `arena`. */
rf_str place_network(struct rf_arena *arena, rf_str address);

#endif
