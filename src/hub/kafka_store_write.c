/* kafka_store_write.c - frames to the cluster: a message for each event, all of a group under way at once. The library keeps their order and sends
 * again what was not acknowledged, until the time is up. */
#include "hub/kafka_client_int.h"

#include <stdlib.h>

struct sending {
    pthread_mutex_t lock;
    pthread_cond_t done;
    uint64_t left;
};
struct sent_frame {
    struct sending *sending;
    int64_t first; /* -1: not known yet */
    rf_usec enqueued;
    rd_kafka_resp_err_t code; /* the first that something of it met */
};

/* On the thread that polls. */
void kafka_on_delivered(rd_kafka_t *client, const rd_kafka_message_t *message, void *ctx)
{
    struct sent_frame *sent = message->_private;
    rd_kafka_timestamp_type_t type;
    (void)client;
    (void)ctx;
    if (sent == NULL) return;
    struct sending *sending = sent->sending;
    (void)pthread_mutex_lock(&sending->lock);
    if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR) {
        int64_t time_ms = rd_kafka_message_timestamp(message, &type);
        if (sent->first < 0 || message->offset < sent->first) sent->first = message->offset;
        if (type == RD_KAFKA_TIMESTAMP_LOG_APPEND_TIME) sent->enqueued = time_ms * 1000;
    } else if (sent->code == RD_KAFKA_RESP_ERR_NO_ERROR) {
        sent->code = message->err;
    }
    if (--sending->left == 0) (void)pthread_cond_signal(&sending->done);
    (void)pthread_mutex_unlock(&sending->lock);
}

/* ---- out -------------------------------------------------------------------------------------------------------------- */

static rd_kafka_headers_t *headers_of(const struct kafka_message *message)
{
    if (message->header_count == 0) return NULL;
    rd_kafka_headers_t *headers = rd_kafka_headers_new(message->header_count);
    for (uint32_t i = 0; i < message->header_count; i++) {
        const struct record_header *h = &message->headers[i];
        (void)rd_kafka_header_add(headers, h->name.len == 0 ? "" : (const char *)h->name.ptr,
                                  (ssize_t)h->name.len, h->value.ptr, (ssize_t)h->value.len);
    }
    return headers;
}

static void *payload(rf_str bytes) { return (void *)(uintptr_t)bytes.ptr; }

static rd_kafka_resp_err_t produce(const struct kafka_part *part, const struct kafka_message *m,
                                   struct sent_frame *sent)
{
    rd_kafka_headers_t *headers = headers_of(m);
    int64_t time_ms = sent->enqueued / 1000;
    rd_kafka_vu_t fields[] = {
        {.vtype = RD_KAFKA_VTYPE_RKT, .u.rkt = part->sends},
        {.vtype = RD_KAFKA_VTYPE_PARTITION, .u.i32 = (int32_t)part->p->index},
        {.vtype = RD_KAFKA_VTYPE_VALUE, .u.mem = {payload(m->value), m->value.len}},
        {.vtype = RD_KAFKA_VTYPE_KEY, .u.mem = {payload(m->key), m->key.len}},
        {.vtype = RD_KAFKA_VTYPE_TIMESTAMP, .u.i64 = time_ms},
        {.vtype = RD_KAFKA_VTYPE_MSGFLAGS, .u.i = RD_KAFKA_MSG_F_COPY},
        {.vtype = RD_KAFKA_VTYPE_OPAQUE, .u.ptr = sent},
        {.vtype = RD_KAFKA_VTYPE_HEADERS, .u.headers = headers},
    };
    struct sending *sending = sent->sending;
    (void)pthread_mutex_lock(&sending->lock);
    sending->left++;
    (void)pthread_mutex_unlock(&sending->lock);
    rd_kafka_error_t *error = rd_kafka_produceva(part->store->producer, fields,
                                                 RF_COUNT(fields) - (headers == NULL ? 1 : 0));
    if (error == NULL) return RD_KAFKA_RESP_ERR_NO_ERROR;
    rd_kafka_resp_err_t code = rd_kafka_error_code(error);
    rd_kafka_error_destroy(error);
    if (headers != NULL) rd_kafka_headers_destroy(headers);
    (void)pthread_mutex_lock(&sending->lock);
    sending->left--;
    (void)pthread_mutex_unlock(&sending->lock);
    return code;
}

