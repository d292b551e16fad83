/* cli_ingest.c - ringfort ingest: files into a table of a store; cli_upload.c sends them to a server. */
#include <signal.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "cli/cli.h"
#include "cli/cli_options.h"
#include "cli/cli_store.h"
#include "cli/cli_text.h"
#include "cli/cli_upload.h"
#include "kql/ast.h"
#include "store/table_ingest.h"

enum { SCHEMAS_BYTES_MAX = 64 << 20, PROGRESS_USEC = 200000, FILES_MAX = 65536 };
enum {
    OPT_DATA,
    OPT_TABLE,
    OPT_SCHEMA,
    OPT_SCHEMAS,
    OPT_KEY_FILE,
    OPT_REJECT,
    OPT_NO_INDEX,
    OPT_AGAIN,
    OPT_SERVER, /* and those of CLI_SERVER_OPTIONS */
    OPT_RULE = OPT_SERVER + CLI_SERVER_OPTION_COUNT,
    OPT_STREAM,
    OPT_WORKSPACE,
    OPT_PACE
};

static const struct cli_option options[] = {
    [OPT_DATA] = {"data", "DIR", "the store; made when it is not there"},
    [OPT_TABLE] = {"table", "T", "the table; made when it is not there"},
    [OPT_SCHEMA] = {"schema", "F", "take just the columns that this schema file names"},
    [OPT_SCHEMAS] = {"schemas", "DIR", "take the columns from DIR/T.json when it is there"},
    [OPT_KEY_FILE] = {"key-file", "F", "encrypt with this key: 32 bytes, or 64 hexadecimal digits"},
    [OPT_REJECT] = {"reject", "FILE",
                    "where rows go that cannot be read; DIR/T/rejected.jsonl unless given"},
    [OPT_NO_INDEX] = {"no-index", NULL,
                      "make no term index: smaller and faster to load, slower to search"},
    [OPT_AGAIN] = {"again", NULL, "load files again that were loaded before"},
    CLI_SERVER_OPTIONS(OPT_SERVER),
    [OPT_RULE] =
        {"rule", "R",
         "the collection rule on the server: its immutable id (dcr-...), name or resource id"},
    [OPT_STREAM] = {"stream", "S", "the stream of the rule; its only one unless given"},
    [OPT_WORKSPACE] = {"workspace", "NAME", "the workspace on the server that has the table"},
    [OPT_PACE] =
        {"pace", "N|live",
         "to a server: send rows N times as fast as they happened; 'live': when their time comes"},
};

static const struct cli_usage usage = {
    .command = "ingest",
    .words = "FILE|-...",
    .doc = "Loads files into a table. '-' is standard input.",
    .options = options,
    .option_count = RF_COUNT(options),
    .notes = "Files are JSON lines, JSON arrays or CSV with a header, packed by gzip or zstd or "
             "not. Without a schema the\n"
             "table's columns are used, and new ones are added as they appear, with types inferred "
             "from the rows.\n\n"
             "What was interrupted goes on where it stopped when it is started again, and a file "
             "that was loaded is not\n"
             "loaded twice (standard input cannot be known again). Rows that cannot be read are "
             "written to the reject\n"
             "file, with line and reason; the exit status is 0 all the same.\n\n"
             "With --server, --bootstrap, --rule or --workspace the records go to a server, in "
             "pieces below a megabyte. --table\n"
             "finds a rule that leads to the table, or makes one; a table that ends in _CL is made "
             "as well, with the columns\n"
             "of the first file. See 'ringfort login --help'.",
};

struct ingest_args {
    const char *data, *table, *schema, *schemas, *key_file, *reject;
    bool no_index, again;
    struct cli_pace pace;
    const char **files;
    uint32_t file_count;
    struct cli_server_args server;
    const char *rule, *stream, *workspace;
};

struct ingest_run {
    const struct ingest_args *args;
    struct rf_arena arena;
    struct rf_budget budget;
    struct store *store;
    struct extent_column *columns; /* NULL: found by the ingestion */
    uint32_t column_count;
    const char *file; /* at hand */
    const char *reject_path;
    struct rf_file *reject_file;
    struct rf_err reject_err; /* kind RF_OK: none */
    struct rf_arena reject_arena;
    bool terminal;
    rf_usec begin, shown;
    struct ingest_progress total;
    uint64_t committed_rows;
    uint32_t misfit_columns; /* of the file at hand */
    uint32_t already;
};

/* An interrupted ingestion keeps what it committed, so there is nothing to clear up but the line of progress. */
static volatile sig_atomic_t interrupted;
static void interrupt(int signal_number)
{
    (void)signal_number;
    interrupted = 1;
}

