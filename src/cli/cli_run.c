/* cli_run.c - ringfort run: a program with secrets of a vault in its environment or in files. */
#define _GNU_SOURCE /* environ */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/wipe.h"
#include "cli/cli.h"
#include "cli/cli_vault.h"

enum { ARENA_BYTES_MAX = 64 << 20, SECRETS_MAX = 256 };

enum { OPT_ENV, OPT_FILE, OPT_FORCE, OPT_SERVER, OPT_VAULT = OPT_SERVER + CLI_SERVER_OPTION_COUNT };
static const struct cli_option options[] = {
    [OPT_ENV] = {"env", "NAME=REF", "a variable that holds a secret; may be repeated"},
    [OPT_FILE] = {"file", "PATH=REF", "a file, mode 0600, that holds a secret; may be repeated"},
    [OPT_FORCE] = {"force", NULL, "write over files that are there"},
    CLI_SERVER_OPTIONS(OPT_SERVER),
    [OPT_VAULT] = {"vault", "NAME", "the vault of references that name none"},
};
static const struct cli_usage usage = {
    .command = "run",
    .words = "-- COMMAND [ARG...]",
    .doc = "Runs a command with secrets of a vault. All of them are fetched first; when one is "
           "missing nothing runs.\nThe command takes this program's place and does not learn "
           "where the secrets are from.",
    .options = options,
    .option_count = RF_COUNT(options),
    .notes = "REF is secret://VAULT/NAME or secret:///NAME (the default vault), with /VERSION "
             "behind it for one version.\n\n"
             "  ringfort run --env DB_PASSWORD=secret:///db-password -- ./server\n"
             "  ringfort run --file /run/app/tls.pem=secret://web/tls -- ./server\n"};

struct run_secret {
    bool is_file;
    rf_str name, value; /* of the variable, or the path */
    struct cli_secret_ref ref;
};
struct run_args {
    struct cli_server_args server;
    const char *vault;
    bool force;
    struct run_secret secrets[SECRETS_MAX];
    uint32_t count;
    char **command;
};

/* ---- arguments ------------------------------------------------------------------------------------------------------------- */

static bool is_variable(rf_str name)
{
    for (size_t i = 0; i < name.len; i++)
        if (!rf_is_alnum(name.ptr[i]) && name.ptr[i] != '_') return false;
    return name.len > 0 && !rf_is_digit(name.ptr[0]);
}

static int take_secret(struct run_args *args, const char *value, bool is_file)
{
    struct rf_err err = {.code = ""};
    rf_str text = rf_str_of(value);
    /* A path may hold "=", a reference does not. */
    size_t equals = rf_str_find(text, RF_S("=secret://"), 0);
    if (args->count == SECRETS_MAX)
        return cli_wrong(&usage, "there are more than %d secrets", SECRETS_MAX);
    if (equals == SIZE_MAX || equals == 0)
        return cli_wrong(&usage, "--%s: '%.60s' is not %s=secret://VAULT/NAME",
                         is_file ? "file" : "env", value, is_file ? "PATH" : "NAME");
    struct run_secret *secret = &args->secrets[args->count++];
    secret->is_file = is_file;
    secret->name = rf_slice(text, 0, equals);
    if (!is_file && !is_variable(secret->name))
        return cli_wrong(&usage, "--env: '%.*s' is no name of a variable", RF_FMT(secret->name));
    if (cli_secret_ref_parse(rf_slice(text, equals + 1, text.len), &secret->ref, &err) == RF_OK)
        return CLI_OK;
    return cli_wrong(&usage, "%s", err.text);
}

static int read_args(int argc, char **argv, struct run_args *args)
{
    struct cli_line line = cli_line_of(&usage, argc, argv);
    for (int at; (at = cli_next(&line)) != CLI_END;) {
        int status = CLI_OK;
        if (at == CLI_HELP) return CLI_HELP;
        if (at == CLI_WRONG) return CLI_WRONG_USE;
        /* What comes behind is the command's own. */
        if (at == CLI_WORD) {
            args->command = argv + line.at - 1;
            break;
        }
        if (at == OPT_ENV || at == OPT_FILE)
            status = take_secret(args, line.value, at == OPT_FILE);
        else if (at == OPT_FORCE)
            args->force = true;
        else if (at == OPT_VAULT)
            args->vault = line.value;
        else if (!cli_server_option(at, OPT_SERVER, line.value, &args->server))
            status = CLI_WRONG_USE;
        if (status != CLI_OK) return status;
    }
    return args->command == NULL ? cli_wrong(&usage, "which command?") : CLI_OK;
}

/* ---- secrets ---------------------------------------------------------------------------------------------------------------- */

