/* cli_apply.c - ringfort apply: resources from files, put in the order of the files.
 *
 * A file holds a resource, a list of them, a deployment template, or an analytics rule as public collections write it: that
 * becomes a rule of the login's workspace. A resource names itself by `id`, or by `type` and `name`
 * (segments take turns, as in templates) and where it lies: `scope`, else `resourceGroup`, else the login's resource group (its
 * workspace for Microsoft.SecurityInsights). These members and `apiVersion` are not sent. */
#include <stdlib.h>

#include "base/fs.h"
#include "cli/cli.h"
#include "cli/cli_server.h"
#include "siem/rule.h"

enum { APPLY_BYTES_MAX = 512 << 20, FILES_MAX = 10000 };

enum {
    OPT_SERVER,
    OPT_PARAMETERS = OPT_SERVER + CLI_SERVER_OPTION_COUNT,
    OPT_NAME,
    OPT_GROUP,
    OPT_CHECK
};

static const struct cli_option options[] = {
    CLI_SERVER_OPTIONS(OPT_SERVER),
    [OPT_PARAMETERS] = {"parameters", "FILE", "the parameters of a template"},
    [OPT_NAME] = {"name", "NAME", "of the deployment of a template; its file's name unless given"},
    [OPT_GROUP] = {"resource-group", "NAME", "where things go; the login's unless given"},
    [OPT_CHECK] = {"check", NULL, "say what would be put, and put nothing"},
};

static const struct cli_usage usage = {
    .command = "apply",
    .words = "FILE|DIR|-...",
    .doc = "Puts the resources that files describe onto a server, making or replacing them.",
    .options = options,
    .option_count = RF_COUNT(options),
    .notes =
        "Files are JSON or YAML; of a folder, those that end in .json, .yaml or .yml, by name. "
        "A resource has an \"id\", or\na \"type\" and a \"name\"; \"apiVersion\" is the newest "
        "that the server knows unless it is given. A detection rule (a \"query\" with a "
        "\"severity\") becomes an\nanalytics rule of the login's workspace. What cannot be put\nis "
        "told, and the rest "
        "is put all the same; the exit status is 1 then.",
};

struct apply_args {
    struct cli_server_args server;
    const char *parameters, *name, *group;
    const char **words;
    uint32_t word_count;
    bool check;
};

struct apply {
    const struct apply_args *args;
    struct cli_server *server;
    struct rf_arena arena; /* of the file at hand */
    const char *file;
    uint32_t done, failed;
};

static int read_args(int argc, char **argv, struct apply_args *args)
{
    struct cli_line line = cli_line_of(&usage, argc, argv);
    for (int at; (at = cli_next(&line)) != CLI_END;) {
        switch (at) {
        case OPT_PARAMETERS:
            args->parameters = line.value;
            break;
        case OPT_NAME:
            args->name = line.value;
            break;
        case OPT_GROUP:
            args->group = line.value;
            break;
        case OPT_CHECK:
            args->check = true;
            break;
        case CLI_WORD:
            args->words[args->word_count++] = line.value;
            break;
        case CLI_HELP:
            return CLI_HELP;
        default:
            if (!cli_server_option(at, OPT_SERVER, line.value, &args->server)) return CLI_WRONG_USE;
        }
    }
    if (args->word_count == 0)
        return cli_wrong(&usage, "a file or folder is needed, or - for standard input");
    return CLI_OK;
}

/* ---- ids ----------------------------------------------------------------------------------------------------------- */

static bool cut(rf_str *path, rf_str *segment)
{
    if (path->len == 0) return false;
    size_t end = 0;
    while (end < path->len && path->ptr[end] != '/') end++;
    *segment = rf_slice(*path, 0, end);
    *path = rf_slice(*path, RF_MIN(end + 1, path->len), path->len);
    return true;
}

