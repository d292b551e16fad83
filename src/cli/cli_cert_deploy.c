/* cli_cert_deploy.c - ringfort cert deploy: keeps a certificate with its key up to date on this machine. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/wipe.h"
#include "cli/cli.h"
#include "cli/cli_cert.h"
#include "cli/cli_cert_pair.h"
#include "cli/cli_vault.h"
#include "cli/cli_vault_unit.h"
#include "value/value.h"

enum {
    ARENA_BYTES_MAX = 64 << 20,
    RELOAD_SECONDS_MAX = 120,
    RETRY_SECONDS_FIRST = 10,
    INTERVAL_SECONDS_MIN = 1,
    INTERVAL_SECONDS_MAX = 30 * 86400,
    JITTER_PART = 10 /* a tenth of the time more or less */
};

enum {
    OPT_CERT,
    OPT_KEY,
    OPT_CHAIN,
    OPT_OWNER,
    OPT_MODE,
    OPT_RELOAD,
    OPT_INTERVAL,
    OPT_ONCE,
    OPT_PRINT_UNIT,
    OPT_SERVER,
    OPT_VAULT = OPT_SERVER + CLI_SERVER_OPTION_COUNT
};
static const struct cli_option options[] = {
    [OPT_CERT] = {"cert", "FILE",
                  "the certificate, with its chain behind it unless --chain is given"},
    [OPT_KEY] = {"key", "FILE", "its key"},
    [OPT_CHAIN] = {"chain", "FILE", "the chain by itself"},
    [OPT_OWNER] = {"owner", "USER[:GROUP]", "whose the files are"},
    [OPT_MODE] = {"mode", "MODE", "of the key, such as 0640 (0600); certificates are 0644"},
    [OPT_RELOAD] = {"reload", "COMMAND", "run by /bin/sh when the files have changed"},
    [OPT_INTERVAL] = {"interval", "TIME", "stay, and look again after that time: 1h, 30m, PT1H"},
    [OPT_ONCE] = {"once", NULL, "look once (this is so unless --interval is given)"},
    [OPT_PRINT_UNIT] = {"print-unit", NULL, "print a service and a timer of systemd that do this"},
    CLI_SERVER_OPTIONS(OPT_SERVER),
    [OPT_VAULT] = {"vault", "NAME",
                   "the vault: its name or URL; the server's default vault unless given"},
};
static const struct cli_usage usage = {
    .command = "cert deploy",
    .words = "NAME",
    .doc =
        "Keeps a vault's certificate with its key in files of this machine: looks whether there is "
        "a new version,\nputs it in place and has the services reload. What was there stays "
        "until the new pair is whole.",
    .options = options,
    .option_count = RF_COUNT(options),
    .notes =
        "FILEs become links to a folder beside the key; certificate and key change in one step "
        "(docs/vault-cli.md).\nThe role 'Key Vault Secrets User' at the secret of the certificate "
        "is enough, by an application of its own:\n\n"
        "  ringfort app create web-1 --role 'Key Vault Secrets User' --out "
        "/etc/ringfort/web-1.json\n"
        "  ringfort cert deploy www --bootstrap /etc/ringfort/web-1.json --cert "
        "/etc/nginx/www.pem \\\n      --key /etc/nginx/www.key --owner root:www-data --mode 0640 "
        "--reload 'nginx -s reload'\n"};

struct deploy_args {
    struct cli_server_args server;
    const char *name, *vault, *reload, *owner;
    struct cert_files files;
    int64_t interval; /* seconds; 0: once */
    bool once, print_unit;
};

/* ---- arguments ------------------------------------------------------------------------------------------------------------ */

