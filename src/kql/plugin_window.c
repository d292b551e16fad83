/* plugin_window.c - sliding_window_counts, active_users_count, session_count, rolling_percentile. */
#define _GNU_SOURCE
#include <stdlib.h>

#include "kql/aggr_sketch.h"
#include "kql/bind_int.h"
#include "kql/plugin_time.h"
#include "value/text.h"

enum { CELLS_MAX = TIME_DIMENSIONS_MAX + 8, BINS_MAX = 1 << 22 };

static uint64_t group_end(const struct time_events *e, uint64_t from)
{
    uint64_t to = from;
    while (to < e->count && e->items[to].group == e->items[from].group) to++;
    return to;
}

/* ---- sliding_window_counts -------------------------------------------------------------------- */

static enum rf_kind slide_group(struct plugin_run *run, const struct time_events *e, uint64_t begin,
                                uint64_t end, uint64_t *stamps, uint64_t *stamp, struct rf_err *err)
{
    const struct time_options *o = run->options;
    int64_t window = o->steps[0], step = o->steps[1];
    int64_t bins = time_bin(o->end, o->start, step);
    struct value cells[CELLS_MAX];
    uint64_t low = begin, high = begin;
    if (bins >= BINS_MAX)
        return RF_FAIL(err, RF_LIMIT, "TooManyBins", "sliding_window_counts: more than %d bins",
                       BINS_MAX);
    for (int64_t bin = 0; bin <= bins; bin++) {
        int64_t to = o->start + (bin + 1) * step, distinct = 0;
        while (high < end && e->items[high].time < to) high++;
        while (low < high && e->items[low].time < to - window) low++;
        if (low == high) continue;
        ++*stamp;
        for (uint64_t i = low; i < high; i++) {
            if (stamps[e->items[i].id] == *stamp) continue;
            stamps[e->items[i].id] = *stamp;
            distinct++;
        }
        uint32_t at = time_cells(run, e, e->items[begin].group, to - step, cells);
        cells[at] = value_long((int64_t)(high - low));
        cells[at + 1] = value_long(distinct);
        RF_TRY(plugin_emit(run, cells, err));
    }
    return RF_OK;
}

static enum rf_kind slide_compute(struct plugin_run *run, struct rf_err *err)
{
    const struct time_options *o = run->options;
    struct time_events e;
    RF_TRY(time_read(run, run->rows, o->dimension_count, &e, err));
    uint64_t *stamps = rf_arena_new(run->arena, uint64_t, (size_t)e.id_count + 1), stamp = 0;
    if (stamps == NULL) return rf_fail_memory(err, run->arena);
    for (uint64_t i = 0, to; i < e.count; i = to) {
        to = group_end(&e, i);
        RF_TRY(slide_group(run, &e, i, to, stamps, &stamp, err));
    }
    return RF_OK;
}

static enum rf_kind slide_bind(struct binder *b, const struct plugin_call *call, struct node *input,
                               struct node **out)
{
    struct time_binding t = {0};
    RF_TRY(time_bind(b, call, input, &t));
    RF_TRY(time_bind_step(b, call, &t, 4, "LookbackWindow", &t.options->steps[0]));
    RF_TRY(time_bind_step(b, call, &t, 5, "Bin", &t.options->steps[1]));
    RF_TRY(time_bind_dimensions(b, call, input, 6, call->ast->kid_count, &t));
    if (!time_add(b, &t, "Count", TYPE_LONG) || !time_add(b, &t, "Dcount", TYPE_LONG))
        return BIND_NOMEM(b);
    return time_finish(b, "sliding_window_counts", slide_compute, &t, NULL, out);
}

/* ---- active_users_count and session_count: by id ------------------------------------------------- */

static int by_id(const void *a, const void *b)
{
    const struct time_event *x = a, *y = b;
    if (x->group != y->group) return x->group < y->group ? -1 : 1;
    if (x->id != y->id) return x->id < y->id ? -1 : 1;
    return x->time < y->time ? -1 : x->time > y->time;
}

