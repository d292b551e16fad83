#include "base/json.h"
#include "value/dyn_int.h"
#include "value/text.h"

/* ---- parsing ----------------------------------------------------------------------------------
 *
 * Values go to the buffer in the order of the text. The end offsets of all open containers wait on
 * one stack; when a container ends, its elements move up to make room for its own ends. */

enum { INLINE_ENTRIES = 128, PRINTS_MAX = 512 };
_Static_assert(JSON_DEPTH_MAX <= (int)DYN_DEPTH_MAX, "what the reader lets pass can be encoded");

struct open_list {
    size_t items;   /* where its elements start in the buffer */
    uint32_t first; /* its first entry on the stack */
    bool bag;
};

struct parser {
    struct json_reader *reader;
    struct rf_buf *buf;
    struct rf_err *err;
    uint32_t *ends;   /* per entry: where its bytes end, from `items` of its container */
    uint32_t *prints; /* per entry of a bag: fingerprint of its key */
    uint32_t count, cap;
    uint32_t depth;
    struct open_list open[JSON_DEPTH_MAX];
    uint32_t inline_ends[INLINE_ENTRIES], inline_prints[INLINE_ENTRIES];
};

static inline bool room(struct rf_buf *buf, size_t bytes)
{
    return RF_LIKELY(buf->cap - buf->len >= bytes) || rf_buf_reserve(buf, bytes);
}

static bool grow_stack(struct parser *parser)
{
    uint32_t cap = parser->cap * 2;
    if (cap <= parser->cap) return false;
    uint32_t *ends = rf_arena_raw(parser->buf->arena, uint32_t, (size_t)cap * 2);
    if (ends == NULL) return false;
    memcpy(ends, parser->ends, (size_t)parser->count * sizeof *ends);
    memcpy(ends + cap, parser->prints, (size_t)parser->count * sizeof *ends);
    parser->ends = ends;
    parser->prints = ends + cap;
    parser->cap = cap;
    return true;
}

/* Pushes the entry whose value comes next. */
static inline bool push_entry(struct parser *parser, uint32_t print)
{
    if (RF_UNLIKELY(parser->count == parser->cap) && !grow_stack(parser)) return false;
    parser->prints[parser->count++] = print;
    return true;
}

/* Cheap and not safe against those who make keys to collide: a hit is looked into. */
static inline uint32_t key_print(rf_str key)
{
    uint64_t a = 0, b = 0;
    if (key.len >= 8) {
        a = rf_get_u64le(key.ptr);
        b = rf_get_u64le(key.ptr + key.len - 8);
    } else if (key.len >= 4) {
        a = rf_get_u32le(key.ptr);
        b = rf_get_u32le(key.ptr + key.len - 4);
    } else if (key.len > 0) {
        a = key.ptr[0];
        b = (uint64_t)key.ptr[key.len / 2] << 8 | key.ptr[key.len - 1];
    }
    uint64_t mixed = (a ^ (b << 29 | b >> 35) ^ key.len) * UINT64_C(0x9e3779b97f4a7c15);
    return (uint32_t)(mixed >> 32);
}

/* True when two of the fingerprints are equal, or there are too many to tell quickly. */
static bool may_repeat(const uint32_t *prints, uint32_t count)
{
    if (count > PRINTS_MAX) return true;
    uint64_t seen[PRINTS_MAX / 16] = {0}; /* 4 bits an entry: few look equal that are not */
    for (uint32_t i = 0; i < count; i++) {
        uint32_t slot = prints[i] % (PRINTS_MAX * 4);
        uint64_t bit = UINT64_C(1) << slot % 64;
        if ((seen[slot / 64] & bit) != 0) {
            for (uint32_t j = 0; j < i; j++)
                if (prints[j] == prints[i]) return true;
        }
        seen[slot / 64] |= bit;
    }
    return false;
}

enum { COPY_BYTES = 32 };

