/* deploy_engine.c - the threads of deployments, their queue, and what requests ask of jobs that are under way. */
#include "arm/deploy_int.h"

#include "base/log.h"

#include <stdlib.h>
#include <time.h>

struct deploy_engine *deploy_engine_new(void)
{
    struct deploy_engine *engine = calloc(1, sizeof *engine);
    if (engine == NULL) return NULL;
    pthread_mutex_init(&engine->lock, NULL);
    pthread_cond_init(&engine->work, NULL);
    pthread_cond_init(&engine->ended, NULL);
    return engine;
}

void deploy_job_free(struct deploy_job *job)
{
    if (job == NULL) return;
    rf_arena_done(&job->arena);
    free(job);
}

void deploy_result_free(struct deploy_result *result)
{
    if (result == NULL) return;
    rf_arena_done(&result->arena);
    free(result);
}

void deploy_engine_free(struct deploy_engine *engine)
{
    if (engine == NULL) return;
    pthread_mutex_lock(&engine->lock);
    engine->stops = true;
    for (uint32_t i = 0; i < DEPLOY_THREADS; i++)
        if (engine->running[i] != NULL) atomic_store(&engine->running[i]->cancelled, true);
    for (struct deploy_job *job = engine->first; job != NULL; job = job->next)
        atomic_store(&job->cancelled, true);
    pthread_cond_broadcast(&engine->work);
    pthread_cond_broadcast(&engine->ended);
    pthread_mutex_unlock(&engine->lock);
    for (uint32_t i = 0; i < engine->thread_count; i++) pthread_join(engine->threads[i], NULL);
    for (uint32_t i = 0; i < DEPLOY_RESULTS_MAX; i++) deploy_result_free(engine->results[i]);
    pthread_cond_destroy(&engine->work);
    pthread_cond_destroy(&engine->ended);
    pthread_mutex_destroy(&engine->lock);
    free(engine);
}

/* ---- finding; the lock is held ---------------------------------------------------------------------------------------- */

static struct deploy_job *find(struct deploy_engine *engine, rf_str key)
{
    for (uint32_t i = 0; i < DEPLOY_THREADS; i++)
        if (engine->running[i] != NULL && rf_str_eq(engine->running[i]->key, key))
            return engine->running[i];
    for (struct deploy_job *job = engine->first; job != NULL; job = job->next)
        if (rf_str_eq(job->key, key)) return job;
    return NULL;
}

bool deploy_is_active(struct deploy_engine *engine, rf_str key)
{
    pthread_mutex_lock(&engine->lock);
    bool found = find(engine, key) != NULL;
    pthread_mutex_unlock(&engine->lock);
    return found;
}

bool deploy_has_just_ended(struct deploy_engine *engine, rf_str key)
{
    uint64_t hash = rf_hash(key.ptr, key.len, 0);
    bool found = false;
    pthread_mutex_lock(&engine->lock);
    for (uint32_t i = 0; i < DEPLOY_ENDED_MAX; i++) found |= engine->ended_keys[i] == hash;
    pthread_mutex_unlock(&engine->lock);
    return found;
}

static enum rf_kind fail_active(rf_str key, struct rf_err *err)
{
    size_t slash = key.len;
    while (slash > 0 && key.ptr[slash - 1] != '/') slash--;
    rf_str name = rf_slice(key, slash, key.len);
    return RF_FAIL(err, RF_CONFLICT, "DeploymentActive",
                   "Unable to edit or replace deployment '%.*s': previous deployment is still "
                   "active. Please see https://aka.ms/arm-deploy for usage details.",
                   RF_FMT(name));
}

enum rf_kind deploy_check_active(struct deploy_engine *engine, rf_str key, struct rf_err *err)
{
    return deploy_is_active(engine, key) ? fail_active(key, err) : RF_OK;
}

bool deploy_cancel(struct deploy_engine *engine, rf_str key)
{
    pthread_mutex_lock(&engine->lock);
    struct deploy_job *job = find(engine, key);
    if (job != NULL) atomic_store(&job->cancelled, true);
    pthread_cond_broadcast(&engine->ended);
    pthread_mutex_unlock(&engine->lock);
    return job != NULL;
}

enum rf_kind deploy_live_operations(struct deploy_engine *engine, rf_str key,
                                    struct rf_arena *arena, struct json_node **out,
                                    struct rf_err *err)
{
    *out = NULL;
    pthread_mutex_lock(&engine->lock);
    const struct deploy_job *job = find(engine, key);
    if (job != NULL) *out = json_clone(arena, job->operations);
    pthread_mutex_unlock(&engine->lock);
    return job != NULL && *out == NULL ? rf_fail_memory(err, arena) : RF_OK;
}

