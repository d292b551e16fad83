/* A path of a mapping on the first line, a record behind it: something of the record, or nothing. */
#include "base/json.h"
#include "kql/command.h"
#include "test/rf_fuzz.h"

RF_FUZZ(command_path, text)
{
    struct json_node *record;
    size_t line = rf_str_find(text, RF_S("\n"), 0);
    if (line == SIZE_MAX) return;
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 8u << 20);
    if (json_parse(rf_slice(text, line + 1, text.len), &arena, &record, NULL) != RF_OK) return;
    const struct json_node *found = command_json_path(record, rf_slice(text, 0, line));
    if (found != NULL) RF_ASSERT(json_to_text(&arena, found).len > 0);
}
