/* ListOffsets and OffsetForLeaderEpoch: where partitions begin and end, and where a time lies. Both block, because logs are opened
 * by the first look at them. Source: protocol guide. */
#include "kafka/kafka_int.h"

enum { AT_END = -1, AT_BEGIN = -2, LEADER_EPOCH = 0 };

struct offset_answer {
    enum kafka_error error;
    int64_t time_ms, offset;
};

/* Looked up once for all partitions of a topic. */
struct topic_ref {
    enum kafka_error error;
    struct hub *hub; /* NULL: see error */
};

static enum rf_kind open_topic(struct kafka_call *call, rf_str name, struct topic_ref *out)
{
    bool may;
    struct rf_err err;
    *out = (struct topic_ref){.error = KAFKA_TOPIC_AUTHORIZATION_FAILED};
    RF_TRY(kafka_require(call, name, RIGHT_LISTEN, &may));
    if (!may) return RF_OK;
    out->error = KAFKA_NONE;
    if (hub_find(call->conn->space, name, &out->hub, &err) != RF_OK) {
        out->hub = NULL;
        out->error = kafka_error_of(&err);
    }
    return RF_OK;
}

/* The first event that was enqueued at the time or later, and when it was. May block. */
static enum rf_kind find_time(struct kafka_call *call, struct hub *hub, uint32_t partition,
                              int64_t time_ms, struct offset_answer *out, struct rf_err *err)
{
    struct hub_partition_info info;
    struct log_frames frames = {0};
    rf_usec time;
    int64_t number;
    if (__builtin_mul_overflow(time_ms, RF_USEC_PER_MS, &time)) return RF_OK;
    RF_TRY(hub_find_time(hub, partition, time, &number, err));
    RF_TRY(hub_partition_info(hub, partition, &info, err));
    if (number >= info.end) return RF_OK;
    RF_TRY(hub_read(hub, partition, number, 1, true, &call->arena, &frames, err));
    if (frames.count == 0) return RF_OK;
    out->time_ms = frames.items[0].enqueued / RF_USEC_PER_MS;
    out->offset = number;
    return RF_OK;
}

static struct offset_answer find_offset(struct kafka_call *call, const struct topic_ref *topic,
                                        int32_t index, int64_t time_ms)
{
    struct offset_answer answer = {.error = topic->error, .time_ms = -1, .offset = -1};
    struct hub_partition_info info;
    struct rf_err err;
    if (topic->hub == NULL) return answer;
    if (index < 0) {
        answer.error = KAFKA_UNKNOWN_TOPIC_OR_PARTITION;
    } else if (hub_partition_info(topic->hub, (uint32_t)index, &info, &err) != RF_OK) {
        answer.error = kafka_error_of(&err);
    } else if (time_ms == AT_END) {
        answer.offset = info.end;
    } else if (time_ms == AT_BEGIN) {
        answer.offset = info.begin;
    } else if (time_ms < 0) {
        answer.error = KAFKA_INVALID_REQUEST;
    } else if (find_time(call, topic->hub, (uint32_t)index, time_ms, &answer, &err) != RF_OK) {
        answer.error = kafka_error_of(&err);
    }
    return answer;
}

static void write_offset(struct kafka_call *call, int32_t index, const struct offset_answer *answer)
{
    struct rf_buf *out = &call->out;
    kafka_put_i32(out, index);
    kafka_put_i16(out, (int16_t)answer->error);
    if (call->version == 0) { /* a list of offsets */
        kafka_put_count(out, answer->offset >= 0 ? 1 : 0);
        if (answer->offset >= 0) kafka_put_i64(out, answer->offset);
        return;
    }
    kafka_put_i64(out, answer->time_ms);
    kafka_put_i64(out, answer->offset);
    if (call->version >= 4) kafka_put_i32(out, answer->offset >= 0 ? LEADER_EPOCH : -1);
}

static enum kafka_outcome list_topic(struct kafka_call *call, const struct topic_ref *topic)
{
    struct kafka_reader *in = &call->in;
    uint32_t count = kafka_get_count(in, 12, NULL);
    kafka_put_count(&call->out, count);
    for (uint32_t i = 0; i < count && !in->bad; i++) {
        int32_t index = kafka_get_i32(in);
        if (call->version >= 4) (void)kafka_get_i32(in); /* leader epoch, as the client knows it */
        int64_t time_ms = kafka_get_i64(in);
        if (call->version == 0) (void)kafka_get_i32(in); /* how many at most */
        struct offset_answer answer = find_offset(call, topic, index, time_ms);
        write_offset(call, index, &answer);
    }
    return in->bad ? KAFKA_BAD : KAFKA_DONE;
}

/* For each topic of a list: its name is read and written, then `each` reads and writes its partitions. */
static enum kafka_outcome each_topic(struct kafka_call *call,
                                     enum kafka_outcome (*each)(struct kafka_call *,
                                                                const struct topic_ref *))
{
    uint32_t count = kafka_get_count(&call->in, 6, NULL);
    kafka_put_count(&call->out, count);
    for (uint32_t i = 0; i < count; i++) {
        struct topic_ref topic;
        rf_str name = kafka_get_string(&call->in);
        if (call->in.bad) return KAFKA_BAD;
        if (open_topic(call, name, &topic) != RF_OK) return KAFKA_ON_WORKER;
        kafka_put_string(&call->out, name);
        enum kafka_outcome outcome = each(call, &topic);
        hub_unref(topic.hub);
        if (outcome != KAFKA_DONE) return outcome;
    }
    return call->in.bad ? KAFKA_BAD : KAFKA_DONE;
}

enum kafka_outcome kafka_list_offsets(struct kafka_call *call)
{
    (void)kafka_get_i32(&call->in);                        /* replica */
    if (call->version >= 2) (void)kafka_get_i8(&call->in); /* isolation */
    if (call->version >= 2) kafka_put_i32(&call->out, 0);  /* throttled for */
    return each_topic(call, list_topic);
}

/* ---- leader epochs: there is one leader, of epoch 0, for ever ------------------------------------------------------ */

static enum kafka_outcome epochs_of_topic(struct kafka_call *call, const struct topic_ref *topic)
{
    struct kafka_reader *in = &call->in;
    uint32_t count = kafka_get_count(in, 12, NULL);
    kafka_put_count(&call->out, count);
    for (uint32_t i = 0; i < count && !in->bad; i++) {
        int32_t index = kafka_get_i32(in), current = kafka_get_i32(in), asked = kafka_get_i32(in);
        struct offset_answer answer = find_offset(call, topic, index, AT_END);
        if (answer.error == KAFKA_NONE && current > LEADER_EPOCH)
            answer.error = KAFKA_UNKNOWN_LEADER_EPOCH;
        bool is_known = answer.error == KAFKA_NONE && asked == LEADER_EPOCH;
        kafka_put_i16(&call->out, (int16_t)answer.error);
        kafka_put_i32(&call->out, index);
        kafka_put_i32(&call->out, is_known ? LEADER_EPOCH : -1);
        kafka_put_i64(&call->out, is_known ? answer.offset : -1);
    }
    return in->bad ? KAFKA_BAD : KAFKA_DONE;
}

enum kafka_outcome kafka_offset_for_leader_epoch(struct kafka_call *call)
{
    if (call->version >= 3) (void)kafka_get_i32(&call->in); /* replica */
    kafka_put_i32(&call->out, 0);                           /* throttled for */
    return each_topic(call, epochs_of_topic);
}
