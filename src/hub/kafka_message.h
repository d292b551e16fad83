/* kafka_message.h - a stored event as a message of an external Kafka cluster, and back. Knows no cluster.
 *
 * A plain Kafka consumer of the topic sees what one of ours would be shown (contract, 9.5): the key, the body as value, a header for each application
 * property and named property. One header more, the last one, named "ringfort", holds what else belongs to the event:
 *
 *   0   1  version 1            then, as the flags say, in this order:
 *   1   1  enum frame_kind        CONTROL_PRODUCER   8 id, 2 epoch, 4 first sequence number of its batch, 4 count of the batch
 *   2   1  flags                  CONTROL_PUBLISHER  2 length, the name
 *   3   8  the producer's time    FRAME_AMQP         4 place of the body, the sections without it (CONTROL_SPLIT) or with it
 *
 * big endian. With CONTROL_SPLIT the body is one data section, which the value stands for. Messages whose last header is none of these were
 * written by others, and are events of FRAME_KAFKA as they are.
 *
 * Brokers before 0.11 keep neither headers nor (before 0.10) times. There the whole, with the enqueued time, is a record batch (record.h)
 * of one record, and that is the message's value: an envelope. */
#ifndef RF_HUB_KAFKA_MESSAGE_H
#define RF_HUB_KAFKA_MESSAGE_H

#include "hub/event.h"

struct kafka_message {
    rf_str key, value; /* ptr NULL: null */
    struct record_header *headers;
    uint32_t header_count;
};
/* Of a batch by which an idempotent producer's events came; count 0: none. */
struct kafka_batch_of {
    struct batch_producer producer;
    uint32_t count;
};

/* `record` as it lies in a frame of `kind`. Views of it, or in `arena`. RF_INVALID NotAnEvent: FRAME_AMQP that is no message. */
RF_MUST_USE enum rf_kind kafka_message_make(uint8_t kind, const struct record *record,
                                            const struct kafka_batch_of *batch,
                                            struct rf_arena *arena, struct kafka_message *out,
                                            struct rf_err *err);
/* Puts it into an envelope in place. */
RF_MUST_USE enum rf_kind kafka_message_wrap(struct kafka_message *message, rf_usec enqueued,
                                            struct rf_arena *arena, struct rf_err *err);

/* What a message is: the record to store. */
struct kafka_record {
    uint8_t kind;
    int64_t time_ms;  /* the producer's */
    rf_usec enqueued; /* of an envelope; -1: the message's own */
    rf_str key, value;
    struct record_header *headers;
    uint32_t header_count;
    struct kafka_batch_of batch;
};
/* Never fails but for memory: what is not understood is somebody's own message. `time_ms` is the message's. Views, or in `arena`;
 * changes message->header_count. */
RF_MUST_USE enum rf_kind kafka_message_read(struct kafka_message *message, int64_t time_ms,
                                            struct rf_arena *arena, struct kafka_record *out,
                                            struct rf_err *err);

#endif
