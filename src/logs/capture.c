/* capture.c - the threads that capture: each takes a partition that has something, reads a batch of it, stores rows and mark. A
 * partition without events costs nothing but a waiter of its hub. */
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>

#include "base/log.h"
#include "logs/capture.h"
#include "logs/capture_int.h"

enum { LOAD_BYTES_MAX = 256 << 20, BATCHES_PER_TURN = 8, PAUSE_SECONDS = 1 };

/* ---- partitions ------------------------------------------------------------------------------------------------------------ */

static void woken(struct hub_waiter *waiter)
{
    struct capture_part *part =
        (struct capture_part *)(void *)((uint8_t *)waiter - offsetof(struct capture_part, waiter));
    struct captures *captures = part->source->captures;
    (void)pthread_mutex_lock(&captures->lock);
    part->ready = true;
    part->waiting = false;
    (void)pthread_cond_signal(&captures->changes);
    (void)pthread_mutex_unlock(&captures->lock);
}

static void source_free(struct capture_source *source)
{
    for (uint32_t i = 0; i < source->part_count; i++) {
        if (source->parts[i]->waiter.hub != NULL) hub_unwait(&source->parts[i]->waiter);
        if (source->parts[i]->rule != NULL) rule_unref(source->parts[i]->rule);
        rf_arena_done(&source->parts[i]->arena);
        free(source->parts[i]);
    }
    free(source->parts);
    hub_unref(source->hub);
    rf_arena_done(&source->arena);
    free(source);
}

/* Partitions that came since. */
static bool grow(struct capture_source *source)
{
    struct hub_facts facts;
    hub_facts(source->hub, &facts);
    if (facts.partition_count <= source->part_count) return true;
    struct capture_part **parts =
        realloc(source->parts, facts.partition_count * sizeof(struct capture_part *));
    if (parts == NULL) return false;
    source->parts = parts;
    while (source->part_count < facts.partition_count) {
        struct capture_part *part = calloc(1, sizeof *part);
        if (part == NULL) return false;
        part->source = source;
        part->partition = source->part_count;
        part->ready = true;
        part->take = CAPTURE_EVENTS_MAX;
        part->waiter.woken = woken;
        rf_arena_init(&part->arena, 1 << 20);
        source->parts[source->part_count++] = part;
    }
    return true;
}

static struct capture_source *source_new(struct captures *captures, const struct capture_want *want)
{
    struct capture_source *s = calloc(1, sizeof *s);
    if (s == NULL) return NULL;
    struct hub_facts facts;
    s->captures = captures;
    s->hub = hub_ref(want->hub);
    hub_facts(s->hub, &facts);
    rf_arena_init(&s->arena, 1 << 20);
    s->name = rf_arena_printf(&s->arena, "%.*s|%.*s|%.*s", RF_FMT(want->rule), RF_FMT(facts.id),
                              RF_FMT(want->group));
    if (s->name.ptr != NULL && rf_arena_str(&s->arena, want->rule, &s->rule) &&
        rf_arena_str(&s->arena, want->stream, &s->stream) &&
        rf_arena_str(&s->arena, want->group, &s->group) && grow(s))
        return s;
    source_free(s);
    return NULL;
}

static bool is_wanted(const struct capture_source *s, const struct capture_want *want)
{
    return s->hub == want->hub && rf_str_eq(s->rule, want->rule) &&
           rf_str_eq(s->stream, want->stream) && rf_str_eq(s->group, want->group);
}

static bool is_busy(const struct capture_source *s)
{
    for (uint32_t i = 0; i < s->part_count; i++)
        if (s->parts[i]->busy) return true;
    return false;
}

