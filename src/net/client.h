/* client.h - a blocking HTTPS client, for the command line and for fetching keys of outside issuers. One thread. */
#ifndef RF_NET_CLIENT_H
#define RF_NET_CLIENT_H

#include "base/clock.h"
#include "net/egress.h"
#include "net/http.h"

struct http_client;
struct http_client_options {
    rf_str ca_pem;           /* empty: the system's certificates */
    int64_t timeout_usec;    /* of connecting and of each silence; 0: 30 s */
    size_t answer_bytes_max; /* 0: 1 GiB */
    /* Take any certificate of a server on the loopback address (localhost, 127.0.0.1, [::1]): for tests with a server that
     * made its own. Others are checked as ever. */
    bool trust_loopback;
    const struct egress *egress; /* borrowed; NULL: anywhere */
    rf_str certificate_pem,
        key_pem; /* shown to servers that ask for a certificate (tls_client_prove); empty: none */
};
RF_MUST_USE enum rf_kind http_client_new(const struct http_client_options *options,
                                         struct http_client **out, struct rf_err *err);
struct http_answer {
    uint16_t status;
    const struct http_header *headers;
    uint32_t header_count;
    rf_str body; /* gzip undone */
};
/* One exchange with an absolute http(s) URL; a connection is kept for the next one to the same origin. No redirects are
 * followed. localhost and *.localhost are the loopback address without asking anybody (RFC 6761). Allocates in `arena`.
 * Errors: RF_INVALID BadUrl; RF_NOT_FOUND UnknownHost; RF_IO ConnectFailed, TlsFailed (says why), BadAnswer, TimedOut;
 * RF_DENIED HostNotAllowed, AddressNotAllowed (by `egress`). */
RF_MUST_USE enum rf_kind http_client_call(struct http_client *client, const char *method,
                                          rf_str url, const struct http_header *headers,
                                          uint32_t header_count, rf_str body,
                                          struct rf_arena *arena, struct http_answer *out,
                                          struct rf_err *err);
void http_client_free(struct http_client *client);

#endif
