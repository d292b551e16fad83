#include "cli/cli_format.h"
#include "cli/cli_text.h"

enum { TABLE_ROWS_AHEAD = 1000, COLUMN_WIDTH_MIN = 4, GAP = 2 };

static bool right_aligned(uint8_t type) { return type_is_number((enum type)type); }

/* The cell as text in `cell`. */
static bool cell_text(struct rf_buf *cell, const struct vec *vec, uint32_t row)
{
    struct value v = vec_value(vec, row);
    cell->len = 0;
    cli_put_cell(cell, &v);
    return !cell->failed;
}

static bool widen(struct cli_sink *sink, const struct batch *batch, struct rf_buf *cell)
{
    for (uint32_t i = 0; i < batch->column_count; i++) {
        for (uint32_t row = 0; row < batch->row_count; row++) {
            if (!cell_text(cell, &batch->columns[i], row)) return false;
            uint32_t width = cli_text_width(rf_buf_view(cell));
            sink->widths[i] = RF_MAX(sink->widths[i], width);
        }
    }
    return true;
}

/* Takes from the widest columns until the row fits, leaving each COLUMN_WIDTH_MIN at least. */
static void squeeze(struct cli_sink *sink)
{
    uint64_t total = 0;
    uint32_t count = sink->schema->count;
    for (uint32_t i = 0; i < count; i++) total += sink->widths[i] + GAP;
    uint64_t most = (uint64_t)sink->output.width + GAP;
    while (total > most) {
        uint32_t widest = 0, second = COLUMN_WIDTH_MIN, equals = 0;
        for (uint32_t i = 0; i < count; i++) widest = RF_MAX(widest, sink->widths[i]);
        if (widest <= COLUMN_WIDTH_MIN) return;
        for (uint32_t i = 0; i < count; i++) {
            if (sink->widths[i] == widest)
                equals++;
            else
                second = RF_MAX(second, sink->widths[i]);
        }
        uint64_t excess = (total - most + equals - 1) / equals;
        uint32_t cut = (uint32_t)RF_MIN(excess, (uint64_t)(widest - second));
        for (uint32_t i = 0; i < count; i++)
            if (sink->widths[i] == widest) sink->widths[i] -= cut;
        total -= (uint64_t)cut * equals;
    }
}

static void put_padded(struct cli_sink *sink, rf_str text, uint32_t column, bool right)
{
    static const char blanks[] = "                                ";
    uint32_t width = sink->widths[column];
    bool last = column + 1 == sink->schema->count;
    uint32_t pad = 0, have = cli_text_width(text);
    if (have < width) pad = width - have;
    for (uint32_t left = right ? pad : 0; left > 0;) {
        uint32_t n = RF_MIN(left, (uint32_t)sizeof blanks - 1);
        rf_buf_put(&sink->buf, blanks, n);
        left -= n;
    }
    /* Without a limit a wide cell of a later row pushes the rest of its row aside rather than being cut. */
    (void)cli_text_put(&sink->buf, text, sink->output.width == UINT32_MAX ? UINT32_MAX : width);
    if (last) return;
    for (uint32_t left = (right ? 0 : pad) + GAP; left > 0;) {
        uint32_t n = RF_MIN(left, (uint32_t)sizeof blanks - 1);
        rf_buf_put(&sink->buf, blanks, n);
        left -= n;
    }
}

static void put_header(struct cli_sink *sink)
{
    const struct schema *schema = sink->schema;
    if (sink->output.colour) rf_buf_str(&sink->buf, RF_S("\x1b[1m"));
    for (uint32_t i = 0; i < schema->count; i++)
        put_padded(sink, schema->columns[i].name, i, right_aligned(schema->columns[i].type));
    if (sink->output.colour) rf_buf_str(&sink->buf, RF_S("\x1b[0m"));
    rf_buf_byte(&sink->buf, '\n');
    for (uint32_t i = 0; i < schema->count; i++) {
        for (uint32_t n = 0; n < sink->widths[i]; n++) rf_buf_str(&sink->buf, RF_S("\xe2\x94\x80"));
        if (i + 1 < schema->count) rf_buf_str(&sink->buf, RF_S("  "));
    }
    rf_buf_byte(&sink->buf, '\n');
}

