/* stream.h - connections that speak a protocol of their own: AMQP, Kafka or syslog behind TCP or TLS (server_listen_stream),
 * WebSocket behind an upgraded request (net/websocket.h), and datagrams (server_listen_datagrams).
 *
 * A stream belongs to one loop. Its handlers are called by that loop's thread, one at a time, and must not block: what waits for
 * a disk or a lock is a task, which a worker runs and which then comes back to the loop (stream_work). Another thread reaches the
 * stream through its mailbox only. Handlers may call every stream_ function on their own stream; what they ask for happens after
 * they have returned, so no handler is ever called from inside another.
 *
 * Both directions are bounded. A handler that cannot take more bytes leaves them (on_bytes) and pauses: the socket is not read
 * then, and the peer's sends stand still. Bytes to send wait in a queue of out_bytes_max; when it is full, stream_send refuses, and
 * on_writable tells that half of it is free again.
 *
 * Ends by itself: a stream that is silent for idle_usec_max (WebSocket is asked with a ping first), a peer that takes what it
 * is sent slower than the server's write_rate_min, or sends more than in_bytes_max that the handler leaves untaken.
 *
 * An idle stream holds no buffer. */
#ifndef RF_STREAM_H
#define RF_STREAM_H

#include "net/server.h"

struct stream;

/* Who is on the other side. Views last for the call that shows them. */
struct stream_peer {
    rf_str address; /* text of the IP address */
    uint16_t port;
    bool is_loopback, is_tls;
    rf_str server_name; /* the name that TLS was asked for (SNI); may be empty */
    /* The client's certificate in DER; empty: none. Only listeners whose TLS asks for one see it (tls_server_options.client). */
    rf_str certificate;
    bool
        is_certificate_trusted; /* it chains to those that the TLS context trusts; else only its key is proved */
};

enum stream_end {
    STREAM_UNOPENED, /* an upgrade was agreed and did not come to be: the client had gone, or the server stops */
    STREAM_DONE,   /* both sides said that nothing follows */
    STREAM_CLOSED, /* by the handler */
    STREAM_LOST,   /* cut off, or reset */
    STREAM_IDLE,   /* silent for too long */
    STREAM_SLOW,   /* the peer did not take what it was sent */
    STREAM_BAD,    /* it broke the protocol (WebSocket), or in_bytes_max */
    STREAM_STOPPED /* the server stops */
};

struct stream_handlers {
    /* The connection is open, TLS included. `ctx` is the listener's, or what the upgrade was given. Returns the state that the
     * other handlers get; NULL refuses: the connection is closed, and no handler is called any more. */
    void *(*on_open)(struct stream *stream, void *ctx, const struct stream_peer *peer);
    /* Bytes came: what was left before, and new ones behind it. Returns how many were taken; the others come again with the next
     * ones, or after stream_resume. `is_end`: the peer sends nothing more; what is left then is dropped, and the stream ends when its
     * queue is sent. Of WebSocket: payloads of data messages behind each other, as they come, not held until a message is whole. */
    size_t (*on_bytes)(struct stream *stream, void *state, rf_str bytes, bool is_end);
    /* WebSocket only, instead of on_bytes: one whole message; text is UTF-8. The bytes last for the call. */
    void (*on_message)(struct stream *stream, void *state, bool is_text, rf_str message);
    /* Half of the queue is free again after stream_send refused; may be NULL. */
    void (*on_writable)(struct stream *stream, void *state);
    /* The time of stream_wake_in has passed; may be NULL. */
    void (*on_wake)(struct stream *stream, void *state);
    /* The server stops: say goodbye in the protocol's own way, then stream_close. At the end of server_stop's grace the
     * stream is cut. NULL: it is closed at once (WebSocket with 1001). */
    void (*on_stop)(struct stream *stream, void *state);
    /* Once for each state, and the last call of all: releases it. The stream is gone. `code`: WebSocket's code of the closing side,
     * else 0. With STREAM_UNOPENED `state` is the `ctx` that the upgrade was given. */
    void (*on_close)(void *state, enum stream_end why, uint16_t code);

    /* Zero: the default. */
    size_t in_bytes_max;   /* 256 KiB: bytes that on_bytes may leave */
    size_t out_bytes_max;  /* 1 MiB: bytes that wait to be sent */
    int64_t idle_usec_max; /* the server's idle_usec_max */
};

/* ---- for handlers, on the loop's thread ---------------------------------------------------------------------------- */

/* Queues a copy of `bytes`; of WebSocket they are one binary message. False and nothing is queued when the queue has not that room
 * (then on_writable follows), memory is used up, or the stream is closing. More than out_bytes_max never fits. */
bool stream_send(struct stream *stream, rf_str bytes);
/* WebSocket only: one text message, in UTF-8. */
bool stream_send_text(struct stream *stream, rf_str text);
/* How many bytes stream_send would take now. */
size_t stream_room(const struct stream *stream);
/* No bytes are read and handed over until stream_resume, which hands over what was left first. */
void stream_pause(struct stream *stream);
void stream_resume(struct stream *stream);
/* Has the peer's system told at once that what was read has arrived (TCP_QUICKACK), where it would wait up to 40 ms for an answer to go
 * with it. For peers that write a request in pieces and leave Nagle's algorithm on: theirs sends the next piece only then. One system
 * call; nothing happens for WebSocket. */
