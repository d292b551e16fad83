/* cli_login.c - ringfort login: who asks a server, kept for the commands that follow; and the token that it gets.
 *
 * login.json: {"logins":[{...}, ...]}, the present one first. Members are those of struct cli_login; a login by a bootstrap
 * file holds its path and the token only, so that a secret is in one place and a rotated one is found. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#include "base/encode.h"
#include "base/fs.h"
#include "base/json_tree.h"
#include "cli/cli.h"
#include "cli/cli_server.h"
#include "cli/cli_vault.h"

enum {
    LOGIN_BYTES_MAX = 1 << 20,
    CA_BYTES_MAX = 4 << 20,
    SECRET_BYTES_MAX = 4096,
    TOKEN_MARGIN_SECONDS = 120
};

#define SECRET_VARIABLE "RINGFORT_CLIENT_SECRET"

/* ---- the file ----------------------------------------------------------------------------------------------- */

/* "$XDG_CONFIG_HOME/ringfort/<name>", NUL-terminated. */
static enum rf_kind config_path(const char *name, struct rf_arena *arena, const char **out,
                                struct rf_err *err)
{
    const char *config = getenv("XDG_CONFIG_HOME"), *home = getenv("HOME");
    rf_str path;
    if (config != NULL && config[0] == '/')
        path = rf_arena_printf(arena, "%s/ringfort%s", config, name);
    else if (home != NULL && home[0] == '/')
        path = rf_arena_printf(arena, "%s/.config/ringfort%s", home, name);
    else
        return RF_FAIL(err, RF_INVALID, "NoHome",
                       "neither XDG_CONFIG_HOME nor HOME names a folder for the login");
    *out = rf_arena_cstr(arena, path);
    return path.ptr == NULL || *out == NULL ? rf_fail_memory(err, arena) : RF_OK;
}

/* What others may read is no secret any more. */
static enum rf_kind check_mode(const char *path, struct rf_err *err)
{
    struct stat found;
    if (stat(path, &found) != 0 || (found.st_mode & 077) == 0) return RF_OK;
    return RF_FAIL(err, RF_DENIED, "OpenLogin",
                   "%s may be read by others (mode %03o): 'chmod 600' it, and make a new secret if "
                   "it held one",
                   path, (unsigned)found.st_mode & 0777);
}

enum rf_kind cli_login_read(struct rf_arena *arena, struct json_node **out, struct rf_err *err)
{
    const char *path;
    rf_str text;
    struct json_node *file, *logins = json_new(arena, JSON_T_ARRAY);
    if (logins == NULL) return rf_fail_memory(err, arena);
    RF_TRY(config_path("/login.json", arena, &path, err));
    if (rf_fs_exists(rf_fs_real(), path)) {
        RF_TRY(check_mode(path, err));
        RF_TRY(rf_fs_read_all(rf_fs_real(), path, LOGIN_BYTES_MAX, arena, &text, err));
        struct rf_err why = {0};
        if (json_parse(text, arena, &file, &why) != RF_OK ||
            !json_is(json_get(file, "logins"), JSON_T_ARRAY))
            return RF_FAIL(err, RF_INVALID, "BadLogin", "%s is no list of logins; log in again: %s",
                           path, why.text);
        logins = json_get(file, "logins");
    }
    *out = logins;
    return RF_OK;
}

/* Nobody else may read it, not even for the moment before a chmod. */
static enum rf_kind write_private(const char *path, rf_str text, struct rf_arena *arena,
                                  struct rf_err *err)
{
    rf_str fresh = rf_arena_printf(arena, "%s.%ld.new", path, (long)getpid());
    const char *name = rf_arena_cstr(arena, fresh);
    if (fresh.ptr == NULL || name == NULL) return rf_fail_memory(err, arena);
    (void)unlink(name);
    int fd = open(name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) return rf_fs_fail(errno, "create", name, err);
    size_t done = 0;
    while (done < text.len) {
        ssize_t put = write(fd, text.ptr + done, text.len - done);
        if (put < 0 && errno == EINTR) continue;
        if (put <= 0) break;
        done += (size_t)put;
    }
    bool good = done == text.len && fsync(fd) == 0;
    int why = errno;
    (void)close(fd);
    if (good && rename(name, path) == 0) return RF_OK;
    if (good) why = errno;
    (void)unlink(name);
    return rf_fs_fail(why, "write", path, err);
}

