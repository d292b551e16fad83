#include "people/policy_int.h"
#include "test/rf_fuzz.h"

/* A rule is good or bad whatever the device, and says the same each time. */
RF_FUZZ(device_rule, text)
{
    static const char device[] =
        "{\"displayName\":\"LAPTOP-1\",\"isCompliant\":true,\"model\":null,"
        "\"physicalIds\":[\"[OrderId]:7\",\"b\"],"
        "\"extensionAttribute1\":\"SAW\"}";
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 1u << 20);
    struct json_node *doc;
    struct rf_err err;
    bool without, with, again;
    if (json_parse(rf_str_of(device), &arena, &doc, &err) != RF_OK) return;
    enum rf_kind kind = device_rule_run(text, NULL, &without, &err);
    RF_ASSERT(device_rule_run(text, doc, &with, &err) == kind);
    if (kind != RF_OK) return;
    RF_ASSERT(device_rule_run(text, doc, &again, &err) == RF_OK);
    RF_ASSERT(with == again);
}
