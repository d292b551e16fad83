/* cli_chart.h - what is drawn for `render`: the rows of a result as series of points, and the drawings.
 *
 *   timechart, linechart, areachart, scatterchart   lines or dots over a numeric or time axis
 *   columnchart                                     upright columns; bars when they do not fit
 *   barchart, piechart and all others               bars with their values; pie: with their shares */
#ifndef RF_CLI_CHART_H
#define RF_CLI_CHART_H

#include "cli/cli_format.h"

enum chart_kind { CHART_LINES, CHART_DOTS, CHART_COLUMNS, CHART_BARS, CHART_SHARES };
enum { CHART_SERIES_MAX = 12, CHART_POINTS_MAX = 200000, CHART_HEIGHT = 14 };

struct chart_point {
    double x, y;
    uint32_t series;
    rf_str label; /* x as text */
};
struct chart {
    enum chart_kind kind;
    rf_str title, x_name, y_name;
    bool time; /* x counts ticks */
    rf_str series[CHART_SERIES_MAX];
    uint32_t series_count, series_left_out;
    struct chart_point *points;
    uint32_t count, cap;
};

/* Appends the drawing to `buf`. Memory is taken from `arena`; false when there is none. */
bool chart_draw_lines(const struct chart *chart, const struct cli_output *output,
                      struct rf_arena *arena, struct rf_buf *buf);
bool chart_draw_columns(const struct chart *chart, const struct cli_output *output,
                        struct rf_arena *arena, struct rf_buf *buf);
bool chart_draw_bars(const struct chart *chart, const struct cli_output *output,
                     struct rf_arena *arena, struct rf_buf *buf);

/* A number as short as an axis needs it: 1.2k, 35M, 0.004. */
void chart_put_number(struct rf_buf *buf, double r);
const char *chart_colour(const struct cli_output *output, uint32_t series); /* "" without colours */
const char *chart_plain(const struct cli_output *output);
void chart_put_legend(const struct chart *chart, const struct cli_output *output,
                      const char *const *marks, struct rf_buf *buf);

#endif
