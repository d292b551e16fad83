/* The real files and the ones in memory must behave alike, so both run through the same tests. */
#include "base/fs_fault.h"
#include "test/rf_prop.h"

#include <errno.h>

struct stage {
    struct rf_fs *fs;
    struct rf_fs_fault *fault;
    char root[64];
    struct rf_err err;
};

static void stage_init(struct stage *stage, bool real)
{
    *stage = (struct stage){.fs = rf_fs_real()};
    (void)snprintf(stage->root, sizeof stage->root, "/tmp/rf_fs_test.XXXXXX");
    if (real) {
        cr_assert(mkdtemp(stage->root) != NULL);
        return;
    }
    stage->fault = rf_fs_fault_new(1);
    stage->fs = rf_fs_fault_fs(stage->fault);
    cr_assert(rf_fs_mkdirs(stage->fs, stage->root, &stage->err) == RF_OK, "%s", stage->err.text);
}

static void stage_done(struct stage *stage)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 1 << 20);
    rf_str *names;
    size_t count;
    cr_assert(rf_fs_list(stage->fs, stage->root, &arena, &names, &count, NULL) == RF_OK);
    for (size_t i = 0; i < count; i++) {
        rf_str path = rf_arena_printf(&arena, "%s/%.*s", stage->root, RF_FMT(names[i]));
        if (rf_fs_unlink(stage->fs, (const char *)path.ptr, NULL) != RF_OK)
            (void)!rf_fs_rmdir(stage->fs, (const char *)path.ptr, NULL);
    }
    cr_assert(rf_fs_rmdir(stage->fs, stage->root, NULL) == RF_OK);
    rf_fs_fault_free(stage->fault);
}

/* A path under the stage's folder; one at a time. */
static const char *in_stage(const struct stage *stage, const char *name)
{
    static char paths[4][128];
    static int next;
    char *path = paths[next++ % 4];
    (void)snprintf(path, sizeof paths[0], "%s/%s", stage->root, name);
    return path;
}

#define ON_BOTH(test)                                                                              \
    static void test(struct stage *stage);                                                         \
    Test(fs, test)                                                                                 \
    {                                                                                              \
        for (int real = 0; real < 2; real++) {                                                     \
            struct stage stage;                                                                    \
            stage_init(&stage, real != 0);                                                         \
            test(&stage);                                                                          \
            stage_done(&stage);                                                                    \
        }                                                                                          \
    }                                                                                              \
    static void test(struct stage *stage)

ON_BOTH(reads_what_was_written)
{
    RF_CLEANUP(rf_file_cleanup) struct rf_file *file = NULL;
    struct rf_err err;
    uint8_t bytes[32];
    size_t got;
    uint64_t size;
    cr_assert(rf_fs_open(stage->fs, in_stage(stage, "a"),
                         RF_OPEN_READ | RF_OPEN_WRITE | RF_OPEN_CREATE, &file, &err) == RF_OK);
    cr_assert(rf_file_write(file, "hello ", 6, &err) == RF_OK &&
              rf_file_write(file, "world", 5, &err) == RF_OK);
    cr_assert(rf_file_pwrite(file, "W", 1, 6, &err) == RF_OK);
    cr_assert(rf_file_pwrite(file, "!", 1, 15, &err) == RF_OK, "a hole is zeros");
    cr_assert(rf_file_sync(file, &err) == RF_OK);
    cr_assert(rf_file_size(file, &size, &err) == RF_OK && size == 16);
    cr_assert(rf_file_pread(file, bytes, sizeof bytes, 0, &got, &err) == RF_OK && got == 16);
    cr_assert(memcmp(bytes, "hello World\0\0\0\0!", 16) == 0);
    cr_assert(rf_file_pread(file, bytes, 4, 100, &got, &err) == RF_OK && got == 0);
    cr_assert(rf_file_pread_all(file, bytes, 4, 13, &err) == RF_CORRUPT);
    cr_assert(strcmp(err.code, "FileTooShort") == 0);
    cr_assert(rf_file_truncate(file, 5, &err) == RF_OK && rf_file_truncate(file, 7, &err) == RF_OK);
    cr_assert(rf_file_pread_all(file, bytes, 7, 0, &err) == RF_OK &&
              memcmp(bytes, "hello\0\0", 7) == 0);
    cr_assert(rf_file_reserve(file, 4096, &err) == RF_OK);
    cr_assert(rf_file_size(file, &size, &err) == RF_OK && size == 7,
              "reserving does not change the size");
}

