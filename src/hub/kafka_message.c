#include "hub/kafka_message.h"

#include "hub/event_int.h"
#include "hub/record_int.h"

enum {
    CONTROL_VERSION = 1,
    CONTROL_PRODUCER = 1,
    CONTROL_PUBLISHER = 2,
    CONTROL_SPLIT = 4,
    HEAD_BYTES = 11,
    PRODUCER_BYTES = 18,
    HEADERS_MAX = 10000, /* of a message that others wrote */
};
static const char control_name[] = "ringfort";

/* ---- out -------------------------------------------------------------------------------------------------------------- */

static void put_data(struct rf_buf *buf, rf_str body)
{
    amqp_put_descriptor(buf, AMQP_DATA);
    amqp_put_binary(buf, body);
}

/* True when the sections of the body are one data section in its shortest form, so that its bytes say it all. */
static bool is_plain_body(rf_str sections, rf_str body, struct rf_arena *arena)
{
    struct rf_buf buf = rf_buf_in(arena);
    put_data(&buf, body);
    return !buf.failed && rf_str_eq(rf_buf_view(&buf), sections);
}

static void put_u(struct rf_buf *buf, uint64_t value, size_t bytes)
{
    uint8_t be[8];
    put_u64be(be, value);
    rf_buf_put(buf, be + 8 - bytes, bytes);
}

static void put_head(struct rf_buf *buf, uint8_t kind, uint8_t flags, int64_t time_ms,
                     const struct kafka_batch_of *batch, rf_str publisher)
{
    rf_buf_byte(buf, CONTROL_VERSION);
    rf_buf_byte(buf, kind);
    rf_buf_byte(buf, flags);
    put_u(buf, (uint64_t)time_ms, 8);
    if ((flags & CONTROL_PRODUCER) != 0) {
        put_u(buf, (uint64_t)batch->producer.id, 8);
        put_u(buf, (uint16_t)batch->producer.epoch, 2);
        put_u(buf, (uint32_t)batch->producer.sequence, 4);
        put_u(buf, batch->count, 4);
    }
    if ((flags & CONTROL_PUBLISHER) != 0) {
        put_u(buf, publisher.len, 2);
        rf_buf_str(buf, publisher);
    }
}

static rf_str publisher_of(const struct record *record)
{
    struct record_header header;
    rf_str headers = record->headers, publisher = {0};
    while (record_header_next(&headers, &header))
        if (rf_str_is(header.name, "p") && header.value.len <= UINT16_MAX) publisher = header.value;
    return publisher;
}

static enum rf_kind add_control(struct kafka_message *message, const struct rf_buf *buf,
                                struct rf_arena *arena, struct rf_err *err)
{
    if (buf->failed) return rf_fail_memory(err, arena);
    message->headers[message->header_count++] =
        (struct record_header){.name = rf_str_of(control_name), .value = rf_buf_view(buf)};
    return RF_OK;
}

static enum rf_kind make_amqp(const struct record *record, const struct kafka_batch_of *batch,
                              struct rf_arena *arena, struct kafka_message *out, struct rf_err *err)
{
    struct event_sections sections;
    struct rf_buf buf = rf_buf_in(arena);
    rf_str publisher = publisher_of(record), value = record->value;
    if (!event_sections_read(value, &sections))
        return RF_FAIL(err, RF_INVALID, "NotAnEvent", "an event is no AMQP message");
    *out = (struct kafka_message){.key = record->key};
    RF_TRY(event_join_body(sections.body, true, arena, &out->value, err));
    RF_TRY(event_kafka_headers(&sections, arena, 1, &out->headers, &out->header_count, err));
    bool splits = sections.body.ptr != NULL && is_plain_body(sections.body, out->value, arena);
    uint8_t flags =
        (uint8_t)((batch->count > 0 ? CONTROL_PRODUCER : 0) |
                  (publisher.ptr != NULL ? CONTROL_PUBLISHER : 0) | (splits ? CONTROL_SPLIT : 0));
    size_t body_at =
        sections.body.ptr == NULL ? value.len : (size_t)(sections.body.ptr - value.ptr);
    put_head(&buf, FRAME_AMQP, flags, record->time_ms, batch, publisher);
    put_u(&buf, body_at, 4);
    rf_buf_str(&buf, splits ? rf_slice(value, 0, body_at) : value);
    if (splits) rf_buf_str(&buf, rf_slice(value, body_at + sections.body.len, value.len));
    return add_control(out, &buf, arena, err);
}

