/* plugin_cohort.c - new_activity_metrics: ids by the window in which they were first seen, and how many of
 * each such cohort are there later. */
#include "kql/bind_int.h"
#include "kql/op.h"
#include "kql/plugin_time.h"

enum { CELLS_MAX = TIME_DIMENSIONS_MAX + 8, COHORT_BINS_MAX = 2048 };

struct cohort {
    struct plugin_run *run;
    struct time_events e;
    int64_t bins;
    int64_t *first;     /* per id: its first bin in the present group; -1: not yet */
    uint32_t *group_of; /* per id: group + 1 that `first` is about */
    uint8_t *known;     /* per id: seen in the look-back table */
    uint32_t *stamps;   /* per id: bin + 1 counted last in the present group */
    int64_t *there;     /* [bin][first bin]: ids of a cohort that are in the bin */
};

/* ---- ids of the look-back table --------------------------------------------------------------- */

static enum rf_kind mark_known(struct cohort *c, struct rf_err *err)
{
    struct rf_arena *arena = c->run->arena;
    const struct rows *lookup = c->run->lookup;
    c->known = rf_arena_new(arena, uint8_t, (size_t)c->e.id_count + 1);
    if (c->known == NULL) return rf_fail_memory(err, arena);
    if (lookup == NULL) return RF_OK;
    uint64_t slots = 16;
    while (slots < 2 * rows_count(lookup)) slots *= 2;
    uint64_t *table = rf_arena_new(arena, uint64_t, slots);
    if (table == NULL) return rf_fail_memory(err, arena);
    for (uint64_t r = 0; r < rows_count(lookup); r++) {
        struct value v = rows_value(lookup, r, 0);
        uint64_t at = value_hash(&v) & (slots - 1);
        while (table[at] != 0) at = (at + 1) & (slots - 1);
        table[at] = r + 1;
    }
    for (uint32_t id = 0; id < c->e.id_count; id++) {
        struct value v = rows_value(c->run->rows, c->e.id_rows[id], 0);
        for (uint64_t at = value_hash(&v) & (slots - 1); table[at] != 0 && !c->known[id];
             at = (at + 1) & (slots - 1)) {
            struct value other = rows_value(lookup, table[at] - 1, 0);
            c->known[id] = value_same(&v, &other);
        }
    }
    return RF_OK;
}

/* ---- one group ------------------------------------------------------------------------------- */

static void count_group(struct cohort *c, uint64_t from, uint64_t to)
{
    const struct time_options *o = c->run->options;
    memset(c->there, 0, (size_t)(c->bins * c->bins) * sizeof *c->there);
    for (uint64_t i = from; i < to; i++) { /* in order of time */
        const struct time_event *event = &c->e.items[i];
        if (event->time < o->start || event->time > o->end) continue;
        int64_t bin = time_bin(event->time, o->start, o->steps[0]);
        if (c->group_of[event->id] != event->group + 1) {
            c->group_of[event->id] = event->group + 1;
            c->first[event->id] = c->known[event->id] ? -1 : bin;
            c->stamps[event->id] = 0;
        }
        if (c->stamps[event->id] == (uint32_t)bin + 1) continue;
        c->stamps[event->id] = (uint32_t)bin + 1;
        if (c->first[event->id] >= 0) c->there[bin * c->bins + c->first[event->id]]++;
    }
}

static enum rf_kind emit_pair(struct cohort *c, uint32_t group, int64_t from, int64_t to,
                              struct rf_err *err)
{
    const struct time_options *o = c->run->options;
    struct value cells[CELLS_MAX + 1];
    int64_t size = c->there[from * c->bins + from], retained = c->there[to * c->bins + from];
    int64_t fresh = 0;
    for (int64_t f = from + (to > from); f <= to; f++) fresh += c->there[to * c->bins + f];
    uint32_t at = 1 + time_cells(c->run, &c->e, group, o->start + to * o->steps[0], cells + 1);
    cells[0] = value_i64(o->type, o->start + from * o->steps[0]);
    cells[at] = value_long(fresh);
    cells[at + 1] = value_long(retained);
    cells[at + 2] = value_long(size - retained);
    cells[at + 3] = value_real((double)retained / (double)size);
    cells[at + 4] = value_real((double)(size - retained) / (double)size);
    return plugin_emit(c->run, cells, err);
}

static enum rf_kind emit_group(struct cohort *c, uint32_t group, struct rf_err *err)
{
    const struct time_options *o = c->run->options;
    for (int64_t from = 0; from < c->bins; from++) {
        if (c->there[from * c->bins + from] == 0) continue;
        if (o->counts[0] != 0 && time_bin(o->steps[1], o->start, o->steps[0]) != from) continue;
        for (int64_t to = from; to < c->bins; to++) RF_TRY(emit_pair(c, group, from, to, err));
    }
    return RF_OK;
}

