#include "sigma/pattern.h"
#include "test/rf_prop.h" /* includes <criterion/criterion.h> */

static bool matches(rf_str text, rf_str value, bool contains, bool windash)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 64 << 20);
    struct sigma_pattern pattern;
    struct pattern_matcher matcher;
    struct regex_scratch scratch;
    struct rf_err err;
    cr_assert(pattern_parse(text, &arena, &pattern, &err) == RF_OK);
    if (contains) cr_assert(pattern_widen(&pattern, true, true, &arena));
    if (windash) cr_assert(pattern_windash(&pattern, &arena));
    cr_assert(pattern_compile(&pattern, &arena, &matcher, &err) == RF_OK);
    regex_scratch_init(&scratch, &arena);
    return pattern_matches(&matcher, &scratch, value);
}

Test(pattern, wildcards_and_escapes)
{
    static const struct {
        const char *pattern, *value;
        bool matches;
    } cases[] = {
        {"cmd.exe", "CMD.EXE", true},
        {"cmd.exe", "cmd.exe ", false},
        {"*\\cmd.exe", "C:\\x\\cmd.exe", true},
        {"*\\\\*", "a\\b", true}, /* backslash, then a wildcard */
        {"*\\\\*", "ab", false},
        {"\\*", "*", true},
        {"\\*", "x", false},
        {"\\?", "?", true},
        {"a\\\\\\*b", "a\\*b", true}, /* three: both plain */
        {"a\\b", "a\\b", true},
        {"a\\\\b", "a\\b", true},
        {"a\\\\\\\\b", "a\\\\b", true},
        {"prog?.exe", "progA.exe", true},
        {"prog?.exe", "prog.exe", false},
        {"?", "\xc3\xa9", true}, /* a character, not a byte */
        {"*?*?*", "\xc3\xa9", false},
        {"a*b*c", "a\nbxc", true},
        {"a*b*c", "acb", false},
        {"a*a", "a", false},
        {"*?b", "ab", true},
        {"*?b", "b", false},
        {"*", "", true},
        {"", "", true},
        {"", "x", false},
        {"\xc3\x89t\xc3\xa9*x?", "\xc3\xa9T\xc3\x89 Xy",
         true}, /* other letters without case, too */
    };
    for (size_t i = 0; i < RF_COUNT(cases); i++)
        cr_expect(matches(rf_str_of(cases[i].pattern), rf_str_of(cases[i].value), false, false) ==
                      cases[i].matches,
                  "%s of %s", cases[i].pattern, cases[i].value);
}

Test(pattern, windash_stands_for_five_dashes_at_the_start_of_words)
{
    static const struct {
        const char *pattern, *value;
        bool matches;
    } cases[] = {
        {" -enc ", "x /ENC y", true},
        {" -enc ",
         "x \xe2\x80\x93"
         "enc y",
         true},
        {" -enc ",
         "x \xe2\x80\x95"
         "enc y",
         true},
        {" /enc ", "x -enc y", true},
        {" -enc ", "x +enc y", false},
        {"a-b", "a/b", false}, /* within a word */
        {"- x", "/ x", false}, /* before no word */
        {"-a -b",
         "/A \xe2\x80\x94"
         "B",
         true},
    };
    for (size_t i = 0; i < RF_COUNT(cases); i++)
        cr_expect(matches(rf_str_of(cases[i].pattern), rf_str_of(cases[i].value), true, true) ==
                      cases[i].matches,
                  "%s of %s", cases[i].pattern, cases[i].value);
}

/* The slow model: each piece tried at each place. */
static bool model(const struct sigma_piece *piece, uint32_t count, rf_str value, size_t at)
{
    if (count == 0) return at == value.len;
    size_t next = at;
    switch (piece->kind) {
    case SIGMA_TEXT:
        next = at + piece->text.len;
        return next <= value.len && rf_str_eq_nocase(rf_slice(value, at, next), piece->text) &&
               model(piece + 1, count - 1, value, next);
    case SIGMA_ONE:
        if (at == value.len) return false;
        (void)rf_utf8_next(value, &next);
        return model(piece + 1, count - 1, value, next);
    case SIGMA_DASH:
        if (at == value.len) return false;
        if (value.ptr[at] != '-' && value.ptr[at] != '/') return false;
        return model(piece + 1, count - 1, value, at + 1);
    default:
        for (;;) {
            if (model(piece + 1, count - 1, value, next)) return true;
            if (next == value.len) return false;
            (void)rf_utf8_next(value, &next);
        }
    }
}

RF_PROP(pattern_finds_what_a_slow_model_finds, 4000)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 64 << 20);
    uint8_t raw[2][40];
    rf_str text = rf_test_bytes(prng, raw[0], 12, "aAb*?\\-/ "),
           value = rf_test_bytes(prng, raw[1], 24, "aAbB*?\\-/ ");
    struct sigma_pattern pattern;
    struct pattern_matcher matcher;
    struct regex_scratch scratch;
    struct rf_err err;
    cr_assert(pattern_parse(text, &arena, &pattern, &err) == RF_OK);
    if (rf_test_below(prng, 2) == 0) cr_assert(pattern_windash(&pattern, &arena));
    cr_assert(pattern_compile(&pattern, &arena, &matcher, &err) == RF_OK);
    regex_scratch_init(&scratch, &arena);
    bool wanted = model(pattern.pieces, pattern.count, value, 0);
    cr_assert(pattern_matches(&matcher, &scratch, value) == wanted);
    /* The regular expression that KQL gets says the same. */
    struct rf_buf buf = rf_buf_in(&arena);
    const struct regex *re;
    rf_buf_str(&buf, RF_S("(?is)^"));
    pattern_put_regex(&buf, &pattern);
    rf_buf_byte(&buf, '$');
    cr_assert(regex_compile(rf_buf_view(&buf), 0, &arena, &re, &err) == RF_OK);
    cr_assert(regex_match(re, &scratch, value, NULL) == wanted);
}
