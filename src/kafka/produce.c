/* Produce: batches are checked, numbered and appended where they lie in the request.
 *
 *   v0-2  acks i16, timeout i32, [topic, [partition i32, records bytes]]
 *   v3-8  transactional id, then the same                          Source: protocol guide, Produce API */
#include "base/log.h"
#include "kafka/kafka_int.h"

enum {
    LOOP_BYTES_MAX = 32 << 10, /* checked on the loop; more, and what is compressed, on a worker */
    BUSY_MS = 5,
    LEADER_EPOCH_AT = 12,
    SCRATCH_BYTES_MAX = 80 << 20
};
static const int64_t busy_usec_max = 20 * RF_USEC_PER_SECOND; /* or the request's time-out */
static const int64_t throttle_logged_usec = 60 * RF_USEC_PER_SECOND;

struct produce_part {
    struct kafka_call *call;
    int32_t index;
    enum kafka_error error;
    rf_str why; /* text of the error; ptr NULL: none */
    rf_str records;
    struct hub *hub;
    struct hub_append append;
    bool is_appended;
};
struct produce_topic {
    rf_str name;
    struct produce_part *parts;
    uint32_t part_count;
};
struct produce {
    int16_t acks;
    bool is_transactional;
    struct produce_topic *topics;
    uint32_t topic_count, part_count;
    size_t bytes;
    atomic_uint pending;        /* appends, and one while the handler is at work */
    uint32_t topic_at, part_at; /* what is appended next */
    int64_t timeout_usec;
    rf_usec busy_since;   /* elapsed; 0: never */
    int64_t delayed_usec; /* by a hub that had too much to do */
};

/* ---- reading ----------------------------------------------------------------------------------------------------------- */

static bool read_parts(struct kafka_call *call, struct produce *produce,
                       struct produce_topic *topic)
{
    struct kafka_reader *in = &call->in;
    topic->part_count = kafka_get_count(in, 8, NULL);
    produce->part_count += topic->part_count;
    if (produce->part_count > KAFKA_PARTITIONS_MAX) return false;
    topic->parts = rf_arena_new(&call->arena, struct produce_part, topic->part_count);
    if (topic->parts == NULL) return false;
    for (uint32_t i = 0; i < topic->part_count; i++) {
        topic->parts[i].call = call;
        topic->parts[i].index = kafka_get_i32(in);
        topic->parts[i].records = kafka_get_bytes(in);
        produce->bytes += topic->parts[i].records.len;
    }
    return !in->bad;
}

static struct produce *read_request(struct kafka_call *call)
{
    struct kafka_reader *in = &call->in;
    struct produce *produce = rf_arena_new(&call->arena, struct produce, 1);
    if (produce == NULL) return NULL;
    if (call->version >= 3) produce->is_transactional = kafka_get_nullable(in).ptr != NULL;
    produce->acks = kafka_get_i16(in);
    int64_t timeout_usec = kafka_get_i32(in) * RF_USEC_PER_MS;
    produce->timeout_usec = RF_MIN(RF_MAX(timeout_usec, 0), busy_usec_max);
    produce->topic_count = kafka_get_count(in, 6, NULL);
    produce->topics = rf_arena_new(&call->arena, struct produce_topic, produce->topic_count);
    if (produce->topics == NULL) return NULL;
    for (uint32_t i = 0; i < produce->topic_count; i++) {
        produce->topics[i].name = kafka_get_string(in);
        if (!read_parts(call, produce, &produce->topics[i])) return NULL;
    }
    return in->bad ? NULL : produce;
}

/* ---- checking: nothing is done yet ------------------------------------------------------------------------------------ */

static void refuse(struct produce_part *part, enum kafka_error error, const struct rf_err *err)
{
    part->error = error;
    if (err == NULL) return;
    rf_str why = rf_str_of(err->text);
    if (!rf_arena_str(&part->call->arena, why, &part->why)) part->why = (rf_str){NULL, 0};
}

