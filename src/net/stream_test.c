/* Real sockets: streams behind TCP, TLS and WebSocket, and datagrams, with peers that behave and misbehave. */
#define _GNU_SOURCE
#define OPENSSL_SUPPRESS_DEPRECATED

#include "net/event_stream.h"
#include "net/stream.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/stream_int.h"
#include "net/tls_test_util.h"
#include "net/websocket.h"
#include "test/rf_prop.h" /* includes <criterion/criterion.h> */

/* ---- what the handlers do ----------------------------------------------------------------------------------- */

enum mode {
    ECHO,  /* sends back what it can, and pauses while it cannot */
    LINES, /* the same with whole lines; the rest is left */
    DEAF,  /* takes nothing */
    WORK,  /* has a worker answer */
    FLOOD, /* at the first byte sends until it is refused */
    ACK,   /* has what came confirmed, and sends it back */
    WAKE   /* says "woken" a minute after the first byte */
};

/* Shared by loops, workers and the test. */
struct rig {
    struct server *server;
    struct tls_context *tls;
    struct rf_clock_fixed clock;
    struct rf_arena arena;
    EVP_PKEY *key;
    rf_str cert_pem;
    uint16_t port, tls_port, http_port, datagram_port;
    enum mode mode;
    bool says_bye, is_refusing;
    struct websocket_options websocket;

    pthread_mutex_t lock;
    pthread_cond_t changed;
    int opened, closed, delivered, undelivered, woken, writable, at_gate, late;
    bool gate_is_shut;
    enum stream_end why;
    uint16_t code;
    char rest[64]; /* left at the end */
    char heard[512];
    size_t heard_len, flooded;
    struct stream_mailbox *mailbox; /* of the latest */
    atomic_uint take_max;           /* of datagrams */
};

struct state {
    struct rig *rig;
};

static void note(struct rig *rig, int *counter)
{
    pthread_mutex_lock(&rig->lock);
    ++*counter;
    pthread_cond_broadcast(&rig->changed);
    pthread_mutex_unlock(&rig->lock);
}

static void hear(struct rig *rig, rf_str text)
{
    pthread_mutex_lock(&rig->lock);
    size_t bytes = RF_MIN(text.len, sizeof rig->heard - rig->heard_len);
    if (bytes > 0) memcpy(rig->heard + rig->heard_len, text.ptr, bytes);
    rig->heard_len += bytes;
    pthread_cond_broadcast(&rig->changed);
    pthread_mutex_unlock(&rig->lock);
}

static void wait_for(struct rig *rig, const int *counter, int value)
{
    struct timespec limit;
    clock_gettime(CLOCK_REALTIME, &limit);
    limit.tv_sec += 20;
    pthread_mutex_lock(&rig->lock);
    int failed = 0;
    while (*counter < value && failed == 0)
        failed = pthread_cond_timedwait(&rig->changed, &rig->lock, &limit);
    pthread_mutex_unlock(&rig->lock);
    cr_assert(failed == 0, "waited in vain for %d", value);
}

/* Lets the server work for a moment, unless there is nothing to wait for any more. */
static bool has_closed(struct rig *rig)
{
    struct timespec limit;
    clock_gettime(CLOCK_REALTIME, &limit);
    limit.tv_nsec += 1000000;
    if (limit.tv_nsec >= 1000000000) limit.tv_sec++, limit.tv_nsec -= 1000000000;
    pthread_mutex_lock(&rig->lock);
    if (rig->closed == 0) (void)pthread_cond_timedwait(&rig->changed, &rig->lock, &limit);
    bool closed = rig->closed > 0;
    pthread_mutex_unlock(&rig->lock);
    return closed;
}

static void *on_open(struct stream *stream, void *ctx, const struct stream_peer *peer)
{
    struct rig *rig = ctx;
    char text[256];
    if (rig->is_refusing) return NULL;
    int len =
        snprintf(text, sizeof text, "[%.*s %d tls=%d sni=%.*s cert=%d/%d]", RF_FMT(peer->address),
                 peer->is_loopback, peer->is_tls, RF_FMT(peer->server_name),
                 peer->certificate.len > 0, peer->is_certificate_trusted);
    hear(rig, rf_str_make(text, (size_t)len));
    struct state *state = calloc(1, sizeof *state);
    state->rig = rig;
    pthread_mutex_lock(&rig->lock);
    stream_mailbox_unref(rig->mailbox);
    rig->mailbox = stream_mailbox(stream);
    pthread_mutex_unlock(&rig->lock);
    note(rig, &rig->opened);
    return state;
}

struct job {
    struct stream_task task;
    struct rig *rig;
    char text[32];
};

static void pass_gate(struct stream_task *task, const atomic_bool *gone)
{
    struct job *job = (struct job *)task;
    struct rig *rig = job->rig;
    pthread_mutex_lock(&rig->lock);
    rig->at_gate++;
    pthread_cond_broadcast(&rig->changed);
    while (rig->gate_is_shut) pthread_cond_wait(&rig->changed, &rig->lock);
    pthread_mutex_unlock(&rig->lock);
    snprintf(job->text, sizeof job->text, "done gone=%d\n", atomic_load(gone));
}

static void deliver(struct stream_task *task, struct stream *stream, void *state)
{
    struct job *job = (struct job *)task;
    struct rig *rig = job->rig;
    cr_assert((stream == NULL) == (state == NULL));
    if (stream != NULL) cr_assert(stream_send(stream, rf_str_of(job->text)));
    hear(rig, rf_str_of(job->text));
    note(rig, stream != NULL ? &rig->delivered : &rig->undelivered);
    free(job);
}

static struct job *job_new(struct rig *rig, const char *text)
{
    struct job *job = calloc(1, sizeof *job);
    job->rig = rig;
    job->task = (struct stream_task){.run = pass_gate, .deliver = deliver};
    snprintf(job->text, sizeof job->text, "%s", text);
    return job;
}

static size_t echo(struct stream *stream, rf_str bytes)
{
    size_t fits = RF_MIN(bytes.len, stream_room(stream));
    if (fits > 0) cr_assert(stream_send(stream, rf_slice(bytes, 0, fits)));
    if (fits < bytes.len) {
        cr_assert(!stream_send(stream, rf_slice(bytes, fits, bytes.len)));
        stream_pause(stream);
    }
    return fits;
}

/* As long as nothing is sent; whoever answers soon is taken for one whose answers confirm. */
static bool confirms_at_once(const struct stream *stream)
{
    int on = 0;
    socklen_t len = sizeof on;
    cr_assert(getsockopt(stream->conn->fd, IPPROTO_TCP, TCP_QUICKACK, &on, &len) == 0);
    return on != 0;
}

