#define _GNU_SOURCE
#include "daemon/supervisor.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/json_out.h"
#include "base/log.h"
#include "daemon/roles.h"
#include "daemon/token_start.h"

enum { KEEPER, SERVER, ROLE_COUNT };
#define STOP_GRACE_USEC (30 * RF_USEC_PER_SECOND)
#define READY_USEC_MAX (300 * RF_USEC_PER_SECOND)

enum role_state { ROLE_DOWN, ROLE_STARTING, ROLE_WAITING /* sealed keeper */, ROLE_SERVING };

struct role {
    const char *name, *argument;
    const char *const *words;
    enum role_state state;
    pid_t pid;
    int control;   /* -1: none */
    int edge;      /* our copy of its next edge socket until it is started; -1: none */
    rf_usec since; /* DOWN: when to start it again; else when it was started */
    struct backoff backoff;
    uint32_t restarts;
    bool sealed;     /* the server was started to say that the keeper is */
    bool renewed;    /* it was told to stop in order to be started anew */
    rf_usec stop_by; /* it was told to stop and is killed then; 0: it was not */
    size_t report_bytes;
    char report[ROLE_TEXT_BYTES_MAX];
};

struct supervisor {
    const struct supervisor_options *options;
    struct role roles[ROLE_COUNT];
    struct rf_clock *clock;
    struct sandbox_report report; /* of the supervisor itself */
    int signals;
    struct {
        pid_t pid;     /* of ringfort-token; 0: it does not run */
        rf_usec again; /* when to start it; 0: not */
        struct backoff backoff;
    } token;
    bool stopping, start_failed, told_ready;
    struct {
        struct sockaddr_un address;
        socklen_t address_bytes; /* 0: nobody wants to know */
        int64_t watchdog_usec;   /* between two signs of life; 0: none are wanted */
        rf_usec next_watchdog;
    } systemd;
};

int64_t backoff_next(struct backoff *backoff, int64_t ran_usec)
{
    bool stable = ran_usec >= BACKOFF_STABLE_USEC;
    if (backoff->delay_usec == 0 || stable)
        backoff->delay_usec = BACKOFF_FIRST_USEC;
    else
        backoff->delay_usec = RF_MIN(backoff->delay_usec * 2, BACKOFF_MOST_USEC);
    return backoff->delay_usec;
}

static rf_usec now_of(const struct supervisor *s) { return rf_clock_elapsed(s->clock); }

static void close_fd(int *fd)
{
    if (*fd >= 0) close(*fd);
    *fd = -1;
}

/* ---- systemd: a datagram of lines to a socket (sd_notify(3)) ---------------------------------------------------------------- */

static void systemd_init(struct supervisor *s)
{
    const char *path = getenv("NOTIFY_SOCKET"), *watchdog = getenv("WATCHDOG_USEC");
    struct sockaddr_un *address = &s->systemd.address;
    size_t len = path == NULL ? 0 : strlen(path);
    if (len < 2 || len >= sizeof address->sun_path || (path[0] != '/' && path[0] != '@')) return;
    address->sun_family = AF_UNIX;
    memcpy(address->sun_path, path, len);
    if (path[0] == '@') address->sun_path[0] = '\0'; /* an abstract name */
    s->systemd.address_bytes = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len);
    char *end;
    long long usec = watchdog == NULL ? 0 : strtoll(watchdog, &end, 10);
    if (usec > 0 && *end == '\0') s->systemd.watchdog_usec = usec / 2;
}

static void systemd_tell(const struct supervisor *s, const char *line)
{
    if (s->systemd.address_bytes == 0) return;
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0) return;
    (void)sendto(fd, line, strlen(line), MSG_NOSIGNAL | MSG_DONTWAIT,
                 (const struct sockaddr *)&s->systemd.address, s->systemd.address_bytes);
    close(fd);
}

