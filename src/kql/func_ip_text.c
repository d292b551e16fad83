/* func_ip_text.c - reading and writing addresses, and sets of networks. */
#include "kql/func_ip.h"

#include <stdlib.h>

enum { IP6_GROUPS = 8, IP4_IN_IP6_BITS = 96 };

/* Up to three digits, 0..max. */
static bool take_number(rf_str s, size_t *at, uint32_t max, uint32_t *out)
{
    uint32_t x = 0;
    size_t i = *at, from = i;
    for (; i < s.len && i - from < 3 && rf_is_digit(s.ptr[i]); i++)
        x = x * 10 + (uint32_t)(s.ptr[i] - '0');
    *out = x;
    *at = i;
    return i > from && x <= max;
}

static bool take_dotted(rf_str s, size_t *at, uint32_t *out)
{
    uint32_t address = 0, part;
    for (int i = 0; i < 4; i++) {
        if (i > 0 && (*at >= s.len || s.ptr[(*at)++] != '.')) return false;
        if (!take_number(s, at, 255, &part)) return false;
        address = address << 8 | part;
    }
    *out = address;
    return true;
}

/* The end of the text, or a slash and a number up to `max`. */
static bool take_suffix(rf_str s, size_t at, uint32_t max, uint32_t *out)
{
    *out = max;
    if (at == s.len) return true;
    if (s.ptr[at++] != '/') return false;
    return take_number(s, &at, max, out) && at == s.len;
}

bool ip4_parse(rf_str s, struct ip4 *out)
{
    size_t at = 0;
    struct ip4 ip;
    if (!take_dotted(s, &at, &ip.address) || !take_suffix(s, at, 32, &ip.prefix)) return false;
    *out = ip;
    return true;
}

struct ip6 ip6_of_ip4(const struct ip4 *ip)
{
    return (struct ip6){.low = UINT64_C(0xffff00000000) | ip->address,
                        .prefix = IP4_IN_IP6_BITS + ip->prefix};
}

