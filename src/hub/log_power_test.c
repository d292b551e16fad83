/* Everything that a log does, in any order, until the power goes or an operation fails: then again, on the files that are left. */
#include "hub/log.h"

#include <errno.h>

#include "base/fs_fault.h"
#include "hub/record_int.h"
#include "test/rf_prop.h"

enum { RECORDS_MAX = 6000, ARENA_BYTES = 64 << 20, KEYS = 6, ROUNDS = 4 };

/* What is known of a number: its record, and the frame that it came in. */
struct known {
    uint64_t tag; /* its value begins with it */
    rf_usec enqueued;
    int8_t key; /* -1: none */
    bool is_tombstone;
};
struct story {
    struct rf_fs_fault *fault;
    struct log_options options;
    struct log *log;
    struct known records[RECORDS_MAX]; /* by number */
    int64_t end;                       /* behind the last one that was written */
    int64_t synced;                    /* below it everything must be there */
    int64_t begin, begin_max;          /* nothing is below; up to where may have been removed */
    rf_usec tombstones;                /* older ones may be gone */
    rf_usec now;
    bool compacted;
    uint64_t tags;
};
static struct story the_story;

/* ---- writing ---------------------------------------------------------------------------------------------------- */

static rf_str make_batch(struct story *s, struct rf_prng *prng, struct rf_arena *arena,
                         int64_t first, uint32_t count)
{
    struct rf_buf buf = rf_buf_in(arena);
    struct batch_builder builder;
    struct rf_err err;
    batch_begin(&builder, &buf);
    for (uint32_t i = 0; i < count; i++) {
        struct known *k = &s->records[first + i];
        *k = (struct known){.tag = ++s->tags, .enqueued = s->now, .key = -1};
        if (!rf_test_one_in(prng, 5)) k->key = (int8_t)rf_test_below(prng, KEYS);
        k->is_tombstone = k->key >= 0 && rf_test_one_in(prng, 6);
        char key[] = {(char)('a' + RF_MAX(k->key, 0)), 0};
        uint8_t raw[400];
        rf_str padding = rf_test_bytes(prng, raw, sizeof raw, "xyz");
        rf_str value =
            rf_arena_printf(arena, "%llu %.*s", (unsigned long long)k->tag, RF_FMT(padding));
        batch_add(&builder, (int64_t)k->tag, k->key < 0 ? (rf_str){0} : rf_str_of(key),
                  k->is_tombstone ? (rf_str){0} : value, NULL, 0);
    }
    cr_assert(batch_end(&builder, (enum batch_codec)rf_test_below(prng, 5), NULL, &err) == RF_OK);
    batch_number(buf.ptr, first);
    return rf_buf_view(&buf);
}

/* One to three writes and a sync. False: something failed. */
static bool append(struct story *s, struct rf_prng *prng)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, ARENA_BYTES);
    struct rf_err err;
    bool durable = !rf_test_one_in(prng, 5);
    for (uint64_t writes = 1 + rf_test_below(prng, 3); writes > 0; writes--) {
        struct log_frame frames[3];
        uint32_t count = 1 + (uint32_t)rf_test_below(prng, 3);
        int64_t first = log_next(s->log);
        for (uint32_t i = 0; i < count; i++) {
            uint32_t records = 1 + (uint32_t)rf_test_below(prng, 4);
            if (first + records > RECORDS_MAX) return true;
            s->now += (rf_usec)rf_test_below(prng, 3) * RF_USEC_PER_SECOND;
            frames[i] = (struct log_frame){.first = first,
                                           .count = records,
                                           .enqueued = s->now,
                                           .batch = make_batch(s, prng, &arena, first, records)};
            first += records;
        }
        enum rf_kind kind = log_write(s->log, frames, count, &err);
        /* A write that failed may have reached the disk all the same, when the power goes before it is undone. */
        s->end = RF_MAX(first, s->end);
        if (kind != RF_OK) return false;
    }
    if (log_sync(s->log, durable, &err) != RF_OK) return false;
    s->end = log_next(s->log);
    if (durable) s->synced = s->end;
    return true;
}

/* ---- upkeep ----------------------------------------------------------------------------------------------------- */

static int64_t first_since(const struct story *s, rf_usec time)
{
    int64_t number = s->begin;
    while (number < s->end && s->records[number].enqueued < time) number++;
    return number;
}

