/* regex_diff_test.c - our regular expressions against RE2: the same patterns are refused, the same
 * matches and groups are found, by each of our engines. Random patterns from a small alphabet meet
 * random texts, besides a list of patterns that once differed or that people write. */
#include "base/regex_int.h"
#include "base/regex_peer.h"
#include "test/rf_prop.h"

static const char *const atoms[] = {
    "a",
    "b",
    "c",
    ".",
    "\\d",
    "\\w",
    "\\s",
    "\\W",
    "[ab]",
    "[^a]",
    "[a-c]",
    "^",
    "$",
    "\\b",
    "\\B",
    "\\A",
    "\\z",
    "k",
    "S",
    "\xc3\xa9",
    "[\xc3\xa9-\xc3\xbf]",
    "\\pL",
    "\\PL",
    "\\p{Greek}",
    "\xce\xb1",
    "\n",
    "abc",
    "ab",
    "_",
    "[[:alpha:]]",
    "[^\\n]",
    "\\x{3b1}",
    "\\D",
    "[\\d_]",
    "()",
    "(?:)",
    "\\Qa.b\\E",
    "-",
    "[a\\-c]",
    "[]a]",
    "\xe4\xb8\xad",
    "\xf0\x9f\x98\x80",
};
static const char *const repeats[] = {"*",   "+",     "?",      "*?",   "+?", "??",
                                      "{2}", "{0,2}", "{1,3}?", "{2,}", "{0}"};
static const char *const opens[] = {
    "(", "(", "(?:", "(?i:", "(?s:", "(?m:", "(?U:", "(?-s:", "(?P<n>"};
static const char *const pieces[] = {"a",
                                     "b",
                                     "c",
                                     "ab",
                                     "abc",
                                     "A",
                                     "B",
                                     "k",
                                     "K",
                                     "s",
                                     "S",
                                     " ",
                                     "\n",
                                     "_",
                                     "1",
                                     "-",
                                     ".",
                                     "\xc3\xa9",
                                     "\xc3\x89",
                                     "\xce\xb1",
                                     "\xce\x91",
                                     "\xe2\x84\xaa",
                                     "\xc5\xbf",
                                     "\xe4\xb8\xad",
                                     "\xf0\x9f\x98\x80",
                                     "\xff",
                                     "\xc3",
                                     "a.b"};
static const char *const known[] = {
    "(?m:\\B?|\\w)*",
    "(?:\\B?|\\s)*",
    "",
    "a**",
    "a*+",
    "*",
    "a|*",
    "(",
    ")",
    "(?i",
    "(?",
    "(?P<>a)",
    "[",
    "[]",
    "[^]",
    "[a",
    "[b-a]",
    "a{2}{3}",
    "a{1001}",
    "a{2,1}",
    "a{,2}",
    "a{",
    "a{1",
    "a{01}",
    "(a{100}){100}",
    "\\",
    "\\1",
    "\\8",
    "\\q",
    "\\pX",
    "\\p{Foo}",
    "(?=a)",
    "(?<=a)",
    "(?!a)",
    "(a*)*",
    "(a*)+",
    "(a*?)*",
    "(a|b)*?c",
    "(|a)*",
    "(|a)+",
    "(a|)+b",
    "(?:a?){3}",
    "^*",
    "(^)*",
    "(?:^a)*",
    "$^",
    "\\b\\B",
    "(?i)straSSe",
    "(?i)\\x{212a}",
    "(?i)[^k]",
    "(?i)\\w",
    "(?i)[[:lower:]]",
    "[[:foo:]]",
    "[[:^alpha:]x]",
    "[a-\\d]",
    "[\\d-z]",
    "[--/]",
    "[a-z&&[^b]]",
    "(a)(b)?(c)*",
    "((a)|(b))+",
    "(?s).",
    "(?m)^a$",
    "(?m)^$",
    "a$",
    "\\Aa\\z",
    "\\Z",
    "\\Q",
    "\\Qab",
    "\\Q\\E*",
    "(?i:a)b",
    "a(?i)b|c",
    "(?U)a+",
    "(?U)a+?",
    "x{0}",
    "(?-)",
    "(?i-)",
    "(?i-s)a",
    "(?:)",
    "()",
    "(?:|)",
    "[^\\x00-\\x{10FFFF}]",
    "\\x{110000}",
    "\\07",
    "\\123",
    "\\400",
    "[\\b]",
    "\\_",
    "\\-",
    "\\/",
    "\\\xc3\xa9",
    "\\pN",
    "\\p{^L}",
    "\\P{^L}",
    "\\PN",
    "\\p{Lu}+",
    "(?i)\\p{Lu}",
    "\xff",
    ".*\\.exe",
    "(?:powershell|pwsh)(?:\\.exe)?",
    "(\\d{1,3}\\.){3}\\d{1,3}",
    "[[:word:]]+@[[:word:]]+",
    "((((((((((a))))))))))",
    "a{0,1000}",
    "(a?){0,50}b",
    "(?i)k+",
    "\\d{3}-\\d{4}$",
    "\\bfoo\\b",
};

#define PICK(prng, list) (list)[rf_test_below((prng), RF_COUNT(list))]

enum { PATTERN_DEPTH = 3, TEXTS = 12, GROUPS_MAX = REGEX_CAPTURES_MAX + 1 };

