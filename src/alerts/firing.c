#include "alerts/firing.h"

#include "base/encode.h"
#include "base/json_out.h"

static const char space[] = "alerts.rule";

/* ---- state -------------------------------------------------------------------------------------------------------------- */

static void read_series(const struct json_node *node, struct series *out)
{
    *out = (struct series){.key = json_text_at(node, "key"), .alert = json_text_at(node, "alert")};
    (void)json_i64_at(node, "since", &out->ok_since);
    (void)json_i64_at(node, "muted", &out->mute_until);
}

static enum rf_kind parse(rf_str text, struct rf_arena *arena, struct rule_state *out,
                          struct rf_err *err)
{
    struct json_node *body;
    *out = (struct rule_state){0};
    RF_TRY(json_parse(text, arena, &body, err));
    (void)json_i64_at(body, "next", &out->next_ticks);
    (void)json_i64_at(body, "settled", &out->settled_ticks);
    (void)json_i64_at(body, "failures", &out->failures);
    out->code = json_text_at(body, "code");
    out->error = json_text_at(body, "error");
    if (!shown_read(json_get(body, "runs"), arena, &out->shown)) return rf_fail_memory(err, arena);
    const struct json_node *list = json_get(body, "series");
    if (!json_is(list, JSON_T_ARRAY)) return RF_OK;
    out->series = rf_arena_new(arena, struct series, list->count);
    if (out->series == NULL) return rf_fail_memory(err, arena);
    for (const struct json_node *node = list->first; node != NULL; node = node->next)
        read_series(node, &out->series[out->count++]);
    return RF_OK;
}

enum rf_kind rule_state_get(struct state_txn *txn, rf_str rule_key, struct rf_arena *arena,
                            struct rule_state *out, struct rf_err *err)
{
    struct state_object object;
    *out = (struct rule_state){0};
    enum rf_kind kind = state_get(txn, space, rule_key, arena, &object, err);
    if (kind == RF_NOT_FOUND) return RF_OK;
    RF_TRY(kind);
    return parse(object.body, arena, out, err);
}

enum rf_kind rule_state_last_arrival(struct state *state, int64_t *ticks, struct rf_err *err)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    RF_CLEANUP(state_end_cleanup) struct state_txn *txn = NULL;
    const struct state_scan scan = {.space = space};
    struct state_list list;
    rf_arena_init(&arena, (size_t)1 << 30);
    RF_TRY(state_begin_read(state, &txn, err));
    RF_TRY(state_list(txn, &scan, &arena, &list, err));
    *ticks = 0;
    for (uint32_t i = 0; i < list.count; i++) {
        struct rule_state rule;
        RF_TRY(parse(list.items[i].body, &arena, &rule, err));
        *ticks = RF_MAX(*ticks, rule.settled_ticks);
    }
    return RF_OK;
}

enum rf_kind rule_state_put(struct state_txn *txn, rf_str rule_key, const struct rule_state *state,
                            struct rf_arena *arena, struct rf_err *err)
{
    struct rf_buf buf = rf_buf_in(arena);
    struct json_out out = json_out_to(&buf);
    json_begin_object(&out, NULL);
    json_put_i64(&out, "next", state->next_ticks);
    json_put_i64(&out, "settled", state->settled_ticks);
    json_put_i64(&out, "failures", state->failures);
    if (state->failures > 0) {
        json_put_text(&out, "code", state->code);
        json_put_text(&out, "error", state->error);
    }
    shown_put(&state->shown, "runs", &out);
    json_begin_array(&out, "series");
    for (uint32_t i = 0; i < state->count; i++) {
        json_begin_object(&out, NULL);
        json_put_text(&out, "key", state->series[i].key);
        json_put_text(&out, "alert", state->series[i].alert);
        json_put_i64(&out, "since", state->series[i].ok_since);
        json_put_i64(&out, "muted", state->series[i].mute_until);
        json_end_object(&out);
    }
    json_end_array(&out);
    json_end_object(&out);
    if (buf.failed) return rf_fail_memory(err, arena);
    const struct state_put put = {.space = space, .key = rule_key, .body = rf_buf_view(&buf)};
    return state_put(txn, &put, NULL, NULL, err);
}

