/* func_ip.c - functions on IPv4 and IPv6 addresses and networks, and searching texts for addresses.
 * A list of networks that is constant is compiled once per worker into sorted ranges. */
#include "kql/func_ip.h"
#include "kql/func_families.h"
#include "value/dyn.h"
#include "value/text_rows.h"

#include <stdio.h>

/* A negative or too large prefix argument makes the whole invalid. */
static bool prefix_arg(const struct func_call *call, const struct vec *args, uint32_t arg,
                       uint32_t row, uint32_t max, uint32_t *prefix)
{
    if (arg >= call->arg_count) return true;
    int64_t given = ARG_I64(&args[arg], row);
    if (given < 0 || given > max) return false;
    *prefix = RF_MIN(*prefix, (uint32_t)given);
    return true;
}

/* ---- comparison ------------------------------------------------------------------------------ */

/* Both under the shortest of their own prefixes and the one given. */
static bool compare4(const struct func_call *call, const struct vec *args, uint32_t row, int *order)
{
    struct ip4 a, b;
    if (!ip4_parse(ARG_STR(&args[0], row), &a) || !ip4_parse(ARG_STR(&args[1], row), &b))
        return false;
    uint32_t prefix = RF_MIN(a.prefix, b.prefix);
    if (!prefix_arg(call, args, 2, row, 32, &prefix)) return false;
    uint32_t mask = ip4_mask(prefix), x = a.address & mask, y = b.address & mask;
    *order = (x > y) - (x < y);
    return true;
}

static bool compare6(const struct func_call *call, const struct vec *args, uint32_t row, int *order)
{
    struct ip6 a, b;
    if (!ip6_parse(ARG_STR(&args[0], row), &a) || !ip6_parse(ARG_STR(&args[1], row), &b))
        return false;
    uint32_t prefix = RF_MIN(a.prefix, b.prefix);
    if (!prefix_arg(call, args, 2, row, 128, &prefix)) return false;
    a = ip6_masked(a, prefix);
    b = ip6_masked(b, prefix);
    *order = ip6_cmp(&a, &b);
    return true;
}

#define COMPARE_KERNEL(name, compare, put)                                                         \
    FUNC_KERNEL(name)                                                                              \
    {                                                                                              \
        for (uint32_t i = 0; i < count; i++) {                                                     \
            int order;                                                                             \
            if (!OUT_NULL(out)[i] && compare(call, args, i, &order))                               \
                put;                                                                               \
            else                                                                                   \
                OUT_NULL(out)[i] = 1;                                                              \
        }                                                                                          \
        return RF_OK;                                                                              \
    }

COMPARE_KERNEL(ipv4_compare, compare4, OUT_I64(out)[i] = order)
COMPARE_KERNEL(ipv6_compare, compare6, OUT_I64(out)[i] = order)
COMPARE_KERNEL(ipv4_is_match, compare4, OUT_BOOL(out)[i] = order == 0)
COMPARE_KERNEL(ipv6_is_match, compare6, OUT_BOOL(out)[i] = order == 0)

/* ---- one range ------------------------------------------------------------------------------- */

/* The range of ipv4_is_in_range() when it is constant. */
struct range4 {
    bool valid;
    uint32_t base, mask;
};

static struct range4 range4_of(rf_str text)
{
    struct ip4 ip;
    if (!ip4_parse(text, &ip)) return (struct range4){0};
    uint32_t mask = ip4_mask(ip.prefix);
    return (struct range4){.valid = true, .base = ip.address & mask, .mask = mask};
}

static enum rf_kind ipv4_range_prepare(struct func_call *call, const struct vec *args,
                                       struct rf_err *err)
{
    if (args[1].data == NULL) return RF_OK;
    struct range4 *range = rf_arena_new(call->query_arena, struct range4, 1);
    if (range == NULL) return rf_fail_memory(err, call->query_arena);
    *range = range4_of(ARG_STR(&args[1], 0));
    call->state = range;
    return RF_OK;
}

FUNC_KERNEL(ipv4_is_in_range)
{
    const struct range4 *compiled = call->state;
    for (uint32_t i = 0; i < count; i++) {
        struct range4 range = compiled != NULL ? *compiled : range4_of(ARG_STR(&args[1], i));
        struct ip4 ip;
        if (range.valid && ip4_parse(ARG_STR(&args[0], i), &ip))
            OUT_BOOL(out)[i] = (ip.address & ip4_mask(ip.prefix) & range.mask) == range.base;
        else
            OUT_NULL(out)[i] = 1;
    }
    return RF_OK;
}

