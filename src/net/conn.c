#define _GNU_SOURCE /* EPOLLRDHUP */

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "net/server_int.h"
#include "net/stream_int.h"

/* One connection: a machine of states that conn_drive moves on until the socket must be waited for. epoll tells edges only, so
 * whoever waits has tried and was told to wait; while a worker runs, the socket is not read. */

enum {
    STEPS_PER_DRIVE = 32, /* then others have their turn */
    WRITE_BYTES_MAX = 64 << 10,
    TLS_RECORD_BYTES = 16 << 10,
    LINGER_BYTES_MAX = 4 << 20
};
#define BODY_GRACE_USEC (15 * RF_USEC_PER_SECOND)
#define WRITE_GRACE_USEC (30 * RF_USEC_PER_SECOND)
#define CROWDED_IDLE_USEC_MAX (5 * RF_USEC_PER_SECOND)
#define LINGER_USEC_MAX (2 * RF_USEC_PER_SECOND)

/* ---- the socket -------------------------------------------------------------------------------------- */

/* Reads something; TLS_OK sets *got > 0. */
enum tls_io conn_receive(struct conn *conn, void *out, size_t cap, size_t *got)
{
    enum tls_io io = TLS_BROKEN;
    if (conn->ssl != NULL) {
        io = tls_read(conn->ssl, out, cap, got);
    } else {
        ssize_t bytes = recv(conn->fd, out, cap, 0);
        if (bytes > 0) {
            *got = (size_t)bytes;
            io = TLS_OK;
        } else if (bytes == 0) {
            io = TLS_EOF;
        } else if (errno == EAGAIN || errno == EINTR) {
            io = TLS_AGAIN;
        }
    }
    if (io == TLS_OK) server_count(&conn->loop->server->bytes_in, *got);
    return io;
}

/* Joins what is left of the head with the body's beginning, so that a small answer is one record. */
static rf_str next_record(struct conn *conn)
{
    const struct exchange *x = conn->x;
    if (conn->out_at >= x->out_head.len) {
        size_t at = conn->out_at - x->out_head.len;
        return rf_slice(x->out_body, at, RF_MIN(x->out_body.len, at + WRITE_BYTES_MAX));
    }
    rf_str head = rf_slice(x->out_head, conn->out_at, x->out_head.len);
    if (head.len >= TLS_RECORD_BYTES || x->out_body.len == 0) return head;
    size_t more = RF_MIN(x->out_body.len, TLS_RECORD_BYTES - head.len);
    memcpy(conn->loop->scratch, head.ptr, head.len);
    memcpy(conn->loop->scratch + head.len, x->out_body.ptr, more);
    return rf_str_make(conn->loop->scratch, head.len + more);
}

static struct iovec view(rf_str s)
{
    return (struct iovec){.iov_base = (void *)(uintptr_t)s.ptr, .iov_len = s.len};
}

static enum tls_io send_plain(struct conn *conn, size_t *put)
{
    const struct exchange *x = conn->x;
    size_t head_at = RF_MIN(conn->out_at, x->out_head.len), body_at = conn->out_at - head_at;
    size_t body_to = RF_MIN(x->out_body.len, body_at + WRITE_BYTES_MAX);
    struct iovec parts[] = {view(rf_slice(x->out_head, head_at, x->out_head.len)),
                            view(rf_slice(x->out_body, body_at, body_to))};
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = RF_COUNT(parts)};
    ssize_t bytes = sendmsg(conn->fd, &message, MSG_NOSIGNAL);
    if (bytes < 0) return errno == EAGAIN || errno == EINTR ? TLS_AGAIN : TLS_BROKEN;
    *put = (size_t)bytes;
    return TLS_OK;
}

enum tls_io conn_send(struct conn *conn, rf_str bytes, size_t *put)
{
    enum tls_io io = TLS_BROKEN;
    bytes.len = RF_MIN(bytes.len, (size_t)WRITE_BYTES_MAX);
    if (conn->ssl != NULL) {
        io = tls_write(conn->ssl, bytes, put);
    } else {
        ssize_t sent = send(conn->fd, bytes.ptr, bytes.len, MSG_NOSIGNAL);
        if (sent >= 0) {
            *put = (size_t)sent;
            io = TLS_OK;
        } else if (errno == EAGAIN || errno == EINTR) {
            io = TLS_AGAIN;
        }
    }
    if (io == TLS_OK) server_count(&conn->loop->server->bytes_out, *put);
    return io;
}

