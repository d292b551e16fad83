#include "hub/log_int.h"

#include <openssl/rand.h>
#include <stdlib.h>

enum {
    ROOM_KEPT = 4 << 20, /* of the buffer that frames are encrypted into */
    AGAIN_BYTES = 1 << 20
};
#define SEGMENT_BYTES_DEFAULT ((uint64_t)256 << 20)
#define SEGMENT_USEC_DEFAULT (24 * 3600 * RF_USEC_PER_SECOND)

/* ---- the list ----------------------------------------------------------------------------------------- */

int64_t log_begin(const struct log *log) { return RF_MAX(log->cut, log->segments[0]->first); }

uint32_t log_find(const struct log *log, int64_t number)
{
    uint32_t low = 1, high = log->segment_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (log->segments[middle]->first <= number)
            low = middle + 1;
        else
            high = middle;
    }
    return low - 1;
}

enum rf_kind segment_ref(struct log *log, struct segment *segment, struct rf_err *err)
{
    if (segment->file == NULL)
        RF_TRY(rf_fs_open(log->fs, segment->path, RF_OPEN_READ, &segment->file, err));
    segment->refs++;
    return RF_OK;
}

void segment_unref(struct log *log, struct segment *segment)
{
    (void)pthread_mutex_lock(&log->lock);
    uint32_t left = --segment->refs;
    if (left == 1 && segment->is_listed && !segment->is_last) {
        rf_file_close(segment->file);
        segment->file = NULL;
    }
    (void)pthread_mutex_unlock(&log->lock);
    if (left == 0) segment_free(segment);
}

void log_list_add(struct log *log, struct segment *segment)
{
    segment->is_last = segment->is_listed = true;
    log->tail = segment;
    log->segments[log->segment_count++] = segment;
}

bool log_list_reserve(struct log *log)
{
    if (log->segment_count + 1 < log->segment_cap) return true;
    uint32_t cap = log->segment_cap * 2 + 4;
    struct segment **grown = realloc(log->segments, cap * sizeof(struct segment *));
    if (grown == NULL) return false;
    log->segments = grown;
    log->segment_cap = cap;
    return true;
}

/* ---- the last segment --------------------------------------------------------------------------------- */

static enum rf_kind draw_generation(struct log *log, struct rf_err *err)
{
    uint8_t raw[4];
    if (RAND_bytes(raw, sizeof raw) != 1)
        return RF_FAIL(err, RF_IO, "NoRandomness", "%s: no random bytes", log->folder);
    log->generation = rf_get_u32le(raw);
    return RF_OK;
}

/* Makes the last segment the one that is written to. */
static enum rf_kind write_to(struct log *log, struct segment *segment, struct rf_err *err)
{
    EVP_CIPHER_CTX *sealer = segment_sealer(segment);
    if (sealer == NULL) return log_no_memory(segment->path, err);
    enum rf_kind kind = draw_generation(log, err);
    if (kind != RF_OK) {
        EVP_CIPHER_CTX_free(sealer);
        return kind;
    }
    EVP_CIPHER_CTX_free(log->sealer);
    log->sealer = sealer;
    log->at = log->synced_at = segment->bytes;
    log->first_time = segment->first_time;
    log->index_at = segment->entry_count == 0 ? 0 : segment->entries[segment->entry_count - 1].at;
    return RF_OK;
}

/* A sync that failed may have dropped what the kernel held: what nobody sees yet is cut off. */
static void undo_pending(struct log *log)
{
    struct segment *segment = log->tail;
    log->pending_count = 0;
    log->at = segment->bytes;
    log->next = segment->end;
    log->last = segment->last != 0 ? segment->last : segment->before;
    log->first_time = segment->first_time;
    log->index_at = segment->entry_count == 0 ? 0 : segment->entries[segment->entry_count - 1].at;
}

/* Cuts the file to log->at. A cut that is not on the disk is none: frames whose writer was told that they failed would come back. */
static void cut_file(struct log *log)
{
    struct segment *segment = log->tail;
    if (rf_file_truncate(segment->file, log->at, NULL) != RF_OK ||
        rf_file_sync(segment->file, NULL) != RF_OK || draw_generation(log, NULL) != RF_OK)
        log->broken = true;
}

