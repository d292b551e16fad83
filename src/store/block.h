/* block.h - runs of values to bytes and back: what an extent's blocks, dictionaries and null maps are made
 * of. Knows no files and no columns; every encoded run describes itself, apart from its count.
 *
 *   ints   whole numbers and codes: constant pages, frame of reference and bit packing per page with
 *          patched outliers, delta per page, runs, a common divisor, a table of few values
 *   reals  decimal-scaled ints when that is exact, else the eight byte planes
 *   texts  a list of byte strings: typed (guid, hex digits, numbers, addresses, timestamps, each with what
 *          all have in common before and after) or plain: lengths and bytes, compressed
 *
 * Encoders return false on lack of memory only. Decoders take any bytes: RF_CORRUPT BlockCorrupt when they
 * are no encoding of `count` values, RF_LIMIT MemoryBudgetExceeded. */
#ifndef RF_BLOCK_H
#define RF_BLOCK_H

#include "value/value.h"

enum {
    BLOCK_PAGE_ROWS = BATCH_ROWS,  /* what ints and reals decode at once */
    BLOCK_COUNT_MAX = 1 << 20,     /* values of a run */
    BLOCK_TEXT_BYTES_MAX = 1 << 30 /* bytes of a run of texts */
};

/* ---- growing bytes, paid from a budget ------------------------------------------------------------ */

struct block_buf {
    struct rf_budget *budget;
    uint8_t *ptr; /* 16-byte aligned */
    size_t len, cap;
};

static inline struct block_buf block_buf_in(struct rf_budget *budget)
{
    return (struct block_buf){.budget = budget};
}
/* Room for `more` bytes behind len; false on lack of memory. */
RF_MUST_USE bool block_buf_reserve(struct block_buf *buf, size_t more);
RF_MUST_USE bool block_buf_put(struct block_buf *buf, const void *bytes, size_t len);
RF_MUST_USE bool block_buf_u8(struct block_buf *buf, uint8_t v);
RF_MUST_USE bool block_buf_u16(struct block_buf *buf, uint16_t v);
RF_MUST_USE bool block_buf_u32(struct block_buf *buf, uint32_t v);
RF_MUST_USE bool block_buf_u64(struct block_buf *buf, uint64_t v);
void block_buf_done(struct block_buf *buf);
static inline rf_str block_buf_view(const struct block_buf *buf)
{
    return (rf_str){buf->ptr, buf->len};
}
enum rf_kind block_no_memory(struct rf_err *err, const struct rf_budget *budget);
static inline enum rf_kind block_corrupt(struct rf_err *err, const char *what)
{
    (void)RF_FAIL(err, RF_CORRUPT, "BlockCorrupt", "%s", what);
    return RF_CORRUPT;
}

/* ---- compression ------------------------------------------------------------------------------------ */

/* Contexts are costly to make, so one is used over and over. One thread at a time. */
struct block_codec {
    struct rf_budget *budget;
    void *zstd_in, *zstd_out; /* made on first use */
    int level;                /* 0: lz4 */
};
void block_codec_done(struct block_codec *codec);
/* Appends: u8 method, u32 raw bytes, u32 stored bytes, bytes. Left as it is when packing saves under a sixteenth. */
RF_MUST_USE bool block_pack(struct block_codec *codec, struct block_buf *out, rf_str raw);
/* Reads what block_pack wrote at *at, moves *at behind it. The bytes are appended to `out`, whose earlier
 * views end; at most `raw_max` of them. */
RF_MUST_USE enum rf_kind block_unpack(struct block_codec *codec, rf_str bytes, size_t *at,
                                      size_t raw_max, struct block_buf *out, struct rf_err *err);

/* ---- ints ---------------------------------------------------------------------------------------------- */

/* Where the numbers lie: cells of 1, 4 (unsigned) or 8 (signed) bytes. */
struct block_cells {
    const void *data;
    uint8_t cell_bytes;
    uint32_t count;
};
RF_MUST_USE bool block_ints_encode(struct block_buf *out, const struct block_cells *cells);

/* An encoded run made ready for decoding by pages; a view of its bytes. */
struct block_ints {
    rf_str bytes;
    uint32_t count;
    uint8_t mode;
    uint64_t scale;
    const uint8_t *pages;  /* directory */
    const int64_t *values; /* of runs or of the table: in `memory` */
    const uint32_t *ends;  /* of runs */
    uint32_t run_count;    /* or values in the table */
};
/* `memory` holds decoded runs as long as `ints` lives; what it held before is lost. */
RF_MUST_USE enum rf_kind block_ints_open(struct block_ints *ints, rf_str bytes, uint32_t count,
                                         struct block_buf *memory, struct rf_err *err);
/* Decodes page `page` (rows page * BLOCK_PAGE_ROWS ...) and says how many values it has. `out` has room for
 * BLOCK_PAGE_ROWS. */
