/* kafka_store.c - the cluster: its clients, what its brokers can, and partitions as others see them. */
#include "hub/kafka_client_int.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/log.h"

enum { TIMEOUT_MS = 20000, POLL_MS = 100, TEXTS_BYTES = 1 << 20 };

int kafka_timeout_ms(const struct kafka_store *store)
{
    rf_usec usec = store->options.timeout_usec;
    return usec <= 0 ? TIMEOUT_MS : (int)(usec / 1000);
}

/* ---- errors ----------------------------------------------------------------------------------------------------------- */

static enum rf_kind busy(const struct kafka_store *store, const char *what,
                         rd_kafka_resp_err_t code, struct rf_err *err)
{
    return RF_FAIL(err, RF_AGAIN, "ServerBusy",
                   "%s: the Kafka cluster at %s does not answer in time (%s); try again", what,
                   store->options.servers, rd_kafka_err2str(code));
}

enum rf_kind kafka_failed(const struct kafka_store *store, const char *what,
                          rd_kafka_resp_err_t code, struct rf_err *err)
{
    switch (code) {
    case RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE:
        return RF_FAIL(err, RF_LIMIT, "MessageTooLarge",
                       "%s: the Kafka cluster at %s does not take an event of this size; raise "
                       "max.message.bytes of the topic (message.max.bytes of the brokers)",
                       what, store->options.servers);
    case RD_KAFKA_RESP_ERR__UNSUPPORTED_FEATURE:
    case RD_KAFKA_RESP_ERR_UNSUPPORTED_VERSION:
        return kafka_too_old(store, what, err);
    case RD_KAFKA_RESP_ERR__TIMED_OUT:
    case RD_KAFKA_RESP_ERR__MSG_TIMED_OUT:
    case RD_KAFKA_RESP_ERR__TRANSPORT:
    case RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN:
    case RD_KAFKA_RESP_ERR__RESOLVE:
    case RD_KAFKA_RESP_ERR__TIMED_OUT_QUEUE:
    case RD_KAFKA_RESP_ERR__QUEUE_FULL:
    case RD_KAFKA_RESP_ERR__DESTROY:
    case RD_KAFKA_RESP_ERR__PURGE_QUEUE:
    case RD_KAFKA_RESP_ERR__PURGE_INFLIGHT:
    case RD_KAFKA_RESP_ERR__WAIT_COORD:
    case RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT:
    case RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE:
    case RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION:
    case RD_KAFKA_RESP_ERR_BROKER_NOT_AVAILABLE:
    case RD_KAFKA_RESP_ERR_REPLICA_NOT_AVAILABLE:
    case RD_KAFKA_RESP_ERR_NETWORK_EXCEPTION:
    case RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS:
    case RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS_AFTER_APPEND:
        return busy(store, what, code, err);
    default:
        return RF_FAIL(err, RF_IO, "KafkaFailed", "%s: the Kafka cluster at %s answers: %s", what,
                       store->options.servers, rd_kafka_err2str(code));
    }
}

enum rf_kind kafka_too_old(const struct kafka_store *store, const char *what, struct rf_err *err)
{
    return RF_FAIL(
        err, RF_INVALID, "KafkaTooOld",
        "%s: the Kafka cluster at %s is too old for it (%s); do it with the cluster's own "
        "tools, or run Kafka 0.11 or later there (hub.kafka.servers)",
        what, store->options.servers,
        store->is_old ? "it is older than 0.11" : "its brokers do not know the request");
}

/* ---- clients ---------------------------------------------------------------------------------------------------------- */

bool kafka_conf_set(rd_kafka_conf_t *conf, const char *name, const char *value, char *why,
                    size_t why_bytes)
{
    return rd_kafka_conf_set(conf, name, value, why, why_bytes) == RD_KAFKA_CONF_OK;
}

/* Levels are those of syslog. A cluster that is away makes a client say so again and again: what it means is said where it is
 * felt. */
static void on_log(const rd_kafka_t *client, int level, const char *facility, const char *text)
{
    (void)client;
    enum { SYSLOG_ERROR = 3 };
    rf_log(level < SYSLOG_ERROR ? RF_WARN : RF_DEBUG, "kafka.client",
           RF_KV_STR("what", rf_str_of(facility)), RF_KV_STR("text", rf_str_of(text)));
}

