/* Queries that would run for hours: each is told to end after a moment of work, and must then end soon, whatever it is in the
 * middle of; those that cannot be told, as they are one call of a function, must end by the function's own limits. The bound is
 * of processor time and hundreds of times what ending takes. With little memory each ends in an error that names the budget. */
#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <sys/time.h>
#include <time.h>

#include "kql/kql.h"

enum {
    WORK_USEC = 30000, /* until it is told to end */
    SECONDS_MAX = 10,
    MEMORY_BYTES = 256 << 20,
    SMALL_BYTES = 4 << 20,
};

static atomic_bool cancelled;

static void on_timer(int signal)
{
    (void)signal;
    atomic_store(&cancelled, true);
}

static enum rf_kind ignore_begin(struct kql_sink *sink, rf_str name, const struct schema *schema,
                                 const struct render *render, struct rf_err *err)
{
    (void)sink, (void)name, (void)schema, (void)render, (void)err;
    return RF_OK;
}
static enum rf_kind ignore_push(struct kql_sink *sink, const struct batch *batch,
                                struct rf_err *err)
{
    (void)sink, (void)batch, (void)err;
    return RF_OK;
}
static enum rf_kind ignore_end(struct kql_sink *sink, struct rf_err *err)
{
    (void)sink, (void)err;
    return RF_OK;
}

/* Runs it, cancelled after some work; returns how it ended and sets *seconds. */
static enum rf_kind run(const char *text, size_t memory_bytes, uint32_t lanes, double *seconds,
                        struct rf_err *err)
{
    struct kql_sink sink = {.begin = ignore_begin, .push = ignore_push, .end = ignore_end};
    struct catalog catalog = {0};
    struct kql_request request = {.text = rf_str_of(text),
                                  .catalog = &catalog,
                                  .memory_bytes = memory_bytes,
                                  .lane_count = lanes,
                                  .cancelled = &cancelled};
    struct sigaction action = {.sa_handler = on_timer, .sa_flags = SA_RESTART};
    struct itimerval timer = {.it_value = {.tv_usec = WORK_USEC}}, off = {0};
    struct timespec before, after;
    cr_assert(sigaction(SIGVTALRM, &action, NULL) == 0);
    atomic_store(&cancelled, false);
    *err = (struct rf_err){0};
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &before);
    cr_assert(setitimer(ITIMER_VIRTUAL, &timer, NULL) == 0);
    enum rf_kind kind = kql_run(&request, &sink, NULL, err);
    cr_assert(setitimer(ITIMER_VIRTUAL, &off, NULL) == 0);
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &after);
    *seconds =
        (double)(after.tv_sec - before.tv_sec) + (double)(after.tv_nsec - before.tv_nsec) / 1e9;
    return kind;
}

#define MANY "range n from 1 to 1000000000000 step 1 "
#define SOME "range n from 1 to 30000 step 1 | extend k = 1 "
#define EDGES "range n from 0 to 899 step 1 | extend a = n / 30, b = n % 30 | make-graph a --> b "
#define EVENTS                                                                                     \
    "range n from 1 to 30000 step 1 | extend t = datetime(2024-01-01) + n * 1s, u = hash(n) % "    \
    "3000, w = tostring(n % 50) "
#define SPAN "datetime(2024-01-01), datetime(2024-12-31)"
#define WIDE                                                                                       \
    "dynamic({\"type\":\"Polygon\",\"coordinates\":[[[170,-80],[-170,-80],[-170,80],[170,80],["    \
    "170,-80]]]})"
#define LONG_TEXT "strrep('ab', 500000)"
#define SERIES "range(1.0, 60000.0, 1.0)"

