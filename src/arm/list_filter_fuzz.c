#include "arm/arm_int.h"
#include "test/rf_fuzz.h"

RF_FUZZ(list_filter, text)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 1u << 20);
    struct filter *filter;
    struct json_node *document;
    struct rf_err err;
    RF_ASSERT(json_parse(RF_S("{\"id\":\"/subscriptions/s/resourceGroups/g\",\"name\":\"n\","
                              "\"tags\":{\"a\":\"1\"}}"),
                         &arena, &document, &err) == RF_OK);
    if (arm_filter_parse(text, &arena, &filter, &err) != RF_OK) return;
    (void)arm_filter_passes(filter, document);
    (void)arm_filter_type(filter);
}
