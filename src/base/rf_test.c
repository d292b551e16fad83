#include "base/rf.h"
#include "test/rf_prop.h"

#include <errno.h>

/* ---- text --------------------------------------------------------------------------------------
 */

Test(rf, compares_and_finds_text)
{
    static const struct {
        const char *a, *b;
        int order;
    } pairs[] = {{"", "", 0}, {"", "a", -1}, {"a", "b", -1}, {"ab", "a", 1}, {"\xc3", "z", 1}};
    for (size_t i = 0; i < RF_COUNT(pairs); i++) {
        int order = rf_str_cmp(rf_str_of(pairs[i].a), rf_str_of(pairs[i].b));
        cr_assert((order > 0) - (order < 0) == pairs[i].order, "%s against %s", pairs[i].a,
                  pairs[i].b);
    }
    cr_assert(rf_str_eq_nocase(RF_S("AbC-\xc3\x84"), RF_S("aBc-\xc3\x84")));
    cr_assert(!rf_str_eq_nocase(RF_S("\xc3\x84"), RF_S("\xc3\xa4")), "only ASCII letters fold");
    cr_assert(rf_str_starts(RF_S("abc"), RF_S("ab")) && !rf_str_starts(RF_S("a"), RF_S("ab")));
    cr_assert(rf_str_ends(RF_S("abc"), RF_S("bc")) && !rf_str_ends(RF_S("c"), RF_S("bc")));
    cr_assert(rf_str_find(RF_S("abcabc"), RF_S("bc"), 2) == 4);
    cr_assert(rf_str_find(RF_S("abc"), RF_S("c"), 0) == 2 &&
              rf_str_find(RF_S("abc"), RF_S(""), 3) == 3);
    cr_assert(rf_str_find(RF_S("abc"), RF_S("x"), 0) == SIZE_MAX);
    cr_assert(rf_str_find(RF_S("abc"), RF_S("a"), 4) == SIZE_MAX);
    cr_assert(rf_str_is(rf_str_trim(RF_S(" \t a b\r\n")), "a b") &&
              rf_str_trim(RF_S("  ")).len == 0);
}

Test(rf, every_code_point_survives_utf8)
{
    uint8_t bytes[4];
    for (uint32_t cp = 0; cp <= 0x10ffff; cp++) {
        bool surrogate = cp >= 0xd800 && cp <= 0xdfff;
        rf_str s = rf_str_make(bytes, rf_utf8_put(cp, bytes));
        size_t at = 0;
        cr_assert(rf_utf8_next(s, &at) == (surrogate ? 0xfffd : cp) && at == s.len, "%x", cp);
        cr_assert(rf_utf8_valid(s) && rf_utf8_count(s) == 1, "%x", cp);
    }
    cr_assert(rf_utf8_put(0x110000, bytes) == 3);
}

Test(rf, refuses_malformed_utf8)
{
    static const char *const bad[] = {
        "\x80",
        "\xc0\xaf",
        "\xc1\xbf",
        "\xe0\x9f\xbf",
        "\xed\xa0\x80",
        "\xf0\x8f\xbf\xbf",
        "\xf4\x90\x80\x80",
        "\xf5\x80\x80\x80",
        "\xff",
        "\xe2\x82",
        "\xf0\x9f\x98",
        "abcdefgh\xc3",
        "abcdefghabcdefgh\xc3(",
    };
    for (size_t i = 0; i < RF_COUNT(bad); i++) {
        cr_assert(!rf_utf8_valid(rf_str_of(bad[i])), "%zu", i);
        size_t at = strspn(bad[i], "abcdefgh"), from = at;
        cr_assert(rf_utf8_next(rf_str_of(bad[i]), &at) == 0xfffd && at == from + 1, "%zu", i);
    }
    cr_assert(rf_utf8_valid(RF_S("plain text and \xc3\xbc and \xf0\x9f\x98\x80")));
    cr_assert(rf_utf8_count(RF_S("a\xff\xc3\xbc\xe2\x82")) == 5);
}

RF_PROP(rf_utf8_valid_agrees_with_decoding, 3000)
{
    uint8_t raw[64];
    rf_str s = rf_test_one_in(prng, 2)
                   ? rf_test_utf8(prng, raw, sizeof raw)
                   : rf_test_bytes(prng, raw, sizeof raw, "ab\xc3\xa4\xe2\x82\xf0\x9f");
    bool good = true;
    size_t count = 0;
    for (size_t at = 0; at < s.len; count++) {
        size_t from = at;
        uint32_t cp = rf_utf8_next(s, &at);
        good &= cp != 0xfffd || at - from == 3;
    }
    cr_assert(good == rf_utf8_valid(s) && count == rf_utf8_count(s));
}

