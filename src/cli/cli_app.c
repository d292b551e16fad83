/* cli_app.c - `ringfort app`: applications of a server, which sign in by themselves; `ringfort bootstrap`: the first of them. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/encode.h"
#include "base/fs.h"
#include "base/json_out.h"
#include "cli/cli.h"
#include "cli/cli_server.h"

enum { APP_BYTES_MAX = 64 << 20, BOOT_BYTES_MAX = 1 << 20, PATH_BYTES_MAX = 4096 };

enum { OPT_ROLE, OPT_SCOPE, OPT_REDIRECT, OPT_OUT, OPT_SERVER_FIRST };
static const struct cli_option options[] = {
    [OPT_ROLE] = {"role", "ROLE",
                  "create: what it may do, by the role's name or id; may be repeated"},
    [OPT_SCOPE] = {"scope", "ID", "create: where it may do it; the resource group unless given"},
    [OPT_REDIRECT] = {"redirect", "URL",
                      "create: people sign in to it (OpenID Connect) and come back to this "
                      "address; may be repeated"},
    [OPT_OUT] = {"out", "FILE",
                 "create: where its credentials go, as --bootstrap takes them (mode 0600)"},
    CLI_SERVER_OPTIONS(OPT_SERVER_FIRST),
};
static const struct cli_usage usage = {
    .command = "app",
    .words = "create NAME|list|delete ID",
    .doc = "Applications are what machines sign in as, and what people sign in to. 'create' makes "
           "one, gives\n"
           "it roles, and writes its credentials to a file, where its secret is seen this once.",
    .options = options,
    .option_count = RF_COUNT(options),
    .notes =
        "  ringfort app create feeder --role 'Monitoring Metrics Publisher' --out feeder.json\n"
        "  ringfort ingest --bootstrap feeder.json --table Events_CL events.jsonl\n"
        "  ringfort app create grafana --redirect https://grafana.example/login/generic_oauth "
        "--out grafana.json\n",
};

static const struct cli_option bootstrap_options[] = {CLI_SERVER_OPTIONS(0)};
static const struct cli_usage bootstrap_usage = {
    .command = "bootstrap",
    .words = "rotate",
    .doc = "Gives the administrator of a bootstrap.json a new secret, writes it into that file, "
           "and ends the\n"
           "old secrets.",
    .options = bootstrap_options,
    .option_count = RF_COUNT(bootstrap_options),
};

/* ---- the directory and the roles ------------------------------------------------------------------------------- */

static enum rf_kind call_graph(struct cli_server *server, const char *method, rf_str target,
                               rf_str body, struct rf_arena *arena, struct json_node **out,
                               struct rf_err *err)
{
    struct http_answer answer;
    struct cli_call call = {.method = method, .target = target, .body = body, .is_graph = true};
    if (target.ptr == NULL) return rf_fail_memory(err, arena);
    RF_TRY(cli_server_call(server, &call, arena, &answer, err));
    *out = NULL;
    return answer.body.len == 0 ? RF_OK : json_parse(answer.body, arena, out, err);
}

/* {"NAME":"VALUE"} */
static rf_str one_member(struct rf_arena *arena, const char *name, rf_str value)
{
    struct rf_buf buf = rf_buf_in(arena);
    struct json_out out = json_out_to(&buf);
    json_begin_object(&out, NULL);
    json_put_text(&out, name, value);
    json_end_object(&out);
    return buf.failed ? (rf_str){0} : rf_buf_view(&buf);
}

/* "Reader" or its GUID to the id of the definition. */
static enum rf_kind find_role(struct cli_server *server, rf_str scope, rf_str role,
                              struct rf_arena *arena, rf_str *out, struct rf_err *err)
{
    struct json_node *list;
    rf_str target = rf_arena_printf(
        arena, "%.*s/providers/Microsoft.Authorization/roleDefinitions?api-version=2022-04-01",
        RF_FMT(cli_url_path(arena, scope)));
    if (target.ptr == NULL) return rf_fail_memory(err, arena);
    RF_TRY(cli_server_list(server, target, arena, &list, err));
    for (const struct json_node *d = list->first; d != NULL; d = d->next) {
        if (!rf_str_eq_nocase(json_text_at(d, "name"), role) &&
            !rf_str_eq_nocase(json_text_at(d, "properties.roleName"), role))
            continue;
        *out = json_text_at(d, "id");
        return RF_OK;
    }
    return RF_FAIL(err, RF_NOT_FOUND, "RoleNotFound",
                   "the server has no role '%.*s'; 'ringfort resource list "
                   "Microsoft.Authorization/roleDefinitions' shows them",
                   RF_FMT(role));
}

