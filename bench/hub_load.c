/* hub_load - what event hubs take in, beside what the disk under them can do; one run, no server, no protocol.
 *
 *   hub_load DIR SECONDS   DIR is made, and what the run wrote is removed behind it
 *
 * Prints "NAME NUMBER" lines:
 *   disk_sync_us_p50, _p99      a write of 4 KiB behind the file's end and its fdatasync
 *   disk_write_mb_s             1 MiB writes with an fdatasync every 16
 *   append_us_p50, _p99, _max   1,000 appends a second of one event of 1 kB, 4 partitions: from hub_append to done()
 *   floor_us_p50, _p99, _max    the same rate by bare writes and fdatasyncs of 4 files, in rounds between those of append, as the
 *                               disk's own times change from second to second when others use it
 *   small_events_s, small_mb_s  200 B in batches of 500, 8 partitions, 8 batches of each under way, a reader behind each
 *   large_mb_s                  1 kB in batches of 250, likewise
 *   os_events_s, os_mb_s        the small ones with durability "os"
 *   start_ms, idle_rss_kb       a start with 1,000 partitions that have events, and what the process grew by
 * Rates are of wall time; cpu_s is the processor time of the run before, for all threads. */
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "hub/hub_int.h" /* hubs are made without ARM documents */

enum {
    PARTITIONS = 8,
    UNDER_WAY = 8,
    IDLE_HUBS = 10,
    IDLE_PARTITIONS = 100,
    SAMPLES_MAX = 1 << 20
};

static _Noreturn void die(const char *what, const char *why)
{
    (void)fprintf(stderr, "hub_load: %s: %s\n", what, why);
    exit(1);
}

static int64_t now_us(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static int compare(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return x < y ? -1 : x > y;
}

/* Sorts. */
static void print_times(const char *name, int64_t *us, size_t count)
{
    qsort(us, count, sizeof *us, compare);
    printf("%s_us_p50 %lld\n%s_us_p99 %lld\n%s_us_max %lld\n", name, (long long)us[count / 2], name,
           (long long)us[count * 99 / 100], name, (long long)us[count - 1]);
    (void)fflush(stdout);
}

static long rss_kb(void)
{
    char line[256], *end;
    FILE *file = fopen("/proc/self/statm", "r");
    if (file == NULL || fgets(line, sizeof line, file) == NULL) die("statm", "not read");
    (void)fclose(file);
    (void)strtol(line, &end, 10); /* what is mapped; then what is resident */
    return strtol(end, NULL, 10) * (sysconf(_SC_PAGESIZE) / 1024);
}

/* ---- the disk --------------------------------------------------------------------------------------------------------- */

static void measure_disk(const char *dir, int64_t *us, double seconds)
{
    static uint8_t block[1 << 20];
    char path[4096];
    for (size_t i = 0; i < sizeof block; i++) block[i] = (uint8_t)rf_hash_u64(i);
    (void)snprintf(path, sizeof path, "%s/disk", dir);
    int fd = open(path, O_CREAT | O_WRONLY | O_TRUNC, 0600);
    if (fd < 0) die("cannot open", path);
    size_t count = 0;
    int64_t until = now_us() + (int64_t)(seconds * 1e6);
    while (now_us() < until && count < SAMPLES_MAX) {
        int64_t from = now_us();
        if (write(fd, block, 4096) != 4096 || fdatasync(fd) != 0) die("write", path);
        us[count++] = now_us() - from;
    }
    print_times("disk_sync", us, count);
    int64_t from = now_us(), bytes = 0;
    until = from + (int64_t)(seconds * 1e6);
    while (now_us() < until)
        for (int i = 0; i < 16; i++, bytes += sizeof block)
            if (write(fd, block, sizeof block) != sizeof block || (i == 15 && fdatasync(fd) != 0))
                die("write", path);
    printf("disk_write_mb_s %.0f\n", (double)bytes / (double)(now_us() - from));
    (void)close(fd);
    (void)unlink(path);
}

/* ---- hubs ------------------------------------------------------------------------------------------------------------- */

static struct hubs *start(const char *dir, struct hub_namespace **space)
{
    struct hubs_options options = {
        .fs = rf_fs_real(), .folder = dir, .clock = rf_clock_real(), .cache_bytes = 256 << 20};
    struct hubs *hubs;
    struct rf_err err;
    struct hub_namespace_settings settings = {.name = RF_S("bench"), .id = RF_S("/bench")};
    if (hubs_new(&options, &hubs, &err) != RF_OK) die("start", err.text);
    if (hubs_set_namespace(hubs, &settings, space, &err) != RF_OK) die("namespace", err.text);
    return hubs;
}

static struct hub *add_hub(struct hub_namespace *space, const char *name, uint32_t partitions,
                           bool durable)
{
    struct hub *hub;
    struct rf_err err;
    struct hub_settings settings = {.name = rf_str_of(name),
                                    .id = rf_str_of(name),
                                    .partition_count = partitions,
                                    .durable = durable};
    if (hubs_set_hub(space, &settings, &err) != RF_OK) die("hub", err.text);
    if (hub_find(space, rf_str_of(name), &hub, &err) != RF_OK) die("hub", err.text);
    return hub;
}

/* A batch of `count` events of `bytes` bytes; the caller frees it. */
static uint8_t *make_batch(uint32_t count, size_t bytes, size_t *len)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 16 << 20);
    struct rf_buf buf = rf_buf_in(&arena);
    struct batch_builder builder;
    struct rf_err err;
    uint8_t *value = rf_arena_alloc(&arena, bytes);
    if (value == NULL) die("batch", "no memory");
    batch_begin(&builder, &buf);
    for (uint32_t i = 0; i < count; i++) {
        for (size_t k = 0; k < bytes; k++) value[k] = (uint8_t)rf_hash_u64(i * bytes + k);
        batch_add(&builder, 1700000000000, (rf_str){NULL, 0}, rf_str_make(value, bytes), NULL, 0);
    }
    if (batch_end(&builder, CODEC_NONE, NULL, &err) != RF_OK) die("batch", err.text);
    uint8_t *copy = malloc(buf.len);
    if (copy == NULL) die("batch", "no memory");
    memcpy(copy, buf.ptr, buf.len);
    *len = buf.len;
    return copy;
}

