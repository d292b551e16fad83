/* hub_seeds.h - valid conversations with event hubs, whose frames an attacker spoils (hub_storm.c): AMQP, Kafka, HTTPS. */
#ifndef RF_TEST_HUB_SEEDS_H
#define RF_TEST_HUB_SEEDS_H

#include "amqp/client.h"
#include "amqp/frame.h"
#include "base/encode.h"
#include "crypt/digest.h"
#include "hub/codec.h"
#include "hub/event.h"
#include "kafka/wire.h"

enum { TALK_SETUP_MAX = 8, TALK_FRAMES_MAX = 64 };
struct talk {
    rf_str setup[TALK_SETUP_MAX]; /* sent and answered first */
    rf_str frames[TALK_FRAMES_MAX];
    uint32_t setup_count, frame_count;
    rf_str topic;         /* of Kafka; empty: it is another protocol */
    bool is_text;         /* HTTP: no length stands in front */
    uint32_t length_adds; /* what a frame's length counts beside the bytes behind it: 4 of AMQP */
};

struct seed_login {
    rf_str hub, rule, key;
};

static inline rf_str seed_done(struct rf_buf *buf)
{
    if (buf->failed) abort();
    return rf_buf_view(buf);
}

static inline void talk_add(struct talk *talk, rf_str frame)
{
    if (talk->frame_count == TALK_FRAMES_MAX) abort();
    talk->frames[talk->frame_count++] = frame;
}

static inline rf_str seed_sas(struct rf_arena *arena, const struct seed_login *login,
                              const char *scheme, int64_t expires)
{
    uint8_t mac[SHA256_BYTES];
    rf_str uri = rf_arena_printf(arena, "%s://localhost/%.*s", scheme, RF_FMT(login->hub));
    uri = percent_encode(arena, uri);
    rf_str text = rf_arena_printf(arena, "%.*s\n%lld", RF_FMT(uri), (long long)expires);
    digest_hmac_sha256(login->key, text, mac);
    rf_str sig = percent_encode(arena, base64_encode(arena, rf_str_make(mac, sizeof mac)));
    return rf_arena_printf(arena, "SharedAccessSignature sr=%.*s&sig=%.*s&se=%lld&skn=%.*s",
                           RF_FMT(uri), RF_FMT(sig), (long long)expires, RF_FMT(login->rule));
}

/* ---- AMQP --------------------------------------------------------------------------------------------------------- */

struct seed_frame {
    struct rf_buf buf;
    size_t frame, list;
};

static inline struct seed_frame seed_begin(struct rf_arena *arena, enum frame_type type,
                                           enum performative code)
{
    struct seed_frame f = {.buf = rf_buf_in(arena)};
    f.frame = frame_begin(&f.buf, type, 0);
    amqp_put_descriptor(&f.buf, code);
    f.list = amqp_put_begin(&f.buf);
    return f;
}

static inline rf_str seed_end(struct seed_frame *f, uint32_t fields, rf_str payload)
{
    amqp_put_end(&f->buf, f->list, AMQP_LIST, fields);
    rf_buf_str(&f->buf, payload);
    (void)frame_end(&f->buf, f->frame);
    return seed_done(&f->buf);
}

static inline void seed_terminus(struct rf_buf *buf, enum performative code, rf_str address,
                                 const char *selector)
{
    amqp_put_descriptor(buf, code);
    size_t list = amqp_put_begin(buf);
    amqp_put_string(buf, address);
    for (int i = 0; i < 6 && selector != NULL; i++) amqp_put_null(buf);
    if (selector != NULL) {
        size_t map = amqp_put_begin(buf);
        amqp_put_symbol(buf, RF_S("apache.org:selector-filter:string"));
        amqp_put_descriptor(buf, UINT64_C(0x468C00000004));
        amqp_put_string(buf, rf_str_of(selector));
        amqp_put_end(buf, map, AMQP_MAP, 2);
    }
    amqp_put_end(buf, list, AMQP_LIST, selector != NULL ? 8 : 1);
}

