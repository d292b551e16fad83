/* cli_resource.c - ringfort resource: one resource of a server, or a list of them. */
#include "cli/cli.h"
#include "cli/cli_format.h"
#include "cli/cli_server.h"

#include "base/fs.h"
#include "base/yaml_tree.h"

enum { ANSWER_BYTES_MAX = 512 << 20, BODY_BYTES_MAX = 64 << 20 };

enum { OPT_SERVER, OPT_VERSION = OPT_SERVER + CLI_SERVER_OPTION_COUNT, OPT_FORMAT };

static const struct cli_option options[] = {
    CLI_SERVER_OPTIONS(OPT_SERVER),
    [OPT_VERSION] = {"api-version", "V",
                     "the version of the API: 2023-03-11; the newest that the server knows unless "
                     "given"},
    [OPT_FORMAT] = {"format", "FORMAT",
                    "of a list: table, csv, markdown (name, type, location, id), json or jsonl "
                    "(all that the server says)"},
};

static const struct cli_usage usage = {
    .command = "resource",
    .words = "get|list|put|delete ID [FILE|-]",
    .doc = "Reads, writes and removes the resources of a server.",
    .options = options,
    .option_count = RF_COUNT(options),
    .notes =
        "An ID is whole (/subscriptions/...) or begins with the namespace: then it lies in the "
        "resource group of the\nlogin, and in its workspace when the namespace is "
        "Microsoft.SecurityInsights. 'list' takes the ID of a collection,\nand lists all resources "
        "of the subscription without one. 'put' reads the resource as JSON or YAML.\n\n"
        "  ringfort resource list Microsoft.Insights/dataCollectionRules\n"
        "  ringfort resource put Microsoft.Insights/dataCollectionRules/app rule.json",
};

struct resource_args {
    struct cli_server_args server;
    const char *version, *words[3];
    uint32_t word_count;
    enum cli_format format;
};

/* The arguments of the verb; those that it needs are not NULL then. */
static int check_args(const struct resource_args *args)
{
    static const struct {
        const char *verb;
        uint32_t least, most;
    } verbs[] = {{"get", 2, 2}, {"list", 1, 2}, {"put", 3, 3}, {"delete", 2, 2}};
    size_t i = 0;
    while (args->words[0] != NULL && i < RF_COUNT(verbs) &&
           strcmp(args->words[0], verbs[i].verb) != 0)
        i++;
    if (args->words[0] == NULL)
        (void)cli_wrong(&usage, "get, list, put or delete is needed");
    else if (i == RF_COUNT(verbs))
        (void)cli_wrong(&usage, "'%s' is not get, list, put or delete", args->words[0]);
    else if (args->words[1] == NULL && verbs[i].least > 1)
        (void)cli_wrong(&usage, "%s needs an ID", args->words[0]);
    else if (args->words[2] == NULL && verbs[i].least > 2)
        (void)cli_wrong(&usage, "%s needs a file, or - for standard input", args->words[0]);
    else if (args->word_count > verbs[i].most)
        (void)cli_wrong(&usage, "'%s' is not expected", args->words[verbs[i].most]);
    else
        return CLI_OK;
    return CLI_WRONG_USE;
}

static int read_args(int argc, char **argv, struct resource_args *args)
{
    struct cli_line line = cli_line_of(&usage, argc, argv);
    for (int at; (at = cli_next(&line)) != CLI_END;) {
        switch (at) {
        case OPT_VERSION:
            args->version = line.value;
            break;
        case OPT_FORMAT:
            if (!cli_format_parse(line.value, &args->format) || args->format == CLI_CHART)
                return cli_wrong(&usage,
                                 "--format: '%s' is not table, json, jsonl, csv or markdown",
                                 line.value);
            break;
        case CLI_WORD:
            if (args->word_count == RF_COUNT(args->words))
                return cli_wrong(&usage, "'%s' is not expected", line.value);
            args->words[args->word_count++] = line.value;
            break;
        case CLI_HELP:
            return CLI_HELP;
        default:
            if (!cli_server_option(at, OPT_SERVER, line.value, &args->server)) return CLI_WRONG_USE;
        }
    }
    return check_args(args);
}

