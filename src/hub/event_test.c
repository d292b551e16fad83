#include "hub/event_int.h"
#include "test/rf_prop.h"

Test(event, the_hash_of_a_key_is_the_contracts)
{
    static const struct {
        const char *key;
        int16_t hash;
        uint32_t of4, of5, of8, of32;
    } vectors[] = {
        {"", 0, 0, 0, 0, 0},
        {"a", -16220, 0, 0, 4, 28},
        {"1", 3270, 2, 0, 6, 6},
        {"TestKey", 11417, 1, 2, 1, 25},
        {"alphabet", -23478, 2, 3, 6, 22},
        {"device-1", 26788, 0, 3, 4, 4},
        {"device-2", 12622, 2, 2, 6, 14},
        {"device-42", -21548, 0, 3, 4, 12},
        {"sensor/7", 17103, 3, 3, 7, 15},
        {"12 bytes key", -17072, 0, 2, 0, 16},
        {"13 bytes key!", -24870, 2, 0, 6, 6},
        {"exactly-24-bytes-long-key", 21979, 3, 4, 3, 27},
        {"00000000-0000-0000-0000-000000000001", 3040, 0, 0, 0, 0},
        {"\xd0\xba\xd0\xbb\xd1\x8e\xd1\x87", -32174, 2, 4, 6, 14},
        {"\xe9\x94\xae\xf0\x9f\x94\x91", 15834, 2, 4, 2, 26},
        {"FWfAT", -22341, 1, 1, 5, 5},
        {"sOdeEAsyQoEuEFPGerWO", -6503, 3, 3, 7, 7},
        {"7149583486996073602", 12977, 1, 2, 1, 17},
    };
    for (size_t i = 0; i < RF_COUNT(vectors); i++) {
        rf_str key = rf_str_of(vectors[i].key);
        cr_assert_eq(partition_key_hash(key), vectors[i].hash, "%s", vectors[i].key);
        cr_assert_eq(partition_of_key(key, 4), vectors[i].of4, "%s", vectors[i].key);
        cr_assert_eq(partition_of_key(key, 5), vectors[i].of5, "%s", vectors[i].key);
        cr_assert_eq(partition_of_key(key, 8), vectors[i].of8, "%s", vectors[i].key);
        cr_assert_eq(partition_of_key(key, 32), vectors[i].of32, "%s", vectors[i].key);
    }
    char many[128];
    memset(many, 'x', sizeof many);
    cr_assert_eq(partition_key_hash(rf_str_make(many, sizeof many)), 21896);
}

struct world {
    struct rf_arena arena;
    struct rf_err err;
    struct rf_buf batch;
};

static void setup(struct world *w)
{
    rf_arena_init(&w->arena, 64 << 20);
    w->batch = rf_buf_in(&w->arena);
}
static void done(struct world *w) { rf_arena_done(&w->arena); }

static rf_str view(struct rf_buf *buf) { return rf_buf_view(buf); }

/* One event stored as number 7 at the second 1,700,000,000. */
static struct event_out store(struct world *w, const struct event_in *in, rf_str publisher,
                              struct log_frame *frame)
{
    struct batch_builder builder;
    static struct event_frame_reader reader;
    struct event_out out;
    bool more;
    batch_begin(&builder, &w->batch);
    event_add(&builder, 1700000000000000, in, publisher);
    cr_assert_eq(batch_end(&builder, CODEC_NONE, NULL, &w->err), RF_OK);
    batch_number(w->batch.ptr, 7);
    *frame = (struct log_frame){.first = 7,
                                .count = 1,
                                .kind = FRAME_AMQP,
                                .enqueued = 1700000000000000,
                                .batch = view(&w->batch)};
    cr_assert_eq(event_frame_open(&reader, frame, &w->arena, &w->err), RF_OK);
    cr_assert_eq(event_frame_next(&reader, &out, &more, &w->err), RF_OK);
    cr_assert(more);
    return out;
}

static void put_map_item(struct rf_buf *buf, const char *name, const char *value)
{
    amqp_put_symbol(buf, rf_str_of(name));
    amqp_put_string(buf, rf_str_of(value));
}

