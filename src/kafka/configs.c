/* DescribeConfigs, AlterConfigs, IncrementalAlterConfigs: a hub's settings by Kafka's names. Source: protocol guide; KIP-133, KIP-226,
 * KIP-339. */
#include <stdio.h>

#include "kafka/admin.h"

enum resource_type { RESOURCE_TOPIC = 2, RESOURCE_BROKER = 4 };
enum config_type {
    CONFIG_BOOLEAN = 1,
    CONFIG_STRING = 2,
    CONFIG_INT = 3,
    CONFIG_LONG = 5,
    CONFIG_LIST = 7
};
enum config_source { SOURCE_TOPIC = 1, SOURCE_STATIC_BROKER = 4, SOURCE_DEFAULT = 5 };
enum config_operation { OP_SET, OP_DELETE, OP_APPEND, OP_SUBTRACT };
enum { DEFAULT_RETENTION_DAYS = 7 };
static const int64_t ms_per_day = 86400 * 1000;

/* ---- changes ---------------------------------------------------------------------------------------------------------- */

/* What is the same for every hub: naming the value that it has is no error. */
static const struct {
    const char *name, *value;
    enum config_type type;
} fixed[] = {
    {"compression.type", "producer", CONFIG_STRING},
    {"max.message.bytes", "1048576", CONFIG_INT},
    {"message.timestamp.type", "CreateTime", CONFIG_STRING},
    {"min.insync.replicas", "1", CONFIG_INT},
};

static bool read_i64(rf_str text, int64_t *out)
{
    bool is_negative = text.len > 0 && text.ptr[0] == '-';
    uint64_t value = 0;
    size_t i = is_negative;
    if (i == text.len || text.len > 19) return false;
    for (; i < text.len; i++) {
        if (!rf_is_digit(text.ptr[i])) return false;
        value = value * 10 + (uint64_t)(text.ptr[i] - '0');
    }
    if (value > INT64_MAX) return false;
    *out = is_negative ? -(int64_t)value : (int64_t)value;
    return true;
}

static enum rf_kind set_bound(rf_str name, rf_str value, int64_t absent, bool *has, int64_t *out,
                              struct rf_err *err)
{
    *out = absent;
    if (value.ptr != NULL && (!read_i64(value, out) || *out < -1 || *out == 0))
        return RF_FAIL(err, RF_INVALID, "InvalidConfig", "%.*s is -1 (no bound) or above 0",
                       RF_FMT(name));
    *has = true;
    return RF_OK;
}

/* "delete", "compact", or both with a comma. */
static enum rf_kind set_policy(struct admin_change *change, rf_str value, struct rf_err *err)
{
    bool compacts = false, deletes = value.ptr == NULL;
    rf_str rest = value;
    while (rest.len > 0) {
        size_t comma = RF_MIN(rf_str_find(rest, RF_S(","), 0), rest.len);
        rf_str word = rf_str_trim(rf_slice(rest, 0, comma));
        bool is_compact = rf_str_is(word, "compact");
        if (!is_compact && !rf_str_is(word, "delete"))
            return RF_FAIL(err, RF_INVALID, "InvalidConfig",
                           "cleanup.policy is delete, compact or compact,delete");
        compacts |= is_compact;
        deletes |= !is_compact;
        rest = rf_slice(rest, RF_MIN(comma + 1, rest.len), rest.len);
    }
    if (!compacts && !deletes)
        return RF_FAIL(err, RF_INVALID, "InvalidConfig", "cleanup.policy is empty");
    change->has_policy = true;
    change->compacts = compacts;
    change->deletes = deletes;
    return RF_OK;
}

enum rf_kind admin_change_set(struct admin_change *change, rf_str name, rf_str value,
                              struct rf_err *err)
{
    if (rf_str_is(name, "retention.ms"))
        return set_bound(name, value, DEFAULT_RETENTION_DAYS * ms_per_day,
                         &change->has_retention_ms, &change->retention_ms, err);
    if (rf_str_is(name, "retention.bytes"))
        return set_bound(name, value, -1, &change->has_retention_bytes, &change->retention_bytes,
                         err);
    if (rf_str_is(name, "cleanup.policy")) return set_policy(change, value, err);
    for (size_t i = 0; i < RF_COUNT(fixed); i++) {
        if (!rf_str_is(name, fixed[i].name)) continue;
        if (value.ptr == NULL || rf_str_is(value, fixed[i].value)) return RF_OK;
        return RF_FAIL(err, RF_INVALID, "InvalidConfig", "%s is %s and cannot be changed",
                       fixed[i].name, fixed[i].value);
    }
    return RF_FAIL(err, RF_INVALID, "InvalidConfig",
                   "%.*s cannot be set; retention.ms, retention.bytes and cleanup.policy can",
                   RF_FMT(name));
}

