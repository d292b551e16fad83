/* table.h - a table on disk: its columns, its sealed extents, its journal of the newest rows.
 *
 *   DIR/<table>/manifest          which extents and which journal make the table; replaced by rename
 *   DIR/<table>/extent-<n>.rfx    sealed rows
 *   DIR/<table>/journal-<n>.rfj   acknowledged rows not yet in an extent
 *   DIR/<table>/writer.lock       one writer at a time; readers need no lock
 *
 * A reader opens a consistent set: the manifest, the extents it names and the journal as far as it was committed at that
 * moment. It holds a shared lock on the manifest file that it read. Files that no manifest names any more are
 * removed by the writer as soon as nobody holds a manifest that named them; a later writer, which cannot know those
 * manifests, removes them when TABLE_GRACE_USEC has passed. */
#ifndef RF_TABLE_H
#define RF_TABLE_H

#include "base/clock.h"
#include "store/extent.h"

enum {
    TABLE_NAME_BYTES_MAX = 200,
    TABLE_BULK_ROWS = 1 << 18,     /* a commit of fewer rows goes to the journal, ... */
    TABLE_BULK_BYTES = 64 << 20,   /* ... or of fewer bytes before compression */
    TABLE_BUFFER_BYTES = 96 << 20, /* memory of an extent being filled, at which it is sealed */
};
#define TABLE_GRACE_USEC (10 * 60 * RF_USEC_PER_SECOND)

/* Keys of tables: each has one of its own, which lies in its folder (file `key`) wrapped by whoever can unwrap it. Any thread. */
enum { STORE_WRAPPED_BYTES_MAX = 256 };
struct store_keyring {
    void *ctx;
    /* A new key, in clear and wrapped. */
    enum rf_kind (*make)(void *ctx, uint8_t wrapped[STORE_WRAPPED_BYTES_MAX], size_t *len,
                         struct extent_key *key, struct rf_err *err);
    enum rf_kind (*open)(void *ctx, rf_str wrapped, struct extent_key *key, struct rf_err *err);
    /* From now on nobody opens it any more; `what` is for people. */
    enum rf_kind (*destroy)(void *ctx, rf_str wrapped, rf_str what, struct rf_err *err);
};

struct store;
struct store_options {
    struct rf_fs *fs;
    const char *folder;
    const struct extent_key *key; /* NULL: not encrypted */
    /* Encrypts tables that are made from now on, each under a key of its own; `key` opens those that were made without. NULL: `key` is for
     * all, and tables with their own cannot be read (RF_DENIED KeyNeeded). Borrowed. */
    const struct store_keyring *keyring;
    struct rf_budget *budget;
    bool writer;            /* create the folder when it is missing */
    struct rf_clock *clock; /* for retention and grace times; NULL: the real one */
    bool no_term_index;     /* of extents that are written */
    int compression_level;  /* of extents that are written; 0: the default, below 0: lz4 only */
};
RF_MUST_USE enum rf_kind store_open(const struct store_options *options, struct store **out,
                                    struct rf_err *err);
void store_close(struct store *store);
/* Names of all tables, sorted; in `arena`. */
RF_MUST_USE enum rf_kind store_tables(struct store *store, struct rf_arena *arena, rf_str **names,
                                      uint32_t *count, struct rf_err *err);

/* The folder in which a table's files lie, NUL-terminated and in `arena`; it need not exist. */
RF_MUST_USE enum rf_kind store_table_folder(struct store *store, rf_str name,
                                            struct rf_arena *arena, const char **out,
                                            struct rf_err *err);

/* Destroys the table's own key, before its files go: no copy of them opens any more. Nothing when it has none, or there is no
 * keyring. */
RF_MUST_USE enum rf_kind store_destroy_key(struct store *store, rf_str name, struct rf_err *err);
/* Shows the table's own key to a sweep (crypt/rewrap.h), if it has one, and stores what comes back. The caller sees to it that nobody makes or drops the table meanwhile. */
struct rewrap_sweep;
RF_MUST_USE enum rf_kind store_rewrap_key(struct store *store, rf_str name,
                                          struct rewrap_sweep *sweep, struct rf_err *err);

/* ---- writing: one process at a time per table --------------------------------------------------------------- */