static bool retain(struct story *s, struct rf_prng *prng)
{
    struct rf_err err;
    struct log_info info;
    rf_usec before = INT64_MIN;
    uint64_t bytes_max = 0;
    log_info(s->log, &info);
    if (rf_test_bool(prng)) {
        before = s->now - (rf_usec)rf_test_below(prng, 40) * RF_USEC_PER_SECOND;
        if (rf_test_one_in(prng, 5)) before = INT64_MAX;
        s->begin_max = RF_MAX(s->begin_max, RF_MIN(first_since(s, before), info.end));
    } else {
        bytes_max = 1 + rf_test_below(prng, 2 * info.bytes);
        s->begin_max = RF_MAX(s->begin_max, info.end);
    }
    if (log_retain(s->log, before, bytes_max, &err) != RF_OK) return false;
    return true;
}

static bool cut(struct story *s, struct rf_prng *prng)
{
    struct rf_err err;
    struct log_info info;
    log_info(s->log, &info);
    int64_t number =
        rf_test_one_in(prng, 3) ? info.end : rf_test_between(prng, info.begin, info.end);
    s->begin_max = RF_MAX(s->begin_max, number);
    if (log_cut_front(s->log, number, &err) != RF_OK) return false;
    /* What was cut never comes back, and so neither does the number behind it. */
    s->begin = RF_MAX(s->begin, number);
    s->synced = RF_MAX(s->synced, number);
    return true;
}

static bool compact(struct story *s, struct rf_prng *prng)
{
    struct rf_err err;
    rf_usec before = s->now - (rf_usec)rf_test_below(prng, 60) * RF_USEC_PER_SECOND;
    s->tombstones = RF_MAX(s->tombstones, before);
    s->compacted = true;
    return log_compact(s->log, before, &err) == RF_OK;
}

static bool act(struct story *s, struct rf_prng *prng)
{
    switch (rf_test_below(prng, 12)) {
    case 0:
        return retain(s, prng);
    case 1:
        return cut(s, prng);
    case 2:
        return compact(s, prng);
    default:
        return append(s, prng);
    }
}

/* ---- reading ---------------------------------------------------------------------------------------------------- */

/* A record may be missing when it was compacted away: a later one has its key, or it is an old tombstone. */
static bool may_be_gone(const struct story *s, int64_t number, int64_t end)
{
    const struct known *k = &s->records[number];
    if (!s->compacted || k->key < 0) return false;
    if (k->is_tombstone && k->enqueued < s->tombstones) return true;
    for (int64_t i = number + 1; i < end; i++)
        if (s->records[i].key == k->key) return true;
    return false;
}

static void check_record(const struct story *s, const struct record *record, rf_usec enqueued)
{
    const struct known *k = &s->records[record->offset];
    cr_assert(record->time_ms == (int64_t)k->tag, "number %lld is another record",
              (long long)record->offset);
    cr_assert((record->key.ptr == NULL) == (k->key < 0) && enqueued == k->enqueued);
    cr_assert(k->key < 0 || record->key.ptr[0] == 'a' + k->key);
    cr_assert((record->value.ptr == NULL) == k->is_tombstone);
    if (record->value.ptr != NULL)
        cr_assert(strtoull((const char *)record->value.ptr, NULL, 10) == k->tag);
}

/* Each number from begin to end: there once, in order and as it was written, or compacted away. */
struct reading {
    const struct story *s;
    int64_t begin, end, next;
    rf_usec last;
};

static void check_frame(struct reading *r, const struct log_frame *frame, struct rf_arena *arena)
{
    struct batch_head head;
    struct record_reader reader;
    struct record record;
    struct rf_err err;
    rf_str inflated;
    bool more;
    cr_assert(batch_read(frame->batch, &head, &err) == RF_OK, "%s", err.text);
    cr_assert(head.base_offset == frame->first && frame->enqueued >= r->last);
    cr_assert(batch_inflate(&head, arena, &inflated, &err) == RF_OK, "%s", err.text);
    r->last = frame->enqueued;
    record_reader_init(&reader, &head, inflated);
    for (;;) {
        cr_assert(record_next(&reader, &record, &more, &err) == RF_OK, "%s", err.text);
        if (!more) break;
        if (record.offset < r->begin) continue;
        cr_assert(record.offset >= r->next, "number %lld is there twice", (long long)record.offset);
        for (; r->next < record.offset; r->next++)
            cr_assert(may_be_gone(r->s, r->next, r->end), "number %lld is lost",
                      (long long)r->next);
        check_record(r->s, &record, frame->enqueued);
        r->next = record.offset + 1;
    }
}

static void check_frames(const struct story *s, const struct log_info *info)
{
    struct reading r = {.s = s, .begin = info->begin, .next = info->begin, .end = info->end};
    for (int64_t from = info->begin; from < info->end;) {
        RF_CLEANUP(rf_arena_done) struct rf_arena arena;
        rf_arena_init(&arena, ARENA_BYTES);
        struct log_frames got;
        struct rf_err err;
        cr_assert(log_read(s->log, from, 40000, &arena, &got, &err) == RF_OK, "%s", err.text);
        cr_assert(got.count > 0, "nothing is there from %lld on", (long long)from);
        for (uint32_t i = 0; i < got.count; i++) check_frame(&r, &got.items[i], &arena);
        from = got.items[got.count - 1].first + got.items[got.count - 1].count;
    }
    cr_assert(r.next == info->end, "the last record of a log always stays");
}