static inline rf_str seed_attach(struct rf_arena *arena, uint32_t handle, bool is_receiver,
                                 rf_str address, const char *selector)
{
    struct seed_frame f = seed_begin(arena, FRAME_AMQP_TYPE, PERF_ATTACH);
    struct rf_buf *buf = &f.buf;
    amqp_put_string(buf, rf_arena_printf(arena, "link-%u", handle));
    amqp_put_uint(buf, handle);
    amqp_put_bool(buf, is_receiver);
    amqp_put_ubyte(buf, 0);
    amqp_put_ubyte(buf, 0);
    seed_terminus(buf, PERF_SOURCE, is_receiver ? address : RF_S("x"), selector);
    seed_terminus(buf, PERF_TARGET, is_receiver ? RF_S("x") : address, NULL);
    amqp_put_null(buf);
    amqp_put_null(buf);
    amqp_put_uint(buf, 0);
    amqp_put_ulong(buf, 1 << 20);
    amqp_put_null(buf);
    static const rf_str wish = {(const uint8_t *)"com.microsoft:enable-receiver-runtime-metric",
                                44};
    amqp_put_array(buf, AMQP_SYMBOL, &wish, 1);
    size_t map = amqp_put_begin(buf);
    amqp_put_symbol(buf, RF_S("com.microsoft:receiver-name"));
    amqp_put_string(buf, RF_S("storm"));
    amqp_put_end(buf, map, AMQP_MAP, 2);
    return seed_end(&f, 14, (rf_str){0});
}

static inline rf_str seed_flow(struct rf_arena *arena, uint32_t handle, uint32_t credit, bool drain)
{
    struct seed_frame f = seed_begin(arena, FRAME_AMQP_TYPE, PERF_FLOW);
    uint32_t fields[] = {0, 5000, 0, 5000, handle, 0, credit};
    for (size_t i = 0; i < RF_COUNT(fields); i++) amqp_put_uint(&f.buf, fields[i]);
    amqp_put_uint(&f.buf, 0);
    amqp_put_bool(&f.buf, drain);
    amqp_put_bool(&f.buf, true);
    return seed_end(&f, 10, (rf_str){0});
}

static inline rf_str seed_transfer(struct rf_arena *arena, uint32_t handle, uint32_t id,
                                   uint32_t format, bool more, rf_str message)
{
    struct seed_frame f = seed_begin(arena, FRAME_AMQP_TYPE, PERF_TRANSFER);
    amqp_put_uint(&f.buf, handle);
    amqp_put_uint(&f.buf, id);
    amqp_put_binary(&f.buf, RF_S("tag"));
    amqp_put_uint(&f.buf, format);
    amqp_put_bool(&f.buf, false);
    amqp_put_bool(&f.buf, more);
    return seed_end(&f, 6, message);
}

static inline rf_str seed_small(struct rf_arena *arena, enum performative code, uint32_t handle,
                                uint32_t fields)
{
    struct seed_frame f = seed_begin(arena, FRAME_AMQP_TYPE, code);
    if (fields > 0) amqp_put_uint(&f.buf, handle);
    if (fields > 1) amqp_put_bool(&f.buf, true);
    return seed_end(&f, fields, (rf_str){0});
}

static inline rf_str seed_disposition(struct rf_arena *arena)
{
    struct seed_frame f = seed_begin(arena, FRAME_AMQP_TYPE, PERF_DISPOSITION);
    amqp_put_bool(&f.buf, true);
    amqp_put_uint(&f.buf, 0);
    amqp_put_uint(&f.buf, 5);
    amqp_put_bool(&f.buf, true);
    amqp_put_descriptor(&f.buf, PERF_ACCEPTED);
    amqp_put_end(&f.buf, amqp_put_begin(&f.buf), AMQP_LIST, 0);
    return seed_end(&f, 5, (rf_str){0});
}