enum rf_kind rule_state_delete(struct state_txn *txn, rf_str rule_key, struct rf_err *err)
{
    enum rf_kind kind = state_delete(txn, space, rule_key, err);
    return kind == RF_NOT_FOUND ? RF_OK : kind;
}

/* ---- deciding ------------------------------------------------------------------------------------------------------------ */

struct decision {
    const struct log_rule *rule;
    rf_usec now;
    struct rf_arena *arena;
    struct series *kept;
    uint32_t kept_count;
    struct firing *firings;
    uint32_t firing_count;
};

static uint64_t hash_of(rf_str key) { return rf_hash(key.ptr, key.len, 1); }

/* Combinations by their keys: open addressing, index + 1. */
struct key_table {
    uint32_t *slots;
    size_t mask;
};

static bool table_of(const struct combination *found, uint32_t count, struct rf_arena *arena,
                     struct key_table *out)
{
    size_t size = 16;
    while (size < 2 * (size_t)count) size *= 2;
    out->mask = size - 1;
    out->slots = rf_arena_new(arena, uint32_t, size);
    if (out->slots == NULL) return false;
    for (uint32_t i = 0; i < count; i++) {
        size_t at = hash_of(found[i].key) & out->mask;
        while (out->slots[at] != 0) at = (at + 1) & out->mask;
        out->slots[at] = i + 1;
    }
    return true;
}

static uint32_t find_key(const struct key_table *table, const struct combination *found, rf_str key)
{
    size_t at = hash_of(key) & table->mask;
    for (; table->slots[at] != 0; at = (at + 1) & table->mask)
        if (rf_str_eq(found[table->slots[at] - 1].key, key)) return table->slots[at] - 1;
    return UINT32_MAX;
}

static enum rf_kind fire(struct decision *d, const struct combination *what, struct series *series,
                         struct rf_err *err)
{
    rf_str id = guid_random(d->arena);
    if (id.ptr == NULL) return rf_fail_memory(err, d->arena);
    bool tells = d->now >= series->mute_until;
    if (tells && d->rule->mute > 0) series->mute_until = d->now + d->rule->mute;
    if (d->rule->stateful) series->alert = id;
    d->firings[d->firing_count++] =
        (struct firing){.kind = FIRING_FIRE, .tells = tells, .alert = id, .what = what};
    return RF_OK;
}

/* The condition is not met. The window that showed it first counts as the first time. */
static void calm(struct decision *d, const struct combination *what, struct series *series)
{
    if (series->alert.len == 0) return;
    if (series->ok_since == 0) series->ok_since = d->now - d->rule->frequency;
    if (d->now - series->ok_since < d->rule->resolve_after) return;
    d->firings[d->firing_count++] = (struct firing){
        .kind = FIRING_RESOLVE, .tells = true, .alert = series->alert, .what = what};
    series->alert = RF_S("");
    series->ok_since = 0;
}

static enum rf_kind step(struct decision *d, const struct combination *what, struct series series,
                         struct rf_err *err)
{
    bool failing = what != NULL && what->failing;
    if (failing) series.ok_since = 0;
    if (failing && series.alert.len == 0) RF_TRY(fire(d, what, &series, err));
    if (!failing) calm(d, what, &series);
    if (series.mute_until <= d->now) series.mute_until = 0;
    if (series.alert.len > 0 || series.mute_until > 0) d->kept[d->kept_count++] = series;
    return RF_OK;
}