/* memcpy for texts, most of which are short: up to COPY_BYTES it copies without a look at the
 * length, which `to` has room for, as far as the bytes from `from` to `end` allow. */
static inline void copy_text(uint8_t *to, const uint8_t *from, size_t len, const uint8_t *end)
{
    if (RF_LIKELY(len <= COPY_BYTES && end - from >= COPY_BYTES)) {
        memcpy(to, from, COPY_BYTES / 2);
        if (len > COPY_BYTES / 2)
            memcpy(to + COPY_BYTES / 2, from + COPY_BYTES / 2, COPY_BYTES / 2);
    } else if (len != 0) {
        memcpy(to, from, len);
    }
}

/* Writes a string with its length before it; `tag_bytes` 1 for a value, 0 for a key. */
static inline bool put_text(struct parser *parser, const struct json_event *event, size_t tag_bytes,
                            rf_str *written)
{
    struct rf_buf *buf = parser->buf;
    size_t len = event->text.len;
    if (RF_UNLIKELY(len > UINT32_MAX) || !room(buf, len + 4 + tag_bytes + COPY_BYTES)) return false;
    uint8_t *to = buf->ptr + buf->len;
    if (tag_bytes != 0) *to++ = DYN_STRING;
    if (RF_UNLIKELY(event->escaped))
        len = json_unescape(event->text, to + 4);
    else
        copy_text(to + 4, event->text.ptr, len, parser->reader->end);
    rf_put_u32le(to, (uint32_t)len);
    buf->len += len + 4 + tag_bytes;
    *written = rf_str_make(to + 4, len);
    return true;
}

static inline bool put_key(struct parser *parser, const struct json_event *event)
{
    rf_str key;
    return put_text(parser, event, 0, &key) && push_entry(parser, key_print(key));
}

static inline bool put_scalar(struct rf_buf *buf, enum dyn_tag tag, uint64_t bits)
{
    if (!room(buf, 9)) return false;
    buf->ptr[buf->len] = (uint8_t)tag;
    rf_put_u64le(buf->ptr + buf->len + 1, bits);
    buf->len += 9;
    return true;
}

static inline uint64_t real_bits(double r)
{
    uint64_t bits;
    memcpy(&bits, &r, sizeof bits);
    return bits;
}

/* A plain number with a point and at most 15 digits, none needless at its ends, and no more than
 * three zeros after "0.": it is the shortest text of its double, and both steps below are exact. */
static bool short_real(rf_str text, double *out)
{
    static const double powers[] = {1e0, 1e1, 1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                    1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15};
    if (text.len > 17 || text.ptr[text.len - 1] == '0') return false;
    bool negative = text.ptr[0] == '-';
    uint64_t digits = 0;
    size_t point = 0;
    for (size_t i = negative; i < text.len; i++) {
        uint8_t c = text.ptr[i];
        if (c == '.')
            point = i;
        else if (rf_is_digit(c))
            digits = digits * 10 + (uint64_t)(c - '0');
        else
            return false;
    }
    size_t decimals = text.len - 1 - point;
    if (point == 0 || digits >= UINT64_C(1000000000000000) || decimals > 15) return false;
    double r = (double)digits / powers[decimals];
    if (r < 1e-3) return false;
    *out = negative ? -r : r;
    return true;
}

/* A number as text when its double would not print the same. */
static bool put_long_number(struct rf_buf *buf, rf_str text)
{
    double r;
    if (text.len > UINT32_MAX || !text_to_real(text, &r)) return false;
    if (!room(buf, text.len + 13)) return false;
    size_t start = buf->len;
    text_put_real(buf, r, true);
    if (buf->failed) return false;
    bool same = rf_str_eq(rf_slice(dyn_done(buf), start, buf->len), text);
    buf->len = start;
    if (!put_scalar(buf, same ? DYN_REAL : DYN_NUMTEXT, real_bits(r))) return false;
    if (same) return true;
    if (!room(buf, text.len + 4)) return false;
    rf_put_u32le(buf->ptr + buf->len, (uint32_t)text.len);
    memcpy(buf->ptr + buf->len + 4, text.ptr, text.len);
    buf->len += text.len + 4;
    return true;
}