/* ---- errors ------------------------------------------------------------------------------------
 */

Test(rf, errors_carry_kind_code_and_text)
{
    struct rf_err err;
    cr_assert(rf_fail(&err, RF_INVALID, "BadThing", "%d things", 3) == RF_INVALID);
    cr_assert(err.kind == RF_INVALID && strcmp(err.code, "BadThing") == 0);
    cr_assert(strcmp(err.text, "3 things") == 0 && err.line == 0 && err.os_errno == 0);
    errno = ENOENT;
    cr_assert(rf_fail_errno(&err, "Gone", "cannot open %s", "x") == RF_IO &&
              err.os_errno == ENOENT);
    cr_assert(strcmp(err.text, "cannot open x: No such file or directory") == 0, "%s", err.text);
    cr_assert(rf_fail(NULL, RF_LIMIT, "Any", "nobody reads this") == RF_LIMIT);
    char big[3000];
    memset(big, 'x', sizeof big - 1);
    big[sizeof big - 1] = '\0';
    (void)rf_fail_errno(&err, "Long", "%s", big);
    cr_assert(strlen(err.text) == sizeof err.text - 1);
}

/* ---- memory ------------------------------------------------------------------------------------
 */

Test(rf, arena_aligns_and_resets)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 1 << 20);
    for (size_t bytes = 0; bytes < 300; bytes++) {
        uint8_t *p = rf_arena_alloc(&arena, bytes);
        cr_assert(p != NULL && (uintptr_t)p % 16 == 0);
        memset(p, 0xee, bytes);
    }
    const uint8_t *zeros = rf_arena_zalloc(&arena, 100);
    for (size_t i = 0; i < 100; i++) cr_assert(zeros[i] == 0);
    size_t peak = atomic_load(&arena.budget->peak_bytes);
    rf_arena_reset(&arena);
    cr_assert(atomic_load(&arena.budget->used_bytes) < peak);
    cr_assert(rf_arena_array(&arena, SIZE_MAX / 2, 4) == NULL, "the size overflows");
    cr_assert(rf_arena_alloc(&arena, SIZE_MAX - 3) == NULL);
    rf_arena_done(&arena);
    cr_assert(atomic_load(&arena.budget->used_bytes) == 0);
    cr_assert(rf_arena_alloc(&arena, 1) != NULL, "an arena may be used again");
}

/* There are thousands of them in a server whose clients are idle. */
Test(rf, arena_that_may_hold_little_begins_small)
{
    static const struct {
        size_t limit_bytes, taken_bytes;
    } cases[] = {{4096, 512}, {1 << 16, 512}, {1 << 20, 1024}, {4 << 20, 4096}, {1 << 30, 4096}};
    for (size_t i = 0; i < RF_COUNT(cases); i++) {
        RF_CLEANUP(rf_arena_done) struct rf_arena arena;
        rf_arena_init(&arena, cases[i].limit_bytes);
        cr_assert(rf_arena_alloc(&arena, 100) != NULL);
        cr_expect(atomic_load(&arena.budget->used_bytes) == cases[i].taken_bytes, "limit %zu",
                  cases[i].limit_bytes);
        cr_assert(rf_arena_alloc(&arena, 3000) != NULL, "it grows as others do");
    }
}

Test(rf, arena_stops_at_its_budget)
{
    struct rf_budget budget;
    rf_budget_init(&budget, 100000);
    RF_CLEANUP(rf_arena_done) struct rf_arena a;
    RF_CLEANUP(rf_arena_done) struct rf_arena b;
    rf_arena_init_shared(&a, &budget);
    rf_arena_init_shared(&b, &budget);
    cr_assert(rf_arena_alloc(&a, 60000) != NULL && rf_arena_alloc(&b, 60000) == NULL);
    struct rf_err err;
    cr_assert(rf_fail_memory(&err, &b) == RF_LIMIT && strstr(err.text, "100000") != NULL);
    rf_arena_done(&a);
    cr_assert(rf_arena_alloc(&b, 60000) != NULL);
    /* Close to the limit a small request still gets what is left. */
    size_t got = 0;
    while (rf_arena_alloc(&b, 1000) != NULL) got += 1000;
    cr_assert(60000 + got > 90000, "%zu", got);
}

