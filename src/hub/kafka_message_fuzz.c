#include "hub/kafka_message.h"
#include "test/rf_fuzz.h"

/* A header that others wrote, or a value that says it is an envelope: what comes of it can be stored and shown. */
static void show(struct kafka_message *message, struct rf_arena *arena)
{
    struct kafka_record read;
    struct rf_buf buf = rf_buf_in(arena), out = rf_buf_in(arena);
    struct batch_builder builder;
    struct event_frame_reader reader;
    struct event_out event;
    struct json_node *json;
    struct rf_err err;
    bool more;
    if (kafka_message_read(message, 1700000000000, arena, &read, &err) != RF_OK) return;
    batch_begin(&builder, &buf);
    batch_add(&builder, 0, (rf_str){0}, (rf_str){0}, NULL,
              0); /* the farthest time to be apart from */
    batch_add(&builder, read.time_ms, read.key, read.value, read.headers, read.header_count);
    if (batch_end(&builder, CODEC_NONE, NULL, &err) != RF_OK) return;
    struct log_frame frame = {.count = 2, .kind = read.kind, .batch = rf_buf_view(&buf)};
    RF_ASSERT(event_frame_open(&reader, &frame, arena, &err) == RF_OK);
    RF_ASSERT(event_frame_next(&reader, &event, &more, &err) == RF_OK && more);
    RF_ASSERT(event_frame_next(&reader, &event, &more, &err) == RF_OK && more);
    event_put_amqp(&out, &event, NULL);
    RF_ASSERT(event_json(&event, arena, &json, &err) != RF_CORRUPT);
}

RF_FUZZ(kafka_message, text)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 256 << 20);
    struct record_header header = {.name = RF_S("ringfort"), .value = text};
    struct kafka_message message = {.value = RF_S("body"), .headers = &header, .header_count = 1};
    show(&message, &arena);
    message = (struct kafka_message){.value = text};
    show(&message, &arena);
}
