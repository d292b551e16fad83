/* regex_int.h - what the parts of the regular expressions share: syntax tree, program, engines. */
#ifndef RF_REGEX_INT_H
#define RF_REGEX_INT_H

#include "base/regex.h"
#include "base/regex_unicode.h"
#include "base/term.h"

/* ---- syntax tree: nodes in one array, linked by number ------------------------------------------ */

enum regex_kind {
    NODE_EMPTY,   /* matches the empty text */
    NODE_FAIL,    /* matches nothing */
    NODE_LITERAL, /* code point `low`; nocase */
    NODE_CLASS,   /* `high` spans from spans[low], normalized */
    NODE_ASSERT,  /* enum regex_assert in low */
    NODE_GROUP,   /* one child; captures as group `low` when not 0 */
    NODE_CONCAT,  /* children in order */
    NODE_ALTERNATE,
    NODE_REPEAT /* one child; low..high times, high REGEX_NO_MAX without bound; greedy */
};
#define REGEX_NO_MAX UINT32_MAX
#define REGEX_NO_NODE UINT32_MAX

/* Assertions are bits, so that a state can hold a set of them. */
enum regex_assert {
    ASSERT_BEGIN_LINE = 1,
    ASSERT_END_LINE = 2,
    ASSERT_BEGIN_TEXT = 4,
    ASSERT_END_TEXT = 8,
    ASSERT_WORD = 16,
    ASSERT_NOT_WORD = 32,
    ASSERT_ALL = 63
};

struct regex_node {
    uint8_t kind;
    bool nocase;
    bool greedy;
    bool nullable;   /* may match the empty text */
    uint32_t copies; /* how often the largest repeat inside multiplies a leaf */
    uint32_t low, high;
    uint32_t child; /* GROUP, REPEAT: the node. CONCAT, ALTERNATE: first of child_count numbers */
    uint32_t child_count; /*   in tree->children */
};

struct regex_span { /* code points low..high */
    uint32_t low, high;
};

struct regex_tree {
    struct regex_node *nodes;
    uint32_t node_count, node_cap;
    uint32_t *children;
    uint32_t children_count, children_cap;
    struct regex_span *spans;
    uint32_t span_count, span_cap;
    uint32_t root;
    uint32_t capture_count;
    rf_str names[REGEX_CAPTURES_MAX + 1]; /* views into the pattern */
};

/* The arena also holds the parser's own stack. */
enum rf_kind regex_parse(rf_str pattern, uint32_t flags, struct rf_arena *arena,
                         struct regex_tree *tree, struct rf_err *err);
/* A growing set of code points. */
struct regex_spans {
    struct regex_span *items;
    uint32_t count, cap;
    struct rf_arena *arena;
    bool failed;
};
void regex_spans_add(struct regex_spans *spans, uint32_t low, uint32_t high);
void regex_spans_normalize(struct regex_spans *spans); /* sorts and merges */
void regex_spans_fold(struct regex_spans *spans);      /* adds the variants in other case */
void regex_spans_negate(struct regex_spans *spans);    /* normalizes, too */
/* Adds the class called `name` (\p{name}); false when there is none. */
bool regex_spans_add_unicode(struct regex_spans *spans, rf_str name);
/* Doubles an array in an arena: items, their count and capacity. False: lack of memory. */
bool regex_grow(struct rf_arena *arena, void **items, uint32_t *cap, size_t bytes_each);

/* ---- program ------------------------------------------------------------------------------------ */

enum regex_op {
    OP_FAIL,
    OP_MATCH,
    OP_BYTES,   /* a byte low..high, then out */
    OP_SET,     /* a byte of sets[arg], then out */
    OP_ALT,     /* out, or with less priority arg */
    OP_CAPTURE, /* notes the place in slot arg, then out */
    OP_ASSERT,  /* if all assertions of arg hold, out */
    OP_NOP
};

struct regex_inst {
    uint8_t op;
    uint8_t low, high;
    uint32_t out, arg;
};

struct regex_set {
    uint64_t bits[4];
};

static inline bool regex_set_has(const struct regex_set *set, uint8_t c)
{
    return (set->bits[c >> 6] >> (c & 63)) & 1;
}

