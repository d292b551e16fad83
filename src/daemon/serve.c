#include "daemon/serve.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fs.h"
#include "cli/cli.h"
#include "cli/cli_options.h"
#include "daemon/config.h"
#include "daemon/names.h"
#include "daemon/roles.h"
#include "daemon/sandbox_int.h"
#include "daemon/supervisor.h"
#include "daemon/users.h"

extern char **environ;

enum { CONFIG_BYTES_MAX = 1 << 20 };

enum {
    OPT_DATA,
    OPT_CONFIG,
    OPT_DOMAIN,
    OPT_HTTPS,
    OPT_NAME,
    OPT_HARDENING,
    OPT_LOG_LEVEL,
    OPT_LOG_FORMAT,
    OPT_UNSEAL_FILE
};
static const struct cli_option options[] = {
    [OPT_DATA] = {"data", "DIR", "the folder that holds everything; made when it is missing"},
    [OPT_CONFIG] = {"config", "FILE", "settings in YAML (docs/configuration.md)"},
    [OPT_DOMAIN] = {"domain", "NAME", "the estate's DNS domain (ringfort.localhost)"},
    [OPT_HTTPS] = {"listen-https", "ADDRESS:PORT",
                   "where HTTPS is answered (127.0.0.1:8443); port 0 takes a free one"},
    [OPT_NAME] = {"name", "NAME", "a further name or address of the certificate; may be repeated"},
    [OPT_HARDENING] = {"hardening", "LEVEL",
                       "best-effort, strict: do not serve when a layer is missing, or off"},
    [OPT_LOG_LEVEL] = {"log-level", "LEVEL", "debug, info, warn, error, silent"},
    [OPT_LOG_FORMAT] = {"log-format", "FORMAT", "text or json"},
    [OPT_UNSEAL_FILE] = {"unseal-file", "FILE",
                         "holds the passphrase that opens the root key (docs/sealing.md)"},
};
static const char *const setting_of[] = {
    [OPT_DATA] = "data",           [OPT_DOMAIN] = "domain",       [OPT_HTTPS] = "listen.https",
    [OPT_HARDENING] = "hardening", [OPT_LOG_LEVEL] = "log.level", [OPT_LOG_FORMAT] = "log.format",
};
static const struct cli_usage usage = {
    .command = "serve",
    .doc = "Answers Azure's protocols over HTTPS. On an empty folder it makes its own certificate "
           "authority,\n"
           "administrator, subscription and workspace, and writes DIR/bootstrap.json, by which the "
           "first\n"
           "client finds in. Ends cleanly on SIGTERM or SIGINT.",
    .options = options,
    .option_count = RF_COUNT(options),
    .notes =
        "The environment's RINGFORT_... variables set the same things; the command line wins.\n",
};

/* ---- settings ---------------------------------------------------------------------------------------------------- */

static enum rf_kind read_config_file(const char *path, struct config *config,
                                     struct rf_arena *arena, struct rf_err *err)
{
    struct rf_file *file;
    size_t got, len = 0;
    uint8_t *bytes = rf_arena_alloc(arena, CONFIG_BYTES_MAX);
    if (bytes == NULL) return rf_fail_memory(err, arena);
    RF_TRY(rf_fs_open(rf_fs_real(), path, RF_OPEN_READ, &file, err));
    enum rf_kind kind;
    while ((kind = rf_file_read(file, bytes + len, CONFIG_BYTES_MAX - len, &got, err)) == RF_OK &&
           got > 0)
        len += got;
    rf_file_close(file);
    RF_TRY(kind);
    if (len == CONFIG_BYTES_MAX)
        return RF_FAIL(err, RF_LIMIT, "ConfigTooLarge", "%s is larger than a megabyte", path);
    return config_read(config, rf_str_make(bytes, len), arena, err);
}

/* systemd hands files over in a folder of its own (LoadCredential=ringfort.yaml:...). */
static const char *credential_file(const char *name, struct rf_arena *arena)
{
    const char *folder = getenv("CREDENTIALS_DIRECTORY");
    if (folder == NULL) return NULL;
    const char *path = rf_arena_cstr(arena, rf_arena_printf(arena, "%s/%s", folder, name));
    return path != NULL && access(path, R_OK) == 0 ? path : NULL;
}

/* The names that were given one by one, as a list. */
static enum rf_kind set_names(struct config *config, struct rf_buf *names, struct rf_arena *arena,
                              struct rf_err *err)
{
    if (names->failed) return rf_fail_memory(err, arena);
    return names->len == 0 ? RF_OK : config_set(config, "names", rf_buf_view(names), arena, err);
}