static void on_error(rd_kafka_t *client, int code, const char *reason, void *ctx)
{
    struct kafka_store *store = ctx;
    (void)client;
    (void)pthread_mutex_lock(&store->lock);
    bool is_news = strncmp(store->why, reason, sizeof store->why - 1) != 0;
    (void)snprintf(store->why, sizeof store->why, "%s", reason);
    (void)pthread_mutex_unlock(&store->lock);
    if (is_news)
        rf_log(RF_WARN, "kafka.trouble", RF_KV_STR("code", rf_str_of(rd_kafka_err2name(code))),
               RF_KV_STR("text", rf_str_of(reason)));
}

static enum rf_kind bad_setting(const char *why, struct rf_err *err)
{
    return RF_FAIL(err, RF_INVALID, "BadKafkaSetting", "hub.kafka: %s", why);
}

struct pair {
    const char *name, *value;
};

static enum rf_kind set_all(rd_kafka_conf_t *conf, const struct pair *pairs, size_t count,
                            struct rf_err *err)
{
    char why[KAFKA_WHY_BYTES];
    for (size_t i = 0; i < count; i++)
        if (pairs[i].value != NULL &&
            !kafka_conf_set(conf, pairs[i].name, pairs[i].value, why, sizeof why))
            return bad_setting(why, err);
    return RF_OK;
}

static enum rf_kind make_conf(struct kafka_store *store, struct rf_err *err)
{
    const struct kafka_store_options *o = &store->options;
    const struct pair pairs[] = {
        {"bootstrap.servers", o->servers},
        {"client.id", "ringfort"},
        {"security.protocol", o->mechanism != NULL ? (o->tls ? "sasl_ssl" : "sasl_plaintext")
                                                   : (o->tls ? "ssl" : "plaintext")},
        {"ssl.ca.pem", o->ca_pem},
        {"ssl.certificate.pem", o->certificate_pem},
        {"ssl.key.pem", o->key_pem},
        {"sasl.mechanisms", o->mechanism},
        {"sasl.username", o->user},
        {"sasl.password", o->password},
        /* Who does not say his version is older than 0.10 (probe). */
        {"broker.version.fallback", "0.9.0"},
        {"api.version.request.timeout.ms", "3000"},
        {"socket.keepalive.enable", "true"},
        {"socket.timeout.ms", "10000"},
        {"socket.nagle.disable", "true"},
        {"reconnect.backoff.ms", "50"},
        {"reconnect.backoff.max.ms", "1000"},
        {"topic.metadata.refresh.interval.ms", "30000"},
        {"topic.metadata.refresh.fast.interval.ms", "100"},
    };
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    store->conf = conf;
    rd_kafka_conf_set_log_cb(conf, on_log);
    rd_kafka_conf_set_error_cb(conf, on_error);
    rd_kafka_conf_set_opaque(conf, store);
    return set_all(conf, pairs, RF_COUNT(pairs), err);
}

enum rf_kind kafka_client_new(struct kafka_store *store, bool produces, rd_kafka_conf_t *conf,
                              rd_kafka_t **out, struct rf_err *err)
{
    char why[KAFKA_WHY_BYTES];
    (void)store;
    *out = rd_kafka_new(produces ? RD_KAFKA_PRODUCER : RD_KAFKA_CONSUMER, conf, why, sizeof why);
    if (*out != NULL) return RF_OK;
    rd_kafka_conf_destroy(conf);
    return bad_setting(why, err);
}

static enum rf_kind producer_conf(const struct kafka_store *store, rd_kafka_conf_t **out,
                                  struct rf_err *err)
{
    char timeout[16];
    (void)snprintf(timeout, sizeof timeout, "%d", kafka_timeout_ms(store));
    const struct pair pairs[] = {
        {"enable.idempotence", store->is_old ? "false" : "true"},
        /* Without idempotence two under way could change places when the first is sent again. */
        {"max.in.flight.requests.per.connection", store->is_old ? "1" : "5"},
        {"request.required.acks", "all"},
        {"message.timeout.ms", timeout},
        {"message.max.bytes", "16777216"}, /* what is too large the topic says */
        {"queue.buffering.max.messages", "0"},
        {"queue.buffering.max.kbytes", "1048576"}, /* hubs_options.pending_bytes bounds it before */
        {"linger.ms", "1"},
        {"retry.backoff.ms", "100"},
    };
    rd_kafka_conf_t *conf = rd_kafka_conf_dup(store->conf);
    rd_kafka_conf_set_dr_msg_cb(conf, kafka_on_delivered);
    enum rf_kind kind = set_all(conf, pairs, RF_COUNT(pairs), err);
    if (kind != RF_OK) {
        rd_kafka_conf_destroy(conf);
        return kind;
    }
    *out = conf;
    return RF_OK;
}

