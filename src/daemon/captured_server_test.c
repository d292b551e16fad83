/* A server in the wrong hands, against the real keeper in its sandbox under the real supervisor: the server is this program again, which has the server's
 * socket and says to the keeper whatever it likes. What it tries is refused, stands in the keeper's own log, and the keeper goes on. Each refusal by
 * itself is crypt/vault_seal_forge_test.c's matter. */
#define _GNU_SOURCE
#include <signal.h>
#include <sys/prctl.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>

#include <criterion/criterion.h>

#include "crypt/keeper_listener.h"
#include "crypt/keeper_wire.h"
#include "crypt/tls_message.h"
#include "daemon/roles.h"
#include "daemon/supervisor.h"
#include "test/vault_seal_rig.h"

static void tell(const char *path, const char *text)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    int fd = socket(AF_UNIX, SOCK_DGRAM, 0);
    (void)!sendto(fd, text, strlen(text), 0, (struct sockaddr *)&address, sizeof address);
    close(fd);
}

/* ---- what a captured server tries ------------------------------------------------------------------------------------- */

enum { FLOOD = 1000 };
struct scene {
    struct seal_rig r; /* its helpers make tokens and places; the keeper is the real one */
    struct seal_ring ring, other, foreign;
    struct sealed old, latest, second;
    rf_str foreign_key;
};

/* Two items of one vault, the first with an older version, and another vault. */
static enum rf_kind set_scene(struct scene *s, struct keeper *keeper)
{
    struct seal_rig *r = &s->r;
    memset(s, 0, sizeof *s);
    rf_clock_fixed_init(&r->clock, (rf_usec)time(NULL) * RF_USEC_PER_SECOND, 0);
    rf_arena_init(&r->arena, 64 << 20);
    r->keeper = keeper;
    r->token = seal_rig_token(r, &(struct rig_token){.from = -5});
    r->vault_key = seal_rig_vault(r, 1);
    s->foreign_key = seal_rig_vault(r, 2);
    s->ring = seal_rig_ring(r, 1, 10, SEAL_SECRET);
    s->other = seal_rig_ring(r, 1, 11, SEAL_SECRET);
    struct seal_head head = seal_rig_head(SEAL_VALUE, 0, 1);
    RF_TRY(seal_put(keeper, r->token, &s->ring, &head, RF_S("first"), &r->arena, &s->old, &r->err));
    RF_TRY(seal_put(keeper, r->token, &s->other, &head, RF_S("other"), &r->arena, &s->second,
                    &r->err));
    s->ring.item_key = s->old.item_key;
    s->other.item_key = s->second.item_key;
    RF_TRY(seal_head_get(s->old.version, &head, &r->err));
    head.enabled = false;
    head.generation++;
    RF_TRY(seal_change(keeper, r->token, &s->ring, s->old.version, &head, &r->arena, &s->latest,
                       &r->err));
    s->foreign = s->other;
    memset(s->foreign.vault_id, 2, SEAL_ID_BYTES);
    s->foreign.vault_key = s->foreign_key;
    return RF_OK;
}

static rf_str spoilt(struct scene *s, rf_str bytes, size_t at)
{
    uint8_t *copy = rf_arena_alloc(&s->r.arena, bytes.len);
    memcpy(copy, bytes.ptr, bytes.len);
    copy[at] ^= 1;
    return rf_str_make(copy, bytes.len);
}

/* "NAME CODE", code "given" when the value came. */
static void attempt(struct scene *s, const char *path, const char *name, rf_str token,
                    const struct seal_ring *ring, rf_str version)
{
    struct rf_err err = {0};
    char text[200];
    rf_str value;
    enum rf_kind kind = seal_open(s->r.keeper, token, ring, version, &s->r.arena, &value, &err);
    snprintf(text, sizeof text, "try %s %s", name, kind == RF_OK ? "given" : err.code);
    tell(path, text);
}

/* For rates that the keeper, whose clock is the system's, counts by the second. */
static void next_second(void)
{
    (void)nanosleep(&(struct timespec){.tv_sec = 1, .tv_nsec = 100000000}, NULL);
}

