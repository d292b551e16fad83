/* line_test_util.h - a peer of the engine behind a real socket, for tests: writes with the notation of engine_test_util.h, reads frame by
 * frame. */
#ifndef RF_AMQP_LINE_TEST_UTIL_H
#define RF_AMQP_LINE_TEST_UTIL_H

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "amqp/engine_test_util.h"

struct line {
    int fd;
    struct rig rig; /* what is to be written gathers in rig.in */
    struct rf_buf got;
    size_t got_at;
    rf_str payload; /* what stood behind the fields of the last frame; until the next one */
};

RF_TEST_HELPER int line_dial(uint16_t port)
{
    struct sockaddr_in in = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct timeval wait = {.tv_sec = 20}; /* a hang fails the test instead of hanging it */
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait);
    cr_assert(connect(fd, (struct sockaddr *)&in, sizeof in) == 0);
    return fd;
}

RF_TEST_HELPER void line_open(struct line *line, uint16_t port)
{
    memset(line, 0, sizeof *line);
    rf_arena_init(&line->rig.arena, 256u << 20);
    line->rig.in = rf_buf_in(&line->rig.arena);
    line->got = rf_buf_in(&line->rig.arena);
    line->fd = line_dial(port);
}

RF_TEST_HELPER void line_close(struct line *line)
{
    close(line->fd);
    rf_arena_done(&line->rig.arena);
}

RF_TEST_HELPER void line_send(struct line *line)
{
    for (size_t at = 0; at < line->rig.in.len;) {
        ssize_t sent = send(line->fd, line->rig.in.ptr + at, line->rig.in.len - at, MSG_NOSIGNAL);
        cr_assert(sent > 0);
        at += (size_t)sent;
    }
    line->rig.in.len = 0;
}

/* At least `bytes` that were not looked at; false: the server has closed. */
RF_TEST_HELPER bool line_need(struct line *line, size_t bytes)
{
    while (line->got.len - line->got_at < bytes) {
        cr_assert(rf_buf_reserve(&line->got, 65536));
        ssize_t got = recv(line->fd, line->got.ptr + line->got.len, 65536, 0);
        cr_assert(got >= 0, "nothing came for too long");
        if (got == 0) return false;
        line->got.len += (size_t)got;
    }
    return true;
}

RF_TEST_HELPER rf_str line_take(struct line *line, size_t bytes)
{
    cr_assert(line_need(line, bytes));
    rf_str taken = rf_str_make(line->got.ptr + line->got_at, bytes);
    line->got_at += bytes;
    return taken;
}

/* The next frame, as rig_out shows it, without channel and payload; "" when the server has closed. */
RF_TEST_HELPER const char *line_frame(struct line *line)
{
    struct frame frame;
    struct amqp_value described, fields;
    struct rf_buf out = rf_buf_in(&line->rig.arena);
    if (!line_need(line, 4)) return "";
    size_t bytes = amqp_get_u32(line->got.ptr + line->got_at);
    cr_assert(frame_read(line_take(line, bytes), SIZE_MAX, &frame) == FRAME_WHOLE);
    line->payload = frame.body;
    if (frame.body.len == 0) return "heartbeat";
    cr_assert(amqp_read(&line->payload, &described) && amqp_inner(&described, &fields));
    rf_buf_printf(&out, "%s", rig_name(amqp_descriptor(&described)));
    rig_show(&out, &fields, 8);
    rf_buf_byte(&out, 0);
    return (const char *)out.ptr;
}

#endif
