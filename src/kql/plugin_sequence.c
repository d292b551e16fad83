/* plugin_sequence.c - sequence_detect and funnel_sequence_completion: events that follow each other. */
#include <stdlib.h>

#include "kql/bind_int.h"
#include "kql/plugin_time.h"
#include "value/dyn.h"
#include "value/text.h"

enum { STEPS_MAX = 16, PERIODS_MAX = 16, CELLS_MAX = TIME_DIMENSIONS_MAX + STEPS_MAX + 2 };

/* ---- sequence_detect --------------------------------------------------------------------------- */

struct detect_options {
    struct time_options time; /* steps: greatest pause between steps, greatest span */
    uint32_t step_count;
};

static bool holds(const struct plugin_run *run, const struct detect_options *o,
                  const struct time_event *event, uint32_t step)
{
    struct value v = rows_value(run->rows, event->row, 2 + o->time.dimension_count + step);
    return !v.null && v.b != 0;
}

/* Follows the steps from items[at], each time to the next event that fits. */
static bool follow(const struct plugin_run *run, const struct time_events *e, uint64_t at,
                   int64_t *times)
{
    const struct detect_options *o = run->options;
    uint64_t from = at;
    times[0] = e->items[at].time;
    for (uint32_t step = 1; step < o->step_count; step++) {
        bool found = false;
        for (from++; from < e->count && e->items[from].group == e->items[at].group; from++) {
            int64_t time = e->items[from].time;
            if (time - times[step - 1] > o->time.steps[0] || time - times[0] > o->time.steps[1])
                break;
            if (!holds(run, o, &e->items[from], step)) continue;
            times[step] = time;
            found = true;
            break;
        }
        if (!found) return false;
    }
    return true;
}

static enum rf_kind detect_compute(struct plugin_run *run, struct rf_err *err)
{
    const struct detect_options *o = run->options;
    struct time_events e;
    struct value cells[CELLS_MAX];
    int64_t times[STEPS_MAX] = {0};
    uint32_t dimensions = o->time.dimension_count;
    bool is_time = o->time.type == TYPE_DATETIME;
    RF_ASSERT(o->step_count > 0);
    RF_TRY(time_read(run, run->rows, dimensions, &e, err));
    for (uint64_t i = 0; i < e.count; i++) {
        if (!holds(run, o, &e.items[i], 0) || !follow(run, &e, i, times)) continue;
        for (uint32_t d = 0; d < dimensions; d++)
            cells[d] = rows_value(run->rows, e.items[i].row, 2 + d);
        for (uint32_t s = 0; s < o->step_count; s++)
            cells[dimensions + s] = value_i64(o->time.type, times[s]);
        cells[dimensions + o->step_count] =
            value_i64(is_time ? TYPE_TIMESPAN : TYPE_LONG, times[o->step_count - 1] - times[0]);
        RF_TRY(plugin_emit(run, cells, err));
    }
    return RF_OK;
}

/* The arguments behind the windows: conditions are steps, all else dimensions. */
struct detect_arguments {
    struct expr *steps[STEPS_MAX], *dimensions[TIME_DIMENSIONS_MAX];
    rf_str step_names[STEPS_MAX], dimension_names[TIME_DIMENSIONS_MAX];
    uint32_t step_count, dimension_count;
};

static enum rf_kind sort_arguments(struct binder *b, const struct plugin_call *call,
                                   const struct node *input, struct detect_arguments *a)
{
    for (uint32_t i = 3; i < call->ast->kid_count; i++) {
        const struct ast *arg = call->ast->kids[i];
        struct expr *e;
        rf_str name = ast_default_name(b, arg);
        RF_TRY(bind_scalar(b, arg->kind == AST_NAMED ? arg->kids[0] : arg, &input->schema, &e));
        bool step = e->type == TYPE_BOOL && a->dimension_count == 0;
        if (a->step_count == STEPS_MAX || a->dimension_count == TIME_DIMENSIONS_MAX)
            return bind_fail(b, arg->pos, "BadArguments", "at most %d steps and %d dimensions",
                             STEPS_MAX - 1, TIME_DIMENSIONS_MAX - 1);
        if (step && name.len == 0) name = rf_arena_printf(b->arena, "Expr%u", a->step_count + 1);
        if (step) {
            a->step_names[a->step_count] = name;
            a->steps[a->step_count++] = e;
        } else {
            a->dimension_names[a->dimension_count] = name.len > 0 ? name : RF_S("Dimension");
            a->dimensions[a->dimension_count++] = e;
        }
    }
    if (a->step_count >= 2) return RF_OK;
    return bind_fail(b, call->ast->pos, "BadArguments",
                     "sequence_detect needs two conditions or more");
}

