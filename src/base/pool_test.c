#include "base/pool.h"
#include "test/rf_prop.h"

enum { JOBS_MAX = 5000 };

struct tally {
    atomic_int times[JOBS_MAX]; /* each job was done */
    atomic_bool busy[8];        /* a worker is in a job */
    size_t fail_at;
    atomic_size_t begun;
};

static enum rf_kind count_job(void *ctx, size_t job, unsigned worker, struct rf_err *err)
{
    struct tally *tally = ctx;
    cr_assert(worker < RF_COUNT(tally->busy));
    cr_assert(!atomic_exchange(&tally->busy[worker], true), "two jobs at once on one worker");
    atomic_fetch_add(&tally->begun, 1);
    atomic_fetch_add(&tally->times[job], 1);
    atomic_store(&tally->busy[worker], false);
    if (job == tally->fail_at) return RF_FAIL(err, RF_CORRUPT, "Broken", "job %zu", job);
    return RF_OK;
}

Test(pool, does_each_job_once)
{
    static const unsigned threads[] = {1, 2, 4, 8};
    static struct tally tally;
    for (size_t t = 0; t < RF_COUNT(threads); t++) {
        struct pool *pool = NULL;
        struct rf_err err;
        cr_assert(pool_new(threads[t], &pool, &err) == RF_OK && pool_threads(pool) == threads[t]);
        for (size_t count = 0; count < JOBS_MAX; count = count * 3 + 1) {
            memset(&tally, 0, sizeof tally);
            tally.fail_at = SIZE_MAX;
            cr_assert(pool_run(pool, count, count_job, &tally, &err) == RF_OK);
            for (size_t i = 0; i < JOBS_MAX; i++)
                cr_assert(tally.times[i] == (i < count), "job %zu", i);
        }
        pool_free(pool);
    }
}

Test(pool, stops_at_the_first_error)
{
    static struct tally tally;
    struct pool *pool = NULL;
    struct rf_err err;
    cr_assert(pool_new(4, &pool, &err) == RF_OK);
    for (int round = 0; round < 50; round++) {
        memset(&tally, 0, sizeof tally);
        tally.fail_at = 10;
        cr_assert(pool_run(pool, JOBS_MAX, count_job, &tally, &err) == RF_CORRUPT);
        cr_assert(strcmp(err.code, "Broken") == 0 && strcmp(err.text, "job 10") == 0);
        for (size_t i = 0; i <= 10; i++) cr_assert(tally.times[i] == 1, "earlier jobs were begun");
        tally.fail_at = SIZE_MAX;
        cr_assert(pool_run(pool, 3, count_job, &tally, NULL) == RF_OK, "the pool goes on");
    }
    pool_free(pool);
}

Test(pool, none_means_the_caller)
{
    static struct tally tally;
    struct rf_err err;
    tally.fail_at = 3;
    cr_assert(pool_threads(NULL) == 1);
    cr_assert(pool_run(NULL, 10, count_job, &tally, &err) == RF_CORRUPT && tally.begun == 4);
    pool_free(NULL);
    struct pool *pool = NULL;
    cr_assert(pool_new(POOL_THREADS_MAX + 1, &pool, &err) == RF_LIMIT && pool == NULL);
    cr_assert(pool_new(0, &pool, &err) == RF_OK && pool_threads(pool) >= 1);
    pool_free(pool);
}
