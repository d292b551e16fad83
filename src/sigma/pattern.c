#include "sigma/pattern.h"

enum { KIND_ANY, KIND_WHOLE, KIND_STARTS, KIND_ENDS, KIND_CONTAINS, KIND_SEGMENTS, KIND_REGEX };

/* What stands between two `*`. */
struct pattern_segment {
    const struct sigma_piece *pieces;
    uint32_t count;
    bool has_finder; /* the first piece is a text, which `finder` finds */
    struct term_finder finder;
};

/* ---- reading ------------------------------------------------------------------------------------------------------ */

struct reader {
    struct rf_arena *arena;
    struct sigma_pattern *out;
    uint32_t cap;
    struct rf_buf text;
};

static bool add_piece(struct reader *r, enum sigma_piece_kind kind, rf_str text)
{
    struct sigma_pattern *p = r->out;
    if (kind == SIGMA_MANY && p->count > 0 && p->pieces[p->count - 1].kind == SIGMA_MANY)
        return true;
    if (p->count == r->cap) {
        uint32_t cap = r->cap == 0 ? 4 : r->cap * 2;
        struct sigma_piece *grown =
            rf_arena_grow(r->arena, p->pieces, r->cap * sizeof *grown, cap * sizeof *grown);
        if (grown == NULL) return false;
        p->pieces = grown;
        r->cap = cap;
    }
    p->pieces[p->count++] = (struct sigma_piece){.kind = kind, .text = text};
    return true;
}

static bool end_text(struct reader *r)
{
    if (r->text.failed) return false;
    if (r->text.len == 0) return true;
    rf_str text = rf_buf_view(&r->text);
    r->text = rf_buf_in(r->arena);
    return add_piece(r, SIGMA_TEXT, text);
}

enum rf_kind pattern_parse(rf_str text, struct rf_arena *arena, struct sigma_pattern *out,
                           struct rf_err *err)
{
    struct sigma_pattern pattern = {0};
    struct reader r = {.arena = arena, .out = &pattern, .text = rf_buf_in(arena)};
    if (text.len > SIGMA_PATTERN_BYTES_MAX)
        return RF_FAIL(err, RF_LIMIT, "PatternTooLong",
                       "the value has %zu bytes, more than %d; shorten it", text.len,
                       SIGMA_PATTERN_BYTES_MAX);
    bool fine = true;
    for (size_t i = 0; i < text.len && fine; i++) {
        uint8_t c = text.ptr[i], next = i + 1 < text.len ? text.ptr[i + 1] : 0;
        if (c == '\\' && (next == '*' || next == '?' || next == '\\')) {
            rf_buf_byte(&r.text, next);
            i++;
        } else if (c == '*' || c == '?') {
            fine =
                end_text(&r) && add_piece(&r, c == '*' ? SIGMA_MANY : SIGMA_ONE, (rf_str){NULL, 0});
        } else {
            rf_buf_byte(&r.text, c);
        }
    }
    if (!fine || !end_text(&r)) return rf_fail_memory(err, arena);
    *out = pattern;
    return RF_OK;
}

bool pattern_plain(rf_str text, struct rf_arena *arena, struct sigma_pattern *out)
{
    struct sigma_pattern pattern = {0};
    struct reader r = {.arena = arena, .out = &pattern};
    if (text.len > 0 && !add_piece(&r, SIGMA_TEXT, text)) return false;
    *out = pattern;
    return true;
}

bool pattern_widen(struct sigma_pattern *pattern, bool front, bool behind, struct rf_arena *arena)
{
    struct sigma_pattern wide = {.cased = pattern->cased};
    struct reader r = {.arena = arena, .out = &wide};
    bool fine = !front || add_piece(&r, SIGMA_MANY, (rf_str){NULL, 0});
    for (uint32_t i = 0; i < pattern->count && fine; i++)
        fine = add_piece(&r, pattern->pieces[i].kind, pattern->pieces[i].text);
    fine = fine && (!behind || add_piece(&r, SIGMA_MANY, (rf_str){NULL, 0}));
    if (fine) *pattern = wide;
    return fine;
}

/* ---- windash ------------------------------------------------------------------------------------------------------ */

