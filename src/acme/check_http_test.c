#include "acme/check_http.h"
#include "test/rf_prop.h"

#include <arpa/inet.h>

Test(acme_check_http, answers_are_taken_apart)
{
    struct acme_reply reply;
    cr_assert(acme_reply_read(RF_S("HTTP/1.1 200 OK\r\nA: b\r\n\r\ntoken.key\n"), &reply));
    cr_assert(reply.status == 200 && reply.location.len == 0 &&
              rf_str_is(reply.body, "token.key\n"));
    cr_assert(
        acme_reply_read(RF_S("HTTP/1.0 302\r\nLOCATION:  https://a.test/x \r\n\r\n"), &reply));
    cr_assert(reply.status == 302 && rf_str_is(reply.location, "https://a.test/x") &&
              reply.body.len == 0);
    static const char *const bad[] = {"",
                                      "HTTP/1.1 200 OK\r\n",
                                      "HTTP/1.1 2x0 OK\r\n\r\n",
                                      "HTTP/2 200\r\n\r\n",
                                      "HTTP/1.1\r\n\r\n",
                                      "\r\n\r\n",
                                      "SSH-2.0-x\r\n\r\n"};
    for (size_t i = 0; i < RF_COUNT(bad); i++)
        cr_assert(!acme_reply_read(rf_str_of(bad[i]), &reply), "%s", bad[i]);
}

static bool asked(const struct acme_network *network, const char *text)
{
    struct sockaddr_in in = {.sin_family = AF_INET};
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6};
    if (inet_pton(AF_INET, text, &in.sin_addr) == 1)
        return acme_address_allowed(network, (const struct sockaddr *)&in);
    cr_assert(inet_pton(AF_INET6, text, &in6.sin6_addr) == 1);
    return acme_address_allowed(network, (const struct sockaddr *)&in6);
}

Test(acme_check_http, special_addresses_are_asked_only_when_they_are_listed)
{
    static const char *const special[] = {
        "127.0.0.1", "127.9.9.9", "0.0.0.0", "169.254.169.254", "224.0.0.1",       "::1",
        "::",        "fe80::1",   "ff02::1", "255.255.255.255", "::ffff:127.0.0.1"};
    static const char *const others[] = {"10.0.0.1", "192.168.1.1", "192.0.2.1", "2001:db8::1",
                                         "fd00::1"};
    rf_str listed[] = {RF_S("127.0.0.1"), RF_S("fe80::1")};
    struct acme_network none = {0}, some = {.addresses = listed, .address_count = 2};
    for (size_t i = 0; i < RF_COUNT(special); i++)
        cr_assert(!asked(&none, special[i]), "%s", special[i]);
    for (size_t i = 0; i < RF_COUNT(others); i++)
        cr_assert(asked(&none, others[i]), "%s", others[i]);
    cr_assert(asked(&some, "127.0.0.1") && asked(&some, "fe80::1") && !asked(&some, "127.0.0.2"));
}
