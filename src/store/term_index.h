/* term_index.h - which granules of rows may hold a term: a filter over the terms of a column's texts.
 *
 * A term is what base/term.h says, folded. ASCII terms below TERM_INDEX_BYTES_MIN are not indexed. A guid (8-4-4-4-12 hex
 * digits between term borders) counts with its first part alone: its short parts would occur in every granule, and
 * nobody knows a guid by its end. A granule that holds guids says so, and terms that look like a later part are
 * taken to be in it.
 *
 * The filter is a Bloom filter of 64-byte words, one row of the same number of words for each granule, laid down
 * word by word: word 0 of every granule, word 1 of every granule ... A term touches one word, the same in all
 * granules, so that one short read answers for the whole extent. */
#ifndef RF_TERM_INDEX_H
#define RF_TERM_INDEX_H

#include "store/block.h"

enum {
    TERM_INDEX_BYTES_MIN = 3,
    TERM_INDEX_WORD_BYTES = 64,
    TERM_INDEX_GRANULE_GUIDS = 1,
    TERM_INDEX_KNOWN_MAX = 64,
    TERM_INDEX_EDGES_MAX = 256 + 64 + 8
};

/* ---- building ---------------------------------------------------------------------------------------------- */

struct term_index_builder {
    struct rf_arena scratch;   /* folded terms */
    struct rf_arena print;     /* printed numbers, escaped strings */
    struct block_buf hashes;   /* u32, those of one granule distinct, granule after granule */
    struct block_buf granules; /* u32 end in `hashes`, u32 flags */
    struct block_buf seen;     /* hash table of the current granule, u32, 0 is free */
    uint32_t seen_count, flags;
    size_t from; /* of the current granule in `hashes`, bytes */
    bool failed; /* lack of memory; the rest does nothing */
    bool use_bmi;
    /* Memory of which every byte may be read; texts that lie in it are cut faster. Set by the caller, or NULL. */
    const uint8_t *memory, *memory_end;
    /* Keys and values of the dynamic before, in the order in which they are met: what comes again at the same place
     * has its terms in the granule already. */
    rf_str known[TERM_INDEX_KNOWN_MAX];
    uint64_t known_keys; /* a bit for each of them that is a key */
    uint32_t known_count;
    /* Of the text being cut: where terms begin and end, and their hashes. */
    uint32_t edges[TERM_INDEX_EDGES_MAX], edge_count;
    uint32_t found[TERM_INDEX_EDGES_MAX / 2];
};
void term_index_begin(struct term_index_builder *b, struct rf_budget *budget);
/* Adds the terms of a text to the current granule. */
void term_index_add(struct term_index_builder *b, rf_str text);
/* Adds the terms of a dynamic: of all texts in it, of keys, of printed numbers, and of the JSON text. `value` must
 * live until the granule's end. */
void term_index_add_dynamic(struct term_index_builder *b, rf_str value);
void term_index_end_granule(struct term_index_builder *b);
/* What was built: words of row w of granule g at (w * granule_count + g) * TERM_INDEX_WORD_BYTES of `words`. The
 * builder is empty afterwards. False: lack of memory. */
struct term_index {
    uint32_t granule_count, row_count;
};
RF_MUST_USE bool term_index_finish(struct term_index_builder *b, struct term_index *out,
                                   struct block_buf *flags, struct block_buf *words);
void term_index_done(struct term_index_builder *b);

/* ---- asking ------------------------------------------------------------------------------------------------ */

/* A term made ready. */
struct term_probe {
    uint32_t hash;
    bool usable;    /* false: too short, nothing can be said */
    bool guid_part; /* looks like a later part of a guid */
};
/* `term` in any case. Allocates in `arena` when it is not ASCII; false on lack of memory. */
RF_MUST_USE bool term_probe_make(rf_str term, struct rf_arena *arena, struct term_probe *out);
/* The terms of a text that any row which holds `text` must hold too: all of them when `whole`, else those that
 * do not touch its ends. Calls `each` until it returns false; returns what the last call did. */
bool term_probe_each(rf_str text, bool whole, bool (*each)(void *state, rf_str term), void *state);
uint32_t term_index_row(const struct term_index *index, uint32_t hash);
/* Whether the term may be in granule `granule`; `row` are the words of term_index_row for all granules. */
bool term_index_hit(const uint8_t *row, uint32_t granule, uint8_t flags,
                    const struct term_probe *probe);

#endif