static enum rf_kind write_logins(struct json_node *logins, struct rf_arena *arena,
                                 struct rf_err *err)
{
    const char *folder, *path;
    RF_TRY(config_path("", arena, &folder, err));
    RF_TRY(config_path("/login.json", arena, &path, err));
    RF_TRY(rf_fs_mkdirs(rf_fs_real(), folder, err));
    (void)chmod(folder, 0700);
    struct json_node *file = json_new(arena, JSON_T_OBJECT);
    if (file == NULL || json_set(arena, file, RF_S("logins"), logins) == NULL)
        return rf_fail_memory(err, arena);
    rf_str text = json_to_text(arena, file);
    if (text.ptr == NULL) return rf_fail_memory(err, arena);
    enum rf_kind kind = write_private(path, text, arena, err);
    explicit_bzero((void *)(uintptr_t)text.ptr, text.len);
    return kind;
}

static const struct login_member {
    const char *name;
    size_t at;
} members[] = {
    {"server", offsetof(struct cli_login, server)},
    {"bootstrap", offsetof(struct cli_login, bootstrap)},
    {"authority", offsetof(struct cli_login, authority)},
    {"tenant_id", offsetof(struct cli_login, tenant_id)},
    {"client_id", offsetof(struct cli_login, client_id)},
    {"client_secret", offsetof(struct cli_login, client_secret)},
    {"ca", offsetof(struct cli_login, ca)},
    {"amqps", offsetof(struct cli_login, amqps)},
    {"vault_named_url", offsetof(struct cli_login, vault)},
    {"subscription_id", offsetof(struct cli_login, subscription_id)},
    {"resource_group", offsetof(struct cli_login, resource_group)},
    {"workspace_id", offsetof(struct cli_login, workspace_id)},
    {"workspace_name", offsetof(struct cli_login, workspace_name)},
    {"location", offsetof(struct cli_login, location)},
    {"token", offsetof(struct cli_login, token)},
};

static rf_str *member_of(struct cli_login *login, size_t i)
{
    return (rf_str *)(void *)((char *)login + members[i].at);
}

void cli_login_take(const struct json_node *object, struct cli_login *out)
{
    for (size_t i = 0; i < RF_COUNT(members); i++) {
        rf_str text = json_text_at(object, members[i].name);
        if (text.len > 0) *member_of(out, i) = text;
    }
    (void)json_i64_at(object, "token_ends_usec", &out->token_ends_usec);
}

/* The member of the file; of a login by a bootstrap file just what that file does not say. */
static struct json_node *login_object(const struct cli_login *login, struct rf_arena *arena)
{
    static const char *const own[] = {"server", "bootstrap", "token"};
    struct json_node *object = json_new(arena, JSON_T_OBJECT);
    struct cli_login copy = *login;
    for (size_t i = 0; i < RF_COUNT(members); i++) {
        rf_str text = *member_of(&copy, i);
        bool wanted = login->bootstrap.len == 0;
        for (size_t k = 0; k < RF_COUNT(own); k++) wanted |= strcmp(members[i].name, own[k]) == 0;
        if (text.len > 0 && wanted) json_set_text(arena, object, members[i].name, text);
    }
    json_set_i64(arena, object, "token_ends_usec", login->token_ends_usec);
    return object;
}

/* Takes `object` in the place of the login for `server`, or as the first one; NULL leaves that login out. */
static enum rf_kind change_logins(rf_str server, struct json_node *object, bool first,
                                  struct rf_arena *arena, bool *found, struct rf_err *err)
{
    struct json_node *logins, *next, *all = json_new(arena, JSON_T_ARRAY);
    RF_TRY(cli_login_read(arena, &logins, err));
    *found = false;
    for (const struct json_node *login = logins->first; login != NULL; login = login->next)
        *found |= rf_str_eq(json_text_at(login, "server"), server);
    bool ahead = first || !*found;
    if (ahead) (void)json_append(all, object);
    for (struct json_node *login = logins->first; login != NULL; login = next) {
        next = login->next;
        login->next = NULL;
        if (!rf_str_eq(json_text_at(login, "server"), server))
            (void)json_append(all, login);
        else if (!ahead)
            (void)json_append(all, object);
    }
    return all == NULL ? rf_fail_memory(err, arena) : write_logins(all, arena, err);
}

