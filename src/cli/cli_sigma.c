/* cli_sigma.c - ringfort sigma: Sigma rules over files of events, and as KQL. */
#include "cli/cli_sigma.h"

#include <stdlib.h>

#include "base/pool.h"
#include "cli/cli.h"
#include "cli/cli_options.h"
#include "sigma/load.h"

#define RULES_BYTES_MAX ((size_t)8 << 30)

enum {
    OPT_RULES,
    OPT_LAYOUT,
    OPT_TABLE,
    OPT_FORMAT,
    OPT_PLACEHOLDER,
    OPT_MATCHES,
    OPT_THREADS,
    OPT_STATS
};

static const struct cli_option options[] = {
    [OPT_RULES] = {"rules", "FILE|DIR",
                   "the rules: YAML files, folders of them, JSON lines with a member yaml; may "
                   "come several times"},
    [OPT_LAYOUT] = {"layout", "NAME",
                    "how the events look; recognised by the first lines, or by the rule's log "
                    "source, unless given"},
    [OPT_TABLE] = {"table", "NAME",
                   "compile: the table that queries read; that of the layout unless given"},
    [OPT_FORMAT] = {"format", "FORMAT", "text or jsonl"},
    [OPT_PLACEHOLDER] =
        {"placeholder", "NAME=VALUE",
         "a value of %NAME% in rules with the modifier expand; may come several times"},
    [OPT_MATCHES] = {"matches", NULL, "run: show the matching events"},
    [OPT_THREADS] = {"threads", "N",
                     "run: files that are read at the same time; one per processor unless given"},
    [OPT_STATS] = {"stats", NULL, "run: say at the end what was read and how long it took"},
};

static const struct cli_usage usage = {
    .command = "sigma",
    .words = "run FILE... | compile | layouts",
    .doc = "Runs Sigma rules over files of events, or compiles them to KQL.",
    .options = options,
    .option_count = RF_COUNT(options),
    .notes = "run prints what each rule matches in each file; a line of jsonl is "
             "{\"rule_id\",\"file\",\"matches\",\"first_lines\"}. compile prints a query for\n"
             "each rule; a line of jsonl is "
             "{\"rule_id\",\"title\",\"level\",\"layout\",\"table\",\"query\"}, or with error in "
             "place of query. Rules whose log\n"
             "source the layout does not have are compiled for the one that has it. Exit status 1 "
             "when a rule or a file has an error.\n\n"
             "  ringfort sigma run --rules rules/ events.jsonl.gz\n"
             "  ringfort sigma compile --rules rule.yml --layout windows-event-table",
};

/* ---- arguments --------------------------------------------------------------------------------------------------------- */

static int take_layout(const char *value, struct sigma_args *args)
{
    args->layout = layout_find(rf_str_of(value));
    if (args->layout != NULL) return CLI_OK;
    const char *near = layout_nearest(rf_str_of(value));
    if (near != NULL)
        return cli_wrong(&usage, "--layout: '%s' is not known; did you mean '%s'?", value, near);
    return cli_wrong(&usage, "--layout: '%s' is not known; 'ringfort sigma layouts' lists them",
                     value);
}

static int take_placeholder(const char *value, struct sigma_args *args)
{
    const char *equals = strchr(value, '=');
    if (equals == NULL || equals == value)
        return cli_wrong(&usage, "--placeholder: '%s' is not NAME=VALUE", value);
    args->placeholders[args->placeholder_count++] = (struct sigma_placeholder){
        .name = rf_str_make(value, (size_t)(equals - value)), .value = rf_str_of(equals + 1)};
    return CLI_OK;
}

static int take_threads(const char *value, struct sigma_args *args)
{
    char *end;
    long count = strtol(value, &end, 10);
    if (*end != '\0' || count < 1 || count > POOL_THREADS_MAX)
        return cli_wrong(&usage, "--threads: '%s' is not a number from 1 to %d", value,
                         POOL_THREADS_MAX);
    args->threads = (unsigned)count;
    return CLI_OK;
}

