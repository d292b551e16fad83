/* Bit packing. A group of up to 1,024 values is laid out in lanes: value i lies in lane i % L at place i / L of
 * that lane, where L is the group's size over the bits of a word, rounded up. Word k of all lanes lie side by
 * side. All lanes shift by the same amount at the same time, so the loops over lanes need no tables and become
 * vector code for every width. Words are of 32 bits for widths up to 32, else of 64. */
#include "store/block_int.h"

enum { GROUP_VALUES = 1024, LANES = 32 /* of a full group, in words of 32 bits */ };
#define BLOCK_INLINE static inline __attribute__((always_inline))

static uint32_t lane_count(uint32_t values, unsigned word_bits)
{
    return (values + word_bits - 1) / word_bits;
}

static unsigned word_bits_for(unsigned width) { return width <= 32 ? 32 : 64; }

static size_t group_bytes(uint32_t values, unsigned width)
{
    unsigned bits = word_bits_for(width);
    return (size_t)lane_count(values, bits) * width * (bits / 8);
}

size_t block_bits_bytes(uint32_t count, unsigned width)
{
    size_t whole = count / GROUP_VALUES;
    return whole * group_bytes(GROUP_VALUES, width) + group_bytes(count % GROUP_VALUES, width);
}

/* One value of a group of `count`. */
static uint64_t group_value(const uint8_t *bytes, uint32_t count, unsigned width, uint32_t i)
{
    unsigned word_bits = word_bits_for(width), word_bytes = word_bits / 8;
    uint32_t lanes = lane_count(count, word_bits);
    unsigned bit = i / lanes * width, shift = bit % word_bits;
    const uint8_t *low = bytes + ((size_t)(bit / word_bits) * lanes + i % lanes) * word_bytes,
                  *high = low + (size_t)lanes * word_bytes;
    uint64_t x = (word_bits == 32 ? rf_get_u32le(low) : rf_get_u64le(low)) >> shift;
    if (shift + width > word_bits)
        x |= (word_bits == 32 ? rf_get_u32le(high) : rf_get_u64le(high)) << (word_bits - shift);
    return width == 64 ? x : x & ((UINT64_C(1) << width) - 1);
}

/* ---- words of 32 bits --------------------------------------------------------------------------------- */

static void pack_group32(const uint64_t *values, uint32_t count, unsigned width, uint8_t *out)
{
    uint32_t words[GROUP_VALUES] = {0}; /* width <= 32 words in each of at most 32 lanes */
    uint32_t lanes = lane_count(count, 32);
    for (uint32_t i = 0, place = 0; i < count; i += lanes, place++) {
        unsigned bit = place * width, word = bit / 32, shift = bit % 32;
        uint32_t *low = words + word * lanes;
        uint32_t n = RF_MIN(lanes, count - i);
        for (uint32_t lane = 0; lane < n; lane++) low[lane] |= (uint32_t)values[i + lane] << shift;
        if (shift + width <= 32) continue;
        for (uint32_t lane = 0; lane < n; lane++)
            low[lanes + lane] |= (uint32_t)values[i + lane] >> (32 - shift);
    }
    memcpy(out, words, (size_t)lanes * width * 4);
}

static uint32_t mask32(unsigned width)
{
    return width == 32 ? UINT32_MAX : (UINT32_C(1) << width) - 1;
}

/* The last group, which is not full: its lanes are as many as it needs. */
static void unpack_part32(const uint8_t *bytes, uint32_t count, unsigned width, uint32_t *out)
{
    uint32_t lanes = lane_count(count, 32), mask = mask32(width);
    for (uint32_t i = 0, place = 0; i < count; i += lanes, place++) {
        unsigned bit = place * width, shift = bit % 32;
        const uint8_t *low = bytes + (size_t)(bit / 32) * lanes * 4,
                      *high = low + (size_t)lanes * 4;
        uint32_t n = RF_MIN(lanes, count - i), *to = out + i;
        for (uint32_t lane = 0; lane < n; lane++) {
            uint64_t x = rf_get_u32le(low + (size_t)lane * 4);
            if (shift + width > 32) x |= (uint64_t)rf_get_u32le(high + (size_t)lane * 4) << 32;
            to[lane] = (uint32_t)(x >> shift) & mask;
        }
    }
}

/* Full groups have 32 lanes, a count that the compiler knows: such loops become vector code at every level of
 * optimisation, while the values stay in the first cache or in registers for what is done to them next. Words in
 * files may lie anywhere. */
typedef uint32_t file_word __attribute__((aligned(1), may_alias));

