#include "tables/late.h"

#include <stdio.h>
#include <stdlib.h>

#include "crypt/digest.h"

/* ---- what windows have shown ----------------------------------------------------------------------------------------- */

static struct shown_window *find(const struct shown *shown, int64_t to_ticks)
{
    for (uint32_t i = 0; i < shown->count; i++)
        if (shown->items[i].to_ticks == to_ticks) return &shown->items[i];
    return NULL;
}

const struct shown_window *shown_find(const struct shown *shown, int64_t to_ticks)
{
    return find(shown, to_ticks);
}

static void forget(struct shown *shown, uint32_t window_max)
{
    uint32_t from = 0;
    uint64_t keys = 0;
    for (uint32_t i = 0; i < shown->count; i++) keys += shown->items[i].count;
    while (from + 1 < shown->count && (keys > SHOWN_KEYS_MAX || shown->count - from > window_max))
        keys -= shown->items[from++].count;
    shown->items += from;
    shown->count -= from;
}

bool shown_note(struct shown *shown, int64_t to_ticks, const uint64_t *keys, uint32_t count,
                uint32_t window_max, struct rf_arena *arena)
{
    struct shown_window *window = find(shown, to_ticks);
    if (window == NULL) {
        struct shown_window *items =
            rf_arena_new(arena, struct shown_window, (size_t)shown->count + 1);
        if (items == NULL) return false;
        if (shown->count > 0) memcpy(items, shown->items, shown->count * sizeof *items);
        window = &items[shown->count++];
        *window = (struct shown_window){.to_ticks = to_ticks};
        shown->items = items;
    }
    count = RF_MIN(count, SHOWN_KEYS_MAX - RF_MIN(window->count, (uint32_t)SHOWN_KEYS_MAX));
    uint64_t *all = rf_arena_new(arena, uint64_t, (size_t)window->count + count);
    if (all == NULL) return false;
    if (window->count > 0) memcpy(all, window->keys, window->count * sizeof *all);
    if (count > 0) memcpy(all + window->count, keys, count * sizeof *all);
    window->keys = all;
    window->count += count;
    forget(shown, window_max);
    return true;
}

void shown_put(const struct shown *shown, const char *name, struct json_out *out)
{
    char text[20];
    json_begin_array(out, name);
    for (uint32_t i = 0; i < shown->count; i++) {
        json_begin_object(out, NULL);
        json_put_i64(out, "to", shown->items[i].to_ticks);
        json_begin_array(out, "keys");
        for (uint32_t k = 0; k < shown->items[i].count; k++) {
            int len =
                snprintf(text, sizeof text, "%016llx", (unsigned long long)shown->items[i].keys[k]);
            json_put_text(out, NULL, rf_str_make(text, (size_t)len));
        }
        json_end_array(out);
        json_end_object(out);
    }
    json_end_array(out);
}

static bool read_keys(const struct json_node *list, struct shown_window *window,
                      struct rf_arena *arena)
{
    if (!json_is(list, JSON_T_ARRAY)) return true;
    window->keys = rf_arena_new(arena, uint64_t, list->count);
    if (window->keys == NULL) return false;
    for (const struct json_node *key = list->first; key != NULL; key = key->next) {
        char text[20];
        (void)snprintf(text, sizeof text, "%.*s", (int)RF_MIN(key->text.len, (size_t)16),
                       (const char *)key->text.ptr);
        window->keys[window->count++] = strtoull(text, NULL, 16);
    }
    return true;
}

bool shown_read(const struct json_node *list, struct rf_arena *arena, struct shown *out)
{
    *out = (struct shown){0};
    if (!json_is(list, JSON_T_ARRAY)) return true;
    out->items = rf_arena_new(arena, struct shown_window, list->count);
    if (out->items == NULL) return false;
    for (const struct json_node *item = list->first; item != NULL; item = item->next) {
        struct shown_window *window = &out->items[out->count++];
        *window = (struct shown_window){0};
        (void)json_i64_at(item, "to", &window->to_ticks);
        if (!read_keys(json_get(item, "keys"), window, arena)) return false;
    }
    return true;
}

uint64_t shown_key(rf_str text)
{
    uint8_t digest[SHA256_BYTES];
    uint64_t key;
    digest_sha256(text, digest);
    memcpy(&key, digest, sizeof key);
    return key;
}

/* ---- the meter ----------------------------------------------------------------------------------------------------------- */

