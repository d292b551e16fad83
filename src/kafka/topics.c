/* CreateTopics, DeleteTopics, CreatePartitions, DeleteRecords: hubs by Kafka's admin calls. All of them block. Replication and
 * assignments mean nothing here: there is one broker. Source: protocol guide. */
#include "kafka/admin.h"

static bool may_manage(struct kafka_call *call, rf_str topic)
{
    bool may = false;
    return kafka_require(call, topic, RIGHT_MANAGE, &may) == RF_OK && may;
}

static enum kafka_error told(enum rf_kind kind, const struct rf_err *err, enum kafka_error denied)
{
    if (kind == RF_OK) return KAFKA_NONE;
    return kind == RF_DENIED ? denied : kafka_error_of(err);
}

static rf_str text_of(struct kafka_call *call, enum kafka_error error, const struct rf_err *err)
{
    rf_str text = {NULL, 0};
    if (error == KAFKA_NONE || !rf_arena_str(&call->arena, rf_str_of(err->text), &text))
        return (rf_str){NULL, 0};
    return text;
}

/* ---- CreateTopics --------------------------------------------------------------------------------------------------- */

struct new_topic {
    rf_str name;
    int32_t partition_count;
    struct admin_change change; /* what its configs say */
    struct rf_err config_err;
    bool is_config_bad;
};

static void read_assignments(struct kafka_reader *in, int32_t *count)
{
    uint32_t assigned = kafka_get_count(in, 8, NULL);
    if (assigned > 0 && *count == -1) *count = (int32_t)assigned;
    for (uint32_t i = 0; i < assigned && !in->bad; i++) {
        (void)kafka_get_i32(in);
        uint32_t brokers = kafka_get_count(in, 4, NULL);
        for (uint32_t k = 0; k < brokers; k++) (void)kafka_get_i32(in);
    }
}

static void read_new_topic(struct kafka_reader *in, struct new_topic *topic)
{
    topic->name = kafka_get_string(in);
    topic->partition_count = kafka_get_i32(in);
    (void)kafka_get_i16(in); /* replication factor */
    read_assignments(in, &topic->partition_count);
    uint32_t configs = kafka_get_count(in, 4, NULL);
    for (uint32_t i = 0; i < configs && !in->bad; i++) {
        rf_str name = kafka_get_string(in), value = kafka_get_nullable(in);
        if (in->bad || topic->is_config_bad) continue;
        topic->is_config_bad =
            admin_change_set(&topic->change, name, value, &topic->config_err) != RF_OK;
    }
}

/* Letters, digits, and . _ - between them. */
static bool is_hub_name(rf_str name)
{
    if (name.len == 0 || name.len > HUB_NAME_BYTES_MAX) return false;
    if (!rf_is_alnum(name.ptr[0]) || !rf_is_alnum(name.ptr[name.len - 1])) return false;
    for (size_t i = 0; i < name.len; i++)
        if (!rf_is_alnum(name.ptr[i]) && memchr("._-", name.ptr[i], 3) == NULL) return false;
    return true;
}

static enum rf_kind check_new_topic(struct kafka_call *call, const struct new_topic *topic,
                                    struct rf_err *err)
{
    struct hub *hub;
    if (!is_hub_name(topic->name))
        return RF_FAIL(err, RF_INVALID, "BadName",
                       "a name has 1 to %d letters, digits, dots, underlines and hyphens, and "
                       "begins and ends with a letter or digit",
                       HUB_NAME_BYTES_MAX);
    if (topic->partition_count != -1 &&
        (topic->partition_count < 1 || topic->partition_count > HUB_PARTITIONS_MAX))
        return RF_FAIL(err, RF_INVALID, "BadPartitionCount", "a topic has 1 to %d partitions",
                       HUB_PARTITIONS_MAX);
    if (hub_find(call->conn->space, topic->name, &hub, NULL) == RF_OK) {
        hub_unref(hub);
        return RF_FAIL(err, RF_CONFLICT, "HubExists", "there is such an event hub already");
    }
    return RF_OK;
}

static enum kafka_error create(struct kafka_call *call, struct new_topic *topic, bool only_check,
                               struct rf_err *err)
{
    if (!may_manage(call, topic->name)) {
        rf_fail(err, RF_DENIED, "Unauthorized", "the right Manage is needed");
        return KAFKA_CLUSTER_AUTHORIZATION_FAILED;
    }
    enum rf_kind kind = check_new_topic(call, topic, err);
    if (kind == RF_OK && topic->is_config_bad) {
        *err = topic->config_err;
        return KAFKA_INVALID_CONFIG;
    }
    if (kind == RF_OK && !only_check) {
        uint32_t count = topic->partition_count == -1 ? HUB_PARTITIONS_DEFAULT
                                                      : (uint32_t)topic->partition_count;
        const struct principal *by = call->login->grant.principal;
        kind = hub_create(call->conn->space, topic->name, count, by, err);
        if (kind == RF_OK) kind = admin_change_apply(call, topic->name, &topic->change, err);
    }
    return told(kind, err, KAFKA_CLUSTER_AUTHORIZATION_FAILED);
}

