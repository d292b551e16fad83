#include "hub/log.h"

#include <errno.h>
#include <pthread.h>

#include "base/fs_fault.h"
#include "hub/record_int.h"
#include "test/rf_prop.h"

enum { ARENA_BYTES = 256 << 20 };

static struct log_options options_in(struct rf_fs *fs)
{
    struct log_options options = {.fs = fs, .folder = "/hubs/one/0", .segment_bytes = 6000};
    memset(options.key, 7, sizeof options.key);
    return options;
}

/* ---- a model: every frame that was written ------------------------------------------------------------- */

enum { FRAMES_MAX = 3000 };
struct model {
    struct log_frame frames[FRAMES_MAX];
    uint32_t count;
    struct rf_arena arena;
    rf_usec now;
};

static void model_init(struct model *m)
{
    memset(m, 0, sizeof *m);
    rf_arena_init(&m->arena, ARENA_BYTES);
    m->now = 1700000000000000;
}

static int64_t model_next(const struct model *m)
{
    if (m->count == 0) return 0;
    return m->frames[m->count - 1].first + m->frames[m->count - 1].count;
}

/* A batch of `records` records with keys k0..k9. */
static rf_str make_batch(struct rf_prng *prng, struct rf_arena *arena, uint32_t records,
                         int64_t first, size_t value_max)
{
    struct rf_buf buf = rf_buf_in(arena);
    struct batch_builder builder;
    struct rf_err err;
    batch_begin(&builder, &buf);
    for (uint32_t i = 0; i < records; i++) {
        char key[3] = {'k', (char)('0' + rf_test_below(prng, 10)), 0};
        uint8_t *raw = rf_arena_alloc(arena, value_max + 1);
        rf_str value = rf_test_bytes(prng, raw, value_max, NULL);
        if (rf_test_one_in(prng, 6)) value = (rf_str){NULL, 0};
        batch_add(&builder, first, rf_test_one_in(prng, 8) ? (rf_str){NULL, 0} : rf_str_of(key),
                  value, NULL, 0);
    }
    enum batch_codec codec = (enum batch_codec)rf_test_below(prng, 5);
    cr_assert(batch_end(&builder, codec, NULL, &err) == RF_OK);
    batch_number(buf.ptr, first);
    return rf_buf_view(&buf);
}

/* Adds up to `most` frames to the model, which are still to be written. */
static uint32_t model_add(struct model *m, struct rf_prng *prng, uint32_t most)
{
    uint32_t count = 1 + (uint32_t)rf_test_below(prng, most);
    cr_assert(m->count + count <= FRAMES_MAX);
    for (uint32_t i = 0; i < count; i++) {
        int64_t first = model_next(m);
        uint32_t records = 1 + (uint32_t)rf_test_below(prng, 4);
        size_t value_max = rf_test_one_in(prng, 20) ? 20000 : 300;
        m->now += (rf_usec)rf_test_below(prng, 3) * RF_USEC_PER_SECOND;
        m->frames[m->count++] =
            (struct log_frame){.first = first,
                               .count = records,
                               .kind = (uint8_t)rf_test_below(prng, 2),
                               .enqueued = m->now,
                               .batch = make_batch(prng, &m->arena, records, first, value_max)};
    }
    return count;
}

static void same_frame(const struct log_frame *a, const struct log_frame *b)
{
    cr_assert(a->first == b->first && a->count == b->count && a->kind == b->kind);
    cr_assert(a->enqueued == b->enqueued && rf_str_eq(a->batch, b->batch));
}

/* Reads from `from` on to the end in parts of any size and compares; returns the number of frames. */
static uint32_t same_from(struct log *log, const struct model *m, int64_t from,
                          struct rf_prng *prng)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, ARENA_BYTES);
    struct log_frames got;
    struct rf_err err;
    uint32_t at = 0, seen = 0;
    while (at < m->count && m->frames[at].first + m->frames[at].count <= from) at++;
    for (;;) {
        size_t most = rf_test_one_in(prng, 4) ? 0 : (size_t)rf_test_below(prng, 30000);
        rf_arena_reset(&arena);
        cr_assert(log_read(log, from, most, &arena, &got, &err) == RF_OK, "%s", err.text);
        if (got.count == 0) break;
        size_t bytes = 0;
        for (uint32_t i = 0; i < got.count; i++) {
            cr_assert(at < m->count);
            same_frame(&got.items[i], &m->frames[at++]);
            bytes += got.items[i].batch.len;
        }
        cr_assert(got.count == 1 || bytes <= most);
        /* As many as fit. */
        struct log_info info;
        log_info(log, &info);
        if (at < m->count && m->frames[at].first < info.end)
            cr_assert(bytes + m->frames[at].batch.len > most);
        from = got.items[got.count - 1].first + got.items[got.count - 1].count;
        seen += got.count;
    }
    return seen;
}