static size_t on_bytes(struct stream *stream, void *opaque, rf_str bytes, bool is_end)
{
    struct rig *rig = ((struct state *)opaque)->rig;
    size_t used = 0;
    if (is_end) {
        snprintf(rig->rest, sizeof rig->rest, "%.*s", RF_FMT(bytes));
        if (rig->mode == ECHO) (void)stream_send(stream, bytes);
        return 0;
    }
    switch (rig->mode) {
    case ECHO:
        if (rf_str_find(bytes, RF_S("close!"), 0) != SIZE_MAX) stream_close(stream, 1000);
        if (rf_str_find(bytes, RF_S("abort!"), 0) != SIZE_MAX) stream_abort(stream);
        return echo(stream, bytes);
    case ACK:
        stream_ack(stream);
        if (!confirms_at_once(stream)) note(rig, &rig->late);
        return echo(stream, bytes);
    case LINES:
        for (size_t i = 0; i < bytes.len; i++)
            if (bytes.ptr[i] == '\n') used = i + 1;
        if (used > 0) cr_assert(stream_send(stream, rf_slice(bytes, 0, used)));
        return used;
    case DEAF:
        return 0;
    case WORK:
        cr_assert(stream_work(stream, &job_new(rig, "")->task, HTTP_QUICK, 1));
        return bytes.len;
    case FLOOD:
        while (stream_send(stream, RF_S("flood flood flood flood flood!!\n"))) rig->flooded += 32;
        cr_assert(stream_room(stream) < 32 + WEBSOCKET_HEAD_BYTES_MAX);
        return bytes.len;
    case WAKE:
        stream_wake_in(stream, 60 * RF_USEC_PER_SECOND);
        return bytes.len;
    }
    return 0;
}

static void on_message(struct stream *stream, void *opaque, bool is_text, rf_str message)
{
    (void)opaque;
    if (is_text)
        cr_assert(stream_send_text(stream, message));
    else
        cr_assert(stream_send(stream, message));
}

static void on_writable(struct stream *stream, void *opaque)
{
    struct rig *rig = ((struct state *)opaque)->rig;
    stream_resume(stream);
    note(rig, &rig->writable);
}

static void on_wake(struct stream *stream, void *opaque)
{
    cr_assert(stream_send(stream, RF_S("woken\n")));
    note(((struct state *)opaque)->rig, &((struct state *)opaque)->rig->woken);
}

static void say_bye(struct stream *stream, void *opaque)
{
    (void)opaque;
    cr_assert(stream_send(stream, RF_S("bye\n")));
    stream_close(stream, WEBSOCKET_GOING_AWAY);
    cr_assert(!stream_send(stream, RF_S("more")));
}

static void on_close(void *opaque, enum stream_end why, uint16_t code)
{
    struct rig *rig;
    if (why == STREAM_UNOPENED) {
        rig = opaque;
    } else {
        rig = ((struct state *)opaque)->rig;
        free(opaque);
    }
    pthread_mutex_lock(&rig->lock);
    rig->why = why;
    rig->code = code;
    pthread_mutex_unlock(&rig->lock);
    note(rig, &rig->closed);
}

static uint32_t on_datagrams(void *ctx, const struct datagram *datagrams, uint32_t count)
{
    struct rig *rig = ctx;
    uint32_t taken = RF_MIN(count, atomic_load(&rig->take_max));
    for (uint32_t i = 0; i < taken; i++) {
        char address[STREAM_ADDRESS_BYTES_MAX];
        stream_address_text(datagrams[i].address, address);
        cr_assert_str_eq(address, "127.0.0.1");
        hear(rig, datagrams[i].bytes);
        hear(rig, datagrams[i].is_cut ? RF_S("...|") : RF_S("|"));
        note(rig, &rig->delivered);
    }
    if (taken < count) rig->take_max = 100; /* it comes again */
    return taken;
}

/* ---- the server ------------------------------------------------------------------------------------------------ */

static struct http_plan plan(void *ctx, const struct http_request *head)
{
    (void)ctx, (void)head;
    return (struct http_plan){.body_bytes_max = 1000, .lane = HTTP_QUICK, .who = 1};
}

static void run(void *ctx, const struct http_request *request, struct http_response *response,
                const atomic_bool *gone)
{
    struct rig *rig = ctx;
    struct rf_err err = {.text = ""};
    rf_str protocol;
    (void)gone;
    if (rf_str_is(request->path, "/liar")) response->status = 101;
    if (rf_str_starts(request->path, RF_S("/events")))
        cr_assert(event_stream_open(response, &rig->websocket.stream, rig, &err) == RF_OK);
    if (rf_str_is(request->path, "/events/then/failed")) response->status = 403;
    if (!rf_str_starts(request->path, RF_S("/ws"))) return;
    if (websocket_upgrade(request, response, &rig->websocket, rig, &protocol, &err) != RF_OK)
        rf_buf_printf(&response->body, "%s", err.text);
    if (rf_str_is(request->path, "/ws/then/failed")) response->status = 403;
}

static void refuse(void *ctx, const struct http_request *head, const char *why,
                   struct http_response *response)
{
    (void)ctx, (void)head;
    rf_buf_printf(&response->body, "refused: %s", why);
}

static enum rf_kind sign(void *ctx, const uint8_t *leaf, rf_str digest, uint8_t *out, size_t cap,
                         size_t *len, struct rf_err *err)
{
    (void)leaf;
    const struct rig *rig = ctx;
    EVP_PKEY_CTX *signing = EVP_PKEY_CTX_new(rig->key, NULL);
    *len = cap;
    bool good = signing != NULL && EVP_PKEY_sign_init(signing) == 1 &&
                EVP_PKEY_sign(signing, out, len, digest.ptr, digest.len) == 1;
    EVP_PKEY_CTX_free(signing);
    return good ? RF_OK : RF_FAIL(err, RF_AGAIN, "KeeperGone", "no signature");
}

struct setup {
    enum mode mode;
    bool has_tls, has_fixed_clock, says_bye, has_messages, is_refusing, needs_protocol;
    enum tls_client_proof client;
    size_t in_max, out_max;
    rf_str client_ca_pem;
};

static const char *const protocols[] = {"AMQPWSB10", "amqp", NULL};

