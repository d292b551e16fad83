#include "net/egress.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>

enum { HTTPS_PORT = 443, AUTHORITY_BYTES_MAX = 300 };

/* ---- names -------------------------------------------------------------------------------------------- */

/* `pattern` may have "*" for one or more labels in front, or for one label within. */
static bool matches(rf_str host, rf_str pattern)
{
    size_t star = rf_str_find(pattern, RF_S("*"), 0);
    if (star == SIZE_MAX) return rf_str_eq_nocase(host, pattern);
    rf_str front = rf_slice(pattern, 0, star), back = rf_slice(pattern, star + 1, pattern.len);
    if (host.len <= front.len + back.len ||
        !rf_str_eq_nocase(rf_slice(host, 0, front.len), front) ||
        !rf_str_eq_nocase(rf_slice(host, host.len - back.len, host.len), back))
        return false;
    rf_str middle = rf_slice(host, front.len, host.len - back.len);
    for (size_t i = 0; i < middle.len; i++)
        if (!rf_is_alnum(middle.ptr[i]) && middle.ptr[i] != '-' &&
            (middle.ptr[i] != '.' || front.len > 0))
            return false;
    return true;
}

/* Without ":443", the port that needs no saying. */
static rf_str bare(rf_str authority)
{
    rf_str port = RF_S(":443");
    if (!rf_str_ends(authority, port)) return authority;
    rf_str host = rf_slice(authority, 0, authority.len - port.len);
    /* The end of an address of version 6 without brackets is no port. */
    bool is_v6 = host.len > 0 && host.ptr[0] != '[' && rf_str_find(host, RF_S(":"), 0) != SIZE_MAX;
    return is_v6 ? authority : host;
}

/* HOST and HOST:* both fit a host at port 443. */
static bool is_listed(rf_str authority, const rf_str *list, uint32_t count)
{
    rf_str host = bare(authority), any = RF_S(":*");
    for (uint32_t i = 0; i < count; i++) {
        if (matches(host, bare(list[i]))) return true;
        if (rf_str_ends(list[i], any) && matches(host, rf_slice(list[i], 0, list[i].len - any.len)))
            return true;
    }
    return false;
}

static rf_str without_port(rf_str authority)
{
    rf_str colon = RF_S(":");
    if (authority.len > 0 && authority.ptr[0] == '[') {
        size_t end = rf_str_find(authority, RF_S("]"), 0);
        return end == SIZE_MAX ? authority : rf_slice(authority, 1, end);
    }
    size_t at = rf_str_find(authority, colon, 0);
    if (at == SIZE_MAX) return authority;
    bool is_v6 = rf_str_find(authority, colon, at + 1) != SIZE_MAX;
    return is_v6 ? authority : rf_slice(authority, 0, at);
}

static bool is_address(rf_str host)
{
    char text[INET6_ADDRSTRLEN];
    struct in6_addr any;
    if (host.len >= sizeof text) return false;
    (void)snprintf(text, sizeof text, "%.*s", RF_FMT(host));
    return inet_pton(AF_INET, text, &any) == 1 || inet_pton(AF_INET6, text, &any) == 1;
}

bool egress_is_loopback(rf_str authority)
{
    rf_str host = without_port(authority), zone = RF_S(".localhost");
    return rf_str_eq_nocase(host, RF_S("localhost")) || rf_str_starts(host, RF_S("127.")) ||
           rf_str_eq(host, RF_S("::1")) ||
           (host.len > zone.len &&
            rf_str_eq_nocase(rf_slice(host, host.len - zone.len, host.len), zone));
}

bool egress_is_literal(rf_str authority)
{
    return egress_is_loopback(authority) || is_address(without_port(authority));
}

enum egress_way egress_way(const struct egress *egress, rf_str authority)
{
    if (is_listed(authority, egress->inside, egress->inside_count)) return EGRESS_INSIDE;
    if (egress_is_loopback(authority)) return EGRESS_NONE;
    return is_listed(authority, egress->hosts, egress->host_count) ? EGRESS_PUBLIC : EGRESS_NONE;
}

static rf_str authority_of(const char *host, uint16_t port, char out[AUTHORITY_BYTES_MAX])
{
    bool is_v6 = strchr(host, ':') != NULL;
    int len = snprintf(out, AUTHORITY_BYTES_MAX, "%s%s%s:%u", is_v6 ? "[" : "", host,
                       is_v6 ? "]" : "", (unsigned)port);
    return rf_str_make(out, RF_MIN((size_t)len, (size_t)AUTHORITY_BYTES_MAX - 1));
}

