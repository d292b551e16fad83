/* keeper_process.c - the process that holds the keys: opens its files, gives up its rights, answers on the edge.
 *
 * Words: --folder FOLDER --domain DOMAIN [--name NAME]... [--hardening strict|best-effort|log|off] */
#define _GNU_SOURCE
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <openssl/crypto.h>

#include "base/log.h"
#include "base/pool.h"
#include "crypt/keeper_seal_talk.h"
#include "crypt/keeper_serve.h"
#include "crypt/keeper_wire.h"
#include "crypt/secret.h"
#include "daemon/roles.h"
#include "daemon/root_door.h"

enum {
    NAMES_MAX = 64,
    WORKERS_MAX = 16,
    SECRET_BYTES = 24 << 20, /* holds more than a thousand RSA keys of vaults */
    SECRET_BYTES_LEAST = 4 << 20
};

/* The socket to the server, used by all workers; closed when the last lets go. */
struct edge {
    int fd;
    uint32_t refs;
};

struct keeper_process {
    const struct role_start *start;
    struct keeper_core *core;
    struct keeper_core_options options;
    rf_str names[NAMES_MAX];
    enum sandbox_mode mode;
    bool strict;
    struct sandbox_report report;
    pthread_mutex_t lock; /* over the rest */
    pthread_cond_t changed;
    struct edge *edge; /* the current one; NULL before the first */
    struct root_door door;
    int first_edge; /* before the workers have it; -1: they do */
};

/* ---- the command line ------------------------------------------------------------------------------------------------ */

static bool read_hardening(struct keeper_process *k, rf_str word)
{
    k->strict = rf_str_is(word, "strict");
    k->mode = rf_str_is(word, "log")   ? SANDBOX_LOG
              : rf_str_is(word, "off") ? SANDBOX_OFF
                                       : SANDBOX_ON;
    return k->strict || k->mode != SANDBOX_ON || rf_str_is(word, "best-effort");
}

static bool read_words(struct keeper_process *k)
{
    int i = 0;
    for (; i + 1 < k->start->argc; i += 2) {
        rf_str option = rf_str_of(k->start->argv[i]), word = rf_str_of(k->start->argv[i + 1]);
        if (rf_str_is(option, "--folder"))
            k->options.folder = k->start->argv[i + 1];
        else if (rf_str_is(option, "--domain"))
            k->options.domain = word;
        else if (rf_str_is(option, "--name") && k->options.name_count < NAMES_MAX)
            k->names[k->options.name_count++] = word;
        else if (!rf_str_is(option, "--hardening") || !read_hardening(k, word))
            return false;
    }
    k->options.names = k->names;
    return i == k->start->argc && k->options.folder != NULL && k->options.domain.len > 0;
}

/* ---- workers: each serves the current edge until it ends, then waits for the next ---------------------------------------- */

static void edge_unref(struct edge *edge) /* the lock is held */
{
    if (--edge->refs > 0) return;
    close(edge->fd);
    free(edge);
}

static struct edge *next_edge(struct keeper_process *k, const struct edge *old)
{
    pthread_mutex_lock(&k->lock);
    while (k->edge == NULL || k->edge == old) pthread_cond_wait(&k->changed, &k->lock);
    struct edge *edge = k->edge;
    edge->refs++;
    pthread_mutex_unlock(&k->lock);
    return edge;
}

static void *work(void *ctx)
{
    struct keeper_process *k = ctx;
    struct edge *served = NULL;
    for (;;) {
        struct edge *edge = next_edge(k, served);
        struct rf_err err;
        /* The old one is held until now, so that the next one is not taken for it by its address. */
        pthread_mutex_lock(&k->lock);
        if (served != NULL) edge_unref(served);
        pthread_mutex_unlock(&k->lock);
        served = edge;
        if (keeper_core_work(k->core, edge->fd, &err) == RF_OK) continue;
        rf_log(RF_ERROR, "keeper.refused", RF_KV_STR("why", rf_str_of(err.text)));
        (void)!role_peer_bad(k->start, NULL);
    }
    return NULL;
}

/* Takes the descriptor. The old edge ends. */
static enum rf_kind set_edge(struct keeper_process *k, int fd, struct rf_err *err)
{
    struct edge *edge = calloc(1, sizeof *edge);
    if (edge == NULL) {
        close(fd);
        return RF_FAIL(err, RF_LIMIT, "MemoryBudgetExceeded", "the edge to the server");
    }
    *edge = (struct edge){.fd = fd, .refs = 1};
    pthread_mutex_lock(&k->lock);
    if (k->edge != NULL) {
        shutdown(k->edge->fd, SHUT_RDWR);
        edge_unref(k->edge);
    }
    k->edge = edge;
    pthread_cond_broadcast(&k->changed);
    pthread_mutex_unlock(&k->lock);
    return RF_OK;
}

