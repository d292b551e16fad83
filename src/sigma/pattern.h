/* pattern.h - Sigma's wildcard patterns: text to pieces, and a value matched against them.
 *
 * `*` and `?` are wildcards; a backslash before one of them, or before a backslash, makes that character plain; any other
 * backslash is plain itself. Letters compare without case unless the pattern is `cased`: ASCII letters alone where the
 * pattern is ASCII, else by simple Unicode folding, as KQL's `=~` and `contains` do. A wildcard also spans line ends.
 *
 * Matching never looks back behind a `*`: what stands between two of them is found once, at its first place. */
#ifndef RF_SIGMA_PATTERN_H
#define RF_SIGMA_PATTERN_H

#include "base/term.h"
#include "sigma/sigma.h"

/* Pieces of `text`, in `arena`; texts without escapes are views. Errors: RF_LIMIT PatternTooLong, MemoryBudgetExceeded. */
RF_MUST_USE enum rf_kind pattern_parse(rf_str text, struct rf_arena *arena,
                                       struct sigma_pattern *out, struct rf_err *err);
/* One plain text. False on lack of memory. */
bool pattern_plain(rf_str text, struct rf_arena *arena, struct sigma_pattern *out);
/* Adds a `*` in front, behind. False on lack of memory. */
bool pattern_widen(struct sigma_pattern *pattern, bool front, bool behind, struct rf_arena *arena);
/* Dashes at the start of words stand for every dash (modifier windash). False on lack of memory. */
bool pattern_windash(struct sigma_pattern *pattern, struct rf_arena *arena);
/* True when the pattern is one text, or nothing; *out is it. */
bool pattern_is_plain(const struct sigma_pattern *pattern, rf_str *out);
/* True when the pattern is one text between optional `*`; tells which. */
bool pattern_is_simple(const struct sigma_pattern *pattern, rf_str *text,
                       enum sigma_anchor *anchor);
/* Appends the pattern as a regular expression (RE2) without flags; it must match the whole value with (?s). */
void pattern_put_regex(struct rf_buf *buf, const struct sigma_pattern *pattern);
void regex_put_quoted(struct rf_buf *buf, rf_str text);

/* A pattern made ready. Immutable: threads may share it. */
struct pattern_matcher {
    uint8_t kind;
    bool cased, from_start, to_end;
    struct term_finder finder;
    struct pattern_segment *segments; /* between the `*` */
    uint32_t segment_count;
    const struct regex *re; /* of patterns that are not ASCII and hold `?` or several texts */
};
/* Borrows the pattern. Errors: MemoryBudgetExceeded. */
RF_MUST_USE enum rf_kind pattern_compile(const struct sigma_pattern *pattern,
                                         struct rf_arena *arena, struct pattern_matcher *out,
                                         struct rf_err *err);
/* `scratch` is used by patterns that are regular expressions; it belongs to this pattern and one thread. */
bool pattern_matches(const struct pattern_matcher *matcher, struct regex_scratch *scratch,
                     rf_str value);
static inline bool pattern_needs_scratch(const struct pattern_matcher *matcher)
{
    return matcher->re != NULL;
}

#endif
