/* kafka_store_read.c - events back from the cluster: the ends of partitions, followed, and what lies further back. */
#include "hub/kafka_client_int.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>

#include "base/log.h"

enum {
    TAIL_MESSAGES = 2000,
    TAIL_FRAME_BYTES = 256 << 10,
    SCRATCH_BYTES = 512 << 20, /* far more than a read can need */
    SWEEP_MS = 5000,
    IDLE_ROUNDS = 6, /* of sweeps; then a partition is followed no more */
    ARRIVE_MS = 2000,
    BACK_MESSAGES = 1000,
    BACK_FRAME_BYTES = 256 << 10,
};
static const rf_usec TEND_USEC = 30 * RF_USEC_PER_SECOND;

static struct kafka_part *part_of(struct part_store *store) { return (struct kafka_part *)store; }

static int64_t now_ms(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* ---- clients ---------------------------------------------------------------------------------------------------------- */

static enum rf_kind new_consumer(struct kafka_store *store, const char *wait_ms,
                                 const char *queue_kbytes, rd_kafka_t **out, struct rf_err *err)
{
    static const char *const fixed[][2] = {{"enable.auto.commit", "false"},
                                           {"enable.partition.eof", "true"},
                                           {"fetch.error.backoff.ms", "100"},
                                           {"fetch.message.max.bytes", "2097152"},
                                           {"check.crcs", "true"}};
    char why[KAFKA_WHY_BYTES];
    rd_kafka_conf_t *conf = rd_kafka_conf_dup(store->conf);
    bool good = kafka_conf_set(conf, "fetch.wait.max.ms", wait_ms, why, sizeof why) &&
                kafka_conf_set(conf, "queued.max.messages.kbytes", queue_kbytes, why, sizeof why);
    for (size_t i = 0; good && i < RF_COUNT(fixed); i++)
        good = kafka_conf_set(conf, fixed[i][0], fixed[i][1], why, sizeof why);
    rd_kafka_topic_conf_t *topics = rd_kafka_topic_conf_new();
    good = good && rd_kafka_topic_conf_set(topics, "auto.offset.reset", "error", why, sizeof why) ==
                       RD_KAFKA_CONF_OK;
    rd_kafka_conf_set_default_topic_conf(conf, topics);
    if (!good) {
        rd_kafka_conf_destroy(conf);
        return RF_FAIL(err, RF_INVALID, "BadKafkaSetting", "hub.kafka: %s", why);
    }
    return kafka_client_new(store, false, conf, out, err);
}

static void *follow_main(void *ctx);

static enum rf_kind start_follower(struct kafka_store *store, struct rf_err *err)
{
    RF_TRY(new_consumer(store, "100", "16384", &store->follower, err));
    store->tails = rd_kafka_queue_new(store->follower);
    store->has_follower = pthread_create(&store->follower_thread, NULL, follow_main, store) == 0;
    return store->has_follower
               ? RF_OK
               : RF_FAIL(err, RF_LIMIT, "ThreadLimit", "cannot start a thread for the Kafka store");
}

/* Either is made once; when it could not be started it stays without a thread, and is not used. */
static enum rf_kind need_follower(struct kafka_store *store, struct rf_err *err)
{
    enum rf_kind kind = RF_OK;
    (void)pthread_mutex_lock(&store->making);
    if (store->follower == NULL)
        kind = start_follower(store, err);
    else if (!store->has_follower)
        kind = RF_FAIL(err, RF_LIMIT, "ThreadLimit", "there is no thread for the Kafka store");
    (void)pthread_mutex_unlock(&store->making);
    return kind;
}

static enum rf_kind need_reader(struct kafka_store *store, struct rf_err *err)
{
    enum rf_kind kind = RF_OK;
    (void)pthread_mutex_lock(&store->making);
    if (store->reader == NULL) kind = new_consumer(store, "50", "4096", &store->reader, err);
    (void)pthread_mutex_unlock(&store->making);
    return kind;
}

/* ---- the ends --------------------------------------------------------------------------------------------------------- */

static struct kafka_part *find_followed(struct kafka_store *store,
                                        const rd_kafka_message_t *message)
{
    const char *topic = rd_kafka_topic_name(message->rkt);
    for (struct kafka_part *part = store->followed; part != NULL; part = part->next)
        if (part->p->index == (uint32_t)message->partition && strcmp(part->topic, topic) == 0)
            return part;
    return NULL;
}

/* Holds store->following. What is not known is asked for by whoever wants it next; those who wait are woken, and want it. */
static void unfollow(struct kafka_part *part)
{
    struct kafka_part **at = &part->store->followed;
    if (!part->is_followed) return;
    while (*at != part) at = &(*at)->next;
    *at = part->next;
    part->is_followed = false;
    (void)rd_kafka_consume_stop(part->tail, (int32_t)part->p->index);
}

static void forget(struct kafka_part *part)
{
    atomic_store_explicit(&part->p->is_known, false, memory_order_release);
    unfollow(part);
    hub_wake(part->p, true);
}

/* Only those that were not there before: the first fetch may begin within a compressed batch. */
static size_t drop_old(struct kafka_part *part, rd_kafka_message_t **messages, size_t count)
{
    size_t kept = 0;
    int64_t at = atomic_load_explicit(&part->tail_at, memory_order_relaxed);
    for (size_t i = 0; i < count; i++)
        if (messages[i]->offset >= at) messages[kept++] = messages[i];
    return kept;
}

static void hand_over(struct kafka_part *part, rd_kafka_message_t **messages, size_t count,
                      struct rf_arena *arena)
{
    struct log_frames frames;
    struct rf_err err;
    count = drop_old(part, messages, count);
    if (count == 0) return;
    rf_arena_reset(arena);
    if (kafka_frames_of(messages, count, TAIL_FRAME_BYTES, arena, &frames, &err) != RF_OK) {
        rf_log(RF_WARN, "kafka.follow_failed", RF_KV_STR("topic", rf_str_of(part->topic)),
               RF_KV_STR("error", rf_str_of(err.text)));
        forget(part);
        return;
    }
    const struct log_frame *last = &frames.items[frames.count - 1];
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < frames.count; i++) bytes += frames.items[i].batch.len;
    (void)atomic_fetch_add_explicit(&part->bytes, bytes, memory_order_relaxed);
    hub_cache_add(part->p, frames.items, frames.count);
    hub_partition_raise(part->p, last->first + last->count, last->enqueued);
    atomic_store_explicit(&part->tail_at, last->first + last->count, memory_order_release);
    hub_wake(part->p, false);
}

