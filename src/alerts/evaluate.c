#include "alerts/evaluate.h"

#include <stdlib.h>

#include "value/decimal.h"
#include "value/text.h"

#define BAD_COLUMN(err, ...) RF_FAIL(err, RF_INVALID, "BadRequest", __VA_ARGS__)

struct sum {
    uint64_t rows;  /* all */
    uint64_t count; /* with a number */
    double total, least, most;
    uint64_t breaches, on_end, longest;
};
struct group {
    struct combination what;
    struct sum periods[LOG_PERIODS_MAX];
};
struct evaluation {
    const struct log_rule *rule;
    struct rf_arena *arena;
    struct group *groups; /* COMBINATIONS_MAX have room */
    uint32_t *slots;      /* open addressing: index + 1; 0: free */
    uint32_t count;
    uint64_t left_out;
};
enum { SLOTS = 16384 };
_Static_assert((SLOTS & (SLOTS - 1)) == 0 && SLOTS > 2 * COMBINATIONS_MAX, "");

struct columns {
    int measure, resource, time;
    int dimensions[LOG_DIMENSIONS_MAX];
};

/* ---- columns -------------------------------------------------------------------------------------------------------- */

static enum rf_kind find_column(const struct schema *schema, rf_str name, const char *member,
                                int *out, struct rf_err *err)
{
    *out = schema_find(schema, name);
    if (*out >= 0) return RF_OK;
    return BAD_COLUMN(err, "The query's result has no column '%.*s', which '%s' names.",
                      (int)RF_MIN(name.len, 200), (const char *)name.ptr, member);
}

static int time_column(const struct schema *schema)
{
    int at = schema_find(schema, RF_S("TimeGenerated"));
    return at >= 0 && schema->columns[at].type == TYPE_DATETIME ? at : -1;
}

bool evaluation_has_time(const struct schema *schema) { return time_column(schema) >= 0; }

static enum rf_kind find_columns(const struct log_rule *rule, const struct schema *schema,
                                 struct columns *out, struct rf_err *err)
{
    bool measures = rule->aggregation != LOG_COUNT || rule->counts_breaches;
    *out = (struct columns){.measure = -1, .resource = -1, .time = time_column(schema)};
    if (measures) {
        RF_TRY(find_column(schema, rule->measure, "metricMeasureColumn", &out->measure, err));
        if (!type_is_number((enum type)schema->columns[out->measure].type))
            return BAD_COLUMN(err,
                              "The column '%.*s', which 'metricMeasureColumn' names, holds no "
                              "numbers.",
                              (int)RF_MIN(rule->measure.len, 200), (const char *)rule->measure.ptr);
    }
    if (rule->resource_column.len > 0)
        RF_TRY(find_column(schema, rule->resource_column, "resourceIdColumn", &out->resource, err));
    for (uint32_t i = 0; i < rule->dimension_count; i++)
        RF_TRY(find_column(schema, rule->dimensions[i].name, "dimensions.name", &out->dimensions[i],
                           err));
    return RF_OK;
}

enum rf_kind evaluation_check(const struct log_rule *rule, const struct schema *schema,
                              struct rf_err *err)
{
    struct columns columns;
    return find_columns(rule, schema, &columns, err);
}

/* ---- rows ------------------------------------------------------------------------------------------------------------- */

enum rf_kind evaluation_new(const struct log_rule *rule, struct rf_arena *arena,
                            struct evaluation **out, struct rf_err *err)
{
    struct evaluation *evaluation = rf_arena_new(arena, struct evaluation, 1);
    if (evaluation == NULL) return rf_fail_memory(err, arena);
    evaluation->rule = rule;
    evaluation->arena = arena;
    evaluation->groups = rf_arena_new(arena, struct group, COMBINATIONS_MAX);
    evaluation->slots = rf_arena_new(arena, uint32_t, SLOTS);
    if (evaluation->groups == NULL || evaluation->slots == NULL) return rf_fail_memory(err, arena);
    *out = evaluation;
    return RF_OK;
}

static bool number_of(const struct value *v, double *out)
{
    if (v->null) return false;
    if (v->type == TYPE_REAL) return *out = v->r, v->r == v->r;
    if (type_is_i64((enum type)v->type)) return *out = (double)v->i, true;
    if (v->type != TYPE_DECIMAL) return false;
    *out = decimal_to_real(&v->d);
    return true;
}

/* False: the dimension leaves the row out. */
static bool is_wanted(const struct log_dimension *dimension, rf_str value)
{
    if (dimension->all) return true;
    for (uint32_t i = 0; i < dimension->value_count; i++)
        if (rf_str_eq_nocase(dimension->values[i], value)) return !dimension->exclude;
    return dimension->exclude;
}

