#include "daemon/listeners.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/log.h"
#include "crypt/digest.h"
#include "crypt/keeper_listener.h"

enum { ARENA_BYTES = 4 << 20, AGAIN_LOOKS = 30 /* so often the keeper is shown what it has */ };

struct listener {
    struct tls_context *tls;
    bool shows_vault;              /* else the own one */
    uint8_t applied[SHA256_BYTES]; /* of the chain that it shows then */
    uint32_t looks;                /* since the keeper was shown it */
    char complaint[64];            /* why the vault's is not taken; told once */
};
struct listeners {
    struct listeners_options options;
    struct listener items[KEEPER_LISTENER_END];
    rf_str own_chain; /* allocated */
    pthread_t thread;
    pthread_mutex_t lock, turn; /* of `stopping`; of the rest */
    pthread_cond_t changed;
    bool stopping, running;
};

static void complain(struct listeners *ls, enum keeper_listener which, rf_str label,
                     const struct rf_err *err)
{
    struct listener *l = &ls->items[which];
    const char *code = err->code == NULL ? "" : err->code;
    if (strcmp(l->complaint, code) == 0) return;
    (void)snprintf(l->complaint, sizeof l->complaint, "%s", code);
    (void)!keeper_listener_none(ls->options.keeper, which, &(struct rf_err){.code = ""});
    rf_log(
        RF_WARN, "listener.certificate_kept",
        RF_KV_STR("listener", rf_str_of(keeper_listener_name(which))),
        RF_KV_STR("certificate", label),
        RF_KV_STR("shows", l->shows_vault ? RF_S("the last good one") : RF_S("the server's own")),
        RF_KV_STR("code", rf_str_of(code)), RF_KV_STR("why", rf_str_of(err->text)));
}

static enum rf_kind show_own(struct listeners *ls, enum keeper_listener which, struct rf_err *err)
{
    struct listener *l = &ls->items[which];
    l->complaint[0] = '\0';
    if (!l->shows_vault) return RF_OK;
    RF_TRY(tls_server_renew(l->tls, ls->own_chain, err));
    l->shows_vault = false;
    rf_log(RF_INFO, "listener.certificate_own",
           RF_KV_STR("listener", rf_str_of(keeper_listener_name(which))));
    return RF_OK;
}

/* Shows the keeper what the vault has, and then clients. */
static enum rf_kind show_vault(struct listeners *ls, enum keeper_listener which,
                               const struct keeper_bound *bound, struct rf_arena *arena,
                               struct rf_err *err)
{
    struct listener *l = &ls->items[which];
    struct vault_listener now;
    uint8_t chain[SHA256_BYTES], leaf[SHA256_BYTES];
    RF_TRY(vaults_listener(ls->options.vaults, bound, arena, &now, err));
    digest_sha256(now.chain_pem, chain);
    digest_sha256(now.certificate, leaf);
    bool same = l->shows_vault && memcmp(chain, l->applied, sizeof chain) == 0;
    bool keeper_has = bound->is_in_use && memcmp(bound->leaf, leaf, sizeof leaf) == 0;
    if (same && keeper_has && l->complaint[0] == '\0' && ++l->looks < AGAIN_LOOKS) return RF_OK;
    RF_TRY(keeper_listener_show(ls->options.keeper, which, now.ring, now.sealed, now.certificate,
                                err));
    l->looks = 0;
    l->complaint[0] = '\0';
    if (same) return RF_OK;
    RF_TRY(tls_server_renew_far(l->tls, now.chain_pem, err));
    l->shows_vault = true;
    memcpy(l->applied, chain, sizeof chain);
    rf_log(RF_INFO, "listener.certificate",
           RF_KV_STR("listener", rf_str_of(keeper_listener_name(which))),
           RF_KV_STR("certificate", bound->label), RF_KV_STR("version", now.version));
    return RF_OK;
}

static void look_at(struct listeners *ls, enum keeper_listener which)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    struct keeper_bound bound;
    struct rf_err err = {.code = ""};
    rf_arena_init(&arena, ARENA_BYTES);
    if (keeper_listener_get(ls->options.keeper, which, &arena, &bound, &err) != RF_OK) return;
    if (!bound.is_bound) {
        if (show_own(ls, which, &err) != RF_OK) complain(ls, which, RF_S("-"), &err);
        return;
    }
    /* A keeper that is being started anew is no fault of the certificate. */
    enum rf_kind kind = show_vault(ls, which, &bound, &arena, &err);
    if (kind != RF_OK && kind != RF_AGAIN) complain(ls, which, bound.label, &err);
}

