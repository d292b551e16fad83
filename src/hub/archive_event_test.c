#include "hub/amqp_value.h"
#include "hub/archive_int.h"
#include "test/rf_prop.h"

#define SECOND RF_USEC_PER_SECOND

static struct event_out sample(struct rf_arena *arena, struct rf_buf *value)
{
    *value = rf_buf_in(arena);
    amqp_put_descriptor(value, AMQP_PROPERTIES);
    size_t at = amqp_put_begin(value);
    amqp_put_string(value, RF_S("m-1"));
    amqp_put_end(value, at, AMQP_LIST, 1);
    amqp_put_descriptor(value, AMQP_APPLICATION_PROPERTIES);
    at = amqp_put_begin(value);
    amqp_put_string(value, RF_S("n"));
    amqp_put_int(value, 42);
    amqp_put_string(value, RF_S("r"));
    amqp_put_double(value, 1.5);
    amqp_put_string(value, RF_S("b"));
    amqp_put_bool(value, true);
    amqp_put_string(value, RF_S("x"));
    amqp_put_binary(value, RF_S("\xff"));
    amqp_put_string(value, RF_S("z"));
    amqp_put_null(value);
    amqp_put_end(value, at, AMQP_MAP, 10);
    amqp_put_descriptor(value, AMQP_DATA);
    amqp_put_binary(value, RF_S("hi"));
    cr_assert(!value->failed);
    return (struct event_out){.number = 7,
                              .enqueued =
                                  INT64_C(1767225600) * SECOND + 13 * 3600 * SECOND + 5 * SECOND,
                              .kind = FRAME_AMQP,
                              .record = {.value = rf_buf_view(value)},
                              .partition_key = RF_S("k")};
}

Test(archive_event, records_byte_for_byte)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    RF_CLEANUP(rf_arena_done) struct rf_arena scratch;
    rf_arena_init(&arena, 1 << 20);
    rf_arena_init(&scratch, 1 << 20);
    struct rf_buf value, buf = rf_buf_in(&arena);
    struct event_out event = sample(&arena, &value);
    archive_put_event(&buf, &event, ARCHIVE_AVRO, &scratch);
    rf_str wanted = RF_S("\x0e\x02"
                         "7\x26"
                         "1/1/2026 1:00:05 PM\x04\x14"
                         "message-id\x04\x06m-1\x26x-opt-partition-key\x04\x02k\0"
                         "\x0a\x02n\0\x54\x02r\x02\0\0\0\0\0\0\xf8\x3f\x02"
                         "b\x04\x08true\x02x\x06\x02\xff\x02z\x08\0\x02\x04hi");
    rf_str got = rf_buf_view(&buf);
    cr_assert(got.len == wanted.len, "%zu instead of %zu", got.len, wanted.len);
    for (size_t i = 0; i < got.len; i++)
        cr_assert(got.ptr[i] == wanted.ptr[i], "byte %zu: %02x, not %02x", i, got.ptr[i],
                  wanted.ptr[i]);
}

Test(archive_event, lines)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    RF_CLEANUP(rf_arena_done) struct rf_arena scratch;
    rf_arena_init(&arena, 1 << 20);
    rf_arena_init(&scratch, 1 << 20);
    struct rf_buf value, buf = rf_buf_in(&arena);
    struct event_out event = sample(&arena, &value);
    archive_put_event(&buf, &event, ARCHIVE_JSON_LINES, &scratch);
    cr_assert(
        rf_str_is(rf_buf_view(&buf),
                  "{\"SequenceNumber\":7,\"Offset\":\"7\","
                  "\"EnqueuedTimeUtc\":\"2026-01-01T13:00:05.0000000Z\","
                  "\"SystemProperties\":{\"message-id\":\"m-1\",\"x-opt-partition-key\":\"k\"},"
                  "\"Properties\":{\"n\":42,\"r\":1.5,\"b\":true,\"x\":\"/w==\",\"z\":null},"
                  "\"Body\":\"hi\"}\n"),
        "%.*s", RF_FMT(rf_buf_view(&buf)));
    event.kind = FRAME_KAFKA;
    event.record = (struct record){.value = RF_S("\xfe"), .key = RF_S("k2")};
    buf.len = 0;
    archive_put_event(&buf, &event, ARCHIVE_JSON_LINES, &scratch);
    cr_assert(rf_str_find(rf_buf_view(&buf),
                          RF_S("\"Body\":\"/g==\",\"BodyEncoding\":\"base64\"}\n"), 0) != SIZE_MAX);
    cr_assert(rf_str_find(rf_buf_view(&buf), RF_S("{\"x-opt-kafka-key\":\"k2\"}"), 0) != SIZE_MAX);
    event.record.value = (rf_str){NULL, 0};
    buf.len = 0;
    archive_put_event(&buf, &event, ARCHIVE_JSON_LINES, &scratch);
    cr_assert(rf_str_find(rf_buf_view(&buf), RF_S("\"Body\":null}\n"), 0) != SIZE_MAX, "tombstone");
}

/* Of headers of the same name readers take the last one, whatever they are written in. */
Test(archive_event, headers_of_one_name)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 1 << 20);
    struct rf_buf batch = rf_buf_in(&arena), buf = rf_buf_in(&arena);
    struct batch_builder builder;
    struct rf_err err;
    const struct record_header headers[] = {{RF_S("a"), RF_S("1")},
                                            {RF_S("b"), {NULL, 0}},
                                            {RF_S("a"), RF_S("2")},
                                            {RF_S("\xff"), RF_S("3")}};
    batch_begin(&builder, &batch);
    batch_add(&builder, 1, (rf_str){NULL, 0}, RF_S("v"), headers, RF_COUNT(headers));
    cr_assert(batch_end(&builder, CODEC_NONE, NULL, &err) == RF_OK);
    struct log_frame frame = {.kind = FRAME_KAFKA, .count = 1, .batch = rf_buf_view(&batch)};
    struct event_frame_reader reader;
    struct event_out event;
    bool more;
    cr_assert(event_frame_open(&reader, &frame, &arena, &err) == RF_OK, "%s", err.text);
    cr_assert(event_frame_next(&reader, &event, &more, &err) == RF_OK && more);
    archive_put_event(&buf, &event, ARCHIVE_JSON_LINES, &arena);
    cr_assert(rf_str_find(rf_buf_view(&buf),
                          RF_S("\"Properties\":{\"b\":null,\"a\":\"2\",\"/w==\":\"3\"}"),
                          0) != SIZE_MAX,
              "%.*s", RF_FMT(rf_buf_view(&buf)));
}
