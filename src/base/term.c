#include "base/term.h"

#include "base/regex_unicode.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

bool term_whole(rf_str text)
{
    for (size_t i = 0; i < text.len; i++)
        if (!term_byte(text.ptr[i])) return false;
    return text.len > 0;
}

/* ---- folding ---------------------------------------------------------------------------------- */

static bool is_ascii(rf_str s)
{
    size_t i = 0;
    for (; i + 8 <= s.len; i += 8)
        if (rf_get_u64le(s.ptr + i) & UINT64_C(0x8080808080808080)) return false;
    for (; i < s.len; i++)
        if (s.ptr[i] >= 0x80) return false;
    return true;
}

/* A letter that folds into ASCII (the Kelvin sign, the long s) stays: ASCII needles are compared byte
 * by byte, and both ways must agree. */
static uint32_t fold_wide(uint32_t cp)
{
    uint32_t folded = unicode_fold(cp);
    return cp >= 0x80 && folded < 0x80 ? cp : folded;
}

/* The next code point, folded. A malformed byte stands for itself, apart from every code point, so
 * that two different broken texts are never taken for equal. */
static uint32_t fold_next(rf_str s, size_t *at)
{
    uint8_t first = s.ptr[*at];
    if (first < 0x80) {
        (*at)++;
        return rf_lower(first);
    }
    size_t from = *at;
    uint32_t cp = rf_utf8_next(s, at);
    if (cp == 0xFFFD && *at == from + 1) return 0x110000u + first;
    return fold_wide(cp);
}

bool term_fold(rf_str text, struct rf_arena *arena, rf_str *out)
{
    /* Simple folding may lengthen a letter, of 2 bytes to 3 at most; a broken byte is kept. */
    size_t cap;
    if (!rf_mul_size(text.len, 2, &cap)) return false;
    bool ascii = is_ascii(text);
    uint8_t *to = rf_arena_alloc(arena, ascii ? text.len : cap);
    if (to == NULL) return false;
    size_t len = 0;
    for (size_t at = 0; at < text.len;) {
        uint32_t cp = fold_next(text, &at);
        if (cp > UNICODE_MAX) {
            to[len++] = (uint8_t)(cp - 0x110000u);
        } else if (cp < 0x80) {
            to[len++] = (uint8_t)cp;
        } else {
            len += rf_utf8_put(cp, to + len);
        }
    }
    RF_ASSERT(len <= cap);
    *out = (rf_str){to, len};
    return true;
}

bool term_equal_nocase(rf_str a, rf_str b)
{
    size_t i = 0, j = 0;
    while (i < a.len && j < b.len) {
        if (a.ptr[i] < 0x80 && b.ptr[j] < 0x80) {
            if (rf_lower(a.ptr[i++]) != rf_lower(b.ptr[j++])) return false;
        } else if (fold_next(a, &i) != fold_next(b, &j)) {
            return false;
        }
    }
    return i == a.len && j == b.len;
}

/* True when the start of `text` at `at` folds to the needle; *end is where that ends. */
static bool wide_at(rf_str needle, rf_str text, size_t at, size_t *end)
{
    for (size_t i = 0; i < needle.len;) {
        if (at >= text.len) return false;
        if (fold_next(text, &at) != fold_next(needle, &i)) return false;
    }
    *end = at;
    return true;
}

static size_t wide_next(rf_str needle, rf_str text, size_t from, size_t *bytes)
{
    for (size_t at = from; at < text.len;) {
        size_t end;
        if (wide_at(needle, text, at, &end)) {
            *bytes = end - at;
            return at;
        }
        (void)rf_utf8_next(text, &at);
    }
    return SIZE_MAX;
}

/* ---- needles ------------------------------------------------------------------------------------ */

bool term_finder_init(struct term_finder *finder, rf_str needle, bool nocase,
                      struct rf_arena *arena)
{
    *finder = (struct term_finder){.needle = needle, .nocase = nocase};
    if (nocase && !term_fold(needle, arena, &finder->needle)) return false;
    finder->wide = nocase && !is_ascii(needle);
#if defined(__x86_64__)
    finder->use_avx2 = __builtin_cpu_supports("avx2") != 0;
#endif
    needle = finder->needle;
    if (needle.len == 0) return true;
    /* The last byte that differs from the first tells most: runs of one character are common. */
    size_t second = needle.len - 1;
    while (second > 0 && needle.ptr[second] == needle.ptr[0]) second--;
    if (second == 0) second = needle.len - 1;
    if (second > UINT32_MAX) second = 0;
    finder->second = (uint32_t)second;
    const uint8_t bytes[2] = {needle.ptr[0], needle.ptr[second]};
    for (int i = 0; i < 2; i++) {
        bool letter = nocase && rf_is_alpha(bytes[i]);
        finder->masks[i] = letter ? 0x20 : 0;
        finder->bytes[i] = bytes[i];
    }
    return true;
}

static bool bytes_match(const struct term_finder *finder, const uint8_t *at)
{
    const uint8_t *needle = finder->needle.ptr;
    size_t len = finder->needle.len;
    if (!finder->nocase) return memcmp(at, needle, len) == 0;
    for (size_t i = 0; i < len; i++)
        if (rf_lower(at[i]) != needle[i]) return false;
    return true;
}

/* Tries the starts from..to-1 one by one. */
static const uint8_t *scan_bytes(const struct term_finder *finder, const uint8_t *from,
                                 const uint8_t *to)
{
    for (const uint8_t *p = from; p < to; p++) {
        if ((p[0] | finder->masks[0]) != finder->bytes[0]) continue;
        if ((p[finder->second] | finder->masks[1]) != finder->bytes[1]) continue;
        if (bytes_match(finder, p)) return p;
    }
    return NULL;
}

