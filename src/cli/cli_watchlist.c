/* cli_watchlist.c - ringfort watchlist: the watchlists of a server. */
#include "base/fs.h"
#include "cli/cli.h"
#include "cli/cli_list.h"
#include "cli/cli_server.h"

enum { ANSWER_BYTES_MAX = 256 << 20, CSV_BYTES_MAX = 4 << 20 };
#define VERSION "2023-02-01"

enum {
    OPT_SERVER,
    OPT_WORKSPACE = OPT_SERVER + CLI_SERVER_OPTION_COUNT,
    OPT_ALIAS,
    OPT_KEY,
    OPT_SKIP,
    OPT_FORMAT
};

static const struct cli_option options[] = {
    CLI_SERVER_OPTIONS(OPT_SERVER),
    [OPT_WORKSPACE] = {"workspace", "NAME", "the workspace of the server: name or id"},
    [OPT_ALIAS] = {"alias", "ALIAS", "put: what queries call it: _GetWatchlist('ALIAS')"},
    [OPT_KEY] = {"key", "COLUMN", "put: the column that rows are looked up by"},
    [OPT_SKIP] = {"skip", "N", "put: lines of the file before the names of the columns"},
    [OPT_FORMAT] = {"format", "FORMAT",
                    "list, show: table, csv, markdown, json or jsonl (all that the server says)"},
};

static const struct cli_usage usage = {
    .command = "watchlist",
    .words = "[list | show ALIAS | put FILE --alias ALIAS --key COLUMN | delete ALIAS]",
    .doc = "Lists the watchlists of a server, shows the rows of one, makes or removes one.",
    .options = options,
    .option_count = RF_COUNT(options),
    .notes =
        "FILE is CSV, or TSV when its name ends so, with the names of the columns in its first "
        "line.\n\n"
        "  ringfort watchlist put offices.csv --alias offices --key Address\n"
        "  ringfort query --server https://localhost:8443 \"_GetWatchlist('offices')\"",
};

struct list_args {
    struct cli_server_args server;
    const char *workspace, *alias, *key;
    const char *words[2];
    uint32_t word_count;
    int64_t skip;
    enum cli_format format;
};

struct list_call {
    struct cli_server *server;
    const struct list_args *args;
    struct rf_arena *arena;
    rf_str base; /* .../watchlists */
};

/* ---- arguments ---------------------------------------------------------------------------------------------------------- */

static int check_words(const struct list_args *args)
{
    static const struct {
        const char *verb, *needs;
    } verbs[] = {{"list", NULL},
                 {"show", "the alias of a watchlist"},
                 {"put", "a file"},
                 {"delete", "the alias of a watchlist"}};
    if (args->word_count == 0) return CLI_OK;
    for (size_t i = 0; i < RF_COUNT(verbs); i++) {
        if (strcmp(args->words[0], verbs[i].verb) != 0) continue;
        if (verbs[i].needs == NULL && args->word_count == 2)
            return cli_wrong(&usage, "'%s' is not expected", args->words[1]);
        if (verbs[i].needs != NULL && args->word_count == 1)
            return cli_wrong(&usage, "%s needs %s", args->words[0], verbs[i].needs);
        if (strcmp(args->words[0], "put") == 0 && (args->alias == NULL || args->key == NULL))
            return cli_wrong(&usage, "put needs --alias and --key");
        return CLI_OK;
    }
    return cli_wrong(&usage, "'%s' is not list, show, put or delete", args->words[0]);
}

static bool parse_skip(const char *text, int64_t *out)
{
    rf_str s = rf_str_of(text);
    int64_t number = 0;
    if (s.len == 0 || s.len > 6) return false;
    for (size_t i = 0; i < s.len; i++) {
        if (!rf_is_digit(s.ptr[i])) return false;
        number = number * 10 + (s.ptr[i] - '0');
    }
    *out = number;
    return true;
}

