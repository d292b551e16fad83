#include "test/rf_fuzz.h"
#include "value/decimal.h"
#include "value/text.h"

/* What a parser took must print, and the print must read back as the same value. */
static void read_back(rf_str text, enum type type)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 1u << 20);
    struct value from = value_str(text), v, again;
    RF_ASSERT(value_convert(&from, type, &arena, &v));
    if (v.null) return;
    struct rf_buf buf = rf_buf_in(&arena);
    text_put_value(&buf, &v);
    from.s = rf_buf_view(&buf);
    RF_ASSERT(!buf.failed);
    RF_ASSERT(value_convert(&from, type, &arena, &again));
    RF_ASSERT(value_same(&v, &again));
}

RF_FUZZ(text, text)
{
    for (enum type type = TYPE_BOOL; type < TYPE_STRING; type++) read_back(text, type);
}