static void listen_all(struct rig *rig, const struct setup *setup)
{
    struct rf_err err = {.text = ""};
    struct stream_handlers handlers = {.on_open = on_open,
                                       .on_bytes = on_bytes,
                                       .on_writable = on_writable,
                                       .on_wake = on_wake,
                                       .on_stop = setup->says_bye ? say_bye : NULL,
                                       .on_close = on_close,
                                       .in_bytes_max = setup->in_max,
                                       .out_bytes_max = setup->out_max};
    struct datagram_handlers datagrams = {
        .on_datagrams = on_datagrams, .ctx = rig, .bytes_max = 100};
    rf_str any = RF_S("127.0.0.1:0");
    rig->websocket = (struct websocket_options){.protocols = protocols,
                                                .needs_protocol = setup->needs_protocol,
                                                .message_bytes_max = 1000,
                                                .stream = handlers};
    if (setup->has_messages) {
        rig->websocket.stream.on_bytes = NULL;
        rig->websocket.stream.on_message = on_message;
    }
    cr_assert(server_listen_stream(rig->server, any, NULL, &handlers, rig, &rig->port, &err) ==
              RF_OK);
    cr_assert(server_listen(rig->server, any, NULL, &rig->http_port, &err) == RF_OK);
    cr_assert(server_listen_datagrams(rig->server, any, &datagrams, &rig->datagram_port, &err) ==
              RF_OK);
    if (!setup->has_tls) return;
    rig->key = make_key();
    rig->cert_pem = make_cert(rig->key, "DNS:localhost", &rig->arena);
    struct tls_server_options tls = {.chain_pem = rig->cert_pem,
                                     .sign = sign,
                                     .sign_ctx = rig,
                                     .client = setup->client,
                                     .client_ca_pem = setup->client_ca_pem};
    cr_assert(tls_server_new(&tls, &rig->tls, &err) == RF_OK, "%s", err.text);
    cr_assert(server_listen_stream(rig->server, any, rig->tls, &handlers, rig, &rig->tls_port,
                                   &err) == RF_OK);
}

static struct rig *rig_new(struct setup setup)
{
    struct rig *rig = calloc(1, sizeof *rig);
    struct rf_err err = {.text = ""};
    rf_arena_init(&rig->arena, 1u << 28);
    pthread_mutex_init(&rig->lock, NULL);
    pthread_cond_init(&rig->changed, NULL);
    rf_clock_fixed_init(&rig->clock, INT64_C(1800000000) * RF_USEC_PER_SECOND, 0);
    rig->mode = setup.mode;
    rig->take_max = 100;
    rig->is_refusing = setup.is_refusing;
    struct server_options options = {
        .handler = {.ctx = rig, .plan = plan, .run = run, .refuse = refuse},
        .loops = setup.has_fixed_clock ? 1 : 2,
        .quick_workers = 2,
        .heavy_workers = 1,
        .clock = setup.has_fixed_clock ? &rig->clock.clock : rf_clock_real()};
    cr_assert(server_new(&options, &rig->server, &err) == RF_OK, "%s", err.text);
    listen_all(rig, &setup);
    cr_assert(server_start(rig->server, &err) == RF_OK, "%s", err.text);
    return rig;
}

static void rig_free(struct rig *rig)
{
    server_stop(rig->server, 0);
    cr_assert(rig->closed == rig->opened, "each state is released, once");
    stream_mailbox_unref(rig->mailbox);
    server_free(rig->server);
    tls_free(rig->tls);
    EVP_PKEY_free(rig->key);
    rf_arena_done(&rig->arena);
    free(rig);
}

static void pass_time(struct rig *rig, int64_t seconds)
{
    rf_clock_fixed_pass(&rig->clock, seconds * RF_USEC_PER_SECOND);
    loop_wake(rig->server->loops[0]);
}

/* ---- peers ------------------------------------------------------------------------------------------------------ */

static int dial_type(uint16_t port, int type, int window)
{
    struct sockaddr_in in = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);
    struct timeval wait = {.tv_sec = 20}; /* a hang fails the test instead of hanging it */
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait);
    if (window > 0) setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &window, sizeof window);
    cr_assert(connect(fd, (struct sockaddr *)&in, sizeof in) == 0);
    return fd;
}

static int dial(uint16_t port) { return dial_type(port, SOCK_STREAM, 0); }

static bool send_all(int fd, rf_str bytes)
{
    while (bytes.len > 0) {
        ssize_t sent = send(fd, bytes.ptr, bytes.len, MSG_NOSIGNAL);
        if (sent <= 0) return false;
        bytes = rf_slice(bytes, (size_t)sent, bytes.len);
    }
    return true;
}

static void say(int fd, const char *text) { cr_assert(send_all(fd, rf_str_of(text))); }

/* So many bytes, or until the server ends the connection. */
static rf_str read_up_to(struct rig *rig, int fd, size_t bytes)
{
    struct rf_buf buf = rf_buf_in(&rig->arena);
    char piece[4096];
    ssize_t got = 1;
    while (buf.len < bytes && got > 0) {
        got = recv(fd, piece, RF_MIN(sizeof piece, bytes - buf.len), 0);
        if (got > 0) rf_buf_put(&buf, piece, (size_t)got);
    }
    cr_assert(got >= 0 || errno == ECONNRESET, "the server said nothing");
    rf_buf_byte(&buf, '\0');
    return rf_slice(rf_buf_view(&buf), 0, buf.len - 1);
}

static rf_str read_all(struct rig *rig, int fd) { return read_up_to(rig, fd, SIZE_MAX); }

static void expect(struct rig *rig, int fd, const char *text)
{
    rf_str got = read_up_to(rig, fd, strlen(text));
    cr_assert(rf_str_is(got, text), "%.*s", RF_FMT(got));
}

static bool has(rf_str text, const char *part)
{
    return rf_str_find(text, rf_str_of(part), 0) != SIZE_MAX;
}

static void expect_end(struct rig *rig, enum stream_end why, uint16_t code)
{
    wait_for(rig, &rig->closed, 1);
    pthread_mutex_lock(&rig->lock);
    cr_assert(rig->why == why && rig->code == code, "%d %u", (int)rig->why, rig->code);
    pthread_mutex_unlock(&rig->lock);
}

static rf_str pattern(struct rig *rig, size_t bytes)
{
    uint8_t *out = rf_arena_alloc(&rig->arena, bytes);
    for (size_t i = 0; i < bytes; i++) out[i] = (uint8_t)(i * 7 + i / 251);
    return rf_str_make(out, bytes);
}

struct sender {
    int fd;
    rf_str bytes;
};

static void *send_main(void *arg)
{
    struct sender *sender = arg;
    (void)send_all(sender->fd, sender->bytes);
    return NULL;
}

/* ---- bytes --------------------------------------------------------------------------------------------------------- */

Test(stream, takes_bytes_and_ends_with_its_peer)
{
    struct rig *rig = rig_new((struct setup){.mode = LINES});
    int fd = dial(rig->port);
    say(fd, "one\ntw");
    expect(rig, fd, "one\n");
    say(fd, "o\nthree\nfo");
    expect(rig, fd, "two\nthree\n");
    shutdown(fd, SHUT_WR);
    cr_assert(read_all(rig, fd).len == 0);
    expect_end(rig, STREAM_DONE, 0);
    cr_assert_str_eq(rig->rest, "fo");
    cr_assert(rf_str_starts(rf_str_make(rig->heard, rig->heard_len),
                            RF_S("[127.0.0.1 1 tls=0 sni= cert=0/0]")));
    close(fd);
    rig_free(rig);
}

Test(stream, confirms_pieces_at_once)
{
    struct rig *rig = rig_new((struct setup){.mode = ACK});
    int fd = dial(rig->port);
    for (int i = 0; i < 20; i++) {
        say(fd, "a request");
        expect(rig, fd, "a request");
    }
    cr_assert(rig->late == 0, "%d of 20 would wait", rig->late);
    close(fd);
    rig_free(rig);
}