BLOCK_INLINE void unpack_place32(const uint8_t *bytes, unsigned width, uint32_t mask,
                                 uint32_t place, uint32_t *restrict to)
{
    unsigned bit = place * width, shift = bit % 32;
    const file_word *low = (const file_word *)(const void *)bytes + bit / 32 * LANES,
                    *high = low + LANES;
    if (shift + width <= 32) {
        for (uint32_t lane = 0; lane < LANES; lane++) to[lane] = low[lane] >> shift & mask;
    } else {
        for (uint32_t lane = 0; lane < LANES; lane++)
            to[lane] = (low[lane] >> shift | high[lane] << (32 - shift)) & mask;
    }
}

RF_CLONES static uint32_t codes_group(const uint8_t *restrict bytes, unsigned width, uint32_t base,
                                      uint32_t *restrict out)
{
    uint32_t mask = mask32(width), most[LANES] = {0};
    for (uint32_t place = 0; place < LANES; place++) {
        uint32_t *to = out + place * LANES;
        unpack_place32(bytes, width, mask, place, to);
        for (uint32_t lane = 0; lane < LANES; lane++) {
            to[lane] += base;
            most[lane] = to[lane] > most[lane] ? to[lane] : most[lane];
        }
    }
    for (uint32_t lane = 1; lane < LANES; lane++) most[0] = RF_MAX(most[0], most[lane]);
    return most[0];
}

BLOCK_INLINE void line_place(const uint32_t *restrict x, const struct block_line *line,
                             uint64_t *restrict to)
{
    uint64_t add = line->add;
    uint32_t scale = (uint32_t)line->scale;
    if (scale == 1)
        for (uint32_t lane = 0; lane < LANES; lane++) to[lane] = x[lane] + add;
    else
        for (uint32_t lane = 0; lane < LANES; lane++) to[lane] = (uint64_t)x[lane] * scale + add;
}

RF_CLONES static void ints_group(const uint8_t *restrict bytes, unsigned width,
                                 const struct block_line *line, uint64_t *restrict out)
{
    BLOCK_SCRATCH uint32_t x[LANES];
    uint32_t mask = mask32(width);
    for (uint32_t place = 0; place < LANES; place++) {
        unpack_place32(bytes, width, mask, place, x);
        line_place(x, line, out + place * LANES);
    }
}

static void ints_part(const uint8_t *bytes, uint32_t count, unsigned width,
                      const struct block_line *line, uint64_t *out)
{
    BLOCK_SCRATCH uint32_t x[GROUP_VALUES];
    unpack_part32(bytes, count, width, x);
    for (uint32_t i = 0; i < count; i++) out[i] = x[i] * line->scale + line->add;
}

/* Below 2^51 in magnitude, a whole number added to the bits of 2^52 + 2^51 gives that real plus the number. No
 * processor of level x86-64-v3 turns several whole numbers of 64 bits into reals at once. */
static const double real_origin = 6755399441055744.0;
#define REAL_ORIGIN_BITS UINT64_C(0x4338000000000000)

RF_CLONES static void reals_group(const uint8_t *restrict bytes, unsigned width,
                                  const struct block_line *line, double divisor,
                                  double *restrict out)
{
    typedef double real_cell __attribute__((may_alias));
    BLOCK_SCRATCH uint32_t x[LANES];
    BLOCK_SCRATCH uint64_t bits[LANES];
    struct block_line shifted = {line->scale, line->add + REAL_ORIGIN_BITS};
    const real_cell *reals = (const real_cell *)(const void *)bits;
    uint32_t mask = mask32(width);
    for (uint32_t place = 0; place < LANES; place++) {
        unpack_place32(bytes, width, mask, place, x);
        line_place(x, &shifted, bits);
        double *to = out + place * LANES;
        for (uint32_t lane = 0; lane < LANES; lane++)
            to[lane] = (reals[lane] - real_origin) / divisor;
    }
}

/* ---- words of 64 bits --------------------------------------------------------------------------------- */

static void pack_group64(const uint64_t *values, uint32_t count, unsigned width, uint8_t *out)
{
    uint64_t words[GROUP_VALUES] = {0};
    uint32_t lanes = lane_count(count, 64);
    for (uint32_t i = 0, place = 0; i < count; i += lanes, place++) {
        unsigned bit = place * width, word = bit / 64, shift = bit % 64;
        uint64_t *low = words + word * lanes;
        uint32_t n = RF_MIN(lanes, count - i);
        for (uint32_t lane = 0; lane < n; lane++) low[lane] |= values[i + lane] << shift;
        if (shift + width <= 64) continue;
        for (uint32_t lane = 0; lane < n; lane++)
            low[lanes + lane] |= values[i + lane] >> (64 - shift);
    }
    memcpy(out, words, (size_t)lanes * width * 8);
}

