/* The real keeper in its sandbox, under the real supervisor; the server is a fake: this program again, which calls the keeper and tells
 * by exit status and datagrams. */
#define _GNU_SOURCE
#include "crypt/keeper.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <criterion/criterion.h>

#include "base/encode.h"
#include "crypt/jwt.h"
#include "crypt/keeper_wire.h"
#include "daemon/roles.h"
#include "daemon/supervisor.h"

/* ---- the fake server --------------------------------------------------------------------------------------------------------- */

static void tell(const char *path, const char *text)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    int fd = socket(AF_UNIX, SOCK_DGRAM, 0);
    (void)!sendto(fd, text, strlen(text), 0, (struct sockaddr *)&address, sizeof address);
    close(fd);
}

static enum rf_kind sign_token(struct keeper *keeper, struct rf_arena *arena, struct rf_err *err)
{
    struct keeper_jwt_key *keys;
    struct public_key *key;
    uint32_t count;
    rf_str signature;
    struct jwt jwt;
    RF_TRY(keeper_jwt_keys(keeper, arena, &keys, &count, err));
    uint32_t at = 0;
    while (at < count && !keys[at].signing) at++;
    if (at == count) return RF_FAIL(err, RF_NOT_FOUND, "NoKey", "no key signs");
    rf_str header =
        rf_arena_printf(arena, "{\"alg\":\"RS256\",\"kid\":\"%.*s\"}", RF_FMT(keys[at].kid));
    rf_str input = rf_arena_printf(
        arena, "%.*s.%.*s", RF_FMT(base64url_encode(arena, header)),
        RF_FMT(base64url_encode(arena, RF_S("{\"iss\":\"https://localhost/t\",\"exp\":1}"))));
    RF_TRY(keeper_jwt_sign(keeper, input, arena, &signature, err));
    RF_TRY(jwt_parse(jwt_assemble(arena, input, signature), arena, &jwt, err));
    RF_TRY(public_key_of_cert(keys[at].cert, &key, err));
    enum rf_kind kind = jwt_check(&jwt, key, JWT_RS256, err);
    public_key_free(key);
    return kind;
}

/* Every verb, so that each runs under the filter. */
static enum rf_kind use(struct keeper *keeper, struct rf_err *err)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_str chain, ca;
    uint8_t digest[32] = {1}, out[128];
    size_t len;
    rf_arena_init(&arena, 1 << 20);
    RF_TRY(keeper_tls_chain(keeper, &arena, &chain, &ca, err));
    RF_TRY(keeper_tls_sign(keeper, NULL, rf_str_make(digest, 32), out, sizeof out, &len, err));
    RF_TRY(keeper_mac(keeper, "test", RF_S("x"), out, err));
    RF_TRY(keeper_store_key(keeper, out, err));
    RF_TRY(sign_token(keeper, &arena, err));
    /* Refused requests write to the audit log, rotations make RSA keys. */
    if (keeper_tls_sign(keeper, NULL, RF_S("x"), out, sizeof out, &len, err) != RF_INVALID)
        return RF_CORRUPT;
    RF_TRY(keeper_jwt_rotate(keeper, true, err));
    return sign_token(keeper, &arena, err);
}

static void use_and_tell(const char *path, struct keeper *keeper)
{
    char text[1200];
    struct rf_err err = {0};
    enum rf_kind kind = use(keeper, &err);
    snprintf(text, sizeof text, "used %s", kind == RF_OK ? "well" : err.text);
    tell(path, text);
}

static int fake_server(const char *path, const char *how)
{
    struct role_start start = {.control_fd = ROLE_CONTROL_FD, .edge_fd = ROLE_EDGE_FD};
    struct sandbox_report report = {.role = "server"};
    struct keeper *keeper;
    if (keeper_connect(dup(start.edge_fd), &keeper, NULL) != RF_OK) return 4;
    use_and_tell(path, keeper);
    if (role_ready(&start, &report, NULL) != RF_OK) return 5;
    if (strcmp(how, "garbage") == 0) send(start.edge_fd, "garbage", 7, 0);
    close(start.edge_fd);
    for (;;) {
        static struct role_message message;
        static char text[ROLE_TEXT_BYTES_MAX + 8];
        struct rf_err err;
        if (role_next_message(&start, -1, &message, &err) != RF_OK) return 6;
        if (message.type == ROLE_NOTE) {
            snprintf(text, sizeof text, "note %.*s", (int)message.text_bytes, message.text);
            tell(path, text);
        }
        if (message.type == ROLE_NEW_EDGE) {
            keeper_reconnect(keeper, message.fd);
            use_and_tell(path, keeper);
        }
        if (message.type == ROLE_STOP) return 0;
    }
}

