#include "value/dyn_marked.h"

#include "base/digits.h"
#include "base/json.h"
#include "value/dyn_int.h"

enum {
    ENTRIES_MIN = 256,
    COPY_BYTES = 32,
    SCALAR_BYTES = 9,
    SLACK_BYTES = 64, /* room that every value and key has beyond its text */
    PAIRS_MAX = 24    /* keys that are compared each with each */
};

/* A list that has not ended. */
struct open_list {
    size_t items;      /* where its elements start in the buffer */
    uint32_t first;    /* its first entry on the stack */
    uint32_t reserved; /* entries that there is room for before `items` */
    uint32_t number;   /* of the list in the value */
    bool bag;
    bool repeats;     /* two of its keys may be equal */
    uint64_t seen[8]; /* a bit per key, by its fingerprint */
};

struct dyn_marked {
    struct rf_arena *arena;
    uint32_t *ends; /* per entry of the open lists: where its bytes end, from `items` */
    uint32_t count, cap, depth, lists;
    struct open_list open[JSON_DEPTH_MAX];
};

struct dyn_marked *dyn_marked_new(struct rf_arena *arena)
{
    struct dyn_marked *reader = rf_arena_raw(arena, struct dyn_marked, 1);
    if (reader == NULL) return NULL;
    reader->arena = arena;
    reader->cap = ENTRIES_MIN;
    reader->ends = rf_arena_raw(arena, uint32_t, reader->cap);
    return reader->ends == NULL ? NULL : reader;
}

static bool grow_ends(struct dyn_marked *reader)
{
    uint32_t cap = reader->cap * 2;
    uint32_t *ends = cap > reader->cap ? rf_arena_raw(reader->arena, uint32_t, cap) : NULL;
    if (ends == NULL) return false;
    memcpy(ends, reader->ends, (size_t)reader->count * sizeof *ends);
    reader->ends = ends;
    reader->cap = cap;
    return true;
}

static inline bool room(struct rf_buf *buf, size_t bytes)
{
    return RF_LIKELY(buf->cap - buf->len >= bytes) || rf_buf_reserve(buf, bytes);
}

/* memcpy for texts, most of which are short; `to` has room for COPY_BYTES more than `len`, and as much can be read. */
static inline void copy_text(uint8_t *to, const uint8_t *from, size_t len)
{
    memcpy(to, from, COPY_BYTES / 2);
    memcpy(to + COPY_BYTES / 2, from + COPY_BYTES / 2, COPY_BYTES / 2);
    if (RF_UNLIKELY(len > COPY_BYTES)) memcpy(to + COPY_BYTES, from + COPY_BYTES, len - COPY_BYTES);
}

static inline const uint8_t *pass_blanks(const uint8_t *p)
{
    while (RF_UNLIKELY(*p == ' ')) p++;
    return p;
}

/* ---- strings -------------------------------------------------------------------------------------------- */

/* The end of the string that begins at p, the last byte before its closing quote; NULL when it is not read here.
 * Its marks are taken. */
static inline const uint8_t *string_end(const struct json_marks *marks, const uint8_t *p,
                                        const uint32_t **mark)
{
    const uint32_t *m = *mark;
    if (RF_UNLIKELY(marks->base + m[0] != p)) return NULL;
    const uint8_t *end = marks->base + m[1];
    if (RF_UNLIKELY(*end != '"')) return NULL;
    *mark = m + 2;
    return end;
}

/* A string with escapes, begun at p. Returns the place behind its closing quote. */
static const uint8_t *put_escaped(const struct json_marks *marks, const uint8_t *p,
                                  const uint32_t **mark, struct rf_buf *buf)
{
    const uint32_t *m = *mark;
    if (marks->base + m[0] != p) return NULL;
    const uint8_t *end = json_marked_string(marks, &m);
    if (end == NULL) return NULL;
    rf_str raw = rf_str_make(p + 1, (size_t)(end - p) - 1);
    if (!room(buf, raw.len + SLACK_BYTES)) return NULL;
    uint8_t *to = buf->ptr + buf->len;
    size_t len = json_unescape(raw, to + 5);
    to[0] = DYN_STRING;
    rf_put_u32le(to + 1, (uint32_t)len);
    buf->len += len + 5;
    *mark = m;
    return end + 1;
}

