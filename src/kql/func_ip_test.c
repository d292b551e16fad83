#include "kql/func_ip.h"
#include "test/rf_print.h"

Test(func_ip, ipv4)
{
    static const struct rf_print_case cases[] = {
        {"ipv4_compare('192.168.1.0', '192.168.1.0')", "long:0"},
        {"ipv4_compare('192.168.1.1/24', '192.168.1.255')", "0"},
        {"ipv4_compare('192.168.1.1', '192.168.1.0', 31)", "0"},
        {"ipv4_compare('1.1.1.1', '255.1.1.1')", "-1"},
        {"ipv4_compare('1.1.1.1', '1.1.1.1', 33)", "null"},
        {"ipv4_compare('1.1.1.1', '1.1.1')", "null"},
        {"ipv4_is_match('192.168.1.1', '192.168.1.255/24')", "bool:true"},
        {"ipv4_is_in_range('192.168.1.1', '192.168.1.255/24')", "true"},
        {"ipv4_is_in_range('192.168.2.1', '192.168.1.255/24')", "false"},
        {"ipv4_is_in_range('1.2.3.4', '0.0.0.0/0')", "true"},
        {"ipv4_is_in_range('1.2.3.256', '0.0.0.0/0')", "null"},
        {"ipv4_is_in_range('1.2.3.4', 'x')", "null"},
        {"ipv4_is_in_any_range('192.168.1.6', '192.168.1.1/24', '10.0.0.1/8')", "true"},
        {"ipv4_is_in_any_range('127.0.0.1', dynamic(['127.0.0.1', '192.168.1.1']))", "true"},
        {"ipv4_is_in_any_range('1.1.1.1', dynamic(['127.0.0.1', 'junk', 5]))", "false"},
        {"ipv4_is_in_any_range('1.1.1', dynamic(['127.0.0.1']))", "null"},
        {"ipv4_is_private('192.168.1.1')", "true"},
        {"ipv4_is_private('172.31.1.1/24')", "true"},
        {"ipv4_is_private('172.32.1.1')", "false"},
        {"ipv4_is_private('10.0.0.0/7')", "false"},
        {"ipv4_is_private('x')", "null"},
        {"ipv4_netmask_suffix('10.1.2.3')", "long:32"},
        {"ipv4_netmask_suffix('127.0.0.1/16')", "16"},
        {"parse_ipv4('127.0.0.1')", "long:2130706433"},
        {"parse_ipv4('192.1.168.1/24')", "3221334016"},
        {"parse_ipv4('127.0.0.1/33')", "null"},
        {"parse_ipv4_mask('127.0.0.1', 24)", "2130706432"},
        {"format_ipv4('192.168.1.1', 24)", "192.168.1.0"},
        {"format_ipv4(3232236031, 24)", "192.168.1.0"},
        {"format_ipv4(4294967296)", ""},
        {"format_ipv4_mask('192.168.1.1/24', 32)", "192.168.1.0/24"},
        {"format_ipv4_mask('192.168.1.1/24', -1)", ""},
        {"ipv4_range_to_cidr_list('1.1.128.0', '1.1.140.255')",
         "[\"1.1.128.0/21\",\"1.1.136.0/22\",\"1.1.140.0/24\"]"},
        {"ipv4_range_to_cidr_list('0.0.0.0', '255.255.255.255')", "[\"0.0.0.0/0\"]"},
        {"ipv4_range_to_cidr_list('255.255.255.254', '255.255.255.255')",
         "[\"255.255.255.254/31\"]"},
        {"ipv4_range_to_cidr_list('2.0.0.0', '1.0.0.0')", "null"},
    };
    RF_PRINT_CHECK(cases);
}