static void check_all(struct log *log, const struct model *m, struct rf_prng *prng)
{
    struct log_info info;
    struct rf_err err;
    log_info(log, &info);
    cr_assert(info.end == model_next(m), "%lld and not %lld", (long long)info.end,
              (long long)model_next(m));
    (void)same_from(log, m, info.begin, prng);
    if (info.end > info.begin)
        (void)same_from(log, m, rf_test_between(prng, info.begin, info.end), prng);
    cr_assert(log_verify(log, &err) == RF_OK, "%s", err.text);
    if (m->count > 0) {
        const struct log_frame *any = &m->frames[rf_test_below(prng, m->count)];
        rf_usec time = any->enqueued + rf_test_between(prng, -1, 1);
        int64_t want = info.end, got;
        for (uint32_t i = m->count; i-- > 0;)
            if (m->frames[i].enqueued >= time) want = m->frames[i].first;
        cr_assert(log_find_time(log, time, &got, &err) == RF_OK, "%s", err.text);
        cr_assert(got == RF_MAX(want, info.begin));
    }
}

/* ---- plain uses --------------------------------------------------------------------------------------- */

static struct model the_model;

static struct log *opened(const struct log_options *options)
{
    struct log *log = NULL;
    struct rf_err err;
    cr_assert(log_open(options, &log, &err) == RF_OK, "%s", err.text);
    return log;
}

static void add(struct log *log, struct model *m, struct rf_prng *prng, uint32_t most)
{
    struct rf_err err;
    uint32_t count = model_add(m, prng, most);
    cr_assert(log_write(log, &m->frames[m->count - count], count, &err) == RF_OK, "%s", err.text);
    cr_assert(log_next(log) == model_next(m));
    cr_assert(log_sync(log, true, &err) == RF_OK, "%s", err.text);
}

Test(log, begins_empty)
{
    struct rf_fs_fault *fault = rf_fs_fault_new(1);
    struct log_options options = options_in(rf_fs_fault_fs(fault));
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, ARENA_BYTES);
    struct log_frames got;
    struct log_info info;
    struct rf_err err;
    int64_t number = 7;
    for (int i = 0; i < 2; i++) {
        struct log *log = opened(&options);
        log_info(log, &info);
        cr_assert(info.begin == 0 && info.end == 0 && info.last_enqueued == 0);
        cr_assert(info.segment_count == 1);
        cr_assert(log_read(log, 0, 100, &arena, &got, &err) == RF_OK && got.count == 0);
        cr_assert(log_read(log, 1, 100, &arena, &got, &err) == RF_INVALID);
        cr_assert(strcmp(err.code, "OffsetOutOfRange") == 0);
        cr_assert(log_read(log, -1, 100, &arena, &got, &err) == RF_INVALID);
        cr_assert(log_find_time(log, 0, &number, &err) == RF_OK && number == 0);
        cr_assert(log_verify(log, &err) == RF_OK && log_retain(log, INT64_MAX, 1, &err) == RF_OK);
        cr_assert(log_compact(log, INT64_MAX, &err) == RF_OK);
        log_close(log);
    }
    log_close(NULL);
    rf_fs_fault_free(fault);
}

Test(log, shows_nothing_before_the_sync)
{
    struct rf_fs_fault *fault = rf_fs_fault_new(1);
    struct log_options options = options_in(rf_fs_fault_fs(fault));
    struct rf_prng prng = {1, 50};
    struct model *m = &the_model;
    struct log_info info;
    struct rf_err err;
    model_init(m);
    struct log *log = opened(&options);
    uint32_t count = model_add(m, &prng, 3);
    cr_assert(log_write(log, m->frames, count, &err) == RF_OK);
    log_info(log, &info);
    cr_assert(info.end == 0 && log_next(log) == model_next(m));
    uint64_t syncs = rf_fs_fault_syncs(fault);
    cr_assert(log_sync(log, false, &err) == RF_OK);
    cr_assert(rf_fs_fault_syncs(fault) == syncs);
    log_info(log, &info);
    cr_assert(info.end == model_next(m) && info.last_enqueued == m->now);
    cr_assert(log_sync(log, true, &err) == RF_OK && rf_fs_fault_syncs(fault) == syncs + 1);
    cr_assert(log_sync(log, true, &err) == RF_OK && rf_fs_fault_syncs(fault) == syncs + 1);
    log_close(log);
    rf_arena_done(&m->arena);
    rf_fs_fault_free(fault);
}

Test(log, refuses_frames_that_do_not_follow)
{
    struct rf_fs_fault *fault = rf_fs_fault_new(1);
    struct log_options options = options_in(rf_fs_fault_fs(fault));
    struct rf_prng prng = {1, 50};
    struct model *m = &the_model;
    struct rf_err err;
    model_init(m);
    struct log *log = opened(&options);
    add(log, m, &prng, 1);
    (void)model_add(m, &prng, 1);
    struct log_frame good = m->frames[1], bad;
    bad = good, bad.first++;
    cr_assert(log_write(log, &bad, 1, &err) == RF_INVALID && strcmp(err.code, "BadFrame") == 0);
    bad = good, bad.enqueued = m->frames[0].enqueued - 1;
    cr_assert(log_write(log, &bad, 1, &err) == RF_INVALID);
    bad = good, bad.count = 0;
    cr_assert(log_write(log, &bad, 1, &err) == RF_INVALID);
    cr_assert(log_write(log, &good, 1, &err) == RF_OK && log_sync(log, true, &err) == RF_OK);
    check_all(log, m, &prng);
    log_close(log);
    rf_arena_done(&m->arena);
    rf_fs_fault_free(fault);
}

