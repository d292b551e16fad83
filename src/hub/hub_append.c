#include "hub/hub_int.h"

#include <stdlib.h>

#include "base/log.h"

/* One write and one sync pay for a group: what waited for the partition when its turn came, up to these bounds. Larger groups would only make
 * those at its front wait for those at its end. */
enum { GROUP_APPENDS_MAX = 1024, GROUP_BYTES_MAX = 16 << 20 };

struct writer {
    struct log_frame frames[GROUP_APPENDS_MAX];
};

/* ---- into the queue --------------------------------------------------------------------------------------------------- */

static void push_ready(struct hubs *hubs, struct hub_partition *p)
{
    p->next_ready = NULL;
    (void)pthread_mutex_lock(&hubs->work_lock);
    *hubs->ready_end = p;
    hubs->ready_end = &p->next_ready;
    (void)pthread_cond_signal(&hubs->work);
    (void)pthread_mutex_unlock(&hubs->work_lock);
}

/* One that is larger than the bound gets in alone. */
static bool take_pending(struct hubs *hubs, size_t bytes)
{
    size_t before = atomic_fetch_add_explicit(&hubs->pending_bytes, bytes, memory_order_relaxed);
    if (before == 0 || before + bytes <= hubs->options.pending_bytes) return true;
    (void)atomic_fetch_sub_explicit(&hubs->pending_bytes, bytes, memory_order_relaxed);
    return false;
}

void hubs_waits(const struct hubs *hubs, uint64_t *waits, uint64_t *room)
{
    *waits = atomic_load_explicit(&hubs->pending_bytes, memory_order_relaxed);
    *room = hubs->options.pending_bytes;
}

enum rf_kind hub_append(struct hub *hub, uint32_t partition, struct hub_append *append,
                        struct rf_err *err)
{
    RF_ASSERT(append->len >= BATCH_HEAD_BYTES);
    RF_ASSERT(append->count > 0);
    struct hub_partition *p;
    RF_TRY(hub_partition_find(hub, partition, &p, err));
    enum hub_status status = hub_status_of(hub);
    bool is_open = status != HUB_DISABLED && status != HUB_SEND_DISABLED;
    bool is_taken = is_open && take_pending(hub->hubs, append->len);
    if (!is_taken) (void)atomic_fetch_add_explicit(&hub->refused, 1, memory_order_relaxed);
    if (!is_open)
        return RF_FAIL(err, RF_DENIED, "EntityDisabled", "sending to the event hub %s is disabled",
                       hub->name);
    if (!is_taken)
        return RF_FAIL(err, RF_AGAIN, "ServerBusy",
                       "too much waits to be written to disk; try again in a moment");
    append->hub = hub, append->partition = partition;
    append->next = NULL;
    (void)pthread_mutex_lock(&p->lock);
    *p->queue_end = append;
    p->queue_end = &append->next;
    bool is_idle = !p->claimed;
    p->claimed = true;
    if (is_idle) (void)hub_ref(hub); /* the writers' */
    (void)pthread_mutex_unlock(&p->lock);
    if (is_idle) push_ready(hub->hubs, p);
    return RF_OK;
}

/* ---- a group ---------------------------------------------------------------------------------------------------------- */

static struct hub_append *take_group(struct hub_partition *p)
{
    size_t bytes = 0;
    uint32_t count = 0;
    (void)pthread_mutex_lock(&p->lock);
    struct hub_append *group = p->queue, **at = &p->queue;
    while (*at != NULL && count < GROUP_APPENDS_MAX && (count == 0 || bytes < GROUP_BYTES_MAX)) {
        bytes += (*at)->len;
        count++;
        at = &(*at)->next;
    }
    p->queue = *at;
    if (p->queue == NULL)
        p->queue_end = &p->queue;
    else
        *at = NULL;
    (void)pthread_mutex_unlock(&p->lock);
    return group;
}

static void end_group(struct hubs *hubs, struct hub_append *group)
{
    while (group != NULL) {
        struct hub_append *append = group;
        group = append->next; /* done() may free it */
        (void)atomic_fetch_sub_explicit(&hubs->pending_bytes, append->len, memory_order_relaxed);
        append->done(append);
    }
}

static void refuse_group(struct hub_append *group, enum rf_kind kind, const struct rf_err *err)
{
    for (struct hub_append *a = group; a != NULL; a = a->next) a->kind_of_end = kind, a->err = *err;
}

/* Where others append too the producer may have gone on at one of them. Only a batch that does not follow on what is known here makes
 * this read what came meanwhile. */
