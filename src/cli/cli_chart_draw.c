#include <math.h>
#include <stdlib.h>

#include "cli/cli_chart.h"
#include "cli/cli_text.h"
#include "value/text.h"

static const char *const markers[CHART_SERIES_MAX] = {"\xe2\x97\x8f",
                                                      "\xe2\x97\x8b",
                                                      "\xe2\x96\xb2",
                                                      "\xe2\x96\xb3",
                                                      "\xe2\x97\x86",
                                                      "\xe2\x97\x87",
                                                      "\xe2\x96\xa0",
                                                      "\xe2\x96\xa1",
                                                      "+",
                                                      "x",
                                                      "*",
                                                      "o"};
static const char *const blocks[CHART_SERIES_MAX] = {"\xe2\x96\x88",
                                                     "\xe2\x96\x93",
                                                     "\xe2\x96\x92",
                                                     "\xe2\x96\x91",
                                                     "#",
                                                     "=",
                                                     "+",
                                                     "-",
                                                     ":",
                                                     ".",
                                                     "o",
                                                     "*"};

static void put_blanks(struct rf_buf *buf, uint32_t count)
{
    while (count-- > 0) rf_buf_byte(buf, ' ');
}

/* ---- lines and dots ----------------------------------------------------------------------------------------- */

/* Cells of characters; in each, the dots of a braille letter or the marker of a series. */
struct canvas {
    uint32_t width, height;  /* in characters */
    uint32_t fine_x, fine_y; /* dots per character: 2 x 4 for braille, else 1 x 1 */
    uint8_t *dots;
    uint8_t *series; /* number + 1 of who painted last */
};

static void paint(struct canvas *canvas, int64_t x, int64_t y, uint32_t series)
{
    static const uint8_t bits[4][2] = {{0x01, 0x08}, {0x02, 0x10}, {0x04, 0x20}, {0x40, 0x80}};
    if (x < 0 || y < 0 || x >= (int64_t)canvas->width * canvas->fine_x ||
        y >= (int64_t)canvas->height * canvas->fine_y)
        return;
    size_t cell = (size_t)(y / canvas->fine_y) * canvas->width + (size_t)(x / canvas->fine_x);
    canvas->dots[cell] |= canvas->fine_x == 2 ? bits[y % 4][x % 2] : 1;
    canvas->series[cell] = (uint8_t)(series + 1);
}

static void paint_line(struct canvas *canvas, int64_t x0, int64_t y0, int64_t x1, int64_t y1,
                       uint32_t series)
{
    int64_t steps = RF_MAX(llabs(x1 - x0), llabs(y1 - y0));
    for (int64_t i = 0; i <= steps; i++) {
        double t = steps == 0 ? 0 : (double)i / (double)steps;
        paint(canvas, x0 + llround(t * (double)(x1 - x0)), y0 + llround(t * (double)(y1 - y0)),
              series);
    }
}

/* A step of 1, 2 or 5 times a power of ten that cuts the range into about four. */
static double nice_step(double range)
{
    double rough = range / 4, power = pow(10, floor(log10(rough)));
    double lead = rough / power;
    return (lead <= 1 ? 1 : lead <= 2 ? 2 : lead <= 5 ? 5 : 10) * power;
}

struct frame {
    double x_min, x_max, y_min, y_max, step;
};

static struct frame frame_of(const struct chart *chart)
{
    struct frame f = {chart->points[0].x, chart->points[0].x, 0, 0, 1};
    for (uint32_t i = 0; i < chart->count; i++) {
        const struct chart_point *p = &chart->points[i];
        f.x_min = fmin(f.x_min, p->x);
        f.x_max = fmax(f.x_max, p->x);
        f.y_min = fmin(f.y_min, p->y);
        f.y_max = fmax(f.y_max, p->y);
    }
    if (!(f.y_max > f.y_min)) f.y_max = f.y_min + 1;
    f.step = nice_step(f.y_max - f.y_min);
    f.y_max = ceil(f.y_max / f.step) * f.step;
    f.y_min = floor(f.y_min / f.step) * f.step;
    if (!(f.x_max > f.x_min)) f.x_max = f.x_min + 1;
    return f;
}