Test(stream, closes_and_aborts)
{
    struct rig *rig = rig_new((struct setup){.mode = ECHO});
    int fd = dial(rig->port);
    say(fd, "hello");
    expect(rig, fd, "hello");
    say(fd, "close!");
    cr_assert(read_all(rig, fd).len == 0, "behind a close nothing is sent");
    expect_end(rig, STREAM_CLOSED, 0);
    close(fd);
    fd = dial(rig->port);
    say(fd, "abort!");
    cr_assert(read_all(rig, fd).len == 0);
    wait_for(rig, &rig->closed, 2);
    cr_assert(rig->why == STREAM_CLOSED);
    close(fd);
    rig_free(rig);
}

Test(stream, may_be_refused)
{
    struct rig *rig = rig_new((struct setup){.is_refusing = true});
    int fd = dial(rig->port);
    cr_assert(read_all(rig, fd).len == 0);
    close(fd);
    rig_free(rig);
}

Test(stream, ends_who_sends_more_than_is_taken)
{
    struct rig *rig = rig_new((struct setup){.mode = DEAF, .in_max = 1000});
    int fd = dial(rig->port);
    cr_assert(send_all(fd, pattern(rig, 1000)));
    (void)send_all(fd, pattern(rig, 1));
    cr_assert(read_all(rig, fd).len == 0);
    expect_end(rig, STREAM_BAD, 0);
    close(fd);
    rig_free(rig);
}

/* A peer that sends and does not read fills the queue and the kernel's buffers, and no more; then it gets all of it. */
static void check_back_pressure(struct rig *rig, int fd)
{
    enum { BYTES = 24 << 20 };
    pthread_t thread;
    struct sender sender = {.fd = fd, .bytes = pattern(rig, BYTES)};
    pthread_create(&thread, NULL, send_main, &sender);
    wait_for(rig, &rig->opened, 1);
    while (stream_backlog(rig->mailbox) < 50000) sched_yield();
    for (int i = 0; i < 1000; i++) {
        cr_assert(stream_backlog(rig->mailbox) <= 65536);
        sched_yield();
    }
    rf_str got = read_up_to(rig, fd, BYTES);
    pthread_join(thread, NULL);
    cr_assert(rf_str_eq(got, sender.bytes));
    cr_assert(rig->writable > 0);
}

Test(stream, holds_up_who_does_not_read)
{
    struct rig *rig = rig_new((struct setup){.mode = ECHO, .out_max = 65536});
    int fd = dial_type(rig->port, SOCK_STREAM, 8192);
    check_back_pressure(rig, fd);
    close(fd);
    rig_free(rig);
}

Test(stream, ends_who_never_reads)
{
    enum { OUT_MAX = 32 << 20 }; /* more than the kernel takes */
    struct rig *rig =
        rig_new((struct setup){.mode = FLOOD, .has_fixed_clock = true, .out_max = OUT_MAX});
    int fd = dial_type(rig->port, SOCK_STREAM, 8192);
    say(fd, "x");
    wait_for(rig, &rig->opened, 1);
    while (stream_backlog(rig->mailbox) < 1000000) sched_yield();
    while (!has_closed(rig)) pass_time(rig, 30);
    expect_end(rig, STREAM_SLOW, 0);
    cr_assert(rig->flooded == OUT_MAX);
    close(fd);
    rig_free(rig);
}

Test(stream, ends_who_is_silent_and_wakes_who_asked)
{
    struct rig *rig = rig_new((struct setup){.mode = WAKE, .has_fixed_clock = true});
    int fd = dial(rig->port);
    say(fd, "x");
    wait_for(rig, &rig->opened, 1);
    while (server_stats(rig->server).bytes_in == 0) sched_yield();
    pass_time(rig, 59);
    cr_assert(rig->woken == 0);
    pass_time(rig, 2);
    wait_for(rig, &rig->woken, 1);
    expect(rig, fd, "woken\n");
    pass_time(rig, 60);
    expect_end(rig, STREAM_IDLE, 0);
    cr_assert(rig->woken == 1);
    close(fd);
    rig_free(rig);
}

/* ---- work and mailboxes ---------------------------------------------------------------------------------------------- */

static void open_gate(struct rig *rig, bool is_shut)
{
    pthread_mutex_lock(&rig->lock);
    rig->gate_is_shut = is_shut;
    pthread_cond_broadcast(&rig->changed);
    pthread_mutex_unlock(&rig->lock);
}

Test(stream, work_comes_back_to_it_or_is_told_that_it_ended)
{
    struct rig *rig = rig_new((struct setup){.mode = WORK});
    int fd = dial(rig->port);
    say(fd, "x");
    expect(rig, fd, "done gone=0\n");
    open_gate(rig, true);
    say(fd, "x");
    wait_for(rig, &rig->at_gate, 2);
    close(fd);
    wait_for(rig, &rig->closed, 1);
    open_gate(rig, false);
    wait_for(rig, &rig->undelivered, 1);
    cr_assert(has(rf_str_make(rig->heard, rig->heard_len), "done gone=1"));
    cr_assert(server_work(rig->server, &job_new(rig, "")->task, HTTP_HEAVY, 7));
    wait_for(rig, &rig->undelivered, 2);
    rig_free(rig);
}

struct poster {
    struct rig *rig;
    int posted;
};

static void *post_main(void *arg)
{
    struct poster *poster = arg;
    struct rig *rig = poster->rig;
    for (int i = 0; i < 2000; i++) {
        struct job *job = job_new(rig, "post\n");
        while (!stream_post(rig->mailbox, &job->task)) {
            if (atomic_load(&rig->server->streams) == 0) {
                free(job);
                return NULL;
            }
            sched_yield();
        }
        poster->posted++;
    }
    return NULL;
}

static void check_posts(bool is_cut)
{
    enum { POSTERS = 3 };
    struct rig *rig = rig_new((struct setup){.mode = LINES});
    int fd = dial(rig->port);
    wait_for(rig, &rig->opened, 1);
    struct poster posters[POSTERS];
    pthread_t threads[POSTERS];
    for (int i = 0; i < POSTERS; i++) {
        posters[i] = (struct poster){.rig = rig};
        pthread_create(&threads[i], NULL, post_main, &posters[i]);
    }
    rf_str got = read_up_to(rig, fd, is_cut ? 500 : (size_t)POSTERS * 2000 * 5);
    cr_assert(rf_str_starts(got, RF_S("post\npost\npost\n")));
    if (is_cut) close(fd);
    int posted = 0;
    for (int i = 0; i < POSTERS; i++) {
        pthread_join(threads[i], NULL);
        posted += posters[i].posted;
    }
    cr_assert(is_cut || posted == POSTERS * 2000);
    server_stop(rig->server, 0);
    cr_assert(rig->delivered + rig->undelivered == posted, "each comes back once");
    struct job *late = job_new(rig, "");
    cr_assert(!stream_post(rig->mailbox, &late->task), "nobody is there");
    free(late);
    if (!is_cut) close(fd);
    rig_free(rig);
}

