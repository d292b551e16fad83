/* Real sockets: the engine behind TCP and WebSocket. */
#include "amqp/amqp.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "amqp/line_test_util.h"

enum { MESSAGE_BYTES = 1000, MESSAGE_COUNT = 20000 };

/* A server whose nodes take any link, have a worker answer deliveries, and send MESSAGE_COUNT messages to who wants them. */
struct world {
    struct server *server;
    struct amqp_front *front;
    uint16_t port, http_port;
    atomic_int connected, disconnected, detached;
    atomic_uint queued_max; /* bytes that a stream had to send */
};

struct peer_state {
    struct world *world;
    struct stream *stream;
    struct amqp_connection *connection;
    uint32_t sent;
};

struct answer {
    struct stream_task task;
    struct amqp_connection *connection;
    struct amqp_delivery delivery;
};

static void work(struct stream_task *task, const atomic_bool *gone) { (void)task, (void)gone; }

static void deliver(struct stream_task *task, struct stream *stream, void *state)
{
    struct answer *answer = (struct answer *)task;
    (void)state;
    if (stream != NULL) {
        amqp_delivery_accept(answer->connection, answer->delivery);
        amqp_push(answer->connection);
    }
    free(answer);
}

static void on_sasl(void *ctx, struct amqp_connection *connection, rf_str mechanism,
                    rf_str response)
{
    (void)ctx, (void)response;
    if (rf_str_is(mechanism, "PLAIN"))
        amqp_sasl_fail(connection);
    else
        amqp_sasl_ok(connection);
}

static bool on_open(void *ctx, struct amqp_connection *connection, const struct amqp_open *open,
                    struct amqp_error *refusal)
{
    (void)ctx, (void)open, (void)refusal;
    amqp_set_authorized(connection, true);
    return true;
}

static void on_attach(void *ctx, struct amqp_connection *connection, struct amqp_link link,
                      const struct amqp_attach *attach)
{
    struct amqp_terms terms = {.credit = 100};
    (void)attach;
    cr_assert(amqp_link_accept(connection, link, &terms, ctx));
}

static void on_message(void *ctx, struct amqp_connection *connection, void *user,
                       struct amqp_delivery delivery, uint32_t format, rf_str message, bool settled)
{
    struct peer_state *peer = ctx;
    struct answer *answer = calloc(1, sizeof *answer);
    (void)user, (void)format, (void)message, (void)settled;
    answer->task.run = work;
    answer->task.deliver = deliver;
    answer->connection = connection;
    answer->delivery = delivery;
    cr_assert(stream_work(peer->stream, &answer->task, HTTP_QUICK, 1));
}

static void on_credit(void *ctx, struct amqp_connection *connection, void *user,
                      struct amqp_link link, uint32_t credit, bool drain)
{
    static const uint8_t message[MESSAGE_BYTES];
    struct peer_state *peer = ctx;
    (void)user, (void)credit, (void)drain;
    while (peer->sent < MESSAGE_COUNT &&
           amqp_send(connection, link, 0, rf_str_make(message, MESSAGE_BYTES)) == AMQP_SENT)
        peer->sent++;
    unsigned queued = (unsigned)amqp_output(connection).len;
    if (queued > peer->world->queued_max) peer->world->queued_max = queued;
}

static void on_detach(void *ctx, struct amqp_connection *connection, void *user,
                      struct amqp_link link, enum amqp_ended why)
{
    struct peer_state *peer = ctx;
    (void)connection, (void)user, (void)link, (void)why;
    peer->world->detached++;
}

static void *on_connect(void *owner, struct amqp_connection *connection, struct stream *stream,
                        const struct stream_peer *peer)
{
    struct world *world = owner;
    struct peer_state *state = calloc(1, sizeof *state);
    cr_assert(peer->is_loopback);
    *state = (struct peer_state){.world = world, .stream = stream, .connection = connection};
    world->connected++;
    return state;
}

static void on_disconnect(void *ctx)
{
    struct peer_state *peer = ctx;
    peer->world->disconnected++;
    free(peer);
}

/* ---- HTTP, for upgrades ---------------------------------------------------------------------------------------------- */

static struct http_plan plan(void *ctx, const struct http_request *head)
{
    (void)ctx, (void)head;
    return (struct http_plan){.body_bytes_max = 1000, .lane = HTTP_QUICK, .who = 1};
}

