/* Each forbidden act is tried by a child in its role's sandbox and must end with the exact errno or SIGSYS; with the sandbox off the
 * same probe must succeed, or fail for another reason, which proves that it works. Layers that this kernel lacks are skipped and
 * told. */
#define _GNU_SOURCE
#include "daemon/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/vm_sockets.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <criterion/criterion.h>

/* ASan and TSan need calls that the filters deny: the release build runs these tests. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#else
#define SANITIZED 0
#endif

static void skip(const char *why)
{
    fprintf(stderr, "SKIP %s\n", why);
    cr_skip_test("%s", why);
}

/* ---- probes: give 0, or errno ------------------------------------------------------------------------------------------- */

struct place {
    char data[64];    /* the server's DIR: "state" may be used, "keeper" not */
    pid_t peer;       /* a process of the same user, outside of the sandbox */
    uint16_t port;    /* where somebody listens */
    uint16_t allowed; /* where somebody listens, and the server may connect to */
};

static int result(long done) { return done < 0 ? errno : 0; }

static int open_at(const struct place *p, const char *name, int flags)
{
    char path[128];
    snprintf(path, sizeof path, "%s/%s", p->data, name);
    int fd = open(path, flags | O_CLOEXEC, 0600);
    if (fd >= 0) close(fd);
    return result(fd);
}

static int connect_to(uint16_t port)
{
    struct sockaddr_in to = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) return errno;
    int code = result(connect(fd, (struct sockaddr *)&to, sizeof to));
    close(fd);
    return code;
}

static int socket_of(int family, int type)
{
    int fd = socket(family, type, 0);
    if (fd >= 0) close(fd);
    return result(fd);
}

