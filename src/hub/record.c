#include "hub/codec.h"
#include "hub/record_int.h"

static enum rf_kind corrupt(struct rf_err *err, const char *what)
{
    return RF_FAIL(err, RF_INVALID, "CorruptMessage", "the record batch is damaged: %s", what);
}

/* ---- varints ------------------------------------------------------------------------------------------ */

bool varlong_take(rf_str *s, int64_t *out)
{
    uint64_t v = 0;
    for (size_t i = 0; i < s->len && i < 10; i++) {
        uint64_t bits = s->ptr[i] & 0x7f;
        if (i == 9 && bits > 1) return false;
        v |= bits << (7 * i);
        if (s->ptr[i] >= 0x80) continue;
        *s = rf_slice(*s, i + 1, s->len);
        *out = unzigzag(v);
        return true;
    }
    return false;
}

bool varint_take(rf_str *s, int32_t *out)
{
    int64_t v;
    if (RF_LIKELY(s->len > 0 && s->ptr[0] < 0x80)) {
        *out = (int32_t)unzigzag(s->ptr[0]);
        *s = rf_slice(*s, 1, s->len);
        return true;
    }
    if (RF_LIKELY(s->len > 1 && s->ptr[1] < 0x80)) { /* lengths below 8 KiB */
        *out = (int32_t)unzigzag((s->ptr[0] & 0x7f) | (uint64_t)s->ptr[1] << 7);
        *s = rf_slice(*s, 2, s->len);
        return true;
    }
    if (!varlong_take(s, &v) || v < INT32_MIN || v > INT32_MAX) return false;
    *out = (int32_t)v;
    return true;
}

/* ---- batches ------------------------------------------------------------------------------------------ */

static enum rf_kind head_read(rf_str bytes, struct batch_head *out, struct rf_err *err)
{
    const uint8_t *p = bytes.ptr;
    if (bytes.len >= BATCH_FOLLOWS_AT && (int32_t)get_u32be(p + AT_LENGTH) < 0)
        return corrupt(err, "its length is negative");
    if (bytes.len > AT_MAGIC && p[AT_MAGIC] < 2)
        return RF_FAIL(err, RF_INVALID, "UnsupportedFormat",
                       "messages of format %d are not taken; produce record batches of format 2",
                       p[AT_MAGIC]);
    if (bytes.len > AT_MAGIC && p[AT_MAGIC] > 2) return corrupt(err, "its format is unknown");
    if (bytes.len >= BATCH_FOLLOWS_AT &&
        get_u32be(p + AT_LENGTH) < BATCH_HEAD_BYTES - BATCH_FOLLOWS_AT)
        return corrupt(err, "its length is less than that of its head");
    if (bytes.len < BATCH_HEAD_BYTES ||
        bytes.len - BATCH_FOLLOWS_AT < (size_t)get_u32be(p + AT_LENGTH))
        return RF_FAIL(err, RF_AGAIN, "BatchCut", "a record batch goes on behind the %zu bytes",
                       bytes.len);
    size_t len = BATCH_FOLLOWS_AT + (size_t)get_u32be(p + AT_LENGTH);
    *out = (struct batch_head){
        .base_offset = (int64_t)get_u64be(p),
        .attributes = get_u16be(p + AT_ATTRIBUTES),
        .last_offset_delta = (int32_t)get_u32be(p + AT_LAST_DELTA),
        .base_time_ms = (int64_t)get_u64be(p + AT_BASE_TIME),
        .max_time_ms = (int64_t)get_u64be(p + AT_MAX_TIME),
        .producer_id = (int64_t)get_u64be(p + AT_PRODUCER),
        .producer_epoch = (int16_t)get_u16be(p + AT_PRODUCER_EPOCH),
        .base_sequence = (int32_t)get_u32be(p + AT_SEQUENCE),
        .record_count = get_u32be(p + AT_COUNT),
        .records = rf_slice(bytes, BATCH_HEAD_BYTES, len),
        .whole = rf_slice(bytes, 0, len),
    };
    return RF_OK;
}

enum rf_kind batch_read_trusted(rf_str bytes, struct batch_head *out, struct rf_err *err)
{
    struct batch_head head;
    RF_TRY(head_read(bytes, &head, err));
    if (head.last_offset_delta < 0 ||
        (uint64_t)head.record_count > (uint64_t)head.last_offset_delta + 1)
        return corrupt(err, "it counts more records than it has numbers");
    if (batch_codec_of(&head) > CODEC_ZSTD)
        return RF_FAIL(err, RF_INVALID, "UnsupportedCodec",
                       "codec %d is unknown; use gzip, snappy, lz4, zstd or none",
                       batch_codec_of(&head));
    *out = head;
    return RF_OK;
}

enum rf_kind batch_read(rf_str bytes, struct batch_head *out, struct rf_err *err)
{
    struct batch_head head;
    RF_TRY(head_read(bytes, &head, err));
    /* The crc first: what differs from what was sent has no attributes to tell about. */
    rf_str covered = rf_slice(head.whole, AT_ATTRIBUTES, head.whole.len);
    if (crc32c(0, covered.ptr, covered.len) != get_u32be(bytes.ptr + AT_CRC))
        return corrupt(err, "its crc is another one");
    return batch_read_trusted(head.whole, out, err);
}

