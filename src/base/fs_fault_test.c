#include "base/fs_fault.h"
#include "test/rf_prop.h"

#include <errno.h>

static void fault_cleanup(struct rf_fs_fault **fault) { rf_fs_fault_free(*fault); }

static enum rf_kind read_text(struct rf_fs *fs, const char *path, struct rf_arena *arena,
                              rf_str *out)
{
    struct rf_err err;
    return rf_fs_read_all(fs, path, 1 << 20, arena, out, &err);
}

/* ---- the n-th operation fails ------------------------------------------------------------------
 */

Test(fs_fault, every_operation_of_a_replace_may_fail)
{
    /* Whatever fails, the file holds the old or the new text, whole, and one of the two was said.
     */
    uint64_t last = 1;
    for (uint64_t nth = 1; nth <= last; nth++) {
        RF_CLEANUP(fault_cleanup) struct rf_fs_fault *fault = rf_fs_fault_new(nth);
        RF_CLEANUP(rf_arena_done) struct rf_arena arena;
        rf_arena_init(&arena, 1 << 20);
        struct rf_fs *fs = rf_fs_fault_fs(fault);
        struct rf_err err;
        rf_str text;
        cr_assert(rf_fs_replace(fs, "/f", RF_S("old"), &err) == RF_OK);
        uint64_t before = rf_fs_fault_ops(fault);
        rf_fs_fault_fail_at(fault, nth, EIO, false);
        enum rf_kind kind = rf_fs_replace(fs, "/f", RF_S("new"), &err);
        if (nth == 1) {
            rf_fs_fault_fail_at(fault, 0, 0, false);
            before = rf_fs_fault_ops(fault);
            cr_assert(rf_fs_replace(fs, "/g", RF_S("new"), &err) == RF_OK);
            last = rf_fs_fault_ops(fault) - before;
            cr_assert(last >= 5, "open, write, sync, rename, sync the folder");
        }
        cr_assert(kind == RF_IO && err.os_errno == EIO, "operation %llu", (unsigned long long)nth);
        rf_fs_fault_fail_at(fault, 0, 0, false);
        cr_assert(read_text(fs, "/f", &arena, &text) == RF_OK);
        cr_assert(rf_str_is(text, "old") || (rf_str_is(text, "new") && nth == last));
        cr_assert(!rf_fs_exists(fs, "/f.new"));
    }
}

Test(fs_fault, a_dead_disk_stays_dead)
{
    RF_CLEANUP(fault_cleanup) struct rf_fs_fault *fault = rf_fs_fault_new(1);
    struct rf_fs *fs = rf_fs_fault_fs(fault);
    struct rf_err err;
    rf_fs_fault_fail_at(fault, 2, EROFS, true);
    cr_assert(rf_fs_mkdir(fs, "/a", &err) == RF_OK);
    for (int i = 0; i < 3; i++) cr_assert(rf_fs_mkdir(fs, "/b", &err) == RF_DENIED);
}

Test(fs_fault, the_disk_fills_up)
{
    RF_CLEANUP(fault_cleanup) struct rf_fs_fault *fault = rf_fs_fault_new(1);
    RF_CLEANUP(rf_file_cleanup) struct rf_file *file = NULL;
    struct rf_fs *fs = rf_fs_fault_fs(fault);
    struct rf_err err;
    uint64_t size;
    rf_fs_fault_disk_bytes(fault, 100);
    cr_assert(rf_fs_replace(fs, "/a", rf_str_make("0123456789012345678901234567890123456789", 40),
                            &err) == RF_OK);
    cr_assert(rf_fs_open(fs, "/b", RF_OPEN_WRITE | RF_OPEN_CREATE, &file, &err) == RF_OK);
    cr_assert(rf_file_reserve(file, 61, &err) == RF_LIMIT &&
              rf_file_reserve(file, 60, &err) == RF_OK);
    char bytes[70] = {0};
    cr_assert(rf_file_write(file, bytes, sizeof bytes, &err) == RF_LIMIT);
    cr_assert(strcmp(err.code, "DiskFull") == 0);
    cr_assert(rf_file_size(file, &size, &err) == RF_OK && size == 60, "what fits is written");
    cr_assert(rf_file_pwrite(file, bytes, 60, 0, &err) == RF_OK, "overwriting takes no room");
    cr_assert(rf_fs_unlink(fs, "/a", &err) == RF_OK);
    cr_assert(rf_file_pwrite(file, bytes, 40, 60, &err) == RF_OK);
}

/* ---- the power goes ----------------------------------------------------------------------------
 */

