/* event_stream.h - an answer that does not end: server-sent events (text/event-stream, WHATWG HTML section 9.2). A handler of HTTP hands its connection
 * over to a stream (net/stream.h), which writes events until one side ends. */
#ifndef RF_EVENT_STREAM_H
#define RF_EVENT_STREAM_H

#include "net/http.h"
#include "net/stream.h"

/* For a handler of HTTP (a route whose access has been checked): the answer is 200 with Content-Type: text/event-stream, Cache-Control: no-store and
 * Connection: close, and behind it the connection is a stream of bytes. Headers that were set stay. `handlers` outlive the server; on_bytes is set, and
 * what the client sends means nothing. Who writes has to set idle_usec_max, as a reader of events is silent.
 *   ctx   taken with RF_OK: on_open gets it, or on_close does (STREAM_UNOPENED) when the stream does not come to be
 * RF_LIMIT MemoryBudgetExceeded leaves it. */
RF_MUST_USE enum rf_kind event_stream_open(struct http_response *response,
                                           const struct stream_handlers *handlers, void *ctx,
                                           struct rf_err *err);

/* For who has an answer that no server sends: what was handed over is given back. */
void event_stream_drop(struct http_response *response);

#endif