static void put_x(struct rf_buf *buf, const struct chart *chart, const struct frame *f, double x)
{
    if (!chart->time) {
        chart_put_number(buf, x);
        return;
    }
    int64_t ticks = (int64_t)RF_MIN(RF_MAX(x, 0), (double)DATETIME_MAX);
    int year, month, day;
    date_from_ticks(ticks, &year, &month, &day);
    int64_t of_day = ticks % TICKS_PER_DAY;
    int hour = (int)(of_day / TICKS_PER_HOUR), minute = (int)(of_day / TICKS_PER_MINUTE % 60);
    int second = (int)(of_day / TICKS_PER_SECOND % 60);
    double range = f->x_max - f->x_min;
    if (range > 4 * (double)TICKS_PER_DAY)
        rf_buf_printf(buf, "%04d-%02d-%02d", year, month, day);
    else if (range > 10 * (double)TICKS_PER_MINUTE)
        rf_buf_printf(buf, "%02d-%02d %02d:%02d", month, day, hour, minute);
    else
        rf_buf_printf(buf, "%02d:%02d:%02d", hour, minute, second);
}

static int64_t x_dot(const struct canvas *c, const struct frame *f, double x)
{
    return llround((x - f->x_min) / (f->x_max - f->x_min) * (double)(c->width * c->fine_x - 1));
}

static int64_t y_dot(const struct canvas *c, const struct frame *f, double y)
{
    return llround((f->y_max - y) / (f->y_max - f->y_min) * (double)(c->height * c->fine_y - 1));
}

static int by_series_and_x(const void *a, const void *b)
{
    const struct chart_point *p = a, *q = b;
    if (p->series != q->series) return p->series < q->series ? -1 : 1;
    return p->x < q->x ? -1 : p->x > q->x;
}

static void put_canvas_row(struct rf_buf *buf, const struct canvas *canvas,
                           const struct cli_output *output, uint32_t row)
{
    uint32_t painted = canvas->width;
    while (painted > 0 && canvas->dots[(size_t)row * canvas->width + painted - 1] == 0) painted--;
    uint32_t colour = UINT32_MAX;
    for (uint32_t x = 0; x < painted; x++) {
        size_t cell = (size_t)row * canvas->width + x;
        if (canvas->dots[cell] == 0) {
            rf_buf_byte(buf, ' ');
            continue;
        }
        uint32_t series = canvas->series[cell] - 1u;
        if (series != colour) rf_buf_str(buf, rf_str_of(chart_colour(output, series)));
        colour = series;
        uint8_t utf8[4];
        if (canvas->fine_x == 2)
            rf_buf_put(buf, utf8, rf_utf8_put(0x2800u + canvas->dots[cell], utf8));
        else
            rf_buf_str(buf, rf_str_of(markers[series % CHART_SERIES_MAX]));
    }
    if (colour != UINT32_MAX) rf_buf_str(buf, rf_str_of(chart_plain(output)));
    rf_buf_byte(buf, '\n');
}

enum { GUTTER = 8 }; /* columns for the numbers of the upright axis */

/* Moves what was appended since `from` to the right, so that it ends `width` columns later than it would have begun. */
static void align_right(struct rf_buf *buf, size_t from, uint32_t width)
{
    size_t len = buf->len - from, pad = len < width ? width - len : 0;
    if (!rf_buf_reserve(buf, pad)) return;
    memmove(buf->ptr + from + pad, buf->ptr + from, len);
    memset(buf->ptr + from, ' ', pad);
    buf->len += pad;
}

/* The upright axis in one row, with a number where there is a tick. */
static void put_y_axis(struct rf_buf *buf, bool tick, double number)
{
    size_t from = buf->len;
    if (tick) chart_put_number(buf, number);
    align_right(buf, from, GUTTER - 1);
    rf_buf_str(buf, tick ? RF_S(" \xe2\x94\xa4") : RF_S(" \xe2\x94\x82"));
}

static void put_x_axis(struct rf_buf *buf, const struct chart *chart, const struct frame *f,
                       uint32_t width)
{
    put_blanks(buf, GUTTER);
    rf_buf_str(buf, RF_S("\xe2\x94\x94"));
    for (uint32_t i = 0; i < width; i++) rf_buf_str(buf, RF_S("\xe2\x94\x80"));
    rf_buf_byte(buf, '\n');
    put_blanks(buf, GUTTER + 1);
    uint32_t labels = width >= 48 ? 3 : width >= 24 ? 2 : 1, used = 0;
    for (uint32_t i = 0; i < labels; i++) {
        double t = labels == 1 ? 0 : (double)i / (labels - 1);
        size_t from = buf->len;
        put_x(buf, chart, f, f->x_min + t * (f->x_max - f->x_min));
        uint32_t len = (uint32_t)(buf->len - from);
        uint32_t centre = (uint32_t)(t * width), want = centre > len / 2 ? centre - len / 2 : 0;
        if (i + 1 == labels && labels > 1) want = width > len ? width - len : 0;
        uint32_t pad = want > used ? want - used : i > 0;
        align_right(buf, from, pad + len);
        used += pad + len;
    }
    rf_buf_byte(buf, '\n');
}

