/* stream_int.h - a stream between its connection (conn.c), its protocol's framing (websocket_stream.c, or none) and its
 * handlers. All of it belongs to the loop's thread; only the mailbox is shared. */
#ifndef RF_STREAM_INT_H
#define RF_STREAM_INT_H

#include "net/server_int.h"
#include "net/websocket.h"

/* What a connection that was upgraded speaks. */
struct websocket_state {
    const struct websocket_options *options;
    struct websocket_reader reader;
    uint8_t *message; /* of on_message, as far as it has come; malloc'ed */
    size_t message_bytes, message_cap;
    bool close_sent, close_received, is_pinged, owes_pong;
    uint8_t pong_bytes,
        pong[WEBSOCKET_CONTROL_BYTES_MAX]; /* to the latest ping: the others need none (section 5.5.3) */
};

/* Bytes in order: taken at the front, added at the end. No memory when empty. */
struct byte_queue {
    uint8_t *ptr;
    size_t at, len, cap; /* taken up to, filled up to, room */
};
static inline rf_str queue_view(const struct byte_queue *queue)
{
    return queue->ptr == NULL ? (rf_str){NULL, 0}
                              : rf_str_make(queue->ptr + queue->at, queue->len - queue->at);
}
static inline size_t queue_bytes(const struct byte_queue *queue) { return queue->len - queue->at; }
RF_MUST_USE bool queue_reserve(struct byte_queue *queue, size_t more);
void queue_put(struct byte_queue *queue, rf_str bytes); /* room was reserved */
void queue_take(struct byte_queue *queue, size_t bytes);

struct stream {
    struct conn *conn;
    const struct stream_handlers *handlers;
    void *state;
    struct websocket_state *ws;     /* NULL: bytes as they are */
    struct stream_mailbox *mailbox; /* NULL: nobody asked for it */
    struct byte_queue rest;         /* what on_bytes has left */
    struct byte_queue out;          /* framed */
    bool is_paused, wants_room, is_ended /* by the peer */, is_closing, is_aborted, is_told_to_stop;
    bool has_new; /* of the rest: the handler has not seen it all, or wants to see it again */
    uint8_t why;  /* enum stream_end, for on_close */
    uint16_t code;
    rf_usec heard;     /* when bytes came last */
    rf_usec wake_at;   /* 0: never */
    rf_usec close_by;  /* 0: it is not closing */
    rf_usec out_since; /* when the queue began to fill */
    rf_usec out_by;    /* when more of it must have been taken */
    uint64_t out_moved;
};

/* ---- for conn.c ------------------------------------------------------------------------------------------ */

/* The connection is a stream from now on; false: it has to end. The second takes x->upgrade and gives `x` back. */
bool stream_open_accepted(struct conn *conn);
bool stream_open_upgraded(struct conn *conn, struct exchange *x);
/* Goes on as far as it can without waiting; true: again. */
bool stream_drive(struct conn *conn);
void stream_expired(struct conn *conn);
void stream_retire(struct conn *conn);
/* Takes the stream from its connection: its handler hears, its memory goes. */
void stream_end(struct conn *conn);

/* ---- between stream.c and stream_task.c ---------------------------------------------------------------------- */

/* Others may learn how much waits to be sent. */
void stream_note_backlog(const struct stream *stream);
/* Who still has the mailbox hears that the stream has ended. */
void stream_mailbox_close(struct stream *stream);

/* ---- between stream.c and websocket_stream.c --------------------------------------------------------------- */

/* Ends because of `why`: what is queued is sent first, unless it is aborted. */
void stream_finish(struct stream *stream, enum stream_end why);
void stream_break(struct stream *stream, enum stream_end why);
/* Hands payload over to on_bytes, behind what was left; false: it has to end. */
bool stream_hand_over(struct stream *stream, rf_str bytes);
size_t stream_out_max(const struct stream *stream);
int64_t stream_idle_max(const struct stream *stream);
/* The peer said that nothing follows; the handler hears. */
void stream_peer_ended(struct stream *stream);
/* Something was queued where `before` bytes were. */
void stream_queued(struct stream *stream, size_t before);
/* Its connection is driven soon. */
void stream_stir(struct stream *stream);

/* Reads frames out of `bytes`, whose masks are undone in place, until they are used up or the stream pauses or ends; returns how many
 * were used. */
size_t websocket_feed(struct stream *stream, uint8_t *bytes, size_t len);
/* Queues a frame, for which room was reserved. */
void websocket_put(struct stream *stream, enum websocket_opcode opcode, rf_str payload);
/* Queues a close frame, once, beyond out_bytes_max if it must be. */
void websocket_put_close(struct stream *stream, uint16_t code);
void websocket_put_pong(struct stream *stream);
void websocket_put_ping(struct stream *stream);
void websocket_state_free(struct websocket_state *ws); /* NULL is fine */

/* ---- upgrades ------------------------------------------------------------------------------------------------ */

struct http_upgrade {
    const struct websocket_options *options; /* NULL: bytes as they are, behind an answer 200 */
    const struct stream_handlers *plain;     /* then */
    void *ctx;
};
static inline const struct stream_handlers *upgrade_handlers(const struct http_upgrade *upgrade)
{
    return upgrade->options != NULL ? &upgrade->options->stream : upgrade->plain;
}
/* It does not come to be: `ctx` is released. */
void upgrade_drop(struct http_upgrade *upgrade);

#endif
