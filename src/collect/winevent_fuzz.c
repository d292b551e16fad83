#include "collect/winevent.h"
#include "test/rf_fuzz.h"

static bool any(const void *ctx, rf_str *name, bool *is_int)
{
    (void)ctx;
    *is_int = name->len % 2 == 0;
    return name->len % 3 != 0;
}

RF_FUZZ(winevent, text)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    struct winevent_columns columns = {NULL, any};
    struct json_node *node;
    struct rf_err err;
    rf_arena_init(&arena, 32 << 20);
    struct rowset rows = rowset_in(&arena);
    if (json_parse(text, &arena, &node, &err) == RF_OK && node->type == JSON_T_OBJECT)
        (void)!winevent_read_json(node, &columns, &arena, &rows, &err);
    else
        (void)!winevent_read_xml(text, &columns, &arena, &rows, &err);
    for (uint32_t i = 0; i < rows.table_count; i++) {
        rf_str line = rf_buf_view(&rows.tables[i].lines);
        if (rows.tables[i].lines.failed || line.len == 0) continue;
        size_t end = rf_str_find(line, RF_S("\n"), 0);
        if (end == SIZE_MAX) continue;
        enum rf_kind kind = json_parse(rf_slice(line, 0, end), &arena, &node, &err);
        RF_ASSERT(kind == RF_OK || kind == RF_LIMIT || strcmp(err.code, "DuplicateKey") == 0);
    }
}