/* ---- lists ------------------------------------------------------------------------------------------------------- */

static const char *const shown[] = {"name", "type", "location", "id"};

static enum rf_kind push_list(struct kql_sink *sink, const struct json_node *list,
                              struct rf_arena *arena, struct rf_err *err)
{
    struct column columns[RF_COUNT(shown)] = {0};
    struct vec vecs[RF_COUNT(shown)];
    struct schema schema = {.columns = columns, .count = RF_COUNT(shown)};
    for (size_t i = 0; i < RF_COUNT(shown); i++) {
        columns[i].name = rf_str_of(shown[i]);
        columns[i].type = TYPE_STRING;
        if (!vec_flat(arena, TYPE_STRING, BATCH_ROWS, &vecs[i])) return rf_fail_memory(err, arena);
    }
    struct batch batch = {.column_count = RF_COUNT(shown), .columns = vecs, .arena = arena};
    RF_TRY(sink->begin(sink, RF_S("resources"), &schema, NULL, err));
    for (const struct json_node *item = list->first; item != NULL; item = item->next) {
        for (size_t i = 0; i < RF_COUNT(shown); i++) {
            struct value v = value_str(json_text_at(item, shown[i]));
            vec_set(&vecs[i], batch.row_count, &v);
        }
        if (++batch.row_count < BATCH_ROWS && item->next != NULL) continue;
        RF_TRY(sink->push(sink, &batch, err));
        batch.row_count = 0;
    }
    RF_TRY(sink->end(sink, err));
    return cli_sink_finish(sink, err);
}

static enum rf_kind print_list(const struct resource_args *args, const struct json_node *list,
                               struct rf_arena *arena, struct rf_err *err)
{
    bool terminal = cli_is_terminal(stdout);
    enum cli_format format = args->format;
    if (format == CLI_FORMAT_COUNT) format = terminal ? CLI_TABLE : CLI_JSON;
    if (format == CLI_JSON) {
        cli_print_json(list, arena);
        return RF_OK;
    }
    for (const struct json_node *item = list->first; format == CLI_JSONL && item != NULL;
         item = item->next) {
        rf_str text = json_to_text(arena, item);
        if (text.ptr == NULL) return rf_fail_memory(err, arena);
        printf("%.*s\n", RF_FMT(text));
    }
    if (format == CLI_JSONL) return RF_OK;
    struct cli_output output = {.file = stdout,
                                .format = format,
                                .colour = cli_has_colour(stdout),
                                .width = terminal ? cli_width(stdout) : UINT32_MAX};
    struct kql_sink *sink = cli_sink_new(&output, arena);
    if (sink == NULL) return rf_fail_memory(err, arena);
    enum rf_kind kind = push_list(sink, list, arena, err);
    cli_sink_done(sink);
    return kind;
}

static enum rf_kind list(struct cli_server *server, const struct resource_args *args,
                         struct rf_arena *arena, struct rf_err *err)
{
    rf_str id, target;
    struct json_node *found;
    rf_str version = args->version == NULL ? (rf_str){NULL, 0} : rf_str_of(args->version);
    if (args->word_count > 1) {
        RF_TRY(cli_server_id(server, rf_str_of(args->words[1]), arena, &id, err));
    } else {
        rf_str subscription = cli_server_site(server)->subscription_id;
        if (subscription.len == 0)
            return RF_FAIL(err, RF_INVALID, "NoPlace",
                           "the login knows no subscription: say what "
                           "to list");
        id = rf_arena_printf(arena, "/subscriptions/%.*s/resources", RF_FMT(subscription));
        if (id.ptr == NULL) return rf_fail_memory(err, arena);
    }
    RF_TRY(cli_server_target(server, id, version, arena, &target, err));
    RF_TRY(cli_server_list(server, target, arena, &found, err));
    return print_list(args, found, arena, err);
}

/* ---- one resource -------------------------------------------------------------------------------------------------- */

