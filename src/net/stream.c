#include "net/stream.h"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <stdlib.h>

#include "net/stream_int.h"

enum {
    IN_BYTES_DEFAULT = 256 << 10,
    OUT_BYTES_DEFAULT = 1 << 20,
    CONTROL_ROOM = 256 /* for a frame's head and what a close frame needs */
};
#define CLOSE_USEC_MAX (5 * RF_USEC_PER_SECOND)

/* ---- queues -------------------------------------------------------------------------------------------------- */

bool queue_reserve(struct byte_queue *queue, size_t more)
{
    enum { FIRST_BYTES = 512 };
    size_t need, used = queue_bytes(queue);
    if (more <= queue->cap - queue->len) return true;
    if (!rf_add_size(used, more, &need)) return false;
    if (queue->at > 0) {
        memmove(queue->ptr, queue->ptr + queue->at, used);
        queue->at = 0;
        queue->len = used;
        /* Only when much is free again: else a full queue would be moved for every few bytes. */
        if (need <= queue->cap / 2) return true;
    }
    size_t cap = RF_MAX(RF_MAX(queue->cap * 2, (size_t)FIRST_BYTES), need);
    uint8_t *grown = realloc(queue->ptr, cap);
    if (grown == NULL) return false;
    queue->ptr = grown;
    queue->cap = cap;
    return true;
}

void queue_put(struct byte_queue *queue, rf_str bytes)
{
    if (bytes.len == 0) return;
    RF_ASSERT(bytes.len <= queue->cap - queue->len);
    memcpy(queue->ptr + queue->len, bytes.ptr, bytes.len);
    queue->len += bytes.len;
}

void queue_take(struct byte_queue *queue, size_t bytes)
{
    RF_ASSERT(bytes <= queue_bytes(queue));
    queue->at += bytes;
    if (queue->at < queue->len) return;
    free(queue->ptr);
    *queue = (struct byte_queue){.ptr = NULL};
}

/* ---- what handlers ask for -------------------------------------------------------------------------------------------- */

size_t stream_out_max(const struct stream *stream)
{
    size_t max = stream->handlers->out_bytes_max;
    return max == 0 ? (size_t)OUT_BYTES_DEFAULT : max;
}

int64_t stream_idle_max(const struct stream *stream)
{
    int64_t max = stream->handlers->idle_usec_max;
    return max == 0 ? stream->conn->loop->server->limits.idle_usec_max : max;
}

void stream_stir(struct stream *stream) { loop_go_on(stream->conn); }

size_t stream_room(const struct stream *stream)
{
    size_t max = stream_out_max(stream), used = queue_bytes(&stream->out);
    size_t head = stream->ws != NULL ? WEBSOCKET_HEAD_BYTES_MAX : 0;
    if (stream->is_closing || stream->is_aborted || used + head >= max) return 0;
    return max - used - head;
}

/* Room for `bytes` and a frame's head; a queue that was empty begins to be timed. */
static bool make_room(struct stream *stream, size_t bytes)
{
    if (stream->is_closing || stream->is_aborted) return false;
    if (bytes > stream_room(stream)) {
        stream->wants_room = true;
        return false;
    }
    return queue_reserve(&stream->out, bytes + CONTROL_ROOM);
}

void stream_queued(struct stream *stream, size_t before)
{
    if (before == 0) {
        stream->out_since = stream->conn->loop->now;
        stream->out_moved = 0;
        stream->out_by = conn_write_deadline(stream->conn, stream->out_since, 0);
    }
    stream_note_backlog(stream);
    stream_stir(stream);
}

bool stream_send(struct stream *stream, rf_str bytes)
{
    size_t before = queue_bytes(&stream->out);
    if (!make_room(stream, bytes.len)) return false;
    if (stream->ws != NULL)
        websocket_put(stream, WEBSOCKET_BINARY, bytes);
    else
        queue_put(&stream->out, bytes);
    stream_queued(stream, before);
    return true;
}

