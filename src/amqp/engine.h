/* engine.h - one AMQP 1.0 connection, server's side: bytes in, calls of nodes out, bytes to send in a bounded queue (OASIS AMQP 1.0, parts
 * 1, 2 and 5; contract, sections 3.1 to 3.3). Knows no socket and no clock: amqp.h stands it on a stream.
 *
 * The engine does sessions, windows, frames, the parts of long messages, credit, settling, time limits and errors of the
 * protocol. What a name means, who may attach, and what happens to messages is the handlers' business (`struct amqp_handlers`).
 *
 * Handlers are called by amqp_feed, amqp_tick and amqp_taken, on the connection's thread, and may call every function here.
 * Views that they are given last for the call. Who calls these functions from elsewhere (a task that came back to the loop) calls
 * amqp_push afterwards, which sends what has piled up: answers for neighbouring deliveries travel in one frame.
 *
 * Links are named by values that stay good for ever: a function that is given a link that has gone does nothing and says
 * so. No memory is taken for a message that came in one frame, nor for one that is sent and fits. */
#ifndef RF_AMQP_ENGINE_H
#define RF_AMQP_ENGINE_H

#include "hub/amqp_value.h"

struct amqp_connection;
struct amqp_link {
    uint32_t slot, generation;
};
struct amqp_delivery {
    struct amqp_link link;
    uint32_t id;
};
static inline bool amqp_link_eq(struct amqp_link a, struct amqp_link b)
{
    return a.slot == b.slot && a.generation == b.generation;
}

enum {
    AMQP_FRAME_BYTES_MAX = 65536,     /* that a peer may send */
    AMQP_CHANNEL_MAX = 4999,          /* the highest channel */
    AMQP_HANDLE_MAX = 262143,         /* the highest handle */
    AMQP_SESSION_WINDOW = 5000,       /* transfers */
    AMQP_MESSAGE_BYTES_MAX = 1 << 20, /* when a link is accepted without a limit of its own */
    AMQP_LINKS_MAX = 8192,            /* of a connection */
    AMQP_PARTS_BYTES_MAX = 16 << 20,  /* of messages of a connection of which frames are missing */
    AMQP_OUT_BYTES_SOFT =
        256 << 10, /* with that much to send nothing is read, and amqp_send says AMQP_FULL */
    AMQP_DESCRIPTION_BYTES_MAX = 1024, /* of an error; what is longer is cut */
};

/* An error of the protocol: a condition such as "amqp:not-found", and a text for people. */
struct amqp_error {
    const char *condition;
    rf_str description;
};

struct amqp_open {
    rf_str container, hostname;   /* hostname: the namespace that is asked for; may be empty */
    rf_str user_agent, product;   /* of the properties; may be empty */
    struct amqp_value properties; /* AMQP_NONE: none */
    uint32_t frame_bytes_max, idle_msec; /* idle_msec 0: none */
};

enum amqp_settle { AMQP_UNSETTLED, AMQP_SETTLED, AMQP_MIXED };
/* A link that a peer wants. `is_sender` is the server's part: true means that messages flow to the peer. */
struct amqp_attach {
    rf_str name;
    bool is_sender;
    rf_str source, target; /* addresses; ptr NULL: none */
    bool has_source, has_target,
        is_dynamic;           /* is_dynamic: it wants a node made: there is no such thing here */
    bool is_coordinator;      /* the target is a coordinator of transactions */
    struct amqp_value filter; /* of the source: a map; AMQP_NONE: none */
    struct amqp_value properties; /* a map; AMQP_NONE: none */
    struct amqp_value
        capabilities; /* that are desired: a symbol or an array of symbols; AMQP_NONE: none */
    enum amqp_settle sender_settles;
    uint64_t message_bytes_max; /* that the peer takes; 0: any */
};
/* True when the peer desires that capability. */
bool amqp_attach_desires(const struct amqp_attach *attach, const char *capability);

/* How a link is accepted; zeros are fine. Views last for the call. */
struct amqp_terms {
    uint32_t message_bytes_max;      /* 0: AMQP_MESSAGE_BYTES_MAX */
    const char *const *capabilities; /* that are offered, NULL behind the last; NULL: none */
    rf_str properties;               /* a map's encoding; empty: none */
    const rf_str
        *filter; /* a map's encoding, that is in force; NULL: what was asked for; empty: none */
    /* Messages to the server: credit that is kept granted, as long as fewer than unsettled_max wait to be settled
     * (0: twice the credit). */
    uint32_t credit, unsettled_max;
    int64_t idle_usec; /* without a message for so long: on_link_idle; 0: never */
};

