#include "hub/hub_int.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/checksum.h"
#include "base/log.h"
#include "hub/kafka_store_int.h"

/* What idempotent producers sent last to a partition. The table is in memory; a file beside the partition's folder (DIR/hubs/ID/N.producers)
 * holds it as it was at some number of the log, and what came behind that is read from the log again at the next open:
 *
 *   0   8  magic "RFPROD\0\1"         entry: 0   8  id            24  5 batches, oldest first:
 *   8   8  end: the log's then               8   8  last used        0  4  first sequence number
 *   16  4  count of entries                  16  2  epoch            4  4  last one
 *   20  4  0                                 18  2  batch count      8  8  number of its first record
 *   24     entries                           20  4  0
 *   ..  16 xxh3 of the above */

enum {
    BATCHES_KEPT = 5, /* as many as a Kafka producer may have under way */
    PRODUCERS_MAX = 1 << 16,
    HEAD_BYTES = 24,
    ENTRY_BYTES = 24 + BATCHES_KEPT * 16,
    SUM_BYTES = 16,
    FILE_BYTES_MAX = HEAD_BYTES + PRODUCERS_MAX * ENTRY_BYTES + SUM_BYTES,
    REPLAY_BYTES = 4 << 20,
    PRODUCERS_REPLAYED = 10000, /* of a cluster's partition */
    SEQUENCE_MAX = INT32_MAX,
};
static const uint64_t SAVE_BYTES = 64 << 20, SAVE_BYTES_AT_CLOSE = 4 << 20;
static const rf_usec SAVE_USEC = 30 * RF_USEC_PER_SECOND;
static const rf_usec EXPIRE_USEC = 3600 * RF_USEC_PER_SECOND;
static const rf_usec KEPT_USEC = INT64_C(7) * 24 * 3600 * RF_USEC_PER_SECOND;
static const uint8_t magic[8] = {'R', 'F', 'P', 'R', 'O', 'D', 0, 1};

struct sent_batch {
    int32_t base, last;
    int64_t first;
};
struct producer_entry {
    int64_t id;    /* -1: a free slot */
    int16_t epoch; /* -1: not known any more */
    uint8_t batch_count;
    struct sent_batch batches[BATCHES_KEPT]; /* oldest first */
    rf_usec used;
};
struct producer_table {
    struct producer_entry *slots;
    uint32_t cap, count; /* cap: a power of two */
    struct producer_entry *undo;
    uint32_t undo_count, undo_cap;
    rf_usec expired; /* when those that were silent too long went last */
    bool undoes;     /* between begin and keep or undo */
    bool is_changed; /* since the file was written */
};

/* ---- table ------------------------------------------------------------------------------------------------------------ */

static struct producer_entry *slot_of(const struct producer_table *t, int64_t id)
{
    uint32_t at = (uint32_t)rf_hash_u64((uint64_t)id) & (t->cap - 1);
    while (t->slots[at].id != -1 && t->slots[at].id != id) at = (at + 1) & (t->cap - 1);
    return &t->slots[at];
}

/* Takes over the entries used at `least` or later. */
static bool rebuild(struct producer_table *t, uint32_t cap, rf_usec least)
{
    RF_ASSERT(cap > 0);
    struct producer_entry *slots = malloc(cap * sizeof *slots);
    if (slots == NULL) return false;
    for (uint32_t i = 0; i < cap; i++) slots[i].id = -1;
    struct producer_table next = {.slots = slots, .cap = cap};
    for (uint32_t i = 0; i < t->cap; i++) {
        if (t->slots[i].id == -1 || t->slots[i].used < least) continue;
        *slot_of(&next, t->slots[i].id) = t->slots[i];
        next.count++;
    }
    free(t->slots);
    t->slots = slots, t->cap = cap, t->count = next.count;
    return true;
}

/* Room for one more; when there are too many those that were silent longest go, a part at a time. */
static bool make_room(struct producer_table *t)
{
    if (t->count >= PRODUCERS_MAX) {
        rf_usec oldest = INT64_MAX, newest = 0;
        for (uint32_t i = 0; i < t->cap; i++) {
            if (t->slots[i].id == -1) continue;
            oldest = RF_MIN(oldest, t->slots[i].used);
            newest = RF_MAX(newest, t->slots[i].used);
        }
        return rebuild(t, t->cap, oldest + (newest - oldest) / 4 + 1);
    }
    if (4 * (t->count + 1) <= 3 * t->cap) return true;
    return rebuild(t, RF_MAX(t->cap * 2, 8u), INT64_MIN);
}

