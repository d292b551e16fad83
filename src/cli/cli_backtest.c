/* cli_backtest.c - ringfort backtest: what rules would have raised over data that is there. */
#include "base/fs.h"
#include "base/log.h"
#include "cli/cli.h"
#include "cli/cli_catalog.h"
#include "cli/cli_options.h"
#include "cli/cli_text.h"
#include "lab/backtest.h"
#include "lab/test.h"

enum { BACKTEST_BYTES_MAX = 2000 << 20, BAR_WIDTH = 50 };
#define BACKTEST_BYTES ((size_t)8 << 30)
enum {
    OPT_DATA,
    OPT_STORE,
    OPT_KEY_FILE,
    OPT_SCHEMAS,
    OPT_FUNCTIONS,
    OPT_WATCHLISTS,
    OPT_FROM,
    OPT_TO,
    OPT_DELAY,
    OPT_FORMAT,
    OPT_JSON
};

static const struct cli_option options[] = {
    [OPT_DATA] = {"data", "F[=NAME]|DIR", "a file as a table, or every data file of a folder"},
    [OPT_STORE] = {"store", "DIR", "the tables of the store in DIR, made by 'ringfort ingest'"},
    [OPT_KEY_FILE] = {"key-file", "F", "the key of the store, when it is encrypted"},
    [OPT_SCHEMAS] = {"schemas", "DIR", "the columns of tables, as NAME.json files"},
    [OPT_FUNCTIONS] = {"functions", "PATH", "saved functions: a file, or a folder of them"},
    [OPT_WATCHLISTS] = {"watchlists", "PATH", "watchlists: NAME.csv, or a folder of them"},
    [OPT_FROM] = {"from", "TIME", "where the clock starts; where the data does unless given"},
    [OPT_TO] = {"to", "TIME", "where the clock ends; behind the data unless given"},
    [OPT_DELAY] = {"delay", "DURATION", "between the end of a rule's window and its run: 30s"},
    [OPT_FORMAT] = {"format", "FORMAT", "text or json"},
    [OPT_JSON] = {"json", NULL, "the same as --format json"},
};

static const struct cli_usage usage = {
    .command = "backtest",
    .words = "RULE|DIR...",
    .doc = "Runs rules over data that is there, as the server would have, and shows alerts and "
           "incidents by day, with grouping and\nsuppression applied.",
    .options = options,
    .option_count = RF_COUNT(options),
    .notes =
        "Rows arrive at their TimeGenerated. Exit status 1 when a rule could not be run.\n\n"
        "  ringfort backtest rules/spray.yaml --store store/ --from 2024-05-01 --to 2024-06-01\n"
        "  ringfort backtest rules/ --data telemetry/ --json\n",
};

struct backtest_args {
    const char *store, *key_file;
    const char **words, **data, **schemas, **functions, **lists;
    uint32_t word_count, data_count, schema_count, function_count, list_count;
    bool json;
};

struct backtest {
    struct rf_arena *arena;
    struct backtest_args args;
    struct lab_backtest lab;
    struct lab_rules rules;
    struct cli_catalog catalog;
    bool colour;
};

/* ---- text ----------------------------------------------------------------------------------------------------------------- */

static int64_t number_at(const struct json_node *object, const char *name)
{
    int64_t n = 0;
    (void)json_i64_at(object, name, &n);
    return n;
}

static void print_days(const struct backtest *b, const struct json_node *rule)
{
    int64_t most = 1;
    const struct json_node *days = json_get(rule, "days");
    for (const struct json_node *d = days->first; d != NULL; d = d->next)
        most = RF_MAX(most, number_at(d, "alerts") + number_at(d, "suppressed"));
    printf("    day         alerts  incidents  suppressed\n");
    for (const struct json_node *d = days->first; d != NULL; d = d->next) {
        int64_t alerts = number_at(d, "alerts"), kept_back = number_at(d, "suppressed");
        int64_t bar = (alerts * BAR_WIDTH + most - 1) / most;
        int64_t light = (kept_back * BAR_WIDTH + most - 1) / most;
        printf("    %.*s  %6lld  %9lld  %10lld  ", RF_FMT(json_text_at(d, "day")),
               (long long)alerts, (long long)number_at(d, "incidents"), (long long)kept_back);
        if (b->colour) printf("\x1b[36m");
        for (int64_t i = 0; i < bar; i++) printf("█");
        if (b->colour) printf("\x1b[0m");
        for (int64_t i = 0; i < light; i++) printf("░");
        printf("\n");
    }
}

