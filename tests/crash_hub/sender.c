/* sender BOOTSTRAP FOLDER SEED - sends events of every plan in crash_hub.h, each from a thread of its own, until it gets SIGTERM, and
 * writes down in FOLDER what was acknowledged. The server may be killed at any moment: who has no answer connects again.
 *
 * CRASH_KAFKA_IN_FLIGHT: how many requests a Kafka producer sends before it has an answer (5).
 *
 *   sender BOOTSTRAP prepare     makes the hub, a table, and the rule that captures the one into the other */
#include "crash_hub.h"

#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include "base/json_out.h"
#include "hub/event.h"

enum {
    MEMORY_BYTES = 32 << 20,
    KEYS = 16,
    PAUSE_USEC_MAX = 40000,
    RECONNECT_USEC = 30000,
    KAFKA_WAITING_MAX = 400,
    FLUSH_MS = 90000
};

struct sender {
    const struct sender_plan *plan;
    uint32_t index;
    uint64_t dice;
    struct place place;
    struct rf_arena arena; /* of a window */
    FILE *report;
    uint64_t number, serial;
    char why[200]; /* the last answer was none */
    /* AMQP and WebSocket. */
    struct amqp_client *amqp;
    uint32_t links[CRASH_PARTITIONS];
    /* HTTPS. */
    struct http_client *http;
    rf_str signature;
};

static volatile sig_atomic_t ends;
static void end_all(int number)
{
    (void)number;
    ends = 1;
}

static uint64_t draw(struct sender *s, uint64_t below)
{
    s->dice = mix(s->dice, 1);
    return s->dice % below;
}

/* What is sent at once. */
struct window {
    uint32_t count, partition;
    char key[8];
    rf_str *texts;
};

static struct window make_window(struct sender *s)
{
    struct window w = {.count = 1, .partition = (uint32_t)draw(s, CRASH_PARTITIONS)};
    if (draw(s, 4) == 0) w.count = 1 + (uint32_t)draw(s, s->plan->together_max);
    (void)snprintf(w.key, sizeof w.key, "k%u", (unsigned)draw(s, KEYS));
    rf_arena_reset(&s->arena);
    w.texts = rf_arena_new(&s->arena, rf_str, w.count);
    if (w.texts == NULL) give_up("memory", RF_S("none for events"));
    for (uint32_t i = 0; i < w.count; i++)
        w.texts[i] = event_text(&s->arena, s->index, s->number + i, s->serial + i);
    return w;
}

enum outcome { ACKNOWLEDGED, UNKNOWN, REFUSED };

/* Notes it; what is repeated gets new serials. */
static void settle(struct sender *s, uint32_t count, enum outcome outcome)
{
    static const char *const words[] = {"acknowledged", "unknown", "refused"};
    fprintf(s->report, "%s %" PRIu64 " %" PRIu64 " %u", words[outcome], s->number, s->serial,
            count);
    fprintf(s->report, outcome == ACKNOWLEDGED ? "\n" : " - %s\n", s->why);
    (void)fflush(s->report);
    s->serial += count;
    if (outcome == ACKNOWLEDGED || !s->plan->repeats) s->number += count;
}

/* ---- AMQP ------------------------------------------------------------------------------------------------------- */

static enum rf_kind amqp_connect(struct sender *s, struct rf_err *err)
{
    RF_TRY(place_amqp(&s->place, s->plan->protocol == OVER_WEBSOCKET, &s->amqp, err));
    if (s->plan->aim != AIM_PARTITION)
        return amqp_client_sender(s->amqp, RF_S(CRASH_HUB), &s->links[0], err);
    for (uint32_t i = 0; i < CRASH_PARTITIONS; i++) {
        char target[64];
        (void)snprintf(target, sizeof target, CRASH_HUB "/Partitions/%u", i);
        RF_TRY(amqp_client_sender(s->amqp, rf_str_of(target), &s->links[i], err));
    }
    return RF_OK;
}

