#include <stdlib.h>

#include "amqp/engine_int.h"

/* Head, descriptor, list, and the fields of the first and of later transfers, at their longest. */
enum { FIRST_HEAD_BYTES = 8 + 3 + 3 + 5 + 5 + 6 + 5 + 2, LATER_HEAD_BYTES = 8 + 3 + 3 + 5 + 5 };

static uint8_t *put_u32(uint8_t *at, uint32_t value)
{
    *at++ = 0x70;
    amqp_set_u32(at, value);
    return at + 4;
}

static uint8_t *begin_transfer(uint8_t *frame, const struct link *link, size_t bytes,
                               uint8_t list_bytes, uint8_t count)
{
    uint8_t head[] = {0, 0, 0, 0, 2, 0, (uint8_t)(link->session->channel >> 8),
                      (uint8_t)link->session->channel, 0x00, 0x53, PERF_TRANSFER,
                      /* the list's bytes count what is behind them */
                      0xc0, list_bytes, count};
    memcpy(frame, head, sizeof head);
    amqp_set_u32(frame, (uint32_t)bytes);
    return put_u32(frame + sizeof head, link->handle);
}

/* handle, delivery-id, delivery-tag, message-format, settled, more */
static bool put_first(struct amqp_connection *c, struct link *link, uint32_t format, rf_str payload,
                      bool more)
{
    size_t bytes = FIRST_HEAD_BYTES + payload.len;
    uint8_t *frame = out_reserve(c, bytes);
    if (frame == NULL) return false;
    uint8_t *at = begin_transfer(frame, link, bytes, FIRST_HEAD_BYTES - 13, 6);
    at = put_u32(at, link->delivery_id);
    *at++ = 0xa0;
    *at++ = 4;
    amqp_set_u32(at, link->delivery_count); /* unlike any other of the link that is not settled */
    at = put_u32(at + 4, format);
    *at++ = link->sender_settles == AMQP_SETTLED ? 0x41 : 0x42;
    *at++ = more ? 0x41 : 0x42;
    if (payload.len > 0) memcpy(at, payload.ptr, payload.len);
    return true;
}

/* handle, 4 times null, more */
static bool put_later(struct amqp_connection *c, struct link *link, rf_str payload, bool more)
{
    size_t bytes = LATER_HEAD_BYTES + payload.len;
    uint8_t *frame = out_reserve(c, bytes);
    if (frame == NULL) return false;
    uint8_t *at = begin_transfer(frame, link, bytes, LATER_HEAD_BYTES - 13, 6);
    memset(at, 0x40, 4);
    at[4] = more ? 0x41 : 0x42;
    memcpy(at + 5, payload.ptr, payload.len);
    return true;
}

static void count_frame(struct session *session)
{
    session->next_outgoing_id++;
    session->remote_window--;
}

/* Sends what the window lets through of the frames behind the first; returns what it did of `rest`. */
static size_t put_rest(struct amqp_connection *c, struct link *link, rf_str rest)
{
    size_t room = c->peer_frame_bytes_max - LATER_HEAD_BYTES, at = 0;
    while (at < rest.len && link->session->remote_window > 0) {
        size_t bytes = RF_MIN(room, rest.len - at);
        if (!put_later(c, link, rf_slice(rest, at, at + bytes), at + bytes < rest.len))
            return rest.len;
        at += bytes;
        count_frame(link->session);
    }
    return at;
}

static bool keep_rest(struct link *link, rf_str rest)
{
    link->rest = malloc(rest.len);
    if (link->rest == NULL) return false;
    memcpy(link->rest, rest.ptr, rest.len);
    link->rest_bytes = rest.len;
    link->rest_at = 0;
    return true;
}

static bool can_send(const struct amqp_connection *c, const struct link *link)
{
    return link->rest == NULL && link->session->remote_window > 0 &&
           out_bytes(c) < AMQP_OUT_BYTES_SOFT;
}

