#include "store/block.h"
#include "store/block_int.h"

#include <lz4.h>
#include <stdlib.h>
#include <zstd.h>

/* ---- growing bytes ------------------------------------------------------------------------------------ */

enum { BUF_BYTES_MIN = 256 };

bool block_buf_reserve(struct block_buf *buf, size_t more)
{
    if (more <= buf->cap - buf->len) return true;
    size_t need, cap;
    if (!rf_add_size(buf->len, more, &need)) return false;
    if (!rf_add_size(buf->cap, buf->cap / 2, &cap)) return false;
    cap = RF_MAX(RF_MAX(cap, need), (size_t)BUF_BYTES_MIN);
    if (!rf_budget_take(buf->budget, cap - buf->cap)) {
        /* Growing by half is a luxury. */
        cap = RF_MAX(need, (size_t)BUF_BYTES_MIN);
        if (!rf_budget_take(buf->budget, cap - buf->cap)) return false;
    }
    uint8_t *ptr = realloc(buf->ptr, cap);
    if (ptr == NULL) {
        rf_budget_give(buf->budget, cap - buf->cap);
        return false;
    }
    buf->ptr = ptr;
    buf->cap = cap;
    return true;
}

bool block_buf_put(struct block_buf *buf, const void *bytes, size_t len)
{
    if (!block_buf_reserve(buf, len)) return false;
    if (len > 0) memcpy(buf->ptr + buf->len, bytes, len);
    buf->len += len;
    return true;
}

bool block_buf_u8(struct block_buf *buf, uint8_t v) { return block_buf_put(buf, &v, sizeof v); }
bool block_buf_u16(struct block_buf *buf, uint16_t v) { return block_buf_put(buf, &v, sizeof v); }
bool block_buf_u32(struct block_buf *buf, uint32_t v) { return block_buf_put(buf, &v, sizeof v); }
bool block_buf_u64(struct block_buf *buf, uint64_t v) { return block_buf_put(buf, &v, sizeof v); }

void block_buf_done(struct block_buf *buf)
{
    free(buf->ptr);
    rf_budget_give(buf->budget, buf->cap);
    *buf = block_buf_in(buf->budget);
}

enum rf_kind block_no_memory(struct rf_err *err, const struct rf_budget *budget)
{
    return RF_FAIL(err, RF_LIMIT, "MemoryBudgetExceeded",
                   "the memory budget of %zu bytes is used up (%zu bytes in use)",
                   budget->limit_bytes,
                   atomic_load_explicit(&budget->used_bytes, memory_order_relaxed));
}

/* ---- compression ---------------------------------------------------------------------------------------- */

enum pack_method { PACK_NONE, PACK_LZ4, PACK_ZSTD };
enum { PACK_BYTES_MIN = 32 };

void block_codec_done(struct block_codec *codec)
{
    ZSTD_freeCCtx(codec->zstd_in);
    ZSTD_freeDCtx(codec->zstd_out);
    codec->zstd_in = codec->zstd_out = NULL;
}

/* `before`: bytes to look back into, as if they stood before these. */
static size_t pack_lz4(rf_str raw, rf_str before, uint8_t *out, size_t cap)
{
    BLOCK_SCRATCH LZ4_stream_t stream;
    (void)LZ4_initStream(&stream, sizeof stream);
    (void)LZ4_loadDict(&stream, (const char *)before.ptr, (int)before.len);
    int got = LZ4_compress_fast_continue(&stream, (const char *)raw.ptr, (char *)out, (int)raw.len,
                                         (int)cap, 1);
    return got < 0 ? 0 : (size_t)got;
}

/* Packs to `out` (room for `cap` bytes); 0 when it does not fit, and on any failure: then it stays as it is. */
static size_t pack_bytes(struct block_codec *codec, rf_str raw, rf_str before, uint8_t *out,
                         size_t cap)
{
    if (codec->level == 0) return pack_lz4(raw, before, out, cap);
    if (codec->zstd_in == NULL) codec->zstd_in = ZSTD_createCCtx();
    if (codec->zstd_in == NULL) return 0;
    size_t got = ZSTD_compress_usingDict(codec->zstd_in, out, cap, raw.ptr, raw.len, before.ptr,
                                         before.len, codec->level);
    return ZSTD_isError(got) ? 0 : got;
}

