#include <stdlib.h>

#include "amqp/engine_int.h"

enum { FLOW_BYTES_MAX = 96, DISPOSITION_BYTES_MAX = 64 };

struct session *session_at(const struct amqp_connection *c, uint16_t channel)
{
    return channel < c->session_cap ? c->sessions[channel] : NULL;
}

/* ---- small frames, written in place ---------------------------------------------------------------------------------- */

static uint8_t *put_u32(uint8_t *at, uint32_t value)
{
    if (value <= UINT8_MAX) {
        *at++ = 0x52;
        *at++ = (uint8_t)value;
        return at;
    }
    *at++ = 0x70;
    amqp_set_u32(at, value);
    return at + 4;
}

/* A frame of at most 255 bytes begins: head, descriptor, list. */
static uint8_t *begin_small(uint8_t *frame, uint16_t channel, enum performative code, uint8_t count)
{
    static const uint8_t head[FRAME_HEAD_BYTES] = {0, 0, 0, 0, 2, 0, 0, 0};
    uint8_t *at = frame + sizeof head;
    memcpy(frame, head, sizeof head);
    frame[6] = (uint8_t)(channel >> 8);
    frame[7] = (uint8_t)channel;
    *at++ = 0x00;
    *at++ = 0x53;
    *at++ = (uint8_t)code;
    *at++ = 0xc0;
    at++; /* bytes of the list */
    *at++ = count;
    return at;
}

static void end_small(struct amqp_connection *c, uint8_t *frame, uint8_t *end)
{
    size_t bytes = (size_t)(end - frame);
    frame[12] = (uint8_t)(bytes - 13);
    amqp_set_u32(frame, (uint32_t)bytes);
    uint8_t *out = out_reserve(c, bytes);
    if (out != NULL) memcpy(out, frame, bytes);
}

/* ---- flow ------------------------------------------------------------------------------------------------------------- */

void session_put_flow(struct session *session, const struct link *link)
{
    uint8_t frame[FLOW_BYTES_MAX];
    uint8_t *at = begin_small(frame, session->channel, PERF_FLOW, link == NULL ? 4 : 9);
    session->incoming_left = AMQP_SESSION_WINDOW;
    session->owes_flow = false;
    at = put_u32(at, session->next_incoming_id);
    at = put_u32(at, AMQP_SESSION_WINDOW);
    at = put_u32(at, session->next_outgoing_id);
    at = put_u32(at, AMQP_SESSION_WINDOW);
    if (link != NULL) {
        at = put_u32(at, link->handle);
        at = put_u32(at, link->delivery_count);
        at = put_u32(at, link->credit);
        *at++ = 0x40; /* available */
        *at++ = link->is_sender && link->drain ? 0x41 : 0x42;
    }
    end_small(session->connection, frame, at);
}

static void on_link_flow(struct amqp_connection *c, struct session *session,
                         const struct perf_flow *flow)
{
    struct link *link = link_at(session, flow->handle);
    if (link == NULL) {
        session_fail(session, "amqp:session:unattached-handle",
                     "flow names a handle without a link");
        return;
    }
    if (link->state == LINK_DETACHING) return;
    if (link->is_sender) {
        send_on_flow(c, link, flow);
    } else if (flow->has_delivery_count) { /* the peer may give credit back */
        uint32_t used = flow->delivery_count - link->delivery_count;
        if (used <= link->credit) {
            link->delivery_count = flow->delivery_count;
            link->credit -= used;
            link_top_up(link);
        }
    }
    if (flow->echo && link->state != LINK_DETACHING) session_put_flow(session, link);
}

void session_on_flow(struct amqp_connection *c, struct session *session, struct fields *fields)
{
    struct perf_flow flow;
    if (!perf_flow_read(fields, &flow)) {
        connection_fail(c, "amqp:decode-error", "the fields of flow are not those of the standard");
        return;
    }
    /* What is on its way to the peer is no longer in the window that it tells (part 2, section 2.5.6). Before it has seen our begin
     * it counts from the first transfer. */
    uint32_t next = flow.has_next_incoming_id ? flow.next_incoming_id : 0;
    uint32_t on_the_way = session->next_outgoing_id - next;
    session->remote_window =
        on_the_way >= flow.incoming_window ? 0 : flow.incoming_window - on_the_way;
    if (on_the_way > INT32_MAX) session->remote_window = 0; /* it has seen what was never sent */
    if (flow.has_handle)
        on_link_flow(c, session, &flow);
    else if (flow.echo)
        session_put_flow(session, NULL);
}

/* ---- settling --------------------------------------------------------------------------------------------------------- */