static enum tls_io transmit(struct conn *conn, size_t *put)
{
    enum tls_io io =
        conn->ssl == NULL ? send_plain(conn, put) : tls_write(conn->ssl, next_record(conn), put);
    if (io == TLS_OK) server_count(&conn->loop->server->bytes_out, *put);
    return io;
}

/* ---- bytes that came and are not used --------------------------------------------------------------------- */

rf_str conn_unused(const struct conn *conn)
{
    if (conn->in == NULL) return (rf_str){NULL, 0};
    return rf_str_make(conn->in + conn->in_at, conn->in_bytes - conn->in_at);
}

void conn_use(struct conn *conn, size_t bytes)
{
    RF_ASSERT(bytes <= conn->in_bytes - conn->in_at);
    conn->in_at += (uint32_t)bytes;
    if (conn->in_at < conn->in_bytes) return;
    /* Most requests come whole: then an idle connection holds no buffer. What was here may have been a secret. */
    if (conn->in != NULL) explicit_bzero(conn->in, conn->in_bytes);
    free(conn->in);
    conn->in = NULL;
    conn->in_at = conn->in_bytes = conn->in_cap = 0;
}

bool conn_keep(struct conn *conn, rf_str bytes)
{
    if (conn->in_at > 0) {
        memmove(conn->in, conn->in + conn->in_at, conn->in_bytes - conn->in_at);
        conn->in_bytes -= conn->in_at;
        conn->in_at = 0;
    }
    size_t need = conn->in_bytes + bytes.len;
    if (need > conn->in_cap) {
        size_t cap = RF_MAX(need, (size_t)conn->in_cap * 2);
        RF_ASSERT(cap <= UINT32_MAX); /* a head's limit, and what one read brings */
        uint8_t *grown = realloc(conn->in, cap);
        if (grown == NULL) return false;
        conn->in = grown;
        conn->in_cap = (uint32_t)cap;
    }
    memcpy(conn->in + conn->in_bytes, bytes.ptr, bytes.len);
    conn->in_bytes += (uint32_t)bytes.len;
    return true;
}

/* ---- life --------------------------------------------------------------------------------------------------- */

void address_of(const struct sockaddr_storage *peer, uint8_t address[16], uint16_t *port)
{
    if (peer->ss_family == AF_INET6) {
        struct sockaddr_in6 in6;
        memcpy(&in6, peer, sizeof in6);
        memcpy(address, &in6.sin6_addr, 16);
        *port = ntohs(in6.sin6_port);
    } else {
        struct sockaddr_in in;
        memcpy(&in, peer, sizeof in);
        memset(address, 0, 10);
        address[10] = address[11] = 0xff;
        memcpy(address + 12, &in.sin_addr, 4);
        *port = ntohs(in.sin_port);
    }
}

/* When room becomes scarce, those that merely might ask again give way to those that ask. */
static rf_usec idle_usec(const struct server *server)
{
    unsigned connections = atomic_load_explicit(&server->connections, memory_order_relaxed);
    bool crowded = connections > server->limits.connections_max / 4 * 3;
    return crowded ? RF_MIN(server->limits.idle_usec_max, CROWDED_IDLE_USEC_MAX)
                   : server->limits.idle_usec_max;
}

static void enter_head(struct conn *conn, bool must_come)
{
    const struct server *server = conn->loop->server;
    conn->state = CONN_HEAD;
    conn->scan = (struct http_head_scan){.at = 0};
    conn->began = must_come;
    loop_set_deadline(conn, conn->loop->now +
                                (must_come ? server->limits.head_usec_max : idle_usec(server)));
}

