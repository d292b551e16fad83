/* cli_detect.c - ringfort detect: scheduled rules over recorded data, with a clock that runs through the data. */
#include <stdlib.h>

#include "cli/cli.h"
#include "cli/cli_catalog.h"
#include "cli/cli_format.h"
#include "cli/cli_options.h"
#include "cli/cli_rules.h"
#include "cli/cli_text.h"
#include "value/dyn.h"
#include "value/text.h"

enum {
    DETECT_BYTES_MAX = 2000 << 20,
    DETECT_RUNS_MAX = 100000,
    SHOWN_ROWS = 5,
    SHOWN_ENTITIES = 8
};
enum {
    OPT_RULES,
    OPT_DATA,
    OPT_KEY_FILE,
    OPT_FILE,
    OPT_TABLES,
    OPT_SCHEMAS,
    OPT_FUNCTIONS,
    OPT_WATCHLISTS,
    OPT_NOW,
    OPT_FORMAT,
    OPT_MAX_MEMORY
};

static const struct cli_option options[] = {
    [OPT_RULES] = {"rules", "DIR",
                   "the rules: a folder of Sentinel rule files (.yaml), or one file"},
    [OPT_DATA] = {"data", "DIR", "the tables of the store in DIR"},
    [OPT_KEY_FILE] = {"key-file", "F", "the key of the store, when it is encrypted"},
    [OPT_FILE] = {"file", "F[=NAME]",
                  "make the file F a table; its name is the file name's first part"},
    [OPT_TABLES] = {"tables", "DIR", "make every data file in DIR a table"},
    [OPT_SCHEMAS] = {"schemas", "DIR",
                     "the tables' columns as NAME.json files; tables without data are empty"},
    [OPT_FUNCTIONS] = {"functions", "PATH", "the saved functions of a file or folder"},
    [OPT_WATCHLISTS] = {"watchlists", "PATH", "the watchlists of a folder of NAME.csv files"},
    [OPT_NOW] = {"now", "TIME", "where the clock ends; the time of the newest row unless given"},
    [OPT_FORMAT] = {"format", "FORMAT", "text or jsonl (one alert a line)"},
    [OPT_MAX_MEMORY] = {"max-memory", "N",
                        "memory of one run of one rule: 512M, 2G; 4G unless given"},
};

static const struct cli_usage usage = {
    .command = "detect",
    .words = "",
    .doc = "Runs scheduled detection rules over recorded data and prints the alerts that they "
           "would have raised.",
    .options = options,
    .option_count = RF_COUNT(options),
    .notes = "The clock starts behind the oldest row (by TimeGenerated) and steps by each rule's "
             "queryFrequency to the newest; a run\n"
             "sees the rows of the rule's queryPeriod before it. A row that a rule has shown "
             "already is not shown again. Tables\n"
             "without TimeGenerated are seen whole. Exit status 1 when a rule could not be run.\n\n"
             "  ringfort detect --rules rules/ --schemas schemas/ --data store/",
};

struct detect {
    struct rf_arena *arena; /* whole run */
    struct cli_catalog catalog;
    struct cli_rules rules;
    struct kql_request request;
    int64_t first, last; /* of TimeGenerated over all tables; first > last: no times */
    bool jsonl, colour;
    uint32_t width;
    uint64_t alerts, failed;
    struct rf_buf out;
};

/* ---- the time that the data spans ------------------------------------------------------------------ */

static enum rf_kind table_span(struct detect *d, struct source *source, struct rf_err *err)
{
    RF_TRY(source_open(source, err));
    bool timed = false;
    for (uint32_t c = 0; c < source->column_count; c++)
        timed = timed || (rf_str_is(source->columns[c].name, "TimeGenerated") &&
                          source->columns[c].type == TYPE_DATETIME);
    if (!timed) return RF_OK;
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, DETECT_BYTES_MAX);
    rf_str text =
        rf_arena_printf(&arena,
                        "table('%.*s') | extend t = coalesce(TimeGenerated, "
                        "column_ifexists('Timestamp', TimeGenerated)) | summarize min(t), max(t)",
                        RF_FMT(source->name));
    struct rule span = {.query = text};
    struct cli_rule_run run;
    RF_TRY(cli_rule_run(&span, &d->request, d->request.now_ticks, &arena, &run, err));
    if (rows_count(run.rows) == 0) return RF_OK;
    struct value low = rows_value(run.rows, 0, 0), high = rows_value(run.rows, 0, 1);
    if (low.null || high.null) return RF_OK;
    d->first = RF_MIN(d->first, low.i);
    d->last = RF_MAX(d->last, high.i);
    return RF_OK;
}