static const char *const queries[] = {
    /* operators */
    MANY "| where n < 0",
    MANY "| count",
    MANY "| extend x = hash(n), y = tostring(n) | where y == 'x'",
    MANY "| summarize count(), sum(n), dcount(n), percentile(n, 50) by n % 7",
    MANY "| summarize make_list(n), make_set(n)",
    MANY "| summarize by n",
    MANY "| distinct n",
    MANY "| sort by n desc",
    MANY "| top 5 by n desc",
    MANY "| top-hitters 5 of n % 100",
    MANY "| top-nested 5 of n % 100 by count(), top-nested 3 of n % 7 by sum(n)",
    MANY "| sample 5",
    MANY "| sample-distinct 5000 of n % 1000",
    MANY "| serialize x = row_number() | where x < 0",
    MANY "| extend p = prev(n), c = row_cumsum(n)",
    MANY "| mv-expand r = range(1, 1000, 1) | where n < 0",
    MANY "| mv-apply r = range(1, 1000, 1) on (summarize sum(tolong(r))) | where n < 0",
    MANY "| parse tostring(n) with a:long 'x' * | where a == 7",
    MANY "| parse-kv tostring(n) as (a:long) | where a == 7",
    MANY "| partition by n (take 1)",
    MANY "| scan with (step a: true; step b: n == a.n + 1;)",
    MANY "| reduce by tostring(n)",
    MANY "| fork (count) (summarize sum(n))",
    MANY "| facet by n",
    MANY "| search '77'",
    MANY "| make-series count() on n from 0 to 1000000000000 step 1",
    MANY "| make-series count() on n step 1000",
    MANY "| project n | as X | union X, X | where n < 0",
    MANY "| getschema | where ColumnName == ''; " MANY "| consume",
    MANY "| where n in (" MANY "| where n > 5 | project n)",
    MANY "| where n == toscalar(" MANY "| summarize max(n))",
    "let x = materialize(" MANY "); union x, x | count",
    "range t from datetime(0001-01-01) to datetime(9999-12-31) step 1tick | where t < "
    "datetime(0001-01-01)",
    "print t = datetime(2024-01-01) | make-series count() on t from datetime(0001-01-01) to "
    "datetime(9999-12-31) step 1tick",
    SOME "| join kind=inner (" SOME "| project m = n, k) on k | where n + m < 0",
    SOME "| join kind=fullouter (" SOME "| project m = n, k) on k | summarize sum(n)",
    SOME "| join kind=innerunique (" MANY "| project m = n, k = 1) on k | where m < 0",
    SOME "| lookup kind=leftouter (" SOME "| project m = n, k) on k | where n + m < 0",
    SOME "| extend r = range(1, 30000, 1) | mv-expand r | mv-expand s = range(1, 30000, 1) | where "
         "n < 0",
    SOME "| join kind=leftouter (" MANY ") on n | count",
    /* graphs */
    EDGES "| graph-match (x)-[e*1..9]->(y) where x.a == y.b project x.a",
    EDGES "| graph-match cycles=all (x)-[e*1..30]->(y) project e.n",
    EDGES "| graph-match (q)-[e]->(r)-[f]->(s)-[g]->(t)-[h]->(u) where e.n + f.n + g.n + h.n < 0 "
          "project e.n",
    EDGES "| graph-match (q)-[e]->(r), (s)-[f]->(t), (u)-[g]->(v), (w)-[h]->(z) where e.n < 0 "
          "project e.n",
    EDGES "| graph-shortest-paths output=all (x)-[e*1..30]->(y) project e.n",
    MANY "| make-graph n --> k",
    /* plugins */
    SOME "| extend a = n % 3, b = n % 5, c = n % 7, d = n % 11, e = n % 13, f = n % 2, g = n % 4, "
         "h = n % 6, i = n % 8, j = n % 9"
         " | evaluate basket(0.005)",
    SOME "| extend a = n % 3, b = n % 5, c = n % 7, d = n % 11, e = n % 13, f = n % 2, g = n % 4, "
         "h = n % 6 | evaluate "
         "autocluster(0.01)",
    SOME "| extend a = n % 3, b = n % 5, c = n % 7, d = n % 11, e = n % 13, f = tostring(n % 2) | "
         "evaluate diffpatterns(f, '0', '1')",
    SOME "| evaluate pivot(n)",
    SOME "| evaluate narrow() | evaluate narrow() | evaluate narrow()",
    SOME "| extend b = bag_pack(tostring(n), n) | evaluate bag_unpack(b)",
    MANY "| evaluate rows_near(n % 3 == 0, 1000)",
    MANY "| extend t = datetime(2024-01-01) + n * 1tick | evaluate rolling_percentile(n, 50, t, "
         "1s, 1000)",
    EVENTS "| evaluate activity_counts_metrics(u, t, " SPAN ", 1s)",
    EVENTS "| evaluate activity_metrics(u, t, " SPAN ", 1s)",
    EVENTS "| evaluate activity_engagement(u, t, " SPAN ", 1s, 1d)",
    EVENTS "| evaluate new_activity_metrics(u, t, " SPAN ", 1s)",
    EVENTS "| evaluate sliding_window_counts(u, t, " SPAN ", 1d, 1s)",
    EVENTS "| evaluate active_users_count(u, t, " SPAN ", 1d, 1s, 2, 1s)",
    EVENTS "| evaluate session_count(u, t, " SPAN ", 1s, 1d)",
    EVENTS "| evaluate sequence_detect(t, 1d, 30d, a = (n % 2 == 0), b = (n % 2 == 1), w)",
    EVENTS "| evaluate funnel_sequence_completion(u, t, " SPAN
           ", 1s, w, dynamic(['1', '2', '3']), dynamic([1s, 1d, 30d]))",
    SOME "| extend ip = strcat('10.', n % 200, '.', n % 100, '.1') | evaluate ipv4_lookup((" SOME
         "| extend net = strcat('10.', n % 200, '.', n % 100, '.0/24')), ip, net) | where n < 0",
    /* functions over much at once */
    "print strrep('a', 1000000000000)",
    "print strlen(strrep(strrep(strrep('abcdefghij', 1000), 1000), 1000))",
    "print array_length(repeat(1, 1000000000000))",
    "print array_length(range(1, 1000000000000, 1))",
    "print array_length(range(datetime(0001-01-01), datetime(9999-12-31), 1tick))",
    "print " LONG_TEXT " matches regex '(a|b|ab)*c$'",
    "print " LONG_TEXT " matches regex '(((a*)*b*)*)*c'",
    "print extract('(.*)(.*)(.*)(.*)(.*)[^ab]', 1, " LONG_TEXT ")",
    "print array_length(extract_all('(a(b?)*)', " LONG_TEXT "))",
    "print strlen(replace_regex(" LONG_TEXT ", '(a?){300}(b?){300}', 'x'))",
    "print indexof_regex(" LONG_TEXT ", '(a|b){400}c')",
    "print countof(" LONG_TEXT ", '.{0,900}', 'regex')",
    "print strlen(replace_string(" LONG_TEXT ", 'a', " LONG_TEXT "))",
    "print array_length(split(" LONG_TEXT ", 'b'))",
    "print parse_json(strrep('[', 1000000))",
    "print parse_json(strcat(strrep('{\"a\":', 100000), '1', strrep('}', 100000)))",
    "print parse_xml(strrep('<a>', 100000))",
    "print array_length(series_fir(" SERIES ", " SERIES "))",
    "print array_length(series_iir(" SERIES ", range(1.0, 2000.0, 1.0), range(1.0, 2000.0, 1.0)))",
    "print series_fft(" SERIES ")",
    "print series_periods_detect(" SERIES ", 2.0, 30000.0, 9)",
    "print series_fit_2lines(" SERIES ")",
    "print series_decompose(" SERIES ")",
    "print series_decompose_anomalies(" SERIES ", 1.5, -1, 'linefit')",
    "print series_outliers(" SERIES ")",
    "print array_length(geo_polygon_to_s2cells(" WIDE ", 30))",
    "print array_length(geo_polygon_to_h3cells(" WIDE ", 15))",
    "print array_length(geo_polygon_to_h3cells(" WIDE "))",
    "print "
    "array_length(geo_line_to_s2cells(dynamic({\"type\":\"LineString\",\"coordinates\":[[0,0],[90,"
    "80],[-90,-80]]}), 30))",
    "print geo_polygon_densify(" WIDE ", 0.1)",
    "print "
    "geo_line_densify(dynamic({\"type\":\"LineString\",\"coordinates\":[[0,0],[90,80],[-90,-80]]}),"
    " 0.1)",
    "print array_length(geo_h3cell_children('80f3fffffffffff', 15))",
    "print array_length(geo_h3cell_rings('8f2830828052d25', 1000000))",
    "print geo_polygon_buffer(" WIDE ", 100000.0)",
    "print ipv4_range_to_cidr_list('0.0.0.1', '255.255.255.254')",
    "print array_length(set_union(range(1, 500000, 1), range(2, 500001, 1)))",
    "print array_length(set_difference(range(1, 500000, 1), range(2, 500001, 1)))",
    "print jaccard_index(range(1, 500000, 1), range(2, 500001, 1))",
    "print array_length(treepath(range(1, 500000, 1)))",
    "print array_length(array_split(range(1, 100000, 1), range(1, 100000, 1)))",
    "print array_length(array_sort_asc(range(1, 500000, 1)))",
    "print strlen(tostring(bag_zip(range(1, 100000, 1), range(1, 100000, 1))))",
    "print array_length(ipv4_range_to_cidr_list('1.0.0.1', '9.255.255.254'))",
    "print "
    "strlen(gzip_decompress_from_base64_string(gzip_compress_to_base64_string(strrep(strrep('a', "
    "10000), 10000))))",
    "print strlen(translate('ab', 'xy', " LONG_TEXT "))",
    "print array_length(unicode_codepoints_from_string(" LONG_TEXT "))",
    "print array_length(parse_csv(strrep(',', 1000000)))",
    "print strlen(punycode_from_string(strrep('\\u00fc\\u4e00x', 100000)))",
    "print strlen(punycode_to_string(strrep('a-b', 100000)))",
    "print has_any_index(" LONG_TEXT ", split(strrep('x,', 100000), ','))",
};

