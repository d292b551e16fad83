#include <stdlib.h>

#include "amqp/amqp.h"
#include "base/encode.h"
#include "net/websocket.h"

struct amqp_front {
    struct amqp_front_options options;
    struct stream_handlers handlers;
    struct websocket_options websocket;
    struct service service;
};

/* One connection. */
struct amqp_stream {
    struct amqp_front *front;
    struct stream *stream;
    struct amqp_connection *connection;
    void *ctx;
    enum amqp_phase phase; /* that the timer was set in */
    bool is_paused;
};

enum {
    CONTAINER_BYTES_MAX = 4096, /* of the arena in which the id is made */
    /* The engine ends silent connections itself, and says so; this is for those that it cannot end. */
    IDLE_SECONDS_MAX = 600
};

static int64_t now_of(const struct amqp_stream *as)
{
    return rf_clock_elapsed(as->front->options.clock);
}

/* ---- sending --------------------------------------------------------------------------------------------------------- */

static void set_timer(struct amqp_stream *as)
{
    as->phase = amqp_phase(as->connection);
    stream_wake_in(as->stream, amqp_tick(as->connection, now_of(as)));
}

/* Moves what the engine has to say to the stream as far as there is room; sending makes room in the engine, which may then say more. */
static void move_output(struct amqp_stream *as)
{
    rf_str output;
    while ((output = amqp_output(as->connection)).len > 0) {
        size_t bytes = RF_MIN(output.len, stream_room(as->stream));
        if (bytes == 0) {
            (void)stream_send(as->stream, output); /* refused: on_writable will tell */
            return;
        }
        if (!stream_send(as->stream, rf_slice(output, 0, bytes))) return;
        amqp_taken(as->connection, bytes, now_of(as));
    }
}

static void pump(void *state)
{
    struct amqp_stream *as = state;
    if (amqp_phase(as->connection) != as->phase) set_timer(as);
    move_output(as);
    enum amqp_phase phase = amqp_phase(as->connection);
    if (phase == AMQP_OVER && amqp_output(as->connection).len == 0) {
        stream_close(as->stream, WEBSOCKET_NORMAL);
    } else if (amqp_is_waiting(as->connection)) {
        as->is_paused = true;
        stream_pause(as->stream);
    } else if (as->is_paused) {
        as->is_paused = false;
        stream_resume(as->stream);
    }
}

/* ---- the stream's handlers --------------------------------------------------------------------------------------------- */

static struct amqp_connection *new_connection(struct amqp_stream *as)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, CONTAINER_BYTES_MAX);
    rf_str container = guid_random(&arena);
    struct amqp_options options = {.container = container,
                                   .mechanisms = as->front->options.mechanisms,
                                   .mechanism_count = as->front->options.mechanism_count,
                                   .handlers = as->front->options.handlers,
                                   .push = pump,
                                   .transport = as};
    return container.ptr == NULL ? NULL : amqp_new(&options, now_of(as));
}

static void *on_open(struct stream *stream, void *ctx, const struct stream_peer *peer)
{
    struct amqp_front *front = ctx;
    struct amqp_stream *as = calloc(1, sizeof *as);
    if (as == NULL) return NULL;
    as->front = front;
    as->stream = stream;
    as->connection = new_connection(as);
    if (as->connection != NULL)
        as->ctx = front->options.on_connect(front->options.owner, as->connection, stream, peer);
    if (as->ctx == NULL) {
        amqp_free(as->connection);
        free(as);
        return NULL;
    }
    amqp_set_context(as->connection, as->ctx);
    set_timer(as);
    return as;
}

static size_t on_bytes(struct stream *stream, void *state, rf_str bytes, bool is_end)
{
    struct amqp_stream *as = state;
    size_t taken = amqp_feed(as->connection, bytes, now_of(as));
    (void)stream;
    (void)is_end; /* the stream ends by itself when its queue is out */
    pump(as);
    return taken;
}

static void on_writable(struct stream *stream, void *state)
{
    (void)stream;
    pump(state);
}

static void on_wake(struct stream *stream, void *state)
{
    (void)stream;
    set_timer(state);
    pump(state);
}

static void on_stop(struct stream *stream, void *state)
{
    struct amqp_stream *as = state;
    amqp_close(as->connection, &(struct amqp_error){"amqp:connection:forced",
                                                    RF_S("The server stops; connect again.")});
    pump(as);
    stream_close(stream, WEBSOCKET_GOING_AWAY);
}

static void on_close(void *state, enum stream_end why, uint16_t code)
{
    struct amqp_stream *as = state;
    (void)code;
    if (why == STREAM_UNOPENED) return; /* the state is the front then */
    void (*on_disconnect)(void *ctx) = as->front->options.on_disconnect;
    amqp_free(as->connection);
    on_disconnect(as->ctx);
    free(as);
}

/* ---- WebSocket ---------------------------------------------------------------------------------------------------------- */

static const char *const subprotocols[] = {"AMQPWSB10", "amqp", NULL};

static enum rf_kind upgrade(struct request *request, struct rf_err *err)
{
    struct amqp_front *front = request->service;
    return request_upgrade(request, &front->websocket, front, NULL, err);
}

static const struct route routes[] = {
    {.method = HTTP_GET,
     .access = ROUTE_OPEN,
     .path = "/$servicebus/websocket",
     .why_open = "AMQP inside it asks for proofs of its own: SASL, and tokens put to $cbs",
     .lane = HTTP_QUICK,
     .run = upgrade},
};

/* ---- fronts ------------------------------------------------------------------------------------------------------------- */

enum rf_kind amqp_front_new(const struct amqp_front_options *options, struct amqp_front **out,
                            struct rf_err *err)
{
    struct amqp_front *front = calloc(1, sizeof *front);
    if (front == NULL) return RF_FAIL(err, RF_LIMIT, "OutOfMemory", "no memory for the AMQP front");
    front->options = *options;
    if (front->options.clock == NULL) front->options.clock = rf_clock_real();
    front->handlers =
        (struct stream_handlers){.on_open = on_open,
                                 .on_bytes = on_bytes,
                                 .on_writable = on_writable,
                                 .on_wake = on_wake,
                                 .on_stop = on_stop,
                                 .on_close = on_close,
                                 .idle_usec_max = IDLE_SECONDS_MAX * RF_USEC_PER_SECOND};
    front->websocket = (struct websocket_options){
        .protocols = subprotocols, .needs_protocol = true, .stream = front->handlers};
    front->service = (struct service){
        .name = "amqp", .ctx = front, .routes = routes, .route_count = RF_COUNT(routes)};
    *out = front;
    return RF_OK;
}

void amqp_front_free(struct amqp_front *front) { free(front); }

enum rf_kind amqp_front_listen(struct amqp_front *front, struct server *server, rf_str address,
                               struct tls_context *tls, uint16_t *port, struct rf_err *err)
{
    return server_listen_stream(server, address, tls, &front->handlers, front, port, err);
}

const struct service *amqp_front_service(struct amqp_front *front) { return &front->service; }