enum rf_kind batch_inflate(const struct batch_head *head, struct rf_arena *arena, rf_str *out,
                           struct rf_err *err)
{
    if (batch_codec_of(head) != CODEC_NONE)
        return codec_inflate(batch_codec_of(head), head->records, BATCH_INFLATED_BYTES_MAX, arena,
                             out, err);
    if (head->records.len > BATCH_INFLATED_BYTES_MAX)
        return RF_FAIL(err, RF_LIMIT, "MessageTooLarge", "the records are %zu bytes; %d are taken",
                       head->records.len, BATCH_INFLATED_BYTES_MAX);
    *out = head->records;
    return RF_OK;
}

/* ---- records ------------------------------------------------------------------------------------------ */

void record_reader_init(struct record_reader *reader, const struct batch_head *head,
                        rf_str inflated)
{
    *reader = (struct record_reader){.head = head, .rest = inflated, .last_delta = -1};
}

/* Takes a length and as many bytes. -1 is null where that may be. */
static bool bytes_take(rf_str *s, bool may_be_null, rf_str *out)
{
    int32_t len;
    if (!varint_take(s, &len)) return false;
    *out = (rf_str){NULL, 0};
    if (len == -1) return may_be_null;
    if (len < 0 || (size_t)len > s->len) return false;
    *out = rf_slice(*s, 0, (size_t)len);
    *s = rf_slice(*s, (size_t)len, s->len);
    return true;
}

static bool header_take(rf_str *s, struct record_header *out)
{
    return bytes_take(s, false, &out->name) && bytes_take(s, true, &out->value);
}

bool record_header_next(rf_str *headers, struct record_header *out)
{
    return headers->len > 0 && header_take(headers, out);
}

/* `body` is one whole record without its length. */
static bool record_take(const struct record_reader *reader, rf_str body, struct record *out,
                        int64_t *delta)
{
    const struct batch_head *head = reader->head;
    int64_t time_delta;
    int32_t offset_delta, headers;
    if (body.len == 0) return false;
    body = rf_slice(body, 1, body.len); /* attributes: none are defined */
    if (!varlong_take(&body, &time_delta) || !varint_take(&body, &offset_delta)) return false;
    if (offset_delta <= reader->last_delta || offset_delta > head->last_offset_delta) return false;
    if (__builtin_add_overflow(head->base_time_ms, time_delta, &out->time_ms) ||
        __builtin_add_overflow(head->base_offset, offset_delta, &out->offset))
        return false;
    if (head->attributes & ATTRIBUTE_APPEND_TIME) out->time_ms = head->max_time_ms;
    if (!bytes_take(&body, true, &out->key) || !bytes_take(&body, true, &out->value)) return false;
    if (!varint_take(&body, &headers) || headers < 0) return false;
    out->headers = body;
    out->header_count = (uint32_t)headers;
    struct record_header header;
    for (int32_t i = 0; i < headers; i++)
        if (!header_take(&body, &header)) return false;
    *delta = offset_delta;
    return body.len == 0;
}

enum rf_kind record_next(struct record_reader *reader, struct record *out, bool *more,
                         struct rf_err *err)
{
    if (reader->index == reader->head->record_count) {
        if (reader->rest.len > 0) return corrupt(err, "bytes follow its last record");
        *more = false;
        return RF_OK;
    }
    rf_str rest = reader->rest, body;
    struct record record;
    int64_t delta;
    if (!bytes_take(&rest, false, &body) || !record_take(reader, body, &record, &delta))
        return RF_FAIL(err, RF_INVALID, "CorruptMessage",
                       "the record batch is damaged: record %u of %u cannot be read", reader->index,
                       reader->head->record_count);
    reader->rest = rest;
    reader->index++;
    reader->last_delta = delta;
    *out = record;
    *more = true;
    return RF_OK;
}

/* ---- what producers send ------------------------------------------------------------------------------ */

static enum rf_kind check_records(const struct batch_head *head, rf_str inflated,
                                  struct rf_err *err)
{
    struct record_reader reader;
    record_reader_init(&reader, head, inflated);
    for (;;) {
        struct record record;
        size_t before = reader.rest.len;
        bool more;
        RF_TRY(record_next(&reader, &record, &more, err));
        if (!more) return RF_OK;
        /* They grow, there are as many as numbers, and none passes the last one: so they are 0, 1, 2... */
        if (before - reader.rest.len > RECORD_BYTES_MAX)
            return RF_FAIL(err, RF_LIMIT, "MessageTooLarge", "record %u is %zu bytes; %d are taken",
                           reader.index - 1, before - reader.rest.len, RECORD_BYTES_MAX);
    }
}

enum rf_kind batch_check(rf_str bytes, struct rf_arena *scratch, struct batch_head *out,
                         struct rf_err *err)
{
    struct batch_head head;
    rf_str inflated;
    enum rf_kind kind = batch_read(bytes, &head, err);
    if (kind == RF_AGAIN) return corrupt(err, "it is cut short");
    RF_TRY(kind);
    if (head.whole.len != bytes.len) return corrupt(err, "bytes follow it");
    if (head.attributes & (ATTRIBUTE_TRANSACTIONAL | ATTRIBUTE_CONTROL))
        return RF_FAIL(err, RF_INVALID, "CorruptMessage",
                       "transactional and control batches are not taken");
    if (head.record_count == 0 || head.record_count != (uint32_t)head.last_offset_delta + 1)
        return corrupt(err, "its records are not numbered one by one");
    RF_TRY(batch_inflate(&head, scratch, &inflated, err));
    RF_TRY(check_records(&head, inflated, err));
    *out = head;
    return RF_OK;
}