static int do_exec(const struct place *p)
{
    char *const argv[] = {(char *)(uintptr_t) "true", NULL};
    (void)p;
    execv("/bin/true", argv);
    return errno;
}
static int do_fork(const struct place *p)
{
    (void)p;
    pid_t pid = fork();
    if (pid == 0) _exit(0);
    if (pid > 0) waitpid(pid, NULL, 0);
    return result(pid);
}
static int do_open_outside(const struct place *p)
{
    (void)p;
    int fd = open("/etc/passwd", O_RDONLY | O_CLOEXEC);
    if (fd >= 0) close(fd);
    return result(fd);
}
static int do_write_outside(const struct place *p)
{
    char name[] = "/tmp/ringfort_probe_XXXXXX";
    (void)p;
    int fd = mkstemp(name);
    if (fd >= 0) {
        unlink(name);
        close(fd);
    }
    return result(fd);
}
static int do_open_keeper(const struct place *p) { return open_at(p, "keeper/root.key", O_RDONLY); }
static int do_replace_keeper(const struct place *p)
{
    return open_at(p, "keeper/keys", O_WRONLY | O_CREAT);
}
static int do_move_keeper(const struct place *p)
{
    char from[128], to[128];
    snprintf(from, sizeof from, "%s/keeper", p->data);
    snprintf(to, sizeof to, "%s/state/taken", p->data);
    int code = result(rename(from, to));
    if (code == 0) code = result(rename(to, from));
    return code;
}
static int do_use_state(const struct place *p)
{
    int code = open_at(p, "state/file", O_RDWR | O_CREAT);
    char path[128];
    snprintf(path, sizeof path, "%s/state/file", p->data);
    return code != 0 ? code : result(unlink(path));
}
static int do_read_resolver(const struct place *p)
{
    (void)p;
    int fd = open("/etc/hosts", O_RDONLY | O_CLOEXEC);
    if (fd >= 0) close(fd);
    return result(fd);
}
static int do_connect(const struct place *p) { return connect_to(p->port); }
static int do_connect_allowed(const struct place *p) { return connect_to(p->allowed); }
static int do_bind(const struct place *p)
{
    struct sockaddr_in any = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    (void)p;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) return errno;
    int code = result(bind(fd, (struct sockaddr *)&any, sizeof any));
    close(fd);
    return code;
}
static int do_ptrace(const struct place *p)
{
    int code = result(ptrace(PTRACE_ATTACH, p->peer, NULL, NULL));
    if (code == 0) {
        waitpid(p->peer, NULL, 0);
        ptrace(PTRACE_DETACH, p->peer, NULL, NULL);
    }
    return code;
}
static int do_kill(const struct place *p) { return result(kill(p->peer, SIGCONT)); }
static int do_kill_self(const struct place *p)
{
    (void)p;
    return result(kill(getpid(), 0));
}
static int do_io_uring(const struct place *p)
{
    char params[120] = {0};
    (void)p;
    long fd = syscall(SYS_io_uring_setup, 2, params);
    if (fd >= 0) close((int)fd);
    return result(fd);
}
static int do_write_execute(const struct place *p)
{
    (void)p;
    void *at =
        mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (at == MAP_FAILED) return errno;
    return result(munmap(at, 4096));
}
static int do_make_executable(const struct place *p)
{
    (void)p;
    void *at = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (at == MAP_FAILED) return errno;
    int code = result(mprotect(at, 4096, PROT_READ | PROT_EXEC));
    munmap(at, 4096);
    return code;
}
static int do_raw_socket(const struct place *p)
{
    (void)p;
    return socket_of(AF_INET, SOCK_RAW | SOCK_CLOEXEC);
}
static int do_packet_socket(const struct place *p)
{
    (void)p;
    return socket_of(AF_PACKET, SOCK_RAW);
}
static int do_vsock(const struct place *p)
{
    (void)p;
    return socket_of(AF_VSOCK, SOCK_STREAM);
}
static int do_netlink(const struct place *p)
{
    (void)p;
    return socket_of(AF_NETLINK, SOCK_RAW);
}
static int do_unix_socket(const struct place *p)
{
    (void)p;
    return socket_of(AF_UNIX, SOCK_STREAM);
}
static int do_namespace(const struct place *p)
{
    (void)p;
    return result(unshare(CLONE_NEWNS));
}
static int do_bpf(const struct place *p)
{
    (void)p;
    long fd = syscall(SYS_bpf, 0, NULL, 0);
    return result(fd);
}
static int do_setuid(const struct place *p)
{
    (void)p;
    return result(setresuid((uid_t)-1, (uid_t)-1, (uid_t)-1));
}
static int do_read_peer(const struct place *p)
{
    char local[8];
    struct iovec to = {local, sizeof local}, from = {(void *)(uintptr_t)p, sizeof local};
    return result(process_vm_readv(p->peer, &to, 1, &from, 1, 0));
}
static void *idle(void *ctx) { return ctx; }
static int do_thread(const struct place *p)
{
    pthread_t thread;
    (void)p;
    int code = pthread_create(&thread, NULL, idle, NULL);
    if (code == 0) pthread_join(thread, NULL);
    return code;
}
static int do_memory(const struct place *p)
{
    (void)p;
    void *large = malloc(1 << 20);
    void *small = malloc(100);
    bool good = large != NULL && small != NULL;
    free(large);
    free(small);
    return good ? 0 : ENOMEM;
}

/* ---- running them --------------------------------------------------------------------------------------------------------- */

enum who { NOBODY, SERVER, KEEPER };
enum { ENDED_BY = 1000 /* plus the signal */ };

static bool enter(enum who who, const struct place *p)
{
    static const char *const folders[] = {"state", "tables"};
    struct sandbox_report report;
    struct rf_err err = {0};
    struct sandbox_server_options options = {.data = p->data,
                                             .folders = folders,
                                             .folder_count = 2,
                                             .connect_ports = &p->allowed,
                                             .connect_port_count = 1};
    enum rf_kind kind = RF_OK;
    if (who == SERVER) kind = sandbox_server(&options, &report, &err);
    if (who == KEEPER) kind = sandbox_keeper_before_threads(SANDBOX_ON, false, &report, &err);
    if (who == KEEPER && kind == RF_OK)
        kind = sandbox_keeper_after_threads(SANDBOX_ON, false, &report, &err);
    if (kind != RF_OK) fprintf(stderr, "%s\n", err.text);
    return kind == RF_OK;
}

/* The errno of the probe in a child, or ENDED_BY and the signal. */
static int try(enum who who, int (*probe)(const struct place *), const struct place *p)
{
    int status;
    pid_t pid = fork();
    if (pid == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
        if (!enter(who, p)) _exit(255);
        _exit(probe(p));
    }
    cr_assert(waitpid(pid, &status, 0) == pid);
    return WIFSIGNALED(status) ? ENDED_BY + WTERMSIG(status) : WEXITSTATUS(status);
}