static void check(enum rf_kind kind, const struct rf_err *err)
{
    if (kind != RF_OK) die("append", err->text);
}

/* ---- latency ---------------------------------------------------------------------------------------------------------- */

struct timed {
    struct hub_append append; /* first */
    int64_t from, took;
    atomic_bool is_done;
};

static void end_timed(struct hub_append *append)
{
    struct timed *t = (struct timed *)append;
    t->took = now_us() - t->from;
    atomic_store(&t->is_done, true);
}

static void wait_until(int64_t us)
{
    struct timespec at = {.tv_sec = us / 1000000, .tv_nsec = us % 1000000 * 1000};
    (void)clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL);
}

/* A round of `count` bare writes, a millisecond apart; what comes while one is synced is late, as it is for the hub. */
static void time_floor(const int fds[4], const uint8_t *batch, size_t len, int64_t *us,
                       size_t count)
{
    int64_t from = now_us();
    for (size_t i = 0; i < count; i++) {
        int64_t due = from + (int64_t)i * 1000;
        wait_until(due);
        if (write(fds[i % 4], batch, len) != (ssize_t)len || fdatasync(fds[i % 4]) != 0)
            die("write", "floor");
        us[i] = now_us() - due;
    }
}

static void time_appends(struct hub *hub, const uint8_t *batch, size_t len, int64_t *us,
                         size_t count)
{
    struct timed *timed = calloc(count, sizeof *timed);
    uint8_t *copies = malloc(count * len);
    if (timed == NULL || copies == NULL) die("latency", "no memory");
    int64_t from = now_us();
    for (size_t i = 0; i < count; i++) {
        struct rf_err err;
        timed[i].append = (struct hub_append){.batch = copies + i * len,
                                              .len = len,
                                              .count = 1,
                                              .producer.id = -1,
                                              .done = end_timed};
        memcpy(timed[i].append.batch, batch, len);
        timed[i].from = from + (int64_t)i * 1000;
        wait_until(timed[i].from);
        check(hub_append(hub, (uint32_t)(i % 4), &timed[i].append, &err), &err);
    }
    for (size_t i = 0; i < count; i++) {
        while (!atomic_load(&timed[i].is_done)) wait_until(now_us() + 1000);
        check(timed[i].append.kind_of_end, &timed[i].append.err);
        us[i] = timed[i].took;
    }
    free(timed);
    free(copies);
}

