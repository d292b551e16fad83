/* kafka_int.h - what the requests' handlers share: connections, calls and their life, the table of requests, rights.
 *
 * A call is one request with its answer. Calls of a connection begin one after the other, in the order of their requests, and are
 * answered in that order, but a call that waits does not keep the next ones from beginning.
 *
 * A handler runs on the connection's loop first (call->may_block false), where it must not block, and says with its return value how it
 * goes on. What it reads is call->in (the body behind the request's head), what it writes is call->out (the body of the answer; the head is
 * there already); call->arena lasts as long as the call. */
#ifndef RF_KAFKA_INT_H
#define RF_KAFKA_INT_H

#include <pthread.h>

#include "hub/grant.h"
#include "kafka/kafka.h"
#include "kafka/wire.h"
#include "net/stream.h"
#include "state/state.h"

enum {
    KAFKA_REQUEST_BYTES_MAX = 100 << 20,
    KAFKA_UNKNOWN_REQUEST_BYTES_MAX = 64 << 10, /* of who has not logged in */
    KAFKA_CALLS_MAX = 64,                       /* of a connection under way; then it is not read */
    KAFKA_PARTITIONS_MAX = 65536,               /* that one request may name */
};

/* Wire codes. Source: protocol guide, error codes. */
enum kafka_error {
    KAFKA_UNKNOWN_SERVER_ERROR = -1,
    KAFKA_NONE = 0,
    KAFKA_OFFSET_OUT_OF_RANGE = 1,
    KAFKA_CORRUPT_MESSAGE = 2,
    KAFKA_UNKNOWN_TOPIC_OR_PARTITION = 3,
    KAFKA_LEADER_NOT_AVAILABLE = 5,
    KAFKA_REQUEST_TIMED_OUT = 7,
    KAFKA_MESSAGE_TOO_LARGE = 10,
    KAFKA_OFFSET_METADATA_TOO_LARGE = 12,
    KAFKA_COORDINATOR_LOADING = 14,
    KAFKA_COORDINATOR_NOT_AVAILABLE = 15,
    KAFKA_NOT_COORDINATOR = 16,
    KAFKA_INVALID_TOPIC = 17,
    KAFKA_INVALID_REQUIRED_ACKS = 21,
    KAFKA_ILLEGAL_GENERATION = 22,
    KAFKA_INCONSISTENT_GROUP_PROTOCOL = 23,
    KAFKA_INVALID_GROUP_ID = 24,
    KAFKA_UNKNOWN_MEMBER_ID = 25,
    KAFKA_INVALID_SESSION_TIMEOUT = 26,
    KAFKA_REBALANCE_IN_PROGRESS = 27,
    KAFKA_INVALID_COMMIT_OFFSET_SIZE = 28,
    KAFKA_TOPIC_AUTHORIZATION_FAILED = 29,
    KAFKA_GROUP_AUTHORIZATION_FAILED = 30,
    KAFKA_CLUSTER_AUTHORIZATION_FAILED = 31,
    KAFKA_UNSUPPORTED_SASL_MECHANISM = 33,
    KAFKA_ILLEGAL_SASL_STATE = 34,
    KAFKA_UNSUPPORTED_VERSION = 35,
    KAFKA_TOPIC_ALREADY_EXISTS = 36,
    KAFKA_INVALID_PARTITIONS = 37,
    KAFKA_INVALID_CONFIG = 40,
    KAFKA_INVALID_REQUEST = 42,
    KAFKA_UNSUPPORTED_FOR_MESSAGE_FORMAT = 43,
    KAFKA_POLICY_VIOLATION = 44,
    KAFKA_OUT_OF_ORDER_SEQUENCE_NUMBER = 45,
    KAFKA_DUPLICATE_SEQUENCE_NUMBER = 46,
    KAFKA_INVALID_PRODUCER_EPOCH = 47,
    KAFKA_TRANSACTIONAL_ID_AUTHORIZATION_FAILED = 53,
    KAFKA_STORAGE_ERROR = 56,
    KAFKA_SASL_AUTHENTICATION_FAILED = 58,
    KAFKA_NON_EMPTY_GROUP = 68,
    KAFKA_GROUP_ID_NOT_FOUND = 69,
    KAFKA_FENCED_LEADER_EPOCH = 74,
    KAFKA_UNKNOWN_LEADER_EPOCH = 75,
    KAFKA_UNSUPPORTED_COMPRESSION_TYPE = 76,
    KAFKA_MEMBER_ID_REQUIRED = 79,
    KAFKA_GROUP_MAX_SIZE_REACHED = 81,
    KAFKA_FENCED_INSTANCE_ID = 82,
    KAFKA_GROUP_SUBSCRIBED_TO_TOPIC = 86,
    KAFKA_INVALID_RECORD = 87,
    KAFKA_THROTTLING_QUOTA_EXCEEDED = 89
};

