/* extent.h - an immutable file of rows of one table, sorted by time: the unit of storage. Knows one file;
 * which extents make a table is table.h's matter. The layout is drawn in extent_format.h and docs/formats.md. */
#ifndef RF_EXTENT_H
#define RF_EXTENT_H

#include "base/fs.h"
#include "value/value.h"

enum {
    EXTENT_ROWS_MAX = 1 << 20,
    EXTENT_BLOCK_ROWS =
        1 << 16, /* a block: one column's rows with one header (min, max, nulls, encoding) */
    EXTENT_GRANULE_ROWS = 1 << 9, /* what the term index can leave out */
};

struct extent_column {
    rf_str name;
    uint8_t type; /* enum type */
};

/* Key for a file's blocks (AES-256-GCM); bytes all zero: not encrypted. */
struct extent_key {
    uint8_t bytes[32];
    bool present;
};

struct extent_options {
    struct rf_fs *fs;
    const struct extent_key *key; /* NULL: plain */
    struct rf_budget *budget;     /* pays for everything held in memory */
    int compression_level;        /* 0: lz4 only; else zstd at this level */
    bool no_term_index;
};

/* What a manifest keeps of a sealed extent. */
struct extent_info {
    uint64_t row_count, file_bytes;
    int64_t time_min, time_max; /* of the time column; 0, -1 when it has none */
    uint8_t digest[32];         /* SHA-256 of the whole file */
};

/* ---- writing ---------------------------------------------------------------------------------------- */

struct extent_writer;
/* `columns` are copied. The column called TimeGenerated (datetime), if there is one, is the time column. */
RF_MUST_USE enum rf_kind extent_writer_new(const struct extent_options *options,
                                           const struct extent_column *columns,
                                           uint32_t column_count, struct extent_writer **out,
                                           struct rf_err *err);
/* Takes in rows: columns as given to extent_writer_new, vectors of any shape, bytes copied (a dictionary's entries once).
 * RF_LIMIT ExtentFull when EXTENT_ROWS_MAX would be passed: nothing is taken then. */
RF_MUST_USE enum rf_kind extent_append(struct extent_writer *w, const struct batch *batch,
                                       struct rf_err *err);
uint64_t extent_writer_rows(const struct extent_writer *w);
uint64_t extent_writer_bytes(const struct extent_writer *w); /* memory held, about */
/* Sorts by time (stable), encodes, writes `path` and syncs the file and its folder. The writer is empty afterwards and may be used
 * again, also after an error (the file is removed then). */
RF_MUST_USE enum rf_kind extent_seal(struct extent_writer *w, const char *path,
                                     struct extent_info *info, struct rf_err *err);
void extent_writer_free(struct extent_writer *w);

/* ---- reading ---------------------------------------------------------------------------------------- */

struct extent;
/* Reads header and footer only: cheap (one or two reads). RF_CORRUPT names the file and range. */
RF_MUST_USE enum rf_kind extent_open(const struct extent_options *options, const char *path,
                                     struct extent **out, struct rf_err *err);
void extent_free(struct extent *e);
uint64_t extent_row_count(const struct extent *e);
/* The extent's own columns (a table may have gained others since). */
const struct extent_column *extent_columns(const struct extent *e, uint32_t *count);

/* A test that every wanted row passes; an extent, block or granule without such a row may be left out, and rows that do not
 * pass may still come. */
struct extent_test {
    uint32_t column; /* index into the extent's columns */
    enum extent_test_kind {
        EXTENT_RANGE, /* low <= value <= high; either may be null: open. Numbers, datetime, timespan, string */
        EXTENT_EQUALS,    /* equals one of values[] (string: exact; fold: without ASCII case) */
        EXTENT_TERMS,     /* the text holds all of terms[] as whole terms (any case) */
        EXTENT_TERMS_ANY, /* the text holds one of terms[] as a whole term */
        EXTENT_CONTAINS,  /* the text holds values[0] as a substring (fold: any ASCII case) */
    } kind;
    struct value low, high;
    const struct value *values;
    uint32_t value_count;
    const rf_str *terms; /* lower case */
    uint32_t term_count;
    bool fold;
};

struct extent_cursor;
/* A column to read (an index into the extent's), or a path of a dynamic one: what lies under `keys`, as a dynamic, null when
 * there is nothing. Reading a path costs no more than its own leaf where the column is kept by shapes. */
struct extent_want {
    uint32_t column;
    const rf_str *keys; /* must live as long as the cursor */
    uint32_t key_count; /* 0: the column itself */
};
/* Reads `wants` of rows that may pass all `tests`. */
RF_MUST_USE enum rf_kind extent_cursor_of(struct extent *e, const struct extent_want *wants,
                                          uint32_t want_count, const struct extent_test *tests,
                                          uint32_t test_count, struct rf_budget *budget,
                                          struct extent_cursor **out, struct rf_err *err);
/* The same for whole columns. */
RF_MUST_USE enum rf_kind extent_cursor_new(struct extent *e, const uint32_t *columns,
                                           uint32_t column_count, const struct extent_test *tests,
                                           uint32_t test_count, struct rf_budget *budget,
                                           struct extent_cursor **out, struct rf_err *err);
/* Limits the cursor to blocks from..to-1 (for several workers on one extent); default all. */
void extent_cursor_blocks(struct extent_cursor *c, uint32_t from, uint32_t to);
uint32_t extent_block_count(const struct extent *e);
/* The next rows (at most BATCH_ROWS), in time order, or row_count 0 at the end. Views live until the next call. Low-cardinality
 * strings come as VEC_DICT with a dict_id that is the same for the whole cursor. */
RF_MUST_USE enum rf_kind extent_cursor_next(struct extent_cursor *c, struct batch *out,
                                            struct rf_err *err);
/* The same in two steps, for readers that look at some columns before they want the others: moves to the next rows and says
 * how many they are (0 at the end); then reads wanted columns of them, by their place in `columns`, in any order. `rows`
 * are the numbers of those that are wanted, rising, and `out` has just these; NULL: all. A view lives until the next
 * move, or until other rows of the same column, or of a path of it, are asked for. A column that is not asked for costs nothing. */
RF_MUST_USE enum rf_kind extent_cursor_seek(struct extent_cursor *c, uint32_t *rows,
                                            struct rf_err *err);
RF_MUST_USE enum rf_kind extent_cursor_column(struct extent_cursor *c, uint32_t index,
                                              const uint32_t *rows, uint32_t row_count,
                                              struct vec *out, struct rf_err *err);
/* Of the current rows those that may pass, as far as the index of terms tells (numbers as in extent_cursor_column, rising;
 * they live until the next move); NULL: all may. */
const uint32_t *extent_cursor_rows(const struct extent_cursor *c, uint32_t *row_count);
/* From the last page to the first from now on; within a page rows stay in time order. Before the first move, after
 * extent_cursor_blocks. */
void extent_cursor_backwards(struct extent_cursor *c);
void extent_cursor_free(struct extent_cursor *c);

/* Reads every block and checks every checksum, dictionary, code and count: fsck. The first fault is returned as RF_CORRUPT with file and
 * range; *blocks_read counts. */
RF_MUST_USE enum rf_kind extent_verify(struct extent *e, uint64_t *blocks_read, struct rf_err *err);

#endif
