/* functions_fuzz.c - saved functions in the three forms of files. */
#include "lab/functions.h"
#include "test/rf_fuzz.h"

RF_FUZZ(functions, text)
{
    static const char *const names[] = {"F.kql", "f.yaml", "functions.json"};
    for (size_t i = 0; i < RF_COUNT(names); i++) {
        RF_CLEANUP(rf_arena_done) struct rf_arena arena;
        rf_arena_init(&arena, 64 << 20);
        struct lab_functions list = {.arena = &arena};
        struct rf_err err;
        (void)lab_functions_add_text(&list, rf_str_of(names[i]), text, &err);
        for (uint32_t f = 0; f < list.count; f++)
            RF_ASSERT(list.items[f].text.len > 0 && list.items[f].text.ptr[0] == '(');
    }
}
