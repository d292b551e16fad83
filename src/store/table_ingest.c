/* table_ingest.c
 *
 *   position, text: "ringfort ingest 1", then a line per file, the last taken first:
 *   head_bytes head_hash rows rejected text_bytes raw_bytes complete name */
#include "store/table_ingest.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <xxhash.h>

#include "base/input.h"
#include "store/infer.h"
#include "store/reader_int.h"
#include "store/table_int.h"

/* ---- files that were taken ----------------------------------------------------------------------------------- */

struct taken {
    uint64_t head_bytes, head_hash, rows, rejected, text_bytes, raw_bytes;
    bool complete;
    rf_str name;
};

#define POSITION_TITLE "ringfort ingest 1\n"

struct taken_list {
    struct taken items[INGEST_FILES_MAX];
    uint32_t count;
};

static bool get_number(rf_str *line, int base, uint64_t *out)
{
    size_t at = 0;
    *out = 0;
    for (; at < line->len && line->ptr[at] != ' '; at++) {
        uint8_t c = rf_lower(line->ptr[at]);
        int digit = rf_is_digit(c) ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : 99;
        if (digit >= base || *out > (UINT64_MAX - 15) / (uint64_t)base) return false;
        *out = *out * (uint64_t)base + (uint64_t)digit;
    }
    bool some = at > 0 && at < line->len;
    if (some) *line = rf_slice(*line, at + 1, line->len);
    return some;
}

/* A position of another kind of writer counts as none. */
static void read_position(rf_str position, struct taken_list *list)
{
    list->count = 0;
    if (!rf_str_starts(position, RF_S(POSITION_TITLE))) return;
    position = rf_slice(position, strlen(POSITION_TITLE), position.len);
    while (position.len > 0 && list->count < INGEST_FILES_MAX) {
        const uint8_t *end = memchr(position.ptr, '\n', position.len);
        size_t len = end == NULL ? position.len : (size_t)(end - position.ptr);
        rf_str line = rf_slice(position, 0, len);
        position = rf_slice(position, RF_MIN(len + 1, position.len), position.len);
        struct taken *t = &list->items[list->count];
        uint64_t complete;
        if (!get_number(&line, 10, &t->head_bytes) || !get_number(&line, 16, &t->head_hash) ||
            !get_number(&line, 10, &t->rows) || !get_number(&line, 10, &t->rejected) ||
            !get_number(&line, 10, &t->text_bytes) || !get_number(&line, 10, &t->raw_bytes) ||
            !get_number(&line, 10, &complete))
            return;
        t->complete = complete != 0;
        t->name = line;
        list->count++;
    }
}

/* The same file, further taken, replaces what stood for it. */
static bool put_position(const struct taken *now, const struct taken_list *before,
                         uint32_t replaced, struct rf_arena *arena, rf_str *out)
{
    struct rf_buf buf = rf_buf_in(arena);
    uint32_t written = 0;
    rf_buf_str(&buf, RF_S(POSITION_TITLE));
    for (uint32_t i = 0; i <= before->count && written < INGEST_FILES_MAX; i++) {
        const struct taken *t = i == 0 ? now : &before->items[i - 1];
        if (t == NULL || (i > 0 && i - 1 == replaced)) continue;
        rf_buf_printf(
            &buf, "%" PRIu64 " %016" PRIx64 " %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 " %d ",
            t->head_bytes, t->head_hash, t->rows, t->rejected, t->text_bytes, t->raw_bytes,
            t->complete);
        for (size_t k = 0; k < t->name.len && k < 200; k++)
            rf_buf_byte(&buf, t->name.ptr[k] < ' ' ? '_' : t->name.ptr[k]);
        rf_buf_byte(&buf, '\n');
        written++;
    }
    *out = rf_buf_view(&buf);
    return !buf.failed;
}

/* ---- one ingestion -------------------------------------------------------------------------------------------- */