enum rf_kind cli_login_save(const struct cli_login *login, bool first, struct rf_err *err)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 16 << 20);
    bool found;
    struct json_node *object = login_object(login, &arena);
    if (object == NULL) return rf_fail_memory(err, &arena);
    return change_logins(login->server, object, first, &arena, &found, err);
}

enum rf_kind cli_login_forget(const char *server, struct rf_err *err)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 16 << 20);
    if (server == NULL) return write_logins(json_new(&arena, JSON_T_ARRAY), &arena, err);
    bool found;
    RF_TRY(change_logins(cli_server_name(server), NULL, false, &arena, &found, err));
    if (found) return RF_OK;
    return RF_FAIL(err, RF_NOT_FOUND, "NoServer", "there is no login for %s", server);
}

/* ---- bootstrap.json ------------------------------------------------------------------------------------------- */

/* The file may have been copied to another machine with its CA beside it. */
static enum rf_kind find_ca(rf_str ca, rf_str bootstrap, struct rf_arena *arena, rf_str *out,
                            struct rf_err *err)
{
    const char *path = rf_arena_cstr(arena, ca);
    if (path == NULL) return rf_fail_memory(err, arena);
    *out = ca;
    if (ca.len == 0 || (ca.ptr[0] == '/' && rf_fs_exists(rf_fs_real(), path))) return RF_OK;
    size_t folder = bootstrap.len, name = ca.len;
    while (folder > 0 && bootstrap.ptr[folder - 1] != '/') folder--;
    while (name > 0 && ca.ptr[name - 1] != '/') name--;
    rf_str beside = rf_arena_printf(arena, "%.*s%.*s", RF_FMT(rf_slice(bootstrap, 0, folder)),
                                    RF_FMT(rf_slice(ca, name, ca.len)));
    path = rf_arena_cstr(arena, beside);
    if (beside.ptr == NULL || path == NULL) return rf_fail_memory(err, arena);
    if (rf_fs_exists(rf_fs_real(), path)) *out = beside;
    return RF_OK;
}

enum rf_kind cli_login_from_bootstrap(const char *path, struct rf_arena *arena,
                                      struct cli_login *out, struct rf_err *err)
{
    rf_str text;
    struct json_node *boot;
    struct rf_err why = {0};
    RF_TRY(rf_fs_read_all(rf_fs_real(), path, LOGIN_BYTES_MAX, arena, &text, err));
    if (json_parse(text, arena, &boot, &why) != RF_OK || !json_is(boot, JSON_T_OBJECT))
        return RF_FAIL(err, RF_INVALID, "BadBootstrap", "%s is no bootstrap file: %s", path,
                       why.code != NULL ? why.text : "it holds no object");
    static const char *const needed[] = {"https", "tenant_id", "client_id", "client_secret"};
    for (size_t i = 0; i < RF_COUNT(needed); i++)
        if (json_text_at(boot, needed[i]).len == 0)
            return RF_FAIL(err, RF_INVALID, "BadBootstrap", "%s is no bootstrap file: it has no %s",
                           path, needed[i]);
    struct cli_login login = {.bootstrap = rf_str_of(path)};
    cli_login_take(boot, &login);
    login.bootstrap = rf_str_of(path);
    login.server = cli_server_trim(json_text_at(boot, "https"));
    login.authority = cli_server_trim(login.authority.len > 0 ? login.authority : login.server);
    login.resource = login.server;
    login.token = (rf_str){NULL, 0};
    RF_TRY(find_ca(login.ca, login.bootstrap, arena, &login.ca, err));
    *out = login;
    return RF_OK;
}

/* ---- tokens ---------------------------------------------------------------------------------------------------- */