/* A sign of life only while both roles are well. */
static void systemd_watchdog(struct supervisor *s)
{
    rf_usec now = now_of(s);
    if (s->systemd.watchdog_usec == 0 || now < s->systemd.next_watchdog) return;
    s->systemd.next_watchdog = now + s->systemd.watchdog_usec;
    if (s->stopping ||
        (s->roles[KEEPER].state >= ROLE_WAITING && s->roles[SERVER].state == ROLE_SERVING))
        systemd_tell(s, "WATCHDOG=1");
}

/* ---- starting a role ------------------------------------------------------------------------------------------------------- */

/* In the child: leaves only descriptors 0 to 4 and becomes the role. Async-signal-safe calls only. */
static _Noreturn void become(const char *program, char *const *argv, int control, int edge,
                             pid_t parent)
{
    enum { OUT_OF_THE_WAY = 10, CANNOT_EXEC = 127 };
    static char *const no_environment[] = {NULL};
    /* A terminal and systemd signal all processes at once; it is the supervisor that stops roles, in order. */
    static const int ours_to_take[] = {SIGINT, SIGTERM, SIGHUP, SIGPIPE};
    for (size_t i = 0; i < RF_COUNT(ours_to_take); i++) (void)signal(ours_to_take[i], SIG_IGN);
    sigset_t none;
    sigemptyset(&none);
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    /* A descriptor that is 3 or 4 already would keep close-on-exec, or be overwritten. */
    control = fcntl(control, F_DUPFD_CLOEXEC, OUT_OF_THE_WAY);
    edge = fcntl(edge, F_DUPFD_CLOEXEC, OUT_OF_THE_WAY);
    if (null >= 0 && control >= 0 && edge >= 0 && dup2(null, STDIN_FILENO) >= 0 &&
        dup2(control, ROLE_CONTROL_FD) >= 0 && dup2(edge, ROLE_EDGE_FD) >= 0 &&
        syscall(SYS_close_range, ROLE_EDGE_FD + 1, UINT_MAX, 0) == 0 &&
        prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) == 0 && getppid() == parent &&
        sigprocmask(SIG_SETMASK, &none, NULL) == 0)
        execve(program, argv, no_environment);
    _exit(CANNOT_EXEC);
}

static enum rf_kind spawn(struct supervisor *s, struct role *role, struct rf_err *err)
{
    const char *program = s->options->program == NULL ? "/proc/self/exe" : s->options->program;
    char *argv[SUPERVISOR_WORDS_MAX + 4] = {(char *)(uintptr_t) "ringfort",
                                            (char *)(uintptr_t)role->argument};
    size_t count = 2;
    for (size_t i = 0; role->words != NULL && role->words[i] != NULL; i++) {
        if (i == SUPERVISOR_WORDS_MAX)
            return RF_FAIL(err, RF_LIMIT, "TooManyWords", "%s", role->argument);
        argv[count++] = (char *)(uintptr_t)role->words[i];
    }
    role->sealed = role == &s->roles[SERVER] && s->roles[KEEPER].state == ROLE_WAITING;
    if (role->sealed) argv[count++] = (char *)(uintptr_t)ROLE_SEALED_WORD;
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0)
        return RF_FAIL_ERRNO(err, "StartFailed", "cannot make a socket for the %s", role->name);
    pid_t parent = getpid(), pid = fork();
    if (pid == 0) become(program, argv, pair[1], role->edge, parent);
    close(pair[1]);
    if (pid < 0) {
        close(pair[0]);
        return RF_FAIL_ERRNO(err, "StartFailed", "cannot start the %s", role->name);
    }
    close_fd(&role->edge);
    role->control = pair[0];
    role->pid = pid;
    role->state = ROLE_STARTING;
    role->since = now_of(s);
    return RF_OK;
}

static struct role *peer_of(struct supervisor *s, const struct role *role)
{
    return &s->roles[role == &s->roles[KEEPER] ? SERVER : KEEPER];
}

static void kill_role(const struct role *role)
{
    if (role->state != ROLE_DOWN) (void)kill(role->pid, SIGKILL);
}

