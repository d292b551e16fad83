
#include "base/clock.h"
#include "base/json.h"
#include "base/json_out.h"
#include "cli/cli.h"
#include "cli/cli_answer.h"
#include "cli/cli_catalog.h"
#include "cli/cli_command.h"
#include "cli/cli_format.h"
#include "cli/cli_server.h"
#include "kql/command.h"
#include "value/text.h"

enum { CATALOG_BYTES_MAX = 2000 << 20, QUERY_BYTES_MAX = 16 << 20 };

enum {
    OPT_DATA,
    OPT_KEY_FILE,
    OPT_FILE,
    OPT_TABLES,
    OPT_SCHEMAS,
    OPT_FUNCTIONS,
    OPT_WATCHLISTS,
    OPT_EXTERNAL,
    OPT_FORMAT,
    OPT_TIMESPAN,
    OPT_NOW,
    OPT_MAX_MEMORY,
    OPT_STATS,
    OPT_EXPLAIN,
    OPT_SERVER, /* and those of CLI_SERVER_OPTIONS */
    OPT_WORKSPACE = OPT_SERVER + CLI_SERVER_OPTION_COUNT
};

static const struct cli_option options[] = {
    [OPT_DATA] = {"data", "DIR", "the tables of the store in DIR, made by 'ringfort ingest'"},
    [OPT_KEY_FILE] = {"key-file", "F", "the key of the store, when it is encrypted"},
    [OPT_FILE] =
        {"file", "F[=NAME]",
         "make the file F a table; its name is the file name's first part; - is standard input"},
    [OPT_TABLES] = {"tables", "DIR", "make every data file in DIR a table"},
    [OPT_SCHEMAS] =
        {"schemas", "DIR",
         "know the tables that the NAME.json files in DIR describe; without data they are empty"},
    [OPT_FUNCTIONS] = {"functions", "PATH",
                       "know the saved functions of a file or folder (docs/rule-tests.md)"},
    [OPT_WATCHLISTS] = {"watchlists", "PATH",
                        "know the watchlists of a folder of NAME.csv files, or of one file"},
    [OPT_EXTERNAL] =
        {"external", "PLACE",
         "let externaldata read this folder, or this host over HTTPS; may be repeated"},
    [OPT_FORMAT] =
        {"format", "FORMAT",
         "table, json, jsonl, csv, markdown or chart; table on a terminal, csv otherwise"},
    [OPT_TIMESPAN] = {"timespan", "SPAN",
                      "only rows whose TimeGenerated lies in it: P1D, PT2H, FROM/TO, FROM/P1D"},
    [OPT_NOW] = {"now", "TIME", "what now() says: 2025-01-31T12:00:00Z"},
    [OPT_MAX_MEMORY] = {"max-memory", "N", "memory of the query: 512M, 2G; 4G unless given"},
    [OPT_STATS] = {"stats", NULL, "say on standard error what the query took"},
    [OPT_EXPLAIN] = {"explain", NULL, "print the plan instead of running it"},
    CLI_SERVER_OPTIONS(OPT_SERVER),
    [OPT_WORKSPACE] = {"workspace", "NAME", "the workspace of the server to ask: name or id"},
};

static const struct cli_usage usage = {
    .command = "query",
    .words = "KQL|-",
    .doc = "Runs a query over files and stores, or on a server. The query is the word after the "
           "options, or "
           "standard input when that is '-'.",
    .options = options,
    .option_count = RF_COUNT(options),
    .notes = "Files may be JSON lines, a JSON array or CSV with a header, packed by gzip or zstd. "
             "A field's type is inferred\n"
             "from all rows of its file, unless a schema file NAME.json lies beside the data or in "
             "--schemas.\n\n"
             "  ringfort query --file logons.jsonl.gz 'logons | where EventID == 4625 | summarize "
             "count() by Account'\n"
             "  ringfort query --tables data/ --format chart 'Flow | summarize sum(Bytes) by "
             "bin(TimeGenerated, 1h) | render timechart'\n\n"
             "A text that begins with a dot is a management command (docs/commands.md); those that "
             "change something need --data or a server.\n\n"
             "  ringfort query --data store '.show tables details | top 5 by TotalRowCount'\n\n"
             "A server is asked when --server, --bootstrap or --workspace is given; see 'ringfort "
             "login --help'.\n\n"
             "  ringfort query --bootstrap bootstrap.json 'Heartbeat | take 10'",
};