/* The sections that stay, behind annotations that do not. */
static void put_kept(struct rf_buf *buf)
{
    amqp_put_descriptor(buf, AMQP_PROPERTIES);
    size_t start = amqp_put_begin(buf);
    amqp_put_string(buf, RF_S("m1"));
    amqp_put_binary(buf, RF_S("user"));
    amqp_put_string(buf, RF_S("to"));
    amqp_put_string(buf, RF_S("subject"));
    amqp_put_string(buf, RF_S("reply"));
    amqp_put_ulong(buf, 99);
    amqp_put_symbol(buf, RF_S("text/plain"));
    amqp_put_symbol(buf, RF_S("gzip"));
    amqp_put_null(buf);
    amqp_put_timestamp(buf, 1700000000123);
    amqp_put_end(buf, start, AMQP_LIST, 10);
    amqp_put_descriptor(buf, AMQP_APPLICATION_PROPERTIES);
    start = amqp_put_begin(buf);
    amqp_put_string(buf, RF_S("text"));
    amqp_put_string(buf, RF_S("hello"));
    amqp_put_string(buf, RF_S("whole"));
    amqp_put_uint(buf, 42);
    amqp_put_string(buf, RF_S("truth"));
    amqp_put_bool(buf, true);
    amqp_put_string(buf, RF_S("real"));
    amqp_put_double(buf, 1.5);
    amqp_put_end(buf, start, AMQP_MAP, 8);
    amqp_put_descriptor(buf, AMQP_DATA);
    amqp_put_binary(buf, RF_S("one "));
    amqp_put_descriptor(buf, AMQP_DATA);
    amqp_put_binary(buf, RF_S("two"));
    amqp_put_descriptor(buf, AMQP_FOOTER);
    start = amqp_put_begin(buf);
    put_map_item(buf, "sum", "x");
    amqp_put_end(buf, start, AMQP_MAP, 2);
}

static rf_str message(struct world *w, bool with_user, rf_str *kept)
{
    struct rf_buf buf = rf_buf_in(&w->arena);
    amqp_put_descriptor(&buf, AMQP_HEADER);
    amqp_put_end(&buf, amqp_put_begin(&buf), AMQP_LIST, 0);
    amqp_put_descriptor(&buf, AMQP_MESSAGE_ANNOTATIONS);
    size_t start = amqp_put_begin(&buf);
    put_map_item(&buf, "x-opt-partition-key", "k");
    put_map_item(&buf, "x-opt-offset", "12345");
    if (with_user) put_map_item(&buf, "mine", "yes");
    amqp_put_end(&buf, start, AMQP_MAP, with_user ? 6 : 4);
    size_t at = buf.len;
    put_kept(&buf);
    cr_assert(!buf.failed);
    *kept = rf_slice(view(&buf), at, buf.len);
    return view(&buf);
}

Test(event, what_is_sent_comes_back_bit_for_bit)
{
    for (int with_user = 0; with_user < 2; with_user++) {
        RF_CLEANUP(done) struct world w;
        struct event_in in;
        struct log_frame frame;
        rf_str kept;
        setup(&w);
        rf_str sent = message(&w, with_user, &kept);
        cr_assert_eq(event_read_amqp(sent, &w.arena, &in, &w.err), RF_OK, "%s", w.err.text);
        cr_assert(rf_str_is(in.partition_key, "k"));
        struct event_out out = store(&w, &in, (rf_str){0}, &frame);
        struct rf_buf buf = rf_buf_in(&w.arena);
        event_put_amqp(&buf, &out, NULL);
        rf_str got = view(&buf);
        cr_assert(rf_str_ends(got, kept));
        struct amqp_section section;
        cr_assert(amqp_section_next(&got, &section));
        cr_assert_eq(section.code, AMQP_MESSAGE_ANNOTATIONS);
        cr_assert_eq(section.value.count, with_user ? 10 : 8);
        struct amqp_value value;
        cr_assert(amqp_map_find(&section.value, RF_S("x-opt-offset"), &value));
        cr_assert(rf_str_is(value.bytes, "7"), "a client's is replaced");
        cr_assert(amqp_map_find(&section.value, RF_S("x-opt-sequence-number"), &value));
        cr_assert(value.type == AMQP_LONG && value.i == 7);
        cr_assert(amqp_map_find(&section.value, RF_S("x-opt-enqueued-time"), &value));
        cr_assert(value.type == AMQP_TIMESTAMP && value.i == 1700000000000);
        cr_assert(amqp_map_find(&section.value, RF_S("mine"), &value) == (with_user == 1));
        cr_assert(rf_str_eq(got, kept));
    }
}

