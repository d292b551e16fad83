/* aggr_sketch.h - the two sketches behind dcount and percentile: HyperLogLog and t-digest. Both hold
 * all they saw exactly while it is little, and are approximate beyond. Zeroed memory is an empty
 * sketch. Memory comes from an arena; a function that returns bool is false on lack of it.
 *
 * As dynamic values, which may be stored and merged later:
 *   hll      [[limit, p], [hash, ...], []]        exact: hashes of the values, while at most `limit`
 *            [[limit, p], [], ["registers"]]      2^p registers, one letter each, A is 0
 *   tdigest  [[1, 0], [value, ...], [weight, ...]]  exact: distinct values and how often they occur
 *            [[1, 1], [mean, ...], [weight, ...]]   centroids
 * The hashes are value_hash()'s: stored hlls can be merged as long as that function stays. */
#ifndef RF_AGGR_SKETCH_H
#define RF_AGGR_SKETCH_H

#include "value/value.h"

/* ---- HyperLogLog --------------------------------------------------------------------------------- */

enum { HLL_ACCURACY_DEFAULT = 1, HLL_ACCURACY_MAX = 4, HLL_P_MIN = 10, HLL_P_MAX = 18 };

struct hll {
    uint64_t *slots; /* open addressing, 0 is free; when dense the registers, one byte each */
    uint32_t count;  /* hashes in slots */
    uint8_t slots_log2;
    uint8_t p; /* 0 until the first value */
    bool dense;
};
/* Precision for an accuracy of 0..4. */
uint8_t hll_p(int64_t accuracy);
RF_MUST_USE bool hll_add(struct hll *hll, uint8_t p, uint64_t hash, struct rf_arena *arena);
/* Asks for the memory that adding `hash` will look at. */
static inline void hll_fetch(const struct hll *hll, uint64_t hash)
{
    if (hll->dense)
        __builtin_prefetch((const uint8_t *)hll->slots + (hash >> (64 - hll->p)));
    else if (hll->slots != NULL)
        __builtin_prefetch(&hll->slots[hash & ((UINT64_C(1) << hll->slots_log2) - 1)]);
}
/* Sketches of different precision give the lower one. */
RF_MUST_USE bool hll_merge(struct hll *into, const struct hll *from, struct rf_arena *arena);
int64_t hll_count(const struct hll *hll);
RF_MUST_USE bool hll_to_dyn(const struct hll *hll, uint8_t p, struct rf_arena *arena, rf_str *out);
/* What is no hll gives an empty sketch with p 0; false on lack of memory only. */
RF_MUST_USE bool hll_from_dyn(rf_str d, struct rf_arena *arena, struct hll *out);

/* ---- t-digest ------------------------------------------------------------------------------------- */

/* Exact up to 16384 values, and beyond while at most 8192 of them are different; then joined to about 1000 centroids,
 * with an error of rank of about 0.1 % in the middle and less towards both ends. What it says depends on the values
 * and the order in which they came, on nothing else. */
struct digest_item {
    uint64_t key; /* of the value, ordered as unsigned numbers: see digest_key_* */
    double weight;
};
struct digest {
    struct digest_item *items;
    uint64_t *pending; /* keys of weight 1 that are not among the items yet */
    uint32_t count, cap;
    uint32_t pending_count, pending_cap;
    uint32_t sorted; /* the first so many items are in order, equal keys joined */
    bool approximate;
    uint8_t type; /* enum type of the values: long, real, datetime, timespan */
};
static inline bool digest_empty(const struct digest *digest)
{
    return digest->count == 0 && digest->pending_count == 0;
}
static inline uint64_t digest_key_i64(int64_t i) { return (uint64_t)i ^ (UINT64_C(1) << 63); }
static inline uint64_t digest_key_real(double r) /* not nan */
{
    uint64_t bits;
    r += 0.0; /* both zeroes are one value */
    memcpy(&bits, &r, sizeof bits);
    return bits ^ ((uint64_t)((int64_t)bits >> 63) | UINT64_C(1) << 63);
}
RF_MUST_USE bool digest_add(struct digest *digest, uint64_t key, double weight,
                            struct rf_arena *arena);
/* Adds `count` keys of weight 1. */
RF_MUST_USE bool digest_add_keys(struct digest *digest, const uint64_t *keys, uint32_t count,
                                 struct rf_arena *arena);
/* The next of them, where there is room: what a loop over rows does by itself. */
static inline bool digest_push(struct digest *digest, uint64_t key)
{
    if (RF_UNLIKELY(digest->pending_count == digest->pending_cap)) return false;
    digest->pending[digest->pending_count++] = key;
    return true;
}
RF_MUST_USE bool digest_merge(struct digest *into, const struct digest *from,
                              struct rf_arena *arena);
/* Makes items of all that is pending and orders them; needed before the next three. The items may then lie in `arena`. */
RF_MUST_USE bool digest_sort(struct digest *digest, struct rf_arena *arena);
/* Nearest rank: the smallest value with at least `percent` of the weight at or below it; null when the
 * digest is empty. */
struct value digest_percentile(const struct digest *digest, double percent);
/* Weight of the values at or below `key`. */
double digest_rank(const struct digest *digest, uint64_t key);
double digest_weight(const struct digest *digest);
RF_MUST_USE bool digest_to_dyn(struct digest *digest, struct rf_arena *arena, rf_str *out);
/* What is no tdigest gives an empty one; false on lack of memory only. */
RF_MUST_USE bool digest_from_dyn(rf_str d, struct rf_arena *arena, struct digest *out);
/* The key of a value as this digest orders it; false for nulls and what is no number or time. */
bool digest_key(const struct digest *digest, const struct value *v, uint64_t *key);

#endif
