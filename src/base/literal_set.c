#include "base/literal_set.h"

#include "base/literal_set_int.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

const uint32_t *literal_set_always(const struct literal_set *set, uint32_t *count)
{
    *count = set->always_count;
    return set->always;
}

uint32_t literal_set_count(const struct literal_set *set) { return set->literal_count; }

/* ---- what was found ---------------------------------------------------------------------------- */

enum rf_kind literal_hits_init(struct literal_hits *hits, const struct literal_set *set,
                               struct rf_arena *arena, struct rf_err *err)
{
    struct literal_hits made = {.number_cap = set->number_count};
    made.numbers = rf_arena_raw(arena, uint32_t, set->number_count);
    made.literals = rf_arena_raw(arena, uint32_t, set->literal_count);
    made.number_bits = rf_arena_new(arena, uint64_t, (size_t)set->number_count / 64 + 1);
    made.literal_bits = rf_arena_new(arena, uint64_t, (size_t)set->literal_count / 64 + 1);
    if (made.numbers == NULL || made.literals == NULL || made.number_bits == NULL ||
        made.literal_bits == NULL)
        return rf_fail_memory(err, arena);
    *hits = made;
    return RF_OK;
}

void literal_hits_reset(struct literal_hits *hits)
{
    for (uint32_t i = 0; i < hits->count; i++) hits->number_bits[hits->numbers[i] / 64] = 0;
    for (uint32_t i = 0; i < hits->literal_count; i++)
        hits->literal_bits[hits->literals[i] / 64] = 0;
    hits->count = hits->literal_count = hits->short_count = 0;
}

static bool was_found(const struct literal_hits *hits, uint32_t literal)
{
    return (hits->literal_bits[literal / 64] >> (literal % 64) & 1) != 0;
}

static void note(const struct literal_set *set, uint32_t index, struct literal_hits *hits)
{
    const struct literal *literal = &set->literals[index];
    hits->literal_bits[index / 64] |= UINT64_C(1) << (index % 64);
    hits->literals[hits->literal_count++] = index;
    hits->short_count += literal->is_short;
    for (uint32_t i = 0; i < literal->number_count; i++) {
        uint32_t number = set->numbers[literal->number_first + i];
        uint64_t bit = UINT64_C(1) << (number % 64);
        if ((hits->number_bits[number / 64] & bit) != 0) continue;
        hits->number_bits[number / 64] |= bit;
        hits->numbers[hits->count++] = number;
    }
}

/* ---- comparing ---------------------------------------------------------------------------------- */

/* True when the literal stands in the text with its window at `at`. */
static bool stands(const struct literal *literal, rf_str text, size_t at)
{
    if (!literal->finder.wide)
        return at >= literal->offset &&
               term_finder_starts(&literal->finder, rf_slice(text, at - literal->offset, text.len));
    /* Letters of one folding have different lengths: it begins at most four bytes for each code point before. */
    size_t reach = (size_t)literal->reach * 4;
    for (size_t from = at > reach ? at - reach : 0; from <= at; from++)
        if (term_finder_starts(&literal->finder, rf_slice(text, from, text.len))) return true;
    return false;
}

static void compare(const struct literal_set *set, const struct literal_window *windows,
                    uint32_t from, uint32_t to, uint64_t window, rf_str text, size_t at,
                    struct literal_hits *hits)
{
    for (uint32_t i = from; i < to; i++) {
        if ((window & windows[i].mask) != windows[i].key) continue;
        uint32_t literal = windows[i].literal;
        if (!was_found(hits, literal) && stands(&set->literals[literal], text, at))
            note(set, literal, hits);
    }
}

static void hit(const struct literal_set *set, uint64_t window, rf_str text, size_t at,
                struct literal_hits *hits)
{
    uint32_t word = literal_line(set, window) * LITERAL_LINE_WORDS + literal_word(window);
    compare(set, set->windows, set->starts[word], set->starts[word + 1], window, text, at, hits);
}

/* ---- windows of three to eight bytes ------------------------------------------------------------- */

static bool passes(const struct literal_set *set, uint64_t window)
{
    uint32_t word =
        set->filter[literal_line(set, window) * LITERAL_LINE_WORDS + literal_word(window)];
    return (word << literal_upper(set, window) & word << literal_lower(window)) >> 31 != 0;
}

