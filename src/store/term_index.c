#include "store/term_index.h"

#include "base/term.h"
#include "value/dyn.h"
#include "value/text.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

enum {
    BITS_A_TERM = 11,
    PROBES = 7,
    SEEN_MIN = 1 << 12,
    GUID_BYTES = 36,
    GUID_FIRST_BYTES = 8,
    AHEAD = 16
};

/* ---- hashing: kept on the disk, so it must never change ------------------------------------------------------ */

static uint64_t mix(uint64_t h, uint64_t word)
{
    h = (h ^ word) * UINT64_C(0x9fb21c651e98df25);
    return h ^ h >> 32;
}

static const uint64_t fold = UINT64_C(0x2020202020202020);
static const uint64_t len_factor = UINT64_C(0xc2b2ae3d27d4eb4f);

/* Bytes with bit 5 set: ASCII letters in lower case, digits as they are. Others that fall together only cost a
 * needless look. `end` is where the readable bytes end: what follows the term is read at once and masked. */
static uint32_t hash_term(const uint8_t *p, size_t len, const uint8_t *end)
{
    uint64_t h = len * len_factor, word = 0;
    for (; len >= 8; p += 8, len -= 8) h = mix(h, rf_get_u64le(p) | fold);
    if (len > 0) {
        if (end - p >= 8)
            word = rf_get_u64le(p) & (UINT64_MAX >> (64 - len * 8));
        else
            for (size_t i = 0; i < len; i++) word |= (uint64_t)p[i] << i * 8;
        h = mix(h, word | fold);
    }
    h = mix(h, h >> 29);
    return (uint32_t)h | 1; /* 0 marks a free slot */
}

enum { SHORT_BYTES_MAX = 16 };

/* The same of a term of 1 to 16 bytes, with 16 readable bytes, without branches: lengths are hard to foresee. */
static inline uint32_t hash_short_term(const uint8_t *p, size_t len)
{
    size_t first = RF_MIN(len, (size_t)8), second = len - first;
    uint64_t a = rf_get_u64le(p) & (UINT64_MAX >> (64 - first * 8));
    uint64_t b = rf_get_u64le(p + 8) & (UINT64_MAX >> ((64 - second * 8) & 63));
    uint64_t h = mix(len * len_factor, a | fold), longer = mix(h, b | fold);
    h = second > 0 ? longer : h;
    h = mix(h, h >> 29);
    return (uint32_t)h | 1;
}

/* A second number out of a hash, for the bits within a word. */
static uint64_t spread(uint32_t hash)
{
    uint64_t h = (uint64_t)hash * UINT64_C(0x9e3779b97f4a7c15);
    h ^= h >> 29;
    h *= UINT64_C(0xbf58476d1ce4e5b9);
    return h ^ h >> 32;
}

static bool is_ascii(rf_str s)
{
    uint64_t all = 0;
    size_t i = 0;
    for (; i + 8 <= s.len; i += 8) all |= rf_get_u64le(s.ptr + i);
    for (; i < s.len; i++) all |= s.ptr[i];
    return (all & UINT64_C(0x8080808080808080)) == 0;
}

static bool is_hex(uint8_t c) { return rf_is_digit(c) || ((c | 0x20) >= 'a' && (c | 0x20) <= 'f'); }

static bool all_hex(rf_str s)
{
    for (size_t i = 0; i < s.len; i++)
        if (!is_hex(s.ptr[i])) return false;
    return true;
}

/* ---- collecting ---------------------------------------------------------------------------------------------- */

void term_index_begin(struct term_index_builder *b, struct rf_budget *budget)
{
    *b = (struct term_index_builder){.hashes = block_buf_in(budget),
                                     .granules = block_buf_in(budget),
                                     .seen = block_buf_in(budget)};
#if defined(__x86_64__)
    b->use_bmi = __builtin_cpu_supports("popcnt") != 0 && __builtin_cpu_supports("bmi") != 0;
#endif
    rf_arena_init_shared(&b->scratch, budget);
    rf_arena_init_shared(&b->print, budget);
}

void term_index_done(struct term_index_builder *b)
{
    block_buf_done(&b->hashes);
    block_buf_done(&b->granules);
    block_buf_done(&b->seen);
    rf_arena_done(&b->scratch);
    rf_arena_done(&b->print);
}

