/* reader_stream.h - a file, read through a reader from its first row to its last, and the guess of what kind of
 * file it is. Memory: the reader's, and a buffer of READER_PIECE_BYTES that grows to the longest row. */
#ifndef RF_READER_STREAM_H
#define RF_READER_STREAM_H

#include "base/fs.h"
#include "store/reader.h"

enum { READER_PIECE_BYTES = 4 << 20 };

/* Where the text comes from. */
struct reader_input {
    struct rf_fs *fs; /* NULL: the real one */
    const char *path; /* "-" is standard input; NULL: `memory` */
    rf_str memory;    /* borrowed */
};

/* Format and delimiter by the file's name (.csv, .tsv, .json, .jsonl, .ndjson, packed or not) and its first bytes:
 * an array or objects over several lines are told from JSON lines by looking. `name` may be empty. Sets
 * options->format and options->delimiter. */
RF_MUST_USE enum rf_kind reader_guess_format(const struct reader_input *input, rf_str name,
                                             struct reader_options *options, struct rf_err *err);
/* True when a file of this name may be a table: the extensions above, and .gz, .zst, .zstd behind them. */
bool reader_is_table_name(rf_str name);
/* The table name that a file name gives: its first part, made an identifier. Allocates in `arena`; ptr NULL on lack
 * of memory. */
rf_str reader_table_name(rf_str path, struct rf_arena *arena);

/* Infers the columns in one pass over the whole text. */
RF_MUST_USE enum rf_kind reader_infer(const struct reader_input *input,
                                      const struct reader_options *options, struct rf_arena *arena,
                                      struct reader_column **columns, uint32_t *count,
                                      struct rf_err *err);

struct reader_stream;
RF_MUST_USE enum rf_kind reader_stream_open(const struct reader_input *input,
                                            const struct reader_options *options,
                                            struct reader_stream **out, struct rf_err *err);
void reader_stream_free(struct reader_stream *stream);
/* The next batch, valid until the next call; row_count 0 at the end. */
RF_MUST_USE enum rf_kind reader_stream_next(struct reader_stream *stream, struct batch *out,
                                            struct rf_err *err);
struct reader_counts reader_stream_counts(const struct reader_stream *stream);
const struct reader *reader_stream_reader(const struct reader_stream *stream);
/* For progress: packed bytes taken so far and their number, 0 when unknown. */
uint64_t reader_stream_raw_offset(const struct reader_stream *stream);
uint64_t reader_stream_raw_bytes(const struct reader_stream *stream);

#endif