static enum rf_kind make_kafka(const struct record *record, const struct kafka_batch_of *batch,
                               struct rf_arena *arena, struct kafka_message *out,
                               struct rf_err *err)
{
    struct rf_buf buf = rf_buf_in(arena);
    struct record_header header;
    rf_str headers = record->headers;
    *out = (struct kafka_message){.key = record->key, .value = record->value};
    out->headers = rf_arena_raw(arena, struct record_header, (size_t)record->header_count + 1);
    if (out->headers == NULL) return rf_fail_memory(err, arena);
    while (record_header_next(&headers, &header)) out->headers[out->header_count++] = header;
    put_head(&buf, FRAME_KAFKA, batch->count > 0 ? CONTROL_PRODUCER : 0, record->time_ms, batch,
             (rf_str){0});
    return add_control(out, &buf, arena, err);
}

enum rf_kind kafka_message_make(uint8_t kind, const struct record *record,
                                const struct kafka_batch_of *batch, struct rf_arena *arena,
                                struct kafka_message *out, struct rf_err *err)
{
    return kind == FRAME_AMQP ? make_amqp(record, batch, arena, out, err)
                              : make_kafka(record, batch, arena, out, err);
}

enum rf_kind kafka_message_wrap(struct kafka_message *message, rf_usec enqueued,
                                struct rf_arena *arena, struct rf_err *err)
{
    struct rf_buf buf = rf_buf_in(arena);
    struct batch_builder builder;
    batch_begin(&builder, &buf);
    batch_add(&builder, enqueued / 1000, (rf_str){0}, message->value, message->headers,
              message->header_count);
    RF_TRY(batch_end(&builder, CODEC_NONE, NULL, err));
    message->value = rf_buf_view(&buf);
    message->headers = NULL;
    message->header_count = 0;
    return RF_OK;
}

/* ---- in --------------------------------------------------------------------------------------------------------------- */

static bool take(rf_str *rest, size_t bytes, rf_str *out)
{
    if (rest->len < bytes) return false;
    *out = rf_slice(*rest, 0, bytes);
    *rest = rf_slice(*rest, bytes, rest->len);
    return true;
}

static uint64_t number_of(rf_str bytes)
{
    uint64_t number = 0;
    for (size_t i = 0; i < bytes.len; i++) number = number << 8 | bytes.ptr[i];
    return number;
}

static bool take_u(rf_str *rest, size_t bytes, uint64_t *out)
{
    rf_str part;
    if (!take(rest, bytes, &part)) return false;
    *out = number_of(part);
    return true;
}

struct control {
    uint8_t kind, flags;
    int64_t time_ms;
    struct kafka_batch_of batch;
    rf_str publisher;
    uint64_t body_at;
    rf_str sections;
};

static bool read_producer(rf_str *rest, struct kafka_batch_of *out)
{
    uint64_t id, epoch, sequence, count;
    if (!take_u(rest, 8, &id) || !take_u(rest, 2, &epoch) || !take_u(rest, 4, &sequence) ||
        !take_u(rest, 4, &count))
        return false;
    if (id > INT64_MAX || epoch > INT16_MAX || sequence > INT32_MAX || count == 0 ||
        count > INT32_MAX)
        return false;
    out->producer = (struct batch_producer){(int64_t)id, (int16_t)epoch, (int32_t)sequence};
    out->count = (uint32_t)count;
    return true;
}

static bool read_control(rf_str text, struct control *out)
{
    uint64_t time, length;
    *out = (struct control){0};
    if (text.len < HEAD_BYTES || text.ptr[0] != CONTROL_VERSION) return false;
    out->kind = text.ptr[1], out->flags = text.ptr[2];
    if (out->kind != FRAME_KAFKA && out->kind != FRAME_AMQP) return false;
    text = rf_slice(text, 3, text.len);
    if (!take_u(&text, 8, &time)) return false;
    out->time_ms = (int64_t)time;
    if ((out->flags & CONTROL_PRODUCER) != 0 && !read_producer(&text, &out->batch)) return false;
    if ((out->flags & CONTROL_PUBLISHER) != 0 &&
        !(take_u(&text, 2, &length) && take(&text, length, &out->publisher)))
        return false;
    if (out->kind == FRAME_KAFKA) return text.len == 0;
    if (!take_u(&text, 4, &out->body_at)) return false;
    out->sections = text;
    return true;
}