static enum rf_kind amqp_batch(struct sender *s, const struct window *w, uint32_t link, rf_str key,
                               struct rf_err *err)
{
    struct rf_buf envelope = rf_buf_in(&s->arena);
    if (key.len > 0) {
        amqp_put_descriptor(&envelope, AMQP_MESSAGE_ANNOTATIONS);
        size_t start = amqp_put_begin(&envelope);
        amqp_put_symbol(&envelope, RF_S("x-opt-partition-key"));
        amqp_put_string(&envelope, key);
        amqp_put_end(&envelope, start, AMQP_MAP, 2);
    }
    for (uint32_t i = 0; i < w->count; i++) {
        struct rf_buf one = rf_buf_in(&s->arena);
        amqp_message(&one, w->texts[i], key);
        amqp_message_member(&envelope, rf_buf_view(&one));
    }
    return amqp_client_send(s->amqp, link, EVENT_BATCH_FORMAT, rf_buf_view(&envelope), err);
}

static enum rf_kind amqp_send(struct sender *s, const struct window *w, struct rf_err *err)
{
    rf_str key = s->plan->aim == AIM_KEY ? rf_str_of(w->key) : (rf_str){0};
    uint32_t link = s->links[s->plan->aim == AIM_PARTITION ? w->partition : 0];
    if (s->plan->in_batches) {
        RF_TRY(amqp_batch(s, w, link, key, err));
        return amqp_client_settle(s->amqp, err);
    }
    for (uint32_t i = 0; i < w->count; i++) {
        struct rf_buf one = rf_buf_in(&s->arena);
        amqp_message(&one, w->texts[i], key);
        RF_TRY(amqp_client_send(s->amqp, link, 0, rf_buf_view(&one), err));
    }
    return amqp_client_settle(s->amqp, err);
}

static void run_amqp(struct sender *s)
{
    struct rf_err err;
    while (!ends) {
        if (s->amqp == NULL && amqp_connect(s, &err) != RF_OK) {
            amqp_client_close(s->amqp);
            s->amqp = NULL;
            (void)usleep(RECONNECT_USEC);
            continue;
        }
        struct window w = make_window(s);
        bool good = amqp_send(s, &w, &err) == RF_OK;
        if (!good) (void)snprintf(s->why, sizeof s->why, "%.190s", err.text);
        settle(s, w.count, good ? ACKNOWLEDGED : UNKNOWN);
        if (!good) {
            amqp_client_close(s->amqp);
            s->amqp = NULL;
        }
        (void)usleep((useconds_t)draw(s, PAUSE_USEC_MAX));
    }
    amqp_client_close(s->amqp);
}

/* ---- HTTPS ------------------------------------------------------------------------------------------------------ */

static rf_str http_batch(struct sender *s, const struct window *w)
{
    struct rf_buf buf = rf_buf_in(&s->arena);
    struct json_out out = json_out_to(&buf);
    json_begin_array(&out, NULL);
    for (uint32_t i = 0; i < w->count; i++) {
        json_begin_object(&out, NULL);
        json_put_text(&out, "Body", w->texts[i]);
        json_end_object(&out);
    }
    json_end_array(&out);
    return rf_buf_view(&buf);
}

static enum outcome http_send(struct sender *s, const struct window *w)
{
    struct rf_err err;
    struct http_answer answer;
    struct rf_arena *arena = &s->arena;
    rf_str origin = place_text(&s->place, "https"), url, body;
    rf_str type = RF_S("text/plain"), broker = RF_S("{}");
    if (s->plan->aim == AIM_PARTITION)
        url = rf_arena_printf(arena, "%.*s/" CRASH_HUB "/partitions/%u/messages", RF_FMT(origin),
                              w->partition);
    else
        url = rf_arena_printf(arena, "%.*s/" CRASH_HUB "/messages", RF_FMT(origin));
    if (s->plan->aim == AIM_KEY)
        broker = rf_arena_printf(arena, "{\"PartitionKey\":\"%s\"}", w->key);
    body = w->texts[0];
    if (s->plan->in_batches) {
        body = http_batch(s, w);
        type = RF_S("application/vnd.microsoft.servicebus.json");
    }
    struct http_header headers[] = {{RF_S("Authorization"), s->signature},
                                    {RF_S("Content-Type"), type},
                                    {RF_S("BrokerProperties"), broker}};
    uint32_t header_count = s->plan->in_batches ? 2 : 3;
    (void)snprintf(s->why, sizeof s->why, "no answer");
    if (http_client_call(s->http, "POST", url, headers, header_count, body, arena, &answer, &err) !=
        RF_OK)
        return UNKNOWN;
    (void)snprintf(s->why, sizeof s->why, "status %u", answer.status);
    if (answer.status >= 500) return UNKNOWN;
    if (answer.status == 201) return ACKNOWLEDGED;
    if (answer.status != 429)
        fprintf(s->report, "broken status %u: %.*s\n", answer.status,
                (int)RF_MIN(answer.body.len, (size_t)200), (const char *)answer.body.ptr);
    return REFUSED;
}

