/* plugin_funnel.c - funnel_sequence: what comes before and behind a sequence of states, in three tables. The states stand
 * next to one another among an id's events, each within the greatest pause of the one before. */
#define _GNU_SOURCE 1 /* qsort_r */
#include <stdlib.h>

#include "kql/bind_int.h"
#include "kql/plugin_time.h"
#include "value/dyn.h"
#include "value/text.h"

enum { STEPS_MAX = 16, SAMPLES_MAX = 128 };

struct funnel_options {
    struct time_options time; /* steps: the greatest pause, the bin */
    struct value sequence[STEPS_MAX];
    uint32_t sequence_count;
    bool prev, next; /* which neighbours this table tells */
};

/* A sequence that was found: rows of its neighbours, UINT64_MAX where there is none. */
struct found {
    int64_t bin;
    uint64_t prev, next;
    uint32_t id;
};
struct search {
    struct plugin_run *run;
    const struct funnel_options *o;
    struct time_events e;
    struct found *items;
    uint64_t count;
};

static int by_id(const void *a, const void *b)
{
    const struct time_event *x = a, *y = b;
    if (x->id != y->id) return x->id < y->id ? -1 : 1;
    if (x->time != y->time) return x->time < y->time ? -1 : 1;
    return x->row < y->row ? -1 : x->row > y->row;
}

/* Whether the events at i and i + 1 are of one id and close to each other. */
static bool follows(const struct search *s, uint64_t i)
{
    const struct time_event *a = &s->e.items[i], *b = a + 1;
    return i + 1 < s->e.count && a->id == b->id && b->time - a->time <= s->o->time.steps[0];
}

static bool stands_at(const struct search *s, uint64_t at)
{
    for (uint32_t k = 0; k < s->o->sequence_count; k++) {
        if (k > 0 && !follows(s, at + k - 1)) return false;
        struct value v = rows_value(s->run->rows, s->e.items[at + k].row, 2);
        if (v.null || !value_same(&v, &s->o->sequence[k])) return false;
    }
    return true;
}

static struct value state_of(const struct search *s, uint64_t row)
{
    return row == UINT64_MAX ? value_str(RF_S("")) : rows_value(s->run->rows, row, 2);
}

static int compare(const struct search *s, const struct found *x, const struct found *y)
{
    if (x->bin != y->bin) return x->bin < y->bin ? -1 : 1;
    struct value a = state_of(s, x->prev), b = state_of(s, y->prev);
    int order = s->o->prev ? value_cmp(&a, &b) : 0;
    a = state_of(s, x->next);
    b = state_of(s, y->next);
    return order == 0 && s->o->next ? value_cmp(&a, &b) : order;
}
static int found_cmp(const void *a, const void *b, void *search)
{
    const struct found *x = a, *y = b;
    int order = compare(search, x, y);
    return order != 0 ? order : x->id < y->id ? -1 : x->id > y->id;
}

/* A row for the found ones from..to-1, which have the same bin and neighbours and are in the order of ids. */
static enum rf_kind emit(struct search *s, uint64_t from, uint64_t to, struct rf_err *err)
{
    const struct time_options *time = &s->o->time;
    struct rf_buf buf = rf_buf_in(s->run->arena);
    struct dyn_builder samples;
    int64_t distinct = 0;
    dyn_begin(&samples, &buf, DYN_ARRAY);
    for (uint64_t i = from; i < to; i++) {
        if (i > from && s->items[i].id == s->items[i - 1].id) continue;
        if (distinct++ >= SAMPLES_MAX) continue;
        struct value id = rows_value(s->run->rows, s->e.id_rows[s->items[i].id], 0);
        dyn_next(&samples);
        dyn_put_value(&buf, &id);
    }
    dyn_end(&samples);
    if (buf.failed) return rf_fail_memory(err, s->run->arena);
    struct value cells[5];
    uint32_t n = 0;
    cells[n++] = value_i64(time->type, time->start + s->items[from].bin * time->steps[1]);
    if (s->o->prev) cells[n++] = state_of(s, s->items[from].prev);
    if (s->o->next) cells[n++] = state_of(s, s->items[from].next);
    cells[n++] = value_long(distinct);
    cells[n] = value_dyn(dyn_done(&buf));
    return plugin_emit(s->run, cells, err);
}

static enum rf_kind funnel_compute(struct plugin_run *run, struct rf_err *err)
{
    struct search s = {.run = run, .o = run->options};
    const struct time_options *time = &s.o->time;
    RF_TRY(time_read(run, run->rows, 0, &s.e, err));
    if (s.e.count > 1) qsort(s.e.items, s.e.count, sizeof *s.e.items, by_id);
    s.items = rf_arena_raw(run->arena, struct found, s.e.count + 1);
    if (s.items == NULL) return rf_fail_memory(err, run->arena);
    for (uint64_t i = 0; i < s.e.count; i++) {
        const struct time_event *first = &s.e.items[i];
        if (first->time < time->start || first->time > time->end || !stands_at(&s, i)) continue;
        uint64_t last = i + s.o->sequence_count - 1;
        s.items[s.count++] =
            (struct found){.bin = time_bin(first->time, time->start, time->steps[1]),
                           .prev = i > 0 && follows(&s, i - 1) ? s.e.items[i - 1].row : UINT64_MAX,
                           .next = follows(&s, last) ? s.e.items[last + 1].row : UINT64_MAX,
                           .id = first->id};
    }
    if (s.count > 1) qsort_r(s.items, s.count, sizeof *s.items, found_cmp, &s);
    for (uint64_t i = 0, to; i < s.count; i = to) {
        for (to = i + 1; to < s.count && compare(&s, &s.items[i], &s.items[to]) == 0; to++)
            continue;
        RF_TRY(emit(&s, i, to, err));
    }
    return RF_OK;
}