bool stream_send_text(struct stream *stream, rf_str text)
{
    size_t before = queue_bytes(&stream->out);
    RF_ASSERT(stream->ws != NULL);
    if (!make_room(stream, text.len)) return false;
    websocket_put(stream, WEBSOCKET_TEXT, text);
    stream_queued(stream, before);
    return true;
}

void stream_pause(struct stream *stream) { stream->is_paused = true; }

void stream_resume(struct stream *stream)
{
    stream->is_paused = false;
    stream->has_new = queue_bytes(&stream->rest) > 0;
    stream->heard = stream->conn->loop->now; /* the peer could not be heard until now */
    stream_stir(stream);
}

/* The system forgets it with the next answer, so it is asked for each time. */
void stream_ack(struct stream *stream)
{
    if (stream->ws == NULL)
        (void)setsockopt(stream->conn->fd, IPPROTO_TCP, TCP_QUICKACK, &(int){1}, sizeof(int));
}

void stream_wake_in(struct stream *stream, int64_t usec)
{
    stream->wake_at = usec == 0 ? 0 : stream->conn->loop->now + usec;
    stream_stir(stream); /* which sets the timer */
}

void stream_finish(struct stream *stream, enum stream_end why)
{
    if (stream->is_closing || stream->is_aborted) return;
    stream->is_closing = true;
    stream->why = (uint8_t)why;
    queue_take(&stream->rest, queue_bytes(&stream->rest));
    stream_stir(stream);
}

void stream_break(struct stream *stream, enum stream_end why)
{
    if (stream->is_aborted) return;
    stream->is_aborted = true;
    if (!stream->is_closing) stream->why = (uint8_t)why;
    stream_stir(stream);
}

void stream_close(struct stream *stream, uint16_t code)
{
    if (stream->is_closing || stream->is_aborted) return;
    if (stream->ws != NULL) websocket_put_close(stream, code);
    stream_finish(stream, stream->is_told_to_stop ? STREAM_STOPPED : STREAM_CLOSED);
}

void stream_abort(struct stream *stream) { stream_break(stream, STREAM_CLOSED); }

/* ---- opening ------------------------------------------------------------------------------------------------------------ */

void stream_address_text(const uint8_t address[16], char out[STREAM_ADDRESS_BYTES_MAX])
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
    bool is_4 = memcmp(address, mapped, sizeof mapped) == 0;
    _Static_assert((int)STREAM_ADDRESS_BYTES_MAX == (int)INET6_ADDRSTRLEN, "room for any address");
    out[0] = '\0';
    (void)inet_ntop(is_4 ? AF_INET : AF_INET6, is_4 ? address + 12 : address, out,
                    STREAM_ADDRESS_BYTES_MAX);
}

/* Takes `ws`; false: the connection has to end. */
static bool open_stream(struct conn *conn, const struct stream_handlers *handlers, void *ctx,
                        struct websocket_state *ws)
{
    struct loop *loop = conn->loop;
    struct stream *stream = calloc(1, sizeof *stream);
    if (stream == NULL) {
        websocket_state_free(ws);
        return false;
    }
    *stream = (struct stream){.conn = conn,
                              .handlers = handlers,
                              .ws = ws,
                              .why = STREAM_LOST,
                              .code = ws != NULL ? WEBSOCKET_ABNORMAL : 0,
                              .heard = loop->now};
    char address[STREAM_ADDRESS_BYTES_MAX];
    uint8_t *der = NULL;
    stream_address_text(conn->address, address);
    struct stream_peer peer = {.address = rf_str_of(address),
                               .port = conn->port,
                               .is_loopback = address_is_loopback(conn->address),
                               .is_tls = conn->ssl != NULL};
    if (conn->ssl != NULL) {
        peer.server_name = tls_server_name(conn->ssl);
        size_t bytes = tls_peer_certificate(conn->ssl, &der, &peer.is_certificate_trusted);
        if (bytes > 0) peer.certificate = rf_str_make(der, bytes);
    }
    conn->stream = stream;
    conn->state = CONN_STREAM;
    atomic_fetch_add(&loop->server->streams, 1);
    stream->state = handlers->on_open(stream, ctx, &peer);
    free(der);
    if (stream->state != NULL) stream_stir(stream);
    return stream->state != NULL;
}

