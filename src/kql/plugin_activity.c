/* plugin_activity.c - activity_counts_metrics, activity_metrics, activity_engagement: how many ids are
 * active per bin, how many of them are new, stay or go. */
#include <math.h>

#include "kql/plugin_time.h"

enum { CELLS_MAX = TIME_DIMENSIONS_MAX + 8 };

/* Marks of ids: which group and bin they were seen in last. */
struct seen {
    int64_t *bin;
    uint32_t *group; /* group + 1 */
};

static bool seen_init(struct seen *s, const struct time_events *e, struct rf_arena *arena)
{
    s->bin = rf_arena_new(arena, int64_t, (size_t)e->id_count + 1);
    s->group = rf_arena_new(arena, uint32_t, (size_t)e->id_count + 1);
    return s->bin != NULL && s->group != NULL;
}

static bool outside(const struct time_options *o, const struct time_event *event)
{
    return event->time < o->start || event->time > o->end;
}

/* The events of one group and bin: items[from..*to-1], outside ones included. */
static uint64_t bin_end(const struct time_events *e, const struct time_options *o, uint64_t from,
                        int64_t bin)
{
    uint64_t to = from;
    while (to < e->count && e->items[to].group == e->items[from].group &&
           time_bin(e->items[to].time, o->start, o->steps[0]) == bin)
        to++;
    return to;
}

/* ---- activity_counts_metrics and activity_metrics --------------------------------------------- */

struct bin_counts {
    int64_t count, distinct, fresh, retained;
};

static struct bin_counts count_bin(const struct time_events *e, const struct time_options *o,
                                   struct seen *seen, uint64_t from, uint64_t to, int64_t bin)
{
    struct bin_counts c = {0};
    for (uint64_t i = from; i < to; i++) {
        const struct time_event *event = &e->items[i];
        if (outside(o, event)) continue;
        c.count++;
        bool known = seen->group[event->id] == event->group + 1;
        if (known && seen->bin[event->id] == bin) continue;
        c.distinct++;
        c.fresh += !known;
        c.retained += known && seen->bin[event->id] == bin - 1;
        seen->group[event->id] = event->group + 1;
        seen->bin[event->id] = bin;
    }
    return c;
}

/* Both walk the bins that have events; `rates` chooses what is shown. */
static enum rf_kind activity_walk(struct plugin_run *run, bool rates, struct rf_err *err)
{
    const struct time_options *o = run->options;
    struct time_events e;
    struct seen seen;
    struct value cells[CELLS_MAX];
    RF_TRY(time_read(run, run->rows, o->dimension_count, &e, err));
    if (!seen_init(&seen, &e, run->arena)) return rf_fail_memory(err, run->arena);
    int64_t total = 0, before = 0, last = 0;
    for (uint64_t i = 0, to; i < e.count; i = to) {
        int64_t bin = time_bin(e.items[i].time, o->start, o->steps[0]);
        bool first = i == 0 || e.items[i - 1].group != e.items[i].group;
        to = bin_end(&e, o, i, bin);
        struct bin_counts c = count_bin(&e, o, &seen, i, to, bin);
        if (first) total = before = 0;
        if (c.count == 0) continue;
        if (bin != last + 1) before = 0; /* nobody was there in the bin before */
        total += c.fresh;
        uint32_t at = time_cells(run, &e, e.items[i].group, o->start + bin * o->steps[0], cells);
        if (rates) {
            cells[at] = value_long(c.distinct);
            cells[at + 1] = value_long(c.fresh);
            cells[at + 2] = value_real(before == 0 ? NAN : (double)c.retained / (double)before);
            cells[at + 3] =
                value_real(before == 0 ? NAN : (double)(before - c.retained) / (double)before);
        } else {
            cells[at] = value_long(c.count);
            cells[at + 1] = value_long(c.distinct);
            cells[at + 2] = value_long(c.fresh);
            cells[at + 3] = value_long(total);
        }
        before = c.distinct;
        last = bin;
        RF_TRY(plugin_emit(run, cells, err));
    }
    return RF_OK;
}

static enum rf_kind counts_compute(struct plugin_run *run, struct rf_err *err)
{
    return activity_walk(run, false, err);
}
static enum rf_kind metrics_compute(struct plugin_run *run, struct rf_err *err)
{
    return activity_walk(run, true, err);
}

static enum rf_kind activity_bind(struct binder *b, const struct plugin_call *call,
                                  struct node *input, bool rates, struct node **out)
{
    struct time_binding t = {0};
    RF_TRY(time_bind(b, call, input, &t));
    RF_TRY(time_bind_step(b, call, &t, 4, "Window", &t.options->steps[0]));
    RF_TRY(time_bind_dimensions(b, call, input, 5, call->ast->kid_count, &t));
    bool ok = rates ? time_add(b, &t, "dcount_values", TYPE_LONG) &&
                          time_add(b, &t, "dcount_newvalues", TYPE_LONG) &&
                          time_add(b, &t, "retention_rate", TYPE_REAL) &&
                          time_add(b, &t, "churn_rate", TYPE_REAL)
                    : time_add(b, &t, "count", TYPE_LONG) && time_add(b, &t, "dcount", TYPE_LONG) &&
                          time_add(b, &t, "new_dcount", TYPE_LONG) &&
                          time_add(b, &t, "aggregated_dcount", TYPE_LONG);
    if (!ok) return BIND_NOMEM(b);
    return time_finish(b, rates ? "activity_metrics" : "activity_counts_metrics",
                       rates ? metrics_compute : counts_compute, &t, NULL, out);
}