/* Keeps those that are wanted, ends the others, begins new ones. By one thread at a time; the caller holds the lock. */
static void refresh(struct captures *captures)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    struct rf_err err = {0};
    struct capture_want *wants = NULL;
    uint32_t count = 0;
    rf_arena_init(&arena, LOAD_BYTES_MAX);
    captures->refreshing = true;
    (void)pthread_mutex_unlock(&captures->lock);
    enum rf_kind kind = capture_load(captures->logs, &arena, &wants, &count, &err);
    (void)pthread_mutex_lock(&captures->lock);
    if (kind != RF_OK) {
        captures->due = true; /* after a pause */
        tables_log_failure("capture.rules_not_read", RF_S(""), &err);
    }
    for (struct capture_source **at = &captures->sources; kind == RF_OK && *at != NULL;) {
        struct capture_source *s = *at;
        bool wanted = false;
        for (uint32_t i = 0; i < count; i++) wanted |= is_wanted(s, &wants[i]);
        if (wanted) {
            at = &s->next;
            continue;
        }
        s->gone = true;
        while (is_busy(s)) (void)pthread_cond_wait(&captures->changes, &captures->lock);
        *at = s->next;
        (void)pthread_mutex_unlock(&captures->lock);
        source_free(s);
        (void)pthread_mutex_lock(&captures->lock);
    }
    if (kind == RF_OK) {
        (void)pthread_mutex_unlock(&captures->lock);
        kind = capture_forget_marks(captures->logs, &err);
        (void)pthread_mutex_lock(&captures->lock);
        if (kind != RF_OK) tables_log_failure("capture.marks_not_forgotten", RF_S(""), &err);
    }
    for (uint32_t i = 0; i < count; i++) {
        struct capture_source *s = captures->sources;
        while (s != NULL && !is_wanted(s, &wants[i])) s = s->next;
        bool made = s == NULL && (s = source_new(captures, &wants[i])) != NULL;
        if (made) {
            s->next = captures->sources;
            captures->sources = s;
        }
        if (s == NULL || !grow(s)) captures->due = true;
        hub_unref(wants[i].hub);
    }
    /* A rule that was mended is tried at once. */
    for (struct capture_source *s = captures->sources; s != NULL; s = s->next)
        for (uint32_t i = 0; i < s->part_count; i++) {
            s->parts[i]->not_before = 0;
            s->parts[i]->ready = true;
        }
    captures->refreshing = false;
    (void)pthread_cond_broadcast(&captures->changes);
}

/* ---- turns -------------------------------------------------------------------------------------------------------------------- */

/* The next one that has something to do, by turns; NULL: none has. */
static struct capture_part *next_part(struct captures *captures)
{
    rf_usec now = rf_clock_elapsed(captures->logs->options.clock);
    struct capture_part *oldest = NULL;
    for (struct capture_source *s = captures->sources; s != NULL; s = s->next) {
        for (uint32_t i = 0; i < s->part_count && !s->gone; i++) {
            struct capture_part *p = s->parts[i];
            if (!p->ready || p->busy || now < p->not_before) continue;
            if (oldest == NULL || p->turn < oldest->turn) oldest = p;
        }
    }
    return oldest;
}

/* Until there is nothing more, or others must have their turn. */
static void run_part(struct captures *captures, struct capture_part *part)
{
    bool more = true;
    part->busy = true;
    part->ready = false;
    part->turn = ++captures->turns;
    (void)pthread_mutex_unlock(&captures->lock);
    for (uint32_t i = 0; i < BATCHES_PER_TURN && more && !atomic_load(&captures->stopping); i++)
        more = capture_batch(part);
    int64_t end = part->next;
    (void)pthread_mutex_lock(&captures->lock);
    part->ready |= more;
    bool wait = !more && !part->waiting && !part->source->gone;
    part->waiting |= wait;
    (void)pthread_mutex_unlock(&captures->lock);
    if (wait) hub_wait(part->source->hub, part->partition, end, &part->waiter);
    (void)pthread_mutex_lock(&captures->lock);
    part->busy = false;
    (void)pthread_cond_broadcast(&captures->changes);
}

