/* Reals.
 *
 *   scaled  0  1  mode 0                           planes  0  1  mode 1
 *           1  1  exponent: value is int / 10^exponent     1     packed: byte 0 of every value, byte 1 ...
 *           2  4  exceptions
 *           6     exceptions: u32 row, u64 bits
 *                 ints */
#include "store/block_int.h"

#include <math.h>

enum { MODE_SCALED, MODE_PLANES };
enum { EXPONENT_MAX = 15, SCALED_HEAD_BYTES = 6, EXCEPTION_BYTES = 12, SAMPLE = 64 };

/* Whole numbers below this and powers of ten up to 10^15 are exact doubles, so one division rounds as the
 * reading of the decimal text did. */
static const double scaled_max = 4503599627370496.0; /* 2^52 */
static const double powers[EXPONENT_MAX + 1] = {1e0, 1e1, 1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                                1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15};

static uint64_t bits_of(double r)
{
    uint64_t bits;
    memcpy(&bits, &r, sizeof bits);
    return bits;
}

/* A nan or infinity fails the comparison; minus zero differs in its bits. */
static bool scale_exactly(double r, double power, int64_t *out)
{
    double x = r * power;
    if (!(fabs(x) < scaled_max)) return false;
    int64_t i = (int64_t)(x < 0 ? x - 0.5 : x + 0.5);
    *out = i;
    return bits_of((double)i / power) == bits_of(r);
}

/* The exponent that suits most of a sample, or -1. */
static int guess_exponent(const double *values, uint32_t count)
{
    uint32_t step = count / SAMPLE + 1, seen = 0, exact = 0;
    int best = 0;
    for (uint32_t i = 0; i < count; i += step, seen++) {
        int64_t x;
        int e = 0;
        while (e <= EXPONENT_MAX && !scale_exactly(values[i], powers[e], &x)) e++;
        if (e > EXPONENT_MAX) continue;
        exact++;
        best = RF_MAX(best, e);
    }
    return exact * 8 >= seen * 7 ? best : -1;
}

static bool encode_scaled(struct block_buf *out, const double *values, uint32_t count, int exponent,
                          struct block_buf *room, bool *fits)
{
    size_t start = out->len;
    uint32_t exceptions = 0, most = count / 32;
    if (!block_buf_reserve(room, (size_t)count * sizeof(int64_t))) return false;
    int64_t *ints = (int64_t *)(void *)room->ptr, last = 0;
    if (!block_buf_u8(out, MODE_SCALED) || !block_buf_u8(out, (uint8_t)exponent) ||
        !block_buf_u32(out, 0))
        return false;
    for (uint32_t i = 0; i < count && exceptions <= most; i++) {
        if (!scale_exactly(values[i], powers[exponent], &ints[i])) {
            ints[i] = last; /* costs least */
            exceptions++;
            if (!block_buf_u32(out, i) || !block_buf_u64(out, bits_of(values[i]))) return false;
        }
        last = ints[i];
    }
    *fits = exceptions <= most;
    if (!*fits) {
        out->len = start;
        return true;
    }
    rf_put_u32le(out->ptr + start + 2, exceptions);
    return block_ints_encode(out, &(struct block_cells){ints, 8, count});
}

static bool encode_planes(struct block_codec *codec, struct block_buf *out, const double *values,
                          uint32_t count, struct block_buf *room)
{
    room->len = 0;
    if (!block_buf_reserve(room, (size_t)count * 8)) return false;
    for (uint32_t i = 0; i < count; i++) {
        uint64_t bits = bits_of(values[i]);
        for (unsigned byte = 0; byte < 8; byte++)
            room->ptr[(size_t)byte * count + i] = (uint8_t)(bits >> byte * 8);
    }
    return block_buf_u8(out, MODE_PLANES) &&
           block_pack(codec, out, rf_str_make(room->ptr, (size_t)count * 8));
}