enum kafka_outcome {
    KAFKA_DONE, /* the answer is written */
    /* It is not, and exactly one of kafka_call_finish and kafka_call_resume follows (or came already). Where `cancel` is set that may be
     * called instead: see there. */
    KAFKA_LATER,
    /* Nothing was done yet: begin anew on a worker, where it may block. Not when call->may_block. */
    KAFKA_ON_WORKER,
    KAFKA_SILENT, /* no answer at all (acks 0) */
    KAFKA_BAD     /* malformed: the connection ends without an answer */
};

struct kafka_call;
struct kafka_api {
    int16_t key, min, max;
    enum kafka_outcome (*run)(struct kafka_call *call);
    bool before_login; /* may be asked before SASL is through, and after its token has expired */
    bool blocks;       /* never runs on a loop: its handler always has call->may_block */
    bool waits; /* for something that may take long: the end of the server does not wait for it */
};
const struct kafka_api *kafka_apis(uint32_t *count);
const struct kafka_api *kafka_api(int16_t key); /* NULL: not served */

/* Who has logged in: of a connection until it does so anew; counted, because calls under way keep the one that they began with. */
enum { KAFKA_LOGIN_CACHE = 64 };
struct kafka_verdict {
    bool is_known;
    uint64_t version; /* hubs_version when it was found */
    rf_usec at;
    uint64_t hash; /* of path and right */
    bool may;
};
struct kafka_login {
    atomic_uint refs;
    struct rf_arena arena;
    struct hub_grant grant;
    pthread_mutex_t lock; /* of what follows */
    struct kafka_verdict verdicts[KAFKA_LOGIN_CACHE];
};
struct kafka_login *kafka_login_ref(struct kafka_login *login);
void kafka_login_unref(struct kafka_login *login); /* NULL is fine */
struct kafka_login *kafka_login_new(void);         /* NULL: no memory */

struct kafka_groups; /* groups_int.h */
struct kafka {
    struct rf_clock *clock;
    struct hubs *hubs; /* NULL before kafka_start */
    struct state *state;
    struct kafka_groups *groups;
    rf_str host;
    uint16_t port;
    struct rf_budget memory; /* of requests and answers of all connections */
    pthread_mutex_t lock;
    pthread_cond_t changed;
    uint32_t conn_count; /* of those whose memory is not free yet; under the lock, like the next */
    struct kafka_conn *conns; /* whose stream has not ended */
    atomic_bool is_started;
};

enum kafka_sasl_state {
    SASL_NEW,
    SASL_CHOSEN, /* a handshake of version 1 or later: SaslAuthenticate follows */
    SASL_BARE,   /* a handshake of version 0: a frame that is just the token follows */
    SASL_DONE
};
enum kafka_mechanism { MECHANISM_PLAIN, MECHANISM_OAUTHBEARER };

