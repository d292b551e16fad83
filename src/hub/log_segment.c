#include "hub/log_int.h"

#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <stdlib.h>
#include <xxhash.h>

enum { VERSION = 1 };
static const uint8_t segment_magic[8] = "RFHLOG\0\1";

char *segment_path(const struct log *log, int64_t first, const char *suffix)
{
    size_t bytes = strlen(log->folder) + 40;
    char *path = malloc(bytes);
    if (path != NULL)
        (void)snprintf(path, bytes, "%s/%020lld.%s", log->folder, (long long)first, suffix);
    return path;
}

static struct segment *segment_new(const struct log *log, int64_t first, const char *suffix)
{
    struct segment *segment = calloc(1, sizeof *segment);
    if (segment == NULL) return NULL;
    segment->fs = log->fs;
    segment->first = segment->end = first;
    segment->refs = 1;
    segment->bytes = SEGMENT_HEAD_BYTES;
    segment->path = segment_path(log, first, suffix);
    (void)pthread_mutex_init(&segment->index_lock, NULL);
    if (segment->path != NULL) return segment;
    segment_free(segment);
    return NULL;
}

void segment_free(struct segment *segment)
{
    if (segment == NULL) return;
    for (size_t i = 0; i < SEGMENT_SPARES; i++) EVP_CIPHER_CTX_free(segment->spares[i]);
    rf_file_close(segment->file);
    (void)pthread_mutex_destroy(&segment->index_lock);
    explicit_bzero(segment->key, sizeof segment->key);
    free(segment->entries);
    free(segment->path);
    free(segment);
}

/* ---- the head ----------------------------------------------------------------------------------------- */

/* A file that is left over goes first: when the sync of its folder failed, its name may never reach the disk, and a new one will. */
static enum rf_kind open_new(struct log *log, struct segment *segment, struct rf_err *err)
{
    unsigned how = RF_OPEN_READ | RF_OPEN_WRITE | RF_OPEN_CREATE | RF_OPEN_EXCLUSIVE;
    enum rf_kind kind = rf_fs_open(log->fs, segment->path, how, &segment->file, err);
    if (kind != RF_CONFLICT) return kind;
    RF_TRY(rf_fs_unlink(log->fs, segment->path, err));
    return rf_fs_open(log->fs, segment->path, how, &segment->file, err);
}

static enum rf_kind write_head(struct log *log, struct segment *segment, struct rf_err *err)
{
    uint8_t head[SEGMENT_HEAD_BYTES] = {0};
    if (RAND_bytes(segment->salt, SEGMENT_SALT_BYTES) != 1 ||
        !segment_key(log->key, segment, head + 56))
        return RF_FAIL(err, RF_IO, "CryptoFailed", "%s: no key can be made", segment->path);
    memcpy(head, segment_magic, sizeof segment_magic);
    rf_put_u32le(head + 8, VERSION);
    rf_put_u32le(head + 12, segment->flags);
    rf_put_u64le(head + 16, (uint64_t)segment->first);
    rf_put_u64le(head + 24, (uint64_t)segment->previous);
    rf_put_u64le(head + 32, (uint64_t)segment->before);
    memcpy(head + 40, segment->salt, SEGMENT_SALT_BYTES);
    rf_put_u64le(head + 72, XXH3_64bits(head, 72));
    RF_TRY(open_new(log, segment, err));
    RF_TRY(rf_file_pwrite(segment->file, head, sizeof head, 0, err));
    RF_TRY(rf_file_sync(segment->file, err));
    return rf_fs_sync_dir(log->fs, log->folder, err);
}

enum rf_kind segment_create(struct log *log, const struct segment *like, const char *suffix,
                            struct segment **out, struct rf_err *err)
{
    struct segment *segment = segment_new(log, like->first, suffix);
    if (segment == NULL) return log_no_memory(log->folder, err);
    segment->previous = like->previous;
    segment->before = like->before;
    segment->flags = like->flags;
    segment->indexed = true;
    enum rf_kind kind = write_head(log, segment, err);
    if (kind != RF_OK) {
        rf_fs_unlink(log->fs, segment->path, NULL);
        segment_free(segment);
        return kind;
    }
    *out = segment;
    return RF_OK;
}

static enum rf_kind read_head(struct log *log, struct segment *segment, bool *torn,
                              struct rf_err *err)
{
    uint8_t head[SEGMENT_HEAD_BYTES], check[16];
    size_t got;
    RF_TRY(rf_fs_open(log->fs, segment->path, RF_OPEN_READ | RF_OPEN_WRITE, &segment->file, err));
    RF_TRY(rf_file_size(segment->file, &segment->bytes, err));
    RF_TRY(rf_file_pread(segment->file, head, sizeof head, 0, &got, err));
    *torn = segment->bytes <= SEGMENT_HEAD_BYTES;
    if (got < sizeof head || memcmp(head, segment_magic, sizeof segment_magic) != 0 ||
        rf_get_u64le(head + 72) != XXH3_64bits(head, 72))
        return log_corrupt(segment->path, 0, "this is not the head of a log's segment", err);
    *torn = false;
    if (rf_get_u32le(head + 8) != VERSION)
        return log_corrupt(segment->path, 8, "the version is none that this program knows", err);
    segment->flags = rf_get_u32le(head + 12);
    segment->previous = (int64_t)rf_get_u64le(head + 24);
    segment->before = (int64_t)rf_get_u64le(head + 32);
    if ((int64_t)rf_get_u64le(head + 16) != segment->first)
        return log_corrupt(segment->path, 16, "it has the name of another segment", err);
    memcpy(segment->salt, head + 40, SEGMENT_SALT_BYTES);
    if (!segment_key(log->key, segment, check))
        return RF_FAIL(err, RF_IO, "CryptoFailed", "%s: no key can be made", segment->path);
    if (CRYPTO_memcmp(check, head + 56, sizeof check) != 0)
        return log_corrupt(segment->path, 56, "it was encrypted with another key", err);
    return RF_OK;
}