void put_disposition(struct session *session, struct range range, enum performative outcome,
                     const struct amqp_error *error)
{
    uint8_t frame[DISPOSITION_BYTES_MAX];
    if (outcome == PERF_REJECTED) {
        struct control control;
        control_begin(&control, FRAME_AMQP_TYPE, session->channel, PERF_DISPOSITION);
        amqp_put_bool(&control.buf, true);
        amqp_put_uint(&control.buf, range.first);
        amqp_put_uint(&control.buf, range.last);
        amqp_put_bool(&control.buf, true);
        amqp_put_descriptor(&control.buf, PERF_REJECTED);
        size_t list = amqp_put_begin(&control.buf);
        put_error(session->connection, &control.buf, error);
        amqp_put_end(&control.buf, list, AMQP_LIST, 1);
        (void)control_end(session->connection, &control, 5);
        return;
    }
    uint8_t *at = begin_small(frame, session->channel, PERF_DISPOSITION, 5);
    *at++ = 0x41; /* by the receiver */
    at = put_u32(at, range.first);
    at = put_u32(at, range.last);
    *at++ = 0x41; /* settled */
    *at++ = 0x00;
    *at++ = 0x53;
    *at++ = (uint8_t)outcome;
    *at++ = 0x45;
    end_small(session->connection, frame, at);
}

void session_flush(struct session *session)
{
    for (uint32_t i = 0; i < session->accepted_count; i++)
        put_disposition(session, session->accepted[i], PERF_ACCEPTED, NULL);
    session->accepted_count = 0;
}

/* Joins the delivery to a range that it follows or comes before; answers may come in any order. */
static void note_accepted(struct session *session, uint32_t id)
{
    for (uint32_t i = session->accepted_count; i-- > 0;) {
        struct range *range = &session->accepted[i];
        if (id == range->last + 1) {
            range->last = id;
            return;
        }
        if (id + 1 == range->first) {
            range->first = id;
            return;
        }
    }
    if (session->accepted_count == ANSWERED_MAX) session_flush(session);
    session->accepted[session->accepted_count++] = (struct range){id, id};
    ring_append(&session->connection->to_settle, &session->to_settle);
}

/* The link of a delivery that is to be settled; NULL: it has gone, or was never unsettled. */
static struct link *settle(struct amqp_connection *c, struct amqp_delivery delivery)
{
    struct link *link = link_find(c, delivery.link);
    if (link == NULL || link->state != LINK_OPEN || link->unsettled == 0) return NULL;
    link->unsettled--;
    link_top_up(link);
    return link;
}

void amqp_delivery_accept(struct amqp_connection *c, struct amqp_delivery delivery)
{
    struct link *link = settle(c, delivery);
    if (link != NULL) note_accepted(link->session, delivery.id);
}

void amqp_delivery_reject(struct amqp_connection *c, struct amqp_delivery delivery,
                          const struct amqp_error *error)
{
    struct link *link = settle(c, delivery);
    if (link != NULL)
        put_disposition(link->session, (struct range){delivery.id, delivery.id}, PERF_REJECTED,
                        error);
}

void amqp_delivery_release(struct amqp_connection *c, struct amqp_delivery delivery)
{
    struct link *link = settle(c, delivery);
    if (link != NULL)
        put_disposition(link->session, (struct range){delivery.id, delivery.id}, PERF_RELEASED,
                        NULL);
}

void settle_up(struct amqp_connection *c)
{
    if (c->state != STATE_OPEN) return;
    while (!ring_is_empty(&c->to_settle)) {
        struct session *session = RING_OF(c->to_settle.next, struct session, to_settle);
        ring_remove(&session->to_settle);
        session_flush(session);
        if (session->owes_flow && !session->is_ending) session_put_flow(session, NULL);
    }
    while (!ring_is_empty(&c->to_grant)) {
        struct link *link = RING_OF(c->to_grant.next, struct link, to_serve);
        uint32_t free_places = link->unsettled_max - RF_MIN(link->unsettled, link->unsettled_max);
        ring_remove(&link->to_serve);
        if (link->state != LINK_OPEN) continue;
        link->credit = RF_MAX(link->credit, RF_MIN(link->window, free_places));
        session_put_flow(link->session, link);
    }
}

/* The outcome that the peer's state is, where it is one. */
static bool is_outcome(const struct amqp_value *state)
{
    if (state->type != AMQP_DESCRIBED) return false;
    uint64_t code = amqp_descriptor(state);
    return code >= PERF_ACCEPTED && code <= PERF_MODIFIED;
}

/* What receivers decide changes nothing in a log, so deliveries are not remembered. A receiver that settles second waits for
 * our settling, which repeats its outcome. */
