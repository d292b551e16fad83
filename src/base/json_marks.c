#define _GNU_SOURCE /* memrchr */
#include "base/json_marks.h"

#include "base/json.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

enum { BLOCK_BYTES = 64 };

/* A bit per byte of a block. */
struct block {
    uint64_t quotes, backslashes, controls, high;
};

struct finder {
    uint32_t *out;
    uint64_t in_string; /* all bits set when the block before ended inside a string */
    uint64_t escaped;   /* 1 when the first byte of this block is */
    uint64_t high;
};

/* Bit i of the result is the parity of bits 0..i. */
static inline uint64_t running_parity(uint64_t bits)
{
    bits ^= bits << 1;
    bits ^= bits << 2;
    bits ^= bits << 4;
    bits ^= bits << 8;
    bits ^= bits << 16;
    return bits ^ bits << 32;
}

/* The bytes that an escape's backslash stands before; *begins gets those backslashes. In a run of backslashes every
 * second one begins an escape. The subtraction carries through each run, so that runs which begin at odd and at
 * even places come out apart (after simdjson). */
static inline uint64_t find_escaped(uint64_t backslashes, uint64_t *carry, uint64_t *begins)
{
    const uint64_t odd = UINT64_C(0xaaaaaaaaaaaaaaaa);
    uint64_t candidates = backslashes & ~*carry;
    uint64_t both = (((candidates << 1) | odd) - candidates) ^ odd;
    uint64_t escaped = both ^ (backslashes | *carry);
    *begins = both & backslashes;
    *carry = *begins >> 63;
    return escaped;
}

/* The marks of a block; *inside gets the bytes that are in strings, opening quotes included. */
__attribute__((always_inline)) static inline uint64_t
block_marks(struct finder *finder, const struct block *block, uint64_t *inside)
{
    uint64_t quotes = block->quotes, marks = quotes;
    finder->high |= block->high;
    if (RF_UNLIKELY((block->backslashes | finder->escaped) != 0)) {
        uint64_t begins;
        quotes &= ~find_escaped(block->backslashes, &finder->escaped, &begins);
        marks = quotes | begins;
    }
    *inside = running_parity(quotes) ^ finder->in_string;
    finder->in_string = 0 - (*inside >> 63);
    return marks;
}

/* Takes one block; false, and the place in *bad, when a control character stands in a string. */
__attribute__((always_inline)) static inline bool
take_block(struct finder *finder, const struct block *block, uint32_t offset, uint32_t *bad)
{
    uint64_t inside, marks = block_marks(finder, block, &inside);
    uint64_t faults = block->controls & inside;
    uint32_t *out = finder->out;
    finder->out = out + __builtin_popcountll(marks);
    /* Some at once without a look at how many there are: the room is there. */
    for (; marks != 0; out += 8) {
#pragma GCC unroll 8
        for (int i = 0; i < 8; i++) {
            out[i] = offset + (uint32_t)__builtin_ctzll(marks | UINT64_C(1) << 63);
            marks &= marks - 1;
        }
    }
    if (RF_LIKELY(faults == 0)) return true;
    *bad = offset + (uint32_t)__builtin_ctzll(faults);
    return false;
}

/* Of the last block only `room` bytes count. */
static inline void cut_block(struct block *block, size_t room)
{
    if (RF_LIKELY(room >= BLOCK_BYTES)) return;
    uint64_t keep = (UINT64_C(1) << room) - 1;
    block->quotes &= keep;
    block->backslashes &= keep;
    block->controls &= keep;
    block->high &= keep;
}

