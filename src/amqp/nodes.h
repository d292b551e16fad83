/* nodes.h - Event Hubs over AMQP: $cbs, $management, senders and receivers of hubs (contract, sections 3.4 to 5), on the connections of
 * amqp.h. What the server starts.
 *
 * Ports must be bound before the process gives up its rights, so amqp_nodes_new and amqp_nodes_listen come first and know no hub;
 * connections that come before amqp_nodes_start are refused. */
#ifndef RF_AMQP_NODES_H
#define RF_AMQP_NODES_H

#include "hub/grant.h"

struct server;
struct service;
struct tls_context;

struct amqp_nodes;
struct amqp_nodes_options {
    struct rf_clock *clock;
};
RF_MUST_USE enum rf_kind amqp_nodes_new(const struct amqp_nodes_options *options,
                                        struct amqp_nodes **out, struct rf_err *err);
/* Before server_start. `tls` NULL: plain, for loopback only, which the caller sees to. Errors as server_listen_stream. */
RF_MUST_USE enum rf_kind amqp_nodes_listen(struct amqp_nodes *nodes, struct server *server,
                                           rf_str address, struct tls_context *tls, uint16_t *port,
                                           struct rf_err *err);
/* Peers are served from now on. Before server_start; `hubs` outlives the server. */
RF_MUST_USE enum rf_kind amqp_nodes_start(struct amqp_nodes *nodes, struct hubs *hubs,
                                          struct rf_err *err);
/* The route of WebSocket, /$servicebus/websocket. */
const struct service *amqp_nodes_service(struct amqp_nodes *nodes);
/* Behind server_stop, before server_free: waits for what is under way in the hubs, so that no mailbox of a stream is held any more.
 * NULL is fine. */
void amqp_nodes_stop(struct amqp_nodes *nodes);
/* Behind server_free, before hubs_free. NULL is fine. */
void amqp_nodes_free(struct amqp_nodes *nodes);

#endif
