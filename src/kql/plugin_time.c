#include "kql/plugin_time.h"

#include <stdlib.h>

/* ---- binding --------------------------------------------------------------------------------- */

enum rf_kind time_bind(struct binder *b, const struct plugin_call *call, struct node *input,
                       struct time_binding *out)
{
    struct time_binding t = {.options = rf_arena_new(b->arena, struct time_options, 1),
                             .schema = {.b = b}};
    struct expr *time;
    struct value start = value_null(TYPE_LONG), end = start;
    if (t.options == NULL) return BIND_NOMEM(b);
    RF_TRY(plugin_scalar(b, call, 1, "TimelineColumn", input, &time));
    t.options->type =
        time->type == TYPE_DATETIME || time->type == TYPE_DYNAMIC ? TYPE_DATETIME : TYPE_LONG;
    RF_TRY(plugin_required(b, call, 2, "Start", t.options->type, &start));
    RF_TRY(plugin_required(b, call, 3, "End", t.options->type, &end));
    if (b->may_run && (start.null || end.null))
        return bind_fail(b, call->ast->pos, "BadArguments", "Start and End must not be null");
    if (!time_in_range(t.options->type, start.null ? 0 : start.i) ||
        !time_in_range(t.options->type, end.null ? 0 : end.i))
        return bind_fail(b, call->ast->pos, "BadArguments", "Start or End is too far away");
    t.options->start = start.null ? 0 : start.i;
    t.options->end = end.null ? 0 : end.i;
    *out = t;
    return RF_OK;
}

enum rf_kind time_bind_step(struct binder *b, const struct plugin_call *call,
                            const struct time_binding *t, uint32_t position, const char *name,
                            int64_t *out)
{
    enum type type = t->options->type == TYPE_DATETIME ? TYPE_TIMESPAN : TYPE_LONG;
    struct value v = value_null(type);
    RF_TRY(plugin_required(b, call, position, name, type, &v));
    if (!b->may_run && v.null)
        v.i = 1;
    else if (v.null || v.i <= 0 || v.i > TIME_NUMBER_MAX)
        return bind_fail(b, call->ast->pos, "BadArguments", "%s must be above zero", name);
    *out = v.i;
    return RF_OK;
}

enum rf_kind time_bind_dimensions(struct binder *b, const struct plugin_call *call,
                                  struct node *input, uint32_t position, uint32_t to,
                                  struct time_binding *t)
{
    struct expr *exprs[TIME_DIMENSIONS_MAX + 2];
    uint32_t n = 2;
    const struct ast *timeline = plugin_arg(call, 1, "TimelineColumn");
    RF_TRY(plugin_scalar(b, call, 0, "IdColumn", input, &exprs[0]));
    RF_TRY(plugin_scalar(b, call, 1, "TimelineColumn", input, &exprs[1]));
    RF_TRY(bind_cast(b, exprs[1], t->options->type, &exprs[1]));
    rf_str name = plugin_arg_name(b, timeline, "Timeline");
    if (t->schema.schema.count == 0 &&
        !schema_add(&t->schema, name, t->options->type, bind_new_id(b)))
        return BIND_NOMEM(b);
    for (uint32_t i = position; i < to; i++) {
        const struct ast *arg = call->ast->kids[i];
        if (n == RF_COUNT(exprs))
            return bind_fail(b, arg->pos, "BadArguments", "more than %d dimensions",
                             TIME_DIMENSIONS_MAX);
        RF_TRY(
            bind_scalar(b, arg->kind == AST_NAMED ? arg->kids[0] : arg, &input->schema, &exprs[n]));
        if (!schema_add(&t->schema, plugin_arg_name(b, arg, "Dimension"), (enum type)exprs[n]->type,
                        bind_new_id(b)))
            return BIND_NOMEM(b);
        n++;
    }
    t->options->dimension_count = n - 2;
    return plugin_columns(b, exprs, n, input, &t->events);
}

