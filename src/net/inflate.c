#include "net/inflate.h"

#include <stdlib.h>
#include <zlib.h>
#include <zstd.h>

/* deflate means zlib's format (RFC 9110 section 8.4.1.2), but some clients send it bare: zlib's first byte tells. */
static int window_bits(rf_str in, enum http_coding coding)
{
    if (coding == HTTP_GZIP) return MAX_WBITS + 16;
    bool zlib =
        in.len >= 2 && (in.ptr[0] & 0x0f) == Z_DEFLATED && (in.ptr[0] * 256 + in.ptr[1]) % 31 == 0;
    return zlib ? MAX_WBITS : -MAX_WBITS;
}

struct inflating {
    z_stream z;
    uint8_t *out;
    size_t bytes, cap, max;
    bool is_gzip;
};

static bool inflate_room(struct inflating *f, struct http_refusal *why)
{
    if (f->bytes < f->cap) return true;
    if (f->cap > f->max) {
        *why = (struct http_refusal){413, "the body is too long when it is decoded"};
        return false;
    }
    /* One byte more than may be, so that being full means being too long. */
    size_t cap = RF_MIN(RF_MAX(f->cap * 2, (size_t)16 << 10), f->max + 1);
    uint8_t *grown = realloc(f->out, cap);
    if (grown == NULL) {
        *why = (struct http_refusal){503, "memory is used up"};
        return false;
    }
    f->out = grown;
    f->cap = cap;
    return true;
}

static bool inflate_all(struct inflating *f, struct http_refusal *why)
{
    for (;;) {
        if (!inflate_room(f, why)) return false;
        uInt room = (uInt)RF_MIN(f->cap - f->bytes, (size_t)UINT32_MAX);
        f->z.next_out = f->out + f->bytes;
        f->z.avail_out = room;
        int result = inflate(&f->z, Z_NO_FLUSH);
        f->bytes += room - f->z.avail_out;
        if (result == Z_STREAM_END) {
            if (!f->is_gzip || f->z.avail_in == 0) break;
            /* Members may follow each other (RFC 1952 section 2.2). */
            (void)inflateReset(&f->z); /* fails for a stream that was never begun only */
            continue;
        }
        bool stuck = result == Z_BUF_ERROR || (f->z.avail_in == 0 && f->z.avail_out > 0);
        if ((result != Z_OK && result != Z_BUF_ERROR) || stuck) {
            *why = (struct http_refusal){400, "the body is not what its Content-Encoding says"};
            return false;
        }
    }
    if (f->bytes > f->max) {
        *why = (struct http_refusal){413, "the body is too long when it is decoded"};
        return false;
    }
    if (f->z.avail_in == 0) return true;
    *why = (struct http_refusal){400, "bytes follow the coded body"};
    return false;
}

/* ---- zstd ------------------------------------------------------------------------------------------ */

enum { ZSTD_WINDOW_LOG_MAX = 23 };

/* Frames may follow each other. */
static bool unpack_all(struct inflating *f, ZSTD_DCtx *zstd, rf_str in, struct http_refusal *why)
{
    ZSTD_inBuffer source = {in.ptr, in.len, 0};
    size_t hint = 1;
    while (source.pos < in.len || hint != 0) {
        if (!inflate_room(f, why)) return false;
        ZSTD_outBuffer out = {f->out, f->cap, f->bytes};
        size_t before = source.pos;
        hint = ZSTD_decompressStream(zstd, &out, &source);
        bool stuck = source.pos == before && out.pos == f->bytes;
        f->bytes = out.pos;
        if (ZSTD_isError(hint) || (stuck && hint != 0)) {
            *why = (struct http_refusal){400, "the body is not what its Content-Encoding says"};
            return false;
        }
    }
    if (f->bytes <= f->max) return true;
    *why = (struct http_refusal){413, "the body is too long when it is decoded"};
    return false;
}

static bool unpack(struct inflating *f, rf_str in, struct http_refusal *why)
{
    ZSTD_DCtx *zstd = ZSTD_createDCtx();
    bool ready = zstd != NULL && !ZSTD_isError(ZSTD_DCtx_setParameter(zstd, ZSTD_d_windowLogMax,
                                                                      ZSTD_WINDOW_LOG_MAX));
    if (!ready) *why = (struct http_refusal){503, "memory is used up"};
    bool good = ready && unpack_all(f, zstd, in, why);
    (void)ZSTD_freeDCtx(zstd);
    return good;
}

/* ---- any ------------------------------------------------------------------------------------------- */

static bool inflate_zlib(struct inflating *f, rf_str in, enum http_coding coding,
                         struct http_refusal *why)
{
    if (in.len > UINT32_MAX) {
        *why = (struct http_refusal){413, "the body is too long"};
        return false;
    }
    f->z.next_in = (Bytef *)(uintptr_t)in.ptr; /* zlib only reads there */
    f->z.avail_in = (uInt)in.len;
    if (inflateInit2(&f->z, window_bits(in, coding)) != Z_OK) {
        *why = (struct http_refusal){503, "memory is used up"};
        return false;
    }
    bool good = inflate_all(f, why);
    (void)inflateEnd(&f->z);
    return good;
}

bool http_inflate(rf_str in, enum http_coding coding, size_t max, uint8_t **out, size_t *out_bytes,
                  struct http_refusal *why)
{
    struct inflating f = {.max = RF_MIN(max, SIZE_MAX - 1), .is_gzip = coding == HTTP_GZIP};
    bool good = coding == HTTP_ZSTD ? unpack(&f, in, why) : inflate_zlib(&f, in, coding, why);
    if (!good) {
        free(f.out);
        return false;
    }
    *out = f.out;
    *out_bytes = f.bytes;
    return true;
}