static enum rf_kind assign(struct cli_server *server, rf_str scope, rf_str definition,
                           rf_str principal, struct rf_arena *arena, struct rf_err *err)
{
    struct http_answer answer;
    rf_str target = rf_arena_printf(
        arena, "%.*s/providers/Microsoft.Authorization/roleAssignments/%.*s?api-version=2022-04-01",
        RF_FMT(cli_url_path(arena, scope)), RF_FMT(guid_random(arena)));
    rf_str body =
        rf_arena_printf(arena,
                        "{\"properties\":{\"roleDefinitionId\":\"%.*s\",\"principalId\":\"%.*s\","
                        "\"principalType\":\"ServicePrincipal\"}}",
                        RF_FMT(definition), RF_FMT(principal));
    if (target.ptr == NULL || body.ptr == NULL) return rf_fail_memory(err, arena);
    struct cli_call call = {.method = "PUT", .target = target, .body = body};
    return cli_server_call(server, &call, arena, &answer, err);
}

/* ---- create -------------------------------------------------------------------------------------------------------- */

struct app_args {
    struct cli_server_args server;
    const char *words[2];
    uint32_t word_count;
    const char *roles[16];
    uint32_t role_count;
    const char *redirects[16];
    uint32_t redirect_count;
    const char *scope, *out;
};

static enum rf_kind write_secret_file(const char *path, rf_str text, struct rf_err *err)
{
    mode_t before = umask(0077);
    enum rf_kind kind = rf_fs_replace(rf_fs_real(), path, text, err);
    (void)umask(before);
    return kind;
}

/* A file as --bootstrap takes it: where the server is, and the application's id and secret. */
static enum rf_kind write_credentials(const struct app_args *args, const struct cli_server *server,
                                      rf_str app_id, rf_str secret, struct rf_arena *arena,
                                      struct rf_err *err)
{
    const struct cli_site *site = cli_server_site(server);
    const struct cli_login *login = cli_server_login(server);
    rf_str issuer = {0};
    if (args->redirect_count > 0) {
        issuer = rf_arena_printf(arena, "%.*s/%.*s/v2.0", RF_FMT(login->authority),
                                 RF_FMT(login->tenant_id));
        if (issuer.ptr == NULL) return rf_fail_memory(err, arena);
    }
    const struct {
        const char *name;
        rf_str value;
    } members[] = {{"tenant_id", login->tenant_id},
                   {"client_id", app_id},
                   {"client_secret", secret},
                   {"authority", login->authority},
                   {"issuer", issuer},
                   {"https", site->server},
                   {"ca", login->ca},
                   {"vault_named_url", login->vault},
                   {"subscription_id", site->subscription_id},
                   {"resource_group", site->resource_group},
                   {"workspace_id", site->workspace_id},
                   {"workspace_name", site->workspace_name},
                   {"location", site->location}};
    struct rf_buf buf = rf_buf_in(arena);
    struct json_out out = json_out_to(&buf);
    json_begin_object(&out, NULL);
    for (size_t i = 0; i < RF_COUNT(members); i++)
        if (members[i].value.len > 0) json_put_text(&out, members[i].name, members[i].value);
    json_end_object(&out);
    rf_buf_byte(&buf, '\n');
    return buf.failed ? rf_fail_memory(err, arena)
                      : write_secret_file(args->out, rf_buf_view(&buf), err);
}

/* {"displayName":NAME,"web":{"redirectUris":[URL...]}} */
static rf_str application_json(const struct app_args *args, struct rf_arena *arena)
{
    struct rf_buf buf = rf_buf_in(arena);
    struct json_out out = json_out_to(&buf);
    json_begin_object(&out, NULL);
    json_put_text(&out, "displayName", rf_str_of(args->words[1]));
    if (args->redirect_count > 0) {
        json_begin_object(&out, "web");
        json_begin_array(&out, "redirectUris");
        for (uint32_t i = 0; i < args->redirect_count; i++)
            json_put_text(&out, NULL, rf_str_of(args->redirects[i]));
        json_end_array(&out);
        json_end_object(&out);
    }
    json_end_object(&out);
    return buf.failed ? (rf_str){0} : rf_buf_view(&buf);
}