/* A new edge: one end waits for the role's start, the other goes to its peer when that runs, else waits too. */
static enum rf_kind make_edge(struct supervisor *s, struct role *role, struct rf_err *err)
{
    int pair[2];
    struct role *peer = peer_of(s, role);
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0)
        return RF_FAIL_ERRNO(err, "StartFailed", "cannot make a socket for the %s", role->name);
    close_fd(&role->edge);
    close_fd(&peer->edge);
    role->edge = pair[0];
    peer->edge = pair[1];
    return RF_OK;
}

/* Gives a running role the end that waits for it. */
static void hand_over_edge(struct role *role)
{
    struct rf_err err;
    if (role->edge < 0 || role->state == ROLE_DOWN) return;
    if (role_send(role->control, ROLE_NEW_EDGE, (rf_str){0}, role->edge, &err) != RF_OK) {
        rf_log(RF_WARN, "role.stuck", RF_KV_STR("role", rf_str_of(role->name)));
        kill_role(role);
    }
    close_fd(&role->edge);
}

static enum rf_kind start_role(struct supervisor *s, struct role *role, struct rf_err *err)
{
    RF_TRY(make_edge(s, role, err));
    RF_TRY(spawn(s, role, err));
    /* A server calls the keeper while it starts; a keeper's end goes to the server once it is ready. */
    if (role == &s->roles[SERVER]) hand_over_edge(&s->roles[KEEPER]);
    return RF_OK;
}

/* ---- notes ------------------------------------------------------------------------------------------------------------------- */

static void note(struct supervisor *s, rf_str text)
{
    struct role *server = &s->roles[SERVER];
    if (server->state == ROLE_SERVING) (void)!role_send(server->control, ROLE_NOTE, text, -1, NULL);
}

static void note_end(struct supervisor *s, const struct role *role, int status)
{
    enum { NOTE_MEMORY_BYTES = 4096 };
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, NOTE_MEMORY_BYTES);
    struct rf_buf buf = rf_buf_in(&arena);
    struct json_out json = json_out_to(&buf);
    int signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
    int code = WIFEXITED(status) ? WEXITSTATUS(status) : 0;
    json_begin_object(&json, NULL);
    json_put_text(&json, "Role", rf_str_of(role->name));
    json_put_text(&json, "Event", RF_S("RoleEnded"));
    json_put_i64(&json, "Signal", signal);
    json_put_i64(&json, "ExitCode", code);
    json_put_i64(&json, "Restarts", role->restarts);
    json_end_object(&json);
    if (!buf.failed) note(s, rf_buf_view(&buf));
    rf_log(s->stopping ? RF_INFO : RF_ERROR, "role.ended", RF_KV_STR("role", rf_str_of(role->name)),
           RF_KV_I64("signal", signal), RF_KV_I64("exit", code),
           RF_KV_U64("restarts", role->restarts));
}

static void note_own_report(struct supervisor *s)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 2 * ROLE_TEXT_BYTES_MAX);
    struct rf_buf buf = rf_buf_in(&arena);
    sandbox_report_json(&s->report, &buf);
    if (!buf.failed) note(s, rf_buf_view(&buf));
}

/* ---- what happens ------------------------------------------------------------------------------------------------------------- */

static void tell_ready(struct supervisor *s)
{
    if (s->roles[KEEPER].state == ROLE_WAITING && s->roles[SERVER].state == ROLE_SERVING) {
        /* A start that waits for people is none that failed. */
        if (!s->told_ready) systemd_tell(s, "READY=1\nSTATUS=sealed; ringfort vault unseal");
        s->told_ready = true;
        return;
    }
    if (s->roles[KEEPER].state != ROLE_SERVING || s->roles[SERVER].state != ROLE_SERVING) return;
    /* The server's own report is its own to tell. */
    note(s, rf_str_make(s->roles[KEEPER].report, s->roles[KEEPER].report_bytes));
    note_own_report(s);
    if (!s->told_ready) systemd_tell(s, "READY=1");
    s->told_ready = true;
}

static void tell_stop(struct supervisor *s, struct role *role)
{
    int64_t grace = s->options->stop_grace_usec;
    role->stop_by = now_of(s) + (grace == 0 ? STOP_GRACE_USEC : grace);
    if (role->control < 0 || role_send(role->control, ROLE_STOP, (rf_str){0}, -1, NULL) != RF_OK)
        kill_role(role);
}