Test(fs_fault, what_was_synced_survives)
{
    for (uint64_t seed = 0; seed < 50; seed++) {
        RF_CLEANUP(fault_cleanup) struct rf_fs_fault *fault = rf_fs_fault_new(seed);
        RF_CLEANUP(rf_arena_done) struct rf_arena arena;
        rf_arena_init(&arena, 1 << 20);
        struct rf_fs *fs = rf_fs_fault_fs(fault);
        struct rf_err err;
        rf_str text;
        struct rf_file *open_file = NULL;
        cr_assert(rf_fs_mkdir(fs, "/d", &err) == RF_OK && rf_fs_sync_dir(fs, "/", &err) == RF_OK);
        cr_assert(rf_fs_replace(fs, "/d/a", RF_S("kept"), &err) == RF_OK);
        cr_assert(rf_fs_open(fs, "/d/a", RF_OPEN_READ, &open_file, &err) == RF_OK);
        cr_assert(rf_file_lock(open_file, false, &err) == RF_OK);
        rf_fs_fault_power_loss(fault);
        cr_assert(read_text(fs, "/d/a", &arena, &text) == RF_OK && rf_str_is(text, "kept"));
        uint8_t byte;
        size_t got;
        cr_assert(rf_file_pread(open_file, &byte, 1, 0, &got, &err) == RF_IO, "of a former life");
        rf_file_close(open_file);
        cr_assert(rf_fs_open(fs, "/d/a", RF_OPEN_READ, &open_file, &err) == RF_OK);
        cr_assert(rf_file_lock(open_file, false, &err) == RF_OK, "locks do not survive");
        rf_file_close(open_file);
    }
}

/* Over many seeds each fate must turn up, or crash tests would test nothing. */
Test(fs_fault, unsynced_things_meet_every_fate)
{
    size_t lost_name = 0, kept_name = 0, dropped = 0, whole = 0, torn = 0, garbled = 0,
           replaced = 0;
    uint8_t bytes[2048];
    memset(bytes, 'n', sizeof bytes);
    for (uint64_t seed = 0; seed < 400; seed++) {
        RF_CLEANUP(fault_cleanup) struct rf_fs_fault *fault = rf_fs_fault_new(seed);
        RF_CLEANUP(rf_arena_done) struct rf_arena arena;
        rf_arena_init(&arena, 1 << 20);
        struct rf_fs *fs = rf_fs_fault_fs(fault);
        struct rf_err err;
        rf_str text;
        struct rf_file *file = NULL;
        uint8_t old[2048];
        memset(old, 'o', sizeof old);
        cr_assert(rf_fs_replace(fs, "/synced", rf_str_make(old, sizeof old), &err) == RF_OK);
        cr_assert(rf_fs_open(fs, "/synced", RF_OPEN_WRITE, &file, &err) == RF_OK);
        cr_assert(rf_file_pwrite(file, bytes, sizeof bytes, 0, &err) == RF_OK);
        rf_file_close(file);
        cr_assert(rf_fs_open(fs, "/fresh", RF_OPEN_WRITE | RF_OPEN_CREATE, &file, &err) == RF_OK);
        cr_assert(rf_file_write(file, "x", 1, &err) == RF_OK && rf_file_sync(file, &err) == RF_OK);
        rf_file_close(file);
        cr_assert(rf_fs_rename(fs, "/fresh", "/renamed", &err) == RF_OK);

        rf_fs_fault_power_loss(fault);
        if (rf_fs_exists(fs, "/fresh"))
            kept_name++;
        else if (rf_fs_exists(fs, "/renamed"))
            replaced++;
        else
            lost_name++;
        cr_assert(read_text(fs, "/synced", &arena, &text) == RF_OK && text.len == sizeof bytes);
        size_t new_sectors = 0, old_sectors = 0;
        for (size_t at = 0; at < text.len; at += 512) {
            new_sectors += memcmp(text.ptr + at, bytes, 512) == 0;
            old_sectors += memcmp(text.ptr + at, old, 512) == 0;
        }
        whole += new_sectors == 4;
        dropped += old_sectors == 4;
        torn += new_sectors > 0 && old_sectors > 0;
        garbled += new_sectors + old_sectors < 4;
    }
    cr_assert(lost_name > 0 && kept_name > 0 && replaced > 0, "%zu %zu %zu", lost_name, kept_name,
              replaced);
    cr_assert(whole > 0 && dropped > 0 && torn > 0 && garbled > 0, "%zu %zu %zu %zu", whole,
              dropped, torn, garbled);
}

