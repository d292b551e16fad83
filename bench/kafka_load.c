/* kafka_load - a Kafka producer and consumer, on the library that most clients are made of (librdkafka).
 *
 *   kafka_load WHERE produce TOPIC COUNT BYTES      so many events, every one acknowledged (acks=all)
 *   kafka_load WHERE consume TOPIC COUNT            that many, from the first on
 *   kafka_load WHERE pace TOPIC RATE SECONDS BYTES  at an even rate without lingering: how long acknowledgements take
 *
 * WHERE is the bootstrap.json of a server (TLS, SASL PLAIN with the connection string of it), or HOST:PORT of any broker without either.
 * KAFKA_VERSION in the environment is the version of a broker that cannot tell it itself (0.9.0.1). Prints "NAME NUMBER" lines. */
#include <librdkafka/rdkafka.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/json_tree.h"

enum {
    RUN = 500, /* events that go to one partition before the next one's turn */
    UNDER_WAY_MAX = 100000,
    BYTES_UNDER_WAY_MAX = 64 << 20,
    BYTES_MAX = 1 << 20,
    METADATA_TRIES = 100,
};

struct load {
    struct rf_arena arena;
    rd_kafka_t *kafka;
    rd_kafka_topic_t *topic;
    int32_t partitions;
    uint64_t sent;
    atomic_uint_fast64_t answered, failed;
    uint8_t *body;
    size_t body_bytes;
    uint32_t *took; /* microseconds; NULL: not wanted */
    atomic_bool paces;
};

static _Noreturn void die(const char *what, const char *why)
{
    (void)fprintf(stderr, "kafka_load: %s: %s\n", what, why);
    exit(1);
}

static rf_usec now(void) { return rf_clock_elapsed(rf_clock_real()); }

/* ---- the connection ----------------------------------------------------------------------------------------------------- */

static void set(rd_kafka_conf_t *conf, const char *name, const char *value)
{
    char why[256];
    if (rd_kafka_conf_set(conf, name, value, why, sizeof why) != RD_KAFKA_CONF_OK) die(name, why);
}

static const char *text(struct load *l, rf_str s)
{
    const char *copy = rf_arena_cstr(&l->arena, s);
    if (copy == NULL) die("start", "no memory");
    return copy;
}

static void set_server(struct load *l, rd_kafka_conf_t *conf, const char *path)
{
    struct rf_err err;
    rf_str bytes;
    struct json_node *boot;
    if (rf_fs_read_all(rf_fs_real(), path, 1 << 20, &l->arena, &bytes, &err) != RF_OK ||
        json_parse(bytes, &l->arena, &boot, &err) != RF_OK)
        die(path, err.text);
    set(conf, "bootstrap.servers", text(l, json_text_at(boot, "kafka")));
    set(conf, "security.protocol", "sasl_ssl");
    set(conf, "sasl.mechanism", "PLAIN");
    set(conf, "ssl.ca.location", text(l, json_text_at(boot, "ca")));
    set(conf, "sasl.username", "$ConnectionString");
    rf_str password = rf_arena_printf(
        &l->arena, "Endpoint=sb://localhost/;SharedAccessKeyName=%.*s;SharedAccessKey=%.*s",
        RF_FMT(json_text_at(boot, "hub.key_name")), RF_FMT(json_text_at(boot, "hub.key")));
    set(conf, "sasl.password", text(l, password));
}

static void set_where(struct load *l, rd_kafka_conf_t *conf, const char *where)
{
    const char *version = getenv("KAFKA_VERSION");
    if (rf_str_ends(rf_str_of(where), RF_S(".json")))
        set_server(l, conf, where);
    else
        set(conf, "bootstrap.servers", where);
    if (version == NULL) return;
    set(conf, "api.version.request", "false");
    set(conf, "broker.version.fallback", version);
}

/* A topic that is made by being asked for needs a moment to get its leaders. */
static void find_partitions(struct load *l)
{
    const struct rd_kafka_metadata *about;
    for (int i = 0; i < METADATA_TRIES && l->partitions == 0; i++) {
        rd_kafka_resp_err_t error = rd_kafka_metadata(l->kafka, 0, l->topic, &about, 10000);
        if (error != RD_KAFKA_RESP_ERR_NO_ERROR) die("metadata", rd_kafka_err2str(error));
        const struct rd_kafka_metadata_topic *topic = about->topics;
        bool ready = about->topic_cnt == 1 && topic->partition_cnt > 0;
        for (int p = 0; ready && p < topic->partition_cnt; p++)
            ready = topic->partitions[p].leader >= 0;
        if (ready) l->partitions = topic->partition_cnt;
        rd_kafka_metadata_destroy(about);
        if (!ready) (void)rd_kafka_poll(l->kafka, 100);
    }
    if (l->partitions == 0) die("metadata", "the topic has no leaders");
}

