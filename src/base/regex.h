/* regex.h - regular expressions in time linear in the text: no pattern can run away.
 *
 * Syntax of RE2: literals, . [..] [^..] [[:alpha:]] \d \D \w \W \s \S \pL \p{Greek} \P{..} \p{^..},
 * ^ $ \A \z \b \B, ( ) (?:..) (?P<name>..) (?<name>..) (?i) (?flags-flags:..), | * + ? {n} {n,} {n,m}
 * and their lazy forms, \Q..\E, \a \f \t \n \r \v \x7F \x{10FFFF} \123, and besides \u0041 \u{41}.
 *   i  without case (simple Unicode folding)    m  ^ and $ also at line ends
 *   s  . also matches a line feed               U  swaps greedy and lazy
 *   x  blanks and # comments are skipped
 * Leftmost-first: of the matches that start leftmost the one that Perl would find. Texts are UTF-8; a
 * malformed byte matches nothing but ends no search. No look-around, no back-references.
 *
 * Limits: pattern 256 KiB, 200 groups inside each other, 255 capture groups, counts to 1000 (also
 * multiplied through nesting), REGEX_INSTRUCTIONS_MAX in the compiled program. */
#ifndef RF_REGEX_H
#define RF_REGEX_H

#include "base/rf.h"

enum {
    REGEX_PATTERN_BYTES_MAX = 256 << 10,
    REGEX_DEPTH_MAX = 200,
    REGEX_CAPTURES_MAX = 255,
    REGEX_REPEAT_MAX = 1000,
    REGEX_INSTRUCTIONS_MAX = 120000
};

enum regex_flags {
    REGEX_NOCASE = 1,        /* as (?i) */
    REGEX_MULTI_LINE = 2,    /* as (?m) */
    REGEX_DOT_ALL = 4,       /* as (?s) */
    REGEX_UNGREEDY = 8,      /* as (?U) */
    REGEX_VERBOSE = 16,      /* as (?x) */
    REGEX_ANCHOR_START = 32, /* matches only at the start of the text */
    REGEX_ANCHOR_END = 64    /* matches only up to the end of the text */
};

struct regex; /* immutable once compiled: threads may share it */

/* Compiles `pattern` (UTF-8; copied as far as needed). `arena` holds the result.
 * Errors: RF_INVALID BadRegex with the byte offset + 1 in err->column; RF_LIMIT RegexTooLarge,
 * MemoryBudgetExceeded. */
RF_MUST_USE enum rf_kind regex_compile(rf_str pattern, uint32_t flags, struct rf_arena *arena,
                                       const struct regex **out, struct rf_err *err);

/* Groups beside the whole match. */
uint32_t regex_group_count(const struct regex *re);
/* Name of group 1..group_count; empty when it has none or `group` is out of range. */
rf_str regex_group_name(const struct regex *re, uint32_t group);
/* Number of the group called `name`, or 0. */
uint32_t regex_group_find(const struct regex *re, rf_str name);

/* A text that every match contains. */
struct regex_literal {
    rf_str text; /* in lower case when nocase */
    bool nocase; /* its ASCII letters match in either case */
};
/* The literals that all matches must contain, in pattern order; a view. Empty when none is known. */
const struct regex_literal *regex_literals(const struct regex *re, size_t *count);

/* Working memory of one thread. Grows in the arena up to some MiB, and is kept between calls. It may
 * serve several expressions, but each change forgets the states that were worked out for the last. */
struct regex_scratch {
    struct rf_arena *arena;
    const struct regex *re; /* the caches below belong to it */
    struct regex_dfa *forward, *reverse;
    struct regex_threads *threads;
    struct regex_backtrack *backtrack;
};
static inline void regex_scratch_init(struct regex_scratch *scratch, struct rf_arena *arena)
{
    *scratch = (struct regex_scratch){.arena = arena};
}
/* To be called before an expression of a new arena is used: it may lie where an old one lay. */
static inline void regex_scratch_forget(struct regex_scratch *scratch) { scratch->re = NULL; }

/* Byte offsets; from is SIZE_MAX where the group took no part. */
struct regex_group {
    size_t from, to;
};

/* True when the text has a match. On lack of memory false too, with *failed (may be NULL) set. */
bool regex_match(const struct regex *re, struct regex_scratch *scratch, rf_str text, bool *failed);
/* Finds the first match that starts at or after `from` (<= text.len; the text before it is seen by ^
 * and \b). Fills groups[0..cap-1]: 0 is the whole match, those beyond group_count are unset. cap 0
 * just asks. Cost: linear in the text for the bounds, and program size times match length at worst
 * for the groups. */
bool regex_find(const struct regex *re, struct regex_scratch *scratch, rf_str text, size_t from,
                struct regex_group *groups, size_t cap, bool *failed);

#endif
