/* The Kafka store against librdkafka's own cluster in this process: brokers that go and come back, answers that are errors, others who write. */
#include "hub/kafka_client_int.h"

#include <librdkafka/rdkafka_mock.h>
#include <stdlib.h>

#include "base/log.h"
#include "test/rf_prop.h"

#include "hub/hub_rig.h"

enum { API_PRODUCE = 0, BROKERS = 1 };

struct world {
    struct rig rig;
    rd_kafka_t *host;
    rd_kafka_mock_cluster_t *cluster;
    struct kafka_store_options options;
    struct hub *hub;
};

static void start_world(struct world *w)
{
    start(&w->rig);
    w->hub = find_hub(&w->rig, "Flow");
}

static void world_init(struct world *w)
{
    char why[200];
    memset(w, 0, sizeof *w);
    rf_log_set(RF_SILENT, RF_LOG_TEXT);
    w->host = rd_kafka_new(RD_KAFKA_PRODUCER, rd_kafka_conf_new(), why, sizeof why);
    cr_assert(w->host != NULL, "%s", why);
    w->cluster = rd_kafka_mock_cluster_new(w->host, BROKERS);
    cr_assert(rd_kafka_mock_topic_create(w->cluster, "Plant.Flow", 2, 1) == 0);
    w->options = (struct kafka_store_options){
        .servers = rd_kafka_mock_cluster_bootstraps(w->cluster), .timeout_usec = 8000000};
    w->rig.site.domain = RF_S("ringfort.localhost");
    w->rig.disk = rf_fs_fault_new(7);
    w->rig.options = (struct hubs_options){.fs = rf_fs_fault_fs(w->rig.disk),
                                           .folder = "/hubs",
                                           .clock = rf_clock_real(),
                                           .site = &w->rig.site,
                                           .kafka = &w->options};
    start_world(w);
}

static void world_done(struct world *w)
{
    hub_unref(w->hub);
    rig_done(&w->rig);
    rd_kafka_mock_cluster_destroy(w->cluster);
    rd_kafka_destroy(w->host);
}

static void restart_world(struct world *w)
{
    hub_unref(w->hub);
    hubs_free(w->rig.hubs);
    start_world(w);
}

/* Reads [from, end) as their tags, which make() gave them; waits for what is not there yet. */
static uint32_t read_tags(struct world *w, uint32_t partition, int64_t from, int64_t end,
                          uint64_t *tags, uint32_t cap)
{
    uint32_t count = 0;
    while (from < end) {
        RF_CLEANUP(rf_arena_done) struct rf_arena arena;
        rf_arena_init(&arena, 64 << 20);
        struct log_frames frames;
        struct rf_err err;
        enum rf_kind kind = hub_read(w->hub, partition, from, 100000, true, &arena, &frames, &err);
        cr_assert(kind == RF_OK, "%lld: %s", (long long)from, err.text);
        cr_assert(frames.count > 0);
        for (uint32_t i = 0; i < frames.count; i++) {
            struct event_frame_reader reader;
            struct event_out event;
            bool more;
            cr_assert(event_frame_open(&reader, &frames.items[i], &arena, &err) == RF_OK);
            while (event_frame_next(&reader, &event, &more, &err) == RF_OK && more) {
                rf_str text;
                if (event.number < from) continue;
                cr_assert(event.number == from, "%lld instead of %lld", (long long)event.number,
                          (long long)from);
                cr_assert(event_body(&event, &arena, &text, &err) == RF_OK);
                cr_assert(count < cap);
                tags[count++] = strtoull((const char *)text.ptr, NULL, 10);
                from++;
            }
        }
    }
    return count;
}

static void send_as_other(struct world *w, int32_t partition, const char *text)
{
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    char why[200];
    rd_kafka_conf_set(conf, "bootstrap.servers", w->options.servers, why, sizeof why);
    rd_kafka_t *client = rd_kafka_new(RD_KAFKA_PRODUCER, conf, why, sizeof why);
    cr_assert(rd_kafka_producev(client, RD_KAFKA_V_TOPIC("Plant.Flow"),
                                RD_KAFKA_V_PARTITION(partition),
                                RD_KAFKA_V_VALUE((void *)(uintptr_t)text, strlen(text)),
                                RD_KAFKA_V_KEY("k", 1), RD_KAFKA_V_HEADER("h", "1", 1),
                                RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_END) == 0);
    cr_assert(rd_kafka_flush(client, 10000) == 0);
    rd_kafka_destroy(client);
}