void session_on_disposition(struct amqp_connection *c, struct session *session,
                            struct fields *fields)
{
    struct perf_disposition disposition;
    if (!perf_disposition_read(fields, &disposition)) {
        connection_fail(c, "amqp:decode-error",
                        "the fields of disposition are not those of the standard");
        return;
    }
    bool is_known = disposition.last - disposition.first <= INT32_MAX &&
                    session->next_delivery_id - disposition.last - 1 <= INT32_MAX;
    if (!disposition.is_receiver || disposition.is_settled || !is_known ||
        !is_outcome(&disposition.state))
        return;
    struct control control;
    control_begin(&control, FRAME_AMQP_TYPE, session->channel, PERF_DISPOSITION);
    amqp_put_bool(&control.buf, false);
    amqp_put_uint(&control.buf, disposition.first);
    amqp_put_uint(&control.buf, disposition.last);
    amqp_put_bool(&control.buf, true);
    if (disposition.state.whole.len < FRAME_MIN_MAX / 2)
        rf_buf_str(&control.buf, disposition.state.whole);
    else
        amqp_put_null(&control.buf);
    (void)control_end(c, &control, 5);
}

/* ---- begin and end ------------------------------------------------------------------------------------------------------ */

static bool grow_sessions(struct amqp_connection *c, uint16_t channel)
{
    if (channel < c->session_cap) return true;
    uint32_t cap = RF_MAX(c->session_cap, 4u);
    while (cap <= channel) cap *= 2;
    struct session **grown = realloc(c->sessions, cap * sizeof *grown);
    if (grown == NULL) return false;
    memset(grown + c->session_cap, 0, (cap - c->session_cap) * sizeof *grown);
    c->sessions = grown;
    c->session_cap = cap;
    return true;
}

static void put_begin(struct session *session)
{
    struct control control;
    control_begin(&control, FRAME_AMQP_TYPE, session->channel, PERF_BEGIN);
    amqp_put_ushort(&control.buf, session->channel);
    amqp_put_uint(&control.buf, session->next_outgoing_id);
    amqp_put_uint(&control.buf, AMQP_SESSION_WINDOW);
    amqp_put_uint(&control.buf, AMQP_SESSION_WINDOW);
    amqp_put_uint(&control.buf, AMQP_HANDLE_MAX);
    (void)control_end(session->connection, &control, 5);
}

void session_on_begin(struct amqp_connection *c, uint16_t channel, struct fields *fields)
{
    struct perf_begin begin;
    if (!perf_begin_read(fields, &begin)) {
        connection_fail(c, "amqp:decode-error",
                        "the fields of begin are not those of the standard");
        return;
    }
    if (channel > AMQP_CHANNEL_MAX || channel > c->peer_channel_max) {
        connection_fail(c, "amqp:connection:framing-error",
                        "the channel is above the highest one that was agreed");
        return;
    }
    if (begin.has_remote_channel || session_at(c, channel) != NULL) {
        connection_fail(
            c, "amqp:not-allowed",
            "begin names a channel that is in use, or a session that was not asked for");
        return;
    }
    if (!c->is_authorized && c->session_count >= UNAUTHORIZED_LINKS_MAX) {
        connection_fail(c, "amqp:resource-limit-exceeded",
                        "put a token before so many sessions are begun");
        return;
    }
    struct session *session = calloc(1, sizeof *session);
    if (session == NULL || !grow_sessions(c, channel)) {
        free(session);
        connection_fail(c, "amqp:resource-limit-exceeded", "memory for a session is used up");
        return;
    }
    session->connection = c;
    session->channel = channel;
    session->next_incoming_id = begin.next_outgoing_id;
    session->incoming_left = AMQP_SESSION_WINDOW;
    session->remote_window = begin.incoming_window;
    session->handle_max = begin.handle_max;
    ring_init(&session->links);
    ring_init(&session->to_settle);
    c->sessions[channel] = session;
    c->session_count++;
    put_begin(session);
}

void session_leave_links(struct session *session, enum amqp_ended why)
{
    /* Handlers free no link, and attach none: the list stays as it is. */
    for (struct ring *at = session->links.next; at != &session->links; at = at->next)
        link_leave(RING_OF(at, struct link, in_session), why);
}

void session_free(struct session *session)
{
    struct amqp_connection *c = session->connection;
    while (!ring_is_empty(&session->links))
        link_free(RING_OF(session->links.next, struct link, in_session));
    ring_remove(&session->to_settle);
    c->sessions[session->channel] = NULL;
    c->session_count--;
    free(session);
}

static void put_end(struct session *session, const struct amqp_error *error)
{
    struct control control;
    control_begin(&control, FRAME_AMQP_TYPE, session->channel, PERF_END);
    put_error(session->connection, &control.buf, error);
    (void)control_end(session->connection, &control, error == NULL ? 0 : 1);
}

void session_fail(struct session *session, const char *condition, const char *text)
{
    if (session->is_ending) return;
    session_flush(session);
    put_end(session, &(struct amqp_error){condition, rf_str_of(text)});
    session->is_ending = true;
    session_leave_links(session, AMQP_BY_SERVER);
}

void session_on_end(struct session *session)
{
    if (!session->is_ending) {
        session_flush(session);
        put_end(session, NULL);
        session->is_ending = true;
        session_leave_links(session, AMQP_BY_PEER);
    }
    session_free(session);
}
