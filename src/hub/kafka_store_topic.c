/* kafka_store_topic.c - the topics of hubs: made, grown, configured, cut and deleted by Kafka's admin requests. */
#include "hub/kafka_client_int.h"

#include <stdio.h>
#include <time.h>

#include "base/log.h"

enum {
    ADMIN_MS = 15000,
    ADMIN_OLD_MS = 2000,
    REPLICAS_MAX = 3,
    CONFIGS_MAX = 200,
    MESSAGE_BYTES = 2 << 20
};
static const int64_t usual_retention_usec = INT64_C(7) * 24 * 3600 * RF_USEC_PER_SECOND;

enum rf_kind kafka_topic_name(const struct kafka_store *store, rf_str space, rf_str hub,
                              char out[KAFKA_NAME_BYTES], struct rf_err *err)
{
    const char *prefix = store->options.topic_prefix;
    int len = snprintf(out, KAFKA_NAME_BYTES, "%s%.*s.%.*s", prefix == NULL ? "" : prefix,
                       RF_FMT(space), RF_FMT(hub));
    bool good = len > 0 && len < KAFKA_NAME_BYTES;
    for (int i = 0; good && i < len; i++)
        good = rf_is_alnum((uint8_t)out[i]) || strchr("._-", out[i]) != NULL;
    return good ? RF_OK
                : RF_FAIL(err, RF_INVALID, "BadName",
                          "no topic of Kafka can be called %s%.*s.%.*s: at most 249 letters, "
                          "digits, '.', '_' and '-'",
                          prefix == NULL ? "" : prefix, RF_FMT(space), RF_FMT(hub));
}

/* ---- a request -------------------------------------------------------------------------------------------------------- */

struct admin_request {
    struct kafka_store *store;
    rd_kafka_AdminOptions_t *options;
    rd_kafka_queue_t *queue;
    rd_kafka_event_t *event;
};

static void begin(struct admin_request *r, struct kafka_store *store, rd_kafka_admin_op_t op)
{
    char why[KAFKA_WHY_BYTES];
    *r = (struct admin_request){.store = store,
                                .options = rd_kafka_AdminOptions_new(store->producer, op),
                                .queue = rd_kafka_queue_new(store->producer)};
    int timeout_ms = store->is_old ? ADMIN_OLD_MS : ADMIN_MS;
    (void)rd_kafka_AdminOptions_set_request_timeout(r->options, timeout_ms, why, sizeof why);
}

/* The error of the request as a whole. The library waits in vain for the controller of brokers that do not name one (before 0.10). */
static rd_kafka_resp_err_t answer_of(struct admin_request *r)
{
    rd_kafka_resp_err_t code = RD_KAFKA_RESP_ERR__TIMED_OUT;
    r->event = rd_kafka_queue_poll(r->queue, ADMIN_MS + 5000);
    if (r->event != NULL) code = rd_kafka_event_error(r->event);
    bool has_none = r->store->is_old && code == RD_KAFKA_RESP_ERR__TIMED_OUT;
    return has_none ? RD_KAFKA_RESP_ERR__UNSUPPORTED_FEATURE : code;
}

static void end(struct admin_request *r)
{
    if (r->event != NULL) rd_kafka_event_destroy(r->event);
    rd_kafka_queue_destroy(r->queue);
    rd_kafka_AdminOptions_destroy(r->options);
}

static rd_kafka_resp_err_t topic_answer(const rd_kafka_topic_result_t **topics, size_t count)
{
    return count == 1 ? rd_kafka_topic_result_error(topics[0]) : RD_KAFKA_RESP_ERR__BAD_MSG;
}

/* ---- what a hub's settings are for a topic ------------------------------------------------------------------------------ */

struct config {
    const char *name;
    char value[32];
};
enum { HUB_CONFIGS = 3 };

