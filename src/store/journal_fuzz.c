#include "store/journal.h"

#include <stdlib.h>
#include <xxhash.h>

#include "base/fs_fault.h"
#include "test/rf_fuzz.h"

/* One column of each type. */
static void all_types(struct extent_column out[TYPE_COUNT])
{
    static const char names[] = "abcdefghij";
    for (uint8_t i = 0; i < TYPE_COUNT; i++)
        out[i] = (struct extent_column){.name = rf_str_make(names + i, 1), .type = i};
}

/* Sets every checksum right, as far as the records follow one another. */
static void set_checks(uint8_t *p, size_t len)
{
    if (len < 56) return;
    rf_put_u64le(p + 48, XXH3_64bits(p, 48));
    uint64_t salt = rf_get_u64le(p + 16);
    for (size_t at = 56; at + 96 <= len;) {
        size_t body = rf_get_u32le(p + at + 8);
        if (body > len - at - 96) return;
        XXH128_canonical_t check;
        uint64_t seed = XXH3_64bits_withSeed(p + at, 80, salt);
        XXH128_canonicalFromHash(&check, XXH3_128bits_withSeed(p + at + 96, body, seed));
        memcpy(p + at + 80, check.digest, 16);
        at += 96 + ((body + 7) & ~(size_t)7);
    }
}

static void read_file(rf_str bytes, struct rf_arena *arena)
{
    struct extent_column columns[TYPE_COUNT];
    struct rf_fs_fault *fault = rf_fs_fault_new(1);
    struct rf_file *file;
    struct rf_err err;
    if (fault == NULL) return;
    all_types(columns);
    struct journal_options options = {
        .fs = rf_fs_fault_fs(fault), .path = "/j", .budget = arena->budget};
    struct journal_summary summary;
    struct journal_reader *reader;
    RF_ASSERT(rf_fs_open(options.fs, "/j", RF_OPEN_WRITE | RF_OPEN_CREATE, &file, &err) == RF_OK);
    RF_ASSERT(rf_file_write(file, bytes.ptr, bytes.len, &err) == RF_OK);
    rf_file_close(file);
    if (journal_scan(&options, arena, &summary, &err) == RF_OK &&
        journal_reader_open(&options, summary.end, &reader, &err) == RF_OK) {
        struct journal_batch batch;
        while (journal_read(reader, columns, TYPE_COUNT, INT64_MIN, INT64_MAX, &batch, &err) ==
                   RF_OK &&
               batch.batch.row_count > 0)
            for (uint32_t i = 0; i < batch.batch.column_count; i++)
                for (uint32_t row = 0; row < batch.batch.row_count; row++)
                    (void)vec_value(&batch.batch.columns[i], row);
        journal_reader_free(reader);
    }
    rf_fs_fault_free(fault);
}

/* Any bytes as a batch, as a file, and as a file whose checksums are right. */
RF_FUZZ(journal, text)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    struct extent_column columns[TYPE_COUNT];
    struct journal_batch batch;
    struct rf_err err;
    rf_arena_init(&arena, 64 << 20);
    all_types(columns);
    (void)!journal_batch_decode(text, columns, TYPE_COUNT, &arena, &batch, &err);
    rf_arena_reset(&arena);
    read_file(text, &arena);
    uint8_t *copy = malloc(text.len + 1);
    if (copy == NULL) return;
    memcpy(copy, text.ptr, text.len);
    set_checks(copy, text.len);
    rf_arena_reset(&arena);
    read_file(rf_str_make(copy, text.len), &arena);
    free(copy);
}