/* A table of `cap` (a power of two) slots with the current granule's hashes in it. */
static bool resize_seen(struct term_index_builder *b, size_t cap)
{
    b->seen.len = 0;
    if (!block_buf_reserve(&b->seen, cap * sizeof(uint32_t))) return false;
    b->seen.len = cap * sizeof(uint32_t);
    uint32_t *seen = (uint32_t *)(void *)b->seen.ptr;
    memset(seen, 0, b->seen.len);
    for (size_t i = b->from; i < b->hashes.len; i += 4) {
        uint32_t hash = rf_get_u32le(b->hashes.ptr + i);
        size_t at = hash >> 1 & (cap - 1);
        while (seen[at] != 0) at = (at + 1) & (cap - 1);
        seen[at] = hash;
    }
    return true;
}

/* Whether a term is new to the granule is as good as random, so nothing here branches on it. */
static void add_hashes(struct term_index_builder *b, const uint32_t *hashes, uint32_t count)
{
    size_t cap = b->seen.len / sizeof(uint32_t);
    if (RF_UNLIKELY(((size_t)b->seen_count + count) * 2 >= cap)) {
        cap = RF_MAX(cap * 2, (size_t)SEEN_MIN);
        b->failed = b->failed || !resize_seen(b, cap);
    }
    bool room = b->hashes.cap - b->hashes.len >= (size_t)count * 4;
    if (b->failed || (!room && !block_buf_reserve(&b->hashes, (size_t)count * 4))) {
        b->failed = true;
        return;
    }
    uint32_t *seen = (uint32_t *)(void *)b->seen.ptr;
    uint32_t *first = (uint32_t *)(void *)(b->hashes.ptr + b->hashes.len), *to = first;
    /* A granule's table outgrows the nearest cache. */
    for (uint32_t i = 0; i < count; i++) __builtin_prefetch(&seen[hashes[i] >> 1 & (cap - 1)], 1);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t hash = hashes[i];
        size_t at = hash >> 1 & (cap - 1);
        while (seen[at] != hash && seen[at] != 0) at = (at + 1) & (cap - 1);
        *to = hash;
        to += seen[at] == 0;
        seen[at] = hash;
    }
    b->seen_count += (uint32_t)(to - first);
    b->hashes.len += (size_t)(to - first) * 4;
}

static void add_hash(struct term_index_builder *b, uint32_t hash) { add_hashes(b, &hash, 1); }

/* Letters other than ASCII fold by their own rules. */
static void add_folded(struct term_index_builder *b, rf_str term)
{
    rf_str folded;
    rf_arena_reset(&b->scratch);
    if (!term_fold(term, &b->scratch, &folded)) {
        b->failed = true;
        return;
    }
    add_hash(b, hash_term(folded.ptr, folded.len, folded.ptr + folded.len));
}

#if defined(__x86_64__)
/* A bit for each of 16 bytes: it is a hex digit. */
static uint32_t hex_mask(const uint8_t *p)
{
    __m128i c = _mm_loadu_si128((const __m128i *)(const void *)p);
    /* Moved so that the wanted range begins at -128, where one signed comparison tells. */
    __m128i letter =
        _mm_add_epi8(_mm_or_si128(c, _mm_set1_epi8(0x20)), _mm_set1_epi8((char)(128 - 'a')));
    __m128i digit = _mm_add_epi8(c, _mm_set1_epi8((char)(128 - '0')));
    return (uint32_t)_mm_movemask_epi8(
        _mm_or_si128(_mm_cmplt_epi8(letter, _mm_set1_epi8((char)(6 - 128))),
                     _mm_cmplt_epi8(digit, _mm_set1_epi8((char)(10 - 128)))));
}

/* Bytes 0..35 are hex digits, but for the four hyphens. */
static bool guid_digits(const uint8_t *p)
{
    return hex_mask(p) == 0xdeff && hex_mask(p + 16) == 0xff7b && hex_mask(p + 20) == 0xfff7;
}
#else
static bool guid_digits(const uint8_t *p)
{
    for (size_t i = 0; i < GUID_BYTES; i++)
        if (!is_hex(p[i]) && i != 8 && i != 13 && i != 18 && i != 23) return false;
    return true;
}
#endif

