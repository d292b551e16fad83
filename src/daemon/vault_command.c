#define _GNU_SOURCE
#include "daemon/vault_command.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/cli_options.h"
#include "daemon/root_door.h"
#include "daemon/token_start.h"

enum {
    OPT_DATA,
    OPT_SEAL,
    OPT_QUORUM,
    OPT_RECOVERY,
    OPT_MODULE,
    OPT_TOKEN,
    OPT_KEY,
    OPT_PIN,
    OPT_CREATE,
    OPT_ENV,
    OPT_PCRS,
    OPT_TPM,
    OPT_DAYS,
    OPT_EVEN_NEEDED
};
static const struct cli_option options[] = {
    [OPT_DATA] = {"data", "DIR", "the folder of the server"},
    [OPT_SEAL] = {"seal", "KIND", "reseal: file, passphrase, shares, pkcs11 or tpm"},
    [OPT_QUORUM] = {"quorum", "T/N", "reseal: T of N shares open it (3/5)"},
    [OPT_RECOVERY] = {"recovery", "T/N", "reseal: T of N further shares open it too"},
    [OPT_MODULE] = {"module", "PATH", "pkcs11: the token's shared library"},
    [OPT_TOKEN] = {"token-label", "LABEL", "pkcs11: the token"},
    [OPT_KEY] = {"key-label", "LABEL", "pkcs11: its AES-256 key"},
    [OPT_PIN] = {"pin-file", "FILE", "pkcs11: holds the PIN; read at each start"},
    [OPT_CREATE] = {"create-key", NULL, "pkcs11: make the key if the token has none"},
    [OPT_ENV] = {"module-env", "NAME=VALUE", "pkcs11: the one variable that the module sees"},
    [OPT_PCRS] = {"pcrs", "N,N", "tpm: opens only while these PCRs are what they are now (0,7)"},
    [OPT_TPM] = {"tpm", "TCTI", "tpm: which one, if not device:/dev/tpmrm0"},
    [OPT_DAYS] = {"days", "N", "drop-generation: can be taken back so long (7); 0: gone at once"},
    [OPT_EVEN_NEEDED] = {"even-needed", NULL,
                         "drop-generation: gives up keys that never came back"},
};
static const struct cli_usage usage = {
    .command = "vault",
    .words = "status|unseal|seal|reseal|rotate-root|drop-generation N|keep-generations",
    .doc =
        "Says and changes what seals the root key of a server that runs on this machine. For root "
        "and the\nkeeper's user.\n\n"
        "  status       how it is sealed, how many shares are there, what is left under older "
        "generations\n"
        "  unseal       asks for shares or the passphrase, or reads them from standard input, one "
        "a "
        "line\n"
        "  seal         forgets the root key until it is unsealed again\n"
        "  reseal       seals it otherwise; what opened it before opens it no longer. Shares are "
        "shown once\n"
        "  rotate-root  makes a new root key; what older ones wrap comes under it by and by\n"
        "  drop-generation N  from now on generations up to N open nothing, and after --days they "
        "are gone\n"
        "  keep-generations   takes that back while they are there",
    .options = options,
    .option_count = RF_COUNT(options),
    .notes = "Exit status: 0 done (status, unseal: it is open), 1 not, 2 wrong use.\n",
};

struct order {
    const char *verb, *data, *seal, *quorum, *recovery;
    const char *module, *token, *key, *pin_file, *env, *pcrs, *tpm;
    const char *generation, *days; /* of drop-generation */
    bool create_key, even_needed;
    int fd;
    char reply[ROOT_REPLY_BYTES];
};

/* ---- asking --------------------------------------------------------------------------------------------------------------- */

/* True when the keeper did it; says otherwise why not. `passed`: a descriptor that goes along; -1: none. */
static bool ask_with(struct order *o, rf_str request, int passed)
{
    struct rf_err err = {0};
    if (root_door_ask_with(o->fd, request, passed, o->reply, &err) != RF_OK) {
        (void)cli_say_error(&err, (rf_str){NULL, 0}, NULL);
        return false;
    }
    if (strncmp(o->reply, "ok", 2) == 0) return true;
    cli_say("%s", strncmp(o->reply, "error ", 6) == 0 ? o->reply + 6 : o->reply);
    return false;
}

