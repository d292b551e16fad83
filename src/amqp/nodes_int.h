/* nodes_int.h - what the files of nodes.h share: a peer (one connection), its links, work that leaves the loop and comes back.
 *
 * Everything of a peer happens on its stream's thread but for: jobs, which run on a worker; `lock`, under which the list of proofs and what
 * others leave for the peer (finished appends, woken receivers, displaced ones) is kept; and owners.c. */
#ifndef RF_AMQP_NODES_INT_H
#define RF_AMQP_NODES_INT_H

#include <pthread.h>

#include "amqp/amqp.h"
#include "amqp/nodes.h"

enum {
    NODE_GRANTS_MAX = 64,
    NODE_CREDIT = 300,
    NODE_UNSETTLED_MAX = 8192, /* messages of a link that wait for the disk */
    CBS_CREDIT = 100,
    PLAIN_RECEIVERS_MAX = 5,
    READ_BYTES = 256 << 10,
    JOB_BYTES_MAX = 64 << 20,
};
#define SENDER_IDLE_USEC (30 * 60 * RF_USEC_PER_SECOND)
#define REQUEST_IDLE_USEC (10 * 60 * RF_USEC_PER_SECOND)

struct proof { /* a grant in an arena of its own */
    struct rf_arena arena;
    struct hub_grant grant;
    rf_str audience; /* what it was put for; replaces an earlier one of the same */
};

struct peer {
    struct amqp_nodes *nodes;
    struct peer *next, **link; /* of nodes->peers */
    struct amqp_connection *connection;
    struct stream *stream; /* NULL: it has gone */
    struct stream_mailbox *mailbox;
    struct hub_namespace *space;
    rf_str certificate; /* malloc'ed */
    atomic_uint refs;
    uint64_t version;                         /* of the hubs, when the links were looked at last */
    uint32_t appends;                         /* that are under way */
    struct appending *busy_first, *busy_last; /* that the hub had no room for */
    bool busy_sleeps;
    pthread_mutex_t lock;
    struct proof *proofs[NODE_GRANTS_MAX];
    uint32_t proof_count;
    struct appending *finished; /* newest first */
    atomic_bool is_posted;      /* `wake` is on its way */
    struct stream_task wake;
};
struct peer *peer_ref(struct peer *peer);
void peer_unref(struct peer *peer);
/* From any thread: has the peer look at what was left for it. */
void peer_wake(struct peer *peer);

enum node_kind { NODE_CBS, NODE_MANAGEMENT, NODE_SENDER, NODE_RECEIVER };
struct node_link {
    enum node_kind kind;
    uint32_t partition;         /* UINT32_MAX: none is named */
    bool is_out, is_idempotent; /* messages flow to the peer; a sender of 4.4 */
    struct peer *peer;
    struct amqp_link link;
    rf_str name, address; /* reply-to of requests is looked up by them */
    rf_str path;          /* "hub/partitions/0": what rights are asked for */
    struct hub *hub;
    rf_str publisher, host;
    struct rf_arena arena; /* of the texts above */
    struct answer
        *answers; /* of a link by which answers leave: those that wait for credit, oldest first */
    /* A sender's. */
    struct appending *gathering;
    struct batch_producer producer;
    /* A receiver's. */
    rf_str group, receiver;
    bool has_epoch, has_runtime, drains, is_reading, waits, is_over;
    int64_t epoch;
    int64_t at; /* the next number */
    struct hub_waiter waiter;
    atomic_bool is_woken;
    struct rf_arena frames_arena;
    struct log_frames frames;
    uint32_t frame_at;
    struct event_frame_reader reader;
    bool has_reader, has_event;
    struct event_out event;
    struct rf_buf message;
    struct rf_arena message_arena;
    struct node_link *owner_next; /* owners.c */
    uint64_t owner_key;
    bool is_owner_listed;
    atomic_bool is_displaced;
    char displaced_text[512];
};
void node_link_free(struct node_link *link);

/* ---- work on a worker ------------------------------------------------------------------------------------------- */

struct job {
    struct stream_task task;
    struct rf_arena arena;
    struct peer *peer;                                        /* a reference */
    enum rf_kind (*run)(struct job *job, struct rf_err *err); /* on a worker */
    void (*done)(struct job *job); /* on the loop; not called when the connection has gone */
    void (*drop)(struct job *job); /* NULL, or gives back what the job holds; always the last */
    struct amqp_link link;
    enum rf_kind kind;
    struct rf_err err;
    /* What attaching and requests need; see node_*.c. */
    struct node_link *made;
    struct amqp_terms terms;
    struct amqp_value filter;
    rf_str message, reply_to, audience, token, type, name, partition, request_id, security;
    enum node_kind node; /* of a request: NODE_CBS or NODE_MANAGEMENT */
    uint32_t status;
    struct rf_buf reply;
};
struct job *job_new(struct peer *peer); /* NULL: no memory */
void job_free(struct job *job);         /* one that was not started; NULL is fine */
/* Takes the job; when there is no room on the workers it is run at once. */
void job_start(struct job *job);

/* ---- errors ----------------------------------------------------------------------------------------------------- */

