/* literal_set_int.h - the tables of a set, which literal_build.c makes and literal_set.c reads. */
#ifndef RF_LITERAL_SET_INT_H
#define RF_LITERAL_SET_INT_H

#include "base/literal_set.h"
#include "base/term.h"

/* A window is read as a little-endian number with this set in each byte: letters of either case become the same, some other
 * bytes too, which the comparison tells apart. */
#define LITERAL_FOLD UINT64_C(0x2020202020202020)
enum { LITERAL_WINDOW_BYTES = 8, LITERAL_WINDOW_BYTES_MIN = 3, LITERAL_LINE_WORDS = 16 };

struct literal {
    struct term_finder finder;
    uint32_t offset; /* of the window in the finder's needle */
    uint32_t reach;  /* wide ones: code points before the window */
    uint32_t number_first, number_count;
    bool is_short; /* a window of it is in the table of short ones */
};

/* A window: bytes outside the mask are not looked at. */
struct literal_window {
    uint64_t key, mask;
    uint32_t literal;
    uint32_t word; /* of the line */
};

struct literal_set {
    /* Words in lines of 16: the line by the hash of a window's first three bytes, the word by its fourth byte. In the word a
     * window has a bit in the upper half by more of that hash, and one in the lower half by the four bytes behind; all bits of
     * the lower half, and all words of the line, when it is too short to say. */
    uint32_t *filter;
    uint32_t *starts; /* as many as words, and one: windows by word */
    struct literal_window *windows;
    uint32_t shift; /* 32 - log2 of the lines */

    uint8_t *pairs; /* NULL: no short ones; else a bit for each two bytes */
    /* The same by halves of the two bytes, with false hits, for many places at once. */
    struct {
        uint8_t low[16], high[16];
    } nibbles[2];
    uint32_t *short_starts; /* 257: short windows by the first byte */
    struct literal_window *short_windows;
    uint32_t short_count; /* literals that have some */

    struct literal *literals;
    uint32_t literal_count;
    uint32_t *numbers;
    uint32_t number_count; /* the greatest and one */
    uint32_t *always;
    uint32_t always_count;
    bool use_avx2;
};

#define LITERAL_HASH_FIRST UINT32_C(0x9E3779B1)
#define LITERAL_HASH_LAST UINT32_C(0x85EBCA6B)

static inline uint32_t literal_hash(uint64_t window)
{
    return ((uint32_t)window & 0xFFFFFFu) * LITERAL_HASH_FIRST;
}
static inline uint32_t literal_line(const struct literal_set *set, uint64_t window)
{
    return literal_hash(window) >> set->shift;
}
static inline uint32_t literal_word(uint64_t window) { return window >> 24 & 15; }
/* How far the bits of a window are to be moved to be at the top. */
static inline uint32_t literal_upper(const struct literal_set *set, uint64_t window)
{
    return literal_hash(window) >> (set->shift - 4) & 15;
}
static inline uint32_t literal_lower(uint64_t window)
{
    return 16 + ((uint32_t)(window >> 32) * LITERAL_HASH_LAST >> 28);
}

#endif
