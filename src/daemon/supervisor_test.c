/* The roles here are fakes: this program again, which tells what it sees by datagrams to a socket whose path is its first
 * word. */
#define _GNU_SOURCE
#include "daemon/supervisor.h"

#include <dirent.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <criterion/criterion.h>

#include "daemon/roles.h"

extern char **environ;

/* ---- the fakes ---------------------------------------------------------------------------------------------------------- */

static struct sockaddr_un address_of(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    return address;
}

static void tell(const char *path, const char *fmt, ...) RF_PRINTF(2, 3);
static void tell(const char *path, const char *fmt, ...)
{
    char line[512];
    va_list args;
    va_start(args, fmt);
    int len = vsnprintf(line, sizeof line, fmt, args);
    va_end(args);
    struct sockaddr_un address = address_of(path);
    int fd = socket(AF_UNIX, SOCK_DGRAM, 0);
    (void)!sendto(fd, line, (size_t)len, 0, (struct sockaddr *)&address, sizeof address);
    close(fd);
}

static int open_descriptors(void)
{
    int count = -1; /* the folder's own */
    DIR *folder = opendir("/proc/self/fd");
    for (struct dirent *entry; (entry = readdir(folder)) != NULL;) count += entry->d_name[0] != '.';
    closedir(folder);
    return count;
}

static void report_start(const char *path, const char *name)
{
    int death = 0;
    sigset_t mask;
    sigprocmask(SIG_BLOCK, NULL, &mask);
    prctl(PR_GET_PDEATHSIG, &death);
    int environment = 0;
    while (environ[environment] != NULL) environment++;
    tell(path, "%s start %d descriptors %d environment %d death %d masked %d", name, getpid(),
         open_descriptors(), environment, death, sigismember(&mask, SIGTERM));
}

/* Answers "ping" with "pong" on the edge, and takes a new edge. */
static int fake_keeper(const char *path, const char *how)
{
    struct role_start start = {.control_fd = ROLE_CONTROL_FD, .edge_fd = ROLE_EDGE_FD};
    struct sandbox_report report = {.role = "keeper"};
    int edge = start.edge_fd;
    report_start(path, "keeper");
    if (strcmp(how, "fail") == 0) return 3;
    if (role_ready(&start, &report, NULL) != RF_OK) return 4;
    for (;;) {
        struct pollfd fds[2] = {{.fd = 3, .events = POLLIN}, {.fd = edge, .events = POLLIN}};
        char text[8];
        poll(fds, 2, -1);
        if (fds[1].revents != 0 && recv(edge, text, sizeof text, 0) <= 0) edge = -1;
        if (fds[1].revents != 0 && edge >= 0) send(edge, "pong", 4, MSG_NOSIGNAL);
        if (fds[0].revents == 0) continue;
        struct role_message message;
        struct rf_err err;
        if (role_next_message(&start, 0, &message, &err) != RF_OK) return 5;
        if (message.type == ROLE_NEW_EDGE) edge = message.fd;
        if (message.type != ROLE_STOP) continue;
        tell(path, "keeper stop");
        return 0;
    }
}

static void ping(const char *path, int edge)
{
    char text[8];
    bool good = send(edge, "ping", 4, MSG_NOSIGNAL) == 4 && recv(edge, text, sizeof text, 0) == 4;
    tell(path, "server edge %s", good ? "good" : "dead");
}

static int fake_server(const char *path, const char *how)
{
    struct role_start start = {.control_fd = ROLE_CONTROL_FD, .edge_fd = ROLE_EDGE_FD};
    struct sandbox_report report = {.role = "server"};
    report_start(path, "server");
    ping(path, start.edge_fd);
    while (strcmp(how, "hang") == 0) pause();
    if (strcmp(how, "fail") == 0) return 3;
    if (role_ready(&start, &report, NULL) != RF_OK) return 4;
    if (strcmp(how, "garbage") == 0) send(3, "garbage that is long enough", 27, 0);
    if (strcmp(how, "blame") == 0 && role_peer_bad(&start, NULL) != RF_OK) return 4;
    for (;;) {
        static struct role_message message;
        struct rf_err err;
        if (role_next_message(&start, -1, &message, &err) != RF_OK) return 5;
        if (message.type == ROLE_NEW_EDGE) ping(path, message.fd);
        if (message.type == ROLE_NOTE)
            tell(path, "server note %.*s", (int)message.text_bytes, message.text);
        if (message.type != ROLE_STOP) continue;
        tell(path, "server stop");
        if (strcmp(how, "deaf") != 0) return 0;
    }
}