static uint16_t listener(int *fd)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof address;
    *fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    cr_assert(bind(*fd, (struct sockaddr *)&address, sizeof address) == 0);
    cr_assert(listen(*fd, 8) == 0);
    cr_assert(getsockname(*fd, (struct sockaddr *)&address, &len) == 0);
    return ntohs(address.sin_port);
}

static void touch(const struct place *p, const char *name)
{
    cr_assert(open_at(p, name, O_WRONLY | O_CREAT) == 0);
}

struct bench {
    struct place place;
    int fds[2];
};

static void bench_init(struct bench *b)
{
    struct place *p = &b->place;
    char path[128];
    strcpy(p->data, "/tmp/ringfort_sandbox_XXXXXX");
    cr_assert(mkdtemp(p->data) != NULL);
    snprintf(path, sizeof path, "%s/keeper", p->data);
    cr_assert(mkdir(path, 0700) == 0);
    snprintf(path, sizeof path, "%s/state", p->data);
    cr_assert(mkdir(path, 0700) == 0);
    touch(p, "keeper/root.key");
    touch(p, "keeper/keys");
    p->port = listener(&b->fds[0]);
    p->allowed = listener(&b->fds[1]);
    p->peer = fork();
    if (p->peer == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
        for (;;) pause();
    }
    cr_assert(p->peer > 0);
}

static void bench_done(struct bench *b)
{
    char command[128];
    kill(b->place.peer, SIGKILL);
    waitpid(b->place.peer, NULL, 0);
    close(b->fds[0]);
    close(b->fds[1]);
    snprintf(command, sizeof command, "rm -rf %s", b->place.data);
    cr_assert(system(command) == 0);
}

struct probe {
    const char *what;
    int (*run)(const struct place *);
    int want;     /* in the sandbox */
    bool control; /* off, it gives 0; else anything but `want` */
    int abi;      /* of Landlock that is needed; 0: seccomp or a plain layer */
};

static void check(enum who who, const struct probe *probes, size_t count)
{
    struct bench b;
    int abi = sandbox_landlock_abi();
    if (SANITIZED) skip("sandbox: a sanitizer needs calls that the filters deny");
    if (!sandbox_has_seccomp()) skip("sandbox: the kernel has no seccomp filters");
    bench_init(&b);
    for (size_t i = 0; i < count; i++) {
        const struct probe *p = &probes[i];
        if (p->abi > abi) {
            fprintf(stderr, "SKIP landlock %s: ABI %d < %d\n", p->what, abi, p->abi);
            continue;
        }
        int free_of = try(NOBODY, p->run, &b.place), inside = try(who, p->run, &b.place);
        if (p->control)
            cr_expect(free_of == 0, "%s does not work without the sandbox: %d", p->what, free_of);
        else
            cr_expect(free_of != p->want, "%s gives %d without the sandbox too", p->what, free_of);
        cr_expect(inside == p->want, "%s gives %d, wanted %d", p->what, inside, p->want);
    }
    bench_done(&b);
}

#define KILLED (ENDED_BY + SIGSYS)

Test(sandbox, the_server_is_stopped_from, .timeout = 60)
{
    static const struct probe probes[] = {
        {"execve", do_exec, KILLED, true, 0},
        {"fork", do_fork, KILLED, true, 0},
        {"open outside", do_open_outside, EACCES, true, 1},
        {"write outside", do_write_outside, EACCES, true, 1},
        {"read the keeper's key", do_open_keeper, EACCES, true, 1},
        {"write the keeper's file", do_replace_keeper, EACCES, true, 1},
        {"move the keeper's folder", do_move_keeper, EACCES, true, 1},
        {"connect to another port", do_connect, EACCES, true, 4},
        {"bind", do_bind, EACCES, true, 4},
        {"ptrace", do_ptrace, KILLED, false, 0},
        {"process_vm_readv", do_read_peer, KILLED, false, 0},
        {"kill a peer", do_kill, KILLED, true, 0},
        {"io_uring", do_io_uring, KILLED, false, 0},
        {"W+X mapping", do_write_execute, EACCES, true, 0},
        {"mprotect to X", do_make_executable, EACCES, true, 0},
        {"raw socket", do_raw_socket, KILLED, false, 0},
        {"packet socket", do_packet_socket, KILLED, false, 0},
        {"vsock", do_vsock, KILLED, false, 0},
        {"netlink", do_netlink, EAFNOSUPPORT, true, 0},
        {"unshare", do_namespace, KILLED, false, 0},
        {"bpf", do_bpf, KILLED, false, 0},
        {"setresuid", do_setuid, KILLED, true, 0},
    };
    check(SERVER, probes, RF_COUNT(probes));
}