/* Each walk returns the place of the first control character in a string, or `bytes`. */
#if defined(__SSE2__)
static inline void sse_block(const uint8_t *at, struct block *block)
{
    const __m128i quote = _mm_set1_epi8('"'), backslash = _mm_set1_epi8('\\'),
                  control_max = _mm_set1_epi8(0x1f);
    *block = (struct block){0};
    for (uint32_t i = 0; i < 4; i++) {
        __m128i x = _mm_loadu_si128((const __m128i *)(const void *)(at + 16 * i));
        __m128i controls = _mm_cmpeq_epi8(_mm_min_epu8(x, control_max), x);
        block->quotes |= (uint64_t)(uint32_t)_mm_movemask_epi8(_mm_cmpeq_epi8(x, quote)) << 16 * i;
        block->backslashes |= (uint64_t)(uint32_t)_mm_movemask_epi8(_mm_cmpeq_epi8(x, backslash))
                              << 16 * i;
        block->controls |= (uint64_t)(uint32_t)_mm_movemask_epi8(controls) << 16 * i;
        block->high |= (uint64_t)(uint32_t)_mm_movemask_epi8(x) << 16 * i;
    }
}
#else
static inline void sse_block(const uint8_t *at, struct block *block)
{
    *block = (struct block){0};
    for (uint32_t i = 0; i < BLOCK_BYTES; i++) {
        block->quotes |= (uint64_t)(at[i] == '"') << i;
        block->backslashes |= (uint64_t)(at[i] == '\\') << i;
        block->controls |= (uint64_t)(at[i] < 0x20) << i;
        block->high |= (uint64_t)(at[i] >> 7) << i;
    }
}
#endif

static uint32_t walk(struct finder *finder, const uint8_t *base, uint32_t bytes)
{
    uint32_t bad;
    for (uint32_t at = 0; at < bytes; at += BLOCK_BYTES) {
        struct block block;
        sse_block(base + at, &block);
        cut_block(&block, bytes - at);
        if (RF_UNLIKELY(!take_block(finder, &block, at, &bad))) return bad;
    }
    return bytes;
}

#if defined(__x86_64__)
#define WITH_AVX2 __attribute__((target("avx2,bmi,bmi2,popcnt")))

WITH_AVX2 static inline void avx2_block(const uint8_t *at, struct block *block)
{
    const __m256i quote = _mm256_set1_epi8('"'), backslash = _mm256_set1_epi8('\\'),
                  control_max = _mm256_set1_epi8(0x1f);
    __m256i x = _mm256_loadu_si256((const __m256i *)(const void *)at);
    __m256i y = _mm256_loadu_si256((const __m256i *)(const void *)(at + 32));
    __m256i x_controls = _mm256_cmpeq_epi8(_mm256_min_epu8(x, control_max), x);
    __m256i y_controls = _mm256_cmpeq_epi8(_mm256_min_epu8(y, control_max), y);
    block->quotes = (uint32_t)_mm256_movemask_epi8(_mm256_cmpeq_epi8(x, quote)) |
                    (uint64_t)(uint32_t)_mm256_movemask_epi8(_mm256_cmpeq_epi8(y, quote)) << 32;
    block->backslashes = (uint32_t)_mm256_movemask_epi8(_mm256_cmpeq_epi8(x, backslash)) |
                         (uint64_t)(uint32_t)_mm256_movemask_epi8(_mm256_cmpeq_epi8(y, backslash))
                             << 32;
    block->controls = (uint32_t)_mm256_movemask_epi8(x_controls) |
                      (uint64_t)(uint32_t)_mm256_movemask_epi8(y_controls) << 32;
    block->high = (uint32_t)_mm256_movemask_epi8(_mm256_or_si256(x, y));
}

WITH_AVX2 static uint32_t walk_avx2(struct finder *finder, const uint8_t *base, uint32_t bytes)
{
    uint32_t bad;
    for (uint32_t at = 0; at < bytes; at += BLOCK_BYTES) {
        struct block block;
        avx2_block(base + at, &block);
        cut_block(&block, bytes - at);
        if (RF_UNLIKELY(!take_block(finder, &block, at, &bad))) return bad;
    }
    return bytes;
}

