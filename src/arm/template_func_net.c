/* template_func_net.c - networks in CIDR form, of IPv4 and IPv6: numbers of 32 or 128 bits. */
#include "arm/template_expr.h"

#include <arpa/inet.h>

__extension__ typedef unsigned __int128 address;

struct network {
    address base;
    int bits, prefix; /* bits: 32 or 128 */
};

static bool read_address(rf_str text, address *out, int *bits)
{
    char copy[64];
    uint8_t raw[16];
    if (text.len >= sizeof copy) return false;
    memcpy(copy, text.ptr, text.len);
    copy[text.len] = 0;
    int family = memchr(copy, ':', text.len) != NULL ? AF_INET6 : AF_INET;
    if (inet_pton(family, copy, raw) != 1) return false;
    *bits = family == AF_INET ? 32 : 128;
    *out = 0;
    for (int i = 0; i < *bits / 8; i++) *out = *out << 8 | raw[i];
    return true;
}

static void put_address(struct rf_buf *buf, address value, int bits)
{
    uint8_t raw[16];
    char text[INET6_ADDRSTRLEN];
    for (int i = bits / 8; i > 0; i--, value >>= 8) raw[i - 1] = (uint8_t)value;
    if (inet_ntop(bits == 32 ? AF_INET : AF_INET6, raw, text, sizeof text) != NULL)
        rf_buf_str(buf, rf_str_of(text));
}

static address mask_of(int bits, int prefix)
{
    address all = bits == 128 ? ~(address)0 : ((address)1 << bits) - 1;
    address host = bits - prefix == 128 ? ~(address)0 : ((address)1 << (bits - prefix)) - 1;
    return all & ~host;
}

static enum rf_kind network_arg(const struct template_call *call, struct network *out,
                                struct rf_err *err)
{
    rf_str text;
    struct network n;
    int64_t prefix;
    RF_TRY(template_arg_text(call, 0, &text, err));
    size_t slash = rf_str_find(text, RF_S("/"), 0);
    bool good = slash != SIZE_MAX && read_address(rf_slice(text, 0, slash), &n.base, &n.bits) &&
                template_whole(rf_slice(text, slash + 1, text.len), &prefix) && prefix >= 0 &&
                prefix <= n.bits;
    if (!good)
        return template_fail(call, err, "'%.*s' is not a network such as '10.0.0.0/24'.",
                             (int)RF_MIN(text.len, 80), (const char *)text.ptr);
    n.prefix = (int)prefix;
    n.base &= mask_of(n.bits, n.prefix);
    *out = n;
    return RF_OK;
}

static enum rf_kind give_address(const struct template_call *call, address value, int bits,
                                 int prefix, struct json_node **out, struct rf_err *err)
{
    struct rf_buf buf = rf_buf_in(call->frame->run->arena);
    put_address(&buf, value, bits);
    if (prefix >= 0) rf_buf_printf(&buf, "/%d", prefix);
    if (buf.failed) return rf_fail_memory(err, call->frame->run->arena);
    return template_give_text(call, rf_buf_view(&buf), out, err);
}

static enum rf_kind put(const struct template_call *call, struct json_node *object,
                        const char *name, address value, int bits, struct rf_err *err)
{
    struct json_node *text;
    RF_TRY(give_address(call, value, bits, -1, &text, err));
    return template_put(call, object, rf_str_of(name), text, err);
}

static enum rf_kind run_parse_cidr(const struct template_call *call, struct json_node **out,
                                   struct rf_err *err)
{
    struct network n;
    struct json_node *object, *prefix;
    RF_TRY(network_arg(call, &n, err));
    address mask = mask_of(n.bits, n.prefix);
    address last = n.base | (mask_of(n.bits, n.bits) & ~mask);
    /* Networks of one or two addresses have no others to keep free; those of IPv6 keep none for broadcast. */
    bool small = n.bits - n.prefix < 2, has_broadcast = n.bits == 32;
    RF_TRY(template_give_new(call, JSON_T_OBJECT, &object, err));
    RF_TRY(put(call, object, "network", n.base, n.bits, err));
    RF_TRY(put(call, object, "netmask", mask, n.bits, err));
    if (has_broadcast) RF_TRY(put(call, object, "broadcast", last, n.bits, err));
    RF_TRY(put(call, object, "firstUsable", small ? n.base : n.base + 1, n.bits, err));
    RF_TRY(put(call, object, "lastUsable", small || !has_broadcast ? last : last - 1, n.bits, err));
    RF_TRY(template_give_int(call, n.prefix, &prefix, err));
    RF_TRY(template_put(call, object, RF_S("cidr"), prefix, err));
    *out = object;
    return RF_OK;
}

static enum rf_kind run_cidr_subnet(const struct template_call *call, struct json_node **out,
                                    struct rf_err *err)
{
    struct network n;
    int64_t prefix, index;
    RF_TRY(network_arg(call, &n, err));
    RF_TRY(template_arg_int(call, 1, &prefix, err));
    RF_TRY(template_arg_int(call, 2, &index, err));
    if (prefix < n.prefix || prefix > n.bits)
        return template_fail(call, err, "the prefix of the subnet must be from %d to %d.", n.prefix,
                             n.bits);
    int room = (int)prefix - n.prefix;
    if (index < 0 || (room < 63 && index >= INT64_C(1) << room))
        return template_fail(call, err, "the network has no subnet with the index %lld.",
                             (long long)index);
    int shift = n.bits - (int)prefix;
    address offset = shift == 128 ? 0 : (address)(uint64_t)index << shift;
    return give_address(call, n.base + offset, n.bits, (int)prefix, out, err);
}

static enum rf_kind run_cidr_host(const struct template_call *call, struct json_node **out,
                                  struct rf_err *err)
{
    struct network n;
    int64_t index;
    RF_TRY(network_arg(call, &n, err));
    RF_TRY(template_arg_int(call, 1, &index, err));
    int room = n.bits - n.prefix;
    if (index < 0 || (room < 63 && index + 1 >= INT64_C(1) << room))
        return template_fail(call, err, "the network has no host with the index %lld.",
                             (long long)index);
    return give_address(call, n.base + 1 + (uint64_t)index, n.bits, -1, out, err);
}

static const struct template_function functions[] = {
    {"parseCidr", 1, 1, run_parse_cidr, 0},
    {"cidrSubnet", 3, 3, run_cidr_subnet, 0},
    {"cidrHost", 2, 2, run_cidr_host, 0},
};
const struct template_family template_func_net = {functions, RF_COUNT(functions)};