static bool is_lost(rd_kafka_resp_err_t code)
{
    return code == RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET ||
           code == RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE ||
           code == RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION ||
           code == RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC ||
           code == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART ||
           code == RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED;
}

static bool is_same_part(const rd_kafka_message_t *a, const rd_kafka_message_t *b)
{
    return a->partition == b->partition &&
           (a->rkt == b->rkt ||
            strcmp(rd_kafka_topic_name(a->rkt), rd_kafka_topic_name(b->rkt)) == 0);
}

/* The messages of the partition that messages[0] is of, in order, moved out of the list; their number. */
static size_t take_of_one(rd_kafka_message_t **messages, size_t *count, rd_kafka_message_t **out)
{
    size_t taken = 0, left = 0;
    const rd_kafka_message_t *like = messages[0];
    for (size_t i = 0; i < *count; i++)
        if (messages[i]->rkt != NULL && is_same_part(messages[i], like))
            out[taken++] = messages[i];
        else
            messages[left++] = messages[i];
    *count = left;
    return taken;
}

static void distribute(struct kafka_store *store, rd_kafka_message_t **messages, size_t count,
                       struct rf_arena *arena)
{
    rd_kafka_message_t *of_one[TAIL_MESSAGES];
    (void)pthread_mutex_lock(&store->following);
    while (count > 0) {
        if (messages[0]->rkt == NULL) { /* an error of the client */
            rd_kafka_message_destroy(messages[0]);
            memmove(messages, messages + 1, --count * sizeof *messages);
            continue;
        }
        size_t taken = take_of_one(messages, &count, of_one), good = 0;
        struct kafka_part *part = find_followed(store, of_one[0]);
        bool lost = false;
        for (size_t i = 0; i < taken; i++) {
            lost |= is_lost(of_one[i]->err);
            if (of_one[i]->err == RD_KAFKA_RESP_ERR_NO_ERROR) {
                rd_kafka_message_t *message = of_one[good];
                of_one[good++] = of_one[i];
                of_one[i] = message;
            }
        }
        if (part != NULL && good > 0) hand_over(part, of_one, good, arena);
        if (part != NULL && lost && part->is_followed) forget(part);
        for (size_t i = 0; i < taken; i++) rd_kafka_message_destroy(of_one[i]);
    }
    (void)pthread_cond_broadcast(&store->arrived);
    (void)pthread_mutex_unlock(&store->following);
}

