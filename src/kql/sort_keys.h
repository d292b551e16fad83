/* sort_keys.h - how the keys of sort and top order: as values, and as words.
 *
 * A word is a number that orders like the first eight bytes, or so, of a key: no further look is needed where the words of two
 * rows differ. Words are made per row in the innermost loops, so all of this is inline; nothing allocates or is kept. Texts
 * and vectors are borrowed for the call. */
#ifndef RF_SORT_KEYS_H
#define RF_SORT_KEYS_H

#include "kql/op.h"

enum { SORT_TEXT_STEP = 7, SORT_TEXT_GOES_ON = SORT_TEXT_STEP + 1 }; /* bytes of a text in a word */

static inline bool sort_has_words(enum type type)
{
    return type != TYPE_DECIMAL && type != TYPE_DYNAMIC;
}

static inline uint64_t sort_real_word(double r)
{
    uint64_t bits;
    if (r != r) return 0; /* below all others */
    if (r == 0) r = 0;    /* -0.0 */
    memcpy(&bits, &r, 8);
    return bits >> 63 ? ~bits : bits | UINT64_C(1) << 63;
}

static inline uint64_t sort_load_be64(const uint8_t *bytes)
{
    uint64_t word;
    memcpy(&word, bytes, 8);
    return __builtin_bswap64(word);
}

/* Seven bytes from `offset` on, then how many of them there are, 8 for more: a text that ends comes before those that go on,
 * and equal words with a count up to 7 are equal texts. */
static inline uint64_t sort_text_word(rf_str s, size_t offset)
{
    size_t left = s.len > offset ? s.len - offset : 0;
    if (left > SORT_TEXT_STEP)
        return (sort_load_be64(s.ptr + offset) & ~(uint64_t)UINT8_MAX) | SORT_TEXT_GOES_ON;
    uint8_t bytes[8] = {0};
    if (left > 0) memcpy(bytes, s.ptr + offset, left);
    return sort_load_be64(bytes) | left;
}

static inline uint64_t sort_cell_word(enum type type, const void *cells, uint32_t at, size_t offset)
{
    switch (type) {
    case TYPE_INT:
    case TYPE_LONG:
    case TYPE_DATETIME:
    case TYPE_TIMESPAN:
        return ((const uint64_t *)cells)[at] ^ UINT64_C(1) << 63;
    case TYPE_REAL:
        return sort_real_word(((const double *)cells)[at]);
    case TYPE_BOOL:
        return ((const uint8_t *)cells)[at];
    case TYPE_STRING:
        return sort_text_word(((const rf_str *)cells)[at], offset);
    case TYPE_GUID:
        return sort_load_be64(((const struct guid *)cells)[at].bytes + offset);
    default:
        return 0; /* all are equal, and compared as values */
    }
}

static inline uint64_t sort_key_flip(const struct sort_key *key)
{
    return key->descending ? UINT64_MAX : 0;
}

/* A null's word. Values may have the same: where both are met they are told apart afterwards. */
static inline uint64_t sort_null_word(const struct sort_key *key)
{
    return key->nulls_first ? 0 : UINT64_MAX;
}

static inline uint64_t sort_vec_word(const struct sort_key *key, const struct vec *v, uint32_t row)
{
    uint32_t at = vec_at(v, row);
    if (v->nulls != NULL && v->nulls[at] != 0) return sort_null_word(key);
    return sort_cell_word((enum type)v->type, v->data, at, 0) ^ sort_key_flip(key);
}

static inline int sort_key_cmp(const struct sort_key *key, const struct value *x,
                               const struct value *y)
{
    if (x->null || y->null) {
        if (x->null && y->null) return 0;
        return x->null == key->nulls_first ? -1 : 1;
    }
    int c = value_cmp(x, y);
    return key->descending ? -c : c;
}

#endif
