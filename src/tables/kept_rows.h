/* kept_rows.h - rows of a text, read and kept as batches until they are appended. */
#ifndef RF_TABLES_KEPT_ROWS_H
#define RF_TABLES_KEPT_ROWS_H

#include "store/reader.h"

/* The batches of a reader, kept until `arena` and the reader go; `text` is what the reader is fed, and must live as long. */
struct kept_rows {
    struct batch *batches;
    uint32_t count, cap;
    uint64_t row_count;
};
RF_MUST_USE enum rf_kind kept_rows_read(struct reader *reader, rf_str text, struct rf_arena *arena,
                                        struct kept_rows *out, struct rf_err *err);
/* A vector of nulls, or of empty texts. */
struct vec vec_nothing(enum type type);

#endif
