/* extent_writer.h - rows in memory on their way to an extent: what taking them in (extent_write.c) and writing them
 * down (extent_seal.c) share. */
#ifndef RF_EXTENT_WRITER_H
#define RF_EXTENT_WRITER_H

#include "store/extent_int.h"

enum { WRITER_COLUMN_BYTES_MAX = 1 << 30 }; /* so that offsets fit u32, with much to spare */

/* Slots of the table value -> code. */
struct writer_slot {
    uint32_t tag;       /* of the hash */
    uint32_t code_1;    /* code + 1; 0 is free */
    uint32_t from, len; /* in the column's bytes */
};

struct writer_column {
    struct extent_column def;
    uint8_t storage; /* enum extent_storage: how rows are held now */
    struct block_buf
        cells; /* CELLS: cells (bool 1 byte, else 8); DICT: u32 code a row; TEXTS: nothing */
    struct block_buf
        nulls; /* CELLS: a byte a row, or nothing when there is no null; else null is the empty text */
    struct block_buf bytes; /* of all entries (DICT) or rows (TEXTS) */
    struct block_buf ends;  /* u32: where each entry or row ends in `bytes` */
    struct writer_slot *slots;
    uint32_t slot_cap;
    /* Codes of the source's dictionary `source_id`, as far as they were met. */
    uint64_t source_id;
    struct block_buf source_codes;
    /* Columns within a column: their texts are not copied. Where each row's dynamic begins in `host`; a string is the text in
     * it. NULL: they are in `bytes`. */
    const uint8_t *host;
    struct block_buf places; /* u32 */
    uint64_t placed_bytes;   /* of all texts */
};

struct extent_writer {
    struct extent_options options;
    struct extent_key key;
    struct rf_arena arena; /* names */
    struct writer_column *columns;
    uint32_t column_count, time_column; /* UINT32_MAX: none */
    uint32_t rows;
    bool sorted;
    int64_t last_time;
    struct block_codec codec;
};

static inline uint32_t writer_entries(const struct writer_column *c)
{
    return (uint32_t)(c->ends.len / 4);
}
static inline rf_str writer_entry(const struct writer_column *c, uint32_t index)
{
    uint32_t from = index == 0 ? 0 : rf_get_u32le(c->ends.ptr + (size_t)index * 4 - 4);
    return rf_str_make(c->bytes.ptr + from, rf_get_u32le(c->ends.ptr + (size_t)index * 4) - from);
}
/* The text of a row of a column whose texts lie in its host. */
rf_str writer_placed(const struct writer_column *c, uint32_t row);
/* Whether the dictionary of a column with so many rows is worth being kept up. */
bool writer_dictionary_pays(const struct writer_column *c, uint64_t rows);
static inline bool writer_null(const struct writer_column *c, uint32_t row)
{
    return c->nulls.len > 0 && c->nulls.ptr[row] != 0;
}
/* Replaces codes by the texts themselves. False: lack of memory; nothing has changed then. */
RF_MUST_USE bool writer_to_texts(struct writer_column *c, uint32_t rows);

/* A column on its own, whose def is set: one within another. */
void writer_column_init(struct writer_column *c, struct rf_budget *budget);
void writer_column_done(struct writer_column *c);
/* Takes in `count` rows behind the `rows` that it has. False: lack of memory. */
RF_MUST_USE bool writer_column_append(struct writer_column *c, const struct vec *v, uint32_t rows,
                                      uint32_t count);
/* Writes the rows to `path` (extent_seal.c). */
RF_MUST_USE enum rf_kind writer_seal(struct extent_writer *w, const char *path,
                                     struct extent_info *info, struct rf_err *err);

#endif
