/* kafka_frames.c - messages of the cluster as frames of record batches, which is what the hubs' readers take.
 *
 * Neighbours become one frame when they were enqueued at the same time, are of one kind and have numbers without holes; the events of an
 * idempotent producer's batch become a frame that names him, when all of them are there. */
#include "hub/kafka_client_int.h"
#include "hub/record_int.h"

enum { FRAME_RECORDS_MAX = 4096 };

struct framer {
    struct rf_arena *arena;
    size_t frame_bytes;
    struct log_frames out;
    uint32_t cap;
    struct rf_buf buf;
    struct batch_builder builder;
    struct log_frame frame;
    struct kafka_batch_of batch;
};

static enum rf_kind end_frame(struct framer *f, struct rf_err *err)
{
    if (f->frame.count == 0) return RF_OK;
    bool is_whole = f->batch.count > 0 && f->batch.count == f->frame.count;
    RF_TRY(batch_end(&f->builder, CODEC_NONE, is_whole ? &f->batch.producer : NULL, err));
    batch_number(f->buf.ptr, f->frame.first);
    f->frame.batch = rf_buf_view(&f->buf);
    if (f->out.count == f->cap) {
        uint32_t cap = RF_MAX(f->cap * 2, 16u);
        f->out.items = rf_arena_grow(f->arena, f->out.items, f->cap * sizeof *f->out.items,
                                     cap * sizeof *f->out.items);
        if (f->out.items == NULL) return rf_fail_memory(err, f->arena);
        f->cap = cap;
    }
    f->out.items[f->out.count++] = f->frame;
    f->frame.count = 0;
    return RF_OK;
}

static bool is_same_batch(const struct kafka_batch_of *a, const struct kafka_batch_of *b)
{
    return a->count == b->count &&
           (a->count == 0 ||
            (a->producer.id == b->producer.id && a->producer.epoch == b->producer.epoch &&
             a->producer.sequence == b->producer.sequence));
}

static bool fits(const struct framer *f, const struct kafka_record *record, int64_t number,
                 rf_usec enqueued)
{
    const struct log_frame *frame = &f->frame;
    bool has_room = frame->count < FRAME_RECORDS_MAX && f->buf.len < f->frame_bytes;
    return frame->kind == record->kind && frame->enqueued == enqueued &&
           number == frame->first + frame->count && is_same_batch(&f->batch, &record->batch) &&
           (record->batch.count > 0 ? frame->count < record->batch.count : has_room);
}

static enum rf_kind add(struct framer *f, const struct kafka_record *record, int64_t number,
                        rf_usec enqueued, struct rf_err *err)
{
    if (f->frame.count > 0 && !fits(f, record, number, enqueued)) RF_TRY(end_frame(f, err));
    if (f->frame.count == 0) {
        f->frame = (struct log_frame){.first = number, .kind = record->kind, .enqueued = enqueued};
        f->batch = record->batch;
        f->buf = rf_buf_in(f->arena);
        batch_begin(&f->builder, &f->buf);
    }
    batch_add(&f->builder, record->time_ms, record->key, record->value, record->headers,
              record->header_count);
    f->frame.count++;
    return f->buf.failed ? rf_fail_memory(err, f->arena) : RF_OK;
}

/* ---- a message -------------------------------------------------------------------------------------------------------- */

static enum rf_kind read_headers(const rd_kafka_message_t *message, struct rf_arena *arena,
                                 struct kafka_message *out, struct rf_err *err)
{
    rd_kafka_headers_t *headers = NULL;
    if (rd_kafka_message_headers(message, &headers) != RD_KAFKA_RESP_ERR_NO_ERROR) return RF_OK;
    size_t count = rd_kafka_header_cnt(headers);
    out->headers = rf_arena_raw(arena, struct record_header, count);
    if (out->headers == NULL) return rf_fail_memory(err, arena);
    for (size_t i = 0; i < count; i++) {
        const char *name;
        const void *value;
        size_t len;
        if (rd_kafka_header_get_all(headers, i, &name, &value, &len) != RD_KAFKA_RESP_ERR_NO_ERROR)
            break;
        out->headers[out->header_count++] = (struct record_header){
            .name = rf_str_of(name), .value = rf_str_make(value, value == NULL ? 0 : len)};
    }
    return RF_OK;
}

static rf_str bytes_of(const void *ptr, size_t len)
{
    return ptr == NULL ? (rf_str){0} : rf_str_make(ptr, len);
}

/* Without a time the event takes that of the one before. */
static enum rf_kind read_message(const rd_kafka_message_t *message, rf_usec before,
                                 struct rf_arena *arena, struct kafka_record *out,
                                 rf_usec *enqueued, struct rf_err *err)
{
    rd_kafka_timestamp_type_t type;
    int64_t time_ms = rd_kafka_message_timestamp(message, &type);
    bool has_time =
        type != RD_KAFKA_TIMESTAMP_NOT_AVAILABLE && time_ms >= 0 && time_ms < INT64_MAX / 1000;
    struct kafka_message read = {.key = bytes_of(message->key, message->key_len),
                                 .value = bytes_of(message->payload, message->len)};
    RF_TRY(read_headers(message, arena, &read, err));
    RF_TRY(kafka_message_read(&read, has_time ? time_ms : before / 1000, arena, out, err));
    *enqueued = out->enqueued >= 0 ? out->enqueued : has_time ? time_ms * 1000 : before;
    return RF_OK;
}

enum rf_kind kafka_frames_of(rd_kafka_message_t *const *messages, size_t count, size_t frame_bytes,
                             struct rf_arena *arena, struct log_frames *out, struct rf_err *err)
{
    struct framer f = {.arena = arena, .frame_bytes = frame_bytes};
    rf_usec enqueued = 0;
    for (size_t i = 0; i < count; i++) {
        struct kafka_record record;
        RF_TRY(read_message(messages[i], enqueued, arena, &record, &enqueued, err));
        RF_TRY(add(&f, &record, messages[i]->offset, enqueued, err));
    }
    RF_TRY(end_frame(&f, err));
    *out = f.out;
    return RF_OK;
}
