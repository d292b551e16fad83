/* crash_hub.h - what the sender and the checker of tests/crash_hub share: where the server is, and what an event looks like.
 *
 * An event's body is "SENDER NUMBER SERIAL PADDING CHECKSUM": the number is the thing that is sent; the serial is another one each
 * time that a sender sends, so that what was stored twice can be told from what was sent twice. The checksum is xxh3 of what is
 * before it, 16 hex digits.
 *
 * A sender keeps its own file, FOLDER/SENDER.sent, a line for what it learned, after it learned it:
 *
 *   acknowledged NUMBER SERIAL COUNT [PARTITION OFFSET]     numbers and serials from there on
 *   unknown NUMBER SERIAL COUNT - REASON                    no answer came, or one that does not say
 *   refused NUMBER SERIAL COUNT - REASON                    the server said that it did not take them
 *   broken REASON                                           what must not happen */
#ifndef RF_CRASH_HUB_H
#define RF_CRASH_HUB_H

#include <inttypes.h>
#include <librdkafka/rdkafka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "amqp/client.h"
#include "base/encode.h"
#include "base/fs.h"
#include "base/json_tree.h"
#include "crypt/digest.h"
#include "net/client.h"

#define CRASH_HELPER __attribute__((unused)) static
#define CRASH_HUB "crash"
enum { CRASH_PARTITIONS = 4, CRASH_PADDING_MAX = 6000, CRASH_SENDERS_MAX = 16 };

enum protocol { OVER_AMQP, OVER_WEBSOCKET, OVER_HTTPS, OVER_KAFKA, PROTOCOL_COUNT };
static const char *const protocol_names[]
    __attribute__((unused)) = {"amqp", "websocket", "https", "kafka"};
/* Where a sender's events go. */
enum aim { AIM_ANY, AIM_KEY, AIM_PARTITION };
struct sender_plan {
    const char *name;
    enum protocol protocol;
    enum aim aim;
    uint32_t together_max; /* events of one message, request or window */
    bool in_batches;       /* as one message or request */
    bool idempotent;       /* a Kafka producer with sequence numbers */
    bool repeats;          /* sends again what it had no answer to */
    const char *codec;     /* Kafka's */
};
static const struct sender_plan sender_plans[] = {
    {"amqp-any", OVER_AMQP, AIM_ANY, 20, false, false, true, NULL},
    {"amqp-key", OVER_AMQP, AIM_KEY, 30, true, false, false, NULL},
    {"amqp-part", OVER_AMQP, AIM_PARTITION, 1, false, false, true, NULL},
    {"ws-any", OVER_WEBSOCKET, AIM_ANY, 30, true, false, true, NULL},
    {"ws-part", OVER_WEBSOCKET, AIM_PARTITION, 8, false, false, false, NULL},
    {"https-key", OVER_HTTPS, AIM_KEY, 1, false, false, true, NULL},
    {"https-part", OVER_HTTPS, AIM_PARTITION, 10, true, false, false, NULL},
    {"kafka-key", OVER_KAFKA, AIM_KEY, 10, true, true, true, "none"},
    {"kafka-part", OVER_KAFKA, AIM_PARTITION, 40, true, true, true, "lz4"},
    {"kafka-plain", OVER_KAFKA, AIM_PARTITION, 10, true, false, false, "zstd"},
};
_Static_assert(RF_COUNT(sender_plans) <= CRASH_SENDERS_MAX, "as many as arrays have room for");

/* ---- the server ------------------------------------------------------------------------------------------------- */

struct place {
    struct rf_arena arena;
    struct json_node *boot;
    rf_str ca;
    const char *ca_path;
};

CRASH_HELPER _Noreturn void give_up(const char *what, rf_str detail)
{
    fprintf(stderr, "crash_hub: %s: %.*s\n", what, RF_FMT(detail));
    exit(1);
}

/* bootstrap.json, which is the same after each start but for the moment in which it is written. */
CRASH_HELPER enum rf_kind place_read(struct place *place, const char *path, struct rf_err *err)
{
    enum { FILE_BYTES_MAX = 1 << 20, MEMORY_BYTES = 64 << 20 };
    rf_str text;
    *place = (struct place){0};
    rf_arena_init(&place->arena, MEMORY_BYTES);
    RF_TRY(rf_fs_read_all(rf_fs_real(), path, FILE_BYTES_MAX, &place->arena, &text, err));
    RF_TRY(json_parse(text, &place->arena, &place->boot, err));
    place->ca_path = rf_arena_cstr(&place->arena, json_text_at(place->boot, "ca"));
    if (place->ca_path == NULL) return rf_fail_memory(err, &place->arena);
    return rf_fs_read_all(rf_fs_real(), place->ca_path, FILE_BYTES_MAX, &place->arena, &place->ca,
                          err);
}

CRASH_HELPER void place_init(struct place *place, const char *path)
{
    struct rf_err err;
    if (place_read(place, path, &err) != RF_OK) give_up(path, rf_str_of(err.text));
}

CRASH_HELPER rf_str place_text(const struct place *place, const char *name)
{
    return json_text_at(place->boot, name);
}