/* Bytes of the dash at the start of `s`; 0 when it is none. */
static size_t dash_bytes(rf_str s)
{
    if (s.len > 0 && (s.ptr[0] == '-' || s.ptr[0] == '/')) return 1;
    bool wide =
        s.len >= 3 && s.ptr[0] == 0xe2 && s.ptr[1] == 0x80 && s.ptr[2] >= 0x93 && s.ptr[2] <= 0x95;
    return wide ? 3 : 0;
}

static bool is_word(uint8_t c) { return rf_is_alnum(c) || c == '_' || c >= 0x80; }

/* A dash begins a word when no word's character stands before it and one stands behind. */
static bool begins_word(rf_str text, size_t at, size_t bytes)
{
    bool dash_before = at >= 3 && dash_bytes(rf_slice(text, at - 3, text.len)) == 3;
    if (at > 0 && is_word(text.ptr[at - 1]) && !dash_before) return false;
    size_t after = at + bytes;
    return after < text.len && is_word(text.ptr[after]) &&
           dash_bytes(rf_slice(text, after, text.len)) == 0;
}

static bool split_dashes(struct reader *r, rf_str text)
{
    size_t from = 0;
    for (size_t at = 0; at < text.len;) {
        size_t bytes = dash_bytes(rf_slice(text, at, text.len));
        if (bytes > 0 && begins_word(text, at, bytes)) {
            if (at > from && !add_piece(r, SIGMA_TEXT, rf_slice(text, from, at))) return false;
            if (!add_piece(r, SIGMA_DASH, (rf_str){NULL, 0})) return false;
            from = at + bytes;
        }
        at += RF_MAX(bytes, (size_t)1);
    }
    return from == text.len || add_piece(r, SIGMA_TEXT, rf_slice(text, from, text.len));
}

bool pattern_windash(struct sigma_pattern *pattern, struct rf_arena *arena)
{
    struct sigma_pattern split = {.cased = pattern->cased};
    struct reader r = {.arena = arena, .out = &split};
    for (uint32_t i = 0; i < pattern->count; i++) {
        const struct sigma_piece *piece = &pattern->pieces[i];
        bool fine = piece->kind == SIGMA_TEXT ? split_dashes(&r, piece->text)
                                              : add_piece(&r, piece->kind, piece->text);
        if (!fine) return false;
    }
    *pattern = split;
    return true;
}

/* ---- looking at a pattern ------------------------------------------------------------------------------------------ */

bool pattern_is_plain(const struct sigma_pattern *pattern, rf_str *out)
{
    if (pattern->count > 1 || (pattern->count == 1 && pattern->pieces[0].kind != SIGMA_TEXT))
        return false;
    *out = pattern->count == 0 ? (rf_str){NULL, 0} : pattern->pieces[0].text;
    return true;
}

bool pattern_is_simple(const struct sigma_pattern *pattern, rf_str *text, enum sigma_anchor *anchor)
{
    static const enum sigma_anchor anchors[2][2] = {{SIGMA_WHOLE, SIGMA_STARTS},
                                                    {SIGMA_ENDS, SIGMA_CONTAINS}};
    uint32_t from = 0, to = pattern->count;
    bool front = to > 0 && pattern->pieces[0].kind == SIGMA_MANY;
    from += front;
    bool behind = to > from && pattern->pieces[to - 1].kind == SIGMA_MANY;
    to -= behind;
    if (to - from > 1 || (to - from == 1 && pattern->pieces[from].kind != SIGMA_TEXT)) return false;
    *text = to == from ? (rf_str){NULL, 0} : pattern->pieces[from].text;
    *anchor = anchors[front][behind];
    if (front && to == from) *anchor = SIGMA_CONTAINS; /* `*` alone */
    return true;
}

void regex_put_quoted(struct rf_buf *buf, rf_str text)
{
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.ptr[i];
        if (c < 0x20 || c == 0x7f) {
            rf_buf_printf(buf, "\\x%02x", c);
            continue;
        }
        if (c < 0x80 && strchr("\\.+*?()|[]{}^$#&-~", c) != NULL) rf_buf_byte(buf, '\\');
        rf_buf_byte(buf, c);
    }
}