/* "1h", "90s", "PT1H". */
static bool parse_interval(const char *text, int64_t *out)
{
    int64_t ticks;
    char *end;
    if (cli_parse_duration(rf_str_of(text), &ticks)) {
        *out = ticks / TICKS_PER_SECOND;
    } else {
        if (!rf_is_digit((uint8_t)text[0]) || strlen(text) > 9) return false;
        *out = strtoll(text, &end, 10);
        const char *unit = end[0] == '\0' ? NULL : strchr("smhd", end[0]);
        if (unit == NULL || end[1] != '\0') return false;
        *out *= *unit == 's' ? 1 : *unit == 'm' ? 60 : *unit == 'h' ? 3600 : 86400;
    }
    return *out >= INTERVAL_SECONDS_MIN && *out <= INTERVAL_SECONDS_MAX;
}

static int take_option(struct deploy_args *args, int at, const char *value)
{
    char *end;
    switch (at) {
    case OPT_CERT:
        args->files.cert = value;
        return CLI_OK;
    case OPT_KEY:
        args->files.key = value;
        return CLI_OK;
    case OPT_CHAIN:
        args->files.chain = value;
        return CLI_OK;
    case OPT_OWNER:
        args->owner = value;
        return CLI_OK;
    case OPT_MODE:
        args->files.mode = (mode_t)strtoul(value, &end, 8);
        if (*end == '\0' && value[0] != '\0' && (args->files.mode & ~0770u) == 0) return CLI_OK;
        return cli_wrong(&usage, "--mode: '%s' is no mode for a key, such as 0640", value);
    case OPT_RELOAD:
        args->reload = value;
        return CLI_OK;
    case OPT_INTERVAL:
        if (parse_interval(value, &args->interval)) return CLI_OK;
        return cli_wrong(&usage, "--interval: '%s' is no time from 1s to 30d", value);
    case OPT_ONCE:
        args->once = true;
        return CLI_OK;
    case OPT_PRINT_UNIT:
        args->print_unit = true;
        return CLI_OK;
    case OPT_VAULT:
        args->vault = value;
        return CLI_OK;
    default:
        return cli_server_option(at, OPT_SERVER, value, &args->server) ? CLI_OK : CLI_WRONG_USE;
    }
}

static int check_args(const struct deploy_args *args)
{
    if (args->name == NULL) return cli_wrong(&usage, "which certificate?");
    if (args->files.cert == NULL || args->files.key == NULL)
        return cli_wrong(&usage, "--cert FILE and --key FILE say where it goes");
    if (args->once && args->interval > 0)
        return cli_wrong(&usage, "--once or --interval, not both");
    if (args->print_unit && (args->files.cert[0] != '/' || args->files.key[0] != '/' ||
                             (args->files.chain != NULL && args->files.chain[0] != '/')))
        return cli_wrong(&usage, "--print-unit: a unit needs paths that begin with /");
    if (strcmp(args->files.cert, args->files.key) == 0)
        return cli_wrong(&usage, "--cert and --key are two files");
    return CLI_OK;
}

static int read_args(int argc, char **argv, struct deploy_args *args)
{
    struct cli_line line = cli_line_of(&usage, argc, argv);
    for (int at; (at = cli_next(&line)) != CLI_END;) {
        int status = CLI_OK;
        if (at == CLI_HELP) return CLI_HELP;
        if (at == CLI_WRONG) return CLI_WRONG_USE;
        if (at == CLI_WORD && args->name != NULL)
            return cli_wrong(&usage, "'%s' is not expected", line.value);
        if (at == CLI_WORD)
            args->name = line.value;
        else
            status = take_option(args, at, line.value);
        if (status != CLI_OK) return status;
    }
    return check_args(args);
}

/* ---- the reload ------------------------------------------------------------------------------------------------------------- */

static void nap_ms(int64_t ms)
{
    struct timespec left = {.tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000};
    while (nanosleep(&left, &left) != 0) continue;
}

/* Waits for the command, and ends it with all that it has started when it takes too long. False: it has not ended well. */
static bool await_command(pid_t pid, int *status)
{
    enum { STEP_MS = 20 };
    for (int64_t ms = 0; ms < RELOAD_SECONDS_MAX * INT64_C(1000); ms += STEP_MS) {
        pid_t got = waitpid(pid, status, WNOHANG);
        if (got == pid) return WIFEXITED(*status) && WEXITSTATUS(*status) == 0;
        if (got < 0 && errno != EINTR) return false;
        nap_ms(STEP_MS);
    }
    (void)kill(-pid, SIGKILL);
    while (waitpid(pid, status, 0) < 0 && errno == EINTR) continue;
    return false;
}