/* True when the term of 8 bytes at `at` is the first part of a guid. */
static bool guid_at(rf_str text, size_t at)
{
    if (text.len - at < GUID_BYTES) return false;
    const uint8_t *p = text.ptr + at;
    if (p[8] != '-' || p[13] != '-' || p[18] != '-' || p[23] != '-') return false;
    return term_border(text, at + GUID_BYTES) && guid_digits(p);
}

/* Adds the term from..to-1 and returns where the search for the next one begins. `ascii`: the whole text is. */
static size_t add_term(struct term_index_builder *b, rf_str text, bool ascii, size_t from,
                       size_t to)
{
    size_t len = to - from;
    const uint8_t *p = text.ptr + from;
    if (!ascii && !is_ascii(rf_str_make(p, len))) {
        /* However short: folding may change the length. */
        add_folded(b, rf_str_make(p, len));
        return to;
    }
    if (len < TERM_INDEX_BYTES_MIN) return to;
    add_hash(b, hash_term(p, len, text.ptr + text.len));
    if (len != GUID_FIRST_BYTES || to == text.len || text.ptr[to] != '-' || !guid_at(text, from))
        return to;
    b->flags |= TERM_INDEX_GRANULE_GUIDS;
    return from + GUID_BYTES;
}

/* Texts that are one guid, a column of them often, need no search. */
static bool add_guid(struct term_index_builder *b, rf_str text)
{
    if (text.len != GUID_BYTES || !guid_at(text, 0)) return false;
    add_hash(b, hash_term(text.ptr, GUID_FIRST_BYTES, text.ptr + text.len));
    b->flags |= TERM_INDEX_GRANULE_GUIDS;
    return true;
}

static void add_any(struct term_index_builder *b, rf_str text)
{
    rf_str term;
    bool ascii = is_ascii(text);
    for (size_t at = 0; term_next(text, &at, &term);) {
        size_t from = (size_t)(term.ptr - text.ptr);
        at = add_term(b, text, ascii, from, at);
    }
}

#if defined(__x86_64__)
enum { STEP = 64, EDGES_MAX = TERM_INDEX_EDGES_MAX - STEP - 8 }; /* a step's edges fit behind */

/* A bit for each of 64 bytes: it belongs to a term, it is not ASCII. */
struct byte_masks {
    uint64_t term, wide;
};

static inline struct byte_masks masks_of(const uint8_t *p)
{
    struct byte_masks masks = {0};
#pragma GCC unroll 4
    for (int i = 0; i < STEP / 16; i++) {
        __m128i c = _mm_loadu_si128((const __m128i *)(const void *)(p + i * 16));
        /* Moved so that the wanted range begins at -128, where one signed comparison tells. */
        __m128i letter =
            _mm_add_epi8(_mm_or_si128(c, _mm_set1_epi8(0x20)), _mm_set1_epi8((char)(128 - 'a')));
        __m128i digit = _mm_add_epi8(c, _mm_set1_epi8((char)(128 - '0')));
        __m128i is = _mm_or_si128(_mm_cmplt_epi8(letter, _mm_set1_epi8((char)(26 - 128))),
                                  _mm_cmplt_epi8(digit, _mm_set1_epi8((char)(10 - 128))));
        masks.term |= (uint64_t)(uint32_t)_mm_movemask_epi8(is) << i * 16;
        masks.wide |= (uint64_t)(uint32_t)_mm_movemask_epi8(c) << i * 16;
    }
    return masks;
}

/* Appends the places of the bits. Eight at a time whether they are there or not: a loop to the last one would end
 * unforeseeably in every step. */
__attribute__((always_inline)) static inline void put_edges(struct term_index_builder *b,
                                                            uint32_t at, uint64_t bits)
{
    uint32_t *to = b->edges + b->edge_count;
    b->edge_count += (uint32_t)__builtin_popcountll(bits);
    do {
#pragma GCC unroll 8
        for (int i = 0; i < 8; i++) {
            to[i] = at + (uint32_t)__builtin_ctzll(bits | UINT64_C(1) << 63);
            bits &= bits - 1;
        }
        to += 8;
    } while (bits != 0);
}