static void *work(void *ctx)
{
    struct captures *captures = ctx;
    (void)pthread_mutex_lock(&captures->lock);
    while (!atomic_load(&captures->stopping)) {
        struct capture_part *part;
        if (captures->due && !captures->refreshing) {
            captures->due = false;
            refresh(captures);
            if (!captures->due) continue;
        } else if ((part = next_part(captures)) != NULL) {
            run_part(captures, part);
            continue;
        }
        struct timespec until;
        (void)clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_sec += PAUSE_SECONDS;
        (void)pthread_cond_timedwait(&captures->changes, &captures->lock, &until);
    }
    (void)pthread_mutex_unlock(&captures->lock);
    return NULL;
}

void captures_run(struct captures *captures)
{
    struct capture_part *part;
    if (captures == NULL) return;
    (void)pthread_mutex_lock(&captures->lock);
    RF_ASSERT(captures->thread_count == 0);
    if (captures->due) {
        captures->due = false;
        refresh(captures);
    }
    /* A waiter may be told a moment later. */
    for (struct capture_source *s = captures->sources; s != NULL; s = s->next)
        for (uint32_t i = 0; i < s->part_count; i++) s->parts[i]->ready = true;
    while ((part = next_part(captures)) != NULL) run_part(captures, part);
    (void)pthread_mutex_unlock(&captures->lock);
}

/* ---- life ------------------------------------------------------------------------------------------------------------------------ */

void captures_changed(struct captures *captures)
{
    if (captures == NULL) return;
    (void)pthread_mutex_lock(&captures->lock);
    captures->due = true;
    (void)pthread_cond_signal(&captures->changes);
    (void)pthread_mutex_unlock(&captures->lock);
}

static void hubs_have_changed(void *ctx) { captures_changed(ctx); }

static enum rf_kind start_threads(struct captures *captures, struct rf_err *err)
{
    sigset_t all, before; /* signals are for the thread that waits for them */
    sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    while (captures->thread_count < CAPTURE_THREADS &&
           pthread_create(&captures->threads[captures->thread_count], NULL, work, captures) == 0)
        captures->thread_count++;
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (captures->thread_count > 0) return RF_OK;
    return RF_FAIL(err, RF_LIMIT, "ThreadLimit", "the thread that captures events cannot start");
}

enum rf_kind captures_new(struct logs *logs, struct rf_err *err)
{
    if (logs->options.hubs == NULL) return RF_OK;
    struct captures *captures = calloc(1, sizeof *captures);
    if (captures == NULL) return RF_FAIL(err, RF_LIMIT, "OutOfMemory", "no memory for captures");
    pthread_condattr_t attr;
    captures->logs = logs;
    captures->due = true;
    (void)pthread_mutex_init(&captures->lock, NULL);
    (void)pthread_condattr_init(&attr);
    (void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&captures->changes, &attr);
    (void)pthread_condattr_destroy(&attr);
    logs->captures = captures;
    hubs_on_change(logs->options.hubs, hubs_have_changed, captures);
    return logs->options.captures_by_hand ? RF_OK : start_threads(captures, err);
}

void captures_stop(struct captures *captures)
{
    if (captures == NULL) return;
    atomic_store(&captures->stopping, true);
    (void)pthread_mutex_lock(&captures->lock);
    (void)pthread_cond_broadcast(&captures->changes);
    (void)pthread_mutex_unlock(&captures->lock);
    for (uint32_t i = 0; i < captures->thread_count; i++)
        (void)pthread_join(captures->threads[i], NULL);
    captures->thread_count = 0;
    for (struct capture_source *s = captures->sources, *next; s != NULL; s = next) {
        next = s->next;
        source_free(s);
    }
    captures->sources = NULL;
}

void captures_free(struct captures *captures)
{
    if (captures == NULL) return;
    captures_stop(captures);
    (void)pthread_cond_destroy(&captures->changes);
    (void)pthread_mutex_destroy(&captures->lock);
    free(captures);
}
