/* cli_credentials.c - ringfort credentials: what LoadCredential= of systemd units asks for, answered from a vault.
 *
 * systemd connects to the socket from an abstract name, "\0RANDOM/unit/UNIT/CREDENTIAL" (systemd.exec(5)), and reads to the end. Only root
 * and the user of this process are answered, as any process may take such a name.
 *
 * An empty answer would start the unit with an empty credential. So what cannot be had is answered with more bytes than systemd takes for
 * a credential, 1 MiB: the unit then fails to start. */
#define _GNU_SOURCE /* struct ucred */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/wipe.h"
#include "cli/cli.h"
#include "cli/cli_credentials.h"
#include "cli/cli_vault.h"
#include "cli/cli_vault_unit.h"

enum {
    ARENA_BYTES_MAX = 64 << 20,
    MAPS_MAX = 1024,
    CONFIG_BYTES_MAX = 1 << 20,
    FIRST_FD = 3, /* SD_LISTEN_FDS_START */
    TRIES_MAX = 5,
    SEND_SECONDS_MAX = 20,
    REFUSAL_BYTES = (1 << 20) + 4096
};
#define SOCKET_PATH "/run/ringfort-credentials.sock"

enum {
    OPT_MAP,
    OPT_CONFIG,
    OPT_SOCKET,
    OPT_PRINT_UNIT,
    OPT_SERVER,
    OPT_VAULT = OPT_SERVER + CLI_SERVER_OPTION_COUNT
};
static const struct cli_option options[] = {
    [OPT_MAP] = {"map", "[UNIT/]CREDENTIAL=REF", "what a credential is; may be repeated"},
    [OPT_CONFIG] = {"config", "FILE", "the same, a line each; # begins a comment"},
    [OPT_SOCKET] = {"socket", "PATH",
                    "listen there, mode 0600, when systemd gives no socket (" SOCKET_PATH ")"},
    [OPT_PRINT_UNIT] = {"print-unit", NULL, "print a socket and a service of systemd that do this"},
    CLI_SERVER_OPTIONS(OPT_SERVER),
    [OPT_VAULT] = {"vault", "NAME", "the vault of references that name none"},
};
static const struct cli_usage usage = {
    .command = "credentials",
    .words = "serve",
    .doc = "Gives systemd's units secrets of a vault as credentials.",
    .options = options,
    .option_count = RF_COUNT(options),
    .notes = "REF is secret://VAULT/NAME or secret:///NAME (the default vault), with /VERSION "
             "behind it for one version.\nThe unit asks with LoadCredential=CREDENTIAL:" SOCKET_PATH
             "\nand finds the file $CREDENTIALS_DIRECTORY/CREDENTIAL.\n\n"
             "  ringfort credentials serve --map db.service/password=secret:///db-password "
             "--print-unit\n"};

struct credential_args {
    struct cli_server_args server;
    const char *vault, *config, *socket, *verb;
    const char *maps[MAPS_MAX];
    uint32_t count;
    bool print_unit;
    struct credential_map *all;
    uint32_t all_count;
};

/* ---- names ------------------------------------------------------------------------------------------------------------------ */

bool credential_peer(rf_str address, rf_str *unit, rf_str *credential)
{
    rf_str mark = RF_S("/unit/");
    if (address.len < 2 || address.ptr[0] != '\0') return false;
    size_t from = rf_str_find(address, mark, 1);
    if (from == SIZE_MAX) return false;
    rf_str rest = rf_slice(address, from + mark.len, address.len);
    size_t slash = rf_str_find(rest, RF_S("/"), 0);
    if (slash == SIZE_MAX || slash == 0) return false;
    rf_str name = rf_slice(rest, slash + 1, rest.len);
    if (name.len == 0 || name.len > 255 || rf_str_find(name, RF_S("/"), 0) != SIZE_MAX)
        return false;
    for (size_t i = 0; i < rest.len; i++)
        if (rest.ptr[i] < ' ' || rest.ptr[i] >= 0x7f) return false;
    *unit = rf_slice(rest, 0, slash);
    *credential = name;
    return true;
}

