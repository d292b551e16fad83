/* log_int.h - what the files of the log share: segments, frames as they lie there, a walk over them.
 *
 *   segment, little endian                       frame, one behind the other from 80 on
 *   0   8  magic "RFHLOG\0\1"                    0   4  magic "RFHF"
 *   8   4  version                               4   4  bytes of the batch
 *   12  4  flags: 1 compacted                    8   8  number of its first record
 *   16  8  first number                          16  8  numbers below this one were synced when it was written
 *   24  8  first number of the segment before,   24  8  enqueued, microseconds since 1970
 *          -1: none                              32  4  count of numbers
 *   32  8  enqueued time of what is before it    36  4  generation
 *   40 16  salt                                  40  1  kind, then seven zeros
 *   56 16  key check                             48 16  tag of AES-256-GCM
 *   72  8  xxh3-64 of the above                  64     the batch, encrypted
 *   80     frames
 *
 * The key of a segment is HMAC-SHA256(key, "ringfort hub log" + salt); the nonce is the frame's place in the file (8 bytes) and the generation,
 * which is drawn at random whenever the file is opened or cut, because the place of what was cut is written to again. The additional data
 * is the frame's head up to the tag.
 *
 * The numbers that were synced tell a torn tail from damage: when a whole frame behind a spoiled one says that what is spoiled had been
 * synced before, then it was acknowledged. */
#ifndef RF_HUB_LOG_INT_H
#define RF_HUB_LOG_INT_H

#include <openssl/evp.h>
#include <pthread.h>

#include "hub/log.h"

enum {
    SEGMENT_HEAD_BYTES = 80,
    SEGMENT_SALT_BYTES = 16,
    FRAME_HEAD_BYTES = 64,
    FRAME_SEALED_BYTES = 48, /* of the head: what the tag covers */
    FRAME_BATCH_BYTES_MAX = 64 << 20,
    INDEX_EVERY_BYTES = 8 << 10, /* at most this much is read to find a frame */
    SEGMENT_SPARES = 4,
    SEGMENT_COMPACTED = 1
};

struct index_entry {
    int64_t first; /* of the frame at `at` */
    rf_usec enqueued;
    uint64_t at;
};

/* A file of the log. What is marked * is guarded by log.lock as long as the segment is the last one, and fixed then. */
struct segment {
    struct rf_fs *fs;
    int64_t first, previous;
    rf_usec before; /* enqueued time of what is before it; 0: nothing */
    uint32_t flags;
    uint8_t salt[SEGMENT_SALT_BYTES], key[32];
    char *path;
    int64_t end;                 /* * */
    uint64_t bytes;              /* * what may be read */
    rf_usec first_time, last;    /* * of its frames; 0: none */
    struct index_entry *entries; /* * */
    uint32_t entry_count, entry_cap;
    bool indexed; /* entries are there; guarded by index_lock when it is not the last */
    pthread_mutex_t index_lock;
    _Atomic(EVP_CIPHER_CTX *) spares[SEGMENT_SPARES]; /* for readers, with the key in them */
    /* Guarded by log.lock. */
    struct rf_file *file; /* open while somebody reads, and while it is the last one */
    uint32_t refs;        /* the list's counts */
    bool is_last, is_listed;
};

struct log {
    struct rf_fs *fs;
    char *folder;
    uint8_t key[32];
    uint64_t segment_bytes;
    rf_usec segment_usec;

    pthread_mutex_t lock; /* the list, what is visible; held briefly */
    pthread_mutex_t
        upkeep; /* retention, cutting, compaction: one at a time; taken before `writing` */
    pthread_mutex_t writing;

    /* By `lock`. */
    struct segment **segments;
    uint32_t segment_count, segment_cap;
    int64_t cut; /* by log_cut_front; the begin is not below */

    /* By `writing`. */
    struct segment *tail; /* the last of the list; changed with `lock` held too */
    bool broken;
    EVP_CIPHER_CTX *sealer;
    uint32_t generation;
    uint64_t at; /* where the next frame goes; behind segment.bytes when frames wait for log_sync */
    int64_t next, synced;
    uint64_t synced_at; /* of the last segment's bytes */
    rf_usec last;       /* of what was written */
    uint64_t index_at;  /* of the last entry; 0: none yet */
    rf_usec first_time; /* of the last segment, what was written */
    struct index_entry *pending;
    uint32_t pending_count, pending_cap;
    uint8_t *buffer;
    size_t buffer_cap;
};

/* Here, so that compilers and analyzers see that they are not RF_OK. */
static inline enum rf_kind log_no_memory(const char *path, struct rf_err *err)
{
    return RF_FAIL(err, RF_LIMIT, "MemoryBudgetExceeded", "no memory for %s", path);
}
static inline enum rf_kind log_corrupt(const char *path, uint64_t at, const char *why,
                                       struct rf_err *err)
{
    return RF_FAIL(err, RF_CORRUPT, "LogCorrupt", "%s: at byte %llu: %s", path,
                   (unsigned long long)at, why);
}

/* ---- frames (log_frame.c) ----------------------------------------------------------------------------- */