Test(kafka_store, what_was_appended_is_read_by_number_and_after_a_restart)
{
    struct world w;
    uint64_t tags[8];
    world_init(&w);
    struct hub_partition_info info = info_of(w.hub, 0);
    cr_assert(info.begin == 0 && info.end == 0 && info.last_enqueued == 0);
    must_send(w.hub, 0, 10, 2, 0);
    must_send(w.hub, 0, 11, 1, 2);
    must_send(w.hub, 1, 20, 1, 0);
    info = info_of(w.hub, 0);
    cr_assert(info.end == 3 && info.last_enqueued > 0, "what was acknowledged is known at once");
    cr_assert(read_tags(&w, 0, 0, 3, tags, 8) == 3);
    cr_assert(tags[0] == 10 && tags[1] == 10 && tags[2] == 11);
    restart_world(&w);
    info = info_of(w.hub, 0);
    cr_assert(info.begin == 0 && info.end == 3 && info.last_enqueued > 0);
    must_send(w.hub, 0, 12, 1, 3);
    cr_assert(read_tags(&w, 0, 1, 4, tags, 8) == 3);
    cr_assert(tags[0] == 10 && tags[1] == 11 && tags[2] == 12);
    cr_assert(read_tags(&w, 1, 0, 1, tags, 8) == 1 && tags[0] == 20);
    world_done(&w);
}

Test(kafka_store, a_reader_outside_what_is_there_is_told)
{
    struct world w;
    struct rf_err err;
    struct log_frames frames;
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 1 << 20);
    world_init(&w);
    must_send(w.hub, 0, 10, 2, 0);
    cr_assert(hub_read(w.hub, 0, 2, 1000, true, &arena, &frames, &err) == RF_OK);
    cr_assert(frames.count == 0);
    cr_assert(hub_read(w.hub, 0, 3, 1000, true, &arena, &frames, &err) == RF_INVALID);
    cr_assert_str_eq(err.code, "OffsetOutOfRange");
    world_done(&w);
}

struct watcher {
    struct hub_waiter waiter; /* first */
    atomic_bool woken;
};
static void note_woken(struct hub_waiter *waiter)
{
    atomic_store(&((struct watcher *)waiter)->woken, true);
}

Test(kafka_store, others_events_wake_readers_and_stand_in_order, .timeout = 60)
{
    struct world w;
    struct watcher watcher = {.waiter = {.woken = note_woken}};
    struct log_frames frames;
    struct rf_err err;
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 1 << 20);
    world_init(&w);
    must_send(w.hub, 0, 1, 1, 0);
    (void)info_of(w.hub, 0);
    hub_wait(w.hub, 0, 1, &watcher.waiter);
    send_as_other(&w, 0, "2.0");
    while (!atomic_load(&watcher.woken)) (void)sched_yield();
    cr_assert(info_of(w.hub, 0).end == 2);
    must_send(w.hub, 0, 3, 1, 2);
    uint64_t tags[4];
    cr_assert(read_tags(&w, 0, 0, 3, tags, 4) == 3);
    cr_assert(tags[0] == 1 && tags[1] == 2 && tags[2] == 3);
    cr_assert(hub_read(w.hub, 0, 1, 1000, true, &arena, &frames, &err) == RF_OK);
    struct batch_head head;
    struct record_reader reader;
    struct record record;
    bool more;
    cr_assert(batch_read(frames.items[0].batch, &head, &err) == RF_OK);
    record_reader_init(&reader, &head, head.records);
    cr_assert(record_next(&reader, &record, &more, &err) == RF_OK && more);
    cr_assert(rf_str_is(record.key, "k") && record.header_count == 1);
    cr_assert(frames.items[0].kind == FRAME_KAFKA && frames.items[0].enqueued > 0);
    world_done(&w);
}

