/* Bit packing. A group of up to 1,024 values is laid out in lanes: value i lies in lane i % L at place i / L of
 * that lane, where L is the group's size over the bits of a word, rounded up. Word k of all lanes lie side by
 * side. All lanes shift by the same amount at the same time, so the loops over lanes need no tables and become
 * vector code for every width. Words are of 32 bits for widths up to 32, else of 64. */
#include "store/block_int.h"

enum { GROUP_VALUES = 1024 };

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

RF_CLONES static void unpack_group32(const uint8_t *bytes, uint32_t count, unsigned width,
                                     uint32_t *out)
{
    uint32_t lanes = lane_count(count, 32);
    uint32_t mask = width == 32 ? UINT32_MAX : (UINT32_C(1) << width) - 1;
    for (uint32_t i = 0, place = 0; i < count; i += lanes, place++) {
        unsigned bit = place * width, shift = bit % 32;
        const uint8_t *low = bytes + (size_t)(bit / 32) * lanes * 4,
                      *high = low + (size_t)lanes * 4;
        uint32_t n = RF_MIN(lanes, count - i), *to = out + i;
        if (shift + width <= 32) {
            for (uint32_t lane = 0; lane < n; lane++) {
                uint32_t a;
                memcpy(&a, low + (size_t)lane * 4, 4);
                to[lane] = a >> shift & mask;
            }
        } else {
            for (uint32_t lane = 0; lane < n; lane++) {
                uint32_t a, b;
                memcpy(&a, low + (size_t)lane * 4, 4);
                memcpy(&b, high + (size_t)lane * 4, 4);
                to[lane] = (a >> shift | b << (32 - shift)) & mask;
            }
        }
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

void block_bits_unpack32(const uint8_t *bytes, uint32_t count, unsigned width, uint32_t *out)
{
    RF_ASSERT(width >= 1);
    RF_ASSERT(width <= 32);
    for (uint32_t i = 0; i < count; i += GROUP_VALUES) {
        uint32_t n = RF_MIN((uint32_t)GROUP_VALUES, count - i);
        unpack_group32(bytes, n, width, out + i);
        bytes += group_bytes(n, width);
    }
}

void block_bits_unpack(const uint8_t *bytes, uint32_t count, unsigned width, uint64_t *out)
{
    RF_ASSERT(width >= 1);
    RF_ASSERT(width <= 64);
    uint32_t narrow[GROUP_VALUES];
    for (uint32_t i = 0; i < count; i += GROUP_VALUES) {
        uint32_t n = RF_MIN((uint32_t)GROUP_VALUES, count - i);
        if (width <= 32) {
            unpack_group32(bytes, n, width, narrow);
            for (uint32_t k = 0; k < n; k++) out[i + k] = narrow[k];
        } else {
            unpack_group64(bytes, n, width, out + i);
        }
        bytes += group_bytes(n, width);
    }
}