/* ---- printing an alert --------------------------------------------------------------------------------- */

static bool has_name(const struct cli_rule_run *run, rf_str name, uint32_t *column)
{
    int at = schema_find(&run->schema, name);
    *column = (uint32_t)at;
    return at >= 0;
}

/* Adds the different values of a column, as far as they are shown. */
static uint32_t distinct_values(const struct cli_rule_run *run, const uint64_t *rows,
                                uint64_t row_count, uint32_t column, struct value *values,
                                uint32_t cap)
{
    uint32_t n = 0;
    for (uint64_t i = 0; i < row_count && n < cap; i++) {
        struct value v = rows_value(run->rows, rows[i], column);
        uint32_t k = 0;
        if (v.null || (v.type == TYPE_STRING && v.s.len == 0)) continue;
        while (k < n && !value_same(&values[k], &v)) k++;
        if (k == n) values[n++] = v;
    }
    return n;
}

static void text_entities(struct detect *d, const struct rule *rule, const struct cli_rule_run *run,
                          const uint64_t *rows, uint64_t row_count)
{
    for (uint32_t e = 0; e < rule->entity_count; e++)
        for (uint32_t f = 0; f < rule->entities[e].field_count; f++) {
            struct value values[SHOWN_ENTITIES + 1];
            uint32_t column;
            if (!has_name(run, rule->entities[e].fields[f].column, &column)) continue;
            uint32_t n = distinct_values(run, rows, row_count, column, values, RF_COUNT(values));
            if (n == 0) continue;
            printf("  %.*s %.*s: ", RF_FMT(rule->entities[e].type),
                   RF_FMT(rule->entities[e].fields[f].identifier));
            for (uint32_t i = 0; i < n && i < SHOWN_ENTITIES; i++) {
                struct rf_buf text = rf_buf_in(d->arena);
                text_put_value(&text, &values[i]);
                if (i > 0) printf(", ");
                cli_text_print(stdout, rf_buf_view(&text), 80);
            }
            printf(n > SHOWN_ENTITIES ? ", ...\n" : "\n");
        }
}

static void text_row(struct detect *d, const struct cli_rule_run *run, uint64_t row)
{
    uint32_t left = d->width > 8 ? d->width - 4 : 4;
    struct rf_buf line = rf_buf_in(d->arena);
    for (uint32_t c = 0; c < run->schema.count; c++) {
        struct value v = rows_value(run->rows, row, c);
        if (v.null || (v.type == TYPE_STRING && v.s.len == 0)) continue;
        rf_buf_printf(&line, "%s%.*s=", line.len == 0 ? "" : "  ",
                      RF_FMT(run->schema.columns[c].name));
        text_put_value(&line, &v);
    }
    printf("    ");
    cli_text_print(stdout, rf_buf_view(&line), left);
    printf("\n");
}

static const char *severity_colour(rf_str severity)
{
    if (rf_str_eq_nocase(severity, RF_S("High"))) return "\x1b[1;31m";
    if (rf_str_eq_nocase(severity, RF_S("Medium"))) return "\x1b[1;33m";
    return "\x1b[1;36m";
}

static void text_alert(struct detect *d, const struct rule *rule, int64_t at,
                       const struct cli_rule_run *run, const uint64_t *rows, uint64_t row_count)
{
    struct rf_buf time = rf_buf_in(d->arena);
    text_put_datetime(&time, at);
    printf("%.19sZ  %s%-13.*s%s ", (const char *)time.ptr,
           d->colour ? severity_colour(rule->severity) : "", RF_FMT(rule->severity),
           d->colour ? "\x1b[0m" : "");
    cli_text_print(stdout, rule->name, 100);
    for (uint32_t i = 0; i < rule->technique_count; i++)
        printf("%s%.*s", i == 0 ? "  [" : " ", RF_FMT(rule->techniques[i]));
    printf("%s\n  %llu row%s", rule->technique_count > 0 ? "]" : "", (unsigned long long)row_count,
           row_count == 1 ? "" : "s");
    for (uint32_t i = 0; i < rule->tactic_count; i++)
        printf("%s%.*s", i == 0 ? "; " : ", ", RF_FMT(rule->tactics[i]));
    printf("\n");
    text_entities(d, rule, run, rows, row_count);
    for (uint64_t i = 0; i < row_count && i < SHOWN_ROWS; i++) text_row(d, run, rows[i]);
    if (row_count > SHOWN_ROWS)
        printf("    ... %llu more\n", (unsigned long long)(row_count - SHOWN_ROWS));
    printf("\n");
}