#define WITH_AVX512 __attribute__((target("avx512f,avx512bw,avx512vbmi2,avx2,bmi,bmi2,popcnt")))

/* Sixteen places at once: the bits of `marks` choose among the numbers of the bytes. */
WITH_AVX512 static inline void put_marks(uint32_t *out, uint64_t marks, uint32_t offset,
                                         uint32_t count)
{
    const __m512i numbers = _mm512_set_epi8(
        63, 62, 61, 60, 59, 58, 57, 56, 55, 54, 53, 52, 51, 50, 49, 48, 47, 46, 45, 44, 43, 42, 41,
        40, 39, 38, 37, 36, 35, 34, 33, 32, 31, 30, 29, 28, 27, 26, 25, 24, 23, 22, 21, 20, 19, 18,
        17, 16, 15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0);
    __m512i chosen = _mm512_maskz_compress_epi8(marks, numbers);
    __m512i base = _mm512_set1_epi32((int)offset);
    __m512i places = _mm512_cvtepu8_epi32(_mm512_castsi512_si128(chosen));
    _mm512_storeu_si512(out, _mm512_add_epi32(places, base));
    for (uint32_t done = 16; RF_UNLIKELY(done < count); done += 16) {
        chosen = _mm512_alignr_epi64(chosen, chosen, 2);
        places = _mm512_cvtepu8_epi32(_mm512_castsi512_si128(chosen));
        _mm512_storeu_si512(out + done, _mm512_add_epi32(places, base));
    }
}

WITH_AVX512 static uint32_t walk_avx512(struct finder *finder, const uint8_t *base, uint32_t bytes)
{
    const __m512i quote = _mm512_set1_epi8('"'), backslash = _mm512_set1_epi8('\\'),
                  control_end = _mm512_set1_epi8(0x20);
    for (uint32_t at = 0; at < bytes; at += BLOCK_BYTES) {
        __m512i x = _mm512_loadu_si512(base + at);
        struct block block = {.quotes = _mm512_cmpeq_epi8_mask(x, quote),
                              .backslashes = _mm512_cmpeq_epi8_mask(x, backslash),
                              .controls = _mm512_cmplt_epu8_mask(x, control_end),
                              .high = _mm512_movepi8_mask(x)};
        cut_block(&block, bytes - at);
        uint64_t inside, marks = block_marks(finder, &block, &inside);
        uint32_t count = (uint32_t)__builtin_popcountll(marks);
        put_marks(finder->out, marks, at, count);
        finder->out += count;
        if (RF_UNLIKELY((block.controls & inside) != 0))
            return at + (uint32_t)__builtin_ctzll(block.controls & inside);
    }
    return bytes;
}

static uint32_t best_way(void)
{
    bool bits = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi") &&
                __builtin_cpu_supports("bmi2") && __builtin_cpu_supports("popcnt");
    bool wide = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                __builtin_cpu_supports("avx512vbmi2");
    return !bits ? 0 : wide ? 2 : 1;
}

typedef uint32_t walk_fn(struct finder *finder, const uint8_t *base, uint32_t bytes);
static walk_fn *const walks[] = {walk, walk_avx2, walk_avx512};
#else
static uint32_t best_way(void) { return 0; }

typedef uint32_t walk_fn(struct finder *finder, const uint8_t *base, uint32_t bytes);
static walk_fn *const walks[] = {walk};
#endif

uint32_t json_marks_ways(void) { return best_way() + 1; }

/* The end of the last whole line among the first `bytes` bytes. */
static uint32_t whole_lines(const uint8_t *base, size_t bytes)
{
    const uint8_t *cut = bytes == 0 ? NULL : memrchr(base, '\n', bytes);
    return cut == NULL ? 0 : (uint32_t)(cut - base) + 1;
}

