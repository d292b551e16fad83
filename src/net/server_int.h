/* server_int.h - what the parts of the server share: server.c (listeners, life), loop.c (epoll, timers, mailbox), conn.c
 * (one connection's states), workers.c (lanes), exchange.c (a request from head to answer).
 *
 * Who owns what: a loop's thread alone touches the loop, its connections, and their exchanges, except that an exchange
 * between workers_put and its return through loop_post belongs to the workers; only `gone` is shared then. */
#ifndef RF_SERVER_INT_H
#define RF_SERVER_INT_H

#include <netinet/in.h>
#include <pthread.h>

#include "net/http_parse.h"
#include "net/server.h"
#include "net/tls_int.h"

struct loop;
struct conn;

/* ---- exchange: a request and its answer ------------------------------------------------------- */

struct exchange {
    struct exchange *next; /* in a lane's queue, in a mailbox, or among the spare ones */
    struct loop *loop;
    struct conn *conn;
    struct server *server;
    atomic_bool gone; /* set by the loop, read by the handler */

    struct rf_arena arena;
    struct http_head head; /* head.request is what the handler sees */
    bool has_head;
    struct http_plan plan;
    struct http_response response;

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
void exchange_run(struct exchange *x);
/* Makes the answer of a request that does not run; the connection ends behind it when `close`. */
void exchange_refuse(struct exchange *x, struct http_refusal why, bool close);

/* ---- workers ----------------------------------------------------------------------------------- */

struct workers;
RF_MUST_USE enum rf_kind workers_new(uint32_t quick, uint32_t heavy, struct workers **out,
                                     struct rf_err *err);
/* Takes `x`; false (and it is not taken) when its lane is full. From any loop. */
bool workers_put(struct workers *workers, struct exchange *x);
/* Waits until every exchange has been returned to its loop, then ends the threads. NULL is fine. */
void workers_free(struct workers *workers);

/* ---- connections -------------------------------------------------------------------------------- */

enum conn_state {
    CONN_HANDSHAKE,
    CONN_HEAD, /* waiting for a request, or in the midst of its head */
    CONN_BODY,
    CONN_RUNNING,  /* a worker has the exchange */
    CONN_CONTINUE, /* 100 Continue is being written */
    CONN_WRITING,
    CONN_LINGER, /* everything is said: what still comes is read and dropped for a moment, so that the answer arrives */
    CONN_DEAD
};

struct conn {
    struct loop *loop;
    struct conn *next, *prev; /* all of the loop */
    struct conn *queued;      /* in the loop's list of those to go on with */
    struct ssl_st *ssl;       /* NULL: plain */
    struct exchange *x;
    int fd;
    uint8_t state;
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

/* Takes an accepted socket. */
void conn_open(struct loop *loop, int fd, const struct sockaddr_storage *peer,
               struct tls_context *tls);
/* Goes on as far as it can without waiting. */
void conn_drive(struct conn *conn);
/* The socket said that the peer is gone, or half of it. */
void conn_hung_up(struct conn *conn);
/* Its deadline has passed. */
void conn_expired(struct conn *conn);
/* A worker gave its exchange back. */
void conn_answered(struct conn *conn);
/* The server stops: ends it unless a request is under way. */
void conn_retire(struct conn *conn);
/* Ends it now; a running exchange is told. */
void conn_kill(struct conn *conn);

/* ---- loops --------------------------------------------------------------------------------------- */

struct listener {
    int fd;
    struct tls_context *tls;
};

struct timer {
    rf_usec at;
    struct conn *conn;
};

enum { LOOP_SCRATCH_BYTES = 64 << 10, LISTENERS_MAX = 16, LOOPS_MAX = 64 };

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

    _Atomic(struct exchange *) mailbox; /* newest first */
    bool is_stopping;
    uint8_t scratch[LOOP_SCRATCH_BYTES];
};

RF_MUST_USE enum rf_kind loop_init(struct loop *loop, struct server *server, struct rf_err *err);
void loop_done(struct loop *loop);
RF_MUST_USE enum rf_kind loop_start(struct loop *loop, struct rf_err *err);
void loop_wake(struct loop *loop);
/* From a worker: `x` is answered. */
void loop_post(struct loop *loop, struct exchange *x);
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
    uint64_t seed; /* of the peers' hash, so that nobody can aim at another's slot */

    atomic_bool stopping;
    _Atomic rf_usec stop_at; /* elapsed time at which what still runs is told to end */
    atomic_uint_fast64_t accepted, requests, refused, bytes_in, bytes_out;
    atomic_uint connections;
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
bool address_is_loopback(const uint8_t address[16]);

#endif