static enum rf_kind cohort_compute(struct plugin_run *run, struct rf_err *err)
{
    const struct time_options *o = run->options;
    struct cohort c = {.run = run};
    RF_TRY(time_read(run, run->rows, o->dimension_count, &c.e, err));
    c.bins = o->end < o->start ? 0 : time_bin(o->end, o->start, o->steps[0]) + 1;
    if (c.bins > COHORT_BINS_MAX)
        return RF_FAIL(err, RF_LIMIT, "TooManyBins", "new_activity_metrics: more than %d windows",
                       COHORT_BINS_MAX);
    c.first = rf_arena_new(run->arena, int64_t, (size_t)c.e.id_count + 1);
    c.group_of = rf_arena_new(run->arena, uint32_t, (size_t)c.e.id_count + 1);
    c.stamps = rf_arena_new(run->arena, uint32_t, (size_t)c.e.id_count + 1);
    c.there = rf_arena_new(run->arena, int64_t, (size_t)(c.bins * c.bins) + 1);
    if (c.first == NULL || c.group_of == NULL || c.stamps == NULL || c.there == NULL)
        return rf_fail_memory(err, run->arena);
    RF_TRY(mark_known(&c, err));
    for (uint64_t i = 0, to; i < c.e.count; i = to) {
        to = i;
        while (to < c.e.count && c.e.items[to].group == c.e.items[i].group) to++;
        count_group(&c, i, to);
        RF_TRY(emit_group(&c, c.e.items[i].group, err));
    }
    return RF_OK;
}

/* ---- binding --------------------------------------------------------------------------------- */

static bool reads_columns(const struct expr *e)
{
    if (e->kind == EXPR_COLUMN) return true;
    for (uint32_t i = 0; i < e->arg_count; i++)
        if (reads_columns(e->args[i])) return true;
    return false;
}

/* The sixth argument is the cohort when it is a constant, else a dimension. */
static enum rf_kind bind_cohort(struct binder *b, const struct plugin_call *call,
                                const struct node *input, struct time_options *o,
                                uint32_t *position)
{
    struct expr *e;
    if (*position >= call->ast->kid_count || ast_is_table(b, call->ast->kids[*position]))
        return RF_OK;
    RF_TRY(bind_scalar(b, call->ast->kids[*position], &input->schema, &e));
    if (reads_columns(e)) return RF_OK;
    struct value v = value_null(o->type);
    RF_TRY(bind_constant(b, call->ast->kids[(*position)++], o->type, &v));
    o->counts[0] = !v.null;
    o->steps[1] = v.null ? 0 : v.i;
    return RF_OK;
}

static enum rf_kind cohort_bind(struct binder *b, const struct plugin_call *call,
                                struct node *input, struct node **out)
{
    struct time_binding t = {0};
    struct node *lookup = NULL;
    struct expr *id;
    uint32_t position = 5, end = call->ast->kid_count;
    RF_TRY(time_bind(b, call, input, &t));
    RF_TRY(time_bind_step(b, call, &t, 4, "Window", &t.options->steps[0]));
    RF_TRY(bind_cohort(b, call, input, t.options, &position));
    rf_str timeline = plugin_arg_name(b, plugin_arg(call, 1, "TimelineColumn"), "Timeline");
    if (end > position && ast_is_table(b, call->ast->kids[end - 1])) {
        RF_TRY(bind_table(b, call->ast->kids[--end], &lookup));
        RF_TRY(plugin_scalar(b, call, 0, "IdColumn", lookup, &id));
        RF_TRY(plugin_columns(b, &id, 1, lookup, &lookup));
    }
    static const char *const heads[] = {"from", "to"};
    for (int i = 0; i < 2; i++) {
        rf_str name = rf_arena_printf(b->arena, "%s_%.*s", heads[i], RF_FMT(timeline));
        if (name.ptr == NULL || !schema_add(&t.schema, name, t.options->type, bind_new_id(b)))
            return BIND_NOMEM(b);
    }
    RF_TRY(time_bind_dimensions(b, call, input, position, end, &t));
    if (!time_add(b, &t, "dcount_new_values", TYPE_LONG) ||
        !time_add(b, &t, "dcount_retained_values", TYPE_LONG) ||
        !time_add(b, &t, "dcount_churn_values", TYPE_LONG) ||
        !time_add(b, &t, "retention_rate", TYPE_REAL) || !time_add(b, &t, "churn_rate", TYPE_REAL))
        return BIND_NOMEM(b);
    return time_finish(b, "new_activity_metrics", cohort_compute, &t, lookup, out);
}

const struct plugin plugins_cohort[] = {
    {.name = "new_activity_metrics",
     .doc = "For ids first seen in one window, how many are there in each later one.",
     .syntax = "T | evaluate new_activity_metrics(Id, Timeline, Start, End, Window [, Cohort] [, "
               "Dimension, ...] [, Lookback])",
     .bind = cohort_bind},
    {0},
};
