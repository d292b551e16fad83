/* term.h - what a term is, and where one begins and ends: the ground that `has`, the term index and
 * the cutting of texts into terms share.
 *
 * A term is a longest run of ASCII letters, ASCII digits and bytes >= 0x80, so UTF-8 words stay
 * whole. `_` and all other ASCII characters split. */
#ifndef RF_TERM_H
#define RF_TERM_H

#include "base/rf.h"

/* Not isalnum(): the answer is stored on disk, so it must not depend on the locale. */
static inline bool term_byte(uint8_t c)
{
    return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') || c >= 0x80;
}

/* True when no term reaches over position `at` (0..text.len) of the text. */
static inline bool term_border(rf_str text, size_t at)
{
    return at == 0 || at >= text.len || !term_byte(text.ptr[at - 1]) || !term_byte(text.ptr[at]);
}

/* Finds the next term at or after *at; moves *at to its end. False when there is none. */
static inline bool term_next(rf_str text, size_t *at, rf_str *term)
{
    size_t from = *at;
    while (from < text.len && !term_byte(text.ptr[from])) from++;
    size_t to = from;
    while (to < text.len && term_byte(text.ptr[to])) to++;
    *at = to;
    *term = rf_slice(text, from, to);
    return to > from;
}

/* True when `text` is one term and nothing else. */
bool term_whole(rf_str text);

/* ---- finding a text in texts ------------------------------------------------------------------ */

/* A needle made ready. Immutable after term_finder_init, so threads may share it.
 *   nocase: ASCII letters match without case. A needle with other letters (>= 0x80) is compared by
 *   simple Unicode case folding, which is slower. */
struct term_finder {
    rf_str needle; /* folded when nocase */
    bool nocase;
    bool wide; /* nocase, and the needle is not ASCII */
    bool use_avx2;
    uint32_t second; /* the two bytes at 0 and here are searched for together */
    uint8_t masks[2], bytes[2];
};

/* `needle` is borrowed for as long as the finder lives when !nocase, else a folded copy is allocated
 * in `arena`. False: lack of memory. */
RF_MUST_USE bool term_finder_init(struct term_finder *finder, rf_str needle, bool nocase,
                                  struct rf_arena *arena);
/* Byte offset of the first occurrence at or after `from`, or SIZE_MAX. *bytes (may be NULL) is the
 * length of what was found, which may differ from the needle's where folding changes the length.
 * An empty needle is found at `from`. */
size_t term_finder_next(const struct term_finder *finder, rf_str text, size_t from, size_t *bytes);
/* True when `text` starts with, ends with, is the needle. */
bool term_finder_starts(const struct term_finder *finder, rf_str text);
bool term_finder_ends(const struct term_finder *finder, rf_str text);
bool term_finder_equals(const struct term_finder *finder, rf_str text);

/* The form in which texts that differ in case alone are equal: ASCII to lower case, other letters by
 * simple folding. False: lack of memory. */
RF_MUST_USE bool term_fold(rf_str text, struct rf_arena *arena, rf_str *out);
/* Compares without case, as term_fold would make the two equal. */
bool term_equal_nocase(rf_str a, rf_str b);

#endif
