#include "base/json.h"

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

/* What json_next is made of is one function body: as separate calls it took a tenth more time. */
#define JSON_INLINE inline __attribute__((always_inline))

/* What the grammar allows where the reader stands. */
enum expect {
    EXPECT_VALUE,      /* at the start, after a colon, after a comma of an array */
    EXPECT_FIRST_ITEM, /* after [ */
    EXPECT_FIRST_KEY,  /* after { */
    EXPECT_NEXT,       /* after a value inside a container: comma or end */
    EXPECT_END         /* after the outermost value */
};

void json_reader_init(struct json_reader *reader, rf_str text)
{
    if (text.len == 0) text = RF_S(""); /* its pointer may be NULL, which allows no arithmetic */
    *reader = (struct json_reader){.start = text.ptr, .at = text.ptr, .end = text.ptr + text.len};
}

void json_reader_init_many(struct json_reader *reader, rf_str text)
{
    json_reader_init(reader, text);
    reader->many = true;
    reader->expect = EXPECT_END;
}

/* ---- scanning -------------------------------------------------------------------------------- */

static inline bool is_blank(uint8_t c) { return c == ' ' || c == '\n' || c == '\r' || c == '\t'; }

static inline const uint8_t *skip_blanks(const uint8_t *p, const uint8_t *end)
{
    while (p < end && is_blank(*p)) p++;
    return p;
}

/* A byte that ends a run of plain text inside a string. */
static inline bool is_stop(uint8_t c) { return c == '"' || c == '\\' || c < 0x20; }

static inline const uint8_t *plain_end_bytes(const uint8_t *p, const uint8_t *end, uint32_t *high)
{
    for (; p < end && !is_stop(*p); p++) *high |= *p & 0x80u;
    return p;
}

/* The first byte at or after p that is_stop, or `end`. Sets bits in *high when a byte before it is
 * not ASCII. Steps of 32 and 64 bytes, and 32 with AVX2, were slower on telemetry: most texts end
 * in the first 16 or 32 bytes. */
#if defined(__SSE2__)
static JSON_INLINE const uint8_t *plain_end(const uint8_t *p, const uint8_t *end, uint32_t *high)
{
    const __m128i quote = _mm_set1_epi8('"'), backslash = _mm_set1_epi8('\\');
    const __m128i control_max = _mm_set1_epi8(0x1f);
    for (; end - p >= 16; p += 16) {
        __m128i x = _mm_loadu_si128((const __m128i *)(const void *)p);
        __m128i stop = _mm_or_si128(_mm_cmpeq_epi8(x, quote), _mm_cmpeq_epi8(x, backslash));
        stop = _mm_or_si128(stop, _mm_cmpeq_epi8(_mm_min_epu8(x, control_max), x));
        uint32_t stops = (uint32_t)_mm_movemask_epi8(stop);
        uint32_t highs = (uint32_t)_mm_movemask_epi8(x);
        if (stops != 0) {
            *high |= highs & (stops - 1) & ~stops; /* only the bytes before the lowest stop */
            return p + __builtin_ctz(stops);
        }
        *high |= highs;
    }
    return plain_end_bytes(p, end, high);
}
#else
/* Eight bytes at a time: a byte of the sum has its top bit set where the test holds, exactly up to
 * the first such byte, which is all that is used. */
static JSON_INLINE const uint8_t *plain_end(const uint8_t *p, const uint8_t *end, uint32_t *high)
{
    const uint64_t ones = UINT64_C(0x0101010101010101), tops = ones << 7;
    for (; end - p >= 8; p += 8) {
        uint64_t x = rf_get_u64le(p), quote = x ^ (ones * '"'), backslash = x ^ (ones * '\\');
        uint64_t stops = ((quote - ones) & ~quote) | ((backslash - ones) & ~backslash);
        stops = (stops | ((x - ones * 0x20) & ~x)) & tops;
        uint64_t before = stops != 0 ? (stops & -stops) - 1 : UINT64_MAX;
        if ((x & tops & before) != 0) *high |= 0x80;
        if (stops != 0) return p + __builtin_ctzll(stops) / 8;
    }
    return plain_end_bytes(p, end, high);
}
#endif

