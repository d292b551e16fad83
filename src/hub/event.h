/* event.h - one event, four views of it: AMQP message, Kafka record, HTTP request, row (contract, sections 4.1, 4.2, 9.5, 11).
 *
 * An event that came by AMQP or HTTP is kept as a record of a FRAME_AMQP batch: value = its encoded sections properties,
 * application-properties, body, footer and the user's message-annotations, bit for bit; key = the partition key; header "p" = the
 * publisher. One that came by Kafka is a record as it was produced, but for devices', whose records have the header
 * x-opt-publisher (event_publish). Whoever may send to all of a hub may write that header himself, as he may attach as any
 * publisher. Either is shown in the other's terms on the way out. */
#ifndef RF_HUB_EVENT_H
#define RF_HUB_EVENT_H

#include "base/json_tree.h"
#include "hub/log.h"

enum { EVENT_BYTES_MAX = 1 << 20, PARTITION_KEY_CHARS_MAX = 128, AMQP_DEPTH_MAX = 32 };
#define EVENT_BATCH_FORMAT 0x80013700u

/* What came: one encoded AMQP message taken apart; views of it, or of a copy in `arena`, which lie one behind the other in the order of
 * the members. Those that are not there have ptr NULL. */
struct event_in {
    rf_str annotations; /* the section, without the server's names */
    /* Whole sections, descriptor included; body: all sections of it. */
    rf_str properties, application, body, footer;
    rf_str partition_key;
    bool has_producer; /* com.microsoft:producer-id, -epoch and -sequence-number are there */
    struct batch_producer producer;
};
/* RF_INVALID amqp:decode-error; RF_INVALID amqp:not-allowed: a partition key that is no string or too long. */
RF_MUST_USE enum rf_kind event_read_amqp(rf_str message, struct rf_arena *arena,
                                         struct event_in *out, struct rf_err *err);
/* The members of a message of EVENT_BATCH_FORMAT: views; the envelope's partition key may be empty. */
struct event_list {
    rf_str *messages;
    uint32_t count;
    rf_str partition_key;
};
RF_MUST_USE enum rf_kind event_read_batch(rf_str message, struct rf_arena *arena,
                                          struct event_list *out, struct rf_err *err);

/* Adds it to a FRAME_AMQP batch. An event without a key that a publisher sends has his name as its key. */
void event_add(struct batch_builder *batch, rf_usec now, const struct event_in *event,
               rf_str publisher);

/* A device's Kafka batch, which was checked (batch_check), as it is stored: every record has the publisher's name in its last header, and
 * as its key when it has none; codec, producer and times stay. In `arena`. RF_LIMIT MemoryBudgetExceeded, MessageTooLarge. */
RF_MUST_USE enum rf_kind event_publish(const struct batch_head *head, rf_str publisher,
                                       struct rf_arena *arena, rf_str *out, struct rf_err *err);

/* One event as it is read from a frame. */
struct event_out {
    int64_t number;
    rf_usec enqueued;
    uint8_t kind;         /* enum frame_kind */
    struct record record; /* as it lies there */
    rf_str partition_key; /* FRAME_AMQP; ptr NULL: none, like the next */
    rf_str publisher;     /* FRAME_KAFKA: the last header, when it is named x-opt-publisher */
};
struct event_frame_reader {
    struct batch_head head;
    struct record_reader records;
    const struct log_frame *frame;
    rf_str inflated;
};
RF_MUST_USE enum rf_kind event_frame_open(struct event_frame_reader *reader,
                                          const struct log_frame *frame, struct rf_arena *arena,
                                          struct rf_err *err);
RF_MUST_USE enum rf_kind event_frame_next(struct event_frame_reader *reader, struct event_out *out,
                                          bool *more, struct rf_err *err);

/* The message that an AMQP receiver gets: delivery-annotations (when `runtime` is not NULL), message-annotations with the
 * server's names (symbols), then the sections. Appends to `buf`. */
struct event_runtime {
    int64_t last_number;
    rf_usec last_enqueued, now;
};
void event_put_amqp(struct rf_buf *buf, const struct event_out *event,
                    const struct event_runtime *runtime);

/* A batch as Kafka clients see it, of a FRAME_AMQP frame: key, joined body, a header for each application property (value =
 * AMQP encoding) and for the named properties (text). base offset = frame->first. In `arena`. */
RF_MUST_USE enum rf_kind event_kafka_batch(const struct log_frame *frame, struct rf_arena *arena,
                                           rf_str *out, struct rf_err *err);

/* {"sequenceNumber", "offset", "enqueuedTime", "partitionKey", "publisher", "contentType", "messageId", "correlationId",
 * "properties": {...}, "systemProperties": {...}, "body": text, parsed JSON, or "bodyBase64"}; members that are not there are
 * left out. For peek, capture to JSON lines and capture into tables. */
RF_MUST_USE enum rf_kind event_json(const struct event_out *event, struct rf_arena *arena,
                                    struct json_node **out, struct rf_err *err);
/* The bytes of the body: data sections joined, a string or binary value as it is, another value's AMQP encoding; Kafka: the
 * value. In `arena` where they must be joined. */
RF_MUST_USE enum rf_kind event_body(const struct event_out *event, struct rf_arena *arena,
                                    rf_str *out, struct rf_err *err);

/* Makes a message from what HTTP brought. Property values are JSON: strings, bools, ints (int or long), reals (double), nulls; objects
 * (map) and arrays (list), nested at most 16 deep: RF_INVALID amqp:not-allowed. */
struct event_parts {
    rf_str body, content_type, message_id, correlation_id, partition_key; /* ptr NULL: none */
    const struct json_node *properties;                                   /* NULL: none */
};
RF_MUST_USE enum rf_kind event_make(const struct event_parts *parts, struct rf_arena *arena,
                                    struct event_in *out, struct rf_err *err);

/* The partition that a key belongs to: Jenkins' lookup3 (contract, 4.3). */
int16_t partition_key_hash(rf_str key);
uint32_t partition_of_key(rf_str key, uint32_t partition_count);

#endif
