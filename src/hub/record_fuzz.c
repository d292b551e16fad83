#include "hub/record.h"
#include "test/rf_fuzz.h"

#include "hub/codec.h"
#include "hub/record_int.h"

static void read_records(const struct batch_head *head, struct rf_arena *arena)
{
    struct record_reader reader;
    struct record record;
    struct record_header header;
    struct rf_err err;
    rf_str inflated;
    bool more;
    if (batch_inflate(head, arena, &inflated, &err) != RF_OK) return;
    record_reader_init(&reader, head, inflated);
    while (record_next(&reader, &record, &more, &err) == RF_OK && more) {
        uint32_t headers = 0;
        while (record_header_next(&record.headers, &header)) headers++;
        RF_ASSERT(headers == record.header_count);
        RF_ASSERT(record.offset >= head->base_offset);
    }
}

static void check(rf_str bytes, struct rf_arena *arena)
{
    struct batch_head head;
    struct rf_err err;
    if (batch_read_trusted(bytes, &head, &err) == RF_OK) read_records(&head, arena);
    rf_arena_reset(arena);
    if (batch_check(bytes, arena, &head, &err) != RF_OK) return;
    RF_ASSERT(head.whole.len == bytes.len);
    RF_ASSERT(head.record_count == (uint32_t)head.last_offset_delta + 1);
}

/* Any bytes as a batch, with the crc that they have and with the right one, and as what each codec inflates. */
RF_FUZZ(record, text)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 160 << 20);
    struct rf_err err;
    rf_str out;
    check(text, &arena);
    for (int codec = CODEC_GZIP; codec <= CODEC_ZSTD; codec++) {
        rf_arena_reset(&arena);
        (void)!codec_inflate((enum batch_codec)codec, text, 1 << 20, &arena, &out, &err);
    }
    if (text.len < BATCH_HEAD_BYTES) return;
    struct rf_arena own;
    rf_arena_init(&own, text.len + 64);
    uint8_t *copy = rf_arena_alloc(&own, text.len);
    if (copy != NULL) {
        memcpy(copy, text.ptr, text.len);
        put_u32be(copy + AT_LENGTH, (uint32_t)(text.len - BATCH_FOLLOWS_AT));
        put_u32be(copy + AT_CRC, crc32c(0, copy + AT_ATTRIBUTES, text.len - AT_ATTRIBUTES));
        check(rf_str_make(copy, text.len), &arena);
    }
    rf_arena_done(&own);
}