Test(kafka_store, a_batch_that_is_sent_again_is_stored_once_also_after_a_restart)
{
    struct world w;
    struct rf_err err;
    int64_t first;
    struct batch_producer producer = {.id = 5000, .epoch = 0, .sequence = 0};
    world_init(&w);
    cr_assert(send_one(w.hub, 0, 1, 3, &producer, &first, &err) == RF_OK && first == 0);
    producer.sequence = 3;
    cr_assert(send_one(w.hub, 0, 2, 2, &producer, &first, &err) == RF_OK && first == 3);
    cr_assert(send_one(w.hub, 0, 2, 2, &producer, &first, &err) == RF_OK && first == 3);
    producer.sequence = 9;
    cr_assert(send_one(w.hub, 0, 3, 1, &producer, &first, &err) == RF_CONFLICT);
    cr_assert_str_eq(err.code, "OutOfOrderSequence");
    restart_world(&w);
    producer.sequence = 3;
    cr_assert(send_one(w.hub, 0, 2, 2, &producer, &first, &err) == RF_OK && first == 3, "%lld",
              (long long)first);
    int16_t epoch;
    int32_t sequence;
    cr_assert(hub_producer_state(w.hub, 0, 5000, &epoch, &sequence, &err) == RF_OK);
    cr_assert(epoch == 0 && sequence == 4);
    cr_assert(info_of(w.hub, 0).end == 5);
    world_done(&w);
}

/* The library sends again what met a passing error: order and number of events stay. */
Test(kafka_store, passing_errors_lose_and_repeat_nothing, .timeout = 60)
{
    struct world w;
    uint64_t tags[40];
    world_init(&w);
    for (uint64_t i = 0; i < 20; i++) {
        if (i % 5 == 2)
            rd_kafka_mock_push_request_errors(w.cluster, API_PRODUCE, 2,
                                              RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION,
                                              RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS);
        must_send(w.hub, 0, i, 2, (int64_t)(2 * i));
    }
    cr_assert(read_tags(&w, 0, 0, 40, tags, 40) == 40);
    for (uint32_t i = 0; i < 40; i++) cr_assert(tags[i] == i / 2);
    world_done(&w);
}

Test(kafka_store, what_the_cluster_refuses_for_good_is_told_and_not_there)
{
    struct world w;
    struct rf_err err;
    int64_t first;
    world_init(&w);
    must_send(w.hub, 0, 1, 1, 0);
    rd_kafka_mock_push_request_errors(w.cluster, API_PRODUCE, 1,
                                      RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE);
    cr_assert(send_one(w.hub, 0, 2, 1, NULL, &first, &err) == RF_LIMIT);
    cr_assert_str_eq(err.code, "MessageTooLarge");
    must_send(w.hub, 0, 3, 1, 1);
    world_done(&w);
}

Test(kafka_store, while_the_broker_is_away_appends_wait_up_to_their_time, .timeout = 90)
{
    struct world w;
    struct rf_err err;
    int64_t first;
    uint64_t tags[4];
    world_init(&w);
    hub_unref(w.hub);
    hubs_free(w.rig.hubs);
    w.options.timeout_usec = 2000000;
    start_world(&w);
    (void)info_of(w.hub, 0); /* from now on it is followed */
    must_send(w.hub, 0, 1, 1, 0);
    cr_assert(read_tags(&w, 0, 0, 1, tags, 4) == 1);
    rd_kafka_mock_broker_set_down(w.cluster, 1);
    cr_assert(send_one(w.hub, 0, 2, 1, NULL, &first, &err) == RF_AGAIN);
    cr_assert_str_eq(err.code, "ServerBusy");
    cr_assert(read_tags(&w, 0, 0, 1, tags, 4) == 1, "what is in memory is read all the same");
    rd_kafka_mock_broker_set_up(w.cluster, 1);
    enum rf_kind kind;
    do kind = send_one(w.hub, 0, 3, 1, NULL, &first, &err);
    while (kind == RF_AGAIN);
    cr_assert(kind == RF_OK && first == 1, "%s", err.text);
    cr_assert(read_tags(&w, 0, 0, 2, tags, 4) == 2 && tags[1] == 3);
    world_done(&w);
}