bool block_reals_encode(struct block_codec *codec, struct block_buf *out, const double *values,
                        uint32_t count)
{
    RF_ASSERT(count <= BLOCK_COUNT_MAX);
    struct block_buf room = block_buf_in(out->budget);
    int exponent = guess_exponent(values, count);
    bool fits = false, good = true;
    if (exponent >= 0) good = encode_scaled(out, values, count, exponent, &room, &fits);
    if (good && !fits) good = encode_planes(codec, out, values, count, &room);
    block_buf_done(&room);
    return good;
}

static enum rf_kind open_scaled(struct block_reals *reals, rf_str bytes, uint32_t count,
                                struct block_buf *memory, struct rf_err *err)
{
    struct block_reader r = {bytes, 1, false};
    uint8_t exponent = block_take_u8(&r);
    uint32_t exceptions = block_take_u32(&r);
    const uint8_t *list = block_take(&r, (size_t)exceptions * EXCEPTION_BYTES);
    if (r.failed || exponent > EXPONENT_MAX || exceptions > count)
        return block_corrupt(err, "reals are cut short");
    for (uint32_t i = 0; i < exceptions; i++)
        if (rf_get_u32le(list + (size_t)i * EXCEPTION_BYTES) >= count)
            return block_corrupt(err, "an exception lies outside its block");
    *reals = (struct block_reals){.divisor = powers[exponent],
                                  .exceptions = list,
                                  .exception_count = exceptions,
                                  .count = count};
    return block_ints_open(&reals->ints, rf_slice(bytes, r.at, bytes.len), count, memory, err);
}

static enum rf_kind open_planes(struct block_codec *codec, struct block_reals *reals, rf_str bytes,
                                uint32_t count, struct block_buf *memory, struct rf_err *err)
{
    size_t at = 1, raw_bytes = (size_t)count * 8;
    struct block_buf planes = block_buf_in(memory->budget);
    memory->len = 0;
    if (!block_buf_reserve(memory, raw_bytes)) return block_no_memory(err, memory->budget);
    enum rf_kind kind = block_unpack(codec, bytes, &at, raw_bytes, &planes, err);
    if (kind == RF_OK && planes.len != raw_bytes) kind = block_corrupt(err, "reals are cut short");
    if (kind == RF_OK) {
        for (uint32_t i = 0; i < count; i++)
            for (unsigned byte = 0; byte < 8; byte++)
                memory->ptr[(size_t)i * 8 + byte] = planes.ptr[(size_t)byte * count + i];
        *reals = (struct block_reals){.plain = (const double *)(const void *)memory->ptr,
                                      .count = count};
    }
    block_buf_done(&planes);
    return kind;
}

enum rf_kind block_reals_open(struct block_codec *codec, struct block_reals *reals, rf_str bytes,
                              uint32_t count, struct block_buf *memory, struct rf_err *err)
{
    if (count > BLOCK_COUNT_MAX) return block_corrupt(err, "there are too many values");
    if (bytes.len == 0 || bytes.ptr[0] > MODE_PLANES)
        return block_corrupt(err, "reals are cut short");
    if (bytes.ptr[0] == MODE_PLANES) return open_planes(codec, reals, bytes, count, memory, err);
    return open_scaled(reals, bytes, count, memory, err);
}

enum rf_kind block_reals_page(const struct block_reals *reals, uint32_t page, double *out,
                              uint32_t *count, struct rf_err *err)
{
    uint32_t from = page * BLOCK_PAGE_ROWS;
    if (reals->plain != NULL) {
        *count = block_page_rows(reals->count, page);
        memcpy(out, reals->plain + from, (size_t)*count * sizeof *out);
        return RF_OK;
    }
    RF_TRY(block_ints_divided(&reals->ints, page, reals->divisor, out, count, err));
    for (uint32_t i = 0; i < reals->exception_count; i++) {
        const uint8_t *exception = reals->exceptions + (size_t)i * EXCEPTION_BYTES;
        uint32_t row = rf_get_u32le(exception);
        if (row >= from && row - from < *count)
            memcpy(out + (row - from), exception + 4, sizeof *out);
    }
    return RF_OK;
}
