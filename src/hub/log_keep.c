/* log_keep.c - what goes: by age, by size, by number. */
#include "hub/log_int.h"

#include <stdlib.h>

static enum rf_kind unlink_segment(struct log *log, const struct segment *segment,
                                   struct rf_err *err)
{
    enum rf_kind kind = rf_fs_unlink(log->fs, segment->path, err);
    if (kind != RF_OK && kind != RF_NOT_FOUND) return kind;
    char *index = segment_path(log, segment->first, "index");
    if (index != NULL) rf_fs_unlink(log->fs, index, NULL);
    free(index);
    return RF_OK;
}

static struct segment *take_front(struct log *log)
{
    (void)pthread_mutex_lock(&log->lock);
    RF_ASSERT(log->segment_count > 1);
    struct segment *segment = log->segments[0];
    segment->is_listed = false;
    log->segment_count--;
    memmove(log->segments, log->segments + 1, log->segment_count * sizeof(struct segment *));
    (void)pthread_mutex_unlock(&log->lock);
    return segment;
}

static void put_front(struct log *log, struct segment *segment)
{
    (void)pthread_mutex_lock(&log->lock);
    RF_ASSERT(log->segment_count < log->segment_cap);
    memmove(log->segments + 1, log->segments, log->segment_count * sizeof(struct segment *));
    log->segments[0] = segment;
    log->segment_count++;
    segment->is_listed = true;
    (void)pthread_mutex_unlock(&log->lock);
}

/* Takes the first `count` segments off the list, which keeps at least one, and removes their files, oldest first. One that cannot be removed
 * stays, and so do those behind it: a log that a segment is missing from does not open. */
static enum rf_kind drop_front(struct log *log, uint32_t count, struct rf_err *err)
{
    for (uint32_t i = 0; i < count; i++) {
        struct segment *segment = take_front(log);
        enum rf_kind kind = unlink_segment(log, segment, err);
        if (kind != RF_OK) {
            put_front(log, segment);
            return kind;
        }
        segment_unref(log, segment);
    }
    return count > 0 ? rf_fs_sync_dir(log->fs, log->folder, err) : RF_OK;
}

/* ---- by age and size ---------------------------------------------------------------------------------- */

/* How many of the oldest go; *all when the last one should too. */
static uint32_t count_expired(struct log *log, rf_usec before, uint64_t bytes_max, bool *all)
{
    uint64_t bytes = 0;
    uint32_t count = 0;
    (void)pthread_mutex_lock(&log->lock);
    for (uint32_t i = 0; i < log->segment_count; i++) bytes += log->segments[i]->bytes;
    while (count + 1 < log->segment_count) {
        const struct segment *segment = log->segments[count];
        rf_usec last = segment->last != 0 ? segment->last : segment->before;
        if (last >= before && (bytes_max == 0 || bytes <= bytes_max)) break;
        bytes -= segment->bytes;
        count++;
    }
    const struct segment *last = log->segments[log->segment_count - 1];
    *all =
        count + 1 == log->segment_count && last->bytes > SEGMENT_HEAD_BYTES && last->last < before;
    (void)pthread_mutex_unlock(&log->lock);
    return count;
}

/* Begins a new last segment, so that the old one may go, unless somebody wrote to it meanwhile. */
static enum rf_kind roll_at(struct log *log, int64_t end, bool *rolled, struct rf_err *err)
{
    enum rf_kind kind = RF_OK;
    (void)pthread_mutex_lock(&log->writing);
    *rolled = !log->broken && log->next == end && log->at == log->tail->bytes;
    if (*rolled) kind = log_roll(log, err);
    (void)pthread_mutex_unlock(&log->writing);
    return kind;
}

static int64_t end_of(struct log *log)
{
    (void)pthread_mutex_lock(&log->lock);
    int64_t end = log->segments[log->segment_count - 1]->end;
    (void)pthread_mutex_unlock(&log->lock);
    return end;
}

static int64_t first_of(struct log *log, uint32_t index)
{
    (void)pthread_mutex_lock(&log->lock);
    int64_t first = log->segments[index]->first;
    (void)pthread_mutex_unlock(&log->lock);
    return first;
}

/* Before anything is removed, so that a file whose removal is lost is known for what it is. */
static enum rf_kind begin_at(struct log *log, int64_t number, struct rf_err *err)
{
    if (number <= log->cut) return RF_OK;
    RF_TRY(log_keep_cut(log, number, err));
    (void)pthread_mutex_lock(&log->lock);
    log->cut = number;
    (void)pthread_mutex_unlock(&log->lock);
    return RF_OK;
}

static enum rf_kind retain(struct log *log, rf_usec before, uint64_t bytes_max, struct rf_err *err)
{
    bool all, rolled;
    int64_t end = end_of(log);
    uint32_t count = count_expired(log, before, bytes_max, &all);
    if (all) {
        RF_TRY(roll_at(log, end, &rolled, err));
        if (rolled) count = count_expired(log, before, bytes_max, &all);
    }
    if (count == 0) return RF_OK;
    RF_TRY(begin_at(log, first_of(log, count), err));
    return drop_front(log, count, err);
}

enum rf_kind log_retain(struct log *log, rf_usec before, uint64_t bytes_max, struct rf_err *err)
{
    (void)pthread_mutex_lock(&log->upkeep);
    enum rf_kind kind = retain(log, before, bytes_max, err);
    (void)pthread_mutex_unlock(&log->upkeep);
    return kind;
}

/* ---- by number ---------------------------------------------------------------------------------------- */

static uint32_t count_below(struct log *log, int64_t number)
{
    uint32_t count = 0;
    (void)pthread_mutex_lock(&log->lock);
    while (count + 1 < log->segment_count && log->segments[count]->end <= number) count++;
    (void)pthread_mutex_unlock(&log->lock);
    return count;
}

/* What is cut must be on the disk: else the log would end before its begin when the power goes. A writer may wait for a sync of his own; so
 * that he learns of it when this one fails, the log is broken then. */
static enum rf_kind settle(struct log *log, int64_t number, struct rf_err *err)
{
    enum rf_kind kind = RF_OK;
    (void)pthread_mutex_lock(&log->writing);
    if (!log->broken && number > log->synced) {
        kind = rf_file_sync(log->tail->file, err);
        log->broken = kind != RF_OK;
    }
    (void)pthread_mutex_unlock(&log->writing);
    return kind;
}

static enum rf_kind cut_front(struct log *log, int64_t number, struct rf_err *err)
{
    int64_t end = end_of(log), begin;
    bool rolled;
    (void)pthread_mutex_lock(&log->lock);
    begin = log_begin(log);
    bool empty = log->segments[log->segment_count - 1]->bytes == SEGMENT_HEAD_BYTES;
    (void)pthread_mutex_unlock(&log->lock);
    if (number > end)
        return RF_FAIL(err, RF_INVALID, "OffsetOutOfRange",
                       "number %lld cannot be the first: the log ends before %lld",
                       (long long)number, (long long)end);
    if (number <= begin) return RF_OK;
    RF_TRY(settle(log, number, err));
    RF_TRY(begin_at(log, number, err));
    if (number == end && !empty) RF_TRY(roll_at(log, end, &rolled, err));
    return drop_front(log, count_below(log, number), err);
}

enum rf_kind log_cut_front(struct log *log, int64_t number, struct rf_err *err)
{
    (void)pthread_mutex_lock(&log->upkeep);
    enum rf_kind kind = cut_front(log, number, err);
    (void)pthread_mutex_unlock(&log->upkeep);
    return kind;
}
