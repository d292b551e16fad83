#include <stdlib.h>

#include "amqp/engine.h"
#include "test/rf_fuzz.h"

/* The first byte chooses how the bytes behind it are cut and what the nodes do; the connection is open already when its lowest bit
 * is set. Whatever comes, sizes stay bounded and each link that was shown is told of once. */
struct peer {
    uint8_t mode;
    uint32_t open_links;
    struct amqp_delivery held[8];
    uint32_t held_count;
};

static void on_sasl(void *ctx, struct amqp_connection *connection, rf_str mechanism,
                    rf_str response)
{
    struct peer *peer = ctx;
    if (rf_str_is(mechanism, "PLAIN") && response.ptr == NULL && (peer->mode & 2) != 0)
        amqp_sasl_challenge(connection, RF_S("who?"));
    else
        amqp_sasl_ok(connection);
}

static bool on_open(void *ctx, struct amqp_connection *connection, const struct amqp_open *open,
                    struct amqp_error *refusal)
{
    (void)ctx;
    amqp_set_authorized(connection, true);
    *refusal = (struct amqp_error){"amqp:not-found", open->hostname};
    return open->hostname.len != 3;
}

static void on_attach(void *ctx, struct amqp_connection *connection, struct amqp_link link,
                      const struct amqp_attach *attach)
{
    struct peer *peer = ctx;
    struct amqp_error error = {"amqp:not-found", attach->name};
    struct amqp_terms terms = {.credit = 5, .message_bytes_max = 300};
    (void)amqp_attach_desires(attach, "x");
    if (attach->name.len == 3) {
        amqp_link_refuse(connection, link, &error);
        return;
    }
    peer->open_links++;
    if (attach->name.len != 4) (void)amqp_link_accept(connection, link, &terms, peer);
}

static void on_message(void *ctx, struct amqp_connection *connection, void *user,
                       struct amqp_delivery delivery, uint32_t format, rf_str message, bool settled)
{
    struct peer *peer = ctx;
    struct amqp_section section;
    (void)user;
    (void)format;
    RF_ASSERT(message.len <= 300);
    if ((peer->mode & 4) != 0) amqp_detach(connection, delivery.link, NULL);
    while (amqp_section_next(&message, &section)) continue; /* is still there */
    if (settled) return;
    if ((peer->mode & 8) != 0 && peer->held_count < RF_COUNT(peer->held))
        peer->held[peer->held_count++] = delivery;
    else
        amqp_delivery_accept(connection, delivery);
}

static void on_credit(void *ctx, struct amqp_connection *connection, void *user,
                      struct amqp_link link, uint32_t credit, bool drain)
{
    static const uint8_t message[1500];
    (void)ctx;
    (void)user;
    for (uint32_t i = 0; i < RF_MIN(credit, 50u); i++)
        if (amqp_send(connection, link, 0, rf_str_make(message, i * 30)) != AMQP_SENT) break;
    if (drain) amqp_drained(connection, link);
}

static void on_detach(void *ctx, struct amqp_connection *connection, void *user,
                      struct amqp_link link, enum amqp_ended why)
{
    struct peer *peer = ctx;
    (void)user;
    (void)why;
    RF_ASSERT(peer->open_links > 0);
    peer->open_links--;
    RF_ASSERT(!amqp_link_is_open(connection, link));
    struct amqp_link other = {0, 0};
    if ((peer->mode & 16) != 0 && amqp_link_next(connection, &other))
        amqp_detach(connection, other, &(struct amqp_error){"amqp:link:stolen", RF_S("")});
}

static void answer_held(struct peer *peer, struct amqp_connection *connection)
{
    struct amqp_error error = {"amqp:decode-error", RF_S("no")};
    while (peer->held_count > 0) {
        struct amqp_delivery delivery = peer->held[--peer->held_count];
        if (peer->held_count % 3 == 0)
            amqp_delivery_reject(connection, delivery, &error);
        else
            amqp_delivery_accept(connection, delivery);
    }
    amqp_push(connection);
}

static void feed(struct peer *peer, struct amqp_connection *connection, rf_str bytes)
{
    size_t at = 0, shown = 0, step = (peer->mode & 32) != 0 ? 7 : 500;
    int64_t now = 0;
    while (shown < bytes.len && amqp_phase(connection) != AMQP_OVER) {
        shown = RF_MIN(bytes.len, shown + step);
        /* In memory of just its size, so that a read past the end is seen. */
        uint8_t *copy = malloc(shown - at + 1);
        RF_ASSERT(copy != NULL);
        memcpy(copy, bytes.ptr + at, shown - at);
        at += amqp_feed(connection, rf_str_make(copy, shown - at), now);
        free(copy);
        if (peer->held_count > 3) answer_held(peer, connection);
        now += 100000;
        (void)amqp_tick(connection, now);
        RF_ASSERT(amqp_output(connection).len < AMQP_OUT_BYTES_SOFT + (1 << 20));
        amqp_taken(connection, amqp_output(connection).len / ((peer->mode & 64) != 0 ? 2 : 1), now);
    }
}

RF_FUZZ(amqp_engine, bytes)
{
    static const struct amqp_handlers handlers = {.on_sasl = on_sasl,
                                                  .on_open = on_open,
                                                  .on_attach = on_attach,
                                                  .on_message = on_message,
                                                  .on_credit = on_credit,
                                                  .on_detach = on_detach};
    static const uint8_t opening[] = "AMQP\0\1\0\0"
                                     "\0\0\0\x18\2\0\0\0\0\x53\x10\xc0\xb\3\xa1\4peer\x40\x60\2\0"
                                     "\0\0\0\x14\2\0\0\0\0\x53\x11\xc0\7\4\x40\x43\x52\x10\x52\x10";
    struct peer peer = {.mode = bytes.len > 0 ? bytes.ptr[0] : 0};
    rf_str mechanism = RF_S("PLAIN");
    struct amqp_options options = {.container = RF_S("c"),
                                   .mechanisms = &mechanism,
                                   .mechanism_count = 1,
                                   .handlers = &handlers,
                                   .ctx = &peer};
    if (bytes.len == 0) return;
    struct amqp_connection *connection = amqp_new(&options, 0);
    if (connection == NULL) return;
    if ((peer.mode & 1) != 0) {
        feed(&peer, connection, rf_str_make(opening, sizeof opening - 1));
        RF_ASSERT(amqp_phase(connection) == AMQP_IS_OPEN);
    }
    feed(&peer, connection, rf_slice(bytes, 1, bytes.len));
    amqp_free(connection);
    RF_ASSERT(peer.open_links == 0);
}
