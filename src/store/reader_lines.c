#include "store/reader_lines.h"

#include "base/json.h"
#include "store/reader_int.h"

enum {
    READABLE_BYTES = 64,
    TAIL_BYTES = JSON_MARKS_BYTES + READABLE_BYTES,
    UNESCAPED_BYTES = JSON_MARKS_BYTES + READABLE_BYTES, /* at least */
    UNESCAPED_BEYOND = 16 /* bytes that may be written behind a text */
};

bool line_window_init(struct line_window *window, struct scan_json *json, struct rf_arena *arena)
{
    window->marks.items = rf_arena_raw(arena, uint32_t, JSON_MARKS_ROOM);
    window->copy = rf_arena_alloc(arena, TAIL_BYTES + 1 + READABLE_BYTES);
    window->unescaped = rf_arena_alloc(arena, UNESCAPED_BYTES);
    json->utf8_later = true;
    if (window->marks.items == NULL || window->copy == NULL || window->unescaped == NULL)
        return false;
    window->nested = dyn_marked_new(arena);
    return window->nested != NULL;
}

void line_window_feed(struct line_window *window, const struct scan_json *json)
{
    window->from = window->to = json->at;
    window->tail = NULL;
}

/* Where too few bytes follow the lines they are copied. That happens at the end of a piece only, and once: rows that were read
 * are views of the copy. */
static uint8_t *copy_tail(struct line_window *window, const uint8_t *at, size_t left)
{
    if (window->tail == NULL) {
        memcpy(window->copy, at, left);
        memset(window->copy + left, 0, 1 + READABLE_BYTES);
        window->tail = at;
    }
    return window->copy + (at - window->tail);
}

bool line_window_next(struct line_window *window, const struct scan_json *json)
{
    const uint8_t *at = json->at, *end = json->end;
    size_t left = (size_t)(end - at);
    if (left == 0) return false;
    if (left <= TAIL_BYTES) {
        const uint8_t *from = copy_tail(window, at, left);
        json_marks_find(&window->marks, from, from + left);
    } else {
        json_marks_find(&window->marks, at, end);
    }
    window->from = at;
    window->to = at + (window->marks.end - window->marks.base);
    window->mark = window->marks.items;
    return window->to > window->from;
}

bool line_window_cut(struct line_window *window, const struct scan_json *json, bool own)
{
    const uint8_t *at = json->at;
    size_t left = (size_t)(json->end - at);
    window->from = window->to = at;
    if (left == 0 || (left > TAIL_BYTES && !own)) return false;
    uint8_t *from = (uint8_t *)(uintptr_t)at;
    if (left <= TAIL_BYTES) {
        from = copy_tail(window, at, left);
        left++; /* behind the text there is room for a line end */
    }
    size_t bytes = RF_MIN(left, (size_t)JSON_MARKS_BYTES);
    window->last = from + bytes - 1;
    window->saved = *window->last;
    line_window_close(window);
    json_marks_cut(&window->marks, from, from + bytes);
    line_window_open(window);
    window->to = at + (window->marks.end - window->marks.base);
    window->mark = window->marks.items;
    return window->to > at;
}

uint32_t line_find_key(struct scan_keys *keys, struct line *line, uint32_t before)
{
    const struct json_marks *marks = line->marks;
    const uint8_t *p = line->at;
    if (*p != '"' || marks->base + line->mark[0] != p) return 0;
    const uint8_t *end = marks->base + line->mark[1];
    if (*end != '"') return 0;
    uint32_t key = scan_keys_find(keys, rf_str_make(p + 1, (size_t)(end - p) - 1), false);
    if (key != 0) keys->items[before].next = key;
    line->at = end + 1;
    line->mark += 2;
    return key;
}

static enum line_step line_token(struct line *line, struct scan_token *token, const uint8_t *end)
{
    if (end == NULL) return LINE_OTHER;
    token->text = rf_str_make(line->at, (size_t)(end - line->at));
    line->at = end;
    return LINE_DONE;
}

enum line_step line_number(struct line *line, struct scan_token *token)
{
    struct scan_json text = {.end = line->marks->end};
    return line_token(line, token, scan_number(&text, line->at, token));
}

enum line_step line_word(struct line *line, struct scan_token *token)
{
    struct scan_json text = {.end = line->marks->end};
    return line_token(line, token, scan_word(&text, line->at, token));
}

/* ---- fields ------------------------------------------------------------------------------------------------- */

