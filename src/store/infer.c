#include "store/infer.h"

#include <stdlib.h>

#include "base/json.h"
#include "store/reader_int.h"

/* What was seen in a column. */
enum {
    SEEN = 1, /* the field occurs, if only as null */
    SEEN_WHOLE = 2,
    SEEN_REAL = 4, /* or a whole number beyond int64 */
    SEEN_BOOL = 8,
    SEEN_DATETIME = 16,
    SEEN_TEXT = 32,
    SEEN_NESTED = 64
};

/* To take back what a row that turned out bad had shown. */
struct undo {
    uint32_t column;
    uint8_t seen;
};
enum { UNDO_MAX = 1024 };

struct infer {
    enum reader_format format;
    struct rf_arena arena, scratch;
    uint8_t *seen; /* per key of JSON, per field of CSV */
    uint32_t seen_cap, column_count;
    struct undo undo[UNDO_MAX];
    uint32_t undo_count;
    struct scan_json json;
    struct line_window lines;
    struct dyn_shape shape;
    struct rf_buf encoded; /* what nobody reads */
    struct scan_csv csv;
    struct csv_header header;
    bool header_known, too_many, started;
};

enum rf_kind infer_new(const struct reader_options *options, struct infer **out, struct rf_err *err)
{
    struct infer *infer = calloc(1, sizeof *infer);
    if (infer == NULL)
        return RF_FAIL(err, RF_LIMIT, "MemoryBudgetExceeded", "no memory to infer types");
    infer->format = options->format;
    rf_arena_init_shared(&infer->arena, options->budget);
    rf_arena_init_shared(&infer->scratch, options->budget);
    infer->header.arena = &infer->arena;
    infer->csv.delimiter = options->delimiter == 0 ? ',' : (uint8_t)options->delimiter;
    infer->csv.arena = infer->json.scratch = &infer->scratch;
    infer->json.lines = options->format == READER_JSON_LINES;
    bool fine = scan_keys_init(&infer->json.keys, &infer->arena);
    if (fine && infer->json.lines)
        fine = line_window_init(&infer->lines, &infer->json, &infer->arena);
    infer->encoded = rf_buf_in(&infer->arena);
    for (uint32_t i = 0; fine && options->header != NULL && i < options->header_count; i++)
        fine = csv_header_add(&infer->header, i, options->header[i]);
    infer->header_known = options->header != NULL;
    if (!fine) {
        enum rf_kind kind = rf_fail_memory(err, &infer->arena);
        infer_free(infer);
        return kind;
    }
    *out = infer;
    return RF_OK;
}

void infer_free(struct infer *infer)
{
    if (infer == NULL) return;
    rf_arena_done(&infer->arena);
    rf_arena_done(&infer->scratch);
    free(infer);
}

static bool need_column(struct infer *infer, uint32_t column)
{
    if (column < infer->seen_cap) return true;
    uint32_t cap = RF_MAX(infer->seen_cap * 2, 256u);
    while (cap <= column) cap *= 2;
    uint8_t *seen = rf_arena_new(&infer->arena, uint8_t, cap);
    if (seen == NULL) return false;
    if (infer->seen_cap > 0) memcpy(seen, infer->seen, infer->seen_cap);
    infer->seen = seen;
    infer->seen_cap = cap;
    return true;
}

static bool note(struct infer *infer, uint32_t column, uint8_t what)
{
    if (!need_column(infer, column)) return false;
    uint8_t *seen = &infer->seen[column];
    if ((*seen & what) == what) return true;
    if (infer->undo_count < UNDO_MAX)
        infer->undo[infer->undo_count++] = (struct undo){column, *seen};
    if (*seen == 0) infer->column_count++;
    *seen |= what;
    return true;
}

static void undo_row(struct infer *infer)
{
    while (infer->undo_count > 0) {
        const struct undo *u = &infer->undo[--infer->undo_count];
        infer->seen[u->column] = u->seen;
        if (u->seen == 0) infer->column_count--;
    }
}

/* ---- JSON -------------------------------------------------------------------------------------------- */

static bool json_field(void *state, uint32_t key, const struct scan_token *token)
{
    struct infer *infer = state;
    int64_t ticks;
    uint8_t what = SEEN;
    switch (token->kind) {
    case SCAN_NULL:
        break;
    case SCAN_FALSE:
    case SCAN_TRUE:
        what |= SEEN_BOOL;
        break;
    case SCAN_WHOLE:
        what |= token->exact ? SEEN_WHOLE : SEEN_REAL;
        break;
    case SCAN_NUMBER:
        what |= SEEN_REAL;
        break;
    case SCAN_ARRAY:
    case SCAN_OBJECT:
        what |= SEEN_NESTED;
        break;
    case SCAN_ESCAPED:
        what |= SEEN_TEXT;
        break;
    case SCAN_STRING:
        if (token->text.len == 0) break;
        if (key < infer->seen_cap && (infer->seen[key] & SEEN_TEXT) != 0) return true;
        what |= reader_iso_datetime(token->text, &ticks) ? SEEN_DATETIME : SEEN_TEXT;
        break;
    }
    return note(infer, key, what);
}

