#include "arm/arm.h"
#include "test/rf_fuzz.h"

RF_FUZZ(resource_id, text)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 1u << 20);
    struct resource_id id, again;
    struct rf_err err;
    if (resource_id_parse(text, &arena, &id, &err) != RF_OK) return;
    RF_ASSERT(resource_id_parse(id.text, &arena, &again, &err) == RF_OK);
    RF_ASSERT(rf_str_eq(id.text, again.text));
}