static bool asks_server(const struct ingest_args *args)
{
    return args->server.server != NULL || args->server.bootstrap != NULL ||
           args->server.ca != NULL || args->rule != NULL || args->stream != NULL ||
           args->pace.live || args->pace.speed > 0 || args->workspace != NULL;
}

static int check_args(const struct ingest_args *args)
{
    const char *local = args->data != NULL       ? "data"
                        : args->schema != NULL   ? "schema"
                        : args->schemas != NULL  ? "schemas"
                        : args->key_file != NULL ? "key-file"
                        : args->reject != NULL   ? "reject"
                        : args->no_index         ? "no-index"
                        : args->again            ? "again"
                                                 : NULL;
    if (asks_server(args)) {
        if (local != NULL)
            return cli_wrong(&usage, "--%s is for a store here, not for a server", local);
        if ((args->rule == NULL) == (args->table == NULL))
            return cli_wrong(&usage, "either --rule R or --table T is needed");
    } else {
        if (args->data == NULL) return cli_wrong(&usage, "--data DIR is needed, or --server URL");
        if (args->table == NULL) return cli_wrong(&usage, "--table T is needed");
    }
    if (args->file_count == 0)
        return cli_wrong(&usage, "a file is needed, or - for standard input");
    return CLI_OK;
}

static int read_args(int argc, char **argv, struct ingest_args *args)
{
    struct cli_line line = cli_line_of(&usage, argc, argv);
    for (int at; (at = cli_next(&line)) != CLI_END;) {
        switch (at) {
        case OPT_DATA:
            args->data = line.value;
            break;
        case OPT_TABLE:
            args->table = line.value;
            break;
        case OPT_SCHEMA:
            args->schema = line.value;
            break;
        case OPT_SCHEMAS:
            args->schemas = line.value;
            break;
        case OPT_KEY_FILE:
            args->key_file = line.value;
            break;
        case OPT_REJECT:
            args->reject = line.value;
            break;
        case OPT_NO_INDEX:
            args->no_index = true;
            break;
        case OPT_AGAIN:
            args->again = true;
            break;
        case CLI_WORD:
            args->files[args->file_count++] = line.value;
            break;
        case OPT_RULE:
            args->rule = line.value;
            break;
        case OPT_STREAM:
            args->stream = line.value;
            break;
        case OPT_WORKSPACE:
            args->workspace = line.value;
            break;
        case OPT_PACE:
            if (!cli_pace_parse(rf_str_of(line.value), &args->pace))
                return cli_wrong(&usage, "--pace must be 'live' or a number above 0, not '%s'",
                                 line.value);
            break;
        case CLI_HELP:
            return CLI_HELP;
        default:
            if (!cli_server_option(at, OPT_SERVER, line.value, &args->server)) return CLI_WRONG_USE;
        }
    }
    return check_args(args);
}

/* ---- rejected rows -------------------------------------------------------------------------------------------- */

static enum rf_kind write_reject(struct ingest_run *run, const struct reader_reject *reject,
                                 struct rf_err *err)
{
    if (run->reject_file == NULL)
        RF_TRY(rf_fs_open(rf_fs_real(), run->reject_path,
                          RF_OPEN_WRITE | RF_OPEN_CREATE | RF_OPEN_APPEND, &run->reject_file, err));
    rf_arena_reset(&run->reject_arena);
    struct rf_buf buf = rf_buf_in(&run->reject_arena);
    rf_buf_str(&buf, RF_S("{\"file\":"));
    json_put_string(&buf, rf_str_of(run->file));
    rf_buf_printf(&buf,
                  ",\"line\":%llu,\"offset\":%llu,\"reason\":", (unsigned long long)reject->line,
                  (unsigned long long)reject->offset);
    json_put_string(&buf, rf_str_of(reject->reason));
    rf_buf_str(&buf, RF_S(",\"text\":"));
    json_put_string(&buf, reject->text);
    rf_buf_str(&buf, RF_S("}\n"));
    if (buf.failed) return rf_fail_memory(err, &run->reject_arena);
    return rf_file_write(run->reject_file, buf.ptr, buf.len, err);
}

static void on_reject(void *state, const struct reader_reject *reject)
{
    struct ingest_run *run = state;
    struct rf_err err = {0};
    if (run->reject_err.kind != RF_OK) return;
    if (write_reject(run, reject, &err) != RF_OK) run->reject_err = err;
}

/* ---- progress ---------------------------------------------------------------------------------------------------- */

static double seconds_since(rf_usec begin)
{
    return RF_MAX((double)(rf_clock_elapsed(rf_clock_real()) - begin) / RF_USEC_PER_SECOND, 1e-6);
}