Test(log, does_not_open_with_another_key)
{
    struct rf_fs_fault *fault = rf_fs_fault_new(1);
    struct log_options options = options_in(rf_fs_fault_fs(fault));
    struct rf_prng prng = {1, 50};
    struct model *m = &the_model;
    struct rf_err err;
    struct log *log = opened(&options);
    model_init(m);
    add(log, m, &prng, 1);
    log_close(log);
    options.key[3] ^= 1;
    cr_assert(log_open(&options, &log, &err) == RF_CORRUPT);
    cr_assert(strcmp(err.code, "LogCorrupt") == 0 && strstr(err.text, "another key") != NULL);
    rf_arena_done(&m->arena);
    rf_fs_fault_free(fault);
}

RF_PROP(log_gives_back_what_was_written, 80)
{
    struct rf_fs_fault *fault = rf_fs_fault_new(rf_test_u64(prng));
    struct log_options options = options_in(rf_fs_fault_fs(fault));
    struct model *m = &the_model;
    model_init(m);
    options.segment_bytes = 1000 + rf_test_below(prng, 40000);
    if (rf_test_bool(prng)) options.segment_usec = 20 * RF_USEC_PER_SECOND;
    struct log *log = opened(&options);
    for (uint32_t i = 0; i < prng->size; i++) {
        add(log, m, prng, 6);
        if (rf_test_one_in(prng, 20)) check_all(log, m, prng);
        if (!rf_test_one_in(prng, 20)) continue;
        log_close(log);
        log = opened(&options);
    }
    check_all(log, m, prng);
    log_close(log);
    rf_arena_done(&m->arena);
    rf_fs_fault_free(fault);
}

/* ---- faults ------------------------------------------------------------------------------------------- */

/* Any operation may fail. What was told to have failed is not there, what was told to be there is. */
RF_PROP(log_survives_failing_operations, 150)
{
    struct rf_fs_fault *fault = rf_fs_fault_new(rf_test_u64(prng));
    struct log_options options = options_in(rf_fs_fault_fs(fault));
    struct model *m = &the_model;
    struct rf_err err;
    model_init(m);
    bool came_back = false;
    options.segment_bytes = 1000 + rf_test_below(prng, 20000);
    struct log *log = opened(&options);
    for (uint32_t i = 0; i < prng->size; i++) {
        uint32_t before = m->count, count = model_add(m, prng, 4);
        if (rf_test_one_in(prng, 5))
            rf_fs_fault_fail_at(fault, 1 + rf_test_below(prng, 8),
                                rf_test_bool(prng) ? EIO : ENOSPC, rf_test_one_in(prng, 4));
        enum rf_kind kind = log_write(log, &m->frames[before], count, &err);
        if (kind == RF_OK) kind = log_sync(log, true, &err);
        rf_fs_fault_fail_at(fault, 0, 0, false);
        if (kind != RF_OK) m->count = before;
        if (kind == RF_OK || strcmp(err.code, "LogBroken") != 0) {
            /* Broken or not, what can be read is right. */
            struct log_info info;
            log_info(log, &info);
            cr_assert(info.end == model_next(m));
            continue;
        }
        log_close(log);
        if (rf_test_bool(prng)) rf_fs_fault_power_loss(fault);
        log = opened(&options);
        /* The file of a broken log could not be cut: what had failed may have come back. */
        struct log_info info;
        log_info(log, &info);
        cr_assert(info.end >= model_next(m));
        came_back = info.end > model_next(m);
        if (came_back) break;
    }
    if (came_back)
        cr_assert(log_verify(log, &err) == RF_OK, "%s", err.text);
    else
        check_all(log, m, prng);
    log_close(log);
    rf_arena_done(&m->arena);
    rf_fs_fault_free(fault);
}

/* The power goes at any sync. Every synced frame is there once, in order, unaltered; what was not synced may be there, as a first part of
 * what was written. */
RF_PROP(log_survives_power_loss, 200)
{
    struct rf_fs_fault *fault = rf_fs_fault_new(rf_test_u64(prng));
    struct log_options options = options_in(rf_fs_fault_fs(fault));
    struct model *m = &the_model;
    struct rf_err err;
    struct log_info info;
    model_init(m);
    options.segment_bytes = 1000 + rf_test_below(prng, 20000);
    for (uint32_t round = 0; round < 4; round++) {
        struct log *log = opened(&options);
        log_info(log, &info);
        int64_t synced = info.end;
        cr_assert(info.end == model_next(m));
        rf_fs_fault_stop_at_sync(fault, 1 + rf_test_below(prng, 2 * prng->size));
        for (uint32_t i = 0; i < prng->size; i++) {
            uint32_t count = model_add(m, prng, 4);
            /* A sync for several writes, at times. */
            if (log_write(log, &m->frames[m->count - count], count, &err) != RF_OK) break;
            if (rf_test_one_in(prng, 3)) continue;
            bool durable = !rf_test_one_in(prng, 6);
            if (log_sync(log, durable, &err) != RF_OK) break;
            if (durable) synced = model_next(m);
        }
        bool clean = rf_test_one_in(prng, 5);
        if (!clean) rf_fs_fault_stop_at_sync(fault, 1); /* closing syncs nothing any more */
        log_close(log);
        rf_fs_fault_power_loss(fault);
        log = opened(&options);
        log_info(log, &info);
        cr_assert(info.end >= synced, "%lld were synced, %lld are there", (long long)synced,
                  (long long)info.end);
        while (m->count > 0 && model_next(m) > info.end) m->count--;
        cr_assert(model_next(m) == info.end);
        m->now = RF_MAX(m->now, info.last_enqueued);
        check_all(log, m, prng);
        log_close(log);
    }
    rf_arena_done(&m->arena);
    rf_fs_fault_free(fault);
}