static struct producer_table *table_of(struct hub_partition *p)
{
    if (p->producers == NULL) p->producers = calloc(1, sizeof *p->producers);
    return p->producers;
}

static struct producer_entry *find(const struct hub_partition *p, int64_t id)
{
    if (p->producers == NULL || p->producers->cap == 0) return NULL;
    struct producer_entry *e = slot_of(p->producers, id);
    return e->id == id && e->epoch >= 0 ? e : NULL;
}

/* The entry as it was is kept so that a write that fails can be forgotten. */
static bool note_undo(struct producer_table *t, const struct producer_entry *was)
{
    if (!t->undoes) return true;
    if (t->undo_count == t->undo_cap) {
        uint32_t cap = RF_MAX(t->undo_cap * 2, 8u);
        struct producer_entry *undo = realloc(t->undo, cap * sizeof *undo);
        if (undo == NULL) return false;
        t->undo = undo, t->undo_cap = cap;
    }
    t->undo[t->undo_count++] = *was;
    return true;
}

static bool note(struct hub_partition *p, const struct batch_producer *producer, int32_t last,
                 int64_t first, rf_usec now)
{
    struct producer_table *t = table_of(p);
    if (t == NULL) return false;
    struct producer_entry *e = t->cap == 0 ? NULL : slot_of(t, producer->id);
    struct producer_entry was = {.id = producer->id, .epoch = -1};
    if (e != NULL && e->id == producer->id)
        was = *e;
    else if (!make_room(t))
        return false;
    if (!note_undo(t, &was)) return false;
    e = slot_of(t, producer->id); /* the table may have moved */
    if (e->id == -1) t->count++;
    *e = was;
    if (e->epoch != producer->epoch) e->batch_count = 0;
    if (e->batch_count == BATCHES_KEPT) {
        memmove(e->batches, e->batches + 1, (BATCHES_KEPT - 1) * sizeof *e->batches);
        e->batch_count--;
    }
    e->batches[e->batch_count++] =
        (struct sent_batch){.base = producer->sequence, .last = last, .first = first};
    e->epoch = producer->epoch;
    e->used = now;
    t->is_changed = true;
    return true;
}

/* ---- the rules -------------------------------------------------------------------------------------------------------- */

/* Numbers grow to 2^31-1 and begin at 0 again. */
static int32_t sequence_after(int32_t sequence, uint32_t steps)
{
    return (int32_t)(((uint32_t)sequence + steps) & SEQUENCE_MAX);
}

static enum producer_verdict judge_known(const struct producer_entry *e,
                                         const struct hub_append *append, int32_t last,
                                         int64_t *first)
{
    int32_t base = append->producer.sequence;
    for (uint32_t i = 0; i < e->batch_count; i++) {
        const struct sent_batch *b = &e->batches[i];
        if (b->base != base || b->last != last) continue;
        *first = b->first;
        return PRODUCER_REPEAT;
    }
    int32_t newest = e->batches[e->batch_count - 1].last;
    if (base == sequence_after(newest, 1)) return PRODUCER_NEW;
    /* A link may repeat its events in other batches than before, and long after: all that matters is that each is known. */
    uint32_t behind = ((uint32_t)newest - (uint32_t)last) & SEQUENCE_MAX;
    if (append->kind != FRAME_AMQP || behind > SEQUENCE_MAX / 2) return PRODUCER_GAP;
    *first = -1;
    for (uint32_t i = 0; i < e->batch_count; i++) {
        const struct sent_batch *b = &e->batches[i];
        uint32_t step = ((uint32_t)base - (uint32_t)b->base) & SEQUENCE_MAX;
        uint32_t steps = ((uint32_t)b->last - (uint32_t)b->base) & SEQUENCE_MAX;
        if (step <= steps) *first = b->first + step;
    }
    return PRODUCER_REPEAT;
}