static bool range6_has(const struct ip6 *range, const struct ip6 *ip)
{
    struct ip6 base = ip6_masked(*range, range->prefix),
               masked = ip6_masked(*ip, RF_MIN(range->prefix, ip->prefix));
    return ip6_cmp(&base, &masked) == 0;
}

FUNC_KERNEL(ipv6_is_in_range)
{
    for (uint32_t i = 0; i < count; i++) {
        struct ip6 ip, range;
        if (ip6_parse(ARG_STR(&args[0], i), &ip) && ip6_parse(ARG_STR(&args[1], i), &range))
            OUT_BOOL(out)[i] = range6_has(&range, &ip);
        else
            OUT_NULL(out)[i] = 1;
    }
    return RF_OK;
}

/* ---- lists: texts and arrays of texts, in any mix -------------------------------------------- */

typedef bool list_visit(void *state, rf_str item);

/* Calls `visit` for each text of arguments 1.. until it returns true; tells whether one did. */
static bool list_any(const struct func_call *call, const struct vec *args, uint32_t row,
                     list_visit *visit, void *state)
{
    for (uint32_t a = 1; a < call->arg_count; a++) {
        if (args[a].type != TYPE_STRING && args[a].type != TYPE_DYNAMIC) continue;
        rf_str arg = ARG_STR(&args[a], row);
        if (args[a].type == TYPE_STRING) {
            if (visit(state, arg)) return true;
            continue;
        }
        if (ARG_NULL(&args[a], row)) continue;
        if (dyn_tag(arg) == DYN_STRING && visit(state, dyn_string(arg))) return true;
        if (dyn_tag(arg) != DYN_ARRAY) continue;
        for (uint32_t i = 0, n = dyn_count(arg); i < n; i++)
            if (visit(state, dyn_string(dyn_item(arg, i)))) return true;
    }
    return false;
}

static bool list_is_constant(const struct func_call *call, const struct vec *args)
{
    for (uint32_t a = 1; a < call->arg_count; a++)
        if (args[a].data == NULL) return false;
    return true;
}

static bool count_item(void *state, rf_str item)
{
    (void)item;
    ++*(uint32_t *)state;
    return false;
}

static bool add_range4(void *state, rf_str item)
{
    struct ip_set *set = state;
    struct ip4 ip4;
    if (!ip4_parse(item, &ip4)) return false;
    struct ip6 ip = ip6_of_ip4(&ip4);
    set->ranges[set->count++] = ip6_network(&ip, ip.prefix);
    return false;
}

static bool add_range6(void *state, rf_str item)
{
    struct ip_set *set = state;
    struct ip6 ip;
    if (ip6_parse(item, &ip)) set->ranges[set->count++] = ip6_network(&ip, ip.prefix);
    return false;
}

static enum rf_kind set_prepare(struct func_call *call, const struct vec *args, list_visit *add,
                                struct rf_err *err)
{
    if (!list_is_constant(call, args)) return RF_OK;
    uint32_t count = 0;
    (void)list_any(call, args, 0, count_item, &count);
    struct ip_set *set = rf_arena_new(call->query_arena, struct ip_set, 1);
    struct ip6_range *ranges = rf_arena_raw(call->query_arena, struct ip6_range, count);
    if (set == NULL || ranges == NULL) return rf_fail_memory(err, call->query_arena);
    set->ranges = ranges;
    (void)list_any(call, args, 0, add, set);
    ip_set_build(set);
    call->state = set;
    return RF_OK;
}

static enum rf_kind ipv4_set_prepare(struct func_call *call, const struct vec *args,
                                     struct rf_err *err)
{
    return set_prepare(call, args, add_range4, err);
}

static enum rf_kind ipv6_set_prepare(struct func_call *call, const struct vec *args,
                                     struct rf_err *err)
{
    return set_prepare(call, args, add_range6, err);
}

static bool range4_item_has(void *state, rf_str item)
{
    const struct ip4 *ip = state;
    struct range4 range = range4_of(item);
    return range.valid && (ip->address & range.mask) == range.base;
}

static bool range6_item_has(void *state, rf_str item)
{
    struct ip6 range;
    return ip6_parse(item, &range) && range6_has(&range, state);
}