/* The condition, and a text with tracking, for an error of the hub. In `arena`. */
struct amqp_error node_error(const struct node_link *link, const struct peer *peer,
                             const struct rf_err *err, struct rf_arena *arena);
const char *node_condition(const struct rf_err *err);

/* ---- rights (access.c) ------------------------------------------------------------------------------------------ */

/* RF_OK when a proof of the peer gives the right on the path. Any thread. */
RF_MUST_USE enum rf_kind access_check(struct peer *peer, rf_str path, enum hub_right right,
                                      struct rf_err *err);
/* The same where the peer is turned away otherwise: a refusal leaves a row (hub_grant_refused). */
RF_MUST_USE enum rf_kind access_require(struct peer *peer, rf_str path, enum hub_right right,
                                        struct rf_err *err);
/* Takes the proof (NULL is fine); false: too many. On the loop or a worker. */
bool access_add(struct peer *peer, struct proof *proof);
struct proof *proof_new(void);
void proof_free(struct proof *proof);
/* Detaches links that nothing covers any more, whose hub has gone, or that were displaced. On the loop. */
void access_look(struct peer *peer);
/* The earliest end of a proof. */
rf_usec access_expires(struct peer *peer);

/* ---- nodes ------------------------------------------------------------------------------------------------------ */

void request_attach(struct peer *peer, struct amqp_link link, const struct amqp_attach *attach,
                    enum node_kind kind);
void request_message(struct node_link *link, struct amqp_delivery delivery, rf_str message,
                     bool settled);
void request_pump(
    struct node_link *link); /* sends the answers that wait, as far as there is credit */
void request_drop(struct node_link *link); /* frees them */
void send_attach(struct peer *peer, struct amqp_link link, const struct amqp_attach *attach);
void send_message(struct node_link *link, struct amqp_delivery delivery, uint32_t format,
                  rf_str message, bool settled);
void send_submit(struct node_link *link); /* what was gathered */
void send_finished(struct peer *peer);
void send_drop(struct peer *peer); /* what never came back is given back */
void receive_attach(struct peer *peer, struct amqp_link link, const struct amqp_attach *attach);
void receive_pump(struct node_link *link);
void receive_detached(struct node_link *link); /* frees it */

/* ---- positions (node_receive.c) ------------------------------------------------------------------------------------------ */

enum node_select { SELECT_ALL, SELECT_OFFSET, SELECT_NUMBER, SELECT_TIME, SELECT_END };
struct node_selector {
    enum node_select by;
    bool is_inclusive;
    rf_str value;   /* as it was written; a view */
    int64_t number; /* what is too large for any position is as good as the largest */
};
/* The text of a selector filter (contract, 5.1). RF_INVALID ArgumentError. */
RF_MUST_USE enum rf_kind node_selector_read(rf_str text, struct node_selector *out,
                                            struct rf_err *err);

/* ---- addresses (node_address.c) --------------------------------------------------------------------------------- */

/* Splits "hub/ConsumerGroups/g/Partitions/0", "hub/Partitions/0", "hub/Publishers/p", "hub" and makes a link of it, with its hub; looks at
 * rights, the hub's state, the partition. On a worker. RF_NOT_FOUND, RF_DENIED, RF_INVALID. */
RF_MUST_USE enum rf_kind node_resolve(struct job *job, rf_str address, enum hub_right right,
                                      struct rf_err *err);
/* RF_NOT_FOUND, with the sentence by which clients know that something is not there. */
enum rf_kind node_missing(rf_str address, struct rf_err *err);
enum rf_kind node_path_missing(struct job *job, rf_str path,
                               struct rf_err *err); /* of the namespace */
rf_str node_first_segment(rf_str path);
/* The number that `text` names, below `count`; RF_INVALID PartitionOutOfRange. */
RF_MUST_USE enum rf_kind node_partition(rf_str text, uint32_t count, uint32_t *out,
                                        struct rf_err *err);
RF_MUST_USE enum rf_kind node_lower_path(struct job *job, rf_str name, rf_str *out,
                                         struct rf_err *err);

/* ---- owners.c --------------------------------------------------------------------------------------------------- */

struct owners;
struct owners *owners_new(void);
void owners_free(struct owners *owners);
/* Admits a receiver, which displaces others as it must; or tells why not. RF_DENIED amqp:link:stolen, RF_LIMIT amqp:resource-limit-exceeded. */
RF_MUST_USE enum rf_kind owners_admit(struct owners *owners, struct node_link *link,
                                      struct rf_err *err);
/* Notes an idempotent sender, which displaces those of the same producer with a lower epoch. */
void owners_take_over(struct owners *owners, struct node_link *link);
/* Any link; not listed: nothing. */
void owners_leave(struct owners *owners, struct node_link *link);

struct amqp_nodes {
    struct rf_clock *clock;
    struct amqp_front *front;
    struct hubs *hubs;
    struct owners *owners;
    pthread_mutex_t lock;
    pthread_cond_t wake, idle;
    struct peer *peers;
    uint32_t peer_count; /* that are alive or referred to */
    pthread_t thread;
    bool has_thread, stops, changed;
};

#endif