enum amqp_ended {
    AMQP_BY_PEER,   /* it detached the link, ended the session, or closed the connection */
    AMQP_BY_SERVER, /* amqp_detach, amqp_close, or an error of the protocol */
    AMQP_STOLEN,    /* the peer attached the same name once more */
    AMQP_LOST       /* the transport has gone */
};

struct amqp_handlers {
    /* What the peer says in SASL: `response` is its initial response, or its answer to a challenge; ptr NULL: there is none. A
     * peer that skips SASL has mechanism ANONYMOUS. Answer with amqp_sasl_ok, _fail or _challenge, now or later: until then nothing is
     * read. Secrets in `response` are the handler's to keep out of everywhere. */
    void (*on_sasl)(void *ctx, struct amqp_connection *connection, rf_str mechanism,
                    rf_str response);
    /* False with *refusal set refuses: the connection is closed. The refusal's text must outlive the call. */
    bool (*on_open)(void *ctx, struct amqp_connection *connection, const struct amqp_open *open,
                    struct amqp_error *refusal);
    /* Answer with amqp_link_accept or amqp_link_refuse, now or later. */
    void (*on_attach)(void *ctx, struct amqp_connection *connection, struct amqp_link link,
                      const struct amqp_attach *attach);
    /* A whole message. Unless `settled`, it waits for amqp_delivery_accept or its kin, at any time. */
    void (*on_message)(void *ctx, struct amqp_connection *connection, void *user,
                       struct amqp_delivery delivery, uint32_t format, rf_str message,
                       bool settled);
    /* A link to the peer can take messages (amqp_send) that it could not take before: it got credit, or there is room again. `drain`: the
     * peer wants what is there now, and then amqp_drained. Also called when `drain` alone has changed. */
    void (*on_credit)(void *ctx, struct amqp_connection *connection, void *user,
                      struct amqp_link link, uint32_t credit, bool drain);
    /* The link has gone: once for each that amqp_link_accept took, and for those that on_attach showed and nobody answered yet
     * (user NULL then). Not for those refused. */
    void (*on_detach)(void *ctx, struct amqp_connection *connection, void *user,
                      struct amqp_link link, enum amqp_ended why);
    /* See amqp_terms.idle_usec; called again after another idle_usec. May be NULL. */
    void (*on_link_idle)(void *ctx, struct amqp_connection *connection, void *user,
                         struct amqp_link link);
    /* All that came has been handed over: the moment to append in one go what on_message gathered. May be NULL. */
    void (*on_batch_end)(void *ctx, struct amqp_connection *connection);
};

struct amqp_options {
    rf_str container;         /* the server's id, another one for each connection; copied */
    const rf_str *mechanisms; /* of SASL, in this order; outlive the connection */
    uint32_t mechanism_count;
    const struct amqp_handlers *handlers; /* outlive the connection */
    void *ctx;
    /* How amqp_push reaches the transport; may be NULL. */
    void (*push)(void *transport);
    void *transport;
    /* Microseconds; 0: the contract's (20 s, 20 s, 240 s, 5 min). */
    int64_t opening_usec, unauthorized_usec, idle_usec, linkless_usec;
};

/* ---- the transport's side -------------------------------------------------------------------------------------------- */

/* `now` is microseconds of a clock that never goes back, here and below. NULL: no memory. */
struct amqp_connection *amqp_new(const struct amqp_options *options, int64_t now);
/* Tells on_detach for all links (AMQP_LOST). NULL is fine. Not from a handler. */
void amqp_free(struct amqp_connection *connection);
/* Reads whole frames off the front of `bytes` and returns how many bytes were taken; the others are to be given again with what comes
 * behind them, also when nothing new came but amqp_is_waiting turned false. At most AMQP_FRAME_BYTES_MAX are left when it is false. */