/* ---- tokens: each returns where it ends, or NULL after stumble() ----------------------------- */

static const uint8_t *stumble(struct json_reader *reader, const uint8_t *at, const char *wrong)
{
    reader->at = at;
    reader->wrong = wrong;
    return NULL;
}

static const char too_deep[] = "is nested too deeply";

static inline int hex_digit(uint8_t c)
{
    if (rf_is_digit(c)) return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The code unit of four hex digits at p, or -1. */
static inline int32_t hex4(const uint8_t *p)
{
    int a = hex_digit(p[0]), b = hex_digit(p[1]), c = hex_digit(p[2]), d = hex_digit(p[3]);
    if ((a | b | c | d) < 0) return -1;
    return a << 12 | b << 8 | c << 4 | d;
}

/* What \c stands for, 'u' for the long form, 0 for no escape. */
static inline uint8_t escape_value(uint8_t c)
{
    switch (c) {
    case '"':
    case '\\':
    case '/':
    case 'u':
        return c;
    case 'b':
        return '\b';
    case 'f':
        return '\f';
    case 'n':
        return '\n';
    case 'r':
        return '\r';
    case 't':
        return '\t';
    default:
        return 0;
    }
}

static const uint8_t *read_escape(struct json_reader *reader, const uint8_t *p)
{
    if (reader->end - p < 2) return stumble(reader, reader->end, "ends inside a string");
    uint8_t value = escape_value(p[1]);
    if (value == 0) return stumble(reader, p, "has an unknown escape");
    if (value != 'u') return p + 2;
    if (reader->end - p < 6) return stumble(reader, reader->end, "ends inside a string");
    if (hex4(p + 2) < 0) return stumble(reader, p, "has an escape without four hex digits");
    return p + 6;
}

/* p stands after the opening quote. */
static JSON_INLINE const uint8_t *read_string(struct json_reader *reader, const uint8_t *p,
                                              struct json_event *event)
{
    const uint8_t *from = p;
    uint32_t high = 0;
    event->escaped = false;
    for (;;) {
        p = plain_end(p, reader->end, &high);
        if (RF_UNLIKELY(p == reader->end)) return stumble(reader, p, "ends inside a string");
        if (RF_LIKELY(*p == '"')) break;
        if (RF_UNLIKELY(*p != '\\')) return stumble(reader, p, "has a bare control character");
        event->escaped = true;
        p = read_escape(reader, p);
        if (RF_UNLIKELY(p == NULL)) return NULL;
    }
    event->text = rf_str_make(from, (size_t)(p - from));
    if (RF_UNLIKELY(high != 0) && !rf_utf8_valid(event->text))
        return stumble(reader, from, "has a string that is not well-formed UTF-8");
    return p + 1;
}

static inline const uint8_t *skip_digits(const uint8_t *p, const uint8_t *end)
{
    while (p < end && rf_is_digit(*p)) p++;
    return p;
}

/* True when c cannot follow a number or a literal: without this check "1 2" and "12" would differ
 * only by a blank to a reader of many values. */
static inline bool goes_on(uint8_t c)
{
    return rf_is_alnum(c) || c == '.' || c == '+' || c == '-' || c == '_' || c == '"' || c >= 0x80;
}

static JSON_INLINE const uint8_t *read_number(struct json_reader *reader, const uint8_t *p,
                                              struct json_event *event)
{
    const uint8_t *from = p, *end = reader->end;
    event->kind = JSON_NUMBER;
    event->whole = true;
    if (*p == '-') p++;
    const uint8_t *digits = p;
    p = skip_digits(p, end);
    if (p == digits) return stumble(reader, p, "has a number without digits");
    if (*digits == '0' && p - digits > 1)
        return stumble(reader, digits, "has a number with a leading zero");
    if (p < end && *p == '.') {
        event->whole = false;
        digits = ++p;
        p = skip_digits(p, end);
        if (p == digits) return stumble(reader, p, "has a number without digits after the point");
    }
    if (p < end && (*p | 0x20) == 'e') {
        event->whole = false;
        p++;
        if (p < end && (*p == '+' || *p == '-')) p++;
        digits = p;
        p = skip_digits(p, end);
        if (p == digits) return stumble(reader, p, "has a number without digits in the exponent");
    }
    if (p < end && goes_on(*p)) return stumble(reader, p, "has a malformed number");
    event->text = rf_str_make(from, (size_t)(p - from));
    return p;
}

static JSON_INLINE const uint8_t *read_word(struct json_reader *reader, const uint8_t *p,
                                            const char *word, size_t len)
{
    if ((size_t)(reader->end - p) < len || memcmp(p, word, len) != 0)
        return stumble(reader, p, "has an unknown word");
    p += len;
    if (p < reader->end && goes_on(*p)) return stumble(reader, p, "has an unknown word");
    return p;
}

/* ---- grammar --------------------------------------------------------------------------------- */

static inline bool in_object(const struct json_reader *reader)
{
    uint32_t level = reader->depth - 1;
    return (reader->objects[level / 64] >> level % 64 & 1) != 0;
}

static inline const uint8_t *open_container(struct json_reader *reader, const uint8_t *p,
                                            bool object)
{
    if (RF_UNLIKELY(reader->depth == JSON_DEPTH_MAX)) return stumble(reader, p, too_deep);
    uint32_t level = reader->depth++;
    uint64_t bit = UINT64_C(1) << level % 64, *word = &reader->objects[level / 64];
    *word = object ? *word | bit : *word & ~bit;
    reader->expect = object ? EXPECT_FIRST_KEY : EXPECT_FIRST_ITEM;
    return p + 1;
}

static inline const uint8_t *close_container(struct json_reader *reader, const uint8_t *p)
{
    reader->depth--;
    reader->expect = reader->depth == 0 ? EXPECT_END : EXPECT_NEXT;
    return p + 1;
}

/* p stands on the first byte of a value, if on any. */
static JSON_INLINE const uint8_t *read_value(struct json_reader *reader, const uint8_t *p,
                                             struct json_event *event)
{
    if (RF_UNLIKELY(p == reader->end)) return stumble(reader, p, "ends where a value must come");
    reader->expect = reader->depth == 0 ? EXPECT_END : EXPECT_NEXT;
    switch (*p) {
    case '"':
        event->kind = JSON_STRING;
        return read_string(reader, p + 1, event);
    case '{':
        event->kind = JSON_OBJECT_BEGIN;
        return open_container(reader, p, true);
    case '[':
        event->kind = JSON_ARRAY_BEGIN;
        return open_container(reader, p, false);
    case 't':
        event->kind = JSON_TRUE;
        return read_word(reader, p, "true", 4);
    case 'f':
        event->kind = JSON_FALSE;
        return read_word(reader, p, "false", 5);
    case 'n':
        event->kind = JSON_NULL;
        return read_word(reader, p, "null", 4);
    default:
        if (RF_LIKELY(rf_is_digit(*p) || *p == '-')) return read_number(reader, p, event);
        return stumble(reader, p, "has no value where one must come");
    }
}

static JSON_INLINE const uint8_t *read_key(struct json_reader *reader, const uint8_t *p,
                                           struct json_event *event)
{
    if (RF_UNLIKELY(p == reader->end || *p != '"'))
        return stumble(reader, p, "has no key where one must come");
    event->kind = JSON_KEY;
    p = read_string(reader, p + 1, event);
    if (RF_UNLIKELY(p == NULL)) return NULL;
    p = skip_blanks(p, reader->end);
    if (RF_UNLIKELY(p == reader->end || *p != ':'))
        return stumble(reader, p, "has no colon after a key");
    reader->expect = EXPECT_VALUE;
    return p + 1;
}

/* Inside a container, after a value. */
static JSON_INLINE const uint8_t *read_next(struct json_reader *reader, const uint8_t *p,
                                            struct json_event *event)
{
    if (RF_UNLIKELY(p == reader->end)) return stumble(reader, p, "ends inside an array or object");
    bool object = in_object(reader);
    if (RF_LIKELY(*p == ',')) {
        p = skip_blanks(p + 1, reader->end);
        return object ? read_key(reader, p, event) : read_value(reader, p, event);
    }
    if (RF_UNLIKELY(*p != (object ? '}' : ']')))
        return stumble(reader, p, "has neither a comma nor the end of an array or object");
    event->kind = object ? JSON_OBJECT_END : JSON_ARRAY_END;
    return close_container(reader, p);
}

static JSON_INLINE const uint8_t *read_end(struct json_reader *reader, const uint8_t *p,
                                           struct json_event *event)
{
    if (p == reader->end) {
        event->kind = JSON_END;
        return p;
    }
    if (!reader->many) return stumble(reader, p, "goes on after its value");
    return read_value(reader, p, event);
}

/* One event; false after stumble(). Inlined twice, so that skipping keeps nothing of the event. */
static JSON_INLINE bool step(struct json_reader *reader, struct json_event *event)
{
    const uint8_t *p = skip_blanks(reader->at, reader->end);
    switch ((enum expect)reader->expect) {
    case EXPECT_NEXT:
        p = read_next(reader, p, event);
        break;
    case EXPECT_VALUE:
        p = read_value(reader, p, event);
        break;
    case EXPECT_FIRST_KEY:
        if (p < reader->end && *p == '}') {
            event->kind = JSON_OBJECT_END;
            p = close_container(reader, p);
        } else {
            p = read_key(reader, p, event);
        }
        break;
    case EXPECT_FIRST_ITEM:
        if (p < reader->end && *p == ']') {
            event->kind = JSON_ARRAY_END;
            p = close_container(reader, p);
        } else {
            p = read_value(reader, p, event);
        }
        break;
    case EXPECT_END:
        p = read_end(reader, p, event);
        break;
    }
    if (RF_UNLIKELY(p == NULL)) return false;
    reader->at = p;
    return true;
}

static enum rf_kind report(const struct json_reader *reader, struct rf_err *err)
{
    if (reader->wrong == too_deep)
        return RF_FAIL(err, RF_LIMIT, "JsonTooDeep",
                       "the JSON text nests more than %d levels at byte %zu", (int)JSON_DEPTH_MAX,
                       json_offset(reader));
    return RF_FAIL(err, RF_INVALID, "BadJson", "the JSON text %s, at byte %zu", reader->wrong,
                   json_offset(reader));
}

enum rf_kind json_next(struct json_reader *reader, struct json_event *event, struct rf_err *err)
{
    if (RF_LIKELY(step(reader, event))) return RF_OK;
    return report(reader, err);
}

/* Steps until as many containers are open as `depth` says. */
static enum rf_kind skip_to_depth(struct json_reader *reader, uint32_t depth, struct rf_err *err)
{
    struct json_event event;
    do {
        if (RF_UNLIKELY(!step(reader, &event))) return report(reader, err);
    } while (reader->depth > depth);
    return RF_OK;
}

enum rf_kind json_skip_value(struct json_reader *reader, rf_str *text, struct rf_err *err)
{
    RF_ASSERT(reader->expect == EXPECT_VALUE || reader->expect == EXPECT_END);
    reader->at = skip_blanks(reader->at, reader->end);
    const uint8_t *from = reader->at;
    RF_TRY(skip_to_depth(reader, reader->depth, err));
    if (text != NULL) *text = rf_str_make(from, (size_t)(reader->at - from));
    return RF_OK;
}

enum rf_kind json_skip_container(struct json_reader *reader, struct rf_err *err)
{
    RF_ASSERT(reader->depth > 0);
    uint32_t depth = reader->depth - 1;
    if (reader->expect == EXPECT_VALUE) RF_TRY(json_skip_value(reader, NULL, err));
    return skip_to_depth(reader, depth, err);
}

/* ---- values ---------------------------------------------------------------------------------- */

/* Reads the escape \uXXXX at raw[*at], with the low surrogate that may follow, and moves *at past
 * it. */
static uint32_t unescape_unit(rf_str raw, size_t *at)
{
    uint32_t unit = (uint32_t)hex4(raw.ptr + *at + 2);
    *at += 6;
    if (unit < 0xd800 || unit > 0xdfff) return unit;
    bool pair =
        unit < 0xdc00 && raw.len - *at >= 6 && raw.ptr[*at] == '\\' && raw.ptr[*at + 1] == 'u';
    uint32_t low = pair ? (uint32_t)hex4(raw.ptr + *at + 2) : 0;
    if (low < 0xdc00 || low > 0xdfff) return 0xfffd;
    *at += 6;
    return 0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00);
}