static enum producer_verdict judge(const struct producer_entry *e, const struct hub_append *append,
                                   int32_t last, int64_t *first)
{
    if (e == NULL) return PRODUCER_NEW; /* forgotten, or new: it may begin anywhere */
    if (append->producer.epoch < e->epoch) return PRODUCER_FENCED;
    if (append->producer.epoch == e->epoch) return judge_known(e, append, last, first);
    /* A Kafka producer counts from 0 in a new epoch; a link says at attach where it begins. */
    bool begins = append->kind == FRAME_AMQP || append->producer.sequence == 0;
    return begins ? PRODUCER_NEW : PRODUCER_GAP;
}

static uint32_t expected_at(const struct hub_partition *p, const struct batch_producer *producer)
{
    uint32_t i = 0;
    while (i < p->expected_count &&
           (p->expected[i].id != producer->id || p->expected[i].epoch != producer->epoch))
        i++;
    return i;
}

static void expected_drop(struct hub_partition *p, uint32_t at)
{
    if (at == p->expected_count) return;
    p->expected_count--;
    memmove(p->expected + at, p->expected + at + 1,
            (p->expected_count - at) * sizeof p->expected[0]);
}

void producers_expect(struct hub_partition *p, const struct batch_producer *producer)
{
    const struct producer_entry *e = find(p, producer->id);
    if (producer->id < 0 || (e != NULL && e->epoch >= producer->epoch)) return;
    if (expected_at(p, producer) < p->expected_count) return;
    if (p->expected_count == HUB_EXPECTED_MAX) expected_drop(p, 0);
    p->expected[p->expected_count++] = *producer;
}

enum rf_kind producers_check(struct hub_partition *p, const struct hub_append *append, rf_usec now,
                             int64_t *first, enum producer_verdict *out, struct rf_err *err)
{
    const struct batch_producer *producer = &append->producer;
    if (producer->epoch < 0 || producer->sequence < 0)
        return RF_FAIL(err, RF_CONFLICT, "OutOfOrderSequence",
                       "epoch %d and sequence number %d of producer %lld are none", producer->epoch,
                       producer->sequence, (long long)producer->id);
    int32_t last = sequence_after(producer->sequence, append->count - 1);
    int64_t number = *first;
    struct producer_entry *e = find(p, producer->id);
    enum producer_verdict verdict = judge(e, append, last, &number);
    uint32_t expected = expected_at(p, producer);
    if (expected < p->expected_count && p->expected[expected].sequence != producer->sequence)
        verdict = PRODUCER_GAP;
    if (verdict == PRODUCER_NEW) expected_drop(p, expected);
    if (verdict == PRODUCER_NEW && !note(p, producer, last, number, now))
        return RF_FAIL(err, RF_LIMIT, "MemoryBudgetExceeded", "no memory for a producer");
    if (verdict == PRODUCER_REPEAT) {
        *first = number;
        e->used = now;
        p->producers->is_changed = true;
    }
    *out = verdict;
    return RF_OK;
}

void producers_begin(struct hub_partition *p)
{
    struct producer_table *t = p->producers;
    if (t == NULL) return;
    t->undo_count = 0;
    t->undoes = true;
}

void producers_keep(struct hub_partition *p)
{
    if (p->producers != NULL) p->producers->undoes = false;
}

void producers_undo(struct hub_partition *p)
{
    struct producer_table *t = p->producers;
    if (t == NULL) return;
    if (!t->undoes) { /* the table itself is of this group */
        producers_free(p);
        return;
    }
    t->undoes = false;
    while (t->undo_count > 0) {
        const struct producer_entry *was = &t->undo[--t->undo_count];
        struct producer_entry *e = slot_of(t, was->id);
        if (e->id == was->id) *e = *was;
    }
}

void producers_find(const struct hub_partition *p, int64_t id, int16_t *epoch, int32_t *sequence)
{
    const struct producer_entry *e = find(p, id);
    *epoch = e == NULL ? -1 : e->epoch;
    *sequence = e == NULL ? -1 : e->batches[e->batch_count - 1].last;
}

void producers_free(struct hub_partition *p)
{
    if (p->producers == NULL) return;
    free(p->producers->slots);
    free(p->producers->undo);
    free(p->producers);
    p->producers = NULL;
}