struct kafka_conn {
    struct kafka *kafka;
    struct kafka_conn *next, **link; /* kafka->conns */
    struct stream_task look;         /* rights have changed: at calls that wait */
    atomic_bool is_look_due;
    _Atomic rf_usec throttle_logged; /* elapsed; 0: never */
    atomic_uint refs;                /* its stream's, and one for each call */
    atomic_bool is_gone;             /* the stream has ended */
    struct stream *stream;           /* NULL when it has ended; the loop's, like all that follows */
    struct stream_mailbox *mailbox;
    struct hub_namespace *space;
    rf_str host; /* how Metadata names the broker to it; malloc'ed when it is not kafka->host */
    char peer[STREAM_ADDRESS_BYTES_MAX];
    enum kafka_sasl_state sasl;
    enum kafka_mechanism mechanism;
    struct kafka_login *login; /* NULL before SASL is through */
    rf_str
        certificate; /* of a peer that may be a device, malloc'ed; empty: none, or it was looked at */
    struct kafka_call *first, *last; /* in the order of their requests */
    struct kafka_call *starting; /* the first whose handler has not got through; NULL: all have */
    uint32_t call_count;
    size_t answered_bytes; /* of answers that are written and not sent */
    bool is_paused, is_closing, is_stopping;
    rf_usec login_by; /* elapsed: SASL must be through */
    rf_usec retry_at; /* elapsed: memory or a worker may be free again; 0: nothing waits for them */
    uint8_t head[4];  /* of the frame that comes */
    uint32_t head_bytes;
    struct kafka_call *incoming; /* its body comes */
    size_t incoming_bytes;       /* have come */
};

/* Bytes of the answer that lie elsewhere: they are sent between out.ptr[at - 1] and out.ptr[at]. */
struct kafka_splice {
    size_t at;
    rf_str bytes;
};

struct kafka_call {
    struct kafka_conn *conn;
    struct kafka *kafka;       /* conn->kafka */
    struct kafka_login *login; /* NULL before SASL is through */
    const struct kafka_api *api;
    int16_t version;
    int32_t correlation_id;
    rf_str client_id; /* ptr NULL: none */
    uint8_t *bytes;   /* the request without its length; handlers may write into it */
    size_t len;
    struct kafka_reader in;
    struct rf_buf out; /* in `arena` */
    struct rf_arena arena;
    bool may_block;              /* on a worker */
    bool closes;                 /* set by a handler: the connection ends behind the answer */
    bool is_silent;              /* set by a handler: there is no answer */
    bool hurries;                /* the server stops: nothing is waited for any more */
    struct kafka_login *granted; /* set by a handler of SASL: the connection's with KAFKA_DONE */
    bool is_foreign_version;     /* of ApiVersions: the body cannot be read */
    bool
        holds; /* set by a handler with LATER: calls behind it do not begin before it was run again */

    /* ---- the handler's own -------------------------------------------------------------------------------------- */
    void *
        own; /* set before its first LATER when it has one; a handler that is run again (kafka_call_resume) finds it */
    void (*drop)(
        struct kafka_call *
            call); /* NULL or: releases what `own` holds; once, on any thread, nothing runs any more */
    /* NULL or: the connection has ended while the call is LATER. On the loop. True: neither finish nor resume was called, and none
     * will be: the call is dropped. */
    bool (*cancel)(struct kafka_call *call);

    /* ---- kafka.c's ------------------------------------------------------------------------------------------------ */
    /* References: the connection's queue; a worker; and the promise, from before a handler runs until the call is finished. */
    atomic_uint refs;
    struct kafka_call *next;
    struct stream_task work, post;
    enum kafka_outcome outcome; /* of the worker */
    bool is_begun, is_running /* on a worker */, is_later, is_finished, is_work_due;
    bool post_resumes; /* what call->post tells: resume, else finish */
    bool is_early;     /* that came while it was running */
    size_t cap;        /* of bytes */
    size_t body_at;
    rf_usec wake_at; /* 0: never */
    bool (*on_wake)(struct kafka_call *call);
    struct kafka_splice *splices;
    uint32_t splice_count, splice_cap, splice_at;
    size_t sent; /* of out */
    size_t splice_sent;
};

/* ---- for handlers -------------------------------------------------------------------------------------------------- */

/* Of a call that is LATER (its handler may be at work still), from any thread: its answer is written; it is not touched any more. Never
 * calls back, never blocks. */