/* Something counted once in a bin. */
struct hit {
    uint32_t group;
    int64_t bin;
};
struct hits {
    struct hit *items;
    uint64_t count;
};

static int hit_cmp(const void *a, const void *b)
{
    const struct hit *x = a, *y = b;
    if (x->group != y->group) return x->group < y->group ? -1 : 1;
    return x->bin < y->bin ? -1 : x->bin > y->bin;
}

/* A row per group and bin with the number of its hits. */
static enum rf_kind emit_hits(struct plugin_run *run, const struct time_events *e,
                              struct hits *hits, int64_t step, struct rf_err *err)
{
    const struct time_options *o = run->options;
    struct value cells[CELLS_MAX];
    if (hits->count > 1) qsort(hits->items, hits->count, sizeof *hits->items, hit_cmp);
    for (uint64_t i = 0, to; i < hits->count; i = to) {
        to = i;
        while (to < hits->count && hit_cmp(&hits->items[to], &hits->items[i]) == 0) to++;
        uint32_t at =
            time_cells(run, e, hits->items[i].group, o->start + hits->items[i].bin * step, cells);
        cells[at] = value_long((int64_t)(to - i));
        RF_TRY(plugin_emit(run, cells, err));
    }
    return RF_OK;
}

static bool same_id(const struct time_event *a, const struct time_event *b)
{
    return a->group == b->group && a->id == b->id;
}

/* Periods with an event of this id in (time - window, time], where items[at] is the newest. */
static int64_t active_periods(const struct time_events *e, const struct time_options *o,
                              uint64_t at)
{
    int64_t periods = 0, last = INT64_MAX, oldest = e->items[at].time - o->steps[0];
    for (uint64_t i = at + 1; i-- > 0;) {
        if (!same_id(&e->items[i], &e->items[at]) || e->items[i].time <= oldest) break;
        int64_t period = time_bin(e->items[i].time, o->start, o->steps[1]);
        periods += period != last;
        last = period;
    }
    return periods;
}

static enum rf_kind users_compute(struct plugin_run *run, struct rf_err *err)
{
    const struct time_options *o = run->options;
    struct time_events e;
    RF_TRY(time_read(run, run->rows, o->dimension_count, &e, err));
    struct hits hits = {.items = rf_arena_new(run->arena, struct hit, e.count)};
    if (hits.items == NULL) return rf_fail_memory(err, run->arena);
    if (e.count > 1) qsort(e.items, e.count, sizeof *e.items, by_id);
    for (uint64_t i = 0, counted = UINT64_MAX; i < e.count; i++) {
        const struct time_event *event = &e.items[i];
        if (event->time < o->start || event->time > o->end) continue;
        struct hit hit = {event->group, time_bin(event->time, o->start, o->steps[2])};
        bool again = counted != UINT64_MAX && same_id(&e.items[counted], event) &&
                     hits.items[hits.count - 1].bin == hit.bin;
        if (again || active_periods(&e, o, i) < o->counts[0]) continue;
        hits.items[hits.count++] = hit;
        counted = i;
    }
    return emit_hits(run, &e, &hits, o->steps[2], err);
}

static enum rf_kind users_bind(struct binder *b, const struct plugin_call *call, struct node *input,
                               struct node **out)
{
    struct time_binding t = {0};
    struct value periods = value_null(TYPE_LONG);
    RF_TRY(time_bind(b, call, input, &t));
    RF_TRY(time_bind_step(b, call, &t, 4, "LookbackWindow", &t.options->steps[0]));
    RF_TRY(time_bind_step(b, call, &t, 5, "Period", &t.options->steps[1]));
    RF_TRY(plugin_required(b, call, 6, "ActivePeriodsCount", TYPE_LONG, &periods));
    RF_TRY(time_bind_step(b, call, &t, 7, "Bin", &t.options->steps[2]));
    t.options->counts[0] = periods.null ? 0 : periods.i;
    RF_TRY(time_bind_dimensions(b, call, input, 8, call->ast->kid_count, &t));
    if (!time_add(b, &t, "dcount", TYPE_LONG)) return BIND_NOMEM(b);
    return time_finish(b, "active_users_count", users_compute, &t, NULL, out);
}