static bool pack(struct block_codec *codec, struct block_buf *out, rf_str raw, rf_str before,
                 bool compress)
{
    RF_ASSERT(raw.len <= BLOCK_TEXT_BYTES_MAX);
    if (!block_buf_reserve(out, raw.len + 9)) return false;
    uint8_t *head = out->ptr + out->len, *body = head + 9;
    size_t worth = raw.len - raw.len / 16, stored = 0;
    uint8_t method = codec->level == 0 ? PACK_LZ4 : PACK_ZSTD;
    if (compress && raw.len >= PACK_BYTES_MIN) stored = pack_bytes(codec, raw, before, body, worth);
    if (stored == 0) {
        method = PACK_NONE;
        stored = raw.len;
        if (raw.len > 0) memcpy(body, raw.ptr, raw.len);
    }
    head[0] = method;
    rf_put_u32le(head + 1, (uint32_t)raw.len);
    rf_put_u32le(head + 5, (uint32_t)stored);
    out->len += 9 + stored;
    return true;
}

bool block_pack(struct block_codec *codec, struct block_buf *out, rf_str raw)
{
    return pack(codec, out, raw, (rf_str){0}, true);
}

bool block_pack_after(struct block_codec *codec, struct block_buf *out, rf_str raw, rf_str before)
{
    return pack(codec, out, raw, before, true);
}

/* ---- cells ------------------------------------------------------------------------------------------------ */

enum { SAMPLE_BYTES = 4096, CELL_SLOTS = 1 << 14 };

/* True when the bytes, each for itself, cannot be packed by a sixteenth, going by a sample: 7.5 bits is the least
 * that one takes. The collisions counted here bound that from below. */
static bool bytes_are_even(rf_str raw)
{
    uint32_t of_byte[256] = {0};
    uint64_t squares = 0;
    size_t count = RF_MIN(raw.len, (size_t)SAMPLE_BYTES), step = raw.len / count;
    /* An odd step goes through all places of a cell. */
    step -= step > 1 && step % 2 == 0;
    for (size_t i = 0; i < count; i++) of_byte[raw.ptr[i * step]]++;
    for (size_t i = 0; i < 256; i++) squares += (uint64_t)of_byte[i] * of_byte[i];
    /* 256 * sum(p^2) <= 2^(8 - 7.5), and one for the chance hits of a sample. */
    return squares * 256 <= (uint64_t)count * count / 1000 * 1414 + 256 * (uint64_t)count / 2;
}

/* True when hardly a cell came before, going by the first eight bytes. */
static bool cells_are_unique(rf_str raw, size_t cell_bytes)
{
    uint16_t slots[CELL_SLOTS];
    size_t count = raw.len / cell_bytes, again = 0;
    memset(slots, 0, sizeof slots);
    for (size_t i = 0; i < count; i++) {
        uint64_t hash = rf_get_u64le(raw.ptr + i * cell_bytes) * UINT64_C(0x9e3779b97f4a7c15);
        uint16_t *slot = &slots[hash >> 50], tag = (uint16_t)(hash >> 24 | 1);
        again += *slot == tag;
        *slot = tag;
    }
    return again <= count / 32;
}

bool block_pack_cells(struct block_codec *codec, struct block_buf *out, rf_str raw,
                      size_t cell_bytes)
{
    bool random = cell_bytes >= 8 && raw.len >= SAMPLE_BYTES && bytes_are_even(raw) &&
                  cells_are_unique(raw, cell_bytes);
    return pack(codec, out, raw, (rf_str){0}, !random);
}

