/* cli_rule_list.c - ringfort rules: the analytics rules of a server, and what becomes of them. */
#include "cli/cli.h"
#include "cli/cli_list.h"
#include "cli/cli_server.h"
#include "cli/cli_text.h"

enum { ANSWER_BYTES_MAX = 256 << 20 };
#define VERSION "2024-03-01"
#define RUN_VERSION "2024-10-01-preview"

enum { OPT_SERVER, OPT_WORKSPACE = OPT_SERVER + CLI_SERVER_OPTION_COUNT, OPT_AT, OPT_FORMAT };

static const struct cli_option options[] = {
    CLI_SERVER_OPTIONS(OPT_SERVER),
    [OPT_WORKSPACE] = {"workspace", "NAME", "the workspace of the server: name or id"},
    [OPT_AT] =
        {"at", "TIME",
         "run: the end of the time that the rule looks at, such as 2026-01-31T12:00:00Z; now "
         "unless given"},
    [OPT_FORMAT] =
        {"format", "FORMAT",
         "list, templates: table, csv, markdown, json or jsonl (all that the server says)"},
};

static const struct cli_usage usage = {
    .command = "rules",
    .words = "[list | templates | show NAME | enable NAME | disable NAME | run NAME]",
    .doc = "Lists the analytics rules of a server, shows one, switches it on or off, runs it once.",
    .options = options,
    .option_count = RF_COUNT(options),
    .notes = "NAME is the name of a rule, as the list shows it, or its id.\n\n"
             "  ringfort rules\n"
             "  ringfort rules disable 'Password spray'\n"
             "  ringfort rules run 'Password spray' --at 2026-01-31T12:00:00Z",
};

struct rule_args {
    struct cli_server_args server;
    const char *workspace, *at;
    const char *words[2];
    uint32_t word_count;
    enum cli_format format;
};

struct rule_call {
    struct cli_server *server;
    const struct rule_args *args;
    struct rf_arena *arena;
    rf_str base; /* .../providers/Microsoft.SecurityInsights */
};

/* ---- arguments ---------------------------------------------------------------------------------------------------------- */

static int check_words(const struct rule_args *args)
{
    static const struct {
        const char *verb;
        bool names_one;
    } verbs[] = {{"list", false},  {"templates", false}, {"show", true},
                 {"enable", true}, {"disable", true},    {"run", true}};
    if (args->word_count == 0) return CLI_OK;
    for (size_t i = 0; i < RF_COUNT(verbs); i++) {
        if (strcmp(args->words[0], verbs[i].verb) != 0) continue;
        if (!verbs[i].names_one && args->word_count == 2)
            return cli_wrong(&usage, "'%s' is not expected", args->words[1]);
        if (verbs[i].names_one && args->word_count == 1)
            return cli_wrong(&usage, "%s needs the name of a rule", args->words[0]);
        return CLI_OK;
    }
    return cli_wrong(&usage, "'%s' is not list, templates, show, enable, disable or run",
                     args->words[0]);
}

static int take_option(int at, const char *value, struct rule_args *args)
{
    switch (at) {
    case OPT_WORKSPACE:
        args->workspace = value;
        return CLI_OK;
    case OPT_AT:
        args->at = value;
        return CLI_OK;
    case OPT_FORMAT:
        if (cli_format_parse(value, &args->format) && args->format != CLI_CHART) return CLI_OK;
        return cli_wrong(&usage, "--format: '%s' is not table, json, jsonl, csv or markdown",
                         value);
    default:
        return cli_server_option(at, OPT_SERVER, value, &args->server) ? CLI_OK : CLI_WRONG_USE;
    }
}

static int read_args(int argc, char **argv, struct rule_args *args)
{
    struct cli_line line = cli_line_of(&usage, argc, argv);
    for (int at; (at = cli_next(&line)) != CLI_END;) {
        if (at == CLI_HELP) return CLI_HELP;
        if (at == CLI_WRONG) return CLI_WRONG_USE;
        if (at == CLI_WORD) {
            if (args->word_count == RF_COUNT(args->words))
                return cli_wrong(&usage, "'%s' is not expected", line.value);
            args->words[args->word_count++] = line.value;
            continue;
        }
        int status = take_option(at, line.value, args);
        if (status != CLI_OK) return status;
    }
    return check_words(args);
}

/* ---- asking ---------------------------------------------------------------------------------------------------------------- */

static enum rf_kind ask_list(const struct rule_call *call, const char *type, struct json_node **out,
                             struct rf_err *err)
{
    rf_str target = rf_arena_printf(call->arena, "%.*s/%s?api-version=" VERSION,
                                    RF_FMT(cli_url_path(call->arena, call->base)), type);
    if (target.ptr == NULL) return rf_fail_memory(err, call->arena);
    return cli_server_list(call->server, target, call->arena, out, err);
}