static bool ask(struct order *o, rf_str request) { return ask_with(o, request, -1); }

static bool is_open(const struct order *o) { return strncmp(o->reply, "ok open", 7) == 0; }

/* The reply's words behind its two numbers. */
static const char *kind_of(const struct order *o, unsigned *have, unsigned *wanted)
{
    int at = 0;
    if (sscanf(o->reply, "ok %*s %u %u %n", have, wanted, &at) != 2) return "";
    return o->reply + at;
}

static int show(const struct order *o)
{
    unsigned have = 0, wanted = 0;
    const char *kind = kind_of(o, &have, &wanted);
    printf("root key: %s by %s", is_open(o) ? "open, sealed" : "sealed", kind);
    if (!is_open(o) && wanted > 0) printf("; %u of %u shares are there", have, wanted);
    printf("\n");
    return is_open(o) ? CLI_OK : CLI_FAILED;
}

/* ---- secrets -------------------------------------------------------------------------------------------------------------- */

/* A line without its end; false at the end of the input. Nothing of it is shown on a terminal. */
static bool type_line(const char *prompt, char *line, size_t cap)
{
    struct termios before, quiet;
    bool terminal = tcgetattr(STDIN_FILENO, &before) == 0;
    if (terminal) {
        fputs(prompt, stderr);
        quiet = before;
        quiet.c_lflag &= ~(tcflag_t)ECHO;
        (void)tcsetattr(STDIN_FILENO, TCSAFLUSH, &quiet);
    }
    char *got = fgets(line, (int)cap, stdin);
    if (terminal) {
        (void)tcsetattr(STDIN_FILENO, TCSAFLUSH, &before);
        fputc('\n', stderr);
    }
    if (got == NULL) return false;
    line[strcspn(line, "\r\n")] = '\0';
    return true;
}

/* What is typed tells by itself what it is: shares have checks. */
static bool enter(struct order *o, const char *line, bool by_passphrase)
{
    struct share share;
    char request[ROOT_REQUEST_BYTES_MAX];
    bool is_share =
        !by_passphrase || share_read(rf_str_of(line), &share, &(struct rf_err){0}) == RF_OK;
    int len = snprintf(request, sizeof request, "%s\n%s", is_share ? "share" : "passphrase", line);
    bool done = len > 0 && len < (int)sizeof request &&
                ask(o, rf_str_make((const uint8_t *)request, (size_t)len));
    explicit_bzero(&share, sizeof share);
    explicit_bzero(request, sizeof request);
    return done;
}

static int unseal(struct order *o)
{
    char line[ROOT_PASSPHRASE_BYTES_MAX + 2];
    unsigned have = 0, wanted = 0;
    if (!ask(o, RF_S("status"))) return CLI_FAILED;
    bool by_passphrase = strncmp(kind_of(o, &have, &wanted), "passphrase", 10) == 0;
    while (!is_open(o)) {
        if (!type_line(by_passphrase ? "passphrase: " : "share: ", line, sizeof line)) break;
        if (line[0] == '\0') continue;
        bool taken = enter(o, line, by_passphrase);
        explicit_bzero(line, sizeof line);
        if (!taken && !isatty(STDIN_FILENO)) return CLI_FAILED;
        if (taken && !is_open(o)) (void)show(o);
    }
    if (!ask(o, RF_S("status"))) return CLI_FAILED;
    return show(o);
}

/* ---- another seal ----------------------------------------------------------------------------------------------------------- */

/* "3/5"; NULL is 0/0. */
static bool quorum(const char *text, unsigned *threshold, unsigned *count)
{
    char end;
    *threshold = *count = 0;
    if (text == NULL) return true;
    return sscanf(text, "%2u/%2u%c", threshold, count, &end) == 2;
}

