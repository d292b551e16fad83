/* keeper_process.c - the process that holds the keys: opens its files, gives up its rights, answers on the edge.
 *
 * Words: --folder FOLDER --domain DOMAIN [--name NAME]... [--hardening strict|best-effort|log|off] */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <openssl/crypto.h>

#include "base/log.h"
#include "base/pool.h"
#include "crypt/keeper_serve.h"
#include "crypt/secret.h"
#include "daemon/roles.h"

enum { NAMES_MAX = 64, WORKERS_MAX = 16, SECRET_BYTES = 4 << 20 };

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
    unsigned wanted = RF_MIN(pool_processors(), (unsigned)WORKERS_MAX), count = 0;
    pthread_attr_t attr;
    pthread_t thread;
    pthread_attr_init(&attr);
    pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    while (count < wanted && pthread_create(&thread, &attr, work, k) == 0) count++;
    pthread_attr_destroy(&attr);
    return count > 0 ? RF_OK : RF_FAIL(err, RF_LIMIT, "ThreadLimit", "the keeper starts no thread");
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

static enum rf_kind open_all(struct keeper_process *k, struct rf_err *err)
{
    enum secret_kind kind;
    /* No file of OpenSSL's is read: neither its settings nor its modules may depend on the machine. */
    RF_TRY(secret_heap_take_openssl(SECRET_BYTES, &kind, err));
    if (OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG | OPENSSL_INIT_NO_ATEXIT, NULL) != 1)
        return RF_FAIL(err, RF_IO, "CryptoFailed", "OpenSSL does not start");
    RF_TRY(open_core(k, err));
    RF_TRY(keeper_core_prime(k->core, err));
    RF_TRY(sandbox_keeper_before_threads(k->mode, k->strict, &k->report, err));
    k->report.secret_memory = rf_secret_kind_name(kind);
    RF_TRY(start_workers(k, err));
    RF_TRY(sandbox_keeper_after_threads(k->mode, k->strict, &k->report, err));
    RF_TRY(set_edge(k, k->start->edge_fd, err));
    return role_ready(k->start, &k->report, err);
}

static enum rf_kind run(struct keeper_process *k, struct rf_err *err)
{
    RF_TRY(open_all(k, err));
    for (;;) {
        struct role_message message;
        enum rf_kind kind = role_next_message(k->start, -1, &message, err);
        if (kind == RF_AGAIN && strcmp(err->code, "NoMessage") == 0) continue;
        RF_TRY(kind);
        if (message.type == ROLE_STOP) return RF_OK;
        if (message.type == ROLE_NEW_EDGE) RF_TRY(set_edge(k, message.fd, err));
    }
}

int keeper_role(const struct role_start *start)
{
    /* As long as the process, as its threads go on to the very end. */
    static struct keeper_process keeper = {.lock = PTHREAD_MUTEX_INITIALIZER,
                                           .changed = PTHREAD_COND_INITIALIZER};
    struct rf_err err = {0};
    keeper.start = start;
    keeper.options.clock = rf_clock_real();
    if (!read_words(&keeper)) {
        rf_log(RF_ERROR, "keeper.bad_words");
        return 2;
    }
    enum rf_kind kind = run(&keeper, &err);
    if (kind != RF_OK)
        rf_log(RF_ERROR, "keeper.failed", RF_KV_STR("code", rf_str_of(err.code)),
               RF_KV_STR("why", rf_str_of(err.text)));
    /* Not exit(): it would run what libraries registered, while the workers still use them. */
    _exit(kind == RF_OK ? 0 : 1);
}