/* Kafka counts in milliseconds; what is longer than our time can tell is for ever. */
enum rf_kind admin_change_apply(struct kafka_call *call, rf_str topic,
                                const struct admin_change *change, struct rf_err *err)
{
    struct hub_change wanted = {.has_retention = change->has_retention_ms,
                                .has_retention_bytes = change->has_retention_bytes,
                                .has_policy = change->has_policy,
                                .compacts = change->compacts,
                                .deletes = change->deletes};
    if (__builtin_mul_overflow(change->retention_ms, RF_USEC_PER_MS, &wanted.retention_usec))
        wanted.retention_usec = 0;
    wanted.retention_usec = RF_MAX(wanted.retention_usec, 0);
    wanted.retention_bytes = (uint64_t)RF_MAX(change->retention_bytes, 0);
    if (!wanted.has_retention && !wanted.has_retention_bytes && !wanted.has_policy) return RF_OK;
    return hub_configure(call->conn->space, topic, &wanted, call->login->grant.principal, err);
}

/* ---- DescribeConfigs --------------------------------------------------------------------------------------------------- */

struct config {
    const char *name;
    rf_str value;
    enum config_type type;
    bool is_read_only, is_default;
};
struct described {
    struct kafka_call *call;
    const rf_str *wanted; /* names; NULL: all */
    uint32_t wanted_count, count;
    bool with_synonyms;
    enum config_source source;
};

static bool is_wanted(const struct described *d, const char *name)
{
    if (d->wanted == NULL) return true;
    for (uint32_t i = 0; i < d->wanted_count; i++)
        if (rf_str_is(d->wanted[i], name)) return true;
    return false;
}

static void write_config(struct described *d, const struct config *config)
{
    struct rf_buf *out = &d->call->out;
    int16_t version = d->call->version;
    if (!is_wanted(d, config->name)) return;
    int8_t source = (int8_t)(config->is_default ? SOURCE_DEFAULT : d->source);
    d->count++;
    kafka_put_string(out, rf_str_of(config->name));
    kafka_put_string(out, config->value);
    kafka_put_bool(out, config->is_read_only);
    if (version == 0)
        kafka_put_bool(out, config->is_default);
    else
        kafka_put_i8(out, source);
    kafka_put_bool(out, false); /* sensitive */
    if (version >= 1) {
        kafka_put_count(out, d->with_synonyms ? 1 : 0);
        if (d->with_synonyms) {
            kafka_put_string(out, rf_str_of(config->name));
            kafka_put_string(out, config->value);
            kafka_put_i8(out, source);
        }
    }
    if (version >= 3) {
        kafka_put_i8(out, (int8_t)config->type);
        kafka_put_i16(out, -1); /* documentation */
    }
}

static void write_number(struct described *d, const char *name, int64_t value, int64_t usual,
                         bool is_read_only)
{
    char text[24];
    int len = snprintf(text, sizeof text, "%lld", (long long)value);
    write_config(d, &(struct config){name, rf_str_make(text, (size_t)len), CONFIG_LONG,
                                     is_read_only, value == usual});
}

static void write_topic(struct described *d, const struct hub_facts *facts)
{
    int64_t retention_ms = facts->retention_usec <= 0 ? -1 : facts->retention_usec / RF_USEC_PER_MS;
    int64_t bytes = facts->retention_bytes == 0 || facts->retention_bytes > INT64_MAX
                        ? -1
                        : (int64_t)facts->retention_bytes;
    rf_str policy = !facts->compacts            ? RF_S("delete")
                    : facts->retention_usec > 0 ? RF_S("compact,delete")
                                                : RF_S("compact");
    write_config(d,
                 &(struct config){"cleanup.policy", policy, CONFIG_LIST, false, !facts->compacts});
    write_number(d, "retention.ms", retention_ms, DEFAULT_RETENTION_DAYS * ms_per_day, false);
    write_number(d, "retention.bytes", bytes, -1, false);
    for (size_t i = 0; i < RF_COUNT(fixed); i++)
        write_config(d, &(struct config){fixed[i].name, rf_str_of(fixed[i].value), fixed[i].type,
                                         true, true});
}

static void write_broker(struct described *d)
{
    write_number(d, "num.partitions", HUB_PARTITIONS_DEFAULT, HUB_PARTITIONS_DEFAULT, true);
    write_number(d, "message.max.bytes", HUB_BYTES_MAX, HUB_BYTES_MAX, true);
    write_number(d, "default.replication.factor", 1, 1, true);
    write_number(d, "log.retention.ms", DEFAULT_RETENTION_DAYS * ms_per_day,
                 DEFAULT_RETENTION_DAYS * ms_per_day, true);
    write_config(d, &(struct config){"auto.create.topics.enable", RF_S("false"), CONFIG_BOOLEAN,
                                     true, true});
    write_config(d,
                 &(struct config){"compression.type", RF_S("producer"), CONFIG_STRING, true, true});
}

