/* cli_deploy.c - ringfort deploy: a deployment template, with what comes of each of its resources as it comes. */
#include <inttypes.h>
#include <stdlib.h>
#include <time.h>

#include "arm/template.h"
#include "base/encode.h"
#include "base/fs.h"
#include "cli/cli.h"
#include "cli/cli_server.h"
#include "cli/cli_text.h"

enum {
    DEPLOY_BYTES_MAX = 512 << 20,
    FILE_BYTES_MAX = 16 << 20,
    POLL_MS = 200,
    POLL_ROUNDS = 18000, /* an hour */
    NAME_CHARS = 64
};
#define DEPLOY_VERSION "2025-04-01"

enum {
    OPT_SERVER,
    OPT_PARAMETERS = OPT_SERVER + CLI_SERVER_OPTION_COUNT,
    OPT_GROUP,
    OPT_SUBSCRIPTION_SCOPE,
    OPT_LOCATION,
    OPT_MODE,
    OPT_WHAT_IF,
    OPT_NAME
};

static const struct cli_option options[] = {
    CLI_SERVER_OPTIONS(OPT_SERVER),
    [OPT_PARAMETERS] = {"parameters", "FILE|NAME=VALUE",
                        "a file of parameters, or one of them; may come several times"},
    [OPT_GROUP] = {"group", "NAME", "the resource group; the login's unless given"},
    [OPT_SUBSCRIPTION_SCOPE] = {"subscription-scope", NULL,
                                "deploy to the subscription, not to a resource group"},
    [OPT_LOCATION] = {"location", "NAME",
                      "of a deployment to the subscription; the server's unless given"},
    [OPT_MODE] = {"mode", "MODE",
                  "incremental (the default), or complete: what the template does not name goes"},
    [OPT_WHAT_IF] = {"what-if", NULL, "say what would change, and change nothing"},
    [OPT_NAME] = {"name", "NAME", "of the deployment; the template file's name unless given"},
};

static const struct cli_usage usage = {
    .command = "deploy",
    .words = "TEMPLATE|-",
    .doc = "Deploys a template (Azure Resource Manager) to a server.",
    .options = options,
    .option_count = RF_COUNT(options),
    .notes =
        "A template is JSON and may have comments. VALUE is JSON, or plain text for a parameter "
        "of the type string;\nlater parameters win. The exit status is 1 when a resource "
        "failed.",
};

struct deploy_args {
    struct cli_server_args server;
    const char **parameters;
    uint32_t parameter_count;
    const char *template, *group, *location, *mode, *name;
    bool at_subscription, what_if;
};

struct deploy {
    const struct deploy_args *args;
    struct cli_server *server;
    struct rf_arena arena;
    bool colour;
    rf_str id;
    uint32_t shown, failed;
};

static int read_args(int argc, char **argv, struct deploy_args *args)
{
    struct cli_line line = cli_line_of(&usage, argc, argv);
    for (int at; (at = cli_next(&line)) != CLI_END;) {
        switch (at) {
        case OPT_PARAMETERS:
            args->parameters[args->parameter_count++] = line.value;
            break;
        case OPT_GROUP:
            args->group = line.value;
            break;
        case OPT_SUBSCRIPTION_SCOPE:
            args->at_subscription = true;
            break;
        case OPT_LOCATION:
            args->location = line.value;
            break;
        case OPT_MODE:
            args->mode = line.value;
            break;
        case OPT_WHAT_IF:
            args->what_if = true;
            break;
        case OPT_NAME:
            args->name = line.value;
            break;
        case CLI_WORD:
            if (args->template != NULL)
                return cli_wrong(&usage, "one template at a time: '%s' is too many", line.value);
            args->template = line.value;
            break;
        case CLI_HELP:
            return CLI_HELP;
        default:
            if (!cli_server_option(at, OPT_SERVER, line.value, &args->server)) return CLI_WRONG_USE;
        }
    }
    if (args->template == NULL)
        return cli_wrong(&usage, "a template is needed, or - for standard input");
    rf_str mode = rf_str_of(args->mode == NULL ? "incremental" : args->mode);
    if (!rf_str_eq_nocase(mode, RF_S("incremental")) && !rf_str_eq_nocase(mode, RF_S("complete")))
        return cli_wrong(&usage, "--mode is incremental or complete, not '%s'", args->mode);
    if (args->at_subscription && args->group != NULL)
        return cli_wrong(&usage, "--group and --subscription-scope exclude each other");
    return CLI_OK;
}

