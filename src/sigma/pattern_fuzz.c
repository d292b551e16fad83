#include "sigma/pattern.h"
#include "test/rf_fuzz.h"

/* The first line is a pattern, the rest a value: no pattern reads beyond its value, and its regular expression compiles. */
RF_FUZZ(pattern, text)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 64 << 20);
    size_t end = rf_str_find(text, RF_S("\n"), 0);
    if (end == SIZE_MAX || end > 300) return;
    struct sigma_pattern pattern;
    struct pattern_matcher matcher;
    struct regex_scratch scratch;
    struct rf_err err;
    if (pattern_parse(rf_slice(text, 0, end), &arena, &pattern, &err) != RF_OK) return;
    if (end % 2 == 0 && !pattern_windash(&pattern, &arena)) return;
    if (pattern_compile(&pattern, &arena, &matcher, &err) != RF_OK) return;
    regex_scratch_init(&scratch, &arena);
    (void)pattern_matches(&matcher, &scratch, rf_slice(text, end + 1, text.len));
    struct rf_buf buf = rf_buf_in(&arena);
    const struct regex *re;
    pattern_put_regex(&buf, &pattern);
    if (!buf.failed && rf_utf8_valid(rf_buf_view(&buf)))
        RF_ASSERT(regex_compile(rf_buf_view(&buf), 0, &arena, &re, &err) == RF_OK);
}
