/* input.h - the bytes of a file or of standard input, unpacked on the way when they are gzip or
 * zstd. What they are is told by their first bytes, not by the name. Several gzip members or zstd
 * frames one after another are one text.
 *
 * Memory: two buffers of INPUT_BUFFER_BYTES, and the window that the packed stream asks for, up to
 * 128 MiB (larger ones are refused). */
#ifndef RF_INPUT_H
#define RF_INPUT_H

#include "base/fs.h"

enum { INPUT_BUFFER_BYTES = 256 * 1024 };

enum input_packing { INPUT_PLAIN, INPUT_GZIP, INPUT_ZSTD };

struct input;

/* fs    where the file lies; NULL is the real one
 * path  "-" is standard input
 * Errors: those of fs.h; RF_INVALID NotAFile for a folder; RF_CORRUPT as in input_read. */
RF_MUST_USE enum rf_kind input_open(struct rf_fs *fs, const char *path, struct input **out,
                                    struct rf_err *err);
/* Reads a text that is in memory; `bytes` is borrowed until the free. */
RF_MUST_USE enum rf_kind input_open_memory(rf_str bytes, struct input **out, struct rf_err *err);
void input_free(struct input *input); /* NULL is fine */

/* Reads 1..cap bytes (cap > 0); *got 0 is the end. It may give fewer than cap before the end.
 * Errors: RF_CORRUPT BadGzip, BadZstd, TruncatedInput with the offset in the packed bytes; RF_IO.
 * What was given before an error was good. */
RF_MUST_USE enum rf_kind input_read(struct input *input, void *bytes, size_t cap, size_t *got,
                                    struct rf_err *err);
enum input_packing input_packing(const struct input *input);
/* For progress: bytes taken from the file so far, and its size, 0 when that is unknown (a pipe). */
uint64_t input_raw_offset(const struct input *input);
uint64_t input_raw_bytes(const struct input *input);
uint64_t input_offset(const struct input *input); /* bytes given so far */

#endif