static void run_https(struct sender *s)
{
    s->http = place_http(&s->place);
    s->signature = place_signature(&s->place, &s->place.arena);
    while (!ends) {
        struct window w = make_window(s);
        enum outcome outcome = http_send(s, &w);
        settle(s, w.count, outcome);
        (void)usleep(outcome == UNKNOWN ? RECONNECT_USEC : (useconds_t)draw(s, PAUSE_USEC_MAX));
    }
    http_client_free(s->http);
}

/* ---- Kafka ------------------------------------------------------------------------------------------------------ */

/* Numbers and serials of a Kafka sender are the same: its client repeats by itself. */
static void on_delivery(rd_kafka_t *kafka, const rd_kafka_message_t *message, void *opaque)
{
    struct sender *s = opaque;
    uint64_t serial = (uint64_t)(uintptr_t)message->_private;
    (void)kafka;
    if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR) {
        fprintf(s->report, "acknowledged %" PRIu64 " %" PRIu64 " 1 %d %" PRId64 "\n", serial,
                serial, message->partition, message->offset);
    } else {
        fprintf(s->report, "unknown %" PRIu64 " %" PRIu64 " 1 - %s\n", serial, serial,
                rd_kafka_err2name(message->err));
        if (s->plan->idempotent)
            fprintf(s->report, "broken delivery of %" PRIu64 ": %s\n", serial,
                    rd_kafka_err2str(message->err));
    }
    (void)fflush(s->report);
}

static rd_kafka_t *kafka_producer(struct sender *s)
{
    char why[256];
    rd_kafka_conf_t *conf = place_kafka(&s->place);
    rd_kafka_conf_set_opaque(conf, s);
    rd_kafka_conf_set_dr_msg_cb(conf, on_delivery);
    kafka_set(conf, "linger.ms", "2");
    kafka_set(conf, "compression.codec", s->plan->codec);
    kafka_set(conf, "enable.idempotence", s->plan->idempotent ? "true" : "false");
    kafka_set(conf, "acks", "all");
    kafka_set(conf, "retry.backoff.ms", "50");
    const char *in_flight = getenv("CRASH_KAFKA_IN_FLIGHT");
    if (in_flight != NULL) kafka_set(conf, "max.in.flight", in_flight);
    if (s->plan->idempotent)
        kafka_set(conf, "message.timeout.ms", "0");
    else
        kafka_set(conf, "retries", "0");
    rd_kafka_t *kafka = rd_kafka_new(RD_KAFKA_PRODUCER, conf, why, sizeof why);
    if (kafka == NULL) give_up("kafka", rf_str_of(why));
    return kafka;
}

static void kafka_send(struct sender *s, rd_kafka_t *kafka, rd_kafka_topic_t *topic)
{
    struct window w = make_window(s);
    bool keyed = s->plan->aim == AIM_KEY;
    int32_t partition = keyed ? RD_KAFKA_PARTITION_UA : (int32_t)w.partition;
    for (uint32_t i = 0; i < w.count; i++) {
        if (rd_kafka_produce(topic, partition, RD_KAFKA_MSG_F_COPY,
                             (void *)(uintptr_t)w.texts[i].ptr, w.texts[i].len,
                             keyed ? w.key : NULL, keyed ? strlen(w.key) : 0,
                             (void *)(uintptr_t)s->serial) != 0)
            break;
        s->serial++, s->number++;
    }
    (void)rd_kafka_poll(kafka, 0);
}

