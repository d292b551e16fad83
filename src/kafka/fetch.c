/* Fetch: stored batches as they lie in the log, many partitions at once, waiting for more where there is not enough.
 *
 * Batches that came by Kafka are sent as they are, without a copy; those of other protocols are shown as Kafka would have them
 * (hub/event.h). The batch that holds the asked number is sent whole; clients skip what is in front. There are no fetch sessions
 * (KIP-227): the answer's session id is 0, so every request names all partitions. Source: protocol guide, Fetch API. */
#include "kafka/kafka_int.h"

enum {
    ANSWER_BYTES_MAX = 8 << 20,
    ANSWER_BYTES_MIN = 64 << 10,
    MEMORY_SHARE = 32,
    LOOP_CONVERT_BYTES_MAX = 16 << 10, /* of batches of other protocols; more is a worker's */
    FETCH_SESSION_ID_NOT_FOUND = 70,
    ZSTD_VERSION_MIN = 10
};
static const int64_t wait_usec_max = 300 * RF_USEC_PER_SECOND;

struct fetch_part {
    struct kafka_call *call;
    int32_t index;
    int64_t offset;
    int32_t bytes_max;
    enum kafka_error error;
    struct hub *hub;
    struct hub_partition_info info;
    int64_t seen;                   /* up to here its log was read, or measured */
    const struct log_frame *frames; /* to be sent; in fetch->frames */
    uint32_t frame_count;
    struct hub_waiter waiter;
    bool is_waiting;
};
struct fetch_topic {
    rf_str name;
    struct fetch_part *parts;
    uint32_t part_count;
};
struct fetch {
    struct fetch_topic *topics;
    uint32_t topic_count, part_count;
    int32_t bytes_min;
    size_t bytes_max;
    bool has_session; /* one that does not exist */
    rf_usec until;    /* elapsed */
    uint64_t version; /* of the hubs, when rights were looked at */
    struct rf_arena frames;
    size_t bytes; /* read */
    size_t converted;
    bool has_error, is_full; /* nothing is to be waited for */
    uint64_t log_bytes;      /* of all partitions, when `bytes` was read */
    atomic_bool is_told;     /* resume was called, or whoever did this shall not */
};

/* ---- reading the request ---------------------------------------------------------------------------------------------- */

static bool read_parts(struct kafka_call *call, struct fetch *fetch, struct fetch_topic *topic)
{
    struct kafka_reader *in = &call->in;
    topic->part_count = kafka_get_count(in, 16, NULL);
    fetch->part_count += topic->part_count;
    if (fetch->part_count > KAFKA_PARTITIONS_MAX) return false;
    topic->parts = rf_arena_new(&call->arena, struct fetch_part, topic->part_count);
    if (topic->parts == NULL) return false;
    for (uint32_t i = 0; i < topic->part_count; i++) {
        struct fetch_part *part = &topic->parts[i];
        part->call = call;
        part->index = kafka_get_i32(in);
        if (call->version >= 9) (void)kafka_get_i32(in); /* leader epoch, as the client knows it */
        part->offset = kafka_get_i64(in);
        if (call->version >= 5) (void)kafka_get_i64(in); /* log start, of followers */
        part->bytes_max = kafka_get_i32(in);
    }
    return !in->bad;
}

static bool read_topics(struct kafka_call *call, struct fetch *fetch)
{
    fetch->topic_count = kafka_get_count(&call->in, 6, NULL);
    fetch->topics = rf_arena_new(&call->arena, struct fetch_topic, fetch->topic_count);
    if (fetch->topics == NULL) return false;
    for (uint32_t i = 0; i < fetch->topic_count; i++) {
        fetch->topics[i].name = kafka_get_string(&call->in);
        if (!read_parts(call, fetch, &fetch->topics[i])) return false;
    }
    return !call->in.bad;
}

