/* archive_position.c - positions of partitions as JSON in state. Numbers and times are whole, texts are ours. */
#include "base/json_out.h"
#include "hub/archive_int.h"

#define SPACE "hub.archive"

static rf_str key_of(rf_str hub_id, uint32_t partition, struct rf_arena *arena)
{
    return rf_arena_printf(arena, "%.*s/%u", RF_FMT(hub_id), partition);
}

enum rf_kind archive_position_parse(rf_str body, struct rf_arena *arena,
                                    struct archive_position *out, struct rf_err *err)
{
    struct json_node *node;
    struct archive_position read = {.next = 0};
    if (json_parse(body, arena, &node, NULL) != RF_OK || !json_i64_at(node, "next", &read.next) ||
        !json_i64_at(node, "window", &read.window) || read.next < 0)
        return RF_FAIL(err, RF_CORRUPT, "PositionDamaged",
                       "the position of a partition that is captured cannot be read: %.*s",
                       (int)RF_MIN(body.len, 200), (const char *)body.ptr);
    read.account = json_text_at(node, "account");
    read.temp = json_text_at(node, "temp");
    read.whole = json_text_at(node, "whole");
    read.to = json_text_at(node, "to");
    *out = read;
    return RF_OK;
}

enum rf_kind archive_position_read(struct state_txn *txn, rf_str hub_id, uint32_t partition,
                                   struct rf_arena *arena, struct archive_position *out,
                                   bool *found, struct rf_err *err)
{
    struct state_object object;
    rf_str key = key_of(hub_id, partition, arena);
    if (key.ptr == NULL) return rf_fail_memory(err, arena);
    enum rf_kind kind = state_get(txn, SPACE, key, arena, &object, err);
    *found = kind == RF_OK;
    if (kind == RF_NOT_FOUND) return RF_OK;
    return kind == RF_OK ? archive_position_parse(object.body, arena, out, err) : kind;
}

static void put_text(struct json_out *out, const char *name, rf_str text)
{
    if (text.len > 0) json_put_text(out, name, text);
}

enum rf_kind archive_position_write(struct state_txn *txn, rf_str hub_id, uint32_t partition,
                                    const struct archive_position *position, struct rf_arena *arena,
                                    struct rf_err *err)
{
    struct rf_buf text = rf_buf_in(arena);
    struct json_out out = json_out_to(&text);
    rf_str key = key_of(hub_id, partition, arena);
    json_begin_object(&out, NULL);
    json_put_i64(&out, "next", position->next);
    json_put_i64(&out, "window", position->window);
    put_text(&out, "account", position->account);
    put_text(&out, "temp", position->temp);
    put_text(&out, "whole", position->whole);
    put_text(&out, "to", position->to);
    json_end_object(&out);
    if (text.failed || key.ptr == NULL) return rf_fail_memory(err, arena);
    struct state_put put = {.space = SPACE, .key = key, .body = rf_buf_view(&text)};
    return state_put(txn, &put, NULL, NULL, err);
}

enum rf_kind archive_positions_forget(struct state_txn *txn, rf_str hub_id, struct rf_arena *arena,
                                      struct rf_err *err)
{
    rf_str prefix = rf_arena_printf(arena, "%.*s/", RF_FMT(hub_id));
    if (prefix.ptr == NULL) return rf_fail_memory(err, arena);
    return state_delete_prefix(txn, SPACE, prefix, NULL, err);
}