/* A session goes on as long as an id's events are no farther apart than the look-back window; it counts
 * once in each bin in which it has an event. */
static enum rf_kind session_compute(struct plugin_run *run, struct rf_err *err)
{
    const struct time_options *o = run->options;
    struct time_events e;
    RF_TRY(time_read(run, run->rows, o->dimension_count, &e, err));
    struct hits hits = {.items = rf_arena_new(run->arena, struct hit, e.count)};
    if (hits.items == NULL) return rf_fail_memory(err, run->arena);
    if (e.count > 1) qsort(e.items, e.count, sizeof *e.items, by_id);
    for (uint64_t i = 0; i < e.count; i++) {
        const struct time_event *event = &e.items[i];
        if (event->time < o->start || event->time > o->end) continue;
        int64_t bin = time_bin(event->time, o->start, o->steps[0]);
        const struct time_event *before = i > 0 ? &e.items[i - 1] : NULL;
        bool goes_on = before != NULL && same_id(before, event) && before->time >= o->start &&
                       event->time - before->time <= o->steps[1];
        if (goes_on && time_bin(before->time, o->start, o->steps[0]) == bin) continue;
        hits.items[hits.count++] = (struct hit){event->group, bin};
    }
    return emit_hits(run, &e, &hits, o->steps[0], err);
}

static enum rf_kind session_bind(struct binder *b, const struct plugin_call *call,
                                 struct node *input, struct node **out)
{
    struct time_binding t = {0};
    RF_TRY(time_bind(b, call, input, &t));
    RF_TRY(time_bind_step(b, call, &t, 4, "Bin", &t.options->steps[0]));
    RF_TRY(time_bind_step(b, call, &t, 5, "LookBackWindow", &t.options->steps[1]));
    RF_TRY(time_bind_dimensions(b, call, input, 6, call->ast->kid_count, &t));
    if (!time_add(b, &t, "count_sessions", TYPE_LONG)) return BIND_NOMEM(b);
    return time_finish(b, "session_count", session_compute, &t, NULL, out);
}

/* ---- rolling_percentile ------------------------------------------------------------------------ */

struct rolling_options {
    enum type index_type, value_type;
    int64_t step, bins;
    double percent;
    uint32_t dimension_count;
};

struct sample {
    uint64_t row; /* for the dimensions */
    int64_t bin;
    uint64_t key; /* of the value */
};
struct rolling {
    struct plugin_run *run;
    const struct rolling_options *o;
    struct sample *items;
    uint64_t count;
};

static int dimensions_cmp(const struct rolling *r, uint64_t a, uint64_t b)
{
    for (uint32_t d = 0; d < r->o->dimension_count; d++) {
        struct value x = rows_value(r->run->rows, a, 2 + d), y = rows_value(r->run->rows, b, 2 + d);
        if (x.null != y.null) return x.null ? -1 : 1;
        int c = x.null ? 0 : value_cmp(&x, &y);
        if (c != 0) return c;
    }
    return 0;
}

static int sample_cmp(const void *a, const void *b, void *state)
{
    const struct sample *x = a, *y = b;
    int c = dimensions_cmp(state, x->row, y->row);
    if (c != 0) return c;
    if (x->bin != y->bin) return x->bin < y->bin ? -1 : 1;
    return x->key < y->key ? -1 : x->key > y->key;
}