#if defined(__x86_64__)
enum { SSE_BYTES = 16, AVX_BYTES = 32 };

/* Compares the first and the second chosen byte of the needle at 16 starts at once. Every start in
 * from..to-1 has the whole needle behind it, so p[second + 15] is inside the text for p <= to - 16. */
static const uint8_t *scan_sse(const struct term_finder *finder, const uint8_t *from,
                               const uint8_t *to)
{
    if (to - from < SSE_BYTES) return scan_bytes(finder, from, to);
    __m128i first = _mm_set1_epi8((char)finder->bytes[0]);
    __m128i second = _mm_set1_epi8((char)finder->bytes[1]);
    __m128i first_mask = _mm_set1_epi8((char)finder->masks[0]);
    __m128i second_mask = _mm_set1_epi8((char)finder->masks[1]);
    for (const uint8_t *p = from; p < to; p += SSE_BYTES) {
        /* The last block starts where it still fits; some starts are looked at twice. */
        if (to - p < SSE_BYTES) p = to - SSE_BYTES;
        __m128i a = _mm_loadu_si128((const __m128i *)(const void *)p);
        __m128i b = _mm_loadu_si128((const __m128i *)(const void *)(p + finder->second));
        a = _mm_cmpeq_epi8(_mm_or_si128(a, first_mask), first);
        b = _mm_cmpeq_epi8(_mm_or_si128(b, second_mask), second);
        uint32_t hits = (uint32_t)_mm_movemask_epi8(_mm_and_si128(a, b));
        for (; hits != 0; hits &= hits - 1) {
            const uint8_t *at = p + __builtin_ctz(hits);
            if (bytes_match(finder, at)) return at;
        }
    }
    return NULL;
}

__attribute__((target("avx2"))) static const uint8_t *
scan_avx2(const struct term_finder *finder, const uint8_t *from, const uint8_t *to)
{
    __m256i first = _mm256_set1_epi8((char)finder->bytes[0]);
    __m256i second = _mm256_set1_epi8((char)finder->bytes[1]);
    __m256i first_mask = _mm256_set1_epi8((char)finder->masks[0]);
    __m256i second_mask = _mm256_set1_epi8((char)finder->masks[1]);
    for (const uint8_t *p = from; p < to; p += AVX_BYTES) {
        if (to - p < AVX_BYTES) p = to - AVX_BYTES;
        __m256i a = _mm256_loadu_si256((const __m256i *)(const void *)p);
        __m256i b = _mm256_loadu_si256((const __m256i *)(const void *)(p + finder->second));
        a = _mm256_cmpeq_epi8(_mm256_or_si256(a, first_mask), first);
        b = _mm256_cmpeq_epi8(_mm256_or_si256(b, second_mask), second);
        uint32_t hits = (uint32_t)_mm256_movemask_epi8(_mm256_and_si256(a, b));
        for (; hits != 0; hits &= hits - 1) {
            const uint8_t *at = p + __builtin_ctz(hits);
            if (bytes_match(finder, at)) return at;
        }
    }
    return NULL;
}

static const uint8_t *scan(const struct term_finder *finder, const uint8_t *from, const uint8_t *to)
{
    if (finder->use_avx2 && to - from >= AVX_BYTES) return scan_avx2(finder, from, to);
    return scan_sse(finder, from, to);
}
#else
static const uint8_t *scan(const struct term_finder *finder, const uint8_t *from, const uint8_t *to)
{
    return scan_bytes(finder, from, to);
}
#endif

size_t term_finder_next(const struct term_finder *finder, rf_str text, size_t from, size_t *bytes)
{
    size_t own_bytes;
    if (bytes == NULL) bytes = &own_bytes;
    *bytes = finder->needle.len;
    if (from > text.len) return SIZE_MAX;
    if (finder->needle.len == 0) return from;
    if (finder->wide) return wide_next(finder->needle, text, from, bytes);
    if (finder->needle.len > text.len - from) return SIZE_MAX;
    const uint8_t *to = text.ptr + (text.len - finder->needle.len) + 1;
    const uint8_t *found = scan(finder, text.ptr + from, to);
    return found == NULL ? SIZE_MAX : (size_t)(found - text.ptr);
}

bool term_finder_starts(const struct term_finder *finder, rf_str text)
{
    size_t end;
    if (finder->wide) return wide_at(finder->needle, text, 0, &end);
    size_t len = finder->needle.len;
    return len == 0 || (text.len >= len && bytes_match(finder, text.ptr));
}

bool term_finder_ends(const struct term_finder *finder, rf_str text)
{
    size_t len = finder->needle.len;
    if (!finder->wide)
        return len == 0 || (text.len >= len && bytes_match(finder, text.ptr + (text.len - len)));
    /* Step back as many code points as the needle has; folding keeps their number. */
    size_t points = rf_utf8_count(finder->needle), at = text.len, end;
    while (points > 0 && at > 0) {
        at--;
        while (at > 0 && (text.ptr[at] & 0xC0) == 0x80) at--;
        points--;
    }
    return points == 0 && wide_at(finder->needle, text, at, &end) && end == text.len;
}

bool term_finder_equals(const struct term_finder *finder, rf_str text)
{
    size_t end;
    if (finder->wide) return wide_at(finder->needle, text, 0, &end) && end == text.len;
    return text.len == finder->needle.len && (text.len == 0 || bytes_match(finder, text.ptr));
}
