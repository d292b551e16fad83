#include "store/reader_stream.h"

#include <stdlib.h>

#include "base/input.h"
#include "base/json.h"
#include "store/infer.h"

/* ---- pieces of text ------------------------------------------------------------------------------------- */

struct feeder {
    struct input *input;
    struct rf_budget *budget;
    uint8_t *buf;
    size_t cap;
    bool ended;
};

static void feeder_done(struct feeder *feeder)
{
    input_free(feeder->input);
    rf_budget_give(feeder->budget, feeder->cap);
    free(feeder->buf);
}

static enum rf_kind feeder_grow(struct feeder *feeder, size_t cap, struct rf_err *err)
{
    RF_ASSERT(cap > feeder->cap);
    size_t more = cap - feeder->cap;
    bool paid = rf_budget_take(feeder->budget, more);
    uint8_t *buf = paid ? realloc(feeder->buf, cap) : NULL;
    if (buf == NULL) {
        if (paid) rf_budget_give(feeder->budget, more);
        return RF_FAIL(err, RF_LIMIT, "MemoryBudgetExceeded",
                       "no memory to read a row of %zu bytes (budget %zu bytes)", cap,
                       feeder->budget->limit_bytes);
    }
    feeder->buf = buf;
    feeder->cap = cap;
    return RF_OK;
}

static enum rf_kind open_input(const struct reader_input *from, struct input **out,
                               struct rf_err *err)
{
    if (from->path == NULL) return input_open_memory(from->memory, out, err);
    return input_open(from->fs, from->path, out, err);
}

static enum rf_kind feeder_init(struct feeder *feeder, const struct reader_input *from,
                                struct rf_budget *budget, struct rf_err *err)
{
    *feeder = (struct feeder){.budget = budget};
    RF_TRY(open_input(from, &feeder->input, err));
    enum rf_kind kind = feeder_grow(feeder, READER_PIECE_BYTES, err);
    if (kind != RF_OK) feeder_done(feeder);
    return kind;
}

/* Puts what follows behind `rest`, which lies in the buffer. */
static enum rf_kind feeder_next(struct feeder *feeder, rf_str rest, rf_str *text,
                                struct rf_err *err)
{
    if (rest.len > 0) memmove(feeder->buf, rest.ptr, rest.len);
    size_t len = rest.len;
    if (len == feeder->cap) RF_TRY(feeder_grow(feeder, feeder->cap * 2, err));
    while (len < feeder->cap && !feeder->ended) {
        size_t got;
        RF_TRY(input_read(feeder->input, feeder->buf + len, feeder->cap - len, &got, err));
        feeder->ended = got == 0;
        len += got;
    }
    *text = rf_str_make(feeder->buf, len);
    return RF_OK;
}

/* Passes over the rest of a row that is too long. What was read behind its end is left in *text. */
static enum rf_kind feeder_skip_row(struct feeder *feeder, uint64_t *unfed_bytes, rf_str *text,
                                    struct rf_err *err)
{
    *unfed_bytes = 0;
    for (;;) {
        RF_TRY(feeder_next(feeder, (rf_str){NULL, 0}, text, err));
        const uint8_t *end = text->len == 0 ? NULL : memchr(text->ptr, '\n', text->len);
        size_t skipped = end == NULL ? text->len : (size_t)(end - text->ptr) + 1;
        *unfed_bytes += skipped;
        *text = rf_slice(*text, skipped, text->len);
        if (end != NULL || feeder->ended) return RF_OK;
    }
}

static bool too_long(const struct feeder *feeder, rf_str rest)
{
    return rest.len == feeder->cap && rest.len >= READER_ROW_BYTES_MAX && !feeder->ended;
}

/* ---- what a file is -------------------------------------------------------------------------------------- */

static rf_str base_name(rf_str path)
{
    size_t from = path.len;
    while (from > 0 && path.ptr[from - 1] != '/') from--;
    return rf_slice(path, from, path.len);
}