/* ---- damage ------------------------------------------------------------------------------------------- */

/* Writes `count` frames, one after the other; the file's size before each stands in `at`. */
static void fill(struct log *log, struct model *m, struct rf_prng *prng, uint32_t count,
                 uint64_t *at)
{
    struct log_info info;
    for (uint32_t i = 0; i < count; i++) {
        log_info(log, &info);
        at[i] = info.bytes;
        add(log, m, prng, 1);
    }
}

static const char first_log[] = "/hubs/one/0/00000000000000000000.log";
static const char first_index[] = "/hubs/one/0/00000000000000000000.index";

/* A byte anywhere in the middle: it is seen when it is read, and when the log is opened without an index. */
RF_PROP(log_sees_a_flipped_bit, 100)
{
    struct rf_fs_fault *fault = rf_fs_fault_new(rf_test_u64(prng));
    struct log_options options = options_in(rf_fs_fault_fs(fault));
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, ARENA_BYTES);
    struct model *m = &the_model;
    struct log_frames got;
    struct log_info info;
    struct rf_err err;
    uint64_t at[20];
    model_init(m);
    options.segment_bytes = 0;
    struct log *log = opened(&options);
    fill(log, m, prng, 20, at);
    uint32_t hit = (uint32_t)rf_test_below(prng, 18);
    uint64_t place = at[hit] + rf_test_below(prng, at[hit + 1] - at[hit]);
    cr_assert(rf_fs_fault_flip(fault, first_log, place, (unsigned)rf_test_below(prng, 8)));
    cr_assert(log_verify(log, &err) == RF_CORRUPT && strcmp(err.code, "LogCorrupt") == 0);
    enum rf_kind kind = log_read(log, m->frames[hit].first, 0, &arena, &got, &err);
    cr_assert(kind == RF_CORRUPT, "%u", hit);
    /* What is before it can be read. */
    if (hit > 0) {
        cr_assert(log_read(log, m->frames[hit - 1].first, 0, &arena, &got, &err) == RF_OK);
        same_frame(&got.items[0], &m->frames[hit - 1]);
    }
    log_close(log);
    if (rf_test_bool(prng)) {
        /* Closed in order: the index spares the reading. */
        log = opened(&options);
        log_info(log, &info);
        cr_assert(info.end == model_next(m) && log_verify(log, &err) == RF_CORRUPT);
        log_close(log);
    }
    cr_assert(rf_fs_unlink(options.fs, first_index, &err) == RF_OK);
    cr_assert(log_open(&options, &log, &err) == RF_CORRUPT, "%u", hit);
    cr_assert(strcmp(err.code, "LogCorrupt") == 0);
    rf_arena_done(&m->arena);
    rf_fs_fault_free(fault);
}

/* The last write is cut at any byte: it goes, all before it stays, and writing goes on. */
RF_PROP(log_cuts_a_torn_tail, 200)
{
    struct rf_fs_fault *fault = rf_fs_fault_new(rf_test_u64(prng));
    struct log_options options = options_in(rf_fs_fault_fs(fault));
    struct model *m = &the_model;
    struct rf_file *file;
    struct rf_err err;
    uint64_t at[6], bytes;
    model_init(m);
    options.segment_bytes = 0;
    struct log *log = opened(&options);
    fill(log, m, prng, 6, at);
    if (rf_test_bool(prng)) {
        log_close(log);
        log = opened(&options);
    }
    uint32_t count = model_add(m, prng, 6);
    struct log_info info;
    log_info(log, &info);
    cr_assert(log_write(log, &m->frames[6], count, &err) == RF_OK);
    rf_fs_fault_stop_at_sync(fault, 1);
    log_close(log);
    rf_fs_fault_stop_at_sync(fault, 0);
    cr_assert(rf_fs_open(options.fs, first_log, RF_OPEN_READ | RF_OPEN_WRITE, &file, &err) ==
              RF_OK);
    cr_assert(rf_file_size(file, &bytes, &err) == RF_OK);
    if (bytes > info.bytes) { /* closing may have cut it */
        uint64_t cut = info.bytes + rf_test_below(prng, bytes - info.bytes);
        cr_assert(rf_file_truncate(file, cut, &err) == RF_OK);
        if (rf_test_bool(prng)) cr_assert(rf_file_pwrite(file, "RFHF torn", 9, cut, &err) == RF_OK);
    }
    rf_file_close(file);
    log = opened(&options);
    log_info(log, &info);
    while (m->count > 6 && model_next(m) > info.end) m->count--;
    check_all(log, m, prng);
    add(log, m, prng, 5);
    check_all(log, m, prng);
    log_close(log);
    log = opened(&options);
    check_all(log, m, prng);
    log_close(log);
    rf_arena_done(&m->arena);
    rf_fs_fault_free(fault);
}

