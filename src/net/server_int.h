/* server_int.h - what the parts of the server share: server.c (listeners, life), loop.c (epoll, timers, mailbox), conn.c
 * (one connection's states), workers.c (lanes), exchange.c (a request from head to answer), stream.c (connections without HTTP;
 * net/stream_int.h), datagram.c.
 *
 * Who owns what: a loop's thread alone touches the loop, its connections, and their exchanges, except that an exchange
 * between workers_put and its return through loop_post belongs to the workers; only `gone` is shared then. */
#ifndef RF_SERVER_INT_H
#define RF_SERVER_INT_H

#include <netinet/in.h>
#include <pthread.h>

#include "net/http_parse.h"
#include "net/server.h"
#include "net/stream.h"
#include "net/tls_int.h"

struct loop;
struct conn;

/* ---- exchange: a request and its answer ------------------------------------------------------- */

struct exchange {
    struct work_item item; /* first: in a lane's queue, or in a mailbox */
    struct exchange *next; /* among the spare ones */
    struct conn *conn;
    struct server *server;
    atomic_bool gone; /* set by the loop, read by the handler */

    struct rf_arena arena;
    struct http_head head; /* head.request is what the handler sees */
    bool has_head;
    struct http_plan plan;
    struct http_response response;
    struct http_upgrade *upgrade; /* agreed, and not taken by a stream; in the arena */

    rf_str head_copy; /* in the arena; wiped at the end */
    uint8_t *body;    /* as sent, then decoded; malloc'ed, grown as it comes */
    size_t body_bytes, body_cap;
    struct http_chunks chunks;

    rf_str out_head, out_body; /* the answer as it is sent; in the arena */
};

void exchange_init(struct exchange *x);
/* Wipes, and frees everything but the exchange itself. */
void exchange_done(struct exchange *x);
/* Makes room for `more` body bytes; false when memory or the plan's limit is used up (*why says which). */
bool exchange_body_room(struct exchange *x, size_t more, struct http_refusal *why);
/* On a worker: undoes the content coding, runs the handler, makes the answer. */
void exchange_run(struct work_item *item);
/* Makes the answer of a request that does not run; the connection ends behind it when `close`. */
void exchange_refuse(struct exchange *x, struct http_refusal why, bool close);

/* ---- workers ----------------------------------------------------------------------------------- */

struct workers;
RF_MUST_USE enum rf_kind workers_new(uint32_t quick, uint32_t heavy, struct workers **out,
                                     struct rf_err *err);
/* Takes `item`, runs it and posts it back to its loop; false (and it is not taken) when its lane is full. From any thread. */
bool workers_put(struct workers *workers, enum http_lane lane, struct work_item *item);
/* Waits until every item has been returned to its loop, then ends the threads. NULL is fine. */
void workers_free(struct workers *workers);

/* ---- connections -------------------------------------------------------------------------------- */

enum conn_state {
    CONN_HANDSHAKE,
    CONN_HEAD, /* waiting for a request, or in the midst of its head */
    CONN_BODY,
    CONN_RUNNING,  /* a worker has the exchange */
    CONN_CONTINUE, /* 100 Continue is being written */
    CONN_WRITING,
    CONN_STREAM, /* speaks a protocol of its own */
    CONN_LINGER, /* everything is said: what still comes is read and dropped for a moment, so that the answer arrives */
    CONN_DEAD
};

struct conn {
    struct loop *loop;
    struct conn *next, *prev; /* all of the loop */
    struct conn *queued;      /* in the loop's list of those to go on with */
    struct ssl_st *ssl;       /* NULL: plain */
    struct exchange *x;
    struct stream *stream;
    int fd;
    uint8_t state;
    uint8_t listener;      /* index in the loop's */
    bool is_queued, began; /* began: of a request something came, or must come soon */
    uint8_t address[16];   /* IPv6, or IPv4 mapped into it */
    uint16_t port;

    uint8_t *in; /* bytes that came and are not used; NULL when there are none */
    uint32_t in_at, in_bytes, in_cap; /* used up to, filled up to, room */
    struct http_head_scan scan;
    uint32_t requests;
    size_t out_at;

    rf_usec deadline;    /* 0: none; elapsed time */
    rf_usec since;       /* when the state (or the head's first byte) began */
    uint64_t moved;      /* body or answer bytes since then */
    uint32_t timer_slot; /* index in the loop's heap plus one; 0: not there */
};

/* Takes a socket that the listener of that index accepted. */
void conn_open(struct loop *loop, int fd, const struct sockaddr_storage *peer, uint32_t listener);
/* Goes on as far as it can without waiting. */
void conn_drive(struct conn *conn);
/* The socket said that the peer is gone (`wholly`), or half of it. */
void conn_hung_up(struct conn *conn, bool wholly);
/* Its deadline has passed. */
void conn_expired(struct conn *conn);
/* A worker gave an exchange back. */
void conn_answered(struct work_item *item);
/* The server stops: ends it unless a request is under way. */
void conn_retire(struct conn *conn);
/* Ends it now; a running exchange is told. */
void conn_kill(struct conn *conn);
/* Says that nothing follows, and ends it when the peer has heard so. */
void conn_linger(struct conn *conn);