bool stream_open_accepted(struct conn *conn)
{
    const struct stream_listener *listener = conn->loop->listeners[conn->listener].stream;
    return open_stream(conn, &listener->handlers, listener->ctx, NULL);
}

/* Without memory for a stream nobody opens what the request has made, so it is given back here. */
static bool open_upgraded(struct conn *conn, struct http_upgrade *upgrade,
                          struct websocket_state *ws)
{
    bool is_open = open_stream(conn, ws == NULL ? upgrade->plain : &upgrade->options->stream,
                               upgrade->ctx, ws);
    if (conn->stream == NULL) upgrade_drop(upgrade);
    return is_open;
}

bool stream_open_upgraded(struct conn *conn, struct exchange *x)
{
    struct http_upgrade upgrade = *x->upgrade;
    if (upgrade.options == NULL) {
        x->upgrade = NULL;
        loop_recycle(conn->loop, x);
        conn->x = NULL;
        return open_upgraded(conn, &upgrade, NULL);
    }
    struct websocket_state *ws = calloc(1, sizeof *ws);
    if (ws == NULL) return false; /* the exchange releases what was agreed */
    bool is_bytes = upgrade.options->stream.on_bytes != NULL;
    size_t max = upgrade.options->message_bytes_max;
    ws->options = upgrade.options;
    ws->reader.message_bytes_max = is_bytes ? SIZE_MAX : max == 0 ? (size_t)1 << 20 : max;
    x->upgrade = NULL;
    loop_recycle(conn->loop, x);
    conn->x = NULL;
    return open_upgraded(conn, &upgrade, ws);
}

void stream_end(struct conn *conn)
{
    struct stream *stream = conn->stream;
    bool is_opened = stream->state != NULL;
    stream_mailbox_close(stream);
    if (conn->loop->is_stopping && stream->why == STREAM_LOST) stream->why = STREAM_STOPPED;
    conn->stream = NULL;
    atomic_fetch_sub(&conn->loop->server->streams, 1);
    if (is_opened)
        stream->handlers->on_close(stream->state, (enum stream_end)stream->why, stream->code);
    websocket_state_free(stream->ws);
    free(stream->rest.ptr);
    free(stream->out.ptr);
    free(stream);
}

/* ---- reading --------------------------------------------------------------------------------------------------------------- */

static size_t in_max(const struct stream *stream)
{
    size_t max = stream->handlers->in_bytes_max;
    return max == 0 ? (size_t)IN_BYTES_DEFAULT : max;
}

static size_t call_on_bytes(struct stream *stream, rf_str bytes, bool is_end)
{
    size_t taken = stream->handlers->on_bytes(stream, stream->state, bytes, is_end);
    RF_ASSERT(taken <= bytes.len);
    return taken;
}

/* While it is paused, what came with the same read is more than it could have asked for. */
static bool is_within(struct stream *stream)
{
    if (stream->is_paused || queue_bytes(&stream->rest) <= in_max(stream)) return true;
    stream_break(stream, STREAM_BAD);
    return false;
}

static bool leave(struct stream *stream, rf_str bytes)
{
    if (!queue_reserve(&stream->rest, bytes.len)) {
        stream_break(stream, STREAM_LOST);
        return false;
    }
    queue_put(&stream->rest, bytes);
    return true;
}

static bool is_over(const struct stream *stream)
{
    return stream->is_closing || stream->is_aborted;
}

/* The handler sees all of the rest. */
static bool hand_over_rest(struct stream *stream)
{
    stream->has_new = false;
    size_t taken = call_on_bytes(stream, queue_view(&stream->rest), false);
    if (is_over(stream)) return !stream->is_aborted;
    queue_take(&stream->rest, taken);
    return is_within(stream);
}