struct ingest {
    const struct ingest_options *options;
    struct rf_budget *budget;
    struct rf_arena arena;   /* columns and what lives as long as the ingestion */
    struct rf_arena scratch; /* of a commit, of a piece */
    struct input *input;
    uint8_t *buf; /* text fed to the reader: whole rows, and a rest */
    size_t cap, len;
    bool ended;
    struct reader_options format;
    struct reader *reader;
    struct reader_column *columns; /* of the reader */
    uint32_t column_count, new_columns;
    bool widening; /* fields that are no column yet become one */
    atomic_uint_fast64_t dict_ids;
    struct table_writer *writer;
    struct taken now;
    struct taken_list before;
    uint32_t resumed; /* which of them `now` goes on from; UINT32_MAX: none */
    uint64_t skip;    /* rows still to be passed over */
    uint64_t skip_rejects;
    uint64_t seen_rejects;
    struct rejects { /* of the batch at hand: told when it is kept */
        struct rf_arena arena;
        struct reader_reject *items;
        uint32_t count, cap;
        bool lost;
    } rejects;
    struct reader_misfits *misfits; /* by column; NULL: none yet */
    uint32_t misfits_cap;
    bool uncommitted;
    struct ingest_result result;
};

static enum rf_kind no_memory(const struct ingest *in, struct rf_err *err)
{
    return rf_fail_memory(err, &in->arena);
}

/* ---- text --------------------------------------------------------------------------------------------------------- */

static enum rf_kind grow_buffer(struct ingest *in, size_t cap, struct rf_err *err)
{
    RF_ASSERT(cap > in->cap);
    size_t more = cap - in->cap;
    bool paid = rf_budget_take(in->budget, more);
    uint8_t *buf = paid ? realloc(in->buf, cap) : NULL;
    if (buf == NULL) {
        if (paid) rf_budget_give(in->budget, more);
        return RF_FAIL(err, RF_LIMIT, "MemoryBudgetExceeded",
                       "no memory to read a row of %zu bytes (budget %zu bytes)", cap,
                       in->budget->limit_bytes);
    }
    in->buf = buf;
    in->cap = cap;
    return RF_OK;
}

static enum rf_kind fill_buffer(struct ingest *in, struct rf_err *err)
{
    while (in->len < in->cap && !in->ended) {
        size_t got;
        RF_TRY(input_read(in->input, in->buf + in->len, in->cap - in->len, &got, err));
        in->ended = got == 0;
        in->len += got;
    }
    return RF_OK;
}

static enum rf_kind open_input(struct ingest *in, struct input **out, struct rf_err *err)
{
    const struct reader_input *from = &in->options->input;
    if (from->path == NULL) return input_open_memory(from->memory, out, err);
    return input_open(from->fs, from->path, out, err);
}

/* Puts more text behind the reader's rest and feeds it. */
static enum rf_kind feed(struct ingest *in, struct rf_err *err)
{
    rf_str rest = reader_rest(in->reader);
    if (rest.len > 0) memmove(in->buf, rest.ptr, rest.len);
    in->len = rest.len;
    if (in->len == in->cap && in->cap >= READER_ROW_BYTES_MAX && !in->ended) {
        /* Passes over the rest of a row that is too long. */
        uint64_t unfed = 0;
        reader_skip_row(in->reader);
        for (const uint8_t *end = NULL; end == NULL && !in->ended;) {
            in->len = 0;
            RF_TRY(fill_buffer(in, err));
            end = in->len == 0 ? NULL : memchr(in->buf, '\n', in->len);
            size_t passed = end == NULL ? in->len : (size_t)(end - in->buf) + 1;
            unfed += passed;
            if (in->len > passed) memmove(in->buf, in->buf + passed, in->len - passed);
            in->len -= passed;
        }
        reader_pass(in->reader, unfed);
    } else if (in->len == in->cap) {
        RF_TRY(grow_buffer(in, in->cap * 2, err));
    }
    RF_TRY(fill_buffer(in, err));
    reader_feed(in->reader, rf_str_make(in->buf, in->len), in->ended);
    return RF_OK;
}

/* ---- columns ------------------------------------------------------------------------------------------------------- */

static bool has_column(const struct ingest *in, rf_str name)
{
    for (uint32_t i = 0; i < in->column_count; i++)
        if (rf_str_eq(in->columns[i].name, name)) return true;
    return false;
}