/* The less memory is left for all requests, the less an answer holds, so that those who ask and read slowly never have all of it. */
static size_t answer_bytes_max(const struct kafka_call *call)
{
    const struct rf_budget *memory = &call->kafka->memory;
    size_t used = atomic_load_explicit(&memory->used_bytes, memory_order_relaxed);
    size_t left = used < memory->limit_bytes ? memory->limit_bytes - used : 0;
    return RF_MIN(RF_MAX(left / MEMORY_SHARE, (size_t)ANSWER_BYTES_MIN), (size_t)ANSWER_BYTES_MAX);
}

/* What follows (partitions that a session forgets, the rack) says nothing to us. */
static struct fetch *read_request(struct kafka_call *call)
{
    struct kafka_reader *in = &call->in;
    struct fetch *fetch = rf_arena_new(&call->arena, struct fetch, 1);
    if (fetch == NULL) return NULL;
    (void)kafka_get_i32(in); /* replica */
    int64_t wait_usec = kafka_get_i32(in) * RF_USEC_PER_MS;
    fetch->bytes_min = kafka_get_i32(in);
    int32_t bytes_max = kafka_get_i32(in);
    (void)kafka_get_i8(in); /* isolation: there are no transactions */
    if (call->version >= 7) {
        fetch->has_session = kafka_get_i32(in) != 0;
        (void)kafka_get_i32(in); /* its epoch */
    }
    if (!read_topics(call, fetch)) return NULL;
    fetch->bytes_max = RF_MIN((size_t)RF_MAX(bytes_max, 0), answer_bytes_max(call));
    fetch->bytes_min = RF_MIN(fetch->bytes_min, (int32_t)fetch->bytes_max);
    wait_usec = RF_MIN(RF_MAX(wait_usec, 0), wait_usec_max);
    fetch->until = rf_clock_elapsed(call->kafka->clock) + wait_usec;
    return fetch;
}

/* ---- every partition ---------------------------------------------------------------------------------------------------- */

#define EACH_PART(fetch, part)                                                                     \
    for (uint32_t t_ = 0; t_ < (fetch)->topic_count; t_++)                                         \
        for (struct fetch_part *part = (fetch)->topics[t_].parts,                                  \
                               *end_ = part + (fetch)->topics[t_].part_count;                      \
             part < end_; part++)

static void release_hubs(struct fetch *fetch)
{
    EACH_PART(fetch, part)
    {
        hub_unref(part->hub);
        part->hub = NULL;
    }
}

static void stop_waiting(struct fetch *fetch)
{
    EACH_PART(fetch, part)
    {
        if (part->is_waiting) hub_unwait(&part->waiter);
        part->is_waiting = false;
    }
}

static void drop(struct kafka_call *call)
{
    struct fetch *fetch = call->own;
    stop_waiting(fetch);
    release_hubs(fetch);
    rf_arena_done(&fetch->frames);
}

/* False: the right has to be looked up by a worker. */
static bool find_topic(struct kafka_call *call, struct fetch_topic *topic)
{
    struct rf_err err;
    struct hub *hub = NULL;
    struct hub_facts facts = {0};
    enum kafka_error error = KAFKA_NONE;
    bool may;
    if (kafka_require(call, topic->name, RIGHT_LISTEN, &may) != RF_OK) return false;
    if (!may) {
        error = KAFKA_TOPIC_AUTHORIZATION_FAILED;
    } else if (hub_find(call->conn->space, topic->name, &hub, &err) != RF_OK) {
        error = kafka_error_of(&err);
    } else {
        hub_facts(hub, &facts);
        if (facts.status == HUB_DISABLED || facts.status == HUB_RECEIVE_DISABLED)
            error = KAFKA_POLICY_VIOLATION;
    }
    for (uint32_t i = 0; i < topic->part_count; i++) {
        struct fetch_part *part = &topic->parts[i];
        hub_unref(part->hub); /* of a look before */
        part->hub = NULL;
        part->error = error;
        if (error != KAFKA_NONE) continue;
        if (part->index < 0 || (uint32_t)part->index >= facts.partition_count)
            part->error = KAFKA_UNKNOWN_TOPIC_OR_PARTITION;
        else
            part->hub = hub_ref(hub);
    }
    hub_unref(hub);
    return true;
}