enum rf_kind cli_login_client(const struct cli_login *login, struct rf_arena *arena,
                              struct http_client **out, struct rf_err *err)
{
    struct http_client_options options = {0};
    if (login->ca.len > 0) {
        const char *path = rf_arena_cstr(arena, login->ca);
        if (path == NULL) return rf_fail_memory(err, arena);
        RF_TRY(rf_fs_read_all(rf_fs_real(), path, CA_BYTES_MAX, arena, &options.ca_pem, err));
    }
    /* A query may be silent for as long as it takes. */
    options.timeout_usec = 660 * RF_USEC_PER_SECOND;
    return http_client_new(&options, out, err);
}

bool cli_login_has_token(const struct cli_login *login)
{
    return login->token.len > 0 &&
           login->token_ends_usec >
               rf_clock_now(rf_clock_real()) + TOKEN_MARGIN_SECONDS * RF_USEC_PER_SECOND;
}

/* The form of the request: RFC 6749, 4.4.2. */
static enum rf_kind token_form(const struct cli_login *login, rf_str secret, struct rf_arena *arena,
                               struct rf_buf *form, struct rf_err *err)
{
    rf_str id = percent_encode(arena, login->client_id), key = percent_encode(arena, secret);
    rf_str scope = percent_encode(arena, login->resource.len > 0 ? login->resource : login->server);
    if (id.ptr == NULL || key.ptr == NULL || scope.ptr == NULL) return rf_fail_memory(err, arena);
    rf_buf_printf(form,
                  "grant_type=client_credentials&client_id=%.*s&scope=%.*s%%2F.default"
                  "&client_secret=%.*s",
                  RF_FMT(id), RF_FMT(scope), RF_FMT(key));
    if (key.ptr != secret.ptr) explicit_bzero((void *)(uintptr_t)key.ptr, key.len);
    return form->failed ? rf_fail_memory(err, arena) : RF_OK;
}

static enum rf_kind read_token(const struct http_answer *answer, struct cli_login *login,
                               struct rf_arena *arena, struct rf_err *err)
{
    struct json_node *body = NULL;
    if (json_parse(answer->body, arena, &body, NULL) != RF_OK) body = NULL;
    rf_str said = json_text_at(body, "error_description");
    /* Behind the first line are numbers for the operator's log. */
    for (size_t i = 0; i < said.len; i++)
        if (said.ptr[i] == '\r' || said.ptr[i] == '\n') said.len = i;
    if (answer->status >= 400 && said.len > 0)
        return RF_FAIL(err, RF_DENIED, "NotSignedIn", "%.*s gives no token: %.*s",
                       RF_FMT(login->authority),
                       RF_FMT(rf_slice(said, 0, RF_MIN(said.len, (size_t)600))));
    rf_str token = json_text_at(body, "access_token");
    int64_t seconds = 0;
    if (answer->status != 200 || token.len == 0)
        return RF_FAIL(err, RF_DENIED, "NotSignedIn", "%.*s gives no token: status %u",
                       RF_FMT(login->authority), answer->status);
    if (!json_i64_at(body, "expires_in", &seconds) || seconds < 0 || seconds > 1000000) seconds = 0;
    login->token = token;
    login->token_ends_usec = rf_clock_now(rf_clock_real()) + seconds * RF_USEC_PER_SECOND;
    return RF_OK;
}

enum rf_kind cli_login_ask_token(struct http_client *client, struct cli_login *login,
                                 struct rf_arena *arena, struct rf_err *err)
{
    const char *given = getenv(SECRET_VARIABLE);
    rf_str secret = login->client_secret;
    if (secret.len == 0 && given != NULL) secret = rf_str_of(given);
    if (secret.len == 0)
        return RF_FAIL(err, RF_DENIED, "NotSignedIn",
                       "the token has ended, and the login holds no secret: run 'ringfort login' "
                       "again or set " SECRET_VARIABLE);
    RF_TRY(cli_server_check(login->authority, err));
    rf_str tenant = percent_encode(arena, login->tenant_id);
    rf_str url = rf_arena_printf(arena, "%.*s/%.*s/oauth2/v2.0/token", RF_FMT(login->authority),
                                 RF_FMT(tenant));
    if (tenant.ptr == NULL || url.ptr == NULL) return rf_fail_memory(err, arena);
    struct rf_buf form = rf_buf_in(arena);
    RF_TRY(token_form(login, secret, arena, &form, err));
    struct http_header headers[] = {
        {RF_S("Content-Type"), RF_S("application/x-www-form-urlencoded")},
        {RF_S("Accept"), RF_S("application/json")}};
    struct http_answer answer;
    enum rf_kind kind = http_client_call(client, "POST", url, headers, RF_COUNT(headers),
                                         rf_buf_view(&form), arena, &answer, err);
    explicit_bzero(form.ptr, form.len);
    if (kind == RF_OK) return read_token(&answer, login, arena, err);
    if (err != NULL && login->ca.len == 0 && strcmp(err->code, "TlsFailed") == 0) {
        struct rf_err said = *err;
        return RF_FAIL(err, kind, "TlsFailed", "%.900s; --ca FILE says which authority to trust",
                       said.text);
    }
    return kind;
}

