/* log_compact.c - closed segments without the records that later ones of the same key replace.
 *
 * Numbers of what stays are right because batches keep their first number and their records' deltas. The last record of a segment always
 * stays, so that a reader who comes from any number finds a frame to go on from. */
#include "hub/log_int.h"

#include <openssl/rand.h>
#include <stdio.h>
#include <stdlib.h>
#include <xxhash.h>

#include "hub/codec.h"
#include "hub/record_int.h"

enum { KEYS_MAX = 2 << 20, CLASSES_MAX = 1 << 16, OUT_BYTES = 1 << 20 };
#define SCRATCH_BYTES_MAX ((size_t)512 << 20)

/* ---- the last number of each key ---------------------------------------------------------------------- */

/* Keys by 128 bits of a hash with a seed of the run. When there are too many for the table they are taken in classes, one after the other. */
struct key_slot {
    uint64_t low, high;
    int64_t number; /* -1: free */
};
struct key_map {
    struct key_slot *slots;
    uint32_t cap, count;     /* cap is a power of two */
    uint32_t classes, class; /* of a key: its high half modulo classes */
    uint64_t seed;
};

static struct key_slot *key_find(const struct key_map *map, XXH128_hash_t hash)
{
    for (uint32_t i = (uint32_t)hash.low64;; i++) {
        struct key_slot *slot = &map->slots[i & (map->cap - 1)];
        if (slot->number < 0 || (slot->low == hash.low64 && slot->high == hash.high64)) return slot;
    }
}

static bool key_grow(struct key_map *map)
{
    struct key_map grown = *map;
    grown.cap = map->cap == 0 ? 1024 : map->cap * 2;
    grown.slots = malloc(grown.cap * sizeof *grown.slots);
    if (grown.slots == NULL) return false;
    for (uint32_t i = 0; i < grown.cap; i++) grown.slots[i].number = -1;
    for (uint32_t i = 0; i < map->cap; i++) {
        const struct key_slot *slot = &map->slots[i];
        if (slot->number >= 0) *key_find(&grown, (XXH128_hash_t){slot->low, slot->high}) = *slot;
    }
    free(map->slots);
    *map = grown;
    return true;
}

static bool key_hash(const struct key_map *map, rf_str key, XXH128_hash_t *out)
{
    *out = XXH3_128bits_withSeed(key.ptr, key.len, map->seed);
    return out->high64 % map->classes == map->class;
}

/* RF_LIMIT: the table is full, more classes are needed. */
static enum rf_kind key_note(struct key_map *map, rf_str key, int64_t number)
{
    XXH128_hash_t hash;
    if (!key_hash(map, key, &hash)) return RF_OK;
    if (map->count < KEYS_MAX && map->count * 2 >= map->cap && !key_grow(map)) return RF_LIMIT;
    struct key_slot *slot = key_find(map, hash);
    if (slot->number < 0 && map->count == KEYS_MAX) return RF_LIMIT;
    map->count += slot->number < 0;
    *slot = (struct key_slot){hash.low64, hash.high64, number};
    return RF_OK;
}

/* ---- frames ------------------------------------------------------------------------------------------- */

struct compaction {
    struct log *log;
    struct key_map map;
    rf_usec tombstones_before;
    struct rf_arena scratch; /* of a frame */
};

/* A frame's batch, ready to be read. */
static enum rf_kind frame_read(struct compaction *c, const struct segment *segment, uint64_t at,
                               const struct frame_head *frame, rf_str batch,
                               struct batch_head *head, rf_str *inflated, struct rf_err *err)
{
    rf_arena_reset(&c->scratch);
    struct rf_err why;
    enum rf_kind kind = batch_read_trusted(batch, head, &why);
    if (kind == RF_OK) kind = batch_inflate(head, &c->scratch, inflated, &why);
    if (kind == RF_LIMIT) {
        if (err != NULL) *err = why;
        return kind;
    }
    if (kind != RF_OK) return log_corrupt(segment->path, at, why.text, err);
    if (head->base_offset == frame->first && (uint32_t)head->last_offset_delta + 1 == frame->count)
        return RF_OK;
    return log_corrupt(segment->path, at, "a batch is not the one of its frame", err);
}