/* For streams: the socket, and bytes that came and are not used. */
enum tls_io conn_receive(struct conn *conn, void *out, size_t cap, size_t *got);
enum tls_io conn_send(struct conn *conn, rf_str bytes, size_t *put);
rf_str conn_unused(const struct conn *conn);
void conn_use(struct conn *conn, size_t bytes);
RF_MUST_USE bool conn_keep(struct conn *conn, rf_str bytes);
/* Until when `moved` bytes, sent since then at the server's least rate, give time. */
rf_usec conn_write_deadline(const struct conn *conn, rf_usec since, uint64_t moved);

/* ---- loops --------------------------------------------------------------------------------------- */

/* What a listener of streams hands connections to. */
struct stream_listener {
    struct stream_handlers handlers;
    void *ctx;
};

struct listener {
    int fd;
    struct tls_context *tls;
    const struct stream_listener *stream; /* NULL: HTTP */
    struct datagrams *datagrams;          /* NULL: it accepts connections */
    rf_usec held_until;                   /* datagrams are not read until then; 0: they are */
};

struct timer {
    rf_usec at;
    struct conn *conn;
};

enum { LOOP_SCRATCH_BYTES = 64 << 10, LISTENERS_MAX = 32, LOOPS_MAX = 64 };

struct loop {
    struct server *server;
    pthread_t thread;
    int epoll, event;
    struct listener listeners[LISTENERS_MAX];
    uint32_t listener_count;
    bool is_accepting;
    rf_usec accept_again; /* when it is not */

    struct conn *conns; /* all */
    uint32_t conn_count;
    struct conn *queue;     /* to go on with, without waiting for the socket */
    struct conn *graveyard; /* dead, to be freed at the end of the turn */
    struct exchange *spare;
    uint32_t spare_count;

    struct timer *timers; /* a heap: the earliest first */
    uint32_t timer_count, timer_cap;
    rf_usec now; /* elapsed time at the start of the turn */

    _Atomic(struct work_item *) mailbox; /* newest first */
    bool is_stopping;
    uint8_t scratch[LOOP_SCRATCH_BYTES];
};

RF_MUST_USE enum rf_kind loop_init(struct loop *loop, struct server *server, struct rf_err *err);
void loop_done(struct loop *loop);
RF_MUST_USE enum rf_kind loop_start(struct loop *loop, struct rf_err *err);
void loop_wake(struct loop *loop);
/* Has the loop call item->back. From any thread. */
void loop_post(struct loop *loop, struct work_item *item);
/* Calls back what is in the mailbox: when the loop's thread has ended. */
void loop_drain(struct loop *loop);
/* Sets or moves the deadline (elapsed time); 0 takes it away. */
void loop_set_deadline(struct conn *conn, rf_usec at);
void loop_forget_timer(struct conn *conn);
/* Calls conn_drive again soon, after others had their turn. */
void loop_go_on(struct conn *conn);
struct exchange *loop_exchange(struct loop *loop); /* NULL on lack of memory */
void loop_recycle(struct loop *loop, struct exchange *x);

/* ---- the server ------------------------------------------------------------------------------------ */

enum { PEER_SLOTS = 1 << 16 };

struct server {
    struct http_handler handler;
    struct server_limits limits; /* no zeros left */
    struct http_parse_limits parse_limits;
    struct rf_clock *clock;
    struct workers *workers;
    uint32_t quick_workers, heavy_workers;
    struct loop *loops[LOOPS_MAX];
    uint32_t loop_count, loops_started;
    struct stream_listener stream_listeners[LISTENERS_MAX];
    uint32_t stream_listener_count;
    uint64_t seed; /* of the peers' hash, so that nobody can aim at another's slot */

    atomic_bool stopping;
    atomic_bool cut;         /* what still runs and belongs to no connection is told to end */
    _Atomic rf_usec stop_at; /* elapsed time at which what still runs is told to end */
    atomic_uint_fast64_t accepted, requests, refused, bytes_in, bytes_out, datagrams, lost;
    atomic_uint connections, streams;
    /* Connections by peer: by a hash of the address without its table, so that counting takes no lock. Two peers that share a slot
     * share its limit, which with the default limits only matters to those who flood. */
    atomic_uint peers[PEER_SLOTS];
};

static inline void server_count(atomic_uint_fast64_t *counter, uint64_t more)
{
    atomic_fetch_add_explicit(counter, more, memory_order_relaxed);
}
/* True when another connection of that peer may be taken; it is counted then. */
bool server_admit(struct server *server, const uint8_t address[16]);
void server_dismiss(struct server *server, const uint8_t address[16]);
void address_of(const struct sockaddr_storage *peer, uint8_t address[16], uint16_t *port);
bool address_is_loopback(const uint8_t address[16]);

/* ---- datagrams -------------------------------------------------------------------------------------- */

/* Takes a bound socket; NULL on lack of memory. */
struct datagrams *datagrams_new(struct server *server, int fd,
                                const struct datagram_handlers *handlers);
void datagrams_free(struct datagrams *datagrams); /* the socket too; NULL is fine */
/* Reads what came, as far as the handler takes it; false: it must be called again in DATAGRAM_PAUSE_USEC. */
bool datagrams_read(struct datagrams *datagrams);
#define DATAGRAM_PAUSE_USEC (10 * RF_USEC_PER_MS)

#endif