__attribute__((constructor)) static void be_a_role(int argc, char **argv)
{
    if (argc < 3 || argv[1][0] != '@') return;
    int status = 9;
    if (strcmp(argv[1], "@keeper") == 0)
        (void)role_run(argc, argv, &status);
    else
        status = fake_server(argv[2], argv[3]);
    _exit(status);
}

/* ---- the bench ------------------------------------------------------------------------------------------------------------------ */

struct bench {
    char folder[64], path[80], keeper[80];
    int told;
    pid_t supervisor;
};

static void start(struct bench *b, const char *hardening, const char *server_how)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct timeval patience = {.tv_sec = 60};
    strcpy(b->folder, "/tmp/ringfort_process_XXXXXX");
    cr_assert(mkdtemp(b->folder) != NULL);
    snprintf(b->path, sizeof b->path, "%s/told", b->folder);
    snprintf(b->keeper, sizeof b->keeper, "%s/keeper", b->folder);
    snprintf(address.sun_path, sizeof address.sun_path, "%s", b->path);
    b->told = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    cr_assert(bind(b->told, (struct sockaddr *)&address, sizeof address) == 0);
    cr_assert(setsockopt(b->told, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience) == 0);
    b->supervisor = fork();
    if (b->supervisor != 0) return;
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0,
                0); /* a test that times out leaves nothing behind */
    cr_assert(freopen("/dev/null", "w", stderr) != NULL); /* what is logged is expected */
    const char *keeper_words[] = {"--folder",           b->keeper, "--domain",
                                  "ringfort.localhost", "--name",  "siem.example.org",
                                  "--hardening",        hardening, NULL};
    const char *server_words[] = {b->path, server_how, NULL};
    struct supervisor_options options = {
        .keeper_words = keeper_words, .server_words = server_words, .stop_grace_usec = 5000000};
    _exit(supervisor_run(&options, NULL) == RF_OK ? 0 : 1);
}

static void await(struct bench *b, const char *prefix, char out[4096])
{
    for (;;) {
        ssize_t got = recv(b->told, out, 4095, 0);
        cr_assert(got > 0, "nothing is told of: %s", prefix);
        out[got] = '\0';
        if (strncmp(out, prefix, strlen(prefix)) == 0) return;
    }
}