/* `end` is where the readable bytes end. */
static inline uint32_t hash_any_term(const uint8_t *p, size_t len, const uint8_t *end)
{
    return RF_LIKELY(len <= SHORT_BYTES_MAX && end - p >= SHORT_BYTES_MAX) ? hash_short_term(p, len)
                                                                           : hash_term(p, len, end);
}

/* Adds the terms between the edges, but for those before *next, which are parts of a guid. */
__attribute__((always_inline)) static inline void
add_between(struct term_index_builder *b, rf_str text, const uint8_t *end, size_t *next)
{
    uint32_t count = 0, edge_count = b->edge_count;
    for (uint32_t i = 0; i + 1 < edge_count; i += 2) {
        size_t from = b->edges[i], to = b->edges[i + 1], len = to - from;
        b->found[count] = hash_any_term(text.ptr + from, len, end);
        /* Not a branch: lengths are hard to foresee. */
        count += (unsigned)(len >= TERM_INDEX_BYTES_MIN) & (unsigned)(from >= *next);
        if (len != GUID_FIRST_BYTES || to == text.len || text.ptr[to] != '-') continue;
        if (from < *next || !guid_at(text, from)) continue;
        b->flags |= TERM_INDEX_GRANULE_GUIDS;
        *next = from + GUID_BYTES;
    }
    if (count > 0) add_hashes(b, b->found, count);
}

/* Cuts an ASCII text; false as soon as it turns out to be none. `end` is where the readable bytes end. */
__attribute__((always_inline)) static inline bool cut_ascii(struct term_index_builder *b,
                                                            rf_str text, const uint8_t *end)
{
    uint8_t tail[STEP];
    size_t next = 0;
    uint64_t inside = 0;
    b->edge_count = 0;
    for (size_t at = 0; at < text.len; at += STEP) {
        const uint8_t *p = text.ptr + at;
        size_t left = text.len - at;
        if (end - p < STEP) {
            memset(tail, ' ', sizeof tail);
            memcpy(tail, p, RF_MIN(left, (size_t)STEP));
            p = tail;
        }
        struct byte_masks masks = masks_of(p);
        uint64_t here = left >= STEP ? UINT64_MAX : (UINT64_C(1) << left) - 1;
        uint64_t mask = masks.term & here;
        if ((masks.wide & here) != 0) return false;
        put_edges(b, (uint32_t)at, mask ^ (mask << 1 | inside));
        inside = mask >> 63;
        if (b->edge_count < EDGES_MAX) continue;
        add_between(b, text, end, &next);
        b->edges[0] = b->edges[b->edge_count - 1];
        b->edge_count &= 1;
    }
    if (inside != 0) b->edges[b->edge_count++] = (uint32_t)text.len;
    add_between(b, text, end, &next);
    return true;
}

static bool cut_ascii_any(struct term_index_builder *b, rf_str text, const uint8_t *end)
{
    return cut_ascii(b, text, end);
}
__attribute__((target("popcnt,bmi"))) static bool cut_ascii_bmi(struct term_index_builder *b,
                                                                rf_str text, const uint8_t *end)
{
    return cut_ascii(b, text, end);
}

void term_index_add(struct term_index_builder *b, rf_str text)
{
    RF_ASSERT(text.len <= UINT32_MAX - STEP);
    if (text.len == 0 || add_guid(b, text)) return;
    const uint8_t *end = text.ptr + text.len;
    if (text.ptr >= b->memory && end <= b->memory_end) end = b->memory_end;
    /* What was added of a text that is not ASCII after all is found there again. */
    if (!(b->use_bmi ? cut_ascii_bmi : cut_ascii_any)(b, text, end)) add_any(b, text);
}
#else
void term_index_add(struct term_index_builder *b, rf_str text)
{
    if (!add_guid(b, text)) add_any(b, text);
}
#endif

/* A text whose JSON form has escapes is cut differently there, so both forms count. */
RF_CLONES static bool has_escapes(const uint8_t *p, size_t len)
{
    unsigned any = 0;
    for (size_t i = 0; i < len; i++)
        any |= (unsigned)(p[i] < 0x20) | (unsigned)(p[i] == '"') | (unsigned)(p[i] == '\\') |
               (unsigned)(p[i] == 0x7f);
    return any != 0;
}

