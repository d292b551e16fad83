#include "kql/source_file.h"

#include "base/input.h"
#include "kql/ast.h"
#include "store/reader_stream.h"

/* ---- files ------------------------------------------------------------------------------------------- */

struct source_file {
    struct source source;
    struct rf_arena *arena;
    struct reader_input input;
    struct reader_options format; /* as guessed when opened */
    bool typed, opened;           /* typed: the columns were given */
    /* Numbers for dictionaries start at this source's address, so that no two sources of a query share one: the
     * struct spans more than 16 address units, each good for 2^20 numbers. */
    atomic_uint_fast64_t dict_ids;
    struct source_file_rejects rejects;
    struct reader_misfits *misfits; /* by column, of the last scan of each; NULL: never any */
};

/* Standard input can be read once, so its text stays. */
static enum rf_kind spool(struct source_file *file, struct rf_err *err)
{
    struct input *input;
    RF_TRY(input_open(NULL, "-", &input, err));
    struct rf_buf buf = rf_buf_in(file->arena);
    enum rf_kind kind = RF_OK;
    for (size_t got = 1; kind == RF_OK && got > 0;) {
        if (!rf_buf_reserve(&buf, INPUT_BUFFER_BYTES))
            kind = RF_FAIL(err, RF_LIMIT, "MemoryBudgetExceeded",
                           "standard input does not fit in memory: %zu bytes came, and the tables "
                           "may take %zu; a file that is named is read as it is needed",
                           buf.len, file->arena->budget->limit_bytes);
        else
            kind = input_read(input, buf.ptr + buf.len, buf.cap - buf.len, &got, err);
        if (kind == RF_OK) buf.len += got;
    }
    input_free(input);
    if (kind != RF_OK) return kind;
    file->input = (struct reader_input){.memory = rf_buf_view(&buf)};
    return RF_OK;
}

static enum rf_kind file_open(struct source *source, struct rf_err *err)
{
    struct source_file *file = (struct source_file *)source;
    if (file->opened) return RF_OK;
    rf_str name = {NULL, 0};
    if (strcmp(file->input.path, "-") == 0)
        RF_TRY(spool(file, err));
    else
        name = rf_str_of(file->input.path);
    file->format.budget = file->arena->budget;
    RF_TRY(reader_guess_format(&file->input, name, &file->format, err));
    if (!file->typed) {
        struct reader_column *found;
        uint32_t count;
        RF_TRY(reader_infer(&file->input, &file->format, file->arena, &found, &count, err));
        struct ast_column *columns = rf_arena_new(file->arena, struct ast_column, count);
        if (columns == NULL) return rf_fail_memory(err, file->arena);
        for (uint32_t i = 0; i < count; i++)
            columns[i] = (struct ast_column){.name = found[i].name, .type = found[i].type};
        source->columns = columns;
        source->column_count = count;
    }
    file->opened = true;
    return RF_OK;
}

static void note_reject(void *state, const struct reader_reject *reject)
{
    struct source_file_rejects *rejects = state;
    if (rejects->count++ > 0) return;
    rejects->line = reject->line;
    rejects->reason = reject->reason;
}

static enum rf_kind note_misfits(struct source_file *file, const struct reader *reader,
                                 const struct scan *scan, struct rf_err *err)
{
    if (!reader_has_misfits(reader)) return RF_OK;
    if (file->misfits == NULL)
        file->misfits = rf_arena_new(file->arena, struct reader_misfits, file->source.column_count);
    if (file->misfits == NULL) return rf_fail_memory(err, file->arena);
    for (uint32_t i = 0; i < scan->column_count; i++) {
        struct reader_misfits more = reader_misfits(reader, i);
        reader_misfits_add(&file->misfits[scan->columns[i]], &more);
    }
    return RF_OK;
}

static enum rf_kind scan_stream(struct source_file *file, struct reader_stream *stream,
                                const struct scan *scan, struct exec *exec, struct flow *out,
                                struct rf_err *err)
{
    uint64_t bytes = 0;
    for (uint64_t left = scan->limit; left > 0 && !flow_done(out);) {
        if (exec_cancelled(exec))
            return RF_FAIL(err, RF_CANCELLED, "QueryCancelled", "the query was cancelled");
        struct batch batch;
        RF_TRY(reader_stream_next(stream, &batch, err));
        if (batch.row_count == 0) break;
        RF_TRY(note_misfits(file, reader_stream_reader(stream), scan, err));
        uint64_t read = reader_stream_counts(stream).bytes;
        atomic_fetch_add_explicit(&exec->rows_scanned, batch.row_count, memory_order_relaxed);
        atomic_fetch_add_explicit(&exec->bytes_scanned, read - bytes, memory_order_relaxed);
        bytes = read;
        left -= RF_MIN(left, (uint64_t)batch.row_count);
        RF_TRY(flow_push(exec, out, 0, &batch, err));
    }
    return RF_OK;
}

