/* watchlist_csv.h - the text of a watchlist (RFC 4180, commas or tabs): a header and rows of texts. */
#ifndef RF_SIEM_WATCHLIST_CSV_H
#define RF_SIEM_WATCHLIST_CSV_H

#include "base/rf.h"

enum { WATCHLIST_BYTES_MAX = 3800 * 1024, WATCHLIST_COLUMNS_MAX = 200 };

struct watchlist_csv {
    rf_str *header; /* different from each other, not empty */
    uint32_t column_count;
    rf_str *
        cells; /* row by row, column_count each; missing ones are empty, the last has what a row has too many */
    uint32_t row_count;
};
/* Leaves out `skip` lines, a byte-order mark and empty lines. Allocates in `arena`; fields without quotes inside are views of
 * `text`. RF_INVALID BadRequest names the line. RF_LIMIT MemoryBudgetExceeded. */
RF_MUST_USE enum rf_kind watchlist_csv_read(rf_str text, char delimiter, uint32_t skip,
                                            struct rf_arena *arena, struct watchlist_csv *out,
                                            struct rf_err *err);

#endif
