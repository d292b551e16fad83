/* event_int.h - what the views of an event share: its stored sections, and the names that belong to the server. */
#ifndef RF_HUB_EVENT_INT_H
#define RF_HUB_EVENT_INT_H

#include "hub/amqp_value.h"
#include "hub/event.h"

#define EVENT_DECODE_ERROR "amqp:decode-error"
#define EVENT_NOT_ALLOWED "amqp:not-allowed"

/* Of a Kafka record: who sent it. */
#define EVENT_PUBLISHER_HEADER "x-opt-publisher"
static inline bool event_is_publisher_header(rf_str name)
{
    return rf_str_is(name, EVENT_PUBLISHER_HEADER);
}

/* Annotations that only the server sets: a client's are dropped. */
bool event_is_server_name(const struct amqp_value *name);

/* The sections of what is stored (FRAME_AMQP) or came; those that are not there have type AMQP_NONE. */
struct event_sections {
    struct amqp_value annotations, properties, application; /* maps, but `properties`, a list */
    rf_str body;                                            /* all its sections; ptr NULL: none */
};
bool event_sections_read(rf_str value, struct event_sections *out);

enum event_property {
    PROPERTY_MESSAGE_ID,
    PROPERTY_USER_ID,
    PROPERTY_TO,
    PROPERTY_SUBJECT,
    PROPERTY_REPLY_TO,
    PROPERTY_CORRELATION_ID,
    PROPERTY_CONTENT_TYPE,
    PROPERTY_CONTENT_ENCODING,
    PROPERTY_ABSOLUTE_EXPIRY_TIME,
    PROPERTY_CREATION_TIME,
    PROPERTY_GROUP_ID,
    PROPERTY_GROUP_SEQUENCE,
    PROPERTY_REPLY_TO_GROUP_ID,
    PROPERTIES_COUNT
};
/* A text for people and for Kafka's headers: texts and binaries as they are, numbers, GUIDs and times written out; in
 * `arena`, ptr NULL: null, a compound value, or no memory. */
rf_str event_scalar_text(const struct amqp_value *value, struct rf_arena *arena);
/* Any value, also a compound one, which was checked when it was stored; in `arena`, NULL: no memory. */
struct json_node *event_value_json(const struct amqp_value *value, struct rf_arena *arena);
/* "content-type" */
const char *event_property_name(enum event_property property);

/* The body's bytes. `as_kafka`: a value's AMQP encoding, also of a string or binary. */
RF_MUST_USE enum rf_kind event_join_body(rf_str body, bool as_kafka, struct rf_arena *arena,
                                         rf_str *out, struct rf_err *err);
/* The headers that Kafka is shown: one for each application property (its AMQP encoding), then the named properties; with room for
 * `more` behind them. */
RF_MUST_USE enum rf_kind event_kafka_headers(const struct event_sections *sections,
                                             struct rf_arena *arena, uint32_t more,
                                             struct record_header **out, uint32_t *out_count,
                                             struct rf_err *err);

#endif