void listeners_look(struct listeners *ls)
{
    if (ls == NULL) return;
    pthread_mutex_lock(&ls->turn);
    for (enum keeper_listener at = KEEPER_LISTENER_HTTPS; at < KEEPER_LISTENER_END; at++)
        look_at(ls, at);
    pthread_mutex_unlock(&ls->turn);
}

static void *run(void *ctx)
{
    struct listeners *ls = ctx;
    pthread_mutex_lock(&ls->lock);
    while (!ls->stopping) {
        struct timespec until;
        (void)clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_sec++;
        (void)pthread_cond_timedwait(&ls->changed, &ls->lock, &until);
        if (ls->stopping) break;
        pthread_mutex_unlock(&ls->lock);
        listeners_look(ls);
        pthread_mutex_lock(&ls->lock);
    }
    pthread_mutex_unlock(&ls->lock);
    return NULL;
}

static enum rf_kind keep_chain(struct listeners *ls, rf_str chain, struct rf_err *err)
{
    uint8_t *copy = malloc(chain.len + 1);
    if (copy == NULL) return RF_FAIL(err, RF_LIMIT, "MemoryBudgetExceeded", "a chain");
    memcpy(copy, chain.ptr, chain.len);
    free((void *)(uintptr_t)ls->own_chain.ptr);
    ls->own_chain = rf_str_make(copy, chain.len);
    return RF_OK;
}

static enum rf_kind start_thread(struct listeners *ls, struct rf_err *err)
{
    sigset_t all, before;
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&ls->changed, &attr);
    pthread_condattr_destroy(&attr);
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    int failed = pthread_create(&ls->thread, NULL, run, ls);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (failed != 0) return RF_FAIL(err, RF_LIMIT, "ThreadFailed", "no thread for listeners");
    ls->running = true;
    return RF_OK;
}

enum rf_kind listeners_start(const struct listeners_options *options, struct listeners **out,
                             struct rf_err *err)
{
    struct listeners *ls = calloc(1, sizeof *ls);
    if (ls == NULL) return RF_FAIL(err, RF_LIMIT, "MemoryBudgetExceeded", "the listeners");
    ls->options = *options;
    ls->items[KEEPER_LISTENER_HTTPS].tls = options->https;
    ls->items[KEEPER_LISTENER_STREAMS].tls = options->streams;
    pthread_mutex_init(&ls->lock, NULL);
    pthread_mutex_init(&ls->turn, NULL);
    enum rf_kind kind = keep_chain(ls, options->own_chain, err);
    if (kind == RF_OK) {
        listeners_look(ls);
        kind = start_thread(ls, err);
    }
    if (kind == RF_OK)
        *out = ls;
    else
        listeners_stop(ls);
    return kind;
}

enum rf_kind listeners_own(struct listeners *ls, rf_str own_chain, struct rf_err *err)
{
    pthread_mutex_lock(&ls->turn);
    enum rf_kind kind = keep_chain(ls, own_chain, err);
    for (enum keeper_listener at = KEEPER_LISTENER_HTTPS; at < KEEPER_LISTENER_END; at++)
        if (kind == RF_OK && !ls->items[at].shows_vault)
            kind = tls_server_renew(ls->items[at].tls, own_chain, err);
    pthread_mutex_unlock(&ls->turn);
    return kind;
}

void listeners_stop(struct listeners *ls)
{
    if (ls == NULL) return;
    if (ls->running) {
        pthread_mutex_lock(&ls->lock);
        ls->stopping = true;
        pthread_cond_signal(&ls->changed);
        pthread_mutex_unlock(&ls->lock);
        pthread_join(ls->thread, NULL);
        pthread_cond_destroy(&ls->changed);
    }
    pthread_mutex_destroy(&ls->lock);
    pthread_mutex_destroy(&ls->turn);
    free((void *)(uintptr_t)ls->own_chain.ptr);
    free(ls);
}