static enum rf_kind catch_up(struct hub_partition *p, struct hub_append *a)
{
    int16_t epoch;
    int32_t sequence;
    producers_find(p, a->producer.id, &epoch, &sequence);
    int32_t next = (int32_t)(((uint32_t)sequence + 1) & INT32_MAX);
    if (epoch == a->producer.epoch && next == a->producer.sequence) return RF_OK;
    return producers_catch_up(p, atomic_load_explicit(&p->store, memory_order_acquire), &a->err);
}

static enum rf_kind judge(struct hub_partition *p, struct hub_append *a, int64_t next, rf_usec now)
{
    a->repeated = false;
    a->first = next;
    if (a->producer.id < 0) return RF_OK;
    enum producer_verdict verdict = PRODUCER_NEW;
    if (p->hub->hubs->kafka != NULL) RF_TRY(catch_up(p, a));
    RF_TRY(producers_check(p, a, now, &a->first, &verdict, &a->err));
    a->repeated = verdict == PRODUCER_REPEAT;
    if (verdict == PRODUCER_GAP)
        return RF_FAIL(&a->err, RF_CONFLICT, "OutOfOrderSequence",
                       "sequence number %d of producer %lld does not follow on the last one",
                       a->producer.sequence, (long long)a->producer.id);
    if (verdict == PRODUCER_FENCED)
        return RF_FAIL(&a->err, RF_CONFLICT, "ProducerFenced",
                       "producer %lld has gone on with a higher epoch than %d",
                       (long long)a->producer.id, a->producer.epoch);
    return RF_OK;
}

/* Numbers what is new and makes frames of it. */
static uint32_t make_frames(struct writer *w, struct hub_partition *p, struct hub_append *group,
                            int64_t next, rf_usec now)
{
    uint32_t count = 0;
    for (struct hub_append *a = group; a != NULL; a = a->next) {
        a->enqueued = now;
        a->kind_of_end = judge(p, a, next, now);
        if (a->kind_of_end != RF_OK || a->repeated) continue;
        batch_number(a->batch, next);
        w->frames[count] = (struct log_frame){.first = next,
                                              .count = a->count,
                                              .kind = a->kind,
                                              .enqueued = now,
                                              .batch = rf_str_make(a->batch, a->len)};
        count++;
        next += a->count;
    }
    return count;
}

/* What stood on the frames that were not written: they themselves, and repeats of them in the same group. */
static void fail_from(struct hub_append *group, int64_t number, enum rf_kind kind,
                      const struct rf_err *err)
{
    for (struct hub_append *a = group; a != NULL; a = a->next)
        if (a->kind_of_end == RF_OK && a->first >= number) {
            a->kind_of_end = kind, a->err = *err;
            a->repeated = false;
        }
}

/* ---- where the store numbers ------------------------------------------------------------------------------------------- */

/* What the frames are numbered by until the store has given them their numbers. */
static const int64_t GUESSED_FROM = INT64_C(1) << 62;

struct renumbering {
    const struct log_frame *frames;
    uint32_t count;
};

static int64_t moved(const void *ctx, int64_t number)
{
    const struct renumbering *r = ctx;
    int64_t at = GUESSED_FROM;
    for (uint32_t i = 0; i < r->count; i++) {
        const struct log_frame *frame = &r->frames[i];
        if (number < at + frame->count) return frame->first < 0 ? -1 : frame->first + (number - at);
        at += frame->count;
    }
    return -1;
}

/* Frames that failed are left out of those that others may read at once. */
static uint32_t renumber(struct writer *w, struct hub_partition *p, struct hub_append *group,
                         uint32_t count, enum rf_kind kind, const struct rf_err *err)
{
    struct renumbering r = {w->frames, count};
    uint32_t kept = 0;
    producers_renumber(p, GUESSED_FROM, moved, &r);
    for (struct hub_append *a = group; a != NULL; a = a->next) {
        if (a->kind_of_end != RF_OK || a->first < GUESSED_FROM) continue;
        a->first = moved(&r, a->first);
        if (a->first >= 0) continue;
        a->kind_of_end = kind, a->err = *err;
        a->repeated = false;
    }
    for (uint32_t i = 0; i < count; i++)
        if (w->frames[i].first >= 0) w->frames[kept++] = w->frames[i];
    return kept;
}

static void set_times(struct hub_append *group, const struct log_frame *frames, uint32_t count)
{
    uint32_t at = 0;
    for (struct hub_append *a = group; a != NULL && at < count; a = a->next)
        if (a->kind_of_end == RF_OK && !a->repeated && a->first == frames[at].first)
            a->enqueued = frames[at++].enqueued;
}

static int64_t total_of(const struct log_frame *frames, uint32_t count)
{
    int64_t total = 0;
    for (uint32_t i = 0; i < count; i++) total += frames[i].count;
    return total;
}

/* Readers get the events from the cluster, in its order with what others appended, and are woken when they are there; here only the end becomes
 * known. */