static int read_line(int argc, char **argv, struct config *config, const char **unseal_file,
                     struct rf_arena *arena)
{
    struct rf_err err = {0};
    struct cli_line line = cli_line_of(&usage, argc, argv);
    const char *values[RF_COUNT(options)] = {NULL};
    struct rf_buf names = rf_buf_in(arena);
    for (int at; (at = cli_next(&line)) != CLI_END;) {
        if (at == CLI_HELP) return -1;
        if (at == CLI_WRONG) return CLI_WRONG_USE;
        if (at == CLI_WORD) return cli_wrong(&usage, "'%s' is not understood", line.value);
        values[at] = line.value;
        if (at == OPT_NAME) rf_buf_printf(&names, "%s,", line.value);
    }
    const char *file =
        values[OPT_CONFIG] != NULL ? values[OPT_CONFIG] : credential_file("ringfort.yaml", arena);
    if (file != NULL && read_config_file(file, config, arena, &err) != RF_OK)
        return cli_say_error(&err, (rf_str){NULL, 0}, file);
    if (config_environment(config, environ, arena, &err) != RF_OK)
        return cli_say_error(&err, (rf_str){NULL, 0}, NULL);
    for (size_t i = 0; i < RF_COUNT(setting_of); i++)
        if (values[i] != NULL && setting_of[i] != NULL &&
            config_set(config, setting_of[i], rf_str_of(values[i]), arena, &err) != RF_OK)
            return cli_wrong(&usage, "%s", err.text);
    if (set_names(config, &names, arena, &err) != RF_OK) return cli_wrong(&usage, "%s", err.text);
    *unseal_file = values[OPT_UNSEAL_FILE] != NULL ? values[OPT_UNSEAL_FILE]
                                                   : credential_file("ringfort.unseal", arena);
    if (config->data.len == 0) return cli_wrong(&usage, "--data DIR is needed");
    return CLI_OK;
}

/* What the server role writes lies in folders of its own, beside the keeper's, as Landlock grants folders and knows no "all but".
 * The two files that people look for lie in DIR all the same: links. */
enum rf_kind serve_make_layout(const char *data, struct rf_arena *arena, struct rf_err *err)
{
    static const char *const folders[] = {"state", "tables", "hubs", "capture"};
    static const char *const files[] = {"bootstrap.json", "ca.pem"};
    for (size_t i = 0; i < RF_COUNT(folders); i++) {
        const char *path = rf_arena_cstr(arena, rf_arena_printf(arena, "%s/%s", data, folders[i]));
        if (path == NULL) return rf_fail_memory(err, arena);
        if (mkdir(path, 0700) != 0 && errno != EEXIST)
            return RF_FAIL_ERRNO(err, "FolderFailed", "cannot make the folder %s", path);
    }
    for (size_t i = 0; i < RF_COUNT(files); i++) {
        const char *link = rf_arena_cstr(arena, rf_arena_printf(arena, "%s/%s", data, files[i]));
        const char *file = rf_arena_cstr(arena, rf_arena_printf(arena, "state/%s", files[i]));
        if (link == NULL || file == NULL) return rf_fail_memory(err, arena);
        if (symlink(file, link) != 0 && errno != EEXIST)
            return RF_FAIL_ERRNO(err, "FolderFailed", "cannot make the link %s", link);
    }
    return rf_fs_sync_dir(rf_fs_real(), data,
                          err); /* what is acknowledged later lies below these names */
}

/* The folder as an absolute path, made when it is missing. */
static enum rf_kind prepare_folder(struct config *config, struct rf_arena *arena,
                                   struct rf_err *err)
{
    const char *path = rf_arena_cstr(arena, config->data);
    if (path == NULL) return rf_fail_memory(err, arena);
    if (mkdir(path, 0700) != 0 && errno != EEXIST)
        return RF_FAIL_ERRNO(err, "FolderFailed", "cannot make the folder %s", path);
    RF_TRY(serve_make_layout(path, arena, err));
    char *whole = realpath(path, NULL);
    if (whole == NULL) return RF_FAIL_ERRNO(err, "FolderFailed", "cannot use the folder %s", path);
    bool good = rf_arena_str(arena, rf_str_of(whole), &config->data);
    free(whole);
    return good ? RF_OK : rf_fail_memory(err, arena);
}

/* ---- who is who --------------------------------------------------------------------------------------------------- */

static const char shared_is_weaker[] =
    "keys and rows belong to one user: a server that was taken over is kept from the keeper's "
    "files and memory by Landlock and seccomp only, not by the kernel's users as well";

/* The users of the roles; `separate` false when they share the caller's, which is then said. */
static enum rf_kind choose_users(struct users *users, bool *separate, struct rf_err *err)
{
    char why[96] = "not started as root";
    *separate = false;
    if (geteuid() == 0) {
        RF_TRY(users_find(USERS_PASSWD, users, err));
        *separate = users->missing == NULL;
        (void)snprintf(why, sizeof why, "there is no user %s", *separate ? "" : users->missing);
    }
    if (!*separate)
        rf_log(RF_WARN, "users.shared", RF_KV_U64("uid", geteuid()),
               RF_KV_STR("why", rf_str_of(why)), RF_KV_STR("weaker", rf_str_of(shared_is_weaker)),
               RF_KV_STR("remedy", RF_S("start as root; " USERS_REMEDY)));
    return RF_OK;
}