bool chart_draw_lines(const struct chart *chart, const struct cli_output *output,
                      struct rf_arena *arena, struct rf_buf *buf)
{
    uint32_t width = RF_MIN(output->width, 160u);
    width = width > GUTTER + 20 ? width - GUTTER - 2 : 20;
    /* Without colours dots of several series look alike, so each gets a letter of its own. */
    bool fine = chart->series_count == 1 || output->colour;
    struct canvas canvas = {
        .width = width, .height = CHART_HEIGHT, .fine_x = fine ? 2 : 1, .fine_y = fine ? 4 : 1};
    canvas.dots = rf_arena_new(arena, uint8_t, (size_t)width * CHART_HEIGHT);
    canvas.series = rf_arena_new(arena, uint8_t, (size_t)width * CHART_HEIGHT);
    struct chart_point *points = rf_arena_raw(arena, struct chart_point, chart->count);
    if (canvas.dots == NULL || canvas.series == NULL || points == NULL) return false;
    memcpy(points, chart->points, chart->count * sizeof *points);
    qsort(points, chart->count, sizeof *points, by_series_and_x);
    struct frame f = frame_of(chart);
    for (uint32_t i = 0; i < chart->count; i++) {
        const struct chart_point *p = &points[i], *q = i == 0 ? p : &points[i - 1];
        if (chart->kind == CHART_DOTS || q->series != p->series) q = p;
        paint_line(&canvas, x_dot(&canvas, &f, q->x), y_dot(&canvas, &f, q->y),
                   x_dot(&canvas, &f, p->x), y_dot(&canvas, &f, p->y), p->series);
    }
    rf_str y_name = chart->series_count == 1 ? chart->series[0] : chart->y_name;
    (void)cli_text_put(buf, y_name, width);
    rf_buf_byte(buf, '\n');
    uint32_t ticks = (uint32_t)llround((f.y_max - f.y_min) / f.step), next = 0;
    for (uint32_t row = 0; row < CHART_HEIGHT; row++) {
        uint32_t at = ticks == 0 ? 0 : (uint32_t)llround((double)next / ticks * (CHART_HEIGHT - 1));
        bool tick = row == at && next <= ticks;
        put_y_axis(buf, tick, f.y_max - f.step * next);
        next += tick;
        put_canvas_row(buf, &canvas, output, row);
    }
    put_x_axis(buf, chart, &f, width);
    chart_put_legend(chart, output, markers, buf);
    return !buf->failed;
}

/* ---- bars and shares -------------------------------------------------------------------------------------------- */

static double largest(const struct chart *chart)
{
    double most = 0;
    for (uint32_t i = 0; i < chart->count; i++) most = fmax(most, fabs(chart->points[i].y));
    return most > 0 ? most : 1;
}

static void put_bar(struct rf_buf *buf, double length, const char *full)
{
    static const char *const eighths[] = {"",
                                          "\xe2\x96\x8f",
                                          "\xe2\x96\x8e",
                                          "\xe2\x96\x8d",
                                          "\xe2\x96\x8c",
                                          "\xe2\x96\x8b",
                                          "\xe2\x96\x8a",
                                          "\xe2\x96\x89"};
    int64_t parts = llround(length * 8);
    for (; parts >= 8; parts -= 8) rf_buf_str(buf, rf_str_of(full));
    if (full == blocks[0])
        rf_buf_str(buf, rf_str_of(eighths[parts]));
    else if (parts >= 4)
        rf_buf_str(buf, rf_str_of(full));
}

