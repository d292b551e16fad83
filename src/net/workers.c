#define _GNU_SOURCE /* adaptive locks */
#include <stdlib.h>

#include "base/pool.h"
#include "net/server_int.h"

/* Requests wait by who asked: `who` picks one of a fixed number of turns, and turns with somebody waiting are served in a ring.
 * This is stochastic fair queueing: no table to grow, no caller's flood delays another by more than one
 * request, unless the two share a turn. */
enum { TURNS = 1024, QUICK_WAITING_MAX = 8192, HEAVY_WAITING_MAX = 1024 };

struct turn {
    struct work_item *first, *last;
    uint32_t count;
    struct turn *next; /* in the ring of those with somebody waiting */
};

struct lane {
    pthread_mutex_t lock;
    pthread_cond_t wake;
    struct turn turns[TURNS];
    struct turn *first, *last; /* the ring, as a queue */
    uint32_t waiting, waiting_max;
    uint32_t sleeping; /* workers */
    bool is_waking;    /* one was told to come and has not looked yet */
    bool is_stopping;
    pthread_t *threads;
    uint32_t thread_count;
};

struct workers {
    struct lane quick, heavy;
};

static void append_turn(struct lane *lane, struct turn *turn)
{
    turn->next = NULL;
    if (lane->last == NULL)
        lane->first = turn;
    else
        lane->last->next = turn;
    lane->last = turn;
}

/* A single caller gets half of the room, so that others find some. */
static bool enqueue(struct lane *lane, struct work_item *item)
{
    struct turn *turn = &lane->turns[rf_hash_u64(item->who) % TURNS];
    if (lane->waiting >= lane->waiting_max || turn->count >= lane->waiting_max / 2) return false;
    item->next = NULL;
    if (turn->count == 0) {
        turn->first = item;
        append_turn(lane, turn);
    } else {
        turn->last->next = item;
    }
    turn->last = item;
    turn->count++;
    lane->waiting++;
    return true;
}

/* One of the turn at the front, which then goes to the back. */
static struct work_item *dequeue(struct lane *lane)
{
    struct turn *turn = lane->first;
    if (turn == NULL) return NULL;
    struct work_item *item = turn->first;
    lane->first = turn->next;
    if (lane->first == NULL) lane->last = NULL;
    turn->first = item->next;
    turn->count--;
    lane->waiting--;
    if (turn->count > 0) append_turn(lane, turn);
    item->next = NULL;
    return item;
}

/* Whether somebody is to be woken for what waits; the lock is held. One at a time is on the way, and wakes the next when it finds more than it takes:
 * to wake a thread costs as much as a short request, and the one that comes may take several before another could have come. */
static bool wants_wake(struct lane *lane)
{
    if (lane->waiting == 0 || lane->sleeping == 0 || lane->is_waking) return false;
    lane->is_waking = true;
    return true;
}

static void *work(void *arg)
{
    struct lane *lane = arg;
    pthread_mutex_lock(&lane->lock);
    for (;;) {
        struct work_item *item = dequeue(lane);
        if (item == NULL) {
            if (lane->is_stopping) break;
            lane->sleeping++;
            pthread_cond_wait(&lane->wake, &lane->lock);
            lane->sleeping--;
            lane->is_waking = false;
            continue;
        }
        bool wake = wants_wake(lane);
        pthread_mutex_unlock(&lane->lock);
        /* Behind the lock, which the woken one would run into. */
        if (wake) pthread_cond_signal(&lane->wake);
        item->run(item);
        loop_post(item->loop, item);
        pthread_mutex_lock(&lane->lock);
    }
    pthread_mutex_unlock(&lane->lock);
    return NULL;
}

bool workers_put(struct workers *workers, enum http_lane which, struct work_item *item)
{
    struct lane *lane = which == HTTP_HEAVY ? &workers->heavy : &workers->quick;
    pthread_mutex_lock(&lane->lock);
    bool taken = enqueue(lane, item), wake = wants_wake(lane);
    pthread_mutex_unlock(&lane->lock);
    /* A worker that is awake looks again before it sleeps. */
    if (wake) pthread_cond_signal(&lane->wake);
    return taken;
}

static enum rf_kind lane_start(struct lane *lane, uint32_t threads, uint32_t waiting_max,
                               struct rf_err *err)
{
    lane->waiting_max = waiting_max;
    lane->threads = calloc(threads, sizeof *lane->threads);
    if (lane->threads == NULL) return RF_FAIL(err, RF_LIMIT, "ThreadLimit", "no memory");
    for (uint32_t i = 0; i < threads; i++) {
        if (pthread_create(&lane->threads[i], NULL, work, lane) != 0)
            return RF_FAIL(err, RF_LIMIT, "ThreadLimit", "worker %u of %u", i + 1, threads);
        lane->thread_count++;
    }
    return RF_OK;
}

static void lane_stop(struct lane *lane)
{
    pthread_mutex_lock(&lane->lock);
    lane->is_stopping = true;
    pthread_cond_broadcast(&lane->wake);
    pthread_mutex_unlock(&lane->lock);
    for (uint32_t i = 0; i < lane->thread_count; i++) pthread_join(lane->threads[i], NULL);
    free(lane->threads);
    pthread_mutex_destroy(&lane->lock);
    pthread_cond_destroy(&lane->wake);
}

/* A quick request may wait for the disk or the keeper, which sync once for all that wait: so there are many more of those workers than processors, and
 * one that waits costs no more than its stack. */
static uint32_t default_workers(enum http_lane lane)
{
    uint32_t processors = pool_processors();
    return lane == HTTP_HEAVY ? RF_MAX(processors, 2u) : RF_MIN(RF_MAX(processors * 8, 32u), 128u);
}

enum rf_kind workers_new(uint32_t quick, uint32_t heavy, struct workers **out, struct rf_err *err)
{
    struct workers *workers = calloc(1, sizeof *workers);
    if (workers == NULL) return RF_FAIL(err, RF_LIMIT, "ThreadLimit", "no memory for workers");
    struct lane *lanes[] = {&workers->quick, &workers->heavy};
    pthread_mutexattr_t attr;
    /* They are held for less than it takes to sleep and be woken. */
    pthread_mutexattr_init(&attr);
    pthread_mutexattr_settype(&attr, PTHREAD_MUTEX_ADAPTIVE_NP);
    for (size_t i = 0; i < RF_COUNT(lanes); i++) {
        pthread_mutex_init(&lanes[i]->lock, &attr);
        pthread_cond_init(&lanes[i]->wake, NULL);
    }
    pthread_mutexattr_destroy(&attr);
    if (quick == 0) quick = default_workers(HTTP_QUICK);
    if (heavy == 0) heavy = default_workers(HTTP_HEAVY);
    enum rf_kind kind = lane_start(&workers->quick, quick, QUICK_WAITING_MAX, err);
    if (kind == RF_OK) kind = lane_start(&workers->heavy, heavy, HEAVY_WAITING_MAX, err);
    if (kind == RF_OK)
        *out = workers;
    else
        workers_free(workers);
    return kind;
}

void workers_free(struct workers *workers)
{
    if (workers == NULL) return;
    lane_stop(&workers->quick);
    lane_stop(&workers->heavy);
    free(workers);
}