Test(fs_fault, a_sync_that_failed_leaves_doubt)
{
    size_t lost = 0, kept = 0;
    for (uint64_t seed = 0; seed < 100; seed++) {
        RF_CLEANUP(fault_cleanup) struct rf_fs_fault *fault = rf_fs_fault_new(seed);
        RF_CLEANUP(rf_arena_done) struct rf_arena arena;
        rf_arena_init(&arena, 1 << 20);
        struct rf_fs *fs = rf_fs_fault_fs(fault);
        struct rf_file *file = NULL;
        struct rf_err err;
        rf_str text;
        cr_assert(rf_fs_open(fs, "/f", RF_OPEN_WRITE | RF_OPEN_CREATE, &file, &err) == RF_OK);
        cr_assert(rf_fs_sync_dir(fs, "/", &err) == RF_OK &&
                  rf_file_write(file, "abc", 3, &err) == RF_OK);
        rf_fs_fault_fail_at(fault, 1, EIO, false);
        cr_assert(rf_file_sync(file, &err) == RF_IO);
        cr_assert(rf_file_sync(file, &err) == RF_OK, "the kernel has forgotten that it failed");
        rf_file_close(file);
        rf_fs_fault_power_loss(fault);
        cr_assert(read_text(fs, "/f", &arena, &text) == RF_OK);
        kept += text.len == 3;
        lost += text.len == 0;
    }
    cr_assert(kept > 10 && lost > 10);
}

Test(fs_fault, stops_at_a_sync)
{
    RF_CLEANUP(fault_cleanup) struct rf_fs_fault *fault = rf_fs_fault_new(3);
    struct rf_fs *fs = rf_fs_fault_fs(fault);
    struct rf_err err;
    rf_fs_fault_stop_at_sync(fault, 2);
    cr_assert(rf_fs_replace(fs, "/a", RF_S("x"), &err) == RF_IO, "its second sync is the folder's");
    cr_assert(rf_fs_mkdir(fs, "/b", &err) == RF_IO && rf_fs_fault_syncs(fault) == 2);
    rf_fs_fault_power_loss(fault);
    cr_assert(rf_fs_mkdir(fs, "/b", &err) == RF_OK);
}

/* Random work on one file, with a model of what must be there after the power went: each byte that
 * was synced and not written since. */
RF_PROP(fs_fault_keeps_synced_bytes, 500)
{
    enum { FILE_BYTES = 8192 };
    static uint8_t now[FILE_BYTES];
    static bool certain[FILE_BYTES];
    memset(certain, 1, sizeof certain);
    memset(now, 0, sizeof now);
    RF_CLEANUP(fault_cleanup) struct rf_fs_fault *fault = rf_fs_fault_new(rf_test_u64(prng));
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 1 << 20);
    struct rf_fs *fs = rf_fs_fault_fs(fault);
    struct rf_err err;
    struct rf_file *file = NULL;
    rf_str text;
    cr_assert(rf_fs_replace(fs, "/f", rf_str_make(now, sizeof now), &err) == RF_OK);
    cr_assert(rf_fs_open(fs, "/f", RF_OPEN_WRITE, &file, &err) == RF_OK);
    for (uint32_t step = 0; step < prng->size; step++) {
        if (rf_test_one_in(prng, 6)) {
            cr_assert(rf_file_sync(file, &err) == RF_OK);
            memset(certain, 1, sizeof certain);
            continue;
        }
        size_t at = (size_t)rf_test_below(prng, FILE_BYTES);
        size_t len = (size_t)rf_test_below(prng, RF_MIN(FILE_BYTES - at, (size_t)1500) + 1);
        for (size_t i = at; i < at + len; i++) {
            now[i] = (uint8_t)rf_test_u64(prng);
            certain[i] = false;
        }
        cr_assert(rf_file_pwrite(file, now + at, len, at, &err) == RF_OK);
    }
    cr_assert(read_text(fs, "/f", &arena, &text) == RF_OK &&
              memcmp(text.ptr, now, sizeof now) == 0);
    rf_fs_fault_power_loss(fault);
    rf_file_close(file);
    cr_assert(read_text(fs, "/f", &arena, &text) == RF_OK && text.len == sizeof now);
    for (size_t i = 0; i < sizeof now; i++)
        cr_assert(!certain[i] || text.ptr[i] == now[i], "byte %zu", i);
    cr_assert(rf_fs_fault_flip(fault, "/f", 5, 3) && !rf_fs_fault_flip(fault, "/f", FILE_BYTES, 0));
    uint8_t before = text.ptr[5];
    cr_assert(read_text(fs, "/f", &arena, &text) == RF_OK && text.ptr[5] == (before ^ 8));
}