static void find_plain(const struct literal_set *set, rf_str text, struct literal_hits *hits)
{
    for (size_t at = 0; at + LITERAL_WINDOW_BYTES_MIN <= text.len; at++) {
        uint8_t bytes[LITERAL_WINDOW_BYTES] = {0};
        const uint8_t *p = text.ptr + at;
        if (text.len - at < LITERAL_WINDOW_BYTES) p = memcpy(bytes, p, text.len - at);
        uint64_t window = rf_get_u64le(p) | LITERAL_FOLD;
        if (RF_UNLIKELY(passes(set, window))) hit(set, window, text, at, hits);
    }
}

/* ---- windows of one and two bytes ---------------------------------------------------------------- */

static void pair_at(const struct literal_set *set, rf_str text, size_t at,
                    struct literal_hits *hits)
{
    uint32_t pair = text.ptr[at];
    if (at + 1 < text.len) pair |= (uint32_t)text.ptr[at + 1] << 8;
    pair |= LITERAL_FOLD & 0xFFFF;
    if ((set->pairs[pair / 8] >> (pair % 8) & 1) == 0) return;
    uint32_t first = pair & 0xFF;
    compare(set, set->short_windows, set->short_starts[first], set->short_starts[first + 1], pair,
            text, at, hits);
}

static void find_short_rest(const struct literal_set *set, rf_str text, size_t at,
                            struct literal_hits *hits)
{
    for (; at < text.len && hits->short_count < set->short_count; at++)
        pair_at(set, text, at, hits);
}

/* ---- several places at once ----------------------------------------------------------------------- */

#if defined(__x86_64__)
enum { AVX_STEP = 16, AVX_READ = 8 + 16, PAIRS_STEP = 32 };

/* Bit i of the answer: the window at p + i passes, for eight of them; reads 16 bytes. */
__attribute__((target("avx2"))) static inline uint32_t passes_avx2(const struct literal_set *set,
                                                                   const uint8_t *p)
{
    const __m256i spread = _mm256_setr_epi8(0, 1, 2, 3, 1, 2, 3, 4, 2, 3, 4, 5, 3, 4, 5, 6, 4, 5, 6,
                                            7, 5, 6, 7, 8, 6, 7, 8, 9, 7, 8, 9, 10);
    __m256i bytes = _mm256_or_si256(
        _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)(const void *)p)),
        _mm256_set1_epi8(LITERAL_FOLD & 0xFF));
    __m256i first = _mm256_shuffle_epi8(bytes, spread);
    __m256i last = _mm256_shuffle_epi8(bytes, _mm256_add_epi8(spread, _mm256_set1_epi8(4)));
    __m256i hash = _mm256_mullo_epi32(_mm256_and_si256(first, _mm256_set1_epi32(0xFFFFFF)),
                                      _mm256_set1_epi32((int)LITERAL_HASH_FIRST));
    __m256i line = _mm256_srl_epi32(hash, _mm_cvtsi32_si128((int)set->shift));
    __m256i fourth = _mm256_and_si256(_mm256_srli_epi32(first, 24), _mm256_set1_epi32(15));
    __m256i place = _mm256_or_si256(_mm256_slli_epi32(line, 4), fourth);
    __m256i words =
        _mm256_i32gather_epi32((const int *)(const void *)set->filter, place, sizeof(uint32_t));
    __m256i upper = _mm256_and_si256(_mm256_srl_epi32(hash, _mm_cvtsi32_si128((int)set->shift - 4)),
                                     _mm256_set1_epi32(15));
    __m256i lower =
        _mm256_srli_epi32(_mm256_mullo_epi32(last, _mm256_set1_epi32((int)LITERAL_HASH_LAST)), 28);
    lower = _mm256_or_si256(lower, _mm256_set1_epi32(16));
    words = _mm256_and_si256(_mm256_sllv_epi32(words, upper), _mm256_sllv_epi32(words, lower));
    return (uint32_t)_mm256_movemask_ps(_mm256_castsi256_ps(words));
}