static bool unpack_bytes(struct block_codec *codec, uint8_t method, rf_str stored, rf_str before,
                         uint8_t *out, size_t raw_bytes)
{
    switch (method) {
    case PACK_NONE:
        if (stored.len != raw_bytes) return false;
        if (raw_bytes > 0) memcpy(out, stored.ptr, raw_bytes);
        return true;
    case PACK_LZ4:
        return LZ4_decompress_safe_usingDict((const char *)stored.ptr, (char *)out, (int)stored.len,
                                             (int)raw_bytes, (const char *)before.ptr,
                                             (int)before.len) == (int)raw_bytes;
    case PACK_ZSTD:
        return ZSTD_decompress_usingDict(codec->zstd_out, out, raw_bytes, stored.ptr, stored.len,
                                         before.ptr, before.len) == raw_bytes;
    default:
        return false;
    }
}

/* What block_pack wrote, before it is unpacked. */
struct packed {
    uint8_t method;
    uint32_t raw_bytes;
    rf_str stored;
};

static enum rf_kind take_packed(struct block_codec *codec, rf_str bytes, size_t *at,
                                struct packed *out, struct rf_err *err)
{
    struct block_reader r = {bytes, *at, false};
    out->method = block_take_u8(&r);
    out->raw_bytes = block_take_u32(&r);
    out->stored = block_take_str(&r, block_take_u32(&r));
    if (r.failed) return block_corrupt(err, "compressed bytes are cut short");
    if (out->stored.len > BLOCK_TEXT_BYTES_MAX || out->raw_bytes > BLOCK_TEXT_BYTES_MAX)
        return block_corrupt(err, "compressed bytes are too many");
    if (out->method == PACK_ZSTD && codec->zstd_out == NULL) codec->zstd_out = ZSTD_createDCtx();
    if (out->method == PACK_ZSTD && codec->zstd_out == NULL)
        return block_no_memory(err, codec->budget);
    *at = r.at;
    return RF_OK;
}

static enum rf_kind unpack(struct block_codec *codec, const struct packed *p, rf_str before,
                           uint8_t *out, struct rf_err *err)
{
    return unpack_bytes(codec, p->method, p->stored, before, out, p->raw_bytes)
               ? RF_OK
               : block_corrupt(err, "compressed bytes do not unpack");
}

enum rf_kind block_unpack(struct block_codec *codec, rf_str bytes, size_t *at, size_t raw_max,
                          struct block_buf *out, struct rf_err *err)
{
    struct packed p;
    size_t end = *at;
    RF_TRY(take_packed(codec, bytes, &end, &p, err));
    if (p.raw_bytes > raw_max)
        return block_corrupt(err, "compressed bytes are more than there can be");
    /* One more, so that there is a place even for nothing. */
    if (!block_buf_reserve(out, (size_t)p.raw_bytes + 1)) return block_no_memory(err, out->budget);
    RF_TRY(unpack(codec, &p, (rf_str){0}, out->ptr + out->len, err));
    out->len += p.raw_bytes;
    *at = end;
    return RF_OK;
}

static enum rf_kind take_exactly(struct block_codec *codec, rf_str bytes, size_t *at,
                                 size_t raw_bytes, struct packed *out, struct rf_err *err)
{
    RF_TRY(take_packed(codec, bytes, at, out, err));
    return out->raw_bytes == raw_bytes
               ? RF_OK
               : block_corrupt(err, "compressed bytes are not as many as they should be");
}

enum rf_kind block_unpack_to(struct block_codec *codec, rf_str bytes, size_t *at, rf_str before,
                             uint8_t *out, size_t raw_bytes, struct rf_err *err)
{
    struct packed p;
    RF_TRY(take_exactly(codec, bytes, at, raw_bytes, &p, err));
    return unpack(codec, &p, before, out, err);
}

enum rf_kind block_unpack_view(struct block_codec *codec, rf_str bytes, size_t *at,
                               size_t raw_bytes, struct block_buf *room, const uint8_t **out,
                               struct rf_err *err)
{
    struct packed p;
    RF_TRY(take_exactly(codec, bytes, at, raw_bytes, &p, err));
    *out = p.stored.ptr;
    if (p.method == PACK_NONE && p.stored.len == raw_bytes) return RF_OK;
    room->len = 0;
    if (!block_buf_reserve(room, raw_bytes + 1)) return block_no_memory(err, room->budget);
    *out = room->ptr;
    return unpack(codec, &p, (rf_str){0}, room->ptr, err);
}