static int take_option(int at, const char *value, struct list_args *args)
{
    switch (at) {
    case OPT_WORKSPACE:
        args->workspace = value;
        return CLI_OK;
    case OPT_ALIAS:
        args->alias = value;
        return CLI_OK;
    case OPT_KEY:
        args->key = value;
        return CLI_OK;
    case OPT_SKIP:
        if (parse_skip(value, &args->skip)) return CLI_OK;
        return cli_wrong(&usage, "--skip: '%s' is not a number of lines", value);
    case OPT_FORMAT:
        if (cli_format_parse(value, &args->format) && args->format != CLI_CHART) return CLI_OK;
        return cli_wrong(&usage, "--format: '%s' is not table, json, jsonl, csv or markdown",
                         value);
    default:
        return cli_server_option(at, OPT_SERVER, value, &args->server) ? CLI_OK : CLI_WRONG_USE;
    }
}

static int read_args(int argc, char **argv, struct list_args *args)
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

/* ---- verbs ------------------------------------------------------------------------------------------------------------------- */

/* `rest`: behind the collection, such as "/alias". */
static enum rf_kind target_of(const struct list_call *call, rf_str rest, rf_str *out,
                              struct rf_err *err)
{
    rf_str path = rf_arena_printf(call->arena, "%.*s%.*s", RF_FMT(call->base), RF_FMT(rest));
    if (path.ptr == NULL) return rf_fail_memory(err, call->arena);
    path = cli_url_path(call->arena, path);
    *out = rf_arena_printf(call->arena, "%.*s?api-version=" VERSION, RF_FMT(path));
    return path.ptr == NULL || out->ptr == NULL ? rf_fail_memory(err, call->arena) : RF_OK;
}

static enum rf_kind list_all(const struct list_call *call, struct rf_err *err)
{
    static const struct cli_list_column columns[] = {
        {RF_S("alias"), "properties.watchlistAlias", {0}, CLI_LIST_TEXT},
        {RF_S("key"), "properties.itemsSearchKey", {0}, CLI_LIST_TEXT},
        {RF_S("source"), "properties.source", {0}, CLI_LIST_TEXT},
        {RF_S("changed"), "properties.updated", {0}, CLI_LIST_TIME},
        {RF_S("name"), "properties.displayName", {0}, CLI_LIST_TEXT}};
    struct json_node *list;
    rf_str target;
    RF_TRY(target_of(call, (rf_str){0}, &target, err));
    RF_TRY(cli_server_list(call->server, target, call->arena, &list, err));
    return cli_list_print(list, RF_S("watchlists"), columns, RF_COUNT(columns), call->args->format,
                          call->arena, err);
}

/* The columns are those of the first row: all have the same. */
static enum rf_kind show(const struct list_call *call, struct rf_err *err)
{
    struct json_node *list;
    rf_str target, rest = rf_arena_printf(call->arena, "/%s/watchlistItems", call->args->words[1]);
    if (rest.ptr == NULL) return rf_fail_memory(err, call->arena);
    RF_TRY(target_of(call, rest, &target, err));
    RF_TRY(cli_server_list(call->server, target, call->arena, &list, err));
    const struct json_node *first = json_at(list->first, "properties.itemsKeyValue");
    uint32_t count = first == NULL ? 0 : first->count, at = 0;
    struct cli_list_column *columns = rf_arena_new(call->arena, struct cli_list_column, count);
    if (columns == NULL) return rf_fail_memory(err, call->arena);
    for (const struct json_node *m = first == NULL ? NULL : first->first; m != NULL; m = m->next)
        columns[at++] =
            (struct cli_list_column){m->name, "properties.itemsKeyValue", m->name, CLI_LIST_TEXT};
    return cli_list_print(list, RF_S("watchlist"), columns, count, call->args->format, call->arena,
                          err);
}

static rf_str base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return rf_str_of(slash == NULL ? path : slash + 1);
}