static inline const uint8_t *put_string(const struct json_marks *marks, const uint8_t *p,
                                        const uint32_t **mark, struct rf_buf *buf)
{
    const uint8_t *end = string_end(marks, p, mark);
    if (RF_UNLIKELY(end == NULL)) return put_escaped(marks, p, mark, buf);
    size_t len = (size_t)(end - p) - 1;
    if (!room(buf, len + SLACK_BYTES)) return NULL;
    uint8_t *to = buf->ptr + buf->len;
    to[0] = DYN_STRING;
    rf_put_u32le(to + 1, (uint32_t)len);
    copy_text(to + 5, p + 1, len);
    buf->len += len + 5;
    return end + 1;
}

/* Cheap: keys that only look equal are told apart later. */
static inline uint32_t key_print(const uint8_t *key, size_t len)
{
    uint64_t a = rf_get_u64le(key), b = rf_get_u64le(key + (len > 8 ? len - 8 : 0));
    if (len < 8) a = b = a << (64 - 8 * len);
    uint64_t mixed = (a ^ (b << 29 | b >> 35) ^ len) * UINT64_C(0x9e3779b97f4a7c15);
    return (uint32_t)(mixed >> 55);
}

/* A key and the colon behind it. */
static inline const uint8_t *put_key(struct open_list *top, const struct json_marks *marks,
                                     const uint8_t *p, const uint32_t **mark, struct rf_buf *buf)
{
    if (RF_UNLIKELY(*p != '"')) return NULL; /* a backslash has a mark too */
    const uint8_t *end = string_end(marks, p, mark);
    if (RF_UNLIKELY(end == NULL)) return NULL;
    size_t len = (size_t)(end - p) - 1;
    if (!room(buf, len + SLACK_BYTES)) return NULL;
    uint8_t *to = buf->ptr + buf->len;
    rf_put_u32le(to, (uint32_t)len);
    copy_text(to + 4, p + 1, len);
    buf->len += len + 4;
    uint32_t print = len == 0 ? 0 : key_print(p + 1, len);
    uint64_t bit = UINT64_C(1) << print % 64, *seen = &top->seen[print / 64];
    top->repeats |= (*seen & bit) != 0;
    *seen |= bit;
    p = pass_blanks(end + 1);
    return RF_LIKELY(*p == ':') ? p + 1 : NULL;
}

/* ---- numbers and words ---------------------------------------------------------------------------------- */

static inline void put_scalar(struct rf_buf *buf, enum dyn_tag tag, uint64_t bits)
{
    buf->ptr[buf->len] = (uint8_t)tag;
    rf_put_u64le(buf->ptr + buf->len + 1, bits);
    buf->len += SCALAR_BYTES;
}

static const uint8_t *pass_digits(const uint8_t *p)
{
    while (rf_is_digit(*p)) p++;
    return p;
}

/* Any number, by the whole grammar. */
static const uint8_t *put_long_number(const uint8_t *from, struct rf_buf *buf)
{
    const uint8_t *p = from + (*from == '-'), *digits = p;
    bool whole = true;
    p = pass_digits(p);
    if (p == digits || (*digits == '0' && p - digits > 1)) return NULL;
    if (*p == '.') {
        whole = false;
        digits = ++p;
        p = pass_digits(p);
        if (p == digits) return NULL;
    }
    if ((*p | 0x20) == 'e') {
        whole = false;
        p++;
        if (*p == '+' || *p == '-') p++;
        digits = p;
        p = pass_digits(p);
        if (p == digits) return NULL;
    }
    return dyn_put_number_text(buf, rf_str_make(from, (size_t)(p - from)), whole) ? p : NULL;
}