static enum rf_kind check_whole(struct segment *segment, uint64_t at, uint64_t limit)
{
    struct log_walk walk;
    struct frame_head head;
    rf_str batch;
    bool more = true;
    RF_TRY(walk_begin(&walk, segment, at, limit, NULL));
    enum rf_kind kind = RF_OK;
    while (kind == RF_OK && more) kind = walk_next(&walk, &head, &batch, &more, NULL);
    walk_end(&walk);
    return kind;
}

/* Frames that are shown without a sync are not undone when one fails, and the kernel may take them for written from then on: so that a sync
 * which succeeds later means them too they are written once more. */
static enum rf_kind write_again(const struct log *log, struct segment *segment)
{
    uint64_t at = log->synced_at, limit = segment->bytes;
    if (at == limit) return RF_OK;
    RF_TRY(check_whole(segment, at, limit));
    uint8_t *bytes = malloc(AGAIN_BYTES);
    if (bytes == NULL) return RF_LIMIT;
    enum rf_kind kind = RF_OK;
    while (kind == RF_OK && at < limit) {
        size_t len = (size_t)RF_MIN((uint64_t)AGAIN_BYTES, limit - at);
        kind = rf_file_pread_all(segment->file, bytes, len, at, NULL);
        if (kind == RF_OK) kind = rf_file_pwrite(segment->file, bytes, len, at, NULL);
        at += len;
    }
    free(bytes);
    return kind;
}

static enum rf_kind check_broken(const struct log *log, struct rf_err *err)
{
    if (!log->broken) return RF_OK;
    return RF_FAIL(
        err, RF_IO, "LogBroken",
        "%s: a write failed and could not be undone; nothing is written until the log is "
        "opened again",
        log->folder);
}

enum rf_kind log_settle(struct log *log, struct rf_err *err)
{
    struct segment *segment = log->tail;
    if (log->synced == log->next) return RF_OK;
    enum rf_kind kind = rf_file_sync(segment->file, err);
    if (kind == RF_OK) {
        log->synced = log->next;
        log->synced_at = log->at;
        return RF_OK;
    }
    undo_pending(log);
    cut_file(log);
    if (!log->broken && write_again(log, segment) != RF_OK) log->broken = true;
    return kind;
}

enum rf_kind log_roll(struct log *log, struct rf_err *err)
{
    RF_ASSERT(log->pending_count == 0);
    RF_TRY(log_settle(log, err));
    struct segment *old = log->tail, *made;
    struct segment like = {.first = log->next, .previous = old->first, .before = log->last};
    (void)pthread_mutex_lock(&log->lock);
    bool room = log_list_reserve(log);
    (void)pthread_mutex_unlock(&log->lock);
    if (!room) return log_no_memory(log->folder, err);
    RF_TRY(segment_create(log, &like, "log", &made, err));
    enum rf_kind kind = write_to(log, made, err);
    if (kind != RF_OK) {
        rf_fs_unlink(log->fs, made->path, NULL);
        segment_free(made);
        return kind;
    }
    /* It can be made again from the segment. */
    (void)!index_save(log, old, NULL);
    (void)pthread_mutex_lock(&log->lock);
    old->is_last = false;
    log_list_add(log, made);
    if (old->refs == 1) {
        rf_file_close(old->file);
        old->file = NULL;
    }
    (void)pthread_mutex_unlock(&log->lock);
    return RF_OK;
}

/* ---- writing ------------------------------------------------------------------------------------------ */

static enum rf_kind check_frames(const struct log *log, const struct log_frame *frames,
                                 uint32_t count, size_t *bytes, struct rf_err *err)
{
    int64_t next = log->next;
    rf_usec last = log->last;
    *bytes = 0;
    for (uint32_t i = 0; i < count; i++) {
        const struct log_frame *f = &frames[i];
        if (f->first != next || f->count == 0 || f->count > INT32_MAX || f->enqueued < last)
            return RF_FAIL(err, RF_INVALID, "BadFrame",
                           "%s: a frame of %u numbers from %lld on does not follow number %lld",
                           log->folder, f->count, (long long)f->first, (long long)next);
        if (f->batch.len < BATCH_HEAD_BYTES || f->batch.len > FRAME_BATCH_BYTES_MAX ||
            !rf_add_size(*bytes, FRAME_HEAD_BYTES + f->batch.len, bytes))
            return RF_FAIL(err, RF_LIMIT, "MessageTooLarge", "%s: a frame of %zu bytes",
                           log->folder, f->batch.len);
        next += f->count;
        last = f->enqueued;
    }
    return RF_OK;
}