static inline rf_str seed_request(struct rf_arena *arena, const char *operation, rf_str name,
                                  const char *type, rf_str token)
{
    struct rf_buf buf = rf_buf_in(arena);
    amqp_put_descriptor(&buf, AMQP_PROPERTIES);
    size_t list = amqp_put_begin(&buf);
    amqp_put_string(&buf, RF_S("id-1"));
    amqp_put_null(&buf);
    amqp_put_string(&buf, RF_S("$cbs"));
    amqp_put_null(&buf);
    amqp_put_string(&buf, RF_S("reply"));
    amqp_put_end(&buf, list, AMQP_LIST, 5);
    amqp_put_descriptor(&buf, AMQP_APPLICATION_PROPERTIES);
    size_t map = amqp_put_begin(&buf);
    const rf_str words[] = {RF_S("operation"), rf_str_of(operation),
                            RF_S("type"),      rf_str_of(type),
                            RF_S("name"),      name,
                            RF_S("partition"), RF_S("0")};
    for (size_t i = 0; i < RF_COUNT(words); i++) amqp_put_string(&buf, words[i]);
    amqp_put_end(&buf, map, AMQP_MAP, RF_COUNT(words));
    amqp_put_descriptor(&buf, AMQP_BODY_VALUE);
    amqp_put_string(&buf, token);
    return seed_done(&buf);
}

/* A message of many sections and types. */
static inline rf_str seed_message(struct rf_arena *arena)
{
    struct rf_buf buf = rf_buf_in(arena);
    amqp_put_descriptor(&buf, AMQP_MESSAGE_ANNOTATIONS);
    size_t map = amqp_put_begin(&buf);
    amqp_put_symbol(&buf, RF_S("x-opt-partition-key"));
    amqp_put_string(&buf, RF_S("truck-7"));
    amqp_put_end(&buf, map, AMQP_MAP, 2);
    amqp_put_descriptor(&buf, AMQP_APPLICATION_PROPERTIES);
    map = amqp_put_begin(&buf);
    amqp_put_string(&buf, RF_S("a"));
    amqp_put_double(&buf, 1.5);
    amqp_put_string(&buf, RF_S("b"));
    size_t list = amqp_put_begin(&buf);
    amqp_put_bool(&buf, true);
    amqp_put_long(&buf, -5);
    amqp_put_end(&buf, list, AMQP_LIST, 2);
    amqp_put_end(&buf, map, AMQP_MAP, 4);
    amqp_put_descriptor(&buf, AMQP_DATA);
    amqp_put_binary(&buf, RF_S("{\"n\":1}"));
    return seed_done(&buf);
}