/* ---- files --------------------------------------------------------------------------------------------------------------- */

/* JSON with comments; *text for quoting. */
static enum rf_kind read_json(struct deploy *d, const char *path, struct json_node **out,
                              struct rf_err *err)
{
    rf_str raw = {0}, strict;
    struct rf_buf buf = rf_buf_in(&d->arena);
    bool is_input = strcmp(path, "-") == 0;
    FILE *file = is_input ? stdin : fopen(path, "rbe");
    if (file == NULL) return RF_FAIL_ERRNO(err, "FileNotFound", "cannot open %s", path);
    for (size_t got = 1; got > 0 && buf.len < FILE_BYTES_MAX;) {
        if (!rf_buf_reserve(&buf, 65536)) break;
        got = fread(buf.ptr + buf.len, 1, 65536, file);
        buf.len += got;
    }
    bool broken = ferror(file) != 0;
    if (!is_input) (void)fclose(file);
    if (broken) return RF_FAIL(err, RF_IO, "ReadFailed", "cannot read %s", path);
    if (buf.failed) return rf_fail_memory(err, &d->arena);
    if (buf.len >= FILE_BYTES_MAX)
        return RF_FAIL(err, RF_LIMIT, "FileTooLarge", "%s has more than %d bytes", path,
                       FILE_BYTES_MAX);
    raw = rf_buf_view(&buf);
    RF_TRY(template_text_strict(raw, &d->arena, &strict, err));
    return json_parse(strict, &d->arena, out, err);
}

static enum rf_kind fail_parameter(const char *word, const char *why, struct rf_err *err)
{
    return RF_FAIL(err, RF_INVALID, "BadParameter", "--parameters %.200s: %s", word, why);
}

/* {"parameters":{"p":{"value":..}}}, the same without the outer member, or {"p":value}. */
static enum rf_kind add_file(struct deploy *d, const char *path, struct json_node *into,
                             struct rf_err *err)
{
    struct json_node *file;
    RF_TRY(read_json(d, path, &file, err));
    const struct json_node *all = json_get(file, "parameters");
    if (all == NULL) all = file;
    if (!json_is(all, JSON_T_OBJECT)) return fail_parameter(path, "it holds no parameters", err);
    for (const struct json_node *p = all->first; p != NULL; p = p->next) {
        bool is_wrapped = json_get(p, "value") != NULL || json_get(p, "reference") != NULL;
        struct json_node *given = json_clone(&d->arena, p), *wrapped = given;
        if (!is_wrapped) {
            wrapped = json_new(&d->arena, JSON_T_OBJECT);
            json_set(&d->arena, wrapped, RF_S("value"), given);
        }
        if (json_set(&d->arena, into, p->name, wrapped) == NULL)
            return rf_fail_memory(err, &d->arena);
    }
    return RF_OK;
}

static enum rf_kind add_one(struct deploy *d, const struct json_node *template, const char *word,
                            struct json_node *into, struct rf_err *err)
{
    const char *equals = strchr(word, '=');
    rf_str name = rf_str_make(word, (size_t)(equals - word)), text = rf_str_of(equals + 1);
    const struct json_node *defined =
        json_get_nocase(template_member(template, "parameters"), name);
    enum template_type type = TEMPLATE_STRING;
    struct json_node *value = NULL, *wrapped = json_new(&d->arena, JSON_T_OBJECT);
    struct rf_err inner;
    if (defined == NULL) return fail_parameter(word, "the template has no such parameter", err);
    (void)template_type_of(template_member_text(defined, "type"), &type);
    if (type == TEMPLATE_STRING || type == TEMPLATE_SECURE_STRING)
        value = json_new_text(&d->arena, text);
    else if (json_parse(text, &d->arena, &value, &inner) != RF_OK)
        return fail_parameter(word, inner.text, err);
    json_set(&d->arena, wrapped, RF_S("value"), value);
    return json_set(&d->arena, into, name, wrapped) == NULL ? rf_fail_memory(err, &d->arena)
                                                            : RF_OK;
}

