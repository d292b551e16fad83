#define _GNU_SOURCE /* sched_getaffinity */
#include "base/pool.h"

#include <pthread.h>
#include <sched.h>
#include <stdlib.h>

/* One run under way. Workers draw job numbers from `next`. */
struct run {
    pool_job *fn;
    void *ctx;
    size_t count;
    atomic_size_t next;
    atomic_bool failed; /* set once, together with kind and err, under the lock */
    enum rf_kind kind;
    struct rf_err err;
};

struct pool {
    unsigned threads;
    pthread_t *handles; /* threads - 1 */
    pthread_mutex_t lock;
    pthread_cond_t wake, done;
    struct run *run;     /* what sleepers should join; NULL when there is nothing */
    uint64_t run_number; /* so that a worker joins each run once */
    unsigned inside;     /* workers that work on `run` */
    bool stop;
};

struct worker {
    struct pool *pool;
    unsigned index;
};

static void run_jobs(struct pool *pool, struct run *run, unsigned worker)
{
    struct rf_err err = {0};
    while (!atomic_load_explicit(&run->failed, memory_order_relaxed)) {
        size_t job = atomic_fetch_add_explicit(&run->next, 1, memory_order_relaxed);
        if (job >= run->count) return;
        enum rf_kind kind = run->fn(run->ctx, job, worker, &err);
        if (RF_LIKELY(kind == RF_OK)) continue;
        if (pool != NULL) pthread_mutex_lock(&pool->lock);
        if (!atomic_load_explicit(&run->failed, memory_order_relaxed)) {
            run->kind = kind;
            run->err = err;
            atomic_store_explicit(&run->failed, true, memory_order_relaxed);
        }
        if (pool != NULL) pthread_mutex_unlock(&pool->lock);
    }
}

static void *worker_main(void *arg)
{
    struct worker self = *(struct worker *)arg;
    free(arg);
    struct pool *pool = self.pool;
    uint64_t seen = 0;
    pthread_mutex_lock(&pool->lock);
    for (;;) {
        while (!pool->stop && (pool->run == NULL || pool->run_number == seen))
            pthread_cond_wait(&pool->wake, &pool->lock);
        if (pool->stop) break;
        seen = pool->run_number;
        struct run *run = pool->run;
        pool->inside++;
        pthread_mutex_unlock(&pool->lock);
        run_jobs(pool, run, self.index);
        pthread_mutex_lock(&pool->lock);
        if (--pool->inside == 0) pthread_cond_signal(&pool->done);
    }
    pthread_mutex_unlock(&pool->lock);
    return NULL;
}

unsigned pool_processors(void)
{
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) != 0) return 1;
    int count = CPU_COUNT(&set);
    return count < 1 ? 1 : (unsigned)count;
}

static bool start_worker(struct pool *pool, unsigned index)
{
    struct worker *worker = malloc(sizeof *worker);
    if (worker == NULL) return false;
    *worker = (struct worker){.pool = pool, .index = index};
    if (pthread_create(&pool->handles[index - 1], NULL, worker_main, worker) == 0) return true;
    free(worker);
    return false;
}

static void stop_workers(struct pool *pool, unsigned started)
{
    pthread_mutex_lock(&pool->lock);
    pool->stop = true;
    pthread_cond_broadcast(&pool->wake);
    pthread_mutex_unlock(&pool->lock);
    for (unsigned i = 0; i < started; i++) pthread_join(pool->handles[i], NULL);
}

static void pool_dispose(struct pool *pool)
{
    pthread_cond_destroy(&pool->wake);
    pthread_cond_destroy(&pool->done);
    pthread_mutex_destroy(&pool->lock);
    free(pool->handles);
    free(pool);
}

enum rf_kind pool_new(unsigned threads, struct pool **out, struct rf_err *err)
{
    if (threads == 0) threads = RF_MIN(pool_processors(), (unsigned)POOL_THREADS_MAX);
    if (threads > POOL_THREADS_MAX)
        return RF_FAIL(err, RF_LIMIT, "ThreadLimit", "%u threads were asked for, %d is the most",
                       threads, POOL_THREADS_MAX);
    struct pool *pool = calloc(1, sizeof *pool);
    pthread_t *handles = calloc(threads, sizeof *handles);
    if (pool == NULL || handles == NULL) {
        free(pool);
        free(handles);
        return RF_FAIL(err, RF_LIMIT, "ThreadLimit", "no memory for %u threads", threads);
    }
    pool->threads = threads;
    pool->handles = handles;
    pthread_mutex_init(&pool->lock, NULL);
    pthread_cond_init(&pool->wake, NULL);
    pthread_cond_init(&pool->done, NULL);
    for (unsigned i = 1; i < threads; i++) {
        if (start_worker(pool, i)) continue;
        stop_workers(pool, i - 1);
        pool_dispose(pool);
        return RF_FAIL(err, RF_LIMIT, "ThreadLimit", "the system gave %u of %u threads", i - 1,
                       threads);
    }
    *out = pool;
    return RF_OK;
}

void pool_free(struct pool *pool)
{
    if (pool == NULL) return;
    RF_ASSERT(pool->run == NULL);
    stop_workers(pool, pool->threads - 1);
    pool_dispose(pool);
}

unsigned pool_threads(const struct pool *pool) { return pool == NULL ? 1 : pool->threads; }

static void share_run(struct pool *pool, struct run *run)
{
    pthread_mutex_lock(&pool->lock);
    RF_ASSERT(pool->run == NULL);
    pool->run = run;
    pool->run_number++;
    pthread_cond_broadcast(&pool->wake);
    pthread_mutex_unlock(&pool->lock);

    run_jobs(pool, run, 0);

    pthread_mutex_lock(&pool->lock);
    pool->run = NULL; /* who still sleeps has nothing left to do */
    while (pool->inside > 0) pthread_cond_wait(&pool->done, &pool->lock);
    pthread_mutex_unlock(&pool->lock);
}

enum rf_kind pool_run(struct pool *pool, size_t count, pool_job *fn, void *ctx, struct rf_err *err)
{
    struct run run = {.fn = fn, .ctx = ctx, .count = count, .kind = RF_OK};
    /* Waking others costs more than a single job's wait. */
    if (pool_threads(pool) == 1 || count <= 1)
        run_jobs(NULL, &run, 0);
    else
        share_run(pool, &run);
    if (run.kind != RF_OK && err != NULL) *err = run.err;
    return run.kind;
}