static void json_list(struct rf_buf *buf, const char *key, const rf_str *items, uint32_t count)
{
    rf_buf_printf(buf, ",\"%s\":[", key);
    for (uint32_t i = 0; i < count; i++) {
        if (i > 0) rf_buf_byte(buf, ',');
        json_put_string(buf, items[i]);
    }
    rf_buf_byte(buf, ']');
}

static void json_text(struct rf_buf *buf, const char *key, rf_str text)
{
    rf_buf_printf(buf, "%s\"%s\":", buf->len > 1 ? "," : "", key);
    json_put_string(buf, text);
}

/* Entities: one object per mapping and row with a value, without repeats. */
static void json_entities(struct rf_buf *buf, const struct rule *rule,
                          const struct cli_rule_run *run, const uint64_t *rows, uint64_t row_count)
{
    bool first = true;
    rf_buf_printf(buf, ",\"entities\":[");
    for (uint32_t e = 0; e < rule->entity_count; e++)
        for (uint32_t f = 0; f < rule->entities[e].field_count; f++) {
            struct value values[500];
            uint32_t column;
            if (!has_name(run, rule->entities[e].fields[f].column, &column)) continue;
            uint32_t n = distinct_values(run, rows, row_count, column, values, RF_COUNT(values));
            for (uint32_t i = 0; i < n; i++) {
                rf_buf_printf(buf, first ? "{\"type\":" : ",{\"type\":");
                json_put_string(buf, rule->entities[e].type);
                rf_buf_byte(buf, ',');
                json_put_string(buf, rule->entities[e].fields[f].identifier);
                rf_buf_byte(buf, ':');
                cli_put_json(buf, &values[i]);
                rf_buf_byte(buf, '}');
                first = false;
            }
        }
    rf_buf_byte(buf, ']');
}

static void json_alert(struct rf_buf *buf, const struct rule *rule, int64_t at,
                       const struct cli_rule_run *run, const uint64_t *rows, uint64_t row_count)
{
    struct value time = value_i64(TYPE_DATETIME, at);
    rf_buf_byte(buf, '{');
    json_text(buf, "rule", rule->id);
    json_text(buf, "name", rule->name);
    json_text(buf, "severity", rule->severity);
    rf_buf_printf(buf, ",\"time\":");
    cli_put_json(buf, &time);
    json_list(buf, "tactics", rule->tactics, rule->tactic_count);
    json_list(buf, "techniques", rule->techniques, rule->technique_count);
    json_entities(buf, rule, run, rows, row_count);
    rf_buf_printf(buf, ",\"columns\":[");
    for (uint32_t c = 0; c < run->schema.count; c++) {
        if (c > 0) rf_buf_byte(buf, ',');
        json_put_string(buf, run->schema.columns[c].name);
    }
    rf_buf_printf(buf, "],\"rows\":[");
    for (uint64_t i = 0; i < row_count; i++) {
        rf_buf_printf(buf, i == 0 ? "[" : ",[");
        for (uint32_t c = 0; c < run->schema.count; c++) {
            struct value v = rows_value(run->rows, rows[i], c);
            if (c > 0) rf_buf_byte(buf, ',');
            cli_put_json(buf, &v);
        }
        rf_buf_byte(buf, ']');
    }
    rf_buf_printf(buf, "]}\n");
}

/* ---- the clock -------------------------------------------------------------------------------------------- */

/* Rows that a rule has shown, by hash of all cells. */
struct shown {
    uint64_t *slots;
    uint64_t count, cap;
};

static bool shown_add(struct shown *s, uint64_t hash, struct rf_arena *arena, bool *added)
{
    if (2 * s->count >= s->cap) {
        struct shown grown = {.cap = s->cap == 0 ? 256 : s->cap * 2, .count = s->count};
        grown.slots = rf_arena_new(arena, uint64_t, grown.cap);
        if (grown.slots == NULL) return false;
        for (uint64_t i = 0; i < s->cap; i++) {
            uint64_t at = s->slots[i] & (grown.cap - 1);
            if (s->slots[i] == 0) continue;
            while (grown.slots[at] != 0) at = (at + 1) & (grown.cap - 1);
            grown.slots[at] = s->slots[i];
        }
        *s = grown;
    }
    hash |= 1; /* 0 marks a free slot */
    uint64_t at = hash & (s->cap - 1);
    while (s->slots[at] != 0 && s->slots[at] != hash) at = (at + 1) & (s->cap - 1);
    *added = s->slots[at] == 0;
    if (*added) {
        s->slots[at] = hash;
        s->count++;
    }
    return true;
}