size_t amqp_feed(struct amqp_connection *connection, rf_str bytes, int64_t now);
/* True when nothing is read for now: on_sasl has not been answered, or too much waits to be sent. */
bool amqp_is_waiting(const struct amqp_connection *connection);
/* The bytes to send, and what was sent of them. */
rf_str amqp_output(const struct amqp_connection *connection);
void amqp_taken(struct amqp_connection *connection, size_t bytes, int64_t now);
enum amqp_phase {
    AMQP_OPENING,
    AMQP_IS_OPEN,
    AMQP_CLOSING, /* the peer's close is awaited */
    AMQP_OVER     /* the transport is to be closed as soon as amqp_output is empty */
};
enum amqp_phase amqp_phase(const struct amqp_connection *connection);
/* Heartbeats and time limits. Returns the microseconds after which it is to be called again, at the latest; when the phase
 * changes, at once. */
int64_t amqp_tick(struct amqp_connection *connection, int64_t now);

/* ---- the nodes' side -------------------------------------------------------------------------------------------------- */

void amqp_push(struct amqp_connection *connection);
/* options.ctx, which may be set later than amqp_new, before the first amqp_feed. */
void amqp_set_context(struct amqp_connection *connection, void *ctx);
void *amqp_context(const struct amqp_connection *connection);    /* options.ctx */
rf_str amqp_container(const struct amqp_connection *connection); /* the server's */

void amqp_sasl_ok(struct amqp_connection *connection);
void amqp_sasl_fail(struct amqp_connection *connection); /* code 1, and the connection ends */
void amqp_sasl_challenge(struct amqp_connection *connection, rf_str challenge);
/* Whether the peer has proved any right. Begins false; a connection without it is closed after unauthorized_usec. */
void amqp_set_authorized(struct amqp_connection *connection, bool is_authorized);
/* Ends the connection; error->condition NULL: without an error. */
void amqp_close(struct amqp_connection *connection, const struct amqp_error *error);

/* `user` is handed to the other handlers. False: the link has gone, and nothing of `user` is kept. */
bool amqp_link_accept(struct amqp_connection *connection, struct amqp_link link,
                      const struct amqp_terms *terms, void *user);
/* attach without a source or target, then detach with the error. */
void amqp_link_refuse(struct amqp_connection *connection, struct amqp_link link,
                      const struct amqp_error *error);
/* Ends an accepted link; on_detach(AMQP_BY_SERVER) is called before it returns, and nothing is sent to it any more. */
void amqp_detach(struct amqp_connection *connection, struct amqp_link link,
                 const struct amqp_error *error);
bool amqp_link_is_open(const struct amqp_connection *connection, struct amqp_link link);
void *amqp_link_user(const struct amqp_connection *connection,
                     struct amqp_link link); /* NULL: gone */
/* Whether both are there and of one session. */
bool amqp_link_is_beside(const struct amqp_connection *connection, struct amqp_link a,
                         struct amqp_link b);
/* The next open link of the connection after `*link`; begin with all bits zero. For checks of all links; detaching them on the way is fine. */
bool amqp_link_next(const struct amqp_connection *connection, struct amqp_link *link);

/* Messages to the server: changes amqp_terms.credit. 0: nothing more is granted; what was granted stays granted. */
void amqp_link_credit(struct amqp_connection *connection, struct amqp_link link, uint32_t credit);
/* Settle one delivery, once. Nothing happens when its link has gone. */
void amqp_delivery_accept(struct amqp_connection *connection, struct amqp_delivery delivery);
void amqp_delivery_reject(struct amqp_connection *connection, struct amqp_delivery delivery,
                          const struct amqp_error *error);
void amqp_delivery_release(struct amqp_connection *connection, struct amqp_delivery delivery);

enum amqp_sent {
    AMQP_SENT,
    AMQP_NO_CREDIT, /* on_credit follows when there is some */
    AMQP_FULL, /* no room, no window, or the message before is not out yet: on_credit follows */
    AMQP_GONE,
    AMQP_TOO_LARGE /* for the peer's limit of the link */
};
/* Sends one message as a delivery of its own; copies. Settled when the peer asked for that. Uses one credit. */
enum amqp_sent amqp_send(struct amqp_connection *connection, struct amqp_link link, uint32_t format,
                         rf_str message);
uint32_t amqp_link_credit_left(const struct amqp_connection *connection, struct amqp_link link);
/* The peer asked to drain, and nothing is there to send: gives its credit back. While a message of the
 * link is not out wholly nothing happens, and on_credit follows with `drain` once more. */
void amqp_drained(struct amqp_connection *connection, struct amqp_link link);

#endif