static void measure_latency(struct hub_namespace *space, const char *dir, double seconds)
{
    enum { ROUND = 250 };
    struct hub *hub = add_hub(space, "latency", 4, true);
    size_t rounds = (size_t)(seconds * 1000 / ROUND), len;
    uint8_t *batch = make_batch(1, 1000, &len);
    int64_t *hub_us = calloc(rounds * ROUND, sizeof *hub_us);
    int64_t *floor_us = calloc(rounds * ROUND, sizeof *floor_us);
    if (hub_us == NULL || floor_us == NULL) die("latency", "no memory");
    int fds[4];
    char path[4096];
    for (int i = 0; i < 4; i++) {
        (void)snprintf(path, sizeof path, "%s/floor%d", dir, i);
        fds[i] = open(path, O_CREAT | O_WRONLY | O_TRUNC, 0600);
        if (fds[i] < 0) die("cannot open", path);
        (void)unlink(path);
    }
    time_appends(hub, batch, len, hub_us, 8); /* makes the files */
    for (size_t i = 0; i < rounds; i++) {
        time_floor(fds, batch, len, floor_us + i * ROUND, ROUND);
        time_appends(hub, batch, len, hub_us + i * ROUND, ROUND);
    }
    print_times("floor", floor_us, rounds * ROUND);
    print_times("append", hub_us, rounds * ROUND);
    for (int i = 0; i < 4; i++) (void)close(fds[i]);
    free(hub_us);
    free(floor_us);
    free(batch);
    hub_unref(hub);
}

/* ---- throughput ------------------------------------------------------------------------------------------------------- */

struct load;
struct slot {
    struct hub_append append; /* first */
    struct load *load;
    uint32_t partition;
};
struct load {
    struct hub *hub;
    atomic_bool ends;
    atomic_uint under_way;
    _Atomic uint64_t events, bytes, read_events, disk_reads;
    pthread_mutex_t lock;
    pthread_cond_t cond;
    struct slot slots[PARTITIONS][UNDER_WAY];
};

static void send(struct slot *slot)
{
    struct rf_err err;
    check(hub_append(slot->load->hub, slot->partition, &slot->append, &err), &err);
}

/* As a client does that sends its next batch when one was acknowledged. */
static void end_slot(struct hub_append *append)
{
    struct slot *slot = (struct slot *)append;
    struct load *load = slot->load;
    check(append->kind_of_end, &append->err);
    (void)atomic_fetch_add(&load->events, append->count);
    (void)atomic_fetch_add(&load->bytes, append->len);
    if (!atomic_load(&load->ends)) {
        send(slot);
        return;
    }
    (void)pthread_mutex_lock(&load->lock);
    (void)atomic_fetch_sub(&load->under_way, 1);
    (void)pthread_cond_signal(&load->cond);
    (void)pthread_mutex_unlock(&load->lock);
}

struct follower {
    struct load *load;
    struct hub_waiter waiter;
    pthread_mutex_t lock;
    pthread_cond_t cond;
    uint32_t partition;
    bool is_woken;
};

static void wake(struct hub_waiter *waiter)
{
    struct follower *f = (struct follower *)((char *)waiter - offsetof(struct follower, waiter));
    (void)pthread_mutex_lock(&f->lock);
    f->is_woken = true;
    (void)pthread_cond_signal(&f->cond);
    (void)pthread_mutex_unlock(&f->lock);
}