static int take_option(int at, const char *value, struct sigma_args *args)
{
    switch (at) {
    case OPT_RULES:
        args->rules[args->rule_count++] = value;
        return CLI_OK;
    case OPT_LAYOUT:
        return take_layout(value, args);
    case OPT_FORMAT:
        args->jsonl = strcmp(value, "jsonl") == 0;
        if (args->jsonl || strcmp(value, "text") == 0) return CLI_OK;
        return cli_wrong(&usage, "--format: '%s' is not text or jsonl", value);
    case OPT_TABLE:
        args->table = value;
        return CLI_OK;
    case OPT_PLACEHOLDER:
        return take_placeholder(value, args);
    case OPT_MATCHES:
        args->matches = true;
        return CLI_OK;
    case OPT_THREADS:
        return take_threads(value, args);
    case OPT_STATS:
        args->stats = true;
        return CLI_OK;
    case CLI_WORD:
        args->words[args->word_count++] = value;
        return CLI_OK;
    default:
        return at == CLI_HELP ? CLI_HELP : CLI_WRONG_USE;
    }
}

static int read_args(int argc, char **argv, struct sigma_args *args)
{
    struct cli_line line = cli_line_of(&usage, argc, argv);
    for (int at; (at = cli_next(&line)) != CLI_END;) {
        int status = take_option(at, line.value, args);
        if (status != CLI_OK) return status;
    }
    return CLI_OK;
}

/* ---- rules -------------------------------------------------------------------------------------------------------------- */

static enum rf_kind load(const struct sigma_args *args, struct sigma_set *set, struct rf_err *err)
{
    set->placeholders = args->placeholders;
    set->placeholder_count = args->placeholder_count;
    for (size_t i = 0; i < args->rule_count; i++) RF_TRY(sigma_load(set, args->rules[i], err));
    return sigma_set_finish(set, err);
}

/* ---- the command ------------------------------------------------------------------------------------------------------------ */

static void print_layouts(void)
{
    for (size_t i = 0; i < layout_count(); i++)
        printf("%-20s  %s; table %s\n", layouts[i].name, layouts[i].doc, layouts[i].table);
}

static int with_rules(const struct sigma_args *args, struct rf_arena *arena,
                      int (*verb)(const struct sigma_args *args, const struct sigma_set *set,
                                  struct spent loading, struct rf_arena *arena))
{
    struct sigma_set set = sigma_set_in(arena);
    struct rf_err err = {0};
    struct spent from = spent_now();
    enum rf_kind kind = load(args, &set, &err);
    if (kind != RF_OK) return cli_say_error(&err, (rf_str){NULL, 0}, NULL);
    return verb(args, &set, spent_since(from), arena);
}

int cli_sigma(int argc, char **argv)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, RULES_BYTES_MAX);
    struct sigma_args args = {.rules = rf_arena_new(&arena, const char *, (size_t)argc),
                              .words = rf_arena_new(&arena, const char *, (size_t)argc),
                              .placeholders =
                                  rf_arena_new(&arena, struct sigma_placeholder, (size_t)argc)};
    struct rf_err err = {0};
    if (args.rules == NULL || args.words == NULL || args.placeholders == NULL) {
        (void)rf_fail_memory(&err, &arena);
        return cli_say_error(&err, (rf_str){NULL, 0}, NULL);
    }
    int status = read_args(argc, argv, &args);
    if (status != CLI_OK) return status == CLI_HELP ? CLI_OK : status;
    const char *verb = args.word_count == 0 ? "" : args.words[0];
    if (strcmp(verb, "layouts") == 0) {
        print_layouts();
        return CLI_OK;
    }
    if (args.rule_count == 0) return cli_wrong(&usage, "--rules is needed");
    if (strcmp(verb, "run") == 0 && args.word_count == 1)
        return cli_wrong(&usage, "run needs a file of events; - is standard input");
    if (strcmp(verb, "run") == 0) return with_rules(&args, &arena, cli_sigma_run);
    if (strcmp(verb, "compile") == 0 && args.word_count > 1)
        return cli_wrong(&usage, "'%s' is not expected; the rules are named by --rules",
                         args.words[1]);
    if (strcmp(verb, "compile") == 0) return with_rules(&args, &arena, cli_sigma_compile);
    return cli_wrong(&usage, "run, compile or layouts is needed");
}