static void ends(const char *text, size_t memory_bytes, uint32_t lanes)
{
    double seconds;
    struct rf_err err;
    enum rf_kind kind = run(text, memory_bytes, lanes, &seconds, &err);
    if (seconds > 2) fprintf(stderr, "%.1f s: %s\n", seconds, text);
    cr_expect(seconds < SECONDS_MAX, "%.1f s: %s", seconds, text);
    bool fine = kind == RF_OK || kind == RF_CANCELLED || kind == RF_LIMIT || kind == RF_INVALID;
    cr_expect(fine, "%s: %s", text, err.text);
    if (kind == RF_CANCELLED) cr_expect_str_eq(err.code, "QueryCancelled", "%s", text);
    if (kind == RF_OK) return;
    cr_expect(err.kind == kind && err.code != NULL && err.text[0] != '\0', "%s", text);
}

Test(query_cancel, a_query_ends_soon_when_it_is_told_to, .timeout = 1800)
{
    for (size_t i = 0; i < RF_COUNT(queries); i++) ends(queries[i], MEMORY_BYTES, 1 + i % 2);
}

Test(query_cancel, little_memory_is_an_error, .timeout = 1800)
{
    for (size_t i = 0; i < RF_COUNT(queries); i++) ends(queries[i], SMALL_BYTES, 1 + i % 2);
}