/* A thread that fails to start makes it slower, no more; without any it is of no use. */
static enum rf_kind start_workers(struct keeper_process *k, struct rf_err *err)
{
    unsigned wanted = RF_MIN(keeper_core_workers(), (unsigned)WORKERS_MAX), count = 0;
    pthread_attr_t attr;
    pthread_t thread;
    pthread_attr_init(&attr);
    pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    while (count < wanted && pthread_create(&thread, &attr, work, k) == 0) count++;
    pthread_attr_destroy(&attr);
    return count > 0 ? RF_OK : RF_FAIL(err, RF_LIMIT, "ThreadLimit", "the keeper starts no thread");
}

/* ---- sealed: nothing but the seal can be asked about, until people have opened it ----------------------------------------- */

static bool is_no_message(enum rf_kind kind, const struct rf_err *err)
{
    return kind == RF_AGAIN && strcmp(err->code, "NoMessage") == 0;
}

/* Answers one request of the server; false when it has gone, or broke the rules. */
static bool answer_sealed(struct keeper_process *k, struct root_talk *talk)
{
    static uint8_t message[KEEPER_MESSAGE_BYTES_MAX + 1];
    char reply[ROOT_REPLY_BYTES];
    struct keeper_request request;
    size_t len;
    ssize_t got = recv(k->first_edge, message, sizeof message, MSG_DONTWAIT);
    if (got <= 0) return false;
    if (keeper_wire_read_request(rf_str_make(message, (size_t)got), &request, NULL) != RF_OK)
        return false;
    struct keeper_answer answer = {.verb = request.verb,
                                   .id = request.id,
                                   .kind = RF_AGAIN,
                                   .code = RF_S("VaultSealed"),
                                   .text = RF_S("the root key is sealed")};
    if (request.verb == KEEPER_UNSEAL && request.fields[0].len <= ROOT_REQUEST_BYTES_MAX) {
        root_talk_unseal(talk, request.fields[0], reply);
        answer.kind = RF_OK;
        answer.fields[0] = rf_str_of(reply);
    }
    OPENSSL_cleanse(message, (size_t)got);
    bool sent = keeper_wire_put_answer(&answer, message, &len, NULL) == RF_OK &&
                send(k->first_edge, message, len, MSG_NOSIGNAL) == (ssize_t)len;
    OPENSSL_cleanse(reply, sizeof reply);
    return sent;
}

/* A passphrase that the supervisor read for us. */
static void take_passphrase(struct root_seal *seal, struct role_message *message)
{
    struct rf_err err = {0};
    rf_str text = rf_str_make(message->text, message->text_bytes);
    if (root_seal_enter(seal, false, text, &err) != RF_OK)
        rf_log(RF_ERROR, "keeper.unseal_file", RF_KV_STR("code", rf_str_of(err.code)),
               RF_KV_STR("why", rf_str_of(err.text)));
    OPENSSL_cleanse(message, sizeof *message);
}

/* The token's program was started for us. */
static void take_token(struct root_seal *seal, int fd)
{
    struct rf_err err = {0};
    if (root_seal_enter_token(seal, fd, &err) != RF_OK)
        rf_log(RF_ERROR, "keeper.token", RF_KV_STR("code", rf_str_of(err.code)),
               RF_KV_STR("why", rf_str_of(err.text)),
               RF_KV_STR("remedy", RF_S("mend the token, or ringfort vault unseal with recovery "
                                        "shares")));
    close(fd);
}

static enum rf_kind take_sealed_message(struct keeper_process *k, struct root_seal *seal,
                                        struct rf_err *err)
{
    struct role_message message;
    enum rf_kind kind = role_next_message(k->start, 0, &message, err);
    if (is_no_message(kind, err)) return RF_OK;
    RF_TRY(kind);
    if (message.type == ROLE_STOP) return RF_FAIL(err, RF_CANCELLED, "Stopped", "told to stop");
    if (message.type == ROLE_UNSEAL) take_passphrase(seal, &message);
    if (message.type == ROLE_TOKEN) take_token(seal, message.fd);
    if (message.type != ROLE_NEW_EDGE) return RF_OK;
    if (k->first_edge >= 0) close(k->first_edge);
    k->first_edge = message.fd;
    return RF_OK;
}

static enum rf_kind wait_for_people(void *ctx, struct root_seal *seal, struct rf_err *err)
{
    struct keeper_process *k = ctx;
    struct root_talk talk = {.seal = seal};
    rf_log(RF_WARN, "keeper.sealed", RF_KV_STR("remedy", RF_S("ringfort vault unseal")));
    RF_TRY(role_sealed(k->start, err));
    while (!seal->open) {
        struct pollfd fds[2 + ROOT_DOOR_FDS] = {{.fd = k->start->control_fd, .events = POLLIN},
                                                {.fd = k->first_edge, .events = POLLIN}};
        root_door_fds(&k->door, fds + 2);
        if (poll(fds, RF_COUNT(fds), -1) <= 0) continue;
        if (fds[0].revents != 0) RF_TRY(take_sealed_message(k, seal, err));
        /* The control message may have brought another edge. */
        if (fds[1].revents != 0 && fds[1].fd == k->first_edge && !answer_sealed(k, &talk)) {
            close(k->first_edge);
            k->first_edge = -1;
        }
        root_door_work(&k->door, fds + 2, &talk);
    }
    rf_log(RF_INFO, "keeper.unsealed");
    return RF_OK;
}