static void run_kafka(struct sender *s)
{
    char why[256];
    rd_kafka_t *kafka = kafka_producer(s);
    rd_kafka_topic_t *topic = rd_kafka_topic_new(kafka, CRASH_HUB, NULL);
    while (!ends) {
        if (rd_kafka_outq_len(kafka) < KAFKA_WAITING_MAX) kafka_send(s, kafka, topic);
        (void)rd_kafka_poll(kafka, (int)draw(s, PAUSE_USEC_MAX) / 1000);
        (void)usleep((useconds_t)draw(s, PAUSE_USEC_MAX) / 2);
        if (rd_kafka_fatal_error(kafka, why, sizeof why) == RD_KAFKA_RESP_ERR_NO_ERROR) continue;
        fprintf(s->report, "broken producer: %s\n", why);
        break;
    }
    if (rd_kafka_flush(kafka, FLUSH_MS) != RD_KAFKA_RESP_ERR_NO_ERROR)
        fprintf(s->report, "broken: %d events were never answered\n", rd_kafka_outq_len(kafka));
    rd_kafka_topic_destroy(topic);
    rd_kafka_destroy(kafka);
}

/* ---- all of them ------------------------------------------------------------------------------------------------ */

static void *run(void *ctx)
{
    struct sender *s = ctx;
    if (s->plan->protocol == OVER_HTTPS)
        run_https(s);
    else if (s->plan->protocol == OVER_KAFKA)
        run_kafka(s);
    else
        run_amqp(s);
    (void)fclose(s->report);
    return NULL;
}

static void send_all(const char *bootstrap, const char *folder, uint64_t seed)
{
    static struct sender senders[RF_COUNT(sender_plans)];
    pthread_t threads[RF_COUNT(sender_plans)];
    for (uint32_t i = 0; i < RF_COUNT(sender_plans); i++) {
        struct sender *s = &senders[i];
        char path[4096];
        *s = (struct sender){.plan = &sender_plans[i], .index = i, .dice = mix(seed, i)};
        place_init(&s->place, bootstrap);
        rf_arena_init(&s->arena, MEMORY_BYTES);
        (void)snprintf(path, sizeof path, "%s/%s.sent", folder, s->plan->name);
        s->report = fopen(path, "w");
        if (s->report == NULL) give_up("cannot write", rf_str_of(path));
        if (pthread_create(&threads[i], NULL, run, s) != 0) give_up("thread", rf_str_of(path));
    }
    for (uint32_t i = 0; i < RF_COUNT(sender_plans); i++) {
        (void)pthread_join(threads[i], NULL);
        rf_arena_done(&senders[i].arena);
        rf_arena_done(&senders[i].place.arena);
    }
}

/* ---- what it sends to ------------------------------------------------------------------------------------------- */

struct control {
    struct place place;
    struct http_client *http;
    rf_str token;
};

static void call(struct control *c, const char *method, rf_str path, rf_str type, rf_str body,
                 struct http_answer *answer)
{
    struct rf_err err;
    struct rf_arena *arena = &c->place.arena;
    rf_str url =
        rf_arena_printf(arena, "%.*s%.*s", RF_FMT(place_text(&c->place, "https")), RF_FMT(path));
    struct http_header headers[2] = {
        {RF_S("Content-Type"), type},
        {RF_S("Authorization"), rf_arena_printf(arena, "Bearer %.*s", RF_FMT(c->token))}};
    uint32_t header_count = c->token.len > 0 ? 2 : 1;
    if (http_client_call(c->http, method, url, headers, header_count, body, arena, answer, &err) !=
        RF_OK)
        give_up("no answer", rf_str_of(err.text));
    if (answer->status / 100 != 2) give_up(rf_arena_cstr(arena, path), answer->body);
}

static void put(struct control *c, const char *id, const char *version, rf_str body)
{
    struct http_answer answer;
    rf_str path = rf_arena_printf(
        &c->place.arena, "/subscriptions/%.*s/resourceGroups/%.*s/providers/%s?api-version=%s",
        RF_FMT(place_text(&c->place, "subscription_id")),
        RF_FMT(place_text(&c->place, "resource_group")), id, version);
    call(c, "PUT", path, RF_S("application/json"), body, &answer);
}