static void note_code(struct sent_frame *sent, rd_kafka_resp_err_t code)
{
    struct sending *sending = sent->sending;
    (void)pthread_mutex_lock(&sending->lock);
    if (sent->code == RD_KAFKA_RESP_ERR_NO_ERROR) sent->code = code;
    (void)pthread_mutex_unlock(&sending->lock);
}

static enum rf_kind send_record(const struct kafka_part *part, const struct log_frame *frame,
                                const struct record *record, const struct kafka_batch_of *batch,
                                struct sent_frame *sent, bool *goes_on, struct rf_err *err)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 16 << 20);
    struct kafka_message message;
    RF_TRY(kafka_message_make(frame->kind, record, batch, &arena, &message, err));
    if (part->store->is_old) RF_TRY(kafka_message_wrap(&message, frame->enqueued, &arena, err));
    rd_kafka_resp_err_t code = produce(part, &message, sent);
    *goes_on = code == RD_KAFKA_RESP_ERR_NO_ERROR;
    if (!*goes_on) note_code(sent, code);
    return RF_OK;
}

static enum rf_kind send_frame(const struct kafka_part *part, const struct log_frame *frame,
                               struct rf_arena *scratch, struct sent_frame *sent,
                               struct rf_err *err)
{
    struct batch_head head;
    struct record_reader reader;
    struct record record;
    rf_str inflated;
    bool more, goes_on = true;
    RF_TRY(batch_read_trusted(frame->batch, &head, err));
    RF_TRY(batch_inflate(&head, scratch, &inflated, err));
    struct kafka_batch_of batch = {
        .producer = {head.producer_id, head.producer_epoch, head.base_sequence},
        .count = head.producer_id < 0 ? 0 : frame->count};
    record_reader_init(&reader, &head, inflated);
    while (goes_on) {
        RF_TRY(record_next(&reader, &record, &more, err));
        if (!more) return RF_OK;
        RF_TRY(send_record(part, frame, &record, &batch, sent, &goes_on, err));
    }
    return RF_OK;
}

/* What cannot be sent at all fails alone; what failed before stays what is told. */
static enum rf_kind finish(const struct kafka_part *part, struct log_frame *frames, uint32_t count,
                           const struct sent_frame *sent, enum rf_kind kind, struct rf_err *err)
{
    for (uint32_t i = 0; i < count; i++) {
        bool good = sent[i].code == RD_KAFKA_RESP_ERR_NO_ERROR && sent[i].first >= 0;
        frames[i].first = good ? sent[i].first : -1;
        frames[i].enqueued = sent[i].enqueued;
        if (good || kind != RF_OK) continue;
        kind = kafka_failed(part->store, part->topic, sent[i].code, err);
    }
    return kind;
}

enum rf_kind kafka_part_append(struct kafka_part *part, struct log_frame *frames, uint32_t count,
                               struct rf_err *err)
{
    struct sending sending = {.lock = PTHREAD_MUTEX_INITIALIZER, .done = PTHREAD_COND_INITIALIZER};
    struct sent_frame *sent = calloc(count, sizeof *sent);
    if (sent == NULL) {
        for (uint32_t i = 0; i < count; i++) frames[i].first = -1;
        return RF_FAIL(err, RF_LIMIT, "MemoryBudgetExceeded", "no memory to send events");
    }
    RF_CLEANUP(rf_arena_done) struct rf_arena scratch;
    rf_arena_init(&scratch, 2 * (size_t)BATCH_INFLATED_BYTES_MAX);
    enum rf_kind kind = RF_OK;
    for (uint32_t i = 0; i < count; i++) {
        struct rf_err why;
        sent[i] =
            (struct sent_frame){.sending = &sending, .first = -1, .enqueued = frames[i].enqueued};
        enum rf_kind one = send_frame(part, &frames[i], &scratch, &sent[i], &why);
        rf_arena_reset(&scratch);
        if (one == RF_OK) continue;
        note_code(&sent[i], RD_KAFKA_RESP_ERR__INVALID_ARG);
        if (kind == RF_OK && err != NULL) *err = why;
        if (kind == RF_OK) kind = one;
    }
    (void)pthread_mutex_lock(&sending.lock);
    while (sending.left > 0) (void)pthread_cond_wait(&sending.done, &sending.lock);
    (void)pthread_mutex_unlock(&sending.lock);
    kind = finish(part, frames, count, sent, kind, err);
    free(sent);
    return kind;
}
