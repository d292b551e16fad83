/* infer.h - names and types of the columns of a text file, from all of its rows.
 *
 *   long      every value is a whole number within int64      real      every value is a number
 *   bool      true or false                                   datetime  every text that is not empty is an ISO
 *   dynamic   an object or array occurs                                 8601 date and time with a T
 *   string    everything else, mixed scalars too
 *
 * Nulls and empty texts say nothing; a column of nothing else is a string. Columns come in the order of their
 * first appearance. CSV knows texts only, so there the texts are judged: numbers, true/false, JSON objects. */
#ifndef RF_INFER_H
#define RF_INFER_H

#include "store/reader.h"

struct infer;

/* `options` as for a reader; columns are ignored. */
RF_MUST_USE enum rf_kind infer_new(const struct reader_options *options, struct infer **out,
                                   struct rf_err *err);
void infer_free(struct infer *infer);
/* Looks at a piece of text and says how many bytes were whole rows; the rest comes again at the start of the
 * next piece. Errors: RF_LIMIT TooManyColumns, MemoryBudgetExceeded. */
RF_MUST_USE enum rf_kind infer_feed(struct infer *infer, rf_str text, bool last, size_t *taken,
                                    struct rf_err *err);
/* What was found, allocated in `arena`. */
RF_MUST_USE enum rf_kind infer_columns(const struct infer *infer, struct rf_arena *arena,
                                       struct reader_column **out, uint32_t *count,
                                       struct rf_err *err);

#endif