/* ---- life ------------------------------------------------------------------------------------------------------------------ */

/* The keeper of a supervisor that was killed ends a moment later than it; a service manager starts the next one at once. */
static enum rf_kind open_core(struct keeper_process *k, struct rf_err *err)
{
    enum { TRIES = 50, PAUSE_USEC = 100000 };
    for (int tries = 1;; tries++) {
        enum rf_kind kind = keeper_core_new(&k->options, &k->core, err);
        if (kind != RF_CONFLICT || tries == TRIES) return kind;
        (void)usleep(PAUSE_USEC);
    }
}

/* With a low limit (8 MiB, where no unit raises it) fewer keys are kept ready: better than memory that may be swapped. */
static size_t secret_bytes(void)
{
    struct rlimit locked;
    bool enough = geteuid() == 0 || (getrlimit(RLIMIT_MEMLOCK, &locked) == 0 &&
                                     locked.rlim_cur >= SECRET_BYTES + SECRET_BYTES_LEAST);
    return enough ? SECRET_BYTES : SECRET_BYTES_LEAST;
}

static enum rf_kind open_all(struct keeper_process *k, struct rf_err *err)
{
    enum secret_kind kind;
    /* No file of OpenSSL's is read: neither its settings nor its modules may depend on the machine. */
    RF_TRY(secret_heap_take_openssl(secret_bytes(), &kind, err));
    if (OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG | OPENSSL_INIT_NO_ATEXIT, NULL) != 1)
        return RF_FAIL(err, RF_IO, "CryptoFailed", "OpenSSL does not start");
    if (root_door_open(k->options.folder, &k->door, err) != RF_OK)
        rf_log(RF_WARN, "keeper.no_door", RF_KV_STR("why", rf_str_of(err->text)));
    RF_TRY(open_core(k, err));
    RF_TRY(keeper_core_prime(k->core, err));
    RF_TRY(sandbox_keeper_before_threads(k->mode, k->strict, &k->report, err));
    k->report.secret_memory = rf_secret_kind_name(kind);
    RF_TRY(start_workers(k, err));
    RF_TRY(sandbox_keeper_after_threads(k->mode, k->strict, &k->report, err));
    if (k->first_edge >= 0) RF_TRY(set_edge(k, k->first_edge, err));
    k->first_edge = -1;
    return role_ready(k->start, &k->report, err);
}

static enum rf_kind run(struct keeper_process *k, struct rf_err *err)
{
    RF_TRY(open_all(k, err));
    struct root_talk talk = keeper_core_talk(k->core);
    while (!talk.ends) {
        struct pollfd fds[1 + ROOT_DOOR_FDS] = {{.fd = k->start->control_fd, .events = POLLIN}};
        root_door_fds(&k->door, fds + 1);
        root_talk_tick(&talk);
        keeper_core_tick(k->core);
        if (poll(fds, RF_COUNT(fds), ROOT_TICK_MS) <= 0) continue;
        root_door_work(&k->door, fds + 1, &talk);
        if (fds[0].revents == 0) continue;
        struct role_message message;
        enum rf_kind kind = role_next_message(k->start, 0, &message, err);
        if (is_no_message(kind, err)) continue;
        RF_TRY(kind);
        if (message.type == ROLE_STOP) return RF_OK;
        if (message.type == ROLE_TOKEN) close(message.fd); /* people were faster */
        if (message.type == ROLE_NEW_EDGE) RF_TRY(set_edge(k, message.fd, err));
    }
    return RF_OK;
}

int keeper_role(const struct role_start *start)
{
    /* As long as the process, as its threads go on to the very end. */
    static struct keeper_process keeper = {.lock = PTHREAD_MUTEX_INITIALIZER,
                                           .changed = PTHREAD_COND_INITIALIZER};
    struct rf_err err = {0};
    keeper.start = start;
    keeper.options.clock = rf_clock_real();
    keeper.options.unseal = wait_for_people;
    keeper.options.unseal_ctx = &keeper;
    keeper.first_edge = start->edge_fd;
    if (!read_words(&keeper)) {
        rf_log(RF_ERROR, "keeper.bad_words");
        return 2;
    }
    enum rf_kind kind = run(&keeper, &err);
    if (kind == RF_CANCELLED) kind = RF_OK;
    if (kind != RF_OK)
        rf_log(RF_ERROR, "keeper.failed", RF_KV_STR("code", rf_str_of(err.code)),
               RF_KV_STR("why", rf_str_of(err.text)));
    /* Not exit(): it would run what libraries registered, while the workers still use them. */
    _exit(kind == RF_OK ? 0 : 1);
}