static enum rf_kind file_scan(struct source *source, const struct scan *scan, struct exec *exec,
                              struct flow *out, struct rf_err *err)
{
    struct source_file *file = (struct source_file *)source;
    RF_TRY(file_open(source, err));
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init_shared(&arena, exec->budget);
    struct reader_column *columns = rf_arena_new(&arena, struct reader_column, scan->column_count);
    if (columns == NULL) return rf_fail_memory(err, &arena);
    for (uint32_t i = 0; i < scan->column_count; i++) {
        const struct ast_column *column = &source->columns[scan->columns[i]];
        columns[i] = (struct reader_column){.name = column->name, .type = column->type};
    }
    struct reader_options options = file->format;
    options.columns = columns;
    options.column_count = scan->column_count;
    options.dynamic_from_text = file->typed;
    options.batch_rows = exec->batch_rows;
    options.budget = exec->budget;
    options.dict_ids = &file->dict_ids;
    options.reject = note_reject;
    options.reject_state = &file->rejects;
    file->rejects.count = 0;
    for (uint32_t i = 0; i < scan->column_count && file->misfits != NULL; i++)
        file->misfits[scan->columns[i]].count = 0;
    struct reader_stream *stream;
    RF_TRY(reader_stream_open(&file->input, &options, &stream, err));
    enum rf_kind kind = scan_stream(file, stream, scan, exec, out, err);
    reader_stream_free(stream);
    return kind;
}

static const struct source_ops file_ops = {.open = file_open, .scan = file_scan};

struct source *source_file_new(const struct source_file_options *options, struct rf_arena *arena)
{
    struct source_file *file = rf_arena_new(arena, struct source_file, 1);
    if (file == NULL) return NULL;
    file->source = (struct source){.ops = &file_ops, .name = options->name};
    file->arena = arena;
    file->input.path = options->path;
    file->rejects.path = options->path;
    file->typed = options->columns != NULL;
    if (file->typed) {
        file->source.columns = rf_arena_new(arena, struct ast_column, options->column_count);
        if (file->source.columns == NULL) return NULL;
        memcpy(file->source.columns, options->columns,
               options->column_count * sizeof *options->columns);
        file->source.column_count = options->column_count;
    }
    atomic_init(&file->dict_ids, (uint64_t)(uintptr_t)file >> 4 << 20);
    return &file->source;
}

bool source_is_file(const struct source *source) { return source->ops == &file_ops; }

struct source_file_rejects source_file_rejects(const struct source *source)
{
    RF_ASSERT(source_is_file(source));
    return ((const struct source_file *)source)->rejects;
}

struct reader_misfits source_file_misfits(const struct source *source, uint32_t column)
{
    RF_ASSERT(source_is_file(source));
    const struct source_file *file = (const struct source_file *)source;
    return file->misfits == NULL ? (struct reader_misfits){0} : file->misfits[column];
}

/* ---- no rows, and rows in memory ------------------------------------------------------------------------- */

static enum rf_kind empty_scan(struct source *source, const struct scan *scan, struct exec *exec,
                               struct flow *out, struct rf_err *err)
{
    (void)source, (void)scan, (void)exec, (void)out, (void)err;
    return RF_OK;
}

static const struct source_ops empty_ops = {.scan = empty_scan};

struct source *source_empty_new(rf_str name, struct ast_column *columns, uint32_t column_count,
                                struct rf_arena *arena)
{
    struct source *source = rf_arena_new(arena, struct source, 1);
    if (source == NULL) return NULL;
    *source = (struct source){
        .ops = &empty_ops, .name = name, .columns = columns, .column_count = column_count};
    return source;
}

struct source_rows {
    struct source source;
    const struct rows *rows;
};

static enum rf_kind rows_scan(struct source *source, const struct scan *scan, struct exec *exec,
                              struct flow *out, struct rf_err *err)
{
    const struct rows *rows = ((struct source_rows *)source)->rows;
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init_shared(&arena, exec->budget);
    uint64_t end = RF_MIN(rows_count(rows), scan->limit);
    for (uint64_t from = 0; from < end && !flow_done(out); from += BATCH_ROWS) {
        rf_arena_reset(&arena);
        struct batch all, batch;
        struct vec *columns = rf_arena_new(&arena, struct vec, scan->column_count);
        if (columns == NULL || !rows_batch(rows, from, &arena, &all))
            return rf_fail_memory(err, &arena);
        for (uint32_t i = 0; i < scan->column_count; i++)
            columns[i] = all.columns[scan->columns[i]];
        batch = (struct batch){.row_count = all.row_count,
                               .column_count = scan->column_count,
                               .columns = columns,
                               .arena = &arena};
        RF_TRY(flow_push(exec, out, 0, &batch, err));
    }
    return RF_OK;
}

static const struct source_ops rows_ops = {.scan = rows_scan};

struct source *source_rows_new(rf_str name, struct ast_column *columns, uint32_t column_count,
                               const struct rows *rows, struct rf_arena *arena)
{
    struct source_rows *source = rf_arena_new(arena, struct source_rows, 1);
    if (source == NULL) return NULL;
    source->source = (struct source){
        .ops = &rows_ops, .name = name, .columns = columns, .column_count = column_count};
    source->rows = rows;
    return &source->source;
}