struct query_args {
    const char *files[256];
    size_t file_count;
    const char *tables[16];
    size_t table_count;
    const char *external[16];
    size_t external_count;
    const char *data, *key_file, *schemas, *functions, *watchlists, *timespan, *now, *text,
        *workspace;
    struct cli_server_args server;
    enum cli_format format;
    size_t memory_bytes;
    bool stats, explain;
};

static int bad_value(const char *option, const char *value, const char *expected)
{
    return cli_wrong(&usage, "--%s: '%s' is not %s", option, value, expected);
}

/* CLI_OK, or the status to leave with; CLI_HELP when help was printed. */
static int read_args(int argc, char **argv, struct query_args *args)
{
    struct cli_line line = cli_line_of(&usage, argc, argv);
    for (int at; (at = cli_next(&line)) != CLI_END;) {
        switch (at) {
        case OPT_DATA:
            args->data = line.value;
            break;
        case OPT_KEY_FILE:
            args->key_file = line.value;
            break;
        case OPT_FILE:
            if (args->file_count == RF_COUNT(args->files))
                return cli_wrong(&usage, "more than 256 files; use --tables");
            args->files[args->file_count++] = line.value;
            break;
        case OPT_TABLES:
            if (args->table_count == RF_COUNT(args->tables))
                return cli_wrong(&usage, "more than 16 folders of tables");
            args->tables[args->table_count++] = line.value;
            break;
        case OPT_EXTERNAL:
            if (args->external_count == RF_COUNT(args->external))
                return cli_wrong(&usage, "more than 16 places outside");
            args->external[args->external_count++] = line.value;
            break;
        case OPT_SCHEMAS:
            args->schemas = line.value;
            break;
        case OPT_FUNCTIONS:
            args->functions = line.value;
            break;
        case OPT_WATCHLISTS:
            args->watchlists = line.value;
            break;
        case OPT_FORMAT:
            if (!cli_format_parse(line.value, &args->format))
                return bad_value("format", line.value,
                                 "table, json, jsonl, csv, markdown or chart");
            break;
        case OPT_TIMESPAN:
            args->timespan = line.value;
            break;
        case OPT_NOW:
            args->now = line.value;
            break;
        case OPT_MAX_MEMORY:
            if (!cli_parse_bytes(line.value, &args->memory_bytes))
                return bad_value("max-memory", line.value, "a number of bytes such as 512M or 2G");
            break;
        case OPT_STATS:
            args->stats = true;
            break;
        case OPT_EXPLAIN:
            args->explain = true;
            break;
        case OPT_WORKSPACE:
            args->workspace = line.value;
            break;
        case CLI_WORD:
            if (args->text != NULL)
                return cli_wrong(&usage, "two queries; put quotes around the whole query");
            args->text = line.value;
            break;
        case CLI_HELP:
            return CLI_HELP;
        default:
            if (!cli_server_option(at, OPT_SERVER, line.value, &args->server)) return CLI_WRONG_USE;
        }
    }
    if (args->text != NULL) return CLI_OK;
    (void)cli_wrong(&usage, "a query is needed, or - to read it from standard input");
    return CLI_WRONG_USE;
}

static bool asks_server(const struct query_args *args)
{
    return args->server.server != NULL || args->server.bootstrap != NULL ||
           args->server.ca != NULL || args->workspace != NULL;
}

/* Options of a query that runs here. */
static int check_server_args(const struct query_args *args)
{
    const char *local = args->data != NULL         ? "data"
                        : args->key_file != NULL   ? "key-file"
                        : args->file_count > 0     ? "file"
                        : args->table_count > 0    ? "tables"
                        : args->schemas != NULL    ? "schemas"
                        : args->external_count > 0 ? "external"
                        : args->now != NULL        ? "now"
                        : args->memory_bytes != 0  ? "max-memory"
                        : args->explain            ? "explain"
                                                   : NULL;
    if (local == NULL) return CLI_OK;
    return cli_wrong(&usage, "--%s is for queries that run here, not on a server", local);
}