static void *follow(void *ctx)
{
    struct follower *f = ctx;
    struct load *load = f->load;
    struct rf_arena arena;
    struct rf_err err;
    rf_arena_init(&arena, 64 << 20);
    for (int64_t at = 0; !atomic_load(&load->ends);) {
        struct log_frames frames;
        rf_arena_reset(&arena);
        enum rf_kind kind =
            hub_read(load->hub, f->partition, at, 1 << 20, false, &arena, &frames, &err);
        if (kind == RF_AGAIN) {
            (void)atomic_fetch_add(&load->disk_reads, 1);
            kind = hub_read(load->hub, f->partition, at, 1 << 20, true, &arena, &frames, &err);
        }
        check(kind, &err);
        if (frames.count > 0) {
            const struct log_frame *last = &frames.items[frames.count - 1];
            (void)atomic_fetch_add(&load->read_events, (uint64_t)(last->first + last->count - at));
            at = last->first + last->count;
            continue;
        }
        f->is_woken = false;
        f->waiter.woken = wake;
        hub_wait(load->hub, f->partition, at, &f->waiter);
        (void)pthread_mutex_lock(&f->lock);
        while (!f->is_woken) (void)pthread_cond_wait(&f->cond, &f->lock);
        (void)pthread_mutex_unlock(&f->lock);
        hub_unwait(&f->waiter);
    }
    rf_arena_done(&arena);
    return NULL;
}

static void measure_load(struct hub_namespace *space, const char *name, uint32_t count,
                         size_t bytes, bool durable, double seconds)
{
    struct load *load = calloc(1, sizeof *load);
    struct follower followers[PARTITIONS];
    pthread_t threads[PARTITIONS];
    size_t len;
    if (load == NULL) die("load", "no memory");
    uint8_t *batch = make_batch(count, bytes, &len);
    load->hub = add_hub(space, name, PARTITIONS, durable);
    load->lock = (pthread_mutex_t)PTHREAD_MUTEX_INITIALIZER;
    load->cond = (pthread_cond_t)PTHREAD_COND_INITIALIZER;
    atomic_store(&load->under_way, PARTITIONS * UNDER_WAY);
    rf_usec cpu = rf_clock_cpu();
    int64_t from = now_us();
    for (uint32_t p = 0; p < PARTITIONS; p++) {
        followers[p] = (struct follower){.load = load,
                                         .partition = p,
                                         .lock = PTHREAD_MUTEX_INITIALIZER,
                                         .cond = PTHREAD_COND_INITIALIZER};
        if (pthread_create(&threads[p], NULL, follow, &followers[p]) != 0) die("load", "thread");
        for (uint32_t i = 0; i < UNDER_WAY; i++) {
            struct slot *slot = &load->slots[p][i];
            *slot = (struct slot){.append = {.batch = malloc(len),
                                             .len = len,
                                             .count = count,
                                             .producer.id = -1,
                                             .done = end_slot},
                                  .load = load,
                                  .partition = p};
            if (slot->append.batch == NULL) die("load", "no memory");
            memcpy(slot->append.batch, batch, len);
            send(slot);
        }
    }
    wait_until(from + (int64_t)(seconds * 1e6));
    double took = (double)(now_us() - from) / 1e6;
    printf("%s_events_s %.0f\n%s_mb_s %.1f\n%s_read_events_s %.0f\n%s_disk_reads %llu\n", name,
           (double)atomic_load(&load->events) / took, name,
           (double)atomic_load(&load->bytes) / took / 1e6, name,
           (double)atomic_load(&load->read_events) / took, name,
           (unsigned long long)atomic_load(&load->disk_reads));
    printf("%s_cpu_s %.2f\n", name, (double)(rf_clock_cpu() - cpu) / 1e6);
    (void)fflush(stdout);
    atomic_store(&load->ends, true);
    (void)pthread_mutex_lock(&load->lock);
    while (atomic_load(&load->under_way) > 0) (void)pthread_cond_wait(&load->cond, &load->lock);
    (void)pthread_mutex_unlock(&load->lock);
    hubs_drop_hub(space, rf_str_of(name)); /* wakes followers that wait still */
    for (uint32_t p = 0; p < PARTITIONS; p++) (void)pthread_join(threads[p], NULL);
    for (uint32_t p = 0; p < PARTITIONS; p++)
        for (uint32_t i = 0; i < UNDER_WAY; i++) free(load->slots[p][i].append.batch);
    hub_unref(load->hub);
    free(load);
    free(batch);
}