/* The server of a sealed keeper is another one than that of an open one. */
static void renew_server(struct supervisor *s)
{
    struct role *server = &s->roles[SERVER];
    if (server->state == ROLE_DOWN || server->renewed) return;
    server->renewed = true;
    tell_stop(s, server);
}

/* Into the keeper's own hands: it may be unable to read the file. */
static void send_passphrase(struct supervisor *s)
{
    char text[ROLE_TEXT_BYTES_MAX];
    if (s->options->unseal_file == NULL) return;
    int fd = open(s->options->unseal_file, O_RDONLY | O_CLOEXEC);
    ssize_t got = fd < 0 ? -1 : read(fd, text, sizeof text);
    if (fd >= 0) close(fd);
    /* A line's end is none of it. */
    while (got > 0 && (text[got - 1] == '\n' || text[got - 1] == '\r')) got--;
    if (got <= 0 || role_send(s->roles[KEEPER].control, ROLE_UNSEAL, rf_str_make(text, (size_t)got),
                              -1, NULL) != RF_OK)
        rf_log(RF_ERROR, "unseal_file.failed",
               RF_KV_STR("path", rf_str_of(s->options->unseal_file)));
    explicit_bzero(text, sizeof text);
}

/* ---- a token that seals the root: its program runs while the keeper asks it -------------------------------------------- */

static const char *keeper_folder(const struct supervisor *s)
{
    const char *const *words = s->options->keeper_words;
    for (size_t i = 0; words != NULL && words[i] != NULL && words[i + 1] != NULL; i++)
        if (strcmp(words[i], "--folder") == 0) return words[i + 1];
    return NULL;
}

static void start_token(struct supervisor *s)
{
    struct root_tail tail;
    struct rf_err err = {0};
    const char *folder = keeper_folder(s);
    int fd = -1;
    s->token.again = 0;
    if (folder == NULL || root_seal_token(folder, &tail, &err) != RF_OK) return;
    if (s->token.pid != 0) { /* that of the keeper before, which ends now */
        s->token.again = now_of(s) + BACKOFF_FIRST_USEC;
        return;
    }
    rf_str settings = rf_str_make((const uint8_t *)tail.settings, tail.settings_bytes);
    enum rf_kind kind = token_start(settings, &fd, &s->token.pid, &err);
    if (kind == RF_OK)
        kind = role_send(s->roles[KEEPER].control, ROLE_TOKEN, (rf_str){0}, fd, &err);
    if (fd >= 0) close(fd);
    if (kind != RF_OK)
        rf_log(RF_ERROR, "token.start_failed", RF_KV_STR("code", rf_str_of(err.code)),
               RF_KV_STR("why", rf_str_of(err.text)));
}

/* One that is absent may come back; one that refuses would only count the tries. */
static void reap_token(struct supervisor *s)
{
    int status;
    if (s->token.pid == 0 || waitpid(s->token.pid, &status, WNOHANG) != s->token.pid) return;
    s->token.pid = 0;
    bool absent = WIFSIGNALED(status) || WEXITSTATUS(status) == TOKEN_EXIT_ABSENT;
    if (absent && s->roles[KEEPER].state == ROLE_WAITING && !s->stopping)
        s->token.again = now_of(s) + backoff_next(&s->token.backoff, 0);
}

static void on_sealed(struct supervisor *s, struct role *keeper)
{
    keeper->state = ROLE_WAITING;
    renew_server(s);
    send_passphrase(s);
    s->token.backoff.delay_usec = 0;
    start_token(s);
}

static void on_ready(struct supervisor *s, struct role *role, const struct role_message *message)
{
    if (role == &s->roles[KEEPER] && s->roles[SERVER].sealed) renew_server(s);
    role->state = ROLE_SERVING;
    role->report_bytes = message->text_bytes;
    memcpy(role->report, message->text, message->text_bytes);
    rf_log(RF_INFO, "role.ready", RF_KV_STR("role", rf_str_of(role->name)),
           RF_KV_STR("hardening", rf_str_make(role->report, role->report_bytes)));
    /* The peer gets its end now, so that its calls never wait for a start. */
    hand_over_edge(peer_of(s, role));
    tell_ready(s);
}

