/* The first line is the pattern, what follows is searched. All engines must agree. */
#include "base/regex_int.h"
#include "test/rf_fuzz.h"

RF_FUZZ(regex, text)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 64u << 20);
    size_t line = rf_str_find(text, RF_S("\n"), 0);
    rf_str pattern = rf_slice(text, 0, line == SIZE_MAX ? text.len : line);
    rf_str body = line == SIZE_MAX ? RF_S("") : rf_slice(text, line + 1, text.len);
    const struct regex *re;
    struct rf_err err;
    /* Long patterns over long texts are only slow. */
    if (pattern.len > 300 || body.len > 2000) return;
    if (regex_compile(pattern, 0, &arena, &re, &err) != RF_OK) return;
    if (re->forward.count > 5000) return;
    struct regex_scratch scratch;
    struct regex_group found[3], again[3];
    bool failed = false;
    regex_scratch_init(&scratch, &arena);
    bool match = regex_match(re, &scratch, body, &failed);
    bool find = regex_find(re, &scratch, body, 0, found, 3, &failed);
    enum regex_verdict pike = regex_pike_run(re, &scratch, body, 0, body.len, false, again, 3);
    if (failed || pike == REGEX_GIVE_UP) return;
    RF_ASSERT(match == find);
    RF_ASSERT(match == (pike == REGEX_YES));
    for (int i = 0; match && i < 3; i++) {
        RF_ASSERT(found[i].from == again[i].from);
        RF_ASSERT(found[i].to == again[i].to);
    }
}
