#include "base/regex_int.h"
#include "test/rf_prop.h"

#include <criterion/criterion.h>

struct bench {
    struct rf_arena arena;
    struct regex_scratch scratch;
    const struct regex *re;
    struct rf_err err;
};

static enum rf_kind bench_init(struct bench *b, const char *pattern, uint32_t flags)
{
    rf_arena_init(&b->arena, 64u << 20);
    regex_scratch_init(&b->scratch, &b->arena);
    return regex_compile(rf_str_of(pattern), flags, &b->arena, &b->re, &b->err);
}

/* The groups as "0-3 1-2 -". */
static void groups_text(const struct regex_group *groups, size_t count, char *out, size_t cap)
{
    size_t at = 0;
    out[0] = 0;
    for (size_t i = 0; i < count; i++) {
        const char *blank = i > 0 ? " " : "";
        int len = groups[i].from == SIZE_MAX ? snprintf(out + at, cap - at, "%s-", blank)
                                             : snprintf(out + at, cap - at, "%s%zu-%zu", blank,
                                                        groups[i].from, groups[i].to);
        at += (size_t)len;
    }
}

Test(regex, finds_and_captures)
{
    static const struct {
        const char *pattern, *text, *groups; /* groups NULL: no match */
    } cases[] = {
        {"abc", "xxabcxx", "2-5"},
        {"", "abc", "0-0"},
        {"a|ab", "ab", "0-1"},
        {"(a|ab)(c|bcd)(d*)", "abcd", "0-4 0-1 1-4 4-4"},
        {"a*?", "aaa", "0-0"},
        {"a+?b", "aaab", "0-4"},
        {"(?U)a+", "aaa", "0-1"},
        {"(?U)a+?", "aaa", "0-3"},
        {"(a)(b)?", "ac", "0-1 0-1 -"},
        {"^\\d{2,4}$", "123", "0-3"},
        {"^\\d{2,4}$", "12345", NULL},
        {"(?m)^b$", "a\nb\nc", "2-3"},
        {"^b", "a\nb", NULL},
        {"a$", "a\n", NULL},
        {"a.c", "a\nc", NULL},
        {"(?s)a.c", "a\nc", "0-3"},
        {"(?i)straSSe", "STRASSE", "0-7"},
        {"(?i)\xc3\xa9t\xc3\xa9", "\xc3\x89T\xc3\x89", "0-5"},
        {"(?i:ab)C", "aBC", "0-3"},
        {"(?i:ab)C", "aBc", NULL},
        {"\\bfoo\\b", "a foo b", "2-5"},
        {"\\bfoo\\b", "afoo", NULL},
        {"[^a-c]+", "abcdef", "3-6"},
        {"[[:digit:][:upper:]]+", "abC3d", "2-4"},
        {"\\pL+", "1\xce\xb1\xce\xb2z2", "1-6"},
        {"\\p{Greek}+", "z\xce\xb1\xce\xb2", "1-5"},
        {"\\P{L}+", "ab12c", "2-4"},
        {"\\x{4e2d}\\u6587", "\xe4\xb8\xad\xe6\x96\x87", "0-6"},
        {"\\Qa.b\\E+", "a.bbb", "0-5"},
        {"(?x) a b # comment\n c", "abc", "0-3"},
        {"(?P<year>\\d+)-(?<month>\\d+)", "on 2024-05", "3-10 3-7 8-10"},
        {"(a*)*", "b", "0-0 0-0"},
        {"(a*)+", "aab", "0-2 0-2"},
        {"(|a)+", "aaa", "0-0 0-0"},
        {"(?:\\B?|\\s)*", " ", "0-0"}, /* assertions in a loop keep the order of preference */
        {"x{2,3}", "xxxx", "0-3"},
        {"x{2,3}?", "xxxx", "0-2"},
        {"a{,2}", "a{,2}", "0-5"},
        {".", "\xff\xc3", NULL},
        {"b",
         "\xff"
         "b",
         "1-2"},
    };
    for (size_t i = 0; i < RF_COUNT(cases); i++) {
        struct bench b;
        struct regex_group groups[8];
        char got[200];
        cr_assert(bench_init(&b, cases[i].pattern, 0) == RF_OK, "%s: %s", cases[i].pattern,
                  b.err.text);
        size_t cap = regex_group_count(b.re) + 1;
        rf_str text = rf_str_of(cases[i].text);
        bool found = regex_find(b.re, &b.scratch, text, 0, groups, cap, NULL);
        cr_assert(found == (cases[i].groups != NULL), "%s in %s", cases[i].pattern, cases[i].text);
        cr_assert(regex_match(b.re, &b.scratch, text, NULL) == found);
        if (found) {
            groups_text(groups, cap, got, sizeof got);
            cr_assert_str_eq(got, cases[i].groups, "%s in %s: %s", cases[i].pattern, cases[i].text,
                             got);
        }
        rf_arena_done(&b.arena);
    }
}

