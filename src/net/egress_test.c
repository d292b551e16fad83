#include "net/egress.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include "net/dial.h"
#include "test/rf_prop.h"

static struct sockaddr_storage address(const char *text, uint16_t port)
{
    struct sockaddr_storage out = {0};
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(port)};
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
    if (inet_pton(AF_INET, text, &in.sin_addr) == 1)
        memcpy(&out, &in, sizeof in);
    else if (inet_pton(AF_INET6, text, &in6.sin6_addr) == 1)
        memcpy(&out, &in6, sizeof in6);
    else
        cr_assert(false, "%s", text);
    return out;
}

Test(egress, knows_inside_addresses)
{
    static const char *const inside[] = {
        "127.0.0.1",       "10.1.2.3",        "172.16.0.1",  "172.31.255.255",
        "192.168.1.1",     "169.254.1.1",     "0.0.0.0",     "100.64.0.1",
        "224.0.0.1",       "255.255.255.255", "::1",         "::",
        "fe80::1",         "fd00::1",         "ff02::1",     "::ffff:10.0.0.1",
        "64:ff9b::7f00:1", "2002:7f00:1::",   "2001:db8::1", "2001::1"};
    static const char *const outside[] = {"8.8.8.8",        "172.15.0.1",   "172.32.0.1",
                                          "100.128.0.1",    "2606:4700::1", "::ffff:8.8.8.8",
                                          "2002:808:808::1"};
    for (size_t i = 0; i < RF_COUNT(inside); i++) {
        struct sockaddr_storage a = address(inside[i], 1);
        cr_expect(address_is_inside((struct sockaddr *)&a), "%s", inside[i]);
    }
    for (size_t i = 0; i < RF_COUNT(outside); i++) {
        struct sockaddr_storage a = address(outside[i], 1);
        cr_expect(!address_is_inside((struct sockaddr *)&a), "%s", outside[i]);
    }
}

Test(egress, finds_the_way)
{
    const rf_str hosts[] = {RF_S("hooks.example"), RF_S("*.zone.example"), RF_S("other:8443"),
                            RF_S("localhost:1")};
    const rf_str inside[] = {RF_S("localhost:9000"), RF_S("10.1.2.3"), RF_S("[fd00::1]:*"),
                             RF_S("any.corp:*")};
    const struct egress egress = {.hosts = hosts,
                                  .host_count = RF_COUNT(hosts),
                                  .inside = inside,
                                  .inside_count = RF_COUNT(inside)};
    static const struct {
        const char *authority;
        enum egress_way way;
    } rows[] = {
        {"hooks.example", EGRESS_PUBLIC},
        {"HOOKS.example:443", EGRESS_PUBLIC},
        {"hooks.example:444", EGRESS_NONE},
        {"evil.hooks.example", EGRESS_NONE},
        {"a.b.zone.example", EGRESS_PUBLIC},
        {"zone.example", EGRESS_NONE},
        {"other:8443", EGRESS_PUBLIC},
        {"other", EGRESS_NONE},
        {"localhost:9000", EGRESS_INSIDE},
        {"localhost:1", EGRESS_NONE},
        {"10.1.2.3:443", EGRESS_INSIDE},
        {"10.1.2.3:80", EGRESS_NONE},
        {"[fd00::1]:7", EGRESS_INSIDE},
        {"any.corp", EGRESS_INSIDE},
        {"any.corp:25", EGRESS_INSIDE},
        {"127.0.0.1:9000", EGRESS_NONE},
        {"", EGRESS_NONE},
    };
    for (size_t i = 0; i < RF_COUNT(rows); i++)
        cr_expect(egress_way(&egress, rf_str_of(rows[i].authority)) == rows[i].way, "%s",
                  rows[i].authority);
    cr_expect(egress_way_to(&egress, "fd00::1", 5) == EGRESS_INSIDE);
    cr_expect(egress_way_to(&egress, "hooks.example", 443) == EGRESS_PUBLIC);
    cr_expect(egress_way_to(&egress, "::1", 443) == EGRESS_NONE);
}

/* A name that resolves to an inside address leads nowhere, unless the address is named. */
Test(egress, judges_what_names_resolve_to)
{
    const rf_str hosts[] = {RF_S("hooks.example")};
    const rf_str inside[] = {RF_S("10.1.2.3"), RF_S("[fd00::1]:8443")};
    const struct egress egress = {
        .hosts = hosts, .host_count = 1, .inside = inside, .inside_count = RF_COUNT(inside)};
    static const struct {
        const char *address;
        uint16_t port;
        bool allowed;
    } rows[] = {{"8.8.8.8", 443, true},    {"10.1.2.3", 443, true},
                {"10.1.2.3", 80, false},   {"10.1.2.4", 443, false},
                {"127.0.0.1", 443, false}, {"169.254.169.254", 443, false},
                {"fd00::1", 8443, true},   {"fd00::1", 443, false},
                {"::1", 443, false},       {"::ffff:127.0.0.1", 443, false}};
    for (size_t i = 0; i < RF_COUNT(rows); i++) {
        struct sockaddr_storage a = address(rows[i].address, rows[i].port);
        cr_expect(egress_allows_address(&egress, EGRESS_PUBLIC, (struct sockaddr *)&a) ==
                      rows[i].allowed,
                  "%s", rows[i].address);
        cr_expect(egress_allows_address(&egress, EGRESS_INSIDE, (struct sockaddr *)&a));
        cr_expect(!egress_allows_address(&egress, EGRESS_NONE, (struct sockaddr *)&a));
    }
}

/* Another spelling of 127.0.0.1, which the resolver understands: the name may be asked for, its address not connected to. */
Test(egress, holds_at_the_address_that_is_connected_to)
{
    const rf_str hosts[] = {RF_S("2130706433:*"), RF_S("localhost:1")};
    const struct egress egress = {.hosts = hosts, .host_count = RF_COUNT(hosts)};
    static const struct {
        const char *host, *code;
    } rows[] = {{"2130706433", "AddressNotAllowed"},
                {"localhost", "HostNotAllowed"},
                {"127.0.0.1", "HostNotAllowed"},
                {"other.example", "HostNotAllowed"}};
    for (size_t i = 0; i < RF_COUNT(rows); i++) {
        struct rf_err err = {0};
        struct dial *dial;
        const struct dial_options options = {.host = rows[i].host, .port = 1, .egress = &egress};
        cr_expect(dial_open(&options, &dial, &err) == RF_DENIED, "%s", rows[i].host);
        cr_expect(strcmp(err.code, rows[i].code) == 0, "%s: %s", rows[i].host, err.code);
    }
}