/* A listener's key, which nobody's token comes with: to have it, or to have it sign something else than handshakes. */
static void try_listener(struct scene *s, const char *path)
{
    static const uint8_t leaf[LISTENER_LEAF_BYTES], digest[32] = {1};
    static const enum keeper_listener https = KEEPER_LISTENER_HTTPS;
    struct seal_rig *r = &s->r;
    struct seal_ring key = seal_rig_ring(r, 1, 20, SEAL_KEY), other = key;
    struct seal_head head = seal_rig_head(SEAL_P256, 0, 1);
    struct sealed sealed = {.item_key = {0}};
    uint8_t out[512];
    size_t len;
    struct rf_err err = {.code = ""};
    char text[100];
    rf_str label = RF_S("vault://v/siem"), jwt = RF_S("eyJhbGciOiJFUzI1NiJ9.eyJhIjoxfQ");
    if (seal_key_new(r->keeper, r->token, &key, &head, &r->arena, &sealed, &err) == RF_OK)
        key.item_key = sealed.item_key;
#define TRY(name, call)                                                                            \
    do {                                                                                           \
        enum rf_kind kind_ = (call);                                                               \
        snprintf(text, sizeof text, "try %s %s", name, kind_ == RF_OK ? "given" : err.code);       \
        tell(path, text);                                                                          \
    } while (0)
    TRY("show-unbound", keeper_listener_show(r->keeper, https, &key, sealed.version, label, &err));
    TRY("bind-no-token",
        keeper_listener_bind(r->keeper, (rf_str){0}, https, &key, sealed.version, label, &err));
    TRY("bind",
        keeper_listener_bind(r->keeper, r->token, https, &key, sealed.version, label, &err));
    memset(other.item_id, 21, SEAL_ID_BYTES);
    TRY("show-other", keeper_listener_show(r->keeper, https, &other, sealed.version, label, &err));
    TRY("show-no-certificate",
        keeper_listener_show(r->keeper, https, &key, sealed.version, label, &err));
    TRY("sign-digest",
        keeper_listener_sign(r->keeper, leaf, TLS_ECDSA_SHA256, rf_str_make(digest, sizeof digest),
                             out, sizeof out, &len, &err));
    TRY("sign-token",
        keeper_listener_sign(r->keeper, leaf, TLS_ECDSA_SHA256, jwt, out, sizeof out, &len, &err));
    TRY("own-way", keeper_tls_sign(r->keeper, leaf, rf_str_make(digest, sizeof digest), out,
                                   sizeof out, &len, &err));
#undef TRY
}

static void try_all(struct scene *s, const char *path)
{
    struct seal_rig *r = &s->r;
    rf_str token = r->token, version = s->second.version;
    rf_str proof;
    attempt(s, path, "good", token, &s->other, version);
    attempt(s, path, "no-token", (rf_str){0}, &s->other, version);
    attempt(s, path, "noise-token", RF_S("a.b.c"), &s->other, version);
    attempt(s, path, "spoilt-token", spoilt(s, token, token.len - 20), &s->other, version);
    attempt(s, path, "expired-token",
            seal_rig_token(r, &(struct rig_token){.from = -900, .to = -300}), &s->other, version);
    attempt(s, path, "other-audience",
            seal_rig_token(r, &(struct rig_token){.audience = "https://storage.azure.com"}),
            &s->other, version);
    attempt(s, path, "unsigned-token",
            RF_S("eyJhbGciOiJub25lIn0.eyJhdWQiOiJodHRwczovL3ZhdWx0LmF6dXJlLm5ldCJ9."), &s->other,
            version);
    attempt(s, path, "other-vault", token, &s->foreign, version);
    struct seal_ring swapped = s->other;
    swapped.item_key = s->ring.item_key;
    attempt(s, path, "other-key", token, &swapped, version);
    attempt(s, path, "other-version", token, &s->other, s->latest.version);
    attempt(s, path, "spoilt-version", token, &s->other, spoilt(s, version, version.len - 1));
    /* The keeper writes ten refusals a second, and these are to stand in its log too. */
    next_second();
    /* What it has opened once counts, so the older state of it does no more. */
    attempt(s, path, "disabled", token, &s->ring, s->latest.version);
    attempt(s, path, "rolled-back", token, &s->ring, s->old.version);
    /* A token for another issuer is not even signed. */
    rf_str signature,
        input = seal_rig_input(r, &(struct rig_token){.issuer = "https://evil.test/t"});
    struct rf_err err = {0};
    bool is_signed = keeper_jwt_sign(r->keeper, input, &r->arena, &signature, &err) == RF_OK;
    tell(path, is_signed ? "try other-issuer given" : "try other-issuer refused");
    attempt(s, path, "good-again", token, &s->other, version);
    bool gone = seal_destroy(r->keeper, &s->other, &r->arena, &proof, &err) == RF_OK;
    tell(path, gone ? "try destroy given" : "try destroy refused");
    attempt(s, path, "destroyed", token, &s->other, version);
    next_second();
    try_listener(s, path);
    unsigned refused = 0;
    for (unsigned i = 0; i < FLOOD; i++)
        refused +=
            seal_put(r->keeper, RF_S("a.b.c"), &s->ring, &(struct seal_head){.generation = 1},
                     RF_S("x"), &r->arena, &(struct sealed){.item_key = {0}}, &err) != RF_OK;
    tell(path, refused == FLOOD ? "try flood refused" : "try flood given");
    next_second();
    struct seal_ring fresh = seal_rig_ring(r, 1, 12, SEAL_SECRET);
    struct seal_head head = seal_rig_head(SEAL_VALUE, 0, 1);
    struct sealed sealed = {0};
    if (seal_put(r->keeper, token, &fresh, &head, RF_S("v"), &r->arena, &sealed, &err) == RF_OK)
        fresh.item_key = sealed.item_key;
    attempt(s, path, "behind-flood", token, &fresh, sealed.version);
}