/* Times are the broker's, which is what an event's enqueued time is. */
static void configs_of(const struct hub_settings *s, struct config out[HUB_CONFIGS])
{
    int64_t ms = s->retention_usec > 0 ? s->retention_usec / 1000 : -1;
    long long bytes = s->retention_bytes > 0 && s->retention_bytes < INT64_MAX
                          ? (long long)s->retention_bytes
                          : -1;
    const char *policy = !s->compacts            ? "delete"
                         : s->retention_usec > 0 ? "compact,delete"
                                                 : "compact";
    out[0].name = "retention.ms", out[1].name = "retention.bytes", out[2].name = "cleanup.policy";
    (void)snprintf(out[0].value, sizeof out[0].value, "%lld", (long long)ms);
    (void)snprintf(out[1].value, sizeof out[1].value, "%lld", bytes);
    (void)snprintf(out[2].value, sizeof out[2].value, "%s", policy);
}

static void set_configs(rd_kafka_NewTopic_t *wanted, const struct hub_settings *s,
                        uint32_t replicas)
{
    char bytes[16];
    struct config configs[HUB_CONFIGS];
    configs_of(s, configs);
    for (uint32_t i = 0; i < HUB_CONFIGS; i++)
        (void)rd_kafka_NewTopic_set_config(wanted, configs[i].name, configs[i].value);
    (void)snprintf(bytes, sizeof bytes, "%d", MESSAGE_BYTES);
    (void)rd_kafka_NewTopic_set_config(wanted, "max.message.bytes", bytes);
    (void)rd_kafka_NewTopic_set_config(wanted, "message.timestamp.type", "LogAppendTime");
    if (replicas >= REPLICAS_MAX)
        (void)rd_kafka_NewTopic_set_config(wanted, "min.insync.replicas", "2");
}

/* `plain`: as the cluster makes topics by itself. */
static rd_kafka_resp_err_t create(struct kafka_store *store, const char *topic,
                                  const struct hub_settings *s, bool plain)
{
    char why[KAFKA_WHY_BYTES];
    struct admin_request r;
    uint32_t replicas = store->options.replicas > 0
                            ? store->options.replicas
                            : RF_MIN(store->broker_count, (uint32_t)REPLICAS_MAX);
    rd_kafka_NewTopic_t *wanted =
        rd_kafka_NewTopic_new(topic, (int)s->partition_count, (int)replicas, why, sizeof why);
    if (wanted == NULL) return RD_KAFKA_RESP_ERR__INVALID_ARG;
    if (!plain) set_configs(wanted, s, replicas);
    begin(&r, store, RD_KAFKA_ADMIN_OP_CREATETOPICS);
    rd_kafka_CreateTopics(store->producer, &wanted, 1, r.options, r.queue);
    rd_kafka_resp_err_t code = answer_of(&r);
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR) {
        size_t count;
        const rd_kafka_topic_result_t **topics = rd_kafka_CreateTopics_result_topics(
            rd_kafka_event_CreateTopics_result(r.event), &count);
        code = topic_answer(topics, count);
    }
    end(&r);
    rd_kafka_NewTopic_destroy(wanted);
    return code;
}

static rd_kafka_resp_err_t grow(struct kafka_store *store, const char *topic, uint32_t partitions)
{
    char why[KAFKA_WHY_BYTES];
    struct admin_request r;
    rd_kafka_NewPartitions_t *wanted =
        rd_kafka_NewPartitions_new(topic, partitions, why, sizeof why);
    if (wanted == NULL) return RD_KAFKA_RESP_ERR__INVALID_ARG;
    begin(&r, store, RD_KAFKA_ADMIN_OP_CREATEPARTITIONS);
    rd_kafka_CreatePartitions(store->producer, &wanted, 1, r.options, r.queue);
    rd_kafka_resp_err_t code = answer_of(&r);
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR) {
        size_t count;
        const rd_kafka_topic_result_t **topics = rd_kafka_CreatePartitions_result_topics(
            rd_kafka_event_CreatePartitions_result(r.event), &count);
        code = topic_answer(topics, count);
    }
    end(&r);
    rd_kafka_NewPartitions_destroy(wanted);
    return code;
}

/* ---- partitions that are there ------------------------------------------------------------------------------------------ */