static bool read_sample(const struct rolling *r, uint64_t row, struct sample *out)
{
    struct value value = rows_value(r->run->rows, row, 0), index = rows_value(r->run->rows, row, 1);
    if (value.null || index.null) return false;
    if (!time_in_range((enum type)index.type, index.i)) return false;
    if (value.type == TYPE_REAL && value.r != value.r) return false;
    out->row = row;
    out->bin = time_bin(index.i, 0, r->o->step);
    out->key = value.type == TYPE_REAL ? digest_key_real(value.r) : digest_key_i64(value.i);
    return true;
}

/* The value of nearest rank among the samples of a window. */
static bool window_percentile(const struct rolling *r, uint64_t from, uint64_t to,
                              struct value *out)
{
    struct digest digest = {.type = (uint8_t)r->o->value_type};
    for (uint64_t i = from; i < to; i++)
        if (!digest_add(&digest, r->items[i].key, 1, r->run->arena)) return false;
    if (!digest_sort(&digest, r->run->arena)) return false;
    *out = digest_percentile(&digest, r->o->percent);
    return true;
}

static enum rf_kind rolling_compute(struct plugin_run *run, struct rf_err *err)
{
    struct rolling r = {.run = run, .o = run->options};
    struct value cells[CELLS_MAX];
    r.items = rf_arena_new(run->arena, struct sample, rows_count(run->rows));
    if (r.items == NULL) return rf_fail_memory(err, run->arena);
    for (uint64_t i = 0; i < rows_count(run->rows); i++)
        if (read_sample(&r, i, &r.items[r.count])) r.count++;
    if (r.count > 1) qsort_r(r.items, r.count, sizeof *r.items, sample_cmp, &r);
    uint64_t low = 0;
    for (uint64_t i = 0, to; i < r.count; i = to) {
        const struct sample *s = &r.items[i];
        to = i;
        while (to < r.count && r.items[to].bin == s->bin &&
               dimensions_cmp(&r, r.items[to].row, s->row) == 0)
            to++;
        while (dimensions_cmp(&r, r.items[low].row, s->row) != 0 ||
               r.items[low].bin <= s->bin - r.o->bins)
            low++;
        cells[0] = value_i64(r.o->index_type, s->bin * r.o->step);
        for (uint32_t d = 0; d < r.o->dimension_count; d++)
            cells[1 + d] = rows_value(run->rows, s->row, 2 + d);
        if (!window_percentile(&r, low, to, &cells[1 + r.o->dimension_count]))
            return rf_fail_memory(err, run->arena);
        RF_TRY(plugin_emit(run, cells, err));
    }
    return RF_OK;
}

static enum rf_kind rolling_numbers(struct binder *b, const struct plugin_call *call,
                                    struct rolling_options *o)
{
    struct value percent = value_null(TYPE_REAL), bins = value_null(TYPE_LONG), step;
    enum type type = o->index_type == TYPE_DATETIME ? TYPE_TIMESPAN : TYPE_LONG;
    step = value_null(type);
    RF_TRY(plugin_required(b, call, 1, "Percentile", TYPE_REAL, &percent));
    RF_TRY(plugin_required(b, call, 3, "BinSize", type, &step));
    RF_TRY(plugin_required(b, call, 4, "BinsPerWindow", TYPE_LONG, &bins));
    o->percent = percent.null ? 50 : percent.r;
    o->step = step.null ? 1 : step.i;
    o->bins = bins.null ? 1 : bins.i;
    if (o->step > 0 && o->step <= TIME_NUMBER_MAX && o->bins > 0 && o->bins <= UINT32_MAX &&
        o->percent >= 0 && o->percent <= 100)
        return RF_OK;
    return bind_fail(b, call->ast->pos, "BadArguments",
                     "the percentile is 0 to 100, the bin's size and number are above 0");
}

