#include "hub/log_int.h"

#include <stdlib.h>

/* What a reader needs of a segment while the list may change. */
struct view {
    struct segment *segment;
    uint64_t at, limit; /* where to begin; what may be read ends there */
};

static enum rf_kind out_of_range(const struct log *log, int64_t from, struct rf_err *err)
{
    return RF_FAIL(err, RF_INVALID, "OffsetOutOfRange",
                   "number %lld is not there: the log holds %lld up to, not with, %lld",
                   (long long)from, (long long)log_begin(log),
                   (long long)log->segments[log->segment_count - 1]->end);
}

/* The place to look for a number. *found is false at the end. */
static enum rf_kind view_open(struct log *log, int64_t from, struct view *out, bool *found,
                              struct rf_err *err)
{
    *found = false;
    (void)pthread_mutex_lock(&log->lock);
    int64_t end = log->segments[log->segment_count - 1]->end;
    enum rf_kind kind = RF_OK;
    if (from < log_begin(log) || from > end) kind = out_of_range(log, from, err);
    if (kind == RF_OK && from < end) {
        struct segment *segment = log->segments[log_find(log, from)];
        *out = (struct view){.segment = segment, .at = SEGMENT_HEAD_BYTES, .limit = segment->bytes};
        kind = segment_ref(log, segment, err);
        *found = kind == RF_OK;
        const struct index_entry *entry =
            kind == RF_OK && segment->is_last ? index_find(segment, from) : NULL;
        if (entry != NULL) out->at = entry->at;
    }
    (void)pthread_mutex_unlock(&log->lock);
    return kind;
}

/* As much as `place` may hold is looked up without log.lock: closed segments are not changed. */
static enum rf_kind view_seek(struct log *log, struct view *view, int64_t from, struct rf_err *err)
{
    if (view->at != SEGMENT_HEAD_BYTES) return RF_OK;
    (void)pthread_mutex_lock(&log->lock);
    bool is_last = view->segment->is_last;
    (void)pthread_mutex_unlock(&log->lock);
    if (is_last) return RF_OK;
    RF_TRY(index_need(log, view->segment, err));
    const struct index_entry *entry = index_find(view->segment, from);
    if (entry != NULL && entry->at < view->limit) view->at = entry->at;
    return RF_OK;
}

/* ---- reading ------------------------------------------------------------------------------------------ */

struct reading {
    struct log *log;
    struct rf_arena *arena;
    struct log_frame *items;
    uint32_t count, cap;
    int64_t from; /* the number that is wanted next */
    size_t bytes_left;
};

static enum rf_kind give(struct reading *r, const struct frame_head *head, uint8_t *frame,
                         struct rf_err *err)
{
    if (r->count == r->cap) {
        uint32_t cap = r->cap == 0 ? 16 : r->cap * 2;
        struct log_frame *grown =
            rf_arena_grow(r->arena, r->items, r->cap * sizeof *grown, cap * sizeof *grown);
        if (grown == NULL) return rf_fail_memory(err, r->arena);
        r->items = grown;
        r->cap = cap;
    }
    r->items[r->count++] =
        (struct log_frame){.first = head->first,
                           .count = head->count,
                           .kind = head->kind,
                           .enqueued = head->enqueued,
                           .batch = rf_str_make(frame + FRAME_HEAD_BYTES, head->batch_bytes)};
    r->from = head->first + head->count;
    r->bytes_left -= RF_MIN(r->bytes_left, (size_t)head->batch_bytes);
    return RF_OK;
}

/* Frames that lie whole in `bytes`, which are those of the file from view->at on. *full: no more of them are wanted; else view->at is
 * where to go on, with at least *need bytes. */
static enum rf_kind take_frames(struct reading *r, struct view *view, EVP_CIPHER_CTX *ctx,
                                uint8_t *bytes, size_t len, bool *full, uint64_t *need,
                                struct rf_err *err)
{
    const char *path = view->segment->path;
    uint8_t *p = bytes, *end = bytes + len;
    *full = false;
    *need = FRAME_HEAD_BYTES;
    while (end - p >= FRAME_HEAD_BYTES) {
        struct frame_head head;
        if (!frame_head_get(p, &head) || frame_bytes(&head) > view->limit - view->at)
            return log_corrupt(path, view->at, "this is not a frame", err);
        *need = frame_bytes(&head);
        bool wanted = head.first + head.count > r->from;
        *full = wanted && r->count > 0 && head.batch_bytes > r->bytes_left;
        if (*full || *need > (uint64_t)(end - p)) return RF_OK;
        if (wanted && !frame_open(ctx, &head, view->at, p))
            return log_corrupt(path, view->at, "a frame is spoiled", err);
        if (wanted && head.first > r->from && (view->segment->flags & SEGMENT_COMPACTED) == 0)
            return log_corrupt(path, view->at, "numbers are missing before this frame", err);
        if (wanted) RF_TRY(give(r, &head, p, err));
        p += *need;
        view->at += *need;
        *need = FRAME_HEAD_BYTES;
    }
    return RF_OK;
}