/* One that nobody has asked for during some rounds, and nobody waits for. */
static void sweep(struct kafka_store *store)
{
    (void)pthread_mutex_lock(&store->following);
    for (struct kafka_part *part = store->followed, *next; part != NULL; part = next) {
        struct hub_partition *p = part->p;
        next = part->next;
        bool was_asked = atomic_exchange_explicit(&p->is_asked, false, memory_order_relaxed);
        (void)pthread_mutex_lock(&p->hub->waking);
        bool rests = !was_asked && p->waiters == NULL;
        part->idle_rounds = rests ? part->idle_rounds + 1 : 0;
        bool goes = part->idle_rounds >= IDLE_ROUNDS;
        if (goes) atomic_store_explicit(&p->is_known, false, memory_order_release);
        (void)pthread_mutex_unlock(&p->hub->waking);
        if (goes) unfollow(part);
    }
    (void)pthread_mutex_unlock(&store->following);
}

static void *follow_main(void *ctx)
{
    struct kafka_store *store = ctx;
    rd_kafka_message_t **messages = calloc(TAIL_MESSAGES, sizeof(*messages));
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, SCRATCH_BYTES);
    RF_ASSERT(messages != NULL); /* when the first reader comes */
    int64_t swept = now_ms();
    while (!atomic_load_explicit(&store->ends, memory_order_acquire)) {
        (void)rd_kafka_poll(store->follower, 0);
        /* A batch would wait until it is full: so the first is waited for, and the others are taken as they lie there. */
        rd_kafka_message_t *first = rd_kafka_consume_queue(store->tails, 100);
        if (first != NULL) {
            messages[0] = first;
            ssize_t more =
                rd_kafka_consume_batch_queue(store->tails, 0, messages + 1, TAIL_MESSAGES - 1);
            distribute(store, messages, 1 + (size_t)RF_MAX(more, 0), &arena);
        }
        if (now_ms() - swept < SWEEP_MS) continue;
        swept = now_ms();
        sweep(store);
    }
    free(messages);
    return NULL;
}

void kafka_follower_stop(struct kafka_store *store)
{
    if (store->has_follower) (void)pthread_join(store->follower_thread, NULL);
    RF_ASSERT(store->followed == NULL);
    if (store->tails != NULL) rd_kafka_queue_destroy(store->tails);
    if (store->follower != NULL) rd_kafka_destroy(store->follower);
}

/* ---- what there is ---------------------------------------------------------------------------------------------------- */

enum rf_kind kafka_part_ask(struct part_store *base, struct log_info *out, struct rf_err *err)
{
    struct kafka_part *part = part_of(base);
    int64_t low = 0, high = 0;
    rd_kafka_resp_err_t code = rd_kafka_query_watermark_offsets(
        part->store->producer, part->topic, (int32_t)part->p->index, &low, &high, KAFKA_LOOK_MS);
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
        return kafka_failed(part->store, part->topic, code, err);
    *out = (struct log_info){.begin = low, .end = high};
    return RF_OK;
}