/* Recursion is PATTERN_DEPTH deep at most. */
static void random_pattern(struct rf_prng *prng, struct rf_buf *out, int depth, int *names)
{
    if (depth == PATTERN_DEPTH && rf_test_below(prng, 5) == 0) rf_buf_str(out, RF_S("(?i)"));
    uint64_t items = 1 + rf_test_below(prng, 4);
    for (uint64_t i = 0; i < items; i++) {
        if (i > 0 && rf_test_below(prng, 6) == 0) rf_buf_byte(out, '|');
        if (depth > 0 && rf_test_below(prng, 3) == 0) {
            const char *open = PICK(prng, opens);
            if (strchr(open, '<') != NULL) {
                rf_buf_printf(out, "(?P<n%d>", (*names)++);
            } else {
                rf_buf_str(out, rf_str_of(open));
            }
            random_pattern(prng, out, depth - 1, names);
            rf_buf_byte(out, ')');
        } else {
            rf_buf_str(out, rf_str_of(PICK(prng, atoms)));
        }
        if (rf_test_below(prng, 3) == 0) rf_buf_str(out, rf_str_of(PICK(prng, repeats)));
    }
}

static void random_text(struct rf_prng *prng, struct rf_buf *out)
{
    uint64_t items = rf_test_below(prng, 14);
    for (uint64_t i = 0; i < items; i++) rf_buf_str(out, rf_str_of(PICK(prng, pieces)));
}

struct probe {
    rf_str pattern;
    const struct regex *re;
    struct regex_peer *peer;
    struct regex_scratch scratch;
    struct rf_arena arena;
};

static const char *const engines[] = {"search", "threads", "backtracker"};

static bool find_with(struct probe *probe, size_t engine, rf_str text, size_t from,
                      struct regex_group *groups, size_t cap)
{
    bool failed = false, found;
    if (engine == 0) {
        found = regex_find(probe->re, &probe->scratch, text, from, groups, cap, &failed);
        cr_assert(!failed);
        return found;
    }
    if (engine == 1 || !regex_backtrack_fits(probe->re, text.len - from))
        return regex_pike_run(probe->re, &probe->scratch, text, from, text.len, false, groups,
                              cap) == REGEX_YES;
    return regex_backtrack_run(probe->re, &probe->scratch, text, from, text.len, false, groups,
                               cap) == REGEX_YES;
}

static void compare_text(struct probe *probe, rf_str text, size_t from)
{
    size_t want[2 * GROUPS_MAX], cap = 1 + regex_peer_groups(probe->peer);
    struct regex_group got[GROUPS_MAX];
    /* RE2 takes a text at NULL for one that is not there. */
    const char *bytes = text.ptr == NULL ? "" : (const char *)text.ptr;
    bool expected = regex_peer_find(probe->peer, bytes, text.len, from, want, cap);
    if (from == 0)
        cr_assert(regex_match(probe->re, &probe->scratch, text, NULL) == expected,
                  "regex_match of \"%.*s\" in \"%.*s\"", RF_FMT(probe->pattern), RF_FMT(text));
    for (size_t engine = 0; engine < RF_COUNT(engines); engine++) {
        bool found = find_with(probe, engine, text, from, got, cap);
        cr_assert(found == expected, "%s: \"%.*s\" in \"%.*s\" from %zu: RE2 says %d",
                  engines[engine], RF_FMT(probe->pattern), RF_FMT(text), from, expected);
        for (size_t i = 0; found && i < cap; i++)
            cr_assert(got[i].from == want[2 * i] && got[i].to == want[2 * i + 1],
                      "%s: \"%.*s\" in \"%.*s\" from %zu: group %zu is %zd..%zd, RE2's %zd..%zd",
                      engines[engine], RF_FMT(probe->pattern), RF_FMT(text), from, i,
                      (ssize_t)got[i].from, (ssize_t)got[i].to, (ssize_t)want[2 * i],
                      (ssize_t)want[2 * i + 1]);
    }
}

static void compare(struct rf_prng *prng, rf_str pattern, int texts)
{
    struct probe probe = {.pattern = pattern};
    struct rf_err err;
    rf_arena_init(&probe.arena, 256u << 20);
    regex_scratch_init(&probe.scratch, &probe.arena);
    enum rf_kind kind = regex_compile(pattern, 0, &probe.arena, &probe.re, &err);
    probe.peer = regex_peer_new((const char *)pattern.ptr, pattern.len);
    cr_assert((kind == RF_OK) == (probe.peer != NULL), "\"%.*s\": we say %s", RF_FMT(pattern),
              kind == RF_OK ? "yes" : err.text);
    for (int i = 0; kind == RF_OK && i < texts; i++) {
        struct rf_buf text = rf_buf_in(&probe.arena);
        random_text(prng, &text);
        size_t from = rf_test_bool(prng) ? 0 : rf_test_below(prng, text.len + 1);
        compare_text(&probe, rf_buf_view(&text), from);
    }
    if (kind == RF_OK) cr_assert(regex_group_count(probe.re) == regex_peer_groups(probe.peer));
    regex_peer_free(probe.peer);
    rf_arena_done(&probe.arena);
}

RF_PROP(regex_agrees_with_re2, 4000)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 1u << 20);
    struct rf_buf pattern = rf_buf_in(&arena);
    int names = 0;
    random_pattern(prng, &pattern, PATTERN_DEPTH, &names);
    compare(prng, rf_buf_view(&pattern), TEXTS);
}

Test(regex_diff, known_patterns)
{
    struct rf_prng prng = {.state = 7, .size = RF_TEST_SIZE_MAX};
    for (size_t i = 0; i < RF_COUNT(known); i++) compare(&prng, rf_str_of(known[i]), 40);
}