static bool spawn_words(char **words, char *const *environment, pid_t *pid)
{
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t defaults;
    if (posix_spawn_file_actions_init(&actions) != 0) return false;
    /* The client ignores SIGPIPE; the command is not to inherit that. */
    bool good = posix_spawnattr_init(&attributes) == 0 && sigemptyset(&defaults) == 0 &&
                sigaddset(&defaults, SIGPIPE) == 0;
    good =
        good && posix_spawnattr_setsigdefault(&attributes, &defaults) == 0 &&
        posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGDEF) == 0 &&
        posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0) == 0 &&
        posix_spawn(pid, words[0], &actions, &attributes, words, environment) == 0;
    (void)posix_spawnattr_destroy(&attributes);
    (void)posix_spawn_file_actions_destroy(&actions);
    return good;
}

/* The command knows what is new, and nothing of the login. */
static enum rf_kind run_reload(const struct deploy_args *args, rf_str version,
                               struct rf_arena *arena, struct rf_err *err)
{
    static char shell[] = "/bin/sh", flag[] = "-c";
    static char path[] = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
    int status = 0;
    pid_t pid;
    rf_str texts[] = {rf_arena_printf(arena, "RINGFORT_CERT_NAME=%s", args->name),
                      rf_arena_printf(arena, "RINGFORT_CERT_VERSION=%.*s", RF_FMT(version)),
                      rf_arena_printf(arena, "RINGFORT_CERT_FILE=%s", args->files.cert),
                      rf_arena_printf(arena, "RINGFORT_CERT_KEY=%s", args->files.key)};
    char *environment[2 + RF_COUNT(texts)] = {path};
    for (size_t i = 0; i < RF_COUNT(texts); i++) {
        if (texts[i].ptr == NULL) return rf_fail_memory(err, arena);
        environment[1 + i] = rf_arena_cstr(arena, texts[i]);
        if (environment[1 + i] == NULL) return rf_fail_memory(err, arena);
    }
    char *words[] = {shell, flag, rf_arena_cstr(arena, rf_str_of(args->reload)), NULL};
    if (words[2] == NULL) return rf_fail_memory(err, arena);
    if (!spawn_words(words, environment, &pid))
        return RF_FAIL_ERRNO(err, "ReloadFailed", "/bin/sh does not start");
    if (await_command(pid, &status)) return RF_OK;
    if (WIFEXITED(status))
        return RF_FAIL(err, RF_IO, "ReloadFailed",
                       "the reload command ended with status %d; the new pair is in place, and the "
                       "command is tried again",
                       WEXITSTATUS(status));
    return RF_FAIL(err, RF_IO, "ReloadFailed",
                   "the reload command was ended by signal %d (it may take %d s); the new pair is "
                   "in place, and the command is tried again",
                   WIFSIGNALED(status) ? WTERMSIG(status) : 0, RELOAD_SECONDS_MAX);
}

static enum rf_kind reload(const struct deploy_args *args, rf_str version, struct rf_arena *arena,
                           struct rf_err *err)
{
    if (args->reload != NULL) RF_TRY(run_reload(args, version, arena, err));
    cert_files_reloaded(&args->files);
    return RF_OK;
}

/* ---- one look ----------------------------------------------------------------------------------------------------------------- */

static enum rf_kind newest_version(const struct cli_vault_at *at, const struct deploy_args *args,
                                   rf_str *out, struct rf_err *err)
{
    rf_str path, name, none = {NULL, 0};
    struct json_node *list;
    RF_TRY(
        cli_vault_path(at->arena, "secrets", rf_str_of(args->name), none, "/versions", &path, err));
    RF_TRY(cli_vault_pages(at, path, &list, err));
    const struct json_node *newest = cli_vault_newest(list);
    if (newest == NULL)
        return RF_FAIL(err, RF_NOT_FOUND, "NotIssued", "'%s' has no version yet", args->name);
    cli_vault_id(newest, &name, out);
    return RF_OK;
}

