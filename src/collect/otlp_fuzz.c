#include "collect/otlp.h"
#include "test/rf_fuzz.h"

/* The first byte says which signal and which form. */
RF_FUZZ(otlp, text)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    struct otlp_result result;
    struct json_node *node;
    struct rf_err err;
    rf_arena_init(&arena, 32 << 20);
    if (text.len == 0) return;
    struct rowset rows = rowset_in(&arena);
    rf_str body = rf_slice(text, 1, text.len);
    if (otlp_read((enum otlp_signal)(text.ptr[0] % 3), (text.ptr[0] & 4) != 0, body, 0, &arena,
                  &rows, &result, &err) != RF_OK)
        return;
    for (uint32_t i = 0; i < rows.table_count; i++) {
        rf_str line = rf_buf_view(&rows.tables[i].lines);
        line.len = rf_str_find(line, RF_S("\n"), 0);
        enum rf_kind kind = json_parse(line, &arena, &node, &err);
        RF_ASSERT(kind == RF_OK || kind == RF_LIMIT || strcmp(err.code, "DuplicateKey") == 0);
    }
}