/* One read takes what is wanted, as a rule: what lies before the number is less than the index's step. */
static enum rf_kind read_segment(struct reading *r, struct view *view, EVP_CIPHER_CTX *ctx,
                                 bool *full, struct rf_err *err)
{
    uint64_t want = (uint64_t)INDEX_EVERY_BYTES + r->bytes_left;
    *full = false;
    while (!*full && view->at < view->limit) {
        size_t len = (size_t)RF_MIN(want, view->limit - view->at);
        uint64_t need;
        uint8_t *bytes = rf_arena_alloc(r->arena, len);
        if (bytes == NULL) return rf_fail_memory(err, r->arena);
        RF_TRY(rf_file_pread_all(view->segment->file, bytes, len, view->at, err));
        RF_TRY(take_frames(r, view, ctx, bytes, len, full, &need, err));
        if (need > view->limit - view->at && view->at < view->limit)
            return log_corrupt(view->segment->path, view->at, "a frame is cut", err);
        /* What is still wanted is no frame that there is room for, unless there is none at all yet. */
        if (r->count > 0 && r->bytes_left == 0) *full = true;
        want = RF_MAX(need, (uint64_t)INDEX_EVERY_BYTES + r->bytes_left);
        if (r->count > 0) want = RF_MIN(want, RF_MAX(need, (uint64_t)r->bytes_left));
    }
    return RF_OK;
}

/* Reads on in the segment that holds r->from. */
static enum rf_kind read_next(struct reading *r, bool *full, struct rf_err *err)
{
    struct view view;
    bool found;
    RF_TRY(view_open(r->log, r->from, &view, &found, err));
    *full = !found;
    if (!found) return RF_OK;
    uint32_t before = r->count;
    EVP_CIPHER_CTX *ctx = segment_opener(view.segment);
    enum rf_kind kind = ctx == NULL ? log_no_memory(view.segment->path, err)
                                    : view_seek(r->log, &view, r->from, err);
    if (kind == RF_OK) kind = read_segment(r, &view, ctx, full, err);
    segment_give(view.segment, ctx);
    bool compacted = (view.segment->flags & SEGMENT_COMPACTED) != 0;
    if (kind == RF_OK && r->count == before && !compacted && !*full)
        kind = log_corrupt(view.segment->path, view.at, "numbers are missing at its end", err);
    /* The rest of a compacted segment may be gone. */
    int64_t end;
    (void)pthread_mutex_lock(&r->log->lock);
    end = view.segment->end;
    (void)pthread_mutex_unlock(&r->log->lock);
    if (kind == RF_OK && r->count == before && compacted) r->from = end;
    segment_unref(r->log, view.segment);
    return kind;
}

enum rf_kind log_read(struct log *log, int64_t from, size_t bytes_max, struct rf_arena *arena,
                      struct log_frames *out, struct rf_err *err)
{
    struct reading r = {.log = log, .arena = arena, .from = from, .bytes_left = bytes_max};
    bool full = false;
    while (!full) {
        enum rf_kind kind = read_next(&r, &full, err);
        /* What was read is good, whatever happened to the numbers behind it. */
        if (kind != RF_OK && r.count > 0) break;
        RF_TRY(kind);
        full = full || (r.count > 0 && r.bytes_left == 0);
    }
    *out = (struct log_frames){.items = r.items, .count = r.count};
    return RF_OK;
}

/* ---- times -------------------------------------------------------------------------------------------- */

/* The first segment with a frame of `time` or later, and the place in it to look from. */
static enum rf_kind view_of_time(struct log *log, rf_usec time, struct view *out, bool *found,
                                 int64_t *end, struct rf_err *err)
{
    enum rf_kind kind = RF_OK;
    *found = false;
    (void)pthread_mutex_lock(&log->lock);
    *end = log->segments[log->segment_count - 1]->end;
    uint32_t low = 0, high = log->segment_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        const struct segment *segment = log->segments[middle];
        rf_usec last = segment->last != 0 ? segment->last : segment->before;
        if (last < time)
            low = middle + 1;
        else
            high = middle;
    }
    if (low < log->segment_count && log->segments[low]->bytes > SEGMENT_HEAD_BYTES) {
        struct segment *segment = log->segments[low];
        *out = (struct view){.segment = segment, .at = SEGMENT_HEAD_BYTES, .limit = segment->bytes};
        kind = segment_ref(log, segment, err);
        *found = kind == RF_OK;
    }
    (void)pthread_mutex_unlock(&log->lock);
    return kind;
}