static enum rf_kind fetch(struct run_args *args, struct rf_arena *arena, struct rf_err *err)
{
    struct cli_server *server = NULL;
    enum rf_kind kind = cli_server_open(&args->server, &server, err);
    for (uint32_t i = 0; i < args->count && kind == RF_OK; i++) {
        struct run_secret *secret = &args->secrets[i];
        kind = cli_secret_ref_get(server, args->vault, &secret->ref, arena, &secret->value, err);
        bool has_nul = kind == RF_OK && secret->value.len > 0 &&
                       memchr(secret->value.ptr, 0, secret->value.len) != NULL;
        if (has_nul && !secret->is_file)
            kind = RF_FAIL(err, RF_INVALID, "BadValue",
                           "the secret for %.*s holds a zero byte, which no variable can; use "
                           "--file",
                           RF_FMT(secret->name));
        if (kind != RF_OK && err->text[0] != '\0') {
            struct rf_err said = *err;
            (void)rf_fail(err, kind, said.code, "%.*s: %.900s", RF_FMT(secret->name), said.text);
        }
    }
    cli_server_close(server);
    return kind;
}

static enum rf_kind check_files(const struct run_args *args, struct rf_arena *arena,
                                struct rf_err *err)
{
    for (uint32_t i = 0; i < args->count; i++) {
        if (!args->secrets[i].is_file) continue;
        const char *path = rf_arena_cstr(arena, args->secrets[i].name);
        if (path == NULL) return rf_fail_memory(err, arena);
        RF_TRY(cli_vault_may_write(path, args->force, err));
    }
    return RF_OK;
}

static enum rf_kind put_files(const struct run_args *args, struct rf_arena *arena,
                              struct rf_err *err)
{
    for (uint32_t i = 0; i < args->count; i++) {
        if (!args->secrets[i].is_file) continue;
        const char *path = rf_arena_cstr(arena, args->secrets[i].name);
        if (path == NULL) return rf_fail_memory(err, arena);
        RF_TRY(cli_vault_write(path, args->secrets[i].value, 0600, args->force, err));
    }
    return RF_OK;
}

/* ---- the command ------------------------------------------------------------------------------------------------------------ */

static bool is_given(const struct run_args *args, const char *variable, size_t name_len)
{
    for (uint32_t i = 0; i < args->count; i++)
        if (!args->secrets[i].is_file &&
            rf_str_eq(args->secrets[i].name, rf_str_make(variable, name_len)))
            return true;
    return false;
}

/* Ours without what says where the server is and who asks (RINGFORT_BOOTSTRAP, RINGFORT_CLIENT_SECRET, ...), and with the secrets. */
static enum rf_kind make_environment(const struct run_args *args, struct rf_arena *arena,
                                     char ***out, struct rf_err *err)
{
    size_t count = 0, at = 0;
    while (environ[count] != NULL) count++;
    char **list = rf_arena_new(arena, char *, count + args->count + 1);
    if (list == NULL) return rf_fail_memory(err, arena);
    for (size_t i = 0; i < count; i++) {
        const char *equals = strchr(environ[i], '=');
        size_t len = equals == NULL ? strlen(environ[i]) : (size_t)(equals - environ[i]);
        if (strncmp(environ[i], "RINGFORT_", 9) != 0 && !is_given(args, environ[i], len))
            list[at++] = environ[i];
    }
    for (uint32_t i = 0; i < args->count; i++) {
        const struct run_secret *secret = &args->secrets[i];
        if (secret->is_file) continue;
        rf_str line =
            rf_arena_printf(arena, "%.*s=%.*s", RF_FMT(secret->name), RF_FMT(secret->value));
        list[at] = line.ptr == NULL ? NULL : rf_arena_cstr(arena, line);
        if (list[at++] == NULL) return rf_fail_memory(err, arena);
    }
    *out = list;
    return RF_OK;
}

static enum rf_kind prepare(struct run_args *args, struct rf_arena *arena, char ***environment,
                            struct rf_err *err)
{
    RF_TRY(check_files(args, arena, err));
    if (args->count > 0) RF_TRY(fetch(args, arena, err));
    RF_TRY(make_environment(args, arena, environment, err));
    return put_files(args, arena, err);
}

int cli_run(int argc, char **argv)
{
    struct run_args args = {.count = 0};
    struct rf_err err = {.code = ""};
    char **environment = NULL;
    int status = read_args(argc, argv, &args);
    if (status != CLI_OK) return status == CLI_HELP ? CLI_OK : status;
    RF_ASSERT(args.command != NULL); /* read_args has seen to it */
    RF_CLEANUP(rf_arena_wipe) struct rf_arena arena;
    rf_arena_init(&arena, ARENA_BYTES_MAX);
    /* The client ignores SIGPIPE; the command is not to inherit that. */
    struct sigaction pipe_action;
    bool known = sigaction(SIGPIPE, NULL, &pipe_action) == 0;
    if (prepare(&args, &arena, &environment, &err) != RF_OK)
        return cli_say_error(&err, (rf_str){NULL, 0}, NULL);
    if (known) (void)sigaction(SIGPIPE, &pipe_action, NULL);
    (void)fflush(NULL);
    (void)execvpe(args.command[0], args.command, environment);
    (void)rf_fail_errno(&err, "NotRun", "%s does not run", args.command[0]);
    return cli_say_error(&err, (rf_str){NULL, 0}, NULL);
}