static bool cut_suffix(rf_str *name, const char *suffix)
{
    size_t len = strlen(suffix);
    if (name->len <= len ||
        !rf_str_eq_nocase(rf_slice(*name, name->len - len, name->len), rf_str_of(suffix)))
        return false;
    name->len -= len;
    return true;
}

static void cut_packing(rf_str *name)
{
    if (cut_suffix(name, ".gz") || cut_suffix(name, ".zst")) return;
    (void)cut_suffix(name, ".zstd");
}

enum file_kind { FILE_OTHER, FILE_CSV, FILE_TSV, FILE_JSON };

static enum file_kind file_kind(rf_str name)
{
    cut_packing(&name);
    if (cut_suffix(&name, ".csv")) return FILE_CSV;
    if (cut_suffix(&name, ".tsv")) return FILE_TSV;
    if (cut_suffix(&name, ".json") || cut_suffix(&name, ".jsonl") || cut_suffix(&name, ".ndjson"))
        return FILE_JSON;
    return FILE_OTHER;
}

bool reader_is_table_name(rf_str name) { return file_kind(name) != FILE_OTHER; }

rf_str reader_table_name(rf_str path, struct rf_arena *arena)
{
    rf_str name = base_name(path), out;
    size_t dot = 1;
    while (dot < name.len && name.ptr[dot] != '.') dot++;
    name.len = RF_MIN(dot, name.len);
    bool digit = name.len > 0 && rf_is_digit(name.ptr[0]);
    uint8_t *text = rf_arena_alloc(arena, name.len + 2);
    if (text == NULL) return (rf_str){NULL, 0};
    size_t len = 0;
    if (digit || name.len == 0) text[len++] = '_';
    for (size_t i = 0; i < name.len; i++)
        text[len++] = rf_is_alnum(name.ptr[i]) || name.ptr[i] >= 0x80 ? name.ptr[i] : '_';
    out = rf_str_make(text, len);
    return out;
}

/* Objects over several lines begin with a line that just breaks off, and the next line is no object. */
static bool spans_lines(rf_str head)
{
    const uint8_t *end = memchr(head.ptr, '\n', head.len);
    if (end == NULL) return false;
    size_t len = (size_t)(end - head.ptr);
    struct json_reader reader;
    json_reader_init_many(&reader, rf_slice(head, 0, len));
    if (json_skip_value(&reader, NULL, NULL) == RF_OK || json_offset(&reader) < len) return false;
    while (len < head.len && rf_is_space(head.ptr[len])) len++;
    return len == head.len || head.ptr[len] != '{';
}

enum rf_kind reader_guess_format(const struct reader_input *from, rf_str name,
                                 struct reader_options *options, struct rf_err *err)
{
    enum file_kind kind = file_kind(name);
    options->delimiter = kind == FILE_TSV ? '\t' : ',';
    options->format = READER_CSV;
    if (kind == FILE_CSV || kind == FILE_TSV) return RF_OK;
    struct input *input;
    RF_TRY(open_input(from, &input, err));
    uint8_t bytes[16 * 1024];
    size_t len = 0, got = 1;
    enum rf_kind read = RF_OK;
    while (read == RF_OK && got > 0 && len < sizeof bytes) {
        read = input_read(input, bytes + len, sizeof bytes - len, &got, err);
        if (read == RF_OK) len += got;
    }
    input_free(input);
    if (read != RF_OK) return read;
    rf_str head = rf_str_make(bytes, len);
    if (rf_str_starts(head, RF_S("\xef\xbb\xbf"))) head = rf_slice(head, 3, head.len);
    while (head.len > 0 && rf_is_space(head.ptr[0])) head = rf_slice(head, 1, head.len);
    bool object = head.len > 0 && head.ptr[0] == '{', array = head.len > 0 && head.ptr[0] == '[';
    if (array || (object && spans_lines(head)))
        options->format = READER_JSON_VALUES;
    else if (object || kind == FILE_JSON || head.len == 0)
        options->format = READER_JSON_LINES;
    return RF_OK;
}