/* Each of these works on for ever, so they end by being told and by nothing else. */
Test(query_cancel, the_error_says_that_it_was_cancelled)
{
    static const char *const endless[] = {
        MANY "| where n < 0",
        MANY "| summarize count() by n % 7",
        MANY "| top 5 by n desc",
        MANY "| mv-expand r = range(1, 1000, 1) | where n < 0",
        SOME "| join kind=inner (" SOME "| project m = n, k) on k | where n + m < 0",
    };
    double seconds;
    struct rf_err err;
    for (size_t i = 0; i < RF_COUNT(endless); i++)
        cr_expect(run(endless[i], MEMORY_BYTES, 2, &seconds, &err) == RF_CANCELLED, "%s",
                  endless[i]);
}

/* Windows over rows need arguments of the right types: cells are read as they lie. */
Test(query_cancel, window_functions_check_their_arguments)
{
    static const char *const bad[] = {
        "print x = 'a' | serialize | extend w = row_window_session(x, 1d, 1h)",
        "print x = 1 | serialize | extend w = row_window_session(x, 1d, 1h)",
        "print x = 'a' | serialize | extend w = row_cumsum(x)",
        "print x = dynamic([1]) | serialize | extend w = row_cumsum(x)",
        "print x = 'a' | serialize | extend w = prev(x, x)",
        "print x = 'a' | serialize | extend w = row_number(x)",
        "print x = 'a' | serialize | extend w = row_number(1, x)",
        "print x = 'a' | serialize | extend w = row_rank_dense(x, x)",
    };
    double seconds;
    struct rf_err err;
    for (size_t i = 0; i < RF_COUNT(bad); i++) {
        cr_expect(run(bad[i], MEMORY_BYTES, 1, &seconds, &err) == RF_INVALID, "%s", bad[i]);
        cr_expect_str_eq(err.code, "BadArguments", "%s", bad[i]);
    }
}