/* An entry of the list that is no network matches nothing. */
FUNC_KERNEL(ipv4_is_in_any_range)
{
    for (uint32_t i = 0; i < count; i++) {
        struct ip4 ip;
        if (!ip4_parse(ARG_STR(&args[0], i), &ip)) {
            OUT_NULL(out)[i] = 1;
            continue;
        }
        ip.address &= ip4_mask(ip.prefix);
        struct ip6 wide = ip6_of_ip4(&ip);
        OUT_BOOL(out)
        [i] = call->state != NULL ? ip_set_has(call->state, &wide)
                                  : list_any(call, args, i, range4_item_has, &ip);
    }
    return RF_OK;
}

FUNC_KERNEL(ipv6_is_in_any_range)
{
    for (uint32_t i = 0; i < count; i++) {
        struct ip6 ip;
        if (!ip6_parse(ARG_STR(&args[0], i), &ip)) {
            OUT_NULL(out)[i] = 1;
            continue;
        }
        ip = ip6_masked(ip, ip.prefix);
        OUT_BOOL(out)
        [i] = call->state != NULL ? ip_set_has(call->state, &ip)
                                  : list_any(call, args, i, range6_item_has, &ip);
    }
    return RF_OK;
}

/* ---- addresses inside texts ------------------------------------------------------------------ */

/* What is looked for: the first `octets` octets of an address. */
struct needle {
    uint32_t address, octets;
};
struct needles {
    struct needle *items;
    uint32_t count;
    bool prefixes;
};

/* Moves *at past the next address that has no letter or digit right before or behind it. */
static bool next_address(rf_str s, size_t *at, uint32_t *address)
{
    for (size_t i = *at; i < s.len; i++) {
        if (!rf_is_digit(s.ptr[i]) || (i > 0 && rf_is_alnum(s.ptr[i - 1]))) continue;
        size_t end = i, dots = 0;
        while (end < s.len && (rf_is_digit(s.ptr[end]) || (s.ptr[end] == '.' && dots < 3)))
            dots += s.ptr[end++] == '.';
        struct ip4 ip;
        if (end < s.len && rf_is_alnum(s.ptr[end])) continue;
        if (end - i > 15 || !ip4_parse(rf_slice(s, i, end), &ip)) continue;
        *address = ip.address;
        *at = i + 1;
        return true;
    }
    return false;
}

/* A whole address, or one to three octets that end with a dot. */
static bool needle_of(rf_str text, bool prefix, struct needle *out)
{
    struct ip4 ip;
    uint32_t dots = 0;
    for (size_t i = 0; i < text.len; i++) dots += text.ptr[i] == '.';
    if (text.len == 0 || text.len > 15) return false;
    if (!prefix || dots == 3) {
        if (text.ptr[text.len - 1] != '.') {
            *out = (struct needle){.octets = 4};
            return ip4_parse(text, &ip) && ip.prefix == 32 && (out->address = ip.address, true);
        }
        if (!prefix) return false;
    }
    if (dots < 1 || dots > 3 || text.ptr[text.len - 1] != '.') return false;
    /* Completed by zeros it must be an address. */
    uint8_t whole[24];
    size_t len = text.len;
    memcpy(whole, text.ptr, len);
    for (uint32_t n = dots; n < 4; n++) {
        whole[len++] = '0';
        if (n < 3) whole[len++] = '.';
    }
    *out = (struct needle){.octets = dots};
    return ip4_parse(rf_str_make(whole, len), &ip) && (out->address = ip.address, true);
}

static bool text_has(rf_str text, const struct needle *needles, uint32_t count)
{
    uint32_t address;
    for (size_t at = 0; next_address(text, &at, &address);)
        for (uint32_t i = 0; i < count; i++)
            if ((address ^ needles[i].address) >> (32 - 8 * needles[i].octets) == 0) return true;
    return false;
}

static bool add_needle(void *state, rf_str item)
{
    struct needles *needles = state;
    if (needle_of(item, needles->prefixes, &needles->items[needles->count])) needles->count++;
    return false;
}

static enum rf_kind needles_prepare(struct func_call *call, const struct vec *args, bool prefixes,
                                    struct rf_err *err)
{
    if (!list_is_constant(call, args)) return RF_OK;
    uint32_t count = 0;
    (void)list_any(call, args, 0, count_item, &count);
    struct needles *needles = rf_arena_new(call->query_arena, struct needles, 1);
    struct needle *items = rf_arena_raw(call->query_arena, struct needle, count);
    if (needles == NULL || items == NULL) return rf_fail_memory(err, call->query_arena);
    *needles = (struct needles){.items = items, .prefixes = prefixes};
    (void)list_any(call, args, 0, add_needle, needles);
    call->state = needles;
    return RF_OK;
}

