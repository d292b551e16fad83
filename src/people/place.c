#include "people/place.h"

#include <math.h>
#include <stdlib.h>

#include "people/policy_int.h"

enum { TEXT_BYTES_MAX = 100 };

/* Degrees as millionths; false when the number is none, or beyond `most`. */
static bool read_degrees(const struct json_node *node, double most, int32_t *out)
{
    char text[32];
    if (!json_is(node, JSON_T_NUMBER) || node->text.len >= sizeof text) return false;
    memcpy(text, node->text.ptr, node->text.len);
    text[node->text.len] = '\0';
    double degrees = strtod(text, NULL);
    if (!(degrees >= -most && degrees <= most)) return false;
    *out = (int32_t)lround(degrees * 1e6);
    return true;
}

static bool read_point(const struct json_node *location, struct place *out)
{
    const struct json_node *point = json_get(location, "geoCoordinates");
    return read_degrees(json_get(point, "latitude"), 90, &out->latitude) &&
           read_degrees(json_get(point, "longitude"), 180, &out->longitude);
}

enum rf_kind place_check(const struct json_node *location, struct rf_err *err)
{
    struct place place;
    const struct json_node *point = json_get(location, "geoCoordinates"),
                           *country = json_get(location, "countryOrRegion"),
                           *city = json_get(location, "city");
    bool given = (point != NULL && point->type != JSON_T_NULL) ||
                 (country != NULL && country->type != JSON_T_NULL) ||
                 (city != NULL && city->type != JSON_T_NULL);
    if (given && !place_is_ip(location))
        return RF_FAIL(err, RF_INVALID, "Request_BadRequest",
                       "geoCoordinates, countryOrRegion and city belong to an ipNamedLocation.");
    if (point != NULL && point->type != JSON_T_NULL && !read_point(location, &place))
        return RF_FAIL(err, RF_INVALID, "Request_BadRequest",
                       "geoCoordinates holds latitude (-90 to 90) and longitude (-180 to 180), in "
                       "degrees.");
    if (json_is(country, JSON_T_STRING) &&
        (country->text.len != 2 || !rf_is_alpha(country->text.ptr[0]) ||
         !rf_is_alpha(country->text.ptr[1])))
        return RF_FAIL(err, RF_INVALID, "Request_BadRequest",
                       "countryOrRegion is a code of two letters (ISO 3166).");
    if (json_is(city, JSON_T_STRING) && city->text.len > TEXT_BYTES_MAX)
        return RF_FAIL(err, RF_INVALID, "Request_BadRequest", "city has at most %d bytes.",
                       TEXT_BYTES_MAX);
    return RF_OK;
}

struct place place_of_address(const struct json_node *const *locations, uint32_t count, rf_str text)
{
    struct place best = {.has_point = false};
    struct address_range address, range;
    int64_t best_prefix = -1;
    if (!address_read(text, &address)) return best;
    for (uint32_t i = 0; i < count; i++) {
        const struct json_node *l = locations[i], *ranges = json_get(l, "ipRanges");
        struct place place = {.name = json_text_at(l, "displayName"),
                              .country = json_text_at(l, "countryOrRegion"),
                              .city = json_text_at(l, "city")};
        place.has_point = read_point(l, &place);
        if (!place_is_ip(l) || !json_is(ranges, JSON_T_ARRAY) ||
            (!place.has_point && place.country.len == 0))
            continue;
        for (const struct json_node *r = ranges->first; r != NULL; r = r->next) {
            if (!address_range_read(json_text_at(r, "cidrAddress"), &range) ||
                !address_range_has(&range, &address) || (int64_t)range.prefix <= best_prefix)
                continue;
            best = place;
            best_prefix = range.prefix;
        }
    }
    return best;
}

double place_km(const struct place *a, const struct place *b)
{
    static const double earth_km = 6371.0, radians = 3.14159265358979323846 / 180 / 1e6;
    double x = a->latitude * radians, y = b->latitude * radians;
    double dx = sin((y - x) / 2), dy = sin(((double)b->longitude - a->longitude) * radians / 2);
    double h = dx * dx + cos(x) * cos(y) * dy * dy;
    return 2 * earth_km * asin(sqrt(h > 1 ? 1 : h));
}

rf_str place_network(struct rf_arena *arena, rf_str text)
{
    struct address_range address;
    if (!address_read(text, &address)) return (rf_str){0};
    const uint8_t *b = address.bytes;
    if (address.bits == 32) return rf_arena_printf(arena, "%u.%u.%u.0/24", b[0], b[1], b[2]);
    return rf_arena_printf(arena, "%x:%x:%x::/48", b[0] << 8 | b[1], b[2] << 8 | b[3],
                           b[4] << 8 | b[5]);
}
