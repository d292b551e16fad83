#include "kql/func_parse_int.h"
#include "test/rf_fuzz.h"

RF_FUZZ(parse_xml, text)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 64u << 20);
    struct rf_buf buf = rf_buf_in(&arena);
    if (parse_xml_put(&buf, text) && !buf.failed && rf_utf8_valid(text))
        RF_ASSERT(dyn_valid(dyn_done(&buf)));
}