size_t json_unescape(rf_str raw, uint8_t *out)
{
    uint8_t *to = out;
    for (size_t at = 0; at < raw.len;) {
        const uint8_t *p = raw.ptr + at;
        const uint8_t *stop = memchr(p, '\\', raw.len - at);
        size_t run = stop == NULL ? raw.len - at : (size_t)(stop - p);
        if (run != 0) memcpy(to, p, run);
        to += run;
        at += run;
        if (stop == NULL) break;
        if (stop[1] == 'u') {
            to += rf_utf8_put(unescape_unit(raw, &at), to);
        } else {
            *to++ = escape_value(stop[1]);
            at += 2;
        }
    }
    return (size_t)(to - out);
}

bool json_text(const struct json_event *event, struct rf_arena *arena, rf_str *out)
{
    if (!event->escaped) {
        *out = event->text;
        return true;
    }
    uint8_t *made = rf_arena_alloc(arena, event->text.len);
    if (made == NULL) return false;
    *out = rf_str_make(made, json_unescape(event->text, made));
    return true;
}

/* Value of eight decimal digits at p, by three multiplications that each join neighbours. */
static inline uint64_t eight_digits(const uint8_t *p)
{
    uint64_t x = rf_get_u64le(p) - UINT64_C(0x3030303030303030);
    x = (x * 10 + (x >> 8)) & UINT64_C(0x00ff00ff00ff00ff);
    x = (x * 100 + (x >> 16)) & UINT64_C(0x0000ffff0000ffff);
    return (x * 10000 + (x >> 32)) & UINT64_C(0xffffffff);
}

