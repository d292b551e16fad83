/* query_gate.c - how much one principal may ask at once, and the thread that ends queries whose client has gone or whose time
 * is over. */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/sysinfo.h>
#include <time.h>

#include "logs/query_int.h"

enum {
    RATE_SLOTS = 1024, /* principals that are told apart; the busiest stay */
    RATE_PROBES = 8,
    RATE_WINDOW_SECONDS = 30,
    TICK_USEC = 20000,
    IDLE_TICKS =
        50, /* the thread ticks on so long without a query, so that the next one need not wake it */
};

/* When the principal's allowance is whole again: each request moves it one interval on, and it may lie a window ahead. */
struct rate {
    uint64_t who;
    rf_usec whole_at;
};

struct queries {
    struct logs *logs;
    struct service query, kusto;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    pthread_t thread;
    bool stop, asleep;
    struct running *first;
    struct rate rates[RATE_SLOTS];
};

static uint64_t who_is(const struct principal *principal)
{
    if (principal == NULL) return 1;
    return rf_hash(principal->object_id.ptr, principal->object_id.len, 0) | 1;
}

/* ---- the watch --------------------------------------------------------------------------------------------------- */

static void look_at(struct running *r, rf_usec now)
{
    if (atomic_load_explicit(&r->cancelled, memory_order_relaxed)) return;
    bool late = now >= r->deadline;
    if (!late && !(r->gone != NULL && atomic_load_explicit(r->gone, memory_order_relaxed))) return;
    atomic_store(&r->timed_out, late);
    atomic_store(&r->cancelled, true);
}

static void wait_a_tick(struct queries *q)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += TICK_USEC * 1000L;
    until.tv_sec += until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    (void)pthread_cond_timedwait(&q->wake, &q->lock, &until);
}

static void *watch(void *ctx)
{
    struct queries *q = ctx;
    uint32_t idle = 0;
    pthread_mutex_lock(&q->lock);
    while (!q->stop) {
        rf_usec now = rf_clock_elapsed(q->logs->options.clock);
        for (struct running *r = q->first; r != NULL; r = r->next) look_at(r, now);
        idle = q->first == NULL ? idle + 1 : 0;
        if (idle <= IDLE_TICKS) {
            wait_a_tick(q);
            continue;
        }
        q->asleep = true;
        while (!q->stop && q->first == NULL) pthread_cond_wait(&q->wake, &q->lock);
        q->asleep = false;
        idle = 0;
    }
    pthread_mutex_unlock(&q->lock);
    return NULL;
}

static int start_thread(struct queries *q)
{
    sigset_t all, before; /* signals are for the thread that waits for them */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int failed = pthread_create(&q->thread, NULL, watch, q);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return failed;
}

/* A quarter of the machine's memory, within what the engine takes by itself. */
static size_t default_memory(void)
{
    struct sysinfo info;
    if (sysinfo(&info) != 0) return 0;
    return (size_t)RF_MIN((uint64_t)info.totalram * info.mem_unit / 4,
                          (uint64_t)KQL_MEMORY_DEFAULT);
}

enum rf_kind queries_new(struct logs *logs, struct rf_err *err)
{
    struct queries *q = calloc(1, sizeof *q);
    if (logs->options.query_memory_bytes == 0) logs->options.query_memory_bytes = default_memory();
    if (q == NULL) return RF_FAIL(err, RF_LIMIT, "OutOfMemory", "no memory for the query service");
    q->logs = logs;
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_mutex_init(&q->lock, NULL);
    pthread_cond_init(&q->wake, &attr);
    pthread_condattr_destroy(&attr);
    int failed = start_thread(q);
    if (failed != 0) {
        pthread_cond_destroy(&q->wake);
        pthread_mutex_destroy(&q->lock);
        free(q);
        errno = failed;
        return RF_FAIL_ERRNO(err, "ThreadLimit", "the thread that watches queries cannot start");
    }
    logs->queries = q;
    return RF_OK;
}

void queries_free(struct queries *q)
{
    if (q == NULL) return;
    pthread_mutex_lock(&q->lock);
    RF_ASSERT(q->first == NULL);
    q->stop = true;
    pthread_cond_signal(&q->wake);
    pthread_mutex_unlock(&q->lock);
    pthread_join(q->thread, NULL);
    pthread_cond_destroy(&q->wake);
    pthread_mutex_destroy(&q->lock);
    free(q);
}

struct service *queries_service(struct queries *queries, bool kusto)
{
    return kusto ? &queries->kusto : &queries->query;
}

/* ---- how much ---------------------------------------------------------------------------------------------------- */