bool dyn_put_number_text(struct rf_buf *buf, rf_str text, bool whole)
{
    int64_t i;
    double r;
    /* -0 has no int64. */
    if (RF_LIKELY(whole) && json_number_i64(text, &i) && (i != 0 || text.len == 1))
        return put_scalar(buf, DYN_LONG, (uint64_t)i);
    if (!whole && short_real(text, &r)) return put_scalar(buf, DYN_REAL, real_bits(r));
    return put_long_number(buf, text);
}

static inline bool put_number(struct parser *parser, const struct json_event *event)
{
    return dyn_put_number_text(parser->buf, event->text, event->whole);
}

/* Notes that a value is complete. */
static inline bool value_done(struct parser *parser)
{
    if (parser->depth == 0) return true;
    const struct open_list *top = &parser->open[parser->depth - 1];
    size_t end = parser->buf->len - top->items;
    if (RF_UNLIKELY(end > UINT32_MAX)) return false;
    if (!top->bag && !push_entry(parser, 0)) return false;
    parser->ends[parser->count - 1] = (uint32_t)end;
    return true;
}

static inline bool begin_list(struct parser *parser, bool bag)
{
    struct rf_buf *buf = parser->buf;
    if (!room(buf, DYN_HEAD_BYTES)) return false;
    buf->ptr[buf->len] = bag ? DYN_BAG : DYN_ARRAY;
    buf->len += DYN_HEAD_BYTES;
    parser->open[parser->depth++] = (struct open_list){buf->len, parser->count, bag};
    return true;
}

static inline bool end_list(struct parser *parser)
{
    struct rf_buf *buf = parser->buf;
    const struct open_list *top = &parser->open[--parser->depth];
    uint32_t count = parser->count - top->first, *ends = parser->ends + top->first;
    if (top->bag && count > 1 && RF_UNLIKELY(may_repeat(parser->prints + top->first, count))) {
        count =
            dyn_drop_repeats(buf->ptr + top->items, ends, count, false, buf->arena, &buf->failed);
        if (buf->failed) return false;
        buf->len = top->items + ends[count - 1];
    }
    size_t ends_bytes = (size_t)count * 4, items_bytes = buf->len - top->items;
    if (ends_bytes + items_bytes > UINT32_MAX || !room(buf, ends_bytes)) return false;
    uint8_t *items = buf->ptr + top->items;
    if (count != 0) {
        memmove(items + ends_bytes, items, items_bytes);
        memcpy(items, ends, ends_bytes);
    }
    rf_put_u32le(items - 8, count);
    rf_put_u32le(items - 4, (uint32_t)(ends_bytes + items_bytes));
    buf->len += ends_bytes;
    parser->count = top->first;
    return value_done(parser);
}

/* False on lack of memory or a value beyond the format's 4 GiB. */
static inline bool take_event(struct parser *parser, const struct json_event *event)
{
    struct rf_buf *buf = parser->buf;
    rf_str written;
    switch (event->kind) {
    case JSON_KEY:
        return put_key(parser, event);
    case JSON_STRING:
        return put_text(parser, event, 1, &written) && value_done(parser);
    case JSON_NUMBER:
        return put_number(parser, event) && value_done(parser);
    case JSON_OBJECT_BEGIN:
        return begin_list(parser, true);
    case JSON_ARRAY_BEGIN:
        return begin_list(parser, false);
    case JSON_OBJECT_END:
    case JSON_ARRAY_END:
        return end_list(parser);
    case JSON_TRUE:
        rf_buf_byte(buf, DYN_TRUE);
        break;
    case JSON_FALSE:
        rf_buf_byte(buf, DYN_FALSE);
        break;
    case JSON_NULL:
        rf_buf_byte(buf, DYN_NULL);
        break;
    case JSON_END:
        return true;
    }
    return !buf->failed && value_done(parser);
}