/* ---- reading the log ---------------------------------------------------------------------------------------------------- */

/* How many of the frames the client understands; the others wait for one that does. */
static uint32_t readable_frames(const struct kafka_call *call, const struct log_frames *frames)
{
    struct batch_head head;
    struct rf_err err;
    if (call->version >= ZSTD_VERSION_MIN) return frames->count;
    for (uint32_t i = 0; i < frames->count; i++)
        if (batch_read_trusted(frames->items[i].batch, &head, &err) == RF_OK &&
            batch_codec_of(&head) == CODEC_ZSTD)
            return i;
    return frames->count;
}

/* Shows frames of other protocols as Kafka's. RF_AGAIN: too many for the loop. */
static enum rf_kind convert(struct kafka_call *call, struct fetch *fetch, struct log_frames *frames,
                            struct rf_err *err)
{
    for (uint32_t i = 0; i < frames->count; i++) {
        struct log_frame *frame = &frames->items[i];
        if (frame->kind != FRAME_AMQP) continue;
        fetch->converted += frame->batch.len;
        if (!call->may_block && fetch->converted > LOOP_CONVERT_BYTES_MAX)
            return RF_FAIL(err, RF_AGAIN, "NotInMemory", "a worker shows these");
        rf_str shown;
        RF_TRY(event_kafka_batch(frame, &fetch->frames, &shown, err));
        frame->batch = shown;
    }
    return RF_OK;
}

static enum rf_kind read_frames(struct kafka_call *call, struct fetch *fetch,
                                struct fetch_part *part, struct rf_err *err)
{
    size_t room = fetch->bytes >= fetch->bytes_max ? 0 : fetch->bytes_max - fetch->bytes;
    size_t bytes_max = RF_MIN(room, (size_t)RF_MAX(part->bytes_max, 0));
    bool is_first = fetch->bytes == 0;
    struct log_frames frames = {0};
    part->seen = part->offset;
    if (bytes_max == 0 && !is_first) {
        fetch->is_full = true;
        return RF_OK;
    }
    RF_TRY(hub_read(part->hub, (uint32_t)part->index, part->offset, RF_MAX(bytes_max, (size_t)1),
                    call->may_block, &fetch->frames, &frames, err));
    uint32_t readable = readable_frames(call, &frames);
    if (frames.count > 0 && readable == 0)
        return RF_FAIL(err, RF_INVALID, "UnsupportedCodec", "zstd needs Fetch of version 10");
    fetch->is_full |= readable < frames.count;
    frames.count = readable;
    /* Only the first batch of all may be larger than what was asked for, so that everybody gets on. */
    if (!is_first && frames.count > 0 && frames.items[0].batch.len > bytes_max) {
        fetch->is_full = true;
        return RF_OK;
    }
    RF_TRY(convert(call, fetch, &frames, err));
    part->frames = frames.items;
    part->frame_count = frames.count;
    for (uint32_t i = 0; i < frames.count; i++) {
        fetch->bytes += frames.items[i].batch.len;
        part->seen = frames.items[i].first + frames.items[i].count;
    }
    return RF_OK;
}

/* RF_AGAIN: a worker has to. */
static enum rf_kind read_part(struct kafka_call *call, struct fetch *fetch, struct fetch_part *part)
{
    struct rf_err err = {0};
    struct hub_facts facts;
    part->frames = NULL;
    part->frame_count = 0;
    if (part->hub == NULL) return RF_OK; /* its error stays */
    hub_facts(part->hub, &facts);
    part->error = facts.status == HUB_DELETED ? KAFKA_UNKNOWN_TOPIC_OR_PARTITION : KAFKA_NONE;
    if (part->error != KAFKA_NONE) return RF_OK;
    enum rf_kind kind = read_frames(call, fetch, part, &err);
    if (kind == RF_AGAIN && !call->may_block) return RF_AGAIN;
    if (kind != RF_OK) part->error = kafka_error_of(&err);
    /* Its log is open now, so this does not block. */
    kind = hub_partition_info(part->hub, (uint32_t)part->index, &part->info, &err);
    if (kind != RF_OK && part->error == KAFKA_NONE) part->error = kafka_error_of(&err);
    return RF_OK;
}

