#include "hub/event_int.h"
#include "test/rf_fuzz.h"

/* What is taken in can be stored and shown in all views, and a receiver can read it. */
static void show(const struct event_in *in, struct rf_arena *arena)
{
    struct rf_buf buf = rf_buf_in(arena), out = rf_buf_in(arena);
    struct batch_builder builder;
    struct event_frame_reader reader;
    struct event_out event;
    struct event_in again;
    struct json_node *json;
    struct rf_err err;
    rf_str shown;
    bool more;
    batch_begin(&builder, &buf);
    event_add(&builder, 1, in, (rf_str){0});
    if (batch_end(&builder, CODEC_NONE, NULL, &err) != RF_OK) return;
    struct log_frame frame = {.count = 1, .kind = FRAME_AMQP, .batch = rf_buf_view(&buf)};
    RF_ASSERT(event_frame_open(&reader, &frame, arena, &err) == RF_OK);
    RF_ASSERT(event_frame_next(&reader, &event, &more, &err) == RF_OK && more);
    event_put_amqp(&out, &event, NULL);
    RF_ASSERT(out.failed || event_read_amqp(rf_buf_view(&out), arena, &again, &err) == RF_OK);
    RF_ASSERT(event_kafka_batch(&frame, arena, &shown, &err) != RF_CORRUPT);
    RF_ASSERT(event_json(&event, arena, &json, &err) != RF_CORRUPT);
}

RF_FUZZ(hub_event, text)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 64 << 20);
    struct event_in in;
    struct event_list list;
    struct rf_err err;
    if (event_read_amqp(text, &arena, &in, &err) == RF_OK) show(&in, &arena);
    if (event_read_batch(text, &arena, &list, &err) != RF_OK) return;
    for (uint32_t i = 0; i < list.count; i++)
        if (event_read_amqp(list.messages[i], &arena, &in, &err) == RF_OK) show(&in, &arena);
}