static uint32_t count_in(const struct rd_kafka_metadata *metadata, rd_kafka_resp_err_t *code)
{
    if (metadata->topic_cnt != 1) return 0;
    *code = metadata->topics[0].err;
    return *code == RD_KAFKA_RESP_ERR_NO_ERROR ? (uint32_t)metadata->topics[0].partition_cnt : 0;
}

/* Brokers before 0.10.1, which cannot be asked for a topic, may make one when it is asked about. */
static rd_kafka_resp_err_t count_partitions(struct kafka_store *store, const char *topic,
                                            uint32_t *out)
{
    rd_kafka_topic_t *handle = rd_kafka_topic_new(store->producer, topic, NULL);
    rd_kafka_resp_err_t code = RD_KAFKA_RESP_ERR__TIMED_OUT;
    if (handle == NULL) return rd_kafka_last_error();
    *out = 0;
    enum { ROUNDS = 25, PAUSE_MS = 200 };
    for (int round = 0; round < ROUNDS; round++) {
        const struct rd_kafka_metadata *metadata = NULL;
        code = rd_kafka_metadata(store->producer, 0, handle, &metadata, KAFKA_LOOK_MS);
        if (code == RD_KAFKA_RESP_ERR_NO_ERROR) *out = count_in(metadata, &code);
        if (metadata != NULL) rd_kafka_metadata_destroy(metadata);
        bool is_coming = code == RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE ||
                         code == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART;
        if (!is_coming) break;
        struct timespec pause = {.tv_nsec = PAUSE_MS * 1000000L};
        (void)nanosleep(&pause, NULL);
    }
    rd_kafka_topic_destroy(handle);
    return code;
}

/* ---- configuration ------------------------------------------------------------------------------------------------------ */

static const char *wanted_value(const struct config configs[HUB_CONFIGS], const char *name)
{
    for (uint32_t i = 0; i < HUB_CONFIGS; i++)
        if (strcmp(configs[i].name, name) == 0) return configs[i].value;
    return NULL;
}

/* AlterConfigs replaces all that is set, so what others have set goes with it. True: something is different. */
static bool merge(const rd_kafka_ConfigResource_t *there, const struct config configs[HUB_CONFIGS],
                  rd_kafka_ConfigResource_t *into)
{
    size_t count;
    bool differs = false;
    const rd_kafka_ConfigEntry_t **entries = rd_kafka_ConfigResource_configs(there, &count);
    for (size_t i = 0; i < count && i < CONFIGS_MAX; i++) {
        const char *name = rd_kafka_ConfigEntry_name(entries[i]);
        const char *value = rd_kafka_ConfigEntry_value(entries[i]);
        const char *wanted = wanted_value(configs, name);
        if (wanted != NULL) differs |= value == NULL || strcmp(value, wanted) != 0;
        if (wanted != NULL || value == NULL ||
            rd_kafka_ConfigEntry_source(entries[i]) != RD_KAFKA_CONFIG_SOURCE_DYNAMIC_TOPIC_CONFIG)
            continue;
        (void)rd_kafka_ConfigResource_set_config(into, name, value);
    }
    for (uint32_t i = 0; i < HUB_CONFIGS; i++)
        (void)rd_kafka_ConfigResource_set_config(into, configs[i].name, configs[i].value);
    return differs;
}

static rd_kafka_resp_err_t resource_answer(const rd_kafka_ConfigResource_t **resources,
                                           size_t count)
{
    return count == 1 ? rd_kafka_ConfigResource_error(resources[0]) : RD_KAFKA_RESP_ERR__BAD_MSG;
}

static rd_kafka_resp_err_t alter(struct kafka_store *store, rd_kafka_ConfigResource_t *wanted)
{
    struct admin_request r;
    begin(&r, store, RD_KAFKA_ADMIN_OP_ALTERCONFIGS);
    rd_kafka_AlterConfigs(store->producer, &wanted, 1, r.options, r.queue);
    rd_kafka_resp_err_t code = answer_of(&r);
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR) {
        size_t count;
        const rd_kafka_ConfigResource_t **resources = rd_kafka_AlterConfigs_result_resources(
            rd_kafka_event_AlterConfigs_result(r.event), &count);
        code = resource_answer(resources, count);
    }
    end(&r);
    return code;
}

