/* table_ingest.h - the rows of a text file into a table: one pass, in bounded memory, exactly once.
 *
 * Each commit stores, as the table's position, how many rows of which file were taken. A file that
 * was taken before, wholly or in part, is known again by its first bytes, and goes on behind the last
 * committed row. The last INGEST_FILES_MAX files are remembered. Standard input is not.
 *
 * Columns: those given; else those of the table, and those of the rows that the table lacks, with types
 * inferred from the text at hand where they first appear. */
#ifndef RF_TABLE_INGEST_H
#define RF_TABLE_INGEST_H

#include "store/reader_stream.h"
#include "store/table.h"

enum {
    INGEST_FILES_MAX = 256,
    INGEST_HEAD_BYTES = 64 << 10,   /* of a file, by which it is known again */
    INGEST_SAMPLE_BYTES = 64 << 20, /* from which the first types are inferred */
    INGEST_NEW_COLUMNS_MAX = 2000,  /* inferred; further fields are left out */
};

struct ingest_progress {
    uint64_t rows, rejected; /* taken in this run, committed or not */
    uint64_t text_bytes;
    uint64_t raw_offset, raw_bytes; /* of the packed file; raw_bytes 0: unknown */
};

struct ingest_options {
    struct store *store;
    rf_str table;
    struct reader_input input;
    rf_str
        name; /* of the file, for its format and the remembered position; empty for standard input */
    const struct extent_column *columns; /* NULL: as told above */
    uint32_t column_count;
    bool again; /* take a file anew that was taken before */
    /* Called for each row that was left out, once. */
    void (*reject)(void *state, const struct reader_reject *reject);
    /* Called at the end, whether it is a good one, for each column that values did not fit; not of rows taken before. */
    void (*misfits)(void *state, const struct reader_column *column,
                    const struct reader_misfits *misfits);
    /* Called after every few thousand rows; false ends the ingestion with RF_CANCELLED. */
    bool (*progress)(void *state, const struct ingest_progress *progress);
    void *state; /* of all */
};

struct ingest_result {
    struct ingest_progress progress; /* all of it is committed when there was no error */
    uint64_t committed_rows;         /* in this run */
    uint64_t resumed_rows;           /* taken by an earlier run */
    bool already;                    /* the whole file was; nothing was done */
    uint64_t fields_left_out;        /* different ones, when there were too many */
    struct table_recovery recovery;
};

/* On an error the rows of the last commit are stored, and a further call goes on behind them. */
RF_MUST_USE enum rf_kind table_ingest(const struct ingest_options *options,
                                      struct ingest_result *out, struct rf_err *err);

#endif
