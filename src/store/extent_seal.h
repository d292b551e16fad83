/* extent_seal.h - what the files that write an extent's columns share. */
#ifndef RF_EXTENT_SEAL_H
#define RF_EXTENT_SEAL_H

#include "store/extent_writer.h"
#include "store/term_index.h"

struct seal {
    struct extent_writer *w;
    struct extent_file file;
    struct rf_arena arena;
    const uint32_t *order; /* of the rows by time; NULL: as they are */
    int64_t time_min, time_max;
    struct block_buf footer, blocks;      /* entries of the current column's blocks */
    struct block_buf block, chunk;        /* being encoded */
    struct block_buf cells, items, nulls; /* of one block, in order */
};

struct block_stats {
    uint32_t nulls;
    uint8_t flags;
    uint8_t min[16], max[16];
};

static inline uint32_t seal_row_at(const struct seal *s, uint32_t place)
{
    return s->order == NULL ? place : s->order[place];
}

/* Writes the blocks of a column within another, whose rows are in order: rows[block] of each. Their entries lie in s->blocks. */
RF_MUST_USE enum rf_kind seal_inner_blocks(struct seal *s, const struct writer_column *c,
                                           const uint32_t *rows, struct rf_err *err);
/* Appends a block's entry to s->blocks. */
RF_MUST_USE bool seal_block_entry(struct seal *s, const struct extent_region *region,
                                  const struct block_stats *stats);
/* Writes the dictionary; it is put into the footer. */
RF_MUST_USE enum rf_kind seal_dictionary(struct seal *s, const struct writer_column *c,
                                         struct rf_err *err);
/* Adds the terms of rows that begin a granule. */
void seal_index_granules(struct term_index_builder *terms, const struct writer_column *c,
                         const rf_str *items, uint32_t count);
/* Writes the index of terms; it is put into the footer. */
RF_MUST_USE enum rf_kind seal_terms(struct seal *s, struct term_index_builder *terms,
                                    struct rf_err *err);
/* Writes a column of dynamics, held as texts, by the shapes of its values, when that takes less room; *done is false, and nothing
 * is written, when it does not (extent_seal_shapes.c). `terms`: NULL, or where its terms go. */
RF_MUST_USE enum rf_kind seal_shapes(struct seal *s, const struct writer_column *c,
                                     struct term_index_builder *terms, bool *done,
                                     struct rf_err *err);

#endif