/* The rule of that id, else the one of that name. */
static enum rf_kind ask_one(const struct rule_call *call, struct json_node **out,
                            struct rf_err *err)
{
    struct json_node *list, *found = NULL;
    rf_str word = rf_str_of(call->args->words[1]);
    uint32_t count = 0;
    RF_TRY(ask_list(call, "alertRules", &list, err));
    for (struct json_node *item = list->first; item != NULL; item = item->next) {
        if (rf_str_eq_nocase(json_text_at(item, "name"), word)) {
            *out = item;
            return RF_OK;
        }
        if (!rf_str_eq_nocase(json_text_at(item, "properties.displayName"), word)) continue;
        found = item;
        count++;
    }
    if (count == 0)
        return RF_FAIL(err, RF_NOT_FOUND, "RuleNotFound", "there is no rule '%.*s'", RF_FMT(word));
    if (count > 1)
        return RF_FAIL(err, RF_INVALID, "RuleNotClear",
                       "%u rules are called '%.*s': name one by its id", count, RF_FMT(word));
    *out = found;
    return RF_OK;
}

/* ---- verbs ------------------------------------------------------------------------------------------------------------------- */

static enum rf_kind list_rules(const struct rule_call *call, struct rf_err *err)
{
    static const struct cli_list_column columns[] = {
        {RF_S("id"), "name", {0}, CLI_LIST_TEXT},
        {RF_S("kind"), "kind", {0}, CLI_LIST_TEXT},
        {RF_S("enabled"), "properties.enabled", {0}, CLI_LIST_TEXT},
        {RF_S("severity"), "properties.severity", {0}, CLI_LIST_TEXT},
        {RF_S("every"), "properties.queryFrequency", {0}, CLI_LIST_TEXT},
        {RF_S("changed"), "properties.lastModifiedUtc", {0}, CLI_LIST_TIME},
        {RF_S("name"), "properties.displayName", {0}, CLI_LIST_TEXT}};
    struct json_node *list;
    RF_TRY(ask_list(call, "alertRules", &list, err));
    return cli_list_print(list, RF_S("rules"), columns, RF_COUNT(columns), call->args->format,
                          call->arena, err);
}

static enum rf_kind list_templates(const struct rule_call *call, struct rf_err *err)
{
    static const struct cli_list_column columns[] = {
        {RF_S("id"), "name", {0}, CLI_LIST_TEXT},
        {RF_S("kind"), "kind", {0}, CLI_LIST_TEXT},
        {RF_S("severity"), "properties.severity", {0}, CLI_LIST_TEXT},
        {RF_S("used"), "properties.alertRulesCreatedByTemplateCount", {0}, CLI_LIST_NUMBER},
        {RF_S("name"), "properties.displayName", {0}, CLI_LIST_TEXT}};
    struct json_node *list;
    RF_TRY(ask_list(call, "alertRuleTemplates", &list, err));
    return cli_list_print(list, RF_S("templates"), columns, RF_COUNT(columns), call->args->format,
                          call->arena, err);
}

static void print_field(const char *name, rf_str text)
{
    if (text.len == 0) return;
    printf("  %-12s ", name);
    (void)cli_text_print(stdout, text, UINT32_MAX);
    printf("\n");
}

static void print_texts(const char *name, const struct json_node *list)
{
    if (!json_is(list, JSON_T_ARRAY) || list->count == 0) return;
    printf("  %-12s ", name);
    for (const struct json_node *item = list->first; item != NULL; item = item->next) {
        if (item != list->first) printf(", ");
        (void)cli_text_print(stdout, item->text, UINT32_MAX);
    }
    printf("\n");
}

/* The query keeps its lines; whatever else could steer the terminal is shown as an escape. */
static void print_query(rf_str query)
{
    if (query.len > 0) printf("\n");
    for (size_t at = 0; at < query.len;) {
        size_t end = rf_str_find(query, RF_S("\n"), at);
        if (end == SIZE_MAX) end = query.len;
        size_t to = end > at && query.ptr[end - 1] == '\r' ? end - 1 : end;
        printf("    ");
        (void)cli_text_print(stdout, rf_slice(query, at, to), UINT32_MAX);
        printf("\n");
        at = end + 1;
    }
}