/* Indexes are only for speed: without them, or with spoiled ones, all is the same. */
RF_PROP(log_makes_lost_indexes_anew, 60)
{
    struct rf_fs_fault *fault = rf_fs_fault_new(rf_test_u64(prng));
    struct log_options options = options_in(rf_fs_fault_fs(fault));
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, ARENA_BYTES);
    struct model *m = &the_model;
    struct rf_err err;
    rf_str *names;
    size_t count;
    char path[200];
    model_init(m);
    options.segment_bytes = 20000;
    struct log *log = opened(&options);
    for (uint32_t i = 0; i < prng->size; i++) add(log, m, prng, 6);
    log_close(log);
    cr_assert(rf_fs_list(options.fs, options.folder, &arena, &names, &count, &err) == RF_OK);
    for (size_t i = 0; i < count; i++) {
        if (!rf_str_ends(names[i], RF_S(".index"))) continue;
        (void)snprintf(path, sizeof path, "%s/%.*s", options.folder, RF_FMT(names[i]));
        if (rf_test_one_in(prng, 3))
            cr_assert(rf_fs_unlink(options.fs, path, &err) == RF_OK);
        else if (rf_test_bool(prng))
            cr_assert(rf_fs_fault_flip(fault, path, rf_test_below(prng, 96), 3));
    }
    log = opened(&options);
    check_all(log, m, prng);
    log_close(log);
    rf_arena_done(&m->arena);
    rf_fs_fault_free(fault);
}

Test(log, tells_that_a_segment_is_missing)
{
    struct rf_fs_fault *fault = rf_fs_fault_new(1);
    struct log_options options = options_in(rf_fs_fault_fs(fault));
    struct rf_prng prng = {1, 50};
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, ARENA_BYTES);
    struct model *m = &the_model;
    struct rf_err err;
    rf_str *names;
    size_t count;
    char path[200] = "";
    model_init(m);
    options.segment_bytes = 2000;
    struct log *log = opened(&options);
    for (uint32_t i = 0; i < 40; i++) add(log, m, &prng, 6);
    log_close(log);
    cr_assert(rf_fs_list(options.fs, options.folder, &arena, &names, &count, &err) == RF_OK);
    cr_assert(count > 6 && rf_str_ends(names[3], RF_S(".log")));
    (void)snprintf(path, sizeof path, "%s/%.*s", options.folder, RF_FMT(names[3]));
    cr_assert(rf_fs_unlink(options.fs, path, &err) == RF_OK);
    cr_assert(log_open(&options, &log, &err) == RF_CORRUPT);
    cr_assert(strstr(err.text, "missing") != NULL, "%s", err.text);
    rf_arena_done(&m->arena);
    rf_fs_fault_free(fault);
}

/* ---- retention, cutting ------------------------------------------------------------------------------- */

RF_PROP(log_retains_by_age_size_and_number, 80)
{
    struct rf_fs_fault *fault = rf_fs_fault_new(rf_test_u64(prng));
    struct log_options options = options_in(rf_fs_fault_fs(fault));
    struct model *m = &the_model;
    struct log_info info, before;
    struct rf_err err;
    model_init(m);
    options.segment_bytes = 1000 + rf_test_below(prng, 8000);
    struct log *log = opened(&options);
    for (uint32_t i = 0; i < prng->size; i++) {
        add(log, m, prng, 5);
        if (!rf_test_one_in(prng, 6)) continue;
        log_info(log, &before);
        rf_usec age = m->frames[rf_test_below(prng, m->count)].enqueued;
        if (rf_test_one_in(prng, 8)) age = INT64_MAX;
        uint64_t most = 1 + rf_test_below(prng, 2 * before.bytes);
        int64_t cut;
        switch (rf_test_below(prng, 3)) {
        case 0:
            cr_assert(log_retain(log, age, 0, &err) == RF_OK, "%s", err.text);
            log_info(log, &info);
            /* Nothing young went; all old segments did. */
            for (uint32_t f = 0; f < m->count; f++)
                if (m->frames[f].enqueued >= age)
                    cr_assert(m->frames[f].first >= info.begin ||
                              m->frames[f].first < before.begin);
            if (age == INT64_MAX) cr_assert(info.begin == info.end && info.segment_count == 1);
            break;
        case 1:
            cr_assert(log_retain(log, INT64_MIN, most, &err) == RF_OK);
            log_info(log, &info);
            cr_assert(info.bytes <= most || info.segment_count == 1);
            break;
        default:
            cut = rf_test_between(prng, before.begin, before.end);
            cr_assert(log_cut_front(log, cut, &err) == RF_OK, "%s", err.text);
            log_info(log, &info);
            cr_assert(info.begin == cut);
            cr_assert(cut < info.end || info.segment_count == 1, "files go when all of them may");
            cr_assert(log_cut_front(log, info.end + 1, &err) == RF_INVALID);
            break;
        }
        cr_assert(info.end == before.end && info.begin >= before.begin);
        cr_assert(info.last_enqueued == m->now);
        if (rf_test_bool(prng)) {
            log_close(log);
            if (rf_test_bool(prng)) rf_fs_fault_power_loss(fault);
            log = opened(&options);
            log_info(log, &before);
            cr_assert(before.begin == info.begin && before.end == info.end);
            cr_assert(before.last_enqueued == m->now);
        }
        check_all(log, m, prng);
    }
    log_close(log);
    rf_arena_done(&m->arena);
    rf_fs_fault_free(fault);
}