/* A word with '=' is one parameter, unless it is a file's name. */
static enum rf_kind read_parameters(struct deploy *d, const struct json_node *template,
                                    struct json_node *into, struct rf_err *err)
{
    for (uint32_t i = 0; i < d->args->parameter_count; i++) {
        const char *word = d->args->parameters[i];
        struct rf_fs_stat found;
        struct rf_err ignored;
        bool is_file = rf_fs_stat(rf_fs_real(), word, &found, &ignored) == RF_OK;
        if (is_file || strchr(word, '=') == NULL)
            RF_TRY(add_file(d, word, into, err));
        else
            RF_TRY(add_one(d, template, word, into, err));
    }
    return RF_OK;
}

/* ---- the request -------------------------------------------------------------------------------------------------------------- */

static rf_str deployment_name(struct deploy *d)
{
    if (d->args->name != NULL) return rf_str_of(d->args->name);
    const char *slash = strrchr(d->args->template, '/');
    rf_str file = rf_str_of(slash == NULL ? d->args->template : slash + 1);
    struct rf_buf buf = rf_buf_in(&d->arena);
    for (size_t i = 0; i < file.len && i < NAME_CHARS && file.ptr[i] != '.'; i++)
        rf_buf_byte(&buf, rf_is_alnum(file.ptr[i]) || file.ptr[i] == '_' ? file.ptr[i] : '-');
    if (buf.len == 0 || strcmp(d->args->template, "-") == 0) return RF_S("template");
    return rf_buf_view(&buf);
}

static enum rf_kind name_target(struct deploy *d, struct rf_err *err)
{
    const struct cli_site *site = cli_server_site(d->server);
    rf_str name = deployment_name(d);
    rf_str group = d->args->group == NULL ? site->resource_group : rf_str_of(d->args->group);
    if (site->subscription_id.len == 0 || (!d->args->at_subscription && group.len == 0))
        return RF_FAIL(err, RF_INVALID, "NoPlace", "the login knows no %s",
                       site->subscription_id.len == 0 ? "subscription"
                                                      : "resource group: give one with --group");
    d->id = d->args->at_subscription
                ? rf_arena_printf(&d->arena,
                                  "/subscriptions/%.*s/providers/Microsoft.Resources/"
                                  "deployments/%.*s",
                                  RF_FMT(site->subscription_id), RF_FMT(name))
                : rf_arena_printf(&d->arena,
                                  "/subscriptions/%.*s/resourceGroups/%.*s/providers/"
                                  "Microsoft.Resources/deployments/%.*s",
                                  RF_FMT(site->subscription_id), RF_FMT(group), RF_FMT(name));
    return d->id.ptr == NULL ? rf_fail_memory(err, &d->arena) : RF_OK;
}

static enum rf_kind make_body(struct deploy *d, rf_str *out, struct rf_err *err)
{
    struct json_node *template, *parameters = json_new(&d->arena, JSON_T_OBJECT);
    struct json_node *body = json_new(&d->arena, JSON_T_OBJECT);
    RF_TRY(read_json(d, d->args->template, &template, err));
    if (parameters == NULL || body == NULL) return rf_fail_memory(err, &d->arena);
    if (!json_is(template, JSON_T_OBJECT))
        return RF_FAIL(err, RF_INVALID, "BadTemplate", "%s is no template: no object",
                       d->args->template);
    RF_TRY(read_parameters(d, template, parameters, err));
    rf_str place = d->args->location != NULL ? rf_str_of(d->args->location)
                                             : cli_server_site(d->server)->location;
    if (d->args->at_subscription)
        json_set_text(&d->arena, body, "location", place.len > 0 ? place : RF_S("local"));
    bool complete = d->args->mode != NULL && rf_lower((uint8_t)d->args->mode[0]) == 'c';
    struct json_node *properties = json_object_in(&d->arena, body, "properties");
    json_set_text(&d->arena, properties, "mode", complete ? RF_S("Complete") : RF_S("Incremental"));
    json_set(&d->arena, properties, RF_S("template"), template);
    if (json_set(&d->arena, properties, RF_S("parameters"), parameters) == NULL)
        return rf_fail_memory(err, &d->arena);
    *out = json_to_text(&d->arena, body);
    return out->ptr == NULL ? rf_fail_memory(err, &d->arena) : RF_OK;
}