/* The principal's entry, or the one that can be spared best. */
static struct rate *rate_of(struct queries *q, uint64_t who)
{
    struct rate *spare = NULL;
    for (uint32_t i = 0; i < RATE_PROBES; i++) {
        struct rate *r = &q->rates[(rf_hash_u64(who) + i) % RATE_SLOTS];
        if (r->who == who) return r;
        if (spare == NULL || r->whole_at < spare->whole_at) spare = r;
    }
    *spare = (struct rate){.who = who};
    return spare;
}

enum rf_kind queries_admit(struct queries *queries, const struct principal *principal,
                           uint32_t *retry_seconds, struct rf_err *err)
{
    uint32_t max = queries->logs->options.query_rate_max;
    if (max == 0) return RF_OK;
    rf_usec window = RATE_WINDOW_SECONDS * RF_USEC_PER_SECOND, interval = RF_MAX(window / max, 1);
    rf_usec now = rf_clock_elapsed(queries->logs->options.clock);
    pthread_mutex_lock(&queries->lock);
    struct rate *rate = rate_of(queries, who_is(principal));
    rf_usec next = RF_MAX(rate->whole_at, now) + interval;
    bool much = next - now > window;
    if (!much) rate->whole_at = next;
    pthread_mutex_unlock(&queries->lock);
    if (!much) return RF_OK;
    *retry_seconds = (uint32_t)((next - now - window) / RF_USEC_PER_SECOND) + 1;
    return RF_FAIL(err, RF_AGAIN, "ThrottledError",
                   "more than %u queries in %d seconds; try again after %u seconds", max,
                   RATE_WINDOW_SECONDS, *retry_seconds);
}

enum rf_kind running_begin(struct queries *queries, const struct principal *principal,
                           const atomic_bool *gone, int64_t wait_usec, struct running *running,
                           rf_str text, struct rf_err *err)
{
    *running = (struct running){.gone = gone,
                                .who = who_is(principal),
                                .text = text,
                                .begun = rf_clock_now(queries->logs->options.clock),
                                .queries = queries};
    if (principal != NULL) running->principal_id = principal->object_id;
    running->deadline = rf_clock_elapsed(queries->logs->options.clock) + wait_usec;
    uint32_t same = 0;
    pthread_mutex_lock(&queries->lock);
    for (struct running *r = queries->first; r != NULL; r = r->next) same += r->who == running->who;
    if (same < QUERY_RUNNING_MAX) {
        running->next = queries->first;
        running->link = &queries->first;
        if (queries->first != NULL) queries->first->link = &running->next;
        queries->first = running;
        if (queries->asleep) pthread_cond_signal(&queries->wake);
    }
    pthread_mutex_unlock(&queries->lock);
    if (same < QUERY_RUNNING_MAX) return RF_OK;
    return RF_FAIL(err, RF_AGAIN, "ThrottledError",
                   "%d queries of this caller run already; try again when one has ended",
                   QUERY_RUNNING_MAX);
}

void running_end(struct running *running)
{
    struct queries *queries = running->queries;
    pthread_mutex_lock(&queries->lock);
    *running->link = running->next;
    if (running->next != NULL) running->next->link = running->link;
    pthread_mutex_unlock(&queries->lock);
}

void running_name(struct running *running, rf_str id)
{
    pthread_mutex_lock(&running->queries->lock);
    running->id = id;
    pthread_mutex_unlock(&running->queries->lock);
}

bool running_cancel(struct queries *queries, rf_str principal_id, rf_str id, rf_usec *begun)
{
    bool found = false;
    pthread_mutex_lock(&queries->lock);
    for (struct running *r = queries->first; r != NULL && id.len > 0; r = r->next) {
        if (!rf_str_eq(r->id, id)) continue;
        if (principal_id.len > 0 && !rf_str_eq(r->principal_id, principal_id)) continue;
        atomic_store(&r->cancelled, true);
        *begun = r->begun;
        found = true;
    }
    pthread_mutex_unlock(&queries->lock);
    return found;
}

enum rf_kind running_list(struct queries *queries, struct rf_arena *arena, struct running **out,
                          struct rf_err *err)
{
    struct running *list = NULL;
    bool room = true;
    pthread_mutex_lock(&queries->lock);
    for (const struct running *r = queries->first; r != NULL && room; r = r->next) {
        struct running *copy = rf_arena_zalloc(arena, sizeof *copy);
        room = copy != NULL && rf_arena_str(arena, r->text, &copy->text) &&
               rf_arena_str(arena, r->principal_id, &copy->principal_id) &&
               rf_arena_str(arena, r->id, &copy->id);
        if (!room) break;
        copy->begun = r->begun;
        copy->next = list;
        list = copy;
    }
    pthread_mutex_unlock(&queries->lock);
    if (!room) return rf_fail_memory(err, arena);
    *out = list;
    return RF_OK;
}
