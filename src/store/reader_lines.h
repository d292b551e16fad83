/* reader_lines.h - the usual line of JSON, read by its marks: for the reader and for type inference.
 *
 * Whoever writes JSON lines by machine writes no blanks, or one behind commas and colons, and writes the keys of a kind
 * of event in the same order. Such a line is read here: the next key is compared with the one that followed last time, and
 * its value's end is known beforehand (base/json_marks.h), so that the processor works on several fields at a time.
 * Everything else - errors, new keys, other blanks - is left to scan_json_row, which reads the line from its start. Nothing
 * that scan_json_row rejects may pass here.
 *
 * A window's last byte is a line end and a line end is passed only behind a whole row, so that no byte needs a look at how
 * much text is left; wide loads reach at most 64 bytes behind it.
 *
 * The objects of an array are read in the same way, although no line ends stand between them: while one is read, a line end
 * stands in place of the window's last byte. A row that runs into it begins the next window. */
#ifndef RF_READER_LINES_H
#define RF_READER_LINES_H

#include "base/digits.h"
#include "base/json_marks.h"
#include "store/reader_scan.h"
#include "value/dyn_marked.h"

/* The lines that are being read. */
struct line_window {
    struct json_marks marks;
    const uint32_t *mark; /* the first one at or behind the next row */
    const uint8_t *from;  /* in the fed text; marks.base is that place or a copy of it */
    const uint8_t *to;
    uint8_t *copy;       /* of the last bytes of a piece, so that those behind them are readable */
    const uint8_t *tail; /* where these begin in the fed text; NULL: not copied yet */
    uint8_t *unescaped;  /* texts that wait for their codes */
    size_t unescaped_bytes;
    struct dyn_marked *nested; /* NULL: not initialised */
    uint8_t *last, saved;      /* of a window of no lines: its last byte, and what stands there */
};
/* False on lack of memory. `json` then leaves it to the rows to check UTF-8. */
bool line_window_init(struct line_window *window, struct scan_json *json, struct rf_arena *arena);
/* Forgets the window: another piece was fed. */
void line_window_feed(struct line_window *window, const struct scan_json *json);
/* Finds the marks of the lines that come next; false when the next line is not one that is read here. */
bool line_window_next(struct line_window *window, const struct scan_json *json);

/* Finds the marks of what comes next, lines or not; false when it is not read here. `own`: the fed text may be written to, without
 * which it is the last of it only that is read. The last byte is as it was until line_window_close. */
bool line_window_cut(struct line_window *window, const struct scan_json *json, bool own);
static inline void line_window_close(struct line_window *window) { *window->last = '\n'; }
static inline void line_window_open(struct line_window *window) { *window->last = window->saved; }

/* The bytes of a line that are being read. */
struct line {
    const struct json_marks *marks;
    const uint8_t *at;
    const uint32_t *mark; /* the first one at or behind `at` */
};
enum line_step {
    LINE_DONE,
    LINE_OTHER, /* not one that is read here: scan_json_row decides */
    LINE_NO_MEMORY
};

/* The key at line->at, which is not the one that was expected; 0: not one that is read here. */
uint32_t line_find_key(struct scan_keys *keys, struct line *line, uint32_t before);
/* Any number, by the whole grammar, and true, false and null. */
enum line_step line_number(struct line *line, struct scan_token *token);
enum line_step line_word(struct line *line, struct scan_token *token);

/* Whether the key in quotes stands at p. */
static inline bool line_is_key(const uint8_t *p, rf_str name)
{
    const uint8_t *quoted = name.ptr - 1;
    size_t len = name.len + 2;
#if defined(__SSE2__)
    if (RF_LIKELY(len <= SCAN_KEY_PADDED)) {
        const __m128i *a = (const __m128i *)(const void *)p,
                      *b = (const __m128i *)(const void *)quoted;
        __m128i low = _mm_cmpeq_epi8(_mm_loadu_si128(a), _mm_loadu_si128(b));
        __m128i high = _mm_cmpeq_epi8(_mm_loadu_si128(a + 1), _mm_loadu_si128(b + 1));
        uint64_t same = (uint32_t)_mm_movemask_epi8(low) | (uint64_t)_mm_movemask_epi8(high) << 16;
        return (~same & ((UINT64_C(1) << len) - 1)) == 0;
    }
#endif
    /* Both begin with a quote, and the key holds none: a difference shows before the line's end. */
    for (size_t i = 0; i < len; i++)
        if (p[i] != quoted[i]) return false;
    return true;
}

static inline const uint8_t *line_blank(const uint8_t *p) { return p + (*p == ' '); }

/* Reads the row at json->at, calling value(state, key number, line) where a value begins, which takes it. What a row that is not
 * done has shown comes again. Without `lines` the window is the caller's matter, and what follows the object is not looked at. */
__attribute__((always_inline)) static inline enum line_step
line_read(struct line_window *window, struct scan_json *json, bool lines,
          enum line_step (*value)(void *state, uint32_t key, struct line *line), void *state)
{
    if (lines && RF_UNLIKELY(json->at >= window->to) && !line_window_next(window, json))
        return LINE_OTHER;
    struct line line = {.marks = &window->marks, .mark = window->mark};
    const uint8_t *start = line.at = window->marks.base + (json->at - window->from);
    /* After a row that was read by others the marks stand before it. */
    const uint32_t *marks_end = window->marks.items + window->marks.count;
    while (line.mark < marks_end && window->marks.base + *line.mark < start) line.mark++;
    window->mark = line.mark;

    struct scan_keys *keys = &json->keys;
    uint32_t key = 0;
    if (*line.at != '{') return LINE_OTHER;
    do {
        const uint8_t *p = line.at = line_blank(line.at + 1);
        uint32_t before = key;
        key = keys->items[before].next;
        if (RF_LIKELY(key != 0 && line_is_key(p, keys->items[key].name))) {
            line.at = p + keys->items[key].name.len + 2;
            line.mark += 2;
        } else {
            key = line_find_key(keys, &line, before);
            if (key == 0) return LINE_OTHER;
        }
        if (RF_UNLIKELY(*line.at != ':')) return LINE_OTHER;
        line.at = line_blank(line.at + 1);
        enum line_step step = value(state, key, &line);
        if (RF_UNLIKELY(step != LINE_DONE)) return step;
    } while (*line.at == ',');
    if (RF_UNLIKELY(*line.at != '}')) return LINE_OTHER;
    line.at++;
    if (lines) line.at += *line.at == '\r';
    if (lines && RF_UNLIKELY(*line.at != '\n')) return LINE_OTHER;
    rf_str row = rf_str_make(start, (size_t)(line.at - start));
    if (RF_UNLIKELY(!window->marks.utf8) && !rf_utf8_valid(row)) return LINE_OTHER;
    json->at += row.len + lines;
    window->mark = line.mark;
    return LINE_DONE;
}

#endif
