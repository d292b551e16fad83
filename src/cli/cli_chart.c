#include "cli/cli_chart.h"

#include <math.h>

#include "cli/cli_text.h"
#include "value/decimal.h"
#include "value/dyn.h"
#include "value/text.h"

/* ---- rows to points ---------------------------------------------------------------------------------------- */

struct roles {
    int x;
    uint32_t y[CHART_SERIES_MAX];
    uint32_t y_count;
    int series;  /* column whose values name the series, or -1 */
    bool arrays; /* x and y are arrays, as make-series gives them */
};

static double number_of(const struct value *v)
{
    if (v->null) return NAN;
    switch ((enum type)v->type) {
    case TYPE_BOOL:
        return v->b;
    case TYPE_REAL:
        return v->r;
    case TYPE_DECIMAL:
        return decimal_to_real(&v->d);
    case TYPE_TIMESPAN:
        return (double)v->i / (double)TICKS_PER_SECOND;
    case TYPE_INT:
    case TYPE_LONG:
    case TYPE_DATETIME:
        return (double)v->i;
    case TYPE_DYNAMIC:
        return dyn_tag(v->s) == DYN_DATETIME ? (double)dyn_i64(v->s) : dyn_real(v->s);
    default:
        return NAN;
    }
}

/* Times inside arrays may be texts when the array came from JSON. */
static double item_number(rf_str item)
{
    int64_t ticks;
    if (dyn_tag(item) == DYN_STRING && text_to_datetime(dyn_string(item), &ticks))
        return (double)ticks;
    struct value v = value_dyn(item);
    return number_of(&v);
}

static bool is_array(const struct rows *rows, uint32_t column)
{
    if (rows_count(rows) == 0) return false;
    struct value v = rows_value(rows, 0, column);
    return v.type == TYPE_DYNAMIC && !v.null && dyn_tag(v.s) == DYN_ARRAY;
}

static bool array_of_times(const struct rows *rows, uint32_t column)
{
    struct value v = rows_value(rows, 0, column);
    rf_str first = dyn_item(v.s, 0);
    int64_t ticks;
    return dyn_tag(first) == DYN_DATETIME ||
           (dyn_tag(first) == DYN_STRING && text_to_datetime(dyn_string(first), &ticks));
}

/* The text of a parameter of render, which may be a name or a literal. */
static rf_str render_text(const struct render *render, const char *name)
{
    for (uint32_t i = 0; render != NULL && i < render->param_count; i++) {
        const struct ast_param *param = &render->params[i];
        if (!rf_str_is(param->name, name) || param->value == NULL) continue;
        return param->value->kind == AST_LITERAL ? param->value->value.s : param->value->text;
    }
    return (rf_str){NULL, 0};
}

static struct roles find_roles(const struct cli_sink *sink, enum chart_kind kind)
{
    const struct schema *schema = sink->schema;
    struct roles roles = {.x = -1, .series = -1};
    rf_str x_name = render_text(sink->render, "xcolumn");
    rf_str y_name = render_text(sink->render, "ycolumns"),
           series_name = render_text(sink->render, "series");
    bool axis = kind == CHART_LINES || kind == CHART_DOTS;
    for (uint32_t i = 0; i < schema->count; i++) {
        const struct column *column = &schema->columns[i];
        if (x_name.len > 0 ? rf_str_eq(column->name, x_name)
                           : axis && column->type == TYPE_DATETIME && roles.x < 0)
            roles.x = (int)i;
        if (axis && x_name.len == 0 && roles.x < 0 && is_array(sink->kept, i) &&
            array_of_times(sink->kept, i)) {
            roles.x = (int)i;
            roles.arrays = true;
        }
    }
    if (roles.x < 0 && schema->count > 1) roles.x = 0;
    for (uint32_t i = 0; i < schema->count; i++) {
        const struct column *column = &schema->columns[i];
        if ((int)i == roles.x) continue;
        bool y = roles.arrays
                     ? is_array(sink->kept, i)
                     : type_is_number((enum type)column->type) || column->type == TYPE_TIMESPAN;
        if (y_name.len > 0) y = rf_str_eq(column->name, y_name);
        if (y && roles.y_count < CHART_SERIES_MAX)
            roles.y[roles.y_count++] = i;
        else if (!y &&
                 (series_name.len > 0 ? rf_str_eq(column->name, series_name) : roles.series < 0))
            roles.series = (int)i;
    }
    return roles;
}

static bool series_number(struct chart *chart, rf_str name, uint32_t *number)
{
    for (*number = 0; *number < chart->series_count; ++*number)
        if (rf_str_eq(chart->series[*number], name)) return true;
    if (chart->series_count == CHART_SERIES_MAX) {
        chart->series_left_out++;
        return false;
    }
    chart->series[chart->series_count++] = name;
    return true;
}