static bool read_new_passphrase(char *line, size_t cap)
{
    char again[ROOT_PASSPHRASE_BYTES_MAX + 2];
    if (!type_line("new passphrase: ", line, cap)) {
        cli_say("no passphrase was given");
        return false;
    }
    if (!isatty(STDIN_FILENO)) return true;
    bool same = type_line("once more: ", again, sizeof again) && strcmp(line, again) == 0;
    explicit_bzero(again, sizeof again);
    if (!same) cli_say("the two differ; nothing was changed");
    return same;
}

/* Shares are out before anything depends on them. */
static bool show_shares(const struct order *o, unsigned seal_count)
{
    const char *line = strchr(o->reply, '\n');
    for (unsigned i = 0; line != NULL; i++) {
        const char *end = strchr(line + 1, '\n');
        int len = end == NULL ? (int)strlen(line + 1) : (int)(end - line - 1);
        printf("%s %u: %.*s\n", i < seal_count ? "share" : "recovery share",
               i < seal_count ? i + 1 : i - seal_count + 1, len, line + 1);
        line = end;
    }
    if (fflush(stdout) == 0 && ferror(stdout) == 0) return true;
    cli_say("the shares cannot be written; nothing was changed");
    return false;
}

/* Paths as the supervisor will see them. False: said. */
static bool full_path(const char *option, const char *path, char out[PATH_MAX])
{
    if (realpath(path, out) != NULL) return true;
    cli_say("--%s %s: %s", option, path, strerror(errno));
    return false;
}

static bool put_tpm_settings(const struct order *o, char out[ROOT_SETTINGS_BYTES_MAX + 1])
{
    int len = snprintf(out, ROOT_SETTINGS_BYTES_MAX + 1, "kind=tpm\n%s%s%s%s%s%s",
                       o->tpm == NULL ? "" : "tcti=", o->tpm == NULL ? "" : o->tpm,
                       o->tpm == NULL ? "" : "\n",
                       o->pcrs == NULL ? "" : "pcrs=", o->pcrs == NULL ? "" : o->pcrs,
                       o->pcrs == NULL ? "" : "\n");
    if (len <= ROOT_SETTINGS_BYTES_MAX) return true;
    cli_say("the TPM's name has more than %d bytes", ROOT_SETTINGS_BYTES_MAX);
    return false;
}

static bool put_settings(const struct order *o, char out[ROOT_SETTINGS_BYTES_MAX + 1])
{
    char module[PATH_MAX], pin_file[PATH_MAX];
    if (!full_path("module", o->module, module) || !full_path("pin-file", o->pin_file, pin_file))
        return false;
    int len = snprintf(out, ROOT_SETTINGS_BYTES_MAX + 1,
                       "kind=pkcs11\nmodule=%s\ntoken=%s\nkey=%s\npin-file=%s\n%s%s%s%s", module,
                       o->token, o->key, pin_file, o->create_key ? "create-key=yes\n" : "",
                       o->env == NULL ? "" : "env=", o->env == NULL ? "" : o->env,
                       o->env == NULL ? "" : "\n");
    if (len <= ROOT_SETTINGS_BYTES_MAX) return true;
    cli_say("the paths and labels have more than %d bytes together", ROOT_SETTINGS_BYTES_MAX);
    return false;
}

/* ringfort-token talks to the keeper alone; we only bring them together. */
static bool prepare_token(struct order *o, unsigned recovery_threshold, unsigned recovery_count)
{
    char settings[ROOT_SETTINGS_BYTES_MAX + 1], request[ROOT_REQUEST_BYTES_MAX];
    struct rf_err err = {0};
    int fd;
    pid_t pid;
    bool tpm = strcmp(o->seal, "tpm") == 0;
    if (tpm ? !put_tpm_settings(o, settings) : !put_settings(o, settings)) return false;
    if (token_start(rf_str_of(settings), &fd, &pid, &err) != RF_OK) {
        (void)cli_say_error(&err, (rf_str){NULL, 0}, NULL);
        return false;
    }
    int len = snprintf(request, sizeof request, "reseal %s 0 0 %u %u\n%s", o->seal,
                       recovery_threshold, recovery_count, settings);
    bool done = ask_with(o, rf_str_make((const uint8_t *)request, (size_t)len), fd);
    close(fd);
    (void)waitpid(pid, NULL, 0);
    return done;
}