/* ---- the command ------------------------------------------------------------------------------------------------ */

enum {
    OPT_SERVER,
    OPT_BOOTSTRAP,
    OPT_CA,
    OPT_CLIENT_ID,
    OPT_TENANT,
    OPT_AUTHORITY,
    OPT_KEEP_SECRET,
    OPT_LIST,
    OPT_FORGET
};

static const struct cli_option options[] = {
    [OPT_SERVER] = {"server", "URL", "the server: https://HOST:PORT"},
    [OPT_BOOTSTRAP] = {"bootstrap", "FILE",
                       "log in as the administrator: bootstrap.json in the folder of the server"},
    [OPT_CA] = {"ca", "FILE",
                "certificates (PEM) that the server's is checked with; the system's unless given"},
    [OPT_CLIENT_ID] = {"client-id", "ID", "the application to log in as"},
    [OPT_TENANT] = {"tenant", "T", "its tenant: an id or a domain"},
    [OPT_AUTHORITY] = {"authority", "URL", "who gives the tokens; the server unless given"},
    [OPT_KEEP_SECRET] = {"keep-secret", NULL,
                         "keep the secret with the login, so that it lasts longer than its token"},
    [OPT_LIST] = {"list", NULL, "say which logins there are"},
    [OPT_FORGET] = {"forget", NULL, "remove the login of --server, or all of them"},
};

static const struct cli_usage usage = {
    .command = "login",
    .words = "",
    .doc = "Says to the commands that follow which server they ask and as whom.",
    .options = options,
    .option_count = RF_COUNT(options),
    .notes =
        "The secret of an application is read from " SECRET_VARIABLE ", or else from standard "
        "input: a terminal asks\nfor it. It is never an argument. Logins are kept in "
        "$XDG_CONFIG_HOME/ringfort/login.json (or ~/.config), mode\n0600; one by a bootstrap file "
        "refers to that file.\n\n"
        "  ringfort login --bootstrap /var/lib/ringfort/bootstrap.json\n"
        "  ringfort login --server https://siem.example:8443 --ca ca.pem --tenant "
        "contoso.example --client-id 3f1c...",
};

struct login_args {
    const char *server, *bootstrap, *ca, *client_id, *tenant, *authority;
    bool keep_secret, list, forget;
};

static int check_args(const struct login_args *args)
{
    if (args->list && args->forget) return cli_wrong(&usage, "--list or --forget, not both");
    if (args->list || args->forget) return CLI_OK;
    if (args->bootstrap != NULL) {
        if (args->client_id != NULL || args->tenant != NULL || args->authority != NULL)
            return cli_wrong(&usage, "the bootstrap file says who logs in");
        return CLI_OK;
    }
    const char *missing = args->server == NULL      ? "--bootstrap FILE or --server URL is needed"
                          : args->client_id == NULL ? "--client-id ID is needed"
                          : args->tenant == NULL    ? "--tenant T is needed"
                                                    : NULL;
    if (missing == NULL) return CLI_OK;
    (void)cli_wrong(&usage, "%s", missing);
    return CLI_WRONG_USE;
}