void conn_open(struct loop *loop, int fd, const struct sockaddr_storage *peer, uint32_t listener)
{
    struct server *server = loop->server;
    struct tls_context *tls = loop->listeners[listener].tls;
    struct conn *conn = calloc(1, sizeof *conn);
    if (conn == NULL) {
        (void)close(fd);
        return;
    }
    conn->loop = loop;
    conn->fd = fd;
    conn->listener = (uint8_t)listener;
    address_of(peer, conn->address, &conn->port);
    bool admitted = server_admit(server, conn->address);
    if (admitted && tls != NULL) conn->ssl = tls_open_server(tls, fd);
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET,
                                .data.ptr = conn};
    if (!admitted || (tls != NULL && conn->ssl == NULL) ||
        epoll_ctl(loop->epoll, EPOLL_CTL_ADD, fd, &event) != 0) {
        if (admitted) server_dismiss(server, conn->address);
        server_count(&server->refused, 1);
        tls_close(conn->ssl);
        (void)close(fd);
        free(conn);
        return;
    }
    /* Answers are written whole, so waiting for more to send only delays them. */
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
    server_count(&server->accepted, 1);
    conn->next = loop->conns;
    if (loop->conns != NULL) loop->conns->prev = conn;
    loop->conns = conn;
    loop->conn_count++;
    enter_head(conn, true);
    bool is_stream = loop->listeners[listener].stream != NULL;
    if (conn->ssl != NULL) {
        if (is_stream) tls_any_protocol(conn->ssl);
        conn->state = CONN_HANDSHAKE;
    } else if (is_stream && !stream_open_accepted(conn)) {
        conn_kill(conn);
    }
}

/* Its socket is closed and no worker has its exchange. */
static void bury_soon(struct conn *conn)
{
    struct loop *loop = conn->loop;
    if (conn->x != NULL) loop_recycle(loop, conn->x);
    conn->x = NULL;
    RF_ASSERT(conn->stream == NULL);
    if (conn->prev != NULL)
        conn->prev->next = conn->next;
    else
        loop->conns = conn->next;
    if (conn->next != NULL) conn->next->prev = conn->prev;
    loop->conn_count--;
    conn->next = loop->graveyard;
    loop->graveyard = conn;
}

void conn_kill(struct conn *conn)
{
    RF_ASSERT(conn->state != CONN_DEAD);
    bool is_running = conn->state == CONN_RUNNING;
    conn->state = CONN_DEAD;
    if (conn->stream != NULL) stream_end(conn);
    loop_forget_timer(conn);
    tls_close(conn->ssl);
    conn->ssl = NULL;
    (void)close(conn->fd);
    conn_use(conn, conn->in_bytes - conn->in_at);
    server_dismiss(conn->loop->server, conn->address);
    if (is_running)
        atomic_store(&conn->x->gone, true); /* it is buried when the worker returns the exchange */
    else
        bury_soon(conn);
}

/* Says that nothing follows. Closing at once would let the kernel throw the answer away when unread bytes are there. */
void conn_linger(struct conn *conn)
{
    if (conn->stream != NULL) stream_end(conn);
    if (conn->ssl != NULL) tls_bye(conn->ssl);
    tls_close(conn->ssl);
    conn->ssl = NULL;
    conn_use(conn, conn->in_bytes - conn->in_at);
    (void)shutdown(conn->fd, SHUT_WR);
    conn->state = CONN_LINGER;
    conn->moved = 0;
    loop_set_deadline(conn, conn->loop->now + LINGER_USEC_MAX);
}

static bool ended(struct conn *conn)
{
    conn_kill(conn);
    return false;
}

/* ---- an exchange -------------------------------------------------------------------------------------------- */

static bool enter_writing(struct conn *conn, enum conn_state state)
{
    conn->state = (uint8_t)state;
    conn->out_at = 0;
    conn->since = conn->loop->now;
    conn->moved = 0;
    loop_set_deadline(conn, conn->since + WRITE_GRACE_USEC);
    return true;
}

/* The rest of what the peer sends cannot be told from a request any more, or is not wanted. */
static bool refuse(struct conn *conn, struct http_refusal why)
{
    if (conn->x == NULL) conn->x = loop_exchange(conn->loop);
    if (conn->x == NULL) return ended(conn);
    exchange_refuse(conn->x, why, true);
    return enter_writing(conn, CONN_WRITING);
}

static bool dispatch(struct conn *conn)
{
    struct server *server = conn->loop->server;
    struct exchange *x = conn->x;
    uint32_t requests_max = server->limits.requests_per_connection_max;
    server_count(&server->requests, 1);
    if (++conn->requests >= requests_max || conn->loop->is_stopping) x->head.keep_alive = false;
    conn->state = CONN_RUNNING;
    loop_set_deadline(conn, 0);
    x->item.who = x->plan.who;
    if (workers_put(server->workers, x->plan.lane, &x->item)) return false;
    exchange_refuse(x, (struct http_refusal){503, "too many requests are waiting"}, false);
    return enter_writing(conn, CONN_WRITING);
}