/* A string whose escapes are resolved. Those of a column with a dictionary are looked up before they are kept, if they are. */
static enum line_step resolve(struct reader *reader, struct line *line, bool keep, rf_str *text)
{
    const uint32_t *mark = line->mark;
    const uint8_t *end = json_marked_string(line->marks, &line->mark);
    if (RF_UNLIKELY(end == NULL)) return LINE_OTHER;
    rf_str raw = rf_str_make(line->at + 1, (size_t)(end - line->at) - 1);
    struct line_window *window = &reader->lines;
    size_t room = raw.len + UNESCAPED_BEYOND;
    keep = keep || room > UNESCAPED_BYTES - window->unescaped_bytes;
    uint8_t *out =
        keep ? rf_arena_alloc(&reader->batch, room) : window->unescaped + window->unescaped_bytes;
    if (RF_UNLIKELY(out == NULL)) return LINE_NO_MEMORY;
    *text = rf_str_make(out, json_marked_unescape(line->marks, mark, raw, out));
    if (!keep) window->unescaped_bytes += text->len;
    line->at = end + 1;
    return LINE_DONE;
}

static enum line_step put_token(struct reader *reader, struct sink *sink,
                                const struct scan_token *token)
{
    return sink_put_json(reader, sink, token) ? LINE_DONE : LINE_NO_MEMORY;
}

static enum line_step put_escaped(struct reader *reader, struct sink *sink, struct line *line)
{
    rf_str text;
    const uint8_t *from = line->at;
    if (sink == NULL || sink->type != TYPE_STRING) {
        const uint8_t *end = json_marked_string(line->marks, &line->mark);
        if (end == NULL) return LINE_OTHER;
        line->at = end + 1;
        if (sink == NULL) return LINE_DONE;
        struct scan_token token = {.kind = SCAN_ESCAPED};
        token.text = rf_str_make(from + 1, (size_t)(end - from) - 1);
        return put_token(reader, sink, &token);
    }
    enum line_step step = resolve(reader, line, !sink->by_code, &text);
    if (RF_UNLIKELY(step != LINE_DONE)) return step;
    sink_put_string(sink, reader->row_count, text);
    return LINE_DONE;
}

static inline enum line_step put_string(struct reader *reader, struct sink *sink, struct line *line)
{
    const uint8_t *p = line->at;
    const struct json_marks *marks = line->marks;
    if (RF_UNLIKELY(marks->base + line->mark[0] != p)) return LINE_OTHER;
    const uint8_t *end = marks->base + line->mark[1];
    if (RF_UNLIKELY(*end != '"')) return put_escaped(reader, sink, line);
    line->at = end + 1;
    line->mark += 2;
    if (RF_UNLIKELY(sink == NULL)) return LINE_DONE;
    rf_str text = rf_str_make(p + 1, (size_t)(end - p) - 1);
    bool fine = true;
    if (sink->type == TYPE_STRING) {
        sink_put_string(sink, reader->row_count, text);
    } else if (sink->type == TYPE_DATETIME) {
        fine = sink_put_datetime(reader, sink, text);
    } else {
        struct scan_token token = {.text = text, .kind = SCAN_STRING};
        fine = sink_put_json(reader, sink, &token);
    }
    return RF_LIKELY(fine) ? LINE_DONE : LINE_NO_MEMORY;
}

static enum line_step put_any_number(struct reader *reader, struct sink *sink, struct line *line)
{
    struct scan_token token;
    enum line_step step = line_number(line, &token);
    return step != LINE_DONE || sink == NULL ? step : put_token(reader, sink, &token);
}

/* Short numbers into columns of numbers. */
static inline enum line_step put_number(struct reader *reader, struct sink *sink, struct line *line)
{
    const uint8_t *p = line->at;
    bool negative = *p == '-';
    p += negative;
    uint32_t count, decimals;
    uint64_t whole = digits_read(p, &count);
    if (RF_UNLIKELY(sink == NULL || count == 0 || count > 15 || (*p == '0' && count > 1)))
        return put_any_number(reader, sink, line);
    p += count;
    int64_t value = negative ? -(int64_t)whole : (int64_t)whole;
    double real;
    if (*p != '.') {
        if (RF_UNLIKELY((*p | 0x20) == 'e')) return put_any_number(reader, sink, line);
        if (sink->type == TYPE_LONG) {
            sink_put_i64(sink, reader->row_count, value);
            line->at = p;
            return LINE_DONE;
        }
        real = (double)value;
    } else {
        uint64_t fraction = digits_read(p + 1, &decimals);
        p += 1 + decimals;
        if (decimals == 0 || count + decimals > 15 || (*p | 0x20) == 'e')
            return put_any_number(reader, sink, line);
        /* Both are exact as doubles, so one division rounds correctly. */
        real = (double)(whole * digits_pow10[decimals] + fraction) / digits_pow10_real[decimals];
        if (negative) real = -real;
    }
    if (sink->type != TYPE_REAL) return put_any_number(reader, sink, line);
    sink_reach(sink, reader->row_count);
    ((double *)(void *)sink->data)[reader->row_count] = real;
    sink->nulls[reader->row_count] = 0;
    line->at = p;
    return LINE_DONE;
}

static enum line_step put_word(struct reader *reader, struct sink *sink, struct line *line)
{
    struct scan_token token;
    enum line_step step = line_word(line, &token);
    if (step != LINE_DONE || sink == NULL) return step;
    if (RF_LIKELY(sink->type == TYPE_BOOL && token.kind != SCAN_NULL)) {
        sink_reach(sink, reader->row_count);
        sink->data[reader->row_count] = token.kind == SCAN_TRUE;
        sink->nulls[reader->row_count] = 0;
        return LINE_DONE;
    }
    return put_token(reader, sink, &token);
}