static inline void seed_amqp(struct talk *talk, struct rf_arena *arena,
                             const struct seed_login *login, int64_t expires)
{
    static const uint8_t sasl[] = "AMQP\3\1\0\0", plain[] = "AMQP\0\1\0\0",
                         beat[] = "\0\0\0\x8\2\0\0";
    struct rf_buf batch = rf_buf_in(arena), secret = rf_buf_in(arena);
    *talk = (struct talk){.length_adds = 4};
    rf_buf_byte(&secret, 0);
    rf_buf_str(&secret, login->rule);
    rf_buf_byte(&secret, 0);
    rf_buf_str(&secret, login->key);
    struct seed_frame init = seed_begin(arena, FRAME_SASL_TYPE, PERF_SASL_INIT);
    amqp_put_symbol(&init.buf, RF_S("PLAIN"));
    amqp_put_binary(&init.buf, seed_done(&secret));
    struct seed_frame open = seed_begin(arena, FRAME_AMQP_TYPE, PERF_OPEN);
    amqp_put_string(&open.buf, RF_S("storm"));
    amqp_put_string(&open.buf, RF_S("localhost"));
    amqp_put_uint(&open.buf, 65536);
    amqp_put_ushort(&open.buf, UINT16_MAX);
    amqp_put_uint(&open.buf, 60000);
    struct seed_frame begin = seed_begin(arena, FRAME_AMQP_TYPE, PERF_BEGIN);
    amqp_put_null(&begin.buf);
    for (int i = 0; i < 4; i++) amqp_put_uint(&begin.buf, i == 0 ? 0 : 5000);
    rf_str setup[] = {rf_str_make(sasl, 8),
                      seed_end(&init, 2, (rf_str){0}),
                      rf_str_make(plain, 8),
                      seed_end(&open, 5, (rf_str){0}),
                      seed_end(&begin, 5, (rf_str){0}),
                      seed_attach(arena, 0, false, login->hub, NULL),
                      seed_attach(arena, 2, false, RF_S("$cbs"), NULL),
                      seed_attach(arena, 3, true, RF_S("$cbs"), NULL)};
    memcpy(talk->setup, setup, sizeof setup);
    talk->setup_count = RF_COUNT(setup);

    rf_str message = seed_message(arena), token = seed_sas(arena, login, "sb", expires);
    rf_str uri = rf_arena_printf(arena, "sb://localhost/%.*s", RF_FMT(login->hub));
    amqp_message_member(&batch, message);
    amqp_message_member(&batch, message);
    rf_str receive =
        rf_arena_printf(arena, "%.*s/ConsumerGroups/$Default/Partitions/0", RF_FMT(login->hub));
    rf_str publisher = rf_arena_printf(arena, "%.*s/Publishers/dev", RF_FMT(login->hub));
    talk_add(talk, seed_transfer(arena, 0, 0, 0, false, message));
    talk_add(talk, seed_transfer(arena, 0, 1, EVENT_BATCH_FORMAT, false, seed_done(&batch)));
    talk_add(talk, seed_transfer(arena, 0, 2, 0, true, message));
    talk_add(talk, seed_transfer(arena, 0, 2, 0, false, message));
    talk_add(talk, seed_attach(arena, 1, true, receive, "amqp.annotation.x-opt-offset > '-1'"));
    talk_add(talk, seed_attach(arena, 4, true, receive,
                               "amqp.annotation.x-opt-enqueued-time > '1700000000000'"));
    talk_add(talk, seed_flow(arena, 1, 100, false));
    talk_add(talk, seed_flow(arena, 1, 10, true));
    talk_add(talk, seed_flow(arena, 0, 0, false));
    talk_add(talk, seed_disposition(arena));
    talk_add(talk, seed_attach(arena, 5, false, publisher, NULL));
    talk_add(talk, seed_flow(arena, 3, 100, false));
    talk_add(talk, seed_transfer(arena, 2, 3, 0, false,
                                 seed_request(arena, "put-token", uri,
                                              "servicebus.windows.net:sastoken", token)));
    talk_add(talk, seed_attach(arena, 6, false, RF_S("$management"), NULL));
    talk_add(talk, seed_attach(arena, 7, true, RF_S("$management"), NULL));
    talk_add(talk, seed_flow(arena, 7, 10, false));
    talk_add(talk, seed_transfer(arena, 6, 4, 0, false,
                                 seed_request(arena, "READ", login->hub, "com.microsoft:partition",
                                              (rf_str){(const uint8_t *)"", 0})));
    talk_add(talk, rf_str_make(beat, 8));
    talk_add(talk, seed_small(arena, PERF_DETACH, 1, 2));
    talk_add(talk, seed_small(arena, PERF_END, 0, 0));
    talk_add(talk, seed_small(arena, PERF_CLOSE, 0, 0));
}

/* ---- Kafka -------------------------------------------------------------------------------------------------------- */

static inline struct rf_buf seed_ask(struct rf_arena *arena, int16_t key, int16_t version)
{
    struct rf_buf buf = rf_buf_in(arena);
    kafka_put_i32(&buf, 0);
    kafka_put_i16(&buf, key);
    kafka_put_i16(&buf, version);
    kafka_put_i32(&buf, 7);
    kafka_put_string(&buf, RF_S("storm"));
    return buf;
}

static inline rf_str seed_asked(struct rf_buf *buf)
{
    kafka_set_i32(buf, 0, (int32_t)buf->len - 4);
    return seed_done(buf);
}

static inline rf_str seed_batch(struct rf_arena *arena, enum batch_codec codec, rf_str value)
{
    struct batch_builder batch;
    struct rf_buf buf = rf_buf_in(arena);
    const struct record_header header = {RF_S("h"), RF_S("v")};
    struct rf_err err;
    batch_begin(&batch, &buf);
    for (int i = 0; i < 3; i++) batch_add(&batch, 1700000000000 + i, RF_S("k"), value, &header, 1);
    if (batch_end(&batch, codec, NULL, &err) != RF_OK) abort();
    return seed_done(&buf);
}

