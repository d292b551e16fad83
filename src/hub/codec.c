#include "hub/codec_int.h"

#include <lz4frame.h>
#include <zlib.h>
#include <zstd.h>

enum { FIRST_BYTES = 4096, GZIP_LEVEL = 6, ZSTD_LEVEL = 3, GUESSED_RATIO = 8 };
/* Above what any producer's settings ask for; the decoder takes memory as it fills the window. */
enum { ZSTD_WINDOW_LOG_MAX = 27 };
#define DEFLATE_BYTES_MAX ((size_t)1 << 30)

enum codec_end codec_room(struct codec_sink *sink, size_t more)
{
    if (sink->cap - sink->len >= more) return CODEC_GOOD;
    if (more > sink->bytes_max - sink->len) return CODEC_TOO_LONG;
    size_t cap = RF_MAX(RF_MAX(sink->cap * 2, sink->len + more), (size_t)FIRST_BYTES);
    cap = RF_MIN(cap, sink->bytes_max);
    uint8_t *grown = rf_arena_grow(sink->arena, sink->ptr, sink->cap, cap);
    if (grown == NULL) return CODEC_NO_MEMORY;
    sink->ptr = grown;
    sink->cap = cap;
    return CODEC_GOOD;
}

/* ---- gzip --------------------------------------------------------------------------------------------- */

static enum codec_end gzip_all(z_stream *z, struct codec_sink *sink)
{
    for (;;) {
        enum codec_end end = codec_room(sink, 1);
        /* At the limit there may still be an end without bytes to read. */
        uint8_t spare = 0;
        bool full = end == CODEC_TOO_LONG;
        if (end == CODEC_NO_MEMORY) return end;
        uInt room = full ? 1 : (uInt)(sink->cap - sink->len);
        z->next_out = full ? &spare : sink->ptr + sink->len;
        z->avail_out = room;
        int result = inflate(z, Z_NO_FLUSH);
        if (full && z->avail_out == 0) return CODEC_TOO_LONG;
        if (!full) sink->len += room - z->avail_out;
        if (result == Z_STREAM_END) {
            if (z->avail_in == 0) return CODEC_GOOD;
            /* Members may follow each other (RFC 1952 section 2.2). */
            (void)inflateReset(z); /* fails for a stream that was never begun only */
            continue;
        }
        if (result == Z_MEM_ERROR) return CODEC_NO_MEMORY;
        bool stuck = result == Z_BUF_ERROR || (z->avail_in == 0 && z->avail_out > 0);
        if (result != Z_OK || stuck) return CODEC_BAD;
    }
}

static enum codec_end gzip_inflate(rf_str packed, struct codec_sink *sink)
{
    z_stream z = {.next_in = (Bytef *)(uintptr_t)packed.ptr, /* zlib only reads there */
                  .avail_in = (uInt)packed.len};
    if (packed.len > UINT32_MAX) return CODEC_TOO_LONG;
    if (inflateInit2(&z, MAX_WBITS + 16) != Z_OK) return CODEC_NO_MEMORY;
    enum codec_end end = gzip_all(&z, sink);
    (void)inflateEnd(&z);
    return end;
}

static bool gzip_deflate(rf_str plain, uint8_t *out, size_t *len)
{
    z_stream z = {.next_in = (Bytef *)(uintptr_t)plain.ptr,
                  .avail_in = (uInt)plain.len,
                  .next_out = out,
                  .avail_out = (uInt)*len};
    if (deflateInit2(&z, GZIP_LEVEL, Z_DEFLATED, MAX_WBITS + 16, 8, Z_DEFAULT_STRATEGY) != Z_OK)
        return false;
    bool good = deflate(&z, Z_FINISH) == Z_STREAM_END;
    *len = z.total_out;
    (void)deflateEnd(&z);
    return good;
}

/* deflateBound of a stream that is not there yet, with gzip's head and tail. */
static size_t gzip_room(size_t len) { return len + (len >> 3) + (len >> 6) + 64; }

/* ---- lz4 and zstd: both streams end when their decoder hints that it wants nothing more ----------------- */

static enum codec_end lz4_all(LZ4F_dctx *ctx, rf_str in, struct codec_sink *sink)
{
    size_t hint = 1;
    while (in.len > 0 || hint != 0) {
        enum codec_end end = codec_room(sink, 1);
        uint8_t spare = 0;
        bool full = end == CODEC_TOO_LONG;
        if (end == CODEC_NO_MEMORY) return end;
        size_t taken = in.len, got = full ? 1 : sink->cap - sink->len;
        hint =
            LZ4F_decompress(ctx, full ? &spare : sink->ptr + sink->len, &got, in.ptr, &taken, NULL);
        if (LZ4F_isError(hint)) return CODEC_BAD;
        if (full && got > 0) return CODEC_TOO_LONG;
        if (taken == 0 && got == 0) return CODEC_BAD; /* cut */
        sink->len += got;
        in = rf_slice(in, taken, in.len);
    }
    return CODEC_GOOD;
}

static enum codec_end lz4_inflate(rf_str packed, struct codec_sink *sink)
{
    LZ4F_dctx *ctx = NULL;
    if (LZ4F_isError(LZ4F_createDecompressionContext(&ctx, LZ4F_VERSION))) return CODEC_NO_MEMORY;
    enum codec_end end = lz4_all(ctx, packed, sink);
    (void)LZ4F_freeDecompressionContext(ctx);
    return end;
}

