/* log.h - the log of one partition: frames of record batches, numbered without holes, in segments of files.
 *
 *   FOLDER/00000000000000000000.log   named by the first number in it; the last one is written to
 *
 * A segment begins with a head (magic, version, first number, the salt of its key) and holds frames one behind the other. A frame is a
 * head (first number, count, enqueued time, kind, length) and one record batch (record.h), encrypted with AES-256-GCM under a key
 * made of the installation's key and the segment's salt; the head is authenticated with it. The nonce is the place in the file and a number
 * drawn whenever the file is opened or cut, so that what was moved, cut or altered does not open, and no nonce comes twice. Sparse
 * indexes of numbers and times (an entry each 8 KiB) are made while a segment is written, and are kept beside it when it is
 * closed (.index, authenticated, made anew when it is missing or wrong). log_int.h draws the formats.
 *
 * What log_write and then log_sync returned RF_OK for survives kill -9 and a power cut. When a log is opened, what the last segment got since
 * it was closed in order is read to the last whole frame and cut behind it; a spoiled frame that whole ones follow which were written after
 * it had been synced is damage, not a torn tail: RF_CORRUPT LogCorrupt, like a missing segment.
 *
 * Files: the last segment's is open, others only while somebody reads them. Memory: 24 bytes for each 8 KiB of the segments that were read.
 *
 * One thread writes at a time (log_write, log_sync, log_next); any number reads at the same time as it, and one more may retain,
 * cut and compact. Errors beside those named: RF_IO, RF_LIMIT MemoryBudgetExceeded, RF_CORRUPT LogCorrupt. */
#ifndef RF_HUB_LOG_H
#define RF_HUB_LOG_H

#include "base/clock.h"
#include "base/fs.h"
#include "hub/record.h"

enum frame_kind {
    FRAME_KAFKA, /* a producer's batch as it came */
    FRAME_AMQP   /* made by event.h: values are sections of AMQP messages */
};
struct log_frame {
    int64_t first; /* number of its first record */
    uint32_t
        count; /* of numbers: the batch's lastOffsetDelta + 1; after compaction the batch holds fewer records than that */
    uint8_t kind; /* enum frame_kind */
    rf_usec enqueued;
    rf_str batch; /* baseOffset in it is `first` */
};

struct log;
struct log_options {
    struct rf_fs *fs;
    const char *folder; /* made when it is not there */
    uint8_t key[32];
    uint64_t segment_bytes; /* 0: 256 MiB */
    rf_usec segment_usec;   /* a segment is closed when its first frame is older; 0: a day */
};
/* RF_CORRUPT LogCorrupt also when the key is another one. Costs one read for each segment, and the reading of what came since the log was
 * closed in order. */
RF_MUST_USE enum rf_kind log_open(const struct log_options *options, struct log **out,
                                  struct rf_err *err);
void log_close(struct log *log); /* NULL is fine; nobody reads */

struct log_info {
    int64_t begin, end;    /* retained numbers: [begin, end) */
    rf_usec last_enqueued; /* 0: there never was one */
    uint64_t bytes;        /* on disk */
    uint32_t segment_count;
};
/* What is synced. Any thread. */
void log_info(const struct log *log, struct log_info *out);

/* Writes frames behind the last one, as one write; `first` and `batch`es must have been numbered from log_next on, `enqueued` must not go
 * back (log_info.last_enqueued): RF_INVALID BadFrame. They go into one segment, a new one when this one is full or old and nothing waits.
 * They are read by nobody before log_sync returned RF_OK. After an error nothing of them is there (the file is cut); when that fails too, every
 * later write fails: RF_IO LogBroken. RF_LIMIT DiskFull. */
RF_MUST_USE enum rf_kind log_write(struct log *log, const struct log_frame *frames, uint32_t count,
                                   struct rf_err *err);
/* `durable` false: visible without a sync (hubs whose durability is "os"); segments are synced when they are closed. When it fails, all that
 * was written since the last RF_OK is gone, as after log_write. */
RF_MUST_USE enum rf_kind log_sync(struct log *log, bool durable, struct rf_err *err);
int64_t log_next(const struct log *log); /* the number that the next record gets */

/* Frames from the one that holds number `from` on (after compaction: or the next one that is left), as many as fit in `bytes_max`, at
 * least one; none when from == end. Their batches are in `arena`, which takes up to bytes_max and 16 KiB more: ask for what fits. Checks and decrypts. RF_INVALID OffsetOutOfRange: from < begin or > end; RF_CORRUPT LogCorrupt. */
struct log_frames {
    struct log_frame *items;
    uint32_t count;
};
RF_MUST_USE enum rf_kind log_read(struct log *log, int64_t from, size_t bytes_max,
                                  struct rf_arena *arena, struct log_frames *out,
                                  struct rf_err *err);
/* The first number that was enqueued at `time` or later; `end` when there is none. */
RF_MUST_USE enum rf_kind log_find_time(struct log *log, rf_usec time, int64_t *out,
                                       struct rf_err *err);

/* The number that it begins with is kept before anything is removed: what comes back with the power is known for what it is. A file that
 * cannot be removed stays, with those behind it, until the next time.
 * Removes whole segments whose every frame was enqueued before `before`, and the oldest as long as there are more than
 * `bytes_max` (0: no bound). Readers of removed files finish. The end stays as it is, also when nothing is left. */
RF_MUST_USE enum rf_kind log_retain(struct log *log, rf_usec before, uint64_t bytes_max,
                                    struct rf_err *err);
/* Nothing below `number` is read any more (Kafka's DeleteRecords); files go when all of them may. Durable. */
RF_MUST_USE enum rf_kind log_cut_front(struct log *log, int64_t number, struct rf_err *err);
/* Keeps of closed segments the last record of each key (and those without one); numbers stay, so there are gaps in them. The last record
 * of each segment stays, so that every reader finds a frame to go on from. Tombstones (null values) go when they were enqueued
 * before `tombstones_before`. Reads all closed segments two times, and up to 100 MB of memory for their keys; segments of which
 * something goes are written anew and put in place of the old ones, durably, one by one. */
RF_MUST_USE enum rf_kind log_compact(struct log *log, rf_usec tombstones_before,
                                     struct rf_err *err);
/* Reads everything and checks it; tells what is spoiled. */
RF_MUST_USE enum rf_kind log_verify(struct log *log, struct rf_err *err);

#endif