static enum rf_kind parse_value(struct parser *parser, const struct json_event *first)
{
    struct json_event event;
    if (first == NULL)
        RF_TRY(json_next(parser->reader, &event, parser->err));
    else
        event = *first;
    for (;;) {
        if (RF_UNLIKELY(!take_event(parser, &event))) {
            parser->buf->failed = true;
            return rf_fail_memory(parser->err, parser->buf->arena);
        }
        if (parser->depth == 0) return RF_OK;
        RF_TRY(json_next(parser->reader, &event, parser->err));
    }
}

enum rf_kind dyn_read_json(struct json_reader *reader, const struct json_event *first,
                           struct rf_buf *buf, struct rf_err *err)
{
    struct parser parser;
    parser.reader = reader;
    parser.buf = buf;
    parser.err = err;
    parser.ends = parser.inline_ends;
    parser.prints = parser.inline_prints;
    parser.count = 0;
    parser.cap = INLINE_ENTRIES;
    parser.depth = 0;
    size_t start = buf->len;
    enum rf_kind kind = parse_value(&parser, first);
    if (kind != RF_OK) buf->len = start;
    return kind;
}

enum rf_kind dyn_parse_json(rf_str json, struct rf_buf *buf, struct rf_err *err)
{
    struct json_reader reader;
    struct json_event event;
    json_reader_init(&reader, json);
    if (!rf_buf_reserve(buf, json.len)) return rf_fail_memory(err, buf->arena); /* rarely less */
    size_t start = buf->len;
    RF_TRY(dyn_read_json(&reader, NULL, buf, err));
    enum rf_kind kind = json_next(&reader, &event, err); /* JSON_END, else it is an error */
    if (kind != RF_OK) buf->len = start;
    return kind;
}

bool dyn_from_text(rf_str text, struct rf_buf *buf)
{
    if (text.len == 0)
        dyn_put_null(buf);
    else if (dyn_parse_json(text, buf, NULL) != RF_OK && !buf->failed)
        dyn_put_string(buf, text);
    return !buf->failed;
}

/* ---- printing -------------------------------------------------------------------------------- */

struct print_frame {
    struct dyn_list list;
    const uint32_t *order; /* of a bag whose keys are sorted, else NULL */
    uint32_t next;
    bool bag;
};

static void put_quoted(struct rf_buf *buf, void (*put)(struct rf_buf *, int64_t), int64_t ticks)
{
    rf_buf_byte(buf, '"');
    put(buf, ticks);
    rf_buf_byte(buf, '"');
}

static rf_str number_text(rf_str d) { return rf_str_make(d.ptr + 13, rf_get_u32le(d.ptr + 9)); }

/* nan and the infinities have no JSON number. */
static void put_real(struct rf_buf *buf, double r)
{
    bool finite = r - r == 0;
    if (!finite) rf_buf_byte(buf, '"');
    text_put_real(buf, r, true);
    if (!finite) rf_buf_byte(buf, '"');
}

/* A value that is neither array nor bag. */
static void put_json_scalar(struct rf_buf *buf, rf_str d)
{
    struct value v;
    switch (dyn_tag(d)) {
    case DYN_NULL:
        rf_buf_str(buf, RF_S("null"));
        break;
    case DYN_FALSE:
        rf_buf_str(buf, RF_S("false"));
        break;
    case DYN_TRUE:
        rf_buf_str(buf, RF_S("true"));
        break;
    case DYN_INT:
    case DYN_LONG:
        text_put_i64(buf, dyn_i64(d));
        break;
    case DYN_REAL:
        put_real(buf, dyn_real(d));
        break;
    case DYN_NUMTEXT:
        rf_buf_str(buf, number_text(d));
        break;
    case DYN_DATETIME:
        put_quoted(buf, text_put_datetime, dyn_i64(d));
        break;
    case DYN_TIMESPAN:
        put_quoted(buf, text_put_timespan, dyn_i64(d));
        break;
    case DYN_GUID:
        v = dyn_to_value(d);
        rf_buf_byte(buf, '"');
        text_put_guid(buf, &v.g);
        rf_buf_byte(buf, '"');
        break;
    case DYN_DECIMAL:
        v = dyn_to_value(d);
        text_put_decimal(buf, &v.d);
        break;
    case DYN_STRING:
        json_put_string(buf, dyn_string(d));
        break;
    case DYN_ARRAY:
    case DYN_BAG:
        break;
    }
}