/* Says when clients will not find the names. The answer may come from the network and take its time, so a process apart waits
 * for it, without rights, and belongs to nobody: the supervisor's children are its roles. */
static void look_at_names(const struct config *config, const struct users *users,
                          struct rf_arena *arena)
{
    enum { PATIENCE_SECONDS = 20 };
    const char *domain = rf_arena_cstr(arena, config->domain);
    pid_t first = domain == NULL ? -1 : fork();
    if (first > 0) (void)waitpid(first, NULL, 0);
    if (first != 0) return;
    if (fork() != 0) _exit(0);
    char word[USER_WORD_BYTES];
    if (users != NULL) user_word(&users->of[USER_SERVER], word);
    if (users != NULL && user_become(word, false, NULL) != RF_OK) _exit(1);
    if (users == NULL && !capabilities_keep(0)) _exit(1);
    (void)alarm(PATIENCE_SECONDS);
    struct names_finding finding = names_look(domain);
    if (!finding.good)
        rf_log(RF_WARN, "names.unknown", RF_KV_STR("found", rf_str_of(finding.found)),
               RF_KV_STR("remedy", rf_str_of(finding.remedy)));
    _exit(0);
}

/* ---- the roles --------------------------------------------------------------------------------------------------- */

/* The words behind "@keeper" and "@server", as a list that grows. */
struct words {
    const char *items[SUPERVISOR_WORDS_MAX + 1];
    size_t count;
    bool failed; /* one too many, or no memory for one */
};

static void add_word(struct words *words, const char *word)
{
    if (word == NULL || words->count == SUPERVISOR_WORDS_MAX)
        words->failed = true;
    else
        words->items[words->count++] = word;
}

static void add_user(struct words *words, const struct role_user *user, struct rf_arena *arena)
{
    char word[USER_WORD_BYTES];
    user_word(user, word);
    add_word(words, ROLE_USER_OPTION);
    add_word(words, rf_arena_cstr(arena, rf_str_of(word)));
}

/* --folder DIR/keeper --domain NAME --hardening LEVEL [--name NAME]... */
static void keeper_words(const struct config *config, struct words *words, struct rf_arena *arena)
{
    add_word(words, "--folder");
    add_word(words,
             rf_arena_cstr(arena, rf_arena_printf(arena, "%.*s/keeper", RF_FMT(config->data))));
    add_word(words, "--domain");
    add_word(words, rf_arena_cstr(arena, config->domain));
    add_word(words, "--hardening");
    add_word(words, config->no_sandbox         ? "off"
                    : config->strict_hardening ? "strict"
                                               : "best-effort");
    for (uint32_t i = 0; i < config->name_count; i++) {
        add_word(words, "--name");
        add_word(words, rf_arena_cstr(arena, config->names[i]));
    }
}

static enum rf_kind serve(const struct config *config, const char *unseal_file,
                          struct rf_arena *arena, struct rf_err *err)
{
    struct users users;
    struct words keeper = {.count = 0}, server = {.count = 0};
    bool separate;
    const char *data = rf_arena_cstr(arena, config->data);
    rf_str json = config_to_json(config, arena);
    if (data == NULL || json.ptr == NULL) return rf_fail_memory(err, arena);
    RF_TRY(choose_users(&users, &separate, err));
    RF_TRY(users_own_data(data, separate ? &users : NULL, err));
    if (separate) {
        add_user(&keeper, &users.of[USER_KEEPER], arena);
        add_user(&server, &users.of[USER_SERVER], arena);
        RF_TRY(users_supervise(err));
    }
    keeper_words(config, &keeper, arena);
    add_word(&server, rf_arena_cstr(arena, json));
    if (keeper.failed || server.failed)
        return RF_FAIL(err, RF_LIMIT, "TooManyWords", "more names than a certificate can have");
    look_at_names(config, separate ? &users : NULL, arena);
    struct supervisor_options roles = {
        .keeper_words = keeper.items, .server_words = server.items, .unseal_file = unseal_file};
    return supervisor_run(&roles, err);
}

int cli_serve(int argc, char **argv)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    struct config config = config_default();
    struct rf_err err = {0};
    const char *unseal_file = NULL;
    rf_arena_init(&arena, (size_t)16 << 20);
    int status = read_line(argc, argv, &config, &unseal_file, &arena);
    if (status != CLI_OK) return status < 0 ? CLI_OK : status;
    rf_log_set(config.log_level, config.log_format);
    if (prepare_folder(&config, &arena, &err) != RF_OK ||
        serve(&config, unseal_file, &arena, &err) != RF_OK)
        return cli_say_error(&err, (rf_str){NULL, 0}, NULL);
    return CLI_OK;
}