Test(sandbox, the_server_may, .timeout = 60)
{
    struct bench b;
    static const struct {
        const char *what;
        int (*run)(const struct place *);
    } acts[] = {
        {"use its folder", do_use_state},
        {"read /etc/hosts", do_read_resolver},
        {"connect to its port", do_connect_allowed},
        {"start a thread", do_thread},
        {"signal itself", do_kill_self},
        {"allocate", do_memory},
        {"use AF_UNIX", do_unix_socket},
    };
    if (SANITIZED) skip("sandbox: a sanitizer needs calls that the filters deny");
    bench_init(&b);
    for (size_t i = 0; i < RF_COUNT(acts); i++) {
        int inside = try(SERVER, acts[i].run, &b.place);
        cr_expect(inside == 0, "%s gives %d", acts[i].what, inside);
    }
    bench_done(&b);
}

Test(sandbox, the_keeper_is_stopped_from, .timeout = 60)
{
    static const struct probe probes[] = {
        {"execve", do_exec, KILLED, true, 0},
        {"fork", do_fork, KILLED, true, 0},
        {"thread", do_thread, KILLED, true, 0},
        {"open", do_open_outside, KILLED, true, 0},
        {"open its own file", do_open_keeper, KILLED, true, 0},
        {"connect", do_connect, KILLED, true, 0},
        {"bind", do_bind, KILLED, true, 0},
        {"ptrace", do_ptrace, KILLED, false, 0},
        {"kill a peer", do_kill, KILLED, true, 0},
        {"io_uring", do_io_uring, KILLED, false, 0},
        {"W+X mapping", do_write_execute, KILLED, true, 0},
        {"mprotect to X", do_make_executable, KILLED, true, 0},
        {"raw socket", do_raw_socket, KILLED, false, 0},
        {"vsock", do_vsock, KILLED, false, 0},
        {"unix socket", do_unix_socket, KILLED, true, 0},
        {"setresuid", do_setuid, KILLED, true, 0},
    };
    check(KEEPER, probes, RF_COUNT(probes));
}

/* Were seccomp to miss something, the layers below still hold. */
static int without_seccomp(int (*probe)(const struct place *), const struct place *p)
{
    int status;
    pid_t pid = fork();
    if (pid == 0) {
        struct sandbox_report report;
        if (sandbox_keeper_before_threads(SANDBOX_ON, false, &report, NULL) != RF_OK) _exit(255);
        _exit(probe(p));
    }
    cr_assert(waitpid(pid, &status, 0) == pid);
    return WIFSIGNALED(status) ? ENDED_BY + WTERMSIG(status) : WEXITSTATUS(status);
}

Test(sandbox, the_keeper_without_seccomp_reaches_nothing, .timeout = 60)
{
    static const struct {
        const char *what;
        int (*run)(const struct place *);
        int want, abi;
    } acts[] = {
        {"open outside", do_open_outside, EACCES, 1},
        {"open its own file", do_open_keeper, EACCES, 1},
        {"execve", do_exec, EACCES, 1},
        {"connect", do_connect, EACCES, 4},
        {"bind", do_bind, EACCES, 4},
        {"kill a peer", do_kill, EPERM, 6},
        {"ptrace", do_ptrace, EPERM, 1},
    };
    struct bench b;
    int abi = sandbox_landlock_abi();
    bench_init(&b);
    for (size_t i = 0; i < RF_COUNT(acts); i++) {
        if (acts[i].abi > abi) {
            fprintf(stderr, "SKIP landlock %s: ABI %d < %d\n", acts[i].what, abi, acts[i].abi);
            continue;
        }
        int inside = without_seccomp(acts[i].run, &b.place);
        cr_expect(inside == acts[i].want, "%s gives %d, wanted %d", acts[i].what, inside,
                  acts[i].want);
    }
    bench_done(&b);
}