/* Any right on a topic lets see its settings. */
static bool may_describe(struct kafka_call *call, rf_str topic)
{
    static const enum hub_right rights[] = {RIGHT_MANAGE, RIGHT_LISTEN, RIGHT_SEND};
    bool may = false;
    for (size_t i = 0; i < RF_COUNT(rights) && !may; i++)
        if (kafka_may(call, topic, rights[i], &may) != RF_OK) return false;
    return may;
}

static enum kafka_error find_facts(struct kafka_call *call, int8_t type, rf_str name,
                                   struct hub_facts *facts, struct hub **hub, struct rf_err *err)
{
    *hub = NULL;
    if (type == RESOURCE_BROKER) return KAFKA_NONE;
    if (type != RESOURCE_TOPIC) {
        rf_fail(err, RF_INVALID, "InvalidRequest", "topics (2) and brokers (4) have settings");
        return KAFKA_INVALID_REQUEST;
    }
    if (!may_describe(call, name)) {
        rf_fail(err, RF_DENIED, "Unauthorized", "a right on the topic is needed");
        return KAFKA_TOPIC_AUTHORIZATION_FAILED;
    }
    if (hub_find(call->conn->space, name, hub, err) != RF_OK) {
        *hub = NULL;
        return kafka_error_of(err);
    }
    hub_facts(*hub, facts);
    return KAFKA_NONE;
}

static rf_str error_text(struct kafka_call *call, enum kafka_error error, const struct rf_err *err)
{
    rf_str text;
    if (error == KAFKA_NONE || !rf_arena_str(&call->arena, rf_str_of(err->text), &text))
        return (rf_str){NULL, 0};
    return text;
}

static void write_result_head(struct kafka_call *call, enum kafka_error error,
                              const struct rf_err *err, int8_t type, rf_str name)
{
    kafka_put_i16(&call->out, (int16_t)error);
    kafka_put_nullable(&call->out, error_text(call, error, err));
    kafka_put_i8(&call->out, type);
    kafka_put_string(&call->out, name);
}

struct wanted_resource {
    int8_t type;
    rf_str name;
    rf_str *names; /* NULL: all */
    uint32_t name_count;
};

static bool read_wanted(struct kafka_call *call, struct wanted_resource *resource)
{
    struct kafka_reader *in = &call->in;
    bool is_null;
    resource->type = kafka_get_i8(in);
    resource->name = kafka_get_string(in);
    resource->name_count = kafka_get_count(in, 2, &is_null);
    if (is_null) return !in->bad;
    resource->names = rf_arena_new(&call->arena, rf_str, resource->name_count);
    if (resource->names == NULL) return false;
    for (uint32_t i = 0; i < resource->name_count; i++) resource->names[i] = kafka_get_string(in);
    return !in->bad;
}

static void describe(struct kafka_call *call, const struct wanted_resource *resource,
                     bool with_synonyms)
{
    struct rf_err err = {0};
    struct hub_facts facts = {0};
    struct hub *hub;
    struct described d = {.call = call,
                          .wanted = resource->names,
                          .wanted_count = resource->name_count,
                          .with_synonyms = with_synonyms,
                          .source = resource->type == RESOURCE_TOPIC ? SOURCE_TOPIC
                                                                     : SOURCE_STATIC_BROKER};
    enum kafka_error error = find_facts(call, resource->type, resource->name, &facts, &hub, &err);
    write_result_head(call, error, &err, resource->type, resource->name);
    size_t at = kafka_put_later(&call->out);
    if (error == KAFKA_NONE && resource->type == RESOURCE_TOPIC) write_topic(&d, &facts);
    if (error == KAFKA_NONE && resource->type == RESOURCE_BROKER) write_broker(&d);
    kafka_set_i32(&call->out, at, (int32_t)d.count);
    hub_unref(hub);
}

enum kafka_outcome kafka_describe_configs(struct kafka_call *call)
{
    struct kafka_reader *in = &call->in;
    uint32_t count = kafka_get_count(in, 7, NULL);
    struct wanted_resource *resources = rf_arena_new(&call->arena, struct wanted_resource, count);
    if (resources == NULL) return KAFKA_BAD;
    for (uint32_t i = 0; i < count; i++)
        if (!read_wanted(call, &resources[i])) return KAFKA_BAD;
    bool with_synonyms = call->version >= 1 && kafka_get_bool(in);
    if (call->version >= 3) (void)kafka_get_bool(in); /* documentation, of which there is none */
    if (in->bad) return KAFKA_BAD;
    kafka_put_i32(&call->out, 0); /* throttled for */
    kafka_put_count(&call->out, count);
    for (uint32_t i = 0; i < count; i++) describe(call, &resources[i], with_synonyms);
    return KAFKA_DONE;
}

