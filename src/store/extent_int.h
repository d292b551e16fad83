/* extent_int.h - what the files of extent share. */
#ifndef RF_EXTENT_INT_H
#define RF_EXTENT_INT_H

#include "store/block.h"
#include "store/extent.h"
#include "store/extent_format.h"

#include <pthread.h>

struct extent_region {
    uint64_t offset;
    uint32_t bytes;
    uint8_t check[16];
};

/* ---- secrets of one file (extent_crypt.c) ------------------------------------------------------------------ */

struct extent_crypt {
    bool on;
    uint8_t id[EXTENT_ID_BYTES];
    uint8_t key[32];
    uint8_t key_check[EXTENT_KEY_CHECK_BYTES];
};
/* Key and check for a file with this id. */
RF_MUST_USE enum rf_kind extent_crypt_init(struct extent_crypt *crypt, const struct extent_key *key,
                                           const uint8_t id[EXTENT_ID_BYTES], struct rf_err *err);
/* Encrypts in place and writes the tag behind. */
RF_MUST_USE bool extent_crypt_seal(const struct extent_crypt *crypt, uint64_t offset,
                                   uint8_t *bytes, size_t len);
/* Decrypts in place; `len` without the tag that follows. False: bytes or key are not those that were written. */
RF_MUST_USE bool extent_crypt_open(const struct extent_crypt *crypt, uint64_t offset,
                                   uint8_t *bytes, size_t len);

/* xxh3-128 as it is stored. */
void extent_checksum(const void *bytes, size_t len, uint8_t out[16]);

/* ---- a file being written (extent_file.c) -------------------------------------------------------------------- */

struct extent_file {
    struct rf_fs *fs;
    struct rf_file *file;
    const char *path;
    struct extent_crypt crypt;
    uint64_t offset;         /* of the next byte */
    struct block_buf buffer; /* not yet handed to the file */
    void *digest;            /* EVP_MD_CTX */
    /* Regions written before, by their check: a column that repeats another's codes costs nothing. */
    struct block_buf regions;
    uint32_t *region_slots, region_cap;
};
RF_MUST_USE enum rf_kind extent_file_create(struct extent_file *f,
                                            const struct extent_options *options, const char *path,
                                            struct rf_err *err);
/* Writes `bytes` as a region. They may be changed (encrypted) and need EXTENT_TAG_BYTES of room behind them. */
RF_MUST_USE enum rf_kind extent_file_region(struct extent_file *f, struct block_buf *bytes,
                                            struct extent_region *out, struct rf_err *err);
/* Trailer, sync, digest. */
RF_MUST_USE enum rf_kind extent_file_finish(struct extent_file *f,
                                            const struct extent_region *footer,
                                            struct extent_info *info, struct rf_err *err);
/* Closes; when `keep` is false removes the file. */
void extent_file_close(struct extent_file *f, bool keep);
RF_MUST_USE bool extent_put_region(struct block_buf *out, const struct extent_region *region);
/* The folder that a path names a file in; allocates in `arena`. NULL: no memory. */
char *extent_folder_of(const char *path, struct rf_arena *arena);

/* ---- an open extent (extent_read.c) ---------------------------------------------------------------------------- */

struct extent_block {
    struct extent_region region;
    uint32_t
        rows; /* fewer than the extent's block has in columns inside columns; 0: there is no region */
    uint32_t nulls;
    uint8_t flags;
    uint8_t min[16], max[16];
};

/* Entries of a dictionary, decoded once for all cursors: all of them, or one after the other (extent_dict.c). */
struct extent_dict {
    bool whole;
    const void *cells;    /* when it is whole: rf_str, or 16-byte cells */
    const uint8_t *nulls; /* as well; as in a vec: the empty text is null, but in a string column */
    struct block_buf items, cell_bytes, null_bytes;
    struct extent_dict_chunk *chunks; /* whose views the texts are */
    uint32_t chunk_items, chunk_count;
    struct block_buf known; /* a flag per entry that was read on its own */
    uint32_t known_count;
    struct block_buf spare; /* what a chunk's stored bytes lay in */
    struct rf_arena own;    /* texts of entries that were read on their own */
    struct block_codec codec;
};