static int read_args(int argc, char **argv, struct login_args *args)
{
    struct cli_line line = cli_line_of(&usage, argc, argv);
    for (int at; (at = cli_next(&line)) != CLI_END;) {
        switch (at) {
        case OPT_SERVER:
            args->server = line.value;
            break;
        case OPT_BOOTSTRAP:
            args->bootstrap = line.value;
            break;
        case OPT_CA:
            args->ca = line.value;
            break;
        case OPT_CLIENT_ID:
            args->client_id = line.value;
            break;
        case OPT_TENANT:
            args->tenant = line.value;
            break;
        case OPT_AUTHORITY:
            args->authority = line.value;
            break;
        case OPT_KEEP_SECRET:
            args->keep_secret = true;
            break;
        case OPT_LIST:
            args->list = true;
            break;
        case OPT_FORGET:
            args->forget = true;
            break;
        case CLI_WORD:
            return cli_wrong(&usage, "'%s' is not expected", line.value);
        case CLI_HELP:
            return CLI_HELP;
        default:
            return CLI_WRONG_USE;
        }
    }
    return check_args(args);
}

/* The line behind a prompt that does not show what is typed. */
static enum rf_kind type_secret(struct rf_arena *arena, rf_str *out, struct rf_err *err)
{
    char line[SECRET_BYTES_MAX];
    struct termios before, quiet;
    bool terminal = tcgetattr(STDIN_FILENO, &before) == 0;
    if (terminal) {
        fputs("client secret: ", stderr);
        quiet = before;
        quiet.c_lflag &= ~(tcflag_t)ECHO;
        (void)tcsetattr(STDIN_FILENO, TCSAFLUSH, &quiet);
    }
    char *got = fgets(line, sizeof line, stdin);
    if (terminal) {
        (void)tcsetattr(STDIN_FILENO, TCSAFLUSH, &before);
        fputc('\n', stderr);
    }
    rf_str text = got == NULL ? (rf_str){NULL, 0} : rf_str_trim(rf_str_of(line));
    bool copied = rf_arena_str(arena, text, out);
    explicit_bzero(line, sizeof line);
    if (!copied) return rf_fail_memory(err, arena);
    if (out->len > 0) return RF_OK;
    return RF_FAIL(err, RF_INVALID, "NoSecret",
                   "no secret was given: set " SECRET_VARIABLE " or write it to standard input");
}

/* An absolute path, so that the login works from every folder. */
static enum rf_kind whole_path(const char *path, struct rf_arena *arena, rf_str *out,
                               struct rf_err *err)
{
    char *real = realpath(path, NULL);
    if (real == NULL) return rf_fs_fail(errno, "open", path, err);
    bool copied = rf_arena_str(arena, rf_str_of(real), out);
    free(real);
    return copied ? RF_OK : rf_fail_memory(err, arena);
}

static enum rf_kind login_of(const struct login_args *args, struct rf_arena *arena,
                             struct cli_login *login, struct rf_err *err)
{
    if (args->bootstrap != NULL) {
        rf_str path = {NULL, 0};
        RF_TRY(whole_path(args->bootstrap, arena, &path, err));
        const char *name = rf_arena_cstr(arena, path);
        if (name == NULL) return rf_fail_memory(err, arena);
        RF_TRY(cli_login_from_bootstrap(name, arena, login, err));
        if (args->server != NULL) login->server = cli_server_name(args->server);
    } else {
        RF_ASSERT(args->server != NULL && args->tenant != NULL);
        RF_ASSERT(args->client_id != NULL);
        login->server = cli_server_name(args->server);
        RF_TRY(cli_server_check(login->server, err));
        login->authority =
            args->authority != NULL ? cli_server_name(args->authority) : login->server;
        login->tenant_id = rf_str_of(args->tenant);
        login->client_id = rf_str_of(args->client_id);
        if (getenv(SECRET_VARIABLE) == NULL)
            RF_TRY(type_secret(arena, &login->client_secret, err));
        else
            login->client_secret = rf_str_of(getenv(SECRET_VARIABLE));
    }
    if (args->ca != NULL) RF_TRY(whole_path(args->ca, arena, &login->ca, err));
    return cli_server_check(login->server, err);
}

/* A token proves that the login works. */
static enum rf_kind try_login(struct cli_login *login, struct rf_arena *arena, struct rf_err *err)
{
    struct http_client *client;
    RF_TRY(cli_login_client(login, arena, &client, err));
    enum rf_kind kind = cli_login_ask_token(client, login, arena, err);
    http_client_free(client);
    return kind;
}

