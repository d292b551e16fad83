/* outbox_add.c - rows into the outbox, in the transaction of what they tell. */
#include "siem/outbox.h"

#include "base/json_out.h"
#include "siem/outbox_int.h"

enum { ROW_BYTES_MAX = 64 << 20 };

/* The next number of the workspace's queue. */
static enum rf_kind next_number(struct state_txn *txn, rf_str workspace_id, struct rf_arena *arena,
                                uint64_t *out, struct rf_err *err)
{
    struct state_object object;
    struct json_node *body;
    int64_t number = 0;
    enum rf_kind kind = state_get(txn, OUTBOX_COUNTER_SPACE, workspace_id, arena, &object, err);
    if (kind == RF_OK) {
        RF_TRY(json_parse(object.body, arena, &body, err));
        if (!json_i64_at(body, "number", &number) || number < 0)
            return RF_FAIL(err, RF_CORRUPT, "StateCorrupt", "the counter of %.*s's rows is damaged",
                           RF_FMT(workspace_id));
    } else if (kind != RF_NOT_FOUND) {
        return kind;
    }
    *out = (uint64_t)number + 1;
    rf_str text = rf_arena_printf(arena, "{\"number\":%llu}", (unsigned long long)*out);
    if (text.ptr == NULL) return rf_fail_memory(err, arena);
    struct state_put put = {.space = OUTBOX_COUNTER_SPACE, .key = workspace_id, .body = text};
    return state_put(txn, &put, NULL, NULL, err);
}

enum rf_kind outbox_add(struct state_txn *txn, rf_str workspace_id, const char *table,
                        const char *id_text, rf_str id, rf_str row, struct rf_err *err)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, ROW_BYTES_MAX);
    uint64_t number = 0;
    RF_TRY(next_number(txn, workspace_id, &arena, &number, err));
    struct rf_buf body = rf_buf_in(&arena);
    struct json_out out = json_out_to(&body);
    json_begin_object(&out, NULL);
    json_put_text(&out, "table", rf_str_of(table));
    json_put_text(&out, "id_text", rf_str_of(id_text));
    json_put_text(&out, "id", id);
    json_put_raw(&out, "row", row);
    json_end_object(&out);
    rf_str key =
        rf_arena_printf(&arena, "%.*s|%020llu", RF_FMT(workspace_id), (unsigned long long)number);
    if (body.failed || key.ptr == NULL) return rf_fail_memory(err, &arena);
    struct state_put put = {.space = OUTBOX_SPACE, .key = key, .body = rf_buf_view(&body)};
    return state_put(txn, &put, NULL, NULL, err);
}