/* "/id/word?api-version=..." */
static enum rf_kind target_of(struct deploy *d, const char *word, rf_str *out, struct rf_err *err)
{
    rf_str path = cli_url_path(&d->arena, d->id);
    *out = rf_arena_printf(&d->arena, "%.*s%s%s?api-version=" DEPLOY_VERSION, RF_FMT(path),
                           word[0] == 0 ? "" : "/", word);
    return path.ptr == NULL || out->ptr == NULL ? rf_fail_memory(err, &d->arena) : RF_OK;
}

static void wait_a_moment(void)
{
    const struct timespec moment = {.tv_nsec = POLL_MS * 1000000L};
    (void)nanosleep(&moment, NULL);
}

/* ---- showing ------------------------------------------------------------------------------------------------------------------ */

static const char *paint(const struct deploy *d, const char *colour)
{
    return d->colour ? colour : "";
}
#define GREEN "\x1b[32m"
#define RED "\x1b[31m"
#define YELLOW "\x1b[33m"
#define DIM "\x1b[2m"
#define PLAIN "\x1b[0m"

/* Without the colour's escapes, which are ours, nothing of a text steers the terminal. */
static void print_text(rf_str text) { (void)cli_text_print(stdout, text, UINT32_MAX); }

/* Behind the last /providers/: "Microsoft.X/y/name". */
static rf_str short_id(rf_str id)
{
    rf_str word = RF_S("/providers/");
    size_t at = SIZE_MAX;
    for (size_t next = rf_str_find(id, word, 0); next != SIZE_MAX;
         next = rf_str_find(id, word, next + 1))
        at = next;
    if (at == SIZE_MAX) return id;
    return rf_slice(id, at + word.len, id.len);
}

static void print_error(const struct json_node *error, uint32_t indent)
{
    rf_str code = json_text_at(error, "code"), message = json_text_at(error, "message");
    printf("%*s", (int)indent, "");
    print_text(code);
    fputs(": ", stdout);
    print_text(message);
    fputc('\n', stdout);
}

static void print_operation(struct deploy *d, const struct json_node *operation)
{
    const struct json_node *p = json_get(operation, "properties");
    bool failed = !rf_str_is(json_text_at(p, "provisioningState"), "Succeeded");
    bool deleted = rf_str_is(json_text_at(p, "provisioningOperation"), "Delete");
    bool created = rf_str_is(json_text_at(p, "statusCode"), "Created");
    rf_str id = json_text_at(p, "targetResource.id");
    if (id.len == 0 && !failed) return;
    printf("%s%s%s ", paint(d, failed ? RED : GREEN),
           failed    ? "failed "
           : deleted ? "deleted"
           : created ? "created"
                     : "put    ",
           paint(d, PLAIN));
    print_text(id.len > 0 ? short_id(id) : json_text_at(p, "provisioningOperation"));
    fputc('\n', stdout);
    if (failed) print_error(json_at(p, "statusMessage.error"), 8);
    d->failed += failed;
}

/* The operations that came since the last look. */
static enum rf_kind show_progress(struct deploy *d, struct rf_err *err)
{
    rf_str target;
    struct json_node *answer;
    RF_TRY(target_of(d, "operations", &target, err));
    RF_TRY(cli_server_get(d->server, target, &d->arena, &answer, err));
    const struct json_node *all = json_get(answer, "value");
    uint32_t at = 0;
    for (const struct json_node *o = all == NULL ? NULL : all->first; o != NULL; o = o->next)
        if (at++ >= d->shown) print_operation(d, o);
    if (at > d->shown) d->shown = at;
    fflush(stdout);
    return RF_OK;
}