enum rf_kind credential_map_read(rf_str line, struct credential_map *out, struct rf_err *err)
{
    size_t equals = rf_str_find(line, RF_S("="), 0);
    rf_str left = equals == SIZE_MAX ? (rf_str){NULL, 0} : rf_str_trim(rf_slice(line, 0, equals));
    size_t slash = rf_str_find(left, RF_S("/"), 0);
    if (left.len == 0 || slash == 0 || slash == left.len - 1 ||
        (slash != SIZE_MAX && rf_str_find(left, RF_S("/"), slash + 1) != SIZE_MAX))
        return RF_FAIL(err, RF_INVALID, "BadMap",
                       "'%.*s' is not [UNIT/]CREDENTIAL=secret://VAULT/NAME",
                       (int)RF_MIN(line.len, (size_t)200), (const char *)line.ptr);
    *out = (struct credential_map){
        .unit = slash == SIZE_MAX ? (rf_str){NULL, 0} : rf_slice(left, 0, slash),
        .credential = slash == SIZE_MAX ? left : rf_slice(left, slash + 1, left.len)};
    return cli_secret_ref_parse(rf_str_trim(rf_slice(line, equals + 1, line.len)), &out->ref, err);
}

/* That of the unit before that of all. */
const struct credential_map *credential_map_find(const struct credential_map *all, uint32_t count,
                                                 rf_str unit, rf_str credential)
{
    const struct credential_map *found = NULL;
    for (uint32_t i = 0; i < count; i++) {
        if (!rf_str_eq(all[i].credential, credential)) continue;
        if (all[i].unit.len > 0 && rf_str_eq(all[i].unit, unit)) return &all[i];
        if (all[i].unit.len == 0) found = &all[i];
    }
    return found;
}

static enum rf_kind add_map(struct credential_args *args, rf_str line, struct rf_err *err)
{
    if (args->all_count == MAPS_MAX)
        return RF_FAIL(err, RF_LIMIT, "BadMap", "there are more than %d credentials", MAPS_MAX);
    RF_TRY(credential_map_read(line, &args->all[args->all_count], err));
    args->all_count++;
    return RF_OK;
}

static enum rf_kind read_config(struct credential_args *args, struct rf_arena *arena,
                                struct rf_err *err)
{
    rf_str text;
    uint32_t number = 0;
    if (args->config == NULL) return RF_OK;
    RF_TRY(rf_fs_read_all(rf_fs_real(), args->config, CONFIG_BYTES_MAX, arena, &text, err));
    for (size_t at = 0; at < text.len;) {
        size_t to = RF_MIN(rf_str_find(text, RF_S("\n"), at), text.len);
        rf_str line = rf_str_trim(rf_slice(text, at, to));
        struct rf_err why = {.code = ""};
        number++;
        at = to + 1;
        if (line.len == 0 || line.ptr[0] == '#') continue;
        if (add_map(args, line, &why) != RF_OK)
            return RF_FAIL(err, RF_INVALID, "BadMap", "%s, line %u: %.900s", args->config, number,
                           why.text);
    }
    return RF_OK;
}

static enum rf_kind read_maps(struct credential_args *args, struct rf_arena *arena,
                              struct rf_err *err)
{
    args->all = rf_arena_new(arena, struct credential_map, MAPS_MAX);
    if (args->all == NULL) return rf_fail_memory(err, arena);
    for (uint32_t i = 0; i < args->count; i++) RF_TRY(add_map(args, rf_str_of(args->maps[i]), err));
    RF_TRY(read_config(args, arena, err));
    if (args->all_count > 0) return RF_OK;
    return RF_FAIL(err, RF_INVALID, "BadMap", "--map or --config says which credentials there are");
}

/* ---- one request -------------------------------------------------------------------------------------------------------------- */

static bool send_all(int fd, rf_str text)
{
    while (text.len > 0) {
        ssize_t put = send(fd, text.ptr, text.len, MSG_NOSIGNAL);
        if (put < 0 && errno == EINTR) continue;
        if (put <= 0) return false;
        text = rf_slice(text, (size_t)put, text.len);
    }
    return true;
}

static void refuse(int fd)
{
    static const char line[] =
        "this credential cannot be had from the vault; its server's log says why\n";
    for (size_t sent = 0; sent < REFUSAL_BYTES; sent += sizeof line - 1)
        if (!send_all(fd, rf_str_make(line, sizeof line - 1))) return;
}

static void wait_seconds(uint32_t seconds)
{
    struct timespec left = {.tv_sec = seconds};
    while (nanosleep(&left, &left) != 0) continue;
}