static void publish_end(struct hub_partition *p, const struct log_frame *frames, uint32_t count)
{
    if (count == 0) return;
    const struct log_frame *last = &frames[count - 1];
    hub_count_in(p, frames, count);
    int64_t end = last->first + last->count;
    if (p->producers_end == frames[0].first && end - frames[0].first == total_of(frames, count))
        p->producers_end = end;
    hub_partition_raise(p, end, last->enqueued);
}

/* ---- a group's end ------------------------------------------------------------------------------------------------------ */

/* In the order in which they came, so that it is the first of a producer that is waited for. */
static void expect_again(struct hub_partition *p, const struct hub_append *group)
{
    for (const struct hub_append *a = group; a != NULL; a = a->next)
        if (a->kind_of_end == RF_OK && !a->repeated) producers_expect(p, &a->producer);
}

static void publish(struct hub_partition *p, const struct log_frame *frames, uint32_t count,
                    rf_usec now)
{
    size_t bytes = 0;
    for (uint32_t i = 0; i < count; i++) bytes += frames[i].batch.len;
    p->snapshot_bytes += bytes;
    hub_count_in(p, frames, count);
    hub_cache_add(p, frames, count); /* before the end is seen: who is woken finds it there */
    atomic_store_explicit(&p->last_enqueued, now, memory_order_release);
    atomic_store_explicit(&p->end, frames[count - 1].first + frames[count - 1].count,
                          memory_order_release);
    atomic_store_explicit(&p->is_known, true, memory_order_release);
}

static bool is_durable(struct hub *hub)
{
    (void)pthread_mutex_lock(&hub->lock);
    bool durable = hub->settings.durable;
    (void)pthread_mutex_unlock(&hub->lock);
    return durable;
}

static void log_failure(const struct hub_partition *p, const struct rf_err *err)
{
    rf_log(RF_ERROR, "hub.append_failed", RF_KV_STR("hub", rf_str_of(p->hub->name)),
           RF_KV_U64("partition", p->index), RF_KV_STR("error", rf_str_of(err->text)));
}

static bool is_link_of(const struct hub_append *a, int64_t producer)
{
    return a->kind == FRAME_AMQP && a->producer.id == producer && producer >= 0;
}

/* Where the group is cut: a link's events are sent when those before are stored. Else, when the first failed and the second did not, the
 * first, sent again, would be taken for a repeat, as it is older than what is there. (A Kafka client is told of a gap.) */
static struct hub_append **end_of_round(struct hub_append *group)
{
    struct hub_append **at = &group->next;
    for (; *at != NULL; at = &(*at)->next)
        for (const struct hub_append *a = group; a != *at; a = a->next)
            if (is_link_of(*at, a->producer.id) && a->kind == FRAME_AMQP) return at;
    return at;
}

static void write_round(struct writer *w, struct hub_partition *p, struct part_store *store,
                        struct hub_append *group, rf_usec now)
{
    struct rf_err err;
    producers_begin(p);
    uint32_t count = make_frames(w, p, group, GUESSED_FROM, now);
    enum rf_kind kind = RF_OK;
    if (count > 0) kind = store->ops->append(store, w->frames, count, true, &err);
    if (kind != RF_OK) log_failure(p, &err);
    count = renumber(w, p, group, count, kind, &err);
    producers_keep(p);
    set_times(group, w->frames, count);
    publish_end(p, w->frames, count);
}

static void write_to_cluster(struct writer *w, struct hub_partition *p, struct part_store *store,
                             struct hub_append *group, rf_usec now)
{
    while (group != NULL) {
        struct hub_append **end = end_of_round(group), *rest = *end;
        *end = NULL;
        write_round(w, p, store, group, now);
        *end = rest;
        group = rest;
    }
}

/* Holds p->write. True when there is something new to read. */
static bool write_group(struct writer *w, struct hub_partition *p, struct hub_append *group)
{
    struct rf_err err;
    struct part_store *store = atomic_load_explicit(&p->store, memory_order_acquire);
    int64_t next = store->ops->next(store);
    rf_usec now = RF_MAX(rf_clock_now(p->hub->hubs->options.clock),
                         atomic_load_explicit(&p->last_enqueued, memory_order_relaxed));
    if (next < 0) {
        write_to_cluster(w, p, store, group, now);
        return false;
    }
    producers_begin(p);
    uint32_t count = make_frames(w, p, group, next, now);
    enum rf_kind kind = RF_OK;
    if (count > 0) kind = store->ops->append(store, w->frames, count, is_durable(p->hub), &err);
    if (kind != RF_OK) {
        log_failure(p, &err);
        producers_undo(p);
        expect_again(p, group);
        fail_from(group, next, kind, &err);
        return false;
    }
    producers_keep(p);
    if (count > 0) publish(p, w->frames, count, now);
    return count > 0;
}

