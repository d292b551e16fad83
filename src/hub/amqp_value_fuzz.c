#include "hub/amqp_value.h"
#include "test/rf_fuzz.h"

/* What was checked reads to its end. */
static void walk(struct amqp_items items, uint32_t depth)
{
    struct amqp_value item, inner;
    uint32_t left = 4096; /* arrays of nothing are long */
    while (left-- > 0 && amqp_item(&items, &item)) {
        if (item.type == AMQP_DESCRIBED) {
            (void)amqp_descriptor(&item);
            RF_ASSERT(amqp_inner(&item, &inner));
            item = inner;
        }
        if (depth > 0) walk(amqp_items_of(&item), depth - 1);
    }
    RF_ASSERT(left == UINT32_MAX || items.left == 0);
}

RF_FUZZ(amqp_value, bytes)
{
    rf_str rest = bytes;
    struct amqp_value value, found;
    struct amqp_section section;
    while (amqp_read(&rest, &value)) {
        bool is_good = amqp_check(value.whole);
        (void)amqp_map_find(&value, RF_S("x-opt-partition-key"), &found);
        if (is_good) walk(amqp_items_of(&value), 4);
    }
    rest = bytes;
    while (amqp_section_next(&rest, &section)) RF_ASSERT(section.whole.len > 0);
}