enum rf_kind cli_read_resources(const char *path, struct rf_arena *arena, struct json_node **out,
                                rf_str *text, struct rf_err *err)
{
    bool piped = strcmp(path, "-") == 0;
    rf_str name = rf_str_of(path);
    if (!piped) {
        RF_TRY(rf_fs_read_all(rf_fs_real(), path, BODY_BYTES_MAX, arena, text, err));
    } else {
        struct rf_buf buf = rf_buf_in(arena);
        uint8_t bytes[64 * 1024];
        for (size_t got; (got = fread(bytes, 1, sizeof bytes, stdin)) > 0;)
            rf_buf_put(&buf, bytes, got);
        if (ferror(stdin) != 0)
            return RF_FAIL_ERRNO(err, "InputFailed", "standard input cannot be read");
        if (buf.failed) return rf_fail_memory(err, arena);
        *text = rf_buf_view(&buf);
    }
    rf_str start = rf_str_trim(*text);
    bool json = rf_str_ends(name, RF_S(".json")) ||
                (piped && start.len > 0 && (start.ptr[0] == '{' || start.ptr[0] == '['));
    return json ? json_parse(*text, arena, out, err) : yaml_parse(*text, arena, out, err);
}

static enum rf_kind put(struct cli_server *server, const struct resource_args *args, rf_str id,
                        rf_str version, struct rf_arena *arena, struct rf_err *err)
{
    struct json_node *body, *now;
    rf_str text;
    bool created;
    RF_ASSERT(args->words[2] != NULL);
    RF_TRY(cli_read_resources(args->words[2], arena, &body, &text, err));
    rf_str own = json_text_at(body, "apiVersion");
    if (version.len == 0) version = own;
    if (json_is(body, JSON_T_OBJECT)) json_remove(body, RF_S("apiVersion"));
    RF_TRY(cli_server_put(server, id, version, body, arena, &created, &now, err));
    cli_print_json(now, arena);
    return RF_OK;
}

static enum rf_kind remove_one(struct cli_server *server, rf_str id, rf_str version,
                               struct rf_arena *arena, struct rf_err *err)
{
    struct cli_call call = {.method = "DELETE"};
    struct http_answer answer;
    RF_TRY(cli_server_target(server, id, version, arena, &call.target, err));
    RF_TRY(cli_server_call(server, &call, arena, &answer, err));
    cli_say("%s %.*s", answer.status == 204 ? "not there:" : "deleted", RF_FMT(id));
    return RF_OK;
}

static enum rf_kind act(struct cli_server *server, const struct resource_args *args,
                        struct rf_arena *arena, struct rf_err *err)
{
    const char *verb = args->words[0];
    rf_str id, target, version = {NULL, 0};
    struct json_node *found;
    RF_ASSERT(verb != NULL); /* check_args has seen to the words */
    if (args->version != NULL) version = rf_str_of(args->version);
    if (strcmp(verb, "list") == 0) return list(server, args, arena, err);
    RF_ASSERT(args->words[1] != NULL);
    RF_TRY(cli_server_id(server, rf_str_of(args->words[1]), arena, &id, err));
    if (strcmp(verb, "put") == 0) return put(server, args, id, version, arena, err);
    if (strcmp(verb, "delete") == 0) return remove_one(server, id, version, arena, err);
    RF_TRY(cli_server_target(server, id, version, arena, &target, err));
    RF_TRY(cli_server_get(server, target, arena, &found, err));
    cli_print_json(found, arena);
    return RF_OK;
}

int cli_resource(int argc, char **argv)
{
    struct resource_args args = {.format = CLI_FORMAT_COUNT};
    int status = read_args(argc, argv, &args);
    if (status != CLI_OK) return status == CLI_HELP ? CLI_OK : status;
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, ANSWER_BYTES_MAX);
    struct cli_server *server = NULL;
    struct rf_err err = {0};
    enum rf_kind kind = cli_server_open(&args.server, &server, &err);
    if (kind == RF_OK) kind = act(server, &args, &arena, &err);
    cli_server_close(server);
    return kind == RF_OK ? CLI_OK : cli_say_error(&err, (rf_str){NULL, 0}, NULL);
}