static void fetch_token(struct control *c)
{
    struct http_answer answer;
    struct json_node *node;
    struct rf_arena *arena = &c->place.arena;
    rf_str form = rf_arena_printf(
        arena,
        "grant_type=client_credentials&client_id=%.*s&client_secret=%.*s&scope=https%%3A%%2F%%2F"
        "management.azure.com%%2F.default",
        RF_FMT(place_text(&c->place, "client_id")),
        RF_FMT(percent_encode(arena, place_text(&c->place, "client_secret"))));
    rf_str path = rf_arena_printf(arena, "/%.*s/oauth2/v2.0/token",
                                  RF_FMT(place_text(&c->place, "tenant_id")));
    call(c, "POST", path, RF_S("application/x-www-form-urlencoded"), form, &answer);
    if (json_parse(answer.body, arena, &node, NULL) != RF_OK) give_up("token", answer.body);
    c->token = json_text_at(node, "access_token");
}

#define COLUMNS                                                                                    \
    "{\"name\":\"TimeGenerated\",\"type\":\"datetime\"},{\"name\":\"RawData\",\"type\":"           \
    "\"string\"},{\"name\":\"EventPartition\",\"type\":\"int\"},"                                  \
    "{\"name\":\"EventSequenceNumber\",\"type\":\"long\"}"

static void prepare(const char *bootstrap)
{
    struct control c = {0};
    place_init(&c.place, bootstrap);
    c.http = place_http(&c.place);
    fetch_token(&c);
    struct rf_arena *arena = &c.place.arena;
    rf_str workspace = place_text(&c.place, "workspace_name");
    const char *hub = rf_arena_cstr(
        arena, rf_arena_printf(arena, "Microsoft.EventHub/namespaces/%.*s/eventhubs/" CRASH_HUB,
                               RF_FMT(place_text(&c.place, "hub.namespace"))));
    const char *table = rf_arena_cstr(
        arena,
        rf_arena_printf(arena, "Microsoft.OperationalInsights/workspaces/%.*s/tables/Crash_CL",
                        RF_FMT(workspace)));
    rf_str rule = rf_arena_printf(
        arena,
        "{\"location\":\"local\",\"properties\":{\"streamDeclarations\":{\"Custom-Crash\":{"
        "\"columns\":[" COLUMNS "]}},\"dataSources\":{\"dataImports\":{\"eventHub\":{\"name\":"
        "\"" CRASH_HUB "\",\"stream\":\"Custom-Crash\"}}},\"destinations\":{\"logAnalytics\":[{"
        "\"workspaceResourceId\":\"/subscriptions/%.*s/resourceGroups/%.*s/providers/"
        "Microsoft.OperationalInsights/workspaces/%.*s\",\"name\":\"ws\"}]},\"dataFlows\":[{"
        "\"streams\":[\"Custom-Crash\"],\"destinations\":[\"ws\"],\"outputStream\":"
        "\"Custom-Crash_CL\"}]}}",
        RF_FMT(place_text(&c.place, "subscription_id")),
        RF_FMT(place_text(&c.place, "resource_group")), RF_FMT(workspace));
    char settings[64];
    (void)snprintf(settings, sizeof settings, "{\"properties\":{\"partitionCount\":%d}}",
                   CRASH_PARTITIONS);
    put(&c, hub, "2024-01-01", rf_str_of(settings));
    put(&c, table, "2022-10-01",
        RF_S("{\"properties\":{\"schema\":{\"name\":\"Crash_CL\",\"columns\":[" COLUMNS "]}}}"));
    put(&c, "Microsoft.Insights/dataCollectionRules/crash", "2023-03-11", rule);
    http_client_free(c.http);
    rf_arena_done(&c.place.arena);
}

int main(int argc, char **argv)
{
    if (argc == 3 && strcmp(argv[2], "prepare") == 0) {
        prepare(argv[1]);
        return 0;
    }
    if (argc != 4) give_up("usage", RF_S("sender BOOTSTRAP FOLDER SEED, or BOOTSTRAP prepare"));
    struct sigaction action = {.sa_handler = end_all};
    (void)sigaction(SIGTERM, &action, NULL);
    struct sigaction ignore = {.sa_handler = SIG_IGN};
    (void)sigaction(SIGPIPE, &ignore, NULL);
    send_all(argv[1], argv[2], strtoull(argv[3], NULL, 10));
    return 0;
}
