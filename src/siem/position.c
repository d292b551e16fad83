#include "siem/position.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/json_out.h"

static const char space[] = "siem.position";

/* ---- reading ------------------------------------------------------------------------------------------------------------ */

static bool read_keys(const struct json_node *list, struct position_run *run,
                      struct rf_arena *arena)
{
    if (!json_is(list, JSON_T_ARRAY)) return true;
    run->keys = rf_arena_new(arena, uint64_t, list->count);
    if (run->keys == NULL) return false;
    for (const struct json_node *key = list->first; key != NULL; key = key->next) {
        char text[20];
        snprintf(text, sizeof text, "%.*s", (int)RF_MIN(key->text.len, (size_t)16),
                 (const char *)key->text.ptr);
        run->keys[run->count++] = strtoull(text, NULL, 16);
    }
    return true;
}

static bool read_runs(const struct json_node *list, struct position *out, struct rf_arena *arena)
{
    if (!json_is(list, JSON_T_ARRAY)) return true;
    out->runs = rf_arena_new(arena, struct position_run, list->count);
    if (out->runs == NULL) return false;
    for (const struct json_node *item = list->first; item != NULL; item = item->next) {
        struct position_run *run = &out->runs[out->run_count++];
        *run = (struct position_run){0};
        (void)json_i64_at(item, "to", &run->to_ticks);
        if (!read_keys(json_get(item, "keys"), run, arena)) return false;
    }
    return true;
}

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

enum rf_kind position_get(struct state_txn *txn, rf_str rule_key, struct rf_arena *arena,
                          struct position *out, struct rf_err *err)
{
    struct state_object object;
    struct json_node *body;
    int64_t failures = 0;
    *out = (struct position){0};
    enum rf_kind kind = state_get(txn, space, rule_key, arena, &object, err);
    if (kind == RF_NOT_FOUND) return RF_OK;
    RF_TRY(kind);
    RF_TRY(json_parse(object.body, arena, &body, err));
    (void)json_i64_at(body, "next", &out->next_ticks);
    (void)json_i64_at(body, "settled", &out->settled_ticks);
    (void)json_i64_at(body, "quietUntil", &out->quiet_until);
    if (json_i64_at(body, "failures", &failures)) out->failures = (uint32_t)failures;
    bool fits = read_runs(json_get(body, "runs"), out, arena) &&
                read_places(json_get(body, "places"), out, arena);
    return fits ? RF_OK : rf_fail_memory(err, arena);
}

/* ---- writing ------------------------------------------------------------------------------------------------------------ */

static void put_run(struct json_out *out, const struct position_run *run)
{
    char text[20];
    json_begin_object(out, NULL);
    json_put_i64(out, "to", run->to_ticks);
    json_begin_array(out, "keys");
    for (uint32_t i = 0; i < run->count; i++) {
        int len = snprintf(text, sizeof text, "%016llx", (unsigned long long)run->keys[i]);
        json_put_text(out, NULL, rf_str_make(text, (size_t)len));
    }
    json_end_array(out);
    json_end_object(out);
}

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
    json_begin_array(&out, "runs");
    for (uint32_t i = 0; i < position->run_count; i++) put_run(&out, &position->runs[i]);
    json_end_array(&out);
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

/* ---- runs ------------------------------------------------------------------------------------------------------------------ */

static struct position_run *find_run(const struct position *position, int64_t to_ticks)
{
    for (uint32_t i = 0; i < position->run_count; i++)
        if (position->runs[i].to_ticks == to_ticks) return &position->runs[i];
    return NULL;
}

bool position_shown(const struct position *position, int64_t to_ticks, uint64_t key)
{
    const struct position_run *run = find_run(position, to_ticks);
    for (uint32_t i = 0; run != NULL && i < run->count; i++)
        if (run->keys[i] == key) return true;
    return false;
}

uint32_t position_shown_count(const struct position *position, int64_t to_ticks)
{
    const struct position_run *run = find_run(position, to_ticks);
    return run == NULL ? 0 : run->count;
}

/* Drops what is too old and, from the oldest on, what is too much. */
static void forget(struct position *position, int64_t oldest_ticks)
{
    uint32_t kept = 0;
    uint64_t keys = 0;
    for (uint32_t i = 0; i < position->run_count; i++) {
        if (position->runs[i].to_ticks < oldest_ticks) continue;
        position->runs[kept++] = position->runs[i];
        keys += position->runs[i].count;
    }
    uint32_t from = 0;
    while (from + 1 < kept && keys > POSITION_KEYS_MAX) keys -= position->runs[from++].count;
    position->runs += from;
    position->run_count = kept - from;
}

bool position_note(struct position *position, int64_t to_ticks, const uint64_t *keys,
                   uint32_t count, int64_t oldest_ticks, struct rf_arena *arena)
{
    struct position_run *run = find_run(position, to_ticks);
    if (run == NULL) {
        struct position_run *runs =
            rf_arena_new(arena, struct position_run, (size_t)position->run_count + 1);
        if (runs == NULL) return false;
        if (position->run_count > 0)
            memcpy(runs, position->runs, position->run_count * sizeof *runs);
        run = &runs[position->run_count++];
        *run = (struct position_run){.to_ticks = to_ticks};
        position->runs = runs;
    }
    uint32_t room = POSITION_KEYS_MAX - RF_MIN(run->count, (uint32_t)POSITION_KEYS_MAX);
    count = RF_MIN(count, room);
    uint64_t *all = rf_arena_new(arena, uint64_t, (size_t)run->count + count);
    if (all == NULL) return false;
    if (run->count > 0) memcpy(all, run->keys, run->count * sizeof *all);
    if (count > 0) memcpy(all + run->count, keys, count * sizeof *all);
    run->keys = all;
    run->count += count;
    forget(position, oldest_ticks);
    return true;
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
