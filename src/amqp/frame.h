/* frame.h - frames and performatives of AMQP 1.0 (part 2, sections 2.3 and 2.7; part 5, section 5.3) over bytes. Reading gives views. */
#ifndef RF_AMQP_FRAME_H
#define RF_AMQP_FRAME_H

#include "hub/amqp_value.h"

enum { FRAME_HEAD_BYTES = 8, FRAME_MIN_MAX = 512 /* the smallest max-frame-size */ };
enum frame_type { FRAME_AMQP_TYPE = 0, FRAME_SASL_TYPE = 1 };

enum performative {
    PERF_OPEN = 0x10,
    PERF_BEGIN,
    PERF_ATTACH,
    PERF_FLOW,
    PERF_TRANSFER,
    PERF_DISPOSITION,
    PERF_DETACH,
    PERF_END,
    PERF_CLOSE,
    PERF_ERROR = 0x1d,
    PERF_RECEIVED = 0x23,
    PERF_ACCEPTED,
    PERF_REJECTED,
    PERF_RELEASED,
    PERF_MODIFIED,
    PERF_SOURCE,
    PERF_TARGET,
    PERF_COORDINATOR = 0x30,
    PERF_SASL_MECHANISMS = 0x40,
    PERF_SASL_INIT,
    PERF_SASL_CHALLENGE,
    PERF_SASL_RESPONSE,
    PERF_SASL_OUTCOME
};

enum frame_step { FRAME_MORE, FRAME_WHOLE, FRAME_BAD };
struct frame {
    uint8_t type;
    uint16_t channel;
    rf_str body;  /* behind the extended header; empty: a heartbeat */
    size_t bytes; /* of all */
};
/* Reads the frame at the start of `bytes`. FRAME_BAD: smaller than its head, larger than `bytes_max`, or its data offset lies outside. */
enum frame_step frame_read(rf_str bytes, size_t bytes_max, struct frame *out);

/* The fields of a performative, one after the other; those that are left out at the end read as absent. A field of another type sets
 * is_bad, and what is read then means nothing. */
struct fields {
    rf_str rest;
    uint32_t left;
    bool is_bad;
};
/* Takes the performative off the front of `body`; what stays is the payload. False: it is none. */
bool fields_open(rf_str *body, uint64_t *code, struct fields *out);
/* *is_there may be NULL. */
uint32_t field_uint(struct fields *fields, uint32_t absent, bool *is_there);
uint64_t field_ulong(struct fields *fields, uint64_t absent);
bool field_bool(struct fields *fields, bool absent, bool *is_there);
rf_str field_binary(struct fields *fields);         /* ptr NULL: absent, also below */
rf_str field_text(struct fields *fields);           /* string or symbol */
struct amqp_value field_any(struct fields *fields); /* checked all through; AMQP_NONE: absent */

struct perf_open {
    rf_str container, hostname;
    uint32_t frame_bytes_max, channel_max, idle_msec;
    struct amqp_value properties;
};
struct perf_begin {
    bool has_remote_channel;
    uint32_t next_outgoing_id, incoming_window, outgoing_window, handle_max;
};
struct perf_attach {
    rf_str name;
    uint32_t handle;
    bool is_receiver; /* the peer */
    uint32_t sender_settles, receiver_settles;
    struct amqp_value source, target;
    uint32_t initial_delivery_count;
    uint64_t message_bytes_max;
    struct amqp_value desired, properties;
};
struct perf_flow {
    bool has_next_incoming_id, has_handle, has_delivery_count, has_credit;
    uint32_t next_incoming_id, incoming_window, next_outgoing_id, outgoing_window;
    uint32_t handle, delivery_count, credit;
    bool drain, echo;
};
struct perf_transfer {
    uint32_t handle, delivery_id, format;
    bool has_delivery_id, has_tag;
    bool is_settled, more, is_aborted;
    rf_str payload;
};
struct perf_disposition {
    bool is_receiver; /* the peer */
    uint32_t first, last;
    bool is_settled;
    struct amqp_value state;
};
/* Each false when a field is of another type, or one that must be there is not. */
bool perf_open_read(struct fields *fields, struct perf_open *out);
bool perf_begin_read(struct fields *fields, struct perf_begin *out);
bool perf_attach_read(struct fields *fields, struct perf_attach *out);
bool perf_flow_read(struct fields *fields, struct perf_flow *out);
bool perf_transfer_read(struct fields *fields, struct perf_transfer *out);
bool perf_disposition_read(struct fields *fields, struct perf_disposition *out);

/* A frame in `buf`: frame_begin, the performative, frame_end, which returns its bytes. */
size_t frame_begin(struct rf_buf *buf, enum frame_type type, uint16_t channel);
size_t frame_end(struct rf_buf *buf, size_t start);

#endif