static void commit_group(struct writer *w, struct hub_partition *p, struct hub_append *group)
{
    struct rf_err err;
    enum rf_kind kind = RF_OK;
    bool wakes = false;
    if (hub_status_of(p->hub) == HUB_DELETED)
        kind = RF_FAIL(&err, RF_NOT_FOUND, "HubNotFound", "the event hub %s was deleted",
                       p->hub->name);
    else
        kind = hub_partition_open(p, true, &err);
    if (kind == RF_OK) {
        (void)pthread_mutex_lock(&p->write);
        wakes = write_group(w, p, group);
        (void)pthread_mutex_unlock(&p->write);
    } else {
        (void)pthread_mutex_lock(&p->write);
        for (const struct hub_append *a = group; a != NULL; a = a->next)
            producers_expect(p, &a->producer);
        (void)pthread_mutex_unlock(&p->write);
        refuse_group(group, kind, &err);
    }
    end_group(p->hub->hubs, group);
    if (wakes) hub_wake(p, false);
}

/* Does one group of the partition, which is claimed, and goes to the end of the line with what came meanwhile. */
static void serve(struct writer *w, struct hub_partition *p)
{
    struct hub *hub = p->hub;
    struct hub_append *group = take_group(p);
    if (group != NULL) commit_group(w, p, group);
    (void)pthread_mutex_lock(&p->lock);
    bool has_more = p->queue != NULL;
    p->claimed = has_more;
    (void)pthread_mutex_unlock(&p->lock);
    if (has_more)
        push_ready(hub->hubs, p);
    else
        hub_unref(hub);
}

/* ---- threads ---------------------------------------------------------------------------------------------------------- */

static struct hub_partition *pop_ready(struct hubs *hubs)
{
    struct hub_partition *p = hubs->ready;
    if (p == NULL) return NULL;
    hubs->ready = p->next_ready;
    if (hubs->ready == NULL) hubs->ready_end = &hubs->ready;
    return p;
}

void *hub_writer_main(void *ctx)
{
    struct hubs *hubs = ctx;
    struct writer *w = malloc(sizeof *w);
    RF_ASSERT(w != NULL); /* at the program's start */
    (void)pthread_mutex_lock(&hubs->work_lock);
    for (;;) {
        struct hub_partition *p = pop_ready(hubs);
        if (p == NULL) {
            if (hubs->ends) break;
            (void)pthread_cond_wait(&hubs->work, &hubs->work_lock);
            continue;
        }
        (void)pthread_mutex_unlock(&hubs->work_lock);
        serve(w, p);
        (void)pthread_mutex_lock(&hubs->work_lock);
    }
    (void)pthread_mutex_unlock(&hubs->work_lock);
    free(w);
    return NULL;
}

void hub_writers_step(struct hubs *hubs)
{
    struct writer *w = malloc(sizeof *w);
    RF_ASSERT(w != NULL);
    for (;;) {
        (void)pthread_mutex_lock(&hubs->work_lock);
        struct hub_partition *p = pop_ready(hubs);
        (void)pthread_mutex_unlock(&hubs->work_lock);
        if (p == NULL) break;
        serve(w, p);
    }
    free(w);
}

/* ---- for those who may wait ------------------------------------------------------------------------------------------- */

struct waiting {
    struct hub_append append; /* first: done() gets it */
    pthread_mutex_t lock;
    pthread_cond_t done;
    bool is_done;
};

static void end_waiting(struct hub_append *append)
{
    struct waiting *w = (struct waiting *)append;
    (void)pthread_mutex_lock(&w->lock);
    w->is_done = true;
    (void)pthread_cond_signal(&w->done);
    (void)pthread_mutex_unlock(&w->lock);
}

enum rf_kind hub_append_wait(struct hub *hub, uint32_t partition, struct hub_append *append,
                             struct rf_err *err)
{
    struct waiting w = {
        .append = *append, .lock = PTHREAD_MUTEX_INITIALIZER, .done = PTHREAD_COND_INITIALIZER};
    w.append.done = end_waiting;
    RF_TRY(hub_append(hub, partition, &w.append, err));
    if (hub->hubs->options.by_hand) hub_writers_step(hub->hubs);
    (void)pthread_mutex_lock(&w.lock);
    while (!w.is_done) (void)pthread_cond_wait(&w.done, &w.lock);
    (void)pthread_mutex_unlock(&w.lock);
    (void)pthread_mutex_destroy(&w.lock);
    (void)pthread_cond_destroy(&w.done);
    void (*done)(struct hub_append *) = append->done;
    *append = w.append;
    append->done = done;
    if (append->kind_of_end != RF_OK && err != NULL) *err = append->err;
    return append->kind_of_end;
}