bool stream_hand_over(struct stream *stream, rf_str bytes)
{
    if (is_over(stream)) return false;
    if (queue_bytes(&stream->rest) > 0 || stream->is_paused) {
        if (!leave(stream, bytes)) return false;
        stream->has_new = true;
        return stream->is_paused || hand_over_rest(stream);
    }
    size_t taken = call_on_bytes(stream, bytes, false);
    if (is_over(stream)) return !stream->is_aborted;
    if (taken == bytes.len) return true;
    return leave(stream, rf_slice(bytes, taken, bytes.len)) && is_within(stream);
}

void stream_peer_ended(struct stream *stream)
{
    stream->is_ended = true;
    if (is_over(stream)) return;
    if (stream->handlers->on_bytes != NULL)
        (void)call_on_bytes(stream, queue_view(&stream->rest), true);
    if (stream->ws != NULL && !is_over(stream)) websocket_put_close(stream, stream->code);
    stream_finish(stream, STREAM_DONE);
}

/* Frames that came while it paused are still to be read. */
static bool feed_kept(struct stream *stream)
{
    struct conn *conn = stream->conn;
    rf_str kept = conn_unused(conn);
    size_t used = websocket_feed(stream, conn->in + conn->in_at, kept.len);
    conn_use(conn, used);
    return used > 0;
}

static bool feed(struct stream *stream, uint8_t *bytes, size_t len)
{
    struct conn *conn = stream->conn;
    if (stream->ws == NULL) return stream_hand_over(stream, rf_str_make(bytes, len));
    if (conn_unused(conn).len > 0) {
        if (!conn_keep(conn, rf_str_make(bytes, len))) return false;
        (void)feed_kept(stream);
        return true;
    }
    size_t used = websocket_feed(stream, bytes, len);
    return used == len || conn_keep(conn, rf_str_make(bytes + used, len - used));
}

/* True: something came. */
static bool read_some(struct stream *stream)
{
    struct conn *conn = stream->conn;
    size_t got = 0;
    enum tls_io io = conn_receive(conn, conn->loop->scratch, LOOP_SCRATCH_BYTES, &got);
    if (io == TLS_AGAIN) return false;
    if (io == TLS_OK) {
        stream->heard = conn->loop->now;
        if (stream->ws != NULL) stream->ws->is_pinged = false;
        if (!feed(stream, conn->loop->scratch, got)) stream_break(stream, STREAM_LOST);
    } else if (io == TLS_EOF && stream->ws == NULL) {
        stream_peer_ended(stream);
    } else {
        stream->is_ended = true;
        stream_break(stream, STREAM_LOST);
    }
    return true;
}

/* ---- writing ---------------------------------------------------------------------------------------------------------------- */

/* True: some of the queue was sent. */
static bool write_out(struct stream *stream)
{
    size_t put = 0;
    if (queue_bytes(&stream->out) == 0) return false;
    enum tls_io io = conn_send(stream->conn, queue_view(&stream->out), &put);
    if (io == TLS_AGAIN) return false;
    if (io != TLS_OK) {
        stream_break(stream, STREAM_LOST);
        return true;
    }
    queue_take(&stream->out, put);
    bool had_waited = stream->out_since < stream->conn->loop->now;
    if (had_waited && queue_bytes(&stream->out) == 0) stream->heard = stream->conn->loop->now;
    stream->out_moved += put;
    stream->out_by = conn_write_deadline(stream->conn, stream->out_since, stream->out_moved);
    stream_note_backlog(stream);
    return true;
}

static bool tell_writable(struct stream *stream)
{
    if (!stream->wants_room || is_over(stream) ||
        queue_bytes(&stream->out) > stream_out_max(stream) / 2)
        return false;
    stream->wants_room = false;
    if (stream->handlers->on_writable != NULL) stream->handlers->on_writable(stream, stream->state);
    return true;
}

/* ---- life -------------------------------------------------------------------------------------------------------------------- */

