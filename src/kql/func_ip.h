/* func_ip.h - IPv4 and IPv6 addresses and networks as text and number; also for the lookup
 * plugins. */
#ifndef RF_FUNC_IP_H
#define RF_FUNC_IP_H

#include "base/rf.h"

struct ip4 {
    uint32_t address;
    uint32_t prefix; /* 0..32; 32 without a suffix */
};
/* Bytes in the order in which they are written. An IPv4 address is ::ffff:a.b.c.d here and its
 * suffix counts from bit 96. */
struct ip6 {
    uint64_t high, low;
    uint32_t prefix; /* 0..128 */
};

/* "a.b.c.d" or "a.b.c.d/n"; false for anything else. */
bool ip4_parse(rf_str s, struct ip4 *out);
/* RFC 4291 text, or IPv4; with or without "/n". A dotted end makes the whole an IPv4 address when
 * nothing but zeros and ffff stand before it. */
bool ip6_parse(rf_str s, struct ip6 *out);

static inline uint32_t ip4_mask(uint32_t prefix)
{
    return prefix == 0 ? 0 : UINT32_MAX << (32 - prefix);
}
/* The address with all bits behind the prefix cleared. */
struct ip6 ip6_masked(struct ip6 ip, uint32_t prefix);
int ip6_cmp(const struct ip6 *a, const struct ip6 *b); /* addresses only */

void ip4_put(struct rf_buf *buf, uint32_t address);
/* All eight groups with all four digits. */
void ip6_put(struct rf_buf *buf, const struct ip6 *ip);

/* A set of networks as ranges of addresses, sorted and merged: what a constant list is compiled
 * to. */
struct ip6_range {
    struct ip6 from, to;
};
struct ip_set {
    struct ip6_range *ranges;
    uint32_t count;
};
/* Sorts and merges in place. */
void ip_set_build(struct ip_set *set);
bool ip_set_has(const struct ip_set *set, const struct ip6 *ip);
struct ip6_range ip6_network(const struct ip6 *ip, uint32_t prefix);
struct ip6 ip6_of_ip4(const struct ip4 *ip);

#endif