static void stop(struct bench *b)
{
    int status;
    char command[128];
    cr_assert(kill(b->supervisor, SIGTERM) == 0);
    cr_assert(waitpid(b->supervisor, &status, 0) == b->supervisor);
    cr_expect(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    close(b->told);
    snprintf(command, sizeof command, "rm -rf %s", b->folder);
    cr_assert(system(command) == 0);
}

/* A child of the supervisor whose words begin with @keeper. */
static pid_t keeper_pid(const struct bench *b)
{
    char path[96], text[4096];
    snprintf(path, sizeof path, "/proc/%d/task/%d/children", b->supervisor, b->supervisor);
    FILE *children = fopen(path, "r");
    int pid, found = 0;
    while (children != NULL && fscanf(children, "%d", &pid) == 1) {
        snprintf(path, sizeof path, "/proc/%d/cmdline", pid);
        FILE *words = fopen(path, "r");
        size_t got = words == NULL ? 0 : fread(text, 1, sizeof text - 1, words);
        text[got] = '\0';
        if (words != NULL) fclose(words);
        if (got > 9 && strcmp(text + strlen(text) + 1, "@keeper") == 0) found = pid;
    }
    if (children != NULL) fclose(children);
    return found;
}

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define HARDENING "log"
#else
#define HARDENING "best-effort"
#endif

Test(keeper_process, serves_in_its_sandbox_and_again_after_it_was_killed, .timeout = 120)
{
    struct bench b;
    char line[4096];
    start(&b, HARDENING, "well");
    await(&b, "used ", line);
    cr_expect_str_eq(line, "used well");
    await(&b, "note {\"Role\":\"keeper\"", line);
    cr_expect(strstr(line, "\"SecretMemory\":") != NULL, "%s", line);
    cr_expect(strcmp(HARDENING, "log") == 0 || strstr(line, "\"Seccomp\":true") != NULL, "%s",
              line);
    pid_t pid = keeper_pid(&b);
    cr_assert(pid > 0);
    cr_assert(kill(pid, SIGKILL) == 0);
    await(&b, "used ", line);
    cr_expect_str_eq(line, "used well");
    cr_expect(keeper_pid(&b) != pid);
    stop(&b);
}

Test(keeper_process, a_server_that_sends_garbage_is_started_anew, .timeout = 120)
{
    struct bench b;
    char line[4096];
    start(&b, HARDENING, "garbage");
    await(&b, "used ", line);
    cr_expect_str_eq(line, "used well");
    pid_t pid = keeper_pid(&b);
    await(&b, "used ", line);
    cr_expect_str_eq(line, "used well");
    cr_expect(keeper_pid(&b) == pid, "the keeper goes on");
    stop(&b);
}

/* ---- what can be read of it ----------------------------------------------------------------------------------------------- */

/* Looks for `needle` in all memory of the process that root can read; counts the bytes read. */
static bool in_memory_of(pid_t pid, rf_str needle, uint64_t *bytes)
{
    enum { PIECE_BYTES = 1 << 20 };
    static uint8_t piece[PIECE_BYTES];
    char path[64], line[512];
    bool found = false;
    snprintf(path, sizeof path, "/proc/%d/maps", pid);
    FILE *maps = fopen(path, "r");
    snprintf(path, sizeof path, "/proc/%d/mem", pid);
    int memory = open(path, O_RDONLY | O_CLOEXEC);
    while (maps != NULL && memory >= 0 && fgets(line, sizeof line, maps) != NULL) {
        unsigned long from, to;
        char rights[8];
        if (sscanf(line, "%lx-%lx %7s", &from, &to, rights) != 3 || rights[0] != 'r') continue;
        for (unsigned long at = from; at < to; at += PIECE_BYTES - 64) {
            ssize_t got =
                pread(memory, piece, RF_MIN(to - at, (unsigned long)PIECE_BYTES), (off_t)at);
            if (got <= 0) break;
            *bytes += (uint64_t)got;
            found |= rf_str_find(rf_str_make(piece, (size_t)got), needle, 0) != SIZE_MAX;
        }
    }
    if (maps != NULL) fclose(maps);
    if (memory >= 0) close(memory);
    return found;
}

/* Root itself, or who takes over the server and becomes root, finds the root key in no page that the kernel gives out. */
Test(keeper_process, its_root_key_cannot_be_read_from_memory, .timeout = 120)
{
    struct bench b;
    char line[4096], path[128];
    uint8_t key[32], part[16];
    uint64_t bytes = 0;
    start(&b, HARDENING, "well");
    await(&b, "note {\"Role\":\"keeper\"", line);
    pid_t pid = keeper_pid(&b);
    snprintf(path, sizeof path, "%s/root.key", b.keeper);
    FILE *file = fopen(path, "rb");
    cr_assert(file != NULL && fread(key, 1, sizeof key, file) == sizeof key);
    fclose(file);
    memcpy(part, key, sizeof part);
    bool readable = in_memory_of(pid, RF_S("siem.example.org"), &bytes);
    if (strstr(line, "\"SecretMemory\":\"memfd_secret\"") == NULL || !readable) {
        stop(&b);
        fprintf(stderr, "SKIP memory: %s\n",
                readable ? "no memfd_secret" : "another's memory cannot be read here");
        cr_skip_test("memory");
    }
    cr_expect(bytes > 1000000, "the probe reads");
    cr_expect(!in_memory_of(pid, rf_str_make(part, sizeof part), &bytes));
    stop(&b);
}
