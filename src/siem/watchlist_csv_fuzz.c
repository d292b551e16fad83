#include "siem/watchlist_csv.h"
#include "test/rf_fuzz.h"

/* First byte: the delimiter and how many lines to leave out; the text. */
RF_FUZZ(watchlist_csv, text)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    struct watchlist_csv csv;
    struct rf_err err;
    if (text.len == 0) return;
    rf_arena_init(&arena, 64 << 20);
    char delimiter = (text.ptr[0] & 1) != 0 ? '\t' : ',';
    if (watchlist_csv_read(rf_slice(text, 1, text.len), delimiter, text.ptr[0] >> 4, &arena, &csv,
                           &err) != RF_OK)
        return;
    size_t bytes = 0;
    for (uint32_t i = 0; i < csv.row_count * csv.column_count; i++) bytes += csv.cells[i].len;
    RF_ASSERT(bytes <= text.len);
}