void stream_ack(struct stream *stream);
/* Calls on_wake once, in so many microseconds; replaces the time before; 0: never. For heartbeats, and for the end of
 * an opening, which has no time limit of its own beside idle_usec_max. */
void stream_wake_in(struct stream *stream, int64_t usec);
/* Sends what is queued, then ends; WebSocket with `code` (1000 NORMAL, 1001 GOING_AWAY, 1011 INTERNAL; net/websocket.h) and the
 * closing handshake. Nothing is handed over any more. */
void stream_close(struct stream *stream, uint16_t code);
/* Ends without sending what is queued. */
void stream_abort(struct stream *stream);

/* ---- work that blocks, and other threads ------------------------------------------------------------------------------ */

/* The server's own: waits in a queue of workers, or travels to a loop. */
struct work_item {
    struct work_item *next;
    struct loop *loop;                    /* where it goes back to */
    uint64_t who;                         /* for turns */
    void (*run)(struct work_item *item);  /* on a worker */
    void (*back)(struct work_item *item); /* on the loop */
};

/* Make it part of something larger. Its owner keeps it until deliver() has been called, which happens exactly once. */
struct stream_task {
    /* On a worker; may block. `gone` becomes true when the stream has ended or the server must stop; never NULL. A task that has to be
     * done, such as keeping what was taken, is done all the same. */
    void (*run)(struct stream_task *task, const atomic_bool *gone);
    /* On the stream's loop, like a handler; both NULL when the stream has ended (then on any of the server's threads, or on
     * that which stops it). Releases the task. */
    void (*deliver)(struct stream_task *task, struct stream *stream, void *state);
    struct work_item item; /* the server's own, like the next */
    struct stream_mailbox *mailbox;
};
/* Has a worker run the task, by turns of `who` (struct http_plan). False, and nothing happens, when that lane is full: try again
 * after a moment (stream_wake_in). Tasks of one stream may run side by side: who needs an order has one under way at a time. */
bool stream_work(struct stream *stream, struct stream_task *task, enum http_lane lane,
                 uint64_t who);
/* The same without a stream, for datagrams. From any thread between server_start and server_stop. */
bool server_work(struct server *server, struct stream_task *task, enum http_lane lane,
                 uint64_t who);

/* The way to a stream from any thread: counted, and good after the stream's end. All are given back before server_free. */
struct stream_mailbox;
struct stream_mailbox *stream_mailbox(struct stream *stream); /* counted; NULL: no memory */
struct stream_mailbox *stream_mailbox_ref(struct stream_mailbox *mailbox);
void stream_mailbox_unref(struct stream_mailbox *mailbox); /* NULL is fine */
/* Has the stream's loop call task->deliver (run is not called). Tasks come in the order in which one thread posts them. False, and
 * nothing happens, when the stream has ended or STREAM_POSTS_MAX wait. Does not block. */
enum { STREAM_POSTS_MAX = 1024 };
bool stream_post(struct stream_mailbox *mailbox, struct stream_task *task);
/* Bytes that wait to be sent, as of a moment ago: who feeds many streams leaves out those that lag behind. */
size_t stream_backlog(const struct stream_mailbox *mailbox);

/* ---- listeners: before server_start ------------------------------------------------------------------------------------ */

/* Like server_listen, for streams instead of HTTP. `handlers` is copied; on_open, on_bytes and on_close are set. TLS clients may ask
 * for any application protocol (ALPN) or none. `ctx` outlives the server. The server's limits of connections hold. */
RF_MUST_USE enum rf_kind server_listen_stream(struct server *server, rf_str address,
                                              struct tls_context *tls,
                                              const struct stream_handlers *handlers, void *ctx,
                                              uint16_t *port, struct rf_err *err);

struct datagram {
    rf_str bytes;
    uint8_t address[16]; /* IPv6, or IPv4 mapped into it */
    uint16_t port;
    bool is_cut; /* it was longer than bytes_max */
};
struct datagram_handlers {
    /* Called by loops, several side by side, with what came since; must not block. Views last for the call. Returns how many were
     * taken, from the first; the others come again after a moment, and meanwhile what comes waits in the kernel, which
     * throws away what it has no room for. */
    uint32_t (*on_datagrams)(void *ctx, const struct datagram *datagrams, uint32_t count);
    void *ctx;          /* outlives the server */
    uint32_t bytes_max; /* 0: 65,535 */
    uint32_t
        kernel_max; /* 0: 4 MiB; bytes that wait in the kernel, as far as it allows (net.core.rmem_max) */
};
/* Takes datagrams (UDP) at the address. Errors like server_listen. */
RF_MUST_USE enum rf_kind server_listen_datagrams(struct server *server, rf_str address,
                                                 const struct datagram_handlers *handlers,
                                                 uint16_t *port, struct rf_err *err);
/* Text of an address as struct datagram has it, NUL-terminated. */
enum { STREAM_ADDRESS_BYTES_MAX = 46 };
void stream_address_text(const uint8_t address[16], char out[STREAM_ADDRESS_BYTES_MAX]);

#endif
