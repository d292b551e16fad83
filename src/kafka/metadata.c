/* Metadata: one broker, whose topics are the hubs that who asks may see. Nothing is made by asking. Source: protocol guide. */
#include "kafka/kafka_int.h"

enum { BROKER = 0, NO_OPERATIONS = INT32_MIN };

struct topic_view {
    enum kafka_error error;
    rf_str name;
    uint32_t partition_count;
};

/* Any right lets see. */
static enum rf_kind may_see(struct kafka_call *call, rf_str topic, bool *may)
{
    static const enum hub_right rights[] = {RIGHT_LISTEN, RIGHT_SEND, RIGHT_MANAGE};
    *may = false;
    for (size_t i = 0; i < RF_COUNT(rights) && !*may; i++)
        RF_TRY(kafka_may(call, topic, rights[i], may));
    return RF_OK;
}

static enum rf_kind look(struct kafka_call *call, rf_str name, struct topic_view *view)
{
    bool may;
    struct rf_err err;
    struct hub *hub;
    *view = (struct topic_view){.name = name, .error = KAFKA_TOPIC_AUTHORIZATION_FAILED};
    RF_TRY(may_see(call, name, &may));
    if (!may) return RF_OK;
    if (hub_find(call->conn->space, name, &hub, &err) != RF_OK) {
        view->error = kafka_error_of(&err);
        return RF_OK;
    }
    struct hub_facts facts;
    hub_facts(hub, &facts);
    view->error = KAFKA_NONE;
    view->partition_count = facts.partition_count;
    hub_unref(hub);
    return RF_OK;
}

static void write_partition(struct kafka_call *call, uint32_t index)
{
    struct rf_buf *out = &call->out;
    kafka_put_i16(out, KAFKA_NONE);
    kafka_put_i32(out, (int32_t)index);
    kafka_put_i32(out, BROKER);
    if (call->version >= 7) kafka_put_i32(out, 0); /* leader epoch */
    for (int i = 0; i < 2; i++) {                  /* replicas; those in sync */
        kafka_put_count(out, 1);
        kafka_put_i32(out, BROKER);
    }
    if (call->version >= 5) kafka_put_count(out, 0); /* offline ones */
}

static void write_topic(struct kafka_call *call, const struct topic_view *view)
{
    struct rf_buf *out = &call->out;
    kafka_put_i16(out, (int16_t)view->error);
    kafka_put_string(out, view->name);
    if (call->version >= 1) kafka_put_bool(out, false); /* internal */
    kafka_put_count(out, view->partition_count);
    for (uint32_t i = 0; i < view->partition_count; i++) write_partition(call, i);
    if (call->version >= 8) kafka_put_i32(out, NO_OPERATIONS);
}

static void write_broker(struct kafka_call *call)
{
    struct rf_buf *out = &call->out;
    if (call->version >= 3) kafka_put_i32(out, 0); /* throttled for */
    kafka_put_count(out, 1);
    kafka_put_i32(out, BROKER);
    kafka_put_string(out, call->conn->host);
    kafka_put_i32(out, call->kafka->port);
    if (call->version >= 1) kafka_put_i16(out, -1); /* rack */
    if (call->version >= 2) kafka_put_string(out, hub_namespace_name(call->conn->space));
    if (call->version >= 1) kafka_put_i32(out, BROKER); /* controller */
}

/* All topics that are seen; those that are not are left out. */
static enum kafka_outcome write_all(struct kafka_call *call)
{
    rf_str *names;
    uint32_t count, seen = 0;
    struct rf_err err;
    struct topic_view view;
    if (hub_names(call->conn->space, &call->arena, &names, &count, &err) != RF_OK) return KAFKA_BAD;
    size_t at = kafka_put_later(&call->out);
    for (uint32_t i = 0; i < count; i++) {
        if (look(call, names[i], &view) != RF_OK) return KAFKA_ON_WORKER;
        if (view.error != KAFKA_NONE) continue;
        write_topic(call, &view);
        seen++;
    }
    kafka_set_i32(&call->out, at, (int32_t)seen);
    return KAFKA_DONE;
}

static enum kafka_outcome write_named(struct kafka_call *call, uint32_t count)
{
    struct topic_view view;
    size_t at = kafka_put_later(&call->out);
    for (uint32_t i = 0; i < count; i++) {
        rf_str name = kafka_get_string(&call->in);
        if (call->in.bad) return KAFKA_BAD;
        if (look(call, name, &view) != RF_OK) return KAFKA_ON_WORKER;
        /* Producers who are told so do not even try. */
        if (view.error == KAFKA_TOPIC_AUTHORIZATION_FAILED) kafka_device_refused(call, name);
        write_topic(call, &view);
    }
    kafka_set_i32(&call->out, at, (int32_t)count);
    return KAFKA_DONE;
}

enum kafka_outcome kafka_metadata(struct kafka_call *call)
{
    bool is_null = false;
    uint32_t count = kafka_get_count(&call->in, 2, call->version >= 1 ? &is_null : NULL);
    if (call->in.bad || count > KAFKA_PARTITIONS_MAX) return KAFKA_BAD;
    write_broker(call);
    bool all = is_null || (call->version == 0 && count == 0);
    enum kafka_outcome outcome = all ? write_all(call) : write_named(call, count);
    if (outcome == KAFKA_DONE && call->version >= 8) kafka_put_i32(&call->out, NO_OPERATIONS);
    return outcome;
}