static void print_outputs(struct deploy *d, const struct json_node *outputs)
{
    const struct json_node *o = json_is(outputs, JSON_T_OBJECT) ? outputs->first : NULL;
    for (; o != NULL; o = o->next) {
        const struct json_node *value = json_get(o, "value");
        if (value == NULL) continue;
        print_text(o->name);
        fputs(" = ", stdout);
        print_text(value->type == JSON_T_STRING ? value->text : json_to_text(&d->arena, value));
        fputc('\n', stdout);
    }
}

/* ---- deploying ------------------------------------------------------------------------------------------------------------------- */

static bool has_ended(rf_str state)
{
    return rf_str_is(state, "Succeeded") || rf_str_is(state, "Failed") ||
           rf_str_is(state, "Canceled");
}

static enum rf_kind finish(struct deploy *d, const struct json_node *now, struct rf_err *err)
{
    rf_str state = json_text_at(now, "properties.provisioningState");
    if (rf_str_is(state, "Succeeded")) {
        print_outputs(d, json_at(now, "properties.outputs"));
        return RF_OK;
    }
    if (d->failed > 0)
        return RF_FAIL(err, RF_INVALID, "DeploymentFailed",
                       "%" PRIu32 " of %" PRIu32 " resources failed", d->failed, d->shown);
    return cli_server_fault(400, json_at(now, "properties"), err);
}

static enum rf_kind deploy(struct deploy *d, rf_str body, struct rf_err *err)
{
    struct cli_call call = {.method = "PUT", .body = body, .prefer = "respond-async"};
    struct http_answer answer;
    struct json_node *now = NULL;
    RF_TRY(target_of(d, "", &call.target, err));
    RF_TRY(cli_server_call(d->server, &call, &d->arena, &answer, err));
    for (int round = 0; round < POLL_ROUNDS; round++) {
        RF_TRY(cli_server_get(d->server, call.target, &d->arena, &now, err));
        /* Looked at first, so that no operation is missed. */
        bool ended = has_ended(json_text_at(now, "properties.provisioningState"));
        RF_TRY(show_progress(d, err));
        if (ended) return finish(d, now, err);
        wait_a_moment();
    }
    return RF_FAIL(err, RF_AGAIN, "TimedOut", "the deployment goes on; its end is not waited for");
}

/* ---- what-if ------------------------------------------------------------------------------------------------------------------------ */

static rf_str header_of(const struct http_answer *answer, rf_str name)
{
    for (uint32_t i = 0; i < answer->header_count; i++)
        if (rf_str_eq_nocase(answer->headers[i].name, name)) return answer->headers[i].value;
    return (rf_str){0};
}

static enum rf_kind ask_what_if(struct deploy *d, rf_str body, struct json_node **out,
                                struct rf_err *err)
{
    struct cli_call call = {.method = "POST", .body = body};
    struct http_answer answer;
    RF_TRY(target_of(d, "whatIf", &call.target, err));
    RF_TRY(cli_server_call(d->server, &call, &d->arena, &answer, err));
    rf_str location = header_of(&answer, RF_S("location"));
    for (int round = 0; answer.status == 202 && round < POLL_ROUNDS; round++) {
        call = (struct cli_call){.method = "GET", .target = location};
        RF_TRY(cli_server_call(d->server, &call, &d->arena, &answer, err));
        if (answer.status == 202) wait_a_moment();
    }
    return json_parse(answer.body, &d->arena, out, err);
}

static const struct sign {
    const char *type, *mark, *colour;
} signs[] = {
    {"Create", "+", GREEN},  {"Delete", "-", RED},   {"Modify", "~", YELLOW},
    {"Array", "~", YELLOW},  {"NoChange", "=", DIM}, {"Ignore", "*", DIM},
    {"Deploy", "!", YELLOW}, {"NoEffect", "=", DIM}, {"Unsupported", "x", DIM},
};

