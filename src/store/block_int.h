/* block_int.h - what the files of block share. */
#ifndef RF_BLOCK_INT_H
#define RF_BLOCK_INT_H

#include "store/block.h"

/* Bytes taken from the front of a slice, with a check of every length. */
struct block_reader {
    rf_str bytes;
    size_t at;
    bool failed; /* something was asked for that is not there; what was returned is 0 */
};

static inline const uint8_t *block_take(struct block_reader *r, size_t len)
{
    if (r->failed || len > r->bytes.len - r->at) {
        r->failed = true;
        return NULL;
    }
    const uint8_t *p = r->bytes.ptr + r->at;
    r->at += len;
    return p;
}
static inline uint8_t block_take_u8(struct block_reader *r)
{
    const uint8_t *p = block_take(r, 1);
    return p == NULL ? 0 : *p;
}
static inline uint16_t block_take_u16(struct block_reader *r)
{
    const uint8_t *p = block_take(r, 2);
    return p == NULL ? 0 : rf_get_u16le(p);
}
static inline uint32_t block_take_u32(struct block_reader *r)
{
    const uint8_t *p = block_take(r, 4);
    return p == NULL ? 0 : rf_get_u32le(p);
}
static inline uint64_t block_take_u64(struct block_reader *r)
{
    const uint8_t *p = block_take(r, 8);
    return p == NULL ? 0 : rf_get_u64le(p);
}
static inline rf_str block_take_str(struct block_reader *r, size_t len)
{
    const uint8_t *p = block_take(r, len);
    return rf_str_make(p, p == NULL ? 0 : len);
}

static inline uint32_t block_page_count(uint32_t count)
{
    return count / BLOCK_PAGE_ROWS + (count % BLOCK_PAGE_ROWS != 0);
}
static inline uint32_t block_page_rows(uint32_t count, uint32_t page)
{
    return RF_MIN((uint32_t)BLOCK_PAGE_ROWS, count - page * BLOCK_PAGE_ROWS);
}
static inline unsigned block_bits_of(uint64_t v)
{
    return v == 0 ? 0 : 64 - (unsigned)__builtin_clzll(v);
}

/* For large arrays on the stack that are written before they are read: zeroing them costs more than the work. */
#define BLOCK_SCRATCH __attribute__((uninitialized))

/* Unpacking and what is done to each x at once, while the values are in the first cache. `line` gives
 * scale * x + add, which wraps. */
struct block_line {
    uint64_t scale, add;
};
void block_bits_ints(const uint8_t *bytes, uint32_t count, unsigned width,
                     const struct block_line *line, uint64_t *out);
/* x + base, with width and base below 32 bits. False when a sum is not below the limit. */
RF_MUST_USE bool block_bits_codes(const uint8_t *bytes, uint32_t count, unsigned width,
                                  uint32_t base, uint32_t limit, uint32_t *out);
/* What `line` gives, divided. False, and nothing done, when that could pass 51 bits or x has above 32. */
RF_MUST_USE bool block_bits_reals(const uint8_t *bytes, uint32_t count, unsigned width,
                                  const struct block_line *line, double divisor, double *out);
/* One value of `count` packed ones. */
uint64_t block_bits_value(const uint8_t *bytes, uint32_t count, unsigned width, uint32_t i);

/* A page of ints as reals: each divided. */
RF_MUST_USE enum rf_kind block_ints_divided(const struct block_ints *ints, uint32_t page,
                                            double divisor, double *out, uint32_t *count,
                                            struct rf_err *err);

/* As block_pack, for cells of one size that are likely random: then it does not even try. */
RF_MUST_USE bool block_pack_cells(struct block_codec *codec, struct block_buf *out, rf_str raw,
                                  size_t cell_bytes);

/* As block_pack, of bytes that are like others: these are looked back into, so that what both have in common costs little. */
RF_MUST_USE bool block_pack_after(struct block_codec *codec, struct block_buf *out, rf_str raw,
                                  rf_str before);
/* As block_unpack, of exactly `raw_bytes`, to a place that has room for them. `before` is as it was for packing; empty
 * where there was none. */