static enum rf_kind counts_bind(struct binder *b, const struct plugin_call *call,
                                struct node *input, struct node **out)
{
    return activity_bind(b, call, input, false, out);
}
static enum rf_kind metrics_bind(struct binder *b, const struct plugin_call *call,
                                 struct node *input, struct node **out)
{
    return activity_bind(b, call, input, true, out);
}

/* ---- activity_engagement ---------------------------------------------------------------------- */

/* Distinct ids of a group with times in [from, to). */
static int64_t distinct_between(const struct time_events *e, uint64_t begin, uint64_t end,
                                int64_t from, int64_t to, uint64_t *stamps, uint64_t stamp)
{
    int64_t n = 0;
    uint64_t low = begin, high = end;
    while (low < high) {
        uint64_t middle = low + (high - low) / 2;
        if (e->items[middle].time < from)
            low = middle + 1;
        else
            high = middle;
    }
    for (; low < end && e->items[low].time < to; low++) {
        if (stamps[e->items[low].id] == stamp) continue;
        stamps[e->items[low].id] = stamp;
        n++;
    }
    return n;
}

static enum rf_kind engagement_compute(struct plugin_run *run, struct rf_err *err)
{
    const struct time_options *o = run->options;
    struct time_events e;
    struct value cells[CELLS_MAX];
    int64_t inner = o->steps[0], outer = o->steps[1];
    RF_TRY(time_read(run, run->rows, o->dimension_count, &e, err));
    uint64_t *stamps = rf_arena_new(run->arena, uint64_t, (size_t)e.id_count + 1), stamp = 0;
    if (stamps == NULL) return rf_fail_memory(err, run->arena);
    for (uint64_t begin = 0, end; begin < e.count; begin = end) {
        end = begin;
        while (end < e.count && e.items[end].group == e.items[begin].group) end++;
        int64_t last = INT64_MIN;
        for (uint64_t i = begin; i < end; i++) { /* each bin that has events, once */
            int64_t bin = time_bin(e.items[i].time, o->start, inner);
            if (outside(o, &e.items[i]) || bin == last) continue;
            last = bin;
            int64_t from = o->start + bin * inner, to = from + inner;
            int64_t in = distinct_between(&e, begin, end, from, to, stamps, ++stamp);
            int64_t all = distinct_between(&e, begin, end, to - outer, to, stamps, ++stamp);
            uint32_t at = time_cells(run, &e, e.items[i].group, from, cells);
            cells[at] = value_long(in);
            cells[at + 1] = value_long(all);
            cells[at + 2] = value_real(all == 0 ? NAN : (double)in / (double)all);
            RF_TRY(plugin_emit(run, cells, err));
        }
    }
    return RF_OK;
}

static enum rf_kind engagement_bind(struct binder *b, const struct plugin_call *call,
                                    struct node *input, struct node **out)
{
    struct time_binding t = {0};
    RF_TRY(time_bind(b, call, input, &t));
    RF_TRY(time_bind_step(b, call, &t, 4, "InnerActivityWindow", &t.options->steps[0]));
    RF_TRY(time_bind_step(b, call, &t, 5, "OuterActivityWindow", &t.options->steps[1]));
    RF_TRY(time_bind_dimensions(b, call, input, 6, call->ast->kid_count, &t));
    if (!time_add(b, &t, "dcount_activities_inner", TYPE_LONG) ||
        !time_add(b, &t, "dcount_activities_outer", TYPE_LONG) ||
        !time_add(b, &t, "activity_ratio", TYPE_REAL))
        return BIND_NOMEM(b);
    return time_finish(b, "activity_engagement", engagement_compute, &t, NULL, out);
}

const struct plugin plugins_activity[] = {
    {.name = "activity_counts_metrics",
     .doc = "Per bin: rows, distinct ids, ids not seen before, distinct ids so far.",
     .syntax = "T | evaluate activity_counts_metrics(Id, Timeline, Start, End, Step [, Dimension, "
               "...])",
     .bind = counts_bind},
    {.name = "activity_metrics",
     .doc = "Per bin: distinct ids, new ones, and the shares that stayed and left since the last.",
     .syntax = "T | evaluate activity_metrics(Id, Timeline, Start, End, Window [, Dimension, ...])",
     .bind = metrics_bind},
    {.name = "activity_engagement",
     .doc =
         "Distinct ids per inner window, in the outer window that ends with it, and their ratio.",
     .syntax = "T | evaluate activity_engagement(Id, Timeline, Start, End, InnerWindow, "
               "OuterWindow [, Dimension, ...])",
     .bind = engagement_bind},
    {0},
};