static void print_rule(const struct backtest *b, const struct json_node *rule)
{
    rf_str problem = json_text_at(rule, "problem"), failure = json_text_at(rule, "failure");
    cli_text_print(stdout, json_text_at(rule, "title"), 120);
    printf("  (%.*s)\n    ", RF_FMT(json_text_at(rule, "severity")));
    cli_text_print(stdout, json_text_at(rule, "path"), UINT32_MAX);
    printf("\n");
    if (problem.len > 0) {
        printf("    cannot be run: ");
        cli_text_print(stdout, problem, UINT32_MAX);
        printf("\n\n");
        return;
    }
    printf("    %lld alerts in %lld incidents, %lld suppressed; %lld runs",
           (long long)number_at(rule, "alerts"), (long long)number_at(rule, "incidents"),
           (long long)number_at(rule, "suppressed"), (long long)number_at(rule, "runs"));
    if (number_at(rule, "failures") > 0)
        printf(", %lld failed: ", (long long)number_at(rule, "failures"));
    cli_text_print(stdout, failure, UINT32_MAX);
    printf("\n");
    if (number_at(rule, "alerts") + number_at(rule, "suppressed") > 0) print_days(b, rule);
    const struct json_node *entities = json_get(rule, "entities");
    for (const struct json_node *e = entities == NULL ? NULL : entities->first; e != NULL;
         e = e->next) {
        printf("    %6lld  ", (long long)number_at(e, "alerts"));
        cli_text_print(stdout, json_text_at(e, "entity"), 160);
        printf("\n");
    }
    printf("\n");
}

static enum rf_kind print_all(const struct backtest *b, const struct json_node *result,
                              struct rf_err *err)
{
    if (b->args.json) {
        rf_str text = json_to_text(b->arena, result);
        if (text.ptr == NULL) return rf_fail_memory(err, b->arena);
        printf("%.*s\n", RF_FMT(text));
        return RF_OK;
    }
    printf("%.19sZ to %.19sZ\n", (const char *)json_text_at(result, "from").ptr,
           (const char *)json_text_at(result, "to").ptr);
    for (const struct json_node *t = json_get(result, "tables")->first; t != NULL; t = t->next)
        printf("  %.*s: %lld rows\n", RF_FMT(json_text_at(t, "table")),
               (long long)number_at(t, "rows"));
    printf("\n");
    for (const struct json_node *r = json_get(result, "rules")->first; r != NULL; r = r->next)
        print_rule(b, r);
    return RF_OK;
}

/* ---- the command -------------------------------------------------------------------------------------------------------- */

static int read_args(int argc, char **argv, struct backtest *b)
{
    struct backtest_args *args = &b->args;
    struct cli_line line = cli_line_of(&usage, argc, argv);
    for (int at; (at = cli_next(&line)) != CLI_END;) {
        switch (at) {
        case OPT_DATA:
            args->data[args->data_count++] = line.value;
            break;
        case OPT_STORE:
            args->store = line.value;
            break;
        case OPT_KEY_FILE:
            args->key_file = line.value;
            break;
        case OPT_SCHEMAS:
            args->schemas[args->schema_count++] = line.value;
            break;
        case OPT_FUNCTIONS:
            args->functions[args->function_count++] = line.value;
            break;
        case OPT_WATCHLISTS:
            args->lists[args->list_count++] = line.value;
            break;
        case OPT_FROM:
            b->lab.has_from = lab_parse_time(rf_str_of(line.value), &b->lab.from);
            if (!b->lab.has_from)
                return cli_wrong(&usage, "--from: '%s' is not a date and time", line.value);
            break;
        case OPT_TO:
            b->lab.has_to = lab_parse_time(rf_str_of(line.value), &b->lab.to);
            if (!b->lab.has_to)
                return cli_wrong(&usage, "--to: '%s' is not a date and time", line.value);
            break;
        case OPT_DELAY:
            if (!lab_parse_duration(rf_str_of(line.value), &b->lab.delay) || b->lab.delay < 0)
                return cli_wrong(&usage, "--delay: '%s' is no duration such as 30s or 5m",
                                 line.value);
            break;
        case OPT_FORMAT:
            args->json = strcmp(line.value, "json") == 0;
            if (!args->json && strcmp(line.value, "text") != 0)
                return cli_wrong(&usage, "--format: '%s' is not text or json", line.value);
            break;
        case OPT_JSON:
            args->json = true;
            break;
        case CLI_WORD:
            args->words[args->word_count++] = line.value;
            break;
        case CLI_HELP:
            return CLI_HELP;
        default:
            return CLI_WRONG_USE;
        }
    }
    if (args->word_count == 0) return cli_wrong(&usage, "a rule or a folder of rules is needed");
    if (args->store == NULL && args->data_count == 0)
        return cli_wrong(&usage, "--data or --store is needed");
    return CLI_OK;
}