/* When the last event was enqueued, which only it can tell. */
static rf_usec last_time(struct kafka_part *part, const struct log_info *info)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, SCRATCH_BYTES);
    struct log_frames frames = {0};
    struct rf_err ignored;
    if (info->end <= info->begin) return 0;
    bool read = kafka_part_read(part, info->end - 1, 1, &arena, &frames, &ignored) == RF_OK;
    return read && frames.count > 0 ? frames.items[frames.count - 1].enqueued : 0;
}

static enum rf_kind follow(struct kafka_part *part, int64_t from, struct rf_err *err)
{
    struct kafka_store *store = part->store;
    RF_TRY(need_follower(store, err));
    enum rf_kind kind = RF_OK;
    (void)pthread_mutex_lock(&store->following);
    if (part->tail == NULL) part->tail = rd_kafka_topic_new(store->follower, part->topic, NULL);
    if (part->tail == NULL ||
        rd_kafka_consume_start_queue(part->tail, (int32_t)part->p->index, from, store->tails) != 0)
        kind = kafka_failed(store, part->topic, rd_kafka_last_error(), err);
    if (kind == RF_OK) {
        atomic_store_explicit(&part->tail_at, from, memory_order_release);
        part->idle_rounds = 0;
        part->is_followed = true;
        part->next = store->followed;
        store->followed = part;
    }
    (void)pthread_mutex_unlock(&store->following);
    return kind;
}

enum rf_kind kafka_part_look(struct part_store *base, struct rf_err *err)
{
    struct kafka_part *part = part_of(base);
    struct hub_partition *p = part->p;
    struct log_info info = {0};
    RF_TRY(kafka_part_ask(base, &info, err));
    rf_usec enqueued = last_time(part, &info);
    RF_TRY(follow(part, info.end, err));
    atomic_store_explicit(&p->begin, info.begin, memory_order_release);
    hub_partition_raise(p, info.end, enqueued);
    atomic_store_explicit(&p->is_known, true, memory_order_release);
    return RF_OK;
}

static void drop_kept(struct kafka_part *part)
{
    for (size_t i = 0; i < part->kept_count; i++) rd_kafka_message_destroy(part->kept[i]);
    part->kept_count = 0;
}

static void stop_back(struct kafka_part *part)
{
    if (part->reads) (void)rd_kafka_consume_stop(part->back, (int32_t)part->p->index);
    part->reads = false;
    part->back_at = -1;
    drop_kept(part);
}

void kafka_part_stop(struct part_store *base)
{
    struct kafka_part *part = part_of(base);
    (void)pthread_mutex_lock(&part->store->following);
    unfollow(part);
    (void)pthread_mutex_unlock(&part->store->following);
    (void)pthread_mutex_lock(&part->reading);
    stop_back(part);
    (void)pthread_mutex_unlock(&part->reading);
}

/* ---- further back ----------------------------------------------------------------------------------------------------- */

void kafka_part_tend(struct part_store *base, rf_usec now)
{
    struct kafka_part *part = part_of(base);
    struct log_info info;
    if (now - part->tended < TEND_USEC) return;
    part->tended = now;
    if (pthread_mutex_trylock(&part->reading) == 0) {
        if (!part->was_read) stop_back(part);
        part->was_read = false;
        (void)pthread_mutex_unlock(&part->reading);
    }
    /* What the brokers removed meanwhile. */
    if (!atomic_load_explicit(&part->p->is_known, memory_order_acquire)) return;
    if (kafka_part_ask(base, &info, NULL) == RF_OK)
        atomic_store_explicit(&part->p->begin, info.begin, memory_order_release);
}

static enum rf_kind seek_back(struct kafka_part *part, int64_t from, struct rf_err *err)
{
    struct kafka_store *store = part->store;
    if (part->reads && part->back_at == from) return RF_OK;
    RF_TRY(need_reader(store, err));
    stop_back(part);
    if (part->back == NULL) part->back = rd_kafka_topic_new(store->reader, part->topic, NULL);
    if (part->back == NULL ||
        rd_kafka_consume_start(part->back, (int32_t)part->p->index, from) != 0)
        return kafka_failed(store, part->topic, rd_kafka_last_error(), err);
    part->reads = true;
    part->back_at = from;
    return RF_OK;
}