ON_BOTH(open_modes_and_their_errors)
{
    struct rf_file *file = NULL, *second = NULL;
    struct rf_err err;
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 1 << 20);
    rf_str text;
    cr_assert(rf_fs_open(stage->fs, in_stage(stage, "a"), RF_OPEN_READ, &file, &err) ==
              RF_NOT_FOUND);
    cr_assert(strcmp(err.code, "FileNotFound") == 0 && strstr(err.text, stage->root) != NULL, "%s",
              err.text);
    unsigned create = RF_OPEN_WRITE | RF_OPEN_CREATE;
    cr_assert(rf_fs_open(stage->fs, in_stage(stage, "a"), create | RF_OPEN_EXCLUSIVE, &file,
                         &err) == RF_OK);
    cr_assert(rf_file_write(file, "12345", 5, &err) == RF_OK);
    rf_file_close(file);
    cr_assert(rf_fs_open(stage->fs, in_stage(stage, "a"), create | RF_OPEN_EXCLUSIVE, &file,
                         &err) == RF_CONFLICT);
    cr_assert(strcmp(err.code, "FileExists") == 0);
    cr_assert(rf_fs_open(stage->fs, in_stage(stage, "a"), RF_OPEN_APPEND, &file, &err) == RF_OK);
    cr_assert(rf_fs_open(stage->fs, in_stage(stage, "a"), RF_OPEN_APPEND, &second, &err) == RF_OK);
    cr_assert(rf_file_write(file, "6", 1, &err) == RF_OK &&
              rf_file_write(second, "7", 1, &err) == RF_OK);
    rf_file_close(file);
    rf_file_close(second);
    cr_assert(rf_fs_read_all(stage->fs, in_stage(stage, "a"), 100, &arena, &text, &err) == RF_OK);
    cr_assert(rf_str_is(text, "1234567") && text.ptr[text.len] == '\0');
    cr_assert(rf_fs_read_all(stage->fs, in_stage(stage, "a"), 6, &arena, &text, &err) == RF_LIMIT);
    cr_assert(strcmp(err.code, "FileTooLarge") == 0);
    cr_assert(rf_fs_open(stage->fs, in_stage(stage, "a"), create | RF_OPEN_TRUNCATE, &file, &err) ==
              RF_OK);
    rf_file_close(file);
    cr_assert(rf_fs_read_all(stage->fs, in_stage(stage, "a"), 6, &arena, &text, &err) == RF_OK &&
              text.len == 0);
    rf_file_close(NULL);
}

ON_BOTH(names_come_and_go)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 1 << 20);
    struct rf_err err;
    struct rf_fs_stat stat;
    rf_str *names, text;
    size_t count;
    struct rf_fs *fs = stage->fs;
    cr_assert(rf_fs_mkdir(fs, in_stage(stage, "d"), &err) == RF_OK);
    cr_assert(rf_fs_mkdir(fs, in_stage(stage, "d"), &err) == RF_CONFLICT);
    cr_assert(rf_fs_mkdirs(fs, in_stage(stage, "d/e/f"), &err) == RF_OK, "%s", err.text);
    cr_assert(rf_fs_mkdirs(fs, in_stage(stage, "d/e/f/"), &err) == RF_OK, "%s", err.text);
    cr_assert(rf_fs_rmdir(fs, in_stage(stage, "d"), &err) == RF_CONFLICT, "it is not empty");
    cr_assert(rf_fs_rmdir(fs, in_stage(stage, "d/e/f"), &err) == RF_OK);
    cr_assert(rf_fs_rmdir(fs, in_stage(stage, "d/e"), &err) == RF_OK);
    cr_assert(rf_fs_replace(fs, in_stage(stage, "b"), RF_S("first"), &err) == RF_OK, "%s",
              err.text);
    cr_assert(rf_fs_replace(fs, in_stage(stage, "b"), RF_S("second"), &err) == RF_OK);
    cr_assert(rf_fs_replace(fs, in_stage(stage, "a"), RF_S("other"), &err) == RF_OK);
    cr_assert(rf_fs_list(fs, stage->root, &arena, &names, &count, &err) == RF_OK && count == 3);
    cr_assert(rf_str_is(names[0], "a") && rf_str_is(names[1], "b") && rf_str_is(names[2], "d"));
    cr_assert(rf_fs_rename(fs, in_stage(stage, "b"), in_stage(stage, "a"), &err) == RF_OK);
    cr_assert(!rf_fs_exists(fs, in_stage(stage, "b")) && rf_fs_exists(fs, in_stage(stage, "a")));
    cr_assert(rf_fs_read_all(fs, in_stage(stage, "a"), 100, &arena, &text, &err) == RF_OK);
    cr_assert(rf_str_is(text, "second"));
    cr_assert(rf_fs_stat(fs, in_stage(stage, "a"), &stat, &err) == RF_OK && stat.bytes == 6 &&
              stat.is_file);
    cr_assert(rf_fs_stat(fs, in_stage(stage, "d"), &stat, &err) == RF_OK && stat.is_dir &&
              !stat.is_file);
    cr_assert(rf_fs_mkdirs(fs, in_stage(stage, "a"), &err) == RF_CONFLICT);
    cr_assert(rf_fs_rename(fs, in_stage(stage, "x"), in_stage(stage, "y"), &err) == RF_NOT_FOUND);
    cr_assert(rf_fs_unlink(fs, in_stage(stage, "a"), &err) == RF_OK);
    cr_assert(rf_fs_unlink(fs, in_stage(stage, "a"), &err) == RF_NOT_FOUND);
    cr_assert(rf_fs_sync_dir(fs, stage->root, &err) == RF_OK);
    cr_assert(rf_fs_sync_dir(fs, in_stage(stage, "nowhere"), &err) == RF_NOT_FOUND);
    cr_assert(rf_fs_list(fs, in_stage(stage, "nowhere"), &arena, &names, &count, &err) ==
              RF_NOT_FOUND);
    cr_assert(rf_fs_stat(fs, in_stage(stage, "nowhere/x"), &stat, &err) == RF_NOT_FOUND);
}