Test(func_ip, ipv6)
{
    static const struct rf_print_case cases[] = {
        {"parse_ipv6('127.0.0.1')", "0000:0000:0000:0000:0000:ffff:7f00:0001"},
        {"parse_ipv6('fe80::85d:e82c:9446:7994')", "fe80:0000:0000:0000:085d:e82c:9446:7994"},
        {"parse_ipv6('::')", "0000:0000:0000:0000:0000:0000:0000:0000"},
        {"parse_ipv6('1::')", "0001:0000:0000:0000:0000:0000:0000:0000"},
        {"parse_ipv6('::1/64')", "0000:0000:0000:0000:0000:0000:0000:0000"},
        {"parse_ipv6('1:2:3:4:5:6:1.2.3.4')", "0001:0002:0003:0004:0005:0006:0102:0304"},
        {"parse_ipv6(':1')", ""},
        {"parse_ipv6('1:2:3:4:5:6:7')", ""},
        {"parse_ipv6('1:2:3:4:5:6:7:8:9')", ""},
        {"parse_ipv6('1::2::3')", ""},
        {"parse_ipv6('1:')", ""},
        {"parse_ipv6('12345::')", ""},
        {"parse_ipv6('::1/129')", ""},
        {"parse_ipv6_mask('192.168.255.255', 120)", "0000:0000:0000:0000:0000:ffff:c0a8:ff00"},
        {"parse_ipv6_mask('fe80::85d:e82c:9446:7994/120', 124)",
         "fe80:0000:0000:0000:085d:e82c:9446:7900"},
        {"parse_ipv6_mask('::192.168.255.255/24', 128)", "0000:0000:0000:0000:0000:ffff:c0a8:ff00"},
        {"ipv6_compare('192.168.1.1', '::ffff:c0a8:0101')", "0"},
        {"ipv6_compare('::192.168.1.1/30', '192.168.1.255/24')", "0"},
        {"ipv6_compare('fe80::1', 'fe80::2')", "-1"},
        {"ipv6_is_match('fe80::85d:e82c:9446:7994', 'fe80::85d:e82c:9446:7995', 127)", "true"},
        {"ipv6_is_in_range('a5e:f127:8a9d:146d:e102:b5d3:c755:abcd', "
         "'a5e:f127:8a9d:146d:e102:b5d3:c755:0000/112')",
         "true"},
        {"ipv6_is_in_range('a5e:f127:8a9d:146d:e102:b5d3:c755:abcd', '0:0:0:0:0:ffff:c0a8:ac/60')",
         "false"},
        {"ipv6_is_in_any_range('a5e:f127::abcd', dynamic(['a5e:f127::/32', '10.0.0.0/8']))",
         "true"},
        {"ipv6_is_in_any_range('10.1.2.3', 'a5e:f127::/32', '10.0.0.0/8')", "true"},
    };
    RF_PRINT_CHECK(cases);
}

Test(func_ip, addresses_in_texts)
{
    static const struct rf_print_case cases[] = {
        {"has_ipv4('05:04:54 127.0.0.1 GET /favicon.ico 404', '127.0.0.1')", "true"},
        {"has_ipv4('05:04:54127.0.0.1 GET /favicon.ico 404', '127.0.0.1')", "false"},
        {"has_ipv4('05:04:54 127.0.0.256 GET', '127.0.0.256')", "false"},
        {"has_ipv4('x=127.0.0.1;', '127.0.0.1')", "true"},
        {"has_ipv4('127.0.0.1x', '127.0.0.1')", "false"},
        {"has_ipv4_prefix('05:04:54 127.0.0.1 GET', '127.0.')", "true"},
        {"has_ipv4_prefix('05:04:54 127.0.0.1 GET', '127.0')", "false"},
        {"has_ipv4_prefix('05:04:54 127.0.0.256 GET', '127.0.')", "false"},
        {"has_ipv4_prefix('05:04:54 127.0.0.1 GET', '127.0.0.1')", "true"},
        {"has_any_ipv4('10.0.0.1', '127.0.0.1', '10.0.0.1')", "true"},
        {"has_any_ipv4('10.0.0.1', dynamic(['127.0.0.1']))", "false"},
        {"has_any_ipv4_prefix('05:04:54 127.0.0.1 GET', dynamic(['127.0.', '192.168.']))", "true"},
        {"has_any_ipv4_prefix('05:04:54 127.0.0.1 GET', '.', '', '127..', '1.2.3.4.')", "false"},
    };
    RF_PRINT_CHECK(cases);
}

/* Rows against a list that changes from row to row go another way than constant lists. */
Test(func_ip, lists_per_row)
{
    static const struct rf_print_case cases[] = {
        {"x = 1 | extend r = strcat('10.0.0.0/', x + 7) | project ipv4_is_in_any_range('10.1.2.3', "
         "r)",
         "true"},
        {"x = 1 | extend r = strcat('10.0.0.', x) | project has_any_ipv4('at 10.0.0.1', r)",
         "true"},
        {"x = 1 | extend r = strcat('10.0.0.0/', x + 7) | project ipv4_is_in_range('11.1.2.3', r)",
         "false"},
    };
    RF_PRINT_CHECK(cases);
}

Test(func_ip, sets_merge)
{
    static const char *const networks[] = {"10.0.0.0/9", "10.128.0.0/9", "10.5.0.0/16",
                                           "192.168.0.0/24", "0.0.0.0/32"};
    struct ip6_range ranges[RF_COUNT(networks)];
    struct ip_set set = {.ranges = ranges};
    for (size_t i = 0; i < RF_COUNT(networks); i++) {
        struct ip6 ip;
        cr_assert(ip6_parse(rf_str_of(networks[i]), &ip));
        ranges[set.count++] = ip6_network(&ip, ip.prefix);
    }
    ip_set_build(&set);
    static const struct {
        const char *ip;
        bool inside;
    } cases[] = {{"0.0.0.0", true},       {"0.0.0.1", false},       {"9.255.255.255", false},
                 {"10.0.0.0", true},      {"10.255.255.255", true}, {"11.0.0.0", false},
                 {"192.168.0.255", true}, {"192.168.1.0", false},   {"::1", false}};
    for (size_t i = 0; i < RF_COUNT(cases); i++) {
        struct ip6 ip;
        cr_assert(ip6_parse(rf_str_of(cases[i].ip), &ip));
        cr_expect(ip_set_has(&set, &ip) == cases[i].inside, "%s", cases[i].ip);
    }
}