/* ---- AlterConfigs, IncrementalAlterConfigs ----------------------------------------------------------------------------- */

struct alteration {
    int8_t type;
    rf_str name;
    struct admin_change change;
    struct rf_err err; /* of what was asked for */
    bool is_bad;
};

/* What AlterConfigs does not name goes back to its default. */
static void reset_unnamed(struct admin_change *change)
{
    const rf_str absent = {NULL, 0};
    if (!change->has_retention_ms)
        (void)!admin_change_set(change, RF_S("retention.ms"), absent, NULL);
    if (!change->has_retention_bytes)
        (void)!admin_change_set(change, RF_S("retention.bytes"), absent, NULL);
    if (!change->has_policy) (void)!admin_change_set(change, RF_S("cleanup.policy"), absent, NULL);
}

static void read_alteration(struct kafka_reader *in, bool is_incremental, struct alteration *out)
{
    out->type = kafka_get_i8(in);
    out->name = kafka_get_string(in);
    uint32_t count = kafka_get_count(in, is_incremental ? 5 : 4, NULL);
    for (uint32_t i = 0; i < count && !in->bad; i++) {
        rf_str name = kafka_get_string(in);
        int8_t op = is_incremental ? kafka_get_i8(in) : OP_SET;
        rf_str value = kafka_get_nullable(in);
        if (in->bad || out->is_bad) continue;
        if (op == OP_DELETE) value = (rf_str){NULL, 0};
        if (op == OP_SET || op == OP_DELETE)
            out->is_bad = admin_change_set(&out->change, name, value, &out->err) != RF_OK;
        else
            out->is_bad = RF_FAIL(&out->err, RF_INVALID, "InvalidConfig",
                                  "lists are set as a whole here") != RF_OK;
    }
    if (!is_incremental) reset_unnamed(&out->change);
}

static enum kafka_error alter(struct kafka_call *call, struct alteration *wanted, bool only_check)
{
    bool may = false;
    struct hub *hub;
    struct hub_facts facts;
    if (wanted->type != RESOURCE_TOPIC) {
        rf_fail(&wanted->err, RF_INVALID, "InvalidRequest",
                "settings of topics (2) can be changed; the server's are in its configuration");
        return KAFKA_INVALID_REQUEST;
    }
    if (kafka_require(call, wanted->name, RIGHT_MANAGE, &may) != RF_OK || !may) {
        rf_fail(&wanted->err, RF_DENIED, "Unauthorized", "the right Manage is needed");
        return KAFKA_CLUSTER_AUTHORIZATION_FAILED;
    }
    enum kafka_error error =
        find_facts(call, RESOURCE_TOPIC, wanted->name, &facts, &hub, &wanted->err);
    hub_unref(hub);
    if (error != KAFKA_NONE) return error;
    if (wanted->is_bad) return KAFKA_INVALID_CONFIG;
    if (only_check) return KAFKA_NONE;
    if (admin_change_apply(call, wanted->name, &wanted->change, &wanted->err) == RF_OK)
        return KAFKA_NONE;
    return wanted->err.kind == RF_INVALID ? KAFKA_INVALID_CONFIG : kafka_error_of(&wanted->err);
}

static enum kafka_outcome alter_all(struct kafka_call *call, bool is_incremental)
{
    struct kafka_reader *in = &call->in;
    uint32_t count = kafka_get_count(in, 7, NULL);
    if (count > HUBS_PER_NAMESPACE_MAX) return KAFKA_BAD;
    struct alteration *items = rf_arena_new(&call->arena, struct alteration, count);
    if (items == NULL) return KAFKA_BAD;
    for (uint32_t i = 0; i < count && !in->bad; i++) read_alteration(in, is_incremental, &items[i]);
    bool only_check = kafka_get_bool(in);
    if (in->bad) return KAFKA_BAD;
    kafka_put_i32(&call->out, 0); /* throttled for */
    kafka_put_count(&call->out, count);
    for (uint32_t i = 0; i < count; i++) {
        enum kafka_error error = alter(call, &items[i], only_check);
        write_result_head(call, error, &items[i].err, items[i].type, items[i].name);
    }
    return KAFKA_DONE;
}

enum kafka_outcome kafka_alter_configs(struct kafka_call *call) { return alter_all(call, false); }

enum kafka_outcome kafka_incremental_alter_configs(struct kafka_call *call)
{
    return alter_all(call, true);
}
