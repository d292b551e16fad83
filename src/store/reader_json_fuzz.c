#include "store/infer.h"
#include "test/rf_fuzz.h"

/* What a text gave: the values of all rows, and the rejected rows. */
struct seen {
    uint64_t rows, values, rejects;
};

static void note(void *state, const struct reader_reject *reject)
{
    struct seen *seen = state;
    seen->rejects = rf_hash_mix(seen->rejects, reject->line);
    seen->rejects = rf_hash_mix(seen->rejects, rf_hash(reject->reason, strlen(reject->reason), 0));
}

static void see_batch(struct seen *seen, const struct batch *batch)
{
    for (uint32_t row = 0; row < batch->row_count; row++) {
        for (uint32_t i = 0; i < batch->column_count; i++) {
            struct value v = vec_value(&batch->columns[i], row);
            uint64_t hash = v.null                             ? 1
                            : type_is_bytes((enum type)v.type) ? rf_hash(v.s.ptr, v.s.len, 2)
                                                               : value_hash(&v);
            seen->values = rf_hash_mix(seen->values, hash);
        }
    }
    seen->rows += batch->row_count;
}

static struct seen read_all(struct reader_options options, rf_str text, size_t step)
{
    struct seen seen = {0};
    struct rf_err err;
    struct reader *reader;
    options.reject = note;
    options.reject_state = &seen;
    RF_ASSERT(reader_new(&options, &reader, &err) == RF_OK);
    for (size_t from = 0, to = 0;;) {
        to += RF_MIN(step, text.len - to);
        reader_feed(reader, rf_slice(text, from, to), to == text.len);
        struct batch batch;
        do {
            RF_ASSERT(reader_next(reader, &batch, &err) == RF_OK);
            see_batch(&seen, &batch);
        } while (batch.row_count > 0);
        from = to - reader_rest(reader).len;
        if (to == text.len) break;
    }
    RF_ASSERT(reader_rest(reader).len == 0);
    reader_free(reader);
    return seen;
}

static bool infer_all(struct reader_options *options, rf_str text, struct rf_arena *arena)
{
    struct infer *infer;
    struct reader_column *columns;
    struct rf_err err;
    size_t taken;
    RF_ASSERT(infer_new(options, &infer, &err) == RF_OK);
    enum rf_kind kind = infer_feed(infer, text, true, &taken, &err);
    if (kind == RF_OK) kind = infer_columns(infer, arena, &columns, &options->column_count, &err);
    infer_free(infer);
    if (kind == RF_OK) options->columns = columns;
    return kind == RF_OK;
}

/* Lines that begin with a blank are read another way, with the same outcome. */
static void compare(struct reader_options options, rf_str text, struct seen seen)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 64 << 20);
    struct rf_buf blanks = rf_buf_in(&arena);
    for (size_t i = 0; i < text.len; i++) {
        if (i == 0 || text.ptr[i - 1] == '\n') rf_buf_byte(&blanks, ' ');
        rf_buf_byte(&blanks, text.ptr[i]);
    }
    struct reader_options other = options;
    RF_ASSERT(infer_all(&other, rf_buf_view(&blanks), &arena));
    RF_ASSERT(other.column_count == options.column_count);
    for (uint32_t i = 0; i < options.column_count; i++) {
        RF_ASSERT(rf_str_eq(other.columns[i].name, options.columns[i].name));
        RF_ASSERT(other.columns[i].type == options.columns[i].type);
    }
    struct seen again = read_all(options, rf_buf_view(&blanks), RF_MAX(blanks.len, (size_t)1));
    RF_ASSERT(again.rows == seen.rows);
    RF_ASSERT(again.values == seen.values);
    RF_ASSERT(again.rejects == seen.rejects);
}

/* Whatever is fed, in pieces of any size: all of it is taken, each row given or rejected, with the columns that
 * inference has found. The first byte chooses format and piece size. */
RF_FUZZ(reader_json, text)
{
    struct rf_budget budget;
    rf_budget_init(&budget, 64 << 20);
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init_shared(&arena, &budget);
    if (text.len == 0) return;
    struct reader_options options = {
        .format = text.ptr[0] & 1 ? READER_JSON_LINES : READER_JSON_VALUES, .budget = &budget};
    size_t step = text.ptr[0] >> 1 == 0 ? text.len : text.ptr[0] >> 1;
    text = rf_slice(text, 1, text.len);
    if (!infer_all(&options, text, &arena)) return;
    struct seen seen = read_all(options, text, step);
    if (options.format == READER_JSON_LINES && !rf_str_starts(text, RF_S("\xef\xbb\xbf")))
        compare(options, text, seen);
}