static bool on_progress(void *state, const struct ingest_progress *p)
{
    struct ingest_run *run = state;
    rf_usec now = rf_clock_elapsed(rf_clock_real());
    if (interrupted || run->reject_err.kind != RF_OK) return false;
    if (!run->terminal || now - run->shown < PROGRESS_USEC) return true;
    run->shown = now;
    double seconds = seconds_since(run->begin);
    uint64_t rows = run->total.rows + p->rows, bytes = run->total.text_bytes + p->text_bytes;
    fprintf(stderr, "\r\x1b[K%llu rows, %.0f rows/s, %.0f MB/s", (unsigned long long)rows,
            (double)rows / seconds, (double)bytes / 1e6 / seconds);
    if (p->raw_bytes > 0 && p->raw_offset > 0) {
        double share = (double)p->raw_offset / (double)p->raw_bytes;
        double left = seconds_since(run->begin) * (1 - share) / share;
        fprintf(stderr, ", %.0f %%, %.0f s left", share * 100, left);
    }
    fflush(stderr);
    return true;
}

static void clear_progress(const struct ingest_run *run)
{
    if (run->terminal && run->shown != 0) fputs("\r\x1b[K", stderr);
}

/* ---- values that did not fit ---------------------------------------------------------------------------------- */

static void on_misfits(void *state, const struct reader_column *column,
                       const struct reader_misfits *misfits)
{
    struct ingest_run *run = state;
    if (run->misfit_columns == 0) clear_progress(run);
    if (run->misfit_columns++ < CLI_MISFIT_COLUMNS)
        cli_say_misfits(run->file, column->name, (enum type)column->type, misfits);
}

/* ---- running ------------------------------------------------------------------------------------------------------ */

static enum rf_kind use_schema(struct ingest_run *run, const struct cli_schema *schema,
                               struct rf_err *err)
{
    run->columns = rf_arena_new(&run->arena, struct extent_column, schema->column_count);
    if (run->columns == NULL) return rf_fail_memory(err, &run->arena);
    for (uint32_t i = 0; i < schema->column_count; i++)
        run->columns[i] = (struct extent_column){.name = schema->columns[i].name,
                                                 .type = schema->columns[i].type};
    run->column_count = schema->column_count;
    return RF_OK;
}

static enum rf_kind find_schema(struct ingest_run *run, struct rf_err *err)
{
    const struct ingest_args *args = run->args;
    struct cli_catalog catalog = cli_catalog_in(&run->arena);
    struct cli_schema schema;
    const char *path = args->schema;
    if (path == NULL && args->schemas != NULL) {
        rf_str named = rf_arena_printf(&run->arena, "%s/%s.json", args->schemas, args->table);
        if (named.ptr == NULL) return rf_fail_memory(err, &run->arena);
        if (rf_fs_exists(rf_fs_real(), (const char *)named.ptr)) path = (const char *)named.ptr;
    }
    if (path == NULL) return RF_OK;
    RF_TRY(cli_catalog_read_schema(&catalog, path, &schema, err));
    return use_schema(run, &schema, err);
}

static enum rf_kind open_run(struct ingest_run *run, struct rf_err *err)
{
    const struct ingest_args *args = run->args;
    const char *folder;
    rf_budget_init(&run->budget, CLI_STORE_BYTES_MAX);
    RF_TRY(find_schema(run, err));
    struct store_options store = {
        .budget = &run->budget, .writer = true, .no_term_index = args->no_index};
    RF_TRY(cli_store_open(args->data, args->key_file, store, &run->store, err));
    RF_TRY(store_table_folder(run->store, rf_str_of(args->table), &run->arena, &folder, err));
    run->reject_path = args->reject;
    if (args->reject != NULL) return RF_OK;
    rf_str path = rf_arena_printf(&run->arena, "%s/rejected.jsonl", folder);
    run->reject_path = (const char *)path.ptr;
    return path.ptr == NULL ? rf_fail_memory(err, &run->arena) : RF_OK;
}

static void say_recovery(const struct ingest_run *run, const struct table_recovery *recovery)
{
    if (recovery->journal_tail_bytes > 0)
        rf_log(RF_WARN, "journal.tail_cut", RF_KV_STR("table", rf_str_of(run->args->table)),
               RF_KV_U64("lost_bytes", recovery->journal_tail_bytes));
    if (recovery->files_removed > 0)
        rf_log(RF_INFO, "table.orphans_removed", RF_KV_STR("table", rf_str_of(run->args->table)),
               RF_KV_U64("files", recovery->files_removed));
}