static bool keeps(const struct compaction *c, const struct segment *segment,
                  const struct frame_head *frame, const struct record *record)
{
    XXH128_hash_t hash;
    if (record->key.ptr == NULL || record->offset == segment->end - 1) return true;
    if (!key_hash(&c->map, record->key, &hash)) return true;
    const struct key_slot *slot = key_find(&c->map, hash);
    if (slot->number > record->offset) return false;
    return record->value.ptr != NULL || frame->enqueued >= c->tombstones_before;
}

/* The records that stay, as they lie there; *kept is their count. */
static enum rf_kind pick(struct compaction *c, const struct segment *segment,
                         const struct frame_head *frame, const struct batch_head *head,
                         rf_str inflated, struct rf_buf *out, uint32_t *kept, struct rf_err *err)
{
    struct record_reader reader;
    record_reader_init(&reader, head, inflated);
    *kept = 0;
    for (;;) {
        struct record record = {0};
        const uint8_t *from = reader.rest.ptr;
        bool more;
        RF_TRY(record_next(&reader, &record, &more, err));
        if (!more) break;
        if (!keeps(c, segment, frame, &record)) continue;
        ++*kept;
        if (out != NULL) rf_buf_put(out, from, (size_t)(reader.rest.ptr - from));
    }
    if (out != NULL && out->failed) return rf_fail_memory(err, &c->scratch);
    return RF_OK;
}

/* A batch of the records that stay. */
static enum rf_kind rebuild(struct compaction *c, const struct segment *segment,
                            const struct frame_head *frame, const struct batch_head *head,
                            rf_str inflated, rf_str *out, struct rf_err *err)
{
    struct rf_buf buf = rf_buf_in(&c->scratch);
    struct batch_head made = *head;
    static const uint8_t room[BATCH_HEAD_BYTES];
    rf_buf_put(&buf, room, sizeof room);
    RF_TRY(pick(c, segment, frame, head, inflated, &buf, &made.record_count, err));
    if (batch_codec_of(head) != CODEC_NONE) {
        rf_str plain = rf_slice(rf_buf_view(&buf), BATCH_HEAD_BYTES, buf.len), packed;
        RF_TRY(codec_deflate(batch_codec_of(head), plain, &c->scratch, &packed, err));
        if (packed.len < plain.len) {
            memcpy(buf.ptr + BATCH_HEAD_BYTES, packed.ptr, packed.len);
            buf.len = BATCH_HEAD_BYTES + packed.len;
        } else {
            made.attributes &= (uint16_t)~7u;
        }
    }
    batch_seal(buf.ptr, buf.len, &made);
    *out = rf_buf_view(&buf);
    return RF_OK;
}

/* ---- segments ----------------------------------------------------------------------------------------- */

/* Where a segment is written anew. */
struct output {
    struct segment *segment;
    EVP_CIPHER_CTX *sealer;
    uint32_t generation;
    uint64_t at; /* of the buffer */
    uint8_t *buffer;
    size_t len, cap;
};

static enum rf_kind out_flush(struct output *out, struct rf_err *err)
{
    RF_TRY(rf_file_pwrite(out->segment->file, out->buffer, out->len, out->at, err));
    out->at += out->len;
    out->len = 0;
    return RF_OK;
}

static enum rf_kind out_frame(struct output *out, const struct frame_head *frame, rf_str batch,
                              struct rf_err *err)
{
    struct frame_head head = *frame;
    head.batch_bytes = (uint32_t)batch.len;
    head.generation = out->generation;
    head.synced = head.first;
    size_t bytes = (size_t)frame_bytes(&head);
    if (bytes > out->cap - out->len) RF_TRY(out_flush(out, err));
    if (bytes > out->cap) {
        free(out->buffer);
        out->buffer = malloc(bytes);
        out->cap = out->buffer == NULL ? 0 : bytes;
    }
    if (out->buffer == NULL || !segment_reserve_entries(out->segment, 1))
        return log_no_memory(out->segment->path, err);
    uint64_t at = out->at + out->len;
    if (!frame_seal(out->sealer, &head, batch, at, out->buffer + out->len))
        return RF_FAIL(err, RF_IO, "EncryptionFailed", "%s: a frame cannot be encrypted",
                       out->segment->path);
    segment_note(out->segment, &head, at);
    out->len += bytes;
    return RF_OK;
}