/* ---- many partitions at rest ------------------------------------------------------------------------------------------ */

static void fill_idle(const char *dir)
{
    struct hub_namespace *space;
    struct hubs *hubs = start(dir, &space);
    size_t len;
    uint8_t *batch = make_batch(10, 200, &len);
    for (int h = 0; h < IDLE_HUBS; h++) {
        char name[16];
        (void)snprintf(name, sizeof name, "idle%d", h);
        struct hub *hub = add_hub(space, name, IDLE_PARTITIONS, false);
        for (uint32_t p = 0; p < IDLE_PARTITIONS; p++) {
            struct rf_err err;
            struct hub_append append = {.batch = batch, .len = len, .count = 10, .producer.id = -1};
            check(hub_append_wait(hub, p, &append, &err), &err);
        }
        hub_unref(hub);
    }
    free(batch);
    hubs_free(hubs);
}

static void measure_idle(const char *dir)
{
    fill_idle(dir);
    struct hub_namespace *space;
    struct rf_err err;
    long before = rss_kb();
    int64_t from = now_us();
    struct hubs *hubs = start(dir, &space);
    for (int h = 0; h < IDLE_HUBS; h++) {
        char name[16];
        (void)snprintf(name, sizeof name, "idle%d", h);
        hub_unref(add_hub(space, name, IDLE_PARTITIONS, false));
    }
    printf("start_ms %.1f\nidle_rss_kb %ld\n", (double)(now_us() - from) / 1e3, rss_kb() - before);
    from = now_us();
    for (int h = 0; h < IDLE_HUBS; h++) {
        char name[16];
        struct hub *hub;
        (void)snprintf(name, sizeof name, "idle%d", h);
        check(hub_find(space, rf_str_of(name), &hub, &err), &err);
        for (uint32_t p = 0; p < IDLE_PARTITIONS; p++) {
            struct hub_partition_info info;
            check(hub_partition_info(hub, p, &info, &err), &err);
            if (info.end != 10) die("idle", "events are missing");
        }
        hub_unref(hub);
    }
    printf("open_all_ms %.1f\nopen_rss_kb %ld\n", (double)(now_us() - from) / 1e3,
           rss_kb() - before);
    for (int h = 0; h < IDLE_HUBS; h++) {
        char name[16];
        (void)snprintf(name, sizeof name, "idle%d", h);
        hubs_drop_hub(space, rf_str_of(name)); /* and their files */
    }
    hubs_free(hubs);
}

int main(int argc, char **argv)
{
    if (argc != 3) die("usage", "hub_load DIR SECONDS");
    double seconds = strtod(argv[2], NULL);
    struct rf_err err;
    struct rlimit files = {.rlim_cur = 8192, .rlim_max = 8192};
    if (seconds < 1) die("usage", "at least one second");
    (void)setrlimit(RLIMIT_NOFILE, &files);
    if (rf_fs_mkdirs(rf_fs_real(), argv[1], &err) != RF_OK) die("folder", err.text);
    int64_t *us = calloc(SAMPLES_MAX, sizeof *us);
    if (us == NULL) die("start", "no memory");
    measure_idle(argv[1]);
    measure_disk(argv[1], us, seconds);
    struct hub_namespace *space;
    struct hubs *hubs = start(argv[1], &space);
    measure_latency(space, argv[1], seconds);
    measure_load(space, "small", 500, 200, true, seconds);
    measure_load(space, "large", 250, 1000, true, seconds);
    measure_load(space, "os", 500, 200, false, seconds);
    measure_disk(argv[1], us, seconds); /* again: others may use the disk too */
    hubs_drop_hub(space, RF_S("latency"));
    hubs_free(hubs);
    free(us);
    return 0;
}
