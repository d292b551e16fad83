/* literal_set.h - many literals looked for in a text at once: which of them occur. Rules that need one of several texts to
 * occur put these into a set under the rule's number; one pass over a text tells which rules are candidates.
 *
 * A literal is any bytes, one or more. Without case it is found where term_finder of base/term.h finds it: ASCII letters in
 * either case, other letters by simple Unicode folding, so that what `contains`, `has` or `=~` finds is never missed. The answer
 * is exact, but for a literal that is no well-formed UTF-8 and is looked for without case: that may be found once too often.
 *
 *   literal_builder_init(&builder, arena);
 *   for each rule and each literal of it:  literal_builder_add(&builder, literal, LITERAL_NOCASE, rule_number)
 *   for each rule without literals:        literal_builder_always(&builder, rule_number)
 *   literal_set_build(&builder, &set, err); literal_hits_init(&hits, set, arena, err);
 *   for each record:  for each text of it: literal_set_find(set, text, &hits);
 *                     hits.numbers[0..hits.count-1] are candidates, as are those of literal_set_always
 *                     literal_hits_reset(&hits);
 *
 * How: of each literal the eight bytes that are likely to be rarest (all of a shorter one) set a bit in a table that stays in
 * the second-level cache, 32 bytes a literal and 512 KiB at most; where a text's bytes hit a bit, the literals of that place are
 * compared. Literals of one or two bytes have a table of their own, looked at only when there are such.
 *
 * Cost: building is linear in the bytes of all literals, about 5 microseconds a literal of 25 bytes. A pass takes about a
 * nanosecond a byte while few of ten thousand literals occur (AVX2; three to five without), plus a comparison for each literal
 * whose bytes are met and that was not found since the last reset. Literals that share their rarest bytes are the worst case:
 * where these stand, all of them are compared.
 *
 * Limits: LITERAL_COUNT_MAX literals of LITERAL_BYTES_MAX bytes, numbers below LITERAL_NUMBER_MAX. */
#ifndef RF_LITERAL_SET_H
#define RF_LITERAL_SET_H

#include "base/rf.h"

enum { LITERAL_COUNT_MAX = 1 << 20, LITERAL_BYTES_MAX = 1 << 16, LITERAL_NUMBER_MAX = 1 << 24 };
enum literal_case { LITERAL_CASE, LITERAL_NOCASE };

struct literal_set; /* immutable once built: threads may share it */

/* Collects literals in an arena; gone with it. */
struct literal_builder {
    struct rf_arena *arena;
    struct literal_add *added;
    uint32_t *always;
    uint32_t count, cap, always_count, always_cap, number_count;
    bool failed, too_many;
};
void literal_builder_init(struct literal_builder *builder, struct rf_arena *arena);
/* The literal is copied. The same one may be added under several numbers, and a number have several literals. An empty one
 * occurs everywhere, so its number is always there. What goes wrong is told by literal_set_build. */
void literal_builder_add(struct literal_builder *builder, rf_str literal, enum literal_case nocase,
                         uint32_t number);
/* A number that is a candidate whatever the text. */
void literal_builder_always(struct literal_builder *builder, uint32_t number);

/* Makes the set in the builder's arena.
 * Errors: RF_LIMIT TooManyLiterals, LiteralTooLong, MemoryBudgetExceeded. */
RF_MUST_USE enum rf_kind literal_set_build(struct literal_builder *builder,
                                           const struct literal_set **out, struct rf_err *err);
/* The numbers that are always candidates, each once, ascending; a view. */
const uint32_t *literal_set_always(const struct literal_set *set, uint32_t *count);
uint32_t literal_set_count(const struct literal_set *set); /* of different literals */

/* What was found since the last reset. For one thread. */
struct literal_hits {
    uint32_t *numbers; /* each once, in the order of being found */
    uint32_t count;
    /* The rest is the module's own. */
    uint64_t *number_bits, *literal_bits;
    uint32_t *literals; /* those found */
    uint32_t literal_count, short_count, number_cap;
};
/* Room for all numbers of the set. Errors: RF_LIMIT MemoryBudgetExceeded. */
RF_MUST_USE enum rf_kind literal_hits_init(struct literal_hits *hits, const struct literal_set *set,
                                           struct rf_arena *arena, struct rf_err *err);
/* Forgets what was found; cost: as much as was found. */
void literal_hits_reset(struct literal_hits *hits);
static inline bool literal_hits_has(const struct literal_hits *hits, uint32_t number)
{
    return number < hits->number_cap && (hits->number_bits[number / 64] >> (number % 64) & 1) != 0;
}

/* Adds the numbers whose literals occur in `text` to `hits`, which was made for this set. Never allocates. Always-candidates
 * are not added. */
void literal_set_find(const struct literal_set *set, rf_str text, struct literal_hits *hits);

#endif