static enum rf_kind detect_schema(struct binder *b, const struct detect_arguments *a,
                                  const struct detect_options *o, rf_str timeline,
                                  struct schema *out)
{
    struct schema_builder sb = {.b = b};
    for (uint32_t i = 0; i < a->dimension_count; i++)
        if (!schema_add(&sb, a->dimension_names[i], (enum type)a->dimensions[i]->type,
                        bind_new_id(b)))
            return BIND_NOMEM(b);
    for (uint32_t i = 0; i < a->step_count; i++) {
        rf_str name =
            rf_arena_printf(b->arena, "%.*s_%.*s", RF_FMT(a->step_names[i]), RF_FMT(timeline));
        if (name.ptr == NULL || !schema_add(&sb, name, o->time.type, bind_new_id(b)))
            return BIND_NOMEM(b);
    }
    enum type span = o->time.type == TYPE_DATETIME ? TYPE_TIMESPAN : TYPE_LONG;
    if (!schema_add(&sb, RF_S("Duration"), span, bind_new_id(b))) return BIND_NOMEM(b);
    *out = sb.schema;
    return RF_OK;
}

static enum rf_kind detect_bind(struct binder *b, const struct plugin_call *call,
                                struct node *input, struct node **out)
{
    struct detect_options *o = rf_arena_new(b->arena, struct detect_options, 1);
    struct detect_arguments a = {0};
    struct expr *exprs[2 + TIME_DIMENSIONS_MAX + STEPS_MAX];
    struct schema schema;
    struct node *projected;
    uint32_t n = 2;
    struct value id = value_long(0); /* who does it is a matter of the dimensions */
    if (o == NULL) return BIND_NOMEM(b);
    RF_TRY(plugin_scalar(b, call, 0, "TimelineColumn", input, &exprs[1]));
    o->time.type = exprs[1]->type == TYPE_DATETIME ? TYPE_DATETIME : TYPE_LONG;
    RF_TRY(bind_cast(b, exprs[1], o->time.type, &exprs[1]));
    exprs[0] = expr_const(b, &id, 0);
    if (exprs[0] == NULL) return BIND_NOMEM(b);
    struct time_binding t = {.options = &o->time};
    RF_TRY(time_bind_step(b, call, &t, 1, "MaxSequenceStepWindow", &o->time.steps[0]));
    RF_TRY(time_bind_step(b, call, &t, 2, "MaxSequenceSpan", &o->time.steps[1]));
    RF_TRY(sort_arguments(b, call, input, &a));
    for (uint32_t i = 0; i < a.dimension_count; i++) exprs[n++] = a.dimensions[i];
    for (uint32_t i = 0; i < a.step_count; i++) exprs[n++] = a.steps[i];
    o->time.dimension_count = a.dimension_count;
    o->step_count = a.step_count;
    rf_str timeline = plugin_arg_name(b, plugin_arg(call, 0, "TimelineColumn"), "Timeline");
    RF_TRY(detect_schema(b, &a, o, timeline, &schema));
    RF_TRY(plugin_columns(b, exprs, n, input, &projected));
    return plugin_node_new(b, "sequence_detect", detect_compute, o, &schema, projected, NULL, out);
}

/* ---- funnel_sequence_completion ------------------------------------------------------------------ */

struct funnel_options {
    struct time_options time; /* steps[0]: the bin */
    struct value sequence[STEPS_MAX];
    uint32_t sequence_count;
    int64_t periods[PERIODS_MAX];
    uint32_t period_count;
};

