/* incident_forget.c - the end of a workspace: nothing of it is left in state. */
#include "siem/incident_int.h"
#include "siem/outbox_int.h"

enum { ALERTS_AT_ONCE = 500 };

/* What is kept under "workspace|...". */
static const char *const prefixed[] = {SPACE_INCIDENT, SPACE_COMMENT, SPACE_TASK, SPACE_RELATION,
                                       SPACE_BOOKMARK};

static enum rf_kind drop(struct state_txn *txn, const char *space, rf_str key, struct rf_err *err)
{
    enum rf_kind kind = state_delete(txn, space, key, err);
    return kind == RF_NOT_FOUND ? RF_OK : kind;
}

static enum rf_kind drop_alerts(struct state_txn *txn, rf_str key, struct rf_err *err)
{
    struct state_list list = {.more = true};
    while (list.more) {
        RF_CLEANUP(rf_arena_done) struct rf_arena arena;
        rf_arena_init(&arena, 256 << 20);
        const struct state_scan scan = {
            .space = SPACE_ALERT, .index = "workspace", .value = key, .limit = ALERTS_AT_ONCE};
        RF_TRY(state_list(txn, &scan, &arena, &list, err));
        for (uint32_t i = 0; i < list.count; i++)
            RF_TRY(drop(txn, SPACE_ALERT, list.items[i].key, err));
    }
    return RF_OK;
}

enum rf_kind incident_forget_workspace(struct state_txn *txn, rf_str workspace, rf_str workspace_id,
                                       struct rf_arena *arena, struct rf_err *err)
{
    rf_str key = resource_key(arena, workspace);
    rf_str prefix = rf_arena_printf(arena, "%.*s|", RF_FMT(key));
    rf_str counter = rf_arena_printf(arena, "incident|%.*s", RF_FMT(key));
    rf_str rows = rf_arena_printf(arena, "%.*s|", RF_FMT(workspace_id));
    if (key.ptr == NULL || prefix.ptr == NULL || counter.ptr == NULL || rows.ptr == NULL)
        return rf_fail_memory(err, arena);
    for (size_t i = 0; i < RF_COUNT(prefixed); i++)
        RF_TRY(state_delete_prefix(txn, prefixed[i], prefix, NULL, err));
    RF_TRY(drop_alerts(txn, key, err));
    RF_TRY(drop(txn, SPACE_COUNTER, counter, err));
    if (workspace_id.len == 0) return RF_OK;
    RF_TRY(state_delete_prefix(txn, OUTBOX_SPACE, rows, NULL, err));
    return drop(txn, OUTBOX_COUNTER_SPACE, workspace_id, err);
}
