/* journal.h - the newest rows of a table: an append-only file of records, each a batch of rows or the
 * end of a commit. The layout is drawn in journal.c, that of a batch in journal_batch.c.
 *
 * All records of a commit are written at once and synced once. A commit counts when its last record
 * is whole: what stands behind the last whole commit is a torn tail, of a crash or of a write that is
 * under way, and is left aside. After each sync a mark is written which says that the commit before it
 * was acknowledged, so that damage to acknowledged rows is told from a torn tail. */
#ifndef RF_JOURNAL_H
#define RF_JOURNAL_H

#include "store/extent.h"

/* ---- batches as bytes ---------------------------------------------------------------------------- */

/* A batch whose column i is column indexes[i] of the table. */
struct journal_batch {
    struct batch batch;
    const uint32_t *indexes;
};
/* Appends the columns of `in` to `out`; `scratch` is for work and is not reset. Look at out->failed.
 * False: lack of memory. */
RF_MUST_USE bool journal_batch_encode(const struct journal_batch *in, struct rf_arena *scratch,
                                      struct rf_buf *out);
/* Views of `bytes` and of `arena`. Column types must be those of the table's columns.
 * Errors: RF_CORRUPT JournalDamaged with text "why" only; RF_LIMIT MemoryBudgetExceeded. */
RF_MUST_USE enum rf_kind journal_batch_decode(rf_str bytes, const struct extent_column *columns,
                                              uint32_t column_count, struct rf_arena *arena,
                                              struct journal_batch *out, struct rf_err *err);

/* ---- writing --------------------------------------------------------------------------------------- */

struct journal_options {
    struct rf_fs *fs;
    const char *path;             /* borrowed */
    const struct extent_key *key; /* NULL: plain */
    struct rf_budget *budget;
};
/* Times of the rows in a record; 0, -1 when none has a time. */
struct journal_times {
    int64_t min, max;
};

struct journal_writer;
/* For a new file; nothing is created before the first journal_flush. */
RF_MUST_USE enum rf_kind journal_writer_new(const struct journal_options *options,
                                            struct journal_writer **out, struct rf_err *err);
void journal_writer_free(struct journal_writer *w); /* closes; what was not flushed is gone */
/* Keeps rows for the next flush. */
RF_MUST_USE enum rf_kind journal_put(struct journal_writer *w, const struct journal_batch *batch,
                                     struct journal_times times, struct rf_err *err);
/* Memory held for rows not flushed yet, and what they take before compression. */
size_t journal_pending_bytes(const struct journal_writer *w);
size_t journal_pending_plain_bytes(const struct journal_writer *w);
uint64_t journal_pending_rows(const struct journal_writer *w);
/* Writes what was kept as commit number `sequence`, syncs, marks. After an error the writer must not
 * be used again; whether the commit counts is then for the next reader of the file to say. The name of
 * a new file is not synced here. */
RF_MUST_USE enum rf_kind journal_flush(struct journal_writer *w, uint64_t sequence, rf_str position,
                                       struct rf_err *err);
/* Forgets what was not flushed. */
void journal_drop_pending(struct journal_writer *w);
/* Bytes and rows in the file. */
uint64_t journal_bytes(const struct journal_writer *w);
uint64_t journal_rows(const struct journal_writer *w);
bool journal_exists(const struct journal_writer *w);

/* ---- reading --------------------------------------------------------------------------------------- */

struct journal_summary {
    uint64_t end;        /* of the last whole commit */
    uint64_t tail_bytes; /* behind it */
    uint64_t row_count, commit_count;
    uint64_t sequence; /* of the last commit; 0: none */
    struct journal_times times;
    bool all_times;  /* false when rows lie in records that say no time */
    rf_str position; /* of the last commit; in `arena` */
};
/* Reads the whole file and checks every record. A tail that is not whole is no error; a record that
 * is bad although a later one shows that it was acknowledged is RF_CORRUPT JournalDamaged with range.
 * Further errors: RF_DENIED WrongKey, RF_INVALID JournalVersion. */
RF_MUST_USE enum rf_kind journal_scan(const struct journal_options *options, struct rf_arena *arena,
                                      struct journal_summary *out, struct rf_err *err);

struct journal_reader;
/* Reads the rows of commits that end at or before `end`, as journal_scan gave it. */
RF_MUST_USE enum rf_kind journal_reader_open(const struct journal_options *options, uint64_t end,
                                             struct journal_reader **out, struct rf_err *err);
/* The next record's rows, valid until the next call; row_count 0 at the end. Skips records whose times
 * lie outside min..max. */
RF_MUST_USE enum rf_kind journal_read(struct journal_reader *r, const struct extent_column *columns,
                                      uint32_t column_count, int64_t min, int64_t max,
                                      struct journal_batch *out, struct rf_err *err);
void journal_reader_free(struct journal_reader *r);
/* The rows kept for the next flush, batch by batch. */
struct journal_pending;
const struct journal_pending *
journal_pending_first(const struct journal_writer *w); /* NULL: none */
const struct journal_pending *journal_pending_next(const struct journal_pending *p);
RF_MUST_USE enum rf_kind journal_pending_read(const struct journal_writer *w,
                                              const struct journal_pending *p,
                                              const struct extent_column *columns,
                                              uint32_t column_count, struct rf_arena *arena,
                                              struct journal_batch *out, struct rf_err *err);

/* Puts what stands behind `from`, where a commit ended up to which there were `rows` rows, into a new file, synced (its name is not).
 * Nothing may be kept for the next flush. */
RF_MUST_USE enum rf_kind journal_tail(const struct journal_writer *w, uint64_t from, uint64_t rows,
                                      const char *to, struct journal_writer **out,
                                      struct rf_err *err);
/* Puts the whole commits of one journal into a new file, synced (its name is not): what an earlier
 * process wrote and never synced becomes durable, and a torn tail stays behind. */
RF_MUST_USE enum rf_kind journal_copy(const struct journal_options *from,
                                      const struct journal_summary *summary, const char *to,
                                      struct journal_writer **out, struct rf_err *err);

#endif
