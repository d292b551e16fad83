/* tables_json.c - rows of JSON text into a table, and batches that outlive their reader's next step. */
#include "tables/tables_int.h"

enum { JSON_BYTES_MAX = 512 << 20, ROW_BYTES_LEAST = 16 };

struct vec vec_nothing(enum type type)
{
    static const uint64_t cell[2];
    static const uint8_t null[1] = {1};
    return (struct vec){.type = (uint8_t)type,
                        .shape = VEC_CONST,
                        .data = cell,
                        .nulls = type == TYPE_STRING ? NULL : null};
}

/* ---- keeping batches --------------------------------------------------------------------------------------------------
 */

static bool keep_bytes(struct rf_arena *arena, const void *bytes, size_t len, const void **out)
{
    void *copy = rf_arena_alloc(arena, len);
    if (copy == NULL) return false;
    if (len > 0) memcpy(copy, bytes, len);
    *out = copy;
    return true;
}

/* Texts that are not views of what the reader was fed are in memory that it uses again. */
static bool keep_texts(struct rf_arena *arena, rf_str text, rf_str *cells, const uint8_t *nulls,
                       uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        bool fed = cells[i].ptr >= text.ptr && cells[i].ptr < text.ptr + text.len;
        if (fed || cells[i].len == 0 || (nulls != NULL && nulls[i] != 0)) continue;
        if (!rf_arena_str(arena, cells[i], &cells[i])) return false;
    }
    return true;
}

static bool all_null(const struct vec *v, uint32_t count)
{
    return v->nulls != NULL && memchr(v->nulls, 0, count) == NULL;
}

static bool keep_vec(struct rf_arena *arena, rf_str text, const struct vec *in, uint32_t count,
                     struct vec *out)
{
    *out = *in;
    if (in->shape == VEC_CONST) return true;
    if (in->shape == VEC_DICT) {
        /* The entries stay where they are until the reader goes; entry 0 is what is missing. */
        if (in->dict_count == 1) {
            *out = vec_nothing((enum type)in->type);
            return true;
        }
        const void *codes;
        if (!keep_bytes(arena, in->codes, count * sizeof *in->codes, &codes)) return false;
        out->codes = codes;
        return true;
    }
    if (all_null(in, count)) {
        *out = vec_nothing((enum type)in->type);
        return true;
    }
    const void *nulls = NULL;
    if (!keep_bytes(arena, in->data, count * (size_t)type_cell_bytes[in->type], &out->data))
        return false;
    if (in->nulls != NULL && !keep_bytes(arena, in->nulls, count, &nulls)) return false;
    out->nulls = nulls;
    if (!type_is_bytes((enum type)in->type)) return true;
    return keep_texts(arena, text, (rf_str *)(uintptr_t)out->data, out->nulls, count);
}

static enum rf_kind keep_batch(struct rf_arena *arena, rf_str text, const struct batch *in,
                               struct kept_rows *out, struct rf_err *err)
{
    if (out->count == out->cap) {
        uint32_t cap = RF_MAX(out->cap * 2, 4u);
        struct batch *grown =
            rf_arena_grow(arena, out->batches, out->cap * sizeof *grown, cap * sizeof *grown);
        if (grown == NULL) return rf_fail_memory(err, arena);
        out->batches = grown;
        out->cap = cap;
    }
    struct vec *columns = rf_arena_raw(arena, struct vec, in->column_count);
    if (columns == NULL) return rf_fail_memory(err, arena);
    for (uint32_t i = 0; i < in->column_count; i++)
        if (!keep_vec(arena, text, &in->columns[i], in->row_count, &columns[i]))
            return rf_fail_memory(err, arena);
    out->batches[out->count++] = (struct batch){.row_count = in->row_count,
                                                .column_count = in->column_count,
                                                .columns = columns,
                                                .arena = arena};
    out->row_count += in->row_count;
    return RF_OK;
}

enum rf_kind kept_rows_read(struct reader *reader, rf_str text, struct rf_arena *arena,
                            struct kept_rows *out, struct rf_err *err)
{
    *out = (struct kept_rows){0};
    reader_feed(reader, text, true);
    for (;;) {
        struct batch batch;
        RF_TRY(reader_next(reader, &batch, err));
        if (batch.row_count == 0) return RF_OK;
        RF_TRY(keep_batch(arena, text, &batch, out, err));
    }
}

/* ---- a table's rows as JSON ---------------------------------------------------------------------------------------------
 */

struct first_reject {
    bool any;
    uint64_t line;
    const char *reason;
};

static void note_reject(void *state, const struct reader_reject *reject)
{
    struct first_reject *first = state;
    if (first->any) return;
    *first = (struct first_reject){true, reject->line, reject->reason};
}

static enum rf_kind append_rows(struct tables *tables, rf_str workspace_id,
                                const struct table_def *def, struct reader *reader,
                                const struct first_reject *reject, rf_str json, int64_t now_ticks,
                                struct rf_arena *arena, uint64_t *count, struct rf_err *err)
{
    struct kept_rows kept;
    RF_TRY(kept_rows_read(reader, json, arena, &kept, err));
    if (reject->any)
        return RF_FAIL(err, RF_INVALID, "BadJson", "the row at line %llu: %s",
                       (unsigned long long)reject->line, reject->reason);
    struct schema schema = {.columns = rf_arena_new(arena, struct column, def->column_count),
                            .count = def->column_count};
    if (schema.columns == NULL) return rf_fail_memory(err, arena);
    for (uint32_t i = 0; i < def->column_count; i++)
        schema.columns[i] =
            (struct column){.name = def->columns[i].name, .id = i, .type = def->columns[i].type};
    struct rows_in rows = {&schema, kept.batches, kept.count, now_ticks};
    RF_TRY(tables_append(tables, workspace_id, def->name, &rows, err));
    if (count != NULL) *count = kept.row_count;
    return RF_OK;
}

enum rf_kind tables_append_json(struct tables *tables, rf_str workspace_id, rf_str name,
                                rf_str json, int64_t now_ticks, uint64_t *count, struct rf_err *err)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    struct rf_budget budget;
    rf_budget_init(&budget, JSON_BYTES_MAX);
    rf_arena_init_shared(&arena, &budget);
    struct table_def def;
    RF_TRY(tables_find(tables, workspace_id, name, &arena, &def, err));
    struct reader_column *columns = rf_arena_new(&arena, struct reader_column, def.column_count);
    if (columns == NULL) return rf_fail_memory(err, &arena);
    for (uint32_t i = 0; i < def.column_count; i++)
        columns[i] = (struct reader_column){def.columns[i].name, def.columns[i].type};
    struct first_reject reject = {0};
    struct reader_options options = {
        .format = READER_JSON_VALUES,
        .columns = columns,
        .column_count = def.column_count,
        .dynamic_from_text = true,
        .batch_rows = (uint32_t)RF_MIN(json.len / ROW_BYTES_LEAST + 1, (size_t)BATCH_ROWS),
        .budget = &budget,
        .reject = note_reject,
        .reject_state = &reject};
    struct reader *reader;
    RF_TRY(reader_new(&options, &reader, err));
    enum rf_kind kind = append_rows(tables, workspace_id, &def, reader, &reject, json, now_ticks,
                                    &arena, count, err);
    reader_free(reader);
    return kind;
}