static bool put_rows(struct cli_sink *sink, const struct batch *batch, struct rf_buf *cell)
{
    for (uint32_t row = 0; row < batch->row_count; row++) {
        for (uint32_t i = 0; i < batch->column_count; i++) {
            if (!cell_text(cell, &batch->columns[i], row)) return false;
            put_padded(sink, rf_buf_view(cell), i, right_aligned(batch->columns[i].type));
        }
        rf_buf_byte(&sink->buf, '\n');
    }
    return true;
}

/* Widths are decided: prints the header and the rows kept so far. */
static enum rf_kind settle(struct cli_sink *sink, struct rf_buf *cell, struct rf_err *err)
{
    squeeze(sink);
    put_header(sink);
    for (uint64_t from = 0; from < rows_count(sink->kept); from += BATCH_ROWS) {
        struct batch batch;
        if (!rows_batch(sink->kept, from, cell->arena, &batch) || !put_rows(sink, &batch, cell))
            return rf_fail_memory(err, cell->arena);
    }
    sink->kept = NULL;
    rf_arena_reset(&sink->kept_arena);
    return cli_flush(sink, err);
}

static enum rf_kind table_begin(struct kql_sink *base, rf_str name, const struct schema *schema,
                                const struct render *render, struct rf_err *err)
{
    struct cli_sink *sink = (struct cli_sink *)base;
    sink->name = name;
    sink->schema = schema;
    sink->render = render;
    sink->row_count = 0;
    if (sink->table_count++ > 0) rf_buf_byte(&sink->buf, '\n');
    rf_arena_reset(&sink->kept_arena);
    uint8_t *types = rf_arena_new(&sink->kept_arena, uint8_t, schema->count);
    sink->widths = rf_arena_new(sink->arena, uint32_t, schema->count);
    if (types == NULL || sink->widths == NULL) return rf_fail_memory(err, sink->arena);
    for (uint32_t i = 0; i < schema->count; i++) {
        types[i] = schema->columns[i].type;
        sink->widths[i] = RF_MAX(cli_text_width(schema->columns[i].name), 1u);
    }
    sink->kept = rows_new(&sink->kept_arena, types, schema->count);
    return sink->kept == NULL ? rf_fail_memory(err, &sink->kept_arena) : RF_OK;
}

static enum rf_kind table_push(struct kql_sink *base, const struct batch *batch, struct rf_err *err)
{
    struct cli_sink *sink = (struct cli_sink *)base;
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init_shared(&arena, sink->arena->budget);
    struct rf_buf cell = rf_buf_in(&arena);
    sink->row_count += batch->row_count;
    if (sink->kept == NULL) {
        if (!put_rows(sink, batch, &cell)) return rf_fail_memory(err, &arena);
        return cli_flush(sink, err);
    }
    if (!widen(sink, batch, &cell) || !rows_append(sink->kept, batch))
        return rf_fail_memory(err, &arena);
    return sink->row_count < TABLE_ROWS_AHEAD ? RF_OK : settle(sink, &cell, err);
}

static enum rf_kind table_end(struct kql_sink *base, struct rf_err *err)
{
    struct cli_sink *sink = (struct cli_sink *)base;
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init_shared(&arena, sink->arena->budget);
    struct rf_buf cell = rf_buf_in(&arena);
    if (sink->kept != NULL) RF_TRY(settle(sink, &cell, err));
    rf_buf_printf(&sink->buf, "(%llu row%s)\n", (unsigned long long)sink->row_count,
                  sink->row_count == 1 ? "" : "s");
    return cli_flush(sink, err);
}

void cli_table_ops(struct kql_sink *base)
{
    *base = (struct kql_sink){.begin = table_begin, .push = table_push, .end = table_end};
}
