/* avro.h - Avro object container files, written piece by piece into buffers.
 *
 *   head   "Obj" 1, map of metadata (avro.schema, avro.codec), marker
 *   block  count of objects, bytes of their encodings, the encodings (deflate: RFC 1951, bare), marker
 *
 * Source: the Apache Avro specification 1.11, "Binary Encoding" and "Object Container Files". Lack of memory shows in buf->failed. Any
 * thread. */
#ifndef RF_HUB_AVRO_H
#define RF_HUB_AVRO_H

#include "base/rf.h"

enum { AVRO_MARKER_BYTES = 16 };
enum avro_codec { AVRO_CODEC_NULL, AVRO_CODEC_DEFLATE };

void avro_put_long(struct rf_buf *buf,
                   int64_t value); /* also int, lengths, counts, branches of unions */
void avro_put_double(struct rf_buf *buf, double value);
void avro_put_bytes(struct rf_buf *buf,
                    rf_str bytes); /* a string alike: UTF-8, which the caller sees to */

void avro_put_head(struct rf_buf *buf, rf_str schema, enum avro_codec codec,
                   const uint8_t marker[AVRO_MARKER_BYTES]);
/* `objects`: the encodings of `count` > 0 objects, one behind the other. */
void avro_put_block(struct rf_buf *buf, uint64_t count, rf_str objects, enum avro_codec codec,
                    const uint8_t marker[AVRO_MARKER_BYTES]);
/* No block takes more than its objects and this. */
size_t avro_block_overhead(size_t object_bytes);

#endif