/* ---- the report ------------------------------------------------------------------------------------------------------------- */

/* 0 when the child's sandbox is as the report says. */
static int check_layers(const struct place *p)
{
    static const char *const folders[] = {"state"};
    struct sandbox_server_options options = {
        .data = p->data, .folders = folders, .folder_count = 1};
    struct sandbox_report report;
    struct rf_err err;
    struct rlimit core;
    if (sandbox_server(&options, &report, &err) != RF_OK) return 1;
    if (!report.holds[SANDBOX_NO_NEW_PRIVS] || prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1)
        return 2;
    if (!report.holds[SANDBOX_NO_DUMP] || prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) != 0) return 3;
    if (getrlimit(RLIMIT_CORE, &core) != 0 || core.rlim_max != 0) return 4;
    if (!report.holds[SANDBOX_CAPABILITIES] || prctl(PR_CAPBSET_READ, 7, 0, 0, 0) != 0) return 5;
    if (!report.holds[SANDBOX_SECCOMP] || prctl(PR_GET_SECCOMP, 0, 0, 0, 0) != 2) return 6;
    if (report.holds[SANDBOX_LANDLOCK_FILES] != (report.landlock_abi >= 1)) return 7;
    if (report.keeper_hidden != report.holds[SANDBOX_LANDLOCK_FILES]) return 8;
    return report.role == NULL || report.kernel[0] == '\0' ? 9 : 0;
}

static int check_strict(const struct place *p)
{
    struct sandbox_server_options options = {.data = p->data, .mode = SANDBOX_LOG, .strict = true};
    struct sandbox_report report;
    struct rf_err err = {0};
    if (sandbox_server(&options, &report, &err) != RF_DENIED) return 1;
    return strcmp(err.code, "HardeningMissing") == 0 && strstr(err.text, "server lacks") != NULL
               ? 0
               : 2;
}

static int check_log_mode(const struct place *p)
{
    struct sandbox_report report;
    (void)p;
    if (sandbox_keeper_before_threads(SANDBOX_LOG, false, &report, NULL) != RF_OK) return 1;
    if (sandbox_keeper_after_threads(SANDBOX_LOG, false, &report, NULL) != RF_OK) return 2;
    if (report.holds[SANDBOX_SECCOMP]) return 3;
    return getppid() > 0 ? 0 : 4; /* a call that the list lacks */
}

Test(sandbox, says_what_holds, .timeout = 60)
{
    struct bench b;
    if (SANITIZED) skip("sandbox: a sanitizer needs calls that the filters deny");
    bench_init(&b);
    if (getuid() == 0) cr_expect(prctl(PR_CAPBSET_READ, 7, 0, 0, 0) == 1, "the probe works");
    cr_expect(try(NOBODY, check_layers, &b.place) == 0, "%d", try(NOBODY, check_layers, &b.place));
    cr_expect(try(NOBODY, check_strict, &b.place) == 0, "%d", try(NOBODY, check_strict, &b.place));
    cr_expect(try(NOBODY, check_log_mode, &b.place) == 0, "%d",
              try(NOBODY, check_log_mode, &b.place));
    bench_done(&b);
}

Test(sandbox, report_is_json)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 1 << 16);
    struct rf_buf buf = rf_buf_in(&arena);
    struct sandbox_report report = {.role = "server", .kernel = "6.1", .landlock_abi = 2};
    report.holds[SANDBOX_NO_DUMP] = true;
    report.why_not[SANDBOX_MDWE] = "needs Linux 6.3";
    sandbox_report_json(&report, &buf);
    rf_buf_byte(&buf, '\0');
    const char *text = (const char *)buf.ptr;
    cr_expect(strstr(text, "\"Role\":\"server\"") != NULL, "%s", text);
    cr_expect(strstr(text, "\"NoDump\":true") != NULL);
    cr_expect(strstr(text, "\"Missing\":8") != NULL, "%s", text);
    cr_expect(strstr(text, "\"Reasons\":{\"MemoryDenyWriteExecute\":\"needs Linux 6.3\"}") != NULL,
              "%s", text);
}
