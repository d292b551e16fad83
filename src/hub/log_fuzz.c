#include "hub/log.h"

#include <stdlib.h>

#include "base/fs_fault.h"
#include "hub/log_int.h"
#include "test/rf_fuzz.h"

enum { FRAMES = 12 };
static const char path[] = "/l/00000000000000000000.log";

static struct log_options options_in(struct rf_fs_fault *fault)
{
    struct log_options options = {.fs = rf_fs_fault_fs(fault), .folder = "/l"};
    memset(options.key, 9, sizeof options.key);
    return options;
}

/* Frames of one record each: their batches differ in number and length. */
static void put_frames(struct log *log, struct rf_arena *arena, rf_str *batches)
{
    static const uint8_t value[300];
    struct rf_err err;
    for (uint32_t i = 0; i < FRAMES; i++) {
        struct rf_buf buf = rf_buf_in(arena);
        struct batch_builder builder;
        batch_begin(&builder, &buf);
        batch_add(&builder, i, RF_S("k"), rf_str_make(value, 20 * i), NULL, 0);
        RF_ASSERT(batch_end(&builder, CODEC_NONE, NULL, &err) == RF_OK);
        batch_number(buf.ptr, i);
        batches[i] = rf_buf_view(&buf);
        struct log_frame frame = {
            .first = i, .count = 1, .kind = FRAME_KAFKA, .enqueued = i + 1, .batch = batches[i]};
        RF_ASSERT(log_write(log, &frame, 1, &err) == RF_OK);
        RF_ASSERT(log_sync(log, true, &err) == RF_OK);
    }
}

/* Changes the file as the input says: three bytes of place, one of what to do, one to put there. */
static void spoil(struct rf_fs *fs, rf_str text)
{
    struct rf_file *file;
    struct rf_err err;
    uint64_t bytes;
    RF_ASSERT(rf_fs_open(fs, path, RF_OPEN_READ | RF_OPEN_WRITE, &file, &err) == RF_OK);
    RF_ASSERT(rf_file_size(file, &bytes, &err) == RF_OK);
    for (size_t at = 0; at + 5 <= text.len && bytes > 0; at += 5) {
        const uint8_t *p = text.ptr + at;
        uint64_t place = ((uint64_t)p[0] | (uint64_t)p[1] << 8 | (uint64_t)p[2] << 16) % bytes;
        if (p[3] == 0) {
            RF_ASSERT(rf_file_truncate(file, place, &err) == RF_OK);
            bytes = place;
        } else {
            size_t len = RF_MIN((size_t)p[3], text.len - at - 4);
            RF_ASSERT(rf_file_pwrite(file, p + 4, len, place, &err) == RF_OK);
            bytes = RF_MAX(bytes, place + len);
        }
    }
    rf_file_close(file);
}

/* What is given is what was written, or nothing. */
static void read_all(struct log *log, struct rf_arena *arena, const rf_str *batches)
{
    struct log_frames got;
    struct log_info info;
    struct rf_err err;
    int64_t number;
    log_info(log, &info);
    for (int64_t from = info.begin; from < info.end; from++) {
        if (log_read(log, from, 1000, arena, &got, &err) != RF_OK) continue;
        for (uint32_t i = 0; i < got.count; i++) {
            RF_ASSERT(got.items[i].first < FRAMES);
            RF_ASSERT(rf_str_eq(got.items[i].batch, batches[got.items[i].first]));
        }
    }
    (void)!log_verify(log, &err);
    (void)!log_find_time(log, 5, &number, &err);
}

/* A log whose file and index are spoiled as the input says, then one whose file is the input. */
RF_FUZZ(log, text)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 64 << 20);
    struct rf_fs_fault *fault = rf_fs_fault_new(1);
    struct rf_err err;
    struct log *log;
    rf_str batches[FRAMES];
    if (fault == NULL) return;
    struct log_options options = options_in(fault);
    RF_ASSERT(log_open(&options, &log, &err) == RF_OK);
    put_frames(log, &arena, batches);
    log_close(log);
    if (text.len > 0 && text.ptr[0] % 2 == 0)
        rf_fs_unlink(options.fs, "/l/00000000000000000000.index", &err);
    spoil(options.fs, text.len > 0 ? rf_slice(text, 1, text.len) : text);
    if (log_open(&options, &log, &err) == RF_OK) {
        read_all(log, &arena, batches);
        log_close(log);
    }
    struct rf_file *file;
    RF_ASSERT(rf_fs_open(options.fs, path, RF_OPEN_WRITE | RF_OPEN_CREATE | RF_OPEN_TRUNCATE, &file,
                         &err) == RF_OK);
    RF_ASSERT(rf_file_write(file, text.ptr, text.len, &err) == RF_OK);
    rf_file_close(file);
    if (log_open(&options, &log, &err) == RF_OK) {
        read_all(log, &arena, batches);
        log_close(log);
    }
    rf_fs_fault_free(fault);
}
