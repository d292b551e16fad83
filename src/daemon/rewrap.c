#include "daemon/rewrap.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#include "base/log.h"
#include "crypt/rewrap.h"

/* Two clean turns, one behind the other, are what the keeper wants to see; a further one each few hours finds what came by other ways, such as files put back. */
enum { CLEAN_WANTED = 2, LOOK_SECONDS = 2, WAIT_SECONDS_MAX = 600, AGAIN_SECONDS = 6 * 3600 };
#define TELL_USEC (RF_USEC_PER_SECOND)

struct rewrap_job {
    struct rewrap_options options;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    pthread_t thread;
    atomic_bool stops;
    struct rf_clock *clock;
    rf_usec told, ended; /* elapsed */
    unsigned wait_seconds;
    struct keeper_found counted; /* by the sweep that only counts */
};

/* What is left while keys are moving: what was counted, less those that moved. */
static void tell_moved(void *ctx, struct rewrap_sweep *sweep)
{
    struct rewrap_job *job = ctx;
    struct keeper_found found = job->counted;
    struct keeper_generations now;
    rf_usec at = rf_clock_elapsed(job->clock);
    uint64_t moved = sweep->moved_count;
    if (at - job->told < TELL_USEC) return;
    job->told = at;
    for (unsigned i = KEEPER_GENERATIONS_MAX - 1; i > 0; i--) {
        uint64_t n = RF_MIN(moved, found.under[i]);
        found.under[i] -= n;
        found.under[0] += n;
        moved -= n;
    }
    (void)!keeper_rewrap_turn(job->options.keeper, KEEPER_TURN_TELL, &found, &now, NULL);
}

static enum rf_kind sweep_all(struct rewrap_job *job, struct rewrap_sweep *sweep,
                              struct rf_err *err)
{
    const struct rewrap_options *o = &job->options;
    sweep->keeper = o->keeper;
    sweep->stop = &job->stops;
    sweep->found.newest = sweep->newest;
    RF_TRY(vaults_rewrap(o->vaults, sweep, err));
    if (o->hubs != NULL) RF_TRY(hubs_rewrap(o->hubs, sweep, err));
    return tables_rewrap(o->tables, sweep, err);
}

static enum rf_kind turn(struct rewrap_job *job, struct keeper_generations *now, struct rf_err *err)
{
    struct keeper *keeper = job->options.keeper;
    RF_TRY(keeper_rewrap_turn(keeper, KEEPER_TURN_BEGIN, NULL, now, err));
    struct rewrap_sweep counts = {.newest = now->newest},
                        moves = {
                            .newest = now->newest, .moves = true, .moved = tell_moved, .ctx = job};
    RF_TRY(sweep_all(job, &counts, err));
    job->counted = counts.found;
    RF_TRY(keeper_rewrap_turn(keeper, KEEPER_TURN_TELL, &counts.found, now, err));
    RF_TRY(sweep_all(job, &moves, err));
    RF_TRY(keeper_rewrap_turn(keeper, KEEPER_TURN_END, &moves.found, now, err));
    job->ended = rf_clock_elapsed(job->clock);
    if (moves.moved_count > 0)
        rf_log(RF_INFO, "rewrap.turn", RF_KV_U64("generation", moves.newest),
               RF_KV_U64("rewrapped", moves.moved_count), RF_KV_U64("shown", moves.shown));
    return RF_OK;
}

/* Whether there is something to look for. Asks the keeper, which knows of rotations. */
static bool is_due(struct rewrap_job *job, struct keeper_generations *now)
{
    if (keeper_rewrap_turn(job->options.keeper, KEEPER_TURN_ASK, NULL, now, NULL) != RF_OK)
        return false;
    if (now->kept == now->newest) return false; /* there are no older ones */
    rf_usec since = rf_clock_elapsed(job->clock) - job->ended;
    return now->clean < CLEAN_WANTED || since > AGAIN_SECONDS * RF_USEC_PER_SECOND;
}

static void step(struct rewrap_job *job)
{
    struct keeper_generations now;
    struct rf_err err = {0};
    if (!is_due(job, &now)) {
        job->wait_seconds = LOOK_SECONDS;
        return;
    }
    uint32_t clean = now.clean;
    enum rf_kind kind = turn(job, &now, &err);
    if (kind == RF_CANCELLED) return;
    if (kind != RF_OK)
        rf_log(RF_WARN, "rewrap.turn_failed", RF_KV_STR("code", rf_str_of(err.code)),
               RF_KV_STR("why", rf_str_of(err.text)));
    /* What could not be moved now is tried again, more and more seldom. */
    bool good = kind == RF_OK && (now.clean > clean || now.clean >= CLEAN_WANTED);
    job->wait_seconds = good ? LOOK_SECONDS : RF_MIN(job->wait_seconds * 2, WAIT_SECONDS_MAX);
}

static void wait_for(struct rewrap_job *job)
{
    struct timespec until;
    (void)clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += (time_t)job->wait_seconds;
    (void)pthread_mutex_lock(&job->lock);
    while (!atomic_load(&job->stops))
        if (pthread_cond_timedwait(&job->wake, &job->lock, &until) == ETIMEDOUT) break;
    (void)pthread_mutex_unlock(&job->lock);
}

static void *work(void *ctx)
{
    struct rewrap_job *job = ctx;
    while (!atomic_load(&job->stops)) {
        step(job);
        wait_for(job);
    }
    return NULL;
}

static void job_free(struct rewrap_job *job)
{
    (void)pthread_cond_destroy(&job->wake);
    (void)pthread_mutex_destroy(&job->lock);
    free(job);
}

enum rf_kind rewrap_start(const struct rewrap_options *options, struct rewrap_job **out,
                          struct rf_err *err)
{
    struct rewrap_job *job = calloc(1, sizeof *job);
    pthread_condattr_t attr;
    if (job == NULL) return RF_FAIL(err, RF_LIMIT, "MemoryBudgetExceeded", "no memory to start");
    job->options = *options;
    job->clock = rf_clock_real();
    job->wait_seconds = LOOK_SECONDS;
    (void)pthread_mutex_init(&job->lock, NULL);
    (void)pthread_condattr_init(&attr);
    (void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&job->wake, &attr);
    (void)pthread_condattr_destroy(&attr);
    if (pthread_create(&job->thread, NULL, work, job) != 0) {
        job_free(job);
        return RF_FAIL(err, RF_LIMIT, "ThreadLimit", "no thread for rewrapping can be started");
    }
    *out = job;
    return RF_OK;
}

void rewrap_stop(struct rewrap_job *job)
{
    if (job == NULL) return;
    (void)pthread_mutex_lock(&job->lock);
    atomic_store(&job->stops, true);
    (void)pthread_cond_signal(&job->wake);
    (void)pthread_mutex_unlock(&job->lock);
    (void)pthread_join(job->thread, NULL);
    job_free(job);
}
