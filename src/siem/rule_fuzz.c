#include "base/yaml_tree.h"
#include "siem/alert.h"
#include "test/rf_fuzz.h"

/* YAML or JSON of any shape: a rule that parses has what the engine relies on. */
RF_FUZZ(rule, text)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 16 << 20);
    struct json_node *tree, *document;
    struct rule rule;
    struct rf_err err;
    rf_str id = RF_S("id");
    bool is_json = json_parse(text, &arena, &tree, &err) == RF_OK;
    if (!is_json && yaml_parse_texts(text, &arena, &tree, &err) != RF_OK) return;
    if (rule_from_yaml(tree, &arena, &document, &id, &err) != RF_OK) document = tree;
    if (rule_read_loose(document, id, &arena, &rule, &err) == RF_OK) RF_ASSERT(rule.query.len > 0);
    if (rule_parse(document, id, &arena, &rule, &err) != RF_OK) return;
    RF_ASSERT(rule.frequency_ticks > 0);
    RF_ASSERT(rule.frequency_ticks <= rule.period_ticks);
    RF_ASSERT(rule.entity_count <= RULE_ENTITIES_MAX);
    for (uint32_t i = 0; i < rule.entity_count; i++)
        for (uint32_t f = 0; f < rule.entities[i].field_count; f++)
            RF_ASSERT(entity_identifier_name(rule.entities[i].type,
                                             rule.entities[i].fields[f].identifier) != NULL);
    RF_ASSERT(rule_defaults(document, &arena, &err) == RF_OK || arena.own.used_bytes > 1 << 20);
}