/* "A/b/x/c/y" of type A/b/c and name x/y. */
static enum rf_kind weave(rf_str type, rf_str name, struct rf_arena *arena, rf_str *out,
                          struct rf_err *err)
{
    struct rf_buf buf = rf_buf_in(arena);
    rf_str types = type, names = name, segment;
    if (cut(&types, &segment)) rf_buf_str(&buf, segment);
    while (cut(&types, &segment)) {
        rf_buf_printf(&buf, "/%.*s", RF_FMT(segment));
        if (!cut(&names, &segment) || segment.len == 0) {
            names = RF_S("?");
            break;
        }
        rf_buf_printf(&buf, "/%.*s", RF_FMT(segment));
    }
    if (names.len > 0)
        return RF_FAIL(err, RF_INVALID, "BadResource",
                       "the name '%.*s' does not fit the type '%.*s': each part of a type behind "
                       "the namespace has a part of the name",
                       RF_FMT(name), RF_FMT(type));
    *out = rf_buf_view(&buf);
    return buf.failed ? rf_fail_memory(err, arena) : RF_OK;
}

static enum rf_kind group_of(struct apply *a, const struct json_node *resource, rf_str *out,
                             struct rf_err *err)
{
    const struct cli_site *site = cli_server_site(a->server);
    rf_str group = json_text_at(resource, "resourceGroup");
    if (group.len == 0)
        group = a->args->group != NULL ? rf_str_of(a->args->group) : site->resource_group;
    if (group.len == 0 || site->subscription_id.len == 0)
        return RF_FAIL(err, RF_INVALID, "NoPlace",
                       "the login knows no resource group: give the resource an \"id\"");
    *out = rf_arena_printf(&a->arena, "/subscriptions/%.*s/resourceGroups/%.*s",
                           RF_FMT(site->subscription_id), RF_FMT(group));
    return out->ptr == NULL ? rf_fail_memory(err, &a->arena) : RF_OK;
}

static enum rf_kind id_of(struct apply *a, const struct json_node *resource, rf_str *out,
                          struct rf_err *err)
{
    rf_str id = json_text_at(resource, "id"), type = json_text_at(resource, "type"), name, woven;
    rf_str scope = cli_server_trim(json_text_at(resource, "scope"));
    if (id.len > 0) return cli_server_id(a->server, id, &a->arena, out, err);
    name = json_text_at(resource, "name");
    if (type.len == 0 || name.len == 0)
        return RF_FAIL(err, RF_INVALID, "BadResource",
                       "it has neither an \"id\" nor a \"type\" and a \"name\"");
    RF_TRY(weave(type, name, &a->arena, &woven, err));
    bool placed =
        scope.len > 0 || a->args->group != NULL || json_text_at(resource, "resourceGroup").len > 0;
    if (!placed) return cli_server_id(a->server, woven, &a->arena, out, err);
    if (scope.len == 0) RF_TRY(group_of(a, resource, &scope, err));
    *out = rf_arena_printf(&a->arena, "%.*s/providers/%.*s", RF_FMT(scope), RF_FMT(woven));
    return out->ptr == NULL ? rf_fail_memory(err, &a->arena) : RF_OK;
}

/* ---- putting -------------------------------------------------------------------------------------------------------- */

static enum rf_kind put(struct apply *a, rf_str id, rf_str version, const struct json_node *body,
                        struct json_node **now, struct rf_err *err)
{
    bool created = false;
    if (a->args->check) {
        printf("would put %.*s\n", RF_FMT(id));
        *now = NULL;
        return RF_OK;
    }
    RF_TRY(cli_server_put(a->server, id, version, body, &a->arena, &created, now, err));
    printf("%s %.*s\n", created ? "created" : "put", RF_FMT(id));
    return RF_OK;
}

static enum rf_kind put_resource(struct apply *a, struct json_node *resource, struct rf_err *err)
{
    static const char *const ours[] = {"id",         "type",  "name",
                                       "apiVersion", "scope", "resourceGroup"};
    rf_str id, version = json_text_at(resource, "apiVersion");
    struct json_node *now;
    RF_TRY(id_of(a, resource, &id, err));
    for (size_t i = 0; i < RF_COUNT(ours); i++) json_remove(resource, rf_str_of(ours[i]));
    return put(a, id, version, resource, &now, err);
}