static enum rf_kind show(const struct rule_call *call, struct rf_err *err)
{
    struct json_node *rule;
    RF_TRY(ask_one(call, &rule, err));
    if (call->args->format == CLI_JSON || call->args->format == CLI_JSONL) {
        cli_print_json(rule, call->arena);
        return RF_OK;
    }
    const struct json_node *p = json_get(rule, "properties");
    (void)cli_text_print(stdout, json_text_at(p, "displayName"), UINT32_MAX);
    printf("\n");
    print_field("id", json_text_at(rule, "name"));
    print_field("kind", json_text_at(rule, "kind"));
    print_field("enabled", json_bool_at(p, "enabled", false) ? RF_S("yes") : RF_S("no"));
    print_field("severity", json_text_at(p, "severity"));
    print_field("description", rf_str_trim(json_text_at(p, "description")));
    print_field("every", json_text_at(p, "queryFrequency"));
    print_field("looks at", json_text_at(p, "queryPeriod"));
    print_texts("tactics", json_get(p, "tactics"));
    print_texts("techniques", json_get(p, "techniques"));
    print_field("template", json_text_at(p, "alertRuleTemplateName"));
    print_field("changed", json_text_at(p, "lastModifiedUtc"));
    print_query(json_text_at(p, "query"));
    return RF_OK;
}

static enum rf_kind switch_rule(const struct rule_call *call, bool on, struct rf_err *err)
{
    struct json_node *rule, *now;
    bool created;
    RF_TRY(ask_one(call, &rule, err));
    struct json_node *p = json_object_in(call->arena, rule, "properties");
    if (json_set_bool(call->arena, p, "enabled", on) == NULL)
        return rf_fail_memory(err, call->arena);
    RF_TRY(cli_server_put(call->server, json_text_at(rule, "id"), RF_S(VERSION), rule, call->arena,
                          &created, &now, err));
    cli_say("%s '%.*s'", on ? "enabled" : "disabled", RF_FMT(json_text_at(p, "displayName")));
    return RF_OK;
}

static enum rf_kind run(const struct rule_call *call, struct rf_err *err)
{
    struct json_node *rule, *body = json_new(call->arena, JSON_T_OBJECT);
    struct http_answer answer;
    RF_TRY(ask_one(call, &rule, err));
    struct json_node *p = json_object_in(call->arena, body, "properties");
    if (call->args->at != NULL)
        json_set_text(call->arena, p, "executionTimeUtc", rf_str_of(call->args->at));
    rf_str path = cli_url_path(call->arena, json_text_at(rule, "id"));
    struct cli_call request = {
        .method = "POST",
        .target = rf_arena_printf(call->arena, "%.*s/triggerRuleRun?api-version=" RUN_VERSION,
                                  RF_FMT(path)),
        .body = json_to_text(call->arena, body)};
    if (request.target.ptr == NULL || request.body.ptr == NULL)
        return rf_fail_memory(err, call->arena);
    RF_TRY(cli_server_call(call->server, &request, call->arena, &answer, err));
    cli_say("'%.*s' runs; 'ringfort incidents' shows what it finds",
            RF_FMT(json_text_at(rule, "properties.displayName")));
    return RF_OK;
}

/* ---- the command --------------------------------------------------------------------------------------------------------------- */

static enum rf_kind act(struct rule_call *call, struct rf_err *err)
{
    const char *verb = call->args->word_count == 0 ? "list" : call->args->words[0];
    rf_str workspace;
    RF_TRY(cli_server_workspace(call->server, call->args->workspace, call->arena, NULL, &workspace,
                                err));
    call->base = rf_arena_printf(call->arena, "%.*s/providers/Microsoft.SecurityInsights",
                                 RF_FMT(workspace));
    if (call->base.ptr == NULL) return rf_fail_memory(err, call->arena);
    if (strcmp(verb, "templates") == 0) return list_templates(call, err);
    if (strcmp(verb, "show") == 0) return show(call, err);
    if (strcmp(verb, "enable") == 0) return switch_rule(call, true, err);
    if (strcmp(verb, "disable") == 0) return switch_rule(call, false, err);
    if (strcmp(verb, "run") == 0) return run(call, err);
    return list_rules(call, err);
}

int cli_rule_list(int argc, char **argv)
{
    struct rule_args args = {.format = CLI_FORMAT_COUNT};
    int status = read_args(argc, argv, &args);
    if (status != CLI_OK) return status == CLI_HELP ? CLI_OK : status;
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, ANSWER_BYTES_MAX);
    struct rule_call call = {.args = &args, .arena = &arena};
    struct rf_err err = {.code = ""};
    enum rf_kind kind = cli_server_open(&args.server, &call.server, &err);
    if (kind == RF_OK) kind = act(&call, &err);
    cli_server_close(call.server);
    return kind == RF_OK ? CLI_OK : cli_say_error(&err, (rf_str){NULL, 0}, NULL);
}