static int by_value(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

/* A sorted copy. */
static uint64_t *sorted(const struct shown_window *window, struct rf_arena *arena)
{
    uint32_t count = window == NULL ? 0 : window->count;
    uint64_t *keys = rf_arena_new(arena, uint64_t, count);
    if (keys == NULL || count == 0) return keys;
    memcpy(keys, window->keys, count * sizeof *keys);
    qsort(keys, count, sizeof *keys, by_value);
    return keys;
}

bool shown_meter(const struct shown_window *a, const struct shown_window *b, struct rf_arena *arena,
                 struct shown_meter *out)
{
    uint32_t a_count = a == NULL ? 0 : a->count, b_count = b == NULL ? 0 : b->count;
    uint64_t *left = sorted(a, arena), *right = sorted(b, arena);
    *out = (struct shown_meter){
        .keys = rf_arena_new(arena, uint64_t, (size_t)a_count + b_count),
        .met = rf_arena_new(arena, bool, (size_t)a_count + b_count),
    };
    if (left == NULL || right == NULL || out->keys == NULL || out->met == NULL) return false;
    for (uint32_t i = 0, k = 0; i < a_count || k < b_count;) {
        bool take_left = k == b_count || (i < a_count && left[i] <= right[k]);
        bool same = i < a_count && k < b_count && left[i] == right[k];
        out->keys[out->count++] = take_left ? left[i] : right[k];
        i += take_left;
        k += same || !take_left;
    }
    return true;
}

bool shown_meet(struct shown_meter *meter, uint64_t key)
{
    uint32_t low = 0, high = meter->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (meter->keys[middle] < key)
            low = middle + 1;
        else
            high = middle;
    }
    while (low < meter->count && meter->keys[low] == key && meter->met[low]) low++;
    if (low == meter->count || meter->keys[low] != key) return false;
    meter->met[low] = true;
    return true;
}

/* ---- windows that got rows --------------------------------------------------------------------------------------------- */

static enum rf_kind ask_table(struct ask_view *view, const struct late_question *q, rf_str name,
                              struct rf_arena *arena, struct answer *out, struct rf_err *err)
{
    /* As many windows as there can be: none is left out. */
    int64_t most = (q->before_ticks - q->from_ticks) / q->step_ticks + 2;
    rf_str text = rf_arena_printf(
        arena,
        "table('%.*s') | where isnotnull(TimeGenerated) | summarize by late = "
        "bin_at(TimeGenerated, %lld * 1tick, datetime(0001-01-01) + %lld * 1tick) | sort by late "
        "asc | take %lld",
        RF_FMT(name), (long long)q->step_ticks, (long long)q->origin_ticks, (long long)most);
    if (text.ptr == NULL) return rf_fail_memory(err, arena);
    const struct ask ask = {.text = text,
                            .now_ticks = q->now_ticks,
                            .has_timespan = true,
                            .from_ticks = q->from_ticks,
                            .to_ticks = q->before_ticks,
                            .has_ingested = true,
                            .after_ticks = q->after_ticks,
                            .until_ticks = q->until_ticks,
                            .memory_bytes = q->memory_bytes,
                            .cancelled = q->cancelled};
    return ask_run(view, &ask, arena, out, err);
}

static int by_time(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

enum rf_kind late_windows(struct ask_view *view, const struct late_question *question,
                          const rf_str *tables, uint32_t table_count, struct rf_arena *arena,
                          int64_t **ends, uint32_t *count, struct rf_err *err)
{
    int64_t *list = NULL, step = question->step_ticks;
    uint32_t n = 0, kept = 0;
    for (uint32_t t = 0; t < table_count; t++) {
        struct answer answer;
        RF_TRY(ask_table(view, question, tables[t], arena, &answer, err));
        uint64_t rows = rows_count(answer.rows);
        int64_t *longer = rf_arena_new(arena, int64_t, n + rows);
        if (longer == NULL) return rf_fail_memory(err, arena);
        if (n > 0) memcpy(longer, list, n * sizeof *list);
        list = longer;
        for (uint64_t i = 0; i < rows; i++) {
            struct value start = rows_value(answer.rows, i, 0);
            int64_t end = start.i + question->period_ticks / step * step;
            if (!start.null && end < question->origin_ticks) list[n++] = end;
        }
    }
    if (n > 0) qsort(list, n, sizeof *list, by_time);
    for (uint32_t i = 0; i < n; i++)
        if (i == 0 || list[i] != list[i - 1]) list[kept++] = list[i];
    *ends = list;
    *count = kept;
    return RF_OK;
}
