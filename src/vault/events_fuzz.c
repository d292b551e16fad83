/* A subscription to a vault's events, {"name","properties","event"}, and whether it wants the event. */
#include "test/rf_fuzz.h"
#include "vault/call_int.h"
#include "vault/events.h"

RF_FUZZ(events, text)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 8u << 20);
    struct json_node *node = NULL;
    if (vault_read_body(text, &arena, &node, NULL) != RF_OK || !json_is(node, JSON_T_OBJECT))
        return;
    struct json_node *properties = json_get(node, "properties");
    const struct json_node *event = json_get(node, "event");
    if (vault_subscription_read(&arena, json_text_at(node, "name"), properties, NULL) != RF_OK)
        return;
    rf_str schema = json_text_at(properties, "eventDeliverySchema");
    RF_ASSERT(rf_str_is(schema, "EventGridSchema") || rf_str_is(schema, "CloudEventSchemaV1_0"));
    bool wants = vault_subscription_wants(properties, event);
    rf_str begin = json_text_at(properties, "filter.subjectBeginsWith");
    RF_ASSERT(!wants || begin.len <= json_text_at(event, "subject").len);
    /* What is taken stays so when it is written and read again. */
    rf_str again = json_to_text(&arena, properties);
    struct json_node *back = NULL;
    RF_ASSERT(again.ptr != NULL);
    RF_ASSERT(json_parse(again, &arena, &back, NULL) == RF_OK);
    RF_ASSERT(vault_subscription_wants(back, event) == wants);
}