struct extent_col {
    uint8_t type;    /* enum type */
    uint8_t storage; /* enum extent_storage */
    bool has_terms;
    uint32_t dict_count; /* what codes are below */
    struct extent_region dict, terms;
    uint32_t inner, inner_count; /* EXTENT_SHAPES: columns within, by number */
    struct extent_block *blocks;
    struct extent_dict *loaded;   /* under the extent's lock */
    struct extent_shapes *shapes; /* as well */
};

struct extent {
    struct rf_fs *fs;
    struct rf_budget *budget;
    struct rf_arena arena;
    char *path;
    struct rf_file *file;
    uint64_t file_bytes;
    struct extent_crypt crypt;
    uint64_t row_count;
    uint32_t block_count, time_column;
    int64_t time_min, time_max;
    uint32_t column_count, all_count; /* all: with columns within columns, which come last */
    struct extent_column *names;
    struct extent_col *columns;
    struct extent_path_dict *path_dicts; /* newest first; under the lock */
    pthread_mutex_t lock;
    bool lock_ready;
};

static inline uint32_t extent_block_rows(const struct extent *e, uint32_t block)
{
    uint64_t from = (uint64_t)block * EXTENT_BLOCK_ROWS;
    return (uint32_t)RF_MIN((uint64_t)EXTENT_BLOCK_ROWS, e->row_count - from);
}
/* True for types that are kept as byte strings: string, dynamic, and the 16 bytes of guid and decimal. */
static inline bool extent_is_texts(enum type t)
{
    return type_is_bytes(t) || t == TYPE_GUID || t == TYPE_DECIMAL;
}

/* Reads and checks a region into `buf` (its earlier content is lost). */
RF_MUST_USE enum rf_kind extent_read_region(struct extent *e, const struct extent_region *region,
                                            struct block_buf *buf, rf_str *out, struct rf_err *err);
/* Puts file and range before the text of an RF_CORRUPT error; passes other kinds on. */
enum rf_kind extent_fault(struct extent *e, const struct extent_region *region, enum rf_kind kind,
                          struct rf_err *err);
/* The entries of a column's dictionary. Safe from any thread. */
RF_MUST_USE enum rf_kind extent_load_dict(struct extent *e, uint32_t column,
                                          const struct extent_dict **out, struct rf_err *err);
uint64_t extent_dict_id(const struct extent *e, uint32_t column);
/* True when it is likely cheaper to read the entries of `count` codes than to load the dictionary. Safe from any thread. */
bool extent_dict_by_entry(struct extent *e, uint32_t column, uint32_t count);
/* The entries of `count` codes, and whether they are null: unpacks and checks what they need only. `cells` gets rf_str, which
 * live as long as the extent, or 16-byte cells. Safe from any thread. */
RF_MUST_USE enum rf_kind extent_read_entries(struct extent *e, uint32_t column,
                                             const uint32_t *codes, uint32_t count, void *cells,
                                             uint8_t *nulls, struct rf_err *err);
void extent_dict_free(struct extent_dict *dict); /* NULL is fine */

/* A list of texts in chunks. */
struct extent_list {
    uint32_t item_count, chunk_items, chunk_count;
    const uint8_t *regions; /* in the bytes given to extent_list_open */
};
RF_MUST_USE enum rf_kind extent_list_open(struct extent *e, struct extent_list *list, rf_str bytes,
                                          uint32_t item_count, struct rf_err *err);
struct extent_region extent_region_at(const uint8_t *bytes);
bool extent_region_inside(const struct extent *e, const struct extent_region *region);
/* Checks that texts are cells of the type (dyn_valid, 16 bytes, decimal's fields). */
RF_MUST_USE enum rf_kind extent_check_texts(enum type type, const rf_str *items, uint32_t count,
                                            struct rf_err *err);

/* ---- what a cursor may leave out (extent_filter.c) ------------------------------------------------------------- */

