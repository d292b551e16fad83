/* policy_place.c - named locations: ranges of addresses, countries. */
#include <arpa/inet.h>

#include "people/policy_int.h"

bool address_read(rf_str text, struct address_range *out)
{
    static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
    char copy[INET6_ADDRSTRLEN];
    size_t zone = rf_str_find(text, RF_S("%"), 0);
    if (zone != SIZE_MAX) text = rf_slice(text, 0, zone);
    if (text.len == 0 || text.len >= sizeof copy || memchr(text.ptr, 0, text.len) != NULL)
        return false;
    memcpy(copy, text.ptr, text.len);
    copy[text.len] = '\0';
    *out = (struct address_range){.bits = 32, .prefix = 32};
    if (inet_pton(AF_INET, copy, out->bytes) == 1) return true;
    if (inet_pton(AF_INET6, copy, out->bytes) != 1) return false;
    out->bits = out->prefix = 128;
    if (memcmp(out->bytes, mapped, sizeof mapped) != 0) return true;
    memcpy(out->bytes, out->bytes + sizeof mapped, 4);
    memset(out->bytes + 4, 0, 12);
    out->bits = out->prefix = 32;
    return true;
}

bool address_range_read(rf_str text, struct address_range *out)
{
    size_t slash = rf_str_find(text, RF_S("/"), 0);
    uint32_t prefix = 0;
    if (slash == SIZE_MAX || text.len - slash - 1 == 0 || text.len - slash - 1 > 3) return false;
    for (size_t i = slash + 1; i < text.len; i++) {
        if (!rf_is_digit(text.ptr[i])) return false;
        prefix = prefix * 10 + (text.ptr[i] - '0');
    }
    rf_str address = rf_slice(text, 0, slash);
    if (rf_str_find(address, RF_S("%"), 0) != SIZE_MAX || !address_read(address, out)) return false;
    /* ::ffff:10.0.0.0/104 was read as IPv4. */
    bool was_mapped = out->bits == 32 && rf_str_find(address, RF_S(":"), 0) != SIZE_MAX;
    if (was_mapped) {
        if (prefix < 96) return false;
        prefix -= 96;
    }
    if (prefix > out->bits) return false;
    out->prefix = prefix;
    return true;
}

bool address_range_has(const struct address_range *range, const struct address_range *address)
{
    uint32_t whole = range->prefix / 8, rest = range->prefix % 8;
    if (range->bits != address->bits || memcmp(range->bytes, address->bytes, whole) != 0)
        return false;
    return rest == 0 || (range->bytes[whole] ^ address->bytes[whole]) >> (8 - rest) == 0;
}

/* The name has a dot in it, so it is no path. */
static bool is_of_type(const struct json_node *location, const char *type)
{
    const struct json_node *named = json_get(location, "@odata.type");
    return json_is(named, JSON_T_STRING) && rf_str_is(named->text, type);
}

bool place_is_ip(const struct json_node *location)
{
    return is_of_type(location, "#microsoft.graph.ipNamedLocation");
}

bool place_is_country(const struct json_node *location)
{
    return is_of_type(location, "#microsoft.graph.countryNamedLocation");
}

bool place_holds(const struct json_node *location, const struct policy_input *input)
{
    if (place_is_country(location)) {
        if (input->country.len == 0)
            return json_bool_at(location, "includeUnknownCountriesAndRegions", false);
        return policy_word_in(json_get(location, "countriesAndRegions"), input->country);
    }
    struct address_range address, range;
    const struct json_node *ranges = json_get(location, "ipRanges");
    if (!place_is_ip(location) || !json_is(ranges, JSON_T_ARRAY) ||
        !address_read(input->address, &address))
        return false;
    for (const struct json_node *r = ranges->first; r != NULL; r = r->next)
        if (address_range_read(json_text_at(r, "cidrAddress"), &range) &&
            address_range_has(&range, &address))
            return true;
    return false;
}