struct regex_prog {
    struct regex_inst *insts;
    uint32_t count, cap;
    struct regex_set *sets;
    uint32_t set_count, set_cap;
    uint32_t start;        /* anchored */
    uint32_t start_search; /* preceded by a lazy loop over any bytes */
    uint32_t asserts;      /* the assertions that occur */
    uint32_t class_count;  /* bytes that no instruction tells apart share a class */
    uint8_t classes[256];
};

struct regex {
    struct regex_prog forward;
    struct regex_prog reverse; /* matches backwards, to find where a match starts */
    uint32_t capture_count;
    rf_str *names;       /* capture_count + 1 */
    bool anchored_start; /* a match can only start at 0 */
    bool never;          /* no text matches */
    struct regex_literal *literals;
    size_t literal_count;
    const struct term_finder *required;  /* the longest literal, or NULL */
    const struct term_finder *prefix;    /* every match starts with it, or NULL */
    const struct regex_onepass *onepass; /* NULL: some byte leaves two ways to go */
};

/* The assertions that hold at `at` in the text. */
static inline bool regex_word_byte(uint8_t c) { return rf_is_alnum(c) || c == '_'; }
static inline uint32_t regex_asserts_at(rf_str text, size_t at)
{
    uint32_t asserts = 0;
    if (at == 0) asserts |= ASSERT_BEGIN_TEXT | ASSERT_BEGIN_LINE;
    if (at == text.len) asserts |= ASSERT_END_TEXT | ASSERT_END_LINE;
    if (at > 0 && text.ptr[at - 1] == '\n') asserts |= ASSERT_BEGIN_LINE;
    if (at < text.len && text.ptr[at] == '\n') asserts |= ASSERT_END_LINE;
    bool before = at > 0 && regex_word_byte(text.ptr[at - 1]);
    bool after = at < text.len && regex_word_byte(text.ptr[at]);
    return asserts | (before != after ? ASSERT_WORD : ASSERT_NOT_WORD);
}

/* ---- engines ------------------------------------------------------------------------------------ */

enum regex_verdict { REGEX_NO, REGEX_YES, REGEX_GIVE_UP /* cache thrashes, or no memory */ };

/* Runs the lazy DFA over text[from..to) with the whole text as context.
 *   forward: searches unanchored (or at `from` only) and gives the end of the leftmost-first match
 *   reverse: from `to` down, anchored there, gives the smallest start
 *   earliest: stops at the first sign of a match; *place is then of no use */
enum regex_verdict regex_dfa_run(const struct regex *re, struct regex_scratch *scratch, rf_str text,
                                 size_t from, size_t to, bool reverse, bool anchored, bool earliest,
                                 size_t *place);
/* Fills `groups` for a match that starts at `from` when anchored, else at or after it. */
enum regex_verdict regex_pike_run(const struct regex *re, struct regex_scratch *scratch,
                                  rf_str text, size_t from, size_t to, bool anchored,
                                  struct regex_group *groups, size_t cap);
/* The same by backtracking with a bit per instruction and place; only when regex_backtrack_fits.
 * Both visit places up to `to`, so it must be the end of the match or later. */
bool regex_backtrack_fits(const struct regex *re, size_t bytes);
enum regex_verdict regex_backtrack_run(const struct regex *re, struct regex_scratch *scratch,
                                       rf_str text, size_t from, size_t to, bool anchored,
                                       struct regex_group *groups, size_t cap);

/* Sets re->onepass if the program allows it; false: no memory. The second fills the groups of a match
 * that spans text[from..to); false: there is none. */
bool regex_onepass_make(struct regex *re, struct rf_arena *arena, struct rf_arena *temp);
bool regex_onepass_run(const struct regex *re, rf_str text, size_t from, size_t to,
                       struct regex_group *groups, size_t cap);
/* The match that starts at `from`, wherever it ends; adds the bytes that were looked at to *steps. */
bool regex_onepass_match(const struct regex *re, rf_str text, size_t from, size_t *steps,
                         struct regex_group *groups, size_t cap);

#endif