enum rf_kind time_finish(struct binder *b, const char *name, plugin_compute *compute,
                         struct time_binding *t, struct node *lookup, struct node **out)
{
    return plugin_node_new(b, name, compute, t->options, &t->schema.schema, t->events, lookup, out);
}

/* ---- reading --------------------------------------------------------------------------------- */

/* Numbers for tuples of values, by their first row. */
struct numbering {
    const struct rows *rows;
    uint32_t from, to; /* columns */
    uint64_t *first;
    uint64_t *slots; /* number + 1 */
    uint64_t mask;
    uint32_t count;
};

static bool numbering_init(struct numbering *n, struct rf_arena *arena)
{
    uint64_t slots = 16;
    while (slots < rows_count(n->rows) * 2) slots *= 2;
    n->first = rf_arena_new(arena, uint64_t, rows_count(n->rows));
    n->slots = rf_arena_new(arena, uint64_t, slots);
    n->mask = slots - 1;
    return n->first != NULL && n->slots != NULL && rows_count(n->rows) < UINT32_MAX;
}

static bool same_tuple(const struct numbering *n, uint64_t a, uint64_t b)
{
    for (uint32_t c = n->from; c < n->to; c++) {
        struct value x = rows_value(n->rows, a, c), y = rows_value(n->rows, b, c);
        if (!value_same(&x, &y)) return false;
    }
    return true;
}

static uint32_t number_of(struct numbering *n, uint64_t row)
{
    uint64_t hash = 0;
    for (uint32_t c = n->from; c < n->to; c++) {
        struct value v = rows_value(n->rows, row, c);
        hash = rf_hash_mix(hash, value_hash(&v));
    }
    uint64_t at = hash & n->mask;
    while (n->slots[at] != 0 && !same_tuple(n, n->first[n->slots[at] - 1], row))
        at = (at + 1) & n->mask;
    if (n->slots[at] == 0) {
        n->first[n->count] = row;
        n->slots[at] = ++n->count;
    }
    return (uint32_t)(n->slots[at] - 1);
}

static int event_cmp(const void *a, const void *b)
{
    const struct time_event *x = a, *y = b;
    if (x->group != y->group) return x->group < y->group ? -1 : 1;
    if (x->time != y->time) return x->time < y->time ? -1 : 1;
    return x->row < y->row ? -1 : x->row > y->row;
}

enum rf_kind time_read(struct plugin_run *run, const struct rows *rows, uint32_t dimension_count,
                       struct time_events *out, struct rf_err *err)
{
    struct numbering ids = {.rows = rows, .from = 0, .to = 1};
    struct numbering groups = {.rows = rows, .from = 2, .to = 2 + dimension_count};
    struct time_events e = {.items = rf_arena_new(run->arena, struct time_event, rows_count(rows))};
    if (e.items == NULL || !numbering_init(&ids, run->arena) ||
        !numbering_init(&groups, run->arena))
        return rf_fail_memory(err, run->arena);
    for (uint64_t r = 0; r < rows_count(rows); r++) {
        struct value id = rows_value(rows, r, 0), time = rows_value(rows, r, 1);
        if (id.null || time.null || !time_in_range((enum type)time.type, time.i)) continue;
        e.items[e.count++] = (struct time_event){
            .group = number_of(&groups, r), .id = number_of(&ids, r), .time = time.i, .row = r};
    }
    if (e.count > 1) qsort(e.items, e.count, sizeof *e.items, event_cmp);
    e.group_count = groups.count;
    e.group_rows = groups.first;
    e.id_rows = ids.first;
    e.id_count = ids.count;
    *out = e;
    return RF_OK;
}

uint32_t time_cells(const struct plugin_run *run, const struct time_events *events, uint32_t group,
                    int64_t time, struct value *cells)
{
    const struct time_options *o = run->options;
    cells[0] = value_i64(o->type, time);
    for (uint32_t d = 0; d < o->dimension_count; d++)
        cells[1 + d] = rows_value(run->rows, events->group_rows[group], 2 + d);
    return 1 + o->dimension_count;
}