static enum codec_end zstd_all(ZSTD_DCtx *ctx, rf_str packed, struct codec_sink *sink)
{
    ZSTD_inBuffer in = {packed.ptr, packed.len, 0};
    size_t hint = 1;
    while (in.pos < in.size || hint != 0) {
        enum codec_end end = codec_room(sink, 1);
        uint8_t spare = 0;
        bool full = end == CODEC_TOO_LONG;
        if (end == CODEC_NO_MEMORY) return end;
        ZSTD_outBuffer out = {full ? &spare : sink->ptr, full ? 1 : sink->cap,
                              full ? 0 : sink->len};
        size_t before_in = in.pos, before_out = out.pos;
        hint = ZSTD_decompressStream(ctx, &out, &in);
        if (ZSTD_isError(hint)) return CODEC_BAD;
        if (full && out.pos > 0) return CODEC_TOO_LONG;
        if (in.pos == before_in && out.pos == before_out && hint != 0) return CODEC_BAD; /* cut */
        if (!full) sink->len = out.pos;
    }
    return CODEC_GOOD;
}

static enum codec_end zstd_inflate(rf_str packed, struct codec_sink *sink)
{
    ZSTD_DCtx *ctx = ZSTD_createDCtx();
    if (ctx == NULL) return CODEC_NO_MEMORY;
    enum codec_end end = CODEC_NO_MEMORY;
    if (!ZSTD_isError(ZSTD_DCtx_setParameter(ctx, ZSTD_d_windowLogMax, ZSTD_WINDOW_LOG_MAX)))
        end = zstd_all(ctx, packed, sink);
    (void)ZSTD_freeDCtx(ctx);
    return end;
}

/* Independent blocks: some clients' decoders take no others. */
static const LZ4F_preferences_t lz4_preferences = {
    .frameInfo = {.blockSizeID = LZ4F_max64KB, .blockMode = LZ4F_blockIndependent}};

/* ---- any ---------------------------------------------------------------------------------------------- */

enum rf_kind codec_inflate(enum batch_codec codec, rf_str packed, size_t bytes_max,
                           struct rf_arena *arena, rf_str *out, struct rf_err *err)
{
    struct codec_sink sink = {.arena = arena, .bytes_max = bytes_max};
    /* Text often has this ratio, so that most batches need no second allocation. */
    enum codec_end end = CODEC_GOOD;
    if (codec != CODEC_SNAPPY)
        end = codec_room(&sink, RF_MIN(packed.len, bytes_max / GUESSED_RATIO) * GUESSED_RATIO);
    if (end == CODEC_GOOD && codec == CODEC_GZIP) end = gzip_inflate(packed, &sink);
    if (end == CODEC_GOOD && codec == CODEC_SNAPPY) end = snappy_inflate(packed, &sink);
    if (end == CODEC_GOOD && codec == CODEC_LZ4) end = lz4_inflate(packed, &sink);
    if (end == CODEC_GOOD && codec == CODEC_ZSTD) end = zstd_inflate(packed, &sink);
    if (end == CODEC_NO_MEMORY) return rf_fail_memory(err, arena);
    if (end == CODEC_TOO_LONG)
        return RF_FAIL(err, RF_LIMIT, "MessageTooLarge",
                       "the records are more than %zu bytes when they are inflated", bytes_max);
    if (end == CODEC_BAD)
        return RF_FAIL(err, RF_INVALID, "CorruptMessage",
                       "the records of the batch are not what its codec says");
    *out = rf_str_make(sink.ptr, sink.len);
    return RF_OK;
}

static size_t deflate_room(enum batch_codec codec, size_t len)
{
    switch (codec) {
    case CODEC_GZIP:
        return gzip_room(len);
    case CODEC_SNAPPY:
        return snappy_room(len);
    case CODEC_LZ4:
        return LZ4F_compressFrameBound(len, &lz4_preferences);
    default:
        return ZSTD_compressBound(len);
    }
}

static bool deflate_into(enum batch_codec codec, rf_str plain, uint8_t *out, size_t *len)
{
    size_t cap = *len;
    switch (codec) {
    case CODEC_GZIP:
        return gzip_deflate(plain, out, len);
    case CODEC_SNAPPY:
        *len = snappy_deflate(plain, out);
        return true;
    case CODEC_LZ4:
        *len = LZ4F_compressFrame(out, cap, plain.ptr, plain.len, &lz4_preferences);
        return !LZ4F_isError(*len);
    default:
        *len = ZSTD_compress(out, cap, plain.ptr, plain.len, ZSTD_LEVEL);
        return !ZSTD_isError(*len);
    }
}

enum rf_kind codec_deflate(enum batch_codec codec, rf_str plain, struct rf_arena *arena,
                           rf_str *out, struct rf_err *err)
{
    RF_ASSERT(codec > CODEC_NONE && codec <= CODEC_ZSTD);
    if (plain.len > DEFLATE_BYTES_MAX)
        return RF_FAIL(err, RF_LIMIT, "MessageTooLarge",
                       "%zu bytes of records are too many to pack", plain.len);
    size_t len = deflate_room(codec, plain.len);
    uint8_t *packed = rf_arena_alloc(arena, len);
    if (packed == NULL) return rf_fail_memory(err, arena);
    /* Room is enough by the codecs' own bounds: what fails is their memory. */
    if (!deflate_into(codec, plain, packed, &len))
        return RF_FAIL(err, RF_LIMIT, "MemoryBudgetExceeded", "no memory to pack %zu bytes",
                       plain.len);
    *out = rf_str_make(packed, len);
    return RF_OK;
}