/* The rows that were not shown before; their numbers in rows[]. */
static bool new_rows(struct shown *shown, const struct cli_rule_run *run, struct rf_arena *arena,
                     struct rf_arena *keep, uint64_t **rows, uint64_t *count)
{
    uint64_t n = rows_count(run->rows);
    *rows = rf_arena_new(arena, uint64_t, n);
    *count = 0;
    if (*rows == NULL) return false;
    for (uint64_t i = 0; i < n; i++) {
        uint64_t hash = 0;
        bool added = false;
        for (uint32_t c = 0; c < run->schema.count; c++) {
            struct value v = rows_value(run->rows, i, c);
            hash = rf_hash_mix(hash, value_hash(&v));
        }
        if (!shown_add(shown, hash, keep, &added)) return false;
        if (added) (*rows)[(*count)++] = i;
    }
    return true;
}

static enum rf_kind run_at(struct detect *d, const struct rule *rule, int64_t at,
                           struct shown *shown, struct rf_arena *keep, struct rf_err *err)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, DETECT_BYTES_MAX);
    struct cli_rule_run run;
    uint64_t *rows, count;
    RF_TRY(cli_rule_run(rule, &d->request, at, &arena, &run, err));
    if (!run.triggered) return RF_OK;
    if (!new_rows(shown, &run, &arena, keep, &rows, &count)) return rf_fail_memory(err, &arena);
    if (count == 0 && rows_count(run.rows) > 0) return RF_OK;
    d->alerts++;
    if (!d->jsonl) {
        text_alert(d, rule, at, &run, rows, count);
        return RF_OK;
    }
    struct rf_buf line = rf_buf_in(&arena);
    json_alert(&line, rule, at, &run, rows, count);
    if (line.failed) return rf_fail_memory(err, &arena);
    if (fwrite(line.ptr, 1, line.len, stdout) != line.len)
        return RF_FAIL_ERRNO(err, "OutputFailed", "the alerts cannot be written");
    return RF_OK;
}

/* One rule from the oldest row to the end, at each step of its frequency, aligned so that the last run is at the end. */
static enum rf_kind run_rule(struct detect *d, const struct rule *rule, struct rf_err *err)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena keep;
    rf_arena_init(&keep, DETECT_BYTES_MAX);
    struct shown shown = {0};
    int64_t end = d->request.now_ticks, steps = 0;
    if (rule->frequency_ticks > 0 && rule->period_ticks > 0 && d->first <= d->last &&
        end > d->first)
        steps = (end - d->first) / rule->frequency_ticks;
    if (steps > DETECT_RUNS_MAX)
        return RF_FAIL(err, RF_LIMIT, "TooManyRuns",
                       "the data spans %lld runs of this rule, more than %d; --now or a shorter "
                       "span of data makes them fewer",
                       (long long)steps, DETECT_RUNS_MAX);
    for (int64_t step = steps; step >= 0; step--)
        RF_TRY(run_at(d, rule, end - step * rule->frequency_ticks, &shown, &keep, err));
    return RF_OK;
}

static enum rf_kind detect_all(struct detect *d, bool now_given, struct rf_err *err)
{
    d->first = INT64_MAX;
    d->last = INT64_MIN;
    for (uint32_t i = 0; i < d->catalog.catalog.source_count; i++)
        RF_TRY(table_span(d, d->catalog.catalog.sources[i], err));
    if (!now_given && d->first <= d->last) d->request.now_ticks = d->last;
    for (uint32_t i = 0; i < d->rules.count; i++) {
        struct rf_err rule_err = {0};
        if (run_rule(d, &d->rules.items[i], &rule_err) == RF_OK) continue;
        d->failed++;
        fflush(stdout);
        cli_say_error(&rule_err, d->rules.items[i].query, d->rules.paths[i]);
    }
    if (!d->jsonl)
        printf("%llu alert%s from %u rules\n", (unsigned long long)d->alerts,
               d->alerts == 1 ? "" : "s", d->rules.count);
    bool written = fflush(stdout) == 0 && ferror(stdout) == 0;
    return written ? RF_OK : RF_FAIL_ERRNO(err, "OutputFailed", "the alerts cannot be written");
}

/* ---- the command line ------------------------------------------------------------------------------------------ */