void pattern_put_regex(struct rf_buf *buf, const struct sigma_pattern *pattern)
{
    for (uint32_t i = 0; i < pattern->count; i++) {
        switch (pattern->pieces[i].kind) {
        case SIGMA_TEXT:
            regex_put_quoted(buf, pattern->pieces[i].text);
            break;
        case SIGMA_ONE:
            rf_buf_byte(buf, '.');
            break;
        case SIGMA_MANY:
            rf_buf_str(buf, RF_S(".*"));
            break;
        case SIGMA_DASH:
            rf_buf_str(buf, RF_S("[-/\\x{2013}\\x{2014}\\x{2015}]"));
            break;
        }
    }
}

/* ---- making it ready ------------------------------------------------------------------------------------------------ */

static bool is_ascii(const struct sigma_pattern *pattern)
{
    for (uint32_t i = 0; i < pattern->count; i++)
        for (size_t k = 0; k < pattern->pieces[i].text.len; k++)
            if (pattern->pieces[i].text.ptr[k] >= 0x80) return false;
    return true;
}

static bool compile_segments(const struct sigma_pattern *pattern, struct rf_arena *arena,
                             struct pattern_matcher *m)
{
    m->segments = rf_arena_new(arena, struct pattern_segment, pattern->count);
    if (m->segments == NULL) return false;
    for (uint32_t i = 0; i < pattern->count;) {
        if (pattern->pieces[i].kind == SIGMA_MANY) {
            i++;
            continue;
        }
        struct pattern_segment *s = &m->segments[m->segment_count++];
        s->pieces = &pattern->pieces[i];
        while (i < pattern->count && pattern->pieces[i].kind != SIGMA_MANY) i++;
        s->count = (uint32_t)(&pattern->pieces[i] - s->pieces);
        s->has_finder = s->pieces[0].kind == SIGMA_TEXT;
        if (s->has_finder &&
            !term_finder_init(&s->finder, s->pieces[0].text, !pattern->cased, arena))
            return false;
    }
    m->from_start = pattern->pieces[0].kind != SIGMA_MANY;
    m->to_end = pattern->pieces[pattern->count - 1].kind != SIGMA_MANY;
    m->kind = KIND_SEGMENTS;
    return true;
}

/* False when the pattern is none for an expression: its texts are no UTF-8 (modifier wide), or it is too large. */
static bool compile_regex(const struct sigma_pattern *pattern, struct rf_arena *arena,
                          struct pattern_matcher *m)
{
    struct rf_buf buf = rf_buf_in(arena);
    pattern_put_regex(&buf, pattern);
    m->kind = KIND_REGEX;
    return !buf.failed &&
           regex_compile(rf_buf_view(&buf),
                         REGEX_NOCASE | REGEX_DOT_ALL | REGEX_ANCHOR_START | REGEX_ANCHOR_END,
                         arena, &m->re, NULL) == RF_OK;
}

enum rf_kind pattern_compile(const struct sigma_pattern *pattern, struct rf_arena *arena,
                             struct pattern_matcher *out, struct rf_err *err)
{
    static const uint8_t kinds[] = {[SIGMA_WHOLE] = KIND_WHOLE,
                                    [SIGMA_STARTS] = KIND_STARTS,
                                    [SIGMA_ENDS] = KIND_ENDS,
                                    [SIGMA_CONTAINS] = KIND_CONTAINS};
    struct pattern_matcher m = {.cased = pattern->cased};
    rf_str text;
    enum sigma_anchor anchor;
    if (pattern_is_simple(pattern, &text, &anchor)) {
        m.kind = text.len == 0 && anchor != SIGMA_WHOLE ? KIND_ANY : kinds[anchor];
        if (!term_finder_init(&m.finder, text, !pattern->cased, arena))
            return rf_fail_memory(err, arena);
    } else if (pattern->cased || is_ascii(pattern) || !compile_regex(pattern, arena, &m)) {
        m.re = NULL;
        if (!compile_segments(pattern, arena, &m)) return rf_fail_memory(err, arena);
    }
    *out = m;
    return RF_OK;
}

/* ---- matching -------------------------------------------------------------------------------------------------------- */

static bool same_text(rf_str a, const uint8_t *b, bool cased)
{
    if (cased) return memcmp(a.ptr, b, a.len) == 0;
    for (size_t i = 0; i < a.len; i++)
        if (rf_lower(a.ptr[i]) != rf_lower(b[i])) return false;
    return true;
}