static const struct sign *sign_of(rf_str type)
{
    for (size_t i = 0; i < RF_COUNT(signs); i++)
        if (rf_str_is(type, signs[i].type)) return &signs[i];
    return &signs[RF_COUNT(signs) - 1];
}

static void print_value(struct deploy *d, const struct json_node *value)
{
    if (value != NULL) print_text(json_to_text(&d->arena, value));
}

/* As deep as what the server answers. */
static void print_delta(struct deploy *d, const struct json_node *deltas, uint32_t indent)
{
    const struct json_node *delta = json_is(deltas, JSON_T_ARRAY) ? deltas->first : NULL;
    for (; delta != NULL; delta = delta->next) {
        const struct sign *sign = sign_of(json_text_at(delta, "propertyChangeType"));
        const struct json_node *children = json_get(delta, "children");
        bool has_children = json_is(children, JSON_T_ARRAY) && children->count > 0;
        printf("%*s%s%s ", (int)indent, "", paint(d, sign->colour), sign->mark);
        print_text(json_text_at(delta, "path"));
        if (!has_children) {
            fputs(": ", stdout);
            print_value(d, json_get(delta, "before"));
            if (json_get(delta, "before") != NULL && json_get(delta, "after") != NULL)
                fputs(" => ", stdout);
            print_value(d, json_get(delta, "after"));
        }
        printf("%s\n", paint(d, PLAIN));
        if (has_children) print_delta(d, children, indent + 2);
    }
}

static enum rf_kind show_what_if(struct deploy *d, rf_str body, struct rf_err *err)
{
    struct json_node *result;
    uint32_t counts[RF_COUNT(signs)] = {0};
    RF_TRY(ask_what_if(d, body, &result, err));
    const struct json_node *changes = json_at(result, "properties.changes");
    for (const struct json_node *c = changes == NULL ? NULL : changes->first; c != NULL;
         c = c->next) {
        const struct sign *sign = sign_of(json_text_at(c, "changeType"));
        counts[sign - signs]++;
        printf("%s%s ", paint(d, sign->colour), sign->mark);
        print_text(short_id(json_text_at(c, "resourceId")));
        printf("%s\n", paint(d, PLAIN));
        print_delta(d, json_get(c, "delta"), 4);
    }
    static const char *const words[] = {"to create", "to delete", "to modify",
                                        NULL,        "unchanged", "ignored",
                                        "to deploy", NULL,        "not predicted"};
    bool first = true;
    for (size_t i = 0; i < RF_COUNT(signs); i++) {
        if (counts[i] == 0 || words[i] == NULL) continue;
        printf("%s%" PRIu32 " %s", first ? "" : ", ", counts[i], words[i]);
        first = false;
    }
    printf("%s\n", first ? "nothing" : "");
    return RF_OK;
}

static int run(const struct deploy_args *args)
{
    struct deploy d = {.args = args, .colour = cli_has_colour(stdout)};
    struct rf_err err = {0};
    rf_str body;
    if (cli_server_open(&args->server, &d.server, &err) != RF_OK)
        return cli_say_error(&err, (rf_str){NULL, 0}, NULL);
    rf_arena_init(&d.arena, DEPLOY_BYTES_MAX);
    enum rf_kind kind = name_target(&d, &err);
    if (kind == RF_OK) kind = make_body(&d, &body, &err);
    if (kind == RF_OK) kind = args->what_if ? show_what_if(&d, body, &err) : deploy(&d, body, &err);
    int status = kind == RF_OK ? CLI_OK : cli_say_error(&err, (rf_str){NULL, 0}, args->template);
    rf_arena_done(&d.arena);
    cli_server_close(d.server);
    return status;
}

int cli_deploy(int argc, char **argv)
{
    struct deploy_args args = {.parameters = calloc((size_t)argc + 1, sizeof(char *))};
    if (args.parameters == NULL) {
        cli_say("no memory for the names of %d files", argc);
        return CLI_FAILED;
    }
    int status = read_args(argc, argv, &args);
    if (status == CLI_OK) status = run(&args);
    free(args.parameters);
    return status == CLI_HELP ? CLI_OK : status;
}