/* What becomes of a frame: with `out` NULL its records that go are only counted. */
static enum rf_kind take_frame(struct compaction *c, const struct segment *segment, uint64_t at,
                               const struct frame_head *frame, rf_str batch, struct output *out,
                               uint64_t *gone, struct rf_err *err)
{
    struct batch_head head;
    rf_str inflated;
    uint32_t kept;
    RF_TRY(frame_read(c, segment, at, frame, batch, &head, &inflated, err));
    RF_TRY(pick(c, segment, frame, &head, inflated, NULL, &kept, err));
    *gone += head.record_count - kept;
    if (out == NULL || kept == 0) return RF_OK;
    if (kept < head.record_count) RF_TRY(rebuild(c, segment, frame, &head, inflated, &batch, err));
    return out_frame(out, frame, batch, err);
}

static enum rf_kind note_frame(struct compaction *c, const struct segment *segment, uint64_t at,
                               const struct frame_head *frame, rf_str batch, struct rf_err *err)
{
    struct batch_head head;
    struct record_reader reader;
    rf_str inflated;
    RF_TRY(frame_read(c, segment, at, frame, batch, &head, &inflated, err));
    record_reader_init(&reader, &head, inflated);
    for (;;) {
        struct record record = {0};
        bool more;
        RF_TRY(record_next(&reader, &record, &more, err));
        if (!more) return RF_OK;
        if (record.key.ptr == NULL) continue;
        if (key_note(&c->map, record.key, record.offset) != RF_OK)
            return RF_FAIL(err, RF_LIMIT, "TooManyKeys", "%s: more keys than %d", segment->path,
                           KEYS_MAX);
    }
}

enum what { NOTE_KEYS, COUNT_GONE, WRITE_KEPT };

static enum rf_kind go_over(struct compaction *c, struct segment *segment, enum what what,
                            struct output *out, uint64_t *gone, struct rf_err *err)
{
    struct log_walk walk;
    bool more = true;
    RF_TRY(walk_begin(&walk, segment, SEGMENT_HEAD_BYTES, segment->bytes, err));
    enum rf_kind kind = RF_OK;
    while (kind == RF_OK) {
        struct frame_head head;
        rf_str batch;
        kind = walk_next(&walk, &head, &batch, &more, err);
        if (kind != RF_OK || !more) break;
        if (what == NOTE_KEYS)
            kind = note_frame(c, segment, walk.frame_at, &head, batch, err);
        else
            kind = take_frame(c, segment, walk.frame_at, &head, batch, out, gone, err);
    }
    walk_end(&walk);
    return kind;
}

/* Puts the new file in the place of the old one. Readers of the old one finish; those that come open the new one. */
static enum rf_kind swap(struct log *log, struct segment *old, struct segment *made, bool *listed,
                         struct rf_err *err)
{
    char *path = segment_path(log, old->first, "log");
    if (path == NULL) return log_no_memory(log->folder, err);
    (void)pthread_mutex_lock(&log->lock);
    enum rf_kind kind = rf_fs_rename(log->fs, made->path, path, err);
    if (kind == RF_OK) {
        uint32_t at = log_find(log, old->first);
        RF_ASSERT(log->segments[at] == old);
        log->segments[at] = made;
        made->is_listed = true;
        old->is_listed = false;
        free(made->path);
        made->path = path;
        rf_file_close(made->file);
        made->file = NULL;
        *listed = true;
    }
    (void)pthread_mutex_unlock(&log->lock);
    if (kind != RF_OK) {
        free(path);
        return kind;
    }
    (void)!index_save(log, made, NULL);
    segment_unref(log, old); /* the list's */
    return rf_fs_sync_dir(log->fs, log->folder, err);
}