void kafka_call_finish(struct kafka_call *call);
/* The same, but its handler is to run again on the loop, as at first (call->own is there). */
void kafka_call_resume(struct kafka_call *call);
/* At that time (rf_clock_elapsed) the loop calls on_wake, once, if the call is LATER then; true: as by kafka_call_resume. To be
 * called by the handler before it returns LATER. */
void kafka_call_wake_at(struct kafka_call *call, rf_usec at,
                        bool (*on_wake)(struct kafka_call *call));
/* The connection has ended: nobody reads the answer. Any thread. */
static inline bool kafka_call_is_gone(const struct kafka_call *call)
{
    return atomic_load_explicit(&call->conn->is_gone, memory_order_relaxed);
}
/* These bytes stand in the answer at its present end without being copied; they last as long as the call. */
void kafka_call_splice(struct kafka_call *call, rf_str bytes);
size_t kafka_call_out_bytes(const struct kafka_call *call);

/* Whether who logged in has the right on a topic, which need not exist. *may is set with RF_OK only; RF_AGAIN: it has to be
 * looked up, and call->may_block is false: the handler returns KAFKA_ON_WORKER. */
RF_MUST_USE enum rf_kind kafka_may(struct kafka_call *call, rf_str topic, enum hub_right right,
                                   bool *may);
/* On the namespace as a whole (Manage of topics). */
RF_MUST_USE enum rf_kind kafka_may_cluster(struct kafka_call *call, enum hub_right right,
                                           bool *may);
/* Groups belong to the namespace: whoever may listen to any of its hubs may use them. */
RF_MUST_USE enum rf_kind kafka_may_group(struct kafka_call *call, bool *may);
/* The same for who is turned away when he has it not: a refusal leaves a row (hub_grant_refused). */
RF_MUST_USE enum rf_kind kafka_require(struct kafka_call *call, rf_str topic, enum hub_right right,
                                       bool *may);
RF_MUST_USE enum rf_kind kafka_require_group(struct kafka_call *call, bool *may);
/* Whether nobody asked so for a path within the last seconds: for rows about refusals, which clients that try again would repeat. */
bool kafka_is_news(struct kafka_call *call, rf_str path);
/* How our errors are told in Kafka's terms. */
enum kafka_error kafka_error_of(const struct rf_err *err);

/* ---- call.c and conn.c --------------------------------------------------------------------------------------------- */

enum {
    KAFKA_API_VERSIONS = 18,
    KAFKA_LENGTH_BYTES = 4,        /* in front of every request and answer */
    KAFKA_OUT_BYTES_MAX = 2 << 20, /* that wait in the stream to be sent */
};
const struct stream_handlers *kafka_stream_handlers(void);
/* What rights rely on has changed: calls that wait look at it again. `ctx`: the struct kafka. Any thread. */
void kafka_access_changed(void *ctx);
/* A call of `len` bytes, which come later; NULL: no memory. */
struct kafka_call *kafka_call_new(struct kafka_conn *conn, size_t len);
void kafka_call_ref(struct kafka_call *call);
void kafka_call_unref(struct kafka_call *call);
void kafka_conn_unref(struct kafka_conn *conn);
/* Room for so many bytes of the request; false: no memory now. */
bool kafka_call_room(struct kafka_call *call, size_t bytes);
/* What stands before the body, when its turn has come; false: it cannot be understood, or must not be asked now. */
bool kafka_call_read_head(struct kafka_call *call);
/* Runs its handler, with an answer as yet empty when it begins. */
enum kafka_outcome kafka_call_run(struct kafka_call *call);
/* Nothing of the answer stands yet but its head. */
void kafka_call_rewind(struct kafka_call *call);

/* Sets the length of an answer that is written; false: it cannot be sent. Again does nothing while it is being sent. */
bool kafka_call_seal(struct kafka_call *call);
/* Sends on; false: the stream has no more room now, on_writable tells when. */
bool kafka_call_send(struct kafka_call *call, struct stream *stream);

/* ---- requests ------------------------------------------------------------------------------------------------------- */

