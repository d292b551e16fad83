/* cli_admin.c - `ringfort admin`: the way in for people when there is none, from the server's machine. */
#include <stdio.h>
#include <stdlib.h>

#include "base/json_out.h"
#include "cli/cli.h"
#include "cli/cli_server.h"

enum { ADMIN_BYTES_MAX = 16 << 20, PATH_BYTES_MAX = 4096 };

enum { OPT_USER, OPT_DATA, OPT_SERVER_FIRST };
static const struct cli_option options[] = {
    [OPT_USER] = {"user", "NAME",
                  "link: the account that it renews; without it, it makes a new administrator. "
                  "break-glass: the account's name (break-glass)"},
    [OPT_DATA] = {"data", "DIR", "the folder of the server, for its DIR/bootstrap.json"},
    CLI_SERVER_OPTIONS(OPT_SERVER_FIRST),
};
static const struct cli_usage usage = {
    .command = "admin",
    .words = "link|break-glass",
    .doc =
        "Lets people in who administrate a server, with the rights of its bootstrap.json.\n\n"
        "  link         prints a link that makes an administrator, or with --user gives one a new "
        "password\n"
        "               and removes the other factors: for the first start, and for who is locked "
        "out.\n"
        "               It works once, within 24 hours; links from before end\n"
        "  break-glass  makes the account for emergencies and prints its password this once; "
        "again, it gets\n"
        "               a new one. Policies leave it alone; each use of it raises an incident",
    .options = options,
    .option_count = RF_COUNT(options),
    .notes = "  sudo ringfort admin link --data /var/lib/ringfort --user maeve@contoso.example\n",
};

struct admin_args {
    struct cli_server_args server;
    const char *verb, *user, *data;
};

static rf_str body_of(const char *user, struct rf_arena *arena)
{
    struct rf_buf buf = rf_buf_in(arena);
    struct json_out out = json_out_to(&buf);
    json_begin_object(&out, NULL);
    if (user != NULL) json_put_text(&out, "userPrincipalName", rf_str_of(user));
    json_end_object(&out);
    return buf.failed ? (rf_str){0} : rf_buf_view(&buf);
}

static enum rf_kind ask(const struct admin_args *args, bool link, struct rf_err *err)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    struct cli_server *server;
    struct http_answer answer;
    struct json_node *made;
    rf_arena_init(&arena, ADMIN_BYTES_MAX);
    const struct cli_call call = {.method = "POST",
                                  .target =
                                      link ? RF_S("/beta/directory/ringfort.administratorLink")
                                           : RF_S("/beta/directory/ringfort.breakGlassAccount"),
                                  .body = body_of(args->user, &arena),
                                  .is_graph = true};
    if (call.body.ptr == NULL) return rf_fail_memory(err, &arena);
    RF_TRY(cli_server_open(&args->server, &server, err));
    enum rf_kind kind = cli_server_call(server, &call, &arena, &answer, err);
    cli_server_close(server);
    RF_TRY(kind);
    RF_TRY(json_parse(answer.body, &arena, &made, err));
    if (link) {
        printf("%.*s\n", RF_FMT(json_text_at(made, "link")));
        cli_say("the link works once, until %.*s",
                RF_FMT(json_text_at(made, "expirationDateTime")));
        return RF_OK;
    }
    printf("user      %.*s\npassword  %.*s\n", RF_FMT(json_text_at(made, "userPrincipalName")),
           RF_FMT(json_text_at(made, "password")));
    cli_say("the password is shown this once: write it down and lock it away");
    return RF_OK;
}

static int read_line(int argc, char **argv, struct admin_args *args)
{
    struct cli_line line = cli_line_of(&usage, argc, argv);
    for (int at; (at = cli_next(&line)) != CLI_END;) {
        if (at == CLI_HELP) return -1;
        if (at == CLI_WRONG) return CLI_WRONG_USE;
        if (at == CLI_WORD && args->verb != NULL)
            return cli_wrong(&usage, "'%s' is one word too many", line.value);
        if (at == CLI_WORD)
            args->verb = line.value;
        else if (at == OPT_USER)
            args->user = line.value;
        else if (at == OPT_DATA)
            args->data = line.value;
        else if (!cli_server_option(at, OPT_SERVER_FIRST, line.value, &args->server))
            return CLI_WRONG_USE;
    }
    return CLI_OK;
}

int cli_admin(int argc, char **argv)
{
    struct admin_args args = {0};
    struct rf_err err = {0};
    char path[PATH_BYTES_MAX];
    int status = read_line(argc, argv, &args);
    if (status != CLI_OK) return status < 0 ? CLI_OK : status;
    if (args.verb == NULL) return cli_wrong(&usage, "say 'link' or 'break-glass'");
    bool link = strcmp(args.verb, "link") == 0;
    if (!link && strcmp(args.verb, "break-glass") != 0)
        return cli_wrong(&usage, "'%s' is not link or break-glass", args.verb);
    if (args.data != NULL && args.server.bootstrap != NULL)
        return cli_wrong(&usage, "--data and --bootstrap say the same: give one of them");
    if (args.data != NULL) {
        if (snprintf(path, sizeof path, "%s/bootstrap.json", args.data) >= (int)sizeof path)
            return cli_wrong(&usage, "--data: the path is too long");
        args.server.bootstrap = path;
    }
    return ask(&args, link, &err) == RF_OK ? CLI_OK : cli_say_error(&err, (rf_str){NULL, 0}, NULL);
}