/* An id that came to a step of the sequence within a period, from a beginning in a bin. */
struct arrival {
    int64_t bin;
    uint32_t step, period, id;
};

static int arrival_cmp(const void *a, const void *b)
{
    const struct arrival *x = a, *y = b;
    if (x->bin != y->bin) return x->bin < y->bin ? -1 : 1;
    if (x->step != y->step) return x->step < y->step ? -1 : 1;
    if (x->period != y->period) return x->period < y->period ? -1 : 1;
    return x->id < y->id ? -1 : x->id > y->id;
}

static int by_id(const void *a, const void *b)
{
    const struct time_event *x = a, *y = b;
    if (x->id != y->id) return x->id < y->id ? -1 : 1;
    if (x->time != y->time) return x->time < y->time ? -1 : 1;
    return x->row < y->row ? -1 : x->row > y->row;
}

struct funnel {
    struct plugin_run *run;
    const struct funnel_options *o;
    struct time_events e;
    struct arrival *items;
    uint64_t count, cap;
};

static bool arrive(struct funnel *f, struct arrival arrival)
{
    if (f->count == f->cap) {
        uint64_t cap = f->cap * 2 + 1024;
        f->items = rf_arena_grow(f->run->arena, f->items, f->cap * sizeof *f->items,
                                 cap * sizeof *f->items);
        if (f->items == NULL) return false;
        f->cap = cap;
    }
    f->items[f->count++] = arrival;
    return true;
}

static bool in_state(const struct funnel *f, const struct time_event *event, uint32_t step)
{
    struct value v = rows_value(f->run->rows, event->row, 2);
    return !v.null && value_same(&v, &f->o->sequence[step]);
}

/* Goes through the sequence from items[at] on. */
static bool walk_from(struct funnel *f, uint64_t at)
{
    const struct time_event *first = &f->e.items[at];
    int64_t bin = time_bin(first->time, f->o->time.start, f->o->time.steps[0]);
    uint64_t from = at;
    for (uint32_t step = 0; step < f->o->sequence_count; step++) {
        while (from < f->e.count && f->e.items[from].id == first->id &&
               (f->e.items[from].time > f->o->time.end || !in_state(f, &f->e.items[from], step)))
            from++;
        if (from == f->e.count || f->e.items[from].id != first->id) return true;
        for (uint32_t p = 0; p < f->o->period_count; p++)
            if (f->e.items[from].time - first->time <= f->o->periods[p] &&
                !arrive(f, (struct arrival){bin, step, p, first->id}))
                return false;
        from++;
    }
    return true;
}

static enum rf_kind funnel_compute(struct plugin_run *run, struct rf_err *err)
{
    struct funnel f = {.run = run, .o = run->options};
    const struct time_options *time = &f.o->time;
    enum type span = time->type == TYPE_DATETIME ? TYPE_TIMESPAN : TYPE_LONG;
    RF_TRY(time_read(run, run->rows, 0, &f.e, err));
    if (f.e.count > 1) qsort(f.e.items, f.e.count, sizeof *f.e.items, by_id);
    for (uint64_t i = 0; i < f.e.count; i++) {
        const struct time_event *event = &f.e.items[i];
        if (event->time < time->start || event->time > time->end || !in_state(&f, event, 0))
            continue;
        if (!walk_from(&f, i)) return rf_fail_memory(err, run->arena);
    }
    if (f.count > 1) qsort(f.items, f.count, sizeof *f.items, arrival_cmp);
    for (uint64_t i = 0, to; i < f.count; i = to) {
        const struct arrival *a = &f.items[i];
        int64_t distinct = 0;
        for (to = i; to < f.count && f.items[to].bin == a->bin && f.items[to].step == a->step &&
                     f.items[to].period == a->period;
             to++)
            distinct += to == i || f.items[to].id != f.items[to - 1].id;
        struct value cells[] = {value_i64(time->type, time->start + a->bin * time->steps[0]),
                                f.o->sequence[a->step], value_i64(span, f.o->periods[a->period]),
                                value_long(distinct)};
        RF_TRY(plugin_emit(run, cells, err));
    }
    return RF_OK;
}

