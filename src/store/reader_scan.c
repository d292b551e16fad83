#define _GNU_SOURCE /* memrchr */
#include "store/reader_scan.h"

#include "base/json.h"

/* ---- keys ------------------------------------------------------------------------------------------ */

enum { KEY_SLOTS_MIN = 256 };

bool scan_keys_init(struct scan_keys *keys, struct rf_arena *arena)
{
    *keys = (struct scan_keys){
        .arena = arena, .count = 1, .cap = KEY_SLOTS_MIN / 2, .slot_count = KEY_SLOTS_MIN};
    keys->items = rf_arena_new(arena, struct scan_key, keys->cap);
    keys->slots = rf_arena_new(arena, uint32_t, keys->slot_count);
    return keys->items != NULL && keys->slots != NULL;
}

static bool keys_grow(struct scan_keys *keys)
{
    uint32_t cap = keys->cap * 2, slot_count = keys->slot_count * 2;
    struct scan_key *items = rf_arena_raw(keys->arena, struct scan_key, cap);
    uint32_t *slots = rf_arena_new(keys->arena, uint32_t, slot_count);
    if (items == NULL || slots == NULL) return false;
    memcpy(items, keys->items, keys->count * sizeof *items);
    for (uint32_t k = 1; k < keys->count; k++) {
        uint32_t at = items[k].hash & (slot_count - 1);
        while (slots[at] != 0) at = (at + 1) & (slot_count - 1);
        slots[at] = k;
    }
    keys->items = items;
    keys->slots = slots;
    keys->cap = cap;
    keys->slot_count = slot_count;
    return true;
}

uint32_t scan_keys_find(struct scan_keys *keys, rf_str name, bool add)
{
    uint32_t hash = (uint32_t)rf_hash(name.ptr, name.len, 0), mask = keys->slot_count - 1,
             at = hash & mask;
    for (; keys->slots[at] != 0; at = (at + 1) & mask) {
        const struct scan_key *key = &keys->items[keys->slots[at]];
        if (key->hash == hash && rf_str_eq(key->name, name)) return keys->slots[at];
    }
    if (!add || keys->count >= SCAN_KEYS_MAX) return 0;
    if (keys->count == keys->cap)
        return keys_grow(keys) ? scan_keys_find(keys, name, true) : UINT32_MAX;
    struct scan_key *key = &keys->items[keys->count];
    *key = (struct scan_key){.hash = hash, .column = UINT32_MAX};
    uint8_t *copy = rf_arena_zalloc(keys->arena, name.len + 2 + SCAN_KEY_PADDED);
    if (copy == NULL) return UINT32_MAX;
    if (name.len > 0) memcpy(copy + 1, name.ptr, name.len);
    copy[0] = copy[name.len + 1] = '"';
    key->name = rf_str_make(copy + 1, name.len);
    keys->slots[at] = keys->count;
    return keys->count++;
}

uint32_t scan_key_escaped(struct scan_json *text, rf_str raw, bool add)
{
    uint8_t *name = rf_arena_alloc(text->scratch, raw.len);
    if (name == NULL) return UINT32_MAX;
    return scan_keys_find(&text->keys, rf_str_make(name, json_unescape(raw, name)), add);
}

/* ---- JSON tokens ---------------------------------------------------------------------------------------- */

static const uint8_t *stumble(struct scan_json *text, const uint8_t *at, const char *reason)
{
    text->fault = at;
    text->reason = reason;
    return NULL;
}

static bool is_hex(uint8_t c) { return rf_is_digit(c) || (uint8_t)((c | 0x20) - 'a') < 6; }

static inline bool is_escape(uint8_t c)
{
    switch (c) {
    case '"':
    case '\\':
    case '/':
    case 'b':
    case 'f':
    case 'n':
    case 'r':
    case 't':
        return true;
    default:
        return false;
    }
}