static rf_str text_of(const struct rows *rows, uint64_t row, int column, struct rf_arena *arena)
{
    struct rf_buf text = rf_buf_in(arena);
    struct value v = rows_value(rows, row, (uint32_t)column);
    rf_buf_reserve(&text, 1); /* an empty text is none that failed */
    text_put_value(&text, &v);
    return text.failed ? (rf_str){NULL, 0} : rf_buf_view(&text);
}

static void put_part(struct rf_buf *key, rf_str part)
{
    rf_buf_printf(key, "%zu:", part.len);
    rf_buf_str(key, part);
}

/* *wanted false: the row does not count. */
static enum rf_kind combination_of(struct evaluation *evaluation, const struct columns *columns,
                                   const struct rows *rows, uint64_t row, struct combination *out,
                                   bool *wanted, struct rf_err *err)
{
    const struct log_rule *rule = evaluation->rule;
    struct rf_buf key = rf_buf_in(evaluation->arena);
    *out = (struct combination){0};
    *wanted = true;
    if (columns->resource >= 0) {
        out->resource = text_of(rows, row, columns->resource, evaluation->arena);
        if (out->resource.ptr == NULL) return rf_fail_memory(err, evaluation->arena);
        put_part(&key, out->resource);
    }
    for (uint32_t i = 0; i < rule->dimension_count; i++) {
        out->values[i] = text_of(rows, row, columns->dimensions[i], evaluation->arena);
        if (out->values[i].ptr == NULL) return rf_fail_memory(err, evaluation->arena);
        *wanted &= is_wanted(&rule->dimensions[i], out->values[i]);
        put_part(&key, out->values[i]);
    }
    out->key = rf_buf_view(&key);
    return key.failed ? rf_fail_memory(err, evaluation->arena) : RF_OK;
}

/* The group of this combination; NULL: there are too many. */
static struct group *group_of(struct evaluation *evaluation, const struct combination *what)
{
    uint32_t at = (uint32_t)rf_hash(what->key.ptr, what->key.len, 0) & (SLOTS - 1);
    for (; evaluation->slots[at] != 0; at = (at + 1) & (SLOTS - 1)) {
        struct group *group = &evaluation->groups[evaluation->slots[at] - 1];
        if (rf_str_eq(group->what.key, what->key)) return group;
    }
    if (evaluation->count == COMBINATIONS_MAX) return NULL;
    struct group *group = &evaluation->groups[evaluation->count++];
    group->what = *what;
    evaluation->slots[at] = evaluation->count;
    return group;
}

static void add_number(const struct log_rule *rule, struct sum *sum, double number)
{
    sum->least = sum->count == 0 ? number : RF_MIN(sum->least, number);
    sum->most = sum->count == 0 ? number : RF_MAX(sum->most, number);
    sum->total += number;
    sum->count++;
    bool breaks = log_compare(rule->compare, number, rule->threshold);
    sum->breaches += breaks;
    sum->on_end = breaks ? sum->on_end + 1 : 0;
    sum->longest = RF_MAX(sum->longest, sum->on_end);
}

/* The period that the row lies in; false: in none. */
static bool period_of(const struct evaluation *evaluation, const struct columns *columns,
                      const struct rows *rows, uint64_t row, int64_t to_ticks, uint32_t *out)
{
    const struct log_rule *rule = evaluation->rule;
    int64_t window = rule->window * TICKS_PER_MICROSECOND;
    *out = 0;
    if (rule->periods == 1 || columns->time < 0) return true;
    struct value time = rows_value(rows, row, (uint32_t)columns->time);
    if (time.null || time.i >= to_ticks) return false;
    int64_t period = (to_ticks - time.i - 1) / window;
    *out = (uint32_t)RF_MIN(period, (int64_t)LOG_PERIODS_MAX);
    return period < rule->periods;
}

static enum rf_kind add_row(struct evaluation *evaluation, const struct columns *columns,
                            const struct rows *rows, uint64_t row, uint32_t period,
                            struct rf_err *err)
{
    struct combination what;
    bool wanted;
    double number;
    RF_TRY(combination_of(evaluation, columns, rows, row, &what, &wanted, err));
    if (!wanted) return RF_OK;
    struct group *group = group_of(evaluation, &what);
    if (group == NULL) {
        evaluation->left_out++;
        return RF_OK;
    }
    struct sum *sum = &group->periods[period];
    sum->rows++;
    if (columns->measure < 0) return RF_OK;
    struct value v = rows_value(rows, row, (uint32_t)columns->measure);
    if (number_of(&v, &number)) add_number(evaluation->rule, sum, number);
    return RF_OK;
}