static enum rf_kind read_array(struct binder *b, const struct plugin_call *call, uint32_t position,
                               const char *name, enum type type, uint32_t max, struct value *out,
                               uint32_t *count)
{
    struct value array = value_null(TYPE_DYNAMIC);
    RF_TRY(plugin_required(b, call, position, name, TYPE_DYNAMIC, &array));
    *count = array.null ? 0 : dyn_count(array.s);
    if (array.null || dyn_tag(array.s) != DYN_ARRAY || *count == 0 || *count > max)
        return bind_fail(b, call->ast->pos, "BadArguments",
                         "%s is a dynamic array of 1 to %u values", name, max);
    for (uint32_t i = 0; i < *count; i++) {
        struct value v = value_dyn(dyn_item(array.s, i));
        v.null = dyn_is_null(v.s);
        if (!value_convert(&v, type, b->arena, &out[i])) return BIND_NOMEM(b);
    }
    return RF_OK;
}

static enum rf_kind funnel_bind(struct binder *b, const struct plugin_call *call,
                                struct node *input, struct node **out)
{
    struct funnel_options *o = rf_arena_new(b->arena, struct funnel_options, 1);
    struct time_binding t = {0};
    struct value periods[PERIODS_MAX];
    struct expr *exprs[3];
    struct node *projected;
    if (o == NULL) return BIND_NOMEM(b);
    RF_TRY(time_bind(b, call, input, &t));
    RF_TRY(time_bind_step(b, call, &t, 4, "BinSize", &t.options->steps[0]));
    o->time = *t.options;
    enum type span = o->time.type == TYPE_DATETIME ? TYPE_TIMESPAN : TYPE_LONG;
    RF_TRY(plugin_scalar(b, call, 0, "IdColumn", input, &exprs[0]));
    RF_TRY(plugin_scalar(b, call, 1, "TimelineColumn", input, &exprs[1]));
    RF_TRY(plugin_scalar(b, call, 5, "StateColumn", input, &exprs[2]));
    RF_TRY(bind_cast(b, exprs[1], o->time.type, &exprs[1]));
    RF_TRY(read_array(b, call, 6, "Sequence", (enum type)exprs[2]->type, STEPS_MAX, o->sequence,
                      &o->sequence_count));
    RF_TRY(read_array(b, call, 7, "MaxSequenceStepPeriods", span, PERIODS_MAX, periods,
                      &o->period_count));
    for (uint32_t i = 0; i < o->period_count; i++)
        o->periods[i] = periods[i].null ? 0 : periods[i].i;
    struct schema_builder sb = {.b = b};
    rf_str timeline = plugin_arg_name(b, plugin_arg(call, 1, "TimelineColumn"), "Timeline");
    rf_str state = plugin_arg_name(b, plugin_arg(call, 5, "StateColumn"), "State");
    if (!schema_add(&sb, timeline, o->time.type, bind_new_id(b)) ||
        !schema_add(&sb, state, (enum type)exprs[2]->type, bind_new_id(b)) ||
        !schema_add(&sb, RF_S("Period"), span, bind_new_id(b)) ||
        !schema_add(&sb, RF_S("dcount"), TYPE_LONG, bind_new_id(b)))
        return BIND_NOMEM(b);
    RF_TRY(plugin_columns(b, exprs, 3, input, &projected));
    return plugin_node_new(b, "funnel_sequence_completion", funnel_compute, o, &sb.schema,
                           projected, NULL, out);
}

const struct plugin plugins_sequence[] = {
    {.name = "sequence_detect",
     .doc = "Rows for conditions that are met one after the other within limits of time.",
     .syntax = "T | evaluate sequence_detect(Timeline, MaxSequenceStepWindow, MaxSequenceSpan, "
               "[Name =] Condition, Condition, ... [, Dimension, ...])",
     .bind = detect_bind},
    {.name = "funnel_sequence_completion",
     .doc = "How many ids come to each state of a sequence within given times.",
     .syntax = "T | evaluate funnel_sequence_completion(Id, Timeline, Start, End, BinSize, State, "
               "Sequence, MaxSequenceStepPeriods)",
     .bind = funnel_bind},
    {0},
};