/* ---- what the brokers can --------------------------------------------------------------------------------------------- */

/* The library tells which requests a broker knows only by what it does: an idempotent producer gets an id, or the error that none of the
 * brokers can give it one. Brokers of 0.11, which can, keep headers and times as well. */

static int on_stats(rd_kafka_t *client, char *json, size_t len, void *ctx)
{
    struct kafka_store *store = ctx;
    (void)client;
    rf_str text = rf_str_make(json, len);
    size_t at = rf_str_find(text, RF_S("\"idemp_state\""), 0);
    if (at == SIZE_MAX) return 0;
    rf_str state = rf_slice(text, at, RF_MIN(at + 40, len));
    if (rf_str_find(state, RF_S("Assigned"), 0) != SIZE_MAX) store->probe_has_id = true;
    return 0;
}

static int64_t now_ms(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static enum rf_kind unreachable(struct kafka_store *store, rd_kafka_resp_err_t code,
                                struct rf_err *err)
{
    char why[KAFKA_WHY_BYTES];
    (void)pthread_mutex_lock(&store->lock);
    memcpy(why, store->why, sizeof why);
    (void)pthread_mutex_unlock(&store->lock);
    return RF_FAIL(err, RF_IO, "KafkaUnreachable",
                   "no broker of the Kafka cluster at %s could be used within %d s: %s; check "
                   "hub.kafka.servers, hub.kafka.security and that the brokers run, or set "
                   "hub.store to files",
                   store->options.servers, kafka_timeout_ms(store) / 1000,
                   why[0] != 0 ? why : rd_kafka_err2str(code));
}

/* Kafka 0.9 leaves the question for its version without an answer, again at each connection; 0.8 hangs up. */
static bool is_silent(struct kafka_store *store)
{
    (void)pthread_mutex_lock(&store->lock);
    bool is_asked = strstr(store->why, "ApiVersion") != NULL;
    (void)pthread_mutex_unlock(&store->lock);
    return is_asked;
}

static enum rf_kind reach(struct kafka_store *store, rd_kafka_t *client, int64_t until,
                          struct rf_err *err)
{
    for (;;) {
        const struct rd_kafka_metadata *metadata = NULL;
        rd_kafka_resp_err_t code = rd_kafka_metadata(client, 0, NULL, &metadata, 1000);
        (void)rd_kafka_poll(client, 0);
        if (code == RD_KAFKA_RESP_ERR_NO_ERROR && metadata->broker_cnt > 0) {
            store->broker_count = (uint32_t)metadata->broker_cnt;
            rd_kafka_metadata_destroy(metadata);
            return RF_OK;
        }
        if (metadata != NULL) rd_kafka_metadata_destroy(metadata);
        bool gives_up = !store->is_old && is_silent(store);
        if (gives_up || now_ms() >= until) return unreachable(store, code, err);
    }
}

static enum rf_kind learn(struct kafka_store *store, rd_kafka_t *client, int64_t until,
                          struct rf_err *err)
{
    char why[KAFKA_WHY_BYTES];
    while (!store->probe_has_id) {
        (void)rd_kafka_poll(client, 50);
        rd_kafka_resp_err_t code = rd_kafka_fatal_error(client, why, sizeof why);
        if (code == RD_KAFKA_RESP_ERR__UNSUPPORTED_FEATURE) {
            store->is_old = true;
            return RF_OK;
        }
        if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
            return RF_FAIL(err, RF_IO, "KafkaRefuses",
                           "the Kafka cluster at %s refuses an idempotent producer: %s",
                           store->options.servers, why);
        if (now_ms() >= until) return unreachable(store, RD_KAFKA_RESP_ERR__TIMED_OUT, err);
    }
    return RF_OK;
}

static enum rf_kind probe_with(struct kafka_store *store, int64_t until, struct rf_err *err)
{
    rd_kafka_conf_t *conf;
    rd_kafka_t *client;
    char why[KAFKA_WHY_BYTES];
    RF_TRY(producer_conf(store, &conf, err));
    (void)kafka_conf_set(conf, "statistics.interval.ms", "50", why, sizeof why);
    rd_kafka_conf_set_stats_cb(conf, on_stats);
    RF_TRY(kafka_client_new(store, true, conf, &client, err));
    enum rf_kind kind = reach(store, client, until, err);
    if (kind == RF_OK && !store->is_old) kind = learn(store, client, until, err);
    rd_kafka_destroy(client);
    return kind;
}

/* What a broker of 0.9 understands is tried only when the question for the version is what failed. Once it is known that the brokers are
 * old they are not asked again: each connection would wait for the answer. */
static enum rf_kind probe(struct kafka_store *store, struct rf_err *err)
{
    const struct pair known = {"api.version.request", "false"};
    int64_t until = now_ms() + kafka_timeout_ms(store);
    enum rf_kind kind = probe_with(store, until, err);
    bool again = kind == RF_IO && is_silent(store);
    if (again) store->is_old = true;
    if (store->is_old) RF_TRY(set_all(store->conf, &known, 1, err));
    return again ? probe_with(store, until, err) : kind;
}

/* ---- life ------------------------------------------------------------------------------------------------------------- */

static void *poll_main(void *ctx)
{
    struct kafka_store *store = ctx;
    while (!atomic_load_explicit(&store->ends, memory_order_acquire))
        (void)rd_kafka_poll(store->producer, POLL_MS);
    return NULL;
}

static bool copy_text(struct kafka_store *store, const char **text)
{
    if (*text == NULL) return true;
    *text = rf_arena_cstr(&store->arena, rf_str_of(*text));
    return *text != NULL;
}

static enum rf_kind start(struct kafka_store *store, struct rf_err *err)
{
    struct kafka_store_options *o = &store->options;
    rd_kafka_conf_t *conf;
    RF_TRY(make_conf(store, err)); /* the secrets are in the library's hands now */
    o->password = o->key_pem = NULL;
    if (!copy_text(store, &o->servers) || !copy_text(store, &o->topic_prefix))
        return rf_fail_memory(err, &store->arena);
    RF_TRY(probe(store, err));
    RF_TRY(producer_conf(store, &conf, err));
    RF_TRY(kafka_client_new(store, true, conf, &store->producer, err));
    store->has_poller = pthread_create(&store->poller, NULL, poll_main, store) == 0;
    if (!store->has_poller)
        return RF_FAIL(err, RF_LIMIT, "ThreadLimit", "cannot start a thread for the Kafka store");
    rf_log(RF_INFO, "hub.store", RF_KV_STR("store", RF_S("kafka")),
           RF_KV_STR("servers", rf_str_of(o->servers)), RF_KV_U64("brokers", store->broker_count),
           RF_KV_STR("protocol", store->is_old ? RF_S("before 0.11: events in envelopes")
                                               : RF_S("0.11 or later")));
    return RF_OK;
}

enum rf_kind kafka_store_new(const struct kafka_store_options *options, struct hubs *hubs,
                             struct kafka_store **out, struct rf_err *err)
{
    struct kafka_store *store = calloc(1, sizeof *store);
    if (store == NULL)
        return RF_FAIL(err, RF_LIMIT, "MemoryBudgetExceeded", "no memory for the Kafka store");
    store->hubs = hubs;
    store->options = *options;
    rf_arena_init(&store->arena, TEXTS_BYTES);
    (void)pthread_mutex_init(&store->lock, NULL);
    (void)pthread_mutex_init(&store->making, NULL);
    (void)pthread_mutex_init(&store->following, NULL);
    pthread_condattr_t attr;
    (void)pthread_condattr_init(&attr);
    (void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&store->arrived, &attr);
    (void)pthread_condattr_destroy(&attr);
    enum rf_kind kind = start(store, err);
    if (kind != RF_OK) {
        kafka_store_free(store);
        return kind;
    }
    *out = store;
    return RF_OK;
}

void kafka_store_free(struct kafka_store *store)
{
    if (store == NULL) return;
    atomic_store_explicit(&store->ends, true, memory_order_release);
    if (store->has_poller) (void)pthread_join(store->poller, NULL);
    kafka_follower_stop(store);
    if (store->producer != NULL) rd_kafka_destroy(store->producer);
    if (store->reader != NULL) rd_kafka_destroy(store->reader);
    if (store->conf != NULL) rd_kafka_conf_destroy(store->conf);
    (void)pthread_mutex_destroy(&store->lock);
    (void)pthread_mutex_destroy(&store->making);
    (void)pthread_mutex_destroy(&store->following);
    (void)pthread_cond_destroy(&store->arrived);
    rf_arena_done(&store->arena);
    free(store);
}

/* ---- partitions ------------------------------------------------------------------------------------------------------- */

static struct kafka_part *part_of(const struct part_store *store)
{
    return (struct kafka_part *)(uintptr_t)store;
}

static void close_part(struct part_store *base)
{
    struct kafka_part *part = part_of(base);
    kafka_part_stop(base);
    free(part->kept);
    if (part->back != NULL) rd_kafka_topic_destroy(part->back);
    if (part->tail != NULL) rd_kafka_topic_destroy(part->tail);
    if (part->sends != NULL) rd_kafka_topic_destroy(part->sends);
    (void)pthread_mutex_destroy(&part->reading);
    free(part);
}

static void info_of_part(const struct part_store *base, struct log_info *out)
{
    const struct kafka_part *part = part_of(base);
    struct hub_partition *p = part->p;
    *out = (struct log_info){.begin = atomic_load(&p->begin),
                             .end = atomic_load(&p->end),
                             .last_enqueued = atomic_load(&p->last_enqueued),
                             .bytes = atomic_load(&part->bytes)};
}

static int64_t next_of_part(const struct part_store *base)
{
    (void)base;
    return -1;
}

static enum rf_kind append_to_part(struct part_store *base, struct log_frame *frames,
                                   uint32_t count, bool durable, struct rf_err *err)
{
    (void)durable;
    return kafka_part_append(part_of(base), frames, count, err);
}

static enum rf_kind read_part(struct part_store *base, int64_t from, size_t bytes_max,
                              struct rf_arena *arena, struct log_frames *out, struct rf_err *err)
{
    return kafka_part_read(part_of(base), from, bytes_max, arena, out, err);
}

static enum rf_kind find_time_in_part(struct part_store *base, rf_usec time, int64_t *out,
                                      struct rf_err *err)
{
    return kafka_part_find_time(part_of(base), time, out, err);
}

static enum rf_kind cut_part(struct part_store *base, int64_t number, struct rf_err *err)
{
    struct kafka_part *part = part_of(base);
    RF_TRY(kafka_topic_cut(part->store, part->topic, part->p->index, number, err));
    atomic_store_explicit(&part->p->begin, number, memory_order_release);
    return RF_OK;
}

static const struct store_ops part_ops = {
    .close = close_part,
    .info = info_of_part,
    .next = next_of_part,
    .append = append_to_part,
    .read = read_part,
    .find_time = find_time_in_part,
    .cut_front = cut_part,
};

enum rf_kind kafka_part_open(struct hub_partition *p, struct part_store **out, struct rf_err *err)
{
    struct kafka_store *store = p->hub->hubs->kafka;
    struct kafka_part *part = calloc(1, sizeof *part);
    if (part == NULL)
        return RF_FAIL(err, RF_LIMIT, "MemoryBudgetExceeded", "no memory for a partition");
    part->base.ops = &part_ops;
    part->store = store, part->p = p;
    part->back_at = -1;
    (void)pthread_mutex_init(&part->reading, NULL);
    enum rf_kind kind = kafka_topic_name(store, rf_str_of(p->hub->space->name),
                                         rf_str_of(p->hub->name), part->topic, err);
    if (kind == RF_OK) part->sends = rd_kafka_topic_new(store->producer, part->topic, NULL);
    if (kind == RF_OK && part->sends == NULL)
        kind = kafka_failed(store, part->topic, rd_kafka_last_error(), err);
    if (kind != RF_OK) {
        close_part(&part->base);
        return kind;
    }
    *out = &part->base;
    return RF_OK;
}