static bool show_certificate(struct conn *conn, struct http_request *request)
{
    uint8_t *der = NULL;
    bool is_trusted;
    size_t bytes = tls_peer_certificate(conn->ssl, &der, &is_trusted);
    bool fits = bytes == 0 || rf_arena_str(&conn->x->arena, rf_str_make(der, bytes),
                                           &request->client_certificate);
    free(der);
    return fits;
}

static bool fill_peer(struct conn *conn, struct http_request *request)
{
    char text[STREAM_ADDRESS_BYTES_MAX];
    stream_address_text(conn->address, text);
    request->peer_port = conn->port;
    request->is_loopback = address_is_loopback(conn->address);
    request->is_tls = conn->ssl != NULL;
    if (conn->ssl != NULL && !show_certificate(conn, request)) return false;
    request->is_1_0 = conn->x->head.is_1_0;
    return rf_arena_str(&conn->x->arena, rf_str_of(text), &request->peer_address);
}

/* Who may send a body is told to go on; whoever did already needs no telling (RFC 9110 section 10.1.1). */
static bool enter_body(struct conn *conn)
{
    struct exchange *x = conn->x;
    conn->since = conn->loop->now;
    conn->moved = 0;
    conn->state = CONN_BODY;
    loop_set_deadline(conn, conn->since + BODY_GRACE_USEC);
    if (!x->head.expect_continue || conn_unused(conn).len > 0) return true;
    x->out_head = RF_S("HTTP/1.1 100 Continue\r\n\r\n");
    return enter_writing(conn, CONN_CONTINUE);
}

/* The head is bytes [from, to) of what came. */
static bool begin_exchange(struct conn *conn, size_t from, size_t to)
{
    struct server *server = conn->loop->server;
    struct exchange *x = loop_exchange(conn->loop);
    if (x == NULL) return ended(conn);
    conn->x = x;
    x->conn = conn;
    struct http_refusal why = {500, "memory is used up"};
    if (!rf_arena_str(&x->arena, rf_slice(conn_unused(conn), from, to), &x->head_copy))
        return refuse(conn, why);
    conn_use(conn, to);
    if (!http_head_parse(x->head_copy, &server->parse_limits, &x->arena, &x->head, &why))
        return refuse(conn, why);
    x->has_head = true;
    if (!fill_peer(conn, &x->head.request)) return refuse(conn, why);
    x->plan = server->handler.plan(server->handler.ctx, &x->head.request);
    if (x->head.content_length > x->plan.body_bytes_max)
        return refuse(conn, (struct http_refusal){413, "the body is too long"});
    return x->head.is_chunked || x->head.content_length > 0 ? enter_body(conn) : dispatch(conn);
}

/* ---- states: true means go on -------------------------------------------------------------------------------- */

static bool on_handshake(struct conn *conn)
{
    enum tls_io io = tls_handshake(conn->ssl);
    if (io == TLS_AGAIN) return false;
    if (io != TLS_OK) return ended(conn);
    if (conn->loop->listeners[conn->listener].stream != NULL)
        return stream_open_accepted(conn) || ended(conn);
    enter_head(conn, true);
    return true;
}

/* The time of a head runs from its first byte. */
static void head_began(struct conn *conn)
{
    if (conn->began) return;
    conn->began = true;
    loop_set_deadline(conn, conn->loop->now + conn->loop->server->limits.head_usec_max);
}

static bool on_head(struct conn *conn)
{
    rf_str bytes = conn_unused(conn);
    if (bytes.len > conn->scan.at) {
        head_began(conn);
        size_t from, to;
        struct http_refusal why;
        switch (http_head_scan(&conn->scan, bytes, &conn->loop->server->parse_limits, &from, &to,
                               &why)) {
        case HTTP_DONE:
            return begin_exchange(conn, from, to);
        case HTTP_REFUSED:
            return refuse(conn, why);
        case HTTP_MORE:
            break;
        }
    }
    size_t got;
    enum tls_io io = conn_receive(conn, conn->loop->scratch, LOOP_SCRATCH_BYTES, &got);
    if (io == TLS_AGAIN) return false;
    if (io != TLS_OK || !conn_keep(conn, rf_str_make(conn->loop->scratch, got))) return ended(conn);
    return true;
}

