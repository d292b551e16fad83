#include "cli/cli_yaml.h"
#include "test/rf_fuzz.h"

RF_FUZZ(cli_yaml, text)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 16 << 20);
    struct cli_rule rule;
    struct rf_err err;
    if (cli_rule_parse(text, &arena, &rule, &err) == RF_OK) RF_ASSERT(rule.query.len > 0);
}