static enum rf_kind address_prepare(struct func_call *call, const struct vec *args,
                                    struct rf_err *err)
{
    return needles_prepare(call, args, false, err);
}

static enum rf_kind prefix_prepare(struct func_call *call, const struct vec *args,
                                   struct rf_err *err)
{
    return needles_prepare(call, args, true, err);
}

struct search {
    rf_str text;
    bool prefixes;
};

static bool search_item(void *state, rf_str item)
{
    const struct search *search = state;
    struct needle needle;
    return needle_of(item, search->prefixes, &needle) && text_has(search->text, &needle, 1);
}

static void search_rows(struct func_call *call, const struct vec *args, uint32_t count,
                        struct vec *out, bool prefixes)
{
    const struct needles *needles = call->state;
    for (uint32_t i = 0; i < count; i++) {
        struct search search = {.text = ARG_STR(&args[0], i), .prefixes = prefixes};
        OUT_BOOL(out)
        [i] = needles != NULL ? text_has(search.text, needles->items, needles->count)
                              : list_any(call, args, i, search_item, &search);
    }
}

FUNC_KERNEL(has_ipv4)
{
    search_rows(call, args, count, out, false);
    return RF_OK;
}

FUNC_KERNEL(has_ipv4_prefix)
{
    search_rows(call, args, count, out, true);
    return RF_OK;
}

/* ---- to numbers and texts -------------------------------------------------------------------- */

FUNC_KERNEL(parse_ipv4)
{
    for (uint32_t i = 0; i < count; i++) {
        struct ip4 ip;
        if (!OUT_NULL(out)[i] && ip4_parse(ARG_STR(&args[0], i), &ip) &&
            prefix_arg(call, args, 1, i, 32, &ip.prefix))
            OUT_I64(out)[i] = ip.address & ip4_mask(ip.prefix);
        else
            OUT_NULL(out)[i] = 1;
    }
    return RF_OK;
}

FUNC_KERNEL(parse_ipv6)
{
    struct text_rows texts = text_rows_begin(call->arena, OUT_STR(out), count);
    for (uint32_t i = 0; i < count; i++) {
        struct ip6 ip;
        if (OUT_NULL(out)[i] || !ip6_parse(ARG_STR(&args[0], i), &ip) ||
            !prefix_arg(call, args, 1, i, 128, &ip.prefix))
            continue;
        ip = ip6_masked(ip, ip.prefix);
        ip6_put(&texts.buf, &ip);
        text_rows_end(&texts, i);
    }
    return text_rows_finish(&texts, count) ? RF_OK : rf_fail_memory(err, call->arena);
}

FUNC_KERNEL(ipv4_is_private)
{
    static const struct ip4 blocks[] = {{0x0a000000, 8}, {0xac100000, 12}, {0xc0a80000, 16}};
    for (uint32_t i = 0; i < count; i++) {
        struct ip4 ip;
        if (!ip4_parse(ARG_STR(&args[0], i), &ip)) {
            OUT_NULL(out)[i] = 1;
            continue;
        }
        bool is_private = false;
        for (size_t b = 0; b < RF_COUNT(blocks); b++)
            is_private |= ip.prefix >= blocks[b].prefix &&
                          (ip.address & ip4_mask(blocks[b].prefix)) == blocks[b].address;
        OUT_BOOL(out)[i] = is_private;
    }
    return RF_OK;
}

FUNC_KERNEL(ipv4_netmask_suffix)
{
    for (uint32_t i = 0; i < count; i++) {
        struct ip4 ip;
        if (ip4_parse(ARG_STR(&args[0], i), &ip))
            OUT_I64(out)[i] = ip.prefix;
        else
            OUT_NULL(out)[i] = 1;
    }
    return RF_OK;
}