/* A server that is away may be starting with the machine, as the unit is. */
static enum rf_kind fetch(const struct credential_args *args, const struct credential_map *map,
                          struct rf_arena *arena, rf_str *out, struct rf_err *err)
{
    for (uint32_t tries = 1;; tries++) {
        struct cli_server *server = NULL;
        enum rf_kind kind = cli_server_open(&args->server, &server, err);
        if (kind == RF_OK)
            kind = cli_secret_ref_get(server, args->vault, &map->ref, arena, out, err);
        cli_server_close(server);
        bool away = kind == RF_IO || kind == RF_AGAIN;
        if (!away || tries == TRIES_MAX) return kind;
        wait_seconds(tries);
    }
}

static bool is_trusted(int fd)
{
    struct ucred peer;
    socklen_t len = sizeof peer;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) != 0) return false;
    return peer.uid == 0 || peer.uid == geteuid();
}

static void answer(const struct credential_args *args, int fd)
{
    RF_CLEANUP(rf_arena_wipe) struct rf_arena arena;
    struct sockaddr_un peer = {.sun_family = AF_UNIX};
    socklen_t len = sizeof peer;
    struct rf_err err = {.code = ""};
    rf_str unit, credential, value;
    struct timeval limit = {.tv_sec = SEND_SECONDS_MAX};
    rf_arena_init(&arena, ARENA_BYTES_MAX);
    (void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
    size_t head = offsetof(struct sockaddr_un, sun_path);
    bool named = getpeername(fd, (struct sockaddr *)&peer, &len) == 0 && len > head &&
                 credential_peer(rf_str_make(peer.sun_path, len - head), &unit, &credential);
    if (!named || !is_trusted(fd)) {
        cli_say("a caller is %s", named ? "neither root nor this user" : "no unit of systemd");
        refuse(fd);
        return;
    }
    const struct credential_map *map =
        credential_map_find(args->all, args->all_count, unit, credential);
    if (map == NULL) {
        cli_say("the credential '%.*s' of %.*s is not mapped", RF_FMT(credential), RF_FMT(unit));
        refuse(fd);
    } else if (fetch(args, map, &arena, &value, &err) != RF_OK) {
        cli_say("the credential '%.*s' of %.*s: %s", RF_FMT(credential), RF_FMT(unit), err.text);
        refuse(fd);
    } else if (send_all(fd, value)) {
        cli_say("gave the credential '%.*s' to %.*s", RF_FMT(credential), RF_FMT(unit));
    }
}

/* ---- the socket ------------------------------------------------------------------------------------------------------------------ */

/* The socket that systemd gives: a listening one, or with Accept=yes the connection. -1: none. */
static int given_socket(void)
{
    const char *pid = getenv("LISTEN_PID"), *count = getenv("LISTEN_FDS");
    if (pid == NULL || count == NULL || strtol(pid, NULL, 10) != (long)getpid()) return -1;
    return strtol(count, NULL, 10) >= 1 ? FIRST_FD : -1;
}

static enum rf_kind own_socket(const char *path, int *out, struct rf_err *err)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof address.sun_path)
        return RF_FAIL(err, RF_INVALID, "BadPath", "%s is too long for a socket", path);
    (void)strncpy(address.sun_path, path, sizeof address.sun_path - 1);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) return rf_fs_fail(errno, "open", path, err);
    struct stat found;
    if (lstat(path, &found) == 0 && S_ISSOCK(found.st_mode)) (void)unlink(path);
    mode_t before = umask(0177);
    bool good = bind(fd, (struct sockaddr *)&address, sizeof address) == 0 && listen(fd, 64) == 0;
    int why = errno;
    (void)umask(before);
    if (good) {
        *out = fd;
        return RF_OK;
    }
    (void)close(fd);
    return rf_fs_fail(why, "listen at", path, err);
}

static enum rf_kind serve(const struct credential_args *args, struct rf_err *err)
{
    int fd = given_socket(), listens = 0;
    socklen_t len = sizeof listens;
    if (fd < 0) RF_TRY(own_socket(args->socket == NULL ? SOCKET_PATH : args->socket, &fd, err));
    if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &len) != 0)
        return RF_FAIL_ERRNO(err, "BadSocket", "what systemd gave is no socket");
    if (!listens) {
        answer(args, fd);
        (void)close(fd);
        return RF_OK;
    }
    for (;;) {
        int peer = accept4(fd, NULL, NULL, SOCK_CLOEXEC);
        if (peer < 0 && (errno == EINTR || errno == ECONNABORTED)) continue;
        if (peer < 0) return RF_FAIL_ERRNO(err, "AcceptFailed", "the socket takes no caller");
        answer(args, peer);
        (void)close(peer);
    }
}