/* Bytes that are no message, a kind for each of the server's lives. */
enum { BAD_MESSAGES = 5 };
static void send_bad(int fd, unsigned which)
{
    static uint8_t bytes[KEEPER_MESSAGE_BYTES_MAX + 64];
    struct keeper_request request = {.verb = KEEPER_JWT_KEYS, .id = 7};
    size_t len = 0;
    RF_ASSERT(keeper_wire_put_request(&request, bytes, &len, NULL) == RF_OK);
    if (which == 0) len -= 3;                               /* breaks off */
    if (which == 1) rf_put_u32le(bytes + 8, 1 << 30);       /* claims more than there is */
    if (which == 2) rf_put_u16le(bytes, KEEPER_VERB_END);   /* no verb */
    if (which == 3) rf_put_u16le(bytes, KEEPER_ANSWER | 2); /* an answer, to the keeper */
    if (which == 4) len = sizeof bytes;                     /* more than a message may have */
    (void)!send(fd, bytes, len, 0);
}

static unsigned count_life(const char *path)
{
    char name[128];
    struct stat status;
    snprintf(name, sizeof name, "%s.lives", path);
    int fd = open(name, O_WRONLY | O_CREAT | O_APPEND, 0600);
    RF_ASSERT(fd >= 0 && write(fd, "x", 1) == 1 && fstat(fd, &status) == 0);
    close(fd);
    return (unsigned)status.st_size - 1;
}