struct table_writer;
/* Opens or creates the table. Columns that it lacks are added (a column's type never changes: RF_CONFLICT ColumnTypeConflict);
 * the batches given later have exactly these columns, in this order. RF_CONFLICT TableLocked when another process writes.
 * Rows that a crash left in the journal are there again. */
RF_MUST_USE enum rf_kind table_writer_open(struct store *store, rf_str name,
                                           const struct extent_column *columns,
                                           uint32_t column_count, struct table_writer **out,
                                           struct rf_err *err);
/* What opening found that a crash or a failure had left: bytes behind the journal's last whole commit, which were never
 * acknowledged and are gone now, and files that no manifest names, which were removed. */
struct table_recovery {
    uint64_t journal_tail_bytes;
    uint32_t files_removed;
};
struct table_recovery table_writer_recovery(const struct table_writer *w);
/* Appends rows; they count as stored once table_commit returned RF_OK. */
RF_MUST_USE enum rf_kind table_append(struct table_writer *w, const struct batch *batch,
                                      struct rf_err *err);
/* Makes everything appended so far durable: journal written and synced (small amounts), or sealed as extents (large ones).
 * `position` (may be empty) is stored in the same commit: where the source of these rows got to, for exactly-once resumption. */
RF_MUST_USE enum rf_kind table_commit(struct table_writer *w, rf_str position, struct rf_err *err);
/* Much is to come: rows go to an extent at once. Without it the first TABLE_BULK_ROWS rows are packed for the journal in
 * vain. */
void table_expect_bulk(struct table_writer *w);
/* True when the rows appended since the last commit fill an extent: a commit now costs least. */
bool table_wants_commit(const struct table_writer *w);
/* Rows older than this, by TimeGenerated, are dropped by table_merge, whole extents at a time; 0: never. Durable on
 * return. */
RF_MUST_USE enum rf_kind table_set_retention(struct table_writer *w, int64_t ticks,
                                             struct rf_err *err);
int64_t table_retention(const struct table_writer *w);
/* The position of the last commit; allocated in `arena`. */
RF_MUST_USE enum rf_kind table_position(struct table_writer *w, struct rf_arena *arena, rf_str *out,
                                        struct rf_err *err);
/* Turns the journal and small extents into large ones; drops extents older than the retention. Nothing may be
 * appended and not committed (RF_CONFLICT UncommittedRows). What it did up to an error stays done. */
RF_MUST_USE enum rf_kind table_merge(struct table_writer *w, struct rf_err *err);
/* One step of it (the journal, or the old extents, or one extent's worth of small ones), for who has others waiting: in three parts.
 * table_merge_begin chooses what is to be done; *out NULL: nothing. table_merge_work does it, by any thread,
 * while the writer goes on: rows are appended and committed meanwhile. table_merge_end puts the result in the place of what was
 * merged, in moments, and takes the merge; `kind` and `err` are those of the work. One merge at a time, and the writer must not be
 * closed before its work has returned, which table_merge_cancel hurries (RF_CANCELLED). After that table_merge_forget instead of the
 * end: the next table_writer_open removes what was written.
 * `lazily`: few small extents that are far from a large one stay as they are, so that rows are not written again and again. */
struct table_merge;
RF_MUST_USE enum rf_kind table_merge_begin(struct table_writer *w, bool lazily,
                                           struct table_merge **out, struct rf_err *err);
RF_MUST_USE enum rf_kind table_merge_work(struct table_merge *merge, struct rf_err *err);
RF_MUST_USE enum rf_kind table_merge_end(struct table_merge *merge, enum rf_kind kind,
                                         struct rf_err *err);
void table_merge_cancel(struct table_merge *merge);
void table_merge_forget(struct table_merge *merge);
/* Commits nothing: what was not committed is gone. */
void table_writer_close(struct table_writer *w);

/* ---- reading -------------------------------------------------------------------------------------------------------- */

struct table; /* a consistent view */
RF_MUST_USE enum rf_kind table_open(struct store *store, rf_str name, struct table **out,
                                    struct rf_err *err);