/* ---- file ------------------------------------------------------------------------------------------------------------- */

static bool path_of(const struct hub_partition *p, char path[4096])
{
    int len = snprintf(path, 4096, "%s/%u.producers", p->hub->folder, p->index);
    return len > 0 && len < 4096;
}

static void put_entry(struct rf_buf *buf, const struct producer_entry *e)
{
    uint8_t bytes[ENTRY_BYTES] = {0};
    rf_put_u64le(bytes, (uint64_t)e->id);
    rf_put_u64le(bytes + 8, (uint64_t)e->used);
    rf_put_u16le(bytes + 16, (uint16_t)e->epoch);
    rf_put_u16le(bytes + 18, e->batch_count);
    for (uint32_t i = 0; i < e->batch_count; i++) {
        uint8_t *at = bytes + 24 + (size_t)i * 16;
        rf_put_u32le(at, (uint32_t)e->batches[i].base);
        rf_put_u32le(at + 4, (uint32_t)e->batches[i].last);
        rf_put_u64le(at + 8, (uint64_t)e->batches[i].first);
    }
    rf_buf_put(buf, bytes, sizeof bytes);
}

static enum rf_kind put_file(const struct hub_partition *p, int64_t end, struct rf_buf *buf,
                             struct rf_err *err)
{
    const struct producer_table *t = p->producers;
    uint8_t head[HEAD_BYTES] = {0}, sum[SUM_BYTES];
    uint32_t count = 0;
    rf_buf_put(buf, head, sizeof head);
    for (uint32_t i = 0; t != NULL && i < t->cap; i++) {
        if (t->slots[i].id == -1 || t->slots[i].epoch < 0) continue;
        put_entry(buf, &t->slots[i]);
        count++;
    }
    if (buf->failed) return rf_fail_memory(err, buf->arena);
    memcpy(buf->ptr, magic, sizeof magic);
    rf_put_u64le(buf->ptr + 8, (uint64_t)end);
    rf_put_u32le(buf->ptr + 16, count);
    rf_checksum(buf->ptr, buf->len, sum);
    rf_buf_put(buf, sum, sizeof sum);
    return buf->failed ? rf_fail_memory(err, buf->arena) : RF_OK;
}

static void expire(struct producer_table *t, rf_usec now)
{
    if (t == NULL || t->cap == 0 || (now >= t->expired && now - t->expired < EXPIRE_USEC)) return;
    t->expired = now;
    (void)rebuild(t, t->cap, now - KEPT_USEC);
}

static bool is_due(const struct hub_partition *p, bool closes, rf_usec now)
{
    const struct producer_table *t = p->producers;
    if (p->snapshot_bytes >= (closes ? SAVE_BYTES_AT_CLOSE : SAVE_BYTES)) return true;
    /* Somebody may have set the clock back. */
    bool is_time = now < p->snapshot_time || now - p->snapshot_time >= SAVE_USEC;
    return t != NULL && t->is_changed && (closes || is_time);
}

/* The file is written without the lock, so that appends do not wait for its sync. When that fails the log still has it all. */
void producers_save(struct hub_partition *p, bool closes)
{
    rf_usec now = rf_clock_now(p->hub->hubs->options.clock);
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 3 * (size_t)FILE_BYTES_MAX);
    struct rf_buf buf = rf_buf_in(&arena);
    struct rf_err err;
    enum rf_kind kind = RF_OK;
    (void)pthread_mutex_lock(&p->write);
    struct producer_table *t = p->producers;
    expire(t, now);
    bool saves = is_due(p, closes, now);
    uint64_t bytes = p->snapshot_bytes;
    if (saves) {
        bool is_remote = p->hub->hubs->kafka != NULL;
        int64_t end = atomic_load_explicit(&p->end, memory_order_acquire);
        kind = put_file(p, is_remote ? p->producers_end : end, &buf, &err);
        p->snapshot_time = now;
        p->snapshot_bytes = 0;
        if (t != NULL) t->is_changed = false;
    }
    (void)pthread_mutex_unlock(&p->write);
    if (!saves) return;
    char path[4096];
    if (kind == RF_OK && !path_of(p, path))
        kind = RF_FAIL(&err, RF_INVALID, "PathTooLong", "%s", p->hub->folder);
    if (kind == RF_OK)
        kind = rf_fs_replace(p->hub->hubs->options.fs, path, rf_buf_view(&buf), &err);
    if (kind == RF_OK) return;
    rf_log(RF_WARN, "hub.producers_not_saved", RF_KV_STR("error", rf_str_of(err.text)));
    (void)pthread_mutex_lock(&p->write);
    p->snapshot_bytes += bytes;
    if (p->producers != NULL) p->producers->is_changed = true;
    (void)pthread_mutex_unlock(&p->write);
}