/* Appends those that are not there; names are copied. */
static enum rf_kind add_columns(struct ingest *in, const struct reader_column *columns,
                                uint32_t count, struct rf_err *err)
{
    struct reader_column *all =
        rf_arena_new(&in->arena, struct reader_column, (size_t)in->column_count + count);
    if (all == NULL) return no_memory(in, err);
    if (in->column_count > 0) memcpy(all, in->columns, in->column_count * sizeof *all);
    in->columns = all;
    for (uint32_t i = 0; i < count; i++) {
        if (columns[i].name.len == 0 || columns[i].name.len > MANIFEST_NAME_BYTES_MAX) continue;
        if (has_column(in, columns[i].name)) continue;
        if (in->new_columns == INGEST_NEW_COLUMNS_MAX) {
            in->widening = false;
            break;
        }
        struct reader_column *column = &in->columns[in->column_count];
        column->type = columns[i].type;
        if (!rf_arena_str(&in->arena, columns[i].name, &column->name)) return no_memory(in, err);
        in->column_count++;
        in->new_columns++;
    }
    return RF_OK;
}

static enum rf_kind infer_text(struct ingest *in, rf_str text, bool last, struct rf_err *err)
{
    struct infer *infer;
    struct reader_column *found;
    uint32_t count;
    size_t taken;
    struct reader_options format = in->format;
    rf_arena_reset(&in->scratch);
    RF_TRY(infer_new(&format, &infer, err));
    enum rf_kind kind = infer_feed(infer, text, last, &taken, err);
    if (kind == RF_OK) kind = infer_columns(infer, &in->scratch, &found, &count, err);
    if (kind == RF_OK) kind = add_columns(in, found, count, err);
    infer_free(infer);
    return kind;
}

/* Types from the start of a file that can be opened again. */
static enum rf_kind infer_sample(struct ingest *in, struct rf_err *err)
{
    struct infer *infer;
    struct input *input;
    struct reader_column *found;
    uint32_t count;
    RF_TRY(open_input(in, &input, err));
    enum rf_kind kind = infer_new(&in->format, &infer, err);
    if (kind != RF_OK) {
        input_free(input);
        return kind;
    }
    size_t len = 0, taken;
    bool ended = false;
    for (uint64_t sampled = 0; kind == RF_OK && !ended && sampled < INGEST_SAMPLE_BYTES;) {
        while (kind == RF_OK && len < in->cap && !ended) {
            size_t got;
            kind = input_read(input, in->buf + len, in->cap - len, &got, err);
            if (kind == RF_OK) {
                ended = got == 0;
                len += got;
            }
        }
        if (kind == RF_OK) kind = infer_feed(infer, rf_str_make(in->buf, len), ended, &taken, err);
        if (kind != RF_OK || (taken == 0 && !ended)) break; /* a row larger than the buffer */
        memmove(in->buf, in->buf + taken, len - taken);
        len -= taken;
        sampled += taken;
    }
    input_free(input);
    if (kind == RF_OK) kind = infer_columns(infer, &in->scratch, &found, &count, err);
    if (kind == RF_OK) kind = add_columns(in, found, count, err);
    infer_free(infer);
    return kind;
}

/* The table's columns, when it is there. */
static enum rf_kind table_has(struct ingest *in, struct rf_err *err)
{
    struct table *table;
    struct rf_err why;
    enum rf_kind kind = table_open(in->options->store, in->options->table, &table, &why);
    if (kind == RF_NOT_FOUND) return RF_OK;
    if (kind != RF_OK) {
        if (err != NULL) *err = why;
        return kind;
    }
    uint32_t count;
    const struct extent_column *columns = table_columns(table, &count);
    in->columns = rf_arena_new(&in->arena, struct reader_column, count);
    kind = in->columns == NULL ? no_memory(in, err) : RF_OK;
    for (uint32_t i = 0; kind == RF_OK && i < count; i++) {
        in->columns[i].type = columns[i].type;
        if (!rf_arena_str(&in->arena, columns[i].name, &in->columns[i].name))
            kind = no_memory(in, err);
    }
    if (kind == RF_OK) in->column_count = count;
    table_close(table);
    return kind;
}