struct frame_head {
    int64_t first, synced;
    rf_usec enqueued;
    uint32_t batch_bytes, count, generation;
    uint8_t kind;
};
static inline uint64_t frame_bytes(const struct frame_head *head)
{
    return FRAME_HEAD_BYTES + (uint64_t)head->batch_bytes;
}
/* False when the bytes (FRAME_HEAD_BYTES) cannot be a head. */
bool frame_head_get(const uint8_t *p, struct frame_head *out);
/* Writes head, tag and the encrypted batch to `out`. */
bool frame_seal(EVP_CIPHER_CTX *ctx, const struct frame_head *head, rf_str batch, uint64_t at,
                uint8_t *out);
/* Decrypts the batch behind the head in place; false when anything of it, or its place, is another one. */
bool frame_open(EVP_CIPHER_CTX *ctx, const struct frame_head *head, uint64_t at, uint8_t *frame);

bool segment_key(const uint8_t key[32], struct segment *segment, uint8_t check[16]);
EVP_CIPHER_CTX *segment_sealer(const struct segment *segment); /* NULL: no memory */
EVP_CIPHER_CTX *segment_opener(struct segment *segment);
void segment_give(struct segment *segment, EVP_CIPHER_CTX *ctx);

/* ---- segments (log_segment.c) ------------------------------------------------------------------------- */

/* Makes the file, durably. `file` is left open. */
enum rf_kind segment_create(struct log *log, const struct segment *like, const char *suffix,
                            struct segment **out, struct rf_err *err);
/* Reads the head of a file that is there; *torn when it was being made as the power went. */
enum rf_kind segment_read(struct log *log, int64_t first, struct segment **out, bool *torn,
                          struct rf_err *err);
void segment_free(struct segment *segment);
char *segment_path(const struct log *log, int64_t first, const char *suffix); /* NULL: no memory */
bool segment_reserve_entries(struct segment *segment, uint32_t more);
void segment_note(struct segment *segment, const struct frame_head *head, uint64_t at);

enum rf_kind index_save(const struct log *log, const struct segment *segment, struct rf_err *err);
/* Reads entries (the caller frees them), end, times and the bytes that it covers into `out`; false when it is missing or wrong. */
bool index_load(const struct log *log, const struct segment *segment, struct segment *out);
/* Makes sure that a segment that is not the last has its entries. */
enum rf_kind index_need(struct log *log, struct segment *segment, struct rf_err *err);
/* The last entry at or below `number`, or NULL. */
const struct index_entry *index_find(const struct segment *segment, int64_t number);

/* Goes over the frames of a segment. The batch of a frame is good until the next call. */
struct log_walk {
    struct segment *segment;
    EVP_CIPHER_CTX *ctx;
    uint64_t at, limit; /* of the next frame; where it ends */
    uint64_t frame_at;  /* of the one that was given last */
    uint8_t *window;
    size_t window_cap, window_len;
    uint64_t window_at;
};
enum rf_kind walk_begin(struct log_walk *walk, struct segment *segment, uint64_t at, uint64_t limit,
                        struct rf_err *err);
void walk_end(struct log_walk *walk);
/* RF_CORRUPT LogCorrupt leaves walk->at at the frame that is spoiled or cut. */
enum rf_kind walk_next(struct log_walk *walk, struct frame_head *head, rf_str *batch, bool *more,
                       struct rf_err *err);
/* Finds a whole frame at or behind `at` which says that number `number` had been synced. */
enum rf_kind walk_finds_synced(struct segment *segment, uint64_t at, uint64_t limit, int64_t number,
                               bool *found, struct rf_err *err);

/* ---- the list (log.c) --------------------------------------------------------------------------------- */

/* With log.lock held. */
enum rf_kind segment_ref(struct log *log, struct segment *segment, struct rf_err *err);
uint32_t log_find(const struct log *log, int64_t number); /* the segment that holds it */
int64_t log_begin(const struct log *log);
/* Takes the lock itself. */
void segment_unref(struct log *log, struct segment *segment);
/* With log.lock held, or before anybody knows the log. */
/* Room for two: the one that is added, and one that was taken off the front and must go back there. False: no memory. */
bool log_list_reserve(struct log *log);
void log_list_add(struct log *log, struct segment *segment); /* as the last one; there is room */
/* Begins a new segment; nothing waits for log_sync. With log.writing held. */
enum rf_kind log_roll(struct log *log, struct rf_err *err);
/* Syncs what is written. With log.writing held. */
enum rf_kind log_settle(struct log *log, struct rf_err *err);

/* ---- opening (log_open.c) ----------------------------------------------------------------------------- */

/* Reads log->cut, which what follows needs. */
enum rf_kind log_read_cut(struct log *log, struct rf_err *err);
/* Keeps on the disk that nothing below `number` is read. */
enum rf_kind log_keep_cut(struct log *log, int64_t number, struct rf_err *err);
/* Fills the list with what the folder holds, of which the last has its head read only; makes the first segment where there is none. */
enum rf_kind log_open_folder(struct log *log, struct rf_err *err);
/* Reads what came after the index of the last one was saved, and cuts off what is torn. */
enum rf_kind log_recover(struct log *log, struct rf_err *err);

#endif