/* Short whole numbers, and short ones with a point that are the shortest text of their double (see short_real). */
static inline const uint8_t *put_number(const uint8_t *p, struct rf_buf *buf)
{
    const uint8_t *from = p;
    bool negative = *p == '-';
    p += negative;
    uint32_t count, decimals;
    uint64_t value = digits_read(p, &count);
    if (RF_UNLIKELY(count == 0 || count > 16 || (*p == '0' && count > 1)))
        return put_long_number(from, buf);
    p += count;
    if (!room(buf, SLACK_BYTES)) return NULL;
    if (*p != '.') {
        if (RF_UNLIKELY((*p | 0x20) == 'e' || (negative && value == 0)))
            return put_long_number(from, buf); /* -0 has no int64 */
        put_scalar(buf, DYN_LONG, negative ? 0 - value : value);
        return p;
    }
    uint64_t fraction = digits_read(++p, &decimals);
    p += decimals;
    if (decimals == 0 || count + decimals > 15 || p[-1] == '0' || (*p | 0x20) == 'e')
        return put_long_number(from, buf);
    double real = (double)(value * digits_pow10[decimals] + fraction) / digits_pow10_real[decimals];
    if (real < 1e-3) return put_long_number(from, buf);
    if (negative) real = -real;
    uint64_t bits;
    memcpy(&bits, &real, sizeof bits);
    put_scalar(buf, DYN_REAL, bits);
    return p;
}

static inline const uint8_t *put_word(const uint8_t *p, struct rf_buf *buf)
{
    static const uint8_t texts[3][4] = {"null", "fals", "true"};
    enum dyn_tag tag = *p == 'n' ? DYN_NULL : *p == 'f' ? DYN_FALSE : DYN_TRUE;
    if (memcmp(p, texts[tag], 4) != 0 || (tag == DYN_FALSE && p[4] != 'e')) return NULL;
    rf_buf_byte(buf, (uint8_t)tag);
    return buf->failed ? NULL : p + (tag == DYN_FALSE ? 5 : 4);
}
_Static_assert(DYN_NULL == 0 && DYN_FALSE == 1 && DYN_TRUE == 2, "put_word counts on it");

/* ---- lists ---------------------------------------------------------------------------------------------------- */

static inline bool begin_list(struct dyn_marked *reader, const struct dyn_shape *shape, bool bag,
                              struct rf_buf *buf)
{
    if (RF_UNLIKELY(reader->depth == JSON_DEPTH_MAX)) return false;
    uint32_t number = reader->lists++;
    uint32_t reserved = number < DYN_SHAPE_LISTS ? shape->counts[number] : 0;
    if (!room(buf, DYN_HEAD_BYTES + (size_t)reserved * 4)) return false;
    buf->ptr[buf->len] = bag ? DYN_BAG : DYN_ARRAY;
    buf->len += DYN_HEAD_BYTES + (size_t)reserved * 4;
    struct open_list *top = &reader->open[reader->depth++];
    top->items = buf->len;
    top->first = reader->count;
    top->reserved = reserved;
    top->number = number;
    top->bag = bag;
    top->repeats = false;
    memset(top->seen, 0, sizeof top->seen);
    return true;
}

/* Whether two entries of a bag have the same key. */
static bool keys_repeat(const uint8_t *items, const uint32_t *ends, uint32_t count)
{
    if (count > PAIRS_MAX) return true; /* somebody else looks */
    for (uint32_t i = 1; i < count; i++) {
        const uint8_t *a = items + ends[i - 1];
        uint32_t len = rf_get_u32le(a);
        for (uint32_t j = 0; j < i; j++) {
            const uint8_t *b = items + (j == 0 ? 0 : ends[j - 1]);
            if (rf_get_u32le(b) == len && memcmp(a + 4, b + 4, len) == 0) return true;
        }
    }
    return false;
}