static enum rf_kind reserve(struct log *log, size_t bytes, uint32_t count, struct rf_err *err)
{
    if (log->buffer_cap < bytes || log->buffer_cap > RF_MAX(bytes, (size_t)ROOM_KEPT)) {
        size_t cap = RF_MAX(bytes, (size_t)64 << 10);
        free(log->buffer);
        log->buffer = malloc(cap);
        log->buffer_cap = log->buffer == NULL ? 0 : cap;
        if (log->buffer == NULL) return log_no_memory(log->folder, err);
    }
    if (log->pending_cap - log->pending_count < count) {
        uint32_t cap = RF_MAX(log->pending_cap * 2, log->pending_count + count);
        struct index_entry *grown = realloc(log->pending, cap * sizeof *grown);
        if (grown == NULL) return log_no_memory(log->folder, err);
        log->pending = grown;
        log->pending_cap = cap;
    }
    /* So that log_sync cannot fail for lack of memory. */
    struct segment *segment = log->tail;
    (void)pthread_mutex_lock(&log->lock);
    bool room = segment_reserve_entries(segment, log->pending_count + count);
    (void)pthread_mutex_unlock(&log->lock);
    return room ? RF_OK : log_no_memory(segment->path, err);
}

static bool wants_roll(const struct log *log, const struct log_frame *frames, size_t bytes)
{
    if (log->pending_count > 0 || log->at != log->tail->bytes) return false;
    if (log->at == SEGMENT_HEAD_BYTES) return false;
    return log->at + bytes > log->segment_bytes ||
           frames[0].enqueued - log->first_time > log->segment_usec;
}

/* Encrypts all frames into the buffer and notes those that get index entries behind the ones that wait. */
static bool seal_frames(struct log *log, const struct log_frame *frames, uint32_t count,
                        uint32_t *pending_count, uint64_t *index_at)
{
    uint8_t *out = log->buffer;
    for (uint32_t i = 0; i < count; i++) {
        uint64_t at = log->at + (uint64_t)(out - log->buffer);
        struct frame_head head = {.first = frames[i].first,
                                  .synced = log->synced,
                                  .enqueued = frames[i].enqueued,
                                  .batch_bytes = (uint32_t)frames[i].batch.len,
                                  .count = frames[i].count,
                                  .generation = log->generation,
                                  .kind = frames[i].kind};
        if (!frame_seal(log->sealer, &head, frames[i].batch, at, out)) return false;
        out += FRAME_HEAD_BYTES + head.batch_bytes;
        if (*index_at != 0 && at - *index_at < INDEX_EVERY_BYTES) continue;
        log->pending[(*pending_count)++] = (struct index_entry){head.first, head.enqueued, at};
        *index_at = at;
    }
    return true;
}

static enum rf_kind write_frames(struct log *log, const struct log_frame *frames, uint32_t count,
                                 struct rf_err *err)
{
    size_t bytes;
    RF_TRY(check_broken(log, err));
    RF_TRY(check_frames(log, frames, count, &bytes, err));
    if (wants_roll(log, frames, bytes)) RF_TRY(log_roll(log, err));
    RF_TRY(reserve(log, bytes, count, err));
    uint32_t pending = log->pending_count;
    uint64_t index_at = log->index_at;
    if (!seal_frames(log, frames, count, &pending, &index_at))
        return RF_FAIL(err, RF_IO, "EncryptionFailed", "%s: frames cannot be encrypted",
                       log->folder);
    enum rf_kind kind = rf_file_pwrite(log->tail->file, log->buffer, bytes, log->at, err);
    if (kind != RF_OK) {
        cut_file(log);
        return kind;
    }
    const struct log_frame *end = &frames[count - 1];
    if (log->first_time == 0) log->first_time = frames[0].enqueued;
    log->at += bytes;
    log->pending_count = pending;
    log->index_at = index_at;
    log->next = end->first + end->count;
    log->last = end->enqueued;
    return RF_OK;
}

