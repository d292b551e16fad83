#include "tables/activity.h"

#include <stdlib.h>

#include "tables/tables_int.h"

void activity_note(struct table_entry *e, uint64_t rows)
{
    struct table_seen *seen = &e->seen;
    rf_usec now = rf_clock_now(e->home->tables->options.clock);
    atomic_fetch_add_explicit(&e->home->rows_committed, rows, memory_order_relaxed);
    (void)pthread_mutex_lock(&e->lock);
    int64_t pause = seen->last == 0 ? 0 : now - seen->last;
    if (pause >= RF_USEC_PER_SECOND)
        seen->pause_usec = RF_MAX(pause, seen->pause_usec - seen->pause_usec / 8);
    seen->last = RF_MAX(now, seen->last);
    seen->commits++;
    (void)pthread_mutex_unlock(&e->lock);
}

enum rf_kind tables_rows_committed(struct tables *tables, rf_str workspace_id, uint64_t *rows,
                                   struct rf_err *err)
{
    struct workspace_tables *w;
    RF_TRY(tables_workspace(tables, workspace_id, &w, err));
    *rows = atomic_load_explicit(&w->rows_committed, memory_order_relaxed);
    return RF_OK;
}

/* ---- what is stored ------------------------------------------------------------------------------------------------------ */

static void add_part(const struct table *t, uint32_t part, int64_t since,
                     struct table_activity *out)
{
    int64_t min, max;
    uint64_t rows = table_part_rows(t, part);
    if (!table_part_times(t, part, &min, &max) || max < since) return;
    if (min >= since) {
        out->rows_since += rows;
        return;
    }
    double share = (double)(max - since) / (double)(max - min);
    out->rows_since += (uint64_t)((double)rows * share + 0.5);
    out->is_estimate = true;
}

static void add_stored(const struct table *t, int64_t since, struct table_activity *out)
{
    struct table_stats stats = table_stats(t);
    out->row_count = stats.row_count;
    out->disk_bytes = stats.disk_bytes;
    out->time_min = stats.time_min;
    out->time_max = stats.time_max;
    for (uint32_t i = 0; i < table_part_count(t); i++) add_part(t, i, since, out);
}

/* *has_rows false: nothing was ever written. */
static enum rf_kind look(struct table_entry *e, int64_t since, struct rf_arena *arena,
                         struct table_activity *out, bool *has_rows, struct rf_err *err)
{
    struct table_view *view;
    *has_rows = false;
    RF_TRY(entry_any_view(e, &view, err));
    *out = (struct table_activity){.time_max = -1};
    if (view->table != NULL) add_stored(view->table, since, out);
    view_unref(view);
    if (out->row_count == 0) return RF_OK;
    *has_rows = true;
    (void)pthread_mutex_lock(&e->lock);
    out->commits = e->seen.commits;
    out->last = e->seen.last;
    out->pause_usec = e->seen.pause_usec;
    (void)pthread_mutex_unlock(&e->lock);
    return rf_arena_str(arena, e->name, &out->name) ? RF_OK : rf_fail_memory(err, arena);
}

static int by_name(const void *a, const void *b)
{
    return rf_str_cmp(((const struct table_activity *)a)->name,
                      ((const struct table_activity *)b)->name);
}

enum rf_kind tables_activity(struct tables *tables, rf_str workspace_id, int64_t since_ticks,
                             struct rf_arena *arena, struct table_activity **out, uint32_t *count,
                             struct rf_err *err)
{
    struct workspace_tables *w;
    uint32_t entry_count, found = 0;
    RF_TRY(tables_workspace(tables, workspace_id, &w, err));
    struct table_entry **entries = entries_of(w, arena, &entry_count);
    if (entries == NULL) return rf_fail_memory(err, arena);
    struct table_activity *list = rf_arena_new(arena, struct table_activity, entry_count);
    enum rf_kind kind = list == NULL ? rf_fail_memory(err, arena) : RF_OK;
    for (uint32_t i = 0; i < entry_count; i++) {
        bool has_rows = false;
        if (kind == RF_OK)
            kind = look(entries[i], since_ticks, arena, &list[found], &has_rows, err);
        if (has_rows) found++;
        entry_unref(entries[i]);
    }
    RF_TRY(kind);
    if (found > 1) qsort(list, found, sizeof *list, by_name);
    *out = list;
    *count = found;
    return RF_OK;
}
