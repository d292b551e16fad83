#include "store/infer.h"
#include "test/rf_fuzz.h"

/* Whatever is fed, in pieces of any size: all of it is taken, each row given or rejected, with the columns that
 * inference has found. The first byte chooses the delimiter and the piece size. */
RF_FUZZ(reader_csv, text)
{
    struct rf_budget budget;
    rf_budget_init(&budget, 64 << 20);
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init_shared(&arena, &budget);
    if (text.len == 0) return;
    struct reader_options options = {
        .format = READER_CSV, .delimiter = text.ptr[0] & 1 ? 0 : 9, .budget = &budget};
    size_t step = text.ptr[0] >> 1 == 0 ? text.len : text.ptr[0] >> 1;
    text = rf_slice(text, 1, text.len);
    struct infer *infer;
    struct reader_column *columns;
    uint32_t count;
    struct rf_err err;
    size_t taken;
    RF_ASSERT(infer_new(&options, &infer, &err) == RF_OK);
    enum rf_kind kind = infer_feed(infer, text, true, &taken, &err);
    if (kind == RF_OK) kind = infer_columns(infer, &arena, &columns, &count, &err);
    infer_free(infer);
    if (kind != RF_OK) return;
    options.columns = columns;
    options.column_count = count;
    struct reader *reader;
    RF_ASSERT(reader_new(&options, &reader, &err) == RF_OK);
    for (size_t from = 0, to = 0;;) {
        to += RF_MIN(step, text.len - to);
        reader_feed(reader, rf_slice(text, from, to), to == text.len);
        struct batch batch;
        do {
            RF_ASSERT(reader_next(reader, &batch, &err) == RF_OK);
            for (uint32_t i = 0; i < batch.column_count; i++)
                for (uint32_t row = 0; row < batch.row_count; row++)
                    (void)vec_value(&batch.columns[i], row);
        } while (batch.row_count > 0);
        from = to - reader_rest(reader).len;
        if (to == text.len) break;
    }
    RF_ASSERT(reader_rest(reader).len == 0);
    reader_free(reader);
}