/* True: it was looked at. False: a worker has to. */
static bool check_batch(struct produce_part *part, bool small, struct rf_arena *scratch)
{
    struct batch_head head;
    struct rf_err err;
    if (part->records.len > HUB_BYTES_MAX) {
        refuse(part, KAFKA_MESSAGE_TOO_LARGE, NULL);
        return true;
    }
    bool on_loop = !part->call->may_block;
    if (on_loop && !small) return false;
    if (on_loop && batch_read_trusted(part->records, &head, &err) == RF_OK &&
        batch_codec_of(&head) != CODEC_NONE)
        return false;
    rf_arena_reset(scratch);
    if (batch_check(part->records, scratch, &head, &err) != RF_OK ||
        kafka_device_stamp(part->call, &head, &part->records, &err) != RF_OK) {
        /* What does not fit into the scratch memory is larger than batches may be when they are unpacked. */
        bool is_bomb = err.kind == RF_LIMIT && part->records.len <= HUB_BYTES_MAX;
        refuse(part, is_bomb ? KAFKA_MESSAGE_TOO_LARGE : kafka_error_of(&err), &err);
        return true;
    }
    part->append = (struct hub_append){
        .batch = (uint8_t *)(uintptr_t)part->records.ptr, /* in call->bytes or call->arena */
        .len = part->records.len,
        .count = head.record_count,
        .kind = FRAME_KAFKA,
        .producer = {head.producer_id, head.producer_epoch, head.base_sequence}};
    return true;
}

static bool check_topic(struct kafka_call *call, struct produce *produce,
                        struct produce_topic *topic, struct rf_arena *scratch)
{
    struct rf_err err;
    struct hub *hub = NULL;
    struct hub_facts facts = {0};
    enum kafka_error error = KAFKA_NONE;
    bool may = false;
    if (kafka_require(call, topic->name, RIGHT_SEND, &may) != RF_OK) return false;
    if (!may) {
        error = KAFKA_TOPIC_AUTHORIZATION_FAILED;
    } else if (hub_find(call->conn->space, topic->name, &hub, &err) != RF_OK) {
        error = kafka_error_of(&err);
    } else {
        hub_facts(hub, &facts);
    }
    if (produce->is_transactional) error = KAFKA_TRANSACTIONAL_ID_AUTHORIZATION_FAILED;
    if (produce->acks < -1 || produce->acks > 1) error = KAFKA_INVALID_REQUIRED_ACKS;
    bool done = true;
    for (uint32_t i = 0; i < topic->part_count && done; i++) {
        struct produce_part *part = &topic->parts[i];
        if (error == KAFKA_NONE &&
            (part->index < 0 || (uint32_t)part->index >= facts.partition_count))
            part->error = KAFKA_UNKNOWN_TOPIC_OR_PARTITION;
        else
            part->error = error;
        if (part->error != KAFKA_NONE) continue;
        done = check_batch(part, produce->bytes <= LOOP_BYTES_MAX, scratch);
        if (done && part->error == KAFKA_NONE) part->hub = hub_ref(hub);
    }
    hub_unref(hub);
    return done;
}

static void release_hubs(struct produce *produce)
{
    for (uint32_t t = 0; t < produce->topic_count; t++)
        for (uint32_t i = 0; i < produce->topics[t].part_count; i++) {
            hub_unref(produce->topics[t].parts[i].hub);
            produce->topics[t].parts[i].hub = NULL;
        }
}

static void drop(struct kafka_call *call) { release_hubs(call->own); }

/* False: a worker has to. */
static bool check(struct kafka_call *call, struct produce *produce)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena scratch;
    rf_arena_init(&scratch, SCRATCH_BYTES_MAX);
    for (uint32_t t = 0; t < produce->topic_count; t++)
        if (!check_topic(call, produce, &produce->topics[t], &scratch)) return false;
    return true;
}

/* ---- the answer -------------------------------------------------------------------------------------------------------- */

static void write_part(struct kafka_call *call, const struct produce_part *part)
{
    struct rf_buf *out = &call->out;
    struct hub_partition_info info = {.begin = -1};
    struct rf_err err;
    bool is_stored = part->error == KAFKA_NONE;
    if (is_stored && call->version >= 5 &&
        hub_partition_info(part->hub, (uint32_t)part->index, &info, &err) != RF_OK)
        info.begin = -1;
    kafka_put_i32(out, part->index);
    kafka_put_i16(out, (int16_t)part->error);
    kafka_put_i64(out, is_stored ? part->append.first : -1);
    if (call->version >= 2) kafka_put_i64(out, -1); /* times are the producer's */
    if (call->version >= 5) kafka_put_i64(out, info.begin);
    if (call->version >= 8) {
        kafka_put_count(out, 0);
        kafka_put_nullable(out, part->why);
    }
}