static enum rf_kind rolling_bind(struct binder *b, const struct plugin_call *call,
                                 struct node *input, struct node **out)
{
    struct rolling_options *o = rf_arena_new(b->arena, struct rolling_options, 1);
    struct expr *exprs[TIME_DIMENSIONS_MAX + 2];
    struct schema_builder sb = {.b = b};
    struct node *projected;
    uint32_t n = 2;
    if (o == NULL) return BIND_NOMEM(b);
    RF_TRY(plugin_scalar(b, call, 0, "ValueColumn", input, &exprs[0]));
    RF_TRY(plugin_scalar(b, call, 2, "IndexColumn", input, &exprs[1]));
    if (!type_is_i64((enum type)exprs[0]->type))
        RF_TRY(bind_cast(b, exprs[0], TYPE_REAL, &exprs[0]));
    o->value_type = (enum type)exprs[0]->type;
    o->index_type = exprs[1]->type == TYPE_DATETIME ? TYPE_DATETIME : TYPE_LONG;
    RF_TRY(bind_cast(b, exprs[1], o->index_type, &exprs[1]));
    RF_TRY(rolling_numbers(b, call, o));
    if (!schema_add(&sb, plugin_arg_name(b, plugin_arg(call, 2, "IndexColumn"), "Index"),
                    o->index_type, bind_new_id(b)))
        return BIND_NOMEM(b);
    for (uint32_t i = 5; i < call->ast->kid_count; i++) {
        const struct ast *arg = call->ast->kids[i];
        if (n == RF_COUNT(exprs))
            return bind_fail(b, arg->pos, "BadArguments", "more than %d dimensions",
                             TIME_DIMENSIONS_MAX);
        RF_TRY(bind_scalar(b, arg, &input->schema, &exprs[n]));
        if (!schema_add(&sb, plugin_arg_name(b, arg, "Dimension"), (enum type)exprs[n]->type,
                        bind_new_id(b)))
            return BIND_NOMEM(b);
        n++;
    }
    o->dimension_count = n - 2;
    struct rf_buf name = rf_buf_in(b->arena);
    struct value percent = value_real(o->percent);
    rf_str column = plugin_arg_name(b, plugin_arg(call, 0, "ValueColumn"), "Value");
    rf_buf_printf(&name, "rolling_%lld_percentile_%.*s_", (long long)o->bins, RF_FMT(column));
    text_put_value(&name, &percent);
    for (size_t i = 0; i < name.len; i++)
        if (name.ptr[i] == '.') name.ptr[i] = '_';
    if (name.failed || !schema_add(&sb, rf_buf_view(&name), o->value_type, bind_new_id(b)))
        return BIND_NOMEM(b);
    RF_TRY(plugin_columns(b, exprs, n, input, &projected));
    return plugin_node_new(b, "rolling_percentile", rolling_compute, o, &sb.schema, projected, NULL,
                           out);
}

const struct plugin plugins_window[] = {
    {.name = "sliding_window_counts",
     .doc = "Rows and distinct ids in a window that ends with each bin.",
     .syntax = "T | evaluate sliding_window_counts(Id, Timeline, Start, End, LookbackWindow, Bin "
               "[, Dimension, ...])",
     .bind = slide_bind},
    {.name = "active_users_count",
     .doc = "Distinct ids per bin that were there in enough periods of the time before.",
     .syntax = "T | evaluate active_users_count(Id, Timeline, Start, End, LookbackWindow, Period, "
               "ActivePeriodsCount, Bin [, Dimension, ...])",
     .bind = users_bind},
    {.name = "session_count",
     .doc = "Sessions per bin; an id's pause above the look-back window begins a new one.",
     .syntax = "T | evaluate session_count(Id, Timeline, Start, End, Bin, LookBackWindow [, "
               "Dimension, ...])",
     .bind = session_bind},
    {.name = "rolling_percentile",
     .doc = "A percentile over the last bins, for each bin.",
     .syntax = "T | evaluate rolling_percentile(Value, Percentile, Index, BinSize, BinsPerWindow "
               "[, Dimension, ...])",
     .bind = rolling_bind},
    {0},
};
