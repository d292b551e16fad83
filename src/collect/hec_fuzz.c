#include "collect/hec.h"
#include "test/rf_fuzz.h"

RF_FUZZ(hec, text)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    struct hec_defaults defaults = {.source_type = RF_S("syslog")};
    struct line_source source = {.now = INT64_C(1769860800000000)};
    struct hec_result result;
    struct rf_err err;
    rf_arena_init(&arena, 32 << 20);
    struct rowset rows = rowset_in(&arena);
    bool raw = text.len > 0 && text.ptr[0] == 'r';
    (void)!(raw ? hec_read_raw : hec_read_events)(text, &defaults, &source, &arena, &rows, &result,
                                                  &err);
}
