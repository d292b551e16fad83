#include "base/term.h"
#include "test/rf_prop.h"

Test(term, borders_and_terms)
{
    rf_str text = RF_S("ab_c-Zo\xc3\xab!"), term;
    static const bool borders[] = {true,  false, true,  true, true, true,
                                   false, false, false, true, true};
    for (size_t i = 0; i < RF_COUNT(borders); i++)
        cr_assert(term_border(text, i) == borders[i], "at %zu", i);
    size_t at = 0, count = 0;
    while (term_next(text, &at, &term)) count++;
    cr_assert(count == 3 && term_whole(term) == false);
    cr_assert(term_whole(RF_S("Zo\xc3\xab")) && !term_whole(RF_S("a b")) && !term_whole(RF_S("")));
}

Test(term, finds_without_case)
{
    static const struct {
        const char *needle, *text;
        size_t at;
    } cases[] = {
        {"ABC", "xxabcxx", 2},
        {"a", "xxA", 2},
        {"", "abc", 0},
        {"k", "\xe2\x84\xaa", SIZE_MAX},
        {"\xc3\xa9T", "\xc3\x89t", 0},
        {"[", "{", SIZE_MAX},
        {"@a", "`A", SIZE_MAX},
        {"aab", "aaaaab", 3},
        {"\xce\xa3", "a\xcf\x82", 1},
    };
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 1u << 16);
    for (size_t i = 0; i < RF_COUNT(cases); i++) {
        struct term_finder finder;
        rf_str text = rf_str_of(cases[i].text);
        cr_assert(term_finder_init(&finder, rf_str_of(cases[i].needle), true, &arena));
        cr_assert(term_finder_next(&finder, text, 0, NULL) == cases[i].at, "%s", cases[i].needle);
        cr_assert(term_finder_starts(&finder, text) == (cases[i].at == 0));
    }
    struct term_finder finder;
    cr_assert(term_finder_init(&finder, RF_S("\xc3\xa9X"), true, &arena));
    cr_assert(term_finder_ends(&finder, RF_S("ab\xc3\x89x")));
    cr_assert(!term_finder_ends(&finder, RF_S("x")));
    cr_assert(term_finder_equals(&finder, RF_S("\xc3\x89x")));
    cr_assert(term_equal_nocase(RF_S("\xc3\x89x"), RF_S("\xc3\xa9X")));
    cr_assert(!term_equal_nocase(RF_S("\xff"), RF_S("\xfe")));
}

static size_t find_slowly(rf_str text, rf_str needle, size_t from, bool nocase)
{
    for (size_t at = from; at + needle.len <= text.len; at++) {
        rf_str part = rf_slice(text, at, at + needle.len);
        if (nocase ? rf_str_eq_nocase(part, needle) : rf_str_eq(part, needle)) return at;
    }
    return SIZE_MAX;
}

/* Texts end where their allocation ends, so that a sanitizer sees a block read too far. */
RF_PROP(term_finder_agrees_with_the_slow_way, 3000)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 1u << 16);
    size_t len = rf_test_below(prng, 150), part = rf_test_below(prng, 6);
    uint8_t *text = malloc(len + 1), needle[8];
    for (size_t i = 0; i < len; i++) text[i] = "aAbB@"[rf_test_below(prng, 5)];
    for (size_t i = 0; i < part; i++) needle[i] = "aAbB@"[rf_test_below(prng, 5)];
    bool nocase = rf_test_bool(prng);
    size_t from = rf_test_below(prng, len + 1);
    struct term_finder finder;
    rf_str s = rf_str_make(text, len), n = rf_str_make(needle, part);
    cr_assert(term_finder_init(&finder, n, nocase, &arena));
    for (int avx2 = 0; avx2 < 2; avx2++) {
        cr_assert(term_finder_next(&finder, s, from, NULL) == find_slowly(s, n, from, nocase));
        finder.use_avx2 = false;
    }
    free(text);
}