enum amqp_sent amqp_send(struct amqp_connection *c, struct amqp_link id, uint32_t format,
                         rf_str message)
{
    struct link *link = link_find(c, id);
    if (link == NULL || link->state != LINK_OPEN || !link->is_sender || c->state != STATE_OPEN)
        return AMQP_GONE;
    if (link->message_bytes_max > 0 && message.len > link->message_bytes_max) return AMQP_TOO_LARGE;
    if (link->credit == 0) return AMQP_NO_CREDIT;
    if (!can_send(c, link)) {
        ring_append(&c->blocked, &link->to_serve);
        return AMQP_FULL;
    }
    size_t bytes = RF_MIN(message.len, (size_t)c->peer_frame_bytes_max - FIRST_HEAD_BYTES);
    link->delivery_id = link->session->next_delivery_id;
    if (!put_first(c, link, format, rf_slice(message, 0, bytes), bytes < message.len))
        return AMQP_GONE;
    link->session->next_delivery_id++;
    link->credit--;
    link->delivery_count++;
    link->used_at = c->now;
    count_frame(link->session);
    bytes += put_rest(c, link, rf_slice(message, bytes, message.len));
    if (bytes < message.len && !keep_rest(link, rf_slice(message, bytes, message.len))) {
        link_fail(link, "amqp:resource-limit-exceeded", "memory for a message is used up",
                  AMQP_BY_SERVER);
        return AMQP_GONE;
    }
    if (link->rest != NULL) ring_append(&c->blocked, &link->to_serve);
    return AMQP_SENT;
}

uint32_t amqp_link_credit_left(const struct amqp_connection *c, struct amqp_link id)
{
    const struct link *link = link_find(c, id);
    return link == NULL ? 0 : link->credit;
}

void amqp_drained(struct amqp_connection *c, struct amqp_link id)
{
    struct link *link = link_find(c, id);
    if (link == NULL || link->state != LINK_OPEN || !link->is_sender || !link->drain) return;
    if (link->rest != NULL) return; /* when that is out, on_credit asks again */
    link->delivery_count += link->credit;
    link->credit = 0;
    session_put_flow(link->session, link);
    link->drain = false; /* until the peer asks again */
}

/* ---- credit ---------------------------------------------------------------------------------------------------------------- */

static void tell_credit(struct amqp_connection *c, struct link *link)
{
    if (link->state != LINK_OPEN || (link->credit == 0 && !link->drain)) return;
    c->options.handlers->on_credit(c->options.ctx, c, link->user, link->id, link->credit,
                                   link->drain);
}

void send_on_flow(struct amqp_connection *c, struct link *link, const struct perf_flow *flow)
{
    /* What was sent after the peer wrote this counts against what it grants (part 2, section 2.6.7). */
    uint32_t seen = flow->has_delivery_count ? flow->delivery_count : 0;
    uint32_t on_the_way = link->delivery_count - seen;
    if (!flow->has_credit) return;
    link->credit = on_the_way >= flow->credit ? 0 : flow->credit - on_the_way;
    if (on_the_way > INT32_MAX) link->credit = 0;
    link->drain = flow->drain;
    if (link->state == LINK_OPEN) ring_append(&c->blocked, &link->to_serve);
}

/* True when nothing of it is left. */
static bool resume_rest(struct amqp_connection *c, struct link *link)
{
    rf_str rest = rf_str_make(link->rest + link->rest_at, link->rest_bytes - link->rest_at);
    if (out_bytes(c) >= AMQP_OUT_BYTES_SOFT) return false;
    link->rest_at += put_rest(c, link, rest);
    if (link->rest_at < link->rest_bytes) return false;
    free(link->rest);
    link->rest = NULL;
    return true;
}

void send_resume(struct amqp_connection *c)
{
    struct ring waiting;
    if (c->state != STATE_OPEN || ring_is_empty(&c->blocked)) return;
    /* Each link once: handlers may have their links wait again. */
    waiting = c->blocked;
    waiting.next->prev = waiting.prev->next = &waiting;
    ring_init(&c->blocked);
    while (!ring_is_empty(&waiting)) {
        struct link *link = RING_OF(waiting.next, struct link, to_serve);
        ring_remove(&link->to_serve);
        if (c->state != STATE_OPEN || link->state != LINK_OPEN) continue;
        if (link->rest != NULL && !resume_rest(c, link))
            ring_append(&c->blocked, &link->to_serve);
        else if (can_send(c, link) || (link->drain && link->credit == 0))
            tell_credit(c, link);
        else if (link->credit > 0 || link->drain)
            ring_append(&c->blocked, &link->to_serve);
    }
}