static enum row_step json_rows(struct infer *infer)
{
    for (;;) {
        infer->undo_count = 0;
        enum row_step step = scan_json_row(&infer->json, false, true, json_field, infer);
        if (step == ROW_DONE) continue;
        undo_row(infer);
        if (step != ROW_BAD) return step;
        scan_json_recover(&infer->json);
    }
}

/* ---- the usual line --------------------------------------------------------------------------------- */

static enum line_step infer_string(struct infer *infer, uint32_t key, struct line *line)
{
    const uint8_t *p = line->at;
    if (RF_UNLIKELY(line->marks->base + line->mark[0] != p)) return LINE_OTHER;
    const uint8_t *end = line->marks->base + line->mark[1];
    struct scan_token token = {.kind = SCAN_STRING};
    if (RF_LIKELY(*end == '"')) {
        line->mark += 2;
    } else {
        end = json_marked_string(line->marks, &line->mark);
        if (end == NULL) return LINE_OTHER;
        token.kind = SCAN_ESCAPED;
    }
    token.text = rf_str_make(p + 1, (size_t)(end - p) - 1);
    line->at = end + 1;
    return json_field(infer, key, &token) ? LINE_DONE : LINE_NO_MEMORY;
}

/* A whole number of few digits; all others by the grammar. */
static inline bool pass_whole(struct line *line)
{
    const uint8_t *p = line->at + (*line->at == '-');
    uint32_t count = digits_leading(rf_get_u64le(p));
    if (count == 0 || count == 8 || (*p == '0' && count > 1)) return false;
    p += count;
    if (*p == '.' || (*p | 0x20) == 'e') return false;
    line->at = p;
    return true;
}

static inline enum line_step infer_value(void *state, uint32_t key, struct line *line)
{
    struct infer *infer = state;
    struct scan_token token;
    uint8_t first = *line->at;
    if (first == '"') return infer_string(infer, key, line);
    if (first == '{' || first == '[') {
        infer->encoded.len = 0;
        line->at = dyn_read_marked(infer->lines.nested, line->marks, line->at, &line->mark,
                                   &infer->shape, &infer->encoded);
        if (line->at == NULL) return infer->encoded.failed ? LINE_NO_MEMORY : LINE_OTHER;
        token.kind = SCAN_OBJECT;
    } else if (rf_is_digit(first) || first == '-') {
        token.kind = SCAN_WHOLE;
        token.exact = true;
        enum line_step step = pass_whole(line) ? LINE_DONE : line_number(line, &token);
        if (step != LINE_DONE) return step;
    } else {
        enum line_step step = line_word(line, &token);
        if (step != LINE_DONE) return step;
    }
    return json_field(infer, key, &token) ? LINE_DONE : LINE_NO_MEMORY;
}

static enum row_step line_rows(struct infer *infer)
{
    for (;;) {
        infer->undo_count = 0;
        enum line_step line = line_read(&infer->lines, &infer->json, true, infer_value, infer);
        if (RF_LIKELY(line == LINE_DONE)) continue;
        if (line == LINE_NO_MEMORY) return ROW_NO_MEMORY;
        undo_row(infer);
        enum row_step step = scan_json_row(&infer->json, true, true, json_field, infer);
        if (step == ROW_DONE) continue;
        undo_row(infer);
        if (step != ROW_BAD) return step;
        scan_json_recover(&infer->json);
    }
}

/* ---- CSV --------------------------------------------------------------------------------------------- */

static bool whole_json(rf_str text)
{
    struct json_reader reader;
    json_reader_init(&reader, text);
    struct json_event event;
    return json_skip_value(&reader, NULL, NULL) == RF_OK &&
           json_next(&reader, &event, NULL) == RF_OK;
}

static uint8_t judge(rf_str text)
{
    uint8_t first = text.ptr[0];
    int64_t ticks;
    if (first == '{' || first == '[') return whole_json(text) ? SEEN_NESTED : SEEN_TEXT;
    if (rf_str_eq_nocase(text, RF_S("true")) || rf_str_eq_nocase(text, RF_S("false")))
        return SEEN_BOOL;
    if (first != '-' && !rf_is_digit(first)) return SEEN_TEXT;
    if (reader_iso_datetime(text, &ticks)) return SEEN_DATETIME;
    /* By JSON's grammar for numbers, so that 007 stays a text. */
    struct scan_json number = {.at = text.ptr, .end = text.ptr + text.len, .last = true};
    struct scan_token token;
    if (scan_number(&number, text.ptr, &token) != number.end) return SEEN_TEXT;
    return token.kind == SCAN_WHOLE && token.exact ? SEEN_WHOLE : SEEN_REAL;
}