static enum rf_kind take_version(const struct cli_vault_at *at, const struct deploy_args *args,
                                 rf_str version, struct rf_err *err)
{
    rf_str path;
    struct json_node *secret;
    struct cert_pair pair;
    /* The vault turns a PFX into PEM. */
    RF_TRY(cli_vault_path(at->arena, "secrets", rf_str_of(args->name), version,
                          "?outContentType=application/x-pem-file", &path, err));
    RF_TRY(cli_vault_ask(at, "GET", path, NULL, &secret, err));
    RF_TRY(cert_pair_read(json_text_at(secret, "value"), at->arena, &pair, err));
    if (pair.not_after <= rf_clock_now(rf_clock_real()))
        return RF_FAIL(err, RF_INVALID, "BadPair",
                       "version %.*s of the certificate '%s' has ended already", RF_FMT(version),
                       args->name);
    RF_TRY(cert_files_put(&args->files, version, &pair, at->arena, err));
    cli_say("version %.*s of the certificate '%s' is in place, good until %.*s", RF_FMT(version),
            args->name, RF_FMT(cli_vault_iso(at->arena, pair.not_after / RF_USEC_PER_SECOND)));
    return RF_OK;
}

/* A reload that has failed is tried again even while the server is away. */
static enum rf_kind look(const struct deploy_args *args, struct rf_arena *arena, struct rf_err *err)
{
    struct cli_vault_at at = {.arena = arena};
    rf_str here = cert_files_version(&args->files, arena), there = {NULL, 0};
    RF_TRY(cli_server_open(&args->server, &at.server, err));
    enum rf_kind kind = cli_vault_find(&at, cli_vault_text(args->vault), err);
    if (kind == RF_OK) kind = newest_version(&at, args, &there, err);
    if (kind == RF_OK && !rf_str_eq(here, there)) kind = take_version(&at, args, there, err);
    if (kind == RF_OK) here = there;
    cli_server_close(at.server);
    if (!cert_files_reload_due(&args->files) || here.len == 0) return kind;
    struct rf_err why = {.code = ""};
    enum rf_kind reloaded = reload(args, here, arena, &why);
    if (kind != RF_OK || reloaded == RF_OK) return kind;
    *err = why;
    return reloaded;
}

static enum rf_kind look_once(struct deploy_args *args, struct rf_err *err)
{
    RF_CLEANUP(rf_arena_wipe) struct rf_arena arena;
    rf_arena_init(&arena, ARENA_BYTES_MAX);
    enum rf_kind kind = cert_files_open(&args->files, err);
    if (kind == RF_OK) kind = look(args, &arena, err);
    cert_files_close(&args->files);
    return kind;
}

/* ---- again and again -------------------------------------------------------------------------------------------------------------- */

/* Many hosts were started at the same time; they are not to ask at the same time for ever. */
static int64_t with_jitter(int64_t ms)
{
    uint32_t number = 0;
    int64_t most = ms / JITTER_PART;
    if (getrandom(&number, sizeof number, 0) != (ssize_t)sizeof number || most == 0) return ms;
    return ms - most + (int64_t)(number % (uint64_t)(2 * most + 1));
}

_Noreturn static void stay(struct deploy_args *args)
{
    for (uint32_t failures = 0;;) {
        struct rf_err err = {.code = ""};
        int64_t seconds = args->interval;
        if (look_once(args, &err) == RF_OK) {
            failures = 0;
        } else {
            (void)cli_say_error(&err, (rf_str){NULL, 0}, NULL);
            seconds = RF_MIN(seconds, (int64_t)RETRY_SECONDS_FIRST << RF_MIN(failures, 12u));
            failures++;
        }
        (void)fflush(stdout);
        nap_ms(with_jitter(seconds * 1000));
    }
}