Test(stream, others_reach_it_through_its_mailbox) { check_posts(false); }

Test(stream, others_hear_that_it_ended) { check_posts(true); }

/* ---- stopping ----------------------------------------------------------------------------------------------------------- */

static void *stop_main(void *arg)
{
    server_stop(arg, 20 * RF_USEC_PER_SECOND);
    return NULL;
}

Test(stream, says_goodbye_when_the_server_stops)
{
    struct rig *rig = rig_new((struct setup){.mode = LINES, .says_bye = true});
    pthread_t thread;
    int fd = dial(rig->port);
    wait_for(rig, &rig->opened, 1);
    pthread_create(&thread, NULL, stop_main, rig->server);
    cr_assert(rf_str_is(read_all(rig, fd), "bye\n"));
    close(fd);
    pthread_join(thread, NULL);
    expect_end(rig, STREAM_STOPPED, 0);
    rig_free(rig);
}

/* ---- datagrams ------------------------------------------------------------------------------------------------------------ */

Test(datagrams, come_whole_or_cut_and_come_again)
{
    struct rig *rig = rig_new((struct setup){.mode = LINES});
    int fd = dial_type(rig->datagram_port, SOCK_DGRAM, 0);
    char large[150];
    memset(large, 'x', sizeof large);
    rig->take_max = 1;
    say(fd, "<1>one");
    wait_for(rig, &rig->delivered, 1);
    rig->take_max = 0; /* is held, and given again after a moment */
    say(fd, "<2>two");
    cr_assert(send(fd, "", 0, 0) == 0);
    cr_assert(send(fd, large, sizeof large, 0) == (ssize_t)sizeof large);
    wait_for(rig, &rig->delivered, 4);
    rf_str heard = rf_str_make(rig->heard, rig->heard_len);
    cr_assert(rf_str_starts(heard, RF_S("<1>one|<2>two||xxx")) &&
              rf_str_ends(heard, RF_S("x...|")));
    cr_assert(heard.len == 15 + 100 + 4);
    cr_assert(server_stats(rig->server).datagrams == 4);
    close(fd);
    rig_free(rig);
}

Test(datagrams, need_a_port_of_their_own)
{
    struct rig *rig = rig_new((struct setup){.mode = LINES});
    struct server *other;
    struct server_options options = {
        .handler = {.ctx = rig, .plan = plan, .run = run, .refuse = refuse}, .loops = 1};
    struct datagram_handlers datagrams = {.on_datagrams = on_datagrams, .ctx = rig};
    struct rf_err err;
    uint16_t port;
    char address[32];
    snprintf(address, sizeof address, "127.0.0.1:%u", rig->datagram_port);
    cr_assert(server_new(&options, &other, &err) == RF_OK);
    cr_assert(server_listen_datagrams(other, rf_str_of(address), &datagrams, &port, &err) ==
              RF_CONFLICT);
    cr_assert_str_eq(err.code, "AddressInUse");
    server_free(other);
    rig_free(rig);
}

/* ---- TLS ------------------------------------------------------------------------------------------------------------------ */

struct tls_peer {
    SSL_CTX *context;
    SSL *ssl;
    int fd;
};

/* A client that trusts anybody; `rig`'s own certificate is its, too, when it `has_cert`. */
static bool tls_dial(struct rig *rig, bool has_cert, struct tls_peer *out)
{
    *out =
        (struct tls_peer){.context = SSL_CTX_new(TLS_client_method()), .fd = dial(rig->tls_port)};
    if (has_cert) {
        EVP_PKEY *key = make_key();
        rf_str pem = make_cert(key, "DNS:device", &rig->arena);
        BIO *bio = BIO_new_mem_buf(pem.ptr, (int)pem.len);
        X509 *cert = PEM_read_bio_X509(bio, NULL, NULL, NULL);
        cr_assert(SSL_CTX_use_certificate(out->context, cert) == 1);
        cr_assert(SSL_CTX_use_PrivateKey(out->context, key) == 1);
        X509_free(cert);
        BIO_free(bio);
        EVP_PKEY_free(key);
    }
    out->ssl = SSL_new(out->context);
    char name[] = "stream.localhost";
    SSL_set_tlsext_host_name(out->ssl, name);
    static const unsigned char alpn[] = "\4amqp";
    SSL_set_alpn_protos(out->ssl, alpn, 5);
    SSL_set_fd(out->ssl, out->fd);
    return SSL_connect(out->ssl) == 1;
}

static void tls_hang_up(struct tls_peer *peer)
{
    SSL_free(peer->ssl);
    SSL_CTX_free(peer->context);
    close(peer->fd);
}

static void tls_expect(struct tls_peer *peer, const char *sent, const char *wanted)
{
    char got[256];
    size_t at = 0;
    cr_assert(SSL_write(peer->ssl, sent, (int)strlen(sent)) > 0);
    while (at < strlen(wanted)) {
        int bytes = SSL_read(peer->ssl, got + at, (int)(strlen(wanted) - at));
        cr_assert(bytes > 0, "the server ended it");
        at += (size_t)bytes;
    }
    cr_assert(memcmp(got, wanted, at) == 0);
}

Test(stream, speaks_tls)
{
    struct rig *rig = rig_new((struct setup){.mode = LINES, .has_tls = true});
    struct tls_peer peer;
    cr_assert(tls_dial(rig, true, &peer), "what protocol it names does not matter");
    tls_expect(&peer, "one\ntwo", "one\n");
    cr_assert(has(rf_str_make(rig->heard, rig->heard_len), "tls=1 sni=stream.localhost cert=0/0"));
    SSL_shutdown(peer.ssl);
    expect_end(rig, STREAM_DONE, 0);
    cr_assert_str_eq(rig->rest, "two");
    tls_hang_up(&peer);
    cr_assert(tls_dial(rig, false, &peer));
    tls_expect(&peer, "one\ntwo", "one\n");
    shutdown(peer.fd, SHUT_RDWR); /* without a word: the last line may have been cut */
    wait_for(rig, &rig->closed, 2);
    cr_assert(rig->why == STREAM_LOST);
    tls_hang_up(&peer);
    rig_free(rig);
}

Test(stream, sees_certificates_of_clients)
{
    struct rig *rig =
        rig_new((struct setup){.mode = LINES, .has_tls = true, .client = TLS_CLIENT_ASKED});
    struct tls_peer peer;
    cr_assert(tls_dial(rig, true, &peer));
    tls_expect(&peer, "one\n", "one\n");
    cr_assert(has(rf_str_make(rig->heard, rig->heard_len), "cert=1/0"), "shown, and not trusted");
    tls_hang_up(&peer);
    rig->heard_len = 0;
    cr_assert(tls_dial(rig, false, &peer), "who has none is let in");
    tls_expect(&peer, "one\n", "one\n");
    cr_assert(has(rf_str_make(rig->heard, rig->heard_len), "cert=0/0"));
    tls_hang_up(&peer);
    rig_free(rig);
}