static enum rf_kind put(const struct list_call *call, struct rf_err *err)
{
    const struct list_args *args = call->args;
    struct rf_arena *arena = call->arena;
    struct json_node *body = json_new(arena, JSON_T_OBJECT), *now;
    rf_str text, file = base_name(args->words[1]);
    bool created, tabs = rf_str_ends(file, RF_S(".tsv"));
    RF_TRY(rf_fs_read_all(rf_fs_real(), args->words[1], CSV_BYTES_MAX, arena, &text, err));
    struct json_node *p = json_object_in(arena, body, "properties");
    json_set_text(arena, p, "displayName", rf_str_of(args->alias));
    json_set_text(arena, p, "provider", RF_S("ringfort"));
    json_set_text(arena, p, "source", file);
    json_set_text(arena, p, "sourceType", RF_S("Local file"));
    json_set_text(arena, p, "itemsSearchKey", rf_str_of(args->key));
    json_set_text(arena, p, "contentType", tabs ? RF_S("text/tsv") : RF_S("text/csv"));
    json_set_i64(arena, p, "numberOfLinesToSkip", args->skip);
    rf_str id = rf_arena_printf(arena, "%.*s/%s", RF_FMT(call->base), args->alias);
    if (id.ptr == NULL || json_set_text(arena, p, "rawContent", text) == NULL)
        return rf_fail_memory(err, arena);
    RF_TRY(cli_server_put(call->server, id, RF_S(VERSION), body, arena, &created, &now, err));
    cli_say("%s the watchlist '%s'", created ? "made" : "replaced", args->alias);
    return RF_OK;
}

static enum rf_kind delete_one(const struct list_call *call, struct rf_err *err)
{
    struct http_answer answer;
    struct cli_call request = {.method = "DELETE"};
    rf_str rest = rf_arena_printf(call->arena, "/%s", call->args->words[1]);
    if (rest.ptr == NULL) return rf_fail_memory(err, call->arena);
    RF_TRY(target_of(call, rest, &request.target, err));
    RF_TRY(cli_server_call(call->server, &request, call->arena, &answer, err));
    if (answer.status == 204)
        return RF_FAIL(err, RF_NOT_FOUND, "WatchlistNotFound", "there is no watchlist '%s'",
                       call->args->words[1]);
    cli_say("deleted the watchlist '%s'", call->args->words[1]);
    return RF_OK;
}

/* ---- the command --------------------------------------------------------------------------------------------------------------- */

static enum rf_kind act(struct list_call *call, struct rf_err *err)
{
    const char *verb = call->args->word_count == 0 ? "list" : call->args->words[0];
    rf_str workspace;
    RF_TRY(cli_server_workspace(call->server, call->args->workspace, call->arena, NULL, &workspace,
                                err));
    call->base = rf_arena_printf(
        call->arena, "%.*s/providers/Microsoft.SecurityInsights/watchlists", RF_FMT(workspace));
    if (call->base.ptr == NULL) return rf_fail_memory(err, call->arena);
    if (strcmp(verb, "show") == 0) return show(call, err);
    if (strcmp(verb, "put") == 0) return put(call, err);
    if (strcmp(verb, "delete") == 0) return delete_one(call, err);
    return list_all(call, err);
}

int cli_watchlist(int argc, char **argv)
{
    struct list_args args = {.format = CLI_FORMAT_COUNT};
    int status = read_args(argc, argv, &args);
    if (status != CLI_OK) return status == CLI_HELP ? CLI_OK : status;
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, ANSWER_BYTES_MAX);
    struct list_call call = {.args = &args, .arena = &arena};
    struct rf_err err = {.code = ""};
    enum rf_kind kind = cli_server_open(&args.server, &call.server, &err);
    if (kind == RF_OK) kind = act(&call, &err);
    cli_server_close(call.server);
    return kind == RF_OK ? CLI_OK : cli_say_error(&err, (rf_str){NULL, 0}, NULL);
}
