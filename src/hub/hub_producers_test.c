#include "test/rf_prop.h"

#include "hub/hub_rig.h"

/* ---- producers -------------------------------------------------------------------------------------------------------- */

enum { GAP = -2, FENCED = -3 };

static int64_t send_as(struct hub *hub, int16_t epoch, int32_t sequence, uint32_t count)
{
    struct rf_err err;
    int64_t first;
    struct batch_producer producer = {.id = 5000, .epoch = epoch, .sequence = sequence};
    enum rf_kind kind = send_one(hub, 0, 1, count, &producer, &first, &err);
    if (kind == RF_OK) return first;
    cr_assert(kind == RF_CONFLICT, "%s", err.text);
    return strcmp(err.code, "ProducerFenced") == 0 ? FENCED : GAP;
}

Test(hub, stores_a_producers_batch_once)
{
    static const struct {
        int16_t epoch;
        int32_t sequence;
        uint32_t count;
        int64_t first;
        int64_t end; /* of the partition behind it */
        bool restarts;
    } cases[] = {
        {0, 0, 3, 0, 3, false},       {0, 0, 3, 0, 3, false},    {0, 3, 1, 3, 4, false},
        {0, 0, 3, 0, 4, true},        {0, 5, 1, GAP, 4, false},  {0, 4, 2, 4, 6, true},
        {0, 4, 1, GAP, 6, false},     {0, 6, 1, 6, 7, false},    {0, 7, 1, 7, 8, false},
        {0, 8, 1, 8, 9, false},       {0, 3, 1, 3, 9, false},    {0, 0, 3, GAP, 9, false},
        {2, 1, 1, GAP, 9, false},     {2, 0, 1, 9, 10, false},   {0, 9, 1, FENCED, 10, true},
        {1, 0, 1, FENCED, 10, false}, {2, 0, 1, 9, 10, true},    {2, 1, 1, 10, 11, false},
        {3, 0, 1, 11, 12, false},     {3, 0, 2, GAP, 12, false},
    };
    struct rig rig;
    rig_init(&rig, true);
    for (size_t i = 0; i < RF_COUNT(cases); i++) {
        if (cases[i].restarts) restart(&rig);
        struct hub *hub = find_hub(&rig, "flow");
        int64_t got = send_as(hub, cases[i].epoch, cases[i].sequence, cases[i].count);
        cr_assert(got == cases[i].first, "%zu: %lld", i, (long long)got);
        cr_assert(info_of(hub, 0).end == cases[i].end, "%zu", i);
        hub_unref(hub);
    }
    struct hub *hub = find_hub(&rig, "flow");
    struct rf_err err;
    int16_t epoch;
    int32_t sequence;
    cr_assert(hub_producer_state(hub, 0, 5000, &epoch, &sequence, &err) == RF_OK);
    cr_assert(epoch == 3 && sequence == 0);
    cr_assert(hub_producer_state(hub, 0, 5001, &epoch, &sequence, &err) == RF_OK);
    cr_assert(epoch == -1 && sequence == -1);
    hub_unref(hub);
    rig_done(&rig);
}

Test(hub, sequence_numbers_wrap)
{
    struct rig rig;
    rig_init(&rig, true);
    struct hub *hub = find_hub(&rig, "flow");
    cr_assert(send_as(hub, 0, INT32_MAX - 1, 1) == 0);
    cr_assert(send_as(hub, 0, INT32_MAX, 2) == 1, "the last one and 0");
    cr_assert(send_as(hub, 0, 1, 1) == 3);
    cr_assert(send_as(hub, 0, INT32_MAX, 2) == 1, "a repeat");
    cr_assert(send_as(hub, 0, 3, 1) == GAP);
    hub_unref(hub);
    rig_done(&rig);
}

Test(hub, repeats_of_a_link_may_be_cut_otherwise)
{
    struct rig rig;
    rig_init(&rig, true);
    struct hub *hub = find_hub(&rig, "flow");
    struct rf_err err;
    for (int32_t i = 0; i < 12; i++) cr_assert(send_as(hub, 0, i * 2, 2) == i * 2);
    static const struct {
        int32_t sequence;
        uint32_t count;
        int64_t first; /* -1: repeated, but long ago */
        bool repeated;
    } cases[] = {{21, 1, 21, true}, {20, 4, 20, true}, {3, 1, -1, true}, {24, 1, 24, false}};
    for (size_t i = 0; i < RF_COUNT(cases); i++) {
        struct sent sent;
        struct batch_producer producer = {.id = 5000, .sequence = cases[i].sequence};
        make(&sent, 1, cases[i].count, &producer);
        sent.append.kind = FRAME_AMQP;
        cr_assert(hub_append_wait(hub, 0, &sent.append, &err) == RF_OK, "%s", err.text);
        cr_assert(sent.append.repeated == cases[i].repeated && sent.append.first == cases[i].first);
        sent_done(&sent);
    }
    hub_unref(hub);
    rig_done(&rig);
}