struct timed {
    int64_t ticks;
    uint64_t row;
};

static int by_time(const void *left, const void *right)
{
    const struct timed *a = left, *b = right;
    if (a->ticks != b->ticks) return a->ticks < b->ticks ? -1 : 1;
    return a->row < b->row ? -1 : a->row > b->row;
}

/* What is broken several times on end must be looked at in the order of time. */
static enum rf_kind add_in_order(struct evaluation *evaluation, const struct columns *columns,
                                 const struct rows *rows, struct rf_err *err)
{
    uint64_t count = rows_count(rows);
    struct timed *order = rf_arena_new(evaluation->arena, struct timed, count);
    if (order == NULL) return rf_fail_memory(err, evaluation->arena);
    for (uint64_t row = 0; row < count; row++) {
        order[row].row = row;
        if (columns->time < 0) continue;
        struct value time = rows_value(rows, row, (uint32_t)columns->time);
        order[row].ticks = time.null ? 0 : time.i;
    }
    qsort(order, count, sizeof *order, by_time);
    for (uint64_t i = 0; i < count; i++)
        RF_TRY(add_row(evaluation, columns, rows, order[i].row, 0, err));
    return RF_OK;
}

enum rf_kind evaluation_add(struct evaluation *evaluation, const struct schema *schema,
                            const struct rows *rows, int64_t to_ticks, int period,
                            struct rf_err *err)
{
    struct columns columns;
    RF_TRY(find_columns(evaluation->rule, schema, &columns, err));
    if (evaluation->rule->counts_breaches) return add_in_order(evaluation, &columns, rows, err);
    for (uint64_t row = 0; row < rows_count(rows); row++) {
        uint32_t at = (uint32_t)period;
        if (period < 0 && !period_of(evaluation, &columns, rows, row, to_ticks, &at)) continue;
        RF_TRY(add_row(evaluation, &columns, rows, row, at, err));
    }
    return RF_OK;
}

/* ---- values ------------------------------------------------------------------------------------------------------------ */

/* False: the period has no value, and no condition is met by it. */
static bool value_of(const struct log_rule *rule, const struct sum *sum, double *out)
{
    if (rule->counts_breaches) {
        *out = (double)(rule->breaches_on_end ? sum->longest : sum->breaches);
        return true;
    }
    if (rule->aggregation == LOG_COUNT) return *out = (double)sum->rows, true;
    if (sum->count == 0) return false;
    switch (rule->aggregation) {
    case LOG_AVERAGE:
        return *out = sum->total / (double)sum->count, true;
    case LOG_MINIMUM:
        return *out = sum->least, true;
    case LOG_MAXIMUM:
        return *out = sum->most, true;
    default:
        return *out = sum->total, true;
    }
}

static void judge(const struct log_rule *rule, struct group *group)
{
    struct combination *what = &group->what;
    uint32_t failing = 0;
    double shown = 0;
    for (uint32_t p = 0; p < rule->periods; p++) {
        double value;
        if (!value_of(rule, &group->periods[p], &value)) continue;
        bool fails = rule->counts_breaches
                         ? log_compare(rule->breach_operator, value, rule->breach_threshold)
                         : log_compare(rule->compare, value, rule->threshold);
        if (!what->has_value || (fails && failing == 0)) shown = value;
        what->has_value = true;
        failing += fails;
    }
    what->failing = failing >= rule->failing_min;
    what->value = shown;
}

enum rf_kind evaluation_end(struct evaluation *evaluation, struct combination **out,
                            uint32_t *count, uint64_t *left_out, struct rf_err *err)
{
    const struct log_rule *rule = evaluation->rule;
    /* Without dimensions no rows are something too: none. */
    if (evaluation->count == 0 && rule->dimension_count == 0 && rule->resource_column.len == 0)
        (void)group_of(evaluation, &(struct combination){0});
    struct combination *list =
        rf_arena_new(evaluation->arena, struct combination, evaluation->count);
    if (list == NULL) return rf_fail_memory(err, evaluation->arena);
    for (uint32_t i = 0; i < evaluation->count; i++) {
        judge(rule, &evaluation->groups[i]);
        list[i] = evaluation->groups[i].what;
    }
    *out = list;
    *count = evaluation->count;
    *left_out = evaluation->left_out;
    return RF_OK;
}
