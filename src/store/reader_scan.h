/* reader_scan.h - the scanners under the reader and under type inference: they find rows and fields in text and
 * check the format's rules, and know nothing of columns and types.
 *
 * scan_json_row and scan_csv_row are inlined into their two users with the user's field function, so that each becomes one
 * loop without indirect calls. */
#ifndef RF_READER_SCAN_H
#define RF_READER_SCAN_H

#include "base/rf.h"

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

/* Where the fed text lies in the whole, for messages. Lines are counted only when someone asks. */
struct text_place {
    uint64_t line;          /* 1-based, of `counted` */
    uint64_t offset;        /* of `from` */
    const uint8_t *from;    /* the fed text */
    const uint8_t *counted; /* in it */
};

/* Line ends in [at, end). */
uint64_t scan_count_lines(const uint8_t *at, const uint8_t *end);

enum row_step {
    ROW_DONE, /* a row was read */
    ROW_END,  /* the text holds no further whole row */
    ROW_BAD,  /* a row was left out: see reason, fault, from */
    ROW_NO_MEMORY,
    ROW_TOO_MANY /* more keys than READER_COLUMNS_MAX; inference only */
};

/* ---- JSON --------------------------------------------------------------------------------------- */

enum scan_kind {
    SCAN_NULL,
    SCAN_FALSE,
    SCAN_TRUE,
    SCAN_WHOLE, /* a number without point and exponent; `whole` when `exact` */
    SCAN_NUMBER,
    SCAN_STRING,  /* text is what stands between the quotes */
    SCAN_ESCAPED, /* the same, and it has escapes */
    SCAN_ARRAY,   /* text is the whole value */
    SCAN_OBJECT
};
struct scan_token {
    rf_str text;
    enum scan_kind kind;
    bool exact; /* WHOLE: fits int64. NUMBER: `real` is the correctly rounded value */
    union {
        int64_t whole;
        double real;
    };
};

/* Keys seen so far. Each remembers which one followed it last: events of one kind repeat their order, so that
 * the next key is known by one comparison. Entry 0 stands for the start of a row. */
enum { SCAN_KEY_PADDED = 32 };
struct scan_key {
    /* With a quote before it, one behind it, and room for SCAN_KEY_PADDED bytes at least from the first quote on, so that
     * short ones compare in one step. */
    rf_str name;
    uint32_t hash, next;
    uint32_t column; /* UINT32_MAX: not wanted */
};
enum { SCAN_KEYS_MAX = 20000 };
struct scan_keys {
    struct rf_arena *arena;
    struct scan_key *items;
    uint32_t count, cap;
    uint32_t *slots; /* key number, 0 when free */
    uint32_t slot_count;
};
/* False on lack of memory. */
bool scan_keys_init(struct scan_keys *keys, struct rf_arena *arena);
/* The number of the key called `name`, added (column UINT32_MAX) when `add` and there is room; 0 when there is none.
 * UINT32_MAX on lack of memory. */
uint32_t scan_keys_find(struct scan_keys *keys, rf_str name, bool add);

/* Where the text stands between objects that are not one a line. */
enum scan_frame {
    SCAN_FRAME_START,
    SCAN_FRAME_STREAM, /* objects one after another */
    SCAN_FRAME_FIRST,  /* after [ */
    SCAN_FRAME_NEXT,   /* after an object of an array */
    SCAN_FRAME_OBJECT, /* after a comma */
    SCAN_FRAME_OVER,   /* after ] */
    SCAN_FRAME_LOST    /* after a bad row: nobody can tell where the next one begins */
};
struct scan_json {
    const uint8_t *at, *end;
    bool lines;      /* a row ends at a line end */
    bool last;       /* nothing follows `end` */
    bool utf8_later; /* rows are checked one by one: do not look at the text as a whole */
    bool utf8_known; /* the fed text is well-formed as a whole */
    uint8_t frame;   /* enum scan_frame, when not lines */
    struct scan_keys keys;
    struct rf_arena *scratch;    /* for keys with escapes */
    const uint8_t *from, *fault; /* of the last row */
    const char *reason;
};
void scan_json_feed(struct scan_json *text, rf_str piece, bool last);
/* After ROW_BAD: goes to the next line, or to the end when rows are not lines. */
void scan_json_recover(struct scan_json *text);