static int hex_digit(uint8_t c)
{
    if (rf_is_digit(c)) return c - '0';
    c = rf_lower(c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool take_group(rf_str s, size_t *at, uint16_t *out)
{
    uint32_t x = 0;
    size_t i = *at, from = i;
    for (; i < s.len && i - from < 4 && hex_digit(s.ptr[i]) >= 0; i++)
        x = x << 4 | (uint32_t)hex_digit(s.ptr[i]);
    *out = (uint16_t)x;
    *at = i;
    return i > from;
}

struct groups {
    uint16_t items[IP6_GROUPS];
    uint32_t count;
    uint32_t gap; /* where "::" stood; IP6_GROUPS + 1 when nowhere */
    bool dotted;
};

/* Groups, at most one "::", and perhaps a dotted end, up to the suffix. */
static bool take_groups(rf_str s, size_t *at, struct groups *g)
{
    *g = (struct groups){.gap = IP6_GROUPS + 1};
    if (s.len >= 2 && s.ptr[0] == ':' && s.ptr[1] == ':') {
        g->gap = 0;
        *at = 2;
    }
    while (*at < s.len && s.ptr[*at] != '/') {
        size_t dotted_at = *at;
        uint32_t address;
        if (g->count <= IP6_GROUPS - 2 && take_dotted(s, &dotted_at, &address)) {
            g->items[g->count++] = (uint16_t)(address >> 16);
            g->items[g->count++] = (uint16_t)address;
            g->dotted = true;
            *at = dotted_at;
            break;
        }
        if (g->count == IP6_GROUPS || !take_group(s, at, &g->items[g->count])) return false;
        g->count++;
        if (*at == s.len || s.ptr[*at] == '/') break;
        if (s.ptr[(*at)++] != ':') return false;
        if (*at < s.len && s.ptr[*at] == ':') {
            if (g->gap <= IP6_GROUPS) return false;
            g->gap = g->count;
            (*at)++;
        } else if (*at == s.len || s.ptr[*at] == '/') {
            return false; /* a single colon at the end */
        }
    }
    return g->gap <= IP6_GROUPS ? g->count < IP6_GROUPS : g->count == IP6_GROUPS;
}

bool ip6_parse(rf_str s, struct ip6 *out)
{
    struct ip4 ip4;
    if (ip4_parse(s, &ip4)) {
        *out = ip6_of_ip4(&ip4);
        return true;
    }
    struct groups g;
    size_t at = 0;
    struct ip6 ip = {0};
    if (!take_groups(s, &at, &g) || !take_suffix(s, at, 128, &ip.prefix)) return false;
    uint32_t missing = IP6_GROUPS - g.count;
    for (uint32_t i = 0; i < g.count; i++) {
        uint32_t to = i < g.gap ? i : i + missing;
        uint64_t *half = to < 4 ? &ip.high : &ip.low;
        *half |= (uint64_t)g.items[i] << (48 - 16 * (to % 4));
    }
    uint64_t above = ip.low >> 32;
    if (g.dotted && ip.high == 0 && (above == 0 || above == 0xffff)) {
        ip.low |= UINT64_C(0xffff00000000);
        if (at < s.len && ip.prefix <= 32) ip.prefix += IP4_IN_IP6_BITS;
    }
    *out = ip;
    return true;
}

struct ip6 ip6_masked(struct ip6 ip, uint32_t prefix)
{
    if (prefix <= 64)
        ip.low = 0;
    else if (prefix < 128)
        ip.low &= UINT64_MAX << (128 - prefix);
    if (prefix == 0)
        ip.high = 0;
    else if (prefix < 64)
        ip.high &= UINT64_MAX << (64 - prefix);
    return ip;
}

int ip6_cmp(const struct ip6 *a, const struct ip6 *b)
{
    if (a->high != b->high) return a->high < b->high ? -1 : 1;
    return (a->low > b->low) - (a->low < b->low);
}

void ip4_put(struct rf_buf *buf, uint32_t address)
{
    uint8_t text[15];
    size_t n = 0;
    for (int shift = 24; shift >= 0; shift -= 8) {
        uint32_t part = address >> shift & 0xff;
        if (part >= 100) text[n++] = (uint8_t)('0' + part / 100);
        if (part >= 10) text[n++] = (uint8_t)('0' + part / 10 % 10);
        text[n++] = (uint8_t)('0' + part % 10);
        if (shift > 0) text[n++] = '.';
    }
    rf_buf_put(buf, text, n);
}

void ip6_put(struct rf_buf *buf, const struct ip6 *ip)
{
    static const char hex[] = "0123456789abcdef";
    uint8_t text[39];
    size_t n = 0;
    for (int digit = 0; digit < 32; digit++) {
        if (digit > 0 && digit % 4 == 0) text[n++] = ':';
        uint64_t half = digit < 16 ? ip->high : ip->low;
        text[n++] = (uint8_t)hex[half >> (60 - 4 * (digit % 16)) & 15];
    }
    rf_buf_put(buf, text, n);
}

/* ---- sets ------------------------------------------------------------------------------------ */

struct ip6_range ip6_network(const struct ip6 *ip, uint32_t prefix)
{
    struct ip6_range range = {.from = ip6_masked(*ip, prefix)};
    struct ip6 ones = {.high = UINT64_MAX, .low = UINT64_MAX}, mask = ip6_masked(ones, prefix);
    range.to = range.from;
    range.to.high |= ~mask.high;
    range.to.low |= ~mask.low;
    return range;
}

static int order_ranges(const void *a, const void *b)
{
    const struct ip6_range *x = a, *y = b;
    return ip6_cmp(&x->from, &y->from);
}

void ip_set_build(struct ip_set *set)
{
    if (set->count == 0) return;
    qsort(set->ranges, set->count, sizeof set->ranges[0], order_ranges);
    uint32_t kept = 0;
    for (uint32_t i = 1; i < set->count; i++) {
        struct ip6_range *last = &set->ranges[kept], *next = &set->ranges[i];
        if (ip6_cmp(&next->from, &last->to) > 0)
            set->ranges[++kept] = *next;
        else if (ip6_cmp(&next->to, &last->to) > 0)
            last->to = next->to;
    }
    set->count = kept + 1;
}

bool ip_set_has(const struct ip_set *set, const struct ip6 *ip)
{
    uint32_t from = 0, to = set->count; /* the first range that begins above ip */
    while (from < to) {
        uint32_t middle = from + (to - from) / 2;
        if (ip6_cmp(&set->ranges[middle].from, ip) <= 0)
            from = middle + 1;
        else
            to = middle;
    }
    return from > 0 && ip6_cmp(ip, &set->ranges[from - 1].to) <= 0;
}