ON_BOTH(maps_outlive_their_file)
{
    struct rf_file *file = NULL;
    struct rf_err err;
    struct rf_map map = {0}, all = {0}, none = {0};
    static uint8_t bytes[10000];
    for (size_t i = 0; i < sizeof bytes; i++) bytes[i] = (uint8_t)(i % 251);
    cr_assert(rf_fs_replace(stage->fs, in_stage(stage, "m"), rf_str_make(bytes, sizeof bytes),
                            &err) == RF_OK);
    cr_assert(rf_fs_open(stage->fs, in_stage(stage, "m"), RF_OPEN_READ, &file, &err) == RF_OK);
    cr_assert(rf_file_map(file, 5000, 4321, &map, &err) == RF_OK);
    cr_assert(rf_file_map(file, 0, sizeof bytes, &all, &err) == RF_OK);
    cr_assert(rf_file_map(file, sizeof bytes, 0, &none, &err) == RF_OK && none.len == 0 &&
              none.ptr != NULL);
    cr_assert(rf_file_map(file, 9999, 2, &none, &err) == RF_CORRUPT);
    cr_assert(rf_file_map(file, UINT64_MAX, 2, &none, &err) == RF_CORRUPT);
    rf_file_close(file);
    cr_assert(map.len == 4321 && memcmp(map.ptr, bytes + 5000, map.len) == 0);
    cr_assert(memcmp(all.ptr, bytes, sizeof bytes) == 0);
    rf_map_done(&map);
    rf_map_done(&all);
    rf_map_done(&none);
    rf_map_done(&map);
}

ON_BOTH(locks_keep_others_out)
{
    struct rf_file *a = NULL, *b = NULL;
    struct rf_err err;
    unsigned how = RF_OPEN_WRITE | RF_OPEN_CREATE;
    cr_assert(rf_fs_open(stage->fs, in_stage(stage, "l"), how, &a, &err) == RF_OK);
    cr_assert(rf_fs_open(stage->fs, in_stage(stage, "l"), how, &b, &err) == RF_OK);
    cr_assert(rf_file_lock(a, false, &err) == RF_OK && rf_file_lock(b, true, &err) == RF_CONFLICT);
    cr_assert(strcmp(err.code, "FileLocked") == 0);
    cr_assert(rf_file_lock(a, true, &err) == RF_OK && rf_file_lock(b, true, &err) == RF_OK);
    cr_assert(rf_file_lock(b, false, &err) == RF_CONFLICT);
    rf_file_close(a);
    cr_assert(rf_file_lock(b, false, &err) == RF_OK);
    rf_file_close(b);
}

Test(fs, errnos_become_kinds)
{
    static const struct {
        int os_errno;
        enum rf_kind kind;
        const char *code;
    } cases[] = {
        {ENOENT, RF_NOT_FOUND, "FileNotFound"}, {EACCES, RF_DENIED, "FileDenied"},
        {ENOSPC, RF_LIMIT, "DiskFull"},         {EIO, RF_IO, "InputOutput"},
        {EMFILE, RF_LIMIT, "TooManyFiles"},     {ENOMEM, RF_LIMIT, "MemoryBudgetExceeded"}};
    for (size_t i = 0; i < RF_COUNT(cases); i++) {
        struct rf_err err;
        cr_assert(rf_fs_fail(cases[i].os_errno, "open", "/x", &err) == cases[i].kind);
        cr_assert(err.kind == cases[i].kind && err.os_errno == cases[i].os_errno);
        cr_assert(strcmp(err.code, cases[i].code) == 0 &&
                  rf_str_starts(rf_str_of(err.text), RF_S("cannot open /x: ")));
        cr_assert(rf_fs_fail(cases[i].os_errno, "open", "/x", NULL) == cases[i].kind);
    }
}

Test(fs, reads_a_pipe)
{
    int ends[2];
    struct rf_err err;
    struct rf_file *file = NULL;
    char bytes[8];
    size_t got;
    uint64_t size;
    cr_assert(pipe(ends) == 0 && write(ends[1], "abc", 3) == 3 && close(ends[1]) == 0);
    cr_assert(rf_fs_real_adopt(ends[0], "a pipe", &file, &err) == RF_OK);
    cr_assert(rf_file_size(file, &size, &err) == RF_OK && size == 0);
    cr_assert(rf_file_read(file, bytes, sizeof bytes, &got, &err) == RF_OK && got == 3);
    cr_assert(rf_file_read(file, bytes, sizeof bytes, &got, &err) == RF_OK && got == 0);
    cr_assert(rf_file_write(file, "x", 1, &err) == RF_IO && strstr(err.text, "a pipe") != NULL);
    rf_file_close(file);
}