/* Reads one message of a role; false when there is none. */
static bool take_message(struct supervisor *s, struct role *role)
{
    struct role_message message;
    struct rf_err err = {0};
    enum rf_kind kind = role_receive(role->control, &message, &err);
    if (kind == RF_OK && message.fd >= 0) close(message.fd); /* no role may hand us any */
    if (kind == RF_OK && message.type == ROLE_READY &&
        (role->state == ROLE_STARTING || role->state == ROLE_WAITING)) {
        on_ready(s, role, &message);
        return true;
    }
    if (kind == RF_OK && message.type == ROLE_SEALED && role == &s->roles[KEEPER] &&
        role->state == ROLE_STARTING) {
        on_sealed(s, role);
        return true;
    }
    if (kind == RF_OK && message.type == ROLE_PEER_BAD) {
        rf_log(RF_ERROR, "role.broke_protocol",
               RF_KV_STR("role", rf_str_of(peer_of(s, role)->name)));
        kill_role(peer_of(s, role));
        return true;
    }
    if (kind == RF_AGAIN && strcmp(err.code, "NoMessage") == 0) return false;
    if (kind != RF_AGAIN) {
        rf_log(RF_ERROR, "role.broke_protocol", RF_KV_STR("role", rf_str_of(role->name)));
        kill_role(role);
    }
    close_fd(&role->control); /* its end is told by SIGCHLD */
    return false;
}

static void on_end(struct supervisor *s, struct role *role, int status)
{
    rf_usec now = now_of(s);
    int64_t ran = now - role->since;
    role->state = ROLE_DOWN;
    close_fd(&role->control);
    if (role->renewed && !s->stopping) {
        role->renewed = false;
        role->stop_by = 0;
        role->since = now;
        return;
    }
    note_end(s, role, status);
    if (!s->stopping && !s->told_ready) {
        s->stopping = s->start_failed = true;
        return;
    }
    role->restarts++;
    role->since = now + backoff_next(&role->backoff, ran);
}

static void reap(struct supervisor *s)
{
    for (int i = 0; i < ROLE_COUNT; i++) {
        struct role *role = &s->roles[i];
        int status;
        if (role->state == ROLE_DOWN || waitpid(role->pid, &status, WNOHANG) != role->pid) continue;
        /* What it said last still counts. */
        while (role->control >= 0 && take_message(s, role)) continue;
        on_end(s, role, status);
    }
}

static void take_signals(struct supervisor *s)
{
    struct signalfd_siginfo info;
    while (read(s->signals, &info, sizeof info) == sizeof info) {
        if (info.ssi_signo == SIGCHLD) {
            reap(s);
            reap_token(s);
        }
        if (info.ssi_signo != SIGTERM && info.ssi_signo != SIGINT) continue;
        if (!s->stopping) systemd_tell(s, "STOPPING=1");
        s->stopping = true;
    }
}

/* Stops the server, then, when it is down, the keeper; true when both are. */
static bool stop_roles(struct supervisor *s)
{
    struct role *server = &s->roles[SERVER], *keeper = &s->roles[KEEPER];
    struct role *role = server->state != ROLE_DOWN ? server : keeper;
    if (role->state == ROLE_DOWN) return true;
    if (role->stop_by == 0) tell_stop(s, role);
    if (now_of(s) >= role->stop_by) kill_role(role);
    return false;
}

/* Starts what is due and kills what hangs. The server waits for the keeper. */
static enum rf_kind start_due(struct supervisor *s, struct rf_err *err)
{
    int64_t patience = s->options->ready_usec_max;
    if (patience == 0) patience = READY_USEC_MAX;
    if (s->token.again != 0 && s->roles[KEEPER].state != ROLE_WAITING) s->token.again = 0;
    if (s->token.again != 0 && now_of(s) >= s->token.again) start_token(s);
    for (int i = 0; i < ROLE_COUNT; i++) {
        struct role *role = &s->roles[i];
        if (role->renewed && now_of(s) >= role->stop_by) kill_role(role);
        bool waits = i == SERVER && s->roles[KEEPER].state < ROLE_WAITING;
        if (role->state == ROLE_DOWN && !waits && now_of(s) >= role->since)
            RF_TRY(start_role(s, role, err));
        if (role->state == ROLE_STARTING && now_of(s) - role->since > patience) kill_role(role);
    }
    return RF_OK;
}