Test(regex, refuses_with_the_place)
{
    static const struct {
        const char *pattern;
        uint32_t column;
        const char *says;
    } cases[] = {
        {"a(b", 2, "parenthesis"},
        {"ab)", 3, "closes nothing"},
        {"a**", 3, "follows a repeat"},
        {"*a", 1, "nothing stands"},
        {"[b-a]", 2, "ends before"},
        {"[a", 1, "closing ]"},
        {"(?=a)", 1, "look-around"},
        {"(a)\\1", 4, "back-ref"},
        {"\\q", 1, "escape"},
        {"\\p{Foo}", 1, "class"},
        {"a{1001}", 2, "counts"},
        {"(?P<n>a)(?P<n>b)", 9, "twice"},
        {"((a{100}){100})", 10, "multiply"},
        {"\xff", 1, "UTF-8"},
        {"a\\", 2, "back slash"},
    };
    for (size_t i = 0; i < RF_COUNT(cases); i++) {
        struct bench b;
        cr_assert(bench_init(&b, cases[i].pattern, 0) == RF_INVALID, "%s", cases[i].pattern);
        cr_assert_str_eq(b.err.code, "BadRegex");
        cr_assert(b.err.column == cases[i].column, "%s: %u", cases[i].pattern, b.err.column);
        cr_assert(strstr(b.err.text, cases[i].says) != NULL, "%s: %s", cases[i].pattern,
                  b.err.text);
        rf_arena_done(&b.arena);
    }
}

Test(regex, keeps_its_limits)
{
    struct bench b;
    char deep[1001];
    memset(deep, '(', 500);
    memset(deep + 500, ')', 500);
    deep[1000] = 0;
    cr_assert(bench_init(&b, deep, 0) == RF_INVALID);
    rf_arena_done(&b.arena);
    cr_assert(bench_init(&b, "(\\pL{500}\\pL{500}\\pL{500}\\pL{500}){1}", 0) == RF_LIMIT);
    cr_assert_str_eq(b.err.code, "RegexTooLarge");
    rf_arena_done(&b.arena);
    rf_arena_init(&b.arena, 2000);
    cr_assert(regex_compile(RF_S("\\pL+"), 0, &b.arena, &b.re, &b.err) == RF_LIMIT);
    rf_arena_done(&b.arena);
}

/* What backtrackers take exponential time for. */
Test(regex, is_linear)
{
    struct bench b;
    enum { LENGTH = 200000 };
    char *text = malloc(LENGTH + 1);
    memset(text, 'a', LENGTH);
    text[LENGTH] = 'b';
    static const char *const patterns[] = {"(a*)*$", "(a|aa)+$", "(a?){50}a{50}c", "(.*a){20}x"};
    for (size_t i = 0; i < RF_COUNT(patterns); i++) {
        struct regex_group groups[2];
        cr_assert(bench_init(&b, patterns[i], 0) == RF_OK);
        rf_str s = rf_str_make(text, LENGTH + 1);
        cr_assert(i == 0 || !regex_match(b.re, &b.scratch, s, NULL));
        (void)regex_find(b.re, &b.scratch, s, 0, groups, 2, NULL);
        rf_arena_done(&b.arena);
    }
    free(text);
}