Test(hub, forgets_producers_after_seven_days)
{
    struct rig rig;
    rig_init(&rig, true);
    struct hub *hub = find_hub(&rig, "flow");
    struct rf_err err;
    int16_t epoch;
    int32_t sequence;
    cr_assert(send_as(hub, 0, 0, 1) == 0);
    rf_clock_fixed_pass(&rig.clock, INT64_C(6) * 24 * 3600 * RF_USEC_PER_SECOND);
    hubs_step(rig.hubs);
    cr_assert(hub_producer_state(hub, 0, 5000, &epoch, &sequence, &err) == RF_OK && epoch == 0);
    cr_assert(send_as(hub, 0, 0, 1) == 0);
    for (int i = 0; i < 2; i++) {
        cr_assert(hub_producer_state(hub, 0, 5000, &epoch, &sequence, &err) == RF_OK);
        cr_assert(epoch == 0 && sequence == 0);
        rf_clock_fixed_pass(&rig.clock, INT64_C(6) * 24 * 3600 * RF_USEC_PER_SECOND);
        hub_unref(hub);
        restart(&rig);
        hub = find_hub(&rig, "flow");
    }
    cr_assert(hub_producer_state(hub, 0, 5000, &epoch, &sequence, &err) == RF_OK);
    cr_assert(epoch == -1 && sequence == -1);
    hub_unref(hub);
    rig_done(&rig);
}

Test(hub, what_was_not_written_never_was)
{
    struct rig rig;
    rig_init(&rig, true);
    struct hub *hub = find_hub(&rig, "flow");
    struct rf_err err;
    int failed = 0;
    cr_assert(send_as(hub, 0, 0, 1) == 0);
    for (uint64_t nth = 1; nth < 4; nth++) {
        struct batch_producer producer = {.id = 5000, .sequence = 1},
                              fresh = {.id = 6000 + (int64_t)nth};
        struct sent sent[3];
        make(&sent[0], 1, 1, &producer);
        make(&sent[1], 1, 1, &producer); /* a repeat in the same group */
        make(&sent[2], 1, 1, &fresh);
        for (int i = 0; i < 3; i++) cr_assert(hub_append(hub, 0, &sent[i].append, &err) == RF_OK);
        rf_fs_fault_fail_at(rig.disk, nth, 28 /* ENOSPC */, false);
        hub_writers_step(rig.hubs);
        rf_fs_fault_fail_at(rig.disk, 0, 0, false);
        bool good = sent[0].append.kind_of_end == RF_OK;
        for (int i = 0; i < 3; i++) {
            cr_assert((sent[i].append.kind_of_end == RF_OK) == good);
            sent_done(&sent[i]);
        }
        if (good) break;
        failed++;
        cr_assert(info_of(hub, 0).end == 1);
        int16_t epoch;
        int32_t sequence;
        cr_assert(hub_producer_state(hub, 0, 5000, &epoch, &sequence, &err) == RF_OK);
        cr_assert(sequence == 0);
        cr_assert(hub_producer_state(hub, 0, fresh.id, &epoch, &sequence, &err) == RF_OK);
        cr_assert(epoch == -1);
    }
    cr_assert(failed > 0);
    hub_unref(hub);
    rig_done(&rig);
}

/* Of batches under way the first finds no room, and the second would: stored, it would make the first one late for ever. */
Test(hub, what_follows_a_first_batch_that_failed_waits_for_it)
{
    enum { FULL = 28 /* ENOSPC */ };
    struct rig rig;
    struct rf_err err;
    rig_init(&rig, true);
    struct hub *hub = find_hub(&rig, "flow");
    must_send(hub, 0, 1, 1, 0); /* the log is open */
    for (int kind = FRAME_KAFKA; kind <= FRAME_AMQP; kind++) {
        struct batch_producer producer = {.id = 5000 + kind, .epoch = 3, .sequence = 7};
        int64_t first = -1, end = info_of(hub, 0).end;
        for (int i = 0; i < 4; i++) {
            struct sent sent;
            bool fails = i == 0, waits = i == 1;
            producer.sequence = i == 1 || i == 3 ? 8 : 7;
            make(&sent, 1, 1, &producer);
            sent.append.kind = (uint8_t)kind;
            if (fails) rf_fs_fault_fail_at(rig.disk, 1, FULL, false);
            enum rf_kind got = hub_append_wait(hub, 0, &sent.append, &err);
            rf_fs_fault_fail_at(rig.disk, 0, 0, false);
            cr_assert(got == (fails   ? RF_LIMIT
                              : waits ? RF_CONFLICT
                                      : RF_OK),
                      "%d: %s", i, got == RF_OK ? "stored" : err.text);
            first = sent.append.first;
            sent_done(&sent);
        }
        cr_assert(first == end + 1 && info_of(hub, 0).end == end + 2);
    }
    hub_unref(hub);
    rig_done(&rig);
}

