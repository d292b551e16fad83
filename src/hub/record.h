/* record.h - Kafka record batches of format 2, the unit in which partitions are stored, sent and fetched.
 *
 *   baseOffset i64 | batchLength i32 | partitionLeaderEpoch i32 | magic i8 = 2 | crc u32 | attributes i16 | lastOffsetDelta i32
 *   | baseTimestamp i64 | maxTimestamp i64 | producerId i64 | producerEpoch i16 | baseSequence i32 | recordCount i32 | records
 *
 * Big endian; crc is CRC-32C of everything from attributes on, so numbering a batch (baseOffset) needs no new one. The codec
 * covers the records only. Source: the protocol guide of Apache Kafka, and the contract's section 9.3. */
#ifndef RF_HUB_RECORD_H
#define RF_HUB_RECORD_H

#include "base/rf.h"

enum {
    BATCH_HEAD_BYTES = 61,
    BATCH_FOLLOWS_AT = 12,               /* batchLength counts from here */
    RECORD_BYTES_MAX = 1 << 20,          /* of one record, inflated */
    BATCH_INFLATED_BYTES_MAX = 64 << 20, /* of the records of a batch */
};
enum batch_codec { CODEC_NONE, CODEC_GZIP, CODEC_SNAPPY, CODEC_LZ4, CODEC_ZSTD };

struct batch_head {
    int64_t base_offset;
    uint16_t
        attributes; /* bits 0..2 enum batch_codec, 3 log-append time, 4 transactional, 5 control */
    int32_t last_offset_delta;
    int64_t base_time_ms, max_time_ms;
    int64_t producer_id; /* -1: none, like the next two */
    int16_t producer_epoch;
    int32_t base_sequence;
    uint32_t record_count;
    rf_str records; /* as they lie there, a view */
    rf_str whole;   /* the batch */
};
static inline enum batch_codec batch_codec_of(const struct batch_head *head)
{
    return (enum batch_codec)(head->attributes & 7);
}

/* Reads the batch at the start of `bytes`; more may follow. RF_AGAIN BatchCut: it ends before the batch does; RF_INVALID:
 * CorruptMessage (length, crc, counts), UnsupportedFormat (magic 0 or 1), UnsupportedCodec. The records are not looked at. Compacted batches
 * hold fewer records than last_offset_delta + 1. */
RF_MUST_USE enum rf_kind batch_read(rf_str bytes, struct batch_head *out, struct rf_err *err);
/* A view's numbers without a look at the crc: for what was verified when it was stored. */
RF_MUST_USE enum rf_kind batch_read_trusted(rf_str bytes, struct batch_head *out,
                                            struct rf_err *err);

/* The records, inflated: a view of head->records, or in `arena`. RF_INVALID CorruptMessage; RF_LIMIT MessageTooLarge above
 * BATCH_INFLATED_BYTES_MAX, MemoryBudgetExceeded. */
RF_MUST_USE enum rf_kind batch_inflate(const struct batch_head *head, struct rf_arena *arena,
                                       rf_str *out, struct rf_err *err);

struct record_header {
    rf_str name;
    rf_str value; /* ptr NULL: null */
};
struct record {
    int64_t time_ms;
    int64_t offset;    /* base offset and delta */
    rf_str key, value; /* ptr NULL: null */
    rf_str headers;    /* encoded */
    uint32_t header_count;
};
struct record_reader {
    const struct batch_head *head;
    rf_str rest;
    uint32_t index;
    int64_t last_delta; /* of the record before */
};
void record_reader_init(struct record_reader *reader, const struct batch_head *head,
                        rf_str inflated);
/* *more is false behind the last record. RF_INVALID CorruptMessage: lengths that lie, deltas that do not grow or pass the batch's last
 * one, times that overflow, bytes left over. */
RF_MUST_USE enum rf_kind record_next(struct record_reader *reader, struct record *out, bool *more,
                                     struct rf_err *err);
/* Takes the next header off `headers`; false at the end. What record_next returned has been checked. */
bool record_header_next(rf_str *headers, struct record_header *out);

/* What a producer sent, before it is stored: one batch, nothing behind it, crc, codec, every record readable, deltas 0, 1, 2...,
 * neither control nor transactional. Inflates into `scratch`. RF_INVALID, RF_LIMIT as above. */
RF_MUST_USE enum rf_kind batch_check(rf_str bytes, struct rf_arena *scratch, struct batch_head *out,
                                     struct rf_err *err);

/* Makes a batch. Deltas count from 0; the time of the first record is the base. */
struct batch_builder {
    struct rf_buf *buf; /* the batch grows at its end; buf->failed tells lack of memory */
    size_t start;
    uint32_t count;
    int64_t base_time_ms, max_time_ms;
};
struct batch_producer {
    int64_t id;
    int16_t epoch;
    int32_t sequence;
};
void batch_begin(struct batch_builder *builder, struct rf_buf *buf);
void batch_add(struct batch_builder *builder, int64_t time_ms, rf_str key, rf_str value,
               const struct record_header *headers, uint32_t header_count);
/* Compresses (CODEC_NONE, or when it does not get smaller: not) and writes the head; `producer` NULL: none. At least one record
 * was added. RF_LIMIT MemoryBudgetExceeded, MessageTooLarge: above 2 GiB. */
RF_MUST_USE enum rf_kind batch_end(struct batch_builder *builder, enum batch_codec codec,
                                   const struct batch_producer *producer, struct rf_err *err);
/* Numbers a batch in place; the crc stays right. */
void batch_number(uint8_t *batch, int64_t base_offset);

/* CRC-32C, by the processor's instruction where it has one; `crc` 0 to begin. */
uint32_t crc32c(uint32_t crc, const void *bytes, size_t len);

#endif
