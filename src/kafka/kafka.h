/* kafka.h - the Kafka protocol over TLS: one broker whose topics are a namespace's hubs (contract, section 9).
 *
 * Ports must be bound before the process gives up its rights, so kafka_new and kafka_listen come first and know no hub; connections that
 * come before kafka_start are closed. */
#ifndef RF_KAFKA_H
#define RF_KAFKA_H

#include "hub/grant.h"

struct server;
struct tls_context;

struct kafka;
struct kafka_options {
    struct rf_clock *clock;
};
RF_MUST_USE enum rf_kind kafka_new(const struct kafka_options *options, struct kafka **out,
                                   struct rf_err *err);
/* Before server_start. Errors as server_listen_stream. */
RF_MUST_USE enum rf_kind kafka_listen(struct kafka *kafka, struct server *server, rf_str address,
                                      struct tls_context *tls, uint16_t *port, struct rf_err *err);
/* Peers are served from now on. Before server_start.
 *   hubs   outlives the server
 *   state  where committed offsets and groups lie
 *   host   with `port`, what Metadata and FindCoordinator name the broker: the name that the certificate has; copied */
RF_MUST_USE enum rf_kind kafka_start(struct kafka *kafka, struct hubs *hubs, struct state *state,
                                     rf_str host, uint16_t port, struct rf_err *err);
/* Behind server_stop, before server_free: waits for what is under way in the hubs, so that no mailbox of a stream is held any more.
 * NULL is fine. */
void kafka_stop(struct kafka *kafka);
/* Behind server_free, before hubs_free and state_close. NULL is fine. */
void kafka_free(struct kafka *kafka);

#endif