/* Parts of scan_json_row that are not worth inlining. Each returns the end of what it read, or NULL with fault and reason
 * set. */
const uint8_t *scan_nested(struct scan_json *text, const uint8_t *at);
const uint8_t *scan_number(struct scan_json *text, const uint8_t *at, struct scan_token *token);
const uint8_t *scan_escaped(struct scan_json *text, const uint8_t *at, bool *escaped);
const uint8_t *scan_word(struct scan_json *text, const uint8_t *at, struct scan_token *token);
enum row_step scan_json_row_begin(struct scan_json *text, const uint8_t **at);
uint32_t scan_key_escaped(struct scan_json *text, rf_str raw, bool add);
enum row_step scan_json_row_fault(struct scan_json *text, const uint8_t *fault, const char *reason);
bool scan_json_row_utf8(struct scan_json *text, const uint8_t *from, const uint8_t *to);
/* The first quote, backslash or control character, or `end`. */
static inline const uint8_t *scan_plain(const uint8_t *at, const uint8_t *end)
{
#if defined(__SSE2__)
    const __m128i quote = _mm_set1_epi8('"'), backslash = _mm_set1_epi8('\\'),
                  control = _mm_set1_epi8(0x1f);
    for (; end - at >= 16; at += 16) {
        __m128i x = _mm_loadu_si128((const __m128i *)(const void *)at);
        __m128i stop = _mm_or_si128(_mm_cmpeq_epi8(x, quote), _mm_cmpeq_epi8(x, backslash));
        stop = _mm_or_si128(stop, _mm_cmpeq_epi8(_mm_min_epu8(x, control), x));
        int stops = _mm_movemask_epi8(stop);
        if (stops != 0) return at + __builtin_ctz((unsigned)stops);
    }
#endif
    while (at < end && *at != '"' && *at != '\\' && *at >= 0x20) at++;
    return at;
}

static inline const uint8_t *scan_blanks(const struct scan_json *text, const uint8_t *at,
                                         bool lines)
{
    while (at < text->end && (*at == ' ' || *at == '\t' || *at == '\r' || (!lines && *at == '\n')))
        at++;
    return at;
}

/* Scans a string whose opening quote is before `at`; the result is after the closing quote. */
static inline const uint8_t *scan_string(struct scan_json *text, const uint8_t *at, bool *escaped)
{
    const uint8_t *p = scan_plain(at, text->end);
    *escaped = false;
    if (RF_LIKELY(p < text->end && *p == '"')) return p + 1;
    return scan_escaped(text, p, escaped);
}

static inline const uint8_t *scan_value(struct scan_json *text, const uint8_t *at,
                                        struct scan_token *token)
{
    if (RF_UNLIKELY(at == text->end)) {
        text->fault = at;
        text->reason = "the row ends where a value was expected";
        return NULL;
    }
    const uint8_t *to;
    switch (*at) {
    case '"': {
        bool escaped;
        to = scan_string(text, at + 1, &escaped);
        token->kind = escaped ? SCAN_ESCAPED : SCAN_STRING;
        if (to != NULL) token->text = rf_str_make(at + 1, (size_t)(to - at) - 2);
        return to;
    }
    case '{':
    case '[':
        to = scan_nested(text, at);
        token->kind = *at == '{' ? SCAN_OBJECT : SCAN_ARRAY;
        break;
    case '-':
    case '0':
    case '1':
    case '2':
    case '3':
    case '4':
    case '5':
    case '6':
    case '7':
    case '8':
    case '9':
        to = scan_number(text, at, token);
        break;
    default:
        to = scan_word(text, at, token);
    }
    if (to != NULL) token->text = rf_str_make(at, (size_t)(to - at));
    return to;
}

