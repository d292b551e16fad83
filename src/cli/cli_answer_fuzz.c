#include "cli/cli_answer.h"

#include "test/rf_fuzz.h"

static enum rf_kind on_begin(struct kql_sink *sink, rf_str name, const struct schema *schema,
                             const struct render *render, struct rf_err *err)
{
    (void)sink, (void)render, (void)err;
    RF_ASSERT(name.len == 0 || name.ptr != NULL);
    RF_ASSERT(schema->count == 0 || schema->columns != NULL);
    return RF_OK;
}

/* What the batch holds can be looked at. */
static enum rf_kind on_push(struct kql_sink *sink, const struct batch *batch, struct rf_err *err)
{
    (void)sink, (void)err;
    RF_ASSERT(batch->row_count > 0 && batch->row_count <= BATCH_ROWS);
    uint64_t hash[BATCH_ROWS];
    for (uint32_t i = 0; i < batch->column_count; i++)
        vec_hash(&batch->columns[i], batch->row_count, false, hash);
    return RF_OK;
}

static enum rf_kind on_end(struct kql_sink *sink, struct rf_err *err)
{
    (void)sink, (void)err;
    return RF_OK;
}

RF_FUZZ(cli_answer, text)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 16 << 20);
    struct kql_sink sink = {.begin = on_begin, .push = on_push, .end = on_end};
    struct cli_answer answer;
    struct rf_err err;
    if (cli_answer_parse(text, &arena, &answer, &err) == RF_OK)
        (void)!cli_answer_push(&answer, &sink, &arena, &err);
}