static void add_json_string(struct term_index_builder *b, rf_str s)
{
    term_index_add(b, s);
    if (!has_escapes(s.ptr, s.len)) return;
    rf_arena_reset(&b->print);
    struct rf_buf buf = rf_buf_in(&b->print);
    json_put_string(&buf, s);
    b->failed |= buf.failed;
    if (!buf.failed) term_index_add(b, rf_buf_view(&buf));
}

/* Digits are all that a whole number has of terms. */
static void add_whole(struct term_index_builder *b, int64_t number)
{
    uint8_t room[20 + SHORT_BYTES_MAX];
    uint64_t n = number < 0 ? 0 - (uint64_t)number : (uint64_t)number;
    size_t from = 20;
    do {
        room[--from] = (uint8_t)('0' + n % 10);
        n /= 10;
    } while (n != 0);
    size_t len = 20 - from;
    if (len >= TERM_INDEX_BYTES_MIN) add_hash(b, hash_term(room + from, len, room + sizeof room));
}

static void add_scalar(struct term_index_builder *b, rf_str value)
{
    enum dyn_tag tag = dyn_tag(value);
    if (tag == DYN_STRING) {
        add_json_string(b, dyn_string(value));
        return;
    }
    if ((tag == DYN_INT || tag == DYN_LONG) && value.len == 9) {
        add_whole(b, (int64_t)rf_get_u64le(value.ptr + 1));
        return;
    }
    rf_arena_reset(&b->print);
    struct rf_buf buf = rf_buf_in(&b->print);
    dyn_put_text(value, &buf);
    rf_buf_byte(&buf, ' ');
    dyn_put_json(value, &buf); /* 2 and 2.0 */
    b->failed |= buf.failed;
    if (!buf.failed) term_index_add(b, rf_buf_view(&buf));
}

/* Whether the dynamic before had the same key or value at this place; else this one is noted. */
static bool is_known(struct term_index_builder *b, uint32_t place, rf_str bytes, bool key)
{
    if (place >= TERM_INDEX_KNOWN_MAX) return false;
    uint64_t bit = UINT64_C(1) << place;
    bool was_key = (b->known_keys & bit) != 0;
    if (place < b->known_count && was_key == key && rf_str_eq(b->known[place], bytes)) return true;
    b->known[place] = bytes;
    b->known_keys = key ? b->known_keys | bit : b->known_keys & ~bit;
    b->known_count = RF_MAX(b->known_count, place + 1);
    return false;
}

void term_index_add_dynamic(struct term_index_builder *b, rf_str value)
{
    struct {
        rf_str list;
        uint32_t next;
    } stack[DYN_DEPTH_MAX + 1];
    unsigned depth = 0;
    uint32_t place = 0;
    for (;;) {
        bool list = dyn_tag(value) == DYN_ARRAY || dyn_tag(value) == DYN_BAG;
        if (!list && !is_known(b, place++, value, false)) add_scalar(b, value);
        RF_ASSERT(depth <= DYN_DEPTH_MAX);
        if (list) {
            stack[depth].list = value;
            stack[depth++].next = 0;
        }
        /* cppcheck-suppress uninitvar ; what lies below `depth` was pushed above */
        while (depth > 0 && stack[depth - 1].next == dyn_count(stack[depth - 1].list)) depth--;
        if (depth == 0) return;
        rf_str top = stack[depth - 1].list, key;
        uint32_t index = stack[depth - 1].next++;
        if (dyn_tag(top) == DYN_BAG) {
            dyn_entry(top, index, &key, &value);
            if (!is_known(b, place++, key, true)) add_json_string(b, key);
        } else {
            value = dyn_item(top, index);
        }
    }
}

void term_index_end_granule(struct term_index_builder *b)
{
    if (b->failed) return;
    b->failed = !block_buf_u32(&b->granules, (uint32_t)(b->hashes.len / 4)) ||
                !block_buf_u32(&b->granules, b->flags);
    b->from = b->hashes.len;
    b->flags = 0;
    b->seen_count = 0;
    b->known_count = 0;
    if (b->seen.len > 0) memset(b->seen.ptr, 0, b->seen.len);
}