static bool add_point(struct chart *chart, struct rf_arena *arena, struct chart_point point)
{
    if (isnan(point.y) || isinf(point.y) || isnan(point.x) || chart->count >= CHART_POINTS_MAX)
        return true;
    if (chart->count == chart->cap) {
        uint32_t cap = RF_MAX(chart->cap * 2, 256u);
        struct chart_point *points = rf_arena_raw(arena, struct chart_point, cap);
        if (points == NULL) return false;
        if (chart->count > 0) memcpy(points, chart->points, chart->count * sizeof *points);
        chart->points = points;
        chart->cap = cap;
    }
    chart->points[chart->count++] = point;
    return true;
}

static bool value_text(const struct value *v, struct rf_arena *arena, rf_str *out)
{
    struct rf_buf buf = rf_buf_in(arena);
    cli_put_cell(&buf, v);
    *out = rf_buf_view(&buf);
    return !buf.failed;
}

static bool add_arrays(struct chart *chart, const struct value *x, const struct value *y,
                       uint32_t series, struct rf_arena *arena)
{
    uint32_t count = RF_MIN(dyn_count(x->s), dyn_count(y->s));
    for (uint32_t i = 0; i < count; i++) {
        struct chart_point point = {.x = item_number(dyn_item(x->s, i)),
                                    .y = item_number(dyn_item(y->s, i)),
                                    .series = series};
        if (!add_point(chart, arena, point)) return false;
    }
    return true;
}

static bool add_row(struct chart *chart, const struct cli_sink *sink, const struct roles *roles,
                    uint64_t row, struct rf_arena *arena)
{
    struct value x =
        roles->x < 0 ? value_long((int64_t)row) : rows_value(sink->kept, row, (uint32_t)roles->x);
    rf_str prefix = {NULL, 0}, label = {NULL, 0};
    if (roles->series >= 0) {
        struct value v = rows_value(sink->kept, row, (uint32_t)roles->series);
        if (!value_text(&v, arena, &prefix)) return false;
        if (prefix.len == 0) prefix = RF_S("(empty)");
    }
    if (!roles->arrays && !value_text(&x, arena, &label)) return false;
    for (uint32_t i = 0; i < roles->y_count; i++) {
        rf_str name = sink->schema->columns[roles->y[i]].name;
        if (prefix.len > 0)
            name = roles->y_count == 1
                       ? prefix
                       : rf_arena_printf(arena, "%.*s: %.*s", RF_FMT(prefix), RF_FMT(name));
        uint32_t series;
        if (!series_number(chart, name, &series)) continue;
        struct value y = rows_value(sink->kept, row, roles->y[i]);
        bool category = chart->kind >= CHART_COLUMNS;
        struct chart_point point = {.x = category ? (double)row : number_of(&x),
                                    .y = number_of(&y),
                                    .series = series,
                                    .label = label};
        if (roles->arrays ? !add_arrays(chart, &x, &y, series, arena)
                          : !add_point(chart, arena, point))
            return false;
    }
    return true;
}

static enum chart_kind kind_of(const struct cli_sink *sink)
{
    static const struct {
        const char *name;
        enum chart_kind kind;
    } kinds[] = {{"timechart", CHART_LINES},    {"linechart", CHART_LINES},
                 {"areachart", CHART_LINES},    {"stackedareachart", CHART_LINES},
                 {"anomalychart", CHART_LINES}, {"timepivot", CHART_LINES},
                 {"scatterchart", CHART_DOTS},  {"columnchart", CHART_COLUMNS},
                 {"piechart", CHART_SHARES},    {"barchart", CHART_BARS},
                 {"treemap", CHART_SHARES}};
    for (size_t i = 0; sink->render != NULL && i < RF_COUNT(kinds); i++)
        if (rf_str_is(sink->render->kind, kinds[i].name)) return kinds[i].kind;
    for (uint32_t i = 0; i < sink->schema->count; i++)
        if (sink->schema->columns[i].type == TYPE_DATETIME || is_array(sink->kept, i))
            return CHART_LINES;
    return CHART_BARS;
}

/* ---- shared by the drawings ------------------------------------------------------------------------------------ */

void chart_put_number(struct rf_buf *buf, double r)
{
    static const struct {
        double unit;
        const char *name;
    } units[] = {{1e12, "T"}, {1e9, "G"}, {1e6, "M"}, {1e3, "k"}};
    double size = fabs(r);
    for (size_t i = 0; i < RF_COUNT(units); i++) {
        if (size < units[i].unit * 9.9995) continue; /* 1,234 is as short as 1.234k */
        rf_buf_printf(buf, "%.*f%s", size < units[i].unit * 100 ? 1 : 0, r / units[i].unit,
                      units[i].name);
        return;
    }
    if (r == floor(r))
        rf_buf_printf(buf, "%.0f", r);
    else
        rf_buf_printf(buf, size >= 100 ? "%.1f" : size >= 0.01 ? "%.2f" : "%.1e", r);
}

const char *chart_colour(const struct cli_output *output, uint32_t series)
{
    static const char *const colours[] = {"\x1b[36m", "\x1b[33m", "\x1b[32m", "\x1b[35m",
                                          "\x1b[34m", "\x1b[31m", "\x1b[96m", "\x1b[93m",
                                          "\x1b[92m", "\x1b[95m", "\x1b[94m", "\x1b[91m"};
    return output->colour ? colours[series % RF_COUNT(colours)] : "";
}