/* The power goes while it cuts: the begin is one of those that were asked for, and the end stays. */
RF_PROP(log_keeps_its_end_when_power_goes_in_retention, 150)
{
    struct rf_fs_fault *fault = rf_fs_fault_new(rf_test_u64(prng));
    struct log_options options = options_in(rf_fs_fault_fs(fault));
    struct model *m = &the_model;
    struct log_info before, info;
    struct rf_err err;
    model_init(m);
    struct log *log = opened(&options);
    for (uint32_t i = 0; i < 2 + prng->size / 4; i++) add(log, m, prng, 5);
    log_info(log, &before);
    int64_t cut = rf_test_bool(prng) ? before.end : rf_test_between(prng, 0, before.end);
    rf_fs_fault_stop_at_sync(fault, 1 + rf_test_below(prng, 6));
    enum rf_kind kind =
        rf_test_bool(prng) ? log_retain(log, INT64_MAX, 0, &err) : log_cut_front(log, cut, &err);
    rf_fs_fault_stop_at_sync(fault, 1);
    log_close(log);
    rf_fs_fault_power_loss(fault);
    log = opened(&options);
    log_info(log, &info);
    cr_assert(info.end == before.end && info.last_enqueued == m->now);
    if (kind == RF_OK) cr_assert(info.begin >= RF_MIN(cut, before.end));
    check_all(log, m, prng);
    add(log, m, prng, 5);
    check_all(log, m, prng);
    log_close(log);
    rf_arena_done(&m->arena);
    rf_fs_fault_free(fault);
}

/* ---- compaction --------------------------------------------------------------------------------------- */

struct seen_record {
    int64_t offset, time_ms;
    rf_str key, value;
    rf_usec enqueued;
};

/* All records of frames; `arena` holds them. */
static uint32_t records_of(const struct log_frame *frames, uint32_t count, struct rf_arena *arena,
                           struct seen_record *out)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < count; i++) {
        struct batch_head head;
        struct record_reader reader;
        struct record record;
        struct rf_err err;
        rf_str inflated;
        bool more;
        cr_assert(batch_read(frames[i].batch, &head, &err) == RF_OK, "%s", err.text);
        cr_assert((uint32_t)head.last_offset_delta + 1 == frames[i].count);
        cr_assert(head.base_offset == frames[i].first && head.record_count > 0);
        cr_assert(batch_inflate(&head, arena, &inflated, &err) == RF_OK);
        record_reader_init(&reader, &head, inflated);
        while (record_next(&reader, &record, &more, &err) == RF_OK && more)
            out[n++] = (struct seen_record){record.offset, record.time_ms, record.key, record.value,
                                            frames[i].enqueued};
    }
    return n;
}

static uint32_t read_records(struct log *log, struct rf_arena *arena, struct seen_record *out)
{
    struct log_info info;
    struct log_frames got;
    struct rf_err err;
    log_info(log, &info);
    cr_assert(log_read(log, info.begin, SIZE_MAX / 4, arena, &got, &err) == RF_OK, "%s", err.text);
    return records_of(got.items, got.count, arena, out);
}

static struct seen_record all_records[4 * FRAMES_MAX], kept_records[4 * FRAMES_MAX];

/* Against what the words say: a record of a closed segment goes when a later one there has its key, or when it is an old tombstone. The
 * last record of a segment stays. */
static void check_compacted(struct log *log, const struct model *m, int64_t closed,
                            rf_usec tombstones)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, ARENA_BYTES);
    struct rf_err err;
    uint32_t all = records_of(m->frames, m->count, &arena, all_records);
    uint32_t kept = read_records(log, &arena, kept_records), k = 0, extra = 0;
    for (uint32_t i = 0; i < all; i++) {
        const struct seen_record *r = &all_records[i];
        bool goes = false;
        for (uint32_t j = i + 1; j < all && all_records[j].offset < closed; j++)
            if (r->key.ptr != NULL && all_records[j].key.ptr != NULL)
                goes = goes || rf_str_eq(r->key, all_records[j].key);
        if (r->value.ptr == NULL && r->key.ptr != NULL && r->enqueued < tombstones) goes = true;
        if (r->offset >= closed) goes = false;
        bool there = k < kept && kept_records[k].offset == r->offset;
        if (!goes) cr_assert(there, "record %lld is gone", (long long)r->offset);
        extra += goes && there;
        if (!there) continue;
        cr_assert(kept_records[k].time_ms == r->time_ms);
        cr_assert(rf_str_eq(kept_records[k].key, r->key));
        cr_assert(rf_str_eq(kept_records[k].value, r->value));
        cr_assert((kept_records[k].value.ptr == NULL) == (r->value.ptr == NULL));
        k++;
    }
    struct log_info info;
    log_info(log, &info);
    cr_assert(k == kept, "nothing is there twice or out of order");
    cr_assert(extra < info.segment_count, "one record at most stays in each segment");
    cr_assert(log_verify(log, &err) == RF_OK, "%s", err.text);
    /* A reader from any number gets on to the end. */
    for (int64_t from = info.begin; from < info.end;) {
        struct log_frames got;
        cr_assert(log_read(log, from, 0, &arena, &got, &err) == RF_OK && got.count == 1);
        cr_assert(got.items[0].first + got.items[0].count > from);
        from = got.items[0].first + got.items[0].count;
    }
}