Test(stream, may_require_a_trusted_certificate)
{
    struct rf_arena arena;
    rf_arena_init(&arena, 1u << 20);
    EVP_PKEY *key = make_key();
    rf_str other = make_cert(key, "DNS:other", &arena);
    struct rig *rig = rig_new((struct setup){
        .mode = LINES, .has_tls = true, .client = TLS_CLIENT_REQUIRED, .client_ca_pem = other});
    for (int i = 0; i < 2; i++) {
        struct tls_peer peer;
        char byte;
        /* With TLS 1.3 the client is done before the server has judged it. */
        bool good = tls_dial(rig, i == 1, &peer) && SSL_read(peer.ssl, &byte, 1) > 0;
        cr_assert(!good && rig->opened == 0);
        tls_hang_up(&peer);
    }
    struct tls_server_options options = {
        .chain_pem = other, .sign = sign, .client = TLS_CLIENT_REQUIRED};
    struct tls_context *tls;
    struct rf_err err;
    cr_assert(tls_server_new(&options, &tls, &err) == RF_INVALID, "nobody could come");
    rig_free(rig);
    EVP_PKEY_free(key);
    rf_arena_done(&arena);
}

/* ---- upgrades --------------------------------------------------------------------------------------------------------------- */

#define KEY "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
#define HOST "Host: a\r\n"
#define ASK "Connection: Upgrade\r\nUpgrade: websocket\r\n"
#define V13 "Sec-WebSocket-Version: 13\r\n"
#define GOOD "GET /ws HTTP/1.1\r\n" HOST ASK V13 KEY

/* Everything up to the empty line. */
static rf_str read_head(struct rig *rig, int fd)
{
    struct rf_buf buf = rf_buf_in(&rig->arena);
    uint8_t byte;
    while (!rf_str_ends(rf_buf_view(&buf), RF_S("\r\n\r\n"))) {
        cr_assert(recv(fd, &byte, 1, 0) == 1, "%.*s", RF_FMT(rf_buf_view(&buf)));
        rf_buf_byte(&buf, byte);
    }
    return rf_buf_view(&buf);
}

static int upgrade(struct rig *rig, int window)
{
    int fd = dial_type(rig->http_port, SOCK_STREAM, window);
    say(fd, GOOD "\r\n");
    cr_assert(rf_str_starts(read_head(rig, fd), RF_S("HTTP/1.1 101 Switching Protocols\r\n")));
    return fd;
}

Test(upgrade, is_agreed)
{
    struct rig *rig = rig_new((struct setup){.mode = ECHO});
    static const struct {
        const char *headers, *protocol;
    } cases[] = {
        {"", NULL},
        {"Sec-WebSocket-Protocol: amqp, AMQPWSB10\r\n", "AMQPWSB10"},
        {"Sec-WebSocket-Protocol: mqtt\r\nSec-WebSocket-Protocol: amqp\r\n", "amqp"},
        {"Sec-WebSocket-Protocol: AMQP\r\n", NULL},
        {"Origin: http://a\r\n", NULL},
        {"Origin: http://a:80\r\nSec-WebSocket-Extensions: permessage-deflate\r\n", NULL},
        {"Content-Length: 0\r\n", NULL},
    };
    for (size_t i = 0; i < RF_COUNT(cases); i++) {
        int fd = dial(rig->http_port);
        say(fd, GOOD);
        say(fd, cases[i].headers);
        say(fd, "\r\n");
        rf_str head = read_head(rig, fd);
        cr_assert(rf_str_starts(head, RF_S("HTTP/1.1 101 Switching Protocols\r\n")), "%zu", i);
        cr_assert(has(head, "Connection: Upgrade\r\n") && has(head, "Upgrade: websocket\r\n"));
        cr_assert(has(head, "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"));
        cr_assert(!has(head, "Content-Length") && !has(head, "Extensions"));
        char line[64] = "Sec-WebSocket-Protocol";
        if (cases[i].protocol != NULL)
            snprintf(line, sizeof line, "\r\nSec-WebSocket-Protocol: %s\r\n", cases[i].protocol);
        cr_assert(has(head, line) == (cases[i].protocol != NULL), "%zu", i);
        close(fd);
    }
    wait_for(rig, &rig->closed, (int)RF_COUNT(cases));
    cr_assert(rig->why == STREAM_LOST && rig->code == WEBSOCKET_ABNORMAL);
    rig_free(rig);
}

/* Like an upgrade without one: the answer has no length, and its end is the connection's. */
Test(upgrade, may_be_an_event_stream)
{
    struct rig *rig = rig_new((struct setup){.mode = ECHO});
    static const char *const asks[] = {"GET /events HTTP/1.1\r\n" HOST "\r\n",
                                       "GET /events HTTP/1.1\r\n" HOST "Connection: close\r\n\r\n"};
    for (size_t i = 0; i < RF_COUNT(asks); i++) {
        char got[5] = "";
        int fd = dial(rig->http_port);
        say(fd, asks[i]);
        rf_str head = read_head(rig, fd);
        cr_assert(rf_str_starts(head, RF_S("HTTP/1.1 200 OK\r\n")), "%zu", i);
        cr_assert(has(head, "Content-Type: text/event-stream\r\n"));
        cr_assert(has(head, "Cache-Control: no-store\r\n") && has(head, "Connection: close\r\n"));
        cr_assert(!has(head, "Content-Length") && !has(head, "Transfer-Encoding"));
        say(fd, "tick");
        cr_assert(recv(fd, got, 4, MSG_WAITALL) == 4 && strcmp(got, "tick") == 0, "%s", got);
        close(fd);
        wait_for(rig, &rig->closed, (int)i + 1);
    }
    /* Where it does not come to be, what was handed over is given back, and the connection ends. */
    static const char *const others[] = {"GET /events/then/failed HTTP/1.1\r\n" HOST "\r\n",
                                         "HEAD /events HTTP/1.1\r\n" HOST "\r\n"};
    for (size_t i = 0; i < RF_COUNT(others); i++) {
        char byte;
        int fd = dial(rig->http_port);
        say(fd, others[i]);
        cr_assert(has(read_head(rig, fd), "Connection: close\r\n"));
        cr_assert(recv(fd, &byte, 1, 0) == 0);
        close(fd);
        wait_for(rig, &rig->closed, (int)(RF_COUNT(asks) + i) + 1);
        cr_assert(rig->why == STREAM_UNOPENED);
    }
    server_stop(rig->server, 0);
    cr_assert(rig->closed == 4 && rig->opened == 2);
    rig->closed = 2;
    rig_free(rig);
}

/* What follows a refused request is never read as one, in whatever language: a proxy in front may take the refusal for an agreement. */
#define HIDDEN "GET /hidden HTTP/1.1\r\n" HOST "\r\n"

