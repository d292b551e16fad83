/* codec_snappy.c - Snappy blocks, and the stream of them that Java clients send. Written here because the common library is C++,
 * whose runtime the program would have to carry for these two functions.
 *
 *   block     length of the text (varint), then elements: a literal or a copy of what came before
 *     xxxxxx00  literal of x + 1 bytes; x 60..63: the length less one follows in 1..4 bytes
 *     yyyxxx01 yyyyyyyy  copy x + 4 bytes from y back
 *     xxxxxx10 + 2 bytes, xxxxxx11 + 4 bytes  copy x + 1 bytes from the little-endian distance
 *   stream    82 "SNAPPY" 00, version i32, least version i32; then length i32 (big endian) and block, again and again
 *
 * Source: the format description of Snappy, and the contract's section 9.3. */
#include "hub/codec_int.h"
#include "hub/record_int.h"

enum { STREAM_HEAD_BYTES = 16, STREAM_BLOCK_BYTES = 32 << 10, HASH_BITS = 13 };
/* No element yields more than 64 bytes from 3. */
enum { RATIO_MAX = 22 };
static const uint8_t stream_magic[8] = {0x82, 'S', 'N', 'A', 'P', 'P', 'Y', 0};

/* ---- inflating ---------------------------------------------------------------------------------------- */

/* Takes a literal of `len` bytes; `long_bytes` of its length follow the tag. */
static bool literal_take(rf_str *in, uint8_t tag, uint8_t *out, size_t *at, size_t end)
{
    size_t len = (size_t)(tag >> 2) + 1;
    if (len > 60) {
        size_t extra = len - 60;
        if (in->len < extra) return false;
        len = 0;
        for (size_t i = 0; i < extra; i++) len |= (size_t)in->ptr[i] << (8 * i);
        len++;
        *in = rf_slice(*in, extra, in->len);
    }
    if (len > in->len || len > end - *at) return false;
    memcpy(out + *at, in->ptr, len);
    *in = rf_slice(*in, len, in->len);
    *at += len;
    return true;
}

static bool copy_take(rf_str *in, uint8_t tag, uint8_t *out, size_t *at, size_t end)
{
    size_t len = (size_t)(tag >> 2) + 1, back;
    size_t extra = (tag & 3) == 3 ? 4 : tag & 3;
    if (in->len < extra) return false;
    if (extra == 1) {
        len = (size_t)(tag >> 2 & 7) + 4;
        back = (size_t)(tag >> 5) << 8 | in->ptr[0];
    } else {
        back = extra == 2 ? rf_get_u16le(in->ptr) : rf_get_u32le(in->ptr);
    }
    *in = rf_slice(*in, extra, in->len);
    if (back == 0 || back > *at || len > end - *at) return false;
    uint8_t *to = out + *at;
    if (back >= len)
        memcpy(to, to - back, len);
    else /* what is copied comes to be while it is copied */
        for (size_t i = 0; i < len; i++) to[i] = *(to - back + i);
    *at += len;
    return true;
}

static enum codec_end block_inflate(rf_str in, struct codec_sink *sink)
{
    uint64_t len = 0;
    size_t used = 0;
    for (bool more = true; more; used++) {
        if (used == in.len || used == 5) return CODEC_BAD;
        len |= (uint64_t)(in.ptr[used] & 0x7f) << (7 * used);
        more = in.ptr[used] >= 0x80;
    }
    in = rf_slice(in, used, in.len);
    if (len > sink->bytes_max - sink->len) return CODEC_TOO_LONG;
    if (len > (uint64_t)in.len * RATIO_MAX) return CODEC_BAD;
    if (len == 0) return in.len == 0 ? CODEC_GOOD : CODEC_BAD;
    enum codec_end room = codec_room(sink, (size_t)len);
    if (room != CODEC_GOOD) return room;
    uint8_t *out = sink->ptr + sink->len;
    size_t at = 0;
    while (in.len > 0) {
        uint8_t tag = in.ptr[0];
        in = rf_slice(in, 1, in.len);
        bool good = (tag & 3) == 0 ? literal_take(&in, tag, out, &at, (size_t)len)
                                   : copy_take(&in, tag, out, &at, (size_t)len);
        if (!good) return CODEC_BAD;
    }
    if (at != len) return CODEC_BAD;
    sink->len += at;
    return CODEC_GOOD;
}

static bool is_stream_head(rf_str in)
{
    return in.len >= STREAM_HEAD_BYTES && memcmp(in.ptr, stream_magic, sizeof stream_magic) == 0;
}