static bool take_entry(struct hub_partition *p, const uint8_t *bytes)
{
    struct batch_producer producer = {.id = (int64_t)rf_get_u64le(bytes),
                                      .epoch = (int16_t)rf_get_u16le(bytes + 16)};
    rf_usec used = (rf_usec)rf_get_u64le(bytes + 8);
    uint32_t batch_count = rf_get_u16le(bytes + 18);
    if (producer.id < 0 || producer.epoch < 0 || batch_count < 1 || batch_count > BATCHES_KEPT)
        return false;
    for (uint32_t i = 0; i < batch_count; i++) {
        const uint8_t *at = bytes + 24 + (size_t)i * 16;
        producer.sequence = (int32_t)rf_get_u32le(at);
        if (!note(p, &producer, (int32_t)rf_get_u32le(at + 4), (int64_t)rf_get_u64le(at + 8), used))
            return false;
    }
    return true;
}

/* *end is left alone when there is no file, or none that can be trusted. */
static void read_file(struct hub_partition *p, int64_t *end)
{
    struct rf_fs *fs = p->hub->hubs->options.fs;
    struct rf_err err;
    char path[4096];
    if (!path_of(p, path) || !rf_fs_exists(fs, path)) return;
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, FILE_BYTES_MAX + (1 << 16));
    rf_str file;
    bool good = rf_fs_read_all(fs, path, FILE_BYTES_MAX, &arena, &file, &err) == RF_OK &&
                file.len >= HEAD_BYTES + SUM_BYTES && memcmp(file.ptr, magic, sizeof magic) == 0;
    uint32_t count = good ? rf_get_u32le(file.ptr + 16) : 0;
    uint8_t sum[SUM_BYTES] = {0};
    good = good && file.len == HEAD_BYTES + (size_t)count * ENTRY_BYTES + SUM_BYTES;
    if (good) rf_checksum(file.ptr, file.len - SUM_BYTES, sum);
    good = good && memcmp(sum, file.ptr + file.len - SUM_BYTES, SUM_BYTES) == 0;
    for (uint32_t i = 0; good && i < count; i++)
        good = take_entry(p, file.ptr + HEAD_BYTES + (size_t)i * ENTRY_BYTES);
    if (good) {
        *end = (int64_t)rf_get_u64le(file.ptr + 8);
        return;
    }
    producers_free(p);
    rf_log(RF_WARN, "hub.producers_spoiled", RF_KV_STR("path", rf_str_of(path)));
}

static bool is_noted(const struct hub_partition *p, const struct batch_producer *producer,
                     int32_t last)
{
    const struct producer_entry *e = find(p, producer->id);
    if (e == NULL || e->epoch != producer->epoch) return false;
    for (uint32_t i = 0; i < e->batch_count; i++)
        if (e->batches[i].base == producer->sequence && e->batches[i].last == last) return true;
    return false;
}

/* It tells of events that were lost: they had been acknowledged without a sync. Others will get their numbers, so the file goes for good. */
static enum rf_kind forget_file(struct hub_partition *p, int64_t *end, struct rf_err *err)
{
    struct rf_fs *fs = p->hub->hubs->options.fs;
    char path[4096];
    producers_free(p);
    *end = -1;
    if (!path_of(p, path)) return RF_OK;
    RF_TRY(rf_fs_unlink(fs, path, err));
    return rf_fs_sync_dir(fs, p->hub->folder, err);
}

