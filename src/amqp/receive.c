#include <stdlib.h>

#include "amqp/engine_int.h"

void link_drop_parts(struct link *link)
{
    link->session->connection->parts_bytes -= link->parts_cap;
    free(link->parts);
    link->parts = NULL;
    link->parts_bytes = link->parts_cap = 0;
}

/* `bytes` more fit the link's limit. */
static bool parts_reserve(struct link *link, size_t bytes)
{
    struct amqp_connection *c = link->session->connection;
    size_t need = link->parts_bytes + bytes;
    if (need <= link->parts_cap) return true;
    size_t cap = RF_MIN(RF_MAX(link->parts_cap * 2, need), (size_t)link->message_bytes_max);
    size_t others = c->parts_bytes - link->parts_cap;
    if (others + cap > AMQP_PARTS_BYTES_MAX) return false;
    uint8_t *grown = realloc(link->parts, cap);
    if (grown == NULL) return false;
    link->parts = grown;
    link->parts_cap = cap;
    c->parts_bytes = others + cap;
    return true;
}

static struct amqp_delivery delivery_of(const struct link *link)
{
    return (struct amqp_delivery){link->id, link->delivery_id};
}

/* Too large: said at once, and what follows of it is passed over. The link stays. */
static void refuse_size(struct link *link)
{
    link->is_discarding = true;
    link_drop_parts(link);
    if (link->is_settled) return;
    link->is_settled = true;
    struct amqp_error error = {"amqp:link:message-size-exceeded",
                               RF_S("The message is larger than max-message-size of the link.")};
    session_flush(link->session);
    put_disposition(link->session, (struct range){link->delivery_id, link->delivery_id},
                    PERF_REJECTED, &error);
}

static void hand_over(struct amqp_connection *c, struct link *link, rf_str message)
{
    bool is_settled = link->is_settled;
    uint8_t *parts = link->parts; /* lasts for the call, also when the handler detaches the link */
    c->parts_bytes -= link->parts_cap;
    link->parts = NULL;
    link->parts_bytes = link->parts_cap = 0;
    link->in_delivery = false;
    if (!is_settled) link->unsettled++;
    c->options.handlers->on_message(c->options.ctx, c, link->user, delivery_of(link), link->format,
                                    message, is_settled);
    free(parts);
    link_top_up(link);
}

static bool begin_delivery(struct link *link, const struct perf_transfer *transfer)
{
    if (!transfer->has_delivery_id || !transfer->has_tag) {
        link_fail(link, "amqp:invalid-field",
                  "a delivery begins without delivery-id and delivery-tag", AMQP_BY_SERVER);
        return false;
    }
    if (link->state != LINK_OPEN || link->credit == 0) {
        link_fail(link, "amqp:link:transfer-limit-exceeded", "a delivery was sent without credit",
                  AMQP_BY_SERVER);
        return false;
    }
    link->credit--;
    link->delivery_count++;
    link->in_delivery = true;
    link->is_discarding = false;
    link->is_settled = false;
    link->delivery_id = transfer->delivery_id;
    link->format = transfer->format;
    return true;
}

static void take_payload(struct amqp_connection *c, struct link *link,
                         const struct perf_transfer *transfer)
{
    rf_str payload = transfer->payload;
    if (!link->is_discarding && link->parts_bytes + payload.len > link->message_bytes_max)
        refuse_size(link);
    if (link->is_discarding) {
        link->in_delivery = transfer->more;
        if (!transfer->more) link_top_up(link);
        return;
    }
    if (!transfer->more && link->parts_bytes == 0) {
        hand_over(c, link, payload); /* as it lies there */
        return;
    }
    if (!parts_reserve(link, payload.len)) {
        link_fail(link, "amqp:resource-limit-exceeded",
                  "too many large messages are under way at the same time", AMQP_BY_SERVER);
        return;
    }
    if (payload.len > 0) memcpy(link->parts + link->parts_bytes, payload.ptr, payload.len);
    link->parts_bytes += payload.len;
    if (!transfer->more) hand_over(c, link, rf_str_make(link->parts, link->parts_bytes));
}

/* The session counts the frame, whatever becomes of it. False: there was no room for it. */
static bool take_frame(struct amqp_connection *c, struct session *session)
{
    session->next_incoming_id++;
    if (session->incoming_left == 0) {
        session_fail(session, "amqp:session:window-violation",
                     "more transfers were sent than the window of the session has room for");
        return false;
    }
    if (--session->incoming_left <= AMQP_SESSION_WINDOW / 2) {
        session->owes_flow = true;
        ring_append(&c->to_settle, &session->to_settle);
    }
    return true;
}

void link_on_transfer(struct amqp_connection *c, struct session *session,
                      struct perf_transfer *transfer)
{
    if (!take_frame(c, session)) return;
    struct link *link = link_at(session, transfer->handle);
    if (link == NULL || link->is_sender) {
        session_fail(session, link == NULL ? "amqp:session:unattached-handle" : "amqp:not-allowed",
                     "transfer names a handle without a link to the server");
        return;
    }
    if (link->state == LINK_DETACHING) return;
    link->used_at = c->now;
    if (!link->in_delivery) {
        if (!begin_delivery(link, transfer)) return;
    } else if (transfer->has_delivery_id && transfer->delivery_id != link->delivery_id) {
        link_fail(link, "amqp:not-allowed", "a delivery begins before the one before it has ended",
                  AMQP_BY_SERVER);
        return;
    }
    if (transfer->is_settled) link->is_settled = true;
    if (transfer->is_aborted) { /* forgotten, and with that settled */
        link->in_delivery = false;
        link_drop_parts(link);
        link_top_up(link);
        return;
    }
    take_payload(c, link, transfer);
}
