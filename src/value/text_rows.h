/* text_rows.h - the texts of a whole batch, written one behind the other into one buffer: one
 * growing allocation instead of one per row. The buffer may move while it grows, so until the
 * end a row knows only its length. Cells that already point somewhere (views of something else)
 * are left alone. */
#ifndef RF_TEXT_ROWS_H
#define RF_TEXT_ROWS_H

#include "value/value.h"

struct text_rows {
    struct rf_buf buf; /* write here */
    rf_str *cells;
    size_t from;
};

static inline struct text_rows text_rows_begin(struct rf_arena *arena, rf_str *cells,
                                               uint32_t count)
{
    memset(cells, 0, count * sizeof *cells);
    return (struct text_rows){.buf = rf_buf_in(arena), .cells = cells};
}

/* What was written since the last call is the text of `row`. Rows come in ascending order. */
static inline void text_rows_end(struct text_rows *rows, uint32_t row)
{
    rows->cells[row].len = rows->buf.len - rows->from;
    rows->from = rows->buf.len;
}

/* Points the cells of rows 0..count-1 at their texts. False on lack of memory. */
static inline bool text_rows_finish(struct text_rows *rows, uint32_t count)
{
    if (rows->buf.failed) return false;
    const uint8_t *at = rows->buf.ptr;
    for (uint32_t i = 0; i < count; i++) {
        if (rows->cells[i].ptr != NULL || rows->cells[i].len == 0) continue;
        rows->cells[i].ptr = at;
        at += rows->cells[i].len;
    }
    return true;
}

#endif
