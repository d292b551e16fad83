#include "hub/amqp_value.h"
#include "hub/kafka_message.h"
#include "test/rf_prop.h"

static const struct kafka_batch_of no_batch = {.producer = {-1, -1, -1}};

/* The record as it lies in a frame. */
struct stored {
    struct rf_arena arena;
    struct rf_buf buf;
    struct event_frame_reader reader;
    struct event_out event;
    struct log_frame frame;
};

static void open_stored(struct stored *s, uint8_t kind)
{
    struct rf_err err;
    bool more;
    s->frame = (struct log_frame){.count = 1, .kind = kind, .batch = rf_buf_view(&s->buf)};
    cr_assert(event_frame_open(&s->reader, &s->frame, &s->arena, &err) == RF_OK, "%s", err.text);
    cr_assert(event_frame_next(&s->reader, &s->event, &more, &err) == RF_OK && more);
}

static void store_amqp(struct stored *s, const struct event_in *in, rf_str publisher)
{
    struct rf_err err;
    struct batch_builder builder;
    s->buf = rf_buf_in(&s->arena);
    batch_begin(&builder, &s->buf);
    event_add(&builder, INT64_C(1700000000000000), in, publisher);
    cr_assert(batch_end(&builder, CODEC_NONE, NULL, &err) == RF_OK, "%s", err.text);
    open_stored(s, FRAME_AMQP);
}

static void store_made(struct stored *s, const char *body, rf_str key, rf_str publisher)
{
    struct rf_err err;
    struct event_in in;
    struct json_node *properties;
    cr_assert(json_parse(RF_S("{\"a\":1,\"b\":\"x\",\"c\":true,\"d\":2.5}"), &s->arena, &properties,
                         &err) == RF_OK);
    struct event_parts parts = {.body = rf_str_of(body),
                                .content_type = RF_S("text/plain"),
                                .message_id = RF_S("m-1"),
                                .partition_key = key,
                                .properties = properties};
    cr_assert(event_make(&parts, &s->arena, &in, &err) == RF_OK, "%s", err.text);
    store_amqp(s, &in, publisher);
}

static bool same(rf_str a, rf_str b)
{
    return (a.ptr == NULL) == (b.ptr == NULL) && rf_str_eq(a, b);
}

static void expect_same(const struct record *was, const struct kafka_record *now)
{
    struct record_header header;
    rf_str headers = was->headers;
    cr_assert(same(was->key, now->key));
    cr_assert(same(was->value, now->value));
    cr_assert(was->time_ms == now->time_ms);
    cr_assert(was->header_count == now->header_count);
    for (uint32_t i = 0; record_header_next(&headers, &header); i++) {
        cr_assert(rf_str_eq(header.name, now->headers[i].name));
        cr_assert(same(header.value, now->headers[i].value));
    }
}

/* There and back, as it is and in an envelope. */
static void round_trip(struct stored *s, const struct kafka_batch_of *batch)
{
    struct rf_err err;
    const struct record *record = &s->event.record;
    for (int envelope = 0; envelope < 2; envelope++) {
        struct kafka_message message;
        struct kafka_record read;
        enum rf_kind kind =
            kafka_message_make(s->frame.kind, record, batch, &s->arena, &message, &err);
        cr_assert(kind == RF_OK, "%s", err.text);
        if (envelope) {
            cr_assert(kafka_message_wrap(&message, 77000, &s->arena, &err) == RF_OK);
            cr_assert(message.header_count == 0);
        }
        cr_assert(kafka_message_read(&message, 5, &s->arena, &read, &err) == RF_OK);
        cr_assert(read.kind == s->frame.kind);
        cr_assert(read.enqueued == (envelope ? 77000 : -1));
        cr_assert(read.batch.count == batch->count);
        if (batch->count > 0) cr_assert(read.batch.producer.sequence == batch->producer.sequence);
        expect_same(record, &read);
    }
}

Test(kafka_message,
     an_amqp_event_comes_back_bit_for_bit_and_others_see_what_kafka_clients_are_shown)
{
    struct stored s = {0};
    struct kafka_message message;
    struct rf_err err;
    rf_arena_init(&s.arena, 1 << 20);
    store_made(&s, "hello", RF_S("k"), RF_S("dev-1"));
    struct kafka_batch_of batch = {.producer = {5000, 2, 17}, .count = 3};
    round_trip(&s, &no_batch);
    round_trip(&s, &batch);
    cr_assert(kafka_message_make(FRAME_AMQP, &s.event.record, &no_batch, &s.arena, &message,
                                 &err) == RF_OK);
    cr_assert(rf_str_is(message.key, "k"));
    cr_assert(rf_str_is(message.value, "hello"));
    cr_assert(rf_str_is(message.headers[0].name, "a"));
    cr_assert(rf_str_eq(message.headers[0].value, RF_S("\x54\x01")), "an AMQP int");
    bool named = false;
    for (uint32_t i = 0; i < message.header_count; i++)
        named |= rf_str_is(message.headers[i].name, "content-type") &&
                 rf_str_is(message.headers[i].value, "text/plain");
    cr_assert(named);
    cr_assert(rf_str_is(message.headers[message.header_count - 1].name, "ringfort"));
    rf_arena_done(&s.arena);
}