Test(event, kafka_sees_bodies_joined_and_properties_encoded)
{
    static const struct {
        const char *name;
        rf_str value;
    } headers[] = {
        {"text", {(const uint8_t *)"\xa1\x05hello", 7}},
        {"whole", {(const uint8_t *)"\x52\x2a", 2}},
        {"truth", {(const uint8_t *)"\x41", 1}},
        {"real", {(const uint8_t *)"\x82\x3f\xf8\0\0\0\0\0\0", 9}},
        {"message-id", {(const uint8_t *)"m1", 2}},
        {"user-id", {(const uint8_t *)"user", 4}},
        {"to", {(const uint8_t *)"to", 2}},
        {"reply-to", {(const uint8_t *)"reply", 5}},
        {"content-type", {(const uint8_t *)"text/plain", 10}},
        {"content-encoding", {(const uint8_t *)"gzip", 4}},
        {"creation-time", {(const uint8_t *)"2023-11-14T22:13:20.1230000Z", 28}},
    };
    RF_CLEANUP(done) struct world w;
    struct event_in in;
    struct log_frame frame;
    struct batch_head head;
    struct record_reader reader;
    struct record record;
    struct record_header header;
    rf_str kept, batch;
    bool more;
    setup(&w);
    cr_assert_eq(event_read_amqp(message(&w, true, &kept), &w.arena, &in, &w.err), RF_OK);
    (void)store(&w, &in, (rf_str){0}, &frame);
    cr_assert_eq(event_kafka_batch(&frame, &w.arena, &batch, &w.err), RF_OK, "%s", w.err.text);
    cr_assert_eq(batch_read(batch, &head, &w.err), RF_OK, "the crc is right");
    cr_assert_eq(head.base_offset, 7);
    record_reader_init(&reader, &head, head.records);
    cr_assert_eq(record_next(&reader, &record, &more, &w.err), RF_OK);
    cr_assert(rf_str_is(record.key, "k"));
    cr_assert(rf_str_is(record.value, "one two"));
    cr_assert_eq(record.time_ms, 1700000000000);
    cr_assert_eq(record.header_count, RF_COUNT(headers));
    for (size_t i = 0; i < RF_COUNT(headers); i++) {
        cr_assert(record_header_next(&record.headers, &header));
        cr_assert(rf_str_is(header.name, headers[i].name), "%s", headers[i].name);
        cr_assert(rf_str_eq(header.value, headers[i].value), "%s", headers[i].name);
    }
}

Test(event, amqp_sees_kafkas_headers_as_binaries_and_the_last_of_a_name)
{
    RF_CLEANUP(done) struct world w;
    setup(&w);
    struct record_header headers[] = {
        {RF_S("a"), RF_S("1")}, {RF_S("a"), RF_S("2")}, {RF_S("n"), {0}}};
    struct batch_builder builder;
    struct event_frame_reader reader;
    struct event_out event;
    struct amqp_section section;
    struct amqp_value value;
    bool more;
    batch_begin(&builder, &w.batch);
    batch_add(&builder, 5, RF_S("key"), (rf_str){0}, headers, 3);
    cr_assert_eq(batch_end(&builder, CODEC_NONE, NULL, &w.err), RF_OK);
    struct log_frame frame = {.count = 1, .kind = FRAME_KAFKA, .enqueued = 9000000};
    frame.batch = view(&w.batch);
    cr_assert_eq(event_frame_open(&reader, &frame, &w.arena, &w.err), RF_OK);
    cr_assert_eq(event_frame_next(&reader, &event, &more, &w.err), RF_OK);
    struct rf_buf buf = rf_buf_in(&w.arena);
    struct event_runtime runtime = {.last_number = -1};
    event_put_amqp(&buf, &event, &runtime);
    rf_str got = view(&buf);
    cr_assert(amqp_section_next(&got, &section) && section.code == AMQP_DELIVERY_ANNOTATIONS);
    cr_assert(amqp_map_find(&section.value, RF_S("last_enqueued_offset"), &value));
    cr_assert(rf_str_is(value.bytes, "-1"));
    cr_assert(amqp_section_next(&got, &section) && section.code == AMQP_MESSAGE_ANNOTATIONS);
    cr_assert(amqp_map_find(&section.value, RF_S("x-opt-kafka-key"), &value));
    cr_assert(value.type == AMQP_BINARY && rf_str_is(value.bytes, "key"));
    cr_assert(!amqp_map_find(&section.value, RF_S("x-opt-partition-key"), &value));
    cr_assert(amqp_section_next(&got, &section) && section.code == AMQP_APPLICATION_PROPERTIES);
    cr_assert_eq(section.value.count, 4);
    cr_assert(amqp_map_find(&section.value, RF_S("a"), &value));
    cr_assert(value.type == AMQP_BINARY && rf_str_is(value.bytes, "2"));
    cr_assert(amqp_section_next(&got, &section) && section.code == AMQP_DATA);
    cr_assert_eq(section.value.bytes.len, 0, "a null value");
    cr_assert_eq(got.len, 0);
}

