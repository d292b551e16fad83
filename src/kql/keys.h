/* keys.h - key columns to dense numbers: the hash table under grouping, distinct and joins.
 *
 * A text (or dynamic, guid, decimal) is interned once and stands for its number from then on; entries of a dictionary are
 * interned once per dictionary. A single text column therefore needs no further table. Columns that fit into 64 bits
 * together (numbers of texts, ints, bools; or one number or time) are looked up as one word, all others as several words.
 * Equality is value_same's: nulls are equal to each other, nan to nan. Numbers are given in the order of first appearance. */
#ifndef RF_KEYS_H
#define RF_KEYS_H

#include "value/value.h"

enum { KEYS_COLUMNS_MAX = 256 };
#define KEYS_NONE UINT32_MAX

struct keys;
/* `types` are enum type, copied. Everything is allocated in `arena`. NULL on lack of memory. */
struct keys *keys_new(struct rf_arena *arena, const uint8_t *types, uint32_t column_count);
/* The number of each row's key; a key not seen before gets the next number. At most BATCH_ROWS rows. False on lack of memory. */
bool keys_add(struct keys *k, const struct vec *columns, uint32_t row_count, uint32_t *ids);
/* The same without adding: KEYS_NONE for a key that is not there. */
bool keys_find(struct keys *k, const struct vec *columns, uint32_t row_count, uint32_t *ids);
/* Another way to look into `k`: keys_find on it may run beside keys_find on `k` and on other readers. Until the last one is
 * used, `k` must live and nothing be added to it. Allocated in `arena`; NULL on lack of memory. */
struct keys *keys_reader(const struct keys *k, struct rf_arena *arena);
uint32_t keys_count(const struct keys *k);
/* One column of a key; views live as long as the arena. */
struct value keys_value(const struct keys *k, uint32_t id, uint32_t column);
/* One column of the keys from..from+count-1 as a flat vector: a view that holds until the next key is added. What must
 * be gathered for it is allocated in `arena`. False on lack of memory. */
bool keys_column(const struct keys *k, uint32_t column, uint32_t from, uint32_t count,
                 struct rf_arena *arena, struct vec *out);
/* Adds all keys of `from` (same types); ids[i] is the number of from's key i here. Texts are not copied: the arena of `from`
 * must live as long as that of `into`. Reads `from` only. False on lack of memory. */
bool keys_merge(struct keys *into, const struct keys *from, uint32_t *ids);

#endif
