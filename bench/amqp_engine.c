/* bench/amqp_engine.c [SECONDS] - messages a second through one AMQP connection's engine on one core, without sockets: messages of
 * 200 bytes in reads of 16 KiB, each accepted, and the same in the other direction. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "amqp/engine.h"

enum { MESSAGE_BYTES = 200, READ_BYTES = 16 << 10, CREDIT = 1000 };

struct run {
    uint64_t messages;
    struct amqp_link link;
    uint8_t message[MESSAGE_BYTES];
};

static double seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void on_sasl(void *ctx, struct amqp_connection *connection, rf_str mechanism,
                    rf_str response)
{
    (void)ctx;
    (void)mechanism;
    (void)response;
    amqp_sasl_ok(connection);
}

static bool on_open(void *ctx, struct amqp_connection *connection, const struct amqp_open *open,
                    struct amqp_error *refusal)
{
    (void)ctx;
    (void)open;
    (void)refusal;
    amqp_set_authorized(connection, true);
    return true;
}

static void on_attach(void *ctx, struct amqp_connection *connection, struct amqp_link link,
                      const struct amqp_attach *attach)
{
    struct run *run = ctx;
    struct amqp_terms terms = {.credit = CREDIT};
    (void)attach;
    run->link = link;
    (void)amqp_link_accept(connection, link, &terms, run);
}

static void on_message(void *ctx, struct amqp_connection *connection, void *user,
                       struct amqp_delivery delivery, uint32_t format, rf_str message, bool settled)
{
    struct run *run = ctx;
    (void)user;
    (void)format;
    (void)message;
    (void)settled;
    run->messages++;
    amqp_delivery_accept(connection, delivery);
}

static void on_credit(void *ctx, struct amqp_connection *connection, void *user,
                      struct amqp_link link, uint32_t credit, bool drain)
{
    struct run *run = ctx;
    (void)user;
    (void)credit;
    (void)drain;
    while (amqp_send(connection, link, 0, rf_str_make(run->message, MESSAGE_BYTES)) == AMQP_SENT)
        run->messages++;
}

static void on_detach(void *ctx, struct amqp_connection *connection, void *user,
                      struct amqp_link link, enum amqp_ended why)
{
    (void)ctx;
    (void)connection;
    (void)user;
    (void)link;
    (void)why;
}

static const struct amqp_handlers handlers = {.on_sasl = on_sasl,
                                              .on_open = on_open,
                                              .on_attach = on_attach,
                                              .on_message = on_message,
                                              .on_credit = on_credit,
                                              .on_detach = on_detach};

/* ---- a peer's frames ---------------------------------------------------------------------------------------------------- */

static size_t begin(struct rf_buf *buf, uint64_t code, size_t *list)
{
    size_t start = buf->len;
    rf_buf_put(buf, "\0\0\0\0\2\0\0\0", 8);
    amqp_put_descriptor(buf, code);
    *list = amqp_put_begin(buf);
    return start;
}

static void end(struct rf_buf *buf, size_t start, size_t list, uint32_t count)
{
    amqp_put_end(buf, list, AMQP_LIST, count);
    amqp_set_u32(buf->ptr + start, (uint32_t)(buf->len - start));
}

static void put_opening(struct rf_buf *buf, bool receives)
{
    size_t list, start;
    rf_buf_put(buf, "AMQP\0\1\0\0", 8);
    start = begin(buf, 0x10, &list);
    amqp_put_string(buf, RF_S("peer"));
    end(buf, start, list, 1);
    start = begin(buf, 0x11, &list);
    amqp_put_null(buf);
    amqp_put_uint(buf, 0);
    amqp_put_uint(buf, UINT32_MAX);
    amqp_put_uint(buf, UINT32_MAX);
    end(buf, start, list, 4);
    start = begin(buf, 0x12, &list);
    amqp_put_string(buf, RF_S("link"));
    amqp_put_uint(buf, 0);
    amqp_put_bool(buf, receives);
    end(buf, start, list, 3);
}

static void put_transfer(struct rf_buf *buf, const struct run *run, uint32_t id)
{
    size_t list, start = begin(buf, 0x14, &list);
    uint8_t tag[4];
    amqp_set_u32(tag, id);
    amqp_put_uint(buf, 0);
    amqp_put_uint(buf, id);
    amqp_put_binary(buf, rf_str_make(tag, sizeof tag));
    amqp_put_uint(buf, 0);
    amqp_put_bool(buf, false);
    amqp_put_bool(buf, false);
    end(buf, start, list, 6);
    rf_buf_put(buf, run->message, MESSAGE_BYTES);
    amqp_set_u32(buf->ptr + start, (uint32_t)(buf->len - start));
}

static void put_flow(struct rf_buf *buf, uint32_t seen)
{
    size_t list, start = begin(buf, 0x13, &list);
    amqp_put_uint(buf, seen);
    amqp_put_uint(buf, 100000);
    amqp_put_uint(buf, 0);
    amqp_put_uint(buf, 100000);
    amqp_put_uint(buf, 0);
    amqp_put_uint(buf, seen);
    amqp_put_uint(buf, CREDIT);
    end(buf, start, list, 7);
}

static void drain(struct amqp_connection *connection)
{
    for (rf_str out; (out = amqp_output(connection)).len > 0;) amqp_taken(connection, out.len, 0);
}

static void feed(struct amqp_connection *connection, rf_str bytes)
{
    while (bytes.len > 0) {
        size_t taken = amqp_feed(connection, bytes, 0);
        bytes = rf_slice(bytes, taken, bytes.len);
        drain(connection);
        if (taken == 0) break;
    }
}

static double measure(bool receives, double duration)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    struct run run = {0};
    struct amqp_options options = {.container = RF_S("bench"), .handlers = &handlers, .ctx = &run};
    struct amqp_connection *connection = amqp_new(&options, 0);
    rf_arena_init(&arena, 1 << 20);
    struct rf_buf buf = rf_buf_in(&arena);
    put_opening(&buf, receives);
    feed(connection, rf_buf_view(&buf));
    uint32_t id = 0;
    double spent = 0;
    for (double from = seconds(); seconds() - from < duration;) {
        buf.len = 0;
        if (receives)
            put_flow(&buf, (uint32_t)run.messages);
        else
            while (buf.len + MESSAGE_BYTES < READ_BYTES) put_transfer(&buf, &run, id++);
        double start = seconds(); /* what the peer does is not counted */
        feed(connection, rf_buf_view(&buf));
        spent += seconds() - start;
    }
    amqp_free(connection);
    return (double)run.messages / spent;
}

int main(int argc, char **argv)
{
    double duration = argc > 1 ? atof(argv[1]) : 2;
    printf("received and accepted: %.0f messages/s\n", measure(false, duration));
    printf("sent:                  %.0f messages/s\n", measure(true, duration));
    return 0;
}