struct extent_filter {
    uint32_t column;
    enum extent_filter_kind {
        FILTER_NONE, /* says nothing */
        FILTER_I64,  /* low <= cell <= high */
        FILTER_REAL,
        FILTER_TEXT, /* range of texts, by block only */
        FILTER_CODES /* pass[code] */
    } kind;
    int64_t low, high;
    double real_low, real_high;
    bool has_low, has_high;
    uint8_t text_low[16], text_high[16]; /* first bytes */
    const uint8_t *pass;
};

struct extent_filters {
    struct extent_filter *items;
    uint32_t count;
    bool none;         /* no row can pass */
    uint8_t *granules; /* 1: may hold a row; NULL: all may */
};
RF_MUST_USE enum rf_kind extent_filters_make(struct extent *e, const struct extent_test *tests,
                                             uint32_t test_count, struct rf_arena *arena,
                                             struct rf_budget *budget, struct extent_filters *out,
                                             struct rf_err *err);
/* Whether a block may hold rows that pass, by its header. */
bool extent_filter_block(const struct extent *e, const struct extent_filter *filter,
                         uint32_t block);
/* Whether one of `count` cells, or codes, may pass. */
bool extent_filter_cells(const struct extent_filter *filter, const void *cells, uint32_t count);
bool extent_filter_codes(const struct extent_filter *filter, const uint32_t *codes, uint32_t count);

/* The first 16 bytes of a text, filled up with zeros. */
static inline void extent_text_head(rf_str text, uint8_t out[16])
{
    if (text.len >= 16) {
        memcpy(out, text.ptr, 16);
        return;
    }
    memset(out, 0, 16);
    if (text.len > 0) memcpy(out, text.ptr, text.len);
}

/* ---- pages of one column (extent_page.c) ------------------------------------------------------------------------- */

enum { EXTENT_SPARSE_ROWS_MAX = 64 }; /* few rows of a page */

/* What a cursor holds of a column: a block, a chunk of texts, a page. */
struct extent_pages {
    struct extent *extent;
    uint32_t column;
    struct block_codec *codec;
    uint32_t block, page; /* loaded; UINT32_MAX: none */
    struct block_buf stored, memory, null_memory;
    bool has_nulls;
    struct block_ints nulls, ints;
    struct block_reals reals;
    struct extent_list list;
    uint32_t chunk;
    struct block_buf chunk_stored;
    struct block_texts texts;
    struct block_buf items, cells,
        page_nulls; /* of one page; items: the texts that were read last */
    bool page_has_nulls;
};
void extent_pages_init(struct extent_pages *pages, struct extent *e, uint32_t column,
                       struct block_codec *codec, struct rf_budget *budget);
void extent_pages_done(struct extent_pages *pages);
/* Makes page `page` of block `block` the current one and says how many rows it has. Numbers and codes then lie in
 * `cells`, their null flags in extent_pages_nulls. */
RF_MUST_USE enum rf_kind extent_pages_load(struct extent_pages *pages, uint32_t block,
                                           uint32_t page, uint32_t *rows, struct rf_err *err);
/* True when a few rows of a page can be had without the others, and the page is not loaded yet. */
bool extent_pages_sparse(const struct extent_pages *pages, uint32_t block, uint32_t page,
                         uint32_t row_count);
/* Reads just these rows (numbers within the page, strictly rising) of it: the first cells and null flags are theirs. The page is
 * not loaded afterwards. */
RF_MUST_USE enum rf_kind extent_pages_rows(struct extent_pages *pages, uint32_t block,
                                           uint32_t page, const uint32_t *rows, uint32_t row_count,
                                           struct rf_err *err);
/* Reads rows of the current page (numbers within it, rising; NULL: the first row_count) of a column that is kept as
 * EXTENT_TEXTS. *cells are rf_str, or 16-byte cells; *nulls as in a vec. They live until the next call. */
RF_MUST_USE enum rf_kind extent_pages_texts(struct extent_pages *pages, const uint32_t *rows,
                                            uint32_t row_count, const void **cells,
                                            const uint8_t **nulls, struct rf_err *err);
static inline const uint8_t *extent_pages_nulls(const struct extent_pages *pages)
{
    return pages->page_has_nulls ? pages->page_nulls.ptr : NULL;
}

#endif
