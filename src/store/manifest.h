/* manifest.h - the file that says what a table is made of: columns, sealed extents, the journal, how
 * far the source of its rows was read. It is small, is read whole, and is only ever replaced whole:
 * write `manifest.new`, sync, rename, sync the folder. The layout is drawn in manifest.c. */
#ifndef RF_MANIFEST_H
#define RF_MANIFEST_H

#include "base/clock.h"
#include "store/extent.h"

enum {
    MANIFEST_BYTES_MAX = 64 << 20,
    MANIFEST_COLUMNS_MAX = 10000,
    MANIFEST_NAME_BYTES_MAX = 4096,
    MANIFEST_POSITION_BYTES_MAX = 1 << 20,
    MANIFEST_KEY_CHECK_BYTES = 16
};

struct manifest_extent {
    uint64_t number; /* of its file */
    struct extent_info info;
    bool full; /* as large as it gets: merging leaves it alone */
};

enum manifest_file { MANIFEST_EXTENT_FILE, MANIFEST_JOURNAL_FILE };
/* A file that a reader of an older manifest may still use. */
struct manifest_dropped {
    uint64_t number;
    rf_usec since;
    enum manifest_file file;
    bool inherited; /* dropped by an earlier writer; not stored */
};

/* The arrays lie in the arena that made them. */
struct manifest {
    uint64_t generation;     /* counts replacements */
    uint64_t next_number;    /* for the next file, extent or journal */
    uint64_t journal;        /* number of the journal; 0: there is none */
    uint64_t sequence;       /* of the last commit that is in here and not in the journal */
    int64_t retention_ticks; /* 0: rows are kept for ever */
    bool encrypted;
    uint8_t
        key_check[MANIFEST_KEY_CHECK_BYTES]; /* tells a wrong key before a file is read with it */
    struct extent_column *columns;
    uint32_t column_count;
    struct manifest_extent *extents;
    uint32_t extent_count;
    struct manifest_dropped *dropped;
    uint32_t dropped_count;
    rf_str position; /* as given to table_commit */
};

/* Appends the file's bytes to `out`; look at out->failed. */
void manifest_encode(const struct manifest *m, struct rf_buf *out);
/* Reads a file's bytes; everything is copied into `arena`. `path` is for messages.
 * Errors: RF_CORRUPT ManifestDamaged, RF_INVALID ManifestVersion, RF_LIMIT MemoryBudgetExceeded. */
RF_MUST_USE enum rf_kind manifest_decode(rf_str bytes, const char *path, struct rf_arena *arena,
                                         struct manifest *out, struct rf_err *err);
/* The generation in a file's first bytes, without any check; 0 when there are too few. */
enum { MANIFEST_HEAD_BYTES = 32 };
uint64_t manifest_generation(rf_str head);

/* What key_check is for this key. */
void manifest_key_check(const struct extent_key *key, uint8_t out[MANIFEST_KEY_CHECK_BYTES]);

#endif