/* ---- units ------------------------------------------------------------------------------------------------------------------------ */

static void put_option(struct rf_buf *buf, const char *name, const char *value)
{
    if (value == NULL) return;
    cli_unit_word(buf, name);
    cli_unit_word(buf, value);
}

static enum rf_kind print_units(const struct credential_args *args, struct rf_err *err)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 4 << 20);
    struct rf_buf line = rf_buf_in(&arena);
    rf_str program = cli_unit_program(&arena);
    rf_buf_printf(&line, "%.*s credentials serve", RF_FMT(program));
    put_option(&line, "--server", args->server.server);
    put_option(&line, "--bootstrap", args->server.bootstrap);
    put_option(&line, "--ca", args->server.ca);
    put_option(&line, "--vault", args->vault);
    put_option(&line, "--config", args->config);
    for (uint32_t i = 0; i < args->count; i++) put_option(&line, "--map", args->maps[i]);
    if (line.failed) return rf_fail_memory(err, &arena);
    printf("# /etc/systemd/system/ringfort-credentials.socket\n"
           "[Unit]\n"
           "Description=Credentials of units from the vault\n\n"
           "[Socket]\n"
           "ListenStream=%s\n"
           "SocketMode=0600\n\n"
           "[Install]\n"
           "WantedBy=sockets.target\n\n",
           args->socket == NULL ? SOCKET_PATH : args->socket);
    printf("# /etc/systemd/system/ringfort-credentials.service\n"
           "[Unit]\n"
           "Description=Credentials of units from the vault\n"
           "Requires=ringfort-credentials.socket\n\n"
           "[Service]\n"
           "ExecStart=%.*s\n"
           "NoNewPrivileges=yes\n"
           "PrivateTmp=yes\n"
           "ProtectSystem=strict\n"
           "ProtectHome=read-only\n"
           "RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6\n",
           (int)line.len, (const char *)line.ptr);
    return RF_OK;
}

/* ---- the command -------------------------------------------------------------------------------------------------------------------- */

static int take_option(struct credential_args *args, int at, const char *value)
{
    switch (at) {
    case OPT_MAP:
        if (args->count == MAPS_MAX) return cli_wrong(&usage, "--map: use --config");
        args->maps[args->count++] = value;
        return CLI_OK;
    case OPT_CONFIG:
        args->config = value;
        return CLI_OK;
    case OPT_SOCKET:
        args->socket = value;
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

static int read_args(int argc, char **argv, struct credential_args *args)
{
    struct cli_line line = cli_line_of(&usage, argc, argv);
    for (int at; (at = cli_next(&line)) != CLI_END;) {
        int status = CLI_OK;
        if (at == CLI_HELP) return CLI_HELP;
        if (at == CLI_WRONG) return CLI_WRONG_USE;
        if (at == CLI_WORD && args->verb != NULL)
            return cli_wrong(&usage, "'%s' is not expected", line.value);
        if (at == CLI_WORD)
            args->verb = line.value;
        else
            status = take_option(args, at, line.value);
        if (status != CLI_OK) return status;
    }
    if (args->verb == NULL || strcmp(args->verb, "serve") != 0)
        return cli_wrong(&usage, "say 'serve'");
    return CLI_OK;
}

int cli_credentials(int argc, char **argv)
{
    struct credential_args args = {.count = 0};
    struct rf_err err = {.code = ""};
    int status = read_args(argc, argv, &args);
    if (status != CLI_OK) return status == CLI_HELP ? CLI_OK : status;
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 4 << 20);
    enum rf_kind kind = read_maps(&args, &arena, &err);
    /* Secrets pass through: no dump, and no look by others of the same user. */
    (void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
    if (kind == RF_OK) kind = args.print_unit ? print_units(&args, &err) : serve(&args, &err);
    return kind == RF_OK ? CLI_OK : cli_say_error(&err, (rf_str){NULL, 0}, NULL);
}