void json_marks_find_by(uint32_t way, struct json_marks *marks, const uint8_t *from,
                        const uint8_t *end)
{
    RF_ASSERT(way < RF_COUNT(walks));
    struct finder finder = {.out = marks->items};
    uint32_t bytes = whole_lines(from, RF_MIN((size_t)(end - from), (size_t)JSON_MARKS_BYTES));
    uint32_t good = walks[way](&finder, from, bytes);
    uint32_t count = (uint32_t)(finder.out - marks->items);
    if (RF_UNLIKELY(good < bytes)) {
        bytes = whole_lines(from, good);
        while (count > 0 && marks->items[count - 1] >= bytes) count--;
    }
    marks->count = count;
    marks->base = from;
    marks->end = from + bytes;
    marks->utf8 = finder.high == 0 || rf_utf8_valid(rf_str_make(from, bytes));
}

void json_marks_find(struct json_marks *marks, const uint8_t *from, const uint8_t *end)
{
    json_marks_find_by(best_way(), marks, from, end);
}

void json_marks_cut(struct json_marks *marks, const uint8_t *from, const uint8_t *end)
{
    struct finder finder = {.out = marks->items};
    uint32_t bytes = (uint32_t)(end - from);
    RF_ASSERT(bytes > 0 && bytes <= JSON_MARKS_BYTES);
    RF_ASSERT(end[-1] == '\n');
    uint32_t good = walks[best_way()](&finder, from, bytes);
    uint32_t count = (uint32_t)(finder.out - marks->items);
    /* Another control character in a string: that row, and what follows, is for others. */
    if (RF_UNLIKELY(good < bytes - 1)) {
        bytes = whole_lines(from, good);
        while (count > 0 && marks->items[count - 1] >= bytes) count--;
    }
    marks->count = count;
    marks->items[count] = marks->items[count + 1] = RF_MAX(bytes, 1u) - 1;
    marks->base = from;
    marks->end = from + bytes;
    marks->utf8 = finder.high == 0 || rf_utf8_valid(rf_str_make(from, bytes));
}

/* ---- strings ------------------------------------------------------------------------------------ */

/* What the byte after a backslash stands for; 0 when it is no short escape. */
static const uint8_t escape_bytes[256] = {['"'] = '"',  ['\\'] = '\\', ['/'] = '/',  ['b'] = '\b',
                                          ['f'] = '\f', ['n'] = '\n',  ['r'] = '\r', ['t'] = '\t'};

static bool is_hex(uint8_t c) { return rf_is_digit(c) || (uint8_t)((c | 0x20) - 'a') < 6; }

const uint8_t *json_marked_string(const struct json_marks *marks, const uint32_t **mark)
{
    const uint32_t *m = *mark + 1;
    const uint8_t *p = marks->base + *m;
    for (; *p == '\\'; p = marks->base + *++m) {
        if (RF_LIKELY(escape_bytes[p[1]] != 0)) continue;
        if (p[1] != 'u' || !is_hex(p[2]) || !is_hex(p[3]) || !is_hex(p[4]) || !is_hex(p[5]))
            return NULL;
    }
    if (RF_UNLIKELY(*p != '"')) return NULL;
    *mark = m + 1;
    return p;
}

size_t json_marked_unescape(const struct json_marks *marks, const uint32_t *mark, rf_str raw,
                            uint8_t *out)
{
    enum { STEP = 16 };
    const uint8_t *from = raw.ptr, *end = from + raw.len;
    uint8_t *to = out;
    for (mark++;; mark++) {
        const uint8_t *escape = marks->base + *mark;
        size_t run = (size_t)(escape - from);
        memcpy(to, from, STEP);
        if (RF_UNLIKELY(run > STEP)) memcpy(to + STEP, from + STEP, run - STEP);
        to += run;
        if (escape == end) return (size_t)(to - out);
        if (RF_UNLIKELY(escape[1] == 'u')) break;
        *to++ = escape_bytes[escape[1]];
        from = escape + 2;
    }
    /* The long form may come in pairs, which is rare enough to do otherwise. */
    return json_unescape(raw, out);
}