enum codec_end snappy_inflate(rf_str packed, struct codec_sink *sink)
{
    if (!is_stream_head(packed)) return block_inflate(packed, sink);
    while (packed.len > 0) {
        /* Streams may follow each other. */
        if (is_stream_head(packed)) {
            packed = rf_slice(packed, STREAM_HEAD_BYTES, packed.len);
            continue;
        }
        if (packed.len < 4 || get_u32be(packed.ptr) > packed.len - 4) return CODEC_BAD;
        size_t len = get_u32be(packed.ptr);
        enum codec_end end = block_inflate(rf_slice(packed, 4, 4 + len), sink);
        if (end != CODEC_GOOD) return end;
        packed = rf_slice(packed, 4 + len, packed.len);
    }
    return CODEC_GOOD;
}

/* ---- deflating ---------------------------------------------------------------------------------------- */

static uint8_t *literal_put(uint8_t *out, const uint8_t *from, size_t len)
{
    if (len == 0) return out;
    if (len <= 60) {
        *out++ = (uint8_t)((len - 1) << 2);
    } else if (len <= 256) {
        *out++ = 60 << 2;
        *out++ = (uint8_t)(len - 1);
    } else {
        *out++ = 61 << 2; /* a block's text is below 64 KiB */
        rf_put_u16le(out, (uint16_t)(len - 1));
        out += 2;
    }
    memcpy(out, from, len);
    return out + len;
}

static uint8_t *copy_put(uint8_t *out, size_t back, size_t len)
{
    while (len > 0) {
        size_t part = RF_MIN(len, (size_t)64);
        *out++ = (uint8_t)((part - 1) << 2 | 2);
        rf_put_u16le(out, (uint16_t)back);
        out += 2;
        len -= part;
    }
    return out;
}

static size_t match_bytes(const uint8_t *a, const uint8_t *b, const uint8_t *end)
{
    const uint8_t *from = b;
    while (end - b >= 8) {
        uint64_t differ = rf_get_u64le(a) ^ rf_get_u64le(b);
        if (differ != 0) return (size_t)(b - from) + (size_t)__builtin_ctzll(differ) / 8;
        a += 8;
        b += 8;
    }
    while (b < end && *a == *b) a++, b++;
    return (size_t)(b - from);
}

static uint8_t *block_deflate(rf_str in, uint8_t *out)
{
    uint16_t table[1 << HASH_BITS]; /* where four bytes were seen last */
    memset(table, 0, sizeof table);
    for (size_t n = in.len;; n >>= 7) {
        *out++ = (uint8_t)(n | (n >= 0x80 ? 0x80 : 0));
        if (n < 0x80) break;
    }
    const uint8_t *base = in.ptr, *end = base + in.len;
    size_t done = 0, misses = 0;
    for (size_t at = 1; at + 4 <= in.len;) {
        uint32_t four = rf_get_u32le(base + at);
        uint16_t *slot = &table[four * 0x1e35a7bdu >> (32 - HASH_BITS)];
        size_t seen = *slot;
        *slot = (uint16_t)at;
        if (rf_get_u32le(base + seen) != four) {
            at += 1 + (misses++ >> 5); /* what does not pack is passed in growing steps */
            continue;
        }
        size_t len = 4 + match_bytes(base + seen + 4, base + at + 4, end);
        out = literal_put(out, base + done, at - done);
        out = copy_put(out, at - seen, len);
        done = at += len;
        misses = 0;
    }
    return literal_put(out, base + done, in.len - done);
}

/* A copy of 4 bytes or more takes 3, a literal at most 3 more than its text, and a copy stands between two. */
size_t snappy_room(size_t len)
{
    size_t blocks = len / STREAM_BLOCK_BYTES + 1;
    return STREAM_HEAD_BYTES + len + len / 2 + blocks * 16;
}

size_t snappy_deflate(rf_str plain, uint8_t *out)
{
    uint8_t *p = out;
    memcpy(p, stream_magic, sizeof stream_magic);
    put_u32be(p + 8, 1);
    put_u32be(p + 12, 1);
    p += STREAM_HEAD_BYTES;
    for (size_t at = 0; at < plain.len; at += STREAM_BLOCK_BYTES) {
        size_t to = RF_MIN(plain.len, at + STREAM_BLOCK_BYTES);
        uint8_t *block = p + 4;
        uint8_t *end = block_deflate(rf_slice(plain, at, to), block);
        put_u32be(p, (uint32_t)(end - block));
        p = end;
    }
    return (size_t)(p - out);
}