const uint8_t *scan_escaped(struct scan_json *text, const uint8_t *at, bool *escaped)
{
    const uint8_t *end = text->end;
    while (at < end && *at != '"') {
        if (*at < 0x20) {
            return stumble(text, at,
                           *at == '\n' ? "the row ends inside a string"
                                       : "a control character stands in a string");
        }
        *escaped = true; /* only a backslash is left */
        size_t room = (size_t)(end - at);
        if (room >= 2 && is_escape(at[1])) {
            at += 2;
        } else if (room >= 6 && at[1] == 'u' && is_hex(at[2]) && is_hex(at[3]) && is_hex(at[4]) &&
                   is_hex(at[5])) {
            at += 6;
        } else if (room < 6 && !text->lines) {
            return stumble(text, end, "the text ends inside a string");
        } else {
            return stumble(text, at, "a string has an unknown escape");
        }
        at = scan_plain(at, end);
    }
    return at == end ? stumble(text, at, "the row ends inside a string") : at + 1;
}

const uint8_t *scan_nested(struct scan_json *text, const uint8_t *at)
{
    /* The value must end on its line; a row left open must not swallow those that follow. */
    const uint8_t *end = text->lines ? memchr(at, '\n', (size_t)(text->end - at)) : NULL;
    if (end == NULL) end = text->end;
    struct json_reader reader;
    json_reader_init_many(&reader, rf_str_make(at, (size_t)(end - at)));
    enum rf_kind kind = json_skip_value(&reader, NULL, NULL);
    const uint8_t *to = at + json_offset(&reader);
    if (kind == RF_OK) return to;
    if (kind == RF_LIMIT) return stumble(text, to, "a value is nested more than 128 deep");
    /* A word that the end of the text has cut is reported where it begins. */
    if (to >= end || (!text->lines && !text->last && end - to < 8))
        return stumble(text, end, "the row ends inside an object or array");
    return stumble(text, to, "an object or array is not valid JSON");
}

/* Powers of ten that a double holds exactly. */
static const double pow10_exact[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                     1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                     1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};

static const uint8_t *scan_digits(const uint8_t *at, const uint8_t *end, uint64_t *number)
{
    uint64_t n = *number;
    while (at < end && rf_is_digit(*at)) n = n * 10 + (uint64_t)(*at++ - '0');
    *number = n;
    return at;
}

/* Up to 15 digits and a power of ten up to 22 are exact as doubles, so one division rounds correctly. */
static void real_of(struct scan_token *token, uint64_t digits, size_t digit_count, int64_t exponent,
                    bool negative)
{
    token->exact = digit_count <= 15 && exponent >= -22 && exponent <= 22;
    if (!token->exact) return;
    double r = (double)digits;
    r = exponent < 0 ? r / pow10_exact[-exponent] : r * pow10_exact[exponent];
    token->real = negative ? -r : r;
}

const uint8_t *scan_number(struct scan_json *text, const uint8_t *at, struct scan_token *token)
{
    const uint8_t *end = text->end;
    bool negative = *at == '-';
    at += negative;
    const uint8_t *first = at;
    uint64_t digits = 0;
    at = scan_digits(at, end, &digits);
    size_t digit_count = (size_t)(at - first);
    if (digit_count == 0) return stumble(text, at, "expected a digit");
    if (*first == '0' && digit_count > 1) return stumble(text, first, "a number begins with 0");
    if (at == end || (*at != '.' && (*at | 0x20) != 'e')) {
        token->kind = SCAN_WHOLE;
        /* 19 digits may pass int64 but not uint64. */
        token->exact =
            digit_count <= 18 || (digit_count == 19 && digits <= (uint64_t)INT64_MAX + negative);
        token->whole = negative ? (int64_t)(0 - digits) : (int64_t)digits;
        return at;
    }
    token->kind = SCAN_NUMBER;
    int64_t exponent = 0;
    if (*at == '.') {
        const uint8_t *fraction = ++at;
        at = scan_digits(at, end, &digits);
        if (at == fraction) return stumble(text, at, "expected a digit after the point");
        exponent = -(int64_t)(at - fraction);
        digit_count += (size_t)(at - fraction);
    }
    if (at < end && (*at | 0x20) == 'e') {
        at++;
        bool minus = at < end && *at == '-';
        at += at < end && (*at == '-' || *at == '+');
        const uint8_t *from = at;
        uint64_t e = 0;
        at = scan_digits(at, end, &e);
        if (at == from) return stumble(text, at, "expected a digit in the exponent");
        if (at - from > 4) e = 10000;
        exponent += minus ? -(int64_t)e : (int64_t)e;
    }
    real_of(token, digits, digit_count, exponent, negative);
    return at;
}