enum egress_way egress_way_to(const struct egress *egress, const char *host, uint16_t port)
{
    char text[AUTHORITY_BYTES_MAX];
    return egress_way(egress, authority_of(host, port, text));
}

/* ---- addresses ---------------------------------------------------------------------------------------- */

static bool v4_is_inside(uint32_t a)
{
    static const struct {
        uint32_t net;
        unsigned bits;
    } nets[] = {
        {0x00000000, 8},  /* 0.0.0.0/8: this network */
        {0x0a000000, 8},  /* 10.0.0.0/8 */
        {0x64400000, 10}, /* 100.64.0.0/10: shared (RFC 6598) */
        {0x7f000000, 8},  /* 127.0.0.0/8 */
        {0xa9fe0000, 16}, /* 169.254.0.0/16: link-local, metadata of clouds */
        {0xac100000, 12}, /* 172.16.0.0/12 */
        {0xc0000000, 24}, /* 192.0.0.0/24 */
        {0xc0000200, 24}, /* 192.0.2.0/24: documentation */
        {0xc0a80000, 16}, /* 192.168.0.0/16 */
        {0xc6120000, 15}, /* 198.18.0.0/15: benchmarks */
        {0xc6336400, 24}, /* 198.51.100.0/24: documentation */
        {0xcb007100, 24}, /* 203.0.113.0/24: documentation */
        {0xe0000000, 3},  /* 224.0.0.0/3: multicast, reserved, broadcast */
    };
    for (size_t i = 0; i < RF_COUNT(nets); i++)
        if ((a ^ nets[i].net) >> (32 - nets[i].bits) == 0) return true;
    return false;
}

static uint32_t v4_at(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

/* Only 2000::/3 is given out (RFC 4291); what holds an address of version 4 is judged by it. */
static bool v6_is_inside(const uint8_t a[16])
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
    static const uint8_t nat64[12] = {0x00, 0x64, 0xff, 0x9b};
    if (memcmp(a, mapped, sizeof mapped) == 0 || memcmp(a, nat64, sizeof nat64) == 0)
        return v4_is_inside(v4_at(a + 12));
    if (a[0] == 0x20 && a[1] == 0x02) return v4_is_inside(v4_at(a + 2)); /* 6to4 */
    if ((a[0] & 0xe0) != 0x20) return true;
    if (a[0] == 0x20 && a[1] == 0x01 && (a[2] & 0xfe) == 0) return true; /* 2001::/23 */
    return a[0] == 0x20 && a[1] == 0x01 && a[2] == 0x0d && a[3] == 0xb8; /* documentation */
}

bool address_is_inside(const struct sockaddr *address)
{
    if (address->sa_family == AF_INET) {
        struct sockaddr_in in;
        memcpy(&in, address, sizeof in);
        return v4_is_inside(ntohl(in.sin_addr.s_addr));
    }
    if (address->sa_family == AF_INET6) {
        struct sockaddr_in6 in6;
        memcpy(&in6, address, sizeof in6);
        return v6_is_inside(in6.sin6_addr.s6_addr);
    }
    return true;
}

bool egress_allows_address(const struct egress *egress, enum egress_way way,
                           const struct sockaddr *address)
{
    char host[INET6_ADDRSTRLEN], text[AUTHORITY_BYTES_MAX];
    uint16_t port;
    if (way == EGRESS_INSIDE) return true;
    if (way == EGRESS_NONE) return false;
    if (!address_is_inside(address)) return true;
    if (address->sa_family == AF_INET) {
        struct sockaddr_in in;
        memcpy(&in, address, sizeof in);
        port = ntohs(in.sin_port);
        if (inet_ntop(AF_INET, &in.sin_addr, host, sizeof host) == NULL) return false;
    } else if (address->sa_family == AF_INET6) {
        struct sockaddr_in6 in6;
        memcpy(&in6, address, sizeof in6);
        port = ntohs(in6.sin6_port);
        if (inet_ntop(AF_INET6, &in6.sin6_addr, host, sizeof host) == NULL) return false;
    } else {
        return false;
    }
    return is_listed(authority_of(host, port, text), egress->inside, egress->inside_count);
}