Test(kafka_message, bodies_that_are_no_single_data_section_come_back_too)
{
    static const char *const messages[] = {
        "\0Su\xa0\x01"
        "a\0Su\xa0\x01"
        "b",                              /* two data sections */
        "\0Sw\xa1\x05hello",              /* a value */
        "\0Su\xb0\0\0\0\x01z",            /* data that is written longer than it needs to be */
        "\0Sw@",                          /* null */
        "\0Ss\xc0\x04\x01\xa1\x01i\0Sw@", /* properties, no data */
    };
    static const size_t lens[] = {12, 10, 9, 4, 13};
    for (size_t i = 0; i < RF_COUNT(messages); i++) {
        struct stored s = {0};
        struct event_in in;
        struct rf_err err;
        rf_arena_init(&s.arena, 1 << 20);
        cr_assert(event_read_amqp(rf_str_make(messages[i], lens[i]), &s.arena, &in, &err) == RF_OK,
                  "%zu: %s", i, err.text);
        store_amqp(&s, &in, (rf_str){0});
        round_trip(&s, &no_batch);
        rf_arena_done(&s.arena);
    }
}

Test(kafka_message, a_kafka_event_keeps_headers_times_and_nulls_even_one_that_looks_like_ours)
{
    static const struct {
        rf_str key, value;
    } cases[] = {{{NULL, 0}, {NULL, 0}},
                 {{NULL, 0}, {(const uint8_t *)"v", 1}},
                 {{(const uint8_t *)"", 0}, {(const uint8_t *)"", 0}},
                 {{(const uint8_t *)"k", 1}, {NULL, 0}}};
    for (size_t i = 0; i < RF_COUNT(cases); i++) {
        struct stored s = {0};
        struct rf_err err;
        struct batch_builder builder;
        struct record_header headers[] = {{RF_S("h"), RF_S("1")},
                                          {RF_S("h"), {NULL, 0}},
                                          {RF_S("ringfort"), RF_S("\x01\x01\0\0\0\0\0\0\0\0\0")}};
        rf_arena_init(&s.arena, 1 << 20);
        s.buf = rf_buf_in(&s.arena);
        batch_begin(&builder, &s.buf);
        batch_add(&builder, 1234, cases[i].key, cases[i].value, headers, RF_COUNT(headers));
        cr_assert(batch_end(&builder, CODEC_NONE, NULL, &err) == RF_OK);
        open_stored(&s, FRAME_KAFKA);
        round_trip(&s, &no_batch);
        rf_arena_done(&s.arena);
    }
}

Test(kafka_message, others_messages_are_taken_as_they_are)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    struct rf_err err;
    struct record_header headers[] = {{RF_S("x"), RF_S("y")}, {RF_S("ringfort"), RF_S("nonsense")}};
    struct kafka_message message = {
        .key = RF_S("k"), .value = RF_S("v"), .headers = headers, .header_count = 2};
    struct kafka_record read;
    rf_arena_init(&arena, 1 << 20);
    cr_assert(kafka_message_read(&message, 99, &arena, &read, &err) == RF_OK);
    cr_assert(read.kind == FRAME_KAFKA && read.header_count == 2 && read.time_ms == 99);
    cr_assert(read.enqueued == -1 && read.batch.count == 0);
}

/* What says it was an AMQP event and is none, or brings what only the server may set, is not passed on as one. */
Test(kafka_message, a_forged_event_stays_a_kafka_event)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    struct rf_err err;
    rf_arena_init(&arena, 1 << 20);
    struct rf_buf buf = rf_buf_in(&arena);
    rf_buf_put(&buf, "\x01\x01\0\0\0\0\0\0\0\0\x05\0\0\0\0", 15);
    amqp_put_descriptor(&buf, AMQP_MESSAGE_ANNOTATIONS);
    size_t start = amqp_put_begin(&buf);
    amqp_put_symbol(&buf, RF_S("x-opt-sequence-number"));
    amqp_put_long(&buf, 7);
    amqp_put_end(&buf, start, AMQP_MAP, 2);
    amqp_put_descriptor(&buf, AMQP_DATA);
    amqp_put_binary(&buf, RF_S("v"));
    const rf_str values[] = {rf_buf_view(&buf), RF_S("\x01\x01\x04\0\0\0\0\0\0\0\x05\0\0\0\x09")};
    for (size_t i = 0; i < RF_COUNT(values); i++) {
        struct record_header header = {RF_S("ringfort"), values[i]};
        struct kafka_message message = {.value = RF_S("v"), .headers = &header, .header_count = 1};
        struct kafka_record read;
        cr_assert(kafka_message_read(&message, 99, &arena, &read, &err) == RF_OK);
        cr_assert(read.kind == FRAME_KAFKA && rf_str_is(read.value, "v"), "%zu", i);
    }
}