/* What was given, known or seen. A table's columns that no row of this file has cost nothing: they are constant. */
static enum rf_kind find_columns(struct ingest *in, struct rf_err *err)
{
    const struct ingest_options *o = in->options;
    if (o->columns != NULL) {
        in->columns = rf_arena_new(&in->arena, struct reader_column, o->column_count);
        if (in->columns == NULL) return no_memory(in, err);
        for (uint32_t i = 0; i < o->column_count; i++)
            in->columns[i] =
                (struct reader_column){.name = o->columns[i].name, .type = o->columns[i].type};
        in->column_count = o->column_count;
        return RF_OK;
    }
    RF_TRY(table_has(in, err));
    bool lines = in->format.format == READER_JSON_LINES;
    in->widening = in->format.format != READER_CSV;
    /* Where new fields are found on the way there is no need to look ahead in a table that is known. */
    if (in->column_count > 0 && lines) return RF_OK;
    if (o->input.path != NULL && strcmp(o->input.path, "-") != 0) return infer_sample(in, err);
    return infer_text(in, rf_str_make(in->buf, in->len), in->ended, err);
}

static enum rf_kind open_writer(struct ingest *in, struct rf_err *err)
{
    struct extent_column *columns =
        rf_arena_new(&in->scratch, struct extent_column, in->column_count);
    if (columns == NULL) return no_memory(in, err);
    for (uint32_t i = 0; i < in->column_count; i++)
        columns[i] =
            (struct extent_column){.name = in->columns[i].name, .type = in->columns[i].type};
    RF_TRY(table_writer_open(in->options->store, in->options->table, columns, in->column_count,
                             &in->writer, err));
    struct table_recovery recovery = table_writer_recovery(in->writer);
    in->result.recovery.journal_tail_bytes += recovery.journal_tail_bytes;
    in->result.recovery.files_removed += recovery.files_removed;
    bool packed = input_packing(in->input) != INPUT_PLAIN;
    if (input_raw_bytes(in->input) >= (packed ? TABLE_BULK_BYTES / 8 : TABLE_BULK_BYTES))
        table_expect_bulk(in->writer);
    return RF_OK;
}

/* ---- rejects --------------------------------------------------------------------------------------------------------- */

/* A batch may be read twice, so its rejects wait until it is kept. */
static void keep_reject(void *state, const struct reader_reject *reject)
{
    struct rejects *r = state;
    if (r->count == r->cap) {
        uint32_t cap = RF_MAX(r->cap * 2, 64u);
        struct reader_reject *grown = rf_arena_new(&r->arena, struct reader_reject, cap);
        r->lost |= grown == NULL;
        if (grown == NULL) return;
        if (r->count > 0) memcpy(grown, r->items, r->count * sizeof *grown);
        r->items = grown;
        r->cap = cap;
    }
    struct reader_reject copy = *reject;
    copy.text.len = RF_MIN(copy.text.len, (size_t)4096);
    r->lost |= !rf_arena_str(&r->arena, copy.text, &copy.text);
    if (!r->lost) r->items[r->count++] = copy;
}

static void forget_rejects(struct rejects *r)
{
    rf_arena_reset(&r->arena);
    r->items = NULL;
    r->count = r->cap = 0;
}

static enum rf_kind tell_rejects(struct ingest *in, struct rf_err *err)
{
    struct rejects *r = &in->rejects;
    if (r->lost) return rf_fail_memory(err, &r->arena);
    for (uint32_t i = 0; i < r->count; i++) {
        if (in->skip_rejects > 0) {
            in->skip_rejects--;
            continue;
        }
        in->now.rejected++;
        in->result.progress.rejected++;
        in->uncommitted = true;
        if (in->options->reject != NULL) in->options->reject(in->options->state, &r->items[i]);
    }
    if (r->count > 0) forget_rejects(r);
    return RF_OK;
}

/* ---- committing -------------------------------------------------------------------------------------------------------- */

static bool remembers(const struct ingest *in) { return in->now.head_bytes > 0; }

