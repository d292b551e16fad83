#include <stdio.h>
#include <stdlib.h>
#include <xxhash.h>

#include "hub/log_int.h"

enum { NAMES_BYTES_MAX = 64 << 20, CUT_FILE_BYTES = 16 };

/* ---- the files ---------------------------------------------------------------------------------------- */

/* The number that a name stands for; false for other files. */
static bool name_number(rf_str name, const char *suffix, int64_t *out)
{
    uint64_t number = 0;
    if (name.len != 20 + strlen(suffix) || !rf_str_ends(name, rf_str_of(suffix))) return false;
    for (size_t i = 0; i < 20; i++) {
        if (!rf_is_digit(name.ptr[i])) return false;
        if (__builtin_mul_overflow(number, 10, &number) ||
            __builtin_add_overflow(number, name.ptr[i] - '0', &number))
            return false;
    }
    *out = (int64_t)number;
    return number <= INT64_MAX - INT32_MAX;
}

/* What a compaction left behind when it was killed. */
static void remove_left_over(struct log *log, rf_str name)
{
    int64_t number;
    if (!name_number(name, ".compact", &number)) return;
    char *path = segment_path(log, number, "compact");
    if (path != NULL) rf_fs_unlink(log->fs, path, NULL);
    free(path);
}

/* Makes the names of the log's folder and of those above it durable, as far up as the sandbox lets us look: what lies above was there
 * before it. */
static enum rf_kind sync_folders(struct log *log, struct rf_err *err)
{
    char *path = strdup(log->folder);
    if (path == NULL) return log_no_memory(log->folder, err);
    enum rf_kind kind = RF_OK;
    for (char *slash; kind == RF_OK && (slash = strrchr(path, '/')) != NULL;) {
        *slash = '\0';
        kind = rf_fs_sync_dir(log->fs, slash == path ? "/" : path, err);
        if (kind == RF_DENIED) {
            free(path);
            return RF_OK;
        }
    }
    if (kind == RF_OK && log->folder[0] != '/') kind = rf_fs_sync_dir(log->fs, ".", err);
    free(path);
    return kind;
}

static enum rf_kind begin_first(struct log *log, int64_t first, struct rf_err *err)
{
    struct segment like = {.first = first, .previous = -1}, *made;
    if (!log_list_reserve(log)) return log_no_memory(log->folder, err);
    RF_TRY(sync_folders(log, err));
    RF_TRY(segment_create(log, &like, "log", &made, err));
    log_list_add(log, made);
    return RF_OK;
}

static enum rf_kind remove_empty(struct log *log, int64_t number, struct rf_err *err)
{
    char *path = segment_path(log, number, "log");
    if (path == NULL) return log_no_memory(log->folder, err);
    enum rf_kind kind = rf_fs_unlink(log->fs, path, err);
    free(path);
    RF_TRY(kind);
    return rf_fs_sync_dir(log->fs, log->folder, err);
}

/* Segments that were removed and are there again: a removal may be lost with the power. Nobody reads what is in them. */
static enum rf_kind forget_removed(struct log *log, struct rf_err *err)
{
    while (log->segment_count > 0) {
        struct segment *segment = log->segments[--log->segment_count];
        enum rf_kind kind = rf_fs_unlink(log->fs, segment->path, err);
        segment_free(segment);
        RF_TRY(kind);
    }
    log->tail = NULL;
    return RF_OK;
}

/* Puts a segment behind the others, of which the last one is closed by that. */
static enum rf_kind list_follow(struct log *log, struct segment *segment, struct rf_err *err)
{
    struct segment *before = log->tail;
    if (!log_list_reserve(log)) return log_no_memory(log->folder, err);
    if (before != NULL && segment->previous != before->first) {
        if (segment->first > log->cut)
            return log_corrupt(before->path, before->bytes, "the segment behind it is missing",
                               err);
        RF_TRY(forget_removed(log, err));
    } else if (before != NULL) {
        before->is_last = false;
        before->end = segment->first;
        before->last = segment->before;
        rf_file_close(before->file);
        before->file = NULL;
    }
    log_list_add(log, segment);
    return RF_OK;
}

/* There is no other segment, or only such as were removed. */
static bool is_end_of_nothing(const struct log *log, const struct segment *empty)
{
    return log->tail == NULL || (empty->previous != log->tail->first && empty->first <= log->cut);
}

/* A segment without frames was being made as the power went, or its making failed and what followed was written to the one before it: so it
 * goes, unless there is no other. */
static enum rf_kind open_segments(struct log *log, const int64_t *numbers, size_t count,
                                  struct rf_err *err)
{
    struct segment *empty = NULL;
    enum rf_kind kind = RF_OK;
    for (size_t i = 0; kind == RF_OK && i < count; i++) {
        struct segment *segment = NULL;
        bool torn;
        kind = segment_read(log, numbers[i], &segment, &torn, err);
        if (kind == RF_CORRUPT && torn) {
            kind = remove_empty(log, numbers[i], err);
            continue;
        }
        if (kind != RF_OK) break;
        if (empty != NULL) {
            kind = remove_empty(log, empty->first, err);
            segment_free(empty);
            empty = NULL;
        }
        if (segment->bytes == SEGMENT_HEAD_BYTES) {
            empty = segment;
            continue;
        }
        if (kind == RF_OK) kind = list_follow(log, segment, err);
        if (kind != RF_OK) segment_free(segment);
    }
    if (kind == RF_OK && empty != NULL && !is_end_of_nothing(log, empty))
        kind = remove_empty(log, empty->first, err);
    else if (kind == RF_OK && empty != NULL) {
        kind = list_follow(log, empty, err);
        if (kind == RF_OK) empty = NULL;
    }
    segment_free(empty);
    if (kind != RF_OK || log->tail != NULL) return kind;
    return begin_first(log, count == 0 ? 0 : numbers[count - 1], err);
}

