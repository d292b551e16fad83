#include "cli/cli_format.h"

#include <criterion/criterion.h>
#include <stdlib.h>

#include "cli/cli_catalog.h"
#include "kql/kql.h"

/* What a query prints; "!code" when it fails. */
static char *print_query(const char *query, enum cli_format format, uint32_t width, bool colour)
{
    struct rf_arena arena;
    rf_arena_init(&arena, 256 << 20);
    struct cli_catalog catalog = cli_catalog_in(&arena);
    struct kql_request request = {.text = rf_str_of(query),
                                  .catalog = &catalog.catalog,
                                  .now_ticks = DATETIME_UNIX_EPOCH + 18262 * TICKS_PER_DAY};
    char *text = NULL;
    size_t len = 0;
    struct cli_output output = {
        .file = open_memstream(&text, &len), .format = format, .width = width, .colour = colour};
    struct kql_sink *sink = cli_sink_new(&output, &arena);
    struct kql_stats stats;
    struct rf_err err = {0};
    enum rf_kind kind = kql_run(&request, sink, &stats, &err);
    if (kind == RF_OK) kind = cli_sink_finish(sink, &err);
    cli_sink_done(sink);
    if (kind != RF_OK) fprintf(output.file, "!%s", err.code);
    fclose(output.file);
    rf_arena_done(&arena);
    return text;
}

struct format_case {
    const char *query;
    enum cli_format format;
    uint32_t width;
    const char *expected;
};

#define BLOCKS_5 "\xe2\x96\x88\xe2\x96\x88\xe2\x96\x88\xe2\x96\x88\xe2\x96\x88"
#define BLOCKS_10 BLOCKS_5 BLOCKS_5

static const struct format_case cases[] = {
    {"print a=1, b='x\\ty', c=dynamic({\"k\":[1,null]}), d=real(nan), e=1.0, f=true, g=long(null), "
     "h=1d",
     CLI_JSON, 80,
     "{\"tables\":[{\"name\":\"PrimaryResult\",\"columns\":[{\"name\":\"a\",\"type\":\"long\"},{"
     "\"name\":\"b\",\"type\":\"string\"},"
     "{\"name\":\"c\",\"type\":\"dynamic\"},{\"name\":\"d\",\"type\":\"real\"},{\"name\":\"e\","
     "\"type\":\"real\"},{\"name\":\"f\",\"type\":\"bool\"},"
     "{\"name\":\"g\",\"type\":\"long\"},{\"name\":\"h\",\"type\":\"timespan\"}],\"rows\":[\n"
     "[1,\"x\\ty\",{\"k\":[1,null]},\"NaN\",1.0,true,null,\"1.00:00:00\"]]}]}\n"},
    {"print a=1 | where a > 1", CLI_JSON, 80,
     "{\"tables\":[{\"name\":\"PrimaryResult\",\"columns\":[{\"name\":\"a\",\"type\":\"long\"}],"
     "\"rows\":[]}]}\n"},
    {"range x from 1 to 2 step 1 | extend s=strcat('\"', x)", CLI_JSONL, 80,
     "{\"x\":1,\"s\":\"\\\"1\"}\n{\"x\":2,\"s\":\"\\\"2\"}\n"},
    {"print ['a,b']='x\"y', c='p\\nq', d='', e=datetime(2020-01-02), f=long(null), g='plain'",
     CLI_CSV, 80, "\"a,b\",c,d,e,f,g\n\"x\"\"y\",\"p\nq\",,2020-01-02T00:00:00.0000000Z,,plain\n"},
    {"print a='x|y<b>', n=2", CLI_MARKDOWN, 80, "| a | n |\n| --- | ---: |\n| x\\|y&lt;b> | 2 |\n"},
    {"range n from 9 to 10 step 1 | extend t='a\\nb'", CLI_TABLE, 80,
     " n  t\n\xe2\x94\x80\xe2\x94\x80  \xe2\x94\x80\xe2\x94\x80\xe2\x94\x80\xe2\x94\x80\n 9  "
     "a\\nb\n10  a\\nb\n(2 rows)\n"},
    {"print abc='0123456789', d='0123456789'", CLI_TABLE, 16,
     "abc      "
     "d\n\xe2\x94\x80\xe2\x94\x80\xe2\x94\x80\xe2\x94\x80\xe2\x94\x80\xe2\x94\x80\xe2\x94\x80  "
     "\xe2\x94\x80\xe2\x94\x80\xe2\x94\x80\xe2\x94\x80\xe2\x94\x80\xe2\x94\x80\xe2\x94\x80\n"
     "012345\xe2\x80\xa6  012345\xe2\x80\xa6\n(1 row)\n"},
    {"datatable(a:string,n:long)['x',4,'yy',8] | render piechart with (title='T')", CLI_CHART, 40,
     "T\nx  \xe2\x94\x82" BLOCKS_10 " 4 (33.3%)\nyy \xe2\x94\x82" BLOCKS_10 BLOCKS_10
     " 8 (66.7%)\n"},
    {"print a='no numbers here'", CLI_CHART, 40, NULL},
    {"prin 1", CLI_JSON, 80, NULL},
};