/* The address as text or as number, under the shorter of its own and the given prefix. */
static bool format_arg(const struct func_call *call, const struct vec *args, uint32_t row,
                       struct ip4 *ip)
{
    if (args[0].type == TYPE_STRING) {
        if (!ip4_parse(ARG_STR(&args[0], row), ip)) return false;
    } else {
        int64_t number = ARG_I64(&args[0], row);
        if (number < 0 || number > UINT32_MAX) return false;
        *ip = (struct ip4){.address = (uint32_t)number, .prefix = 32};
    }
    return prefix_arg(call, args, 1, row, 32, &ip->prefix);
}

static enum rf_kind format_rows(struct func_call *call, const struct vec *args, uint32_t count,
                                struct vec *out, bool suffix, struct rf_err *err)
{
    struct text_rows texts = text_rows_begin(call->arena, OUT_STR(out), count);
    for (uint32_t i = 0; i < count; i++) {
        struct ip4 ip;
        if (OUT_NULL(out)[i] || !format_arg(call, args, i, &ip)) continue;
        ip4_put(&texts.buf, ip.address & ip4_mask(ip.prefix));
        if (suffix) rf_buf_printf(&texts.buf, "/%u", ip.prefix);
        text_rows_end(&texts, i);
    }
    return text_rows_finish(&texts, count) ? RF_OK : rf_fail_memory(err, call->arena);
}

FUNC_KERNEL(format_ipv4) { return format_rows(call, args, count, out, false, err); }
FUNC_KERNEL(format_ipv4_mask) { return format_rows(call, args, count, out, true, err); }

/* The fewest networks that cover from..to and nothing else: each time the largest that starts
 * here. */
static void put_cidr_list(struct rf_buf *buf, uint32_t from, uint32_t to)
{
    struct dyn_builder array;
    dyn_begin(&array, buf, DYN_ARRAY);
    for (uint64_t at = from; at <= to;) {
        uint32_t free_bits = at == 0 ? 32 : (uint32_t)__builtin_ctzll(at);
        while (free_bits > 32 || at + (UINT64_C(1) << free_bits) - 1 > to) free_bits--;
        char text[24];
        uint32_t a = (uint32_t)at;
        rf_str network = {.ptr = (const uint8_t *)text};
        network.len = (size_t)snprintf(text, sizeof text, "%u.%u.%u.%u/%u", a >> 24, a >> 16 & 0xff,
                                       a >> 8 & 0xff, a & 0xff, 32 - free_bits);
        dyn_next(&array);
        dyn_put_string(buf, network);
        at += UINT64_C(1) << free_bits;
    }
    dyn_end(&array);
}

FUNC_KERNEL(ipv4_range_to_cidr_list)
{
    struct text_rows lists = text_rows_begin(call->arena, OUT_STR(out), count);
    for (uint32_t i = 0; i < count; i++) {
        struct ip4 from, to;
        if (ip4_parse(ARG_STR(&args[0], i), &from) && ip4_parse(ARG_STR(&args[1], i), &to) &&
            from.address <= to.address) {
            put_cidr_list(&lists.buf, from.address, to.address);
            text_rows_end(&lists, i);
        } else {
            OUT_NULL(out)[i] = 1;
        }
    }
    return text_rows_finish(&lists, count) ? RF_OK : rf_fail_memory(err, call->arena);
}

/* ---- the table ------------------------------------------------------------------------------- */

#define SIGS(...)                                                                                  \
    (const struct func_overload[])                                                                 \
    {                                                                                              \
        __VA_ARGS__, { NULL, NULL }                                                                \
    }
#define TWO(type, kernel) SIGS({"(a:string, b:string, [prefix:long]) " type, kernel})
#define FORMAT(kernel)                                                                             \
    SIGS({"(ip:string, [prefix:long]) string", kernel},                                            \
         {"(ip:long, [prefix:long]) string", kernel},                                              \
         {"(ip:scalar, [prefix:long]) string", kernel})