/* Before the test frame's main sees the words. */
__attribute__((constructor)) static void be_a_role(int argc, char **argv)
{
    if (argc < 4 || argv[1][0] != '@') return;
    _exit(strcmp(argv[1], "@keeper") == 0 ? fake_keeper(argv[2], argv[3])
                                          : fake_server(argv[2], argv[3]));
}

/* ---- the bench ------------------------------------------------------------------------------------------------------------ */

struct bench {
    char folder[64], path[80];
    int told; /* the fakes' datagrams */
    pid_t supervisor;
};

static int bound_socket(const char *path)
{
    struct sockaddr_un address = address_of(path);
    struct timeval patience = {.tv_sec = 30};
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    cr_assert(bind(fd, (struct sockaddr *)&address, sizeof address) == 0);
    cr_assert(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience) == 0);
    return fd;
}

static void start(struct bench *b, const char *keeper_how, const char *server_how)
{
    strcpy(b->folder, "/tmp/ringfort_super_XXXXXX");
    cr_assert(mkdtemp(b->folder) != NULL);
    snprintf(b->path, sizeof b->path, "%s/told", b->folder);
    b->told = bound_socket(b->path);
    b->supervisor = fork();
    if (b->supervisor != 0) return;
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0,
                0); /* a test that times out leaves nothing behind */
    const char *keeper_words[] = {b->path, keeper_how, NULL};
    const char *server_words[] = {b->path, server_how, NULL};
    struct supervisor_options options = {
        .keeper_words = keeper_words, .server_words = server_words, .stop_grace_usec = 300000};
    if (strcmp(server_how, "hang") == 0) options.ready_usec_max = 300000;
    struct rf_err err = {0};
    cr_assert(freopen("/dev/null", "w", stderr) != NULL); /* what is logged is expected */
    enum rf_kind kind = supervisor_run(&options, &err);
    _exit(kind == RF_OK ? 0 : strcmp(err.code, "StartFailed") == 0 ? 11 : 12);
}

/* The next datagram that begins with `prefix`; others are passed over. */
static void await(struct bench *b, const char *prefix, char out[512])
{
    for (;;) {
        ssize_t got = recv(b->told, out, 511, 0);
        cr_assert(got > 0, "nothing is told of: %s", prefix);
        out[got] = '\0';
        if (strncmp(out, prefix, strlen(prefix)) == 0) return;
    }
}

static pid_t await_start(struct bench *b, const char *name)
{
    char line[512], prefix[32];
    snprintf(prefix, sizeof prefix, "%s start ", name);
    await(b, prefix, line);
    return (pid_t)atoi(line + strlen(prefix));
}