static void run(void *ctx, const struct http_request *http, struct http_response *response,
                const atomic_bool *gone)
{
    struct world *world = ctx;
    const struct service *service = amqp_front_service(world->front);
    struct request request = {.http = http, .response = response, .service = service->ctx};
    struct rf_err err;
    (void)gone;
    (void)service->routes[0].run(&request, &err);
}

static void refuse(void *ctx, const struct http_request *head, const char *why,
                   struct http_response *response)
{
    (void)ctx, (void)head, (void)why, (void)response;
}

static struct world *world_new(void)
{
    static const struct amqp_handlers handlers = {.on_sasl = on_sasl,
                                                  .on_open = on_open,
                                                  .on_attach = on_attach,
                                                  .on_message = on_message,
                                                  .on_credit = on_credit,
                                                  .on_detach = on_detach};
    struct world *world = calloc(1, sizeof *world);
    struct rf_err err = {.text = ""};
    struct server_options options = {
        .handler = {.ctx = world, .plan = plan, .run = run, .refuse = refuse},
        .loops = 1,
        .quick_workers = 2,
        .heavy_workers = 1,
        .clock = rf_clock_real()};
    struct amqp_front_options front = {.handlers = &handlers,
                                       .mechanisms = rig_mechanisms,
                                       .mechanism_count = RF_COUNT(rig_mechanisms),
                                       .on_connect = on_connect,
                                       .on_disconnect = on_disconnect,
                                       .owner = world};
    rf_str any = RF_S("127.0.0.1:0");
    cr_assert(amqp_front_new(&front, &world->front, &err) == RF_OK);
    cr_assert(server_new(&options, &world->server, &err) == RF_OK, "%s", err.text);
    cr_assert(amqp_front_listen(world->front, world->server, any, NULL, &world->port, &err) ==
              RF_OK);
    cr_assert(server_listen(world->server, any, NULL, &world->http_port, &err) == RF_OK);
    cr_assert(server_start(world->server, &err) == RF_OK, "%s", err.text);
    return world;
}

static void world_free(struct world *world)
{
    server_stop(world->server, 0);
    cr_assert(world->connected == world->disconnected);
    server_free(world->server);
    amqp_front_free(world->front);
    free(world);
}

/* ---- a peer ------------------------------------------------------------------------------------------------------------ */

static void line_log_in(struct line *line)
{
    rf_buf_str(&line->rig.in, RF_S("AMQP\0\1\0\0"));
    rig_write(&line->rig, 0, PERF_OPEN, "ssu", "peer", "host", 4096u);
    rig_write(&line->rig, 0, PERF_BEGIN, "-uuu", 0u, 50000u, 2048u);
    line_send(line);
    cr_assert(rf_str_eq(line_take(line, 8), RF_S("AMQP\0\1\0\0")));
    cr_assert(strncmp(line_frame(line), "open[", 5) == 0);
    cr_assert(strncmp(line_frame(line), "begin[", 6) == 0);
}

static void line_attach(struct line *line, bool receives)
{
    rig_write(&line->rig, 0, PERF_ATTACH, "subBB@[s]@[s]--u", "link", 0u, (int)receives, 2, 0,
              (unsigned)PERF_SOURCE, "here", (unsigned)PERF_TARGET, "there", 0u);
    line_send(line);
    cr_assert(strncmp(line_frame(line), "attach[link 0 ", 14) == 0);
}

/* ---- tests --------------------------------------------------------------------------------------------------------------- */

Test(amqp, sends_answers_that_workers_gave)
{
    struct world *world = world_new();
    struct line line;
    line_open(&line, world->port);
    line_log_in(&line);
    line_attach(&line, false);
    rig_expect(line_frame(&line), "flow[0 5000 0 5000 0 0 100 - false]");
    for (uint32_t i = 0; i < 3; i++)
        rig_write(&line.rig, 0, PERF_TRANSFER, "uutubbp", 0u, i, i, 0u, 0, 0, RF_S("abc"));
    line_send(&line);
    uint32_t answered = 0;
    while (answered < 3) { /* in one frame or more */
        unsigned first, last;
        cr_assert(sscanf(line_frame(&line), "disposition[true %u %u true @24[]]", &first, &last) ==
                  2);
        answered += last - first + 1;
    }
    rig_write(&line.rig, 0, PERF_CLOSE, "");
    line_send(&line);
    rig_expect(line_frame(&line), "close[-]");
    rig_expect(line_frame(&line), "");
    line_close(&line);
    world_free(world);
}

