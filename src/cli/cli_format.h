/* cli_format.h - result tables to text: sinks for kql_run.
 *
 *   table     aligned columns, cut to the terminal's width; the first TABLE_ROWS_AHEAD rows decide the widths
 *   json      {"tables":[{"name":..,"columns":[{"name":..,"type":..}],"rows":[[..],..]}]}: datetime, timespan, guid, decimal
 *             and the reals that JSON lacks are texts, dynamic is JSON itself
 *   jsonl     one object a row
 *   csv       RFC 4180 with a header, lines ended by \n; null is an empty field
 *   markdown  a table as GitHub reads it
 *   chart     what `render` asks for, drawn with characters
 *
 * All but table (its first rows) and chart stream. */
#ifndef RF_CLI_FORMAT_H
#define RF_CLI_FORMAT_H

#include <stdio.h>

#include "kql/kql.h"

enum cli_format {
    CLI_TABLE,
    CLI_JSON,
    CLI_JSONL,
    CLI_CSV,
    CLI_MARKDOWN,
    CLI_CHART,
    CLI_FORMAT_COUNT
};
extern const char *const cli_format_names[CLI_FORMAT_COUNT];
bool cli_format_parse(const char *name, enum cli_format *out);

struct cli_output {
    FILE *file;
    enum cli_format format;
    bool colour;
    uint32_t width; /* columns to keep within; UINT32_MAX: no limit */
};

/* Makes the sink; allocates in `arena`, which the sink uses until the end. NULL on lack of memory. */
struct kql_sink *cli_sink_new(const struct cli_output *output, struct rf_arena *arena);
/* After kql_run gave RF_OK: writes what closes the output and says whether all of it was written. */
RF_MUST_USE enum rf_kind cli_sink_finish(struct kql_sink *sink, struct rf_err *err);
/* Gives back what the sink holds beside the arena, after success and failure. */
void cli_sink_done(struct kql_sink *sink);

/* ---- for the files of this module -------------------------------------------------------------------- */

struct cli_sink {
    struct kql_sink base;
    struct cli_output output;
    struct rf_arena *arena;
    struct rf_buf buf; /* text not written yet */
    const struct schema *schema;
    rf_str name;
    uint32_t table_count;
    uint64_t row_count; /* of the present table */
    const struct render *render;
    struct rows *kept; /* table: rows ahead; chart: all rows */
    struct rf_arena kept_arena;
    uint32_t *widths; /* table */
};
/* Writes what is in buf. */
RF_MUST_USE enum rf_kind cli_flush(struct cli_sink *sink, struct rf_err *err);
/* A cell as text: tostring(). */
void cli_put_cell(struct rf_buf *buf, const struct value *v);
/* One value as JSON, as described above. */
void cli_put_json(struct rf_buf *buf, const struct value *v);
void cli_table_ops(struct kql_sink *base);
void cli_chart_ops(struct kql_sink *base);

#endif