static int end_status(struct bench *b)
{
    int status;
    cr_assert(waitpid(b->supervisor, &status, 0) == b->supervisor);
    cr_assert(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void stop(struct bench *b)
{
    cr_assert(kill(b->supervisor, SIGTERM) == 0);
    cr_expect(end_status(b) == 0);
}

static void bench_done(struct bench *b)
{
    close(b->told);
    unlink(b->path);
    cr_expect(rmdir(b->folder) == 0);
}

Test(supervisor, starts_roles_with_nothing_but_their_sockets, .timeout = 60)
{
    struct bench b;
    char line[512], want[128];
    start(&b, "well", "well");
    await(&b, "keeper start ", line);
    snprintf(want, sizeof want, "keeper start %d descriptors 5 environment 0 death 9 masked 0",
             atoi(line + 13));
    cr_expect_str_eq(line, want);
    await(&b, "server start ", line);
    cr_expect(strstr(line, "descriptors 5 environment 0 death 9 masked 0") != NULL, "%s", line);
    await(&b, "server edge ", line);
    cr_expect_str_eq(line, "server edge good");
    await(&b, "server note ", line);
    cr_expect(strstr(line, "\"Role\":\"keeper\"") != NULL, "%s", line);
    stop(&b);
    bench_done(&b);
}

Test(supervisor, stops_the_server_before_the_keeper, .timeout = 60)
{
    struct bench b;
    char line[512];
    start(&b, "well", "well");
    await(&b, "server note ", line);
    cr_assert(kill(b.supervisor, SIGINT) == 0);
    await(&b, "server stop", line);
    await(&b, "keeper stop", line);
    cr_expect(end_status(&b) == 0);
    bench_done(&b);
}

Test(supervisor, restarts_a_killed_keeper_and_gives_the_server_a_new_edge, .timeout = 60)
{
    struct bench b;
    char line[512];
    start(&b, "well", "well");
    pid_t first = await_start(&b, "keeper");
    await(&b, "server note ", line);
    cr_assert(kill(first, SIGKILL) == 0);
    await(&b, "server note {\"Role\":\"keeper\",\"Event\"", line);
    cr_expect(strstr(line, "\"RoleEnded\",\"Signal\":9,\"ExitCode\":0,\"Restarts\":0") != NULL,
              "%s", line);
    pid_t second = await_start(&b, "keeper");
    cr_expect(second != first);
    await(&b, "server edge ", line);
    cr_expect_str_eq(line, "server edge good");
    stop(&b);
    bench_done(&b);
}

Test(supervisor, restarts_a_killed_server_with_the_same_keeper, .timeout = 60)
{
    struct bench b;
    char line[512];
    start(&b, "well", "well");
    pid_t first = await_start(&b, "server");
    await(&b, "server note ", line);
    for (int i = 0; i < 2; i++) {
        cr_assert(kill(first, SIGKILL) == 0);
        pid_t second = await_start(&b, "server"); /* no "keeper start" comes between, see below */
        cr_expect(second != first);
        first = second;
        await(&b, "server edge ", line);
        cr_expect_str_eq(line, "server edge good");
        await(&b, "server note ", line);
    }
    cr_assert(kill(b.supervisor, SIGTERM) == 0);
    for (;;) {
        ssize_t got = recv(b.told, line, sizeof line - 1, 0);
        cr_assert(got > 0);
        line[got] = '\0';
        cr_expect(strncmp(line, "keeper start", 12) != 0);
        if (strcmp(line, "keeper stop") == 0) break;
    }
    cr_expect(end_status(&b) == 0);
    bench_done(&b);
}

Test(supervisor, a_role_that_breaks_the_protocol_is_started_anew, .timeout = 60)
{
    struct bench b;
    start(&b, "well", "garbage");
    pid_t first = await_start(&b, "server"), second = await_start(&b, "server");
    cr_expect(first != second);
    stop(&b);
    bench_done(&b);
}

Test(supervisor, a_role_that_is_blamed_by_its_peer_is_started_anew, .timeout = 60)
{
    struct bench b;
    char line[512];
    start(&b, "well", "blame");
    pid_t first = await_start(&b, "keeper"), second = await_start(&b, "keeper");
    cr_expect(first != second);
    await(&b, "server edge ", line);
    stop(&b);
    bench_done(&b);
}

Test(supervisor, ends_when_a_role_cannot_start, .timeout = 60)
{
    static const char *const hows[][2] = {{"fail", "well"}, {"well", "fail"}, {"well", "hang"}};
    for (size_t i = 0; i < RF_COUNT(hows); i++) {
        struct bench b;
        start(&b, hows[i][0], hows[i][1]);
        cr_expect(end_status(&b) == 11);
        bench_done(&b);
    }
}

Test(supervisor, kills_a_server_that_does_not_stop, .timeout = 60)
{
    struct bench b;
    char line[512];
    start(&b, "well", "deaf");
    await(&b, "server note ", line);
    stop(&b);
    bench_done(&b);
}

/* The kernel ends them: nothing is left behind that holds keys or sockets. */
Test(supervisor, roles_end_with_a_killed_supervisor, .timeout = 60)
{
    struct bench b;
    char line[512];
    start(&b, "well", "well");
    pid_t pids[2] = {await_start(&b, "keeper"), await_start(&b, "server")};
    await(&b, "server note ", line);
    int fds[2];
    for (int i = 0; i < 2; i++) cr_assert((fds[i] = (int)syscall(SYS_pidfd_open, pids[i], 0)) >= 0);
    cr_assert(kill(b.supervisor, SIGKILL) == 0);
    for (int i = 0; i < 2; i++) {
        struct pollfd ended = {.fd = fds[i], .events = POLLIN};
        cr_expect(poll(&ended, 1, 20000) == 1);
        close(fds[i]);
    }
    waitpid(b.supervisor, NULL, 0);
    bench_done(&b);
}

Test(supervisor, tells_systemd, .timeout = 60)
{
    struct bench b;
    char folder[] = "/tmp/ringfort_notify_XXXXXX", path[80], line[64] = "";
    cr_assert(mkdtemp(folder) != NULL);
    snprintf(path, sizeof path, "%s/notify", folder);
    int notify = bound_socket(path);
    setenv("NOTIFY_SOCKET", path, 1);
    setenv("WATCHDOG_USEC", "200000", 1);
    start(&b, "well", "well");
    bool ready = false, watchdog = false;
    while (!ready || !watchdog) {
        ssize_t got = recv(notify, line, sizeof line - 1, 0);
        cr_assert(got > 0);
        line[got] = '\0';
        if (strcmp(line, "READY=1") == 0) ready = true;
        if (strcmp(line, "WATCHDOG=1") == 0) watchdog = true;
        cr_expect(ready || !watchdog, "no sign of life before both serve");
    }
    cr_assert(kill(b.supervisor, SIGTERM) == 0);
    while (strcmp(line, "STOPPING=1") != 0) {
        ssize_t got = recv(notify, line, sizeof line - 1, 0);
        cr_assert(got > 0);
        line[got] = '\0';
    }
    cr_expect(end_status(&b) == 0);
    close(notify);
    unlink(path);
    rmdir(folder);
    bench_done(&b);
}

/* ---- pure parts ----------------------------------------------------------------------------------------------------------- */

Test(supervisor, backoff_doubles_to_thirty_seconds_and_starts_anew_after_a_minute)
{
    static const int64_t want[] = {200000,  400000,   800000,   1600000,  3200000,
                                   6400000, 12800000, 25600000, 30000000, 30000000};
    struct backoff backoff = {0};
    for (size_t i = 0; i < RF_COUNT(want); i++)
        cr_expect(backoff_next(&backoff, BACKOFF_STABLE_USEC - 1) == want[i], "%zu", i);
    cr_expect(backoff_next(&backoff, BACKOFF_STABLE_USEC) == 200000);
    cr_expect(backoff_next(&backoff, 0) == 400000);
}

Test(roles, messages_of_the_wrong_shape_are_refused)
{
    static const struct {
        const char *what;
        uint8_t type, version, bytes;
        size_t len;
        bool fd, good;
    } cases[] = {
        {"stop", ROLE_STOP, 1, 0, 12, false, true},
        {"edge", ROLE_NEW_EDGE, 1, 0, 12, true, true},
        {"ready", ROLE_READY, 1, 2, 14, false, true},
        {"cut head", ROLE_STOP, 1, 0, 11, false, false},
        {"type 0", 0, 1, 0, 12, false, false},
        {"type past the end", ROLE_TYPE_END, 1, 0, 12, false, false},
        {"version", ROLE_STOP, 2, 0, 12, false, false},
        {"bytes left over", ROLE_NOTE, 1, 1, 14, false, false},
        {"bytes missing", ROLE_NOTE, 1, 3, 14, false, false},
        {"a body on stop", ROLE_STOP, 1, 1, 13, false, false},
        {"edge without a descriptor", ROLE_NEW_EDGE, 1, 0, 12, false, false},
        {"stop with a descriptor", ROLE_STOP, 1, 0, 12, true, false},
    };
    for (size_t i = 0; i < RF_COUNT(cases); i++) {
        uint8_t bytes[16] = {0};
        static struct role_message out;
        bytes[0] = cases[i].type;
        bytes[2] = cases[i].version;
        bytes[8] = cases[i].bytes;
        bool good =
            role_message_read(rf_str_make(bytes, cases[i].len), cases[i].fd, &out, NULL) == RF_OK;
        cr_expect(good == cases[i].good, "%s", cases[i].what);
    }
}