const uint8_t *scan_word(struct scan_json *text, const uint8_t *at, struct scan_token *token)
{
    static const struct {
        const char *text;
        size_t len;
        enum scan_kind kind;
    } words[] = {{"true", 4, SCAN_TRUE}, {"false", 5, SCAN_FALSE}, {"null", 4, SCAN_NULL}};
    size_t room = (size_t)(text->end - at);
    for (size_t i = 0; i < RF_COUNT(words); i++) {
        if (memcmp(at, words[i].text, RF_MIN(room, words[i].len)) != 0) continue;
        if (room < words[i].len) return stumble(text, text->end, "the row ends inside a word");
        token->kind = words[i].kind;
        return at + words[i].len;
    }
    return stumble(text, at,
                   *at == '\n' ? "the row ends where a value was expected" : "expected a value");
}

/* ---- text as a whole ---------------------------------------------------------------------------------------- */

/* Most telemetry is ASCII, which is seen at the speed of memory. */
static bool is_utf8(rf_str text)
{
    size_t at = 0;
#if defined(__SSE2__)
    for (; text.len - at >= 64; at += 64) {
        const __m128i *p = (const __m128i *)(const void *)(text.ptr + at);
        __m128i a = _mm_or_si128(_mm_loadu_si128(p), _mm_loadu_si128(p + 1));
        __m128i b = _mm_or_si128(_mm_loadu_si128(p + 2), _mm_loadu_si128(p + 3));
        if (_mm_movemask_epi8(_mm_or_si128(a, b)) != 0) break;
    }
#endif
    return rf_utf8_valid(rf_slice(text, at, text.len));
}

uint64_t scan_count_lines(const uint8_t *at, const uint8_t *end)
{
    uint64_t lines = 0;
#if defined(__SSE2__)
    const __m128i line_end = _mm_set1_epi8('\n'), zero = _mm_setzero_si128();
    while (end - at >= 16) {
        /* Each byte counts the line ends of its column, at most 255 of them. */
        size_t blocks = RF_MIN((size_t)(end - at) / 16, (size_t)255);
        __m128i count = zero;
        for (size_t i = 0; i < blocks; i++, at += 16) {
            __m128i x = _mm_loadu_si128((const __m128i *)(const void *)at);
            count = _mm_sub_epi8(count, _mm_cmpeq_epi8(x, line_end));
        }
        __m128i sums = _mm_sad_epu8(count, zero);
        lines += (uint64_t)_mm_cvtsi128_si64(sums) +
                 (uint64_t)_mm_cvtsi128_si64(_mm_srli_si128(sums, 8));
    }
#endif
    for (; at < end; at++) lines += *at == '\n';
    return lines;
}

/* ---- JSON rows ---------------------------------------------------------------------------------------------- */

void scan_json_feed(struct scan_json *text, rf_str piece, bool last)
{
    text->at = piece.ptr;
    text->end = piece.ptr + piece.len;
    if (text->lines && !last) {
        const uint8_t *cut = piece.len == 0 ? NULL : memrchr(piece.ptr, '\n', piece.len);
        text->end = cut == NULL ? piece.ptr : cut + 1;
    }
    text->last = last;
    text->utf8_known =
        !text->utf8_later && is_utf8(rf_str_make(text->at, (size_t)(text->end - text->at)));
}