static bool csv_field(void *state, uint32_t number, rf_str value)
{
    struct infer *infer = state;
    if (number >= infer->header.count) {
        infer->csv.reason = "the row has more fields than the header";
        return false;
    }
    if (value.len == 0) return true;
    if (number < infer->seen_cap && (infer->seen[number] & SEEN_TEXT) != 0) return true;
    return note(infer, number, SEEN | judge(value));
}

static enum row_step csv_rows(struct infer *infer)
{
    if (!infer->header_known) {
        enum row_step step = csv_header_read(&infer->csv, &infer->header);
        if (step == ROW_BAD) {
            infer->header.count = 0;
            infer->csv.at = infer->csv.end;
            return ROW_END;
        }
        if (step != ROW_DONE) return step;
        infer->header_known = true;
    }
    for (;;) {
        uint32_t count;
        infer->undo_count = 0;
        enum row_step step = scan_csv_row(&infer->csv, csv_field, infer, &count);
        if (step == ROW_DONE) continue;
        undo_row(infer);
        if (step != ROW_BAD) return step;
        scan_csv_recover(&infer->csv);
    }
}

/* ---- all rows --------------------------------------------------------------------------------------------- */

enum rf_kind infer_feed(struct infer *infer, rf_str text, bool last, size_t *taken,
                        struct rf_err *err)
{
    static const uint8_t none[1];
    if (text.ptr == NULL) text.ptr = none;
    const uint8_t *from = text.ptr;
    if (!infer->started && rf_str_starts(text, RF_S("\xef\xbb\xbf")))
        text = rf_slice(text, 3, text.len);
    infer->started |= text.len > 0;
    rf_arena_reset(&infer->scratch);
    enum row_step step;
    if (infer->format == READER_CSV) {
        scan_csv_feed(&infer->csv, text, last);
        step = csv_rows(infer);
        *taken = (size_t)(infer->csv.at - from);
    } else {
        scan_json_feed(&infer->json, text, last);
        if (infer->json.lines) line_window_feed(&infer->lines, &infer->json);
        step = infer->json.lines ? line_rows(infer) : json_rows(infer);
        *taken = (size_t)(infer->json.at - from);
    }
    if (step == ROW_NO_MEMORY) return rf_fail_memory(err, &infer->arena);
    if (step == ROW_TOO_MANY || infer->column_count > READER_COLUMNS_MAX)
        return RF_FAIL(err, RF_LIMIT, "TooManyColumns",
                       "the rows have more than %d different fields; give a schema file with those "
                       "that are wanted",
                       READER_COLUMNS_MAX);
    return RF_OK;
}

static enum type type_of(uint8_t seen, bool csv)
{
    uint8_t kinds = seen & ~SEEN & 0xff;
    if ((kinds & SEEN_NESTED) != 0) return csv && kinds != SEEN_NESTED ? TYPE_STRING : TYPE_DYNAMIC;
    switch (kinds) {
    case SEEN_WHOLE:
        return TYPE_LONG;
    case SEEN_REAL:
    case SEEN_REAL | SEEN_WHOLE:
        return TYPE_REAL;
    case SEEN_BOOL:
        return TYPE_BOOL;
    case SEEN_DATETIME:
        return TYPE_DATETIME;
    default:
        return TYPE_STRING;
    }
}

enum rf_kind infer_columns(const struct infer *infer, struct rf_arena *arena,
                           struct reader_column **out, uint32_t *count, struct rf_err *err)
{
    bool csv = infer->format == READER_CSV;
    uint32_t n = 0, candidates = csv ? infer->header.count : infer->json.keys.count;
    struct reader_column *columns = rf_arena_new(arena, struct reader_column, candidates);
    if (columns == NULL) return rf_fail_memory(err, arena);
    for (uint32_t i = 0; i < candidates; i++) {
        uint8_t seen = i < infer->seen_cap ? infer->seen[i] : 0;
        if (!csv && seen == 0) continue; /* the start, or keys of rows that were left out */
        rf_str name = csv ? infer->header.names[i] : infer->json.keys.items[i].name;
        if (!rf_arena_str(arena, name, &columns[n].name)) return rf_fail_memory(err, arena);
        columns[n++].type = (uint8_t)type_of(seen, csv);
    }
    *out = columns;
    *count = n;
    return RF_OK;
}