static rd_kafka_resp_err_t configure(struct kafka_store *store, const char *topic,
                                     const struct hub_settings *s)
{
    struct config configs[HUB_CONFIGS];
    struct admin_request r;
    bool differs = false;
    rd_kafka_ConfigResource_t *wanted = rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, topic);
    configs_of(s, configs);
    begin(&r, store, RD_KAFKA_ADMIN_OP_DESCRIBECONFIGS);
    rd_kafka_DescribeConfigs(store->producer, &wanted, 1, r.options, r.queue);
    rd_kafka_resp_err_t code = answer_of(&r);
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR) {
        size_t count;
        const rd_kafka_ConfigResource_t **resources = rd_kafka_DescribeConfigs_result_resources(
            rd_kafka_event_DescribeConfigs_result(r.event), &count);
        code = resource_answer(resources, count);
        if (code == RD_KAFKA_RESP_ERR_NO_ERROR) differs = merge(resources[0], configs, wanted);
    }
    end(&r);
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR && differs) code = alter(store, wanted);
    rd_kafka_ConfigResource_destroy(wanted);
    return code;
}

/* ---- all of it ---------------------------------------------------------------------------------------------------------- */

static bool is_unknown(rd_kafka_resp_err_t code)
{
    return code == RD_KAFKA_RESP_ERR__UNSUPPORTED_FEATURE ||
           code == RD_KAFKA_RESP_ERR_UNSUPPORTED_VERSION;
}

static enum rf_kind too_few(const struct kafka_store *store, const char *topic, uint32_t there,
                            uint32_t wanted, struct rf_err *err)
{
    return RF_FAIL(err, RF_INVALID, "KafkaTooOld",
                   "the Kafka cluster at %s lets no client make or grow topics (that needs 0.10.1, "
                   "to grow 1.0): the topic %s has %u partitions, and %u are wanted; run "
                   "kafka-topics.sh --create (or --alter) --topic %s --partitions %u there first",
                   store->options.servers, topic, there, wanted, topic, wanted);
}

static enum rf_kind check_count(struct kafka_store *store, const char *topic, uint32_t wanted,
                                struct rf_err *err)
{
    uint32_t there = 0;
    rd_kafka_resp_err_t code = count_partitions(store, topic, &there);
    if (code == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART)
        return too_few(store, topic, 0, wanted, err);
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR) return kafka_failed(store, topic, code, err);
    if (there >= wanted) return RF_OK;
    code = grow(store, topic, wanted);
    if (is_unknown(code)) return too_few(store, topic, there, wanted, err);
    return code == RD_KAFKA_RESP_ERR_NO_ERROR ? RF_OK : kafka_failed(store, topic, code, err);
}

/* Where nothing can be set the brokers keep what they keep: a week, unless they were told otherwise. Longer is no harm but for the room. */
static enum rf_kind refuse_settings(const struct kafka_store *store, const char *topic,
                                    const struct hub_settings *s, struct rf_err *err)
{
    bool is_kept = s->retention_usec > 0 && s->retention_usec <= usual_retention_usec;
    if (!is_kept || s->retention_bytes > 0 || s->compacts)
        return kafka_too_old(store,
                             "a retention of more than seven days or by size, and compaction", err);
    if (s->retention_usec < usual_retention_usec)
        rf_log(RF_WARN, "hub.retention_of_cluster", RF_KV_STR("topic", rf_str_of(topic)),
               RF_KV_STR("why", RF_S("the cluster is too old to be told how long events are kept")),
               RF_KV_STR("remedy", RF_S("set retention.ms of the topic with kafka-topics.sh")));
    return RF_OK;
}