static enum rf_kind replay(struct hub_partition *p, const struct log_frames *frames,
                           struct rf_err *err)
{
    for (uint32_t i = 0; i < frames->count; i++) {
        const struct log_frame *frame = &frames->items[i];
        struct batch_head head;
        RF_TRY(batch_read_trusted(frame->batch, &head, err));
        p->snapshot_bytes += frame->batch.len;
        if (head.producer_id < 0 || head.producer_epoch < 0 || head.base_sequence < 0) continue;
        struct batch_producer producer = {
            .id = head.producer_id, .epoch = head.producer_epoch, .sequence = head.base_sequence};
        int32_t last = sequence_after(head.base_sequence, (uint32_t)head.last_offset_delta);
        if (is_noted(p, &producer, last)) continue;
        if (!note(p, &producer, last, frame->first, frame->enqueued))
            return RF_FAIL(err, RF_LIMIT, "MemoryBudgetExceeded", "no memory for producers");
    }
    return RF_OK;
}

static enum rf_kind replay_range(struct hub_partition *p, struct part_store *store, int64_t at,
                                 int64_t end, struct rf_err *err)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 8 * (size_t)REPLAY_BYTES + BATCH_INFLATED_BYTES_MAX);
    while (at < end) {
        struct log_frames frames;
        rf_arena_reset(&arena);
        RF_TRY(store_read(store, at, REPLAY_BYTES, &arena, &frames, err));
        if (frames.count == 0) break;
        RF_TRY(replay(p, &frames, err));
        at = frames.items[frames.count - 1].first + frames.items[frames.count - 1].count;
    }
    return RF_OK;
}

enum rf_kind producers_catch_up(struct hub_partition *p, struct part_store *store,
                                struct rf_err *err)
{
    struct log_info info;
    int64_t saved = -1;
    RF_TRY(kafka_part_ask(store, &info, err));
    if (p->producers_end == 0 && p->producers == NULL) read_file(p, &saved);
    int64_t at = RF_MAX(RF_MAX(saved, p->producers_end), info.end - PRODUCERS_REPLAYED);
    RF_TRY(replay_range(p, store, RF_MAX(at, info.begin), info.end, err));
    p->producers_end = info.end;
    return RF_OK;
}

static void renumber_entry(struct producer_entry *e, int64_t base,
                           int64_t (*moved)(const void *ctx, int64_t number), const void *ctx)
{
    uint8_t kept = 0;
    for (uint32_t k = 0; k < e->batch_count; k++) {
        struct sent_batch batch = e->batches[k];
        if (batch.first >= base) batch.first = moved(ctx, batch.first);
        if (batch.first >= 0) e->batches[kept++] = batch;
    }
    e->batch_count = kept;
    if (kept == 0) e->epoch = -1; /* as if nothing had come of it */
}

void producers_renumber(struct hub_partition *p, int64_t base,
                        int64_t (*moved)(const void *ctx, int64_t number), const void *ctx)
{
    struct producer_table *t = p->producers;
    if (t == NULL) return;
    /* A table that is of this group itself has no notes of what changed, and few entries. */
    uint32_t count = t->undoes ? t->undo_count : t->cap;
    for (uint32_t i = 0; i < count; i++) {
        struct producer_entry *e = t->undoes ? slot_of(t, t->undo[i].id) : &t->slots[i];
        if (e->id != -1) renumber_entry(e, base, moved, ctx);
    }
}

enum rf_kind producers_load(struct hub_partition *p, struct part_store *store, struct rf_err *err)
{
    struct log_info info;
    store_info(store, &info);
    rf_usec now = rf_clock_now(p->hub->hubs->options.clock);
    int64_t at = -1;
    p->snapshot_time = 0; /* what is replayed is saved soon: retention may remove it */
    p->snapshot_bytes = 0;
    read_file(p, &at);
    if (p->hub->hubs->kafka == NULL && at > info.end) RF_TRY(forget_file(p, &at, err));
    if (p->producers != NULL) p->producers->is_changed = false;
    if (at < 0) RF_TRY(store_find_time(store, now - KEPT_USEC, &at, err));
    RF_TRY(replay_range(p, store, RF_MAX(at, info.begin), info.end, err));
    if (p->producers != NULL) expire(p->producers, now);
    return RF_OK;
}