bool json_number_i64(rf_str number, int64_t *out)
{
    const uint8_t *p = number.ptr, *end = p + number.len;
    bool negative = p < end && *p == '-';
    if (negative) p++;
    if (end - p > 19) return false; /* no leading zeros, so 20 digits are too many */
    uint64_t sum = 0;               /* 19 digits fit in 64 bits without a sign */
    for (; end - p >= 8; p += 8) sum = sum * 100000000 + eight_digits(p);
    for (; p < end; p++) sum = sum * 10 + (uint64_t)(*p - '0');
    if (sum > (uint64_t)INT64_MAX + negative) return false;
    *out = (int64_t)(negative ? 0 - sum : sum);
    return true;
}

/* ---- writing --------------------------------------------------------------------------------- */

static void put_escape(struct rf_buf *buf, uint8_t c)
{
    static const char hex[] = "0123456789abcdef";
    uint8_t out[6] = {'\\', 'u', '0', '0', (uint8_t)hex[c >> 4], (uint8_t)hex[c & 15]};
    size_t len = 2;
    switch (c) {
    case '"':
    case '\\':
        out[1] = c;
        break;
    case '\b':
        out[1] = 'b';
        break;
    case '\f':
        out[1] = 'f';
        break;
    case '\n':
        out[1] = 'n';
        break;
    case '\r':
        out[1] = 'r';
        break;
    case '\t':
        out[1] = 't';
        break;
    default:
        len = 6;
        break;
    }
    rf_buf_put(buf, out, len);
}

/* Appends `s` with U+FFFD for what is no UTF-8. */
static void put_repaired(struct rf_buf *buf, rf_str s)
{
    for (size_t at = 0; at < s.len;) {
        uint8_t out[4];
        rf_buf_put(buf, out, rf_utf8_put(rf_utf8_next(s, &at), out));
    }
}

void json_put_string(struct rf_buf *buf, rf_str s)
{
    if (!rf_buf_reserve(buf, s.len + 2)) return;
    rf_buf_byte(buf, '"');
    const uint8_t *p = s.ptr, *end = s.len == 0 ? p : p + s.len;
    while (p < end) {
        uint32_t high = 0;
        const uint8_t *stop = plain_end(p, end, &high);
        rf_str run = rf_str_make(p, (size_t)(stop - p));
        if (high != 0 && !rf_utf8_valid(run))
            put_repaired(buf, run);
        else
            rf_buf_str(buf, run);
        if (stop < end) put_escape(buf, *stop++);
        p = stop;
    }
    rf_buf_byte(buf, '"');
}