enum rf_kind segment_read(struct log *log, int64_t first, struct segment **out, bool *torn,
                          struct rf_err *err)
{
    struct segment *segment = segment_new(log, first, "log");
    if (segment == NULL) return log_no_memory(log->folder, err);
    *torn = false;
    enum rf_kind kind = read_head(log, segment, torn, err);
    if (kind != RF_OK) {
        segment_free(segment);
        return kind;
    }
    *out = segment;
    return RF_OK;
}

/* ---- the walk ----------------------------------------------------------------------------------------- */

enum { WINDOW_BYTES = 256 << 10 };

enum rf_kind walk_begin(struct log_walk *walk, struct segment *segment, uint64_t at, uint64_t limit,
                        struct rf_err *err)
{
    *walk = (struct log_walk){.segment = segment,
                              .at = at,
                              .limit = limit,
                              .window = malloc(WINDOW_BYTES),
                              .window_cap = WINDOW_BYTES,
                              .ctx = segment_opener(segment)};
    if (walk->window != NULL && walk->ctx != NULL) return RF_OK;
    walk_end(walk);
    return log_no_memory(segment->path, err);
}

void walk_end(struct log_walk *walk)
{
    if (walk->segment != NULL && walk->ctx != NULL) segment_give(walk->segment, walk->ctx);
    free(walk->window);
    *walk = (struct log_walk){0};
}

/* Brings bytes at..at+len into the window, and as many more as fit. They lie inside the limit. */
static enum rf_kind walk_fill(struct log_walk *walk, uint64_t at, size_t len, struct rf_err *err)
{
    if (at >= walk->window_at && at + len <= walk->window_at + walk->window_len) return RF_OK;
    if (len > walk->window_cap) {
        uint8_t *grown = realloc(walk->window, len);
        if (grown == NULL) return log_no_memory(walk->segment->path, err);
        walk->window = grown;
        walk->window_cap = len;
    }
    walk->window_len = 0;
    size_t want = (size_t)RF_MIN((uint64_t)walk->window_cap, walk->limit - at);
    RF_TRY(rf_file_pread_all(walk->segment->file, walk->window, want, at, err));
    walk->window_at = at;
    walk->window_len = want;
    return RF_OK;
}

/* *good is false when there is no whole frame at `at`. */
static enum rf_kind walk_frame(struct log_walk *walk, uint64_t at, struct frame_head *head,
                               uint8_t **frame, bool *good, struct rf_err *err)
{
    *good = false;
    if (walk->limit - at < FRAME_HEAD_BYTES) return RF_OK;
    RF_TRY(walk_fill(walk, at, FRAME_HEAD_BYTES, err));
    if (!frame_head_get(walk->window + (at - walk->window_at), head) ||
        frame_bytes(head) > walk->limit - at)
        return RF_OK;
    RF_TRY(walk_fill(walk, at, (size_t)frame_bytes(head), err));
    *frame = walk->window + (at - walk->window_at);
    *good = frame_open(walk->ctx, head, at, *frame);
    return RF_OK;
}

enum rf_kind walk_next(struct log_walk *walk, struct frame_head *head, rf_str *batch, bool *more,
                       struct rf_err *err)
{
    uint8_t *frame = NULL;
    bool good;
    *more = walk->at < walk->limit;
    if (!*more) return RF_OK;
    RF_TRY(walk_frame(walk, walk->at, head, &frame, &good, err));
    if (!good) return log_corrupt(walk->segment->path, walk->at, "this is not a whole frame", err);
    *batch = rf_str_make(frame + FRAME_HEAD_BYTES, head->batch_bytes);
    walk->frame_at = walk->at;
    walk->at += frame_bytes(head);
    return RF_OK;
}

enum rf_kind walk_finds_synced(struct segment *segment, uint64_t at, uint64_t limit, int64_t number,
                               bool *found, struct rf_err *err)
{
    struct log_walk walk;
    enum rf_kind kind = walk_begin(&walk, segment, at, limit, err);
    *found = false;
    while (kind == RF_OK && !*found && limit - at >= FRAME_HEAD_BYTES) {
        struct frame_head head;
        uint8_t *frame;
        bool good;
        kind = walk_fill(&walk, at, FRAME_HEAD_BYTES, err);
        if (kind != RF_OK) break;
        const uint8_t *from = walk.window + (at - walk.window_at);
        size_t len = walk.window_len - (size_t)(at - walk.window_at) - FRAME_HEAD_BYTES + 1;
        const uint8_t *next = memchr(from, 'R', len);
        at += next == NULL ? len : (size_t)(next - from);
        if (next == NULL) continue;
        struct frame_head seen;
        if (frame_head_get(next, &seen) && seen.synced > number) {
            kind = walk_frame(&walk, at, &head, &frame, &good, err);
            *found = kind == RF_OK && good;
            /* What was decrypted in vain is no longer what the file holds. */
            walk.window_len = 0;
        }
        at++;
    }
    walk_end(&walk);
    return kind;
}