static size_t bytes_of(const rd_kafka_message_t *message)
{
    RF_ASSERT(message != NULL);
    return message->len + message->key_len + 64;
}

/* Messages in part->kept until they have `bytes_max` bytes or no more lie here. *ended: there are no more. */
struct gathering {
    struct kafka_part *part;
    int64_t from, until_ms;
    size_t bytes, bytes_max;
    bool ended;
};

static enum rf_kind out_of_range(struct kafka_part *part, int64_t from, struct rf_err *err)
{
    struct log_info info = {0};
    RF_TRY(kafka_part_ask(&part->base, &info, err));
    atomic_store_explicit(&part->p->begin, info.begin, memory_order_release);
    return RF_FAIL(err, RF_INVALID, "OffsetOutOfRange",
                   "%s/%u holds the numbers from %lld up to %lld, not %lld", part->topic,
                   part->p->index, (long long)info.begin, (long long)info.end, (long long)from);
}

/* Takes the message over. */
static enum rf_kind take(struct gathering *g, rd_kafka_message_t *message, struct rf_err *err)
{
    struct kafka_part *part = g->part;
    rd_kafka_resp_err_t code = message->err;
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR && message->offset >= g->from) {
        g->bytes += bytes_of(message);
        part->kept[part->kept_count++] = message;
        return RF_OK;
    }
    int64_t at = message->offset;
    rd_kafka_message_destroy(message);
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR) return RF_OK; /* of the same batch, before it */
    if (code == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
        /* An end that others have appended behind since is none. */
        int64_t end = at;
        g->ended = part->kept_count > 0 || atomic_load(&part->p->end) <= at;
        if (g->ended && part->kept_count == 0)
            (void)atomic_compare_exchange_strong(&part->p->end, &end, g->from);
        return RF_OK;
    }
    bool lost = code == RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET ||
                code == RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE;
    if (!lost && code == RD_KAFKA_RESP_ERR__TRANSPORT)
        return RF_OK; /* the library connects again */
    return lost ? out_of_range(part, g->from, err)
                : kafka_failed(part->store, part->topic, code, err);
}

static enum rf_kind gather(struct gathering *g, struct rf_err *err)
{
    struct kafka_part *part = g->part;
    int32_t index = (int32_t)part->p->index;
    for (size_t i = 0; i < part->kept_count; i++) g->bytes += bytes_of(part->kept[i]);
    while (!g->ended && g->bytes < g->bytes_max && part->kept_count < BACK_MESSAGES) {
        int64_t left = g->until_ms - now_ms();
        bool is_first = part->kept_count == 0;
        if (is_first && left <= 0)
            return kafka_failed(part->store, part->topic, RD_KAFKA_RESP_ERR__TIMED_OUT, err);
        rd_kafka_message_t *message = rd_kafka_consume(part->back, index, is_first ? (int)left : 0);
        if (message != NULL)
            RF_TRY(take(g, message, err));
        else if (!is_first)
            return RF_OK;
    }
    return RF_OK;
}

/* As many frames as fit, one at least, copied to the caller; what they hold is let go of. */
static enum rf_kind answer(struct kafka_part *part, size_t bytes_max, struct rf_arena *arena,
                           struct log_frames *out, struct rf_err *err)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena scratch;
    rf_arena_init(&scratch, SCRATCH_BYTES);
    struct log_frames frames = {0};
    size_t bytes = 0, used = 0;
    uint32_t count = 0;
    RF_TRY(kafka_frames_of(part->kept, part->kept_count,
                           RF_MIN(bytes_max, (size_t)BACK_FRAME_BYTES), &scratch, &frames, err));
    while (count < frames.count &&
           (count == 0 || bytes + frames.items[count].batch.len <= bytes_max))
        bytes += frames.items[count++].batch.len;
    struct log_frame *items = rf_arena_raw(arena, struct log_frame, RF_MAX(count, 1u));
    if (items == NULL) return rf_fail_memory(err, arena);
    for (uint32_t i = 0; i < count; i++) {
        items[i] = frames.items[i];
        if (!rf_arena_str(arena, frames.items[i].batch, &items[i].batch))
            return rf_fail_memory(err, arena);
    }
    if (count > 0) part->back_at = items[count - 1].first + items[count - 1].count;
    while (used < part->kept_count && part->kept[used]->offset < part->back_at)
        rd_kafka_message_destroy(part->kept[used++]);
    part->kept_count -= used;
    memmove(part->kept, part->kept + used, part->kept_count * sizeof(*part->kept));
    *out = (struct log_frames){.items = items, .count = count};
    return RF_OK;
}