static enum rf_kind create(const struct app_args *args, struct cli_server *server,
                           struct rf_arena *arena, struct rf_err *err)
{
    struct json_node *app, *principal, *password;
    const struct cli_site *site = cli_server_site(server);
    rf_str scope =
        args->scope != NULL
            ? rf_str_of(args->scope)
            : rf_arena_printf(arena, "/subscriptions/%.*s/resourceGroups/%.*s",
                              RF_FMT(site->subscription_id), RF_FMT(site->resource_group));
    rf_str definitions[RF_COUNT(args->roles)];
    /* What may fail for a word that was mistyped comes first. */
    for (uint32_t i = 0; i < args->role_count; i++)
        RF_TRY(find_role(server, scope, rf_str_of(args->roles[i]), arena, &definitions[i], err));
    rf_str body = application_json(args, arena);
    if (body.ptr == NULL) return rf_fail_memory(err, arena);
    RF_TRY(call_graph(server, "POST", RF_S("/v1.0/applications"), body, arena, &app, err));
    rf_str app_id = json_text_at(app, "appId");
    RF_TRY(call_graph(server, "POST", RF_S("/v1.0/servicePrincipals"),
                      one_member(arena, "appId", app_id), arena, &principal, err));
    for (uint32_t i = 0; i < args->role_count; i++)
        RF_TRY(assign(server, scope, definitions[i], json_text_at(principal, "id"), arena, err));
    RF_TRY(call_graph(server, "POST",
                      rf_arena_printf(arena, "/v1.0/applications/%.*s/addPassword",
                                      RF_FMT(json_text_at(app, "id"))),
                      RF_S("{\"passwordCredential\":{\"displayName\":\"ringfort app create\"}}"),
                      arena, &password, err));
    RF_TRY(
        write_credentials(args, server, app_id, json_text_at(password, "secretText"), arena, err));
    printf("%.*s\n", RF_FMT(app_id));
    cli_say("the credentials of '%s' are in %s", args->words[1], args->out);
    return RF_OK;
}

/* ---- list, delete ---------------------------------------------------------------------------------------------------- */

static enum rf_kind list_apps(struct cli_server *server, struct rf_arena *arena, struct rf_err *err)
{
    rf_str target = RF_S("/v1.0/applications?$select=appId,displayName,createdDateTime");
    while (target.len > 0) {
        struct json_node *page;
        RF_TRY(call_graph(server, "GET", target, (rf_str){NULL, 0}, arena, &page, err));
        const struct json_node *apps = json_get(page, "value");
        for (const struct json_node *app = apps == NULL ? NULL : apps->first; app != NULL;
             app = app->next)
            printf("%.*s  %.*s  %.*s\n", RF_FMT(json_text_at(app, "appId")),
                   RF_FMT(json_text_at(app, "createdDateTime")),
                   RF_FMT(json_text_at(app, "displayName")));
        const struct json_node *next = json_get(page, "@odata.nextLink");
        target = next == NULL ? (rf_str){NULL, 0} : next->text;
    }
    return RF_OK;
}

static enum rf_kind delete_app(struct cli_server *server, rf_str app_id, struct rf_arena *arena,
                               struct rf_err *err)
{
    struct json_node *nothing;
    if (!guid_is(app_id))
        return RF_FAIL(err, RF_INVALID, "BadId",
                       "'%.*s' is no application id; 'ringfort app list' shows them",
                       RF_FMT(app_id));
    return call_graph(server, "DELETE",
                      rf_arena_printf(arena, "/v1.0/applications(appId='%.*s')", RF_FMT(app_id)),
                      (rf_str){NULL, 0}, arena, &nothing, err);
}

/* ---- commands ----------------------------------------------------------------------------------------------------------- */

static int read_line(int argc, char **argv, struct app_args *args)
{
    struct cli_line line = cli_line_of(&usage, argc, argv);
    for (int at; (at = cli_next(&line)) != CLI_END;) {
        if (at == CLI_HELP) return -1;
        if (at == CLI_WRONG) return CLI_WRONG_USE;
        if (at == CLI_WORD && args->word_count < RF_COUNT(args->words))
            args->words[args->word_count++] = line.value;
        else if (at == CLI_WORD)
            return cli_wrong(&usage, "'%s' is one word too many", line.value);
        else if (at == OPT_ROLE && args->role_count < RF_COUNT(args->roles))
            args->roles[args->role_count++] = line.value;
        else if (at == OPT_REDIRECT && args->redirect_count < RF_COUNT(args->redirects))
            args->redirects[args->redirect_count++] = line.value;
        else if (at == OPT_REDIRECT)
            return cli_wrong(&usage, "too many addresses to come back to");
        else if (at == OPT_SCOPE)
            args->scope = line.value;
        else if (at == OPT_OUT)
            args->out = line.value;
        else if (!cli_server_option(at, OPT_SERVER_FIRST, line.value, &args->server))
            return cli_wrong(&usage, "too many roles");
    }
    return CLI_OK;
}

static enum rf_kind run_app(const struct app_args *args, rf_str verb, struct rf_err *err)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    struct cli_server *server;
    rf_arena_init(&arena, APP_BYTES_MAX);
    RF_TRY(cli_server_open(&args->server, &server, err));
    enum rf_kind kind = rf_str_is(verb, "create") ? create(args, server, &arena, err)
                        : rf_str_is(verb, "list")
                            ? list_apps(server, &arena, err)
                            : delete_app(server, rf_str_of(args->words[1]), &arena, err);
    cli_server_close(server);
    return kind;
}