RF_MUST_USE enum rf_kind block_ints_page(const struct block_ints *ints, uint32_t page, int64_t *out,
                                         uint32_t *count, struct rf_err *err);
/* The same for codes and lengths: RF_CORRUPT when a value is outside 0..limit-1. */
RF_MUST_USE enum rf_kind block_codes_page(const struct block_ints *ints, uint32_t page,
                                          uint32_t limit, uint32_t *out, uint32_t *count,
                                          struct rf_err *err);
/* The values of few rows (numbers within the page, rising) without decoding the page. `out` has room for row_count;
 * of codes, only those asked for are held against the limit. */
RF_MUST_USE enum rf_kind block_ints_rows(const struct block_ints *ints, uint32_t page,
                                         const uint32_t *rows, uint32_t row_count, int64_t *out,
                                         struct rf_err *err);
RF_MUST_USE enum rf_kind block_codes_rows(const struct block_ints *ints, uint32_t page,
                                          uint32_t limit, const uint32_t *rows, uint32_t row_count,
                                          uint32_t *out, struct rf_err *err);
/* True, with the value, when every value of the page is that one. */
bool block_ints_page_constant(const struct block_ints *ints, uint32_t page, int64_t *value);

/* Bit packing of `count` values of `width` bits (1..64), by groups of 1,024 whose values lie side by side in
 * lanes, so that a plain loop over the lanes fills vector registers. */
size_t block_bits_bytes(uint32_t count, unsigned width);
void block_bits_pack(const uint64_t *values, uint32_t count, unsigned width, uint8_t *out);

/* ---- reals --------------------------------------------------------------------------------------------- */

RF_MUST_USE bool block_reals_encode(struct block_codec *codec, struct block_buf *out,
                                    const double *values, uint32_t count);
struct block_reals {
    struct block_ints ints; /* scaled */
    double divisor;
    const double *plain; /* in `memory`; NULL: scaled */
    const uint8_t *exceptions;
    uint32_t exception_count, count;
};
RF_MUST_USE enum rf_kind block_reals_open(struct block_codec *codec, struct block_reals *reals,
                                          rf_str bytes, uint32_t count, struct block_buf *memory,
                                          struct rf_err *err);
RF_MUST_USE enum rf_kind block_reals_page(const struct block_reals *reals, uint32_t page,
                                          double *out, uint32_t *count, struct rf_err *err);

/* ---- texts --------------------------------------------------------------------------------------------- */

RF_MUST_USE bool block_texts_encode(struct block_codec *codec, struct block_buf *out,
                                    const rf_str *items, uint32_t count);
/* An encoded run of texts made ready for reading. What is plain lies in packs of some 32 KB, which are unpacked when one
 * of their texts is read; what is typed is printed when it is read, and only the texts that are asked for. */
struct block_texts {
    struct block_codec *codec;
    rf_str bytes, front, back;
    uint32_t count, exceptions;
    uint8_t kind, upper, digits;    /* see block_text_form */
    uint8_t pack_shift;             /* texts a pack, as a power of two */
    uint32_t pack_count, lone_pack; /* lone: the one in `printed`; 0: none is */
    uint32_t lone_count;            /* how many were there */
    const uint8_t *packs;           /* their table */
    rf_str before; /* the first pack's bytes, once they are needed: in `memory`, or in `first` */
    size_t before_end;       /* of these, packed */
    const uint8_t *places;   /* of exceptions */
    const uint8_t *cells;    /* of typed texts that are no ints */
    struct block_ints ints;  /* lengths, or the texts' numbers */
    struct block_buf memory; /* plain texts, or exceptions */
    struct block_buf first;
    struct block_buf room; /* of ints, or cells; of a pack while it is unpacked */
    struct block_buf
        views; /* rf_str of each plain text, then a flag per unpacked pack; or of each exception */
    struct block_buf printed; /* what the last read gave, or a lone pack */
};
struct block_texts block_texts_in(struct rf_budget *budget);
/* `bytes` and `codec` must live as long as the texts are read. What was opened before is lost. */
RF_MUST_USE enum rf_kind block_texts_open(struct block_codec *codec, struct block_texts *t,
                                          rf_str bytes, uint32_t count, struct rf_err *err);
/* Texts of one page of BLOCK_PAGE_ROWS: those of `rows` (numbers within the page, rising), or with NULL the first
 * row_count. Views live until the next read. */
RF_MUST_USE enum rf_kind block_texts_read(struct block_texts *t, uint32_t page,
                                          const uint32_t *rows, uint32_t row_count, rf_str *items,
                                          struct rf_err *err);
/* One of them; the view lives until the next read. */
RF_MUST_USE enum rf_kind block_texts_one(struct block_texts *t, uint32_t item, rf_str *out,
                                         struct rf_err *err);
/* All of them: items[0..count-1]. */
RF_MUST_USE enum rf_kind block_texts_all(struct block_texts *t, rf_str *items, struct rf_err *err);
void block_texts_done(struct block_texts *t);

#endif