static void write_answer(struct kafka_call *call, const struct produce *produce)
{
    bool failed = false;
    kafka_put_count(&call->out, produce->topic_count);
    for (uint32_t t = 0; t < produce->topic_count; t++) {
        const struct produce_topic *topic = &produce->topics[t];
        kafka_put_string(&call->out, topic->name);
        kafka_put_count(&call->out, topic->part_count);
        for (uint32_t i = 0; i < topic->part_count; i++) {
            write_part(call, &topic->parts[i]);
            failed |= topic->parts[i].error != KAFKA_NONE;
        }
    }
    if (call->version >= 1)
        kafka_put_i32(&call->out, (int32_t)(produce->delayed_usec / RF_USEC_PER_MS));
    if (produce->acks != 0) return;
    call->is_silent = true;
    call->closes = failed; /* the one way to tell who asked for no answer */
}

/* ---- appending --------------------------------------------------------------------------------------------------------- */

static bool is_last(struct produce *produce)
{
    return atomic_fetch_sub_explicit(&produce->pending, 1, memory_order_acq_rel) == 1;
}

static void on_appended(struct hub_append *append)
{
    struct produce_part *part =
        (struct produce_part *)(void *)((uint8_t *)append - offsetof(struct produce_part, append));
    struct kafka_call *call = part->call;
    struct produce *produce = call->own;
    if (append->kind_of_end != RF_OK) part->error = kafka_error_of(&append->err);
    if (!is_last(produce)) return;
    write_answer(call, produce);
    kafka_call_finish(call);
}

/* A line for each client that is slowed down, now and then. */
static void log_throttled(struct kafka_call *call, rf_usec now)
{
    rf_usec last = atomic_load(&call->conn->throttle_logged);
    if (last != 0 && now - last < throttle_logged_usec) return;
    if (!atomic_compare_exchange_strong(&call->conn->throttle_logged, &last, now)) return;
    rf_log(RF_WARN, "kafka.throttled", RF_KV_STR("peer", rf_str_of(call->conn->peer)),
           RF_KV_STR("client", rf_slice(call->client_id, 0, RF_MIN(call->client_id.len, 100))),
           RF_KV_STR("login", call->login->grant.name));
}

/* False: the hub has too much to do; to be tried again. */
static bool append_part(struct kafka_call *call, struct produce *produce, struct produce_part *part)
{
    struct rf_err err;
    if (part->error != KAFKA_NONE || part->is_appended) return true;
    memset(part->append.batch + LEADER_EPOCH_AT, 0, 4); /* outside the crc */
    part->append.done = on_appended;
    atomic_fetch_add_explicit(&produce->pending, 1, memory_order_relaxed);
    enum rf_kind kind = hub_append(part->hub, (uint32_t)part->index, &part->append, &err);
    if (kind == RF_OK) {
        part->is_appended = true;
        return true;
    }
    (void)is_last(produce);
    if (kind == RF_AGAIN && !call->hurries) {
        rf_usec now = rf_clock_elapsed(call->kafka->clock);
        if (produce->busy_since == 0) produce->busy_since = now;
        produce->delayed_usec = now - produce->busy_since;
        log_throttled(call, now);
        if (produce->delayed_usec < produce->timeout_usec) return false;
    }
    bool is_throttled = kind == RF_AGAIN && !call->hurries;
    part->error = is_throttled ? KAFKA_POLICY_VIOLATION : kafka_error_of(&err);
    return true;
}

static bool append_all(struct kafka_call *call, struct produce *produce)
{
    for (; produce->topic_at < produce->topic_count; produce->topic_at++, produce->part_at = 0) {
        struct produce_topic *topic = &produce->topics[produce->topic_at];
        for (; produce->part_at < topic->part_count; produce->part_at++)
            if (!append_part(call, produce, &topic->parts[produce->part_at])) return false;
    }
    return true;
}

static bool on_wake(struct kafka_call *call)
{
    (void)call;
    return true;
}

enum kafka_outcome kafka_produce(struct kafka_call *call)
{
    struct produce *produce = call->own;
    if (produce == NULL) {
        produce = read_request(call);
        if (produce == NULL) return KAFKA_BAD;
        if (!check(call, produce)) {
            release_hubs(produce);
            return KAFKA_ON_WORKER;
        }
        atomic_init(&produce->pending, 1);
        call->own = produce;
        call->drop = drop;
    }
    if (!append_all(call, produce)) {
        /* Calls behind it must not overtake it, and the peer's sends stand still. */
        call->holds = true;
        kafka_call_wake_at(call, rf_clock_elapsed(call->kafka->clock) + BUSY_MS * RF_USEC_PER_MS,
                           on_wake);
        return KAFKA_LATER;
    }
    if (!is_last(produce)) return KAFKA_LATER;
    write_answer(call, produce);
    return KAFKA_DONE;
}