enum row_step scan_json_row_fault(struct scan_json *text, const uint8_t *fault, const char *reason)
{
    if (text->lines && (fault == text->end || *fault == '\n') &&
        strncmp(reason, "expected", 8) == 0)
        reason = "the row ends inside an object";
    /* Without line ends only the end of all text shows that a row will never be whole. */
    if (!text->lines && !text->last && fault >= text->end) {
        text->at = text->from;
        return ROW_END;
    }
    text->fault = fault;
    text->reason = reason;
    return ROW_BAD;
}

void scan_json_recover(struct scan_json *text)
{
    const uint8_t *from = text->from, *end = NULL;
    if (text->lines) end = memchr(from, '\n', (size_t)(text->end - from));
    text->at = end == NULL ? text->end : end + 1;
    if (!text->lines) text->frame = SCAN_FRAME_LOST;
}

bool scan_json_row_utf8(struct scan_json *text, const uint8_t *from, const uint8_t *to)
{
    (void)text;
    return rf_utf8_valid(rf_str_make(from, (size_t)(to - from)));
}

/* What may stand between objects that are not one a line: brackets around all, commas between. text->at moves on
 * with each piece of it, so that none comes again with the rest. */
static enum row_step frame_next(struct scan_json *text, const uint8_t **at)
{
    const uint8_t *p = scan_blanks(text, text->at, false);
    if (p < text->end && text->frame == SCAN_FRAME_START) {
        text->frame = *p == '[' ? SCAN_FRAME_FIRST : SCAN_FRAME_STREAM;
        if (*p == '[') p = scan_blanks(text, p + 1, false);
    } else if (p < text->end && text->frame == SCAN_FRAME_NEXT && *p == ',') {
        text->frame = SCAN_FRAME_OBJECT;
        p = scan_blanks(text, p + 1, false);
    }
    if (p < text->end && *p == ']' &&
        (text->frame == SCAN_FRAME_FIRST || text->frame == SCAN_FRAME_NEXT)) {
        text->frame = SCAN_FRAME_OVER;
        p = scan_blanks(text, p + 1, false);
    }
    text->at = text->from = p;
    if (p == text->end) {
        bool open = text->frame == SCAN_FRAME_FIRST || text->frame == SCAN_FRAME_NEXT ||
                    text->frame == SCAN_FRAME_OBJECT;
        return text->last && open ? scan_json_row_fault(text, p, "the array has no end") : ROW_END;
    }
    switch (text->frame) {
    case SCAN_FRAME_OVER:
        return scan_json_row_fault(text, p, "more text follows the array");
    case SCAN_FRAME_NEXT:
        return scan_json_row_fault(text, p, "expected ',' or ']' after an object");
    case SCAN_FRAME_OBJECT:
        if (*p == ']') return scan_json_row_fault(text, p, "expected an object after ','");
        break;
    default:
        break;
    }
    *at = p;
    return ROW_DONE;
}

enum row_step scan_json_row_begin(struct scan_json *text, const uint8_t **at)
{
    if (text->lines) {
        const uint8_t *p = text->at;
        while (p < text->end && (*p == ' ' || *p == '\t' || *p == '\r' || *p == '\n')) p++;
        text->from = text->at = *at = p;
        if (p == text->end) return ROW_END;
    } else {
        if (text->frame == SCAN_FRAME_LOST) text->at = text->from = text->end;
        if (text->frame == SCAN_FRAME_LOST) return ROW_END;
        enum row_step step = frame_next(text, at);
        if (step != ROW_DONE) return step;
    }
    if (**at != '{') return scan_json_row_fault(text, *at, "a row must be a JSON object");
    return ROW_DONE;
}

/* ---- CSV --------------------------------------------------------------------------------------------------------- */

void scan_csv_feed(struct scan_csv *text, rf_str piece, bool last)
{
    text->at = piece.ptr;
    text->end = piece.ptr + piece.len;
    text->last = last;
    text->utf8_known = is_utf8(piece);
}