/* ---- inference over a file --------------------------------------------------------------------------------- */

static enum rf_kind infer_all(struct feeder *feeder, struct infer *infer, struct rf_err *err)
{
    rf_str text = {NULL, 0};
    do {
        if (too_long(feeder, text)) {
            uint64_t unfed_bytes;
            RF_TRY(feeder_skip_row(feeder, &unfed_bytes, &text, err));
        }
        RF_TRY(feeder_next(feeder, text, &text, err));
        size_t taken;
        RF_TRY(infer_feed(infer, text, feeder->ended, &taken, err));
        text = rf_slice(text, taken, text.len);
    } while (!feeder->ended);
    return RF_OK;
}

enum rf_kind reader_infer(const struct reader_input *input, const struct reader_options *options,
                          struct rf_arena *arena, struct reader_column **columns, uint32_t *count,
                          struct rf_err *err)
{
    struct infer *infer;
    struct feeder feeder;
    RF_TRY(infer_new(options, &infer, err));
    enum rf_kind kind = feeder_init(&feeder, input, options->budget, err);
    if (kind == RF_OK) {
        kind = infer_all(&feeder, infer, err);
        feeder_done(&feeder);
    }
    if (kind == RF_OK) kind = infer_columns(infer, arena, columns, count, err);
    infer_free(infer);
    return kind;
}

/* ---- streams ---------------------------------------------------------------------------------------------------- */

struct reader_stream {
    struct reader *reader;
    struct feeder feeder;
    bool fed_last;
};

enum rf_kind reader_stream_open(const struct reader_input *input,
                                const struct reader_options *options, struct reader_stream **out,
                                struct rf_err *err)
{
    struct reader_stream *stream = calloc(1, sizeof *stream);
    if (stream == NULL)
        return RF_FAIL(err, RF_LIMIT, "MemoryBudgetExceeded", "no memory to open a file");
    enum rf_kind kind = feeder_init(&stream->feeder, input, options->budget, err);
    if (kind == RF_OK) {
        kind = reader_new(options, &stream->reader, err);
        if (kind != RF_OK) feeder_done(&stream->feeder);
    }
    if (kind != RF_OK) {
        free(stream);
        return kind;
    }
    reader_feed(stream->reader, (rf_str){NULL, 0}, false);
    *out = stream;
    return RF_OK;
}

void reader_stream_free(struct reader_stream *stream)
{
    if (stream == NULL) return;
    feeder_done(&stream->feeder);
    reader_free(stream->reader);
    free(stream);
}

static enum rf_kind stream_feed(struct reader_stream *stream, struct rf_err *err)
{
    struct feeder *feeder = &stream->feeder;
    rf_str text = reader_rest(stream->reader);
    if (too_long(feeder, text)) {
        uint64_t unfed_bytes;
        reader_skip_row(stream->reader);
        RF_TRY(feeder_skip_row(feeder, &unfed_bytes, &text, err));
        reader_pass(stream->reader, unfed_bytes);
    }
    RF_TRY(feeder_next(feeder, text, &text, err));
    reader_feed(stream->reader, text, feeder->ended);
    stream->fed_last = feeder->ended;
    return RF_OK;
}

enum rf_kind reader_stream_next(struct reader_stream *stream, struct batch *out, struct rf_err *err)
{
    for (;;) {
        RF_TRY(reader_next(stream->reader, out, err));
        if (out->row_count > 0 || stream->fed_last) return RF_OK;
        RF_TRY(stream_feed(stream, err));
    }
}

struct reader_counts reader_stream_counts(const struct reader_stream *stream)
{
    return reader_counts(stream->reader);
}

const struct reader *reader_stream_reader(const struct reader_stream *stream)
{
    return stream->reader;
}

uint64_t reader_stream_raw_offset(const struct reader_stream *stream)
{
    return input_raw_offset(stream->feeder.input);
}

uint64_t reader_stream_raw_bytes(const struct reader_stream *stream)
{
    return input_raw_bytes(stream->feeder.input);
}