static rf_usec earlier(rf_usec a, rf_usec b) { return b != 0 && (a == 0 || b < a) ? b : a; }

/* While something waits to be sent, it is that which has a time limit. */
static rf_usec idle_deadline(const struct stream *stream)
{
    if (stream->is_paused || queue_bytes(&stream->out) > 0) return 0;
    int64_t max = stream_idle_max(stream);
    bool may_ping = stream->ws != NULL && !stream->ws->is_pinged;
    return stream->heard + (may_ping ? max / 2 : max);
}

static void set_deadline(struct stream *stream)
{
    struct conn *conn = stream->conn;
    rf_usec at = 0;
    if (!is_over(stream)) at = earlier(stream->wake_at, idle_deadline(stream));
    if (queue_bytes(&stream->out) > 0) {
        at = earlier(at, stream->out_by);
    } else if (is_over(stream)) {
        /* Everything is said; the peer's side of the closing handshake is waited for, but not long. */
        if (stream->close_by == 0) stream->close_by = conn->loop->now + CLOSE_USEC_MAX;
        at = stream->close_by;
    }
    loop_set_deadline(conn, at);
}

/* What is to be said was said, and of WebSocket both sides have said that they close. */
static bool is_finished(const struct stream *stream)
{
    return stream->is_closing && queue_bytes(&stream->out) == 0 &&
           (stream->ws == NULL || stream->ws->close_received || stream->is_ended);
}

/* One step; true: something was done. */
static bool step(struct stream *stream)
{
    if (stream->ws != NULL && stream->ws->owes_pong) websocket_put_pong(stream);
    bool wrote = write_out(stream);
    if (stream->is_aborted || is_finished(stream)) return false;
    if (tell_writable(stream)) return true;
    bool is_deaf = stream->is_ended || (!is_over(stream) && stream->is_paused) ||
                   (stream->ws == NULL && stream->is_closing);
    if (is_deaf) return wrote;
    if (stream->has_new && !is_over(stream)) {
        (void)hand_over_rest(stream);
        return true;
    }
    if (stream->ws != NULL && conn_unused(stream->conn).len > 0 && feed_kept(stream)) return true;
    return read_some(stream) || wrote;
}

bool stream_drive(struct conn *conn)
{
    struct stream *stream = conn->stream;
    bool again = step(stream);
    if (stream->is_aborted) {
        conn_kill(conn);
        return false;
    }
    if (is_finished(stream)) {
        conn_linger(conn);
        return true;
    }
    set_deadline(stream);
    return again;
}

void stream_expired(struct conn *conn)
{
    struct stream *stream = conn->stream;
    rf_usec now = conn->loop->now;
    bool is_slow = queue_bytes(&stream->out) > 0 && stream->out_by <= now;
    if (is_slow || (stream->close_by != 0 && stream->close_by <= now)) {
        stream_break(stream, STREAM_SLOW);
        if (is_slow) stream->why = STREAM_SLOW; /* what the handler said last has not arrived */
    } else if (!is_over(stream)) {
        if (stream->wake_at != 0 && stream->wake_at <= now) {
            stream->wake_at = 0;
            if (stream->handlers->on_wake != NULL) stream->handlers->on_wake(stream, stream->state);
        }
        rf_usec idle = idle_deadline(stream);
        if (!is_over(stream) && idle != 0 && idle <= now) {
            if (stream->ws != NULL && !stream->ws->is_pinged)
                websocket_put_ping(stream);
            else
                stream_break(stream, STREAM_IDLE);
        }
    }
    conn_drive(conn);
}

void stream_retire(struct conn *conn)
{
    struct stream *stream = conn->stream;
    if (stream->is_told_to_stop) return;
    stream->is_told_to_stop = true;
    if (is_over(stream)) return;
    if (stream->handlers->on_stop != NULL)
        stream->handlers->on_stop(stream, stream->state);
    else
        stream_close(stream, WEBSOCKET_GOING_AWAY);
    stream_stir(stream);
}
