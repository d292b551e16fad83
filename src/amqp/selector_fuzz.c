/* Selector filters: what is taken is one of the forms, and its value lies within the text. */
#include "amqp/nodes_int.h"
#include "test/rf_fuzz.h"

RF_FUZZ(selector, text)
{
    struct node_selector selector;
    struct rf_err err;
    if (node_selector_read(text, &selector, &err) != RF_OK) {
        RF_ASSERT(err.kind == RF_INVALID);
        return;
    }
    if (selector.by == SELECT_ALL) return;
    RF_ASSERT(selector.value.ptr >= text.ptr);
    RF_ASSERT(selector.value.ptr + selector.value.len <= text.ptr + text.len);
    RF_ASSERT(selector.value.len > 0);
}