/* ---- threads --------------------------------------------------------------------------------------------------------------- */

/* Gives up one hold; true when it was the last. */
static bool let_go(struct deploy_job *job) { return --job->holders == 0; }

struct worker {
    struct deploy_engine *engine;
    uint32_t index;
};

/* The first that is ready; NULL: none. */
static struct deploy_job *first_ready(struct deploy_engine *engine)
{
    struct deploy_job *job = engine->first;
    while (job != NULL && !job->ready) job = job->next;
    return job;
}

static void take_out(struct deploy_engine *engine, struct deploy_job *job)
{
    struct deploy_job **link = &engine->first;
    engine->last = NULL;
    while (*link != NULL) {
        if (*link == job) {
            *link = job->next;
            continue;
        }
        engine->last = *link;
        link = &(*link)->next;
    }
    job->next = NULL;
}

/* When the engine stops, those that wait are taken all the same: they are cancelled, and end at once. */
static struct deploy_job *take(struct deploy_engine *engine, uint32_t index)
{
    struct deploy_job *job;
    pthread_mutex_lock(&engine->lock);
    while ((job = first_ready(engine)) == NULL && !engine->stops)
        pthread_cond_wait(&engine->work, &engine->lock);
    if (job != NULL) {
        take_out(engine, job);
        engine->running[index] = job;
    }
    pthread_mutex_unlock(&engine->lock);
    return job;
}

static void *work(void *arg)
{
    struct worker worker = *(struct worker *)arg;
    struct deploy_engine *engine = worker.engine;
    struct deploy_job *job;
    free(arg);
    while ((job = take(engine, worker.index)) != NULL) {
        deploy_job_run(job, engine);
        pthread_mutex_lock(&engine->lock);
        engine->running[worker.index] = NULL;
        if (job->stored)
            engine->ended_keys[engine->ended_at++ % DEPLOY_ENDED_MAX] =
                rf_hash(job->key.ptr, job->key.len, 0);
        engine->job_count--;
        job->done = true;
        bool last = let_go(job);
        pthread_cond_broadcast(&engine->ended);
        pthread_mutex_unlock(&engine->lock);
        if (last) deploy_job_free(job);
    }
    return NULL;
}

/* Threads come with the first deployment: most programs that have an arm never need them. */
static bool start_threads(struct deploy_engine *engine)
{
    while (engine->thread_count < DEPLOY_THREADS) {
        struct worker *worker = malloc(sizeof *worker);
        if (worker == NULL) break;
        *worker = (struct worker){engine, engine->thread_count};
        if (pthread_create(&engine->threads[engine->thread_count], NULL, work, worker) != 0) {
            free(worker);
            break;
        }
        engine->thread_count++;
    }
    return engine->thread_count > 0;
}

enum rf_kind deploy_enter(struct deploy_engine *engine, struct deploy_job *job, struct rf_err *err)
{
    pthread_mutex_lock(&engine->lock);
    bool active = find(engine, job->key) != NULL;
    bool full = engine->job_count >= DEPLOY_QUEUE_MAX || engine->stops ||
                (!active && !start_threads(engine));
    if (!active && !full) {
        job->holders = 2; /* the thread and the request */
        job->next = NULL;
        if (engine->last == NULL)
            engine->first = job;
        else
            engine->last->next = job;
        engine->last = job;
        engine->job_count++;
    }
    pthread_mutex_unlock(&engine->lock);
    if (active) return fail_active(job->key, err);
    if (!full) return RF_OK;
    return RF_FAIL(err, RF_AGAIN, "TooManyDeployments",
                   "%d deployments wait or run already. Try again later.", DEPLOY_QUEUE_MAX);
}

void deploy_release(struct deploy_engine *engine, struct deploy_job *job, bool run)
{
    pthread_mutex_lock(&engine->lock);
    job->ready = run;
    if (run) {
        pthread_cond_signal(&engine->work);
    } else {
        take_out(engine, job);
        engine->job_count--;
    }
    pthread_mutex_unlock(&engine->lock);
}

void deploy_finish(struct deploy_engine *engine, struct deploy_job *job, bool may_wait)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += DEPLOY_WAIT_SECONDS;
    pthread_mutex_lock(&engine->lock);
    if (may_wait && engine->waiters < DEPLOY_WAITERS_MAX) {
        engine->waiters++;
        while (!job->done && !engine->stops &&
               pthread_cond_timedwait(&engine->ended, &engine->lock, &until) == 0)
            continue;
        engine->waiters--;
    }
    bool last = let_go(job);
    pthread_mutex_unlock(&engine->lock);
    if (last) deploy_job_free(job);
}