Test(upgrade, is_refused)
{
    struct rig *rig = rig_new((struct setup){.mode = ECHO});
    static const struct {
        const char *request, *status;
    } cases[] = {
        {"GET /ws HTTP/1.1\r\n" HOST ASK KEY "Sec-WebSocket-Version: 8\r\n\r\n" HIDDEN, "426"},
        {"GET /ws HTTP/1.1\r\n" HOST ASK KEY V13 V13 "\r\n" HIDDEN, "426"},
        {"GET /ws HTTP/1.1\r\n" HOST ASK KEY KEY V13 "\r\n" HIDDEN, "400"},
        {"GET /ws HTTP/1.1\r\n" HOST ASK V13 "\r\n" HIDDEN, "400"},
        {"GET /ws HTTP/1.0\r\n" HOST ASK KEY V13 "\r\n" HIDDEN, "400"},
        {"POST /ws HTTP/1.1\r\n" HOST ASK KEY V13 "\r\n" HIDDEN, "400"},
        {GOOD "Content-Length: 3\r\n\r\nabc" HIDDEN, "400"},
        {GOOD "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n" HIDDEN, "400"},
        {GOOD "Origin: http://evil\r\n\r\n" HIDDEN, "403"},
        {GOOD "Origin: https://a\r\n\r\n" HIDDEN, "403"},
        {GOOD "Origin: null\r\n\r\n" HIDDEN, "403"},
        {GOOD "\r\n" HIDDEN, "400"},
        {GOOD "\r\n\x82\x81\x01\x02\x03\x04\x05", "400"},
        {"GET /none HTTP/1.1\r\n" HOST ASK KEY V13 "\r\n" HIDDEN, "200"},
        {"GET /ws/then/failed HTTP/1.1\r\n" HOST ASK KEY V13 "\r\n", "403"},
        {"GET /liar HTTP/1.1\r\n" HOST ASK KEY V13 "\r\n", "500"},
    };
    for (size_t i = 0; i < RF_COUNT(cases); i++) {
        int fd = dial(rig->http_port);
        say(fd, cases[i].request);
        rf_str all = read_all(rig, fd);
        char line[32];
        snprintf(line, sizeof line, "HTTP/1.1 %s ", cases[i].status);
        cr_assert(rf_str_starts(all, rf_str_of(line)), "%zu: %.*s", i, RF_FMT(all));
        cr_assert(rf_str_find(all, RF_S("HTTP/1.1"), 1) == SIZE_MAX, "%zu: %.*s", i, RF_FMT(all));
        if (i < 2) cr_assert(has(all, "Sec-WebSocket-Version: 13\r\n"));
        close(fd);
    }
    server_stop(rig->server, 0);
    cr_assert(rig->closed == 3 && rig->opened == 0, "agreed, and not come to be");
    cr_assert(rig->why == STREAM_UNOPENED);
    rig->closed = 0;
    rig_free(rig);
}

Test(upgrade, may_need_a_protocol)
{
    struct rig *rig = rig_new((struct setup){.needs_protocol = true});
    int fd = dial(rig->http_port);
    say(fd, GOOD "Sec-WebSocket-Protocol: mqtt\r\n\r\n");
    rf_str all = read_all(rig, fd);
    cr_assert(rf_str_starts(all, RF_S("HTTP/1.1 400 ")) && has(all, "such as AMQPWSB10"));
    cr_assert(!has(all, "Sec-WebSocket-Accept"));
    close(fd);
    rig_free(rig);
}

/* ---- frames ------------------------------------------------------------------------------------------------------------------ */

/* A client's frame. */
static void put_frame(struct rf_buf *out, uint8_t first, rf_str payload)
{
    uint8_t head[WEBSOCKET_HEAD_BYTES_MAX];
    static const uint8_t mask[4] = {1, 2, 3, 4};
    size_t bytes = websocket_write_head(WEBSOCKET_BINARY, true, payload.len, head);
    head[0] = first;
    head[1] |= 0x80;
    rf_buf_put(out, head, bytes);
    rf_buf_put(out, mask, 4);
    for (size_t i = 0; i < payload.len; i++) rf_buf_byte(out, payload.ptr[i] ^ mask[i & 3]);
}

#define M "\x01\x02\x03\x04" /* a mask */
#define ABC "\x60\x60\x60"   /* "abc" under it */
#define BYE_1000 "\x88\x82" M "\x02\xea"

Test(websocket_stream, messages)
{
    struct rig *rig = rig_new((struct setup){.has_messages = true});
    static const struct {
        rf_str in, out;
        enum stream_end why;
        uint16_t code;
    } cases[] = {
#define CASE(in_text, out_text, end, number)                                                       \
    {.in = {(const uint8_t *)(in_text), sizeof(in_text) - 1},                                      \
     .out = {(const uint8_t *)(out_text), sizeof(out_text) - 1},                                   \
     .why = (end),                                                                                 \
     .code = (number)}
        CASE("\x81\x83" M ABC "\x82\x83" M ABC BYE_1000,
             "\x81\x03"
             "abc\x82\x03"
             "abc\x88\x02\x03\xe8",
             STREAM_DONE, 1000),
        CASE("\x01\x83" M ABC "\x89\x81" M "\x01\x80\x83" M ABC BYE_1000,
             "\x81\x06"
             "abcabc\x88\x02\x03\xe8",
             STREAM_DONE, 1000), /* the pong to the ping was overtaken by the close */
        CASE("\x88\x80" M, "\x88\x00", STREAM_DONE, 1005),
        CASE("\x81\x03"
             "abc",
             "\x88\x02\x03\xea", STREAM_BAD, 1002), /* not masked */
        CASE("\x81\x82" M "\xe3\x80", "\x88\x02\x03\xef", STREAM_BAD, 1007),
        CASE("\x82\xfe\x03\xe9" M, "\x88\x02\x03\xf1", STREAM_BAD, 1009),
        CASE("\x82\x83" M ABC "\x80\x80" M,
             "\x82\x03"
             "abc\x88\x02\x03\xea",
             STREAM_BAD, 1002),
    };
    for (size_t i = 0; i < RF_COUNT(cases); i++) {
        int fd = upgrade(rig, 0);
        cr_assert(send_all(fd, cases[i].in));
        rf_str got = read_all(rig, fd);
        cr_assert(rf_str_eq(got, cases[i].out), "%zu: %.*s", i, RF_FMT(got));
        wait_for(rig, &rig->closed, (int)i + 1);
        cr_assert(rig->why == cases[i].why && rig->code == cases[i].code, "%zu: %d %u", i,
                  (int)rig->why, rig->code);
        close(fd);
    }
    rig_free(rig);
}