enum rf_kind kafka_store_prepare(struct kafka_store *store, rf_str space,
                                 const struct hub_settings *settings, struct rf_err *err)
{
    char topic[KAFKA_NAME_BYTES];
    RF_TRY(kafka_topic_name(store, space, settings->name, topic, err));
    rd_kafka_resp_err_t code = create(store, topic, settings, false);
    if (code == RD_KAFKA_RESP_ERR_INVALID_CONFIG) {
        /* A service that speaks Kafka and does not let its users set everything. */
        rf_log(RF_WARN, "hub.topic_plain", RF_KV_STR("topic", rf_str_of(topic)),
               RF_KV_STR("why", RF_S("the cluster refuses the topic's configuration")),
               RF_KV_STR("weaker", RF_S("retention, the size of events and whose time it is are as "
                                        "the cluster has them")));
        code = create(store, topic, settings, true);
    }
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR) {
        rf_log(RF_INFO, "hub.topic_made", RF_KV_STR("topic", rf_str_of(topic)));
        return check_count(store, topic, settings->partition_count, err);
    }
    bool lets = !is_unknown(code);
    if (lets && code != RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS)
        return kafka_failed(store, topic, code, err);
    RF_TRY(check_count(store, topic, settings->partition_count, err));
    code = lets ? configure(store, topic, settings) : RD_KAFKA_RESP_ERR__UNSUPPORTED_FEATURE;
    if (is_unknown(code)) return refuse_settings(store, topic, settings, err);
    if (code == RD_KAFKA_RESP_ERR_INVALID_CONFIG)
        return RF_FAIL(err, RF_INVALID, "KafkaRefuses",
                       "%s: the Kafka cluster at %s does not take this retention or cleanup policy",
                       topic, store->options.servers);
    return code == RD_KAFKA_RESP_ERR_NO_ERROR ? RF_OK : kafka_failed(store, topic, code, err);
}

void kafka_store_drop(struct kafka_store *store, rf_str space, rf_str hub)
{
    char topic[KAFKA_NAME_BYTES];
    struct admin_request r;
    struct rf_err err;
    if (kafka_topic_name(store, space, hub, topic, &err) != RF_OK) return;
    rd_kafka_DeleteTopic_t *unwanted = rd_kafka_DeleteTopic_new(topic);
    begin(&r, store, RD_KAFKA_ADMIN_OP_DELETETOPICS);
    rd_kafka_DeleteTopics(store->producer, &unwanted, 1, r.options, r.queue);
    rd_kafka_resp_err_t code = answer_of(&r);
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR) {
        size_t count;
        const rd_kafka_topic_result_t **topics = rd_kafka_DeleteTopics_result_topics(
            rd_kafka_event_DeleteTopics_result(r.event), &count);
        code = topic_answer(topics, count);
    }
    end(&r);
    rd_kafka_DeleteTopic_destroy(unwanted);
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR || code == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART)
        return;
    rf_log(RF_WARN, "hub.topic_stays", RF_KV_STR("topic", rf_str_of(topic)),
           RF_KV_STR("why", rf_str_of(rd_kafka_err2str(code))),
           RF_KV_STR("remedy", RF_S("delete it with kafka-topics.sh: a hub of this name would take "
                                    "over what it holds")));
}

enum rf_kind kafka_topic_cut(struct kafka_store *store, const char *topic, uint32_t partition,
                             int64_t number, struct rf_err *err)
{
    struct admin_request r;
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(list, topic, (int32_t)partition)->offset = number;
    rd_kafka_DeleteRecords_t *wanted = rd_kafka_DeleteRecords_new(list);
    rd_kafka_topic_partition_list_destroy(list);
    begin(&r, store, RD_KAFKA_ADMIN_OP_DELETERECORDS);
    rd_kafka_DeleteRecords(store->producer, &wanted, 1, r.options, r.queue);
    rd_kafka_resp_err_t code = answer_of(&r);
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR) {
        const rd_kafka_topic_partition_list_t *offsets =
            rd_kafka_DeleteRecords_result_offsets(rd_kafka_event_DeleteRecords_result(r.event));
        code = offsets->cnt == 1 ? offsets->elems[0].err : RD_KAFKA_RESP_ERR__BAD_MSG;
    }
    end(&r);
    rd_kafka_DeleteRecords_destroy(wanted);
    return code == RD_KAFKA_RESP_ERR_NO_ERROR ? RF_OK
                                              : kafka_failed(store, "cutting a topic", code, err);
}