static enum rf_kind read_sequence(struct binder *b, const struct plugin_call *call,
                                  struct funnel_options *o)
{
    struct value array = value_null(TYPE_DYNAMIC);
    RF_TRY(plugin_required(b, call, 7, "Sequence", TYPE_DYNAMIC, &array));
    o->sequence_count = array.null ? 0 : dyn_count(array.s);
    if (array.null || dyn_tag(array.s) != DYN_ARRAY || o->sequence_count == 0 ||
        o->sequence_count > STEPS_MAX)
        return bind_fail(b, call->ast->pos, "BadArguments",
                         "Sequence is a dynamic array of 1 to %d values", STEPS_MAX);
    for (uint32_t i = 0; i < o->sequence_count; i++) {
        struct value v = value_dyn(dyn_item(array.s, i));
        v.null = dyn_is_null(v.s);
        if (!value_convert(&v, TYPE_STRING, b->arena, &o->sequence[i])) return BIND_NOMEM(b);
    }
    return RF_OK;
}

/* One of the three tables. */
static enum rf_kind funnel_table(struct binder *b, const struct plugin_call *call,
                                 const struct funnel_options *options, bool prev, bool next,
                                 struct expr **exprs, struct node *input, struct node **out)
{
    struct funnel_options *o = rf_arena_new(b->arena, struct funnel_options, 1);
    struct schema_builder sb = {.b = b};
    struct node *projected;
    rf_str timeline = plugin_arg_name(b, plugin_arg(call, 1, "TimelineColumn"), "Timeline");
    if (o == NULL) return BIND_NOMEM(b);
    *o = *options;
    o->prev = prev;
    o->next = next;
    if (!schema_add(&sb, timeline, o->time.type, bind_new_id(b)) ||
        (prev && !schema_add(&sb, RF_S("prev"), TYPE_STRING, bind_new_id(b))) ||
        (next && !schema_add(&sb, RF_S("next"), TYPE_STRING, bind_new_id(b))) ||
        !schema_add(&sb, RF_S("dcount"), TYPE_LONG, bind_new_id(b)) ||
        !schema_add(&sb, RF_S("samples"), TYPE_DYNAMIC, bind_new_id(b)))
        return BIND_NOMEM(b);
    RF_TRY(plugin_columns(b, exprs, 3, input, &projected));
    return plugin_node_new(b, "funnel_sequence", funnel_compute, o, &sb.schema, projected, NULL,
                           out);
}

static enum rf_kind funnel_bind(struct binder *b, const struct plugin_call *call,
                                struct node *input, struct node **out)
{
    struct funnel_options o = {0};
    struct time_binding t = {0};
    struct expr *exprs[3];
    struct node *inputs[3], *before, *behind;
    struct shared *shared = shared_new(b, input);
    if (shared == NULL) return BIND_NOMEM(b);
    for (int i = 0; i < 3; i++) RF_TRY(bind_shared_use(b, shared, &inputs[i]));
    RF_TRY(time_bind(b, call, inputs[0], &t));
    RF_TRY(time_bind_step(b, call, &t, 4, "MaxSequenceStepWindow", &t.options->steps[0]));
    RF_TRY(time_bind_step(b, call, &t, 5, "Step", &t.options->steps[1]));
    o.time = *t.options;
    RF_TRY(read_sequence(b, call, &o));
    for (int i = 0; i < 3; i++) {
        struct node **table = i == 0 ? out : i == 1 ? &before : &behind;
        RF_TRY(plugin_scalar(b, call, 0, "IdColumn", inputs[i], &exprs[0]));
        RF_TRY(plugin_scalar(b, call, 1, "TimelineColumn", inputs[i], &exprs[1]));
        RF_TRY(plugin_scalar(b, call, 6, "StateColumn", inputs[i], &exprs[2]));
        RF_TRY(bind_cast(b, exprs[1], o.time.type, &exprs[1]));
        RF_TRY(bind_cast(b, exprs[2], TYPE_STRING, &exprs[2]));
        RF_TRY(funnel_table(b, call, &o, i != 2, i != 1, exprs, inputs[i], table));
    }
    RF_TRY(bind_extra_result(b, RF_S(""), before));
    return bind_extra_result(b, RF_S(""), behind);
}

const struct plugin plugins_funnel[] = {
    {.name = "funnel_sequence",
     .doc =
         "What ids did before and behind a sequence of states: both, before, behind, a table each.",
     .syntax =
         "T | evaluate funnel_sequence(Id, Timeline, Start, End, MaxSequenceStepWindow, Step, "
         "State, Sequence)",
     .bind = funnel_bind},
    {0},
};