/* Whether the text at `at`, of which `room` bytes are there, is this name and a quote. */
static inline bool scan_is_key(const uint8_t *at, size_t room, rf_str name)
{
    if (room <= name.len || at[name.len] != '"') return false;
#if defined(__SSE2__)
    if (name.len <= 16 && room >= 16) {
        __m128i same = _mm_cmpeq_epi8(_mm_loadu_si128((const __m128i *)(const void *)at),
                                      _mm_loadu_si128((const __m128i *)(const void *)name.ptr));
        uint32_t wanted = (1u << name.len) - 1;
        return ((uint32_t)_mm_movemask_epi8(same) & wanted) == wanted;
    }
#endif
    return memcmp(at, name.ptr, name.len) == 0;
}

/* Reads one key after its opening quote; *key is its number, 0 when it is not kept. NULL as above. */
static inline const uint8_t *scan_json_key(struct scan_json *text, const uint8_t *at,
                                           uint32_t before, bool add, uint32_t *key)
{
    uint32_t guess = text->keys.items[before].next;
    rf_str expected = text->keys.items[guess].name;
    if (RF_LIKELY(guess != 0 && scan_is_key(at, (size_t)(text->end - at), expected))) {
        *key = guess;
        return at + expected.len + 1;
    }
    bool escaped;
    const uint8_t *to = scan_string(text, at, &escaped);
    if (to == NULL) return NULL;
    rf_str name = rf_str_make(at, (size_t)(to - at) - 1);
    *key = escaped ? scan_key_escaped(text, name, add) : scan_keys_find(&text->keys, name, add);
    if (*key != 0 && *key != UINT32_MAX) text->keys.items[before].next = *key;
    return to;
}

/* Reads the next row, calling field(state, key number, token) for each field. `add`: every key is kept and an
 * excess of them is ROW_TOO_MANY. A row that turns out bad may have called field before. */
__attribute__((always_inline)) static inline enum row_step
scan_json_row(struct scan_json *text, bool lines, bool add,
              bool (*field)(void *state, uint32_t key, const struct scan_token *token), void *state)
{
    const uint8_t *p;
    enum row_step step = scan_json_row_begin(text, &p);
    if (step != ROW_DONE) return step;
    p = scan_blanks(text, p + 1, lines);
    uint32_t key = 0;
    bool more = p == text->end || *p != '}';
    if (!more) p++;
    while (more) {
        if (RF_UNLIKELY(p == text->end || *p != '"'))
            return scan_json_row_fault(text, p, "expected a key in quotes");
        uint32_t before = key;
        p = scan_json_key(text, p + 1, before, true, &key);
        if (RF_UNLIKELY(p == NULL)) return scan_json_row_fault(text, text->fault, text->reason);
        if (RF_UNLIKELY(key == UINT32_MAX)) return ROW_NO_MEMORY;
        if (RF_UNLIKELY(p == text->end || *p != ':')) {
            p = scan_blanks(text, p, lines);
            if (p == text->end || *p != ':')
                return scan_json_row_fault(text, p, "expected ':' after a key");
        }
        p = scan_blanks(text, p + 1, lines);
        struct scan_token token;
        p = scan_value(text, p, &token);
        if (RF_UNLIKELY(p == NULL)) return scan_json_row_fault(text, text->fault, text->reason);
        if (RF_LIKELY(key != 0)) {
            if (RF_UNLIKELY(!field(state, key, &token))) return ROW_NO_MEMORY;
        } else if (add) {
            return ROW_TOO_MANY;
        }
        p = scan_blanks(text, p, lines);
        if (RF_UNLIKELY(p == text->end))
            return scan_json_row_fault(text, p, "the row ends inside an object");
        if (*p == '}') {
            more = false;
        } else if (RF_UNLIKELY(*p != ',')) {
            return scan_json_row_fault(text, p, "expected ',' or '}' after a value");
        } else {
            p = scan_blanks(text, p + 1, lines);
            continue;
        }
        p++;
    }
    if (RF_UNLIKELY(!text->utf8_known) && !scan_json_row_utf8(text, text->from, p))
        return scan_json_row_fault(text, text->from, "the row is not valid UTF-8");
    if (lines) {
        p = scan_blanks(text, p, true);
        if (RF_UNLIKELY(p < text->end && *p != '\n'))
            return scan_json_row_fault(text, p, "more text follows the object");
        p += p < text->end;
    }
    if (!lines && text->frame != SCAN_FRAME_STREAM) text->frame = SCAN_FRAME_NEXT;
    text->at = p;
    return ROW_DONE;
}