/* ---- units -------------------------------------------------------------------------------------------------------------------------- */

static void put_option(struct rf_buf *buf, const char *name, const char *value)
{
    if (value == NULL) return;
    cli_unit_word(buf, name);
    cli_unit_word(buf, value);
}

static enum rf_kind print_units(const struct deploy_args *args, struct rf_err *err)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 1 << 20);
    struct rf_buf line = rf_buf_in(&arena);
    char mode[16];
    (void)snprintf(mode, sizeof mode, "%04o", (unsigned)args->files.mode);
    rf_str program = cli_unit_program(&arena);
    rf_buf_printf(&line, "%.*s cert deploy --once", RF_FMT(program));
    const struct {
        const char *name, *value;
    } given[] = {{"--server", args->server.server},
                 {"--bootstrap", args->server.bootstrap},
                 {"--ca", args->server.ca},
                 {"--vault", args->vault},
                 {"--cert", args->files.cert},
                 {"--key", args->files.key},
                 {"--chain", args->files.chain},
                 {"--owner", args->owner},
                 {"--mode", mode},
                 {"--reload", args->reload}};
    for (size_t i = 0; i < RF_COUNT(given); i++) put_option(&line, given[i].name, given[i].value);
    cli_unit_word(&line, args->name);
    if (line.failed) return rf_fail_memory(err, &arena);
    printf("# /etc/systemd/system/ringfort-cert-%s.service\n"
           "[Unit]\n"
           "Description=Certificate %s from the vault\n"
           "Wants=network-online.target\n"
           "After=network-online.target\n\n"
           "[Service]\n"
           "Type=oneshot\n"
           "ExecStart=%.*s\n"
           "PrivateTmp=yes\n"
           "ProtectHome=read-only\n\n",
           args->name, args->name, (int)line.len, (const char *)line.ptr);
    printf("# /etc/systemd/system/ringfort-cert-%s.timer\n"
           "[Unit]\n"
           "Description=Looks for a new version of the certificate %s\n\n"
           "[Timer]\n"
           "OnBootSec=1min\n"
           "OnUnitActiveSec=%llds\n"
           "RandomizedDelaySec=%llds\n\n"
           "[Install]\n"
           "WantedBy=timers.target\n",
           args->name, args->name, (long long)(args->interval > 0 ? args->interval : 3600),
           (long long)(args->interval > 0 ? args->interval / JITTER_PART : 360));
    return RF_OK;
}

/* ---- the command -------------------------------------------------------------------------------------------------------------------- */

int cli_cert_deploy(int argc, char **argv)
{
    struct deploy_args args = {.files = {.mode = 0600, .lock = -1}};
    struct rf_err err = {.code = ""};
    rf_str none = {NULL, 0}, path;
    int status = read_args(argc, argv, &args);
    if (status != CLI_OK) return status == CLI_HELP ? CLI_OK : status;
    RF_ASSERT(args.name != NULL); /* check_args has seen to it */
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 1 << 20);
    args.files.owner = (uid_t)-1;
    args.files.group = (gid_t)-1;
    enum rf_kind kind =
        cli_vault_path(&arena, "secrets", rf_str_of(args.name), none, NULL, &path, &err);
    if (kind == RF_OK && args.print_unit) kind = print_units(&args, &err);
    if (kind == RF_OK && args.print_unit) return CLI_OK;
    if (kind == RF_OK && args.owner != NULL)
        kind = cert_files_owner(args.owner, &args.files.owner, &args.files.group, &err);
    /* Keys pass through: no dump, and no look by others of the same user. */
    (void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
    (void)signal(SIGCHLD, SIG_DFL); /* who ignores it cannot wait for a command */
    if (kind == RF_OK && args.interval > 0) stay(&args);
    if (kind == RF_OK) kind = look_once(&args, &err);
    return kind == RF_OK ? CLI_OK : cli_say_error(&err, none, NULL);
}