Test(websocket_stream, answers_pings_and_needs_no_whole_frames)
{
    struct rig *rig = rig_new((struct setup){.mode = ECHO});
    int fd = upgrade(rig, 0);
    cr_assert(send_all(fd, RF_S("\x89\x83" M ABC)));
    expect(rig, fd,
           "\x8a\x03"
           "abc");
    /* The first byte of a frame of 5 GB comes back at once. */
    cr_assert(send_all(fd, RF_S("\x02\xff\0\0\0\x01\x40\0\0\0" M "\x60")));
    expect(rig, fd,
           "\x82\x01"
           "a");
    cr_assert(send_all(fd, RF_S("\x60\x60")));
    expect(rig, fd,
           "\x82\x02"
           "bc");
    close(fd);
    expect_end(rig, STREAM_LOST, WEBSOCKET_ABNORMAL);
    fd = upgrade(rig, 0);
    cr_assert(send_all(fd, RF_S("\x81\x83" M ABC)));
    rf_str got = read_all(rig, fd);
    cr_assert(rf_str_eq(got, RF_S("\x88\x02\x03\xeb")), "text is no stream of bytes");
    close(fd);
    rig_free(rig);
}

static size_t payload_bytes_of(rf_str frames, uint8_t *out)
{
    size_t bytes = 0;
    for (size_t at = 0; at < frames.len;) {
        size_t len = frames.ptr[at + 1], head = len == 127 ? 10 : len == 126 ? 4 : 2;
        if (head > 2) {
            len = 0;
            for (size_t i = 2; i < head; i++) len = len << 8 | frames.ptr[at + i];
        }
        memcpy(out + bytes, frames.ptr + at + head, len);
        bytes += len;
        at += head + len;
    }
    return bytes;
}

/* As with plain bytes; and then both sides close at once. */
Test(websocket_stream, holds_up_who_does_not_read)
{
    enum { BYTES = 12 << 20, PIECE = 3 << 20 };
    struct rig *rig = rig_new((struct setup){.mode = ECHO, .out_max = 65536});
    int fd = upgrade(rig, 8192);
    struct rf_buf frames = rf_buf_in(&rig->arena);
    rf_str all = pattern(rig, BYTES);
    for (size_t at = 0; at < BYTES; at += PIECE)
        put_frame(&frames,
                  at == 0               ? 0x02
                  : at + PIECE == BYTES ? 0x80
                                        : 0x00,
                  rf_slice(all, at, at + PIECE));
    put_frame(&frames, 0x88, RF_S("\x03\xe8"));
    struct sender sender = {.fd = fd, .bytes = rf_buf_view(&frames)};
    pthread_t thread;
    pthread_create(&thread, NULL, send_main, &sender);
    wait_for(rig, &rig->opened, 1);
    while (stream_backlog(rig->mailbox) < 50000) sched_yield();
    for (int i = 0; i < 1000; i++) {
        cr_assert(stream_backlog(rig->mailbox) <= 65536);
        sched_yield();
    }
    rf_str got = read_all(rig, fd);
    pthread_join(thread, NULL);
    cr_assert(rf_str_ends(got, RF_S("\x88\x02\x03\xe8")));
    uint8_t *back = malloc(BYTES);
    cr_assert(payload_bytes_of(rf_slice(got, 0, got.len - 4), back) == BYTES);
    cr_assert(rf_str_eq(rf_str_make(back, BYTES), all));
    free(back);
    expect_end(rig, STREAM_DONE, 1000);
    close(fd);
    rig_free(rig);
}

Test(websocket_stream, closes_with_a_handshake)
{
    struct rig *rig = rig_new((struct setup){.mode = ECHO, .has_fixed_clock = true});
    int fd = upgrade(rig, 0);
    struct rf_buf out = rf_buf_in(&rig->arena);
    put_frame(&out, 0x82, RF_S("close!"));
    cr_assert(send_all(fd, rf_buf_view(&out)));
    rf_str got = read_up_to(rig, fd, 4);
    cr_assert(rf_str_eq(got, RF_S("\x88\x02\x03\xe8")));
    cr_assert(send_all(fd, RF_S("\x82\x83" M ABC BYE_1000))); /* the data crossed it */
    cr_assert(read_all(rig, fd).len == 0);
    expect_end(rig, STREAM_CLOSED, 1000);
    close(fd);
    fd = upgrade(rig, 0);
    cr_assert(send_all(fd, rf_buf_view(&out)));
    (void)read_up_to(rig, fd, 4);
    pass_time(rig, 6); /* who never answers is waited for a moment only */
    wait_for(rig, &rig->closed, 2);
    close(fd);
    rig_free(rig);
}

Test(websocket_stream, asks_who_is_silent)
{
    struct rig *rig = rig_new((struct setup){.mode = ECHO, .has_fixed_clock = true});
    int fd = upgrade(rig, 0);
    wait_for(rig, &rig->opened, 1);
    for (int i = 0; i < 3; i++) {
        pass_time(rig, 61);
        rf_str ping = read_up_to(rig, fd, 2);
        cr_assert(rf_str_eq(ping, RF_S("\x89\x00")));
        uint64_t before = server_stats(rig->server).bytes_in;
        cr_assert(send_all(fd, RF_S("\x8a\x80" M)));
        while (server_stats(rig->server).bytes_in == before) sched_yield();
    }
    pass_time(rig, 61);
    (void)read_up_to(rig, fd, 2);
    pass_time(rig, 61);
    expect_end(rig, STREAM_IDLE, WEBSOCKET_ABNORMAL);
    close(fd);
    rig_free(rig);
}

Test(websocket_stream, goes_away_when_the_server_stops)
{
    struct rig *rig = rig_new((struct setup){.mode = ECHO});
    pthread_t thread;
    int fd = upgrade(rig, 0), silent = upgrade(rig, 0);
    wait_for(rig, &rig->opened, 2);
    pthread_create(&thread, NULL, stop_main, rig->server);
    rf_str got = read_up_to(rig, fd, 4);
    cr_assert(rf_str_eq(got, RF_S("\x88\x02\x03\xe9")));
    (void)read_up_to(rig, silent, 4);
    cr_assert(send_all(fd, RF_S("\x88\x82" M "\x02\xeb")));
    cr_assert(read_all(rig, fd).len == 0);
    expect_end(rig, STREAM_STOPPED, 1001);
    close(silent);
    pthread_join(thread, NULL);
    cr_assert(rig->closed == 2 && rig->why == STREAM_STOPPED);
    close(fd);
    rig_free(rig);
}

/* Whatever bytes come behind an upgrade, the server ends the stream in order and goes on with others. */
RF_PROP(websocket_stream_survives_noise, 20)
{
    struct rig *rig = rig_new((struct setup){.mode = ECHO});
    for (int i = 0; i < 10; i++) {
        uint8_t raw[300];
        int fd = upgrade(rig, 0);
        rf_str noise = rf_test_bytes(prng, raw, sizeof raw, "\x82\x81\x89\x80\x88\x01\x02\x03\x7e");
        (void)send_all(fd, noise);
        shutdown(fd, SHUT_WR);
        (void)read_all(rig, fd);
        close(fd);
    }
    wait_for(rig, &rig->closed, 10);
    rig_free(rig);
}