static enum rf_kind read_text(const char *word, struct rf_arena *arena, rf_str *out,
                              struct rf_err *err)
{
    if (strcmp(word, "-") != 0) {
        *out = rf_str_of(word);
        return RF_OK;
    }
    struct rf_buf buf = rf_buf_in(arena);
    uint8_t bytes[64 * 1024];
    for (size_t got; (got = fread(bytes, 1, sizeof bytes, stdin)) > 0;) {
        rf_buf_put(&buf, bytes, got);
        if (buf.len > QUERY_BYTES_MAX)
            return RF_FAIL(err, RF_LIMIT, "QueryTooLong", "the query is longer than %d MB",
                           QUERY_BYTES_MAX >> 20);
    }
    if (ferror(stdin) != 0)
        return RF_FAIL_ERRNO(err, "InputFailed", "standard input cannot be read");
    if (buf.failed) return rf_fail_memory(err, arena);
    *out = rf_buf_view(&buf);
    return RF_OK;
}

static enum rf_kind add_tables(struct cli_catalog *catalog, const struct query_args *args,
                               rf_str text, struct rf_err *err)
{
    if (args->functions != NULL) RF_TRY(cli_catalog_add_functions(catalog, args->functions, err));
    if (args->watchlists != NULL)
        RF_TRY(cli_catalog_add_watchlists(catalog, args->watchlists, err));
    if (args->schemas != NULL) RF_TRY(cli_catalog_add_schemas(catalog, args->schemas, err));
    for (size_t i = 0; i < args->file_count; i++)
        RF_TRY(cli_catalog_add_file(catalog, args->files[i], err));
    for (size_t i = 0; i < args->table_count; i++) {
        enum rf_kind kind = cli_catalog_add_folder(catalog, args->tables[i], err);
        /* A query that needs no table runs all the same; one that does will say which it misses. */
        if (kind == RF_NOT_FOUND)
            cli_say("warning: the folder %s of --tables is not there", args->tables[i]);
        else if (kind != RF_OK)
            return kind;
    }
    if (args->data != NULL) {
        enum rf_kind kind = cli_catalog_add_store(catalog, args->data, args->key_file, err);
        /* The first command makes the store. */
        if (kind != RF_NOT_FOUND || !command_is(text, NULL)) RF_TRY(kind);
    }
    for (size_t i = 0; i < args->external_count; i++)
        RF_TRY(cli_catalog_allow(catalog, args->external[i], err));
    return cli_catalog_finish(catalog, err);
}

static void say_stats(const struct kql_stats *stats, rf_usec elapsed)
{
    cli_say("%.3f s, %.3f s of CPU, %llu rows and %.1f MB read, %.1f MB of memory at most",
            (double)elapsed / RF_USEC_PER_SECOND, (double)rf_clock_cpu() / RF_USEC_PER_SECOND,
            (unsigned long long)stats->rows_scanned, (double)stats->bytes_scanned / 1e6,
            (double)stats->memory_peak_bytes / 1e6);
}

static struct kql_sink *new_sink(const struct query_args *args, struct rf_arena *arena)
{
    struct cli_output output = {.file = stdout, .format = args->format, .width = UINT32_MAX};
    bool terminal = cli_is_terminal(stdout);
    if (args->format == CLI_FORMAT_COUNT) output.format = terminal ? CLI_TABLE : CLI_CSV;
    output.colour = cli_has_colour(stdout);
    if (terminal || output.format == CLI_CHART) output.width = cli_width(stdout);
    return cli_sink_new(&output, arena);
}

static enum rf_kind run(const struct kql_request *request, const struct query_args *args,
                        struct cli_catalog *catalog, struct rf_arena *arena, struct rf_err *err)
{
    if (args->explain && !command_is(request->text, NULL)) {
        rf_str plan;
        RF_TRY(kql_explain(request, arena, &plan, err));
        printf("%.*s", RF_FMT(plan));
        return RF_OK;
    }
    struct kql_sink *sink = new_sink(args, arena);
    if (sink == NULL) return rf_fail_memory(err, arena);
    rf_usec begin = rf_clock_elapsed(rf_clock_real());
    struct kql_stats stats = {0};
    struct cli_management command = {.catalog = catalog,
                                     .data = args->data,
                                     .key_file = args->key_file,
                                     .request = request,
                                     .arena = arena};
    enum rf_kind kind = command_is(request->text, NULL)
                            ? cli_management_run(&command, sink, &stats, err)
                            : kql_run(request, sink, &stats, err);
    if (kind == RF_OK) kind = cli_sink_finish(sink, err);
    cli_sink_done(sink);
    if (stats.warning.code != NULL) cli_say("warning: %s", stats.warning.text);
    if (args->stats) say_stats(&stats, rf_clock_elapsed(rf_clock_real()) - begin);
    return kind;
}