static void delivered(rd_kafka_t *kafka, const rd_kafka_message_t *message, void *opaque)
{
    struct load *l = opaque;
    (void)kafka;
    if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR) l->failed++;
    if (l->took != NULL) {
        rf_usec due = (rf_usec)(uintptr_t)message->_private;
        l->took[l->answered] = (uint32_t)RF_MIN(now() - due, (rf_usec)UINT32_MAX);
    }
    l->answered++;
}

static void open_load(struct load *l, const char *where, const char *topic, bool produces,
                      const char *linger_ms)
{
    char why[256];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    set_where(l, conf, where);
    rd_kafka_conf_set_opaque(conf, l);
    if (produces) {
        rd_kafka_conf_set_dr_msg_cb(conf, delivered);
        set(conf, "acks", "all");
        set(conf, "linger.ms", linger_ms);
        set(conf, "batch.num.messages", "10000");
        set(conf, "queue.buffering.max.messages", "1000000");
    } else {
        set(conf, "group.id", "bench");
        set(conf, "enable.auto.commit", "false");
        set(conf, "auto.offset.reset", "earliest");
    }
    l->kafka =
        rd_kafka_new(produces ? RD_KAFKA_PRODUCER : RD_KAFKA_CONSUMER, conf, why, sizeof why);
    if (l->kafka == NULL) die("start", why);
    l->topic = rd_kafka_topic_new(l->kafka, topic, NULL);
    if (l->topic == NULL) die(topic, rd_kafka_err2str(rd_kafka_last_error()));
    find_partitions(l);
}

static void close_load(struct load *l)
{
    rd_kafka_topic_destroy(l->topic);
    rd_kafka_destroy(l->kafka);
    free(l->took);
    rf_arena_done(&l->arena);
}

/* Text that no compression makes much smaller. */
static void make_body(struct load *l, size_t bytes)
{
    if (bytes == 0 || bytes > BYTES_MAX) die("usage", "an event of 1 byte to 1 MiB");
    l->body = rf_arena_alloc(&l->arena, bytes);
    if (l->body == NULL) die("start", "no memory");
    for (size_t i = 0; i < bytes; i++) l->body[i] = (uint8_t)(' ' + rf_hash_u64(i) % 95);
    l->body_bytes = bytes;
}

static void print_rate(const char *verb, uint64_t count, size_t bytes, rf_usec took, rf_usec cpu)
{
    double seconds = (double)RF_MAX(took, 1) / 1e6;
    printf("%s.events_s %.0f\n", verb, (double)count / seconds);
    printf("%s.mb_s %.1f\n", verb, (double)bytes / 1e6 / seconds);
    printf("%s.client_cpu_us %.2f\n", verb, (double)cpu / (double)RF_MAX(count, 1u));
}

/* ---- produce -------------------------------------------------------------------------------------------------------------- */

static void wait_for_answers(struct load *l)
{
    while (l->answered < l->sent) (void)rd_kafka_poll(l->kafka, 100);
    if (l->failed > 0) die("produce", "some events were refused");
}

static void produce(struct load *l, uint64_t count)
{
    rd_kafka_message_t run[RUN];
    uint64_t most = RF_MIN((uint64_t)UNDER_WAY_MAX, BYTES_UNDER_WAY_MAX / l->body_bytes);
    for (int32_t partition = 0; l->sent < count; partition = (partition + 1) % l->partitions) {
        int n = (int)RF_MIN(count - l->sent, (uint64_t)RUN);
        while (l->sent - l->answered > most) (void)rd_kafka_poll(l->kafka, 10);
        memset(run, 0, sizeof run);
        for (int i = 0; i < n; i++) run[i].payload = l->body, run[i].len = l->body_bytes;
        if (rd_kafka_produce_batch(l->topic, partition, 0, run, n) != n)
            die("produce", rd_kafka_err2str(rd_kafka_last_error()));
        l->sent += (uint64_t)n;
        (void)rd_kafka_poll(l->kafka, 0);
    }
    wait_for_answers(l);
}

static int run_produce(struct load *l, char **words)
{
    uint64_t count = strtoull(words[4], NULL, 10);
    open_load(l, words[1], words[3], true, "5");
    make_body(l, strtoull(words[5], NULL, 10));
    rf_usec from = now(), cpu = rf_clock_cpu();
    produce(l, count);
    print_rate("produce", count, count * l->body_bytes, now() - from, rf_clock_cpu() - cpu);
    return 0;
}

/* ---- pace ------------------------------------------------------------------------------------------------------------------ */

