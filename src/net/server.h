/* server.h - listeners, connections, TLS and HTTP: turns bytes into exchanges.
 *
 * One loop per core on epoll owns its connections (listeners are shared by SO_REUSEPORT). A request that is wholly there
 * goes to a worker thread, which undoes its content coding, runs the handler to its end and hands the answer back to the loop
 * through a mailbox; one exchange per connection runs at a time, pipelined ones wait unread. Workers take requests from
 * queues by turns of who asked (struct http_plan.who), so that one caller's load cannot hold up another's. Queues are
 * bounded: when a lane (or a caller's half of it) is full, the request is refused with 503.
 *
 * Answers of 1 KiB and more in JSON, XML or text are sent with gzip to who accepts it, unless their Cache-Control says
 * no-store: that is how handlers mark answers that hold a secret. Content-Length, Connection and Date are written here.
 *
 * Defence: limits on every dimension below; a head must come within head_usec_max, a body must keep up body_rate_min, an
 * answer must be taken at write_rate_min; requests that two readers could understand differently are refused (RFC 9112
 * section 6, 11; net/http_parse.h says what exactly). A refused request gets an error from the handler's refuse() and
 * the connection ends, except behind 503 and a body that does not decode, which leave the connection in order.
 *
 * Memory: an idle connection holds no buffer. A request holds its body as sent (plan's limit), the decoded one, and its arena
 * (request_memory_max). */
#ifndef RF_SERVER_H
#define RF_SERVER_H

#include "base/clock.h"
#include "net/http.h"

enum http_lane {
    HTTP_QUICK, /* milliseconds: tokens, resources, ingestion */
    HTTP_HEAVY  /* queries: run by other workers, fewer */
};
/* What is to be done with a request whose head has been read. */
struct http_plan {
    size_t body_bytes_max; /* as sent and decoded; more is 413 */
    enum http_lane lane;
    uint64_t who; /* for turns: a hash of the caller */
};

struct http_handler {
    void *ctx;
    /* Called by a loop for each head; must not block. From several loops at once. */
    struct http_plan (*plan)(void *ctx, const struct http_request *head);
    /* Called by workers, side by side, with the whole request. `gone` becomes true when the client has gone away or the
     * server must stop: a long query ends then. In the heavy lane a client that merely ends its half of the connection is gone. */
    void (*run)(void *ctx, const struct http_request *request, struct http_response *response,
                const atomic_bool *gone);
    /* Called by a loop or a worker; must not block. Fills `response` (status is set) with the error body of a request that did not get to run(): 400, 408, 411, 413,
     * 414, 415, 417, 431, 501, 503, 505. */
    void (*refuse)(void *ctx, const struct http_request *head_or_null, const char *why,
                   struct http_response *response);
};

struct tls_context; /* net/tls.h */

struct server_limits {                 /* zero: the default */
    uint32_t connections_max;          /* 50,000 */
    uint32_t connections_per_peer_max; /* 5,000; loopback exempt */
    uint32_t head_bytes_max;           /* 64 KiB */
    uint32_t headers_max;              /* 100 */
    uint32_t target_bytes_max;         /* 32 KiB */
    int64_t head_usec_max;   /* 15 s from the first byte (or the accept) to the end of the head */
    int64_t idle_usec_max;   /* 120 s between requests; 5 s when 3/4 of connections_max are taken */
    uint32_t body_rate_min;  /* 1 KiB/s after 15 s */
    uint32_t write_rate_min; /* 1 KiB/s after 30 s */
    uint32_t requests_per_connection_max; /* 0: 1,000,000 */
    size_t request_memory_max;            /* arena of an exchange: 256 MiB */
};
struct server_options {
    struct http_handler handler;
    struct server_limits limits;
    uint32_t loops, quick_workers, heavy_workers; /* 0: by the number of processors */
    struct rf_clock *clock;
};

/* The functions below are for one thread, which is none of the server's; server_stats is for any. */
struct server;
RF_MUST_USE enum rf_kind server_new(const struct server_options *options, struct server **out,
                                    struct rf_err *err);
/* Before server_start. `tls` outlives the server. "localhost" is 127.0.0.1 and, where there is one, ::1. "[::]" takes IPv4 too.
 * Listens on "ADDRESS:PORT" (numeric, IPv6 in brackets, "localhost"; port 0 takes a free one), TLS with `tls`, else plain.
 * *port: the one taken. RF_INVALID BadListenAddress, RF_CONFLICT AddressInUse, RF_DENIED AddressDenied. */
RF_MUST_USE enum rf_kind server_listen(struct server *server, rf_str address,
                                       struct tls_context *tls, uint16_t *port, struct rf_err *err);
/* Starts loops and workers. Ignores SIGPIPE in the whole process, because OpenSSL writes to sockets that may be closed. */
RF_MUST_USE enum rf_kind server_start(struct server *server, struct rf_err *err);
/* Takes no new connection or request, ends idle connections, finishes what was accepted. After `grace_usec` what still runs is
 * told by `gone`, and its connection is closed. Returns when no handler runs any more. */
void server_stop(struct server *server, int64_t grace_usec);
void server_free(struct server *server); /* stops it; NULL is fine */

struct server_stats {
    uint64_t accepted, requests, refused, bytes_in, bytes_out;
    uint64_t datagrams, datagrams_lost; /* lost: the kernel had no room for them */
    uint32_t connections, streams;      /* now; streams are connections too */
};
struct server_stats server_stats(const struct server *server);

#endif
