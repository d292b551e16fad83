/* log_index.c - the sparse index of a segment, in memory and beside it.
 *
 *   .index, little endian
 *   0   8  magic "RFHIDX\0\1"
 *   8  16  salt of the segment
 *   24  8  bytes of the segment that it covers
 *   32  8  number behind the last one
 *   40  8  enqueued time of the first frame
 *   48  8  enqueued time of the last frame
 *   56  8  count of entries
 *   64     entries: first number, enqueued time, place; 8 bytes each
 *      32  HMAC-SHA256 of all that, by the key of the segment
 *
 * It can be made from the segment at any time, so it is not synced. */
#include "hub/log_int.h"

#include <openssl/crypto.h>
#include <openssl/hmac.h>
#include <stdlib.h>

enum { HEAD_BYTES = 64, ENTRY_BYTES = 24, MAC_BYTES = 32 };
#define INDEX_BYTES_MAX ((size_t)1 << 30)
static const uint8_t index_magic[8] = "RFHIDX\0\1";
_Static_assert(sizeof(struct index_entry) == ENTRY_BYTES, "entries are written as they are");

static bool index_mac(const struct segment *segment, rf_str bytes, uint8_t mac[MAC_BYTES])
{
    unsigned len = MAC_BYTES;
    return HMAC(EVP_sha256(), segment->key, sizeof segment->key, bytes.ptr, bytes.len, mac, &len) !=
           NULL;
}

static enum rf_kind index_write(const struct log *log, const char *path, rf_str bytes,
                                struct rf_err *err)
{
    RF_CLEANUP(rf_file_cleanup) struct rf_file *file = NULL;
    RF_TRY(
        rf_fs_open(log->fs, path, RF_OPEN_WRITE | RF_OPEN_CREATE | RF_OPEN_TRUNCATE, &file, err));
    return rf_file_pwrite(file, bytes.ptr, bytes.len, 0, err);
}

enum rf_kind index_save(const struct log *log, const struct segment *segment, struct rf_err *err)
{
    size_t len = HEAD_BYTES + (size_t)segment->entry_count * ENTRY_BYTES;
    uint8_t *bytes = calloc(1, len + MAC_BYTES);
    char *path = segment_path(log, segment->first, "index");
    if (bytes == NULL || path == NULL) {
        free(bytes);
        free(path);
        return log_no_memory(segment->path, err);
    }
    memcpy(bytes, index_magic, sizeof index_magic);
    memcpy(bytes + 8, segment->salt, SEGMENT_SALT_BYTES);
    rf_put_u64le(bytes + 24, segment->bytes);
    rf_put_u64le(bytes + 32, (uint64_t)segment->end);
    rf_put_u64le(bytes + 40, (uint64_t)segment->first_time);
    rf_put_u64le(bytes + 48, (uint64_t)segment->last);
    rf_put_u64le(bytes + 56, segment->entry_count);
    if (segment->entry_count > 0) memcpy(bytes + HEAD_BYTES, segment->entries, len - HEAD_BYTES);
    enum rf_kind kind =
        index_mac(segment, rf_str_make(bytes, len), bytes + len)
            ? index_write(log, path, rf_str_make(bytes, len + MAC_BYTES), err)
            : RF_FAIL(err, RF_IO, "CryptoFailed", "%s: cannot be authenticated", path);
    free(bytes);
    free(path);
    return kind;
}

/* Entries grow, from the segment's first frame on, inside of what is covered. */
static bool entries_fit(const struct index_entry *entries, uint64_t count, uint64_t covered,
                        int64_t end)
{
    for (uint64_t i = 0; i < count; i++) {
        uint64_t least = i == 0 ? SEGMENT_HEAD_BYTES : entries[i - 1].at + FRAME_HEAD_BYTES;
        if (entries[i].at < least || entries[i].at >= covered || entries[i].first >= end)
            return false;
        if (i > 0 && entries[i].first <= entries[i - 1].first) return false;
    }
    return true;
}