/* The workspace of the login's resources: false when there is none, or more than one. */
static bool find_workspace(struct cli_server *server, struct cli_login *login,
                           struct rf_arena *arena)
{
    rf_str id, resource, parts[8];
    size_t count = 0, from = 1;
    if (cli_server_workspace(server, NULL, arena, &id, &resource, NULL) != RF_OK) return false;
    /* /subscriptions/S/resourceGroups/G/providers/Microsoft.OperationalInsights/workspaces/W */
    for (size_t i = 1; i <= resource.len && count < RF_COUNT(parts); i++) {
        if (i < resource.len && resource.ptr[i] != '/') continue;
        parts[count++] = rf_slice(resource, from, i);
        from = i + 1;
    }
    if (count < RF_COUNT(parts)) return false;
    login->subscription_id = parts[1];
    login->resource_group = parts[3];
    login->workspace_name = parts[7];
    login->workspace_id = id;
    return true;
}

/* A vault under its own name, whichever. */
static bool find_vault(struct cli_server *server, struct cli_login *login, struct rf_arena *arena)
{
    struct json_node *all;
    if (cli_vault_all(server, arena, &all, NULL) != RF_OK || all->first == NULL) return false;
    login->vault = cli_server_trim(json_text_at(all->first, "properties.vaultUri"));
    return login->vault.len > 0;
}

/* Where the login's resources lie. What is not found can be said with each command. */
static void find_place(struct cli_login *login, struct rf_arena *arena)
{
    struct cli_server_args args = {.server = rf_arena_cstr(arena, login->server)};
    struct cli_server *server;
    if (args.server == NULL || cli_server_open(&args, &server, NULL) != RF_OK) return;
    bool workspace = find_workspace(server, login, arena), vault = find_vault(server, login, arena);
    cli_server_close(server);
    if ((workspace || vault) && cli_login_save(login, true, NULL) != RF_OK) return;
}

static enum rf_kind log_in(const struct login_args *args, struct rf_arena *arena,
                           struct rf_err *err)
{
    struct cli_login login = {0};
    RF_TRY(login_of(args, arena, &login, err));
    RF_TRY(try_login(&login, arena, err));
    rf_str secret = login.client_secret;
    if (!args->keep_secret) login.client_secret = (rf_str){NULL, 0};
    RF_TRY(cli_login_save(&login, true, err));
    if (args->bootstrap == NULL) find_place(&login, arena);
    printf("logged in to %.*s as %.*s\n", RF_FMT(login.server), RF_FMT(login.client_id));
    if (args->bootstrap == NULL && !args->keep_secret)
        cli_say("the login ends with its token in %lld minutes; --keep-secret makes it last",
                (long long)((login.token_ends_usec - rf_clock_now(rf_clock_real())) /
                            (60 * RF_USEC_PER_SECOND)));
    if (getenv(SECRET_VARIABLE) == NULL) explicit_bzero((void *)(uintptr_t)secret.ptr, secret.len);
    return RF_OK;
}

static enum rf_kind list_logins(struct rf_arena *arena, struct rf_err *err)
{
    struct json_node *logins;
    RF_TRY(cli_login_read(arena, &logins, err));
    for (const struct json_node *login = logins->first; login != NULL; login = login->next) {
        rf_str who = json_text_at(login, "bootstrap");
        if (who.len == 0) who = json_text_at(login, "client_id");
        printf("%s %.*s as %.*s\n", login == logins->first ? "*" : " ",
               RF_FMT(json_text_at(login, "server")), RF_FMT(who));
    }
    if (logins->count == 0) cli_say("there is no login");
    return RF_OK;
}

int cli_login(int argc, char **argv)
{
    struct login_args args = {0};
    int status = read_args(argc, argv, &args);
    if (status != CLI_OK) return status == CLI_HELP ? CLI_OK : status;
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 64 << 20);
    struct rf_err err = {0};
    enum rf_kind kind = args.list     ? list_logins(&arena, &err)
                        : args.forget ? cli_login_forget(args.server, &err)
                                      : log_in(&args, &arena, &err);
    return kind == RF_OK ? CLI_OK : cli_say_error(&err, (rf_str){NULL, 0}, NULL);
}