static rf_usec next_due(const struct supervisor *s)
{
    rf_usec due = now_of(s) + RF_USEC_PER_SECOND;
    for (int i = 0; i < ROLE_COUNT; i++) {
        const struct role *role = &s->roles[i];
        if (role->state == ROLE_DOWN && role->since != 0) due = RF_MIN(due, role->since);
        if (role->state != ROLE_DOWN && role->stop_by != 0) due = RF_MIN(due, role->stop_by);
    }
    if (s->token.again != 0) due = RF_MIN(due, s->token.again);
    if (s->systemd.watchdog_usec > 0) due = RF_MIN(due, s->systemd.next_watchdog);
    return due;
}

static void wait_for_something(struct supervisor *s)
{
    struct pollfd fds[1 + ROLE_COUNT] = {{.fd = s->signals, .events = POLLIN}};
    for (int i = 0; i < ROLE_COUNT; i++)
        fds[1 + i] = (struct pollfd){.fd = s->roles[i].control, .events = POLLIN};
    int64_t wait = RF_MAX(next_due(s) - now_of(s), 0);
    if (poll(fds, RF_COUNT(fds), (int)((wait + 999) / 1000)) <= 0) return;
    for (int i = 0; i < ROLE_COUNT; i++)
        while (fds[1 + i].revents != 0 && s->roles[i].control >= 0 && take_message(s, &s->roles[i]))
            continue;
    if (fds[0].revents != 0) take_signals(s);
}

static enum rf_kind loop(struct supervisor *s, struct rf_err *err)
{
    for (;;) {
        if (s->stopping && stop_roles(s)) break;
        if (!s->stopping) RF_TRY(start_due(s, err));
        systemd_watchdog(s);
        wait_for_something(s);
    }
    if (s->start_failed)
        return RF_FAIL(err, RF_IO, "StartFailed", "a process of the server ended while starting");
    return RF_OK;
}

/* After an error: nothing may go on without us. */
static void end_all(struct supervisor *s)
{
    for (int i = 0; i < ROLE_COUNT; i++) {
        struct role *role = &s->roles[i];
        kill_role(role);
        if (role->state != ROLE_DOWN) (void)waitpid(role->pid, NULL, 0);
        close_fd(&role->control);
        close_fd(&role->edge);
    }
}

enum rf_kind supervisor_run(const struct supervisor_options *options, struct rf_err *err)
{
    struct supervisor *s = calloc(1, sizeof *s);
    sigset_t signals;
    if (s == NULL) return RF_FAIL(err, RF_LIMIT, "MemoryBudgetExceeded", "the supervisor");
    s->options = options;
    s->clock = rf_clock_real();
    s->roles[KEEPER] = (struct role){.name = "keeper",
                                     .argument = "@keeper",
                                     .words = options->keeper_words,
                                     .control = -1,
                                     .edge = -1};
    s->roles[SERVER] = (struct role){.name = "server",
                                     .argument = "@server",
                                     .words = options->server_words,
                                     .control = -1,
                                     .edge = -1};
    systemd_init(s);
    sandbox_supervisor(&s->report);
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGHUP);
    sigaddset(&signals, SIGCHLD);
    enum rf_kind kind = RF_OK;
    if (sigprocmask(SIG_BLOCK, &signals, NULL) != 0 ||
        (s->signals = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK)) < 0)
        kind = RF_FAIL_ERRNO(err, "StartFailed", "cannot watch for signals");
    if (kind == RF_OK) {
        kind = loop(s, err);
        end_all(s);
        close(s->signals);
    }
    free(s);
    return kind;
}