/* ---- on a server ------------------------------------------------------------------------------------------------ */

static enum rf_kind post_query(struct cli_server *server, const struct query_args *args,
                               rf_str text, struct rf_arena *arena, struct http_answer *out,
                               struct rf_err *err)
{
    rf_str workspace;
    RF_TRY(cli_server_workspace(server, args->workspace, arena, &workspace, NULL, err));
    rf_str target =
        rf_arena_printf(arena, "/v1/workspaces/%.*s/query", RF_FMT(cli_url_path(arena, workspace)));
    struct rf_buf body = rf_buf_in(arena);
    struct json_out json = json_out_to(&body);
    json_begin_object(&json, NULL);
    json_put_text(&json, "query", text);
    if (args->timespan != NULL) json_put_text(&json, "timespan", rf_str_of(args->timespan));
    json_end_object(&json);
    if (body.failed || target.ptr == NULL) return rf_fail_memory(err, arena);
    struct cli_call call = {.method = "POST",
                            .target = target,
                            .body = rf_buf_view(&body),
                            .prefer = args->stats
                                          ? "wait=600, include-render=true, include-statistics=true"
                                          : "wait=600, include-render=true"};
    return cli_server_call(server, &call, arena, out, err);
}

/* {"Tables":[{"TableName","Columns":[{"ColumnName","ColumnType"}],"Rows"}]} as the query API would have said it. */
static enum rf_kind as_query_answer(rf_str body, struct rf_arena *arena, rf_str *out,
                                    struct rf_err *err)
{
    struct json_node *answer;
    struct rf_buf buf = rf_buf_in(arena);
    struct json_out json = json_out_to(&buf);
    RF_TRY(json_parse(body, arena, &answer, err));
    const struct json_node *tables = json_get(answer, "Tables");
    const struct json_node *table = json_is(tables, JSON_T_ARRAY) ? tables->first : NULL;
    const struct json_node *columns = json_get(table, "Columns");
    if (!json_is(columns, JSON_T_ARRAY) || !json_is(json_get(table, "Rows"), JSON_T_ARRAY))
        return RF_FAIL(err, RF_INVALID, "BadAnswer", "the server's answer has no table");
    json_begin_object(&json, NULL);
    json_begin_array(&json, "tables");
    json_begin_object(&json, NULL);
    json_put_text(&json, "name", RF_S("PrimaryResult"));
    json_begin_array(&json, "columns");
    for (const struct json_node *c = columns->first; c != NULL; c = c->next) {
        json_begin_object(&json, NULL);
        json_put_text(&json, "name", json_text_at(c, "ColumnName"));
        json_put_text(&json, "type", json_text_at(c, "ColumnType"));
        json_end_object(&json);
    }
    json_end_array(&json);
    json_put_node(&json, "rows", json_get(table, "Rows"));
    json_end_object(&json);
    json_end_array(&json);
    json_end_object(&json);
    if (buf.failed) return rf_fail_memory(err, arena);
    *out = rf_buf_view(&buf);
    return RF_OK;
}

/* A management command goes where Kusto's clients send theirs. */
static enum rf_kind post_command(struct cli_server *server, const struct query_args *args,
                                 rf_str text, struct rf_arena *arena, struct http_answer *out,
                                 struct rf_err *err)
{
    rf_str workspace;
    struct rf_buf body = rf_buf_in(arena);
    struct json_out json = json_out_to(&body);
    RF_TRY(cli_server_workspace(server, args->workspace, arena, &workspace, NULL, err));
    json_begin_object(&json, NULL);
    json_put_text(&json, "db", workspace);
    json_put_text(&json, "csl", text);
    json_end_object(&json);
    if (body.failed) return rf_fail_memory(err, arena);
    struct cli_call call = {
        .method = "POST", .target = RF_S("/v1/rest/mgmt"), .body = rf_buf_view(&body)};
    RF_TRY(cli_server_call(server, &call, arena, out, err));
    return as_query_answer(out->body, arena, &out->body, err);
}