struct detect_args {
    const char *rules, *data, *key_file, *schemas, *functions, *watchlists, *now;
    const char **files, **tables;
    size_t file_count, table_count;
};

static int read_args(int argc, char **argv, struct detect_args *args, struct detect *d)
{
    struct cli_line line = cli_line_of(&usage, argc, argv);
    for (int at; (at = cli_next(&line)) != CLI_END;) {
        switch (at) {
        case OPT_RULES:
            args->rules = line.value;
            break;
        case OPT_DATA:
            args->data = line.value;
            break;
        case OPT_KEY_FILE:
            args->key_file = line.value;
            break;
        case OPT_FILE:
            args->files[args->file_count++] = line.value;
            break;
        case OPT_TABLES:
            args->tables[args->table_count++] = line.value;
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
        case OPT_NOW:
            args->now = line.value;
            break;
        case OPT_FORMAT:
            d->jsonl = strcmp(line.value, "jsonl") == 0;
            if (!d->jsonl && strcmp(line.value, "text") != 0)
                return cli_wrong(&usage, "--format: '%s' is not text or jsonl", line.value);
            break;
        case OPT_MAX_MEMORY:
            if (!cli_parse_bytes(line.value, &d->request.memory_bytes))
                return cli_wrong(&usage,
                                 "--max-memory: '%s' is not a number of bytes such as 512M or 2G",
                                 line.value);
            break;
        case CLI_HELP:
            return CLI_HELP;
        case CLI_WORD:
            return cli_wrong(&usage,
                             "'%s' is not expected; tables are given by --data, --file, --tables",
                             line.value);
        default:
            return CLI_WRONG_USE;
        }
    }
    if (args->rules == NULL) return cli_wrong(&usage, "--rules is needed");
    if (args->data == NULL && args->file_count + args->table_count == 0)
        return cli_wrong(&usage, "--data, --file or --tables is needed");
    if (args->now != NULL && !text_to_datetime(rf_str_of(args->now), &d->request.now_ticks))
        return cli_wrong(&usage, "--now: '%s' is not a date and time", args->now);
    return CLI_OK;
}

static enum rf_kind add_tables(struct detect *d, const struct detect_args *args, struct rf_err *err)
{
    if (args->functions != NULL)
        RF_TRY(cli_catalog_add_functions(&d->catalog, args->functions, err));
    if (args->watchlists != NULL)
        RF_TRY(cli_catalog_add_watchlists(&d->catalog, args->watchlists, err));
    if (args->schemas != NULL) RF_TRY(cli_catalog_add_schemas(&d->catalog, args->schemas, err));
    if (args->data != NULL)
        RF_TRY(cli_catalog_add_store(&d->catalog, args->data, args->key_file, err));
    for (size_t i = 0; i < args->file_count; i++)
        RF_TRY(cli_catalog_add_file(&d->catalog, args->files[i], err));
    for (size_t i = 0; i < args->table_count; i++)
        RF_TRY(cli_catalog_add_folder(&d->catalog, args->tables[i], err));
    return cli_catalog_finish(&d->catalog, err);
}

int cli_detect(int argc, char **argv)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, DETECT_BYTES_MAX);
    struct detect d = {.request.lane_count = cli_workers(),
                       .arena = &arena,
                       .catalog = cli_catalog_in(&arena),
                       .colour = cli_has_colour(stdout),
                       .width = cli_is_terminal(stdout) ? cli_width(stdout) : 240};
    struct detect_args args = {.files = rf_arena_new(&arena, const char *, (size_t)argc),
                               .tables = rf_arena_new(&arena, const char *, (size_t)argc)};
    struct rf_err err = {0};
    if (args.files == NULL || args.tables == NULL) {
        (void)rf_fail_memory(&err, &arena);
        return cli_say_error(&err, (rf_str){NULL, 0}, NULL);
    }
    int status = read_args(argc, argv, &args, &d);
    if (status != CLI_OK) return status == CLI_HELP ? CLI_OK : status;
    enum rf_kind kind = cli_rules_load(args.rules, &arena, &d.rules, &err);
    if (kind == RF_OK) kind = add_tables(&d, &args, &err);
    if (kind == RF_OK) {
        d.request.catalog = &d.catalog.catalog;
        kind = detect_all(&d, args.now != NULL, &err);
    }
    cli_catalog_done(&d.catalog);
    if (kind != RF_OK) return cli_say_error(&err, (rf_str){NULL, 0}, NULL);
    return d.failed == 0 ? CLI_OK : CLI_FAILED;
}