static void write_created(struct kafka_call *call, const struct new_topic *topic,
                          enum kafka_error error, const struct rf_err *err)
{
    kafka_put_string(&call->out, topic->name);
    kafka_put_i16(&call->out, (int16_t)error);
    if (call->version >= 1) kafka_put_nullable(&call->out, text_of(call, error, err));
}

enum kafka_outcome kafka_create_topics(struct kafka_call *call)
{
    struct kafka_reader *in = &call->in;
    uint32_t count = kafka_get_count(in, 16, NULL);
    if (count > HUBS_PER_NAMESPACE_MAX) return KAFKA_BAD; /* an error has a text: memory */
    struct new_topic *topics = rf_arena_new(&call->arena, struct new_topic, count);
    if (topics == NULL) return KAFKA_BAD;
    for (uint32_t i = 0; i < count && !in->bad; i++) read_new_topic(in, &topics[i]);
    (void)kafka_get_i32(in); /* time-out */
    bool only_check = call->version >= 1 && kafka_get_bool(in);
    if (in->bad) return KAFKA_BAD;
    if (call->version >= 2) kafka_put_i32(&call->out, 0); /* throttled for */
    kafka_put_count(&call->out, count);
    for (uint32_t i = 0; i < count; i++) {
        struct rf_err err = {0};
        enum kafka_error error = create(call, &topics[i], only_check, &err);
        write_created(call, &topics[i], error, &err);
    }
    return KAFKA_DONE;
}

/* ---- DeleteTopics --------------------------------------------------------------------------------------------------- */

static enum kafka_error delete_topic(struct kafka_call *call, rf_str name)
{
    struct rf_err err = {0};
    if (!may_manage(call, name)) return KAFKA_CLUSTER_AUTHORIZATION_FAILED;
    enum rf_kind kind = hub_delete(call->conn->space, name, call->login->grant.principal, &err);
    return told(kind, &err, KAFKA_CLUSTER_AUTHORIZATION_FAILED);
}

enum kafka_outcome kafka_delete_topics(struct kafka_call *call)
{
    struct kafka_reader *in = &call->in, ahead;
    uint32_t count = kafka_get_count(in, 2, NULL);
    ahead = *in;
    for (uint32_t i = 0; i < count; i++) (void)kafka_get_string(&ahead);
    (void)kafka_get_i32(&ahead); /* time-out */
    if (in->bad || ahead.bad) return KAFKA_BAD;
    if (call->version >= 1) kafka_put_i32(&call->out, 0); /* throttled for */
    kafka_put_count(&call->out, count);
    for (uint32_t i = 0; i < count; i++) {
        rf_str name = kafka_get_string(in);
        kafka_put_string(&call->out, name);
        kafka_put_i16(&call->out, (int16_t)delete_topic(call, name));
    }
    return KAFKA_DONE;
}

/* ---- CreatePartitions ----------------------------------------------------------------------------------------------- */

struct growth {
    rf_str name;
    int32_t count;
};

static void read_growth(struct kafka_reader *in, struct growth *growth)
{
    bool is_null;
    growth->name = kafka_get_string(in);
    growth->count = kafka_get_i32(in);
    uint32_t assigned = kafka_get_count(in, 4, &is_null);
    for (uint32_t i = 0; i < assigned && !in->bad; i++) {
        uint32_t brokers = kafka_get_count(in, 4, NULL);
        for (uint32_t k = 0; k < brokers; k++) (void)kafka_get_i32(in);
    }
}

