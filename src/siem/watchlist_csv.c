#include "siem/watchlist_csv.h"

#define BAD_CSV(err, ...) RF_FAIL(err, RF_INVALID, "BadRequest", __VA_ARGS__)

struct csv {
    rf_str text;
    size_t at;
    uint32_t line; /* on which the row at hand begins */
    uint32_t lines_passed;
    char delimiter;
    struct rf_arena *arena;
};

static void skip_line(struct csv *c)
{
    while (c->at < c->text.len && c->text.ptr[c->at] != '\n') c->at++;
    if (c->at < c->text.len) c->at++;
    c->lines_passed++;
}

/* Past the line end at `at`, if there is one. */
static bool take_line_end(struct csv *c)
{
    rf_str t = c->text;
    size_t at = c->at;
    if (at < t.len && t.ptr[at] == '\r') at++;
    if (at < t.len && t.ptr[at] == '\n')
        at++;
    else if (at == c->at || at < t.len)
        return false;
    c->at = at;
    c->lines_passed++;
    return true;
}

/* A field in quotes; `at` stands behind the first. */
static enum rf_kind quoted(struct csv *c, rf_str *out, struct rf_err *err)
{
    struct rf_buf text = rf_buf_in(c->arena);
    size_t from = c->at;
    for (;; c->at++) {
        if (c->at >= c->text.len)
            return BAD_CSV(err, "A quoted field that begins on line %u of 'rawContent' has no end.",
                           c->line);
        uint8_t byte = c->text.ptr[c->at];
        if (byte == '\n') c->lines_passed++;
        if (byte != '"') continue;
        rf_buf_str(&text, rf_slice(c->text, from, c->at));
        bool is_doubled = c->at + 1 < c->text.len && c->text.ptr[c->at + 1] == '"';
        from = ++c->at;
        if (!is_doubled) break;
    }
    *out = rf_buf_view(&text);
    return text.failed ? rf_fail_memory(err, c->arena) : RF_OK;
}

static void plain(struct csv *c, rf_str *out)
{
    size_t from = c->at;
    while (c->at < c->text.len && c->text.ptr[c->at] != (uint8_t)c->delimiter &&
           c->text.ptr[c->at] != '\n' && c->text.ptr[c->at] != '\r')
        c->at++;
    *out = rf_slice(c->text, from, c->at);
}

/* The fields of one row. *count 0: the text has ended. Of a row with more than `cap` fields the last takes the rest of the line
 * as it is written: published lists have texts with commas and without quotes. */
static enum rf_kind read_row(struct csv *c, rf_str *fields, uint32_t cap, uint32_t *count,
                             struct rf_err *err)
{
    size_t from = 0;
    *count = 0;
    while (take_line_end(c)) continue;
    c->line = c->lines_passed + 1;
    if (c->at >= c->text.len) return RF_OK;
    for (;;) {
        rf_str field;
        if (*count < cap) from = c->at;
        if (c->at < c->text.len && c->text.ptr[c->at] == '"') {
            c->at++;
            RF_TRY(quoted(c, &field, err));
        } else {
            plain(c, &field);
        }
        if (*count == cap)
            fields[cap - 1] = rf_slice(c->text, from, c->at);
        else
            fields[(*count)++] = field;
        if (c->at < c->text.len && c->text.ptr[c->at] == (uint8_t)c->delimiter) {
            c->at++;
            continue;
        }
        if (c->at >= c->text.len || take_line_end(c)) return RF_OK;
        return BAD_CSV(err, "Line %u of 'rawContent': field %u goes on behind its quotes.", c->line,
                       *count);
    }
}

static enum rf_kind check_header(const struct watchlist_csv *csv, struct rf_err *err)
{
    for (uint32_t i = 0; i < csv->column_count; i++) {
        if (csv->header[i].len == 0 || csv->header[i].len > 512)
            return BAD_CSV(err, "Column %u of 'rawContent' needs a name of 1 to 512 bytes.", i + 1);
        for (uint32_t k = 0; k < i; k++)
            if (rf_str_eq(csv->header[i], csv->header[k]))
                return BAD_CSV(err, "'rawContent' has two columns '%.*s'.", RF_FMT(csv->header[i]));
    }
    return RF_OK;
}

enum rf_kind watchlist_csv_read(rf_str text, char delimiter, uint32_t skip, struct rf_arena *arena,
                                struct watchlist_csv *out, struct rf_err *err)
{
    struct csv c = {.text = text, .delimiter = delimiter, .arena = arena};
    uint32_t n, cap = 0;
    *out = (struct watchlist_csv){0};
    if (rf_str_starts(text, RF_S("\xef\xbb\xbf"))) c.at = 3;
    for (uint32_t i = 0; i < skip && c.at < text.len; i++) skip_line(&c);
    rf_str *fields = rf_arena_new(arena, rf_str, WATCHLIST_COLUMNS_MAX);
    out->header = rf_arena_new(arena, rf_str, WATCHLIST_COLUMNS_MAX + 1);
    if (fields == NULL || out->header == NULL) return rf_fail_memory(err, arena);
    RF_TRY(read_row(&c, out->header, WATCHLIST_COLUMNS_MAX + 1, &out->column_count, err));
    if (out->column_count > WATCHLIST_COLUMNS_MAX)
        return BAD_CSV(err, "'rawContent' has more than %d columns.", WATCHLIST_COLUMNS_MAX);
    if (out->column_count == 0) return BAD_CSV(err, "'rawContent' has no header.");
    for (uint32_t i = 0; i < out->column_count; i++) out->header[i] = rf_str_trim(out->header[i]);
    RF_TRY(check_header(out, err));
    for (;;) {
        RF_TRY(read_row(&c, fields, out->column_count, &n, err));
        if (n == 0) return RF_OK;
        if (out->row_count == cap) {
            size_t row = out->column_count * sizeof *out->cells;
            uint32_t grown = cap == 0 ? 64 : cap * 2;
            out->cells = rf_arena_grow(arena, out->cells, cap * row, grown * row);
            if (out->cells == NULL) return rf_fail_memory(err, arena);
            cap = grown;
        }
        rf_str *cells = out->cells + (size_t)out->row_count * out->column_count;
        for (uint32_t i = 0; i < out->column_count; i++) cells[i] = i < n ? fields[i] : RF_S("");
        out->row_count++;
    }
}