static enum rf_kind ingest_file(struct ingest_run *run, const char *path, struct rf_err *err)
{
    bool piped = strcmp(path, "-") == 0;
    struct ingest_options o = {
        .store = run->store,
        .table = rf_str_of(run->args->table),
        .input = {.path = path},
        .columns = run->columns,
        .column_count = run->column_count,
        .again = run->args->again,
        .reject = on_reject,
        .misfits = on_misfits,
        .progress = on_progress,
        .state = run,
    };
    const char *slash = strrchr(path, '/');
    if (!piped) o.name = rf_str_of(slash == NULL ? path : slash + 1);
    run->file = path;
    run->misfit_columns = 0;
    struct ingest_result result;
    enum rf_kind kind = table_ingest(&o, &result, err);
    clear_progress(run);
    if (run->misfit_columns > CLI_MISFIT_COLUMNS)
        cli_say("%s: %u more columns have such values", path,
                run->misfit_columns - CLI_MISFIT_COLUMNS);
    say_recovery(run, &result.recovery);
    if (kind == RF_CANCELLED && run->reject_err.kind != RF_OK) *err = run->reject_err;
    run->committed_rows += result.committed_rows;
    run->total.rows += result.progress.rows;
    run->total.rejected += result.progress.rejected;
    run->total.text_bytes += result.progress.text_bytes;
    if (kind != RF_OK) return err->kind;
    if (result.already)
        cli_say("%s: already ingested", path);
    else if (result.resumed_rows > 0)
        cli_say("%s: went on behind the %llu rows ingested before", path,
                (unsigned long long)result.resumed_rows);
    if (result.fields_left_out > 0)
        cli_say("%s: %llu different fields are left out; the table has as many columns as are made "
                "without a schema",
                path, (unsigned long long)result.fields_left_out);
    run->already += result.already;
    return RF_OK;
}

static void say_end(struct ingest_run *run)
{
    struct table *table;
    char in[24], out[24];
    double seconds = seconds_since(run->begin);
    struct table_stats stats = {0};
    if (table_open(run->store, rf_str_of(run->args->table), &table, NULL) == RF_OK) {
        stats = table_stats(table);
        table_close(table);
    }
    printf("%llu rows, %s in %.1f s, %.1f MB/s; the table has %llu rows and takes %s on disk\n",
           (unsigned long long)run->total.rows, cli_size_text(run->total.text_bytes, in), seconds,
           (double)run->total.text_bytes / 1e6 / seconds, (unsigned long long)stats.row_count,
           cli_size_text(stats.disk_bytes, out));
    if (run->total.rejected > 0)
        cli_say("%llu row%s could not be read: see %s", (unsigned long long)run->total.rejected,
                run->total.rejected == 1 ? "" : "s", run->reject_path);
}

static int ingest(struct ingest_run *run)
{
    struct rf_err err = {0};
    struct sigaction action = {.sa_handler = interrupt};
    (void)sigaction(SIGINT, &action, NULL);
    (void)sigaction(SIGTERM, &action, NULL);
    enum rf_kind kind = open_run(run, &err);
    for (uint32_t i = 0; i < run->args->file_count && kind == RF_OK; i++)
        kind = ingest_file(run, run->args->files[i], &err);
    if (kind == RF_OK) {
        say_end(run);
        return CLI_OK;
    }
    (void)cli_say_error(&err, (rf_str){NULL, 0}, NULL);
    if (run->committed_rows > 0)
        cli_say("what was committed is kept; the same command goes on from there");
    return CLI_FAILED;
}

static int send_to_server(const struct ingest_args *args)
{
    struct cli_upload_args upload = {.server = args->server,
                                     .rule = args->rule,
                                     .stream = args->stream,
                                     .table = args->table,
                                     .workspace = args->workspace,
                                     .files = args->files,
                                     .file_count = args->file_count,
                                     .pace = args->pace};
    return cli_upload(&upload);
}

int cli_ingest(int argc, char **argv)
{
    struct ingest_args args = {.files = calloc((size_t)argc + 1, sizeof(char *))};
    if (args.files == NULL) {
        cli_say("no memory for the names of %d files", argc);
        return CLI_FAILED;
    }
    int status = read_args(argc, argv, &args);
    if (status == CLI_OK && asks_server(&args)) {
        status = send_to_server(&args);
    } else if (status == CLI_OK) {
        struct ingest_run run = {.args = &args, .terminal = cli_is_terminal(stderr)};
        run.begin = rf_clock_elapsed(rf_clock_real());
        rf_arena_init(&run.arena, SCHEMAS_BYTES_MAX);
        rf_arena_init(&run.reject_arena, 1 << 20);
        status = ingest(&run);
        rf_file_close(run.reject_file);
        store_close(run.store);
        rf_arena_done(&run.reject_arena);
        rf_arena_done(&run.arena);
    }
    free(args.files);
    return status == CLI_HELP ? CLI_OK : status;
}