static int reseal_token(struct order *o, unsigned recovery_threshold, unsigned recovery_count)
{
    bool tpm = strcmp(o->seal, "tpm") == 0;
    if (!tpm && (o->module == NULL || o->token == NULL || o->key == NULL || o->pin_file == NULL))
        return cli_wrong(&usage, "--seal pkcs11 needs --module, --token-label, --key-label and "
                                 "--pin-file");
    if (recovery_count == 0)
        cli_say("warning: without --recovery T/N, a lost or broken token is the END OF ALL DATA "
                "that this server holds");
    bool done = prepare_token(o, recovery_threshold, recovery_count) && show_shares(o, 0) &&
                ask(o, RF_S("commit"));
    return done ? show(o) : CLI_FAILED;
}

static int reseal(struct order *o)
{
    char line[ROOT_PASSPHRASE_BYTES_MAX + 2] = "", request[ROOT_REQUEST_BYTES_MAX];
    unsigned threshold, count, recovery_threshold, recovery_count;
    if (o->seal == NULL)
        return cli_wrong(&usage, "--seal KIND is needed: file, passphrase, shares, pkcs11, tpm");
    if (!quorum(o->quorum, &threshold, &count))
        return cli_wrong(&usage, "--quorum is like 3/5, not '%s'", o->quorum);
    if (!quorum(o->recovery, &recovery_threshold, &recovery_count))
        return cli_wrong(&usage, "--recovery is like 3/5, not '%s'", o->recovery);
    bool shares = strcmp(o->seal, "shares") == 0, passphrase = strcmp(o->seal, "passphrase") == 0;
    bool tpm = strcmp(o->seal, "tpm") == 0, token = tpm || strcmp(o->seal, "pkcs11") == 0;
    if (!shares && !passphrase && !token && strcmp(o->seal, "file") != 0)
        return cli_wrong(&usage,
                         "there is no seal '%s'; there are file, passphrase, shares, pkcs11, tpm",
                         o->seal);
    if (shares != (o->quorum != NULL))
        return cli_wrong(&usage, "--quorum T/N goes with --seal shares");
    if (!tpm && (o->pcrs != NULL || o->tpm != NULL))
        return cli_wrong(&usage, "--pcrs and --tpm go with --seal tpm");
    if ((!token || tpm) && (o->module != NULL || o->token != NULL || o->key != NULL ||
                            o->pin_file != NULL || o->env != NULL || o->create_key))
        return cli_wrong(&usage, "options of PKCS#11 tokens go with --seal pkcs11");
    if (token) return reseal_token(o, recovery_threshold, recovery_count);
    if (passphrase && !read_new_passphrase(line, sizeof line)) return CLI_FAILED;
    int len = snprintf(request, sizeof request, "reseal %s %u %u %u %u\n%s", o->seal, threshold,
                       count, recovery_threshold, recovery_count, line);
    bool done = ask(o, rf_str_make((const uint8_t *)request, (size_t)len)) &&
                show_shares(o, count) && ask(o, RF_S("commit"));
    explicit_bzero(line, sizeof line);
    explicit_bzero(request, sizeof request);
    return done ? show(o) : CLI_FAILED;
}

/* ---- generations ------------------------------------------------------------------------------------------------------------ */

/* What the keeper tells of them, on lines of their own. A sealed one tells nothing. */
static void show_generations(struct order *o)
{
    if (!ask(o, RF_S("generations"))) return;
    printf("%s\n", o->reply + strlen("ok "));
}

static int status(struct order *o)
{
    if (!ask(o, RF_S("status"))) return CLI_FAILED;
    int status = show(o);
    if (is_open(o)) show_generations(o);
    return status;
}

static bool is_number(const char *text)
{
    size_t digits = strspn(text, "0123456789");
    return digits > 0 && digits <= 6 && text[digits] == '\0';
}

