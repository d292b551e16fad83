/* capture_marks.c - which tables hold marks of a source, so that they can be forgotten with its rule, also when the server was down then.
 *
 * State, space "logs.capture.marks": key RULE|HUB|GROUP (capture_source.name), body [{"workspace", "table", "source": hexadecimal}]. Written
 * before the first mark is; what flows of before had stays in it. */
#include "base/json_out.h"
#include "logs/capture_int.h"

#define SPACE "logs.capture.marks"
#define RULES_TYPE "Microsoft.Insights/dataCollectionRules"
enum { SWEEP_BYTES_MAX = 256 << 20, NOTE_BYTES_MAX = 16 << 20 };

struct place {
    rf_str workspace, table;
    uint64_t source;
};

static rf_str hex_of(uint64_t source, struct rf_arena *arena)
{
    return rf_arena_printf(arena, "%016llx", (unsigned long long)source);
}

static bool is_noted(const struct json_node *list, const struct place *place, rf_str hex)
{
    for (const struct json_node *n = list->first; n != NULL; n = n->next)
        if (rf_str_eq_nocase(json_text_at(n, "workspace"), place->workspace) &&
            rf_str_eq_nocase(json_text_at(n, "table"), place->table) &&
            rf_str_eq(json_text_at(n, "source"), hex))
            return true;
    return false;
}

/* Adds what the list lacks; *added says whether anything. */
static enum rf_kind add_places(struct json_node *list, const struct place *places, uint32_t count,
                               struct rf_arena *arena, bool *added, struct rf_err *err)
{
    *added = false;
    for (uint32_t i = 0; i < count; i++) {
        rf_str hex = hex_of(places[i].source, arena);
        if (hex.ptr == NULL) return rf_fail_memory(err, arena);
        if (is_noted(list, &places[i], hex)) continue;
        struct json_node *item = json_new(arena, JSON_T_OBJECT);
        *added = true;
        if (json_set_text(arena, item, "workspace", places[i].workspace) == NULL ||
            json_set_text(arena, item, "table", places[i].table) == NULL ||
            json_set_text(arena, item, "source", hex) == NULL || json_append(list, item) == NULL)
            return rf_fail_memory(err, arena);
    }
    return RF_OK;
}

static enum rf_kind read_list(struct state_txn *txn, rf_str key, struct rf_arena *arena,
                              struct json_node **out, struct rf_err *err)
{
    struct state_object object;
    enum rf_kind kind = state_get(txn, SPACE, key, arena, &object, err);
    if (kind == RF_OK) kind = json_parse(object.body, arena, out, err);
    if (kind == RF_OK && (*out)->type == JSON_T_ARRAY) return RF_OK;
    if (kind != RF_OK && kind != RF_NOT_FOUND) return kind;
    *out = json_new(arena, JSON_T_ARRAY);
    return *out == NULL ? rf_fail_memory(err, arena) : RF_OK;
}

static enum rf_kind note(struct state *state, rf_str key, const struct place *places,
                         uint32_t count, struct rf_arena *arena, struct rf_err *err)
{
    struct json_node *list;
    bool added;
    RF_CLEANUP(state_end_cleanup) struct state_txn *txn = NULL;
    RF_TRY(state_begin_read(state, &txn, err));
    RF_TRY(read_list(txn, key, arena, &list, err));
    RF_TRY(add_places(list, places, count, arena, &added, err));
    if (!added) return RF_OK;
    state_end(txn);
    txn = NULL;
    /* Another partition of the source may have been here. */
    RF_TRY(state_begin_write(state, &txn, err));
    RF_TRY(read_list(txn, key, arena, &list, err));
    RF_TRY(add_places(list, places, count, arena, &added, err));
    struct state_put put = {.space = SPACE, .key = key, .body = json_to_text(arena, list)};
    if (put.body.ptr == NULL) return rf_fail_memory(err, arena);
    RF_TRY(state_put(txn, &put, NULL, NULL, err));
    return state_finish(&txn, err);
}

enum rf_kind capture_note_marks(const struct capture_part *part, uint64_t dead, struct rf_err *err)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, NOTE_BYTES_MAX);
    uint32_t count = part->target_count;
    struct place *places = rf_arena_new(&arena, struct place, (size_t)count + 1);
    if (places == NULL) return rf_fail_memory(err, &arena);
    if (count == 0) return RF_OK;
    for (uint32_t i = 0; i < count; i++) {
        const struct capture_target *t = &part->targets[i];
        places[i] = (struct place){t->workspace, t->flow->table, t->source};
    }
    places[count] = (struct place){part->targets[0].workspace, RF_S(CAPTURE_TABLE), dead};
    return note(part->source->captures->logs->options.state, part->source->name, places, count + 1,
                &arena, err);
}

/* ---- forgetting --------------------------------------------------------------------------------------------------------------- */

static bool is_rule(const struct arm_resource *rules, uint32_t count, rf_str id)
{
    for (uint32_t i = 0; i < count; i++)
        if (rf_str_eq_nocase(json_text_at(rules[i].body, "properties.immutableId"), id))
            return true;
    return false;
}

/* Marks of a table that has gone went with it. */
static enum rf_kind forget(struct logs *logs, const struct state_object *note,
                           struct rf_arena *arena, struct rf_err *err)
{
    struct json_node *list;
    RF_TRY(json_parse(note->body, arena, &list, err));
    for (const struct json_node *n = list->first; n != NULL; n = n->next) {
        uint64_t source = 0;
        rf_str hex = json_text_at(n, "source");
        for (size_t i = 0; i < hex.len; i++) {
            uint8_t c = hex.ptr[i];
            source = source << 4 | (uint64_t)(rf_is_digit(c) ? c - '0' : rf_lower(c) - 'a' + 10);
        }
        enum rf_kind kind = tables_forget_marks(logs->options.tables, json_text_at(n, "workspace"),
                                                json_text_at(n, "table"), source, err);
        if (kind != RF_OK && kind != RF_NOT_FOUND) return kind;
    }
    RF_CLEANUP(state_end_cleanup) struct state_txn *txn = NULL;
    RF_TRY(state_begin_write(logs->options.state, &txn, err));
    RF_TRY(state_delete(txn, SPACE, note->key, err));
    return state_finish(&txn, err);
}

enum rf_kind capture_forget_marks(struct logs *logs, struct rf_err *err)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    struct state_scan scan = {.space = SPACE};
    struct state_list notes;
    struct arm_resource *rules;
    uint32_t count;
    rf_arena_init(&arena, SWEEP_BYTES_MAX);
    RF_CLEANUP(state_end_cleanup) struct state_txn *txn = NULL;
    RF_TRY(state_begin_read(logs->options.state, &txn, err));
    RF_TRY(state_list(txn, &scan, &arena, &notes, err));
    if (notes.count == 0) return RF_OK;
    RF_TRY(arm_list(logs->options.arm, txn, RULES_TYPE, &arena, &rules, &count, err));
    state_end(txn);
    txn = NULL;
    for (uint32_t i = 0; i < notes.count; i++) {
        rf_str key = notes.items[i].key;
        rf_str id = rf_slice(key, 0, RF_MIN(rf_str_find(key, RF_S("|"), 0), key.len));
        if (!is_rule(rules, count, id)) RF_TRY(forget(logs, &notes.items[i], &arena, err));
    }
    return RF_OK;
}
