/* kafka_client_int.h - what the files of the Kafka store share.
 *
 * One client sends (kafka_store_write.c), one follows the ends of partitions that somebody asks for, and one reads what lies further back
 * (kafka_store_read.c); the latter two are started when they are first needed. Each partition that is followed is read from its end on into
 * the hub's cache, with what others append; one that nobody has asked for since a while, and nobody waits for, is not known any more
 * (hub_partition.is_known) and looked at again when somebody does.
 *
 * Locks: hub.opening, kafka_part.reading, kafka_store.making, kafka_store.following, hub.waking; kafka_store.lock, innermost. */
#ifndef RF_HUB_KAFKA_CLIENT_INT_H
#define RF_HUB_KAFKA_CLIENT_INT_H

#include <librdkafka/rdkafka.h>
#include <pthread.h>

#include "hub/kafka_message.h"
#include "hub/kafka_store_int.h"

enum { KAFKA_LOOK_MS = 5000, KAFKA_NAME_BYTES = 250, KAFKA_WHY_BYTES = 300 };

struct kafka_part;
struct kafka_store {
    struct hubs *hubs;
    struct kafka_store_options options; /* copies; the password is wiped when the clients have it */
    rd_kafka_conf_t *conf;              /* what all clients have in common */
    rd_kafka_t *producer;
    bool is_old; /* the brokers keep neither headers nor times, and know no idempotent producers */
    bool probe_has_id; /* of the first client: it was given one */
    uint32_t broker_count;
    pthread_t poller;
    bool has_poller;
    atomic_bool ends;
    struct rf_arena arena; /* texts */

    pthread_mutex_t lock;
    char why[KAFKA_WHY_BYTES]; /* the last thing that a client said of its connections */

    pthread_mutex_t making; /* of the two: */
    rd_kafka_t *follower, *reader;

    pthread_mutex_t following; /* the list, and held while messages are handed over */
    pthread_cond_t arrived;
    struct kafka_part *followed;
    rd_kafka_queue_t *tails; /* of all that are followed */
    pthread_t follower_thread;
    bool has_follower;
};

struct kafka_part {
    struct part_store base; /* first */
    struct kafka_store *store;
    struct hub_partition *p;
    char topic[KAFKA_NAME_BYTES];
    rd_kafka_topic_t *sends, *tail, *back; /* of each client; NULL: not used yet */
    atomic_uint_fast64_t bytes;            /* that were followed */

    struct kafka_part *next; /* kafka_store.following, like what follows */
    bool is_followed;
    uint32_t idle_rounds;
    _Atomic int64_t tail_at; /* the follower has handed over everything below */

    pthread_mutex_t reading;   /* what follows */
    bool reads;                /* `back` has been started */
    int64_t back_at;           /* where it goes on */
    rd_kafka_message_t **kept; /* read, and too much for the last answer */
    size_t kept_count;
    bool was_read;  /* since it was tended last */
    rf_usec tended; /* the keeper's */
};

/* ---- kafka_store.c ---------------------------------------------------------------------------------------------------- */

/* A client of its own: RF_INVALID BadKafkaSetting. */
RF_MUST_USE enum rf_kind kafka_client_new(struct kafka_store *store, bool produces,
                                          rd_kafka_conf_t *conf, rd_kafka_t **out,
                                          struct rf_err *err);
bool kafka_conf_set(rd_kafka_conf_t *conf, const char *name, const char *value, char *why,
                    size_t why_bytes);
/* What an error of the library means to a caller. */
RF_MUST_USE enum rf_kind kafka_failed(const struct kafka_store *store, const char *what,
                                      rd_kafka_resp_err_t code, struct rf_err *err);
RF_MUST_USE enum rf_kind kafka_too_old(const struct kafka_store *store, const char *what,
                                       struct rf_err *err);
int kafka_timeout_ms(const struct kafka_store *store);

/* ---- kafka_store_topic.c ---------------------------------------------------------------------------------------------- */

RF_MUST_USE enum rf_kind kafka_topic_name(const struct kafka_store *store, rf_str space, rf_str hub,
                                          char out[KAFKA_NAME_BYTES], struct rf_err *err);
/* Kafka's DeleteRecords. */
RF_MUST_USE enum rf_kind kafka_topic_cut(struct kafka_store *store, const char *topic,
                                         uint32_t partition, int64_t number, struct rf_err *err);

/* ---- kafka_store_write.c ---------------------------------------------------------------------------------------------- */

void kafka_on_delivered(rd_kafka_t *client, const rd_kafka_message_t *message, void *ctx);
RF_MUST_USE enum rf_kind kafka_part_append(struct kafka_part *part, struct log_frame *frames,
                                           uint32_t count, struct rf_err *err);

/* ---- kafka_store_read.c ----------------------------------------------------------------------------------------------- */

RF_MUST_USE enum rf_kind kafka_part_read(struct kafka_part *part, int64_t from, size_t bytes_max,
                                         struct rf_arena *arena, struct log_frames *out,
                                         struct rf_err *err);
RF_MUST_USE enum rf_kind kafka_part_find_time(struct kafka_part *part, rf_usec time, int64_t *out,
                                              struct rf_err *err);
void kafka_follower_stop(struct kafka_store *store);

/* ---- kafka_frames.c --------------------------------------------------------------------------------------------------- */

/* Messages, in order, as frames in `arena`; one of more than one record has hardly more than `frame_bytes`. */
RF_MUST_USE enum rf_kind kafka_frames_of(rd_kafka_message_t *const *messages, size_t count,
                                         size_t frame_bytes, struct rf_arena *arena,
                                         struct log_frames *out, struct rf_err *err);

#endif