Test(kafka_store, a_cluster_that_is_not_there_is_said_so)
{
    struct rf_err err;
    struct hubs *hubs;
    struct kafka_store_options kafka = {.servers = "127.0.0.1:1", .timeout_usec = 500000};
    struct rf_fs_fault *disk = rf_fs_fault_new(7);
    struct hubs_options options = {
        .fs = rf_fs_fault_fs(disk), .folder = "/hubs", .clock = rf_clock_real(), .kafka = &kafka};
    rf_log_set(RF_SILENT, RF_LOG_TEXT);
    cr_assert(hubs_new(&options, &hubs, &err) == RF_IO);
    cr_assert_str_eq(err.code, "KafkaUnreachable");
    cr_assert(strstr(err.text, "127.0.0.1:1") != NULL);
    cr_assert(strstr(err.text, "hub.kafka.servers") != NULL, "the remedy");
    kafka.servers = "127.0.0.1:1";
    kafka.mechanism = "NONSENSE";
    cr_assert(hubs_new(&options, &hubs, &err) == RF_INVALID);
    cr_assert_str_eq(err.code, "BadKafkaSetting");
    rf_fs_fault_free(disk);
}

/* The mock's brokers are as those before 0.10.1 in this: they know no admin requests. */
Test(kafka_store, a_topic_that_cannot_be_made_or_grown_is_refused_with_what_to_do)
{
    struct world w;
    struct rf_err err;
    world_init(&w);
    struct hub_settings settings = {.name = RF_S("Flow"),
                                    .partition_count = 2,
                                    .retention_usec = INT64_C(7) * 24 * 3600 * RF_USEC_PER_SECOND};
    struct kafka_store *store = w.rig.hubs->kafka;
    store->is_old = true;
    cr_assert(kafka_store_prepare(store, RF_S("Plant"), &settings, &err) == RF_OK, "%s", err.text);
    settings.partition_count = 9;
    cr_assert(kafka_store_prepare(store, RF_S("Plant"), &settings, &err) == RF_INVALID);
    cr_assert_str_eq(err.code, "KafkaTooOld");
    cr_assert(strstr(err.text, "kafka-topics.sh") != NULL);
    settings.partition_count = 2;
    settings.compacts = true;
    cr_assert(kafka_store_prepare(store, RF_S("Plant"), &settings, &err) == RF_INVALID);
    cr_assert_str_eq(err.code, "KafkaTooOld");
    settings.name = RF_S("a b");
    cr_assert(kafka_store_prepare(store, RF_S("Plant"), &settings, &err) == RF_INVALID);
    cr_assert_str_eq(err.code, "BadName");
    world_done(&w);
}

/* Many threads, several partitions: every acknowledged event is there once, in the order of its sender. */
enum { SENDERS = 4, SENT = 100 };
struct sender {
    struct world *w;
    uint32_t index;
};
static void *send_many(void *ctx)
{
    struct sender *s = ctx;
    for (uint64_t i = 0; i < SENT; i++) {
        struct rf_err err;
        int64_t first;
        enum rf_kind kind =
            send_one(s->w->hub, s->index % 2, s->index * 1000 + i, 1 + i % 3, NULL, &first, &err);
        RF_ASSERT(kind == RF_OK);
    }
    return NULL;
}

Test(kafka_store, senders_at_the_same_time_lose_nothing_and_keep_their_order, .timeout = 60)
{
    struct world w;
    pthread_t threads[SENDERS];
    struct sender senders[SENDERS];
    static uint64_t tags[SENDERS * SENT * 3];
    world_init(&w);
    for (uint32_t i = 0; i < SENDERS; i++) {
        senders[i] = (struct sender){&w, i};
        cr_assert(pthread_create(&threads[i], NULL, send_many, &senders[i]) == 0);
    }
    for (uint32_t i = 0; i < SENDERS; i++) (void)pthread_join(threads[i], NULL);
    for (uint32_t partition = 0; partition < 2; partition++) {
        int64_t end = info_of(w.hub, partition).end;
        uint32_t count = read_tags(&w, partition, 0, end, tags, RF_COUNT(tags));
        cr_assert(count == SENDERS / 2 * (SENT / 3 * 6 + 1));
        uint64_t last[SENDERS] = {0};
        for (uint32_t i = 0; i < count; i++) {
            uint64_t *before = &last[tags[i] / 1000];
            cr_assert(tags[i] % 1000 >= *before && tags[i] % 1000 <= *before + 1);
            *before = tags[i] % 1000;
        }
    }
    world_done(&w);
}