static enum rf_kind print_answer(const struct query_args *args, const struct cli_answer *answer,
                                 struct rf_arena *arena, struct rf_err *err)
{
    struct kql_sink *sink = new_sink(args, arena);
    if (sink == NULL) return rf_fail_memory(err, arena);
    enum rf_kind kind = cli_answer_push(answer, sink, arena, err);
    if (kind == RF_OK) kind = cli_sink_finish(sink, err);
    cli_sink_done(sink);
    /* What there is of the result is printed, and then why it is not all. */
    if (kind == RF_OK && answer->error != NULL) kind = cli_server_fault(200, answer->error, err);
    return kind;
}

static enum rf_kind run_on_server(const struct query_args *args, rf_str text,
                                  struct rf_arena *arena, struct rf_err *err)
{
    struct cli_server *server;
    struct http_answer http;
    struct cli_answer answer;
    rf_usec begin = rf_clock_elapsed(rf_clock_real());
    RF_TRY(cli_server_open(&args->server, &server, err));
    enum rf_kind kind = command_is(text, NULL) ? post_command(server, args, text, arena, &http, err)
                                               : post_query(server, args, text, arena, &http, err);
    cli_server_close(server);
    if (kind == RF_OK) kind = cli_answer_parse(http.body, arena, &answer, err);
    if (kind == RF_OK) kind = print_answer(args, &answer, arena, err);
    if (kind != RF_OK || !args->stats) return kind;
    const struct json_node *spent = json_at(answer.statistics, "query.executionTime");
    rf_str seconds = spent != NULL ? spent->text : (rf_str){NULL, 0};
    cli_say("%.3f s, %.*s s of them on the server",
            (double)(rf_clock_elapsed(rf_clock_real()) - begin) / RF_USEC_PER_SECOND,
            RF_FMT(seconds));
    return RF_OK;
}

/* ---- the command -------------------------------------------------------------------------------------------------- */

static int64_t present_ticks(void)
{
    return DATETIME_UNIX_EPOCH + rf_clock_now(rf_clock_real()) * TICKS_PER_MICROSECOND;
}

int cli_query(int argc, char **argv)
{
    struct query_args args = {.format = CLI_FORMAT_COUNT};
    int status = read_args(argc, argv, &args);
    if (status == CLI_OK && asks_server(&args)) status = check_server_args(&args);
    if (status != CLI_OK) return status == CLI_HELP ? CLI_OK : status;
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, CATALOG_BYTES_MAX);
    struct kql_request request = {.memory_bytes = args.memory_bytes,
                                  .now_ticks = present_ticks(),
                                  .lane_count = cli_workers()};
    if (args.now != NULL && !text_to_datetime(rf_str_of(args.now), &request.now_ticks))
        return bad_value("now", args.now, "a date and time");
    if (args.timespan != NULL) {
        request.has_timespan = true;
        if (!cli_parse_timespan(rf_str_of(args.timespan), request.now_ticks, &request.from_ticks,
                                &request.to_ticks))
            return bad_value("timespan", args.timespan,
                             "a duration such as P1D or PT2H, or FROM/TO");
    }
    struct rf_err err = {0};
    struct cli_catalog catalog = cli_catalog_in(&arena);
    enum rf_kind kind = read_text(args.text, &arena, &request.text, &err);
    if (kind == RF_OK && asks_server(&args)) {
        kind = run_on_server(&args, request.text, &arena, &err);
        return kind == RF_OK ? CLI_OK : cli_say_error(&err, request.text, NULL);
    }
    if (kind == RF_OK) kind = add_tables(&catalog, &args, request.text, &err);
    if (kind != RF_OK) {
        cli_catalog_done(&catalog);
        return cli_say_error(&err, (rf_str){NULL, 0}, NULL);
    }
    request.catalog = &catalog.catalog;
    kind = run(&request, &args, &catalog, &arena, &err);
    cli_catalog_say_rejects(&catalog);
    cli_catalog_done(&catalog);
    return kind == RF_OK ? CLI_OK : cli_say_error(&err, request.text, NULL);
}