bool chart_draw_bars(const struct chart *chart, const struct cli_output *output,
                     struct rf_arena *arena, struct rf_buf *buf)
{
    (void)arena;
    uint32_t width = RF_MIN(output->width, 160u), names = 1;
    for (uint32_t i = 0; i < chart->count; i++)
        names = RF_MAX(names, cli_text_width(chart->points[i].label));
    names = RF_MIN(names, RF_MAX(width / 3, 8u));
    uint32_t room = width > names + 24 ? width - names - 18 : 8;
    double most = largest(chart), sum = 0;
    for (uint32_t i = 0; i < chart->count; i++) sum += fabs(chart->points[i].y);
    bool shares = chart->kind == CHART_SHARES;
    const struct chart_point *before = NULL;
    for (uint32_t i = 0; i < chart->count; i++) {
        const struct chart_point *p = &chart->points[i];
        bool same = before != NULL &&
                    rf_str_eq(before->label, p->label); /* a further series of the same category */
        uint32_t wide = same ? 0 : cli_text_put(buf, p->label, names);
        put_blanks(buf, names - wide);
        rf_buf_str(buf, RF_S(" \xe2\x94\x82"));
        rf_buf_str(buf, rf_str_of(chart_colour(output, p->series)));
        put_bar(buf, fabs(p->y) / most * room, blocks[p->series % CHART_SERIES_MAX]);
        rf_buf_str(buf, rf_str_of(chart_plain(output)));
        rf_buf_byte(buf, ' ');
        chart_put_number(buf, p->y);
        if (shares && sum > 0) rf_buf_printf(buf, " (%.1f%%)", fabs(p->y) / sum * 100);
        rf_buf_byte(buf, '\n');
        before = p;
    }
    chart_put_legend(chart, output, blocks, buf);
    return !buf->failed;
}

/* ---- columns -------------------------------------------------------------------------------------------------------- */

bool chart_draw_columns(const struct chart *chart, const struct cli_output *output,
                        struct rf_arena *arena, struct rf_buf *buf)
{
    static const char *const eighths[] = {" ",
                                          "\xe2\x96\x81",
                                          "\xe2\x96\x82",
                                          "\xe2\x96\x83",
                                          "\xe2\x96\x84",
                                          "\xe2\x96\x85",
                                          "\xe2\x96\x86",
                                          "\xe2\x96\x87",
                                          "\xe2\x96\x88"};
    uint32_t width = RF_MIN(output->width, 160u), names = 1;
    bool negative = false;
    for (uint32_t i = 0; i < chart->count; i++) {
        names = RF_MAX(names, cli_text_width(chart->points[i].label));
        negative |= chart->points[i].y < 0;
    }
    uint32_t wide = RF_MAX(names, 3u);
    /* Names that would have to be cut, several series or values below zero read better as bars. */
    if (chart->series_count > 1 || negative ||
        (uint64_t)chart->count * (wide + 1) + GUTTER + 2 > width)
        return chart_draw_bars(chart, output, arena, buf);
    double most = largest(chart);
    for (uint32_t row = 0; row < CHART_HEIGHT; row++) {
        put_y_axis(buf, row % (CHART_HEIGHT / 2) == 0, most * (CHART_HEIGHT - row) / CHART_HEIGHT);
        rf_buf_str(buf, rf_str_of(chart_colour(output, 0)));
        for (uint32_t i = 0; i < chart->count; i++) {
            int64_t parts = llround(chart->points[i].y / most * CHART_HEIGHT * 8) -
                            (int64_t)(CHART_HEIGHT - 1 - row) * 8;
            const char *piece = eighths[RF_MIN(RF_MAX(parts, 0), 8)];
            rf_buf_byte(buf, ' ');
            for (uint32_t n = 0; n < wide; n++) rf_buf_str(buf, rf_str_of(piece));
        }
        rf_buf_str(buf, rf_str_of(chart_plain(output)));
        rf_buf_byte(buf, '\n');
    }
    put_blanks(buf, GUTTER);
    rf_buf_str(buf, RF_S("\xe2\x94\x94"));
    for (uint32_t i = 0; i < chart->count * (wide + 1); i++) rf_buf_str(buf, RF_S("\xe2\x94\x80"));
    rf_buf_byte(buf, '\n');
    put_blanks(buf, GUTTER + 1);
    for (uint32_t i = 0; i < chart->count; i++) {
        rf_buf_byte(buf, ' ');
        uint32_t used = cli_text_put(buf, chart->points[i].label, wide);
        put_blanks(buf, wide - used);
    }
    rf_buf_byte(buf, '\n');
    return !buf->failed;
}