/* Each byte buys time, but a peer that sent much may not fall silent for as long as that would last. */
static void body_moved(struct conn *conn, size_t bytes)
{
    const struct server_limits *limits = &conn->loop->server->limits;
    conn->moved += bytes;
    rf_usec bought = (rf_usec)(conn->moved / limits->body_rate_min) * RF_USEC_PER_SECOND;
    rf_usec deadline = conn->since + BODY_GRACE_USEC + bought;
    loop_set_deadline(conn, RF_MIN(deadline, conn->loop->now + limits->idle_usec_max));
}

static bool on_sized_body(struct conn *conn)
{
    struct exchange *x = conn->x;
    struct http_refusal why;
    size_t left = (size_t)x->head.content_length - x->body_bytes, got = conn_unused(conn).len;
    size_t most = RF_MIN(left, got > 0 ? got : (size_t)LOOP_SCRATCH_BYTES);
    if (!exchange_body_room(x, most, &why)) return refuse(conn, why);
    if (got > 0) {
        got = most;
        memcpy(x->body + x->body_bytes, conn_unused(conn).ptr, got);
        conn_use(conn, got);
    } else {
        enum tls_io io = conn_receive(conn, x->body + x->body_bytes, most, &got);
        if (io == TLS_AGAIN) return false;
        if (io != TLS_OK) return ended(conn);
    }
    x->body_bytes += got;
    body_moved(conn, got);
    return x->body_bytes < x->head.content_length || dispatch(conn);
}

/* Reads chunks out of `in`; *used says how far. */
static enum http_step take_chunks(struct exchange *x, rf_str in, size_t *used,
                                  struct http_refusal *why)
{
    *used = 0;
    for (;;) {
        size_t step;
        rf_str data;
        enum http_step result =
            http_chunks_read(&x->chunks, rf_slice(in, *used, in.len), &step, &data, why);
        if (result == HTTP_REFUSED) return result;
        if (data.len > 0) {
            if (!exchange_body_room(x, data.len, why)) return HTTP_REFUSED;
            memcpy(x->body + x->body_bytes, data.ptr, data.len);
            x->body_bytes += data.len;
        }
        *used += step;
        if (result == HTTP_DONE || *used == in.len) return result;
    }
}

static bool on_chunked_body(struct conn *conn)
{
    struct exchange *x = conn->x;
    struct http_refusal why;
    size_t used, got;
    rf_str in = conn_unused(conn);
    bool is_kept = in.len > 0;
    if (!is_kept) {
        enum tls_io io = conn_receive(conn, conn->loop->scratch, LOOP_SCRATCH_BYTES, &got);
        if (io == TLS_AGAIN) return false;
        if (io != TLS_OK) return ended(conn);
        in = rf_str_make(conn->loop->scratch, got);
    }
    enum http_step step = take_chunks(x, in, &used, &why);
    if (step == HTTP_REFUSED) return refuse(conn, why);
    if (is_kept)
        conn_use(conn, used);
    else if (used < in.len && !conn_keep(conn, rf_slice(in, used, in.len)))
        return ended(conn);
    body_moved(conn, used);
    return step == HTTP_MORE || dispatch(conn);
}

static bool on_body(struct conn *conn)
{
    return conn->x->head.is_chunked ? on_chunked_body(conn) : on_sized_body(conn);
}

static bool on_running(struct conn *conn)
{
    (void)conn;
    return false;
}

rf_usec conn_write_deadline(const struct conn *conn, rf_usec since, uint64_t moved)
{
    const struct server_limits *limits = &conn->loop->server->limits;
    rf_usec bought = (rf_usec)(moved / limits->write_rate_min) * RF_USEC_PER_SECOND;
    return RF_MIN(since + WRITE_GRACE_USEC + bought, conn->loop->now + limits->idle_usec_max);
}

/* True when all is written. */
static bool write_some(struct conn *conn, bool *is_over)
{
    size_t put, all = conn->x->out_head.len + conn->x->out_body.len;
    enum tls_io io = transmit(conn, &put);
    *is_over = false;
    if (io == TLS_AGAIN) return false;
    if (io != TLS_OK) return ended(conn);
    conn->out_at += put;
    conn->moved += put;
    loop_set_deadline(conn, conn_write_deadline(conn, conn->since, conn->moved));
    *is_over = conn->out_at == all;
    return true;
}

