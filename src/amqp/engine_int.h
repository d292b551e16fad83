/* engine_int.h - what the files of the engine share: out.c (what is
 * to be sent), engine.c (transport, SASL, open, close, time), session.c (begin, end, flow, settling),
 * link.c (attach, detach), receive.c (messages in), send.c (messages out). */
#ifndef RF_AMQP_ENGINE_INT_H
#define RF_AMQP_ENGINE_INT_H

#include "amqp/engine.h"
#include "amqp/frame.h"

enum {
    UNAUTHORIZED_LINKS_MAX = 64, /* and sessions, of a peer that has proved nothing */
    OUT_BYTES_HARD = 16 << 20,   /* answers that pile up; the connection is cut */
    ANSWERED_MAX = 16,           /* ranges of deliveries whose answers wait to be sent */
    CONTROL_BYTES_MAX = 1 << 20, /* of a frame that is not a transfer, while it is made */
    CLOSING_USEC = 1000000,      /* for the peer's close */
};

/* Members of lists are in at most one, and know it. */
struct ring {
    struct ring *next, *prev;
};
static inline void ring_init(struct ring *ring) { ring->next = ring->prev = ring; }
static inline bool ring_is_empty(const struct ring *ring) { return ring->next == ring; }
static inline void ring_remove(struct ring *node)
{
    node->next->prev = node->prev;
    node->prev->next = node->next;
    ring_init(node);
}
static inline void ring_append(struct ring *list,
                               struct ring *node) /* once, if it is there already */
{
    if (!ring_is_empty(node)) return;
    node->prev = list->prev;
    node->next = list;
    list->prev->next = node;
    list->prev = node;
}
#define RING_OF(node, type, member) ((type *)(void *)((char *)(node)-offsetof(type, member)))

enum link_state {
    LINK_ASKED,    /* on_attach was called */
    LINK_OPEN,     /* accepted */
    LINK_DETACHING /* the server has sent its detach; what comes is passed over until the peer's */
};

struct link {
    struct session *session;
    struct amqp_link id;
    struct ring in_session, to_serve; /* to_serve: in connection->blocked or connection->to_grant */
    uint32_t handle;
    enum link_state state;
    bool is_sender; /* the server's part */
    uint8_t sender_settles, receiver_settles;
    rf_str name; /* owned, like the encodings, which end with the answer */
    rf_str source, target;
    void *user;
    int64_t idle_usec, used_at;
    uint64_t message_bytes_max;

    uint32_t credit, delivery_count;
    bool drain;
    /* The server receives. */
    uint32_t window, unsettled, unsettled_max;
    bool in_delivery, is_settled, is_discarding;
    uint32_t delivery_id, format;
    uint8_t *parts; /* of the message under way */
    size_t parts_bytes, parts_cap;
    /* The server sends: what of a message is not out, as its session's window was shut. */
    uint8_t *rest;
    size_t rest_bytes, rest_at;
};

struct range {
    uint32_t first, last;
};
struct session {
    struct amqp_connection *connection;
    uint16_t channel;
    bool is_ending; /* the server has sent its end */
    bool owes_flow;
    uint32_t next_incoming_id, incoming_left;
    uint32_t next_outgoing_id, remote_window, next_delivery_id;
    uint32_t handle_max; /* the peer's */
    struct ring links;
    struct ring to_settle; /* in connection->to_settle: owes dispositions or a flow */
    struct range accepted[ANSWERED_MAX];
    uint32_t accepted_count;
};

enum connection_state {
    STATE_HEADER,        /* nothing came */
    STATE_SASL_INIT,     /* mechanisms were sent */
    STATE_SASL_WAIT,     /* on_sasl is to be answered */
    STATE_SASL_RESPONSE, /* a challenge was sent */
    STATE_AMQP_HEADER,   /* SASL was fine */
    STATE_OPEN_WAIT,     /* headers were exchanged */
    STATE_OPEN,
    STATE_CLOSING, /* the server's close was sent; what comes is passed over until the peer's */
    STATE_OVER     /* the transport closes when the output is out */
};

struct slot {
    struct link *link;
    uint32_t generation, next_free;
};

struct amqp_connection {
    struct amqp_options options;
    uint8_t *container;
    enum connection_state state;
    bool in_sasl_layer, has_sasl; /* frames have the type of SASL; SASL came first */
    bool is_authorized, is_cut;   /* is_cut: nothing more can be sent */
    bool is_busy;                 /* inside a call from outside */
    rf_str sasl_mechanism;        /* owned, while a challenge is out */
    int64_t now, started_at, opened_at, received_at, sent_at, linkless_at, closing_at;
    int64_t links_due_at;
    size_t left_bytes; /* that the last feed left */