static inline bool end_list(struct dyn_marked *reader, struct dyn_shape *shape, struct rf_buf *buf)
{
    const struct open_list *top = &reader->open[--reader->depth];
    uint32_t count = reader->count - top->first, *ends = reader->ends + top->first;
    reader->count = top->first;
    if (RF_UNLIKELY(top->repeats) && keys_repeat(buf->ptr + top->items, ends, count)) {
        count =
            dyn_drop_repeats(buf->ptr + top->items, ends, count, false, buf->arena, &buf->failed);
        if (buf->failed) return false;
        buf->len = top->items + ends[count - 1];
    }
    size_t ends_bytes = (size_t)count * 4, items_bytes = buf->len - top->items;
    size_t head = top->items - (size_t)top->reserved * 4;
    if (RF_UNLIKELY(count != top->reserved)) {
        if (ends_bytes + items_bytes > UINT32_MAX || !room(buf, ends_bytes)) return false;
        memmove(buf->ptr + head + ends_bytes, buf->ptr + top->items, items_bytes);
        buf->len = head + ends_bytes + items_bytes;
        if (top->number < DYN_SHAPE_LISTS)
            shape->counts[top->number] = (uint8_t)RF_MIN(count, 255u);
    }
    memcpy(buf->ptr + head, ends, ends_bytes);
    rf_put_u32le(buf->ptr + head - 8, count);
    rf_put_u32le(buf->ptr + head - 4, (uint32_t)(ends_bytes + items_bytes));
    return true;
}

/* ---- values ----------------------------------------------------------------------------------------------------- */

/* Notes the end of an entry of the innermost list. */
static inline bool entry_done(struct dyn_marked *reader, const struct rf_buf *buf)
{
    size_t end = buf->len - reader->open[reader->depth - 1].items;
    if (RF_UNLIKELY(end > UINT32_MAX)) return false;
    if (RF_UNLIKELY(reader->count == reader->cap) && !grow_ends(reader)) return false;
    reader->ends[reader->count++] = (uint32_t)end;
    return true;
}

static inline const uint8_t *put_value(const struct json_marks *marks, const uint8_t *p,
                                       const uint32_t **mark, struct rf_buf *buf)
{
    if (*p == '"') return put_string(marks, p, mark, buf);
    if (rf_is_digit(*p) || *p == '-') return put_number(p, buf);
    if (*p == 't' || *p == 'f' || *p == 'n') return put_word(p, buf);
    return NULL;
}

/* Passes the ends of lists at p that each complete an entry; NULL when something else stands there than an end or a
 * comma. Stands behind the comma, or at the value's end when no list is open. */
static inline const uint8_t *pass_ends(struct dyn_marked *reader, struct dyn_shape *shape,
                                       const uint8_t *p, struct rf_buf *buf)
{
    while (reader->depth > 0) {
        if (!entry_done(reader, buf)) return NULL;
        p = pass_blanks(p);
        if (*p == ',') return pass_blanks(p + 1);
        bool bag = reader->open[reader->depth - 1].bag;
        if (RF_UNLIKELY(*p != (bag ? '}' : ']')) || !end_list(reader, shape, buf)) return NULL;
        p++;
    }
    return p;
}

static const uint8_t *read_value(struct dyn_marked *reader, const struct json_marks *marks,
                                 const uint8_t *p, const uint32_t **mark, struct dyn_shape *shape,
                                 struct rf_buf *buf)
{
    do {
        struct open_list *top = reader->depth == 0 ? NULL : &reader->open[reader->depth - 1];
        if (top != NULL && top->bag) {
            p = put_key(top, marks, p, mark, buf);
            if (RF_UNLIKELY(p == NULL)) return NULL;
            p = pass_blanks(p);
        }
        if (*p == '{' || *p == '[') {
            bool bag = *p == '{';
            if (!begin_list(reader, shape, bag, buf)) return NULL;
            p = pass_blanks(p + 1);
            if (*p != (bag ? '}' : ']')) continue;
            if (!end_list(reader, shape, buf)) return NULL;
            p++;
        } else {
            p = put_value(marks, p, mark, buf);
            if (RF_UNLIKELY(p == NULL)) return NULL;
        }
        p = pass_ends(reader, shape, p, buf);
        if (RF_UNLIKELY(p == NULL)) return NULL;
    } while (reader->depth > 0);
    return p;
}

const uint8_t *dyn_read_marked(struct dyn_marked *reader, const struct json_marks *marks,
                               const uint8_t *at, const uint32_t **mark, struct dyn_shape *shape,
                               struct rf_buf *buf)
{
    const uint32_t *m = *mark;
    size_t start = buf->len;
    reader->count = reader->depth = reader->lists = 0;
    const uint8_t *end = read_value(reader, marks, at, &m, shape, buf);
    if (end == NULL)
        buf->len = start;
    else
        *mark = m;
    return end;
}