static enum rf_kind write_anew(struct compaction *c, struct segment *old, struct output *out,
                               struct rf_err *err)
{
    uint64_t gone = 0;
    uint8_t raw[4];
    out->sealer = segment_sealer(out->segment);
    out->buffer = malloc(OUT_BYTES);
    out->cap = OUT_BYTES;
    out->at = SEGMENT_HEAD_BYTES;
    if (out->sealer == NULL || out->buffer == NULL) return log_no_memory(old->path, err);
    if (RAND_bytes(raw, sizeof raw) != 1)
        return RF_FAIL(err, RF_IO, "NoRandomness", "%s: no random bytes", old->path);
    out->generation = rf_get_u32le(raw);
    RF_TRY(go_over(c, old, WRITE_KEPT, out, &gone, err));
    RF_TRY(out_flush(out, err));
    RF_TRY(rf_file_sync(out->segment->file, err));
    RF_ASSERT(out->segment->end == old->end);
    return RF_OK;
}

static enum rf_kind compact_segment(struct compaction *c, struct segment *old, struct rf_err *err)
{
    struct log *log = c->log;
    uint64_t gone = 0;
    RF_TRY(go_over(c, old, COUNT_GONE, NULL, &gone, err));
    if (gone == 0) return RF_OK;
    struct segment like = {.first = old->first,
                           .previous = old->previous,
                           .before = old->before,
                           .flags = old->flags | SEGMENT_COMPACTED};
    struct output out = {0};
    bool listed = false;
    RF_TRY(segment_create(log, &like, "compact", &out.segment, err));
    enum rf_kind kind = write_anew(c, old, &out, err);
    EVP_CIPHER_CTX_free(out.sealer);
    free(out.buffer);
    out.segment->last = old->last;
    if (kind == RF_OK) kind = swap(log, old, out.segment, &listed, err);
    if (listed) return kind;
    rf_fs_unlink(log->fs, out.segment->path, NULL);
    segment_free(out.segment);
    return kind;
}

/* ---- the log ------------------------------------------------------------------------------------------ */

/* Does `what` with each closed segment. The upkeep lock holds the list of them still. */
static enum rf_kind each_closed(struct compaction *c, bool notes, struct rf_err *err)
{
    struct log *log = c->log;
    for (uint32_t i = 0;; i++) {
        struct segment *segment = NULL;
        enum rf_kind kind = RF_OK;
        (void)pthread_mutex_lock(&log->lock);
        if (i + 1 < log->segment_count) {
            segment = log->segments[i];
            kind = segment_ref(log, segment, err);
        }
        (void)pthread_mutex_unlock(&log->lock);
        if (segment == NULL || kind != RF_OK) return kind;
        kind = notes ? go_over(c, segment, NOTE_KEYS, NULL, NULL, err)
                     : compact_segment(c, segment, err);
        segment_unref(log, segment);
        RF_TRY(kind);
    }
}

static void map_clear(struct key_map *map)
{
    free(map->slots);
    map->slots = NULL;
    map->cap = map->count = 0;
}

static enum rf_kind compact_class(struct compaction *c, struct rf_err *err)
{
    for (;;) {
        map_clear(&c->map);
        if (!key_grow(&c->map)) return log_no_memory(c->log->folder, err);
        enum rf_kind kind = each_closed(c, true, err);
        if (kind == RF_OK) return each_closed(c, false, err);
        if (kind != RF_LIMIT || c->map.count < KEYS_MAX || c->map.classes >= CLASSES_MAX)
            return kind;
        /* A class of twice as many is half of one of these: the first half now, the other one later. */
        c->map.classes *= 2;
    }
}

static enum rf_kind compact(struct compaction *c, struct rf_err *err)
{
    uint8_t seed[8];
    if (RAND_bytes(seed, sizeof seed) != 1)
        return RF_FAIL(err, RF_IO, "NoRandomness", "%s: no random bytes", c->log->folder);
    c->map.seed = rf_get_u64le(seed);
    c->map.classes = 1;
    for (c->map.class = 0; c->map.class < c->map.classes; c->map.class ++)
        RF_TRY(compact_class(c, err));
    return RF_OK;
}

enum rf_kind log_compact(struct log *log, rf_usec tombstones_before, struct rf_err *err)
{
    struct compaction c = {.log = log, .tombstones_before = tombstones_before};
    rf_arena_init(&c.scratch, SCRATCH_BYTES_MAX);
    (void)pthread_mutex_lock(&log->upkeep);
    enum rf_kind kind = compact(&c, err);
    (void)pthread_mutex_unlock(&log->upkeep);
    map_clear(&c.map);
    rf_arena_done(&c.scratch);
    return kind;
}