static void check(struct story *s)
{
    struct log_info info;
    struct rf_err err;
    log_info(s->log, &info);
    cr_assert(info.end >= s->synced, "%lld were synced, %lld are there", (long long)s->synced,
              (long long)info.end);
    cr_assert(info.end <= s->end, "%lld were written, %lld are there", (long long)s->end,
              (long long)info.end);
    cr_assert(info.begin >= s->begin && info.begin <= s->begin_max, "it begins at %lld",
              (long long)info.begin);
    cr_assert(info.end == 0 || info.last_enqueued >= s->records[info.end - 1].enqueued);
    check_frames(s, &info);
    cr_assert(log_verify(s->log, &err) == RF_OK, "%s", err.text);
    s->begin_max = RF_MAX(s->begin_max, info.begin);
}

/* ---- the story -------------------------------------------------------------------------------------------------- */

static void story_begin(struct story *s, struct rf_prng *prng)
{
    memset(s, 0, sizeof *s);
    s->fault = rf_fs_fault_new(rf_test_u64(prng));
    s->now = 1700000000000000;
    s->options = (struct log_options){.fs = rf_fs_fault_fs(s->fault),
                                      .folder = "/hubs/one/0",
                                      .segment_bytes = 800 + rf_test_below(prng, 6000),
                                      .segment_usec = 20 * RF_USEC_PER_SECOND};
    memset(s->options.key, 7, sizeof s->options.key);
}

static void open_again(struct story *s)
{
    struct rf_err err;
    struct log_info info;
    cr_assert(log_open(&s->options, &s->log, &err) == RF_OK, "%s", err.text);
    check(s);
    log_info(s->log, &info);
    s->end = s->synced = info.end; /* opening syncs what it shows */
    s->now = RF_MAX(s->now, info.last_enqueued);
}

RF_PROP(log_keeps_its_word_whatever_is_cut_short, 150)
{
    struct story *s = &the_story;
    story_begin(s, prng);
    for (int round = 0; round < ROUNDS; round++) {
        open_again(s);
        /* At times the first attempt to open it is cut short too. */
        rf_fs_fault_stop_at_sync(s->fault, 1 + rf_test_below(prng, 2 * prng->size));
        for (uint32_t i = 0; i < prng->size && act(s, prng); i++) continue;
        if (!rf_test_one_in(prng, 5)) rf_fs_fault_stop_at_sync(s->fault, 1);
        log_close(s->log);
        rf_fs_fault_power_loss(s->fault);
        if (!rf_test_one_in(prng, 3)) continue;
        struct rf_err err;
        rf_fs_fault_fail_at(s->fault, 1 + rf_test_below(prng, 20), EIO, true);
        if (log_open(&s->options, &s->log, &err) == RF_OK) log_close(s->log);
        rf_fs_fault_fail_at(s->fault, 0, 0, false);
        if (rf_test_bool(prng)) rf_fs_fault_power_loss(s->fault);
    }
    open_again(s);
    log_close(s->log);
    rf_fs_fault_free(s->fault);
}

/* Single operations fail while it runs, and the power goes some time later. What failed is not there while the program runs; when the
 * disk also refused to undo it, it may come back. */
RF_PROP(log_keeps_its_word_when_operations_fail, 150)
{
    struct story *s = &the_story;
    struct rf_err err;
    story_begin(s, prng);
    for (int round = 0; round < ROUNDS; round++) {
        bool broken = false;
        open_again(s);
        for (uint32_t i = 0; i < prng->size && !broken; i++) {
            bool fails = rf_test_one_in(prng, 4);
            if (fails)
                rf_fs_fault_fail_at(s->fault, 1 + rf_test_below(prng, 10),
                                    rf_test_bool(prng) ? EIO : ENOSPC, rf_test_one_in(prng, 6));
            bool good = act(s, prng);
            rf_fs_fault_fail_at(s->fault, 0, 0, false);
            if (good) continue;
            /* Unless the log is broken, what failed is gone for good. */
            broken = log_sync(s->log, true, &err) != RF_OK;
            if (!broken) s->end = s->synced = log_next(s->log);
        }
        log_close(s->log);
        /* When a failed sync could not be undone, the kernel shows what it does not have to write any more: only the disk tells then. */
        if (broken || rf_test_bool(prng)) rf_fs_fault_power_loss(s->fault);
    }
    open_again(s);
    log_close(s->log);
    rf_fs_fault_free(s->fault);
}
