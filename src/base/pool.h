/* pool.h - worker threads that share out numbered jobs. */
#ifndef RF_POOL_H
#define RF_POOL_H

#include "base/rf.h"

struct pool;

enum { POOL_THREADS_MAX = 256 };

/* Does job `job`. `worker` says who does it: 0 is the caller of pool_run, others 1..threads-1; no
 * two jobs of one run have the same worker at the same time, so it may index per-worker memory. */
typedef enum rf_kind pool_job(void *ctx, size_t job, unsigned worker, struct rf_err *err);

/* A pool in which `threads` threads work, the caller of pool_run being one of them: 1 means no
 * thread is started. 0 takes as many as the machine has processors for this process. Errors:
 * RF_LIMIT ThreadLimit. */
RF_MUST_USE enum rf_kind pool_new(unsigned threads, struct pool **out, struct rf_err *err);
void pool_free(struct pool *pool); /* NULL is fine; no run may be under way */
unsigned pool_processors(void);    /* that this process may use */
unsigned pool_threads(const struct pool *pool);

/* Does jobs 0..count-1, in ascending order but side by side, and waits for all. After a job failed
 * no further one is begun, and its error is returned: the first in time. One run at a time per
 * pool; a job must not call pool_run on the same pool. A pool of NULL runs all in the caller. */
RF_MUST_USE enum rf_kind pool_run(struct pool *pool, size_t count, pool_job *fn, void *ctx,
                                  struct rf_err *err);

#endif