static enum rf_kind read_all(struct kafka_call *call, struct fetch *fetch)
{
    rf_arena_reset(&fetch->frames);
    fetch->bytes = fetch->converted = 0;
    fetch->log_bytes = 0;
    fetch->has_error = fetch->has_session;
    fetch->is_full = false;
    EACH_PART(fetch, part)
    {
        RF_TRY(read_part(call, fetch, part));
        fetch->log_bytes += part->info.bytes;
        fetch->has_error |= part->error != KAFKA_NONE;
    }
    return RF_OK;
}

/* ---- waiting ------------------------------------------------------------------------------------------------------------ */

static void tell(struct kafka_call *call)
{
    struct fetch *fetch = call->own;
    if (!atomic_exchange(&fetch->is_told, true)) kafka_call_resume(call);
}

static void on_woken(struct hub_waiter *waiter)
{
    struct fetch_part *part =
        (struct fetch_part *)(void *)((uint8_t *)waiter - offsetof(struct fetch_part, waiter));
    tell(part->call);
}

static bool on_wake(struct kafka_call *call)
{
    struct fetch *fetch = call->own;
    return !atomic_exchange(&fetch->is_told, true);
}

static bool cancel(struct kafka_call *call)
{
    struct fetch *fetch = call->own;
    bool is_mine = !atomic_exchange(&fetch->is_told, true);
    if (is_mine) stop_waiting(fetch);
    return is_mine;
}

/* What was appended since the read, as the logs have grown: saves reading it again and again while it is not enough. Retention shrinks
 * them; then it is read. */
static bool may_be_enough(struct fetch *fetch)
{
    uint64_t now = 0;
    struct rf_err err;
    EACH_PART(fetch, part)
    {
        struct hub_partition_info info;
        if (part->hub == NULL) continue;
        if (hub_partition_info(part->hub, (uint32_t)part->index, &info, &err) != RF_OK) return true;
        part->seen = info.end;
        now += info.bytes;
    }
    return now < fetch->log_bytes ||
           fetch->bytes + (now - fetch->log_bytes) >= (uint64_t)RF_MAX(fetch->bytes_min, 0);
}

/* Rights may go while the call waits: what comes then is not for it any more. False: a worker has to look. */
static bool look_again(struct kafka_call *call, struct fetch *fetch)
{
    uint64_t version = hubs_version(call->kafka->hubs);
    bool is_expired = call->login->grant.expires <= rf_clock_now(call->kafka->clock);
    if (version == fetch->version && !is_expired) return true;
    for (uint32_t t = 0; t < fetch->topic_count; t++)
        if (!find_topic(call, &fetch->topics[t])) return false;
    EACH_PART(fetch, part) fetch->has_error |= part->error != KAFKA_NONE;
    fetch->version = version;
    return true;
}

/* Its own end, or that of the token. */
static rf_usec waits_until(const struct kafka_call *call, const struct fetch *fetch)
{
    rf_usec expires = call->login->grant.expires;
    if (expires == INT64_MAX) return fetch->until;
    rf_usec left = RF_MAX(expires - rf_clock_now(call->kafka->clock), 1);
    return RF_MIN(fetch->until, rf_clock_elapsed(call->kafka->clock) + left);
}

static enum kafka_outcome wait_for_more(struct kafka_call *call, struct fetch *fetch)
{
    kafka_call_wake_at(call, waits_until(call, fetch), on_wake);
    call->cancel = cancel;
    atomic_store(&fetch->is_told, false);
    EACH_PART(fetch, part)
    {
        if (part->hub == NULL) continue;
        part->is_waiting = true;
        part->waiter = (struct hub_waiter){.woken = on_woken};
        hub_wait(part->hub, (uint32_t)part->index, part->seen, &part->waiter);
    }
    return KAFKA_LATER;
}