/* Twenty megabytes of messages for a peer that does not read: they wait in the log, not in memory, and then all come. */
Test(amqp, waits_for_a_peer_that_reads_slowly)
{
    struct world *world = world_new();
    struct line line;
    line_open(&line, world->port);
    line_log_in(&line);
    line_attach(&line, true);
    rig_write(&line.rig, 0, PERF_FLOW, "uuuuuuu", 0u, 50000u, 0u, 10u, 0u, 0u,
              (unsigned)MESSAGE_COUNT);
    line_send(&line);
    for (uint32_t i = 0; i < MESSAGE_COUNT; i++) {
        char expected[64];
        snprintf(expected, sizeof expected, "transfer[0 %u #%08x 0 false false]", i, i);
        rig_expect(line_frame(&line), expected);
        if (line.got_at < (1 << 20)) continue; /* keep the test's memory small */
        memmove(line.got.ptr, line.got.ptr + line.got_at, line.got.len - line.got_at);
        line.got.len -= line.got_at;
        line.got_at = 0;
    }
    cr_assert(world->queued_max < AMQP_OUT_BYTES_SOFT + 2 * MESSAGE_BYTES, "%u", world->queued_max);
    line_close(&line);
    world_free(world);
}

Test(amqp, closes_behind_a_login_that_failed)
{
    struct world *world = world_new();
    struct line line;
    line_open(&line, world->port);
    rf_buf_str(&line.rig.in, RF_S("AMQP\3\1\0\0"));
    line_send(&line);
    cr_assert(rf_str_eq(line_take(&line, 8), RF_S("AMQP\3\1\0\0")));
    rig_expect(line_frame(&line), "mechanisms[(:MSSBCBS :PLAIN :ANONYMOUS :EXTERNAL)]");
    rf_buf_str(&line.rig.in, RF_S("\0\0\0\x19\2\1\0\0\0\x53\x41\xc0\xc\2\xa3\5PLAIN\xa0\2\0\1"));
    line_send(&line);
    rig_expect(line_frame(&line), "outcome[1]");
    rig_expect(line_frame(&line), "");
    line_close(&line);
    world_free(world);
}

static void *stop_main(void *server)
{
    server_stop(server, 20 * RF_USEC_PER_SECOND);
    return NULL;
}

Test(amqp, says_goodbye_when_the_server_stops)
{
    struct world *world = world_new();
    struct line line;
    line_open(&line, world->port);
    line_log_in(&line);
    line_attach(&line, true);
    pthread_t thread;
    cr_assert(pthread_create(&thread, NULL, stop_main, world->server) == 0);
    rig_expect(line_frame(&line),
               "close[@1d[:amqp:connection:forced The server stops; connect again.]]");
    rig_expect(line_frame(&line), "");
    line_close(&line);
    pthread_join(thread, NULL);
    cr_assert(world->detached == 1 && world->disconnected == 1);
    world_free(world);
}

Test(amqp, speaks_inside_websocket)
{
    static const char *const names[] = {"AMQPWSB10", "amqp"};
    for (size_t i = 0; i < RF_COUNT(names); i++) {
        struct world *world = world_new();
        struct line line;
        line_open(&line, world->http_port);
        rf_buf_printf(
            &line.rig.in,
            "GET /$servicebus/websocket?x=1 HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n"
            "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
            "Sec-WebSocket-Protocol: %s\r\n\r\n",
            names[i]);
        line_send(&line);
        char expected[64];
        snprintf(expected, sizeof expected, "Sec-WebSocket-Protocol: %s\r\n", names[i]);
        size_t end = SIZE_MAX;
        while (end == SIZE_MAX) {
            cr_assert(line_need(&line, line.got.len + 1));
            end = rf_str_find(rf_buf_view(&line.got), RF_S("\r\n\r\n"), 0);
        }
        cr_assert(rf_str_starts(rf_buf_view(&line.got), RF_S("HTTP/1.1 101 ")));
        cr_assert(rf_str_find(rf_buf_view(&line.got), rf_str_of(expected), 0) < end);
        line.got_at = end + 4;
        /* One header in two messages, whose mask is zero. */
        rf_buf_str(&line.rig.in, RF_S("\x82\x83\0\0\0\0AMQ\x82\x85\0\0\0\0P\3\1\0\0"));
        line_send(&line);
        rf_str frame = line_take(&line, 2 + 8);
        cr_assert(frame.ptr[0] == 0x82);
        cr_assert(rf_str_eq(rf_slice(frame, 2, 10), RF_S("AMQP\3\1\0\0")));
        line_close(&line);
        world_free(world);
    }
}