/* ---- CSV ---------------------------------------------------------------------------------------------- */

struct scan_csv {
    const uint8_t *at, *end;
    uint8_t delimiter;
    bool last;
    bool utf8_known;
    struct rf_arena *arena; /* for fields with doubled quotes */
    const uint8_t *from, *fault;
    const uint8_t *resume; /* after a bad row whose end is known, else NULL */
    const char *reason;
};
void scan_csv_feed(struct scan_csv *text, rf_str piece, bool last);
/* After ROW_BAD: goes on behind the row's end. */
void scan_csv_recover(struct scan_csv *text);

/* Reads one field at `at`. The result is the place of the delimiter, line end or end of text behind it; NULL with
 * fault and reason, or with reason NULL when the text ends inside quotes and more may follow. */
const uint8_t *scan_csv_quoted(struct scan_csv *text, const uint8_t *at, rf_str *field);
const uint8_t *scan_csv_plain_end(const struct scan_csv *text, const uint8_t *at);
/* Passes a line end at `at`. */
const uint8_t *scan_csv_line_end(const struct scan_csv *text, const uint8_t *at);
/* Finds the next row's start; false when only blank lines are left. */
bool scan_csv_row_begin(struct scan_csv *text);
enum row_step scan_csv_row_fault(struct scan_csv *text, const uint8_t *fault, const char *reason);
bool scan_csv_row_utf8(struct scan_csv *text, const uint8_t *to);

/* Reads the next row, calling field(state, number, text) for each field; it may refuse with false and a reason
 * in text->reason, or without one on lack of memory. *count is the number of fields. */
__attribute__((always_inline)) static inline enum row_step
scan_csv_row(struct scan_csv *text, bool (*field)(void *state, uint32_t number, rf_str value),
             void *state, uint32_t *count)
{
    if (!scan_csv_row_begin(text)) return ROW_END;
    const uint8_t *p = text->at;
    text->reason = NULL;
    text->resume = NULL;
    for (uint32_t number = 0;; number++) {
        rf_str value;
        const uint8_t *from = p;
        if (p < text->end && *p == '"') {
            p = scan_csv_quoted(text, p, &value);
            if (p == NULL) return scan_csv_row_fault(text, text->fault, text->reason);
        } else {
            p = scan_csv_plain_end(text, p);
            value = rf_str_make(from, (size_t)(p - from));
        }
        if (p == text->end && !text->last) return ROW_END;
        if (RF_UNLIKELY(!field(state, number, value)))
            return text->reason == NULL ? ROW_NO_MEMORY
                                        : scan_csv_row_fault(text, from, text->reason);
        if (p == text->end || *p != text->delimiter) {
            *count = number + 1;
            break;
        }
        p++;
    }
    p = scan_csv_line_end(text, p);
    if (RF_UNLIKELY(!text->utf8_known) && !scan_csv_row_utf8(text, p)) {
        text->resume = p;
        return scan_csv_row_fault(text, text->from, "the row is not valid UTF-8");
    }
    text->at = p;
    return ROW_DONE;
}

#endif