const char *chart_plain(const struct cli_output *output) { return output->colour ? "\x1b[0m" : ""; }

void chart_put_legend(const struct chart *chart, const struct cli_output *output,
                      const char *const *marks, struct rf_buf *buf)
{
    uint32_t width = RF_MIN(output->width, 200u), used = 0;
    if (chart->series_count < 2) return;
    for (uint32_t i = 0; i < chart->series_count; i++) {
        uint32_t wide = RF_MIN(cli_text_width(chart->series[i]), 40u) + 4;
        if (used > 0 && used + wide > width) {
            rf_buf_byte(buf, '\n');
            used = 0;
        }
        rf_buf_printf(buf, "%s%s%s ", chart_colour(output, i), marks[i % CHART_SERIES_MAX],
                      chart_plain(output));
        (void)cli_text_put(buf, chart->series[i], 40);
        rf_buf_str(buf, RF_S("  "));
        used += wide;
    }
    if (chart->series_left_out > 0) rf_buf_str(buf, RF_S("... and more series that are not drawn"));
    rf_buf_byte(buf, '\n');
}

/* ---- the sink -------------------------------------------------------------------------------------------------- */

static enum rf_kind chart_begin(struct kql_sink *base, rf_str name, const struct schema *schema,
                                const struct render *render, struct rf_err *err)
{
    struct cli_sink *sink = (struct cli_sink *)base;
    sink->name = name;
    sink->schema = schema;
    sink->render = render;
    sink->row_count = 0;
    sink->table_count++;
    rf_arena_reset(&sink->kept_arena);
    uint8_t *types = rf_arena_new(&sink->kept_arena, uint8_t, schema->count);
    if (types == NULL) return rf_fail_memory(err, &sink->kept_arena);
    for (uint32_t i = 0; i < schema->count; i++) types[i] = schema->columns[i].type;
    sink->kept = rows_new(&sink->kept_arena, types, schema->count);
    return sink->kept == NULL ? rf_fail_memory(err, &sink->kept_arena) : RF_OK;
}

static enum rf_kind chart_push(struct kql_sink *base, const struct batch *batch, struct rf_err *err)
{
    struct cli_sink *sink = (struct cli_sink *)base;
    sink->row_count += batch->row_count;
    if (rows_count(sink->kept) >= CHART_POINTS_MAX) return RF_OK;
    return rows_append(sink->kept, batch) ? RF_OK : rf_fail_memory(err, &sink->kept_arena);
}

/* What cannot be drawn is printed as a table. */
static enum rf_kind print_table(struct cli_sink *sink, struct rf_arena *arena, struct rf_err *err)
{
    struct cli_output output = sink->output;
    output.format = CLI_TABLE;
    struct kql_sink *table = cli_sink_new(&output, arena);
    if (table == NULL) return rf_fail_memory(err, arena);
    enum rf_kind kind = table->begin(table, sink->name, sink->schema, sink->render, err);
    for (uint64_t from = 0; kind == RF_OK && from < rows_count(sink->kept); from += BATCH_ROWS) {
        struct batch batch;
        if (!rows_batch(sink->kept, from, arena, &batch))
            kind = rf_fail_memory(err, arena);
        else
            kind = table->push(table, &batch, err);
    }
    if (kind == RF_OK) kind = table->end(table, err);
    cli_sink_done(table);
    return kind;
}

static enum rf_kind chart_end(struct kql_sink *base, struct rf_err *err)
{
    struct cli_sink *sink = (struct cli_sink *)base;
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init_shared(&arena, sink->arena->budget);
    struct chart chart = {.kind = kind_of(sink), .title = render_text(sink->render, "title")};
    struct roles roles = find_roles(sink, chart.kind);
    chart.time =
        roles.arrays || (roles.x >= 0 && sink->schema->columns[roles.x].type == TYPE_DATETIME);
    if (roles.x >= 0) chart.x_name = sink->schema->columns[roles.x].name;
    if (roles.y_count > 0) chart.y_name = sink->schema->columns[roles.y[0]].name;
    for (uint64_t row = 0; row < rows_count(sink->kept); row++)
        if (!add_row(&chart, sink, &roles, row, &arena)) return rf_fail_memory(err, &arena);
    if (chart.count == 0) return print_table(sink, &arena, err);
    struct rf_buf *buf = &sink->buf;
    if (chart.title.len > 0) {
        (void)cli_text_put(buf, chart.title, sink->output.width);
        rf_buf_byte(buf, '\n');
    }
    bool fine;
    if (chart.kind <= CHART_DOTS)
        fine = chart_draw_lines(&chart, &sink->output, &arena, buf);
    else if (chart.kind == CHART_COLUMNS)
        fine = chart_draw_columns(&chart, &sink->output, &arena, buf);
    else
        fine = chart_draw_bars(&chart, &sink->output, &arena, buf);
    return fine ? cli_flush(sink, err) : rf_fail_memory(err, &arena);
}

void cli_chart_ops(struct kql_sink *base)
{
    *base = (struct kql_sink){.begin = chart_begin, .push = chart_push, .end = chart_end};
}
