#include "sigma/compile.h"
#include "sigma/sigma.h"
#include "test/rf_fuzz.h"

/* Any text as a file of rules: what is read compiles for the layout that has its log source, or says why not. */
RF_FUZZ(sigma, text)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 64 << 20);
    struct sigma_set set = sigma_set_in(&arena);
    struct rf_err err;
    if (text.len > 1 << 14 ||
        sigma_read(&set, "rules.yml", 1, (rf_str){NULL, 0}, text, &err) != RF_OK)
        return;
    if (sigma_set_finish(&set, &err) != RF_OK) return;
    for (uint32_t i = 0; i < set.problem_count; i++) {
        RF_ASSERT(set.problems[i].err.code != NULL);
        RF_ASSERT(set.problems[i].err.line > 0);
    }
    struct compile_options options = {.layout = NULL};
    struct compiled compiled;
    for (uint32_t i = 0; i < set.rule_count; i++)
        if (!set.rules[i]->failed &&
            sigma_compile(set.rules[i], &options, &arena, &compiled, &err) == RF_OK)
            RF_ASSERT(compiled.query.len > 0);
}