/* Any records under a head whose crc is right. */
static inline rf_str seed_raw_batch(struct rf_arena *arena, int16_t attributes, int32_t count,
                                    rf_str records)
{
    struct rf_buf buf = rf_buf_in(arena);
    kafka_put_i64(&buf, 0);
    kafka_put_i32(&buf, (int32_t)(49 + records.len));
    kafka_put_i32(&buf, 0);
    kafka_put_i8(&buf, 2);
    kafka_put_i32(&buf, 0); /* crc */
    kafka_put_i16(&buf, attributes);
    kafka_put_i32(&buf, count - 1);
    kafka_put_i64(&buf, 1700000000000);
    kafka_put_i64(&buf, 1700000000000);
    kafka_put_i64(&buf, -1);
    kafka_put_i16(&buf, -1);
    kafka_put_i32(&buf, -1);
    kafka_put_i32(&buf, count);
    rf_buf_str(&buf, records);
    if (buf.failed) abort();
    kafka_set_i32(&buf, 17, (int32_t)crc32c(0, buf.ptr + 21, buf.len - 21));
    return seed_done(&buf);
}

static inline rf_str seed_produce(struct rf_arena *arena, rf_str topic, int32_t partition,
                                  rf_str records)
{
    struct rf_buf buf = seed_ask(arena, 0, 7);
    kafka_put_i16(&buf, -1); /* not transactional */
    kafka_put_i16(&buf, 1);
    kafka_put_i32(&buf, 10000);
    kafka_put_count(&buf, 1);
    kafka_put_string(&buf, topic);
    kafka_put_count(&buf, 1);
    kafka_put_i32(&buf, partition);
    kafka_put_bytes(&buf, records);
    return seed_asked(&buf);
}

static inline rf_str seed_fetch(struct rf_arena *arena, rf_str topic, int32_t partition,
                                int64_t offset, int32_t wait_ms, int32_t bytes_max)
{
    struct rf_buf buf = seed_ask(arena, 1, 4);
    kafka_put_i32(&buf, -1);
    kafka_put_i32(&buf, wait_ms);
    kafka_put_i32(&buf, 1);
    kafka_put_i32(&buf, bytes_max);
    kafka_put_i8(&buf, 0);
    kafka_put_count(&buf, 1);
    kafka_put_string(&buf, topic);
    kafka_put_count(&buf, 1);
    kafka_put_i32(&buf, partition);
    kafka_put_i64(&buf, offset);
    kafka_put_i32(&buf, bytes_max);
    return seed_asked(&buf);
}

static inline rf_str seed_handshake(struct rf_arena *arena)
{
    struct rf_buf buf = seed_ask(arena, 17, 1);
    kafka_put_string(&buf, RF_S("PLAIN"));
    return seed_asked(&buf);
}

static inline rf_str seed_authenticate(struct rf_arena *arena, const struct seed_login *login)
{
    struct rf_buf buf = seed_ask(arena, 36, 1), secret = rf_buf_in(arena);
    rf_buf_put(&secret, "\0$ConnectionString\0", 19);
    rf_buf_printf(&secret, "Endpoint=sb://localhost/;SharedAccessKeyName=%.*s;SharedAccessKey=%.*s",
                  RF_FMT(login->rule), RF_FMT(login->key));
    if (login->hub.len > 0) rf_buf_printf(&secret, ";EntityPath=%.*s", RF_FMT(login->hub));
    kafka_put_bytes(&buf, seed_done(&secret));
    return seed_asked(&buf);
}

/* Requests whose bodies are written as a text: s name, 2 4 8 numbers, [ an array of one. */
static inline rf_str seed_plain(struct rf_arena *arena, int16_t key, int16_t version,
                                const char *form, rf_str name)
{
    struct rf_buf buf = seed_ask(arena, key, version);
    for (const char *c = form; *c != 0; c++) {
        if (*c == 's') kafka_put_string(&buf, name);
        if (*c == '1') kafka_put_i8(&buf, 0);
        if (*c == '2') kafka_put_i16(&buf, 0);
        if (*c == '4') kafka_put_i32(&buf, 0);
        if (*c == '6') kafka_put_i32(&buf, 6000);
        if (*c == '8') kafka_put_i64(&buf, 0);
        if (*c == '[') kafka_put_count(&buf, 1);
        if (*c == 'b') kafka_put_bytes(&buf, RF_S("\0\1\0\0\0\1\0\3bad\0\0\0\0"));
    }
    return seed_asked(&buf);
}

