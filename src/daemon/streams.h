/* streams.h - event hubs put together: their listeners, the hubs themselves, and the protocols that stand on them. */
#ifndef RF_DAEMON_STREAMS_H
#define RF_DAEMON_STREAMS_H

#include "daemon/config.h"
#include "hub/archive.h"

struct server;
struct service;
struct tls_context;

struct streams_ports {
    uint16_t amqps, kafka, amqp; /* 0: not served */
};

struct streams;
/* Binds what `config` says, before the process gives up its rights. An address that was not set follows that of HTTPS, with the
 * protocol's own port, or that of the last start; when it is taken the protocol is not served, and a warning says so.
 *   tls   for the encrypted ones; asks clients for certificates; outlives the server
 * Errors as server_listen_stream, for an address that was set. *out outlives the server and is set in either case. */
RF_MUST_USE enum rf_kind streams_listen(const struct config *config, struct server *server,
                                        struct tls_context *tls, struct rf_clock *clock,
                                        struct streams **out, struct rf_err *err);
struct streams_ports streams_ports(const struct streams *streams);

/* Opens the hubs, and begins to capture into files; of `archives` its hubs are set here. Types are registered with options->arm, so
 * arm_free comes before streams_free. */
RF_MUST_USE enum rf_kind streams_open(struct streams *streams, const struct hubs_options *options,
                                      const struct archives_options *archives, struct rf_err *err);
struct hubs *streams_hubs(const struct streams *streams); /* NULL before streams_open */
/* Routes of HTTPS; behind streams_open. */
RF_MUST_USE enum rf_kind streams_services(struct streams *streams,
                                          const struct service *const **services, uint32_t *count,
                                          struct rf_err *err);
/* Peers are served as soon as the server starts. */
RF_MUST_USE enum rf_kind streams_start(struct streams *streams, struct rf_err *err);
/* Captures no more, and waits for what the protocols have under way in the hubs; behind server_stop, before server_free. NULL is fine. */
void streams_stop(struct streams *streams);
/* Closes all; behind streams_stop, server_free and arm_free. NULL is fine. */
void streams_free(struct streams *streams);

/* The key under which hubs are encrypted, made of that of the tables. */
void streams_key(const uint8_t store_key[32], uint8_t out[32]);

#endif