/* The last entry below `time`: frames of the same time may be before the next one. */
static uint64_t place_of_time(const struct segment *segment, rf_usec time)
{
    uint32_t low = 0, high = segment->entry_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (segment->entries[middle].enqueued < time)
            low = middle + 1;
        else
            high = middle;
    }
    return low == 0 ? SEGMENT_HEAD_BYTES : segment->entries[low - 1].at;
}

static enum rf_kind seek_time(struct log *log, struct view *view, rf_usec time, struct rf_err *err)
{
    (void)pthread_mutex_lock(&log->lock);
    bool is_last = view->segment->is_last;
    if (is_last) view->at = place_of_time(view->segment, time);
    (void)pthread_mutex_unlock(&log->lock);
    if (is_last) return RF_OK;
    RF_TRY(index_need(log, view->segment, err));
    view->at = place_of_time(view->segment, time);
    return RF_OK;
}

static enum rf_kind find_in(struct view *view, rf_usec time, int64_t *out, struct rf_err *err)
{
    struct log_walk walk;
    bool more = true;
    if (view->at >= view->limit) return RF_OK;
    RF_TRY(walk_begin(&walk, view->segment, view->at, view->limit, err));
    enum rf_kind kind = RF_OK;
    while (kind == RF_OK && more) {
        struct frame_head head;
        rf_str batch;
        kind = walk_next(&walk, &head, &batch, &more, err);
        if (kind != RF_OK || !more || head.enqueued < time) continue;
        *out = head.first;
        break;
    }
    walk_end(&walk);
    return kind;
}

enum rf_kind log_find_time(struct log *log, rf_usec time, int64_t *out, struct rf_err *err)
{
    struct view view;
    bool found;
    int64_t number;
    RF_TRY(view_of_time(log, time, &view, &found, &number, err));
    if (found) {
        enum rf_kind kind = seek_time(log, &view, time, err);
        if (kind == RF_OK) kind = find_in(&view, time, &number, err);
        segment_unref(log, view.segment);
        RF_TRY(kind);
    }
    (void)pthread_mutex_lock(&log->lock);
    number = RF_MAX(number, log_begin(log));
    (void)pthread_mutex_unlock(&log->lock);
    *out = number;
    return RF_OK;
}

/* ---- verifying ---------------------------------------------------------------------------------------- */

static enum rf_kind verify_frame(const struct segment *segment, const struct frame_head *head,
                                 rf_str batch, uint64_t at, struct rf_err *err)
{
    struct batch_head read;
    struct rf_err why;
    if (batch_read(batch, &read, &why) != RF_OK)
        return log_corrupt(segment->path, at, why.text, err);
    if (read.whole.len != batch.len || read.base_offset != head->first ||
        (uint32_t)read.last_offset_delta + 1 != head->count)
        return log_corrupt(segment->path, at, "a batch is not the one of its frame", err);
    return RF_OK;
}

static enum rf_kind verify_segment(struct segment *segment, uint64_t limit, int64_t end,
                                   struct rf_err *err)
{
    struct log_walk walk;
    bool more = true, compacted = (segment->flags & SEGMENT_COMPACTED) != 0;
    int64_t next = segment->first;
    rf_usec last = segment->before;
    RF_TRY(walk_begin(&walk, segment, SEGMENT_HEAD_BYTES, limit, err));
    enum rf_kind kind = RF_OK;
    while (kind == RF_OK) {
        struct frame_head head;
        rf_str batch;
        kind = walk_next(&walk, &head, &batch, &more, err);
        if (kind != RF_OK || !more) break;
        if (head.first < next || (head.first > next && !compacted) || head.enqueued < last)
            kind = log_corrupt(segment->path, walk.frame_at, "frames are out of order", err);
        else
            kind = verify_frame(segment, &head, batch, walk.frame_at, err);
        next = head.first + head.count;
        last = head.enqueued;
    }
    walk_end(&walk);
    if (kind == RF_OK && (next > end || (next < end && !compacted)))
        kind = log_corrupt(segment->path, limit, "numbers are missing at its end", err);
    return kind;
}

enum rf_kind log_verify(struct log *log, struct rf_err *err)
{
    int64_t number = INT64_MIN;
    for (;;) {
        struct segment *segment = NULL;
        enum rf_kind kind = RF_OK;
        uint64_t limit = 0;
        int64_t end = 0;
        (void)pthread_mutex_lock(&log->lock);
        for (uint32_t i = 0; segment == NULL && i < log->segment_count; i++)
            if (log->segments[i]->first > number) segment = log->segments[i];
        if (segment != NULL) {
            limit = segment->bytes;
            end = segment->end;
            kind = segment_ref(log, segment, err);
        }
        (void)pthread_mutex_unlock(&log->lock);
        RF_TRY(kind);
        if (segment == NULL) return RF_OK;
        number = segment->first;
        kind = verify_segment(segment, limit, end, err);
        segment_unref(log, segment);
        RF_TRY(kind);
    }
}
