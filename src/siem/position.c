#include "siem/position.h"

#include <stdio.h>
#include <stdlib.h>

static const char space[] = "siem.position";

/* ---- reading ------------------------------------------------------------------------------------------------------------ */

static bool read_places(const struct json_node *object, struct position *out,
                        struct rf_arena *arena)
{
    if (!json_is(object, JSON_T_OBJECT)) return true;
    out->places = rf_arena_new(arena, struct position_place, object->count);
    if (out->places == NULL) return false;
    for (const struct json_node *item = object->first; item != NULL; item = item->next) {
        struct position_place *place = &out->places[out->place_count++];
        *place = (struct position_place){.table = item->name};
        char text[24];
        snprintf(text, sizeof text, "%.*s", (int)RF_MIN(item->text.len, (size_t)20),
                 (const char *)item->text.ptr);
        place->ticks = strtoll(text, NULL, 10);
    }
    return true;
}

static enum rf_kind parse(rf_str text, struct rf_arena *arena, struct position *out,
                          struct rf_err *err)
{
    struct json_node *body;
    int64_t failures = 0;
    *out = (struct position){0};
    RF_TRY(json_parse(text, arena, &body, err));
    (void)json_i64_at(body, "next", &out->next_ticks);
    (void)json_i64_at(body, "settled", &out->settled_ticks);
    (void)json_i64_at(body, "quietUntil", &out->quiet_until);
    if (json_i64_at(body, "failures", &failures)) out->failures = (uint32_t)failures;
    bool fits = shown_read(json_get(body, "runs"), arena, &out->shown) &&
                read_places(json_get(body, "places"), out, arena);
    return fits ? RF_OK : rf_fail_memory(err, arena);
}

enum rf_kind position_get(struct state_txn *txn, rf_str rule_key, struct rf_arena *arena,
                          struct position *out, struct rf_err *err)
{
    struct state_object object;
    *out = (struct position){0};
    enum rf_kind kind = state_get(txn, space, rule_key, arena, &object, err);
    if (kind == RF_NOT_FOUND) return RF_OK;
    RF_TRY(kind);
    return parse(object.body, arena, out, err);
}

enum rf_kind position_last_arrival(struct state *state, int64_t *ticks, struct rf_err *err)
{
    enum { AT_ONCE = 100 };
    RF_CLEANUP(rf_arena_done) struct rf_arena keys;
    RF_CLEANUP(state_end_cleanup) struct state_txn *txn = NULL;
    struct state_list list = {.more = true};
    rf_str after = RF_S("");
    rf_arena_init(&keys, 64 << 20);
    RF_TRY(state_begin_read(state, &txn, err));
    *ticks = 0;
    while (list.more) {
        RF_CLEANUP(rf_arena_done) struct rf_arena arena;
        rf_arena_init(&arena, 256 << 20);
        const struct state_scan scan = {.space = space, .after = after, .limit = AT_ONCE};
        RF_TRY(state_list(txn, &scan, &arena, &list, err));
        for (uint32_t i = 0; i < list.count; i++) {
            struct position position;
            RF_TRY(parse(list.items[i].body, &arena, &position, err));
            *ticks = RF_MAX(*ticks, position.settled_ticks);
            for (uint32_t p = 0; p < position.place_count; p++)
                *ticks = RF_MAX(*ticks, position.places[p].ticks);
        }
        if (list.count > 0 && !rf_arena_str(&keys, list.items[list.count - 1].key, &after))
            return rf_fail_memory(err, &keys);
    }
    return RF_OK;
}

/* ---- writing ------------------------------------------------------------------------------------------------------------ */

enum rf_kind position_put(struct state_txn *txn, rf_str rule_key, const struct position *position,
                          struct rf_arena *arena, struct rf_err *err)
{
    struct rf_buf buf = rf_buf_in(arena);
    struct json_out out = json_out_to(&buf);
    json_begin_object(&out, NULL);
    json_put_i64(&out, "next", position->next_ticks);
    json_put_i64(&out, "settled", position->settled_ticks);
    json_put_i64(&out, "quietUntil", position->quiet_until);
    json_put_i64(&out, "failures", position->failures);
    shown_put(&position->shown, "runs", &out);
    json_begin_object(&out, "places");
    for (uint32_t i = 0; i < position->place_count; i++) {
        rf_str name = position->places[i].table;
        char *text = rf_arena_cstr(arena, name);
        if (text == NULL) return rf_fail_memory(err, arena);
        json_put_i64(&out, text, position->places[i].ticks);
    }
    json_end_object(&out);
    json_end_object(&out);
    if (buf.failed) return rf_fail_memory(err, arena);
    const struct state_put put = {.space = space, .key = rule_key, .body = rf_buf_view(&buf)};
    return state_put(txn, &put, NULL, NULL, err);
}

/* ---- places ---------------------------------------------------------------------------------------------------------------- */

struct position_place *position_place(const struct position *position, rf_str table)
{
    for (uint32_t i = 0; i < position->place_count; i++)
        if (rf_str_eq_nocase(position->places[i].table, table)) return &position->places[i];
    return NULL;
}

bool position_set_place(struct position *position, rf_str table, int64_t ticks,
                        struct rf_arena *arena)
{
    struct position_place *place = position_place(position, table);
    if (place == NULL) {
        struct position_place *places =
            rf_arena_new(arena, struct position_place, (size_t)position->place_count + 1);
        if (places == NULL) return false;
        if (position->place_count > 0)
            memcpy(places, position->places, position->place_count * sizeof *places);
        place = &places[position->place_count++];
        if (!rf_arena_str(arena, table, &place->table)) return false;
        position->places = places;
    }
    place->ticks = ticks;
    return true;
}