static enum rf_kind read_back(struct kafka_part *part, int64_t from, size_t bytes_max,
                              struct rf_arena *arena, struct log_frames *out, struct rf_err *err)
{
    if (part->kept == NULL) part->kept = calloc(BACK_MESSAGES, sizeof(*part->kept));
    if (part->kept == NULL)
        return RF_FAIL(err, RF_LIMIT, "MemoryBudgetExceeded", "no memory to read events");
    part->was_read = true;
    RF_TRY(seek_back(part, from, err));
    struct gathering g = {
        .part = part, .from = from, .bytes_max = bytes_max, .until_ms = now_ms() + KAFKA_LOOK_MS};
    enum rf_kind kind = gather(&g, err);
    if (kind == RF_OK) kind = answer(part, bytes_max, arena, out, err);
    /* At the end it would ask the broker for more all the time. */
    if (kind != RF_OK || (g.ended && part->kept_count == 0)) stop_back(part);
    return kind;
}

/* What was acknowledged a moment ago the follower is about to bring. */
static bool wait_for_tail(struct kafka_part *part, int64_t from)
{
    struct kafka_store *store = part->store;
    struct timespec until;
    int waited = 0;
    (void)clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += ARRIVE_MS / 1000;
    (void)pthread_mutex_lock(&store->following);
    bool comes = part->is_followed && atomic_load(&part->tail_at) <= from;
    while (comes && waited != ETIMEDOUT && part->is_followed && atomic_load(&part->tail_at) <= from)
        waited = pthread_cond_timedwait(&store->arrived, &store->following, &until);
    (void)pthread_mutex_unlock(&store->following);
    return comes && waited != ETIMEDOUT;
}

enum rf_kind kafka_part_read(struct kafka_part *part, int64_t from, size_t bytes_max,
                             struct rf_arena *arena, struct log_frames *out, struct rf_err *err)
{
    bool hit = false;
    if (wait_for_tail(part, from)) {
        RF_TRY(hub_cache_read(part->p, from, bytes_max, arena, out, &hit, err));
        if (hit) return RF_OK;
    }
    (void)pthread_mutex_lock(&part->reading);
    enum rf_kind kind = read_back(part, from, bytes_max, arena, out, err);
    (void)pthread_mutex_unlock(&part->reading);
    return kind;
}

enum rf_kind kafka_part_find_time(struct kafka_part *part, rf_usec time, int64_t *out,
                                  struct rf_err *err)
{
    struct kafka_store *store = part->store;
    if (store->is_old) return kafka_too_old(store, "a start at a time", err);
    RF_TRY(need_reader(store, err));
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_t *wanted =
        rd_kafka_topic_partition_list_add(list, part->topic, (int32_t)part->p->index);
    wanted->offset = time <= 0 ? 0 : (time + 999) / 1000;
    rd_kafka_resp_err_t code = rd_kafka_offsets_for_times(store->reader, list, KAFKA_LOOK_MS);
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR) code = wanted->err;
    int64_t found = wanted->offset;
    rd_kafka_topic_partition_list_destroy(list);
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR) return kafka_failed(store, part->topic, code, err);
    *out = found >= 0 ? found : atomic_load(&part->p->end);
    return RF_OK;
}