int cli_app(int argc, char **argv)
{
    struct app_args args = {0};
    struct rf_err err = {0};
    int status = read_line(argc, argv, &args);
    if (status != CLI_OK) return status < 0 ? CLI_OK : status;
    rf_str verb = rf_str_of(args.word_count == 0 ? "" : args.words[0]);
    bool create_it = rf_str_is(verb, "create");
    if (!create_it && !rf_str_is(verb, "list") && !rf_str_is(verb, "delete"))
        return cli_wrong(&usage, "say 'create NAME', 'list' or 'delete ID'");
    if (!rf_str_is(verb, "list") && args.word_count < 2)
        return cli_wrong(&usage, "'%s' needs %s", args.words[0],
                         create_it ? "a name" : "the application's id");
    if (create_it && args.out == NULL)
        return cli_wrong(
            &usage, "--out FILE is needed: the secret is shown this once, and not on a terminal");
    return run_app(&args, verb, &err) == RF_OK ? CLI_OK
                                               : cli_say_error(&err, (rf_str){NULL, 0}, NULL);
}

/* Adds a secret, writes it into the file, and only then removes the others: a cut leaves a secret that works. */
static enum rf_kind rotate(const char *path, const struct cli_server_args *where,
                           struct rf_err *err)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    struct cli_server *server;
    struct json_node *boot, *app, *password, *nothing;
    char whole[PATH_BYTES_MAX];
    rf_str text;
    rf_arena_init(&arena, APP_BYTES_MAX);
    /* The file may be a link; what it points to is replaced. */
    if (realpath(path, whole) == NULL)
        return RF_FAIL_ERRNO(err, "FileNotFound", "cannot find %s", path);
    RF_TRY(rf_fs_read_all(rf_fs_real(), whole, BOOT_BYTES_MAX, &arena, &text, err));
    RF_TRY(json_parse(text, &arena, &boot, err));
    RF_TRY(cli_server_open(where, &server, err));
    rf_str app_path = rf_arena_printf(&arena, "/v1.0/applications(appId='%.*s')",
                                      RF_FMT(json_text_at(boot, "client_id")));
    enum rf_kind kind = call_graph(server, "GET", app_path, (rf_str){NULL, 0}, &arena, &app, err);
    if (kind == RF_OK)
        kind = call_graph(
            server, "POST", rf_arena_printf(&arena, "%.*s/addPassword", RF_FMT(app_path)),
            RF_S("{\"passwordCredential\":{\"displayName\":\"ringfort bootstrap rotate\"}}"),
            &arena, &password, err);
    if (kind == RF_OK) {
        json_set_text(&arena, boot, "client_secret", json_text_at(password, "secretText"));
        rf_str fresh = json_to_text(&arena, boot);
        kind =
            fresh.ptr == NULL ? rf_fail_memory(err, &arena) : write_secret_file(whole, fresh, err);
    }
    const struct json_node *old = kind == RF_OK ? json_get(app, "passwordCredentials") : NULL;
    for (const struct json_node *p = old == NULL ? NULL : old->first; p != NULL && kind == RF_OK;
         p = p->next)
        kind = call_graph(
            server, "POST", rf_arena_printf(&arena, "%.*s/removePassword", RF_FMT(app_path)),
            one_member(&arena, "keyId", json_text_at(p, "keyId")), &arena, &nothing, err);
    cli_server_close(server);
    return kind;
}

int cli_bootstrap(int argc, char **argv)
{
    struct cli_server_args where = {0};
    struct rf_err err = {0};
    const char *verb = NULL;
    struct cli_line line = cli_line_of(&bootstrap_usage, argc, argv);
    for (int at; (at = cli_next(&line)) != CLI_END;) {
        if (at == CLI_HELP) return CLI_OK;
        if (at == CLI_WRONG) return CLI_WRONG_USE;
        if (at == CLI_WORD && verb == NULL)
            verb = line.value;
        else if (!cli_server_option(at, 0, line.value, &where))
            return cli_wrong(&bootstrap_usage, "'%s' is one word too many", line.value);
    }
    if (verb == NULL || strcmp(verb, "rotate") != 0)
        return cli_wrong(&bootstrap_usage, "say 'rotate'");
    if (where.bootstrap == NULL) where.bootstrap = getenv("RINGFORT_BOOTSTRAP");
    if (where.bootstrap == NULL)
        return cli_wrong(&bootstrap_usage,
                         "--bootstrap FILE is needed: the file that gets the new secret");
    if (rotate(where.bootstrap, &where, &err) != RF_OK)
        return cli_say_error(&err, (rf_str){NULL, 0}, NULL);
    cli_say("the administrator has a new secret, which is in %s", where.bootstrap);
    return CLI_OK;
}
