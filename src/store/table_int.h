/* table_int.h - what the files of store and table share. */
#ifndef RF_TABLE_INT_H
#define RF_TABLE_INT_H

#include "store/journal.h"
#include "store/manifest.h"
#include "store/table.h"

enum { TABLE_COMPRESSION_LEVEL = 0, TABLE_PATH_BYTES_MAX = 4096 };

struct store {
    struct store_options options;
    struct extent_key key; /* a copy; options.key points to it when there is one */
    char *folder;
};

struct table_path {
    char text[TABLE_PATH_BYTES_MAX];
};
/* The folder of a table; RF_INVALID BadTableName. Bytes that a file system may treat specially are written %XX. */
RF_MUST_USE enum rf_kind table_folder(const struct store *store, rf_str name,
                                      struct table_path *out, struct rf_err *err);
/* Files of a table; `folder` is short enough for them by table_folder. */
struct table_path table_file(const char *folder, const char *name);
struct table_path table_extent_path(const char *folder, uint64_t number);
struct table_path table_journal_path(const char *folder, uint64_t number);
/* "extent-17.rfx" or "journal-17.rfj"; false when it is neither. */
bool table_file_parse(rf_str name, enum manifest_file *file, uint64_t *number);

/* Reads and checks the manifest of `folder`; RF_NOT_FOUND TableNotFound. Everything lies in `arena`. With `held`, the
 * file stays open under a shared lock that keeps its files from being removed. */
RF_MUST_USE enum rf_kind table_manifest_read(const struct store *store, rf_str name,
                                             const char *folder, struct rf_arena *arena,
                                             struct manifest *out, struct rf_file **held,
                                             struct rf_err *err);
/* The key to use for this table's files: the store's, or `own`, which it fills; NULL when it is plain. RF_DENIED KeyNeeded, WrongKey. */
RF_MUST_USE enum rf_kind table_key(const struct store *store, rf_str name, const char *folder,
                                   const struct manifest *m, struct extent_key *own,
                                   const struct extent_key **out, struct rf_err *err);
/* Makes a key of its own for a table that has no manifest yet, on the disk when it returns: into `own`, which stays empty without a keyring. */
RF_MUST_USE enum rf_kind table_key_make(const struct store *store, const char *folder,
                                        struct extent_key *own, struct rf_err *err);
struct extent_options table_extent_options(const struct store *store, const struct extent_key *key);
struct journal_options table_journal_options(const struct store *store,
                                             const struct extent_key *key, const char *path);
struct rf_clock *store_clock(const struct store *store);

/* For each of `wanted`'s columns the index of the one of that name in `columns`, UINT32_MAX when there is none. Cheap when
 * both are in the same order. */
void table_map_columns(const struct extent_column *wanted, uint32_t wanted_count,
                       const struct extent_column *columns, uint32_t column_count, uint32_t *map);
/* A constant null, or empty text, of a column that a part lacks. */
struct vec table_missing(enum type type);
/* TimeGenerated of type datetime; -1 when there is none. */
int table_time_column(const struct extent_column *columns, uint32_t count);

/* ---- the writer, for table_write.c and table_merge.c ------------------------------------------------------------- */

struct table_writer {
    struct store *store;
    const struct extent_key *key;
    struct extent_key own_key;
    char *name, *folder;
    struct rf_file *lock;
    struct rf_arena arena; /* of `m` */
    struct manifest m;     /* as it is on the disk */
    /* Merges draw numbers too, while rows are appended. */
    atomic_uint_fast64_t next_number;
    uint64_t sequence;
    struct rf_arena fixed;         /* of columns and indexes */
    struct extent_column *columns; /* of the caller's batches */
    uint32_t *indexes;             /* of those in the table */
    uint32_t column_count;
    int time_column;
    struct journal_writer *journal; /* NULL before the first row that goes there */
    uint64_t journal_number;
    struct extent_writer *extents;  /* NULL before the first row that goes there */
    bool bulk;                      /* rows go to `extents` at once */
    uint64_t bulk_rows;             /* of the commit under way */
    struct manifest_extent *sealed; /* since the last commit */
    uint32_t sealed_count, sealed_cap;
    struct rf_file **retired; /* manifests replaced by this writer that readers may hold */
    uint32_t retired_count, retired_cap;
    rf_str position; /* malloced */
    bool folding;    /* a merge that is under way has the journal's rows */
    bool failed;     /* nothing further may be written */
    bool in_doubt;   /* a manifest that names `sealed` may or may not be in place */
    struct table_recovery recovery;
};

/* Puts `next` in place of the manifest: generation and next_number are set here. Afterwards w->m is a copy of it. */
RF_MUST_USE enum rf_kind table_manifest_replace(struct table_writer *w, struct manifest *next,
                                                struct rf_err *err);
/* Adds a file to next->dropped; the array is in `arena`. False: lack of memory. */
bool table_drop_file(struct table_writer *w, struct manifest *next, enum manifest_file file,
                     uint64_t number, struct rf_arena *arena);
/* Removes dropped files that nobody can be reading. */
void table_purge(struct table_writer *w);
/* Seals `writer` into a new file. On success *out describes it. */
RF_MUST_USE enum rf_kind table_seal(struct table_writer *w, struct extent_writer *writer, bool full,
                                    struct manifest_extent *out, struct rf_err *err);
/* The journal's rows become an extent. */
RF_MUST_USE enum rf_kind table_fold_journal(struct table_writer *w, struct rf_err *err);
/* Fails when an earlier call did. */
RF_MUST_USE enum rf_kind table_writer_usable(const struct table_writer *w, struct rf_err *err);

#endif