Test(regex, anchors_by_flags)
{
    struct bench b;
    struct regex_group group;
    cr_assert(bench_init(&b, "-|--", REGEX_ANCHOR_END) == RF_OK);
    cr_assert(regex_find(b.re, &b.scratch, RF_S("--a--"), 0, &group, 1, NULL));
    cr_assert(group.from == 3 && group.to == 5);
    rf_arena_done(&b.arena);
    cr_assert(bench_init(&b, "a|b", REGEX_ANCHOR_START | REGEX_ANCHOR_END) == RF_OK);
    cr_assert(!regex_match(b.re, &b.scratch, RF_S("ab"), NULL));
    cr_assert(regex_match(b.re, &b.scratch, RF_S("b"), NULL));
    rf_arena_done(&b.arena);
}

Test(regex, names_groups)
{
    struct bench b;
    cr_assert(bench_init(&b, "(a)(?P<two>b)(?<three>c)", 0) == RF_OK);
    cr_assert(regex_group_count(b.re) == 3);
    cr_assert(regex_group_name(b.re, 1).len == 0 && regex_group_name(b.re, 9).len == 0);
    cr_assert(rf_str_is(regex_group_name(b.re, 2), "two"));
    cr_assert(regex_group_find(b.re, RF_S("three")) == 3 && regex_group_find(b.re, RF_S("x")) == 0);
    rf_arena_done(&b.arena);
}

Test(regex, knows_required_literals)
{
    static const struct {
        const char *pattern, *literals;
    } cases[] = {
        {"abc.*def", "abc def"},
        {"(abc)(def)+g", "abc def g"},
        {"a|b", ""},
        {"x(ab|cd)y", "x y"},
        {"(?i)PowerShell", "~power ~hell"},
        {"foo\\b bar", "foo bar"},
        {"a?bc*d", "b d"},
        {"[.]exe[aA]", ".exe"},
    };
    for (size_t i = 0; i < RF_COUNT(cases); i++) {
        struct bench b;
        size_t count;
        cr_assert(bench_init(&b, cases[i].pattern, 0) == RF_OK);
        const struct regex_literal *literals = regex_literals(b.re, &count);
        struct rf_buf buf = rf_buf_in(&b.arena);
        for (size_t l = 0; l < count; l++)
            rf_buf_printf(&buf, "%s%s%.*s", l > 0 ? " " : "", literals[l].nocase ? "~" : "",
                          RF_FMT(literals[l].text));
        cr_assert(rf_str_is(rf_buf_view(&buf), cases[i].literals), "%s: %.*s", cases[i].pattern,
                  RF_FMT(rf_buf_view(&buf)));
        rf_arena_done(&b.arena);
    }
}

/* One scratch serves several expressions, and a cache that overflows gives the same answers. */
Test(regex, scratch_is_reusable)
{
    struct bench b;
    const struct regex *other;
    cr_assert(bench_init(&b, "[ab]*a[ab]{12}c", 0) == RF_OK); /* 2^13 states */
    cr_assert(regex_compile(RF_S("b+"), 0, &b.arena, &other, &b.err) == RF_OK);
    uint8_t text[40000];
    struct rf_prng prng = {.state = 3, .size = RF_TEST_SIZE_MAX};
    for (size_t i = 0; i < sizeof text; i++) text[i] = rf_test_bool(&prng) ? 'a' : 'b';
    for (int round = 0; round < 3; round++) {
        rf_str s = rf_str_make(text, sizeof text);
        cr_assert(!regex_match(b.re, &b.scratch, s, NULL));
        cr_assert(regex_match(other, &b.scratch, s, NULL));
        text[sizeof text - 1] = 'c';
        text[sizeof text - 14] = 'a';
        cr_assert(regex_match(b.re, &b.scratch, s, NULL));
        text[sizeof text - 1] = 'b';
    }
    rf_arena_done(&b.arena);
}

Test(regex, says_when_memory_ends)
{
    struct bench b;
    cr_assert(bench_init(&b, "(a|b)+c", 0) == RF_OK);
    RF_CLEANUP(rf_arena_done) struct rf_arena small;
    rf_arena_init(&small, 64);
    struct regex_scratch scratch;
    regex_scratch_init(&scratch, &small);
    bool failed = false;
    cr_assert(!regex_match(b.re, &scratch, RF_S("abc"), &failed) && failed);
    rf_arena_done(&b.arena);
}