/* A producer sends until the power goes, and again what it has no answer to, as clients do: each batch is there once. */
RF_PROP(hub_keeps_its_word_over_a_power_cut, 60)
{
    struct rig rig;
    struct rf_err err;
    rig_init(&rig, true);
    int32_t next = 0;
    for (int round = 0; round < 4; round++) {
        struct hub *hub = find_hub(&rig, "flow");
        /* Four: the fifth may be one that was stored and not answered. */
        for (int32_t i = RF_MAX(next - 4, 0); i < next; i++)
            cr_assert(send_as(hub, 0, i, 1) == i, "%d was acknowledged", i);
        rf_fs_fault_stop_at_sync(rig.disk, 1 + rf_test_below(prng, 12));
        for (;;) {
            struct batch_producer producer = {.id = 5000, .sequence = next};
            int64_t first;
            if (rf_test_below(prng, 3) == 0)
                rf_clock_fixed_pass(&rig.clock, 31 * RF_USEC_PER_SECOND);
            if (rf_test_below(prng, 3) == 0) hub_keeper_step(rig.hubs); /* saves the producers */
            if (send_one(hub, 0, (uint64_t)next, 1, &producer, &first, &err) != RF_OK) break;
            cr_assert(first == next, "%lld", (long long)first);
            next++;
        }
        hub_unref(hub);
        hubs_free(rig.hubs);
        rf_fs_fault_power_loss(rig.disk);
        start(&rig);
    }
    struct hub *hub = find_hub(&rig, "flow");
    cr_assert(send_as(hub, 0, next, 1) == next);
    cr_assert(info_of(hub, 0).end == next + 1);
    hub_unref(hub);
    rig_done(&rig);
}

/* ---- many at once ----------------------------------------------------------------------------------------------------- */

enum { THREADS = 4, PARTITIONS = 3, BATCHES = 40 };

struct writer_thread {
    struct hub *hub;
    uint64_t seed;
    uint32_t index;
    int64_t first[BATCHES]; /* of batch i, which went to partition part[i] */
    uint32_t part[BATCHES], count[BATCHES];
};

static void *write_many(void *ctx)
{
    struct writer_thread *w = ctx;
    struct rf_prng prng = {.state = w->seed, .size = 10};
    struct sent sent[BATCHES];
    struct rf_err err;
    for (uint32_t i = 0; i < BATCHES; i++) {
        w->part[i] = (uint32_t)rf_test_below(&prng, PARTITIONS);
        w->count[i] = 1 + (uint32_t)rf_test_below(&prng, 5);
        make(&sent[i], w->index * 1000u + i, w->count[i], NULL);
        enum rf_kind kind = hub_append(w->hub, w->part[i], &sent[i].append, &err);
        cr_assert(kind == RF_OK, "%s", err.text);
        if (rf_test_below(&prng, 4) == 0)
            while (atomic_load(&sent[i].done_count) == 0) (void)sched_yield();
    }
    for (uint32_t i = 0; i < BATCHES; i++) {
        while (atomic_load(&sent[i].done_count) == 0) (void)sched_yield();
        cr_assert(sent[i].append.kind_of_end == RF_OK, "%s", sent[i].append.err.text);
        w->first[i] = sent[i].append.first;
        sent_done(&sent[i]);
    }
    return NULL;
}

struct reader_thread {
    struct hub *hub;
    uint32_t partition;
    int64_t until;
    atomic_bool ends;
    uint64_t *tags; /* by number, of frames' first ones; UINT64_MAX: inside a frame */
    int64_t count;
    pthread_mutex_t lock;
    pthread_cond_t cond;
    uint32_t wakes;
    struct hub_waiter waiter;
};

static void wake_reader(struct hub_waiter *waiter)
{
    struct reader_thread *r =
        (struct reader_thread *)((char *)waiter - offsetof(struct reader_thread, waiter));
    (void)pthread_mutex_lock(&r->lock);
    r->wakes++;
    (void)pthread_cond_signal(&r->cond);
    (void)pthread_mutex_unlock(&r->lock);
}