Test(rf, arena_grows_the_last_allocation_in_place)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 1 << 20);
    uint8_t *p = rf_arena_alloc(&arena, 10);
    memcpy(p, "0123456789", 10);
    cr_assert(rf_arena_grow(&arena, p, 10, 100) == p);
    (void)rf_arena_alloc(&arena, 1);
    uint8_t *moved = rf_arena_grow(&arena, p, 100, 200);
    cr_assert(moved != p && memcmp(moved, "0123456789", 10) == 0);
    cr_assert(rf_arena_grow(&arena, NULL, 0, 5) != NULL);
    rf_str s;
    cr_assert(rf_arena_str(&arena, RF_S("abc"), &s) && rf_str_is(s, "abc"));
    cr_assert(rf_arena_str(&arena, (rf_str){NULL, 0}, &s) && s.ptr != NULL && s.len == 0);
    cr_assert(strcmp(rf_arena_cstr(&arena, RF_S("abc")), "abc") == 0);
    cr_assert(rf_str_is(rf_arena_printf(&arena, "%d-%s", 7, "x"), "7-x"));
}

RF_PROP(rf_buf_keeps_what_is_put, 500)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 1 << 16);
    uint8_t model[4096], raw[200];
    size_t len = 0;
    struct rf_buf buf = rf_buf_in(&arena);
    while (len + sizeof raw < sizeof model && !rf_test_one_in(prng, 50)) {
        rf_str part = rf_test_bytes(prng, raw, sizeof raw, NULL);
        if (rf_test_one_in(prng, 4)) {
            rf_buf_printf(&buf, "%zu;", part.len);
            len += (size_t)sprintf((char *)model + len, "%zu;", part.len);
        } else if (rf_test_one_in(prng, 4)) {
            rf_buf_byte(&buf, 'x');
            model[len++] = 'x';
        } else {
            rf_buf_str(&buf, part);
            if (part.len > 0) memcpy(model + len, part.ptr, part.len);
            len += part.len;
        }
        if (rf_test_one_in(prng, 3)) (void)rf_arena_alloc(&arena, 1);
    }
    cr_assert(!buf.failed && rf_str_eq(rf_buf_view(&buf), rf_str_make(model, len)));
}

Test(rf, buf_remembers_a_failure)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 8192);
    struct rf_buf buf = rf_buf_in(&arena);
    static const uint8_t big[20000];
    rf_buf_put(&buf, "ab", 2);
    rf_buf_put(&buf, big, sizeof big);
    rf_buf_put(&buf, "cd", 2);
    rf_buf_byte(&buf, 'e');
    rf_buf_printf(&buf, "%d", 5);
    cr_assert(buf.failed);
    cr_assert(rf_str_starts(rf_buf_view(&buf), RF_S("ab")));
}

/* ---- names -------------------------------------------------------------------------------------
 */

static rf_str nth_name(const void *state, size_t index)
{
    return rf_str_of(((const char *const *)state)[index]);
}

Test(rf, finds_the_nearest_name)
{
    static const char *const names[] = {"summarize", "extend", "project", "project-away", "where"};
    static const struct {
        const char *asked, *near;
    } cases[] = {{"sumarize", "summarize"}, {"Exetnd", "extend"}, {"projct-away", "project-away"},
                 {"wehre", "where"},        {"zebra", NULL},      {"", NULL}};
    for (size_t i = 0; i < RF_COUNT(cases); i++) {
        rf_str found = {NULL, 0};
        const char *name =
            rf_nearest(rf_str_of(cases[i].asked), RF_COUNT(names), nth_name, names, &found);
        cr_assert((name != NULL) == (cases[i].near != NULL), "%s", cases[i].asked);
        if (name != NULL) cr_assert(rf_str_is(found, cases[i].near), "%s", cases[i].asked);
    }
}

Test(rf, hash_of_nothing_is_fine)
{
    cr_assert(rf_hash(NULL, 0, 0) == rf_hash("", 0, 0));
    cr_assert(rf_hash("a", 1, 0) != rf_hash("a", 1, 1) && rf_hash("a", 1, 0) != rf_hash("b", 1, 0));
}
