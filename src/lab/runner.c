/* runner.c - many tests, some at once. */
#include <pthread.h>

#include "lab/test.h"

enum { JOBS_MAX = 64 };
#define TEST_BYTES ((size_t)4 << 30)

struct work {
    const struct lab_tests *tests;
    const struct lab_test_options *options;
    struct rf_arena *arenas;
    struct lab_result *results;
    atomic_uint next;
};

static void *run(void *ctx)
{
    struct work *work = ctx;
    for (;;) {
        uint32_t at = atomic_fetch_add(&work->next, 1);
        if (at >= work->tests->count) return NULL;
        rf_arena_init(&work->arenas[at], TEST_BYTES);
        lab_test_run(&work->tests->items[at], work->options, &work->arenas[at], &work->results[at]);
    }
}

void lab_tests_run(const struct lab_tests *tests, const struct lab_test_options *options,
                   uint32_t jobs, struct rf_arena *arenas, struct lab_result *results)
{
    struct work work = {.tests = tests, .options = options, .arenas = arenas, .results = results};
    pthread_t threads[JOBS_MAX];
    uint32_t started = 0, wanted = RF_MIN(RF_MIN(jobs, tests->count), (uint32_t)JOBS_MAX);
    atomic_init(&work.next, 0);
    while (started + 1 < wanted && pthread_create(&threads[started], NULL, run, &work) == 0)
        started++;
    (void)run(&work); /* this thread does its part, and all of it when there is no other */
    for (uint32_t i = 0; i < started; i++) (void)pthread_join(threads[i], NULL);
}