RF_CLONES static void unpack_group64(const uint8_t *bytes, uint32_t count, unsigned width,
                                     uint64_t *out)
{
    uint32_t lanes = lane_count(count, 64);
    uint64_t mask = width == 64 ? UINT64_MAX : (UINT64_C(1) << width) - 1;
    for (uint32_t i = 0, place = 0; i < count; i += lanes, place++) {
        unsigned bit = place * width, shift = bit % 64;
        const uint8_t *low = bytes + (size_t)(bit / 64) * lanes * 8,
                      *high = low + (size_t)lanes * 8;
        uint32_t n = RF_MIN(lanes, count - i);
        uint64_t *to = out + i;
        if (shift + width <= 64) {
            for (uint32_t lane = 0; lane < n; lane++) {
                uint64_t a;
                memcpy(&a, low + (size_t)lane * 8, 8);
                to[lane] = a >> shift & mask;
            }
        } else {
            for (uint32_t lane = 0; lane < n; lane++) {
                uint64_t a, b;
                memcpy(&a, low + (size_t)lane * 8, 8);
                memcpy(&b, high + (size_t)lane * 8, 8);
                to[lane] = (a >> shift | b << (64 - shift)) & mask;
            }
        }
    }
}

/* ---- groups ------------------------------------------------------------------------------------------- */

void block_bits_pack(const uint64_t *values, uint32_t count, unsigned width, uint8_t *out)
{
    RF_ASSERT(width >= 1);
    RF_ASSERT(width <= 64);
    for (uint32_t i = 0; i < count; i += GROUP_VALUES) {
        uint32_t n = RF_MIN((uint32_t)GROUP_VALUES, count - i);
        (width <= 32 ? pack_group32 : pack_group64)(values + i, n, width, out);
        out += group_bytes(n, width);
    }
}

bool block_bits_codes(const uint8_t *bytes, uint32_t count, unsigned width, uint32_t base,
                      uint32_t limit, uint32_t *out)
{
    RF_ASSERT(width >= 1);
    RF_ASSERT(width <= 31);
    RF_ASSERT(base <= INT32_MAX);
    bool good = true;
    for (; count >= GROUP_VALUES; count -= GROUP_VALUES, out += GROUP_VALUES) {
        good &= codes_group(bytes, width, base, out) < limit;
        bytes += group_bytes(GROUP_VALUES, width);
    }
    unpack_part32(bytes, count, width, out);
    for (uint32_t i = 0; i < count; i++) {
        out[i] += base;
        good &= out[i] < limit;
    }
    return good;
}

RF_CLONES static void put_on_line(uint64_t *x, uint32_t count, const struct block_line *line)
{
    for (uint32_t i = 0; i < count; i++) x[i] = x[i] * line->scale + line->add;
}

void block_bits_ints(const uint8_t *bytes, uint32_t count, unsigned width,
                     const struct block_line *line, uint64_t *out)
{
    RF_ASSERT(width >= 1);
    RF_ASSERT(width <= 64);
    bool wide_scale = line->scale > UINT32_MAX; /* days and hours are, in ticks */
    struct block_line inner = wide_scale ? (struct block_line){1, 0} : *line;
    for (uint32_t n; count > 0; count -= n, out += n) {
        n = RF_MIN((uint32_t)GROUP_VALUES, count);
        if (width > 32)
            unpack_group64(bytes, n, width, out);
        else if (n == GROUP_VALUES)
            ints_group(bytes, width, &inner, out);
        else
            ints_part(bytes, n, width, &inner, out);
        if (width > 32 || wide_scale) put_on_line(out, n, line);
        bytes += group_bytes(n, width);
    }
}

bool block_bits_reals(const uint8_t *bytes, uint32_t count, unsigned width,
                      const struct block_line *line, double divisor, double *out)
{
    static const uint64_t half = UINT64_C(1) << 50;
    uint64_t top;
    if (width < 1 || width > 32 || line->scale > UINT32_MAX || line->add + half > 2 * half ||
        __builtin_mul_overflow(mask32(width), line->scale, &top) || top > half)
        return false;
    for (; count >= GROUP_VALUES; count -= GROUP_VALUES, out += GROUP_VALUES) {
        reals_group(bytes, width, line, divisor, out);
        bytes += group_bytes(GROUP_VALUES, width);
    }
    BLOCK_SCRATCH uint32_t x[GROUP_VALUES];
    unpack_part32(bytes, count, width, x);
    for (uint32_t i = 0; i < count; i++)
        out[i] = (double)(int64_t)(x[i] * line->scale + line->add) / divisor;
    return true;
}

uint64_t block_bits_value(const uint8_t *bytes, uint32_t count, unsigned width, uint32_t i)
{
    RF_ASSERT(i < count);
    uint32_t before = i / GROUP_VALUES * GROUP_VALUES;
    if (width == 0) return 0;
    return group_value(bytes + block_bits_bytes(before, width),
                       RF_MIN((uint32_t)GROUP_VALUES, count - before), width, i - before);
}