/* Follows the partition as a receiver does: reads to the end, waits, reads on. */
static void *read_many(void *ctx)
{
    struct reader_thread *r = ctx;
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 4 << 20);
    struct rf_err err;
    rf_usec last = 0;
    while (r->count < r->until) {
        struct log_frames frames;
        rf_arena_reset(&arena);
        enum rf_kind kind =
            hub_read(r->hub, r->partition, r->count, 300, false, &arena, &frames, &err);
        if (kind == RF_AGAIN)
            kind = hub_read(r->hub, r->partition, r->count, 300, true, &arena, &frames, &err);
        cr_assert(kind == RF_OK, "%s", err.text);
        for (uint32_t i = 0; i < frames.count; i++) {
            cr_assert(frames.items[i].first == r->count, "no hole, no repeat");
            cr_assert(frames.items[i].enqueued >= last);
            last = frames.items[i].enqueued;
            r->tags[r->count] = tag_of(&frames.items[i]);
            for (uint32_t k = 1; k < frames.items[i].count; k++) r->tags[r->count + k] = UINT64_MAX;
            r->count += frames.items[i].count;
        }
        if (frames.count > 0) continue;
        hub_wait(r->hub, r->partition, r->count, &r->waiter);
        (void)pthread_mutex_lock(&r->lock);
        while (r->wakes == 0 && !atomic_load(&r->ends)) (void)pthread_cond_wait(&r->cond, &r->lock);
        r->wakes = 0;
        (void)pthread_mutex_unlock(&r->lock);
        hub_unwait(&r->waiter);
        if (atomic_load(&r->ends) && info_of(r->hub, r->partition).end == r->count) break;
    }
    return NULL;
}

static void check_written(const struct writer_thread *writers, const struct reader_thread *readers)
{
    for (uint32_t t = 0; t < THREADS; t++) {
        int64_t last[PARTITIONS] = {-1, -1, -1};
        for (uint32_t i = 0; i < BATCHES; i++) {
            uint32_t part = writers[t].part[i];
            int64_t first = writers[t].first[i];
            cr_assert(first > last[part], "one caller's appends keep their order");
            last[part] = first;
            cr_assert(readers[part].tags[first] == t * 1000u + i);
        }
    }
}

static void read_all(struct rig *rig, const int64_t *ends, const struct writer_thread *writers,
                     struct reader_thread *readers)
{
    for (uint32_t i = 0; i < PARTITIONS; i++) {
        readers[i].hub = find_hub(rig, "many");
        readers[i].count = 0;
        readers[i].until = ends[i];
        (void)read_many(&readers[i]);
        hub_unref(readers[i].hub);
    }
    check_written(writers, readers);
}

RF_PROP(hub_many_write_and_read_at_once, 25)
{
    enum { NUMBERS_MAX = THREADS * BATCHES * 5 };
    static struct writer_thread writers[THREADS];
    static struct reader_thread readers[PARTITIONS];
    static uint64_t tags[PARTITIONS][NUMBERS_MAX];
    int64_t ends[PARTITIONS], total = 0, wanted = 0;
    pthread_t writing[THREADS], reading[PARTITIONS];
    struct rig rig;
    rig_init(&rig, false);
    rig.options.cache_bytes = 1 + rf_test_below(prng, 20000);
    restart(&rig);
    set_hub(&rig, "many", "a1", PARTITIONS);
    for (uint32_t i = 0; i < PARTITIONS; i++) {
        readers[i] = (struct reader_thread){.hub = find_hub(&rig, "many"),
                                            .partition = i,
                                            .until = INT64_MAX,
                                            .tags = tags[i],
                                            .lock = PTHREAD_MUTEX_INITIALIZER,
                                            .cond = PTHREAD_COND_INITIALIZER,
                                            .waiter.woken = wake_reader};
        cr_assert(pthread_create(&reading[i], NULL, read_many, &readers[i]) == 0);
    }
    for (uint32_t i = 0; i < THREADS; i++) {
        writers[i] = (struct writer_thread){
            .hub = find_hub(&rig, "many"), .index = i, .seed = rf_test_u64(prng)};
        cr_assert(pthread_create(&writing[i], NULL, write_many, &writers[i]) == 0);
    }
    for (uint32_t i = 0; i < THREADS; i++) {
        cr_assert(pthread_join(writing[i], NULL) == 0);
        hub_unref(writers[i].hub);
        for (uint32_t k = 0; k < BATCHES; k++) wanted += writers[i].count[k];
    }
    for (uint32_t i = 0; i < PARTITIONS; i++) {
        (void)pthread_mutex_lock(&readers[i].lock);
        atomic_store(&readers[i].ends, true);
        (void)pthread_cond_signal(&readers[i].cond);
        (void)pthread_mutex_unlock(&readers[i].lock);
        cr_assert(pthread_join(reading[i], NULL) == 0);
        total += ends[i] = readers[i].count;
        hub_unref(readers[i].hub);
    }
    cr_assert(total == wanted);
    check_written(writers, readers);
    hubs_free(rig.hubs);
    start(&rig);
    set_hub(&rig, "many", "a1", PARTITIONS);
    read_all(&rig, ends, writers, readers);
    rig_done(&rig);
}