static bool index_parse(const struct segment *segment, rf_str bytes, struct segment *out)
{
    uint8_t mac[MAC_BYTES];
    if (bytes.len < HEAD_BYTES + MAC_BYTES) return false;
    size_t len = bytes.len - MAC_BYTES;
    const uint8_t *p = bytes.ptr;
    uint64_t count = rf_get_u64le(p + 56), covered = rf_get_u64le(p + 24);
    int64_t end = (int64_t)rf_get_u64le(p + 32);
    if (memcmp(p, index_magic, sizeof index_magic) != 0 ||
        memcmp(p + 8, segment->salt, SEGMENT_SALT_BYTES) != 0)
        return false;
    if (count != (len - HEAD_BYTES) / ENTRY_BYTES || (len - HEAD_BYTES) % ENTRY_BYTES != 0)
        return false;
    if (!index_mac(segment, rf_str_make(p, len), mac) ||
        CRYPTO_memcmp(mac, p + len, MAC_BYTES) != 0)
        return false;
    if (covered > segment->bytes || covered < SEGMENT_HEAD_BYTES || end < segment->first)
        return false;
    struct index_entry *entries = malloc((size_t)count * ENTRY_BYTES + 1);
    if (entries == NULL) return false;
    memcpy(entries, p + HEAD_BYTES, (size_t)count * ENTRY_BYTES);
    if (!entries_fit(entries, count, covered, end)) {
        free(entries);
        return false;
    }
    *out = (struct segment){
        .entries = entries,
        .entry_count = (uint32_t)count,
        .entry_cap = (uint32_t)count,
        .end = end,
        .bytes = covered,
        .first_time = (int64_t)rf_get_u64le(p + 40),
        .last = (int64_t)rf_get_u64le(p + 48),
    };
    return true;
}

bool index_load(const struct log *log, const struct segment *segment, struct segment *out)
{
    struct rf_arena arena;
    rf_arena_init(&arena, 2 * INDEX_BYTES_MAX);
    char *path = segment_path(log, segment->first, "index");
    rf_str bytes;
    bool good = path != NULL &&
                rf_fs_read_all(log->fs, path, INDEX_BYTES_MAX, &arena, &bytes, NULL) == RF_OK &&
                index_parse(segment, bytes, out);
    free(path);
    rf_arena_done(&arena);
    return good;
}

bool segment_reserve_entries(struct segment *segment, uint32_t more)
{
    if (segment->entry_cap - segment->entry_count >= more) return true;
    uint32_t cap = RF_MAX(segment->entry_cap * 2, segment->entry_count + more + 16);
    struct index_entry *grown = realloc(segment->entries, (size_t)cap * sizeof *grown);
    if (grown == NULL) return false;
    segment->entries = grown;
    segment->entry_cap = cap;
    return true;
}

/* Room for an entry was reserved. */
void segment_note(struct segment *segment, const struct frame_head *head, uint64_t at)
{
    uint32_t count = segment->entry_count;
    if (count == 0 || at - segment->entries[count - 1].at >= INDEX_EVERY_BYTES)
        segment->entries[segment->entry_count++] =
            (struct index_entry){head->first, head->enqueued, at};
    if (segment->first_time == 0) segment->first_time = head->enqueued;
    segment->last = head->enqueued;
    segment->end = head->first + head->count;
    segment->bytes = at + frame_bytes(head);
}

/* Reads the whole segment. */
static enum rf_kind index_make(struct segment *segment, struct segment *out, struct rf_err *err)
{
    struct log_walk walk;
    bool more = true;
    RF_TRY(walk_begin(&walk, segment, SEGMENT_HEAD_BYTES, segment->bytes, err));
    enum rf_kind kind = RF_OK;
    while (kind == RF_OK && more) {
        struct frame_head head;
        rf_str batch;
        kind = walk_next(&walk, &head, &batch, &more, err);
        if (kind != RF_OK || !more) break;
        if (segment_reserve_entries(out, 1))
            segment_note(out, &head, walk.frame_at);
        else
            kind = log_no_memory(segment->path, err);
    }
    walk_end(&walk);
    if (kind != RF_OK) free(out->entries);
    return kind;
}

/* An index that was saved before the segment got its last frames is none. Others read bytes and end meanwhile, so that these are left alone. */
static enum rf_kind index_fetch(struct log *log, struct segment *segment, struct rf_err *err)
{
    struct segment index = {0};
    bool saved = index_load(log, segment, &index);
    if (saved && index.bytes != segment->bytes) {
        free(index.entries);
        index = (struct segment){0};
        saved = false;
    }
    if (!saved) RF_TRY(index_make(segment, &index, err));
    segment->entries = index.entries;
    segment->entry_count = index.entry_count;
    segment->entry_cap = index.entry_cap;
    segment->indexed = true;
    /* When it cannot be kept it is made again the next time. */
    if (!saved) (void)!index_save(log, segment, NULL);
    return RF_OK;
}

enum rf_kind index_need(struct log *log, struct segment *segment, struct rf_err *err)
{
    enum rf_kind kind = RF_OK;
    (void)pthread_mutex_lock(&segment->index_lock);
    if (!segment->indexed) kind = index_fetch(log, segment, err);
    (void)pthread_mutex_unlock(&segment->index_lock);
    return kind;
}

const struct index_entry *index_find(const struct segment *segment, int64_t number)
{
    uint32_t low = 0, high = segment->entry_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (segment->entries[middle].first <= number)
            low = middle + 1;
        else
            high = middle;
    }
    return low == 0 ? NULL : &segment->entries[low - 1];
}