/* ---- building ------------------------------------------------------------------------------------------------ */

uint32_t term_index_row(const struct term_index *index, uint32_t hash)
{
    return (uint32_t)((uint64_t)(hash >> 1) * index->row_count >> 31);
}

static void set_bits(uint8_t *word, uint32_t hash)
{
    uint64_t bits = spread(hash), *words = (uint64_t *)(void *)word; /* little endian */
    for (int i = 0; i < PROBES; i++, bits >>= 9) words[bits >> 6 & 7] |= UINT64_C(1) << (bits & 63);
}

static bool has_bits(const uint8_t *word, uint32_t hash)
{
    uint64_t bits = spread(hash);
    for (int i = 0; i < PROBES; i++, bits >>= 9)
        if ((word[bits >> 3 & 63] >> (bits & 7) & 1) == 0) return false;
    return true;
}

static uint8_t *word_of(const struct term_index *index, uint8_t *words, uint32_t granule,
                        uint32_t hash)
{
    size_t row = term_index_row(index, hash);
    return words + (row * index->granule_count + granule) * TERM_INDEX_WORD_BYTES;
}

bool term_index_finish(struct term_index_builder *b, struct term_index *out,
                       struct block_buf *flags, struct block_buf *words)
{
    uint32_t most = 0, from = 0, granules = (uint32_t)(b->granules.len / 8);
    const uint8_t *ends = b->granules.ptr;
    for (uint32_t g = 0; g < granules && !b->failed; g++) {
        uint32_t end = rf_get_u32le(ends + (size_t)g * 8);
        most = RF_MAX(most, end - from);
        from = end;
        b->failed = !block_buf_u8(flags, (uint8_t)rf_get_u32le(ends + (size_t)g * 8 + 4));
    }
    uint64_t bits = (uint64_t)most * BITS_A_TERM;
    *out = (struct term_index){granules, (uint32_t)(bits / (TERM_INDEX_WORD_BYTES * 8)) + 1};
    size_t bytes = (size_t)out->row_count * granules * TERM_INDEX_WORD_BYTES;
    if (b->failed || !block_buf_reserve(words, bytes)) return false;
    memset(words->ptr + words->len, 0, bytes);
    uint8_t *to = words->ptr + words->len;
    const uint8_t *hashes = b->hashes.ptr;
    size_t i = 0;
    for (uint32_t g = 0; g < granules; g++) {
        for (uint32_t end = rf_get_u32le(ends + (size_t)g * 8); i < end; i++) {
            if (i + AHEAD < end)
                __builtin_prefetch(word_of(out, to, g, rf_get_u32le(hashes + (i + AHEAD) * 4)), 1);
            uint32_t hash = rf_get_u32le(hashes + (size_t)i * 4);
            set_bits(word_of(out, to, g, hash), hash);
        }
    }
    words->len += bytes;
    return true;
}

/* ---- asking -------------------------------------------------------------------------------------------------- */

bool term_probe_make(rf_str term, struct rf_arena *arena, struct term_probe *out)
{
    bool ascii = is_ascii(term);
    *out = (struct term_probe){.usable = term_whole(term) &&
                                         (term.len >= TERM_INDEX_BYTES_MIN || !ascii)};
    if (!out->usable) return true;
    if (!ascii && !term_fold(term, arena, &term)) return false;
    out->hash = hash_term(term.ptr, term.len, term.ptr + term.len);
    out->guid_part = (term.len == 4 || term.len == 12) && all_hex(term);
    return true;
}

bool term_probe_each(rf_str text, bool whole, bool (*each)(void *state, rf_str term), void *state)
{
    rf_str term;
    bool go_on = true;
    for (size_t at = 0; go_on && term_next(text, &at, &term);) {
        bool touches = term.ptr == text.ptr || at == text.len;
        if (whole || !touches) go_on = each(state, term);
    }
    return go_on;
}

bool term_index_hit(const uint8_t *row, uint32_t granule, uint8_t flags,
                    const struct term_probe *probe)
{
    if (!probe->usable || (probe->guid_part && (flags & TERM_INDEX_GRANULE_GUIDS) != 0))
        return true;
    return has_bits(row + (size_t)granule * TERM_INDEX_WORD_BYTES, probe->hash);
}