bool scan_csv_row_begin(struct scan_csv *text)
{
    const uint8_t *p = text->at;
    while (p < text->end && (*p == '\n' || *p == '\r')) p++;
    text->at = text->from = p;
    return p < text->end;
}

const uint8_t *scan_csv_plain_end(const struct scan_csv *text, const uint8_t *at)
{
    const uint8_t *end = text->end;
    uint8_t delimiter = text->delimiter;
#if defined(__SSE2__)
    const __m128i d = _mm_set1_epi8((char)delimiter), nl = _mm_set1_epi8('\n'),
                  cr = _mm_set1_epi8('\r');
    for (; end - at >= 16; at += 16) {
        __m128i x = _mm_loadu_si128((const __m128i *)(const void *)at);
        __m128i stop = _mm_or_si128(_mm_cmpeq_epi8(x, d),
                                    _mm_or_si128(_mm_cmpeq_epi8(x, nl), _mm_cmpeq_epi8(x, cr)));
        int stops = _mm_movemask_epi8(stop);
        if (stops != 0) return at + __builtin_ctz((unsigned)stops);
    }
#endif
    while (at < end && *at != delimiter && *at != '\n' && *at != '\r') at++;
    return at;
}

static const uint8_t *csv_stumble(struct scan_csv *text, const uint8_t *at, const char *reason)
{
    text->fault = at;
    text->reason = reason;
    return NULL;
}

static bool undouble(struct scan_csv *text, rf_str raw, rf_str *field)
{
    uint8_t *out = rf_arena_alloc(text->arena, raw.len);
    if (out == NULL) return false;
    size_t len = 0;
    for (size_t i = 0; i < raw.len; i++) {
        out[len++] = raw.ptr[i];
        i += raw.ptr[i] == '"'; /* the scan saw that quotes come in pairs */
    }
    *field = rf_str_make(out, len);
    return true;
}

const uint8_t *scan_csv_quoted(struct scan_csv *text, const uint8_t *at, rf_str *field)
{
    const uint8_t *from = ++at;
    bool doubled = false;
    for (;;) {
        at = at == text->end ? NULL : memchr(at, '"', (size_t)(text->end - at));
        if (at == NULL)
            return csv_stumble(text, text->end, text->last ? "a quoted field has no end" : NULL);
        if (at + 1 == text->end || at[1] != '"') break;
        doubled = true;
        at += 2;
    }
    const uint8_t *to = at++;
    if (at < text->end && *at != text->delimiter && *at != '\n' && *at != '\r')
        return csv_stumble(text, at, "text follows a closing quote");
    *field = rf_str_make(from, (size_t)(to - from));
    if (doubled && !undouble(text, *field, field))
        return csv_stumble(text, to, "no memory is left for this row");
    return at;
}

const uint8_t *scan_csv_line_end(const struct scan_csv *text, const uint8_t *at)
{
    if (at < text->end && *at == '\r') at++;
    if (at < text->end && *at == '\n') at++;
    return at;
}

enum row_step scan_csv_row_fault(struct scan_csv *text, const uint8_t *fault, const char *reason)
{
    /* A row is left out together with its line, so the line's end must be there. */
    bool whole = text->last ||
                 (fault < text->end && memchr(fault, '\n', (size_t)(text->end - fault)) != NULL);
    if (reason == NULL || !whole) return ROW_END;
    text->fault = fault;
    text->reason = reason;
    return ROW_BAD;
}

bool scan_csv_row_utf8(struct scan_csv *text, const uint8_t *to)
{
    return rf_utf8_valid(rf_str_make(text->from, (size_t)(to - text->from)));
}

/* A row with a stray quote or too many fields ends at the next line end: what its author meant by the quotes
 * cannot be known. */
void scan_csv_recover(struct scan_csv *text)
{
    const uint8_t *p = RF_MAX(text->fault, text->from);
    const uint8_t *end = p < text->end ? memchr(p, '\n', (size_t)(text->end - p)) : NULL;
    text->at = text->resume != NULL ? text->resume : end == NULL ? text->end : end + 1;
}