enum kafka_outcome kafka_produce(struct kafka_call *call);
enum kafka_outcome kafka_fetch(struct kafka_call *call);
enum kafka_outcome kafka_list_offsets(struct kafka_call *call);
enum kafka_outcome kafka_metadata(struct kafka_call *call);
enum kafka_outcome kafka_sasl_handshake(struct kafka_call *call);
enum kafka_outcome kafka_sasl_authenticate(struct kafka_call *call);
enum kafka_outcome kafka_api_versions(struct kafka_call *call);
enum kafka_outcome kafka_create_topics(struct kafka_call *call);
enum kafka_outcome kafka_delete_topics(struct kafka_call *call);
enum kafka_outcome kafka_delete_records(struct kafka_call *call);
enum kafka_outcome kafka_create_partitions(struct kafka_call *call);
enum kafka_outcome kafka_init_producer_id(struct kafka_call *call);
enum kafka_outcome kafka_offset_for_leader_epoch(struct kafka_call *call);
enum kafka_outcome kafka_describe_configs(struct kafka_call *call);
enum kafka_outcome kafka_alter_configs(struct kafka_call *call);
enum kafka_outcome kafka_incremental_alter_configs(struct kafka_call *call);

/* group_requests.c, offsets_requests.c */
enum kafka_outcome kafka_offset_commit(struct kafka_call *call);
enum kafka_outcome kafka_offset_fetch(struct kafka_call *call);
enum kafka_outcome kafka_find_coordinator(struct kafka_call *call);
enum kafka_outcome kafka_join_group(struct kafka_call *call);
enum kafka_outcome kafka_heartbeat(struct kafka_call *call);
enum kafka_outcome kafka_leave_group(struct kafka_call *call);
enum kafka_outcome kafka_sync_group(struct kafka_call *call);
enum kafka_outcome kafka_describe_groups(struct kafka_call *call);
enum kafka_outcome kafka_list_groups(struct kafka_call *call);
enum kafka_outcome kafka_delete_groups(struct kafka_call *call);
enum kafka_outcome kafka_offset_delete(struct kafka_call *call);
/* Committed offsets and members; `kafka` has hubs, state and clock. */
RF_MUST_USE enum rf_kind kafka_groups_new(struct kafka *kafka, struct kafka_groups **out,
                                          struct rf_err *err);
/* Finishes every call that waits; none waits any more behind it. NULL is fine. */
void kafka_groups_stop(struct kafka_groups *groups);
void kafka_groups_free(struct kafka_groups *groups); /* NULL is fine */

/* ---- device.c ------------------------------------------------------------------------------------------------------ */

/* Copies the certificate that TLS showed; false: no memory. */
bool kafka_device_keep(struct kafka_conn *conn, rf_str certificate);
void kafka_device_forget(struct kafka_conn *conn);
/* A peer that asks for something without SASL is the device that its certificate names; conn->login is set then. On the loop: a
 * signature is checked, once for each connection. */
void kafka_device_log_in(struct kafka_conn *conn);
bool kafka_device_is(const struct kafka_login *login); /* NULL is fine */
/* The connection of a device whose certificate has expired or was revoked ends behind the answer. */
void kafka_device_look(struct kafka_call *call);
/* "hub/publishers/NAME" of a topic; ptr NULL: no memory. */
rf_str kafka_device_path(struct kafka_call *call, rf_str topic);
/* Puts the device's name into the records of a batch, which are in call->arena then; of who is no device they stay. */
RF_MUST_USE enum rf_kind kafka_device_stamp(struct kafka_call *call, const struct batch_head *head,
                                            rf_str *records, struct rf_err *err);
/* Leaves a row about a topic that a device may not send to, one while it asks again and again. */
void kafka_device_refused(struct kafka_call *call, rf_str topic);

/* ---- sasl.c, called by kafka.c ------------------------------------------------------------------------------------ */

/* A frame that is just the token (SASL_BARE); runs where it may block. */
enum kafka_outcome kafka_sasl_bare(struct kafka_call *call);

#endif