static enum rf_kind commit(struct ingest *in, struct rf_err *err)
{
    rf_str position;
    rf_arena_reset(&in->scratch);
    in->now.text_bytes = reader_counts(in->reader).bytes;
    in->now.raw_bytes = input_raw_bytes(in->input);
    const struct taken *now = remembers(in) ? &in->now : NULL;
    if (!put_position(now, &in->before, now == NULL ? UINT32_MAX : in->resumed, &in->scratch,
                      &position))
        return no_memory(in, err);
    RF_TRY(table_commit(in->writer, position, err));
    in->uncommitted = false;
    in->result.committed_rows = in->result.progress.rows;
    return RF_OK;
}

/* ---- rows ------------------------------------------------------------------------------------------------------------ */

static enum rf_kind new_reader(struct ingest *in, struct rf_err *err)
{
    struct reader_options options = in->format;
    options.columns = in->columns;
    options.column_count = in->column_count;
    options.dynamic_from_text = in->options->columns != NULL;
    options.reject = keep_reject;
    options.reject_state = &in->rejects;
    options.dict_ids = &in->dict_ids;
    options.dicts_grow = true;
    return reader_new(&options, &in->reader, err);
}

/* Keys beside the columns that the reader has met. */
static uint32_t unknown_fields(const struct ingest *in)
{
    return in->format.format == READER_CSV ? 0 : in->reader->json.keys.count - 1 - in->column_count;
}

/* The reader as it stood before a batch. */
struct before_batch {
    struct text_place place;
    struct reader_counts counts;
    size_t offset; /* in the buffer */
    uint8_t frame;
    uint32_t unknown;
};

static struct before_batch note_place(const struct ingest *in)
{
    const struct reader *r = in->reader;
    return (struct before_batch){.place = r->place,
                                 .counts = r->counts,
                                 .offset = (size_t)(reader_rest(r).ptr - in->buf),
                                 .frame = r->json.frame,
                                 .unknown = unknown_fields(in)};
}

/* The batch just read had fields that are no columns. They become columns, and the batch is read anew. */
static enum rf_kind widen(struct ingest *in, const struct before_batch *at, struct rf_err *err)
{
    rf_str text = rf_slice(rf_str_make(in->buf, in->len), at->offset, in->len);
    uint32_t before = in->column_count;
    if (in->uncommitted && table_wants_commit(in->writer)) RF_TRY(commit(in, err));
    struct reader *old = in->reader;
    enum scan_frame frame = (enum scan_frame)at->frame;
    /* Inference starts at a row; inside an array it must be told so, which only objects in a stream need not. */
    struct reader_options format = in->format;
    if (frame != SCAN_FRAME_START && in->format.format == READER_JSON_VALUES)
        while (text.len > 0 && text.ptr[0] != '{') text = rf_slice(text, 1, text.len);
    enum rf_kind kind = infer_text(in, text, in->ended, err);
    in->format = format;
    if (kind != RF_OK) return kind;
    if (in->column_count == before) { /* too many, or none that has a usable name */
        in->widening = false;
    } else {
        if (in->uncommitted) RF_TRY(commit(in, err));
        table_writer_close(in->writer);
        in->writer = NULL;
        rf_arena_reset(&in->scratch);
        RF_TRY(open_writer(in, err));
    }
    RF_TRY(new_reader(in, err));
    struct reader *fresh = in->reader;
    reader_feed(fresh, rf_slice(rf_str_make(in->buf, in->len), at->offset, in->len), in->ended);
    fresh->counts = at->counts;
    uint64_t line = at->place.line, offset = at->place.offset;
    fresh->place.line = line;
    fresh->place.offset = offset;
    fresh->json.frame = at->frame;
    reader_free(old);
    forget_rejects(&in->rejects);
    return RF_OK;
}