static int order_of_keys(const void *state, uint32_t a, uint32_t b)
{
    const struct dyn_list *list = state;
    return rf_str_cmp(dyn_entry_key(dyn_list_item(list, a)), dyn_entry_key(dyn_list_item(list, b)));
}

/* The entries of a bag in the order of their keys; NULL on lack of memory, which `buf` then
 * notes. */
static const uint32_t *sorted_keys(struct rf_buf *buf, const struct dyn_list *list)
{
    uint32_t *order = rf_arena_raw(buf->arena, uint32_t, (size_t)list->count * 2);
    if (order == NULL) {
        buf->failed = true;
        return NULL;
    }
    for (uint32_t i = 0; i < list->count; i++) order[i] = i;
    dyn_sort(order, order + list->count, list->count, order_of_keys, list);
    return order;
}

/* Prints what stands before the next element and returns the element. */
static rf_str next_element(struct rf_buf *buf, struct print_frame *frame)
{
    if (frame->next > 0) rf_buf_byte(buf, ',');
    uint32_t index = frame->order != NULL ? frame->order[frame->next] : frame->next;
    frame->next++;
    rf_str item = dyn_list_item(&frame->list, index);
    if (!frame->bag) return item;
    json_put_string(buf, dyn_entry_key(item));
    rf_buf_byte(buf, ':');
    return dyn_entry_value(item);
}

static void put_json(rf_str d, struct rf_buf *buf, bool sorted)
{
    struct print_frame frames[DYN_DEPTH_MAX];
    size_t depth = 0;
    for (;;) {
        if (dyn_is_list(d) && depth < DYN_DEPTH_MAX) {
            struct print_frame *top = &frames[depth++];
            *top = (struct print_frame){.list = dyn_list_of(d), .bag = dyn_tag(d) == DYN_BAG};
            if (sorted && top->bag) top->order = sorted_keys(buf, &top->list);
            rf_buf_byte(buf, top->bag ? '{' : '[');
        } else {
            put_json_scalar(buf, d);
        }
        while (depth > 0 && frames[depth - 1].next == frames[depth - 1].list.count) {
            rf_buf_byte(buf, frames[depth - 1].bag ? '}' : ']');
            depth--;
        }
        if (depth == 0 || buf->failed) return;
        d = next_element(buf, &frames[depth - 1]);
    }
}

void dyn_put_json(rf_str d, struct rf_buf *buf) { put_json(d, buf, false); }
void dyn_put_json_sorted(rf_str d, struct rf_buf *buf) { put_json(d, buf, true); }

void dyn_put_text(rf_str d, struct rf_buf *buf)
{
    struct value v;
    switch (dyn_tag(d)) {
    case DYN_NULL:
        break;
    case DYN_STRING:
        rf_buf_str(buf, dyn_string(d));
        break;
    case DYN_REAL:
        text_put_real(buf, dyn_real(d), true);
        break;
    case DYN_DATETIME:
        text_put_datetime(buf, dyn_i64(d));
        break;
    case DYN_TIMESPAN:
        text_put_timespan(buf, dyn_i64(d));
        break;
    case DYN_GUID:
        v = dyn_to_value(d);
        text_put_guid(buf, &v.g);
        break;
    default:
        put_json(d, buf, false);
    }
}