void table_close(struct table *t);
const struct extent_column *table_columns(const struct table *t, uint32_t *count);
struct table_stats {
    uint64_t row_count, extent_count, disk_bytes, journal_rows;
    int64_t time_min, time_max; /* 0, -1: no row has a time */
    int64_t retention_ticks;    /* 0: rows are kept for ever */
};
struct table_stats table_stats(const struct table *t);
/* Sealed extents, oldest first, opened on first use; the journal's rows come as the last part. */
uint32_t table_part_count(const struct table *t);
/* The time range of a part from the manifest, without opening it; false when it has none. */
bool table_part_times(const struct table *t, uint32_t part, int64_t *min, int64_t *max);
uint64_t table_part_rows(const struct table *t, uint32_t part);
/* What the manifest keeps of a sealed extent, its file's SHA-256 among it; false for the journal. */
bool table_part_info(const struct table *t, uint32_t part, struct extent_info *out);
/* Blocks of EXTENT_BLOCK_ROWS rows, the last one with less; the journal is one block of any size. */
uint32_t table_part_blocks(const struct table *t, uint32_t part);
/* Lets several threads read one table: cursors of one table may be made and used side by side, each by one thread. The
 * journal's rows come in the order of their arrival.
 * A cursor over one part; the columns of wants and tests are indexes into table_columns. Columns that the part lacks come as
 * constant nulls (empty texts). Same rules as extent_cursor_next. */
struct table_cursor;
RF_MUST_USE enum rf_kind table_cursor_of(struct table *t, uint32_t part,
                                         const struct extent_want *wants, uint32_t want_count,
                                         const struct extent_test *tests, uint32_t test_count,
                                         struct rf_budget *budget, struct table_cursor **out,
                                         struct rf_err *err);
/* The same for whole columns. */
RF_MUST_USE enum rf_kind table_cursor_new(struct table *t, uint32_t part, const uint32_t *columns,
                                          uint32_t column_count, const struct extent_test *tests,
                                          uint32_t test_count, struct rf_budget *budget,
                                          struct table_cursor **out, struct rf_err *err);
RF_MUST_USE enum rf_kind table_cursor_next(struct table_cursor *c, struct batch *out,
                                           struct rf_err *err);
/* As extent_cursor_seek, extent_cursor_rows and extent_cursor_column. */
RF_MUST_USE enum rf_kind table_cursor_seek(struct table_cursor *c, uint32_t *rows,
                                           struct rf_err *err);
const uint32_t *table_cursor_rows(const struct table_cursor *c, uint32_t *row_count);
RF_MUST_USE enum rf_kind table_cursor_column(struct table_cursor *c, uint32_t index,
                                             const uint32_t *rows, uint32_t row_count,
                                             struct vec *out, struct rf_err *err);
/* Limits the cursor to a part's blocks from..to-1, so that several workers may share one part. */
void table_cursor_blocks(struct table_cursor *c, uint32_t from, uint32_t to);
/* As extent_cursor_backwards; the journal's rows stay in the order of their arrival. */
void table_cursor_backwards(struct table_cursor *c);
void table_cursor_free(struct table_cursor *c);

/* Copies the table as it is now into the folder `to`, a table of another store then; made when missing, and it must be empty:
 * RF_CONFLICT FileExists. A writer and readers go on meanwhile; no key is needed. Durable on return. *bytes: how much was copied. */
RF_MUST_USE enum rf_kind table_copy(struct store *store, rf_str name, const char *to,
                                    uint64_t *bytes, struct rf_err *err);

/* Removes the table and its files; the manifest goes first, so that a half that a crash leaves is no table. Nobody else may write to it
 * (RF_CONFLICT TableLocked); readers that have it open read on. RF_NOT_FOUND TableNotFound. Durable on return. */
RF_MUST_USE enum rf_kind table_drop(struct store *store, rf_str name, struct rf_err *err);
/* Another name for the table: RF_CONFLICT TableExists, TableLocked; RF_NOT_FOUND TableNotFound. Durable on return. Readers that
 * have it open may fail from then on. */
RF_MUST_USE enum rf_kind table_rename(struct store *store, rf_str from, rf_str to,
                                      struct rf_err *err);

/* Checks everything of a table: manifest, journal, extents. Calls `fault` for each fault found; RF_CORRUPT when there was one. */
RF_MUST_USE enum rf_kind table_fsck(struct store *store, rf_str name,
                                    void (*fault)(void *state, const struct rf_err *err),
                                    void *state, struct rf_err *err);

#endif
