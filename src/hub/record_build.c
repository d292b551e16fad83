#include "hub/codec.h"
#include "hub/record_int.h"

void batch_begin(struct batch_builder *builder, struct rf_buf *buf)
{
    *builder = (struct batch_builder){.buf = buf, .start = buf->len};
    if (rf_buf_reserve(buf, BATCH_HEAD_BYTES)) buf->len += BATCH_HEAD_BYTES;
}

static size_t text_bytes(rf_str s)
{
    return varint_bytes(s.ptr == NULL ? -1 : (int64_t)s.len) + s.len;
}

static uint8_t *text_put(uint8_t *p, rf_str s)
{
    p = varint_put(p, s.ptr == NULL ? -1 : (int64_t)s.len);
    if (s.ptr == NULL || s.len == 0) return p;
    memcpy(p, s.ptr, s.len);
    return p + s.len;
}

/* A header's name is never null. */
static rf_str name_of(const struct record_header *header)
{
    return header->name.ptr == NULL ? RF_S("") : header->name;
}

void batch_add(struct batch_builder *builder, int64_t time_ms, rf_str key, rf_str value,
               const struct record_header *headers, uint32_t header_count)
{
    struct rf_buf *buf = builder->buf;
    if (builder->count == 0) builder->base_time_ms = builder->max_time_ms = time_ms;
    builder->max_time_ms = RF_MAX(builder->max_time_ms, time_ms);
    /* Times a batch's readers would refuse are never made: both come from clocks. */
    int64_t time_delta = (int64_t)((uint64_t)time_ms - (uint64_t)builder->base_time_ms);
    size_t bytes = 1 + varint_bytes(time_delta) + varint_bytes(builder->count) + text_bytes(key) +
                   text_bytes(value) + varint_bytes(header_count);
    for (uint32_t i = 0; i < header_count; i++)
        bytes += text_bytes(name_of(&headers[i])) + text_bytes(headers[i].value);
    size_t whole = varint_bytes((int64_t)bytes) + bytes;
    if (!rf_buf_reserve(buf, whole)) return;

    uint8_t *p = varint_put(buf->ptr + buf->len, (int64_t)bytes);
    *p++ = 0;
    p = varint_put(p, time_delta);
    p = varint_put(p, builder->count);
    p = text_put(p, key);
    p = text_put(p, value);
    p = varint_put(p, header_count);
    for (uint32_t i = 0; i < header_count; i++)
        p = text_put(text_put(p, name_of(&headers[i])), headers[i].value);
    RF_ASSERT(p == buf->ptr + buf->len + whole);
    buf->len += whole;
    builder->count++;
}

void batch_seal(uint8_t *batch, size_t len, const struct batch_head *head)
{
    put_u64be(batch, (uint64_t)head->base_offset);
    put_u32be(batch + AT_LENGTH, (uint32_t)(len - BATCH_FOLLOWS_AT));
    put_u32be(batch + AT_EPOCH, 0);
    batch[AT_MAGIC] = 2;
    put_u16be(batch + AT_ATTRIBUTES, head->attributes);
    put_u32be(batch + AT_LAST_DELTA, (uint32_t)head->last_offset_delta);
    put_u64be(batch + AT_BASE_TIME, (uint64_t)head->base_time_ms);
    put_u64be(batch + AT_MAX_TIME, (uint64_t)head->max_time_ms);
    put_u64be(batch + AT_PRODUCER, (uint64_t)head->producer_id);
    put_u16be(batch + AT_PRODUCER_EPOCH, (uint16_t)head->producer_epoch);
    put_u32be(batch + AT_SEQUENCE, (uint32_t)head->base_sequence);
    put_u32be(batch + AT_COUNT, head->record_count);
    put_u32be(batch + AT_CRC, crc32c(0, batch + AT_ATTRIBUTES, len - AT_ATTRIBUTES));
}

/* Puts the packed records in place of the plain ones when they are smaller. */
static enum rf_kind pack(struct batch_builder *builder, enum batch_codec *codec, struct rf_err *err)
{
    struct rf_buf *buf = builder->buf;
    size_t from = builder->start + BATCH_HEAD_BYTES;
    rf_str packed;
    RF_TRY(codec_deflate(*codec, rf_str_make(buf->ptr + from, buf->len - from), buf->arena, &packed,
                         err));
    if (packed.len >= buf->len - from) {
        *codec = CODEC_NONE;
        return RF_OK;
    }
    memcpy(buf->ptr + from, packed.ptr, packed.len);
    buf->len = from + packed.len;
    return RF_OK;
}

enum rf_kind batch_end(struct batch_builder *builder, enum batch_codec codec,
                       const struct batch_producer *producer, struct rf_err *err)
{
    struct rf_buf *buf = builder->buf;
    if (buf->failed) return rf_fail_memory(err, buf->arena);
    RF_ASSERT(builder->count > 0);
    if (codec != CODEC_NONE) RF_TRY(pack(builder, &codec, err));
    size_t len = buf->len - builder->start;
    if (len > INT32_MAX)
        return RF_FAIL(err, RF_LIMIT, "MessageTooLarge", "a batch of %zu bytes; %d are the most",
                       len, INT32_MAX);
    struct batch_head head = {
        .attributes = (uint16_t)codec,
        .last_offset_delta = (int32_t)(builder->count - 1),
        .base_time_ms = builder->base_time_ms,
        .max_time_ms = builder->max_time_ms,
        .producer_id = producer == NULL ? -1 : producer->id,
        .producer_epoch = producer == NULL ? -1 : producer->epoch,
        .base_sequence = producer == NULL ? -1 : producer->sequence,
        .record_count = builder->count,
    };
    batch_seal(buf->ptr + builder->start, len, &head);
    return RF_OK;
}

void batch_number(uint8_t *batch, int64_t base_offset) { put_u64be(batch, (uint64_t)base_offset); }
