/* client.h - a blocking AMQP 1.0 client for event hubs: the command line, the example's devices, the load of `make bench`. One
 * thread. One session; sends are pipelined as far as the peer's credit goes, answers are read when they have come.
 *
 *   RF_TRY(amqp_client_open(&options, &client, err));
 *   RF_TRY(amqp_client_put_token(client, RF_S("sb://localhost/telemetry"), RF_S("jwt"), token, err));
 *   RF_TRY(amqp_client_sender(client, RF_S("telemetry"), &link, err));
 *   amqp_message(&buf, body, RF_S("truck-7"));
 *   RF_TRY(amqp_client_send(client, link, 0, rf_buf_view(&buf), err));
 *   RF_TRY(amqp_client_settle(client, err));     every message sent so far is safe now
 *
 * Errors of all: RF_IO ConnectFailed, TlsFailed, TimedOut, BadAnswer; RF_INVALID BadCertificate; RF_DENIED, RF_NOT_FOUND, RF_LIMIT or RF_INVALID with the condition
 * that the server gave (its text follows). After an error the client is good for amqp_client_close only. */
#ifndef RF_AMQP_CLIENT_H
#define RF_AMQP_CLIENT_H

#include "hub/amqp_value.h"

struct amqp_client;
struct amqp_client_options {
    const char *host;
    uint16_t port;
    rf_str hostname;     /* the namespace that is asked for; empty: `host` */
    rf_str ca_pem;       /* empty: the system's */
    bool is_plain;       /* without TLS */
    bool over_websocket; /* at /$servicebus/websocket of the HTTPS origin */
    rf_str certificate_pem,
        key_pem; /* SASL EXTERNAL: a device's certificate, with those that issued it behind it, and its key; empty: none */
    rf_str user,
        password; /* SASL PLAIN: a rule and its key; user empty: ANONYMOUS, see amqp_client_put_token */
    int64_t timeout_usec; /* of each silence; 0: 30 s */
};
RF_MUST_USE enum rf_kind amqp_client_open(const struct amqp_client_options *options,
                                          struct amqp_client **out, struct rf_err *err);
/* Says goodbye when nothing failed. NULL is fine. */
void amqp_client_close(struct amqp_client *client);

/* `type` "jwt" or "servicebus.windows.net:sastoken". RF_DENIED TokenRefused with what the server says. */
RF_MUST_USE enum rf_kind amqp_client_put_token(struct amqp_client *client, rf_str audience,
                                               rf_str type, rf_str token, struct rf_err *err);

enum { AMQP_CLIENT_LINKS_MAX = 256 };
/* *link: its number, from 0. */
RF_MUST_USE enum rf_kind amqp_client_sender(struct amqp_client *client, rf_str target,
                                            uint32_t *link, struct rf_err *err);
/* `selector` such as "amqp.annotation.x-opt-offset > '-1'"; empty: from the start. `credit` is granted by the first amqp_client_receive
 * that follows, and kept: make all receivers before it, and settle what was sent. */
RF_MUST_USE enum rf_kind amqp_client_receiver(struct amqp_client *client, rf_str source,
                                              rf_str selector, uint32_t credit, uint32_t *link,
                                              struct rf_err *err);

/* Queues it; waits for credit. `format` 0: one event; EVENT_BATCH_FORMAT (hub/event.h). A message that was refused before fails the
 * next call. */
RF_MUST_USE enum rf_kind amqp_client_send(struct amqp_client *client, uint32_t link,
                                          uint32_t format, rf_str message, struct rf_err *err);
/* Sends what is queued and takes answers that have come, without waiting. */
RF_MUST_USE enum rf_kind amqp_client_flush(struct amqp_client *client, struct rf_err *err);
/* Waits until everything that was sent is accepted. */
RF_MUST_USE enum rf_kind amqp_client_settle(struct amqp_client *client, struct rf_err *err);
uint64_t amqp_client_accepted(const struct amqp_client *client); /* messages, so far */

/* Waits for the next message of any receiver, at most `wait_usec`: RF_AGAIN NothingCame. The view lasts until the next call. */
RF_MUST_USE enum rf_kind amqp_client_receive(struct amqp_client *client, int64_t wait_usec,
                                             uint32_t *link, rf_str *message, struct rf_err *err);

/* A message: one data section, and the partition key when it is not empty. Appends. */
void amqp_message(struct rf_buf *buf, rf_str body, rf_str partition_key);
/* A member of a message of EVENT_BATCH_FORMAT. Appends. */
void amqp_message_member(struct rf_buf *buf, rf_str message);

#endif