static bool on_continue(struct conn *conn)
{
    bool is_over;
    if (!write_some(conn, &is_over)) return false;
    if (!is_over) return true;
    conn->x->head.expect_continue = false;
    conn->x->out_head = (rf_str){NULL, 0};
    return enter_body(conn);
}

static bool on_writing(struct conn *conn)
{
    bool is_over;
    if (!write_some(conn, &is_over)) return false;
    if (!is_over) return true;
    bool close_now = conn->x->response.close || conn->loop->is_stopping;
    if (!close_now && conn->x->upgrade != NULL)
        return stream_open_upgraded(conn, conn->x) || ended(conn);
    loop_recycle(conn->loop, conn->x);
    conn->x = NULL;
    if (close_now)
        conn_linger(conn);
    else
        enter_head(conn, false);
    return true;
}

static bool on_linger(struct conn *conn)
{
    ssize_t bytes = recv(conn->fd, conn->loop->scratch, LOOP_SCRATCH_BYTES, 0);
    if (bytes < 0 && (errno == EAGAIN || errno == EINTR)) return false;
    if (bytes <= 0) return ended(conn);
    conn->moved += (size_t)bytes;
    return conn->moved <= LINGER_BYTES_MAX || ended(conn);
}

static bool (*const states[])(struct conn *conn) = {
    [CONN_HANDSHAKE] = on_handshake, [CONN_HEAD] = on_head,         [CONN_BODY] = on_body,
    [CONN_RUNNING] = on_running,     [CONN_CONTINUE] = on_continue, [CONN_WRITING] = on_writing,
    [CONN_STREAM] = stream_drive,    [CONN_LINGER] = on_linger};

void conn_drive(struct conn *conn)
{
    for (int step = 0; step < STEPS_PER_DRIVE; step++)
        if (!states[conn->state](conn)) return;
    loop_go_on(conn);
}

/* ---- what happens to it ---------------------------------------------------------------------------------------- */

/* A client that only says that it sends no more may still wait for its answer, so just what is long is ended. */
void conn_hung_up(struct conn *conn, bool wholly)
{
    /* A stream reads on until it finds the end: its peer's last bytes may be all that was to be said. */
    if (wholly && conn->state != CONN_STREAM) {
        conn_kill(conn);
        return;
    }
    if (conn->state == CONN_RUNNING && conn->x->plan.lane == HTTP_HEAVY)
        atomic_store(&conn->x->gone, true);
}

void conn_expired(struct conn *conn)
{
    if (conn->state == CONN_STREAM) {
        stream_expired(conn);
        return;
    }
    struct http_refusal late = {408, "the request did not come in time"};
    bool midst =
        conn->state == CONN_BODY || (conn->state == CONN_HEAD && conn_unused(conn).len > 0);
    if (midst && refuse(conn, late))
        conn_drive(conn);
    else if (!midst)
        conn_kill(conn);
}

void conn_answered(struct work_item *item)
{
    struct conn *conn = ((struct exchange *)item)->conn;
    if (conn->state == CONN_DEAD) {
        bury_soon(conn);
        return;
    }
    RF_ASSERT(conn->state == CONN_RUNNING);
    if (conn->x->out_head.len == 0) {
        conn->state = CONN_WRITING; /* it was skipped, because the client had gone */
        conn_kill(conn);
        return;
    }
    /* Whoever speaks before it was agreed in what language wants two readers to understand it differently. */
    if (conn->x->upgrade != NULL && conn_unused(conn).len > 0)
        exchange_refuse(conn->x,
                        (struct http_refusal){400, "bytes follow a request for an upgrade"}, true);
    (void)enter_writing(conn, CONN_WRITING);
    conn_drive(conn);
}

void conn_retire(struct conn *conn)
{
    if (conn->state == CONN_STREAM) {
        stream_retire(conn);
        return;
    }
    bool idle =
        conn->state == CONN_HANDSHAKE || (conn->state == CONN_HEAD && conn_unused(conn).len == 0);
    if (idle) conn_kill(conn);
}
