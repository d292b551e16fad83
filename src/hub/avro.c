#include "hub/avro.h"

#include <limits.h>
#include <zlib.h>

enum { LONG_BYTES_MAX = 10 };

void avro_put_long(struct rf_buf *buf, int64_t value)
{
    uint64_t zigzag = (uint64_t)value << 1 ^ (uint64_t)(value >> 63);
    for (; zigzag >= 0x80; zigzag >>= 7) rf_buf_byte(buf, (uint8_t)(zigzag | 0x80));
    rf_buf_byte(buf, (uint8_t)zigzag);
}

void avro_put_double(struct rf_buf *buf, double value)
{
    uint8_t bytes[8];
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    rf_put_u64le(bytes, bits);
    rf_buf_put(buf, bytes, sizeof bytes);
}

void avro_put_bytes(struct rf_buf *buf, rf_str bytes)
{
    avro_put_long(buf, (int64_t)bytes.len);
    rf_buf_str(buf, bytes);
}

void avro_put_head(struct rf_buf *buf, rf_str schema, enum avro_codec codec,
                   const uint8_t marker[AVRO_MARKER_BYTES])
{
    rf_buf_put(buf, "Obj\1", 4);
    avro_put_long(buf, 2);
    avro_put_bytes(buf, RF_S("avro.codec"));
    avro_put_bytes(buf, codec == AVRO_CODEC_DEFLATE ? RF_S("deflate") : RF_S("null"));
    avro_put_bytes(buf, RF_S("avro.schema"));
    avro_put_bytes(buf, schema);
    avro_put_long(buf, 0);
    rf_buf_put(buf, marker, AVRO_MARKER_BYTES);
}

/* zlib's own bound of what does not get smaller: five bytes for each 16 KiB, and a few. */
size_t avro_block_overhead(size_t object_bytes)
{
    return 2 * (size_t)LONG_BYTES_MAX + AVRO_MARKER_BYTES + object_bytes / 1024 + 32;
}

/* A block is compressed by itself, so that a reader may begin at any. */
static bool deflate_bare(rf_str in, struct rf_buf *out)
{
    z_stream z = {0};
    if (in.len > UINT_MAX) return false;
    if (deflateInit2(&z, Z_DEFAULT_COMPRESSION, Z_DEFLATED, -MAX_WBITS, 8, Z_DEFAULT_STRATEGY) !=
        Z_OK)
        return false;
    uLong bound = deflateBound(&z, (uLong)in.len);
    bool good = bound <= UINT_MAX && rf_buf_reserve(out, bound);
    if (good) {
        z.next_in = (z_const Bytef *)(uintptr_t)in.ptr;
        z.avail_in = (uInt)in.len;
        z.next_out = out->ptr + out->len;
        z.avail_out = (uInt)bound;
        good = deflate(&z, Z_FINISH) == Z_STREAM_END;
        out->len += z.total_out;
    }
    (void)deflateEnd(&z);
    return good;
}

void avro_put_block(struct rf_buf *buf, uint64_t count, rf_str objects, enum avro_codec codec,
                    const uint8_t marker[AVRO_MARKER_BYTES])
{
    RF_ASSERT(count > 0);
    struct rf_buf packed = rf_buf_in(buf->arena);
    if (codec == AVRO_CODEC_DEFLATE) {
        if (!deflate_bare(objects, &packed)) {
            buf->failed = true;
            return;
        }
        objects = rf_buf_view(&packed);
    }
    avro_put_long(buf, (int64_t)count);
    avro_put_bytes(buf, objects);
    rf_buf_put(buf, marker, AVRO_MARKER_BYTES);
}