RF_MUST_USE enum rf_kind block_unpack_to(struct block_codec *codec, rf_str bytes, size_t *at,
                                         rf_str before, uint8_t *out, size_t raw_bytes,
                                         struct rf_err *err);
/* As block_unpack, of exactly `raw_bytes`; *out is where they lie when they were not compressed, else in `room`, whose earlier bytes are lost. */
RF_MUST_USE enum rf_kind block_unpack_view(struct block_codec *codec, rf_str bytes, size_t *at,
                                           size_t raw_bytes, struct block_buf *room,
                                           const uint8_t **out, struct rf_err *err);

/* ---- plain texts (block_plain.c) ---------------------------------------------------------------------- */

enum { BLOCK_TEXTS_HEAD_BYTES = 13 };
RF_MUST_USE bool block_plain_encode(struct block_codec *codec, struct block_buf *out,
                                    const rf_str *items, uint32_t count);
/* Opens texts whose head is read: makes their views, and unpacks nothing yet. `at` is behind the ints. */
RF_MUST_USE enum rf_kind block_plain_open(struct block_texts *t, rf_str ints, size_t at,
                                          struct rf_err *err);
/* Unpacks the packs of texts from..to-1, unless they are. */
RF_MUST_USE enum rf_kind block_plain_need(struct block_texts *t, uint32_t from, uint32_t to,
                                          struct rf_err *err);
/* One text. Its pack is unpacked to `printed` and stays there until another's text is asked for: what is read here and there would
 * otherwise touch much memory. The view lives until the next read. */
RF_MUST_USE enum rf_kind block_plain_one(struct block_texts *t, uint32_t item, rf_str *out,
                                         struct rf_err *err);

/* ---- texts of one kind (block_typed.c) --------------------------------------------------------------- */

enum block_text_kind {
    BLOCK_TEXT_PLAIN,
    BLOCK_TEXT_GUID,    /* 8-4-4-4-12 hex digits of one case, 16 bytes */
    BLOCK_TEXT_HEX,     /* a fixed number of hex digits of one case, above 16; half a byte each */
    BLOCK_TEXT_HEX_INT, /* the same up to 16 digits, as a number */
    BLOCK_TEXT_NUMBER,  /* decimal digits, a fixed number of them or without leading zeros */
    BLOCK_TEXT_IPV4,
    BLOCK_TEXT_TIME, /* yyyy-mm-ddThh:mm:ss[.f...]Z with a fixed number of decimals, as ticks */
    BLOCK_TEXT_KINDS
};

struct block_text_form {
    uint8_t kind;   /* enum block_text_kind */
    uint8_t upper;  /* hex digits */
    uint8_t digits; /* HEX*: how many; NUMBER: how many, or 0: no leading zeros; TIME: decimals */
};
enum {
    BLOCK_TEXT_DIGITS_MAX = 128,
    BLOCK_TEXT_NUMBER_DIGITS = 18,
    BLOCK_TEXT_PRINT_MAX = 160,
    BLOCK_TEXT_IPV4_ROOM = 16 /* each part is written with a byte behind it */
};

/* Kinds whose value is a number, kept as ints; the others are kept in block_text_cell_bytes bytes. */
static inline bool block_text_is_int(const struct block_text_form *form)
{
    return form->kind >= BLOCK_TEXT_HEX_INT;
}
size_t block_text_cell_bytes(const struct block_text_form *form);
bool block_text_form_valid(const struct block_text_form *form);
/* The form that `text` has, or kind PLAIN. */
struct block_text_form block_text_form_of(rf_str text);
/* False when `text` would not come back byte for byte. Sets *number, or writes cell bytes. */
bool block_text_parse(const struct block_text_form *form, rf_str text, int64_t *number,
                      uint8_t *cell);
/* Writes at most BLOCK_TEXT_PRINT_MAX bytes, returns how many. Any number or cell gives some text. */
size_t block_text_print(const struct block_text_form *form, int64_t number, const uint8_t *cell,
                        uint8_t *out);

#endif