static int by_size(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

/* Answers are taken by a thread of their own, at once. */
static void *take_answers(void *ctx)
{
    struct load *l = ctx;
    while (atomic_load(&l->paces)) (void)rd_kafka_poll(l->kafka, 10);
    return NULL;
}

static void wait_until(rf_usec due)
{
    rf_usec wait = due - now();
    struct timespec time = {.tv_sec = wait / 1000000, .tv_nsec = wait % 1000000 * 1000};
    if (wait > 0) (void)nanosleep(&time, NULL);
}

/* Times count from when an event was due, so that one which waits holds up nobody unseen. */
static void pace(struct load *l, uint64_t count, uint64_t rate)
{
    pthread_t thread;
    atomic_store(&l->paces, true);
    if (pthread_create(&thread, NULL, take_answers, l) != 0) die("pace", "no thread");
    rf_usec from = now();
    for (; l->sent < count; l->sent++) {
        rf_usec due = from + (rf_usec)(l->sent * 1000000 / rate);
        wait_until(due);
        if (rd_kafka_produce(l->topic, (int32_t)(l->sent % (uint64_t)l->partitions), 0, l->body,
                             l->body_bytes, NULL, 0, (void *)(uintptr_t)due) != 0)
            die("pace", rd_kafka_err2str(rd_kafka_last_error()));
    }
    while (atomic_load(&l->answered) < count) wait_until(now() + 1000);
    atomic_store(&l->paces, false);
    (void)pthread_join(thread, NULL);
}

static int run_pace(struct load *l, char **words)
{
    uint64_t rate = RF_MAX(strtoull(words[4], NULL, 10), 1ull);
    uint64_t count = (uint64_t)((double)rate * strtod(words[5], NULL));
    open_load(l, words[1], words[3], true, "0");
    make_body(l, strtoull(words[6], NULL, 10));
    uint32_t *took = calloc(count + 1, sizeof *took);
    if (took == NULL || count == 0) die("pace", "nothing to send, or no memory");
    produce(l, (uint64_t)l->partitions * RUN); /* what is made at first use is made */
    l->sent = 0;
    atomic_store(&l->answered, 0);
    l->took = took;
    pace(l, count, rate);
    if (l->failed > 0) die("pace", "some events were refused");
    qsort(took, count, sizeof *took, by_size);
    printf("pace.us_p50 %u\npace.us_p99 %u\npace.us_max %u\n", took[count / 2],
           took[count * 99 / 100], took[count - 1]);
    return 0;
}

/* ---- consume --------------------------------------------------------------------------------------------------------------- */

static int run_consume(struct load *l, char **words)
{
    uint64_t count = strtoull(words[4], NULL, 10), got = 0, bytes = 0;
    rd_kafka_message_t *messages[1000];
    open_load(l, words[1], words[3], false, NULL);
    rd_kafka_queue_t *queue = rd_kafka_queue_new(l->kafka);
    rf_usec from = now(), cpu = rf_clock_cpu();
    for (int32_t p = 0; p < l->partitions; p++)
        if (rd_kafka_consume_start_queue(l->topic, p, RD_KAFKA_OFFSET_BEGINNING, queue) != 0)
            die("consume", rd_kafka_err2str(rd_kafka_last_error()));
    while (got < count) {
        ssize_t n = rd_kafka_consume_batch_queue(queue, 1000, messages, RF_COUNT(messages));
        if (n < 0) die("consume", rd_kafka_err2str(rd_kafka_last_error()));
        for (ssize_t i = 0; i < n; i++) {
            got += messages[i]->err == RD_KAFKA_RESP_ERR_NO_ERROR;
            if (messages[i]->err == RD_KAFKA_RESP_ERR_NO_ERROR) bytes += messages[i]->len;
            rd_kafka_message_destroy(messages[i]);
        }
    }
    print_rate("consume", got, bytes, now() - from, rf_clock_cpu() - cpu);
    for (int32_t p = 0; p < l->partitions; p++) (void)rd_kafka_consume_stop(l->topic, p);
    rd_kafka_queue_destroy(queue);
    return 0;
}

int main(int argc, char **argv)
{
    static const struct {
        const char *verb;
        int words;
        int (*run)(struct load *l, char **words);
    } verbs[] = {{"produce", 6, run_produce}, {"consume", 5, run_consume}, {"pace", 7, run_pace}};
    struct load l = {0};
    rf_arena_init(&l.arena, 64 << 20);
    for (size_t i = 0; i < RF_COUNT(verbs); i++) {
        if (argc != verbs[i].words || strcmp(argv[2], verbs[i].verb) != 0) continue;
        int status = verbs[i].run(&l, argv);
        close_load(&l);
        return status;
    }
    (void)fprintf(stderr,
                  "usage: kafka_load WHERE produce TOPIC COUNT BYTES | consume TOPIC COUNT |"
                  " pace TOPIC RATE SECONDS BYTES\n");
    return 2;
}