/* The file's name without folder and extensions, as far as a deployment may be called so. */
static rf_str deployment_name(const char *file, struct rf_arena *arena)
{
    const char *slash = strrchr(file, '/');
    rf_str name = rf_str_of(slash == NULL ? file : slash + 1);
    struct rf_buf buf = rf_buf_in(arena);
    for (size_t i = 0; i < name.len && i < 64 && (name.ptr[i] != '.' || i == 0); i++)
        rf_buf_byte(&buf, rf_is_alnum(name.ptr[i]) || name.ptr[i] == '_' ? name.ptr[i] : '-');
    return rf_buf_view(&buf);
}

/* A parameter file has a member "parameters" that holds {"name":{"value":..}}. */
static enum rf_kind read_parameters(struct apply *a, struct json_node **out, struct rf_err *err)
{
    rf_str text;
    struct json_node *file;
    *out = NULL;
    if (a->args->parameters == NULL) return RF_OK;
    RF_TRY(cli_read_resources(a->args->parameters, &a->arena, &file, &text, err));
    *out = json_get(file, "parameters");
    if (*out == NULL) *out = file;
    if (json_is(*out, JSON_T_OBJECT)) return RF_OK;
    return RF_FAIL(err, RF_INVALID, "BadResource", "%s holds no parameters", a->args->parameters);
}

static enum rf_kind put_template(struct apply *a, const struct json_node *template,
                                 struct rf_err *err)
{
    rf_str scope, name = a->args->name != NULL ? rf_str_of(a->args->name)
                                               : deployment_name(a->file, &a->arena);
    struct json_node *parameters, *now;
    RF_TRY(group_of(a, NULL, &scope, err));
    RF_TRY(read_parameters(a, &parameters, err));
    rf_str id = rf_arena_printf(&a->arena, "%.*s/providers/Microsoft.Resources/deployments/%.*s",
                                RF_FMT(scope), RF_FMT(name));
    struct json_node *body = json_new(&a->arena, JSON_T_OBJECT);
    struct json_node *properties = json_object_in(&a->arena, body, "properties");
    json_set_text(&a->arena, properties, "mode", RF_S("Incremental"));
    if (parameters != NULL) json_set(&a->arena, properties, RF_S("parameters"), parameters);
    struct json_node *copy = json_clone(&a->arena, template);
    if (id.ptr == NULL || json_set(&a->arena, properties, RF_S("template"), copy) == NULL)
        return rf_fail_memory(err, &a->arena);
    enum rf_kind kind = put(a, id, RF_S("2022-09-01"), body, &now, err);
    if (kind == RF_NOT_FOUND || (kind == RF_INVALID && strstr(err->text, "ResourceType") != NULL)) {
        struct rf_err said = *err;
        return RF_FAIL(err, kind, "NoDeployments",
                       "templates are deployed by Microsoft.Resources/deployments, which this "
                       "server does not have: %.700s",
                       said.text);
    }
    if (kind != RF_OK || now == NULL) return kind;
    if (rf_str_eq_nocase(json_text_at(now, "properties.provisioningState"), RF_S("Failed")))
        return cli_server_fault(400, json_at(now, "properties"), err);
    return RF_OK;
}

static void count(struct apply *a, enum rf_kind kind, const struct rf_err *err, rf_str text)
{
    a->done += kind == RF_OK;
    if (kind == RF_OK) return;
    a->failed++;
    (void)cli_say_error(err, text, a->file);
}

static bool is_rule(const struct json_node *found)
{
    return json_is(json_get(found, "query"), JSON_T_STRING) &&
           json_get(found, "properties") == NULL && json_get(found, "type") == NULL;
}

static enum rf_kind put_rule(struct apply *a, const struct json_node *found, struct rf_err *err)
{
    struct json_node *document, *now;
    rf_str name, id;
    RF_TRY(rule_from_yaml(found, &a->arena, &document, &name, err));
    if (name.len == 0) name = deployment_name(a->file, &a->arena);
    id = rf_arena_printf(&a->arena, "Microsoft.SecurityInsights/alertRules/%.*s", RF_FMT(name));
    if (id.ptr == NULL) return rf_fail_memory(err, &a->arena);
    RF_TRY(cli_server_id(a->server, id, &a->arena, &id, err));
    return put(a, id, RF_S("2023-02-01"), document, &now, err);
}