const struct func func_ip[] = {
    {.name = "format_ipv4",
     .sigs = FORMAT(format_ipv4),
     .doc = "The network address of an IPv4 text or number under a prefix; empty when invalid."},
    {.name = "format_ipv4_mask",
     .sigs = FORMAT(format_ipv4_mask),
     .doc = "The network of an IPv4 text or number as a.b.c.d/n; empty when invalid."},
    {.name = "has_any_ipv4",
     .sigs = SIGS({"(text:string, ips:any...) bool", has_ipv4}),
     .prepare = address_prepare,
     .doc = "True when one of the IPv4 addresses stands in the text by itself."},
    {.name = "has_any_ipv4_prefix",
     .sigs = SIGS({"(text:string, prefixes:any...) bool", has_ipv4_prefix}),
     .prepare = prefix_prepare,
     .doc = "True when an IPv4 address that begins with one of the prefixes stands in the text; a "
            "prefix ends with a dot or is a whole address."},
    {.name = "has_ipv4",
     .sigs = SIGS({"(text:string, ip:string) bool", has_ipv4}),
     .prepare = address_prepare,
     .doc = "True when the IPv4 address stands in the text by itself."},
    {.name = "has_ipv4_prefix",
     .sigs = SIGS({"(text:string, prefix:string) bool", has_ipv4_prefix}),
     .prepare = prefix_prepare,
     .doc = "True when an IPv4 address that begins with the prefix stands in the text; a prefix "
            "ends with a dot or is a whole address."},
    {.name = "ipv4_compare",
     .sigs = TWO("long", ipv4_compare),
     .doc = "-1, 0 or 1 for two IPv4 addresses under their shortest prefix; null when one is "
            "invalid."},
    {.name = "ipv4_is_in_any_range",
     .sigs = SIGS({"(ip:string, ranges:any...) bool", ipv4_is_in_any_range}),
     .prepare = ipv4_set_prepare,
     .doc =
         "True when the IPv4 address lies in one of the networks, given one by one or as array."},
    {.name = "ipv4_is_in_range",
     .sigs = SIGS({"(ip:string, range:string) bool", ipv4_is_in_range}),
     .prepare = ipv4_range_prepare,
     .doc = "True when the IPv4 address lies in the network; null when one is invalid."},
    {.name = "ipv4_is_match",
     .sigs = TWO("bool", ipv4_is_match),
     .doc = "True when two IPv4 addresses agree under their shortest prefix; null when one is "
            "invalid."},
    {.name = "ipv4_is_private",
     .sigs = SIGS({"(ip:string) bool", ipv4_is_private}),
     .doc = "True for addresses and networks inside 10/8, 172.16/12 and 192.168/16; null when "
            "invalid."},
    {.name = "ipv4_netmask_suffix",
     .sigs = SIGS({"(ip:string) long", ipv4_netmask_suffix}),
     .doc = "Prefix length of an IPv4 text, 32 without a suffix; null when invalid."},
    {.name = "ipv4_range_to_cidr_list",
     .sigs = SIGS({"(first:string, last:string) dynamic", ipv4_range_to_cidr_list}),
     .doc = "Array of the fewest networks that cover all addresses from first to last."},
    {.name = "ipv6_compare",
     .sigs = TWO("long", ipv6_compare),
     .doc = "-1, 0 or 1 for two IPv6 or IPv4 addresses under their shortest prefix; null when one "
            "is invalid."},
    {.name = "ipv6_is_in_any_range",
     .sigs = SIGS({"(ip:string, ranges:any...) bool", ipv6_is_in_any_range}),
     .prepare = ipv6_set_prepare,
     .doc = "True when the IPv6 or IPv4 address lies in one of the networks, given one by one or "
            "as array."},
    {.name = "ipv6_is_in_range",
     .sigs = SIGS({"(ip:string, range:string) bool", ipv6_is_in_range}),
     .doc = "True when the IPv6 or IPv4 address lies in the network; null when one is invalid."},
    {.name = "ipv6_is_match",
     .sigs = TWO("bool", ipv6_is_match),
     .doc = "True when two IPv6 or IPv4 addresses agree under their shortest prefix; null when one "
            "is invalid."},
    {.name = "parse_ipv4",
     .sigs = SIGS({"(ip:string) long", parse_ipv4}),
     .doc = "The IPv4 network address as number; null when invalid."},
    {.name = "parse_ipv4_mask",
     .sigs = SIGS({"(ip:string, prefix:long) long", parse_ipv4}),
     .doc = "The IPv4 network address under the shorter prefix, as number; null when invalid."},
    {.name = "parse_ipv6",
     .sigs = SIGS({"(ip:string) string", parse_ipv6}),
     .doc = "The IPv6 or IPv4 network address with all 32 hex digits; empty when invalid."},
    {.name = "parse_ipv6_mask",
     .sigs = SIGS({"(ip:string, prefix:long) string", parse_ipv6}),
     .doc = "The IPv6 or IPv4 network address under the shorter prefix, with all 32 hex digits; "
            "empty when invalid."},
};
const size_t func_ip_count = RF_COUNT(func_ip);
