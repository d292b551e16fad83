/* amqp.h - AMQP on the server: TLS (or plain) listeners and WebSocket (GET /$servicebus/websocket), each connection an engine
 * (engine.h) on a stream (net/stream.h). What is said on them is the nodes' business (`struct amqp_front_options`).
 *
 * Everything of a connection happens on its stream's thread. Nodes that wait for something use stream_work, or stream_mailbox and
 * stream_post, with the stream that on_connect was given; when they are back they answer, and call amqp_push. */
#ifndef RF_AMQP_H
#define RF_AMQP_H

#include "amqp/engine.h"
#include "authz/route.h"
#include "net/stream.h"

struct amqp_front;

struct amqp_front_options {
    const struct amqp_handlers *handlers; /* these and the next outlive the front */
    const rf_str *mechanisms;
    uint32_t mechanism_count;
    /* A connection is there, TLS included. Returns the `ctx` of all handlers; NULL refuses it. `connection` and `stream` live until
     * on_disconnect, which is the last call for a ctx; on_detach was called for its links before. */
    void *(*on_connect)(void *owner, struct amqp_connection *connection, struct stream *stream,
                        const struct stream_peer *peer);
    void (*on_disconnect)(void *ctx);
    void *owner;
    struct rf_clock *clock; /* NULL: the real one */
};
/* Lives until the server has stopped. */
RF_MUST_USE enum rf_kind amqp_front_new(const struct amqp_front_options *options,
                                        struct amqp_front **out, struct rf_err *err);
void amqp_front_free(struct amqp_front *front); /* NULL is fine */
/* Listens; `tls` NULL: plain, for loopback only, which is the caller's to see to. Before server_start; errors like server_listen. */
RF_MUST_USE enum rf_kind amqp_front_listen(struct amqp_front *front, struct server *server,
                                           rf_str address, struct tls_context *tls, uint16_t *port,
                                           struct rf_err *err);
/* The route of WebSocket: subprotocols AMQPWSB10 and amqp. Lives as long as the front. */
const struct service *amqp_front_service(struct amqp_front *front);

#endif