/* ---- arrays and objects ---------------------------------------------------------------------------------------- */

/* Whether the text of an entry stands at line->at: such a text ends where its first bracket does, so no more than its bytes
 * need be seen. Passes it. */
static inline bool take_known(struct sink_dict *dict, uint32_t code, struct line *line)
{
    rf_str known = dict->keys[code];
    if (known.len < 2 || known.len > (size_t)(line->marks->end - line->at)) return false;
    if (!sink_same(known.ptr, line->at, known.len)) return false;
    line->at += known.len;
    line->mark += dict->marks[code];
    /* When it was not known. Behind the window's last mark there may be anything. */
    const uint32_t *end = line->marks->items + line->marks->count;
    while (line->mark < end && line->marks->base + *line->mark < line->at) line->mark++;
    dict->last = code;
    return true;
}

/* Values whose beginnings agree are often the same value. */
static inline uint32_t guess_slot(const uint8_t *p)
{
    uint64_t mixed = (rf_get_u64le(p + 8) ^ rf_get_u64le(p + 16) << 1 ^ rf_get_u64le(p + 24) << 2) *
                     UINT64_C(0x9e3779b97f4a7c15);
    return (uint32_t)(mixed >> 56);
}
_Static_assert(SINK_GUESSES == 256, "guess_slot gives eight bits");

static enum line_step put_list(struct reader *reader, struct sink *sink, struct line *line)
{
    const uint8_t *from = line->at;
    const uint32_t *mark = line->mark;
    bool dynamic = sink != NULL && sink->type == TYPE_DYNAMIC;
    struct sink_dict *dict = dynamic && sink->by_code ? sink->dict : NULL;
    uint32_t slot = guess_slot(from);
    if (dict != NULL &&
        (take_known(dict, dict->last, line) || take_known(dict, dict->guesses[slot], line))) {
        dict->guesses[slot] = dict->last;
        sink_put_code(sink, reader->row_count, dict->last);
        return LINE_DONE;
    }
    struct dyn_shape none = {{0}};
    struct rf_buf *buf = &reader->encode;
    buf->len = 0;
    line->at = dyn_read_marked(reader->lines.nested, line->marks, from, &line->mark,
                               sink == NULL ? &none : &sink->shape, buf);
    if (RF_UNLIKELY(line->at == NULL)) return buf->failed ? LINE_NO_MEMORY : LINE_OTHER;
    if (sink == NULL) return LINE_DONE;
    rf_str raw = rf_str_make(from, (size_t)(line->at - from));
    if (!dynamic) {
        struct scan_token token = {.text = raw, .kind = *from == '{' ? SCAN_OBJECT : SCAN_ARRAY};
        return put_token(reader, sink, &token);
    }
    if (!sink_put_encoded(reader, sink, raw, dyn_done(buf))) return LINE_NO_MEMORY;
    if (dict != NULL && dict == sink->dict) {
        dict->guesses[slot] = dict->last;
        dict->marks[dict->last] = (uint32_t)(line->mark - mark);
    }
    return LINE_DONE;
}

/* ---- rows ------------------------------------------------------------------------------------------------------- */

static inline enum line_step put_value(void *state, uint32_t key, struct line *line)
{
    struct reader *reader = state;
    uint32_t column = reader->json.keys.items[key].column;
    struct sink *sink = column == UINT32_MAX ? NULL : &reader->sinks[column];
    uint8_t first = *line->at;
    if (first == '"') return put_string(reader, sink, line);
    if (rf_is_digit(first) || first == '-') return put_number(reader, sink, line);
    if (first == '{' || first == '[') return put_list(reader, sink, line);
    return put_word(reader, sink, line);
}

enum line_step reader_line(struct reader *reader)
{
    return line_read(&reader->lines, &reader->json, true, put_value, reader);
}

enum line_step reader_object(struct reader *reader)
{
    enum {
        FEW_BYTES = JSON_MARKS_BYTES / 4 /* of a window that are left: a row may be longer */
    };
    struct line_window *window = &reader->lines;
    const struct scan_json *json = &reader->json;
    for (bool found = false;; found = true) {
        bool fits = json->at < window->to;
        if (!fits) {
            if (found || !line_window_cut(window, json, reader->options.own_text))
                return LINE_OTHER;
            continue;
        }
        line_window_close(window);
        enum line_step step = line_read(window, &reader->json, false, put_value, reader);
        line_window_open(window);
        bool whole = window->to - json->at > FEW_BYTES || json->at == window->from;
        if (RF_LIKELY(step != LINE_OTHER) || found || whole) return step;
        reader_forget_misfits(reader);
        if (!line_window_cut(window, json, reader->options.own_text)) return LINE_OTHER;
    }
}