enum rf_kind log_open_folder(struct log *log, struct rf_err *err)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, NAMES_BYTES_MAX);
    rf_str *names;
    size_t count, segments = 0;
    RF_TRY(rf_fs_mkdirs(log->fs, log->folder, err));
    RF_TRY(rf_fs_list(log->fs, log->folder, &arena, &names, &count, err));
    int64_t *numbers = rf_arena_raw(&arena, int64_t, count + 1);
    if (numbers == NULL) return rf_fail_memory(err, &arena);
    for (size_t i = 0; i < count; i++) {
        if (name_number(names[i], ".log", &numbers[segments]))
            segments++;
        else
            remove_left_over(log, names[i]);
    }
    return open_segments(log, numbers, segments, err);
}

/* ---- the end of the last one --------------------------------------------------------------------------- */

/* Takes frames up to the first that is spoiled; *whole is false when there is one. */
static enum rf_kind read_tail(struct segment *segment, uint64_t limit, bool *whole,
                              struct rf_err *err)
{
    struct log_walk walk;
    bool more = true;
    /* When what came behind it was lost, a segment that was compacted is the last one again. */
    bool has_gaps = (segment->flags & SEGMENT_COMPACTED) != 0;
    RF_TRY(walk_begin(&walk, segment, segment->bytes, limit, err));
    enum rf_kind kind = RF_OK;
    *whole = true;
    while (kind == RF_OK) {
        struct frame_head head;
        rf_str batch;
        kind = walk_next(&walk, &head, &batch, &more, err);
        if (kind != RF_OK || !more) break;
        if (head.first < segment->end || (head.first > segment->end && !has_gaps)) {
            kind = log_corrupt(segment->path, walk.frame_at, "numbers are missing", err);
            break;
        }
        if (segment_reserve_entries(segment, 1))
            segment_note(segment, &head, walk.frame_at);
        else
            kind = log_no_memory(segment->path, err);
    }
    walk_end(&walk);
    if (kind != RF_CORRUPT) return kind;
    *whole = false;
    return RF_OK;
}

enum rf_kind log_recover(struct log *log, struct rf_err *err)
{
    struct segment *segment = log->tail, index;
    uint64_t limit = segment->bytes;
    bool whole, found;
    segment->bytes = SEGMENT_HEAD_BYTES;
    struct segment covered = *segment;
    covered.bytes = limit;
    if (index_load(log, &covered, &index)) {
        segment->bytes = index.bytes;
        segment->end = index.end;
        segment->first_time = index.first_time;
        segment->last = index.last;
        segment->entries = index.entries;
        segment->entry_count = index.entry_count;
        segment->entry_cap = index.entry_cap;
    }
    segment->indexed = true;
    bool new_frames = segment->bytes < limit;
    RF_TRY(read_tail(segment, limit, &whole, err));
    if (!whole) {
        RF_TRY(walk_finds_synced(segment, segment->bytes, limit, segment->end, &found, err));
        if (found)
            return log_corrupt(segment->path, segment->bytes,
                               "a frame is spoiled that whole ones follow", err);
        RF_TRY(rf_file_truncate(segment->file, segment->bytes, err));
    }
    if (log->cut > segment->end)
        return log_corrupt(segment->path, segment->bytes,
                           "the log ends before the number that it begins with", err);
    /* Readers may see them from now on. */
    if (new_frames) RF_TRY(rf_file_sync(segment->file, err));
    return RF_OK;
}

/* ---- where it begins ----------------------------------------------------------------------------------- */

static char *cut_path(const struct log *log)
{
    size_t bytes = strlen(log->folder) + 8;
    char *path = malloc(bytes);
    if (path != NULL) (void)snprintf(path, bytes, "%s/begin", log->folder);
    return path;
}

enum rf_kind log_keep_cut(struct log *log, int64_t number, struct rf_err *err)
{
    uint8_t bytes[CUT_FILE_BYTES];
    char *path = cut_path(log);
    if (path == NULL) return log_no_memory(log->folder, err);
    rf_put_u64le(bytes, (uint64_t)number);
    rf_put_u64le(bytes + 8, XXH3_64bits(bytes, 8));
    enum rf_kind kind = rf_fs_replace(log->fs, path, rf_str_make(bytes, sizeof bytes), err);
    free(path);
    return kind;
}

enum rf_kind log_read_cut(struct log *log, struct rf_err *err)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 1 << 16);
    char *path = cut_path(log);
    rf_str bytes;
    if (path == NULL) return log_no_memory(log->folder, err);
    enum rf_kind kind = rf_fs_read_all(log->fs, path, CUT_FILE_BYTES, &arena, &bytes, err);
    if (kind == RF_OK &&
        (bytes.len != CUT_FILE_BYTES || rf_get_u64le(bytes.ptr + 8) != XXH3_64bits(bytes.ptr, 8) ||
         rf_get_u64le(bytes.ptr) > INT64_MAX))
        kind = log_corrupt(path, 0, "this is not the number that the log begins with", err);
    free(path);
    if (kind == RF_NOT_FOUND) return RF_OK;
    RF_TRY(kind);
    log->cut = (int64_t)rf_get_u64le(bytes.ptr);
    return RF_OK;
}