Test(cli_format, prints)
{
    for (size_t i = 0; i < RF_COUNT(cases); i++) {
        char *got = print_query(cases[i].query, cases[i].format, cases[i].width, false);
        if (cases[i].expected != NULL)
            cr_expect_str_eq(got, cases[i].expected, "%s\n got: %s\nwant: %s", cases[i].query, got,
                             cases[i].expected);
        free(got);
    }
}

/* Later rows do not change the widths that the first thousand have decided, and are not cut when nothing asks for it. */
Test(cli_format, a_long_table_streams)
{
    char *got = print_query("range n from 1 to 5000 step 1 | extend s=iff(n == 5000, 'much longer "
                            "than those before', 'x')",
                            CLI_TABLE, UINT32_MAX, false);
    cr_expect(strstr(got, "\n5000  much longer than those before\n(5000 rows)\n") != NULL);
    size_t lines = 0;
    for (const char *at = got; (at = strchr(at, '\n')) != NULL; at++) lines++;
    cr_expect_eq(lines, 5003);
    free(got);
}

Test(cli_format, charts_stay_within_the_width)
{
    static const char *const queries[] = {
        "range t from datetime(2024-01-01) to datetime(2024-01-03) step 1h | extend v=hourofday(t) "
        "| render timechart",
        "range x from 1 to 100 step 1 | extend y=x*x | render linechart",
        "range x from 1 to 30 step 1 | extend y=-x | project x=tostring(x), y | render columnchart",
        "datatable(t:datetime,s:string,n:long)[datetime(2024-01-01),'x',5,datetime(2024-01-02),'y',"
        "-7] | render timechart",
        "datatable(a:string,n:real)['a very long name of a category indeed',1e12,'',0] | render "
        "barchart",
        "print x=1, y=5 | render scatterchart"};
    for (size_t i = 0; i < RF_COUNT(queries); i++) {
        for (uint32_t width = 30; width <= 130; width += 50) {
            char *got = print_query(queries[i], CLI_CHART, width, false);
            cr_expect(got[0] != '!' && strchr(got, '\x1b') == NULL, "%s: %s", queries[i], got);
            for (char *line = got, *end; (end = strchr(line, '\n')) != NULL; line = end + 1) {
                uint32_t columns = (uint32_t)rf_utf8_count(rf_str_make(line, (size_t)(end - line)));
                cr_expect(columns <= width + 2, "%s in %u: %u columns\n%s", queries[i], width,
                          columns, got);
            }
            free(got);
        }
    }
    char *coloured = print_query(queries[3], CLI_CHART, 60, true);
    cr_expect(strstr(coloured, "\x1b[") != NULL);
    free(coloured);
}