RF_PROP(log_compacts, 60)
{
    struct rf_fs_fault *fault = rf_fs_fault_new(rf_test_u64(prng));
    struct log_options options = options_in(rf_fs_fault_fs(fault));
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, ARENA_BYTES);
    struct model *m = &the_model;
    struct log_info before, info;
    struct rf_err err;
    rf_str *names;
    size_t count;
    model_init(m);
    options.segment_bytes = 1000 + rf_test_below(prng, 8000);
    struct log *log = opened(&options);
    for (int round = 0; round < 3; round++) {
        for (uint32_t i = 0; i < 1 + prng->size / 4; i++) add(log, m, prng, 5);
        log_info(log, &before);
        /* Numbers of the last segment are in its name. */
        cr_assert(rf_fs_list(options.fs, options.folder, &arena, &names, &count, &err) == RF_OK);
        int64_t closed = 0;
        for (size_t i = 0; i < count; i++)
            if (rf_str_ends(names[i], RF_S(".log")))
                closed = strtoll((const char *)names[i].ptr, NULL, 10);
        rf_usec tombstones = m->frames[rf_test_below(prng, m->count)].enqueued;
        cr_assert(log_compact(log, tombstones, &err) == RF_OK, "%s", err.text);
        log_info(log, &info);
        cr_assert(info.begin == before.begin && info.end == before.end);
        cr_assert(info.bytes <= before.bytes && info.segment_count == before.segment_count);
        if (rf_test_bool(prng)) {
            log_close(log);
            if (rf_test_bool(prng)) rf_fs_fault_power_loss(fault);
            log = opened(&options);
        }
        if (round == 0) check_compacted(log, m, closed, tombstones);
        cr_assert(log_verify(log, &err) == RF_OK, "%s", err.text);
    }
    log_close(log);
    rf_arena_done(&m->arena);
    rf_fs_fault_free(fault);
}

/* Wherever the power goes or an operation fails, each segment is the old or the new one. */
RF_PROP(log_compaction_may_be_cut_short, 100)
{
    struct rf_fs_fault *fault = rf_fs_fault_new(rf_test_u64(prng));
    struct log_options options = options_in(rf_fs_fault_fs(fault));
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, ARENA_BYTES);
    struct model *m = &the_model;
    struct log_info before, info;
    struct rf_err err;
    model_init(m);
    options.segment_bytes = 1500;
    struct log *log = opened(&options);
    for (uint32_t i = 0; i < 3 + prng->size / 4; i++) add(log, m, prng, 5);
    log_info(log, &before);
    bool power = rf_test_bool(prng);
    if (power)
        rf_fs_fault_stop_at_sync(fault, 1 + rf_test_below(prng, 12));
    else
        rf_fs_fault_fail_at(fault, 1 + rf_test_below(prng, 60), EIO, false);
    (void)!log_compact(log, INT64_MIN, &err);
    rf_fs_fault_fail_at(fault, 0, 0, false);
    if (power) {
        rf_fs_fault_stop_at_sync(fault, 1);
        log_close(log);
        rf_fs_fault_power_loss(fault);
        log = opened(&options);
    }
    log_info(log, &info);
    cr_assert(info.begin == before.begin && info.end == before.end);
    cr_assert(log_verify(log, &err) == RF_OK, "%s", err.text);
    /* No key lost its last record. */
    uint32_t all = records_of(m->frames, m->count, &arena, all_records);
    uint32_t kept = read_records(log, &arena, kept_records);
    for (uint32_t i = 0; i < all; i++) {
        bool later = false, there = false;
        for (uint32_t j = i + 1; j < all && all_records[i].key.ptr != NULL; j++)
            later = later || (all_records[j].key.ptr != NULL &&
                              rf_str_eq(all_records[i].key, all_records[j].key));
        for (uint32_t j = 0; j < kept; j++)
            there = there || kept_records[j].offset == all_records[i].offset;
        cr_assert(there || later);
    }
    add(log, m, prng, 3);
    cr_assert(log_compact(log, INT64_MIN, &err) == RF_OK, "%s", err.text);
    log_close(log);
    rf_arena_done(&m->arena);
    rf_fs_fault_free(fault);
}

/* ---- many threads ------------------------------------------------------------------------------------- */

struct crowd {
    struct log *log;
    const struct model *model;
    _Atomic uint32_t written; /* frames that are synced */
    _Atomic bool done;
};

