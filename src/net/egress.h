/* egress.h - to which servers the program connects of its own accord: those that the operator named, and at addresses of the
 * own network only where that was said.
 *
 * A host is named as HOST (port 443), HOST:PORT or HOST:*, an address of version 6 in brackets. "*" stands in front for one
 * or more labels, or within for one. What a name resolves to is checked at the address that is connected to (net/dial.h), so
 * that a name which changes its address between two looks gains nothing. */
#ifndef RF_EGRESS_H
#define RF_EGRESS_H

#include <sys/socket.h>

#include "base/rf.h"

struct egress { /* borrows its lists */
    const rf_str *hosts;
    uint32_t host_count;
    /* May be at addresses that are not public; an address that stands here is fine for names of `hosts` too. Loopback names
     * and addresses count here only. */
    const rf_str *inside;
    uint32_t inside_count;
};
enum egress_way { EGRESS_NONE, EGRESS_PUBLIC, EGRESS_INSIDE };
/* `authority` as in URLs: HOST or HOST:PORT. Without a port, or with 443, it is 443. */
enum egress_way egress_way(const struct egress *egress, rf_str authority);
/* The same for a host without brackets and a port. */
enum egress_way egress_way_to(const struct egress *egress, const char *host, uint16_t port);
/* Whether an address that such a host has may be connected to. */
bool egress_allows_address(const struct egress *egress, enum egress_way way,
                           const struct sockaddr *address);

/* localhost, names below it, and loopback addresses; with or without a port. */
bool egress_is_loopback(rf_str authority);
/* A name of `hosts` is in no case a loopback name; an address literal or a loopback name belongs to `inside`. */
bool egress_is_literal(rf_str authority);
/* No address of the public Internet: loopback, private, link-local, shared, multicast and other special ones (RFC 6890). */
bool address_is_inside(const struct sockaddr *address);

#endif