__attribute__((target("avx2"))) static void hits_avx2(const struct literal_set *set, rf_str text,
                                                      size_t at, const uint8_t *bytes,
                                                      uint32_t found, struct literal_hits *hits)
{
    for (; found != 0; found &= found - 1) {
        uint32_t i = (uint32_t)__builtin_ctz(found);
        hit(set, rf_get_u64le(bytes + i) | LITERAL_FOLD, text, at + i, hits);
    }
}

__attribute__((target("avx2"))) static void find_avx2(const struct literal_set *set, rf_str text,
                                                      struct literal_hits *hits)
{
    size_t at = 0;
    for (; at + AVX_READ <= text.len; at += AVX_STEP) {
        const uint8_t *p = text.ptr + at;
        uint32_t found = passes_avx2(set, p) | passes_avx2(set, p + 8) << 8;
        hits_avx2(set, text, at, p, found, hits);
    }
    /* What is left, fewer than AVX_READ bytes, is read from where there is something behind it. */
    uint8_t rest[AVX_READ + 16] = {0};
    size_t left = text.len - at;
    memcpy(rest, text.ptr + at, left);
    for (size_t i = 0; i + LITERAL_WINDOW_BYTES_MIN <= left; i += 8) {
        uint32_t inside = left - i < 8 ? (UINT32_C(1) << (left - i)) - 1 : 0xFF;
        hits_avx2(set, text, at + i, rest + i, passes_avx2(set, rest + i) & inside, hits);
    }
}

/* Bit i of the answer: p[i] and p[i + 1] may be a short window; reads 33 bytes. */
__attribute__((target("avx2"))) static inline uint32_t pairs_avx2(const struct literal_set *set,
                                                                  const uint8_t *p)
{
    const __m256i low = _mm256_set1_epi8(15);
    __m256i bits = _mm256_set1_epi8(-1);
    for (int i = 0; i < 2; i++) {
        __m256i bytes = _mm256_or_si256(_mm256_loadu_si256((const __m256i *)(const void *)(p + i)),
                                        _mm256_set1_epi8(LITERAL_FOLD & 0xFF));
        __m256i by_low = _mm256_broadcastsi128_si256(
            _mm_loadu_si128((const __m128i *)(const void *)set->nibbles[i].low));
        __m256i by_high = _mm256_broadcastsi128_si256(
            _mm_loadu_si128((const __m128i *)(const void *)set->nibbles[i].high));
        bits = _mm256_and_si256(bits, _mm256_shuffle_epi8(by_low, _mm256_and_si256(bytes, low)));
        bits = _mm256_and_si256(
            bits, _mm256_shuffle_epi8(by_high, _mm256_and_si256(_mm256_srli_epi16(bytes, 4), low)));
    }
    return ~(uint32_t)_mm256_movemask_epi8(_mm256_cmpeq_epi8(bits, _mm256_setzero_si256()));
}

__attribute__((target("avx2"))) static size_t
find_short_avx2(const struct literal_set *set, rf_str text, struct literal_hits *hits)
{
    size_t at = 0;
    for (; at + PAIRS_STEP + 1 <= text.len && hits->short_count < set->short_count;
         at += PAIRS_STEP)
        for (uint32_t found = pairs_avx2(set, text.ptr + at); found != 0; found &= found - 1)
            pair_at(set, text, at + (size_t)__builtin_ctz(found), hits);
    return at;
}
#else
static void find_avx2(const struct literal_set *set, rf_str text, struct literal_hits *hits)
{
    find_plain(set, text, hits);
}
static size_t find_short_avx2(const struct literal_set *set, rf_str text, struct literal_hits *hits)
{
    (void)set, (void)text, (void)hits;
    return 0;
}
#endif

void literal_set_find(const struct literal_set *set, rf_str text, struct literal_hits *hits)
{
    bool is_long = set->windows != NULL && text.len >= LITERAL_WINDOW_BYTES_MIN;
    if (is_long && set->use_avx2)
        find_avx2(set, text, hits);
    else if (is_long)
        find_plain(set, text, hits);
    if (set->pairs != NULL)
        find_short_rest(set, text, set->use_avx2 ? find_short_avx2(set, text, hits) : 0, hits);
}
