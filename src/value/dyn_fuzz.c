#include "test/rf_fuzz.h"
#include "value/dyn.h"

/* JSON to dynamic and back is stable, and what is made is well formed; bytes from outside are
 * walked only when dyn_valid lets them pass. */
static void check_json(rf_str text, struct rf_arena *arena)
{
    struct rf_buf first = rf_buf_in(arena), second = rf_buf_in(arena), json = rf_buf_in(arena);
    if (dyn_parse_json(text, &first, NULL) != RF_OK) return;
    RF_ASSERT(dyn_valid(dyn_done(&first)));
    dyn_put_json(dyn_done(&first), &json);
    if (json.failed || dyn_parse_json(rf_buf_view(&json), &second, NULL) != RF_OK) {
        RF_ASSERT(json.failed || second.failed);
        return;
    }
    RF_ASSERT(rf_str_eq(dyn_done(&first), dyn_done(&second)));
}

static void check_bytes(rf_str bytes, struct rf_arena *arena)
{
    if (!dyn_valid(bytes)) return;
    struct rf_buf json = rf_buf_in(arena), sorted = rf_buf_in(arena);
    dyn_put_json(bytes, &json);
    dyn_put_json_sorted(bytes, &sorted);
    RF_ASSERT(dyn_cmp(bytes, bytes) == 0);
    RF_ASSERT(dyn_hash(bytes) == dyn_hash(bytes));
}

RF_FUZZ(dyn, text)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 1u << 26);
    check_json(text, &arena);
    check_bytes(text, &arena);
}