/* Leaves out the first rows of a batch, which an earlier run took. */
static enum rf_kind skip_rows(struct ingest *in, struct batch *batch, struct rf_err *err)
{
    uint32_t skipped = (uint32_t)RF_MIN(in->skip, (uint64_t)batch->row_count);
    uint32_t kept = batch->row_count - skipped;
    in->skip -= skipped;
    if (skipped == 0) return RF_OK;
    uint32_t *rows = rf_arena_raw(batch->arena, uint32_t, kept);
    struct vec *vecs = rf_arena_new(batch->arena, struct vec, batch->column_count);
    if (rows == NULL || vecs == NULL) return rf_fail_memory(err, batch->arena);
    for (uint32_t i = 0; i < kept; i++) rows[i] = skipped + i;
    for (uint32_t i = 0; i < batch->column_count; i++)
        if (!vec_select(batch->arena, &batch->columns[i], rows, kept, &vecs[i]))
            return rf_fail_memory(err, batch->arena);
    batch->row_count = kept;
    batch->columns = vecs;
    return RF_OK;
}

static enum rf_kind add_misfits(struct ingest *in, struct rf_err *err)
{
    if (!reader_has_misfits(in->reader)) return RF_OK;
    if (in->misfits_cap < in->column_count) {
        struct reader_misfits *grown =
            rf_arena_new(&in->arena, struct reader_misfits, in->column_count);
        if (grown == NULL) return no_memory(in, err);
        if (in->misfits_cap > 0) memcpy(grown, in->misfits, in->misfits_cap * sizeof *grown);
        in->misfits = grown;
        in->misfits_cap = in->column_count;
    }
    for (uint32_t i = 0; i < in->column_count; i++) {
        struct reader_misfits more = reader_misfits(in->reader, i);
        reader_misfits_add(&in->misfits[i], &more);
    }
    return RF_OK;
}

static void tell_misfits(const struct ingest *in)
{
    const struct ingest_options *o = in->options;
    for (uint32_t i = 0; i < in->misfits_cap && o->misfits != NULL; i++)
        if (in->misfits[i].count > 0) o->misfits(o->state, &in->columns[i], &in->misfits[i]);
}

static enum rf_kind take_batch(struct ingest *in, struct batch *batch, struct rf_err *err)
{
    RF_TRY(tell_rejects(in, err));
    if (in->skip > 0) RF_TRY(skip_rows(in, batch, err));
    if (batch->row_count == 0) return RF_OK;
    RF_TRY(add_misfits(in, err));
    /* The commit comes before the batch, so that an extent is never sealed for its sake alone. */
    if (table_wants_commit(in->writer)) RF_TRY(commit(in, err));
    RF_TRY(table_append(in->writer, batch, err));
    in->uncommitted = true;
    in->now.rows += batch->row_count;
    in->result.progress.rows += batch->row_count;
    return RF_OK;
}

static enum rf_kind report(struct ingest *in, struct rf_err *err)
{
    struct ingest_progress *p = &in->result.progress;
    p->text_bytes = reader_counts(in->reader).bytes;
    p->raw_offset = input_raw_offset(in->input);
    p->raw_bytes = input_raw_bytes(in->input);
    if (in->options->progress == NULL || in->options->progress(in->options->state, p)) return RF_OK;
    return RF_FAIL(err, RF_CANCELLED, "IngestCancelled", "the ingestion was cancelled");
}

static enum rf_kind take_rows(struct ingest *in, struct rf_err *err)
{
    bool fed_last = in->ended;
    reader_feed(in->reader, rf_str_make(in->buf, in->len), in->ended);
    for (;;) {
        struct batch batch;
        struct before_batch at = note_place(in);
        RF_TRY(reader_next(in->reader, &batch, err));
        if (in->widening && unknown_fields(in) > at.unknown) {
            RF_TRY(widen(in, &at, err));
            continue;
        }
        bool nothing = batch.row_count == 0;
        RF_TRY(take_batch(in, &batch, err));
        RF_TRY(report(in, err));
        if (!nothing) continue;
        if (fed_last) return RF_OK;
        RF_TRY(feed(in, err));
        fed_last = in->ended;
    }
}

/* ---- the whole ---------------------------------------------------------------------------------------------------- */