/* True when the segment stands at `at`; *end is behind it. */
static bool segment_at(const struct pattern_segment *s, bool cased, rf_str value, size_t at,
                       size_t *end)
{
    for (uint32_t i = 0; i < s->count; i++) {
        const struct sigma_piece *piece = &s->pieces[i];
        size_t left = value.len - at, bytes = 0;
        if (piece->kind == SIGMA_TEXT) {
            bytes = piece->text.len;
            if (left < bytes || !same_text(piece->text, value.ptr + at, cased)) return false;
        } else if (left == 0) {
            return false;
        } else if (piece->kind == SIGMA_DASH) {
            bytes = dash_bytes(rf_slice(value, at, value.len));
            if (bytes == 0) return false;
        } else {
            size_t next = at;
            (void)rf_utf8_next(value, &next);
            bytes = next - at;
        }
        at += bytes;
    }
    *end = at;
    return true;
}

/* Bytes of the last character before `to` (> 0). */
static size_t character_before(rf_str value, size_t to)
{
    for (size_t bytes = 1; bytes <= 4 && bytes <= to; bytes++) {
        if ((value.ptr[to - bytes] & 0xc0) == 0x80) continue;
        size_t at = to - bytes;
        (void)rf_utf8_next(rf_slice(value, 0, to), &at);
        return at == to ? bytes : 1;
    }
    return 1;
}

/* True when the segment ends at the value's end; *start is where it begins. */
static bool segment_before_end(const struct pattern_segment *s, bool cased, rf_str value,
                               size_t *start)
{
    size_t at = value.len;
    for (uint32_t i = s->count; i-- > 0;) {
        const struct sigma_piece *piece = &s->pieces[i];
        if (piece->kind == SIGMA_TEXT) {
            size_t len = piece->text.len;
            if (at < len || !same_text(piece->text, value.ptr + at - len, cased)) return false;
            at -= len;
        } else if (at == 0) {
            return false;
        } else if (piece->kind == SIGMA_DASH) {
            size_t bytes = dash_bytes(rf_slice(value, at - 1, at));
            if (bytes == 0 && at >= 3) bytes = dash_bytes(rf_slice(value, at - 3, at));
            if (bytes == 0) return false;
            at -= bytes;
        } else {
            at -= character_before(value, at);
        }
    }
    *start = at;
    return true;
}

/* The first place at or after *at where the segment stands; *at moves behind it. */
static bool segment_find(const struct pattern_segment *s, bool cased, rf_str value, size_t *at)
{
    for (size_t from = *at; from <= value.len; from++) {
        if (s->has_finder) {
            from = term_finder_next(&s->finder, value, from, NULL);
            if (from == SIZE_MAX) return false;
        } else if (from < value.len && (value.ptr[from] & 0xc0) == 0x80) {
            continue; /* not within a character */
        }
        if (segment_at(s, cased, value, from, at)) return true;
    }
    return false;
}

static bool segments_match(const struct pattern_matcher *m, rf_str value)
{
    uint32_t first = 0, last = m->segment_count;
    size_t at = 0, tail = value.len;
    if (m->from_start) {
        if (!segment_at(&m->segments[0], m->cased, value, 0, &at)) return false;
        if (m->segment_count == 1 && m->to_end) return at == value.len;
        first = 1;
    }
    if (m->to_end && last > first) {
        last--;
        if (!segment_before_end(&m->segments[last], m->cased, value, &tail)) return false;
    }
    for (uint32_t i = first; i < last; i++)
        if (!segment_find(&m->segments[i], m->cased, value, &at)) return false;
    return at <= tail;
}

bool pattern_matches(const struct pattern_matcher *m, struct regex_scratch *scratch, rf_str value)
{
    switch (m->kind) {
    case KIND_ANY:
        return true;
    case KIND_WHOLE:
        return term_finder_equals(&m->finder, value);
    case KIND_STARTS:
        return term_finder_starts(&m->finder, value);
    case KIND_ENDS:
        return term_finder_ends(&m->finder, value);
    case KIND_CONTAINS:
        return term_finder_next(&m->finder, value, 0, NULL) != SIZE_MAX;
    case KIND_SEGMENTS:
        return segments_match(m, value);
    default:
        return regex_match(m->re, scratch, value, NULL);
    }
}
