/* client_pipe.h - the bytes beneath the client: TCP, TLS over it, WebSocket over that (RFC 6455; subprotocol AMQPWSB10). Blocking, one
 * thread. */
#ifndef RF_AMQP_CLIENT_PIPE_H
#define RF_AMQP_CLIENT_PIPE_H

#include "amqp/client.h"
#include "net/dial.h"

struct pipe;
/* RF_IO ConnectFailed, TlsFailed, TimedOut; BadAnswer: the server did not agree to change to WebSocket; RF_INVALID BadCertificate. */
RF_MUST_USE enum rf_kind pipe_open(const struct amqp_client_options *options, struct pipe **out,
                                   struct rf_err *err);
void pipe_close(struct pipe *pipe); /* NULL is fine */
/* All of them. */
enum dial_io pipe_write(struct pipe *pipe, rf_str bytes);
/* At least one byte with DIAL_OK. */
enum dial_io pipe_read(struct pipe *pipe, uint8_t *out, size_t cap, size_t *got);
/* Nothing has come that was not read, and the peer has not gone away. */
bool pipe_is_quiet(const struct pipe *pipe);

#endif
