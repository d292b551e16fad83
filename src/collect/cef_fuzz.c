#include "collect/cef.h"
#include "test/rf_fuzz.h"

RF_FUZZ(cef, text)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    struct cef_event event;
    struct json_node *node;
    struct rf_err err;
    rf_arena_init(&arena, 16 << 20);
    if (cef_parse(text, &arena, &event, &err) != RF_OK) return;
    struct rf_buf buf = rf_buf_in(&arena);
    struct json_out out = json_out_to(&buf);
    json_begin_object(&out, NULL);
    cef_put_columns(&event, &arena, &out);
    json_end_object(&out);
    if (buf.failed) return;
    /* No column comes twice, and what comes is JSON. */
    enum rf_kind kind = json_parse(rf_buf_view(&buf), &arena, &node, &err);
    RF_ASSERT(kind == RF_OK || kind == RF_LIMIT);
}