static enum kafka_error grow(struct kafka_call *call, const struct growth *growth, bool only_check,
                             struct rf_err *err)
{
    struct hub *hub;
    struct hub_facts facts;
    if (!may_manage(call, growth->name)) {
        rf_fail(err, RF_DENIED, "Unauthorized", "the right Manage is needed");
        return KAFKA_CLUSTER_AUTHORIZATION_FAILED;
    }
    enum rf_kind kind = hub_find(call->conn->space, growth->name, &hub, err);
    if (kind != RF_OK) return told(kind, err, KAFKA_CLUSTER_AUTHORIZATION_FAILED);
    hub_facts(hub, &facts);
    hub_unref(hub);
    if (growth->count <= (int64_t)facts.partition_count || growth->count > HUB_PARTITIONS_MAX) {
        rf_fail(err, RF_INVALID, "BadPartitionCount",
                "the topic has %u partitions; it can grow to %d and not shrink",
                facts.partition_count, HUB_PARTITIONS_MAX);
        return KAFKA_INVALID_PARTITIONS;
    }
    if (only_check) return KAFKA_NONE;
    kind = hub_grow(call->conn->space, growth->name, (uint32_t)growth->count,
                    call->login->grant.principal, err);
    return told(kind, err, KAFKA_CLUSTER_AUTHORIZATION_FAILED);
}

enum kafka_outcome kafka_create_partitions(struct kafka_call *call)
{
    struct kafka_reader *in = &call->in;
    uint32_t count = kafka_get_count(in, 10, NULL);
    struct growth *growths = rf_arena_new(&call->arena, struct growth, count);
    if (growths == NULL) return KAFKA_BAD;
    for (uint32_t i = 0; i < count && !in->bad; i++) read_growth(in, &growths[i]);
    (void)kafka_get_i32(in); /* time-out */
    bool only_check = kafka_get_bool(in);
    if (in->bad) return KAFKA_BAD;
    kafka_put_i32(&call->out, 0); /* throttled for */
    kafka_put_count(&call->out, count);
    for (uint32_t i = 0; i < count; i++) {
        struct rf_err err = {0};
        enum kafka_error error = grow(call, &growths[i], only_check, &err);
        kafka_put_string(&call->out, growths[i].name);
        kafka_put_i16(&call->out, (int16_t)error);
        kafka_put_nullable(&call->out, text_of(call, error, &err));
    }
    return KAFKA_DONE;
}

/* ---- DeleteRecords -------------------------------------------------------------------------------------------------- */

/* *low: the first number that is left. */
static enum kafka_error cut_front(struct kafka_call *call, struct hub *hub, int32_t index,
                                  int64_t offset, int64_t *low)
{
    struct hub_partition_info info;
    struct rf_err err = {0};
    (void)call;
    if (index < 0) return KAFKA_UNKNOWN_TOPIC_OR_PARTITION;
    enum rf_kind kind = hub_partition_info(hub, (uint32_t)index, &info, &err);
    if (kind != RF_OK) return kafka_error_of(&err);
    int64_t number = offset == -1 ? info.end : offset;
    if (number < 0 || number > info.end) return KAFKA_OFFSET_OUT_OF_RANGE;
    if (number > info.begin) {
        kind = hub_cut_front(hub, (uint32_t)index, number, &err);
        if (kind == RF_OK) kind = hub_partition_info(hub, (uint32_t)index, &info, &err);
        if (kind != RF_OK) return kafka_error_of(&err);
    }
    *low = info.begin;
    return KAFKA_NONE;
}

static bool cut_topic(struct kafka_call *call)
{
    struct kafka_reader *in = &call->in;
    struct rf_err err = {0};
    struct hub *hub = NULL;
    enum kafka_error error = KAFKA_NONE;
    rf_str name = kafka_get_string(in);
    uint32_t count = kafka_get_count(in, 12, NULL);
    if (in->bad) return false;
    if (!may_manage(call, name))
        error = KAFKA_TOPIC_AUTHORIZATION_FAILED;
    else if (hub_find(call->conn->space, name, &hub, &err) != RF_OK)
        error = kafka_error_of(&err);
    kafka_put_string(&call->out, name);
    kafka_put_count(&call->out, count);
    for (uint32_t i = 0; i < count; i++) {
        int32_t index = kafka_get_i32(in);
        int64_t offset = kafka_get_i64(in), low = -1;
        enum kafka_error each = error;
        if (hub != NULL && error == KAFKA_NONE) each = cut_front(call, hub, index, offset, &low);
        kafka_put_i32(&call->out, index);
        kafka_put_i64(&call->out, low);
        kafka_put_i16(&call->out, (int16_t)each);
    }
    if (error == KAFKA_NONE) hub_unref(hub);
    return true;
}

enum kafka_outcome kafka_delete_records(struct kafka_call *call)
{
    struct kafka_reader *in = &call->in;
    uint32_t count = kafka_get_count(in, 6, NULL);
    kafka_put_i32(&call->out, 0); /* throttled for */
    kafka_put_count(&call->out, count);
    for (uint32_t i = 0; i < count; i++)
        if (!cut_topic(call)) return KAFKA_BAD;
    (void)kafka_get_i32(in); /* time-out */
    return in->bad ? KAFKA_BAD : KAFKA_DONE;
}
