#include "alerts/log_rule.h"
#include "test/rf_fuzz.h"

/* What is taken can be run. */
RF_FUZZ(log_rule, text)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    struct json_node *document;
    struct log_rule rule;
    struct rf_err err;
    rf_arena_init(&arena, 1 << 22);
    if (json_parse(text, &arena, &document, &err) != RF_OK) return;
    if (log_rule_parse(document, RF_S("n"), &arena, &rule, &err) != RF_OK) return;
    RF_ASSERT(rule.query.len > 0 || !rule.fires);
    if (!rule.fires) return;
    RF_ASSERT(rule.frequency > 0);
    RF_ASSERT(rule.window > 0);
    RF_ASSERT(rule.failing_min >= 1);
    RF_ASSERT(rule.failing_min <= rule.periods);
}