enum rf_kind firing_decide(const struct log_rule *rule, struct rule_state *state,
                           const struct combination *found, uint32_t found_count, rf_usec now,
                           struct rf_arena *arena, struct firing **out, uint32_t *count,
                           struct rf_err *err)
{
    size_t most = (size_t)state->count + found_count;
    struct decision d = {.rule = rule, .now = now, .arena = arena};
    struct key_table table;
    bool *seen = rf_arena_new(arena, bool, found_count);
    d.kept = rf_arena_new(arena, struct series, most);
    d.firings = rf_arena_new(arena, struct firing, 2 * most);
    if (seen == NULL || d.kept == NULL || d.firings == NULL ||
        !table_of(found, found_count, arena, &table))
        return rf_fail_memory(err, arena);
    for (uint32_t i = 0; i < state->count; i++) {
        struct series series = state->series[i];
        uint32_t at = find_key(&table, found, series.key);
        if (at != UINT32_MAX) seen[at] = true;
        /* A rule that fires each time ends the alert of the time when it was another. */
        if (!rule->stateful && series.alert.len > 0) {
            d.firings[d.firing_count++] =
                (struct firing){.kind = FIRING_RESOLVE, .alert = series.alert};
            series.alert = RF_S("");
        }
        RF_TRY(step(&d, at == UINT32_MAX ? NULL : &found[at], series, err));
    }
    for (uint32_t i = 0; i < found_count; i++)
        if (!seen[i])
            RF_TRY(
                step(&d, &found[i], (struct series){.key = found[i].key, .alert = RF_S("")}, err));
    state->series = d.kept;
    state->count = d.kept_count;
    *out = d.firings;
    *count = d.firing_count;
    return RF_OK;
}

/* ---- windows that are looked at again ---------------------------------------------------------------------------------- */

enum rf_kind firing_note(const struct combination *found, uint32_t count, int64_t to_ticks,
                         uint32_t window_max, struct rule_state *state, struct rf_arena *arena,
                         struct rf_err *err)
{
    uint64_t *keys = rf_arena_new(arena, uint64_t, count);
    uint32_t n = 0;
    if (keys == NULL) return rf_fail_memory(err, arena);
    for (uint32_t i = 0; i < count; i++)
        if (found[i].failing) keys[n++] = shown_key(found[i].key);
    if (n == 0 || shown_note(&state->shown, to_ticks, keys, n, window_max, arena)) return RF_OK;
    return rf_fail_memory(err, arena);
}

static struct series *find_series(struct series *list, uint32_t count, rf_str key)
{
    for (uint32_t i = 0; i < count; i++)
        if (rf_str_eq(list[i].key, key)) return &list[i];
    return NULL;
}

enum rf_kind firing_late(const struct log_rule *rule, struct rule_state *state,
                         const struct combination *found, uint32_t found_count, int64_t to_ticks,
                         struct rf_arena *arena, struct firing **out, uint32_t *count,
                         struct rf_err *err)
{
    rf_usec end = (to_ticks - DATETIME_UNIX_EPOCH) / TICKS_PER_MICROSECOND;
    struct decision d = {.rule = rule, .now = end, .arena = arena, .kept_count = state->count};
    struct shown_meter meter;
    d.kept = rf_arena_new(arena, struct series, (size_t)state->count + found_count);
    d.firings = rf_arena_new(arena, struct firing, found_count);
    if (d.kept == NULL || d.firings == NULL ||
        !shown_meter(shown_find(&state->shown, to_ticks), NULL, arena, &meter))
        return rf_fail_memory(err, arena);
    if (state->count > 0) memcpy(d.kept, state->series, state->count * sizeof *d.kept);
    for (uint32_t i = 0; i < found_count; i++) {
        if (!found[i].failing || shown_meet(&meter, shown_key(found[i].key))) continue;
        struct series *series = find_series(d.kept, d.kept_count, found[i].key);
        if (series == NULL) {
            series = &d.kept[d.kept_count++];
            *series = (struct series){.key = found[i].key, .alert = RF_S("")};
        }
        if (series->alert.len == 0) RF_TRY(fire(&d, &found[i], series, err));
    }
    state->series = d.kept;
    state->count = d.kept_count;
    *out = d.firings;
    *count = d.firing_count;
    return RF_OK;
}