/* Follows the log to its end; each frame comes once and in order. */
static void *follow(void *ctx)
{
    struct crowd *crowd = ctx;
    struct rf_arena arena;
    struct rf_err err;
    rf_arena_init(&arena, ARENA_BYTES);
    int64_t from = 0, found;
    uint32_t at = 0;
    for (bool last = false; !last;) {
        last = atomic_load(&crowd->done);
        uint32_t written = atomic_load(&crowd->written);
        struct log_frames got = {0};
        do {
            rf_arena_reset(&arena);
            RF_ASSERT(log_read(crowd->log, from, 10000, &arena, &got, &err) == RF_OK);
            for (uint32_t i = 0; i < got.count; i++) {
                RF_ASSERT(got.items[i].first == crowd->model->frames[at].first);
                RF_ASSERT(rf_str_eq(got.items[i].batch, crowd->model->frames[at].batch));
                from = got.items[i].first + got.items[i].count;
                at++;
            }
        } while (got.count > 0);
        RF_ASSERT(at >= written);
        RF_ASSERT(log_find_time(crowd->log, crowd->model->frames[at / 2].enqueued, &found, &err) ==
                  RF_OK);
        RF_ASSERT(found <= crowd->model->frames[at / 2].first);
    }
    rf_arena_done(&arena);
    return NULL;
}

Test(log, is_read_while_it_is_written)
{
    struct rf_fs_fault *fault = rf_fs_fault_new(1);
    struct log_options options = options_in(rf_fs_fault_fs(fault));
    struct rf_prng prng = {5, 50};
    struct model *m = &the_model;
    struct rf_err err;
    pthread_t readers[3];
    model_init(m);
    options.segment_bytes = 20000;
    while (m->count + 6 < FRAMES_MAX / 2) (void)model_add(m, &prng, 6);
    struct crowd crowd = {.log = opened(&options), .model = m};
    for (size_t i = 0; i < RF_COUNT(readers); i++)
        cr_assert(pthread_create(&readers[i], NULL, follow, &crowd) == 0);
    for (uint32_t at = 0; at < m->count;) {
        uint32_t count = (uint32_t)RF_MIN(1 + rf_test_below(&prng, 5), (uint64_t)(m->count - at));
        RF_ASSERT(log_write(crowd.log, &m->frames[at], count, &err) == RF_OK);
        RF_ASSERT(log_sync(crowd.log, true, &err) == RF_OK);
        at += count;
        atomic_store(&crowd.written, at);
        if (at % 7 == 0) RF_ASSERT(log_retain(crowd.log, 0, 0, &err) == RF_OK);
    }
    atomic_store(&crowd.done, true);
    for (size_t i = 0; i < RF_COUNT(readers); i++) cr_assert(pthread_join(readers[i], NULL) == 0);
    log_close(crowd.log);
    rf_arena_done(&m->arena);
    rf_fs_fault_free(fault);
}

/* Segments go and are written anew under readers, who see each record's own bytes or that its number is no longer there. */
static void *read_any(void *ctx)
{
    struct crowd *crowd = ctx;
    struct rf_arena arena;
    struct rf_err err;
    struct log_info info;
    struct rf_prng prng = {(uint64_t)(uintptr_t)&arena, 50};
    rf_arena_init(&arena, ARENA_BYTES);
    while (!atomic_load(&crowd->done)) {
        struct log_frames got;
        log_info(crowd->log, &info);
        int64_t from = rf_test_between(&prng, info.begin, info.end);
        rf_arena_reset(&arena);
        enum rf_kind kind = log_read(crowd->log, from, 5000, &arena, &got, &err);
        if (kind != RF_OK) {
            RF_ASSERT(kind == RF_INVALID);
            continue;
        }
        RF_ASSERT(got.count > 0 || from == info.end);
        for (uint32_t i = 0; i < got.count; i++) {
            struct batch_head head;
            RF_ASSERT(batch_read(got.items[i].batch, &head, &err) == RF_OK);
            RF_ASSERT(got.items[i].first + got.items[i].count > from);
        }
    }
    rf_arena_done(&arena);
    return NULL;
}

Test(log, is_read_while_segments_go)
{
    struct rf_fs_fault *fault = rf_fs_fault_new(1);
    struct log_options options = options_in(rf_fs_fault_fs(fault));
    struct rf_prng prng = {6, 50};
    struct model *m = &the_model;
    struct rf_err err;
    pthread_t readers[2];
    model_init(m);
    options.segment_bytes = 3000;
    struct crowd crowd = {.log = opened(&options), .model = m};
    for (uint32_t i = 0; i < 20; i++) add(crowd.log, m, &prng, 5);
    for (size_t i = 0; i < RF_COUNT(readers); i++)
        cr_assert(pthread_create(&readers[i], NULL, read_any, &crowd) == 0);
    for (uint32_t i = 0; i < 60; i++) {
        add(crowd.log, m, &prng, 5);
        if (i % 3 == 0) RF_ASSERT(log_compact(crowd.log, INT64_MIN, &err) == RF_OK);
        if (i % 5 == 0) RF_ASSERT(log_retain(crowd.log, INT64_MIN, 20000, &err) == RF_OK);
    }
    atomic_store(&crowd.done, true);
    for (size_t i = 0; i < RF_COUNT(readers); i++) cr_assert(pthread_join(readers[i], NULL) == 0);
    log_close(crowd.log);
    rf_arena_done(&m->arena);
    rf_fs_fault_free(fault);
}
