/* http.h - one HTTP/1.1 exchange as the services see it: a request that is wholly there, an answer that is being made.
 * Knows no socket (RFC 9110, 9112). */
#ifndef RF_HTTP_H
#define RF_HTTP_H

#include "base/rf.h"

enum http_method {
    HTTP_GET,
    HTTP_HEAD,
    HTTP_POST,
    HTTP_PUT,
    HTTP_PATCH,
    HTTP_DELETE,
    HTTP_OPTIONS,
    HTTP_METHOD_COUNT
};
const char *http_method_name(enum http_method method);

struct http_header {
    rf_str name, value; /* the value without white space at its ends */
};

/* Views live as long as the exchange. */
struct http_request {
    enum http_method method;
    rf_str target; /* as sent: path, '?', query; absolute form reduced to that */
    rf_str path;   /* of target, still percent-encoded; begins with '/' */
    rf_str query;  /* of target, behind the '?'; may be empty */
    rf_str host;   /* of the Host header, port included; never empty */
    const struct http_header *headers;
    uint32_t header_count;
    rf_str body;              /* transfer and content coding (gzip, deflate) undone */
    uint64_t body_sent_bytes; /* before content coding was undone */
    rf_str peer_address;      /* text of the IP address */
    uint16_t peer_port;
    bool is_1_0;      /* HTTP/1.0: nothing to upgrade */
    bool is_loopback; /* the peer's address is of the loopback net */
    bool is_tls;
    /* The client's certificate in DER, whose key it has proved, and nothing else; empty: none. Only listeners whose TLS asks for one
     * see it (tls_server_options.client). */
    rf_str client_certificate;
};
/* The first header of that name, ASCII case ignored; empty and *found false (found may be NULL) when there is none. */
rf_str http_header(const struct http_request *request, const char *name, bool *found);
/* The value of the first cookie of that name (RFC 6265 section 5.4), as it was sent; empty: none. */
rf_str http_cookie(const struct http_request *request, const char *name);

/* An answer being made; all of it in `arena` (the exchange's). */
struct http_response {
    struct rf_arena *arena;
    uint16_t status; /* 200 at first */
    struct http_header *headers;
    uint32_t header_count, header_cap;
    struct rf_buf body;           /* Content-Length is set from it; none with 204 and 304 */
    bool close;                   /* end the connection behind this answer */
    bool failed;                  /* memory was used up: 500 is sent instead */
    struct http_upgrade *upgrade; /* net/websocket.h; NULL: none */
};
/* Sets a header, replacing one of that name; name is static, value is copied. Line ends in the value become blanks. */
void http_set(struct http_response *response, const char *name, rf_str value);
/* The same for texts in code. http_setf takes up to 4 KiB; more fails the answer. */
void http_set_literal(struct http_response *response, const char *name, const char *value);
void http_setf(struct http_response *response, const char *name, const char *fmt, ...)
    RF_PRINTF(3, 4);
/* Adds a header beside others of that name (Set-Cookie). */
void http_add(struct http_response *response, const char *name, rf_str value);

#endif
