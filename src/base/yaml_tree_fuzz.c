#include "base/yaml_tree.h"
#include "test/rf_fuzz.h"

RF_FUZZ(yaml_tree, text)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 1u << 22);
    struct json_node *node;
    struct rf_err err;
    if (yaml_parse(text, &arena, &node, &err) != RF_OK) return;
    /* What was read prints as JSON and reads as the same value. */
    rf_str json = json_to_text(&arena, node);
    struct json_node *again;
    if (json.ptr != NULL && json_parse(json, &arena, &again, &err) == RF_OK)
        RF_ASSERT(json_equal(node, again) || !rf_utf8_valid(text));
}
