/* Any bytes behind an upgrade, through a connection and its socket, in pieces of any size. What the handler gets is what the
 * reader finds in all of them at once, however they are cut and whatever it leaves for later. */
#define _GNU_SOURCE /* SOCK_NONBLOCK */

#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/stream_int.h"
#include "test/rf_fuzz.h"

enum { MESSAGE_BYTES_MAX = 500 };

struct sink {
    uint8_t *bytes;
    size_t len;
    uint32_t turns; /* what is taken and left goes by it */
    int closed;
};

static void *on_open(struct stream *stream, void *ctx, const struct stream_peer *peer)
{
    (void)stream, (void)peer;
    return ctx;
}

static size_t on_bytes(struct stream *stream, void *state, rf_str bytes, bool is_end)
{
    struct sink *sink = state;
    size_t taken = is_end || ++sink->turns % 3 == 0 ? bytes.len : bytes.len / 2;
    if (taken > 0) memcpy(sink->bytes + sink->len, bytes.ptr, taken);
    sink->len += taken;
    if (sink->turns % 5 == 0) stream_pause(stream);
    (void)stream_send(stream, rf_slice(bytes, 0, taken));
    return taken;
}

static void on_message(struct stream *stream, void *state, bool is_text, rf_str message)
{
    struct sink *sink = state;
    RF_ASSERT(message.len <= MESSAGE_BYTES_MAX);
    if (is_text) RF_ASSERT(rf_utf8_valid(message));
    if (message.len > 0) memcpy(sink->bytes + sink->len, message.ptr, message.len);
    sink->len += message.len;
    (void)stream_send(stream, message);
}

static void on_close(void *state, enum stream_end why, uint16_t code)
{
    (void)why, (void)code;
    ((struct sink *)state)->closed++;
}

static const struct websocket_options as_bytes = {
    .stream = {.on_open = on_open, .on_bytes = on_bytes, .on_close = on_close}};
static const struct websocket_options as_messages = {
    .message_bytes_max = MESSAGE_BYTES_MAX,
    .stream = {.on_open = on_open, .on_message = on_message, .on_close = on_close}};

/* A server that is not started: the target is its loop. */
static struct loop *loop_new(void)
{
    static struct server *server;
    struct server_options options = {.loops = 1};
    struct rf_err err;
    if (server == NULL && server_new(&options, &server, &err) != RF_OK) abort();
    struct loop *loop = server->loops[0];
    if (loop->timer_cap == 0) {
        loop->timers = calloc(8, sizeof *loop->timers);
        loop->timer_cap = loop->timers == NULL ? 0 : 8;
    }
    return loop;
}

static struct conn *open_upgraded(struct loop *loop, int fd, bool is_bytes, struct sink *sink)
{
    struct sockaddr_storage peer = {.ss_family = AF_INET};
    conn_open(loop, fd, &peer, 0);
    struct conn *conn = loop->conns;
    struct exchange *x = loop_exchange(loop);
    RF_ASSERT(conn != NULL);
    RF_ASSERT(x != NULL);
    x->upgrade = rf_arena_new(&x->arena, struct http_upgrade, 1);
    *x->upgrade =
        (struct http_upgrade){.options = is_bytes ? &as_bytes : &as_messages, .ctx = sink};
    conn->x = x;
    x->conn = conn;
    RF_ASSERT(stream_open_upgraded(conn, x));
    return conn;
}

/* The loop's turns, until there is nothing more to do. */
static void drive(struct loop *loop, struct conn *conn, int peer)
{
    uint8_t dropped[4096];
    while (loop->queue != NULL && conn->state == CONN_STREAM) {
        loop->queue = NULL;
        conn->is_queued = false;
        conn_drive(conn);
        if (conn->state == CONN_STREAM && conn->stream->is_paused) stream_resume(conn->stream);
        while (recv(peer, dropped, sizeof dropped, MSG_DONTWAIT) > 0) continue;
    }
}

/* The payloads of all that can be read, as far as the handler would get them. */
static size_t read_at_once(uint8_t *bytes, size_t len, bool is_bytes, uint8_t *out)
{
    struct websocket_reader reader = {.message_bytes_max =
                                          is_bytes ? SIZE_MAX : (size_t)MESSAGE_BYTES_MAX};
    struct websocket_frame frame;
    size_t used, got = 0, whole = 0;
    for (size_t at = 0; at < len; at += used) {
        if (websocket_read(&reader, bytes + at, len - at, &used, &frame) != WEBSOCKET_FRAME) break;
        if (frame.opcode == WEBSOCKET_CLOSE) break;
        if (frame.opcode > WEBSOCKET_CLOSE) continue;
        if (is_bytes && reader.is_text) break;
        if (frame.payload.len > 0) memcpy(out + got, frame.payload.ptr, frame.payload.len);
        got += frame.payload.len;
        if (frame.is_last) whole = got;
    }
    return is_bytes ? got : whole;
}

RF_FUZZ(websocket_stream, text)
{
    if (text.len < 2 || text.len > 10000) return;
    bool is_bytes = (text.ptr[0] & 1) != 0;
    size_t piece = 1 + text.ptr[1];
    rf_str in = rf_slice(text, 2, text.len);
    uint8_t *copy = malloc(in.len + 1), *wanted = malloc(in.len + 1), *got = malloc(in.len + 1);
    struct sink sink = {.bytes = got};
    struct loop *loop = loop_new();
    int fds[2];
    if (copy == NULL || wanted == NULL || got == NULL ||
        socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds) != 0)
        abort();
    if (in.len > 0) memcpy(copy, in.ptr, in.len);
    struct conn *conn = open_upgraded(loop, fds[0], is_bytes, &sink);
    for (size_t at = 0; at < in.len && conn->state == CONN_STREAM; at += piece) {
        rf_str part = rf_slice(in, at, RF_MIN(in.len, at + piece));
        RF_ASSERT(send(fds[1], part.ptr, part.len, MSG_NOSIGNAL) == (ssize_t)part.len);
        loop_go_on(conn);
        drive(loop, conn, fds[1]);
    }
    /* What was left untaken would come with the next bytes. */
    while (conn->state == CONN_STREAM && !conn->stream->is_closing && sink.turns < 100000 &&
           queue_bytes(&conn->stream->rest) > 0) {
        stream_resume(conn->stream);
        drive(loop, conn, fds[1]);
    }
    /* A stream that ends does so at once: what the handler had left is not shown to it again. */
    bool is_alive = conn->state == CONN_STREAM && !conn->stream->is_closing;
    if (conn->state != CONN_DEAD) conn_kill(conn);
    RF_ASSERT(sink.closed == 1);
    size_t len = read_at_once(copy, in.len, is_bytes, wanted);
    RF_ASSERT(sink.len <= len);
    RF_ASSERT(sink.len == 0 || memcmp(got, wanted, sink.len) == 0);
    if (is_alive || !is_bytes) RF_ASSERT(sink.len == len);
    loop->queue = loop->graveyard = NULL;
    free(conn);
    (void)close(fds[1]);
    free(copy);
    free(wanted);
    free(got);
}