/* Whether the file is known, and how far it was taken. */
static bool find_taken(struct ingest *in)
{
    const struct ingest_options *o = in->options;
    bool piped = o->input.path == NULL || strcmp(o->input.path, "-") == 0;
    uint64_t raw_bytes = input_raw_bytes(in->input);
    in->resumed = UINT32_MAX;
    if (piped || in->len == 0) return false;
    in->now.head_bytes = RF_MIN(in->len, (size_t)INGEST_HEAD_BYTES);
    in->now.head_hash = XXH3_64bits(in->buf, in->now.head_bytes);
    in->now.name = o->name;
    for (uint32_t i = 0; i < in->before.count && !o->again; i++) {
        const struct taken *t = &in->before.items[i];
        if (t->head_bytes > in->len || XXH3_64bits(in->buf, t->head_bytes) != t->head_hash)
            continue;
        bool same_size = t->raw_bytes == raw_bytes;
        if (same_size && t->complete) return true;
        /* One that was not finished, or that has grown since. */
        rf_str name = o->name;
        name.len = RF_MIN(name.len, (size_t)200);
        if (raw_bytes < t->raw_bytes || !rf_str_eq(t->name, name)) continue;
        in->resumed = i;
        in->skip = in->result.resumed_rows = in->now.rows = t->rows;
        in->skip_rejects = in->now.rejected = t->rejected;
        return false;
    }
    return false;
}

/* The position is read before the table's columns are known, so from a writer that adds none. */
static enum rf_kind read_taken(struct ingest *in, struct rf_err *err)
{
    struct table_writer *writer;
    rf_str position;
    RF_TRY(table_writer_open(in->options->store, in->options->table, NULL, 0, &writer, err));
    struct table_recovery recovery = table_writer_recovery(writer);
    in->result.recovery = recovery;
    enum rf_kind kind = table_position(writer, &in->arena, &position, err);
    table_writer_close(writer);
    if (kind == RF_OK) read_position(position, &in->before);
    return kind;
}

static enum rf_kind run(struct ingest *in, struct rf_err *err)
{
    RF_TRY(open_input(in, &in->input, err));
    RF_TRY(grow_buffer(in, READER_PIECE_BYTES, err));
    RF_TRY(fill_buffer(in, err));
    RF_TRY(read_taken(in, err));
    in->result.already = find_taken(in);
    if (in->result.already) return RF_OK;
    struct reader_input head = {.memory = rf_str_make(in->buf, RF_MIN(in->len, (size_t)1 << 20))};
    RF_TRY(reader_guess_format(&head, in->options->name, &in->format, err));
    in->format.budget = in->budget;
    /* The sample is read into the same buffer. */
    size_t len = in->len;
    RF_TRY(find_columns(in, err));
    if (in->column_count == 0 && in->len == 0) return RF_OK;
    bool piped = in->options->input.path == NULL || strcmp(in->options->input.path, "-") == 0;
    in->len = len;
    if (!piped) {
        input_free(in->input);
        in->input = NULL;
        in->len = 0;
        in->ended = false;
        RF_TRY(open_input(in, &in->input, err));
        RF_TRY(fill_buffer(in, err));
    }
    RF_TRY(open_writer(in, err));
    RF_TRY(new_reader(in, err));
    RF_TRY(take_rows(in, err));
    in->now.complete = true;
    RF_TRY(commit(in, err));
    if (!in->widening && in->options->columns == NULL)
        in->result.fields_left_out = unknown_fields(in);
    return RF_OK;
}

enum rf_kind table_ingest(const struct ingest_options *options, struct ingest_result *out,
                          struct rf_err *err)
{
    struct ingest *in = calloc(1, sizeof *in);
    if (in == NULL) return RF_FAIL(err, RF_LIMIT, "MemoryBudgetExceeded", "no memory to ingest");
    in->options = options;
    in->budget = options->store->options.budget;
    rf_arena_init_shared(&in->arena, in->budget);
    rf_arena_init_shared(&in->scratch, in->budget);
    rf_arena_init_shared(&in->rejects.arena, in->budget);
    enum rf_kind kind = run(in, err);
    tell_misfits(in);
    *out = in->result;
    table_writer_close(in->writer);
    reader_free(in->reader);
    input_free(in->input);
    rf_budget_give(in->budget, in->cap);
    free(in->buf);
    rf_arena_done(&in->rejects.arena);
    rf_arena_done(&in->scratch);
    rf_arena_done(&in->arena);
    free(in);
    return kind;
}