enum rf_kind log_write(struct log *log, const struct log_frame *frames, uint32_t count,
                       struct rf_err *err)
{
    if (count == 0) return RF_OK;
    (void)pthread_mutex_lock(&log->writing);
    enum rf_kind kind = write_frames(log, frames, count, err);
    (void)pthread_mutex_unlock(&log->writing);
    return kind;
}

static void publish(struct log *log)
{
    struct segment *segment = log->tail;
    if (log->at == segment->bytes) return;
    (void)pthread_mutex_lock(&log->lock);
    for (uint32_t i = 0; i < log->pending_count; i++)
        segment->entries[segment->entry_count++] = log->pending[i];
    segment->bytes = log->at;
    segment->end = log->next;
    segment->first_time = log->first_time;
    segment->last = log->last;
    (void)pthread_mutex_unlock(&log->lock);
    log->pending_count = 0;
}

enum rf_kind log_sync(struct log *log, bool durable, struct rf_err *err)
{
    (void)pthread_mutex_lock(&log->writing);
    enum rf_kind kind = check_broken(log, err);
    if (kind == RF_OK && durable) kind = log_settle(log, err);
    if (kind == RF_OK) publish(log);
    (void)pthread_mutex_unlock(&log->writing);
    return kind;
}

/* Only the writer changes it, and only the writer asks. */
int64_t log_next(const struct log *log) { return log->next; }

void log_info(const struct log *log, struct log_info *out)
{
    pthread_mutex_t *lock = (pthread_mutex_t *)(uintptr_t)&log->lock;
    struct log_info info = {0};
    (void)pthread_mutex_lock(lock);
    const struct segment *last = log->segments[log->segment_count - 1];
    info.begin = log_begin(log);
    info.end = last->end;
    info.last_enqueued = last->last != 0 ? last->last : last->before;
    info.segment_count = log->segment_count;
    for (uint32_t i = 0; i < log->segment_count; i++) info.bytes += log->segments[i]->bytes;
    (void)pthread_mutex_unlock(lock);
    *out = info;
}

/* ---- opening ------------------------------------------------------------------------------------------ */

static enum rf_kind open_all(struct log *log, struct rf_err *err)
{
    RF_TRY(log_read_cut(log, err));
    RF_TRY(log_open_folder(log, err));
    RF_TRY(log_recover(log, err));
    const struct segment *last = log->tail;
    log->next = log->synced = last->end;
    log->last = last->last != 0 ? last->last : last->before;
    return write_to(log, log->tail, err);
}

static void free_all(struct log *log)
{
    for (uint32_t i = 0; i < log->segment_count; i++) {
        RF_ASSERT(log->segments[i]->refs == 1);
        segment_free(log->segments[i]);
    }
    EVP_CIPHER_CTX_free(log->sealer);
    (void)pthread_mutex_destroy(&log->lock);
    (void)pthread_mutex_destroy(&log->upkeep);
    (void)pthread_mutex_destroy(&log->writing);
    explicit_bzero(log->key, sizeof log->key);
    free(log->buffer);
    free(log->pending);
    free(log->segments);
    free(log->folder);
    free(log);
}

enum rf_kind log_open(const struct log_options *options, struct log **out, struct rf_err *err)
{
    struct log *log = calloc(1, sizeof *log);
    if (log == NULL) return log_no_memory(options->folder, err);
    log->fs = options->fs;
    log->folder = strdup(options->folder);
    memcpy(log->key, options->key, sizeof log->key);
    log->segment_bytes =
        options->segment_bytes != 0 ? options->segment_bytes : SEGMENT_BYTES_DEFAULT;
    log->segment_usec = options->segment_usec != 0 ? options->segment_usec : SEGMENT_USEC_DEFAULT;
    (void)pthread_mutex_init(&log->lock, NULL);
    (void)pthread_mutex_init(&log->upkeep, NULL);
    (void)pthread_mutex_init(&log->writing, NULL);
    enum rf_kind kind =
        log->folder == NULL ? log_no_memory(options->folder, err) : open_all(log, err);
    if (kind != RF_OK) {
        free_all(log);
        return kind;
    }
    *out = log;
    return RF_OK;
}

void log_close(struct log *log)
{
    if (log == NULL) return;
    /* An index of what was synced spares the next open the reading of it. */
    if (!log->broken && log_settle(log, NULL) == RF_OK) {
        publish(log);
        (void)!index_save(log, log->tail, NULL);
    }
    free_all(log);
}