static int fake_server(const char *path)
{
    static struct scene scene;
    struct role_start start = {.control_fd = ROLE_CONTROL_FD, .edge_fd = ROLE_EDGE_FD};
    struct sandbox_report report = {.role = "server"};
    struct keeper *keeper;
    unsigned life = count_life(path);
    if (keeper_connect(dup(start.edge_fd), &keeper, NULL) != RF_OK) return 4;
    if (life >= BAD_MESSAGES) {
        if (set_scene(&scene, keeper) != RF_OK)
            tell(path, scene.r.err.text);
        else
            try_all(&scene, path);
        tell(path, "end");
    }
    if (role_ready(&start, &report, NULL) != RF_OK) return 5;
    if (life < BAD_MESSAGES) send_bad(start.edge_fd, life);
    close(start.edge_fd);
    for (;;) {
        static struct role_message message;
        struct rf_err err;
        if (role_next_message(&start, -1, &message, &err) != RF_OK) return 6;
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
        status = fake_server(argv[2]);
    _exit(status);
}

/* ---- the bench -------------------------------------------------------------------------------------------------------- */

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define HARDENING "log"
#else
#define HARDENING "best-effort"
#endif

struct bench {
    char folder[64], path[80], keeper[80];
    int told;
    pid_t supervisor;
};

static void start(struct bench *b)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct timeval patience = {.tv_sec = 60};
    strcpy(b->folder, "/tmp/ringfort_captured_XXXXXX");
    cr_assert(mkdtemp(b->folder) != NULL);
    snprintf(b->path, sizeof b->path, "%s/told", b->folder);
    snprintf(b->keeper, sizeof b->keeper, "%s/keeper", b->folder);
    snprintf(address.sun_path, sizeof address.sun_path, "%s", b->path);
    b->told = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    cr_assert(bind(b->told, (struct sockaddr *)&address, sizeof address) == 0);
    cr_assert(setsockopt(b->told, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience) == 0);
    b->supervisor = fork();
    if (b->supervisor != 0) return;
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
    cr_assert(freopen("/dev/null", "w", stderr) != NULL); /* what is logged is expected */
    const char *keeper_words[] = {"--folder",    b->keeper, "--domain", "ringfort.localhost",
                                  "--hardening", HARDENING, NULL};
    const char *server_words[] = {b->path, "captured", NULL};
    struct supervisor_options options = {
        .keeper_words = keeper_words, .server_words = server_words, .stop_grace_usec = 5000000};
    _exit(supervisor_run(&options, NULL) == RF_OK ? 0 : 1);
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

/* How many lines of the keeper's log have this text. */
static unsigned lines_with(const struct bench *b, const char *text)
{
    char path[128];
    static char line[8192];
    unsigned count = 0;
    snprintf(path, sizeof path, "%s/audit.log", b->keeper);
    FILE *file = fopen(path, "r");
    cr_assert(file != NULL);
    while (fgets(line, sizeof line, file) != NULL) count += strstr(line, text) != NULL;
    fclose(file);
    return count;
}

Test(captured_server, gains_nothing_and_is_told, .timeout = 180)
{
    static const char *const wanted[] = {
        "good given",
        "no-token SealToken",
        "noise-token SealToken",
        "spoilt-token SealToken",
        "expired-token SealToken",
        "other-audience SealToken",
        "unsigned-token SealToken",
        "other-vault SealBroken",
        "other-key SealBroken",
        "other-version SealBroken",
        "spoilt-version SealBroken",
        "disabled SealDisabled",
        "rolled-back SealRolledBack",
        "other-issuer refused",
        "good-again given",
        "destroy given",
        "destroyed SealDestroyed",
        "show-unbound NotBound",
        "bind-no-token SealToken",
        "bind given",
        "show-other NotBound",
        "show-no-certificate SealArgument",
        "sign-digest NotHandshake",
        "sign-token NotHandshake",
        "own-way KeyGone",
        "flood refused",
        "behind-flood given",
    };
    struct bench b;
    char line[4096];
    start(&b);
    for (size_t i = 0; i <= RF_COUNT(wanted); i++) {
        ssize_t got = recv(b.told, line, sizeof line - 1, 0);
        cr_assert(got > 0, "nothing more is told behind %zu", i);
        line[got] = '\0';
        if (i == RF_COUNT(wanted))
            cr_expect_str_eq(line, "end");
        else
            cr_expect(strncmp(line, "try ", 4) == 0 && strcmp(line + 4, wanted[i]) == 0,
                      "wanted %s: %s", wanted[i], line);
    }
    cr_expect(lines_with(&b, "SealToken") >= 6);
    cr_expect(lines_with(&b, "SealBroken") >= 4);
    cr_expect(lines_with(&b, "SealRolledBack") >= 1);
    cr_expect(lines_with(&b, "SealDestroyed") >= 1);
    cr_expect(lines_with(&b, "jwt_sign ") >= 1, "the token for another issuer");
    cr_expect_eq(lines_with(&b, "listener_sign NotHandshake"), 2);
    cr_expect_eq(lines_with(&b, "\"listener.bound\""), 1);
    cr_expect_eq(lines_with(&b, "protocol.error"), BAD_MESSAGES);
    cr_expect(lines_with(&b, "request.refused") < FLOOD / 4, "a flood does not fill the disk");
    stop(&b);
}