static inline void seed_kafka(struct talk *talk, struct rf_arena *arena,
                              const struct seed_login *login)
{
    static const struct {
        int16_t key, version;
        const char *form;
    } rows[] = {{2, 1, "4[s[48"},
                {3, 5, "[s1"},
                {3, 1, "[s"},
                {8, 2, "s4s8[s[48s"},
                {9, 1, "s[s[4"},
                {10, 1, "s1"},
                {11, 2, "s66ss[sb"},
                {11, 5, "s66sss[sb"},
                {12, 1, "s4s"},
                {13, 1, "ss"},
                {13, 3, "s[ss"},
                {14, 1, "s4s[sb"},
                {15, 1, "[s"},
                {16, 1, ""},
                {18, 2, ""},
                {18, 9, "ss"},
                {19, 1, "[s42[4[4[ss41"},
                {20, 1, "[s4"},
                {21, 1, "[s[484"},
                {22, 1, "24"},
                {23, 2, "[s[444"},
                {32, 1, "[1s[s1"},
                {33, 1, "[1s[ss1"},
                {37, 1, "[s44[[441"},
                {42, 1, "[s"},
                {44, 0, "[1s[s1s1"},
                {47, 0, "s[s[4"},
                {99, 0, "s"},
                {0, 2, "24[s[4b"},
                {1, 11, "44441[44[s[448484[s[4s"}};
    *talk = (struct talk){.setup_count = 2, .topic = login->hub};
    talk->setup[0] = seed_handshake(arena);
    talk->setup[1] = seed_authenticate(arena, login);
    rf_str value = RF_S("hello hello hello hello hello hello hello hello hello hello hello");
    for (int codec = CODEC_NONE; codec <= CODEC_ZSTD; codec++)
        talk_add(talk, seed_produce(arena, login->hub, codec % 2,
                                    seed_batch(arena, (enum batch_codec)codec, value)));
    talk_add(talk, seed_fetch(arena, login->hub, 0, 0, 10, 1 << 20));
    for (size_t i = 0; i < RF_COUNT(rows); i++)
        talk_add(talk, seed_plain(arena, rows[i].key, rows[i].version, rows[i].form, login->hub));
}

/* ---- HTTPS -------------------------------------------------------------------------------------------------------- */

static inline void seed_http(struct talk *talk, struct rf_arena *arena,
                             const struct seed_login *login, uint16_t port, int64_t expires)
{
    static const struct {
        const char *method, *path, *headers, *body;
    } rows[] = {
        {"POST", "/messages?timeout=60&api-version=2014-01", "Count: 42\r\nWind: strong\r\n", "hi"},
        {"POST", "/messages", "BrokerProperties: {\"PartitionKey\":\"k\",\"MessageId\":\"m\"}\r\n",
         "{\"n\":1}"},
        {"POST", "/partitions/0/messages", "Content-Type: application/json; charset=utf-8\r\n",
         "[1,2]"},
        {"POST", "/publishers/dev/messages", "Content-Encoding: identity\r\n", "x"},
        {"POST", "/messages", "Content-Type: application/vnd.microsoft.servicebus.json\r\n",
         "[{\"Body\":\"a\",\"UserProperties\":{\"x\":[1,{\"y\":null}],\"z\":1.5},"
         "\"BrokerProperties\":{\"PartitionKey\":\"k\"}},{\"Body\":\"b\\u00e4\"}]"},
        {"GET", "/partitions/0/events?from=0&count=2", "Accept: */*\r\n", ""},
        {"GET", "/revokedpublishers", "Accept: application/json\r\n", ""},
        {"PUT", "/revokedpublishers/dev", "", ""}};
    rf_str token = seed_sas(arena, login, "https", expires);
    *talk = (struct talk){.is_text = true};
    for (size_t i = 0; i < RF_COUNT(rows); i++)
        talk_add(talk, rf_arena_printf(
                           arena,
                           "%s /%.*s%s HTTP/1.1\r\nHost: localhost:%u\r\nAuthorization: %.*s\r\n"
                           "Content-Length: %zu\r\n%s\r\n%s",
                           rows[i].method, RF_FMT(login->hub), rows[i].path, port, RF_FMT(token),
                           strlen(rows[i].body), rows[i].headers, rows[i].body));
}

#endif