Test(event, batches_hold_messages_and_nothing_else)
{
    RF_CLEANUP(done) struct world w;
    struct event_list list;
    struct event_in in;
    setup(&w);
    rf_str good = RF_S("\0\x53\x70\x45\0\x53\x73\x45\0\x53\x75\xa0\x0e\0\x53\x70\x45\0\x53\x73\x45"
                       "\0\x53\x75\xa0\x01\x61\0\x53\x75\xa0\x0e\0\x53\x70\x45\0\x53\x73\x45\0\x53"
                       "\x75\xa0\x01\x62");
    cr_assert_eq(event_read_batch(good, &w.arena, &list, &w.err), RF_OK, "%s", w.err.text);
    cr_assert_eq(list.count, 2);
    for (uint32_t i = 0; i < 2; i++)
        cr_assert_eq(event_read_amqp(list.messages[i], &w.arena, &in, &w.err), RF_OK);
    static const struct {
        const char *what;
        rf_str bytes;
    } bad[] = {
        {"cut", {(const uint8_t *)"\0\x53\x75\xa0\x05x", 6}},
        {"a value", {(const uint8_t *)"\0\x53\x77\x40", 4}},
        {"no section", {(const uint8_t *)"\x40", 1}},
        {"out of order", {(const uint8_t *)"\0\x53\x75\xa0\0\0\x53\x70\x45", 9}},
        {"empty", {(const uint8_t *)"", 0}},
    };
    for (size_t i = 0; i < RF_COUNT(bad); i++) {
        cr_assert_eq(event_read_batch(bad[i].bytes, &w.arena, &list, &w.err), RF_INVALID, "%s",
                     bad[i].what);
        cr_assert_str_eq(w.err.code, "amqp:decode-error");
    }
}

Test(event, a_key_that_is_no_string_is_refused)
{
    RF_CLEANUP(done) struct world w;
    struct event_in in;
    setup(&w);
    for (int i = 0; i < 2; i++) {
        struct rf_buf buf = rf_buf_in(&w.arena);
        char many[129];
        memset(many, 'x', sizeof many);
        amqp_put_descriptor(&buf, AMQP_MESSAGE_ANNOTATIONS);
        size_t start = amqp_put_begin(&buf);
        amqp_put_symbol(&buf, RF_S("x-opt-partition-key"));
        if (i == 0)
            amqp_put_int(&buf, 5);
        else
            amqp_put_string(&buf, rf_str_make(many, sizeof many));
        amqp_put_end(&buf, start, AMQP_MAP, 2);
        cr_assert_eq(event_read_amqp(view(&buf), &w.arena, &in, &w.err), RF_INVALID);
        cr_assert_str_eq(w.err.code, "amqp:not-allowed");
    }
}

Test(event, http_parts_become_a_message_and_json)
{
    RF_CLEANUP(done) struct world w;
    struct event_in in, again;
    struct log_frame frame;
    struct json_node *properties, *json, *deep;
    setup(&w);
    cr_assert_eq(json_parse(RF_S("{\"i\":5,\"l\":5000000000,\"r\":1.5,\"b\":true,\"s\":\"x\",\"m\":"
                                 "{\"k\":[1,{},[]],\"n\":null}}"),
                            &w.arena, &properties, &w.err),
                 RF_OK);
    struct event_parts parts = {.body = RF_S("{\"a\":1}"),
                                .content_type = RF_S("application/json"),
                                .message_id = RF_S("m"),
                                .partition_key = RF_S("k"),
                                .properties = properties};
    cr_assert_eq(event_make(&parts, &w.arena, &in, &w.err), RF_OK);
    struct event_out out = store(&w, &in, RF_S("truck"), &frame);
    cr_assert_eq(event_read_amqp(out.record.value, &w.arena, &again, &w.err), RF_OK);
    cr_assert_eq(event_json(&out, &w.arena, &json, &w.err), RF_OK);
    rf_str text = json_to_text(&w.arena, json);
    cr_assert(rf_str_is(text, "{\"sequenceNumber\":7,\"offset\":\"7\",\"enqueuedTime\":"
                              "\"2023-11-14T22:13:20.0000000Z\",\"partitionKey\":\"k\","
                              "\"publisher\":\"truck\",\"messageId\":\"m\",\"contentType\":"
                              "\"application/json\",\"properties\":{\"i\":5,\"l\":5000000000,"
                              "\"r\":1.5,\"b\":true,\"s\":\"x\",\"m\":{\"k\":[1,{},[]],\"n\":null}"
                              "},\"body\":{\"a\":1}}"),
              "%.*s", RF_FMT(text));
    cr_assert_eq(
        json_parse(RF_S("{\"d\":[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]}"), &w.arena, &deep, &w.err),
        RF_OK);
    parts.properties = deep;
    cr_assert_eq(event_make(&parts, &w.arena, &in, &w.err), RF_INVALID);
    cr_assert_str_eq(w.err.code, "amqp:not-allowed");
}
