/* wire.h - how Kafka writes numbers, texts and arrays: a reader over a request's bytes, writers into an answer.
 *
 * Numbers are big endian. The reader is bounded and sticky: a read beyond the end gives zero or an empty text and sets `bad`, so
 * a handler reads a whole structure and looks at `bad` once; what it read is not to be acted upon then. Compact forms and tagged
 * fields belong to flexible versions (KIP-482). Source: the protocol guide of Apache Kafka. */
#ifndef RF_KAFKA_WIRE_H
#define RF_KAFKA_WIRE_H

#include "base/rf.h"

struct kafka_reader {
    rf_str rest;
    bool bad;
};
static inline struct kafka_reader kafka_reader_of(rf_str bytes)
{
    return (struct kafka_reader){.rest = bytes};
}
int8_t kafka_get_i8(struct kafka_reader *in);
bool kafka_get_bool(struct kafka_reader *in);
int16_t kafka_get_i16(struct kafka_reader *in);
int32_t kafka_get_i32(struct kafka_reader *in);
int64_t kafka_get_i64(struct kafka_reader *in);
/* Views. A null one has ptr NULL; an empty one has not. */
rf_str kafka_get_nullable(struct kafka_reader *in); /* length i16, -1 null */
rf_str kafka_get_string(struct kafka_reader *in);   /* null is bad */
rf_str kafka_get_bytes(struct kafka_reader *in);    /* length i32, -1 null */
/* How many elements follow; each takes at least `each_bytes_min` (above 0), so a count that the rest cannot hold is bad and gives 0.
 * -1 (null) gives 0 and, where is_null is not NULL, sets it; else it is bad. */
uint32_t kafka_get_count(struct kafka_reader *in, size_t each_bytes_min, bool *is_null);
rf_str kafka_get_compact(struct kafka_reader *in); /* a compact text; null has ptr NULL */
void kafka_skip_tags(struct kafka_reader *in);

void kafka_put_i8(struct rf_buf *out, int8_t value);
void kafka_put_bool(struct rf_buf *out, bool value);
void kafka_put_i16(struct rf_buf *out, int16_t value);
void kafka_put_i32(struct rf_buf *out, int32_t value);
void kafka_put_i64(struct rf_buf *out, int64_t value);
void kafka_put_string(struct rf_buf *out,
                      rf_str value); /* at most 32,767 bytes of it; never null */
void kafka_put_nullable(struct rf_buf *out, rf_str value); /* ptr NULL: null */
void kafka_put_bytes(struct rf_buf *out, rf_str value);    /* ptr NULL: null */
void kafka_put_count(struct rf_buf *out, size_t count);    /* of an array; at most INT32_MAX */
void kafka_put_uvarint(struct rf_buf *out, uint32_t value);
/* A count that is known later: where it stands, for kafka_set_i32. */
static inline size_t kafka_put_later(struct rf_buf *out)
{
    size_t at = out->len;
    kafka_put_i32(out, 0);
    return at;
}
void kafka_set_i32(struct rf_buf *out, size_t at, int32_t value); /* nothing when out->failed */

#endif