static enum rf_kind add_data(struct backtest *b, const char *spec, struct rf_err *err)
{
    struct rf_fs_stat stat;
    if (rf_fs_stat(rf_fs_real(), spec, &stat, NULL) == RF_OK && stat.is_dir)
        return cli_catalog_add_folder(&b->catalog, spec, err);
    return cli_catalog_add_file(&b->catalog, spec, err);
}

static enum rf_kind prepare(struct backtest *b, struct rf_err *err)
{
    const struct backtest_args *args = &b->args;
    for (uint32_t i = 0; i < args->word_count; i++)
        RF_TRY(lab_rules_add(&b->rules, args->words[i], err));
    for (uint32_t i = 0; i < args->function_count; i++)
        RF_TRY(cli_catalog_add_functions(&b->catalog, args->functions[i], err));
    for (uint32_t i = 0; i < args->list_count; i++)
        RF_TRY(cli_catalog_add_watchlists(&b->catalog, args->lists[i], err));
    for (uint32_t i = 0; i < args->schema_count; i++)
        RF_TRY(cli_catalog_add_schemas(&b->catalog, args->schemas[i], err));
    if (args->store != NULL)
        RF_TRY(cli_catalog_add_store(&b->catalog, args->store, args->key_file, err));
    for (uint32_t i = 0; i < args->data_count; i++) RF_TRY(add_data(b, args->data[i], err));
    b->lab.rules = &b->rules;
    lab_functions_drop(&b->catalog.functions, "_GetWatchlist"); /* there are real ones here */
    lab_functions_drop(&b->catalog.functions, "_GetWatchlistAlias");
    b->lab.functions = &b->catalog.functions;
    b->lab.lists = &b->catalog.lists;
    b->lab.schemas = args->schemas;
    b->lab.schema_count = args->schema_count;
    b->lab.sources = b->catalog.catalog.sources;
    b->lab.source_count = b->catalog.catalog.source_count;
    return RF_OK;
}

static bool all_ran(const struct json_node *result)
{
    bool good = true;
    for (const struct json_node *r = json_get(result, "rules")->first; r != NULL; r = r->next)
        good &= json_get(r, "problem") == NULL && number_at(r, "failures") == 0;
    return good;
}

static enum rf_kind run(struct backtest *b, bool *good, struct rf_err *err)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena work;
    struct json_node *result;
    rf_arena_init(&work, BACKTEST_BYTES);
    RF_TRY(prepare(b, err));
    RF_TRY(lab_backtest_run(&b->lab, &work, &result, err));
    *good = all_ran(result);
    return print_all(b, result, err);
}

int cli_backtest(int argc, char **argv)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, BACKTEST_BYTES_MAX);
    struct backtest b = {.arena = &arena,
                         .rules = {.arena = &arena},
                         .catalog = cli_catalog_in(&arena),
                         .colour = cli_has_colour(stdout)};
    const char ***const lists[] = {&b.args.words, &b.args.data, &b.args.schemas, &b.args.functions,
                                   &b.args.lists};
    struct rf_err err = {0};
    bool good = false;
    for (size_t i = 0; i < RF_COUNT(lists); i++) {
        *lists[i] = rf_arena_new(&arena, const char *, (size_t)argc);
        if (*lists[i] != NULL) continue;
        (void)rf_fail_memory(&err, &arena);
        return cli_say_error(&err, (rf_str){NULL, 0}, NULL);
    }
    int status = read_args(argc, argv, &b);
    if (status != CLI_OK) return status == CLI_HELP ? CLI_OK : status;
    rf_log_set(RF_SILENT, RF_LOG_TEXT);
    enum rf_kind kind = run(&b, &good, &err);
    cli_catalog_say_rejects(&b.catalog);
    cli_catalog_done(&b.catalog);
    if (kind != RF_OK) return cli_say_error(&err, (rf_str){NULL, 0}, NULL);
    return good ? CLI_OK : CLI_FAILED;
}