/* ---- the answer --------------------------------------------------------------------------------------------------------- */

static void write_part(struct kafka_call *call, const struct fetch_part *part)
{
    struct rf_buf *out = &call->out;
    bool is_known = part->hub != NULL;
    size_t bytes = 0;
    kafka_put_i32(out, part->index);
    kafka_put_i16(out, (int16_t)part->error);
    kafka_put_i64(out, is_known ? part->info.end : -1); /* high watermark */
    kafka_put_i64(out, is_known ? part->info.end : -1); /* last stable */
    if (call->version >= 5) kafka_put_i64(out, is_known ? part->info.begin : -1);
    kafka_put_i32(out, -1);                          /* aborted: none */
    if (call->version >= 11) kafka_put_i32(out, -1); /* no other replica */
    uint32_t count = part->error == KAFKA_NONE ? part->frame_count : 0;
    for (uint32_t i = 0; i < count; i++) bytes += part->frames[i].batch.len;
    kafka_put_i32(out, (int32_t)bytes); /* ANSWER_BYTES_MAX and one batch */
    for (uint32_t i = 0; i < count; i++) kafka_call_splice(call, part->frames[i].batch);
}

static void write_answer(struct kafka_call *call, const struct fetch *fetch)
{
    struct rf_buf *out = &call->out;
    kafka_call_rewind(call);
    kafka_put_i32(out, 0); /* throttled for */
    if (call->version >= 7) {
        kafka_put_i16(out, fetch->has_session ? FETCH_SESSION_ID_NOT_FOUND : KAFKA_NONE);
        kafka_put_i32(out, 0);
    }
    kafka_put_count(out, fetch->has_session ? 0 : fetch->topic_count);
    for (uint32_t t = 0; t < fetch->topic_count && !fetch->has_session; t++) {
        const struct fetch_topic *topic = &fetch->topics[t];
        kafka_put_string(out, topic->name);
        kafka_put_count(out, topic->part_count);
        for (uint32_t i = 0; i < topic->part_count; i++) write_part(call, &topic->parts[i]);
    }
}

static enum kafka_outcome begin(struct kafka_call *call)
{
    struct fetch *fetch = read_request(call);
    if (fetch == NULL) return KAFKA_BAD;
    fetch->version = hubs_version(call->kafka->hubs);
    for (uint32_t t = 0; t < fetch->topic_count; t++) {
        if (find_topic(call, &fetch->topics[t])) continue;
        release_hubs(fetch);
        return KAFKA_ON_WORKER;
    }
    rf_arena_init_shared(&fetch->frames, &call->kafka->memory);
    call->own = fetch;
    call->drop = drop;
    return KAFKA_DONE;
}

enum kafka_outcome kafka_fetch(struct kafka_call *call)
{
    if (call->own == NULL) {
        enum kafka_outcome outcome = begin(call);
        if (outcome != KAFKA_DONE) return outcome;
    }
    struct fetch *fetch = call->own;
    bool was_waiting = call->cancel != NULL;
    stop_waiting(fetch);
    bool is_late = call->hurries || rf_clock_elapsed(call->kafka->clock) >= fetch->until;
    if (was_waiting && !look_again(call, fetch)) return KAFKA_ON_WORKER;
    if (was_waiting && !is_late && !fetch->has_error && !may_be_enough(fetch))
        return wait_for_more(call, fetch);
    if (read_all(call, fetch) != RF_OK) return KAFKA_ON_WORKER;
    bool is_enough = fetch->bytes > 0 ? fetch->bytes >= (uint64_t)RF_MAX(fetch->bytes_min, 0)
                                      : fetch->bytes_min <= 0;
    if (!is_enough && !is_late && !fetch->has_error && !fetch->is_full)
        return wait_for_more(call, fetch);
    write_answer(call, fetch);
    return KAFKA_DONE;
}