static void apply_one(struct apply *a, struct json_node *resource)
{
    struct rf_err err = {0};
    enum rf_kind kind;
    bool is_template =
        json_get(resource, "$schema") != NULL && json_get(resource, "resources") != NULL;
    if (!json_is(resource, JSON_T_OBJECT))
        kind = RF_FAIL(&err, RF_INVALID, "BadResource", "a resource is an object");
    else if (is_rule(resource))
        kind = put_rule(a, resource, &err);
    else
        kind = is_template ? put_template(a, resource, &err) : put_resource(a, resource, &err);
    count(a, kind, &err, (rf_str){NULL, 0});
}

static void apply_file(struct apply *a, const char *path)
{
    rf_arena_reset(&a->arena);
    struct json_node *found;
    struct rf_err err = {0};
    rf_str text = {NULL, 0};
    a->file = strcmp(path, "-") == 0 ? "standard input" : path;
    if (cli_read_resources(path, &a->arena, &found, &text, &err) != RF_OK) {
        count(a, err.kind, &err, text);
        return;
    }
    const struct json_node *value = json_get(found, "value"); /* as a list answers */
    if (json_is(value, JSON_T_ARRAY) && json_get(found, "type") == NULL)
        found = json_get(found, "value");
    if (!json_is(found, JSON_T_ARRAY)) {
        apply_one(a, found);
        return;
    }
    struct json_node *next;
    for (struct json_node *resource = found->first; resource != NULL; resource = next) {
        next = resource->next;
        apply_one(a, resource);
    }
}

static void apply_path(struct apply *a, const char *path)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena names_arena;
    rf_arena_init(&names_arena, 64 << 20);
    struct rf_fs_stat found;
    struct rf_err err = {0};
    a->file = path;
    if (strcmp(path, "-") == 0 || rf_fs_stat(rf_fs_real(), path, &found, &err) != RF_OK ||
        !found.is_dir) {
        apply_file(a, path);
        return;
    }
    rf_str *names;
    size_t name_count;
    if (rf_fs_list(rf_fs_real(), path, &names_arena, &names, &name_count, &err) != RF_OK) {
        count(a, err.kind, &err, (rf_str){NULL, 0});
        return;
    }
    for (size_t i = 0; i < name_count && i < FILES_MAX; i++) {
        if (!rf_str_ends(names[i], RF_S(".json")) && !rf_str_ends(names[i], RF_S(".yaml")) &&
            !rf_str_ends(names[i], RF_S(".yml")))
            continue;
        rf_str whole = rf_arena_printf(&names_arena, "%s/%.*s", path, RF_FMT(names[i]));
        const char *name = rf_arena_cstr(&names_arena, whole);
        if (name != NULL) apply_file(a, name);
    }
}

static int apply(const struct apply_args *args)
{
    struct apply a = {.args = args};
    struct rf_err err = {0};
    if (cli_server_open(&args->server, &a.server, &err) != RF_OK)
        return cli_say_error(&err, (rf_str){NULL, 0}, NULL);
    rf_arena_init(&a.arena, APPLY_BYTES_MAX);
    for (uint32_t i = 0; i < args->word_count; i++) apply_path(&a, args->words[i]);
    rf_arena_done(&a.arena);
    cli_server_close(a.server);
    if (a.failed > 0) cli_say("%u of %u could not be put", a.failed, a.done + a.failed);
    if (a.done + a.failed == 0) cli_say("there is nothing to put");
    return a.failed == 0 ? CLI_OK : CLI_FAILED;
}

int cli_apply(int argc, char **argv)
{
    struct apply_args args = {.words = calloc((size_t)argc + 1, sizeof(char *))};
    if (args.words == NULL) {
        cli_say("no memory for the names of %d files", argc);
        return CLI_FAILED;
    }
    int status = read_args(argc, argv, &args);
    if (status == CLI_OK) status = apply(&args);
    free(args.words);
    return status == CLI_HELP ? CLI_OK : status;
}