    uint32_t peer_frame_bytes_max, peer_idle_msec, peer_channel_max;
    uint8_t *out;
    size_t out_head, out_len, out_cap; /* bytes: [head, len) */

    struct session **sessions; /* by channel */
    uint32_t session_cap, session_count;
    struct slot *slots;
    uint32_t slot_count, slot_cap, free_slot, link_count;
    struct link **by_handle; /* open addressing; power of two */
    uint32_t by_handle_cap;
    size_t parts_bytes;
    struct ring to_settle, to_grant, blocked;
};

/* ---- out.c, engine.c ------------------------------------------------------------------------------------------------------- */

/* Room at the end of the output for a frame of `bytes`; NULL: none, and the connection is over. The caller writes it. */
uint8_t *out_reserve(struct amqp_connection *c, size_t bytes);
void out_put(struct amqp_connection *c, const void *bytes, size_t len);
void out_take(struct amqp_connection *c, size_t bytes); /* they have been sent */
static inline size_t out_bytes(const struct amqp_connection *c) { return c->out_len - c->out_head; }
/* A frame is made in `buf`, whose memory is an arena of the call's own; then put. Too large a frame is not sent, false. */
struct control {
    struct rf_arena arena;
    struct rf_buf buf;
    size_t frame, list;
};
void control_begin(struct control *control, enum frame_type type, uint16_t channel,
                   enum performative code);
/* `count`: of fields. Releases the memory. */
bool control_end(struct amqp_connection *c, struct control *control, uint32_t count);
/* An error as a field, its text cut so that a frame bears it; null without a condition. */
void put_error(const struct amqp_connection *c, struct rf_buf *buf, const struct amqp_error *error);
/* The peer broke the protocol. */
void connection_fail(struct amqp_connection *c, const char *condition, const char *text);
/* A duration on the clock of the connection that an option sets. */
static inline bool is_past(int64_t now, int64_t since, int64_t usec) { return now - since >= usec; }

/* ---- session.c ------------------------------------------------------------------------------------------------------- */

struct session *session_at(const struct amqp_connection *c, uint16_t channel);
void session_on_begin(struct amqp_connection *c, uint16_t channel, struct fields *fields);
void session_on_end(struct session *session);
void session_on_flow(struct amqp_connection *c, struct session *session, struct fields *fields);
void session_on_disposition(struct amqp_connection *c, struct session *session,
                            struct fields *fields);
/* Ends it with an error. */
void session_fail(struct session *session, const char *condition, const char *text);
/* Frees it and its links, which have been told of. */
void session_free(struct session *session);
void session_put_flow(struct session *session, const struct link *link);
void session_flush(struct session *session); /* sends the dispositions that wait */
/* on_detach for all links that are not detached yet. */
void session_leave_links(struct session *session, enum amqp_ended why);
void put_disposition(struct session *session, struct range range, enum performative outcome,
                     const struct amqp_error *error);
/* Dispositions and grants that have gathered. */
void settle_up(struct amqp_connection *c);

/* ---- link.c ----------------------------------------------------------------------------------------------------------- */

struct link *link_find(const struct amqp_connection *c,
                       struct amqp_link id); /* NULL: gone, or on its way */
struct link *link_at(const struct session *session, uint32_t handle);
void link_on_attach(struct amqp_connection *c, struct session *session, struct fields *fields);
void link_on_detach(struct amqp_connection *c, struct session *session, struct fields *fields);
/* Tells on_detach, unless that has been done. */
void link_leave(struct link *link, enum amqp_ended why);
/* link_leave, and a detach{closed} with the error. */
void link_fail(struct link *link, const char *condition, const char *text, enum amqp_ended why);
void link_free(struct link *link);
/* Has the link's credit topped up at the end of the call, when it is low. */
void link_top_up(struct link *link);

/* ---- receive.c, send.c ------------------------------------------------------------------------------------------------ */

void link_on_transfer(struct amqp_connection *c, struct session *session,
                      struct perf_transfer *transfer);
void link_drop_parts(struct link *link);
/* Goes on with messages of which a part is out, and calls on_credit for links that waited. */
void send_resume(struct amqp_connection *c);
/* The peer's flow for a link that the server sends on. */
void send_on_flow(struct amqp_connection *c, struct link *link, const struct perf_flow *flow);

#endif