static int drop_generation(struct order *o)
{
    enum { DAYS_MAX = 3650, MINUTES_A_DAY = 24 * 60 };
    char request[96];
    const char *days = o->days == NULL ? "7" : o->days;
    if (o->generation == NULL || !is_number(o->generation))
        return cli_wrong(&usage, "drop-generation N: say the number of the newest that is to go");
    if (!is_number(days) || strtol(days, NULL, 10) > DAYS_MAX)
        return cli_wrong(&usage, "--days is a number from 0 to %d", DAYS_MAX);
    (void)snprintf(request, sizeof request, "drop %s %ld%s", o->generation,
                   strtol(days, NULL, 10) * MINUTES_A_DAY, o->even_needed ? " even-needed" : "");
    if (!ask(o, rf_str_of(request))) return CLI_FAILED;
    show_generations(o);
    return CLI_OK;
}

static int keep_generations(struct order *o)
{
    if (!ask(o, RF_S("keep"))) return CLI_FAILED;
    show_generations(o);
    return CLI_OK;
}

/* ---- the command ------------------------------------------------------------------------------------------------------------ */

static int run(struct order *o)
{
    static const struct {
        const char *verb;
        const char *request; /* NULL: it has its own function */
        int (*run)(struct order *o);
    } verbs[] = {{"status", NULL, status},
                 {"unseal", NULL, unseal},
                 {"seal", "seal", NULL},
                 {"reseal", NULL, reseal},
                 {"rotate-root", "rotate", NULL},
                 {"drop-generation", NULL, drop_generation},
                 {"keep-generations", NULL, keep_generations}};
    char folder[4096];
    struct rf_err err = {0};
    size_t at = 0;
    while (at < RF_COUNT(verbs) && strcmp(verbs[at].verb, o->verb) != 0) at++;
    if (at == RF_COUNT(verbs)) return cli_wrong(&usage, "'%s' is not understood", o->verb);
    (void)snprintf(folder, sizeof folder, "%s/keeper", o->data);
    if (root_door_connect(folder, &o->fd, &err) != RF_OK)
        return cli_say_error(&err, (rf_str){NULL, 0}, NULL);
    int status = CLI_FAILED;
    if (verbs[at].run != NULL)
        status = verbs[at].run(o);
    else if (ask(o, rf_str_of(verbs[at].request)))
        status = at == 2 ? CLI_OK : show(o);
    close(o->fd);
    explicit_bzero(o->reply, sizeof o->reply);
    return status;
}

int cli_vault(int argc, char **argv)
{
    struct cli_line line = cli_line_of(&usage, argc, argv);
    struct order o = {.fd = -1};
    for (int at; (at = cli_next(&line)) != CLI_END;) {
        if (at == CLI_HELP) return CLI_OK;
        if (at == CLI_WRONG) return CLI_WRONG_USE;
        bool number = o.verb != NULL && strcmp(o.verb, "drop-generation") == 0;
        if (at == CLI_WORD && number && o.generation == NULL) {
            o.generation = line.value;
            continue;
        }
        if (at == CLI_WORD && o.verb != NULL)
            return cli_wrong(&usage, "'%s' is one word too many", line.value);
        if (at == CLI_WORD) o.verb = line.value;
        if (at == OPT_DATA) o.data = line.value;
        if (at == OPT_SEAL) o.seal = line.value;
        if (at == OPT_QUORUM) o.quorum = line.value;
        if (at == OPT_RECOVERY) o.recovery = line.value;
        if (at == OPT_MODULE) o.module = line.value;
        if (at == OPT_TOKEN) o.token = line.value;
        if (at == OPT_KEY) o.key = line.value;
        if (at == OPT_PIN) o.pin_file = line.value;
        if (at == OPT_CREATE) o.create_key = true;
        if (at == OPT_ENV) o.env = line.value;
        if (at == OPT_PCRS) o.pcrs = line.value;
        if (at == OPT_TPM) o.tpm = line.value;
        if (at == OPT_DAYS) o.days = line.value;
        if (at == OPT_EVEN_NEEDED) o.even_needed = true;
    }
    if (o.verb == NULL)
        return cli_wrong(&usage, "say what: status, unseal, seal, reseal, rotate-root, "
                                 "drop-generation, keep-generations");
    if (o.data == NULL) return cli_wrong(&usage, "--data DIR is needed");
    return run(&o);
}