/* Of "host:port" or a URL with both. */
CRASH_HELPER uint16_t place_port(const struct place *place, const char *name)
{
    rf_str text = place_text(place, name);
    size_t at = text.len;
    while (at > 0 && rf_is_digit(text.ptr[at - 1])) at--;
    unsigned port = 0;
    for (; at < text.len; at++) port = port * 10 + (text.ptr[at] - '0');
    return (uint16_t)port;
}

CRASH_HELPER enum rf_kind place_amqp(const struct place *place, bool over_websocket,
                                     struct amqp_client **out, struct rf_err *err)
{
    const struct amqp_client_options options = {
        .host = "localhost",
        .port = place_port(place, over_websocket ? "https" : "amqps"),
        .ca_pem = place->ca,
        .over_websocket = over_websocket,
        .user = place_text(place, "hub.key_name"),
        .password = place_text(place, "hub.key"),
        .timeout_usec = 10 * RF_USEC_PER_SECOND};
    return amqp_client_open(&options, out, err);
}

CRASH_HELPER struct http_client *place_http(const struct place *place)
{
    struct http_client_options options = {.ca_pem = place->ca,
                                          .timeout_usec = 20 * RF_USEC_PER_SECOND};
    struct http_client *client;
    struct rf_err err;
    if (http_client_new(&options, &client, &err) != RF_OK) give_up("client", rf_str_of(err.text));
    return client;
}

/* A signature for the hub that lasts a day. */
CRASH_HELPER rf_str place_signature(const struct place *place, struct rf_arena *arena)
{
    uint8_t mac[SHA256_BYTES];
    rf_str uri = percent_encode(arena, RF_S("sb://localhost/" CRASH_HUB));
    long long end = rf_clock_now(rf_clock_real()) / RF_USEC_PER_SECOND + 86400;
    rf_str text = rf_arena_printf(arena, "%.*s\n%lld", RF_FMT(uri), end);
    digest_hmac_sha256(place_text(place, "hub.key"), text, mac);
    rf_str sig = percent_encode(arena, base64_encode(arena, rf_str_make(mac, sizeof mac)));
    rf_str token =
        rf_arena_printf(arena, "SharedAccessSignature sr=%.*s&sig=%.*s&se=%lld&skn=%.*s",
                        RF_FMT(uri), RF_FMT(sig), end, RF_FMT(place_text(place, "hub.key_name")));
    if (token.ptr == NULL) give_up("memory", RF_S("none for a signature"));
    return token;
}

CRASH_HELPER void kafka_set(rd_kafka_conf_t *conf, const char *name, const char *value)
{
    char why[256];
    if (rd_kafka_conf_set(conf, name, value, why, sizeof why) != RD_KAFKA_CONF_OK)
        give_up(name, rf_str_of(why));
}

CRASH_HELPER rd_kafka_conf_t *place_kafka(struct place *place)
{
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    rf_str password = rf_arena_printf(
        &place->arena, "Endpoint=sb://localhost/;SharedAccessKeyName=%.*s;SharedAccessKey=%.*s",
        RF_FMT(place_text(place, "hub.key_name")), RF_FMT(place_text(place, "hub.key")));
    const char *servers = rf_arena_cstr(&place->arena, place_text(place, "kafka"));
    const char *secret = rf_arena_cstr(&place->arena, password);
    if (servers == NULL || secret == NULL) give_up("memory", RF_S("none for a login"));
    kafka_set(conf, "bootstrap.servers", servers);
    kafka_set(conf, "ssl.ca.location", place->ca_path);
    kafka_set(conf, "security.protocol", "SASL_SSL");
    kafka_set(conf, "sasl.mechanisms", "PLAIN");
    kafka_set(conf, "sasl.username", "$ConnectionString");
    kafka_set(conf, "sasl.password", secret);
    kafka_set(conf, "reconnect.backoff.ms", "20");
    kafka_set(conf, "reconnect.backoff.max.ms", "200");
    kafka_set(conf, "log_level", "2"); /* that connections end is what this is about */
    return conf;
}

/* ---- events ----------------------------------------------------------------------------------------------------- */

CRASH_HELPER uint64_t mix(uint64_t a, uint64_t b) { return rf_hash_mix(a, b); }

CRASH_HELPER rf_str event_text(struct rf_arena *arena, uint32_t sender, uint64_t number,
                               uint64_t serial)
{
    uint64_t dice = mix(sender + 1, serial);
    size_t padding = dice % 50 == 0 ? (dice >> 8) % CRASH_PADDING_MAX : (dice >> 8) % 250;
    struct rf_buf buf = rf_buf_in(arena);
    rf_buf_printf(&buf, "%s %" PRIu64 " %" PRIu64 " ", sender_plans[sender].name, number, serial);
    for (size_t i = 0; i < padding; i++)
        rf_buf_byte(&buf, (uint8_t)('a' + (mix(dice, i / 3) >> 20) % 26));
    rf_buf_byte(&buf, ' ');
    uint64_t sum = XXH3_64bits(buf.ptr, buf.len);
    rf_buf_printf(&buf, "%016" PRIx64, sum);
    if (buf.failed) give_up("memory", RF_S("none for an event"));
    return rf_buf_view(&buf);
}

#endif
