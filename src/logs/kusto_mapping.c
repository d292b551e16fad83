/* kusto_mapping.c - which part of a record goes into which column: mappings by name, kept in state. */
#include "base/encode.h"
#include "logs/kusto_int.h"

#define SPACE "ingestionMapping"
enum { MAPPINGS_MAX = 10000 };

static rf_str key_of(struct rf_arena *arena, const struct workspace *workspace, rf_str table,
                     rf_str kind, rf_str name)
{
    rf_str key = rf_arena_printf(arena, "%.*s/%.*s/%.*s/%.*s", RF_FMT(workspace->guid),
                                 RF_FMT(table), RF_FMT(kind), RF_FMT(name));
    return key.ptr == NULL ? key : resource_key(arena, key);
}

enum rf_kind kusto_mapping_put(struct logs *logs, struct rf_arena *arena,
                               const struct workspace *workspace,
                               const struct kusto_mapping *mapping, bool must_be_new,
                               bool must_be_there, struct rf_err *err)
{
    struct json_node *parsed, *body = json_new(arena, JSON_T_OBJECT);
    if (json_parse(mapping->text, arena, &parsed, err) != RF_OK || !json_is(parsed, JSON_T_ARRAY) ||
        parsed->count == 0)
        return RF_FAIL(err, RF_INVALID, "BadMapping",
                       "a mapping is a JSON list of objects with \"column\" and \"path\"");
    json_set_text(arena, body, "name", mapping->name);
    json_set_text(arena, body, "kind", mapping->kind);
    json_set_text(arena, body, "table", mapping->table);
    json_set_text(arena, body, "mapping", json_to_text(arena, parsed));
    struct state_put put = {
        .space = SPACE,
        .key = key_of(arena, workspace, mapping->table, mapping->kind, mapping->name),
        .body = json_to_text(arena, body),
        .condition = must_be_new     ? STATE_ABSENT
                     : must_be_there ? STATE_PRESENT
                                     : STATE_ANY};
    if (put.key.ptr == NULL || put.body.ptr == NULL) return rf_fail_memory(err, arena);
    struct state_txn *txn;
    RF_TRY(state_begin_write(logs->options.state, &txn, err));
    enum rf_kind kind = state_put(txn, &put, NULL, NULL, err);
    if (kind == RF_OK) return state_commit(txn, err);
    state_end(txn);
    if (kind == RF_CONFLICT)
        return RF_FAIL(err, RF_CONFLICT, "EntityAlreadyExists",
                       "the table has a mapping '%.*s' already", RF_FMT(mapping->name));
    if (kind == RF_NOT_FOUND)
        return RF_FAIL(err, RF_NOT_FOUND, "MappingNotFound", "the table has no mapping '%.*s'",
                       RF_FMT(mapping->name));
    return kind;
}

enum rf_kind kusto_mapping_drop(struct logs *logs, struct rf_arena *arena,
                                const struct workspace *workspace, rf_str table, rf_str kind,
                                rf_str name, struct rf_err *err)
{
    struct state_txn *txn;
    rf_str key = key_of(arena, workspace, table, kind, name);
    if (key.ptr == NULL) return rf_fail_memory(err, arena);
    RF_TRY(state_begin_write(logs->options.state, &txn, err));
    enum rf_kind result = state_delete(txn, SPACE, key, err);
    if (result == RF_OK) return state_commit(txn, err);
    state_end(txn);
    if (result != RF_NOT_FOUND) return result;
    return RF_FAIL(err, RF_NOT_FOUND, "MappingNotFound", "the table has no mapping '%.*s'",
                   RF_FMT(name));
}

enum rf_kind kusto_mapping_list(struct logs *logs, struct rf_arena *arena,
                                const struct workspace *workspace, rf_str table,
                                struct kusto_mapping **out, uint32_t *count, struct rf_err *err)
{
    struct state_txn *txn;
    struct state_list list;
    rf_str prefix = table.len == 0 ? rf_arena_printf(arena, "%.*s/", RF_FMT(workspace->guid))
                                   : rf_arena_printf(arena, "%.*s/%.*s/", RF_FMT(workspace->guid),
                                                     RF_FMT(table));
    if (prefix.ptr == NULL) return rf_fail_memory(err, arena);
    struct state_scan scan = {
        .space = SPACE, .prefix = resource_key(arena, prefix), .limit = MAPPINGS_MAX};
    RF_TRY(state_begin_read(logs->options.state, &txn, err));
    enum rf_kind kind = state_list(txn, &scan, arena, &list, err);
    state_end(txn);
    RF_TRY(kind);
    struct kusto_mapping *items = rf_arena_new(arena, struct kusto_mapping, list.count);
    if (items == NULL) return rf_fail_memory(err, arena);
    for (uint32_t i = 0; i < list.count; i++) {
        struct json_node *body;
        RF_TRY(json_parse(list.items[i].body, arena, &body, err));
        items[i] = (struct kusto_mapping){.name = json_text_at(body, "name"),
                                          .kind = json_text_at(body, "kind"),
                                          .table = json_text_at(body, "table"),
                                          .text = json_text_at(body, "mapping"),
                                          .changed = list.items[i].changed_usec};
    }
    *out = items;
    *count = list.count;
    return RF_OK;
}