/* The stored value again. False: it is no event that could have been stored. */
static bool join(const struct control *control, rf_str body, struct rf_arena *arena, rf_str *out)
{
    struct rf_buf buf = rf_buf_in(arena);
    struct event_in event;
    struct rf_err ignored;
    *out = control->sections;
    if ((control->flags & CONTROL_SPLIT) != 0) {
        if (control->body_at > control->sections.len || body.len > EVENT_BYTES_MAX) return false;
        rf_buf_str(&buf, rf_slice(control->sections, 0, control->body_at));
        put_data(&buf, body);
        rf_buf_str(&buf, rf_slice(control->sections, control->body_at, control->sections.len));
        if (buf.failed) return false;
        *out = rf_buf_view(&buf);
    }
    if (event_read_amqp(*out, arena, &event, &ignored) != RF_OK) return false;
    /* Nothing is in it that is not stored: no header, no annotation of the server's. */
    return event.annotations.len + event.properties.len + event.application.len + event.body.len +
               event.footer.len ==
           out->len;
}

/* Opens an envelope in place. Others' messages may be record batches too, so only one that we closed counts. */
static void unwrap(struct kafka_message *message, struct rf_arena *arena, rf_usec *enqueued)
{
    struct batch_head head;
    struct record record;
    struct record_header header = {0};
    struct rf_err ignored;
    rf_str inflated, headers;
    bool more = false;
    if (message->header_count > 0 || message->value.len < BATCH_HEAD_BYTES) return;
    if (message->value.ptr[AT_MAGIC] != 2) return;
    if (batch_read(message->value, &head, &ignored) != RF_OK) return;
    if (head.record_count != 1 || head.whole.len != message->value.len || head.attributes != 0)
        return;
    if (batch_inflate(&head, arena, &inflated, &ignored) != RF_OK) return;
    struct record_reader reader;
    record_reader_init(&reader, &head, inflated);
    if (record_next(&reader, &record, &more, &ignored) != RF_OK || !more) return;
    if (record.header_count == 0 || record.header_count > HEADERS_MAX) return;
    struct record_header *list = rf_arena_raw(arena, struct record_header, record.header_count);
    if (list == NULL) return;
    uint32_t count = 0;
    headers = record.headers;
    while (record_header_next(&headers, &header)) list[count++] = header;
    struct control control;
    if (!rf_str_is(header.name, control_name) || !read_control(header.value, &control)) return;
    if (record.time_ms < 0 || record.time_ms > INT64_MAX / 1000) return;
    message->value = record.value;
    message->headers = list;
    message->header_count = count;
    *enqueued = record.time_ms * 1000;
}

static enum rf_kind be_amqp(const struct control *control, rf_str value, struct rf_arena *arena,
                            struct kafka_record *out, struct rf_err *err)
{
    out->kind = FRAME_AMQP;
    out->value = value;
    out->headers = NULL;
    out->header_count = 0;
    if (control->publisher.ptr == NULL) return RF_OK;
    out->headers = rf_arena_new(arena, struct record_header, 1);
    if (out->headers == NULL) return rf_fail_memory(err, arena);
    out->headers[0] = (struct record_header){.name = RF_S("p"), .value = control->publisher};
    out->header_count = 1;
    return RF_OK;
}

enum rf_kind kafka_message_read(struct kafka_message *message, int64_t time_ms,
                                struct rf_arena *arena, struct kafka_record *out,
                                struct rf_err *err)
{
    struct control control;
    rf_usec enqueued = -1;
    unwrap(message, arena, &enqueued);
    *out = (struct kafka_record){.kind = FRAME_KAFKA,
                                 .time_ms = time_ms,
                                 .enqueued = enqueued,
                                 .key = message->key,
                                 .value = message->value,
                                 .headers = message->headers,
                                 .header_count = message->header_count};
    if (message->header_count == 0) return RF_OK;
    const struct record_header *last = &message->headers[message->header_count - 1];
    if (!rf_str_is(last->name, control_name) || !read_control(last->value, &control)) return RF_OK;
    rf_str value = {0};
    if (control.kind == FRAME_AMQP && !join(&control, message->value, arena, &value)) return RF_OK;
    out->header_count--;
    /* Between such times no difference overflows. */
    bool is_time = control.time_ms > -(INT64_C(1) << 60) && control.time_ms < INT64_C(1) << 60;
    out->time_ms = is_time ? control.time_ms : time_ms;
    out->batch = control.batch;
    return control.kind == FRAME_AMQP ? be_amqp(&control, value, arena, out, err) : RF_OK;
}
